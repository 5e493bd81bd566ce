/* The host functions' side of a call: slots become values, and values slots again. */
#include "api/api.h"
#include "api/numbers.h"
#include "base/likely.h"

#define SMALL_NUMBERS 8
#define SMALL_VALUES_BYTES (10 * sizeof(catnap_val_t))

/* Functions that make messages stay out of the frames of calls, which nest. */
#define APART __attribute__((noinline, cold))

/* Which of the three the embedder's function has; a constant where it is passed. */
enum signature { PLAIN, WITH_ENV, WIDE };

CN_INLINE size_t stride_of(enum signature signature) {
    return signature == WIDE ? sizeof(catnap_val_t) : sizeof(wasm_val_t);
}

/* ---- Any function ---- */

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

static void drop_arrays(const struct host_call *call) {
    if (call->arguments.data != call->small.bytes)
        cn_free(call->func->ref.store->alloc, call->arguments.data, call->bytes);
}

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
    cn_values_zero(call->results, ft_results(type));
    if (cn_values_give(func->ref.store, call->arguments, ft_params(type), slots))
        return true;
    drop_arrays(call);
    return false;
}

/* A trap of another store is told again in ours. */
static wasm_trap_t *adopt_trap(wasm_store_t *store, wasm_trap_t *trap) {
    if (trap->ref.store == store)
        return trap;
    wasm_trap_t *ours = cn_trap_new_text(store, trap->code, trap->message, trap->message_length);
    if (ours->code == trap->code)
        ours->exit_status = trap->exit_status;
    cn_object_release(&trap->ref);
    return ours;
}

APART static wasm_trap_t *result_trap(const wasm_func_t *func, size_t index, const char *wrong) {
    char type[120];
    return cn_trap_new(func->ref.store, cn_value_trap(wrong),
                       "result %zu of a host function %s: the function's type is %s", index, wrong,
                       cn_functype_format(func->type, type, sizeof type));
}

static wasm_trap_t *take_results(struct host_call *call, uint64_t *slots) {
    const wasm_func_t *func = call->func;
    size_t bad;
    const char *wrong =
        cn_values_to_slots(func->ref.store, call->results, ft_results(func->type), slots, &bad);
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
    drop_arrays(call);
    return trap;
}

/* Calls the embedder's function with the signature that it has. */
CN_INLINE wasm_trap_t *invoke(enum signature signature, wasm_func_t *func,
                              struct catnap_caller_t *caller, void *arguments, void *results) {
    void *callback = func->user_callback;
    if (signature == WIDE)
        return ((catnap_callback_t)callback)(func->env, caller, arguments, results);
    wasm_val_vec_t in = {func->type->param_count, arguments};
    wasm_val_vec_t out = {func->type->result_count, results};
    if (signature == WITH_ENV)
        return ((wasm_func_callback_with_env_t)callback)(func->env, &in, &out);
    return ((wasm_func_callback_t)callback)(&in, &out);
}

static __attribute__((noinline)) wasm_trap_t *call_any(enum signature signature, wasm_func_t *func,
                                                       struct catnap_caller_t *caller,
                                                       uint64_t *slots) {
    struct host_call call;
    if (!begin(&call, func, slots, stride_of(signature)))
        return cn_no_memory_trap(func->ref.store);
    wasm_trap_t *trap = invoke(signature, func, caller, call.arguments.data, call.results.data);
    return finish(&call, slots, trap, signature != WIDE);
}

/* ---- Functions of a few numbers ---- */

APART static wasm_trap_t *refuse_results(wasm_func_t *func, struct values results,
                                         uint64_t *slots) {
    struct host_call call = {.func = func, .results = results};
    wasm_trap_t *trap = take_results(&call, slots);
    if (results.stride == sizeof(wasm_val_t))
        cn_values_release(results);
    return trap;
}

CN_INLINE wasm_trap_t *call_numbers(enum signature signature, wasm_func_t *func,
                                    struct catnap_caller_t *caller, uint64_t *slots) {
    const struct functype *type = func->type;
    uint32_t params = type->param_count, count = type->result_count;
    size_t stride = stride_of(signature);
    _Alignas(uint64_t) uint8_t values[SMALL_NUMBERS * sizeof(catnap_val_t)];
    if (!type->numbers || params + count > SMALL_NUMBERS)
        return call_any(signature, func, caller, slots);
    uint8_t *results = values + params * stride;
    numbers_from_slots(values, stride, ft_params(type), params, slots);
    numbers_zero(results, stride, ft_results(type), count);
    wasm_trap_t *trap = invoke(signature, func, caller, values, results);
    if (unlikely(trap != NULL))
        return adopt_trap(func->ref.store, trap);
    if (!numbers_to_slots(results, stride, ft_results(type), count, slots))
        return refuse_results(func, (struct values){results, count, stride}, slots);
    return NULL;
}

/* ---- Calls from the engine ---- */

wasm_trap_t *cn_callback_without_room(wasm_func_t *func, struct catnap_caller_t *caller,
                                      uint64_t *slots) {
    (void)caller;
    (void)slots;
    return cn_trap_new(func->ref.store, CATNAP_TRAP_HOST,
                       "a v128 does not fit a wasm_val_t: use catnap_func_new()");
}

wasm_trap_t *cn_callback_plain(wasm_func_t *func, struct catnap_caller_t *caller, uint64_t *slots) {
    return call_numbers(PLAIN, func, caller, slots);
}

wasm_trap_t *cn_callback_env(wasm_func_t *func, struct catnap_caller_t *caller, uint64_t *slots) {
    return call_numbers(WITH_ENV, func, caller, slots);
}

wasm_trap_t *cn_callback_wide(wasm_func_t *func, struct catnap_caller_t *caller, uint64_t *slots) {
    return call_numbers(WIDE, func, caller, slots);
}

wasm_trap_t *cn_callback_raw(wasm_func_t *func, struct catnap_caller_t *caller, uint64_t *slots) {
    const struct functype *type = func->type;
    wasm_trap_t *trap = ((catnap_raw_callback_t)func->user_callback)(func->env, caller, slots);
    if (unlikely(trap != NULL))
        return adopt_trap(func->ref.store, trap);
    copy_narrow(slots, slots, type->result_slots, type->narrow_results, ft_results(type));
    return NULL;
}
