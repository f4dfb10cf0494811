/* glibctrace: says why a program on GNU/Linux does not start, and proves it. */
#include "commands.h"

#include <stdio.h>
#include <string.h>

const struct command *const commands[] = {
    &command_launch, &command_attach, &command_explain, &command_repro,    &command_diff,
    &command_check,  &command_matrix, &command_libc,    &command_rollback, &command_sandbox,
    &command_verify, &command_doctor, &command_bundle,  &command_help,     NULL,
};

static const struct command *find(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (!strcmp(commands[i]->name, name))
            return commands[i];
    return NULL;
}

static const struct command *choose(const struct options *options, struct err *err)
{
    if (options->pid_count && options->rest_count)
        err_set(err, "-p PID and a command exclude each other");
    else if (options->pid_count && options->minimize)
        err_set(err, "--minimize needs a command: what is attached to cannot be run again");
    else if (options->pid_count)
        return &command_attach;
    else if (options->command && options->rest_count)
        return &command_launch;
    else if (!options->rest_count)
        err_set(err, "nothing to do: glibctrace [OPTION]... -- COMMAND [ARG]... (see glibctrace --help)");
    else if (find(options->rest[0]))
        return find(options->rest[0]);
    else
        err_set(err, "%s is no subcommand; to run it as a command: glibctrace -- %s", options->rest[0],
                options->rest[0]);
    return NULL;
}

static int run(struct options *options, const struct command *command, struct err *err)
{
    if (command->usage && options_parse_rest(options, command->usage, err) < 0)
        return -1;
    return command->run(options, err);
}

int main(int argc, char **argv)
{
    struct options options;
    struct err err = {{0}};
    int status = options_parse(argc, argv, &options, &err), failure = STATUS_OURS;

    if (status >= 0) {
        const struct command *command = choose(&options, &err);

        /* A subcommand that fails says so with 2 (contract.md section 1). */
        if (command && command->usage)
            failure = STATUS_USAGE;
        status = command ? run(&options, command, &err) : -1;
    }
    if (status < 0 && err.text[0])
        fprintf(stderr, "glibctrace: %s\n", err.text);
    options_deinit(&options);
    return status < 0 ? failure : status;
}
