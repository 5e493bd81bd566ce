/*
 * Translated functions: made at the first call, published once, found again by pc. This is where
 * translator and executor meet, and the validator for modules that put it off.
 */
#include "code/code.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/platform.h"
#include "code/background.h"
#include "binary/opcodes.h"
#include "runtime/bulk.h"
#include "bytecode/bytecode.h"
#include "bytecode/verify.h"
#include "code/first_call.h"
#include "code/steps.h"
#include "translate/translate.h"
#include "validate/validate.h"
#include "runtime/trap.h"

/* ---- where instructions came from ---- */

/* Kept with the code that was asked for, so that traps and backtraces translate a function once. */
struct code_map {
    uint32_t count;
    struct code_map_entry {
        uint32_t cell;    /* from the code's first; ascending */
        uint32_t offset;  /* of the WebAssembly instruction, from the start of the module */
        uint32_t unspent; /* fuel taken for what follows it in its block */
    } entries[];
};

static size_t map_bytes(uint32_t count) {
    return sizeof(struct code_map) + count * sizeof(struct code_map_entry);
}

static void free_map(struct alloc *alloc, struct code *code) {
    struct code_map *map = atomic_load(&code->map);
    if (map)
        cn_free(alloc, map, map_bytes(map->count));
}

static struct code_map *copy_map(const struct source_map *map, const struct code *code,
                                 struct alloc *alloc) {
    uint32_t skipped = 0;
    while (skipped < map->count && map->entries[skipped].cell < code->first_cell)
        skipped++; /* a prologue that was left out */
    uint32_t count = (uint32_t)map->count - skipped;
    struct code_map *copy = cn_alloc(alloc, map_bytes(count));
    if (!copy)
        return NULL;
    copy->count = count;
    for (uint32_t i = 0; i < count; i++) {
        const struct source_map_entry *from = &map->entries[skipped + i];
        uint32_t taken = from->fuel_cell == UINT32_MAX
                             ? from->fuel_so_far
                             : cn_fuel_of(cn_cell_at(code, from->fuel_cell));
        copy->entries[i] = (struct code_map_entry){.cell = from->cell - code->first_cell,
                                                   .offset = from->offset,
                                                   .unspent = taken - from->fuel_so_far};
    }
    return copy;
}

/* Translates again with a recorder, the first time. NULL when memory does not allow it. */
static const struct code_map *get_map(struct module *module, const struct code *code,
                                      const struct translation_config *config) {
    _Atomic(struct code_map *) *known = &((struct code *)(uintptr_t)code)->map;
    struct code_map *copy = atomic_load(known), *none = NULL;
    if (copy)
        return copy;
    struct error error;
    struct source_map map = {.alloc = module->alloc};
    struct translation_config own = cn_config_for(code, *config);
    struct code *again =
        cn_translate(module, code->func_index, code->body, &own, NULL, &map, &error);
    if (again) {
        copy = copy_map(&map, again, module->alloc);
        cn_free(module->alloc, again, again->size);
    }
    cn_source_map_free(&map);
    if (!copy || atomic_compare_exchange_strong(known, &none, copy))
        return copy;
    cn_free(module->alloc, copy, map_bytes(copy->count)); /* another thread was faster */
    return none;
}

/* The entry of the instruction that holds pc, which may be in the stepping code; NULL: unknown. */
static const struct code_map_entry *find_source(struct module *module, const struct code *code,
                                                const uint64_t *pc,
                                                const struct translation_config *config) {
    const struct code *steps = atomic_load(&((struct code *)(uintptr_t)code)->steps);
    if (steps && pc >= steps->cells && pc < steps->cells + steps->cell_count)
        code = steps;
    if (pc < code->cells || pc >= code->cells + code->cell_count)
        return NULL;
    const struct code_map *map = get_map(module, code, config);
    uint32_t cell = (uint32_t)(pc - code->cells), low = 0, high = map ? map->count : 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (map->entries[middle].cell <= cell)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? &map->entries[low - 1] : NULL;
}

uint64_t cn_code_offset(struct module *module, const struct code *code, const uint64_t *pc,
                        const struct translation_config *config) {
    const struct code_map_entry *entry = find_source(module, code, pc, config);
    return entry ? entry->offset : CN_NO_OFFSET;
}

uint64_t cn_code_unspent_fuel(struct module *module, const struct code *code, const uint64_t *pc,
                              const struct translation_config *config) {
    const struct code_map_entry *entry = find_source(module, code, pc, config);
    return entry ? entry->unspent : 0;
}

/* ---- making code ---- */

static void drop_code(struct shared_module *shared) {
    struct alloc *alloc = shared->module->alloc;
    struct code *code = atomic_load(&shared->code.list);
    while (code) {
        struct code *next = code->next;
        struct code *steps = atomic_load(&code->steps);
        if (steps)
            free_map(alloc, steps);
        free_map(alloc, code);
        cn_steps_free(alloc, steps);
        cn_free(alloc, code, code->size);
        code = next;
    }
    cn_translators_free(shared);
}

void cn_code_own(struct shared_module *shared) {
    atomic_store(&shared->code.drop, drop_code);
}

static struct code *code_of_word(uint64_t word) {
    CN_ASSERT(word != 0 && !(word & CODE_UNTRANSLATED));
    return (struct code *)(uintptr_t)word;
}

/* Validates the body of a function of a deferred module, unless it was before. */
static bool ensure_valid(struct shared_module *shared, uint32_t func, struct error *error) {
    struct module *module = shared->module;
    uint32_t defined = func - module->imported_func_count;
    _Atomic uint8_t *bits = &shared->code.valid[defined / 8];
    uint8_t bit = (uint8_t)(1u << (defined % 8));
    if (atomic_load_explicit(bits, memory_order_acquire) & bit)
        return true;
    uint64_t start = cn_os_monotonic_ns();
    struct span body = cn_module_body(module, func);
    if (!cn_validate_body(module, func, body, error)) {
        cn_prefer_malformed_body(module, func, body, error);
        return false;
    }
    atomic_fetch_add(&shared->code.validate_ns, cn_os_monotonic_ns() - start);
    /* Of several threads the one that sets the bit counts. */
    if (!(atomic_fetch_or(bits, bit) & bit))
        atomic_fetch_add(&shared->code.validated_functions, 1);
    return true;
}

static void count_translation(struct module_code *stats, const struct code *code, uint64_t start) {
    atomic_fetch_add(&stats->translated_functions, 1);
    atomic_fetch_add(&stats->translated_bytes, code->body.length);
    atomic_fetch_add(&stats->bytecode_bytes, (uint64_t)code->cell_count * 8);
    atomic_fetch_add(&stats->translate_ns, cn_os_monotonic_ns() - start);
}

struct code *cn_code_get(struct shared_module *shared, struct code_variant *variant, uint32_t func,
                         const struct interrupt *asker, struct error *error) {
    struct module *module = shared->module;
    CN_ASSERT(func >= module->imported_func_count && func < module->func_count);
    _Atomic uint64_t *entry = &variant->words[func - module->imported_func_count];
    uint64_t word = atomic_load_explicit(entry, memory_order_acquire);
    if (!(word & CODE_UNTRANSLATED))
        return code_of_word(word);
    if (module->deferred && !ensure_valid(shared, func, error))
        return NULL;
    uint64_t start = cn_os_monotonic_ns();
    struct code *code = cn_translate(module, func, cn_module_body(module, func), &variant->config,
                                     asker, NULL, error);
    if (!code)
        return NULL;
    cn_assert_verified(module, code, &variant->config);
    code->size_offset = (uint32_t)(word >> 1);
    CN_ASSERT(code->explicit_checks == variant->config.explicit_checks);
    /* Another thread may have been faster: its code is the same, and ours goes. */
    if (!atomic_compare_exchange_strong(entry, &word, (uint64_t)(uintptr_t)code)) {
        cn_free(module->alloc, code, code->size);
        return code_of_word(word);
    }
    cn_code_own(shared);
    code->next = atomic_load(&shared->code.list);
    while (!atomic_compare_exchange_weak(&shared->code.list, &code->next, code)) {
    }
    count_translation(&shared->code, code, start);
    return code;
}

/* Stops a first call that failed. Exhausted memory may be there later, and an interrupted run may go
 * on: the call can then be done again. */
void cn_stop_untranslated(struct machine *vm, uint32_t func, const struct error *error) {
    catnap_trap_code_t code =
        error->status == CATNAP_LIMIT ? CATNAP_TRAP_LIMIT : CATNAP_TRAP_INVALID;
    char place[40] = "";
    if (error->status == CATNAP_NO_MEMORY) {
        vm->event = EVENT_NO_MEMORY;
        return;
    }
    if (error->status == CATNAP_INTERRUPTED) {
        vm->event = EVENT_INTERRUPTED;
        return;
    }
    if (error->offset != CN_NO_OFFSET)
        snprintf(place, sizeof place, " at offset 0x%" PRIx64, error->offset);
    vm->event = EVENT_TRAP;
    vm->trap = cn_trap_new(vm->store, code, "%s: function %" PRIu32 "%s: %s", cn_trap_text(code),
                           func, place, error->message);
}

const struct code *cn_first_call(struct machine *vm, struct wasm_instance_t *instance,
                                 uint32_t defined_index) {
    uint64_t word = instance->code[defined_index];
    if (!(word & CODE_UNTRANSLATED))
        return code_of_word(word);
    struct error error;
    uint32_t func = defined_index + instance->module->imported_func_count;
    cn_translators_await(instance->shared, instance->variant, func);
    /* Interrupted once, it is translated whole the next time, so that interrupts which come often do not
     * keep a run from going on. */
    const void *entry = &instance->code[defined_index];
    const struct interrupt *asker = vm->interrupted_entry == entry ? NULL : &vm->interrupt;
    struct code *code = cn_code_get(instance->shared, instance->variant, func, asker, &error);
    if (!code)
        cn_stop_untranslated(vm, func, &error);
    vm->interrupted_entry = !code && vm->event == EVENT_INTERRUPTED ? entry : NULL;
    return code;
}

bool cn_first_call_of(struct machine *vm, struct wasm_func_t *f) {
    f->code = cn_first_call(vm, f->instance, f->index - f->instance->module->imported_func_count);
    return f->code != NULL;
}

/* ---- where things are ---- */

/* Behind the prologue and, where there is one, a check for interrupts. */
static bool is_first_block(const struct source_map *map, const struct source_map_entry *entry) {
    return entry == map->entries + 1 ||
           (entry == map->entries + 2 && map->entries[1].bytecode == BC_interrupt_check);
}

/* By the length of what it does in a memory; in a table; in an array of a type. */
static void price_bytes(struct probe *probe, uint64_t memory) {
    probe->fuel_divisor = BYTES_FOR_FUEL;
    probe->fuel_index = (uint32_t)memory;
}
static void price_elements(struct probe *probe, uint64_t table, bool grows) {
    probe->fuel_divisor = ELEMENTS_FOR_FUEL;
    probe->fuel_index = (uint32_t)table;
    probe->fuel_bound = BOUND_TABLE;
    probe->fuel_grows = grows;
}
static void price_array(struct probe *probe, const struct module *module, uint32_t type,
                        enum probe_bound bound) {
    probe->fuel_scale = field_size(dt_fields(module->types[type])->fields[0]);
    probe->fuel_divisor = BYTES_FOR_FUEL;
    probe->fuel_index = type;
    probe->fuel_bound = bound;
}

/* The fuel that an instruction takes before it does anything (handlers). False: it takes none. */
static bool note_price(const struct module *module, const struct source_map *map,
                       const struct source_map_entry *entry, const struct code *code,
                       struct probe *probe) {
    const uint64_t *cell = cn_cell_at(code, entry->cell);
    switch ((enum bytecode)entry->bytecode) {
    case BC_fuel: /* what costs more than an instruction is to enter the function */
        probe->fuel = is_first_block(map, entry) ? code->entry_fuel : 0;
        break;
    case BC_fuel_step:
        probe->fuel = cn_fuel_of(cell);
        break;
    case BC_memory_grow:
        probe->fuel_divisor = 1;
        probe->fuel_index = (uint32_t)bc_w(cell);
        probe->fuel_grows = true;
        break;
    case BC_memory_copy:
    case BC_memory_fill:
        price_bytes(probe, cell[2]);
        break;
    case BC_memory_init:
        price_bytes(probe, cell[2] >> 32);
        break;
    case BC_table_grow:
        price_elements(probe, cell[2], true);
        break;
    case BC_table_fill:
    case BC_table_copy:
        price_elements(probe, cell[2], false);
        break;
    case BC_table_init:
        price_elements(probe, cell[3], false);
        break;
    case BC_struct_new_default:
        probe->fuel = dt_fields(module->types[(uint32_t)bc_w(cell)])->size / BYTES_FOR_FUEL;
        break;
    case BC_array_new:
        price_array(probe, module, (uint32_t)cell[3], BOUND_NONE);
        break;
    case BC_array_new_default:
        price_array(probe, module, (uint32_t)bc_w(cell), BOUND_NONE);
        break;
    case BC_array_new_segment:
        price_array(probe, module, (uint32_t)cell[3], BOUND_SEGMENT);
        probe->fuel_segment = (uint32_t)(cell[3] >> 32);
        break;
    case BC_array_fill:
    case BC_array_init:
        price_array(probe, module, (uint32_t)cell[3], BOUND_ARRAY);
        probe->fuel_depth = 3;
        break;
    case BC_array_copy:
        price_array(probe, module, (uint32_t)cell[3], BOUND_ARRAY);
        probe->fuel_depth = 4;
        break;
    default:
        return false;
    }
    return true;
}

/* A check for interruption and the one for fuel behind it are one safepoint. Operands are fetched and moved before the
 * instruction that pays, which begins there when it is done again. */
static void find_price(const struct module *module, const struct source_map *map,
                       const struct source_map_entry *entry, const struct code *code,
                       struct probe *probe) {
    const struct source_map_entry *end = map->entries + map->count;
    uint32_t offset = entry->offset;
    if (entry->bytecode == BC_interrupt_check && entry + 1 < end)
        entry++;
    probe->fuel_scale = 1;
    while (!note_price(module, map, entry, code, probe) &&
           probe->safepoint == SAFEPOINT_INSTRUCTION && entry + 1 < end &&
           entry[1].offset == offset)
        entry++;
}

/* Code can stand where an instruction begins. Without code nothing is answered. */
static void check_answers(const struct module *module, const struct source_map *map,
                          const struct code *code, struct probes *probes) {
    for (size_t i = 0; i < probes->count; i++) {
        struct probe *probe = &probes->items[i];
        const struct source_map_entry *entry =
            probe->found && code ? cn_source_map_find(map, probe->cell) : NULL;
        if (entry && entry->cell == probe->cell && probe->cell >= code->first_cell)
            find_price(module, map, entry, code, probe);
        else
            cn_probe_free(probes->alloc, probe);
    }
}

/* Answers questions by cell that found no safepoint: the instruction of the cell stopped at itself. */
static void name_instructions(const struct source_map *map, struct probes *probes) {
    for (size_t i = 0; i < probes->count; i++) {
        struct probe *probe = &probes->items[i];
        const struct source_map_entry *entry = cn_source_map_find(map, probe->cell);
        if (probe->found)
            continue;
        probe->safepoint = SAFEPOINT_INSTRUCTION;
        probe->offset = entry ? entry->offset : UINT32_MAX;
    }
}

/* Translates again with the questions. */
static void ask(struct module *module, const struct code *code,
                const struct translation_config *config, struct probes *probes) {
    struct error error;
    struct source_map map = {.alloc = module->alloc, .probes = probes};
    cn_probes_sort(probes);
    struct code *again =
        cn_translate(module, code->func_index, code->body, config, NULL, &map, &error);
    probes->exhausted |= !again;
    check_answers(module, &map, again, probes);
    if (again && probes->by_cell)
        name_instructions(&map, probes);
    if (again)
        cn_free(module->alloc, again, again->size);
    cn_source_map_free(&map);
}

static size_t move_unanswered_first(struct probes *probes) {
    size_t count = 0;
    for (size_t i = 0; i < probes->count; i++) {
        if (probes->items[i].found)
            continue;
        struct probe probe = probes->items[i];
        probes->items[i] = probes->items[count];
        probes->items[count++] = probe;
    }
    return count;
}

bool cn_code_probe(struct module *module, const struct code *code,
                   const struct translation_config *config, struct probes *probes) {
    bool by_cell = probes->by_cell;
    ask(module, code, config, probes);
    struct probes rest = {
        .alloc = probes->alloc, .items = probes->items, .count = move_unanswered_first(probes)};
    if (!probes->exhausted && by_cell && rest.count > 0) {
        ask(module, code, config, &rest);
        probes->exhausted |= rest.exhausted;
    }
    return !probes->exhausted;
}
