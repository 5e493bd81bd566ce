/* Code of steps: see steps.h. */
#include "code/steps.h"
#include "base/assert.h"

#include <string.h>

#include "bytecode/bytecode.h"
#include "bytecode/verify.h"
#include "code/first_call.h"
#include "runtime/frames.h"
#include "translate/translate.h"

/* Where a block begins in usual code and in stepping code: cells from the first. */
struct fuel_block {
    uint32_t whole, steps;
};

/* The next entry of a map, from *i on, that begins a block. */
static const struct source_map_entry *next_block(const struct source_map *map,
                                                 enum bytecode bytecode, size_t *i) {
    while (*i < map->count && map->entries[*i].bytecode != bytecode)
        ++*i;
    return *i < map->count ? &map->entries[*i] : NULL;
}

/* The place in WebAssembly that a block begins at, which both kinds of code tell in its first cell. */
static uint32_t offset_of(const struct code *code, const struct source_map_entry *block) {
    return (uint32_t)cn_cell_at(code, block->cell)[1];
}

/* Joins the blocks of both: places ascend with cells. A block that only one of them has costs nothing: it lies
 * behind jumps to the end of the function, which may be returns in the other. */
static uint32_t pair_blocks(const struct code *whole, const struct source_map *whole_map,
                            struct code *steps, const struct source_map *steps_map,
                            struct fuel_block *out) {
    uint32_t count = 0;
    size_t i = 0, j = 0;
    const struct source_map_entry *a = next_block(whole_map, BC_fuel, &i);
    const struct source_map_entry *b = next_block(steps_map, BC_fuel_block, &j);
    while (a && b) {
        uint32_t in_whole = offset_of(whole, a), in_steps = offset_of(steps, b);
        if (in_whole == in_steps) {
            struct fuel_block block = {a->cell - whole->first_cell, b->cell - steps->first_cell};
            CN_ASSERT(block.whole < whole->cell_count && block.steps + 2 < steps->cell_count);
            CN_ASSERT(count == 0 ||
                      (out[count - 1].whole < block.whole && out[count - 1].steps < block.steps));
            steps->cells[block.steps + 2] = (uint64_t)block.whole + 1;
            out[count++] = block;
        }
        i += in_whole <= in_steps;
        j += in_steps <= in_whole;
        a = next_block(whole_map, BC_fuel, &i);
        b = next_block(steps_map, BC_fuel_block, &j);
    }
    return count;
}

static bool add_blocks(struct alloc *alloc, const struct code *whole,
                       const struct source_map *whole_map, struct code *steps,
                       const struct source_map *steps_map, struct error *error) {
    uint32_t most = 0;
    for (size_t i = 0; next_block(steps_map, BC_fuel_block, &i); i++)
        most++;
    steps->blocks = cn_alloc(alloc, most * sizeof *steps->blocks);
    if (!steps->blocks)
        return cn_fail_memory(error);
    steps->block_room = most;
    steps->block_count = pair_blocks(whole, whole_map, steps, steps_map, steps->blocks);
    CN_ASSERT(steps->block_count <= steps->block_room);
    /* The frame is laid out for both: make_room() in translate/translate.c. */
    if (steps->frame_slots <= whole->frame_slots && steps->scratch == whole->scratch)
        return true;
    return cn_fail(error, CATNAP_LIMIT, "stepping by instruction needs a larger frame");
}

void cn_steps_free(struct alloc *alloc, struct code *steps) {
    if (!steps)
        return;
    cn_free(alloc, steps->blocks, steps->block_room * sizeof *steps->blocks);
    cn_free(alloc, steps, steps->size);
}

/* Both translations tell where their blocks are. */
static struct code *make_steps(struct module *module, const struct code *whole,
                               struct translation_config config, const struct interrupt *asker,
                               struct error *error) {
    struct source_map whole_map = {.alloc = module->alloc}, steps_map = {.alloc = module->alloc};
    struct code *steps = NULL;
    struct code *again =
        cn_translate(module, whole->func_index, whole->body, &config, asker, &whole_map, error);
    config.steps = true;
    config.scratch = whole->scratch;
    if (again)
        steps =
            cn_translate(module, whole->func_index, whole->body, &config, asker, &steps_map, error);
    if (steps) {
        cn_assert_verified(module, steps, &config);
        steps->whole = whole;
        steps->size_offset = whole->size_offset;
        if (!add_blocks(module->alloc, again, &whole_map, steps, &steps_map, error)) {
            cn_steps_free(module->alloc, steps);
            steps = NULL;
        }
    }
    if (again)
        cn_free(module->alloc, again, again->size);
    cn_source_map_free(&whole_map);
    cn_source_map_free(&steps_map);
    return steps;
}

struct code *cn_steps_of(struct module *module, const struct code *whole,
                         const struct translation_config *config, const struct interrupt *asker,
                         struct error *error) {
    /* Code is constant but for what it remembers. */
    _Atomic(struct code *) *known = &((struct code *)(uintptr_t)whole)->steps;
    struct code *steps = atomic_load(known), *none = NULL;
    if (steps)
        return steps;
    steps = make_steps(module, whole, *config, asker, error);
    if (!steps || atomic_compare_exchange_strong(known, &none, steps))
        return steps;
    cn_steps_free(module->alloc, steps); /* another thread was faster: they are the same */
    return none;
}

static const struct fuel_block *find_block(const struct code *steps, uint32_t whole) {
    uint32_t low = 0, high = steps->block_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (steps->blocks[middle].whole < whole)
            low = middle + 1;
        else
            high = middle;
    }
    return low < steps->block_count && steps->blocks[low].whole == whole ? &steps->blocks[low]
                                                                         : NULL;
}

const uint64_t *cn_steps_from(struct machine *vm, struct wasm_instance_t *instance) {
    if (cn_store_refuel(vm->store))
        return vm->pc; /* it looks again */
    const struct code *whole = frame_code(vm->fp);
    struct translation_config config = cn_code_translation(instance, whole);
    struct error error;
    const void *entry = &whole->steps;
    const struct interrupt *asker = vm->interrupted_entry == entry ? NULL : &vm->interrupt;
    const struct code *steps = cn_steps_of(instance->module, whole, &config, asker, &error);
    if (!steps) {
        cn_stop_untranslated(vm, whole->func_index, &error);
        vm->interrupted_entry = vm->event == EVENT_INTERRUPTED ? entry : NULL;
        return NULL;
    }
    const struct fuel_block *block = find_block(steps, (uint32_t)(vm->pc - whole->cells));
    if (!block) { /* all that cost something are there */
        vm->event = EVENT_OUT_OF_FUEL;
        return NULL;
    }
    CN_ASSERT(block->steps < steps->cell_count && steps->frame_slots <= whole->frame_slots);
    vm->fp[FRAME_CODE] = (uint64_t)(uintptr_t)steps;
    return steps->cells + block->steps;
}
