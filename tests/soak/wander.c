// Workers and ports under random fire: threads start workers, give them ports
// and take them back, post, receive, listen and stop to, write and print, and
// end it all in the middle.
//
//   soak_wander [ROUNDS [SEED]]
//
// Each message of a port that was not closed early must arrive once, and in
// order, at whoever has the other end when it is read; the same for a worker's
// messages, what it prints and what is written to it. After a destroy no
// callback may come. The seed is printed; NW_SEED sets it as well. A plain
// program, so that every sanitizer can run it.
//
// Lock order: link.lock and crew.lock are leaves; no call of the library is made
// under them.

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <nwpool/port.h>
#include <nwpool/worker.h>

#define THREADS        4
#define ROUNDS_DEFAULT 40 // Of each thread.
#define ROUNDS_MAX     1000000
#define STEPS_MAX      60  // Of a round; as many more when it is broken off.
#define LINKS          2   // Of a round.
#define BURST_MAX      300 // Messages of a step.
#define NUMBERS_MAX    (2 * STEPS_MAX * BURST_MAX)
#define WRITE_MAX      3000
#define PATIENCE_MS    60000

static uint64_t seed;
static long rounds = ROUNDS_DEFAULT;
static atomic_long message_count, port_count, early_count;

static void must(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "soak_wander: %s, seed %" PRIu64 "\n", what, seed);
        abort();
    }
}

// -- chance

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static unsigned below(uint64_t *state, unsigned limit)
{
    return (unsigned)(next_random(state) >> 33) % limit;
}

static bool one_in(uint64_t *state, unsigned chance)
{
    return below(state, chance) == 0;
}

static uint64_t now_ms(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void pause_us(unsigned us)
{
    const struct timespec time = {.tv_nsec = (long)us * 1000};

    nanosleep(&time, NULL);
}

// -- numbers: who sent them, and who has seen them

struct stream {
    int last; // Of the numbers that came this way: they only grow.
};

struct ledger {
    int sent;
    int seen;
    uint8_t times[NUMBERS_MAX];
};

static void see(struct ledger *ledger, struct stream *stream, double value)
{
    int number = (int)value;

    must(number >= 0 && number < NUMBERS_MAX, "a number that nobody sent");
    must(ledger->times[number]++ == 0, "a message came twice");
    must(number > stream->last, "a message was overtaken");
    stream->last = number;
    ledger->seen++;
}

// -- a round: one worker, some channels between C and it

struct crew;

// Numbers are posted at `near`. They come back there from the worker, or
// arrive at `far` while C has that.
struct link {
    struct crew *crew;
    int id;
    nw_port *near;
    bool listens;             // At `near`.
    bool far_listens;         // At `far`, while C has it.
    nw_port *left[STEPS_MAX]; // By ends that went on to the worker.
    size_t left_count;

    pthread_mutex_t lock;

    // -- protected by lock
    nw_port *far; // NULL: the worker has it, or it is on its way.
    struct ledger ledger;
    struct stream heard, received; // At `near`.
    struct stream rest, taken;     // At `far`.
};

struct crew {
    uint64_t *random;
    nw_doc *doc;
    nw_inbox *inbox; // NULL: the events thread.
    nw_worker *worker;
    struct link links[LINKS];
    bool has_stdin;
    bool dying; // Its end was asked for.
    size_t written;
    size_t printed;

    pthread_mutex_t lock;

    // -- protected by lock
    struct ledger ledger; // Of numbers that the worker itself sends back.
    struct stream heard;
    size_t read; // By the worker, of what was written.
    size_t output;
    bool has_read;
    bool exited;

    atomic_bool gone; // No callback may come.
};

static void on_number(struct link *link, struct stream *stream,
                      const nw_port_event *event)
{
    must(!atomic_load(&link->crew->gone), "a callback after the destroy");
    must(event->type != NW_PORT_MESSAGE_ERROR, "a message could not be read");
    if (event->type == NW_PORT_MESSAGE) {
        pthread_mutex_lock(&link->lock);
        see(&link->ledger, stream, nw_value_get_number(event->value));
        pthread_mutex_unlock(&link->lock);
    }
}

static void on_near(const nw_port_event *event, void *user_data)
{
    struct link *link = user_data;

    on_number(link, &link->heard, event);
}

static void on_far(const nw_port_event *event, void *user_data)
{
    struct link *link = user_data;

    on_number(link, &link->rest, event);
}

// The worker has sent a port back.
static void take_far(struct crew *crew, const nw_value *value)
{
    int id = (int)nw_value_get_number(nw_object_get(value, "id"));
    struct link *link = &crew->links[id];
    nw_port *port;

    // The document is this callback's; so is the value.
    must(nw_value_take_port((nw_value *)nw_object_get(value, "port"), &port) ==
             NW_OK,
         "a port could not be taken");
    pthread_mutex_lock(&link->lock);
    must(link->far == NULL, "a port came back twice");
    link->far = port;
    pthread_mutex_unlock(&link->lock);
    atomic_fetch_add(&port_count, 1);
}

static void on_message(struct crew *crew, const nw_value *value)
{
    const nw_value *read = nw_object_get(value, "read");

    if (nw_object_get(value, "port") != NULL) {
        take_far(crew, value);
        return;
    }
    pthread_mutex_lock(&crew->lock);
    if (read != NULL) {
        crew->read = (size_t)nw_value_get_number(read);
        crew->has_read = true;
    } else {
        see(&crew->ledger, &crew->heard, nw_value_get_number(value));
    }
    pthread_mutex_unlock(&crew->lock);
}

static void on_worker(const nw_worker_event *event, void *user_data)
{
    struct crew *crew = user_data;

    must(!atomic_load(&crew->gone), "a callback after the destroy");
    must(event->type != NW_WORKER_ERROR, "an error");
    if (event->type == NW_WORKER_ONLINE) {
        must(nw_worker_thread_id(event->worker) != 0, "no thread id");
    } else if (event->type == NW_WORKER_MESSAGE) {
        on_message(crew, event->value);
    }
    pthread_mutex_lock(&crew->lock);
    must(!crew->exited, "an event after the exit");
    crew->exited = event->type == NW_WORKER_EXIT;
    crew->output += event->data_size;
    pthread_mutex_unlock(&crew->lock);
}

// -- steps

// What a living worker and its ports answer; a dying one may be too late.
static void must_work(const struct crew *crew, nw_status status,
                      const char *what)
{
    must(status == NW_OK || (crew->dying && status == NW_ECLOSED), what);
}

static void post(struct crew *crew, nw_value *value,
                 const nw_value *const *transfer, size_t count)
{
    must_work(crew, nw_worker_post(crew->worker, value, transfer, count),
              "nothing can be posted to a worker");
}

static void tell(struct crew *crew, const char *key, double number)
{
    nw_value *message = nw_value_object(crew->doc);

    nw_object_set(message, key, nw_value_number(crew->doc, number));
    post(crew, message, NULL, 0);
}

static double next_number(struct ledger *ledger, pthread_mutex_t *lock)
{
    int number;

    pthread_mutex_lock(lock);
    number = ledger->sent++;
    pthread_mutex_unlock(lock);
    return number;
}

static void post_to_worker(struct crew *crew)
{
    double number = next_number(&crew->ledger, &crew->lock);

    post(crew, nw_value_number(crew->doc, number), NULL, 0);
}

static void post_numbers(struct crew *crew, struct link *link)
{
    unsigned count = below(crew->random, BURST_MAX);

    for (unsigned i = 0; i < count; i++) {
        double number = next_number(&link->ledger, &link->lock);

        must_work(crew,
                  nw_port_post(link->near, nw_value_number(crew->doc, number),
                               NULL, 0),
                  "nothing can be posted at a port");
    }
    atomic_fetch_add(&message_count, count);
}

static nw_port *far_of(struct link *link)
{
    nw_port *far;

    pthread_mutex_lock(&link->lock);
    far = link->far;
    pthread_mutex_unlock(&link->lock);
    return far;
}

static void listen_far(struct crew *crew, struct link *link)
{
    nw_port *far = far_of(link);

    if (far != NULL && !link->far_listens) {
        link->far_listens = true;
        must_work(crew, nw_port_listen(far, on_far, link, crew->inbox),
                  "nobody can listen at a port that came back");
    }
}

static void listen_near(struct crew *crew, struct link *link, bool listens)
{
    link->listens = listens;
    must_work(crew,
              nw_port_listen(link->near, listens ? on_near : NULL, link,
                             listens ? crew->inbox : NULL),
              "nobody can listen at a port");
}

// C's end goes to the worker, or the worker is asked to send it back. The port
// that is left behind stays: it may have been told of messages that its callback
// has not seen.
static void move_far(struct crew *crew, struct link *link)
{
    nw_value *message = nw_value_object(crew->doc);
    nw_port *far = far_of(link);
    const nw_value *transfer[1];

    if (far == NULL) {
        tell(crew, "back", link->id);
        return;
    }
    if (link->left_count == STEPS_MAX) {
        return;
    }
    transfer[0] = nw_value_port(crew->doc, far);
    if (transfer[0] == NULL && crew->dying) {
        return; // It was closed.
    }
    pthread_mutex_lock(&link->lock);
    link->far = NULL;
    pthread_mutex_unlock(&link->lock);
    link->far_listens = false;
    link->left[link->left_count++] = far;
    nw_object_set(message, "id", nw_value_number(crew->doc, link->id));
    nw_object_set(message, "port", (nw_value *)transfer[0]);
    post(crew, message, transfer, 1);
}

static void receive(struct crew *crew, nw_port *port, struct link *link,
                    struct stream *stream)
{
    const nw_value *value;
    nw_status status = nw_port_receive(port, crew->doc, &value);

    if (status != NW_ENOENT) {
        must_work(crew, status, "nothing can be received");
    }
    if (status == NW_OK) {
        pthread_mutex_lock(&link->lock);
        see(&link->ledger, stream, nw_value_get_number(value));
        pthread_mutex_unlock(&link->lock);
    }
}

static void receive_far(struct crew *crew, struct link *link)
{
    nw_port *far = far_of(link);

    if (far != NULL && !link->far_listens) {
        receive(crew, far, link, &link->taken);
    }
}

static void step_link(struct crew *crew, struct link *link)
{
    switch (below(crew->random, 7)) {
    case 0:
        // While answers come in.
        post_numbers(crew, link);
        pause_us(below(crew->random, 10000));
        listen_near(crew, link, !link->listens);
        break;
    case 1:
        if (!link->listens) {
            receive(crew, link->near, link, &link->received);
        }
        break;
    case 2:
        receive_far(crew, link);
        break;
    case 3:
        listen_far(crew, link);
        break;
    case 4:
        move_far(crew, link);
        break;
    default:
        post_numbers(crew, link);
        break;
    }
}

static void write_some(struct crew *crew)
{
    static const char data[WRITE_MAX];
    size_t size = below(crew->random, WRITE_MAX);
    nw_status status = nw_worker_write(crew->worker, data, size, 0);

    if (status != NW_EFULL) {
        must_work(crew, status, "nothing can be written");
        crew->written += size;
    }
}

static void print_some(struct crew *crew)
{
    unsigned size = 1 + below(crew->random, WRITE_MAX);

    crew->printed += size;
    tell(crew, "print", size);
}

static void look(struct crew *crew)
{
    if (crew->inbox != NULL) {
        nw_inbox_poll(crew->inbox, 1);
    } else {
        pause_us(below(crew->random, 500));
    }
}

static void step(struct crew *crew)
{
    switch (below(crew->random, 10)) {
    case 0:
        post_to_worker(crew);
        break;
    case 1:
        if (crew->has_stdin) {
            write_some(crew);
        }
        break;
    case 2:
        print_some(crew);
        break;
    case 3:
        look(crew);
        break;
    case 4:
        nw_worker_unref(crew->worker);
        nw_worker_ref(crew->worker);
        break;
    default:
        step_link(crew, &crew->links[below(crew->random, LINKS)]);
        break;
    }
    nw_doc_reset(crew->doc);
}

// -- the end of a round

static bool is_complete(struct link *link)
{
    bool complete;

    pthread_mutex_lock(&link->lock);
    complete = link->ledger.seen == link->ledger.sent;
    pthread_mutex_unlock(&link->lock);
    return complete;
}

static bool has_finished(struct crew *crew)
{
    bool finished;

    pthread_mutex_lock(&crew->lock);
    finished = crew->ledger.seen == crew->ledger.sent && crew->has_read;
    pthread_mutex_unlock(&crew->lock);
    for (size_t i = 0; i < LINKS; i++) {
        finished = is_complete(&crew->links[i]) && finished;
    }
    return finished;
}

static bool has_exited(struct crew *crew)
{
    bool exited;

    pthread_mutex_lock(&crew->lock);
    exited = crew->exited;
    pthread_mutex_unlock(&crew->lock);
    return exited;
}

// Nothing is closed before all has been seen.
static void finish(struct crew *crew)
{
    uint64_t give_up_ms = now_ms() + PATIENCE_MS;
    int code = -1;

    must(!crew->has_stdin || nw_worker_end(crew->worker) == NW_OK,
         "stdin does not end");
    while (!has_finished(crew)) {
        for (size_t i = 0; i < LINKS; i++) {
            if (!crew->links[i].listens) {
                listen_near(crew, &crew->links[i], true);
            }
            listen_far(crew, &crew->links[i]);
        }
        look(crew);
        must(now_ms() < give_up_ms, "a message was lost");
    }
    must(crew->read == crew->written, "what was written was not read");
    tell(crew, "exit", 0);
    while (!has_exited(crew)) {
        look(crew);
        must(now_ms() < give_up_ms, "an exit was lost");
    }
    must(nw_worker_wait(crew->worker, 0, &code) == NW_OK && code == 0,
         "a wrong exit code");
    must(crew->output == crew->printed, "what was printed was not told");
}

// In the middle of it all.
static void break_off(struct crew *crew)
{
    atomic_fetch_add(&early_count, 1);
    crew->dying = true;
    if (one_in(crew->random, 2)) {
        nw_worker_terminate(crew->worker);
        for (unsigned i = below(crew->random, STEPS_MAX / 2); i > 0; i--) {
            step(crew);
        }
    }
    if (one_in(crew->random, 3)) {
        nw_port_close(crew->links[0].near);
    }
}

static void destroy_ports(struct link *link)
{
    nw_port_destroy(link->near);
    link->near = NULL;
    while (link->left_count > 0) {
        nw_port_destroy(link->left[--link->left_count]);
    }
}

static void destroy_all(struct crew *crew)
{
    bool ports_first = one_in(crew->random, 2);

    for (size_t i = 0; i < LINKS && ports_first; i++) {
        destroy_ports(&crew->links[i]);
    }
    must(nw_worker_destroy(crew->worker) == NW_OK, "a worker is stuck");
    for (size_t i = 0; i < LINKS; i++) {
        destroy_ports(&crew->links[i]);
        nw_port_destroy(crew->links[i].far);
    }
    must(nw_inbox_destroy(crew->inbox) == NW_OK, "an inbox is in use");
    nw_doc_destroy(crew->doc);
    atomic_store(&crew->gone, true);
}

// -- a round

static void open_link(struct crew *crew, int id)
{
    struct link *link = &crew->links[id];

    link->crew = crew;
    link->id = id;
    link->heard.last = link->received.last = -1;
    link->rest.last = link->taken.last = -1;
    pthread_mutex_init(&link->lock, NULL);
    must(nw_channel_create(&link->near, &link->far) == NW_OK, "no channel");
    atomic_fetch_add(&port_count, 2);
}

static struct crew *open_crew(uint64_t *random)
{
    struct crew *crew = calloc(1, sizeof(*crew));
    nw_worker_options options = {
        .struct_size = sizeof(options),
        .file = NW_SOAK_WANDER,
        .on_event = on_worker,
        .user_data = crew,
        .stdout_mode = NW_OUTPUT_EVENT,
    };

    must(crew != NULL, "out of memory");
    crew->random = random;
    crew->doc = nw_doc_create();
    crew->heard.last = -1;
    crew->has_stdin = one_in(random, 2);
    pthread_mutex_init(&crew->lock, NULL);
    if (one_in(random, 2)) {
        must(nw_inbox_create(&crew->inbox) == NW_OK, "no inbox");
    }
    for (int i = 0; i < LINKS; i++) {
        open_link(crew, i);
    }
    options.inbox = crew->inbox;
    options.stdin_pipe = crew->has_stdin;
    must(nw_worker_create(&crew->worker, &options) == NW_OK, "no worker");
    return crew;
}

static void close_crew(struct crew *crew)
{
    if (crew != NULL) {
        for (size_t i = 0; i < LINKS; i++) {
            pthread_mutex_destroy(&crew->links[i].lock);
        }
        pthread_mutex_destroy(&crew->lock);
        free(crew);
    }
}

static void *fire(void *index)
{
    uint64_t random = seed ^ ((uintptr_t)index + 1) * 0x9e3779b97f4a7c15u;
    struct crew *last = NULL; // Kept for a round, for who comes too late.

    random += random == 0;
    for (long i = 0; i < rounds; i++) {
        struct crew *crew = open_crew(&random);

        for (unsigned n = below(&random, STEPS_MAX); n > 0; n--) {
            step(crew);
        }
        if (one_in(&random, 3)) {
            break_off(crew);
        } else {
            finish(crew);
        }
        destroy_all(crew);
        close_crew(last);
        last = crew;
    }
    close_crew(last);
    return NULL;
}

int main(int count, char **arguments)
{
    const char *chosen = count > 2 ? arguments[2] : getenv("NW_SEED");
    pthread_t threads[THREADS];

    rounds = count > 1 ? strtol(arguments[1], NULL, 10) : ROUNDS_DEFAULT;
    seed = chosen != NULL ? strtoull(chosen, NULL, 10) : (uint64_t)time(NULL);
    must(rounds > 0 && rounds <= ROUNDS_MAX, "ROUNDS: 1 to 1000000");
    printf("soak_wander: seed %" PRIu64 "\n", seed);
    fflush(stdout);

    for (uintptr_t i = 0; i < THREADS; i++) {
        must(pthread_create(&threads[i], NULL, fire, (void *)i) == 0,
             "no thread");
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    must(nw_runtime_stop(PATIENCE_MS) == NW_OK, "something was left");
    printf("soak_wander: %ld workers, %ld of them broken off, %ld ports, "
           "%ld messages\n",
           rounds * THREADS, atomic_load(&early_count),
           atomic_load(&port_count), atomic_load(&message_count));
    return 0;
}
