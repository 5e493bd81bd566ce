/*
 * What decoding made of a module, as bytes that do not depend on where they lie: stored beside the
 * module, so that a hit decodes nothing. Trusted as the rest of an entry is: their checksum is looked
 * at, and no more.
 */
#ifndef CN_CACHE_TABLES_H
#define CN_CACHE_TABLES_H

#include "binary/module.h"

/* Of a module that was decoded and whose declarations were validated, and of which nothing is
 * translated. The size, and that many bytes. */
size_t cn_tables_size(const struct module *);
void cn_tables_save(const struct module *, uint8_t *tables);
/* Tells builds of the library apart whose structures differ. */
uint64_t cn_tables_layout(void);

/* Where tables come from; `read` fills them in and says whether they are whole. */
struct tables_source {
    size_t size;
    bool (*read)(void *env, uint8_t *tables);
    void *env;
};

/* The module that cn_module_decode() would make of these bytes. NULL when the tables are damaged or
 * memory is exhausted: *error is CATNAP_NO_MEMORY then. */
struct module *cn_tables_load(struct alloc *, struct type_registry *, catnap_features_t,
                              const uint8_t *bytes, size_t size, const struct tables_source *,
                              struct error *error);

#endif
