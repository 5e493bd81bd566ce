/* Budgets, and what stores take from them and count. */
#include "runtime/budget.h"
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
    atomic_fetch_sub_explicit(&budget->used, bytes, memory_order_relaxed);
}

/* ---- Of a store ---- */

uint64_t cn_store_room(const wasm_store_t *store) {
    uint64_t used = store->memory_bytes + store->table_elements * sizeof(uint64_t);
    uint64_t limit = store->limits.memory_bytes;
    return limit > used ? limit - used : 0;
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
    store->table_elements -= count;
}

uint64_t cn_store_budget_left(const wasm_store_t *store) {
    const struct budget *budget = store->budget;
    if (!budget)
        return UINT64_MAX;
    uint64_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
    return used < budget->limit ? budget->limit - used : 0;
}
