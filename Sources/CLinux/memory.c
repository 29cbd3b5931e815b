#define _GNU_SOURCE
#include "memory.h"

#include <malloc.h>
#include <sys/mman.h>

int clinux_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

void clinux_use_one_arena(void) { mallopt(M_ARENA_MAX, 1); }

void clinux_return_large_blocks(void) {
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	mallopt(M_TRIM_THRESHOLD, 64 * 1024 * 1024);
}

void clinux_trim(void) { malloc_trim(0); }
