#ifndef PEXIP_FW_FLOOD_H
#define PEXIP_FW_FLOOD_H
// Packets as fast as one processor sends them, and sockets of other network namespaces, for the
// benchmark. A function that fails returns -1 with errno set.
#include <stdint.h>
#include <sys/types.h>

// Makes the calling thread's network namespace that of the file, such as /run/netns/NAME, and
// returns a descriptor of the former one, for pexip_leave_namespace.
int pexip_enter_namespace(const char *path);
int pexip_leave_namespace(int former);

// Nanoseconds of CLOCK_MONOTONIC.
int64_t pexip_now(void);

// Sends `count` datagrams of `length` bytes through a connected socket, up to 64 with one system
// call, and returns how long that took, in nanoseconds. Over veth the receiver's share is in it:
// its packets are received by the processor that sends them.
int64_t pexip_flood(int fd, size_t length, size_t count);

// The source port of the first flow of pexip_flood_new_flows.
enum { PEXIP_FIRST_FLOW_PORT = 1024 };

// Sends `count` UDP packets through a raw socket, each from a source port of its own from
// `first_flow` on, over 64 ports of the destination from `port` on where they run out.
int64_t pexip_flood_new_flows(
    int fd, int family, const uint8_t *destination, uint16_t port, size_t length,
    uint32_t first_flow, size_t count);

// A netlink socket that hears of changes of nf_tables in the calling thread's namespace.
int pexip_ruleset_listener(void);

// Waits for the next generation of the ruleset and returns when it was heard of, in nanoseconds of
// CLOCK_MONOTONIC. ETIMEDOUT where none comes within `timeout` milliseconds.
int64_t pexip_next_generation(int fd, int timeout);
#endif
