/* The file systems that the workspaces, and what the programs write, lie on: who is told of changes there, what may be
 * executed, how much room there is. */
#include "doctor_parts.h"

#include "remedy.h"
#include "wording.h"

#include <probes/alloc.h>
#include <probes/limits.h>
#include <probes/mount.h>
#include <probes/path.h>
#include <probes/watching.h>

#include <errno.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { MOUNTS_BELOW = 8, ROOM_FEW_MB = 1024, SHM_FEW_MB = 256, DIRECTORIES_MOST = 2000000 };

/* By whom files can change there. inotify(7): a kernel tells of what is done through it, and not of what others do to
 * the same files. */
enum changes {
    CHANGES_HERE,   /* only through this kernel, and this mount */
    CHANGES_AWAY,   /* a server, a host or a program behind FUSE changes them too */
    CHANGES_LAYERS, /* what is changed in the directories that it lies over is not told (tried on Linux 6.18) */
    CHANGES_NEVER,  /* made up by the kernel, which tells nothing of most of it */
    CHANGES_UNKNOWN,
};

/* proc_filesystems(5); "fuse.X" is any of FUSE's. */
static const struct {
    const char *type;
    enum changes changes;
} types[] = {
    {"ext2", CHANGES_HERE},      {"ext3", CHANGES_HERE},        {"ext4", CHANGES_HERE},
    {"xfs", CHANGES_HERE},       {"btrfs", CHANGES_HERE},       {"bcachefs", CHANGES_HERE},
    {"f2fs", CHANGES_HERE},      {"jfs", CHANGES_HERE},         {"reiserfs", CHANGES_HERE},
    {"zfs", CHANGES_HERE},       {"tmpfs", CHANGES_HERE},       {"ramfs", CHANGES_HERE},
    {"rootfs", CHANGES_HERE},    {"devtmpfs", CHANGES_HERE},    {"vfat", CHANGES_HERE},
    {"exfat", CHANGES_HERE},     {"ntfs3", CHANGES_HERE},       {"fuseblk", CHANGES_HERE},
    {"squashfs", CHANGES_HERE},  {"erofs", CHANGES_HERE},       {"iso9660", CHANGES_HERE},
    {"udf", CHANGES_HERE},       {"nilfs2", CHANGES_HERE},      {"minix", CHANGES_HERE},
    {"hfsplus", CHANGES_HERE},   {"nfs", CHANGES_AWAY},         {"nfs4", CHANGES_AWAY},
    {"cifs", CHANGES_AWAY},      {"smb3", CHANGES_AWAY},        {"smbfs", CHANGES_AWAY},
    {"9p", CHANGES_AWAY},        {"virtiofs", CHANGES_AWAY},    {"vboxsf", CHANGES_AWAY},
    {"vmhgfs", CHANGES_AWAY},    {"prl_fs", CHANGES_AWAY},      {"drvfs", CHANGES_AWAY},
    {"ceph", CHANGES_AWAY},      {"afs", CHANGES_AWAY},         {"lustre", CHANGES_AWAY},
    {"beegfs", CHANGES_AWAY},    {"gpfs", CHANGES_AWAY},        {"gfs2", CHANGES_AWAY},
    {"ocfs2", CHANGES_AWAY},     {"orangefs", CHANGES_AWAY},    {"coda", CHANGES_AWAY},
    {"ncpfs", CHANGES_AWAY},     {"fakeowner", CHANGES_AWAY},   {"fuse", CHANGES_AWAY},
    {"overlay", CHANGES_LAYERS}, {"overlayfs", CHANGES_LAYERS}, {"aufs", CHANGES_LAYERS},
    {"unionfs", CHANGES_LAYERS}, {"ecryptfs", CHANGES_LAYERS},  {"shiftfs", CHANGES_LAYERS},
    {"proc", CHANGES_NEVER},     {"sysfs", CHANGES_NEVER},      {"devpts", CHANGES_NEVER},
    {"cgroup", CHANGES_NEVER},   {"cgroup2", CHANGES_NEVER},    {"debugfs", CHANGES_NEVER},
    {"tracefs", CHANGES_NEVER},  {"securityfs", CHANGES_NEVER}, {"configfs", CHANGES_NEVER},
    {"bpf", CHANGES_NEVER},
};

static enum changes changes_of(const char *type)
{
    if (strncmp(type, "fuse.", 5) == 0)
        return CHANGES_AWAY;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].type, type) == 0)
            return types[i].changes;
    return CHANGES_UNKNOWN;
}

static const char *words_of(enum changes changes)
{
    static const char away[] =
        "changes made by the other side (server, host) are not told: editors and gopls do not see "
        "them";
    static const char layers[] =
        "changes made through it are told; those made from outside, in the layers that it lies "
        "over, are not";
    static const char *const words[] = {
        [CHANGES_HERE] = "changes are told",
        [CHANGES_AWAY] = away,
        [CHANGES_LAYERS] = layers,
        [CHANGES_NEVER] = "no changes are told",
        [CHANGES_UNKNOWN] = "changes made through it are told; whether others can change it is not known",
    };

    return words[changes];
}

/* 9p is how WSL 2 shows the drives of Windows (drvfs is WSL 1's name for them). */
static char *advice_for(enum changes changes, const char *type, const char *point)
{
    if (changes == CHANGES_AWAY && (strcmp(type, "9p") == 0 || strcmp(type, "drvfs") == 0) &&
        strncmp(point, "/mnt/", 5) == 0)
        return xstrdup("keep the workspace in Linux's own file system (below the home directory), not on a drive of "
                       "Windows");
    if (changes == CHANGES_AWAY)
        return xstrdup("change files there only from this machine, or keep the workspace on a local file system (ext4, "
                       "xfs, btrfs) and synchronize it");
    if (changes == CHANGES_LAYERS)
        return xstrdup("in a container: mount the workspace from a volume or the host, where it is to change from "
                       "outside");
    return changes == CHANGES_NEVER ? xstrdup("keep the workspace on another file system") : NULL;
}

/* linux/magic.h: in a chroot, or without /proc, the mount itself is not seen, and its kind is all that can be asked. */
static const char *type_by_number(const char *directory)
{
    static const struct {
        unsigned long number;
        const char *type;
    } kinds[] = {{0xef53, "ext4"},      {0x58465342, "xfs"},     {0x9123683e, "btrfs"},  {0x01021994, "tmpfs"},
                 {0x858458f6, "ramfs"}, {0x2fc12fc1, "zfs"},     {0xf2f52010, "f2fs"},   {0x794c7630, "overlay"},
                 {0x6969, "nfs"},       {0xff534d42, "cifs"},    {0xfe534d42, "smb3"},   {0x01021997, "9p"},
                 {0x65735546, "fuse"},  {0x00c36400, "ceph"},    {0x786f4256, "vboxsf"}, {0x9fa0, "proc"},
                 {0x62656572, "sysfs"}, {0x73717368, "squashfs"}};
    struct statfs fs;

    for (size_t i = 0; statfs(directory, &fs) == 0 && i < sizeof kinds / sizeof *kinds; i++)
        if ((unsigned long)fs.f_type == kinds[i].number)
            return kinds[i].type;
    return "a file system of unknown kind";
}

/* MOUNT may be NULL: it is not seen. */
static void tell_events(struct doctor *doctor, const char *directory, const struct mount_seen *mount)
{
    const char *type = mount ? mount->type : type_by_number(directory);
    enum changes changes = changes_of(type);
    enum watching_step step;
    int error = watching_try(directory, &step);
    bool silent = error == ENODATA && step == WATCHING_EVENT;

    doctor_line(doctor,
                silent || changes == CHANGES_NEVER ? TABLE_BAD
                : changes == CHANGES_HERE          ? TABLE_GOOD
                                                   : TABLE_WARNING,
                directory,
                (struct doctor_line){xasprintf("%s%s%s: %s", type, mount ? " on " : "", mount ? mount->point : "",
                                               silent ? "it tells of nothing, as was tried" : words_of(changes)),
                                     silent ? xstrdup("keep the workspace on another file system")
                                            : advice_for(changes, type, mount ? mount->point : ""),
                                     NULL});
}

/* Mounts below the workspace that are worse than it. */
static void tell_below(struct doctor *doctor, const char *directory, const struct mount_seen *mounts, size_t count)
{
    size_t size = strcmp(directory, "/") == 0 ? 0 : strlen(directory), told = 0;

    for (size_t i = 0; i < count && size; i++) {
        enum changes changes = changes_of(mounts[i].type);

        if (strncmp(mounts[i].point, directory, size) != 0 || mounts[i].point[size] != '/' || changes == CHANGES_HERE ||
            told++ >= MOUNTS_BELOW)
            continue;
        doctor_line(doctor, TABLE_WARNING, mounts[i].point,
                    (struct doctor_line){xasprintf("%s, in the workspace: %s", mounts[i].type, words_of(changes)),
                                         advice_for(changes, mounts[i].type, mounts[i].point), NULL});
    }
}

static void tell_size(struct doctor *doctor, const char *directory)
{
    bool whole;
    uint64_t max = 0, need = watching_directories(directory, DIRECTORIES_MOST, &whole);
    CLEANUP_FREE char *number = wording_number(need);
    const char *sysctl;
    bool many = doctor_inotify_limit(true, &max, &sysctl) && need > max;

    if (!need)
        return;
    doctor_line(
        doctor, many ? TABLE_BAD : TABLE_GOOD, "its directories",
        (struct doctor_line){
            xasprintf("%s%s: as many watches as an editor sets to see all of it%s", whole ? "" : "at least ", number,
                      many ? ", and more than this user may have" : ""),
            many ? xstrdup("raise the limit, as root; or leave directories out (files.watcherExclude)") : NULL,
            many ? xasprintf("sysctl -w %s=%llu", sysctl, (unsigned long long)(need > 262144 ? need * 2 : 524288))
                 : NULL});
}

/* --- where programs write and execute --- */

static bool is_noexec(const char *path)
{
    struct statvfs fs;

    return statvfs(path, &fs) == 0 && fs.f_flag & ST_NOEXEC;
}

static void tell_place(struct doctor *doctor, const char *path, const char *what, const char *noexec, const char *set)
{
    CLEANUP_FREE char *word = remedy_word(path);
    struct statvfs fs;
    uint64_t size, left;
    enum limits_room room = limits_room_at(path, &size);
    CLEANUP_FREE char *free_size = NULL;

    if (statvfs(path, &fs) < 0) {
        doctor_line(doctor, TABLE_BAD, what,
                    (struct doctor_line){xasprintf("%s: %s", path, strerror(errno)), xstrdup("make the directory"),
                                         xasprintf("mkdir -p %s", word)});
        return;
    }
    left = (uint64_t)fs.f_bavail * fs.f_frsize;
    free_size = wording_size(left);
    if (room != ROOM_LEFT)
        doctor_line(doctor, TABLE_BAD, what,
                    (struct doctor_line){xasprintf("%s: its file system is full (%s)", path,
                                                   room == ROOM_NO_INODES ? "no inodes are left" : "no room is left"),
                                         xstrdup("delete what is not needed there, or make the file system larger"),
                                         xasprintf("du -xh %s | sort -h | tail", word)});
    else if (access(path, W_OK) < 0)
        doctor_line(doctor, TABLE_BAD, what,
                    (struct doctor_line){xasprintf("%s: this user may not write there (%s)", path, strerror(errno)),
                                         xstrdup(errno == EROFS ? "its file system is mounted read-only"
                                                                : "its owner or root can allow it, or another "
                                                                  "directory has to be used"),
                                         NULL});
    else if (noexec && is_noexec(path))
        doctor_line(doctor, TABLE_WARNING, what,
                    (struct doctor_line){xasprintf("%s is mounted noexec: %s", path, noexec),
                                         xstrdup("let them use another directory, or mount it with exec"),
                                         xstrdup_or_null(set)});
    else if (left < (uint64_t)ROOM_FEW_MB << 20 && size > (uint64_t)ROOM_FEW_MB << 20)
        doctor_line(doctor, TABLE_WARNING, what,
                    (struct doctor_line){xasprintf("%s: %s left", path, free_size),
                                         xstrdup("delete what is not needed there"), NULL});
    else
        doctor_line(doctor, TABLE_GOOD, what,
                    (struct doctor_line){
                        xasprintf("%s: %s left%s", path, free_size, noexec ? ", programs may be executed there" : ""),
                        NULL, NULL});
}

/* Chromium, and so Electron, keeps what its processes share there, and crashes where it is full; docker gives 64 MB. */
static void tell_shared_memory(struct doctor *doctor)
{
    struct statvfs fs;
    bool there = statvfs("/dev/shm", &fs) == 0, writable = there && access("/dev/shm", W_OK) == 0;
    uint64_t size = there ? (uint64_t)fs.f_blocks * fs.f_frsize : 0;
    CLEANUP_FREE char *text = wording_size(size);
    bool needed = doctor_program(doctor, PROGRAM_DESKTOP) != NULL;

    if (!there && !needed)
        return;
    if (!writable)
        doctor_line(doctor, needed ? TABLE_BAD : TABLE_WARNING, "shared memory",
                    (struct doctor_line){xasprintf("/dev/shm %s: VS Code's windows need it",
                                                   there ? "may not be written to" : "is not there"),
                                         xstrdup("mount it, as root; or start VS Code with --disable-dev-shm-usage"),
                                         xstrdup("mkdir -p /dev/shm && mount -t tmpfs -o mode=1777 tmpfs /dev/shm")});
    else if (size && size < (uint64_t)SHM_FEW_MB << 20)
        doctor_line(doctor, TABLE_WARNING, "shared memory",
                    (struct doctor_line){xasprintf("/dev/shm has %s: too little for VS Code's windows", text),
                                         xstrdup("start the container with --shm-size=1g, or VS Code with "
                                                 "--disable-dev-shm-usage"),
                                         NULL});
    else
        doctor_line(doctor, TABLE_GOOD, "shared memory",
                    (struct doctor_line){xasprintf("/dev/shm has %s", text), NULL, NULL});
}

void doctor_workspace(struct doctor *doctor)
{
    const char *temporary = doctor_variable(doctor, "TMPDIR");
    size_t count;
    struct mount_seen *mounts = mount_list(getpid(), &count);

    doctor_section(doctor, "workspace", "Workspace and file systems");
    if (!mounts)
        strings_add(&doctor->report->unseen,
                    xstrdup("the mounts (/proc/self/mountinfo cannot be read): which they are, and what "
                            "lies below the workspace"));
    for (size_t i = 0; i < doctor->request->directory_count; i++) {
        const char *directory = doctor->request->directories[i];
        CLEANUP_FREE char *real = realpath(directory, NULL);
        const struct mount_seen *mount = mounts && real ? mount_holding(mounts, count, real) : NULL;

        if (real)
            tell_events(doctor, real, mount);
        if (mount)
            tell_below(doctor, real, mounts, count);
        tell_size(doctor, directory);
    }
    if (doctor->home)
        tell_place(doctor, doctor->home, "home directory",
                   "VS Code's server, its modules and go's tools are installed there and do not start", NULL);
    tell_place(doctor, temporary && *temporary == '/' ? temporary : "/tmp", "temporary files",
               "go run and go test execute there what they have built",
               "mkdir -p \"$HOME/.cache/go-tmp\" && go env -w GOTMPDIR=\"$HOME/.cache/go-tmp\"");
    tell_shared_memory(doctor);
    mount_list_free(mounts, count);
}
