#include "line_loader.h"

#include <dlfcn.h>
#include <string.h>

static const char red[] = "\033[31m", bold[] = "\033[1m", plain[] = "\033[0m";

void line_clean_add(struct text *out, const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            text_addf(out, "\\%03o", (unsigned char)*s);
        else
            text_addc(out, *s);
}

static void add_coloured(struct text *out, const char *escape, bool colour, const char *s)
{
    text_add(out, colour ? escape : "");
    line_clean_add(out, s);
    text_add(out, colour ? plain : "");
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

/* Whatever the conversion, its argument comes as a string. */
static void add_format(struct text *out, const struct event_loader *loader)
{
    size_t next = 0, count = sizeof loader->args / sizeof loader->args[0];

    for (const char *s = loader->format; *s; s++) {
        if (s[0] == '%' && s[1] == 's' && next < count) {
            line_clean_add(out, loader->args[next] ? loader->args[next] : "");
            next++;
            s++;
        } else if (s[0] == '%' && s[1] == '%') {
            text_addc(out, '%');
            s++;
        } else if (*s != '\n') {
            line_clean_add(out, (const char[]){*s, '\0'});
        }
    }
}

static void add_error(const struct event_loader *loader, bool colour, struct text *out)
{
    text_add(out, "ld.so: ");
    if (loader->occasion && loader->occasion[0]) {
        line_clean_add(out, loader->occasion);
        text_add(out, ": ");
    }
    if (loader->object && loader->object[0]) {
        add_coloured(out, bold, colour, loader->object);
        text_add(out, ": ");
    }
    text_add(out, colour ? red : "");
    if (loader->format)
        add_format(out, loader);
    if (loader->error)
        text_addf(out, ": %s", strerror(loader->error));
    text_add(out, colour ? plain : "");
}

static void add_string(struct text *out, const char *s)
{
    if (s)
        text_quote(out, s, strlen(s));
    else
        text_add(out, "NULL");
}

/* dlopen(3); the values are the same in glibc and musl. */
static void add_flags(struct text *out, uint64_t flags)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } names[] = {{RTLD_NOLOAD, "RTLD_NOLOAD"},
                 {RTLD_DEEPBIND, "RTLD_DEEPBIND"},
                 {RTLD_GLOBAL, "RTLD_GLOBAL"},
                 {RTLD_NODELETE, "RTLD_NODELETE"}};
    uint64_t rest = flags & ~(uint64_t)(RTLD_LAZY | RTLD_NOW);

    if (flags & RTLD_NOW)
        text_add(out, "RTLD_NOW");
    else
        text_add(out, flags & RTLD_LAZY ? "RTLD_LAZY" : "0");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (rest & names[i].bit) {
            text_addf(out, "|%s", names[i].name);
            rest &= ~names[i].bit;
        }
    if (rest)
        text_addf(out, "|%#llx", (unsigned long long)rest);
}

static void add_handle(struct text *out, uint64_t handle)
{
    if (handle == (uint64_t)(uintptr_t)RTLD_DEFAULT)
        text_add(out, "RTLD_DEFAULT");
    else if (handle == (uint64_t)(uintptr_t)RTLD_NEXT)
        text_add(out, "RTLD_NEXT");
    else
        text_addf(out, "%#llx", (unsigned long long)handle);
}

/* A namespace's number is 0 for the program's own, and -1 for one that is to be made (dlmopen(3)). */
static void add_namespace(struct text *out, int64_t number)
{
    if (number == LM_ID_BASE)
        text_add(out, "LM_ID_BASE");
    else if (number == LM_ID_NEWLM)
        text_add(out, "LM_ID_NEWLM");
    else
        text_addf(out, "%lld", (long long)number);
}

static void add_call(const struct event_loader *call, bool colour, struct text *out)
{
    bool opens = strcmp(call->name, "dlopen") == 0, opens_apart = strcmp(call->name, "dlmopen") == 0;
    bool closes = strcmp(call->name, "dlclose") == 0, bad = closes ? call->ret != 0 : call->ret == 0;

    if (call->object) {
        line_clean_add(out, file_name(call->object));
        text_add(out, " → ");
    }
    text_addf(out, "%s(", call->name);
    if (opens_apart) {
        add_namespace(out, (int64_t)call->handle);
        text_add(out, ", ");
    }
    if (opens || opens_apart) {
        add_string(out, call->file);
        text_add(out, ", ");
        add_flags(out, call->flags);
    } else {
        add_handle(out, call->handle);
    }
    if (call->symbol) {
        text_add(out, ", ");
        add_string(out, call->symbol);
    }
    if (call->version) {
        text_add(out, ", ");
        add_string(out, call->version);
    }
    text_addf(out, ") = %s", bad && colour ? red : "");
    if (closes)
        text_addf(out, "%d", (int)(uint32_t)call->ret);
    else if (call->ret)
        text_addf(out, "%#llx", (unsigned long long)call->ret);
    else
        text_add(out, "NULL");
    text_add(out, bad && colour ? plain : "");
}

/* Why it is there, as far as that is known. */
static void add_reason(const struct event_loader *object, struct text *out)
{
    static const char *const reasons[] = {
        [REASON_PROGRAM] = "the program", [REASON_LOADER] = "the loader", [REASON_VDSO] = "the kernel's",
        [REASON_PRELOADED] = "preloaded", [REASON_NEEDED] = "needed",     [REASON_DLOPENED] = "dlopened",
    };
    const char *reason = reasons[object->reason];

    if (!reason)
        return;
    text_addf(out, " (%s", reason);
    if (object->by) {
        text_add(out, " by ");
        line_clean_add(out, object->by);
    }
    if (object->reason == REASON_DLOPENED && object->flags) {
        text_add(out, " with ");
        add_flags(out, object->flags);
    }
    if (object->space)
        text_addf(out, ", in namespace %u", object->space);
    text_addc(out, ')');
}

static void add_object(const struct event_loader *object, bool colour, struct text *out)
{
    text_add(out, object->what == LOADER_LOADED ? "+ " : "- ");
    add_coloured(out, bold, colour, object->object ? object->object : "?");
    if (object->what == LOADER_LOADED && object->reason != REASON_UNKNOWN)
        add_reason(object, out);
    else if (object->space)
        text_addf(out, " (in namespace %u)", object->space);
}

void line_loader_add(const struct event_loader *loader, bool colour, struct text *out)
{
    switch (loader->what) {
    case LOADER_ERROR:
        add_error(loader, colour, out);
        break;
    case LOADER_CALL:
        if (loader->name)
            add_call(loader, colour, out);
        break;
    case LOADER_LOADED:
    case LOADER_UNLOADED:
        add_object(loader, colour, out);
        break;
    }
}

void line_lookup_add(const struct event_lookup *lookup, bool colour, struct text *out)
{
    if (lookup->from)
        line_clean_add(out, file_name(lookup->from));
    text_add(out, " → ");
    line_clean_add(out, lookup->symbol ? lookup->symbol : "");
    if (lookup->version && lookup->version[0]) {
        text_addc(out, '@');
        line_clean_add(out, lookup->version);
    }
    text_add(out, " = ");
    if (lookup->to)
        line_clean_add(out, file_name(lookup->to));
    else
        add_coloured(out, red, colour, "none");
    if (!lookup->to && lookup->instead) {
        text_add(out, ": ");
        line_clean_add(out, lookup->instead);
    }
}
