/* libFuzzer's entry: which target it is, the name says by which the program is called (`make fuzz` makes the links). */
#include "targets.h"

#include <probes/path.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fuzz_target *target;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *name = path_base(**argv);

    (void)argc;
    for (target = fuzz_targets; target->name && strcmp(target->name, name) != 0;)
        target++;
    if (target->name)
        return 0;
    fprintf(stderr, "%s is no target; there are:", name);
    for (target = fuzz_targets; target->name; target++)
        fprintf(stderr, " %s", target->name);
    fputc('\n', stderr);
    exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    target->run(data, size);
    return 0;
}
