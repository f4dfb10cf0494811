/* Bundles: what is packed comes back, byte for byte the same each time; hostile archives are refused and nothing is
 * written outside. And reports into files. */
#include "sample_report.h"

#include <reports/output.h>

#include <archive.h>
#include <archive_entry.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void setup(void)
{
    strcpy(directory, "/tmp/glibctrace-bundle-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    ck_assert_int_eq(mkdir("in", 0755), 0);
    ck_assert_int_eq(mkdir("out", 0755), 0);
}

static void teardown(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void write_text(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");

    ck_assert_ptr_nonnull(out);
    fputs(text, out);
    ck_assert_int_eq(fclose(out), 0);
}

/* malloced, with a NUL behind it */
static char *read_all(const char *path, size_t *size)
{
    FILE *in = fopen(path, "r");
    char *data = xmalloc((4 << 20) + 1);

    ck_assert_msg(in, "%s", path);
    *size = fread(data, 1, 4 << 20, in);
    data[*size] = '\0';
    fclose(in);
    return data;
}

static void file_is(const char *path, const char *text)
{
    size_t size;
    CLEANUP_FREE char *data = read_all(path, &size);

    ck_assert_str_eq(data, text);
}

static void make_repro(void)
{
    ck_assert_int_eq(mkdir("in/lib", 0700), 0);
    write_text("in/repro.sh", "#!/bin/sh\nexit 1\n");
    ck_assert_int_eq(chmod("in/repro.sh", 0700), 0);
    write_text("in/lib/libx.so.1", "x");
    ck_assert_int_eq(symlink("libx.so.1", "in/lib/libx.so"), 0);
    ck_assert_int_eq(symlink("loop", "in/lib/loop"), 0);
}

static int pack(const char *file, const char *repro, struct err *err)
{
    struct report *report = sample_design();
    FILE *trace = tmpfile();
    struct bundle_parts parts = {.trace = trace, .repro_dir = repro};
    int result;

    strings_addf(&report->redacted, "user name, as user1: 3 times");
    fputs("{\"n\":1}\n{\"n\":2}\n", trace);
    result = output_write(report, file, NULL, &parts, err);
    ck_assert_int_eq(ftell(trace), 16); /* as it was */
    fclose(trace);
    report_destroy(report);
    return result;
}

START_TEST(it_comes_back)
{
    CLEANUP_FREE char *top = NULL, *page = NULL;
    struct stat st;
    struct err err = {""};
    char link[64] = "";
    size_t size;

    make_repro();
    ck_assert_msg(pack("my case.tar.zst", "in", &err) == 0, "%s", err.text);
    ck_assert_msg(bundle_extract("my case.tar.zst", "out", NULL, &top, &err) == 0, "%s", err.text);
    ck_assert_str_eq(top, "my case");
    file_is("out/my case/trace.jsonl", "{\"n\":1}\n{\"n\":2}\n");
    file_is("out/my case/repro/repro.sh", "#!/bin/sh\nexit 1\n");
    file_is("out/my case/repro/lib/libx.so.1", "x");
    ck_assert_int_eq(stat("out/my case/repro/repro.sh", &st), 0);
    ck_assert(st.st_mode & S_IXUSR);
    ck_assert_int_eq(stat("out/my case/repro/lib/libx.so.1", &st), 0);
    ck_assert(!(st.st_mode & S_IXUSR));
    ck_assert_int_eq(readlink("out/my case/repro/lib/loop", link, sizeof link - 1), 4);
    page = read_all("out/my case/report.txt", &size);
    for (const char *const *name = (const char *const[]){"report.json", "report.html", "report.txt", "trace.jsonl",
                                                         "system.json", "repro/repro.sh", "repro/lib/libx.so.1", NULL};
         *name; name++)
        ck_assert_msg(strstr(page, *name), "%s is not listed", *name);
    ck_assert_ptr_nonnull(strstr(page, "\n  user name, as user1: 3 times\n"));
    ck_assert_ptr_nonnull(strstr(page, "\nnode ended with status 1. The cause is known (97 % sure).\n"));
    free(page);
    page = read_all("out/my case/report.html", &size);
    ck_assert_int_eq(strncmp(page, "<!DOCTYPE html>", 15), 0);
}
END_TEST

START_TEST(equal_reports_give_equal_bundles)
{
    CLEANUP_FREE char *a = NULL, *b = NULL;
    size_t size_a, size_b;
    struct err err = {""};

    make_repro();
    ck_assert_int_eq(pack("a.tar.zst", "in", &err), 0);
    ck_assert_int_eq(utimensat(AT_FDCWD, "in/repro.sh", (struct timespec[]){{1, 0}, {2, 0}}, 0), 0);
    ck_assert_int_eq(rename("a.tar.zst", "b"), 0);
    ck_assert_int_eq(pack("a.tar.zst", "in", &err), 0);
    a = read_all("a.tar.zst", &size_a);
    b = read_all("b", &size_b);
    ck_assert_uint_eq(size_a, size_b);
    ck_assert_int_eq(memcmp(a, b, size_a), 0);
}
END_TEST

START_TEST(its_list)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct err err = {""};

    make_repro();
    ck_assert_int_eq(pack("c.tar.zst", "in", &err), 0);
    ck_assert_msg(bundle_list("c.tar.zst", out, &err) == 0, "%s", err.text);
    fclose(out);
    ck_assert_ptr_nonnull(strstr(text, "    1 byte  c/repro/lib/libx.so.1  of the reproduction\n"));
    ck_assert_ptr_nonnull(strstr(text, "      link  c/repro/lib/libx.so    -> libx.so.1\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nReplaced in it:\n  user name, as user1: 3 times\n"));
    ck_assert_ptr_nonnull(strstr(text, "      user1 in report.json (1), report.txt (1)")); /* of that phrase itself */
    free(text);
}
END_TEST

START_TEST(a_member)
{
    CLEANUP_FREE char *data = NULL, *none = NULL;
    struct report *report = NULL;
    struct err err = {""};
    size_t size;

    ck_assert_int_eq(pack("ünï.tar.zst", NULL, &err), 0);
    ck_assert_msg(bundle_read("ünï.tar.zst", "report.json", &data, &size, &err) == 0, "%s", err.text);
    ck_assert_int_eq(report_json_parse(data, size, "x", &report, &err), 0);
    ck_assert_str_eq(report->causes[0]->missing, "GLIBC_2.38");
    ck_assert_int_eq(bundle_read("ünï.tar.zst", "nosuch", &none, &size, &err), -1);
    ck_assert_int_eq(bundle_extract("ünï.tar.zst", "out", NULL, NULL, &err), 0);
    ck_assert_int_eq(access("out/ünï/report.json", F_OK), 0);
    report_destroy(report);
}
END_TEST

START_TEST(a_reproduction_that_leads_out_is_not_packed)
{
    struct err err = {""};

    ck_assert_int_eq(symlink("/etc/passwd", "in/x"), 0);
    ck_assert_int_eq(pack("a.tar.zst", "in", &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "leads out"));
    ck_assert_int_eq(access("a.tar.zst", F_OK), -1);
    ck_assert_int_eq(unlink("in/x"), 0);
    ck_assert_int_eq(mkfifo("in/x", 0600), 0);
    ck_assert_int_eq(pack("a.tar.zst", "in", &err), -1);
    ck_assert_int_eq(pack("a.tar.zst", "nosuch", &err), -1);
}
END_TEST

/* --- hostile archives --- */

struct hostile {
    const char *name;
    mode_t type;
    const char *link; /* symbolic, or hard where HARD */
    bool hard;
    size_t size;
};

static void add_entry(struct archive *archive, const struct hostile *item)
{
    static char zeros[4096];
    struct archive_entry *entry = archive_entry_new();

    archive_entry_set_pathname(entry, item->name);
    archive_entry_set_filetype(entry, item->type);
    archive_entry_set_perm(entry, 04755);
    archive_entry_set_size(entry, item->hard ? 0 : (int64_t)item->size);
    if (item->link && item->hard)
        archive_entry_set_hardlink(entry, item->link);
    else if (item->link)
        archive_entry_set_symlink(entry, item->link);
    ck_assert_int_ge(archive_write_header(archive, entry), ARCHIVE_WARN);
    for (size_t left = item->hard ? 0 : item->size; left;) {
        la_ssize_t n = archive_write_data(archive, zeros, left < sizeof zeros ? left : sizeof zeros);

        ck_assert_int_gt(n, 0);
        left -= (size_t)n;
    }
    archive_entry_free(entry);
}

static void make_archive(const char *file, const struct hostile *items, size_t count)
{
    struct archive *archive = archive_write_new();

    ck_assert_int_eq(archive_write_set_format_pax_restricted(archive), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_add_filter_zstd(archive), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_open_filename(archive, file), ARCHIVE_OK);
    for (size_t i = 0; i < count; i++)
        add_entry(archive, &items[i]);
    ck_assert_int_eq(archive_write_free(archive), ARCHIVE_OK);
}

static const struct hostile deep = {.name =
                                        "c/1/2/3/4/5/6/7/8/9/1/2/3/4/5/6/7/8/9/1/2/3/4/5/6/7/8/9/1/2/3/4/5/6/7/8/9/1/2/"
                                        "3/4/5/6/7/8/9/1/2/3/4/5/6/7/8/9/1/2/3/4/5/6/7/8/9/1/2/3/4/5/6/x",
                                    .type = AE_IFREG};

/* Two entries each; the second one, or the first where there is no second, is what is wrong. */
static const struct {
    struct hostile items[2];
    const char *why;
} hostiles[] = {
    {{{"/etc/x", AE_IFREG, NULL, false, 1}}, "absolute"},
    {{{"../x", AE_IFREG, NULL, false, 1}}, "\"..\""},
    {{{"c/../../x", AE_IFREG, NULL, false, 1}}, "\"..\""},
    {{{"c/./x", AE_IFREG, NULL, false, 1}}, "\"..\""},
    {{{"c//x", AE_IFREG, NULL, false, 1}}, "empty part"},
    {{{"..", AE_IFDIR, NULL, false, 0}}, "\"..\""},
    {{{"x", AE_IFREG, NULL, false, 1}}, "begins with its folder"},
    {{{"c", AE_IFLNK, "out", false, 0}}, "begins with its folder"},
    {{{"c/x", AE_IFREG, NULL, false, 1}, {"d/x", AE_IFREG, NULL, false, 1}}, "outside the bundle's one folder"},
    {{{"c/x", AE_IFREG, NULL, false, 1}, {"cc/x", AE_IFREG, NULL, false, 1}}, "outside the bundle's one folder"},
    {{{"c/x", AE_IFREG, NULL, false, 1}, {"c/x", AE_IFREG, NULL, false, 1}}, "twice"},
    {{{"c/x", AE_IFDIR, NULL, false, 0}, {"c/x/", AE_IFDIR, NULL, false, 0}}, "twice"},
    {{{"c/l", AE_IFLNK, "/etc", false, 0}}, "absolute path"},
    {{{"c/l", AE_IFLNK, "../..", false, 0}}, "link with \"..\""},
    {{{"c/l", AE_IFLNK, "a/../..", false, 0}}, "link with \"..\""},
    {{{"c/l", AE_IFLNK, "a/..", false, 0}}, "link with \"..\""},
    {{{"c/x", AE_IFREG, NULL, false, 1}, {"c/h", AE_IFREG, "c/x", true, 0}}, "neither file"},
    {{{"c/h", AE_IFREG, "/etc/passwd", true, 0}}, "neither file"},
    {{{"c/dev", AE_IFCHR, NULL, false, 0}}, "neither file"},
    {{{"c/dev", AE_IFBLK, NULL, false, 0}}, "neither file"},
    {{{"c/fifo", AE_IFIFO, NULL, false, 0}}, "neither file"},
    {{{"c/l", AE_IFLNK, "d", false, 0}, {"c/l/x", AE_IFREG, NULL, false, 1}}, "cannot be entered"},
    {{{"c/f", AE_IFREG, NULL, false, 1}, {"c/f/x", AE_IFREG, NULL, false, 1}}, "cannot be entered"},
    {{{"c/big", AE_IFREG, NULL, false, 100001}}, "too large"},
    {{{"c/a", AE_IFREG, NULL, false, 60000}, {"c/b", AE_IFREG, NULL, false, 60000}}, "too large"},
};

START_TEST(hostile_archives_are_refused)
{
    const struct bundle_limits limits = {.files = 10, .bytes = 100000};
    struct err err = {""};
    struct stat st;

    make_archive("bad.tar.zst", hostiles[_i].items, hostiles[_i].items[1].name ? 2 : 1);
    ck_assert_int_eq(bundle_extract("bad.tar.zst", "out", &limits, NULL, &err), -1);
    ck_assert_msg(strstr(err.text, hostiles[_i].why), "%s", err.text);
    ck_assert_msg(strstr(err.text, "bad.tar.zst"), "%s", err.text);
    ck_assert_int_eq(access("x", F_OK), -1);
    ck_assert_int_eq(access("out/x", F_OK), -1);
    ck_assert_int_eq(access("out/d", F_OK), -1);
    if (lstat("out/c", &st) == 0)
        ck_assert(S_ISDIR(st.st_mode));
}
END_TEST

START_TEST(too_many_and_too_deep)
{
    const struct bundle_limits limits = {.files = 10};
    struct hostile items[11];
    char names[11][16];
    struct err err = {""};

    for (int i = 0; i < 11; i++) {
        snprintf(names[i], sizeof names[i], "c/%d", i);
        items[i] = (struct hostile){.name = names[i], .type = AE_IFREG};
    }
    make_archive("many.tar.zst", items, 11);
    ck_assert_int_eq(bundle_extract("many.tar.zst", "out", &limits, NULL, &err), -1);
    ck_assert_msg(strstr(err.text, "too many"), "%s", err.text);
    make_archive("deep.tar.zst", &deep, 1);
    ck_assert_int_eq(bundle_extract("deep.tar.zst", "out", NULL, NULL, &err), -1);
    ck_assert_msg(strstr(err.text, "too deep"), "%s", err.text);
}
END_TEST

/* What stands there already is neither written over nor followed. */
START_TEST(what_is_there_stays)
{
    static const struct hostile items[] = {{"c/x", AE_IFREG, NULL, false, 1}};
    struct err err = {""};

    make_archive("a.tar.zst", items, 1);
    write_text("outside", "mine");
    ck_assert_int_eq(mkdir("out/c", 0755), 0);
    ck_assert_int_eq(symlink("../../outside", "out/c/x"), 0);
    ck_assert_int_eq(bundle_extract("a.tar.zst", "out", NULL, NULL, &err), -1);
    file_is("outside", "mine");
    ck_assert_int_eq(unlink("out/c/x"), 0);
    ck_assert_int_eq(rmdir("out/c"), 0);
    ck_assert_int_eq(symlink("../in", "out/c"), 0);
    ck_assert_int_eq(bundle_extract("a.tar.zst", "out", NULL, NULL, &err), -1);
    ck_assert_int_eq(access("in/x", F_OK), -1);
}
END_TEST

START_TEST(set_user_id_does_not_come_out)
{
    static const struct hostile items[] = {{"./c/", AE_IFDIR, NULL, false, 0}, {"./c/x", AE_IFREG, NULL, false, 1}};
    struct err err = {""};
    struct stat st;

    make_archive("a.tar.zst", items, 2);
    ck_assert_msg(bundle_extract("a.tar.zst", "out", NULL, NULL, &err) == 0, "%s", err.text);
    ck_assert_int_eq(stat("out/c/x", &st), 0);
    ck_assert_int_eq(st.st_mode & 07000, 0);
}
END_TEST

START_TEST(no_archives)
{
    CLEANUP_FREE char *data = NULL, *member = NULL;
    struct err err = {""};
    size_t size, length;

    ck_assert_int_eq(bundle_extract("nosuch.tar.zst", "out", NULL, NULL, &err), -1);
    write_text("text.tar.zst", "this is no archive at all, whatever its name says");
    ck_assert_int_eq(bundle_extract("text.tar.zst", "out", NULL, NULL, &err), -1);
    ck_assert_int_eq(bundle_list("text.tar.zst", stdout, &err), -1);
    write_text("empty.tar.zst", "");
    ck_assert_int_eq(bundle_extract("empty.tar.zst", "out", NULL, NULL, &err), -1);
    ck_assert_int_eq(pack("a.tar.zst", NULL, &err), 0);
    data = read_all("a.tar.zst", &size);
    ck_assert_int_eq(truncate("a.tar.zst", (off_t)size / 2), 0);
    ck_assert_int_eq(bundle_read("a.tar.zst", "system.json", &member, &length, &err), -1);
    ck_assert_int_eq(bundle_extract("a.tar.zst", "out", NULL, NULL, &err), -1);
}
END_TEST

/* Any byte of a bundle changed: it is read or refused, and nothing is written outside. */
START_TEST(damaged_bundles)
{
    CLEANUP_FREE char *data = NULL;
    struct err err = {""};
    size_t size;

    ck_assert_int_eq(pack("a.tar.zst", NULL, &err), 0);
    data = read_all("a.tar.zst", &size);
    for (size_t i = 0; i < size; i += 13) {
        CLEANUP_FREE char *member = NULL;
        FILE *out = fopen("b.tar.zst", "w");
        size_t length;

        data[i] ^= 0x41;
        fwrite(data, 1, size, out);
        fclose(out);
        data[i] ^= 0x41;
        bundle_read("b.tar.zst", "system.json", &member, &length, &err);
    }
}
END_TEST

/* --- reports into files --- */

START_TEST(endings)
{
    struct report *report = sample_design();
    struct err err = {""};

    ck_assert_int_eq(output_check("-", &err), 0);
    ck_assert_int_eq(output_check("x.tar.zst", &err), 0);
    ck_assert_int_eq(output_check("x.md", &err), 0);
    ck_assert_int_eq(output_check("x.pdf", &err), -1);
    ck_assert_str_eq(err.text, "x.pdf: the ending picks the form of a report; known are .txt, .json, .md, .html, .dot, "
                               ".mmd, .sarif, .tar.zst "
                               "and - (standard output)");
    ck_assert_int_eq(output_check(".tar.zst", &err), -1);
    ck_assert_int_eq(output_write(report, "x.pdf", NULL, NULL, &err), -1);
    ck_assert_int_eq(access("x.pdf", F_OK), -1);
    report_destroy(report);
}
END_TEST

static int count_entries(const char *path)
{
    CLEANUP_FREE char *command = xasprintf("ls -A %s | wc -l", path);
    FILE *pipe = popen(command, "r");
    int count = -1;

    ck_assert_int_eq(fscanf(pipe, "%d", &count), 1);
    pclose(pipe);
    return count;
}

START_TEST(whole_or_not_at_all)
{
    struct report *report = sample_design();
    CLEANUP_FREE char *json = sample_render(&renderer_json, report, false, 0);
    struct err err = {""};
    struct stat st;

    umask(027);
    ck_assert_int_eq(output_write(report, "out/r.json", NULL, NULL, &err), 0);
    file_is("out/r.json", json);
    ck_assert_int_eq(stat("out/r.json", &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0640);
    ck_assert_int_eq(symlink("out/r.json", "link.json"), 0);
    ck_assert_int_eq(output_write(report, "link.json", NULL, NULL, &err), 0); /* the link stays one */
    ck_assert_int_eq(lstat("link.json", &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
    ck_assert_int_eq(output_write(report, "/dev/null", NULL, NULL, &err), -1);
    ck_assert_int_eq(mkdir("out/d.txt", 0755), 0);
    ck_assert_int_eq(output_write(report, "out/d.txt", NULL, NULL, &err), -1);
    ck_assert_int_eq(output_write(report, "nosuch/r.json", NULL, NULL, &err), -1);
    ck_assert_msg(strstr(err.text, "nosuch"), "%s", err.text);
    ck_assert_int_eq(count_entries("out"), 2); /* no draft is left */
    report_destroy(report);
}
END_TEST

START_TEST(a_full_disk)
{
    struct report *report = sample_design();
    struct err err = {""};

    ck_assert_int_eq(symlink("/dev/full", "full.json"), 0);
    ck_assert_int_eq(output_write(report, "full.json", NULL, NULL, &err), -1);
    ck_assert_msg(strstr(err.text, "No space left"), "%s", err.text);
    report_destroy(report);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bundle");
    TCase *tcase = tcase_create("bundle");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, it_comes_back);
    tcase_add_test(tcase, equal_reports_give_equal_bundles);
    tcase_add_test(tcase, its_list);
    tcase_add_test(tcase, a_member);
    tcase_add_test(tcase, a_reproduction_that_leads_out_is_not_packed);
    tcase_add_loop_test(tcase, hostile_archives_are_refused, 0, sizeof hostiles / sizeof *hostiles);
    tcase_add_test(tcase, too_many_and_too_deep);
    tcase_add_test(tcase, what_is_there_stays);
    tcase_add_test(tcase, set_user_id_does_not_come_out);
    tcase_add_test(tcase, no_archives);
    tcase_add_test(tcase, damaged_bundles);
    tcase_add_test(tcase, endings);
    tcase_add_test(tcase, whole_or_not_at_all);
    tcase_add_test(tcase, a_full_disk);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
