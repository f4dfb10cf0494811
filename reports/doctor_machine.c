/* What programs run on: the C library and its loader, the processor, the kernel, and in what all that is. */
#include "doctor_parts.h"

#include <probes/alloc.h>
#include <probes/cpu.h>
#include <probes/elffile.h>
#include <probes/libc.h>
#include <probes/load.h>
#include <probes/system.h>

#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>

enum { MINOR_WANTED = 18, MAJOR_WANTED = 4 }; /* Linux 4.18, that of RHEL 8: what VS Code's server asks for at least */

static bool is_libc(const struct object *object)
{
    const char *soname = object->elf->soname;

    return soname && (strcmp(soname, "libc.so.6") == 0 || strncmp(soname, "libc.musl-", 10) == 0);
}

/* Of this program, as it was called (getauxval(3)): in a root that has nothing else it has to do. */
static const char *own_path(void)
{
    const char *path = (const char *)getauxval(AT_EXECFN);

    return path && *path == '/' ? path : "/proc/self/exe";
}

/* The C library that the system's own programs are linked to, as the loader finds it without this user's variables: by
 * the first of some that every system has one of. */
static struct load *load_of_system(const char **program)
{
    const char *const programs[] = {"/bin/sh",       "/usr/bin/env",        "/bin/ls",    "/usr/bin/bash",
                                    "/bin/busybox",  "/usr/bin/coreutils",  "/sbin/init", "/bin/true",
                                    "/usr/bin/node", "/usr/local/bin/node", own_path()};
    struct load *load;

    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        const struct load_request request = {.root = "", .program = programs[i], .cwd = "/"};

        if (load_create(&request, &load, NULL) < 0)
            continue;
        *program = programs[i];
        if (load->interp)
            return load;
        load_destroy(load);
    }
    return NULL;
}

static const struct object *libc_of(const struct load *load)
{
    for (size_t i = 0; i < load->object_count; i++)
        if (load->family == LOADER_GLIBC && is_libc(load->objects[i]))
            return load->objects[i];
    return NULL;
}

static void tell_libc(struct doctor *doctor, const struct load *load, const char *program)
{
    const struct object *object = libc_of(load);
    const char *path = object ? object->path : load->family == LOADER_MUSL ? load->interp : NULL;
    struct libc_facts *facts = &doctor->report->libc;
    struct libc_identity libc;

    if (!path) {
        doctor_line(doctor, TABLE_BAD, "C library",
                    (struct doctor_line){xasprintf("%s finds none", program),
                                         xstrdup("install the system's C library again"), NULL});
        return;
    }
    libc_identify("", path, &libc);
    facts->family = xstrdup(libc.family);
    facts->version = xstrdup_or_null(libc.release);
    facts->build = xstrdup_or_null(libc.build);
    facts->path = xstrdup(path);
    facts->from = xasprintf("the banner in the file that the loader takes for %s", program);
    doctor_line(doctor, libc.release ? TABLE_GOOD : TABLE_WARNING, "C library",
                (struct doctor_line){
                    xasprintf("%s %s, %s%s%s%s", libc.family, libc.release ? libc.release : "of unknown release", path,
                              libc.build ? " (" : "", libc.build ? libc.build : "", libc.build ? ")" : ""),
                    libc.release ? NULL : xstrdup("nothing in the file says which release it is"), NULL});
    libc_identity_deinit(&libc);
}

/* glibc's ld.so and libc.so.6 belong together, to the very build (elf/dl-call-libc-early-init.c). */
static void tell_loader(struct doctor *doctor, const struct load *load)
{
    const struct elffile *elf = elffile_get("", load->interp);
    const char *libc = doctor->report->libc.build, *release = doctor->report->libc.version;
    struct libc_identity own;

    libc_identify("", load->interp, &own);
    if (elf->state != ELFFILE_OK)
        doctor_line(doctor, TABLE_BAD, "loader",
                    (struct doctor_line){xasprintf("%s cannot be used", load->interp),
                                         xstrdup("install the system's C library again"), NULL});
    else if (load->family == LOADER_GLIBC && own.build && libc && strcmp(own.build, libc) != 0)
        doctor_line(doctor, TABLE_BAD, "loader",
                    (struct doctor_line){xasprintf("%s is of %s, the C library of %s", load->interp, own.build, libc),
                                         xstrdup("both have to be of one build: install the C library's package again"),
                                         NULL});
    else
        doctor_line(doctor, TABLE_GOOD, "loader",
                    (struct doctor_line){own.release || !release
                                             ? xstrdup(load->interp)
                                             : xasprintf("%s (it does not say which release it is)", load->interp),
                                         NULL, NULL});
    libc_identity_deinit(&own);
    elffile_put(elf);
}

/* Another C library beside that of LOAD: programs for it start, and their modules do not fit. LOAD may be NULL: static
 * programs are all that the system has. False where there is no other. */
static bool tell_others(struct doctor *doctor, const struct load *load)
{
    static const char *const loaders[] = {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"};
    bool any = false;

    for (size_t i = 0; i < sizeof loaders / sizeof *loaders; i++) {
        bool musl = strstr(loaders[i], "musl") != NULL;
        struct libc_identity libc;
        struct stat st;

        if ((load && musl == (load->family == LOADER_MUSL)) || path_stat("", loaders[i], &st) < 0)
            continue;
        libc_identify("", loaders[i], &libc);
        any = true;
        doctor_line(
            doctor, TABLE_GOOD, load ? "second C library" : "C library",
            (struct doctor_line){xasprintf("%s%s%s, %s%s", musl ? "musl" : "glibc", libc.release ? " " : "",
                                           libc.release ? libc.release : "", loaders[i],
                                           load ? ": programs linked to it start as well, with modules of their "
                                                  "own"
                                                : ": none of this system's own programs uses it"),
                                 NULL, NULL});
        if (!load && !doctor->report->libc.family) {
            doctor->report->libc = (struct libc_facts){.family = xstrdup(musl ? "musl" : "glibc"),
                                                       .version = xstrdup_or_null(libc.release),
                                                       .build = xstrdup_or_null(libc.build),
                                                       .path = xstrdup(loaders[i]),
                                                       .from = xstrdup("the banner in the only loader that is there")};
        }
        libc_identity_deinit(&libc);
    }
    return any;
}

static void tell_processor(struct doctor *doctor)
{
    unsigned level = cpu_level();
    bool little = level == 1;

    if (!level)
        doctor_line(doctor, TABLE_PLAIN, "processor",
                    (struct doctor_line){xasprintf("%s", doctor->report->machine ? doctor->report->machine : "unknown"),
                                         NULL, NULL});
    else
        doctor_line(doctor, little ? TABLE_WARNING : TABLE_GOOD, "processor",
                    (struct doctor_line){xasprintf("x86-64-v%u", level),
                                         little
                                             ? xstrdup("builds for x86-64-v2 (RHEL 9's, and some add-ons) do not run "
                                                       "here; in a virtual machine: give it the host's processor")
                                             : NULL,
                                         NULL});
}

static void tell_kernel(struct doctor *doctor)
{
    const char *release = doctor->report->kernel;
    int major = 0, minor = 0;
    bool old;

    if (!release || sscanf(release, "%d.%d", &major, &minor) != 2)
        return;
    old = major < MAJOR_WANTED || (major == MAJOR_WANTED && minor < MINOR_WANTED);
    doctor_line(doctor, old ? TABLE_WARNING : TABLE_GOOD, "kernel",
                (struct doctor_line){
                    xasprintf("Linux %s", release),
                    old ? xstrdup("newer C libraries and VS Code's server want Linux 4.18 or newer") : NULL, NULL});
}

static void tell_system(struct doctor *doctor)
{
    CLEANUP_FREE char *manager = system_container("");
    const char *name = doctor->report->distribution, *context = doctor->report->context;
    CLEANUP_FREE char *where =
        strcmp(context, "host") != 0 ? xasprintf("in a %s%s%s", context, manager ? ", " : "", manager ? manager : "")
        : doctor_has_proc()          ? xstrdup("no mark of a container")
                                     : xstrdup("in a container or chroot or not: not known without /proc");

    doctor_line(
        doctor, TABLE_GOOD, "system",
        (struct doctor_line){xasprintf("%s, %s", name ? name : "of no name (no os-release)", where), NULL, NULL});
}

void doctor_machine(struct doctor *doctor)
{
    const char *program = NULL;
    struct load *load = load_of_system(&program);

    doctor_section(doctor, "machine", "This machine");
    tell_system(doctor);
    if (load) {
        tell_libc(doctor, load, program);
        tell_loader(doctor, load);
        tell_others(doctor, load);
        load_destroy(load);
    } else if (!tell_others(doctor, NULL)) {
        doctor->report->libc.family = xstrdup("none");
        doctor_line(doctor, TABLE_WARNING, "C library",
                    (struct doctor_line){xstrdup("none: no program of this system has a loader"),
                                         xstrdup("only static programs run here; install glibc or musl for the others"),
                                         NULL});
    }
    tell_processor(doctor);
    tell_kernel(doctor);
}
