#define _GNU_SOURCE
#include "flood.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, LONGEST = 1500 };

int pexip_enter_namespace(const char *path) {
    int former = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (former < 0) return -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) {
        int error = errno;
        if (fd >= 0) close(fd);
        close(former);
        errno = error;
        return -1;
    }
    close(fd);
    return former;
}

int pexip_leave_namespace(int former) {
    int result = setns(former, CLONE_NEWNET);
    int error = errno;
    close(former);
    errno = error;
    return result;
}

int64_t pexip_now(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) < 0) return -1;
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// Sends all, however many one call takes. A queue that is full is part of what is measured.
static int send_all(int fd, struct mmsghdr *messages, unsigned int count) {
    unsigned int sent = 0;
    while (sent < count) {
        int now = sendmmsg(fd, messages + sent, count - sent, 0);
        // A refusal by ICMP is reported by the next call, and is none of this one's business.
        if (now < 0 && (errno == EINTR || errno == ECONNREFUSED || errno == EHOSTUNREACH)) continue;
        if (now < 0) return -1;
        sent += (unsigned int)now;
    }
    return 0;
}

int64_t pexip_flood(int fd, size_t length, size_t count) {
    static const uint8_t payload[LONGEST];
    if (length > sizeof payload) {
        errno = EMSGSIZE;
        return -1;
    }
    struct iovec part = {(void *)payload, length};
    struct mmsghdr messages[BATCH];
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < BATCH; i++) {
        messages[i].msg_hdr.msg_iov = &part;
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int64_t started = pexip_now();
    for (size_t sent = 0; sent < count; sent += BATCH) {
        size_t left = count - sent;
        if (send_all(fd, messages, left < BATCH ? (unsigned int)left : BATCH) < 0) return -1;
    }
    return pexip_now() - started;
}

int64_t pexip_flood_new_flows(
    int fd, int family, const uint8_t *destination, uint16_t port, size_t length,
    uint32_t first_flow, size_t count) {
    enum { PORTS = 64000, DESTINATIONS = 64 };
    if (length < 8 || length > LONGEST) {
        errno = EMSGSIZE;
        return -1;
    }
    static uint8_t packets[BATCH][LONGEST];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    union {
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } to;
    memset(&to, 0, sizeof to);
    socklen_t to_length;
    if (family == AF_INET) {
        to.v4.sin_family = AF_INET;
        memcpy(&to.v4.sin_addr, destination, 4);
        to_length = sizeof to.v4;
    } else {
        to.v6.sin6_family = AF_INET6;
        memcpy(&to.v6.sin6_addr, destination, 16);
        to_length = sizeof to.v6;
        int offset = 6; // of the checksum, which IPv6 insists on
        if (setsockopt(fd, IPPROTO_IPV6, IPV6_CHECKSUM, &offset, sizeof offset) < 0) return -1;
    }
    memset(messages, 0, sizeof messages);
    memset(packets, 0, sizeof packets);
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){packets[i], length};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_name = &to;
        messages[i].msg_hdr.msg_namelen = to_length;
    }
    int64_t started = pexip_now();
    for (size_t sent = 0; sent < count; sent += BATCH) {
        unsigned int batch = count - sent < BATCH ? (unsigned int)(count - sent) : BATCH;
        for (unsigned int i = 0; i < batch; i++) {
            uint32_t flow = first_flow + (uint32_t)sent + i;
            uint16_t header[4] = {
                htons((uint16_t)(PEXIP_FIRST_FLOW_PORT + flow % PORTS)),
                htons((uint16_t)(port + flow / PORTS % DESTINATIONS)),
                htons((uint16_t)length),
                0, // IPv4: no checksum
            };
            memcpy(packets[i], header, sizeof header);
        }
        if (send_all(fd, messages, batch) < 0) return -1;
    }
    return pexip_now() - started;
}

int pexip_ruleset_listener(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0) return -1;
    int group = NFNLGRP_NFTABLES, one = 1, size = 64 << 20;
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0
        || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0
        || setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &one, sizeof one) < 0
        || setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int64_t pexip_next_generation(int fd, int timeout) {
    static _Alignas(struct nlmsghdr) uint8_t buffer[1 << 16];
    int64_t deadline = pexip_now() + (int64_t)timeout * 1000000;
    for (;;) {
        int64_t left = deadline - pexip_now();
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int count = left < 0 ? 0 : poll(&ready, 1, (int)(left / 1000000) + 1);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -1;
        if (count == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
        ssize_t length = recv(fd, buffer, sizeof buffer, 0);
        int64_t heard = pexip_now();
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) return -1;
        int left_over = (int)length;
        for (struct nlmsghdr *message = (struct nlmsghdr *)buffer; NLMSG_OK(message, left_over);
             message = NLMSG_NEXT(message, left_over)) {
            if (message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN)) return heard;
        }
    }
}
