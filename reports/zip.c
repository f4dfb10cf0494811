#include "zip.h"

#include "utf8.h"

#include <probes/alloc.h>
#include <probes/proc.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum {
    END_SIZE = 22,
    ENTRY_SIZE = 46,
    LOCAL_SIZE = 30,
    COMMENT_MOST = 65535,
    DIRECTORY_MOST = 64 << 20,
    STORED = 0,
    DEFLATED = 8,
    FLAG_ENCRYPTED = 1,
    MADE_BY_UNIX = 3,
    PIECE = 1 << 16,
};

static unsigned get16(const unsigned char *at)
{
    return at[0] | (unsigned)at[1] << 8;
}

static uint32_t get32(const unsigned char *at)
{
    return get16(at) | (uint32_t)get16(at + 2) << 16;
}

static int broken(const struct zip *zip, const char *name, const char *why, struct err *err)
{
    CLEANUP_FREE char *cut = xstrndup(name ? name : "", 200), *plain = utf8_plain(cut);

    return name ? err_set(err, "%s: \"%s\" %s", zip->file, plain, why) : err_set(err, "%s %s", zip->file, why);
}

/* SIZE bytes at OFFSET, malloced, or NULL where they are not there. */
static unsigned char *read_at(const struct zip *zip, uint64_t offset, size_t size)
{
    CLEANUP_FREE unsigned char *bytes = NULL;

    if (offset > zip->file_size || size > zip->file_size - offset)
        return NULL;
    bytes = xmalloc(size + 1);
    if (proc_read_at(zip->fd, offset, bytes, size) < size)
        return NULL;
    bytes[size] = '\0';
    return steal_pointer(&bytes);
}

/* The end record is the last thing in the file but for its comment. False: there is none. */
static bool find_end(const struct zip *zip, uint64_t *offset, unsigned char end[static END_SIZE])
{
    size_t size = zip->file_size < END_SIZE + COMMENT_MOST ? (size_t)zip->file_size : END_SIZE + COMMENT_MOST;
    uint64_t start = zip->file_size - size;
    CLEANUP_FREE unsigned char *tail = read_at(zip, start, size);

    for (size_t i = size >= END_SIZE ? size - END_SIZE + 1 : 0; tail && i-- > 0;)
        if (memcmp(tail + i, "PK\5\6", 4) == 0 && i + END_SIZE + get16(tail + i + 20) == size) {
            *offset = start + i;
            memcpy(end, tail + i, END_SIZE);
            return true;
        }
    return false;
}

/* One entry of the directory, of which LEFT bytes are at AT: how many it takes, or -1 and ERR. */
static long add_entry(struct zip *zip, const unsigned char *at, size_t left, struct err *err)
{
    struct zip_entry *entry;
    size_t name, whole;

    if (left < ENTRY_SIZE || memcmp(at, "PK\1\2", 4) != 0)
        return broken(zip, NULL, "has a damaged directory", err);
    name = get16(at + 28);
    whole = ENTRY_SIZE + name + get16(at + 30) + get16(at + 32);
    if (whole > left || memchr(at + ENTRY_SIZE, '\0', name))
        return broken(zip, NULL, "has a damaged directory", err);
    entry = array_add(&zip->entries, &zip->count, &zip->cap, sizeof *entry);
    *entry = (struct zip_entry){.name = xstrndup((const char *)at + ENTRY_SIZE, name),
                                .method = get16(at + 10),
                                .crc = get32(at + 16),
                                .packed = get32(at + 20),
                                .size = get32(at + 24),
                                .offset = get32(at + 42),
                                .mode = at[5] == MADE_BY_UNIX ? get32(at + 38) >> 16 : 0};
    if (get16(at + 8) & FLAG_ENCRYPTED)
        return broken(zip, entry->name, "is encrypted", err);
    if (entry->packed == UINT32_MAX || entry->size == UINT32_MAX || entry->offset == UINT32_MAX)
        return broken(zip, entry->name, "is in ZIP64, which is not read", err);
    return (long)whole;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Two of one name: one program would read this one, another that. */
static int check_names(const struct zip *zip, struct err *err)
{
    CLEANUP_FREE const char **names = xcalloc(zip->count + 1, sizeof *names);

    for (size_t i = 0; i < zip->count; i++)
        names[i] = zip->entries[i].name;
    qsort(names, zip->count, sizeof *names, by_name);
    for (size_t i = 1; i < zip->count; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            return broken(zip, names[i], "is there twice", err);
    return 0;
}

static int read_directory(struct zip *zip, struct err *err)
{
    unsigned char end[END_SIZE];
    uint64_t at_end = 0, start, size, packed = 0;
    CLEANUP_FREE unsigned char *directory = NULL;
    size_t at = 0;

    if (!find_end(zip, &at_end, end))
        return broken(zip, NULL, "is cut off, or no .zip archive: the record at its end is not there", err);
    size = get32(end + 12);
    start = get32(end + 16);
    if (get16(end + 4) || get16(end + 6) || get16(end + 8) != get16(end + 10) || size == UINT32_MAX ||
        get16(end + 10) == UINT16_MAX)
        return broken(zip, NULL, "is in several parts, or in ZIP64, which is not read", err);
    if (start + size != at_end || size > DIRECTORY_MOST)
        return broken(zip, NULL, "was changed: its directory is not where its end says", err);
    directory = read_at(zip, start, (size_t)size);
    if (!directory)
        return broken(zip, NULL, "cannot be read", err);
    for (unsigned i = 0; i < get16(end + 10); i++) {
        long taken = add_entry(zip, directory + at, (size_t)size - at, err);

        if (taken < 0)
            return -1;
        at += (size_t)taken;
        packed += zip->entries[i].packed;
    }
    if (at != size || packed > start) /* entries that share bytes: a bomb */
        return broken(zip, NULL, "was changed: its directory does not fit what is in it", err);
    return check_names(zip, err);
}

/* FD is the archive's from then on. */
static int open_taken(int fd, const char *file, struct zip *ret, struct err *err)
{
    struct stat st;

    *ret = (struct zip){.file = xstrdup(file), .fd = fd};
    if (ret->fd < 0 || fstat(ret->fd, &st) < 0)
        err_errno(err, errno, "%s", file);
    else if (!S_ISREG(st.st_mode))
        err_set(err, "%s is no file", file);
    else {
        ret->file_size = (uint64_t)st.st_size;
        if (read_directory(ret, err) == 0)
            return 0;
    }
    zip_close(ret);
    return -1;
}

int zip_open(const char *file, struct zip *ret, struct err *err)
{
    return open_taken(open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), file, ret, err);
}

int zip_open_fd(int fd, const char *file, struct zip *ret, struct err *err)
{
    return open_taken(fcntl(fd, F_DUPFD_CLOEXEC, 0), file, ret, err);
}

void zip_close(struct zip *zip)
{
    for (size_t i = 0; i < zip->count; i++)
        free(zip->entries[i].name);
    free(zip->entries);
    free(zip->file);
    if (zip->fd >= 0)
        close(zip->fd);
}

/* ---- the bytes of one ---- */

/* Where ENTRY's bytes begin: behind its local header, which has to say what the directory says; 0 and ERR: it does not.
 */
static uint64_t bytes_at(const struct zip *zip, const struct zip_entry *entry, struct err *err)
{
    CLEANUP_FREE unsigned char *local = read_at(zip, entry->offset, LOCAL_SIZE);
    CLEANUP_FREE unsigned char *name = NULL;
    size_t length = strlen(entry->name);

    if (local && get16(local + 26) == length)
        name = read_at(zip, entry->offset + LOCAL_SIZE, length);
    if (!name || memcmp(local, "PK\3\4", 4) != 0 || memcmp(name, entry->name, length) != 0 ||
        get16(local + 8) != entry->method) {
        broken(zip, entry->name, "was changed: what stands before it is not what the directory says", err);
        return 0;
    }
    return entry->offset + LOCAL_SIZE + length + get16(local + 28);
}

struct stream {
    const struct zip *zip;
    const struct zip_entry *entry;
    int (*bytes)(void *ctx, const unsigned char *data, size_t size, struct err *err);
    void *ctx;
    uint64_t got;
    uLong crc;
};

static int put(struct stream *stream, const unsigned char *data, size_t size, struct err *err)
{
    if (size > stream->entry->size - stream->got)
        return broken(stream->zip, stream->entry->name, "was changed: it is longer than the directory says", err);
    stream->got += size;
    stream->crc = crc32(stream->crc, data, (uInt)size);
    return stream->bytes && size ? stream->bytes(stream->ctx, data, size, err) : 0;
}

/* Inflates what Z was given: 0 to go on, 1 at the end. */
static int inflate_piece(struct stream *stream, z_stream *z, struct err *err)
{
    CLEANUP_FREE unsigned char *out = xmalloc(PIECE);
    int state;

    do {
        z->next_out = out;
        z->avail_out = PIECE;
        state = inflate(z, Z_NO_FLUSH);
        if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR)
            return broken(stream->zip, stream->entry->name, "is damaged: it does not inflate", err);
        if (put(stream, out, PIECE - z->avail_out, err) < 0)
            return -1;
    } while (state == Z_OK && (z->avail_in || !z->avail_out));
    return state == Z_STREAM_END;
}

static int stream_all(struct stream *stream, uint64_t at, z_stream *z, struct err *err)
{
    int result = 0;

    for (uint64_t left = stream->entry->packed; left && result == 0;) {
        size_t size = left < PIECE ? (size_t)left : PIECE;
        CLEANUP_FREE unsigned char *in = read_at(stream->zip, at, size);

        if (!in)
            return broken(stream->zip, stream->entry->name, "is cut off", err);
        if (z) {
            z->next_in = in;
            z->avail_in = (uInt)size;
            result = inflate_piece(stream, z, err);
        } else {
            result = put(stream, in, size, err);
        }
        at += size;
        left -= size;
    }
    return result < 0 ? -1 : 0;
}

int zip_stream(const struct zip *zip, const struct zip_entry *entry,
               int (*bytes)(void *ctx, const unsigned char *data, size_t size, struct err *err), void *ctx,
               struct err *err)
{
    struct stream stream = {.zip = zip, .entry = entry, .bytes = bytes, .ctx = ctx, .crc = crc32(0, NULL, 0)};
    uint64_t at = bytes_at(zip, entry, err);
    z_stream z = {0};
    int result;

    if (!at)
        return -1;
    if (entry->method != STORED && entry->method != DEFLATED)
        return broken(zip, entry->name, "is packed in a way that is not read", err);
    if (entry->method == DEFLATED && inflateInit2(&z, -MAX_WBITS) != Z_OK)
        alloc_failed();
    result = stream_all(&stream, at, entry->method == DEFLATED ? &z : NULL, err);
    if (entry->method == DEFLATED)
        inflateEnd(&z);
    if (result == 0 && stream.got != entry->size)
        return broken(zip, entry->name, "was changed: it is shorter than the directory says", err);
    if (result == 0 && stream.crc != entry->crc)
        return broken(zip, entry->name, "was changed or is damaged: its checksum is another", err);
    return result;
}

struct memory {
    char *data;
    size_t n;
};

static int into_memory(void *ctx, const unsigned char *data, size_t size, struct err *err)
{
    struct memory *memory = ctx;

    (void)err;
    memory->data = xrealloc(memory->data, memory->n + size + 1);
    memcpy(memory->data + memory->n, data, size);
    memory->n += size;
    return 0;
}

int zip_read(const struct zip *zip, const struct zip_entry *entry, size_t limit, char **data, size_t *size,
             struct err *err)
{
    struct memory memory = {0};

    if (entry->size > limit)
        return broken(zip, entry->name, "is too large", err);
    if (zip_stream(zip, entry, into_memory, &memory, err) < 0) {
        free(memory.data);
        return -1;
    }
    memory.data = xrealloc(memory.data, memory.n + 1);
    memory.data[memory.n] = '\0';
    *data = memory.data;
    *size = memory.n;
    return 0;
}

const struct zip_entry *zip_find(const struct zip *zip, const char *name)
{
    for (size_t i = 0; i < zip->count; i++)
        if (strcmp(zip->entries[i].name, name) == 0)
            return &zip->entries[i];
    return NULL;
}
