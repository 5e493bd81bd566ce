/*
 * wasm.h: the standard WebAssembly C API, as Catnap offers it.
 *
 * The interface is the one that WebAssembly engines share under the name wasm-c-api; a program
 * written against another engine's wasm.h compiles and links against this one unchanged. Catnap's
 * own additions are the value kind WASM_V128 here, and everything in catnap.h.
 *
 * Where a comment says "spec: module_validate" and the like, the function is that operation of the
 * appendix "Embedding" of the WebAssembly specification, and its result follows the operation's
 * definition there.
 *
 * Ownership. WASM_OWN marks ownership in a signature and expands to nothing:
 *   - an owned result, or what is written through an owned `out` parameter, belongs to the caller,
 *     who releases it with the _delete function of its type;
 *   - an owned argument belongs to the library from the call on, also when the call fails;
 *   - an owned vector owns its elements;
 *   - everything else is borrowed: an argument need only live during the call, a result lives as
 *     long as the object that it was taken from.
 * Releasing an object gives up one owner's claim. Other objects that need it keep it alive,
 * so that objects can be released in any order. Every _delete function accepts NULL.
 *
 * Failure. A function that returns a pointer returns NULL when it fails, one that returns bool
 * returns false, and every out parameter is written in every case (an empty vector, a null value).
 * catnap.h tells the reason of the failure. Passing NULL for an argument that is not described as
 * optional, an object of another store, or a type that does not fit is such a failure.
 *
 * Threads. Engines, modules' shared forms and types may be used by several threads at once. A
 * store and all that lives in it belongs to one thread at a time and may move between calls.
 */
#ifndef WASM_H
#define WASM_H

/* <assert.h> and <string.h> are here because programs rely on this header including them. */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef WASM_API_EXTERN
#if defined(__GNUC__)
#define WASM_API_EXTERN __attribute__((visibility("default")))
#else
#define WASM_API_EXTERN
#endif
#endif

#define WASM_OWN

#ifdef __cplusplus
extern "C" {
#endif

/* The names that the interface gives to machine types. */
typedef char byte_t;
typedef float float32_t;
typedef double float64_t;

/* ------------------------------------------------------------------------------------------------
 * Families of functions that many types share
 */

/*
 * WASM_DECLARE_OWN: an opaque type that can be owned.
 *
 *   _delete   releases one owner's claim. NULL is allowed.
 */
#define WASM_DECLARE_OWN(name)                                                                     \
    typedef struct wasm_##name##_t wasm_##name##_t;                                                \
    WASM_API_EXTERN void wasm_##name##_delete(WASM_OWN wasm_##name##_t *object);

/*
 * WASM_DECLARE_VEC: a counted array of values (`star` is empty) or of pointers (`star` is `*`).
 * A vector owns its array and what its elements refer to. `size` counts elements, not bytes.
 *
 *   _vec_new_empty          makes the vector {0, NULL}.
 *   _vec_new_uninitialized  allocates `size` elements; numbers hold anything, pointers NULL. The
 *                           caller fills them in before the vector is copied or handed on.
 *   _vec_new                allocates and copies `size` elements of `elements`, whose ownership
 *                           moves into the vector; the array itself stays the caller's.
 *   _vec_copy               a deep copy; `from` is untouched.
 *   _vec_delete             releases the elements and the array, and leaves {0, NULL} behind.
 *
 * When memory runs out, `out` becomes {0, NULL} and the elements given to _vec_new are released.
 */
#define WASM_DECLARE_VEC(name, star)                                                               \
    typedef struct wasm_##name##_vec_t {                                                           \
        size_t size;                                                                               \
        wasm_##name##_t star *data;                                                                \
    } wasm_##name##_vec_t;                                                                         \
    WASM_API_EXTERN void wasm_##name##_vec_new_empty(WASM_OWN wasm_##name##_vec_t *out);           \
    WASM_API_EXTERN void wasm_##name##_vec_new_uninitialized(WASM_OWN wasm_##name##_vec_t *out,    \
                                                             size_t size);                         \
    WASM_API_EXTERN void wasm_##name##_vec_new(WASM_OWN wasm_##name##_vec_t *out, size_t size,     \
                                               WASM_OWN wasm_##name##_t star const elements[]);    \
    WASM_API_EXTERN void wasm_##name##_vec_copy(WASM_OWN wasm_##name##_vec_t *out,                 \
                                                const wasm_##name##_vec_t *from);                  \
    WASM_API_EXTERN void wasm_##name##_vec_delete(WASM_OWN wasm_##name##_vec_t *vec);

/*
 * WASM_DECLARE_TYPE: the description of a type; immutable, independent of engine and store.
 *
 *   _copy     an equal description with an owner of its own; NULL when memory runs out.
 */
#define WASM_DECLARE_TYPE(name)                                                                    \
    WASM_DECLARE_OWN(name)                                                                         \
    WASM_DECLARE_VEC(name, *)                                                                      \
    WASM_API_EXTERN WASM_OWN wasm_##name##_t *wasm_##name##_copy(const wasm_##name##_t *type);

/*
 * WASM_DECLARE_REF_BASE: a handle to an object in a store. Several handles may refer to one object.
 *
 *   _copy           another handle to the same object, not another object; NULL when memory runs
 *                   out.
 *   _same           whether both handles refer to the same object.
 *   _get_host_info  the pointer that the embedder attached to the object; NULL at first.
 *   _set_host_info  attaches `info` to the object, for all its handles.
 *   _set_host_info_with_finalizer
 *                   the same; `finalizer` (may be NULL) is called with `info` once: when other
 *                   host info takes its place, or when the object ceases to exist, which is at the
 *                   latest when its store does. It must not call back into the store.
 */
#define WASM_DECLARE_REF_BASE(name)                                                                \
    WASM_DECLARE_OWN(name)                                                                         \
    WASM_API_EXTERN WASM_OWN wasm_##name##_t *wasm_##name##_copy(const wasm_##name##_t *object);   \
    WASM_API_EXTERN bool wasm_##name##_same(const wasm_##name##_t *a, const wasm_##name##_t *b);   \
    WASM_API_EXTERN void *wasm_##name##_get_host_info(const wasm_##name##_t *object);              \
    WASM_API_EXTERN void wasm_##name##_set_host_info(wasm_##name##_t *object, void *info);         \
    WASM_API_EXTERN void wasm_##name##_set_host_info_with_finalizer(                               \
        wasm_##name##_t *object, void *info, void (*finalizer)(void *));

/*
 * WASM_DECLARE_REF: an object of a certain kind, which can be seen as a reference value.
 *
 *   _as_ref         the same handle, seen as a reference; borrowed.
 *   wasm_ref_as_    the same handle, seen as this kind; borrowed; NULL when the reference is NULL
 *                   or to an object of another kind.
 *   the _const forms do the same for handles through which nothing is changed.
 */
#define WASM_DECLARE_REF(name)                                                                     \
    WASM_DECLARE_REF_BASE(name)                                                                    \
    WASM_API_EXTERN wasm_ref_t *wasm_##name##_as_ref(wasm_##name##_t *object);                     \
    WASM_API_EXTERN wasm_##name##_t *wasm_ref_as_##name(wasm_ref_t *ref);                          \
    WASM_API_EXTERN const wasm_ref_t *wasm_##name##_as_ref_const(const wasm_##name##_t *object);   \
    WASM_API_EXTERN const wasm_##name##_t *wasm_ref_as_##name##_const(const wasm_ref_t *ref);

/*
 * WASM_DECLARE_SHARABLE_REF: an object that can be carried from one store to another.
 *
 *   _share          a form of the object that belongs to no store; any thread may use and delete
 *                   it. NULL when memory runs out.
 *   _obtain         a handle in `store` to the shared object. The store must belong to the engine
 *                   that the object was made with; else, or when memory runs out, NULL.
 */
#define WASM_DECLARE_SHARABLE_REF(name)                                                            \
    WASM_DECLARE_REF(name)                                                                         \
    WASM_DECLARE_OWN(shared_##name)                                                                \
    WASM_API_EXTERN WASM_OWN wasm_shared_##name##_t *wasm_##name##_share(                          \
        const wasm_##name##_t *object);                                                            \
    WASM_API_EXTERN WASM_OWN wasm_##name##_t *wasm_##name##_obtain(                                \
        wasm_store_t *store, const wasm_shared_##name##_t *shared);

/* ------------------------------------------------------------------------------------------------
 * Bytes and names
 */

typedef byte_t wasm_byte_t;
WASM_DECLARE_VEC(byte, )

/* A name is a byte vector that holds UTF-8, NUL bytes allowed, without a terminator. */
typedef wasm_byte_vec_t wasm_name_t;

#define wasm_name wasm_byte_vec
#define wasm_name_new wasm_byte_vec_new
#define wasm_name_new_empty wasm_byte_vec_new_empty
#define wasm_name_new_uninitialized wasm_byte_vec_new_uninitialized
#define wasm_name_copy wasm_byte_vec_copy
#define wasm_name_delete wasm_byte_vec_delete
/* Earlier versions of the interface spelled it so. */
#define wasm_name_new_new_uninitialized wasm_byte_vec_new_uninitialized

/* Makes a name of the characters of the C string `s`, without its terminator. */
static inline void wasm_name_new_from_string(WASM_OWN wasm_name_t *out, const char *s) {
    wasm_byte_vec_new(out, strlen(s), s);
}

/* Makes a name of the characters of the C string `s` and its terminator, as messages need it. */
static inline void wasm_name_new_from_string_nt(WASM_OWN wasm_name_t *out, const char *s) {
    wasm_byte_vec_new(out, strlen(s) + 1, s);
}

/* ------------------------------------------------------------------------------------------------
 * Configuration, engine, store
 */

/* The configuration of an engine. catnap.h has the functions that change it. */
WASM_DECLARE_OWN(config)

/* A configuration with the default of every setting; NULL when memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_config_t *wasm_config_new(void);

/* Everything that stores share: settings and translated code. There is no process-wide state. */
WASM_DECLARE_OWN(engine)

/* An engine with default settings; NULL when memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_engine_t *wasm_engine_new(void);

/* An engine with the settings of `config`, which is consumed; NULL when memory runs out or the
 * settings contradict one another. */
WASM_API_EXTERN WASM_OWN wasm_engine_t *wasm_engine_new_with_config(WASM_OWN wasm_config_t *config);

/* The place where instances and all other run-time objects live; one thread at a time uses it.
 * Deleting it runs all finalizers. Handles that are left may still be read and deleted, and the last
 * one frees the rest, but nothing can be called or instantiated any more. */
WASM_DECLARE_OWN(store)

/* An empty store (spec: store_init), which keeps `engine` alive; NULL when memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_store_t *wasm_store_new(wasm_engine_t *engine);

/* ------------------------------------------------------------------------------------------------
 * Types
 */

/* Whether a global can be assigned to. */
typedef uint8_t wasm_mutability_t;
enum wasm_mutability_enum {
    WASM_CONST = 0,
    WASM_VAR = 1,
};

/* Bounds of a table (in elements) or of a memory (in pages), both inclusive. A `max` of
 * wasm_limits_max_default means that no maximum is declared. */
typedef struct wasm_limits_t {
    uint32_t min;
    uint32_t max;
} wasm_limits_t;

static const uint32_t wasm_limits_max_default = 0xffffffff;

/* Value types */

WASM_DECLARE_TYPE(valtype)

typedef uint8_t wasm_valkind_t;
enum wasm_valkind_enum {
    WASM_I32 = 0,
    WASM_I64 = 1,
    WASM_F32 = 2,
    WASM_F64 = 3,
    /* Names the type in signatures only: a wasm_val_t has no room for 128 bits. catnap.h has a
     * value that has, and functions to call with it. */
    WASM_V128 = 4,
    WASM_EXTERNREF = 128,
    WASM_FUNCREF = 129,
};

/* The type of that kind; NULL when there is no such kind or memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_valtype_t *wasm_valtype_new(wasm_valkind_t kind);

/* The kind of a type. */
WASM_API_EXTERN wasm_valkind_t wasm_valtype_kind(const wasm_valtype_t *type);

/* Whether values of the kind are plain bits (numbers and vectors). */
static inline bool wasm_valkind_is_num(wasm_valkind_t kind) {
    return kind < WASM_EXTERNREF;
}

/* Whether values of the kind are references. */
static inline bool wasm_valkind_is_ref(wasm_valkind_t kind) {
    return kind >= WASM_EXTERNREF;
}

/* Whether values of the type are plain bits (numbers and vectors). */
static inline bool wasm_valtype_is_num(const wasm_valtype_t *type) {
    return wasm_valkind_is_num(wasm_valtype_kind(type));
}

/* Whether values of the type are references. */
static inline bool wasm_valtype_is_ref(const wasm_valtype_t *type) {
    return wasm_valkind_is_ref(wasm_valtype_kind(type));
}

/* Function types */

WASM_DECLARE_TYPE(functype)

/* The function type [params] -> [results]. Both vectors are consumed and left empty. NULL when an
 * element is NULL or memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_functype_t *wasm_functype_new(WASM_OWN wasm_valtype_vec_t *params,
                                                            WASM_OWN wasm_valtype_vec_t *results);

/* The parameter types; borrowed from `type`. */
WASM_API_EXTERN const wasm_valtype_vec_t *wasm_functype_params(const wasm_functype_t *type);

/* The result types; borrowed from `type`. */
WASM_API_EXTERN const wasm_valtype_vec_t *wasm_functype_results(const wasm_functype_t *type);

/* Global types */

WASM_DECLARE_TYPE(globaltype)

/* The type of globals that hold a `content`, which is consumed. NULL when `content` is NULL or
 * memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_globaltype_t *wasm_globaltype_new(WASM_OWN wasm_valtype_t *content,
                                                                wasm_mutability_t mutability);

/* The type of the value held; borrowed from `type`. */
WASM_API_EXTERN const wasm_valtype_t *wasm_globaltype_content(const wasm_globaltype_t *type);

/* WASM_CONST or WASM_VAR. */
WASM_API_EXTERN wasm_mutability_t wasm_globaltype_mutability(const wasm_globaltype_t *type);

/* Table types */

WASM_DECLARE_TYPE(tabletype)

/* The type of tables of `element` (consumed) with these limits, in elements. NULL when `element`
 * is NULL or memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_tabletype_t *wasm_tabletype_new(WASM_OWN wasm_valtype_t *element,
                                                              const wasm_limits_t *limits);

/* The type of the elements; borrowed from `type`. */
WASM_API_EXTERN const wasm_valtype_t *wasm_tabletype_element(const wasm_tabletype_t *type);

/* The limits in elements; borrowed from `type`. */
WASM_API_EXTERN const wasm_limits_t *wasm_tabletype_limits(const wasm_tabletype_t *type);

/* Memory types */

WASM_DECLARE_TYPE(memorytype)

/* The type of memories with these limits, in pages of 65,536 bytes. NULL when memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_memorytype_t *wasm_memorytype_new(const wasm_limits_t *limits);

/* The limits in pages; borrowed from `type`. */
WASM_API_EXTERN const wasm_limits_t *wasm_memorytype_limits(const wasm_memorytype_t *type);

/* Tag types: what an exception of a tag carries */

WASM_DECLARE_TYPE(tagtype)

/* The type of tags whose exceptions carry the parameters of `content`, which is consumed. NULL
 * when `content` is NULL or memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_tagtype_t *wasm_tagtype_new(WASM_OWN wasm_functype_t *content);

/* The function type whose parameters an exception carries; borrowed from `type`. */
WASM_API_EXTERN const wasm_functype_t *wasm_tagtype_functype(const wasm_tagtype_t *type);

/* Extern types: the type of whatever can be imported or exported */

WASM_DECLARE_TYPE(externtype)

typedef uint8_t wasm_externkind_t;
enum wasm_externkind_enum {
    WASM_EXTERN_FUNC = 0,
    WASM_EXTERN_GLOBAL = 1,
    WASM_EXTERN_TABLE = 2,
    WASM_EXTERN_MEMORY = 3,
    WASM_EXTERN_TAG = 4,
};

/* Which kind of type this is. */
WASM_API_EXTERN wasm_externkind_t wasm_externtype_kind(const wasm_externtype_t *type);

/*
 * WASM_DECLARE_EXTERNTYPE: the conversions between an extern type and the type of one kind.
 *
 *   _as_externtype       the same object, seen as an extern type; borrowed.
 *   wasm_externtype_as_  the same object, seen as this kind; borrowed; NULL for another kind.
 *   the _const forms do the same without giving the right to change or delete.
 */
#define WASM_DECLARE_EXTERNTYPE(name)                                                              \
    WASM_API_EXTERN wasm_externtype_t *wasm_##name##_as_externtype(wasm_##name##_t *type);         \
    WASM_API_EXTERN wasm_##name##_t *wasm_externtype_as_##name(wasm_externtype_t *type);           \
    WASM_API_EXTERN const wasm_externtype_t *wasm_##name##_as_externtype_const(                    \
        const wasm_##name##_t *type);                                                              \
    WASM_API_EXTERN const wasm_##name##_t *wasm_externtype_as_##name##_const(                      \
        const wasm_externtype_t *type);

WASM_DECLARE_EXTERNTYPE(functype)
WASM_DECLARE_EXTERNTYPE(globaltype)
WASM_DECLARE_EXTERNTYPE(tabletype)
WASM_DECLARE_EXTERNTYPE(memorytype)
WASM_DECLARE_EXTERNTYPE(tagtype)

/* Import types */

WASM_DECLARE_TYPE(importtype)

/* The import of a `type` called `name` from `module`; all three are consumed. NULL when one of
 * them is NULL or memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_importtype_t *wasm_importtype_new(WASM_OWN wasm_name_t *module,
                                                                WASM_OWN wasm_name_t *name,
                                                                WASM_OWN wasm_externtype_t *type);

/* The name of the module imported from; borrowed from `type`. */
WASM_API_EXTERN const wasm_name_t *wasm_importtype_module(const wasm_importtype_t *type);

/* The name of what is imported; borrowed from `type`. */
WASM_API_EXTERN const wasm_name_t *wasm_importtype_name(const wasm_importtype_t *type);

/* The type that is asked for; borrowed from `type`. */
WASM_API_EXTERN const wasm_externtype_t *wasm_importtype_type(const wasm_importtype_t *type);

/* Export types */

WASM_DECLARE_TYPE(exporttype)

/* The export of a `type` as `name`; both are consumed. NULL when one of them is NULL or memory
 * runs out. */
WASM_API_EXTERN WASM_OWN wasm_exporttype_t *wasm_exporttype_new(WASM_OWN wasm_name_t *name,
                                                                WASM_OWN wasm_externtype_t *type);

/* The name of what is exported; borrowed from `type`. */
WASM_API_EXTERN const wasm_name_t *wasm_exporttype_name(const wasm_exporttype_t *type);

/* The type of what is exported; borrowed from `type`. */
WASM_API_EXTERN const wasm_externtype_t *wasm_exporttype_type(const wasm_exporttype_t *type);

/* ------------------------------------------------------------------------------------------------
 * Values and references
 */

/* Any reference to an object of a store; a null reference is the pointer NULL. */
WASM_DECLARE_REF_BASE(ref)

/* A number or a reference. A value that is owned owns its reference. */
typedef struct wasm_val_t {
    wasm_valkind_t kind;
    union {
        int32_t i32;
        int64_t i64;
        float32_t f32;
        float64_t f64;
        struct wasm_ref_t *ref;
    } of;
} wasm_val_t;

/* Releases the reference that `val` owns, if its kind is one of reference and it is not null; the
 * struct itself stays the caller's. */
WASM_API_EXTERN void wasm_val_delete(WASM_OWN wasm_val_t *val);

/* Copies `from`, a reference by wasm_ref_copy. When memory runs out, `out` is a null reference. */
WASM_API_EXTERN void wasm_val_copy(WASM_OWN wasm_val_t *out, const wasm_val_t *from);

WASM_DECLARE_VEC(val, )

/* ------------------------------------------------------------------------------------------------
 * Traps and the frames in which they happened
 */

/* One activation of a WebAssembly function. */
WASM_DECLARE_OWN(frame)
WASM_DECLARE_VEC(frame, *)

/* An equal frame with an owner of its own; NULL when memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_frame_t *wasm_frame_copy(const wasm_frame_t *frame);

/* The instance that the function belongs to; borrowed from `frame`. */
WASM_API_EXTERN struct wasm_instance_t *wasm_frame_instance(const wasm_frame_t *frame);

/* The function's index in its module's index space, imports first. */
WASM_API_EXTERN uint32_t wasm_frame_func_index(const wasm_frame_t *frame);

/* Bytes from the start of the function's body (its local declarations) to the instruction. */
WASM_API_EXTERN size_t wasm_frame_func_offset(const wasm_frame_t *frame);

/* Bytes from the start of the module's binary to the instruction. */
WASM_API_EXTERN size_t wasm_frame_module_offset(const wasm_frame_t *frame);

/* The text of a trap: UTF-8 that ends in a NUL byte, which `size` counts. */
typedef wasm_name_t wasm_message_t;

WASM_DECLARE_REF(trap)

/* A trap for a host function to return. `message` is copied and should end in a NUL byte, which
 * is added when it is missing. NULL when memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_trap_t *wasm_trap_new(wasm_store_t *store,
                                                    const wasm_message_t *message);

/* A copy of the trap's text; empty when memory runs out. */
WASM_API_EXTERN void wasm_trap_message(const wasm_trap_t *trap, WASM_OWN wasm_message_t *out);

/* The innermost frame, in which the trap happened. NULL when no WebAssembly function was active or
 * memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_frame_t *wasm_trap_origin(const wasm_trap_t *trap);

/* All frames, the innermost first; empty when none was active or memory runs out. */
WASM_API_EXTERN void wasm_trap_trace(const wasm_trap_t *trap, WASM_OWN wasm_frame_vec_t *out);

/* ------------------------------------------------------------------------------------------------
 * Foreign objects: the embedder's own values, seen by WebAssembly as an externref
 */

WASM_DECLARE_REF(foreign)

/* A new object, different from all others, whose meaning is its host info. NULL when memory runs
 * out. */
WASM_API_EXTERN WASM_OWN wasm_foreign_t *wasm_foreign_new(wasm_store_t *store);

/* ------------------------------------------------------------------------------------------------
 * Modules
 */

/* A module is immutable once made; its shared form may be used by several threads at once. */
WASM_DECLARE_SHARABLE_REF(module)

/* Decodes and validates a module in the binary format (spec: module_decode, module_validate). The
 * bytes are only read, and are not needed after the call. NULL when the module is malformed,
 * invalid or beyond a limit, or memory runs out; catnap.h tells which, and where. */
WASM_API_EXTERN WASM_OWN wasm_module_t *wasm_module_new(wasm_store_t *store,
                                                        const wasm_byte_vec_t *binary);

/* Whether wasm_module_new would accept these bytes. Nothing is kept. */
WASM_API_EXTERN bool wasm_module_validate(wasm_store_t *store, const wasm_byte_vec_t *binary);

/* The imports of the module, in order (spec: module_imports); empty when memory runs out. */
WASM_API_EXTERN void wasm_module_imports(const wasm_module_t *module,
                                         WASM_OWN wasm_importtype_vec_t *out);

/* The exports of the module, in order (spec: module_exports); empty when memory runs out. */
WASM_API_EXTERN void wasm_module_exports(const wasm_module_t *module,
                                         WASM_OWN wasm_exporttype_vec_t *out);

/* The module as bytes that wasm_module_deserialize of the same version of the library reads; empty
 * when memory runs out. */
WASM_API_EXTERN void wasm_module_serialize(const wasm_module_t *module,
                                           WASM_OWN wasm_byte_vec_t *out);

/* The module that was serialized. The bytes are checked like a module's, so that they need not be
 * trusted. NULL when they do not hold a module or memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_module_t *wasm_module_deserialize(wasm_store_t *store,
                                                                const wasm_byte_vec_t *serialized);

/* ------------------------------------------------------------------------------------------------
 * Functions
 */

WASM_DECLARE_REF(func)

/*
 * A function of the host. `args` are borrowed, as many and of such kinds as the function's type
 * says. `results` has one element for each result; the callback fills them in with values that it
 * gives away. It returns NULL, or a trap that it gives away, and then `results` is not looked at.
 */
typedef WASM_OWN wasm_trap_t *(*wasm_func_callback_t)(const wasm_val_vec_t *args,
                                                      WASM_OWN wasm_val_vec_t *results);

/* The same with the pointer that was given to wasm_func_new_with_env. */
typedef WASM_OWN wasm_trap_t *(*wasm_func_callback_with_env_t)(void *env,
                                                               const wasm_val_vec_t *args,
                                                               wasm_val_vec_t *results);

/* A host function of that type (spec: func_alloc). NULL when memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_func_t *
wasm_func_new(wasm_store_t *store, const wasm_functype_t *type, wasm_func_callback_t callback);

/* A host function that gets `env` on each call. `finalizer` (may be NULL) is called with `env`
 * once, when the function ceases to exist. When the call fails it is called at once, so that `env`
 * is not lost. */
WASM_API_EXTERN WASM_OWN wasm_func_t *wasm_func_new_with_env(wasm_store_t *store,
                                                             const wasm_functype_t *type,
                                                             wasm_func_callback_with_env_t callback,
                                                             void *env, void (*finalizer)(void *));

/* The function's type (spec: func_type); NULL when memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_functype_t *wasm_func_type(const wasm_func_t *func);

/* How many parameters the function has. */
WASM_API_EXTERN size_t wasm_func_param_arity(const wasm_func_t *func);

/* How many results the function has. */
WASM_API_EXTERN size_t wasm_func_result_arity(const wasm_func_t *func);

/*
 * Calls the function (spec: func_invoke). `args` are borrowed. `results` is the caller's array, with
 * room for the function's results: it is filled in with owned values (whatever it held is
 * overwritten, not released), results without room are dropped, and elements beyond the last result
 * become null references. It may be the array of `args`. Returns NULL on success. Otherwise returns the
 * trap, and all of `results` are null references: also when number or kind of the arguments does
 * not fit, when a v128 is among parameters or results, and when memory runs out.
 */
WASM_API_EXTERN WASM_OWN wasm_trap_t *
wasm_func_call(const wasm_func_t *func, const wasm_val_vec_t *args, wasm_val_vec_t *results);

/* ------------------------------------------------------------------------------------------------
 * Globals
 */

WASM_DECLARE_REF(global)

/* A global that holds `value` (spec: global_alloc), which stays the caller's. NULL when its kind is
 * not that of the type, or memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_global_t *
wasm_global_new(wasm_store_t *store, const wasm_globaltype_t *type, const wasm_val_t *value);

/* The global's type (spec: global_type); NULL when memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_globaltype_t *wasm_global_type(const wasm_global_t *global);

/* The global's value (spec: global_read); a null reference when it is a v128 or memory runs out. */
WASM_API_EXTERN void wasm_global_get(const wasm_global_t *global, WASM_OWN wasm_val_t *out);

/* Assigns a copy of `value` (spec: global_write). Nothing changes when the global is constant or
 * the kind does not fit. */
WASM_API_EXTERN void wasm_global_set(wasm_global_t *global, const wasm_val_t *value);

/* ------------------------------------------------------------------------------------------------
 * Tables
 */

WASM_DECLARE_REF(table)

/* Counts elements. */
typedef uint32_t wasm_table_size_t;

/* A table of the type's minimum size, each element `init` (spec: table_alloc), which is borrowed;
 * NULL is the null reference. NULL when `init` does not fit the type, the size is beyond a limit,
 * or memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_table_t *
wasm_table_new(wasm_store_t *store, const wasm_tabletype_t *type, wasm_ref_t *init);

/* The table's type (spec: table_type): its minimum is the present size. NULL when memory runs
 * out. */
WASM_API_EXTERN WASM_OWN wasm_tabletype_t *wasm_table_type(const wasm_table_t *table);

/* The element at `index` (spec: table_read). NULL when it is null, when there is no such element,
 * or when memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_ref_t *wasm_table_get(const wasm_table_t *table,
                                                    wasm_table_size_t index);

/* Sets the element at `index` (spec: table_write); `ref` is borrowed and may be NULL. False when
 * there is no such element or `ref` does not fit the type. */
WASM_API_EXTERN bool wasm_table_set(wasm_table_t *table, wasm_table_size_t index, wasm_ref_t *ref);

/* How many elements the table has (spec: table_size). */
WASM_API_EXTERN wasm_table_size_t wasm_table_size(const wasm_table_t *table);

/* Adds `delta` elements, each `init` (spec: table_grow), which is borrowed and may be NULL. False
 * when the size would pass a limit, `init` does not fit, or memory runs out. */
WASM_API_EXTERN bool wasm_table_grow(wasm_table_t *table, wasm_table_size_t delta,
                                     wasm_ref_t *init);

/* ------------------------------------------------------------------------------------------------
 * Memories
 */

WASM_DECLARE_REF(memory)

/* Counts pages of MEMORY_PAGE_SIZE bytes. */
typedef uint32_t wasm_memory_pages_t;

static const size_t MEMORY_PAGE_SIZE = 0x10000;

/* A memory of the type's minimum size, all zero (spec: mem_alloc). NULL when the size is beyond a
 * limit or memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_memory_t *wasm_memory_new(wasm_store_t *store,
                                                        const wasm_memorytype_t *type);

/* The memory's type (spec: mem_type): its minimum is the present size. NULL when memory runs
 * out. */
WASM_API_EXTERN WASM_OWN wasm_memorytype_t *wasm_memory_type(const wasm_memory_t *memory);

/* The memory's bytes, to read and to write. A memory does not move: the pointer stays valid as long
 * as the memory exists, also when it grows. */
WASM_API_EXTERN byte_t *wasm_memory_data(wasm_memory_t *memory);

/* The memory's size in bytes. */
WASM_API_EXTERN size_t wasm_memory_data_size(const wasm_memory_t *memory);

/* The memory's size in pages (spec: mem_size). */
WASM_API_EXTERN wasm_memory_pages_t wasm_memory_size(const wasm_memory_t *memory);

/* Adds `delta` pages of zeros (spec: mem_grow). False when the size would pass a limit or memory
 * runs out. */
WASM_API_EXTERN bool wasm_memory_grow(wasm_memory_t *memory, wasm_memory_pages_t delta);

/* ------------------------------------------------------------------------------------------------
 * Externals: whatever can be imported or exported
 */

WASM_DECLARE_REF(extern)
WASM_DECLARE_VEC(extern, *)

/* Which kind of object this is. */
WASM_API_EXTERN wasm_externkind_t wasm_extern_kind(const wasm_extern_t *object);

/* The object's type, as wasm_func_type and its like tell it; NULL when memory runs out. */
WASM_API_EXTERN WASM_OWN wasm_externtype_t *wasm_extern_type(const wasm_extern_t *object);

/*
 * WASM_DECLARE_EXTERN: the conversions between an external and an object of one kind.
 *
 *   _as_extern       the same handle, seen as an external; borrowed.
 *   wasm_extern_as_  the same handle, seen as this kind; borrowed; NULL for another kind.
 *   the _const forms do the same for handles through which nothing is changed.
 */
#define WASM_DECLARE_EXTERN(name)                                                                  \
    WASM_API_EXTERN wasm_extern_t *wasm_##name##_as_extern(wasm_##name##_t *object);               \
    WASM_API_EXTERN wasm_##name##_t *wasm_extern_as_##name(wasm_extern_t *object);                 \
    WASM_API_EXTERN const wasm_extern_t *wasm_##name##_as_extern_const(                            \
        const wasm_##name##_t *object);                                                            \
    WASM_API_EXTERN const wasm_##name##_t *wasm_extern_as_##name##_const(                          \
        const wasm_extern_t *object);

WASM_DECLARE_EXTERN(func)
WASM_DECLARE_EXTERN(global)
WASM_DECLARE_EXTERN(table)
WASM_DECLARE_EXTERN(memory)

/* ------------------------------------------------------------------------------------------------
 * Instances
 */

WASM_DECLARE_REF(instance)

/*
 * Instantiates a module (spec: module_instantiate) and runs its start function. `imports` are
 * borrowed, in the order of wasm_module_imports. `trap` (may be NULL) is set to NULL on success.
 * On failure the result is NULL and `*trap` an owned trap: that of a segment or of the start
 * function, or one whose message names the import that is missing or does not fit, or the limit.
 * It is NULL only when memory runs out for it.
 */
WASM_API_EXTERN WASM_OWN wasm_instance_t *wasm_instance_new(wasm_store_t *store,
                                                            const wasm_module_t *module,
                                                            const wasm_extern_vec_t *imports,
                                                            WASM_OWN wasm_trap_t **trap);

/* The exports of the instance, in the order of wasm_module_exports (spec: instance_export); empty
 * when memory runs out. */
WASM_API_EXTERN void wasm_instance_exports(const wasm_instance_t *instance,
                                           WASM_OWN wasm_extern_vec_t *out);

/* ------------------------------------------------------------------------------------------------
 * Conveniences
 */

/* Initializers of vectors on the stack: without elements, and of an array's elements. */
#define WASM_EMPTY_VEC {0, NULL}
#define WASM_ARRAY_VEC(array) {sizeof(array) / sizeof(*(array)), array}

/* Initializers of values. */
#define WASM_I32_VAL(i)                                                                            \
    {                                                                                              \
        .kind = WASM_I32, .of = {.i32 = i }                                                        \
    }
#define WASM_I64_VAL(i)                                                                            \
    {                                                                                              \
        .kind = WASM_I64, .of = {.i64 = i }                                                        \
    }
#define WASM_F32_VAL(z)                                                                            \
    {                                                                                              \
        .kind = WASM_F32, .of = {.f32 = z }                                                        \
    }
#define WASM_F64_VAL(z)                                                                            \
    {                                                                                              \
        .kind = WASM_F64, .of = {.f64 = z }                                                        \
    }
#define WASM_REF_VAL(r)                                                                            \
    {                                                                                              \
        .kind = WASM_EXTERNREF, .of = {.ref = r }                                                  \
    }
#define WASM_INIT_VAL                                                                              \
    {                                                                                              \
        .kind = WASM_EXTERNREF, .of = {.ref = NULL }                                               \
    }

/* Makes `out` hold a host pointer, as the integer of its width. */
static inline void wasm_val_init_ptr(WASM_OWN wasm_val_t *out, void *p) {
#if UINTPTR_MAX == UINT32_MAX
    out->kind = WASM_I32;
    out->of.i32 = (intptr_t)p;
#else
    out->kind = WASM_I64;
    out->of.i64 = (intptr_t)p;
#endif
}

/* The host pointer that wasm_val_init_ptr put into `val`. */
static inline void *wasm_val_ptr(const wasm_val_t *val) {
#if UINTPTR_MAX == UINT32_MAX
    return (void *)(intptr_t)val->of.i32;
#else
    return (void *)(intptr_t)val->of.i64;
#endif
}

/* wasm_valtype_new_i32() and so on: wasm_valtype_new of one kind. */
#define WASM_DEFINE_VALTYPE_NEW(name, kind)                                                        \
    static inline WASM_OWN wasm_valtype_t *wasm_valtype_new_##name(void) {                         \
        return wasm_valtype_new(kind);                                                             \
    }

WASM_DEFINE_VALTYPE_NEW(i32, WASM_I32)
WASM_DEFINE_VALTYPE_NEW(i64, WASM_I64)
WASM_DEFINE_VALTYPE_NEW(f32, WASM_F32)
WASM_DEFINE_VALTYPE_NEW(f64, WASM_F64)
WASM_DEFINE_VALTYPE_NEW(v128, WASM_V128)
WASM_DEFINE_VALTYPE_NEW(externref, WASM_EXTERNREF)
WASM_DEFINE_VALTYPE_NEW(funcref, WASM_FUNCREF)

#undef WASM_DEFINE_VALTYPE_NEW

/* The function type of the first `n_params` of three value types and the first `n_results` of two,
 * all consumed. NULL when one of them is NULL or memory runs out. */
static inline WASM_OWN wasm_functype_t *
wasm_functype_new_up_to_3_2(size_t n_params, WASM_OWN wasm_valtype_t *p1,
                            WASM_OWN wasm_valtype_t *p2, WASM_OWN wasm_valtype_t *p3,
                            size_t n_results, WASM_OWN wasm_valtype_t *r1,
                            WASM_OWN wasm_valtype_t *r2) {
    wasm_valtype_t *ps[3] = {p1, p2, p3};
    wasm_valtype_t *rs[2] = {r1, r2};
    wasm_valtype_vec_t params, results;
    wasm_valtype_vec_new(&params, n_params, ps);
    wasm_valtype_vec_new(&results, n_results, rs);
    if (params.size == n_params && results.size == n_results) {
        return wasm_functype_new(&params, &results);
    }
    wasm_valtype_vec_delete(&params);
    wasm_valtype_vec_delete(&results);
    return NULL;
}

/*
 * wasm_functype_new_P_R(params..., results...): the function type of P parameters and R results,
 * all consumed. NULL when one of them is NULL or memory runs out.
 */
static inline WASM_OWN wasm_functype_t *wasm_functype_new_0_0(void) {
    return wasm_functype_new_up_to_3_2(0, NULL, NULL, NULL, 0, NULL, NULL);
}

static inline WASM_OWN wasm_functype_t *wasm_functype_new_1_0(WASM_OWN wasm_valtype_t *p1) {
    return wasm_functype_new_up_to_3_2(1, p1, NULL, NULL, 0, NULL, NULL);
}

static inline WASM_OWN wasm_functype_t *wasm_functype_new_2_0(WASM_OWN wasm_valtype_t *p1,
                                                              WASM_OWN wasm_valtype_t *p2) {
    return wasm_functype_new_up_to_3_2(2, p1, p2, NULL, 0, NULL, NULL);
}

static inline WASM_OWN wasm_functype_t *wasm_functype_new_3_0(WASM_OWN wasm_valtype_t *p1,
                                                              WASM_OWN wasm_valtype_t *p2,
                                                              WASM_OWN wasm_valtype_t *p3) {
    return wasm_functype_new_up_to_3_2(3, p1, p2, p3, 0, NULL, NULL);
}

static inline WASM_OWN wasm_functype_t *wasm_functype_new_0_1(WASM_OWN wasm_valtype_t *r1) {
    return wasm_functype_new_up_to_3_2(0, NULL, NULL, NULL, 1, r1, NULL);
}

static inline WASM_OWN wasm_functype_t *wasm_functype_new_1_1(WASM_OWN wasm_valtype_t *p1,
                                                              WASM_OWN wasm_valtype_t *r1) {
    return wasm_functype_new_up_to_3_2(1, p1, NULL, NULL, 1, r1, NULL);
}

static inline WASM_OWN wasm_functype_t *wasm_functype_new_2_1(WASM_OWN wasm_valtype_t *p1,
                                                              WASM_OWN wasm_valtype_t *p2,
                                                              WASM_OWN wasm_valtype_t *r1) {
    return wasm_functype_new_up_to_3_2(2, p1, p2, NULL, 1, r1, NULL);
}

static inline WASM_OWN wasm_functype_t *wasm_functype_new_3_1(WASM_OWN wasm_valtype_t *p1,
                                                              WASM_OWN wasm_valtype_t *p2,
                                                              WASM_OWN wasm_valtype_t *p3,
                                                              WASM_OWN wasm_valtype_t *r1) {
    return wasm_functype_new_up_to_3_2(3, p1, p2, p3, 1, r1, NULL);
}

static inline WASM_OWN wasm_functype_t *wasm_functype_new_0_2(WASM_OWN wasm_valtype_t *r1,
                                                              WASM_OWN wasm_valtype_t *r2) {
    return wasm_functype_new_up_to_3_2(0, NULL, NULL, NULL, 2, r1, r2);
}

static inline WASM_OWN wasm_functype_t *wasm_functype_new_1_2(WASM_OWN wasm_valtype_t *p1,
                                                              WASM_OWN wasm_valtype_t *r1,
                                                              WASM_OWN wasm_valtype_t *r2) {
    return wasm_functype_new_up_to_3_2(1, p1, NULL, NULL, 2, r1, r2);
}

static inline WASM_OWN wasm_functype_t *wasm_functype_new_2_2(WASM_OWN wasm_valtype_t *p1,
                                                              WASM_OWN wasm_valtype_t *p2,
                                                              WASM_OWN wasm_valtype_t *r1,
                                                              WASM_OWN wasm_valtype_t *r2) {
    return wasm_functype_new_up_to_3_2(2, p1, p2, NULL, 2, r1, r2);
}

static inline WASM_OWN wasm_functype_t *wasm_functype_new_3_2(WASM_OWN wasm_valtype_t *p1,
                                                              WASM_OWN wasm_valtype_t *p2,
                                                              WASM_OWN wasm_valtype_t *p3,
                                                              WASM_OWN wasm_valtype_t *r1,
                                                              WASM_OWN wasm_valtype_t *r2) {
    return wasm_functype_new_up_to_3_2(3, p1, p2, p3, 2, r1, r2);
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* WASM_H */
