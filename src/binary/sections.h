/* The state and the functions that the files of the section decoder share. Each section of the binary
 * format (section 5.5) has a function, called with s->d.r spanning the section's content. */
#ifndef CN_BINARY_SECTIONS_H
#define CN_BINARY_SECTIONS_H

#include "binary/decode.h"

struct sections {
    struct decoder d;
    struct module *m;
    /* Room in the module's arrays of types and of what can be both imported and defined. */
    size_t type_room, func_room, table_room, memory_room, global_room, tag_room, import_room;
    const struct body_watcher *watcher; /* or NULL */
    uint32_t next_body;                 /* the first function whose body was not found yet */
    bool has_code;
    uint32_t segment_count; /* of the data section, 0 without one */
};

bool cn_decode_type_section(struct sections *);
bool cn_decode_import_section(struct sections *);
bool cn_decode_function_section(struct sections *);
bool cn_decode_table_section(struct sections *);
bool cn_decode_memory_section(struct sections *);
bool cn_decode_tag_section(struct sections *);
bool cn_decode_global_section(struct sections *);
bool cn_decode_export_section(struct sections *);
bool cn_decode_start_section(struct sections *);
bool cn_decode_element_section(struct sections *);
bool cn_decode_data_count_section(struct sections *);
bool cn_decode_code_section(struct sections *);
/* The same in parts: what comes before the bodies, one body after another, the end. */
bool cn_decode_code_start(struct sections *);
bool cn_decode_next_body(struct sections *);
bool cn_decode_data_section(struct sections *);

/* decode.c: the steps of decoding a module, which stream.c takes one at a time. */
bool cn_decode_preamble(struct decoder *);
/* Reads the header of the next section, checks its place in the order, and narrows the reader to its
 * content. */
bool cn_decode_section_header(struct sections *, struct section *, uint8_t *place);
bool cn_decode_section_content(struct sections *, struct section *);
/* Whether the content ends where the section does. */
bool cn_decode_section_end(struct sections *, const struct section *);
/* Checks that counts in different sections agree, and that no section is missing that another one needs. */
bool cn_decode_agreement(struct sections *);
/* A module that nothing is decoded of. NULL and *error when memory is exhausted. */
struct module *cn_module_new(struct alloc *, struct type_registry *, catnap_features_t,
                             const uint8_t *bytes, size_t size, struct error *);

/* A zeroed array in the module's arena; NULL and the error set when memory is exhausted. */
void *cn_section_array(struct sections *, uint32_t count, size_t size);

/* names.c: whether the content of a name section has its outer form; fills module->module_name. */
bool cn_scan_name_section(struct module *, struct span content);

#endif
