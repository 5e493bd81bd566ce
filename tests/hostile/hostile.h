/*
 * Shared helpers of the hostile tests: an allocator that counts, caps and fails on request, engines of
 * each form, and programs that run with a C stack of 256 KiB. Only the two public headers are used.
 */
#ifndef TESTS_HOSTILE_HOSTILE_H
#define TESTS_HOSTILE_HOSTILE_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "catnap.h"
#include "../support/module.h"
#include "../support/sanitized.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- An allocator that keeps the books ---- */

struct ledger {
    uint64_t now, peak; /* bytes */
    uint64_t cap;       /* beyond which it fails; 0: none */
    uint64_t count;     /* allocations and growths so far */
    uint64_t fail_at;   /* the first of those that fails, counted from 1; 0: none */
    bool fail_on;       /* and all after it */
    uint64_t failures;
};

static inline void *ledger_realloc(void *env, void *pointer, size_t old_size, size_t new_size) {
    struct ledger *l = env;
    if (new_size == 0) {
        l->now -= old_size;
        free(pointer);
        return NULL;
    }
    uint64_t number = ++l->count;
    bool starved = l->fail_at && (l->fail_on ? number >= l->fail_at : number == l->fail_at);
    if (starved || (l->cap && l->now - old_size + new_size > l->cap)) {
        l->failures++;
        return NULL;
    }
    void *moved = realloc(pointer, new_size);
    if (!moved)
        return NULL;
    l->now += new_size - old_size;
    if (l->now > l->peak)
        l->peak = l->now;
    return moved;
}

/* ---- Engines ---- */

struct form {
    bool explicit_checks, eager, deferred, fuel, interruptible, profile_ops, deterministic;
    catnap_features_t features; /* more than the default */
};

/* The engine installs its handler for faults once, and cmocka its own for each test: every new
 * engine puts the engine's back. */
static struct sigaction engine_fault_handler;
static inline void note_fault_handler(void) {
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    wasm_limits_t limits = {1, 1};
    wasm_memorytype_t *type = wasm_memorytype_new(&limits);
    wasm_memory_delete(wasm_memory_new(store, type));
    wasm_memorytype_delete(type);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    sigaction(SIGSEGV, NULL, &engine_fault_handler);
}

static inline wasm_engine_t *new_engine(struct form form, struct ledger *ledger) {
    if (engine_fault_handler.sa_flags & SA_SIGINFO)
        sigaction(SIGSEGV, &engine_fault_handler, NULL);
    wasm_config_t *config = wasm_config_new();
    if (ledger) {
        catnap_allocator_t allocator = {ledger_realloc, ledger};
        catnap_config_set_allocator(config, &allocator);
    }
    if (form.explicit_checks)
        catnap_config_set_bounds_checks(config, CATNAP_BOUNDS_EXPLICIT);
    catnap_config_set_features(config, CATNAP_FEATURES_DEFAULT | form.features);
    catnap_config_set_deterministic(config, form.deterministic);
    if (form.eager)
        catnap_config_set_translation(config, CATNAP_TRANSLATION_EAGER);
    if (form.deferred)
        catnap_config_set_translation(config, CATNAP_TRANSLATION_DEFERRED);
    catnap_config_set_fuel(config, form.fuel);
    catnap_config_set_interruptible(config, form.interruptible);
    catnap_config_set_profile_ops(config, form.profile_ops);
    return wasm_engine_new_with_config(config);
}

/* An engine with a store, and what was loaded into it last. */
struct world {
    struct ledger ledger;
    wasm_engine_t *engine;
    wasm_store_t *store;
    wasm_instance_t *instance;
};

static inline void open_world(struct world *w, struct form form) {
    *w = (struct world){.ledger = {0}};
    w->engine = new_engine(form, &w->ledger);
    assert_non_null(w->engine);
    w->store = wasm_store_new(w->engine);
    assert_non_null(w->store);
}

/* All memory must come back. */
static inline void close_world(struct world *w) {
    wasm_instance_delete(w->instance);
    wasm_store_delete(w->store);
    wasm_engine_delete(w->engine);
    assert_int_equal(w->ledger.now, 0);
}

/* With as much fuel as there can be, when the form has fuel. */
static inline void open_form(struct world *w, struct form form) {
    open_world(w, form);
    if (form.fuel)
        assert_null(catnap_store_set_fuel(w->store, UINT64_MAX));
}

/* A world `w` of each form in an array `forms`. */
#define FOR_EACH_FORM_BY(open, w)                                                                  \
    for (size_t form_ = 0; form_ < COUNT(forms) && (open(&(w), forms[form_]), true);               \
         form_++, close_world(&(w)))
#define FOR_EACH_FORM(w) FOR_EACH_FORM_BY(open_form, w)

static inline void print_trap(const wasm_trap_t *trap) {
    wasm_message_t message;
    wasm_trap_message(trap, &message);
    print_message("trap %d: %s\n", (int)catnap_trap_code(trap), message.data);
    wasm_byte_vec_delete(&message);
}

static inline wasm_module_t *load_module(wasm_store_t *store, const struct bytes *b) {
    catnap_error_t *error;
    wasm_module_t *module = catnap_module_new(store, b->data, b->size, NULL, &error);
    if (error)
        print_message("%s\n", catnap_error_message(error));
    assert_null(error);
    assert_non_null(module);
    return module;
}

static inline wasm_instance_t *instantiate(wasm_store_t *store, const struct bytes *b,
                                           wasm_extern_t **imports, size_t count) {
    wasm_module_t *module = load_module(store, b);
    wasm_extern_vec_t vec = {count, imports};
    catnap_error_t *error;
    wasm_trap_t *trap;
    wasm_instance_t *instance = catnap_instance_new(store, module, &vec, &error, &trap);
    if (error)
        print_message("%s\n", catnap_error_message(error));
    if (trap)
        print_trap(trap);
    assert_null(error);
    assert_null(trap);
    assert_non_null(instance);
    wasm_module_delete(module);
    return instance;
}

static inline wasm_trap_t *do_nothing_on_host(void *env, catnap_caller_t *caller,
                                              const catnap_val_t *arguments,
                                              catnap_val_t *results) {
    (void)env;
    (void)caller;
    (void)arguments;
    (void)results;
    return NULL;
}

/* A function of the host without parameters and results. */
static inline wasm_func_t *new_host_func(wasm_store_t *store, catnap_callback_t callback,
                                         void *env) {
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_func_t *func = catnap_func_new(store, type, callback, env, NULL, NULL);
    wasm_functype_delete(type);
    assert_non_null(func);
    return func;
}

/* Loads a module, frees its bytes, and makes it the world's instance. */
static inline void enter_module(struct world *w, struct module_builder *m) {
    struct bytes b = finish(m);
    wasm_instance_delete(w->instance);
    w->instance = instantiate(w->store, &b, NULL, 0);
    drop_bytes(&b);
}

static inline wasm_func_t *get_func(const wasm_instance_t *instance, const char *name) {
    wasm_extern_t *found = catnap_instance_export(instance, name, strlen(name));
    assert_non_null(found);
    assert_non_null(wasm_extern_as_func(found));
    return wasm_extern_as_func(found);
}

/* Calls an export with arguments and results of any number. */
static inline wasm_trap_t *call_values(const wasm_instance_t *instance, const char *name,
                                       const catnap_val_t *arguments, catnap_val_t *results) {
    wasm_func_t *func = get_func(instance, name);
    wasm_trap_t *trap = catnap_func_call(func, arguments, wasm_func_param_arity(func), results,
                                         wasm_func_result_arity(func));
    wasm_func_delete(func);
    return trap;
}

#define VAL_I32(v) ((catnap_val_t){.kind = WASM_I32, .of.i32 = (int32_t)(v)})
#define VAL_I64(v) ((catnap_val_t){.kind = WASM_I64, .of.i64 = (int64_t)(v)})

/* Calls with i32 arguments (at most 8) and at most one result, given as bits. */
static inline wasm_trap_t *call_bits(const wasm_instance_t *instance, const char *name,
                                     const int64_t *arguments, uint64_t *bits) {
    wasm_func_t *func = get_func(instance, name);
    wasm_functype_t *type = wasm_func_type(func);
    const wasm_valtype_vec_t *params = wasm_functype_params(type);
    catnap_val_t in[8], out[1];
    memset(out, 0, sizeof out);
    for (size_t i = 0; i < params->size; i++) {
        in[i] = (catnap_val_t){.kind = wasm_valtype_kind(params->data[i])};
        memcpy(&in[i].of, &arguments[i], sizeof arguments[i]);
    }
    wasm_trap_t *trap = catnap_func_call(func, in, params->size, out, wasm_func_result_arity(func));
    *bits = 0;
    memcpy(bits, &out[0].of, out[0].kind == WASM_I32 || out[0].kind == WASM_F32 ? 4 : sizeof *bits);
    wasm_functype_delete(type);
    wasm_func_delete(func);
    return trap;
}

/* The same for a call that must not trap. */
#define CALL_EXPORT(instance, name, ...)                                                           \
    call_well(instance, name, (const int64_t[9]){0, ##__VA_ARGS__} + 1)
static inline uint64_t call_well(const wasm_instance_t *instance, const char *name,
                                 const int64_t *arguments) {
    uint64_t bits;
    wasm_trap_t *trap = call_bits(instance, name, arguments, &bits);
    if (trap) {
        print_message("%s: ", name);
        print_trap(trap);
    }
    assert_null(trap);
    return bits;
}

/* The code of the trap that the call must end in. */
#define CALL_TRAP(instance, name, ...)                                                             \
    call_badly(instance, name, (const int64_t[9]){0, ##__VA_ARGS__} + 1)
static inline catnap_trap_code_t call_badly(const wasm_instance_t *instance, const char *name,
                                            const int64_t *arguments) {
    uint64_t bits;
    wasm_trap_t *trap = call_bits(instance, name, arguments, &bits);
    assert_non_null(trap);
    catnap_trap_code_t code = catnap_trap_code(trap);
    wasm_trap_delete(trap);
    return code;
}

/* ---- Randomness that repeats ---- */

static inline uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* ---- A small C stack ---- */

/* Starts the program again with `ulimit -s 256`; the sanitizers' own frames need more. */
static inline void begin_with_small_stack(char **argv) {
    const rlim_t bytes = SANITIZED ? 2048 << 10 : 256 << 10;
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur > bytes) {
        limit.rlim_cur = bytes;
        if (setrlimit(RLIMIT_STACK, &limit) == 0)
            execv("/proc/self/exe", argv);
    }
    note_fault_handler();
}

#endif
