#ifndef PEXIP_FW_MEMORY_FILE_H
#define PEXIP_FW_MEMORY_FILE_H

// memfd_create(2) is declared behind _GNU_SOURCE; the new descriptor is close-on-exec.
int clinux_memory_file(const char *name);

#endif
