/*
 * First calls: a function is translated when it is first called, and validated before when its module was loaded
 * with that deferred.
 */
#ifndef CN_CODE_FIRST_CALL_H
#define CN_CODE_FIRST_CALL_H

#include "bytecode/code.h"
#include "runtime/instance.h"
#include "runtime/store.h"

/* The code of a defined function, which is translated now if it was never called before. On failure the event is
 * set; NULL. */
const struct code *cn_first_call(struct machine *vm, struct wasm_instance_t *instance,
                                 uint32_t defined_index);
/* The same for a function object, which then remembers its code. */
bool cn_first_call_of(struct machine *vm, struct wasm_func_t *);
/* Sets the event that a failed translation stops with. */
void cn_stop_untranslated(struct machine *vm, uint32_t func, const struct error *);

/* The configuration that the instance's code was or will be translated with. */
static inline struct translation_config cn_instance_translation(const struct wasm_instance_t *i) {
    return i->variant->config;
}
/* The configuration that this code of the instance was translated with. */
static inline struct translation_config cn_code_translation(const struct wasm_instance_t *i,
                                                            const struct code *code) {
    return cn_config_for(code, cn_instance_translation(i));
}

#endif
