#include "evidence.h"

#include "bundle.h"
#include "evidence_decode.h"
#include "evidence_set.h"
#include "json_line.h"
#include "log.h"
#include "read_text.h"
#include "unpack.h"

#include <probes/alloc.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
    HEAD_MAX = 64 * 1024,  /* bytes that are looked at to know what a file is */
    REPORT_MAX = 64 << 20, /* … and of a report.json */
};
#define SPOOL_MAX (UINT64_C(4) << 30)

/* ---- the formats ---- */

static bool knows_trace(const char *head, size_t size)
{
    size_t length = strcspn(head, "\n");
    CLEANUP_FREE char *line = xstrndup(head, length);
    struct json_line parsed = {0};
    struct err unused;
    bool known = false;

    (void)size;
    if (*head == '{' && json_line_parse(&parsed, line, length, &unused) == 0)
        known = json_line_string(&parsed, "type") && json_line_int(&parsed, "n", 0) > 0;
    json_line_deinit(&parsed);
    return known;
}

static int read_trace(FILE *in, const struct sink *sink, struct evidence_read *ret, struct err *err)
{
    *ret = (struct evidence_read){.how = INPUT_BUNDLE};
    return log_read(in, sink, &ret->skipped, err);
}

static int read_text(FILE *in, const struct sink *sink, struct evidence_read *ret, struct err *err)
{
    *ret = (struct evidence_read){.how = INPUT_TEXT};
    return text_read(in, sink, &ret->how, err);
}

/* Asked in this order. */
static const struct evidence_reader readers[] = {
    {"trace.jsonl", true, true, knows_trace, read_trace},
    {"text", false, false, text_knows, read_text},
};

const char *evidence_known(void)
{
    return "a bundle (.tar.zst), the folder that one was unpacked into, its trace.jsonl, or text: a log, what a "
           "terminal showed";
}

static const struct evidence_reader *reader_for(const char *head, size_t size)
{
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (readers[i].knows(head, size))
            return &readers[i];
    return NULL;
}

/* The beginning of IN, which is left at its start. */
static size_t read_head(FILE *in, char head[HEAD_MAX + 1])
{
    size_t n = fread(head, 1, HEAD_MAX, in);

    head[n] = '\0';
    rewind(in);
    return n;
}

/* ---- a bundle ---- */

struct unbundle {
    FILE *log;
    struct text_buffer {
        char *v;
        size_t n, cap;
    } report;
    enum { TO_NOWHERE, TO_LOG, TO_REPORT } to;
    bool has_log, has_report;
};

static void on_entry(void *ctx, const struct unpack_item *item)
{
    struct unbundle *unbundle = ctx;
    const char *name = bundle_below_top(item->name);

    unbundle->to = TO_NOWHERE;
    if (item->kind != UNPACK_FILE)
        return;
    if (strcmp(name, "trace.jsonl") == 0) {
        unbundle->to = TO_LOG;
        unbundle->has_log = true;
    } else if (strcmp(name, "report.json") == 0) {
        unbundle->to = TO_REPORT;
        unbundle->has_report = true;
    }
}

static void on_bytes(void *ctx, const char *data, size_t size)
{
    struct unbundle *unbundle = ctx;
    struct text_buffer *report = &unbundle->report;

    if (unbundle->to == TO_LOG)
        fwrite(data, 1, size, unbundle->log);
    if (unbundle->to != TO_REPORT || report->n + size > REPORT_MAX)
        return;
    if (report->n + size > report->cap)
        report->v = xrealloc(report->v, report->cap = (report->n + size) * 2);
    memcpy(report->v + report->n, data, size);
    report->n += size;
}

/* FILE: what is opened; the evidence's name is what messages call it. */
static int open_bundle(struct evidence *evidence, const char *file, struct err *err)
{
    struct unbundle unbundle = {.log = tmpfile()};
    const struct bundle_visitor visitor = {on_entry, on_bytes, &unbundle};
    int result;

    if (!unbundle.log)
        return err_errno(err, errno, "cannot keep the log of %s in %s", evidence->name, P_tmpdir);
    evidence->log = unbundle.log;
    evidence->reader = &readers[0];
    result = bundle_walk(file, &visitor, err);
    if (result >= 0 && (fflush(unbundle.log) != 0 || ferror(unbundle.log)))
        result = err_errno(err, errno, "cannot keep the log of %s in %s", evidence->name, P_tmpdir);
    if (result >= 0 && !unbundle.has_log)
        result = err_set(err, "%s holds no trace.jsonl: it is no bundle of glibctrace", evidence->name);
    if (result >= 0 && unbundle.has_report)
        result = report_json_parse(unbundle.report.v ? unbundle.report.v : "", unbundle.report.n, evidence->name,
                                   &evidence->report, err);
    rewind(unbundle.log);
    free(unbundle.report.v);
    return result;
}

/* ---- a folder, a file ---- */

/* A plain file NAME of the folder AT; NULL with errno. Neither a link nor a pipe of an unpacked folder is followed. */
static FILE *open_plain(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    struct stat st;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fdopen(fd, "r");
    close(fd);
    errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    return NULL;
}

static int load_report(struct evidence *evidence, FILE *in, struct err *err)
{
    CLEANUP_FREE char *data = xmalloc(1 << 16);
    size_t n = 0, cap = 1 << 16, got;

    while ((got = fread(data + n, 1, cap - n, in)) > 0) {
        n += got;
        if (n > REPORT_MAX)
            return err_set(err, "%s: more than %d MB, too large for a report", evidence->name, REPORT_MAX >> 20);
        if (n == cap)
            data = xrealloc(data, cap *= 2);
    }
    if (ferror(in))
        return err_errno(err, errno, "%s: cannot be read", evidence->name);
    return report_json_parse(data, n, evidence->name, &evidence->report, err);
}

static int open_stream(struct evidence *evidence, FILE *in, struct err *err);

/* The files NAME.PID that belong to the evidence's name: 1; 0 where there is none. */
static int open_set(struct evidence *evidence, struct err *err)
{
    struct evidence_set set;
    FILE *merged = NULL;
    int result = evidence_set_find(evidence->name, &set, err);

    if (result >= 0 && set.count) {
        merged = evidence_set_merge(&set, evidence->name, err);
        result = merged ? open_stream(evidence, merged, err) : -1;
    }
    evidence_set_deinit(&set);
    return result < 0 ? -1 : merged != NULL;
}

static int open_folder(struct evidence *evidence, struct err *err)
{
    CLEANUP_CLOSE int at = open(evidence->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FILE *report;
    int result = 0;

    if (at < 0)
        return err_errno(err, errno, "%s", evidence->name);
    evidence->log = open_plain(at, "trace.jsonl");
    evidence->reader = &readers[0];
    report = open_plain(at, "report.json");
    if (report) {
        result = load_report(evidence, report, err);
        fclose(report);
    }
    if (evidence->log || report)
        return result;
    result = open_set(evidence, err);
    if (!result)
        return err_set(err,
                       "%s: the folder holds neither trace.jsonl nor report.json, and no logs of single processes "
                       "(log.PID, of strace -ff or LD_DEBUG_OUTPUT)",
                       evidence->name);
    return result < 0 ? -1 : 0;
}

/* All that comes from IN, in a file without a name: a pipe cannot be read twice. */
static FILE *spool(const struct evidence *evidence, FILE *in, struct err *err)
{
    FILE *out = tmpfile();
    char buffer[1 << 14];
    uint64_t all = 0;
    size_t n;

    if (!out) {
        err_errno(err, errno, "cannot keep %s in %s", evidence->name, P_tmpdir);
        return NULL;
    }
    while ((n = fread(buffer, 1, sizeof buffer, in)) > 0 && (all += n) <= SPOOL_MAX)
        fwrite(buffer, 1, n, out);
    if (all > SPOOL_MAX)
        err_set(err, "%s does not end within %llu GB", evidence->name, (unsigned long long)(SPOOL_MAX >> 30));
    else if (ferror(in))
        err_errno(err, errno, "%s cannot be read", evidence->name);
    else if (fflush(out) != 0 || ferror(out))
        err_errno(err, errno, "cannot keep %s in %s", evidence->name, P_tmpdir);
    else {
        rewind(out);
        return out;
    }
    fclose(out);
    return NULL;
}

/* What IN is, which is taken over. */
static int open_stream(struct evidence *evidence, FILE *in, struct err *err)
{
    static const char zstd[] = "\x28\xb5\x2f\xfd"; /* RFC 8878, section 3.1.1 */
    CLEANUP_FREE char *head = xmalloc(HEAD_MAX + 1);
    size_t n;
    int result;

    if (evidence_decode(&in, evidence->name, err) < 0) {
        fclose(in);
        return -1;
    }
    n = read_head(in, head);
    if (n >= 4 && memcmp(head, zstd, 4) == 0) {
        CLEANUP_FREE char *path = xasprintf("/proc/self/fd/%d", fileno(in));
        struct stat st;
        bool named = stat(evidence->name, &st) == 0 && S_ISREG(st.st_mode);

        result = open_bundle(evidence, named ? evidence->name : path, err);
        fclose(in);
        return result;
    }
    if (n && head[strspn(head, " \t\r\n")] == '{' && strstr(head, "glibctrace.report/")) {
        result = load_report(evidence, in, err);
        fclose(in);
        return result;
    }
    evidence->reader = reader_for(head, n);
    if (evidence->reader) {
        evidence->log = in;
        return 0;
    }
    if (!n)
        result = err_set(err, "%s is empty", evidence->name);
    else
        result = err_set(err, "%s is nothing that can be read: it wants %s", evidence->name, evidence_known());
    fclose(in);
    return result;
}

/* The file NAME, or what comes from it; NULL with ERR. */
static FILE *open_named(const struct evidence *evidence, const char *name, struct err *err)
{
    bool standard = strcmp(name, "-") == 0;
    FILE *in = standard ? stdin : fopen(name, "re"), *whole;
    struct stat st;

    if (!in) {
        err_errno(err, errno, "%s", name);
        return NULL;
    }
    if (!standard && fstat(fileno(in), &st) == 0 && S_ISREG(st.st_mode))
        return in;
    whole = spool(evidence, in, err);
    if (!standard)
        fclose(in);
    return whole;
}

static int open_file(struct evidence *evidence, struct err *err)
{
    FILE *in = open_named(evidence, evidence->name, err);
    struct err unused;

    if (!in && access(evidence->name, F_OK) < 0 && errno == ENOENT && open_set(evidence, &unused) > 0)
        return 0;
    return in ? open_stream(evidence, in, err) : -1;
}

int evidence_open(const char *name, struct evidence *ret, struct err *err)
{
    struct stat st;
    int result;

    *ret = (struct evidence){.name = xstrdup(name)};
    if (strcmp(name, "-") != 0 && stat(name, &st) == 0 && S_ISDIR(st.st_mode))
        result = open_folder(ret, err);
    else
        result = open_file(ret, err);
    if (result < 0)
        evidence_close(ret);
    return result;
}

int evidence_open_all(char *const *names, size_t count, struct evidence *ret, struct err *err)
{
    struct evidence_set set = {0};
    FILE *merged = NULL;
    int result = 0;

    if (count == 1)
        return evidence_open(names[0], ret, err);
    *ret = (struct evidence){.name = xasprintf("%s and %zu more", names[0], count - 1)};
    for (size_t i = 0; result >= 0 && i < count; i++) {
        FILE *in = open_named(ret, names[i], err);

        result = in ? evidence_set_add(&set, names[i], in, err) : -1;
    }
    if (result >= 0)
        merged = evidence_set_merge(&set, ret->name, err);
    if (merged)
        result = open_stream(ret, merged, err);
    evidence_set_deinit(&set);
    if (!merged || result < 0) {
        evidence_close(ret);
        return -1;
    }
    return 0;
}

void evidence_close(struct evidence *evidence)
{
    if (evidence->log)
        fclose(evidence->log);
    report_destroy(evidence->report);
    free(evidence->name);
    *evidence = (struct evidence){0};
}
