/* Translation by threads, see background.h. */
#include "code/background.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/platform.h"
#include "base/process.h"
#include "binary/walk.h"
#include "runtime/shared.h"

/* ---- Functions under way ---- */

/* Functions of all jobs of a module; a place that is not in use is CN_NO_FUNC. Threads do not go
 * along with fork(): a child has others, and never waits for those. */
struct translators {
    uint64_t process;
    struct translators *older; /* of a process that this one descends from */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint32_t under_way[BACKGROUND_THREADS];
};

/* Translating a byte takes about that long, in nanoseconds, until it was measured. */
#define USUAL_NS_PER_BYTE 100u
#define LONGEST_WAIT_NS UINT64_C(50000000)

static struct translators *make_translators(struct alloc *alloc) {
    struct translators *t = cn_alloc(alloc, sizeof *t);
    pthread_condattr_t attributes;
    if (!t)
        return NULL;
    t->process = cn_os_process();
    t->older = NULL;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    for (uint32_t i = 0; i < BACKGROUND_THREADS; i++)
        t->under_way[i] = CN_NO_FUNC;
    return t;
}

/* Mutexes of the parent's may be in any state, and are not touched. */
static void free_translators(struct alloc *alloc, struct translators *t) {
    for (struct translators *older; t; t = older) {
        older = t->older;
        if (t->process == cn_os_process()) {
            pthread_cond_destroy(&t->changed);
            pthread_mutex_destroy(&t->mutex);
        }
        cn_free(alloc, t, sizeof *t);
    }
}

void cn_translators_free(struct shared_module *shared) {
    free_translators(shared->module->alloc, atomic_load(&shared->code.translators));
}

/* The module's, made when it has none. */
static struct translators *get_translators(struct shared_module *shared) {
    struct alloc *alloc = shared->module->alloc;
    struct translators *t = atomic_load(&shared->code.translators);
    if (t && t->process == cn_os_process())
        return t;
    struct translators *made = make_translators(alloc);
    if (!made)
        return NULL;
    cn_code_own(shared);
    made->older = t;
    if (atomic_compare_exchange_strong(&shared->code.translators, &t, made))
        return made;
    made->older = NULL;
    free_translators(alloc, made);
    return t;
}

static uint32_t place_of(const struct translators *t, uint32_t func) {
    uint32_t place = 0;
    while (place < BACKGROUND_THREADS && t->under_way[place] != func)
        place++;
    return place;
}

/* When no place is free, other threads cannot wait for the function: they translate it too. */
static void begin(struct translators *t, uint32_t func) {
    pthread_mutex_lock(&t->mutex);
    uint32_t place = place_of(t, CN_NO_FUNC);
    if (place < BACKGROUND_THREADS)
        t->under_way[place] = func;
    pthread_mutex_unlock(&t->mutex);
}

static void end(struct translators *t, uint32_t func) {
    pthread_mutex_lock(&t->mutex);
    uint32_t place = place_of(t, func);
    if (place < BACKGROUND_THREADS)
        t->under_way[place] = CN_NO_FUNC;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->mutex);
}

/* How long translating the function would take, from what it took so far. */
static uint64_t own_time(struct shared_module *shared, const struct code_variant *variant,
                         uint32_t func) {
    const struct module *module = shared->module;
    uint64_t bytes = atomic_load(&shared->code.translated_bytes);
    uint64_t rate =
        bytes > 0 ? atomic_load(&shared->code.translate_ns) / bytes + 1 : USUAL_NS_PER_BYTE;
    uint64_t word = atomic_load(&variant->words[func - module->imported_func_count]);
    if (!(word & CODE_UNTRANSLATED))
        return 0;
    uint64_t time = cn_module_body(module, func).length * rate;
    return time < LONGEST_WAIT_NS ? time : LONGEST_WAIT_NS;
}

void cn_translators_await(struct shared_module *shared, const struct code_variant *variant,
                          uint32_t func) {
    struct translators *t = atomic_load_explicit(&shared->code.translators, memory_order_acquire);
    if (!t || t->process != cn_os_process())
        return;
    uint64_t until = cn_os_monotonic_ns() + own_time(shared, variant, func);
    struct timespec deadline = {(time_t)(until / UINT64_C(1000000000)),
                                (long)(until % UINT64_C(1000000000))};
    pthread_mutex_lock(&t->mutex);
    while (place_of(t, func) < BACKGROUND_THREADS &&
           pthread_cond_timedwait(&t->changed, &t->mutex, &deadline) == 0) {
    }
    pthread_mutex_unlock(&t->mutex);
}

/* ---- Jobs ---- */

struct background {
    struct shared_module *shared;
    struct module *module;
    struct translators *translators;
    struct code_variant *variant;
    uint64_t process;      /* whose threads these are */
    pthread_mutex_t mutex; /* over what follows, once it has started */
    pthread_cond_t changed;
    uint32_t *queue; /* room for each function twice: alone and with its calls */
    uint64_t head, tail;
    uint8_t *marks;     /* of defined functions: MARK_* */
    uint32_t next, all; /* the rest: the next function, and the end of all or 0 */
    uint32_t threads, running, busy;
    bool cancelled, failed;
    struct error error; /* the first */
    pthread_t thread[BACKGROUND_THREADS];
};

#define MARK_QUEUED 1u
#define MARK_CALLS 2u
#define WITH_CALLS UINT32_C(0x80000000)

static uint32_t defined(const struct module *module) {
    return module->func_count - module->imported_func_count;
}

static void free_job(struct background *job) {
    struct alloc *alloc = &job->shared->engine->alloc;
    struct shared_module *shared = job->shared;
    uint32_t count = defined(job->module);
    wasm_engine_t *engine = shared->engine;
    cn_engine_retain(engine); /* the allocator is needed beyond the module */
    cn_free(alloc, job->queue, (size_t)count * 2 * sizeof *job->queue);
    cn_free(alloc, job->marks, count);
    cn_free(alloc, job, sizeof *job);
    cn_shared_release(shared);
    cn_engine_release(engine);
}

struct background *cn_background_new(struct shared_module *shared, struct code_variant *variant) {
    struct alloc *alloc = &shared->engine->alloc;
    struct module *module = shared->module;
    struct background *job = cn_calloc(alloc, 1, sizeof *job);
    if (!job)
        return NULL;
    cn_shared_retain(shared);
    job->shared = shared;
    job->module = module;
    job->variant = variant;
    job->process = cn_os_process();
    job->next = module->imported_func_count;
    job->queue = cn_calloc(alloc, (size_t)defined(module) * 2, sizeof *job->queue);
    job->marks = cn_calloc(alloc, defined(module), 1);
    job->translators = get_translators(shared);
    if (!job->queue || !job->marks || !job->translators) {
        free_job(job);
        return NULL;
    }
    pthread_mutex_init(&job->mutex, NULL);
    pthread_cond_init(&job->changed, NULL);
    return job;
}

void cn_background_add(struct background *job, uint32_t func, bool calls) {
    if (func < job->module->imported_func_count)
        return;
    uint8_t *mark = &job->marks[func - job->module->imported_func_count];
    if (*mark & (calls ? MARK_CALLS : MARK_CALLS | MARK_QUEUED))
        return;
    *mark |= calls ? MARK_CALLS : MARK_QUEUED;
    job->queue[job->tail++] = func | (calls ? WITH_CALLS : 0);
}

void cn_background_add_all(struct background *job) {
    job->all = job->module->func_count;
}

/* ---- Call trees ---- */

/* Adds what the body of a translated function calls or refers to. */
static void add_calls(struct background *job, const struct code *code) {
    const struct module *module = job->module;
    const uint8_t *at = module->bytes + code->body.offset, *end = at + code->body.length;
    cn_skip_locals(&at);
    while (at < end) {
        enum opcode opcode = cn_opcode_valid(&at);
        const uint8_t *index = at;
        cn_skip_immediates(&at, opcode);
        if (cn_op_info[opcode].immediate != IMM_FUNC)
            continue;
        pthread_mutex_lock(&job->mutex);
        cn_background_add(job, cn_u32_valid(&index), true);
        pthread_cond_signal(&job->changed);
        pthread_mutex_unlock(&job->mutex);
    }
}

/* ---- Threads ---- */

/* The next function that is not queued. */
static bool take_rest(struct background *job, uint32_t *func) {
    uint32_t first = job->module->imported_func_count;
    while (job->next < job->all && job->marks[job->next - first])
        job->next++;
    if (job->next >= job->all)
        return false;
    job->marks[job->next - first] |= MARK_QUEUED;
    *func = job->next++;
    return true;
}

/* False when there is nothing left, and no thread is busy that might find more. */
static bool take(struct background *job, uint32_t *func) {
    for (;;) {
        if (job->cancelled)
            return false;
        if (job->head < job->tail) {
            *func = job->queue[job->head++];
            return true;
        }
        if (take_rest(job, func))
            return true;
        if (job->busy == 0)
            return false;
        pthread_cond_wait(&job->changed, &job->mutex);
    }
}

/* A function that cannot be translated fails again when it is called, and tells its caller then. */
static void note_failure(struct background *job, uint32_t func, const struct error *error) {
    pthread_mutex_lock(&job->mutex);
    if (!job->failed) {
        job->failed = true;
        job->error = *error;
        job->error.func = func;
    }
    pthread_mutex_unlock(&job->mutex);
}

static void translate(struct background *job, uint32_t item) {
    struct error error;
    uint32_t func = item & ~WITH_CALLS;
    begin(job->translators, func);
    const struct code *code = cn_code_get(job->shared, job->variant, func, NULL, &error);
    end(job->translators, func);
    if (!code)
        note_failure(job, func, &error);
    else if (item & WITH_CALLS)
        add_calls(job, code);
}

static void *work(void *env) {
    struct background *job = env;
    uint32_t item;
    pthread_mutex_lock(&job->mutex);
    while (take(job, &item)) {
        job->busy++;
        pthread_mutex_unlock(&job->mutex);
        translate(job, item);
        pthread_mutex_lock(&job->mutex);
        job->busy--;
    }
    job->running--;
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->mutex);
    return NULL;
}

/* The host's signals are for the host's threads. */
bool cn_background_start(struct background *job, uint32_t threads) {
    sigset_t all, before;
    threads = threads < 1 ? 1 : threads > BACKGROUND_THREADS ? BACKGROUND_THREADS : threads;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&job->mutex);
    while (job->threads < threads &&
           pthread_create(&job->thread[job->threads], NULL, work, job) == 0)
        job->running = ++job->threads;
    pthread_mutex_unlock(&job->mutex);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return job->threads > 0;
}

/* In a child after fork() there is no thread: the job has ended, what is left is translated by the first
 * calls, and the mutex, which may be locked for ever, is left alone. */
static bool is_foreign(const struct background *job) {
    return job->process != cn_os_process();
}

bool cn_background_ended(struct background *job) {
    if (is_foreign(job))
        return true;
    pthread_mutex_lock(&job->mutex);
    bool ended = job->running == 0;
    pthread_mutex_unlock(&job->mutex);
    return ended;
}

bool cn_background_wait(struct background *job, struct error *error) {
    if (is_foreign(job))
        return true;
    pthread_mutex_lock(&job->mutex);
    while (job->running > 0)
        pthread_cond_wait(&job->changed, &job->mutex);
    bool failed = job->failed;
    if (failed)
        *error = job->error;
    pthread_mutex_unlock(&job->mutex);
    return !failed;
}

void cn_background_cancel(struct background *job) {
    if (is_foreign(job))
        return;
    pthread_mutex_lock(&job->mutex);
    job->cancelled = true;
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->mutex);
}

void cn_background_delete(struct background *job) {
    cn_background_cancel(job);
    for (uint32_t i = 0; i < job->threads && !is_foreign(job); i++)
        pthread_join(job->thread[i], NULL);
    if (!is_foreign(job)) {
        pthread_cond_destroy(&job->changed);
        pthread_mutex_destroy(&job->mutex);
    }
    free_job(job);
}
