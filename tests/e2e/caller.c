/* Calls dlopen, dlmopen, dlsym, dlvsym and dlclose and says so, a call a line: name, file or symbol, result. Its words
 * are what the trace must show. `caller N` does it N times in the one thread there is, `caller N T` in T threads. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct call {
    const char *name, *what;
    const void *ret;
};

enum {
    CALLS = 8
};

struct calls {
    long rounds, count;
    struct call *call;
};

static void *made(struct calls *calls, const char *name, const char *what, void *ret)
{
    calls->call[calls->count++] = (struct call){name, what, ret};
    return ret;
}

static void once(struct calls *calls)
{
    void *handle = made(calls, "dlopen", "libm.so.6", dlopen("libm.so.6", RTLD_LAZY));

    made(calls, "dlsym", "sqrt", dlsym(handle, "sqrt"));
    made(calls, "dlsym", "no_such_symbol", dlsym(handle, "no_such_symbol"));
    made(calls, "dlvsym", "cos", dlvsym(handle, "cos", "GLIBC_2.2.5"));
    made(calls, "dlsym", "malloc", dlsym(RTLD_DEFAULT, "malloc"));
    made(calls, "dlopen", "libnowhere.so.9", dlopen("libnowhere.so.9", RTLD_NOW | RTLD_GLOBAL));
    if (handle)
        made(calls, "dlclose", "", (void *)(long)dlclose(handle));
}

static void *all(void *arg)
{
    struct calls *calls = arg;

    calls->call = calloc(CALLS, calls->rounds * sizeof *calls->call);
    for (long i = 0; i < calls->rounds; i++)
        once(calls);
    return NULL;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 1, count = argc > 2 ? atol(argv[2]) : 0;
    struct calls calls[17] = {{rounds, 0, NULL}};
    pthread_t threads[17];

    for (long i = 1; i <= count; i++) {
        calls[i].rounds = rounds;
        pthread_create(&threads[i], NULL, all, &calls[i]);
    }
    for (long i = 1; i <= count; i++)
        pthread_join(threads[i], NULL);
    if (!count)
        all(&calls[0]);
    for (long i = 0; i <= count; i++)
        for (long k = 0; k < calls[i].count; k++)
            printf("%s %s %p\n", calls[i].call[k].name, calls[i].call[k].what, calls[i].call[k].ret);
    return 3;
}
