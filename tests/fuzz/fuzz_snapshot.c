/* Snapshots from anywhere: reading and restoring must end in an error or in working instances. The
 * checksums are made right first, since nothing else would get past them. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "catnap.h"
#include "snapshot/format.h"

static uint64_t get64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static void put64(uint8_t *at, uint64_t value) {
    memcpy(at, &value, sizeof value);
}

static void mend(uint8_t *bytes, size_t size) {
    if (size < HEAD_SIZE)
        return;
    memcpy(bytes, FORMAT_MAGIC, 8);
    put64(bytes + HEAD_LENGTH, size);
    put64(bytes + HEAD_CHECKSUM, XXH3_64bits(bytes, HEAD_CHECKSUM));
    for (size_t at = HEAD_SIZE; size - at >= PART_HEAD;) {
        uint64_t length = get64(bytes + at + PART_LENGTH);
        if (length > size - at - PART_HEAD)
            break;
        put64(bytes + at + PART_CHECKSUM, XXH3_64bits(bytes + at + PART_HEAD, (size_t)length));
        at += PART_HEAD + (size_t)length;
    }
}

static void restore(wasm_engine_t *engine, const catnap_snapshot_t *snapshot) {
    wasm_store_t *store = wasm_store_new(engine);
    catnap_limits_t limits;
    catnap_limits_default(&limits);
    limits.memory_bytes = UINT64_C(16) << 20;
    limits.table_elements = 100000;
    catnap_store_set_limits(store, &limits);
    catnap_linker_t *linker = catnap_linker_new(store);
    catnap_linker_trap_unknown_imports(linker, true);
    catnap_run_t *run = NULL;
    catnap_error_delete(catnap_snapshot_restore(snapshot, linker, NULL, NULL, &run));
    if (run && wasm_func_result_arity(catnap_run_function(run)) == 0) {
        wasm_trap_t *trap = NULL;
        catnap_error_delete(catnap_store_set_fuel(store, 10000));
        catnap_run_resume(run, NULL, 0, &trap);
        wasm_trap_delete(trap);
    }
    catnap_run_delete(run);
    catnap_linker_delete(linker);
    wasm_store_delete(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *bytes = malloc(size + 1);
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_fuel(config, true);
    catnap_config_set_interruptible(config, true);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    catnap_open_options_t options = {.trust_pages = true};
    memcpy(bytes, data, size);
    mend(bytes, size);
    catnap_snapshot_t *snapshot = catnap_snapshot_read(engine, bytes, size, &options, NULL);
    if (snapshot)
        restore(engine, snapshot);
    catnap_snapshot_delete(snapshot);
    wasm_engine_delete(engine);
    free(bytes);
    return 0;
}
