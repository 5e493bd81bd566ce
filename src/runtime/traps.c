/* Making traps, also when there is no memory for one. */
#include "runtime/trap.h"
#include "runtime/instance.h"
#include "runtime/store.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
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
        [CATNAP_TRAP_EXCEPTION] = "uncaught exception",
        [CATNAP_TRAP_ARRAY_OUT_OF_BOUNDS] = "out of bounds array access",
        [CATNAP_TRAP_CAST_FAILURE] = "cast failure",
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

/* ---- Exceptions ---- */

#define LONGEST_TAG 100

/* Appends to a text of `size` bytes of which *length are used. */
static void __attribute__((format(printf, 4, 5))) append(char *text, size_t size, size_t *length,
                                                         const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(text + *length, size - *length, format, arguments);
    va_end(arguments);
    if (more > 0)
        *length = *length + (size_t)more < size ? *length + (size_t)more : size - 1;
}

static void append_name(char *text, size_t size, size_t *length, const struct module *module,
                        struct span name) {
    append(text, size, length, " \"%.*s\"",
           name.length < LONGEST_TAG ? (int)name.length : LONGEST_TAG,
           (const char *)module->bytes + name.offset);
}

/* By its import or its export in the instance's module, else by its index. */
static void append_tag(char *text, size_t size, size_t *length, const struct catnap_tag_t *tag,
                       const wasm_instance_t *instance) {
    const struct module *module = instance ? instance->module : NULL;
    uint32_t count = module ? module->tag_count : 0, index = 0;
    while (index < count && instance->tags[index] != tag)
        index++;
    if (index == count)
        return;
    for (uint32_t i = 0; i < module->import_count; i++)
        if (module->imports[i].kind == EXTERN_TAG && module->imports[i].index == index) {
            append_name(text, size, length, module, module->imports[i].module);
            append_name(text, size, length, module, module->imports[i].name);
            return;
        }
    for (uint32_t i = 0; i < module->export_count; i++)
        if (module->exports[i].kind == EXTERN_TAG && module->exports[i].index == index) {
            append_name(text, size, length, module, module->exports[i].name);
            return;
        }
    append(text, size, length, " %" PRIu32, index);
}

static void append_value(char *text, size_t size, size_t *length, valtype type,
                         const uint64_t cell[2]) {
    float single;
    double number;
    uint32_t half = (uint32_t)cell[0];
    memcpy(&single, &half, sizeof single);
    memcpy(&number, cell, sizeof number);
    switch (type) {
    case VT_I32:
        append(text, size, length, "i32 %" PRId32, (int32_t)half);
        break;
    case VT_I64:
        append(text, size, length, "i64 %" PRId64, (int64_t)cell[0]);
        break;
    case VT_F32:
        append(text, size, length, "f32 %.9g", (double)single);
        break;
    case VT_F64:
        append(text, size, length, "f64 %.17g", number);
        break;
    case VT_V128:
        append(text, size, length, "v128 0x%016" PRIx64 "%016" PRIx64, cell[1], cell[0]);
        break;
    default:
        append(text, size, length, "%s", cell[0] ? cn_valtype_name(type) : "null");
        break;
    }
}

wasm_trap_t *cn_trap_new_exception(struct catnap_exception_t *exception,
                                   const wasm_instance_t *instance) {
    const struct catnap_tag_t *tag = exception->tag;
    char text[LONGEST_FORMATTED];
    size_t length = 0;
    append(text, sizeof text, &length, "%s: tag", cn_trap_text(CATNAP_TRAP_EXCEPTION));
    append_tag(text, sizeof text, &length, tag, instance);
    for (uint32_t i = 0; i < tag->type->param_count && length + 1 < sizeof text; i++) {
        append(text, sizeof text, &length, "%s", i ? ", " : " (");
        append_value(text, sizeof text, &length, ft_params(tag->type)[i],
                     &exception->cells[2 * (size_t)i]);
    }
    append(text, sizeof text, &length, "%s", tag->type->param_count ? ")" : "");
    wasm_trap_t *trap = cn_trap_new(tag->ref.store, CATNAP_TRAP_EXCEPTION, "%s", text);
    exception->ref.escaped = true;
    if (!trap->immortal)
        trap->exception = exception;
    return trap;
}

/* ---- Spare traps ---- */

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
