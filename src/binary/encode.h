/*
 * Writing the binary format (section 5) into a buffer that grows. An encoder that ran out of memory,
 * or beyond what a module may be long, notes it and drops what follows: whoever writes asks once.
 */
#ifndef CN_PERSIST_ENCODE_H
#define CN_PERSIST_ENCODE_H

#include "base/alloc.h"
#include "base/error.h"
#include "binary/module.h"

struct encoder {
    struct alloc *alloc;
    uint8_t *bytes;
    size_t length, capacity;
    catnap_status_t failure; /* CATNAP_OK: none */
};

void cn_encoder_free(struct encoder *);
/* Whether all is there. */
bool cn_encoder_check(const struct encoder *, struct error *);

void cn_encode_byte(struct encoder *, uint8_t);
void cn_encode_bytes(struct encoder *, const void *, size_t length);
/* LEB128 (section 5.2.2), as short as it gets. */
void cn_encode_u32(struct encoder *, uint32_t);
void cn_encode_s64(struct encoder *, int64_t); /* s32 and s33 have the same form */
/* Little-endian. */
void cn_encode_fixed(struct encoder *, uint64_t, unsigned bytes);
void cn_encode_limits(struct encoder *, const struct limits *);

/* A number that is known only when what follows it is written: keep() returns the place, put() puts
 * the number there, moving what follows to where it belongs. */
size_t cn_encode_keep(struct encoder *);
void cn_encode_put(struct encoder *, size_t place, uint32_t);
/* The same for the length of what follows. */
void cn_encode_put_length(struct encoder *, size_t place);

#endif
