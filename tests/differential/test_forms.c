/*
 * Programs give the same results, traps and memories, for the same fuel, in every configuration that
 * the engine can run them in.
 *
 * usage: test_forms                                       the cmocka tests
 *        test_forms --print KIND FIRST COUNT              outcomes as text, to compare with other
 *                                                         builds and engines
 *        test_forms --write KIND FIRST COUNT DIRECTORY    the modules as files
 *        test_forms --check KIND FIRST COUNT              compares all variants, and prints one line
 *                                                         for each module
 *
 * KIND is `random`, `random-2.0` (only instructions of WebAssembly 2.0), `random-3.0` (nothing of the older form of exceptions), `random-nans` (with the payloads of NaNs,
 * in the deterministic profile), `random-objects` (with structures, arrays and casts, else as random-3.0), `shapes` (FIRST and COUNT choose among a fixed number of modules), or the path of
 * a directory with modules 0.wasm, 1.wasm ... without imports. The exit status is 1 when variants of
 * a module disagree; FIRST and the module's number reproduce it.
 */
#include "../hostile/hostile.h"
#include "shapes.h"

#define FUEL 10000000
#define CASES 400
#define MOST_RUNS 24 /* exported functions that are called */
#define MOVES 3      /* of a run to a new store */

enum manner {
    PLAIN,
    ORDINARY,     /* plainly, of a module with an ordinary call in place of each tail call */
    RELAYED,      /* through another instance */
    WHOLE_RUN,    /* as a run that is resumed once */
    SLICED,       /* as a run with little fuel at a time */
    INTERRUPTED,  /* as a run that is interrupted at every second stop */
    CHECKPOINTED, /* called, rolled back, and called again */
    SNAPSHOTTED   /* as a run that moves to a new store at some of its stops */
};

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
    {"with ordinary calls", {0}, ORDINARY, 0},
    {"deferred", {.deferred = true}, PLAIN, 0},
    {"interruptible", {.interruptible = true}, PLAIN, 0},
    {"wide", {0}, PLAIN, 33000},
    {"at the border", {0}, PLAIN, 32750},
    {"checkpointed", {0}, CHECKPOINTED, 0},
    {"fuel", {.fuel = true}, PLAIN, 0},
    {"fuel, run", {.fuel = true}, WHOLE_RUN, 0},
    {"fuel, sliced", {.fuel = true}, SLICED, 0},
    {"fuel, eager, explicit, sliced",
     {.explicit_checks = true, .eager = true, .fuel = true, .interruptible = true},
     SLICED,
     0},
    {"interrupted", {.fuel = true, .interruptible = true}, INTERRUPTED, 0},
    {"fuel, wide", {.fuel = true, .interruptible = true}, SLICED, 32760},
    {"fuel, explicit, checkpointed", {.explicit_checks = true, .fuel = true}, CHECKPOINTED, 0},
    {"snapshotted", {.fuel = true}, SNAPSHOTTED, 0},
};

/* Which module. */
struct program {
    enum { RANDOM, RANDOM_2, RANDOM_3, RANDOM_NANS, RANDOM_OBJECTS, SHAPES, FILES } kind;
    const char *directory; /* of FILES */
    uint64_t seed;
};

struct outcome {
    int trap;        /* a catnap_trap_code_t; CATNAP_TRAP_HOST: none; UNEQUAL */
    uint64_t result; /* the one i64 itself, else a digest of all results */
    uint64_t fuel;
    size_t frames;
    uint64_t places; /* of the trap and the calls around it, in one number; 0: not comparable */
};
#define UNEQUAL (-1) /* the call and its repetition differ */

struct history {
    uint32_t count;
    struct outcome runs[2 * MOST_RUNS];
    uint64_t state; /* a digest of exported memories, globals and tables */
};

/* Bytes of a file; empty when there is none. */
static struct bytes read_module(const char *directory, uint64_t number) {
    char path[4096], part[4096];
    struct bytes b = {0};
    snprintf(path, sizeof path, "%s/%llu.wasm", directory, (unsigned long long)number);
    FILE *file = fopen(path, "rb");
    for (size_t size; file && (size = fread(part, 1, sizeof part, file)) > 0;)
        put_bytes(&b, part, size);
    if (file)
        fclose(file);
    return b;
}

static struct bytes build(struct program p, uint32_t padding, bool ordinary) {
    if (p.kind == FILES)
        return read_module(p.directory, p.seed);
    return p.kind == SHAPES
               ? generate_shapes((uint32_t)p.seed, padding)
               : generate((struct generator_options){.seed = p.seed,
                                                     .padding = padding,
                                                     .ordinary = ordinary,
                                                     .wasm2 = p.kind == RANDOM_2,
                                                     .try_table = p.kind == RANDOM_3 ||
                                                                  p.kind == RANDOM_NANS ||
                                                                  p.kind == RANDOM_OBJECTS,
                                                     .has_objects = p.kind == RANDOM_OBJECTS,
                                                     .payloads = p.kind == RANDOM_NANS});
}

/* The name of an export of a generated module. */
static const char *run_name(uint32_t i) {
    static const char *const names[] = {"run0", "run1", "run2", "run3", "run4", "state"};
    _Static_assert(COUNT(names) == GENERATED_RUNS + 1, "all runs have names");
    return names[i];
}

/* ---- Digests ---- */

static uint64_t digest(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * UINT64_C(0x100000001B3);
    return hash ^ hash >> 32;
}

static uint64_t digest_value(uint64_t hash, const catnap_val_t *value) {
    uint64_t words[2] = {0};
    if (wasm_valkind_is_ref(value->kind))
        return digest(hash, value->of.ref != NULL);
    if (value->kind == WASM_V128)
        memcpy(words, value->of.v128, 16);
    else
        memcpy(words, &value->of, value->kind == WASM_I32 || value->kind == WASM_F32 ? 4 : 8);
    hash = digest(hash, words[0]);
    return value->kind == WASM_V128 ? digest(hash, words[1]) : hash;
}

/* A result of a call. Other engines are called from Python, whose conversion of an f32 makes a signalling NaN quiet:
 * all NaNs are quiet here. */
static uint64_t digest_result(uint64_t hash, const catnap_val_t *value) {
    uint32_t bits;
    memcpy(&bits, &value->of, sizeof bits);
    if (value->kind != WASM_F32 || (bits & 0x7FFFFFFF) <= 0x7F800000)
        return digest_value(hash, value);
    return digest(hash, bits | 0x00400000);
}

static uint64_t digest_memory(uint64_t hash, wasm_memory_t *memory) {
    const uint8_t *bytes = (const uint8_t *)wasm_memory_data(memory);
    size_t size = wasm_memory_data_size(memory);
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof word);
        if (word) /* most of a memory is zero */
            hash = digest(hash, word ^ i << 40);
    }
    return digest(hash, size);
}

static uint64_t digest_state(const wasm_instance_t *instance) {
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    for (size_t i = 0; i < exports.size; i++) {
        wasm_extern_t *found = exports.data[i];
        catnap_val_t value;
        if (wasm_extern_as_memory(found)) {
            hash = digest_memory(hash, wasm_extern_as_memory(found));
        } else if (wasm_extern_as_table(found)) {
            hash = digest(hash, wasm_table_size(wasm_extern_as_table(found)));
        } else if (wasm_extern_as_global(found)) {
            catnap_global_get(wasm_extern_as_global(found), &value);
            hash = digest_value(hash, &value);
            if (wasm_valkind_is_ref(value.kind))
                wasm_ref_delete(value.of.ref);
        }
    }
    wasm_extern_vec_delete(&exports);
    return hash;
}

/* ---- Running ---- */

/* An instance that hands calls on to this one, and adds a zero of its own memory when they
 * return. */
static wasm_instance_t *relay_to(wasm_store_t *store, wasm_instance_t *instance) {
    struct module_builder m = {0};
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

/* The exported function with that number among functions (own), or NULL. */
static wasm_func_t *exported_func(const wasm_instance_t *instance, uint32_t number) {
    wasm_extern_vec_t exports;
    wasm_func_t *func = NULL;
    wasm_instance_exports(instance, &exports);
    for (size_t i = 0; i < exports.size && !func; i++)
        if (wasm_extern_as_func(exports.data[i]) && number-- == 0)
            func = wasm_func_copy(wasm_extern_as_func(exports.data[i]));
    wasm_extern_vec_delete(&exports);
    return func;
}

/* One call: arguments are zeros. */
struct call {
    struct world *world;
    const struct variant *variant;
    const wasm_shared_module_t *shared; /* of the world's instance; NULL: nothing moves */
    uint32_t number;                    /* of the exported function */
    size_t argument_count, result_count;
    catnap_val_t *values; /* arguments, then results */
    wasm_func_t *func;
};

static bool begin_call(struct call *c, const wasm_instance_t *instance) {
    c->func = exported_func(instance, c->number);
    if (!c->func)
        return false;
    wasm_functype_t *type = wasm_func_type(c->func);
    const wasm_valtype_vec_t *params = wasm_functype_params(type);
    c->argument_count = params->size;
    c->result_count = wasm_functype_results(type)->size;
    c->values = calloc(c->argument_count + c->result_count + 1, sizeof *c->values);
    assert_non_null(c->values);
    for (size_t i = 0; i < params->size; i++)
        c->values[i].kind = wasm_valtype_kind(params->data[i]);
    wasm_functype_delete(type);
    return true;
}

static void end_call(struct call *c) {
    wasm_func_delete(c->func);
    free(c->values);
}

/* Without frames of a relay. */
static void note_outcome(struct call *c, wasm_trap_t *trap, struct outcome *o) {
    catnap_frame_t frame;
    const catnap_val_t *results = c->values + c->argument_count;
    *o = (struct outcome){.trap = trap ? (int)catnap_trap_code(trap) : CATNAP_TRAP_HOST,
                          .fuel = o->fuel};
    o->frames = trap ? catnap_trap_frame_count(trap) - (c->variant->manner == RELAYED) : 0;
    for (size_t i = 0; i < o->frames && c->variant->padding == 0; i++) {
        if (!catnap_trap_frame(trap, i, &frame))
            break;
        o->places = (o->places + 1) * 1000003 + frame.func_index * 65537u + frame.func_offset;
    }
    for (size_t i = 0; i < c->result_count && !trap; i++) {
        o->result = digest_result(o->result, &results[i]);
        if (wasm_valkind_is_ref(results[i].kind))
            wasm_ref_delete(results[i].of.ref);
    }
    if (!trap && c->result_count == 1 && results->kind == WASM_I64)
        o->result = (uint64_t)results->of.i64;
    wasm_trap_delete(trap);
}

static bool same_outcome(const struct outcome *a, const struct outcome *b) {
    return a->trap == b->trap && a->frames == b->frames &&
           (!a->places || !b->places || a->places == b->places) &&
           (a->trap != CATNAP_TRAP_HOST || a->result == b->result);
}

static void call_plainly(struct call *c, struct outcome *o) {
    note_outcome(c,
                 catnap_func_call(c->func, c->values, c->argument_count,
                                  c->values + c->argument_count, c->result_count),
                 o);
}

/* The first call leaves no trace, and so the second one is the same. */
static void call_twice(struct call *c, struct outcome *o) {
    struct outcome first = *o;
    uint32_t level;
    wasm_store_t *store = c->world->store;
    assert_null(catnap_store_checkpoint(store, &level));
    call_plainly(c, &first);
    assert_null(catnap_store_rollback(store, level));
    assert_null(catnap_store_release(store, level));
    call_plainly(c, o);
    if (!same_outcome(&first, o))
        o->trap = UNEQUAL;
}

/* The module of the instance, or NULL. */
static wasm_module_t *obtain(wasm_store_t *store, const wasm_shared_module_t *shared) {
    wasm_module_t *module = shared ? wasm_module_obtain(store, shared) : NULL;
    assert_true(module || !shared);
    return module;
}

/* Everything moves to a new store of the engine, by way of bytes: with the module, else the snapshot finds the
 * one that is there, and its code. */
static void move_run(struct world *w, catnap_run_t **run, const wasm_shared_module_t *shared) {
    catnap_error_t *error;
    wasm_byte_vec_t bytes;
    uint64_t fuel = catnap_store_fuel(w->store);
    catnap_snapshot_options_t options = {.run = *run};
    catnap_save_options_t save = {.with_modules = !shared};
    catnap_snapshot_t *snapshot = catnap_snapshot_take(w->store, &options, &error);
    if (error)
        print_message("%s\n", catnap_error_message(error));
    assert_non_null(snapshot);
    assert_null(catnap_snapshot_write(snapshot, &save, &bytes));
    catnap_snapshot_delete(snapshot);
    catnap_run_delete(*run);
    wasm_instance_delete(w->instance);
    wasm_store_delete(w->store);
    snapshot =
        catnap_snapshot_read(w->engine, (const uint8_t *)bytes.data, bytes.size, NULL, &error);
    assert_null(error);
    wasm_byte_vec_delete(&bytes);
    w->store = wasm_store_new(w->engine);
    catnap_linker_t *linker = catnap_linker_new(w->store);
    wasm_module_t *module = obtain(w->store, shared);
    const wasm_module_t *modules[] = {module};
    catnap_restore_options_t restore = {.modules = modules, .module_count = shared ? 1 : 0};
    error = catnap_snapshot_restore(snapshot, linker, &restore, &w->instance, run);
    if (error)
        print_message("%s\n", catnap_error_message(error));
    assert_null(error);
    wasm_module_delete(module);
    catnap_linker_delete(linker);
    catnap_snapshot_delete(snapshot);
    assert_int_equal(catnap_store_fuel(w->store), fuel);
}

/* Resumes a run until it ends; returns the fuel that it was given. */
static uint64_t call_in_slices(struct call *c, struct outcome *o) {
    enum manner manner = c->variant->manner;
    struct world *w = c->world;
    catnap_run_t *run = catnap_run_new(c->func, c->values, c->argument_count, NULL);
    uint64_t given = 0, random = 1;
    uint32_t moves = MOVES;
    catnap_status_t status;
    wasm_trap_t *trap;
    assert_non_null(run);
    wasm_func_delete(c->func); /* it would keep the store that a snapshot replaces */
    c->func = NULL;
    for (unsigned round = 0;; round++) {
        uint64_t number = next_random(&random), slice = manner == WHOLE_RUN ? FUEL : number % 40;
        if (c->variant->padding > 0 && number % 8 == 0)
            slice = number % 4096; /* to clear locals costs fuel, too */
        if (manner == SNAPSHOTTED)
            slice = moves > 0 ? number % 400 : FUEL;
        given += slice;
        assert_null(catnap_store_set_fuel(w->store, catnap_store_fuel(w->store) + slice));
        if (manner == INTERRUPTED && round % 2)
            catnap_store_interrupt(w->store, catnap_store_call_id(w->store));
        status = catnap_run_resume(run, c->values + c->argument_count, c->result_count, &trap);
        if (status != CATNAP_OUT_OF_FUEL && status != CATNAP_INTERRUPTED)
            break;
        assert_true(manner != WHOLE_RUN);
        assert_null(trap);
        assert_true(catnap_run_backtrace(run, NULL, 0) > 0);
        if (manner == SNAPSHOTTED && moves > 0) {
            move_run(w, &run, moves == MOVES ? NULL : c->shared);
            moves--;
        }
    }
    assert_int_equal(status, trap ? CATNAP_TRAP : CATNAP_OK);
    note_outcome(c, trap, o);
    catnap_run_delete(run);
    return given;
}

/* False when there is no such function. */
static bool run_export(struct world *w, wasm_instance_t *relay, const wasm_shared_module_t *shared,
                       uint32_t number, const struct variant *v, struct outcome *o) {
    struct call c = {.world = w, .variant = v, .shared = shared, .number = number};
    uint64_t given = FUEL;
    bool in_slices = v->manner == WHOLE_RUN || v->manner == SLICED || v->manner == INTERRUPTED ||
                     v->manner == SNAPSHOTTED;
    *o = (struct outcome){0};
    if (!begin_call(&c, relay ? relay : w->instance))
        return false;
    if (v->form.fuel)
        assert_null(catnap_store_set_fuel(w->store, in_slices ? 0 : FUEL));
    if (in_slices) {
        given = call_in_slices(&c, o);
    } else if (v->manner == CHECKPOINTED) {
        call_twice(&c, o);
    } else {
        call_plainly(&c, o);
    }
    if (v->form.fuel)
        o->fuel = given - catnap_store_fuel(w->store);
    end_call(&c);
    return true;
}

/* Runs exported functions of a new instance, from `first` on and at most `count`; adds to the history. */
static void run_instance(const struct bytes *b, const struct variant *v, struct program p,
                         uint32_t first, uint32_t count, struct history *h) {
    struct world w;
    struct form form = v->form;
    form.deterministic = p.kind == RANDOM_NANS;
    form.features = p.kind == RANDOM_OBJECTS ? CATNAP_FEATURE_GC : 0;
    catnap_error_t *error;
    wasm_trap_t *trap;
    wasm_extern_vec_t imports = {0};
    open_world(&w, form);
    if (v->form.fuel)
        assert_null(catnap_store_set_fuel(w.store, FUEL));
    wasm_module_t *module = load_module(w.store, b);
    wasm_shared_module_t *shared = v->manner == SNAPSHOTTED ? wasm_module_share(module) : NULL;
    w.instance = catnap_instance_new(w.store, module, &imports, &error, &trap);
    wasm_module_delete(module);
    assert_null(error);
    if (w.instance) {
        wasm_instance_t *relay = v->manner == RELAYED ? relay_to(w.store, w.instance) : NULL;
        for (uint32_t i = first;
             i < first + count && run_export(&w, relay, shared, i, v, &h->runs[h->count]); i++)
            h->count++;
        h->state = digest(h->state, digest_state(w.instance));
        wasm_instance_delete(relay);
    } else { /* a segment was out of bounds */
        h->state = digest(h->state, catnap_trap_code(trap));
        wasm_trap_delete(trap);
    }
    if (shared)
        wasm_shared_module_delete(shared);
    close_world(&w);
}

/* Functions run in one instance; those of files then each in one of its own, too, since a function that
 * uses up the counter by which wasm-tools ends loops would end all that follow. */
static struct history run_bytes(struct program p, const struct bytes *b, const struct variant *v) {
    struct history h = {0};
    run_instance(b, v, p, 0, MOST_RUNS, &h);
    for (uint32_t i = 0, all = h.count; p.kind == FILES && i < all; i++)
        run_instance(b, v, p, i, 1, &h);
    return h;
}

static struct history run_module(struct program p, const struct variant *v) {
    struct bytes b = build(p, v->padding, v->manner == ORDINARY);
    struct history h = run_bytes(p, &b, v);
    drop_bytes(&b);
    return h;
}

/* ---- Comparing ---- */

static bool same_history(const struct history *a, const struct history *b, bool fuel) {
    if (a->count != b->count || a->state != b->state)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!same_outcome(&a->runs[i], &b->runs[i]) || (fuel && a->runs[i].fuel != b->runs[i].fuel))
            return false;
    return true;
}

static void print_history(const char *name, const struct history *h) {
    print_message("  %s: state %016llx\n", name, (unsigned long long)h->state);
    for (uint32_t i = 0; i < h->count; i++)
        print_message("    %u: trap %d, %016llx, fuel %llu, %zu frames\n", i, h->runs[i].trap,
                      (unsigned long long)h->runs[i].result, (unsigned long long)h->runs[i].fuel,
                      h->runs[i].frames);
}

/* Some variants are for generated modules alone. */
static bool applies(const struct variant *v, struct program p) {
    if (v->manner == ORDINARY)
        return p.kind == RANDOM || p.kind == RANDOM_NANS;
    return p.kind != FILES || (v->manner != RELAYED && v->padding == 0);
}

/* Calls that wait are not compared where they are ordinary. */
static void forget_frames(struct history *h) {
    for (uint32_t i = 0; i < h->count; i++)
        h->runs[i].frames = h->runs[i].places = 0;
}

/* The plain variant is what all others are compared with, and the first with fuel those with fuel. */
static bool check_variants(struct program p, const struct bytes *b, struct history *plain) {
    struct history with_fuel = {0};
    bool have_fuel = false;
    for (size_t i = 0; i < COUNT(variants); i++) {
        const struct variant *v = &variants[i];
        if (!applies(v, p))
            continue;
        bool usual = v->padding == 0 && v->manner != ORDINARY;
        struct history h = usual ? run_bytes(p, b, v) : run_module(p, v);
        if (i == 0)
            *plain = h;
        if (v->form.fuel && !have_fuel) {
            with_fuel = h;
            have_fuel = true;
        }
        bool same_fuel = v->form.fuel && v->padding == 0; /* to clear locals costs fuel */
        struct history expected = *plain;
        if (v->manner == ORDINARY) {
            forget_frames(&h);
            forget_frames(&expected);
        }
        if (same_history(&h, &expected, false) &&
            (!same_fuel || same_history(&h, &with_fuel, true)))
            continue;
        print_message("module %llu:\n", (unsigned long long)p.seed);
        print_history(v->name, &h);
        print_history("plain", plain);
        print_history("with fuel", &with_fuel);
        return false;
    }
    return true;
}

static bool check_program(struct program p, struct history *plain) {
    struct bytes b = build(p, 0, false);
    bool good = check_variants(p, &b, plain);
    drop_bytes(&b);
    return good;
}

static bool check_programs(struct program p, uint64_t count) {
    struct history plain;
    bool good = true;
    for (uint64_t end = p.seed + count; p.seed < end; p.seed++)
        good &= check_program(p, &plain);
    return good;
}

static void variants_agree(void **state) {
    (void)state;
    const char *first = getenv("DIFFERENTIAL_FIRST"), *count = getenv("DIFFERENTIAL_COUNT");
    assert_true(check_programs(
        (struct program){.kind = RANDOM, .seed = first ? strtoull(first, NULL, 10) : 1},
        count ? strtoull(count, NULL, 10) : CASES));
}

static void variants_agree_on_nans(void **state) {
    (void)state;
    assert_true(check_programs((struct program){.kind = RANDOM_NANS, .seed = 1}, CASES / 4));
}

static void variants_agree_on_objects(void **state) {
    (void)state;
    assert_true(check_programs((struct program){.kind = RANDOM_OBJECTS, .seed = 1}, CASES / 2));
}

static void variants_agree_on_shapes(void **state) {
    (void)state;
    assert_true(count_shape_modules() > 0);
    assert_true(check_programs((struct program){.kind = SHAPES}, count_shape_modules()));
}

/* A shape that traps would hide those behind it. */
static void shapes_do_not_trap(void **state) {
    (void)state;
    for (uint32_t i = 0, count = count_shape_modules(); i < count; i++) {
        struct history h = run_module((struct program){.kind = SHAPES, .seed = i}, &variants[0]);
        assert_true(h.count > 0);
        for (uint32_t run = 0; run < h.count; run++)
            assert_int_equal(h.runs[run].trap, CATNAP_TRAP_HOST);
    }
}

/* ---- For the scripts ---- */

/* A line for each run: before the semicolon what other engines print, after it what is Catnap's. */
static bool print_outcomes(struct program p) {
    static const struct variant with_fuel = {"fuel, run", {.fuel = true}, WHOLE_RUN, 0};
    struct history h = run_module(p, &variants[0]), paid = run_module(p, &with_fuel);
    for (uint32_t i = 0; i < h.count; i++) {
        const struct outcome *o = &h.runs[i];
        printf("%llu %u ", (unsigned long long)p.seed, i);
        if (o->trap == CATNAP_TRAP_HOST)
            printf("i64:%llu", (unsigned long long)o->result);
        else
            printf("trap");
        printf("; code %d, %zu frames, places %llx, fuel %llu\n", o->trap, o->frames,
               (unsigned long long)o->places, (unsigned long long)paid.runs[i].fuel);
    }
    return true;
}

/* A line for the module, which any build prints alike. */
static bool check_and_print(struct program p) {
    struct history plain;
    bool good = check_program(p, &plain);
    uint64_t hash = plain.state;
    for (uint32_t i = 0; i < plain.count; i++) {
        const struct outcome *o = &plain.runs[i];
        hash = digest(digest(hash, (uint64_t)(int64_t)o->trap), o->places);
        hash = digest(digest(hash, o->frames), o->trap == CATNAP_TRAP_HOST ? o->result : 0);
    }
    printf("%llu %016llx%s\n", (unsigned long long)p.seed, (unsigned long long)hash,
           good ? "" : " VARIANTS DISAGREE");
    return good;
}

static const char *directory;

static bool write_module(struct program p) {
    char path[4096];
    struct bytes b = build(p, 0, false);
    snprintf(path, sizeof path, "%s/%llu.wasm", directory, (unsigned long long)p.seed);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(b.data, 1, b.size, file) != b.size || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
    drop_bytes(&b);
    return true;
}

/* The action for each program, or NULL when the arguments are none of those above. */
static bool (*choose_action(int argc, char **argv))(struct program) {
    if (argc == 5 && strcmp(argv[1], "--print") == 0)
        return print_outcomes;
    if (argc == 5 && strcmp(argv[1], "--check") == 0)
        return check_and_print;
    return argc == 6 && strcmp(argv[1], "--write") == 0 ? write_module : NULL;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variants_agree), cmocka_unit_test(variants_agree_on_nans),
        cmocka_unit_test(variants_agree_on_objects), cmocka_unit_test(variants_agree_on_shapes),
        cmocka_unit_test(shapes_do_not_trap)};
    bool good = true, (*action)(struct program) = choose_action(argc, argv);
    note_fault_handler();
    if (argc == 1)
        return cmocka_run_group_tests(tests, NULL, NULL);
    if (!action) {
        fprintf(stderr,
                "usage: %s [--print KIND FIRST COUNT | --check KIND FIRST COUNT | "
                "--write KIND FIRST COUNT DIRECTORY]\n",
                argv[0]);
        return 2;
    }
    struct program p = {FILES, argv[2], strtoull(argv[3], NULL, 10)};
    if (strcmp(argv[2], "random") == 0)
        p.kind = RANDOM;
    else if (strcmp(argv[2], "random-2.0") == 0)
        p.kind = RANDOM_2;
    else if (strcmp(argv[2], "random-3.0") == 0)
        p.kind = RANDOM_3;
    else if (strcmp(argv[2], "random-nans") == 0)
        p.kind = RANDOM_NANS;
    else if (strcmp(argv[2], "random-objects") == 0)
        p.kind = RANDOM_OBJECTS;
    else if (strcmp(argv[2], "shapes") == 0)
        p.kind = SHAPES;
    directory = argv[argc - 1];
    uint64_t end = p.seed + strtoull(argv[4], NULL, 10);
    if (p.kind == SHAPES && end > count_shape_modules())
        end = count_shape_modules();
    for (; p.seed < end; p.seed++)
        good &= action(p);
    return good ? 0 : 1;
}
