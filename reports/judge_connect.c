/* Servers that were not there: a connect(2) failed, on no way to that server did a later one succeed, and the program
 * says so or ends of it.
 *
 * Programs try many sockets that they do without (nscd, the system log), and several addresses of one server. Which
 * failure did harm is told by the words: by the address, by the C library's words for the error, by what such a server
 * is called; where there are none, by a bad end that follows with nothing between. */
#include "environment.h"

#include "service.h"
#include "syscall.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <probes/alloc.h>

enum { LINES_READ = 64 };

static const int refusals[] = {ENOENT,       ECONNREFUSED, EACCES,     EPERM,     ETIMEDOUT, EHOSTUNREACH,
                               ENETUNREACH,  EHOSTDOWN,    ECONNRESET, ENETDOWN,  EAGAIN,    EADDRNOTAVAIL,
                               ECONNABORTED, ENOTDIR,      ELOOP,      EPROTOTYPE};

static bool is_refusal(const struct failure *failure)
{
    if (strcmp(failure->desc->name, "connect") != 0 || failure->done_n || !failure->target || failure->policy)
        return false;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (refusals[i] == failure->error)
            return true;
    return false;
}

/* ---- words ---- */

enum saying { SAYS_NOTHING, SAYS_ERROR, SAYS_SERVICE, SAYS_ADDRESS };

/* "x.js:82:9" is a line and a column. */
static bool is_column(const char *line, const char *at)
{
    const char *start = at - 1;

    while (start > line && isdigit((unsigned char)start[-1]))
        start--;
    return start < at - 1 && start > line && start[-1] == ':';
}

static bool names_port(const char *line, unsigned port)
{
    char text[16];
    int size = snprintf(text, sizeof text, "%u", port);
    const char *at = port ? words_word(line, text, (size_t)size) : NULL;

    if (!at || at == line || is_column(line, at))
        return false;
    /* ":80", "port 80", "host 80": not "80 files". */
    return at[-1] == ':' || strcasestr(line, "port ") || strcasestr(line, "connect");
}

static bool names_address(const char *line, const char *target)
{
    const char *address = service_address(target);

    if (*address == '@')
        address++;
    if (address[0] == '/')
        return words_path(line, address) != NULL;
    return words_word(line, address, strlen(address)) || names_port(line, service_port(target));
}

static bool names_service(const char *line, const char *target)
{
    const struct service_kind *kind = service_of(target);

    for (size_t i = 0; kind && i < sizeof kind->words / sizeof *kind->words && kind->words[i]; i++)
        if (strcasestr(line, kind->words[i]))
            return true;
    return false;
}

/* "ECONNREFUSED", "Connection refused". */
static bool names_error(const char *line, int error)
{
    const char *name = errno_name(error);

    return (name && words_word(line, name, strlen(name))) || strcasestr(line, strerror(error));
}

/* Of a connection, whichever: programs that have tried for long say "timed out" of one that was refused each time. */
static bool names_refusal(const char *line)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (strcasestr(line, strerror(refusals[i])))
            return true;
    return false;
}

static enum saying line_saying(const char *line, const struct failure *failure)
{
    const struct service_kind *kind = service_of(failure->target);

    if (names_address(line, failure->target) &&
        (words_object(line) || names_error(line, failure->error) || names_refusal(line)))
        return SAYS_ADDRESS;
    if (kind && kind->optional)
        return SAYS_NOTHING;
    if (names_service(line, failure->target) && words_object(line))
        return SAYS_SERVICE;
    if (!names_error(line, failure->error))
        return SAYS_NOTHING;
    /* "No such file or directory" may be about a file. */
    return failure->error != ENOENT || strcasestr(line, "connect") || strcasestr(line, "socket") ? SAYS_ERROR
                                                                                                 : SAYS_NOTHING;
}

static enum saying saying_in(const struct process *process, const struct failure *failure,
                             const struct output_line **ret)
{
    enum saying best = SAYS_NOTHING;

    for (size_t i = process->line_count; i-- > 0 && process->line_count - i <= LINES_READ;) {
        const struct output_line *line = &process->lines[i];
        enum saying saying = line->n >= failure->n ? line_saying(line->text, failure) : SAYS_NOTHING;

        if (saying > best) {
            best = saying;
            *ret = line;
        }
    }
    return best;
}

static enum saying said_of(const struct process *actor, const struct process *image, const struct failure *failure,
                           const struct output_line **ret)
{
    const struct output_line *line = NULL, *other = NULL;
    enum saying saying = saying_in(actor, failure, &line), more = SAYS_NOTHING;

    if (image != actor)
        more = saying_in(image, failure, &other);
    *ret = more > saying ? other : line;
    return more > saying ? more : saying;
}

/* ---- which one ---- */

/* A file of the program's own was missed later. (Files that are there may be those that a traceback quotes.) */
static bool failed_after(const struct process *process, uint64_t n)
{
    struct episode *episode, *next;

    HASH_ITER(hh, process->episodes, episode, next)
    if (episode->last_n > n && !episode->found_n && episode->count &&
        episode->name[0] != '<' /* "<string>": no file */ && !judge_open_optional(episode->attempts[0]->path))
        return true;
    return false;
}

/* It was the last thing that went wrong of all that is seen. */
static bool last_act(const struct process *process, const struct failure *failure)
{
    for (size_t i = 0; i < process->failure_count; i++)
        if (process->failures[i].last_n > failure->last_n)
            return false;
    return process->hushed_count == 0 && !failed_after(process, failure->last_n);
}

/* A path of the file system can be looked at; an address of IPv4 is what most mean by "localhost". */
static int preference(const char *target)
{
    if (strncmp(target, "unix:/", 6) == 0)
        return 3;
    return target[0] == '[' ? 1 : strncmp(target, "unix:", 5) == 0 ? 0 : 2;
}

/* One of the ways to one server stands for all. */
static bool stands_for_server(const struct process *process, const struct failure *failure)
{
    CLEANUP_FREE char *service = connection_service(failure->target);
    int own = preference(failure->target);

    for (size_t i = 0; i < process->failure_count; i++) {
        const struct failure *other = &process->failures[i];
        CLEANUP_FREE char *same = other->target ? connection_service(other->target) : NULL;
        int theirs = other->target ? preference(other->target) : 0;

        if (other == failure || !is_refusal(other) || strcmp(same, service) != 0)
            continue;
        if (theirs != own ? theirs > own : other->last_n > failure->last_n)
            return false;
    }
    return true;
}

static bool optional(const struct failure *failure)
{
    const struct service_kind *kind = service_of(failure->target);

    return kind && kind->optional;
}

/* Graphical programs ask the buses for whatever may be there, log that they are not, and go on (chromium without a
 * window does so at every start). */
static bool is_bus(const struct failure *failure)
{
    const struct service_kind *kind = service_of(failure->target);

    return kind && strstr(kind->name, "D-Bus");
}

/* ---- */

static const char *path_of(const struct failure *failure)
{
    return strncmp(failure->target, "unix:/", 6) == 0 ? failure->target + 5 : NULL;
}

/* What is there may be no socket, or another's: then the variable that names it, or its mode, is at fault. */
static void name_it(struct finding *finding, struct process *actor, const struct failure *failure, struct lead *lead)
{
    const struct attempt attempt = {.n = failure->n, .desc = failure->desc, .path = (char *)finding->path};
    bool refused = failure->error == EACCES || failure->error == EPERM;
    struct stat st;

    finding->kind = CAUSE_CONNECTION_REFUSED;
    if (!finding->path)
        return;
    if (refused) {
        finding->kind = CAUSE_PERMISSION_DENIED;
        finding->missing = finding->path;
        judge_led(finding, actor, &attempt, lead);
    } else if (path_stat(finding->process->root, finding->path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        finding->kind = CAUSE_FILE_MISSING;
        if (!judge_led(finding, actor, &attempt, lead))
            finding->kind = CAUSE_CONNECTION_REFUSED;
    }
}

static struct suspect *accuse(struct process *actor, const struct failure *failure)
{
    const struct process *image = process_owner(actor);
    struct finding finding = {.process = image,
                              .subject = image->exe ? image->exe : "",
                              .missing = service_address(failure->target),
                              .path = path_of(failure),
                              .call = "connect",
                              .error = failure->error,
                              .server = failure->target};
    struct path_walk walk;
    struct lead lead = {0};
    struct suspect *suspect;

    path_walk(image->root, "/", finding.path ? finding.path : "/", process_cred(actor), &walk);
    finding.walk = &walk;
    name_it(&finding, actor, failure, &lead);
    suspect = image->exe ? suspect_add(actor, AT_CALL, &finding, failure->n, failure->t_ns) : NULL;
    lead_deinit(&lead);
    path_walk_deinit(&walk);
    if (suspect)
        suspect->server = xstrdup(failure->target);
    return suspect;
}

/* LINE, the last one, gives a reason that is none of a server's. */
static bool is_of_another(const struct process *image, const char *line)
{
    static const char *const words[] = {"server",  "connect", "reach",   "unavailable", "down",   "host",  "network",
                                        "offline", "online",  "service", "daemon",      "health", "ready", "socket",
                                        "running", "retr",    "timeout", "timed out",   "broker", "agent", "database",
                                        "backend", "remote",  "display", "session",     "socket", "bus"};

    static const char *const reasons[] = {"mismatch", "corrupt", "expired", "malformed", "duplicate", "not match"};

    if (words_usage(line))
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(line, words[i]))
            return false;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strcasestr(line, reasons[i]))
            return true;
    return words_own_reason(line, image->exe ? path_base(image->exe) : NULL);
}

/* The last lines of IMAGE since FAILURE shrug, or give a reason that is none of a server's; "See 'x --help'" behind it
 * is none. */
static bool ends_of_another(const struct process *image, const struct failure *failure)
{
    const struct output_line *last = NULL;

    for (size_t i = image->line_count; i-- > 0 && image->lines[i].n > failure->n;) {
        const char *line = image->lines[i].text;

        if (words_usage(line) || (!last && words_shrug(line)))
            return true;
        if (!last || (strstr(last->text, "--help") && words_object(line)))
            last = &image->lines[i];
    }
    return last && is_of_another(image, last->text);
}

/* The same path was only looked at before. */
static void take_over(struct process *image, const struct suspect *suspect, const char *path)
{
    for (size_t i = 0; path && i < image->suspect_count; i++) {
        struct suspect *other = &image->suspects[i];

        if (other != suspect && other->at == AT_OPEN && other->cause->kind == CAUSE_FILE_MISSING &&
            strcmp(other->cause->missing, path) == 0)
            other->renamed = true;
    }
}

static void judge_failure(struct process *actor, const struct failure *failure, bool others_said)
{
    static const double sure[] = {
        [SAYS_NOTHING] = 0.7, [SAYS_ERROR] = 0.85, [SAYS_SERVICE] = 0.88, [SAYS_ADDRESS] = 0.93};
    const struct process *image = process_owner(actor);
    const struct output_line *line = NULL;
    enum saying saying = said_of(actor, image, failure, &line);
    bool failed = process_failed(actor) || (image->ended && process_failed(image));
    struct suspect *suspect;

    if (saying == SAYS_NOTHING && image->line_count && image->lines[image->line_count - 1].n > failure->n)
        line = &image->lines[image->line_count - 1];
    if (saying == SAYS_NOTHING && line && last_act(actor, failure) && names_error(line->text, failure->error))
        saying = SAYS_ERROR;
    if (saying == SAYS_NOTHING && line && ends_of_another(image, failure))
        return;
    if (saying == SAYS_NOTHING && (!failed || others_said || optional(failure) || !last_act(actor, failure)))
        return;
    /* "No such file or directory" is said of much else */
    if (saying <= SAYS_ERROR && (optional(failure) || image->suspect_count))
        return;
    if ((saying != SAYS_ADDRESS && others_said) || (!failed && is_bus(failure)))
        return;
    suspect = accuse(actor, failure);
    if (!suspect)
        return;
    take_over(process_owner(actor), suspect, path_of(failure));
    suspect->last_n = failure->last_n;
    suspect->sure = failed ? sure[saying] : 0.75;
    suspect->last_act = true;
    suspect->quiet = !line;
    strings_add(&suspect->needles, xstrdup(service_address(failure->target)));
    if (line) {
        suspect->cause->words = xstrdup(line->text);
        cause_evidence(suspect->cause, line->n);
    }
}

static bool any_named(const struct process *actor, const struct process *image)
{
    const struct output_line *line;

    for (size_t i = 0; i < actor->failure_count; i++)
        if (is_refusal(&actor->failures[i]) && said_of(actor, image, &actor->failures[i], &line) == SAYS_ADDRESS)
            return true;
    return false;
}

static bool is_said(const struct process *actor, const struct failure *failure)
{
    const struct output_line *line;

    return said_of(actor, process_owner((struct process *)actor), failure, &line) != SAYS_NOTHING;
}

/* PROCESS ended as a child did that it has waited for: su(1), env wrappers and shells pass on how that ended. */
static bool passes_on(const struct model *model, const struct process *process)
{
    const struct process *child, *next;

    HASH_ITER(hh, model->processes, child, next)
    if (child->parent == process && child->executed && child->ended && process_failed(child) &&
        child->status == process->status)
        return true;
    return false;
}

/* Few processes have met a refusal, and of those that have not nothing is asked: PASSES_ON looks at every other. */
static bool any_refusal(const struct process *process)
{
    for (size_t i = 0; i < process->failure_count; i++)
        if (is_refusal(&process->failures[i]))
            return true;
    return false;
}

void judge_connections(const struct model *model, struct process *process)
{
    bool passed, named;
    size_t before = process_owner(process)->suspect_count;

    if (!any_refusal(process))
        return;
    passed = passes_on(model, process_owner(process));
    named = any_named(process, process_owner(process));
    for (size_t i = process->failure_count; i-- > 0;) {
        const struct failure *failure = &process->failures[i];

        if (is_refusal(failure) && stands_for_server(process, failure) && !(passed && !is_said(process, failure)))
            judge_failure(process, failure, named || process_owner(process)->suspect_count > before);
    }
}
