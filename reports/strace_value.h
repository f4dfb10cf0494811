/* Values as strace prints them, back into what they were. */
#ifndef GLIBCTRACE_REPORTS_STRACE_VALUE_H
#define GLIBCTRACE_REPORTS_STRACE_VALUE_H

#include "text.h"

#include <stdint.h>

/* Adds what the string at P, which begins with a quote, stands for to OUT; *CUT: strace has left out its end. Returns
 * what is behind it; NULL where P is no string. */
const char *strace_string(const char *p, struct text *out, bool *cut);
/* "3</etc>", "0x1f", "AT_FDCWD", "O_RDONLY|O_CLOEXEC", "{flags=CLONE_VM|…}": the number; unknown names are 0. */
uint64_t strace_number(const char *p);
/* "3</etc>", "AT_FDCWD</tmp>": adds the path to OUT; false: there is none. */
bool strace_annotation(const char *p, struct text *out);
/* As event_syscall.result has an address: "unix:/run/x", "127.0.0.1:80"; false: none of those. */
bool strace_address(const char *p, struct text *out);

#endif
