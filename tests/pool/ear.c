#include "tests/pool/ear.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/support.h"

// -- ears

void ear_init(struct ear *ear)
{
    memset(ear, 0, sizeof(*ear));
    pthread_mutex_init(&ear->lock, NULL);
    pthread_cond_init(&ear->changed, NULL);
}

void ear_fini(struct ear *ear)
{
    for (size_t i = 0; i < 3; i++) {
        free(ear->out[i]);
    }
    pthread_cond_destroy(&ear->changed);
    pthread_mutex_destroy(&ear->lock);
}

// nw_test_text() writes into memory of its own, and ears are on many threads.
static void copy_value(char *to, size_t size, const nw_value *value)
{
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

    pthread_mutex_lock(&one);
    snprintf(to, size, "%s", nw_test_text(value));
    pthread_mutex_unlock(&one);
}

static void copy_error(struct heard *heard, const nw_error *error)
{
    snprintf(heard->text, sizeof(heard->text), "%s", error->message);
    snprintf(heard->name, sizeof(heard->name), "%s", error->name);
    snprintf(heard->code, sizeof(heard->code), "%s",
             error->code != NULL ? error->code : "");
    snprintf(heard->cause, sizeof(heard->cause), "%s",
             error->cause != NULL ? error->cause->message : "");
    if (error->properties != NULL) {
        copy_value(heard->properties, sizeof(heard->properties),
                   error->properties);
    }
}

// Caller holds the lock.
static struct heard *next_heard(struct ear *ear, int type)
{
    static struct heard spare;
    struct heard *heard =
        ear->count < EAR_MAX ? &ear->heard[ear->count] : &spare;

    memset(heard, 0, sizeof(*heard));
    heard->type = type;
    ear->count++;
    return heard;
}

// Caller holds the lock.
static void note(struct ear *ear, struct heard *heard, const nw_value *value,
                 const nw_error *error)
{
    if (error != NULL) {
        copy_error(heard, error);
    }
    if (value != NULL) {
        ear->messages++;
        if (ear->on_value != NULL) {
            ear->on_value(ear, value);
        } else {
            copy_value(heard->text, sizeof(heard->text), value);
        }
    }
}

// Caller holds the lock.
static void note_output(struct ear *ear, int fd, const char *data, size_t size)
{
    char *out;

    if (fd < 1 || fd > 2) {
        ear->late = true;
        return;
    }
    out = realloc(ear->out[fd], ear->out_size[fd] + size + 1);
    memcpy(out + ear->out_size[fd], data, size);
    ear->out[fd] = out;
    ear->out_size[fd] += size;
    out[ear->out_size[fd]] = '\0';
    ear->pieces++;
}

void ear_worker(const nw_worker_event *event, void *user_data)
{
    struct ear *ear = user_data;

    pthread_mutex_lock(&ear->lock);
    ear->late = ear->late || ear->over;
    if (event->type == NW_WORKER_OUTPUT) {
        note_output(ear, event->fd, event->data, event->data_size);
    } else {
        struct heard *heard = next_heard(ear, (int)event->type);

        heard->exit_code = event->exit_code;
        note(ear, heard, event->value, event->error);
    }
    if (event->type == NW_WORKER_EXIT) {
        ear->over = true;
        ear->exit_code = event->exit_code;
    }
    pthread_cond_broadcast(&ear->changed);
    pthread_mutex_unlock(&ear->lock);
}

void ear_port(const nw_port_event *event, void *user_data)
{
    struct ear *ear = user_data;

    pthread_mutex_lock(&ear->lock);
    ear->late = ear->late || ear->over;
    note(ear, next_heard(ear, (int)event->type), event->value, event->error);
    ear->over = event->type == NW_PORT_CLOSE;
    pthread_cond_broadcast(&ear->changed);
    pthread_mutex_unlock(&ear->lock);
}

// One step of waiting, at most 100 ms. Caller holds the lock.
static void wait_for_change(struct ear *ear)
{
    struct timespec until;

    if (ear->inbox != NULL) {
        pthread_mutex_unlock(&ear->lock);
        nw_inbox_poll(ear->inbox, 100);
        pthread_mutex_lock(&ear->lock);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 100000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&ear->changed, &ear->lock, &until);
}

#define wait_until(ear, condition)                                             \
    do {                                                                       \
        uint64_t give_up_ms = now_ms() + DEADLINE_MS;                          \
        bool in_time = true;                                                   \
        pthread_mutex_lock(&(ear)->lock);                                      \
        while (!(condition) && in_time) {                                      \
            wait_for_change(ear);                                              \
            in_time = now_ms() < give_up_ms;                                   \
        }                                                                      \
        pthread_mutex_unlock(&(ear)->lock);                                    \
        cr_assert(in_time, "never: %s; heard %zu events, the last: %s",        \
                  #condition, (ear)->count,                                    \
                  (ear)->count > 0 && (ear)->count <= EAR_MAX                  \
                      ? (ear)->heard[(ear)->count - 1].text                    \
                      : "");                                                   \
    } while (0)

const struct heard *ear_at(struct ear *ear, size_t index)
{
    cr_assert(lt(sz, index, (size_t)EAR_MAX));
    wait_until(ear, ear->count > index);
    return &ear->heard[index];
}

void ear_messages(struct ear *ear, size_t count)
{
    wait_until(ear, ear->messages >= count);
}

const struct heard *ear_end(struct ear *ear)
{
    wait_until(ear, ear->over);
    cr_expect(not(ear->late), "something came after the end");
    return ear->count <= EAR_MAX ? &ear->heard[ear->count - 1] : NULL;
}

size_t ear_count(struct ear *ear, int type)
{
    size_t count = 0;

    pthread_mutex_lock(&ear->lock);
    for (size_t i = 0; i < ear->count && i < EAR_MAX; i++) {
        count += ear->heard[i].type == type;
    }
    pthread_mutex_unlock(&ear->lock);
    return count;
}

const struct heard *ear_first(struct ear *ear, int type)
{
    const struct heard *found = NULL;

    pthread_mutex_lock(&ear->lock);
    for (size_t i = 0; i < ear->count && i < EAR_MAX && !found; i++) {
        found = ear->heard[i].type == type ? &ear->heard[i] : NULL;
    }
    pthread_mutex_unlock(&ear->lock);
    return found;
}

void expect_heard(struct ear *ear, size_t index, int type, const char *text_of)
{
    const struct heard *heard = ear_at(ear, index);

    cr_expect(eq(int, heard->type, type), "event %zu: %s", index, heard->text);
    expect_string(heard->text, text_of);
}

void expect_said(struct ear *ear, const char *text_of)
{
    expect_heard(ear, 0, NW_WORKER_ONLINE, "");
    expect_heard(ear, 1, NW_WORKER_MESSAGE, text_of);
}

void expect_exit(struct ear *ear, int code)
{
    const struct heard *error;

    ear_end(ear);
    error = ear_first(ear, NW_WORKER_ERROR);
    cr_expect(eq(int, ear->exit_code, code), "%s",
              error != NULL ? error->text : "no error");
}

void expect_output(struct ear *ear, int fd, const char *text_of)
{
    expect_string(ear->out[fd] != NULL ? ear->out[fd] : "", text_of);
}

// -- workers

nw_worker *worker_with(struct ear *ear, nw_worker_options options)
{
    nw_worker *worker;
    nw_status status;

    options.struct_size = sizeof(options);
    if (ear != NULL) {
        options.on_event = ear_worker;
        options.user_data = ear;
        options.inbox = ear->inbox;
    }
    status = nw_worker_create(&worker, &options);
    cr_assert(eq(int, status, NW_OK), "%s: %s", nw_status_name(status),
              nw_status_detail());
    return worker;
}

nw_worker *worker_of(struct ear *ear, const char *source)
{
    return worker_with(ear, (nw_worker_options){.source = source});
}

void end_worker(nw_worker *worker)
{
    expect_status(nw_worker_destroy(worker), NW_OK);
}

void expect_says_so(nw_worker_options options, const char *said)
{
    struct ear ear;
    nw_worker *worker;

    ear_init(&ear);
    worker = worker_with(&ear, options);
    expect_said(&ear, said);
    expect_exit(&ear, 0);
    end_worker(worker);
    ear_fini(&ear);
}

void expect_refusal(nw_worker_options options, nw_status status,
                    const char *part)
{
    unsigned threads = thread_count();
    nw_worker *worker = (nw_worker *)&options;
    nw_status was;

    options.struct_size = sizeof(options);
    was = nw_worker_create(&worker, &options);
    expect_status(was, status);
    expect_says(nw_status_detail(), part);
    cr_expect(eq(ptr, worker, NULL));
    cr_expect(le(u32, thread_count(), threads), "a thread was started");
    if (was == NW_OK) {
        nw_worker_destroy(worker);
    }
}

nw_status post(nw_worker *worker, const nw_value *value)
{
    return nw_worker_post(worker, value, NULL, 0);
}

nw_status port_post(nw_port *port, const nw_value *value)
{
    return nw_port_post(port, value, NULL, 0);
}

const nw_value *port_receive(nw_port *port)
{
    const nw_value *value = NULL;
    nw_status status = NW_ENOENT;

    for (uint64_t end_ms = now_ms() + DEADLINE_MS;
         status == NW_ENOENT && now_ms() < end_ms;) {
        status = nw_port_receive(port, doc, &value);
        pause_ms(status == NW_ENOENT ? 1 : 0);
    }
    cr_assert(eq(int, status, NW_OK), "%s: %s", nw_status_name(status),
              nw_status_detail());
    return value;
}

void expect_received(nw_port *port, const char *text_of)
{
    char received[1024];

    copy_value(received, sizeof(received), port_receive(port));
    expect_string(received, text_of);
}

void channel(nw_port **port1, nw_port **port2)
{
    nw_status status = nw_channel_create(port1, port2);

    cr_assert(eq(int, status, NW_OK), "%s: %s", nw_status_name(status),
              nw_status_detail());
}

// -- files

static char scratch_dir[] = "/tmp/nwpool-test-XXXXXX";

void scratch_init(void)
{
    cr_assert(ne(ptr, mkdtemp(scratch_dir), NULL));
}

static int remove_entry(const char *path, const struct stat *status, int type,
                        struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

void scratch_fini(void)
{
    nftw(scratch_dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *scratch(const char *name)
{
    static char paths[8][4096];
    static unsigned calls;
    char *path = paths[calls++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", scratch_dir, name);
    return path;
}

const char *scratch_file(const char *name, const char *text_of)
{
    const char *path = scratch(name);
    char directory[4096];
    FILE *file;

    snprintf(directory, sizeof(directory), "%s", path);
    for (char *end = directory + sizeof(scratch_dir);
         (end = strchr(end, '/')) != NULL; end++) {
        *end = '\0';
        mkdir(directory, 0700);
        *end = '/';
    }
    file = fopen(path, "w");
    cr_assert(ne(ptr, file, NULL), "%s", path);
    cr_assert(fputs(text_of, file) >= 0);
    cr_assert(eq(int, fclose(file), 0));
    return path;
}
