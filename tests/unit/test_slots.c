/* Bindings after the fact, judged by the loader: the log of LD_DEBUG=bindings (and LD_BIND_NOW or not), line by line.
 */
#include "processbed.h"

#include <probes/slots.h>

#include <uthash.h>

/* What the log says of one reference: "file symbol version" -> the object it was bound to. */
struct line {
    char *key, *to;
    bool seen;
    UT_hash_handle hh;
};

struct judged {
    struct line *lines;
    struct line *torn; /* "file symbol" of references that several threads told of in one line of the log */
    const char *program;
    size_t same, differ, missed, lazy, none;
    size_t others; /* lines that no relocation stands behind */
};

static const char *name_of(const struct judged *judged, const struct linkmap_object *object)
{
    return *object->name ? object->name : judged->program;
}

static void add_torn(struct judged *judged, const char *text)
{
    for (const char *at = text; (at = strstr(at, "binding file ")); at++) {
        char from[PATH_MAX], symbol[4096];
        struct line *line, *other;

        if (sscanf(at, "binding file %4095s [%*d] to %*s [%*d]: %*s symbol `%4095[^']", from, symbol) != 2)
            continue;
        line = xcalloc(1, sizeof *line);
        line->key = xasprintf("%s %s", from, symbol);
        HASH_FIND_STR(judged->torn, line->key, other);
        if (!other) {
            HASH_ADD_KEYPTR(hh, judged->torn, line->key, strlen(line->key), line);
            continue;
        }
        free(line->key);
        free(line);
    }
}

/* ld.so writes such a line in two goes, the version behind the rest (do_lookup_x() of elf/dl-lookup.c). */
static bool is_torn(const char *text)
{
    const char *at = strstr(text, "binding file ");

    return at && strstr(at + 1, "binding file ");
}

static bool was_torn(const struct judged *judged, const char *from, const char *symbol)
{
    CLEANUP_FREE char *key = xasprintf("%s %s", from, symbol);
    struct line *line;

    HASH_FIND_STR(judged->torn, key, line);
    return line != NULL;
}

static void read_log(struct judged *judged, const char *path)
{
    FILE *f = fopen(path, "r");
    CLEANUP_FREE char *text = NULL;
    size_t size = 0;

    ck_assert_msg(f != NULL, "%s", path);
    while (getline(&text, &size, f) > 0) {
        char from[PATH_MAX], to[PATH_MAX], symbol[4096], version[256] = "";
        struct line *line, *other;

        if (is_torn(text)) {
            add_torn(judged, text);
            continue;
        }
        if (sscanf(text, " %*d: binding file %4095s [%*d] to %4095s [%*d]: %*s symbol `%4095[^']' [%255[^]]]", from, to,
                   symbol, version) < 3)
            continue;
        line = xcalloc(1, sizeof *line);
        line->key = xasprintf("%s %s %s", from, symbol, version);
        line->to = xstrdup(to);
        HASH_FIND_STR(judged->lines, line->key, other);
        if (other && strcmp(other->to, to) == 0) {
            free(line->key);
            free(line->to);
            free(line);
            continue;
        }
        HASH_ADD_KEYPTR(hh, judged->lines, line->key, strlen(line->key), line);
    }
    fclose(f);
}

static bool told(const struct judged *judged, const char *key, const char *to)
{
    struct line *line;

    /* One reference can have been bound twice, to different objects: a function called and its address taken. */
    for (line = judged->lines; line; line = line->hh.next)
        if (strcmp(line->key, key) == 0 && strcmp(line->to, to) == 0)
            return line->seen = true;
    return false;
}

static void compare(void *ctx, const struct slot *slot)
{
    struct judged *judged = ctx;
    CLEANUP_FREE char *key =
        xasprintf("%s %s %s", name_of(judged, slot->from), slot->symbol, slot->version ? slot->version : "");
    const char *to = slot->to ? name_of(judged, slot->to) : "none";
    struct line *line;
    bool same = false;

    HASH_FIND_STR(judged->lines, key, line);
    switch (slot->state) {
    case SLOT_BOUND:
        same = line && told(judged, key, to);
        break;
    case SLOT_LAZY: /* another slot of the same symbol may have been bound: then that one is told too */
        judged->lazy++;
        same = true;
        break;
    case SLOT_NONE:
        judged->none++;
        same = !line;
        break;
    case SLOT_UNKNOWN:
        break;
    }
    if (!same && was_torn(judged, name_of(judged, slot->from), slot->symbol)) {
        judged->others++;
        return;
    }
    judged->same += same && slot->state == SLOT_BOUND;
    judged->differ += !same;
    if (!same)
        printf("%s = %s (state %d), the log says %s\n", key, to, slot->state, line ? line->to : "nothing");
}

/* Whether a relocation of the file NAME refers to SYMBOL, by the reader of files; else the log's line is of a dlsym(3)
 * or of the loader's own (malloc of the program, clock_gettime of the vDSO). */
static bool refers(const char *name, const char *symbol)
{
    const struct elffile *elf = elffile_get("", name);
    bool ret = false;

    for (size_t i = 0; i < elf->symbol_count; i++)
        ret |= strcmp(elf->symbols[i].name, symbol) == 0 &&
               (elf->symbols[i].by_data || elf->symbols[i].by_call || elf->symbols[i].by_copy);
    elffile_put(elf);
    return ret;
}

/* ld.so looks malloc and free of the program up for itself as well (rtld.c), and is given the address that a program at
 * a fixed address stands in for them with: another line for the same reference. */
static bool seen_otherwise(const struct judged *judged, const char *key)
{
    for (const struct line *l = judged->lines; l; l = l->hh.next)
        if (l->seen && strcmp(l->key, key) == 0)
            return true;
    return false;
}

static void count_missed(struct judged *judged)
{
    for (const struct line *l = judged->lines; l; l = l->hh.next) {
        char from[PATH_MAX], symbol[4096];

        if (l->seen || sscanf(l->key, "%4095s %4095s", from, symbol) != 2)
            continue;
        if (from[0] == '/' && refers(from, symbol) && !seen_otherwise(judged, l->key)) {
            judged->missed++;
            printf("%s = %s is missing\n", l->key, l->to);
        } else {
            judged->others++;
        }
    }
}

static void lines_free(struct line *lines)
{
    struct line *line, *next;

    HASH_ITER(hh, lines, line, next)
    {
        HASH_DEL(lines, line);
        free(line->key);
        free(line->to);
        free(line);
    }
}

static void judged_deinit(struct judged *judged)
{
    lines_free(judged->lines);
    lines_free(judged->torn);
}

START_TEST(torn_lines)
{
    struct judged judged = {0};

    put("log", "  7: binding file /a [0] to /b [0]: normal symbol `one' [V_1]\n"
               "  7: binding file /a [0] to /b [0]: normal symbol `two'   7: binding file /a [0] to /c [0]: normal "
               "symbol `three' [V_2]\n [V_1]\n"
               "  7: binding file /a [0] to /b [0]: normal symbol `four' [V_1]\n");
    read_log(&judged, "log");
    ck_assert_uint_eq(HASH_COUNT(judged.lines), 2);
    ck_assert(told(&judged, "/a one V_1", "/b") && told(&judged, "/a four V_1", "/b"));
    ck_assert(was_torn(&judged, "/a", "two") && was_torn(&judged, "/a", "three"));
    ck_assert(!was_torn(&judged, "/a", "one"));
    judged_deinit(&judged);
}
END_TEST

/* PROGRAM: as the log calls it. */
static void judge_as(const char *program, char *const argv[], const char *variable, size_t least)
{
    struct judged judged = {.program = program};
    struct looked looked;
    struct running r;
    CLEANUP_FREE char *log = NULL;
    struct slots_result result;

    setenv("LD_DEBUG", "bindings", 1);
    setenv("LD_DEBUG_OUTPUT", "log", 1);
    if (variable)
        setenv(variable, "1", 1);
    r = start(argv);
    unsetenv("LD_DEBUG");
    unsetenv("LD_DEBUG_OUTPUT");
    if (variable)
        unsetenv(variable);
    log = xasprintf("log.%d", (int)r.pid);
    look(r.pid, &looked);
    read_log(&judged, log);
    slots_read(&looked.map, false, &(struct slot_sink){compare, &judged}, &result);
    count_missed(&judged);
    printf("%s %s: %zu the same, %zu differ, %zu missed, %zu lazy, %zu none, %zu of other origin\n", argv[0],
           variable ? variable : "", judged.same, judged.differ, judged.missed, judged.lazy, judged.none,
           judged.others);
    fflush(stdout);
    ck_assert_uint_eq(result.unread, 0);
    ck_assert_uint_eq(judged.differ, 0);
    ck_assert_uint_eq(judged.missed, 0);
    ck_assert_uint_gt(judged.same, least);
    if (variable)
        ck_assert_uint_eq(judged.lazy, 0);
    judged_deinit(&judged);
    look_away(&looked);
    finish(&r);
}

static void judge(char *const argv[], const char *variable, size_t least)
{
    judge_as(argv[0], argv, variable, least);
}

START_TEST(real_programs)
{
    static char *const python[] = {"/usr/bin/python3", "-c",
                                   "import sys,ssl,sqlite3,ctypes\nfor l in sys.stdin: print('x', flush=True)", NULL};
    static char *const perl[] = {"/usr/bin/perl", "-e", "$|=1; while(<STDIN>){print \"x\"}", NULL};
    static char *const node[] = {"/usr/bin/node", "-e", "process.stdin.on('data', () => process.stdout.write('x'))",
                                 NULL};
    static char *const gdb[] = {"/usr/bin/gdb",
                                "-batch",
                                "-nx",
                                "-ex",
                                "python import sys; print('x', flush=True); sys.stdin.readline(); sys.stdin.readline()",
                                NULL};

    judge(python, NULL, 6000);
    judge(python, "LD_BIND_NOW", 6000);
    judge(perl, NULL, 100);
    judge(node, NULL, 1000);
    judge(gdb, "LD_BIND_NOW", 10000); /* its threads would bind at once, and tear each other's lines of the log */
}
END_TEST

/* Functions called and compared, data copied and shared, thread-local, weak, unique, chosen by a resolver (also in
 * another object than the one that has it), protected; each build flavour. */
static const char library[] =
    "#include <time.h>\n"
    "int shared = 5, copied = 6; __thread int local = 7; extern int absent __attribute__((weak));\n"
    "int maybe(void) __attribute__((weak)); int one(void){ return 1; } int two(void){ return 2; }\n"
    "int (*hook)(void) = one; int (*hooks[3])(void) = { one, two, maybe };\n"
    "int (*const fixed[3])(void) = { one, two, maybe };\n"
    "static void *pick(void){ return two; } int chosen(void) __attribute__((ifunc(\"pick\")));\n"
    "int guarded(void) __attribute__((visibility(\"protected\"))); int guarded(void){ return one(); }\n"
    "asm(\".globl u; .type u, @gnu_unique_object; .size u, 4; .data; u: .long 3; .text\"); extern int u;\n"
    "int all(void){ return shared + copied + local + (&absent ? absent : 0) + (maybe ? maybe() : 0) + one() + "
    "chosen()\n"
    "  + guarded() + hook() + hooks[1]() + fixed[0]() + u + (time(0) == 0); }\n";
static const char program[] =
    "#include <unistd.h>\n"
    "extern int copied, u; extern __thread int local; int one(void), two(void), chosen(void), all(void);\n"
    "extern int (*hook)(void), (*hooks[3])(void); static int mine(void){ return 9; }\n"
    "int (*taken)(void) = two; int late(void){ return one(); }\n"
    "int main(void){ char c; hook = mine; hooks[0] = mine; int n = all() + copied + local + u + chosen() + taken();\n"
    "  for(;;){ if (read(0,&c,1) != 1) return n + late(); if (c == '\\n') (void)!write(1,\"x\",1);}}\n";

START_TEST(flavours)
{
    static const char *const flags[] = {
        "",
        "-no-pie -fno-pie",
        "-Wl,-z,now",
        "-Wl,-z,lazy -fcf-protection",
        "-fno-plt",
        "-Wl,-z,lazy -fuse-ld=gold",
        "-fcf-protection -Wl,-z,now",
        "-Wl,-z,norelro",
        "-Wl,--hash-style=sysv",
        "-Wl,-z,ibtplt -Wl,-z,lazy",
        "-no-pie -fno-pie -Wl,-z,lazy",
        "-mtls-dialect=gnu2",
    };

    put("l.c", library);
    put("p.c", program);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        sh("cc %s -w -fPIC -shared -o libl.so l.c && cc %s -w -o p p.c -Wl,-rpath,. libl.so", flags[i], flags[i]);
        printf("%s: ", flags[i]);
        judge((char *[]){"./p", NULL}, NULL, 20);
        sh("strip p libl.so");
        judge((char *[]){"./p", NULL}, NULL, 20);
    }
}
END_TEST

START_TEST(other_releases)
{
    static const char *const roots[] = {"bullseye", "trixie", "forky"};

    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        CLEANUP_FREE char *root = root_of(roots[i]);
        CLEANUP_FREE char *loader = xasprintf("%s/loader-%s", bed, roots[i]);
        CLEANUP_FREE char *libraries = xasprintf("%s/lib/x86_64-linux-gnu:%s/usr/lib/x86_64-linux-gnu", root, root);
        CLEANUP_FREE char *shell = xasprintf("%s/bin/bash", root);

        sh("ln -s \"$(ls %s/lib/x86_64-linux-gnu/ld-2.*.so %s/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 2>/dev/null |"
           " head -n 1)\" %s",
           root, root, loader);
        judge_as(shell,
                 (char *[]){loader, "--library-path", libraries, shell, "--norc", "-c", "while read l; do echo x; done",
                            NULL},
                 NULL, 200);
    }
}
END_TEST

START_TEST(narrow_processes)
{
    put("n.c", "long read(int, void *, long), write(int, const void *, long); void _exit(int); extern char **environ;\n"
               "extern void *stdout; int puts(const char *);\n"
               "void _start(void){ char c; for(;;){ if (read(0,&c,1) != 1) { puts(*environ); _exit(stdout == 0); }\n"
               " if (c == '\\n') write(1,\"x\",1);}}\n");
    for (int pie = 0; pie < 2; pie++) {
        sh("cc -m32 %s -w -nostartfiles -nodefaultlibs -fno-stack-protector -o n n.c "
           "$(ls /lib32/libc.so.6 /usr/lib32/libc.so.6 /lib/libc.so.6 2>/dev/null | head -n 1)",
           pie ? "-fPIE -pie" : "-fno-pie -no-pie");
        judge((char *[]){"./n", NULL}, NULL, 10);
    }
}
END_TEST

/* musl has no log; what must be so all the same. */
static void take_musl(void *ctx, const struct slot *slot)
{
    unsigned *seen = ctx;

    if (strcmp(slot->symbol, "read") == 0 || strcmp(slot->symbol, "write") == 0) {
        ck_assert_int_eq(slot->state, SLOT_BOUND);
        ck_assert_int_eq(slot->to->kind, LINKMAP_LOADER);
        *seen |= 1;
    } else if (strcmp(slot->symbol, "one") == 0 && slot->from->kind == LINKMAP_PROGRAM) {
        ck_assert_str_eq(slot->to->name, "./libl.so");
        *seen |= 2;
    } else if (strcmp(slot->symbol, "copied") == 0 && slot->from->kind == LINKMAP_LIBRARY) {
        ck_assert_int_eq(slot->to->kind, LINKMAP_PROGRAM);
        *seen |= 4;
    } else if (strcmp(slot->symbol, "local") == 0) {
        ck_assert_str_eq(slot->to->name, "./libl.so");
        *seen |= 8;
    }
    ck_assert_int_ne(slot->state, SLOT_UNKNOWN);
}

START_TEST(musl)
{
    struct slots_result result;
    struct looked looked;
    struct running r;
    unsigned seen = 0;

    put("l.c", "int copied = 6; __thread int local = 7; int one(void){ return copied + local; }\n");
    put("p.c", "#include <unistd.h>\nextern int copied; extern __thread int local; int one(void);\n"
               "int main(void){ char c; int n = copied + local + one(); for(;;){ if (read(0,&c,1) != 1) return n;\n"
               " if (c == '\\n') write(1,\"x\",1);}}\n");
    sh("musl-gcc -w -fPIC -shared -o libl.so l.c && musl-gcc -w -no-pie -fno-pie -o p p.c -Wl,-rpath,. ./libl.so");
    r = start((char *[]){"./p", NULL});
    look(r.pid, &looked);
    slots_read(&looked.map, false, &(struct slot_sink){take_musl, &seen}, &result);
    ck_assert_uint_eq(seen, 15);
    ck_assert_uint_eq(result.unread, 0);
    look_away(&looked);
    finish(&r);
}
END_TEST

static void take_any(void *ctx, const struct slot *slot)
{
    *(size_t *)ctx += strlen(slot->symbol);
}

/* Whatever the tables say, the reading ends, soon, and touches nothing that is not there. */
START_TEST(damaged_tables)
{
    enum { BASE = 0x10000000, ROUNDS = 1500 };
    struct laid_out whole, bytes;
    struct mem mem = {.read = read_laid_out, .ctx = &bytes, .word_size = 8};
    struct linkmap_object object = {.name = "./libl.so", .path = "./libl.so", .map_addr = 1, .base_addr = BASE};
    struct linkmap map = {.process = {.pid = getpid(), .mem = &mem}, .objects = &object, .count = 1};
    struct slots_result result;
    struct memimage image;
    size_t seen = 0;

    put("l.c", library);
    sh("cc -w -fPIC -shared -o libl.so l.c -Wl,-z,norelro");
    lay_out("libl.so", BASE, &whole);
    bytes = whole;
    ck_assert_int_eq(memimage_at(&mem, BASE, &image), 0);
    object.dynamic_addr = image.dynamic_addr;
    memimage_deinit(&image);
    srand(5);
    for (int round = 0; round < ROUNDS; round++) {
        bytes.bytes = xmemdup(whole.bytes, whole.size);
        for (int i = rand() % 40; i >= 0; i--)
            bytes.bytes[(i % 3 ? (uint64_t)rand() % 0x1000 : object.dynamic_addr - BASE + (uint64_t)rand() % 0x200) %
                        whole.size] = (uint8_t)rand();
        slots_read(&map, false, &(struct slot_sink){take_any, &seen}, &result);
        free(bytes.bytes);
    }
    ck_assert_uint_gt(seen, 0);
    free(whole.bytes);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {torn_lines,       real_programs, flavours,      other_releases,
                                  narrow_processes, musl,          damaged_tables};

    return bed_suite("slots", tests, sizeof tests / sizeof *tests);
}
