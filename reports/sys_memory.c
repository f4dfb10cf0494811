/* Calls that map memory. Values as in include/uapi/asm-generic/mman*.h. */
#include "sys.h"

#include <linux/memfd.h>
#include <sys/mman.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct name_of prots[] = {
    {0, "PROT_NONE"}, {PROT_READ, "PROT_READ"},           {PROT_WRITE, "PROT_WRITE"},     {PROT_EXEC, "PROT_EXEC"},
    {8, "PROT_SEM"},  {PROT_GROWSDOWN, "PROT_GROWSDOWN"}, {PROT_GROWSUP, "PROT_GROWSUP"},
};

enum { MAP_TYPE_BITS = 0xf, HUGE_SHIFT = 26, HUGE_BITS = 0x3f };

static const struct name_of map_types[] = {
    {0, "MAP_FILE"}, {MAP_SHARED, "MAP_SHARED"}, {MAP_PRIVATE, "MAP_PRIVATE"}, {3, "MAP_SHARED_VALIDATE"}};

static const struct name_of map_flags[] = {
    {MAP_FIXED, "MAP_FIXED"},          {MAP_ANONYMOUS, "MAP_ANONYMOUS"},
#ifdef MAP_32BIT
    {MAP_32BIT, "MAP_32BIT"},
#endif
    {MAP_NORESERVE, "MAP_NORESERVE"},  {MAP_POPULATE, "MAP_POPULATE"},
    {MAP_NONBLOCK, "MAP_NONBLOCK"},    {MAP_GROWSDOWN, "MAP_GROWSDOWN"},
    {MAP_DENYWRITE, "MAP_DENYWRITE"},  {MAP_EXECUTABLE, "MAP_EXECUTABLE"},
    {MAP_LOCKED, "MAP_LOCKED"},        {MAP_STACK, "MAP_STACK"},
    {MAP_HUGETLB, "MAP_HUGETLB"},      {0x80000, "MAP_SYNC"},
    {0x100000, "MAP_FIXED_NOREPLACE"},
};

static const struct name_of memfd_flags[] = {
    {MFD_CLOEXEC, "MFD_CLOEXEC"}, {MFD_ALLOW_SEALING, "MFD_ALLOW_SEALING"}, {MFD_HUGETLB, "MFD_HUGETLB"}};

void sys_prot(const struct call *call, struct text *out)
{
    sys_flags(out, prots, COUNT(prots), call_word(call, call->i), "PROT_???");
}

/* The page size of huge pages, as a logarithm in the upper bits. */
static void huge_size(struct text *out, uint64_t flags, const char *shift)
{
    if (flags >> HUGE_SHIFT & HUGE_BITS)
        text_addf(out, "|%u<<%s", (unsigned)(flags >> HUGE_SHIFT & HUGE_BITS), shift);
}

void sys_map_flags(const struct call *call, struct text *out)
{
    uint64_t flags = call_word(call, call->i);
    uint64_t rest = flags & ~(uint64_t)MAP_TYPE_BITS & ~((uint64_t)HUGE_BITS << HUGE_SHIFT);

    sys_name(out, map_types, COUNT(map_types), flags & MAP_TYPE_BITS, "MAP_???");
    if (rest) {
        text_addc(out, '|');
        sys_flags(out, map_flags, COUNT(map_flags), rest, NULL);
    }
    huge_size(out, flags, "MAP_HUGE_SHIFT");
}

void sys_map_offset(const struct call *call, struct text *out)
{
    text_addf(out, "%#llx", (unsigned long long)call_word(call, call->i));
}

/* mmap2's offset is counted in units of 4096 bytes, whatever the page size (mmap2(2)). */
void sys_map_pages(const struct call *call, struct text *out)
{
    text_addf(out, "%#llx", (unsigned long long)call_word(call, call->i) << 12);
}

void sys_memfd_flags(const struct call *call, struct text *out)
{
    uint64_t flags = (uint32_t)call->args[call->i];
    uint64_t rest = flags & ~((uint64_t)HUGE_BITS << HUGE_SHIFT);

    if (!rest && flags) {
        text_addf(out, "%u<<MFD_HUGE_SHIFT", (unsigned)(flags >> HUGE_SHIFT));
        return;
    }
    sys_flags(out, memfd_flags, COUNT(memfd_flags), rest, "MFD_???");
    huge_size(out, flags, "MFD_HUGE_SHIFT");
}

const struct syscall_desc sys_memory_rows[] = {
    {"brk", "p", FAMILY_MEMORY, NEED_RESULT, -1, -1, -1},
    {"memfd_create", "sC", FAMILY_MEMORY, NEED_RESULT, -1, -1, -1},
    {"mmap", "pzRGfO", FAMILY_MEMORY, NEED_RESULT, -1, -1, 2},
    {"mmap2", "pzRGfQ", FAMILY_MEMORY, NEED_RESULT, -1, -1, 2},
    {"mprotect", "pzR", FAMILY_MEMORY, NEED_RESULT, -1, -1, -1},
    {"mremap", "pzzxp", FAMILY_MEMORY, NEED_RESULT, -1, -1, -1},
    {"munmap", "pz", FAMILY_MEMORY, 0, -1, -1, -1},
};
const size_t sys_memory_row_count = COUNT(sys_memory_rows);
