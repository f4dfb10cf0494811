/* The files of a reproduction. Its scripts are in repro_script.c, what the stubs hold in repro_plan.c. */
#include "repro.h"

#include "repro_plan.h"
#include "repro_reduce.h"
#include "repro_script.h"
#include "repro_state.h"

#include <probes/alloc.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct writer {
    const struct plan *plan;
    int directory;
    struct repro *ret;
    struct err *err;
};

static int make_directory(struct writer *writer, const char *path)
{
    if (mkdirat(writer->directory, path, 0755) < 0 && errno != EEXIST)
        return err_errno(writer->err, errno, "cannot make the directory %s of the reproduction", path);
    return 0;
}

/* With all above it. */
static int make_directories(struct writer *writer, const char *path)
{
    for (const char *end = strchr(path, '/');; end = strchr(end + 1, '/')) {
        CLEANUP_FREE char *part = end ? xstrndup(path, (size_t)(end - path)) : xstrdup(path);

        if (make_directory(writer, part) < 0)
            return -1;
        if (!end)
            return 0;
    }
}

static int write_file(struct writer *writer, const char *path, const void *bytes, size_t size, mode_t mode)
{
    CLEANUP_CLOSE int fd = openat(writer->directory, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    size_t done = 0;

    if (fd < 0)
        return err_errno(writer->err, errno, "cannot write %s of the reproduction", path);
    while (done < size) {
        ssize_t n = write(fd, (const char *)bytes + done, size - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(writer->err, errno, "cannot write %s of the reproduction", path);
        done += (size_t)n;
    }
    /* Not left to the umask, which may be that of any user. */
    if (fchmod(fd, mode) < 0)
        return err_errno(writer->err, errno, "cannot set the mode of %s of the reproduction", path);
    writer->ret->bytes += size;
    return 0;
}

static int write_counted(struct writer *writer, const char *path, const void *bytes, size_t size, mode_t mode)
{
    writer->ret->files++;
    return write_file(writer, path, bytes, size, mode);
}

static int write_link(struct writer *writer, const char *path, const char *text)
{
    writer->ret->files++;
    if (symlinkat(text, writer->directory, path) < 0)
        return err_errno(writer->err, errno, "cannot make the link %s of the reproduction", path);
    return 0;
}

/* The target of a dangling link, malloced: a plain name next to it, so that nothing that some machine has can be behind
 * it; or, where that is the link's own name, one in a directory that is not there either. */
static char *dangling_text(const struct mini_object *object)
{
    const char *base = object->link_text ? path_base(object->link_text) : "";

    if (!repro_name_fits(base))
        return xstrdup("not-there");
    return strcmp(base, object->name) == 0 ? xasprintf("not-there/%s", base) : xstrdup(base);
}

/* Writes FILE's stub to PATH, with its defect where DEFECTIVE. */
static int write_object(struct writer *writer, const struct plan_file *file, const char *path, bool defective)
{
    /* Longer than an ELF header: the loader's words are "invalid ELF header", not "file too short". */
    static const char text[] =
        "# This is not an ELF file: it is a line of text where a program or a library should be.\n";
    const struct mini_object *object = file->object;
    bool executed = object->program;
    struct stub_file stub;
    CLEANUP_FREE unsigned char *bytes = NULL;
    mode_t mode = executed ? 0755 : 0644;

    if (defective && object->defect == MINI_EMPTY)
        return write_counted(writer, path, "", 0, mode);
    if (defective && object->defect == MINI_TEXT)
        return write_counted(writer, path, text, sizeof text - 1, mode);
    if (defective && object->defect == MINI_LOOP)
        return write_link(writer, path, path_base(path));
    if (defective && object->defect == MINI_DANGLING) {
        CLEANUP_FREE char *target = dangling_text(object);

        return write_link(writer, path, target);
    }
    if (file->here)
        return write_link(writer, path, ".");
    if (file->plain)
        return write_counted(writer, path, "", 0, 0644);
    if (stub_build(object, NULL, file->runpath, &stub, writer->err) < 0)
        return -1;
    bytes = stub.bytes;
    if (defective && object->defect == MINI_CUT && stub.size > 40)
        stub.size = 40; /* less than an ELF header of either class: "file too short" */
    if (defective && object->defect == MINI_NO_PERMISSION && executed)
        mode = 0644; /* binds root too: executing needs one x bit. Of libraries repro.sh takes the bits away */
    return write_counted(writer, path, bytes, stub.size, mode);
}

static int write_objects(void *ctx)
{
    struct writer *writer = ctx;
    const struct plan *plan = writer->plan;

    *writer->ret = (struct repro){0};
    for (size_t i = 0; i < plan->file_count; i++) {
        const struct plan_file *file = &plan->files[i];
        CLEANUP_FREE char *directory = path_dir(file->path);

        if (make_directories(writer, directory) < 0 || write_object(writer, file, file->path, !file->mended) < 0)
            return -1;
    }
    return 0;
}

/* The program that makes the failing call; MENDED: the one of control.sh, where that is another. */
static int build_caller(const struct plan *plan, bool mended, struct stub_file *ret, struct err *err)
{
    struct stub_call call = plan->call;

    call.serves = mended; /* the same program that listens to itself */
    return plan->scenario->way == SCENARIO_STATE ? repro_state_program(plan->scenario, mended, ret, err)
                                                 : stub_caller(&call, ret, err);
}

static int write_caller(struct writer *writer, bool mended)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", mended ? "mended" : "root", writer->plan->caller);
    CLEANUP_FREE unsigned char *bytes = NULL;
    struct stub_file stub;

    if (build_caller(writer->plan, mended, &stub, writer->err) < 0)
        return -1;
    bytes = stub.bytes;
    return write_counted(writer, path, bytes, stub.size, 0755);
}

/* Where control.sh has a program of its own that makes the call. */
static int write_mended_caller(struct writer *writer)
{
    if (writer->plan->scenario->way == SCENARIO_CONNECT && make_directory(writer, "mended/data") < 0)
        return -1;
    return write_caller(writer, true);
}

static int write_script_way(struct writer *writer)
{
    static const char good[] = "#!/bin/sh\nexit 0\n";
    const struct scenario *scenario = writer->plan->scenario;
    CLEANUP_FREE char *broken = NULL, *path = NULL, *mended = NULL;
    bool command = scenario->way == SCENARIO_COMMAND;
    const char *name = command ? scenario->command : scenario->script_name;
    const char *directory = command ? "/bin" : "";

    path = xasprintf("root%s/%s", directory, name);
    mended = xasprintf("mended%s/%s", directory, name);
    if (command && (make_directory(writer, "root/bin") < 0 || make_directory(writer, "mended/bin") < 0))
        return -1;
    if (!command) {
        size_t size = strlen(scenario->script_line);
        bool ended = size && scenario->script_line[size - 1] == '\n';

        broken = xasprintf("%s%sexit 0\n", scenario->script_line, ended ? "" : "\n");
        if (write_counted(writer, path, broken, strlen(broken), 0755) < 0)
            return -1;
    }
    return write_counted(writer, mended, good, sizeof good - 1, 0755);
}

static int write_scripts(struct writer *writer)
{
    CLEANUP_FREE char *repro = repro_script(writer->plan);
    CLEANUP_FREE char *control = repro_control_script(writer->plan);

    unlinkat(writer->directory, "repro.sh", 0); /* of a try before */
    unlinkat(writer->directory, "control.sh", 0);
    if (write_file(writer, "repro.sh", repro, strlen(repro), 0755) < 0)
        return -1;
    return write_file(writer, "control.sh", control, strlen(control), 0755);
}

/* The files as they are tried: the scripts are counted when all is done. */
static int write_try(void *ctx)
{
    struct writer *writer = ctx;
    int status = write_objects(writer);
    uint64_t bytes = writer->ret->bytes;

    if (status == 0)
        status = write_scripts(writer);
    writer->ret->bytes = bytes;
    return status;
}

static int reduce(struct plan *plan, const char *directory, const struct repro_judge *judge, struct writer *writer)
{
    CLEANUP_FREE char *real = realpath(directory, NULL);

    return real ? repro_reduce(plan, real, judge, write_try, writer) : 0;
}

int repro_write(const struct scenario *scenario, const char *directory, bool whole, const struct repro_judge *judge,
                struct repro *ret, struct err *err)
{
    CLEANUP_CLOSE int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct plan plan;
    struct writer writer = {.plan = &plan, .directory = fd, .ret = ret, .err = err};
    int status = -1;

    *ret = (struct repro){0};
    if (fd < 0)
        return err_errno(err, errno, "cannot open %s", directory);
    if (plan_make(scenario, &plan, err) == 0 && make_directory(&writer, "root") == 0 &&
        make_directory(&writer, "mended") == 0)
        status = write_objects(&writer);
    if (status == 0 && !whole && scenario->way == SCENARIO_LOAD)
        status = reduce(&plan, directory, judge, &writer);
    if (status == 0 && plan.caller)
        status = write_caller(&writer, false);
    if (status == 0 && (scenario->way == SCENARIO_CONNECT || scenario->way == SCENARIO_STATE))
        status = write_mended_caller(&writer);
    if (status == 0 && (scenario->way == SCENARIO_SCRIPT || scenario->way == SCENARIO_COMMAND))
        status = write_script_way(&writer);
    if (status == 0)
        status = write_scripts(&writer);
    plan_deinit(&plan);
    return status;
}
