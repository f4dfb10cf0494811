#include "rpm_file.h"

#include "sha256.h"

#include <probes/alloc.h>
#include <probes/proc.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum {
    LEAD_SIZE = 96,
    INTRO_SIZE = 16,
    INDEX_SIZE = 16,
    HEADER_MOST = 256 << 20,
    TAG_PAYLOAD_DIGEST = 5092,
    TAG_PAYLOAD_ALGORITHM = 5093,
    TYPE_INT32 = 4,
    TYPE_STRINGS = 8,
    ALGORITHM_SHA256 = 8, /* as OpenPGP numbers them (RFC 4880, 9.4) */
    DIGEST_LETTERS = 64,
    PIECE = 1 << 16,
};

struct header {
    uint32_t count, size; /* entries of its index, bytes behind that */
    unsigned char *bytes; /* both */
};

static uint32_t get32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The header at AT, and where it ends. */
static int read_header(int fd, const char *file, uint64_t *at, struct header *ret, struct err *err)
{
    static const unsigned char magic[] = {0x8e, 0xad, 0xe8, 0x01};
    unsigned char intro[INTRO_SIZE];
    uint64_t size;
    struct stat st;

    if (proc_read_at(fd, *at, intro, sizeof intro) < sizeof intro)
        return err_set(err, "%s is cut off: its header is not there", file);
    if (memcmp(intro, magic, sizeof magic) != 0)
        return err_set(err, "%s was changed or is damaged: there is no header where one should be", file);
    *ret = (struct header){.count = get32(intro + 8), .size = get32(intro + 12)};
    size = (uint64_t)ret->count * INDEX_SIZE + ret->size;
    if (fstat(fd, &st) < 0)
        return err_errno(err, errno, "%s", file);
    if (size > HEADER_MOST)
        return err_set(err, "%s was changed or is damaged: its header is too large", file);
    if (size > (uint64_t)st.st_size)
        return err_set(err, "%s is cut off: its header is not there", file);
    ret->bytes = xmalloc((size_t)size + 1);
    if (proc_read_at(fd, *at + sizeof intro, ret->bytes, (size_t)size) < size) {
        free(ret->bytes);
        return err_set(err, "%s is cut off: its header is not there", file);
    }
    ret->bytes[size] = '\0';
    *at += sizeof intro + size;
    return 0;
}

/* The bytes that TAG, of TYPE, has in HEADER, at least SIZE; or NULL. */
static const unsigned char *value_of(const struct header *header, uint32_t tag, uint32_t type, size_t size)
{
    for (uint32_t i = 0; i < header->count; i++) {
        const unsigned char *entry = header->bytes + (size_t)i * INDEX_SIZE;
        uint32_t offset = get32(entry + 8);

        if (get32(entry) == tag && get32(entry + 4) == type && offset <= header->size && size <= header->size - offset)
            return header->bytes + (size_t)header->count * INDEX_SIZE + offset;
    }
    return NULL;
}

static int compare_digest(int fd, const char *file, uint64_t at, const char *wanted, struct err *err)
{
    CLEANUP_FREE unsigned char *piece = xmalloc(PIECE);
    unsigned char sum[SHA256_BYTES];
    char spelt[DIGEST_LETTERS + 1];
    struct sha256 state;
    size_t n;

    sha256_begin(&state);
    while ((n = proc_read_at(fd, at, piece, PIECE))) {
        sha256_add(&state, piece, n);
        at += n;
    }
    sha256_end(&state, sum);
    for (size_t i = 0; i < sizeof sum; i++)
        sprintf(spelt + 2 * i, "%02x", sum[i]);
    return strncasecmp(spelt, wanted, DIGEST_LETTERS) == 0
               ? 0
               : err_set(err,
                         "%s was changed, is damaged or cut off: its payload's digest is not the one in its header",
                         file);
}

int rpm_file_payload(int fd, const char *file, struct err *err)
{
    uint64_t at = LEAD_SIZE;
    struct header header;
    const unsigned char *algorithm, *digest;
    int result = 0;

    if (read_header(fd, file, &at, &header, err) < 0)
        return -1;
    free(header.bytes); /* the signatures */
    at = (at + 7) & ~UINT64_C(7);
    if (read_header(fd, file, &at, &header, err) < 0)
        return -1;
    algorithm = value_of(&header, TAG_PAYLOAD_ALGORITHM, TYPE_INT32, 4);
    digest = value_of(&header, TAG_PAYLOAD_DIGEST, TYPE_STRINGS, DIGEST_LETTERS);
    if (digest && (!algorithm || get32(algorithm) == ALGORITHM_SHA256))
        result = compare_digest(fd, file, at, (const char *)digest, err);
    free(header.bytes);
    if (result == 0 && lseek(fd, (off_t)at, SEEK_SET) < 0)
        result = err_errno(err, errno, "%s", file);
    return result;
}
