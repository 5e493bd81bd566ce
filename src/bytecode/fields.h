/*
 * The decoded description of a bytecode instruction: a list of its fields. The generator writes one for
 * each instruction; the disassembler and the verifier read them by cn_bytecode_fields().
 */
#ifndef CN_BYTECODE_FIELDS_H
#define CN_BYTECODE_FIELDS_H

#include <stdint.h>

enum field_kind {
    FIELD_END,      /* behind the last field of a list */
    FIELD_SLOT,     /* a slot of the frame, by its index from the frame pointer */
    FIELD_ACC,      /* the integer accumulator; takes no room in the instruction */
    FIELD_FACC,     /* the accumulator of floats and vectors; likewise */
    FIELD_P,        /* the pin p; likewise. Written together with its slot, FRAME_PIN_P */
    FIELD_Q,        /* the pin q and FRAME_PIN_Q */
    FIELD_CONSTANT, /* an operand, an offset, a lane, a count */
    FIELD_INDEX,    /* of a thing of the module; `slots` is an enum index_space */
    FIELD_BRANCH,   /* where a branch goes, in bytes from the instruction's first cell */
    FIELD_FRAME,    /* the callee's frame, in bytes from the frame pointer */
    FIELD_TABLE, /* w + 1 displacements from cell 2 (AT_X) or 3 (AT_Y) on, two to a cell, each in bytes
                     * from where it lies */
    FIELD_TYPE, /* the canonical id of a function type */
    FIELD_FUNC  /* twice a function's number and CALL_UNBOUND, or the address of its code */
};

/*
 * Where a field lies. An instruction is a run of cells of 8 bytes:
 *
 *     cell 0   the address of the handler
 *     cell 1   | o0 | o1 | o2 | o3 |   four signed 16-bit fields, or
 *              | o0 | o1 |    w    |   w, of 32 bits, in place of o2 and o3
 *     cell 2   x, of 64 bits, or its halves xlo and xhi
 *     cell 3   y, likewise
 */
enum field_at {
    AT_NOWHERE,
    AT_O0,
    AT_O1,
    AT_O2,
    AT_O3,
    AT_W,
    AT_X,
    AT_XLO,
    AT_XHI,
    AT_Y,
    AT_YLO,
    AT_YHI
};

enum field_flags {
    FIELD_READ = 1,
    FIELD_WRITTEN = 2,
    FIELD_HIDDEN = 4,  /* the text of the instruction leaves it out */
    FIELD_OPTIONAL = 8 /* a branch that control may also go on behind */
};

/* `slots` of a FIELD_SLOT is how many slots from this one on: 1, 2 for a v128, or one of these. */
enum { SLOTS_W = 254 /* as many as w says */, SLOTS_4_O3 = 255 /* four times o3 */ };

/* The things that a FIELD_INDEX counts. */
enum index_space {
    SPACE_FUNC,
    SPACE_IMPORT, /* imported functions */
    SPACE_GLOBAL,
    SPACE_MEMORY,
    SPACE_TABLE,
    SPACE_TAG,
    SPACE_DATA,
    SPACE_ELEM,
    SPACE_STRUCT, /* types, which must be of that kind */
    SPACE_ARRAY,
    SPACE_WIDTH /* no index: the binary logarithm of a width in bytes, perhaps with 256 added */
};

struct bytecode_field {
    uint8_t kind, at, slots, flags;
};

/* Facts about an instruction besides its fields: for the verifier. */
enum instruction_flags {
    INSTRUCTION_ENDS = 1, /* control does not go on behind it, nor to a target in the function */
    INSTRUCTION_RETURNS =
        2,                  /* what it writes are the results, from the first parameter's slot on */
    INSTRUCTION_BEGINS = 4, /* only the first instruction of a function may be one */
    INSTRUCTION_LOADS_PINS =
        8, /* the pins' slots get the values of o1 and o2, and the pins get these */
    INSTRUCTION_IN_ORDER =
        16, /* it writes the first of its destinations before it reads more sources */
    INSTRUCTION_GUARDED = 32,  /* accesses memory without a check: beyond it must be guard pages */
    INSTRUCTION_CHECKED = 64,  /* accesses memory and checks the bounds itself */
    INSTRUCTION_OUTSIDE = 128, /* only the engine uses it, no function contains it */
    INSTRUCTION_TAIL =
        256, /* a tail call; after one that may be of a host function there is a return */
    INSTRUCTION_IN_PLACE = 512,  /* of which the arguments lie where the frame's parameters are */
    INSTRUCTION_NUMBERED = 1024, /* accesses memory o3 at offset x, and checks the bounds itself */
    INSTRUCTION_WIDE = 2048,     /* accesses memory 0 at an i64 address; others at an i32 address */
    INSTRUCTION_CAST = 4096      /* x is a type of enum cast_target */
};

#endif
