#define _GNU_SOURCE
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

int clinux_open_entry(int directory, const char *name, bool wants_directory) {
    return openat(directory, name,
                  O_PATH | O_NOFOLLOW | O_CLOEXEC | (wants_directory ? O_DIRECTORY : 0));
}

ssize_t clinux_link_target(int link, char *buffer, size_t capacity) {
    return readlinkat(link, "", buffer, capacity);
}

ssize_t clinux_extended_attribute(int file, const char *name, void *buffer, size_t capacity) {
    ssize_t length = fgetxattr(file, name, buffer, capacity);
    if (length != -1 || errno != EBADF) return length;
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    return getxattr(path, name, buffer, capacity);
}

int clinux_file_system(int file, uint64_t *type) {
    struct statfs status;
    if (fstatfs(file, &status) == -1) return -1;
    *type = (uint64_t)status.f_type;
    return 0;
}

int clinux_is_mount_root(int file) {
    struct statx status;
    if (statx(file, "", AT_EMPTY_PATH, 0, &status) == -1) return -1;
    return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}
