/*
 * Bodies validated as they become known: at once by the caller or, when there are several threads,
 * in pieces of the module's order, each taken by the next free one. Of the errors the one of the first
 * function counts, so that the outcome is that of one thread.
 */
#include <pthread.h>
#include <signal.h>

#include "base/process.h"
#include "binary/stream.h"
#include "validate/fast.h"
#include "validate/validate.h"
#include "validate/validator.h"

/* Enough work that taking a piece costs nothing beside it, and few enough bytes at stake that all
 * threads end at about the same time. */
#define PIECE_BYTES 32768u
/* So many for each helper are there before the caller stops finding bodies and validates one itself:
 * what it finds is still in its cache then. */
#define PIECES_AHEAD 3u
/* A thread is not worth starting for less. */
#define THREAD_BYTES 65536u
#define MOST_THREADS 64u

/* The state of one thread's validation. Where the fast validator refuses time and again, it is asked less
 * often. */
struct worker {
    struct validator *v;
    struct fast *fast;    /* or NULL */
    uint32_t skip, pause; /* bodies that are not looked at; how many after the next failure */
    struct error error;   /* of the validator */
};

struct workers {
    const struct module *m;
    struct worker own;  /* the caller's */
    bool streamed;      /* bytes behind the bodies that are ready may not be there yet */
    uint32_t known;     /* the first function whose body the caller does not know */
    uint32_t announced; /* `ready`, as the caller left it */
    uint64_t process;   /* whose threads the helpers are */
    uint32_t helper_count;
    pthread_t helpers[MOST_THREADS];

    pthread_mutex_t mutex; /* guards what follows, while there are helpers */
    pthread_cond_t more;   /* `ready` or `closed` has changed */
    uint32_t next;         /* the first function that is not taken */
    uint32_t ready;        /* the first whose body is not known */
    uint32_t end;          /* functions from here on do not matter: one before them is invalid */
    bool closed;           /* nothing more will be ready */
    struct error error;    /* of the function `end`, when that is not behind the last */
};

/* ---- Each thread ---- */

/* A module of less code is validated before the fast validator has made its tables. */
#define LEAST_FOR_FAST 4096u
#define LONGEST_PAUSE 256u

static bool make_worker(struct worker *worker, const struct module *m, size_t code_bytes) {
    *worker = (struct worker){0};
    worker->v = cn_make_validator(m, &worker->error);
    if (!worker->v)
        return false;
    if (code_bytes < LEAST_FOR_FAST || cn_fast_new(m, &worker->fast))
        return true;
    cn_drop_validator(worker->v);
    return cn_fail_memory(&worker->error);
}

static void drop_worker(struct worker *worker) {
    cn_fast_drop(worker->fast);
    cn_drop_validator(worker->v);
}

static bool looks_valid(struct worker *worker, uint32_t func, struct span body, size_t known) {
    if (!worker->fast)
        return false;
    if (worker->skip > 0) {
        worker->skip--;
        return false;
    }
    bool valid = cn_fast_valid(worker->fast, func, body, known);
    worker->pause = valid ? worker->pause / 2 : worker->pause * 2 + 1;
    if (worker->pause > LONGEST_PAUSE)
        worker->pause = LONGEST_PAUSE;
    worker->skip = valid ? 0 : worker->pause - 1;
    return valid;
}

/* From `func` on to the first that is invalid, or to `last`. */
static uint32_t validate_some(const struct workers *workers, struct worker *worker, uint32_t func,
                              uint32_t last) {
    struct span end = cn_module_body(workers->m, last - 1);
    size_t known =
        workers->streamed ? (size_t)end.offset + end.length + STREAM_SLACK : workers->m->size;
    for (; func < last; func++) {
        struct span body = cn_module_body(workers->m, func);
        if (!looks_valid(worker, func, body, known) && !cn_validate_with(worker->v, func, body))
            break;
    }
    return func;
}

/* Where a body is, without looking there: its size may be far from any cache. */
static uint64_t place(const struct workers *workers, uint32_t func) {
    return workers->m->bodies[func - workers->m->imported_func_count];
}

/* Takes the next piece, waiting for one if need be; false when there will be none. */
static bool take_piece(struct workers *workers, bool wait, uint32_t *first, uint32_t *last) {
    pthread_mutex_lock(&workers->mutex);
    while (wait && workers->next == workers->ready && workers->next < workers->end &&
           !workers->closed)
        pthread_cond_wait(&workers->more, &workers->mutex);
    *first = workers->next;
    while (workers->next < workers->ready && workers->next < workers->end &&
           place(workers, workers->next) - place(workers, *first) < PIECE_BYTES)
        workers->next++;
    *last = workers->next;
    pthread_mutex_unlock(&workers->mutex);
    return *first < *last;
}

static void report(struct workers *workers, uint32_t func, const struct error *error) {
    pthread_mutex_lock(&workers->mutex);
    if (func < workers->end) {
        workers->end = func;
        workers->error = *error;
    }
    pthread_mutex_unlock(&workers->mutex);
}

static bool work_once(struct workers *workers, struct worker *worker, bool wait) {
    uint32_t first, last;
    if (!take_piece(workers, wait, &first, &last))
        return false;
    uint32_t func = validate_some(workers, worker, first, last);
    if (func < last)
        report(workers, func, &worker->error);
    return true;
}

static void work(struct workers *workers, struct worker *worker, bool wait) {
    while (work_once(workers, worker, wait)) {
    }
}

/* A helper without memory leaves the work to the others. */
static void *help(void *env) {
    struct workers *workers = env;
    struct worker worker;
    if (!make_worker(&worker, workers->m, SIZE_MAX))
        return NULL;
    work(workers, &worker, true);
    drop_worker(&worker);
    return NULL;
}

/* ---- Starting ---- */

/* More threads than there is work for would wait for nothing. */
static uint32_t useful_helpers(size_t code_bytes, uint32_t threads, bool apart) {
    uint64_t worth = code_bytes / THREAD_BYTES + 1;
    if (threads > MOST_THREADS)
        threads = MOST_THREADS;
    if (threads > worth)
        threads = (uint32_t)worth;
    uint32_t helpers = threads > 0 ? threads - 1 : 0;
    return apart && helpers == 0 ? 1 : helpers;
}

/* The host's signals are for the host's threads. */
static bool start_thread(pthread_t *thread, struct workers *workers) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(thread, NULL, help, workers) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* Helpers that cannot be started are done without. */
static void start_helpers(struct workers *workers, uint32_t count) {
    if (count == 0 || pthread_mutex_init(&workers->mutex, NULL) != 0)
        return;
    if (pthread_cond_init(&workers->more, NULL) != 0) {
        pthread_mutex_destroy(&workers->mutex);
        return;
    }
    while (workers->helper_count < count &&
           start_thread(&workers->helpers[workers->helper_count], workers))
        workers->helper_count++;
    if (workers->helper_count == 0) {
        pthread_cond_destroy(&workers->more);
        pthread_mutex_destroy(&workers->mutex);
    }
}

struct workers *cn_workers_new(const struct module *m, size_t code_bytes, uint32_t threads,
                               bool streamed, struct error *error) {
    struct workers *workers = cn_calloc(m->alloc, 1, sizeof *workers);
    if (!workers) {
        cn_fail_memory(error);
        return NULL;
    }
    workers->m = m;
    workers->next = workers->ready = workers->announced = workers->known = m->imported_func_count;
    workers->end = m->func_count;
    workers->streamed = streamed;
    workers->process = cn_os_process();
    if (!make_worker(&workers->own, m, code_bytes)) {
        *error = workers->own.error;
        cn_free(m->alloc, workers, sizeof *workers);
        return NULL;
    }
    start_helpers(workers, useful_helpers(code_bytes, threads, streamed && threads > 1));
    return workers;
}

/* ---- The calling thread ---- */

static void validate_alone(struct workers *workers, uint32_t end) {
    if (end > workers->end)
        end = workers->end;
    if (workers->next >= end)
        return;
    workers->next = validate_some(workers, &workers->own, workers->next, end);
    if (workers->next < end) {
        workers->error = workers->own.error;
        workers->end = workers->next;
    }
}

/* Whether there is more than the helpers will want soon. */
static bool announce(struct workers *workers, uint32_t end, bool closed) {
    pthread_mutex_lock(&workers->mutex);
    workers->ready = workers->announced = end;
    workers->closed = closed;
    bool plenty =
        workers->next < end && place(workers, end - 1) - place(workers, workers->next) >
                                   (uint64_t)PIECES_AHEAD * workers->helper_count * PIECE_BYTES;
    pthread_cond_broadcast(&workers->more);
    pthread_mutex_unlock(&workers->mutex);
    return plenty;
}

/* In a child after fork() there are no helpers, and what they were at is not known: the caller begins
 * again, alone. The mutex may be locked for ever and is left alone. */
static void expect_helpers(struct workers *workers) {
    if (workers->helper_count == 0 || workers->process == cn_os_process())
        return;
    workers->helper_count = 0;
    workers->next = workers->m->imported_func_count;
    workers->end = workers->m->func_count;
    validate_alone(workers, workers->known);
}

void cn_workers_ready(struct workers *workers, uint32_t end) {
    expect_helpers(workers);
    if (workers->helper_count == 0) {
        validate_alone(workers, end);
        return;
    }
    workers->known = end;
    if (end > workers->announced &&
        place(workers, end - 1) - place(workers, workers->announced) >= PIECE_BYTES &&
        announce(workers, end, false) && !workers->streamed)
        work_once(workers, &workers->own, false);
}

bool cn_workers_failed(struct workers *workers) {
    expect_helpers(workers);
    if (workers->helper_count == 0)
        return workers->end < workers->m->func_count;
    pthread_mutex_lock(&workers->mutex);
    bool failed = workers->end < workers->m->func_count;
    pthread_mutex_unlock(&workers->mutex);
    return failed;
}

static void join_helpers(struct workers *workers) {
    if (workers->helper_count == 0)
        return;
    for (uint32_t i = 0; i < workers->helper_count; i++)
        pthread_join(workers->helpers[i], NULL);
    pthread_cond_destroy(&workers->more);
    pthread_mutex_destroy(&workers->mutex);
}

static void free_workers(struct workers *workers) {
    drop_worker(&workers->own);
    cn_free(workers->m->alloc, workers, sizeof *workers);
}

bool cn_workers_finish(struct workers *workers, struct error *error) {
    expect_helpers(workers);
    if (workers->helper_count > 0) {
        announce(workers, workers->known, true);
        work(workers, &workers->own, false);
        join_helpers(workers);
    }
    bool valid = workers->end == workers->m->func_count;
    if (!valid)
        *error = workers->error;
    free_workers(workers);
    return valid;
}

void cn_workers_drop(struct workers *workers) {
    if (!workers)
        return;
    if (workers->process != cn_os_process())
        workers->helper_count = 0;
    if (workers->helper_count > 0) {
        pthread_mutex_lock(&workers->mutex);
        workers->end = workers->next; /* nothing is left that matters */
        workers->closed = true;
        pthread_cond_broadcast(&workers->more);
        pthread_mutex_unlock(&workers->mutex);
    }
    join_helpers(workers);
    free_workers(workers);
}
