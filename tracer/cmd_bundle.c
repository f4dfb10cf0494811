/* glibctrace bundle --list FILE: what a bundle holds, to be read before it is given to anybody. */
#include "commands.h"

#include <reports/bundle.h>

#include <errno.h>

static int cmd_bundle(const struct options *options, struct err *err)
{
    if (!options->list)
        return err_set(err, "bundle: nothing to do; what %s holds is printed by: glibctrace bundle --list %s",
                       options->rest[0], options->rest[0]);
    if (bundle_list(options->rest[0], stdout, err) < 0)
        return -1;
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : err_errno(err, errno, "standard output cannot be written");
}

static const char *const takes[] = {"list", NULL};
static const struct usage usage = {
    .name = "bundle",
    .arguments = "--list FILE",
    .purpose = "what a bundle holds, and what was replaced in it",
    .about =
        "Prints every file that the bundle FILE (.tar.zst) holds, with its size and what it is for, and everything "
        "that was replaced: what it was, by which word, how often, and in which files that word stands. Nothing is "
        "unpacked.\vThe exit status is 0, or 2 where FILE cannot be read or holds what no bundle may hold.",
    .takes = takes,
    .least = 1,
    .most = 1,
};
const struct command command_bundle = {"bundle", &usage, cmd_bundle};
