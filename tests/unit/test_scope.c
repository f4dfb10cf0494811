/* What is loaded, and what a name binds to, after any sequence of dlopen and dlclose: the same steps are given to a
 * program under the real loader and to the model. tests/e2e/test_bindings.py compares single lookups on every glibc. */
#include "loadbed.h"

enum { ROUNDS = 150, STEPS = 12 };

/* Libraries by letter: x y define x(); a needs x; b calls x() and needs nothing; c needs a; u v share a unique
 * variable; n stays for good; w waits for x() until it is called; all have a function of their own name that tells
 * whose x() it has. */
static const char letters[] = "xyabcuvnw";

static void make_libraries(const char *cc)
{
    put("def.c",
        "int x(void) { return WHO; }\n#define F2(n) f_##n\n#define F(n) F2(n)\nint F(NAME)(void) { return x(); }\n");
    put("use.c", "int x(void);\n#define F2(n) f_##n\n#define F(n) F2(n)\nint F(NAME)(void) { return x(); }\n");
    put("uni.c", "asm(\".globl u; .type u,@gnu_unique_object; .bss; .align 4; u: .long 0; .size u,4; .text\");\n"
                 "extern int u;\n#define F2(n) f_##n\n#define F(n) F2(n)\nint F(NAME)(void) { return u++; }\n");
    sh("%s -shared -fPIC -DNAME=x -DWHO=\"'x'\" def.c -o libx.so && %s -shared -fPIC -DNAME=y -DWHO=\"'y'\" def.c -o "
       "liby.so",
       cc, cc);
    sh("%s -shared -fPIC -DNAME=a use.c -o liba.so -Wl,-z,now -L. -lx -Wl,-rpath,'$ORIGIN'", cc);
    sh("%s -shared -fPIC -DNAME=b use.c -o libb.so -Wl,-z,now", cc);
    sh("%s -shared -fPIC -DNAME=c use.c -o libc_.so -Wl,-z,now -Wl,--no-as-needed -L. -la -Wl,-rpath,'$ORIGIN'", cc);
    sh("%s -shared -fPIC -DNAME=u uni.c -o libu.so && %s -shared -fPIC -DNAME=v uni.c -o libv.so", cc, cc);
    sh("%s -shared -fPIC -DNAME=n -DWHO=\"'n'\" def.c -o libn.so -Wl,-z,nodelete", cc);
    sh("%s -shared -fPIC -DNAME=w use.c -o libw.so -Wl,-z,lazy", cc);
    sh("cp libc_.so libc.tmp; rm libc_.so; mv libc.tmp libcc.so");
}

/* "+l:FILE" and "+g:FILE" open, "-N" closes the Nth; then which of the files are there, and whose x() each has. */
static void make_stepper(const char *cc)
{
    put("s.c",
        "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdio.h>\n#include <string.h>\n"
        "int main(int n, char **v) { void *h[64] = {0}; int count = 0, i = 1;\n"
        "for (; i < n && strcmp(v[i], \"=\"); i++)\n"
        "  if (v[i][0] == '+') h[count++] = dlopen(v[i] + 3, RTLD_NOW | (v[i][1] == 'g' ? RTLD_GLOBAL : 0));\n"
        "  else if (h[v[i][1] - 'A']) dlclose(h[v[i][1] - 'A']), h[v[i][1] - 'A'] = 0;\n"
        "for (i++; i < n; i++) { void *l = dlopen(v[i] + 2, RTLD_NOW | RTLD_NOLOAD); char f[4] = {'f', '_', v[i][0]};\n"
        "  int (*p)(void) = l ? dlsym(l, f) : 0; int got = p && !strchr(\"uv\", v[i][0]) ? p() : '+';\n"
        "  putchar(l ? got : '-'); }\n"
        "putchar('\\n'); return 0; }\n");
    sh("%s s.c -o s -ldl", cc);
}

static char *file_of(char letter)
{
    return xasprintf("%s/lib%s.so", bed, letter == 'c' ? "cc" : (char[]){letter, '\0'});
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1103515245u + 12345u;
    return *state >> 16;
}

/* What the model says of one file, in the words of the program. */
static char state_of(const struct load *load, char letter)
{
    CLEANUP_FREE char *path = file_of(letter);
    struct object *object = NULL;
    struct binding *bindings;
    char state = '?';

    for (size_t i = 0; i < load->object_count; i++)
        if (!strcmp(load->objects[i]->path, path) && load_is_there(load, load->objects[i]))
            object = load->objects[i];
    if (!object)
        return '-';
    if (letter == 'u' || letter == 'v')
        return '+';
    size_t n = load_bindings(load, object, &bindings);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(bindings[i].reference->name, "x") && bindings[i].to)
            state = path_base(bindings[i].to->path)[3];
    free(bindings);
    return state;
}

struct steps {
    char *command;
    struct load *load;
    struct object *handles[STEPS];
    int count;
};

static void step(struct steps *s, unsigned *random)
{
    bool open = s->count == 0 || next_random(random) % 3;
    int which = open ? 0 : (int)(next_random(random) % (unsigned)s->count);
    char letter = letters[next_random(random) % (sizeof letters - 1)];
    bool global = next_random(random) % 2;
    CLEANUP_FREE char *file = file_of(letter);
    char *longer = open ? xasprintf("%s +%c:%s", s->command, global ? 'g' : 'l', file)
                        : xasprintf("%s -%c", s->command, 'A' + which);

    free(s->command);
    s->command = longer;
    if (open) {
        struct load_open request = {
            .file = file, .mode = RTLD_NOW | (global ? RTLD_GLOBAL : 0), .space = LOAD_SPACE_CALLER};

        load_dlopen(s->load, &request, &s->handles[s->count++]);
    } else if (s->handles[which]) {
        load_dlclose(s->load, s->handles[which]);
        s->handles[which] = NULL;
    }
}

static void compare_rounds(void)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct steps s = {.command = xstrdup("./s"), .load = load_with("s", NULL)};
        unsigned random = round;
        char expected[sizeof letters + 1] = "";
        int status;

        for (int i = 0; i < STEPS; i++)
            step(&s, &random);
        char *command = xasprintf("%s =", s.command);
        for (size_t i = 0; letters[i]; i++) {
            CLEANUP_FREE char *file = file_of(letters[i]);
            char *longer = xasprintf("%s %c:%s", command, letters[i], file);

            free(command);
            command = longer;
            expected[i] = state_of(s.load, letters[i]);
        }
        strcat(expected, "\n");
        CLEANUP_FREE char *text = output_of(command, &status);
        ck_assert_msg(status == 0 && !strcmp(text, expected), "%s\n%s: %s: the loader\n%s: %smodel", command, letters,
                      text, letters, expected);
        free(command);
        free(s.command);
        load_destroy(s.load);
    }
}

START_TEST(any_steps)
{
    make_libraries("cc");
    make_stepper("cc");
    compare_rounds();
}
END_TEST

/* No unique symbols, nothing is ever unloaded, and lazy means that what is not there yet may come later. */
START_TEST(any_steps_musl)
{
    if (system("command -v musl-gcc >/dev/null") != 0) {
        printf("musl-gcc is not there: musl's rules are not checked\n");
        return;
    }
    make_libraries("musl-gcc");
    make_stepper("musl-gcc");
    compare_rounds();
}
END_TEST

/* dlsym takes the default version, dlvsym the one it is told, an unversioned reference the oldest. */
START_TEST(versions_of_dlsym)
{
    static const char *const asked[][2] = {{"foo", NULL}, {"foo", "V1"}, {"foo", "V2"}, {"foo", "V3"}, {"plain", "V1"}};
    int status;

    put("v.c", "int one(void) { return 1; } int two(void) { return 2; } int plain(void) { return 3; }\n"
               "asm(\".symver one,foo@V1; .symver two,foo@@V2\");\n");
    put("v.map", "V1 { global: foo; }; V2 { global: foo; } V1;\n");
    put("r.c", "int foo(void); int bare(void) { return foo(); }\n");
    put("m.c",
        "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdio.h>\nint main(int n, char **v) {\n"
        "void *h = dlopen(\"./libv.so\", RTLD_NOW | RTLD_GLOBAL), *r = dlopen(\"./libr.so\", RTLD_NOW);\n"
        "for (int i = 1; i < n; i += 2) { int (*f)(void) = *v[i + 1] ? dlvsym(h, v[i], v[i + 1]) : dlsym(h, v[i]);\n"
        "printf(\"%d \", f ? f() : 0); } printf(\"%d\", ((int (*)(void))dlsym(r, \"bare\"))()); return 0; }\n");
    sh("cc -shared -fPIC v.c -o libv.so -Wl,--version-script,v.map; cc -shared -fPIC r.c -o libr.so; cc m.c -o m -ldl");
    CLEANUP_FREE char *text = output_of("./m foo '' foo V1 foo V2 foo V3 plain V1", &status);
    struct load *load = load_with("m", NULL);
    CLEANUP_FREE char *said = xstrdup("");

    bed_dlopen(load, "./libv.so", RTLD_NOW | RTLD_GLOBAL);
    bed_dlopen(load, "./libr.so", RTLD_NOW);
    for (size_t i = 0; i <= sizeof asked / sizeof *asked; i++) {
        bool bare = i == sizeof asked / sizeof *asked;
        const struct elf_symbol *symbol;
        const char *version;

        if (bare)
            load_lookup(load, object_named(load, "libr.so"), "foo", NULL, LOOKUP_CALL, &symbol);
        else
            load_lookup(load, object_named(load, "libv.so"), asked[i][0], asked[i][1], LOOKUP_DLSYM, &symbol);
        version = symbol ? symbol->version : "V0";
        char *longer = xasprintf("%s%s%s", said, i ? " " : "", version ? version + 1 : "3");
        free(said);
        said = longer;
    }
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(said, text);
    load_destroy(load);
}
END_TEST

/* A dlopen goes where its caller is. */
START_TEST(namespace_of_the_caller)
{
    int status;

    put("x.c", "int x(void) { return 0; }\n");
    put("in.c", "#include <dlfcn.h>\nint in(void) { return dlopen(\"./libx.so\", RTLD_NOW) ? 0 : 9; }\n");
    put("m.c", "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdio.h>\nint main(void) { Lmid_t space;\n"
               "void *h = dlmopen(LM_ID_NEWLM, \"./libin.so\", RTLD_NOW); if (!h) return puts(dlerror());\n"
               "int bad = ((int (*)(void))dlsym(h, \"in\"))(); dlinfo(h, RTLD_DI_LMID, &space);\n"
               "printf(\"%d %d\", dlmopen(space, \"./libx.so\", RTLD_NOW | RTLD_NOLOAD) != 0,\n"
               "dlopen(\"./libx.so\", RTLD_NOW | RTLD_NOLOAD) != 0); return bad; }\n");
    sh("cc -shared -fPIC x.c -o libx.so; cc -shared -fPIC in.c -o libin.so -ldl; cc m.c -o m -ldl");
    CLEANUP_FREE char *text = output_of("./m", &status);
    struct load *load = load_with("m", NULL);
    struct object *in, *x, *there, *base;

    ck_assert_msg(status == 0, "%s", text);
    load_dlopen(load, &(struct load_open){.file = "./libin.so", .mode = RTLD_NOW, .space = LOAD_SPACE_NEW}, &in);
    load_dlopen(
        load, &(struct load_open){.file = "./libx.so", .mode = RTLD_NOW, .caller = in, .space = LOAD_SPACE_CALLER}, &x);
    load_dlopen(load, &(struct load_open){.file = "./libx.so", .mode = RTLD_NOW | RTLD_NOLOAD, .space = in->space},
                &there);
    load_dlopen(load,
                &(struct load_open){.file = "./libx.so", .mode = RTLD_NOW | RTLD_NOLOAD, .space = LOAD_SPACE_CALLER},
                &base);
    ck_assert_uint_eq(load->fault_count, 0);
    ck_assert_uint_eq(in->space, 1);
    CLEANUP_FREE char *said = xasprintf("%d %d", there == x && x != NULL, base != NULL);
    ck_assert_str_eq(said, text);
    load_dlopen(load, &(struct load_open){.file = "./libx.so", .mode = RTLD_NOW, .space = 7}, &x);
    ck_assert_ptr_null(x); /* no such namespace */
    load_destroy(load);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scope");
    TCase *tcase = tcase_create("programs");

    unsetenv("LD_LIBRARY_PATH");
    unsetenv("LD_PRELOAD");
    setenv("LC_ALL", "C", 1);
    tcase_add_checked_fixture(tcase, bed_make, bed_remove);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, any_steps);
    tcase_add_test(tcase, any_steps_musl);
    tcase_add_test(tcase, versions_of_dlsym);
    tcase_add_test(tcase, namespace_of_the_caller);
    suite_add_tcase(suite, tcase);
    return bed_run(suite);
}
