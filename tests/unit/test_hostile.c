/* Programs, libraries and an ld.so.cache with random bytes: a load must end, and read nothing outside what it has. What
 * it finds does not matter here. Run it with the sanitizers (make check SAN=1). */
#include "loadbed.h"

static uint32_t numbers = 1;

/* Always the same sequence, so that a failure comes again. */
static uint32_t number(void)
{
    numbers = numbers * 1664525 + 1013904223;
    return numbers >> 8;
}

static void make_root(void)
{
    bed_make();
    put("x.c", "#include <stdlib.h>\nint x(void) { return getenv(\"A\") != NULL; }\n");
    put("p.c", "int x(void); int main(void) { return x(); }\n");
    put("x.map", "X_1 { global: x; local: *; };\n");
    sh("cc -shared -fPIC x.c -o libx.so -Wl,-soname,libx.so,--version-script,x.map");
    sh("cc p.c -o p -L. -lx -Wl,-rpath,/lib:'$ORIGIN/../lib'; mkdir -p R/bin R/lib R/etc");
    sh("interp=$(ldd p | sed -n 's|^[[:space:]]*\\(/[^ ]*ld[^ ]*\\) .*|\\1|p'); mkdir -p R$(dirname $interp);"
       "cp $interp R$interp; cp $(ldd p | sed -n 's|.*libc.so.6 => \\([^ ]*\\) .*|\\1|p') R/lib");
    sh("cp p R/bin; cp libx.so R/lib; cp /etc/ld.so.cache R/etc 2>/dev/null || :");
}

static void load_root(void)
{
    CLEANUP_FREE char *root = xasprintf("%s/R", bed);
    const char *const env[] = {"LD_LIBRARY_PATH=:$ORIGIN:/a", "LD_PRELOAD=libx.so", NULL};
    struct load_request request = {.root = root, .program = "/bin/p", .cwd = "/", .env = env};
    struct load *load;

    ck_assert_int_eq(load_create(&request, &load, NULL), 0);
    bed_dlopen(load, "libx.so", RTLD_NOW | RTLD_GLOBAL);
    bed_dlopen(load, "libz.so.1", RTLD_LAZY | RTLD_DEEPBIND);
    load_dlopen(load, &(struct load_open){.file = "libx.so", .mode = RTLD_NOW, .space = LOAD_SPACE_NEW}, NULL);
    for (size_t i = 0; i < load->object_count; i++) {
        struct binding *bindings;

        load_bindings(load, load->objects[i], &bindings);
        free(bindings);
    }
    for (size_t i = 0; i < load->object_count; i++)
        load_dlclose(load, load->objects[i]);
    load_destroy(load);
    elffile_forget_all();
}

/* COUNT rounds with a few random bytes in PATH, most of them in its first WINDOW bytes. */
static void shake(const char *path, int count, size_t window)
{
    size_t n;
    CLEANUP_FREE unsigned char *bytes = get_bytes(path, &n);

    for (int round = 0; round < count; round++) {
        CLEANUP_FREE unsigned char *copy = xmemdup(bytes, n);

        for (int i = 0; i < 6; i++)
            copy[number() % (i < 4 && window < n ? window : n)] = (unsigned char)number();
        put_bytes(path, copy, number() % 16 ? n : number() % n);
        load_root();
    }
    put_bytes(path, bytes, n);
}

START_TEST(the_library)
{
    shake("R/lib/libx.so", 1500, 4096);
}
END_TEST

START_TEST(the_program)
{
    shake("R/bin/p", 700, 4096);
}
END_TEST

START_TEST(the_cache)
{
    if (!access("R/etc/ld.so.cache", R_OK)) {
        shake("R/etc/ld.so.cache", 300, 64);
        shake("R/etc/ld.so.cache", 300, 4096);
    }
}
END_TEST

/* A library that needs itself, two that need each other, and a name with every token. */
START_TEST(circles)
{
    put("e.c", "");
    sh("touch liba.so; cc -shared -fPIC e.c -o libb.so -Wl,-soname,libb.so; cc -shared -fPIC e.c -o liba.so "
       "-Wl,-soname,liba.so,--no-as-needed -L. -lb; cc -shared -fPIC e.c -o libb.so -Wl,-soname,libb.so,--no-as-needed "
       "-L. -la; cc -shared -fPIC e.c -o libc1.so -Wl,-soname,'$ORIGIN/${LIB}/$PLATFORM/libc1.so'");
    sh("cc -xc - -o q -Wl,--no-as-needed,-rpath-link,. -L. -la -lc1 <<'E'\nint main(void) { return 0; }\nE");
    struct load *load = load_with("q", (const char *const[]){"LD_LIBRARY_PATH=.", NULL});
    size_t count = 0;

    for (size_t i = 0; i < load->object_count; i++)
        count += !strncmp(path_base(load->objects[i]->path), "lib", 3);
    ck_assert_uint_eq(count, 3); /* liba, libb, libc */
    ck_assert_uint_eq(load->fault_count, 1);
    ck_assert_int_eq(load->faults[0]->kind, FAULT_NOT_FOUND);
    load_destroy(load);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hostile");
    TCase *tcase = tcase_create("random bytes");

    unsetenv("LD_LIBRARY_PATH");
    unsetenv("LD_PRELOAD");
    tcase_add_checked_fixture(tcase, make_root, bed_remove);
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, the_library);
    tcase_add_test(tcase, the_program);
    tcase_add_test(tcase, the_cache);
    tcase_add_test(tcase, circles);
    suite_add_tcase(suite, tcase);
    return bed_run(suite);
}
