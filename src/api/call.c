/* Calls from the host, and the host functions' side of a call: both convert between slots and
 * values. Few values need no allocation. */
#include "api/api.h"

#include <string.h>

#define SMALL_SLOTS 16
#define SMALL_VALUES_BYTES (10 * sizeof(catnap_val_t))

/* What makes messages stays out of the frames of calls, which nest. */
#define APART __attribute__((noinline, cold))

static wasm_trap_t *exhausted(wasm_store_t *store) {
    return cn_trap_new(store, CATNAP_TRAP_NO_MEMORY, "%s", cn_trap_text(CATNAP_TRAP_NO_MEMORY));
}

/* ---- From the host ---- */

/* Programs for wasm.h call without room for results that they do not want: those are dropped. */
static bool results_fit(struct values results, uint32_t count) {
    return results.stride == sizeof(wasm_val_t) ? results.count <= count : results.count == count;
}

static wasm_trap_t *check_call(const wasm_func_t *func, struct values arguments,
                               struct values results) {
    const struct functype *type = func->type;
    wasm_store_t *store = func->ref.store;
    if (store->deleted)
        return cn_trap_new(store, CATNAP_TRAP_HOST, "the function's store has been deleted");
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
    return cn_trap_new(func->ref.store, CATNAP_TRAP_HOST,
                       "argument %zu %s: the function's type is %s", index, wrong, cn_functype_format(func->type, type, sizeof type));
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
    cn_values_from_slots(results, ft_results(type), slots);
    cn_values_retain(results);
    return NULL;
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
        return exhausted(func->ref.store);
    trap = call_with_slots(func, arguments, results, slots);
    cn_free(alloc, slots, count * sizeof *slots);
    return trap;
}

wasm_trap_t *cn_call_values(const wasm_func_t *func, struct values arguments,
                            struct values results) {
    wasm_store_t *store = func->ref.store;
    struct wasm_ref_t *ref = (struct wasm_ref_t *)(uintptr_t)&func->ref;
    if (!cn_store_enter(store))
        return store->misuse_trap;
    cn_object_retain(ref); /* a callback may delete the function, or its store */
    wasm_trap_t *trap = call_inside(func, arguments, results);
    cn_store_leave(store);
    cn_object_release(ref);
    return trap;
}

/* ---- Host functions ---- */

/* The values of one call of a host function. */
struct host_call {
    wasm_func_t *func;
    struct values arguments, results;
    size_t bytes;
    union {
        uint8_t bytes[SMALL_VALUES_BYTES];
        uint64_t aligned;
    } small;
};

/* Arguments are held while the callback runs: it may drop what else refers to them. */
static bool begin(struct host_call *call, wasm_func_t *func, const uint64_t *slots, size_t stride) {
    const struct functype *type = func->type;
    size_t params = type->param_count, results = type->result_count;
    call->func = func;
    call->bytes = (params + results) * stride;
    uint8_t *data = call->small.bytes;
    if (call->bytes > sizeof call->small)
        data = cn_alloc(func->ref.store->alloc, call->bytes);
    if (!data)
        return false;
    call->arguments = (struct values){data, params, stride};
    call->results = (struct values){data + params * stride, results, stride};
    cn_values_from_slots(call->arguments, ft_params(type), slots);
    cn_values_retain(call->arguments);
    cn_values_zero(call->results, ft_results(type));
    return true;
}

/* A trap of another store is told again in ours. */
static wasm_trap_t *adopt_trap(wasm_store_t *store, wasm_trap_t *trap) {
    if (trap->ref.store == store)
        return trap;
    wasm_trap_t *ours =
        cn_trap_new_text(store, trap->code, trap->message, trap->message_length);
    if (ours->code == trap->code)
        ours->exit_status = trap->exit_status;
    wasm_trap_delete(trap);
    return ours;
}

APART static wasm_trap_t *result_trap(const wasm_func_t *func, size_t index, const char *wrong) {
    char type[120];
    return cn_trap_new(func->ref.store, CATNAP_TRAP_HOST,
                       "result %zu of a host function %s: the function's type is %s", index, wrong,
                       cn_functype_format(func->type, type, sizeof type));
}

static wasm_trap_t *take_results(struct host_call *call, uint64_t *slots) {
    const wasm_func_t *func = call->func;
    size_t bad;
    const char *wrong = cn_values_to_slots(func->ref.store, call->results, ft_results(func->type),
                                           slots, &bad);
    return wrong ? result_trap(func, bad, wrong) : NULL;
}

static wasm_trap_t *finish(struct host_call *call, uint64_t *slots, wasm_trap_t *trap,
                           bool own_results) {
    wasm_store_t *store = call->func->ref.store;
    if (trap) {
        trap = adopt_trap(store, trap);
    } else {
        trap = take_results(call, slots);
        if (own_results)
            cn_values_release(call->results);
    }
    cn_values_release(call->arguments);
    if (call->arguments.data != call->small.bytes)
        cn_free(store->alloc, call->arguments.data, call->bytes);
    return trap;
}

wasm_trap_t *cn_callback_without_room(wasm_func_t *func, struct catnap_caller_t *caller,
                                      uint64_t *slots) {
    (void)caller;
    (void)slots;
    return cn_trap_new(func->ref.store, CATNAP_TRAP_HOST,
                       "a v128 does not fit a wasm_val_t: use catnap_func_new()");
}

static wasm_trap_t *call_plain(wasm_func_t *func, uint64_t *slots, bool with_env) {
    struct host_call call;
    wasm_trap_t *trap;
    if (!begin(&call, func, slots, sizeof(wasm_val_t)))
        return exhausted(func->ref.store);
    wasm_val_vec_t arguments = {call.arguments.count, call.arguments.data};
    wasm_val_vec_t results = {call.results.count, call.results.data};
    void *callback = func->user_callback;
    if (with_env)
        trap = ((wasm_func_callback_with_env_t)callback)(func->env, &arguments, &results);
    else
        trap = ((wasm_func_callback_t)callback)(&arguments, &results);
    return finish(&call, slots, trap, true);
}

wasm_trap_t *cn_callback_plain(wasm_func_t *func, struct catnap_caller_t *caller, uint64_t *slots) {
    (void)caller;
    return call_plain(func, slots, false);
}

wasm_trap_t *cn_callback_env(wasm_func_t *func, struct catnap_caller_t *caller, uint64_t *slots) {
    (void)caller;
    return call_plain(func, slots, true);
}

wasm_trap_t *cn_callback_wide(wasm_func_t *func, struct catnap_caller_t *caller, uint64_t *slots) {
    struct host_call call;
    if (!begin(&call, func, slots, sizeof(catnap_val_t)))
        return exhausted(func->ref.store);
    wasm_trap_t *trap = ((catnap_callback_t)func->user_callback)(func->env, caller,
                                                                 call.arguments.data,
                                                                 call.results.data);
    return finish(&call, slots, trap, false);
}
