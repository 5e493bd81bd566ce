/* The descriptions of types behind wasm.h. Each kind of extern type starts with its kind. */
#ifndef CN_API_WASM_TYPE_H
#define CN_API_WASM_TYPE_H

#include "wasm.h"

struct wasm_valtype_t {
    wasm_valkind_t kind;
};

struct wasm_externtype_t {
    wasm_externkind_t kind;
};

struct wasm_functype_t {
    struct wasm_externtype_t head;
    wasm_valtype_vec_t params, results;
};

struct wasm_globaltype_t {
    struct wasm_externtype_t head;
    wasm_valtype_t *content;
    wasm_mutability_t mutability;
};

struct wasm_tabletype_t {
    struct wasm_externtype_t head;
    wasm_valtype_t *element;
    wasm_limits_t limits;
};

struct wasm_memorytype_t {
    struct wasm_externtype_t head;
    wasm_limits_t limits;
    bool shared;
};

struct wasm_tagtype_t {
    struct wasm_externtype_t head;
    wasm_functype_t *content;
};

#endif
