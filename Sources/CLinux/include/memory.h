#ifndef PEXIP_FW_MEMORY_H
#define PEXIP_FW_MEMORY_H

// memfd_create(2) is declared behind _GNU_SOURCE; the new descriptor is close-on-exec.
int clinux_memory_file(const char *name);

// mallopt(3) is in <malloc.h>, which Glibc's overlay leaves out. One arena for all threads; without
// it each thread's first allocation maps one of its own.
void clinux_use_one_arena(void);

// Blocks of 128 KiB and more are mapped one by one, and unmapped when freed: set explicitly, the
// limit no longer grows with the largest block that was ever freed. The heap itself does not shrink
// with each block at its end, only to grow again with the next: see clinux_trim.
void clinux_return_large_blocks(void);

// Whole free pages of the heap go back to the kernel: malloc_trim(3).
void clinux_trim(void);

#endif
