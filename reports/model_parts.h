/* What the parts of the model (model.c, episode.c, words.c) ask of each other; nobody else includes this. */
#ifndef GLIBCTRACE_REPORTS_MODEL_PARTS_H
#define GLIBCTRACE_REPORTS_MODEL_PARTS_H

#include "model.h"

/* A file call of PROCESS that has a path: an attempt that failed, or one that ends an episode well. */
void model_file_call(struct process *process, const struct event *event);
void model_forget_episodes(struct process *process);
void model_output(struct process *process, const struct event *event);
/* What was written without a newline at its end becomes a line. */
void model_flush_output(struct process *process);

#endif
