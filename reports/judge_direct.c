/* A loader that was run itself: "ld.so --library-path DIR PROGRAM" (ld.so(8); musl has the same options). The program
 * is then an argument, and the process's executable is the loader. */
#include "judge.h"

#include <string.h>

#include <probes/alloc.h>
#include <probes/libc.h>
#include <probes/path.h>

/* musl's loader is its C library, and Debian's link to it ends at "libc.so". */
static bool is_musl(const struct process *process, const struct elffile *elf)
{
    struct libc_identity identity;
    bool musl;

    if (!elf->dynamic || elf->interp || strncmp(path_base(process->exe), "libc.", 5) != 0)
        return false;
    libc_identify(process->root, process->exe, &identity);
    musl = strcmp(identity.family, "musl") == 0;
    libc_identity_deinit(&identity);
    return musl;
}

static bool is_loader(const struct process *process)
{
    const struct elffile *elf = elffile_get(process->root, process->exe);
    const char *soname = elf->soname ? elf->soname : "";
    bool loader = strncmp(soname, "ld-linux", 8) == 0 || strncmp(soname, "ld64", 4) == 0 ||
                  strncmp(soname, "ld.so", 5) == 0 || strncmp(path_base(process->exe), "ld-musl-", 8) == 0 ||
                  is_musl(process, elf);

    elffile_put(elf);
    return loader;
}

/* Options that take the next word; all others stand alone. */
static bool takes_word(const char *option)
{
    static const char *const names[] = {
        "--library-path",        "--preload", "--audit", "--argv0", "--inhibit-rpath", "--glibc-hwcaps-mask",
        "--glibc-hwcaps-prepend"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(option, names[i]) == 0)
            return true;
    return false;
}

bool direct_find(const struct process *process, struct direct *ret)
{
    const struct strings *argv = &process->argv;
    size_t i = 1;

    *ret = (struct direct){0};
    if (!process->exe || argv->n < 2 || !is_loader(process))
        return false;
    for (; i < argv->n && strncmp(argv->v[i], "--", 2) == 0; i++) {
        if (strcmp(argv->v[i], "--") == 0) {
            i++;
            break;
        }
        if (i + 1 < argv->n && strcmp(argv->v[i], "--library-path") == 0)
            ret->library_path = argv->v[i + 1];
        if (strncmp(argv->v[i], "--library-path=", 15) == 0)
            ret->library_path = argv->v[i] + 15;
        i += takes_word(argv->v[i]);
    }
    if (i >= argv->n)
        return false;
    ret->program =
        argv->v[i][0] == '/' ? xstrdup(argv->v[i]) : path_join(process->cwd ? process->cwd : "/", argv->v[i]);
    return true;
}

void direct_deinit(struct direct *direct)
{
    free(direct->program);
    free(direct->variable);
    *direct = (struct direct){0};
}

const char **direct_env(struct direct *direct, const char **env)
{
    size_t n = 0;

    if (!direct->library_path)
        return env;
    while (env[n])
        n++;
    env = xreallocarray(env, n + 2, sizeof *env);
    memmove(env + 1, env, (n + 1) * sizeof *env);
    env[0] = direct->variable = xasprintf("LD_LIBRARY_PATH=%s", direct->library_path); /* the first of a name counts */
    return env;
}

/* ld.so is a program of one machine, and takes programs of that machine only (elf_machine_matches_host() of glibc). */
static bool of_another_machine(const struct elffile *loader, const struct elffile *program)
{
    return loader->state == ELFFILE_OK && program->state == ELFFILE_OK &&
           (loader->class != program->class || loader->machine != program->machine);
}

void judge_direct(struct process *process, const struct direct *direct)
{
    const struct elffile *loader = elffile_get(process->root, process->exe);
    const struct elffile *program = elffile_get(process->root, direct->program);
    struct finding finding = {
        .process = process, .subject = process->exe, .path = direct->program, .call = "open", .elf = program};
    struct suspect *suspect = NULL;
    struct path_walk walk;
    bool found;

    path_walk(process->root, process->cwd, direct->program, process_cred(process), &walk);
    found = walk.reason != PATH_OK && judge_path_fault(&finding, &walk, direct->program);
    if (walk.reason == PATH_OK && of_another_machine(loader, program)) {
        finding.kind = CAUSE_WRONG_ARCHITECTURE;
        finding.missing = elffile_machine_name(loader);
        finding.provider = direct->program;
        found = true;
    }
    if (found)
        suspect = suspect_add(process, AT_START, &finding, process->end_n, process->end_ns);
    if (suspect) {
        suspect->certain = true;
        strings_add(&suspect->needles, xstrdup(direct->program));
        strings_add(&suspect->needles, xstrdup(path_base(direct->program)));
    }
    path_walk_deinit(&walk);
    elffile_put(loader);
    elffile_put(program);
}
