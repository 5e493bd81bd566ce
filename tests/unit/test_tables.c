/* What decoding made of a module, saved and loaded again. */
#include "loaded.h"

#include "cache/tables.h"

struct saved {
    uint8_t *tables;
    size_t size;
};

static bool read_saved(void *env, uint8_t *tables) {
    const struct saved *saved = env;
    memcpy(tables, saved->tables, saved->size);
    return true;
}

static bool read_nothing(void *env, uint8_t *tables) {
    (void)env;
    (void)tables;
    return false;
}

static struct saved save(const struct module *m) {
    struct saved saved = {malloc(cn_tables_size(m)), cn_tables_size(m)};
    assert_non_null(saved.tables);
    cn_tables_save(m, saved.tables);
    return saved;
}

static struct module *load_saved(struct loader *l, const struct bytes *b, struct saved *saved) {
    struct tables_source source = {saved->size, read_saved, saved};
    return cn_tables_load(&l->alloc, &l->registry, l->features, b->data, b->size, &source,
                          &l->error);
}

#define ASSERT_SAME(name, count)                                                                   \
    assert_memory_equal((const void *)a->name, (const void *)b->name,                              \
                        (size_t)(count) * sizeof *a->name)

static void assert_same(const struct module *a, const struct module *b) {
    assert_int_equal(a->type_count, b->type_count);
    assert_int_equal(a->func_count, b->func_count);
    assert_int_equal(a->imported_func_count, b->imported_func_count);
    assert_int_equal(a->start, b->start);
    assert_int_equal(a->code_bytes, b->code_bytes);
    assert_memory_equal(&a->module_name, &b->module_name, sizeof a->module_name);
    assert_memory_equal(&a->name_section, &b->name_section, sizeof a->name_section);
    ASSERT_SAME(types, a->type_count); /* the very same ones */
    ASSERT_SAME(imports, a->import_count);
    ASSERT_SAME(func_types, a->func_count);
    ASSERT_SAME(tables, a->table_count);
    ASSERT_SAME(memories, a->memory_count);
    ASSERT_SAME(globals, a->global_count);
    ASSERT_SAME(exports, a->export_count);
    ASSERT_SAME(elems, a->elem_count);
    ASSERT_SAME(datas, a->data_count);
    ASSERT_SAME(func_declared, a->func_count / 8 + 1);
    ASSERT_SAME(sections, a->section_count);
    ASSERT_SAME(bodies, a->func_count - a->imported_func_count);
}

static void modules_come_back(void **state) {
    (void)state;
    struct loaded s;
    open_sample(&s);
    struct saved saved = save(s.m);
    struct module *again = load_saved(&s.l, &s.b, &saved);
    assert_non_null(again);
    assert_same(s.m, again);
    assert_true(cn_validate_bodies(again, &s.l.error));
    cn_module_release(again);
    free(saved.tables);
    close_sample(&s);
}

static void damage_is_no_exhausted_memory(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    struct tables_source source = {100, read_nothing, NULL};
    assert_null(cn_tables_load(&l.alloc, &l.registry, l.features, NULL, 0, &source, &l.error));
    assert_int_not_equal(l.error.status, CATNAP_NO_MEMORY);
    loader_destroy(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(modules_come_back),
                                       cmocka_unit_test(damage_is_no_exhausted_memory)};
    return cmocka_run_group_tests_name("unit/tables", tests, NULL, NULL);
}
