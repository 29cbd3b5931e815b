#ifndef PEXIP_FW_PACKET_H
#define PEXIP_FW_PACKET_H
// Raw packets, bound TCP sockets and child processes for the tests with a real kernel. Everything
// is static inline, so nothing of it ends up in a program that does not call it.
//
// Every function returns what the system call returned: -1 with errno set on failure.
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// struct in6_pktinfo is behind _GNU_SOURCE; its layout is RFC 3542's.
struct pexip_in6_pktinfo {
    struct in6_addr address;
    unsigned int interface;
};

// What the observer of a raw socket learns about one packet. IPv4 addresses fill four bytes.
struct pexip_observed_packet {
    uint8_t source[16];
    uint8_t destination[16];
    int hop_limit;
    size_t header_offset; // of the transport header in the caller's buffer
    size_t length;        // of the transport header and its payload
    uint32_t lost;        // packets this socket dropped since it was made, for want of buffer
};

static inline int pexip_enable(int fd, int level, int option) {
    int one = 1;
    return setsockopt(fd, level, option, &one, sizeof one);
}

// Lets a socket use addresses that the namespace does not own.
static inline int pexip_any_address(int fd, int family) {
    if (family == AF_INET) {
        return pexip_enable(fd, IPPROTO_IP, IP_FREEBIND) < 0
            || pexip_enable(fd, IPPROTO_IP, IP_TRANSPARENT) < 0 ? -1 : 0;
    }
    return pexip_enable(fd, IPPROTO_IPV6, 78 /* IPV6_FREEBIND, hidden by glibc 2.36 */) < 0
        || pexip_enable(fd, IPPROTO_IPV6, IPV6_TRANSPARENT) < 0 ? -1 : 0;
}

static inline socklen_t pexip_socket_address(
    struct sockaddr_storage *storage, int family, const uint8_t *address, uint16_t port) {
    memset(storage, 0, sizeof *storage);
    if (family == AF_INET) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)storage;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        memcpy(&v4->sin_addr, address, 4);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)storage;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    memcpy(&v6->sin6_addr, address, 16);
    return sizeof *v6;
}

static inline int pexip_close_failed(int fd) {
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

// A raw socket that sees every packet of the protocol that passed the input hook, and sends with
// any source address and without "don't fragment".
static inline int pexip_raw_socket(int family, int protocol, int receive_buffer) {
    int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (fd < 0) return -1;
    int failed = pexip_any_address(fd, family) < 0
        || pexip_enable(fd, SOL_SOCKET, SO_RXQ_OVFL) < 0
        || pexip_enable(fd, SOL_SOCKET, SO_BROADCAST) < 0
        || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof receive_buffer) < 0;
    if (!failed && family == AF_INET) {
        int never = IP_PMTUDISC_DONT;
        failed = setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &never, sizeof never) < 0;
    } else if (!failed) {
        int never = IPV6_PMTUDISC_DONT;
        failed = setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &never, sizeof never) < 0
            || pexip_enable(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO) < 0
            || pexip_enable(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT) < 0;
    }
    return failed ? pexip_close_failed(fd) : fd;
}

// Sends one datagram: the header's bytes, then the padding's. The stack adds the IP header and
// fragments what exceeds the MTU. hop_limit 0 means the default.
static inline ssize_t pexip_send_raw(
    int fd, int family, const uint8_t *source, const uint8_t *destination, int hop_limit,
    const uint8_t *header, size_t header_length, const uint8_t *padding, size_t padding_length) {
    struct sockaddr_storage to;
    struct iovec parts[2] = {
        {(void *)header, header_length}, {(void *)padding, padding_length}};
    union {
        char bytes[128];
        struct cmsghdr aligned;
    } control;
    memset(&control, 0, sizeof control);
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_name = &to;
    message.msg_namelen = pexip_socket_address(&to, family, destination, 0);
    message.msg_iov = parts;
    message.msg_iovlen = padding_length > 0 ? 2 : 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;

    size_t used = 0;
    struct cmsghdr *item = CMSG_FIRSTHDR(&message);
    if (family == AF_INET) {
        struct in_pktinfo info;
        memset(&info, 0, sizeof info);
        memcpy(&info.ipi_spec_dst, source, 4);
        item->cmsg_level = IPPROTO_IP;
        item->cmsg_type = IP_PKTINFO;
        item->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(item), &info, sizeof info);
        used += CMSG_SPACE(sizeof info);
    } else {
        struct pexip_in6_pktinfo info;
        memset(&info, 0, sizeof info);
        memcpy(&info.address, source, 16);
        item->cmsg_level = IPPROTO_IPV6;
        item->cmsg_type = IPV6_PKTINFO;
        item->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(item), &info, sizeof info);
        used += CMSG_SPACE(sizeof info);
    }
    if (hop_limit > 0) {
        item = (struct cmsghdr *)(control.bytes + used);
        item->cmsg_level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
        item->cmsg_type = family == AF_INET ? IP_TTL : IPV6_HOPLIMIT;
        item->cmsg_len = CMSG_LEN(sizeof hop_limit);
        memcpy(CMSG_DATA(item), &hop_limit, sizeof hop_limit);
        used += CMSG_SPACE(sizeof hop_limit);
    }
    message.msg_controllen = used;
    ssize_t result;
    do {
        result = sendmsg(fd, &message, MSG_NOSIGNAL);
    } while (result < 0 && errno == EINTR);
    return result;
}

// Takes one packet without waiting (EAGAIN). A packet longer than the buffer is cut, its length
// is told all the same.
static inline int pexip_receive_raw(
    int fd, int family, uint8_t *buffer, size_t capacity, struct pexip_observed_packet *packet) {
    struct sockaddr_storage from;
    struct iovec part = {buffer, capacity};
    union {
        char bytes[256];
        struct cmsghdr aligned;
    } control;
    struct msghdr message;
    memset(&message, 0, sizeof message);
    memset(packet, 0, sizeof *packet);
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    ssize_t length;
    do {
        length = recvmsg(fd, &message, MSG_DONTWAIT | MSG_TRUNC);
    } while (length < 0 && errno == EINTR);
    if (length < 0) return -1;
    packet->length = (size_t)length;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
        if (item->cmsg_level == SOL_SOCKET && item->cmsg_type == SO_RXQ_OVFL) {
            memcpy(&packet->lost, CMSG_DATA(item), sizeof packet->lost);
        } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
            memcpy(packet->destination, CMSG_DATA(item), 16);
        } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_HOPLIMIT) {
            memcpy(&packet->hop_limit, CMSG_DATA(item), sizeof packet->hop_limit);
        }
    }
    if (family == AF_INET6) {
        memcpy(packet->source, &((struct sockaddr_in6 *)&from)->sin6_addr, 16);
        return 0;
    }
    // An IPv4 raw socket delivers the IP header too.
    size_t header = length > 0 ? (size_t)(buffer[0] & 15) * 4 : 0;
    if (header < 20 || (size_t)length < header || capacity < header) {
        errno = EBADMSG;
        return -1;
    }
    packet->hop_limit = buffer[8];
    memcpy(packet->source, buffer + 12, 4);
    memcpy(packet->destination, buffer + 16, 4);
    packet->header_offset = header;
    packet->length = (size_t)length - header;
    return 0;
}

// A non-blocking TCP socket bound to an address and port (0: any). Closing it sends a reset, so
// that its ports can be used again at once.
static inline int pexip_tcp_socket(int family, const uint8_t *address, uint16_t port) {
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (fd < 0) return -1;
    struct linger reset = {1, 0};
    struct sockaddr_storage local;
    socklen_t length = pexip_socket_address(&local, family, address, port);
    if (pexip_any_address(fd, family) < 0
        || pexip_enable(fd, SOL_SOCKET, SO_REUSEADDR) < 0
        || setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) < 0
        || bind(fd, (struct sockaddr *)&local, length) < 0) {
        return pexip_close_failed(fd);
    }
    return fd;
}

static inline int pexip_connect(int fd, int family, const uint8_t *address, uint16_t port) {
    struct sockaddr_storage remote;
    socklen_t length = pexip_socket_address(&remote, family, address, port);
    return connect(fd, (struct sockaddr *)&remote, length);
}

// accept4(2) is behind _GNU_SOURCE.
static inline int pexip_accept(int fd) {
    return (int)syscall(SYS_accept4, fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

// The outcome of a non-blocking connect: 0, or the error number; -1 if it can't be asked for.
static inline int pexip_socket_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 ? -1 : error;
}

// Keeps the calling thread on the processor where it runs, so that all it sends goes through one
// processor's queue, in order. The former set of processors is put into `former`.
static inline int pexip_pin_to_processor(unsigned long *former, size_t bytes) {
    unsigned int processor = 0;
    unsigned long only[16] = {0};
    const size_t bits = 8 * sizeof only[0];
    memset(former, 0, bytes);
    if (syscall(SYS_sched_getaffinity, 0, bytes, former) < 0
        || syscall(SYS_getcpu, &processor, NULL, NULL) < 0) {
        return -1;
    }
    if (processor >= 16 * bits) {
        errno = ERANGE;
        return -1;
    }
    only[processor / bits] |= 1UL << (processor % bits);
    return (int)syscall(SYS_sched_setaffinity, 0, sizeof only, only);
}

static inline int pexip_unpin(const unsigned long *former, size_t bytes) {
    return (int)syscall(SYS_sched_setaffinity, 0, bytes, former);
}

// Makes the kernel forget every tracked connection of the namespace.
static inline int pexip_flush_conntrack(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0) return -1;
    struct {
        struct nlmsghdr header;
        struct nfgenmsg generic;
    } request;
    memset(&request, 0, sizeof request);
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    request.generic.nfgen_family = AF_UNSPEC;
    request.generic.version = NFNETLINK_V0;
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        char rest[256];
    } reply;
    if (send(fd, &request, sizeof request, 0) < 0) return pexip_close_failed(fd);
    ssize_t length = recv(fd, &reply, sizeof reply, 0);
    if (length < 0) return pexip_close_failed(fd);
    close(fd);
    if ((size_t)length < sizeof reply.header + sizeof reply.error
        || reply.header.nlmsg_type != NLMSG_ERROR) {
        errno = EBADMSG;
        return -1;
    }
    if (reply.error.error != 0) {
        errno = -reply.error.error;
        return -1;
    }
    return 0;
}

// Behind _GNU_SOURCE: descriptors from `first` on are closed in the started process.
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int first);
static inline int pexip_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

// Not everywhere in glibc's headers: a descriptor that is readable once the process ended...
static inline int pexip_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

// ...and a file that exists in memory only, closed on exec.
static inline int pexip_memory_file(const char *name) {
    return (int)syscall(SYS_memfd_create, name, 1U /* MFD_CLOEXEC */);
}
#endif
