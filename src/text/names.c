#include "text/names.h"

#include <string.h>
#include <xxhash.h>

#define FIRST_BUCKETS 64u

void cn_names_init(struct names *names, struct alloc *alloc) {
    *names = (struct names){.alloc = alloc};
}

void cn_names_free(struct names *names) {
    cn_free(names->alloc, names->items, names->capacity * sizeof *names->items);
    cn_free(names->alloc, names->buckets, names->bucket_count * sizeof *names->buckets);
    cn_names_init(names, names->alloc);
}

/* The table's address is the seed. */
static uint32_t hash_of(const struct names *names, const uint8_t *bytes, size_t length) {
    return (uint32_t)XXH3_64bits_withSeed(bytes, length, (uintptr_t)names);
}

static uint32_t find(const struct names *names, uint32_t hash, const uint8_t *bytes,
                     size_t length) {
    if (names->bucket_count == 0)
        return NO_NAME;
    uint32_t at = names->buckets[hash & (names->bucket_count - 1)];
    for (; at != NO_NAME; at = names->items[at].next) {
        const struct name *name = &names->items[at];
        if (name->hash == hash && name->length == length &&
            (length == 0 || memcmp(name->bytes, bytes, length) == 0))
            break;
    }
    return at;
}

uint32_t cn_names_find(const struct names *names, const uint8_t *bytes, size_t length) {
    return find(names, hash_of(names, bytes, length), bytes, length);
}

static bool more_buckets(struct names *names) {
    size_t count = names->bucket_count ? names->bucket_count * 2 : FIRST_BUCKETS;
    uint32_t *buckets = cn_calloc(names->alloc, count, sizeof *buckets);
    if (!buckets)
        return false;
    memset(buckets, 0xFF, count * sizeof *buckets);
    cn_free(names->alloc, names->buckets, names->bucket_count * sizeof *buckets);
    names->buckets = buckets;
    names->bucket_count = count;
    for (uint32_t i = 0; i < names->count; i++) {
        uint32_t *bucket = &buckets[names->items[i].hash & (count - 1)];
        names->items[i].next = *bucket;
        *bucket = i;
    }
    return true;
}

uint32_t cn_names_add(struct names *names, const uint8_t *bytes, size_t length) {
    uint32_t hash = hash_of(names, bytes, length), found = find(names, hash, bytes, length);
    void *items = names->items;
    if (found != NO_NAME)
        return found;
    if (names->count >= names->bucket_count && !more_buckets(names))
        return NO_NAME;
    if (names->count >= NO_NAME ||
        !cn_grow(names->alloc, &items, &names->capacity, names->count + 1, sizeof *names->items))
        return NO_NAME;
    names->items = items;
    uint32_t *bucket = &names->buckets[hash & (names->bucket_count - 1)];
    uint32_t index = (uint32_t)names->count++;
    names->items[index] = (struct name){bytes, length, hash, *bucket};
    *bucket = index;
    return index;
}
