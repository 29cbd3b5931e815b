#ifndef PEXIP_FW_CLINUX_H
#define PEXIP_FW_CLINUX_H
// What Glibc's Swift overlay hides: macros with casts, structures behind _GNU_SOURCE, and
// variadic calls. One line of reason for each.
#endif
