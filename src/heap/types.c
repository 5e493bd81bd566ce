/* Types by number: layout, and where the references are. */
#include "heap/internal.h"

/* A box has no defined type: the key of its number. */
#define BOX_KEY UINT64_C(1)

static const struct heap_run box_runs[] = {{HEAP_BOX_OFFSET, 1, true}, {0, 0, false}};

/* ---- Descriptions ---- */

static bool is_reference(enum heap_storage storage) {
    return storage == STORE_HANDLE || storage == STORE_SIDE;
}

/* References of one kind that follow each other, written to runs[], which may be NULL; returns how many runs. */
static uint32_t list_runs(const struct heap_field *fields, uint32_t count, struct heap_run *runs) {
    uint32_t found = 0, next = 0; /* offset behind the last run */
    bool side = false;
    for (uint32_t i = 0; i < count; i++) {
        enum heap_storage storage = cn_storage_of(fields[i].type);
        if (!is_reference(storage))
            continue;
        bool joins = found > 0 && fields[i].offset == next && side == (storage == STORE_SIDE);
        side = storage == STORE_SIDE;
        next = fields[i].offset + 4;
        if (!joins && runs)
            runs[found] = (struct heap_run){fields[i].offset, 0, side};
        found += !joins;
        if (runs)
            runs[found - 1].count++;
    }
    return found;
}

static bool describe_runs(struct heap *h, struct heap_type *type, uint32_t field_count) {
    uint32_t count = list_runs(type->fields, field_count, NULL);
    struct heap_run *runs = cn_arena_calloc(&h->arena, count + 1, sizeof *runs);
    if (!runs)
        return false;
    list_runs(type->fields, field_count, runs);
    type->runs = runs;
    type->refs = count ? REFS_RUNS : REFS_NONE;
    return true;
}

static bool describe_array(struct heap *h, struct heap_type *type, const struct fieldtypes *def) {
    enum heap_storage storage = cn_storage_of(def->fields[0]);
    struct heap_field *element = cn_arena_calloc(&h->arena, 1, sizeof *element);
    if (!element)
        return false;
    *element = (struct heap_field){HEAP_ELEMENTS_OFFSET, def->fields[0]};
    type->kind = HEAP_ARRAY;
    type->bytes = HEAP_ELEMENTS_OFFSET;
    type->log2 = (uint8_t)cn_storage_log2(storage);
    type->refs = storage == STORE_HANDLE ? REFS_HANDLES : REFS_NONE;
    if (storage == STORE_SIDE)
        type->refs = REFS_SIDE;
    type->fields = element;
    return true;
}

static bool describe_struct(struct heap *h, struct heap_type *type, const struct fieldtypes *def) {
    struct heap_field *fields = cn_arena_calloc(&h->arena, def->def.count, sizeof *fields);
    if (!fields)
        return false;
    type->kind = HEAP_STRUCT;
    type->bytes = cn_layout_struct(def, fields);
    type->fields = fields;
    return describe_runs(h, type, def->def.count);
}

static bool describe(struct heap *h, struct heap_type *type, const struct fieldtypes *def) {
    *type = (struct heap_type){.display = def->def.display, .depth = def->def.depth};
    return def->def.kind == TYPE_ARRAY ? describe_array(h, type, def)
                                       : describe_struct(h, type, def);
}

/* ---- Numbers ---- */

/* Room for one more type in the tables. */
static bool make_type_room(struct heap *h) {
    uint32_t need = h->type_index.end + 1, room = h->type_room ? h->type_room * 2 : 16;
    if (need <= h->type_room)
        return true;
    if (need > LIMIT_HEAP_TYPES)
        return false;
    struct heap_type *types = cn_calloc(h->alloc, room, sizeof *types);
    const struct fieldtypes **defs = cn_calloc(h->alloc, room, sizeof *defs);
    if (!types || !defs) {
        cn_free(h->alloc, types, room * sizeof *types);
        cn_free(h->alloc, defs, room * sizeof *defs);
        return false;
    }
    if (h->type_room) {
        memcpy(types, h->type_table, h->type_room * sizeof *types);
        memcpy(defs, h->defs, h->type_room * sizeof *defs);
    }
    cn_types_end(h);
    h->types = h->type_table = types;
    h->defs = defs;
    h->type_room = room;
    return true;
}

void cn_types_end(struct heap *h) {
    cn_free(h->alloc, h->type_table, h->type_room * sizeof *h->type_table);
    cn_free(h->alloc, h->defs, h->type_room * sizeof *h->defs);
}

/* The number 0 is no type, and those of boxes are 1. */
bool cn_types_begin(struct heap *h) {
    if (!make_type_room(h) || cn_numbering_add(&h->type_index, BOX_KEY) != HEAP_BOX_TYPE)
        return false;
    h->type_table[HEAP_BOX_TYPE] = (struct heap_type){
        .bytes = HEAP_BOX_BYTES, .kind = HEAP_BOX, .refs = REFS_RUNS, .runs = box_runs};
    return true;
}

uint32_t cn_heap_find_type(const struct heap *h, const struct fieldtypes *def) {
    return cn_numbering_find(&h->type_index, (uint64_t)(uintptr_t)def);
}

/* Such a number has a key that is no address, no definition, and a size of 0. */
bool cn_heap_skip_type(struct heap *h, struct error *error) {
    uint32_t number = h->type_index.end;
    if (!make_type_room(h) ||
        cn_numbering_add(&h->type_index, (uint64_t)number << 1 | BOX_KEY) != number)
        return cn_fail_memory(error);
    return true;
}

uint32_t cn_heap_add_type(struct heap *h, const struct fieldtypes *def, struct error *error) {
    CN_ASSERT(def->def.kind == TYPE_STRUCT || def->def.kind == TYPE_ARRAY);
    uint64_t key = (uint64_t)(uintptr_t)def;
    uint32_t number = cn_numbering_find(&h->type_index, key);
    struct heap_type type;
    if (number)
        return number;
    if (!make_type_room(h) || !describe(h, &type, def) ||
        !(number = cn_numbering_add(&h->type_index, key))) {
        cn_fail_memory(error);
        return 0;
    }
    h->type_table[number] = type;
    h->defs[number] = def;
    return number;
}
