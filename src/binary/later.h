/*
 * Encodings that later versions of WebAssembly and proposals use, which this version does not know. A
 * module that stops at one is rarely broken: the error names the feature. Knowing one takes its row
 * out of the table.
 */
#ifndef CN_BINARY_LATER_H
#define CN_BINARY_LATER_H

#include "binary/decode.h"

/* Where in the binary format a code stands. */
enum code_place {
    PLACE_SECTION,       /* a section's id */
    PLACE_TYPE_FORM,     /* the byte that a type begins with */
    PLACE_VALUE_TYPE,    /* the byte that a value type or a heap type begins with */
    PLACE_MEMORY_LIMITS, /* flags */
    PLACE_TABLE_LIMITS,
    PLACE_IMPORT_KIND,
    PLACE_EXPORT_KIND,
    PLACE_OPCODE,    /* of one byte, or a prefix that is not known */
    PLACE_OPCODE_FB, /* the number behind the prefix 0xFB */
    PLACE_OPCODE_FC, /* and so on */
    PLACE_OPCODE_FD,
    PLACE_OPCODE_FE
};

/* The feature that gives a code its meaning there, or NULL. */
const char *cn_later_feature(enum code_place, uint32_t code);

/*
 * Fails because of an unknown code at `offset`, which the format describes: with CATNAP_UNSUPPORTED and
 * the feature's name where there is one, else with CATNAP_MALFORMED and `wrong` before the description.
 */
bool cn_decode_unknown(struct decoder *, uint32_t offset, enum code_place, uint32_t code,
                       const char *wrong, const char *format, ...)
    __attribute__((format(printf, 6, 7), cold));

/* Fails with CATNAP_UNSUPPORTED because `what`, which decodes, belongs to `feature`. */
bool cn_fail_later(struct error *, uint64_t offset, const char *what, const char *feature)
    __attribute__((cold));

#endif
