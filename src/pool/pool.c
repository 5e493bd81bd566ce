/* Pools: slots are given to callers, callers wait for slots, and slots that come back are reset. */
#include "pool/pool.h"
#include "base/assert.h"
#include "runtime/instance.h"
#include "runtime/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- Lists of idle slots ---- */

static struct catnap_pool_slot_t **bucket_of(catnap_pool_t *pool, uint64_t tenant) {
    return &pool->buckets[(tenant * UINT64_C(0x9E3779B97F4A7C15) >> 32) % POOL_BUCKETS];
}

static struct slot_list *list_of(catnap_pool_t *pool, const struct catnap_pool_slot_t *slot) {
    return slot->kept ? &pool->kept : &pool->clean;
}

static void put_idle(catnap_pool_t *pool, struct catnap_pool_slot_t *slot) {
    struct slot_list *list = list_of(pool, slot);
    CN_ASSERT(slot->state == SLOT_OUT && slot->store);
    CN_ASSERT(!list->latest == !list->oldest);
    slot->state = SLOT_IDLE;
    slot->previous = NULL;
    slot->next = list->latest;
    if (slot->next)
        slot->next->previous = slot;
    else
        list->oldest = slot;
    list->latest = slot;
    if (!slot->kept)
        return;
    struct catnap_pool_slot_t **bucket = bucket_of(pool, slot->tenant);
    slot->chain = *bucket;
    *bucket = slot;
}

static void unchain(catnap_pool_t *pool, struct catnap_pool_slot_t *slot) {
    struct catnap_pool_slot_t **link = bucket_of(pool, slot->tenant);
    while (*link != slot)
        link = &(*link)->chain;
    *link = slot->chain;
}

/* NULL is allowed, and stays. */
static struct catnap_pool_slot_t *take_idle(catnap_pool_t *pool, struct catnap_pool_slot_t *slot) {
    if (!slot)
        return NULL;
    CN_ASSERT(slot->state == SLOT_IDLE && slot->store);
    struct slot_list *list = list_of(pool, slot);
    *(slot->previous ? &slot->previous->next : &list->latest) = slot->next;
    *(slot->next ? &slot->next->previous : &list->oldest) = slot->previous;
    if (slot->kept)
        unchain(pool, slot);
    slot->state = SLOT_OUT;
    return slot;
}

/* Of several the one that was used last, which is the first of its chain. */
static struct catnap_pool_slot_t *find_kept(catnap_pool_t *pool, uint64_t tenant) {
    struct catnap_pool_slot_t *slot = *bucket_of(pool, tenant);
    while (slot && slot->tenant != tenant)
        slot = slot->chain;
    CN_ASSERT(!slot || (slot->state == SLOT_IDLE && slot->kept));
    return slot;
}

/* ---- Choosing ---- */

/* Whether one more may be made. The memory that slots under way will take is not known yet; it is set aside. */
static bool has_room(const catnap_pool_t *pool) {
    const struct budget *budget = pool->budget;
    uint64_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
    uint64_t left = used < budget->limit ? budget->limit - used : 0;
    if (pool->stats.slots == 0)
        return true;
    return pool->stats.slots < pool->options.max_slots &&
           left / (pool->making + 1) >= pool->slot_bytes;
}

/* Sees to it that there is an empty slot for the caller beside one for each thread that waits, unless
 * there are as many slots as there may be. Gives the mutex up while it allocates; without memory
 * there is none. */
static void provide_empty(catnap_pool_t *pool) {
    while (pool->empty_count <= pool->stats.waiting && pool->all_count < pool->options.max_slots) {
        pthread_mutex_unlock(&pool->mutex);
        struct catnap_pool_slot_t *slot = cn_alloc(pool->alloc, sizeof *slot);
        pthread_mutex_lock(&pool->mutex);
        if (!slot)
            return;
        *slot = (struct catnap_pool_slot_t){.pool = pool, .all = pool->all, .next = pool->empty};
        pool->all = pool->empty = slot;
        pool->all_count++;
        pool->empty_count++;
    }
}

/* How many slots are made until the mappings of the process are counted again. */
#define LOOK_EVERY 256u

/* An empty slot, which counts from now on; NULL when memory is exhausted. */
static struct catnap_pool_slot_t *take_empty(catnap_pool_t *pool) {
    struct catnap_pool_slot_t *slot = pool->empty;
    if (!slot)
        return NULL;
    pool->empty = slot->next;
    pool->empty_count--;
    slot->state = SLOT_OUT;
    pool->stats.slots++;
    slot->looks = pool->stats.slots % LOOK_EVERY == 0;
    pool->making++;
    CN_ASSERT(!slot->store && pool->making <= pool->stats.slots);
    CN_ASSERT(pool->empty_count + pool->stats.slots == pool->all_count);
    return slot;
}

/* Whether there is a slot for the tenant, in *slot; that is empty when it is to be made, and NULL
 * when there is no memory for one. */
static bool choose(catnap_pool_t *pool, uint64_t tenant, struct catnap_pool_slot_t **slot) {
    *slot = take_idle(pool, find_kept(pool, tenant));
    if (!*slot)
        *slot = take_idle(pool, pool->clean.latest);
    if (!*slot && has_room(pool)) {
        *slot = take_empty(pool);
        return true;
    }
    if (!*slot)
        *slot = take_idle(pool, pool->kept.oldest);
    return *slot != NULL;
}

/* ---- Waiting ---- */

static void dequeue_first(catnap_pool_t *pool, struct catnap_pool_slot_t *slot) {
    struct waiter *waiter = pool->first_waiter;
    CN_ASSERT(!waiter->done && pool->stats.waiting > 0);
    pool->first_waiter = waiter->next;
    if (!pool->first_waiter)
        pool->last_waiter = NULL;
    pool->stats.waiting--;
    waiter->slot = slot;
    waiter->done = true;
    pthread_cond_signal(&waiter->served);
}

/* Gives slots that have become free to the threads that wait, in turn. */
static void serve(catnap_pool_t *pool) {
    struct catnap_pool_slot_t *slot;
    while (pool->first_waiter && choose(pool, pool->first_waiter->tenant, &slot)) {
        pool->stats.busy += slot != NULL;
        dequeue_first(pool, slot);
    }
}

static void leave_queue(catnap_pool_t *pool, struct waiter *waiter) {
    struct waiter **link = &pool->first_waiter, *previous = NULL;
    for (; *link != waiter; link = &(*link)->next)
        previous = *link;
    *link = waiter->next;
    if (pool->last_waiter == waiter)
        pool->last_waiter = previous;
    pool->stats.waiting--;
}

static struct timespec deadline_after(uint64_t ns) {
    struct timespec at;
    const uint64_t most = UINT64_C(1) << 61; /* of nanoseconds: 73 years */
    ns = ns < most ? ns : most;
    clock_gettime(CLOCK_MONOTONIC, &at);
    uint64_t sum = (uint64_t)at.tv_nsec + ns % 1000000000u;
    at.tv_sec += (time_t)(ns / 1000000000u + sum / 1000000000u);
    at.tv_nsec = (long)(sum % 1000000000u);
    return at;
}

static void init_condition(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* Waits in the queue, the mutex being held. Whether it was served. */
static bool wait_in_queue(catnap_pool_t *pool, struct waiter *waiter, uint64_t timeout_ns) {
    struct timespec deadline = deadline_after(timeout_ns);
    int result = 0;
    init_condition(&waiter->served);
    *(pool->last_waiter ? &pool->last_waiter->next : &pool->first_waiter) = waiter;
    pool->last_waiter = waiter;
    pool->stats.waiting++;
    pool->stats.waits++;
    while (!waiter->done && result != ETIMEDOUT)
        result = timeout_ns == UINT64_MAX
                     ? pthread_cond_wait(&waiter->served, &pool->mutex)
                     : pthread_cond_timedwait(&waiter->served, &pool->mutex, &deadline);
    if (!waiter->done)
        leave_queue(pool, waiter);
    pthread_cond_destroy(&waiter->served);
    return waiter->done;
}

/* ---- The pool's own end ---- */

static void free_pool(catnap_pool_t *pool) {
    wasm_engine_t *engine = pool->engine;
    CN_ASSERT(!pool->first_waiter && pool->making == 0);
    for (struct catnap_pool_slot_t *slot = pool->all, *next; slot; slot = next) {
        next = slot->all;
        cn_free(pool->alloc, slot, sizeof *slot);
    }
    pthread_mutex_destroy(&pool->mutex);
    cn_free(pool->alloc, pool->exports, pool->options.function_count * sizeof *pool->exports);
    cn_original_free(pool->original);
    cn_budget_release(pool->budget);
    cn_shared_release(pool->shared);
    cn_free(pool->alloc, pool, sizeof *pool);
    cn_engine_release(engine);
}

/* Gives the mutex up, and the pool: the last one of its users frees it. */
static void unlock_and_leave(catnap_pool_t *pool) {
    CN_ASSERT(pool->users > 0);
    bool last = --pool->users == 0;
    pthread_mutex_unlock(&pool->mutex);
    if (last)
        free_pool(pool);
}

/* ---- Taking a slot ---- */

/* The place of a slot that is empty is free again. */
static void give_place(catnap_pool_t *pool, struct catnap_pool_slot_t *slot) {
    CN_ASSERT(slot->state == SLOT_OUT && !slot->store);
    slot->state = SLOT_EMPTY;
    slot->next = pool->empty;
    pool->empty = slot;
    pool->empty_count++;
    pool->stats.slots--;
    CN_ASSERT(pool->empty_count + pool->stats.slots == pool->all_count);
}

static catnap_error_t *make(catnap_pool_t *pool, struct catnap_pool_slot_t *slot) {
    catnap_error_t *error = cn_pool_slot_make(slot);
    pthread_mutex_lock(&pool->mutex);
    CN_ASSERT(pool->making > 0);
    pool->making--;
    if (error) {
        pool->stats.failures++;
        give_place(pool, slot);
    } else {
        pool->stats.instantiations++;
        if (pool->slot_bytes < cn_pool_slot_bytes(slot))
            pool->slot_bytes = cn_pool_slot_bytes(slot);
    }
    pthread_mutex_unlock(&pool->mutex);
    return error;
}

static void count_reason(catnap_pool_t *pool, enum slot_reason reason) {
    catnap_pool_stats_t *stats = &pool->stats;
    uint64_t *const counters[] = {
        [RESET_CALLS] = &stats->reset_calls,       [RESET_TRAP] = &stats->reset_trap,
        [RESET_MEMORY] = &stats->reset_memory,     [RESET_TENANT] = &stats->reset_tenant,
        [RESET_ASKED] = &stats->reset_asked,       [RETIRED_CALLS] = &stats->retired_calls,
        [RETIRED_MEMORY] = &stats->retired_memory, [RETIRED_LEFT_OVER] = &stats->retired_left_over,
        [RETIRED_FAILED] = &stats->retired_failed, [RETIRED_ASKED] = &stats->retired_asked,
    };
    if (reason != REASON_NONE)
        ++*counters[reason];
}

static void count(catnap_pool_t *pool, enum slot_reason reason) {
    pthread_mutex_lock(&pool->mutex);
    count_reason(pool, reason);
    pthread_mutex_unlock(&pool->mutex);
}

/* Resets; false when the slot has to go, with the reason. */
static bool reset(struct catnap_pool_slot_t *slot, enum slot_reason *reason) {
    catnap_error_t *error = cn_pool_slot_reset(slot);
    bool clean = !error && cn_pool_slot_is_clean(slot);
    if (!clean)
        *reason = error ? RETIRED_FAILED : RETIRED_LEFT_OVER;
    catnap_error_delete(error);
    return clean;
}

/* Resets a slot that another tenant used. One that cannot be reset is ended, and made again in its place. */
static catnap_error_t *take_over(catnap_pool_t *pool, struct catnap_pool_slot_t *slot) {
    enum slot_reason reason = RESET_TENANT;
    bool usable = reset(slot, &reason);
    count(pool, reason);
    if (usable)
        return NULL;
    cn_pool_slot_end(slot);
    pthread_mutex_lock(&pool->mutex);
    pool->making++;
    pthread_mutex_unlock(&pool->mutex);
    return make(pool, slot);
}

static catnap_error_t *make_ready(catnap_pool_t *pool, struct catnap_pool_slot_t *slot,
                                  uint64_t tenant) {
    catnap_error_t *error = NULL;
    if (!slot->store)
        error = make(pool, slot);
    else if (slot->kept && slot->tenant != tenant)
        error = take_over(pool, slot);
    if (!error) /* else another thread may use its place by now */
        slot->tenant = tenant;
    return error;
}

/* A slot that is not ready yet, or NULL and *error. The mutex is held. */
static struct catnap_pool_slot_t *wait_for_slot(catnap_pool_t *pool, uint64_t tenant,
                                                uint64_t timeout_ns, catnap_error_t **error) {
    struct catnap_pool_slot_t *slot = NULL;
    struct waiter waiter = {.tenant = tenant};
    bool served = !pool->first_waiter && choose(pool, tenant, &slot);
    pool->stats.busy += slot != NULL;
    if (!served && timeout_ns > 0) {
        served = wait_in_queue(pool, &waiter, timeout_ns);
        slot = waiter.slot;
    }
    pool->stats.timeouts += !served;
    if (pool->closed && !slot)
        *error = catnap_error_new(CATNAP_MISUSE, "the pool has been deleted");
    else if (!served)
        *error = catnap_error_new(CATNAP_BUSY, "all slots of the pool are in use");
    else if (!slot)
        *error = catnap_error_new(CATNAP_NO_MEMORY, "memory is exhausted");
    return slot;
}

static struct catnap_pool_slot_t *acquire(catnap_pool_t *pool, uint64_t tenant, uint64_t timeout_ns,
                                          catnap_error_t **error) {
    pthread_mutex_lock(&pool->mutex);
    pool->users++;
    provide_empty(pool);
    struct catnap_pool_slot_t *slot = wait_for_slot(pool, tenant, timeout_ns, error);
    if (!slot) {
        unlock_and_leave(pool);
        return NULL;
    }
    pool->stats.acquired++;
    pthread_mutex_unlock(&pool->mutex);
    *error = make_ready(pool, slot, tenant);
    if (!*error)
        return slot;
    pthread_mutex_lock(&pool->mutex);
    pool->stats.acquired--;
    pool->stats.busy--;
    serve(pool);
    unlock_and_leave(pool);
    return NULL;
}

catnap_pool_slot_t *catnap_pool_acquire(catnap_pool_t *pool, uint64_t tenant, uint64_t timeout_ns,
                                        catnap_error_t **out_error) {
    catnap_error_t *error = NULL;
    catnap_pool_slot_t *slot = NULL;
    if (pool)
        slot = acquire(pool, tenant, timeout_ns, &error);
    else
        error = catnap_error_new(CATNAP_MISUSE, "an argument is NULL");
    if (out_error)
        *out_error = error;
    else
        catnap_error_delete(error);
    return slot;
}

/* ---- Giving one back ---- */

static catnap_error_t *check_out(const struct catnap_pool_slot_t *slot) {
    if (!slot)
        return catnap_error_new(CATNAP_MISUSE, "an argument is NULL");
    if (slot->state != SLOT_OUT || !slot->store)
        return catnap_error_new(CATNAP_MISUSE, "the slot is not in use");
    if (!cn_pool_slot_is_still(slot))
        return catnap_error_new(CATNAP_MISUSE, "a call in the slot's store is under way");
    return NULL;
}

/* The slot is idle again, or, when it has ended, its place is free. */
static void give_back(catnap_pool_t *pool, struct catnap_pool_slot_t *slot,
                      enum slot_reason reason) {
    pthread_mutex_lock(&pool->mutex);
    count_reason(pool, reason);
    if (slot->store && pool->closed) {
        pthread_mutex_unlock(&pool->mutex);
        cn_pool_slot_end(slot);
        pthread_mutex_lock(&pool->mutex);
    }
    pool->stats.busy--;
    if (slot->store)
        put_idle(pool, slot);
    else
        give_place(pool, slot);
    serve(pool);
    unlock_and_leave(pool);
}

catnap_error_t *catnap_pool_release(catnap_pool_slot_t *slot) {
    catnap_error_t *error = check_out(slot);
    if (error)
        return error;
    enum slot_reason reason = cn_pool_slot_judge(slot), outcome = reason;
    slot->kept = reason == REASON_NONE;
    if (is_reset(reason))
        reset(slot, &outcome);
    if (outcome != REASON_NONE && !is_reset(outcome))
        cn_pool_slot_end(slot);
    give_back(slot->pool, slot, outcome);
    return NULL;
}

catnap_error_t *catnap_pool_discard(catnap_pool_slot_t *slot) {
    catnap_error_t *error = check_out(slot);
    if (error)
        return error;
    cn_pool_slot_end(slot);
    give_back(slot->pool, slot, RETIRED_ASKED);
    return NULL;
}

/* ---- Warming and trimming ---- */

/* Makes one slot more and puts it with those that are not in use; ends it when the pool was deleted
 * meanwhile. The mutex is held, and given up while the embedder is called. */
static catnap_error_t *warm_one(catnap_pool_t *pool) {
    struct catnap_pool_slot_t *slot = take_empty(pool);
    if (!slot)
        return catnap_error_new(CATNAP_NO_MEMORY, "memory is exhausted");
    pthread_mutex_unlock(&pool->mutex);
    catnap_error_t *error = make(pool, slot);
    pthread_mutex_lock(&pool->mutex);
    if (!error && pool->closed) {
        pthread_mutex_unlock(&pool->mutex);
        cn_pool_slot_end(slot);
        pthread_mutex_lock(&pool->mutex);
        give_place(pool, slot);
    } else if (!error) {
        put_idle(pool, slot);
    }
    serve(pool);
    return error;
}

catnap_error_t *catnap_pool_warm(catnap_pool_t *pool, uint32_t slots) {
    catnap_error_t *error = NULL;
    if (!pool)
        return catnap_error_new(CATNAP_MISUSE, "an argument is NULL");
    pthread_mutex_lock(&pool->mutex);
    pool->users++;
    for (;;) {
        provide_empty(pool);
        if (error || pool->closed || pool->stats.slots >= slots || !has_room(pool))
            break;
        error = warm_one(pool);
    }
    if (!error && pool->closed)
        error = catnap_error_new(CATNAP_MISUSE, "the pool has been deleted");
    unlock_and_leave(pool);
    return error;
}

/* One that is not in use, to be ended; NULL when no more than `slots` are left. */
static struct catnap_pool_slot_t *take_surplus(catnap_pool_t *pool, uint32_t slots) {
    struct catnap_pool_slot_t *surplus =
        pool->clean.oldest ? pool->clean.oldest : pool->kept.oldest;
    return pool->stats.slots > slots ? take_idle(pool, surplus) : NULL;
}

static void trim(catnap_pool_t *pool, uint32_t slots, enum slot_reason reason) {
    struct catnap_pool_slot_t *slot;
    pthread_mutex_lock(&pool->mutex);
    pool->users++;
    while ((slot = take_surplus(pool, slots))) {
        pthread_mutex_unlock(&pool->mutex);
        cn_pool_slot_end(slot);
        pthread_mutex_lock(&pool->mutex);
        give_place(pool, slot);
        count_reason(pool, reason);
        serve(pool);
    }
    unlock_and_leave(pool);
}

void catnap_pool_trim(catnap_pool_t *pool, uint32_t slots) {
    if (pool)
        trim(pool, slots, RETIRED_ASKED);
}

/* ---- Making and deleting a pool ---- */

void catnap_pool_options_default(catnap_pool_options_t *options) {
    if (!options)
        return;
    *options = (catnap_pool_options_t){
        .max_slots = 64,
        .memory_bytes = UINT64_MAX,
        .reset_calls = 1,
        .reset_memory_bytes = UINT64_MAX,
        .reset_on_trap = true,
        .retire_memory_bytes = UINT64_MAX,
    };
    catnap_limits_default(&options->limits);
}

static bool is_export(const struct module *module, const struct export_ *export_,
                      const char *name) {
    return export_->kind == EXTERN_FUNC && export_->name.length == strlen(name) &&
           memcmp(module->bytes + export_->name.offset, name, export_->name.length) == 0;
}

static catnap_error_t *find_exports(catnap_pool_t *pool) {
    const struct module *module = pool->shared->module;
    for (size_t i = 0; i < pool->options.function_count; i++) {
        const char *name = pool->options.functions[i];
        uint32_t k = 0;
        if (!name)
            return catnap_error_new(CATNAP_MISUSE, "the name of a function is NULL");
        while (k < module->export_count && !is_export(module, &module->exports[k], name))
            k++;
        if (k == module->export_count) {
            char message[200];
            snprintf(message, sizeof message, "there is no exported function \"%.100s\"", name);
            return catnap_error_new(CATNAP_NOT_FOUND, message);
        }
        pool->exports[i] = module->exports[k].index;
    }
    return NULL;
}

static catnap_pool_t *allocate(struct shared_module *shared, const catnap_pool_options_t *options) {
    struct alloc *alloc = &shared->engine->alloc;
    size_t count = options->function_count;
    catnap_pool_t *pool = cn_calloc(alloc, 1, sizeof *pool);
    uint32_t *exports = cn_calloc(alloc, count, sizeof *exports);
    struct budget *budget = cn_budget_new(alloc, options->memory_bytes);
    if (!pool || !exports || !budget) {
        cn_free(alloc, pool, sizeof *pool);
        cn_free(alloc, exports, count * sizeof *exports);
        cn_budget_release(budget);
        return NULL;
    }
    pool->engine = shared->engine;
    pool->alloc = alloc;
    pool->shared = shared;
    pool->budget = budget;
    pool->options = *options;
    pool->exports = exports;
    pool->users = 1;
    pthread_mutex_init(&pool->mutex, NULL);
    cn_engine_retain(pool->engine);
    cn_shared_retain(shared);
    return pool;
}

static catnap_error_t *check_options(const wasm_module_t *module,
                                     const catnap_pool_options_t *options) {
    if (!module || (options->function_count > 0 && !options->functions))
        return catnap_error_new(CATNAP_MISUSE, "an argument is NULL");
    if (options->max_slots == 0 || options->min_slots > options->max_slots)
        return catnap_error_new(CATNAP_MISUSE,
                                "max_slots must be at least 1 and at least min_slots");
    return NULL;
}

static catnap_error_t *open_pool(const wasm_module_t *module, const catnap_pool_options_t *options,
                                 catnap_pool_t **out) {
    catnap_error_t *error = check_options(module, options);
    if (error)
        return error;
    catnap_pool_t *pool = allocate(module->shared, options);
    if (!pool)
        return catnap_error_new(CATNAP_NO_MEMORY, "memory is exhausted");
    error = find_exports(pool);
    pool->options.functions = NULL; /* the caller's */
    if (!error)
        error = catnap_pool_warm(pool, options->min_slots);
    if (error)
        catnap_pool_delete(pool);
    else
        *out = pool;
    return error;
}

catnap_pool_t *catnap_pool_new(const wasm_module_t *module, const catnap_pool_options_t *options,
                               catnap_error_t **out_error) {
    catnap_pool_options_t defaults;
    catnap_pool_t *pool = NULL;
    catnap_pool_options_default(&defaults);
    catnap_error_t *error = open_pool(module, options ? options : &defaults, &pool);
    if (out_error)
        *out_error = error;
    else
        catnap_error_delete(error);
    return pool;
}

void catnap_pool_delete(catnap_pool_t *pool) {
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->closed = true;
    while (pool->first_waiter)
        dequeue_first(pool, NULL);
    pthread_mutex_unlock(&pool->mutex);
    trim(pool, 0, REASON_NONE);
    pthread_mutex_lock(&pool->mutex);
    unlock_and_leave(pool);
}

void catnap_pool_stats(catnap_pool_t *pool, catnap_pool_stats_t *out) {
    if (!out)
        return;
    *out = (catnap_pool_stats_t){0};
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    *out = pool->stats;
    out->slots -= pool->making;
    pthread_mutex_unlock(&pool->mutex);
    out->memory_bytes = atomic_load(&pool->budget->used);
    out->memory_peak_bytes = atomic_load(&pool->budget->peak);
}

/* ---- Contents of a slot ---- */

wasm_store_t *catnap_pool_slot_store(const catnap_pool_slot_t *slot) {
    return slot ? slot->store : NULL;
}

const wasm_instance_t *catnap_pool_slot_instance(const catnap_pool_slot_t *slot) {
    return slot ? slot->instance : NULL;
}

const wasm_func_t *catnap_pool_slot_function(const catnap_pool_slot_t *slot, size_t index) {
    return slot && slot->functions && index < slot->pool->options.function_count
               ? slot->functions[index]
               : NULL;
}

catnap_wasi_t *catnap_pool_slot_wasi(const catnap_pool_slot_t *slot) {
    return slot ? slot->wasi : NULL;
}

uint64_t catnap_pool_slot_tenant(const catnap_pool_slot_t *slot) {
    return slot ? slot->tenant : 0;
}

void catnap_pool_slot_set_data(catnap_pool_slot_t *slot, void *data) {
    if (slot)
        slot->data = data;
}

void *catnap_pool_slot_data(const catnap_pool_slot_t *slot) {
    return slot ? slot->data : NULL;
}

catnap_error_t *catnap_pool_slot_reset(catnap_pool_slot_t *slot) {
    catnap_error_t *error = check_out(slot);
    if (!error)
        error = cn_pool_slot_reset(slot);
    if (!error)
        count(slot->pool, RESET_ASKED);
    return error;
}
