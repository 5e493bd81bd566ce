/* A function's WebAssembly and its register bytecode side by side (catnap inspect --function). */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "binary/walk.h"
#include "bytecode/bytecode.h"
#include "translate/translate.h"
#include "types/registry.h"
#include "code/code.h"

#define LEFT_WIDTH 44
#define BR_TABLE_SHOWN 16

struct line {
    char text[512];
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line->text + line->length, sizeof line->text - line->length, format,
                      arguments);
    va_end(arguments);
    if (n > 0)
        line->length += (size_t)n;
    if (line->length >= sizeof line->text)
        line->length = sizeof line->text - 1;
}

/* ---- WebAssembly ---- */

static void add_bytes(struct line *line, const uint8_t **at, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        add(line, " %u", *(*at)++);
}

/* A heap type, given as the nullable reference to it. */
static void add_heaptype(struct line *line, valtype type) {
    const char *name = cn_valtype_name(type | VT_NON_NULL); /* "(ref func)" */
    if (type & VT_DEFINED)
        add(line, " $type");
    else
        add(line, " %.*s", (int)strlen(name) - 6, name + 5);
}

/* A branch on a cast: the label, and both types. */
static void add_cast(struct line *line, const struct module *m, const uint8_t **at) {
    uint32_t flags = cn_u32_valid(at), label = cn_u32_valid(at);
    add(line, " %u", label);
    for (uint32_t null = CAST_FROM_NULL; null <= CAST_TO_NULL; null *= 2) {
        if (flags & null)
            add(line, " null");
        add_heaptype(line, cn_heaptype_valid(m, at));
    }
}

static void add_block_type(struct line *line, const struct module *m, const uint8_t **at) {
    int64_t type = cn_block_type_valid(m, at);
    if (type >= 0)
        add(line, " type %" PRId64, type);
    else if (type != BLOCK_EMPTY)
        add(line, " %s", cn_valtype_name(block_valtype(type)));
}

static void add_catch(struct line *line, struct catch_clause clause) {
    static const char *const names[] = {"catch", "catch_ref", "catch_all", "catch_all_ref"};
    add(line, " (%s", names[clause.kind]);
    if (!(clause.kind & CATCH_ALL))
        add(line, " %u", clause.tag);
    add(line, " %u)", clause.label);
}

static void add_immediates(struct line *line, const struct module *m, const uint8_t **at,
                           enum immediate immediate) {
    switch (immediate) {
    case IMM_NONE:
        break;
    case IMM_BLOCK:
        add_block_type(line, m, at);
        break;
    case IMM_BR_TABLE: {
        uint64_t count = (uint64_t)cn_u32_valid(at) + 1;
        for (uint64_t i = 0; i < count; i++) {
            uint32_t depth = cn_u32_valid(at);
            if (i < BR_TABLE_SHOWN)
                add(line, " %u", depth);
            else if (i == BR_TABLE_SHOWN)
                add(line, " ... (%" PRIu64 " in all)", count);
        }
        break;
    }
    case IMM_SELECT:
        for (uint32_t n = cn_u32_valid(at); n > 0; n--)
            add(line, " %s", cn_valtype_name(cn_valtype_valid(m, at)));
        break;
    case IMM_HEAP_TYPE:
    case IMM_REF_TYPE:
        add_heaptype(line, cn_heaptype_valid(m, at));
        break;
    case IMM_CAST:
        add_cast(line, m, at);
        break;
    case IMM_CALL_INDIRECT:
    case IMM_MEMORY_INIT:
    case IMM_MEMORY_COPY:
    case IMM_TABLE_INIT:
    case IMM_TABLE_COPY:
    case IMM_TYPE_FIELD:
    case IMM_TYPE_COUNT:
    case IMM_TYPE_DATA:
    case IMM_TYPE_ELEM:
    case IMM_TYPE_TYPE: {
        uint32_t first = cn_u32_valid(at), second = cn_u32_valid(at);
        add(line, " %u %u", first, second);
        break;
    }
    case IMM_I32:
    case IMM_I64:
        add(line, " %" PRId64, cn_s64_valid(at));
        break;
    case IMM_F32: {
        float value;
        memcpy(&value, *at, sizeof value);
        *at += sizeof value;
        add(line, " %.9g", (double)value);
        break;
    }
    case IMM_F64: {
        double value;
        memcpy(&value, *at, sizeof value);
        *at += sizeof value;
        add(line, " %.17g", value);
        break;
    }
    case IMM_V128:
    case IMM_SHUFFLE:
        add_bytes(line, at, 16);
        break;
    CASES_LANE:
        add_bytes(line, at, 1);
        break;
    case IMM_ZERO:
        ++*at;
        break;
    CASES_MEMARG: {
        struct memarg memarg = cn_memarg_valid(at);
        if (memarg.memory)
            add(line, " memory=%u", memarg.memory);
        if (memarg.offset)
            add(line, " offset=%" PRIu64, memarg.offset);
        add_bytes(line, at, cn_immediate_shapes[immediate].bytes);
        break;
    }
    case IMM_TRY_TABLE:
        add_block_type(line, m, at);
        for (uint32_t n = cn_u32_valid(at); n > 0; n--)
            add_catch(line, cn_catch_valid(at));
        break;
    case IMM_LABEL:
    case IMM_TAG:
    case IMM_FUNC:
    case IMM_TYPE:
    case IMM_LOCAL:
    case IMM_GLOBAL:
    case IMM_TABLE:
    case IMM_MEMORY:
    case IMM_DATA:
    case IMM_ELEM:
        add(line, " %u", cn_u32_valid(at));
        break;
    }
}

/* One WebAssembly instruction; `depth` is the nesting and is kept up to date. */
static void add_wasm(struct line *line, const struct module *m, const uint8_t **at,
                     uint32_t *depth) {
    uint32_t offset = (uint32_t)(*at - m->bytes);
    const struct op_info *info = &cn_op_info[cn_opcode_valid(at)];
    if ((info->flags & OPF_CLOSES) && *depth > 0)
        --*depth;
    add(line, "%06x  %*s%s", offset, (int)(*depth < 12 ? *depth * 2 : 24), "",
        cn_op_name(info));
    add_immediates(line, m, at, (enum immediate)info->immediate);
    if (info->flags & OPF_OPENS)
        ++*depth;
}

/* ---- bytecode ---- */

static void add_slot(struct line *line, int64_t slot) {
    if (slot < 0)
        add(line, " p%" PRId64, -slot);
    else
        add(line, " s%" PRId64, slot);
}

/* The entries of a br_table, which begin at this cell of the instruction. */
static void add_table(struct line *line, const uint64_t *pc, uint32_t cell, uint32_t first) {
    uint32_t count = (uint32_t)bc_w(pc) + 1;
    for (uint32_t i = 0; i < count && i < BR_TABLE_SHOWN; i++)
        add(line, " ->%" PRId64,
            cell + first + (i * INT64_C(4) + (int32_t)(pc[first + i / 2] >> (i % 2 * 32))) / 8);
    if (count > BR_TABLE_SHOWN)
        add(line, " ...");
}

static void add_field(struct line *line, const struct module *module, const uint64_t *pc,
                      uint32_t cell, const struct bytecode_field *field) {
    int64_t value = cn_field_value(pc, (enum field_at)field->at);
    bool half = field->at == AT_XLO || field->at == AT_XHI || field->at == AT_YLO ||
                field->at == AT_YHI;
    const struct deftype *defined;
    char type[128];
    switch ((enum field_kind)field->kind) {
    case FIELD_END:
        break;
    case FIELD_SLOT:
        add_slot(line, half ? (int16_t)value : value);
        break;
    case FIELD_ACC:
    case FIELD_FACC:
        add(line, " acc");
        break;
    case FIELD_P:
        add(line, " p");
        break;
    case FIELD_Q:
        add(line, " q");
        break;
    case FIELD_CONSTANT:
    case FIELD_INDEX:
        if (field->at == AT_X || field->at == AT_Y)
            add(line, " 0x%" PRIx64, (uint64_t)value);
        else
            add(line, " %" PRId64, value);
        break;
    case FIELD_BRANCH:
        add(line, " ->%" PRId64, cell + value / 8);
        break;
    case FIELD_FRAME:
        add(line, " +%" PRId64, value / 8);
        break;
    case FIELD_TABLE:
        add_table(line, pc, cell, field->at == AT_X ? 2 : 3);
        break;
    case FIELD_TYPE:
        defined = cn_types_get(module->registry, (uint32_t)value);
        add(line, " %s", cn_functype_format(dt_func(defined), type, sizeof type));
        break;
    case FIELD_FUNC:
        add(line, " 0x%" PRIx64, (uint64_t)value >> 1);
        break;
    }
}

static void add_bytecode(struct line *line, const struct module *module, const struct code *code,
                         uint32_t cell, enum bytecode bytecode) {
    const uint64_t *pc = cn_cell_at(code, cell);
    add(line, "%5u %s", cell, cn_bytecode_name(bytecode));
    for (const struct bytecode_field *f = cn_bytecode_fields(bytecode); f->kind != FIELD_END; f++)
        if (!(f->flags & FIELD_HIDDEN))
            add_field(line, module, pc, cell, f);
}

static void write_pair(struct line *left, struct line *right, catnap_write_t write, void *env) {
    if (right->length)
        while (left->length < LEFT_WIDTH)
            add(left, " ");
    write(env, left->text, left->length);
    if (right->length) {
        write(env, "  ", 2);
        write(env, right->text, right->length);
    }
    write(env, "\n", 1);
    left->length = right->length = 0;
}

static void write_body(const struct module *module, const struct code *code,
                       const struct source_map *map, catnap_write_t write, void *env) {
    struct line left = {.length = 0}, right = {.length = 0};
    const uint8_t *at = module->bytes + code->body.offset;
    const uint8_t *end = at + code->body.length;
    uint32_t depth = 1;
    size_t entry = 0;
    cn_skip_locals(&at);
    /* Cells that belong to no instruction come first: the prologue, if there is one. */
    while (entry < map->count && map->entries[entry].cell < code->first_cell)
        entry++;
    for (; entry < map->count && map->entries[entry].offset < (uint32_t)(at - module->bytes);
         entry++) {
        add_bytecode(&right, module, code, map->entries[entry].cell,
                     (enum bytecode)map->entries[entry].bytecode);
        write_pair(&left, &right, write, env);
    }
    while (at < end) {
        uint32_t offset = (uint32_t)(at - module->bytes);
        add_wasm(&left, module, &at, &depth);
        bool first = true;
        while (entry < map->count && map->entries[entry].offset == offset) {
            add_bytecode(&right, module, code, map->entries[entry].cell,
                         (enum bytecode)map->entries[entry].bytecode);
            write_pair(&left, &right, write, env);
            first = false;
            entry++;
        }
        if (first)
            write_pair(&left, &right, write, env);
    }
}

bool cn_code_disassemble(struct shared_module *shared, struct code_variant *variant, uint32_t func,
                         catnap_write_t write, void *env, struct error *error) {
    struct module *module = shared->module;
    struct source_map map = {.alloc = module->alloc};
    const struct code *published = cn_code_get(shared, variant, func, NULL, error);
    if (!published)
        return false;
    struct code *code =
        cn_translate(module, func, published->body, &variant->config, NULL, &map, error);
    if (code) {
        struct line left = {.length = 0}, right = {.length = 0};
        char type[256];
        add(&left, "; function %u %s: %u bytes, %u cells, frame of %u slots", func,
            cn_functype_format(module_func_type(module, func), type, sizeof type),
            code->body.length, code->cell_count, code->frame_slots);
        write_pair(&left, &right, write, env);
        write_body(module, code, &map, write, env);
        cn_free(module->alloc, code, code->size);
    }
    cn_source_map_free(&map);
    return code != NULL;
}
