#include "repro_state.h"

#include "repro_script.h"
#include "stub_calls.h"

#include <probes/alloc.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum {
    STEPS = 24,
    DESCRIPTORS = 8, /* the limit; 12 are asked for besides those that there are */
    NOBODY = 65534,
    SMALL = 4096,             /* bytes that one may have … */
    ROOM = 16 * SMALL,        /* … and that the mended one may */
    MEMORY = 4 << 20,         /* bytes of memory: far more than the program has, … */
    MEMORY_WANTED = 16 << 20, /* … and than it is allowed */
    WATCHES = 1,
    WATCHES_MENDED = 100,
};

/* What a program makes of a scenario, with what its steps point at. */
struct making {
    const struct scenario *scenario;
    bool mended;
    struct stub_step steps[STEPS];
    size_t count;
    int error;
    struct rlimit limit;
    struct sock_filter filter[4];
    char *file;
};

static struct stub_word number(uint64_t value)
{
    return (struct stub_word){.value = value};
}

static struct stub_word string(const char *text)
{
    return (struct stub_word){WORD_BYTES, strlen(text) + 1, text};
}

static const struct stub_word kept = {.is = WORD_KEPT};

static struct stub_step *step(struct making *making, long call, unsigned how)
{
    struct stub_step *added = &making->steps[making->count++];

    *added = (struct stub_step){.call = call, .how = how};
    return added;
}

/* Not in the mended program, which has the limit that it was started with. */
static void set_limit(struct making *making, int resource, rlim_t most)
{
    struct stub_step *set;

    if (making->mended)
        return;
    making->limit = (struct rlimit){most, most};
    set = step(making, SYS_prlimit64, 0);
    set->args[1] = number((uint64_t)resource);
    set->args[2] = (struct stub_word){WORD_BYTES, sizeof making->limit, &making->limit};
}

/* ---- one function a state ---- */

static void make_descriptors(struct making *making)
{
    set_limit(making, RLIMIT_NOFILE, DESCRIPTORS);
    for (int i = 0; i < DESCRIPTORS + 4; i++)
        step(making, SYS_dup, STEP_WATCHED)->args[0] = number(2);
    making->error = EMFILE;
}

static void make_memory(struct making *making)
{
    struct stub_step *map;

    set_limit(making, making->scenario->state == STATE_DATA ? RLIMIT_DATA : RLIMIT_AS, MEMORY);
    map = step(making, SYS_mmap, STEP_WATCHED);
    map->args[1] = number(MEMORY_WANTED);
    map->args[2] = number(PROT_READ | PROT_WRITE);
    map->args[3] = number(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
    map->args[4] = number((uint64_t)-1);
    making->error = ENOMEM;
}

/* The kernel sends SIGXFSZ (setrlimit(2)), which ends it. */
static void make_file_size(struct making *making)
{
    struct stub_step *made, *grown;

    set_limit(making, RLIMIT_FSIZE, SMALL);
    made = step(making, SYS_memfd_create, STEP_KEEP);
    made->args[0] = string("file");
    grown = step(making, SYS_ftruncate, STEP_WATCHED);
    grown->args[0] = kept;
    grown->args[1] = number(2 * SMALL);
    making->error = EFBIG;
}

/* The limit does not bind root (getrlimit(2)), so that it becomes nobody first. */
static void make_processes(struct making *making)
{
    struct stub_step *become = step(making, SYS_setresuid, STEP_ANY);

    for (int i = 0; i < 3; i++)
        become->args[i] = number(NOBODY);
    set_limit(making, RLIMIT_NPROC, 0);
    step(making, SYS_clone, STEP_WATCHED)->args[0] = number(SIGCHLD);
    making->error = EAGAIN;
}

/* The script has mounted a small file system there: filled up first, so that there is no room when the call fails. */
static void make_room(struct making *making)
{
    struct stub_step *made = step(making, SYS_openat, STEP_KEEP);

    making->file = xasprintf("%s/file", making->scenario->mount);
    made->args[0] = number((uint64_t)AT_FDCWD);
    made->args[1] = string(making->file);
    made->args[2] = number(O_CREAT | O_RDWR | O_CLOEXEC);
    made->args[3] = number(0600);
    for (uint64_t i = 0; i < 2; i++) {
        struct stub_step *grown = step(making, SYS_fallocate, i ? STEP_WATCHED : 0);

        grown->args[0] = kept;
        grown->args[2] = number(i * SMALL);
        grown->args[3] = number(SMALL);
    }
    making->error = ENOSPC;
}

/* The script has set a low number in a user namespace. */
static void make_watches(struct making *making)
{
    static const char *const directories[] = {".", "..", "/"};

    for (int i = 0; i < 3; i++) {
        struct stub_step *watch;

        if (i == 0 || making->scenario->state == STATE_INSTANCES)
            step(making, SYS_inotify_init1, STEP_KEEP | STEP_WATCHED)->args[0] = number(IN_CLOEXEC);
        if (making->scenario->state == STATE_INSTANCES)
            continue;
        watch = step(making, SYS_inotify_add_watch, STEP_WATCHED);
        watch->args[0] = kept;
        watch->args[1] = string(directories[i]);
        watch->args[2] = number(IN_MODIFY);
    }
    making->error = making->scenario->state == STATE_INSTANCES ? EMFILE : ENOSPC;
}

/* ---- refused by a policy ---- */

static const struct {
    const char *name;
    long call;
} calls[] = {
    {"bpf", SYS_bpf},
    {"clone", SYS_clone},
    {"clone3", SYS_clone3},
    {"execveat", SYS_execveat},
    {"fallocate", SYS_fallocate},
    {"fanotify_init", SYS_fanotify_init},
    {"inotify_init1", SYS_inotify_init1},
    {"io_uring_setup", SYS_io_uring_setup},
    {"keyctl", SYS_keyctl},
    {"memfd_create", SYS_memfd_create},
    {"mount", SYS_mount},
    {"openat2", SYS_openat2},
    {"perf_event_open", SYS_perf_event_open},
    {"pidfd_open", SYS_pidfd_open},
    {"statx", SYS_statx},
    {"unshare", SYS_unshare},
    {"userfaultfd", SYS_userfaultfd},
#ifdef SYS_faccessat2
    {"faccessat2", SYS_faccessat2},
#endif
#ifdef SYS_close_range
    {"close_range", SYS_close_range},
#endif
};

static long call_of_name(const char *name)
{
    for (size_t i = 0; name && i < sizeof calls / sizeof *calls; i++)
        if (strcmp(calls[i].name, name) == 0)
            return calls[i].call;
    return -1;
}

bool repro_state_knows(const char *name)
{
    return call_of_name(name) >= 0;
}

/* A filter (seccomp(2)) that answers ERROR to CALL, or ends who makes it where that is 0, and lets all others pass. */
static void put_policy(struct making *making, long call, int error)
{
    const struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, error ? SECCOMP_RET_ERRNO | (unsigned)error : SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct stub_step *set;

    if (making->mended)
        return;
    memcpy(making->filter, filter, sizeof filter);
    set = step(making, SYS_prctl, 0);
    set->args[0] = number(PR_SET_NO_NEW_PRIVS);
    set->args[1] = number(1);
    set = step(making, SYS_prctl, 0);
    set->args[0] = number(PR_SET_SECCOMP);
    set->args[1] = number(SECCOMP_MODE_FILTER);
    set->args[2] = (struct stub_word){WORD_FILTER, sizeof making->filter, making->filter};
}

/* The call without arguments that mean anything: what the kernel itself has to say to that is no matter. */
static void make_policy(struct making *making)
{
    long call = call_of_name(making->scenario->call);

    put_policy(making, call, making->scenario->error);
    step(making, call, STEP_WATCHED | STEP_LENIENT);
    making->error = making->scenario->error;
}

/* The mended one does without a namespace: whether there are any is the machine's matter. */
static void make_namespaces(struct making *making)
{
    put_policy(making, SYS_unshare, making->scenario->error);
    step(making, SYS_unshare, STEP_WATCHED)->args[0] = number(making->mended ? 0 : CLONE_NEWUSER);
    making->error = making->scenario->error;
}

/* ---- the program ---- */

static const struct {
    void (*make)(struct making *making);
    const char *cannot; /* what it says that it cannot do */
} states[] = {
    [STATE_DESCRIPTORS] = {make_descriptors, "open another file"},
    [STATE_ADDRESS_SPACE] = {make_memory, "get more memory"},
    [STATE_DATA] = {make_memory, "get more memory"},
    [STATE_FILE_SIZE] = {make_file_size, "write a longer file"},
    [STATE_PROCESSES] = {make_processes, "start another process"},
    [STATE_ROOM] = {make_room, "write the file"},
    [STATE_WATCHES] = {make_watches, "watch another directory with inotify"},
    [STATE_INSTANCES] = {make_watches, "make another inotify instance"},
    [STATE_POLICY] = {make_policy, "make the call"},
    [STATE_NAMESPACES] = {make_namespaces, "make user namespaces"},
};

int repro_state_program(const struct scenario *scenario, bool mended, struct stub_file *ret, struct err *err)
{
    struct making making = {.scenario = scenario, .mended = mended};
    const char *what = scenario->state == STATE_POLICY ? scenario->call : states[scenario->state].cannot;
    CLEANUP_FREE char *words = NULL;
    int status;

    states[scenario->state].make(&making);
    words = xasprintf("cannot %s%s: %s\n", scenario->state == STATE_POLICY ? "do without " : "", what,
                      strerrordesc_np(making.error ? making.error : ENOSYS));
    status = stub_calls_build(&(struct stub_calls){making.steps, making.count, making.error, 1, words}, ret, err);
    free(making.file);
    return status;
}

/* ---- what is around it ---- */

/* The limits of a user namespace's users are kept in it (namespaces(7), "The /proc/sys/user directory"). */
static void put_watches(FILE *out, const struct scenario *scenario, bool mended, const char *command)
{
    fprintf(
        out,
        "unshare -U -r true 2>/dev/null || {\n"
        "    echo 'this needs a user namespace of its own, to set a limit in: unshare -U -r does not work here' >&2\n"
        "    exit 125\n"
        "}\n"
        "exec unshare -U -r sh -c 'echo %d >/proc/sys/user/max_inotify_%s && exec \"$@\"' sh %s\n",
        mended ? WATCHES_MENDED : WATCHES, scenario->state == STATE_WATCHES ? "watches" : "instances", command);
}

void repro_state_put_command(FILE *out, const struct scenario *scenario, bool mended, const char *command)
{
    CLEANUP_FREE char *size = xasprintf("size=%d", mended ? ROOM : SMALL);

    if (scenario->state == STATE_WATCHES || scenario->state == STATE_INSTANCES)
        put_watches(out, scenario, mended, command);
    else if (scenario->state == STATE_ROOM)
        repro_script_mounted(out, scenario->mount, size, "", command);
    else
        fprintf(out, "exec %s\n", command);
}
