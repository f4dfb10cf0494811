/* What goes into a bundle is pack.c's, what may come out unpack.c's; how it is packed, entries.c's. */
#include "bundle.h"

#include "entries.h"
#include "pack.h"
#include "unpack.h"
#include "utf8.h"
#include "wording.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
    MEMBER_MAX = 256 << 20 /* bytes of an entry that is read whole into memory */
};

/* A bundle on its way out. */
struct writer {
    struct entries_writer *entries;
    const char *file;
    char *top;
};

bool bundle_named(const char *file)
{
    size_t length = strlen(file), ending = strlen(BUNDLE_ENDING);

    return length > ending && strcmp(file + length - ending, BUNDLE_ENDING) == 0;
}

/* --- into the archive --- */

static int put_header(const struct writer *writer, const struct member *member, uint64_t size, struct err *err)
{
    CLEANUP_FREE char *name =
        xasprintf("%s%s%s%s", writer->top, *member->name ? "/" : "", member->name, member->mode ? "" : "/");

    return entries_put(writer->entries, name, member->mode, member->link, size, err);
}

/* SIZE bytes of IN from where it stands. */
static int put_stream(const struct writer *writer, const struct member *member, FILE *in, uint64_t size,
                      struct err *err)
{
    CLEANUP_FREE char *buffer = xmalloc(1 << 16);

    while (size) {
        size_t n = fread(buffer, 1, size < 1 << 16 ? size : 1 << 16, in);

        if (!n)
            return err_set(err, "%s: %s became shorter while it was packed", writer->file, member->name);
        if (entries_put_bytes(writer->entries, member->name, buffer, n, err) < 0)
            return -1;
        size -= n;
    }
    return 0;
}

static int put_trace(const struct writer *writer, const struct member *member, struct err *err)
{
    off_t before = ftello(member->stream), size;
    int result;

    if (fflush(member->stream) != 0 || fseeko(member->stream, 0, SEEK_END) != 0 ||
        (size = ftello(member->stream)) < 0 || fseeko(member->stream, 0, SEEK_SET) != 0)
        return err_errno(err, errno, "%s: the trace cannot be read back", writer->file);
    result = put_header(writer, member, (uint64_t)size, err);
    if (result >= 0)
        result = put_stream(writer, member, member->stream, (uint64_t)size, err);
    fseeko(member->stream, before, SEEK_SET);
    return result;
}

static int put_path(const struct writer *writer, const struct member *member, struct err *err)
{
    int fd = open(member->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    CLEANUP_FCLOSE FILE *in = fd >= 0 ? fdopen(fd, "r") : NULL;
    struct stat st;

    if (!in || fstat(fd, &st) < 0)
        return err_errno(err, errno, "%s cannot be packed", member->path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, "%s is no longer a file", member->path);
    if (put_header(writer, member, (uint64_t)st.st_size, err) < 0)
        return -1;
    return put_stream(writer, member, in, (uint64_t)st.st_size, err);
}

static int put_member(const struct writer *writer, const struct member *member, struct err *err)
{
    if (member->stream)
        return put_trace(writer, member, err);
    if (member->path)
        return put_path(writer, member, err);
    if (put_header(writer, member, member->size, err) < 0)
        return -1;
    return entries_put_bytes(writer->entries, member->name, member->data, member->size, err);
}

static int put_all(const struct writer *writer, const struct pack *pack, struct err *err)
{
    const struct member top = {.name = (char[]){""}};

    if (put_member(writer, &top, err) < 0)
        return -1;
    for (size_t i = 0; i < pack->count; i++)
        if (put_member(writer, &pack->members[i], err) < 0)
            return -1;
    return entries_finish(writer->entries, err);
}

static char *top_name(const char *file)
{
    const char *base = path_base(file);

    return xstrndup(base, strlen(base) - (bundle_named(base) ? strlen(BUNDLE_ENDING) : 0));
}

int bundle_write(const struct report *report, const struct bundle_parts *parts, const char *file, FILE *out,
                 struct err *err)
{
    CLEANUP_FREE char *top = top_name(file);
    struct writer writer = {.file = file, .top = top};
    struct pack pack = {0};
    int result;

    if (entries_create(out, file, &writer.entries, err) < 0)
        return -1;
    result = pack_all(&pack, report, parts, err);
    if (result >= 0)
        result = put_all(&writer, &pack, err);
    pack_deinit(&pack);
    entries_writer_destroy(writer.entries);
    return result;
}

/* --- reading --- */

/* A bundle on its way in. */
struct reader {
    const char *file;
    int fd;
    struct entries *entries;
};

static int reader_open(struct reader *reader, const char *file, struct err *err)
{
    *reader = (struct reader){.file = file, .fd = open(file, O_RDONLY | O_CLOEXEC)};
    if (reader->fd < 0)
        return err_errno(err, errno, "%s cannot be read", file);
    if (entries_open(reader->fd, file, ENTRIES_BUNDLE, &reader->entries, err) == 0)
        return 0;
    close(reader->fd);
    return -1;
}

static void reader_close(struct reader *reader)
{
    entries_close(reader->entries);
    close(reader->fd);
}

struct whole {
    const struct reader *reader;
    char *bytes;
    size_t n, cap, limit;
};

static int add_bytes(void *ctx, const unsigned char *data, size_t size, struct err *err)
{
    struct whole *whole = ctx;

    if (size > whole->limit - whole->n)
        return err_set(err, "%s: an entry is too large to be read whole", whole->reader->file);
    while (size > whole->cap - whole->n)
        whole->bytes = xrealloc(whole->bytes, (whole->cap *= 2) + 1);
    memcpy(whole->bytes + whole->n, data, size);
    whole->n += size;
    return 0;
}

/* The entry's bytes in *DATA, at most LIMIT. */
static int reader_data(const struct reader *reader, size_t limit, char **data, size_t *size, struct err *err)
{
    struct whole whole = {.reader = reader, .bytes = xmalloc((1 << 16) + 1), .cap = 1 << 16, .limit = limit};

    if (entries_bytes(reader->entries, add_bytes, &whole, err) < 0) {
        free(whole.bytes);
        return -1;
    }
    whole.bytes[whole.n] = '\0';
    *size = whole.n;
    *data = whole.bytes;
    return 0;
}

/* NAME without its top folder. */
const char *bundle_below_top(const char *name)
{
    const char *slash;

    while (strncmp(name, "./", 2) == 0)
        name += 2;
    slash = strchr(name, '/');
    return slash ? slash + 1 : "";
}

int bundle_read(const char *file, const char *member, char **data, size_t *size, struct err *err)
{
    struct reader reader;
    struct unpack_item item;
    int result;

    if (reader_open(&reader, file, err) < 0)
        return -1;
    while ((result = entries_next(reader.entries, &item, err)) > 0)
        if (item.kind == UNPACK_FILE && strcmp(bundle_below_top(item.name), member) == 0)
            break;
    if (result > 0)
        result = reader_data(&reader, MEMBER_MAX, data, size, err);
    else if (result == 0)
        result = err_set(err, "%s holds no %s: it is no bundle of glibctrace", file, member);
    reader_close(&reader);
    return result;
}

struct visited {
    const struct reader *reader;
    const struct bundle_visitor *visitor;
    uint64_t left;
};

/* What comes counts, whatever the archive says of its size. */
static int visit_bytes(void *ctx, const unsigned char *data, size_t size, struct err *err)
{
    struct visited *visited = ctx;

    if (size > visited->left)
        return err_set(err, "%s: it is too large unpacked", visited->reader->file);
    visited->left -= size;
    visited->visitor->bytes(visited->visitor->ctx, (const char *)data, size);
    return 0;
}

int bundle_walk(const char *file, const struct bundle_visitor *visitor, struct err *err)
{
    struct reader reader;
    struct unpack unpack;
    struct unpack_item item;
    struct visited visited = {&reader, visitor, UINT64_C(4) << 30};
    int result;

    if (reader_open(&reader, file, err) < 0)
        return -1;
    result = unpack_init(&unpack, file, "/", NULL, err); /* which is only asked, nothing is unpacked */
    while (result >= 0 && (result = entries_next(reader.entries, &item, err)) > 0) {
        if (unpack_check(&unpack, &item, err) < 0)
            result = -1;
        else
            visitor->entry(visitor->ctx, &item);
        if (result >= 0 && item.kind == UNPACK_FILE)
            result = entries_bytes(reader.entries, visit_bytes, &visited, err);
    }
    unpack_deinit(&unpack);
    reader_close(&reader);
    return result;
}

struct extracted {
    struct unpack *unpack;
    const struct unpack_item *item;
    int fd;
};

static int extract_bytes(void *ctx, const unsigned char *data, size_t size, struct err *err)
{
    const struct extracted *extracted = ctx;

    return unpack_write(extracted->unpack, extracted->item, extracted->fd, (const char *)data, size, err);
}

static int extract_file(const struct reader *reader, struct unpack *unpack, const struct unpack_item *item,
                        struct err *err)
{
    CLEANUP_CLOSE int fd = unpack_file(unpack, item, err);
    struct extracted extracted = {unpack, item, fd};

    return fd < 0 ? -1 : entries_bytes(reader->entries, extract_bytes, &extracted, err);
}

static int extract_all(const struct reader *reader, struct unpack *unpack, struct err *err)
{
    struct unpack_item item;
    int result;

    while ((result = entries_next(reader->entries, &item, err)) > 0) {
        if (unpack_check(unpack, &item, err) < 0)
            return -1;
        if (item.kind == UNPACK_FILE)
            result = extract_file(reader, unpack, &item, err);
        else
            result = unpack_other(unpack, &item, err);
        if (result < 0)
            return -1;
    }
    return result;
}

int bundle_extract(const char *file, const char *directory, const struct bundle_limits *limits, char **top,
                   struct err *err)
{
    struct reader reader;
    struct unpack unpack;
    int result;

    if (reader_open(&reader, file, err) < 0)
        return -1;
    result = unpack_init(&unpack, file, directory, limits, err);
    if (result >= 0)
        result = extract_all(&reader, &unpack, err);
    if (result >= 0 && !unpack.top)
        result = err_set(err, "%s is empty", file);
    if (result >= 0 && top)
        *top = xstrdup(unpack.top);
    unpack_deinit(&unpack);
    reader_close(&reader);
    return result;
}
