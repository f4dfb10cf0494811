/* ELF files as they are and as they should not be: fields of real ones, a table of corruptions with the state that each
 * must give, every truncation, and some thousand random changes that must end in some state and never in a crash. */
#include "loadbed.h"

#include <elf.h>
#include <fcntl.h>
#include <stddef.h>

static unsigned char *good;
static size_t good_size;

static void make_library(void)
{
    bed_make();
    put("x.c",
        "#include <stdlib.h>\n#include <stdio.h>\n__thread int t; extern int data; int *p = &data; int x(void) { "
        "return t + *p + (getenv(\"A\") != NULL); }\nint old(void) { return 1; }\nint new(void) { return 2; }\n"
        "__asm__(\".symver old,f@V_1\"); __asm__(\".symver new,f@@V_2\"); int call(void); int y(void) { return "
        "call(); }\n");
    put("x.map", "V_1 { global: x; f; old; new; local: *; };\nV_2 { global: y; t; } V_1;\n");
    sh("cc -shared -fPIC x.c -o x.so -Wl,-soname,libx.so.1,--version-script,x.map,-rpath,/r:'$ORIGIN',--build-id=sha1 "
       "-Wl,-z,lazy -lm -Wl,--no-as-needed -ldl");
    good = get_bytes("x.so", &good_size);
}

static void drop_library(void)
{
    free(good);
    bed_remove();
}

static const struct elf_version *version_named(const struct elf_version *versions, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(versions[i].name, name))
            return &versions[i];
    return NULL;
}

static const struct elf_symbol *undefined_named(const struct elffile *elf, const char *name)
{
    for (size_t i = 0; i < elf->symbol_count; i++)
        if (!elf->symbols[i].defined && !strcmp(elf->symbols[i].name, name))
            return &elf->symbols[i];
    return NULL;
}

START_TEST(fields)
{
    const struct elffile *elf = elffile_get("", "x.so");
    bool libc = false;

    ck_assert_int_eq(elf->state, ELFFILE_OK);
    ck_assert_uint_eq(elf->type, ET_DYN);
    ck_assert(elf->dynamic && !elf->interp && !elf->bind_now && !elf->symbolic && elf->has_versym);
    ck_assert_str_eq(elf->soname, "libx.so.1");
    ck_assert_str_eq(elf->runpath, "/r:$ORIGIN");
    ck_assert_ptr_null(elf->rpath);
    ck_assert_uint_ge(elf->needed_count, 1);
    ck_assert_uint_eq(elf->build_id_size, 20);
    ck_assert_uint_eq(elf->tls_size, 4);
    ck_assert(elf->has_gnu_stack && !elf->execstack);
    ck_assert_uint_eq(elf->file_size, good_size);
    ck_assert(version_named(elf->defs, elf->def_count, "libx.so.1")->base);
    ck_assert(!version_named(elf->defs, elf->def_count, "V_2")->base);
    ck_assert(elffile_defines_version(elf, "V_1") && !elffile_defines_version(elf, "V_3"));
    for (size_t i = 0; i < elf->need_count; i++)
        libc |= !strcmp(elf->needs[i].file, "libc.so.6") && !strncmp(elf->needs[i].name, "GLIBC_", 6);
    ck_assert(libc);
    ck_assert_ptr_null(elffile_loader_words(elf));
    elffile_put(elf);
}
END_TEST

START_TEST(references)
{
    const struct elffile *elf = elffile_get("", "x.so");
    const struct elf_symbol *data = undefined_named(elf, "data"), *call = undefined_named(elf, "call"),
                            *getenv_ = undefined_named(elf, "getenv");

    ck_assert(data->by_data && !data->by_call && !data->version);
    ck_assert(!call->by_data && call->by_call);
    ck_assert(getenv_->by_call && !strncmp(getenv_->version, "GLIBC_", 6) && !strcmp(getenv_->file, "libc.so.6"));
    elffile_put(elf);
    elf = elffile_get("", "/proc/self/exe");
    ck_assert(elf->state == ELFFILE_OK && elf->interp && elf->symbol_count > 10);
    ck_assert(undefined_named(elf, "mkdtemp") != NULL); /* though a program's hash table may offer nothing */
    elffile_put(elf);
}
END_TEST

START_TEST(lookups)
{
    const struct elffile *elf = elffile_get("", "x.so");

    ck_assert_ptr_nonnull(elffile_lookup(elf, "x", NULL));
    ck_assert_ptr_nonnull(elffile_lookup(elf, "x", "V_1"));
    ck_assert_ptr_null(elffile_lookup(elf, "x", "V_2"));
    ck_assert_str_eq(elffile_lookup(elf, "f", "V_1")->version, "V_1");
    ck_assert(elffile_lookup(elf, "f", "V_1")->hidden && !elffile_lookup(elf, "f", "V_2")->hidden);
    ck_assert_ptr_null(elffile_lookup(elf, "f", "V_3"));
    ck_assert_str_eq(elffile_lookup_any(elf, "f")->name, "f");
    ck_assert_ptr_null(elffile_lookup(elf, "call", NULL));
    ck_assert_ptr_null(elffile_lookup_any(elf, "call"));
    elffile_put(elf);
}
END_TEST

START_TEST(cache)
{
    const struct elffile *first = elffile_get("", "x.so"), *second = elffile_get("", "x.so"), *third;
    CLEANUP_CLOSE int fd = open("x.so", O_RDONLY);

    ck_assert_ptr_eq(first, second);
    third = elffile_get_fd(fd);
    ck_assert_ptr_eq(first, third);
    elffile_put(third);
    put("x.so", "no ELF file any more");
    third = elffile_get("", "x.so");
    ck_assert_int_eq(third->state, ELFFILE_NOT_ELF);
    ck_assert_str_eq(third->starts, "no ELF file any ");
    ck_assert_str_eq(first->soname, "libx.so.1"); /* who holds it may go on */
    elffile_forget_all();
    ck_assert_str_eq(second->soname, "libx.so.1");
    elffile_put(first);
    elffile_put(second);
    elffile_put(third);
}
END_TEST

START_TEST(no_files)
{
    static const struct {
        const char *path;
        enum elf_state state;
        const char *words;
    } rows[] = {
        {"/", ELFFILE_NOT_REGULAR, "cannot read file data"},
        {"/dev/null", ELFFILE_NOT_REGULAR, "cannot read file data"},
        {"/nothing", ELFFILE_UNREADABLE, "cannot open shared object file"},
        {"empty", ELFFILE_EMPTY, "file too short"},
        {"x.c", ELFFILE_NOT_ELF, "invalid ELF header"},
    };

    put("empty", "");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct elffile *elf = elffile_get("", rows[i].path);

        ck_assert_msg(elf->state == rows[i].state, "%s: %d", rows[i].path, elf->state);
        ck_assert_str_eq(elffile_loader_words(elf), rows[i].words);
        elffile_put(elf);
    }
}
END_TEST

/* --- corruptions ------------------------------------------------------------------------------------------------- */

#define EHDR(field) offsetof(Elf64_Ehdr, field)
static const struct {
    size_t offset, length;
    const char *bytes;
    enum elf_state state;
    const char *words;
} corruptions[] = {
    {0, 1, "\0", ELFFILE_NOT_ELF, "invalid ELF header"},
    {3, 1, "G", ELFFILE_NOT_ELF, "invalid ELF header"},
    {EI_CLASS, 1, "\0", ELFFILE_MALFORMED, "wrong ELF class: 0"},
    {EI_CLASS, 1, "\3", ELFFILE_MALFORMED, "wrong ELF class: 3"},
    {EI_DATA, 1, "\0", ELFFILE_MALFORMED, "ELF file data encoding not known"},
    {EI_VERSION, 1, "\2", ELFFILE_MALFORMED, "ELF file version ident does not match current one"},
    {EI_OSABI, 1, "\6", ELFFILE_MALFORMED, "ELF file OS ABI invalid"},
    {EI_OSABI, 1, "\3", ELFFILE_OK, NULL},
    {EI_ABIVERSION, 1, "\11", ELFFILE_MALFORMED, "ELF file ABI version invalid"},
    {15, 1, "\1", ELFFILE_MALFORMED, "nonzero padding in e_ident"},
    {EHDR(e_type), 1, "\0", ELFFILE_MALFORMED, "only ET_DYN and ET_EXEC can be loaded"},
    {EHDR(e_machine), 2, "\267\0", ELFFILE_OK, NULL},
    {EHDR(e_machine), 2, "\377\377", ELFFILE_OK, NULL},
    {EHDR(e_version), 1, "\0", ELFFILE_MALFORMED, "ELF file version does not match current one"},
    {EHDR(e_phoff), 4, "\377\377\377\177", ELFFILE_SHORT, "cannot read file data"},
    {EHDR(e_phoff), 8, "\377\377\377\377\377\377\377\377", ELFFILE_SHORT, "cannot read file data"},
    {EHDR(e_shoff), 8, "\377\377\377\377\377\377\377\377", ELFFILE_OK, NULL},
    {EHDR(e_shentsize), 6, "\377\377\377\377\377\377", ELFFILE_OK, NULL},
    {EHDR(e_phentsize), 1, "\0", ELFFILE_MALFORMED, "ELF file's phentsize not the expected size"},
    {EHDR(e_phnum), 2, "\0\0", ELFFILE_MALFORMED, "object file has no loadable segments"},
    {EHDR(e_phnum), 2, "\377\377", ELFFILE_SHORT, "cannot read file data"},
};

static const struct elffile *changed(size_t offset, const void *bytes, size_t n, size_t keep)
{
    CLEANUP_FREE unsigned char *copy = xmemdup(good, good_size);

    memcpy(copy + offset, bytes, n);
    put_bytes("changed", copy, keep);
    elffile_forget_all();
    return elffile_get("", "changed");
}

START_TEST(header_fields)
{
    const struct elffile *elf =
        changed(corruptions[_i].offset, corruptions[_i].bytes, corruptions[_i].length, good_size);
    const char *words = elffile_loader_words(elf);

    ck_assert_msg(elf->state == corruptions[_i].state, "%d: state %d, %s", _i, elf->state, elf->why);
    ck_assert_msg(words ? corruptions[_i].words && !strcmp(words, corruptions[_i].words) : !corruptions[_i].words,
                  "%d: %s", _i, words);
    elffile_put(elf);
}
END_TEST

/* Each PT_LOAD, PT_DYNAMIC and PT_NOTE, each field, to a few values that hurt. */
START_TEST(segment_fields)
{
    static const uint64_t values[] = {0, 1, 0xfff, 0x7fffffff, 0xffffffff, INT64_MAX, UINT64_MAX, UINT64_MAX - 7};
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)good;
    size_t bad = 0;

    for (unsigned i = 0; i < header->e_phnum; i++)
        for (size_t field = 8; field < sizeof(Elf64_Phdr); field += 8)
            for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
                const struct elffile *elf =
                    changed(header->e_phoff + i * sizeof(Elf64_Phdr) + field, &values[k], 8, good_size);

                ck_assert_msg(elf->state == ELFFILE_OK || elf->state == ELFFILE_TRUNCATED ||
                                  elf->state == ELFFILE_MALFORMED,
                              "segment %u, field %zu: %d", i, field, elf->state);
                bad += elf->state != ELFFILE_OK;
                elffile_put(elf);
            }
    ck_assert_uint_gt(bad, 20);
}
END_TEST

/* The dynamic section: every tag's value, to a few that hurt, and every tag to another. */
START_TEST(dynamic_fields)
{
    static const uint64_t values[] = {0, 1, 0x40, 0xffff, 0x7fffffff, UINT64_MAX, UINT64_MAX - 15};
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)good;
    const Elf64_Phdr *segment = (const Elf64_Phdr *)(good + header->e_phoff);

    while (segment->p_type != PT_DYNAMIC)
        segment++;
    for (size_t at = segment->p_offset; at < segment->p_offset + segment->p_filesz; at += 8)
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
            const struct elffile *elf = changed(at, &values[k], 8, good_size);

            ck_assert_int_eq(elf->state, ELFFILE_OK);
            elffile_lookup(elf, "x", "V_1");
            elffile_put(elf);
        }
}
END_TEST

START_TEST(truncations)
{
    size_t counts[ELFFILE_UNREADABLE + 1] = {0};

    for (size_t keep = 0; keep < good_size; keep += keep < 1200 ? 1 : 97) {
        const struct elffile *elf = changed(0, good, 1, keep);

        counts[elf->state]++;
        ck_assert_msg(elf->state == (keep == 0   ? ELFFILE_EMPTY
                                     : keep < 64 ? ELFFILE_SHORT
                                                 : elf->state),
                      "%zu bytes: %d", keep, elf->state);
        elffile_put(elf);
    }
    ck_assert_uint_gt(counts[ELFFILE_SHORT], 400); /* the header and eight or more program headers */
    ck_assert_uint_gt(counts[ELFFILE_TRUNCATED], 100);
}
END_TEST

/* Always the same "random" numbers: a failure can be run again. */
START_TEST(random_changes)
{
    uint32_t state = 4711;

    for (int round = 0; round < 4000; round++) {
        CLEANUP_FREE unsigned char *copy = xmemdup(good, good_size);

        for (int i = 0; i < 8; i++) {
            state = state * 1664525 + 1013904223;
            /* mostly where the headers, symbols and versions are */
            size_t at = (state >> 4) % (i < 6 ? 4096 : good_size);
            copy[at] = (unsigned char)(state >> 24);
        }
        put_bytes("changed", copy, good_size);
        elffile_forget_all();
        const struct elffile *elf = elffile_get("", "changed");
        ck_assert_int_le(elf->state, ELFFILE_UNREADABLE);
        elffile_lookup(elf, "x", "V_1");
        elffile_lookup_any(elf, "f");
        elffile_put(elf);
    }
}
END_TEST

/* --- other machines ------------------------------------------------------------------------------------------------
 */

START_TEST(machine_names)
{
    static const struct {
        const char *machine, *name;
    } rows[] = {{"\76\0", "x86_64"}, {"\3\0", "i386"},      {"\267\0", "aarch64"},
                {"\50\0", "arm"},    {"\363\0", "riscv64"}, {"\322\4", "machine 1234"}};
    const struct elffile *elf;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        elf = changed(EHDR(e_machine), rows[i].machine, 2, good_size);
        ck_assert_str_eq(elffile_machine_name(elf), rows[i].name);
        elffile_put(elf);
    }
    elf = changed(EI_CLASS, "\1", 1, good_size);
    ck_assert_str_eq(elffile_machine_name(elf), "x32");
    elffile_put(elf);
}
END_TEST

/* A 32-bit big-endian object, written here field by field: S/390 with two needed libraries. */
START_TEST(narrow_and_big_endian)
{
    static const unsigned char file[] = {
        0x7f, 'E', 'L', 'F', 1,   2,   1,    0,   0,   0,   0,    0,   0,   0,   0,    0,
        0,    3,   0,   22,  0,   0,   0,    1,   0,   0,   0,    0, /* header */
        0,    0,   0,   52,  0,   0,   0,    0,   0,   0,   0,    0,   0,   52,  0,    32,
        0,    2,   0,   0,   0,   0,   0,    0, /* … phnum 2 */
        0,    0,   0,   1,   0,   0,   0,    0,   0,   0,   0x10, 0,   0,   0,   0x10, 0,
        0,    0,   0,   184, 0,   0,   0,    184, 0,   0,   0,    5,   0,   0,   0x10, 0, /* PT_LOAD */
        0,    0,   0,   2,   0,   0,   0,    116, 0,   0,   0x10, 116, 0,   0,   0x10, 116,
        0,    0,   0,   40,  0,   0,   0,    40,  0,   0,   0,    6,   0,   0,   0,    4,  /* PT_DYNAMIC */
        0,    0,   0,   5,   0,   0,   0x10, 156, 0,   0,   0,    10,  0,   0,   0,    28, /* STRTAB, STRSZ */
        0,    0,   0,   1,   0,   0,   0,    1,   0,   0,   0,    1,   0,   0,   0,    11,
        0,    0,   0,   0,   0,   0,   0,    0, /* NEEDED ×2 */
        0,    'l', 'i', 'b', 'c', '.', 's',  'o', '.', '6', 0,    'l', 'i', 'b', 'm',  '.',
        's',  'o', '.', '6', 0,   0,   0,    0,   0,   0,   0,    0};
    const struct elffile *elf;

    put_bytes("s390.so", file, sizeof file);
    elf = elffile_get("", "s390.so");
    ck_assert_msg(elf->state == ELFFILE_OK, "%d: %s", elf->state, elf->why);
    ck_assert_str_eq(elffile_machine_name(elf), "s390");
    ck_assert_uint_eq(elf->needed_count, 2);
    ck_assert_str_eq(elf->needed[0], "libc.so.6");
    ck_assert_str_eq(elf->needed[1], "libm.so.6");
    elffile_put(elf);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("elffile");
    TCase *tcase = tcase_create("objects");

    tcase_add_checked_fixture(tcase, make_library, drop_library);
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, fields);
    tcase_add_test(tcase, references);
    tcase_add_test(tcase, lookups);
    tcase_add_test(tcase, cache);
    tcase_add_test(tcase, no_files);
    tcase_add_loop_test(tcase, header_fields, 0, (int)(sizeof corruptions / sizeof *corruptions));
    tcase_add_test(tcase, segment_fields);
    tcase_add_test(tcase, dynamic_fields);
    tcase_add_test(tcase, truncations);
    tcase_add_test(tcase, random_changes);
    tcase_add_test(tcase, machine_names);
    tcase_add_test(tcase, narrow_and_big_endian);
    suite_add_tcase(suite, tcase);
    return bed_run(suite);
}
