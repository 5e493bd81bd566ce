/* Reachable objects live, and unreachable ones are freed: random graphs of instances, tables, globals,
 * functions and foreign objects, with references on value stacks, in traps and in checkpoints, against
 * a model of reachability. Finalizers tell what was freed. */
#include "helpers.h"

/* (module
 *   (import "" "pause" (func $pause))
 *   (import "" "f" (func $if (result i32)))
 *   (import "" "u" (table $iu 4 funcref))
 *   (import "" "g" (global $ig (mut funcref)))
 *   (table (export "t") 4 externref)
 *   (table (export "u") 4 funcref)
 *   (memory (export "m") 1)
 *   (global (export "g") (mut funcref) (ref.null func))
 *   (global (export "e") (mut externref) (ref.null extern))
 *   (elem func $f)
 *   (func $f (export "f") (result i32) (i32.const 7))
 *   (func (export "call") (result i32) (call $if))
 *   (func (export "keep") (param externref) (result externref) (call $pause) (local.get 0))
 *   (func (export "init") (table.init 2 0 (i32.const 0) (i32.const 0) (i32.const 1)))
 *   (func (export "trap") (unreachable))) */
static const uint8_t node_module[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0d, 0x03, 0x60, 0x00, 0x00, 0x60, 0x00,
    0x01, 0x7f, 0x60, 0x01, 0x6f, 0x01, 0x6f, 0x02, 0x1c, 0x04, 0x00, 0x05, 0x70, 0x61, 0x75, 0x73,
    0x65, 0x00, 0x00, 0x00, 0x01, 0x66, 0x00, 0x01, 0x00, 0x01, 0x75, 0x01, 0x70, 0x00, 0x04, 0x00,
    0x01, 0x67, 0x03, 0x70, 0x01, 0x03, 0x06, 0x05, 0x01, 0x01, 0x02, 0x00, 0x00, 0x04, 0x07, 0x02,
    0x6f, 0x00, 0x04, 0x70, 0x00, 0x04, 0x05, 0x03, 0x01, 0x00, 0x01, 0x06, 0x0b, 0x02, 0x70, 0x01,
    0xd0, 0x70, 0x0b, 0x6f, 0x01, 0xd0, 0x6f, 0x0b, 0x07, 0x35, 0x0a, 0x01, 0x74, 0x01, 0x01, 0x01,
    0x75, 0x01, 0x02, 0x01, 0x6d, 0x02, 0x00, 0x01, 0x67, 0x03, 0x01, 0x01, 0x65, 0x03, 0x02, 0x01,
    0x66, 0x00, 0x02, 0x04, 0x63, 0x61, 0x6c, 0x6c, 0x00, 0x03, 0x04, 0x6b, 0x65, 0x65, 0x70, 0x00,
    0x04, 0x04, 0x69, 0x6e, 0x69, 0x74, 0x00, 0x05, 0x04, 0x74, 0x72, 0x61, 0x70, 0x00, 0x06, 0x09,
    0x05, 0x01, 0x01, 0x00, 0x01, 0x02, 0x0a, 0x23, 0x05, 0x04, 0x00, 0x41, 0x07, 0x0b, 0x04, 0x00,
    0x10, 0x01, 0x0b, 0x06, 0x00, 0x10, 0x00, 0x20, 0x00, 0x0b, 0x0c, 0x00, 0x41, 0x00, 0x41, 0x00,
    0x41, 0x01, 0xfc, 0x0c, 0x00, 0x02, 0x0b, 0x03, 0x00, 0x00, 0x0b,
};

enum kind {
    INSTANCE,
    REF_TABLE,
    FUNC_TABLE,
    MEMORY,
    FUNC,
    CALLED,
    FUNC_GLOBAL,
    REF_GLOBAL,
    FOREIGN,
    TRAP
};
#define NONE (-1)
#define SLOTS 4
#define MOST_NODES 400

/* An object. Functions and globals of an instance are parts of it: `whole` is the instance. */
struct node {
    enum kind kind;
    void *object; /* also when there is no handle */
    bool held;    /* there is a handle */
    bool freed;   /* the finalizer has run */
    bool marked;
    bool listed;      /* in the checkpoint */
    int whole;        /* or NONE */
    int to[5];        /* what it refers to for good, or NONE */
    int value[SLOTS]; /* of tables and globals */
    int saved[SLOTS]; /* the same at the checkpoint */
    struct world *world;
};

struct world {
    wasm_store_t *store;
    wasm_module_t *module;
    uint64_t seed, random;
    int count;
    struct node nodes[MOST_NODES];
    int stacked[16]; /* on the value stack, or called */
    int depth;
    bool checkpoint;
    size_t collections, freed, inside, trapped, rolled_back;
};

/* ---- Random choices ---- */

static uint32_t below(struct world *w, uint32_t limit) {
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(w->random >> 33) % limit;
}

#define KIND(kind) (1u << (kind))
#define ANY 0xFFFFu
#define CONTAINERS (KIND(REF_TABLE) | KIND(FUNC_TABLE) | KIND(FUNC_GLOBAL) | KIND(REF_GLOBAL))

/* A node of these kinds with a handle, or NONE. */
static int choose(struct world *w, unsigned kinds) {
    if (w->count == 0)
        return NONE;
    uint32_t start = below(w, (uint32_t)w->count);
    for (int i = 0; i < w->count; i++) {
        int at = (int)((start + (uint32_t)i) % (uint32_t)w->count);
        if (w->nodes[at].held && (KIND(w->nodes[at].kind) & kinds))
            return at;
    }
    return NONE;
}

/* ---- Nodes ---- */

static void finalize(void *info) {
    struct node *node = info;
    assert_false(node->freed);
    node->freed = true;
    node->world->freed++;
}

/* The handle is taken over. */
static int add(struct world *w, enum kind kind, void *object, int whole) {
    int at = w->count++;
    assert_true(at < MOST_NODES);
    struct node *node = &w->nodes[at];
    *node = (struct node){.kind = kind, .object = object, .held = true, .whole = whole, .world = w};
    for (int i = 0; i < SLOTS; i++)
        node->value[i] = NONE;
    for (size_t i = 0; i < COUNT(node->to); i++)
        node->to[i] = NONE;
    wasm_ref_set_host_info_with_finalizer(object, node, finalize);
    return at;
}

static wasm_trap_t *one(const wasm_val_vec_t *arguments, wasm_val_vec_t *results) {
    (void)arguments;
    results->data[0] = (wasm_val_t)WASM_I32_VAL(1);
    return NULL;
}

static int add_func(struct world *w) {
    wasm_functype_t *type = wasm_functype_new_0_1(wasm_valtype_new(WASM_I32));
    wasm_func_t *func = wasm_func_new(w->store, type, one);
    wasm_functype_delete(type);
    return add(w, FUNC, func, NONE);
}

static int add_func_table(struct world *w) {
    wasm_limits_t limits = {SLOTS, SLOTS};
    wasm_tabletype_t *type = wasm_tabletype_new(wasm_valtype_new(WASM_FUNCREF), &limits);
    wasm_table_t *table = wasm_table_new(w->store, type, NULL);
    wasm_tabletype_delete(type);
    return add(w, FUNC_TABLE, table, NONE);
}

static int add_global(struct world *w, enum kind kind) {
    wasm_valkind_t of = kind == FUNC_GLOBAL ? WASM_FUNCREF : WASM_EXTERNREF;
    wasm_val_t null = {.kind = of};
    wasm_globaltype_t *type = wasm_globaltype_new(wasm_valtype_new(of), WASM_VAR);
    wasm_global_t *global = wasm_global_new(w->store, type, &null);
    wasm_globaltype_delete(type);
    return add(w, kind, global, NONE);
}

static int or_new(struct world *w, enum kind kind) {
    int at = below(w, 4) == 0 ? NONE : choose(w, KIND(kind));
    if (at != NONE)
        return at;
    if (kind == FUNC)
        return add_func(w);
    return kind == FUNC_TABLE ? add_func_table(w) : add_global(w, kind);
}

static void act(struct world *w, int most);
static void check(struct world *w, bool exact);
static void drop(struct world *w, int at);

static wasm_trap_t *be_called(void *env, const wasm_val_vec_t *arguments, wasm_val_vec_t *results) {
    struct world *w = env;
    (void)arguments;
    (void)results;
    w->inside++;
    if (w->depth > 0 && w->nodes[w->stacked[w->depth - 1]].held && below(w, 2))
        drop(w, w->stacked[w->depth - 1]); /* the argument: it is on the value stack */
    for (uint32_t i = below(w, 12); i > 0; i--)
        act(w, 10);
    catnap_store_collect(w->store);
    check(w, false);
    return NULL;
}

static int add_pause(struct world *w) {
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_func_t *func = wasm_func_new_with_env(w->store, type, be_called, w, NULL);
    wasm_functype_delete(type);
    return add(w, CALLED, func, NONE);
}

static void *part(const wasm_instance_t *instance, const char *name) {
    return get_export(instance, name);
}

static void add_instance(struct world *w) {
    if (w->count + 12 > MOST_NODES)
        return;
    int to[4] = {add_pause(w), or_new(w, FUNC), or_new(w, FUNC_TABLE), or_new(w, FUNC_GLOBAL)};
    wasm_extern_t *imports[4];
    for (int i = 0; i < 4; i++)
        imports[i] = wasm_ref_as_extern(w->nodes[to[i]].object);
    wasm_extern_vec_t vec = {4, imports};
    wasm_trap_t *trap;
    wasm_instance_t *instance = wasm_instance_new(w->store, w->module, &vec, &trap);
    assert_no_trap(trap);
    assert_non_null(instance);
    int at = add(w, INSTANCE, instance, NONE);
    memcpy(w->nodes[at].to, to, sizeof to);
    int tables[2] = {add(w, REF_TABLE, part(instance, "t"), NONE),
                     add(w, FUNC_TABLE, part(instance, "u"), NONE)};
    int memory = add(w, MEMORY, part(instance, "m"), NONE);
    add(w, FUNC, part(instance, "f"), at);
    add(w, FUNC_GLOBAL, part(instance, "g"), at);
    add(w, REF_GLOBAL, part(instance, "e"), at);
    assert_true(tables[1] == tables[0] + 1 && memory == tables[0] + 2); /* as mark() knows */
    w->nodes[at].to[4] = tables[0];
}

/* ---- The model ---- */

static void mark(struct world *w, int at) {
    if (at == NONE)
        return;
    struct node *node = &w->nodes[at];
    if (node->whole != NONE) {
        mark(w, node->whole);
        return;
    }
    if (node->marked)
        return;
    node->marked = true;
    for (size_t i = 0; i < COUNT(node->to); i++)
        mark(w, node->to[i]);
    for (int i = 0; i < SLOTS; i++)
        mark(w, node->value[i]);
    if (node->kind != INSTANCE)
        return;
    mark(w, node->to[4] + 1); /* its second table and its memory */
    mark(w, node->to[4] + 2);
    for (int i = 0; i < w->count; i++) /* its globals' values */
        for (int k = 0; k < SLOTS && w->nodes[i].whole == at; k++)
            mark(w, w->nodes[i].value[k]);
}

static bool lives(const struct world *w, int at) {
    const struct node *node = &w->nodes[at];
    return w->nodes[node->whole == NONE ? at : node->whole].marked;
}

/* Reachable objects must not be freed; the others must be, if value stacks are empty. */
static void check(struct world *w, bool exact) {
    for (int i = 0; i < w->count; i++)
        w->nodes[i].marked = false;
    for (int i = 0; i < w->count; i++)
        if (w->nodes[i].held || w->nodes[i].listed)
            mark(w, i);
    for (int i = 0; i < w->depth; i++)
        mark(w, w->stacked[i]);
    for (int i = 0; i < w->count && w->checkpoint; i++)
        for (int k = 0; k < SLOTS && (w->nodes[i].listed || w->nodes[i].whole != NONE); k++)
            if (w->nodes[i].whole == NONE || w->nodes[w->nodes[i].whole].listed)
                mark(w, w->nodes[i].saved[k]);
    for (int i = 0; i < w->count; i++) {
        const struct node *node = &w->nodes[i];
        bool wrong = lives(w, i) ? node->freed : exact && !node->freed;
        if (wrong)
            print_message("seed %d: node %d of kind %d, part of %d, is %s\n", (int)w->seed, i,
                          (int)node->kind, node->whole, node->freed ? "freed" : "kept");
        assert_false(wrong);
    }
    w->collections++;
}

/* ---- Actions ---- */

static void drop(struct world *w, int at) {
    if (at == NONE)
        return;
    w->nodes[at].held = false;
    wasm_ref_delete(w->nodes[at].object);
}

/* The value of a container, through the API. */
static wasm_ref_t *get_value(const struct node *node, uint32_t i) {
    if (node->kind == REF_TABLE || node->kind == FUNC_TABLE)
        return wasm_table_get(node->object, i);
    wasm_val_t value;
    wasm_global_get(node->object, &value);
    return value.of.ref;
}

static void set_value(struct world *w) {
    int at = choose(w, CONTAINERS);
    if (at == NONE)
        return;
    struct node *node = &w->nodes[at];
    bool is_table = node->kind == REF_TABLE || node->kind == FUNC_TABLE;
    bool of_funcs = node->kind == FUNC_TABLE || node->kind == FUNC_GLOBAL;
    int to = below(w, 5) == 0 ? NONE : choose(w, of_funcs ? KIND(FUNC) | KIND(CALLED) : ANY);
    uint32_t i = is_table ? below(w, SLOTS) : 0;
    wasm_ref_t *ref = to == NONE ? NULL : w->nodes[to].object;
    wasm_val_t value = {.kind = of_funcs ? WASM_FUNCREF : WASM_EXTERNREF, .of.ref = ref};
    if (is_table)
        assert_true(wasm_table_set(node->object, i, ref));
    else
        wasm_global_set(node->object, &value);
    node->value[i] = to;
}

static void take_value(struct world *w) {
    int at = choose(w, CONTAINERS);
    if (at == NONE)
        return;
    const struct node *node = &w->nodes[at];
    bool is_table = node->kind == REF_TABLE || node->kind == FUNC_TABLE;
    uint32_t i = is_table ? below(w, SLOTS) : 0;
    wasm_ref_t *ref = get_value(node, i);
    int to = node->value[i];
    assert_ptr_equal(ref, to == NONE ? NULL : w->nodes[to].object);
    if (to == NONE)
        return;
    if (w->nodes[to].held)
        wasm_ref_delete(ref);
    w->nodes[to].held = true;
}

/* A reference on the value stack, while the host function that is called does other things. */
static void call_with(struct world *w) {
    int at = choose(w, KIND(INSTANCE)), to = choose(w, ANY);
    if (at == NONE || to == NONE || w->depth + 3 > (int)COUNT(w->stacked) || w->depth > 6)
        return;
    wasm_func_t *keep = EXPORT(func, w->nodes[at].object, "keep");
    catnap_val_t value = {.kind = WASM_EXTERNREF, .of.ref = w->nodes[to].object}, result;
    w->stacked[w->depth++] = at;
    w->stacked[w->depth++] = to;
    assert_no_trap(catnap_func_call(keep, &value, 1, &result, 1));
    assert_false(w->nodes[to].freed);
    assert_ptr_equal(result.of.ref, w->nodes[to].object);
    if (w->nodes[to].held)
        wasm_ref_delete(result.of.ref);
    w->nodes[to].held = true;
    w->depth -= 2;
    wasm_func_delete(keep);
}

static void add_trap(struct world *w) {
    int at = choose(w, KIND(INSTANCE));
    if (at == NONE || w->count == MOST_NODES)
        return;
    wasm_func_t *func = EXPORT(func, w->nodes[at].object, "trap");
    wasm_trap_t *trap = catnap_func_call(func, NULL, 0, NULL, 0);
    assert_non_null(trap);
    int made = add(w, TRAP, trap, NONE);
    w->nodes[made].to[0] = at;
    assert_int_equal(catnap_trap_frame_count(trap), 1);
    w->trapped++;
    wasm_func_delete(func);
}

/* Backtraces lead to instances that are there. */
static void look_at_traps(struct world *w) {
    for (int i = 0; i < w->count; i++) {
        catnap_frame_t frame;
        if (w->nodes[i].kind != TRAP || !w->nodes[i].held)
            continue;
        assert_true(catnap_trap_frame(w->nodes[i].object, 0, &frame));
        assert_ptr_equal(frame.instance, w->nodes[w->nodes[i].to[0]].object);
        assert_non_null(wasm_instance_get_host_info(frame.instance));
    }
}

/* The first element of the instance's own table becomes its function, by a passive segment. */
static void init_table(struct world *w) {
    int at = choose(w, KIND(INSTANCE));
    if (at == NONE)
        return;
    wasm_func_t *init = EXPORT(func, w->nodes[at].object, "init");
    assert_no_trap(catnap_func_call(init, NULL, 0, NULL, 0));
    wasm_func_delete(init);
    w->nodes[w->nodes[at].to[4] + 1].value[0] = w->nodes[at].to[4] + 3;
}

static void call_all(struct world *w) {
    for (int i = 0; i < w->count; i++)
        if (w->nodes[i].held && w->nodes[i].kind == INSTANCE)
            assert_in_range(CALL(w->nodes[i].object, "call"), 1, 7);
}

static void act(struct world *w, int most) {
    wasm_foreign_t *foreign;
    switch (below(w, (uint32_t)most)) {
    case 0:
        add_instance(w);
        break;
    case 1:
    case 2:
    case 3:
        drop(w, choose(w, ANY));
        break;
    case 4:
    case 5:
        set_value(w);
        break;
    case 6:
        take_value(w);
        break;
    case 7:
        if (w->count < MOST_NODES && (foreign = wasm_foreign_new(w->store)))
            add(w, FOREIGN, foreign, NONE);
        break;
    case 8:
        call_with(w);
        break;
    case 9:
        init_table(w);
        break;
    case 10:
        if (w->depth == 0)
            add_trap(w);
        break;
    default:
        catnap_store_collect(w->store);
        check(w, w->depth == 0);
        look_at_traps(w);
        call_all(w);
    }
}

/* ---- Checkpoints ---- */

static void make_checkpoint(struct world *w) {
    catnap_store_collect(w->store);
    check(w, true);
    assert_no_error(catnap_store_checkpoint(w->store, NULL));
    w->checkpoint = true;
    for (int i = 0; i < w->count; i++) {
        struct node *node = &w->nodes[i];
        bool keeps = KIND(node->kind) & (CONTAINERS | KIND(INSTANCE) | KIND(MEMORY));
        node->listed = !node->freed && node->whole == NONE && keeps;
        memcpy(node->saved, node->value, sizeof node->saved);
    }
}

static void roll_back(struct world *w) {
    assert_no_error(catnap_store_rollback(w->store, 1));
    w->rolled_back++;
    for (int i = 0; i < w->count; i++) {
        struct node *node = &w->nodes[i];
        if (node->whole == NONE ? node->listed : w->nodes[node->whole].listed)
            memcpy(node->value, node->saved, sizeof node->saved);
    }
}

static void release_checkpoint(struct world *w) {
    assert_no_error(catnap_store_release(w->store, below(w, 2)));
    w->checkpoint = false;
    for (int i = 0; i < w->count; i++)
        w->nodes[i].listed = false;
}

static void change_checkpoint(struct world *w) {
    if (!w->checkpoint)
        make_checkpoint(w);
    else if (below(w, 3))
        roll_back(w);
    else
        release_checkpoint(w);
}

/* ---- All together ---- */

static void run_world(struct world *w, uint64_t seed) {
    wasm_engine_t *engine = wasm_engine_new();
    memset(w, 0, sizeof *w);
    w->seed = w->random = seed;
    w->store = wasm_store_new(engine);
    w->module = LOAD(w->store, node_module);
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
    for (int step = 0; step < 300; step++) {
        act(w, 12);
        if (below(w, 25) == 0)
            change_checkpoint(w);
    }
    if (w->checkpoint)
        release_checkpoint(w);
    for (int i = 0; i < w->count; i++)
        if (w->nodes[i].held)
            drop(w, i);
    catnap_store_collect(w->store);
    check(w, true);
    assert_int_equal(w->freed, w->count);
    wasm_module_delete(w->module);
    wasm_store_delete(w->store);
    wasm_engine_delete(engine);
}

#define ROUNDS 300

static void random_graphs(void **state) {
    (void)state;
    struct world *w = malloc(sizeof *w);
    size_t collections = 0, inside = 0, trapped = 0, rolled_back = 0;
    assert_non_null(w);
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        run_world(w, seed);
        collections += w->collections;
        inside += w->inside;
        trapped += w->trapped;
        rolled_back += w->rolled_back;
    }
    assert_true(collections > 10 * ROUNDS && inside > ROUNDS && trapped > ROUNDS);
    assert_true(rolled_back > ROUNDS);
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {TEST(random_graphs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
