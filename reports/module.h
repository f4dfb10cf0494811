/* Native modules that were built for another runtime, or another build of it (module-abi-mismatch): what the runtimes'
 * own words and the files say. Part of judge.h. */
#ifndef GLIBCTRACE_REPORTS_MODULE_H
#define GLIBCTRACE_REPORTS_MODULE_H

#include "judge.h"

struct module_mismatch {
    char *object; /* absolute path of the module, or NULL */
    char *wanted; /* what the runtime takes, as the contract spells it: "NODE_MODULE_VERSION 115"; or NULL */
    char *words;  /* where they are more than one line, or NULL */
    char *built;  /* what the module is for, or NULL */
    const char *helps, *command; /* what mends it, in words, and a command or NULL; constant */
    double sure;
};

/* The last file of the loader's that PROCESS opened whose name ends in ENDING, before event N; or NULL. */
const struct load_act *module_opened(const struct process *process, const char *ending, uint64_t n);
/* Whether LINE, of PROCESS, tells of such a mismatch; one file each for the runtimes. What is in RET is freed by
 * module_deinit(). */
bool module_node(const struct process *process, const struct output_line *line, struct module_mismatch *ret);
bool module_python(const struct process *process, const struct output_line *line, struct module_mismatch *ret);
bool module_go(const struct process *process, const struct output_line *line, struct module_mismatch *ret);
bool module_perl(const struct process *process, const struct output_line *line, struct module_mismatch *ret);
void module_deinit(struct module_mismatch *mismatch);
/* What PROCESS, a Python, takes ("cpython-311"), or NULL; malloced. */
char *module_python_abi(const struct process *process);

/* Suspects of PROCESS, which stands at its end; what the loader missed for such a reason is renamed. */
void judge_modules(struct process *process);
void cause_module_tell(const struct finding *finding, struct cause *cause);

#endif
