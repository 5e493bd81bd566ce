/* A guest with a memory, whose functions access it, recurse, and grow. */
#ifndef TESTS_HOST_GUEST_H
#define TESTS_HOST_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "catnap.h"

/*
 * (module (memory (export "memory") 1)
 *   (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
 *   (func $deep (export "deep") (param i32) (result i32)
 *     (if (result i32) (local.get 0)
 *       (then (i32.add (call $deep (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
 *       (else (i32.const 0))))
 *   (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))
 */
/* clang-format off */
static const uint8_t guest_module[] = {
    0, 'a', 's', 'm', 1, 0, 0, 0,
    1, 6, 1, 0x60, 1, 0x7F, 1, 0x7F,                                          /* type */
    3, 4, 3, 0, 0, 0,                                                         /* functions */
    5, 3, 1, 0, 1,                                                            /* memory */
    7, 31, 4, 6, 'm', 'e', 'm', 'o', 'r', 'y', 2, 0, 4, 'l', 'o', 'a', 'd', 0, 0,
    4, 'd', 'e', 'e', 'p', 0, 1, 4, 'g', 'r', 'o', 'w', 0, 2,                 /* exports */
    10, 37, 3,
    7, 0, 0x20, 0, 0x28, 2, 0, 0x0B,                                          /* load */
    20, 0, 0x20, 0, 0x04, 0x7F, 0x20, 0, 0x41, 1, 0x6B, 0x10, 1, 0x41, 1,
    0x6A, 0x05, 0x41, 0, 0x0B, 0x0B,                                          /* deep */
    6, 0, 0x20, 0, 0x40, 0, 0x0B,                                             /* grow */
};
/* clang-format on */

struct guest {
    wasm_engine_t *engine;
    wasm_store_t *store;
    wasm_instance_t *instance;
};

static inline wasm_instance_t *guest_instantiate(wasm_store_t *store) {
    wasm_module_t *module = catnap_module_new(store, guest_module, sizeof guest_module, NULL, NULL);
    wasm_extern_vec_t none = WASM_EMPTY_VEC;
    wasm_instance_t *instance =
        module ? catnap_instance_new(store, module, &none, NULL, NULL) : NULL;
    wasm_module_delete(module);
    return instance;
}

static inline bool guest_open(struct guest *guest) {
    guest->engine = wasm_engine_new();
    guest->store = wasm_store_new(guest->engine);
    guest->instance = guest->store ? guest_instantiate(guest->store) : NULL;
    return guest->instance != NULL;
}

static inline void guest_close(const struct guest *guest) {
    wasm_instance_delete(guest->instance);
    wasm_store_delete(guest->store);
    wasm_engine_delete(guest->engine);
}

/* The result, or minus the trap's code less one: -1 is never a trap, and no result is below that. */
static inline int64_t guest_call(const wasm_instance_t *instance, const char *name,
                                 uint32_t argument) {
    catnap_val_t in = {.kind = WASM_I32, .of.i32 = (int32_t)argument}, out;
    wasm_extern_t *found = catnap_instance_export(instance, name, strlen(name));
    wasm_trap_t *trap = catnap_func_call(wasm_extern_as_func(found), &in, 1, &out, 1);
    int64_t result = trap ? -1 - (int64_t)catnap_trap_code(trap) : (int64_t)out.of.i32;
    wasm_trap_delete(trap);
    wasm_extern_delete(found);
    return result;
}

#define TRAPPED(code) (-1 - (int64_t)(code))

/* Whether accesses within the memory work and those beyond it trap. */
static inline bool guest_is_well(const wasm_instance_t *instance) {
    return guest_call(instance, "load", 4) == 0 &&
           guest_call(instance, "load", 0xFFFFFFFCu) == TRAPPED(CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
}

#endif
