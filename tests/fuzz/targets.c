#include "targets.h"

#include <reports/archives.h>
#include <reports/bundle.h>
#include <reports/diff.h>
#include <reports/evidence_decode.h>
#include <reports/evidence_set.h>
#include <reports/explain.h>
#include <reports/log.h>
#include <reports/read_clean.h>
#include <reports/redact.h>

#include <probes/alloc.h>
#include <probes/elffile.h>

#include <ftw.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <zstd.h>

/* ---- where the bytes are, and where what is made of them goes ---- */

/* A file without a name that holds them, read from its start; a descriptor. */
static int file_of(const void *data, size_t size)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    return fd;
}

static char *path_of(int fd)
{
    return xasprintf("/proc/self/fd/%d", fd);
}

static FILE *nowhere(void)
{
    FILE *out = fopen("/dev/null", "we");

    if (!out)
        abort();
    return out;
}

/* In every form; what is said in report.json must be read again. */
static void render(const struct report *report, FILE *trace)
{
    const struct render_options options = {.trace = trace};
    CLEANUP_FCLOSE FILE *out = nowhere();
    CLEANUP_FREE char *json = NULL;
    size_t size;
    FILE *kept = open_memstream(&json, &size);
    struct report *again;
    struct err err;

    for (size_t i = 0; renderers[i]; i++)
        if (trace || renderers[i] != &renderer_html) /* its own script and style take longer than the reading */
            renderers[i]->render(report, &options, renderers[i] == &renderer_json ? kept : out);
    fclose(kept);
    if (report_json_parse(json, size, "the report", &again, &err) < 0) {
        fprintf(stderr, "%s\n%s\n", err.text, json);
        abort();
    }
    report_destroy(again);
}

static void hide(struct report *report)
{
    struct redactor *redactor = redactor_create();

    redactor_add_home(redactor, "/home/u");
    redactor_add_user(redactor, "u");
    report_redact(report, redactor);
    redactor_destroy(redactor);
}

static void explain(struct evidence *evidence)
{
    struct report *report;
    struct err err;

    if (!evidence->log || explain_log(evidence, NULL, NULL, &report, &err) < 0)
        return;
    hide(report);
    render(report, evidence->reader->whole ? evidence->log : NULL);
    report_destroy(report);
}

/* ---- logs and pastes ---- */

static int read_trace(FILE *in, const struct sink *sink, struct evidence_read *ret, struct err *err)
{
    *ret = (struct evidence_read){.how = INPUT_BUNDLE};
    return log_read(in, sink, &ret->skipped, err);
}

/* Whatever its first line is. */
static void run_trace(const uint8_t *data, size_t size)
{
    static const struct evidence_reader reader = {"trace.jsonl", true, true, NULL, read_trace};
    struct evidence evidence = {.name = (char *)"fuzz", .reader = &reader};

    evidence.log = fdopen(file_of(data, size), "r");
    explain(&evidence);
    fclose(evidence.log);
}

static void run_text(const uint8_t *data, size_t size)
{
    CLEANUP_CLOSE int fd = file_of(data, size);
    CLEANUP_FREE char *path = path_of(fd);
    struct evidence evidence;
    struct err err;

    if (evidence_open(path, &evidence, &err) < 0)
        return;
    explain(&evidence);
    evidence_close(&evidence);
}

/* Line by line, each in memory of its own that ends where the line does. */
static void run_clean(const uint8_t *data, size_t size)
{
    struct clean clean = {0};

    while (size) {
        const uint8_t *newline = memchr(data, '\n', size);
        size_t length = newline ? (size_t)(newline - data) : size, cleaned = length;
        CLEANUP_FREE char *copy = xmalloc(length + 1);
        char *line = copy;

        memcpy(copy, data, length);
        copy[length] = '\0';
        if (clean_line(&clean, &line, &cleaned) &&
            (line < copy || line + cleaned > copy + length || line[cleaned] != '\0'))
            abort();
        length += newline != NULL;
        data += length;
        size -= length;
    }
}

static void run_decode(const uint8_t *data, size_t size)
{
    FILE *in = fdopen(file_of(data, size), "r");
    bool cut = false;
    struct err err;

    evidence_decode(&in, "fuzz", &cut, &err);
    while (getc_unlocked(in) != EOF)
        ;
    fclose(in);
}

/* Up to nine files with a NUL between them: log.1, log.2, … */
static void run_set(const uint8_t *data, size_t size)
{
    struct evidence_set set = {0};
    struct err err;
    bool good = true;
    FILE *merged = NULL;

    for (int pid = 1; good && pid < 10; pid++) {
        const uint8_t *nul = memchr(data, '\0', size);
        size_t length = nul ? (size_t)(nul - data) : size;
        CLEANUP_FREE char *name = xasprintf("log.%d", pid);

        good = evidence_set_add(&set, name, fdopen(file_of(data, length), "r"), &err) == 0;
        data += length + (nul != NULL);
        size -= length + (nul != NULL);
    }
    if (good)
        merged = evidence_set_merge(&set, "fuzz", &err);
    while (merged && getc_unlocked(merged) != EOF)
        ;
    if (merged)
        fclose(merged);
    evidence_set_deinit(&set);
}

/* ---- files ---- */

static void run_elf(const uint8_t *data, size_t size)
{
    CLEANUP_CLOSE int fd = file_of(data, size);
    const struct elffile *elf = elffile_get_fd(fd);

    elffile_machine_name(elf);
    elffile_loader_words(elf);
    for (size_t i = 0; i < elf->symbol_count && i < 16; i++)
        elffile_lookup(elf, elf->symbols[i].name, elf->symbols[i].version);
    for (size_t i = 0; i < elf->need_count && i < 16; i++)
        elffile_defines_version(elf, elf->needs[i].name);
    elffile_lookup_any(elf, "main");
    elffile_put(elf);
    elffile_forget_all();
}

/* The bytes are the archive's: what packs it is libzstd's to read, and would hide everything from the fuzzer. */
static void run_bundle(const uint8_t *data, size_t size)
{
    size_t room = ZSTD_compressBound(size);
    CLEANUP_FREE char *packed = xmalloc(room);
    size_t n = ZSTD_compress(packed, room, data, size, 1);
    CLEANUP_CLOSE int fd = file_of(packed, n);
    CLEANUP_FREE char *path = path_of(fd);
    CLEANUP_FCLOSE FILE *out = nowhere();
    struct err err;

    bundle_list(path, out, &err);
    run_text((const uint8_t *)packed, n);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

/* All that it would unpack; a refusal or not, nothing may come to lie elsewhere. */
static void run_archive(const uint8_t *data, size_t size)
{
    char directory[] = "/dev/shm/fuzz-XXXXXX";
    CLEANUP_CLOSE int fd = file_of(data, size);
    struct err err;

    if (!mkdtemp(directory) && !mkdtemp(strcpy(directory, "/tmp/fuzz-XXXXXX")))
        abort();
    archives_install(fd, "fuzz", directory, &err);
    if (nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS) < 0)
        abort();
}

/* Two reports with a NUL between them, which no JSON has. */
static void run_report(const uint8_t *data, size_t size)
{
    const uint8_t *nul = memchr(data, '\0', size), *second = nul ? nul + 1 : data;
    CLEANUP_CLOSE int good = file_of(data, nul ? (size_t)(nul - data) : size);
    CLEANUP_CLOSE int bad = file_of(second, (size_t)(data + size - second));
    CLEANUP_FREE char *good_path = path_of(good), *bad_path = path_of(bad);
    CLEANUP_FCLOSE FILE *out = nowhere();
    struct diff diff;
    struct err err;

    if (diff_open(good_path, bad_path, &diff, &err) == 0) {
        diff_text(&diff, out);
        diff_json(&diff, out);
    }
    diff_deinit(&diff);
}

const struct fuzz_target fuzz_targets[] = {
    {"trace", run_trace},   {"strace", run_text},     {"lddebug", run_text},  {"words", run_text},
    {"clean", run_clean},   {"decode", run_decode},   {"set", run_set},       {"elf", run_elf},
    {"bundle", run_bundle}, {"archive", run_archive}, {"report", run_report}, {0},
};
