#include "answers.h"

#include <probes/alloc.h>

#include <string.h>
#include <uthash.h>

struct answer_entry {
    char *key, *value;
    UT_hash_handle hh;
};

void answers_note(struct answers *seen, const char *key, const char *value)
{
    struct answer_entry *entry;

    HASH_FIND_STR(seen->known, key, entry);
    if (entry && strcmp(entry->value, value) == 0)
        return;
    if (seen->count >= ANSWERS_MOST)
        return;
    if (!entry) {
        entry = xcalloc(1, sizeof *entry);
        entry->key = xstrdup(key);
        HASH_ADD_KEYPTR(hh, seen->known, entry->key, strlen(entry->key), entry);
    }
    free(entry->value);
    entry->value = xstrdup(value);
    *(char **)array_add(&seen->entries, &seen->count, &seen->cap, sizeof(char *)) = xasprintf("%s %s", value, key);
}

void answers_take(struct answers *seen, const char *entry)
{
    const char *blank = strchr(entry, ' ');
    CLEANUP_FREE char *value = blank ? xstrndup(entry, (size_t)(blank - entry)) : NULL;

    if (value)
        answers_note(seen, blank + 1, value);
}

const char *answers_value(const struct answers *seen, const char *key)
{
    struct answer_entry *entry;

    HASH_FIND_STR(seen->known, key, entry);
    return entry ? entry->value : NULL;
}

void answers_deinit(struct answers *seen)
{
    struct answer_entry *entry, *next;

    HASH_ITER(hh, seen->known, entry, next)
    {
        HASH_DEL(seen->known, entry);
        free(entry->key);
        free(entry->value);
        free(entry);
    }
    for (size_t i = 0; i < seen->count; i++)
        free(seen->entries[i]);
    free(seen->entries);
    *seen = (struct answers){0};
}
