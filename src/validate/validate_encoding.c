/* Whether bodies decode, whatever they mean. Only modules that are known to be bad come here. */
#include "validate/validate.h"
#include "validate/validator.h"

/* Where blocks end, and which may have an else or a catch. */
static bool decode_nesting(struct validator *v) {
    uint32_t opcode = v->in.opcode, flags = cn_op_info[opcode].flags;
    struct block block = {.kind = opcode == OP_if_    ? BLOCK_IF
                                  : opcode == OP_try_ ? BLOCK_TRY
                                                      : BLOCK_PLAIN};
    if (flags & OPF_CLOSES) {
        block.kind = cn_block(v, 0)->kind;
        if (opcode != OP_end && !cn_turn_block(v, &block))
            return false;
        v->block_count--;
    }
    return !(flags & OPF_OPENS) || cn_push_block(v, block);
}

/* Indices of data segments need a data count section (section 5.5.16). */
static bool decode_data_index(struct validator *v) {
    enum immediate immediate = (enum immediate)cn_op_info[v->in.opcode].immediate;
    return (immediate != IMM_DATA && immediate != IMM_MEMORY_INIT) || cn_check_data_count(v);
}

static bool decode_body(struct validator *v, struct span body) {
    static const struct functype any_type;
    cn_start_body(v, body);
    if (!cn_decode_locals(v, &any_type) ||
        !cn_push_block(v, (struct block){.kind = BLOCK_FUNCTION}))
        return false;
    while (v->block_count > 0)
        if (!cn_decode_instruction(&v->d, &v->in) || !decode_data_index(v) || !decode_nesting(v))
            return false;
    return cn_decode_left(&v->d) == 0 ||
           cn_decode_fail(&v->d, "function body: %zu bytes after the final end",
                          cn_decode_left(&v->d));
}

/* Whether the body gave an error of more weight than that of what is invalid. */
static bool prefer(struct validator *v, uint32_t func, struct span body, struct error *error) {
    struct error found = {.status = CATNAP_OK};
    v->d.error = &found;
    if (decode_body(v, body) ||
        (found.status != CATNAP_MALFORMED && found.status != CATNAP_NO_MEMORY))
        return false;
    found.func = found.status == CATNAP_MALFORMED ? func : CN_NO_FUNC;
    *error = found;
    return true;
}

void cn_prefer_malformed(const struct module *m, struct error *error) {
    if (error->status != CATNAP_INVALID)
        return;
    struct validator *v = cn_make_validator(m, error);
    if (!v)
        return;
    for (uint32_t func = m->imported_func_count; func < m->func_count; func++)
        if (prefer(v, func, cn_module_body(m, func), error))
            break;
    cn_drop_validator(v);
}

void cn_prefer_malformed_body(const struct module *m, uint32_t func, struct span body,
                              struct error *error) {
    if (error->status != CATNAP_INVALID)
        return;
    struct validator *v = cn_make_validator(m, error);
    if (!v)
        return;
    prefer(v, func, body, error);
    cn_drop_validator(v);
}
