/*
 * Functions that the entry points of wasm.h and catnap.h share.
 */
#ifndef CN_API_API_H
#define CN_API_API_H

#include <string.h>

#include "code/code.h"
#include "runtime/instance.h"
#include "runtime/store.h"
#include "runtime/trap.h"

/* ---- wasm_vec.c: malloc and free, for what lives outside an engine: types, vectors, errors ---- */
void *cn_host_alloc(size_t size); /* zeroed; NULL when exhausted */
void *cn_host_array(size_t count, size_t size);
void cn_host_free(void *);

/* ---- errors.c ---- */
/* An own error; never NULL. */
catnap_error_t *cn_error_own(const struct error *);
catnap_error_t *cn_error_make(catnap_status_t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Reports a failure: to the store (may be NULL) for catnap_store_last_error(), and as an own error
 * to *out (may be NULL). Returns NULL, for `return cn_report(...)`. */
void *cn_report(wasm_store_t *, catnap_error_t **out, const struct error *);
void *cn_report_new(wasm_store_t *, catnap_error_t **out, catnap_status_t, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void *cn_report_memory(wasm_store_t *, catnap_error_t **out);
void *cn_report_null(wasm_store_t *, catnap_error_t **out); /* an argument is NULL */
void *cn_report_misuse(catnap_error_t **out);               /* cn_store_enter() failed */
/* The failure as a trap. */
wasm_trap_t *cn_trap_of_error(wasm_store_t *, const struct error *);

/* ---- typemap.c: types of wasm.h and of modules ---- */
valtype cn_valtype_of_kind(wasm_valkind_t); /* VT_BOTTOM when there is none */
wasm_valkind_t cn_kind_of_valtype(valtype);
/* NULL and *error when it cannot be; else with a reference for the caller. */
const struct functype *cn_functype_intern(wasm_engine_t *, const wasm_functype_t *, struct error *);
bool cn_globaltype_of(const wasm_globaltype_t *, struct globaltype *, struct error *);
bool cn_tabletype_of(const wasm_tabletype_t *, struct tabletype *, struct error *);
bool cn_memorytype_of(const wasm_memorytype_t *, struct memorytype *, struct error *);
/* Own descriptions; NULL when memory is exhausted. */
wasm_functype_t *cn_functype_describe(const struct functype *);
wasm_globaltype_t *cn_globaltype_describe(const struct globaltype *);
wasm_tabletype_t *cn_tabletype_describe(const struct tabletype *);
wasm_memorytype_t *cn_memorytype_describe(const struct memorytype *);
wasm_tagtype_t *cn_tagtype_describe(const struct functype *);
/* Of something in a module's index spaces. */
wasm_externtype_t *cn_externtype_describe(const struct module *, enum extern_kind, uint32_t index);
/* The type of an object now. */
wasm_externtype_t *cn_object_type(const struct wasm_ref_t *);

/* ---- values.c: values of the two headers, and slots ---- */

/* An array of wasm_val_t or of catnap_val_t: both have the kind first and the value at 8. */
struct values {
    void *data;
    size_t count, stride;
};
static inline struct values plain_values(const wasm_val_t *data, size_t count) {
    return (struct values){(void *)(uintptr_t)data, count, sizeof(wasm_val_t)};
}
static inline struct values wide_values(const catnap_val_t *data, size_t count) {
    return (struct values){(void *)(uintptr_t)data, count, sizeof(catnap_val_t)};
}

/* Whether values of these types fit the array's elements; a v128 fits no wasm_val_t. */
bool cn_values_have_room(struct values, const valtype *types, uint32_t count);
/* Reads the array into slots; NULL, or what is wrong with element *bad. */
const char *cn_values_to_slots(wasm_store_t *, struct values, const valtype *types, uint64_t *slots,
                               size_t *bad);
/* The one fault that is not the value's. */
extern const char cn_value_no_memory[];
static inline catnap_status_t cn_value_status(const char *wrong) {
    return wrong == cn_value_no_memory ? CATNAP_NO_MEMORY : CATNAP_MISUSE;
}
static inline catnap_trap_code_t cn_value_trap(const char *wrong) {
    return wrong == cn_value_no_memory ? CATNAP_TRAP_NO_MEMORY : CATNAP_TRAP_HOST;
}
/* Gives slots to the embedder: writes them into the array, references with a handle each. False, with zeroes in the
 * array, when memory for a reference to a value of the heap is exhausted. */
bool cn_values_give(wasm_store_t *, struct values, const valtype *types, const uint64_t *slots);
/* Sets every element to the zero of its type. */
void cn_values_zero(struct values, const valtype *types);
/* Clears the upper half of every slot of an i32 or f32. */
void cn_slots_narrow(uint64_t *slots, uint32_t slot_count, const valtype *types);
/* One more handle, or one less, for each reference in the array. */
void cn_values_release(struct values);

/* ---- call.c, callback.c ---- */
wasm_trap_t *cn_no_memory_trap(wasm_store_t *);
/* Adapters to the embedder's functions, by the signatures of the headers: for cn_func_new(). */
wasm_trap_t *cn_callback_plain(wasm_func_t *, struct catnap_caller_t *, uint64_t *slots);
wasm_trap_t *cn_callback_env(wasm_func_t *, struct catnap_caller_t *, uint64_t *slots);
/* In place of those two when values do not fit a wasm_val_t: it traps. */
wasm_trap_t *cn_callback_without_room(wasm_func_t *, struct catnap_caller_t *, uint64_t *slots);
wasm_trap_t *cn_callback_wide(wasm_func_t *, struct catnap_caller_t *, uint64_t *slots);
wasm_trap_t *cn_callback_raw(wasm_func_t *, struct catnap_caller_t *, uint64_t *slots);

/* ---- load.c ---- */
/* Decodes and validates, and translates when the engine is eager. options may be NULL. */
struct shared_module *cn_load(wasm_engine_t *, const uint8_t *bytes, size_t size,
                              const catnap_module_options_t *, struct error *);
/* The same, but bodies are not validated: that they are valid, and that the bytes do not change between
 * that finding and this call, is the caller's to know. */
struct shared_module *cn_load_known(wasm_engine_t *, const uint8_t *bytes, size_t size,
                                    const catnap_module_options_t *, struct error *);
/* The mode of translation that the options name, or else the engine's. */
catnap_translation_t cn_translation_mode(const wasm_engine_t *, const catnap_module_options_t *);
/* Makes a checked module one that stores can have, translated when the mode is eager; takes it over,
 * also when it fails. */
struct shared_module *cn_share_module(wasm_engine_t *, struct module *, const char *name,
                                      catnap_translation_t, struct error *);
bool cn_check_module(wasm_engine_t *, const uint8_t *bytes, size_t size, struct error *);
bool cn_translate_all(struct shared_module *, struct error *);
/* The code of instances whose memories are of this engine's own usual kind; NULL when memory is exhausted. */
struct code_variant *cn_usual_variant(struct shared_module *);
/* The same, NULL when nothing has used it yet. */
const struct code_variant *cn_find_usual_variant(const struct shared_module *);

/* ---- catnap_module.c ---- */
/* A store's handle on what was loaded (taken over), or, when that is NULL, the error to *out. */
wasm_module_t *cn_give_module(wasm_store_t *, struct shared_module *, const struct error *,
                              catnap_error_t **out);

/* ---- catnap_linker.c ---- */
/* The function that the linker has for an import of that type, without a handle; NULL when it has none,
 * with the error set or its status as it was. */
struct wasm_ref_t *cn_linker_function(catnap_linker_t *, const char *module, size_t module_length,
                                      const char *name, size_t name_length, const struct functype *,
                                      struct error *);

/* The object that a tag import would be given, without a handle; NULL when there is nothing. */
struct wasm_ref_t *cn_linker_tag(const catnap_linker_t *, const char *module, size_t module_length,
                                 const char *name, size_t name_length);

/* ---- catnap_trap.c ---- */
void cn_frame_resolve(const struct trap_frame *, catnap_frame_t *out);
/* The calls under way (run NULL), or the frames of a stopped run, innermost first. */
size_t cn_backtrace(struct machine *, struct catnap_run_t *, catnap_frame_t *out, size_t capacity);

/* ---- catnap_prelink.c ---- */
/* With handles on the imports of its own. NULL and *error, also recorded for the store. */
catnap_prelinked_t *cn_prelink(wasm_store_t *, const wasm_module_t *,
                               struct wasm_ref_t *const *imports, size_t count, struct error *);

/* ---- instantiate.c ---- */
/* Runs the start function, if there is one, with the instance complete; it takes and gives nothing. */
wasm_trap_t *cn_start(wasm_instance_t *);
/* Links, initialises and starts. The instance has one handle, or it is NULL with *error (own) or
 * *trap (own) set; each may be NULL. */
wasm_instance_t *cn_instantiate(wasm_store_t *, const wasm_module_t *,
                                struct wasm_ref_t *const *imports, size_t count, struct error *,
                                wasm_trap_t **trap);
/* Hands a failed instantiation to the caller: the trap when there is one, else the error. */
void cn_give_failure(const struct error *, wasm_trap_t *trap, catnap_error_t **out_error,
                     wasm_trap_t **out_trap);
/* The export of that name, NULL when there is none or memory is exhausted (then recorded). */
struct wasm_ref_t *cn_export_by_name(wasm_instance_t *, const char *name, size_t length);

#endif
