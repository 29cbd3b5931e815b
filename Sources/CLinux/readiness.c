#include "readiness.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

enum { most_events = 64 };

static int control(int epoll, int operation, int descriptor, int writable, uint64_t token) {
    struct epoll_event event = {
        .events = (writable ? EPOLLOUT : EPOLLIN) | EPOLLONESHOT,
        .data = {.u64 = token},
    };
    return epoll_ctl(epoll, operation, descriptor, &event);
}

int clinux_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int clinux_epoll_add(int epoll, int descriptor, int writable, uint64_t token) {
    return control(epoll, EPOLL_CTL_ADD, descriptor, writable, token);
}

int clinux_epoll_rearm(int epoll, int descriptor, int writable, uint64_t token) {
    return control(epoll, EPOLL_CTL_MOD, descriptor, writable, token);
}

int clinux_epoll_remove(int epoll, int descriptor) {
    return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, NULL);
}

int clinux_epoll_ready(int epoll, uint64_t *tokens, int capacity) {
    struct epoll_event events[most_events];
    int count;
    do {
        count = epoll_wait(epoll, events, capacity < most_events ? capacity : most_events, 0);
    } while (count < 0 && errno == EINTR);
    for (int index = 0; index < count; index++) tokens[index] = events[index].data.u64;
    return count;
}
