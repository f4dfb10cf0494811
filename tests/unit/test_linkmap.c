/* Link maps of real processes: both C libraries and several releases, both classes, with a loader, without, and run by
 * one. The judges are /proc/PID/maps (each file that has code in the process is an object, and nothing else is) and
 * `ld.so --list`. */
#include "processbed.h"

#include <probes/maps.h>

static bool listed(const struct looked *looked, const char *path)
{
    for (size_t i = 0; i < looked->map.count; i++) {
        CLEANUP_FREE char *real = looked->map.objects[i].path ? realpath(looked->map.objects[i].path, NULL) : NULL;

        if (real && strcmp(real, path) == 0)
            return true;
    }
    return false;
}

/* Every object lies at a mapping of its own file, and every file with code is an object (V8 maps code of its own file a
 * second time; a loader that nobody needs takes itself off the list, rtld.c). */
static void check_against_mappings(struct looked *looked)
{
    size_t count, objects = 0;
    struct mapping *mappings = mappings_read(looked->pid, &count);

    for (size_t i = 0; i < count; i++) {
        const struct mapping *m = &mappings[i];
        struct linkmap_object *object = linkmap_at(&looked->map, m->start);
        bool vdso = strcmp(m->name, "[vdso]") == 0;

        if (m->permissions[2] != 'x' || (m->name[0] != '/' && !vdso))
            continue;
        if (object) {
            CLEANUP_FREE char *real = object->path ? realpath(object->path, NULL) : NULL;

            ck_assert_str_eq(object->kind == LINKMAP_VDSO ? "[vdso]" : real, m->name);
        } else if (!vdso && strncmp(strrchr(m->name, '/'), "/ld-", 4) != 0) {
            ck_assert_msg(listed(looked, m->name), "%s is not in the link map", m->name);
        }
    }
    for (size_t i = 0; i < looked->map.count; i++)
        objects += linkmap_at(&looked->map, looked->map.objects[i].dynamic_addr) != NULL;
    if (looked->map.source != LINKMAP_OF_FILES)
        ck_assert_uint_eq(objects, looked->map.count);
    mappings_free(mappings, count);
}

static const struct linkmap_object *of_kind(const struct looked *looked, enum linkmap_kind kind)
{
    for (size_t i = 0; i < looked->map.count; i++)
        if (looked->map.objects[i].kind == kind)
            return &looked->map.objects[i];
    return NULL;
}

static struct linkmap_object *named(struct looked *looked, const char *name, unsigned space)
{
    for (size_t i = 0; i < looked->map.count; i++)
        if (looked->map.objects[i].space == space && linkmap_answers(&looked->map, &looked->map.objects[i], name))
            return &looked->map.objects[i];
    return NULL;
}

/* Starts ARGV, and what must hold for every process with a loader, or without. */
static void check_process(char *const argv[], enum linkmap_source source, const char *program, size_t least)
{
    struct running r = start(argv);
    CLEANUP_FREE char *real = realpath(program, NULL);
    struct looked looked;

    look(r.pid, &looked);
    ck_assert_int_eq(looked.map.source, source);
    ck_assert_uint_ge(looked.map.count, least);
    ck_assert_uint_eq(looked.map.spaces, 1);
    ck_assert_ptr_nonnull(of_kind(&looked, LINKMAP_PROGRAM));
    ck_assert_str_eq(of_kind(&looked, LINKMAP_PROGRAM)->path, real);
    check_against_mappings(&looked);
    ck_assert(!linkmap_update(&looked.map));
    ck_assert(!looked.map.objects[0].fresh);
    look_away(&looked);
    finish(&r);
}

static const char waits[] = "#include <unistd.h>\n"
                            "int main(void){char c; for(;;){ if (read(0,&c,1) != 1) return 0;\n"
                            "  if (c == '\\n') (void)!write(1,\"x\",1);}}\n";

START_TEST(flavours)
{
    put("w.c", waits);
    sh("cc -o pie w.c && cc -no-pie -o nopie w.c && cc -static -o static w.c && cc -static-pie -o staticpie w.c &&"
       "cc -pie -o late w.c -Wl,-z,lazy && musl-gcc -o musl w.c && musl-gcc -static -o muslstatic w.c");
    check_process((char *[]){"./pie", NULL}, LINKMAP_OF_LOADER, "pie", 4);
    check_process((char *[]){"./nopie", NULL}, LINKMAP_OF_LOADER, "nopie", 4);
    check_process((char *[]){"./musl", NULL}, LINKMAP_OF_LOADER, "musl", 2);
    check_process((char *[]){"./static", NULL}, LINKMAP_OF_FILES, "static", 2);
    check_process((char *[]){"./muslstatic", NULL}, LINKMAP_OF_FILES, "muslstatic", 2);
    check_process((char *[]){"./staticpie", NULL}, LINKMAP_OF_DEBUG, "staticpie", 2);
    sh("strip pie nopie");
    check_process((char *[]){"/lib64/ld-linux-x86-64.so.2", "./pie", NULL}, LINKMAP_OF_LOADER, "pie", 4);
    check_process((char *[]){"/lib64/ld-linux-x86-64.so.2", "./nopie", NULL}, LINKMAP_OF_LOADER, "nopie", 4);
    check_process((char *[]){"/lib/ld-musl-x86_64.so.1", "./musl", NULL}, LINKMAP_OF_LOADER, "musl", 2);
}
END_TEST

START_TEST(go_programs)
{
    put("g.go",
        "package main\nimport \"os\"\nfunc main(){ b := make([]byte, 1); for { if n, _ := os.Stdin.Read(b); n != 1 "
        "{ return }\n if b[0] == 10 { os.Stdout.Write(b) } } }\n");
    put("c.go",
        "package main\n/*\n#include <unistd.h>\nstatic void say(void) { (void)!write(1, \"x\", 1); }\n*/\n"
        "import \"C\"\nimport \"os\"\nfunc main(){ b := make([]byte, 1); for { if n, _ := os.Stdin.Read(b); n != 1 "
        "{ return }\n if b[0] == 10 { C.say() } } }\n");
    sh("export GOCACHE=$PWD/cache GO111MODULE=off GOFLAGS=-trimpath; CGO_ENABLED=0 go build -o gostatic g.go &&"
       "CGO_ENABLED=0 go build -buildmode=pie -o gopie g.go && CGO_ENABLED=1 go build -o gocgo c.go");
    check_process((char *[]){"./gostatic", NULL}, LINKMAP_OF_FILES, "gostatic", 2);
    check_process((char *[]){"./gopie", NULL}, LINKMAP_OF_LOADER, "gopie", 2);
    check_process((char *[]){"./gocgo", NULL}, LINKMAP_OF_LOADER, "gocgo", 4);
}
END_TEST

/* A program that opens, closes and opens in a namespace of its own, step by step; linked with another root's C library
 * and started by that root's loader. */
static const char steps[] =
    "void *dlopen(const char *, int), *dlmopen(long, const char *, int); int dlclose(void *);\n"
    "long read(int, void *, long), write(int, const void *, long); void _exit(int);\n"
    "static void say(void){ char c; write(1, \"x\", 1); do if (read(0,&c,1) != 1) _exit(0); while (c != '\\n'); }\n"
    "__attribute__((force_align_arg_pointer)) void _start(void){\n"
    "  char c; void *a; read(0,&c,1); read(0,&c,1); say();\n"
    "  a = dlopen(\"./liba.so\", 2); say();\n"
    "  if (!dlmopen(-1L, \"./liba.so\", 2)) _exit(3);\n say();\n"
    "  if (!dlmopen(-1L, \"./libb.so\", 2)) _exit(4);\n say();\n"
    "  dlclose(a); say(); _exit(0); }\n";

static void check_namespaces(const char *build, const char *flags)
{
    struct running r;
    struct looked looked;

    put("s.c", steps);
    put("a.c", "int b(void); int a(void){ return b(); }\n");
    put("b.c", "int b(void){ return 2; }\n");
    sh("cc %s -shared -nostdlib -fPIC -Wl,-soname,libb.so.1 -o libb.so b.c && ln -sf libb.so libb.so.1 &&"
       "cc %s -shared -nostdlib -fPIC -Wl,-rpath,. -o liba.so a.c libb.so",
       flags, flags);
    sh("cc %s -w -nostartfiles -nodefaultlibs -fno-stack-protector -o steps s.c %s", flags, build);
    r = start((char *[]){"./steps", NULL});
    look(r.pid, &looked);
    ck_assert_int_eq(looked.map.source, LINKMAP_OF_LOADER);
    ck_assert_ptr_null(named(&looked, "libb.so.1", 0));
    check_against_mappings(&looked);

    next_step(&r);
    ck_assert(linkmap_update(&looked.map));
    ck_assert(named(&looked, "libb.so.1", 0)->fresh);
    ck_assert(!looked.map.objects[0].fresh);
    ck_assert_ptr_eq(linkmap_needed_by(&looked.map, named(&looked, "libb.so.1", 0)), named(&looked, "./liba.so", 0));
    ck_assert_ptr_null(linkmap_needed_by(&looked.map, named(&looked, "./liba.so", 0)));
    check_against_mappings(&looked);

    next_step(&r);
    ck_assert(linkmap_update(&looked.map));
    ck_assert_uint_eq(looked.map.spaces, 2);
    ck_assert_ptr_nonnull(named(&looked, "libb.so.1", 1));
    ck_assert_ptr_eq(linkmap_needed_by(&looked.map, named(&looked, "libb.so.1", 1)), named(&looked, "./liba.so", 1));
    next_step(&r);
    ck_assert(linkmap_update(&looked.map));
    ck_assert_uint_eq(looked.map.spaces, 3);
    ck_assert_ptr_nonnull(named(&looked, "libb.so", 2));
    ck_assert_ptr_null(named(&looked, "./liba.so", 2));
    check_against_mappings(&looked);

    next_step(&r);
    ck_assert(linkmap_update(&looked.map));
    ck_assert_uint_eq(looked.map.gone_count, 2);
    ck_assert_ptr_null(named(&looked, "./liba.so", 0));
    ck_assert_ptr_nonnull(named(&looked, "./liba.so", 1));
    check_against_mappings(&looked);
    look_away(&looked);
    finish(&r);
}

START_TEST(namespaces)
{
    check_namespaces("-lc", "");
}
END_TEST

START_TEST(namespaces_of_other_releases)
{
    static const char *const roots[] = {"bullseye", "trixie", "forky"};

    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        CLEANUP_FREE char *root = root_of(roots[i]);
        CLEANUP_FREE char *build = NULL;

        build = xasprintf("-Wl,--dynamic-linker=\"$(ls %s/lib/x86_64-linux-gnu/ld-2.*.so "
                          "%s/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 2>/dev/null | head -n 1)\" "
                          "-Wl,-rpath,%s/lib/x86_64-linux-gnu -Wl,--disable-new-dtags "
                          "$(ls %s/lib/x86_64-linux-gnu/libc.so.6 %s/lib/x86_64-linux-gnu/libdl.so.2)",
                          root, root, root, root, root);
        check_namespaces(build, "");
    }
}
END_TEST

START_TEST(narrow_processes)
{
    check_namespaces("$(ls /lib32/libc.so.6 /usr/lib32/libc.so.6 /lib/libc.so.6 2>/dev/null | head -n 1)", "-m32");
}
END_TEST

/* The list that the loader itself gives, path by path. */
static void check_list(const char *program, char *const argv[])
{
    CLEANUP_FREE char *command = xasprintf("/lib64/ld-linux-x86-64.so.2 --list %s", program);
    FILE *list = popen(command, "r");
    struct running r = start(argv);
    char line[PATH_MAX];
    struct looked looked;
    size_t seen = 0;

    look(r.pid, &looked);
    check_against_mappings(&looked);
    while (fgets(line, sizeof line, list)) {
        const char *arrow = strstr(line, " => "), *path = arrow ? arrow + 4 : line + strspn(line, "\t ");
        CLEANUP_FREE char *one = xstrndup(path, strcspn(path, " \n"));
        struct linkmap_object *object = named(&looked, one, 0);

        ck_assert_msg(object != NULL, "%s is not in the link map of %s", one, program);
        if (object->kind == LINKMAP_LIBRARY)
            ck_assert_msg(linkmap_needed_by(&looked.map, object) != NULL, "nobody needs %s", one);
        seen++;
    }
    ck_assert_int_eq(pclose(list), 0);
    ck_assert_uint_gt(seen, 2);
    look_away(&looked);
    finish(&r);
}

START_TEST(real_programs)
{
    check_list("/usr/bin/python3",
               (char *[]){"/usr/bin/python3", "-c",
                          "import sys,ssl,sqlite3\nfor l in sys.stdin: print('x', flush=True)", NULL});
    check_list("/usr/bin/perl", (char *[]){"/usr/bin/perl", "-e", "$|=1; while(<STDIN>){print \"x\"}", NULL});
    check_list("/usr/bin/node",
               (char *[]){"/usr/bin/node", "-e", "process.stdin.on('data', () => process.stdout.write('x'))", NULL});
    check_list("/usr/bin/gdb", (char *[]){"/usr/bin/gdb", "-batch", "-nx", "-ex",
                                          "python import sys; print('x', flush=True); "
                                          "sys.stdin.readline(); sys.stdin.readline()",
                                          NULL});
}
END_TEST

/* Rings, cut lists and pointers to nowhere end the walk and are told. */
START_TEST(damaged_lists)
{
    enum { BASE = 0x40000000, ROUNDS = 2000 };
    uint64_t words[64];
    struct laid_out bytes = {(uint8_t *)words, sizeof words, BASE};
    struct mem mem = {.read = read_laid_out, .ctx = &bytes, .word_size = 8};
    struct linkmap map = {.process = {.pid = getpid(), .mem = &mem, .exe = "/x"},
                          .source = LINKMAP_OF_LOADER,
                          .debug_addr = BASE,
                          .global_addr = BASE,
                          .global_size = sizeof words};

    for (unsigned i = 0; i < 64; i++)
        words[i] = 0;
    words[0] = 1;
    words[1] = BASE + 80;
    for (unsigned i = 0; i < 3; i++) { /* three entries, the last leads to the second */
        words[10 + 5 * i + 3] = BASE + 80 + 40 * (i < 2 ? i + 1 : 1);
        words[10 + 5 * i + 4] = i ? BASE + 80 + 40 * (i - 1) : 0;
    }
    ck_assert(linkmap_update(&map));
    ck_assert_uint_eq(map.count, 3);
    ck_assert(map.damaged);
    words[0] = 2;
    words[5] = BASE; /* r_next: itself */
    linkmap_update(&map);
    ck_assert(map.damaged);
    srand(3);
    for (int round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < 64; i++)
            words[i] = rand() % 3 ? BASE + 8 * (uint64_t)(rand() % 64) : (uint64_t)(rand() % 3);
        linkmap_update(&map);
        ck_assert_uint_le(map.count, 8192);
        linkmap_at(&map, BASE + 8);
    }
    linkmap_deinit(&map);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {flavours,         go_programs,   namespaces,   namespaces_of_other_releases,
                                  narrow_processes, real_programs, damaged_lists};

    return bed_suite("linkmap", tests, sizeof tests / sizeof *tests);
}
