/* static-tls-exhausted, execstack-refused: an object that is there and complete, and that a dlopen(3) may not bring in
 * any more: what it wants can only be had at the start. */
#include "judge.h"
#include "remedy.h"
#include "scenario.h"

#include <probes/alloc.h>

enum { STUB_TLS = 16384 /* more than any loader keeps free without being told to */ };

static void tell_scenario(const struct finding *finding, struct cause *cause)
{
    const char *name = path_base(finding->missing);
    struct mini_object *subject, *stub;

    subject = tell_load_scenario(finding, cause);
    if (subject == cause->scenario->objects[0]) {
        subject->opens = xstrdup(name);
    } else {
        strings_deinit(&cause->scenario->objects[0]->needed);
        cause->scenario->objects[0]->needed = (struct strings){0};
        cause->scenario->objects[0]->opens = xstrdup(subject->name);
        mini_object_need(subject, name);
    }
    stub = scenario_object(cause->scenario, name);
    stub->soname = xstrdup(name);
    scenario_mend_last(cause->scenario);
    if (finding->kind == CAUSE_EXECSTACK_REFUSED)
        stub->execstack = true;
    else
        stub->tls_size = STUB_TLS;
}

/* A tunable of glibc (the manual's chapter on them), behind those that are set already. The miniature needs as much of
 * it as its own library has. */
static struct remedy *add_tunable(const struct finding *finding, struct cause *cause, const char *name,
                                  unsigned long long value, const char *title)
{
    const char *now = process_env(finding->process, "GLIBC_TUNABLES");
    CLEANUP_FREE char *setting = xasprintf("%s=%llu", name, value);
    CLEANUP_FREE char *all = now && *now ? xasprintf("%s:%s", now, setting) : xstrdup(setting);
    unsigned long long enough = value > 2 * STUB_TLS || value == 2 ? value : 2 * STUB_TLS;
    struct remedy *remedy =
        remedy_add(cause, PROOF_KNOWN, TRIAL_SET, remedy_run(finding, "GLIBC_TUNABLES", all), "%s", title);

    remedy->trial_text = xasprintf("GLIBC_TUNABLES=%s=%llu", name, enough);
    return remedy;
}

static void tell_tls(const struct finding *finding, struct cause *cause)
{
    const char *name = path_base(finding->missing);

    cause->summary =
        xasprintf("%s cannot be loaded while the program runs: its thread-local variables must lie in "
                  "memory that is set aside at the start, and %s.",
                  name, finding->load->family == LOADER_MUSL ? "musl sets none aside" : "too little of it is left");
    if (finding->elf)
        cause_fact(cause, "it needs", "%llu bytes of static TLS", (unsigned long long)finding->elf->tls_size);
    cause->detail = xasprintf("%s was opened by dlopen. It is built with the initial-exec model of thread-local "
                              "storage (DF_STATIC_TLS), for which glibc keeps a small reserve, and musl none.",
                              finding->missing);
    remedy_preload(finding, cause);
    if (finding->load->family == LOADER_GLIBC)
        add_tunable(finding, cause, "glibc.rtld.optional_static_tls",
                    finding->elf ? (unsigned long long)finding->elf->tls_size + 4096 : 65536ULL,
                    "or make the reserve greater");
    cause_remedy(cause, PROOF_KNOWN, "rebuild %s without -ftls-model=initial-exec", name);
}

static void tell_stack(const struct finding *finding, struct cause *cause)
{
    const char *name = path_base(finding->missing);
    CLEANUP_FREE char *word = remedy_word(finding->missing);
    struct remedy *remedy;

    cause->summary = xasprintf("%s cannot be loaded: it asks for an executable stack, which it is not given.", name);
    if (finding->elf)
        cause_fact(cause, "it needs", "an executable stack   (%s)",
                   finding->elf->has_gnu_stack ? "PT_GNU_STACK with the x flag"
                                               : "it has no PT_GNU_STACK, which counts as a demand");
    if (finding->fault && finding->fault->kind == FAULT_EXECSTACK)
        cause_fact(cause, "it gets", "%s, which makes no stack executable for a dlopen (glibc 2.41 and newer)",
                   finding->load->interp);
    else
        cause_fact(cause, "it gets", "a refusal of the kernel (a security module, a seccomp filter, PR_SET_MDWE)");
    cause->detail = xasprintf("%s is marked as needing an executable stack, most often because one assembler file of "
                              "it does not say otherwise; hardly any code really does.",
                              finding->missing);
    remedy_add(cause, PROOF_KNOWN, TRIAL_NONE, xasprintf("patchelf --clear-execstack %s", word),
               "take the mark away, if its makers agree that nothing needs it")
        ->risk = xstrdup("changes the file: keep a copy");
    if (finding->fault && finding->fault->kind == FAULT_EXECSTACK) {
        remedy = add_tunable(finding, cause, "glibc.rtld.execstack", 2, "or allow it for this program");
        remedy->risk = xstrdup("an executable stack makes flaws of the program easier to use");
    }
    cause_remedy(cause, PROOF_KNOWN, "rebuild %s with -Wl,-z,noexecstack", name);
}

void cause_refused_tell(const struct finding *finding, struct cause *cause)
{
    if (finding->kind == CAUSE_STATIC_TLS_EXHAUSTED)
        tell_tls(finding, cause);
    else
        tell_stack(finding, cause);
    if (finding->fault && finding->fault->provider)
        tell_search(cause, &finding->fault->provider->search);
    /* musl's dlopen() cannot be called by a program that its start-up code did not begin */
    if (finding->fault && finding->load->family == LOADER_GLIBC &&
        (finding->fault->kind == FAULT_EXECSTACK || finding->fault->kind == FAULT_STATIC_TLS))
        tell_scenario(finding, cause);
}
