/*
 * Fuses two operations into one instruction (bytecode/variants.def): when the instruction before produced an
 * operand, it is taken back and both are emitted as one. Each function here returns whether it did that; if
 * not, nothing was changed and the caller emits the second operation alone.
 */
#ifndef CN_TRANSLATE_FUSE_H
#define CN_TRANSLATE_FUSE_H

#include "translate/emit.h"

/* An operation of the latest value in `x` and another operand; x_right: the value is its right one. */
bool cn_fuse_bin(struct emitter *, enum operation, bool x_right, int32_t x, int32_t to,
                 struct operand other);
/* A load whose address, in `x`, is the latest value. */
bool cn_fuse_load(struct emitter *, enum operation, enum memory_access, int32_t x, int32_t to,
                  uint32_t offset);
/* A vector instruction on the latest value in `x` and, when it has two operands, the slot `other`;
 * vector: so is its result. */
bool cn_fuse_vector(struct emitter *, enum operation, int32_t x, int32_t other, int32_t to,
                    bool vector);
/* A branch by comparing a and b of which one is what e->before produced: in the accumulator, or in a
 * local that it stepped. *cell: the branch's. */
bool cn_fuse_branch(struct emitter *, enum operation branch, struct operand a, struct operand b,
                    uint32_t *cell);
/* global.set of the latest value in `x`, a slot plus a constant. */
bool cn_fuse_global_set(struct emitter *, int32_t x, uint32_t global);
/* br_table of the latest value in `x`, which was loaded, plus a constant: NULL when it is not so, else
 * the instruction, whose entries begin at its fourth cell. */
uint64_t *cn_fuse_table(struct emitter *, int32_t x, uint32_t addend, uint32_t entry_cells);
/* Appends an unconditional branch, together with the instruction before it when that is a move or an
 * addition, and returns its cell. */
uint32_t cn_emit_jump(struct emitter *);
/* The call that follows one or two copies into its arguments, which are so many slots from `first` on:
 * takes them back and appends both, but for the cells of the plain call. NULL when there are none. */
uint64_t *cn_fuse_call(struct emitter *, int32_t first, uint32_t count);

#endif
