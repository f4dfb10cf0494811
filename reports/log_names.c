#include "log_names.h"

#include <string.h>

static const char *const types[] = {
    [EVENT_SYSCALL] = "syscall", [EVENT_SIGNAL] = "signal", [EVENT_PROCESS] = "process",
    [EVENT_LOADER] = "loader",   [EVENT_LOOKUP] = "lookup", [EVENT_OUTPUT] = "output",
};

static const char *const whats[] = {
    [PROCESS_START] = "start",   [PROCESS_EXEC] = "exec",
    [PROCESS_THREAD] = "thread", [PROCESS_EXITING] = "exiting",
    [PROCESS_EXIT] = "exit",     [PROCESS_DETACHED] = "detached",
    [PROCESS_NOTE] = "note",     [PROCESS_THREAD_EXIT] = "thread-exit",
};

static const char *const bys[] = {[BY_PROGRAM] = "program", [BY_LOADER] = "loader"};

static const char *const loader_whats[] = {
    [LOADER_ERROR] = "error",
    [LOADER_LOADED] = "loaded",
    [LOADER_UNLOADED] = "unloaded",
    [LOADER_CALL] = "call",
};

static const char *const outcomes[] = {
    [LOADER_OPEN] = "open",
    [LOADER_WARNED] = "warned",
    [LOADER_CAUGHT] = "caught",
    [LOADER_FATAL] = "fatal",
};

static const char *const reasons[] = {
    [REASON_PROGRAM] = "program",     [REASON_LOADER] = "loader", [REASON_VDSO] = "vdso",
    [REASON_PRELOADED] = "preloaded", [REASON_NEEDED] = "needed", [REASON_DLOPENED] = "dlopened",
};

static int find(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (names[i] && strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

const char *log_type_name(enum event_type type)
{
    return types[type];
}

const char *log_what_name(enum process_what what)
{
    return whats[what];
}

const char *log_by_name(enum event_by by)
{
    return bys[by];
}

const char *log_loader_name(enum loader_what what)
{
    return loader_whats[what];
}

const char *log_outcome_name(enum loader_outcome outcome)
{
    return outcomes[outcome];
}

const char *log_reason_name(enum object_reason reason)
{
    return reasons[reason];
}

int log_type_value(const char *name)
{
    return find(types, sizeof types / sizeof types[0], name);
}

int log_what_value(const char *name)
{
    return find(whats, sizeof whats / sizeof whats[0], name);
}

int log_by_value(const char *name)
{
    return find(bys, sizeof bys / sizeof bys[0], name);
}

int log_loader_value(const char *name)
{
    return find(loader_whats, sizeof loader_whats / sizeof loader_whats[0], name);
}

int log_outcome_value(const char *name)
{
    return find(outcomes, sizeof outcomes / sizeof outcomes[0], name);
}

int log_reason_value(const char *name)
{
    return find(reasons, sizeof reasons / sizeof reasons[0], name);
}
