/* Images in memory: our own, a child's, files laid out in an array (both hash tables, both classes), and damaged ones.
 * The judges are the program's own loader (link.h, dlvsym(3)) and the reader of files, which shares no code with it. */
#include "imagebed.h"
#include "loadbed.h"

#include <probes/elffile.h>
#include <probes/memimage.h>

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <sys/auxv.h>

static pid_t self;

static struct mem own_memory(void)
{
    self = getpid();
    return (struct mem){.read = read_process, .ctx = &self, .word_size = sizeof(void *)};
}

static uint64_t address(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

/* Not &_r_debug: a program that is linked at a fixed address has a copy of its own there. */
static const struct r_debug *loader_debug(void)
{
    for (const ElfW(Dyn) *d = _DYNAMIC; d->d_tag != DT_NULL; d++)
        if (d->d_tag == DT_DEBUG)
            return (const struct r_debug *)d->d_un.d_ptr; /* NOLINT(performance-no-int-to-ptr) */
    ck_abort_msg("no DT_DEBUG");
}

START_TEST(our_own_program)
{
    struct mem mem = own_memory();
    struct memimage image;
    const struct elffile *elf = elffile_get("", "/proc/self/exe");
    uint8_t id[32];
    CLEANUP_FREE char *interp = NULL;

    ck_assert_int_eq(memimage_of_headers(&mem, getauxval(AT_PHDR), getauxval(AT_PHNUM), &image), 0);
    ck_assert_uint_eq(image.bias, loader_debug()->r_map->l_addr);
    ck_assert_uint_eq(image.dynamic_addr, address(loader_debug()->r_map->l_ld));
    ck_assert_uint_eq(image.machine, elf->machine);
    ck_assert(memimage_holds(&image, address(our_own_program_fn), PF_X));
    ck_assert(!memimage_holds(&image, address(our_own_program_fn), PF_W));
    ck_assert(!memimage_holds(&image, address(&mem), 0));
    ck_assert_uint_eq(memimage_build_id(&image, id, sizeof id), elf->build_id_size);
    ck_assert_mem_eq(id, elf->build_id, elf->build_id_size);
    interp = memimage_interp(&image);
    ck_assert_str_eq(interp, elf->interp);
    memimage_deinit(&image);
    elffile_put(elf);
}
END_TEST

START_TEST(our_own_loader)
{
    struct mem mem = own_memory();
    struct memimage image;
    struct memimage_symbol symbol;
    CLEANUP_FREE char *soname = NULL;

    ck_assert_int_eq(memimage_at(&mem, getauxval(AT_BASE), &image), 0);
    ck_assert_uint_eq(image.bias, getauxval(AT_BASE));
    soname = memimage_soname(&image);
    ck_assert_str_eq(soname, "ld-linux-x86-64.so.2");
    ck_assert_int_eq(memimage_symbol(&image, "_r_debug", NULL, &symbol), 0);
    ck_assert_uint_eq(symbol.addr, address(loader_debug()));
    ck_assert_int_eq(memimage_symbol(&image, "_dl_debug_state", NULL, &symbol), 0);
    ck_assert_uint_eq(symbol.addr, loader_debug()->r_brk);
    ck_assert_int_eq(memimage_symbol(&image, "no_such_thing", NULL, &symbol), -1);
    ck_assert_int_eq(memimage_symbol(&image, "_r_debug", "GLIBC_9.9", &symbol), -1);
    memimage_deinit(&image);
}
END_TEST

/* Every object of this process but the program: each symbol that its file defines is found in memory, version by
 * version, with the file's address, size and type. The vdso is one of them: it has no file, and is its own judge. */
START_TEST(every_symbol_of_every_object)
{
    struct mem mem = own_memory();
    size_t objects = 0, symbols = 0, ifuncs = 0;

    for (const struct link_map *map = loader_debug()->r_map->l_next; map; map = map->l_next) {
        struct memimage image;
        const struct elffile *elf = *map->l_name == '/' ? elffile_get("", map->l_name) : NULL;

        ck_assert_int_eq(memimage_of_map(&mem, map->l_addr, address(map->l_ld), &image), 0);
        ck_assert_uint_ne(image.end_addr, 0);
        objects++;
        for (size_t i = 0; elf && i < elf->symbol_count; i++) {
            const struct elf_symbol *s = &elf->symbols[i];
            struct memimage_symbol found;
            bool absolute = s->absolute || s->type == STT_TLS;

            if (!s->defined || s->bind == STB_LOCAL)
                continue;
            ck_assert_msg(memimage_symbol(&image, s->name, s->version, &found) == 0, "%s@%s", s->name, s->version);
            if (found.index != i + 1) /* two of one name and version: the first of the chain is found */
                continue;
            ck_assert_uint_eq(found.addr, s->value + (absolute ? 0 : map->l_addr));
            ck_assert_uint_eq(found.size, s->size);
            ck_assert_uint_eq(found.type, s->type);
            ck_assert_int_eq(found.ifunc, s->type == STT_GNU_IFUNC);
            ck_assert_int_eq(found.hidden, s->hidden);
            ifuncs += found.ifunc;
            symbols++;
        }
        if (elf)
            elffile_put(elf);
        memimage_deinit(&image);
    }
    ck_assert_uint_gt(objects, 3);
    ck_assert_uint_gt(symbols, 3000);
    ck_assert_uint_gt(ifuncs, 50);
}
END_TEST

START_TEST(the_vdso)
{
    struct mem mem = own_memory();
    struct memimage image;
    struct memimage_symbol symbol;
    CLEANUP_FREE char *soname = NULL, *version = NULL;

    ck_assert_int_eq(memimage_at(&mem, getauxval(AT_SYSINFO_EHDR), &image), 0);
    soname = memimage_soname(&image);
    ck_assert_str_eq(soname, "linux-vdso.so.1");
    ck_assert_int_eq(memimage_symbol(&image, "__vdso_time", "LINUX_2.6", &symbol), 0);
    ck_assert(memimage_holds(&image, symbol.addr, PF_X));
    version = memimage_version(&image, symbol.version);
    ck_assert_str_eq(version, "LINUX_2.6");
    memimage_deinit(&image);
}
END_TEST

START_TEST(default_and_hidden_versions)
{
    struct mem mem = own_memory();
    struct memimage image;
    struct memimage_symbol symbol;
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    const struct link_map *map = libc;

    ck_assert_ptr_nonnull(libc);
    ck_assert_int_eq(memimage_of_map(&mem, map->l_addr, address(map->l_ld), &image), 0);
    ck_assert_int_eq(memimage_symbol(&image, "pthread_cond_wait", NULL, &symbol), 0);
    ck_assert_uint_eq(symbol.addr, address(dlsym(libc, "pthread_cond_wait")));
    ck_assert(!symbol.hidden);
    ck_assert_int_eq(memimage_symbol(&image, "pthread_cond_wait", "GLIBC_2.2.5", &symbol), 0);
    ck_assert_uint_eq(symbol.addr, address(dlvsym(libc, "pthread_cond_wait", "GLIBC_2.2.5")));
    ck_assert(symbol.hidden);
    memimage_deinit(&image);
    dlclose(libc);
}
END_TEST

START_TEST(hidden_functions_of_the_loader)
{
    struct mem mem = own_memory();
    struct memimage image;
    struct memimage_hidden hidden;
    struct memimage_segment *frames = NULL;

    ck_assert_int_eq(memimage_at(&mem, getauxval(AT_BASE), &image), 0);
    ck_assert_int_eq(memimage_hidden(&image, &hidden), 0);
    for (int i = 0; i < 3; i++) {
        uint64_t addr = i == 0 ? hidden.lookup_addr : i == 1 ? hidden.open_addr : hidden.close_addr;

        ck_assert(memimage_holds(&image, addr, PF_X));
        ck_assert(memimage_begins_function(&image, addr));
        ck_assert(!memimage_begins_function(&image, addr + 1));
        ck_assert(!memimage_begins_function(&image, addr - 1));
    }
    ck_assert(!memimage_begins_function(&image, 0));
    ck_assert(!memimage_begins_function(&image, UINT64_MAX));
    for (size_t i = 0; i < image.segment_count; i++)
        if (image.segments[i].type == PT_GNU_EH_FRAME)
            frames = &image.segments[i];
    ck_assert_ptr_nonnull(frames);
    frames->memory_size = 16; /* a table cut short: nothing is believed */
    ck_assert_int_eq(memimage_hidden(&image, &hidden), 0);
    ck_assert_uint_eq(hidden.open_addr, 0);
    memimage_deinit(&image);
}
END_TEST

static struct memimage_symbol symbol_in(pid_t pid, uint64_t base, const char *name)
{
    struct mem mem = {.read = read_process, .ctx = &pid, .word_size = sizeof(void *)};
    struct memimage image;
    struct memimage_symbol symbol;

    ck_assert_int_eq(memimage_at(&mem, base, &image), 0);
    ck_assert_int_eq(memimage_symbol(&image, name, NULL, &symbol), 0);
    memimage_deinit(&image);
    return symbol;
}

START_TEST(a_child)
{
    int ready[2];
    pid_t child;
    char c;

    ck_assert_int_eq(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        (void)!write(ready[1], "", 1);
        pause();
        _exit(0);
    }
    ck_assert_int_eq(read(ready[0], &c, 1), 1);
    ck_assert_uint_eq(symbol_in(child, getauxval(AT_BASE), "_r_debug").addr, address(loader_debug()));
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    close(ready[0]);
    close(ready[1]);
}
END_TEST

static const char library_source[] = "int first(void){return 1;}\n"
                                     "int second(void){return 2;}\n"
                                     "int data = 3;\n"
                                     "static void *pick(void){return first;}\n"
                                     "int chosen(void) __attribute__((ifunc(\"pick\")));\n"
                                     "int third(void){return 3;}\n";
static const char library_versions[] = "V_1 { global: first; data; }; V_2 { global: second; chosen; } V_1;\n";

/* Laid out at an address that fits in 32 bits, so that a word of either class holds it. */
static void check_laid_out(const char *options)
{
    enum { BASE = 0x70000000 };
    struct laid_out bytes;
    struct mem mem = {.read = read_laid_out, .ctx = &bytes, .word_size = 8};
    struct memimage image;
    struct memimage_symbol symbol;
    const struct elffile *elf;
    CLEANUP_FREE char *soname = NULL, *version = NULL;
    size_t seen = 0;

    sh("cc -shared -fPIC -nostdlib -Wl,-soname,libx.so.7 -Wl,--version-script=v.map %s -o libx.so x.c", options);
    lay_out("libx.so", BASE, &bytes);
    elf = elffile_get("", "libx.so");
    ck_assert_int_eq(memimage_at(&mem, BASE, &image), 0);
    ck_assert_uint_eq(image.class, elf->class);
    ck_assert_uint_eq(image.mem.word_size, elf->class == ELFCLASS64 ? 8 : 4);
    soname = memimage_soname(&image);
    ck_assert_str_eq(soname, "libx.so.7");
    for (size_t i = 0; i < elf->symbol_count; i++) {
        const struct elf_symbol *s = &elf->symbols[i];

        if (!s->defined || s->absolute)
            continue;
        ck_assert_int_eq(memimage_symbol(&image, s->name, s->version, &symbol), 0);
        ck_assert_uint_eq(symbol.addr, BASE + s->value);
        ck_assert_int_eq(symbol.ifunc, strcmp(s->name, "chosen") == 0);
        seen++;
    }
    ck_assert_uint_ge(seen, 5);
    ck_assert_int_eq(memimage_symbol(&image, "second", "V_2", &symbol), 0);
    version = memimage_version(&image, symbol.version);
    ck_assert_str_eq(version, "V_2");
    ck_assert_int_eq(memimage_symbol(&image, "second", "V_1", &symbol), -1);
    ck_assert_int_eq(memimage_symbol(&image, "absent", NULL, &symbol), -1);
    memimage_deinit(&image);
    elffile_put(elf);
    free(bytes.bytes);
}

START_TEST(hash_tables_and_classes)
{
    put("x.c", library_source);
    put("v.map", library_versions);
    check_laid_out("-Wl,--hash-style=gnu");
    check_laid_out("-Wl,--hash-style=sysv");
    check_laid_out("-Wl,--hash-style=both -Wl,-z,separate-code");
    check_laid_out("-m32 -Wl,--hash-style=gnu");
    check_laid_out("-m32 -Wl,--hash-style=sysv");
}
END_TEST

/* Whatever the bytes are: no crash, no leak, no long wait; the sanitizers and the alarm of Check are the judges. */
START_TEST(damaged_images)
{
    enum { BASE = 0x10000000, ROUNDS = 3000, MOST = 60 };
    struct laid_out whole, bytes;
    struct mem mem = {.read = read_laid_out, .ctx = &bytes, .word_size = 8};
    const struct elffile *elf = elffile_get("", "/proc/self/exe");
    uint8_t id[32];

    srand(7);
    lay_out(elf->interp, BASE, &whole);
    for (int round = 0; round < ROUNDS; round++) {
        struct memimage image;
        struct memimage_symbol symbol;
        struct memimage_hidden hidden;

        bytes = whole;
        bytes.bytes = xmemdup(whole.bytes, whole.size);
        for (int i = rand() % MOST; i >= 0; i--) /* the tables lie in front and behind */
            bytes.bytes[(i % 2 ? rand() % 0x1000 : (int)(whole.size - 0x2000) + rand() % 0x2000)] = (uint8_t)rand();
        if (round % 5 == 0)
            bytes.size = (size_t)rand() % whole.size;
        if (memimage_at(&mem, BASE, &image) == 0) {
            free(memimage_soname(&image));
            free(memimage_interp(&image));
            free(memimage_version(&image, 2));
            memimage_build_id(&image, id, sizeof id);
            memimage_symbol(&image, "_dl_debug_state", "GLIBC_PRIVATE", &symbol);
            memimage_symbol(&image, "_r_debug", NULL, &symbol);
            memimage_hidden(&image, &hidden);
            memimage_deinit(&image);
        }
        free(bytes.bytes);
    }
    free(whole.bytes);
    elffile_put(elf);
}
END_TEST

/* Chains that lead nowhere: a DT_HASH chain that is a ring, a DT_GNU_HASH chain without an end, versions in a ring. */
START_TEST(rings)
{
    enum { BASE = 0x40000000, SYMBOLS = 4 };
    static const char strings[] = "\0name";
    struct {
        uint32_t hash[2 + 1 + SYMBOLS];
        uint32_t gnu[4 + 2 + 1 + 0x4000];
        Elf64_Sym symbols[SYMBOLS];
        char strings[sizeof strings];
        Elf64_Verdef def;
        Elf64_Dyn dynamic[8];
    } *all = xcalloc(1, sizeof *all);
    struct laid_out bytes = {(uint8_t *)all, sizeof *all, BASE};
    struct mem mem = {.read = read_laid_out, .ctx = &bytes, .word_size = 8};
    struct memimage image;
    struct memimage_symbol symbol;
#define PLACE(member) (BASE + offsetof(__typeof__(*all), member))

    memcpy(all->strings, strings, sizeof strings);
    for (unsigned i = 0; i < SYMBOLS; i++)
        all->hash[3 + i] = 1 + i % 3; /* 1 -> 2 -> 3 -> 1 */
    all->hash[0] = 1;
    all->hash[1] = SYMBOLS;
    all->hash[2] = 1;
    all->gnu[0] = all->gnu[1] = all->gnu[2] = all->gnu[6] = 1; /* all words of the chain are even: it has no end */
    all->def = (Elf64_Verdef){.vd_ndx = 1, .vd_next = 0xfffffffe};
    const Elf64_Dyn tags[] = {
        {DT_HASH, {PLACE(hash)}},     {DT_SYMTAB, {PLACE(symbols)}}, {DT_STRTAB, {PLACE(strings)}},
        {DT_STRSZ, {sizeof strings}}, {DT_VERDEF, {PLACE(def)}},     {DT_VERDEFNUM, {4000}},
    };
    memcpy(all->dynamic, tags, sizeof tags);
    ck_assert_int_eq(memimage_of_map(&mem, BASE, PLACE(dynamic), &image), 0);
    ck_assert_int_eq(memimage_symbol(&image, "name", NULL, &symbol), -1);
    ck_assert_ptr_null(memimage_version(&image, 3));
    image.tags[0] = (struct memimage_tag){DT_GNU_HASH, PLACE(gnu)};
    ck_assert_int_eq(memimage_symbol(&image, "name", NULL, &symbol), -1);
    memimage_deinit(&image);
    free(all);
#undef PLACE
}
END_TEST

START_TEST(nothing_there)
{
    struct mem mem = own_memory();
    struct memimage image;
    static const char text[4096] = "not an image";

    ck_assert_int_eq(memimage_at(&mem, 0, &image), -1);
    ck_assert_int_eq(memimage_at(&mem, address(text), &image), -1);
    ck_assert_int_eq(memimage_of_headers(&mem, 8, 5, &image), -1);
    ck_assert_int_eq(memimage_of_headers(&mem, getauxval(AT_PHDR), 0, &image), -1);
    ck_assert_int_eq(memimage_of_map(&mem, 0, 8, &image), -1);
    ck_assert_ptr_null(image.tags);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memimage");
    TCase *own = tcase_create("processes"), *files = tcase_create("files");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(own, our_own_program);
    tcase_add_test(own, our_own_loader);
    tcase_add_test(own, every_symbol_of_every_object);
    tcase_add_test(own, the_vdso);
    tcase_add_test(own, default_and_hidden_versions);
    tcase_add_test(own, hidden_functions_of_the_loader);
    tcase_add_test(own, a_child);
    tcase_add_test(own, nothing_there);
    suite_add_tcase(suite, own);
    tcase_add_checked_fixture(files, bed_make, bed_remove);
    tcase_set_timeout(files, 60);
    tcase_add_test(files, hash_tables_and_classes);
    tcase_add_test(files, damaged_images);
    tcase_add_test(files, rings);
    suite_add_tcase(suite, files);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
