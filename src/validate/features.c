/* The features that a module needs. */
#include "binary/stream.h"
#include "validate/validate.h"

static void keep_bytes(void *env, const uint8_t *bytes, size_t size) {
    (void)env;
    (void)bytes;
    (void)size;
}

bool cn_module_features(const struct module *module, catnap_features_t *used, struct error *error) {
    struct stream stream;
    bool whole;
    *used = 0;
    struct module *m = cn_module_new(module->alloc, module->registry, module->features,
                                     module->bytes, module->size, error);
    if (!m)
        return false;
    m->release = keep_bytes;
    m->used = used;
    cn_stream_init(&stream, m, NULL, error);
    bool done = cn_stream_finish(&stream, m->size, &whole) && cn_validate_declarations(m, error) &&
                cn_validate_bodies(m, error);
    cn_module_release(m);
    return done;
}
