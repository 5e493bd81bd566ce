/* The cache of validated modules. */
#include "../child.h"
#include "../temporary.h"
#include "cache/entry.h"
#include "inject.h"

#include <errno.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- File systems without extended attributes ---- */

static struct {
    int get, set; /* errors of the calls; 0: none */
} without;

/* These take the place of libc's in the library. */
#define REAL(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

ssize_t fgetxattr(int file, const char *name, void *value, size_t size) {
    errno = without.get;
    return without.get ? -1 : REAL(fgetxattr)(file, name, value, size);
}

int fsetxattr(int file, const char *name, const void *value, size_t size, int flags) {
    errno = without.set;
    return without.set ? -1 : REAL(fsetxattr)(file, name, value, size, flags);
}

/* ---- Modules and directories ---- */

/* (module (func (export "f") (result i32) nop nop (i32.const NUMBER))), NUMBER below 2^20 */
#define MODULE_BYTES 38u
#define NOP_AT 31u
#define NUMBER_AT 34u
static void write_module(uint8_t bytes[MODULE_BYTES], uint32_t number) {
    static const uint8_t plain[MODULE_BYTES] = {
        0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x05, 0x01, 0x60, 0x00,
        0x01, 0x7f, 0x03, 0x02, 0x01, 0x00, 0x07, 0x05, 0x01, 0x01, 0x66, 0x00, 0x00,
        0x0a, 0x0a, 0x01, 0x08, 0x00, 0x01, 0x01, 0x41, 0xff, 0xff, 0x00, 0x0b};
    memcpy(bytes, plain, sizeof plain);
    bytes[NUMBER_AT] = (uint8_t)(number | 0x80);
    bytes[NUMBER_AT + 1] = (uint8_t)(number >> 7 | 0x80);
    bytes[NUMBER_AT + 2] = (uint8_t)(number >> 14);
}

struct place {
    char path[TEMPORARY_PATH + 8]; /* of the cache's directory, which is not there yet */
    char base[TEMPORARY_PATH];
};

static int make_place(void **state) {
    struct place *place = calloc(1, sizeof *place);
    if (!temporary_directory(place->base, sizeof place->base))
        return -1;
    snprintf(place->path, sizeof place->path, "%s/a/b", place->base);
    *state = place;
    return 0;
}

static int drop_place(void **state) {
    struct place *place = *state;
    char command[TEMPORARY_PATH + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", place->base);
    int status = system(command);
    free(place);
    return status;
}

/* Skips the test where nothing can be cached. */
static const char *path_of(void **state) {
    struct place *place = *state;
    if (setxattr(place->base, "user.catnap-test", "", 0, 0) != 0) {
        print_message("there are no extended attributes for temporary files: %s\n",
                      strerror(errno));
        skip();
    }
    return place->path;
}

#define PATH(state) path_of(state)
#define TEST_IN_PLACE(name) cmocka_unit_test_setup_teardown(name, make_place, drop_place)

/* An engine with a store and a cache. */
struct user {
    wasm_engine_t *engine;
    wasm_store_t *store;
    catnap_cache_t *cache;
};

static struct user open_user(const char *path, uint64_t disk_bytes, uint64_t memory_bytes) {
    struct user user = {.engine = wasm_engine_new()};
    user.store = wasm_store_new(user.engine);
    catnap_cache_options_t options = {path, disk_bytes, memory_bytes};
    catnap_error_t *error;
    user.cache = catnap_cache_new(user.engine, &options, &error);
    assert_no_error(error);
    return user;
}

static void close_user(struct user *user) {
    catnap_cache_delete(user->cache);
    wasm_store_delete(user->store);
    wasm_engine_delete(user->engine);
}

static catnap_cache_stats_t stats_of(const struct user *user) {
    catnap_cache_stats_t stats;
    catnap_cache_stats(user->cache, &stats);
    return stats;
}

/* Runs the module, so that a wrong one is noticed. */
static void assert_number(wasm_store_t *store, wasm_module_t *module, uint32_t number) {
    assert_non_null(module);
    wasm_extern_vec_t none = WASM_EMPTY_VEC;
    wasm_instance_t *instance = catnap_instance_new(store, module, &none, NULL, NULL);
    assert_non_null(instance);
    assert_int_equal(CALL(instance, "f", 0), number);
    wasm_instance_delete(instance);
}

static void load_number(const struct user *user, uint32_t number) {
    uint8_t bytes[MODULE_BYTES];
    catnap_error_t *error;
    write_module(bytes, number);
    wasm_module_t *module =
        catnap_cache_module(user->cache, user->store, bytes, sizeof bytes, NULL, &error);
    assert_no_error(error);
    assert_number(user->store, module, number);
    wasm_module_delete(module);
}

/* Loads as a fresh process would. */
static catnap_cache_stats_t load_alone(const char *path, uint32_t number) {
    struct user user = open_user(path, 1 << 20, 0);
    load_number(&user, number);
    catnap_cache_stats_t stats = stats_of(&user);
    close_user(&user);
    return stats;
}

/* The first entry there, in full. */
static bool find_entry(const char *path, char file[192]) {
    DIR *directory = opendir(path);
    bool found = false;
    for (struct dirent *item; !found && directory && (item = readdir(directory));)
        if (item->d_name[0] != '.') {
            snprintf(file, 128, "%s/%.60s", path, item->d_name);
            found = true;
        }
    if (directory)
        closedir(directory);
    return found;
}

static size_t count_entries(const char *path) {
    DIR *directory = opendir(path);
    size_t count = 0;
    for (struct dirent *item; directory && (item = readdir(directory));)
        count += item->d_name[0] != '.';
    if (directory)
        closedir(directory);
    return count;
}

/* ---- Hits and misses ---- */

static void memory_is_enough(void **state) {
    (void)state;
    struct user user = open_user(NULL, 0, 1 << 20);
    for (uint32_t i = 0; i < 3; i++)
        load_number(&user, 7);
    load_number(&user, 8);
    catnap_cache_stats_t stats = stats_of(&user);
    assert_int_equal(stats.misses, 2);
    assert_int_equal(stats.memory_hits, 2);
    assert_int_equal(stats.disk_hits, 0);
    assert_int_equal(stats.modules_kept, 2);
    assert_int_equal(stats.bytes_kept, 2 * MODULE_BYTES);
    close_user(&user);
}

static void disk_outlives_the_process(void **state) {
    catnap_cache_stats_t stats = load_alone(PATH(state), 7);
    assert_int_equal(stats.misses, 1);
    assert_int_equal(stats.stored, 1);
    stats = load_alone(PATH(state), 7);
    assert_int_equal(stats.disk_hits, 1);
    assert_int_equal(stats.misses + stats.damaged + stats.stored, 0);
    stats = load_alone(PATH(state), 8);
    assert_int_equal(stats.misses, 1);
    assert_int_equal(count_entries(PATH(state)), 2);
}

static void invalid_modules_are_never_stored(void **state) {
    uint8_t bytes[MODULE_BYTES];
    struct user user = open_user(PATH(state), 1 << 20, 1 << 20);
    write_module(bytes, 5);
    bytes[NOP_AT] = 0x1a; /* drop */
    for (int i = 0; i < 2; i++) {
        catnap_error_t *error;
        assert_null(catnap_cache_module(user.cache, user.store, bytes, sizeof bytes, NULL, &error));
        assert_error(error, CATNAP_INVALID, "");
        assert_null(catnap_cache_module_by_key(user.cache, user.store, "key", 3, bytes,
                                               sizeof bytes, NULL, &error));
        assert_error(error, CATNAP_INVALID, "");
        assert_null(catnap_cache_module(user.cache, user.store, NULL, 0, NULL, &error));
        assert_error(error, CATNAP_MALFORMED, "");
    }
    assert_int_equal(count_entries(PATH(state)), 0);
    assert_int_equal(stats_of(&user).modules_kept, 0);
    close_user(&user);
}

/* A module that is validated later is not known to be valid. */
static void deferred_modules_are_not_stored(void **state) {
    uint8_t bytes[MODULE_BYTES];
    write_module(bytes, 5);
    bytes[NOP_AT] = 0x1a; /* drop */
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_translation(config, CATNAP_TRANSLATION_DEFERRED);
    struct user user = {.engine = wasm_engine_new_with_config(config)};
    user.store = wasm_store_new(user.engine);
    catnap_cache_options_t options = {PATH(state), 1 << 20, 1 << 20};
    user.cache = catnap_cache_new(user.engine, &options, NULL);
    catnap_error_t *error;
    wasm_module_t *module =
        catnap_cache_module(user.cache, user.store, bytes, sizeof bytes, NULL, &error);
    assert_no_error(error);
    wasm_module_delete(module);
    assert_int_equal(count_entries(PATH(state)), 0);
    assert_int_equal(stats_of(&user).modules_kept, 0);
    close_user(&user);
}

static void features_are_part_of_the_key(void **state) {
    load_alone(PATH(state), 7);
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_features(config, CATNAP_FEATURES_WASM1);
    struct user user = {.engine = wasm_engine_new_with_config(config)};
    user.store = wasm_store_new(user.engine);
    catnap_cache_options_t options = {PATH(state), 1 << 20, 0};
    user.cache = catnap_cache_new(user.engine, &options, NULL);
    load_number(&user, 7);
    assert_int_equal(stats_of(&user).misses, 1);
    close_user(&user);
    assert_int_equal(load_alone(PATH(state), 7).disk_hits, 1);
}

static void names_are_kept_apart(void **state) {
    (void)state;
    struct user user = open_user(NULL, 0, 1 << 20);
    uint8_t bytes[MODULE_BYTES];
    write_module(bytes, 5);
    static const char *const names[] = {"one", "two", NULL, "one", "two", NULL};
    for (size_t i = 0; i < COUNT(names); i++) {
        catnap_module_options_t options = {.name = names[i]};
        wasm_module_delete(
            catnap_cache_module(user.cache, user.store, bytes, sizeof bytes, &options, NULL));
    }
    assert_int_equal(stats_of(&user).misses, 3);
    assert_int_equal(stats_of(&user).memory_hits, 3);
    close_user(&user);
}

static int released;
static void count_release(void *env, const uint8_t *bytes, size_t length) {
    (void)env;
    (void)bytes;
    (void)length;
    released++;
}

static void lent_bytes_are_released_once(void **state) {
    struct user user = open_user(PATH(state), 1 << 20, 1 << 20);
    static uint8_t bytes[MODULE_BYTES];
    catnap_module_options_t options = {.release = count_release};
    catnap_error_t *error;
    write_module(bytes, 5);
    released = 0;
    wasm_module_t *one =
        catnap_cache_module(user.cache, user.store, bytes, sizeof bytes, &options, NULL);
    assert_int_equal(released, 0);
    wasm_module_t *two =
        catnap_cache_module(user.cache, user.store, bytes, sizeof bytes, &options, NULL);
    assert_int_equal(released, 1);
    wasm_module_delete(one);
    wasm_module_delete(two);
    assert_null(catnap_cache_module(NULL, user.store, bytes, sizeof bytes, &options, &error));
    assert_error(error, CATNAP_MISUSE, "NULL");
    assert_int_equal(released, 2);
    close_user(&user);
    assert_int_equal(released, 3);
}

/* Bytes that are released ask the cache, as a caller whose own lock is held by others would. */
struct asking {
    catnap_cache_t *cache;
    uint64_t kept; /* as of the last release */
    int released;
};

static void ask_when_released(void *env, const uint8_t *bytes, size_t length) {
    struct asking *asking = env;
    catnap_cache_stats_t stats;
    (void)bytes;
    (void)length;
    catnap_cache_stats(asking->cache, &stats);
    asking->kept = stats.modules_kept;
    asking->released++;
}

static void modules_are_released_without_a_lock(void **state) {
    (void)state;
    static uint8_t bytes[6][MODULE_BYTES];
    struct user user = open_user(NULL, 0, 2 * MODULE_BYTES);
    struct asking asking = {.cache = user.cache};
    catnap_module_options_t options = {.release = ask_when_released, .release_env = &asking};
    alarm(300); /* a cache that waits for itself ends here */
    for (uint32_t i = 0; i < 6; i++) {
        write_module(bytes[i], i % 5);
        wasm_module_delete(i == 5
                               ? catnap_cache_module_by_key(user.cache, user.store, "k", 1,
                                                            bytes[i], MODULE_BYTES, &options, NULL)
                               : catnap_cache_module(user.cache, user.store, bytes[i], MODULE_BYTES,
                                                     &options, NULL));
    }
    assert_int_equal(asking.released, 4);
    assert_int_equal(asking.kept, 2);
    catnap_cache_t *cache = user.cache;
    asking.cache = NULL; /* it is gone when the last ones are released */
    catnap_cache_delete(cache);
    alarm(0);
    assert_int_equal(asking.released, 6);
    wasm_store_delete(user.store);
    wasm_engine_delete(user.engine);
}

/* ---- Keys ---- */

static void keys_stand_for_modules(void **state) {
    uint8_t bytes[MODULE_BYTES], other[MODULE_BYTES];
    catnap_error_t *error;
    write_module(bytes, 5);
    write_module(other, 6);
    for (int round = 0; round < 3; round++) {
        struct user user = open_user(PATH(state), 1 << 20, round == 2 ? 1 << 20 : 0);
        assert_null(
            catnap_cache_module_by_key(user.cache, user.store, "none", 4, NULL, 0, NULL, &error));
        assert_error(error, CATNAP_NOT_FOUND, "no module of that key");
        /* the second time, other bytes are not looked at, not even validated */
        wasm_module_t *module =
            catnap_cache_module_by_key(user.cache, user.store, "five", 4, round ? other : bytes,
                                       round ? 3 : sizeof bytes, NULL, &error);
        assert_no_error(error);
        assert_number(user.store, module, 5);
        wasm_module_delete(module);
        module =
            catnap_cache_module_by_key(user.cache, user.store, "five", 4, NULL, 0, NULL, &error);
        assert_no_error(error);
        assert_number(user.store, module, 5);
        wasm_module_delete(module);
        close_user(&user);
    }
    struct user user = open_user(PATH(state), 1 << 20, 0);
    char long_key[1025] = {1};
    assert_null(catnap_cache_module_by_key(user.cache, user.store, long_key, 1025, bytes,
                                           sizeof bytes, NULL, &error));
    assert_error(error, CATNAP_MISUSE, "1024");
    assert_null(catnap_cache_module_by_key(user.cache, user.store, long_key, 0, bytes, sizeof bytes,
                                           NULL, &error));
    assert_error(error, CATNAP_MISUSE, "1024");
    wasm_module_delete(catnap_cache_module_by_key(user.cache, user.store, long_key, 1024, bytes,
                                                  sizeof bytes, NULL, &error));
    assert_no_error(error);
    close_user(&user);
}

/* ---- Damage ---- */

#define HEAD_BYTES sizeof(struct entry_header)
#define BYTES_AT ENTRY_BYTES_AT

static uint8_t *read_whole(const char *file, size_t *size) {
    FILE *stream = fopen(file, "rb");
    struct stat status;
    assert_non_null(stream);
    assert_int_equal(fstat(fileno(stream), &status), 0);
    uint8_t *bytes = malloc((size_t)status.st_size);
    assert_non_null(bytes);
    *size = fread(bytes, 1, (size_t)status.st_size, stream);
    fclose(stream);
    return bytes;
}

/* How large an entry of such a module is. */
static size_t entry_bytes(const char *path) {
    char file[192];
    size_t size;
    load_alone(path, 0);
    assert_true(find_entry(path, file));
    free(read_whole(file, &size));
    assert_no_error(catnap_cache_clear(path, NULL));
    return size;
}

/* Of an entry: its owner cannot write to it as it is. */
#define ENTRY_MODE 0500

static void write_whole(const char *file, const uint8_t *bytes, size_t size) {
    assert_true(chmod(file, 0600) == 0 || errno == ENOENT);
    FILE *stream = fopen(file, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    fclose(stream);
    assert_int_equal(chmod(file, ENTRY_MODE), 0);
}

/* An entry as it was written, to be written again with changes. */
struct saved {
    uint8_t *bytes;
    size_t size;
    struct cache_seal seal;
};

static struct saved save(const char *file) {
    struct saved saved;
    saved.bytes = read_whole(file, &saved.size);
    assert_int_equal(getxattr(file, ENTRY_SEAL, &saved.seal, sizeof saved.seal), sizeof saved.seal);
    return saved;
}

static void write_sealed(const char *file, const uint8_t *bytes, size_t size,
                         const struct cache_seal *seal) {
    write_whole(file, bytes, size);
    assert_int_equal(chmod(file, 0700), 0);
    assert_int_equal(setxattr(file, ENTRY_SEAL, seal, sizeof *seal, 0), 0);
    assert_int_equal(chmod(file, ENTRY_MODE), 0);
}

static bool cut(const char *file, off_t length) {
    return chmod(file, 0600) == 0 && truncate(file, length) == 0 && chmod(file, ENTRY_MODE) == 0;
}

static void every_damaged_byte_is_noticed(void **state) {
    char file[192];
    load_alone(PATH(state), 9);
    assert_true(find_entry(PATH(state), file));
    struct saved saved = save(file);
    assert_int_equal(saved.size, BYTES_AT + MODULE_BYTES);
    for (size_t i = 0; i < saved.size; i += i < HEAD_BYTES + 4 || i >= BYTES_AT - 4 ? 1 : 37) {
        for (int bit = 0; bit < 8; bit += 7) {
            saved.bytes[i] ^= (uint8_t)(1 << bit);
            write_sealed(file, saved.bytes, saved.size, &saved.seal);
            saved.bytes[i] ^= (uint8_t)(1 << bit);
            catnap_cache_stats_t stats = load_alone(PATH(state), 9);
            assert_int_equal(stats.damaged, 1);
            assert_int_equal(stats.stored, 1);
            assert_int_equal(load_alone(PATH(state), 9).disk_hits, 1);
        }
    }
    write_sealed(file, saved.bytes, saved.size, &saved.seal);
    assert_int_equal(load_alone(PATH(state), 9).disk_hits, 1);
    free(saved.bytes);
}

static void every_truncation_is_noticed(void **state) {
    char file[192];
    load_alone(PATH(state), 9);
    assert_true(find_entry(PATH(state), file));
    struct saved saved = save(file);
    for (size_t length = 0; length < saved.size;
         length += length < 100 || length >= BYTES_AT ? 1 : 499) {
        write_sealed(file, saved.bytes, length, &saved.seal);
        assert_int_equal(load_alone(PATH(state), 9).damaged, 1);
    }
    uint8_t *longer = calloc(1, saved.size + 1);
    memcpy(longer, saved.bytes, saved.size);
    write_sealed(file, longer, saved.size + 1, &saved.seal);
    assert_int_equal(load_alone(PATH(state), 9).damaged, 1);
    free(longer);
    free(saved.bytes);
}

/* Corrects the checksums of an entry after a change. */
static void make_sums(uint8_t *file, size_t size) {
    struct entry_header header;
    memcpy(&header, file, sizeof header);
    header.hash = cn_entry_hash(file + BYTES_AT, size - BYTES_AT);
    header.mark = cn_entry_mark(file + BYTES_AT, size - BYTES_AT);
    memcpy(file, &header, sizeof header);
}

/* A changed entry is a miss, or is what it was, even with a seal that fits: nothing in it decides what
 * runs. */
static void assert_harmless(const char *path, const char *file, uint8_t *bytes, size_t size) {
    for (int sums = 0; sums <= 1; sums++) {
        if (sums)
            make_sums(bytes, size);
        struct cache_seal seal = {.secret = {1, 2, 3}};
        struct cache_content content = {bytes + BYTES_AT, size - BYTES_AT};
        cn_entry_seal(&seal, bytes, &content);
        write_sealed(file, bytes, size, &seal);
        catnap_cache_stats_t stats = load_alone(path, 9);
        assert_int_equal(1, stats.disk_hits + stats.misses + stats.damaged);
    }
}

static void nothing_is_believed(void **state) {
    static const uint8_t changes[] = {0x01, 0x80, 0xff, 0x55};
    char file[192];
    size_t size;
    load_alone(PATH(state), 9);
    assert_true(find_entry(PATH(state), file));
    uint8_t *bytes = read_whole(file, &size), *changed = malloc(size);
    for (size_t i = 0; i < size; i = i + 1 == HEAD_BYTES ? BYTES_AT : i + 1)
        for (size_t change = 0; change < sizeof changes; change++) {
            memcpy(changed, bytes, size);
            changed[i] ^= changes[change];
            assert_harmless(PATH(state), file, changed, size);
        }
    for (size_t length = BYTES_AT; length < size; length++) {
        struct entry_header header;
        memcpy(changed, bytes, size);
        memcpy(&header, changed, sizeof header);
        header.size = length - BYTES_AT;
        memcpy(changed, &header, sizeof header);
        assert_harmless(PATH(state), file, changed, length);
    }
    free(changed);
    free(bytes);
}

/* Bytes that are not lent may change while they are loaded; here, in the allocation that copies them. */
struct changing {
    uint8_t bytes[MODULE_BYTES];
    bool armed;
};

static void *change_on_allocation(void *env, void *pointer, size_t old_size, size_t new_size) {
    struct changing *changing = env;
    (void)old_size;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    if (changing->armed && !pointer)
        changing->bytes[NOP_AT] = 0xff;
    return realloc(pointer, new_size);
}

static void bytes_are_copied_before_they_are_compared(void **state) {
    struct changing changing = {.armed = false};
    catnap_allocator_t allocator = {change_on_allocation, &changing};
    catnap_error_t *error;
    load_alone(PATH(state), 9);
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_allocator(config, &allocator);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    catnap_cache_options_t options = {PATH(state), 1 << 20, 0};
    catnap_cache_t *cache = catnap_cache_new(engine, &options, &error);
    assert_no_error(error);
    write_module(changing.bytes, 9);
    changing.armed = true;
    wasm_module_t *module =
        catnap_cache_module(cache, store, changing.bytes, MODULE_BYTES, NULL, &error);
    changing.armed = false;
    assert_null(module);
    assert_int_equal(catnap_error_status(error), CATNAP_MALFORMED);
    catnap_error_delete(error);
    catnap_cache_delete(cache);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

/* A module by key is a copy of what is stored, whatever becomes of the entry. */
static void stored_bytes_are_copied(void **state) {
    char file[192];
    uint8_t module_bytes[MODULE_BYTES];
    catnap_error_t *error;
    struct user user = open_user(PATH(state), 1 << 20, 0);
    write_module(module_bytes, 5);
    wasm_module_delete(catnap_cache_module_by_key(user.cache, user.store, "five", 4, module_bytes,
                                                  sizeof module_bytes, NULL, NULL));
    wasm_module_t *module =
        catnap_cache_module_by_key(user.cache, user.store, "five", 4, NULL, 0, NULL, &error);
    assert_no_error(error);
    assert_true(find_entry(PATH(state), file));
    assert_true(cut(file, 0));
    assert_number(user.store, module, 5);
    wasm_module_delete(module);
    close_user(&user);
}

/* A key's bytes are not compared with anything: their hash must tell. */
static void damage_under_a_key_is_noticed(void **state) {
    char file[192];
    size_t size;
    uint8_t module_bytes[MODULE_BYTES];
    uint64_t damaged = 0;
    catnap_error_t *error;
    struct user user = open_user(PATH(state), 1 << 20, 0);
    write_module(module_bytes, 5);
    wasm_module_delete(catnap_cache_module_by_key(user.cache, user.store, "five", 4, module_bytes,
                                                  sizeof module_bytes, NULL, NULL));
    assert_true(find_entry(PATH(state), file));
    uint8_t *bytes = read_whole(file, &size);
    for (size_t i = 0; i < size; i = i + 1 == HEAD_BYTES + 4 ? BYTES_AT : i + 1) {
        bytes[i] ^= 1;
        write_whole(file, bytes, size);
        bytes[i] ^= 1;
        wasm_module_t *module =
            catnap_cache_module_by_key(user.cache, user.store, "five", 4, NULL, 0, NULL, &error);
        assert_int_equal(stats_of(&user).damaged, ++damaged);
        assert_null(module);
        assert_error(error, CATNAP_NOT_FOUND, "no module");
    }
    write_whole(file, bytes, size);
    wasm_module_delete(
        catnap_cache_module_by_key(user.cache, user.store, "five", 4, NULL, 0, NULL, &error));
    assert_no_error(error);
    free(bytes);
    close_user(&user);
}

/* An entry that lies under another module's name is not that module's. */
static void entries_do_not_pass_for_others(void **state) {
    char file[192], other[192];
    load_alone(PATH(state), 1);
    assert_true(find_entry(PATH(state), file));
    strcpy(other, file);
    assert_int_equal(unlink(file), 0);
    load_alone(PATH(state), 2);
    assert_true(find_entry(PATH(state), file));
    assert_int_equal(rename(file, other), 0);
    catnap_cache_stats_t stats = load_alone(PATH(state), 1);
    assert_int_equal(stats.disk_hits, 0);
    assert_int_equal(stats.stored, 1);
}

/* ---- Large modules ---- */

/* The module of a number with so many bytes of custom section behind it, `change` at one of
 * them. */
static uint8_t *large_module(uint32_t number, size_t extra, size_t at, uint8_t change) {
    uint8_t *bytes = calloc(1, MODULE_BYTES + 6 + extra);
    assert_non_null(bytes);
    write_module(bytes, number);
    size_t size = extra + 1; /* with the length of the name, which is empty */
    for (int i = 0; i < 4; i++)
        bytes[MODULE_BYTES + 1 + i] = (uint8_t)((size >> 7 * i & 0x7F) | (i < 3 ? 0x80 : 0));
    bytes[MODULE_BYTES + 6 + at] = change;
    return bytes;
}

#define EXTRA 100000u
#define LARGE_BYTES (MODULE_BYTES + 6 + EXTRA)

static void load_large(const struct user *user, uint32_t number, size_t at, uint8_t change) {
    catnap_error_t *error;
    uint8_t *bytes = large_module(number, EXTRA, at, change);
    wasm_module_t *module =
        catnap_cache_module(user->cache, user->store, bytes, LARGE_BYTES, NULL, &error);
    assert_no_error(error);
    assert_number(user->store, module, number);
    wasm_module_delete(module);
    free(bytes);
}

/* Only some bytes are looked at to find a large module: others may differ. */
static void modules_that_look_alike_are_kept_apart(void **state) {
    for (uint64_t memory = 0; memory < 2; memory++) {
        struct user user = open_user(PATH(state), 1 << 24, memory << 24);
        for (uint8_t change = 0; change < 4; change++)
            for (size_t at = 0; at < EXTRA; at += 9973)
                load_large(&user, change, at, change);
        catnap_cache_stats_t first = stats_of(&user);
        assert_int_equal(first.damaged, 0);
        for (uint8_t change = 0; change < 2; change++)
            load_large(&user, change, 5000, change);
        catnap_cache_stats_t second = stats_of(&user);
        for (uint8_t change = 0; change < 2; change++)
            load_large(&user, change, 5000, change);
        catnap_cache_stats_t third = stats_of(&user);
        assert_int_equal(third.misses, second.misses);
        assert_int_equal(third.disk_hits + third.memory_hits,
                         second.disk_hits + second.memory_hits + 2);
        close_user(&user);
    }
}

/* ---- Trust ---- */

static void assert_refused(const char *path, const char *text) {
    wasm_engine_t *engine = wasm_engine_new();
    catnap_cache_options_t options = {path, 1 << 20, 0};
    catnap_error_t *error;
    assert_null(catnap_cache_new(engine, &options, &error));
    assert_error(error, CATNAP_IO, text);
    wasm_engine_delete(engine);
}

static void only_own_directories_are_trusted(void **state) {
    const char *path = PATH(state);
    char other[TEMPORARY_PATH + 16];
    load_alone(path, 7);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    chmod(path, 0720);
    assert_refused(path, "others may write");
    chmod(path, 0702);
    assert_refused(path, "others may write");
    chmod(path, 0755);
    assert_int_equal(load_alone(path, 7).disk_hits, 1);
    snprintf(other, sizeof other, "%s-link", path);
    assert_int_equal(symlink(path, other), 0);
    assert_refused(other, "directory");
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 1234, 1234), 0);
        assert_refused(path, "another user");
    }
}

static void only_own_entries_are_trusted(void **state) {
    char file[192], other[192];
    load_alone(PATH(state), 7);
    assert_true(find_entry(PATH(state), file));
    chmod(file, 0622);
    assert_int_equal(load_alone(PATH(state), 7).damaged, 1);
    assert_int_equal(load_alone(PATH(state), 7).disk_hits, 1);
    snprintf(other, sizeof other, "%s-moved", PATH(state));
    assert_int_equal(rename(file, other), 0);
    assert_int_equal(symlink(other, file), 0);
    assert_int_equal(load_alone(PATH(state), 7).disk_hits, 0);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkfifo(file, 0600), 0); /* must not be waited for */
    assert_int_equal(load_alone(PATH(state), 7).damaged, 1);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkdir(file, 0700), 0);
    assert_int_equal(load_alone(PATH(state), 7).disk_hits, 0);
}

/* Files that a guest makes have a mode of 0666 without the bits of the umask: such a copy of an entry is
 * not an entry, even with a seal that fits. */
static void files_of_guests_are_not_trusted(void **state) {
    char file[192];
    struct stat status;
    load_alone(PATH(state), 7);
    assert_true(find_entry(PATH(state), file));
    assert_int_equal(stat(file, &status), 0);
    assert_int_equal(status.st_mode & 07777, ENTRY_MODE);
    for (mode_t mask = 0; mask <= 0777; mask++) {
        assert_int_equal(chmod(file, 0666 & ~mask), 0);
        catnap_cache_stats_t stats = load_alone(PATH(state), 7);
        assert_int_equal(stats.disk_hits, 0);
        assert_int_equal(stats.stored, 1);
        assert_int_equal(load_alone(PATH(state), 7).disk_hits, 1);
    }
}

/* ---- Bounds ---- */

static void oldest_entries_go_first(void **state) {
    struct user user = open_user(PATH(state), 3 * entry_bytes(PATH(state)), 0);
    for (uint32_t i = 0; i < 3; i++) {
        load_number(&user, i);
        usleep(20000); /* the clock of files is coarse */
    }
    char file[192];
    assert_true(find_entry(PATH(state), file)); /* one of them was used last */
    assert_int_equal(utimensat(AT_FDCWD, file, NULL, 0), 0);
    for (uint32_t i = 3; i < 5; i++)
        load_number(&user, i);
    assert_int_equal(count_entries(PATH(state)), 3);
    assert_int_equal(access(file, F_OK), 0);
    close_user(&user);
    user = open_user(PATH(state), 100, 0);
    load_number(&user, 9);
    assert_int_equal(stats_of(&user).stored, 0);
    close_user(&user);
}

static void memory_is_bounded(void **state) {
    (void)state;
    struct user user = open_user(NULL, 0, 3 * MODULE_BYTES);
    for (uint32_t i = 0; i < 5; i++)
        load_number(&user, i);
    assert_int_equal(stats_of(&user).modules_kept, 3);
    load_number(&user, 2);
    assert_int_equal(stats_of(&user).memory_hits, 1);
    load_number(&user, 1);
    load_number(&user, 2);
    load_number(&user, 3);
    assert_int_equal(stats_of(&user).memory_hits, 2);
    close_user(&user);
}

/* ---- Looking after it ---- */

struct seen {
    size_t entries, damaged, removed, keys;
    uint64_t module_bytes;
};

static void see(void *env, const catnap_cache_entry_t *entry) {
    struct seen *seen = env;
    seen->entries++;
    seen->damaged += entry->damaged;
    seen->removed += entry->removed;
    seen->keys += entry->key_length == 3 && memcmp(entry->key, "key", 3) == 0;
    seen->module_bytes += entry->module_bytes;
    assert_non_null(entry->file);
}

static void directories_are_looked_after(void **state) {
    const char *path = PATH(state);
    struct seen seen = {0};
    uint64_t removed;
    uint8_t bytes[MODULE_BYTES];
    assert_error(catnap_cache_list(path, see, &seen), CATNAP_NOT_FOUND, "No such file");
    assert_error(catnap_cache_clear(path, &removed), CATNAP_NOT_FOUND, "No such file");
    struct user user = open_user(path, 1 << 20, 0);
    load_number(&user, 1);
    char file[192], stranger[192];
    assert_true(find_entry(path, file));
    load_number(&user, 2);
    write_module(bytes, 5);
    wasm_module_delete(catnap_cache_module_by_key(user.cache, user.store, "key", 3, bytes,
                                                  sizeof bytes, NULL, NULL));
    snprintf(stranger, sizeof stranger, "%s/notes.txt", path);
    write_whole(stranger, bytes, 3);
    assert_no_error(catnap_cache_list(path, see, &seen));
    assert_int_equal(seen.entries, 3);
    assert_int_equal(seen.keys, 1);
    assert_int_equal(seen.module_bytes, 3 * MODULE_BYTES);
    assert_int_equal(seen.damaged, 0);
    assert_true(cut(file, BYTES_AT + 1));
    seen = (struct seen){0};
    assert_no_error(catnap_cache_verify(user.engine, path, see, &seen));
    assert_int_equal(seen.damaged, 1);
    assert_int_equal(seen.removed, 1);
    seen = (struct seen){0};
    assert_no_error(catnap_cache_verify(user.engine, path, see, &seen));
    assert_int_equal(seen.entries, 2);
    assert_int_equal(seen.damaged, 0);
    assert_no_error(catnap_cache_clear(path, &removed));
    assert_int_equal(removed, 2);
    assert_int_equal(count_entries(path), 1); /* what is not the cache's stays */
    close_user(&user);
}

/* ---- Seals ---- */

enum forgery {
    COPIED,      /* a file of its own, without a seal */
    REWRITTEN,   /* in place of another entry, with that one's seal */
    WRONG_HEAD,  /* the seal fits all but the head */
    WRONG_BYTES, /* the seal fits all but the module's bytes */
    SHORT_SEAL,
    LONG_SEAL,
    FITTING /* for comparison: no guest can make it */
};

/* Turns an entry into one of another module of the same size, with all of its sums right. */
static void forge(const char *file, enum forgery forgery, const struct cache_key *key,
                  const uint8_t *module_bytes) {
    uint8_t entry[BYTES_AT + MODULE_BYTES], value[sizeof(struct cache_seal) + 1] = {0};
    struct cache_content content = {module_bytes, MODULE_BYTES};
    struct saved saved = save(file);
    struct cache_seal seal = saved.seal;
    cn_entry_fill(entry, key, &content);
    memcpy(entry + BYTES_AT, module_bytes, MODULE_BYTES);
    cn_entry_seal(&seal, entry, &content);
    if (forgery == WRONG_HEAD)
        seal.head = saved.seal.head;
    if (forgery == WRONG_BYTES)
        seal.bytes = saved.seal.bytes;
    memcpy(value, &seal, sizeof seal);
    if (forgery == COPIED)
        assert_int_equal(unlink(file), 0);
    write_whole(file, entry, sizeof entry);
    assert_int_equal(chmod(file, 0700), 0);
    if (forgery >= WRONG_HEAD) {
        size_t size = sizeof seal + (forgery == LONG_SEAL) - (forgery == SHORT_SEAL);
        assert_int_equal(setxattr(file, ENTRY_SEAL, value, size, 0), 0);
    }
    assert_int_equal(chmod(file, ENTRY_MODE), 0);
    free(saved.bytes);
}

/* An entry that says of a module that it is valid, which it is not, found by its bytes or by a key. */
static void check_forgery(const char *path, enum forgery forgery, bool by_key) {
    uint8_t bytes[MODULE_BYTES];
    char file[192], name[ENTRY_NAME], forged[256];
    catnap_error_t *error;
    struct seen seen = {0};
    struct user user = open_user(path, 1 << 20, 0);
    load_number(&user, 5);
    assert_true(find_entry(path, file));
    write_module(bytes, 5);
    bytes[NOP_AT] = 0x1a; /* drop */
    struct cache_key key = by_key ? cn_cache_key_of_key((const uint8_t *)"key", 3, 0)
                                  : cn_cache_key_of_bytes(bytes, sizeof bytes, 0);
    struct saved saved = save(file);
    memcpy(&key.features, saved.bytes + offsetof(struct entry_header, features),
           sizeof key.features);
    free(saved.bytes);
    forge(file, forgery, &key, bytes);
    cn_entry_name(&key, name);
    snprintf(forged, sizeof forged, "%s/%s", path, name);
    assert_int_equal(rename(file, forged), 0);
    wasm_module_t *module =
        by_key ? catnap_cache_module_by_key(user.cache, user.store, "key", 3, NULL, 0, NULL, &error)
               : catnap_cache_module(user.cache, user.store, bytes, sizeof bytes, NULL, &error);
    bool believed = module != NULL;
    wasm_module_delete(module);
    assert_int_equal(believed, forgery == FITTING);
    if (!believed)
        assert_error(error, by_key ? CATNAP_NOT_FOUND : CATNAP_INVALID, "");
    assert_int_equal(stats_of(&user).damaged, !believed);
    assert_no_error(catnap_cache_verify(user.engine, path, see, &seen));
    assert_int_equal(seen.removed, 1);
    assert_int_equal(count_entries(path), 0);
    close_user(&user);
}

static void entries_without_their_seal_are_not_believed(void **state) {
    for (int forgery = COPIED; forgery <= FITTING; forgery++)
        for (int by_key = 0; by_key <= 1; by_key++)
            check_forgery(PATH(state), forgery, by_key);
}

/* The same bytes, under the same name and with the same mode, are a new file without the seal. */
static void copies_of_entries_are_not_believed(void **state) {
    char file[192];
    load_alone(PATH(state), 7);
    assert_true(find_entry(PATH(state), file));
    struct saved saved = save(file);
    assert_int_equal(unlink(file), 0);
    write_whole(file, saved.bytes, saved.size);
    catnap_cache_stats_t stats = load_alone(PATH(state), 7);
    assert_int_equal(stats.damaged, 1);
    assert_int_equal(stats.stored, 1);
    assert_int_equal(load_alone(PATH(state), 7).disk_hits, 1);
    struct saved other = save(file);
    assert_memory_not_equal(saved.seal.secret, other.seal.secret, sizeof other.seal.secret);
    free(saved.bytes);
    free(other.bytes);
}

static void file_systems_without_attributes_do_without(void **state) {
    const char *path = ((struct place *)*state)->path;
    static const int errors[] = {ENOTSUP, ENOSYS, EPERM};
    char file[192];
    without.set = ENOTSUP; /* of the files only */
    if (setxattr(((struct place *)*state)->base, "user.catnap-test", "", 0, 0) == 0) {
        assert_int_equal(load_alone(path, 7).stored, 0);
        assert_int_equal(count_entries(path), 0);
    }
    for (size_t i = 0; i < COUNT(errors); i++) {
        without.get = errors[i];
        assert_refused(path, "no extended attributes");
        assert_error(catnap_cache_list(path, see, &(struct seen){0}), CATNAP_IO,
                     "no extended attributes");
        assert_false(find_entry(path, file));
    }
    without.get = without.set = 0;
}

/* ---- Several at once ---- */

#define RACERS 4
#define RACE_MODULES 6
#define RACE_ROUNDS 60

static void race(const char *path, unsigned seed) {
    for (int i = 0; i < RACE_ROUNDS; i++) {
        seed = seed * 1103515245u + 12345u;
        load_alone(path, seed >> 16 & (RACE_MODULES - 1));
    }
}

static void spoil(const char *path) {
    for (int i = 0; i < RACE_ROUNDS; i++) {
        char file[192];
        if (find_entry(path, file)) {
            if (i % 3 == 0)
                unlink(file);
            else if (!cut(file, BYTES_AT + i % MODULE_BYTES))
                usleep(10);
        }
        usleep(500);
    }
}

static void processes_share_a_directory(void **state) {
    pid_t children[RACERS + 1];
    const char *path = PATH(state);
    for (int i = 0; i <= RACERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            if (i == RACERS)
                spoil(path);
            else
                race(path, (unsigned)i);
            _exit(0);
        }
    }
    for (int i = 0; i <= RACERS; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
}

/* A cache that was open at the fork serves both. */
static void go_on_with_cache(void *env) {
    const struct user *user = env;
    for (uint32_t i = 0; i < 6; i++)
        load_number(user, i);
    WANT(stats_of(user).memory_hits >= 3);
}

static void children_go_on_with_a_cache(void **state) {
    struct user user = open_user(PATH(state), 1 << 20, 1 << 20);
    for (uint32_t i = 0; i < 3; i++)
        load_number(&user, i);
    assert_true(child_is_well(start_child(go_on_with_cache, &user)));
    for (uint32_t i = 3; i < 6; i++)
        load_number(&user, i);
    assert_int_equal(stats_of(&user).disk_hits, 3);
    close_user(&user);
}

static void *use_in_thread(void *env) {
    struct user user = *(const struct user *)env;
    user.store = wasm_store_new(user.engine);
    bool worked = true;
    for (uint32_t i = 0; i < 200; i++) {
        uint8_t bytes[MODULE_BYTES];
        write_module(bytes, i % 7);
        wasm_module_t *module =
            catnap_cache_module(user.cache, user.store, bytes, sizeof bytes, NULL, NULL);
        worked &= module != NULL;
        wasm_module_delete(module);
    }
    wasm_store_delete(user.store);
    return worked ? env : NULL;
}

static void threads_share_a_cache(void **state) {
    pthread_t threads[RACERS];
    struct user user = open_user(PATH(state), 4 * entry_bytes(PATH(state)), 4 * MODULE_BYTES);
    for (int i = 0; i < RACERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_in_thread, &user), 0);
    for (int i = 0; i < RACERS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_non_null(result);
    }
    close_user(&user);
}

/* ---- Memory that runs out ---- */

static const char *scenario_path;

static void cache_scenario(wasm_config_t *config, bool may_fail) {
    (void)may_fail;
    catnap_error_t *error = NULL;
    uint8_t bytes[MODULE_BYTES];
    write_module(bytes, 3);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = engine ? wasm_store_new(engine) : NULL;
    catnap_cache_options_t options = {scenario_path, 1 << 20, 1 << 20};
    catnap_cache_t *cache = store ? catnap_cache_new(engine, &options, &error) : NULL;
    succeeded(error);
    for (int i = 0; i < 3 && cache; i++) {
        wasm_module_delete(catnap_cache_module(cache, store, bytes, sizeof bytes, NULL, &error));
        succeeded(error);
        wasm_module_delete(
            catnap_cache_module_by_key(cache, store, "key", 3, bytes, sizeof bytes, NULL, &error));
        succeeded(error);
    }
    catnap_cache_delete(cache);
    if (store)
        wasm_store_delete(store);
    if (engine)
        wasm_engine_delete(engine);
}

static void survives_exhausted_memory(void **state) {
    scenario_path = PATH(state);
    inject_everywhere(cache_scenario);
    assert_no_error(catnap_cache_clear(scenario_path, NULL));
    inject_everywhere(cache_scenario);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_IN_PLACE(memory_is_enough),
        TEST_IN_PLACE(disk_outlives_the_process),
        TEST_IN_PLACE(invalid_modules_are_never_stored),
        TEST_IN_PLACE(deferred_modules_are_not_stored),
        TEST_IN_PLACE(features_are_part_of_the_key),
        TEST_IN_PLACE(names_are_kept_apart),
        TEST_IN_PLACE(lent_bytes_are_released_once),
        TEST_IN_PLACE(modules_are_released_without_a_lock),
        TEST_IN_PLACE(keys_stand_for_modules),
        TEST_IN_PLACE(every_damaged_byte_is_noticed),
        TEST_IN_PLACE(nothing_is_believed),
        TEST_IN_PLACE(bytes_are_copied_before_they_are_compared),
        TEST_IN_PLACE(stored_bytes_are_copied),
        TEST_IN_PLACE(every_truncation_is_noticed),
        TEST_IN_PLACE(damage_under_a_key_is_noticed),
        TEST_IN_PLACE(entries_do_not_pass_for_others),
        TEST_IN_PLACE(modules_that_look_alike_are_kept_apart),
        TEST_IN_PLACE(only_own_directories_are_trusted),
        TEST_IN_PLACE(only_own_entries_are_trusted),
        TEST_IN_PLACE(files_of_guests_are_not_trusted),
        TEST_IN_PLACE(oldest_entries_go_first),
        TEST_IN_PLACE(memory_is_bounded),
        TEST_IN_PLACE(directories_are_looked_after),
        TEST_IN_PLACE(entries_without_their_seal_are_not_believed),
        TEST_IN_PLACE(copies_of_entries_are_not_believed),
        TEST_IN_PLACE(file_systems_without_attributes_do_without),
        TEST_IN_PLACE(processes_share_a_directory),
        TEST_IN_PLACE(children_go_on_with_a_cache),
        TEST_IN_PLACE(threads_share_a_cache),
        TEST_IN_PLACE(survives_exhausted_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
