/* Memory outside of engines, and the vectors of wasm.h. */
#include "api/api.h"

#include <stdlib.h>
#include <string.h>

/* ---- Memory ---- */

void *cn_host_alloc(size_t size) {
    return calloc(1, size);
}

void *cn_host_array(size_t count, size_t size) {
    return calloc(count, size);
}

void cn_host_free(void *pointer) {
    free(pointer);
}

/* ---- Vectors ---- */

/* Elements that are their own copy and need no release. */
static void copy_byte(wasm_byte_t *out, const wasm_byte_t *from) {
    *out = *from;
}
static void delete_byte(wasm_byte_t *element) {
    (void)element;
}

/* A vector of `element`s; copy_one(out, from) and delete_one(element) take addresses. */
#define DEFINE_VEC(name, element, copy_one, delete_one, may_fail)                                  \
    void wasm_##name##_vec_new_empty(wasm_##name##_vec_t *out) {                                   \
        *out = (wasm_##name##_vec_t){0, NULL};                                                     \
    }                                                                                              \
                                                                                                   \
    void wasm_##name##_vec_new_uninitialized(wasm_##name##_vec_t *out, size_t size) {              \
        out->data = size > 0 ? cn_host_array(size, sizeof(element)) : NULL;                        \
        out->size = out->data ? size : 0;                                                          \
    }                                                                                              \
                                                                                                   \
    void wasm_##name##_vec_new(wasm_##name##_vec_t *out, size_t size, element const elements[]) {  \
        wasm_##name##_vec_new_uninitialized(out, size);                                            \
        if (out->size > 0 && elements)                                                             \
            memcpy(out->data, elements, size * sizeof(element));                                   \
        for (size_t i = out->size; elements && i < size; i++) {                                    \
            element lost = elements[i];                                                            \
            delete_one(&lost);                                                                     \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    void wasm_##name##_vec_copy(wasm_##name##_vec_t *out, const wasm_##name##_vec_t *from) {       \
        wasm_##name##_vec_new_uninitialized(out, from ? from->size : 0);                           \
        for (size_t i = 0; i < out->size; i++) {                                                   \
            copy_one(&out->data[i], &from->data[i]);                                               \
            if (may_fail(out->data[i], from->data[i])) {                                           \
                wasm_##name##_vec_delete(out);                                                     \
                return;                                                                            \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    void wasm_##name##_vec_delete(wasm_##name##_vec_t *vec) {                                      \
        if (!vec)                                                                                  \
            return;                                                                                \
        for (size_t i = 0; i < vec->size; i++)                                                     \
            delete_one(&vec->data[i]);                                                             \
        cn_host_free(vec->data);                                                                   \
        wasm_##name##_vec_new_empty(vec);                                                          \
    }

#define NEVER_FAILS(copy, from) false
#define COPY_FAILED(copy, from) (!(copy) && (from))

/* A vector of owned pointers. */
#define DEFINE_POINTER_VEC(name)                                                                   \
    static void copy_##name(wasm_##name##_t **out, wasm_##name##_t *const *from) {                 \
        *out = *from ? wasm_##name##_copy(*from) : NULL;                                           \
    }                                                                                              \
    static void delete_##name(wasm_##name##_t **element) {                                         \
        wasm_##name##_delete(*element);                                                            \
    }                                                                                              \
    DEFINE_VEC(name, wasm_##name##_t *, copy_##name, delete_##name, COPY_FAILED)

DEFINE_VEC(byte, wasm_byte_t, copy_byte, delete_byte, NEVER_FAILS)
DEFINE_VEC(val, wasm_val_t, wasm_val_copy, wasm_val_delete, NEVER_FAILS)
DEFINE_POINTER_VEC(valtype)
DEFINE_POINTER_VEC(functype)
DEFINE_POINTER_VEC(globaltype)
DEFINE_POINTER_VEC(tabletype)
DEFINE_POINTER_VEC(memorytype)
DEFINE_POINTER_VEC(tagtype)
DEFINE_POINTER_VEC(externtype)
DEFINE_POINTER_VEC(importtype)
DEFINE_POINTER_VEC(exporttype)
DEFINE_POINTER_VEC(frame)
DEFINE_POINTER_VEC(extern)
