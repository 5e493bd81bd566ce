/* The table of the kinds of mutable state, see state.h. */
#include "runtime/state.h"

#include <string.h>

#include "base/assert.h"

static const size_t item_bytes[STATE_FORMS] = {[STATE_PAGES] = 1,
                                               [STATE_REFS] = sizeof(uint64_t),
                                               [STATE_VALUES] = 2 * sizeof(uint64_t),
                                               [STATE_FLAGS] = sizeof(bool)};

static struct state_items items(enum state_form form, void *at, uint64_t count) {
    return (struct state_items){at, count, (size_t)count * item_bytes[form]};
}

/* ---- Memories ---- */

static struct state_items memory_items(const struct wasm_ref_t *ref) {
    const wasm_memory_t *memory = (const wasm_memory_t *)ref;
    return items(STATE_PAGES, memory->base, memory->size);
}

static uint64_t memory_first(const struct module *module, uint32_t index) {
    return module->memories[index].limits.min * WASM_PAGE_BYTES;
}

static struct wasm_ref_t *make_memory(wasm_store_t *store, const struct module *module,
                                      uint32_t index, struct error *error) {
    return (struct wasm_ref_t *)cn_memory_new(store, &module->memories[index], error);
}

static uint64_t memory_room(const struct wasm_ref_t *ref) {
    return cn_memory_room((const wasm_memory_t *)ref);
}

static bool grow_memory(struct wasm_ref_t *ref, uint64_t pages) {
    return cn_memory_grow((wasm_memory_t *)ref, pages) >= 0;
}

/* ---- Tables ---- */

static struct state_items table_items(const struct wasm_ref_t *ref) {
    const wasm_table_t *table = (const wasm_table_t *)ref;
    return items(STATE_REFS, table->elements, table->size);
}

static uint64_t table_first(const struct module *module, uint32_t index) {
    return module->tables[index].limits.min;
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
    return items(STATE_VALUES, ((wasm_global_t *)(uintptr_t)ref)->own, 1);
}

static valtype host_global_type(const struct wasm_ref_t *ref, uint32_t item) {
    (void)item;
    return ((const wasm_global_t *)ref)->type.type;
}

/* ---- The table ---- */

#define MODULE(field) offsetof(struct module, field)
#define INSTANCE(field) offsetof(wasm_instance_t, field)

/* Snapshots hold items of one form in the order of these rows: a new row comes last of its form. */
const struct state_kind cn_state_kinds[] = {
    {
        .name = "memories",
        .holder = OBJECT_MEMORY,
        .form = STATE_PAGES,
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
        .name = "globals",
        .holder = OBJECT_INSTANCE,
        .form = STATE_VALUES,
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
        .section = SECTION_ELEMENT,
        .count = MODULE(elem_count),
        .array = INSTANCE(dropped_elems),
    },
    {
        .name = "dropped data segments",
        .holder = OBJECT_INSTANCE,
        .form = STATE_FLAGS,
        .section = SECTION_DATA,
        .count = MODULE(data_count),
        .array = INSTANCE(dropped_datas),
    },
    {
        .name = "globals of the host",
        .holder = OBJECT_GLOBAL,
        .form = STATE_VALUES,
        .items = host_global_items,
        .type = host_global_type,
    },
};

const struct state_kind *const cn_state_kinds_end =
    cn_state_kinds + sizeof cn_state_kinds / sizeof *cn_state_kinds;

/* ---- Reading it ---- */

/* The pointer in the instance to the items or to the parts. */
static void *array_of(const struct state_kind *kind, const wasm_instance_t *instance) {
    void *array;
    memcpy(&array, (const char *)instance + kind->array, sizeof array);
    return array;
}

struct wasm_ref_t *cn_state_part(const struct state_kind *kind, const wasm_instance_t *instance,
                                 uint32_t index) {
    struct wasm_ref_t *part;
    CN_ASSERT(cn_state_is_part(kind) && index < cn_state_end(kind, instance->module));
    memcpy(&part, (const char *)array_of(kind, instance) + index * sizeof part, sizeof part);
    return part;
}

void cn_state_set_part(const struct state_kind *kind, wasm_instance_t *instance, uint32_t index,
                       struct wasm_ref_t *part) {
    CN_ASSERT(index < cn_state_end(kind, instance->module) && part->kind == kind->holder);
    memcpy((char *)array_of(kind, instance) + index * sizeof part, &part, sizeof part);
}

struct state_items cn_state_items(const struct state_kind *kind, const struct wasm_ref_t *holder) {
    CN_ASSERT(holder->kind == kind->holder);
    if (kind->items)
        return kind->items(holder);
    const wasm_instance_t *instance = (const wasm_instance_t *)holder;
    const struct module *module = instance->module;
    return items(kind->form, array_of(kind, instance),
                 cn_state_end(kind, module) - cn_state_first(kind, module));
}

size_t cn_state_block_bytes(const struct state_kind *kind, const struct module *module) {
    uint32_t end = cn_state_end(kind, module);
    return cn_state_is_part(kind)
               ? end * sizeof(struct wasm_ref_t *)
               : (size_t)(end - cn_state_first(kind, module)) * item_bytes[kind->form];
}

uint32_t cn_state_count(const struct module *module, enum state_form form) {
    uint32_t count = 0;
    FOR_EACH_STATE (kind)
        if (kind->holder == OBJECT_INSTANCE && kind->form == form)
            count += cn_state_end(kind, module) - cn_state_first(kind, module);
    return count;
}

const struct state_kind *cn_state_of(enum object_kind holder) {
    FOR_EACH_STATE (kind)
        if (kind->holder == holder && holder != OBJECT_INSTANCE)
            return kind;
    return NULL;
}

bool cn_state_next(const wasm_instance_t *instance, struct state_walk *walk) {
    const struct module *module = instance->module;
    if (!walk->kind)
        *walk = (struct state_walk){.kind = cn_state_kinds};
    for (; walk->kind < cn_state_kinds_end; walk->kind++, walk->next = 0) {
        if (!cn_state_is_part(walk->kind))
            continue;
        uint32_t first = cn_state_first(walk->kind, module);
        for (uint32_t i = walk->next > first ? walk->next : first;
             i < cn_state_end(walk->kind, module); i++) {
            walk->ref = cn_state_part(walk->kind, instance, i);
            walk->index = i;
            walk->next = i + 1;
            if (walk->ref)
                return true;
        }
    }
    return false;
}
