/* Calls on paths: open, stat, readlink, access. Values are those of the kernel's headers (include/uapi), texts were
 * compared with strace 6.1's. */
#include "sys.h"

#include <probes/alloc.h>

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/sysmacros.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

enum { OPEN_LARGEFILE = 0100000, OPEN_SYNC = 04000000, OPEN_TMPFILE = 020000000 }; /* glibc hides or combines them */

static const struct name_of open_flags[] = {
    {O_CREAT, "O_CREAT"},
    {O_EXCL, "O_EXCL"},
    {O_NOCTTY, "O_NOCTTY"},
    {O_TRUNC, "O_TRUNC"},
    {O_APPEND, "O_APPEND"},
    {O_NONBLOCK, "O_NONBLOCK"},
    {O_SYNC, "O_SYNC"},
    {O_DSYNC, "O_DSYNC"},
    {OPEN_SYNC, "__O_SYNC"},
    {O_DIRECT, "O_DIRECT"},
    {OPEN_LARGEFILE, "O_LARGEFILE"},
    {O_NOFOLLOW, "O_NOFOLLOW"},
    {O_NOATIME, "O_NOATIME"},
    {O_CLOEXEC, "O_CLOEXEC"},
    {O_PATH, "O_PATH"},
    {O_TMPFILE, "O_TMPFILE"},
    {OPEN_TMPFILE, "__O_TMPFILE"},
    {O_DIRECTORY, "O_DIRECTORY"},
    {O_ASYNC, "FASYNC"},
};

static const struct name_of access_modes[] = {{0, "F_OK"}, {4, "R_OK"}, {2, "W_OK"}, {1, "X_OK"}};

static const struct name_of at_flags[] = {
    {0x100, "AT_SYMLINK_NOFOLLOW"}, {0x200, "AT_REMOVEDIR"},   {0x400, "AT_SYMLINK_FOLLOW"},
    {0x800, "AT_NO_AUTOMOUNT"},     {0x1000, "AT_EMPTY_PATH"}, {0x8000, "AT_RECURSIVE"},
};

static const struct name_of faccessat_flags[] = {
    {0x100, "AT_SYMLINK_NOFOLLOW"}, {0x200, "AT_EACCESS"}, {0x1000, "AT_EMPTY_PATH"}};

static const struct name_of resolve_flags[] = {
    {RESOLVE_NO_XDEV, "RESOLVE_NO_XDEV"},         {RESOLVE_NO_MAGICLINKS, "RESOLVE_NO_MAGICLINKS"},
    {RESOLVE_NO_SYMLINKS, "RESOLVE_NO_SYMLINKS"}, {RESOLVE_BENEATH, "RESOLVE_BENEATH"},
    {RESOLVE_IN_ROOT, "RESOLVE_IN_ROOT"},         {0x20, "RESOLVE_CACHED"},
};

static const struct name_of statx_masks[] = {
    {0xfff, "STATX_ALL"},    {0x7ff, "STATX_BASIC_STATS"}, {0x1, "STATX_TYPE"},      {0x2, "STATX_MODE"},
    {0x4, "STATX_NLINK"},    {0x8, "STATX_UID"},           {0x10, "STATX_GID"},      {0x20, "STATX_ATIME"},
    {0x40, "STATX_MTIME"},   {0x80, "STATX_CTIME"},        {0x100, "STATX_INO"},     {0x200, "STATX_SIZE"},
    {0x400, "STATX_BLOCKS"}, {0x800, "STATX_BTIME"},       {0x1000, "STATX_MNT_ID"}, {0x2000, "STATX_DIOALIGN"},
};

static const struct name_of statx_attributes[] = {
    {0x4, "STATX_ATTR_COMPRESSED"},    {0x10, "STATX_ATTR_IMMUTABLE"},  {0x20, "STATX_ATTR_APPEND"},
    {0x40, "STATX_ATTR_NODUMP"},       {0x800, "STATX_ATTR_ENCRYPTED"}, {0x1000, "STATX_ATTR_AUTOMOUNT"},
    {0x2000, "STATX_ATTR_MOUNT_ROOT"}, {0x100000, "STATX_ATTR_VERITY"}, {0x200000, "STATX_ATTR_DAX"},
};

static const struct name_of sync_types[] = {{0, "AT_STATX_SYNC_AS_STAT"},
                                            {0x2000, "AT_STATX_FORCE_SYNC"},
                                            {0x4000, "AT_STATX_DONT_SYNC"},
                                            {0x6000, "AT_STATX_FORCE_SYNC|AT_STATX_DONT_SYNC"}};

static const struct name_of file_types[] = {
    {S_IFREG, "S_IFREG"}, {S_IFDIR, "S_IFDIR"}, {S_IFLNK, "S_IFLNK"},   {S_IFCHR, "S_IFCHR"},
    {S_IFBLK, "S_IFBLK"}, {S_IFIFO, "S_IFIFO"}, {S_IFSOCK, "S_IFSOCK"},
};

static void open_flags_value(struct text *out, uint64_t flags)
{
    static const char *const access[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
    uint64_t rest = flags & ~(uint64_t)O_ACCMODE;

    text_add(out, access[flags & O_ACCMODE]);
    if (!rest)
        return;
    text_addc(out, '|');
    sys_flags(out, open_flags, COUNT(open_flags), rest, NULL);
}

void sys_open_flags(const struct call *call, struct text *out)
{
    open_flags_value(out, (uint32_t)call->args[call->i]);
}

static bool open_uses_mode(uint64_t flags)
{
    return (flags & O_CREAT) || (flags & OPEN_TMPFILE);
}

void sys_open_mode(const struct call *call, struct text *out)
{
    if (open_uses_mode(call->args[call->i - 1]))
        sys_mode_value(out, (unsigned)call->args[call->i] & 0xffff);
}

/* What a struct open_how of a kernel newer than we holds beyond the fields that we know. */
static void open_how_rest(const struct call *call, struct text *out, uint64_t addr, uint64_t size)
{
    unsigned char bytes[SYS_SHOWN];
    uint64_t rest = size - sizeof(struct open_how);
    size_t n = rest > SYS_SHOWN ? SYS_SHOWN : (size_t)rest;

    text_addf(out, ", /* bytes %zu..%llu */ ", sizeof(struct open_how), (unsigned long long)size - 1);
    if (mem_read(call->mem, addr + sizeof(struct open_how), bytes, n) < 0) {
        text_add(out, "???");
        return;
    }
    text_addc(out, '"');
    for (size_t i = 0; i < n; i++)
        text_addf(out, "\\x%02x", bytes[i]);
    text_add(out, rest > n ? "\"..." : "\"");
}

static bool some_byte_set(const struct call *call, uint64_t addr, uint64_t size)
{
    char bytes[4096]; /* the kernel takes no struct larger than a page */

    if (size > sizeof bytes || mem_read(call->mem, addr, bytes, size) < 0)
        return true;
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return true;
    return false;
}

void sys_open_how(const struct call *call, struct text *out)
{
    uint64_t addr = call_word(call, call->i), size = call_word(call, call->i + 1);
    struct open_how how;

    if (!addr || size < sizeof how || mem_read(call->mem, addr, &how, sizeof how) < 0) {
        sys_pointer(out, addr);
        return;
    }
    text_add(out, "{flags=");
    open_flags_value(out, how.flags);
    if (open_uses_mode(how.flags) || how.mode) {
        text_add(out, ", mode=");
        text_addf(out, "%#03llo", (unsigned long long)how.mode);
    }
    text_add(out, ", resolve=");
    sys_flags(out, resolve_flags, COUNT(resolve_flags), how.resolve, "RESOLVE_???");
    if (size > sizeof how && some_byte_set(call, addr + sizeof how, size - sizeof how))
        open_how_rest(call, out, addr, size);
    text_addc(out, '}');
}

void sys_access_mode(const struct call *call, struct text *out)
{
    sys_flags(out, access_modes, COUNT(access_modes), (uint32_t)call->args[call->i], "?_OK");
}

void sys_at_flags(const struct call *call, struct text *out)
{
    sys_flags(out, at_flags, COUNT(at_flags), (uint32_t)call->args[call->i], "AT_???");
}

void sys_faccessat_flags(const struct call *call, struct text *out)
{
    sys_flags(out, faccessat_flags, COUNT(faccessat_flags), (uint32_t)call->args[call->i], "AT_???");
}

void sys_readlink_buffer(const struct call *call, struct text *out)
{
    if (call_succeeded(call))
        sys_bytes_at(out, call->mem, call_word(call, call->i), (uint64_t)call->ret);
    else
        sys_pointer(out, call_word(call, call->i));
}

static void file_mode(struct text *out, unsigned mode)
{
    const char *type = sys_find_name(file_types, COUNT(file_types), mode & S_IFMT);

    if (type)
        text_addf(out, "%s|", type);
    else if (mode & S_IFMT)
        text_addf(out, "%#o|", mode & S_IFMT);
    if (mode & S_ISUID)
        text_add(out, "S_ISUID|");
    if (mode & S_ISGID)
        text_add(out, "S_ISGID|");
    if (mode & S_ISVTX)
        text_add(out, "S_ISVTX|");
    sys_mode_value(out, mode & 0777);
}

static void stat_values(struct text *out, unsigned mode, uint64_t size, unsigned major_id, unsigned minor_id)
{
    text_add(out, "{st_mode=");
    file_mode(out, mode);
    if (S_ISCHR(mode) || S_ISBLK(mode))
        text_addf(out, ", st_rdev=makedev(%#x, %#x)", major_id, minor_id);
    else
        text_addf(out, ", st_size=%llu", (unsigned long long)size);
    text_add(out, ", ...}");
}

/* The layouts that the kernel writes: struct stat of asm/stat.h for x86-64 (offsets: mode 24, rdev 40, size 48) and
 * aarch64 (mode 16, rdev 32, size 48), and of i386 (mode 8, rdev 16, size 20, all narrower). */
#if defined(__aarch64__)
enum { STAT_SIZE = 128, STAT_MODE = 16, STAT_RDEV = 32, STAT_LENGTH = 48 };
#else
enum { STAT_SIZE = 144, STAT_MODE = 24, STAT_RDEV = 40, STAT_LENGTH = 48 };
#endif

static void stat_native(const struct call *call, struct text *out, uint64_t addr)
{
    unsigned char bytes[STAT_SIZE];
    uint32_t mode;
    uint64_t rdev, size;

    if (mem_read(call->mem, addr, bytes, sizeof bytes) < 0) {
        sys_pointer(out, addr);
        return;
    }
    memcpy(&mode, bytes + STAT_MODE, 4);
    memcpy(&rdev, bytes + STAT_RDEV, 8);
    memcpy(&size, bytes + STAT_LENGTH, 8);
    stat_values(out, mode, size, major(rdev), minor(rdev));
}

static void stat_narrow(const struct call *call, struct text *out, uint64_t addr)
{
    unsigned char bytes[64];
    uint16_t mode;
    uint32_t rdev, size;

    if (mem_read(call->mem, addr, bytes, sizeof bytes) < 0) {
        sys_pointer(out, addr);
        return;
    }
    memcpy(&mode, bytes + 8, 2);
    memcpy(&rdev, bytes + 16, 4);
    memcpy(&size, bytes + 20, 4);
    stat_values(out, mode, size, major(rdev), minor(rdev));
}

void sys_stat(const struct call *call, struct text *out)
{
    uint64_t addr = call_word(call, call->i);

    if (!call_succeeded(call) || !addr)
        sys_pointer(out, addr);
    else if (call->mem->word_size == 4)
        stat_narrow(call, out, addr);
    else
        stat_native(call, out, addr);
}

/* struct stat64 of i386 (packed, asm/stat.h): mode 16, rdev 32, size 44. */
void sys_stat64(const struct call *call, struct text *out)
{
    uint64_t addr = call_word(call, call->i);
    unsigned char bytes[96];
    uint32_t mode;
    uint64_t rdev, size;

    if (!call_succeeded(call) || !addr || mem_read(call->mem, addr, bytes, sizeof bytes) < 0) {
        sys_pointer(out, addr);
        return;
    }
    memcpy(&mode, bytes + 16, 4);
    memcpy(&rdev, bytes + 32, 8);
    memcpy(&size, bytes + 44, 8);
    stat_values(out, mode, size, major(rdev), minor(rdev));
}

void sys_statx(const struct call *call, struct text *out)
{
    uint64_t addr = call_word(call, call->i);
    struct statx stx;

    if (!call_succeeded(call) || !addr || mem_read(call->mem, addr, &stx, sizeof stx) < 0) {
        sys_pointer(out, addr);
        return;
    }
    text_add(out, "{stx_mask=");
    sys_flags(out, statx_masks, COUNT(statx_masks), stx.stx_mask, "STATX_???");
    text_add(out, ", stx_attributes=");
    sys_flags(out, statx_attributes, COUNT(statx_attributes), stx.stx_attributes, "STATX_ATTR_???");
    text_add(out, ", stx_mode=");
    file_mode(out, stx.stx_mode);
    text_addf(out, ", stx_size=%llu, ...}", (unsigned long long)stx.stx_size);
}

void sys_statx_mask(const struct call *call, struct text *out)
{
    sys_flags(out, statx_masks, COUNT(statx_masks), (uint32_t)call->args[call->i], "STATX_???");
}

void sys_statx_flags(const struct call *call, struct text *out)
{
    uint32_t flags = (uint32_t)call->args[call->i];

    text_add(out, sys_find_name(sync_types, COUNT(sync_types), flags & 0x6000));
    if (flags & ~0x6000u) {
        text_addc(out, '|');
        sys_flags(out, at_flags, COUNT(at_flags), flags & ~0x6000u, NULL);
    }
}

enum { FILLED = NEED_RESULT | NEED_MEMORY_AFTER };

const struct syscall_desc sys_file_rows[] = {
    {"access", "PA", FAMILY_FILE, NEED_RESULT, 0, -1, 1},
    {"chdir", "P", FAMILY_FILE, NEED_RESULT, 0, -1, -1},
    {"chroot", "P", FAMILY_FILE, NEED_RESULT, 0, -1, -1},
    {"creat", "Pn", FAMILY_FILE, NEED_RESULT, 0, -1, -1},
    {"faccessat", "DPA", FAMILY_FILE, NEED_RESULT, 1, 0, 2},
    {"faccessat2", "DPAE", FAMILY_FILE, NEED_RESULT, 1, 0, 2},
    {"fchdir", "f", FAMILY_FILE, NEED_RESULT, -1, -1, -1},
    {"fstat", "fT", FAMILY_FILE, FILLED, -1, -1, -1},
    {"fstat64", "fU", FAMILY_FILE, FILLED, -1, -1, -1},
    {"fstatat64", "DPUF", FAMILY_FILE, FILLED, 1, 0, -1},
    {"lstat", "PT", FAMILY_FILE, FILLED, 0, -1, -1},
    {"lstat64", "PU", FAMILY_FILE, FILLED, 0, -1, -1},
    {"newfstatat", "DPTF", FAMILY_FILE, FILLED, 1, 0, -1},
    {"open", "Pom", FAMILY_FILE, NEED_RESULT, 0, -1, 1},
    {"openat", "DPom", FAMILY_FILE, NEED_RESULT, 1, 0, 2},
    {"openat2", "DPhz", FAMILY_FILE, NEED_RESULT, 1, 0, 2},
    {"pivot_root", "PP", FAMILY_FILE, NEED_RESULT, 0, -1, -1},
    {"readlink", "PLz", FAMILY_FILE, FILLED, 0, -1, -1},
    {"readlinkat", "DPLz", FAMILY_FILE, FILLED, 1, 0, -1},
    {"stat", "PT", FAMILY_FILE, FILLED, 0, -1, -1},
    {"stat64", "PU", FAMILY_FILE, FILLED, 0, -1, -1},
    {"statx", "DPNKX", FAMILY_FILE, FILLED, 1, 0, -1},
};
const size_t sys_file_row_count = COUNT(sys_file_rows);
