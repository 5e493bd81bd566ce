/* The table of the kinds of mutable state, see state.h. */
#include "runtime/state.h"

#define VALUE_BYTES (2 * sizeof(uint64_t))

/* ---- Memories ---- */

static struct state_items memory_items(const struct wasm_ref_t *ref) {
    const wasm_memory_t *memory = (const wasm_memory_t *)ref;
    return (struct state_items){memory->base, memory->size, (size_t)memory->size};
}

static uint64_t memory_first(const struct module *module, uint32_t index) {
    return cn_memory_first(&module->memories[index]);
}

static struct wasm_ref_t *make_memory(wasm_store_t *store, const struct module *module,
                                      uint32_t index, struct error *error) {
    return (struct wasm_ref_t *)cn_memory_new(store, &module->memories[index], index == 0, error);
}

static uint64_t memory_room(const struct wasm_ref_t *ref) {
    return cn_memory_room_there((const wasm_memory_t *)ref);
}

static bool grow_memory(struct wasm_ref_t *ref, uint64_t pages) {
    return cn_memory_grow_there((wasm_memory_t *)ref, pages);
}

/* ---- Tables ---- */

static struct state_items table_items(const struct wasm_ref_t *ref) {
    const wasm_table_t *table = (const wasm_table_t *)ref;
    return (struct state_items){table->elements, table->size,
                                (size_t)table->size * sizeof *table->elements};
}

static uint64_t table_first(const struct module *module, uint32_t index) {
    uint64_t elements = module->tables[index].limits.min, most = LIMIT_TABLE_ELEMENTS + 1;
    return elements < most ? elements : most; /* no table is made that is larger */
}

static struct wasm_ref_t *make_table(wasm_store_t *store, const struct module *module,
                                     uint32_t index, struct error *error) {
    return (struct wasm_ref_t *)cn_table_new(store, &module->tables[index], 0, error);
}

static valtype table_type(const struct wasm_ref_t *ref, uint32_t item) {
    (void)item;
    return ((const wasm_table_t *)ref)->type.element;
}

static uint64_t table_room(const struct wasm_ref_t *ref) {
    return cn_table_room((const wasm_table_t *)ref);
}

static bool grow_table(struct wasm_ref_t *ref, uint64_t count) {
    return cn_table_grow((wasm_table_t *)ref, count, 0) >= 0;
}

/* ---- Globals ---- */

static valtype global_type(const struct wasm_ref_t *instance, uint32_t item) {
    const struct module *module = ((const wasm_instance_t *)instance)->module;
    return module->globals[module->imported_global_count + item].type.type;
}

static struct state_items host_global_items(const struct wasm_ref_t *ref) {
    uint64_t *own = ((wasm_global_t *)(uintptr_t)ref)->own;
    return (struct state_items){own, 1, VALUE_BYTES};
}

static valtype host_global_type(const struct wasm_ref_t *ref, uint32_t item) {
    (void)item;
    return ((const wasm_global_t *)ref)->type.type;
}

/* ---- Tags and exceptions ---- */

static struct state_items tag_items(const struct wasm_ref_t *ref) {
    return (struct state_items){(void *)(uintptr_t)ref, 0, 0};
}

static uint64_t tag_first(const struct module *module, uint32_t index) {
    (void)module;
    (void)index;
    return 0;
}

static struct wasm_ref_t *make_tag(wasm_store_t *store, const struct module *module, uint32_t index,
                                   struct error *error) {
    struct catnap_tag_t *tag = cn_tag_new(store, module_tag_type(module, index), error);
    if (tag)
        tag->defined = true;
    return (struct wasm_ref_t *)tag;
}

static struct state_items exception_items(const struct wasm_ref_t *ref) {
    struct catnap_exception_t *exception = (struct catnap_exception_t *)(uintptr_t)ref;
    uint32_t count = exception->tag->type->param_count;
    return (struct state_items){exception->cells, count, count * VALUE_BYTES};
}

static valtype exception_type(const struct wasm_ref_t *ref, uint32_t item) {
    return ft_params(((const struct catnap_exception_t *)ref)->tag->type)[item];
}

/* ---- The table ---- */

#define MODULE(field) offsetof(struct module, field)
#define INSTANCE(field) offsetof(wasm_instance_t, field)

/* The rows of the table in their order. */
enum row {
    ROW_MEMORIES,
    ROW_TABLES,
    ROW_TAGS,
    ROW_GLOBALS,
    ROW_DROPPED_ELEMS,
    ROW_DROPPED_DATAS,
    ROW_HOST_GLOBALS,
    ROW_EXCEPTIONS,
    ROWS
};

/* Rows of parts come first: a walk over parts ends at the first other row. Rows with the same holder stand
 * together. Snapshots hold objects and items in the order of the rows: a new row comes last in its group. */
const struct state_kind cn_state_kinds[] = {
    {
        .name = "memories",
        .holder = OBJECT_MEMORY,
        .form = STATE_PAGES,
        .item_bytes = 1,
        .section = SECTION_MEMORY,
        .count = MODULE(memory_count),
        .imported = MODULE(imported_memory_count),
        .array = INSTANCE(memories),
        .items = memory_items,
        .noun = "memory",
        .items_noun = "bytes",
        .unit = WASM_PAGE_BYTES,
        .first = memory_first,
        .make = make_memory,
        .room = memory_room,
        .grow = grow_memory,
    },
    {
        .name = "tables",
        .holder = OBJECT_TABLE,
        .form = STATE_REFS,
        .item_bytes = sizeof(uint64_t),
        .section = SECTION_TABLE,
        .count = MODULE(table_count),
        .imported = MODULE(imported_table_count),
        .array = INSTANCE(tables),
        .items = table_items,
        .type = table_type,
        .noun = "table",
        .items_noun = "elements",
        .unit = 1,
        .first = table_first,
        .make = make_table,
        .room = table_room,
        .grow = grow_table,
    },
    {
        .name = "tags",
        .holder = OBJECT_TAG,
        .form = STATE_NOTHING,
        .section = SECTION_TAG,
        .count = MODULE(tag_count),
        .imported = MODULE(imported_tag_count),
        .array = INSTANCE(tags),
        .items = tag_items,
        .noun = "tag",
        .items_noun = "items",
        .unit = 1,
        .first = tag_first,
        .make = make_tag,
    },
    {
        .name = "globals",
        .holder = OBJECT_INSTANCE,
        .form = STATE_VALUES,
        .item_bytes = VALUE_BYTES,
        .section = SECTION_GLOBAL,
        .count = MODULE(global_count),
        .imported = MODULE(imported_global_count),
        .array = INSTANCE(cells),
        .type = global_type,
    },
    {
        .name = "dropped element segments",
        .holder = OBJECT_INSTANCE,
        .form = STATE_FLAGS,
        .item_bytes = sizeof(bool),
        .section = SECTION_ELEMENT,
        .count = MODULE(elem_count),
        .array = INSTANCE(dropped_elems),
    },
    {
        .name = "dropped data segments",
        .holder = OBJECT_INSTANCE,
        .form = STATE_FLAGS,
        .item_bytes = sizeof(bool),
        .section = SECTION_DATA,
        .count = MODULE(data_count),
        .array = INSTANCE(dropped_datas),
    },
    {
        .name = "globals of the host",
        .holder = OBJECT_GLOBAL,
        .form = STATE_VALUES,
        .item_bytes = VALUE_BYTES,
        .items = host_global_items,
        .type = host_global_type,
    },
    {
        .name = "exceptions",
        .holder = OBJECT_EXCEPTION,
        .form = STATE_VALUES,
        .item_bytes = VALUE_BYTES,
        .items = exception_items,
        .type = exception_type,
    },
};

_Static_assert(sizeof cn_state_kinds / sizeof *cn_state_kinds == ROWS, "each row has its number");

const struct state_kind *const cn_state_kinds_end = cn_state_kinds + ROWS;

const struct state_range cn_state_ranges[OBJECT_KINDS] = {
    [OBJECT_MEMORY] = {cn_state_kinds + ROW_MEMORIES, cn_state_kinds + ROW_TABLES},
    [OBJECT_TABLE] = {cn_state_kinds + ROW_TABLES, cn_state_kinds + ROW_TAGS},
    [OBJECT_TAG] = {cn_state_kinds + ROW_TAGS, cn_state_kinds + ROW_GLOBALS},
    [OBJECT_INSTANCE] = {cn_state_kinds + ROW_GLOBALS, cn_state_kinds + ROW_HOST_GLOBALS},
    [OBJECT_GLOBAL] = {cn_state_kinds + ROW_HOST_GLOBALS, cn_state_kinds + ROW_EXCEPTIONS},
    [OBJECT_EXCEPTION] = {cn_state_kinds + ROW_EXCEPTIONS, cn_state_kinds + ROWS},
};

/* ---- Reading it ---- */

void cn_state_set_part(const struct state_kind *kind, wasm_instance_t *instance, uint32_t index,
                       struct wasm_ref_t *part) {
    CN_ASSERT(index < cn_state_end(kind, instance->module) && part->kind == kind->holder);
    memcpy((char *)cn_state_array(kind, instance) + index * sizeof part, &part, sizeof part);
}

uint32_t cn_state_count(const struct module *module, enum state_form form) {
    uint32_t count = 0;
    FOR_EACH_STATE_OF (kind, OBJECT_INSTANCE)
        if (kind->form == form)
            count += cn_state_end(kind, module) - cn_state_first(kind, module);
    return count;
}
