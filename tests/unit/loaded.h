/* The sample, loaded. */
#ifndef TESTS_LOADED_H
#define TESTS_LOADED_H

#include "load.h"
#include "sample.h"

struct loaded {
    struct loader l;
    struct bytes b;
    struct module *m;
};

static inline void open_sample(struct loaded *s) {
    loader_init(&s->l);
    s->b = sample_module();
    s->m = load_in_place(&s->l, s->b.data, s->b.size);
    if (!s->m)
        fail_msg("%s at %llu", s->l.error.message, (unsigned long long)s->l.error.offset);
}

/* Nothing may be left of it. */
static inline void close_sample(struct loaded *s) {
    cn_module_release(s->m);
    drop_bytes(&s->b);
    loader_destroy(&s->l);
}

#endif
