/* The package systems' databases, small ones in their own formats, made here. */
#include <probes/alloc.h>
#include <probes/packages.h>
#include <probes/packages_parts.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static char *root;

static void make_parents(const char *path)
{
    char *copy = xstrdup(path);

    for (char *p = copy + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        ck_assert(mkdir(copy, 0755) == 0 || errno == EEXIST);
        *p = '/';
    }
    free(copy);
}

static void put(const char *path, const void *bytes, size_t size)
{
    CLEANUP_FREE char *full = xasprintf("%s%s", root, path);
    CLEANUP_FCLOSE FILE *file = NULL;

    make_parents(full);
    file = fopen(full, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
}

static void put_text(const char *path, const char *text)
{
    put(path, text, strlen(text));
}

static void put_gzip(const char *path, const char *bytes, size_t size)
{
    CLEANUP_FREE char *full = xasprintf("%s%s", root, path);
    gzFile file;

    make_parents(full);
    file = gzopen(full, "wb");
    ck_assert_int_eq(gzwrite(file, bytes, (unsigned)size), (int)size);
    gzclose(file);
}

static void set_up(void)
{
    root = xstrdup("/tmp/glibctrace-packages-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void tear_down(void)
{
    nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(root);
}

static void check_answer(bool found, struct package *package, const char *name, const char *version, bool installed)
{
    ck_assert(found);
    ck_assert_str_eq(package->name, name);
    ck_assert_pstr_eq(package->version, version);
    ck_assert_int_eq(package->installed, installed);
    ck_assert_ptr_nonnull(package->says);
    package_deinit(package);
}

/* ---- dpkg and apt ---- */

static void make_dpkg(void)
{
    put_text("/var/lib/dpkg/status", "Package: libtoy2\nStatus: install ok installed\nVersion: 2.1-3\n\n"
                                     "Package: toys\nStatus: install ok installed\nVersion: 9\n");
    put_text("/var/lib/dpkg/info/libtoy2:amd64.list",
             "/.\n/usr\n/usr/lib\n/usr/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu/libtoy.so.2\n");
    put_text("/var/lib/dpkg/info/toys.list", "/.\n/bin\n/bin/toy\n/usr/bin/ball\n/usr/lib/toys/libinner.so.1\n");
}

START_TEST(owners)
{
    struct package package;

    make_dpkg();
    ck_assert_int_eq(packages_system(root), PACKAGES_DPKG);
    check_answer(packages_owner(root, "/usr/lib/x86_64-linux-gnu/libtoy.so.2", &package), &package, "libtoy2", "2.1-3",
                 true);
    /* /lib is /usr/lib on a merged system, whatever the list says */
    check_answer(packages_owner(root, "/lib/x86_64-linux-gnu/libtoy.so.2", &package), &package, "libtoy2", "2.1-3",
                 true);
    check_answer(packages_owner(root, "/usr/bin/toy", &package), &package, "toys", "9", true);
    ck_assert(!packages_owner(root, "/usr/lib/x86_64-linux-gnu/libtoy.so", &package));
    ck_assert(!packages_owner(root, "libtoy.so.2", &package));
}
END_TEST

START_TEST(libraries_and_commands)
{
    struct package package;

    make_dpkg();
    check_answer(packages_with_library(root, "libtoy.so.2", "x86_64", &package), &package, "libtoy2", "2.1-3", true);
    ck_assert(!packages_with_library(root, "libtoy.so.2", "aarch64", &package));  /* that one is for another machine */
    ck_assert(!packages_with_library(root, "libinner.so.1", "x86_64", &package)); /* a program's own, not searched */
    ck_assert(!packages_with_library(root, "toy.so.2", "x86_64", &package));
    check_answer(packages_with_command(root, "ball", &package), &package, "toys", "9", true);
    ck_assert(!packages_with_command(root, "all", &package));
    ck_assert(!packages_with_command(root, "", &package));
}
END_TEST

START_TEST(diversions)
{
    struct package package;

    make_dpkg();
    put_text("/var/lib/dpkg/info/better.list", "/usr/bin/ball\n");
    put_text("/var/lib/dpkg/diversions", "/usr/bin/ball\n/usr/bin/ball.toys\nbetter\n");
    check_answer(packages_owner(root, "/usr/bin/ball", &package), &package, "better", NULL, true);
    check_answer(packages_owner(root, "/usr/bin/ball.toys", &package), &package, "toys", "9", true);
}
END_TEST

#define LIST "/var/lib/apt/lists/mirror_debian_dists_stable_main_"

START_TEST(available_by_name)
{
    struct package package;

    make_dpkg();
    put_text(LIST "binary-amd64_Packages", "Package: libball-1.2-7\nVersion: 1.2.9-1\nDescription: x\n\n"
                                           "Package: libold3t64\nArchitecture: amd64\nVersion: 3-2\n\n"
                                           "Package: libgcc-s9\nVersion: 1\n");
    check_answer(packages_with_library(root, "libball-1.2.so.7", "x86_64", &package), &package, "libball-1.2-7",
                 "1.2.9-1", false);
    check_answer(packages_with_library(root, "libold.so.3", NULL, &package), &package, "libold3t64", "3-2", false);
    check_answer(packages_with_library(root, "libgcc_s.so.9", "x86_64", &package), &package, "libgcc-s9", "1", false);
    ck_assert(!packages_with_library(root, "libold.so.3", "i386", &package)); /* no list of that machine */
    ck_assert(!packages_with_library(root, "libold.so.4", "x86_64", &package));
    ck_assert(!packages_with_library(root, "libball-1.2.so.7x", "x86_64", &package));
    check_answer(packages_named(root, "libgcc-s9", &package), &package, "libgcc-s9", "1", false);
    put_text(LIST "binary-i386_Packages", "Package: libold3\nVersion: 3-1\n");
    check_answer(packages_with_library(root, "libold.so.3", "i386", &package), &package, "libold3:i386", "3-1", false);
}
END_TEST

START_TEST(available_by_contents)
{
    static const char contents[] = "usr/bin/kite                    games/kite,games/kites\n"
                                   "usr/lib/x86_64-linux-gnu/a blank/x   misc/x\n"
                                   "usr/lib/x86_64-linux-gnu/libkite.so.1\t\tlibs/libkite1a\n"
                                   "usr/lib/kite/libhidden.so.1 games/kite\n";
    struct package package;

    make_dpkg();
    put_gzip(LIST "Contents-amd64.gz", contents, sizeof contents - 1);
    check_answer(packages_with_library(root, "libkite.so.1", "x86_64", &package), &package, "libkite1a", NULL, false);
    check_answer(packages_with_command(root, "kite", &package), &package, "kite", NULL, false);
    check_answer(packages_with_file(root, "/bin/kite", &package), &package, "kite", NULL, false);
    ck_assert(!packages_with_library(root, "libhidden.so.1", "x86_64", &package));
    put_text(LIST "cnf_Commands-amd64", "suite: stable\ncomponent: main\narch: amd64\n\n"
                                        "name: strings\nversion: 5\ncommands: cord,kite , thread\n\n");
    check_answer(packages_with_command(root, "thread", &package), &package, "strings", "5", false);
    ck_assert(!packages_with_command(root, "thre", &package));
}
END_TEST

START_TEST(alternatives)
{
    CLEANUP_FREE char *choice = NULL, *name = NULL, *none = NULL, *no_choice = NULL;

    make_dpkg();
    put_text("/var/lib/dpkg/alternatives/other", "auto\n/usr/bin/other\n\n/usr/bin/x\n1\n\n");
    put_text("/var/lib/dpkg/alternatives/toy", "auto\n/usr/bin/atoy\ntoy.1\n/usr/share/man/toy.1\n\n/usr/bin/gone\n10\n"
                                               "/usr/share/man/gone.1\n/usr/bin/there\n5\n\n\n");
    put_text("/usr/bin/there", "x");
    put_text("/usr/share/man/gone.1", "x");
    name = packages_alternative(root, "/usr/bin/atoy", &choice);
    ck_assert_pstr_eq(name, "toy");
    ck_assert_pstr_eq(choice, "/usr/bin/there");
    none = packages_alternative(root, "/usr/bin/there", &no_choice);
    ck_assert_ptr_null(none);
}
END_TEST

/* ---- the others ---- */

START_TEST(apk)
{
    static const char index[] = "C:Q1x=\nP:kites\nV:1.2-r0\np:cmd:kite=1.2-r0 so:libkite.so.1=1.0\n\n"
                                "C:Q1y=\nP:gcompat\nV:1.1\np:so:ld-linux-x86-64.so.2=2\n\n";
    struct package package;

    put_text("/lib/apk/db/installed", "C:Q1=\nP:toys\nV:2-r1\nF:usr/lib\nR:libtoy.so.2\nZ:Q1\nF:usr/bin\nR:toy\n\n");
    put_gzip("/var/cache/apk/APKINDEX.0a1b.tar.gz", index, sizeof index - 1);
    ck_assert_int_eq(packages_system(root), PACKAGES_APK);
    check_answer(packages_owner(root, "/usr/lib/libtoy.so.2", &package), &package, "toys", "2-r1", true);
    check_answer(packages_with_command(root, "toy", &package), &package, "toys", "2-r1", true);
    check_answer(packages_with_command(root, "kite", &package), &package, "kites", "1.2-r0", false);
    check_answer(packages_with_library(root, "libkite.so.1", "x86_64", &package), &package, "kites", "1.2-r0", false);
    ck_assert(!packages_with_library(root, "libkite.so", "x86_64", &package));
    check_answer(packages_named(root, "gcompat", &package), &package, "gcompat", "1.1", false);
}
END_TEST

static size_t tar_entry(char *to, const char *name, const char *text)
{
    size_t size = strlen(text);

    memset(to, 0, 1024);
    strcpy(to, name);
    snprintf(to + 124, 12, "%011o", (unsigned)size);
    memcpy(to + 512, text, size);
    return 1024;
}

START_TEST(pacman)
{
    char archive[4096];
    struct package package;
    size_t n = 0;

    put_text("/var/lib/pacman/local/lib-toy-2:1.0-3/files", "%FILES%\nusr/\nusr/lib/\nusr/lib/libtoy.so.2\n");
    n += tar_entry(archive + n, "kites-1.2-1/desc", "%NAME%\nkites\nusr/bin/wrong\n");
    n += tar_entry(archive + n, "kites-1.2-1/files", "%FILES%\nusr/bin/\nusr/bin/kite\nusr/lib/libkite.so.1\n");
    put_gzip("/var/lib/pacman/sync/extra.files", archive, n);
    ck_assert_int_eq(packages_system(root), PACKAGES_PACMAN);
    check_answer(packages_owner(root, "/usr/lib/libtoy.so.2", &package), &package, "lib-toy", "2:1.0-3", true);
    check_answer(packages_with_library(root, "libkite.so.1", "x86_64", &package), &package, "kites", "1.2-1", false);
    check_answer(packages_with_command(root, "kite", &package), &package, "kites", "1.2-1", false);
    ck_assert(!packages_with_command(root, "wrong", &package));
}
END_TEST

static char *rpm_that(const char *does)
{
    CLEANUP_FREE char *script = xasprintf("#!/bin/sh\n%s\n", does);
    char *path = xasprintf("%s/rpm", root);

    put_text("/rpm", script);
    ck_assert_int_eq(chmod(path, 0755), 0);
    return path;
}

START_TEST(rpm)
{
    const struct package_wish owner = {.root = "", .path = "/usr/lib64/libtoy.so.2"};
    const struct package_wish library = {.root = "", .name = "libtoy.so.2", .library = true};
    CLEANUP_FREE char *program = rpm_that("[ \"$2 $5\" = '-f /usr/lib64/libtoy.so.2' ] || exit 1\n"
                                          "printf 'libtoy\\t2-1.fc40\\n'");
    struct package package = {0};

    check_answer(rpm_find(&owner, program, &package), &package, "libtoy", "2-1.fc40", true);
    ck_assert(!rpm_find(&library, program, &package));
    free(program);
    program = rpm_that("[ \"$2 $5\" = '--whatprovides libtoy.so.2()(64bit)' ] && printf 'two\\t1\\nthree\\t3\\n'");
    check_answer(rpm_find(&library, program, &package), &package, "two", "1", true);
    free(program);
    program = rpm_that("exec sleep 1000");
    ck_assert(!rpm_find(&owner, program, &package));
    free(program);
    program = rpm_that("exec yes");
    ck_assert(!rpm_find(&owner, program, &package));
    ck_assert(!rpm_find(&owner, "/nowhere/rpm", &package));
}
END_TEST

START_TEST(no_system)
{
    struct package package;

    ck_assert_int_eq(packages_system(root), PACKAGES_NONE);
    ck_assert(!packages_owner(root, "/bin/sh", &package));
    ck_assert(!packages_with_library(root, "libx.so.1", "x86_64", &package));
    ck_assert(!packages_named(root, "x", &package));
}
END_TEST

/* ---- packed files ---- */

/* A frame of two blocks: the second one's match reaches into the first. */
static const unsigned char frame[] = {
    0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0x00, /* version 1, blocks of 64 KB that depend on each other */
    0x07, 0x00, 0x00, 0x00, 0x32, 'a',  'b',  '\n', 3,    0,    0, /* 3 literals, a match of 6 bytes at a distance of 3,
                                                                      … */
    0x0b, 0x00, 0x00, 0x80, 'n',  'o',  't',  ' ',  'p',  'a',  'c', 'k', 'e',
    'd',  '\n', 0x05, 0x00, 0x00, 0x00, 0x02, 0x0b, 0x00, 0x10, '!', /* no literal, 6 bytes at a distance of 11, one
                                                                        literal */
    0x00, 0x00, 0x00, 0x00,
};

static struct packed *open_it(const void *bytes, size_t size, size_t bound)
{
    CLEANUP_FREE char *path = xasprintf("%s/packed", root);

    put("/packed", bytes, size);
    return packed_open(open(path, O_RDONLY | O_CLOEXEC), bound);
}

START_TEST(lz4)
{
    static const char *const lines[] = {"ab", "ab", "ab", "not packed", "not pa!"};
    struct packed *packed = open_it(frame, sizeof frame, 1 << 20);

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ck_assert_pstr_eq(packed_line(packed, NULL), lines[i]);
    ck_assert_ptr_null(packed_line(packed, NULL));
    packed_close(packed);
}
END_TEST

/* Every single byte of it changed, and cut off everywhere: it ends, whatever comes out. */
START_TEST(lz4_hostile)
{
    for (size_t i = 0; i < sizeof frame; i++)
        for (unsigned value = 0; value < 256; value += 5) {
            unsigned char bytes[sizeof frame];
            struct packed *packed;
            size_t lines = 0;

            memcpy(bytes, frame, sizeof frame);
            bytes[i] = (unsigned char)value;
            packed = open_it(bytes, value ? sizeof frame : i, 1 << 20);
            while (packed && packed_line(packed, NULL))
                lines++;
            ck_assert_uint_lt(lines, 1 << 20);
            packed_close(packed);
        }
}
END_TEST

START_TEST(bounds)
{
    CLEANUP_FREE char *zeros = xcalloc(1, 300000);
    struct packed *packed;
    size_t n, all = 0;

    put_gzip("/zeros", zeros, 300000);
    {
        CLEANUP_FREE char *path = xasprintf("%s/zeros", root);

        packed = packed_open(open(path, O_RDONLY | O_CLOEXEC), 100000);
    }
    while (packed_line(packed, &n))
        all += n;
    ck_assert_uint_eq(all, 100000);
    packed_close(packed);
    packed = open_it("one\ntwo", 7, 100);
    ck_assert_pstr_eq(packed_line(packed, NULL), "one");
    ck_assert_uint_eq(packed_read(packed, zeros, 100), 3);
    ck_assert_mem_eq(zeros, "two", 3);
    packed_close(packed);
    ck_assert_ptr_null(packed_open(-1, 100));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("packages");
    TCase *one = tcase_create("packages");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(one, set_up, tear_down);
    tcase_set_timeout(one, 60);
    tcase_add_test(one, owners);
    tcase_add_test(one, libraries_and_commands);
    tcase_add_test(one, diversions);
    tcase_add_test(one, available_by_name);
    tcase_add_test(one, available_by_contents);
    tcase_add_test(one, alternatives);
    tcase_add_test(one, apk);
    tcase_add_test(one, pacman);
    tcase_add_test(one, rpm);
    tcase_add_test(one, no_system);
    tcase_add_test(one, lz4);
    tcase_add_test(one, lz4_hostile);
    tcase_add_test(one, bounds);
    suite_add_tcase(suite, one);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
