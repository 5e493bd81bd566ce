/*
 * A program with threads, by wasi-threads alone and without a C library: mutexes and condition variables of atomics and
 * of wait and notify, threads with stacks of their own, a bounded queue between producers and consumers. It writes a line
 * for each of its parts; argument 1, if any, is the number of threads.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(name)))

WASI("fd_write")
int wasi_fd_write(int fd, const void *iovecs, int count, uint32_t *written);
WASI("args_sizes_get") int wasi_args_sizes_get(uint32_t *count, uint32_t *bytes);
WASI("args_get") int wasi_args_get(char **table, char *strings);
__attribute__((import_module("wasi"), import_name("thread-spawn"))) int wasi_thread_spawn(void *);

/* ---- Mutexes and condition variables ---- */

#define FOR_EVER (-1LL)

struct mutex {
    int state; /* 0: free, 1: taken, 2: taken, and others may wait */
};

static void lock(struct mutex *m) {
    int free = 0;
    if (__atomic_compare_exchange_n(&m->state, &free, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return;
    while (__atomic_exchange_n(&m->state, 2, __ATOMIC_SEQ_CST) != 0)
        __builtin_wasm_memory_atomic_wait32(&m->state, 2, FOR_EVER);
}

static void unlock(struct mutex *m) {
    if (__atomic_exchange_n(&m->state, 0, __ATOMIC_SEQ_CST) == 2)
        __builtin_wasm_memory_atomic_notify(&m->state, 1);
}

struct condition {
    int turns;
};

static void wait(struct condition *c, struct mutex *m) {
    int turn = __atomic_load_n(&c->turns, __ATOMIC_SEQ_CST);
    unlock(m);
    __builtin_wasm_memory_atomic_wait32(&c->turns, turn, FOR_EVER);
    lock(m);
}

static void wake_all(struct condition *c) {
    __atomic_add_fetch(&c->turns, 1, __ATOMIC_SEQ_CST);
    __builtin_wasm_memory_atomic_notify(&c->turns, UINT32_MAX);
}

/* ---- Threads ---- */

#define MOST_THREADS 32
#define STACK_BYTES 16384

struct thread {
    char *stack; /* first: wasi_thread_start loads it */
    void (*run)(int number);
    int number, tid, done;
};

static struct thread threads[MOST_THREADS];
static _Alignas(16) char stacks[MOST_THREADS][STACK_BYTES];

__asm__(".globaltype __stack_pointer, i32\n"
        ".functype thread_main (i32, i32) -> ()\n"
        ".globl wasi_thread_start\n"
        ".export_name wasi_thread_start, wasi_thread_start\n"
        "wasi_thread_start:\n"
        ".functype wasi_thread_start (i32, i32) -> ()\n"
        "local.get 1\n"
        "i32.load 0\n"
        "global.set __stack_pointer\n"
        "local.get 0\n"
        "local.get 1\n"
        "call thread_main\n"
        "end_function\n");

__attribute__((used)) void thread_main(int tid, struct thread *self) {
    __atomic_store_n(&self->tid, tid, __ATOMIC_SEQ_CST);
    self->run(self->number);
    __atomic_store_n(&self->done, 1, __ATOMIC_SEQ_CST);
    __builtin_wasm_memory_atomic_notify(&self->done, 1);
}

/* False when the engine gives no thread. */
static bool spawn(int number, void (*run)(int)) {
    struct thread *t = &threads[number];
    t->stack = stacks[number] + STACK_BYTES;
    t->run = run;
    t->number = number;
    t->done = 0;
    return wasi_thread_spawn(t) > 0;
}

static void join(int number) {
    while (!__atomic_load_n(&threads[number].done, __ATOMIC_SEQ_CST))
        __builtin_wasm_memory_atomic_wait32(&threads[number].done, 0, FOR_EVER);
}

/* ---- Output ---- */

static void write_bytes(const char *text, uint32_t length) {
    struct {
        const char *bytes;
        uint32_t length;
    } vector = {text, length};
    uint32_t written;
    wasi_fd_write(1, &vector, 1, &written);
}

static void print(const char *text, uint32_t number) {
    char line[80];
    uint32_t length = 0, digits = 1;
    while (text[length]) {
        line[length] = text[length];
        length++;
    }
    for (uint32_t rest = number; rest >= 10; rest /= 10)
        digits++;
    for (uint32_t i = digits; i-- > 0; number /= 10)
        line[length + i] = (char)('0' + number % 10);
    line[length + digits] = '\n';
    write_bytes(line, length + digits + 1);
}

/* ---- A counter under a mutex ---- */

#define ROUNDS 2000
static struct mutex counter_mutex;
static uint32_t counter;

static void count(int number) {
    (void)number;
    for (int i = 0; i < ROUNDS; i++) {
        lock(&counter_mutex);
        counter++;
        unlock(&counter_mutex);
    }
}

/* ---- Primes by a queue of ranges ---- */

#define RANGES 200
#define RANGE 500
#define ROOM 4
static struct mutex queue_mutex;
static struct condition not_empty, not_full;
static int queue[ROOM], queued, oldest;
static uint32_t primes;

static int take_range(void) {
    lock(&queue_mutex);
    while (queued == 0)
        wait(&not_empty, &queue_mutex);
    int range = queue[oldest];
    oldest = (oldest + 1) % ROOM;
    queued--;
    wake_all(&not_full);
    unlock(&queue_mutex);
    return range;
}

static void put_range(int range) {
    lock(&queue_mutex);
    while (queued == ROOM)
        wait(&not_full, &queue_mutex);
    queue[(oldest + queued++) % ROOM] = range;
    wake_all(&not_empty);
    unlock(&queue_mutex);
}

static bool is_prime(int n) {
    for (int d = 2; d * d <= n; d++)
        if (n % d == 0)
            return false;
    return n > 1;
}

static void find_primes(int number) {
    (void)number;
    for (int range; (range = take_range()) >= 0;) {
        uint32_t found = 0;
        for (int n = range * RANGE; n < (range + 1) * RANGE; n++)
            found += is_prime(n);
        __atomic_add_fetch(&primes, found, __ATOMIC_SEQ_CST);
    }
}

/* ---- Threads that start threads, and output from all ---- */

static uint32_t born;

static void bear(int number) {
    __atomic_add_fetch(&born, 1, __ATOMIC_SEQ_CST);
    int child = 2 * number + 1;
    for (int i = 0; i < 2 && child + i < 7; i++)
        if (spawn(child + i, bear))
            join(child + i);
}

static void say(int number) {
    static const char text[] = "a line of a thread\n";
    (void)number;
    for (int i = 0; i < 10; i++)
        write_bytes(text, sizeof text - 1);
}

/* ---- The program ---- */

static char *arguments[16], strings[256];

static int argument_number(void) {
    uint32_t argc = 0, bytes = 0;
    int n = 0;
    wasi_args_sizes_get(&argc, &bytes);
    if (argc < 2 || argc > 16 || bytes > sizeof strings || wasi_args_get(arguments, strings))
        return 8;
    for (const char *digit = arguments[1]; *digit >= '0' && *digit <= '9'; digit++)
        n = n * 10 + (*digit - '0');
    return n;
}

/* Runs so many threads of a kind; how many were to be had. */
static int run_all(int wanted, void (*run)(int)) {
    int got = 0;
    while (got < wanted && spawn(got, run))
        got++;
    return got;
}

static void join_all(int count) {
    for (int i = 0; i < count; i++)
        join(i);
}

void _start(void) {
    int wanted = argument_number(), got = run_all(wanted, count);
    join_all(got);
    print("threads: ", (uint32_t)got);
    print("counted for each: ", got ? counter / (uint32_t)got : 0);
    got = run_all(wanted, find_primes);
    for (int i = 0; i < RANGES && got; i++)
        put_range(i);
    for (int i = 0; i < got; i++)
        put_range(-1);
    join_all(got);
    print("primes: ", primes);
    if (spawn(0, bear))
        join(0);
    print("born: ", born);
    got = run_all(wanted, say);
    join_all(got);
}
