#include "outlets.h"

#include <reports/judge.h>
#include <reports/line.h>

#include <stdlib.h>
#include <unistd.h>

bool outlets_colour(const struct options *options)
{
    const char *no = getenv("NO_COLOR"); /* no-color.org: set and not empty */

    if (options->colour == COLOUR_AUTO)
        return isatty(STDERR_FILENO) && !(no && *no);
    return options->colour == COLOUR_ALWAYS;
}

static struct model *judged_model(void)
{
    struct model *model = model_create();

    model->live = true;
    model->at_end = judge_process;
    model->at_exec = judge_exec_over;
    return model;
}

int outlets_open(const struct options *options, struct outlets *ret, struct err *err)
{
    unsigned set;

    *ret = (struct outlets){.model = judged_model()};
    ret->sinks[ret->count++] = (struct sink){model_event, ret->model};
    if (!options->live)
        return 0;
    if (line_set_parse(options->live_set, &set, err) < 0)
        return -1;
    ret->view = line_view_create(stderr, set, outlets_colour(options), &ret->sinks[ret->count]);
    ret->count++;
    return 0;
}

void outlets_close(struct outlets *outlets)
{
    if (outlets->view)
        line_view_destroy(outlets->view);
    model_destroy(outlets->model);
    elffile_forget_all();
}
