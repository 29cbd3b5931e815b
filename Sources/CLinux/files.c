#define _GNU_SOURCE
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
