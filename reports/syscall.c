#include "sys.h"

#include <probes/alloc.h>

#include <fcntl.h>
#include <string.h>

static const struct {
    const struct syscall_desc *rows;
    const size_t *count;
} families[] = {
    {sys_change_rows, &sys_change_row_count},   {sys_file_rows, &sys_file_row_count},
    {sys_memory_rows, &sys_memory_row_count},   {sys_process_rows, &sys_process_row_count},
    {sys_network_rows, &sys_network_row_count}, {sys_output_rows, &sys_output_row_count},
    {sys_watch_rows, &sys_watch_row_count},     {sys_rules_rows, &sys_rules_row_count},
    {sys_limit_rows, &sys_limit_row_count},     {sys_policy_rows, &sys_policy_row_count},
};
enum { FAMILY_COUNT = sizeof families / sizeof families[0] };

static int row_compare(const void *name, const void *row)
{
    return strcmp(name, ((const struct syscall_desc *)row)->name);
}

const struct syscall_desc *syscall_by_name(const char *name)
{
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        const struct syscall_desc *row =
            bsearch(name, families[i].rows, *families[i].count, sizeof *families[i].rows, row_compare);

        if (row)
            return row;
    }
    return NULL;
}

const struct syscall_desc *syscall_row(size_t i)
{
    for (size_t f = 0; f < FAMILY_COUNT; f++) {
        if (i < *families[f].count)
            return &families[f].rows[i];
        i -= *families[f].count;
    }
    return NULL;
}

uint64_t call_word(const struct call *call, unsigned i)
{
    return call->mem->word_size == 4 ? (uint32_t)call->args[i] : call->args[i];
}

bool call_succeeded(const struct call *call)
{
    /* As the kernel marks an error, include/linux/err.h: the last 4095 values. */
    return call->after && !(call->ret < 0 && call->ret >= -4095);
}

const char *sys_find_name(const struct name_of *names, size_t count, uint64_t value)
{
    for (size_t i = 0; i < count; i++)
        if (names[i].value == value)
            return names[i].name;
    return NULL;
}

void sys_unknown(struct text *out, uint64_t value, const char *kind)
{
    text_addf(out, "%#llx", (unsigned long long)value);
    if (kind)
        text_addf(out, " /* %s */", kind);
}

void sys_name(struct text *out, const struct name_of *names, size_t count, uint64_t value, const char *kind)
{
    const char *name = sys_find_name(names, count, value);

    if (name)
        text_add(out, name);
    else
        sys_unknown(out, value, kind);
}

void sys_flags(struct text *out, const struct name_of *names, size_t count, uint64_t flags, const char *kind)
{
    const char *zero = flags ? NULL : sys_find_name(names, count, 0);
    bool some = false;

    if (!flags) {
        text_add(out, zero ? zero : "0");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!names[i].value || (flags & names[i].value) != names[i].value)
            continue;
        if (some)
            text_addc(out, '|');
        text_add(out, names[i].name);
        flags &= ~names[i].value;
        some = true;
    }
    if (!some)
        sys_unknown(out, flags, kind);
    else if (flags)
        text_addf(out, "|%#llx", (unsigned long long)flags);
}

void sys_pointer(struct text *out, uint64_t addr)
{
    if (addr)
        text_addf(out, "%#llx", (unsigned long long)addr);
    else
        text_add(out, "NULL");
}

void sys_string_at(struct text *out, const struct mem *mem, uint64_t addr, size_t limit)
{
    /* One more than is shown tells whether something was left out. */
    CLEANUP_FREE char *s = addr ? mem_read_string(mem, addr, limit + 1, NULL) : NULL;
    size_t n = s ? strlen(s) : 0;

    if (!s) {
        sys_pointer(out, addr);
        return;
    }
    text_quote(out, s, n > limit ? limit : n);
    if (n > limit)
        text_add(out, "...");
}

void sys_bytes_at(struct text *out, const struct mem *mem, uint64_t addr, uint64_t size)
{
    char bytes[SYS_SHOWN];
    size_t n = size > SYS_SHOWN ? SYS_SHOWN : (size_t)size;

    if (!addr || mem_read(mem, addr, bytes, n) < 0) {
        sys_pointer(out, addr);
        return;
    }
    text_quote(out, bytes, n);
    if (size > n)
        text_add(out, "...");
}

void sys_dirfd_value(struct text *out, int fd)
{
    if (fd == AT_FDCWD)
        text_add(out, "AT_FDCWD");
    else
        text_addf(out, "%d", fd);
}

void sys_mode_value(struct text *out, unsigned mode)
{
    text_addf(out, "%#03o", mode);
}

/* The letters that belong to no family. */

static void letter_int(const struct call *call, struct text *out)
{
    text_addf(out, "%d", (int)call->args[call->i]);
}

static void letter_unsigned(const struct call *call, struct text *out)
{
    text_addf(out, "%u", (unsigned)call->args[call->i]);
}

static void letter_long(const struct call *call, struct text *out)
{
    int64_t value = (int64_t)call->args[call->i];

    text_addf(out, "%lld", call->mem->word_size == 4 ? (long long)(int32_t)value : (long long)value);
}

static void letter_size(const struct call *call, struct text *out)
{
    text_addf(out, "%llu", (unsigned long long)call_word(call, call->i));
}

static void letter_hex(const struct call *call, struct text *out)
{
    text_addf(out, "%#llx", (unsigned long long)call_word(call, call->i));
}

static void letter_pointer(const struct call *call, struct text *out)
{
    sys_pointer(out, call_word(call, call->i));
}

static void letter_dirfd(const struct call *call, struct text *out)
{
    sys_dirfd_value(out, (int)call->args[call->i]);
}

static void letter_path(const struct call *call, struct text *out)
{
    sys_string_at(out, call->mem, call_word(call, call->i), SYS_PATH_SHOWN);
}

static void letter_string(const struct call *call, struct text *out)
{
    sys_string_at(out, call->mem, call_word(call, call->i), SYS_SHOWN);
}

static void letter_buffer(const struct call *call, struct text *out)
{
    sys_bytes_at(out, call->mem, call_word(call, call->i), call_word(call, call->i + 1));
}

static void letter_mode(const struct call *call, struct text *out)
{
    sys_mode_value(out, (unsigned)call->args[call->i] & 0xffff); /* umode_t has 16 bits */
}

static sys_letter_fn *const letters[128] = {
    ['d'] = letter_int,
    ['f'] = letter_int,
    ['u'] = letter_unsigned,
    ['l'] = letter_long,
    ['z'] = letter_size,
    ['x'] = letter_hex,
    ['p'] = letter_pointer,
    ['D'] = letter_dirfd,
    ['P'] = letter_path,
    ['s'] = letter_string,
    ['S'] = letter_buffer,
    ['n'] = letter_mode,
    /* sys_file.c */
    ['o'] = sys_open_flags,
    ['m'] = sys_open_mode,
    ['h'] = sys_open_how,
    ['A'] = sys_access_mode,
    ['F'] = sys_at_flags,
    ['E'] = sys_faccessat_flags,
    ['T'] = sys_stat,
    ['U'] = sys_stat64,
    ['X'] = sys_statx,
    ['K'] = sys_statx_mask,
    ['N'] = sys_statx_flags,
    ['L'] = sys_readlink_buffer,
    ['H'] = sys_rename_flags,
    ['V'] = sys_id,
    /* sys_memory.c */
    ['R'] = sys_prot,
    ['G'] = sys_map_flags,
    ['O'] = sys_map_offset,
    ['Q'] = sys_map_pages,
    ['C'] = sys_memfd_flags,
    /* sys_process.c */
    ['a'] = sys_argv,
    ['e'] = sys_environment,
    ['c'] = sys_unshare_flags,
    ['b'] = sys_setns_flags,
    ['k'] = sys_signal,
    /* sys_network.c */
    ['q'] = sys_sockaddr,
    ['t'] = sys_socket_family,
    ['y'] = sys_socket_type,
    ['M'] = sys_msghdr,
    ['w'] = sys_msg_flags,
    /* sys_output.c */
    ['v'] = sys_iovec,
    ['r'] = sys_offset,
    /* sys_watch.c */
    ['i'] = sys_inotify_flags,
    ['I'] = sys_inotify_mask,
    /* sys_rules.c */
    ['j'] = sys_seccomp_op,
    ['J'] = sys_seccomp_flags,
    ['g'] = sys_seccomp_args,
    /* sys_limit.c */
    ['B'] = sys_resource,
};

static sys_whole_fn *const wholes[128] = {
    ['1'] = sys_clone, ['2'] = sys_clone3,     ['3'] = sys_ptrace,
    ['4'] = sys_prctl, ['5'] = sys_socketcall, ['6'] = sys_getsockopt,
};

unsigned syscall_argument_count(const struct syscall_desc *desc)
{
    static const unsigned char whole_counts['6' + 1] = {
        ['1'] = 5, ['2'] = 2, ['3'] = 4, ['4'] = 5, ['5'] = 2, ['6'] = 5};
    unsigned char first = (unsigned char)desc->args[0];

    return first && first <= '6' ? whole_counts[first] : (unsigned)strlen(desc->args);
}

void syscall_texts_format(const struct syscall_desc *desc, const uint64_t args[6], bool after, int64_t ret,
                          const struct mem *mem, struct syscall_texts *texts)
{
    struct call call = {.desc = desc, .args = args, .after = after, .ret = ret, .mem = mem};
    struct text out[6] = {0};
    unsigned used = 0;
    sys_whole_fn *whole = wholes[desc->args[0] & 127];

    if (whole) {
        whole(&call, out);
        for (used = 0; used < 6 && out[used].v;)
            used++;
    }
    for (call.i = 0; !whole && call.i < 6 && desc->args[call.i]; call.i++) {
        letters[desc->args[call.i] & 127](&call, &out[used]);
        if (out[used].v)
            used++;
    }
    for (unsigned i = 0; i < 6; i++)
        texts->text[i] = i < used ? out[i].v : NULL;
}

static ssize_t read_nothing(void *ctx, uint64_t addr, void *buf, size_t n)
{
    (void)ctx;
    (void)addr;
    (void)buf;
    (void)n;
    return -1;
}

void syscall_texts_guess(const struct syscall_desc *desc, const uint64_t args[6], const char *string,
                         struct syscall_texts *texts)
{
    const struct mem nothing = {.read = read_nothing, .word_size = 8};
    struct text quoted = {0};

    syscall_texts_format(desc, args, false, 0, &nothing, texts);
    if (!string || desc->path_arg < 0 || !texts->text[desc->path_arg])
        return;
    text_quote(&quoted, string, strlen(string));
    free(texts->text[desc->path_arg]);
    texts->text[desc->path_arg] = quoted.v;
}

void syscall_texts_deinit(struct syscall_texts *texts)
{
    for (unsigned i = 0; i < 6; i++)
        free(texts->text[i]);
    *texts = (struct syscall_texts){0};
}
