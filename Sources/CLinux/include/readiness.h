#ifndef PEXIP_FW_READINESS_H
#define PEXIP_FW_READINESS_H

// Waiting for descriptors (epoll(7)). As in clinux.h: one line a reason; -1 with errno on failure.

#include <stdint.h>

// Glibc's module has no EPOLL constants, and `struct epoll_event` is packed.

int clinux_epoll_create(void);

// Tells once when the descriptor can be read, or where `writable` written, or is hung up.
int clinux_epoll_add(int epoll, int descriptor, int writable, uint64_t token);

// Tells once more.
int clinux_epoll_rearm(int epoll, int descriptor, int writable, uint64_t token);

int clinux_epoll_remove(int epoll, int descriptor);

// The tokens of descriptors that are ready now; how many there are, at most `capacity`.
int clinux_epoll_ready(int epoll, uint64_t *tokens, int capacity);

#endif
