/* For the tests of the shadow loader: a scratch directory, programs made with cc, and the real loader as the judge. */
#ifndef GLIBCTRACE_TESTS_LOADBED_H
#define GLIBCTRACE_TESTS_LOADBED_H

#include <probes/alloc.h>
#include <probes/load.h>

#include <check.h>
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char bed[PATH_MAX]; /* the scratch directory, without links in its path; it is the working directory too */

static inline void bed_remove(void)
{
    CLEANUP_FREE char *command = xasprintf("chmod -R u+rwX '%s' 2>/dev/null; rm -rf '%s'", bed, bed);

    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(system(command), 0);
    elffile_forget_all();
}

static inline void bed_make(void)
{
    char name[] = "/tmp/glibctrace-bed-XXXXXX";

    ck_assert_ptr_nonnull(mkdtemp(name));
    ck_assert_ptr_nonnull(realpath(name, bed));
    ck_assert_int_eq(chmod(bed, 0755), 0);
    ck_assert_int_eq(chdir(bed), 0);
}

/* A shell command in the scratch directory; it must succeed. */
__attribute__((format(printf, 1, 2))) static inline void sh(const char *format, ...)
{
    va_list ap;
    char *command;

    va_start(ap, format);
    command = xvasprintf(format, ap);
    va_end(ap);
    ck_assert_msg(system(command) == 0, "failed: %s", command);
    free(command);
}

static inline void put_bytes(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static inline void put(const char *path, const char *text)
{
    put_bytes(path, text, strlen(text));
}

static inline unsigned char *get_bytes(const char *path, size_t *n)
{
    FILE *f = fopen(path, "r");
    unsigned char *bytes = NULL;

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
    *n = (size_t)ftell(f);
    rewind(f);
    bytes = xmalloc(*n);
    ck_assert_uint_eq(fread(bytes, 1, *n, f), *n);
    fclose(f);
    return bytes;
}

/* What the command says on both its outputs; *STATUS is its exit status, 128 + N for signal N. The sanitizers of the
 * test itself are not preloaded into it. */
static inline char *output_of(const char *command, int *status)
{
    CLEANUP_FREE char *both = xasprintf("exec 2>&1; %s", command);
    FILE *pipe = popen(both, "r");
    char *text = xstrdup("");
    size_t n = 0, got;
    char part[4096];

    ck_assert_ptr_nonnull(pipe);
    while ((got = fread(part, 1, sizeof part, pipe)) > 0) {
        text = xrealloc(text, n + got + 1);
        memcpy(text + n, part, got);
        text[n += got] = '\0';
    }
    int result = pclose(pipe);
    if (status)
        *status = WIFSIGNALED(result) ? 128 + WTERMSIG(result) : WEXITSTATUS(result);
    return text;
}

/* The shadow loader's view of PROGRAM (relative to the scratch directory), with ENV's settings (NULL-terminated). */
static inline struct load *load_with(const char *program, const char *const *env)
{
    CLEANUP_FREE char *path = program[0] == '/' ? xstrdup(program) : xasprintf("%s/%s", bed, program);
    struct load_request request = {.root = "", .program = path, .cwd = bed, .env = env};
    struct load *load;
    struct err err;

    ck_assert_msg(load_create(&request, &load, &err) == 0, "%s", err.text);
    return load;
}

/* dlopen(FILE, MODE) by the program. */
static inline size_t bed_dlopen(struct load *load, const char *file, int mode)
{
    return load_dlopen(load, &(struct load_open){.file = file, .mode = mode, .space = LOAD_SPACE_CALLER}, NULL);
}

static inline struct object *object_named(const struct load *load, const char *base)
{
    for (size_t i = 0; i < load->object_count; i++)
        if (!strcmp(path_base(load->objects[i]->path), base))
            return load->objects[i];
    return NULL;
}

static inline int bed_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

#endif
