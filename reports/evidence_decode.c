#include "evidence_decode.h"

#include "evidence_stream.h"
#include "utf8.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include <probes/alloc.h>

enum {
    CHUNK = 1 << 16,
    LAYERS_MOST = 3, /* one within the other */
    GUESSED = 256,   /* bytes by which UTF-16 without a mark is known */
};

struct unpacking {
    FILE *in; /* what is packed; the stream's, but that close_in() may leave it */
    bool keep_in;
    bool *cut;
    bool any, over; /* something has come out; nothing more will */
    z_stream inflate;
    ZSTD_DStream *zstd;
    ZSTD_inBuffer packed;
    bool within; /* a frame of zstd's is not at its end */
    bool big;    /* UTF-16BE */
    char chunk[CHUNK];
};

/* What there is of a file that ends too early, or is damaged further on, is read. */
static ssize_t broken(struct unpacking *unpacking)
{
    unpacking->over = true;
    if (unpacking->any) {
        *unpacking->cut = true;
        return 0;
    }
    errno = EILSEQ;
    return -1;
}

static void close_in(struct unpacking *unpacking)
{
    if (!unpacking->keep_in)
        fclose(unpacking->in);
}

/* ---- gzip ---- */

/* More of what is packed; false at its end. */
static bool refill(struct unpacking *unpacking)
{
    z_stream *z = &unpacking->inflate;

    if (z->avail_in)
        return true;
    z->next_in = (unsigned char *)unpacking->chunk;
    z->avail_in = (unsigned)fread(unpacking->chunk, 1, CHUNK, unpacking->in);
    return z->avail_in > 0;
}

/* Members may stand behind each other (RFC 1952, 2.2); anything else there is no matter of ours. */
static void next_member(struct unpacking *unpacking)
{
    unpacking->over = !refill(unpacking) || *unpacking->inflate.next_in != 0x1f;
    if (!unpacking->over)
        inflateReset(&unpacking->inflate);
}

static ssize_t read_gzip(void *state, char *to, size_t size)
{
    struct unpacking *unpacking = state;
    z_stream *z = &unpacking->inflate;

    z->next_out = (unsigned char *)to;
    z->avail_out = size < CHUNK ? (unsigned)size : CHUNK;
    size = z->avail_out;
    while (!unpacking->over && z->avail_out == size) {
        int status = refill(unpacking) ? inflate(z, Z_NO_FLUSH) : Z_BUF_ERROR;

        unpacking->any |= z->avail_out < size;
        if (status == Z_STREAM_END)
            next_member(unpacking);
        else if (status != Z_OK && z->avail_out == size)
            return broken(unpacking);
    }
    return (ssize_t)(size - z->avail_out);
}

static void free_gzip(void *state)
{
    struct unpacking *unpacking = state;

    inflateEnd(&unpacking->inflate);
    close_in(unpacking);
    free(unpacking);
}

/* ---- zstd ---- */

static ssize_t read_zstd(void *state, char *to, size_t size)
{
    struct unpacking *unpacking = state;
    ZSTD_outBuffer out = {to, size, 0};

    while (!unpacking->over && out.pos == 0) {
        ZSTD_inBuffer *in = &unpacking->packed;
        size_t left, before;

        if (in->pos == in->size)
            *in = (ZSTD_inBuffer){unpacking->chunk, fread(unpacking->chunk, 1, CHUNK, unpacking->in), 0};
        before = in->pos;
        left = in->size || unpacking->within ? ZSTD_decompressStream(unpacking->zstd, &out, in) : 0;
        if (ZSTD_isError(left))
            return broken(unpacking);
        unpacking->any |= out.pos > 0;
        unpacking->within = left > 0;
        if (out.pos == 0 && in->pos == before && in->size == 0) { /* nothing comes in, nothing comes out */
            if (left)
                return broken(unpacking);
            unpacking->over = true;
        }
    }
    return (ssize_t)out.pos;
}

static void free_zstd(void *state)
{
    struct unpacking *unpacking = state;

    ZSTD_freeDStream(unpacking->zstd);
    close_in(unpacking);
    free(unpacking);
}

/* ---- UTF-16 ---- */

static int32_t unit(const struct unpacking *unpacking)
{
    int a = getc_unlocked(unpacking->in), b = getc_unlocked(unpacking->in);

    return b == EOF ? -1 : unpacking->big ? a << 8 | b : b << 8 | a;
}

/* As PowerShell's redirections write. */
static ssize_t read_utf16(void *state, char *to, size_t size)
{
    struct unpacking *unpacking = state;
    int32_t c, low;
    size_t n = 0;

    while (n + 8 <= size && (c = unit(unpacking)) >= 0) {
        if (c >= 0xd800 && c < 0xdc00 && (low = unit(unpacking)) >= 0) {
            if (low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            } else { /* half a pair: what follows it stands for itself */
                n += utf8_put(0xfffd, to + n);
                c = low;
            }
        }
        n += utf8_put((uint32_t)c, to + n);
    }
    return (ssize_t)n;
}

static void free_utf16(void *state)
{
    close_in(state);
    free(state);
}

/* ---- what it is ---- */

enum packing { PACKED_NOT, PACKED_GZIP, PACKED_ZSTD, PACKED_UTF16 };

/* Text in which nearly every other byte is a NUL; BIG: the first ones. */
static bool like_utf16(const unsigned char *head, size_t size, bool big)
{
    size_t zeros = 0, others = 0;

    for (size_t i = 0; i + 1 < size; i += 2) {
        zeros += head[i + !big] == 0;
        others += head[i + big] != 0;
    }
    return size >= 16 && others == size / 2 && zeros >= size / 2 - size / 16;
}

static enum packing packing_of(FILE *in, bool *big, size_t *mark)
{
    unsigned char head[GUESSED] = {0};
    size_t n = fread(head, 1, sizeof head, in);

    rewind(in);
    *mark = 0;
    if (n >= 3 && memcmp(head, "\x1f\x8b\x08", 3) == 0)
        return PACKED_GZIP;
    if (n >= 4 && memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0)
        return PACKED_ZSTD;
    *big = n >= 2 && memcmp(head, "\xfe\xff", 2) == 0;
    if (*big || (n >= 2 && memcmp(head, "\xff\xfe", 2) == 0)) {
        *mark = 2;
        return PACKED_UTF16;
    }
    *big = like_utf16(head, n, true);
    return *big || like_utf16(head, n, false) ? PACKED_UTF16 : PACKED_NOT;
}

/* A stream of what is in UNPACKING->in. */
static FILE *open_packed(struct unpacking *unpacking, enum packing packing, bool *cut)
{
    static const struct stream_source sources[] = {
        [PACKED_GZIP] = {NULL, read_gzip, free_gzip},
        [PACKED_ZSTD] = {NULL, read_zstd, free_zstd},
        [PACKED_UTF16] = {NULL, read_utf16, free_utf16},
    };
    struct stream_source source = sources[packing];

    if (packing == PACKED_GZIP && inflateInit2(&unpacking->inflate, 15 + 16) != Z_OK)
        alloc_failed();
    if (packing == PACKED_ZSTD && !(unpacking->zstd = ZSTD_createDStream()))
        alloc_failed();
    source.state = unpacking;
    return stream_open(&source, cut);
}

/* The magic of a tar archive's first header (POSIX, pax: ustar interchange format). */
static bool is_archive(FILE *unpacked)
{
    char head[512] = "";
    bool is = fread(head, 1, sizeof head, unpacked) == sizeof head && memcmp(head + 257, "ustar", 5) == 0;

    rewind(unpacked);
    return is;
}

/* One layer: 1 where there was one. */
static int take_off(FILE **in, const char *name, bool *cut, struct err *err)
{
    struct unpacking *unpacking;
    bool big = false, nothing;
    size_t mark;
    enum packing packing = packing_of(*in, &big, &mark);
    FILE *out;
    int c;

    if (packing == PACKED_NOT)
        return 0;
    unpacking = xcalloc(1, sizeof *unpacking);
    unpacking->in = *in;
    unpacking->cut = cut;
    unpacking->big = big;
    unpacking->keep_in = true;
    while (mark--)
        getc_unlocked(*in);
    out = open_packed(unpacking, packing, cut);
    c = getc(out);
    nothing = c == EOF && ferror(out);
    clearerr(out);
    rewind(out);
    if (nothing || (packing == PACKED_ZSTD && is_archive(out))) {
        fclose(out);
        rewind(*in);
        if (packing == PACKED_ZSTD)
            return 0; /* a bundle's reader knows better what is wrong */
        return err_set(err, "%s is packed with gzip and cannot be unpacked: it is damaged from its beginning", name);
    }
    unpacking->keep_in = false;
    *in = out;
    return 1;
}

int evidence_decode(FILE **in, const char *name, bool *cut, struct err *err)
{
    int result = 1;

    for (int layer = 0; layer < LAYERS_MOST && result > 0; layer++)
        result = take_off(in, name, cut, err);
    return result;
}
