/*
 * Checkpoints: a stack of levels. A level holds what each object's state was (runtime/state.h), in the way
 * that suits the form of the state:
 *
 *     values, flags   copied into the level: saved_bytes
 *     references      copied, and shared with the level below where they are equal: saved_table
 *     pages           not copied into the level. A memory has one shadow, which is what the memory was at the
 *                     topmost level; a level has the undo records that turn it into the shadow of the level
 *                     below: saved_pages.h
 *
 * Objects are listed from the oldest on, and a listed object lives as long as the level. So an object has the
 * same index in each level that lists it.
 *
 * The heap is saved as pages are (saved_heap.h). References to its objects that live outside of what a rollback brings
 * back are looked after by runtime/gc_rollback.c.
 */
#include "persist/checkpoint.h"

#include <string.h>

#include "base/assert.h"
#include "base/process.h"
#include "persist/backing.h"
#include "persist/saved_heap.h"
#include "runtime/collect.h"
#include "runtime/gc.h"
#include "runtime/state.h"

struct saved_memory {
    wasm_memory_t *memory;
    uint64_t extent;
    struct saved_pages pages;
};

/* The elements of a table; levels share equal ones. */
struct elements {
    uint32_t references;
    size_t count;
    uint64_t slots[];
};
struct saved_table {
    const struct state_kind *kind;
    wasm_table_t *table;
    struct elements *elements;
};

/* Items of fixed number, such as the globals of an instance. */
struct saved_bytes {
    const struct state_kind *kind;
    struct wasm_ref_t *owner;
    struct state_items items;
    uint64_t *copy; /* in the level's allocation */
};

/* How far the passive element segments of an instance were read that may make objects. */
struct saved_segments {
    wasm_instance_t *instance;
    struct elem_position *positions; /* in the level's allocation */
};

struct level {
    struct level *below;
    uint32_t number;
    size_t allocation;
    uint64_t fuel;
    size_t memory_count, table_count, bytes_count, segments_count;
    struct saved_memory *memories;
    struct saved_table *tables;
    struct saved_bytes *bytes;
    struct saved_segments *segments;
    struct saved_heap heap;
};

struct checkpoints {
    struct level *top;
    struct heap_shadows heap;
    uint32_t kept;    /* levels from 1 that cannot be released */
    uint64_t process; /* that the shadows belong to */
};

/* The memory, when the object is one. */
static wasm_memory_t *paged(struct wasm_ref_t *ref) {
    return cn_state_is_paged(ref->kind) ? (wasm_memory_t *)ref : NULL;
}

/* ---- Counting and listing ---- */

struct counts {
    size_t memories, tables, bytes, segments, words;
};

static size_t words_of(size_t bytes) {
    return (bytes + 7) / 8;
}

static void count_state(struct counts *counts, const struct state_kind *kind,
                        const struct wasm_ref_t *ref) {
    counts->memories += kind->form == STATE_PAGES;
    counts->tables += kind->form == STATE_REFS;
    if (kind->form != STATE_VALUES && kind->form != STATE_FLAGS)
        return;
    counts->bytes++;
    counts->words += words_of(cn_state_items(kind, ref).bytes);
}

_Static_assert(sizeof(struct elem_position) == 2 * sizeof(uint64_t), "a position is two words");

static void count_segments(struct counts *counts, const struct wasm_ref_t *ref) {
    uint32_t count = cn_instance_object_elems(ref);
    counts->segments += count > 0;
    counts->words += count * (size_t)2;
}

static struct counts count_objects(const wasm_store_t *store) {
    struct counts counts = {0};
    for (struct wasm_ref_t *ref = store->objects.previous; ref != &store->objects;
         ref = ref->previous) {
        FOR_EACH_STATE_OF (kind, ref->kind)
            count_state(&counts, kind, ref);
        count_segments(&counts, ref);
    }
    return counts;
}

static struct level *allocate_level(wasm_store_t *store, const struct counts *counts) {
    size_t size =
        sizeof(struct level) + counts->memories * sizeof(struct saved_memory) +
        counts->tables * sizeof(struct saved_table) + counts->bytes * sizeof(struct saved_bytes) +
        counts->segments * sizeof(struct saved_segments) + counts->words * sizeof(uint64_t);
    struct level *level = cn_alloc(store->alloc, size);
    if (!level)
        return NULL;
    *level = (struct level){.allocation = size};
    level->memories = (struct saved_memory *)(level + 1);
    level->tables = (struct saved_table *)(level->memories + counts->memories);
    level->bytes = (struct saved_bytes *)(level->tables + counts->tables);
    level->segments = (struct saved_segments *)(level->bytes + counts->bytes);
    return level;
}

static void list_state(struct level *level, const struct state_kind *kind, struct wasm_ref_t *ref,
                       uint64_t **copy) {
    if (kind->form == STATE_NOTHING)
        return;
    ref->escaped = true; /* its last handle does not free it any more: mark() keeps it */
    switch (kind->form) {
    case STATE_PAGES:
        level->memories[level->memory_count++] = (struct saved_memory){
            .memory = (wasm_memory_t *)ref, .extent = ((wasm_memory_t *)ref)->extent};
        break;
    case STATE_REFS:
        level->tables[level->table_count++] =
            (struct saved_table){.kind = kind, .table = (wasm_table_t *)ref};
        break;
    default: {
        struct state_items items = cn_state_items(kind, ref);
        level->bytes[level->bytes_count++] = (struct saved_bytes){kind, ref, items, *copy};
        *copy += words_of(items.bytes);
    }
    }
}

static void list_segments(struct level *level, struct wasm_ref_t *ref, uint64_t **copy) {
    uint32_t count = cn_instance_object_elems(ref);
    if (count == 0)
        return;
    wasm_instance_t *instance = (wasm_instance_t *)ref;
    struct elem_position *positions = (struct elem_position *)(void *)*copy;
    cn_elem_positions(instance, positions);
    level->segments[level->segments_count++] = (struct saved_segments){instance, positions};
    *copy += count * (size_t)2;
}

static void list_objects(wasm_store_t *store, struct level *level, const struct counts *counts) {
    uint64_t *copy = (uint64_t *)(level->segments + counts->segments);
    for (struct wasm_ref_t *ref = store->objects.previous; ref != &store->objects;
         ref = ref->previous) {
        FOR_EACH_STATE_OF (kind, ref->kind)
            list_state(level, kind, ref, &copy);
        list_segments(level, ref, &copy);
    }
    CN_ASSERT(level->memory_count == counts->memories && level->table_count == counts->tables &&
              level->bytes_count == counts->bytes && level->segments_count == counts->segments);
    CN_ASSERT((char *)copy == (char *)level + level->allocation);
}

/* ---- Tables ---- */

static void release_elements(struct alloc *alloc, struct elements *elements) {
    if (elements && --elements->references == 0)
        cn_free(alloc, elements, sizeof *elements + elements->count * sizeof(uint64_t));
}

static bool same_elements(const wasm_table_t *table, const struct elements *elements) {
    return elements->count == table->size &&
           memcmp(elements->slots, table->elements, elements->count * sizeof(uint64_t)) == 0;
}

static bool save_table(struct level *level, size_t index, struct alloc *alloc) {
    struct saved_table *saved = &level->tables[index];
    const wasm_table_t *table = saved->table;
    const struct level *below = level->below;
    if (below && index < below->table_count && below->tables[index].table == table &&
        same_elements(table, below->tables[index].elements)) {
        saved->elements = below->tables[index].elements;
        saved->elements->references++;
        return true;
    }
    size_t bytes = (size_t)table->size * sizeof(uint64_t);
    struct elements *copy = cn_alloc(alloc, sizeof *copy + bytes);
    if (!copy)
        return false;
    copy->references = 1;
    copy->count = (size_t)table->size;
    memcpy(copy->slots, table->elements, bytes);
    saved->elements = copy;
    return true;
}

/* A table that a rollback shrinks keeps room for so many elements beyond its size. */
#define SPARE_ELEMENTS 1024u

static void shrink_room(wasm_table_t *table) {
    if (table->capacity - table->size <= SPARE_ELEMENTS)
        return;
    uint64_t *elements = cn_realloc(table->ref.store->alloc, table->elements,
                                    (size_t)table->capacity * sizeof *elements,
                                    (size_t)table->size * sizeof *elements);
    if (!elements)
        return; /* the larger array does as well */
    table->elements = elements;
    table->capacity = table->size;
}

static void restore_table(const struct saved_table *saved) {
    wasm_table_t *table = saved->table;
    CN_ASSERT(table->size >= saved->elements->count); /* tables only grow */
    cn_store_give_elements(table->ref.store, table->size - saved->elements->count);
    table->size = saved->elements->count;
    shrink_room(table);
    memcpy(table->elements, saved->elements->slots, saved->elements->count * sizeof(uint64_t));
}

/* ---- Levels ---- */

static void free_level(const wasm_store_t *store, struct level *level) {
    for (size_t i = 0; i < level->memory_count; i++)
        cn_saved_pages_free(&level->memories[i].pages, cn_shadow_of(level->memories[i].memory));
    for (size_t i = 0; i < level->table_count; i++)
        release_elements(store->alloc, level->tables[i].elements);
    cn_saved_heap_free(&level->heap, &store->checkpoints->heap, store->alloc);
    cn_free(store->alloc, level, level->allocation);
}

static bool level_has(const struct level *level, size_t index, const wasm_memory_t *memory) {
    return level && index < level->memory_count && level->memories[index].memory == memory;
}

/* Heap and shadows, if there is a heap. */
static bool make_heap_shadows(wasm_store_t *store, const struct tracker *tracker,
                              struct error *error) {
    struct heap_shadows *shadows = &store->checkpoints->heap;
    if (!cn_heap_shadows_make(shadows, store->machine.heap, &store->engine->spaces, tracker, error))
        return false;
    store->machine.shares_pages |= cn_shadow_is_image(shadows->areas[0]);
    return true;
}

static bool prepare_heap(wasm_store_t *store, struct level *level, const struct tracker *tracker,
                         struct error *error) {
    struct heap *heap = store->machine.heap;
    return !heap || (make_heap_shadows(store, tracker, error) &&
                     cn_saved_heap_prepare(&level->heap, level->below ? &level->below->heap : NULL,
                                           &store->checkpoints->heap, heap, error));
}

/* Does everything of a checkpoint that can fail, and changes neither state nor shadows. */
static bool prepare(wasm_store_t *store, struct level *level, struct error *error) {
    const struct tracker *tracker = cn_engine_tracker(store->engine, error);
    if (!tracker || !prepare_heap(store, level, tracker, error))
        return false;
    for (size_t i = 0; i < level->table_count; i++)
        if (!save_table(level, i, store->alloc))
            return cn_fail_memory(error);
    for (size_t i = 0; i < level->memory_count; i++) {
        struct saved_memory *saved = &level->memories[i];
        if (!cn_backing_make_shadow(saved->memory, tracker, error) ||
            !cn_saved_pages_prepare(&saved->pages, cn_shadow_of(saved->memory), saved->memory->size,
                                    level_has(level->below, i, saved->memory), error))
            return false;
    }
    return true;
}

static bool ready(wasm_store_t *store);

/* After fork(), in the child: its store gets shadows of its own, since the parent goes on using those that
 * both have mapped. */
static bool adopt(wasm_store_t *store, struct error *error) {
    struct error ignored;
    if (!store->checkpoints || store->checkpoints->process == cn_os_process())
        return true;
    const struct tracker *tracker = cn_engine_tracker(store->engine, &ignored);
    for (struct wasm_ref_t *ref = store->objects.next; ref != &store->objects; ref = ref->next) {
        wasm_memory_t *memory = paged(ref);
        if (memory && cn_shadow_of(memory) &&
            !cn_shadow_adopt(cn_shadow_of(memory), memory->size, tracker, error))
            return false;
    }
    if (store->machine.heap &&
        !cn_heap_shadows_adopt(&store->checkpoints->heap, store->machine.heap, tracker, error))
        return false;
    store->checkpoints->process = cn_os_process();
    return true;
}

bool cn_checkpoint(wasm_store_t *store, uint32_t *number, struct error *error) {
    if (store->may_have_garbage)
        cn_collect(store); /* what it lists would stay */
    if (store->deleted)
        return cn_fail(error, CATNAP_MISUSE, "the store has been deleted");
    if (store->shared_memories > 0)
        return cn_fail(error, CATNAP_UNSUPPORTED,
                       "a store with a shared memory cannot have checkpoints");
    struct counts counts = count_objects(store);
    if (!ready(store))
        return cn_fail_memory(error);
    if (!adopt(store, error))
        return false;
    struct level *level = allocate_level(store, &counts);
    if (!level)
        return cn_fail_memory(error);
    level->below = store->checkpoints->top;
    level->number = level->below ? level->below->number + 1 : 1;
    level->fuel = store->machine.fuel;
    list_objects(store, level, &counts);
    if (!prepare(store, level, error)) {
        free_level(store, level);
        return false;
    }
    if (store->machine.heap)
        cn_saved_heap_take(&level->heap, &store->checkpoints->heap, store->machine.heap);
    for (size_t i = 0; i < level->memory_count; i++) {
        const struct saved_memory *saved = &level->memories[i];
        cn_shadow_take(cn_shadow_of(saved->memory), saved->memory->size, saved->pages.undo);
    }
    for (size_t i = 0; i < level->bytes_count; i++)
        memcpy(level->bytes[i].copy, level->bytes[i].items.at, level->bytes[i].items.bytes);
    store->checkpoints->top = level;
    store->levels = level->number;
    *number = level->number;
    return true;
}

static bool has_heap_shadows(const wasm_store_t *store) {
    return cn_heap_shadows_are_made(&store->checkpoints->heap);
}

static void remove_level(wasm_store_t *store) {
    struct level *level = store->checkpoints->top;
    store->checkpoints->top = level->below;
    store->levels = level->number - 1;
    free_level(store, level);
}

/* Removes the topmost level, for a rollback: shadows become those of the level below. */
static void pop_level(wasm_store_t *store) {
    struct level *level = store->checkpoints->top;
    for (size_t i = 0; i < level->memory_count; i++) {
        struct saved_memory *saved = &level->memories[i];
        cn_saved_pages_pop(&saved->pages, cn_shadow_of(saved->memory));
    }
    if (has_heap_shadows(store))
        cn_saved_heap_pop(&level->heap, &store->checkpoints->heap);
    remove_level(store);
}

/* Removes the topmost level, for a release: the shadows stay what they are, and the level below gets the
 * records that lead from them to its own. So pages that were written before the released checkpoint need not
 * be copied again. */
static void forget_level(wasm_store_t *store) {
    struct level *level = store->checkpoints->top;
    for (size_t i = 0; i < level->memory_count; i++) {
        struct saved_memory *saved = &level->memories[i];
        if (!saved->pages.has_undo)
            continue;
        CN_ASSERT(level->below->memories[i].memory == saved->memory);
        cn_saved_pages_forget(&saved->pages, cn_shadow_of(saved->memory),
                              &level->below->memories[i].pages);
    }
    if (level->below && has_heap_shadows(store))
        cn_saved_heap_forget(&level->heap, &store->checkpoints->heap, &level->below->heap);
    remove_level(store);
}

static bool check_level(const wasm_store_t *store, uint32_t level, struct error *error) {
    if (level <= cn_checkpoint_count(store))
        return true;
    return cn_fail(error, CATNAP_MISUSE, "there is no checkpoint %u: the store has %u", level,
                   cn_checkpoint_count(store));
}

/* The size of a memory, by its index, at the level of a number: that of its shadow after all records in between. */
static uint64_t size_at(const struct level *level, size_t index, uint32_t number) {
    uint64_t size = cn_shadow_of(level->memories[index].memory)->size;
    for (; level->number > number; level = level->below)
        size = cn_saved_pages_size_below(&level->memories[index].pages, size);
    return cn_saved_pages_size(&level->memories[index].pages, size);
}

static struct heap_sizes heap_sizes_at(const wasm_store_t *store, uint32_t number) {
    struct heap_sizes sizes = cn_heap_shadows_sizes(&store->checkpoints->heap);
    const struct level *level = store->checkpoints->top;
    for (; level->number > number; level = level->below)
        cn_saved_heap_sizes(&level->heap, true, &sizes);
    cn_saved_heap_sizes(&level->heap, false, &sizes);
    return sizes;
}

/* ---- Rollback: all that can fail ---- */

static bool collect_memories(const struct level *top, struct error *error) {
    for (size_t i = 0; i < top->memory_count; i++) {
        wasm_memory_t *memory = top->memories[i].memory;
        if (!cn_shadow_collect(cn_shadow_of(memory), memory->size, false, error))
            return false;
    }
    return true;
}

static bool lock_memories(const struct level *top, const struct level *level, struct error *error) {
    for (size_t i = 0; i < level->memory_count; i++) {
        wasm_memory_t *memory = level->memories[i].memory;
        if (cn_shadow_lock(cn_shadow_of(memory), memory->size, size_at(top, i, level->number),
                           error))
            continue;
        while (i-- > 0) {
            memory = level->memories[i].memory;
            cn_shadow_unlock(cn_shadow_of(memory), memory->size, size_at(top, i, level->number));
        }
        return false;
    }
    return true;
}

/* A heap that was made since gets shadows of nothing. */
static bool collect_heap(wasm_store_t *store, struct error *error) {
    const struct tracker *tracker = cn_engine_tracker(store->engine, error);
    return tracker && make_heap_shadows(store, tracker, error) &&
           cn_heap_shadows_collect(&store->checkpoints->heap, store->machine.heap, error);
}

static bool prepare_rollback(wasm_store_t *store, const struct level *level, struct error *error) {
    struct heap *heap = store->machine.heap;
    const struct level *top = store->checkpoints->top;
    if (!collect_memories(top, error) || (heap && !collect_heap(store, error)))
        return false;
    if (!heap)
        return lock_memories(top, level, error);
    struct heap_sizes sizes = heap_sizes_at(store, level->number);
    if (!cn_heap_shadows_lock(&store->checkpoints->heap, heap, &sizes, error))
        return false;
    if (lock_memories(top, level, error))
        return true;
    cn_heap_shadows_unlock(&store->checkpoints->heap, heap, &sizes);
    return false;
}

/* ---- Rollback ---- */

/* Pages that the memory has grown by are gone. */
static void restore_memory(const struct saved_memory *saved) {
    wasm_memory_t *memory = saved->memory;
    struct shadow *shadow = cn_shadow_of(memory);
    uint64_t size = memory->size;
    if (!cn_shadow_restore(shadow, size))
        memory->max_pages = shadow->size / WASM_PAGE_BYTES;
    memory->size = shadow->size;
    memory->extent = saved->extent;
    cn_store_give_memory(memory->ref.store, size - memory->size);
}

bool cn_rollback(wasm_store_t *store, uint32_t number, struct error *error) {
    if (number == 0)
        return cn_fail(error, CATNAP_MISUSE, "checkpoints are numbered from 1");
    if (!check_level(store, number, error) || !adopt(store, error))
        return false;
    struct level *level = store->checkpoints->top;
    while (level->number > number)
        level = level->below;
    if (!cn_gc_may_roll_back(store, number, error) || !prepare_rollback(store, level, error))
        return false;
    while (store->checkpoints->top->number > number)
        pop_level(store);
    for (size_t i = 0; i < level->memory_count; i++)
        cn_saved_pages_return(&level->memories[i].pages, cn_shadow_of(level->memories[i].memory));
    for (size_t i = 0; i < level->memory_count; i++)
        restore_memory(&level->memories[i]);
    if (store->machine.heap)
        cn_saved_heap_return(&level->heap, &store->checkpoints->heap, store->machine.heap);
    for (size_t i = 0; i < level->segments_count; i++)
        cn_elem_return(level->segments[i].instance, level->segments[i].positions);
    cn_gc_roll_back(store, number);
    for (size_t i = 0; i < level->table_count; i++)
        restore_table(&level->tables[i]);
    for (size_t i = 0; i < level->bytes_count; i++)
        memcpy(level->bytes[i].items.at, level->bytes[i].copy, level->bytes[i].items.bytes);
    store->machine.fuel = level->fuel;
    return true;
}

static void drop_shadows(wasm_store_t *store) {
    for (struct wasm_ref_t *ref = store->objects.next; ref != &store->objects; ref = ref->next) {
        wasm_memory_t *memory = paged(ref);
        if (memory && cn_shadow_of(memory))
            cn_backing_drop_shadow(memory);
    }
    if (store->checkpoints)
        cn_heap_shadows_drop(&store->checkpoints->heap, store->machine.heap);
}

bool cn_release(wasm_store_t *store, uint32_t number, struct error *error) {
    if (!check_level(store, number, error) || !adopt(store, error))
        return false;
    if (store->checkpoints && store->checkpoints->kept > 0 && number <= store->checkpoints->kept)
        return cn_fail(error, CATNAP_MISUSE, "checkpoint %u and those below it are the pool's",
                       store->checkpoints->kept);
    while (store->checkpoints && store->checkpoints->top &&
           store->checkpoints->top->number >= number)
        forget_level(store);
    cn_objects_outlive(store, store->levels);
    if (number == 0)
        drop_shadows(store);
    return true;
}

uint32_t cn_checkpoint_count(const wasm_store_t *store) {
    return store->checkpoints && store->checkpoints->top ? store->checkpoints->top->number : 0;
}

bool cn_checkpoint_keeps_heap(const wasm_store_t *store) {
    return store->checkpoints && store->checkpoints->heap.areas[0];
}

void cn_checkpoint_keep(wasm_store_t *store) {
    store->checkpoints->kept = cn_checkpoint_count(store);
}

uint64_t cn_checkpoint_copies(const wasm_store_t *store) {
    uint64_t bytes = 0;
    for (struct wasm_ref_t *ref = store->objects.next; ref != &store->objects; ref = ref->next)
        if (paged(ref) && cn_shadow_of(paged(ref)))
            bytes += cn_shadow_copies(cn_shadow_of(paged(ref)));
    if (store->checkpoints)
        bytes += cn_heap_shadows_copies(&store->checkpoints->heap);
    return bytes;
}

/* ---- Calls from the store and the collector ---- */

static void drop(wasm_store_t *store) {
    while (store->checkpoints->top) {
        struct level *level = store->checkpoints->top;
        store->checkpoints->top = level->below;
        free_level(store, level);
    }
    cn_heap_shadows_drop(&store->checkpoints->heap, store->machine.heap);
    store->levels = 0;
    cn_free(store->alloc, store->checkpoints, sizeof *store->checkpoints);
    store->checkpoints = NULL;
}

/* Keeps the objects that a level lists, and those that a rollback makes reachable again. */
static void mark(const struct checkpoints *checkpoints, uint32_t levels, struct marking *marking) {
    for (const struct level *level = checkpoints->top; level; level = level->below) {
        if (level->number > levels)
            continue;
        if (level->heap.side)
            for (uint32_t i = 1; i < level->heap.side->end; i++)
                cn_mark_side_slot(marking, level->heap.side->slots[i]);
        for (size_t i = 0; i < level->memory_count; i++)
            cn_mark_object(marking, &level->memories[i].memory->ref);
        for (size_t i = 0; i < level->table_count; i++) {
            const struct saved_table *saved = &level->tables[i];
            cn_mark_object(marking, &saved->table->ref);
            cn_mark_items(marking, saved->kind, &saved->table->ref, saved->elements->slots,
                          saved->elements->count);
        }
        for (size_t i = 0; i < level->bytes_count; i++) {
            const struct saved_bytes *saved = &level->bytes[i];
            cn_mark_object(marking, saved->owner);
            cn_mark_items(marking, saved->kind, saved->owner, saved->copy, saved->items.count);
        }
    }
}

const struct persist_hooks cn_persist_hooks = {
    .mark = mark,
    .drop = drop,
    .adopt = adopt,
    .forget = cn_backing_forget,
    .release = cn_backing_release,
};

static bool ready(wasm_store_t *store) {
    if (store->checkpoints)
        return true;
    store->checkpoints = cn_calloc(store->alloc, 1, sizeof *store->checkpoints);
    store->persist = &cn_persist_hooks;
    if (store->checkpoints)
        store->checkpoints->process = cn_os_process();
    return store->checkpoints != NULL;
}

/* ---- The engine's tracker ---- */

static enum track_kind wanted_kind(const wasm_engine_t *engine) {
    static const enum track_kind kinds[] = {
        [CATNAP_TRACKING_AUTO] = TRACK_NONE,
        [CATNAP_TRACKING_WRITE_PROTECT] = TRACK_WRITE_PROTECT,
        [CATNAP_TRACKING_COPY_ON_WRITE] = TRACK_COPY_ON_WRITE,
        [CATNAP_TRACKING_COMPARE] = TRACK_COMPARE,
    };
    size_t wanted = (size_t)engine->config.tracking;
    return wanted < sizeof kinds / sizeof *kinds ? kinds[wanted] : TRACK_NONE;
}

const struct tracker *cn_engine_tracker(wasm_engine_t *engine, struct error *error) {
    struct tracker *found = atomic_load(&engine->tracker);
    if (found && cn_tracker_is_own(found))
        return found;
    struct tracker *tracker = cn_alloc(&engine->alloc, sizeof *tracker);
    if (!tracker) {
        cn_fail_memory(error);
        return NULL;
    }
    if (!cn_tracker_open(tracker, wanted_kind(engine))) {
        cn_free(&engine->alloc, tracker, sizeof *tracker);
        cn_fail(error, CATNAP_IO,
                "this machine does not support the requested way to find written pages");
        return NULL;
    }
    tracker->older = found; /* of the parent, for shadows that it made */
    if (atomic_compare_exchange_strong(&engine->tracker, &found, tracker))
        return tracker;
    cn_tracker_close(tracker); /* another thread was faster */
    cn_free(&engine->alloc, tracker, sizeof *tracker);
    return found;
}
