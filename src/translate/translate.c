/* The pass over a function body: the loop over instructions, and the frame. */
#include "translate/translate.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "bytecode/form.h"
#include "bytecode/lookup.h"
#include "translate/pass.h"
#include "translate/pin.h"

/* ---- The loop ---- */

static bool translate_branch(struct translator *t, enum opcode opcode) {
    struct value index;
    switch (opcode) {
    case OP_br:
        cn_emit_branch_to(t, label(t, cn_u32_valid(&t->at)));
        return true;
    case OP_br_if:
        cn_translate_br_if(t, cn_u32_valid(&t->at));
        return true;
    case OP_br_on_null:
        cn_translate_br_on_null(t, cn_u32_valid(&t->at));
        return true;
    case OP_br_on_non_null:
        cn_translate_br_on_non_null(t, cn_u32_valid(&t->at));
        return true;
    case OP_br_table:
        index = *cn_pop_value(t);
        cn_translate_br_table(t, &index, 0);
        return true;
    case OP_return_:
        cn_emit_return(t);
        return true;
    case OP_throw_:
        cn_translate_throw(t);
        return true;
    case OP_throw_ref:
        cn_translate_throw_ref(t);
        return true;
    case OP_rethrow:
        cn_translate_rethrow(t);
        return true;
    case OP_try_table:
        cn_translate_try_table(t);
        return true;
    case OP_unreachable:
        cn_emit_plain(t, BC_unreachable, 1);
        return true;
    default:
        return cn_translate_state(t, opcode);
    }
}

static bool translate_control(struct translator *t, enum opcode opcode) {
    switch (opcode) {
    case OP_nop:
        return true;
    case OP_block:
        cn_translate_block(t, BLOCK);
        return true;
    case OP_loop:
        cn_translate_block(t, LOOP);
        return true;
    case OP_if_:
        cn_translate_block(t, IF);
        return true;
    case OP_else_:
        cn_translate_else(t);
        return true;
    case OP_end:
        cn_translate_end(t);
        return true;
    case OP_try_:
        cn_translate_try(t);
        return true;
    case OP_catch_:
    case OP_catch_all:
        cn_translate_catch(t, opcode == OP_catch_all);
        return true;
    case OP_delegate:
        cn_translate_delegate(t);
        return true;
    case OP_call:
    case OP_return_call:
        cn_translate_call(t, opcode == OP_return_call);
        return true;
    case OP_call_indirect:
    case OP_return_call_indirect:
        cn_translate_call_indirect(t, opcode == OP_return_call_indirect);
        return true;
    case OP_call_ref:
    case OP_return_call_ref:
        cn_translate_call_ref(t, opcode == OP_return_call_ref);
        return true;
    default:
        return translate_branch(t, opcode);
    }
}

static uint64_t read_fixed(struct translator *t, unsigned bytes) {
    t->at += bytes;
    return cn_get_le(t->at - bytes, bytes);
}

/* One that no fuel block ends with: locals and constants, the most frequent of all. */
static bool translate_frequent(struct translator *t, enum opcode opcode) {
    switch (opcode) {
    case OP_local_get:
        cn_push_local(t, cn_u32_valid(&t->at));
        return true;
    case OP_local_set:
        cn_translate_local_set(t);
        return true;
    case OP_local_tee:
        cn_translate_local_tee(t);
        return true;
    case OP_i32_const:
        cn_push_const(t, KIND_I32, (uint32_t)cn_s32_valid(&t->at));
        return true;
    case OP_i64_const:
        cn_push_const(t, KIND_I64, (uint64_t)cn_s64_valid(&t->at));
        return true;
    default:
        return false;
    }
}

/* The others without a rule: each of these functions asks the next. */
static bool translate_special(struct translator *t, enum opcode opcode) {
    switch (opcode) {
    case OP_f32_const:
        cn_push_const(t, KIND_F32, read_fixed(t, 4));
        return true;
    case OP_f64_const:
        cn_push_const(t, KIND_F64, read_fixed(t, 8));
        return true;
    case OP_ref_null:
        cn_push_const(t, vt_kind(cn_heaptype_valid(t->module, &t->at)), 0);
        return true;
    case OP_global_get:
        cn_translate_global_get(t);
        return true;
    case OP_global_set:
        cn_translate_global_set(t);
        return true;
    case OP_drop:
        cn_pop_value(t);
        return true;
    case OP_select_t:
        cn_skip_immediates(&t->at, opcode);
        cn_translate_select(t);
        return true;
    case OP_select:
        cn_translate_select(t);
        return true;
    default:
        return translate_control(t, opcode);
    }
}

/* Translates an instruction without a rule, and what the opcode table says of its end: nothing behind it is
 * reached, or another fuel block begins. An instruction that the validator knows and that has no translation is a
 * bug: it ends the pass. */
static void translate_by_opcode(struct translator *t, enum opcode opcode) {
    if (translate_frequent(t, opcode))
        return;
    bool known = translate_special(t, opcode);
    unsigned flags = cn_op_info[opcode].flags;
    CN_ASSERT(known);
    if (!known) {
        t->unknown = cn_op_name(&cn_op_info[opcode]);
        t->emit.exhausted = true;
    } else if (unlikely(flags & (OPF_NO_NEXT | OPF_ENDS | OPF_CALLS))) {
        if (flags & OPF_NO_NEXT)
            cn_go_dead(t);
        else
            cn_begin_fuel_block(t);
    }
}

/* Whether a NaN that this instruction gives is not seen, since the next one takes it as any other. Stepping code
 * may stop between the two. */
static bool is_nan_hidden(const struct translator *t, enum opcode opcode) {
    const uint8_t *at = t->at;
    enum opcode next = cn_opcode_valid(&at);
    if (t->config->steps)
        return false;
    return cn_op_info[next].flags &
           (cn_op_info[opcode].flags & OPF_GIVES_NAN32 ? OPF_TAKES_NAN32 : OPF_TAKES_NAN64);
}

/* Makes the result of an instruction the canonical NaN, if it is one. */
static void canonicalize(struct translator *t, enum opcode opcode) {
    static const struct rule f32 = {.kind = RULE_UN, .operation = DO_f32_canonical},
                             f64 = {.kind = RULE_UN, .operation = DO_f64_canonical},
                             f32x4 = {RULE_VECTOR, VECTOR_ANY, false, DO_f32x4_canonical},
                             f64x2 = {RULE_VECTOR, VECTOR_ANY, false, DO_f64x2_canonical};
    const struct op_info *info = &cn_op_info[opcode];
    bool single = info->flags & OPF_GIVES_NAN32;
    if (is_nan_hidden(t, opcode))
        return;
    if (info->result == OPT_F32)
        cn_translate_un(t, &f32, KIND_F32);
    else if (info->result == OPT_F64)
        cn_translate_un(t, &f64, KIND_F64);
    else /* as an instruction that takes and gives a vector */
        cn_translate_vector(t, OP_v128_not, single ? &f32x4 : &f64x2);
}

static void translate_instruction(struct translator *t, enum opcode opcode) {
    const struct rule *rule = &cn_rules[opcode];
    if (rule->kind == RULE_SPECIAL) {
        translate_by_opcode(t, opcode);
        return;
    }
    /* A number or vector, whose kind is its code, where there is a result. */
    enum slot_kind result = (enum slot_kind)cn_op_info[opcode].result;
    CN_ASSERT(!(cn_op_info[opcode].flags & (OPF_NO_NEXT | OPF_ENDS | OPF_CALLS)));
    switch ((enum rule_kind)rule->kind) {
    case RULE_SPECIAL:
        break;
    case RULE_BIN:
    case RULE_EQZ:
        cn_translate_bin(t, rule, result);
        break;
    case RULE_UN:
        cn_translate_un(t, rule, result);
        break;
    case RULE_NONE:
        cn_cover(t, 1);
        t->stack[t->height - 1].kind = (uint8_t)result;
        break;
    case RULE_LOAD:
        cn_translate_load(t, opcode, rule, result);
        break;
    case RULE_STORE:
        cn_translate_store(t, rule);
        break;
    case RULE_VECTOR:
        cn_translate_vector(t, opcode, rule);
        break;
    }
    if (unlikely(t->config->deterministic) && (cn_op_info[opcode].flags & OPF_GIVES_NAN))
        canonicalize(t, opcode);
}

/* Slots that an instruction may name above what is on the stack before it, and those that it is one with (a
 * step of a global): more than enough. */
#define MARGIN_SLOTS 6u

/* Frames of code with fuel are alike whether it takes fuel by blocks or for each instruction (code/steps.h),
 * though these bring different values home: usual code leaves room for all of them, narrow or wide. */
static void make_room(struct translator *t) {
    uint32_t end = (uint32_t)next_home(t) + (t->config->steps ? 0 : MARGIN_SLOTS);
    if (end > t->emit.max_slot)
        t->emit.max_slot = end;
    if (end > NARROW_LIMIT && !t->emit.scratch)
        cn_need_scratch(&t->emit);
}

static void charge(struct translator *t, enum opcode opcode) {
    make_room(t);
    if (cn_op_info[opcode].flags & OPF_FREE)
        return;
    if (t->config->steps)
        cn_begin_step(t, t->emit.offset);
    t->emit.fuel_cost++;
}

/* Bytes of a body between two looks at whether it is to stop. */
#define LOOK_BYTES 32768

static void look_later(struct translator *t) {
    t->next_look = t->end - t->at > LOOK_BYTES ? t->at + LOOK_BYTES : t->end;
}

static bool is_interrupted(struct translator *t) {
    look_later(t);
    t->interrupted = t->asker && cn_interrupted(t->asker);
    return t->interrupted;
}

static void translate_body(struct translator *t) {
    const uint8_t *start = t->module->bytes;
    look_later(t);
    while (t->depth > 0 && !t->emit.exhausted) {
        CN_ASSERT(t->at < t->end);
        CN_ASSERT(t->height >= top_control(t)->height);
        CN_ASSERT(t->no_locals_below <= t->height);
        t->emit.offset = (uint32_t)(t->at - start);
        if (t->at >= t->next_look && is_interrupted(t))
            return;
        enum opcode opcode = cn_opcode_valid(&t->at);
        bool live = t->live;
        if (!live && cn_skip_dead(t, opcode))
            continue;
        if (live && t->config->fuel)
            charge(t, opcode);
        translate_instruction(t, opcode);
    }
}

/* ---- The frame ---- */

#define PROLOGUE_CELLS 2
#define SLOTS_FOR_FUEL 8 /* 64 bytes */

static int32_t first_local_slot(const struct translator *t) {
    return FRAME_HEADER_SLOTS + (t->emit.scratch ? 8 : 0);
}

/* Gives the two most used locals the slots that registers hold copies of. */
static bool pin_locals(struct translator *t, struct error *error) {
    static const int32_t slots[2] = {FRAME_PIN_P, FRAME_PIN_Q};
    uint32_t pins[2];
    if (!CN_PAIRS)
        return true; /* this build has no instructions with pins */
    if (!cn_may_loop(t->at, t->end))
        return true;
    size_t size = ((size_t)t->local_count + 1) * sizeof(uint64_t);
    uint64_t *weights = cn_calloc(t->emit.alloc, 1, size);
    if (!weights)
        return cn_fail_memory(error);
    cn_weigh_locals(t->at, t->end, weights);
    for (uint32_t i = 0; i < t->local_count; i++)
        if (t->locals[i].kind != KIND_I32 && t->locals[i].kind != KIND_I64)
            weights[i] = 0;
    cn_choose_pins(weights, t->local_count, pins);
    cn_free(t->emit.alloc, weights, size);
    for (unsigned pin = 0; pin < 2; pin++) {
        if (pins[pin] == NO_PIN)
            continue;
        CN_ASSERT(pins[pin] < t->local_count && (pin == 0 || pins[1] != pins[0]));
        t->pinned_params[pin] = t->locals[pins[pin]].slot; /* negative: a parameter's */
        t->locals[pins[pin]].slot = slots[pin];
        t->emit.pins = true;
    }
    return true;
}

/* Lays out parameters below the frame pointer and locals above the header. */
static bool lay_out_locals(struct translator *t, struct error *error) {
    const struct functype *type = t->type;
    const uint8_t *at = t->at;
    uint64_t declared = 0;
    uint32_t groups = cn_u32_valid(&at);
    const uint8_t *groups_at = at;
    for (uint32_t i = 0; i < groups; i++) {
        declared += cn_u32_valid(&at);
        cn_skip_type(&at);
    }
    t->local_count = type->param_count + (uint32_t)declared;
    t->locals = cn_calloc(t->emit.alloc, (size_t)t->local_count + 1, sizeof *t->locals);
    if (!t->locals)
        return cn_fail_memory(error);
    int32_t slot = param_base(t);
    uint32_t index = 0;
    for (; index < type->param_count; index++) {
        valtype vt = ft_params(type)[index];
        t->locals[index] =
            (struct local){.slot = slot, .readers = NO_LINK, .kind = (uint8_t)vt_kind(vt)};
        slot += (int32_t)vt_slots(vt);
    }
    /* A stopped run must be captured as if all locals had been cleared, and a slot of a reference must hold
     * one. */
    bool clear_all = t->config->fuel || t->config->interruptible;
    slot = first_local_slot(t);
    at = groups_at;
    for (uint32_t i = 0; i < groups; i++) {
        uint32_t count = cn_u32_valid(&at);
        valtype vt = cn_valtype_valid(t->module, &at);
        enum slot_kind kind = vt_kind(vt);
        struct local local = {.readers = NO_LINK,
                              .kind = (uint8_t)kind,
                              .start = clear_all || kind_is_ref(kind) ? MUST_CLEAR : UNTOUCHED};
        for (; count > 0; count--, slot += (int32_t)vt_slots(vt)) {
            local.slot = slot;
            t->locals[index++] = local;
        }
    }
    CN_ASSERT(index == t->local_count);
    CN_ASSERT(slot >= first_local_slot(t));
    t->at = at;
    t->first_temp = t->floor_home = slot;
    t->emit.max_slot = (uint32_t)slot;
    return pin_locals(t, error);
}

/* A call clears its locals, which costs as much as filling that much memory. */
static uint32_t entry_fuel(const struct translator *t) {
    uint32_t slots = (uint32_t)(t->first_temp - first_local_slot(t));
    return t->config->fuel ? slots / SLOTS_FOR_FUEL : 0;
}

static void charge_entry(struct translator *t) {
    uint32_t cost = entry_fuel(t);
    if (cost == 0)
        return;
    if (t->config->steps)
        cn_begin_step(t, next_safepoint(t));
    t->emit.fuel_cost += cost;
}

static void emit_prologue(struct translator *t) {
    cn_emit_plain(t, BC_enter_0, PROLOGUE_CELLS); /* end_prologue() */
    t->emit.offset = next_offset(t); /* a run stopped here has not begun the first instruction */
    t->entering = entry_fuel(t) > 0;
    cn_check_interrupt(t);
    cn_begin_fuel_block(t);
    charge_entry(t);
    t->entering = false;
}

/* Copies the cells and puts its handler in place of the number that each instruction begins with. When operations
 * are profiled, all get the handler that counts, which finds the number by the instruction's cell. */
static void finish_cells(const struct translator *t, struct code *code) {
    const uint64_t *handlers = t->config->handlers;
    uint64_t *at = code->cells, *end = at + code->cell_count;
    uint16_t *ids = t->config->profile_ops ? (uint16_t *)end : NULL;
    memcpy(at, t->emit.cells + code->first_cell, code->cell_count * sizeof *at);
    code->profile_ids = ids;
    while (at < end) {
        enum bytecode bytecode = (enum bytecode) * at;
        uint32_t length = cn_bytecode_length(bytecode, at);
        CN_ASSERT(bytecode != BC_NONE && length > 0 && length <= end - at);
        if (unlikely(ids != NULL))
            ids[at - code->cells] = (uint16_t)bytecode;
        *at = handlers[ids ? BC_profile : bytecode];
        at += length;
    }
}

/* From the first local that a call must clear, and how many times four slots. */
static int32_t find_cleared(const struct translator *t, int32_t *fours) {
    int32_t first = INT32_MAX, end = 0;
    for (uint32_t i = t->type->param_count; i < t->local_count; i++) {
        const struct local *local = &t->locals[i];
        if (local->start != MUST_CLEAR)
            continue;
        first = local->slot < first ? local->slot : first;
        int32_t after = local->slot + (is_wide((enum slot_kind)local->kind) ? 2 : 1);
        end = after > end ? after : end;
    }
    /* The field has 16 bits: a start beyond them is replaced by the first local. */
    first = cn_is_narrow(first) ? first : first_local_slot(t);
    *fours = end > first ? (end - first + 3) / 4 : 0;
    CN_ASSERT(*fours >= 0 && (*fours == 0 || first >= FRAME_PIN_P));
    return first;
}

/* Now that all reads of locals are known: what the call clears, and where its pins come from. The cell
 * that the code begins with. */
static uint32_t end_prologue(struct translator *t) {
    int32_t fours, first = find_cleared(t, &fours);
    const int32_t *params = t->pinned_params;
    bool pins = t->emit.pins && (params[0] < 0 || params[1] < 0 || fours > 0);
    if (!pins && fours == 0)
        return PROLOGUE_CELLS;
    static const uint16_t clear[] = {BC_NONE, BC_clear_4, BC_clear_8, BC_clear_n};
    static const uint16_t enter[] = {BC_enter_0, BC_enter_4, BC_enter_8, BC_enter_n};
    cn_emit_replace(&t->emit, 0, (enum bytecode)(pins ? enter : clear)[fours < 3 ? fours : 3]);
    t->emit.cells[1] = cn_fields(fours ? first : 0, params[0] < 0 ? params[0] : FRAME_PIN_P,
                                 params[1] < 0 ? params[1] : FRAME_PIN_Q, fours);
    uint32_t end = (uint32_t)(first + 4 * fours);
    if (fours && end > t->emit.max_slot)
        t->emit.max_slot = end;
    return 0;
}

static struct code *make_code(struct translator *t, uint32_t func, struct span body,
                              struct error *error) {
    CN_ASSERT(t->depth == 0 && t->at == t->end);
    CN_ASSERT(t->emit.fuel_cell == NO_CELL && t->emit.wide_to == 0);
    uint32_t first = end_prologue(t);
    cn_bind_chain(t, &t->self_calls, first);
    CN_ASSERT(first < t->emit.count && t->emit.count <= t->emit.capacity);
    CN_ASSERT(t->emit.max_slot >= FRAME_HEADER_SLOTS);
    cn_finish_probes(t);
    size_t count = t->emit.count - first;
    size_t ids = t->config->profile_ops ? (count + 1) / 2 * 2 * sizeof(uint16_t) : 0;
    size_t size = sizeof(struct code) + count * sizeof(uint64_t) + ids + cn_unwind_bytes(t);
    struct code *code = cn_alloc(t->emit.alloc, size);
    if (!code) {
        cn_fail_memory(error);
        return NULL;
    }
    *code = (struct code){
        .func_index = func,
        .param_slots = t->type->param_slots,
        .result_slots = t->type->result_slots,
        .frame_slots = t->emit.max_slot,
        .frame_bytes = t->emit.max_slot * (uint32_t)sizeof(uint64_t),
        .body = body,
        .entry_fuel = entry_fuel(t),
        .scratch = t->emit.scratch != 0,
        .first_cell = first,
        .cell_count = (uint32_t)count,
        .size = (uint32_t)size,
        .explicit_checks = t->config->explicit_checks,
    };
    finish_cells(t, code);
    cn_unwind_copy(t, code, (char *)(code->cells + count) + ids);
    return code;
}

/* Room for what most bodies become; those that need more grow. */
static void reserve_cells(struct translator *t, uint32_t body_bytes) {
    void *cells = NULL;
    if (!cn_grow(t->emit.alloc, &cells, &t->emit.capacity, body_bytes / 16 * 7 + 16,
                 sizeof *t->emit.cells))
        t->emit.exhausted = true;
    t->emit.cells = cells;
}

static struct code *translate(struct module *module, uint32_t func, struct span body,
                              const struct translation_config *config,
                              const struct interrupt *asker, struct source_map *map, bool scratch,
                              bool *needs_scratch, struct error *error) {
    struct translator t = {
        .emit = {.alloc = module->alloc,
                 .last = {.cell = NO_CELL},
                 .before = {.cell = NO_CELL},
                 .scratch = scratch ? FRAME_HEADER_SLOTS : 0,
                 .fuel_cell = NO_CELL,
                 .map = map},
        .module = module,
        .config = config,
        .func = func,
        .type = module_func_type(module, func),
        .at = module->bytes + body.offset,
        .end = module->bytes + body.offset + body.length,
        .asker = asker,
        .access = cn_common_access(module, config),
        .live = true,
    };
    struct code *code = NULL;
    /* Asked for at each `end`: found once, since there may be a million of them. */
    for (t.closing = t.end; t.closing > t.at && t.closing[-1] == OP_end;)
        t.closing--;
    if (!lay_out_locals(&t, error))
        goto done;
    cn_push_control(&t, FUNCTION, t.type);
    reserve_cells(&t, body.length);
    emit_prologue(&t);
    translate_body(&t);
    *needs_scratch = t.emit.needs_scratch;
    if (t.interrupted)
        cn_fail(error, CATNAP_INTERRUPTED, "interrupted");
    else if (t.unknown)
        cn_fail_at(error, CATNAP_UNSUPPORTED, t.emit.offset, "internal error: no translation of %s",
                   t.unknown);
    else if (t.emit.exhausted && !t.emit.needs_scratch)
        cn_fail_memory(error);
    else if (!t.emit.exhausted)
        code = make_code(&t, func, body, error);
done:
    cn_free(t.emit.alloc, t.emit.cells, t.emit.capacity * sizeof *t.emit.cells);
    cn_free(t.emit.alloc, t.stack, t.stack_capacity * sizeof *t.stack);
    cn_free(t.emit.alloc, t.groups, t.group_capacity * sizeof *t.groups);
    cn_unwind_free(&t);
    cn_free(t.emit.alloc, t.controls, t.control_capacity * sizeof *t.controls);
    cn_free(t.emit.alloc, t.locals, ((size_t)t.local_count + 1) * sizeof *t.locals);
    return code;
}

struct code *cn_translate(struct module *module, uint32_t func, struct span body,
                          const struct translation_config *config, const struct interrupt *asker,
                          struct source_map *map, struct error *error) {
    bool needs_scratch = false;
    struct code *code =
        translate(module, func, body, config, asker, map, config->scratch, &needs_scratch, error);
    if (needs_scratch) {
        if (map)
            map->count = 0;
        for (size_t i = 0; map && map->probes && i < map->probes->count; i++)
            cn_probe_free(map->probes->alloc, &map->probes->items[i]);
        code = translate(module, func, body, config, asker, map, true, &needs_scratch, error);
    }
    return code;
}
