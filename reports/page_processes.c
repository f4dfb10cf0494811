/* The processes on a time line: a lane each, children below their parents. A lane shows how long the process was seen,
 * where it became another program, where calls failed (denser is darker) and where the evidence of a cause is. */
#include "page.h"

#include "line.h"
#include "page_text.h"
#include "wording.h"

#include <probes/alloc.h>

#include <string.h>
#include <sys/wait.h>
#include <uthash.h>

enum {
    RUNS_MOST = 5000,
    NAMES_MOST = 16,   /* programs that one process became, the last ones */
    SLOTS = 512,       /* of time, in which a process's failed calls are counted */
    BUCKETS = 200,     /* into which they are put on a lane */
    SHOWN_MOST = 24,   /* lanes besides those that matter */
    FOLDED_MOST = 400, /* and below a fold */
    MATTER_MOST = 200,
    DEPTH_MOST = 8,
    MARKS_MOST = 24, /* of evidence, on one lane */
};

/* From T on the process was PROGRAM. */
struct became {
    uint64_t t_ns;
    char *program, *words; /* the whole command */
};

struct mark {
    uint64_t n, t_ns;
};

struct run {
    pid_t pid;
    size_t parent; /* index of a smaller one, or its own */
    uint64_t start_ns, end_ns;
    bool ended, detached;
    int status;
    struct became *names;
    size_t name_count, name_cap;
    uint32_t *failed;    /* calls by slot of time from the session's start, or NULL */
    uint64_t slot_ns;    /* doubled whenever a moment lies beyond the last slot */
    uint64_t failed_all; /* calls */
    struct mark *marks;
    size_t mark_count, mark_cap;
    bool matters; /* it is of a cause, or on the way to it, or ended badly */
};

/* The newest run of a pid. */
struct latest {
    pid_t pid;
    size_t run;
    UT_hash_handle hh;
};

struct page_processes {
    const struct report *report;
    struct run *runs;
    size_t count, cap;
    struct latest *latest;
    uint64_t last_ns;
    uint64_t left_out;
};

struct page_processes *page_processes_create(const struct report *report)
{
    struct page_processes *processes = xcalloc(1, sizeof *processes);

    processes->report = report;
    return processes;
}

void page_processes_destroy(struct page_processes *processes)
{
    struct latest *latest, *next;

    for (size_t i = 0; i < processes->count; i++) {
        struct run *run = &processes->runs[i];

        for (size_t k = 0; k < run->name_count; k++) {
            free(run->names[k].program);
            free(run->names[k].words);
        }
        free(run->names);
        free(run->failed);
        free(run->marks);
    }
    HASH_ITER(hh, processes->latest, latest, next)
    {
        HASH_DEL(processes->latest, latest);
        free(latest);
    }
    free(processes->runs);
    free(processes);
}

/* --- taking --- */

static struct run *run_of(const struct page_processes *processes, pid_t pid)
{
    struct latest *latest;

    HASH_FIND_INT(processes->latest, &pid, latest);
    return latest ? &processes->runs[latest->run] : NULL;
}

static void note_latest(struct page_processes *processes, pid_t pid, size_t run)
{
    struct latest *latest;

    HASH_FIND_INT(processes->latest, &pid, latest);
    if (!latest) {
        latest = xcalloc(1, sizeof *latest);
        latest->pid = pid;
        HASH_ADD_INT(processes->latest, pid, latest);
    }
    latest->run = run;
}

static char *words_of(const struct image *image)
{
    char *words = NULL;

    for (size_t i = 0; image->argv && image->argv[i] && i < 12; i++) {
        char *longer = xasprintf("%s%s%s", words ? words : "", words ? " " : "", image->argv[i]);

        free(words);
        words = longer;
        if (strlen(words) > 300)
            break;
    }
    return words;
}

static void becomes(struct run *run, const struct event *event)
{
    const struct image *image = event->process.image;
    struct became *became;

    if (run->name_count == NAMES_MOST) {
        free(run->names[0].program);
        free(run->names[0].words);
        memmove(run->names, run->names + 1, --run->name_count * sizeof *run->names);
    }
    became = array_add(&run->names, &run->name_count, &run->name_cap, sizeof *became);
    *became = (struct became){
        .t_ns = event->t_ns, .program = page_program(image->exe, image->argv), .words = words_of(image)};
}

static struct run *begin(struct page_processes *processes, const struct event *event, pid_t parent)
{
    const struct run *above = parent ? run_of(processes, parent) : NULL;
    size_t at = above ? (size_t)(above - processes->runs) : processes->count;
    struct run *run;

    if (processes->count >= RUNS_MOST) {
        processes->left_out++;
        return NULL;
    }
    run = array_add(&processes->runs, &processes->count, &processes->cap, sizeof *run);
    *run = (struct run){.pid = event->pid, .parent = at, .start_ns = event->t_ns, .end_ns = event->t_ns};
    note_latest(processes, event->pid, processes->count - 1);
    return run;
}

static void take_process(struct run *run, const struct event *event)
{
    switch (event->process.what) {
    case PROCESS_EXITING:
    case PROCESS_EXIT:
        run->ended = true;
        run->status = event->process.status;
        break;
    case PROCESS_DETACHED:
        run->detached = true;
        break;
    default:
        break;
    }
    if (event->process.image)
        becomes(run, event);
    /* a process that has ended may wait long for its parent to notice */
    if (event->process.what != PROCESS_EXIT)
        run->end_ns = event->t_ns;
}

static void count_failed(struct run *run, uint64_t t_ns)
{
    if (!run->failed) {
        run->failed = xcalloc(SLOTS, sizeof *run->failed);
        run->slot_ns = 1024;
    }
    while (t_ns / run->slot_ns >= SLOTS) {
        for (size_t i = 0; i < SLOTS / 2; i++)
            run->failed[i] = run->failed[2 * i] + run->failed[2 * i + 1];
        memset(run->failed + SLOTS / 2, 0, SLOTS / 2 * sizeof *run->failed);
        run->slot_ns *= 2;
    }
    run->failed[t_ns / run->slot_ns]++;
    run->failed_all++;
}

static void note_evidence(struct run *run, const struct event *event)
{
    if (run->mark_count < MARKS_MOST)
        *(struct mark *)array_add(&run->marks, &run->mark_count, &run->mark_cap, sizeof *run->marks) =
            (struct mark){event->n, event->t_ns};
}

void page_processes_take(struct page_processes *processes, const struct event *event)
{
    bool starts = event->type == EVENT_PROCESS && event->process.what == PROCESS_START;
    struct run *run = starts ? NULL : run_of(processes, event->pid);

    /* what comes between a process's end and its exit is our own work */
    if (event->t_ns > processes->last_ns && !(event->type == EVENT_PROCESS && event->process.what == PROCESS_EXIT))
        processes->last_ns = event->t_ns;
    if (!run && !(run = begin(processes, event, starts ? event->process.parent : 0)))
        return;
    if (event->type == EVENT_PROCESS)
        take_process(run, event);
    else if (!run->ended)
        run->end_ns = event->t_ns;
    if (page_is_evidence(processes->report, event->n))
        note_evidence(run, event);
    if (event->type != EVENT_PROCESS && line_wanted(LINE_FAILED, event)) /* how it ended stands beside its lane */
        count_failed(run, event->t_ns);
}

/* --- which lanes --- */

static bool ended_badly(const struct run *run)
{
    return run->ended && run->status != 0;
}

/* Those of the causes, and above them; whoever ended badly, as far as there is room. Returns how many. */
static size_t mark_those_that_matter(struct page_processes *processes)
{
    const struct report *report = processes->report;
    size_t count = 0;

    for (size_t i = 0; i < report->cause_count; i++) {
        const struct run *run = run_of(processes, report->causes[i]->pid);

        for (size_t at = run ? (size_t)(run - processes->runs) : processes->count;
             at < processes->count && !processes->runs[at].matters; at = processes->runs[at].parent)
            processes->runs[at].matters = true, count++;
    }
    for (size_t i = 0; i < processes->count && count < MATTER_MOST; i++)
        if ((processes->runs[i].mark_count || ended_badly(&processes->runs[i])) && !processes->runs[i].matters)
            processes->runs[i].matters = true, count++;
    return count;
}

/* --- a lane --- */

struct chart {
    const struct page_processes *processes;
    double total; /* seconds that a lane is wide */
    double step;  /* between two lines of the grid */
    FILE *out;
};

static double percent_of(const struct chart *chart, uint64_t t_ns)
{
    double at = (double)t_ns / 1e9 / chart->total * 100;

    return at < 0 ? 0 : at > 100 ? 100 : at;
}

/* 1, 2 or 5 by a power of ten, so that there are two to five of it: their labels stand beside each other on a phone. */
static double nice_step(double total)
{
    double ten = 1e-6;

    while (ten * 10 < total / 5)
        ten *= 10;
    return ten * 2 >= total / 5 ? ten * 2 : ten * 5 >= total / 5 ? ten * 5 : ten * 10;
}

/* "200 ms", "1.5 s": all labels of an axis in one unit. */
static char *axis_label(const struct chart *chart, double seconds)
{
    if (chart->total < 2)
        return xasprintf("%g ms", seconds * 1e3);
    if (chart->total < 300)
        return xasprintf("%g s", seconds);
    return xasprintf("%g min", seconds / 60);
}

static void put_grid(const struct chart *chart)
{
    for (int i = 0; i * chart->step <= chart->total; i++) {
        double x = i * chart->step / chart->total * 100;

        fprintf(chart->out, "<line class=\"grid\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"100%%\"/>", x, x);
    }
}

static void put_axis(const struct chart *chart)
{
    fputs("<li class=\"axis\" aria-hidden=\"true\"><svg width=\"100%\" height=\"18\">", chart->out);
    for (int i = 0; i * chart->step <= chart->total; i++) {
        CLEANUP_FREE char *label = axis_label(chart, i * chart->step);
        double x = i * chart->step / chart->total * 100;

        fprintf(chart->out, "<text x=\"%.2f%%\" y=\"13\" class=\"%s\">%s</text>", x,
                i == 0   ? "first"
                : x > 96 ? "last"
                         : "",
                label);
    }
    fputs("</svg></li>\n", chart->out);
}

/* The life of the process, cut where it became another program. */
static void put_life(const struct chart *chart, const struct run *run)
{
    double from = percent_of(chart, run->start_ns);

    for (size_t i = 0; i <= run->name_count; i++) {
        uint64_t end_ns = i < run->name_count ? run->names[i].t_ns : run->end_ns;
        double to = percent_of(chart, end_ns), width = to - from;

        if (i == run->name_count && width < 0.25)
            width = 0.25; /* it was there, however shortly */
        if (width <= 0)
            continue;
        fprintf(chart->out, "<rect class=\"life%s\" x=\"%.3f%%\" width=\"%.3f%%\" y=\"7\" height=\"10\">",
                i ? "" : " before", from, width);
        if (i)
            page_element(chart->out, "<title>", run->names[i - 1].words ? run->names[i - 1].words : "?", "</title>");
        fputs("</rect>", chart->out);
        from = to;
    }
}

static void put_failed(const struct chart *chart, const struct run *run)
{
    uint64_t buckets[BUCKETS] = {0};

    for (size_t i = 0; run->failed && i < SLOTS; i++) {
        double at = percent_of(chart, (uint64_t)((double)run->slot_ns * ((double)i + 0.5)));
        size_t bucket = (size_t)(at / 100 * BUCKETS);

        buckets[bucket < BUCKETS ? bucket : BUCKETS - 1] += run->failed[i];
    }
    for (size_t i = 0; i < BUCKETS; i++)
        if (buckets[i])
            fprintf(chart->out, "<rect class=\"f%d\" x=\"%.1f%%\" width=\"%.1f%%\" y=\"7\" height=\"10\"/>",
                    buckets[i] < 4    ? 1
                    : buckets[i] < 32 ? 2
                                      : 3,
                    (double)i * 100 / BUCKETS, 100.0 / BUCKETS);
}

static void put_marks(const struct chart *chart, const struct run *run)
{
    for (size_t i = 0; i < run->mark_count; i++) {
        double at = percent_of(chart, run->marks[i].t_ns);
        CLEANUP_FREE char *when = wording_time((double)run->marks[i].t_ns / 1e9);

        fprintf(chart->out,
                "<a href=\"#e%llu\"><circle class=\"evidence\" cx=\"%.2f%%\" cy=\"12\" r=\"5\"><title>event %llu, "
                "evidence, after %s</title></circle></a>",
                (unsigned long long)run->marks[i].n, at, (unsigned long long)run->marks[i].n, when);
    }
}

static void put_end(FILE *out, const struct run *run)
{
    const char *name = run->ended && WIFSIGNALED(run->status) ? signal_name(WTERMSIG(run->status)) : NULL;

    if (!run->ended)
        fprintf(out, "<span class=\"end\">%s</span>", run->detached ? "lives on" : "end not seen");
    else if (WIFSIGNALED(run->status))
        fprintf(out, "<span class=\"end bad\">%s</span>", name ? name : "signal");
    else
        fprintf(out, "<span class=\"end%s\">status %d</span>", run->status ? " bad" : "", WEXITSTATUS(run->status));
}

static int depth_of(const struct page_processes *processes, size_t at)
{
    int depth = 0;

    while (processes->runs[at].parent < at && depth < DEPTH_MOST) {
        at = processes->runs[at].parent;
        depth++;
    }
    return depth;
}

/* What RUN was last; a fork that has executed nothing is what its parent was then (*FORKED). NULL where that is not
 * known. */
static const struct became *what_was(const struct page_processes *processes, const struct run *run, bool *forked)
{
    uint64_t start_ns = run->start_ns;

    *forked = false;
    while (!run->name_count && run->parent < (size_t)(run - processes->runs)) {
        start_ns = run->start_ns;
        run = &processes->runs[run->parent];
        *forked = true;
    }
    for (size_t i = run->name_count; i-- > 0;)
        if (!*forked || run->names[i].t_ns <= start_ns)
            return &run->names[i];
    return NULL;
}

static void put_who(const struct chart *chart, const struct run *run)
{
    bool forked;
    const struct became *last = what_was(chart->processes, run, &forked);

    fputs("<span class=\"who\">", chart->out);
    page_element(chart->out, last && last->words ? "<span class=\"name\" title=\"" : "<span class=\"name\">",
                 last && last->words ? last->words : "", last && last->words ? "\">" : "");
    page_raw(chart->out, last ? last->program : "?");
    fprintf(chart->out, "</span> <span class=\"pid\">%d%s</span> ", (int)run->pid, forked ? " fork" : "");
    put_end(chart->out, run);
    fputs("</span>", chart->out);
}

static void put_lane(const struct chart *chart, size_t at)
{
    const struct run *run = &chart->processes->runs[at];
    CLEANUP_FREE char *from = wording_time((double)run->start_ns / 1e9);
    CLEANUP_FREE char *to = wording_time((double)run->end_ns / 1e9);
    CLEANUP_FREE char *failed = wording_number(run->failed_all);

    fprintf(chart->out, "<li class=\"lane d%d%s\">", depth_of(chart->processes, at), run->mark_count ? " marked" : "");
    put_who(chart, run);
    fprintf(chart->out, "<svg width=\"100%%\" height=\"24\"><title>%s to %s, %s failed call%s</title>", from, to,
            failed, run->failed_all == 1 ? "" : "s");
    put_grid(chart);
    put_life(chart, run);
    put_failed(chart, run);
    put_marks(chart, run);
    fputs("</svg></li>\n", chart->out);
}

/* The children of ABOVE (processes->count: those without parent) in the order in which they began, each with its own
 * below it. */
static void put_below(const struct chart *chart, const bool *shown, size_t above, int depth)
{
    const struct page_processes *processes = chart->processes;

    for (size_t i = above < processes->count ? above + 1 : 0; i < processes->count; i++) {
        size_t parent = processes->runs[i].parent;

        if (parent != (above < processes->count ? above : i))
            continue;
        if (shown[i])
            put_lane(chart, i);
        if (depth < RUNS_MOST)
            put_below(chart, shown, i, depth + 1);
    }
}

/* The first ROOM of those that do not matter and are not in BEFORE are set in SHOWN. Returns how many there were. */
static size_t choose(const struct page_processes *processes, const bool *before, size_t room, bool *shown)
{
    size_t count = 0;

    for (size_t i = 0; i < processes->count && count < room; i++) {
        if (processes->runs[i].matters || (before && before[i]))
            continue;
        shown[i] = true;
        count++;
    }
    return count;
}

static void put_lanes(const struct chart *chart, const bool *shown)
{
    fputs("<ol class=\"lanes\">\n", chart->out);
    put_axis(chart);
    put_below(chart, shown, chart->processes->count, 0);
    fputs("</ol>\n", chart->out);
}

static void put_legend(const struct page_processes *processes, FILE *out)
{
    bool proofs = false;

    for (size_t i = 0; i < processes->count; i++)
        proofs |= processes->runs[i].mark_count > 0;
    fputs("<p class=\"legend\"><svg width=\"22\" height=\"12\" aria-hidden=\"true\"><rect class=\"life\" width=\"22\" "
          "height=\"10\" y=\"1\"/></svg> running "
          "<svg width=\"22\" height=\"12\" aria-hidden=\"true\"><rect class=\"life\" width=\"22\" height=\"10\" "
          "y=\"1\"/><rect class=\"f1\" x=\"3\" width=\"3\" height=\"10\" y=\"1\"/><rect class=\"f2\" x=\"8\" "
          "width=\"3\" height=\"10\" y=\"1\"/><rect class=\"f3\" x=\"13\" width=\"3\" height=\"10\" y=\"1\"/></svg> "
          "failed calls, most of them harmless",
          out);
    if (proofs)
        fputs(" <svg width=\"12\" height=\"12\" aria-hidden=\"true\"><circle class=\"evidence\" cx=\"6\" cy=\"6\" "
              "r=\"5\"/></svg> evidence of a cause",
              out);
    fputs("</p>\n", out);
}

void page_processes_put(struct page_processes *processes, FILE *out)
{
    CLEANUP_FREE bool *shown = xcalloc(processes->count + 1, sizeof *shown);
    CLEANUP_FREE bool *folded = xcalloc(processes->count + 1, sizeof *folded);
    struct chart chart = {.processes = processes, .out = out};
    size_t drawn, below;

    if (!processes->count)
        return;
    chart.total = processes->last_ns ? (double)processes->last_ns / 1e9 : 1e-3;
    chart.step = nice_step(chart.total);
    drawn = mark_those_that_matter(processes);
    for (size_t i = 0; i < processes->count; i++)
        shown[i] = processes->runs[i].matters;
    drawn += choose(processes, NULL, SHOWN_MOST, shown);
    fputs("<section id=\"processes\">\n<h2>Processes</h2>\n", out);
    put_legend(processes, out);
    put_lanes(&chart, shown);
    below = choose(processes, shown, FOLDED_MOST, folded);
    if (below) {
        fprintf(out, "<details><summary>%zu more processes</summary>\n", below);
        put_lanes(&chart, folded);
        fputs("</details>\n", out);
    }
    if (processes->count - drawn - below + processes->left_out)
        fprintf(out, "<p class=\"note\">%llu more processes are only in trace.jsonl.</p>\n",
                (unsigned long long)(processes->count - drawn - below + processes->left_out));
    fputs("</section>\n", out);
}
