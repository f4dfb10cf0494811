#include "evidence.h"

#include "bundle.h"
#include "evidence_decode.h"
#include "evidence_set.h"
#include "evidence_stream.h"
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
    return text_read(in, sink, &ret->how, &ret->system, err);
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
    if (n) /* else an error is still to be asked for */
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
        evidence->cut |= set.cut;
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

static bool is_file(FILE *in)
{
    struct stat st;

    return fileno(in) >= 0 && fstat(fileno(in), &st) == 0 && S_ISREG(st.st_mode);
}

/* IN, or what comes from it, in a file; NULL with ERR. */
static FILE *as_file(const struct evidence *evidence, FILE *in, struct err *err)
{
    return is_file(in) ? in : stream_keep(in, evidence->name, err);
}

/* A bundle that IN is, which is taken over. */
static int open_packed(struct evidence *evidence, FILE *in, struct err *err)
{
    struct stat st;
    bool named = stat(evidence->name, &st) == 0 && S_ISREG(st.st_mode);
    CLEANUP_FREE char *path = NULL;
    int result;

    in = as_file(evidence, in, err);
    if (!in)
        return -1;
    path = xasprintf("/proc/self/fd/%d", fileno(in));
    result = open_bundle(evidence, named ? evidence->name : path, err);
    fclose(in);
    return result;
}

/* What IN, which begins with HEAD, N bytes, is read as: 0; it is taken over then. */
static int choose_reader(struct evidence *evidence, FILE **in, const char *head, size_t n, struct err *err)
{
    evidence->reader = reader_for(head, n);
    if (evidence->reader && evidence->reader->whole)
        *in = as_file(evidence, *in, err);
    if (evidence->reader) {
        evidence->log = *in;
        return *in ? 0 : -1;
    }
    if (ferror(*in))
        return err_errno(err, errno, "%s cannot be read", evidence->name);
    if (!n)
        return err_set(err, "%s is empty", evidence->name);
    return err_set(err, "%s is nothing that can be read: it wants %s", evidence->name, evidence_known());
}

/* What IN is, which is taken over. */
static int open_stream(struct evidence *evidence, FILE *in, struct err *err)
{
    static const char zstd[] = "\x28\xb5\x2f\xfd"; /* RFC 8878, section 3.1.1 */
    CLEANUP_FREE char *head = xmalloc(HEAD_MAX + 1);
    size_t n;
    int result = evidence_decode(&in, evidence->name, &evidence->cut, err);

    if (result >= 0) {
        n = read_head(in, head);
        if (n >= 4 && memcmp(head, zstd, 4) == 0)
            return open_packed(evidence, in, err);
        if (n && head[strspn(head, " \t\r\n")] == '{' && strstr(head, "glibctrace.report/"))
            result = load_report(evidence, in, err);
        else if ((result = choose_reader(evidence, &in, head, n, err)) == 0)
            return 0;
    }
    if (in)
        fclose(in);
    return result;
}

/* The file NAME, or what comes from it; NULL with ERR. */
static FILE *open_named(struct evidence *evidence, const char *name, struct err *err)
{
    FILE *in = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");

    if (!in)
        err_errno(err, errno, "%s", name);
    return !in || (in != stdin && is_file(in)) ? in : stream_over(in, &evidence->cut);
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
    ret->cut |= set.cut;
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
