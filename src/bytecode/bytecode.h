/*
 * The register bytecode: its instructions' numbers and descriptions, and the frames that they work on.
 *
 * enum operation and enum bytecode are generated, as are the tables behind these functions, from
 * operations.def and variants.def. An operation, such as DO_i32_add, stands for all instructions that do the
 * same with operands of different classes; lookup.h finds them. An instruction, such as BC_i32_add_s_sk, has
 * a handler in every build that has its number.
 */
#ifndef CN_BYTECODE_BYTECODE_H
#define CN_BYTECODE_BYTECODE_H

#include <stdint.h>

#include "bytecode/fields.h"
#include "generated/bytecode/opcodes.h"

/* Slots at the frame pointer that a call fills: see docs/architecture.md, frames. */
enum frame_header {
    FRAME_RETURN_PC, /* where the caller goes on; the exit or switch_back cell for calls across */
    FRAME_CALLER,    /* the caller's frame pointer, or the entry record of a call from the host */
    FRAME_CODE,      /* struct code of this frame */
    FRAME_INSTANCE,
    FRAME_DEPTH,  /* frames that may still be made above this one */
    FRAME_RESUME, /* while it calls another instance: where this frame goes on */
    FRAME_PIN_P,  /* the two locals that registers hold copies of: bytecode/variants.def */
    FRAME_PIN_Q,
    FRAME_HEADER_SLOTS
};
/* An entry record lies below the first frame's parameters. */
enum entry_record { ENTRY_PREVIOUS_PC, ENTRY_PREVIOUS_FP, ENTRY_RECORD_SLOTS };

/* Of an access that names its memory by number: any greater offset is out of all bounds, as this one is. */
#define MOST_OFFSET (UINT64_C(1) << 62)

/* The name of an instruction, and the list of its fields, which ends with FIELD_END: bytecode/fields.h. */
const char *cn_bytecode_name(enum bytecode);
const struct bytecode_field *cn_bytecode_fields(enum bytecode);
#ifdef CATNAP_ASSERT
unsigned cn_bytecode_flags(enum bytecode); /* enum instruction_flags */
#endif
/* The value of a field of the instruction at pc: a slot's index, a displacement, a constant; sign-extended
 * from 16 or 32 bits. */
int64_t cn_field_value(const uint64_t *pc, enum field_at);

/* Fields. */
static inline int16_t bc_o(const uint64_t *pc, unsigned field) {
    return (int16_t)(uint16_t)(pc[1] >> (16 * field));
}
static inline int32_t bc_w(const uint64_t *pc) { return (int32_t)(uint32_t)(pc[1] >> 32); }

#endif
