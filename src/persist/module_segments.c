/*
 * Element and data segments of a module that is written from an instance. Passive segments that were not
 * dropped are written as they are. Other segments are left out; where the code names one by its index, or
 * one behind it, an empty segment keeps its place. The contents of tables and memories follow as active
 * segments.
 */
#include "persist/module.h"

#include "binary/opcodes.h"

/* Forms of segments (sections 5.5.12 and 5.5.14). */
enum {
    ELEM_FUNCS = 0,
    ELEM_PASSIVE_FUNCS = 1,
    ELEM_TABLE_FUNCS = 2,
    ELEM_DECLARED_FUNCS = 3,
    ELEM_PASSIVE_EXPRS = 5,
    ELEM_TABLE_EXPRS = 6,
    ELEM_KIND_FUNC = 0,
    DATA_ACTIVE = 0,
    DATA_PASSIVE = 1,
    DATA_MEMORY = 2
};

/* Zeroes between two ranges that cost less than a segment of their own. */
#define FIRST_GAP_BITS 4

/* ---- Planning ---- */

static void keep_passive(struct conversion *c) {
    const struct module *module = c->module;
    c->kept_elems = c->uses.elems;
    c->kept_datas = c->uses.datas;
    for (uint32_t i = c->kept_elems; i < module->elem_count; i++)
        if (!c->instance->dropped_elems[i])
            c->kept_elems = i + 1;
    for (uint32_t i = c->kept_datas; i < module->data_count; i++)
        if (!c->instance->dropped_datas[i])
            c->kept_datas = i + 1;
}

struct gaps {
    uint64_t ranges;
    uint64_t by_bits[64]; /* distances of 2^i and more, below 2^(i+1) */
};

static void count_gap(void *env, uint64_t from, uint64_t to, uint64_t distance) {
    struct gaps *gaps = env;
    (void)from;
    (void)to;
    gaps->ranges++;
    if (distance > 0)
        gaps->by_bits[63 - __builtin_clzll(distance)]++;
}

bool cn_plan_segments(struct conversion *c) {
    const struct module *module = c->module;
    struct gaps gaps = {0};
    unsigned bits = FIRST_GAP_BITS;
    keep_passive(c);
    for (uint32_t i = 0; i < module->memory_count; i++)
        cn_memory_ranges(c->instance->memories[i], UINT64_C(1) << bits, count_gap, &gaps);
    /* Too many segments: leave out only longer and longer zeroes. */
    uint64_t room = LIMIT_DATA_SEGMENTS - c->kept_datas;
    while (gaps.ranges > room && bits < 63)
        gaps.ranges -= gaps.by_bits[bits++];
    if (gaps.ranges > room)
        return cn_fail(
            c->error, CATNAP_LIMIT,
            "no data segment is left for a memory: the code uses %u, and the limit is %u",
            c->kept_datas, LIMIT_DATA_SEGMENTS);
    c->gap = UINT64_C(1) << bits;
    c->data_count = c->kept_datas + (uint32_t)gaps.ranges;
    return true;
}

/* ---- Data ---- */

static void write_offset(struct encoder *out, const struct limits *limits, uint64_t offset) {
    cn_encode_opcode(out, limits->is_64 ? OP_i64_const : OP_i32_const);
    cn_encode_s64(out, limits->is_64 ? (int64_t)offset : (int32_t)offset);
    cn_encode_opcode(out, OP_end);
}

struct memory_writer {
    struct conversion *conversion;
    uint32_t memory;
};

static void write_range(void *env, uint64_t from, uint64_t to, uint64_t distance) {
    const struct memory_writer *w = env;
    struct encoder *out = &w->conversion->out;
    const wasm_memory_t *memory = w->conversion->instance->memories[w->memory];
    (void)distance;
    if (to - from > LIMIT_MODULE_BYTES) {
        out->failure = out->failure == CATNAP_OK ? CATNAP_LIMIT : out->failure;
        return;
    }
    cn_encode_byte(out, w->memory > 0 ? DATA_MEMORY : DATA_ACTIVE);
    if (w->memory > 0)
        cn_encode_u32(out, w->memory);
    write_offset(out, &memory->type.limits, from);
    cn_encode_u32(out, (uint32_t)(to - from));
    cn_encode_bytes(out, memory->base + from, (size_t)(to - from));
}

bool cn_write_datas(struct conversion *c) {
    struct encoder *out = &c->out;
    cn_encode_u32(out, c->data_count);
    for (uint32_t i = 0; i < c->kept_datas; i++) {
        struct span bytes = c->module->datas[i].bytes;
        uint32_t length = c->instance->dropped_datas[i] ? 0 : bytes.length;
        cn_encode_byte(out, DATA_PASSIVE);
        cn_encode_u32(out, length);
        cn_encode_bytes(out, c->module->bytes + bytes.offset, length);
    }
    for (uint32_t i = 0; i < c->module->memory_count; i++) {
        struct memory_writer writer = {c, i};
        cn_memory_ranges(c->instance->memories[i], c->gap, write_range, &writer);
    }
    return true;
}

/* ---- Elements ---- */

static void write_elem_type(struct conversion *c, bool funcs, valtype type) {
    if (funcs)
        cn_encode_byte(&c->out, ELEM_KIND_FUNC);
    else
        cn_write_valtype(c, type);
}

/* Function indices alone make elements of this type. */
static bool is_any_func(valtype type) {
    return (type & ~VT_NON_NULL) == VT_FUNCREF;
}

static void write_kept_elem(struct conversion *c, uint32_t index) {
    struct encoder *out = &c->out;
    const struct elem_segment *elem = &c->module->elems[index];
    bool alive = !c->instance->dropped_elems[index];
    bool exprs = alive ? elem->exprs : !is_any_func(elem->type);
    cn_encode_byte(out, exprs ? ELEM_PASSIVE_EXPRS : ELEM_PASSIVE_FUNCS);
    write_elem_type(c, !exprs, elem->type);
    cn_encode_u32(out, alive ? elem->count : 0);
    if (!alive)
        return;
    cn_encode_bytes(out, c->module->bytes + elem->items.offset, elem->items.length);
    cn_declare_items(c, elem);
}

/* A range of a table without elements that it has at first anyway: null, or none where it has an initial value. */
struct run {
    uint32_t table, from, to;
    bool funcs; /* functions only */
};

/* Finds the next one; false when there is none, or a reference that cannot be written (the error is
 * then set). */
static bool next_run(struct conversion *c, struct run *run, bool *ok) {
    const wasm_table_t *table = c->instance->tables[run->table];
    struct place place;
    bool all = module_table_init(c->module, run->table) != NULL;
    for (run->from = run->to; run->from < table->size && !all && !table->elements[run->from];)
        run->from++;
    run->funcs = is_any_func(table->type.element);
    for (run->to = run->from; run->to < table->size && (all || table->elements[run->to]);
         run->to++) {
        if (!table->elements[run->to]) {
            run->funcs = false;
            continue;
        }
        if (!cn_find_place(c, table->elements[run->to], table->type.element, &place)) {
            *ok = cn_fail(c->error, CATNAP_UNSUPPORTED,
                          "element %u of table %u refers to %s, which a module cannot contain",
                          run->to, run->table,
                          cn_refused_object(table->elements[run->to], table->type.element));
            return false;
        }
        run->funcs = run->funcs && place.way == PLACE_FUNC;
    }
    return run->from < run->to;
}

static void write_run_head(struct conversion *c, const struct run *run,
                           const struct tabletype *type) {
    struct encoder *out = &c->out;
    uint32_t form = !run->funcs ? ELEM_TABLE_EXPRS : run->table > 0 ? ELEM_TABLE_FUNCS : ELEM_FUNCS;
    cn_encode_byte(out, (uint8_t)form);
    if (form != ELEM_FUNCS)
        cn_encode_u32(out, run->table);
    write_offset(out, &type->limits, run->from);
    if (form != ELEM_FUNCS)
        write_elem_type(c, run->funcs, type->element);
    cn_encode_u32(out, run->to - run->from);
}

static void write_run(struct conversion *c, const struct run *run) {
    const wasm_table_t *table = c->instance->tables[run->table];
    struct place place = {0};
    write_run_head(c, run, &table->type);
    for (uint32_t i = run->from; i < run->to; i++) {
        if (!table->elements[i]) {
            cn_write_null(c, table->type.element);
            cn_encode_opcode(&c->out, OP_end);
            continue;
        }
        cn_find_place(c, table->elements[i], table->type.element, &place);
        if (run->funcs) {
            cn_encode_u32(&c->out, place.index);
            set_bit(c->declared, place.index);
            continue;
        }
        cn_write_place(c, &place);
        cn_encode_opcode(&c->out, OP_end);
    }
}

/* Code may name only functions that occur elsewhere in the module, too. */
static uint32_t write_declared(struct conversion *c) {
    struct encoder *out = &c->out;
    uint32_t missing = 0;
    for (uint32_t i = 0; i < c->module->func_count; i++)
        missing += test_bit(c->uses.funcs, i) && !test_bit(c->declared, i);
    if (missing == 0)
        return 0;
    cn_encode_byte(out, ELEM_DECLARED_FUNCS);
    cn_encode_byte(out, ELEM_KIND_FUNC);
    cn_encode_u32(out, missing);
    for (uint32_t i = 0; i < c->module->func_count; i++)
        if (test_bit(c->uses.funcs, i) && !test_bit(c->declared, i))
            cn_encode_u32(out, i);
    return 1;
}

/* Items of a passive segment that were made already would be made again, as other objects. */
static bool check_kept_elem(struct conversion *c, uint32_t index) {
    const uint64_t *slots;
    valtype type = c->module->elems[index].type;
    uint32_t count = cn_elem_items_read(c->instance->elem_items[index], &slots);
    struct place place;
    if (c->instance->dropped_elems[index] || vt_kind(type) == KIND_FUNC)
        return true;
    for (uint32_t i = 0; i < count; i++)
        if (slots[i] && !cn_find_place(c, slots[i], type, &place))
            return cn_fail(c->error, CATNAP_UNSUPPORTED,
                           "element segment %u has made objects, which a module cannot contain",
                           index);
    return true;
}

bool cn_write_elems(struct conversion *c) {
    size_t place = cn_encode_keep(&c->out);
    uint32_t count = c->kept_elems;
    bool ok = true;
    for (uint32_t i = 0; ok && i < c->kept_elems; i++)
        ok = check_kept_elem(c, i);
    for (uint32_t i = 0; i < c->kept_elems; i++)
        write_kept_elem(c, i);
    for (uint32_t i = 0; ok && i < c->module->table_count; i++)
        for (struct run run = {.table = i}; next_run(c, &run, &ok); count++)
            write_run(c, &run);
    count += write_declared(c);
    cn_encode_put(&c->out, place, count);
    if (ok && count > LIMIT_ELEM_SEGMENTS)
        return cn_fail(c->error, CATNAP_LIMIT, "needs %u element segments; the limit is %u", count,
                       LIMIT_ELEM_SEGMENTS);
    return ok;
}
