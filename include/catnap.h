/*
 * catnap.h - what Catnap offers beyond the standard WebAssembly C API.
 *
 * Everything here works on the objects of wasm.h. The rules that hold throughout:
 *
 *  - Ownership follows wasm.h: a parameter or result marked `own` changes hands, every other pointer
 *    is borrowed for the call, and what a function returns without `own` lives as long as its parent.
 *  - A function that can fail returns NULL on success or an own catnap_error_t that says why, or takes
 *    `catnap_error_t **error`. Every out parameter is always set, to NULL or zero where there is
 *    nothing to give. `error` itself may be NULL when the reason is not wanted.
 *  - Sizes are in bytes unless the name says pages, slots, elements or functions.
 *  - Engines and modules may be used by several threads at once. A store, and all that lives in it,
 *    belongs to one thread at a time and may move between threads when no call is under way;
 *    catnap_store_interrupt() is the one call that any thread or signal handler may make.
 *  - After fork() parent and child have each everything that there was, and neither changes what the
 *    other has, but for files and sockets, whose positions and data the system shares. fork() when no
 *    other thread is inside this library (threads that it started itself do not count): the child
 *    has one thread only, and would wait for ever for a lock that another one held. The details:
 *     - The first use of a store's checkpoints in a child compares its memories with them once.
 *     - With CATNAP_TRACKING_COPY_ON_WRITE parent and child share pages until the child first calls
 *       into the store, goes back, or makes or releases a checkpoint. When the parent made, released or went back to
 *       a checkpoint in the meantime, these fail in the child (CATNAP_MISUSE, a trap of code
 *       CATNAP_TRAP_HOST), a slot of a pool is made new, and wasm_memory_data() is not to be read.
 *     - A slot of a pool that is out is out in both.
 *     - Background translation goes on in the parent only: in the child it has ended.
 *     - An interrupt is for the process whose thread asks for it.
 *  - Nothing here prints, exits or aborts, and there is no process-wide configuration. The single
 *    process-wide effect is a SIGSEGV/SIGBUS handler that is installed when a store or a memory with
 *    guard pages is made (CATNAP_BOUNDS_AUTO). Faults that are not ours, and signals that were sent, go
 *    to the handler that was there before, which may leave by siglongjmp(), or have the default effect.
 *    Where a later handler has come in front of ours, the next memory puts ours in front of that; the
 *    two may pass faults on to each other, as may several copies of this library in one process.
 *  - A thread that calls into memories with guard pages must not block SIGSEGV and SIGBUS: the kernel
 *    ends the process at a guest's access out of bounds, whatever handlers there are. Memories that
 *    a thread makes while it blocks them have explicit checks. So a thread that blocks all signals
 *    either makes the stores it uses, or unblocks these two, or the engine is
 *    CATNAP_BOUNDS_EXPLICIT.
 *  - After the handler is installed, dlclose() does not unload the shared object that contains it.
 *  - A callback may not leave by longjmp() over the frames of this library.
 */
#ifndef CATNAP_H
#define CATNAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wasm.h"

/* Marks ownership as WASM_OWN does; programs for wasm.h like to define the word themselves. */
#ifndef own
#define own
#define CATNAP_OWN_IS_OURS
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define CATNAP_VERSION_MAJOR 0
#define CATNAP_VERSION_MINOR 1
#define CATNAP_VERSION_PATCH 0
#define CATNAP_VERSION "0.1.0"

/* The library's version, a string with static storage such as "0.1.0". */
WASM_API_EXTERN const char *catnap_version(void);

/* ---- Status and errors ---------------------------------------------------------------------- */

/* Why something failed. The values are stable. */
typedef enum catnap_status {
    CATNAP_OK = 0,
    CATNAP_MALFORMED = 1, /* the bytes do not decode (specification, section 5) */
    CATNAP_INVALID = 2,   /* they decode and do not validate (section 3) */
    CATNAP_UNSUPPORTED =
        3,            /* they need a feature that is switched off or is one of a later version,
                             * which the message names; or they are a component */
    CATNAP_LIMIT = 4, /* an implementation limit or a limit of the store */
    CATNAP_LINK = 5,  /* an import is missing or of the wrong type (section 4.5.3) */
    CATNAP_TRAP = 6,  /* execution trapped (for runs: see the trap) */
    CATNAP_OUT_OF_FUEL = 7, /* the fuel does not reach */
    CATNAP_INTERRUPTED = 8, /* catnap_store_interrupt() was called */
    CATNAP_NO_MEMORY = 9,   /* an allocation failed */
    CATNAP_MISUSE = 10,     /* the caller broke a rule of this header */
    CATNAP_IO = 11,         /* the operating system refused something */
    CATNAP_NOT_FOUND = 12,  /* there is nothing of that name or index */
    CATNAP_BUSY = 13        /* all slots of a pool are in use, and none came free in time */
} catnap_status_t;

typedef struct catnap_error_t catnap_error_t;

/* Frees an error; NULL is allowed. */
WASM_API_EXTERN void catnap_error_delete(own catnap_error_t *error);
/* The kind of the failure; CATNAP_OK for NULL. */
WASM_API_EXTERN catnap_status_t catnap_error_status(const catnap_error_t *error);
/* One line of English, NUL-terminated, without a trailing newline; names in it are escaped as by
 * catnap_escape(). Lives as long as the error. */
WASM_API_EXTERN const char *catnap_error_message(const catnap_error_t *error);
/* The byte offset in the module that the error is about, or UINT64_MAX when there is none. */
WASM_API_EXTERN uint64_t catnap_error_offset(const catnap_error_t *error);
/* The index of the function whose body the error is in, or UINT32_MAX when it is in none. */
WASM_API_EXTERN uint32_t catnap_error_function(const catnap_error_t *error);
/* Makes an error, for host code that reports through this interface; message is copied. Never NULL:
 * when memory is exhausted a static CATNAP_NO_MEMORY error is returned. */
WASM_API_EXTERN own catnap_error_t *catnap_error_new(catnap_status_t status, const char *message);

/*
 * Text of unknown origin (names in modules, what a guest wrote) as one line that a terminal or a log
 * shows and does not obey. Escaped are bytes that are not UTF-8, control characters, line and paragraph
 * separators, and characters that change the direction of text or have no width. CATNAP_ESCAPE_TEXT
 * writes \hh for each byte, as the text format does. CATNAP_ESCAPE_JSON writes \u and four hexadecimal
 * digits, escapes quotes and backslashes as well, and replaces bytes that are not UTF-8 by U+FFFD. Writes
 * at most `size` bytes with the NUL, never a part of an escape or of a character; `out` may be NULL when
 * `size` is 0. Returns the length of the whole, without the NUL.
 */
typedef enum catnap_escape_t { CATNAP_ESCAPE_TEXT = 0, CATNAP_ESCAPE_JSON = 1 } catnap_escape_t;
WASM_API_EXTERN size_t catnap_escape(catnap_escape_t form, const char *text, size_t length,
                                     char *out, size_t size);

/* The reason of the latest failure of a wasm.h function on this store (wasm_module_new returning
 * NULL, wasm_memory_grow returning false and so on), or NULL. Borrowed until the next call. */
WASM_API_EXTERN const catnap_error_t *catnap_store_last_error(const wasm_store_t *store);

/* ---- Engine configuration ------------------------------------------------------------------- */

/* Where memory comes from. `realloc(env, NULL, 0, n)` allocates, `realloc(env, p, old, 0)` frees and
 * returns NULL, anything else resizes; NULL for n > 0 means exhausted. Called by any thread. The
 * address space of linear memories and value stacks comes from the operating system directly; a
 * WASI state belongs to no engine and uses malloc(). */
typedef struct catnap_allocator {
    void *(*realloc)(void *env, void *pointer, size_t old_size, size_t new_size);
    void *env;
} catnap_allocator_t;

/* Language features, as bits. The default is CATNAP_FEATURES_DEFAULT. */
typedef uint64_t catnap_features_t;
#define CATNAP_FEATURE_MUTABLE_GLOBALS (UINT64_C(1) << 0)
#define CATNAP_FEATURE_SIGN_EXTENSION (UINT64_C(1) << 1)
#define CATNAP_FEATURE_SATURATING_CONVERSIONS (UINT64_C(1) << 2)
#define CATNAP_FEATURE_MULTI_VALUE (UINT64_C(1) << 3)
#define CATNAP_FEATURE_BULK_MEMORY (UINT64_C(1) << 4)
#define CATNAP_FEATURE_REFERENCE_TYPES (UINT64_C(1) << 5)
#define CATNAP_FEATURE_SIMD (UINT64_C(1) << 6)
/* Addition, subtraction, multiplication and earlier immutable globals in constant expressions. */
#define CATNAP_FEATURE_EXTENDED_CONST (UINT64_C(1) << 7)
#define CATNAP_FEATURE_TAIL_CALLS (UINT64_C(1) << 8)
/* References to function types, subtypes and recursion groups of these, and what needs no null. */
#define CATNAP_FEATURE_FUNCTION_REFERENCES (UINT64_C(1) << 11)
#define CATNAP_FEATURE_MULTI_MEMORY (UINT64_C(1) << 12)
#define CATNAP_FEATURE_MEMORY64 (UINT64_C(1) << 13) /* of tables as well */
#define CATNAP_FEATURE_THREADS (UINT64_C(1) << 15)  /* atomic instructions, shared memories */
/* Vector instructions with several permitted results; these are those of the deterministic profile. */
#define CATNAP_FEATURE_RELAXED_SIMD (UINT64_C(1) << 14)
#define CATNAP_FEATURE_WIDE_ARITHMETIC (UINT64_C(1) << 16) /* 128-bit sums and products */
/* Memories with pages of one byte. Off by default. */
#define CATNAP_FEATURE_CUSTOM_PAGE_SIZES (UINT64_C(1) << 17)
/* Imports from one module, or of one type as well, in a group. Off by default. */
#define CATNAP_FEATURE_COMPACT_IMPORTS (UINT64_C(1) << 18)
#define CATNAP_FEATURES_WASM1 (CATNAP_FEATURE_MUTABLE_GLOBALS)
#define CATNAP_FEATURES_WASM2 ((UINT64_C(1) << 7) - 1)
/* Exceptions with references to them: tags, throw, throw_ref, try_table. */
#define CATNAP_FEATURE_EXCEPTIONS (UINT64_C(1) << 9)
/* The older form, which compilers still emit by default: try, catch, catch_all, delegate, rethrow. Its tags and `throw`
 * are those of CATNAP_FEATURE_EXCEPTIONS. */
#define CATNAP_FEATURE_LEGACY_EXCEPTIONS (UINT64_C(1) << 10)
/* Structures, arrays, numbers of 31 bits as references, and casts; subtypes of structures and arrays. */
#define CATNAP_FEATURE_GC (UINT64_C(1) << 20)
/* WebAssembly 3.0, as far as this version has it. */
#define CATNAP_FEATURES_WASM3                                                                      \
    (CATNAP_FEATURES_WASM2 | CATNAP_FEATURE_EXTENDED_CONST | CATNAP_FEATURE_EXCEPTIONS |           \
     CATNAP_FEATURE_FUNCTION_REFERENCES | CATNAP_FEATURE_MULTI_MEMORY | CATNAP_FEATURE_MEMORY64 |  \
     CATNAP_FEATURE_RELAXED_SIMD | CATNAP_FEATURE_TAIL_CALLS)
/* That, finished proposals, and the older form of exceptions. */
#define CATNAP_FEATURES_DEFAULT                                                                    \
    (CATNAP_FEATURES_WASM3 | CATNAP_FEATURE_THREADS | CATNAP_FEATURE_WIDE_ARITHMETIC |             \
     CATNAP_FEATURE_LEGACY_EXCEPTIONS)
/* All that this version has: proposals that may still change, too. */
#define CATNAP_FEATURES_ALL                                                                        \
    (CATNAP_FEATURES_DEFAULT | CATNAP_FEATURE_CUSTOM_PAGE_SIZES | CATNAP_FEATURE_COMPACT_IMPORTS | \
     CATNAP_FEATURE_GC)

/* The name of one feature, as in messages; NULL where the value is none. */
WASM_API_EXTERN const char *catnap_feature_name(catnap_features_t feature);

typedef enum catnap_bounds_checks {
    CATNAP_BOUNDS_AUTO = 0, /* guard pages where the address space and the thread's signals allow,
                                * else explicit */
    CATNAP_BOUNDS_EXPLICIT = 1 /* a comparison at each access; no signal handler is installed */
} catnap_bounds_checks_t;

typedef enum catnap_translation {
    CATNAP_TRANSLATION_LAZY = 0,  /* a function is translated at its first call */
    CATNAP_TRANSLATION_EAGER = 1, /* every function is translated when its module is loaded */
    /* A body is validated, too, only at the function's first call; an invalid one is then a trap of
     * code CATNAP_TRAP_INVALID. All else of a module is validated when it is loaded. */
    CATNAP_TRANSLATION_DEFERRED = 2
} catnap_translation_t;

/* Setters on the standard wasm_config_t, to be used before wasm_engine_new_with_config(); they do
 * not fail. */

/* The allocator is copied; what its env points at must outlive the engine. NULL: malloc(). */
WASM_API_EXTERN void catnap_config_set_allocator(wasm_config_t *, const catnap_allocator_t *);
/* The features that modules may use. One that uses others is refused: CATNAP_UNSUPPORTED. */
WASM_API_EXTERN void catnap_config_set_features(wasm_config_t *, catnap_features_t);
/* How accesses to linear memories are checked; CATNAP_BOUNDS_AUTO at first. */
WASM_API_EXTERN void catnap_config_set_bounds_checks(wasm_config_t *, catnap_bounds_checks_t);
/* When functions are translated; CATNAP_TRANSLATION_LAZY at first. */
WASM_API_EXTERN void catnap_config_set_translation(wasm_config_t *, catnap_translation_t);
/* With how many threads large modules are validated, the caller's included; 1 at first. The result
 * and the error of an invalid module do not depend on it. */
WASM_API_EXTERN void catnap_config_set_threads(wasm_config_t *, uint32_t threads);
/* Upper bound for what the engine holds through its allocator at any time, in bytes, as
 * catnap_engine_memory() counts it: loaded modules, translated code, tables, objects; UINT64_MAX at first.
 * An allocation beyond it fails, as if memory were exhausted (CATNAP_NO_MEMORY). */
WASM_API_EXTERN void catnap_config_set_memory_limit(wasm_config_t *, uint64_t bytes);
/* Whether code counts fuel. Off: no cost, and the fuel functions report CATNAP_MISUSE. */
WASM_API_EXTERN void catnap_config_set_fuel(wasm_config_t *, bool enabled);
/* Whether running code can be interrupted. Off: no cost; only host calls notice an interrupt. */
WASM_API_EXTERN void catnap_config_set_interruptible(wasm_config_t *, bool enabled);

/* Whether code computes the same on every machine (specification, deterministic profile): a NaN that an
 * instruction computes is the canonical one, positive and without payload. Relaxed vector instructions always have
 * the results of that profile. Off: no cost, and such a NaN is the processor's. Results of host functions, a failure
 * of memory.grow for want of memory and the number of frames that a value stack has room for depend on the host
 * in any case. */
WASM_API_EXTERN void catnap_config_set_deterministic(wasm_config_t *, bool enabled);

/* Whether executions of bytecode instructions are counted, see catnap_store_profile_ops(). Code is
 * then many times slower; for those who improve the bytecode. */
WASM_API_EXTERN void catnap_config_set_profile_ops(wasm_config_t *, bool enabled);

/* ---- Limits of a store ---------------------------------------------------------------------- */

/* Each field is an upper bound; catnap_limits_default() gives the defaults in brackets. */
typedef struct catnap_limits {
    /* All linear memories and tables, 8 bytes an element, and the heap of objects [UINT64_MAX]. */
    uint64_t memory_bytes;
    uint64_t heap_bytes;        /* the heap of garbage-collected objects [UINT64_MAX: 16 GiB] */
    uint64_t table_elements;    /* all tables together [10,000,000 a table; UINT64_MAX together] */
    uint64_t instances;         /* live instances [UINT64_MAX] */
    uint64_t value_stack_bytes; /* value stack of one run [64 MiB], set before the first call;
                                 * where address space is short a stack is smaller, at least 64 KiB */
    uint32_t call_depth;        /* WebAssembly frames of one run [200,000] */
    uint32_t host_depth;        /* calls WebAssembly -> host -> WebAssembly, nested [64] */
} catnap_limits_t;

/* Fills in what a new store begins with. */
WASM_API_EXTERN void catnap_limits_default(catnap_limits_t *limits);
/* Applies from now on; what exists already is left as it is and counts. */
WASM_API_EXTERN void catnap_store_set_limits(wasm_store_t *, const catnap_limits_t *);
/* The limits that hold now. */
WASM_API_EXTERN void catnap_store_limits(const wasm_store_t *, catnap_limits_t *out);
/* A pointer of the embedder's own, for its callbacks; NULL at first. */
WASM_API_EXTERN void catnap_store_set_data(wasm_store_t *, void *data);
/* That pointer. */
WASM_API_EXTERN void *catnap_store_data(const wasm_store_t *);
/* The engine that the store was made with; borrowed. */
WASM_API_EXTERN wasm_engine_t *catnap_store_engine(const wasm_store_t *);

/* A store for another thread of the program that runs in `first`, which may be such a store itself: of the same
 * engine, whose code can be interrupted, with the same limits. All these stores have their bytes of memories and tables
 * together, against memory_bytes as it was when there was but one, and count a shared memory once. They also have
 * their fuel together: each takes up to 16,384 units at a time, and less when little is left, which come back when it
 * is deleted; so some may be left in other stores when one is out of fuel. NULL and
 * *error: CATNAP_MISUSE (not interruptible), CATNAP_UNSUPPORTED (checkpoints, a pool), CATNAP_NO_MEMORY. */
WASM_API_EXTERN own wasm_store_t *catnap_store_new_beside(wasm_store_t *first,
                                                          catnap_error_t **error);

/* ---- Fuel ------------------------------------------------------------------------------------ */

/* One unit is one WebAssembly instruction (`block`, `loop`, `try_table`, `try`, `catch`, `end`, `else`, `nop` are free; bulk
 * operations, arrays included, cost one more for each 64 bytes or 8 elements of tables, memory.grow one for each page; entering a
 * function costs one for each 8 locals that it declares, where a v128 counts twice). N units execute the
 * instructions that N pay for, and stop before the next. The same run always costs the same, whole or in
 * slices; translating functions costs nothing, so it does not matter who called one first. A new store has
 * 0. */
WASM_API_EXTERN own catnap_error_t *catnap_store_set_fuel(wasm_store_t *, uint64_t fuel);
/* The fuel that is left; 0 when fuel is off. Exact at every host call and after every run. Fuel that ends
 * leaves something only where a bulk operation, or entering a function, costs more at once: a run has then
 * taken it towards that, and 0 is left. With catnap_store_new_beside(): what the store can still take, too. */
WASM_API_EXTERN uint64_t catnap_store_fuel(const wasm_store_t *);
/* Takes fuel for work of the host. CATNAP_OUT_OF_FUEL, and takes none, when there is less. */
WASM_API_EXTERN own catnap_error_t *catnap_store_consume_fuel(wasm_store_t *, uint64_t fuel);

/* ---- Interruption ---------------------------------------------------------------------------- */

/* Names the outermost call that is under way or, when none is, the next one. Never 0. Making instances
 * is a call in this sense, too: instantiation with its start function, making a pre-linked module,
 * restoring a snapshot. */
WASM_API_EXTERN uint64_t catnap_store_call_id(const wasm_store_t *);
/* Asks that call to stop, with a trap of code CATNAP_TRAP_INTERRUPTED (or, before any segment was
 * run, with an error CATNAP_INTERRUPTED); a call that has ended is past asking and the next is not
 * hurt. Any thread; async-signal-safe. The store must be alive. Loading a module is not interrupted: it
 * takes time in proportion to the module's size, and catnap_builder_write() takes it in pieces. */
WASM_API_EXTERN void catnap_store_interrupt(wasm_store_t *, uint64_t call_id);

/* ---- Values with v128 ------------------------------------------------------------------------ */

/* Like wasm_val_t, with room for v128. A reference is borrowed unless said otherwise. */
typedef struct catnap_val {
    wasm_valkind_t kind;
    union {
        int32_t i32;
        int64_t i64;
        float32_t f32;
        float64_t f64;
        struct wasm_ref_t *ref;
        uint8_t v128[16]; /* lanes in little-endian order */
    } of;
} catnap_val_t;

/* Calls a function; arguments and results are arrays of the function type's lengths. Reference
 * results are own (wasm_ref_delete). On a trap the results are zero values of their kinds. Returns
 * an own trap or NULL. A wrong count or kind of arguments is a trap of code CATNAP_TRAP_HOST. */
WASM_API_EXTERN own wasm_trap_t *catnap_func_call(const wasm_func_t *,
                                                  const catnap_val_t *arguments,
                                                  size_t argument_count, catnap_val_t *results,
                                                  size_t result_count);
/* The value of a global, v128 included; a reference is own. */
WASM_API_EXTERN void catnap_global_get(const wasm_global_t *, own catnap_val_t *out);
/* Fails for an immutable global or a value of another type. */
WASM_API_EXTERN own catnap_error_t *catnap_global_set(wasm_global_t *, const catnap_val_t *);
/* A global of that type, v128 included, with its first value, which is borrowed. NULL and *error
 * when the value is of another type or memory is exhausted. */
WASM_API_EXTERN own wasm_global_t *catnap_global_new(wasm_store_t *, const wasm_globaltype_t *,
                                                     const catnap_val_t *, catnap_error_t **error);

/* ---- Host functions -------------------------------------------------------------------------- */

/* The WebAssembly side of a host call: valid during that call only. */
typedef struct catnap_caller_t catnap_caller_t;

/* arguments and results have the lengths of the function's type; results arrive zeroed and typed,
 * a reference put there is borrowed. Returns NULL or an own trap. */
typedef own wasm_trap_t *(*catnap_callback_t)(void *env, catnap_caller_t *caller,
                                              const catnap_val_t *arguments, catnap_val_t *results);

/* A host function. finalizer (may be NULL) is called with env once the function is gone, also when
 * this call fails. NULL on failure, with *error set. */
WASM_API_EXTERN own wasm_func_t *catnap_func_new(wasm_store_t *, const wasm_functype_t *,
                                                 catnap_callback_t, void *env,
                                                 void (*finalizer)(void *env),
                                                 catnap_error_t **error);

/* ---- Calls without values ---- */

/* The quickest way across, for hosts that know the types: arguments and results share an array of
 * slots, one for each value in order and two for a v128, low lanes first. An i32 or f32 is the low
 * half of its slot; the upper half is not looked at, and comes out as zero. The array has room for
 * the arguments or the results, whichever are more: catnap_func_slots(). Slots are not checked. Functions with
 * values of kind CATNAP_ANYREF cannot be called so, nor made; an externref that WebAssembly made of
 * such a value is NULL for catnap_ref_of_slot(). */
WASM_API_EXTERN size_t catnap_func_slots(const wasm_func_t *);
/* Calls a function: the arguments' slots become the results'. Returns an own trap, after which the
 * slots hold nothing of use, or NULL. */
WASM_API_EXTERN own wasm_trap_t *catnap_func_call_raw(const wasm_func_t *, uint64_t *slots);
/* A host function that takes its arguments from the slots and puts its results there. */
typedef own wasm_trap_t *(*catnap_raw_callback_t)(void *env, catnap_caller_t *caller,
                                                  uint64_t *slots);
/* As catnap_func_new(). */
WASM_API_EXTERN own wasm_func_t *catnap_func_new_raw(wasm_store_t *, const wasm_functype_t *,
                                                     catnap_raw_callback_t, void *env,
                                                     void (*finalizer)(void *env),
                                                     catnap_error_t **error);
/* The slot of a reference (NULL is null), which must be of the same store as the function. */
WASM_API_EXTERN uint64_t catnap_slot_of_ref(wasm_ref_t *);
/* An own handle on what a slot of a reference type refers to, or NULL. A slot itself holds nothing:
 * take the handle before other calls are made. */
WASM_API_EXTERN own wasm_ref_t *catnap_ref_of_slot(uint64_t slot);

/* The store that the call is made in; borrowed. */
WASM_API_EXTERN wasm_store_t *catnap_caller_store(const catnap_caller_t *);
/* The instance whose code made the call, borrowed; NULL when the host itself called the function. */
WASM_API_EXTERN const wasm_instance_t *catnap_caller_instance(const catnap_caller_t *);
/* The caller's linear memory `index`: base and size in bytes, valid until WebAssembly runs, the
 * memory grows or the store is rolled back. False, NULL and 0 when there is none. */
WASM_API_EXTERN bool catnap_caller_memory(const catnap_caller_t *, uint32_t index, uint8_t **base,
                                          uint64_t *size);
/* The shared memory that the caller's linear memory `index` is a view of, own; NULL when it is none. */
WASM_API_EXTERN own struct catnap_shared_memory_t *
catnap_caller_shared_memory(const catnap_caller_t *, uint32_t index);
/* An own extern exported by the caller's instance, or NULL. */
WASM_API_EXTERN own wasm_extern_t *catnap_caller_export(const catnap_caller_t *, const char *name,
                                                        size_t name_length);
/* Whether the call under way has been asked to stop. */
WASM_API_EXTERN bool catnap_caller_interrupted(const catnap_caller_t *);
/* A descriptor that polls readable once the call under way has been asked to stop, or -1. Owned by
 * the store: do not read or close it. For host functions that wait. A request for an earlier call that
 * comes late can make it readable, too: then catnap_caller_interrupted() is false, and asking for the
 * descriptor again clears it. */
WASM_API_EXTERN int catnap_caller_interrupt_fd(catnap_caller_t *);

/* ---- Garbage-collected objects (of WebAssembly 3.0) ---------------------------------------------- */

/* The kind of references to structures, arrays, numbers of 31 bits and host objects that became such a reference: for
 * wasm_valtype_new(), and of values. */
#define CATNAP_ANYREF ((wasm_valkind_t)131)

/* The kinds of packed fields, in catnap_fieldtype_t only: their values are of kind WASM_I32. */
#define CATNAP_I8 ((wasm_valkind_t)8)
#define CATNAP_I16 ((wasm_valkind_t)9)

/* A defined type (section 2.3.8): a function, structure or array type. Equal types of all modules of an engine
 * are the same one. A handle may outlive modules and stores, and may be used by any thread. */
typedef struct catnap_deftype_t catnap_deftype_t;

typedef uint8_t catnap_deftype_kind_t;
enum { CATNAP_DEFTYPE_FUNC, CATNAP_DEFTYPE_STRUCT, CATNAP_DEFTYPE_ARRAY };

/* The heap type of a reference. Top and bottom are those of the hierarchy that its kind names: any and none for
 * CATNAP_ANYREF, func and nofunc for WASM_FUNCREF, and so on. */
typedef uint8_t catnap_heaptype_t;
enum {
    CATNAP_HEAP_TOP,
    CATNAP_HEAP_EQ,
    CATNAP_HEAP_I31,
    CATNAP_HEAP_STRUCT,
    CATNAP_HEAP_ARRAY,
    CATNAP_HEAP_BOTTOM,
    CATNAP_HEAP_DEFINED /* catnap_fieldtype_t.type */
};

/* The type of a field of a structure, or of the elements of an array. */
typedef struct catnap_fieldtype_t {
    wasm_valkind_t kind; /* of its values, or CATNAP_I8 or CATNAP_I16 */
    bool is_mutable;
    bool nullable;          /* of references */
    catnap_heaptype_t heap; /* of references */
    catnap_deftype_t *type; /* with CATNAP_HEAP_DEFINED, else NULL */
} catnap_fieldtype_t;

/* Type `index` of the instance's module. NULL when there is none, or memory is exhausted. */
WASM_API_EXTERN own catnap_deftype_t *catnap_instance_deftype(const wasm_instance_t *,
                                                              uint32_t index);
/* The type of a structure, an array or a function. NULL when the reference is to none of these (a number of 31
 * bits, an object of the host), or memory is exhausted. */
WASM_API_EXTERN own catnap_deftype_t *catnap_ref_deftype(const wasm_ref_t *);
/* The final type without supertype that has these fields, in a recursion group of its own, as
 * `(type (struct (field ...)))` defines it. The handles in `fields` are borrowed. NULL on failure, with *error set:
 * CATNAP_UNSUPPORTED without the feature gc. */
WASM_API_EXTERN own catnap_deftype_t *catnap_deftype_new_struct(wasm_engine_t *,
                                                                const catnap_fieldtype_t *fields,
                                                                size_t count,
                                                                catnap_error_t **error);
/* The same of an array. */
WASM_API_EXTERN own catnap_deftype_t *catnap_deftype_new_array(wasm_engine_t *,
                                                               const catnap_fieldtype_t *element,
                                                               catnap_error_t **error);
/* Drops a handle; NULL is allowed. */
WASM_API_EXTERN void catnap_deftype_delete(own catnap_deftype_t *);
/* Another handle. NULL when memory is exhausted. */
WASM_API_EXTERN own catnap_deftype_t *catnap_deftype_copy(const catnap_deftype_t *);
/* Whether the two are one type. */
WASM_API_EXTERN bool catnap_deftype_same(const catnap_deftype_t *, const catnap_deftype_t *);
/* Whether the first is the second or declared below it. */
WASM_API_EXTERN bool catnap_deftype_is_sub(const catnap_deftype_t *, const catnap_deftype_t *);
WASM_API_EXTERN catnap_deftype_kind_t catnap_deftype_kind(const catnap_deftype_t *);
/* Whether other types may not name it as their supertype. */
WASM_API_EXTERN bool catnap_deftype_is_final(const catnap_deftype_t *);
/* The supertype that it names. NULL when there is none, or memory is exhausted. */
WASM_API_EXTERN own catnap_deftype_t *catnap_deftype_supertype(const catnap_deftype_t *);
/* Of a function type: parameters and results, each as the most general type of its hierarchy. NULL for others, or
 * when memory is exhausted. */
WASM_API_EXTERN own wasm_functype_t *catnap_deftype_functype(const catnap_deftype_t *);
/* The fields of a structure; 1 of an array; 0 of a function type. */
WASM_API_EXTERN size_t catnap_deftype_field_count(const catnap_deftype_t *);
/* The type of a field, or of an array's elements (0). `out->type` is own. False when there is no such field, or
 * memory is exhausted. */
WASM_API_EXTERN bool catnap_deftype_field(const catnap_deftype_t *, size_t index,
                                          catnap_fieldtype_t *out);

/* New objects of a store. References to them are values of kind CATNAP_ANYREF. They are kept while the host has a
 * handle (wasm_ref_delete() drops it). An array of values is checked against the type. NULL on failure, with *error
 * set: CATNAP_MISUSE for a value or type that does not fit, CATNAP_NO_MEMORY when no room is left in the heap after
 * a collection. */
/* From the values of its fields; without values (NULL, 0) every field has its default, which all must have. */
WASM_API_EXTERN own wasm_ref_t *catnap_struct_new(wasm_store_t *, const catnap_deftype_t *,
                                                  const catnap_val_t *values, size_t count,
                                                  catnap_error_t **error);
/* All elements are the value, or the default when it is NULL. */
WASM_API_EXTERN own wasm_ref_t *catnap_array_new(wasm_store_t *, const catnap_deftype_t *,
                                                 uint32_t length, const catnap_val_t *value,
                                                 catnap_error_t **error);
/* From the values of its elements. */
WASM_API_EXTERN own wasm_ref_t *catnap_array_new_fixed(wasm_store_t *, const catnap_deftype_t *,
                                                       const catnap_val_t *values, uint32_t count,
                                                       catnap_error_t **error);
/* The number's lower 31 bits. */
WASM_API_EXTERN own wasm_ref_t *catnap_i31_new(wasm_store_t *, int32_t, catnap_error_t **error);

/* Whether it refers to a number of 31 bits; *out is then the number, its sign extended. */
WASM_API_EXTERN bool catnap_i31_get(const wasm_ref_t *, int32_t *out);
/* Reads and writes a field. Packed values are extended by zeros, and cut. `*out` is own. CATNAP_MISUSE: it is no
 * structure, or the value does not fit, or the field is not mutable; CATNAP_NOT_FOUND: there is no such field;
 * CATNAP_NO_MEMORY. */
WASM_API_EXTERN own catnap_error_t *catnap_struct_get(const wasm_ref_t *, size_t field,
                                                      catnap_val_t *out);
WASM_API_EXTERN own catnap_error_t *catnap_struct_set(wasm_ref_t *, size_t field,
                                                      const catnap_val_t *);
/* The elements of an array; 0 of any other reference. */
WASM_API_EXTERN uint32_t catnap_array_length(const wasm_ref_t *);
/* The same as for fields. */
WASM_API_EXTERN own catnap_error_t *catnap_array_get(const wasm_ref_t *, uint32_t index,
                                                     catnap_val_t *out);
WASM_API_EXTERN own catnap_error_t *catnap_array_set(wasm_ref_t *, uint32_t index,
                                                     const catnap_val_t *);
/* Copies `count` elements from index `from` on out of an array of numbers or vectors, or into it: as many bytes as
 * they are wide, little-endian. CATNAP_NOT_FOUND: the range is not within the array. */
WASM_API_EXTERN own catnap_error_t *catnap_array_read(const wasm_ref_t *, uint32_t from,
                                                      uint32_t count, void *bytes);
WASM_API_EXTERN own catnap_error_t *catnap_array_write(wasm_ref_t *, uint32_t from, uint32_t count,
                                                       const void *bytes);

/* ---- Exceptions (of WebAssembly 3.0) ----------------------------------------------------------- */

/* The kind of references to exceptions: for wasm_valtype_new(), and of values. Such a value is a
 * catnap_exception_t as wasm_ref_t, or NULL. */
#define CATNAP_EXNREF ((wasm_valkind_t)130)

/* A tag, which tells kinds of exceptions apart: it is the same as no other one of the same type. Can be
 * imported and exported: WASM_EXTERN_TAG. */
typedef struct catnap_tag_t catnap_tag_t;
/* A new tag of that type, which has no results. NULL on failure, with *error set. */
WASM_API_EXTERN own catnap_tag_t *catnap_tag_new(wasm_store_t *, const wasm_tagtype_t *,
                                                 catnap_error_t **error);
/* Drops a handle; NULL is allowed. */
WASM_API_EXTERN void catnap_tag_delete(own catnap_tag_t *);
/* Another handle on the same tag. */
WASM_API_EXTERN own catnap_tag_t *catnap_tag_copy(const catnap_tag_t *);
/* Its type. NULL when memory is exhausted. */
WASM_API_EXTERN own wasm_tagtype_t *catnap_tag_type(const catnap_tag_t *);
/* The same object, borrowed: as an extern, and back; NULL when the extern is no tag. */
WASM_API_EXTERN wasm_extern_t *catnap_tag_as_extern(catnap_tag_t *);
WASM_API_EXTERN catnap_tag_t *catnap_extern_as_tag(wasm_extern_t *);

/* An exception: a tag and the values that it carries. */
typedef struct catnap_exception_t catnap_exception_t;
/* An exception of that tag; values are borrowed and of its type's lengths. It counts against the store's
 * limit of memory_bytes. NULL on failure, with *error set. */
WASM_API_EXTERN own catnap_exception_t *catnap_exception_new(const catnap_tag_t *,
                                                             const catnap_val_t *values,
                                                             size_t count, catnap_error_t **error);
/* Drops a handle; NULL is allowed. */
WASM_API_EXTERN void catnap_exception_delete(own catnap_exception_t *);
/* Its tag. */
WASM_API_EXTERN own catnap_tag_t *catnap_exception_tag(const catnap_exception_t *);
/* Fills in up to `capacity` values, references own, and returns how many there are. */
WASM_API_EXTERN size_t catnap_exception_values(const catnap_exception_t *, own catnap_val_t *out,
                                               size_t capacity);
/* The same object, borrowed: as a reference, and back; NULL when the reference is to none. */
WASM_API_EXTERN wasm_ref_t *catnap_exception_as_ref(catnap_exception_t *);
WASM_API_EXTERN catnap_exception_t *catnap_ref_as_exception(wasm_ref_t *);

/* Throws: a trap that carries the exception, for a host function to return. WebAssembly that called the
 * function may catch the exception; other traps are never caught. Never NULL. */
WASM_API_EXTERN own wasm_trap_t *catnap_trap_new_exception(const catnap_exception_t *);
/* The exception of a trap of code CATNAP_TRAP_EXCEPTION, which a call gives when nothing in it has caught one; else
 * NULL. A host function that returns such a trap lets the exception pass; one that deletes it has
 * caught it. */
WASM_API_EXTERN own catnap_exception_t *catnap_trap_exception(const wasm_trap_t *);

/* ---- Traps and backtraces -------------------------------------------------------------------- */

typedef enum catnap_trap_code {
    CATNAP_TRAP_HOST = 0, /* made by the host with wasm_trap_new() */
    CATNAP_TRAP_UNREACHABLE = 1,
    CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS = 2,
    CATNAP_TRAP_TABLE_OUT_OF_BOUNDS = 3,   /* table.get, table.set, table.copy ... */
    CATNAP_TRAP_UNDEFINED_ELEMENT = 4,     /* call_indirect past the table's end */
    CATNAP_TRAP_UNINITIALIZED_ELEMENT = 5, /* call_indirect of a null entry */
    CATNAP_TRAP_INDIRECT_CALL_TYPE_MISMATCH = 6,
    CATNAP_TRAP_INTEGER_OVERFLOW = 7,
    CATNAP_TRAP_INTEGER_DIVIDE_BY_ZERO = 8,
    CATNAP_TRAP_INVALID_CONVERSION_TO_INTEGER = 9,
    CATNAP_TRAP_STACK_OVERFLOW = 10, /* call depth, value stack or host depth exhausted */
    CATNAP_TRAP_OUT_OF_FUEL = 11,
    CATNAP_TRAP_INTERRUPTED = 12,
    CATNAP_TRAP_NO_MEMORY = 13,      /* the engine itself ran out of memory */
    CATNAP_TRAP_LIMIT = 14,          /* another limit of the store */
    CATNAP_TRAP_EXIT = 15,           /* the guest asked to exit: catnap_trap_exit_status() */
    CATNAP_TRAP_UNKNOWN_IMPORT = 16, /* catnap_linker_trap_unknown_imports() */
    CATNAP_TRAP_NULL_REFERENCE = 17,
    CATNAP_TRAP_INVALID = 18,          /* a body that was validated at its call, and is invalid */
    CATNAP_TRAP_UNALIGNED_ATOMIC = 19, /* an address that is no multiple of the access */
    CATNAP_TRAP_EXPECTED_SHARED_MEMORY = 20, /* memory.atomic.wait on a memory that is not shared */
    CATNAP_TRAP_EXCEPTION = 21, /* nothing caught an exception: catnap_trap_exception() */
    CATNAP_TRAP_ARRAY_OUT_OF_BOUNDS = 22,
    CATNAP_TRAP_CAST_FAILURE = 23
} catnap_trap_code_t;

/* Why it trapped. */
WASM_API_EXTERN catnap_trap_code_t catnap_trap_code(const wasm_trap_t *);
/* Makes a trap of a given code; message is copied. Never NULL. */
WASM_API_EXTERN own wasm_trap_t *catnap_trap_new(wasm_store_t *, catnap_trap_code_t,
                                                 const char *message);
/* A trap that ends the guest with a status, as WASI's proc_exit does. Never NULL. */
WASM_API_EXTERN own wasm_trap_t *catnap_trap_new_exit(wasm_store_t *, int32_t status);
/* True and the status when the trap is an exit, else false and 0. */
WASM_API_EXTERN bool catnap_trap_exit_status(const wasm_trap_t *, int32_t *status);

/* One frame; the names live as long as the module. */
typedef struct catnap_frame {
    const wasm_instance_t *instance; /* borrowed; NULL for a host function */
    uint32_t func_index;             /* in the module's function index space */
    uint64_t func_offset;            /* of the instruction, from the start of the function's body */
    uint64_t module_offset;          /* of the instruction, from the start of the module */
    const char *func_name;           /* not NUL-terminated; from the name section or an export */
    size_t func_name_length;         /* 0 when the function has no name */
    const char *module_name;
    size_t module_name_length;
} catnap_frame_t;

/* Frame `index` (0 is the innermost) of a trap's backtrace. False, and zeroes, past the last. */
WASM_API_EXTERN bool catnap_trap_frame(const wasm_trap_t *, size_t index, catnap_frame_t *out);
/* How many frames the backtrace has: 128 at most, of a deep stack the innermost and the outermost. */
WASM_API_EXTERN size_t catnap_trap_frame_count(const wasm_trap_t *);
/* How many frames of the stack the backtrace leaves out, and in *index (may be NULL) between which of its
 * frames: before that one. 0, and the number of frames, when it has all. */
WASM_API_EXTERN size_t catnap_trap_frames_left_out(const wasm_trap_t *, size_t *index);
/* Whether two frames are at the same instruction of the same instance. Takes less time than to work out
 * which that is, as catnap_trap_frame() does. */
WASM_API_EXTERN bool catnap_trap_frames_equal(const wasm_trap_t *, size_t a, size_t b);
/* From a host function: fills up to `capacity` frames of the WebAssembly calls below it, innermost
 * first, and returns how many there are in all. */
WASM_API_EXTERN size_t catnap_caller_backtrace(catnap_caller_t *, catnap_frame_t *out,
                                               size_t capacity);

/* ---- Resumable runs --------------------------------------------------------------------------- */

/* A call that can stop half-way and go on: it has a value stack of its own, so a store may have
 * several, and other calls may be made while one is stopped. */
typedef struct catnap_run_t catnap_run_t;

/* Prepares a call; nothing runs yet. The run retains the function. NULL and *error on failure. */
WASM_API_EXTERN own catnap_run_t *catnap_run_new(const wasm_func_t *, const catnap_val_t *arguments,
                                                 size_t argument_count, catnap_error_t **error);
/* Runs until the end or until something stops it.
 *   CATNAP_OK           ended; `results` (result_count of the type) are set, references are own
 *   CATNAP_OUT_OF_FUEL  stopped before an instruction that the fuel does not reach; give more, resume
 *   CATNAP_INTERRUPTED  stopped by catnap_store_interrupt() or catnap_caller_suspend(), perhaps while
 *                       a function was being translated, or before anything ran; resume when
 *                       wanted. A host function that gave up waiting, with a trap of that code, is
 *                       called again
 *   CATNAP_TRAP         ended with *trap (own)
 *   CATNAP_MISUSE       it had ended before, or is running now
 *   CATNAP_NO_MEMORY    stopped before a call whose function there is no memory to translate, or
 *                       before anything ran; resume when there is more
 * Out of fuel inside a nested host call reaches the host function as a trap instead. */
WASM_API_EXTERN catnap_status_t catnap_run_resume(catnap_run_t *, catnap_val_t *results,
                                                  size_t result_count, own wasm_trap_t **trap);
/* The function that it began with; borrowed. */
WASM_API_EXTERN const wasm_func_t *catnap_run_function(const catnap_run_t *);
/* Asks, from a host function that a run has called, that the run stop when this function returns, as
 * if it had been interrupted right after the call; its results are kept. False when the calls under
 * way are no run, or host functions lie between. */
WASM_API_EXTERN bool catnap_caller_suspend(catnap_caller_t *);
/* Frames of a stopped run, innermost first, as catnap_caller_backtrace(). */
WASM_API_EXTERN size_t catnap_run_backtrace(catnap_run_t *, catnap_frame_t *out, size_t capacity);
/* Drops a run, ended or not, before its store is deleted or after. One that is running goes when it
 * stops. */
WASM_API_EXTERN void catnap_run_delete(own catnap_run_t *);

/* ---- Modules ----------------------------------------------------------------------------------- */

typedef struct catnap_module_options {
    const char *name; /* for messages and backtraces when the module names itself not; NULL: none */
    /* NULL: the bytes are copied first, and only the copy is read. Else they are used where they
     * are, never written to, and release(env, bytes, length) is called when the last user of the
     * module is gone, also when loading fails; a function that does nothing suits bytes of static
     * storage. Until then the bytes must not change: functions are translated from them at their
     * first call, and are not validated again. Memory that maps a file is only suitable if no one
     * can write to the file or truncate it. */
    void (*release)(void *env, const uint8_t *bytes, size_t length);
    void *release_env;
    bool set_translation; /* whether `translation` counts; else it is as the engine's */
    catnap_translation_t translation;
} catnap_module_options_t;

/* Decodes and validates a whole module, its bodies too unless they are deferred. NULL and *error on
 * failure. options may be NULL. */
WASM_API_EXTERN own wasm_module_t *catnap_module_new(wasm_store_t *, const uint8_t *bytes,
                                                     size_t length, const catnap_module_options_t *,
                                                     catnap_error_t **error);
/* A module that is loaded while its bytes arrive. One thread at a time may use a builder; where the
 * engine validates with several threads, another than the caller's is always at work. */
typedef struct catnap_builder_t catnap_builder_t;

/* Of the options, which may be NULL, `release` does not count: bytes are copied, into address space
 * that is reserved for the largest module there can be and does not pass through the allocator. */
WASM_API_EXTERN own catnap_builder_t *
catnap_builder_new(wasm_engine_t *, const catnap_module_options_t *, catnap_error_t **error);
/* The next bytes of the module, in pieces of any size. Decodes and validates what is whole by now:
 * sections, and in the code section bodies. The first thing that is found wrong is returned, now and
 * from each later call; the same module in one piece may have its first error elsewhere, when it has
 * several. Exhausted memory is such an error, too. */
WASM_API_EXTERN own catnap_error_t *catnap_builder_write(catnap_builder_t *, const uint8_t *bytes,
                                                         size_t length);
/* The module, when all bytes were written; the builder is gone, also on failure. The store is of the
 * builder's engine. NULL and *error on failure. */
WASM_API_EXTERN own wasm_module_t *catnap_builder_finish(own catnap_builder_t *, wasm_store_t *,
                                                         catnap_error_t **error);
/* Drops a builder, at any point. */
WASM_API_EXTERN void catnap_builder_delete(own catnap_builder_t *);
/* Decodes and validates only; NULL when the module is valid. The bytes must not change during the
 * call. */
WASM_API_EXTERN own catnap_error_t *catnap_module_validate(wasm_engine_t *, const uint8_t *bytes,
                                                           size_t length);
/* The features that the module needs, of those of its engine: without any of them it would be refused. It is decoded and
 * validated once more for that; a function whose validation was deferred may be found invalid. NULL on success. */
WASM_API_EXTERN own catnap_error_t *catnap_module_features(const wasm_module_t *,
                                                           catnap_features_t *out);
/* Checks the custom sections that the specification knows (appendix A.4): "name" and "metadata.code.branch_hint". A module
 * is valid and runs whatever they hold; what is wrong in them is left out. NULL: they are right. */
WASM_API_EXTERN own catnap_error_t *catnap_module_check_custom(const wasm_module_t *);
/* Translates every function now, and validates first what was deferred. */
WASM_API_EXTERN own catnap_error_t *catnap_module_translate(const wasm_module_t *);

typedef struct catnap_module_stats {
    uint64_t module_bytes;         /* length of the binary */
    uint64_t functions;            /* defined in the module */
    uint64_t functions_validated;  /* 0 if a cache's directory had it: validate_ns is the search */
    uint64_t functions_translated; /* at least once called, or eagerly translated */
    uint64_t code_bytes;           /* WebAssembly bodies */
    uint64_t code_bytes_translated;
    uint64_t bytecode_bytes; /* register bytecode made from those */
    uint64_t decode_ns;      /* time in each phase */
    uint64_t validate_ns;
    uint64_t translate_ns;
} catnap_module_stats_t;

/* Counts and times of a module as of now, over all stores that share it. Any thread. */
WASM_API_EXTERN void catnap_module_stats(const wasm_module_t *, catnap_module_stats_t *out);

/* A section of the binary, in file order. */
typedef struct catnap_section {
    uint8_t id;
    const char *name; /* standard name, or a custom section's own; not NUL-terminated */
    size_t name_length;
    uint64_t offset; /* of the content, from the start of the module */
    uint64_t size;   /* of the content */
} catnap_section_t;

/* How many sections the binary has, custom ones included. */
WASM_API_EXTERN size_t catnap_module_section_count(const wasm_module_t *);
/* Section `index`; its name lives as long as the module. False, and zeroes, past the last. */
WASM_API_EXTERN bool catnap_module_section(const wasm_module_t *, size_t index,
                                           catnap_section_t *out);

/* A function of the module's index space, imported ones first. */
typedef struct catnap_function_info {
    bool imported;
    bool translated;
    uint64_t body_offset; /* of the body (after its size), from the start of the module */
    uint64_t body_size;
    uint64_t bytecode_bytes; /* 0 while not translated */
    const char *name;
    size_t name_length;
} catnap_function_info_t;

/* How many functions there are in the index space. */
WASM_API_EXTERN size_t catnap_module_function_count(const wasm_module_t *);
/* Function `index`; its name lives as long as the module. False, and zeroes, past the last. */
WASM_API_EXTERN bool catnap_module_function(const wasm_module_t *, uint32_t index,
                                            catnap_function_info_t *out);
/* Its type. NULL past the last function, or when memory is exhausted. */
WASM_API_EXTERN own wasm_functype_t *catnap_module_function_type(const wasm_module_t *,
                                                                 uint32_t index);

/* Receives text in pieces, not NUL-terminated. */
typedef void (*catnap_write_t)(void *env, const char *text, size_t length);
/* Writes a function's WebAssembly and its register bytecode side by side, translating it if needed. */
WASM_API_EXTERN own catnap_error_t *catnap_module_disassemble(const wasm_module_t *, uint32_t index,
                                                              catnap_write_t, void *env);

/* ---- Background translation ------------------------------------------------------------------- */

/* Threads that translate functions of a module while the host does something else; the calls that
 * are made meanwhile find what is ready. A call to a function under way waits for about as long as
 * translating it would take, and then translates it itself. A function that cannot be translated
 * (memory, or a deferred one that is invalid) is reported to its caller. */
typedef struct catnap_background_t catnap_background_t;

/* The functions to translate, in this order. */
typedef struct catnap_background_options {
    const uint32_t *functions; /* by index; such as catnap_module_profile() of an earlier run */
    size_t function_count;
    /* Exported functions with all that they call, directly or further. */
    const char *const *exports;
    size_t export_count;
    bool all_exports; /* likewise all of them */
    bool everything;  /* what is left, in the module's order */
    uint32_t threads; /* at most 16 */
} catnap_background_options_t;

/* Everything, by one thread. */
WASM_API_EXTERN void catnap_background_options_default(catnap_background_options_t *options);
/* Begins. options may be NULL: the defaults. The job keeps what it needs of the module. */
WASM_API_EXTERN own catnap_background_t *catnap_module_translate_in_background(
    const wasm_module_t *, const catnap_background_options_t *options, catnap_error_t **error);
/* Whether nothing is left to be done. */
WASM_API_EXTERN bool catnap_background_ended(const catnap_background_t *);
/* Waits for that. Tells the first failure; the rest was translated all the same. */
WASM_API_EXTERN own catnap_error_t *catnap_background_wait(catnap_background_t *);
/* Lets no further function begin; does not wait. */
WASM_API_EXTERN void catnap_background_cancel(catnap_background_t *);
/* Cancels, waits for the functions under way, and frees; the module may be gone by then. */
WASM_API_EXTERN void catnap_background_delete(own catnap_background_t *);

/* The functions translated so far, by index, in the order in which they were first called (or
 * translated ahead): fills at most capacity and returns how many there are. Kept for a later run, it
 * is the order in which to translate. */
WASM_API_EXTERN size_t catnap_module_profile(const wasm_module_t *, uint32_t *functions,
                                             size_t capacity);

/* ---- A cache of validated modules -------------------------------------------------------------- */

/* Modules that were validated before, in memory and on disk; loading one of those skips validation.
 * A module is found by the XXH3-128 of its bytes and then compared byte for byte, or by a key that
 * the embedder vouches for. Belongs to an engine; any thread may use it. Other processes may use the
 * same directory at the same time. An entry that is missing, of another version or damaged is validated as
 * ever: a cache never makes loading fail.
 *
 * An entry says that the bodies of a module are valid; all else is decoded and validated again, from a
 * copy. It counts only with its seal: an extended attribute of the file that holds a random secret and
 * the hashes of the contents under it. WASI guests can neither read nor set attributes, so that a guest
 * with a writable directory that holds the cache cannot make an entry that counts. Native programs of
 * the user can. The directory must be the user's own and not writable by others, which is checked, as
 * it is for each entry; symbolic links are not followed. docs/explanation/startup.md says more. */
typedef struct catnap_cache_t catnap_cache_t;

typedef struct catnap_cache_options {
    /* Made, for the user alone, when it is not there; NULL: memory only. [NULL] */
    const char *directory;
    uint64_t disk_bytes;   /* of all entries; those longest unused go first [1 GiB] */
    uint64_t memory_bytes; /* of the binaries of modules kept in memory, likewise [64 MiB] */
} catnap_cache_options_t;

/* Fills in the defaults in brackets. */
WASM_API_EXTERN void catnap_cache_options_default(catnap_cache_options_t *options);
/* options may be NULL. Fails when the directory cannot be had or trusted, or when its file system has
 * no extended attributes (CATNAP_IO). */
WASM_API_EXTERN own catnap_cache_t *
catnap_cache_new(wasm_engine_t *, const catnap_cache_options_t *, catnap_error_t **error);
/* Modules that came from it stay. */
WASM_API_EXTERN void catnap_cache_delete(own catnap_cache_t *);

/* As catnap_module_new(), through the cache: bytes without options->release are copied before they are
 * compared with what was validated, and others must not change. A module that is in memory is shared,
 * with all of it that is translated; it is found again under the same options->name only. Bytes with
 * options->release are released as soon as they are not needed, and otherwise kept for as long as the
 * cache keeps the module. */
WASM_API_EXTERN own wasm_module_t *catnap_cache_module(catnap_cache_t *, wasm_store_t *,
                                                       const uint8_t *bytes, size_t length,
                                                       const catnap_module_options_t *,
                                                       catnap_error_t **error);
/* The same by a key of 1 to 1,024 bytes that stands for a module, such as a content hash or a name
 * with a version. The module stored under the key is loaded, and `bytes` are not looked at; they may be
 * NULL, and are loaded and stored when there is nothing (NULL: CATNAP_NOT_FOUND). */
WASM_API_EXTERN own wasm_module_t *catnap_cache_module_by_key(catnap_cache_t *, wasm_store_t *,
                                                              const void *key, size_t key_length,
                                                              const uint8_t *bytes, size_t length,
                                                              const catnap_module_options_t *,
                                                              catnap_error_t **error);

typedef struct catnap_cache_stats {
    uint64_t memory_hits, disk_hits, misses;
    uint64_t damaged; /* entries that could not be used; also those of other versions */
    uint64_t stored;  /* on disk */
    uint64_t modules_kept, bytes_kept; /* in memory now */
} catnap_cache_stats_t;

/* Counts so far, and what is kept now. Any thread. */
WASM_API_EXTERN void catnap_cache_stats(catnap_cache_t *, catnap_cache_stats_t *out);

/* An entry of a directory. */
typedef struct catnap_cache_entry {
    const char *file; /* its name there */
    uint64_t file_bytes;
    int64_t used; /* seconds of the Unix epoch, to a minute */
    bool damaged; /* or of another version; then what follows is zero */
    bool removed; /* by catnap_cache_verify() */
    uint64_t module_bytes;
    catnap_features_t features;
    const uint8_t *key; /* of the embedder's; NULL: found by its bytes */
    size_t key_length;
} catnap_cache_entry_t;

/* Calls back for each entry; CATNAP_NOT_FOUND when there is no such directory. */
WASM_API_EXTERN own catnap_error_t *
catnap_cache_list(const char *directory, void (*entry)(void *env, const catnap_cache_entry_t *),
                  void *env);
/* The same; validates again each module that the engine's features allow, and removes damaged ones
 * or not valid. */
WASM_API_EXTERN own catnap_error_t *
catnap_cache_verify(wasm_engine_t *, const char *directory,
                    void (*entry)(void *env, const catnap_cache_entry_t *), void *env);
/* Removes all entries and nothing else; tells how many. */
WASM_API_EXTERN own catnap_error_t *catnap_cache_clear(const char *directory, uint64_t *removed);

/* ---- Types of memories and tables -------------------------------------------------------------- */

/* Limits (section 2.3.9) as wasm.h cannot say them: bounds of 64 bits, and which addresses there are. */
typedef struct catnap_type_limits {
    uint64_t min, max; /* pages, or elements; max means something with has_max */
    bool has_max;
    bool is_64; /* addresses, and indices of tables, are i64 */
} catnap_type_limits_t;

/* A type of memories, with pages of 65,536 bytes. NULL when memory runs out. */
WASM_API_EXTERN own wasm_memorytype_t *catnap_memorytype_new(const catnap_type_limits_t *);
/* The same with pages of `page_bytes`, 65,536 or 1, which limits, wasm_memory_size() and wasm_memory_grow() count;
 * NULL for others. */
WASM_API_EXTERN own wasm_memorytype_t *catnap_memorytype_new_paged(const catnap_type_limits_t *,
                                                                   uint64_t page_bytes);
WASM_API_EXTERN uint64_t catnap_memorytype_page_bytes(const wasm_memorytype_t *);
/* A type of tables, which takes `element` over. NULL when memory runs out. */
WASM_API_EXTERN own wasm_tabletype_t *catnap_tabletype_new(own wasm_valtype_t *element,
                                                           const catnap_type_limits_t *);
/* The limits of a type. wasm_memorytype_limits() and wasm_tabletype_limits() show bounds that do not fit as the
 * greatest that does. */
WASM_API_EXTERN void catnap_memorytype_limits(const wasm_memorytype_t *, catnap_type_limits_t *out);
WASM_API_EXTERN void catnap_tabletype_limits(const wasm_tabletype_t *, catnap_type_limits_t *out);

/* ---- Instances and linking --------------------------------------------------------------------- */

/* Like wasm_instance_new(), with the reason apart: *error when linking failed (CATNAP_LINK, naming
 * the import), *trap when an active segment or the start function trapped. Both NULL on success. */
WASM_API_EXTERN own wasm_instance_t *catnap_instance_new(wasm_store_t *, const wasm_module_t *,
                                                         const wasm_extern_vec_t *imports,
                                                         catnap_error_t **error,
                                                         wasm_trap_t **trap);
/* An own extern by its export name, or NULL. */
WASM_API_EXTERN own wasm_extern_t *catnap_instance_export(const wasm_instance_t *, const char *name,
                                                          size_t name_length);
/* The module of an instance, as an own handle. */
WASM_API_EXTERN own wasm_module_t *catnap_instance_module(const wasm_instance_t *);

/* Resolves imports by name. Belongs to a store; names are UTF-8 and copied. */
typedef struct catnap_linker_t catnap_linker_t;

/* A linker without definitions, for that store. NULL when memory is exhausted. */
WASM_API_EXTERN own catnap_linker_t *catnap_linker_new(wasm_store_t *);
/* Frees it, before its store is deleted or after; what it instantiated stays. NULL is allowed. */
WASM_API_EXTERN void catnap_linker_delete(own catnap_linker_t *);
/* The store that it was made for. */
WASM_API_EXTERN wasm_store_t *catnap_linker_store(const catnap_linker_t *);
/* Defines module.name; a later definition replaces an earlier one. The extern is borrowed. */
WASM_API_EXTERN own catnap_error_t *catnap_linker_define(catnap_linker_t *, const char *module,
                                                         size_t module_length, const char *name,
                                                         size_t name_length, const wasm_extern_t *);
/* Defines all exports of an instance under a module name. */
WASM_API_EXTERN own catnap_error_t *catnap_linker_define_instance(catnap_linker_t *,
                                                                  const char *module,
                                                                  size_t module_length,
                                                                  const wasm_instance_t *);
/* From now on a missing function import becomes one that traps when called, naming itself. */
WASM_API_EXTERN void catnap_linker_trap_unknown_imports(catnap_linker_t *, bool enabled);
/* Looks a definition up: an own extern or NULL. */
WASM_API_EXTERN own wasm_extern_t *catnap_linker_get(const catnap_linker_t *, const char *module,
                                                     size_t module_length, const char *name,
                                                     size_t name_length);
/* Resolves the module's imports and instantiates it; error and trap as catnap_instance_new(). */
WASM_API_EXTERN own wasm_instance_t *catnap_linker_instantiate(catnap_linker_t *,
                                                               const wasm_module_t *,
                                                               catnap_error_t **error,
                                                               wasm_trap_t **trap);

/* ---- Pre-linked instances ---------------------------------------------------------------------- */

/* A module whose imports are resolved and checked once, for making instances many times: memories
 * are mapped copy-on-write from an image of the data segments, and an instance that is given back is
 * made again in place. Belongs to a store. docs/explanation/startup.md says more. */
typedef struct catnap_prelinked_t catnap_prelinked_t;

/* Imports as for catnap_instance_new(); they are retained. Segments that trap make it fail with
 * CATNAP_TRAP, unless they reach into an imported memory or table: these run, and trap, with each
 * instance. A module that defines a shared memory, or has structure or array types, is refused
 * (CATNAP_UNSUPPORTED): take catnap_instance_new() or a pool. NULL on failure, with *error set. */
WASM_API_EXTERN own catnap_prelinked_t *catnap_prelinked_new(wasm_store_t *, const wasm_module_t *,
                                                             const wasm_extern_vec_t *imports,
                                                             catnap_error_t **error);
/* The same with the linker's definitions of now. */
WASM_API_EXTERN own catnap_prelinked_t *
catnap_linker_prelink(catnap_linker_t *, const wasm_module_t *, catnap_error_t **error);
/* A new instance; its start function has run. *error for a limit of the store or exhausted memory,
 * *trap when the start function trapped. Both NULL on success. */
WASM_API_EXTERN own wasm_instance_t *
catnap_prelinked_instantiate(catnap_prelinked_t *, catnap_error_t **error, wasm_trap_t **trap);
/* Gives an instance of a pre-linked module back: its memory and its place are used again. Its host
 * infos are finalized, it no longer counts against the store's limits, and `instance` is deleted.
 * It must be the only handle on the instance and on what it exports, no call in it under way, no run
 * of its functions alive, the store without checkpoints and the module without imported tables and
 * imported mutable reference globals: else CATNAP_MISUSE, and the instance stays as it is.
 * References to its functions that got elsewhere all the same (a host function or another instance
 * kept one) refer to the functions of the next instance; while there are such references and the
 * instance waits, snapshots of the store fail with CATNAP_MISUSE. */
WASM_API_EXTERN own catnap_error_t *catnap_instance_recycle(own wasm_instance_t *instance);
/* Frees it; before its store is deleted or after. Instances stay and can still be given back. */
WASM_API_EXTERN void catnap_prelinked_delete(own catnap_prelinked_t *);

/* ---- Shared memories ---------------------------------------------------------------------------- */

/* The type of a shared memory, whose limits have a maximum; NULL when they have none. */
WASM_API_EXTERN own wasm_memorytype_t *catnap_memorytype_new_shared(const wasm_limits_t *);
WASM_API_EXTERN bool catnap_memorytype_is_shared(const wasm_memorytype_t *);

/* A memory that stores of one engine share, each in a thread of its own. It belongs to the engine and lives as long as a
 * handle or a store's view of it. A view is a wasm_memory_t of that store: what its modules import. A module that
 * defines a shared memory, and wasm_memory_new() with a shared type, make one and a view of it.
 *
 * The memory never moves. Guests in several threads access it at the same time, the host should use atomic accesses
 * then. Each store with a view counts the whole memory against its limits, as large as it was when the store looked
 * last; a guest grows it within the limits of its own store. A wait (memory.atomic.wait32) costs one unit of fuel,
 * however long it takes; catnap_store_interrupt() ends it, and a resumed run waits for the time that was left.
 *
 * A snapshot can be made of a store whose shared memories have no other view, which the host must not make meanwhile;
 * restored, they are shared again. With other views, whose threads may be writing, it is CATNAP_UNSUPPORTED. So are, with
 * any view, checkpoints and a module from an instance: pools and stores with checkpoints cannot have a view, and a module
 * that defines a shared memory cannot be pre-linked. After fork() parent and child have a memory each. */
typedef struct catnap_shared_memory_t catnap_shared_memory_t;
/* NULL and *error: not a shared type (CATNAP_INVALID), or no address space for the maximum (CATNAP_NO_MEMORY). Handles
 * may be used by any thread. */
WASM_API_EXTERN own catnap_shared_memory_t *
catnap_shared_memory_new(wasm_engine_t *, const wasm_memorytype_t *, own catnap_error_t **error);
/* Another handle on it. */
WASM_API_EXTERN own catnap_shared_memory_t *catnap_shared_memory_copy(catnap_shared_memory_t *);
WASM_API_EXTERN void catnap_shared_memory_delete(own catnap_shared_memory_t *);
/* Its first byte, and its size in bytes now, which never shrinks. */
WASM_API_EXTERN uint8_t *catnap_shared_memory_data(catnap_shared_memory_t *);
WASM_API_EXTERN uint64_t catnap_shared_memory_size(const catnap_shared_memory_t *);
/* Wakes at most `count` threads that wait at the address, as memory.atomic.notify does; returns how many. */
WASM_API_EXTERN uint32_t catnap_shared_memory_notify(catnap_shared_memory_t *, uint64_t address,
                                                     uint32_t count);
/* A view for a store of the same engine. NULL and *error: CATNAP_LIMIT, CATNAP_UNSUPPORTED, CATNAP_MISUSE (another
 * engine). */
WASM_API_EXTERN own wasm_memory_t *
catnap_shared_memory_view(catnap_shared_memory_t *, wasm_store_t *, own catnap_error_t **error);
/* The shared memory that a memory is a view of; NULL: it is no view. */
WASM_API_EXTERN own catnap_shared_memory_t *catnap_memory_shared(const wasm_memory_t *);

/* ---- WASI preview 1 ---------------------------------------------------------------------------- */

/* The WASI state of one program: arguments, environment, descriptors. Configure, then give it to a
 * linker; several may be at work in one process. It must outlive the instances that use it. */
typedef struct catnap_wasi_t catnap_wasi_t;

/* A state without arguments, environment and directories. NULL when memory is exhausted. */
WASM_API_EXTERN own catnap_wasi_t *catnap_wasi_new(void);
/* Closes its descriptors except those of the host that were lent to it. */
WASM_API_EXTERN void catnap_wasi_delete(own catnap_wasi_t *);

/* Bytes without NUL; copied. Arguments start with the program's name. */
WASM_API_EXTERN own catnap_error_t *catnap_wasi_add_argument(catnap_wasi_t *, const char *argument);
/* A variable of the environment; both without NUL, copied. */
WASM_API_EXTERN own catnap_error_t *catnap_wasi_add_environment(catnap_wasi_t *, const char *name,
                                                                const char *value);

typedef enum catnap_wasi_dir_flags {
    CATNAP_WASI_DIR_READ_WRITE = 0,
    CATNAP_WASI_DIR_READ_ONLY = 1
} catnap_wasi_dir_flags_t;

/* Opens a directory of the host for the guest under guest_path. */
WASM_API_EXTERN own catnap_error_t *catnap_wasi_preopen_dir(catnap_wasi_t *, const char *host_path,
                                                            const char *guest_path,
                                                            catnap_wasi_dir_flags_t);
/* Gives a listening or connected socket of the host to the guest; the descriptor is lent. The guest's
 * descriptor begins with NONBLOCK when the host's has O_NONBLOCK now. */
WASM_API_EXTERN own catnap_error_t *catnap_wasi_preopen_socket(catnap_wasi_t *, int host_fd);

/* Standard streams, `stream` being 0, 1 or 2. At first all are closed to the outside: input is at
 * its end, output is accepted and dropped. */
/* A descriptor of the host, lent. */
WASM_API_EXTERN own catnap_error_t *catnap_wasi_set_stdio_fd(catnap_wasi_t *, int stream,
                                                             int host_fd);
/* Standard input from bytes, copied. */
WASM_API_EXTERN own catnap_error_t *catnap_wasi_set_stdin_bytes(catnap_wasi_t *, const void *bytes,
                                                                size_t length);
/* Standard input by callback: returns bytes read, 0 at the end, or a negative errno of the host. The
 * bytes are the guest's memory, here and for output, which a rollback of the store may take away. */
WASM_API_EXTERN own catnap_error_t *
catnap_wasi_set_stdin_callback(catnap_wasi_t *,
                               int64_t (*read)(void *env, void *bytes, size_t size), void *env);
/* Output by callback: returns bytes taken or a negative errno of the host. */
WASM_API_EXTERN own catnap_error_t *
catnap_wasi_set_output_callback(catnap_wasi_t *, int stream,
                                int64_t (*write)(void *env, const void *bytes, size_t size),
                                void *env);
/* Output into a buffer that grows up to `limit` bytes (more is ENOSPC for the guest). */
WASM_API_EXTERN own catnap_error_t *catnap_wasi_set_output_buffer(catnap_wasi_t *, int stream,
                                                                  size_t limit);
/* The contents of that buffer, borrowed until the guest runs again; NULL and 0 when there is none. */
WASM_API_EXTERN const uint8_t *catnap_wasi_output(const catnap_wasi_t *, int stream,
                                                  size_t *length);

/* The parts of a guest that are not in a snapshot: arguments, environment, the names of pre-opened
 * directories, and the descriptor table, as bytes (own). */
WASM_API_EXTERN own catnap_error_t *catnap_wasi_save(const catnap_wasi_t *,
                                                     own wasm_byte_vec_t *out);
/* Calls back with each directory that a saved state had, in order: its path on the host where it was
 * saved, and the guest's name of it. The bytes are not trusted, and nothing is opened. */
WASM_API_EXTERN own catnap_error_t *
catnap_wasi_saved_dirs(const void *bytes, size_t length,
                       void (*dir)(void *env, const char *host_path, const char *guest_path,
                                   catnap_wasi_dir_flags_t flags),
                       void *env);
/* Makes a new state, of which standard streams and directories may be configured, what a saved one
 * was. The bytes are not trusted with directories: all that the saved state had must have been given by
 * catnap_wasi_preopen_dir(), in any order and wherever they are now, under the guest's names that they
 * had, and no others (CATNAP_LINK). A directory that was read-only, or is given read-only, is
 * read-only. Files are opened again below them, at their offsets. A file that cannot be reopened is closed,
 * and `lost` (may be NULL) is called with its number and path. After a failure, delete the state. */
WASM_API_EXTERN own catnap_error_t *
catnap_wasi_restore(catnap_wasi_t *, const void *bytes, size_t length,
                    void (*lost)(void *env, uint32_t number, const char *path), void *env);

/* Remembers what the state is now, for catnap_wasi_rollback(), in place of what was remembered
 * before. Contents of files and of output buffers are not remembered. On failure nothing changes. */
WASM_API_EXTERN own catnap_error_t *catnap_wasi_checkpoint(catnap_wasi_t *);
/* Makes the state what it was then, as often as wanted, while no call of the guest is under way:
 * arguments, environment, standard streams, pre-opened directories and the descriptor table, with
 * offsets in files and in input bytes. Descriptors opened since are closed, and those closed since are
 * there again. Output buffers are empty. Host descriptors that were lent are not touched. Needs no
 * memory; CATNAP_IO when the system refuses, CATNAP_MISUSE without a checkpoint. */
WASM_API_EXTERN own catnap_error_t *catnap_wasi_rollback(catnap_wasi_t *);

/* Defines all of wasi_snapshot_preview1, and of the older wasi_unstable with its own layouts. */
WASM_API_EXTERN own catnap_error_t *catnap_linker_define_wasi(catnap_linker_t *, catnap_wasi_t *);

/* ---- Threads of WASI programs (wasi-threads) ---- */

typedef struct catnap_wasi_threads {
    /* At once, besides the first one; one more is an error that the guest gets. [16] */
    uint32_t max_threads;
    /* Defines what else the module imports, for the linker of a new thread's store. Called in the thread that starts
     * it; NULL: nothing. The error, if any, is own, and the guest gets one. */
    own catnap_error_t *(*define)(void *env, catnap_linker_t *linker);
    void *env;
} catnap_wasi_threads_t;

/* Lets a program start threads: defines `thread-spawn` of module `wasi`, and a memory for each shared memory that
 * `module` imports and the linker does not define. A thread has a store of its own (catnap_store_new_beside()), with an
 * instance of the caller's module over the caller's shared memories, and calls its export `wasi_thread_start`. The WASI
 * state is the same for all; callbacks of its streams may be called by several threads at once. A trap in a thread, or
 * proc_exit, stops all others and the call of the host that started some last: catnap_wasi_end_threads() then has it.
 *
 * Options may be NULL. One store at a time has threads with a state: a guest of another that starts one meanwhile gets an
 * error. CATNAP_MISUSE when the engine's code cannot be interrupted. Needs the WASI definitions themselves as well
 * (catnap_linker_define_wasi()). */
WASM_API_EXTERN own catnap_error_t *
catnap_linker_define_wasi_threads(catnap_linker_t *, catnap_wasi_t *, const wasm_module_t *module,
                                  const catnap_wasi_threads_t *options);
/* To be called after each call of the program by the host, with the trap that it ended with, or NULL: stops all
 * threads, waits until they have ended, and returns the trap that the program as a whole ended with: of the thread that
 * trapped or exited first, or the one that was given. Ownership passes through. A returned trap of a thread keeps that
 * thread's store alive. The program's store may be deleted, and its state saved, only then. */
WASM_API_EXTERN own wasm_trap_t *catnap_wasi_end_threads(catnap_wasi_t *, own wasm_trap_t *);

/* ---- Checkpoints ------------------------------------------------------------------------------- */

/* A checkpoint remembers what all instances of a store are: linear memories, tables, globals,
 * dropped segments, sizes, garbage-collected objects, and the fuel. It costs in proportion to the pages that were written since
 * the latest checkpoint or rollback, not to the size of memory; the first one of a store copies
 * what is not zero. docs/explanation/snapshots.md says more. */

/* How written pages are found. */
typedef enum catnap_tracking {
    CATNAP_TRACKING_AUTO = 0,          /* the best that works on this machine */
    CATNAP_TRACKING_WRITE_PROTECT = 1, /* Linux 6.7: userfaultfd and PAGEMAP_SCAN */
    CATNAP_TRACKING_COPY_ON_WRITE = 2, /* Linux: private mappings and /proc/self/pagemap */
    CATNAP_TRACKING_COMPARE = 3        /* everywhere: all of memory is compared with a copy */
} catnap_tracking_t;

/* A way that the machine does not offer makes checkpoints fail with CATNAP_IO. */
WASM_API_EXTERN void catnap_config_set_tracking(wasm_config_t *, catnap_tracking_t);

/* Makes a checkpoint above those that there are and tells its level, 1 for the first; level may be
 * NULL. They nest to any depth. */
WASM_API_EXTERN own catnap_error_t *catnap_store_checkpoint(wasm_store_t *, uint32_t *level);
/* Makes the store what it was at that checkpoint, which stays; those above it are gone. Memories and
 * tables that grew shrink again, fuel included everything is as it was. Handles, host functions and
 * translated code stay valid. Instances made since are left as they are; nothing older refers to
 * them any more. Also from a host function: calls under way go on, in the memories of then. Stopped
 * runs and the state of WASI are not part of it. On failure nothing has changed.
 *
 * In a store with garbage-collected objects: references to these that the host got since are null references from
 * then on. CATNAP_MISUSE: a call is under way or a run is stopped, or something that was made since refers to such an
 * object, namely an instance, global, table or exception that would still be reachable. */
WASM_API_EXTERN own catnap_error_t *catnap_store_rollback(wasm_store_t *, uint32_t level);
/* Forgets that checkpoint and those above it; the present state stays. Level 0: all, and also the
 * copies of memory that make the next checkpoint cheap. */
WASM_API_EXTERN own catnap_error_t *catnap_store_release(wasm_store_t *, uint32_t level);
/* How many there are. */
WASM_API_EXTERN uint32_t catnap_store_checkpoints(const wasm_store_t *);

/* ---- Pools of persistent instances ------------------------------------------------------------- */

/* Instances of one module that are kept and used again, by any number of threads. A slot is a store
 * with an instance in it and a checkpoint of what both were when they were ready; resetting a slot
 * is a rollback to that. From acquiring it to releasing it, a slot and all that lives in its store
 * belong to one thread. docs/how-to/executor.md has settings for usual cases. */
typedef struct catnap_pool_t catnap_pool_t;
typedef struct catnap_pool_slot_t catnap_pool_slot_t;

typedef struct catnap_pool_options {
    uint32_t min_slots; /* made when the pool is [0] */
    /* At least 1. Each takes two of the mappings that a process may have, or a few more; a slot that would
     * leave too few to the host is CATNAP_LIMIT. [64] */
    uint32_t max_slots;
    /* Of all slots together: sizes of linear memories, tables (8 bytes an element), and what the
     * checkpoints that slots are reset to hold of memories once more, where it is the same in all
     * slots once for all. Growth beyond it is refused to the guest as beyond a limit. [UINT64_MAX] */
    uint64_t memory_bytes;
    catnap_limits_t limits; /* of each slot's store [catnap_limits_default()] */

    /* When a slot that is released is reset; else it keeps its state for its tenant. */
    uint64_t reset_calls;        /* after so many calls since the last time; 1: whenever it is
                                  * released; 0: this is no reason [1] */
    uint64_t reset_memory_bytes; /* when memories and tables have grown beyond it [UINT64_MAX] */
    bool reset_on_trap;          /* after a trap of any code, an exit or fuel that ended among
                                  * them, or a run that was dropped half-way [true] */
    /* When it is given up instead, and another made in its place when one is needed. */
    uint64_t retire_calls;        /* after so many calls in all; 0: this is no reason [0] */
    uint64_t retire_memory_bytes; /* when memories and tables have grown beyond it [UINT64_MAX] */

    /* Exported functions, for catnap_pool_slot_function(). Names are NUL-terminated and copied. */
    const char *const *functions;
    size_t function_count;

    /* Each slot has a WASI state, which its linker defines; it goes back with a reset. */
    bool wasi;
    /* Three functions that make slots what they are, each may be NULL. They are called by the thread
     * that needs the slot, several at a time for different slots, and must leave the pool alone.
     *
     * Defines what the module imports in the linker of a new slot, and configures its WASI state; may
     * instantiate other modules there. */
    own catnap_error_t *(*link)(void *env, catnap_pool_slot_t *, catnap_linker_t *);
    /* Makes the new instance, whose start function has run, ready: calls an initialisation export,
     * sets fuel, takes handles that the slot is to keep. The state of the store after it is what a reset brings
     * back. */
    own catnap_error_t *(*prepare)(void *env, catnap_pool_slot_t *);
    /* The slot is about to go, or could not be made: drops the handles that `prepare` took, and what
     * catnap_pool_slot_data() points at. Called once for each slot that was given to `link`, or would
     * have been. */
    void (*dispose)(void *env, catnap_pool_slot_t *);
    void *env;
} catnap_pool_options_t;

/* Fills in the defaults in brackets. */
WASM_API_EXTERN void catnap_pool_options_default(catnap_pool_options_t *options);
/* The module may be any store's of the engine and may go afterwards. options may be NULL. NULL and *error
 * when an export that is named is no function, or a slot cannot be made. */
WASM_API_EXTERN own catnap_pool_t *catnap_pool_new(const wasm_module_t *,
                                                   const catnap_pool_options_t *options,
                                                   catnap_error_t **error);
/* Slots that are out stay usable, and go when they are released; threads that wait get an error. */
WASM_API_EXTERN void catnap_pool_delete(own catnap_pool_t *);

/* Takes a slot for a tenant, a number of the embedder's own: the one that has kept the tenant's state
 * last, else one that is as new, else a further one, else another tenant's, which is reset first. One
 * tenant never finds what another left. When all are out, waits for timeout_ns nanoseconds (0: not
 * at all; UINT64_MAX: for as long as it takes), in the order of arrival, and then fails with
 * CATNAP_BUSY. Exhausted memory and other failures to make a slot are errors of this call alone:
 * the next one tries again. Any thread. NULL and *error on failure. */
WASM_API_EXTERN own catnap_pool_slot_t *
catnap_pool_acquire(catnap_pool_t *, uint64_t tenant, uint64_t timeout_ns, catnap_error_t **error);
/* Gives a slot back; it is reset or given up if the pool's options say so. Handles on anything in its
 * store (functions, memories, traps, runs, linkers) must be gone, those of `prepare` aside: else
 * the slot is given up, and they can only be deleted. Objects that were made meanwhile and that
 * nothing reaches any more are freed by a reset. CATNAP_MISUSE when a call in its store is under way,
 * or it was released before: then nothing happens. No other failure is the caller's. */
WASM_API_EXTERN own catnap_error_t *catnap_pool_release(own catnap_pool_slot_t *);
/* Gives a slot up in any case. Fails as catnap_pool_release(). */
WASM_API_EXTERN own catnap_error_t *catnap_pool_discard(own catnap_pool_slot_t *);

/* Makes slots until there are so many, in use or not, or no more are allowed. Any thread. */
WASM_API_EXTERN own catnap_error_t *catnap_pool_warm(catnap_pool_t *, uint32_t slots);
/* Gives up slots that are not in use until so many are left, those as new first. Any thread. */
WASM_API_EXTERN void catnap_pool_trim(catnap_pool_t *, uint32_t slots);

/* The parts of a slot; all borrowed, for the thread that acquired it. The store must not be
 * deleted; further checkpoints may be made in it, and end with a reset. NULL while there is none. */
WASM_API_EXTERN wasm_store_t *catnap_pool_slot_store(const catnap_pool_slot_t *);
WASM_API_EXTERN const wasm_instance_t *catnap_pool_slot_instance(const catnap_pool_slot_t *);
/* By its place in the options' list; NULL past the end. */
WASM_API_EXTERN const wasm_func_t *catnap_pool_slot_function(const catnap_pool_slot_t *,
                                                             size_t index);
/* NULL without the option. Configuration after acquiring, such as arguments and streams, lasts
 * until the next reset. */
WASM_API_EXTERN catnap_wasi_t *catnap_pool_slot_wasi(const catnap_pool_slot_t *);
/* For whom it was acquired. */
WASM_API_EXTERN uint64_t catnap_pool_slot_tenant(const catnap_pool_slot_t *);
/* A pointer of the embedder's own; NULL at first. It stays when the slot is reset. */
WASM_API_EXTERN void catnap_pool_slot_set_data(catnap_pool_slot_t *, void *data);
WASM_API_EXTERN void *catnap_pool_slot_data(const catnap_pool_slot_t *);
/* Resets a slot that is in use. After a failure (CATNAP_IO) it can only be released, which gives it
 * up. CATNAP_MISUSE while a call in its store is under way. */
WASM_API_EXTERN own catnap_error_t *catnap_pool_slot_reset(catnap_pool_slot_t *);

typedef struct catnap_pool_stats {
    uint32_t slots, busy, waiting; /* now */
    uint64_t acquired;             /* so far, as all that follows but the bytes */
    uint64_t waits;                /* acquisitions that had to, whether or not they got one */
    uint64_t timeouts;
    uint64_t instantiations; /* slots made */
    uint64_t failures;       /* slots that could not be made */
    /* Resets by reason: */
    uint64_t reset_calls, reset_trap, reset_memory, reset_tenant, reset_asked;
    /* Slots given up by reason: */
    uint64_t retired_calls, retired_memory;
    uint64_t retired_left_over; /* something of the tenant's was left in the store */
    uint64_t retired_failed;    /* the system refused a reset */
    uint64_t retired_asked;     /* catnap_pool_discard(), catnap_pool_trim() */
    /* The bytes counted against memory_bytes, now and at most. */
    uint64_t memory_bytes, memory_peak_bytes;
} catnap_pool_stats_t;

/* Any thread. */
WASM_API_EXTERN void catnap_pool_stats(catnap_pool_t *, catnap_pool_stats_t *out);

/* ---- Snapshots --------------------------------------------------------------------------------- */

/* All instances of a store as data: in memory, to make copies of them, or in a file. Immutable, and
 * shared between threads and stores of its engine. docs/explanation/snapshots.md has the format. */
typedef struct catnap_snapshot_t catnap_snapshot_t;

typedef struct catnap_snapshot_options {
    /* A stopped run that is to go on from here, or NULL; its call stack becomes part. */
    catnap_run_t *run;
    /* Bytes of the embedder's own, kept with it: copied. */
    const void *data;
    size_t data_length;
    /* Names what the instances refer to and only the host knows: references of the host, and its
     * functions unless they are imported, whose imports name them. Writes at most `size` bytes and
     * returns how many, 0 for what it does not know, which makes the snapshot fail. NULL: knows
     * nothing. */
    size_t (*name)(void *env, const wasm_ref_t *, char *text, size_t size);
    void *env;
} catnap_snapshot_options_t;

typedef struct catnap_save_options {
    bool with_modules; /* put the modules' binaries in too */
    int compression;   /* 0: none; else a level of zstd, CATNAP_UNSUPPORTED when built without */
    /* A snapshot that the reader will have too, or NULL: pages equal to its pages are left out. */
    const catnap_snapshot_t *base;
} catnap_save_options_t;

/* Captures what the store's instances are now, those that can be reached; options may be NULL.
 * Nothing may be running. NULL and *error on failure. */
WASM_API_EXTERN own catnap_snapshot_t *
catnap_snapshot_take(wasm_store_t *, const catnap_snapshot_options_t *, catnap_error_t **error);
/* Instances made from it live on. */
WASM_API_EXTERN void catnap_snapshot_delete(own catnap_snapshot_t *);
/* Writes it to a file: when this returns NULL the file is complete and on the disk, and until then
 * whatever was there before is. options may be NULL. */
WASM_API_EXTERN own catnap_error_t *
catnap_snapshot_save(const catnap_snapshot_t *, const char *path, const catnap_save_options_t *);
/* The same straight from the store, without a copy of its memories. */
WASM_API_EXTERN own catnap_error_t *catnap_store_save(wasm_store_t *, const char *path,
                                                      const catnap_snapshot_options_t *,
                                                      const catnap_save_options_t *);
/* Writes it to bytes; *out is empty on failure. */
WASM_API_EXTERN own catnap_error_t *catnap_snapshot_write(const catnap_snapshot_t *,
                                                          const catnap_save_options_t *,
                                                          own wasm_byte_vec_t *out);

typedef struct catnap_open_options {
    const catnap_snapshot_t *base; /* for a delta; or NULL */
    /* Trust the file: only its structure is checked and copied. Contents of memories and of the heap,
     * and modules, are mapped from the file, so that waking touches nothing but what is used: the file
     * must not be written to or truncated while the snapshot or its instances live. That would change
     * memories, or end the process by SIGBUS; behaviour is undefined when modules or objects of the heap
     * change after they were checked. For files that neither a guest nor a stranger can write to. Else
     * all checksums are compared. A compressed file is copied all the same. */
    bool trust_pages;
} catnap_open_options_t;

/* Opens a file, copying it into memory unless pages are trusted: what becomes of the file later does
 * not matter, and a change meanwhile is an error. Damage is CATNAP_MALFORMED, naming what is wrong; a
 * delta without its base is CATNAP_LINK. options may be NULL. NULL and *error on failure. */
WASM_API_EXTERN own catnap_snapshot_t *catnap_snapshot_open(wasm_engine_t *, const char *path,
                                                            const catnap_open_options_t *,
                                                            catnap_error_t **error);
/* The same from bytes, which are copied. */
WASM_API_EXTERN own catnap_snapshot_t *catnap_snapshot_read(wasm_engine_t *, const uint8_t *bytes,
                                                            size_t length,
                                                            const catnap_open_options_t *,
                                                            catnap_error_t **error);

typedef struct catnap_restore_options {
    /* Gives what `name` named so (borrowed, of the linker's store), or NULL. */
    wasm_ref_t *(*resolve)(void *env, const char *name, size_t length);
    void *env;
    /* Modules that the snapshot may need and does not have with it. */
    const wasm_module_t *const *modules;
    size_t module_count;
} catnap_restore_options_t;

/* How many instances there are; they are numbered in the order in which they were made. */
WASM_API_EXTERN size_t catnap_snapshot_instance_count(const catnap_snapshot_t *);
/* Restores the instances in the linker's store, without running anything; functions that they import come
 * from the linker, by name. `instances` receives them (own, may be NULL), *run the suspended run (own,
 * NULL when there is none; run may be NULL); the store receives the fuel when fuel is on. The
 * engine must have fuel and interruption as the snapshot's when a run is suspended. Limits of the
 * store hold. On failure nothing has changed. */
WASM_API_EXTERN own catnap_error_t *catnap_snapshot_restore(const catnap_snapshot_t *,
                                                            catnap_linker_t *,
                                                            const catnap_restore_options_t *,
                                                            own wasm_instance_t **instances,
                                                            own catnap_run_t **run);

typedef struct catnap_snapshot_info {
    uint64_t modules, instances, memories, tables;
    uint64_t memory_bytes; /* sizes of the memories and of the heap */
    uint64_t page_bytes;   /* of those, kept: not zero, and not the base's */
    uint64_t frames;       /* of a suspended run */
    uint64_t fuel;         /* of the store; a suspended run may have taken some ahead */
    bool fuel_enabled, interruptible, has_modules, is_delta;
    uint64_t identity[2], base_identity[2];
} catnap_snapshot_info_t;
/* Sizes and settings of a snapshot. */
WASM_API_EXTERN void catnap_snapshot_info(const catnap_snapshot_t *, catnap_snapshot_info_t *out);
typedef struct catnap_snapshot_module {
    uint64_t hash[2]; /* XXH3-128 of the binary, high half first */
    uint64_t length;
    const char *name; /* not NUL-terminated; may be NULL */
    size_t name_length;
    const uint8_t *bytes; /* when the snapshot has it with it */
} catnap_snapshot_module_t;
/* Module `index`; what it points at lives as long as the snapshot. False, and zeroes, past the
 * last. */
WASM_API_EXTERN bool catnap_snapshot_module(const catnap_snapshot_t *, size_t index,
                                            catnap_snapshot_module_t *out);
/* The embedder's bytes; borrowed. NULL and 0 when there are none. */
WASM_API_EXTERN const void *catnap_snapshot_data(const catnap_snapshot_t *, size_t *length);
/* Calls back with each range of memory in which two snapshots differ. The heap of garbage-collected objects counts as two
 * more memories behind the others: its region, and the bits that say where objects begin. */
WASM_API_EXTERN void catnap_snapshot_diff(const catnap_snapshot_t *, const catnap_snapshot_t *,
                                          void (*found)(void *env, size_t memory, uint64_t offset,
                                                        uint64_t length),
                                          void *env);

/* ---- Modules from instances -------------------------------------------------------------------- */

/* A change to one export of the instance's module. */
typedef struct catnap_export_change {
    const char *name;
    /* Its new name, under which nothing else is exported any more; NULL: it is left out. */
    const char *new_name;
} catnap_export_change_t;

typedef struct catnap_to_module_options {
    const catnap_export_change_t *changes; /* each export at most once; others stay */
    size_t change_count;
} catnap_to_module_options_t;

/* Writes a module that begins where the instance is: its memories, tables, globals and dropped
 * segments are those of the new module, for any engine, and it has no start function. Functions keep
 * their indices and imports stay imports. The same state gives the same bytes. options may be NULL;
 * *out is empty on failure.
 * CATNAP_UNSUPPORTED, naming it, when something is not the instance's own: an imported memory, table
 * or mutable global; in a table or global a reference that is neither null nor a function of the
 * instance nor one of its imports. Other objects outside the instance are not included: other instances,
 * the state of WASI, stopped runs. Nothing may be running in the store. docs/explanation/snapshots.md
 * says more. */
WASM_API_EXTERN own catnap_error_t *catnap_instance_to_module(const wasm_instance_t *,
                                                              const catnap_to_module_options_t *,
                                                              own wasm_byte_vec_t *out);

/* ---- Lifetimes --------------------------------------------------------------------------------- */

/* An object of a store lives for as long as something can reach it:
 *
 *  - a handle of the embedder: on the object, on what leads to it, in a linker, a pre-linked module or a
 *    run. An instance leads to all it imports and defines, its functions and globals lead to the
 *    instance, tables and globals to what is in them, and a trap to the instances of its backtrace;
 *  - a call under way or a stopped run: its frames, arguments, locals and operands;
 *  - a checkpoint: all instances, memories, tables and globals that there were, with what was in them.
 *
 * Other references to it do not count, and objects that refer to each other alone go together. A number
 * on a value stack that looks like an object's address keeps that object until the call has ended.
 * References known only to the embedder are not seen: a handle that the environment of a host function
 * has on an instance which imports that function keeps both until the handle or the store is deleted.
 *
 * Unreachable objects are freed now and then: when something is made, or the last handle on
 * something is deleted, and there is as much again as the last time (in objects, bytes or address space);
 * always before a limit of the store, memory or address space refuses something; before a checkpoint, for
 * a snapshot, and by catnap_store_collect(). A guest's memory.grow and table.grow, and a checkpoint, do
 * without when nothing was made and no handle deleted since the last time: what a guest alone let go, by
 * overwriting the only reference to it, is found by the next collection. Finalizers run then. They may make
 * and delete objects, call functions and delete the store. All that is left goes with the store.
 *
 * Callbacks of any kind, the allocator's and finalizers among them, are called without a lock of the
 * library's. */

/* Frees now what nothing can reach, garbage-collected objects among it, and gives unused memory of their heap back to
 * the system. */
WASM_API_EXTERN void catnap_store_collect(wasm_store_t *);

/* ---- Statistics -------------------------------------------------------------------------------- */

typedef struct catnap_store_stats {
    uint64_t instances; /* with those that nothing reaches and that are not freed yet, as below */
    uint64_t memory_bytes; /* linear memories, current sizes */
    uint64_t table_elements;
    uint64_t host_objects;      /* live functions, globals, foreign objects ... made by the host */
    uint64_t value_stack_bytes; /* reserved for value stacks */
    uint64_t calls;             /* outermost calls so far */
} catnap_store_stats_t;

/* Counts of a store as of now. */
WASM_API_EXTERN void catnap_store_stats(const wasm_store_t *, catnap_store_stats_t *out);

/* The heap of garbage-collected objects. The collector marks in increments while the guest runs; each of
 * these is a pause, and so is a full collection: catnap_store_collect(), or one for lack of room. */
#define CATNAP_HEAP_PAUSES 24
typedef struct catnap_heap_stats {
    uint64_t heap_bytes, heap_peak_bytes; /* committed now, and at most so far */
    uint64_t live_bytes;                  /* of objects that the last collection found in use */
    uint64_t allocated_bytes;             /* of all objects made so far */
    uint64_t collections;                 /* that came to their end */
    uint64_t full_collections;
    uint64_t increments;
    uint64_t increments_ns, longest_increment_ns;
    uint64_t full_ns, longest_full_ns; /* of full collections */
    /* Increments that took at least 2^i units of 1/256 microsecond, and less than 2^(i+1). */
    uint64_t pauses[CATNAP_HEAP_PAUSES];
} catnap_heap_stats_t;

/* Figures of a store's heap as of now; zeroes when it has none. */
WASM_API_EXTERN void catnap_store_heap_stats(const wasm_store_t *, catnap_heap_stats_t *out);

/* Calls back with the number of executions of each bytecode instruction (previous is NULL) and of
 * each adjacent pair, those above zero in no particular order. The names have static storage. */
WASM_API_EXTERN void catnap_store_profile_ops(const wasm_store_t *,
                                              void (*row)(void *env, const char *previous,
                                                          const char *name, uint64_t count),
                                              void *env);

/* Bytes that the engine holds through its allocator now, and at most so far. */
WASM_API_EXTERN void catnap_engine_memory(const wasm_engine_t *, uint64_t *now, uint64_t *peak);

#ifdef __cplusplus
}
#endif

#ifdef CATNAP_OWN_IS_OURS
#undef own
#undef CATNAP_OWN_IS_OURS
#endif

#endif
