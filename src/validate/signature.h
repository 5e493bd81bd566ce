/* The operands and results of instructions on structures, arrays and casts (section 3.3.5), which follow from their
 * immediates. Bodies and constant expressions are checked by them. */
#ifndef CN_VALIDATE_SIGNATURE_H
#define CN_VALIDATE_SIGNATURE_H

#include "binary/instruction.h"
#include "binary/module.h"

#define SIGNATURE_TYPES 5u

struct gc_signature {
    uint32_t count;         /* of operands */
    const uint32_t *fields; /* NULL; or the operands are values of these fields */
    bool repeated;          /* all operands have the first type */
    valtype types[SIGNATURE_TYPES];
    valtype result;      /* VT_BOTTOM: none */
    bool keeps_non_null; /* the result is non-null if the operand is */
};

/* The type of operand i. */
static inline valtype cn_gc_operand(const struct gc_signature *s, uint32_t i) {
    CN_ASSERT(i < s->count);
    return s->fields ? field_value(s->fields[i]) : s->types[s->repeated ? 0 : i];
}

/* Whether an instruction has such a signature: else it is checked elsewhere. */
bool cn_has_gc_signature(uint32_t opcode);
/* False, with an error, when its immediates are not valid. */
bool cn_gc_signature(const struct module *, const struct instruction *, struct gc_signature *,
                     struct error *);

#endif
