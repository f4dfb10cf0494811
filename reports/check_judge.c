/* `glibctrace check`: the judges, asked of what was not run (check_parts.h). */
#include "check_parts.h"

#include "judge.h"
#include "syscall.h"

#include <probes/alloc.h>

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A process that is made up for FILE: its loader, or the kernel, ended it. */
struct made_up {
    const struct check_request *request;
    struct model *model;
};

enum { MADE_UP = 1, LOADER_STATUS = 127 };

static void tell(const struct made_up *made, struct event *event)
{
    event->n = made->model->events + 1;
    event->pid = event->tid = MADE_UP;
    event->root = made->request->root;
    model_event(made->model, event);
}

static void tell_start(const struct made_up *made, const char *exe, const char *const *argv, const struct elffile *elf)
{
    const struct image image = {
        .exe = exe,
        .argv = argv,
        .env = made->request->env,
        .cwd = made->request->cwd,
        .cred = {.uid = geteuid(), .gid = getegid()},
        .class = elf ? elf->class : ELFCLASS64,
        .machine = elf ? elf->machine : EM_X86_64,
        .secure = elf && elf->interp && check_is_secure(made->request, exe),
        .loader_base = 1,
        .loader_end = 2,
    };
    struct event event = {.type = EVENT_PROCESS, .process = {.what = PROCESS_START, .image = exe ? &image : NULL}};

    tell(made, &event);
}

static void tell_end(const struct made_up *made, int status, bool by_loader)
{
    struct event event = {
        .type = EVENT_PROCESS,
        .process = {.what = PROCESS_EXITING, .status = status << 8, .by_loader = by_loader},
    };

    tell(made, &event);
}

/* What the judges made of it goes to REPORT. Nothing of it has happened: there are no times and no numbers of events.
 */
static void take_causes(struct made_up *made, struct report *report)
{
    struct report *own = report_create();

    model_finish(made->model);
    judge_verdict(made->model, own);
    for (size_t i = 0; i < own->cause_count; i++) {
        own->causes[i]->pid = 0;
        own->causes[i]->seconds = -1;
        own->causes[i]->evidence_count = 0;
    }
    report_move_causes(own, report);
    strings_move(&own->unseen, &report->unseen);
    report_destroy(own);
    model_destroy(made->model);
}

static struct made_up make_up(const struct check_request *request)
{
    struct made_up made = {request, model_create()};

    made.model->guests = request->guests;
    made.model->at_end = judge_process;
    made.model->at_exec = judge_exec_over;
    return made;
}

/* An execve(2) of PATH, with the first word NAME, that is refused by ERROR. */
static void tell_refused(const struct made_up *made, const char *path, const char *name, int error)
{
    const char *const argv[] = {name, NULL};
    struct event event = {.type = EVENT_SYSCALL,
                          .syscall = {.desc = syscall_by_name("execve"),
                                      .string = path,
                                      .path = path,
                                      .argv = argv,
                                      .ret = -1,
                                      .error = error,
                                      .returned = true}};

    tell(made, &event);
}

void check_judge_execution(const struct check_request *request, const char *path, int error, struct report *report)
{
    struct made_up made = make_up(request);

    tell_start(&made, NULL, NULL, NULL);
    tell_refused(&made, path, path, error);
    tell_end(&made, LOADER_STATUS, false);
    take_causes(&made, report);
}

void check_tell_script(const char *path, const char *program, struct report *report)
{
    struct cause *cause = cause_create(CAUSE_SCRIPT_INTERPRETER_MISSING);

    cause->impact = IMPACT_FATAL;
    cause->confidence = 0.97;
    cause->seconds = -1;
    cause->subject = xstrdup(path);
    cause->missing = xstrdup(program);
    strings_add(&cause->chain, xstrdup(path));
    cause->summary = xasprintf("%s cannot be executed there: the program of its first line, %s, is not on that system.",
                               path_base(path), program);
    cause_fact(cause, "it needs", "%s   (its #! line)", program);
    cause->detail = xstrdup(cause->summary);
    cause_remedy(cause, PROOF_KNOWN, "install %s there, or name the right program in the first line of %s", program,
                 path_base(path));
    report_add_cause(report, cause);
}

/* As execvp(3) tries: each directory of PATH. */
static void tell_path_search(struct made_up *made, const char *name)
{
    const char *list = check_search_path(made->request);

    for (char *directory; (directory = path_list_next(&list)); free(directory)) {
        CLEANUP_FREE char *path = path_join(*directory ? directory : made->request->cwd, name);
        struct path_walk walk;

        path_walk(made->request->root, made->request->cwd, path, NULL, &walk);
        tell_refused(made, path, name, walk.error ? walk.error : EACCES);
        path_walk_deinit(&walk);
    }
}

/* As elf/rtld.c says it of LD_PRELOAD, and of LD_AUDIT; whose it is, the variables tell. */
static void tell_ignored(struct made_up *made, const char *name)
{
    CLEANUP_FREE char *said = xasprintf(
        "ERROR: ld.so: object '%s' from LD_PRELOAD cannot be preloaded (cannot open shared object file): ignored.\n"
        "ERROR: ld.so: object '%s' cannot be loaded as audit interface: cannot open shared object file; ignored.\n",
        name, name);
    struct event event = {.type = EVENT_OUTPUT,
                          .output = {.fd = 2, .data = said, .size = strlen(said), .by = BY_LOADER}};

    tell(made, &event);
}

/* Nobody has said them. */
static void drop_words(struct report *report, size_t first)
{
    for (size_t i = first; i < report->cause_count; i++) {
        free(report->causes[i]->words);
        report->causes[i]->words = NULL;
    }
}

/* As env(1) quotes it: the last character of one that ends with a carriage return is shown as \\r. */
static void tell_words(struct made_up *made, const char *env, const char *name)
{
    size_t n = strlen(name);
    bool carriage = n && name[n - 1] == '\r';
    CLEANUP_FREE char *said = xasprintf("%s: '%.*s%s': No such file or directory\n", env, (int)(carriage ? n - 1 : n),
                                        name, carriage ? "\\r" : "");
    struct event event = {.type = EVENT_OUTPUT, .output = {.fd = 2, .data = said, .size = strlen(said)}};

    tell(made, &event);
}

void check_judge_command(const struct check_request *request, const char *env, const char *name, const char *script,
                         struct report *report)
{
    struct made_up made = make_up(request);
    const struct elffile *elf = elffile_get(request->root, env);
    const char *const argv[] = {env, name, script, NULL};
    size_t first = report->cause_count;

    tell_start(&made, env, argv, elf);
    tell_path_search(&made, name);
    tell_words(&made, env, name);
    tell_end(&made, LOADER_STATUS, false);
    take_causes(&made, report);
    drop_words(report, first);
    elffile_put(elf);
}

void check_judge_loading(const struct check_request *request, const char *path, const char *loader,
                         const struct elffile *elf, struct report *report)
{
    struct made_up made = make_up(request);
    const char *const argv[] = {loader ? loader : path, loader ? path : NULL, NULL};
    size_t first = report->cause_count;

    made.model->ahead = loader ? AHEAD_LIBRARY : AHEAD_PROGRAM;
    tell_start(&made, argv[0], argv, elf);
    tell_end(&made, LOADER_STATUS, true);
    take_causes(&made, report);
    for (size_t i = first; loader && i < report->cause_count; i++)
        check_drop_asker(report->causes[i], loader);
}

/* The loader does without it, and says so; of one of another class, which is for other programs, a run tells nothing.
 */
static bool is_ignored(const struct fault *fault)
{
    const struct search *search = &fault->search;

    return fault->kind == FAULT_NOT_FOUND && fault->warning && fault->batch == 0 &&
           !(search->fault >= 0 && search->places[search->fault].state == CANDIDATE_WRONG_CLASS);
}

void check_judge_ignored(const struct check_request *request, const struct load *load, struct report *report)
{
    const struct object *program = load->objects[0];
    const char *const argv[] = {program->path, NULL};
    size_t first = report->cause_count, said = 0;
    struct made_up made;

    for (size_t i = 0; i < load->fault_count; i++)
        said += is_ignored(load->faults[i]);
    if (!said || load->family != LOADER_GLIBC)
        return;
    made = make_up(request);
    tell_start(&made, program->path, argv, program->elf);
    for (size_t i = 0; i < load->fault_count; i++)
        if (is_ignored(load->faults[i]))
            tell_ignored(&made, load->faults[i]->name);
    tell_end(&made, 0, false);
    take_causes(&made, report);
    drop_words(report, first);
}

void check_drop_asker(struct cause *cause, const char *asker)
{
    if (cause->chain.n < 2 || strcmp(cause->chain.v[0], asker) != 0)
        return;
    free(cause->chain.v[0]);
    memmove(cause->chain.v, cause->chain.v + 1, --cause->chain.n * sizeof *cause->chain.v);
}

#define OPENING_FAILS 0.95

void check_judge_opening(const struct check_request *request, const struct check_host *host, const char *path,
                         struct report *report)
{
    struct made_up made = make_up(request);
    size_t first = report->cause_count;
    const char *const argv[] = {host->path, NULL};
    struct event said = {.type = EVENT_LOADER,
                         .loader = {.what = LOADER_ERROR, .object = path, .outcome = LOADER_CAUGHT, .format = ""}};
    struct event call = {.type = EVENT_LOADER,
                         .loader = {.what = LOADER_CALL, .name = "dlopen", .file = path, .flags = RTLD_NOW}};

    tell_start(&made, host->path, argv, host->elf);
    tell(&made, &said);
    tell(&made, &call);
    tell_end(&made, LOADER_STATUS, false);
    take_causes(&made, report);
    /* what became of a failed dlopen is for a run to tell; that it fails is not in doubt */
    for (size_t i = first; i < report->cause_count; i++)
        if (report->causes[i]->confidence < OPENING_FAILS)
            report->causes[i]->confidence = OPENING_FAILS;
}
