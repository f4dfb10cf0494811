/* connection-refused: a socket (display, D-Bus, language or debug server) is absent or refuses. */
#include "environment.h"

#include "scenario.h"
#include "service.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <probes/alloc.h>

static const char *why(const struct finding *finding)
{
    switch (finding->error) {
    case ENOENT:
    case ENOTDIR:
        return "there is no such socket";
    case ECONNREFUSED:
        return finding->path ? "the socket is there, but nobody listens on it" : "nobody listens there";
    case ETIMEDOUT:
        return "there was no answer";
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
        return "no network leads there";
    case EAGAIN:
        return "it has more connections waiting than it takes";
    case EACCES:
    case EPERM:
        return "a rule of this system forbids it";
    default:
        return strerror(finding->error);
    }
}

/* Which variable names the server: by the path, by the address, or, of X, by the display's number. */
static bool names(const struct finding *finding, const struct variable *variable)
{
    const char *address = service_address(finding->server);
    unsigned port = service_port(finding->server);
    CLEANUP_FREE char *service = connection_service(finding->server);
    bool x11 = service[0] == ':' && atoi(service + 1) >= 6000 && atoi(service + 1) < 6064;
    bool named = false;
    struct strings paths;

    if (x11 && variable_is(variable, "DISPLAY"))
        return true;
    if (port || *address == '@')
        return words_word(variable->value, address, strlen(address)) != NULL;
    variable_paths(variable->value, NULL, &paths);
    for (size_t i = 0; i < paths.n; i++) {
        enum variable_fit fit = variable_fit(paths.v[i], address);

        named |= fit == FIT_EXACT || (fit == FIT_BENEATH && strncmp(variable->entry, "XDG_RUNTIME_DIR", 15) == 0);
    }
    strings_deinit(&paths);
    return named;
}

static void tell_variable(const struct finding *finding, struct cause *cause)
{
    for (size_t i = 0; i < finding->process->env.n; i++) {
        struct variable variable;

        if (variable_of(finding->process->env.v[i], &variable) && names(finding, &variable))
            cause_fact(cause, "named by", "%s", variable.entry);
    }
}

static void tell_remedies(const struct finding *finding, const struct service_kind *kind, struct cause *cause)
{
    struct remedy *remedy;

    if (kind && kind->start) {
        remedy = cause_remedy(cause, PROOF_KNOWN, "%s", kind->start);
        if (kind->command)
            strings_addf(&remedy->commands, "%s", kind->command);
    } else {
        cause_remedy(cause, PROOF_KNOWN, "start what is to listen at %s, before %s is started", finding->missing,
                     path_base(finding->subject));
    }
    cause_remedy(cause, PROOF_KNOWN, "or tell %s where it listens, if that is elsewhere", path_base(finding->subject));
}

/* Only within this machine: a reproduction sends nothing to anybody's network. */
static void tell_scenario(const struct finding *finding, struct cause *cause)
{
    bool local = strncmp(finding->server, "unix:", 5) == 0 || strncmp(finding->server, "127.", 4) == 0 ||
                 strncmp(finding->server, "[::1]", 5) == 0;

    if (!local || (finding->error != ENOENT && finding->error != ECONNREFUSED && finding->error != ENOTDIR))
        return;
    cause->scenario = scenario_create(SCENARIO_CONNECT);
    scenario_object(cause->scenario, path_base(finding->subject));
    cause->scenario->error = finding->error == ECONNREFUSED ? ECONNREFUSED : ENOENT;
    cause->scenario->address =
        finding->path ? xasprintf("unix:data/%s", path_base(finding->path)) : xstrdup(finding->server);
}

void cause_connect_tell(const struct finding *finding, struct cause *cause)
{
    const struct service_kind *kind = service_of(finding->server);
    const char *subject = path_base(finding->subject);
    struct stat st;

    if (kind)
        cause->summary =
            xasprintf("%s could not reach %s at %s: %s.", subject, kind->name, finding->missing, why(finding));
    else
        cause->summary = xasprintf("%s could not reach a server at %s: %s.", subject, finding->missing, why(finding));
    cause_fact(cause, "it needs", "%s", finding->missing);
    tell_variable(finding, cause);
    if (finding->path && finding->walk && finding->walk->nearest && finding->walk->reason != PATH_OK)
        cause_fact(cause, "up to", "%s   the path exists", finding->walk->nearest);
    if (finding->path && path_stat(finding->process->root, finding->path, &st) == 0)
        cause_fact(cause, "it gets", "%s   %s, mode %04o, owner %u", finding->path,
                   S_ISSOCK(st.st_mode) ? "a socket" : "no socket", (unsigned)st.st_mode & 07777, (unsigned)st.st_uid);
    cause->detail = xasprintf("connect(2) to %s failed (%s), and on no other way was the server reached.",
                              finding->missing, strerror(finding->error));
    tell_remedies(finding, kind, cause);
    tell_scenario(finding, cause);
}
