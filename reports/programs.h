/* Which releases the programs are that a failure is about, from the files that say so: nothing is run. Of a program
 * file what it carries itself (node, Go's build information); of VS Code and of an extension the description beside it.
 */
#ifndef GLIBCTRACE_REPORTS_PROGRAMS_H
#define GLIBCTRACE_REPORTS_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>

struct process;

struct program_seen {
    char *name;    /* "node", "Visual Studio Code", "golang.org/x/tools/gopls", "golang.go" (an extension) */
    char *version; /* or NULL */
    char *built;   /* Go's release that built it, or NULL */
    char *commit;  /* VS Code's, or NULL */
    char *path;    /* the file that says so */
};
struct program_list {
    struct program_seen *v;
    size_t n, cap;
};
void program_list_deinit(struct program_list *list);
/* Adds those of FROM that are not in TO yet. */
void program_list_join(struct program_list *to, const struct program_list *from);

/* What files said before: a program is large, and may fail often. */
struct programs;
struct programs *programs_create(void);
void programs_destroy(struct programs *programs);
/* Adds to RET the programs that PROCESS, whose root is there, and its suspects' causes name. */
void programs_find(struct programs *programs, const struct process *process, struct program_list *ret);

/* The program file at PATH, where it is one of those that say what they are (node, and whatever Go built); the VS Code,
 * or what is made of it, that is installed in DIRECTORY. False where there is none; free with program_seen_deinit(). */
bool program_of_file(const char *root, const char *path, struct program_seen *ret);
bool program_of_product(const char *root, const char *directory, struct program_seen *ret);
void program_seen_deinit(struct program_seen *seen);

#endif
