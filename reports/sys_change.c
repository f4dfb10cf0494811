/* Calls that make, remove and rename files, and change who may do what with them. */
#include "sys.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* linux/fs.h */
static const struct name_of rename_flags[] = {{1, "RENAME_NOREPLACE"}, {2, "RENAME_EXCHANGE"}, {4, "RENAME_WHITEOUT"}};

void sys_rename_flags(const struct call *call, struct text *out)
{
    sys_flags(out, rename_flags, COUNT(rename_flags), (uint32_t)call->args[call->i], "RENAME_??");
}

/* A user or group: only -1 ("leave it", chown(2)) is signed. */
void sys_id(const struct call *call, struct text *out)
{
    uint32_t id = (uint32_t)call->args[call->i];

    if (id == UINT32_MAX)
        text_add(out, "-1");
    else
        text_addf(out, "%u", id);
}

const struct syscall_desc sys_change_rows[] = {
    {"chmod", "Pn", FAMILY_FILE, NEED_RESULT, 0, -1, -1},
    {"chown", "PVV", FAMILY_FILE, NEED_RESULT, 0, -1, -1},
    {"fchmodat", "DPn", FAMILY_FILE, NEED_RESULT, 1, 0, -1},
    {"fchownat", "DPVVF", FAMILY_FILE, NEED_RESULT, 1, 0, -1},
    {"lchown", "PVV", FAMILY_FILE, NEED_RESULT, 0, -1, -1},
    {"link", "PP", FAMILY_FILE, NEED_RESULT, 0, -1, -1},
    {"linkat", "DPDPF", FAMILY_FILE, NEED_RESULT, 1, 0, -1},
    {"mkdir", "Pn", FAMILY_FILE, NEED_RESULT, 0, -1, -1},
    {"mkdirat", "DPn", FAMILY_FILE, NEED_RESULT, 1, 0, -1},
    {"mknod", "Pnx", FAMILY_FILE, NEED_RESULT, 0, -1, -1},
    {"mknodat", "DPnx", FAMILY_FILE, NEED_RESULT, 1, 0, -1},
    {"rename", "PP", FAMILY_FILE, NEED_RESULT, 0, -1, -1},
    {"renameat", "DPDP", FAMILY_FILE, NEED_RESULT, 1, 0, -1},
    {"renameat2", "DPDPH", FAMILY_FILE, NEED_RESULT, 1, 0, -1},
    {"rmdir", "P", FAMILY_FILE, NEED_RESULT, 0, -1, -1},
    {"symlink", "PP", FAMILY_FILE, NEED_RESULT, 1, -1, -1},
    {"symlinkat", "PDP", FAMILY_FILE, NEED_RESULT, 2, 1, -1},
    {"truncate", "Pl", FAMILY_FILE, NEED_RESULT, 0, -1, -1},
    {"unlink", "P", FAMILY_FILE, NEED_RESULT, 0, -1, -1},
    {"unlinkat", "DPF", FAMILY_FILE, NEED_RESULT, 1, 0, -1},
};
const size_t sys_change_row_count = COUNT(sys_change_rows);
