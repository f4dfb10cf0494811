/* Memory: allocation that cannot fail, and cleanup attributes.
 *
 * When memory runs out the program says so in one line and ends with status 125; the kernel then kills a
 * launched program with us (PTRACE_O_EXITKILL) and lets an attached one go on. Nothing here is a container;
 * those are uthash's (utarray.h, uthash.h, utlist.h), whose allocation goes through these functions as well. */
#ifndef GLIBCTRACE_PROBES_ALLOC_H
#define GLIBCTRACE_PROBES_ALLOC_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
/* As reallocarray(3): COUNT * SIZE is checked for overflow. */
void *xreallocarray(void *p, size_t count, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
/* xstrdup() that gives NULL for NULL. */
char *xstrdup_or_null(const char *s);
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
void *xmemdup(const void *p, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2), malloc, returns_nonnull));
char *xvasprintf(const char *format, va_list ap) __attribute__((format(printf, 1, 0), malloc, returns_nonnull));
/* Called by the functions above and by uthash. */
_Noreturn void alloc_failed(void);

/* A growing array in three lines, where utarray's copying callbacks are too much: makes room for one more
 * element in (pointer, count, capacity) and returns the address of the new, zeroed element. */
void *array_add(void *array_pointer, size_t *count, size_t *capacity, size_t element_size);

static inline void cleanup_free_pointer(void *p)
{
    free(*(void **)p);
}
static inline void cleanup_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
static inline void cleanup_close_file(FILE **f)
{
    if (*f)
        fclose(*f);
}
#define CLEANUP_FREE __attribute__((cleanup(cleanup_free_pointer)))
#define CLEANUP_CLOSE __attribute__((cleanup(cleanup_close_fd)))
#define CLEANUP_FCLOSE __attribute__((cleanup(cleanup_close_file)))

/* Hands ownership out of a CLEANUP_FREE variable: `return steal_pointer(&p);` */
static inline void *steal_pointer_(void *p)
{
    void *taken = *(void **)p;

    *(void **)p = NULL;
    return taken;
}
#define steal_pointer(p) ((__typeof__(*(p)))steal_pointer_(p))

/* Whichever header came first: the macros are expanded where a container is used. */
#undef uthash_fatal
#define uthash_fatal(msg) alloc_failed()
#undef utarray_oom
#define utarray_oom() alloc_failed()

#endif
