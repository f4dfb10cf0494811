/* Archives of software that no program at hand makes: an AppImage of the first type, which is an ISO 9660 image whose
 * first bytes are a program. */
#include <reports/archives.h>

#include <probes/alloc.h>

#include <archive.h>
#include <archive_entry.h>
#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char image[] = "/tmp/test_archives-XXXXXX";

static void put(struct archive *archive, const char *name, unsigned type, const char *text)
{
    struct archive_entry *entry = archive_entry_new();

    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, 0755);
    if (type == AE_IFLNK)
        archive_entry_set_symlink(entry, text);
    archive_entry_set_size(entry, type == AE_IFREG ? (int64_t)strlen(text) : 0);
    ck_assert_int_ge(archive_write_header(archive, entry), ARCHIVE_WARN);
    if (type == AE_IFREG)
        ck_assert_int_eq(archive_write_data(archive, text, strlen(text)), (la_ssize_t)strlen(text));
    archive_entry_free(entry);
}

static void make_image(void)
{
    struct archive *archive = archive_write_new();
    unsigned char start[16] = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT, 0, 'A', 'I', 1};
    int fd = mkstemp(image);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(archive_write_set_format_iso9660(archive), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_open_fd(archive, fd), ARCHIVE_OK);
    put(archive, "AppRun", AE_IFREG, "#!/bin/sh\n");
    put(archive, "usr", AE_IFDIR, NULL);
    put(archive, "usr/a name that is no 8.3", AE_IFREG, "#!/bin/true\n");
    put(archive, "usr/text", AE_IFREG, "nobody's program\n");
    put(archive, "usr/link", AE_IFLNK, "../AppRun");
    put(archive, "out", AE_IFLNK, "../../etc");
    ck_assert_int_eq(archive_write_free(archive), ARCHIVE_OK);
    ck_assert_int_eq(pwrite(fd, start, sizeof start, 0), (ssize_t)sizeof start);
    close(fd);
}

static bool is_there(const struct unpacked *unpacked, const char *name, unsigned type)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", unpacked->directory, name);
    struct stat st;

    return lstat(path, &st) == 0 && (st.st_mode & S_IFMT) == type;
}

START_TEST(an_appimage_of_the_first_type)
{
    struct unpacked unpacked;
    struct err err = {{0}};
    CLEANUP_FREE char *directory = NULL;
    struct stat st;
    int fd;

    make_image();
    fd = open(image, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(archives_kind(fd), ARCHIVE_APPIMAGE);
    ck_assert_msg(archives_open(fd, image, ARCHIVE_APPIMAGE, &unpacked, &err) == 0, "%s", err.text);
    ck_assert(is_there(&unpacked, "AppRun", S_IFREG));
    ck_assert(is_there(&unpacked, "usr/a name that is no 8.3", S_IFREG));
    ck_assert(is_there(&unpacked, "usr/link", S_IFLNK));
    ck_assert(!is_there(&unpacked, "usr/text", S_IFREG));
    ck_assert(!is_there(&unpacked, "out", S_IFLNK));
    ck_assert_uint_eq(unpacked.skipped, 1);
    ck_assert_ptr_null(unpacked.unread);
    directory = xstrdup(unpacked.directory);
    archives_close(&unpacked);
    ck_assert_int_lt(lstat(directory, &st), 0);
    close(fd);
    unlink(image);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("archives");
    TCase *tcase = tcase_create("archives");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, an_appimage_of_the_first_type);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
