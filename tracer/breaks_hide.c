/* What others read of a program's code is to be the program's, not our traps in it: a stack is unwound by what the code
 * of its functions does, and code is shown. */
#include "breaks_table.h"

enum { TRAP = 0xcc };

void breaks_hide(const struct breaks *breaks, uint64_t addr, void *buf, size_t n)
{
    const struct breakpoint *point, *next;
    uint8_t *bytes = buf;

    HASH_ITER(hh, breaks->by_addr, point, next)
    if (point->armed && point->addr - addr < n && bytes[point->addr - addr] == TRAP)
        bytes[point->addr - addr] = point->original;
}
