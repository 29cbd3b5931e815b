// Sends numbered packets of several flows without a pause, and counts which arrive.
//
// usage: packet-stream NAMESPACE NAMESPACE < COMMANDS
//
// Its sockets are in the two network namespaces (names below /run/netns), itself in none of both.
// Sender and receiver are one thread: over veth a packet has passed all hooks when it is sent, so
// what arrives is known at once, and no queue on the way grows. Commands are lines:
//
//   flow END PROTOCOL SOURCE FIRST-PORT PORTS DESTINATION PORT KIND
//                 END is 0 or 1, the namespace that sends; PROTOCOL udp or tcp, whose packets are
//                 SYNs; source ports go round; KIND is new, or answered: the first packet gets an
//                 answer, so that connection tracking calls the flow established
//   start         sends until the next command comes
//   stop          waits for what is still under way, and tells what was counted since `start`:
//                 `FLOW SENT ARRIVED REFUSED LONGEST-GAP` for each flow, then `done DROPPED`, where
//                 DROPPED is what queues lost for want of room, which no rule did
//
// Each command is answered by `done` or ends the program with a complaint.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78 // hidden by glibc 2.36
#endif

enum { max_flows = 32, max_receivers = 64, receive_buffer = 32 << 20, magic = 0x70667374 };

// What a packet carries. Each field stands beside its complement, so that the checksum is the same
// whatever they are.
struct payload {
    uint32_t magic, flow;
    uint32_t number, not_number;
    uint16_t not_port, padding;
};

struct flow {
    int end, family, protocol, answered;
    uint16_t first_port, ports;
    struct sockaddr_storage destination;
    socklen_t destination_length;
    unsigned char packet[128];
    size_t length, transport;
    uint64_t sent, arrived, refused, longest;
    uint32_t next, expected; // numbers of the next packet to send and to arrive
};

struct receiver {
    int socket, family, protocol;
    struct sockaddr_storage address;
    uint32_t dropped, dropped_before;
};

static struct flow flows[max_flows];
static struct receiver receivers[max_receivers];
static unsigned flow_count, receiver_count;
static int namespaces[2], senders[2][2]; // by end, and by family: 0 IPv4, 1 IPv6

static void fail(const char *format, ...) {
    int error = errno;
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "packet-stream: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, error ? ": %s\n" : "\n", strerror(error));
    exit(1);
}

static void enter(int end) {
    if (setns(namespaces[end], CLONE_NEWNET) < 0) fail("setns");
}

static int open_socket(int end, int family, int type, int protocol) {
    enter(end);
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);
    if (fd < 0) fail("socket");
    return fd;
}

static void set(int fd, int level, int option, int value) {
    if (setsockopt(fd, level, option, &value, sizeof value) < 0) {
        fail("setsockopt %d %d", level, option);
    }
}

static socklen_t address(struct sockaddr_storage *storage, const char *text, int port) {
    memset(storage, 0, sizeof *storage);
    struct sockaddr_in *v4 = (struct sockaddr_in *)storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)storage;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        return sizeof *v4;
    }
    errno = 0;
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1) fail("`%s` is no address", text);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)port);
    return sizeof *v6;
}

static uint32_t sum(uint32_t total, const void *bytes, size_t length) {
    const unsigned char *byte = bytes;
    for (size_t i = 0; i + 1 < length; i += 2) total += (uint32_t)(byte[i] << 8 | byte[i + 1]);
    return total;
}

static void put16(unsigned char *bytes, uint16_t value) {
    value = htons(value);
    memcpy(bytes, &value, sizeof value);
}

// The whole packet with its checksums, for the number 0 and the first source port.
static void build(struct flow *flow, unsigned index, const struct sockaddr_storage *source) {
    int is_tcp = flow->protocol == IPPROTO_TCP;
    size_t header = is_tcp ? 20 : 8, body = header + sizeof(struct payload);
    unsigned char *ip = flow->packet;
    const void *from, *to;
    size_t width;
    if (flow->family == AF_INET) {
        from = &((const struct sockaddr_in *)source)->sin_addr;
        to = &((const struct sockaddr_in *)&flow->destination)->sin_addr;
        width = 4;
        flow->transport = 20;
        ip[0] = 0x45;
        put16(ip + 2, (uint16_t)(20 + body));
        ip[6] = 0x40; // don't fragment
        ip[8] = 64;
        ip[9] = (unsigned char)flow->protocol;
        memcpy(ip + 12, from, 4);
        memcpy(ip + 16, to, 4); // the kernel fills in the header's checksum
    } else {
        from = &((const struct sockaddr_in6 *)source)->sin6_addr;
        to = &((const struct sockaddr_in6 *)&flow->destination)->sin6_addr;
        width = 16;
        flow->transport = 40;
        ip[0] = 0x60;
        put16(ip + 4, (uint16_t)body);
        ip[6] = (unsigned char)flow->protocol;
        ip[7] = 64;
        memcpy(ip + 8, from, 16);
        memcpy(ip + 24, to, 16);
    }
    unsigned char *transport = ip + flow->transport;
    const struct sockaddr_in *destination = (const struct sockaddr_in *)&flow->destination;
    put16(transport, flow->first_port);
    memcpy(transport + 2, &destination->sin_port, 2); // at the same place in both families
    if (is_tcp) {
        transport[12] = 5 << 4;
        transport[13] = 2; // SYN
        put16(transport + 14, 64240);
    } else {
        put16(transport + 4, (uint16_t)body);
    }
    struct payload payload = {htonl(magic), htonl(index), 0, 0xffffffff,
                              htons((uint16_t)~flow->first_port), 0};
    memcpy(transport + header, &payload, sizeof payload);
    uint32_t total = (uint32_t)(flow->protocol + (int)body);
    total = sum(sum(total, from, width), to, width);
    total = sum(total, transport, body);
    while (total >> 16) total = (total & 0xffff) + (total >> 16);
    put16(transport + (is_tcp ? 16 : 6), (uint16_t)~total);
    flow->length = flow->transport + body;
}

// What takes the flow's packets: bound UDP, since what no socket takes is answered by ICMP; a raw
// socket's copy of TCP.
static void receive_flow(const struct flow *flow) {
    int is_tcp = flow->protocol == IPPROTO_TCP, end = !flow->end;
    for (unsigned i = 0; i < receiver_count; i++) {
        const struct receiver *other = &receivers[i];
        if (other->family == flow->family && other->protocol == flow->protocol
            && (is_tcp || !memcmp(&other->address, &flow->destination, sizeof other->address))) {
            return;
        }
    }
    errno = 0;
    if (receiver_count == max_receivers) fail("too many receivers");
    struct receiver *receiver = &receivers[receiver_count++];
    receiver->family = flow->family;
    receiver->protocol = flow->protocol;
    receiver->address = flow->destination;
    int fd = open_socket(end, flow->family, is_tcp ? SOCK_RAW : SOCK_DGRAM, flow->protocol);
    receiver->socket = fd;
    set(fd, SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer);
    set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
    if (flow->family == AF_INET) {
        set(fd, IPPROTO_IP, IP_FREEBIND, 1);
    } else {
        set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
    }
    if (is_tcp) return;
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(fd, (const struct sockaddr *)&flow->destination, flow->destination_length) < 0) {
        fail("bind");
    }
}

static void add_flow(const char *line) {
    char protocol[8], source[64], destination[64], kind[16];
    int end, first_port, ports, port;
    errno = 0;
    if (flow_count == max_flows) fail("too many flows");
    if (sscanf(line, "flow %d %7s %63s %d %d %63s %d %15s", &end, protocol, source, &first_port,
               &ports, destination, &port, kind) != 8
        || (end != 0 && end != 1) || ports < 1) {
        fail("what flow is `%s`?", line);
    }
    struct flow *flow = &flows[flow_count];
    struct sockaddr_storage from;
    flow->end = end;
    flow->protocol = strcmp(protocol, "tcp") ? IPPROTO_UDP : IPPROTO_TCP;
    flow->answered = !strcmp(kind, "answered");
    flow->first_port = (uint16_t)first_port;
    flow->ports = (uint16_t)ports;
    address(&from, source, 0);
    flow->destination_length = address(&flow->destination, destination, port);
    flow->family = flow->destination.ss_family;
    build(flow, flow_count++, &from);
    receive_flow(flow);
    int *sender = &senders[end][flow->family == AF_INET6];
    if (*sender <= 0) *sender = open_socket(end, flow->family, SOCK_RAW, IPPROTO_RAW);
}

static void send_packet(struct flow *flow) {
    uint32_t number = flow->next++;
    uint16_t port = (uint16_t)(flow->first_port + number % flow->ports);
    unsigned char *transport = flow->packet + flow->transport;
    struct payload *payload =
        (struct payload *)(flow->packet + flow->length - sizeof(struct payload));
    put16(transport, port);
    payload->not_port = htons((uint16_t)~port);
    payload->number = htonl(number);
    payload->not_number = ~payload->number;
    // A raw socket takes the port from the header; another one in the address is an error (IPv6).
    struct sockaddr_storage to = flow->destination;
    ((struct sockaddr_in *)&to)->sin_port = 0;
    flow->sent++;
    ssize_t result;
    do {
        result = sendto(senders[flow->end][flow->family == AF_INET6], flow->packet, flow->length, 0,
                        (struct sockaddr *)&to, flow->destination_length);
    } while (result < 0 && errno == EINTR);
    if (result >= 0) return;
    if (errno != EPERM) fail("sending");
    flow->refused++; // by a rule of the sender's output hook
}

static void count(const unsigned char *bytes, size_t length) {
    struct payload payload;
    if (length < sizeof payload) return;
    memcpy(&payload, bytes + length - sizeof payload, sizeof payload);
    uint32_t index = ntohl(payload.flow), number = ntohl(payload.number);
    if (payload.magic != htonl(magic) || index >= flow_count) return;
    struct flow *flow = &flows[index];
    flow->arrived++;
    if (number < flow->expected) return;
    if (number - flow->expected > flow->longest) flow->longest = number - flow->expected;
    flow->expected = number + 1;
}

// Takes what has arrived; how many packets.
static unsigned drain(void) {
    enum { batch = 16, room = 128 };
    static unsigned char bytes[batch][room];
    static union {
        char bytes[64];
        struct cmsghdr aligned;
    } control[batch];
    struct mmsghdr messages[batch];
    struct iovec parts[batch];
    unsigned taken = 0;
    for (unsigned i = 0; i < receiver_count; i++) {
        while (1) {
            for (int m = 0; m < batch; m++) {
                memset(&messages[m], 0, sizeof messages[m]);
                parts[m] = (struct iovec){bytes[m], room};
                messages[m].msg_hdr.msg_iov = &parts[m];
                messages[m].msg_hdr.msg_iovlen = 1;
                messages[m].msg_hdr.msg_control = &control[m];
                messages[m].msg_hdr.msg_controllen = sizeof control[m];
            }
            int got = recvmmsg(receivers[i].socket, messages, batch, MSG_DONTWAIT, NULL);
            if (got < 0) {
                if (errno == EAGAIN) break;
                if (errno == EINTR) continue;
                fail("receiving");
            }
            for (int m = 0; m < got; m++) {
                struct msghdr *header = &messages[m].msg_hdr;
                for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
                    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
                        memcpy(&receivers[i].dropped, CMSG_DATA(c), sizeof(uint32_t));
                    }
                }
                count(bytes[m], messages[m].msg_len);
            }
            taken += (unsigned)got;
            if (got < batch) break;
        }
    }
    return taken;
}

// Until nothing came for 20 ms.
static void settle(void) {
    const struct timespec pause = {0, 5 * 1000 * 1000};
    for (int quiet = 0; quiet < 4;) {
        nanosleep(&pause, NULL);
        quiet = drain() ? 0 : quiet + 1;
    }
}

// What the processors' backlogs dropped since boot.
static uint64_t backlog_drops(void) {
    FILE *file = fopen("/proc/net/softnet_stat", "r");
    if (!file) fail("/proc/net/softnet_stat");
    uint64_t total = 0;
    char line[512];
    while (fgets(line, sizeof line, file)) {
        unsigned dropped;
        errno = 0;
        if (sscanf(line, "%*x %x", &dropped) != 1) fail("softnet_stat: %s", line);
        total += dropped;
    }
    fclose(file);
    return total;
}

// Has an answered flow's first packet answered by who gets it.
static void answer(struct flow *flow) {
    for (unsigned i = 0; i < receiver_count; i++) {
        if (receivers[i].protocol != IPPROTO_UDP
            || memcmp(&receivers[i].address, &flow->destination, sizeof flow->destination)) {
            continue;
        }
        send_packet(flow);
        struct pollfd polled = {receivers[i].socket, POLLIN, 0};
        errno = 0;
        if (poll(&polled, 1, 2000) != 1) fail("the packet to be answered did not arrive");
        unsigned char bytes[128];
        struct sockaddr_storage from;
        socklen_t length = sizeof from;
        ssize_t got = recvfrom(receivers[i].socket, bytes, sizeof bytes, 0,
                               (struct sockaddr *)&from, &length);
        if (got < 0 || sendto(receivers[i].socket, "yes", 3, 0, (struct sockaddr *)&from, length) < 0) {
            fail("answering");
        }
        count(bytes, (size_t)got);
        return;
    }
    errno = 0;
    fail("only UDP can be answered");
}

static uint64_t drops_before;

static void begin(void) {
    settle();
    for (unsigned f = 0; f < flow_count; f++) {
        struct flow *flow = &flows[f];
        flow->sent = flow->arrived = flow->refused = flow->longest = 0;
        flow->next = flow->expected = 0;
        if (flow->answered) answer(flow);
    }
    for (unsigned i = 0; i < receiver_count; i++) {
        receivers[i].dropped_before = receivers[i].dropped;
    }
    drops_before = backlog_drops();
}

static uint64_t arrivals(void) {
    uint64_t total = 0;
    for (unsigned f = 0; f < flow_count; f++) total += flows[f].arrived;
    return total;
}

// Sends until a command comes. Softirqs may be put off to a thread of their own: where much less
// arrives than before, it gets the time.
static void stream(void) {
    struct pollfd polled = {STDIN_FILENO, POLLIN, 0};
    const struct timespec pause = {0, 200 * 1000};
    double share = 0; // of what is sent that arrives, in the last rounds
    uint64_t before = arrivals();
    while (poll(&polled, 1, 0) == 0) {
        unsigned sent = 0;
        for (int round = 0; round < 8; round++) {
            for (unsigned f = 0; f < flow_count; f++, sent++) send_packet(&flows[f]);
        }
        drain();
        uint64_t now = arrivals();
        if ((double)(now - before) < share * sent - 1) {
            nanosleep(&pause, NULL);
            drain();
            now = arrivals();
        }
        share = share * 0.9 + 0.1 * (double)(now - before) / sent;
        before = now;
    }
}

static void report(void) {
    settle();
    uint64_t dropped = backlog_drops() - drops_before;
    for (unsigned i = 0; i < receiver_count; i++) {
        dropped += receivers[i].dropped - receivers[i].dropped_before;
    }
    for (unsigned f = 0; f < flow_count; f++) {
        struct flow *flow = &flows[f];
        uint32_t last = flow->next - flow->expected;
        if (last > flow->longest) flow->longest = last;
        printf("%u %llu %llu %llu %llu\n", f, (unsigned long long)flow->sent,
               (unsigned long long)flow->arrived, (unsigned long long)flow->refused,
               (unsigned long long)flow->longest);
    }
    printf("done %llu\n", (unsigned long long)dropped);
}

int main(int count, char **arguments) {
    errno = 0;
    if (count != 3) fail("usage: packet-stream NAMESPACE NAMESPACE");
    for (int end = 0; end < 2; end++) {
        char path[256];
        snprintf(path, sizeof path, "/run/netns/%s", arguments[end + 1]);
        namespaces[end] = open(path, O_RDONLY | O_CLOEXEC);
        if (namespaces[end] < 0) fail("%s", path);
    }
    // One processor's queues keep the order.
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET((size_t)sched_getcpu(), &only);
    if (sched_setaffinity(0, sizeof only, &only) < 0) fail("sched_setaffinity");

    setvbuf(stdin, NULL, _IONBF, 0); // poll must see what was not read
    setvbuf(stdout, NULL, _IOLBF, 0);
    char line[512];
    while (fgets(line, sizeof line, stdin)) {
        if (!strncmp(line, "flow ", 5)) {
            add_flow(line);
            printf("done\n");
        } else if (!strcmp(line, "start\n")) {
            begin();
            printf("done\n");
            stream();
        } else if (!strcmp(line, "stop\n")) {
            report();
        } else {
            errno = 0;
            fail("what is `%s`?", line);
        }
    }
    return 0;
}
