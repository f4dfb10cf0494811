/* A signal in strace's words: what siginfo says, by sigaction(2). */
#ifndef GLIBCTRACE_REPORTS_LINE_SIGNAL_H
#define GLIBCTRACE_REPORTS_LINE_SIGNAL_H

#include "event.h"
#include "text.h"

/* "--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL} ---" */
void line_signal_add(const struct event_signal *signal, struct text *out);
/* "SEGV_MAPERR", or NULL where the kernel has no name. */
const char *line_signal_code(int signal, int code);

#endif
