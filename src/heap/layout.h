/*
 * Where the fields of structures and the elements of arrays lie in the heap. A layout follows from the defined type
 * alone, so that the translator can compute it without a heap.
 *
 *     structure   | type number | fields in the order of their declaration, each aligned to its size ... |
 *                 0             4                                      rounded up to a multiple of 8 bytes
 *     array       | type number | length | elements ... |
 *                 0             4        8       rounded up to a multiple of 8 bytes
 *
 * A subtype's fields begin with those of its supertype, so these lie at the same offsets in both. A v128 is aligned to
 * 8. References take 4 bytes: those of the any hierarchy are handles, all others numbers of the heap's side table.
 */
#ifndef CN_HEAP_LAYOUT_H
#define CN_HEAP_LAYOUT_H

#include "types/deftype.h"

#define HEAP_HEADER_BYTES OBJECT_HEADER
#define HEAP_LENGTH_OFFSET 4u
#define HEAP_ELEMENTS_OFFSET ARRAY_HEADER
#define HEAP_GRANULE 8u /* sizes are multiples of it, and objects are aligned to it */

/* How a field or element is stored. */
enum heap_storage {
    STORE_8,
    STORE_16,
    STORE_32,
    STORE_64,
    STORE_128,
    STORE_HANDLE, /* 4 bytes */
    STORE_SIDE    /* 4 bytes */
};

/* `field`: a value type or a packed type, with or without FIELD_MUTABLE. */
enum heap_storage cn_storage_of(uint32_t field);
/* The size in bytes is 1 << cn_storage_log2(). */
uint32_t cn_storage_log2(enum heap_storage);

struct heap_field {
    uint32_t offset;
    uint32_t type; /* as declared, with FIELD_MUTABLE */
};

/* The size of a structure in bytes, and where its fields lie (`fields` may be NULL), as the type says. */
uint32_t cn_layout_struct(const struct fieldtypes *, struct heap_field *fields);

/* Bytes of an array, whose elements take 1 << log2 bytes. No overflow: log2 is at most 4. */
static inline uint64_t cn_array_bytes(uint32_t log2, uint32_t length) {
    uint64_t bytes = HEAP_ELEMENTS_OFFSET + ((uint64_t)length << log2);
    return (bytes + HEAP_GRANULE - 1) & ~(uint64_t)(HEAP_GRANULE - 1);
}

#endif
