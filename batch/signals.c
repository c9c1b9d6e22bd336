// SIGINT and SIGTERM, received by one thread.
//
// A thread that reads them from a descriptor may lock and print, which a
// handler may not, and no system call of another thread is interrupted. Both
// signals stay blocked everywhere else, so it is this thread that the second
// one kills: after the first it restores the defaults and unblocks them for
// itself.

#include "batch/signals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int numbers[] = {SIGINT, SIGTERM};

static struct {
    // -- immutable once started
    nwpool_batch_signals_cb *on_signal;
    void *user_data;
    pthread_t thread;
    sigset_t set; // Those that are not ignored.
    int signals;  // A signalfd.
    int stop;     // An eventfd.
    bool started;
} receiver;

static void restore_defaults(void)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (sigismember(&receiver.set, numbers[i])) {
            signal(numbers[i], SIG_DFL);
        }
    }
    pthread_sigmask(SIG_UNBLOCK, &receiver.set, NULL);
}

// The number of the next signal, or 0 when it is time to stop.
static int wait_signal(void)
{
    struct pollfd fds[2] = {
        {.fd = receiver.stop, .events = POLLIN},
        {.fd = receiver.signals, .events = POLLIN},
    };
    struct signalfd_siginfo info;

    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            return 0;
        }
        if (fds[0].revents != 0) {
            return 0;
        }
        if (read(receiver.signals, &info, sizeof(info)) ==
            (ssize_t)sizeof(info)) {
            return (int)info.ssi_signo;
        }
    }
}

static void *receiver_main(void *argument)
{
    int number = wait_signal();

    (void)argument;
    if (number != 0) {
        // First the defaults: a second signal must work even while the
        // callback waits for something.
        restore_defaults();
        receiver.on_signal(number, receiver.user_data);
        // The thread stays: it is where the second signal arrives.
        while (wait_signal() != 0) {
        }
    }
    return NULL;
}

int nwpool_batch_signals_start(nwpool_batch_signals_cb *on_signal,
                               void *user_data)
{
    struct sigaction action;
    int error;

    receiver.on_signal = on_signal;
    receiver.user_data = user_data;
    sigemptyset(&receiver.set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (sigaction(numbers[i], NULL, &action) == 0 &&
            action.sa_handler != SIG_IGN) {
            sigaddset(&receiver.set, numbers[i]);
        }
    }
    receiver.stop = eventfd(0, EFD_CLOEXEC);
    receiver.signals = signalfd(-1, &receiver.set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (receiver.stop < 0 || receiver.signals < 0) {
        return errno;
    }
    pthread_sigmask(SIG_BLOCK, &receiver.set, NULL);
    error = pthread_create(&receiver.thread, NULL, receiver_main, NULL);
    receiver.started = error == 0;
    return error;
}

void nwpool_batch_signals_stop(void)
{
    const uint64_t one = 1;
    ssize_t written;

    if (!receiver.started) {
        return;
    }
    written = write(receiver.stop, &one, sizeof(one));
    (void)written;
    pthread_join(receiver.thread, NULL);
    close(receiver.stop);
    close(receiver.signals);
    receiver.started = false;
    restore_defaults();
}
