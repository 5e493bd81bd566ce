/* The cost of translation: time in proportion to the body whatever labels, calls and blocks carry, an end
 * when an interrupt asks for it, and the right code for values that come and go many at a time. */
#include <time.h>

#include "base/assert.h"
#include "hostile.h"

static const struct form forms[] = {
    {.interruptible = true},
    {.explicit_checks = true, .eager = true, .fuel = true, .interruptible = true},
};

/* ---- Time ---- */

#define MANY 1000
#define BODY_BYTES 2000000u
/* Looked at one by one, a thousand values for every two bytes take more than twice as long. */
#define SECONDS (SANITIZED || CN_ASSERTING ? 20.0 : 1.5)

static uint32_t many_type(struct module_builder *m, size_t params, size_t results) {
    uint8_t codes[MANY];
    memset(codes, I32, sizeof codes);
    return add_type_n(m, codes, params, codes, results);
}

static void put_consts(struct bytes *f, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        i32_const(f, 0);
}

static void put_drops(struct bytes *f, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        put(f, DROP);
}

static void put_block(struct bytes *f, uint8_t opcode, uint32_t type) {
    put(f, opcode);
    put_s(f, type);
}

/* Each of these writes the body of function 1, () -> (); function 0 is 1000 -> 1000 values. */
struct wide { /* types */
    uint32_t same, none_to_many;
};

static void put_table(struct bytes *f, const struct wide *types) {
    put_block(f, BLOCK, types->none_to_many);
    put_consts(f, MANY + 2); /* one lies between the values and where the label wants them */
    op_u(f, 0x0E, BODY_BYTES);
    for (uint32_t i = 0; i <= BODY_BYTES; i++)
        put(f, 0);
    put(f, END);
    put_drops(f, MANY);
}

/* Labels of different blocks, in many tables: each block has a detour in each table. */
static void put_tables(struct bytes *f, const struct wide *types) {
    enum { DEEP = 100 };
    for (uint32_t i = 0; i < DEEP; i++)
        put_block(f, BLOCK, types->none_to_many);
    while (f->size < BODY_BYTES / 2) {
        put_block(f, BLOCK, types->none_to_many);
        put_consts(f, MANY + 2);
        op_u(f, 0x0E, DEEP);
        for (uint32_t i = 0; i <= DEEP; i++)
            put_u(f, i);
        put(f, END);
        put_drops(f, MANY);
    }
    put(f, UNREACHABLE);
    for (uint32_t i = 0; i < DEEP; i++) {
        put(f, END);
        put_drops(f, MANY);
        put(f, UNREACHABLE);
    }
}

static void put_calls(struct bytes *f, const struct wide *types) {
    (void)types;
    put_consts(f, MANY);
    while (f->size < BODY_BYTES)
        op_u(f, CALL, 0);
    put_drops(f, MANY);
}

static void put_blocks(struct bytes *f, const struct wide *types) {
    put_consts(f, MANY);
    while (f->size < BODY_BYTES) {
        put_block(f, BLOCK, types->same);
        PUT(f, BR, 0, END);
    }
    put_drops(f, MANY);
}

static void put_ifs(struct bytes *f, const struct wide *types) {
    put_consts(f, MANY);
    while (f->size < BODY_BYTES) {
        i32_const(f, 1);
        put_block(f, IF, types->same);
        PUT(f, ELSE, END);
    }
    put_drops(f, MANY);
}

static void put_branches(struct bytes *f, const struct wide *types) {
    put_block(f, BLOCK, types->none_to_many);
    put_consts(f, MANY + 1);
    while (f->size < BODY_BYTES)
        PUT(f, 0x41, 0, BR_IF, 0);
    PUT(f, BR, 0, END);
    put_drops(f, MANY);
}

/* The constant below them is no label value and stays where it is. */
static void put_branches_over_one(struct bytes *f, const struct wide *types) {
    put_consts(f, 1);
    put_block(f, BLOCK, types->none_to_many);
    put_consts(f, MANY);
    while (f->size < BODY_BYTES)
        PUT(f, 0x41, 0, BR_IF, 0);
    put(f, END);
    put_drops(f, MANY + 1);
}

static void (*const wide_bodies[])(struct bytes *, const struct wide *) = {
    put_table, put_tables, put_calls, put_blocks, put_ifs, put_branches, put_branches_over_one};

static void enter_wide(struct world *w, size_t which) {
    struct module_builder m = {0};
    struct bytes f = {0};
    uint32_t none = add_type(&m, "", "");
    struct wide types = {.same = many_type(&m, MANY, MANY), .none_to_many = many_type(&m, 0, MANY)};
    put(&f, 0);
    for (uint32_t i = 0; i < MANY; i++)
        op_u(&f, LOCAL_GET, i);
    put(&f, END);
    add_func(&m, NULL, types.same, &f);
    PUT(&f, 0, 0x41, 0, IF, EMPTY); /* it is translated and need not run */
    wide_bodies[which](&f, &types);
    PUT(&f, END, END);
    add_func(&m, "f", none, &f);
    enter_module(w, &m);
}

static double processor_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void many_values_cost_no_more_than_one(void **state) {
    (void)state;
    for (size_t form = 0; form < COUNT(forms); form++) {
        for (size_t i = 0; i < COUNT(wide_bodies); i++) {
            struct world w;
            uint64_t bits;
            open_form(&w, forms[form]);
            double before = processor_seconds();
            enter_wide(&w, i);
            assert_null(call_bits(w.instance, "f", NULL, &bits));
            double took = processor_seconds() - before;
            if (took > SECONDS)
                print_message("body %zu: %.1f s\n", i, took);
            assert_true(took < SECONDS);
            close_world(&w);
        }
    }
}

/* ---- Interrupts ---- */

static uint64_t functions_translated(const struct world *w) {
    catnap_module_stats_t stats;
    wasm_module_t *module = catnap_instance_module(w->instance);
    catnap_module_stats(module, &stats);
    wasm_module_delete(module);
    return stats.functions_translated;
}

static void interrupt_next(const struct world *w) {
    catnap_store_interrupt(w->store, catnap_store_call_id(w->store));
}

/* Asked to stop, a call ends while its function is translated; and the next one gets through with that,
 * so that a run which is interrupted again and again goes on. */
static void interrupts_end_translation(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(wide_bodies); i++) {
        struct world w;
        open_form(&w, forms[0]);
        enter_wide(&w, i);
        interrupt_next(&w);
        assert_int_equal(CALL_TRAP(w.instance, "f"), CATNAP_TRAP_INTERRUPTED);
        assert_int_equal(functions_translated(&w), 0);
        interrupt_next(&w);
        assert_int_equal(CALL_TRAP(w.instance, "f"), CATNAP_TRAP_INTERRUPTED);
        assert_int_equal(functions_translated(&w), 1);
        CALL_EXPORT(w.instance, "f");
        close_world(&w);
    }
}

static wasm_trap_t *interrupt_caller(void *env, catnap_caller_t *caller,
                                     const catnap_val_t *arguments, catnap_val_t *results) {
    (void)env, (void)arguments, (void)results;
    wasm_store_t *store = catnap_caller_store(caller);
    catnap_store_interrupt(store, catnap_store_call_id(store));
    return NULL;
}

/* "f" is long; "calls" asks for an interrupt and then calls it. */
static void enter_long(struct world *w) {
    struct module_builder m = {0};
    struct bytes f = {0};
    uint32_t type = add_type(&m, "", "i");
    import_func(&m, "m", "f", add_type(&m, "", ""));
    PUT(&f, 0, CALL, 0, CALL, 2, END);
    add_func(&m, "calls", type, &f);
    put(&f, 0);
    while (f.size < BODY_BYTES)
        put(&f, 0x01);
    PUT(&f, 0x41, 7, END);
    add_func(&m, "f", type, &f);
    struct bytes b = finish(&m);
    wasm_func_t *host = new_host_func(w->store, interrupt_caller, NULL);
    wasm_extern_t *import = wasm_func_as_extern(host);
    w->instance = instantiate(w->store, &b, &import, 1);
    wasm_func_delete(host);
    drop_bytes(&b);
}

/* A run that was stopped so goes on, whether it was its own function or one that it called. */
static void interrupted_runs_go_on(void **state) {
    (void)state;
    for (int called = 0; called <= 1; called++) {
        struct world w;
        wasm_trap_t *trap;
        catnap_val_t result;
        open_form(&w, forms[0]);
        enter_long(&w);
        wasm_func_t *func = get_func(w.instance, called ? "calls" : "f");
        catnap_run_t *run = catnap_run_new(func, NULL, 0, NULL);
        if (!called)
            interrupt_next(&w);
        assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_INTERRUPTED);
        assert_int_equal(functions_translated(&w), called);
        assert_int_equal(catnap_run_backtrace(run, NULL, 0), called);
        interrupt_next(&w);
        assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_INTERRUPTED);
        assert_int_equal(functions_translated(&w), called + 1);
        assert_int_equal(catnap_run_backtrace(run, NULL, 0), called + 1);
        assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_OK);
        assert_int_equal(result.of.i32, 7);
        catnap_run_delete(run);
        wasm_func_delete(func);
        close_world(&w);
    }
}

/* ---- Traps ---- */

/* A trap is found in the module, and gives fuel back, by translating its function again: once. */
static void traps_translate_once(void **state) {
    (void)state;
    for (size_t form = 0; form < COUNT(forms); form++) {
        struct world w;
        struct module_builder m = {0};
        struct bytes f = {0};
        open_form(&w, forms[form]);
        put(&f, 0);
        while (f.size < BODY_BYTES / 4)
            PUT(&f, 0x41, 0, DROP);
        PUT(&f, UNREACHABLE, 0x41, 0, DROP, END);
        add_func(&m, "f", add_type(&m, "", ""), &f);
        enter_module(&w, &m);
        for (int i = 0; i < 3; i++) {
            uint64_t bits, now = w.ledger.now;
            catnap_frame_t frame;
            w.ledger.peak = now;
            wasm_trap_t *trap = call_bits(w.instance, "f", NULL, &bits);
            assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_UNREACHABLE);
            assert_true(catnap_trap_frame(trap, 0, &frame));
            assert_in_range(frame.func_offset, BODY_BYTES / 4, BODY_BYTES / 4 + 4);
            wasm_trap_delete(trap);
            if (i > 0)
                assert_true(w.ledger.peak - now < 10000);
        }
        close_world(&w);
    }
}

/* ---- Values that come and go many at a time ---- */

/* A program of which every value is known when it is written. */
struct value {
    uint8_t type;
    uint64_t bits;
};
enum { STACK = 1000, LOCALS = 4, MOST = 60 };
static const uint8_t value_types[LOCALS] = {I32, I64, F64, V128};
struct known {
    struct value stack[STACK], locals[LOCALS];
    uint32_t height;
};
struct writer {
    struct module_builder m;
    struct bytes f;
    struct known now;
    uint64_t random;
    uint32_t made; /* constants so far */
};

static uint32_t chance(struct writer *p, uint32_t below) {
    return (uint32_t)(next_random(&p->random) >> 20) % below;
}

static void push_known(struct writer *p, struct value value) {
    assert_true(p->now.height < STACK);
    p->now.stack[p->now.height++] = value;
}

static void write_const(struct writer *p, uint8_t type) {
    uint64_t bits = ++p->made;
    double number = (double)bits;
    switch (type) {
    case I32:
        i32_const(&p->f, (int32_t)bits);
        break;
    case F64:
        memcpy(&bits, &number, sizeof bits);
        put(&p->f, 0x44);
        put_bytes(&p->f, &bits, sizeof bits);
        break;
    case V128:
        v128_const(&p->f, bits, 0);
        break;
    default:
        i64_const(&p->f, (int64_t)bits);
        break;
    }
    push_known(p, (struct value){type, bits});
}

static uint32_t local_of(uint8_t type) {
    uint32_t i = 0;
    while (value_types[i] != type)
        i++;
    return i;
}

static uint32_t new_type(struct writer *p, const uint8_t *params, uint32_t param_count,
                         const uint8_t *results, uint32_t result_count) {
    return add_type_n(&p->m, params, param_count, results, result_count);
}

/* A function of the host that gives its arguments back. */
static void write_call(struct writer *p, const uint8_t *types, uint32_t count) {
    struct bytes other = {0};
    uint32_t type = new_type(p, types, count, types, count);
    put(&other, 0);
    for (uint32_t i = 0; i < count; i++)
        op_u(&other, LOCAL_GET, i);
    put(&other, END);
    op_u(&p->f, CALL, add_func(&p->m, NULL, type, &other));
}

static void write_values(struct writer *p, const uint8_t *types, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t local = local_of(types[i]);
        if (chance(p, 3) == 0) {
            op_u(&p->f, LOCAL_GET, local);
            push_known(p, p->now.locals[local]);
        } else {
            write_const(p, types[i]);
        }
    }
    if (chance(p, 2))
        write_call(p, types, count);
}

static void write_drops(struct writer *p, uint32_t height) {
    while (p->now.height > height) {
        p->now.height--;
        put(&p->f, DROP);
    }
}

static uint32_t choose_types(struct writer *p, uint8_t *types) {
    uint32_t count = chance(p, 3) ? chance(p, 6) : chance(p, MOST);
    for (uint32_t i = 0; i < count; i++)
        types[i] = value_types[chance(p, LOCALS)];
    return count;
}

static void write_set(struct writer *p, uint32_t base) {
    if (p->now.height <= base)
        return;
    struct value top = p->now.stack[p->now.height - 1];
    uint32_t local = local_of(top.type);
    op_u(&p->f, chance(p, 2) ? LOCAL_SET : LOCAL_TEE, local);
    p->now.height -= p->f.data[p->f.size - 2] == LOCAL_SET;
    p->now.locals[local] = top;
}

static void write_block(struct writer *p, uint32_t floor, uint32_t depth);

/* Something that leaves the values below `base` alone. */
static void write_something(struct writer *p, uint32_t base, uint32_t depth) {
    uint8_t types[MOST];
    uint32_t above = p->now.height - base;
    switch (chance(p, depth < 4 ? 5 : 4)) {
    case 0:
        write_values(p, types, choose_types(p, types));
        break;
    case 1:
        write_drops(p, p->now.height - chance(p, above + 1));
        break;
    case 2:
        write_set(p, base);
        break;
    case 3: /* what is there already, through a call */
        above = above < MOST ? above : MOST;
        above = above ? chance(p, above + 1) : 0;
        for (uint32_t i = 0; i < above; i++)
            types[i] = p->now.stack[p->now.height - above + i].type;
        write_call(p, types, above);
        break;
    default:
        write_block(p, base, depth);
        break;
    }
}

/* A branch to the label of the block with `count` values of `types`: taken or not, by br_if, by br_table, or
 * by br. *taken: what was known is in *at_label. True: what follows is dead. */
static bool write_branch(struct writer *p, const uint8_t *types, uint32_t count, uint32_t base,
                         bool loop, struct known *at_label, bool *taken) {
    write_values(p, types, count);
    bool take = !*taken && !loop && chance(p, 3) == 0;
    if (take) {
        *taken = true;
        *at_label = p->now;
        memmove(at_label->stack + base, p->now.stack + p->now.height - count,
                count * sizeof *p->now.stack);
        at_label->height = base + count;
    }
    if (!take || chance(p, 2)) {
        PUT(&p->f, 0x41, take, BR_IF, 0);
        return false;
    }
    if (chance(p, 2))
        PUT(&p->f, 0x41, 1, 0x0E, 1, 0, 0);
    else
        PUT(&p->f, BR, 0);
    return true;
}

static void write_block(struct writer *p, uint32_t floor, uint32_t depth) {
    uint8_t params[MOST], results[MOST];
    uint32_t param_count = p->now.height - floor < MOST ? p->now.height - floor : MOST;
    param_count = chance(p, param_count + 1);
    uint32_t base = p->now.height - param_count, result_count = choose_types(p, results);
    for (uint32_t i = 0; i < param_count; i++)
        params[i] = p->now.stack[base + i].type;
    uint32_t type = new_type(p, params, param_count, results, result_count);
    static const uint8_t opcodes[] = {BLOCK, BLOCK, LOOP, IF};
    uint8_t opcode = opcodes[chance(p, COUNT(opcodes))];
    static struct known labels[8], befores[8]; /* by depth: the C stack is small */
    struct known *at_label = &labels[depth], *before = &befores[depth];
    bool taken = false, dead = false, holds = chance(p, 2);
    if (opcode == IF)
        PUT(&p->f, 0x41, holds);
    *before = p->now;
    put_block(&p->f, opcode, type);
    for (uint32_t n = chance(p, 8); n > 0 && !dead; n--) {
        if (chance(p, 3))
            write_something(p, base, depth + 1);
        else if (opcode == LOOP)
            dead = write_branch(p, params, param_count, base, true, at_label, &taken);
        else
            dead = write_branch(p, results, result_count, base, false, at_label, &taken);
    }
    if (!dead) {
        write_drops(p, base);
        write_values(p, results, result_count);
    }
    if (!taken)
        *at_label = p->now;
    if (opcode == IF) {
        put(&p->f, ELSE);
        p->now = *before;
        write_something(p, base, depth + 1);
        write_drops(p, base);
        write_values(p, results, result_count);
    }
    put(&p->f, END);
    if (opcode != IF || holds)
        p->now = *at_label;
}

/* The sum over all values from the top, each multiplied by a number of its own, is the result. */
static uint64_t write_sum(struct writer *p) {
    uint64_t sum = 0;
    uint32_t total = LOCALS;
    for (uint32_t i = 0; i < LOCALS; i++) {
        op_u(&p->f, LOCAL_GET, i);
        push_known(p, p->now.locals[i]);
    }
    for (uint32_t weight = 1; p->now.height > 0; weight++) {
        struct value value = p->now.stack[--p->now.height];
        if (value.type == I32)
            put(&p->f, 0xAD); /* i64.extend_i32_u */
        else if (value.type == F64)
            put(&p->f, 0xBD); /* i64.reinterpret_f64 */
        else if (value.type == V128)
            PUT(&p->f, 0xFD, 29, 0); /* i64x2.extract_lane */
        i64_const(&p->f, weight);
        put(&p->f, 0x7E);
        op_u(&p->f, LOCAL_GET, total);
        put(&p->f, I64_ADD);
        op_u(&p->f, LOCAL_SET, total);
        sum += value.bits * weight;
    }
    op_u(&p->f, LOCAL_GET, total);
    put(&p->f, END);
    return sum;
}

static void known_values_come_out(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        static struct writer p;
        memset(&p, 0, sizeof p);
        p.random = seed;
        uint32_t type = add_type(&p.m, "", "I");
        PUT(&p.f, 5, 1, I32, 1, I64, 1, F64, 1, V128, 1, I64);
        for (uint32_t i = 0; i < LOCALS; i++)
            p.now.locals[i].type = value_types[i];
        for (uint32_t n = 2 + chance(&p, 12); n > 0; n--)
            write_something(&p, 0, 0);
        uint64_t expected = write_sum(&p);
        add_func(&p.m, "f", type, &p.f);
        struct bytes b = finish(&p.m);
        for (size_t form = 0; form < COUNT(forms); form++) {
            struct world w;
            open_form(&w, forms[form]);
            w.instance = instantiate(w.store, &b, NULL, 0);
            uint64_t found = CALL_EXPORT(w.instance, "f");
            if (found != expected)
                print_message("seed %llu\n", (unsigned long long)seed);
            assert_true(found == expected);
            close_world(&w);
        }
        drop_bytes(&b);
    }
}

int main(int argc, char **argv) {
    (void)argc;
    begin_with_small_stack(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_values_cost_no_more_than_one),
        cmocka_unit_test(interrupts_end_translation),
        cmocka_unit_test(interrupted_runs_go_on),
        cmocka_unit_test(traps_translate_once),
        cmocka_unit_test(known_values_come_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
