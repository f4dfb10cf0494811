/* Reports for the tests of the renderers: the one in the design paper's example, and one in which everything that can
 * come from outside is hostile. */
#ifndef GLIBCTRACE_TESTS_SAMPLE_REPORT_H
#define GLIBCTRACE_TESTS_SAMPLE_REPORT_H

#include <probes/alloc.h>
#include <reports/report.h>

#include <signal.h>
#include <string.h>

static inline struct cause *sample_add(struct report *report, struct cause *cause)
{
    struct cause **element = array_add(&report->causes, &report->cause_count, &report->cause_cap, sizeof *element);

    return *element = cause;
}

static inline struct report *sample_empty(const char *program)
{
    struct report *report = report_create();

    report->status = OUTCOME_EXITED;
    report->pid = 4711;
    report->libc = (struct libc_facts){xstrdup("glibc"), xstrdup("2.36"), xstrdup("/lib/x86_64-linux-gnu/libc.so.6"),
                                       xstrdup("its banner in memory"), xstrdup("Debian GLIBC 2.36-9")};
    report->context = xstrdup("host");
    report->kernel = xstrdup("6.1.0");
    report->machine = xstrdup("x86_64");
    report->distribution = xstrdup("Debian 12");
    strings_addf(&report->argv, "%s", program);
    report->events = 1234;
    report->failed = 107;
    report->processes = 1;
    report->threads = 6;
    report->seconds = 0.4211119;
    return report;
}

static inline void sample_design_stack(struct cause *cause)
{
    size_t cap = 0;
    struct frame *frame = array_add(&cause->stack, &cause->stack_count, &cap, sizeof *frame);

    *frame = (struct frame){.ip_addr = 0x55d0c0de,
                            .object = xstrdup("/usr/bin/node"),
                            .offset = 0xc0de,
                            .symbol = xstrdup("node::binding::DLOpen")};
    frame = array_add(&cause->stack, &cause->stack_count, &cap, sizeof *frame);
    *frame =
        (struct frame){.ip_addr = 0x7f0000001000, .object = xstrdup("/opt/app/build/addon.node"), .offset = 0x1000};
}

static inline struct report *sample_design(void)
{
    struct report *report = sample_empty("/usr/bin/node");
    struct cause *cause = sample_add(report, cause_create(CAUSE_SYMBOL_VERSION_MISSING));

    report->code = 1;
    cause->confidence = 0.97;
    cause->subject = xstrdup("/opt/app/build/addon.node");
    cause->missing = xstrdup("GLIBC_2.38");
    cause->provider = xstrdup("/lib/x86_64-linux-gnu/libm.so.6");
    cause->pid = 4711;
    cause->exe = xstrdup("/usr/bin/node");
    strings_addf(&cause->argv, "node");
    strings_addf(&cause->chain, "node");
    strings_addf(&cause->chain, "process.dlopen");
    strings_addf(&cause->chain, "/opt/app/build/addon.node");
    cause->summary =
        xstrdup("addon.node needs GLIBC_2.38, but this system's libm.so.6 is glibc 2.36 and ends at GLIBC_2.35.");
    cause->detail = xstrdup("node opened addon.node\nits version needs were checked");
    cause->words = xstrdup("version `GLIBC_2.38' not found (required by /opt/app/build/addon.node)\n");
    strings_addf(&cause->symbols, "fmod");
    cause_fact(cause, "it gets", "/lib/x86_64-linux-gnu/libm.so.6   Debian 12, glibc 2.36");
    cause_fact(cause, "built on", "glibc 2.38 or newer");
    sample_design_stack(cause);
    cause_evidence(cause, 812);
    cause_evidence(cause, 813);
    cause_evidence(cause, 812);
    cause->seconds = 0.31;
    strings_addf(&cause_remedy(cause, PROOF_KNOWN, "build the add-on here")->commands, "npm rebuild");
    cause_remedy(cause, PROOF_TRIED, "run it on glibc 2.38 or newer: Debian 13");
    strings_addf(&report->ruled_out,
                 "106 other failed calls: 104 were one search that found its file later, 2 optional files");
    report->has_repro = true;
    report->repro_status = REPRO_VERIFIED;
    report->repro_command = xstrdup("sh repro/repro.sh");
    report->repro_expect = xstrdup("version `GLIBC_2.38' not found");
    report->repro_files = 2;
    report->repro_bytes = 21500;
    return report;
}

/* Bytes that a terminal, a page or an issue would act on, or that are no UTF-8. */
#define SAMPLE_EVIL "\033]0;x\a\033[31m\302\233\377\300\257\xe2\x80\xae``` </script><b>|@all #1\r\nwhat helps"

static inline struct report *sample_hostile(void)
{
    struct report *report = sample_empty("/tmp/" SAMPLE_EVIL);
    struct cause *cause = sample_add(report, cause_create(CAUSE_LIBRARY_MISSING));
    size_t cap = 0;
    struct frame *frame = array_add(&cause->stack, &cause->stack_count, &cap, sizeof *frame);
    struct remedy *remedy = cause_remedy(cause, PROOF_MODELLED, "%s", SAMPLE_EVIL);

    report->code = 127;
    cause->confidence = 1.5;
    cause->subject = xstrdup(SAMPLE_EVIL);
    cause->missing = xstrdup(SAMPLE_EVIL);
    cause->provider = xstrdup(SAMPLE_EVIL);
    cause->exe = xstrdup(SAMPLE_EVIL);
    strings_addf(&cause->argv, SAMPLE_EVIL);
    strings_addf(&cause->chain, SAMPLE_EVIL);
    cause->summary = xstrdup(SAMPLE_EVIL);
    cause->detail = xstrdup(SAMPLE_EVIL);
    cause->words = xstrdup(SAMPLE_EVIL);
    strings_addf(&cause->symbols, SAMPLE_EVIL);
    *frame = (struct frame){
        .object = xstrdup(SAMPLE_EVIL), .symbol = xstrdup(SAMPLE_EVIL), .file = xstrdup(SAMPLE_EVIL), .line = 3};
    cause_fact(cause, SAMPLE_EVIL, "%s", SAMPLE_EVIL);
    cause_place(cause, SAMPLE_EVIL, SAMPLE_EVIL, SAMPLE_EVIL, false);
    strings_addf(&remedy->commands, SAMPLE_EVIL);
    strings_addf(&remedy->commands, SAMPLE_EVIL);
    remedy->risk = xstrdup(SAMPLE_EVIL);
    strings_addf(&report->ruled_out, SAMPLE_EVIL);
    strings_addf(&report->unseen, SAMPLE_EVIL);
    report->has_repro = true;
    report->repro_status = REPRO_DIFFERS;
    report->repro_command = xstrdup(SAMPLE_EVIL);
    report->repro_expect = xstrdup(SAMPLE_EVIL);
    report->repro_why = xstrdup(SAMPLE_EVIL);
    free(report->distribution);
    report->distribution = xstrdup(SAMPLE_EVIL);
    return report;
}

/* What RENDERER writes, malloced. Not inline: gcc takes what open_memstream() hands out for the address of its local.
 */
static __attribute__((noinline, unused)) char *sample_render(const struct renderer *renderer,
                                                             const struct report *report, bool colour, unsigned width)
{
    struct render_options options = {.colour = colour, .width = width};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    renderer->render(report, &options, out);
    fclose(out);
    return text;
}

#endif
