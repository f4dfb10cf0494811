/* What the parts of the model (model.c, model_prune.c, episode.c, failure.c, words.c, model_loader.c, model_objects.c)
 * ask of each other; nobody else includes this. */
#ifndef GLIBCTRACE_REPORTS_MODEL_PARTS_H
#define GLIBCTRACE_REPORTS_MODEL_PARTS_H

#include "model.h"

/* model_prune.c: where there are too many processes some that have ended are forgotten. */
void model_prune(struct model *model);
void process_free(struct model *model, struct process *process);
/* A file call of PROCESS that has a path: an attempt that failed, or one that ends an episode well. */
void model_file_call(struct process *process, const struct event *event);
void model_forget_episodes(struct process *process);
/* A call of PROCESS that has returned: a failure, or one that ends a failure well. */
void model_call(const struct model *model, struct process *process, const struct event *event);
/* A call on a socket. */
void model_connection(struct model *model, struct process *process, const struct event *event);
void model_forget_sockets(struct process *process);
void model_forget_failures(struct process *process);
/* An error of the loader, or a call of its that failed. */
void model_loader(struct process *process, const struct event *event);
void model_forget_loader(struct process *process);
/* The stack that comes with an event, kept until the process ends or many newer ones have come. */
void model_shot(struct model *model, struct process *process, const struct event *event);
void model_forget_shots(struct model *model, struct process *process);
/* An object has come into PROCESS's link map, or left it. */
void model_object(struct process *process, const struct event *event);
/* IMAGE is about to take the place of PROCESS's: notes which variables the old one put into the environment. */
void model_variables(struct process *process, const struct image *image);
void model_forget_objects(struct process *process);
/* NOWHERE: it was written to /dev/null. */
void model_output(struct process *process, const struct event *event, bool nowhere);
/* What a child said that runs its parent's image (a shell's fork) counts as the image's own words. */
void model_inherit_words(struct process *owner, const struct process *child);
/* A line that PROCESS wrote to descriptor 2: one of a runtime's last words, perhaps. */
void model_last_words(struct process *process, const char *line, uint64_t n);
/* What was written without a newline at its end becomes a line. */
void model_flush_output(struct process *process);

#endif
