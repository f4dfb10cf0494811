/* Calls that write. */
#include "sys.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static int iovec_read(const struct mem *mem, uint64_t addr, uint64_t *base_addr, uint64_t *size)
{
    uint64_t wide[2];
    uint32_t narrow[2];

    if (mem->word_size == 4) {
        if (mem_read(mem, addr, narrow, sizeof narrow) < 0)
            return -1;
        wide[0] = narrow[0];
        wide[1] = narrow[1];
    } else if (mem_read(mem, addr, wide, sizeof wide) < 0) {
        return -1;
    }
    *base_addr = wide[0];
    *size = wide[1];
    return 0;
}

void sys_iovec_at(struct text *out, const struct mem *mem, uint64_t addr, uint64_t count)
{
    uint64_t base_addr, size, item = 2u * mem->word_size;

    if (!addr || (count && iovec_read(mem, addr, &base_addr, &size) < 0)) {
        sys_pointer(out, addr);
        return;
    }
    text_addc(out, '[');
    for (uint64_t i = 0; i < count; i++) {
        if (i)
            text_add(out, ", ");
        if (i >= SYS_SHOWN) {
            text_add(out, "...");
            break;
        }
        if (iovec_read(mem, addr + i * item, &base_addr, &size) < 0) {
            text_addf(out, "... /* %#llx */", (unsigned long long)(addr + i * item));
            break;
        }
        text_add(out, "{iov_base=");
        sys_bytes_at(out, mem, base_addr, size);
        text_addf(out, ", iov_len=%llu}", (unsigned long long)size);
    }
    text_addc(out, ']');
}

void sys_iovec(const struct call *call, struct text *out)
{
    sys_iovec_at(out, call->mem, call_word(call, call->i), call_word(call, call->i + 1));
}

/* A 64-bit offset comes in two halves, low first, to a 32-bit process. */
void sys_offset(const struct call *call, struct text *out)
{
    uint64_t offset = call_word(call, call->i);

    if (call->mem->word_size == 4)
        offset |= call_word(call, call->i + 1) << 32;
    text_addf(out, "%lld", (long long)offset);
}

const struct syscall_desc sys_output_rows[] = {
    {"pwrite64", "fSzr", FAMILY_OUTPUT, 0, -1, -1, -1},
    {"write", "fSz", FAMILY_OUTPUT, 0, -1, -1, -1},
    {"writev", "fvz", FAMILY_OUTPUT, 0, -1, -1, -1},
};
const size_t sys_output_row_count = COUNT(sys_output_rows);
