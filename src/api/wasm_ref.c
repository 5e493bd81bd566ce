/* Handles of wasm.h: every opaque object starts with its struct wasm_ref_t. */
#include "api/api.h"
#include "runtime/gc.h"

#define REF(object) ((struct wasm_ref_t *)(uintptr_t)(object))

static const struct wasm_ref_t *or_null(const struct wasm_ref_t *ref) {
    return ref && heap_ref_is_null(ref) ? NULL : ref;
}

/* Two references to one value of the heap are the same. */
static bool is_same(const struct wasm_ref_t *a, const struct wasm_ref_t *b) {
    a = or_null(a);
    b = or_null(b);
    return a == b ||
           (a && b && a->kind == OBJECT_HEAP && b->kind == OBJECT_HEAP && a->store == b->store &&
            ((const struct heap_ref *)a)->handle == ((const struct heap_ref *)b)->handle);
}

#define DEFINE_REF_BASE(name)                                                                      \
    void wasm_##name##_delete(wasm_##name##_t *object) {                                           \
        if (object)                                                                                \
            cn_object_drop(REF(object));                                                           \
    }                                                                                              \
    wasm_##name##_t *wasm_##name##_copy(const wasm_##name##_t *object) {                           \
        if (object)                                                                                \
            cn_object_retain(REF(object));                                                         \
        return (wasm_##name##_t *)REF(object);                                                     \
    }                                                                                              \
    bool wasm_##name##_same(const wasm_##name##_t *a, const wasm_##name##_t *b) {                  \
        return is_same(REF(a), REF(b));                                                            \
    }                                                                                              \
    void *wasm_##name##_get_host_info(const wasm_##name##_t *object) {                             \
        return object ? REF(object)->host_info : NULL;                                             \
    }                                                                                              \
    void wasm_##name##_set_host_info(wasm_##name##_t *object, void *info) {                        \
        wasm_##name##_set_host_info_with_finalizer(object, info, NULL);                            \
    }                                                                                              \
    void wasm_##name##_set_host_info_with_finalizer(wasm_##name##_t *object, void *info,           \
                                                    void (*finalizer)(void *)) {                   \
        if (object)                                                                                \
            cn_object_set_host_info(REF(object), info, finalizer);                                 \
    }

/* The kinds that a cast accepts, as bits. */
#define KIND(kind) (1u << (kind))
#define EXTERN_KINDS                                                                               \
    (KIND(OBJECT_FUNC) | KIND(OBJECT_TABLE) | KIND(OBJECT_MEMORY) | KIND(OBJECT_GLOBAL) |          \
     KIND(OBJECT_TAG))

static void *cast(const void *object, unsigned kinds) {
    struct wasm_ref_t *ref = REF(object);
    return ref && (KIND(ref->kind) & kinds) ? ref : NULL;
}

#define DEFINE_REF(name, kinds)                                                                    \
    DEFINE_REF_BASE(name)                                                                          \
    wasm_ref_t *wasm_##name##_as_ref(wasm_##name##_t *object) {                                    \
        return REF(object);                                                                        \
    }                                                                                              \
    const wasm_ref_t *wasm_##name##_as_ref_const(const wasm_##name##_t *object) {                  \
        return REF(object);                                                                        \
    }                                                                                              \
    wasm_##name##_t *wasm_ref_as_##name(wasm_ref_t *ref) {                                         \
        return cast(ref, kinds);                                                                   \
    }                                                                                              \
    const wasm_##name##_t *wasm_ref_as_##name##_const(const wasm_ref_t *ref) {                     \
        return cast(ref, kinds);                                                                   \
    }

DEFINE_REF_BASE(ref)
DEFINE_REF(trap, KIND(OBJECT_TRAP))
DEFINE_REF(foreign, KIND(OBJECT_FOREIGN))
DEFINE_REF(module, KIND(OBJECT_MODULE))
DEFINE_REF(func, KIND(OBJECT_FUNC))
DEFINE_REF(global, KIND(OBJECT_GLOBAL))
DEFINE_REF(table, KIND(OBJECT_TABLE))
DEFINE_REF(memory, KIND(OBJECT_MEMORY))
DEFINE_REF(extern, EXTERN_KINDS)
DEFINE_REF(instance, KIND(OBJECT_INSTANCE))

#define DEFINE_EXTERN(name, kind)                                                                  \
    wasm_extern_t *wasm_##name##_as_extern(wasm_##name##_t *object) {                              \
        return (wasm_extern_t *)object;                                                            \
    }                                                                                              \
    const wasm_extern_t *wasm_##name##_as_extern_const(const wasm_##name##_t *object) {            \
        return (const wasm_extern_t *)object;                                                      \
    }                                                                                              \
    wasm_##name##_t *wasm_extern_as_##name(wasm_extern_t *object) {                                \
        return cast(object, KIND(kind));                                                           \
    }                                                                                              \
    const wasm_##name##_t *wasm_extern_as_##name##_const(const wasm_extern_t *object) {            \
        return cast(object, KIND(kind));                                                           \
    }

DEFINE_EXTERN(func, OBJECT_FUNC)
DEFINE_EXTERN(global, OBJECT_GLOBAL)
DEFINE_EXTERN(table, OBJECT_TABLE)
DEFINE_EXTERN(memory, OBJECT_MEMORY)

wasm_externkind_t wasm_extern_kind(const wasm_extern_t *object) {
    static const wasm_externkind_t kinds[] = {
        [OBJECT_FUNC] = WASM_EXTERN_FUNC,     [OBJECT_TABLE] = WASM_EXTERN_TABLE,
        [OBJECT_MEMORY] = WASM_EXTERN_MEMORY, [OBJECT_GLOBAL] = WASM_EXTERN_GLOBAL,
        [OBJECT_TAG] = WASM_EXTERN_TAG,
    };
    const struct wasm_ref_t *ref = cast(object, EXTERN_KINDS);
    return ref ? kinds[ref->kind] : (wasm_externkind_t)WASM_EXTERN_FUNC;
}

wasm_externtype_t *wasm_extern_type(const wasm_extern_t *object) {
    const struct wasm_ref_t *ref = cast(object, EXTERN_KINDS);
    return ref ? cn_object_type(ref) : NULL;
}
