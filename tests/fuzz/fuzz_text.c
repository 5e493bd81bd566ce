/*
 * libFuzzer target: any bytes as a module and as a script in the text format. Built with
 * -fsanitize=fuzzer,address,undefined; the corpus is tests/fuzz/corpus/text.
 *
 * Besides what the sanitizers see it holds that memory comes back, that every refusal has a place
 * and a reason, that names change nothing but the name section, and that what is made is decoded or
 * refused.
 */
#include <stdlib.h>
#include <string.h>

#include "binary/decode.h"
#include "text/text.h"
#include "types/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool condition) {
    if (!condition)
        abort();
}

static void check_answer(bool done, const struct text_error *error) {
    require(done == (error->status == CATNAP_OK));
    require(done || (error->message[0] && error->line > 0 && error->column > 0));
}

static void decode(struct alloc *alloc, const struct text_bytes *made) {
    struct type_registry registry;
    struct error error = {.status = CATNAP_OK};
    require(cn_types_init(&registry, alloc));
    cn_module_release(cn_module_decode(alloc, &registry, CATNAP_FEATURES_ALL, made->bytes,
                                       made->length, NULL, &error));
    cn_types_destroy(&registry);
}

static void check_module(struct alloc *alloc, const uint8_t *bytes, size_t size) {
    struct text_bytes with, without;
    struct text_error error, other;
    bool done = cn_text_module(alloc, bytes, size, TEXT_WITH_NAMES, &with, &error);
    check_answer(done, &error);
    require(cn_text_module(alloc, bytes, size, TEXT_WITHOUT_NAMES, &without, &other) == done);
    require(!done || (without.length <= with.length &&
                      memcmp(with.bytes, without.bytes, without.length) == 0));
    if (done)
        decode(alloc, &with);
    cn_text_bytes_free(alloc, &with);
    cn_text_bytes_free(alloc, &without);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct alloc alloc;
    struct text_bytes made;
    struct text_error error;
    cn_alloc_init_default(&alloc);
    check_module(&alloc, bytes, size);
    check_answer(cn_text_script(&alloc, "script", bytes, size, &made, &error), &error);
    cn_text_bytes_free(&alloc, &made);
    require(atomic_load(&alloc.now) == 0);
    return 0;
}
