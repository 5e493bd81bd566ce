/*
 * Plugins that contain the library each come and go, beside another copy in the program itself. The
 * plugins and the shared library lie beside this program: ../../libcatnap.so, plugin/one.so, two.so.
 */
#include "host.h"

#include <dlfcn.h>
#include <limits.h>

#define ROUNDS 4

static sigjmp_buf back;
static volatile sig_atomic_t served;

static void leave(int number) {
    (void)number;
    served++;
    siglongjmp(back, 1);
}

/* A fault of the host's own is served by its handler, once. */
static bool host_is_well(void) {
    volatile uint8_t *page = forbidden_page();
    served = 0;
    if (!sigsetjmp(back, 1))
        *page = 1;
    munmap((void *)page, 1);
    return served == 1;
}

static void *open_beside(const char *name) {
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    MUST(length > 0);
    path[length] = 0;
    char *end = strrchr(path, '/');
    MUST(end && (size_t)snprintf(end, (size_t)(path + sizeof path - end), "/%s", name) <
                    (size_t)(path + sizeof path - end));
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fprintf(stderr, "%s\n", dlerror());
    MUST(library);
    return library;
}

typedef int (*plugin)(void);

static plugin plugin_of(void *library) {
    void *symbol = dlsym(library, "plugin_is_well");
    plugin function;
    MUST(symbol);
    memcpy(&function, &symbol, sizeof function);
    return function;
}

static void begin(void) {
    signal(SIGSEGV, leave);
    MUST(host_is_well());
}

/* The handler in front is now one plugin's, now the other's. */
static void use_three_copies(void) {
    struct guest guest;
    begin();
    plugin one = plugin_of(open_beside("plugin/one.so"));
    plugin two = plugin_of(open_beside("plugin/two.so"));
    MUST(one != two && guest_open(&guest));
    for (int i = 0; i < 10 * ROUNDS; i++) {
        MUST(one() && host_is_well());
        MUST(two() && host_is_well());
        MUST(guest_is_well(guest.instance));
        wasm_instance_t *instance = guest_instantiate(guest.store);
        MUST(instance && guest_is_well(instance) && host_is_well());
        MUST(two() && one());
    }
}

static void copies_of_the_library_get_on(void **state) {
    (void)state;
    child_succeeds(use_three_copies);
}

static void unload_plugins(void) {
    begin();
    for (int i = 0; i < ROUNDS; i++) {
        void *first = open_beside(i % 2 ? "plugin/one.so" : "plugin/two.so");
        void *second = open_beside(i % 2 ? "plugin/two.so" : "plugin/one.so");
        MUST(plugin_of(first)() && plugin_of(second)() && host_is_well());
        MUST(dlclose(first) == 0 && host_is_well());
        MUST(plugin_of(second)() && host_is_well());
        MUST(dlclose(second) == 0 && host_is_well());
    }
    struct guest guest;
    MUST(guest_open(&guest) && guest_is_well(guest.instance) && host_is_well());
}

static void plugins_may_be_unloaded(void **state) {
    (void)state;
    child_succeeds(unload_plugins);
}

static void unload_unused(void) {
    begin();
    MUST(dlclose(open_beside("plugin/one.so")) == 0);
    MUST(host_is_well() && !dlopen("plugin/one.so", RTLD_NOW | RTLD_NOLOAD));
}

static void plugins_that_did_nothing_leave_nothing(void **state) {
    (void)state;
    child_succeeds(unload_unused);
}

#define FUNCTION(library, name)                                                                    \
    __extension__({                                                                                \
        void *symbol_ = dlsym(library, #name);                                                     \
        __typeof__(&(name)) function_;                                                             \
        MUST(symbol_);                                                                             \
        memcpy(&function_, &symbol_, sizeof function_);                                            \
        function_;                                                                                 \
    })

static void unload_shared_library(void) {
    begin();
    for (int i = 0; i < ROUNDS; i++) {
        void *library = open_beside("../../libcatnap.so");
        wasm_engine_t *engine = FUNCTION(library, wasm_engine_new)();
        wasm_store_t *store = FUNCTION(library, wasm_store_new)(engine);
        MUST(store && host_is_well());
        FUNCTION(library, wasm_store_delete)(store);
        FUNCTION(library, wasm_engine_delete)(engine);
        MUST(dlclose(library) == 0 && host_is_well());
    }
}

static void shared_library_may_be_unloaded(void **state) {
    (void)state;
    child_succeeds(unload_shared_library);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_of_the_library_get_on),
        cmocka_unit_test(plugins_may_be_unloaded),
        cmocka_unit_test(plugins_that_did_nothing_leave_nothing),
        cmocka_unit_test(shared_library_may_be_unloaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
