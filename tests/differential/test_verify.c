/*
 * The verifier of bytecode (bytecode/verify.h) accepts what the translator makes of all programs of this
 * directory, and rejects it when a single cell is changed. Changes of some kinds must always be
 * noticed. Another slot of the frame or another constant can be just as well formed: of those at
 * least a fifth is noticed; the counts are printed.
 *
 * Builds without assertions have no verifier.
 */
#include "api/api.h"
#include "bytecode/fields.h"
#include "bytecode/form.h"
#include "bytecode/verify.h"
#include "translate/translate.h"

#include "../hostile/hostile.h"
#include "shapes.h"

#ifdef CATNAP_ASSERT

#define SEEDS 10
#define SHAPES_APART 5    /* one of so many modules of shapes */
#define MUTATED_MODULES 3 /* of the shapes, and as many random ones */

static const struct translation_config configs[] = {
    {0},
    {.explicit_checks = true},
    {.interruptible = true},
    {.fuel = true},
    {.fuel = true, .interruptible = true, .explicit_checks = true},
    {.fuel = true, .steps = true},
};

enum mutation {
    NO_HANDLER,                   /* the address of no instruction */
    SLOT_IN_HEADER,               /* a slot of the frame's header */
    SLOT_ABOVE,                   /* the first slot above the frame */
    SLOT_BELOW,                   /* the first slot below the parameters */
    TARGET_INSIDE,                /* into the middle of an instruction */
    TARGET_UNALIGNED,             /* into the middle of a cell */
    TARGET_OUTSIDE,               /* in front of the function */
    TABLE_TOO_LONG,               /* a br_table with more entries than there are cells */
    NO_SUCH_INDEX,                /* of a global or a function */
    FRAME_UNALIGNED,              /* a callee's frame */
    FRAME_OUTSIDE,                /* one that begins above this frame */
    RESULT_ELSEWHERE,             /* a return to another slot */
    ACC_NOT_WRITTEN,              /* the producer of an accumulator becomes a constant */
    ACC_NOT_READ,                 /* its consumer becomes one */
    FUEL_NOT_TAKEN,               /* the start of a block that is branched to becomes one */
    ALWAYS_NOTICED,               /* those before */
    SLOT_BESIDE = ALWAYS_NOTICED, /* the next slot of the frame */
    PIN_NOT_WRITTEN,              /* what writes a pin writes its slot only */
    TARGET_ELSEWHERE,             /* the next instruction but one */
    MUTATIONS
};
static const char *const names[MUTATIONS] = {
    "no handler",       "slot in header",   "slot above",      "slot below",    "target inside",
    "target unaligned", "target outside",   "table too long",  "no such index", "frame unaligned",
    "frame outside",    "result elsewhere", "acc not written", "acc not read",  "fuel not taken",
    "slot beside",      "pin not written",  "target elsewhere"};

struct counts {
    uint64_t made[MUTATIONS], noticed[MUTATIONS];
};

/* A translated function, whose cells are changed one at a time. */
struct subject {
    const struct module *module;
    const struct translation_config *config;
    struct code *code;
    const struct source_map *map;
    struct counts *counts;
};

static bool verifies(const struct subject *s) {
    struct error error;
    return cn_verify_code(s->module, s->code, s->config, &error);
}

static void mutate(struct subject *s, enum mutation mutation, uint64_t *cell, uint64_t value) {
    uint64_t kept = *cell;
    if (kept == value)
        return;
    *cell = value;
    bool noticed = !verifies(s);
    *cell = kept;
    s->counts->made[mutation]++;
    s->counts->noticed[mutation] += noticed;
    if (!noticed && mutation < ALWAYS_NOTICED)
        fail_msg("function %u, cell %u, %s: %llx passed for %llx", s->code->func_index,
                 (unsigned)(cell - s->code->cells), names[mutation], (unsigned long long)value,
                 (unsigned long long)kept);
}

static uint64_t with_16_bits(uint64_t cell, unsigned shift, int64_t value) {
    return (cell & ~(UINT64_C(0xFFFF) << shift)) | (uint64_t)(uint16_t)value << shift;
}
static uint64_t with_upper_half(uint64_t cell, int64_t value) {
    return (uint32_t)cell | (uint64_t)(uint32_t)value << 32;
}

static bool is_return(enum bytecode bytecode) {
    return strncmp(cn_bytecode_name(bytecode), "return_", 7) == 0;
}
static bool is_prologue(enum bytecode bytecode) {
    const char *name = cn_bytecode_name(bytecode);
    return strncmp(name, "enter_", 6) == 0 || strncmp(name, "clear_", 6) == 0;
}

static void mutate_slot(struct subject *s, enum bytecode bytecode, uint64_t *at,
                        const struct bytecode_field *field) {
    if (field->at < AT_O0 || field->at > AT_O3 || is_prologue(bytecode))
        return;
    unsigned shift = 16u * (field->at - AT_O0);
    int64_t slot = (int16_t)(at[1] >> shift);
    int64_t below = -(int64_t)s->code->param_slots - 1;
    if (is_return(bytecode) && (field->flags & FIELD_WRITTEN)) {
        mutate(s, RESULT_ELSEWHERE, &at[1], with_16_bits(at[1], shift, slot + 1));
        return;
    }
    mutate(s, SLOT_IN_HEADER, &at[1], with_16_bits(at[1], shift, FRAME_CODE));
    mutate(s, SLOT_BELOW, &at[1], with_16_bits(at[1], shift, below));
    if (s->code->frame_slots <= INT16_MAX)
        mutate(s, SLOT_ABOVE, &at[1], with_16_bits(at[1], shift, s->code->frame_slots));
    mutate(s, SLOT_BESIDE, &at[1], with_16_bits(at[1], shift, slot + 1));
}

static void mutate_target(struct subject *s, const struct source_map_entry *entry, uint64_t *at) {
    int64_t by = bc_w(at);
    const uint64_t *target = at + by / 8;
    uint64_t position = (uint64_t)(target - s->code->cells);
    mutate(s, TARGET_UNALIGNED, &at[1], with_upper_half(at[1], by + 4));
    mutate(s, TARGET_OUTSIDE, &at[1], with_upper_half(at[1], -(int64_t)(entry->cell + 1) * 8));
    const struct source_map_entry *there =
        cn_source_map_find(s->map, s->code->first_cell + (uint32_t)position);
    const struct source_map_entry *next = there + 1;
    if (next < s->map->entries + s->map->count && next->cell > there->cell + 1)
        mutate(s, TARGET_INSIDE, &at[1], with_upper_half(at[1], by + 8));
    if (next + 1 < s->map->entries + s->map->count)
        mutate(s, TARGET_ELSEWHERE, &at[1],
               with_upper_half(at[1], by + 8 * (int64_t)(next[1].cell - there->cell)));
}

/* An instruction of two cells becomes a constant that is written to the slot of its first field. */
static void mutate_to_constant(struct subject *s, enum mutation mutation, uint64_t *at,
                               int32_t slot) {
    uint64_t fields = at[1];
    at[1] = with_16_bits(fields, 0, slot);
    mutate(s, mutation, &at[0], s->config->handlers[BC_const32]);
    at[1] = fields;
}

static const struct bytecode_field *find_field(const struct bytecode_field *field,
                                               enum field_kind kind) {
    while (field->kind != FIELD_END && field->kind != kind)
        field++;
    return field->kind == kind ? field : NULL;
}

static bool is_target(const struct subject *s, uint32_t cell) {
    for (size_t i = 0; i < s->map->count; i++) {
        const struct source_map_entry *entry = &s->map->entries[i];
        if (entry->cell < s->code->first_cell)
            continue;
        const struct bytecode_field *fields = cn_bytecode_fields((enum bytecode)entry->bytecode);
        const uint64_t *at = cn_cell_at(s->code, entry->cell);
        if (find_field(fields, FIELD_BRANCH) && entry->cell + bc_w(at) / 8 == (int64_t)cell)
            return true;
    }
    return false;
}

static void mutate_accumulator(struct subject *s, uint64_t *at, uint32_t cells,
                               const struct bytecode_field *fields) {
    const struct bytecode_field *acc = find_field(fields, FIELD_ACC);
    acc = acc ? acc : find_field(fields, FIELD_FACC);
    int32_t slot = (int32_t)s->code->frame_slots - 1;
    bool both = acc && find_field(acc + 1, (enum field_kind)acc->kind);
    if (!acc || both || cells != 2 || slot < FRAME_HEADER_SLOTS || slot > INT16_MAX ||
        find_field(fields, FIELD_BRANCH) || find_field(fields, FIELD_TABLE))
        return;
    mutate_to_constant(s, acc->flags & FIELD_WRITTEN ? ACC_NOT_WRITTEN : ACC_NOT_READ, at, slot);
}

static void mutate_pin(struct subject *s, uint64_t *at, uint32_t cells,
                       const struct bytecode_field *fields) {
    const struct bytecode_field *p = find_field(fields, FIELD_P), *q = find_field(fields, FIELD_Q);
    bool writes_p = p && p->flags == FIELD_WRITTEN, writes_q = q && q->flags == FIELD_WRITTEN;
    if (writes_p != writes_q && cells == 2 && !find_field(fields, FIELD_BRANCH))
        mutate_to_constant(s, PIN_NOT_WRITTEN, at, writes_p ? FRAME_PIN_P : FRAME_PIN_Q);
}

static void mutate_instruction(struct subject *s, const struct source_map_entry *entry,
                               uint32_t cells) {
    enum bytecode bytecode = (enum bytecode)entry->bytecode;
    const struct bytecode_field *fields = cn_bytecode_fields(bytecode);
    uint64_t *at = s->code->cells + (entry->cell - s->code->first_cell);
    mutate(s, NO_HANDLER, &at[0], at[0] + 1);
    for (const struct bytecode_field *field = fields; field->kind != FIELD_END; field++)
        if (field->kind == FIELD_SLOT)
            mutate_slot(s, bytecode, at, field);
    if (find_field(fields, FIELD_BRANCH))
        mutate_target(s, entry, at);
    if (find_field(fields, FIELD_TABLE))
        mutate(s, TABLE_TOO_LONG, &at[1], with_upper_half(at[1], INT32_MAX));
    if (find_field(fields, FIELD_FRAME)) {
        mutate(s, FRAME_UNALIGNED, &at[1], with_upper_half(at[1], bc_w(at) + 4));
        mutate(s, FRAME_OUTSIDE, &at[1],
               with_upper_half(at[1], 8 * (int64_t)(s->code->frame_slots + 1)));
    }
    if (bytecode == BC_global_get || bytecode == BC_global_set)
        mutate(s, NO_SUCH_INDEX, &at[1], with_upper_half(at[1], s->module->global_count));
    if (find_field(fields, FIELD_FUNC))
        mutate(s, NO_SUCH_INDEX, &at[2], (uint64_t)s->module->func_count << 1 | CALL_UNBOUND);
    if (bytecode == BC_fuel && is_target(s, entry->cell))
        mutate_to_constant(s, FUEL_NOT_TAKEN, at, (int32_t)s->code->frame_slots - 1);
    mutate_accumulator(s, at, cells, fields);
    mutate_pin(s, at, cells, fields);
}

static void mutate_function(struct subject *s) {
    for (size_t i = 0; i < s->map->count; i++) {
        const struct source_map_entry *entry = &s->map->entries[i];
        uint32_t end =
            i + 1 < s->map->count ? entry[1].cell : s->code->first_cell + s->code->cell_count;
        if (entry->cell >= s->code->first_cell)
            mutate_instruction(s, entry, end - entry->cell);
    }
}

/* Translates and verifies all functions of a module; where counts are given, with all mutations. */
static void verify_module(const struct bytes *b, struct translation_config config,
                          struct counts *counts) {
    struct world w;
    open_world(&w, (struct form){0});
    config.handlers = w.engine->handlers;
    wasm_module_t *object = load_module(w.store, b);
    struct module *module = object->shared->module;
    for (uint32_t f = module->imported_func_count; f < module->func_count; f++) {
        struct source_map map = {.alloc = module->alloc};
        struct error error;
        struct code *code =
            cn_translate(module, f, cn_module_body(module, f), &config, NULL, &map, &error);
        assert_non_null(code);
        struct subject s = {module, &config, code, &map, counts};
        if (!cn_verify_code(module, code, &config, &error))
            fail_msg("%s", error.message);
        if (counts)
            mutate_function(&s);
        cn_free(module->alloc, code, code->size);
        cn_source_map_free(&map);
    }
    wasm_module_delete(object);
    close_world(&w);
}

static void translated_code_verifies(void **state) {
    (void)state;
    uint32_t shapes = count_shape_modules() / SHAPES_APART;
    for (uint32_t i = 0; i < shapes + SEEDS; i++) {
        struct bytes b = i < shapes ? generate_shapes(i * SHAPES_APART, i % 8 == 7 ? 32760 : 0)
                                    : generate((struct generator_options){.seed = 1 + i - shapes});
        for (size_t c = 0; c < COUNT(configs); c++)
            verify_module(&b, configs[c], NULL);
        drop_bytes(&b);
    }
}

static void count_mutations(struct counts *counts) {
    uint32_t shapes = count_shape_modules();
    for (uint32_t i = 0; i < 2 * MUTATED_MODULES; i++) {
        struct bytes b = i < MUTATED_MODULES ? generate_shapes(i * (shapes / MUTATED_MODULES), 0)
                                             : generate((struct generator_options){.seed = i});
        verify_module(&b, configs[i], counts);
        drop_bytes(&b);
    }
}

static void changed_cells_are_noticed(void **state) {
    (void)state;
    struct counts counts = {0};
    bool has_accumulators = CN_ACCUMULATOR;
    bool has_pins = CN_PAIRS;
    count_mutations(&counts);
    for (unsigned m = 0; m < MUTATIONS; m++) {
        print_message("%s: %llu of %llu\n", names[m], (unsigned long long)counts.noticed[m],
                      (unsigned long long)counts.made[m]);
        bool possible = m == ACC_NOT_WRITTEN || m == ACC_NOT_READ ? has_accumulators
                        : m == PIN_NOT_WRITTEN                    ? has_pins
                                                                  : true;
        assert_true(counts.made[m] > 0 || !possible);
        assert_true(counts.noticed[m] >= counts.made[m] / 5);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(translated_code_verifies),
        cmocka_unit_test(changed_cells_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) {
    puts("1..0 # SKIP this build has no assertions");
    return 0;
}

#endif
