/* Modules of long br_tables, across every place where work is cut into pieces: the outcome is the same
 * whatever the number of threads, and however the bytes arrive. */
#include "load.h"

#define FUNCTIONS 24u

/*
 * Functions () -> () whose tables end at different distances, from 16 to 56 KB, behind the beginning of
 * their code; in that of number `bad` an i64 goes into a global of type i32 behind the table. Among nops that
 * would stay unseen, were the instructions there taken for longer ones.
 */
static struct bytes module_of_tables(uint32_t bad) {
    struct module_builder m = {0};
    uint32_t type = add_type(&m, "", "");
    add_memory(&m, 1, NO_MAX);
    ADD_GLOBAL(&m, I32, 1, I32_CONST, 0, END);
    for (uint32_t i = 0; i < FUNCTIONS; i++) {
        uint32_t labels = i % 2 ? i * 7919 % 40000 : 12541 + i * 70;
        struct bytes f = {0};
        PUT(&f, 0);
        for (uint32_t k = 0; k < 2000; k++)
            PUT(&f, BLOCK, EMPTY);
        PUT(&f, I32_CONST, 0, BR_TABLE);
        put_u(&f, labels);
        for (uint32_t k = 0; k <= labels; k++)
            put(&f, (uint8_t)(k % 100));
        PUT(&f, END, NOP, i == bad ? I64_CONST : I32_CONST, 0, GLOBAL_SET, 0);
        for (uint32_t k = 0; k < 4000; k++)
            put(&f, NOP);
        for (uint32_t k = 0; k < 2000; k++)
            put(&f, END);
        add_func(&m, NULL, type, &f);
    }
    return finish(&m);
}

static wasm_module_t *load_in_pieces(wasm_store_t *store, const struct bytes *b, size_t piece,
                                     catnap_error_t **error) {
    catnap_builder_t *builder = catnap_builder_new(catnap_store_engine(store), NULL, error);
    assert_non_null(builder);
    for (size_t at = 0; at < b->size; at += piece) {
        size_t left = b->size - at;
        *error = catnap_builder_write(builder, b->data + at, left < piece ? left : piece);
        if (*error) {
            catnap_builder_delete(builder);
            return NULL;
        }
    }
    return catnap_builder_finish(builder, store, error);
}

/* piece: 0 to load all at once. */
static void expect_outcome(const struct bytes *b, uint32_t threads, size_t piece, uint32_t bad) {
    wasm_engine_t *engine = new_engine(&(struct engine_form){.threads = threads});
    wasm_store_t *store = wasm_store_new(engine);
    catnap_error_t *error = NULL;
    wasm_module_t *module = piece ? load_in_pieces(store, b, piece, &error)
                                  : catnap_module_new(store, b->data, b->size, NULL, &error);
    if (bad == UINT32_MAX) {
        assert_null(error);
        assert_non_null(module);
    } else {
        assert_null(module);
        assert_int_equal(catnap_error_status(error), CATNAP_INVALID);
        assert_int_equal(catnap_error_function(error), bad);
        assert_non_null(strstr(catnap_error_message(error), "global.set expects i32, found i64"));
    }
    catnap_error_delete(error);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

static void tables_fare_the_same(void **state) {
    static const size_t pieces[] = {0, 1000, 4099, 32768, 100003};
    static const uint32_t bads[] = {0, 1, 11, FUNCTIONS - 1, UINT32_MAX};
    (void)state;
    for (size_t i = 0; i < COUNT(bads); i++) {
        struct bytes b = module_of_tables(bads[i]);
        for (uint32_t threads = 1; threads <= 3; threads++)
            for (size_t k = 0; k < COUNT(pieces); k++)
                expect_outcome(&b, threads, pieces[k], bads[i]);
        drop_bytes(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_fare_the_same),
    };
    return cmocka_run_group_tests_name("load/tables", tests, NULL, NULL);
}
