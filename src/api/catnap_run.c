/* Resumable runs: values around exec/run.c. */
#include "api/api.h"
#include "exec/calls.h"
#include "exec/run.h"

/* Arguments as slots, and a run with them. */
static catnap_run_t *new_run(wasm_func_t *func, struct values arguments, struct error *error) {
    const struct functype *type = func->type;
    wasm_store_t *store = func->ref.store;
    size_t bytes = type->param_slots * sizeof(uint64_t), bad;
    uint64_t *slots = cn_alloc(store->alloc, bytes);
    if (!slots) {
        cn_fail_memory(error);
        return NULL;
    }
    const char *wrong = cn_values_to_slots(store, arguments, ft_params(type), slots, &bad);
    catnap_run_t *run = NULL;
    if (wrong)
        cn_fail(error, cn_value_status(wrong), "argument %zu %s", bad, wrong);
    else
        run = cn_run_new(func, slots, error);
    cn_free(store->alloc, slots, bytes);
    return run;
}

catnap_run_t *catnap_run_new(const wasm_func_t *func, const catnap_val_t *arguments, size_t count,
                             catnap_error_t **out) {
    struct error error;
    if (out)
        *out = NULL;
    if (!func || (count > 0 && !arguments))
        return cn_report_null(NULL, out);
    wasm_store_t *store = func->ref.store;
    if (count != func->type->param_count)
        return cn_report_new(store, out, CATNAP_MISUSE,
                             "wrong number of arguments: expected %u, found %zu",
                             func->type->param_count, count);
    if (store->deleted)
        return cn_report_new(store, out, CATNAP_MISUSE, "the function's store has been deleted");
    if (!cn_store_enter(store))
        return cn_report_misuse(out);
    catnap_run_t *run =
        new_run((wasm_func_t *)(uintptr_t)func, wide_values(arguments, count), &error);
    if (!run)
        cn_report(store, out, &error);
    cn_store_leave(store);
    return run;
}

#define SMALL_RESULTS 16

static catnap_status_t resume_with_slots(catnap_run_t *run, struct values results,
                                         wasm_trap_t **trap, uint64_t *slots) {
    const struct functype *type = cn_run_func(run)->type;
    wasm_store_t *store = cn_run_func(run)->ref.store;
    catnap_status_t status = cn_run_resume(run, slots, trap); /* a callback may delete the run */
    if (status == CATNAP_OK && !cn_values_give(store, results, ft_results(type), slots))
        return CATNAP_NO_MEMORY;
    return status;
}

static catnap_status_t resume(catnap_run_t *run, struct values results, wasm_trap_t **trap) {
    wasm_func_t *func = cn_run_func(run);
    size_t count = func->type->result_slots;
    uint64_t small[SMALL_RESULTS];
    if (count <= SMALL_RESULTS)
        return resume_with_slots(run, results, trap, small);
    struct alloc *alloc = func->ref.store->alloc;
    uint64_t *slots = cn_alloc(alloc, count * sizeof *slots);
    if (!slots)
        return CATNAP_NO_MEMORY;
    catnap_status_t status = resume_with_slots(run, results, trap, slots);
    cn_free(alloc, slots, count * sizeof *slots);
    return status;
}

catnap_status_t catnap_run_resume(catnap_run_t *run, catnap_val_t *results, size_t count,
                                  wasm_trap_t **out) {
    wasm_trap_t *trap = NULL;
    catnap_status_t status = CATNAP_MISUSE;
    if (results)
        memset(results, 0, count * sizeof *results);
    if (run && count == cn_run_func(run)->type->result_count && (results || count == 0)) {
        wasm_func_t *func = cn_run_func(run);
        wasm_store_t *store = func->ref.store;
        struct values values = wide_values(results, count);
        cn_values_zero(values, ft_results(func->type));
        if (cn_store_enter(store)) {
            cn_object_retain(
                &func->ref); /* a callback may delete the run, its handle on this too */
            if (!store->deleted)
                status = resume(run, values, &trap);
            cn_store_leave(store);
            cn_object_release(&func->ref);
        }
    }
    if (out)
        *out = trap;
    else
        wasm_trap_delete(trap);
    return status;
}

size_t catnap_run_backtrace(catnap_run_t *run, catnap_frame_t *out, size_t capacity) {
    return run ? cn_backtrace(&cn_run_func(run)->ref.store->machine, run, out, capacity) : 0;
}

const wasm_func_t *catnap_run_function(const catnap_run_t *run) {
    return run ? cn_run_func(run) : NULL;
}

bool catnap_caller_suspend(catnap_caller_t *caller) {
    return caller && cn_suspend(caller->machine);
}

void catnap_run_delete(catnap_run_t *run) {
    if (run)
        cn_run_delete(run);
}
