#include "bytecode/verify.h"

#ifdef CATNAP_ASSERT
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytecode/fields.h"
#include "binary/walk.h"
#include "bytecode/form.h"
#include "bytecode/lookup.h"

/* ---- instructions by the addresses of their handlers ---- */

struct handler {
    uint64_t address;
    enum bytecode bytecode;
};
static struct handler handlers[BC_COUNT];
static size_t handler_count;
static pthread_mutex_t handlers_mutex = PTHREAD_MUTEX_INITIALIZER;

static int compare_handlers(const void *a, const void *b) {
    uint64_t left = ((const struct handler *)a)->address;
    uint64_t right = ((const struct handler *)b)->address;
    return (left > right) - (left < right);
}

/* There is one table of addresses in a process: it is sorted once. */
static void sort_handlers(const uint64_t *addresses) {
    pthread_mutex_lock(&handlers_mutex);
    if (handler_count == 0) {
        for (unsigned i = BC_NONE + 1; i < BC_COUNT; i++)
            handlers[handler_count++] = (struct handler){addresses[i], (enum bytecode)i};
        qsort(handlers, handler_count, sizeof *handlers, compare_handlers);
    }
    pthread_mutex_unlock(&handlers_mutex);
}

/* BC_NONE: no instruction has this handler. */
static enum bytecode bytecode_of(uint64_t address) {
    struct handler key = {.address = address};
    const struct handler *found =
        bsearch(&key, handlers, handler_count, sizeof key, compare_handlers);
    return found ? found->bytecode : BC_NONE;
}

/* ---- the code under verification ---- */

#define STATE_BYTES_MOST ((size_t)256 << 20)

struct instruction {
    uint32_t cell, cells;
    enum bytecode bytecode;
    const uint64_t *at;
    const char *name;
    const struct bytecode_field *fields; /* FIELD_END behind the last */
    unsigned flags;                      /* enum instruction_flags */
};

enum flow {
    FLOW_ON,     /* to the next instruction */
    FLOW_BRANCH, /* there, or to the target of its FIELD_BRANCH */
    FLOW_JUMP,   /* to that target only */
    FLOW_TABLE,  /* to one of the targets of its FIELD_TABLE */
    FLOW_END     /* out of the function */
};

/* The state before an instruction: a bit for each slot that has a value, and these. */
enum { HAS_P, HAS_Q, SLOT_BITS };

enum { IS_START = 1, IS_LABEL = 2 };

struct verifier {
    const struct module *module;
    const struct code *code;
    const struct translation_config *config;
    const struct functype *type;
    struct error *error;
    uint8_t *marks;   /* of each cell: IS_START, IS_LABEL */
    uint32_t *labels; /* of each cell that is one: its number */
    uint32_t label_count;
    uint64_t
        *states;   /* of each label: `words` words, all bits set until control was seen to come */
    bool *reached; /* of each label */
    uint64_t *now; /* what holds at the instruction under way */
    uint64_t *before; /* the same, while its catch clauses are looked at */
    size_t words;
    bool live;          /* control comes to it */
    bool acc, facc;     /* these hold a value that was not read yet */
    uint32_t scope;     /* of the latest instruction, a number + 1; or 0 */
    bool checks, again; /* the last walk, which checks; another walk is needed before it */
    bool has_pins;
};

static bool wrong(const struct verifier *v, const struct instruction *i, const char *what) {
    return cn_fail(v->error, CATNAP_INVALID, "function %" PRIu32 ", cell %" PRIu32 ", %s: %s",
                   v->code->func_index, i->cell, i->name, what);
}

/* ---- reading instructions ---- */

static const struct bytecode_field *find_field(const struct instruction *i, enum field_kind kind) {
    const struct bytecode_field *field = i->fields;
    while (field->kind != FIELD_END && field->kind != kind)
        field++;
    return field->kind == kind ? field : NULL;
}

static bool is_throw(enum bytecode bytecode) {
    return bytecode == BC_throw || bytecode == BC_throw_ref;
}

static enum flow flow_of(const struct instruction *i) {
    const struct bytecode_field *branch = find_field(i, FIELD_BRANCH);
    if (i->flags & INSTRUCTION_ENDS)
        return FLOW_END;
    if (find_field(i, FIELD_TABLE))
        return FLOW_TABLE;
    if (branch)
        return branch->flags & FIELD_OPTIONAL ? FLOW_BRANCH : FLOW_JUMP;
    return FLOW_ON;
}

static bool is_call(const struct instruction *i) {
    return find_field(i, FIELD_FRAME) || find_field(i, FIELD_FUNC);
}

/* The instruction at a cell; false when there is none that ends within the code. */
static bool read_instruction(const struct verifier *v, uint32_t cell, struct instruction *i) {
    const uint64_t *at = v->code->cells + cell;
    uint64_t left = v->code->cell_count - cell, needed = 2;
    *i = (struct instruction){.cell = cell, .at = at, .name = "?"};
    i->bytecode =
        v->code->profile_ids ? (enum bytecode)v->code->profile_ids[cell] : bytecode_of(*at);
    if (i->bytecode == BC_NONE || i->bytecode >= BC_COUNT)
        return wrong(v, i, "no instruction");
    i->name = cn_bytecode_name(i->bytecode);
    i->fields = cn_bytecode_fields(i->bytecode);
    i->flags = cn_bytecode_flags(i->bytecode);
    const struct bytecode_field *table = find_field(i, FIELD_TABLE);
    if (table && left >= needed)
        needed = (table->at == AT_X ? 2 : 3) + ((uint64_t)(uint32_t)bc_w(at) + 2) / 2;
    else if (!table)
        needed = cn_bytecode_length(i->bytecode, at);
    if (needed > left)
        return wrong(v, i, "it ends behind the function");
    i->cells = (uint32_t)needed;
    return true;
}

/* The value of a field, as a number. */
static int64_t value_of(const struct instruction *i, const struct bytecode_field *field) {
    int64_t value = cn_field_value(i->at, (enum field_at)field->at);
    return field->kind == FIELD_SLOT && field->at == AT_W ? (int64_t)(uint32_t)value : value;
}

/* The first slot of a field. The halves of a cell hold it in their lower 16 bits. */
static int64_t slot_of(const struct instruction *i, const struct bytecode_field *field) {
    int64_t value = value_of(i, field);
    return field->at >= AT_XLO && field->at != AT_Y && value == (uint16_t)value ? (int16_t)value
                                                                                : value;
}

static uint64_t slots_of(const struct instruction *i, const struct bytecode_field *field) {
    return field->slots == SLOTS_W      ? (uint32_t)bc_w(i->at)
           : field->slots == SLOTS_4_O3 ? 4 * (uint64_t)(uint16_t)bc_o(i->at, 3)
                                        : field->slots;
}

/* The target of a FIELD_BRANCH, or of entry `index` of a FIELD_TABLE, as a cell; -1: none of the code's. */
static int64_t target_of(const struct verifier *v, const struct instruction *i,
                         const struct bytecode_field *field, uint32_t index) {
    int64_t bytes = (int64_t)i->cell * 8 + bc_w(i->at);
    if (field->kind == FIELD_TABLE) {
        uint32_t first = field->at == AT_X ? 2 : 3;
        bytes = (int64_t)(i->cell + first) * 8 + 4 * (int64_t)index +
                (int32_t)(i->at[first + index / 2] >> index % 2 * 32);
    }
    return bytes >= 0 && bytes % 8 == 0 && bytes / 8 < v->code->cell_count ? bytes / 8 : -1;
}

static uint64_t target_count(const struct instruction *i, const struct bytecode_field *field) {
    return field->kind == FIELD_TABLE ? (uint64_t)(uint32_t)bc_w(i->at) + 1 : 1;
}

static const struct bytecode_field *targets_of(const struct instruction *i) {
    const struct bytecode_field *branch = find_field(i, FIELD_BRANCH);
    return branch ? branch : find_field(i, FIELD_TABLE);
}

/* ---- which instructions there may be, and where ---- */

static bool has_addresses(const struct verifier *v, bool is_64) {
    return v->module->memory_count > 0 && v->module->memories[0].limits.is_64 == is_64;
}

static bool is_allowed(const struct verifier *v, const struct instruction *i) {
    bool fuel = v->config->fuel, steps = v->config->steps;
    switch (i->bytecode) {
    case BC_fuel:
        return fuel && !steps;
    case BC_fuel_step:
    case BC_fuel_block:
        return fuel && steps;
    case BC_interrupt_check:
        return v->config->interruptible;
    case BC_wide_get:
    case BC_wide_get2:
    case BC_wide_set:
    case BC_wide_set2:
        return v->code->scratch;
    default:
        break;
    }
    if (i->flags & INSTRUCTION_GUARDED)
        return !v->config->explicit_checks && has_addresses(v, i->flags & INSTRUCTION_WIDE);
    if (i->flags & INSTRUCTION_CHECKED)
        return (v->config->explicit_checks || !CN_HAS_GUARD) && has_addresses(v, false);
    return !(i->flags & INSTRUCTION_OUTSIDE) && (!(i->flags & INSTRUCTION_BEGINS) || i->cell == 0);
}

/* The module's function type with this canonical id; NULL: none. */
static const struct functype *type_of_id(const struct module *module, uint64_t id) {
    for (uint32_t i = 0; i < module->type_count; i++)
        if (module->types[i]->id == id && module->types[i]->kind == TYPE_FUNC)
            return module_functype(module, i);
    return NULL;
}

static uint64_t count_of(const struct module *m, enum index_space space) {
    switch (space) {
    case SPACE_FUNC:
        return m->func_count;
    case SPACE_IMPORT:
        return m->imported_func_count;
    case SPACE_GLOBAL:
        return m->global_count;
    case SPACE_MEMORY:
        return m->memory_count;
    case SPACE_TABLE:
        return m->table_count;
    case SPACE_TAG:
        return m->tag_count;
    case SPACE_DATA:
        return m->data_count;
    case SPACE_ELEM:
        return m->elem_count;
    case SPACE_STRUCT:
    case SPACE_ARRAY:
        return m->object_types;
    case SPACE_WIDTH:
        return 4;
    }
    return 0;
}

/* Whether there is a thing of the module by this index; a type must be of the kind. */
static bool has_index(const struct module *m, enum index_space space, uint64_t index) {
    if (index >= count_of(m, space))
        return false;
    if (space == SPACE_STRUCT || space == SPACE_ARRAY)
        return m->types[index]->kind == (space == SPACE_STRUCT ? TYPE_STRUCT : TYPE_ARRAY);
    return true;
}

/* A field of 16 bits, of 32 bits, or a whole cell, as the number that it is. */
static uint64_t index_of(const struct instruction *i, const struct bytecode_field *field) {
    uint64_t value = (uint64_t)value_of(i, field);
    if (field->slots == SPACE_WIDTH)
        return (uint8_t)value;
    return field->at <= AT_O3                       ? (uint16_t)value
           : field->at == AT_X || field->at == AT_Y ? value
                                                    : (uint32_t)value;
}

/* The type of the function that a call instruction calls; NULL: there is none. */
static const struct functype *callee_type(const struct verifier *v, const struct instruction *i) {
    const struct module *m = v->module;
    const struct bytecode_field *import = find_field(i, FIELD_INDEX);
    uint64_t x = i->at[2], func = (x >> 1) + m->imported_func_count;
    if (find_field(i, FIELD_TYPE))
        return type_of_id(m, x);
    if (import)
        return module_func_type(m, (uint32_t)index_of(i, import));
    return (x & CALL_UNBOUND) && func < m->func_count ? module_func_type(m, (uint32_t)func) : NULL;
}

/* Whether everything exists that an instruction names by an index. */
static bool has_indices(const struct verifier *v, const struct instruction *i) {
    for (const struct bytecode_field *f = i->fields; f->kind != FIELD_END; f++)
        if (f->kind == FIELD_INDEX &&
            !has_index(v->module, (enum index_space)f->slots, index_of(i, f)))
            return false;
    return !is_call(i) || callee_type(v, i);
}

/* The segment that the elements of an array come from, by the type of these. */
static bool has_segment(const struct module *m, uint64_t y) {
    uint32_t field = dt_fields(m->types[(uint32_t)y])->fields[0];
    return y >> 32 < (vt_is_ref(field_type(field)) ? m->elem_count : m->data_count);
}

static bool has_cast_target(const struct module *m, uint64_t cast) {
    uint32_t flags = cast_flags(cast) & ~(uint32_t)CAST_NULLABLE, index = cast_index(cast);
    if (flags == CAST_FUNC)
        return (uint32_t)cast == index && cast_id(cast) == 0 && module_has_functype(m, index);
    if (flags == CAST_OBJECT)
        return index < m->object_types && m->types[index]->kind != TYPE_FUNC &&
               cast_depth(cast) == m->types[index]->depth && cast_id(cast) == m->types[index]->id;
    return flags == 0 && cast_id(cast) == 0 && vt_is_abstract((uint32_t)cast);
}

#if CN_PAIRS
static bool is_new_of_words(enum bytecode bytecode) {
    return bytecode >= BC_struct_new_4 && bytecode <= BC_struct_new_zero;
}

/* The bytes of each field of the structure, in the last part of the instruction's name. */
static bool has_words(const struct module *m, const struct instruction *i) {
    bool zero = i->bytecode == BC_struct_new_zero, words = i->bytecode == BC_struct_new_words;
    const struct fieldtypes *type = dt_fields(m->types[zero    ? (uint32_t)bc_w(i->at)
                                                       : words ? (uint32_t)i->at[3]
                                                               : (uint32_t)i->at[2]]);
    const char *name = cn_bytecode_name(i->bytecode) + sizeof "struct_new_" - 1;
    if (zero)
        return i->at[2] == type->size;
    if (words && type->def.count != (uint32_t)bc_w(i->at))
        return false;
    for (uint32_t k = 0; k < type->def.count; k++) {
        uint32_t field = type->fields[k], size = field_size(field);
        bool side = vt_is_ref(field_type(field)) && vt_kind(field_type(field)) != KIND_ANY;
        if (side || (words ? size != 4 && size != 8 : size != (uint32_t)(name[k] - '0')))
            return false;
    }
    return words || strlen(name) == type->def.count;
}
#else
static bool is_new_of_words(enum bytecode bytecode) {
    (void)bytecode;
    return false;
}
static bool has_words(const struct module *m, const struct instruction *i) {
    (void)m, (void)i;
    return false;
}
#endif

/* Whether other numbers are as they must be. */
static bool has_numbers(const struct verifier *v, const struct instruction *i) {
    if (i->bytecode == BC_array_new_segment || i->bytecode == BC_array_init)
        return has_segment(v->module, i->at[3]);
    if (i->flags & INSTRUCTION_CAST)
        return has_cast_target(v->module, i->at[2]);
    if (is_new_of_words(i->bytecode))
        return has_words(v->module, i);
    if (i->bytecode == BC_throw)
        return module_tag_type(v->module, (uint32_t)i->at[3])->param_slots == (uint32_t)bc_w(i->at);
    if (i->bytecode == BC_fuel_block)
        return i->at[2] == 0; /* filled in when both forms of the code are there */
    return !(i->flags & INSTRUCTION_NUMBERED) || i->at[2] <= MOST_OFFSET;
}

/* ---- slots ---- */

static bool is_pin_slot(int64_t slot) {
    return slot == FRAME_PIN_P || slot == FRAME_PIN_Q;
}

/* Whether an instruction may name these slots: parameters, or what lies above the header. */
static bool is_in_frame(const struct verifier *v, const struct instruction *i, int64_t slot,
                        uint64_t count) {
    int64_t params = v->type->param_slots, end = v->code->frame_slots;
    if (count > (uint64_t)(end + params))
        return false;
    if (slot < 0)
        return slot >= -params && slot + (int64_t)count <= 0;
    if (is_pin_slot(slot) && v->has_pins)
        return (count == 1 || (i->flags & INSTRUCTION_BEGINS)) && slot + (int64_t)count <= end;
    return slot >= FRAME_HEADER_SLOTS && slot + (int64_t)count <= end;
}

/* A return puts the results where the parameters began. */
static bool is_result(const struct verifier *v, int64_t slot, uint64_t count) {
    return slot == -(int64_t)v->type->param_slots && count == v->type->result_slots;
}

static size_t bit_of(const struct verifier *v, int64_t slot) {
    return SLOT_BITS + (size_t)(slot + v->type->param_slots);
}
static bool has(const struct verifier *v, size_t bit) {
    return v->now[bit / 64] >> bit % 64 & 1;
}
static void set(struct verifier *v, size_t bit, bool value) {
    v->now[bit / 64] = (v->now[bit / 64] & ~(UINT64_C(1) << bit % 64)) | (uint64_t)value
                                                                             << bit % 64;
}

static void set_slots(struct verifier *v, int64_t slot, uint64_t count, bool value) {
    for (uint64_t s = 0; s < count; s++)
        set(v, bit_of(v, slot + (int64_t)s), value);
}

/* A write of a pin's slot alone leaves the pin behind. */
static void write_slots(struct verifier *v, int64_t slot, uint64_t count) {
    set_slots(v, slot, count, true);
    for (uint64_t s = 0; s < count && is_pin_slot(slot); s++, slot++)
        set(v, slot == FRAME_PIN_P ? HAS_P : HAS_Q, false);
}

/* ---- what instructions do ---- */

static bool read_slots(struct verifier *v, const struct instruction *i, int64_t slot,
                       uint64_t count) {
    for (uint64_t s = 0; v->checks && s < count; s++)
        if (!has(v, bit_of(v, slot + (int64_t)s)))
            return wrong(v, i, "it reads a slot that has no value");
    return true;
}

static bool read_accumulator(const struct verifier *v, const struct instruction *i,
                             bool *accumulator) {
    if (v->checks && !*accumulator)
        return wrong(v, i, "it reads an accumulator that has no value");
    *accumulator = false;
    return true;
}

static bool read_pin(const struct verifier *v, const struct instruction *i, unsigned pin) {
    return !v->checks || has(v, pin) || wrong(v, i, "it reads a pin that is not its slot's copy");
}

static bool read_field(struct verifier *v, const struct instruction *i,
                       const struct bytecode_field *field) {
    switch ((enum field_kind)field->kind) {
    case FIELD_SLOT:
        return read_slots(v, i, slot_of(i, field), slots_of(i, field));
    case FIELD_ACC:
        return read_accumulator(v, i, &v->acc);
    case FIELD_FACC:
        return read_accumulator(v, i, &v->facc);
    case FIELD_P:
        return read_pin(v, i, HAS_P);
    case FIELD_Q:
        return read_pin(v, i, HAS_Q);
    default:
        return true;
    }
}

static bool write_accumulator(const struct verifier *v, const struct instruction *i,
                              bool *accumulator) {
    if (v->checks && *accumulator)
        return wrong(v, i, "it overwrites an accumulator that was not read");
    *accumulator = true;
    return true;
}

static bool write_field(struct verifier *v, const struct instruction *i,
                        const struct bytecode_field *field) {
    switch ((enum field_kind)field->kind) {
    case FIELD_SLOT:
        if (!(i->flags & INSTRUCTION_RETURNS))
            write_slots(v, slot_of(i, field), slots_of(i, field));
        return true;
    case FIELD_ACC:
        return write_accumulator(v, i, &v->acc);
    case FIELD_FACC:
        return write_accumulator(v, i, &v->facc);
    case FIELD_P:
    case FIELD_Q:
        set(v, field->kind == FIELD_P ? HAS_P : HAS_Q, true);
        set(v, bit_of(v, field->kind == FIELD_P ? FRAME_PIN_P : FRAME_PIN_Q), true);
        return true;
    default:
        return true;
    }
}

/* A callee that takes the frame's place finds its parameters where the frame's begin, and its results go where the
 * frame's go. */
static bool check_tail_call(struct verifier *v, const struct instruction *i,
                            const struct functype *type) {
    bool in_place = i->flags & INSTRUCTION_IN_PLACE;
    if (find_field(i, FIELD_FRAME) && bc_o(i->at, 0) != -(int64_t)v->type->param_slots)
        return wrong(v, i, "the arguments go elsewhere");
    if (type->result_slots != v->type->result_slots ||
        (in_place && type->param_slots != v->type->param_slots))
        return wrong(v, i, "its callee does not fit in the frame's place");
    return !in_place || read_slots(v, i, -(int64_t)type->param_slots, type->param_slots);
}

/* The arguments lie below the callee's frame, the results from where they began on; the call uses all that
 * lies above. */
static bool do_call(struct verifier *v, const struct instruction *i,
                    const struct bytecode_field *frame) {
    const struct functype *type = callee_type(v, i);
    if ((i->flags & INSTRUCTION_TAIL) && !check_tail_call(v, i, type))
        return false;
    if (v->checks && (v->acc || v->facc))
        return wrong(v, i, "an accumulator holds a value during a call");
    if (!frame)
        return true;
    int64_t bytes = value_of(i, frame), callee = bytes / 8, start = callee - type->param_slots;
    int64_t end = v->code->frame_slots;
    if (bytes % 8 || start < FRAME_HEADER_SLOTS || callee > end || start + type->result_slots > end)
        return wrong(v, i, "its callee's frame does not begin within this one");
    if (!(i->flags & INSTRUCTION_IN_PLACE) && !read_slots(v, i, start, type->param_slots))
        return false;
    set_slots(v, start, (uint64_t)(end - start), false);
    set_slots(v, start, type->result_slots, true);
    return true;
}

/* Pins get the values of slots, which may be their own: nothing then, unless these were cleared. */
static bool do_enter(struct verifier *v, const struct instruction *i) {
    for (unsigned pin = 0; pin < 2; pin++) {
        int64_t own = pin ? FRAME_PIN_Q : FRAME_PIN_P, from = bc_o(i->at, 1 + pin);
        bool value = is_in_frame(v, i, from, 1) && has(v, bit_of(v, from));
        if (from != own && !value)
            return wrong(v, i, "a pin's parameter has no value");
        set(v, bit_of(v, own), value);
        set(v, pin ? HAS_Q : HAS_P, value);
    }
    return true;
}

/* Of two moves, what the first one writes: a slot, or its pin. */
static const struct bytecode_field *first_written(const struct instruction *i) {
    const struct bytecode_field *field = i->fields;
    if (field->flags & FIELD_WRITTEN)
        return field;
    while (field->kind != FIELD_P && field->kind != FIELD_Q)
        field++;
    return field;
}

/* First the reads, then the writes; but of two moves, the first before the second. */
static bool do_fields(struct verifier *v, const struct instruction *i) {
    const struct bytecode_field *field;
    bool in_order = i->flags & INSTRUCTION_IN_ORDER;
    for (field = i->fields; field->kind != FIELD_END; field++) {
        if (!(field->flags & FIELD_READ))
            continue;
        if (!read_field(v, i, field) || (in_order && !write_field(v, i, first_written(i))))
            return false;
        in_order = false;
    }
    for (field = i->fields; field->kind != FIELD_END; field++)
        if ((field->flags & FIELD_WRITTEN) && !write_field(v, i, field))
            return false;
    return true;
}

static bool do_instruction(struct verifier *v, const struct instruction *i) {
    const struct bytecode_field *frame = find_field(i, FIELD_FRAME);
    bool reloads = i->bytecode == BC_reload_p || i->bytecode == BC_reload_q;
    if (reloads && !read_slots(v, i, i->bytecode == BC_reload_p ? FRAME_PIN_P : FRAME_PIN_Q, 1))
        return false;
    if (i->flags & INSTRUCTION_LOADS_PINS) {
        const struct bytecode_field *cleared = find_field(i, FIELD_SLOT);
        if (cleared && (cleared->flags & FIELD_WRITTEN) && !write_field(v, i, cleared))
            return false;
        return do_enter(v, i);
    }
    return do_fields(v, i) && (!is_call(i) || do_call(v, i, frame));
}

/* ---- blocks ---- */

static void meet(struct verifier *v, uint32_t cell, bool back) {
    uint32_t label = v->labels[cell];
    uint64_t *state = v->states + label * v->words, lost = 0;
    for (size_t w = 0; w < v->words; w++) {
        lost |= state[w] & ~v->now[w];
        state[w] &= v->now[w];
    }
    v->again |= back && (lost != 0 || !v->reached[label]);
    v->reached[label] = true;
}

static bool begin_label(struct verifier *v, const struct instruction *i) {
    if (v->checks && v->live && (v->acc || v->facc))
        return wrong(v, i, "an accumulator holds a value at a label");
    if (v->live)
        meet(v, i->cell, false);
    uint32_t label = v->labels[i->cell];
    v->live = v->reached[label];
    v->acc = v->facc = false;
    memcpy(v->now, v->states + label * v->words, v->words * sizeof *v->now);
    return true;
}

static bool leave_for_targets(struct verifier *v, const struct instruction *i) {
    const struct bytecode_field *field = targets_of(i);
    if (v->checks && (v->acc || v->facc))
        return wrong(v, i, "an accumulator holds a value at a branch");
    for (uint64_t t = 0, count = target_count(i, field); t < count; t++) {
        uint32_t target = (uint32_t)target_of(v, i, field, (uint32_t)t);
        meet(v, target, target <= i->cell);
    }
    return true;
}

/* ---- exceptions ---- */

/* Slots that an exception's values take, and its reference. */
static uint32_t caught_slots(const struct verifier *v, const struct unwind_clause *clause) {
    uint32_t values =
        clause->kind & UNWIND_ALL ? 0 : module_tag_type(v->module, clause->tag)->param_slots;
    return values + (clause->kind & (UNWIND_REF | UNWIND_HELD) ? 1 : 0);
}

static int64_t first_caught(const struct unwind_clause *clause) {
    return (int64_t)clause->slot - (clause->kind & UNWIND_HELD ? 1 : 0);
}

static bool wrong_table(const struct verifier *v, const char *what) {
    return cn_fail(v->error, CATNAP_INVALID, "function %" PRIu32 ", its catch clauses: %s",
                   v->code->func_index, what);
}

/* The frame that catches has its slots as they are, what is caught, and pins as their slots. */
static void enter_clause(struct verifier *v, const struct instruction *i,
                         const struct unwind_clause *clause) {
    set_slots(v, first_caught(clause), caught_slots(v, clause), true);
    if (v->has_pins) {
        set(v, HAS_P, has(v, bit_of(v, FRAME_PIN_P)));
        set(v, HAS_Q, has(v, bit_of(v, FRAME_PIN_Q)));
    }
    meet(v, clause->target, clause->target <= i->cell);
}

/* Before an instruction that throws, or calls what may throw: all clauses around it. Where a scope begins as well, so
 * that handlers are looked into which nothing reaches. */
static void leave_for_clauses(struct verifier *v, const struct instruction *i) {
    const struct unwind *unwind = &v->code->unwind;
    uint32_t scope = cn_unwind_scope(unwind, i->cell);
    bool begins = scope != v->scope;
    v->scope = scope;
    if (!scope || !v->before || !(begins || is_call(i) || is_throw(i->bytecode)))
        return;
    memcpy(v->before, v->now, v->words * sizeof *v->now);
    for (; scope; scope = unwind->scopes[scope - 1].parent)
        for (uint32_t c = unwind->scopes[scope - 1].first; c; c = unwind->clauses[c - 1].next) {
            enter_clause(v, i, &unwind->clauses[c - 1]);
            memcpy(v->now, v->before, v->words * sizeof *v->now);
        }
}

static bool walk(struct verifier *v) {
    struct instruction i = {0};
    memset(v->now, 0, v->words * sizeof *v->now);
    set_slots(v, -(int64_t)v->type->param_slots, v->type->param_slots, true);
    v->live = true;
    v->scope = 0;
    v->acc = v->facc = false;
    for (uint32_t cell = 0; cell < v->code->cell_count; cell += i.cells) {
        if (!read_instruction(v, cell, &i) || ((v->marks[cell] & IS_LABEL) && !begin_label(v, &i)))
            return false;
        if (!v->live)
            continue;
        enum flow flow = flow_of(&i);
        leave_for_clauses(v, &i);
        if (!do_instruction(v, &i) || (targets_of(&i) && !leave_for_targets(v, &i)))
            return false;
        if (v->checks && flow == FLOW_END && (v->acc || v->facc))
            return wrong(v, &i, "an accumulator holds a value at the end");
        v->live = flow == FLOW_ON || flow == FLOW_BRANCH;
    }
    return !v->live || !v->checks || wrong(v, &i, "control leaves the function behind its end");
}

/* ---- paying, and looking for interrupts ---- */

static bool begins(const struct verifier *v, uint32_t cell, enum bytecode bytecode) {
    struct instruction i = {0};
    return cell < v->code->cell_count && read_instruction(v, cell, &i) && i.bytecode == bytecode;
}

static uint32_t behind_check(const struct verifier *v, uint32_t cell) {
    return cell + (v->config->interruptible && begins(v, cell, BC_interrupt_check));
}

/* Behind the prologue, where this is a function's first cell. */
static uint32_t behind_prologue(const struct verifier *v, uint32_t cell) {
    struct instruction i = {0};
    bool begins_function =
        cell == 0 && read_instruction(v, cell, &i) && (i.flags & INSTRUCTION_BEGINS);
    return begins_function ? i.cells : cell;
}

static bool pays(const struct verifier *v, uint32_t cell) {
    return !v->config->fuel || begins(v, cell, v->config->steps ? BC_fuel_block : BC_fuel);
}

/* The entries of a table may go to detours, which only move values and pay nothing. */
static bool check_payment(const struct verifier *v, const struct instruction *i) {
    const struct bytecode_field *branch = find_field(i, FIELD_BRANCH);
    if (branch) {
        uint32_t target = behind_prologue(v, (uint32_t)target_of(v, i, branch, 0));
        if (!pays(v, behind_check(v, target)))
            return wrong(v, i, "its target does not pay for its block");
        if (v->config->interruptible && target <= i->cell && !begins(v, target, BC_interrupt_check))
            return wrong(v, i, "it goes back to where no interrupt is looked for");
    }
    if (is_call(i) && !(i->flags & INSTRUCTION_TAIL) && !pays(v, i->cell + i->cells))
        return wrong(v, i, "what follows the call is not paid for");
    if (i->cell > 0 && !(i->flags & INSTRUCTION_BEGINS))
        return true;
    uint32_t start = (i->flags & INSTRUCTION_BEGINS) ? i->cell + i->cells : 0;
    if (v->config->interruptible && !begins(v, start, BC_interrupt_check))
        return wrong(v, i, "the function begins without looking for interrupts");
    return pays(v, behind_check(v, start)) || wrong(v, i, "the first block is not paid for");
}

/* ---- each instruction for itself ---- */

static bool check_slots(const struct verifier *v, const struct instruction *i,
                        const struct bytecode_field *field) {
    int64_t slot = slot_of(i, field);
    uint64_t count = slots_of(i, field);
    bool written = field->flags & FIELD_WRITTEN;
    if (count == 0)
        return true; /* enter_0 clears none */
    if ((i->flags & INSTRUCTION_LOADS_PINS) && !written)
        return true; /* do_enter() */
    if ((i->flags & INSTRUCTION_RETURNS) && written)
        return is_result(v, slot, count) || wrong(v, i, "the results go elsewhere");
    return is_in_frame(v, i, slot, count) || wrong(v, i, "a slot is not of this frame");
}

static bool check_instruction(struct verifier *v, const struct instruction *i) {
    const struct bytecode_field *field;
    if (!is_allowed(v, i))
        return wrong(v, i, "this code may not have such an instruction here");
    if (!has_indices(v, i))
        return wrong(v, i, "an index does not exist");
    if (!has_numbers(v, i))
        return wrong(v, i, "a number is out of range");
    if (i->bytecode == BC_return_0 && v->type->result_slots > 0)
        return wrong(v, i, "the function has results");
    for (field = i->fields; field->kind != FIELD_END; field++)
        if (field->kind == FIELD_SLOT && !check_slots(v, i, field))
            return false;
    return true;
}

/* The first walk: where instructions begin, and whether pins are used. */
static bool find_starts(struct verifier *v) {
    struct instruction i = {0};
    for (uint32_t cell = 0; cell < v->code->cell_count; cell += i.cells) {
        if (!read_instruction(v, cell, &i))
            return false;
        v->marks[cell] |= IS_START;
        v->has_pins |= find_field(&i, FIELD_P) || find_field(&i, FIELD_Q);
    }
    return true;
}

static bool find_labels(struct verifier *v) {
    struct instruction i = {0};
    for (uint32_t cell = 0; cell < v->code->cell_count; cell += i.cells) {
        if (!read_instruction(v, cell, &i) || !check_instruction(v, &i))
            return false;
        const struct bytecode_field *field = targets_of(&i);
        for (uint64_t t = 0; field && t < target_count(&i, field); t++) {
            int64_t target = target_of(v, &i, field, (uint32_t)t);
            if (target < 0 || !(v->marks[target] & IS_START))
                return wrong(v, &i, "it branches to no instruction of the function");
            if (!(v->marks[target] & IS_LABEL))
                v->labels[target] = v->label_count++;
            v->marks[target] |= IS_LABEL;
        }
        if (!check_payment(v, &i))
            return false;
    }
    return true;
}

/* Whether the code returns here, perhaps a value that is brought into a scratch slot first. */
static bool returns_at(const struct verifier *v, uint32_t cell) {
    struct instruction i = {0};
    do {
        if (cell >= v->code->cell_count || !read_instruction(v, cell, &i))
            return false;
        cell += i.cells;
    } while (i.bytecode == BC_wide_get || i.bytecode == BC_wide_get2);
    return i.flags & INSTRUCTION_RETURNS;
}

/* Whether the tables are in order and clauses go to instructions that pay for their block, or return. */
static bool check_clause(struct verifier *v, const struct unwind_clause *clause) {
    struct instruction target = {0};
    if (clause->kind >= UNWIND_KINDS ||
        (!(clause->kind & UNWIND_ALL) && clause->tag >= v->module->tag_count))
        return wrong_table(v, "a clause of no kind or tag");
    if (clause->target >= v->code->cell_count || !(v->marks[clause->target] & IS_START) ||
        !read_instruction(v, clause->target, &target))
        return wrong_table(v, "one goes to no instruction");
    if (!pays(v, behind_check(v, clause->target)) && !returns_at(v, clause->target))
        return wrong_table(v, "the target of one does not pay for its block");
    uint32_t slots = caught_slots(v, clause);
    return slots == 0 || is_in_frame(v, &target, first_caught(clause), slots) ||
           wrong_table(v, "a slot is not of this frame");
}

static bool check_clauses(struct verifier *v) {
    const struct unwind *unwind = &v->code->unwind;
    for (uint32_t i = 0; i < unwind->mark_count; i++)
        if (unwind->marks[i].scope > unwind->scope_count ||
            (i > 0 && unwind->marks[i].cell < unwind->marks[i - 1].cell))
            return wrong_table(v, "marks are not in order");
    for (uint32_t i = 0; i < unwind->scope_count; i++)
        if (unwind->scopes[i].parent > i || unwind->scopes[i].first > unwind->clause_count)
            return wrong_table(v, "a scope is not in order");
    for (uint32_t i = 0; i < unwind->clause_count; i++) {
        uint32_t target = unwind->clauses[i].target, next = unwind->clauses[i].next;
        if (!check_clause(v, &unwind->clauses[i]))
            return false;
        if (next > unwind->clause_count || (next > 0 && next <= i + 1))
            return wrong_table(v, "the next of one is not behind it");
        if (!(v->marks[target] & IS_LABEL))
            v->labels[target] = v->label_count++;
        v->marks[target] |= IS_LABEL;
    }
    return true;
}

/* Values on every way to an instruction: the code is walked until nothing changes any more. */
static bool check_values(struct verifier *v) {
    v->words = (SLOT_BITS + (size_t)v->type->param_slots + v->code->frame_slots) / 64 + 1;
    size_t bytes = (v->label_count + (size_t)1) * v->words * sizeof *v->states;
    if (bytes > STATE_BYTES_MOST)
        return true;
    v->states = malloc(bytes);
    v->now = malloc(v->words * sizeof *v->now);
    v->before = malloc(v->words * sizeof *v->now);
    v->reached = calloc((size_t)v->label_count + 1, sizeof *v->reached);
    bool right = true;
    if (v->states && v->now && v->reached) {
        memset(v->states, 0xFF, bytes);
        do {
            v->again = false;
            right = walk(v);
        } while (right && v->again);
        v->checks = true;
        right = right && walk(v);
    }
    free(v->states);
    free(v->now);
    free(v->before);
    free(v->reached);
    return right;
}

bool cn_verify_code(const struct module *module, const struct code *code,
                    const struct translation_config *config, struct error *error) {
    struct verifier v = {.module = module,
                         .code = code,
                         .config = config,
                         .type = module_func_type(module, code->func_index),
                         .error = error};
    sort_handlers(config->handlers);
    v.marks = calloc((size_t)code->cell_count + 1, sizeof *v.marks);
    v.labels = calloc((size_t)code->cell_count + 1, sizeof *v.labels);
    bool right = !v.marks || !v.labels ||
                 (find_starts(&v) && find_labels(&v) && check_clauses(&v) && check_values(&v));
    free(v.marks);
    free(v.labels);
    return right;
}

void cn_assert_verified(const struct module *module, const struct code *code,
                        const struct translation_config *config) {
    struct error error;
    if (cn_verify_code(module, code, config, &error))
        return;
    fprintf(stderr, "catnap: bytecode that is not right: %s\n", error.message);
    abort();
}
#endif
