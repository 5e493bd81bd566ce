/* Little address space: guests go on without guard pages, and the host has enough left for itself. */
#include "host.h"

#include <pthread.h>
#include <sys/resource.h>

#define MIB (UINT64_C(1) << 20)

/* In a child. Sanitizers reserve terabytes, and emulators have limits of their own. */
static void limit_space(uint64_t bytes) {
    struct rlimit limit = {bytes, bytes};
    if (SANITIZED)
        _exit(CHILD_SKIPS);
    MUST(setrlimit(RLIMIT_AS, &limit) == 0);
    void *beyond = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (beyond != MAP_FAILED)
        _exit(CHILD_SKIPS);
}

static void *do_nothing(void *argument) {
    return argument;
}

/* A host that allocates and starts a thread. */
static void use_the_rest(size_t bytes) {
    pthread_t thread;
    void *large = malloc(bytes), *small = malloc(200 << 10);
    MUST(large && small);
    free(large);
    free(small);
    MUST(pthread_create(&thread, NULL, do_nothing, NULL) == 0);
    MUST(pthread_join(thread, NULL) == 0);
}

/* Instances of one store, as many as are wanted and can be had; they stay. */
static unsigned fill(struct guest *guest, unsigned most) {
    unsigned count = 0;
    for (; count < most; count++) {
        wasm_instance_t *instance = guest_instantiate(guest->store);
        if (!instance)
            break;
        if (count % 1000 == 0)
            MUST(guest_is_well(instance));
    }
    return count;
}

/* Calls in a store that had no value stack before. */
static void use_another_store(uint32_t depth) {
    struct guest guest;
    MUST(guest_open(&guest) && guest_is_well(guest.instance));
    MUST(guest_call(guest.instance, "deep", depth) == depth);
    MUST(guest_call(guest.instance, "deep", 10 * 1000 * 1000) ==
         TRAPPED(CATNAP_TRAP_STACK_OVERFLOW));
    guest_close(&guest);
}

/* ---- Limits ---- */

static void share_600_mib(void) {
    struct guest guest;
    limit_space(600 * MIB);
    MUST(guest_open(&guest) && guest_is_well(guest.instance));
    MUST(guest_call(guest.instance, "grow", 100) == 1);
    MUST(fill(&guest, 8) == 8);
    use_the_rest(64 * MIB);
    use_another_store(10000);
}

static void instances_leave_space(void **state) {
    (void)state;
    child_succeeds(share_600_mib);
}

static void use_up_600_mib(void) {
    struct guest guest;
    limit_space(600 * MIB);
    MUST(guest_open(&guest));
    MUST(fill(&guest, 1000 * 1000) > 1000);
    const catnap_error_t *error = catnap_store_last_error(guest.store);
    MUST(catnap_error_status(error) == CATNAP_NO_MEMORY);
    MUST(guest_is_well(guest.instance));
    use_the_rest(4 * MIB);
}

static void space_is_never_used_up(void **state) {
    (void)state;
    child_succeeds(use_up_600_mib);
}

/* Less than the value stack's usual size, and not much more than the program itself takes. */
static void run_in_60_mib(void) {
    limit_space(60 * MIB);
    use_another_store(1000);
    use_the_rest(1 * MIB);
}

static void little_suffices(void **state) {
    (void)state;
    child_succeeds(run_in_60_mib);
}

static void many_stores(void) {
    struct guest guests[30];
    limit_space(600 * MIB);
    for (size_t i = 0; i < COUNT(guests); i++) {
        MUST(guest_open(&guests[i]) && guest_is_well(guests[i].instance));
        MUST(guest_call(guests[i].instance, "deep", 500) == 500);
    }
    use_the_rest(1 * MIB);
    for (size_t i = 0; i < COUNT(guests); i++) {
        MUST(guest_is_well(guests[i].instance));
        guest_close(&guests[i]);
    }
    use_the_rest(64 * MIB);
}

static void value_stacks_leave_space(void **state) {
    (void)state;
    child_succeeds(many_stores);
}

/* One memory with guard pages fits, and the second must do without. */
static void guard_the_first(void) {
    struct guest first, second;
    limit_space(12 * 1024 * MIB);
    MUST(guest_open(&first) && guest_open(&second));
    MUST(guest_is_well(first.instance) && guest_is_well(second.instance));
    MUST(guest_call(first.instance, "grow", 8000) == 1);
    MUST(guest_call(second.instance, "grow", 4000) == 1);
    use_the_rest(1024 * MIB);
}

static void guard_pages_end_early(void **state) {
    (void)state;
    child_succeeds(guard_the_first);
}

/* Where there is no limit, 16,450 reservations are all that 47 bits hold. */
static void fill_all_addresses(void) {
    struct guest guest;
    struct rlimit limit;
    if (SANITIZED || (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY))
        _exit(CHILD_SKIPS);
    MUST(guest_open(&guest));
    MUST(fill(&guest, 17000) == 17000);
    use_the_rest(64 * MIB);
    use_another_store(100 * 1000);
}

static void no_limit_is_no_different(void **state) {
    (void)state;
    child_succeeds(fill_all_addresses);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instances_leave_space), cmocka_unit_test(space_is_never_used_up),
        cmocka_unit_test(little_suffices),       cmocka_unit_test(value_stacks_leave_space),
        cmocka_unit_test(guard_pages_end_early), cmocka_unit_test(no_limit_is_no_different),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
