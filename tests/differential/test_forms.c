/*
 * Generated programs give the same results, traps and memories, for the same fuel, in every form
 * that the engine can run them in.
 *
 * usage: test_forms                                the cmocka tests
 *        test_forms --print KIND FIRST COUNT       outcomes as text, to compare with other builds
 *        test_forms --write KIND FIRST COUNT DIRECTORY    the modules as files
 *
 * KIND is `random` or `shapes`; there are as many of the latter as there are.
 */
#include "../hostile/hostile.h"
#include "shapes.h"

#define FUEL 1000000
#define CASES 400

enum manner { PLAIN, RELAYED, WHOLE_RUN, SLICED, INTERRUPTED };

static const struct variant {
    const char *name;
    struct form form;
    enum manner manner;
    uint32_t padding;
} variants[] = {
    {"plain", {0}, PLAIN, 0},
    {"through another instance", {0}, RELAYED, 0},
    {"explicit", {.explicit_checks = true}, PLAIN, 0},
    {"eager", {.eager = true}, PLAIN, 0},
    {"deferred", {.deferred = true}, PLAIN, 0},
    {"interruptible", {.interruptible = true}, PLAIN, 0},
    {"far", {0}, PLAIN, 33000},
    {"at the border", {0}, PLAIN, 32750},
    {"fuel", {.fuel = true}, PLAIN, 0},
    {"fuel, run", {.fuel = true}, WHOLE_RUN, 0},
    {"fuel, sliced", {.fuel = true}, SLICED, 0},
    {"fuel, eager, explicit, sliced",
     {.explicit_checks = true, .eager = true, .fuel = true, .interruptible = true},
     SLICED,
     0},
    {"interrupted", {.fuel = true, .interruptible = true}, INTERRUPTED, 0},
    {"fuel, far", {.fuel = true, .interruptible = true}, SLICED, 32760},
};

/* Which module: a random one, or one of shapes. */
struct program {
    bool shapes;
    uint64_t seed;
};

struct outcome {
    catnap_trap_code_t trap; /* CATNAP_TRAP_HOST: none */
    uint64_t result, fuel;
    size_t frames;
    uint64_t places; /* of the trap and the calls around it, in one number; 0: not comparable */
};
struct history {
    struct outcome runs[GENERATED_RUNS + 1]; /* the last: state */
    uint64_t memory;                         /* a hash of it */
};

static struct bytes build(struct program p, uint32_t padding) {
    return p.shapes ? generate_shapes((uint32_t)p.seed, padding)
                    : generate((struct generator_options){.seed = p.seed, .padding = padding});
}

/* The name of an export. */
static const char *run_name(uint32_t i) {
    static const char *const names[] = {"run0", "run1", "run2", "run3", "run4", "state"};
    _Static_assert(COUNT(names) == GENERATED_RUNS + 1, "all runs have names");
    return names[i];
}

/* ---- Running ---- */

/* An instance that hands calls on to this one, and adds a zero of its own memory when they
 * return. */
static wasm_instance_t *relay_to(wasm_store_t *store, wasm_instance_t *instance) {
    struct module m = {0};
    wasm_extern_t *imports[GENERATED_RUNS + 1];
    uint32_t type = add_type(&m, "", "I");
    for (uint32_t i = 0; i < COUNT(imports); i++) {
        imports[i] = catnap_instance_export(instance, run_name(i), strlen(run_name(i)));
        import_func(&m, "", run_name(i), type);
    }
    for (uint32_t i = 0; i < COUNT(imports); i++) {
        struct bytes f = {0};
        PUT(&f, 0, CALL, (uint8_t)i, 0x41, 8, 0x29, 0, 0, I64_ADD, END); /* i64.load */
        add_func(&m, run_name(i), type, &f);
    }
    add_memory(&m, 1, 1);
    struct bytes b = finish(&m);
    wasm_instance_t *relay = instantiate(store, &b, imports, COUNT(imports));
    drop_bytes(&b);
    for (uint32_t i = 0; i < COUNT(imports); i++)
        wasm_extern_delete(imports[i]);
    return relay;
}

/* Without frames of a relay. */
static void note_trap(struct outcome *o, wasm_trap_t *trap, const struct variant *v) {
    catnap_frame_t frame;
    o->trap = trap ? catnap_trap_code(trap) : CATNAP_TRAP_HOST;
    o->frames = trap ? catnap_trap_frame_count(trap) - (v->manner == RELAYED) : 0;
    for (size_t i = 0; i < o->frames && v->padding == 0; i++) {
        assert_true(catnap_trap_frame(trap, i, &frame));
        o->places = (o->places + 1) * 1000003 + frame.func_index * 65537u + frame.func_offset;
    }
    wasm_trap_delete(trap);
}

static void call_plainly(wasm_func_t *func, const struct variant *v, struct outcome *o) {
    catnap_val_t out;
    note_trap(o, catnap_func_call(func, NULL, 0, &out, 1), v);
    o->result = (uint64_t)out.of.i64;
}

/* Resumes a run until it ends; returns the fuel that it was given. */
static uint64_t call_in_slices(wasm_store_t *store, wasm_func_t *func, const struct variant *v,
                               struct outcome *o) {
    enum manner manner = v->manner;
    catnap_run_t *run = catnap_run_new(func, NULL, 0, NULL);
    uint64_t given = 0, random = 1;
    catnap_status_t status;
    catnap_val_t out;
    wasm_trap_t *trap;
    assert_non_null(run);
    for (unsigned round = 0;; round++) {
        uint64_t slice = manner == WHOLE_RUN ? FUEL : next_random(&random) % 40;
        given += slice;
        assert_null(catnap_store_set_fuel(store, catnap_store_fuel(store) + slice));
        if (manner == INTERRUPTED && round % 2)
            catnap_store_interrupt(store, catnap_store_call_id(store));
        status = catnap_run_resume(run, &out, 1, &trap);
        if (status != CATNAP_OUT_OF_FUEL && status != CATNAP_INTERRUPTED)
            break;
        assert_true(manner != WHOLE_RUN);
        assert_null(trap);
        assert_true(catnap_run_backtrace(run, NULL, 0) > 0);
    }
    assert_int_equal(status, trap ? CATNAP_TRAP : CATNAP_OK);
    note_trap(o, trap, v);
    o->result = (uint64_t)out.of.i64;
    catnap_run_delete(run);
    return given;
}

static struct outcome run_export(wasm_store_t *store, const wasm_instance_t *instance,
                                 const char *name, const struct variant *v) {
    struct outcome o = {.trap = CATNAP_TRAP_HOST};
    wasm_func_t *func = get_func(instance, name);
    uint64_t given = FUEL;
    if (v->form.fuel)
        assert_null(catnap_store_set_fuel(store, v->manner <= RELAYED ? FUEL : 0));
    if (v->manner <= RELAYED)
        call_plainly(func, v, &o);
    else
        given = call_in_slices(store, func, v, &o);
    if (v->form.fuel)
        o.fuel = given - catnap_store_fuel(store);
    wasm_func_delete(func);
    return o;
}

static uint64_t hash_memory(const wasm_instance_t *instance) {
    wasm_extern_t *exported = catnap_instance_export(instance, "memory", 6);
    wasm_memory_t *memory = wasm_extern_as_memory(exported);
    const uint8_t *bytes = (const uint8_t *)wasm_memory_data(memory);
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0, size = wasm_memory_data_size(memory); i < size; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x100000001B3);
        hash ^= hash >> 32;
    }
    wasm_extern_delete(exported);
    return hash;
}

static struct history run_module(const struct bytes *b, const struct variant *v) {
    struct history h;
    struct world w;
    open_world(&w, v->form);
    w.instance = instantiate(w.store, b, NULL, 0);
    wasm_instance_t *relay = v->manner == RELAYED ? relay_to(w.store, w.instance) : NULL;
    for (uint32_t i = 0; i <= GENERATED_RUNS; i++)
        h.runs[i] = run_export(w.store, relay ? relay : w.instance, run_name(i), v);
    h.memory = hash_memory(w.instance);
    wasm_instance_delete(relay);
    close_world(&w);
    return h;
}

/* ---- Comparing ---- */

static bool same_history(const struct history *a, const struct history *b) {
    for (uint32_t i = 0; i <= GENERATED_RUNS; i++)
        if (a->runs[i].trap != b->runs[i].trap || a->runs[i].frames != b->runs[i].frames ||
            (a->runs[i].places && b->runs[i].places && a->runs[i].places != b->runs[i].places) ||
            (a->runs[i].trap == CATNAP_TRAP_HOST && a->runs[i].result != b->runs[i].result) ||
            (a->runs[i].fuel && b->runs[i].fuel && a->runs[i].fuel != b->runs[i].fuel))
            return false;
    return a->memory == b->memory;
}

static void print_history(const char *name, const struct history *h) {
    print_message("  %s: memory %016llx\n", name, (unsigned long long)h->memory);
    for (uint32_t i = 0; i <= GENERATED_RUNS; i++)
        print_message("    %u: trap %d, %016llx, fuel %llu, %zu frames\n", i, (int)h->runs[i].trap,
                      (unsigned long long)h->runs[i].result, (unsigned long long)h->runs[i].fuel,
                      h->runs[i].frames);
}

/* The plain form is what all others are compared with, and the first with fuel those with fuel. */
static bool check_program(struct program p) {
    struct history plain, with_fuel = {.runs = {{.fuel = 0}}};
    for (size_t i = 0; i < COUNT(variants); i++) {
        const struct variant *v = &variants[i];
        struct bytes b = build(p, v->padding);
        struct history h = run_module(&b, v);
        drop_bytes(&b);
        if (i == 0)
            plain = h;
        if (v->form.fuel && !with_fuel.runs[0].fuel)
            with_fuel = h;
        if (same_history(&h, &plain) && (!v->form.fuel || same_history(&h, &with_fuel)))
            continue;
        print_message("%s %llu:\n", p.shapes ? "shapes" : "seed", (unsigned long long)p.seed);
        print_history(v->name, &h);
        print_history("plain", &plain);
        print_history("with fuel", &with_fuel);
        return false;
    }
    return true;
}

static void every_form_agrees(void **state) {
    (void)state;
    bool good = true;
    const char *first = getenv("DIFFERENTIAL_FIRST"), *count = getenv("DIFFERENTIAL_COUNT");
    uint64_t start = first ? strtoull(first, NULL, 10) : 1;
    uint64_t end = start + (count ? strtoull(count, NULL, 10) : CASES);
    for (uint64_t seed = start; seed < end; seed++)
        good &= check_program((struct program){false, seed});
    assert_true(good);
}

static void every_form_agrees_on_shapes(void **state) {
    (void)state;
    bool good = true;
    uint32_t count = count_shape_modules();
    assert_true(count > 0);
    for (uint32_t i = 0; i < count; i++)
        good &= check_program((struct program){true, i});
    assert_true(good);
}

/* A shape that traps would hide those behind it. */
static void shapes_do_not_trap(void **state) {
    (void)state;
    for (uint32_t i = 0, count = count_shape_modules(); i < count; i++) {
        struct bytes b = build((struct program){true, i}, 0);
        struct history h = run_module(&b, &variants[0]);
        drop_bytes(&b);
        for (uint32_t run = 0; run <= GENERATED_RUNS; run++)
            assert_int_equal(h.runs[run].trap, CATNAP_TRAP_HOST);
    }
}

/* ---- For the script ---- */

/* A line for each run: what other engines print, and what other builds do, too. */
static void print_outcomes(struct program p) {
    struct bytes b = build(p, 0);
    static const struct variant with_fuel = {"fuel, run", {.fuel = true}, WHOLE_RUN, 0};
    struct history h = run_module(&b, &variants[0]), paid = run_module(&b, &with_fuel);
    for (uint32_t i = 0; i <= GENERATED_RUNS; i++) {
        const struct outcome *o = &h.runs[i];
        printf("%llu %u ", (unsigned long long)p.seed, i);
        if (o->trap == CATNAP_TRAP_HOST)
            printf("i64:%llu", (unsigned long long)o->result);
        else
            printf("trap");
        printf("; code %d, %zu frames, places %llx, fuel %llu\n", (int)o->trap, o->frames,
               (unsigned long long)o->places, (unsigned long long)paid.runs[i].fuel);
    }
    drop_bytes(&b);
}

static void write_module(struct program p, const char *directory) {
    char path[4096];
    struct bytes b = build(p, 0);
    snprintf(path, sizeof path, "%s/%llu.wasm", directory, (unsigned long long)p.seed);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(b.data, 1, b.size, file) != b.size || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
    drop_bytes(&b);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_form_agrees),
                                       cmocka_unit_test(every_form_agrees_on_shapes),
                                       cmocka_unit_test(shapes_do_not_trap)};
    bool print = argc == 5 && strcmp(argv[1], "--print") == 0;
    bool write = argc == 6 && strcmp(argv[1], "--write") == 0;
    note_fault_handler();
    if (argc > 1 && !print && !write) {
        fprintf(stderr, "usage: %s [--print KIND FIRST COUNT | --write KIND FIRST COUNT DIR]\n",
                argv[0]);
        return 2;
    }
    if (argc == 1)
        return cmocka_run_group_tests(tests, NULL, NULL);
    struct program p = {strcmp(argv[2], "shapes") == 0, strtoull(argv[3], NULL, 10)};
    uint64_t end = p.seed + strtoull(argv[4], NULL, 10);
    if (p.shapes && end > count_shape_modules())
        end = count_shape_modules();
    for (; p.seed < end; p.seed++) {
        if (write)
            write_module(p, argv[5]);
        else
            print_outcomes(p);
    }
    return 0;
}
