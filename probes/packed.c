/* gzip by zlib, which passes plain files through. LZ4 by hand: lz4_Frame_format.md and lz4_Block_format.md of its
 * makers; checksums are passed over, as what comes out is only compared with names. */
#include "packed.h"

#include "alloc.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

enum { LINE_MOST = 64 * 1024, HISTORY = 64 * 1024, MINIMUM_MATCH = 4 };
static const uint32_t frame_magic = 0x184d2204, uncompressed = 0x80000000u;

struct lz4 {
    size_t block_most;
    bool block_checksum;
    unsigned char *out, *in; /* OUT: up to HISTORY bytes of what came before, then a block */
    size_t have, at;         /* bytes in OUT, and how many of them were given out */
};

struct packed {
    gzFile plain; /* gzip, or plain; else NULL */
    FILE *file;   /* LZ4 */
    struct lz4 lz4;
    size_t left;
    bool over;
    char *line; /* LINE_MOST + 1 bytes, and what was read behind the line */
    size_t filled, taken;
};

/* ---- LZ4 ---- */

static bool get(FILE *file, void *to, size_t size)
{
    return fread(to, 1, size, file) == size;
}

static bool get_number(FILE *file, uint32_t *ret)
{
    unsigned char b[4];

    if (!get(file, b, sizeof b))
        return false;
    *ret = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return true;
}

/* Behind the magic number. */
static bool frame_begin(struct packed *packed)
{
    unsigned char header[2], more[13];
    size_t rest = 1; /* the header's own checksum */

    if (!get(packed->file, header, sizeof header) || header[0] >> 6 != 1)
        return false;
    rest += (header[0] & 0x08 ? 8 : 0) + (header[0] & 0x01 ? 4 : 0); /* content size, dictionary */
    packed->lz4.block_checksum = header[0] & 0x10;
    packed->lz4.block_most = (header[1] >> 4 & 7) >= 4 ? (size_t)1 << (8 + 2 * (header[1] >> 4 & 7)) : 0;
    if (!get(packed->file, more, rest) || header[0] & 0x01 || !packed->lz4.block_most)
        return false;
    packed->lz4.out = xmalloc(HISTORY + packed->lz4.block_most);
    packed->lz4.in = xmalloc(packed->lz4.block_most);
    return true;
}

/* A length that goes on while its bytes are 255. */
static bool more_length(const unsigned char **in, const unsigned char *end, size_t *length)
{
    unsigned char b;

    do {
        if (*in >= end)
            return false;
        b = *(*in)++;
        *length += b;
    } while (b == 255);
    return true;
}

/* Unpacks SIZE bytes at IN behind the *HAVE that are at OUT, which holds ROOM. */
static bool unpack_block(const unsigned char *in, size_t size, unsigned char *out, size_t *have, size_t room)
{
    const unsigned char *end = in + size;

    while (in < end) {
        unsigned token = *in++;
        size_t literals = token >> 4, match = token & 15, distance;

        if (literals == 15 && !more_length(&in, end, &literals))
            return false;
        if (literals > (size_t)(end - in) || literals > room - *have)
            return false;
        memcpy(out + *have, in, literals);
        *have += literals;
        in += literals;
        if (in == end)
            return true; /* the last sequence has no match */
        if (end - in < 2)
            return false;
        distance = in[0] | (size_t)in[1] << 8;
        in += 2;
        if (match == 15 && !more_length(&in, end, &match))
            return false;
        match += MINIMUM_MATCH;
        if (!distance || distance > *have || match > room - *have)
            return false;
        for (; match; match--, ++*have) /* may overlap itself */
            out[*have] = out[*have - distance];
    }
    return true;
}

static bool next_block(struct packed *packed)
{
    struct lz4 *lz4 = &packed->lz4;
    uint32_t size, checksum;
    bool plain, good;

    if (lz4->have > HISTORY) {
        memmove(lz4->out, lz4->out + lz4->have - HISTORY, HISTORY);
        lz4->have = HISTORY;
    }
    lz4->at = lz4->have;
    if (!get_number(packed->file, &size) || size == 0)
        return false;
    plain = size & uncompressed;
    size &= ~uncompressed;
    if (size > lz4->block_most || !get(packed->file, lz4->in, size))
        return false;
    if (lz4->block_checksum && !get_number(packed->file, &checksum))
        return false;
    if (plain) {
        memcpy(lz4->out + lz4->have, lz4->in, size);
        lz4->have += size;
        good = true;
    } else {
        good = unpack_block(lz4->in, size, lz4->out, &lz4->have, lz4->have + lz4->block_most);
    }
    return good && lz4->have > lz4->at;
}

static size_t read_lz4(struct packed *packed, char *buffer, size_t size)
{
    struct lz4 *lz4 = &packed->lz4;
    size_t n;

    if (lz4->at == lz4->have && !next_block(packed))
        return 0;
    n = lz4->have - lz4->at < size ? lz4->have - lz4->at : size;
    memcpy(buffer, lz4->out + lz4->at, n);
    lz4->at += n;
    return n;
}

/* ---- the way in ---- */

struct packed *packed_open(int fd, size_t bound)
{
    struct packed *packed;
    unsigned char magic[4] = {0};
    uint32_t number;

    if (fd < 0)
        return NULL;
    packed = xcalloc(1, sizeof *packed);
    packed->left = bound;
    packed->line = xmalloc(LINE_MOST + 1);
    if (pread(fd, magic, sizeof magic, 0) < 0)
        packed->over = true;
    number = magic[0] | (uint32_t)magic[1] << 8 | (uint32_t)magic[2] << 16 | (uint32_t)magic[3] << 24;
    if (number == frame_magic) {
        packed->file = fdopen(fd, "rb");
        if (!packed->file)
            close(fd);
        packed->over |= !packed->file || !get_number(packed->file, &number) || !frame_begin(packed);
    } else {
        packed->plain = gzdopen(fd, "rb");
        if (!packed->plain)
            close(fd);
        packed->over |= !packed->plain;
    }
    if (!packed->over)
        return packed;
    packed_close(packed);
    return NULL;
}

static size_t read_some(struct packed *packed, char *buffer, size_t size)
{
    size_t wanted = size < packed->left ? size : packed->left, n = 0;

    if (packed->over || !wanted)
        return 0;
    if (packed->file) {
        n = read_lz4(packed, buffer, wanted);
    } else {
        int got = gzread(packed->plain, buffer, wanted > (1u << 30) ? 1u << 30 : (unsigned)wanted);

        n = got > 0 ? (size_t)got : 0;
    }
    packed->left -= n;
    packed->over = n == 0;
    return n;
}

size_t packed_read(struct packed *packed, void *buffer, size_t size)
{
    char *to = buffer;
    size_t done = 0, n = packed->filled - packed->taken;

    if (n) { /* what packed_line() had read already */
        done = n < size ? n : size;
        memcpy(to, packed->line + packed->taken, done);
        packed->taken += done;
    }
    while (done < size && (n = read_some(packed, to + done, size - done)))
        done += n;
    return done;
}

char *packed_line(struct packed *packed, size_t *size)
{
    char *start = packed->line + packed->taken, *end;
    size_t n = packed->filled - packed->taken, got;

    while (!(end = memchr(start, '\n', n))) {
        if (packed->taken) {
            memmove(packed->line, start, n);
            start = packed->line;
            packed->taken = 0;
            packed->filled = n;
        }
        got = read_some(packed, packed->line + packed->filled, LINE_MOST - packed->filled);
        packed->filled += got;
        n += got;
        if (!got)
            break;
    }
    if (!end && !n)
        return NULL;
    if (size)
        *size = end ? (size_t)(end - start) : n;
    packed->taken += end ? (size_t)(end - start) + 1 : n;
    if (end)
        *end = '\0';
    else
        start[n] = '\0'; /* there is room for one byte more */
    return start;
}

void packed_close(struct packed *packed)
{
    if (!packed)
        return;
    if (packed->plain)
        gzclose(packed->plain);
    if (packed->file)
        fclose(packed->file);
    free(packed->lz4.out);
    free(packed->lz4.in);
    free(packed->line);
    free(packed);
}
