/* An extension of VS Code, packed (.vsix) or unpacked (a folder of an extensions directory): what it says of itself,
 * and whether it is whole.
 *
 * A .vsix is a .zip with extension.vsixmanifest and extension/package.json. Its signature archive, where there is one,
 * is FILE.sigzip or lies beside it under the extension's name and version; it, or the .vsix itself, holds
 * .signature.manifest: the size and the SHA-256 of the package and of each entry, names and digests in base64. The
 * signature over that, .signature.p7s, is not verified here. */
#ifndef GLIBCTRACE_REPORTS_VSIX_H
#define GLIBCTRACE_REPORTS_VSIX_H

#include <stdbool.h>

struct vsix {
    char *path; /* of the file or folder */
    bool folder;
    char *publisher, *name, *version; /* of package.json; NULL where it does not say */
    char *engine;                     /* engines.vscode, or NULL */
    char *target;                     /* "linux-x64", …; NULL: any */
    bool preview;                     /* a pre-release, as the marketplace has it */
    char *fault;                      /* why it is refused; NULL: it is whole */
    const char *checked;              /* what that was told by, in words */
};

/* Reads PATH. False: it is no extension at all. RET is to be freed with vsix_deinit() in either case. */
bool vsix_read(const char *path, bool folder, struct vsix *ret);
void vsix_deinit(struct vsix *vsix);
/* The version that the package.json of an extension says, PATH being one, or its folder; malloced. NULL where it is
 * none, or does not say. */
char *vsix_version(const char *path, bool folder);
/* Below, equal, above zero: by the numbers of versions, releases after their pre-releases (semver.org, 11). */
int vsix_compare(const char *one, const char *other);

#endif
