/* inotify(7). */
#include "sys.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct name_of init_flags[] = {{04000, "IN_NONBLOCK"}, {02000000, "IN_CLOEXEC"}};

static const struct name_of masks[] = {
    {0x1, "IN_ACCESS"},
    {0x2, "IN_MODIFY"},
    {0x4, "IN_ATTRIB"},
    {0x8, "IN_CLOSE_WRITE"},
    {0x10, "IN_CLOSE_NOWRITE"},
    {0x20, "IN_OPEN"},
    {0x40, "IN_MOVED_FROM"},
    {0x80, "IN_MOVED_TO"},
    {0x100, "IN_CREATE"},
    {0x200, "IN_DELETE"},
    {0x400, "IN_DELETE_SELF"},
    {0x800, "IN_MOVE_SELF"},
    {0x2000, "IN_UNMOUNT"},
    {0x4000, "IN_Q_OVERFLOW"},
    {0x8000, "IN_IGNORED"},
    {0x1000000, "IN_ONLYDIR"},
    {0x2000000, "IN_DONT_FOLLOW"},
    {0x4000000, "IN_EXCL_UNLINK"},
    {0x10000000, "IN_MASK_CREATE"},
    {0x20000000, "IN_MASK_ADD"},
    {0x40000000, "IN_ISDIR"},
    {0x80000000, "IN_ONESHOT"},
};

void sys_inotify_flags(const struct call *call, struct text *out)
{
    sys_flags(out, init_flags, COUNT(init_flags), (uint32_t)call->args[call->i], "IN_???");
}

void sys_inotify_mask(const struct call *call, struct text *out)
{
    sys_flags(out, masks, COUNT(masks), (uint32_t)call->args[call->i], "IN_???");
}

const struct syscall_desc sys_watch_rows[] = {
    {"inotify_add_watch", "fPI", FAMILY_WATCH, NEED_RESULT, 1, -1, -1},
    {"inotify_init", "", FAMILY_WATCH, NEED_RESULT, -1, -1, -1},
    {"inotify_init1", "i", FAMILY_WATCH, NEED_RESULT, -1, -1, -1},
};
const size_t sys_watch_row_count = COUNT(sys_watch_rows);
