/* Snapshots whose checksums are right and whose numbers no writer produces: they are refused, and what
 * they cost is in proportion to their length. */
#include "../support/snapshot.h"
#include "heap_modules.h"
#include "modules.h"
#include "persist/snapshot.h"
#include "world.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- Snapshots as bytes ---- */

struct file {
    uint8_t *bytes;
    size_t size;
};

/* Where the contents of a part are, and their length. */
static uint8_t *part_of(struct file *file, enum part_index part, size_t *length) {
    size_t at = 0;
    assert_true(find_part(file->bytes, file->size, part, &at, length));
    return file->bytes + at;
}

static struct file file_of(const catnap_snapshot_t *snapshot, const catnap_snapshot_t *base) {
    wasm_byte_vec_t bytes = to_bytes(snapshot, base);
    struct file file = {malloc(bytes.size), bytes.size};
    memcpy(file.bytes, bytes.data, bytes.size);
    wasm_byte_vec_delete(&bytes);
    return file;
}

/* Puts other contents in place of a part's; the area follows at once. */
static void replace_part(struct file *file, enum part_index part, const uint8_t *contents,
                         size_t size) {
    size_t length, area = (size_t)get64(file->bytes + HEAD_AREA);
    size_t parts = HEAD_SIZE + (size_t)get64(file->bytes + HEAD_PARTS_LENGTH);
    uint8_t *old = part_of(file, part, &length);
    size_t before = (size_t)(old - file->bytes), behind = parts - before - length;
    uint8_t *made = malloc(before + size + behind + file->size - area);
    memcpy(made, file->bytes, before);
    memcpy(made + before, contents, size);
    memcpy(made + before + size, old + length, behind);
    memcpy(made + before + size + behind, file->bytes + area, file->size - area);
    put64(made + before - PART_HEAD + PART_LENGTH, size);
    put64(made + HEAD_PARTS_LENGTH, before + size + behind - HEAD_SIZE);
    put64(made + HEAD_AREA, before + size + behind);
    free(file->bytes);
    *file = (struct file){made, before + size + behind + file->size - area};
}

static catnap_snapshot_t *read_file(struct world *world, struct file *file,
                                    const catnap_snapshot_t *base, catnap_error_t **error) {
    catnap_open_options_t options = {.base = base};
    mend_structure(file->bytes, file->size);
    return catnap_snapshot_read(world->engine, file->bytes, file->size, &options, error);
}

static void expect_refused(struct world *world, struct file *file, const char *text) {
    catnap_error_t *error;
    assert_null(read_file(world, file, NULL, &error));
    assert_error(error, CATNAP_MALFORMED, text);
}

/* ---- Contents that lie over each other ---- */

#define RUN_BYTES 44u
enum { RUN_CHECKSUM = 20, RUN_OFFSET = 28 };

/* Two runs of one page with the same bytes, and a module. */
static struct file two_runs(struct world *world) {
    wasm_instance_t *instance = START(world, state_module);
    CALL(instance, "store", 8192, 77);
    CALL(instance, "store", 65536, 77);
    catnap_snapshot_t *snapshot = take(world, NULL);
    struct file file = file_of(snapshot, NULL);
    catnap_snapshot_delete(snapshot);
    wasm_instance_delete(instance);
    return file;
}

static void runs_do_not_share_bytes(void **state) {
    (void)state;
    struct world world;
    catnap_error_t *error;
    size_t length;
    open_world(&world, false);
    struct file file = two_runs(&world);
    uint8_t *runs = part_of(&file, PART_PAGES, &length) + 8;
    assert_true(length >= 8 + 2 * RUN_BYTES);
    uint8_t *last = runs + length - 8 - RUN_BYTES;
    uint64_t offset = get64(last + RUN_OFFSET);
    put64(last + RUN_OFFSET, offset - SNAP_PAGE);
    expect_refused(&world, &file, "not adjacent");
    put64(last + RUN_OFFSET, offset);
    catnap_snapshot_t *snapshot = read_file(&world, &file, NULL, &error);
    assert_no_error(error);
    catnap_snapshot_delete(snapshot);
    free(file.bytes);
    close_world(&world);
}

static void modules_do_not_share_bytes(void **state) {
    (void)state;
    struct world world;
    size_t length;
    open_world(&world, false);
    struct file file = two_runs(&world);
    uint8_t *modules = part_of(&file, PART_MODULES, &length);
    uint64_t offset = get64(modules + length - 8);
    put64(modules + length - 8, offset - 1);
    expect_refused(&world, &file, "wrong size");
    put64(modules + length - 8, 0);
    expect_refused(&world, &file, "wrong size");
    put64(modules + length - 8, offset);
    uint8_t *row = malloc(length - 4), *both = malloc(4 + 2 * (length - 4));
    memcpy(row, modules + 4, length - 4);
    memcpy(both, (const uint32_t[]){2}, 4);
    memcpy(both + 4, row, length - 4);
    memcpy(both + length, row, length - 4);
    replace_part(&file, PART_MODULES, both, 4 + 2 * (length - 4));
    expect_refused(&world, &file, "not adjacent");
    free(both);
    free(row);
    free(file.bytes);
    close_world(&world);
}

/* ---- Deltas of huge memories ---- */

#define MEMORIES 20000u
#define MOST_PAGES (UINT64_C(1) << 20)

static uint8_t *put(uint8_t *at, uint64_t value, size_t size) {
    memcpy(at, &value, size);
    return at + size;
}

/* So many memories of 4 GiB that became zero: 80 TiB in 2 MB. */
static void zeroes_take_no_time(void **state) {
    (void)state;
    struct world world;
    catnap_error_t *error;
    open_world(&world, false);
    catnap_snapshot_t *base = take(&world, NULL);
    struct file file = file_of(base, base);
    uint8_t *objects = malloc(4 + MEMORIES * 37), *runs = malloc(8 + MEMORIES * RUN_BYTES);
    uint8_t *object = put(objects, MEMORIES, 4), *run = put(runs, MEMORIES, 8);
    for (uint32_t i = 0; i < MEMORIES; i++) {
        object = put(put(put(object, OBJECT_MEMORY, 4), 0, 4), 0, 4);
        object = put(put(put(object, 0, 1), 0, 8), 0, 8);
        object = put(object, MOST_PAGES * SNAP_PAGE, 8);
        run = put(put(put(run, i, 4), 0, 8), MOST_PAGES, 8);
        run = put(put(put(run, 0, 8), NO_BYTES, 8), 0, 8);
    }
    replace_part(&file, PART_OBJECTS, objects, (size_t)(object - objects));
    replace_part(&file, PART_PAGES, runs, (size_t)(run - runs));
    alarm(300); /* it would take hours */
    catnap_snapshot_t *snapshot = read_file(&world, &file, base, &error);
    assert_no_error(error);
    alarm(0);
    catnap_snapshot_delete(snapshot);
    catnap_snapshot_delete(base);
    free(objects);
    free(runs);
    free(file.bytes);
    close_world(&world);
}

/* ---- Fuel that was paid ahead ---- */

enum { FRAMES_FUEL_PAID = 12 };

/* A run that stopped with so much fuel, and the snapshot of it. */
static struct file stopped_with(struct world *world, const uint8_t *module, size_t size,
                                uint64_t fuel) {
    catnap_error_t *error;
    wasm_trap_t *trap;
    catnap_val_t argument = {.kind = WASM_I32, .of.i32 = 40}, result;
    wasm_instance_t *instance = start(world, module, size);
    wasm_func_t *func = EXPORT(func, instance, "run");
    assert_no_error(catnap_store_set_fuel(world->store, fuel));
    catnap_run_t *run = catnap_run_new(func, &argument, 1, &error);
    assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_OUT_OF_FUEL);
    catnap_snapshot_t *snapshot = take(world, run);
    struct file file = file_of(snapshot, NULL);
    catnap_snapshot_delete(snapshot);
    catnap_run_delete(run);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
    return file;
}

/* Whether it wakes with so much fuel paid; then it runs no further than the fuel that it is given. */
static bool wakes_with(struct world *world, struct file *file, uint64_t paid) {
    struct world other = {.engine = world->engine};
    catnap_error_t *error;
    catnap_run_t *run = NULL;
    wasm_instance_t *instance;
    size_t length;
    open_store(&other);
    put64(part_of(file, PART_FRAMES, &length) + FRAMES_FUEL_PAID, paid);
    catnap_snapshot_t *snapshot = read_file(world, file, NULL, &error);
    assert_no_error(error);
    error = catnap_snapshot_restore(snapshot, other.linker, NULL, &instance, &run);
    bool wakes = !error;
    if (error)
        assert_error(error, CATNAP_MALFORMED, "more fuel paid");
    catnap_run_delete(run);
    wasm_instance_delete(instance);
    catnap_snapshot_delete(snapshot);
    close_store(&other);
    return wakes;
}

/* At each place where fuel runs out: what a writer has there wakes, and what takes the place of a limit
 * does not. The price of a place is found by trying: all below wakes, and nothing above. */
static void paid_fuel_is_bounded(void **state) {
    (void)state;
    uint64_t dearest = 0;
    for (uint64_t fuel = 1; fuel < 2500; fuel += 7) {
        struct world world;
        size_t length;
        open_world(&world, true);
        struct file file = stopped_with(&world, work_module, sizeof work_module, fuel);
        uint64_t paid = get64(part_of(&file, PART_FRAMES, &length) + FRAMES_FUEL_PAID);
        uint64_t price = paid + 1;
        assert_true(wakes_with(&world, &file, paid));
        while (price < 1000 && wakes_with(&world, &file, price))
            price++;
        assert_true(price < 100);
        dearest = price > dearest ? price : dearest;
        assert_false(wakes_with(&world, &file, price + 1));
        assert_false(wakes_with(&world, &file, UINT64_C(1) << 40));
        assert_false(wakes_with(&world, &file, UINT64_MAX));
        free(file.bytes);
        close_world(&world);
    }
    assert_true(dearest > 5);
}

/* How many turns of its loop, of five instructions each, the run makes with 1000 units of fuel. */
static int32_t turns_after(struct world *world, struct file *file) {
    struct world other = {.engine = world->engine};
    catnap_error_t *error;
    catnap_run_t *run = NULL;
    wasm_instance_t *instance;
    wasm_trap_t *trap;
    catnap_val_t result, turns;
    open_store(&other);
    catnap_snapshot_t *snapshot = read_file(world, file, NULL, &error);
    assert_no_error(error);
    assert_no_error(catnap_snapshot_restore(snapshot, other.linker, NULL, &instance, &run));
    assert_no_error(catnap_store_set_fuel(other.store, 1000));
    assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_OUT_OF_FUEL);
    wasm_global_t *global = EXPORT(global, instance, "turns");
    catnap_global_get(global, &turns);
    wasm_global_delete(global);
    catnap_run_delete(run);
    wasm_instance_delete(instance);
    catnap_snapshot_delete(snapshot);
    close_store(&other);
    return turns.of.i32;
}

/* memory.grow waits for the fuel of the pages in the local, whatever else the snapshot says; and what it
 * cannot grow by costs nothing, so that nothing can have been paid towards it. */
static void what_fails_is_not_paid_for(void **state) {
    (void)state;
    enum { VALUE_BYTES = 28, PAID = 1000000 };
    struct world world;
    size_t length;
    open_world(&world, true);
    struct file file = stopped_with(&world, grow_module, sizeof grow_module, 22);
    uint8_t *frames = part_of(&file, PART_FRAMES, &length);
    uint8_t *local = frames + length - 2 * VALUE_BYTES, *operand = local + VALUE_BYTES;
    assert_int_equal(get64(local), 40);
    assert_int_equal(get64(operand), 40);
    assert_int_equal(get64(frames + FRAMES_FUEL_PAID), 20);
    assert_in_range(turns_after(&world, &file), 1, 200);
    put64(operand, UINT32_MAX);
    assert_false(wakes_with(&world, &file, PAID));
    put64(local, UINT32_MAX);
    assert_true(wakes_with(&world, &file, PAID));
    assert_in_range(turns_after(&world, &file), 1, 200);
    free(file.bytes);
    close_world(&world);
}

/* ---- Numbers that no writer produces ---- */

/* Each four bytes of the structure are replaced in turn. Bytes that only change a value may be accepted. */
static void every_number_is_checked(void **state) {
    (void)state;
    static const uint32_t values[] = {OBJECT_KINDS, 0x50100, INT32_MAX, UINT32_MAX};
    struct world world;
    size_t length, refused = 0;
    open_world(&world, true);
    struct file file = stopped_with(&world, work_module, sizeof work_module, 100);
    for (enum part_index part = PART_STATE; part < PART_HEAP; part++) {
        uint8_t *at = part_of(&file, part, &length);
        for (size_t i = 0; i + 4 <= length; i++)
            for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
                uint8_t before[4];
                catnap_error_t *error;
                memcpy(before, at + i, 4);
                memcpy(at + i, &values[v], 4);
                catnap_snapshot_t *snapshot = read_file(&world, &file, NULL, &error);
                refused += !snapshot;
                catnap_error_delete(error);
                catnap_snapshot_delete(snapshot);
                memcpy(at + i, before, 4);
            }
    }
    assert_true(refused > 500);
    free(file.bytes);
    close_world(&world);
}

/* ---- Heaps ---- */

/* A run of the program with a heap, that stopped with so much fuel, with its first steps done. */
static struct file stopped_with_heap(struct world *world, uint64_t fuel) {
    host_features = CATNAP_FEATURE_GC;
    open_world(world, true);
    host_features = 0;
    return stopped_with(world, heap_module, sizeof heap_module, fuel);
}

static void corrects_runs(struct file *file) {
    size_t length, area = (size_t)get64(file->bytes + HEAD_AREA);
    uint8_t *runs = part_of(file, PART_PAGES, &length) + 8;
    for (uint8_t *run = runs; run + RUN_BYTES <= runs + length - 8; run += RUN_BYTES)
        put64(run + RUN_CHECKSUM, XXH3_64bits(file->bytes + area + get64(run + RUN_OFFSET),
                                              (size_t)get64(run + 12) * SNAP_PAGE));
}

/* Reads, restores and executes it as far as it goes. Returns whether it was restored. */
static bool use_file(struct world *world, struct file *file) {
    struct world other = {.engine = world->engine};
    catnap_error_t *error;
    catnap_run_t *run = NULL;
    wasm_instance_t *instance = NULL;
    wasm_trap_t *trap;
    catnap_val_t result;
    catnap_store_stats_t stats;
    catnap_snapshot_t *snapshot = read_file(world, file, NULL, &error);
    catnap_error_delete(error);
    if (!snapshot)
        return false;
    open_store(&other);
    error = catnap_snapshot_restore(snapshot, other.linker, NULL, &instance, &run);
    bool restored = !error;
    catnap_store_stats(other.store, &stats);
    if (error)
        assert_true(stats.instances == 0 && stats.memory_bytes == 0);
    catnap_error_delete(error);
    if (run && !catnap_store_set_fuel(other.store, 20000) &&
        catnap_run_resume(run, &result, 1, &trap) == CATNAP_TRAP)
        wasm_trap_delete(trap);
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
    catnap_run_delete(run);
    wasm_instance_delete(instance);
    close_store(&other);
    catnap_snapshot_delete(snapshot);
    return restored;
}

/* Each number in the structure, and each word of the heap, is replaced in turn. */
static size_t change_bytes(struct world *world, struct file *file, uint8_t *at, size_t length,
                           size_t step) {
    static const uint32_t changes[] = {1, 8, 0xFFFFFFFF};
    size_t refused = 0;
    for (size_t i = 0; i + 4 <= length; i += step)
        for (size_t v = 0; v < sizeof changes / sizeof *changes; v++) {
            uint32_t before, after;
            memcpy(&before, at + i, 4);
            after = before ^ changes[v];
            memcpy(at + i, &after, 4);
            corrects_runs(file);
            refused += !use_file(world, file);
            memcpy(at + i, &before, 4);
        }
    corrects_runs(file);
    return refused;
}

static void every_number_of_frames_and_heap_is_checked(void **state) {
    (void)state;
    struct world world;
    size_t length;
    struct file file = stopped_with_heap(&world, 260);
    assert_true(use_file(&world, &file));
    uint8_t *frames = part_of(&file, PART_FRAMES, &length);
    assert_true(change_bytes(&world, &file, frames, length, 2) > 100);
    uint8_t *heap = part_of(&file, PART_HEAP, &length);
    assert_true(change_bytes(&world, &file, heap, length, 1) > 100);
    assert_true(use_file(&world, &file));
    free(file.bytes);
    close_world(&world);
}

static void every_word_of_a_heap_is_checked(void **state) {
    (void)state;
    struct world world;
    size_t length;
    struct file file = stopped_with_heap(&world, 260);
    uint8_t *runs = part_of(&file, PART_PAGES, &length) + 8, *area;
    size_t refused = 0;
    for (size_t i = 0; i + RUN_BYTES <= length - 8; i += RUN_BYTES) {
        uint32_t object;
        memcpy(&object, runs + i, 4);
        area = file.bytes + get64(file.bytes + HEAD_AREA) + get64(runs + i + RUN_OFFSET);
        if (object >= SNAP_REGION)
            refused += change_bytes(&world, &file, area, object == SNAP_STARTS ? 128 : 900, 4);
    }
    assert_true(refused > 100);
    assert_true(use_file(&world, &file));
    free(file.bytes);
    close_world(&world);
}

/* References in frames have the types that code relies on: each is put in place of each other. */
static void references_in_frames_have_exact_types(void **state) {
    (void)state;
    size_t refused = 0, used = 0;
    for (uint64_t fuel = 150; fuel < 420; fuel += 30) {
        struct world world;
        size_t length, count = 0;
        struct file file = stopped_with_heap(&world, fuel);
        uint8_t *frames = part_of(&file, PART_FRAMES, &length);
        struct place {
            uint8_t *at;
            uint8_t bytes[12];
        } *places = calloc(length / 12 + 1, sizeof *places);
        for (size_t i = 0; i + 12 <= length; i++) {
            uint32_t words[3];
            memcpy(words, frames + i, sizeof words);
            if (words[0] != SNAP_VALUE || words[2] != 0 || words[1] == 0 || words[1] > 65536)
                continue;
            places[count].at = frames + i;
            memcpy(places[count++].bytes, words, sizeof words);
        }
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; k < count; k++) {
                memcpy(places[i].at, places[k].bytes, 12);
                bool good = use_file(&world, &file);
                refused += !good;
                used += good && i != k;
                memcpy(places[i].at, places[i].bytes, 12);
            }
        assert_true(use_file(&world, &file));
        free(places);
        free(file.bytes);
        close_world(&world);
    }
    assert_true(refused > 20 && used > 20);
}

/* The kind of the first object is the first number after the count. */
static void unknown_kinds_are_refused(void **state) {
    (void)state;
    static const uint32_t kinds[] = {OBJECT_KINDS, 0x50100, 0x1000000, UINT32_MAX};
    struct world world;
    size_t length;
    open_world(&world, false);
    struct file file = two_runs(&world);
    uint8_t *kind = part_of(&file, PART_OBJECTS, &length) + 4;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        memcpy(kind, &kinds[i], 4);
        expect_refused(&world, &file, "unknown kind");
    }
    free(file.bytes);
    close_world(&world);
}

/*
 * (module
 *   (type $f (func (param i32) (result i32)))
 *   (func $other (param i64))
 *   (func $same (type $f) (local.get 0))
 *   (table 1 (ref $f) (ref.func $same))
 *   (global (export "g") (mut (ref $f)) (ref.func $same)))
 */
static const uint8_t typed[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0a, 0x02, 0x60, 0x01, 0x7f, 0x01, 0x7f,
    0x60, 0x01, 0x7e, 0x00, 0x03, 0x03, 0x02, 0x01, 0x00, 0x04, 0x0a, 0x01, 0x40, 0x00, 0x64, 0x00,
    0x00, 0x01, 0xd2, 0x01, 0x0b, 0x06, 0x07, 0x01, 0x64, 0x00, 0x01, 0xd2, 0x01, 0x0b, 0x07, 0x05,
    0x01, 0x01, 0x67, 0x03, 0x00, 0x0a, 0x09, 0x02, 0x02, 0x00, 0x0b, 0x04, 0x00, 0x20, 0x00, 0x0b};

/* A reference in a file. */
static void put_reference(uint8_t *at, uint32_t tag, uint32_t object, uint32_t index) {
    const uint32_t words[] = {tag, object, index};
    memcpy(at, words, sizeof words);
}

static void expect_not_restored(struct world *world, struct file *file, const char *text) {
    catnap_error_t *error;
    wasm_instance_t *restored = NULL;
    catnap_snapshot_t *snapshot = read_file(world, file, NULL, &error);
    assert_no_error(error);
    error = catnap_snapshot_restore(snapshot, world->linker, NULL, &restored, NULL);
    assert_error(error, CATNAP_MALFORMED, text);
    assert_null(restored);
    catnap_snapshot_delete(snapshot);
}

/* References of a global and of a table have their exact types. */
static void references_of_another_type_are_refused(void **state) {
    (void)state;
    struct world world;
    size_t length, found = 0;
    open_world(&world, false);
    wasm_instance_t *instance = START(&world, typed);
    catnap_snapshot_t *snapshot = take(&world, NULL);
    struct file file = file_of(snapshot, NULL);
    catnap_snapshot_delete(snapshot);
    wasm_instance_delete(instance);
    uint8_t *objects = part_of(&file, PART_OBJECTS, &length), reference[12];
    put_reference(reference, SNAP_FUNC_OF, 0, 1);
    for (size_t i = 0; i + sizeof reference <= length; i++)
        if (memcmp(objects + i, reference, sizeof reference) == 0) {
            found++;
            put_reference(objects + i, SNAP_FUNC_OF, 0, 0);
            expect_not_restored(&world, &file, "is a function of another type");
            put_reference(objects + i, SNAP_NULL, 0, 0);
            expect_not_restored(&world, &file, "is null");
            put_reference(objects + i, SNAP_OBJECT, 0, 0); /* the instance */
            expect_not_restored(&world, &file, "is not a reference to a function");
            put_reference(objects + i, SNAP_FUNC_OF, 0, 1);
        }
    assert_int_equal(found, 2);
    free(file.bytes);
    close_world(&world);
}

/*
 * (module
 *   (type $f (func (param i32) (result i32)))
 *   (import "host" "note" (func $note (type $f)))
 *   (tag $t (param i32 funcref))
 *   (table 3 funcref)
 *   (global (export "e") (mut exnref) (ref.null exn))
 *   (func $init
 *     (global.set 0
 *       (block $h (result exnref)
 *         (try_table (catch_all_ref $h) (throw $t (i32.const 7) (ref.func $init)))
 *         (unreachable)))
 *     (table.set 0 (i32.const 0) (ref.func $note))
 *     (table.set 0 (i32.const 1) (ref.func $init)))
 *   (func (export "run") (type $f) (local exnref)
 *     (call $init)
 *     (local.set 1 (global.get 0))
 *     (loop $again
 *       (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
 *     (call $note (local.get 0)))
 *   (memory 1)
 *   (elem declare func $init $note))
 */
static const uint8_t everything[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0e, 0x03, 0x60, 0x01, 0x7f, 0x01, 0x7f,
    0x60, 0x02, 0x7f, 0x70, 0x00, 0x60, 0x00, 0x00, 0x02, 0x0d, 0x01, 0x04, 0x68, 0x6f, 0x73, 0x74,
    0x04, 0x6e, 0x6f, 0x74, 0x65, 0x00, 0x00, 0x03, 0x03, 0x02, 0x02, 0x00, 0x04, 0x04, 0x01, 0x70,
    0x00, 0x03, 0x05, 0x03, 0x01, 0x00, 0x01, 0x0d, 0x03, 0x01, 0x00, 0x01, 0x06, 0x06, 0x01, 0x69,
    0x01, 0xd0, 0x69, 0x0b, 0x07, 0x0b, 0x02, 0x01, 0x65, 0x03, 0x00, 0x03, 0x72, 0x75, 0x6e, 0x00,
    0x02, 0x09, 0x06, 0x01, 0x03, 0x00, 0x02, 0x01, 0x00, 0x0a, 0x3d, 0x02, 0x20, 0x00, 0x02, 0x69,
    0x1f, 0x40, 0x01, 0x03, 0x00, 0x41, 0x07, 0xd2, 0x01, 0x08, 0x00, 0x0b, 0x00, 0x0b, 0x24, 0x00,
    0x41, 0x00, 0xd2, 0x00, 0x26, 0x00, 0x41, 0x01, 0xd2, 0x01, 0x26, 0x00, 0x0b, 0x1a, 0x01, 0x01,
    0x69, 0x10, 0x01, 0x23, 0x00, 0x21, 0x01, 0x03, 0x40, 0x20, 0x00, 0x41, 0x01, 0x6b, 0x22, 0x00,
    0x0d, 0x00, 0x0b, 0x20, 0x00, 0x10, 0x00, 0x0b};

/* Restores what the file holds, and goes on with the run for a while; both may be refused. Whether it was restored. */
static bool try_everything(struct world *world, struct file *file) {
    struct world other = {.engine = world->engine};
    catnap_error_t *error;
    catnap_run_t *run = NULL;
    wasm_instance_t *instance;
    wasm_trap_t *trap = NULL;
    catnap_val_t result;
    catnap_snapshot_t *snapshot = read_file(world, file, NULL, &error);
    if (!snapshot) {
        catnap_error_delete(error);
        return false;
    }
    open_store(&other);
    error = catnap_snapshot_restore(snapshot, other.linker, NULL, &instance, &run);
    if (error) {
        assert_non_null(catnap_error_message(error));
        assert_null(run);
        assert_null(instance);
    } else if (run) {
        catnap_error_delete(catnap_store_set_fuel(other.store, 500));
        catnap_run_resume(run, &result, 1, &trap);
        wasm_trap_delete(trap);
    }
    bool restored = !error;
    catnap_error_delete(error);
    catnap_run_delete(run);
    wasm_instance_delete(instance);
    catnap_snapshot_delete(snapshot);
    close_store(&other);
    return restored;
}

/* A stopped run with an exception in a local, references in a table and a host's function: each number becomes each
 * of those that name something else. */
static void every_number_is_checked_when_it_is_restored(void **state) {
    (void)state;
    static const uint32_t values[] = {0, 1, 2, 3, 4, 5, 7, 9, 12, 0x100, 0x10000, UINT32_MAX};
    struct world world;
    size_t length, restored = 0, refused = 0;
    open_world(&world, true);
    struct file file = stopped_with(&world, everything, sizeof everything, 50);
    assert_true(try_everything(&world, &file));
    for (enum part_index part = PART_STATE; part <= PART_FRAMES; part++) {
        uint8_t *at = part_of(&file, part, &length);
        for (size_t i = 0; i + 4 <= length; i++)
            for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
                uint8_t before[4];
                memcpy(before, at + i, 4);
                memcpy(at + i, &values[v], 4);
                if (try_everything(&world, &file))
                    restored++;
                else
                    refused++;
                memcpy(at + i, before, 4);
            }
    }
    assert_true(restored > 100 && refused > 1000);
    free(file.bytes);
    close_world(&world);
}

/* Each cut of it is refused: bytes, and files whose pages are checked or not. */
static void every_cut_is_refused(void **state) {
    (void)state;
    struct world world;
    char path[64];
    int cut = memfd_create("cut", 0);
    assert_true(cut >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", cut);
    open_world(&world, true);
    struct file file = stopped_with(&world, everything, sizeof everything, 50);
    mend_structure(file.bytes, file.size);
    for (size_t size = 0; size < file.size; size += size < 2048 ? 1 : 997) {
        catnap_open_options_t options = {.trust_pages = size % 2};
        catnap_error_t *error;
        assert_null(catnap_snapshot_read(world.engine, file.bytes, size, NULL, &error));
        catnap_error_delete(error);
        assert_int_equal(ftruncate(cut, 0), 0);
        assert_int_equal(pwrite(cut, file.bytes, size, 0), (ssize_t)size);
        assert_null(catnap_snapshot_open(world.engine, path, &options, &error));
        catnap_error_delete(error);
    }
    free(file.bytes);
    close(cut);
    close_world(&world);
}

/* ---- Flags and sizes of memories ---- */

#define PAGE UINT64_C(65536)
enum {
    HAS_MAX = LIMITS_HAS_MAX,
    WIDE = LIMITS_IS_64,
    SHARED = MEMORY_SHARED,
    BYTES = LIMITS_PAGE_SIZE
};

/* A memory as a file has it, and what becomes of it: it is refused with the text, when it is read or restored. */
struct memory_row {
    uint8_t flags;
    uint64_t min, max, extent;
    catnap_status_t status; /* of restoring */
    const char *text;
};

/* The flags of the memory or table that belongs to an instance, or to none. */
static uint8_t *find_limits(struct file *file, enum object_kind kind, uint32_t owner) {
    size_t length;
    const uint32_t words[] = {kind, owner, 0};
    uint8_t *objects = part_of(file, PART_OBJECTS, &length);
    uint8_t *found = memmem(objects, length, words, sizeof words);
    assert_non_null(found);
    return found + sizeof words;
}

static void put_memory(uint8_t *at, const struct memory_row *row) {
    at[0] = row->flags;
    put64(at + 1, row->min);
    put64(at + 9, row->max);
    put64(at + 17, row->extent);
}

static void expect_row(struct world *world, struct file *file, const struct memory_row *row) {
    struct world other = {.engine = world->engine};
    catnap_error_t *error;
    wasm_instance_t *restored = NULL;
    catnap_snapshot_t *snapshot = read_file(world, file, NULL, &error);
    if (!snapshot != (row->status == CATNAP_OK && row->text))
        fail_msg("%u %d: %s", row->flags, (int)row->extent, catnap_error_message(error));
    if (snapshot) {
        open_store(&other);
        error = catnap_snapshot_restore(snapshot, other.linker, NULL, &restored, NULL);
        wasm_instance_delete(restored);
        close_store(&other);
    }
    catnap_snapshot_delete(snapshot);
    if (row->text)
        assert_error(error, snapshot ? row->status : CATNAP_MALFORMED, row->text);
    else
        assert_no_error(error);
}

/* Refused when they are read, whosesoever the memory is. */
static const struct memory_row unreadable[] = {
    {SHARED, 1, 1, PAGE, 0, "a shared memory of an impossible size"},
    {SHARED | HAS_MAX, 2, 1, PAGE, 0, "a shared memory of an impossible size"},
    {SHARED | HAS_MAX | BYTES, 1, PAGE, PAGE, 0, "a shared memory of an impossible size"},
    {SHARED | HAS_MAX, 1, 2, PAGE + 1, 0, "a memory of an impossible size"},
    {HAS_MAX, 1, 2, PAGE + 1, 0, "a memory of an impossible size"},
    {0, 1, 0, (PAGE + 1) * PAGE, 0, "a memory of an impossible size"},
    {BYTES, 1, 0, PAGE *PAGE + 1, 0, "a memory of an impossible size"},
    {WIDE, 1, 0, (LIMIT_MEMORY64_PAGES + 1) * PAGE, 0, "a memory of an impossible size"},
    {WIDE | BYTES, 1, 0, LIMIT_MEMORY64_PAGES *PAGE + 1, 0, "a memory of an impossible size"},
    {WIDE | BYTES, 1, 0, UINT64_MAX, 0, "a memory of an impossible size"},
    {16, 2, 0, 2 * PAGE, 0, "limits of an unknown kind"},
    {HAS_MAX | 64, 2, 300, 2 * PAGE, 0, "limits of an unknown kind"},
    {HAS_MAX | 128, 2, 300, 2 * PAGE, 0, "limits of an unknown kind"},
};

/* Of a module that has 2 to 300 pages in its own memory. */
static const struct memory_row not_as_the_module_says[] = {
    {HAS_MAX | BYTES, 2, 300, 2 * PAGE + 1, CATNAP_MALFORMED, "a size that its type does not have"},
    {HAS_MAX, 2, 300, PAGE, CATNAP_MALFORMED, "smaller than its minimum"},
    {HAS_MAX | BYTES, 1, 300, 0, CATNAP_MALFORMED, "smaller than its minimum"},
    {HAS_MAX, 2, 301, 301 * PAGE, CATNAP_LIMIT, "exceeds a limit"},
    {HAS_MAX, 2, 300, 2 * PAGE, CATNAP_OK, NULL},
};

/* Of no instance: a module imports 1 to 2 pages. */
static const struct memory_row not_as_they_are_imported[] = {
    {HAS_MAX | BYTES, 10, 100, 101, CATNAP_MALFORMED, "a size that its type does not have"},
    {HAS_MAX | BYTES, 10, 100, 9, CATNAP_MALFORMED, "a size that its type does not have"},
    {HAS_MAX | BYTES, 10, 100, 10, CATNAP_LINK, "memory"},
    {HAS_MAX | BYTES, PAGE, 2 * PAGE, PAGE, CATNAP_LINK, "memory"},
    {HAS_MAX | SHARED, 1, 2, PAGE, CATNAP_LINK, "memory"},
    {HAS_MAX | SHARED, 1, 2, 3 * PAGE, CATNAP_LIMIT, "exceeds a limit"},
    {HAS_MAX | WIDE, 1, 2, PAGE, CATNAP_LINK, "memory"},
    {HAS_MAX, 3, 2, 3 * PAGE, CATNAP_LIMIT, "needs a memory of 3 pages"},
    {HAS_MAX, UINT64_MAX, 2, PAGE, CATNAP_LIMIT, "needs a memory"},
    {HAS_MAX, 1, 3, PAGE, CATNAP_LINK, "memory"},
    {HAS_MAX, 1, 2, 2 * PAGE, CATNAP_OK, NULL},
};

static void expect_rows(struct world *world, struct file *file, uint32_t owner,
                        const struct memory_row *rows, size_t count) {
    for (size_t i = 0; i < sizeof unreadable / sizeof *unreadable; i++) {
        put_memory(find_limits(file, OBJECT_MEMORY, owner), &unreadable[i]);
        expect_row(world, file, &unreadable[i]);
    }
    for (size_t i = 0; i < count; i++) {
        put_memory(find_limits(file, OBJECT_MEMORY, owner), &rows[i]);
        expect_row(world, file, &rows[i]);
    }
    free(file->bytes);
}

static struct file file_with(struct world *world, const uint8_t *module, size_t size) {
    wasm_instance_t *instance = start(world, module, size);
    catnap_snapshot_t *snapshot = take(world, NULL);
    struct file file = file_of(snapshot, NULL);
    catnap_snapshot_delete(snapshot);
    wasm_instance_delete(instance);
    return file;
}

static void memories_of_instances_are_as_their_modules_say(void **state) {
    (void)state;
    static const uint8_t module[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 5, 5, 1, 1, 2, 0xAC, 2};
    struct world world;
    open_world(&world, false);
    struct file file = file_with(&world, module, sizeof module);
    expect_rows(&world, &file, 1, not_as_the_module_says,
                sizeof not_as_the_module_says / sizeof *not_as_the_module_says);
    close_world(&world);
}

/* (module (import "host" "m" (memory 1 2))) */
static void other_memories_fit_where_they_are_imported(void **state) {
    (void)state;
    static const uint8_t module[] = {0, 'a', 's', 'm', 1,   0, 0,   0, 2, 12, 1,
                                     4, 'h', 'o', 's', 't', 1, 'm', 2, 1, 1,  2};
    const wasm_limits_t limits = {1, 2};
    struct world world;
    open_world(&world, false);
    wasm_memorytype_t *type = wasm_memorytype_new(&limits);
    wasm_memory_t *memory = wasm_memory_new(world.store, type);
    assert_no_error(
        catnap_linker_define(world.linker, "host", 4, "m", 1, wasm_memory_as_extern(memory)));
    struct file file = file_with(&world, module, sizeof module);
    wasm_memory_delete(memory);
    wasm_memorytype_delete(type);
    expect_rows(&world, &file, 0, not_as_they_are_imported,
                sizeof not_as_they_are_imported / sizeof *not_as_they_are_imported);
    close_world(&world);
}

/* Tables are not shared and have no pages. */
static void tables_have_no_flags_of_memories(void **state) {
    (void)state;
    struct world world;
    open_world(&world, false);
    struct file file = file_with(&world, typed, sizeof typed);
    for (unsigned flag = 2; flag < 256; flag <<= 1) {
        *find_limits(&file, OBJECT_TABLE, 1) = (uint8_t)flag;
        if (flag != LIMITS_IS_64)
            expect_refused(&world, &file, "limits of an unknown kind");
    }
    free(file.bytes);
    close_world(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fails_is_not_paid_for),
        cmocka_unit_test(paid_fuel_is_bounded),
        cmocka_unit_test(runs_do_not_share_bytes),
        cmocka_unit_test(modules_do_not_share_bytes),
        cmocka_unit_test(zeroes_take_no_time),
        cmocka_unit_test(every_number_is_checked),
        cmocka_unit_test(every_number_of_frames_and_heap_is_checked),
        cmocka_unit_test(every_word_of_a_heap_is_checked),
        cmocka_unit_test(references_in_frames_have_exact_types),
        cmocka_unit_test(unknown_kinds_are_refused),
        cmocka_unit_test(references_of_another_type_are_refused),
        cmocka_unit_test(every_number_is_checked_when_it_is_restored),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(memories_of_instances_are_as_their_modules_say),
        cmocka_unit_test(other_memories_fit_where_they_are_imported),
        cmocka_unit_test(tables_have_no_flags_of_memories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
