#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

pid_t clinux_gettid(void) { return gettid(); }

int clinux_accept(int listener) {
    return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int clinux_peer_credentials(int socket, pid_t *pid, uid_t *uid, gid_t *gid) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return -1;
    *pid = credentials.pid;
    *uid = credentials.uid;
    *gid = credentials.gid;
    return 0;
}

int clinux_peer_groups(int socket, gid_t *groups, int capacity) {
    socklen_t length = (socklen_t)capacity * sizeof(gid_t);
    // ERANGE: `length` now says what would be needed.
    if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &length) != 0 && errno != ERANGE)
        return -1;
    return (int)(length / sizeof(gid_t));
}

// Write ends of the pipes, plus one, so that zero is "not caught".
static _Atomic int signal_pipes[NSIG];

static void forward_signal(int signal) {
    int saved = errno;
    unsigned char byte = (unsigned char)signal;
    int pipe = atomic_load(&signal_pipes[signal]) - 1;
    // A full pipe holds thousands of signals that nobody has read yet: one more says nothing new.
    if (pipe >= 0 && write(pipe, &byte, 1) < 0) errno = saved;
    errno = saved;
}

int clinux_catch_signal(int signal, int pipe) {
    if (signal <= 0 || signal >= NSIG) {
        errno = EINVAL;
        return -1;
    }
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = forward_signal;
    action.sa_flags = SA_RESTART;
    sigfillset(&action.sa_mask);
    atomic_store(&signal_pipes[signal], pipe + 1);
    return sigaction(signal, &action, NULL);
}

// A thread that is there until the gate opens.
static void *wait_at(void *gate) {
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

int clinux_try_threads(int count) {
    pthread_t threads[count];
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&gate);
    int started = 0, error = 0;
    while (started < count && error == 0) {
        error = pthread_create(&threads[started], NULL, wait_at, &gate);
        if (error == 0) started++;
    }
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    return error;
}

int clinux_lock_file(int file) { return flock(file, LOCK_EX | LOCK_NB); }

int clinux_restore_signal(int signal) {
    if (signal <= 0 || signal >= NSIG) {
        errno = EINVAL;
        return -1;
    }
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    int result = sigaction(signal, &action, NULL);
    atomic_store(&signal_pipes[signal], 0);
    return result;
}

int clinux_next_option(int argc, char *const argv[], const char *const names[],
                       const bool takes_value[], int count, const char **value, int *operand,
                       int *letter) {
    // Beyond all letters; with one number for all, a beginning that several share would mean the first.
    const int first_long = 256;
    struct option options[count + 1];
    for (int i = 0; i < count; i++) {
        options[i] = (struct option){
            names[i], takes_value[i] ? required_argument : no_argument, NULL, first_long + i};
    }
    options[count] = (struct option){NULL, 0, NULL, 0};
    opterr = 0;
    int answer = getopt_long(argc, argv, "h", options, NULL);
    *value = optarg;
    *operand = optind;
    *letter = optopt < first_long ? optopt : 0;
    if (answer >= first_long) return answer - first_long;
    for (int i = 0; answer == 'h' && i < count; i++) {
        if (strcmp(names[i], "help") == 0) return i;
    }
    return answer == -1 ? -1 : -2;
}
