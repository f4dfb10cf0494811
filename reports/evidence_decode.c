#include "evidence_decode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <probes/alloc.h>

#define UNPACKED_MAX (UINT64_C(4) << 30)
enum { CHUNK = 1 << 16 };

struct unpacking {
    FILE *in, *out;
    const char *name;
    uint64_t all;
};

static int put(struct unpacking *unpacking, const void *data, size_t size, struct err *err)
{
    unpacking->all += size;
    if (unpacking->all > UNPACKED_MAX)
        return err_set(err, "%s: more than %llu GB when unpacked", unpacking->name,
                       (unsigned long long)(UNPACKED_MAX >> 30));
    if (fwrite(data, 1, size, unpacking->out) != size)
        return err_errno(err, errno, "cannot keep %s in %s", unpacking->name, P_tmpdir);
    return 0;
}

/* What there is of a file that ends too early is read. */
static int gunzip(struct unpacking *unpacking, struct err *err)
{
    CLEANUP_FREE char *buffer = xmalloc(CHUNK);
    int fd = fcntl(fileno(unpacking->in), F_DUPFD_CLOEXEC, 3), got, result = 0;
    gzFile file = NULL;

    if (fd >= 0 && lseek(fd, 0, SEEK_SET) == 0)
        file = gzdopen(fd, "r");
    if (!file) {
        if (fd >= 0)
            close(fd);
        return err_errno(err, errno, "%s cannot be unpacked", unpacking->name);
    }
    while (result == 0 && (got = gzread(file, buffer, CHUNK)) > 0)
        result = put(unpacking, buffer, (size_t)got, err);
    gzclose(file);
    return result;
}

static int unzstd(struct unpacking *unpacking, size_t most, struct err *err)
{
    CLEANUP_FREE char *from = xmalloc(CHUNK), *to = xmalloc(CHUNK);
    ZSTD_DStream *stream = ZSTD_createDStream();
    int result = stream ? 0 : err_set(err, "%s cannot be unpacked", unpacking->name);
    size_t got;

    while (result == 0 && unpacking->all < most && (got = fread(from, 1, CHUNK, unpacking->in)) > 0) {
        ZSTD_inBuffer in = {from, got, 0};
        bool more = true;

        while (result == 0 && more) {
            ZSTD_outBuffer out = {to, CHUNK, 0};
            size_t left = ZSTD_decompressStream(stream, &out, &in);

            if (ZSTD_isError(left))
                result = err_set(err, "%s cannot be unpacked: %s", unpacking->name, ZSTD_getErrorName(left));
            else
                result = put(unpacking, to, out.pos, err);
            more = in.pos < in.size || out.pos == out.size;
        }
    }
    ZSTD_freeDStream(stream);
    return result;
}

static size_t utf8(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static int32_t unit(FILE *in, bool big)
{
    int a = getc_unlocked(in), b = getc_unlocked(in);

    return b == EOF ? -1 : big ? a << 8 | b : b << 8 | a;
}

/* As PowerShell's redirections write; the mark at the beginning is left out. */
static int from_utf16(struct unpacking *unpacking, bool big, struct err *err)
{
    int32_t c, low;
    char bytes[4];
    int result = 0;

    fseek(unpacking->in, 2, SEEK_SET);
    while (result == 0 && (c = unit(unpacking->in, big)) >= 0) {
        if (c >= 0xd800 && c < 0xdc00 && (low = unit(unpacking->in, big)) >= 0xdc00 && low < 0xe000)
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        result = put(unpacking, bytes, utf8((uint32_t)c, bytes), err);
    }
    return result;
}

/* The magic of a tar archive's first header (POSIX, pax: ustar interchange format). */
static bool is_archive(FILE *unpacked)
{
    char head[512] = "";

    rewind(unpacked);
    return fread(head, 1, sizeof head, unpacked) == sizeof head && memcmp(head + 257, "ustar", 5) == 0;
}

/* 1 where it was packed. */
static int unpack(struct unpacking *unpacking, struct err *err)
{
    unsigned char magic[4] = {0};
    size_t n = fread(magic, 1, sizeof magic, unpacking->in);
    int result = 0;

    rewind(unpacking->in);
    if (n >= 3 && memcmp(magic, "\x1f\x8b\x08", 3) == 0)
        return gunzip(unpacking, err) < 0 ? -1 : 1;
    if (n >= 2 && (memcmp(magic, "\xff\xfe", 2) == 0 || memcmp(magic, "\xfe\xff", 2) == 0))
        return from_utf16(unpacking, magic[0] == 0xfe, err) < 0 ? -1 : 1;
    if (n < 4 || memcmp(magic, "\x28\xb5\x2f\xfd", 4) != 0)
        return 0;
    if (unzstd(unpacking, 1, err) < 0 || is_archive(unpacking->out)) {
        rewind(unpacking->in);
        return 0; /* a bundle's reader knows better what is wrong */
    }
    rewind(unpacking->in);
    rewind(unpacking->out);
    unpacking->all = 0;
    result = ftruncate(fileno(unpacking->out), 0) < 0 ? err_errno(err, errno, "%s", unpacking->name)
                                                      : unzstd(unpacking, SIZE_MAX, err);
    return result < 0 ? -1 : 1;
}

int evidence_decode(FILE **in, const char *name, struct err *err)
{
    struct unpacking unpacking = {.in = *in, .out = tmpfile(), .name = name};
    int result;

    if (!unpacking.out)
        return err_errno(err, errno, "cannot keep %s in %s", name, P_tmpdir);
    result = unpack(&unpacking, err);
    if (result > 0 && (fflush(unpacking.out) != 0 || ferror(unpacking.out)))
        result = err_errno(err, errno, "cannot keep %s in %s", name, P_tmpdir);
    if (result <= 0) {
        rewind(*in);
        fclose(unpacking.out);
        return result;
    }
    fclose(*in);
    rewind(unpacking.out);
    *in = unpacking.out;
    return 0;
}
