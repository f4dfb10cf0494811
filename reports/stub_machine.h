/* What a stub has to know of a machine: a few instructions, its relocation for "the address of this symbol", and the
 * place of its loader. One row a machine; the tables' sources are the machines' psABI documents. */
#ifndef GLIBCTRACE_REPORTS_STUB_MACHINE_H
#define GLIBCTRACE_REPORTS_STUB_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stub_code {
    unsigned char bytes[176];
    size_t size;
};

struct stub_machine {
    const char *uname;  /* utsname.machine of kernels that run it natively, or NULL */
    const char *loader; /* glibc's, or NULL */
    unsigned class, data, machine;
    uint32_t flags;         /* e_flags that its loaders insist on */
    uint32_t page;          /* largest page size */
    unsigned bind;          /* relocation that stores a symbol's address in a word, 0: not known */
    bool rela;              /* with addends */
    bool wide_hash;         /* DT_HASH is of 64-bit words, as only two machines have it */
    struct stub_code leave; /* exit_group(0) */
    struct stub_code back;  /* return 0 */
    const char *libc_base;  /* the version of glibc's oldest symbols (shlib-versions in its source), or NULL */
    struct stub_code calls; /* see stub_calls.c; what it reads follows it */
};

/* The row, or NULL. */
const struct stub_machine *stub_machine_find(unsigned class, unsigned data, unsigned machine);
const struct stub_machine *stub_machine_native(void);

#endif
