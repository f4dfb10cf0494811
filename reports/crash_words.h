/* The crash record in words, for cause_crash.c: no sentences, clauses that stand in one. malloced strings are the
 * caller's. */
#ifndef GLIBCTRACE_REPORTS_CRASH_WORDS_H
#define GLIBCTRACE_REPORTS_CRASH_WORDS_H

#include "crash.h"
#include "model.h"
#include "text.h"

/* si_code of sigaction(2), where there is more to say than its name does; or NULL. */
const char *crash_code_words(int signal, int code);
/* "parse_line (main.c:12)", "libc.so.6+0x9d2f1" */
void crash_add_frame(struct text *text, const struct frame *frame);
/* "parse_line (main.c:12)", "libc.so.6+0x9d2f1, called from main (main.c:3)"; NULL where nothing is known. */
char *crash_place(const struct crash *crash);
/* "it read through a null pointer": what the program did. CRASH may be NULL; NULL where nothing is known. */
char *crash_what(const struct process *process, const struct crash *crash, int signal);
/* WHAT without the full stop at its end; NULL gives NULL. */
char *crash_without_stop(char *what);

#endif
