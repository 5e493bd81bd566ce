/*
 * The part of a module that stores and threads share, and the handle that a store has on it.
 */
#ifndef CN_RUNTIME_SHARED_H
#define CN_RUNTIME_SHARED_H

#include "binary/module.h"
#include "bytecode/code.h"
#include "runtime/engine.h"
#include "runtime/object.h"

struct shared_module;
struct translators; /* code/background.c */

/* The functions of a module as translated with one configuration: instances whose memory has guard pages and
 * instances that need explicit bounds checks run different code. */
struct code_variant {
    struct code_variant *next;
    struct translation_config config;
    /* By defined function: until it is translated, twice the offset of the body's size field and
     * CODE_UNTRANSLATED; then the address of its struct code, by one atomic exchange. */
    _Atomic uint64_t words[];
};
#define CODE_UNTRANSLATED 1u

/* Everything about a module's code that changes after loading. code/ fills it in. */
struct module_code {
    struct code_variant *_Atomic variants; /* each made when it is first needed */
    struct code *_Atomic list;             /* all translated functions, the latest first */
    struct translators
        *_Atomic translators; /* functions that background jobs are translating, or NULL */
    _Atomic uint8_t
        *valid; /* of a deferred module: bit per defined function that was found valid */
    /* Set by code/ when it puts something into `list` or `translators`; frees these at the module's end. */
    void (*_Atomic drop)(struct shared_module *);
    /* Statistics. The last two begin with those of loading. */
    _Atomic uint64_t translated_functions, translated_bytes, bytecode_bytes, translate_ns;
    _Atomic uint64_t validated_functions, validate_ns;
};

/* A module of an engine (wasm_shared_module_t), which any number of stores and threads use. */
struct shared_module {
    _Atomic uint32_t references;
    wasm_engine_t *engine;
    struct module *module;
    struct module_code code;
};

struct wasm_module_t { /* a store's handle on a shared module */
    struct wasm_ref_t ref;
    struct shared_module *shared;
};

/* Takes over the reference of the module. NULL when memory is exhausted; the module is then gone. */
struct shared_module *cn_shared_new(wasm_engine_t *, struct module *);
void cn_shared_retain(struct shared_module *);
void cn_shared_release(struct shared_module *);
/* The configuration that code of this engine is translated with, for instances with or without explicit bounds checks. */
struct translation_config cn_engine_translation(const wasm_engine_t *, bool explicit_checks);
/* The variant with this configuration, or NULL when there is none yet. Any thread. */
struct code_variant *cn_shared_find_variant(const struct shared_module *,
                                            const struct translation_config *);
/* The same, made when there is none; NULL when memory is exhausted. */
struct code_variant *cn_shared_variant(struct shared_module *, const struct translation_config *);
/* A handle of a store on it. NULL when memory is exhausted. */
wasm_module_t *cn_module_object_new(wasm_store_t *, struct shared_module *);

#endif
