/* Opens libraries and looks symbols up as its arguments say, one after the other; the tests of the loader's words run it
 * on every libc. Each failure is told on standard error in the loader's own words, behind "said: "; the status is the
 * number of failures. It uses nothing that glibc 2.2.5 (2.3.4 for dlmopen) or musl does not have. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *last;
static int failures;
static char no_handle[4096]; /* glibc looks into it */

static void said(const void *result)
{
    const char *words = dlerror();

    if (!result || words) {
        failures++;
        fprintf(stderr, "said: %s\n", words ? words : "(nothing)");
    }
}

/* No capability is left, not even that of reading what no mode bit lets its owner read. */
static void drop_capabilities(void)
{
    unsigned header[2] = {0x20080522, 0}, data[6] = {0};

    if (syscall(SYS_capset, header, data))
        exit(99);
}

static void open_with(const char *file, int mode)
{
    void *handle = dlopen(file, mode);

    said(handle);
    if (handle)
        last = handle;
}

static void look_up(void *where, const char *name)
{
    said(dlsym(where, name));
}

#ifdef NEXT_TO_GLIBC
static void open_in(const char *file, long space)
{
    void *handle = dlmopen(space, file, RTLD_NOW);

    said(handle);
    if (handle)
        last = handle;
}

/* Until there are no more namespaces. */
static void open_often(const char *file)
{
    for (int i = 0; i < 40 && !failures; i++)
        open_in(file, LM_ID_NEWLM);
}

static int glibc_word(char **word)
{
    if (strcmp(word[0], "space") == 0)
        open_in(word[1], LM_ID_NEWLM);
    else if (strcmp(word[0], "often") == 0)
        open_often(word[1]);
    else if (strcmp(word[0], "version") == 0)
        said(dlvsym(last, word[1], "NO_1.0"));
    else
        return 0;
    return 1;
}
#else
static int glibc_word(char **word)
{
    (void)word;
    return 0;
}
#endif

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        char **word = argv + i;

        if (strcmp(word[0], "now") == 0)
            open_with(word[1], RTLD_NOW);
        else if (strcmp(word[0], "lazy") == 0)
            open_with(word[1], RTLD_LAZY);
        else if (strcmp(word[0], "mode") == 0)
            open_with(word[1], 0);
        else if (strcmp(word[0], "sym") == 0)
            look_up(last, word[1]);
        else if (strcmp(word[0], "default") == 0)
            look_up(RTLD_DEFAULT, word[1]);
        else if (strcmp(word[0], "next") == 0)
            look_up(RTLD_NEXT, word[1]);
        else if (strcmp(word[0], "close") == 0)
            said(dlclose(no_handle) ? NULL : "closed");
        else if (strcmp(word[0], "helpless") == 0)
            drop_capabilities();
        else if (!glibc_word(word))
            return 98;
    }
    puts("done");
    return failures;
}
