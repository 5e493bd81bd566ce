/*
 * Any file in place of a cache's entry: the module that is loaded is the one that is asked for. The
 * first byte says whether the entry's sums and its seal are made right, the rest is the entry.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../temporary.h"
#include "cache/entry.h"
#include "catnap.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* (module (func (export "f") (result i32) i32.const 9)) */
static const uint8_t module_bytes[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01,
                                       0x05, 0x01, 0x60, 0x00, 0x01, 0x7f, 0x03, 0x02, 0x01,
                                       0x00, 0x07, 0x05, 0x01, 0x01, 0x66, 0x00, 0x00, 0x0a,
                                       0x06, 0x01, 0x04, 0x00, 0x41, 0x09, 0x0b};

static wasm_engine_t *engine;
static wasm_store_t *store;
static catnap_cache_t *cache;
static char directory[TEMPORARY_PATH], file[TEMPORARY_PATH + 80];

static void note_file(void *env, const catnap_cache_entry_t *entry) {
    (void)env;
    snprintf(file, sizeof file, "%s/%s", directory, entry->file);
}

static void expect(bool condition) {
    if (!condition)
        abort();
}

/* Loads the module and looks at what it is. */
static void load(void) {
    catnap_error_t *error;
    wasm_module_t *module =
        catnap_cache_module(cache, store, module_bytes, sizeof module_bytes, NULL, &error);
    expect(module != NULL);
    catnap_function_info_t info;
    expect(catnap_module_function_count(module) == 1 && catnap_module_function(module, 0, &info));
    expect(info.body_size == 4 && !catnap_module_translate(module));
    wasm_module_delete(module);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    catnap_error_t *error;
    expect(temporary_directory(directory, sizeof directory));
    engine = wasm_engine_new();
    store = wasm_store_new(engine);
    catnap_cache_options_t options = {directory, 1 << 20, 0};
    cache = catnap_cache_new(engine, &options, &error);
    expect(cache != NULL);
    load();
    expect(!catnap_cache_list(directory, note_file, NULL) && file[0] != '\0');
    return 0;
}

static void make_sums(uint8_t *entry, size_t size) {
    struct entry_header header;
    memcpy(&header, entry, sizeof header);
    header.hash = cn_entry_hash(entry + ENTRY_BYTES_AT, size - ENTRY_BYTES_AT);
    header.mark = cn_entry_mark(entry + ENTRY_BYTES_AT, size - ENTRY_BYTES_AT);
    memcpy(entry, &header, sizeof header);
}

static void seal(int fd, const uint8_t *entry, size_t size) {
    struct cache_seal seal = {.secret = {1, 2, 3}};
    struct cache_content content = {entry + ENTRY_BYTES_AT, size - ENTRY_BYTES_AT};
    cn_entry_seal(&seal, entry, &content);
    expect(fsetxattr(fd, ENTRY_SEAL, &seal, sizeof seal, 0) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    uint8_t *entry = malloc(size);
    expect(entry != NULL);
    memcpy(entry, data + 1, size - 1);
    bool sealed = (data[0] & 1) && size - 1 >= ENTRY_BYTES_AT;
    if (sealed)
        make_sums(entry, size - 1);
    expect(chmod(file, 0700) == 0);
    int fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC);
    expect(fd >= 0 && write(fd, entry, size - 1) == (ssize_t)(size - 1));
    if (sealed)
        seal(fd, entry, size - 1);
    expect(fchmod(fd, 0500) == 0);
    close(fd);
    free(entry);
    load();
    return 0;
}
