/* The judges: from what a process tried to why it failed.
 *
 * judge_process() runs while the process stands at its end (its root, links and modes are as it met them), makes
 * suspects of what went wrong and decides which of them did harm. judge_verdict() runs once at the end of the session:
 * it orders what is left into the report. One file a way of failing: judge_load.c (the dynamic loader), judge_exec.c
 * (execve), judge_open.c (the program's own files). What a kind of cause is called, how it reads and what helps is told
 * by cause_*.c, one file a kind or family of kinds, one row each in cause_descs[]. */
#ifndef GLIBCTRACE_REPORTS_JUDGE_H
#define GLIBCTRACE_REPORTS_JUDGE_H

#include "model.h"
#include "report.h"

struct maps;
struct told;

/* What a judge found out, before it is put in words. Everything is borrowed for the call. */
struct finding {
    enum cause_kind kind;
    const char *subject; /* absolute path of who makes the demand */
    const char *missing;
    const char *provider;          /* or NULL */
    const struct process *process; /* whose image failed */
    struct process *bearer;        /* who is to be told of in the cause, where it is not that one; or NULL */
    /* the loader's failures: */
    const struct load *load;
    const struct fault *fault;
    const struct candidate *place; /* the file that is wrong, or NULL */
    const struct object *shadow;   /* shadowed: the wrong copy */
    bool replaced;                 /* another file stands in the place of the one that was loaded */
    const char *elsewhere;         /* off-path: where it is; shadowed: the good copy */
    /* failures to execute or open: */
    const char *path; /* absolute, as asked for */
    const char *root; /* in which it was; NULL: the process's, which a child that calls chroot(2) has left */
    const char *call; /* name of the system call */
    int error;
    const struct path_walk *walk;
    const struct elffile *elf;
    const struct episode *episode; /* the search, on PATH or of the program's own, or NULL */
    const char *interpreter;       /* script or PT_INTERP */
    const struct crash *crash;     /* crash.h, or NULL */
    const char *server;            /* of a connection: as struct failure has it, or NULL */
    const struct lead *lead;       /* environment.h: the variable that led there, or NULL */
    const struct limit *limit;     /* limit.h, or NULL */
    const struct failure *failure; /* or NULL */
    /* module.h, or NULL: */
    const struct module_mismatch *mismatch;
    const char *contradicted; /* what was said by something else that was shown; or NULL */
    const char *said;         /* by words alone: the sentence that tells of it; or NULL */
};

struct cause_desc {
    enum cause_kind kind;
    /* Fills in summary, detail, facts, places, symbols, remedies and scenario. */
    void (*tell)(const struct finding *finding, struct cause *cause);
};
/* The row for KIND, never NULL for kinds that a judge may find. */
const struct cause_desc *cause_desc_of(enum cause_kind kind);

/* model.at_exec */
void judge_exec_over(struct model *model, struct process *process);
/* Part of it, at its end: what is known not to have ended PROCESS, where nothing explains it; to process->ruled_out. */
void judge_ruled_out(struct process *process);
/* model.at_end */
void judge_process(struct model *model, struct process *process);
/* Moves the causes out of the model into REPORT, most likely first, and says what was ruled out. */
void judge_verdict(struct model *model, struct report *report);

/* Part of judge_process(): */
/* As whom the command was to run that was never executed (-u). */
void judge_cred(const struct model *model, struct process *process);
/* The program of a process whose executable is a loader that was run itself, from its arguments. */
struct direct {
    char *program;            /* absolute */
    const char *library_path; /* --library-path, or NULL */
    char *variable;
};
bool direct_find(const struct process *process, struct direct *ret);
/* ENV (malloced) with --library-path in the place of LD_LIBRARY_PATH. */
const char **direct_env(struct direct *direct, const char **env);
void direct_deinit(struct direct *direct);
/* The loader that was run itself has ended the process: where it cannot have taken the program at all. */
void judge_direct(struct process *process, const struct direct *direct);
/* Part of judge_exec.c: what WALK, of PATH, ended with as a finding; false where it says nothing. */
bool judge_path_fault(struct finding *finding, const struct path_walk *walk, const char *path);
/* LIVE: the process is there, so that its mappings can be read. */
void judge_load(struct process *process, bool live);
/* Of a log that does not say, with the files at hand: *LOAD with the LD_LIBRARY_PATH that its loader's searches imply,
 * which becomes part of PROCESS; with whose eyes it searched; and the causes that the former has led to say so. */
void judge_assume_path(struct process *process, struct load **load);
const struct cred *judge_assume_cred(const struct process *process);
void judge_assumed_tell(const struct process *process);
/* Makes a suspect of FAULT, which LOAD has, under the name that it deserves. As suspect_add(). */
struct suspect *suspect_fault(struct process *process, enum suspicion at, const struct load *load,
                              const struct fault *fault, uint64_t n, uint64_t t_ns);
/* Whether FINDING's fault comes of parts of glibc that are of different builds: then it is named so. */
bool judge_skewed(struct finding *finding);
/* FAULT lies between ld.so and libc.so.6, but the loader was ended before it came to it, by a version that the program
 * asks of that libc.so.6: one change mends both. */
bool skew_is_hidden(const struct process *process, const struct load *load, const struct fault *fault);
/* Whether it comes of an object that is linked to the other C library. */
bool judge_family(struct finding *finding);
bool family_fault(const struct load *load, const struct fault *fault);
/* A fault of an object that is of the other family, as another fault shows: whatever else it lacks is no matter. */
bool family_covers(const struct load *load, const struct fault *fault);
/* The program was ended by a signal before it did anything, and ld.so and libc.so.6 are not of one build. */
void judge_skewed_crash(struct process *process, const struct load *load);
/* The newest line of PROCESS, since it failed, that complains of the library that SUSPECT is about, by its name or as
 * people call it ("libfoo" of libfoo.so.1); or NULL. */
const struct output_line *suspect_called(const struct process *process, const struct suspect *suspect);
/* PROCESS has said in LINE, which is of that library, that it goes on, or ended of something else that it said then. */
bool suspect_survived(const struct process *process, const struct suspect *suspect, const struct output_line *line);
/* PROCESS gives a reason for its end that is neither the symbol of ERROR nor the object that lacks it: java(1) asks one
 * library after the other for each native method, has none of them for some, and ends of something else. */
bool judge_ends_of_another(const struct process *process, const struct loader_error *error);
/* SUSPECT is about a dlopen of FILE that event N told of: whether anything came after it. */
void suspect_dlopen(struct suspect *suspect, const struct process *process, const char *file, uint64_t n);
/* The same by a log whose files are not at hand (PATH_NOWHERE). */
void judge_logged(struct process *process);
/* Of words alone, whose files are at hand (process->at_hand): FINDING as these show it. OWNED takes what it points
 * to, so many strings. */
size_t judge_beside(struct finding *finding, char *owned[2]);
/* PATH lies in a directory where every loader looks by itself. */
bool judge_is_searched(const char *path);
/* Tells of FINDING without looking at files, where there are none and its kind's own sentences would; false: they may
 * be used. */
bool judge_logged_tells(const struct finding *finding, struct cause *cause);
/* Parts of it (logged_copy.c). A copy of the library at PATH that would have done, and is not PATH; or NULL. */
const char *logged_copy(const struct process *process, const char *path);
/* A variable of PROCESS's, whose environment is in the log, has put the library at PATH first. */
bool logged_put_first(const struct process *process, const char *path);
/* PATH is a part of glibc that is not where the system has it: there are two. */
bool logged_second_libc(const struct process *process, const char *path);
/* Makes FINDING, of a symbol, one of the only library that a variable has put first, where there is one. */
void logged_only_put_first(struct finding *finding);
/* The mount that PATH most likely lies on; malloced. */
char *logged_mount(const struct process *process, const char *path);
/* How sure FINDING, of ERROR (or NULL), can be at most where the log does not have all that it takes; else 0. */
double logged_most(const struct process *process, const struct loader_error *error, const struct finding *finding);
/* The C library's own names, and its loader's. */
bool logged_libc_of_musl(const char *name);
bool logged_libc_of_glibc(const char *name);
/* NAME is not known to its end: the log has cut it. */
bool judge_logged_cut(const char *name);
/* Of a process of which its words alone are known. To be asked last. */
void judge_pasted(struct process *process);
/* The two names are of one library: other versions, other builds. */
bool judge_same_library(const char *a, const char *b);
/* What the program says in the loader's words, where nothing else was found; LOAD has all that was loaded. */
void judge_said(struct process *process, const struct maps *maps, const struct load *load);
/* A suspect of what the loader said, where the files agree; false where there is none. */
bool judge_told(struct process *process, const struct maps *maps, const struct load *load,
                const struct loader_error *error);
/* Nobody was harmed by ERROR by itself. */
bool judge_words_harmless(const struct process *process, const struct loader_error *error);
/* Gives the loader's errors to the suspects that they belong to, and, where LOAD is not NULL, makes suspects of those
 * that harm but belong to none. */
void judge_words(struct process *process, const struct maps *maps, const struct load *load);
/* A suspect of what the loader TOLD of a library whose file was replaced after it had been loaded; NULL where it was
 * not.
 */
struct suspect *judge_replaced(struct process *process, const struct maps *maps, const struct load *load,
                               const struct told *told, uint64_t n, uint64_t t_ns);
/* Says so where CAUSE's words, which are PROCESS's, say something else than what is wrong. */
void words_mislead(const struct process *process, struct cause *cause);
/* Whether the loader itself has named NAME (a file by its last component): FATAL: as what it ended the process for. */
bool process_told(const struct process *process, const char *name, bool fatal);
/* The failed dlopen in which the event N of thread TID lies, or NULL; and the error that it gave back, or NULL. */
const struct loader_call *call_of(const struct process *process, pid_t tid, uint64_t n);
const struct loader_error *error_of(const struct process *process, const struct loader_call *call);
/* OVER: an execve has just succeeded; only files that were refused as no executables (ENOEXEC) count. */
void judge_exec(struct process *process, bool over);
/* What PROCESS did in event N it did as a shell that reads as commands what the kernel has refused as no executable. */
bool judge_reads_machine_code(struct process *process, uint64_t n);
void judge_open(struct process *process);
/* Decides which of the suspects of PROCESS, from number FROM on, did harm. */
void judge_settle(struct process *process, size_t from);
/* What PROCESS failed at last, where nothing else explains its end and a log has cut what it said then. */
void judge_cut_off(struct process *process);
/* Of a log: what PROCESS began to say with LINE is not known to its end. */
bool judge_begins_cut(const struct process *process, const struct output_line *line);
/* Servers that were not reached. */
void judge_connections(const struct model *model, struct process *process);
void judge_rights(struct process *process);
/* The capability that FAILURE's call needs, where it was refused for the lack of it; or NULL. */
const char *judge_right_of(const struct failure *failure);
/* model.at_failure, model.at_words, model.at_leave: what can only be seen at that moment. */
void judge_failed_call(const struct process *process, struct failure *failure);
void judge_spoken(struct process *process, const struct event *event);
void judge_leaving(struct process *process);
/* Limits that PROCESS has met. */
void judge_limits(const struct model *model, struct process *process);
/* System calls that a seccomp policy, or a kernel that does not know them, has refused. */
void judge_policy(struct process *process);
/* The kernel's own code for call DESC never gives ERROR: where it comes from is a policy, whatever file it names. */
bool judge_policy_gives(const struct syscall_desc *desc, int error);
/* Sandboxes that could not start. */
void judge_sandbox(struct process *process);
/* FAILURE is about a user namespace. */
bool failure_is_namespace(const struct failure *failure);
/* And what PROCESS wanted of it is a sandbox, as far as is known. */
bool failure_is_sandbox(const struct process *process, const struct failure *failure);
/* Calls other than those on files by their name: what harm FAILURE, which SUSPECT is about, did by the order of things.
 */
void suspect_failure(struct suspect *suspect, const struct process *process, const struct failure *failure);
/* The words by which programs call errno ERROR. */
void suspect_needles(struct suspect *suspect, int error);
/* The stacks of what PROCESS, which stands at its end, is suspected of. */
void judge_stacks(const struct model *model, struct process *process);
/* The same for one that has just executed something, from what was unwound before. */
void judge_stacks_over(struct process *process);
/* The loader's errors that nobody was harmed by by themselves, as evidence for what the program itself says. */
void judge_words_said(struct process *process);
/* Which C library PROCESS runs on, in which kind of root: read while it is there (LIVE), else from its files. */
void judge_system(const struct model *model, struct process *process);
/* The report's "system": of the process that failed first, else of the first one. */
void report_fill_system(const struct model *model, struct report *report);
/* The signal that a program's own crash is told by, 0 where it has not crashed; *RET its record, or NULL. */
int crash_signal_of(const struct process *process, const struct crash **ret);
/* Another process sent it. */
bool crash_was_sent(const struct crash *crash);
/* A crash of PROCESS, where nothing else explains its end. To be asked last. */
void judge_crash(struct process *process);
/* Before that: suspects that a crash of PROCESS is known to come from become fatal, those that it does not come from do
 * not stay so. */
void judge_before_crash(const struct model *model, struct process *process);
/* Whether PATH is a file that the C library and common runtimes try and do without, whatever the program is. */
bool judge_open_optional(const char *path);
/* The line that says why, where LINE, of PROCESS (or NULL), is how libstdc++ or Rust begins its last words. *THROWN: it
 * is what the standard streams throw where a file cannot be opened or read, whatever it says. */
const struct output_line *judge_reason_of(const struct process *process, const struct output_line *line, bool *thrown);
/* ATTEMPT's error says something about the file. */
bool judge_open_fits(const struct attempt *attempt);
/* Makes a suspect of ATTEMPT, NULL where there is one. */
struct suspect *judge_open_blame(struct process *actor, const struct attempt *attempt);
/* The same, with ACTOR's own failure as ACTOR's, whoever tells of it; NULL also where it is no failure any more. */
struct suspect *judge_open_worker(struct process *actor, const struct attempt *attempt);
/* PROCESS, which stands at its end, may have told another one what it failed at: keeps the newest of that. */
void judge_untold(const struct model *model, struct process *process);
/* TELLER ended badly and names in its words what a process failed at that it started, directly or not, and that said
 * nothing of it itself: makes suspects of that, of TELLER's. Where WORKER is not NULL, of that one's only. */
void judge_workers(const struct model *model, struct process *teller, struct process *worker);
/* Whether the text of the shell that started PROCESS provides for its failure. */
bool judge_shell_provides(const struct process *process);
/* PROCESS is a shell that did not end badly, and its text provides for the command of SUSPECT. */
bool judge_shell_got_over(const struct process *process, const struct suspect *suspect, const char *words);
/* Whether PROGRAM, an absolute path, is a shell by its name. */
bool judge_is_shell(const char *program);
/* The stack of SUSPECT's event, of PROCESS, which stands at its end. */
void judge_stack_of(const struct model *model, struct process *process, const struct suspect *suspect);
/* Behind LINE PROCESS complains at last of something else than SUSPECT is about. */
bool suspect_left_behind(const struct process *process, const struct suspect *suspect, const struct output_line *line);
/* How sure that PROCESS, at its end, ended of the search SUSPECT (AT_COMMAND), which its words do not name. And for all
 * of a session, at its end: what came after such searches of which nothing was said. */
double judge_unsaid_command(const struct process *process, struct suspect *suspect);
void judge_unsaid(struct model *model);
/* The dlopens of a program that has no loader, LOAD being what is known of it. */
void judge_static(struct process *process, const struct load *load);
/* Where PROCESS has looked for a module that it did not find, to process->looked_in. */
void judge_looked_in(struct process *process);
/* ATTEMPT is at a file that has the name of a module, without an ending, that PROCESS says it did not find: what would
 * be there is none, or was only one of many places. */
bool judge_is_module(const struct process *process, const struct attempt *attempt);
/* A suspect of a module that PROCESS says it did not find, where it is seen why. */
bool judge_unfound(struct process *process);
/* A suspect of the file that PROCESS, at its end, was refused last, where it ended badly then without a word. */
void judge_unsaid_file(struct process *process);
/* A crash, if it is one, that SUSPECT led to. */
void judge_crash_after(struct process *process, struct suspect *suspect);
/* Fills in crash->gone, while the process stands. */
void judge_gone(const struct process *process, struct crash *crash);
/* The frames of the goroutine that panicked, from what was said: their number. frames_free(). And the innermost one in
 * words, or NULL; malloced. */
size_t go_frames(const struct process *process, struct frame **ret);
char *go_place(const struct process *process);
/* A version's name is the same in each part of a C library: libm.so.6 may lack it, and libc.so.6 too, for other
 * symbols. Whether CAUSE is such a one, of another library than PROVIDER (may be NULL). */
bool judge_asks_another(const struct cause *cause, const char *provider);
/* Makes a suspect of FINDING on the process whose image ACTOR runs; NULL where the same one is there already. */
struct suspect *suspect_add(struct process *actor, enum suspicion at, const struct finding *finding, uint64_t n,
                            uint64_t t_ns);
/* PROCESS's environment as a NULL-terminated array for load_request; free() the array, not the strings. */
const char **process_env_array(const struct process *process);

/* For cause_*.c: */
/* The root in which FINDING's paths are. */
const char *finding_root(const struct finding *finding);
/* The places of SEARCH in the cause's search list. */
void tell_search(struct cause *cause, const struct search *search);
/* "libm.so.6 is glibc 2.36" and the like: release of the C library that FILE belongs to, or NULL. malloced. */
char *tell_libc_of(const struct finding *finding, const char *file);
/* FILE's name is one of the C library's own. */
bool tell_of_libc(const char *file);
/* A LOAD scenario with the subject's stub; the program's stub needs it where it is not the program itself. Returns the
 * subject's. */
struct mini_object *tell_load_scenario(const struct finding *finding, struct cause *cause);
/* The same, with the library that the fault is about, which the subject needs, as its last object: returns that one's
 * stub. What is wrong with it is still to be set: its twin is mended as it is now. */
struct mini_object *tell_needed_scenario(const struct finding *finding, struct cause *cause);
/* An EXECUTE scenario of the subject, likewise. */
struct mini_object *tell_executed_scenario(const struct finding *finding, struct cause *cause);
/* The scenarios of a version and of a symbol that a library lacks, for kinds that come down to that. */
void cause_version_scenario(const struct finding *finding, struct cause *cause);
/* Undefined symbols of the subject that share the fate, FINDING's own first. */
void cause_symbol_others(const struct finding *finding, struct cause *cause);
void cause_symbol_scenario(const struct finding *finding, struct cause *cause);
void cause_version_tell(const struct finding *finding, struct cause *cause);
void cause_symbol_tell(const struct finding *finding, struct cause *cause);
void cause_library_tell(const struct finding *finding, struct cause *cause);
void cause_shadowed_tell(const struct finding *finding, struct cause *cause);
void cause_skew_tell(const struct finding *finding, struct cause *cause);
void cause_family_tell(const struct finding *finding, struct cause *cause);
void cause_interpreter_tell(const struct finding *finding, struct cause *cause);
void cause_architecture_tell(const struct finding *finding, struct cause *cause);
void cause_cpu_tell(const struct finding *finding, struct cause *cause);
void cause_refused_tell(const struct finding *finding, struct cause *cause);
void cause_corrupt_tell(const struct finding *finding, struct cause *cause);
void cause_link_tell(const struct finding *finding, struct cause *cause);
void cause_file_tell(const struct finding *finding, struct cause *cause);
void cause_permission_tell(const struct finding *finding, struct cause *cause);
void cause_sandbox_tell(const struct finding *finding, struct cause *cause);
void cause_policy_tell(const struct finding *finding, struct cause *cause);
void cause_limit_tell(const struct finding *finding, struct cause *cause);
void cause_crash_tell(const struct finding *finding, struct cause *cause);
/* UNLOADABLE: CAUSE is that the program could not be loaded, and the crash only how that showed. */
void tell_crash_after(const struct process *process, const struct crash *crash, int signal, bool unloadable,
                      struct cause *cause);
void cause_connect_tell(const struct finding *finding, struct cause *cause);
void cause_command_tell(const struct finding *finding, struct cause *cause);

#endif
