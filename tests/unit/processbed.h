/* For the tests of link maps and bindings: real programs that are up and wait, and a look at one. */
#ifndef GLIBCTRACE_TESTS_PROCESSBED_H
#define GLIBCTRACE_TESTS_PROCESSBED_H

#include "imagebed.h"
#include "loadbed.h"

#include <probes/linkmap.h>
#include <probes/proc.h>

#include <signal.h>

static char bed_sources[PATH_MAX]; /* the top of the sources: where the tests are started */

static inline bool bed_top(void)
{
    return getcwd(bed_sources, sizeof bed_sources) != NULL;
}

/* The directory of another release's files (tests/roots.sh), malloced. */
static inline char *root_of(const char *name)
{
    CLEANUP_FREE char *command = xasprintf("bash '%s'/tests/roots.sh %s", bed_sources, name);
    FILE *f = popen(command, "r");
    char root[PATH_MAX];

    ck_assert_ptr_nonnull(fgets(root, sizeof root, f));
    ck_assert_int_eq(pclose(f), 0);
    root[strcspn(root, "\n")] = '\0';
    return xstrdup(root);
}

struct running {
    pid_t pid;
    int out; /* its standard output */
    int in;
};

/* Starts ARGV and waits for its first byte of output; it then waits for input. */
static inline struct running start(char *const argv[])
{
    struct running r;
    int out[2], in[2];
    char c;

    ck_assert_int_eq(pipe(out), 0);
    ck_assert_int_eq(pipe(in), 0);
    r.pid = fork();
    if (r.pid == 0) {
        dup2(out[1], 1);
        dup2(in[0], 0);
        for (int fd = 3; fd < 64; fd++)
            close(fd);
        execv(argv[0], argv);
        _exit(127);
    }
    close(out[1]);
    close(in[0]);
    r.out = out[0];
    r.in = in[1];
    ck_assert_int_eq(write(r.in, "x\n", 2), 2);
    ck_assert_msg(read(r.out, &c, 1) == 1, "%s did not start", argv[0]);
    return r;
}

static inline void next_step(const struct running *r)
{
    char c;

    ck_assert_int_eq(write(r->in, "x\n", 2), 2);
    ck_assert_int_eq(read(r->out, &c, 1), 1);
}

static inline void finish(const struct running *r)
{
    kill(r->pid, SIGKILL);
    ck_assert_int_eq(waitpid(r->pid, NULL, 0), r->pid);
    close(r->out);
    close(r->in);
}

struct looked {
    pid_t pid;
    struct mem mem;
    struct proc_image image;
    struct linkmap map;
};

static inline void look(pid_t pid, struct looked *ret)
{
    struct auxv auxv;

    ret->pid = pid;
    ck_assert_int_eq(proc_image_read(pid, "", NULL, 0, &ret->image), 0);
    ret->mem = (struct mem){read_process, &ret->pid, ret->image.class == ELFCLASS32 ? 4 : 8};
    ck_assert_int_eq(auxv_read(pid, ret->mem.word_size, &auxv), 0);
    linkmap_init(&(struct linkmap_process){.pid = pid, .mem = &ret->mem, .exe = ret->image.exe}, &auxv, &ret->map);
    ck_assert(linkmap_update(&ret->map));
    ck_assert(!ret->map.damaged);
    ck_assert(ret->map.consistent);
}

static inline void look_away(struct looked *looked)
{
    linkmap_deinit(&looked->map);
    proc_image_deinit(&looked->image);
}

/* Runs TESTS, each in a directory of its own: what main() returns. */
static inline int bed_suite(const char *name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create("processes");
    SRunner *runner = srunner_create(suite);
    int failed;

    if (!bed_top())
        return 1;
    tcase_add_checked_fixture(tcase, bed_make, bed_remove);
    tcase_set_timeout(tcase, 120);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

#endif
