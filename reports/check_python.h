/* `glibctrace check`: an extension module of CPython, whose file name says for which Python it is (PEP 3149,
 * "x.cpython-311-x86_64-linux-gnu.so"): it takes from that Python what begins with Py, and no other Python looks for
 * it. */
#ifndef GLIBCTRACE_REPORTS_CHECK_PYTHON_H
#define GLIBCTRACE_REPORTS_CHECK_PYTHON_H

#include "check.h"

/* The file at PATH, if it is such a module and there is a Python on PATH: as check_file(), but as that Python would
 * import it. False: nothing is said of it. */
bool check_python_module(const struct check_request *request, const char *path, struct report *report);

#endif
