/*
 * The WASI state of one program, and the inside of this room.
 *
 * The functions that a guest calls are the handlers of functions.def. A handler sees a wasi_call:
 * the state, the guest's memory, and how the call under way can be interrupted. It knows nothing of
 * the engine, so that tests call it directly; link.c alone binds handlers to a linker.
 *
 * All state is plain data that can be listed: arguments, environment, pre-opened directories, and
 * the descriptor table, whose entries remember what they were opened from (pre-open, path, flags).
 * One state belongs to one thread at a time, like the store that uses it, until the program may have threads: from
 * then on a call locks it when it first asks for a descriptor (cn_fd_get), and lets go of it while it may wait
 * (cn_fd_hold).
 *
 * docs/reference/wasi.md says what was decided where the specification leaves room.
 */
#ifndef CN_WASI_STATE_H
#define CN_WASI_STATE_H

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "catnap.h"
#include "wasi/abi.h"
#include "wasi/guest.h"

/* Limits of one state. */
#define WASI_MAX_FDS 1024             /* open descriptors; more is MFILE */
#define WASI_MAX_IOVECS 1024          /* handled by one call; more is a partial transfer */
#define WASI_MAX_TRANSFER 0x7ffff000u /* bytes moved by one call; more is a partial transfer */
#define WASI_MAX_SUBSCRIPTIONS 8192   /* of one poll_oneoff; more is INVAL */
#define WASI_MAX_PATH 4096            /* bytes of a path with its NUL; more is NAMETOOLONG */
#define WASI_MAX_SYMLINKS 40          /* followed in one path; more is LOOP */
#define WASI_MAX_COOKIES 16384        /* known of one directory; what came before is read again */

/* Arguments, or environment entries "name=value". */
struct wasi_strings {
    char **items;
    uint32_t count;
    uint32_t bytes; /* of all, each with its NUL */
    /* The same at the checkpoint, which owns those strings; NULL when there is none. */
    char **kept;
    uint32_t kept_count, kept_bytes;
};

/* A directory of the host that the guest may use; stays listed when the guest closes it. */
struct wasi_preopen {
    char *host_path;
    char *guest_path;
    bool read_only;
};

/* The other end of a standard stream. */
enum wasi_stream_kind {
    WASI_STREAM_NULL = 0, /* at its end; drops what is written */
    WASI_STREAM_HOST,     /* a descriptor of the host */
    WASI_STREAM_BYTES,    /* input from a copy of bytes */
    WASI_STREAM_CALLBACK, /* input or output by the embedder's function */
    WASI_STREAM_BUFFER    /* output into memory, up to a limit */
};

struct wasi_stream {
    enum wasi_stream_kind kind;
    bool kept;                      /* the bytes belong to the checkpoint */
    uint8_t *bytes;                 /* BYTES: all input; BUFFER: what was written */
    size_t length, position, limit; /* position: read so far; limit: of the buffer */
    size_t capacity;
    int64_t (*read)(void *env, void *bytes, size_t size);
    int64_t (*write)(void *env, const void *bytes, size_t size);
    void *env;
};

enum wasi_fd_kind {
    WASI_FD_CLOSED = 0, /* so that a zeroed entry is free */
    WASI_FD_HOST,       /* a descriptor of the host, ours or lent */
    WASI_FD_STREAM      /* a standard stream that is no host descriptor */
};

#define WASI_NO_PREOPEN UINT32_MAX

/*
 * The cookies of fd_readdir: cookie n is the end of the n-th entry. The ends of the last ones
 * that were read are known as the kernel's offsets.
 */
struct wasi_listing {
    int64_t *ends; /* of entries first + 1 to first + count; NULL until something was read */
    uint64_t first;
    uint32_t count, capacity;
};

struct wasi_use;

/* One open descriptor of the guest. */
struct wasi_fd {
    enum wasi_fd_kind kind;
    enum wasi_filetype filetype;
    bool lent;  /* belongs to the host: never closed, its status flags never changed */
    bool kept;  /* host and path belong to the checkpoint */
    bool waits; /* reading and writing may wait: poll first */
    bool pipe;  /* writing may raise SIGPIPE */
    bool seekable;
    bool read_only;   /* below a read-only pre-open */
    bool is_preopen;  /* what fd_prestat_get reports */
    uint16_t flags;   /* WASI_FDFLAG_* as the guest sees them */
    uint16_t oflags;  /* what path_open was given */
    int host;         /* the host's descriptor, or -1 */
    int stream;       /* WASI_FD_STREAM: which */
    uint32_t preopen; /* what it was opened from, or WASI_NO_PREOPEN */
    char *path;       /* from there; NULL when there is none or it grew too long */
    uint64_t rights, inheriting;
    struct wasi_listing listing; /* of a directory */
    struct wasi_use *use;        /* by calls that do not hold the lock, or NULL */
};

/* A descriptor that calls of threads are using, without the lock: what it was when the first of them came. It
 * stays open until the last one is done, also if the guest closes it meanwhile. */
struct wasi_use {
    struct wasi_fd fd;
    catnap_wasi_t *wasi;
    uint32_t number, calls;
    bool orphaned; /* it was closed: the host's descriptor is this one's */
};

struct wasi_checkpoint;
struct wasi_threads;

struct catnap_wasi_t {
    struct wasi_strings arguments;
    struct wasi_strings environment;
    struct wasi_preopen *preopens;
    uint32_t preopen_count;
    struct wasi_fd *fds;
    uint32_t fd_count; /* entries of fds, open or closed */
    struct wasi_stream streams[3];
    struct wasi_checkpoint *checkpoint; /* or NULL */
    bool kernel_sandbox;    /* openat2() is to be had; tests clear it to force the other resolver */
    bool file_size_limited; /* writing to a file may raise SIGXFSZ */
    struct wasi_threads *threads; /* of the program, or NULL: then nothing is locked */
    pthread_mutex_t mutex;        /* with threads: of the descriptors and the streams */
    uint32_t orphans;             /* descriptors that were closed while calls use them */
};

/* Questions of a handler to the host: whether the call under way has been asked to stop, and where the
 * guest's memory is, which a callback of the embedder may have changed. */
struct wasi_host {
    /* Polls readable then, rarely also without a reason; -1: there is none. Clears such a signal. */
    int (*interrupt_fd)(void *env);
    bool (*interrupted)(void *env);
    struct wasi_guest (*memory)(void *env);
};

/* How a call ended, beside the errno that is its result. */
enum wasi_outcome { WASI_RETURN = 0, WASI_EXIT, WASI_INTERRUPTED };

struct wasi_call {
    catnap_wasi_t *wasi;
    struct wasi_guest memory;
    const struct wasi_layout *layout;
    const struct wasi_host *host;
    void *host_env;
    enum wasi_outcome outcome;
    uint32_t exit_status; /* when it is WASI_EXIT */
    bool locked;          /* the state, by this call */
    struct wasi_fd held;  /* by this call, as it was when it came */
};

/* ---- The functions --------------------------------------------------------------------------- */

/* Arguments are zero-extended to 64 bits; the result is an errno. */
typedef uint16_t wasi_handler(struct wasi_call *, const uint64_t *arguments);

struct wasi_function {
    const char *name;
    const char *signature; /* parameters, colon, result: i is i32, I is i64 */
    bool unstable;         /* exists in wasi_unstable as well */
    wasi_handler *run;
};

extern const struct wasi_function cn_wasi_functions[];
extern const size_t cn_wasi_function_count;

#define WASI_MAX_PARAMETERS 9

#define F(name, signature, unstable) wasi_handler cn_wasi_##name;
#include "wasi/functions.def"
#undef F

static inline bool cn_fd_is_socket(const struct wasi_fd *fd) {
    return fd->filetype == WASI_FILETYPE_SOCKET_STREAM ||
           fd->filetype == WASI_FILETYPE_SOCKET_DGRAM;
}

/* ---- errno.c --------------------------------------------------------------------------------- */

uint16_t cn_wasi_errno(int host_errno);
/* Whether that is no failure: nothing was ready after all, or a signal came in between. */
bool cn_wasi_try_again(int host_errno);

/* ---- guest.c: what guests pass by pointer ---------------------------------------------------- */

/* Copies and checks a path; `out` has WASI_MAX_PATH bytes. */
uint16_t cn_guest_path(const struct wasi_guest *, uint32_t pointer, uint32_t length, char *out);

/* A guest's iovec array as the host's. */
struct wasi_vector {
    struct iovec items[WASI_MAX_IOVECS];
    int count;
    size_t total;
};

uint16_t cn_guest_vector(const struct wasi_guest *, uint32_t pointer, uint32_t count,
                         struct wasi_vector *out);
/* Drops `size` bytes, which have been moved, from the front of `count` items at *items. */
void cn_vector_advance(struct iovec **items, int *count, size_t size);

/* ---- fds.c: the descriptor table ------------------------------------------------------------- */

/* Finds an open descriptor that has all of `rights`. With threads it locks the state, for the rest of the call, and
 * the entry is good until the lock is let go. */
uint16_t cn_fd_get(struct wasi_call *, uint32_t number, uint64_t rights, struct wasi_fd **out);
/* Finds the lowest closed entry, without taking it; entries may move. */
uint16_t cn_fd_reserve(catnap_wasi_t *, uint32_t *number);
/* Closes what the entry holds and frees it. */
void cn_fd_drop(struct wasi_fd *);
/* With threads, for what may wait: the descriptor stays open while it is used, and *fd becomes a copy of its entry
 * that is good without the lock. To be let go. */
uint16_t cn_fd_keep(struct wasi_call *, struct wasi_fd **fd);
/* The same with a copy of the call's own, as the entry is now, and lets go of the lock; unless it is a stream in the
 * state itself, which never waits. */
uint16_t cn_fd_hold(struct wasi_call *, struct wasi_fd **fd);
/* Locks again, when it was kept. */
void cn_fd_let_go(struct wasi_call *, const struct wasi_fd *);
/* The lock as such; nothing without threads. */
void cn_call_lock(struct wasi_call *);
void cn_call_unlock(struct wasi_call *);
/* Sets filetype and the bools that follow from what an open host descriptor is. 0 or host errno. */
int cn_fd_describe(int host, struct wasi_fd *out);
/* The rights that make sense for a descriptor of that kind. */
uint64_t cn_fd_type_rights(const struct wasi_fd *);

/* ---- sandbox.c: opening below a directory ---------------------------------------------------- */

/*
 * Opens `path` below directory `root`, following symbolic links below it (the last one unless flags
 * has O_NOFOLLOW). Gives a descriptor, or a negative host errno: -EXDEV when the path would leave
 * the root. O_CLOEXEC is added.
 */
int cn_sandbox_open(const catnap_wasi_t *, int root, const char *path, int flags, uint32_t mode);
/* Whether the kernel can do it alone, tried on an open directory. */
bool cn_sandbox_probe(int directory);
/* The errno for a failure of cn_sandbox_open(), a negative host errno. */
uint16_t cn_sandbox_errno(int error);

/* ---- place.c: the last component of a path --------------------------------------------------- */

enum wasi_place_kind { WASI_PLACE_NAME, WASI_PLACE_DOT, WASI_PLACE_DOTDOT };

/* A directory below the root, and a name in it that has not been looked up. */
struct wasi_place {
    enum wasi_place_kind kind; /* DOT, DOTDOT: parent is the directory itself, name is "." */
    bool slash;                /* the path ended in a slash */
    int parent;
    int root; /* parent is closed unless it is the root */
    char path[WASI_MAX_PATH];
    const char *name; /* in path */
};

/* Resolves all but the last component of a path. To be closed when it succeeded. */
uint16_t cn_place_open(const catnap_wasi_t *, int root, const char *path, struct wasi_place *place);
/* The same, but a symbolic link in the last place is replaced by what it names. */
uint16_t cn_place_follow(const catnap_wasi_t *, int root, const char *path,
                         struct wasi_place *place);
void cn_place_close(struct wasi_place *);

/* ---- stdio.c: standard streams that are no descriptors --------------------------------------- */

int64_t cn_stream_read(struct wasi_stream *, void *bytes, size_t size);
int64_t cn_stream_write(struct wasi_stream *, const void *bytes, size_t size);
void cn_stream_free(struct wasi_stream *);

/* ---- rewind.c: what a rollback brings back --------------------------------------------------- */

/* Whether a checkpoint remembers pre-opened directories, whose numbers must not change then. */
bool cn_wasi_remembers_preopens(const catnap_wasi_t *);
/* Frees a string unless it is the checkpoint's. */
void cn_strings_drop(const struct wasi_strings *, uint32_t index);
/* config.c: the variable becomes the last one, without a look for one of the same name: as many as a kept
 * state has take time in proportion to their number. */
catnap_error_t *cn_wasi_append_environment(catnap_wasi_t *, const char *name, const char *value);
/* The checkpoint is gone; what it kept is the state's again, or freed. */
void cn_wasi_forget(catnap_wasi_t *);

/* ---- wait.c: waiting that can be interrupted ------------------------------------------------- */

/* Whether the call has been asked to stop; sets the outcome then. */
bool cn_call_interrupted(struct wasi_call *);
/* The result of a transfer that cannot go on, since it would wait or is interrupted, when so many bytes are
 * moved already: their number, so that a call that is done again moves none twice. An interrupted guest then goes
 * on to the next place that notices it. */
uint16_t cn_call_partly(struct wasi_call *, uint16_t error, size_t moved);
/*
 * Waits until one of the descriptors is ready or timeout_ns have passed (UINT64_MAX: for ever).
 * items has room for one more than count. Gives the number of ready ones, or -errno; -EINTR with
 * the outcome set when the call was interrupted. Lets go of the lock.
 */
int cn_call_poll(struct wasi_call *, struct pollfd *items, uint32_t count, uint64_t timeout_ns);
/*
 * Waits for one descriptor, or with NONBLOCK looks only. SUCCESS, AGAIN, or INTR with the outcome.
 * With threads, a descriptor that the host lent is ready for this one alone: the lock is held then.
 */
uint16_t cn_call_wait(struct wasi_call *, const struct wasi_fd *, short events);

/* ---- threads.c ------------------------------------------------------------------------------- */

/* link.c: defines the functions of WASI. */
catnap_error_t *cn_linker_define_function(catnap_linker_t *, const char *module, const char *name,
                                          const char *signature, catnap_callback_t, void *env,
                                          void (*finalizer)(void *env));
/* At the end of the state: ends all threads. */
void cn_threads_delete(struct wasi_threads *); /* NULL allowed */

/* ---- Shared by handlers ---------------------------------------------------------------------- */

/* clock.c: the host's clock for the guest's; false when there is none. */
bool cn_wasi_clock(uint32_t id, int *clock);
/* stat.c: the file type for a host st_mode. */
enum wasi_filetype cn_wasi_filetype(uint32_t mode);

/* Holds back SIGPIPE and SIGXFSZ, for this thread, while a write may raise them. */
struct wasi_signals {
    bool held;
    sigset_t old;
};
void cn_signals_hold(const catnap_wasi_t *, const struct wasi_fd *, struct wasi_signals *);
/* Takes away what the write raised (error is its errno or 0) and restores the mask. */
void cn_signals_release(struct wasi_signals *, int error);

#endif
