/* Calls that are told because of what they run into: limits of descriptors, memory and room, and policies. Arguments
 * that no judge asks for are told as numbers. */
#include "sys.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* include/uapi/asm-generic/resource.h */
static const struct name_of resources[] = {
    {0, "RLIMIT_CPU"},       {1, "RLIMIT_FSIZE"}, {2, "RLIMIT_DATA"},    {3, "RLIMIT_STACK"},
    {4, "RLIMIT_CORE"},      {5, "RLIMIT_RSS"},   {6, "RLIMIT_NPROC"},   {7, "RLIMIT_NOFILE"},
    {8, "RLIMIT_MEMLOCK"},   {9, "RLIMIT_AS"},    {10, "RLIMIT_LOCKS"},  {11, "RLIMIT_SIGPENDING"},
    {12, "RLIMIT_MSGQUEUE"}, {13, "RLIMIT_NICE"}, {14, "RLIMIT_RTPRIO"}, {15, "RLIMIT_RTTIME"},
};

void sys_resource(const struct call *call, struct text *out)
{
    sys_name(out, resources, COUNT(resources), (uint32_t)call->args[call->i], "RLIMIT_???");
}

const struct syscall_desc sys_limit_rows[] = {
    {"bpf", "dpu", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"dup", "f", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"epoll_create", "d", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"epoll_create1", "x", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"eventfd2", "ux", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"fallocate", "fdll", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"ftruncate", "fl", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"io_uring_setup", "up", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"keyctl", "dlppp", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"mlock", "pz", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"mlock2", "pzx", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"mlockall", "x", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"mount", "pppxp", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"perf_event_open", "pddfx", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"pidfd_open", "dx", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"pipe", "p", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"pipe2", "px", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"prlimit64", "dBpp", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"setrlimit", "Bp", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"signalfd4", "fpzx", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"timerfd_create", "dx", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
    {"userfaultfd", "x", FAMILY_LIMIT, NEED_RESULT, -1, -1, -1},
};
const size_t sys_limit_row_count = COUNT(sys_limit_rows);
