/* Atomic memory instructions: each is one of the bytecode's, with the width of its access as a field. */
#include "translate/pass.h"

/* By opcode, behind its prefix. The width is that of the access, as a binary logarithm. */
struct atomic {
    uint16_t bytecode;
    uint8_t width;
};
#define ROW(opcode, bytecode_, width_) [OP_##opcode - OPCODE_FE] = {BC_##bytecode_, width_},
/* An access in its seven types. */
#define ACCESS(name, extended, bytecode)                                                           \
    ROW(i32_atomic_##name, bytecode, 2)                                                            \
    ROW(i64_atomic_##name, bytecode, 3)                                                            \
    ROW(i32_atomic_##name##8##extended, bytecode, 0)                                               \
    ROW(i32_atomic_##name##16##extended, bytecode, 1)                                              \
    ROW(i64_atomic_##name##8##extended, bytecode, 0)                                               \
    ROW(i64_atomic_##name##16##extended, bytecode, 1)                                              \
    ROW(i64_atomic_##name##32##extended, bytecode, 2)
#define UPDATE(name)                                                                               \
    ROW(i32_atomic_rmw_##name, atomic_##name, 2)                                                   \
    ROW(i64_atomic_rmw_##name, atomic_##name, 3)                                                   \
    ROW(i32_atomic_rmw8_##name##_u, atomic_##name, 0)                                              \
    ROW(i32_atomic_rmw16_##name##_u, atomic_##name, 1)                                             \
    ROW(i64_atomic_rmw8_##name##_u, atomic_##name, 0)                                              \
    ROW(i64_atomic_rmw16_##name##_u, atomic_##name, 1)                                             \
    ROW(i64_atomic_rmw32_##name##_u, atomic_##name, 2)
static const struct atomic atomics[OPCODE_FB - OPCODE_FE] = {
    ROW(memory_atomic_notify, atomic_notify, 2) ROW(memory_atomic_wait32, atomic_wait, 2)
        ROW(memory_atomic_wait64, atomic_wait, 3) ROW(atomic_fence, atomic_fence, 0)
            ACCESS(load, _u, atomic_load) ACCESS(store, , atomic_store) UPDATE(add) UPDATE(sub)
                UPDATE(and) UPDATE(or) UPDATE(xor) UPDATE(xchg) UPDATE(cmpxchg)};

static void translate_access(struct translator *t, const struct atomic *atomic,
                             const struct op_info *info) {
    struct value values[3];
    int32_t fields[4] = {0};
    bool has_result = info->result != OPT_NOTHING;
    uint64_t y = (uint64_t)atomic->width << 32;
    struct memarg memarg = cn_memarg_valid(&t->at);
    if (info->flags & OPF_WAITS)
        y |= (uint64_t)cn_stand_before(t, info->flags, info->operand_count) << 40;
    for (unsigned i = info->operand_count; i-- > 0;)
        values[i] = *cn_pop_value(t);
    for (unsigned i = 0; i < info->operand_count; i++)
        fields[i + 1] = cn_in_narrow_slot(t, &values[i], i);
    int32_t home = next_home(t);
    if (has_result)
        fields[0] = cn_to_begin(&t->emit, home, false);
    uint32_t cell = (uint32_t)t->emit.count;
    uint64_t *at = cn_emit_plain(t, (enum bytecode)atomic->bytecode, 4);
    at[1] = cn_fields(fields[0], fields[1], fields[2], fields[3]);
    at[2] = memarg.offset;
    at[3] = y | memarg.memory;
    if (!has_result)
        return;
    cn_produced(&t->emit, cell, home, DO_NONE, (struct operand_form){0});
    cn_to_end(&t->emit);
    cn_push_temp(t, (enum slot_kind)info->result);
}

bool cn_translate_atomic(struct translator *t, enum opcode opcode) {
    if (cn_prefix_of(opcode).first != OPCODE_FE)
        return false;
    const struct atomic *atomic = &atomics[opcode - OPCODE_FE];
    if (atomic->bytecode == BC_atomic_fence) {
        cn_skip_immediates(&t->at, opcode);
        cn_emit_plain(t, BC_atomic_fence, 1);
    } else {
        CN_ASSERT(atomic->bytecode != BC_NONE);
        translate_access(t, atomic, &cn_op_info[opcode]);
    }
    return true;
}
