#include "filter.h"

#include "calls.h"

#include <probes/alloc.h>

#include <errno.h>
#include <seccomp.h>
#include <string.h>

struct filter {
    scmp_filter_ctx context;
};

static int add_rule(scmp_filter_ctx context, const struct arch_call *name, const struct call *call)
{
    struct scmp_arg_cmp comparisons[2];
    unsigned count = 0;
    /* By name: libseccomp wants i386's numbers as pseudo numbers of its own. One too new for it is known by number on
     * the native ABI, and on the other it is left out (its caller then goes unseen, not unfiltered). */
    int number = seccomp_syscall_resolve_name(name->name);

    if (number == __NR_SCMP_ERROR) {
        if (name->abi != ABI_NATIVE)
            return 0;
        number = name->number;
    }
    for (size_t i = 0; i < sizeof call->conditions / sizeof call->conditions[0]; i++) {
        const struct call_condition *condition = &call->conditions[i];

        if (condition->mask)
            comparisons[count++] = SCMP_CMP(condition->arg, SCMP_CMP_MASKED_EQ, condition->mask, condition->value);
        else if (condition->value)
            comparisons[count++] = SCMP_CMP(condition->arg, SCMP_CMP_GE, condition->value);
    }
    return seccomp_rule_add_array(context, SCMP_ACT_TRACE(CALL_DATA), number, count, comparisons);
}

/* One context an ABI, so that a rule for i386's stat64 says nothing about a native call of that name. */
static scmp_filter_ctx abi_context(const struct arch *arch, enum abi abi, bool full, int *error)
{
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
    uint32_t token = seccomp_arch_resolve_name(arch->abis[abi].name);

    if (!context) {
        *error = -ENOMEM;
        return NULL;
    }
    *error = 0;
    if (token != seccomp_arch_native()) {
        *error = seccomp_arch_add(context, token);
        if (!*error)
            *error = seccomp_arch_remove(context, seccomp_arch_native());
    }
    for (size_t n = 0; !*error && n < arch->call_count; n++) {
        if (arch->calls[n].abi != abi)
            continue;
        for (size_t i = 0; !*error && i < call_count; i++)
            if (!strcmp(calls[i].row, arch->calls[n].row) && calls[i].kind != CALL_LEAVE &&
                calls[i].kind != CALL_CLOSE && (full || calls[i].kind != CALL_DETAIL))
                *error = add_rule(context, &arch->calls[n], &calls[i]);
    }
    return context;
}

static int set_attributes(scmp_filter_ctx context)
{
    /* Calls of an ABI that we do not know (x32) are the kernel's business, not ours. */
    int error = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);

    if (!error)
        error = seccomp_attr_set(context, SCMP_FLTATR_CTL_NNP, 0);
    /* Both only make it faster and may be unknown to an older libseccomp or kernel: a tree instead of a list, and no
     * mitigation of speculative store bypass that the program would not have without us. */
    seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    seccomp_attr_set(context, SCMP_FLTATR_CTL_SSB, 1);
    return error;
}

struct filter *filter_create(const struct arch *arch, bool full, struct err *err)
{
    scmp_filter_ctx whole = NULL;
    int error = 0;

    for (enum abi abi = ABI_NATIVE; !error && abi < ABI_COUNT; abi++) {
        scmp_filter_ctx context = abi_context(arch, abi, full, &error);

        if (!error)
            error = set_attributes(context);
        if (!error && whole) {
            error = seccomp_merge(whole, context); /* takes CONTEXT where it succeeds */
            context = error ? context : NULL;
        } else if (!error) {
            whole = context;
            context = NULL;
        }
        if (context)
            seccomp_release(context);
    }
    if (error) {
        if (whole)
            seccomp_release(whole);
        err_errno(err, -error, "cannot make the seccomp filter");
        return NULL;
    }
    struct filter *filter = xcalloc(1, sizeof *filter);

    filter->context = whole;
    return filter;
}

void filter_destroy(struct filter *filter)
{
    if (!filter)
        return;
    seccomp_release(filter->context);
    free(filter);
}

int filter_load(struct filter *filter, bool no_new_privs)
{
    int error = seccomp_attr_set(filter->context, SCMP_FLTATR_CTL_NNP, no_new_privs);

    return error ? error : seccomp_load(filter->context);
}

char *filter_call_name(uint32_t audit, int number)
{
    return seccomp_syscall_resolve_num_arch(audit, number);
}
