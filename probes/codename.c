#include "codename.h"

#include "alloc.h"

#include <ctype.h>
#include <string.h>

bool codename_plainer(const char *a, const char *b)
{
    size_t bars_a = strspn(a, "_"), bars_b = strspn(b, "_"), length_a = strlen(a), length_b = strlen(b);

    if (bars_a != bars_b)
        return bars_a < bars_b;
    return length_a != length_b ? length_a < length_b : strcmp(a, b) < 0;
}

/* How much of NAME stands before the first suffix of a compiler's own. */
static size_t without_suffix(const char *name)
{
    static const char *const suffixes[] = {".cold", ".part.", ".isra.", ".constprop.", ".lto_priv.", ".llvm."};
    size_t length = strcspn(name, "@") ? strcspn(name, "@") : strlen(name); /* "dlopen@@GLIBC_2.34" */

    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        const char *at = strstr(name, suffixes[i]);

        if (at && at > name && (size_t)(at - name) < length)
            length = (size_t)(at - name);
    }
    return length;
}

/* Reads "6Module" of the Itanium C++ ABI's <source-name> at *AT, up to END: its identifier and length, or NULL. */
static const char *source_name(const char **at, const char *end, size_t *length)
{
    const char *s = *at;
    size_t n = 0;

    while (s < end && isdigit((unsigned char)*s) && n < 100000)
        n = n * 10 + (size_t)(*s++ - '0');
    if (s == *at || !n || n > (size_t)(end - s))
        return NULL;
    *at = s + n;
    *length = n;
    return s;
}

/* "_ZN4node6Module4loadEPKc" → "node::Module::load"; "_Z4loadi" → "load". NULL for anything with templates, operators
 * or substitutions in its name. Itanium C++ ABI, 5.1.2 to 5.1.3. */
static char *nested_name(const char *name, const char *end)
{
    bool nested = name[2] == 'N';
    const char *at = name + 2 + nested, *last = NULL, *id;
    size_t length, last_length = 0, n = 0;
    CLEANUP_FREE char *ret = xcalloc(1, (size_t)(end - name) * 4 + 1);

    while (nested && at < end && strchr("rVKRO", *at)) /* of the object that a member is called for */
        at++;
    while (at < end && (isdigit((unsigned char)*at) || (*at == 'L' && end - at > 1 && isdigit((unsigned char)at[1])))) {
        at += *at == 'L'; /* internal linkage */
        id = source_name(&at, end, &length);
        if (!id || n + length + 2 > (size_t)(end - name) * 2)
            return NULL;
        if (length > 10 && !strncmp(id, "_GLOBAL__N", 10)) {
            id = "(anonymous namespace)";
            length = strlen(id);
        }
        n += (size_t)snprintf(ret + n, (size_t)(end - name) * 4 + 1 - n, "%s%.*s", n ? "::" : "", (int)length, id);
        last = id;
        last_length = length;
        if (!nested)
            return steal_pointer(&ret);
    }
    if (nested && last && end - at >= 2 && (*at == 'C' || *at == 'D') && isdigit((unsigned char)at[1])) {
        n += (size_t)snprintf(ret + n, (size_t)(end - name) * 4 + 1 - n, "::%s%.*s", *at == 'D' ? "~" : "",
                              (int)last_length, last);
        at += 2;
    }
    return nested && last && at < end && *at == 'E' ? steal_pointer(&ret) : NULL;
}

char *codename_shown(const char *name)
{
    size_t length = without_suffix(name);
    char *cxx = length > 3 && !strncmp(name, "_Z", 2) ? nested_name(name, name + length) : NULL;

    return cxx ? cxx : xstrndup(name, length);
}
