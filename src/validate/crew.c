/*
 * Bodies validated as they become known: at once by the caller or, when there are several threads,
 * in pieces of the module's order, each taken by whoever is free. Of the errors the one of the first
 * function counts, so that the outcome is that of one thread.
 */
#include <pthread.h>
#include <signal.h>

#include "base/process.h"
#include "binary/stream.h"
#include "validate/quick.h"
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

/* What one thread validates with. Where the fast validator refuses time and again, it is asked less
 * often. */
struct worker {
    struct validator *v;
    struct quick *quick;  /* or NULL */
    uint32_t skip, pause; /* bodies that are not looked at; how many after the next failure */
    struct error error;   /* of the validator */
};

struct crew {
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
    uint32_t next;         /* the first function that nobody took */
    uint32_t ready;        /* the first whose body is not known */
    uint32_t end;          /* functions from here on do not matter: one before them is invalid */
    bool closed;           /* nothing more will be ready */
    struct error error;    /* of the function `end`, when that is not behind the last */
};

/* ---- What every thread does ---- */

/* A module of less code is validated before the fast validator has made its tables. */
#define LEAST_FOR_QUICK 4096u
#define LONGEST_PAUSE 256u

static bool make_worker(struct worker *worker, const struct module *m, size_t code_bytes) {
    *worker = (struct worker){0};
    worker->v = cn_make_validator(m, &worker->error);
    if (!worker->v)
        return false;
    if (code_bytes < LEAST_FOR_QUICK || cn_quick_new(m, &worker->quick))
        return true;
    cn_drop_validator(worker->v);
    return cn_fail_memory(&worker->error);
}

static void drop_worker(struct worker *worker) {
    cn_quick_drop(worker->quick);
    cn_drop_validator(worker->v);
}

static bool looks_valid(struct worker *worker, uint32_t func, struct span body, size_t known) {
    if (!worker->quick)
        return false;
    if (worker->skip > 0) {
        worker->skip--;
        return false;
    }
    bool valid = cn_quick_valid(worker->quick, func, body, known);
    worker->pause = valid ? worker->pause / 2 : worker->pause * 2 + 1;
    if (worker->pause > LONGEST_PAUSE)
        worker->pause = LONGEST_PAUSE;
    worker->skip = valid ? 0 : worker->pause - 1;
    return valid;
}

/* From `func` on to the first that is invalid, or to `last`. */
static uint32_t validate_some(const struct crew *crew, struct worker *worker, uint32_t func,
                              uint32_t last) {
    struct span end = cn_module_body(crew->m, last - 1);
    size_t known = crew->streamed ? (size_t)end.offset + end.length + STREAM_SLACK : crew->m->size;
    for (; func < last; func++) {
        struct span body = cn_module_body(crew->m, func);
        if (!looks_valid(worker, func, body, known) && !cn_validate_with(worker->v, func, body))
            break;
    }
    return func;
}

/* Where a body is, without looking there: its size may be far from any cache. */
static uint64_t place(const struct crew *crew, uint32_t func) {
    return crew->m->bodies[func - crew->m->imported_func_count];
}

/* Takes the next piece, waiting for one if need be; false when there will be none. */
static bool take_piece(struct crew *crew, bool wait, uint32_t *first, uint32_t *last) {
    pthread_mutex_lock(&crew->mutex);
    while (wait && crew->next == crew->ready && crew->next < crew->end && !crew->closed)
        pthread_cond_wait(&crew->more, &crew->mutex);
    *first = crew->next;
    while (crew->next < crew->ready && crew->next < crew->end &&
           place(crew, crew->next) - place(crew, *first) < PIECE_BYTES)
        crew->next++;
    *last = crew->next;
    pthread_mutex_unlock(&crew->mutex);
    return *first < *last;
}

static void report(struct crew *crew, uint32_t func, const struct error *error) {
    pthread_mutex_lock(&crew->mutex);
    if (func < crew->end) {
        crew->end = func;
        crew->error = *error;
    }
    pthread_mutex_unlock(&crew->mutex);
}

static bool work_once(struct crew *crew, struct worker *worker, bool wait) {
    uint32_t first, last;
    if (!take_piece(crew, wait, &first, &last))
        return false;
    uint32_t func = validate_some(crew, worker, first, last);
    if (func < last)
        report(crew, func, &worker->error);
    return true;
}

static void work(struct crew *crew, struct worker *worker, bool wait) {
    while (work_once(crew, worker, wait)) {
    }
}

/* A helper without memory leaves the work to the others. */
static void *help(void *env) {
    struct crew *crew = env;
    struct worker worker;
    if (!make_worker(&worker, crew->m, SIZE_MAX))
        return NULL;
    work(crew, &worker, true);
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
static bool start_thread(pthread_t *thread, struct crew *crew) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(thread, NULL, help, crew) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* Helpers that cannot be started are done without. */
static void start_helpers(struct crew *crew, uint32_t count) {
    if (count == 0 || pthread_mutex_init(&crew->mutex, NULL) != 0)
        return;
    if (pthread_cond_init(&crew->more, NULL) != 0) {
        pthread_mutex_destroy(&crew->mutex);
        return;
    }
    while (crew->helper_count < count && start_thread(&crew->helpers[crew->helper_count], crew))
        crew->helper_count++;
    if (crew->helper_count == 0) {
        pthread_cond_destroy(&crew->more);
        pthread_mutex_destroy(&crew->mutex);
    }
}

struct crew *cn_crew_new(const struct module *m, size_t code_bytes, uint32_t threads, bool streamed,
                         struct error *error) {
    struct crew *crew = cn_calloc(m->alloc, 1, sizeof *crew);
    if (!crew) {
        cn_fail_memory(error);
        return NULL;
    }
    crew->m = m;
    crew->next = crew->ready = crew->announced = crew->known = m->imported_func_count;
    crew->end = m->func_count;
    crew->streamed = streamed;
    crew->process = cn_os_process();
    if (!make_worker(&crew->own, m, code_bytes)) {
        *error = crew->own.error;
        cn_free(m->alloc, crew, sizeof *crew);
        return NULL;
    }
    start_helpers(crew, useful_helpers(code_bytes, threads, streamed && threads > 1));
    return crew;
}

/* ---- What the caller does ---- */

static void validate_alone(struct crew *crew, uint32_t end) {
    if (end > crew->end)
        end = crew->end;
    if (crew->next >= end)
        return;
    crew->next = validate_some(crew, &crew->own, crew->next, end);
    if (crew->next < end) {
        crew->error = crew->own.error;
        crew->end = crew->next;
    }
}

/* Whether there is more than the helpers will want soon. */
static bool announce(struct crew *crew, uint32_t end, bool closed) {
    pthread_mutex_lock(&crew->mutex);
    crew->ready = crew->announced = end;
    crew->closed = closed;
    bool plenty = crew->next < end && place(crew, end - 1) - place(crew, crew->next) >
                                          (uint64_t)PIECES_AHEAD * crew->helper_count * PIECE_BYTES;
    pthread_cond_broadcast(&crew->more);
    pthread_mutex_unlock(&crew->mutex);
    return plenty;
}

/* In a child after fork() there are no helpers, and what they were at is not known: the caller begins
 * again, alone. The mutex may be locked for ever and is left alone. */
static void expect_helpers(struct crew *crew) {
    if (crew->helper_count == 0 || crew->process == cn_os_process())
        return;
    crew->helper_count = 0;
    crew->next = crew->m->imported_func_count;
    crew->end = crew->m->func_count;
    validate_alone(crew, crew->known);
}

void cn_crew_ready(struct crew *crew, uint32_t end) {
    expect_helpers(crew);
    if (crew->helper_count == 0) {
        validate_alone(crew, end);
        return;
    }
    crew->known = end;
    if (end > crew->announced &&
        place(crew, end - 1) - place(crew, crew->announced) >= PIECE_BYTES &&
        announce(crew, end, false) && !crew->streamed)
        work_once(crew, &crew->own, false);
}

bool cn_crew_failed(struct crew *crew) {
    expect_helpers(crew);
    if (crew->helper_count == 0)
        return crew->end < crew->m->func_count;
    pthread_mutex_lock(&crew->mutex);
    bool failed = crew->end < crew->m->func_count;
    pthread_mutex_unlock(&crew->mutex);
    return failed;
}

static void join_helpers(struct crew *crew) {
    if (crew->helper_count == 0)
        return;
    for (uint32_t i = 0; i < crew->helper_count; i++)
        pthread_join(crew->helpers[i], NULL);
    pthread_cond_destroy(&crew->more);
    pthread_mutex_destroy(&crew->mutex);
}

static void free_crew(struct crew *crew) {
    drop_worker(&crew->own);
    cn_free(crew->m->alloc, crew, sizeof *crew);
}

bool cn_crew_finish(struct crew *crew, struct error *error) {
    expect_helpers(crew);
    if (crew->helper_count > 0) {
        announce(crew, crew->known, true);
        work(crew, &crew->own, false);
        join_helpers(crew);
    }
    bool valid = crew->end == crew->m->func_count;
    if (!valid)
        *error = crew->error;
    free_crew(crew);
    return valid;
}

void cn_crew_drop(struct crew *crew) {
    if (!crew)
        return;
    if (crew->process != cn_os_process())
        crew->helper_count = 0;
    if (crew->helper_count > 0) {
        pthread_mutex_lock(&crew->mutex);
        crew->end = crew->next; /* nothing is left that matters */
        crew->closed = true;
        pthread_cond_broadcast(&crew->more);
        pthread_mutex_unlock(&crew->mutex);
    }
    join_helpers(crew);
    free_crew(crew);
}
