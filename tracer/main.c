/* glibctrace: says why a program on GNU/Linux does not start, and proves it. */
#include "commands.h"

#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    int (*run)(const struct options *options, struct err *err);
};

static const struct command commands[] = {
    {"--", cmd_launch},
    {"-p", cmd_attach},
};

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

/* Words of the contract whose work is not done in this version: refused by name, so that nobody takes them for
 * commands. */
static bool planned(const char *word)
{
    static const char *const words[] = {"explain", "repro",    "diff",   "check",  "libc",   "matrix",
                                        "sandbox", "rollback", "verify", "doctor", "bundle", "help"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (!strcmp(words[i], word))
            return true;
    return false;
}

static const struct command *choose(const struct options *options, struct err *err)
{
    if (options->pid_count && options->rest_count)
        err_set(err, "-p PID and a command exclude each other");
    else if (options->pid_count)
        return find("-p");
    else if (options->command && options->rest_count)
        return find("--");
    else if (!options->rest_count)
        err_set(err, "nothing to do: glibctrace [OPTION]... -- COMMAND [ARG]... (see glibctrace --help)");
    else if (find(options->rest[0]))
        return find(options->rest[0]);
    else if (planned(options->rest[0]))
        err_set(err, "the subcommand %s is not in this version yet; to run a command of that name: glibctrace -- %s",
                options->rest[0], options->rest[0]);
    else
        err_set(err, "%s is no subcommand; to run it as a command: glibctrace -- %s", options->rest[0],
                options->rest[0]);
    return NULL;
}

int main(int argc, char **argv)
{
    struct options options;
    struct err err = {{0}};
    int status = options_parse(argc, argv, &options, &err);

    if (status >= 0) {
        const struct command *command = choose(&options, &err);

        status = command ? command->run(&options, &err) : -1;
    }
    /* A subcommand that fails says so with 2 (contract.md section 1). */
    int failure = !options.command && options.rest_count && planned(options.rest[0]) ? 2 : STATUS_OURS;

    if (status < 0)
        fprintf(stderr, "glibctrace: %s\n", err.text);
    options_deinit(&options);
    return status < 0 ? failure : status;
}
