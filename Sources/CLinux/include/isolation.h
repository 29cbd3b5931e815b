#ifndef PEXIP_FW_ISOLATION_H
#define PEXIP_FW_ISOLATION_H
// Processes with fewer privileges, and descriptors passed between them. As in clinux.h: one line
// of reason each, -1 with errno on failure.
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// The CMSG_ macros do pointer arithmetic with casts. Sends `length` bytes, and `descriptor` unless
// it is -1; never SIGPIPE.
ssize_t clinux_send_descriptor(int socket, const void *bytes, size_t length, int descriptor);

// As above. 0 at the end; `*descriptor` is -1 or a new one, close-on-exec. A message is not taken that
// brings more than one (EBADMSG), was cut off (EMSGSIZE), or whose descriptor there is no room for
// (EMFILE): whatever came with it is closed.
ssize_t clinux_receive_descriptor(int socket, void *bytes, size_t capacity, int *descriptor);

// fork(2) is marked unavailable in Swift. Only for a process with one thread.
pid_t clinux_fork(void);

// posix_spawn_file_actions_addclosefrom_np is declared behind _GNU_SOURCE. Starts `program` with
// `descriptor` as its descriptor 3 and nothing above, all signals with their default effect and
// none blocked. Lists end with NULL.
int clinux_spawn(const char *program, char *const arguments[], char *const environment[],
                 int descriptor, pid_t *pid);

// No wrapper in glibc 2.31, and declared behind _GNU_SOURCE since.
int clinux_pidfd_open(pid_t pid);

// As above: a signal to the very process that the descriptor refers to.
int clinux_pidfd_signal(int process, int signal);

// waitpid(2)'s status is taken apart by macros: 0 and an exit status, or the signal that ended it.
int clinux_ending_signal(int status);
int clinux_exit_status(int status);

// SIG_IGN is a macro with a cast.
int clinux_ignore_signal(int signal);

// capset(2) has no wrapper in glibc, and prctl(2) is variadic. Each concerns the calling thread:
// permitted and effective capabilities become `kept` (bits by number) where the thread has them,
// inheritable and ambient ones go, and the bounding set as well where CAP_SETPCAP allows that. Where
// a sandbox forbids capset(2), that is an error only if it was needed: inheritable capabilities give
// nothing to a program that has no capabilities of its own.
int clinux_reduce_capabilities(uint64_t kept);

// execve(2) with these descriptors staying open; -1 where it fails, with everything as before.
int clinux_execute(const char *program, char *const arguments[], char *const environment[],
                   const int descriptors[], size_t count);

// fcntl(2) is variadic: FD_CLOEXEC.
int clinux_keep_to_this_program(int descriptor);

// prctl(2) is variadic: PR_SET_NO_NEW_PRIVS, for this thread and what it starts.
int clinux_forbid_new_privileges(void);

// prctl(2) is variadic: PR_SET_NAME, at most 15 bytes.
int clinux_set_name(const char *name);

// prctl(2) is variadic: PR_SET_PDEATHSIG, when the thread ends that made this process.
int clinux_end_with_parent(int signal);

#endif
