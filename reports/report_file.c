/* report.json from a file. */
#include "report.h"

#include <probes/alloc.h>

#include <errno.h>

enum { REPORT_MAX = 64 << 20 /* bytes of a report.json that is read back; ours are some KB */ };

int report_json_load(const char *file, struct report **ret, struct err *err)
{
    CLEANUP_FCLOSE FILE *in = fopen(file, "re");
    CLEANUP_FREE char *data = NULL;
    size_t size = 0, cap = 1 << 16, n;

    if (!in)
        return err_errno(err, errno, "%s", file);
    data = xmalloc(cap);
    while ((n = fread(data + size, 1, cap - size, in)) > 0) {
        size += n;
        if (size > REPORT_MAX)
            return err_set(err, "%s: more than %d MB, too large for a report", file, REPORT_MAX >> 20);
        if (size == cap)
            data = xrealloc(data, cap *= 2);
    }
    if (ferror(in))
        return err_errno(err, errno, "%s: cannot be read", file);
    return report_json_parse(data, size, file, ret, err);
}
