/* report.html in pieces: what each part of the page keeps of the trace while it is read, and writes when all is known.
 *
 * The page is read without a script, in its order: the causes, what was loaded, the processes on a time line, the
 * events that failed or are evidence, the system. With its script the events become one list of all that the page has,
 * to be filtered. Bounded in every part, whatever the trace holds; what was left out is said on the page. */
#ifndef GLIBCTRACE_REPORTS_PAGE_H
#define GLIBCTRACE_REPORTS_PAGE_H

#include "event.h"
#include "report.h"

#include <stdio.h>

/* page_assets.c: the style and the script, which stand in files of their own, and the policy that lets only these two
 * work: whatever else might be smuggled in is neither run nor fetched. SCRIPT: the page has events to list. */
void page_head(FILE *out, const char *title, bool script);
void page_foot(FILE *out, bool script);

/* page_cause.c: one cause, NUMBER from 1 (0: it is the only one); LINKED: the page has events. */
void page_cause(FILE *out, const struct report *report, const struct cause *cause, size_t number, bool linked);
/* The rest of the report: the reproduction, what was not it. */
void page_rest(FILE *out, const struct report *report);
/* page_system.c */
void page_system(FILE *out, const struct report *report);

/* page_objects.c: what each program had loaded, as a tree by who asked for what. */
struct page_objects;
struct page_objects *page_objects_create(void);
void page_objects_take(struct page_objects *objects, const struct event *event);
void page_objects_put(const struct page_objects *objects, const struct report *report, FILE *out);
void page_objects_destroy(struct page_objects *objects);

/* page_processes.c: the processes on a time line. */
struct page_processes;
struct page_processes *page_processes_create(const struct report *report);
void page_processes_take(struct page_processes *processes, const struct event *event);
void page_processes_put(struct page_processes *processes, FILE *out);
void page_processes_destroy(struct page_processes *processes);

/* page_events.c: the events. EVIDENCE is the report's. */
struct page_events;
struct page_events *page_events_create(const struct report *report);
void page_events_take(struct page_events *events, const struct event *event);
/* BROKEN: the trace could not be read to its end, in words; or NULL. */
void page_events_put(struct page_events *events, const char *broken, FILE *out);
void page_events_destroy(struct page_events *events);

/* Whether event N is evidence of a cause of REPORT. */
bool page_is_evidence(const struct report *report, uint64_t n);
/* The last name of ARGV0 or EXE, as a person calls the program. malloced. */
char *page_program(const char *exe, const char *const *argv);

#endif
