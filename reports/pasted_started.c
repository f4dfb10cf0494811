/* Programs that were not found or could not be started, in the words of those that start them: runtimes, build tools,
 * fish, ruby, Java. Shells and wrappers are dealt with in pasted_execution.c. */
#include "pasted.h"

#include <string.h>

#include <probes/alloc.h>

static void missed(struct pasted *pasted, const char *who, char *name)
{
    pasted_found(pasted, CAUSE_COMMAND_NOT_FOUND, who ? xstrdup(who) : pasted_speaker(pasted, pasted->text), name,
                 0.88);
}

struct sentence {
    const char *before, *behind, *who;
};

/* What stands in LINE between the two texts of SENTENCE, up to the line's end where the second is "": *SIZE bytes; or
 * NULL. */
static const char *between(const char *line, const struct sentence *sentence, size_t *size)
{
    const char *at = strstr(line, sentence->before), *name = at ? at + strlen(sentence->before) : NULL;
    const char *end = !name ? NULL : *sentence->behind ? strstr(name, sentence->behind) : name + strlen(name);

    *size = end ? (size_t)(end - name) : 0;
    return *size ? name : NULL;
}

/* A name between two texts, in quotes or without. */
static bool by_sentence(struct pasted *pasted, const char *line)
{
    static const struct sentence sentences[] = {
        {"executable file `", "` not found in $PATH", "crun"},
        {"linker `", "` not found", "rustc"},
        {"Failed to find the \"", "\" binary in either GOROOT() or PATH", "go"},
        {" - \"", "\" is not in PATH", "node-gyp"},
        {"Error: not found: ", "", "node-gyp"}, /* npm's which */
        {"Unable to find git in PATH", "", NULL},
        {"The command \"", "\" was not found", NULL},
    };

    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        size_t n;
        const char *name = between(line, &sentences[i], &n);

        if (name && !*sentences[i].behind)
            n = strcspn(name, " ");
        if (!name || !n)
            continue;
        missed(pasted, sentences[i].who, pasted_word(name, n));
        return true;
    }
    return false;
}

/* "Cannot run program "x" (in directory "/d"): error=2, No such file or directory" (java.lang.ProcessBuilder): the
 * directory may be what is not there. */
static bool by_java(struct pasted *pasted, const char *line)
{
    static const char words[] = "Cannot run program \"";
    const char *at = strstr(line, words);
    char *name = at ? pasted_quoted(at + sizeof words - 2) : NULL;

    if (!name)
        return false;
    if (strstr(line, "error=13"))
        pasted_found(pasted, CAUSE_PERMISSION_DENIED, xstrdup(name), xstrdup(name), 0.85);
    else if (strstr(line, "error=8"))
        pasted_no_executable(pasted, xstrdup(name), false);
    else if (strstr(line, "error=2,") && !strstr(line, "(in directory"))
        pasted_not_found(pasted, xstrdup(name));
    free(name);
    return true;
}

/* "-e:1:in `exec': No such file or directory - x (Errno::ENOENT)", "… @ rb_sysopen - /x (Errno::EACCES)". */
static bool by_ruby(struct pasted *pasted, const char *line)
{
    const char *kind = strstr(line, " (Errno::E"), *at = strstr(line, " - "), *next;
    bool started =
        strstr(line, "in `exec'") || strstr(line, "in `spawn'") || strstr(line, "in ``'") || strstr(line, "in `popen'");
    char *name;

    while (at && (next = strstr(at + 3, " - ")) && next < kind)
        at = next;
    if (!kind || !at || at > kind || strstr(line, "connect(2)"))
        return false;
    name = pasted_word(at + 3, (size_t)(kind - at - 3));
    if (strncmp(kind + 9, "EACCES", 6) == 0)
        pasted_found(pasted, CAUSE_PERMISSION_DENIED, xstrdup("ruby"), name, 0.85);
    else if (strncmp(kind + 9, "ENOENT", 6) == 0 && !started)
        pasted_found(pasted, CAUSE_FILE_MISSING, xstrdup("ruby"), name, 0.85);
    else if (strncmp(kind + 9, "ENOENT", 6) == 0 && name && !strchr(name, '/'))
        missed(pasted, "ruby", name);
    else if (strncmp(kind + 9, "ENOENT", 6) == 0)
        pasted_not_found(pasted, name);
    else
        free(name);
    return true;
}

/* "The file './x' specified the interpreter '/usr/bin/nope', which is not an executable command." */
static bool by_fish(struct pasted *pasted, const char *line)
{
    static const char words[] = "specified the interpreter ";
    const char *at = strstr(line, words), *file = strstr(line, "The file ");

    if (!at || !file || file > at)
        return false;
    pasted_found(pasted, CAUSE_SCRIPT_INTERPRETER_MISSING, pasted_quoted(file), pasted_quoted(at), 0.88);
    return true;
}

/* "make: *** No rule to make target 'x.c', needed by 'all'.  Stop.", "ld: cannot find -lx". */
static bool by_builder(struct pasted *pasted, const char *line)
{
    static const char rule[] = "*** No rule to make target ", library[] = ": cannot find -l";
    const char *at = strstr(line, rule);

    if (at && strstr(at, "needed by")) {
        pasted_found(pasted, CAUSE_FILE_MISSING, xstrdup("make"), pasted_quoted(at), 0.7);
        return true;
    }
    at = strstr(line, library);
    if (!at)
        return false;
    pasted_found(pasted, CAUSE_FILE_MISSING, pasted_speaker(pasted, line),
                 pasted_word(at + strlen(": cannot find "), strcspn(at + strlen(": cannot find "), " :")), 0.7);
    return true;
}

/* "Can't locate Foo/Bar.pm in @INC …" (perl), "Unable to access jarfile x.jar" (java), "can't open file '/x': [Errno
 * 2] …" (python). */
static bool by_interpreter(struct pasted *pasted, const char *line)
{
    static const struct sentence sentences[] = {
        {"Can't locate ", " in @INC", "perl"},
        {"Unable to access jarfile ", "", "java"},
        {"can't open file '", "': [Errno 2]", "python3"},
        {"Can't open perl script \"", "\": No such file", "perl"},
        {"Cannot find module '/", "'", "node"},
    };

    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        size_t n;
        const char *name = between(line, &sentences[i], &n);

        if (!name || memchr(name, ' ', n))
            continue;
        if (name[-1] == '/') {
            name--;
            n++;
        }
        pasted_found(pasted, CAUSE_FILE_MISSING, xstrdup(sentences[i].who), pasted_word(name, n), 0.8);
        return true;
    }
    return false;
}

bool pasted_started(struct pasted *pasted, const char *line)
{
    return by_sentence(pasted, line) || by_java(pasted, line) || by_ruby(pasted, line) || by_fish(pasted, line) ||
           by_builder(pasted, line) || by_interpreter(pasted, line);
}
