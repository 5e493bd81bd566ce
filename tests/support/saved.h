/* Stores as bytes: what tests move, compare and corrupt. */
#ifndef TESTS_SUPPORT_SAVED_H
#define TESTS_SUPPORT_SAVED_H

#include "errors.h"

/* A snapshot of a store as bytes, with its modules, and with a suspended run, which may be NULL. */
static inline wasm_byte_vec_t save_store(wasm_store_t *store, catnap_run_t *run) {
    catnap_error_t *error;
    wasm_byte_vec_t bytes;
    const catnap_snapshot_options_t take = {.run = run};
    const catnap_save_options_t save = {.with_modules = true};
    catnap_snapshot_t *snapshot = catnap_snapshot_take(store, &take, &error);
    assert_no_error(error);
    assert_no_error(catnap_snapshot_write(snapshot, &save, &bytes));
    catnap_snapshot_delete(snapshot);
    return bytes;
}

#endif
