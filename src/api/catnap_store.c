/* Functions of a store beyond wasm.h: limits, data, fuel, interruption, statistics. */
#include "api/api.h"

#include <inttypes.h>

#include "base/platform.h"
#include "persist/checkpoint.h"
#include "runtime/collect.h"
#include "runtime/gc.h"

/* ---- Limits and data ---- */

void catnap_limits_default(catnap_limits_t *limits) {
    if (limits)
        *limits = cn_limits_default();
}

void catnap_store_set_limits(wasm_store_t *store, const catnap_limits_t *limits) {
    if (!store || !limits)
        return;
    store->limits = *limits;
    cn_machine_set_limits(&store->machine, limits);
}

void catnap_store_limits(const wasm_store_t *store, catnap_limits_t *out) {
    if (out)
        *out = store ? store->limits : cn_limits_default();
}

void catnap_store_set_data(wasm_store_t *store, void *data) {
    if (store)
        store->data = data;
}

void *catnap_store_data(const wasm_store_t *store) {
    return store ? store->data : NULL;
}

wasm_engine_t *catnap_store_engine(const wasm_store_t *store) {
    return store ? store->engine : NULL;
}

/* ---- Fuel ---- */

/* NULL, or why fuel cannot be spoken of. */
static catnap_error_t *check_fuel(const wasm_store_t *store) {
    if (!store)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    if (!store->engine->config.fuel)
        return cn_error_make(CATNAP_MISUSE, "fuel is switched off in this engine");
    return NULL;
}

catnap_error_t *catnap_store_set_fuel(wasm_store_t *store, uint64_t fuel) {
    catnap_error_t *error = check_fuel(store);
    if (!error)
        cn_store_set_fuel(store, fuel);
    return error;
}

uint64_t catnap_store_fuel(const wasm_store_t *store) {
    return store && store->engine->config.fuel ? cn_store_fuel_left(store) : 0;
}

catnap_error_t *catnap_store_consume_fuel(wasm_store_t *store, uint64_t fuel) {
    catnap_error_t *error = check_fuel(store);
    if (error)
        return error;
    while (store->machine.fuel < fuel && cn_store_refuel(store))
        continue;
    if (store->machine.fuel < fuel)
        return cn_error_make(CATNAP_OUT_OF_FUEL,
                             "%" PRIu64 " units of fuel requested, %" PRIu64 " left", fuel,
                             store->machine.fuel);
    store->machine.fuel -= fuel;
    return NULL;
}

/* ---- Threads ---- */

static wasm_store_t *new_beside(wasm_store_t *first, struct error *error) {
    if (!first->engine->config.interruptible) {
        cn_fail(error, CATNAP_MISUSE, "threads need an engine whose code can be interrupted");
        return NULL;
    }
    if (first->checkpoints || (first->budget && !first->budget->of_threads)) {
        cn_fail(error, CATNAP_UNSUPPORTED,
                "a store with checkpoints, or of a pool, cannot have threads");
        return NULL;
    }
    wasm_store_t *store = cn_store_new(first->engine);
    if (store && cn_store_join(store, first)) {
        store->limits = first->limits;
        cn_machine_set_limits(&store->machine, &store->limits);
        return store;
    }
    if (store)
        cn_store_delete(store);
    cn_fail_memory(error);
    return NULL;
}

wasm_store_t *catnap_store_new_beside(wasm_store_t *first, catnap_error_t **out) {
    struct error error;
    if (out)
        *out = NULL;
    if (!first)
        return cn_report_null(NULL, out);
    wasm_store_t *store = new_beside(first, &error);
    return store ? store : cn_report(first, out, &error);
}

/* ---- Collection ---- */

void catnap_store_collect(wasm_store_t *store) {
    if (!store || !cn_store_enter(store))
        return;
    struct error error;
    cn_store_pin(store); /* a finalizer may delete it */
    cn_collect(store);
    if (store->machine.heap && cn_can_collect(store) && !store->deleted &&
        cn_gc_owns_pages(store, &error)) {
        cn_heap_collect(store->machine.heap);
        if (!cn_checkpoint_keeps_heap(store))
            cn_heap_trim(store->machine.heap, 0);
        cn_collect(store); /* objects of the host that the heap referred to */
    }
    cn_store_leave(store);
    cn_store_unpin(store);
}

/* ---- Statistics ---- */

/* Objects that are not part of an instance and not made for one. */
static uint64_t count_host_objects(const wasm_store_t *store) {
    uint64_t count = 0;
    for (const struct wasm_ref_t *ref = store->objects.next; ref != &store->objects;
         ref = ref->next)
        count +=
            ref->kind != OBJECT_INSTANCE && ref->kind != OBJECT_MEMORY && ref->kind != OBJECT_TABLE;
    return count;
}

/* Bytes of the heap. */
static uint64_t committed(const wasm_store_t *store) {
    return store->machine.heap ? store->machine.heap->stats.committed : 0;
}

void catnap_store_stats(const wasm_store_t *store, catnap_store_stats_t *out) {
    if (!out)
        return;
    *out = (catnap_store_stats_t){0};
    if (!store)
        return;
    out->instances = store->instance_count;
    out->memory_bytes = store->memory_bytes - committed(store);
    out->table_elements = store->table_elements;
    out->host_objects = count_host_objects(store);
    out->calls = store->machine.interrupt.call_id - 1 - store->machine.works +
                 (store->machine.host_depth > 0);
    for (const struct value_stack *stack = store->machine.stacks; stack; stack = stack->next)
        out->value_stack_bytes += stack->reserved;
}

_Static_assert(CATNAP_HEAP_PAUSES == HEAP_PAUSES, "the histogram of catnap.h");

void catnap_store_heap_stats(const wasm_store_t *store, catnap_heap_stats_t *out) {
    if (!out)
        return;
    *out = (catnap_heap_stats_t){0};
    if (!store || !store->machine.heap)
        return;
    const struct heap *heap = store->machine.heap;
    const struct heap_stats *stats = &heap->stats;
    *out = (catnap_heap_stats_t){
        .heap_bytes = stats->committed,
        .heap_peak_bytes = stats->peak,
        .live_bytes = stats->live,
        .allocated_bytes = stats->allocated - (heap->now.limit - heap->now.cursor),
        .collections = stats->collections,
        .full_collections = stats->full,
        .increments = stats->increments,
        .increments_ns = stats->increment_ns,
        .longest_increment_ns = stats->longest_increment_ns,
        .full_ns = stats->full_ns,
        .longest_full_ns = stats->longest_full_ns,
    };
    memcpy(out->pauses, stats->pauses, sizeof out->pauses);
}
