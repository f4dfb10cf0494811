#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void put(struct err *err, const char *format, va_list ap)
{
    if (err)
        vsnprintf(err->text, sizeof err->text, format, ap);
}

int err_set(struct err *err, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    put(err, format, ap);
    va_end(ap);
    return -1;
}

int err_errno(struct err *err, int errnum, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    put(err, format, ap);
    va_end(ap);
    if (err) {
        size_t used = strlen(err->text);

        snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(errnum));
    }
    return -1;
}
