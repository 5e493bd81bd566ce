/* Validating bodies. */
#include "validate/validate.h"

#include "validate/fast.h"
#include "validate/validator.h"

#define FIRST_VALUES 256u
#define FIRST_BLOCKS 64u

struct validator *cn_make_validator(const struct module *m, struct error *error) {
    struct validator *v = cn_calloc(m->alloc, 1, sizeof *v);
    if (!v) {
        cn_fail_memory(error);
        return NULL;
    }
    v->alloc = m->alloc;
    v->m = m;
    v->d = (struct decoder){.base = m->bytes, .features = m->features, .error = error, .module = m};
    v->values = cn_calloc(v->alloc, FIRST_VALUES, sizeof *v->values);
    v->blocks = cn_calloc(v->alloc, FIRST_BLOCKS, sizeof *v->blocks);
    v->value_room = v->values ? FIRST_VALUES : 0;
    v->block_room = v->blocks ? FIRST_BLOCKS : 0;
    if (v->values && v->blocks)
        return v;
    cn_drop_validator(v);
    cn_fail_memory(error);
    return NULL;
}

void cn_drop_validator(struct validator *v) {
    cn_free(v->alloc, v->values, v->value_room * sizeof *v->values);
    cn_free(v->alloc, v->blocks, v->block_room * sizeof *v->blocks);
    cn_free(v->alloc, v->runs, v->run_room * sizeof *v->runs);
    cn_free(v->alloc, v->written, v->written_bytes);
    cn_free(v->alloc, v->writes, v->write_room * sizeof *v->writes);
    cn_free(v->alloc, v, sizeof *v);
}

void cn_start_body(struct validator *v, struct span body) {
    const uint8_t *start = v->m->bytes + body.offset;
    v->d.r = (struct reader){start, start + body.length};
    v->in.offset = body.offset;
    v->top = v->values;
    v->value_limit = (size_t)LIMIT_STACK_VALUES + body.length;
    v->value_end = v->value_room < v->value_limit ? v->value_room : v->value_limit;
    v->comparisons = LIMIT_COMPARISONS_OF_BODY + (uint64_t)body.length * LIMIT_COMPARISONS_OF_BYTE;
    v->block_count = 0;
    v->write_count = 0;
}

bool cn_enter_body(struct validator *v, uint32_t func, struct span body) {
    const struct module *m = v->m;
    cn_start_body(v, body);
    return cn_decode_locals(v, module_func_type(m, func)) &&
           cn_enter_block(v, BLOCK_FUNCTION, true, m->func_types[func]);
}

/* The instructions up to the end of the function's block, which must be the end of the body. */
static bool validate_code(struct validator *v) {
    do {
        if (!cn_validate_instruction(v))
            return false;
    } while (v->block_count > 0);
    return cn_decode_left(&v->d) == 0 ||
           cn_decode_fail(&v->d, "function body: %zu bytes after the final end",
                          cn_decode_left(&v->d));
}

bool cn_validate_with(struct validator *v, uint32_t func, struct span body) {
    if (cn_enter_body(v, func, body) && validate_code(v))
        return true;
    v->d.error->func = func;
    return false;
}

bool cn_validate_bodies(const struct module *m, struct error *error) {
    struct fast *fast = NULL; /* which notes no features */
    struct validator *v = cn_make_validator(m, error);
    if (!v)
        return false;
    bool valid = m->used || cn_fast_new(m, &fast) || cn_fail_memory(error);
    for (uint32_t func = m->imported_func_count; valid && func < m->func_count; func++) {
        struct span body = cn_module_body(m, func);
        valid =
            (fast && cn_fast_valid(fast, func, body, m->size)) || cn_validate_with(v, func, body);
    }
    cn_fast_drop(fast);
    cn_drop_validator(v);
    if (!valid)
        cn_prefer_malformed(m, error);
    return valid;
}

bool cn_validate_body(const struct module *m, uint32_t func, struct span body,
                      struct error *error) {
    struct validator *v = cn_make_validator(m, error);
    if (!v)
        return false;
    bool valid = cn_validate_with(v, func, body);
    cn_drop_validator(v);
    return valid;
}
