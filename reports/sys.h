/* Inside of syscall.c and the sys_*.c files, one a family: the text under construction, the call being told, and the
 * functions behind the letters of a row. Nobody else includes this. */
#ifndef GLIBCTRACE_REPORTS_SYS_H
#define GLIBCTRACE_REPORTS_SYS_H

#include "syscall.h"
#include "text.h"

/* A call while its arguments are told. */
struct call {
    const struct syscall_desc *desc;
    const uint64_t *args;
    unsigned i; /* the argument in question */
    bool after; /* it has returned */
    int64_t ret;
    const struct mem *mem;
};

/* A letter: one argument. The function appends the text of call->args[call->i]. Where it appends nothing, strace leaves
 * the argument out (the mode of an open without O_CREAT). */
typedef void sys_letter_fn(const struct call *call, struct text *out);
/* A letter for the calls whose arguments are told in another order or number than they are passed (clone, prctl): fills
 * all texts. */
typedef void sys_whole_fn(const struct call *call, struct text out[6]);

/* What a 0, a bit or a number is called; the order of a table is the order in which strace prints the names. */
struct name_of {
    uint64_t value;
    const char *name;
};

/* "A|B|0x10"; where no name fits, the number and KIND as a comment ("MFD_???"), and "0" where the table has no name for
 * 0. Entries of several bits match where all of them are set. KIND may be NULL: then the bare number. */
void sys_flags(struct text *out, const struct name_of *names, size_t count, uint64_t flags, const char *kind);
/* One name, or the number in hexadecimal and KIND as a comment. */
void sys_name(struct text *out, const struct name_of *names, size_t count, uint64_t value, const char *kind);
/* The name alone, or NULL. */
const char *sys_find_name(const struct name_of *names, size_t count, uint64_t value);

/* The argument as a pointer or long of that process (32-bit ones have 4 bytes). */
uint64_t call_word(const struct call *call, unsigned i);
/* It has returned without an error: out arguments hold something. */
bool call_succeeded(const struct call *call);

/* The number in hexadecimal and KIND (or NULL) as a comment. */
void sys_unknown(struct text *out, uint64_t value, const char *kind);

void sys_pointer(struct text *out, uint64_t addr);
/* A NUL-terminated string at ADDR, of which at most LIMIT characters are shown. */
void sys_string_at(struct text *out, const struct mem *mem, uint64_t addr, size_t limit);
/* SIZE bytes at ADDR, of which at most SYS_SHOWN are shown. */
void sys_bytes_at(struct text *out, const struct mem *mem, uint64_t addr, uint64_t size);
/* COUNT struct iovec at ADDR: what each points at, and its length. */
void sys_iovec_at(struct text *out, const struct mem *mem, uint64_t addr, uint64_t count);
void sys_dirfd_value(struct text *out, int fd);
void sys_mode_value(struct text *out, unsigned mode);

enum {
    SYS_SHOWN = 32,       /* strace's -s: bytes of a buffer, elements of a vector */
    SYS_PATH_SHOWN = 4095 /* PATH_MAX - 1: paths are told whole */
};

/* Rows, sorted by name (strcmp) within each family. */
extern const struct syscall_desc sys_file_rows[], sys_change_rows[], sys_memory_rows[], sys_process_rows[],
    sys_network_rows[], sys_output_rows[], sys_watch_rows[], sys_rules_rows[], sys_limit_rows[], sys_policy_rows[];
extern const size_t sys_file_row_count, sys_change_row_count, sys_memory_row_count, sys_process_row_count,
    sys_network_row_count, sys_output_row_count, sys_watch_row_count, sys_rules_row_count, sys_limit_row_count,
    sys_policy_row_count;

sys_letter_fn sys_open_flags, sys_open_mode, sys_open_how, sys_access_mode, sys_at_flags, sys_faccessat_flags, sys_stat,
    sys_stat64, sys_statx, sys_statx_mask, sys_statx_flags, sys_readlink_buffer;
sys_letter_fn sys_rename_flags, sys_id;
sys_letter_fn sys_prot, sys_map_flags, sys_map_offset, sys_map_pages, sys_memfd_flags;
sys_letter_fn sys_argv, sys_environment, sys_unshare_flags, sys_setns_flags, sys_signal;
sys_whole_fn sys_clone, sys_clone3, sys_ptrace;
sys_letter_fn sys_socket_family, sys_socket_type, sys_sockaddr, sys_msghdr, sys_msg_flags;
sys_whole_fn sys_socketcall, sys_getsockopt;
sys_letter_fn sys_iovec, sys_offset;
sys_letter_fn sys_inotify_flags, sys_inotify_mask;
sys_whole_fn sys_prctl;
sys_letter_fn sys_resource;
sys_letter_fn sys_seccomp_op, sys_seccomp_flags, sys_seccomp_args, sys_filter;

#endif
