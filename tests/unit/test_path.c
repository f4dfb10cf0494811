/* Paths inside a root: what the kernel answers is what the walk must answer, and at which component. */
#include "loadbed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

struct row {
    const char *path;
    enum path_reason reason;
    const char *at, *target, *final; /* "@" stands for the scratch directory */
};

/* Made in the scratch directory: d/f, links of every kind, a file where a directory should be. */
static void make_tree(void)
{
    bed_make();
    sh("mkdir -p d/e; echo text >d/f; ln -s f d/tofile; ln -s d todir; ln -s nothing dangling; ln -s dangling chain");
    sh("ln -s loop loop; ln -s two one; ln -s one two; ln -s '%s/d' absolute; ln -s ../e/../f d/e/up; ln -s todir/f "
       "via",
       bed);
    sh("ln -s d/ slashed; ln -s none/below deep; mkfifo fifo");
}

static const struct row rows[] = {
    {"d/f", PATH_OK, NULL, NULL, "@/d/f"},
    {"@/d//./f", PATH_OK, NULL, NULL, "@/d/f"},
    {"d/../d/e/../f", PATH_OK, NULL, NULL, "@/d/f"},
    {"d/tofile", PATH_OK, NULL, NULL, "@/d/f"},
    {"todir/tofile", PATH_OK, NULL, NULL, "@/d/f"},
    {"todir/", PATH_OK, NULL, NULL, "@/d"},
    {"slashed/f", PATH_OK, NULL, NULL, "@/d/f"},
    {"absolute/e/up", PATH_OK, NULL, NULL, "@/d/f"},
    {"via", PATH_OK, NULL, NULL, "@/d/f"},
    {"/", PATH_OK, NULL, NULL, "/"},
    {"/..", PATH_OK, NULL, NULL, "/"},
    {".", PATH_OK, NULL, NULL, "@"},
    {"", PATH_ABSENT, "", NULL, NULL},
    {"none", PATH_ABSENT, "@/none", NULL, NULL},
    {"d/none/below", PATH_ABSENT, "@/d/none", NULL, NULL},
    {"todir/none", PATH_ABSENT, "@/d/none", NULL, NULL},
    {"dangling", PATH_DANGLING, "@/dangling", "@/nothing", NULL},
    {"dangling/x", PATH_DANGLING, "@/dangling", "@/nothing", NULL},
    {"chain", PATH_DANGLING, "@/dangling", "@/nothing", NULL},
    {"deep", PATH_DANGLING, "@/deep", "@/none/below", NULL},
    {"loop", PATH_LOOP, "@/loop", "loop", NULL},
    {"one", PATH_LOOP, "@/one", "two", NULL},
    {"loop/x", PATH_LOOP, "@/loop", "loop", NULL},
    {"d/f/x", PATH_NOT_DIRECTORY, "@/d/f", NULL, NULL},
    {"d/f/", PATH_NOT_DIRECTORY, "@/d/f", NULL, NULL},
    {"d/tofile/..", PATH_NOT_DIRECTORY, "@/d/f", NULL, NULL},
};

static char *in_bed(const char *text)
{
    return text && text[0] == '@' ? xasprintf("%s%s", bed, text + 1) : xstrdup_or_null(text);
}

static void check_text(const char *path, const char *what, const char *is, const char *wanted)
{
    CLEANUP_FREE char *whole = in_bed(wanted);

    ck_assert_msg(is && whole ? !strcmp(is, whole) : !is && !whole, "%s: %s is %s, not %s", path, what, is, whole);
}

START_TEST(components)
{
    const struct row *row = &rows[_i];
    CLEANUP_FREE char *path = in_bed(row->path);
    struct path_walk walk;
    struct stat st;

    path_walk("", bed, path, NULL, &walk);
    ck_assert_msg(walk.reason == row->reason, "%s: %s", path, path_reason_text(walk.reason));
    check_text(path, "at", walk.at, row->at);
    check_text(path, "target", walk.target, row->target);
    check_text(path, "final", walk.final, row->final);
    int result = stat(path, &st);
    ck_assert_msg(walk.error == (result ? errno : 0), "%s: error %d, the kernel says %d", path, walk.error, errno);
    if (!result)
        ck_assert(walk.st.st_ino == st.st_ino && walk.st.st_dev == st.st_dev);
    else if (*path)
        ck_assert_msg(walk.nearest && !stat(walk.nearest, &st) && S_ISDIR(st.st_mode), "%s: nearest %s", path,
                      walk.nearest);
    path_walk_deinit(&walk);
}
END_TEST

static struct path_walk walked(const char *root, const char *cwd, const char *path)
{
    struct path_walk walk;

    path_walk(root, cwd, path, NULL, &walk);
    return walk;
}

START_TEST(forty_links)
{
    char name[16];

    sh("i=0; echo x >l0; while [ $i -lt 41 ]; do n=$((i + 1)); ln -s l$i l$n; i=$n; done");
    for (int i = 39; i <= 41; i++) {
        struct stat st;

        snprintf(name, sizeof name, "l%d", i);
        struct path_walk walk = walked("", bed, name);
        ck_assert_msg((stat(name, &st) == 0) == (walk.reason == PATH_OK), "%d links", i);
        ck_assert_uint_eq(walk.link_count, i < 41 ? i : 40);
        path_walk_deinit(&walk);
    }
}
END_TEST

START_TEST(too_long)
{
    char name[NAME_MAX + 2], path[PATH_MAX + 1];

    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct path_walk walk = walked("", bed, name);
    ck_assert_int_eq(walk.reason, PATH_TOO_LONG);
    path_walk_deinit(&walk);
    for (size_t i = 0; i < sizeof path - 1; i++)
        path[i] = i % 2 ? '.' : '/';
    path[sizeof path - 1] = '\0';
    walk = walked("", bed, path);
    ck_assert_int_eq(walk.error, ENAMETOOLONG);
    path_walk_deinit(&walk);
}
END_TEST

/* Absolute links and ".." stay inside the root, for the walk as for openat2(2). */
START_TEST(inside_a_root)
{
    CLEANUP_FREE char *root = xasprintf("%s/R", bed);
    struct stat st, inside;
    char text[16] = "";

    sh("mkdir -p R/etc R/usr/lib; echo inside >R/etc/name; ln -s /etc/name R/link; ln -s ../../../../etc/name R/usr/up;"
       "ln -s /usr/lib R/lib; ln -s /lib/none R/usr/gone");
    ck_assert_int_eq(stat("R/etc/name", &inside), 0);
    for (const char *const *path = (const char *const[]){"/link", "/usr/up", "/../etc/name", "etc/name", NULL}; *path;
         path++) {
        struct path_walk walk = walked(root, "/", *path);
        ck_assert_msg(walk.reason == PATH_OK, "%s: %s", *path, path_reason_text(walk.reason));
        ck_assert_str_eq(walk.final, "/etc/name");
        path_walk_deinit(&walk);
        ck_assert_int_eq(path_stat(root, *path, &st), 0);
        ck_assert_uint_eq(st.st_ino, inside.st_ino);
        CLEANUP_CLOSE int fd = path_open(root, *path);
        ck_assert_int_eq(read(fd, text, sizeof text), 7);
    }
    struct path_walk walk = walked(root, "/", "/usr/gone");
    ck_assert_int_eq(walk.reason, PATH_DANGLING);
    ck_assert_str_eq(walk.at, "/usr/gone");
    ck_assert_str_eq(walk.target, "/usr/lib/none");
    path_walk_deinit(&walk);
    ck_assert_int_eq(path_stat(root, "/usr/gone", &st), -ENOENT);
}
END_TEST

START_TEST(opening)
{
    ck_assert_int_eq(path_open("", "/dev/null"), -ENXIO);
    ck_assert_int_eq(path_open("", "/nothing"), -ENOENT);
    CLEANUP_FREE char *fifo = xasprintf("%s/fifo", bed);
    CLEANUP_CLOSE int fd = path_open("", fifo); /* must not wait for a writer */
    ck_assert_int_ge(fd, 0);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}
END_TEST

START_TEST(magic_links)
{
    struct path_walk walk = walked("", "/", "/proc/self/exe");
    struct stat st;

    ck_assert_int_eq(walk.reason, PATH_OK);
    ck_assert_int_eq(stat("/proc/self/exe", &st), 0);
    ck_assert_uint_eq(walk.st.st_ino, st.st_ino);
    path_walk_deinit(&walk);
}
END_TEST

START_TEST(credentials)
{
    gid_t groups[] = {7, 12};
    struct cred cred = {.uid = 1000, .gid = 1000, .groups = groups, .group_count = 2};
    struct stat st = {.st_mode = S_IFREG | 0640, .st_uid = 1000, .st_gid = 5};
    struct path_walk walk;

    ck_assert(path_permits(&st, &cred, R_OK | W_OK) && !path_permits(&st, &cred, X_OK));
    st.st_uid = 1;
    ck_assert(!path_permits(&st, &cred, R_OK));
    st.st_gid = 12;
    ck_assert(path_permits(&st, &cred, R_OK) && !path_permits(&st, &cred, W_OK));
    st.st_mode = S_IFREG | 0007; /* a member of the group is not one of the others */
    ck_assert(!path_permits(&st, &cred, R_OK));
    cred.override = true;
    ck_assert(path_permits(&st, &cred, R_OK | W_OK | X_OK));
    st.st_mode = S_IFREG | 0666;
    ck_assert(!path_permits(&st, &cred, X_OK));
    cred.override = false;

    sh("mkdir shut; echo x >shut/f; chmod 700 shut");
    path_walk("", bed, "shut/f", &(struct cred){.uid = getuid() + 1, .gid = getgid() + 1}, &walk);
    ck_assert_int_eq(walk.reason, PATH_DENIED);
    ck_assert_int_eq(walk.error, EACCES);
    ck_assert_str_eq(path_base(walk.at), "shut");
    path_walk_deinit(&walk);
}
END_TEST

START_TEST(text)
{
    static const char *const joins[][3] = {
        {"/a", "b", "/a/b"}, {"/a/", "b", "/a/b"}, {"/a", "/b", "/b"},          {"/a", "../b", "/a/../b"},
        {"/", "b", "/b"},    {"", "b", "b"},       {"/a/./b//", "c", "/a/b/c"}, {"/a", "./b", "/a/b"},
    };
    static const char *const directories[][2] = {
        {"/x", "/"}, {"x", "."}, {"/a/b", "/a"}, {"/a//b", "/a"}, {"a/b/", "a/b"}};

    for (size_t i = 0; i < sizeof joins / sizeof *joins; i++) {
        CLEANUP_FREE char *joined = path_join(joins[i][0], joins[i][1]);
        ck_assert_str_eq(joined, joins[i][2]);
    }
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        CLEANUP_FREE char *directory = path_dir(directories[i][0]);
        ck_assert_str_eq(directory, directories[i][1]);
    }
    ck_assert_str_eq(path_base("/a/b"), "b");
    ck_assert_str_eq(path_base("b"), "b");
}
END_TEST

START_TEST(nowhere)
{
    struct path_walk walk;
    struct stat st;

    path_walk(PATH_NOWHERE, "/", "/etc/passwd", NULL, &walk);
    ck_assert_int_eq(walk.reason, PATH_UNKNOWN);
    path_walk_deinit(&walk);
    ck_assert_int_eq(path_stat(PATH_NOWHERE, "/", &st), -ENODATA);
    ck_assert_int_eq(path_open(PATH_NOWHERE, "/etc/passwd"), -ENODATA);
    ck_assert_int_eq(access(PATH_NOWHERE "/etc/passwd", F_OK), -1); /* nor by any other way */
    CLEANUP_FREE char *tidy = path_tidy(PATH_NOWHERE, "/etc//./passwd"), *up = path_tidy(PATH_NOWHERE, "/a/../b");

    ck_assert_str_eq(tidy, "/etc/passwd");
    ck_assert_str_eq(up, "/a/../b"); /* a may be a link */
}
END_TEST

START_TEST(nearby)
{
    CLEANUP_FREE char *wanted = xasprintf("%s/N/libfoo.so.2", bed);
    CLEANUP_FREE char *best = xasprintf("%s/N/libfoo.so.1", bed);
    size_t count;

    sh("mkdir N; cd N; touch libfoo.so.1 LibFoo.so.2 libfop.so.2 libfoo.so.10.4.7 libquite-different.so.2 x");
    char **names = path_nearby("", wanted, 3, &count);
    ck_assert_uint_eq(count, 3);
    ck_assert_str_eq(names[0], best);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(!strstr(names[i], "different"), "%s", names[i]);
        free(names[i]);
    }
    free(names);
    ck_assert_ptr_null(path_nearby("", "/nothing/at/all", 3, &count));
    ck_assert_uint_eq(count, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("path");
    TCase *tcase = tcase_create("walk");

    tcase_add_checked_fixture(tcase, make_tree, bed_remove);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, components, 0, (int)(sizeof rows / sizeof *rows));
    tcase_add_test(tcase, forty_links);
    tcase_add_test(tcase, too_long);
    tcase_add_test(tcase, inside_a_root);
    tcase_add_test(tcase, opening);
    tcase_add_test(tcase, magic_links);
    tcase_add_test(tcase, credentials);
    tcase_add_test(tcase, text);
    tcase_add_test(tcase, nearby);
    tcase_add_test(tcase, nowhere);
    suite_add_tcase(suite, tcase);
    return bed_run(suite);
}
