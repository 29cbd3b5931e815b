#define _GNU_SOURCE
#include "isolation.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Room for one descriptor, aligned as a control message must be.
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

ssize_t clinux_send_descriptor(int socket, const void *bytes, size_t length, int descriptor) {
    struct iovec data = {(void *)bytes, length};
    union control control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    if (descriptor != -1) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof descriptor);
        memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL);
}

// Room for as many descriptors as the kernel takes in one message (SCM_MAX_FD), in one control
// message or several.
enum { most_descriptors = 253 };
union received_control {
    struct cmsghdr header;
    char bytes[most_descriptors * CMSG_SPACE(sizeof(int))];
};

ssize_t clinux_receive_descriptor(int socket, void *bytes, size_t capacity, int *descriptor) {
    struct iovec data = {bytes, capacity};
    union received_control control;
    struct msghdr message = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    *descriptor = -1;
    ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (length < 0) return length;
    int error = message.msg_flags & MSG_TRUNC    ? EMSGSIZE
                : message.msg_flags & MSG_CTRUNC ? EMFILE
                                                 : 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < count; index++) {
            int received;
            memcpy(&received, CMSG_DATA(header) + index * sizeof received, sizeof received);
            if (*descriptor == -1 && error == 0) {
                *descriptor = received;
            } else {
                close(received);
                if (error == 0) error = EBADMSG;
            }
        }
    }
    if (error == 0) return length;
    if (*descriptor != -1) close(*descriptor);
    *descriptor = -1;
    errno = error;
    return -1;
}

pid_t clinux_fork(void) { return fork(); }

int clinux_spawn(const char *program, char *const arguments[], char *const environment[],
                 int descriptor, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int error = posix_spawn_file_actions_adddup2(&actions, descriptor, 3);
    if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(&actions, 4);
    if (error == 0)
        error = posix_spawn(pid, program, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error == 0) return 0;
    errno = error;
    return -1;
}

int clinux_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int clinux_pidfd_signal(int process, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, process, signal, NULL, 0);
}

int clinux_ending_signal(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }

int clinux_exit_status(int status) { return WEXITSTATUS(status); }

int clinux_ignore_signal(int number) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_IGN;
    return sigaction(number, &action, NULL);
}

int clinux_reduce_capabilities(uint64_t kept) {
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return -1;
    // Up to the first number that this kernel does not know.
    for (unsigned long number = 0; prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; number++) {
        if (kept >> number & 1) continue;
        if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0 && errno != EPERM) return -1;
    }
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, data) != 0) return -1;
    int has_more = 0;
    for (int word = 0; word < _LINUX_CAPABILITY_U32S_3; word++) {
        uint32_t lost = ~(uint32_t)(kept >> (32 * word));
        has_more |= (data[word].permitted & lost) != 0;
        data[word].permitted &= ~lost;
        data[word].effective = data[word].permitted;
        data[word].inheritable = 0;
    }
    if (syscall(SYS_capset, &header, data) == 0) return 0;
    return has_more ? -1 : 0;
}

int clinux_execute(const char *program, char *const arguments[], char *const environment[],
                   const int descriptors[], size_t count) {
    for (size_t index = 0; index < count; index++)
        if (fcntl(descriptors[index], F_SETFD, 0) != 0) return -1;
    execve(program, arguments, environment);
    int error = errno;
    for (size_t index = 0; index < count; index++) fcntl(descriptors[index], F_SETFD, FD_CLOEXEC);
    errno = error;
    return -1;
}

int clinux_keep_to_this_program(int descriptor) {
    return fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

int clinux_forbid_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

int clinux_set_name(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }

int clinux_end_with_parent(int signal) { return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0); }
