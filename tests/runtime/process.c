#include "tests/runtime/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/runtime/client.h"

#define TIMEOUT_MS 20000

struct text {
    int fd; // -1: ended, or not captured.
    char *data;
    size_t size;
};

static void reset(struct text *text, int fd)
{
    free(text->data);
    text->data = calloc(1, 1);
    text->size = 0;
    text->fd = fd;
}

// Reads what there is; closes at the end of the file.
static void read_some(struct text *text)
{
    char buffer[65536];
    ssize_t size = read(text->fd, buffer, sizeof(buffer));

    if (size < 0 && errno == EINTR) {
        return;
    }
    if (size <= 0) {
        close(text->fd);
        text->fd = -1;
        return;
    }
    text->data = realloc(text->data, text->size + (size_t)size + 1);
    memcpy(text->data + text->size, buffer, (size_t)size);
    text->size += (size_t)size;
    text->data[text->size] = '\0';
}

static int open_pidfd(pid_t child)
{
    int fd = (int)syscall(SYS_pidfd_open, child, 0);

    if (fd < 0) {
        client_fail("pidfd_open: %s", strerror(errno));
    }
    return fd;
}

static int left_ms(uint64_t deadline_ms)
{
    uint64_t now = client_now_ms();

    return now >= deadline_ms ? 0 : (int)(deadline_ms - now);
}

// Until the child has ended. False: it did not in time. What the child left
// running may hold the pipes open, so their end is not waited for.
static bool watch(pid_t child, struct text *texts, uint64_t deadline_ms)
{
    int pidfd = open_pidfd(child);
    bool ended = false;

    while (!ended && left_ms(deadline_ms) > 0) {
        struct pollfd fds[3] = {
            {.fd = texts[0].fd, .events = POLLIN},
            {.fd = texts[1].fd, .events = POLLIN},
            {.fd = pidfd, .events = POLLIN},
        };

        poll(fds, 3, left_ms(deadline_ms));
        for (int i = 0; i < 2; i++) {
            if (fds[i].revents != 0) {
                read_some(&texts[i]);
            }
        }
        // What it wrote before it ended is in the pipe already.
        ended = fds[2].revents != 0 && (fds[0].revents & POLLIN) == 0 &&
                (fds[1].revents & POLLIN) == 0;
    }
    close(pidfd);
    return ended;
}

int wait_child(pid_t child, uint32_t timeout_ms)
{
    struct text none[2] = {{.fd = -1}, {.fd = -1}};
    bool ended = watch(child, none, client_now_ms() + timeout_ms);
    int status = 0;

    if (!ended) {
        kill(child, SIGKILL);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return ended ? status : -1;
}

// In the new process.
static _Noreturn void start_program(const struct program *program, int out,
                                    int err)
{
    sigset_t none;

    // A test that is killed takes the program with it.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(err, REPORT_FD);
    if (!program->keep_stdio) {
        dup2(out, 1);
        dup2(err, 2);
    }
    // Test runners and shells differ in what they hand on. With this one,
    // Node.js reads many certificates when it starts.
    unsetenv("NODE_EXTRA_CA_CERTS");
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int i = 1; i < NSIG; i++) {
        signal(i, SIG_DFL);
    }
    if (program->prepare != NULL) {
        program->prepare(program->data);
    }
    execv(program->arguments[0], (char *const *)program->arguments);
    _exit(127);
}

struct outcome run_program(const struct program *program)
{
    static struct text texts[2];
    struct outcome outcome = {.status = -1};
    uint64_t begin_ms = client_now_ms();
    int out[2], err[2], status;
    pid_t child;

    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
        client_fail("pipe2: %s", strerror(errno));
    }
    child = fork();
    if (child == 0) {
        start_program(program, out[1], err[1]);
    }
    close(out[1]);
    close(err[1]);
    reset(&texts[0], out[0]);
    reset(&texts[1], err[0]);
    outcome.hung =
        !watch(child, texts,
               begin_ms + (program->timeout_ms != 0 ? program->timeout_ms
                                                    : TIMEOUT_MS));
    if (outcome.hung) {
        kill(child, SIGKILL);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    outcome.took_ms = client_now_ms() - begin_ms;
    if (WIFEXITED(status)) {
        outcome.status = WEXITSTATUS(status);
    } else if (WIFSIGNALED(status)) {
        outcome.signal = WTERMSIG(status);
    }
    for (int i = 0; i < 2; i++) {
        if (texts[i].fd >= 0) {
            close(texts[i].fd);
        }
    }
    outcome.out = texts[0].data;
    outcome.out_size = texts[0].size;
    outcome.err = texts[1].data;
    return outcome;
}

struct outcome run_host(const char *mode, const char *argument)
{
    struct program program = {.arguments = {RUNTIME_HOST, mode, argument}};

    return run_program(&program);
}

const char *outcome_text(const struct outcome *outcome)
{
    static char text[4096];
    char how[64];

    if (outcome->hung) {
        snprintf(how, sizeof(how), "a hang");
    } else if (outcome->signal != 0) {
        snprintf(how, sizeof(how), "signal %d", outcome->signal);
    } else {
        snprintf(how, sizeof(how), "exit status %d", outcome->status);
    }
    snprintf(text, sizeof(text), "%s after %llu ms; it said: %.3000s", how,
             (unsigned long long)outcome->took_ms,
             outcome->err[0] != '\0' ? outcome->err : "nothing");
    return text;
}
