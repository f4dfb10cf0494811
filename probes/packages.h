/* Which package a file belongs to, and which has one that is wanted, by the package system's own databases inside a
 * root: dpkg's and apt's, rpm's, apk's, pacman's.
 *
 * Read-only and offline; nothing is locked. Only rpm's database takes a program to be read (rpm itself, for a limited
 * time, and not for another root than our own). An answer is what a database says, in so many words; where none says
 * anything there is no answer. Files are read up to a bound: a database of many hundred megabytes is read in part. */
#ifndef GLIBCTRACE_PROBES_PACKAGES_H
#define GLIBCTRACE_PROBES_PACKAGES_H

#include <stdbool.h>

enum package_system { PACKAGES_NONE, PACKAGES_DPKG, PACKAGES_RPM, PACKAGES_APK, PACKAGES_PACMAN };

struct package {
    char *name;       /* "libfoo2", "libfoo2:i386" */
    char *version;    /* or NULL */
    char *file;       /* the path in it that answers, absolute; or NULL */
    bool installed;   /* else it could be, says an index */
    bool by_name;     /* it is called as such a package is; what is in it, no database here says */
    const char *says; /* who says so: "dpkg's list of its files", … */
};

enum package_system packages_system(const char *root);
const char *packages_system_name(enum package_system system); /* "dpkg", "rpm", … */

/* Each fills in RET and returns true where a database has the answer; then package_deinit(). */
/* The installed package that PATH (absolute) belongs to, whether or not the file is there. */
bool packages_owner(const char *root, const char *path, struct package *ret);
/* One that has a file PATH, installed or not. */
bool packages_with_file(const char *root, const char *path, struct package *ret);
/* One that has the shared library SONAME for MACHINE ("x86_64", "i386", …; elffile_machine_name()). */
bool packages_with_library(const char *root, const char *soname, const char *machine, struct package *ret);
/* One that has a program NAME in a directory of programs. */
bool packages_with_command(const char *root, const char *name, struct package *ret);
/* An installable package called NAME is known to the index. */
bool packages_named(const char *root, const char *name, struct package *ret);
void package_deinit(struct package *package);

/* PATH is a link that update-alternatives(1) keeps, or the one in /etc/alternatives behind it: its name there,
 * malloced; and a choice that is there (malloced, or NULL). NULL where it is none. */
char *packages_alternative(const char *root, const char *path, char **choice);

#endif
