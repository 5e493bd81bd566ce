/*
 * A table of different strings of bytes, numbered in the order in which they came. Hashes have a
 * seed, so that a text cannot know which of its names collide.
 */
#ifndef CN_TEXT_NAMES_H
#define CN_TEXT_NAMES_H

#include "base/alloc.h"

#define NO_NAME UINT32_MAX

struct name {
    const uint8_t *bytes;
    size_t length;
    uint32_t hash, next; /* in the same bucket */
};

struct names {
    struct alloc *alloc;
    struct name *items;
    size_t count, capacity;
    uint32_t *buckets;
    size_t bucket_count; /* a power of two, or 0 */
};

void cn_names_init(struct names *, struct alloc *);
void cn_names_free(struct names *);
/* The number of a name, or NO_NAME. */
uint32_t cn_names_find(const struct names *, const uint8_t *bytes, size_t length);
/* The number of a name that is added if it is new, in which case the bytes must stay where they
 * are; NO_NAME when memory is exhausted. */
uint32_t cn_names_add(struct names *, const uint8_t *bytes, size_t length);

#endif
