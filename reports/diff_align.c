/* Which program of one run is which of the other: the one of the same name with the same arguments, whenever it was
 * executed (what runs at once comes in any order); then of what is left the next one of the same name. Part of diff.h.
 */
#include "diff.h"

#include "text.h"

#include <probes/alloc.h>

#include <string.h>

/* The programs of BAD that are not matched yet, by a key, in their order. */
struct group {
    char *key;
    size_t *members;
    size_t count, cap, taken;
    UT_hash_handle hh;
};

static char *key_of(const struct run *run, const struct run_program *program, bool with_words)
{
    struct text key = {0};

    text_addf(&key, "%s\n", program->name);
    for (size_t i = 1; with_words && i < program->argv.n; i++) {
        CLEANUP_FREE char *word = run_comparable(run, program->argv.v[i]);

        text_addf(&key, "%s\n", word);
    }
    return key.v;
}

static void group_add(struct group **groups, char *key_taken, size_t member)
{
    struct group *group;

    HASH_FIND_STR(*groups, key_taken, group);
    if (group) {
        free(key_taken);
    } else {
        group = xcalloc(1, sizeof *group);
        group->key = key_taken;
        HASH_ADD_KEYPTR(hh, *groups, group->key, strlen(group->key), group);
    }
    *(size_t *)array_add(&group->members, &group->count, &group->cap, sizeof member) = member;
}

/* The next of its group, or DIFF_ALONE. */
static size_t group_take(struct group *groups, const char *key)
{
    struct group *group;

    HASH_FIND_STR(groups, key, group);
    return group && group->taken < group->count ? group->members[group->taken++] : DIFF_ALONE;
}

static void groups_free(struct group *groups)
{
    struct group *group, *next;

    HASH_ITER(hh, groups, group, next)
    {
        HASH_DEL(groups, group);
        free(group->members);
        free(group->key);
        free(group);
    }
}

static void match(const struct diff *diff, bool with_words, size_t *of_good, size_t *of_bad)
{
    const struct run *good = &diff->good.run, *bad = &diff->bad.run;
    struct group *groups = NULL;

    for (size_t i = 0; i < bad->count; i++)
        if (of_bad[i] == DIFF_ALONE)
            group_add(&groups, key_of(bad, bad->programs[i], with_words), i);
    for (size_t i = 0; i < good->count; i++) {
        CLEANUP_FREE char *key = of_good[i] == DIFF_ALONE ? key_of(good, good->programs[i], with_words) : NULL;

        if (!key)
            continue;
        of_good[i] = group_take(groups, key);
        if (of_good[i] != DIFF_ALONE)
            of_bad[of_good[i]] = i;
    }
    groups_free(groups);
}

void diff_align(const struct diff *diff, size_t **of_good, size_t **of_bad)
{
    size_t good = diff->good.run.count, bad = diff->bad.run.count;

    *of_good = xcalloc(good + 1, sizeof **of_good);
    *of_bad = xcalloc(bad + 1, sizeof **of_bad);
    for (size_t i = 0; i < good; i++)
        (*of_good)[i] = DIFF_ALONE;
    for (size_t i = 0; i < bad; i++)
        (*of_bad)[i] = DIFF_ALONE;
    match(diff, true, *of_good, *of_bad);
    match(diff, false, *of_good, *of_bad);
}
