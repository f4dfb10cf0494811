/* The bytes of a stub: numbers in its byte order, names in its .dynstr. */
#include "stub_parts.h"

#include <probes/alloc.h>

#include <string.h>

static void room(unsigned char **bytes, size_t size, size_t *cap, size_t more)
{
    if (*cap - size >= more)
        return;
    *cap = (size + more) * 2;
    *bytes = xrealloc(*bytes, *cap);
}

void stub_put(struct stub *stub, const void *data, size_t size)
{
    room(&stub->bytes, stub->size, &stub->cap, size);
    if (data)
        memcpy(stub->bytes + stub->size, data, size);
    else
        memset(stub->bytes + stub->size, 0, size);
    stub->size += size;
}

void stub_put_number(struct stub *stub, uint64_t value, unsigned width)
{
    unsigned char bytes[8];

    for (unsigned i = 0; i < width; i++)
        bytes[stub->big ? width - 1 - i : i] = (unsigned char)(value >> (8 * i));
    stub_put(stub, bytes, width);
}

void stub_put16(struct stub *stub, uint64_t value)
{
    stub_put_number(stub, value, 2);
}

void stub_put32(struct stub *stub, uint64_t value)
{
    stub_put_number(stub, value, 4);
}

void stub_put_word(struct stub *stub, uint64_t value)
{
    stub_put_number(stub, value, stub->wide ? 8 : 4);
}

void stub_align(struct stub *stub, size_t to)
{
    if (stub->size % to)
        stub_put(stub, NULL, to - stub->size % to);
}

struct part stub_part_begin(struct stub *stub, size_t alignment)
{
    stub_align(stub, alignment);
    return (struct part){.at = stub->size};
}

void stub_part_end(struct stub *stub, struct part *part)
{
    part->size = stub->size - part->at;
}

uint32_t stub_name_at(struct stub *stub, const char *string)
{
    size_t size = strlen(string) + 1;
    size_t at = stub->string_size;

    if (size == 1)
        return 0;
    room(&stub->strings, at, &stub->string_cap, size);
    memcpy(stub->strings + at, string, size);
    stub->string_size += size;
    return (uint32_t)at;
}

void stub_names_begin(struct stub *stub)
{
    room(&stub->strings, 0, &stub->string_cap, 1);
    stub->strings[stub->string_size++] = '\0';
}

uint32_t stub_name_hash(const char *name)
{
    uint32_t hash = 0;

    for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
        hash = (hash << 4) + *p;
        hash ^= (hash >> 24) & 0xf0;
        hash &= 0x0fffffff;
    }
    return hash;
}
