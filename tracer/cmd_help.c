/* glibctrace help [TOPIC]: what a word of the command line or of a report means. */
#include "commands.h"

#include <probes/alloc.h>

#include <errno.h>
#include <string.h>

struct topic {
    const char *name, *purpose;
    void (*tell)(void);
};

static void tell_kinds(void)
{
    puts(
        "A report names what is wrong by one of these kinds, which stay the same from version to version; \"missing\"\n"
        "is what is not there, spelled as in the second line. `glibctrace help KIND` prints one alone.\n");
    for (enum cause_kind kind = 0; kind < CAUSE_KIND_COUNT; kind++)
        printf("  %s\n      %s\n      missing: %s\n", cause_kind_name(kind), cause_kind_wrong(kind),
               cause_kind_missing(kind));
    puts("\n\"fatal\": a process ended because of it; \"degraded\": it went on without. A failed call that a program "
         "copes\n"
         "with is no cause.");
}

/* The subcommand has the same name. */
static void tell_bundle(void)
{
    puts(
        "glibctrace -o case.tar.zst -- COMMAND makes one file that holds everything about a failure:\n"
        "\n"
        "  report.json, .txt, .html   the report: for programs, to be read, for a browser\n"
        "  trace.jsonl                every event, one JSON object a line, in the order in which they were seen\n"
        "  system.json                the system that it was seen on\n"
        "  repro/                     the failure in miniature: repro.sh shows it, control.sh is the same with the\n"
        "                             cause mended; they need a POSIX shell, and no glibctrace\n"
        "\n"
        "report.txt lists every file in it. Before it is given to anybody:  glibctrace bundle --list case.tar.zst\n"
        "\n"
        "To work with one:\n"
        "  glibctrace repro case.tar.zst              does it still fail like that, here?\n"
        "  glibctrace explain case.tar.zst            the report again, from its log alone\n"
        "  glibctrace diff good.tar.zst bad.tar.zst   what differs between two runs, or two machines\n"
        "\n"
        "Reading a bundle writes nothing outside of a folder made for it; one that holds a path which leads out of it\n"
        "(\"..\", an absolute one, a link), a device, a name twice or too much is refused, and the name told.");
}

static void tell_redaction(void)
{
    puts("Reports and bundles are redacted unless --no-redact is given. Replaced are, by the same word everywhere:\n"
         "\n"
         "  the home directory                      $HOME\n"
         "  user and host names                     user1, host1\n"
         "  what looks like a secret                [redacted]\n"
         "\n"
         "A secret is known by the name of its variable or option (TOKEN, KEY, SECRET, PASSWORD, COOKIE, AUTH and "
         "their\n"
         "like) or by its shape (formats of keys, long random text). System paths, names of libraries, versions and\n"
         "symbols are kept: they are what a report is about. The report says how often each was replaced, and\n"
         "`glibctrace bundle --list FILE` in which files the words stand that took their places.");
}

static void tell_status(void)
{
    puts("A command that is run (--): its own status, or 128+N where signal N ended it. Where there is none:\n"
         "\n"
         "  125   glibctrace itself failed\n"
         "  126   the command could not be executed\n"
         "  127   the command was not found\n"
         "\n"
         "The subcommands:\n"
         "\n"
         "  0     nothing wrong was found\n"
         "  1     a cause was found; repro: the failure no longer appears; diff: they differ\n"
         "  2     bad usage, or input that cannot be read");
}

static const struct topic topics[] = {
    {"kinds", "the kinds of cause that a report knows", tell_kinds},
    {"bundle", "what is in a bundle, and what can be done with one", tell_bundle},
    {"redaction", "what is replaced in a report before anybody sees it", tell_redaction},
    {"exit-status", "what the exit statuses mean", tell_status},
};

static void tell_all(void)
{
    puts("glibctrace [OPTION]... -- COMMAND [ARG]...   run COMMAND and say why it failed (glibctrace --help)\n"
         "glibctrace [OPTION]... -p PID                attach to a process\n"
         "\n"
         "Subcommands (glibctrace help NAME):");
    for (size_t i = 0; commands[i]; i++)
        if (commands[i]->usage)
            printf("  %-12s %s\n", commands[i]->name, commands[i]->usage->purpose);
    puts("\nTopics (glibctrace help TOPIC):");
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        printf("  %-12s %s\n", topics[i].name, topics[i].purpose);
    puts("  KIND         one kind of cause, by its name");
}

static bool tell_topic(const char *name)
{
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        if (!strcmp(topics[i].name, name)) {
            topics[i].tell();
            return true;
        }
    return false;
}

static bool tell_command(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (commands[i]->usage && !strcmp(commands[i]->name, name)) {
            options_help(commands[i]->usage);
            return true;
        }
    return false;
}

static bool tell_kind(const char *name)
{
    int kind = cause_kind_value(name);

    if (kind >= 0)
        printf("%s\n    %s\n    missing: %s\n", name, cause_kind_wrong((enum cause_kind)kind),
               cause_kind_missing((enum cause_kind)kind));
    return kind >= 0;
}

static int cmd_help(const struct options *options, struct err *err)
{
    const char *name = options->rest_count ? options->rest[0] : NULL;
    bool found = true;

    if (!name)
        tell_all();
    else
        found = tell_topic(name) || tell_command(name) || tell_kind(name);
    if (!found)
        return err_set(err, "help: there is no topic %s; glibctrace help lists those that there are", name);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : err_errno(err, errno, "standard output cannot be written");
}

static const char *const takes[] = {NULL};
static const struct usage usage = {
    .name = "help",
    .arguments = "[TOPIC]",
    .purpose = "this list, or what is known of a topic",
    .about =
        "Prints what is known of TOPIC: a subcommand, a kind of cause, or one of the topics that it lists without.",
    .takes = takes,
    .most = 1,
};
const struct command command_help = {"help", &usage, cmd_help};
