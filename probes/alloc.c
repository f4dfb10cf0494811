#include "alloc.h"

#include <stdint.h>
#include <string.h>

_Noreturn void alloc_failed(void)
{
    static const char words[] = "glibctrace: out of memory; a launched program is ended, an attached one goes on\n";

    if (write(STDERR_FILENO, words, sizeof words - 1) < 0) { /* nothing more can be done about it */
    }
    _exit(125);
}

static void *checked(void *p)
{
    if (!p)
        alloc_failed();
    return p;
}

void *xmalloc(size_t size)
{
    return checked(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
    return checked(realloc(p, size ? size : 1));
}

void *xreallocarray(void *p, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        alloc_failed();
    return xrealloc(p, count * size);
}

char *xstrdup(const char *s)
{
    return checked(strdup(s));
}

char *xstrdup_or_null(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
    return checked(strndup(s, n));
}

void *xmemdup(const void *p, size_t n)
{
    void *copy = xmalloc(n);

    if (n)
        memcpy(copy, p, n);
    return copy;
}

char *xvasprintf(const char *format, va_list ap)
{
    char *s;

    if (vasprintf(&s, format, ap) < 0)
        alloc_failed();
    return s;
}

char *xasprintf(const char *format, ...)
{
    va_list ap;
    char *s;

    va_start(ap, format);
    s = xvasprintf(format, ap);
    va_end(ap);
    return s;
}

void *array_add(void *array_pointer, size_t *count, size_t *capacity, size_t element_size)
{
    void **array = array_pointer;
    void *element;

    if (*count == *capacity) {
        *capacity = *capacity ? *capacity * 2 : 8;
        *array = xreallocarray(*array, *capacity, element_size);
    }
    element = (char *)*array + (*count)++ * element_size;
    memset(element, 0, element_size);
    return element;
}
