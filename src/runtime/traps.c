/* Making traps, also when there is no memory for one. */
#include "runtime/trap.h"
#include "runtime/store.h"

#include <stdarg.h>
#include <string.h>

#define LONGEST_FORMATTED 400
_Static_assert(LONGEST_FORMATTED <= LONGEST_LINE, "cn_format_line() cuts what is longer");

const char *cn_trap_text(catnap_trap_code_t code) {
    static const char *const texts[] = {
        [CATNAP_TRAP_HOST] = "trap of the host",
        [CATNAP_TRAP_UNREACHABLE] = "unreachable",
        [CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS] = "out of bounds memory access",
        [CATNAP_TRAP_TABLE_OUT_OF_BOUNDS] = "out of bounds table access",
        [CATNAP_TRAP_UNDEFINED_ELEMENT] = "undefined element",
        [CATNAP_TRAP_UNINITIALIZED_ELEMENT] = "uninitialized element",
        [CATNAP_TRAP_INDIRECT_CALL_TYPE_MISMATCH] = "indirect call type mismatch",
        [CATNAP_TRAP_INTEGER_OVERFLOW] = "integer overflow",
        [CATNAP_TRAP_INTEGER_DIVIDE_BY_ZERO] = "integer divide by zero",
        [CATNAP_TRAP_INVALID_CONVERSION_TO_INTEGER] = "invalid conversion to integer",
        [CATNAP_TRAP_STACK_OVERFLOW] = "call stack exhausted",
        [CATNAP_TRAP_OUT_OF_FUEL] = "out of fuel",
        [CATNAP_TRAP_INTERRUPTED] = "interrupted",
        [CATNAP_TRAP_NO_MEMORY] = "memory is exhausted",
        [CATNAP_TRAP_LIMIT] = "limit exceeded",
        [CATNAP_TRAP_EXIT] = "exit",
        [CATNAP_TRAP_UNKNOWN_IMPORT] = "unknown import",
        [CATNAP_TRAP_NULL_REFERENCE] = "null reference",
        [CATNAP_TRAP_INVALID] = "invalid function body",
        [CATNAP_TRAP_UNALIGNED_ATOMIC] = "unaligned atomic",
        [CATNAP_TRAP_EXPECTED_SHARED_MEMORY] = "expected shared memory",
    };
    return (unsigned)code < sizeof texts / sizeof *texts ? texts[code] : "trap";
}

/* NULL when memory is exhausted. The text is copied. */
static wasm_trap_t *make(wasm_store_t *store, catnap_trap_code_t code, const char *text,
                         size_t length) {
    wasm_trap_t *trap = cn_calloc(store->alloc, 1, sizeof *trap);
    char *message = length < SIZE_MAX ? cn_alloc(store->alloc, length + 1) : NULL;
    if (!trap || !message) {
        cn_free(store->alloc, trap, sizeof *trap);
        cn_free(store->alloc, message, length + 1);
        return NULL;
    }
    if (length > 0)
        memcpy(message, text, length);
    message[length] = '\0';
    trap->code = code;
    trap->message = message;
    trap->message_length = length;
    return trap;
}

wasm_trap_t *cn_trap_new_text(wasm_store_t *store, catnap_trap_code_t code, const char *text,
                              size_t length) {
    wasm_trap_t *trap = make(store, code, text, length);
    if (trap)
        cn_object_init(&trap->ref, OBJECT_TRAP, store);
    else
        trap = store->spare_trap;
    cn_object_retain(&trap->ref);
    return trap;
}

wasm_trap_t *cn_trap_new(wasm_store_t *store, catnap_trap_code_t code, const char *format, ...) {
    char text[LONGEST_FORMATTED];
    va_list arguments;
    va_start(arguments, format);
    cn_format_line(text, sizeof text, format, arguments);
    va_end(arguments);
    return cn_trap_new_text(store, code, text, strlen(text));
}

wasm_trap_t *cn_trap_new_spare(wasm_store_t *store, catnap_trap_code_t code, const char *text) {
    wasm_trap_t *trap = make(store, code, text, strlen(text));
    if (!trap)
        return NULL;
    cn_object_init_part(&trap->ref, OBJECT_TRAP, store);
    trap->immortal = true;
    return trap;
}

/* The counts of a store's misuse trap are never touched, so this one can be constant. */
static const wasm_store_t nowhere;
static const wasm_trap_t null_argument = {
    .ref = {.kind = OBJECT_TRAP, .escaped = true, .store = (wasm_store_t *)(uintptr_t)&nowhere},
    .code = CATNAP_TRAP_HOST,
    .immortal = true,
    .message_length = sizeof "an argument is NULL" - 1,
    .message = (char *)(uintptr_t)"an argument is NULL",
};
static const wasm_store_t nowhere = {.misuse_trap = (wasm_trap_t *)(uintptr_t)&null_argument};

wasm_trap_t *cn_trap_null_argument(void) {
    return (wasm_trap_t *)(uintptr_t)&null_argument;
}
