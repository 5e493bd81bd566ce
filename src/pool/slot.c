/* One slot of a pool: making it, bringing it back, ending it. */
#include "pool/pool.h"

#include <stdio.h>

#include "base/platform.h"
#include "persist/checkpoint.h"
#include "runtime/collect.h"
#include "runtime/trap.h"

/* Calls of great depth without a trap are rare: what they used is given back so often. */
#define TRIM_EVERY 64u

/* ---- Making ---- */

static catnap_error_t *no_memory(void) {
    return catnap_error_new(CATNAP_NO_MEMORY, "memory is exhausted");
}

static catnap_error_t *open_store(struct catnap_pool_slot_t *slot) {
    const catnap_pool_t *pool = slot->pool;
    slot->store = wasm_store_new(pool->engine);
    if (!slot->store)
        return no_memory();
    cn_budget_retain(pool->budget);
    slot->store->budget = pool->budget;
    catnap_store_set_limits(slot->store, &pool->options.limits);
    if (!pool->options.wasi)
        return NULL;
    slot->wasi = catnap_wasi_new();
    return slot->wasi ? NULL : no_memory();
}

static catnap_error_t *define(struct catnap_pool_slot_t *slot, catnap_linker_t *linker) {
    const catnap_pool_options_t *options = &slot->pool->options;
    catnap_error_t *error = slot->wasi ? catnap_linker_define_wasi(linker, slot->wasi) : NULL;
    if (error)
        return error;
    slot->linked = true;
    return options->link ? options->link(options->env, slot, linker) : NULL;
}

static catnap_error_t *error_of_trap(wasm_trap_t *trap) {
    char message[200];
    catnap_status_t status = trap->code == CATNAP_TRAP_NO_MEMORY ? CATNAP_NO_MEMORY : CATNAP_TRAP;
    snprintf(message, sizeof message, "instantiation trapped: %s", trap->message);
    wasm_trap_delete(trap);
    return catnap_error_new(status, message);
}

static catnap_error_t *instantiate(struct catnap_pool_slot_t *slot, catnap_linker_t *linker) {
    catnap_error_t *error;
    wasm_trap_t *trap;
    wasm_module_t *module = cn_module_object_new(slot->store, slot->pool->shared);
    if (!module)
        return no_memory();
    cn_object_retain(&module->ref);
    slot->instance = catnap_linker_instantiate(linker, module, &error, &trap);
    wasm_module_delete(module);
    return trap ? error_of_trap(trap) : error;
}

static catnap_error_t *link_instance(struct catnap_pool_slot_t *slot) {
    catnap_linker_t *linker = catnap_linker_new(slot->store);
    if (!linker)
        return no_memory();
    catnap_error_t *error = define(slot, linker);
    if (!error)
        error = instantiate(slot, linker);
    catnap_linker_delete(linker);
    return error;
}

static catnap_error_t *find_functions(struct catnap_pool_slot_t *slot) {
    const catnap_pool_t *pool = slot->pool;
    size_t count = pool->options.function_count;
    slot->functions = cn_calloc(pool->alloc, count, sizeof(wasm_func_t *));
    if (!slot->functions)
        return no_memory();
    for (size_t i = 0; i < count; i++) {
        slot->functions[i] =
            (wasm_func_t *)cn_instance_extern(slot->instance, EXTERN_FUNC, pool->exports[i]);
        if (!slot->functions[i])
            return no_memory();
        cn_object_retain(&slot->functions[i]->ref);
    }
    return NULL;
}

static catnap_error_t *prepare(struct catnap_pool_slot_t *slot) {
    const catnap_pool_options_t *options = &slot->pool->options;
    return options->prepare ? options->prepare(options->env, slot) : NULL;
}

/* The pool's original, or none; *mine tells that the caller is to make it. */
static const struct original *find_original(catnap_pool_t *pool, bool *mine) {
    pthread_mutex_lock(&pool->mutex);
    const struct original *original = pool->original;
    *mine = !pool->original_claimed && pool->options.max_slots > 1;
    pool->original_claimed |= *mine;
    pthread_mutex_unlock(&pool->mutex);
    return original;
}

/* Where the bound does not reach for one, slots have copies of their own. */
static bool make_original(const struct catnap_pool_slot_t *slot, struct original **out,
                          struct error *error) {
    catnap_pool_t *pool = slot->pool;
    bool ok = cn_original_new(slot->store, out, error);
    if (ok && *out && !cn_budget_take(pool->budget, cn_original_bytes(*out))) {
        cn_original_free(*out);
        *out = NULL;
    }
    pthread_mutex_lock(&pool->mutex);
    pool->original = *out;
    pool->original_claimed = ok;
    pthread_mutex_unlock(&pool->mutex);
    return ok;
}

/* Pages that are as those of the first slot take memory once. */
static catnap_error_t *share_pages(const struct catnap_pool_slot_t *slot) {
    struct error error;
    struct original *made = NULL;
    bool mine;
    const struct original *original = find_original(slot->pool, &mine);
    if (mine && !make_original(slot, &made, &error))
        return catnap_error_new(error.status, error.message);
    if (made)
        original = made;
    if (!original || cn_original_lay(original, slot->store, &error))
        return NULL;
    return catnap_error_new(error.status, error.message);
}

/* Saves the state that a reset restores. */
static catnap_error_t *keep_state(struct catnap_pool_slot_t *slot) {
    wasm_store_t *store = slot->store;
    cn_collect(store); /* what is counted below is there after each reset */
    catnap_error_t *error = slot->wasi ? catnap_wasi_checkpoint(slot->wasi) : NULL;
    if (!error)
        error = catnap_store_checkpoint(store, &slot->level);
    if (!error)
        error = share_pages(slot);
    if (error)
        return error;
    cn_checkpoint_keep(store);
    uint64_t copies = cn_checkpoint_copies(store);
    if (!cn_budget_take(slot->pool->budget, copies))
        return catnap_error_new(CATNAP_LIMIT,
                                "a slot with its checkpoint exceeds the pool's limit");
    slot->copies = copies;
    slot->handles = store->handles;
    slot->pins = store->pins;
    slot->objects = store->object_count;
    slot->limits = store->limits;
    slot->store_data = store->data;
    slot->first_call = slot->call = catnap_store_call_id(store);
    slot->stops = store->machine.stops;
    return NULL;
}

/* A slot takes two mappings of the system's or a few more, and the host needs some too: for its
 * allocator, its threads, its files. Without any left, its malloc() fails. */
#define HOSTS_PART 16u /* of the mappings */

static catnap_error_t *no_mappings(void) {
    return catnap_error_new(CATNAP_LIMIT,
                            "the process has too many memory mappings for another slot: the "
                            "system's limit is vm.max_map_count");
}

static catnap_error_t *look(struct catnap_pool_slot_t *slot) {
    return slot->looks && !cn_os_mappings_left(HOSTS_PART) ? no_mappings() : NULL;
}

/* The same reason may be behind what the system refused. */
static catnap_error_t *explain(catnap_error_t *error) {
    catnap_status_t status = catnap_error_status(error);
    bool refused = status == CATNAP_NO_MEMORY || status == CATNAP_IO;
    if (!refused || cn_os_mappings_left(HOSTS_PART))
        return error;
    catnap_error_delete(error);
    return no_mappings();
}

catnap_error_t *cn_pool_slot_make(struct catnap_pool_slot_t *slot) {
    static catnap_error_t *(*const steps[])(struct catnap_pool_slot_t *) = {
        look, open_store, link_instance, find_functions, prepare, keep_state};
    catnap_error_t *error = NULL;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && !error; i++)
        error = steps[i](slot);
    if (!error)
        return NULL;
    error = explain(error);
    cn_pool_slot_end(slot);
    return error;
}

/* ---- Ending ---- */

static void drop_functions(struct catnap_pool_slot_t *slot) {
    size_t count = slot->pool->options.function_count;
    for (size_t i = 0; slot->functions && i < count; i++)
        wasm_func_delete(slot->functions[i]);
    cn_free(slot->pool->alloc, slot->functions, count * sizeof(wasm_func_t *));
}

void cn_pool_slot_end(struct catnap_pool_slot_t *slot) {
    catnap_pool_t *pool = slot->pool;
    if (slot->linked && pool->options.dispose)
        pool->options.dispose(pool->options.env, slot);
    drop_functions(slot);
    wasm_instance_delete(slot->instance);
    cn_budget_give(pool->budget, slot->copies);
    wasm_store_delete(slot->store);
    catnap_wasi_delete(slot->wasi);
    *slot = (struct catnap_pool_slot_t){.pool = pool, .all = slot->all, .state = slot->state};
}

/* ---- Bringing back ---- */

catnap_error_t *cn_pool_slot_reset(struct catnap_pool_slot_t *slot) {
    wasm_store_t *store = slot->store;
    catnap_error_t *error = catnap_store_rollback(store, slot->level);
    if (!error && slot->wasi)
        error = catnap_wasi_rollback(slot->wasi);
    if (error) {
        slot->broken = true;
        return error;
    }
    if (store->machine.stops != slot->stops || ++slot->resets % TRIM_EVERY == 0)
        cn_machine_trim(&store->machine);
    if (store->object_count != slot->objects)
        cn_collect(store);
    catnap_store_set_limits(store, &slot->limits);
    store->data = slot->store_data;
    store->failed = false;
    slot->call = catnap_store_call_id(store);
    slot->stops = store->machine.stops;
    slot->kept = false;
    return NULL;
}

/* ---- Judging ---- */

static uint64_t growing_bytes(const struct catnap_pool_slot_t *slot) {
    return slot->store->memory_bytes + slot->store->table_elements * sizeof(uint64_t);
}

uint64_t cn_pool_slot_bytes(const struct catnap_pool_slot_t *slot) {
    return growing_bytes(slot) + slot->copies;
}

bool cn_pool_slot_is_still(const struct catnap_pool_slot_t *slot) {
    return slot->store->machine.host_depth == 0;
}

bool cn_pool_slot_is_clean(const struct catnap_pool_slot_t *slot) {
    return slot->store->object_count == slot->objects;
}

enum slot_reason cn_pool_slot_judge(const struct catnap_pool_slot_t *slot) {
    const catnap_pool_options_t *options = &slot->pool->options;
    const wasm_store_t *store = slot->store;
    uint64_t call = catnap_store_call_id(store);
    if (slot->broken)
        return RETIRED_FAILED;
    if (store->handles != slot->handles || store->pins != slot->pins)
        return RETIRED_LEFT_OVER;
    if (options->retire_calls && call - slot->first_call >= options->retire_calls)
        return RETIRED_CALLS;
    if (growing_bytes(slot) > options->retire_memory_bytes)
        return RETIRED_MEMORY;
    if (options->reset_on_trap && store->machine.stops != slot->stops)
        return RESET_TRAP;
    if (growing_bytes(slot) > options->reset_memory_bytes)
        return RESET_MEMORY;
    if (options->reset_calls == 1 ||
        (options->reset_calls && call - slot->call >= options->reset_calls))
        return RESET_CALLS;
    return REASON_NONE;
}
