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
