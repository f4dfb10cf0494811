/* Unwind tables, symbols and DWARF with random bytes in them: whatever a file holds, nothing happens but that names or
 * frames are missing. Run it with the sanitizers (make check SAN=1). */
#include <probes/alloc.h>
#include <probes/codefile.h>

#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* dwarf_getscopes(3) of elfutils 0.188 loses what it has found so far when it meets a broken entry. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libdw";
}

static unsigned char *whole;
static size_t whole_size;
static uint64_t seed = 1;

static uint32_t number(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33);
}

static ssize_t read_anything(void *ctx, uint64_t addr, void *buf, size_t n)
{
    (void)ctx;
    memset(buf, (int)(addr >> 3 & 0xff), n);
    return (ssize_t)n;
}

static const struct mem mem = {.read = read_anything, .word_size = 8};

/* This program itself has all of it: many compilation units, inlined functions, symbols. */
static void load(void)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat st;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    whole_size = (size_t)st.st_size;
    whole = xmalloc(whole_size);
    for (size_t at = 0; at < whole_size;) {
        ssize_t n = pread(fd, whole + at, whole_size - at, (off_t)at);

        ck_assert_int_gt(n, 0);
        at += (size_t)n;
    }
    close(fd);
}

static void unload(void)
{
    free(whole);
}

static const Elf64_Shdr *section(const unsigned char *file, const char *name)
{
    const Elf64_Ehdr *header = (const void *)file;
    const Elf64_Shdr *sections = (const void *)(file + header->e_shoff);
    const char *names = (const char *)file + sections[header->e_shstrndx].sh_offset;

    for (size_t i = 0; i < header->e_shnum; i++)
        if (!strcmp(names + sections[i].sh_name, name))
            return &sections[i];
    return NULL;
}

static void use(const unsigned char *bytes, size_t size)
{
    struct codefile *file = codefile_image(xmemdup(bytes, size), size);
    const Elf64_Shdr *text = section(whole, ".text");
    uint64_t start, addr;
    uint32_t crc;
    const uint8_t *id;

    if (!file)
        return;
    codefile_build_id(file, &id);
    free(codefile_debuglink(file, &crc));
    codefile_section(file, ".gopclntab", &start, &addr);
    for (int i = 0; i < 6; i++) {
        struct frame frames[16] = {0};
        struct unwind unwind = {.exact = true};

        addr = text->sh_addr + number() % text->sh_size;
        for (unsigned k = 0; k < STACK_REGISTERS; k++)
            unwind_set(&unwind, k, number());
        codefile_unwind(file, addr, 0, &mem, &unwind);
        size_t count = codefile_names(file, addr, frames, 16);
        ck_assert_uint_le(count, 16);
        for (size_t k = 0; k < count; k++) {
            free(frames[k].symbol);
            free(frames[k].file);
        }
        free(codefile_symbol(file, addr, &start));
    }
    codefile_close(file);
}

static const char *const damaged[] = {".eh_frame",      ".eh_frame_hdr", ".symtab",       ".strtab",
                                      ".debug_info",    ".debug_line",   ".debug_abbrev", ".debug_rnglists",
                                      ".debug_aranges", ".debug_str"};

START_TEST(random_bytes)
{
    const Elf64_Shdr *where = section(whole, damaged[_i]);

    if (!where || where->sh_type == SHT_NOBITS || !where->sh_size) /* not every compiler makes all of them */
        return;
    for (int round = 0; round < 40; round++) {
        CLEANUP_FREE unsigned char *bytes = xmemdup(whole, whole_size);

        for (int k = 0; k < 200; k++)
            bytes[where->sh_offset + number() % where->sh_size] = (unsigned char)number();
        use(bytes, whole_size);
    }
}
END_TEST

START_TEST(headers)
{
    const Elf64_Ehdr *header = (const void *)whole;

    for (int round = 0; round < 150; round++) {
        CLEANUP_FREE unsigned char *bytes = xmemdup(whole, whole_size);
        size_t table = header->e_shoff, size = (size_t)header->e_shnum * sizeof(Elf64_Shdr);

        for (int k = 0; k < 4; k++) {
            bytes[table + number() % size] = (unsigned char)number();
            bytes[4 + number() % 900] = (unsigned char)number();
        }
        use(bytes, whole_size);
    }
}
END_TEST

START_TEST(cut_off)
{
    for (int round = 0; round < 60; round++) {
        size_t size = number() % whole_size;

        use(whole, size);
    }
}
END_TEST

START_TEST(sound)
{
    uint64_t addr = (uint64_t)(uintptr_t)load, start = 0;
    struct codefile *file = codefile_image(xmemdup(whole, whole_size), whole_size);
    struct frame frames[4] = {0};

    ck_assert_ptr_nonnull(file);
    CLEANUP_FREE char *name = codefile_symbol(file, addr, &start);
    ck_assert_str_eq(name, "load");
    ck_assert_uint_eq(start, addr);
    ck_assert_uint_ge(codefile_names(file, addr, frames, 4), 1);
    ck_assert_str_eq(frames[0].symbol, "load");
    ck_assert_ptr_nonnull(strstr(frames[0].file, "test_codefile.c"));
    free(frames[0].symbol);
    free(frames[0].file);
    codefile_close(file);
    ck_assert_ptr_null(codefile_image(xmemdup("\177ELF", 4), 4));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("codefile");
    TCase *tcase = tcase_create("files");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, load, unload);
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, sound);
    tcase_add_loop_test(tcase, random_bytes, 0, (int)(sizeof damaged / sizeof *damaged));
    tcase_add_test(tcase, headers);
    tcase_add_test(tcase, cut_off);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
