/* An allocator that fails on demand, and repeats a scenario with each allocation failing in
 * turn. */
#ifndef TESTS_STARTUP_INJECT_H
#define TESTS_STARTUP_INJECT_H

#include <pthread.h>

#include "../api/helpers.h"

struct injector {
    uint64_t count;   /* allocations so far */
    uint64_t fail_at; /* the one that fails */
    bool forever;     /* and all later ones */
    bool fired;
    int64_t held; /* bytes */
    pthread_mutex_t mutex;
};

static inline void *injected_realloc(void *env, void *pointer, size_t old_size, size_t new_size) {
    struct injector *injector = env;
    void *result = NULL;
    pthread_mutex_lock(&injector->mutex);
    uint64_t index = new_size > old_size ? injector->count++ : UINT64_MAX - 1;
    bool fails = new_size > old_size &&
                 (index == injector->fail_at || (injector->forever && index > injector->fail_at));
    injector->fired |= fails;
    if (!fails) {
        injector->held += (int64_t)new_size - (int64_t)old_size;
        if (new_size == 0)
            free(pointer);
        else
            result = realloc(pointer, new_size);
    }
    pthread_mutex_unlock(&injector->mutex);
    return result;
}

/* The scenario gets an engine's configuration and must cope with failures of memory. It runs until
 * no allocation is left to fail; each time, all memory must have come back. */
static inline void inject_everywhere(void (*scenario)(wasm_config_t *config, bool may_fail)) {
    for (int forever = 0; forever < 2; forever++) {
        for (uint64_t at = 0;; at++) {
            struct injector injector = {.fail_at = at, .forever = forever};
            pthread_mutex_init(&injector.mutex, NULL);
            catnap_allocator_t allocator = {injected_realloc, &injector};
            wasm_config_t *config = wasm_config_new();
            catnap_config_set_allocator(config, &allocator);
            scenario(config, true);
            pthread_mutex_destroy(&injector.mutex);
            assert_int_equal(injector.held, 0);
            if (!injector.fired)
                break;
        }
    }
}

/* Whether there was no error; one of memory is no failure of the test. */
static inline bool succeeded(catnap_error_t *error) {
    if (!error)
        return true;
    if (catnap_error_status(error) != CATNAP_NO_MEMORY)
        print_message("%s\n", catnap_error_message(error));
    assert_int_equal(catnap_error_status(error), CATNAP_NO_MEMORY);
    catnap_error_delete(error);
    return false;
}

static inline bool ran(wasm_trap_t *trap) {
    if (!trap)
        return true;
    assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_NO_MEMORY);
    wasm_trap_delete(trap);
    return false;
}

#endif
