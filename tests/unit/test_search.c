/* Where the loader looks: every order and every kind of bad file is run under the real ld.so as well, and what it tried
 * (LD_DEBUG=libs) and whether it went on must be what the model says. */
#include "loadbed.h"

#include <elf.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static void make_programs(void)
{
    bed_make();
    put("x.c", "int x(void) { return 0; }\n");
    put("p.c", "int x(void); int main(void) { return x(); }\n");
    sh("mkdir A B C D; cc -shared -fPIC -o B/libx.so x.c -Wl,-soname,libx.so; cp B/libx.so good.so");
}

/* --- the order ------------------------------------------------------------------------------------------------- */

struct tried {
    char *paths[64];
    size_t count;
};

static bool parent_exists(const char *path)
{
    CLEANUP_FREE char *parent = path_dir(path);
    struct stat st;

    return !stat(parent, &st) && S_ISDIR(st.st_mode);
}

/* Only what stands in a directory that exists: the loader's hwcaps subdirectories mostly do not, and are not told. */
static void add_tried(struct tried *t, const char *path)
{
    CLEANUP_FREE char *whole = path_join(bed, path);

    for (size_t i = 0; i < t->count; i++) /* up to 2.36 some subdirectories are tried twice */
        if (!strcmp(t->paths[i], whole))
            return;
    if (parent_exists(whole) && t->count < 64)
        t->paths[t->count++] = steal_pointer(&whole);
}

static void tried_by_real(const char *command, const char *name, struct tried *ret)
{
    CLEANUP_FREE char *text = output_of(command, NULL);
    char *save = NULL;

    *ret = (struct tried){0};
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *path = strstr(line, "trying file=");

        path = path ? path + strlen("trying file=") : NULL;
        if (path && !strcmp(path_base(path), name))
            add_tried(ret, path);
    }
}

static void tried_by_model(const struct load *load, const char *name, struct tried *ret)
{
    const struct search *search = NULL;

    *ret = (struct tried){0};
    for (size_t i = 0; i < load->object_count; i++)
        if (load->objects[i]->search.name && !strcmp(load->objects[i]->search.name, name))
            search = &load->objects[i]->search;
    for (size_t i = 0; i < load->fault_count; i++)
        if (load->faults[i]->kind == FAULT_NOT_FOUND && !strcmp(load->faults[i]->name, name))
            search = &load->faults[i]->search;
    for (size_t i = 0; search && i < search->count; i++)
        add_tried(ret, search->places[i].path);
}

static char *shown(const struct tried *t)
{
    char *text = xstrdup("");

    for (size_t i = 0; i < t->count; i++) {
        char *longer = xasprintf("%s %s", text, t->paths[i]);

        free(text);
        text = longer;
    }
    return text;
}

static void tried_deinit(struct tried *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->paths[i]);
}

/* SETTING: "NAME=value" for the program. The list for NAME must be the same, and not shorter than AT_LEAST. */
static void same_order(const char *program, const char *setting, const char *name, size_t at_least)
{
    CLEANUP_FREE char *command = xasprintf("env LD_DEBUG=libs '%s' ./%s", setting, program);
    const char *env[] = {setting, NULL};
    struct tried real, model;
    struct load *load = load_with(program, env);

    tried_by_real(command, name, &real);
    tried_by_model(load, name, &model);

    CLEANUP_FREE char *real_text = shown(&real), *model_text = shown(&model);
    ck_assert_msg(!strcmp(real_text, model_text), "%s with %s:\n real  %s\n model %s", program, setting, real_text,
                  model_text);
    ck_assert_msg(real.count >= at_least, "%s with %s: only%s", program, setting, real_text);
    tried_deinit(&real);
    tried_deinit(&model);
    load_destroy(load);
}

START_TEST(rpath_before_library_path_before_runpath)
{
    sh("cc p.c -o rpath -LB -lx -Wl,--disable-new-dtags,-rpath,%s/C:%s/B", bed, bed);
    sh("cc p.c -o runpath -LB -lx -Wl,--enable-new-dtags,-rpath,%s/C:%s/B", bed, bed);
    sh("cc p.c -o none -LB -lx");
    same_order("rpath", "LD_LIBRARY_PATH=A:D", "libx.so", 2);
    same_order("runpath", "LD_LIBRARY_PATH=A:D", "libx.so", 4);
    same_order("rpath", "A=1", "libx.so", 2);
    same_order("runpath", "A=1", "libx.so", 2);
    same_order("none", "LD_LIBRARY_PATH=A:D", "libx.so", 5);
    same_order("none", "A=1", "libx.so", 3);
    same_order("none", "LD_LIBRARY_PATH=", "libx.so", 3);
    same_order("none", "LD_LIBRARY_PATH=:A", "libx.so", 5);
    same_order("none", "LD_LIBRARY_PATH=A;./B", "libx.so", 1);
    same_order("none", "LD_LIBRARY_PATH=A//:A:A/:B", "libx.so", 2);
}
END_TEST

/* y.so, loaded by the program's RPATH, needs libx.so: who passes what on? */
START_TEST(rpath_of_ancestors)
{
    put("y.c", "int x(void); int y(void) { return x(); }\n");
    put("q.c", "int y(void); int main(void) { return y(); }\n");
    sh("cc -shared -fPIC -o C/liby.so y.c -LB -lx -Wl,-soname,liby.so");
    sh("cc -shared -fPIC -o D/liby.so y.c -LB -lx -Wl,-soname,liby.so,--disable-new-dtags,-rpath,%s/A", bed);
    sh("mkdir E; cc -shared -fPIC -o E/liby.so y.c -LB -lx -Wl,-soname,liby.so,--enable-new-dtags,-rpath,%s/A", bed);
    for (const char *d = "CDE"; *d; d++) {
        sh("cc q.c -o old%c -L%c -ly -Wl,--disable-new-dtags,-rpath,%s/%c:%s/B,--allow-shlib-undefined", *d, *d, bed,
           *d, bed);
        sh("cc q.c -o new%c -L%c -ly -Wl,--enable-new-dtags,-rpath,%s/%c:%s/B,--allow-shlib-undefined", *d, *d, bed, *d,
           bed);
    }
    same_order("oldC", "A=1", "libx.so", 2);
    same_order("oldD", "A=1", "libx.so", 3);
    same_order("oldE", "A=1", "libx.so", 3); /* its RUNPATH makes it forget the program's RPATH */
    same_order("newC", "A=1", "libx.so", 3);
    same_order("newD", "LD_LIBRARY_PATH=A:B", "libx.so", 2);
    same_order("newE", "LD_LIBRARY_PATH=C:D:B", "libx.so", 3);
}
END_TEST

START_TEST(tokens)
{
    sh("mkdir -p sub/lib sub/bin 'lib/x86_64-linux-gnu' sub/x86_64; cp B/libx.so sub/lib/libx.so");
    sh("cc p.c -o sub/bin/prog -LB -lx -Wl,-rpath,'$ORIGIN/../nolib:${ORIGIN}/../lib'");
    sh("ln -s sub/bin/prog viewed");
    same_order("sub/bin/prog", "A=1", "libx.so", 1);
    same_order("viewed", "A=1", "libx.so", 1);
    sh("cc p.c -o tokens -LB -lx -Wl,-rpath,'$ORIGIN/$LIB:$ORIGIN/sub/$PLATFORM:$ORIGINAL/x:$NOTHING/y:$ORIGIN/A'");
    same_order("tokens", "A=1", "libx.so", 2);
    same_order("tokens", "LD_LIBRARY_PATH=$ORIGIN/B:C", "libx.so", 1);
}
END_TEST

START_TEST(hwcaps_subdirectories)
{
    sh("cc p.c -o none -LB -lx; mkdir -p A/glibc-hwcaps/x86-64-v2 A/glibc-hwcaps/x86-64-v3 A/tls A/x86_64 "
       "A/tls/x86_64");
    same_order("none", "LD_LIBRARY_PATH=A:B", "libx.so", 2);
    sh("cp B/libx.so A/glibc-hwcaps/x86-64-v2/");
    same_order("none", "LD_LIBRARY_PATH=A:B", "libx.so", 1);
}
END_TEST

/* A link to itself leaves the list that it stands in, not the whole search. */
START_TEST(loops_leave_the_list)
{
    sh("ln -s libx.so A/libx.so; cc p.c -o runpath -LB -lx -Wl,--enable-new-dtags,-rpath,%s/B", bed);
    same_order("runpath", "LD_LIBRARY_PATH=A:C:D", "libx.so", 2);
    sh("cc p.c -o none -LB -lx");
    same_order("none", "LD_LIBRARY_PATH=A:B", "libx.so", 3);
    sh("rm A/libx.so; mkdir A/libx.so");
    same_order("none", "LD_LIBRARY_PATH=A:B", "libx.so", 1);
}
END_TEST

START_TEST(no_default_directories)
{
    sh("cc p.c -o nodef -LB -lx -Wl,-z,nodefaultlib,-rpath,%s/A:%s/B", bed, bed);
    same_order("nodef", "A=1", "libx.so", 2);
    same_order("nodef", "A=1", "libc.so.6", 3);
}
END_TEST

/* --- bad files ------------------------------------------------------------------------------------------------- */

struct bad_file {
    const char *name;
    long offset, length; /* bytes of the good library that are replaced; offset -1: none */
    const char *bytes;
    long size; /* what is kept of the file; -1: all */
    enum candidate_state state;
    bool ends;
    const char *words; /* of the real loader, when it is the only one */
};

#define EHDR(field) offsetof(Elf64_Ehdr, field)
static const struct bad_file bad_files[] = {
    {"empty", -1, 0, NULL, 0, CANDIDATE_BAD_FILE, true, "A/libx.so: file too short"},
    {"20 bytes", -1, 0, NULL, 20, CANDIDATE_BAD_FILE, true, "A/libx.so: file too short"},
    {"63 bytes", -1, 0, NULL, 63, CANDIDATE_BAD_FILE, true, "A/libx.so: file too short"},
    {"only the header", -1, 0, NULL, 64, CANDIDATE_BAD_FILE, true, "A/libx.so: cannot read file data"},
    {"half the program headers", -1, 0, NULL, 200, CANDIDATE_BAD_FILE, true, "A/libx.so: cannot read file data"},
    {"segments cut", -1, 0, NULL, 4096, CANDIDATE_BAD_FILE, true, ""},
    {"magic", 0, 4, "text", -1, CANDIDATE_BAD_FILE, true, "A/libx.so: invalid ELF header"},
    {"class 32", EI_CLASS, 1, "\1", -1, CANDIDATE_WRONG_CLASS, false, "libx.so: wrong ELF class: ELFCLASS32"},
    {"class 9", EI_CLASS, 1, "\11", -1, CANDIDATE_WRONG_CLASS, false, "libx.so: wrong ELF class: ELFCLASS32"},
    {"class 32, cut", EI_CLASS, 1, "\1", 200, CANDIDATE_WRONG_CLASS, false, "libx.so: wrong ELF class: ELFCLASS32"},
    {"big endian", EI_DATA, 1, "\2", -1, CANDIDATE_WRONG_BYTE_ORDER, true, "data encoding not little-endian"},
    {"ident version", EI_VERSION, 1, "\0", -1, CANDIDATE_BAD_FILE, true, "ELF file version ident does not match"},
    {"FreeBSD", EI_OSABI, 1, "\11", -1, CANDIDATE_BAD_FILE, true, "ELF file OS ABI invalid"},
    {"GNU", EI_OSABI, 1, "\3", -1, CANDIDATE_FOUND, false, NULL},
    {"ABI version", EI_ABIVERSION, 1, "\1", -1, CANDIDATE_BAD_FILE, true, "ELF file ABI version invalid"},
    {"padding", EI_PAD, 1, "\1", -1, CANDIDATE_BAD_FILE, true, "nonzero padding in e_ident"},
    {"object file", EHDR(e_type), 2, "\1\0", -1, CANDIDATE_BAD_FILE, true, "only ET_DYN and ET_EXEC can be loaded"},
    {"core file", EHDR(e_type), 2, "\4\0", -1, CANDIDATE_BAD_FILE, true, "only ET_DYN and ET_EXEC can be loaded"},
    {"program", EHDR(e_type), 2, "\2\0", -1, CANDIDATE_BAD_FILE, true, "libx.so: cannot dynamically load executable"},
    {"aarch64", EHDR(e_machine), 2, "\267\0", -1, CANDIDATE_WRONG_MACHINE, false, "libx.so: cannot open shared object"},
    {"i386", EHDR(e_machine), 2, "\3\0", -1, CANDIDATE_WRONG_MACHINE, false, "libx.so: cannot open shared object file"},
    {"no machine", EHDR(e_machine), 2, "\0\0", -1, CANDIDATE_WRONG_MACHINE, false,
     "libx.so: cannot open shared object"},
    {"aarch64, cut", EHDR(e_machine), 2, "\267\0", 200, CANDIDATE_WRONG_MACHINE, false, "cannot open shared object"},
    {"version", EHDR(e_version), 1, "\7", -1, CANDIDATE_BAD_FILE, true, "ELF file version does not match current one"},
    {"phentsize", EHDR(e_phentsize), 2, "\40\0", -1, CANDIDATE_BAD_FILE, true, "phentsize not the expected size"},
    {"no segments", EHDR(e_phnum), 2, "\0\0", -1, CANDIDATE_BAD_FILE, true, "has no loadable segments"},
    {"too many segments", EHDR(e_phnum), 2, "\377\177", -1, CANDIDATE_BAD_FILE, true, "cannot read file data"},
    {"segments elsewhere", EHDR(e_phoff), 6, "\0\0\0\0\0\1", -1, CANDIDATE_BAD_FILE, true, "cannot read file data"},
};

static void write_bad(const struct bad_file *bad)
{
    size_t n;
    CLEANUP_FREE unsigned char *bytes = get_bytes("good.so", &n);

    if (bad->offset >= 0)
        memcpy(bytes + bad->offset, bad->bytes, (size_t)bad->length);
    sh("rm -rf A; mkdir A");
    put_bytes("A/libx.so", bytes, bad->size < 0 ? n : (size_t)bad->size);
}

static void check_place(const char *name, const struct search *search, enum candidate_state state, bool ends)
{
    const struct candidate *c = &search->places[0];

    ck_assert_msg(search->count > 0 && c->state == state && c->ends == ends, "%s: state %d, ends %d: %s", name,
                  c->state, c->ends, c->why);
    ck_assert_msg(c->why && *c->why, "%s: no reason", name);
}

/* First in the list with a good one behind it, then alone. The real loader must go on, or say WORDS, where we do. */
static void check_bad(const char *name, enum candidate_state state, bool ends, const char *words)
{
    const char *both[] = {"LD_LIBRARY_PATH=A:B", NULL}, *alone[] = {"LD_LIBRARY_PATH=A", NULL};
    int status;
    CLEANUP_FREE char *first = output_of("LD_LIBRARY_PATH=A:B ./none", &status);
    struct load *load = load_with("none", both);

    ck_assert_msg((status == 0) == (load->fault_count == 0), "%s before a good one: status %d, %s", name, status,
                  first);
    load_destroy(load);

    CLEANUP_FREE char *second = output_of("LD_LIBRARY_PATH=A ./none", &status);
    load = load_with("none", alone);
    if (words) {
        ck_assert_msg(strstr(second, words) && status != 0, "%s: %s", name, second);
        ck_assert_msg(load->fault_count >= 1 && load->faults[0]->kind == FAULT_NOT_FOUND, "%s: no fault", name);
        ck_assert_msg(load->faults[0]->search.fault == 0 && load->faults[0]->search.found < 0, "%s: fault at %ld", name,
                      load->faults[0]->search.fault);
        check_place(name, &load->faults[0]->search, state, ends);
    } else {
        ck_assert_msg(status == 0 && load->fault_count == 0, "%s: status %d, %s", name, status, second);
    }
    load_destroy(load);
}

START_TEST(damaged_files)
{
    const struct bad_file *bad = &bad_files[_i];

    sh("cc p.c -o none -LB -lx");
    write_bad(bad);
    check_bad(bad->name, bad->state, bad->ends, bad->words);
}
END_TEST

START_TEST(things_that_are_no_files)
{
    static const char no_such[] = "libx.so: cannot open shared object file: No such file or directory";

    sh("cc p.c -o none -LB -lx");
    sh("ln -s nothing A/libx.so");
    check_bad("dangling", CANDIDATE_DANGLING, false, no_such);
    sh("ln -sf libx.so A/libx.so");
    check_bad("loop", CANDIDATE_LOOP, false, no_such);
    sh("ln -sf /etc/passwd/x A/libx.so");
    check_bad("not a directory", CANDIDATE_NOT_DIRECTORY, false, no_such);
    sh("ln -sf /dev/null A/libx.so");
    check_bad("device", CANDIDATE_BAD_FILE, true, "A/libx.so: file too short");
    sh("rm A/libx.so; mkdir A/libx.so");
    check_bad("directory", CANDIDATE_BAD_FILE, true, "A/libx.so: cannot read file data");
    sh("rmdir A/libx.so");

    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "A/libx.so"};
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    check_bad("socket", CANDIDATE_BAD_FILE, false, no_such);
}
END_TEST

START_TEST(unusable_objects)
{
    size_t n, at;
    CLEANUP_FREE unsigned char *bytes = get_bytes("good.so", &n);
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)bytes;

    sh("cc p.c -o none -LB -lx; cc -pie -fPIE p.c -o A/libx.so -LB -lx -Wl,-soname,libx.so");
    check_bad("program", CANDIDATE_BAD_FILE, true, "libx.so: cannot dynamically load position-independent executable");
    for (unsigned i = 0; i < header->e_phnum; i++) {
        at = header->e_phoff + i * sizeof(Elf64_Phdr);
        if (((Elf64_Phdr *)(bytes + at))->p_type == PT_DYNAMIC)
            ((Elf64_Phdr *)(bytes + at))->p_type = PT_NULL;
    }
    put_bytes("A/libx.so", bytes, n);
    check_bad("no dynamic section", CANDIDATE_BAD_FILE, true, "libx.so: object file has no dynamic section");
}
END_TEST

#if defined(__x86_64__)
/* A level that no processor has: the bit behind x86-64-v4. */
START_TEST(isa_level)
{
    static const unsigned char property[] = {0x02, 0x80, 0x00, 0xc0, 4, 0, 0, 0};
    size_t n;

    sh("cc p.c -o none -LB -lx; cc -shared -fPIC -o level.so x.c -Wl,-soname,libx.so,-z,x86-64-v4");
    CLEANUP_FREE unsigned char *bytes = get_bytes("level.so", &n);
    unsigned char *at = memmem(bytes, n, property, sizeof property);
    ck_assert_ptr_nonnull(at);
    at[8] = 0x10;
    put_bytes("A/libx.so", bytes, n);
    check_bad("level", CANDIDATE_ISA_LEVEL, true, "CPU ISA level is lower than required");
}
END_TEST
#endif

/* As nobody: what may not be read is passed over, and it is the best explanation that there is. */
START_TEST(permissions)
{
    struct cred cred = {.uid = 65534, .gid = 65534};
    const char *env[] = {"LD_LIBRARY_PATH=A", NULL};
    CLEANUP_FREE char *path = xasprintf("%s/none", bed);
    struct load_request request = {.root = "", .program = path, .cwd = bed, .env = env, .cred = &cred};
    struct load *load;

    sh("cc p.c -o none -LB -lx; cp B/libx.so A; chmod 0 A/libx.so");
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(load_create(&request, &load, NULL), 0);
        ck_assert_uint_eq(load->fault_count, 1);
        ck_assert_int_ge(load->faults[0]->search.fault, 0);
        /* not a subdirectory for newer processors, where it is the directory above that may not be entered */
        ck_assert_ptr_eq(strstr(load->faults[0]->search.places[load->faults[0]->search.fault].path, "glibc-hwcaps"),
                         NULL);
        check_place("unreadable", &load->faults[0]->search, CANDIDATE_DENIED, false);
        load_destroy(load);
        if (getuid() == 0) {
            int status;
            CLEANUP_FREE char *real =
                output_of("LD_LIBRARY_PATH=A setpriv --reuid=65534 --regid=65534 --clear-groups ./none", &status);

            ck_assert_int_eq(status, 127);
            ck_assert_msg(strstr(real, "libx.so: cannot open shared object file: No such file"), "%s", real);
        }
        sh("chmod 755 A; chmod 644 A/libx.so; chmod 0 A");
    }
    sh("chmod 755 A");
}
END_TEST

START_TEST(found_elsewhere)
{
    CLEANUP_FREE char *program = xasprintf("%s/D/prog", bed), *wanted = xasprintf("%s/D/deep/er/libx.so", bed);
    const char *const near[] = {program};
    const struct elffile *model = elffile_get("", "good.so");

    sh("mkdir -p D/deep/er D/first; cp B/libx.so D/deep/er; echo text >D/first/libx.so; rm -r A B C");
    CLEANUP_FREE char *found = search_elsewhere("", "libx.so", model, near, 1, "/");
    ck_assert_pstr_eq(found, wanted);
    CLEANUP_FREE char *none = search_elsewhere("", "libnotatall.so.7", model, near, 1, "/");
    ck_assert_pstr_eq(none, NULL);
    CLEANUP_FREE char *in_root = search_elsewhere(bed, "libx.so", model, NULL, 0, "/D/deep");
    ck_assert_pstr_eq(in_root, "/D/deep/er/libx.so");
    elffile_put(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("search");
    TCase *tcase = tcase_create("places");
    int count = sizeof bad_files / sizeof *bad_files;

    unsetenv("LD_LIBRARY_PATH");
    unsetenv("LD_PRELOAD");
    setenv("LC_ALL", "C", 1);
    tcase_add_checked_fixture(tcase, make_programs, bed_remove);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, rpath_before_library_path_before_runpath);
    tcase_add_test(tcase, rpath_of_ancestors);
    tcase_add_test(tcase, tokens);
    tcase_add_test(tcase, hwcaps_subdirectories);
    tcase_add_test(tcase, loops_leave_the_list);
    tcase_add_test(tcase, no_default_directories);
    tcase_add_loop_test(tcase, damaged_files, 0, count);
    tcase_add_test(tcase, things_that_are_no_files);
    tcase_add_test(tcase, unusable_objects);
#if defined(__x86_64__)
    tcase_add_test(tcase, isa_level);
#endif
    tcase_add_test(tcase, permissions);
    tcase_add_test(tcase, found_elsewhere);
    suite_add_tcase(suite, tcase);
    return bed_run(suite);
}
