/*
 * libFuzzer target: snapshots from anywhere. Reading and restoring must end in an error or in
 * working instances, of which another snapshot can be taken, and modules that are valid be made.
 * The corpus is tests/fuzz/corpus/snapshot.
 *
 * Lengths, checksums of the structure, of pages and of modules, and the places of contents are made right,
 * since nothing else would get past them. Deltas get an empty base. Half of the inputs, by their length,
 * are read with their pages trusted.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "../hostile/stubs.h"
#include "../support/snapshot.h"
#include "catnap.h"

#define FUEL 5000

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t most);

static void require(bool condition) {
    if (!condition)
        abort();
}

/* ---- Making things right ---- */

/* Of the pages part: object, first page, count, checksum, offset and length in the area. */
enum { RUN_COUNT = 12, RUN_CHECKSUM = 20, RUN_OFFSET = 28, RUN_STORED = 36, RUN_SIZE = 44 };
/* Of a row of the modules part: the hash, the length, the length of the name, the name, the offset. */
enum { MODULE_LENGTH = 16, MODULE_NAME_LENGTH = 24, MODULE_NAME = 28 };

struct area {
    const uint8_t *bytes;
    uint64_t size, used;
};

/* Contents follow each other, as far as they fit. */
static bool place(struct area *area, uint64_t stored, uint8_t *offset) {
    if (get64(offset) == NO_BYTES || stored > area->size - area->used)
        return false;
    put64(offset, area->used);
    area->used += stored;
    return true;
}

static void mend_pages(uint8_t *at, size_t length, bool compressed, struct area *area) {
    for (size_t i = 8; i + RUN_SIZE <= length; i += RUN_SIZE) {
        uint8_t *run = at + i;
        uint64_t size = get64(run + RUN_COUNT) * 4096;
        if (!compressed)
            put64(run + RUN_STORED, get64(run + RUN_OFFSET) == NO_BYTES ? 0 : size);
        uint64_t from = area->used;
        if (place(area, get64(run + RUN_STORED), run + RUN_OFFSET) && !compressed)
            put64(run + RUN_CHECKSUM, XXH3_64bits(area->bytes + from, (size_t)size));
    }
}

/* The last one takes what is left. */
static void mend_modules(uint8_t *at, size_t length, struct area *area) {
    for (size_t i = 4; i + MODULE_NAME + 8 <= length;) {
        uint32_t name;
        memcpy(&name, at + i + MODULE_NAME_LENGTH, sizeof name);
        if (name > length - i - MODULE_NAME - 8)
            return;
        uint8_t *row = at + i, *offset = row + MODULE_NAME + name;
        i += MODULE_NAME + name + 8;
        if (i == length && get64(offset) != NO_BYTES)
            put64(row + MODULE_LENGTH, area->size - area->used);
        uint64_t from = area->used, size = get64(row + MODULE_LENGTH);
        if (!place(area, size, offset))
            continue;
        XXH128_hash_t hash = XXH3_128bits(area->bytes + from, (size_t)size);
        put64(row, hash.high64);
        put64(row + 8, hash.low64);
    }
}

static void mend_contents(uint8_t *bytes, size_t size) {
    size_t at = 0, length = 0;
    uint64_t start = get64(bytes + HEAD_AREA);
    if (start > size)
        return;
    struct area area = {bytes + start, size - start, 0};
    if (find_part(bytes, size, PART_PAGES, &at, &length) && at + length <= start)
        mend_pages(bytes + at, length, bytes[HEAD_FLAGS] & FLAG_COMPRESSED, &area);
    if (find_part(bytes, size, PART_MODULES, &at, &length) && at + length <= start)
        mend_modules(bytes + at, length, &area);
}

static void mend(uint8_t *bytes, size_t size) {
    if (size < HEAD_SIZE)
        return;
    mend_contents(bytes, size);
    memcpy(bytes, FORMAT_MAGIC, 8);
    mend_structure(bytes, size);
}

/* Changes the contents of one part; what follows moves. */
static size_t mutate_part(uint8_t *bytes, size_t size, size_t most, size_t at, size_t length) {
    uint8_t *rest = malloc(size - at - length + 1);
    memcpy(rest, bytes + at + length, size - at - length);
    size_t changed = LLVMFuzzerMutate(bytes + at, length, length + (most - size));
    memcpy(bytes + at + changed, rest, size - at - length);
    free(rest);
    put64(bytes + at - PART_HEAD + PART_LENGTH, changed);
    put64(bytes + HEAD_PARTS_LENGTH, get64(bytes + HEAD_PARTS_LENGTH) + changed - length);
    put64(bytes + HEAD_AREA, get64(bytes + HEAD_AREA) + changed - length);
    return size - length + changed;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most, unsigned seed) {
    size_t at = 0, length = 0;
    if (seed % 8 < PARTS && size < most && find_part(bytes, size, seed % 8, &at, &length))
        size = mutate_part(bytes, size, most, at, length);
    else
        size = LLVMFuzzerMutate(bytes, size, most);
    mend(bytes, size);
    return size;
}

/* ---- Using what came of it ---- */

static size_t name_anything(void *env, const wasm_ref_t *ref, char *text, size_t size) {
    (void)env;
    (void)ref;
    (void)size;
    memcpy(text, "thing", 5);
    return 5;
}

static wasm_ref_t *resolve_anything(void *env, const char *name, size_t length) {
    (void)name;
    return length % 4 == 1 ? env : NULL;
}

/* Another snapshot of the store can be taken, and read again. */
static void take_again(wasm_engine_t *engine, wasm_store_t *store, catnap_run_t *run) {
    catnap_error_t *error;
    wasm_byte_vec_t bytes;
    catnap_snapshot_info_t before, after;
    catnap_snapshot_options_t options = {.run = run, .name = name_anything};
    catnap_save_options_t save = {.with_modules = true};
    catnap_snapshot_t *snapshot = catnap_snapshot_take(store, &options, &error);
    require(snapshot && !error);
    require(!catnap_snapshot_write(snapshot, &save, &bytes));
    catnap_snapshot_t *read =
        catnap_snapshot_read(engine, (const uint8_t *)bytes.data, bytes.size, NULL, &error);
    require(read && !error);
    catnap_snapshot_info(snapshot, &before);
    catnap_snapshot_info(read, &after);
    require(memcmp(before.identity, after.identity, sizeof before.identity) == 0);
    catnap_snapshot_delete(read);
    catnap_snapshot_delete(snapshot);
    wasm_byte_vec_delete(&bytes);
}

static void go_on(wasm_store_t *store, catnap_run_t *run) {
    size_t count = wasm_func_result_arity(catnap_run_function(run));
    catnap_val_t *results = calloc(count + 1, sizeof *results);
    wasm_trap_t *trap = NULL;
    catnap_error_delete(catnap_store_set_fuel(store, FUEL));
    catnap_status_t status = catnap_run_resume(run, results, count, &trap);
    for (size_t i = 0; status == CATNAP_OK && i < count; i++)
        if (wasm_valkind_is_ref(results[i].kind))
            wasm_ref_delete(results[i].of.ref);
    use_trap(trap);
    free(results);
}

static void restore(wasm_engine_t *engine, const catnap_snapshot_t *snapshot) {
    size_t count = catnap_snapshot_instance_count(snapshot);
    wasm_instance_t **instances = calloc(count + 1, sizeof(wasm_instance_t *));
    wasm_store_t *store = wasm_store_new(engine);
    catnap_linker_t *linker = catnap_linker_new(store);
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    catnap_restore_options_t options = {.resolve = resolve_anything,
                                        .env = wasm_foreign_as_ref(foreign)};
    catnap_run_t *run = NULL;
    catnap_store_stats_t stats;
    limit_store(store);
    catnap_linker_trap_unknown_imports(linker, true);
    catnap_error_t *error = catnap_snapshot_restore(snapshot, linker, &options, instances, &run);
    catnap_store_stats(store, &stats);
    require(error ? stats.instances == 0 && stats.memory_bytes == 0 : stats.instances == count);
    if (!error) {
        take_again(engine, store, run);
        if (run)
            go_on(store, run);
        for (size_t i = 0; i < count; i++) {
            require(converts_well(store, instances[i], false));
            use_exports(store, instances[i], FUEL);
        }
    }
    catnap_error_delete(error);
    catnap_run_delete(run);
    for (size_t i = 0; i < count; i++)
        wasm_instance_delete(instances[i]);
    wasm_foreign_delete(foreign);
    catnap_linker_delete(linker);
    wasm_store_delete(store);
    free(instances);
}

static void add_length(void *env, size_t memory, uint64_t offset, uint64_t length) {
    (void)memory;
    require(length > 0 && offset + length > offset);
    *(uint64_t *)env += length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *bytes = malloc(size + 1);
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_fuel(config, true);
    catnap_config_set_interruptible(config, true);
    catnap_config_set_features(config, CATNAP_FEATURES_DEFAULT | CATNAP_FEATURE_GC);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    catnap_error_t *error;
    wasm_store_t *empty = wasm_store_new(engine);
    catnap_snapshot_t *base = catnap_snapshot_take(empty, NULL, &error);
    catnap_open_options_t options = {.trust_pages = size % 2, .base = base};
    catnap_snapshot_info_t info;
    catnap_snapshot_info(base, &info);
    memcpy(bytes, data, size);
    if (size >= HEAD_SIZE && (bytes[HEAD_FLAGS] & FLAG_DELTA))
        memcpy(bytes + HEAD_BASE, info.identity, sizeof info.identity);
    mend(bytes, size);
    catnap_snapshot_t *snapshot = catnap_snapshot_read(engine, bytes, size, &options, &error);
    require(snapshot ? !error : error && catnap_error_message(error)[0]);
    catnap_error_delete(error);
    if (snapshot) {
        uint64_t differing = 0;
        catnap_snapshot_diff(snapshot, base, add_length, &differing);
        restore(engine, snapshot);
    }
    catnap_snapshot_delete(snapshot);
    catnap_snapshot_delete(base);
    wasm_store_delete(empty);
    wasm_engine_delete(engine);
    free(bytes);
    return 0;
}
