/* Packages that were downloaded already become a root: dpkg-deb(1) unpacks them, without any of their scripts, into a
 * scratch directory, which goes when the copy is made. */
#include "repro_run.h"
#include "sandbox.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <errno.h>
#include <string.h>

static int unpack_one(char *tool, char *package, char *directory, struct err *err)
{
    CLEANUP_FREE char *whole = realpath(package, NULL); /* no option, whatever it is called */
    char said[SANDBOX_SAID], extract[] = "-x";
    char *const argv[] = {tool, extract, whole, directory, NULL};

    if (!whole)
        return err_errno(err, errno, "%s", package);

    if (sandbox_run_tool(argv, said) != 0)
        return err_set(err, "%s cannot be unpacked: %s", package, *said ? said : "dpkg-deb ended without a word");
    return 0;
}

int sandbox_unpack(struct sandbox *sandbox, const struct strings *packages, struct err *err)
{
    CLEANUP_FREE char *tool = sandbox_find_tool("dpkg-deb");

    if (!tool)
        return err_set(err,
                       "the program dpkg-deb is needed to unpack %s, and is not on PATH (package dpkg): unpack it "
                       "and give the directory",
                       packages->v[0]);
    sandbox->scratch = repro_scratch_make(err);
    if (!sandbox->scratch)
        return -1;
    for (size_t i = 0; i < packages->n; i++)
        if (unpack_one(tool, packages->v[i], sandbox->scratch, err) < 0)
            return -1;
    return 0;
}

char *sandbox_find_tool(const char *name)
{
    const char *path = getenv("PATH");

    return path_program(path ? path : "/usr/bin:/bin", name);
}
