#ifndef PEXIP_FW_FILES_H
#define PEXIP_FW_FILES_H
// What may be known of an open file. As in clinux.h: one line of reason each, -1 with errno on
// failure.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// O_PATH is declared behind _GNU_SOURCE: opens what a name in `directory` is, a symbolic link
// included, to be looked at and for nothing else; a directory only where that is wanted.
int clinux_open_entry(int directory, const char *name, bool wants_directory);

// The end of a symbolic link that ``clinux_open_entry`` opened; AT_EMPTY_PATH and its kind are
// declared behind _GNU_SOURCE. Not terminated.
ssize_t clinux_link_target(int link, char *buffer, size_t capacity);

// <sys/xattr.h> is left out of Glibc's overlay; and fgetxattr(2) refuses what O_PATH opened, which
// is asked by way of /proc/self/fd, the file that is open all the same.
ssize_t clinux_extended_attribute(int file, const char *name, void *buffer, size_t capacity);

// <sys/statfs.h> is left out of Glibc's overlay: the f_type of the file system that holds the file.
int clinux_file_system(int file, uint64_t *type);

// statx(2) is declared behind _GNU_SOURCE: 1 where the file is the root of a mount, else 0.
int clinux_is_mount_root(int file);

#endif
