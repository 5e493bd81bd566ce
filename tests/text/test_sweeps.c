/* Modules of what came after WebAssembly 2.0, which the reader of text makes: cut at each byte, with each byte
 * changed to each value, and starved of memory at each allocation, also where the stack of operands grows. */
#include <stdio.h>

#include "../unit/load.h"
#include "text/text.h"

/* Bytes that the reader makes of a text. */
static struct bytes assemble(const char *text) {
    struct alloc alloc;
    struct text_bytes made;
    struct text_error error;
    struct bytes b = {0};
    cn_alloc_init_default(&alloc);
    if (!cn_text_module(&alloc, (const uint8_t *)text, strlen(text), TEXT_WITH_NAMES, &made,
                        &error))
        fail_msg("%s\n%s", error.message, error.excerpt);
    put_bytes(&b, made.bytes, made.length);
    cn_text_bytes_free(&alloc, &made);
    return b;
}

#define LIST                                                                                       \
    "(rec (type $list (sub (struct (field i32) (field (mut (ref null $list))))))"                  \
    " (type $longer (sub final $list (struct (field i32) (field (mut (ref null $list)))"           \
    "  (field (mut i8))))))"                                                                       \
    "(type $bytes (array (mut i8)))(type $lists (array (mut (ref null $list))))"                   \
    "(type $f (func (param i32) (result i32)))"

static const char *const modules[] = {
    /* 2.0 and what stands in bodies that are validated fast */
    "(module (type $f (func (param i32) (result i32))) (table 2 funcref) (table 1 funcref) (memory "
    "1) (memory 1)"
    " (global $g (mut i32) (i32.const 1)) (global $c i64 (i64.const 1)) (data $d \"x\") (elem $e "
    "funcref)"
    " (func $one (type $f) (local.get 0))"
    " (func $two (param i32 i64) (result i32) (local i32 f32 v128)"
    "  (global.set $g (i32.extend8_s (i32.trunc_sat_f32_s (local.get 3))))"
    "  (i32.store 1 (i32.const 0) (i32.load 1 (i32.const 4)))"
    "  (local.set 4 (i8x16.add (v128.load (i32.const 0)) (local.get 4)))"
    "  (drop (i8x16.extract_lane_s 3 (local.get 4)))"
    "  (memory.init 1 $d (i32.const 0) (i32.const 0) (i32.const 0)) (data.drop $d)"
    "  (memory.copy 0 1 (i32.const 0) (i32.const 0) (i32.const 0))"
    "  (memory.fill 1 (i32.const 0) (i32.const 0) (i32.const 0))"
    "  (drop (call_indirect 1 (type $f) (i32.const 1) (i32.const 0)))"
    "  (block (loop (br_if 0 (local.get 0)) (br_table 0 1 0 (local.get 0))))"
    "  (drop (block (result i32) (br_table 0 0 (i32.const 5) (local.get 0))))"
    "  (if (local.get 0) (then (return (i32.const 4)) (unreachable)) (else (br 0)))"
    "  (drop (global.get $c)) (drop (memory.grow 1 (memory.size 1)))"
    "  (if (local.get 0) (then (return_call $one (i32.const 3))))"
    "  (return_call_indirect (type $f) (i32.const 1) (i32.const 0))))",
    /* declarations */
    "(module " LIST "(type $n (func (param i32)))"
    " (import \"m\" \"t\" (tag (type $n)))"
    " (import \"m\" (item \"a\" (func (type $f))) (item \"b\" (memory 1)))"
    " (import \"m\" (item \"c\") (item \"d\") (global i64))"
    " (import \"m\" \"u\" (table i64 1 funcref))"
    " (table $refs 1 (ref null $f) (ref.null $f)) (table 1 2 (ref null $list))"
    " (memory i64 1 2) (memory 1 2 shared) (memory 1 (pagesize 1))"
    " (tag $oops (type $n)) (export \"oops\" (tag $oops))"
    " (global (ref $list) (struct.new $list (i32.const 1) (ref.null none)))"
    " (global (ref $list) (struct.new_default $longer))"
    " (global (ref $bytes) (array.new_fixed $bytes 2 (i32.const 1) (i32.const 2)))"
    " (global (ref $lists) (array.new_default $lists (i32.const 3)))"
    " (global (ref $bytes) (array.new $bytes (i32.const 1) (i32.const 2)))"
    " (global (ref i31) (ref.i31 (i32.add (i32.const 1) (i32.const 2))))"
    " (global (mut anyref) (any.convert_extern (ref.null extern)))"
    " (global externref (extern.convert_any (ref.null any)))"
    " (elem (ref null $list) (struct.new_default $list) (ref.null $longer))"
    " (elem declare func 0)"
    " (data (memory 1) (i64.const 0) \"x\"))",
    /* structures and arrays */
    "(module " LIST " (data $d \"abcd\") (elem $e (ref null $list) (ref.null $list))"
    " (func (param (ref $longer) (ref $bytes) (ref $lists)) (result anyref)"
    "  (local $l (ref $list)) (local $b (ref null $bytes))"
    "  (local.set $l (struct.new $list (i32.const 1) (local.get 0)))"
    "  (struct.set $list 1 (local.get $l) (struct.get $list 1 (local.get $l)))"
    "  (struct.set $longer 2 (local.get 0) (struct.get_s $longer 2 (local.get 0)))"
    "  (drop (i32.add (struct.get $list 0 (local.get 0)) (struct.get_u $longer 2 (local.get 0))))"
    "  (drop (struct.new_default $longer))"
    "  (local.set $b (array.new $bytes (i32.const 1) (i32.const 2)))"
    "  (local.set $b (array.new_default $bytes (i32.const 2)))"
    "  (local.set $b (array.new_data $bytes $d (i32.const 0) (i32.const 2)))"
    "  (drop (array.new_elem $lists $e (i32.const 0) (i32.const 1)))"
    "  (drop (array.new_fixed $lists 2 (ref.null $list) (local.get $l)))"
    "  (array.set $bytes (local.get 1) (i32.const 0) (array.get_u $bytes (local.get $b) (i32.const "
    "1)))"
    "  (drop (i32.add (array.get_s $bytes (local.get 1) (i32.const 0)) (array.len (local.get 1))))"
    "  (drop (array.get $lists (local.get 2) (i32.const 0)))"
    "  (array.fill $bytes (local.get 1) (i32.const 0) (i32.const 1) (i32.const 2))"
    "  (array.copy $bytes $bytes (local.get 1) (i32.const 0) (local.get $b) (i32.const 1) "
    "(i32.const 2))"
    "  (array.init_data $bytes $d (local.get 1) (i32.const 0) (i32.const 1) (i32.const 2))"
    "  (array.init_elem $lists $e (local.get 2) (i32.const 0) (i32.const 0) (i32.const 1))"
    "  (drop (i31.get_s (ref.i31 (i31.get_u (ref.i31 (i32.const 5))))))"
    "  (drop (ref.eq (local.get 0) (local.get $l)))"
    "  (any.convert_extern (extern.convert_any (local.get $l)))))",
    /* branches and casts */
    "(module " LIST " (table 1 (ref null $f)) (elem declare func 0)"
    " (func $one (type $f) (local.get 0))"
    " (func (param (ref null $list) anyref i32) (result i32)"
    "  (drop (block $on (result (ref $list))"
    "   (drop (br_on_cast $on (ref null $list) (ref $longer) (local.get 0)))"
    "   (drop (br_on_cast_fail $on (ref null $list) (ref null $longer) (local.get 0)))"
    "   (drop (br_on_null 1 (i32.const 1) (local.get 0))) (drop)"
    "   (br_on_non_null $on (local.get 0))"
    "   (ref.as_non_null (local.get 0))))"
    "  (drop (ref.test (ref $list) (local.get 1))) (drop (ref.test (ref null $bytes) (local.get "
    "1)))"
    "  (drop (ref.cast (ref struct) (local.get 1))) (drop (ref.cast i31ref (local.get 1)))"
    "  (block (param) (br_table 0 0 0 (local.get 2)))"
    "  (drop (select (result anyref) (local.get 0) (local.get 1) (local.get 2)))"
    "  (drop (ref.is_null (local.get 0)))"
    "  (drop (call_ref $f (i32.const 1) (ref.func $one)))"
    "  (if (result i32) (local.get 2) (then (i32.const 1)) (else (i32.const 2))) (br_if 0 "
    "(local.get 2))"
    "  (if (local.get 2) (then (return_call $one (i32.const 1)))"
    "   (else (return_call_ref $f (i32.const 1) (ref.func $one))))"
    "  (return_call_indirect (type $f) (i32.const 1) (i32.const 0))))",
    /* exceptions */
    "(module (type $n (func (param i32))) (import \"m\" \"t\" (tag $t (type $n))) (tag $u)"
    " (func (param exnref) (result i32)"
    "  (block $all (block $h (result i32)"
    "   (block $hr (result i32 exnref)"
    "    (block $ar (result exnref)"
    "     (try_table (catch $t $h) (catch_ref $t $hr) (catch_all_ref $ar) (catch $u $all) "
    "(catch_all $all)"
    "      (throw $t (i32.const 1)))"
    "     (throw_ref (local.get 0)))"
    "    (throw_ref))"
    "   (throw_ref)) (return)) (unreachable)))",
    /* the older form of them */
    "(module (tag $t (param i32)) (tag $u)"
    " (func (result i32)"
    "  (try (result i32) (do (throw $t (i32.const 1)))"
    "   (catch $t) (catch $u (rethrow 0)) (catch_all (i32.const 2)))"
    "  (try (do (try (do (throw $u)) (delegate 0))) (catch_all))))",
    /* memories: several, 64-bit, shared, of small pages; 128-bit arithmetic, vectors */
    "(module (memory i64 1 2) (memory $s 1 2 shared) (memory $p 1 (pagesize 1)) (table $t i64 1 "
    "funcref)"
    " (data $d \"x\")"
    " (func (param i64) (result i64)"
    "  (drop (i32.atomic.rmw.cmpxchg $s (i32.const 0) (i32.const 1) (i32.const 2))) (atomic.fence)"
    "  (drop (memory.atomic.wait32 $s (i32.const 0) (i32.const 1) (i64.const 2)))"
    "  (i64.store8 offset=8589934592 (local.get 0) (i64.load $p (i32.const 0)))"
    "  (memory.copy $s $p (i32.const 0) (i32.const 0) (i32.const 1))"
    "  (memory.init $d (i64.const 0) (i32.const 0) (i32.const 1))"
    "  (memory.fill $p (i32.const 0) (i32.const 0) (i32.const 1))"
    "  (drop (memory.grow (memory.size)))"
    "  (drop (table.grow $t (ref.null func) (table.size $t)))"
    "  (v128.store8_lane $s 15 (i32.const 0) (i32x4.relaxed_laneselect"
    "   (v128.load32_lane $s 3 (i32.const 0) (v128.const i64x2 1 2)) (v128.load64_zero (i64.const "
    "0))"
    "   (v128.const i64x2 1 2)))"
    "  (i64.add128 (local.get 0) (i64.const 1) (i64.mul_wide_s (local.get 0) (i64.const 3)))"
    "  (drop)))",
};

static void each_module(void (*sweep)(struct loader *, struct bytes *)) {
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        struct loader l;
        struct bytes b = assemble(modules[i]);
        loader_init(&l);
        l.features = CATNAP_FEATURES_ALL;
        expect(&l, &b, CATNAP_OK, NULL);
        sweep(&l, &b);
        assert_int_equal(atomic_load(&l.alloc.now), l.at_rest);
        loader_destroy(&l);
        drop_bytes(&b);
    }
}

/* A cut between sections can be a module. */
static void cut(struct loader *l, struct bytes *b) {
    size_t good = 0;
    for (size_t size = 0; size < b->size; size++)
        good += load(l, b->data, size) == CATNAP_OK;
    assert_true(good > 0 && good < 14);
}

static void every_prefix_has_an_answer(void **state) {
    (void)state;
    each_module(cut);
}

static void change(struct loader *l, struct bytes *b) {
    size_t outcomes[CATNAP_NOT_FOUND + 1] = {0};
    for (size_t i = 0; i < b->size; i++) {
        uint8_t kept = b->data[i];
        for (uint32_t value = 0; value < 256; value++) {
            b->data[i] = (uint8_t)value;
            outcomes[load(l, b->data, b->size)]++;
        }
        b->data[i] = kept;
    }
    assert_true(outcomes[CATNAP_OK] >= b->size);
    assert_true(outcomes[CATNAP_MALFORMED] > b->size);
    assert_true(outcomes[CATNAP_INVALID] > b->size);
    assert_int_equal(outcomes[CATNAP_NO_MEMORY], 0);
}

static void every_changed_byte_has_an_answer(void **state) {
    (void)state;
    each_module(change);
}

/* Without a feature, a module that uses it is not supported; in two places it is what WebAssembly 1.0 calls it:
 * malformed where an index of a table was a zero byte, invalid where a block had several results. */
static void switch_off(struct loader *l, struct bytes *b) {
    unsigned told = 0;
    for (unsigned bit = 0; bit < 64 && CATNAP_FEATURES_ALL >> bit; bit++) {
        catnap_features_t feature = UINT64_C(1) << bit;
        l->features = CATNAP_FEATURES_ALL & ~feature;
        catnap_status_t status = load(l, b->data, b->size);
        assert_true(status == CATNAP_OK || status == CATNAP_UNSUPPORTED ||
                    (status == CATNAP_MALFORMED && feature == CATNAP_FEATURE_REFERENCE_TYPES) ||
                    (status == CATNAP_INVALID && feature == CATNAP_FEATURE_MULTI_VALUE));
        told += status == CATNAP_UNSUPPORTED;
    }
    assert_true(told > 0);
}

static void features_that_are_off_are_told(void **state) {
    (void)state;
    each_module(switch_off);
}

/* ---- Without memory ---- */

struct starving {
    size_t calls, fail_at;
    bool from_then_on, failed;
};

static void *starved_realloc(void *env, void *pointer, size_t old_size, size_t new_size) {
    struct starving *s = env;
    (void)old_size;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    size_t call = s->calls++;
    if (call == s->fail_at || (s->from_then_on && call > s->fail_at)) {
        s->failed = true;
        return NULL;
    }
    return realloc(pointer, new_size);
}

/* Loads with the allocation `fail_at` failing; whether any failed. */
static bool load_starved(const struct bytes *b, catnap_status_t plenty, size_t fail_at,
                         bool from_then_on) {
    struct starving s = {.fail_at = fail_at, .from_then_on = from_then_on};
    struct loader l = {.features = CATNAP_FEATURES_ALL,
                       .alloc = {.realloc = starved_realloc, .env = &s}};
    if (cn_types_init(&l.registry, &l.alloc)) {
        catnap_status_t status = load(&l, b->data, b->size);
        assert_int_equal(status, s.failed ? CATNAP_NO_MEMORY : plenty);
        cn_types_destroy(&l.registry);
    }
    assert_int_equal(atomic_load(&l.alloc.now), 0);
    return s.failed;
}

static void starve(const struct bytes *b, catnap_status_t plenty) {
    for (int from_then_on = 0; from_then_on < 2; from_then_on++)
        for (size_t i = 0; load_starved(b, plenty, i, from_then_on); i++)
            assert_true(i < 10000);
}

static void starve_one(struct loader *l, struct bytes *b) {
    (void)l;
    starve(b, CATNAP_OK);
}

static void exhausted_memory_is_reported(void **state) {
    (void)state;
    each_module(starve_one);
    /* many of each kind, which need arrays of their own */
    static const char *const many[] = {
        "(type (func (param i64)))",
        "(type (func)) (import \"m\" \"n\" (func (type 0)))",
        "(import \"m\" \"n\" (memory 1))",
        "(import \"m\" \"n\" (table 1 funcref))",
        "(import \"m\" \"n\" (global i32))",
        "(type (func)) (import \"m\" \"n\" (tag (type 0)))",
        "(memory 1)",
        "(table 1 funcref)",
        "(global i32 (i32.const 1))",
        "(type (func)) (tag (type 0))",
        "(type (func)) (func (type 0))",
    };
    for (size_t i = 0; i < sizeof many / sizeof *many; i++)
        for (uint32_t count = 1; count <= 512; count *= 8) {
            char text[40000] = "(module ";
            for (uint32_t n = 0; n < count; n++)
                strcat(text, many[i]);
            struct bytes b = assemble(strcat(text, ")"));
            starve(&b, CATNAP_OK);
            drop_bytes(&b);
        }
}

/* Instructions that push, or open a block: the stack has to grow at each of them. They are in a body that
 * is not valid at its end, so that no faster way accepts it. */
static void exhausted_memory_is_reported_where_the_stack_grows(void **state) {
    (void)state;
    static const char *const tails[] = {
        "(i32.eqz (local.get 0))",
        "(block)",
        "(loop (type 3) (drop) (i32.const 1))",
        "(if (result i64) (local.get 0) (then (i64.const 1)) (else (i64.const 2)))",
        "(if (type 3) (i32.const 7) (local.get 0) (then) (else (drop) (i32.const 4)))",
        "(block (result i32) (br_if 0 (i32.const 1) (local.get 0)))",
        "(block (br_on_null 0 (local.get 1)) (drop))",
        "(block (result i32) (i32.const 1) (br_on_null 0 (local.get 1)) (drop))",
        "(block (result i32 (ref $s)) (i32.const 1) (br_on_non_null 0 (local.get 1)) (ref.null "
        "none)"
        " (ref.as_non_null))",
        "(block (result i32 (ref $s)) (i32.const 1) (br_on_cast 0 (ref null $s) (ref $s) "
        "(local.get 1))"
        " (ref.as_non_null))",
        "(block (result i32 (ref null $s)) (i32.const 1)"
        " (br_on_cast_fail 0 (ref null $s) (ref $s) (local.get 1)))",
        "(select (i32.const 1) (i32.const 2) (local.get 0))",
        "(select (result i32) (i32.const 1) (i32.const 2) (local.get 0))",
        "(ref.is_null (local.get 1))",
        "(ref.as_non_null (local.get 1))",
        "(ref.func 0)",
        "(table.get 0 (i32.const 1))",
        "(table.size 0)",
        "(table.grow 0 (ref.null func) (i32.const 1))",
        "(global.get 0)",
        "(local.tee 0 (local.get 0))",
        "(struct.new_default $s)",
        "(array.len (array.new_default $a (i32.const 1)))",
        "(memory.size)",
        "(call 0 (i32.const 1) (ref.null none))",
        "(block (result i32 i32) (try_table (result i32 i32) (catch 0 0) (i32.const 1) (i32.const "
        "2)))",
        "(try (do) (catch_all))",
        "(i64.mul_wide_u (i64.const 1) (i64.const 1))",
    };
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
        for (uint32_t height = 0; height < 40; height++) {
            char text[2048];
            int at = snprintf(text, sizeof text,
                              "(module (type $s (struct)) (type $a (array i8))"
                              " (type (func (param i32 (ref null $s)) (result i32)))"
                              " (type (func (param i32) (result i32))) (tag (param i32 i32))"
                              " (table 1 funcref) (memory 1) (global i32 (i32.const 1))"
                              " (elem declare func 0) (func (type 2) ");
            for (uint32_t n = 0; n < height; n++)
                at += snprintf(text + at, sizeof text - (size_t)at, "i32.const 1 ");
            snprintf(text + at, sizeof text - (size_t)at, "%s (drop (f32.neg (i32.const 1)))))",
                     tails[i]);
            struct bytes b = assemble(text);
            starve(&b, CATNAP_INVALID);
            drop_bytes(&b);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prefix_has_an_answer),
        cmocka_unit_test(every_changed_byte_has_an_answer),
        cmocka_unit_test(features_that_are_off_are_told),
        cmocka_unit_test(exhausted_memory_is_reported),
        cmocka_unit_test(exhausted_memory_is_reported_where_the_stack_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
