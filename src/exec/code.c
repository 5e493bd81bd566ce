/*
 * Translated functions: made at the first call, published once, found again by pc. This is where
 * translator and executor meet, and the validator for modules that put it off.
 */
#include "exec/code.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/platform.h"
#include "exec/background.h"
#include "binary/opcodes.h"
#include "exec/bytecode.h"
#include "exec/internal.h"
#include "translate/translate.h"
#include "validate/validate.h"

void cn_code_drop(struct module *module) {
    struct code *code = atomic_load(&module->code_list);
    while (code) {
        struct code *next = code->next;
        cn_free(module->alloc, code, code->size);
        code = next;
    }
    cn_translators_free(module);
}

static struct code *code_of_word(uint64_t word) {
    return (struct code *)(uintptr_t)word;
}

/* Of a deferred module: the module's own table knows what is valid, for its twins too. */
static bool ensure_valid(struct module *module, uint32_t func, struct error *error) {
    _Atomic uint64_t *table = cn_module_code(module);
    if (!table)
        return cn_fail_memory(error);
    _Atomic uint64_t *entry = &table[func - module->imported_func_count];
    uint64_t known = atomic_load_explicit(entry, memory_order_acquire);
    if (!(known & CODE_UNTRANSLATED) || (known & CODE_VALID))
        return true;
    uint64_t start = cn_os_monotonic_ns();
    struct span body = cn_module_body(module, func);
    if (!cn_validate_body(module, func, body, error)) {
        cn_prefer_malformed_body(module, func, body, error);
        return false;
    }
    atomic_fetch_add(&module->validate_ns, cn_os_monotonic_ns() - start);
    /* Whoever sets the mark counts; nobody translates before it is set. */
    if (atomic_compare_exchange_strong(entry, &known, known | CODE_VALID))
        atomic_fetch_add(&module->validated_functions, 1);
    return true;
}

struct code *cn_code_get(struct module *module, _Atomic uint64_t *table, uint32_t func,
                         const struct translation_config *config, const struct machine *asker,
                         struct error *error) {
    _Atomic uint64_t *entry = &table[func - module->imported_func_count];
    uint64_t word = atomic_load_explicit(entry, memory_order_acquire);
    if (!(word & CODE_UNTRANSLATED))
        return code_of_word(word);
    if (module->deferred) {
        if (!ensure_valid(module, func, error))
            return NULL;
        word = atomic_load_explicit(entry, memory_order_acquire);
        if (!(word & CODE_UNTRANSLATED))
            return code_of_word(word);
    }
    uint64_t start = cn_os_monotonic_ns();
    struct code *code =
        cn_translate(module, func, cn_module_body(module, func), config, asker, NULL, error);
    if (!code)
        return NULL;
    code->size_offset = (uint32_t)((word & ~CODE_VALID) >> 1);
    /* Another thread may have been faster: its code is the same, and ours goes. */
    if (!atomic_compare_exchange_strong(entry, &word, (uint64_t)(uintptr_t)code)) {
        cn_free(module->alloc, code, code->size);
        return code_of_word(word);
    }
    module->drop_code = cn_code_drop;
    code->next = atomic_load(&module->code_list);
    while (!atomic_compare_exchange_weak(&module->code_list, &code->next, code)) {
    }
    atomic_fetch_add(&module->translated_functions, 1);
    atomic_fetch_add(&module->translated_bytes, code->body.length);
    atomic_fetch_add(&module->bytecode_bytes, (uint64_t)code->cell_count * 8);
    atomic_fetch_add(&module->translate_ns, cn_os_monotonic_ns() - start);
    return code;
}

/* What a failed first call stops with. Exhausted memory may be there later, and an interrupted run may go
 * on: the call can then be done again. */
static void stop_first_call(struct machine *vm, uint32_t func, const struct error *error) {
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
    struct translation_config config = cn_instance_translation(instance);
    uint32_t func = defined_index + instance->module->imported_func_count;
    cn_translators_await(instance->module, func);
    /* Interrupted once, it is translated whole the next time, so that interrupts which come often do not
     * keep a run from going on. */
    const void *entry = &instance->code[defined_index];
    const struct machine *asker = vm->interrupted_entry == entry ? NULL : vm;
    struct code *code = cn_code_get(instance->module, instance->code, func, &config, asker, &error);
    if (!code)
        stop_first_call(vm, func, &error);
    vm->interrupted_entry = !code && vm->event == EVENT_INTERRUPTED ? entry : NULL;
    return code;
}

bool cn_first_call_of(struct machine *vm, struct wasm_func_t *f) {
    f->code = cn_first_call(vm, f->instance, f->defined_index);
    return f->code != NULL;
}

/* Translates `code` again and gives the entry of the instruction that holds pc. */
static bool find_source(struct module *module, const struct code *code, const uint64_t *pc,
                        const struct translation_config *config, struct source_map_entry *out,
                        uint32_t *fuel_total) {
    struct error error;
    struct source_map map = {.alloc = module->alloc};
    if (pc < code->cells || pc >= code->cells + code->cell_count)
        return false;
    struct code *again =
        cn_translate(module, code->func_index, code->body, config, NULL, &map, &error);
    bool found = false;
    if (again) {
        uint32_t cell = cn_cell_of(code, pc);
        for (size_t i = 0; i < map.count && map.entries[i].cell <= cell; i++) {
            *out = map.entries[i];
            found = true;
        }
        if (found && out->fuel_cell != UINT32_MAX)
            *fuel_total = (uint32_t)(cn_cell_at(again, out->fuel_cell)[1] >> 32);
        cn_free(module->alloc, again, again->size);
    }
    cn_source_map_free(&map);
    return found;
}

uint64_t cn_code_offset(struct module *module, const struct code *code, const uint64_t *pc,
                        const struct translation_config *config) {
    struct source_map_entry entry;
    uint32_t total;
    return find_source(module, code, pc, config, &entry, &total) ? entry.offset : CN_NO_OFFSET;
}

uint64_t cn_code_unspent_fuel(struct module *module, const struct code *code, const uint64_t *pc,
                              const struct translation_config *config) {
    struct source_map_entry entry;
    uint32_t total = 0;
    if (!find_source(module, code, pc, config, &entry, &total) || entry.fuel_cell == UINT32_MAX)
        return 0;
    return total - entry.fuel_so_far;
}

static bool starts_instruction(const struct source_map *map, uint32_t cell) {
    for (size_t i = 0; i < map->count; i++)
        if (map->entries[i].cell == cell)
            return true;
    return false;
}

/* Translates again with the probe; *offset is that of the instruction at the probe's cell. */
static void ask(struct module *module, const struct code *code,
                const struct translation_config *config, struct probe *probe, uint32_t *offset) {
    struct error error;
    struct source_map map = {.alloc = module->alloc, .probe = probe};
    uint32_t cell = probe->cell;
    struct code *again =
        cn_translate(module, code->func_index, code->body, config, NULL, &map, &error);
    probe->exhausted |= !again;
    for (size_t i = 0; again && i < map.count && map.entries[i].cell <= cell; i++)
        *offset = map.entries[i].offset;
    if (probe->found && !(again && starts_instruction(&map, probe->cell)))
        cn_probe_free(probe);
    if (again)
        cn_free(module->alloc, again, again->size);
    cn_source_map_free(&map);
}

bool cn_code_probe(struct module *module, const struct code *code,
                   const struct translation_config *config, struct probe *probe) {
    uint32_t offset = UINT32_MAX;
    probe->alloc = module->alloc;
    ask(module, code, config, probe, &offset);
    if (probe->found || probe->exhausted || !probe->by_cell)
        return probe->found;
    probe->by_cell = false;
    probe->place = PLACE_INSTRUCTION;
    probe->offset = offset;
    ask(module, code, config, probe, &offset);
    return probe->found;
}
