/* Calls from the host: values become slots, and slots values again. Few values need no allocation;
 * numbers alone, and as many of them as the type says, go straight through. */
#include "api/api.h"
#include "api/numbers.h"
#include "base/likely.h"
#include "exec/calls.h"

#define SMALL_SLOTS 16

/* Functions that make messages stay out of the frames of calls, which nest. */
#define APART __attribute__((noinline, cold))

wasm_trap_t *cn_no_memory_trap(wasm_store_t *store) {
    return cn_trap_new(store, CATNAP_TRAP_NO_MEMORY, "%s", cn_trap_text(CATNAP_TRAP_NO_MEMORY));
}

APART static wasm_trap_t *deleted_trap(wasm_store_t *store) {
    return cn_trap_new(store, CATNAP_TRAP_HOST, "the function's store has been deleted");
}

/* ---- Any call ---- */

/* Programs for wasm.h call without room for results that they do not want: those are dropped. */
static bool results_fit(struct values results, uint32_t count) {
    return results.stride == sizeof(wasm_val_t) ? results.count <= count : results.count == count;
}

static wasm_trap_t *check_call(const wasm_func_t *func, struct values arguments,
                               struct values results) {
    const struct functype *type = func->type;
    wasm_store_t *store = func->ref.store;
    if (store->deleted)
        return deleted_trap(store);
    if (arguments.count != type->param_count)
        return cn_trap_new(store, CATNAP_TRAP_HOST,
                           "wrong number of arguments: expected %u, found %zu", type->param_count,
                           arguments.count);
    if (!results_fit(results, type->result_count))
        return cn_trap_new(store, CATNAP_TRAP_HOST,
                           "wrong number of results: expected %u, found room for %zu",
                           type->result_count, results.count);
    if ((arguments.count > 0 && !arguments.data) || (results.count > 0 && !results.data))
        return cn_trap_new(store, CATNAP_TRAP_HOST, "the arguments or results are NULL");
    if (!cn_values_have_room(arguments, ft_params(type), type->param_count) ||
        !cn_values_have_room(results, ft_results(type), type->result_count))
        return cn_trap_new(store, CATNAP_TRAP_HOST,
                           "a v128 does not fit a wasm_val_t: use catnap_func_call()");
    return NULL;
}

APART static wasm_trap_t *argument_trap(const wasm_func_t *func, size_t index, const char *wrong) {
    char type[120];
    return cn_trap_new(func->ref.store, cn_value_trap(wrong),
                       "argument %zu %s: the function's type is %s", index, wrong,
                       cn_functype_format(func->type, type, sizeof type));
}

static wasm_trap_t *call_with_slots(const wasm_func_t *func, struct values arguments,
                                    struct values results, uint64_t *slots) {
    const struct functype *type = func->type;
    size_t bad;
    const char *wrong =
        cn_values_to_slots(func->ref.store, arguments, ft_params(type), slots, &bad);
    if (wrong)
        return argument_trap(func, bad, wrong);
    wasm_trap_t *trap = cn_call((wasm_func_t *)(uintptr_t)func, slots);
    if (trap)
        return trap;
    return cn_values_give(func->ref.store, results, ft_results(type), slots)
               ? NULL
               : cn_no_memory_trap(func->ref.store);
}

static wasm_trap_t *call_inside(const wasm_func_t *func, struct values arguments,
                                struct values results) {
    wasm_trap_t *trap = check_call(func, arguments, results);
    if (trap)
        return trap;
    const struct functype *type = func->type;
    size_t count = type->param_slots > type->result_slots ? type->param_slots : type->result_slots;
    uint64_t small[SMALL_SLOTS];
    if (count <= SMALL_SLOTS)
        return call_with_slots(func, arguments, results, small);
    struct alloc *alloc = func->ref.store->alloc;
    uint64_t *slots = cn_alloc(alloc, count * sizeof *slots);
    if (!slots)
        return cn_no_memory_trap(func->ref.store);
    trap = call_with_slots(func, arguments, results, slots);
    cn_free(alloc, slots, count * sizeof *slots);
    return trap;
}

/* A callback may delete the function, or its store: it is held meanwhile. The store does not count
 * these handles, wherever they go through its count. */
CN_INLINE bool hold(const wasm_func_t *func) {
    struct wasm_ref_t *ref = (struct wasm_ref_t *)(uintptr_t)&func->ref;
    if (!cn_store_enter(ref->store))
        return false;
    if (likely(ref->handles > 0)) {
        ref->handles++;
    } else {
        cn_object_retain(ref);
        ref->store->handles--;
    }
    return true;
}

/* The last handle may have held the store, which is left before it goes. */
CN_INLINE void let_go(const wasm_func_t *func) {
    struct wasm_ref_t *ref = (struct wasm_ref_t *)(uintptr_t)&func->ref;
    bool last = ref->handles <= 1;
    if (likely(!last))
        ref->handles--;
    else
        ref->store->handles++;
    cn_store_leave(ref->store);
    if (unlikely(last))
        cn_object_release(ref);
}

/* Own results on success; on a trap the results are not touched. */
static wasm_trap_t *call_values(const wasm_func_t *func, struct values arguments,
                                struct values results) {
    if (!hold(func))
        return func->ref.store->misuse_trap;
    wasm_trap_t *trap = call_inside(func, arguments, results);
    let_go(func);
    return trap;
}

/* ---- Calls of numbers ---- */

/* The results after a trap, by the two headers. */
APART static void void_results(const struct functype *type, void *results, size_t stride) {
    static const wasm_val_t null_reference = WASM_INIT_VAL;
    struct values values = {results, type->result_count, stride};
    if (stride == sizeof(catnap_val_t))
        cn_values_zero(values, ft_results(type));
    else
        for (uint32_t i = 0; i < type->result_count; i++)
            ((wasm_val_t *)results)[i] = null_reference;
}

/* Values are put where the call wants them, or into `small` when that is nowhere. */
CN_INLINE uint64_t *place_for(const wasm_func_t *func, uint64_t *small) {
    uint64_t *place = cn_call_place((wasm_func_t *)(uintptr_t)func);
    return likely(place != NULL) ? place : small;
}

CN_INLINE wasm_trap_t *call_placed(const wasm_func_t *func, uint64_t *slots, uint64_t *small) {
    wasm_func_t *called = (wasm_func_t *)(uintptr_t)func;
    if (unlikely(func->ref.store->deleted))
        return deleted_trap(func->ref.store);
    return likely(slots != small) ? cn_call_placed(called) : cn_call(called, slots);
}

/* Whether this is one: if not, nothing was done. */
CN_INLINE bool call_numbers(const wasm_func_t *func, const void *arguments, size_t argument_count,
                            void *results, size_t result_count, size_t stride, wasm_trap_t **trap) {
    const struct functype *type = func->type;
    uint64_t small[SMALL_SLOTS];
    if (!type->numbers || type->value_slots > SMALL_SLOTS || argument_count != type->param_count ||
        result_count != type->result_count || (argument_count && !arguments) ||
        (result_count && !results) || !hold(func))
        return false;
    uint64_t *slots = place_for(func, small);
    bool fits = numbers_to_slots(arguments, stride, ft_params(type), type->param_count, slots);
    if (likely(fits)) {
        *trap = call_placed(func, slots, small);
        if (likely(!*trap))
            numbers_from_slots(results, stride, ft_results(type), type->result_count, slots);
        else
            void_results(type, results, stride);
    }
    let_go(func);
    return fits;
}

/* ---- The entry points ---- */

static wasm_trap_t *call_plain(const wasm_func_t *func, const wasm_val_vec_t *args,
                               wasm_val_vec_t *results) {
    static const wasm_val_t null_reference = WASM_INIT_VAL;
    size_t count = results && results->data ? results->size : 0;
    wasm_trap_t *trap = cn_trap_null_argument();
    size_t filled = 0;
    if (func) {
        size_t wanted = func->type->result_count;
        filled = count < wanted ? count : wanted;
        trap = call_values(func, plain_values(args ? args->data : NULL, args ? args->size : 0),
                           plain_values(count ? results->data : NULL, filled));
    }
    for (size_t i = !trap ? filled : 0; i < count; i++)
        results->data[i] = null_reference;
    return trap;
}

wasm_trap_t *wasm_func_call(const wasm_func_t *func, const wasm_val_vec_t *args,
                            wasm_val_vec_t *results) {
    wasm_trap_t *trap;
    if (func && args && results &&
        call_numbers(func, args->data, args->size, results->data, results->size, sizeof(wasm_val_t),
                     &trap))
        return trap;
    return call_plain(func, args, results);
}

static wasm_trap_t *call_wide(const wasm_func_t *func, const catnap_val_t *arguments,
                              size_t argument_count, catnap_val_t *results, size_t result_count) {
    struct values out = wide_values(results, result_count);
    wasm_trap_t *trap = cn_trap_null_argument();
    if (func)
        trap = call_values(func, wide_values(arguments, argument_count), out);
    if (trap && results && func && result_count == func->type->result_count)
        cn_values_zero(out, ft_results(func->type));
    else if (trap && results)
        memset(results, 0, result_count * sizeof *results);
    return trap;
}

wasm_trap_t *catnap_func_call(const wasm_func_t *func, const catnap_val_t *arguments,
                              size_t argument_count, catnap_val_t *results, size_t result_count) {
    wasm_trap_t *trap;
    if (func && call_numbers(func, arguments, argument_count, results, result_count,
                             sizeof(catnap_val_t), &trap))
        return trap;
    return call_wide(func, arguments, argument_count, results, result_count);
}

size_t catnap_func_slots(const wasm_func_t *func) {
    return func ? func->type->value_slots : 0;
}

wasm_trap_t *catnap_func_call_raw(const wasm_func_t *func, uint64_t *slots) {
    if (!func)
        return cn_trap_null_argument();
    const struct functype *type = func->type;
    if (unlikely(type->any))
        return cn_trap_new(func->ref.store, CATNAP_TRAP_HOST,
                           "garbage-collected values cannot be in slots of the host");
    if (!hold(func))
        return func->ref.store->misuse_trap;
    uint64_t *place = place_for(func, slots);
    copy_narrow(place, slots, type->param_slots, type->narrow_params, ft_params(type));
    wasm_trap_t *trap = call_placed(func, place, slots);
    if (place != slots)
        copy_slots(slots, place, type->result_slots);
    let_go(func);
    return trap;
}
