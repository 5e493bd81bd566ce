/*
 * Threads of WASI programs: how they end together, by a trap, an exit, an interrupt or the end of the first thread, from
 * wherever they wait; how many there may be, of what they share fuel and memory, and who may have none.
 */
#include "guest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "../support/module.h"
#include "../support/sanitized.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The work of a thread: the argument of `thread-spawn`, an element of the table. */
enum task { ADD, WAIT, POLL, READ, SPIN, TRAP, EXIT, CHILD, BOMB, GROW, TASKS };
/* The program's first functions. */
enum { SPAWN_IMPORT, EXIT_IMPORT, POLL_IMPORT, READ_IMPORT, FIRST_TASK };

enum kind_of_module { USUAL, NO_START, OTHER_START, PLAIN_MEMORY, OWN_MEMORY, TRAPPING_START };

/* At 0 what ADD has added up, at 4 how many threads have begun, at 32 a subscription to a very late time, at 16 an
 * iovec, at 64 a place to wait at. */
static void put_data(struct module_builder *m) {
    uint8_t data[96] = {0};
    cn_put_u32(data + 16, 512);
    cn_put_u32(data + 20, 6);
    cn_put_u32(data + 48, WASI_CLOCK_MONOTONIC);
    cn_put_u64(data + 56, UINT64_MAX / 2);
    /* Threads would write it again: it lies in the first thread's function "begin". */
    add_passive_data(m, data, sizeof data);
    add_data_count(m, 1);
}

#define ATOMIC_ADD(b, address)                                                                     \
    PUT(b, 0x41, address, 0x41, 1, 0xFE, 0x1E, 2, 0, DROP, 0x41, address, 0x41, 0x7F, 0xFE, 0, 2,  \
        0, DROP)

static void put_tasks(struct module_builder *m, uint32_t type) {
    struct bytes f = {0};
    for (int task = 0; task < TASKS; task++) {
        put(&f, 0);
        if (task != ADD)
            ATOMIC_ADD(&f, 4);
        switch (task) {
        case ADD:
            ATOMIC_ADD(&f, 0);
            break;
        case WAIT:
            PUT(&f, 0x41, 0xC0, 0, 0x41, 0, 0x42, 0x7F, 0xFE, 1, 2, 0, DROP);
            break;
        case POLL:
            PUT(&f, 0x41, 32, 0x41, 0x80, 2, 0x41, 1, 0x41, 8, CALL, POLL_IMPORT, DROP);
            break;
        case READ:
            PUT(&f, 0x41, 0, 0x41, 16, 0x41, 1, 0x41, 24, CALL, READ_IMPORT, DROP);
            break;
        case SPIN:
            PUT(&f, LOOP, EMPTY, BR, 0, END);
            break;
        case TRAP:
            put(&f, UNREACHABLE);
            break;
        case EXIT:
            PUT(&f, 0x41, 7, CALL, EXIT_IMPORT);
            break;
        case CHILD:
            PUT(&f, 0x41, ADD, CALL, SPAWN_IMPORT, DROP);
            break;
        case GROW:
            PUT(&f, 0x41, 1, 0x40, 0, DROP);
            ATOMIC_ADD(&f, 0);
            break;
        default:
            PUT(&f, 0x41, BOMB, CALL, SPAWN_IMPORT, DROP, 0x41, BOMB, CALL, SPAWN_IMPORT, DROP);
            PUT(&f, 0x41, 0xC0, 0, 0x41, 0, 0x42, 0x7F, 0xFE, 1, 2, 0, DROP);
            break;
        }
        put(&f, END);
        static const char *const names[TASKS] = {"add",  "wait", "poll",  "read", "spin",
                                                 "trap", "exit", "child", "bomb", "grow"};
        add_func(m, names[task], type, &f);
    }
}

/* await(address, n): until the number there is n */
static void put_others(struct module_builder *m, uint32_t task_type) {
    uint32_t await =
        ADD_FUNC(m, "await", add_type(m, "ii", ""), 1, 1, I32, BLOCK, EMPTY, LOOP, EMPTY, LOCAL_GET,
                 0, 0xFE, 0x10, 2, 0, LOCAL_TEE, 2, LOCAL_GET, 1, 0x4E, BR_IF, 1, LOCAL_GET, 0,
                 LOCAL_GET, 2, 0x42, 0x7F, 0xFE, 1, 2, 0, DROP, BR, 0, END, END, END);
    /* main(last, own): threads that wait in each way, one that does `last`, and then does itself as `own` says */
    struct bytes f = {0};
    put(&f, 0);
    for (uint8_t task = WAIT; task <= SPIN; task++)
        PUT(&f, 0x41, task, CALL, SPAWN_IMPORT, DROP);
    PUT(&f, 0x41, 4, 0x41, 4, CALL, (uint8_t)await, LOCAL_GET, 0, CALL, SPAWN_IMPORT, DROP,
        LOCAL_GET, 1, CALL_INDIRECT, (uint8_t)task_type, 0, END);
    add_func(m, "main", add_type(m, "ii", ""), &f);
    /* one(): a thread that adds 1, which is waited for when there is one; its number, or an error */
    ADD_FUNC(m, "one", add_type(m, "", "i"), 1, 1, I32, 0x41, ADD, CALL, SPAWN_IMPORT, LOCAL_TEE, 0,
             0x41, 0, 0x4A, IF, EMPTY, 0x41, 0, 0x41, 1, CALL, (uint8_t)await, END, LOCAL_GET, 0,
             END);
    ADD_FUNC(m, "spawn", add_type(m, "i", "i"), 0, LOCAL_GET, 0, CALL, SPAWN_IMPORT, END);
    ADD_FUNC(m, "begin", add_type(m, "", ""), 0, 0x41, 0, 0x41, 0, 0x41, 0xE0, 0, 0xFC, 8, 0, 0,
             END);
    ADD_FUNC(m, "load", add_type(m, "i", "i"), 0, LOCAL_GET, 0, 0xFE, 0x10, 2, 0, END);
    ADD_FUNC(m, "size", add_type(m, "", "i"), 0, 0x3F, 0, END);
}

static void put_start(struct module_builder *m, enum kind_of_module kind, uint32_t task_type) {
    struct bytes f = {0};
    if (kind == NO_START)
        return;
    if (kind == OTHER_START) {
        ADD_FUNC(m, "wasi_thread_start", add_type(m, "iI", ""), 0, END);
        return;
    }
    PUT(&f, 0, LOCAL_GET, 1, CALL_INDIRECT, (uint8_t)task_type, 0, END);
    add_func(m, "wasi_thread_start", add_type(m, "ii", ""), &f);
}

#define TABLE_ELEMENTS 1000

static struct bytes make_module(enum kind_of_module kind) {
    static const char wasi[] = "wasi_snapshot_preview1";
    struct module_builder m = {0};
    uint32_t task = add_type(&m, "", ""), io = add_type(&m, "iiii", "i"), tasks[TASKS];
    import_func(&m, "wasi", "thread-spawn", add_type(&m, "i", "i"));
    import_func(&m, wasi, "proc_exit", add_type(&m, "i", ""));
    import_func(&m, wasi, "poll_oneoff", io);
    import_func(&m, wasi, "fd_read", io);
    if (kind == OWN_MEMORY)
        add_memory_as(&m, 3, 1, 10);
    else if (kind == PLAIN_MEMORY)
        add_memory(&m, 1, NO_MAX);
    else
        put_limits_as(import_item(&m, "env", "memory", AS_MEMORY), 3, 1, 10);
    put_tasks(&m, task);
    put_others(&m, task);
    put_start(&m, kind, task);
    add_table(&m, FUNCREF, TABLE_ELEMENTS, TABLE_ELEMENTS);
    for (uint32_t i = 0; i < TASKS; i++)
        tasks[i] = FIRST_TASK + i;
    add_elem(&m, 0, tasks, TASKS);
    if (kind == TRAPPING_START) { /* when a number is at 64 */
        set_start(&m, ADD_FUNC(&m, NULL, task, 0, 0x41, 0xC0, 0, 0xFE, 0x10, 2, 0, IF, EMPTY,
                               UNREACHABLE, END, END));
        ADD_FUNC(&m, "arm", task, 0, 0x41, 0xC0, 0, 0x41, 1, 0xFE, 0x17, 2, 0, END);
    }
    put_data(&m);
    return finish(&m);
}

/* ---- A program ---- */

struct program {
    wasm_engine_t *engine;
    wasm_store_t *store;
    catnap_wasi_t *wasi;
    catnap_linker_t *linker;
    wasm_instance_t *instance;
    int input[2]; /* a pipe: standard input, which nothing is written to */
    uint64_t call_id;
};

struct setting {
    enum kind_of_module kind;
    uint32_t max_threads;
    uint64_t fuel, memory_bytes, engine_memory;
};

static const struct setting usual = {.max_threads = 8};

/* False when memory was exhausted, with nothing left. */
static bool link_program(struct program *p, const struct setting *setting) {
    catnap_wasi_threads_t threads = {.max_threads = setting->max_threads};
    struct bytes bytes = make_module(setting->kind);
    catnap_error_t *error = NULL;
    wasm_trap_t *trap = NULL;
    wasm_module_t *module = catnap_module_new(p->store, bytes.data, bytes.size, NULL, &error);
    drop_bytes(&bytes);
    if (module && (p->linker = catnap_linker_new(p->store)) != NULL)
        error = catnap_linker_define_wasi(p->linker, p->wasi);
    if (p->linker && !error)
        error = catnap_linker_define_wasi_threads(p->linker, p->wasi, module, &threads);
    if (p->linker && !error)
        p->instance = catnap_linker_instantiate(p->linker, module, &error, &trap);
    wasm_module_delete(module);
    wasm_trap_delete(trap);
    if (error && !setting->engine_memory)
        assert_no_error(error);
    catnap_error_delete(error);
    return p->instance != NULL;
}

static wasm_trap_t *call(const struct program *p, const char *name, int32_t a, int32_t b,
                         int32_t *result) {
    wasm_extern_t *export = catnap_instance_export(p->instance, name, strlen(name));
    catnap_val_t arguments[] = {{.kind = WASM_I32, .of.i32 = a}, {.kind = WASM_I32, .of.i32 = b}};
    catnap_val_t value = {.kind = WASM_I32};
    if (!export)
        return catnap_trap_new(p->store, CATNAP_TRAP_NO_MEMORY, "no export");
    const wasm_func_t *func = wasm_extern_as_func(export);
    wasm_trap_t *trap = catnap_func_call(func, arguments, wasm_func_param_arity(func), &value,
                                         wasm_func_result_arity(func));
    if (result)
        *result = value.of.i32;
    wasm_extern_delete(export);
    return trap;
}

static void close_program(struct program *p) {
    wasm_instance_delete(p->instance);
    catnap_linker_delete(p->linker);
    if (p->store)
        wasm_store_delete(p->store);
    catnap_wasi_delete(p->wasi);
    if (p->engine)
        wasm_engine_delete(p->engine);
    close(p->input[0]);
    close(p->input[1]);
}

static bool try_open(struct program *p, const struct setting *setting) {
    wasm_config_t *config = wasm_config_new();
    *p = (struct program){0};
    assert_int_equal(0, pipe2(p->input, O_CLOEXEC));
    catnap_config_set_interruptible(config, true);
    catnap_config_set_fuel(config, setting->fuel > 0);
    if (setting->engine_memory)
        catnap_config_set_memory_limit(config, setting->engine_memory);
    p->engine = wasm_engine_new_with_config(config);
    p->store = p->engine ? wasm_store_new(p->engine) : NULL;
    p->wasi = catnap_wasi_new();
    assert_non_null(p->wasi);
    assert_no_error(catnap_wasi_set_stdio_fd(p->wasi, 0, p->input[0]));
    if (!p->store)
        return false;
    if (setting->fuel)
        assert_no_error(catnap_store_set_fuel(p->store, setting->fuel));
    if (setting->memory_bytes) {
        catnap_limits_t limits;
        catnap_limits_default(&limits);
        limits.memory_bytes = setting->memory_bytes;
        catnap_store_set_limits(p->store, &limits);
    }
    return link_program(p, setting);
}

static void open_program(struct program *p, const struct setting *setting) {
    assert_true(try_open(p, setting));
    assert_null(call(p, "begin", 0, 0, NULL));
}

static int32_t spawn(const struct program *p, enum task task) {
    int32_t tid = 0;
    assert_null(call(p, "spawn", (int32_t)task, 0, &tid));
    return tid;
}

static void must_spawn(const struct program *p, enum task task) {
    assert_true(spawn(p, task) > 0);
}

static void await(const struct program *p, int32_t address, int32_t number) {
    assert_null(call(p, "await", address, number, NULL));
}

static int32_t load(const struct program *p, int32_t address) {
    int32_t value;
    assert_null(call(p, "load", address, 0, &value));
    return value;
}

static void assert_trap(catnap_trap_code_t code, wasm_trap_t *trap) {
    assert_non_null(trap);
    assert_int_equal(code, catnap_trap_code(trap));
    wasm_trap_delete(trap);
}

/* ---- How they end ---- */

static void all_do_their_work(void **state) {
    struct program p;
    (void)state;
    open_program(&p, &usual);
    for (int round = 1; round <= (SANITIZED ? 5 : 20); round++) {
        for (int i = 0; i < 8; i++) {
            int32_t tid = spawn(&p, i % 2 ? ADD : CHILD);
            assert_true((tid > 0 && tid <= 0x1fffffff) || tid == -WASI_AGAIN);
        }
        assert_null(catnap_wasi_end_threads(p.wasi, NULL));
    }
    int32_t sum = load(&p, 0);
    must_spawn(&p, ADD);
    await(&p, 0, sum + 1);
    assert_null(catnap_wasi_end_threads(p.wasi, NULL));
    close_program(&p);
}

/* A thread that traps or exits ends all, wherever the first thread and others wait. */
static void one_ends_all(void **state) {
    (void)state;
    for (int32_t end = TRAP; end <= EXIT; end++)
        for (int32_t task = WAIT; task <= SPIN; task++) {
            struct program p;
            int32_t status;
            open_program(&p, &usual);
            wasm_trap_t *own = call(&p, "main", end, task, NULL);
            assert_non_null(own);
            assert_int_equal(CATNAP_TRAP_INTERRUPTED, catnap_trap_code(own));
            wasm_trap_t *trap = catnap_wasi_end_threads(p.wasi, own);
            assert_non_null(trap);
            assert_int_equal(end == EXIT, catnap_trap_exit_status(trap, &status));
            assert_int_equal(end == EXIT ? 7 : 0, status);
            assert_trap(end == EXIT ? CATNAP_TRAP_EXIT : CATNAP_TRAP_UNREACHABLE, trap);
            must_spawn(&p, ADD); /* another call of the program begins again */
            await(&p, 0, 1);
            close_program(&p);
        }
}

static void the_first_thread_ends_all(void **state) {
    struct program p;
    (void)state;
    open_program(&p, &usual);
    for (int task = WAIT; task <= SPIN; task++)
        must_spawn(&p, (enum task)task);
    await(&p, 4, 4);
    assert_null(catnap_wasi_end_threads(p.wasi, NULL));
    for (int task = WAIT; task <= SPIN; task++)
        must_spawn(&p, (enum task)task);
    await(&p, 4, 8);
    assert_trap(CATNAP_TRAP_UNREACHABLE,
                catnap_wasi_end_threads(p.wasi, call(&p, "trap", 0, 0, NULL)));
    /* None is left when the store goes without a word. */
    for (int task = WAIT; task <= SPIN; task++)
        must_spawn(&p, (enum task)task);
    close_program(&p);
}

/* How many threads that find something to read are to wait for each other before they read. */
static _Atomic int to_meet;
static pthread_barrier_t meeting;

/* In place of the C library's, so that two threads know of the same byte before one of them reads it. */
int ppoll(struct pollfd *items, nfds_t count, const struct timespec *timeout,
          const sigset_t *signals) {
    struct timespec left = timeout ? *timeout : (struct timespec){0};
    long ready =
        syscall(SYS_ppoll, items, count, timeout ? &left : NULL, signals, sizeof(uint64_t));
    if (ready > 0 && items[0].revents && atomic_load(&to_meet) > 0) {
        pthread_barrier_wait(&meeting);
        atomic_fetch_sub(&to_meet, 1);
    }
    return (int)ready;
}

/* Of two that wait for the same byte of a pipe that the host lent, one gets it: the other waits on where an interrupt
 * reaches it, and not in the kernel. */
static void two_wait_for_one_byte(void **state) {
    struct program p;
    (void)state;
    open_program(&p, &usual);
    assert_int_equal(0, pthread_barrier_init(&meeting, NULL, 2));
    must_spawn(&p, READ);
    must_spawn(&p, READ);
    atomic_store(&to_meet, 2);
    assert_int_equal(1, write(p.input[1], "x", 1));
    while (atomic_load(&to_meet) > 0)
        usleep(1000);
    assert_null(catnap_wasi_end_threads(p.wasi, NULL));
    pthread_barrier_destroy(&meeting);
    close_program(&p);
}

static void *interrupt_call_soon(void *env) {
    struct program *p = env;
    usleep(20000);
    catnap_store_interrupt(p->store, p->call_id);
    return NULL;
}

static void an_interrupt_ends_all(void **state) {
    struct program p;
    pthread_t thread;
    (void)state;
    open_program(&p, &usual);
    p.call_id = catnap_store_call_id(p.store);
    pthread_create(&thread, NULL, interrupt_call_soon, &p);
    wasm_trap_t *trap = call(&p, "main", ADD, WAIT, NULL);
    pthread_join(thread, NULL);
    assert_trap(CATNAP_TRAP_INTERRUPTED, catnap_wasi_end_threads(p.wasi, trap));
    close_program(&p);
}

/* A thread's trap has its frames, and outlives what it came from. */
static void a_trap_of_a_thread_has_a_backtrace(void **state) {
    struct program p;
    catnap_frame_t frame;
    (void)state;
    open_program(&p, &usual);
    wasm_trap_t *trap = catnap_wasi_end_threads(p.wasi, call(&p, "main", TRAP, WAIT, NULL));
    close_program(&p);
    assert_int_equal(2, catnap_trap_frame_count(trap));
    assert_true(catnap_trap_frame(trap, 0, &frame));
    assert_int_equal(FIRST_TASK + TRAP, frame.func_index);
    assert_trap(CATNAP_TRAP_UNREACHABLE, trap);
}

/* ---- How many, and who ---- */

static void a_bomb_reaches_the_limit(void **state) {
    struct program p;
    (void)state;
    open_program(&p, &usual);
    must_spawn(&p, BOMB);
    await(&p, 4, 8);
    assert_int_equal(-WASI_AGAIN, spawn(&p, ADD));
    assert_int_equal(8, load(&p, 4));
    assert_null(catnap_wasi_end_threads(p.wasi, NULL));
    must_spawn(&p, ADD);
    await(&p, 0, 1);
    close_program(&p);
}

static void none_are_allowed(void **state) {
    struct program p;
    (void)state;
    open_program(&p, &(struct setting){.max_threads = 0});
    assert_int_equal(-WASI_AGAIN, spawn(&p, ADD));
    assert_null(catnap_wasi_end_threads(p.wasi, NULL));
    close_program(&p);
}

static void a_module_without_what_a_thread_needs(void **state) {
    static const enum kind_of_module kinds[] = {NO_START, OTHER_START, PLAIN_MEMORY, OWN_MEMORY};
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct program p;
        open_program(&p, &(struct setting){.kind = kinds[i], .max_threads = 8});
        assert_int_equal(-WASI_NOTSUP, spawn(&p, ADD));
        assert_null(catnap_wasi_end_threads(p.wasi, NULL));
        close_program(&p);
    }
}

static void a_start_function_that_traps(void **state) {
    struct program p;
    (void)state;
    open_program(&p, &(struct setting){.kind = TRAPPING_START, .max_threads = 8});
    must_spawn(&p, ADD);
    await(&p, 0, 1);
    assert_null(call(&p, "arm", 0, 0, NULL));
    assert_trap(CATNAP_TRAP_UNREACHABLE,
                catnap_wasi_end_threads(p.wasi, call(&p, "main", ADD, WAIT, NULL)));
    close_program(&p);
}

static void what_cannot_have_threads(void **state) {
    (void)state;
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    catnap_wasi_t *wasi = catnap_wasi_new();
    catnap_linker_t *linker = catnap_linker_new(store);
    struct bytes bytes = make_module(USUAL);
    catnap_error_t *error;
    wasm_module_t *module = catnap_module_new(store, bytes.data, bytes.size, NULL, &error);
    assert_no_error(error);
    drop_bytes(&bytes);
    assert_status(CATNAP_MISUSE, catnap_linker_define_wasi_threads(linker, wasi, module, NULL));
    assert_status(CATNAP_MISUSE, catnap_linker_define_wasi_threads(linker, wasi, NULL, NULL));
    assert_null(catnap_store_new_beside(NULL, &error));
    assert_status(CATNAP_MISUSE, error);
    assert_null(catnap_wasi_end_threads(wasi, NULL));
    assert_null(catnap_wasi_end_threads(NULL, NULL));
    wasm_module_delete(module);
    catnap_linker_delete(linker);
    wasm_store_delete(store);
    catnap_wasi_delete(wasi);
    wasm_engine_delete(engine);
}

static catnap_error_t *refuse(void *env, catnap_linker_t *linker) {
    ++*(int *)env;
    assert_non_null(linker);
    return catnap_error_new(CATNAP_LINK, "not today");
}

static void the_host_can_refuse_a_thread(void **state) {
    struct program p;
    int calls = 0;
    catnap_wasi_threads_t threads = {8, refuse, &calls};
    (void)state;
    open_program(&p, &usual);
    struct bytes bytes = make_module(USUAL);
    catnap_error_t *error;
    wasm_module_t *module = catnap_module_new(p.store, bytes.data, bytes.size, NULL, &error);
    drop_bytes(&bytes);
    assert_no_error(catnap_linker_define_wasi_threads(p.linker, p.wasi, module, &threads));
    wasm_module_delete(module);
    assert_true(spawn(&p, ADD) < 0);
    assert_int_equal(1, calls);
    close_program(&p);
}

/* ---- Shared state ---- */

static void fuel_is_for_all(void **state) {
    struct program p;
    (void)state;
    open_program(&p, &(struct setting){.max_threads = 8, .fuel = 1000000});
    wasm_trap_t *trap = call(&p, "main", SPIN, WAIT, NULL);
    assert_trap(CATNAP_TRAP_OUT_OF_FUEL, catnap_wasi_end_threads(p.wasi, trap));
    assert_true(catnap_store_fuel(p.store) < 4 * 16384);
    assert_no_error(catnap_store_set_fuel(p.store, 5000));
    assert_int_equal(5000, catnap_store_fuel(p.store));
    assert_no_error(catnap_store_consume_fuel(p.store, 1000));
    assert_trap(CATNAP_TRAP_OUT_OF_FUEL, call(&p, "spin", 0, 0, NULL));
    assert_int_equal(0, catnap_store_fuel(p.store));
    close_program(&p);
}

/* Fuel that threads have taken and not used comes back: it is spent for instructions only. */
static void fuel_comes_back(void **state) {
    struct program p;
    (void)state;
    open_program(&p, &(struct setting){.max_threads = 8, .fuel = 10000000});
    uint64_t before = catnap_store_fuel(p.store);
    for (int i = 0; i < 8; i++)
        must_spawn(&p, WAIT);
    await(&p, 4, 8);
    assert_null(catnap_wasi_end_threads(p.wasi, NULL));
    uint64_t spent = before - catnap_store_fuel(p.store);
    assert_true(spent > 8 * 10 && spent < 8 * 100);
    close_program(&p);
}

static void memory_is_for_all(void **state) {
    const uint64_t page = 65536, table = TABLE_ELEMENTS * 8;
    struct program p;
    (void)state;
    open_program(&p, &(struct setting){.max_threads = 8, .memory_bytes = page + 3 * table});
    /* The third thread's table is too much. */
    assert_trap(CATNAP_TRAP_LIMIT,
                catnap_wasi_end_threads(p.wasi, call(&p, "main", ADD, WAIT, NULL)));
    must_spawn(&p, ADD);
    await(&p, 0, 1);
    close_program(&p);
}

static void growth_counts_once(void **state) {
    const uint64_t page = 65536, table = TABLE_ELEMENTS * 8;
    struct program p;
    int32_t size;
    (void)state;
    open_program(&p, &(struct setting){.max_threads = 8, .memory_bytes = 3 * page + 4 * table});
    for (int i = 1; i <= 3; i++) {
        must_spawn(&p, GROW);
        await(&p, 0, i);
    }
    assert_null(call(&p, "size", 0, 0, &size));
    assert_int_equal(3, size); /* two could grow it */
    close_program(&p);
}

static bool has_room(const struct program *p, uint32_t pages) {
    const wasm_limits_t limits = {pages, pages};
    wasm_memorytype_t *type = wasm_memorytype_new(&limits);
    wasm_memory_t *memory = wasm_memory_new(p->store, type);
    wasm_memorytype_delete(type);
    wasm_memory_delete(memory);
    return memory != NULL;
}

/* The growth by a thread that has ended counts, though the first one has not looked since. */
static void growth_by_threads_that_ended_counts(void **state) {
    const uint64_t page = 65536, table = TABLE_ELEMENTS * 8;
    struct program p;
    (void)state;
    open_program(&p, &(struct setting){.max_threads = 8, .memory_bytes = 3 * page + 2 * table});
    must_spawn(&p, GROW);
    await(&p, 0, 1);
    assert_null(catnap_wasi_end_threads(p.wasi, NULL));
    must_spawn(&p, WAIT);
    await(&p, 4, 2);
    assert_false(has_room(&p, 2));
    assert_true(has_room(&p, 1));
    close_program(&p);
}

/* With little memory each failure is an error or a trap, and nothing is left. */
static void too_little_memory(void **state) {
    (void)state;
    unsigned worked = 0;
    for (uint64_t limit = 10000; limit < 80000 && worked < 3; limit += SANITIZED ? 1111 : 257) {
        struct program p;
        int32_t tid = 0;
        if (try_open(&p, &(struct setting){.max_threads = 2, .engine_memory = limit})) {
            wasm_trap_t *trap = call(&p, "one", 0, 0, &tid);
            trap = catnap_wasi_end_threads(p.wasi, trap);
            worked += !trap && tid > 0;
            assert_true(!trap || catnap_trap_code(trap) == CATNAP_TRAP_NO_MEMORY);
            wasm_trap_delete(trap);
        }
        close_program(&p);
    }
    assert_int_equal(3, worked);
}

/* ---- Descriptors ---- */

struct reader {
    struct guest *g;
    struct wasi_call call;
    uint16_t result;
};

static void *read_four(void *env) {
    struct reader *r = env;
    const uint64_t arguments[] = {4, 0, 1, 24};
    r->result = cn_wasi_fd_read(&r->call, arguments);
    cn_call_unlock(&r->call);
    return NULL;
}

static bool is_used(catnap_wasi_t *wasi) {
    pthread_mutex_lock(&wasi->mutex);
    bool used = wasi->fds[4].use != NULL;
    pthread_mutex_unlock(&wasi->mutex);
    return used;
}

/* A guest's state, with threads as a program has them. */
static void allow_threads(struct guest *g, struct program *p) {
    open_program(p, &usual);
    catnap_wasi_delete(p->wasi);
    p->wasi = g->wasi;
    struct bytes bytes = make_module(USUAL);
    catnap_error_t *error;
    wasm_module_t *module = catnap_module_new(p->store, bytes.data, bytes.size, NULL, &error);
    drop_bytes(&bytes);
    assert_no_error(catnap_linker_define_wasi_threads(p->linker, p->wasi, module, NULL));
    wasm_module_delete(module);
}

/* A thread that reads five bytes from descriptor 4. */
static void start_reader(struct guest *g, struct reader *r, pthread_t *thread) {
    *r = (struct reader){.g = g, .call = g->call};
    cn_put_u32(g->memory, 2048);
    cn_put_u32(g->memory + 4, 5);
    assert_int_equal(0, pthread_create(thread, NULL, read_four, r));
}

/* A descriptor that a thread reads from is closed, and its number given to a file: the read goes on, and the host's
 * descriptor is closed after it. */
static void closed_while_it_is_read(void **state) {
    struct guest *g = *state;
    struct program p;
    pthread_t thread;
    uint32_t fd;
    allow_threads(g, &p);
    assert_int_equal(0, mkfifo(guest_host_path(g, "tree/fifo"), 0600));
    assert_wasi(WASI_SUCCESS, guest_open(g, "fifo", true, 0, RIGHTS_READ | RIGHTS_WRITE, 0, &fd));
    cn_call_unlock(&g->call);
    assert_int_equal(4, fd);
    int host = g->wasi->fds[4].host, other = open(guest_host_path(g, "tree/fifo"), O_WRONLY);
    struct reader r;
    start_reader(g, &r, &thread);
    while (!is_used(g->wasi))
        usleep(1000);
    assert_wasi(WASI_SUCCESS, CALL(g, fd_close, 4));
    assert_int_equal(1, g->wasi->orphans);
    guest_write_file(g, "tree/file", "other");
    assert_wasi(WASI_SUCCESS, guest_open(g, "file", true, 0, RIGHTS_READ, 0, &fd));
    assert_int_equal(4, fd);
    cn_call_unlock(&g->call);
    assert_int_equal(5, write(other, "hello", 5));
    pthread_join(thread, NULL);
    close(other);
    assert_wasi(WASI_SUCCESS, r.result);
    assert_memory_equal("hello", g->memory + 2048, 5);
    assert_int_equal(0, g->wasi->orphans);
    assert_true(fcntl(host, F_GETFD) < 0 && errno == EBADF);
    p.wasi = NULL;
    close_program(&p);
}

/* A flag that is set while a thread reads is for all reads that begin then. */
static void changed_while_it_is_read(void **state) {
    struct guest *g = *state;
    struct program p;
    pthread_t thread;
    uint32_t fd;
    allow_threads(g, &p);
    assert_int_equal(0, mkfifo(guest_host_path(g, "tree/fifo"), 0600));
    assert_wasi(WASI_SUCCESS, guest_open(g, "fifo", true, 0, RIGHTS_READ | RIGHTS_WRITE, 0, &fd));
    cn_call_unlock(&g->call);
    assert_int_equal(4, fd);
    struct reader r;
    start_reader(g, &r, &thread);
    while (!is_used(g->wasi))
        usleep(1000);
    assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_set_flags, 4, WASI_FDFLAG_NONBLOCK));
    assert_wasi(WASI_AGAIN, CALL(g, fd_read, 4, 0, 1, 24));
    cn_call_unlock(&g->call);
    int other = open(guest_host_path(g, "tree/fifo"), O_WRONLY);
    assert_int_equal(5, write(other, "hello", 5));
    pthread_join(thread, NULL);
    close(other);
    assert_wasi(WASI_SUCCESS, r.result);
    p.wasi = NULL;
    close_program(&p);
}

/* Closed ones that are still used count among those that a guest may have. */
static void orphans_count(void **state) {
    struct guest *g = *state;
    struct program p;
    uint32_t fd, count = 0;
    allow_threads(g, &p);
    guest_write_file(g, "tree/file", "");
    g->wasi->orphans = WASI_MAX_FDS - 8;
    while (guest_open(g, "file", true, 0, RIGHTS_READ, 0, &fd) == WASI_SUCCESS)
        count++;
    assert_int_equal(4, count); /* beside 0 to 3 */
    g->wasi->orphans = 0;
    assert_wasi(WASI_SUCCESS, guest_open(g, "file", true, 0, RIGHTS_READ, 0, &fd));
    cn_call_unlock(&g->call);
    p.wasi = NULL;
    close_program(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_do_their_work),
        cmocka_unit_test(one_ends_all),
        cmocka_unit_test(the_first_thread_ends_all),
        cmocka_unit_test(two_wait_for_one_byte),
        cmocka_unit_test(an_interrupt_ends_all),
        cmocka_unit_test(a_trap_of_a_thread_has_a_backtrace),
        cmocka_unit_test(a_bomb_reaches_the_limit),
        cmocka_unit_test(none_are_allowed),
        cmocka_unit_test(a_module_without_what_a_thread_needs),
        cmocka_unit_test(a_start_function_that_traps),
        cmocka_unit_test(what_cannot_have_threads),
        cmocka_unit_test(the_host_can_refuse_a_thread),
        cmocka_unit_test(fuel_is_for_all),
        cmocka_unit_test(fuel_comes_back),
        cmocka_unit_test(memory_is_for_all),
        cmocka_unit_test(growth_counts_once),
        cmocka_unit_test(growth_by_threads_that_ended_counts),
        cmocka_unit_test(too_little_memory),
        TEST(closed_while_it_is_read),
        TEST(changed_while_it_is_read),
        TEST(orphans_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
