/* DIR/run: the variables of the C library's data, and the way round where DIR was moved. */
#include "sandbox.h"

#include <probes/alloc.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static bool has_below(const struct sandbox *sandbox, const char *directory)
{
    size_t n = strlen(directory);

    for (size_t i = 0; i < sandbox->count; i++)
        if (strncmp(sandbox->files[i].to, directory, n) == 0 && sandbox->files[i].to[n] == '/')
            return true;
    return false;
}

void sandbox_variables(const struct sandbox *sandbox, struct strings *ret)
{
    if (has_below(sandbox, "lib/gconv") && !sandbox->own_conversions)
        strings_addf(ret, "GCONV_PATH=%s/lib/gconv", sandbox->dir);
}

/* TEXT between apostrophes, for sh. */
static void put_quoted(const char *text, FILE *out)
{
    fputc('\'', out);
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", out);
        else
            fputc(*text, out);
    fputc('\'', out);
}

const char *sandbox_only_program(const struct sandbox *sandbox)
{
    const char *only = NULL;

    for (size_t i = 0; i < sandbox->count; i++)
        if (sandbox->files[i].what == SANDBOX_PROGRAM) {
            if (only)
                return NULL;
            only = sandbox->files[i].to;
        }
    return only;
}

/* With LOCPATH, locale-archive is not looked at (_nl_find_locale of locale/findlocale.c): only where the locale that is
 * asked for is here. */
static const char locale_part[] = "locale=${LC_ALL:-${LC_CTYPE:-${LANG:-C}}}\n"
                                  "if [ -z \"${LOCPATH-}\" ]; then\n"
                                  "    for name in \"$locale\" \"${locale%%.*}.utf8\"; do\n"
                                  "        if [ -e \"$here/lib/locale/$name/LC_CTYPE\" ]; then\n"
                                  "            LOCPATH=$here/lib/locale\n"
                                  "            export LOCPATH\n"
                                  "        fi\n"
                                  "    done\n"
                                  "fi\n";

static void put_conversions(const struct sandbox *sandbox, FILE *out)
{
    fputs("if [ -z \"${GCONV_PATH-}\" ]", out);
    if (sandbox->own_conversions) { /* its libc.so.6 finds them, at that place */
        fputs(" && [ \"$here\" != ", out);
        put_quoted(sandbox->dir, out);
        fputs(" ]", out);
    }
    fputs("; then\n    GCONV_PATH=$here/lib/gconv\n    export GCONV_PATH\nfi\n", out);
}

static void put_script(const struct sandbox *sandbox, FILE *out)
{
    const char *only = sandbox_only_program(sandbox);

    fputs("#!/bin/sh\n"
          "# Made by glibctrace sandbox. ",
          out);
    fputs(only ? "Usage: run [ARG]...\n" : "Usage: run PROGRAM [ARG]..., PROGRAM being a path in this directory\n",
          out);
    fputs("self=$(readlink -f -- \"$0\" 2>/dev/null) || self=$0\n" /* a link to it may stand anywhere */
          "case $self in\n    */*) ;;\n    *) self=./$self ;;\nesac\n"
          "here=$(CDPATH= cd -- \"${self%/*}/\" && pwd -P) || exit 127\n",
          out);
    if (only) {
        fputs("program=", out);
        put_quoted(only, out);
        fputc('\n', out);
    } else
        fputs("[ $# -gt 0 ] || {\n    echo \"usage: $0 PROGRAM [ARG]...\" >&2\n    exit 2\n}\nprogram=$1\nshift\n",
              out);
    if (has_below(sandbox, "lib/gconv"))
        put_conversions(sandbox, out);
    if (has_below(sandbox, "lib/locale"))
        fputs(locale_part, out);
    fputs("loader=", out);
    put_quoted(sandbox->libc.name, out);
    fputs("\n# The kernel takes the interpreter's path as it stands in the program.\nif [ \"$here\" = ", out);
    put_quoted(sandbox->dir, out);
    fputs(" ]; then\n    exec \"$here/$program\" \"$@\"\nfi\n"
          "# The directory was moved. What the program starts by its own path (/proc/self/exe) is the loader then.\n"
          "exec \"$here/lib/$loader\" --library-path \"$here/lib\" \"$here/$program\" \"$@\"\n",
          out);
}

int sandbox_launcher(const struct sandbox *sandbox, struct err *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/run", sandbox->dir);
    FILE *out = fopen(path, "wxe");

    if (!out)
        return err_errno(err, errno, "%s", path);
    put_script(sandbox, out);
    if (ferror(out) | fclose(out) || chmod(path, 0755) < 0)
        return err_errno(err, errno, "%s", path);
    return 0;
}
