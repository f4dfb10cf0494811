#include "evidence_set.h"

#include "evidence_decode.h"
#include "evidence_stream.h"
#include "read_text.h"
#include "strace_line.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
    FILES_MOST = 1 << 16,
    HEAD_MOST = 16 * 1024, /* bytes from which a file is known for what it is */
    PID_DIGITS = 7,        /* of the largest number of a process (PID_MAX_LIMIT of linux/threads.h) */
};

/* ---- one file ---- */

/* The number at the end of "log.4711" or "log.4711.gz", or 0; *STEM: how long what stands before the dot is. */
static pid_t number_of(const char *name, size_t *stem)
{
    size_t end = strlen(name), digits = 0;
    pid_t pid = 0;

    if (end > 3 && strcmp(name + end - 3, ".gz") == 0)
        end -= 3;
    else if (end > 4 && strcmp(name + end - 4, ".zst") == 0)
        end -= 4;
    while (digits < end && isdigit((unsigned char)name[end - digits - 1]))
        digits++;
    if (!digits || digits > PID_DIGITS || digits == end || name[end - digits - 1] != '.')
        return 0;
    for (size_t i = end - digits; i < end; i++)
        pid = pid * 10 + (name[i] - '0');
    *stem = end - digits - 1;
    return pid;
}

/* "     12345:\t", as every line that the loader prints of its work begins (elf/dl-misc.c, _dl_debug_vdprintf). */
static bool debug_line(const char *line)
{
    const char *p = line + strspn(line, " ");
    size_t digits = strspn(p, "0123456789");

    return digits && digits <= PID_DIGITS && p[digits] == ':' && p[digits + 1] == '\t';
}

/* What LINE says of the file it is in: that it is strace's, and how its lines begin. */
static void look(struct set_file *file, char *line, size_t size)
{
    struct strace_line parsed;

    strace_parse(line, size, NULL, NULL, &parsed);
    if (parsed.kind == STRACE_NOTHING || parsed.kind == STRACE_OTHER || parsed.kind == STRACE_PARTIAL)
        return;
    if (!file->strace)
        file->bare = !parsed.pid;
    file->strace = true;
    if (parsed.has_time && !parsed.relative && parsed.t_ns % 1000000000 != 0)
        file->timed = true;
}

/* Whether FILE, which begins with HEAD, is a log of one process; fills in what is known of it. */
static bool classify(struct set_file *file, char *head)
{
    bool debug = false;

    for (char *line = head, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = '\0';
        debug |= debug_line(line);
        look(file, line, strlen(line));
    }
    return file->strace || debug;
}

/* What is packed is unpacked; *HEAD gets its beginning, malloced. Takes IN over. */
static int examine(struct set_file *file, FILE *in, bool *cut, char **head, struct err *err)
{
    struct stat st;
    size_t n;

    *head = xmalloc(HEAD_MOST + 1);
    file->in = in;
    if (evidence_decode(&file->in, file->path, cut, err) < 0)
        return -1;
    n = fread(*head, 1, HEAD_MOST, file->in);
    if (ferror(file->in))
        return err_errno(err, errno, "%s cannot be read", file->path);
    (*head)[n] = '\0';
    if (n && !text_knows(*head, n))
        return err_set(err, "%s is no text: of several files each must be", file->path);
    for (size_t i = 0; i < n; i++)
        if (!(*head)[i])
            (*head)[i] = ' ';
    rewind(file->in);
    if (fileno(file->in) < 0)
        file->in = stream_keep(file->in, file->path, err);
    if (!file->in)
        return -1;
    if (fstat(fileno(file->in), &st) == 0 && st.st_nlink) /* it has a name: there may be more files than descriptors */
        fclose(steal_pointer(&file->in));
    return 0;
}

static void file_deinit(struct set_file *file)
{
    if (file->in)
        fclose(file->in);
    free(file->path);
    free(file->window);
}

int evidence_set_add(struct evidence_set *set, const char *name, FILE *in, struct err *err)
{
    struct set_file *file = array_add(&set->files, &set->count, &set->cap, sizeof *file);
    CLEANUP_FREE char *head = NULL;
    size_t stem;

    file->path = xstrdup(name);
    file->pid = number_of(path_base(name), &stem);
    if (examine(file, in, &set->cut, &head, err) < 0)
        return -1;
    classify(file, head);
    return 0;
}

void evidence_set_deinit(struct evidence_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        file_deinit(&set->files[i]);
    free(set->files);
    *set = (struct evidence_set){0};
}

/* ---- those that belong together ---- */

static int by_number(const void *a, const void *b)
{
    const struct set_file *one = a, *other = b;

    return one->pid != other->pid ? (one->pid > other->pid) - (one->pid < other->pid) : strcmp(one->path, other->path);
}

/* Neither a link nor a pipe of a folder is followed. */
static FILE *open_member(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fdopen(fd, "r");
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* The file NAME of FOLDER, if it is a log: else it is nothing to us, whatever is the matter with it. */
static void add_member(struct evidence_set *set, const char *folder, const char *name, pid_t pid)
{
    struct set_file file = {.path = *folder ? xasprintf("%s/%s", folder, name) : xstrdup(name), .pid = pid};
    FILE *in = open_member(file.path);
    CLEANUP_FREE char *head = NULL;
    struct err unused;

    if (in && examine(&file, in, &set->cut, &head, &unused) == 0 && classify(&file, head))
        *(struct set_file *)array_add(&set->files, &set->count, &set->cap, sizeof file) = file;
    else
        file_deinit(&file);
}

int evidence_set_find(const char *name, struct evidence_set *ret, struct err *err)
{
    struct stat st;
    bool whole = stat(name, &st) == 0 && S_ISDIR(st.st_mode);
    const char *base = whole ? "" : path_base(name);
    CLEANUP_FREE char *folder = xstrndup(name, whole ? strlen(name) : (size_t)(base - name));
    DIR *directory = opendir(*folder ? folder : ".");
    struct dirent *entry;

    *ret = (struct evidence_set){0};
    if (!directory)
        return whole ? err_errno(err, errno, "%s", name) : 0;
    for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/';)
        folder[--n] = '\0';
    while ((entry = readdir(directory)) && ret->count <= FILES_MOST) {
        size_t stem;
        pid_t pid = number_of(entry->d_name, &stem);

        if (pid && (whole || (stem == strlen(base) && strncmp(entry->d_name, base, stem) == 0)))
            add_member(ret, folder, entry->d_name, pid);
    }
    closedir(directory);
    if (ret->count > FILES_MOST)
        return err_set(err, "%s: more than %d files", name, FILES_MOST);
    if (ret->count)
        qsort(ret->files, ret->count, sizeof *ret->files, by_number);
    return 0;
}

/* ---- one text of them ---- */

struct merging {
    FILE *out;
    const char *name;
};

static int put(void *ctx, const struct set_piece *piece, struct err *err)
{
    struct merging *merging = ctx;

    if (piece->begins && piece->file->bare && piece->file->pid)
        fprintf(merging->out, "%d ", (int)piece->file->pid);
    fwrite(piece->data, 1, piece->size, merging->out);
    return ferror(merging->out) ? err_errno(err, errno, "cannot keep %s in %s", merging->name, P_tmpdir) : 0;
}

FILE *evidence_set_merge(struct evidence_set *set, const char *name, struct err *err)
{
    struct merging merging = {.out = tmpfile(), .name = name};

    if (!merging.out) {
        err_errno(err, errno, "cannot keep %s in %s", name, P_tmpdir);
        return NULL;
    }
    if (evidence_order(set, put, &merging, err) == 0) {
        if (fflush(merging.out) == 0 && !ferror(merging.out)) {
            rewind(merging.out);
            return merging.out;
        }
        err_errno(err, errno, "cannot keep %s in %s", name, P_tmpdir);
    }
    fclose(merging.out);
    return NULL;
}
