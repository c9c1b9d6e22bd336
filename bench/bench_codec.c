// The value codec in C, beside V8's own serializer in JavaScript, in one process
// and in turn.
//
//   build/bench_codec [ROUNDS]
//
// Encode: from a value to bytes. Decode: from bytes to a value that is read. The
// object has 300 bytes as JSON; the bytes are one Uint8Array of 1 MiB. V8's side
// is `v8.Serializer` and `v8.Deserializer`, made anew for each value, as every
// message of Node.js does. The last lines are ratios of medians: V8's time by
// ours.

#include <pthread.h>

#include <nwpool/json.h>
#include <nwpool/worker.h>

#include "bench.h"
#include "src/message.h"
#include "src/wire.h"

#define OBJECTS    20000 // Of each round.
#define BUFFERS    200
#define ROUNDS_MAX 99
#define BYTES      ((size_t)1 << 20)

#define OBJECT                                                                 \
    "{\"id\":48213,\"name\":\"Harriet Vane\",\"email\":"                       \
    "\"harriet@example.org\",\"active\":true,\"score\":17.25,"                 \
    "\"tags\":[\"writer\",\"sleuth\",\"oxford\"],\"address\":"                 \
    "{\"street\":\"100 Mecklenburgh Square\",\"city\":\"London\","             \
    "\"zip\":\"WC1N 2AB\"},\"visits\":[3,14,15,92,65,35],"                     \
    "\"note\":\"prefers mornings; the quick brown fox\",\"parent\":null}"

static const char script[] =
    "const v8 = require('v8');\n"
    "const { parentPort, workerData } = require('worker_threads');\n"
    "const values = [JSON.parse(workerData), new Uint8Array(1 << 20)];\n"
    "function encode(value) {\n"
    "  const serializer = new v8.Serializer();\n"
    "  serializer.writeHeader();\n"
    "  serializer.writeValue(value);\n"
    "  return serializer.releaseBuffer();\n"
    "}\n"
    "function decode(bytes) {\n"
    "  const deserializer = new v8.Deserializer(bytes);\n"
    "  deserializer.readHeader();\n"
    "  return deserializer.readValue();\n"
    "}\n"
    "parentPort.on('message', ([which, count, decodes]) => {\n"
    "  const bytes = encode(values[which]);\n"
    "  const begin = process.hrtime.bigint();\n"
    "  for (let i = 0; i < count; i++) {\n"
    "    if (decodes) decode(bytes); else encode(values[which]);\n"
    "  }\n"
    "  const ns = Number(process.hrtime.bigint() - begin);\n"
    "  parentPort.postMessage(ns / count);\n"
    "});\n";

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    double ns; // 0: not there yet.
} told = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .changed = PTHREAD_COND_INITIALIZER};

static void die(const char *what, nw_status status)
{
    fprintf(stderr, "bench_codec: %s: %s %s\n", what, nw_status_message(status),
            nw_status_detail());
    exit(1);
}

static void on_event(const nw_worker_event *event, void *user_data)
{
    (void)user_data;
    if (event->error != NULL) {
        fprintf(stderr, "bench_codec: %s\n", event->error->stack);
        exit(1);
    }
    if (event->type == NW_WORKER_MESSAGE) {
        pthread_mutex_lock(&told.lock);
        told.ns = nw_value_get_number(event->value);
        pthread_cond_signal(&told.changed);
        pthread_mutex_unlock(&told.lock);
    }
}

static double v8_round(nw_worker *worker, int which, long count, bool decodes)
{
    nw_doc *doc = nw_doc_create();
    nw_value *order = nw_value_array(doc);
    nw_status status;
    double ns;

    nw_array_push(order, nw_value_number(doc, which));
    nw_array_push(order, nw_value_number(doc, (double)count));
    nw_array_push(order, nw_value_bool(doc, decodes));
    status = nw_worker_post(worker, order, NULL, 0);
    nw_doc_destroy(doc);
    if (status != NW_OK) {
        die("post", status);
    }
    pthread_mutex_lock(&told.lock);
    while (told.ns == 0) {
        pthread_cond_wait(&told.changed, &told.lock);
    }
    ns = told.ns;
    told.ns = 0;
    pthread_mutex_unlock(&told.lock);
    return ns;
}

static void encode(const nw_value *value, struct nw__message *out)
{
    nw_status status;

    nw__message_init(out);
    status = nw__wire_write(out, &value, 1, NULL, NULL);
    if (status != NW_OK) {
        die("encode", status);
    }
}

static double encode_round(const nw_value *value, long count)
{
    double begin = bench_now();

    for (long i = 0; i < count; i++) {
        struct nw__message message;

        encode(value, &message);
        nw__message_fini(&message);
    }
    return (bench_now() - begin) / (double)count * 1e9;
}

static double decode_round(const nw_value *value, long count)
{
    nw_doc *doc = nw_doc_create();
    struct nw__message message;
    const nw_value *read;
    double begin;
    double ns;

    encode(value, &message);
    begin = bench_now();
    for (long i = 0; i < count; i++) {
        nw_status status = nw__wire_read(doc, &message, &read, 1, NULL);

        if (status != NW_OK) {
            die("decode", status);
        }
        nw_doc_reset(doc);
    }
    ns = (bench_now() - begin) / (double)count * 1e9;
    nw__message_fini(&message);
    nw_doc_destroy(doc);
    return ns;
}

static double compare(nw_worker *worker, const nw_value *value, int which,
                      long count, bool decodes, int rounds, const char *what)
{
    double ours[ROUNDS_MAX], theirs[ROUNDS_MAX];
    double our_median, their_median;
    char label[64];

    v8_round(worker, which, count, decodes); // Lets V8 compile the loop.
    for (int i = 0; i < rounds; i++) {
        ours[i] =
            decodes ? decode_round(value, count) : encode_round(value, count);
        theirs[i] = v8_round(worker, which, count, decodes);
    }
    snprintf(label, sizeof(label), "%s, C", what);
    our_median = bench_print(label, ours, (size_t)rounds, "ns");
    snprintf(label, sizeof(label), "%s, V8", what);
    their_median = bench_print(label, theirs, (size_t)rounds, "ns");
    return their_median / our_median;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 7;
    nw_doc *doc = nw_doc_create();
    json_t *json = json_loads(OBJECT, 0, NULL);
    static unsigned char zeroes[BYTES];
    const nw_value *values[2];
    nw_worker_options options = {
        .struct_size = sizeof(options), .source = script, .on_event = on_event};
    double ratios[4];
    nw_worker *worker;
    nw_status status;

    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_codec [ROUNDS], 1 to %d\n", ROUNDS_MAX);
        return 2;
    }
    values[0] = nw_value_from_json(doc, json);
    values[1] = nw_value_bytes(doc, zeroes, sizeof(zeroes));
    options.worker_data = nw_value_string(doc, OBJECT);
    status = nw_worker_create(&worker, &options);
    if (status != NW_OK) {
        die("worker", status);
    }
    bench_print_machine();
    printf("Node.js %s, median of %d rounds (min to max)\n",
           nw_runtime_node_version(), rounds);
    for (int i = 0; i < 4; i++) {
        static const char *const names[] = {
            "encode 300-byte object", "decode 300-byte object",
            "encode 1 MiB of bytes", "decode 1 MiB of bytes"};

        ratios[i] =
            compare(worker, values[i / 2], i / 2, i < 2 ? OBJECTS : BUFFERS,
                    i % 2 == 1, rounds, names[i]);
    }
    for (int i = 0; i < 4; i++) {
        static const char *const names[] = {"encode object", "decode object",
                                            "encode bytes", "decode bytes"};

        printf("ratio %s, V8 / C: %.2f\n", names[i], ratios[i]);
    }
    nw_worker_destroy(worker);
    json_decref(json);
    nw_doc_destroy(doc);
    return 0;
}
