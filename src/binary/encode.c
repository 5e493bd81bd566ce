#include "binary/encode.h"

#include <string.h>

#include "binary/walk.h"

#define LONGEST_U32 5u

void cn_encoder_free(struct encoder *e) {
    cn_free(e->alloc, e->bytes, e->capacity);
    e->bytes = NULL;
    e->length = e->capacity = 0;
}

bool cn_encoder_check(const struct encoder *e, struct error *error) {
    if (e->failure == CATNAP_LIMIT)
        return cn_fail(error, CATNAP_LIMIT,
                       "the module would be longer than the limit of %zu bytes", e->limit);
    return e->failure == CATNAP_OK ? true : cn_fail_memory(error);
}

uint8_t *cn_encode_room(struct encoder *e, size_t length) {
    void *bytes = e->bytes;
    if (e->failure != CATNAP_OK)
        return NULL;
    if (length > e->limit - e->length) {
        e->failure = CATNAP_LIMIT;
        return NULL;
    }
    if (!cn_grow(e->alloc, &bytes, &e->capacity, e->length + length, 1)) {
        e->failure = CATNAP_NO_MEMORY;
        return NULL;
    }
    e->bytes = bytes;
    e->length += length;
    return e->bytes + e->length - length;
}

void cn_encode_bytes(struct encoder *e, const void *bytes, size_t length) {
    uint8_t *at = cn_encode_room(e, length);
    if (at && length > 0)
        memcpy(at, bytes, length);
}

void cn_encode_byte(struct encoder *e, uint8_t byte) {
    cn_encode_bytes(e, &byte, 1);
}

static unsigned form_u32(uint32_t value, uint8_t form[LONGEST_U32]) {
    unsigned length = 0;
    for (; value >= 0x80; value >>= 7)
        form[length++] = (uint8_t)(value | 0x80);
    form[length++] = (uint8_t)value;
    return length;
}

void cn_encode_u32(struct encoder *e, uint32_t value) {
    uint8_t form[LONGEST_U32];
    cn_encode_bytes(e, form, form_u32(value, form));
}

void cn_encode_u64(struct encoder *e, uint64_t value) {
    for (; value >= 0x80; value >>= 7)
        cn_encode_byte(e, (uint8_t)(value | 0x80));
    cn_encode_byte(e, (uint8_t)value);
}

void cn_encode_opcode(struct encoder *e, enum opcode opcode) {
    struct opcode_prefix prefix = cn_prefix_of(opcode);
    if (!prefix.byte) {
        cn_encode_byte(e, (uint8_t)opcode);
        return;
    }
    cn_encode_byte(e, prefix.byte);
    cn_encode_u32(e, (uint32_t)opcode - prefix.first);
}

void cn_encode_s64(struct encoder *e, int64_t value) {
    const uint64_t sign = value < 0 ? ~(UINT64_MAX >> 7) : 0;
    uint64_t rest = (uint64_t)value;
    uint8_t form[10];
    unsigned length = 0;
    /* The last byte holds -64 to 63. */
    for (; rest + 64 >= 128; rest = rest >> 7 | sign)
        form[length++] = (uint8_t)(rest | 0x80);
    form[length++] = (uint8_t)(rest & 0x7F);
    cn_encode_bytes(e, form, length);
}

void cn_encode_valtype(struct encoder *e, valtype type) {
    CN_ASSERT(!(type & (VT_DEFINED | VT_NON_NULL)));
    cn_encode_byte(e, (uint8_t)type);
}

static void encode_limits(struct encoder *e, const struct limits *limits, uint8_t flags) {
    cn_encode_byte(e, limits_flags(limits) | flags);
    cn_encode_u64(e, limits->min);
    if (limits->has_max)
        cn_encode_u64(e, limits->max);
}

void cn_encode_limits(struct encoder *e, const struct limits *limits) {
    encode_limits(e, limits, 0);
}

void cn_encode_memorytype(struct encoder *e, const struct memorytype *type) {
    encode_limits(e, &type->limits, type->byte_pages ? LIMITS_PAGE_SIZE : 0);
    if (type->byte_pages)
        cn_encode_u32(e, cn_page_log2(type));
}

size_t cn_encode_keep(struct encoder *e) {
    cn_encode_room(e, LONGEST_U32);
    return e->length - (e->failure == CATNAP_OK ? LONGEST_U32 : 0);
}

void cn_encode_put(struct encoder *e, size_t place, uint32_t value) {
    uint8_t form[LONGEST_U32];
    if (e->failure != CATNAP_OK)
        return;
    unsigned length = form_u32(value, form);
    const uint8_t *rest = e->bytes + place + LONGEST_U32;
    memcpy(e->bytes + place, form, length);
    memmove(e->bytes + place + length, rest, e->length - place - LONGEST_U32);
    e->length -= LONGEST_U32 - length;
}

void cn_encode_put_length(struct encoder *e, size_t place) {
    cn_encode_put(e, place, (uint32_t)(e->length - place - LONGEST_U32));
}
