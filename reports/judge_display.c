/* Graphical programs that were to open a display, and no variable says which: DISPLAY is not set, or empty.
 *
 * Nothing fails then that could be seen: XOpenDisplay(3) gives up before it calls anything. The words say it. */
#include "environment.h"

#include <string.h>

#include <probes/alloc.h>

static const char unset[] = "DISPLAY=";

/* The words of Xlib's clients, the toolkits, Tk, SDL, GLFW, Electron; "display" alone is what many programs do. */
static bool wants_display(const char *line)
{
    static const char *const words[] = {"open display",       "open X display",
                                        "open X11 display",   "open the display",
                                        "to display",         "no display",
                                        "$DISPLAY",           "DISPLAY environment variable",
                                        "DISPLAY is not set", "DISPLAY variable",
                                        "X server",           "X11 server",
                                        "find display",       "available video device",
                                        "DISPLAY not set"};

    for (size_t i = 0; words_object(line) && i < sizeof words / sizeof *words; i++)
        if (strcasestr(line, words[i]))
            return !words_warn(line);
    return false;
}

/* It was told of one otherwise ("-display :1"). */
static bool told_otherwise(const struct process *process)
{
    for (size_t i = 1; i < process->argv.n; i++)
        if (process->argv.v[i][0] == '-' && strstr(process->argv.v[i], "display"))
            return true;
    return false;
}

static const struct output_line *line_that_wants(const struct process *process)
{
    for (size_t i = process->line_count; i-- > 0;)
        if (process->lines[i].n >= process->exec_n && wants_display(process->lines[i].text))
            return &process->lines[i];
    return NULL;
}

void judge_display(struct process *process)
{
    const char *display = process_env(process, "DISPLAY"), *wayland = process_env(process, "WAYLAND_DISPLAY");
    struct lead lead = {{unset, sizeof unset - 2, unset + sizeof unset - 1}, NULL, LEAD_UNSET};
    struct finding finding = {
        .kind = CAUSE_ENVIRONMENT_WRONG, .process = process, .subject = process->exe, .missing = unset, .lead = &lead};
    const struct output_line *line;
    struct suspect *suspect;

    if ((display && *display) || (wayland && *wayland) || !process->exe || told_otherwise(process) ||
        process_env_unknown(process, "DISPLAY") || process_env_unknown(process, "WAYLAND_DISPLAY"))
        return;
    line = line_that_wants(process);
    suspect = line ? suspect_add(process, AT_VARIABLE, &finding, line->n, process->end_ns) : NULL;
    if (!suspect)
        return;
    suspect->sure = suspect->cause->confidence = 0.88;
    suspect->said_n = line->n;
    suspect->cause->impact = IMPACT_FATAL;
    suspect->cause->words = xstrdup(line->text);
}
