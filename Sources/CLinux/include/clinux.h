#ifndef PEXIP_FW_CLINUX_H
#define PEXIP_FW_CLINUX_H
// What Glibc's Swift overlay hides: macros with casts, structures behind _GNU_SOURCE, and
// variadic calls. One line of reason for each. Results are those of the system call: -1 with
// errno on failure. The implementations are in clinux.c, so that no system header leaks from here.
#include <stdbool.h>
#include <sys/types.h>

// gettid(2) is declared behind _GNU_SOURCE.
pid_t clinux_gettid(void);

// accept4(2) is declared behind _GNU_SOURCE; the new descriptor is close-on-exec and non-blocking.
int clinux_accept(int listener);

// struct ucred of SO_PEERCRED is declared behind _GNU_SOURCE.
int clinux_peer_credentials(int socket, pid_t *pid, uid_t *uid, gid_t *gid);

// SO_PEERGROUPS is missing from Glibc's headers for some architectures; returns how many groups
// there are, of which at most `capacity` were written (none where they do not all fit).
int clinux_peer_groups(int socket, gid_t *groups, int capacity);

// struct sigaction hides its handler in a union, and the handler must be async-signal-safe, which
// Swift code is not: it writes the signal's number, one byte, to `pipe` (non-blocking).
int clinux_catch_signal(int signal, int pipe);

// flock(2) has the name of a structure, which hides it. Exclusively, and without waiting.
int clinux_lock_file(int file);

// pthread_create(3) wants a function of C. Whether so many threads can run beside those that do: 0, or
// the error's number; none is left.
int clinux_try_threads(int count);

// Back to SIG_DFL, a macro with a cast.
int clinux_restore_signal(int signal);

// getopt_long(3) is in <getopt.h>, which the overlay leaves out. The index of the option that comes
// next among `count` names, with its value or NULL; -1 where no more come, and then the index of the
// first operand in `*operand`; -2 where it is not understood, of which nothing is printed: then
// `*letter` is the one that is no short option, or 0 where the word before `*operand` is no long one.
// -h is short for "help". Operands may stand between options, and are moved behind them.
int clinux_next_option(int argc, char *const argv[], const char *const names[],
                       const bool takes_value[], int count, const char **value, int *operand,
                       int *letter);

#endif
