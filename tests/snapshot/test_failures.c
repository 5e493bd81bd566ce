/*
 * Allocations and system calls that fail, each in turn: an operation on snapshots or checkpoints
 * ends in an error and nothing has changed, or in the exact result. Nothing may leak: no memory, no
 * mapping, no descriptor, no file.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../temporary.h"
#include "modules.h"
#include "world.h"

/* ---- Failures ---- */

enum kind { ALLOCATIONS, CALLS, INTERRUPTIONS, HALVES, KINDS };

static struct {
    bool on;
    enum kind kind;
    bool forever;
    uint64_t count, fail_at;
    bool fired, on_the_way_to_disk;
    int64_t held, mappings;
} fault;

static bool fails(enum kind kind) {
    if (!fault.on || fault.kind != kind)
        return false;
    uint64_t index = fault.count++;
    bool now = index == fault.fail_at || (fault.forever && index > fault.fail_at);
    fault.fired |= now;
    return now;
}

static bool fails_with(int error) {
    if (!fails(CALLS))
        return false;
    errno = error;
    return true;
}

static bool is_interrupted(void) {
    if (!fails(INTERRUPTIONS))
        return false;
    errno = EINTR;
    return true;
}

static void *failing_realloc(void *env, void *pointer, size_t old_size, size_t new_size) {
    (void)env;
    if (new_size > old_size && fails(ALLOCATIONS))
        return NULL;
    fault.held += (int64_t)new_size - (int64_t)old_size;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    return realloc(pointer, new_size);
}

static const catnap_allocator_t failing_allocator = {failing_realloc, NULL};

/*
 * The library's calls of libc arrive here, as the program's functions come before those of libc.
 * Sanitizers want allocation for themselves.
 */
#define REAL(name) ((__typeof__(&name))(uintptr_t)real(#name))

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

void *mmap(void *start, size_t size, int protection, int flags, int file, off_t offset) {
    static __typeof__(&mmap) next;
    next = next ? next : REAL(mmap);
    if (fails_with(ENOMEM))
        return MAP_FAILED;
    void *result = next(start, size, protection, flags, file, offset);
    fault.mappings += result != MAP_FAILED && !(flags & MAP_FIXED);
    return result;
}
int munmap(void *start, size_t size) {
    static __typeof__(&munmap) next;
    next = next ? next : REAL(munmap);
    fault.mappings--;
    return next(start, size);
}
int mprotect(void *start, size_t size, int protection) {
    static __typeof__(&mprotect) next;
    next = next ? next : REAL(mprotect);
    return fails_with(ENOMEM) ? -1 : next(start, size, protection);
}
int madvise(void *start, size_t size, int advice) {
    static __typeof__(&madvise) next;
    next = next ? next : REAL(madvise);
    return fails_with(EINVAL) ? -1 : next(start, size, advice);
}
int ioctl(int file, unsigned long request, ...) {
    static __typeof__(&ioctl) next;
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    next = next ? next : REAL(ioctl);
    return is_interrupted() || fails_with(ENOMEM) ? -1 : next(file, request, argument);
}
long syscall(long number, ...) {
    static __typeof__(&syscall) next;
    va_list list;
    long a[6];
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    next = next ? next : REAL(syscall);
    return fails_with(EPERM) ? -1 : next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
int open(const char *path, int flags, ...) {
    static __typeof__(&open) next;
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    next = next ? next : REAL(open);
    if (!fails_with(EMFILE))
        return next(path, flags, mode);
    fault.on_the_way_to_disk |= strncmp(path, "/proc", 5) != 0;
    return -1;
}
int memfd_create(const char *name, unsigned flags) {
    static __typeof__(&memfd_create) next;
    next = next ? next : REAL(memfd_create);
    return fails_with(EMFILE) ? -1 : next(name, flags);
}
int ftruncate(int file, off_t size) {
    static __typeof__(&ftruncate) next;
    next = next ? next : REAL(ftruncate);
    return fails_with(ENOSPC) ? -1 : next(file, size);
}
ssize_t pread(int file, void *bytes, size_t size, off_t offset) {
    static __typeof__(&pread) next;
    next = next ? next : REAL(pread);
    if (is_interrupted() || fails_with(EIO))
        return -1;
    size_t half = size > 8 ? (size / 2 + 7) / 8 * 8 : size; /* words are not divided */
    return next(file, bytes, fails(HALVES) ? half : size, offset);
}
ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset) {
    static __typeof__(&pwrite) next;
    next = next ? next : REAL(pwrite);
    if (is_interrupted() || fails_with(ENOSPC))
        return -1;
    return next(file, bytes, fails(HALVES) ? (size + 1) / 2 : size, offset);
}
ssize_t write(int file, const void *bytes, size_t size) {
    static __typeof__(&write) next;
    next = next ? next : REAL(write);
    if (is_interrupted())
        return -1;
    if (!fails_with(ENOSPC))
        return next(file, bytes, fails(HALVES) ? (size + 1) / 2 : size);
    fault.on_the_way_to_disk = true;
    return -1;
}
int fsync(int file) {
    static __typeof__(&fsync) next;
    next = next ? next : REAL(fsync);
    if (!fails_with(EIO))
        return next(file);
    fault.on_the_way_to_disk = true;
    return -1;
}
int rename(const char *from, const char *to) {
    static __typeof__(&rename) next;
    next = next ? next : REAL(rename);
    if (!fails_with(EIO))
        return next(from, to);
    fault.on_the_way_to_disk = true;
    return -1;
}
ssize_t getrandom(void *bytes, size_t size, unsigned flags) {
    static __typeof__(&getrandom) next;
    next = next ? next : REAL(getrandom);
    return fails_with(ENOSYS) ? -1 : next(bytes, size, flags);
}

#if !SANITIZED && defined(__GLIBC__)
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
void *malloc(size_t size) {
    if (!fails(ALLOCATIONS))
        return __libc_malloc(size);
    errno = ENOMEM;
    return NULL;
}
void *calloc(size_t count, size_t size) {
    if (!fails(ALLOCATIONS))
        return __libc_calloc(count, size);
    errno = ENOMEM;
    return NULL;
}
#endif

/* ---- Stores and what they are ---- */

static char directory[TEMPORARY_PATH], path[TEMPORARY_PATH + 8];
static catnap_tracking_t tracking;

/* A store with a changed instance of each module, one of which has a run that is stopped. */
struct scene {
    struct world world, other;
    wasm_instance_t *state, *work, *first; /* the last one in the other store */
    catnap_run_t *run;
    catnap_snapshot_t *snapshot, *base;
    wasm_byte_vec_t bytes;
    uint64_t identity[2];
    uint32_t level;
};

static void open_scene_world(struct world *world) {
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_fuel(config, true);
    catnap_config_set_tracking(config, tracking);
    catnap_config_set_allocator(config, &failing_allocator);
    world->engine = wasm_engine_new_with_config(config);
    open_store(world);
}

static catnap_snapshot_t *take_scene(const struct scene *scene, catnap_error_t **error) {
    catnap_snapshot_options_t options = {.run = scene->run, .data = "mine", .data_length = 4};
    return catnap_snapshot_take(scene->world.store, &options, error);
}

static void identify(const catnap_snapshot_t *snapshot, uint64_t identity[2]) {
    catnap_snapshot_info_t info;
    catnap_snapshot_info(snapshot, &info);
    memcpy(identity, info.identity, sizeof info.identity);
}

/* Of what the store is now. */
static void identify_scene(const struct scene *scene, uint64_t identity[2]) {
    catnap_error_t *error;
    catnap_snapshot_t *snapshot = take_scene(scene, &error);
    assert_no_error(error);
    identify(snapshot, identity);
    catnap_snapshot_delete(snapshot);
}

static void assert_identity(const struct scene *scene, const uint64_t expected[2]) {
    uint64_t now[2];
    identify_scene(scene, now);
    assert_memory_equal(now, expected, sizeof now);
}

static void assert_snapshot(const catnap_snapshot_t *snapshot, const uint64_t expected[2]) {
    uint64_t now[2];
    identify(snapshot, now);
    assert_memory_equal(now, expected, sizeof now);
}

static void change(const struct scene *scene, int32_t value) {
    CALL(scene->state, "store", 5000, value);
    CALL(scene->state, "fill", 20000, value, 70000);
    CALL(scene->state, "set_g", value);
    CALL(scene->state, "set_f", 1, value % 2);
}

static void grow(const struct scene *scene) {
    CALL(scene->state, "grow", 2);
    CALL(scene->state, "fill", 2 * 65536, 9, 2 * 65536);
    CALL(scene->state, "grow_f", 3);
    CALL(scene->state, "drop");
}

static void open_scene(struct scene *scene) {
    catnap_error_t *error;
    wasm_trap_t *trap;
    catnap_val_t argument = {.kind = WASM_I32, .of.i32 = 30}, result;
    *scene = (struct scene){0};
    open_scene_world(&scene->world);
    assert_no_error(catnap_store_set_fuel(scene->world.store, 1000000));
    scene->state = START(&scene->world, state_module);
    scene->work = START(&scene->world, work_module);
    change(scene, 3);
    wasm_func_t *func = EXPORT(func, scene->work, "run");
    scene->run = catnap_run_new(func, &argument, 1, &error);
    assert_no_error(error);
    wasm_func_delete(func);
    uint64_t fuel = catnap_store_fuel(scene->world.store);
    assert_no_error(catnap_store_set_fuel(scene->world.store, 300));
    assert_int_equal(catnap_run_resume(scene->run, &result, 1, &trap), CATNAP_OUT_OF_FUEL);
    assert_no_error(catnap_store_set_fuel(scene->world.store, fuel));
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
}

static void close_scene(struct scene *scene) {
    catnap_snapshot_delete(scene->snapshot);
    catnap_snapshot_delete(scene->base);
    if (scene->bytes.data)
        wasm_byte_vec_delete(&scene->bytes);
    catnap_run_delete(scene->run);
    wasm_instance_delete(scene->state);
    wasm_instance_delete(scene->work);
    close_world(&scene->world);
    wasm_instance_delete(scene->first);
    if (scene->other.store)
        close_store(&scene->other);
}

static void use_snapshot(struct scene *scene, int compression, bool delta) {
    catnap_error_t *error;
    catnap_save_options_t options = {.with_modules = true, .compression = compression};
    if (delta) {
        scene->base = take_scene(scene, &error);
        assert_no_error(error);
        options.base = scene->base;
        change(scene, 4);
    }
    scene->snapshot = take_scene(scene, &error);
    assert_no_error(error);
    identify(scene->snapshot, scene->identity);
    error = catnap_snapshot_write(scene->snapshot, &options, &scene->bytes);
    if (error && catnap_error_status(error) == CATNAP_UNSUPPORTED) {
        catnap_error_delete(error);
        options.compression = 0;
        assert_no_error(catnap_snapshot_write(scene->snapshot, &options, &scene->bytes));
    } else {
        assert_no_error(error);
    }
    assert_no_error(catnap_snapshot_save(scene->snapshot, path, &options));
}

/* ---- Operations: what comes before, what may fail, and what holds then ---- */

struct operation {
    const char *name;
    void (*prepare)(struct scene *);
    catnap_error_t *(*act)(struct scene *);
    void (*check)(struct scene *, bool done);
};

static void prepare_nothing(struct scene *scene) {
    identify_scene(scene, scene->identity);
}

static catnap_error_t *take_it(struct scene *scene) {
    catnap_error_t *error;
    scene->snapshot = take_scene(scene, &error);
    assert_true(!scene->snapshot == !!error);
    return error;
}

static void check_taken(struct scene *scene, bool done) {
    if (done)
        assert_snapshot(scene->snapshot, scene->identity);
    assert_identity(scene, scene->identity);
}

static void prepare_snapshot(struct scene *scene) {
    use_snapshot(scene, 0, false);
}

/* The store has an instance already. */
static void prepare_other_store(struct scene *scene) {
    use_snapshot(scene, 0, false);
    scene->other.engine = scene->world.engine;
    open_store(&scene->other);
    scene->first = START(&scene->other, state_module);
}

static catnap_error_t *restore_it(struct scene *scene) {
    wasm_instance_t *made[2] = {NULL, NULL};
    catnap_run_t *run = NULL;
    catnap_error_t *error =
        catnap_snapshot_restore(scene->snapshot, scene->other.linker, NULL, made, &run);
    bool was_on = fault.on;
    fault.on = false;
    assert_true(error ? !made[0] && !made[1] && !run : made[0] && made[1] && run);
    for (int i = 0; i < 2; i++)
        wasm_instance_delete(made[i]);
    if (run) {
        catnap_val_t result;
        wasm_trap_t *trap;
        assert_no_error(catnap_store_set_fuel(scene->other.store, 10000000));
        assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_OK);
    }
    catnap_run_delete(run);
    fault.on = was_on;
    return error;
}

static void check_restored(struct scene *scene, bool done) {
    catnap_store_stats_t stats;
    catnap_store_stats(scene->other.store, &stats);
    assert_in_range(stats.instances, 1, done ? 3 : 1);
    catnap_store_collect(scene->other.store);
    catnap_store_stats(scene->other.store, &stats);
    assert_int_equal(stats.instances, 1);
    assert_int_equal(stats.memory_bytes, 2 * 65536);
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
    fault.on = false; /* what could not be done can be done later */
    if (!done)
        assert_no_error(restore_it(scene));
}

static catnap_error_t *write_it(struct scene *scene) {
    catnap_save_options_t options = {.with_modules = true};
    wasm_byte_vec_delete(&scene->bytes);
    return catnap_snapshot_write(scene->snapshot, &options, &scene->bytes);
}

static void check_written(struct scene *scene, bool done) {
    catnap_error_t *error;
    assert_true(!scene->bytes.data == !done);
    if (!done)
        return;
    catnap_snapshot_t *read = catnap_snapshot_read(
        scene->world.engine, (const uint8_t *)scene->bytes.data, scene->bytes.size, NULL, &error);
    assert_no_error(error);
    assert_snapshot(read, scene->identity);
    catnap_snapshot_delete(read);
}

static void prepare_file(struct scene *scene) {
    use_snapshot(scene, 0, false);
    change(scene, 6);
}

static catnap_error_t *save_it(struct scene *scene) {
    catnap_snapshot_options_t options = {.run = scene->run, .data = "mine", .data_length = 4};
    catnap_save_options_t save = {.with_modules = true};
    return catnap_store_save(scene->world.store, path, &options, &save);
}

/* The file is the former or the new one, and there is no other. */
static void check_saved(struct scene *scene, bool done) {
    uint64_t now[2];
    catnap_error_t *error;
    identify_scene(scene, now);
    assert_memory_not_equal(now, scene->identity, sizeof now);
    assert_true(!done || !fault.on_the_way_to_disk);
    catnap_snapshot_t *found = catnap_snapshot_open(scene->world.engine, path, NULL, &error);
    assert_no_error(error);
    uint64_t in_file[2];
    identify(found, in_file);
    bool is_new = memcmp(in_file, now, sizeof now) == 0;
    assert_true(is_new || memcmp(in_file, scene->identity, sizeof now) == 0);
    assert_true(is_new || !done);
    catnap_snapshot_delete(found);
}

static catnap_error_t *save_snapshot(struct scene *scene) {
    catnap_save_options_t save = {.with_modules = true, .base = scene->base};
    return catnap_snapshot_save(scene->snapshot, path, &save);
}

static void check_kept(struct scene *scene, bool done) {
    assert_true(!done || !fault.on_the_way_to_disk);
    assert_identity(scene, scene->identity);
}

static void prepare_compressed(struct scene *scene) {
    use_snapshot(scene, 3, false);
}
static void prepare_delta(struct scene *scene) {
    use_snapshot(scene, 0, true);
}

static catnap_error_t *open_it(struct scene *scene) {
    catnap_error_t *error;
    catnap_open_options_t options = {.base = scene->base};
    catnap_snapshot_t *opened = catnap_snapshot_open(scene->world.engine, path, &options, &error);
    assert_true(!opened == !!error);
    if (opened)
        assert_snapshot(opened, scene->identity);
    catnap_snapshot_delete(opened);
    return error;
}

static catnap_error_t *read_it(struct scene *scene) {
    catnap_error_t *error;
    catnap_open_options_t options = {.base = scene->base};
    catnap_snapshot_t *read =
        catnap_snapshot_read(scene->world.engine, (const uint8_t *)scene->bytes.data,
                             scene->bytes.size, &options, &error);
    assert_true(!read == !!error);
    if (read)
        assert_snapshot(read, scene->identity);
    catnap_snapshot_delete(read);
    return error;
}

static catnap_error_t *checkpoint_it(struct scene *scene) {
    return catnap_store_checkpoint(scene->world.store, &scene->level);
}

/* The store is what it was, and going back leads to what it was, whatever happens in between. */
static void check_checkpoint(struct scene *scene, bool done) {
    uint32_t before = catnap_store_checkpoints(scene->world.store);
    assert_int_equal(before, scene->level);
    assert_identity(scene, scene->identity);
    if (!done)
        assert_no_error(catnap_store_checkpoint(scene->world.store, &scene->level));
    change(scene, 12);
    grow(scene);
    assert_no_error(catnap_store_rollback(scene->world.store, scene->level));
    assert_identity(scene, scene->identity);
}

static void prepare_second_checkpoint(struct scene *scene) {
    assert_no_error(catnap_store_checkpoint(scene->world.store, NULL));
    change(scene, 11);
    grow(scene);
    identify_scene(scene, scene->identity);
}

static void check_second(struct scene *scene, bool done) {
    uint64_t first[2];
    scene->level = catnap_store_checkpoints(scene->world.store);
    assert_int_equal(scene->level, done ? 2 : 1);
    check_checkpoint(scene, done);
    assert_no_error(catnap_store_rollback(scene->world.store, 1));
    identify_scene(scene, first);
    change(scene, 13);
    assert_no_error(catnap_store_rollback(scene->world.store, 1));
    assert_identity(scene, first);
    assert_int_equal(CALL(scene->state, "size_f"), 3);
    assert_int_equal(CALL(scene->state, "load", 5000), 3);
}

static void prepare_rollback(struct scene *scene) {
    assert_no_error(catnap_store_checkpoint(scene->world.store, NULL));
    change(scene, 11);
    grow(scene);
    assert_no_error(catnap_store_checkpoint(scene->world.store, NULL));
    CALL(scene->state, "grow", 3);
    change(scene, 12);
    assert_no_error(catnap_store_checkpoint(scene->world.store, NULL));
    CALL(scene->state, "grow", 3);
    change(scene, 13);
    assert_no_error(catnap_store_release(scene->world.store, 3));
    identify_scene(scene, scene->identity);
}

static catnap_error_t *roll_back(struct scene *scene) {
    return catnap_store_rollback(scene->world.store, 1);
}

static void check_rolled_back(struct scene *scene, bool done) {
    if (!done) {
        assert_int_equal(catnap_store_checkpoints(scene->world.store), 2);
        assert_identity(scene, scene->identity);
        assert_no_error(catnap_store_rollback(scene->world.store, 2));
        assert_int_equal(CALL(scene->state, "load", 5000), 11);
        assert_no_error(catnap_store_rollback(scene->world.store, 1));
    }
    assert_int_equal(catnap_store_checkpoints(scene->world.store), 1);
    assert_int_equal(CALL(scene->state, "load", 5000), 3);
    assert_int_equal(CALL(scene->state, "load", 20000), 0x03030303);
    assert_int_equal(CALL(scene->state, "load", 89996), 0x03030303);
    assert_int_equal(CALL(scene->state, "load", 90000), 0);
    assert_int_equal(CALL(scene->state, "size_f"), 3);
    wasm_trap_delete(CALL_TRAP(scene->state, "load", 2 * 65536));
    /* Growing again gives zeros, or is refused. */
    if (CALL(scene->state, "grow", 1) >= 0)
        for (int32_t at = 2 * 65536; at < 3 * 65536; at += 4)
            assert_int_equal(CALL(scene->state, "load", at), 0);
    assert_no_error(catnap_store_rollback(scene->world.store, 1));
}

static catnap_error_t *release_it(struct scene *scene) {
    return catnap_store_release(scene->world.store, 0);
}

/* ---- Pools ---- */

static wasm_memory_t *memory_of(const catnap_pool_slot_t *slot) {
    wasm_extern_t *found = catnap_instance_export(catnap_pool_slot_instance(slot), "m", 1);
    return found ? wasm_extern_as_memory(found) : NULL;
}

static catnap_error_t *link_slot(void *env, catnap_pool_slot_t *slot, catnap_linker_t *linker) {
    catnap_wasi_t *wasi = catnap_pool_slot_wasi(slot);
    (void)env;
    (void)linker;
    catnap_error_t *error = catnap_wasi_add_argument(wasi, "guest");
    if (!error)
        error = catnap_wasi_set_stdin_bytes(wasi, "input", 5);
    if (!error)
        error = catnap_wasi_preopen_dir(wasi, directory, "/", CATNAP_WASI_DIR_READ_ONLY);
    return error;
}

static catnap_error_t *prepare_slot(void *env, catnap_pool_slot_t *slot) {
    wasm_memory_t *memory = memory_of(slot);
    (void)env;
    if (!memory)
        return catnap_error_new(CATNAP_NO_MEMORY, "no memory for a handle");
    memset(wasm_memory_data(memory), 6, 30 * 4096);
    memset(wasm_memory_data(memory) + 7 * 4096, 0, 4096);
    wasm_memory_delete(memory);
    return NULL;
}

static void assert_prepared(const wasm_memory_t *memory) {
    bool was_on = fault.on;
    fault.on = false;
    const char *data = wasm_memory_data((wasm_memory_t *)(uintptr_t)memory);
    assert_int_equal(wasm_memory_size(memory), 2);
    for (size_t i = 0; i < 2 * 65536; i++)
        if (data[i] != (i < 30 * 4096 && i / 4096 != 7 ? 6 : 0))
            fail_msg("byte %zu is %d", i, data[i]);
    fault.on = was_on;
}

/* Whichever call fails, no tenant finds another's state. */
static catnap_error_t *visit_pool(catnap_pool_t *pool, uint64_t tenant) {
    catnap_error_t *error;
    catnap_pool_slot_t *slot = catnap_pool_acquire(pool, tenant, 0, &error);
    assert_true(!slot == !!error);
    if (!slot)
        return error;
    wasm_memory_t *memory = memory_of(slot);
    if (memory) {
        assert_prepared(memory);
        memset(wasm_memory_data(memory), (int)tenant, 100000);
        if (wasm_memory_grow(memory, 2))
            memset(wasm_memory_data(memory) + 2 * 65536, 9, 2 * 65536);
        wasm_memory_delete(memory);
    }
    error = catnap_wasi_add_argument(catnap_pool_slot_wasi(slot), "more");
    catnap_error_delete(error);
    assert_no_error(catnap_pool_release(slot));
    return NULL;
}

static catnap_error_t *visit_often(catnap_pool_t *pool) {
    catnap_error_t *error = NULL;
    for (uint64_t i = 0; i < 6 && !error; i++) {
        error = visit_pool(pool, i / 2);
        if (i == 3)
            catnap_pool_trim(pool, 1);
    }
    fault.on = false; /* no place is lost */
    assert_no_error(catnap_pool_warm(pool, 2));
    assert_no_error(visit_pool(pool, 7));
    catnap_pool_stats_t stats;
    catnap_pool_stats(pool, &stats);
    assert_int_equal(stats.slots, 2);
    assert_int_equal(stats.busy, 0);
    fault.on = true;
    return error;
}

static catnap_error_t *use_pool(struct scene *scene) {
    catnap_pool_options_t options;
    catnap_error_t *error = NULL;
    wasm_module_t *module = catnap_instance_module(scene->state);
    catnap_pool_options_default(&options);
    options.min_slots = options.max_slots = 2;
    options.wasi = true;
    options.link = link_slot;
    options.prepare = prepare_slot;
    catnap_pool_t *pool = module ? catnap_pool_new(module, &options, &error) : NULL;
    wasm_module_delete(module);
    if (!module)
        return catnap_error_new(CATNAP_NO_MEMORY, "no memory for a module");
    if (!error)
        error = visit_often(pool);
    catnap_pool_delete(pool);
    return error;
}

static const struct operation operations[] = {
    {"take", prepare_nothing, take_it, check_taken},
    {"restore", prepare_other_store, restore_it, check_restored},
    {"write", prepare_snapshot, write_it, check_written},
    {"save", prepare_file, save_it, check_saved},
    {"save a snapshot", prepare_snapshot, save_snapshot, check_kept},
    {"save a delta", prepare_delta, save_snapshot, check_kept},
    {"open", prepare_snapshot, open_it, check_kept},
    {"open compressed", prepare_compressed, open_it, check_kept},
    {"open a delta", prepare_delta, open_it, check_kept},
    {"read", prepare_snapshot, read_it, check_kept},
    {"read compressed", prepare_compressed, read_it, check_kept},
    {"read a delta", prepare_delta, read_it, check_kept},
    {"checkpoint", prepare_nothing, checkpoint_it, check_checkpoint},
    {"second checkpoint", prepare_second_checkpoint, checkpoint_it, check_second},
    {"rollback", prepare_rollback, roll_back, check_rolled_back},
    {"release", prepare_rollback, release_it, check_kept},
    {"pool", prepare_nothing, use_pool, check_kept},
};

/* ---- Each failure in turn ---- */

static size_t count_entries(const char *name) {
    DIR *entries = opendir(name);
    size_t count = 0;
    assert_non_null(entries);
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

static void assert_status(const catnap_error_t *error) {
    catnap_status_t status = catnap_error_status(error);
    assert_true(catnap_error_message(error)[0] != '\0');
    if (status != CATNAP_NO_MEMORY && !(fault.kind == CALLS && status == CATNAP_IO))
        print_message("%s\n", catnap_error_message(error));
    assert_true(status == CATNAP_NO_MEMORY || (fault.kind == CALLS && status == CATNAP_IO));
}

static void try_once(const struct operation *operation, uint64_t fail_at) {
    struct scene scene;
    size_t files = count_entries(directory), descriptors = count_entries("/proc/self/fd");
    fault.held = fault.mappings = 0;
    fault.count = 0;
    fault.fail_at = fail_at;
    fault.fired = fault.on_the_way_to_disk = false;
    open_scene(&scene);
    operation->prepare(&scene);
    fault.on = true;
    catnap_error_t *error = operation->act(&scene);
    fault.on = false;
    assert_true(!error || fault.fired);
    if (error)
        assert_status(error);
    operation->check(&scene, !error);
    catnap_error_delete(error);
    close_scene(&scene);
    assert_int_equal(fault.held, 0);
    assert_int_equal(fault.mappings, 0);
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
    assert_in_range(count_entries(directory), files, files + 1);
}

static void try_all(void) {
    for (size_t i = 0; i < COUNT(operations); i++) {
        uint64_t at = 0;
        do {
            errno = 0;
            try_once(&operations[i], at++);
        } while (fault.fired);
        print_message("  %s: %d\n", operations[i].name, (int)at - 1);
    }
}

static bool has(catnap_tracking_t wanted) {
    struct world world;
    tracking = wanted;
    open_scene_world(&world);
    catnap_error_t *error = catnap_store_checkpoint(world.store, NULL);
    bool ok = !error;
    catnap_error_delete(error);
    close_world(&world);
    return ok;
}

static void try_kind(enum kind kind, bool forever) {
    static const catnap_tracking_t kinds[] = {CATNAP_TRACKING_AUTO, CATNAP_TRACKING_WRITE_PROTECT,
                                              CATNAP_TRACKING_COPY_ON_WRITE,
                                              CATNAP_TRACKING_COMPARE};
    fault.kind = kind;
    fault.forever = forever;
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (has(kinds[i]))
            try_all();
}

static void allocations_fail(void **state) {
    (void)state;
    try_kind(ALLOCATIONS, false);
    try_kind(ALLOCATIONS, true);
}
static void calls_fail(void **state) {
    (void)state;
    try_kind(CALLS, false);
}
static void calls_fail_from_there_on(void **state) {
    (void)state;
    try_kind(CALLS, true);
}
static void calls_are_interrupted(void **state) {
    (void)state;
    try_kind(INTERRUPTIONS, false);
}
static void calls_do_half(void **state) {
    (void)state;
    try_kind(HALVES, false);
    try_kind(HALVES, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(allocations_fail),      TEST(calls_fail),    TEST(calls_fail_from_there_on),
        TEST(calls_are_interrupted), TEST(calls_do_half),
    };
    if (!temporary_directory(directory, sizeof directory))
        return 1;
    snprintf(path, sizeof path, "%s/file", directory);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(directory);
    return failed;
}
