/*
 * Bodies validated by several threads: pieces of the module in order, each taken by whoever is free.
 * Of the errors the one of the first function counts, so that the outcome is that of one thread.
 */
#include <pthread.h>
#include <signal.h>

#include "validate/validate.h"
#include "validate/validator.h"

/* Enough work that taking a piece costs nothing beside it, and few enough bytes at stake that all
 * threads end at about the same time. */
#define PIECE_BYTES 65536u
#define MOST_THREADS 64u

struct crew {
    const struct module *m;
    pthread_mutex_t mutex; /* guards what follows */
    uint32_t next;         /* the first function of the next piece */
    uint32_t end;          /* functions from here on do not matter: one before them is invalid */
    struct error *error;
};

/* Takes the next piece; false when there is none. */
static bool take_piece(struct crew *crew, uint32_t *first, uint32_t *last) {
    const struct module *m = crew->m;
    uint64_t bytes = 0;
    pthread_mutex_lock(&crew->mutex);
    *first = crew->next;
    while (crew->next < crew->end && bytes < PIECE_BYTES)
        bytes += cn_untranslated_body(m, crew->next++).length;
    *last = crew->next;
    pthread_mutex_unlock(&crew->mutex);
    return *first < *last;
}

static void report(struct crew *crew, uint32_t func, const struct error *error) {
    pthread_mutex_lock(&crew->mutex);
    if (func < crew->end) {
        crew->end = func;
        *crew->error = *error;
    }
    pthread_mutex_unlock(&crew->mutex);
}

/* False when there is no memory to begin with. */
static bool work(struct crew *crew, struct error *error) {
    uint32_t first, last;
    struct validator *v = cn_make_validator(crew->m, error);
    if (!v)
        return false;
    while (take_piece(crew, &first, &last)) {
        uint32_t func = first;
        while (func < last && cn_validate_with(v, func, cn_untranslated_body(crew->m, func)))
            func++;
        if (func < last)
            report(crew, func, error);
    }
    cn_drop_validator(v);
    return true;
}

static void *help(void *crew) {
    struct error error;
    work(crew, &error);
    return NULL;
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

/* More threads than pieces would wait for nothing. */
static uint32_t useful_threads(const struct module *m, uint32_t threads) {
    uint64_t pieces = m->code_bytes / PIECE_BYTES + 1;
    if (threads > MOST_THREADS)
        threads = MOST_THREADS;
    return threads > pieces ? (uint32_t)pieces : threads;
}

/* Those that cannot be started are done without: the caller works too. */
static bool validate_together(const struct module *m, uint32_t threads, struct error *error) {
    pthread_t helpers[MOST_THREADS];
    uint32_t started = 0;
    struct crew crew = {
        .m = m, .next = m->imported_func_count, .end = m->func_count, .error = error};
    struct error own;
    if (pthread_mutex_init(&crew.mutex, NULL) != 0)
        return cn_fail_memory(error);
    while (started + 1 < threads && start_thread(&helpers[started], &crew))
        started++;
    bool worked = work(&crew, &own);
    for (uint32_t i = 0; i < started; i++)
        pthread_join(helpers[i], NULL);
    pthread_mutex_destroy(&crew.mutex);
    if (!worked && crew.end == m->func_count)
        *error = own;
    return worked && crew.end == m->func_count;
}

bool cn_validate_bodies_by(const struct module *m, uint32_t threads, struct error *error) {
    threads = useful_threads(m, threads);
    if (threads < 2)
        return cn_validate_bodies(m, error);
    if (validate_together(m, threads, error))
        return true;
    cn_prefer_malformed(m, error);
    return false;
}
