/* Counts memory and table elements against the limits of stores and of budgets that stores share. */
#include "runtime/budget.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "runtime/memory.h"
#include "runtime/store.h"

struct budget *cn_budget_new(struct alloc *alloc, uint64_t limit) {
    struct budget *budget = cn_calloc(alloc, 1, sizeof *budget);
    if (!budget)
        return NULL;
    atomic_init(&budget->references, 1);
    budget->limit = limit;
    budget->alloc = alloc;
    return budget;
}

void cn_budget_retain(struct budget *budget) {
    atomic_fetch_add_explicit(&budget->references, 1, memory_order_relaxed);
}

void cn_budget_release(struct budget *budget) {
    if (budget && atomic_fetch_sub_explicit(&budget->references, 1, memory_order_acq_rel) == 1)
        cn_free(budget->alloc, budget, sizeof *budget);
}

bool cn_budget_take(struct budget *budget, uint64_t bytes) {
    uint64_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
    do {
        if (used > budget->limit || bytes > budget->limit - used)
            return bytes == 0;
    } while (!atomic_compare_exchange_weak_explicit(&budget->used, &used, used + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    uint64_t now = used + bytes, peak = atomic_load_explicit(&budget->peak, memory_order_relaxed);
    while (now > peak &&
           !atomic_compare_exchange_weak_explicit(&budget->peak, &peak, now, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
    return true;
}

void cn_budget_give(struct budget *budget, uint64_t bytes) {
    uint64_t used = atomic_fetch_sub_explicit(&budget->used, bytes, memory_order_relaxed);
    CN_ASSERT(used >= bytes);
}

uint64_t cn_budget_take_fuel(struct budget *budget, uint64_t most) {
    uint64_t left = atomic_load_explicit(&budget->fuel, memory_order_relaxed), taken;
    do
        taken = left < most ? left : most;
    while (!atomic_compare_exchange_weak_explicit(&budget->fuel, &left, left - taken,
                                                  memory_order_relaxed, memory_order_relaxed));
    return taken;
}

/* ---- Of a store ---- */

static uint64_t used_bytes(const wasm_store_t *store) {
    return store->memory_bytes + store->table_elements * sizeof(uint64_t);
}

uint64_t cn_store_room(const wasm_store_t *store) {
    uint64_t used = used_bytes(store), limit = store->limits.memory_bytes;
    return limit > used ? limit - used : 0;
}

static bool refuse_excess(uint64_t needed, const char *what, uint64_t limit, uint64_t used,
                          struct error *error) {
    char in_use[48] = "";
    if (used > 0)
        snprintf(in_use, sizeof in_use, ", of which %" PRIu64 " are in use", used);
    return cn_fail(error, CATNAP_LIMIT, "needs %" PRIu64 " %s; the limit is %" PRIu64 "%s", needed,
                   what, limit, in_use);
}

bool cn_store_refuse_bytes(const wasm_store_t *store, uint64_t needed, struct error *error) {
    return refuse_excess(needed, "bytes of memory", store->limits.memory_bytes, used_bytes(store),
                         error);
}

bool cn_store_refuse_elements(const wasm_store_t *store, uint64_t needed, struct error *error) {
    return refuse_excess(needed, "table elements", store->limits.table_elements,
                         store->table_elements, error);
}

bool cn_store_take_memory(wasm_store_t *store, uint64_t bytes) {
    if (store->budget && !cn_budget_take(store->budget, bytes))
        return false;
    store->memory_bytes += bytes;
    return true;
}

void cn_store_give_memory(wasm_store_t *store, uint64_t bytes) {
    if (store->budget)
        cn_budget_give(store->budget, bytes);
    CN_ASSERT(store->memory_bytes >= bytes);
    store->memory_bytes -= bytes;
}

bool cn_store_take_elements(wasm_store_t *store, uint64_t count) {
    if (store->budget && !cn_budget_take(store->budget, count * sizeof(uint64_t)))
        return false;
    store->table_elements += count;
    return true;
}

void cn_store_give_elements(wasm_store_t *store, uint64_t count) {
    if (store->budget)
        cn_budget_give(store->budget, count * sizeof(uint64_t));
    CN_ASSERT(store->table_elements >= count);
    store->table_elements -= count;
}

uint64_t cn_store_budget_left(const wasm_store_t *store) {
    const struct budget *budget = store->budget;
    if (!budget)
        return UINT64_MAX;
    uint64_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
    return used < budget->limit ? budget->limit - used : 0;
}

/* ---- Of threads ---- */

/* Fuel that a store takes at once: much beside the cost of taking it, and little beside what there is, so that little
 * is left in other stores when one finds none. */
#define MOST_FUEL_AT_ONCE 16384u
#define LEAST_FUEL_AT_ONCE 64u

static uint64_t fuel_at_once(const struct budget *budget, uint64_t room) {
    uint64_t share = atomic_load_explicit(&budget->fuel, memory_order_relaxed) / 256;
    share = share < LEAST_FUEL_AT_ONCE ? LEAST_FUEL_AT_ONCE : share;
    share = share > MOST_FUEL_AT_ONCE ? MOST_FUEL_AT_ONCE : share;
    return share < room ? share : room;
}

bool cn_store_refuel(wasm_store_t *store) {
    struct budget *budget = store->budget;
    if (!budget || !budget->of_threads)
        return false;
    uint64_t room = UINT64_MAX - store->machine.fuel;
    uint64_t taken = cn_budget_take_fuel(budget, fuel_at_once(budget, room));
    store->machine.fuel += taken;
    return taken > 0;
}

uint64_t cn_store_fuel_left(const wasm_store_t *store) {
    uint64_t fuel = store->machine.fuel, all;
    if (!store->budget || !store->budget->of_threads)
        return fuel;
    return __builtin_add_overflow(fuel, atomic_load(&store->budget->fuel), &all) ? UINT64_MAX : all;
}

void cn_store_set_fuel(wasm_store_t *store, uint64_t fuel) {
    store->machine.fuel = fuel;
    if (store->budget && store->budget->of_threads)
        atomic_store(&store->budget->fuel, 0);
}

/* Counts what threads that have ended have added to the store's shared memories. */
static void look_at_views(const wasm_store_t *store) {
    if (store->shared_memories == 0)
        return;
    for (struct wasm_ref_t *ref = store->objects.next; ref != &store->objects; ref = ref->next)
        if (ref->kind == OBJECT_MEMORY)
            cn_memory_size((wasm_memory_t *)ref);
}

/* While no other store has it: the limit and the use are those of the only one, whatever was before. */
static void begin_again(struct budget *budget, wasm_store_t *store) {
    uint64_t fuel = cn_store_fuel_left(store);
    look_at_views(store);
    budget->limit = store->limits.memory_bytes;
    atomic_store(&budget->used, used_bytes(store));
    atomic_store(&budget->fuel, fuel);
    store->machine.fuel = 0;
}

bool cn_store_join(wasm_store_t *store, wasm_store_t *first) {
    if (!first->budget) {
        struct budget *budget = cn_budget_new(first->alloc, 0);
        if (!budget)
            return false;
        budget->of_threads = true;
        first->budget = budget;
    }
    if (atomic_load_explicit(&first->budget->references, memory_order_acquire) == 1)
        begin_again(first->budget, first);
    CN_ASSERT(first->budget->of_threads && !store->budget);
    store->budget = first->budget;
    cn_budget_retain(store->budget);
    return true;
}

void cn_store_part(wasm_store_t *store) {
    struct budget *budget = store->budget;
    if (budget && budget->of_threads)
        atomic_fetch_add_explicit(&budget->fuel, store->machine.fuel, memory_order_relaxed);
    cn_budget_release(budget);
    store->budget = NULL;
}
