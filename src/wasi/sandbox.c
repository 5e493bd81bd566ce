/*
 * Opening below a directory and never outside, for any path, also while another process renames.
 *
 * The kernel does it where it has openat2(): RESOLVE_BENEATH refuses `..`, absolute paths and
 * symbolic links that would leave the root, at the moment of the walk. Elsewhere the walk is made
 * here, one component at a time: nothing is ever opened that is more than one name below a
 * directory that is already open, no component is followed by the kernel, symbolic links are read
 * and spliced into the path that is left, and `..` goes back to a descriptor that this walk came
 * from. A directory that is moved away during the walk stays what it was when it was reached, which
 * was below the root.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "wasi/state.h"

#define KERNEL_ATTEMPTS 32 /* openat2() gives EAGAIN when something was renamed during `..` */
#define WALK_DEPTH 256     /* directories open at once */
#define ALL_MAY_READ (S_IRUSR | S_IRGRP | S_IROTH)
#define FOLLOWED INT_MIN /* no descriptor and no error: there is more to walk */

static int kernel_open(int root, const char *path, int flags, uint32_t mode) {
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

bool cn_sandbox_probe(int directory) {
    int fd = kernel_open(directory, ".", O_PATH | O_DIRECTORY, 0);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* ---- The walk by hand ------------------------------------------------------------------------ */

struct walk {
    const char *rest; /* what is left of the path, in `pending` */
    unsigned links;   /* symbolic links followed so far */
    int root;
    int depth; /* directories on the stack, the root not counted */
    int stack[WALK_DEPTH];
    char pending[2 * WASI_MAX_PATH];
};

static int walk_top(const struct walk *w) {
    return w->depth ? w->stack[w->depth - 1] : w->root;
}

static int walk_up(struct walk *w) {
    if (!w->depth)
        return -EXDEV;
    close(w->stack[--w->depth]);
    return 0;
}

/* Puts what the link `name` says in front of the rest. -EINVAL when it is no link. */
static int walk_follow(struct walk *w, const char *name) {
    char target[WASI_MAX_PATH];
    ssize_t length = readlinkat(walk_top(w), name, target, sizeof target);

    if (length < 0)
        return -errno;
    if (++w->links > WASI_MAX_SYMLINKS)
        return -ELOOP;
    if (!length)
        return -ENOENT;
    if (target[0] == '/')
        return -EXDEV;
    size_t rest = strlen(w->rest) + 1;
    if ((size_t)length == sizeof target || (size_t)length + rest > sizeof w->pending)
        return -ENAMETOOLONG;
    memmove(w->pending + length, w->rest, rest);
    memcpy(w->pending, target, (size_t)length);
    w->rest = w->pending;
    return 0;
}

static int walk_down(struct walk *w, const char *name) {
    int fd = openat(walk_top(w), name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
        int error = walk_follow(w, name);
        return error == -EINVAL ? -ENOTDIR : error;
    }
    if (fd < 0)
        return -errno;
    if (w->depth == WALK_DEPTH) {
        close(fd);
        return -ENAMETOOLONG;
    }
    w->stack[w->depth++] = fd;
    return 0;
}

/* O_PATH opens a link itself, which is only what is wanted when links are not to be followed. */
static bool is_link(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISLNK(st.st_mode);
}

/* Opens the last component; FOLLOWED when it was a link, which now is in front of the rest. */
static int walk_last(struct walk *w, const char *name, int flags, uint32_t mode) {
    int fd = openat(walk_top(w), name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
    int error = fd < 0 ? errno : 0;

    if (flags & O_NOFOLLOW)
        return fd < 0 ? -error : fd;
    if (fd >= 0) {
        if (!(flags & O_PATH) || !is_link(fd))
            return fd;
        close(fd);
        error = ELOOP;
    }
    if (error != ELOOP && error != ENOTDIR)
        return -error;
    int followed = walk_follow(w, name);
    if (followed == -EINVAL)
        return -error; /* no link: it is what it was called */
    return followed ? followed : FOLLOWED;
}

/* Takes the next component; the rest then is empty or begins with a slash. */
static int walk_next(struct walk *w, char name[NAME_MAX + 1]) {
    w->rest += strspn(w->rest, "/");
    size_t length = strcspn(w->rest, "/");
    if (length > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(name, w->rest, length);
    name[length] = '\0';
    w->rest += length;
    return 0;
}

static bool walk_ended(const struct walk *w) {
    return !w->rest[strspn(w->rest, "/")];
}

static int walk(struct walk *w, int flags, uint32_t mode) {
    char name[NAME_MAX + 1];

    do {
        int result = walk_next(w, name);
        if (result < 0)
            return result;
        if (!*w->rest && strcmp(name, ".") && strcmp(name, "..")) {
            result = walk_last(w, name, flags, mode);
            if (result != FOLLOWED)
                return result;
            continue;
        }
        if (!strcmp(name, ".."))
            result = walk_up(w);
        else if (!strcmp(name, "."))
            result = 0;
        else if (walk_ended(w) && (flags & O_CREAT))
            result = -EISDIR; /* "new/" names a directory, which opening does not make */
        else
            result = walk_down(w, name);
        if (result < 0)
            return result;
    } while (!walk_ended(w));

    /* The path ended in `.`, `..` or a slash: the directory on top is what it names. */
    int fd = openat(walk_top(w), ".", (flags & ~O_NOFOLLOW) | O_CLOEXEC, mode);
    return fd < 0 ? -errno : fd;
}

static int walk_open(int root, const char *path, int flags, uint32_t mode) {
    struct walk w = {.root = root};
    size_t length = strlen(path);

    if (!length)
        return -ENOENT;
    if (path[0] == '/')
        return -EXDEV;
    if (length >= WASI_MAX_PATH)
        return -ENAMETOOLONG;
    memcpy(w.pending, path, length + 1);
    w.rest = w.pending;
    int fd = walk(&w, flags, mode);
    while (w.depth)
        walk_up(&w);
    return fd;
}

/* ---- Both ------------------------------------------------------------------------------------ */

/* procfs has the memory of processes, this one's among them, their environments and what steers the
 * kernel: of that a guest gets only what everybody may read, and nothing to write to. */
static bool may_be_given(int fd, int flags) {
    struct statfs system;
    struct stat st;

    if (flags & O_PATH)
        return true; /* nothing can be read or written by it */
    if (fstatfs(fd, &system) < 0 || system.f_type != PROC_SUPER_MAGIC)
        return true;
    return fstat(fd, &st) == 0 && (flags & O_ACCMODE) == O_RDONLY &&
           (S_ISDIR(st.st_mode) || (st.st_mode & ALL_MAY_READ) == ALL_MAY_READ);
}

int cn_sandbox_open(const catnap_wasi_t *wasi, int root, const char *path, int flags,
                    uint32_t mode) {
    int fd = -EAGAIN;

    if (wasi->kernel_sandbox)
        for (int i = 0; i < KERNEL_ATTEMPTS && (fd == -EAGAIN || fd == -EINTR); i++)
            fd = kernel_open(root, path, flags, mode);
    /* Under a storm of renames the walk by hand still comes to an end. */
    if (fd == -EAGAIN || fd == -EINTR)
        fd = walk_open(root, path, flags, mode);
    if (fd < 0 || may_be_given(fd, flags))
        return fd;
    close(fd);
    return -EACCES;
}

uint16_t cn_sandbox_errno(int error) {
    return error == -EXDEV ? WASI_NOTCAPABLE : cn_wasi_errno(-error);
}
