/* Calls that change what a process may do: seccomp(2) and prctl(2). */
#include "sys.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

enum { SET_STRICT, SET_FILTER, GET_ACTION, GET_SIZES };

static const struct name_of seccomp_ops[] = {
    {SET_STRICT, "SECCOMP_SET_MODE_STRICT"},
    {SET_FILTER, "SECCOMP_SET_MODE_FILTER"},
    {GET_ACTION, "SECCOMP_GET_ACTION_AVAIL"},
    {GET_SIZES, "SECCOMP_GET_NOTIF_SIZES"},
};

static const struct name_of seccomp_flags[] = {
    {1, "SECCOMP_FILTER_FLAG_TSYNC"},        {2, "SECCOMP_FILTER_FLAG_LOG"},
    {4, "SECCOMP_FILTER_FLAG_SPEC_ALLOW"},   {8, "SECCOMP_FILTER_FLAG_NEW_LISTENER"},
    {16, "SECCOMP_FILTER_FLAG_TSYNC_ESRCH"}, {32, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"},
};

static const struct name_of seccomp_actions[] = {
    {0x80000000, "SECCOMP_RET_KILL_PROCESS"}, {0, "SECCOMP_RET_KILL_THREAD"},         {0x30000, "SECCOMP_RET_TRAP"},
    {0x50000, "SECCOMP_RET_ERRNO"},           {0x7fc00000, "SECCOMP_RET_USER_NOTIF"}, {0x7ff00000, "SECCOMP_RET_TRACE"},
    {0x7ffc0000, "SECCOMP_RET_LOG"},          {0x7fff0000, "SECCOMP_RET_ALLOW"},
};

void sys_seccomp_op(const struct call *call, struct text *out)
{
    sys_name(out, seccomp_ops, COUNT(seccomp_ops), (uint32_t)call->args[call->i], "SECCOMP_SET_MODE_???");
}

void sys_seccomp_flags(const struct call *call, struct text *out)
{
    uint32_t flags = (uint32_t)call->args[call->i];

    if ((uint32_t)call->args[0] == SET_FILTER)
        sys_flags(out, seccomp_flags, COUNT(seccomp_flags), flags, "SECCOMP_FILTER_FLAG_???");
    else
        text_addf(out, "%#x", flags);
}

/* struct sock_fprog: a 16-bit count and a pointer, aligned to a word. */
static void filter_at(const struct call *call, struct text *out, uint64_t addr)
{
    unsigned char bytes[16];
    unsigned size = call->mem->word_size;
    uint16_t length;
    uint64_t filter_addr = 0;

    if (!addr || mem_read(call->mem, addr, bytes, 2 * size) < 0) {
        sys_pointer(out, addr);
        return;
    }
    memcpy(&length, bytes, 2);
    memcpy(&filter_addr, bytes + size, size);
    text_addf(out, "{len=%u, filter=", length);
    sys_pointer(out, filter_addr);
    text_addc(out, '}');
}

static void action_at(const struct call *call, struct text *out, uint64_t addr)
{
    uint32_t action;

    if (!addr || mem_read(call->mem, addr, &action, sizeof action) < 0) {
        sys_pointer(out, addr);
        return;
    }
    text_addc(out, '[');
    sys_name(out, seccomp_actions, COUNT(seccomp_actions), action, "SECCOMP_RET_???");
    text_addc(out, ']');
}

static void sizes_at(const struct call *call, struct text *out, uint64_t addr)
{
    uint16_t sizes[3];

    if (!call_succeeded(call) || mem_read(call->mem, addr, sizes, sizeof sizes) < 0)
        sys_pointer(out, addr);
    else
        text_addf(out, "{seccomp_notif=%u, seccomp_notif_resp=%u, seccomp_data=%u}", sizes[0], sizes[1], sizes[2]);
}

void sys_seccomp_args(const struct call *call, struct text *out)
{
    uint64_t addr = call_word(call, call->i);

    switch ((uint32_t)call->args[0]) {
    case SET_FILTER:
        filter_at(call, out, addr);
        break;
    case GET_ACTION:
        action_at(call, out, addr);
        break;
    case GET_SIZES:
        sizes_at(call, out, addr);
        break;
    default:
        sys_pointer(out, addr);
    }
}

void sys_filter(const struct call *call, struct text *out)
{
    filter_at(call, out, call_word(call, call->i));
}

const struct syscall_desc sys_rules_rows[] = {
    {"prctl", "4", FAMILY_RULES, NEED_RESULT, -1, -1, -1},
    {"seccomp", "jJg", FAMILY_RULES, NEED_RESULT, -1, -1, -1},
};
const size_t sys_rules_row_count = COUNT(sys_rules_rows);
