/* Snapshots: copies in memory, bytes, deltas, damage, suspended execution. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../temporary.h"
#include "../support/snapshot.h"
#include "modules.h"
#include "persist/snapshot.h"
#include "world.h"

/* ---- Copies ---- */

static void change_everything(wasm_instance_t *instance) {
    CALL(instance, "grow", 3);
    CALL(instance, "store", 5 * 65536 - 4, 77);
    CALL(instance, "fill", 4096, 9, 100000);
    CALL(instance, "set_g", 5);
    CALL(instance, "grow_f", 2);
    CALL(instance, "set_f", 4, 1);
    CALL(instance, "drop");
    CALL(instance, "drop_f");
}

static void assert_changed(wasm_instance_t *instance) {
    assert_int_equal(CALL(instance, "load", 5 * 65536 - 4), 77);
    assert_int_equal(CALL(instance, "load", 50000), 0x09090909);
    assert_int_equal(CALL(instance, "load", 4092), 0);
    assert_int_equal(CALL(instance, "get_g"), 10);
    assert_int_equal(CALL(instance, "size_f"), 5);
    assert_int_equal(CALL(instance, "call_f", 4), 1);
    assert_int_equal(CALL(instance, "call_f", 0), 0);
    wasm_trap_delete(CALL_TRAP(instance, "init"));
    wasm_trap_delete(CALL_TRAP(instance, "init_f"));
    wasm_trap_delete(CALL_TRAP(instance, "load", 5 * 65536));
    assert_int_equal(CALL(instance, "grow", 1), 5);
}

static void copies_are_alike_and_apart(void **state) {
    (void)state;
    struct world world, other = {0};
    open_world(&world, false);
    wasm_instance_t *instance = START(&world, state_module);
    change_everything(instance);
    catnap_snapshot_t *snapshot = take(&world, NULL);
    CALL(instance, "store", 50000, 1);
    other.engine = world.engine;
    for (int i = 0; i < 3; i++) {
        open_store(&other);
        wasm_instance_t *copy = restore(snapshot, &other, NULL);
        assert_changed(copy);
        CALL(copy, "store", 50000, 2);
        uint32_t level;
        assert_no_error(catnap_store_checkpoint(other.store, &level));
        CALL(copy, "store", 50000, 3);
        CALL(copy, "store", 90000, 3);
        assert_no_error(catnap_store_rollback(other.store, level));
        assert_int_equal(CALL(copy, "load", 50000), 2);
        assert_int_equal(CALL(copy, "load", 90000), 0x09090909);
        wasm_instance_delete(copy);
        close_store(&other);
    }
    assert_int_equal(CALL(instance, "load", 50000), 1);
    catnap_snapshot_delete(snapshot);
    wasm_instance_delete(instance);
    close_world(&world);
}

static void bytes_go_to_another_engine(void **state) {
    (void)state;
    struct world world, other;
    open_world(&world, false);
    wasm_instance_t *instance = START(&world, state_module);
    change_everything(instance);
    catnap_snapshot_t *snapshot = take(&world, NULL);
    wasm_byte_vec_t bytes = to_bytes(snapshot, NULL);
    catnap_snapshot_delete(snapshot);
    wasm_instance_delete(instance);
    close_world(&world);

    open_world(&other, false);
    catnap_error_t *error;
    snapshot =
        catnap_snapshot_read(other.engine, (const uint8_t *)bytes.data, bytes.size, NULL, &error);
    assert_no_error(error);
    size_t length;
    assert_memory_equal(catnap_snapshot_data(snapshot, &length), "mine", 4);
    assert_int_equal(length, 4);
    catnap_snapshot_info_t info;
    catnap_snapshot_info(snapshot, &info);
    assert_int_equal(info.memory_bytes, 5 * 65536);
    assert_int_equal(info.instances, 1);
    assert_true(info.has_modules && !info.is_delta);
    assert_in_range(info.page_bytes, 100000, 120000);
    instance = restore(snapshot, &other, NULL);
    assert_changed(instance);
    wasm_instance_delete(instance);
    catnap_snapshot_delete(snapshot);
    wasm_byte_vec_delete(&bytes);
    close_world(&other);
}

/* A snapshot does not take the place of a pipe or a device, which would be lost. */
static void only_files_are_replaced(void **state) {
    (void)state;
    struct world world;
    struct stat status;
    char path[TEMPORARY_PATH], pipe[TEMPORARY_PATH + 8];
    assert_true(temporary_directory(path, sizeof path));
    snprintf(pipe, sizeof pipe, "%s/pipe", path);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    open_world(&world, false);
    assert_error(catnap_store_save(world.store, pipe, NULL, NULL), CATNAP_IO, "created");
    assert_int_equal(stat(pipe, &status), 0);
    assert_true(S_ISFIFO(status.st_mode));
    assert_error(catnap_store_save(world.store, path, NULL, NULL), CATNAP_IO, "directory");
    unlink(pipe);
    assert_int_equal(rmdir(path), 0);
    close_world(&world);
}

static void files_are_opened(void **state) {
    (void)state;
    struct world world;
    char path[TEMPORARY_PATH];
    assert_true(temporary_file(path, sizeof path));
    open_world(&world, false);
    wasm_instance_t *instance = START(&world, state_module);
    change_everything(instance);
    catnap_save_options_t options = {.with_modules = true};
    assert_no_error(catnap_store_save(world.store, path, NULL, &options));
    wasm_instance_delete(instance);
    close_world(&world);

    open_world(&world, false);
    catnap_error_t *error;
    for (int trust = 0; trust <= 1; trust++) {
        catnap_open_options_t open = {.trust_pages = trust};
        catnap_snapshot_t *snapshot = catnap_snapshot_open(world.engine, path, &open, &error);
        assert_no_error(error);
        struct world other = {.engine = world.engine};
        open_store(&other);
        instance = restore(snapshot, &other, NULL);
        catnap_snapshot_delete(snapshot);
        assert_changed(instance);
        wasm_instance_delete(instance);
        close_store(&other);
    }
    assert_error(catnap_store_save(world.store, "/nowhere/at/all", NULL, NULL), CATNAP_IO,
                 "/nowhere/at/all");
    assert_null(catnap_snapshot_open(world.engine, "/nowhere", NULL, &error));
    assert_error(error, CATNAP_IO, "/nowhere");
    unlink(path);
    assert_null(catnap_snapshot_open(world.engine, path, NULL, &error));
    assert_error(error, CATNAP_IO, "No such file");
    close_world(&world);
}

/* Fills a file with ones, and then cuts it off. */
static void ruin(const char *path) {
    struct stat status;
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0 && fstat(fd, &status) == 0);
    for (off_t at = 0; at < status.st_size; at++)
        assert_int_equal(1, pwrite(fd, "\xff", 1, at));
    assert_int_equal(0, ftruncate(fd, 0));
    close(fd);
}

static void save_changed(struct world *world, const char *path, int compression) {
    wasm_instance_t *instance = START(world, state_module);
    change_everything(instance);
    catnap_save_options_t options = {.with_modules = true, .compression = compression};
    assert_no_error(catnap_store_save(world->store, path, NULL, &options));
    wasm_instance_delete(instance);
}

/* A guest or another process may do so while instances live, and before there are any. */
static void open_files_may_be_ruined(void **state) {
    (void)state;
    struct world world;
    char path[TEMPORARY_PATH];
    catnap_error_t *error;
#ifdef CATNAP_HAVE_ZSTD
    const int most = 1;
#else
    const int most = 0;
#endif
    /* Plain, compressed, and compressed with trust, when nothing can be mapped either. */
    for (int kind = 0; kind <= 2 * most; kind++) {
        catnap_open_options_t options = {.trust_pages = kind == 2};
        open_world(&world, false);
        assert_true(temporary_file(path, sizeof path));
        save_changed(&world, path, kind > 0);
        catnap_snapshot_t *snapshot = catnap_snapshot_open(world.engine, path, &options, &error);
        assert_no_error(error);
        struct world early = {.engine = world.engine}, late = {.engine = world.engine};
        open_store(&early);
        open_store(&late);
        wasm_instance_t *before = restore(snapshot, &early, NULL);
        ruin(path);
        unlink(path);
        catnap_snapshot_module_t module;
        assert_true(catnap_snapshot_module(snapshot, 0, &module) && module.length > 4);
        assert_memory_equal(module.bytes, "\0asm", 4);
        wasm_instance_t *after = restore(snapshot, &late, NULL);
        catnap_snapshot_delete(snapshot);
        assert_changed(before);
        assert_changed(after);
        wasm_instance_delete(before);
        wasm_instance_delete(after);
        close_store(&early);
        close_store(&late);
        close_world(&world);
    }
}

/* All but pages and modules is a copy where pages are trusted, too. */
static void structure_may_be_ruined(void **state) {
    (void)state;
    struct world world;
    char path[TEMPORARY_PATH];
    catnap_error_t *error;
    catnap_snapshot_info_t before, after;
    catnap_snapshot_module_t module;
    catnap_open_options_t options = {.trust_pages = true};
    open_world(&world, false);
    assert_true(temporary_file(path, sizeof path));
    wasm_instance_t *instance = START(&world, state_module);
    catnap_snapshot_options_t with_data = {.data = "mine", .data_length = 4};
    catnap_save_options_t save = {.with_modules = true};
    assert_no_error(catnap_store_save(world.store, path, &with_data, &save));
    catnap_snapshot_t *snapshot = catnap_snapshot_open(world.engine, path, &options, &error);
    assert_no_error(error);
    catnap_snapshot_info(snapshot, &before);
    ruin(path);
    unlink(path);
    catnap_snapshot_info(snapshot, &after);
    assert_memory_equal(&before, &after, sizeof before);
    size_t length;
    assert_memory_equal("mine", catnap_snapshot_data(snapshot, &length), 4);
    assert_true(catnap_snapshot_module(snapshot, 0, &module) && module.length > 0);
    catnap_snapshot_delete(snapshot);
    wasm_instance_delete(instance);
    close_world(&world);
}

/* It is the same snapshot as the other, and wakes with this memory. */
static void assert_same_snapshot(const struct world *world, const catnap_snapshot_t *snapshot,
                                 const catnap_snapshot_t *other, uint64_t memory,
                                 void (*assert_more)(wasm_instance_t *)) {
    catnap_snapshot_info_t a, b;
    catnap_snapshot_info(snapshot, &a);
    catnap_snapshot_info(other, &b);
    assert_memory_equal(a.identity, b.identity, sizeof a.identity);
    struct world second = {.engine = world->engine};
    open_store(&second);
    wasm_instance_t *copy = restore(snapshot, &second, NULL);
    assert_true(hash_memory(copy) == memory);
    if (assert_more)
        assert_more(copy);
    wasm_instance_delete(copy);
    close_store(&second);
}

static void deltas_need_their_base(void **state) {
    (void)state;
    struct world world;
    open_world(&world, false);
    wasm_instance_t *instance = START(&world, state_module);
    CALL(instance, "fill", 0, 1, 65536);
    catnap_snapshot_t *base = take(&world, NULL);
    CALL(instance, "fill", 0, 0, 8192);
    CALL(instance, "store", 70000, 5);
    CALL(instance, "store", 20000, 6);
    CALL(instance, "grow", 1);
    CALL(instance, "store", 2 * 65536, 8);
    catnap_snapshot_t *full = take(&world, NULL);
    uint64_t before = hash_memory(instance);
    wasm_byte_vec_t bytes = to_bytes(full, base);
    catnap_error_t *error;
    assert_null(
        catnap_snapshot_read(world.engine, (const uint8_t *)bytes.data, bytes.size, NULL, &error));
    assert_error(error, CATNAP_LINK, "needs its base");
    catnap_open_options_t open = {.base = full};
    assert_null(
        catnap_snapshot_read(world.engine, (const uint8_t *)bytes.data, bytes.size, &open, &error));
    assert_error(error, CATNAP_LINK, "another base");
    open.base = base;
    catnap_snapshot_t *delta =
        catnap_snapshot_read(world.engine, (const uint8_t *)bytes.data, bytes.size, &open, &error);
    assert_no_error(error);
    catnap_snapshot_delete(base);
    assert_same_snapshot(&world, delta, full, before, NULL);
    catnap_snapshot_delete(delta);
    catnap_snapshot_delete(full);
    wasm_byte_vec_delete(&bytes);
    wasm_instance_delete(instance);
    close_world(&world);
}

/* ---- Compression ---- */

#ifdef CATNAP_HAVE_ZSTD

static void compressed_bytes_are_the_same_snapshot(void **state) {
    (void)state;
    struct world world;
    open_world(&world, false);
    wasm_instance_t *instance = START(&world, state_module);
    CALL(instance, "fill", 8192, 1, 50000);
    catnap_snapshot_t *base = take(&world, NULL);
    change_everything(instance);
    catnap_snapshot_t *full = take(&world, NULL);
    uint64_t before = hash_memory(instance);
    const catnap_snapshot_t *bases[] = {NULL, base};
    for (int i = 0; i < 4; i++) {
        wasm_byte_vec_t bytes, plain = to_bytes(full, bases[i % 2]);
        catnap_save_options_t save = {
            .with_modules = true, .base = bases[i % 2], .compression = i < 2 ? 3 : 19};
        assert_no_error(catnap_snapshot_write(full, &save, &bytes));
        assert_true(bytes.size < plain.size / 4);
        catnap_error_t *error;
        catnap_open_options_t open = {.base = bases[i % 2]};
        catnap_snapshot_t *read = catnap_snapshot_read(world.engine, (const uint8_t *)bytes.data,
                                                       bytes.size, &open, &error);
        assert_no_error(error);
        assert_same_snapshot(&world, read, full, before, assert_changed);
        catnap_snapshot_delete(read);
        wasm_byte_vec_delete(&bytes);
        wasm_byte_vec_delete(&plain);
    }
    catnap_snapshot_delete(base);
    catnap_snapshot_delete(full);
    wasm_instance_delete(instance);
    close_world(&world);
}

#else

static void compression_needs_the_library(void **state) {
    (void)state;
    struct world world;
    catnap_error_t *error;
    open_world(&world, false);
    wasm_instance_t *instance = START(&world, state_module);
    catnap_snapshot_t *snapshot = take(&world, NULL);
    wasm_byte_vec_t bytes, none;
    catnap_save_options_t save = {.compression = 3};
    assert_error(catnap_snapshot_write(snapshot, &save, &none), CATNAP_UNSUPPORTED,
                 "no compression");
    assert_int_equal(none.size, 0);
    bytes = to_bytes(snapshot, NULL);
    bytes.data[HEAD_FLAGS] = FLAG_COMPRESSED;
    mend_structure((uint8_t *)bytes.data, bytes.size);
    assert_null(
        catnap_snapshot_read(world.engine, (const uint8_t *)bytes.data, bytes.size, NULL, &error));
    assert_error(error, CATNAP_UNSUPPORTED, "compressed");
    wasm_byte_vec_delete(&bytes);
    catnap_snapshot_delete(snapshot);
    wasm_instance_delete(instance);
    close_world(&world);
}

#endif

/* ---- Damage ---- */

/* Reads what may be damaged, and restores it when it can be read. */
static bool try_bytes(struct world *world, const uint8_t *bytes, size_t size, bool trust) {
    catnap_error_t *error;
    catnap_open_options_t options = {.trust_pages = trust};
    catnap_snapshot_t *snapshot =
        catnap_snapshot_read(world->engine, bytes, size, &options, &error);
    if (!snapshot) {
        assert_true(catnap_error_message(error)[0] != '\0');
        catnap_error_delete(error);
        return false;
    }
    struct world other = {.engine = world->engine};
    open_store(&other);
    error = catnap_snapshot_restore(snapshot, other.linker, NULL, NULL, NULL);
    bool ok = !error;
    catnap_store_stats_t stats;
    catnap_store_stats(other.store, &stats);
    assert_true(ok || (stats.instances == 0 && stats.memory_bytes == 0));
    catnap_error_delete(error);
    close_store(&other);
    catnap_snapshot_delete(snapshot);
    return ok;
}

/* Where the area begins: what is before it is checked whether pages are trusted or not. */
static size_t area_of(const uint8_t *bytes) {
    uint64_t area;
    memcpy(&area, bytes + HEAD_AREA, sizeof area);
    return (size_t)area;
}

/* Each byte becomes others, and the end is cut off at each length. Compressed pages have bits
 * without a meaning: their contents are checked, so that what can still be read is right. */
static void damage_everywhere(struct world *world, const wasm_byte_vec_t *good, unsigned values) {
    static const uint8_t changes[] = {0x01, 0xff, 0x80, 0x10, 0x7f};
    uint8_t *copy = malloc(good->size);
    memcpy(copy, good->data, good->size);
    size_t area = area_of(copy);
    assert_true(try_bytes(world, copy, good->size, false));
    assert_true(try_bytes(world, copy, good->size, true));
    for (size_t i = 0; i < good->size; i++) {
        for (unsigned j = 0; j < values; j++) {
            copy[i] ^= changes[(i + j) % sizeof changes];
            bool read = try_bytes(world, copy, good->size, false);
            assert_true(!read || (values > 1 && i >= area));
            if (i < area)
                assert_false(try_bytes(world, copy, good->size, true));
            else if (i % 7 == 0)
                try_bytes(world, copy, good->size, true); /* whatever comes of it */
            copy[i] = (uint8_t)good->data[i];
        }
    }
    for (size_t length = 0; length < good->size; length++) {
        /* Apart, so that a sanitizer sees where it ends. */
        uint8_t *cut = length < 4096 || length % 61 == 0 ? malloc(length) : NULL;
        if (cut)
            memcpy(cut, good->data, length);
        assert_false(try_bytes(world, cut ? cut : copy, length, length % 2));
        free(cut);
    }
    copy = realloc(copy, good->size + 1);
    copy[good->size] = 0;
    assert_false(try_bytes(world, copy, good->size + 1, true));
    free(copy);
}

static void damage_is_noticed(void **state) {
    (void)state;
    struct world world;
    open_world(&world, true);
    assert_no_error(catnap_store_set_fuel(world.store, 160));
    wasm_instance_t *instance = START(&world, work_module);
    wasm_func_t *func = EXPORT(func, instance, "run");
    catnap_error_t *error;
    catnap_val_t argument = {.kind = WASM_I32, .of.i32 = 40}, result;
    catnap_run_t *run = catnap_run_new(func, &argument, 1, &error);
    wasm_trap_t *trap;
    assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_OUT_OF_FUEL);
    catnap_snapshot_t *snapshot = take(&world, run);
    wasm_byte_vec_t bytes = to_bytes(snapshot, NULL), small;
    damage_everywhere(&world, &bytes, 1);
    wasm_byte_vec_delete(&bytes);
    catnap_save_options_t compressed = {.with_modules = true, .compression = 3};
    error = catnap_snapshot_write(snapshot, &compressed, &small);
    if (!error) {
        assert_true(small.size < 4096);
        damage_everywhere(&world, &small, 5);
        wasm_byte_vec_delete(&small);
    }
    catnap_error_delete(error);
    catnap_snapshot_delete(snapshot);
    catnap_run_delete(run);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
    close_world(&world);
}

static void a_base_without_identity_is_refused(void **state) {
    (void)state;
    struct world world;
    catnap_error_t *error;
    open_world(&world, false);
    wasm_instance_t *instance = START(&world, state_module);
    catnap_snapshot_t *snapshot = take(&world, NULL);
    wasm_byte_vec_t bytes = to_bytes(snapshot, NULL);
    memset(bytes.data + HEAD_IDENTITY, 0, 16);
    mend_structure((uint8_t *)bytes.data, bytes.size);
    catnap_snapshot_t *base =
        catnap_snapshot_read(world.engine, (const uint8_t *)bytes.data, bytes.size, NULL, &error);
    if (base) {
        wasm_byte_vec_t delta = to_bytes(snapshot, snapshot);
        catnap_open_options_t open = {.base = base};
        catnap_snapshot_delete(catnap_snapshot_read(world.engine, (const uint8_t *)delta.data,
                                                    delta.size, &open, &error));
        wasm_byte_vec_delete(&delta);
        catnap_snapshot_delete(base);
    }
    assert_error(error, CATNAP_MALFORMED, "identity");
    wasm_byte_vec_delete(&bytes);
    catnap_snapshot_delete(snapshot);
    wasm_instance_delete(instance);
    close_world(&world);
}

/* Two tables that say that they are the instance's second one. */
static void a_part_that_is_there_twice_is_refused(void **state) {
    (void)state;
    static const uint8_t two_tables[] = {0, 'a', 's',  'm', 1, 0,    0, 0, 4,
                                         7, 2,   0x70, 0,   1, 0x70, 0, 1};
    const uint32_t first[3] = {OBJECT_TABLE, 1, 0}, second[3] = {OBJECT_TABLE, 1, 1};
    struct world world;
    catnap_error_t *error;
    open_world(&world, false);
    wasm_instance_t *instance = START(&world, two_tables);
    catnap_snapshot_t *snapshot = take(&world, NULL);
    wasm_byte_vec_t bytes = to_bytes(snapshot, NULL);
    catnap_snapshot_delete(snapshot);
    char *found = memmem(bytes.data, bytes.size, first, sizeof first);
    assert_non_null(found);
    memcpy(found, second, sizeof second);
    mend_structure((uint8_t *)bytes.data, bytes.size);
    snapshot =
        catnap_snapshot_read(world.engine, (const uint8_t *)bytes.data, bytes.size, NULL, &error);
    assert_no_error(error);
    assert_error(catnap_snapshot_restore(snapshot, world.linker, NULL, NULL, NULL),
                 CATNAP_MALFORMED, "second copy");
    catnap_snapshot_delete(snapshot);
    wasm_byte_vec_delete(&bytes);
    wasm_instance_delete(instance);
    close_world(&world);
}

/* ---- Suspended execution ---- */

#define LOOPS 40

static int64_t uninterrupted(int32_t loops, uint64_t *memory, uint64_t *fuel) {
    struct world world;
    open_world(&world, true);
    assert_no_error(catnap_store_set_fuel(world.store, 10000000));
    wasm_instance_t *instance = START(&world, work_module);
    wasm_func_t *func = EXPORT(func, instance, "run");
    catnap_val_t argument = {.kind = WASM_I32, .of.i32 = loops}, result;
    assert_no_trap(catnap_func_call(func, &argument, 1, &result, 1));
    *memory = hash_memory(instance);
    *fuel = 10000000 - catnap_store_fuel(world.store);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
    close_world(&world);
    return result.of.i64;
}

/* Runs in slices of fuel; after each the world ends, and a new one wakes from its bytes. Gives how
 * many worlds it took. */
static uint64_t in_slices(int32_t loops, uint64_t slice, int64_t expected, uint64_t memory) {
    uint64_t worlds = 1;
    struct world world;
    catnap_error_t *error;
    wasm_trap_t *trap;
    catnap_val_t argument = {.kind = WASM_I32, .of.i32 = loops}, result;
    open_world(&world, true);
    wasm_instance_t *instance = START(&world, work_module);
    wasm_func_t *func = EXPORT(func, instance, "run");
    catnap_run_t *run = catnap_run_new(func, &argument, 1, &error);
    wasm_func_delete(func);
    for (;; worlds++) {
        assert_int_equal(catnap_store_fuel(world.store), 0);
        assert_no_error(catnap_store_set_fuel(world.store, slice));
        catnap_status_t status = catnap_run_resume(run, &result, 1, &trap);
        assert_no_trap(trap);
        if (status == CATNAP_OK)
            break;
        assert_int_equal(status, CATNAP_OUT_OF_FUEL);
        instance = restore_elsewhere(&world, true, instance, &run);
    }
    assert_true(result.of.i64 == expected);
    assert_true(hash_memory(instance) == memory);
    catnap_run_delete(run);
    wasm_instance_delete(instance);
    close_world(&world);
    return worlds;
}

/* Fuel that a run has paid towards a block which it cannot pay for yet is not lost. */
static void fuel_is_exact_across_worlds(void **state) {
    (void)state;
    uint64_t memory, fuel;
    int64_t expected = uninterrupted(2, &memory, &fuel);
    assert_int_equal(in_slices(2, 1, expected, memory), fuel);
    assert_int_equal(in_slices(2, 7, expected, memory), (fuel + 6) / 7);
}

static void slices_end_like_the_whole(void **state) {
    (void)state;
    uint64_t memory, fuel;
    int64_t expected = uninterrupted(LOOPS, &memory, &fuel);
    in_slices(LOOPS, fuel / 3, expected, memory);
    in_slices(LOOPS, 997, expected, memory);
    in_slices(LOOPS, 89, expected, memory);
    for (uint64_t slice = fuel / 40; slice < fuel / 20; slice += fuel / 200 + 1)
        in_slices(LOOPS, slice, expected, memory);
}

static void a_run_needs_the_same_checks(void **state) {
    (void)state;
    struct world world, other;
    catnap_error_t *error;
    wasm_trap_t *trap;
    catnap_val_t argument = {.kind = WASM_I32, .of.i32 = LOOPS}, result;
    open_world(&world, true);
    assert_no_error(catnap_store_set_fuel(world.store, 500));
    wasm_instance_t *instance = START(&world, work_module);
    wasm_func_t *func = EXPORT(func, instance, "run");
    catnap_run_t *run = catnap_run_new(func, &argument, 1, &error);
    catnap_snapshot_options_t options = {.run = run};
    assert_null(catnap_snapshot_take(world.store, &options, &error));
    assert_error(error, CATNAP_MISUSE, "not suspended");
    assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_OUT_OF_FUEL);
    catnap_snapshot_t *snapshot = take(&world, run);
    wasm_byte_vec_t bytes = to_bytes(snapshot, NULL);
    catnap_snapshot_delete(snapshot);
    open_world(&other, false);
    snapshot =
        catnap_snapshot_read(other.engine, (const uint8_t *)bytes.data, bytes.size, NULL, &error);
    assert_no_error(error);
    assert_error(catnap_snapshot_restore(snapshot, other.linker, NULL, NULL, NULL), CATNAP_MISUSE,
                 "fuel on");
    catnap_store_stats_t stats;
    catnap_store_stats(other.store, &stats);
    assert_int_equal(stats.instances, 0);
    assert_int_equal(stats.memory_bytes, 0);
    catnap_snapshot_delete(snapshot);
    close_world(&other);
    wasm_byte_vec_delete(&bytes);
    catnap_run_delete(run);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
    close_world(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(copies_are_alike_and_apart),
        TEST(bytes_go_to_another_engine),
        TEST(files_are_opened),
        TEST(open_files_may_be_ruined),
        TEST(structure_may_be_ruined),
        TEST(only_files_are_replaced),
        TEST(deltas_need_their_base),
#ifdef CATNAP_HAVE_ZSTD
        TEST(compressed_bytes_are_the_same_snapshot),
#else
        TEST(compression_needs_the_library),
#endif
        TEST(damage_is_noticed),
        TEST(a_base_without_identity_is_refused),
        TEST(a_part_that_is_there_twice_is_refused),
        TEST(slices_end_like_the_whole),
        TEST(fuel_is_exact_across_worlds),
        TEST(a_run_needs_the_same_checks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
