/* Debug information that is not installed: what a debuginfod client has fetched before, and its servers where the user
 * has named any in DEBUGINFOD_URLS (debuginfod-find(1)). Nobody is asked otherwise. It is asked by that program, which
 * can be ended when it takes too long. */
#ifndef GLIBCTRACE_PROBES_DEBUGINFOD_H
#define GLIBCTRACE_PROBES_DEBUGINFOD_H

/* A descriptor of the debug information for BUILD_ID (hexadecimal, small letters), or -1. Servers are waited for no
 * longer than *LEFT_MS, from which the time that it took is taken off. Whether the file is what it should be is the
 * caller's to check. */
int debuginfod_open(const char *build_id, unsigned *left_ms);

#endif
