/* Handles on defined types, for the files of catnap.h's types and objects. */
#ifndef CN_API_DEFTYPE_H
#define CN_API_DEFTYPE_H

#include "api/api.h"

struct catnap_deftype_t {
    wasm_engine_t *engine;      /* held */
    const struct deftype *type; /* held */
};

/* A new handle. NULL when memory is exhausted. */
catnap_deftype_t *cn_deftype_give(wasm_engine_t *, const struct deftype *);
/* The type of the structure or array; NULL when the reference, which may be NULL, is to none. */
const struct fieldtypes *cn_ref_fieldtypes(const wasm_ref_t *);

#endif
