#include "gopclntab.h"

#include "alloc.h"

#include <string.h>

enum {
    MAGIC_116 = 0xfffffffa,
    MAGIC_118 = 0xfffffff0,
    MAGIC_120 = 0xfffffff1,
    HEADER_WORDS = 8,
    STRING_MOST = 4096,
    STEPS_MOST = 1000000, /* of a table of values: a function has fewer bytes than this has … */
    CHUNK = 64,           /* … and its table is read in pieces of this size */
};

/* N bytes at OFFSET of the table: 0, or -1. */
static int read_at(const struct gopclntab *table, const struct mem *mem, uint64_t offset, void *buf, size_t n)
{
    if (offset > table->size || n > table->size - offset)
        return -1;
    return mem_read(mem, table->addr + offset, buf, n);
}

static int read_header(const struct gopclntab *table, const struct mem *mem, unsigned words, uint64_t *ret)
{
    return read_at(table, mem, 8, ret, words * sizeof *ret);
}

int gopclntab_open(const struct mem *mem, uint64_t addr, uint64_t size, struct gopclntab *ret)
{
    unsigned char start[8];
    uint32_t magic;
    uint64_t words[HEADER_WORDS], *parts = words + 2;

    *ret = (struct gopclntab){.addr = addr, .size = size};
    if (size > UINT64_MAX - addr || read_at(ret, mem, 0, start, sizeof start))
        return -1;
    memcpy(&magic, start, sizeof magic);
    /* pad, pad, the smallest instruction of this machine, the size of a pointer */
    if (start[4] || start[5] || start[6] != 1 || start[7] != 8 ||
        (magic != MAGIC_116 && magic != MAGIC_118 && magic != MAGIC_120))
        return -1;
    ret->absolute = magic == MAGIC_116;
    ret->has_start = magic == MAGIC_120;
    if (read_header(ret, mem, ret->absolute ? 7 : 8, words))
        return -1;
    if (!ret->absolute)
        ret->text_addr = *parts++;
    ret->count = words[0];
    ret->names = parts[0];
    ret->units = parts[1];
    ret->files = parts[2];
    ret->values = parts[3];
    ret->functions = parts[4];
    if (ret->names > size || ret->units > size || ret->files > size || ret->values > size || ret->functions > size)
        return -1;
    /* One entry a function and the end of the last one. */
    uint64_t entry = ret->absolute ? 16 : 8;

    return ret->count && ret->count < (size - ret->functions) / entry ? 0 : -1;
}

/* Entry number I of the list of functions: where it begins, and where its record is. */
static int read_entry(const struct gopclntab *table, const struct mem *mem, uint64_t i, uint64_t *addr,
                      uint64_t *record)
{
    if (table->absolute) {
        uint64_t entry[2];

        if (read_at(table, mem, table->functions + i * sizeof entry, entry, sizeof entry))
            return -1;
        *addr = entry[0];
        *record = entry[1];
    } else {
        uint32_t entry[2];

        if (read_at(table, mem, table->functions + i * sizeof entry, entry, sizeof entry))
            return -1;
        *addr = table->text_addr + entry[0];
        *record = entry[1];
    }
    return 0;
}

static int read_record(const struct gopclntab *table, const struct mem *mem, struct gofunction *ret)
{
    /* entry (8 or 4 bytes), then 32-bit words: name, args, deferreturn, pcsp, pcfile, pcln, npcdata, unit */
    uint32_t words[8];

    if (read_at(table, mem, ret->record + (table->absolute ? 8 : 4), words, sizeof words))
        return -1;
    ret->name = words[0];
    ret->frame = words[3];
    ret->file = words[4];
    ret->line = words[5];
    ret->unit = words[7];
    return 0;
}

int gopclntab_function(const struct gopclntab *table, const struct mem *mem, uint64_t addr, struct gofunction *ret)
{
    uint64_t low = 0, high = table->count, entry, record, end, unused;

    *ret = (struct gofunction){0};
    while (low < high) { /* the first that begins behind ADDR */
        uint64_t middle = low + (high - low) / 2;

        if (read_entry(table, mem, middle, &entry, &record))
            return -1;
        if (entry <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low || read_entry(table, mem, low - 1, &entry, &record))
        return -1;
    /* The last entry has an end alone. */
    if (low == table->count) {
        unsigned char last[8] = {0};
        uint64_t size = table->absolute ? 8 : 4;

        if (read_at(table, mem, table->functions + low * 2 * size, last, size))
            return -1;
        memcpy(&end, last, sizeof end);
        end += table->absolute ? 0 : table->text_addr;
    } else if (read_entry(table, mem, low, &end, &unused)) {
        return -1;
    }
    if (addr >= end || record > table->size - table->functions)
        return -1;
    ret->entry_addr = entry;
    ret->record = table->functions + record;
    return read_record(table, mem, ret);
}

static char *read_string(const struct gopclntab *table, const struct mem *mem, uint64_t offset)
{
    if (offset >= table->size)
        return NULL;
    uint64_t room = table->size - offset;
    char *s = mem_read_string(mem, table->addr + offset, room < STRING_MOST ? (size_t)room : STRING_MOST, NULL);

    if (s && *s)
        return s;
    free(s);
    return NULL;
}

char *gopclntab_name(const struct gopclntab *table, const struct mem *mem, const struct gofunction *function)
{
    return read_string(table, mem, table->names + function->name);
}

/* A sequence of numbers with seven bits a byte. */
struct numbers {
    const struct gopclntab *table;
    const struct mem *mem;
    uint64_t next; /* offset of the next piece */
    unsigned char bytes[CHUNK];
    size_t at, have;
    bool failed;
};

static unsigned next_byte(struct numbers *numbers)
{
    if (numbers->at == numbers->have) {
        uint64_t room = numbers->next < numbers->table->size ? numbers->table->size - numbers->next : 0;
        size_t n = room < CHUNK ? (size_t)room : CHUNK;

        numbers->at = numbers->have = 0;
        if (!n || read_at(numbers->table, numbers->mem, numbers->next, numbers->bytes, n)) {
            numbers->failed = true;
            return 0;
        }
        numbers->have = n;
        numbers->next += n;
    }
    return numbers->bytes[numbers->at++];
}

static uint32_t next_number(struct numbers *numbers)
{
    uint32_t value = 0;

    for (unsigned shift = 0; shift < 35; shift += 7) {
        unsigned byte = next_byte(numbers);

        if (shift < 32)
            value |= (uint32_t)(byte & 127) << shift;
        if (!(byte & 128))
            return value;
    }
    numbers->failed = true;
    return 0;
}

/* The value that table VALUES has for ADDR: a list of (difference of the value, bytes of code for which it holds), from
 * -1 and the function's start on, that ends with a difference of 0. */
static int value_at(const struct gopclntab *table, const struct mem *mem, const struct gofunction *function,
                    uint32_t values, uint64_t addr, int32_t *ret)
{
    struct numbers numbers = {.table = table, .mem = mem, .next = table->values + values};
    uint64_t end = function->entry_addr;
    uint32_t value = UINT32_MAX;

    if (!values)
        return -1;
    for (int i = 0; i < STEPS_MOST && !numbers.failed; i++) {
        uint32_t difference = next_number(&numbers);

        if (!difference && i > 0)
            return -1;
        value += (difference >> 1) ^ -(difference & 1);
        end += next_number(&numbers);
        if (addr < end && !numbers.failed) {
            *ret = (int32_t)value;
            return 0;
        }
    }
    return -1;
}

char *gopclntab_line(const struct gopclntab *table, const struct mem *mem, const struct gofunction *function,
                     uint64_t addr, unsigned *line)
{
    int32_t file, number;
    uint32_t name;

    *line = 0;
    if (value_at(table, mem, function, function->file, addr, &file) || file < 0 ||
        value_at(table, mem, function, function->line, addr, &number) || number < 0 ||
        read_at(table, mem, table->units + ((uint64_t)function->unit + (uint64_t)file) * 4, &name, sizeof name) ||
        name == UINT32_MAX)
        return NULL;
    *line = (unsigned)number;
    return read_string(table, mem, table->files + name);
}

int gopclntab_frame(const struct gopclntab *table, const struct mem *mem, const struct gofunction *function,
                    uint64_t addr, uint64_t *ret)
{
    int32_t value = 0;

    /* No table: it never moves the stack pointer. */
    if (function->frame && value_at(table, mem, function, function->frame, addr, &value))
        return -1;
    if (value < 0 || value % 8)
        return -1;
    *ret = (uint64_t)value;
    return 0;
}
