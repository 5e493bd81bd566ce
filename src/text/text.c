/* Texts of modules. */
#include "text/text.h"

#include "text/assembly.h"

void cn_text_bytes_free(struct alloc *alloc, struct text_bytes *bytes) {
    cn_free(alloc, bytes->bytes, bytes->capacity);
    *bytes = (struct text_bytes){0};
}

/* ( module binary "..." ) of which ( module was taken and `binary` is next; $id may be before it.
 * */
static bool take_binary(struct lexer *l, struct encoder *out) {
    struct assembly a = {.l = *l};
    if (l->token.kind == TOKEN_ID && cn_token_is(&l->ahead, "binary"))
        cn_skip_id(&a);
    if (!cn_take_word(&a, "binary"))
        return false;
    cn_take_strings(&a, out);
    cn_expect_close(&a);
    *l = a.l;
    return true;
}

static void read_module(struct lexer *l, const struct instructions *instructions,
                        enum text_names with_names, struct encoder *out) {
    bool closed = l->token.kind == TOKEN_OPEN && cn_token_is(&l->ahead, "module");
    if (closed) {
        cn_lexer_next(l);
        cn_lexer_next(l);
    }
    if (!closed || !take_binary(l, out))
        cn_assemble(l, instructions, closed, with_names, out);
    if (l->token.kind != TOKEN_END)
        cn_text_unexpected(l, "the end of the text");
}

bool cn_text_module(struct alloc *alloc, const uint8_t *text, size_t length,
                    enum text_names with_names, struct text_bytes *bytes,
                    struct text_error *error) {
    struct encoder out = {.alloc = alloc, .limit = (size_t)LIMIT_MODULE_BYTES};
    struct instructions instructions;
    struct lexer l;
    *bytes = (struct text_bytes){0};
    cn_lexer_init(&l, alloc, text, length, error);
    if (!cn_instructions_init(&instructions, alloc)) {
        cn_text_no_memory(&l);
        return false;
    }
    read_module(&l, &instructions, with_names, &out);
    cn_instructions_free(&instructions);
    cn_text_locate(&l);
    if (l.failed)
        cn_encoder_free(&out);
    else
        *bytes = (struct text_bytes){out.bytes, out.length, out.capacity};
    return !l.failed;
}
