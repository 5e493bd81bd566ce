/* The descriptions of types behind wasm.h. Each kind of extern type starts with its kind. */
#ifndef CN_API_WASM_TYPE_H
#define CN_API_WASM_TYPE_H

#include "catnap.h"

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

/* Limits, and what wasm.h shows of them. */
struct described_limits {
    catnap_type_limits_t all;
    wasm_limits_t shown;
};

struct wasm_tabletype_t {
    struct wasm_externtype_t head;
    wasm_valtype_t *element;
    struct described_limits limits;
};

struct wasm_memorytype_t {
    struct wasm_externtype_t head;
    struct described_limits limits;
    bool shared, byte_pages;
};

struct wasm_tagtype_t {
    struct wasm_externtype_t head;
    wasm_functype_t *content;
};

#endif
