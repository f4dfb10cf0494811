#include "page_text.h"

#include "utf8.h"

#include <probes/alloc.h>
#include <probes/path.h>

void page_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

void page_raw(FILE *out, const char *bytes)
{
    CLEANUP_FREE char *plain = utf8_plain(bytes);

    page_escaped(out, plain);
}

void page_element(FILE *out, const char *open, const char *bytes, const char *close)
{
    fputs(open, out);
    page_raw(out, bytes);
    fputs(close, out);
}

void page_path(FILE *out, const char *path)
{
    const char *base = *path == '/' ? path_base(path) : path; /* or words, or an address */
    CLEANUP_FREE char *directory = xstrndup(path, (size_t)(base - path));

    if (*directory)
        page_element(out, "<span class=\"dir\">", directory, "</span>");
    page_element(out, "<b>", base, "</b>");
}
