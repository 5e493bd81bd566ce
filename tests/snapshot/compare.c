#include "compare.h"

#include <stdio.h>
#include <string.h>

#include "runtime/instance.h"

static char difference[100];

static const char *differ(const char *what, uint64_t index, uint64_t at) {
    snprintf(difference, sizeof difference, "%s %llu differs at %llu", what,
             (unsigned long long)index, (unsigned long long)at);
    return difference;
}

/* A reference in terms that hold for every instance: null, a function's index + 1, or nothing. */
static uint64_t meaning(const wasm_instance_t *instance, uint64_t slot) {
    const struct wasm_ref_t *ref = slot_object(slot);
    if (!ref)
        return 0;
    if (ref->kind == OBJECT_FUNC && ((const wasm_func_t *)ref)->instance == instance)
        return (uint64_t)((const wasm_func_t *)ref)->index + 1;
    for (uint32_t i = 0; i < instance->module->imported_func_count; i++)
        if (&instance->funcs[i]->ref == ref)
            return (uint64_t)i + 1;
    return slot;
}

static const char *compare_memories(const wasm_instance_t *a, const wasm_instance_t *b) {
    for (uint32_t i = 0; i < a->module->memory_count; i++) {
        const wasm_memory_t *m = a->memories[i], *n = b->memories[i];
        if (m->size != n->size || m->type.limits.max != n->type.limits.max)
            return differ("the size of memory", i, n->size);
        for (uint64_t at = 0; at < m->size; at++)
            if (m->base[at] != n->base[at])
                return differ("memory", i, at);
    }
    return NULL;
}

static const char *compare_tables(const wasm_instance_t *a, const wasm_instance_t *b) {
    for (uint32_t i = 0; i < a->module->table_count; i++) {
        const wasm_table_t *t = a->tables[i], *u = b->tables[i];
        if (t->size != u->size || t->type.limits.max != u->type.limits.max)
            return differ("the size of table", i, u->size);
        for (uint64_t at = 0; at < t->size; at++)
            if (meaning(a, t->elements[at]) != meaning(b, u->elements[at]))
                return differ("table", i, at);
    }
    return NULL;
}

static const char *compare_globals(const wasm_instance_t *a, const wasm_instance_t *b) {
    for (uint32_t i = 0; i < a->module->global_count; i++) {
        valtype type = a->module->globals[i].type.type;
        bool same = vt_is_ref(type) ? meaning(a, a->globals[i][0]) == meaning(b, b->globals[i][0])
                                    : memcmp(a->globals[i], b->globals[i], vt_slots(type) * 8) == 0;
        if (!same)
            return differ("global", i, 0);
    }
    return NULL;
}

static const char *compare_segments(const wasm_instance_t *a, const wasm_instance_t *b) {
    const struct module *m = a->module, *n = b->module;
    for (uint32_t i = 0; i < m->elem_count; i++)
        if (!a->dropped_elems[i] && (b->dropped_elems[i] || n->elems[i].count != m->elems[i].count))
            return differ("element segment", i, 0);
    for (uint32_t i = 0; i < m->data_count; i++)
        if (!a->dropped_datas[i] &&
            (b->dropped_datas[i] || n->datas[i].bytes.length != m->datas[i].bytes.length))
            return differ("data segment", i, 0);
    return NULL;
}

const char *compare_instances(const wasm_instance_t *a, const wasm_instance_t *b) {
    static const char *(*const parts[])(const wasm_instance_t *, const wasm_instance_t *) = {
        compare_memories, compare_tables, compare_globals, compare_segments};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *found = parts[i](a, b);
        if (found)
            return found;
    }
    return NULL;
}
