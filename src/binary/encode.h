/*
 * A buffer that grows, and writers of the forms that the binary format (section 5) and snapshots are
 * made of. An encoder that exhausts memory or exceeds its limit records that and ignores everything
 * written afterwards, so that the caller checks for failure once, at the end.
 */
#ifndef CN_BINARY_ENCODE_H
#define CN_BINARY_ENCODE_H

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "binary/module.h"
#include "binary/opcodes.h"

struct encoder {
    struct alloc *alloc;
    uint8_t *bytes;
    size_t length, capacity;
    size_t limit;            /* of `length`: LIMIT_MODULE_BYTES for a module, else SIZE_MAX */
    catnap_status_t failure; /* CATNAP_OK: none */
};

void cn_encoder_free(struct encoder *);
/* False, with the error, when something was not written. */
bool cn_encoder_check(const struct encoder *, struct error *);

/* Appends uninitialised bytes for the caller to fill; NULL after a failure. */
uint8_t *cn_encode_room(struct encoder *, size_t length);
void cn_encode_byte(struct encoder *, uint8_t);
void cn_encode_bytes(struct encoder *, const void *, size_t length);
/* LEB128 (section 5.2.2) in its shortest form. */
void cn_encode_u32(struct encoder *, uint32_t);
void cn_encode_u64(struct encoder *, uint64_t);
void cn_encode_s64(struct encoder *, int64_t); /* s32 and s33 have the same form */
void cn_encode_opcode(struct encoder *, enum opcode);
/* Little-endian. Inline: with a constant size the bytes are written by one store. */
static inline void cn_encode_fixed(struct encoder *e, uint64_t value, unsigned size) {
    uint8_t *at = cn_encode_room(e, size);
    if (at)
        cn_put_le(at, value, size);
}
/* A value type of one byte, or the heap type of ref.null. */
void cn_encode_valtype(struct encoder *, valtype);
void cn_encode_limits(struct encoder *, const struct limits *);
void cn_encode_memorytype(struct encoder *, const struct memorytype *); /* not a shared one */

/* For a LEB128 number that becomes known after the bytes behind it are written: keep() leaves room for
 * the longest form and returns its place; put() writes the number there and closes the gap. */
size_t cn_encode_keep(struct encoder *);
void cn_encode_put(struct encoder *, size_t place, uint32_t);
/* Puts the length of everything written since. */
void cn_encode_put_length(struct encoder *, size_t place);

#endif
