#include "wording.h"

#include "event.h"
#include "text.h"
#include "utf8.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <string.h>

enum {
    NAME_SHOWN = 80,   /* bytes of a program's name in the headline */
    WORDS_LINES = 8,   /* lines of a message that are shown; report.json has it whole */
    WORDS_LINE = 1000, /* bytes of each */
    SYMBOLS_SHOWN = 5,
    FRAMES_SHOWN = 5,
    SECTIONS_SHOWN = 12, /* of a crash record: blocks … */
    SECTIONS_WHOLE = 3, /* … registers, code and the thread that crashed; of other threads the innermost frames … */
    SECTION_LINES = 20, /* … and lines of each */
    RUN_SHOWN = 2,      /* of a long run of empty places: the first ones … */
    RUN_LONG = 5,       /* … where it has more than these */
};

static void add_plain(struct text *text, const char *s)
{
    CLEANUP_FREE char *plain = utf8_plain(s);

    text_add(text, plain);
}

/* --- numbers --- */

char *wording_number(uint64_t number)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    struct text text = {0};

    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            text_addc(&text, ',');
        text_addc(&text, digits[i]);
    }
    return text.v;
}

char *wording_size(uint64_t bytes)
{
    static const char *const units[] = {"KB", "MB", "GB", "TB"};
    double size = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 1024)
        return xasprintf("%d byte%s", (int)bytes, bytes == 1 ? "" : "s");
    while (size >= 1023.5 && unit + 1 < sizeof units / sizeof *units) {
        size /= 1024;
        unit++;
    }
    return xasprintf(size < 9.95 ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

char *wording_time(double seconds)
{
    if (seconds < 0.0995)
        return xasprintf(seconds < 0.00995 ? "%.1f ms" : "%.0f ms", seconds * 1000);
    if (seconds < 60)
        return xasprintf(seconds < 9.995 ? "%.2f s" : "%.1f s", seconds);
    if (seconds < 3600)
        return xasprintf("%d min %d s", (int)(seconds / 60), (int)seconds % 60);
    if (seconds < 1e9)
        return xasprintf("%d h %d min", (int)(seconds / 3600), (int)(seconds / 60) % 60);
    return xasprintf("%.0f days", seconds / 86400);
}

/* 97 for 0.97; never 100, which only a proof could claim. */
static int percent(double confidence)
{
    int value = confidence > 0 ? (int)(confidence * 100 + 0.5) : 0;

    return value > 99 ? 99 : value;
}

/* How many of LENGTH bytes at S fit LIMIT without a character in two. */
static size_t cut(const char *s, size_t length, size_t limit)
{
    if (length <= limit)
        return length;
    for (int i = 0; i < 3 && limit && (s[limit] & 0xc0) == 0x80; i++)
        limit--;
    return limit;
}

/* --- the headline --- */

static char *program_name(const struct report *report)
{
    CLEANUP_FREE char *name = NULL;
    const char *base;

    if (!report->argv.n)
        return report->pid > 0 ? xasprintf("process %d", (int)report->pid) : xstrdup("the program");
    base = path_base(report->argv.v[0]);
    name = xstrndup(base, cut(base, strlen(base), NAME_SHOWN));
    return utf8_plain(name);
}

static bool ended_well(const struct report *report)
{
    return (report->status == OUTCOME_EXITED && report->code == 0) || report->status == OUTCOME_DETACHED ||
           (report->status == OUTCOME_UNKNOWN && report->how == INPUT_STATIC);
}

static void add_outcome(struct text *text, const struct report *report)
{
    CLEANUP_FREE char *name = program_name(report);
    const char *signal = report->status == OUTCOME_SIGNALED ? signal_name(report->signal) : NULL;
    bool not_found = report->cause_count && report->causes[0]->kind == CAUSE_COMMAND_NOT_FOUND;

    switch (report->status) {
    case OUTCOME_EXITED:
        text_addf(text, "%s ended with status %d", name, report->code);
        break;
    case OUTCOME_SIGNALED:
        text_addf(text, "%s was ended by %s", name, signal ? signal : "a signal");
        break;
    case OUTCOME_EXEC_FAILED:
        text_addf(text, "%s %s", name, not_found ? "was not found" : "could not be executed");
        break;
    case OUTCOME_DETACHED:
        text_addf(text, "%s runs on, untraced", name);
        break;
    case OUTCOME_UNKNOWN:
        text_addf(text, report->how == INPUT_STATIC ? "%s was looked at, not run" : "how %s ended is not known", name);
        break;
    }
    if (text->n > 3 && (strncmp(text->v, "how ", 4) == 0 || strncmp(text->v, "the ", 4) == 0))
        text->v[0] ^= 0x20; /* a sentence of ours begins with a capital, a program's name stays as it is */
}

static bool told_together(const struct cause *a, const struct cause *b)
{
    return a->kind == b->kind && a->provider && b->provider && strcmp(a->provider, b->provider) == 0 && a->subject &&
           b->subject && strcmp(a->subject, b->subject) == 0 && a->impact == b->impact;
}

bool wording_told_before(const struct report *report, size_t cause)
{
    for (size_t i = 0; i < cause; i++)
        if (told_together(report->causes[i], report->causes[cause]))
            return true;
    return false;
}

size_t wording_cause_count(const struct report *report)
{
    size_t count = 0;

    for (size_t i = 0; i < report->cause_count; i++)
        count += !wording_told_before(report, i);
    return count;
}

static void add_known(struct text *text, const struct report *report)
{
    const struct cause *first = report->causes[0];
    size_t more = wording_cause_count(report) - 1;

    text_addf(text, ". The cause is known (%d %% sure)", percent(first->confidence));
    if (more)
        text_addf(text, ", and %zu more thing%s wrong", more, more == 1 ? " is" : "s are");
    text_addc(text, '.');
}

bool wording_guess(const struct report *report)
{
    return report->cause_count && report->causes[0]->confidence < CONFIDENCE_TO_BET;
}

/* What was read is the output of other tools. */
static bool of_others(const struct report *report)
{
    return report->how == INPUT_TEXT || report->how == INPUT_LD_DEBUG_LOG || report->how == INPUT_STRACE_LOG;
}

char *wording_headline(const struct report *report)
{
    const struct cause *first = report->cause_count ? report->causes[0] : NULL;
    bool well = ended_well(report);
    struct text text = {0};

    if (report->headline)
        return utf8_plain(report->headline);
    if (!first && report->status == OUTCOME_UNKNOWN && of_others(report)) {
        text_add(&text, "Nothing here shows a failure.");
        return text.v;
    }
    add_outcome(&text, report);
    if (!first) {
        text_add(&text, well ? ". Nothing failed." : ". The cause is not known.");
    } else if (wording_guess(report)) {
        text_addf(&text, ". The cause is not known; the nearest guess is %d %% sure.", percent(first->confidence));
    } else if (first->impact == IMPACT_FATAL) {
        if (well && report->status == OUTCOME_EXITED && first->pid != report->pid)
            text_add(&text, ", but a process below it failed");
        add_known(&text, report);
    } else {
        text_addf(&text,
                  well ? ", but went on without something (%d %% sure)."
                       : ". The cause is not known; it had gone on without something (%d %% sure).",
                  percent(first->confidence));
    }
    return text.v;
}

char *wording_summary(const struct cause *cause)
{
    struct text text = {0};

    if (cause->summary)
        return utf8_plain(cause->summary);
    add_plain(&text, cause->subject ? cause->subject : "something");
    text_addf(&text, ": %s: ", cause_kind_name(cause->kind));
    add_plain(&text, cause->missing ? cause->missing : "not known what");
    return text.v;
}

/* --- the rows of a cause --- */

static void sheet_add(struct sheet *sheet, const char *label, char *taken)
{
    struct fact *row = array_add(&sheet->rows, &sheet->count, &sheet->cap, sizeof *row);

    row->label = utf8_plain(label);
    row->text = taken;
}

void sheet_deinit(struct sheet *sheet)
{
    for (size_t i = 0; i < sheet->count; i++) {
        free(sheet->rows[i].label);
        free(sheet->rows[i].text);
    }
    free(sheet->rows);
    *sheet = (struct sheet){0};
}

static char *asked_by(const struct cause *cause)
{
    struct text text = {0};

    for (size_t i = 0; i < cause->chain.n; i++) {
        if (i)
            text_add(&text, "  →  ");
        add_plain(&text, cause->chain.v[i]);
    }
    return text.v;
}

/* What the missing thing is to the one who asks for it. */
static const char *missing_label(enum cause_kind kind)
{
    static const char *const labels[CAUSE_KIND_COUNT] = {
        [CAUSE_OBJECT_CORRUPT] = "the file",
        [CAUSE_SYMLINK_LOOP] = "the link",
        [CAUSE_SYMLINK_DANGLING] = "not there",
        [CAUSE_FILE_MISSING] = "not there",
        [CAUSE_PERMISSION_DENIED] = "the file",
        [CAUSE_NOEXEC_MOUNT] = "the mount",
        [CAUSE_STATIC_TLS_EXHAUSTED] = "object",
        [CAUSE_EXECSTACK_REFUSED] = "object",
        [CAUSE_SYSCALL_BLOCKED] = "system call",
        [CAUSE_WATCH_LIMIT] = "the limit",
        [CAUSE_RESOURCE_LIMIT] = "the limit",
        [CAUSE_COMMAND_NOT_FOUND] = "not there",
        [CAUSE_ENVIRONMENT_WRONG] = "variable",
        [CAUSE_CONNECTION_REFUSED] = "address",
        [CAUSE_CRASH] = "the signal",
    };

    return labels[kind] ? labels[kind] : "it needs";
}

static char *it_needs(const struct cause *cause)
{
    struct text text = {0};
    bool version = cause->kind == CAUSE_SYMBOL_VERSION_MISSING;

    if (!cause->missing)
        return NULL;
    if (!version || !cause->symbols.n)
        add_plain(&text, cause->missing);
    for (size_t i = 0; version && i < cause->symbols.n && i < SYMBOLS_SHOWN; i++) {
        if (i)
            text_add(&text, ", ");
        add_plain(&text, cause->symbols.v[i]);
        if (!strchr(cause->symbols.v[i], '@')) {
            text_addc(&text, '@');
            add_plain(&text, cause->missing);
        }
    }
    if (version && cause->symbols.n > SYMBOLS_SHOWN)
        text_addf(&text, " and %zu more symbols of it", cause->symbols.n - SYMBOLS_SHOWN);
    return text.v;
}

/* The message's lines without empty ones, the first few of them. */
static char *it_said(const struct cause *cause)
{
    struct text text = {0};
    size_t lines = 0;

    for (const char *s = cause->words; s && *s;) {
        size_t length = strcspn(s, "\r\n"), kept = cut(s, length, WORDS_LINE);
        CLEANUP_FREE char *line = NULL, *plain = NULL;

        line = xstrndup(s, kept);
        if (line[strspn(line, " \t")] && lines++ < WORDS_LINES) {
            plain = utf8_plain(line);
            text_addf(&text, "%s%s%s", text.n ? "\n" : "", plain, kept < length ? " …" : "");
        }
        s += length + strspn(s + length, "\r\n");
    }
    if (lines > WORDS_LINES)
        text_addf(&text, "\n… %zu more line%s", lines - WORDS_LINES, lines == WORDS_LINES + 1 ? "" : "s");
    return text.v;
}

static void add_frame(struct text *text, const struct frame *frame)
{
    if (frame->symbol)
        add_plain(text, frame->symbol);
    else if (frame->object)
        add_plain(text, path_base(frame->object));
    if (!frame->symbol && frame->object)
        text_addf(text, "+0x%llx", (unsigned long long)frame->offset);
    if (!frame->symbol && !frame->object)
        text_addf(text, "0x%llx", (unsigned long long)frame->ip_addr);
    if (frame->file && frame->line) {
        text_add(text, " (");
        add_plain(text, path_base(frame->file));
        text_addf(text, ":%u)", frame->line);
    }
}

/* "libc.so.6", "ld-linux-x86-64.so.2", "ld-musl-x86_64.so.1" and their like. */
static bool of_libc(const struct frame *frame)
{
    const char *name = frame->object ? path_base(frame->object) : "";

    return strncmp(name, "libc.so", 7) == 0 || strncmp(name, "libc-2.", 7) == 0 || strncmp(name, "ld-", 3) == 0;
}

/* What the C library does inside of a call says little: its outermost function is enough. */
static size_t first_told(const struct cause *cause)
{
    size_t i = 0;

    while (i < cause->stack_count && of_libc(&cause->stack[i]))
        i++;
    return i > 0 && i < cause->stack_count ? i - 1 : 0;
}

/* A mangled name that could not be read is longer than what it tells; report.json has it. */
static bool readable(const struct frame *frame)
{
    return !frame->symbol || strncmp(frame->symbol, "_Z", 2) != 0;
}

static char *seen_at(const struct cause *cause)
{
    struct text text = {0};
    CLEANUP_FREE char *time = cause->seconds >= 0 ? wording_time(cause->seconds) : NULL;
    bool stack = cause->stack_count > 0;
    size_t at = first_told(cause);

    for (size_t shown = 0; at < cause->stack_count && shown < FRAMES_SHOWN; at++) {
        if (!readable(&cause->stack[at]))
            continue;
        if (shown++)
            text_add(&text, "  ←  ");
        add_frame(&text, &cause->stack[at]);
    }
    if (at < cause->stack_count)
        text_addf(&text, "%s%zu more", text.n ? "  ←  " : "", cause->stack_count - at);
    if (cause->evidence_count || time) {
        text_add(&text, stack ? "  (" : "");
        if (cause->evidence_count)
            text_addf(&text, "event %llu", (unsigned long long)cause->evidence[0]);
        if (time)
            text_addf(&text, "%s%s after the start", cause->evidence_count ? ", " : "", time);
        text_add(&text, stack ? ")" : "");
    }
    return text.v;
}

/* The cause's own facts of that label; how many there were. */
static size_t add_facts(struct sheet *sheet, const struct cause *cause, const char *label)
{
    size_t count = 0;

    for (size_t i = 0; i < cause->fact_count; i++)
        if (strcmp(cause->facts[i].label, label) == 0) {
            sheet_add(sheet, label, utf8_plain(cause->facts[i].text));
            count++;
        }
    return count;
}

static void add_row(struct sheet *sheet, const struct cause *cause, const char *label, const char *shown, char *derived)
{
    if (add_facts(sheet, cause, label) || !derived || !*derived)
        free(derived);
    else
        sheet_add(sheet, shown, derived);
}

/* "GLIBC_2.33, GLIBC_2.34": what the same file lacks for the same asker besides, or NULL. */
static char *likewise(const struct report *report, const struct cause *cause)
{
    struct text text = {0};

    for (size_t i = 0; i < report->cause_count; i++) {
        if (report->causes[i] == cause || !told_together(cause, report->causes[i]))
            continue;
        CLEANUP_FREE char *missing = utf8_plain(report->causes[i]->missing);

        text_addf(&text, "%s%s", text.n ? ", " : "", missing);
    }
    return text.v;
}

/* The crash record; report.json has all of it. */
static void add_sections(struct sheet *sheet, const struct cause *cause)
{
    for (size_t i = 0; i < cause->crash_count && i < SECTIONS_SHOWN; i++) {
        const struct strings *lines = &cause->crash[i].lines;
        size_t most = i < SECTIONS_WHOLE ? SECTION_LINES : FRAMES_SHOWN;
        struct text text = {0};

        for (size_t k = 0; k < lines->n && k < most; k++) {
            if (k)
                text_addc(&text, '\n');
            add_plain(&text, lines->v[k]);
        }
        if (lines->n > most)
            text_addf(&text, "\n… %zu more", lines->n - most);
        if (text.v)
            sheet_add(sheet, cause->crash[i].title, text.v);
    }
    if (cause->crash_count > SECTIONS_SHOWN)
        sheet_add(sheet, "…", xasprintf("%zu more threads", cause->crash_count - SECTIONS_SHOWN));
}

void wording_cause(const struct report *report, const struct cause *cause, struct sheet *ret)
{
    static const char *const derived[] = {"asked by", "it needs", "it gets", "it said", "seen at"};

    *ret = (struct sheet){0};
    add_row(ret, cause, "asked by", "asked by", asked_by(cause));
    add_row(ret, cause, "it needs", missing_label(cause->kind), it_needs(cause));
    add_row(ret, cause, "and also", "and also", likewise(report, cause));
    add_row(ret, cause, "it gets", "it gets", cause->provider ? utf8_plain(cause->provider) : NULL);
    add_row(ret, cause, "it said", "it said", it_said(cause));
    add_row(ret, cause, "seen at", "seen at", seen_at(cause));
    for (size_t i = 0; i < cause->fact_count; i++) {
        bool told = false;

        for (size_t k = 0; k < sizeof derived / sizeof *derived; k++)
            told |= strcmp(cause->facts[i].label, derived[k]) == 0;
        if (!told)
            sheet_add(ret, cause->facts[i].label, utf8_plain(cause->facts[i].text));
    }
    add_sections(ret, cause);
}

/* --- the search list --- */

bool place_is_dull(const struct place *place)
{
    const char *absent = path_reason_text(PATH_ABSENT);

    return !place->taken && (!place->why || strncmp(place->why, absent, strlen(absent)) == 0);
}

char *wording_why(const struct place *place)
{
    const char *absent = path_reason_text(PATH_ABSENT);
    const char *base = path_base(place->path), *why = place->why, *at;

    if (!why)
        return xstrdup(place->taken ? "taken" : absent);
    at = place_is_dull(place) && *base ? strstr(why, base) : NULL;
    if (at && at > why && at[-1] == '/' && strncmp(at + strlen(base), " does not exist", 15) == 0)
        return xstrdup(absent); /* it is the last component: the path stands beside it already */
    return utf8_plain(why);
}

static bool same_from(const struct place *a, const struct place *b)
{
    return strcmp(a->from ? a->from : "", b->from ? b->from : "") == 0;
}

size_t wording_places(const struct cause *cause, struct place_line **ret)
{
    struct place_line *lines = xcalloc(cause->place_count, sizeof *lines);
    size_t count = 0;

    for (size_t i = 0; i < cause->place_count;) {
        const struct place *first = &cause->places[i];
        size_t run = 0, shown;

        while (i + run < cause->place_count && place_is_dull(&cause->places[i + run]) &&
               same_from(first, &cause->places[i + run]))
            run++;
        shown = run > RUN_LONG ? RUN_SHOWN : run ? run : 1;
        for (size_t k = 0; k < shown; k++)
            lines[count++] = (struct place_line){.number = i + k + 1, .place = &cause->places[i + k]};
        if (run > RUN_LONG)
            lines[count++] = (struct place_line){.number = i + shown + 1, .place = first, .skipped = run - shown};
        i += run ? run : 1;
    }
    *ret = lines;
    return count;
}
