/* The threaded C program of test_attach_real.py: four threads open and close libraries, look symbols up, miss files and
 * allocate, without end; a line on standard input is answered with its bytes' sum. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *at_work(void *unused)
{
    for (;;) {
        void *handle = dlopen("libm.so.6", RTLD_NOW);
        double (*root)(double) = handle ? (double (*)(double))dlsym(handle, "sqrt") : NULL;

        if (!root || root(16) != 4 || dlopen("libnowhere.so.9", RTLD_NOW) || dlsym(handle, "no_such_symbol"))
            abort();
        dlclose(handle);
        free(malloc(1000));
        if (open("/nothere/in a thread", O_RDONLY) >= 0)
            abort();
    }
    return unused;
}

int main(void)
{
    char line[4096];
    pthread_t thread;

    for (int i = 0; i < 4; i++)
        pthread_create(&thread, NULL, at_work, NULL);
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        int sum = 0;

        for (const char *c = line; *c && *c != '\n'; c++)
            sum += *c;
        printf("%d\n", sum);
        fflush(stdout);
    }
    return 7;
}
