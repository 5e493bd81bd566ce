#include "trap_text.h"

#include <string.h>

static const struct {
    const char *text;
    catnap_trap_code_t code;
} trap_texts[] = {
    {"unreachable", CATNAP_TRAP_UNREACHABLE},
    {"out of bounds memory access", CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS},
    {"out of bounds table access", CATNAP_TRAP_TABLE_OUT_OF_BOUNDS},
    {"undefined element", CATNAP_TRAP_UNDEFINED_ELEMENT},
    {"uninitialized element", CATNAP_TRAP_UNINITIALIZED_ELEMENT},
    {"indirect call type mismatch", CATNAP_TRAP_INDIRECT_CALL_TYPE_MISMATCH},
    {"integer overflow", CATNAP_TRAP_INTEGER_OVERFLOW},
    {"integer divide by zero", CATNAP_TRAP_INTEGER_DIVIDE_BY_ZERO},
    {"invalid conversion to integer", CATNAP_TRAP_INVALID_CONVERSION_TO_INTEGER},
    {"call stack exhausted", CATNAP_TRAP_STACK_OVERFLOW},
    {"unaligned atomic", CATNAP_TRAP_UNALIGNED_ATOMIC},
    {"expected shared memory", CATNAP_TRAP_EXPECTED_SHARED_MEMORY},
    {"null reference", CATNAP_TRAP_NULL_REFERENCE},
    {"null function reference", CATNAP_TRAP_NULL_REFERENCE},
    {"null i31 reference", CATNAP_TRAP_NULL_REFERENCE},
    {"null structure reference", CATNAP_TRAP_NULL_REFERENCE},
    {"null array reference", CATNAP_TRAP_NULL_REFERENCE},
    {"out of bounds array access", CATNAP_TRAP_ARRAY_OUT_OF_BOUNDS},
    {"cast failure", CATNAP_TRAP_CAST_FAILURE},
    /* The 1.0 suite's words. */
    {"undefined", CATNAP_TRAP_UNDEFINED_ELEMENT},
    {"uninitialized", CATNAP_TRAP_UNINITIALIZED_ELEMENT},
    {"indirect call", CATNAP_TRAP_INDIRECT_CALL_TYPE_MISMATCH},
    /* Link errors of the 1.0 suite that are traps since 2.0; changed.c names them. */
    {"data segment does not fit", CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS},
    {"elements segment does not fit", CATNAP_TRAP_TABLE_OUT_OF_BOUNDS},
};

/* Some texts end in the number of a table's element: "uninitialized element 2". */
static size_t length_without_number(spec_text_t text) {
    size_t length = text.size;
    while (length > 0 && text.data[length - 1] >= '0' && text.data[length - 1] <= '9') {
        length--;
    }
    return length > 0 && length < text.size && text.data[length - 1] == ' ' ? length - 1
                                                                            : text.size;
}

bool spec_trap_is(spec_text_t text, catnap_trap_code_t code) {
    if (text.data && text.size == 0) {
        return true; /* the beginning of every message */
    }
    size_t length = length_without_number(text);
    for (size_t i = 0; i < sizeof trap_texts / sizeof *trap_texts; i++) {
        if (strlen(trap_texts[i].text) == length &&
            memcmp(trap_texts[i].text, text.data, length) == 0) {
            return trap_texts[i].code == code;
        }
    }
    return false;
}
