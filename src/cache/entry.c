/* The contents of an entry, see entry.h. */
#include "cache/entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

struct cache_hash cn_entry_hash(const uint8_t *bytes, size_t size) {
    XXH128_hash_t hash = XXH3_128bits(bytes, size);
    return (struct cache_hash){hash.low64, hash.high64};
}

static bool is_same(struct cache_hash a, struct cache_hash b) {
    return a.low == b.low && a.high == b.high;
}

#define SAMPLES 16u
#define SAMPLE_BYTES 1024u

struct cache_hash cn_entry_mark(const uint8_t *bytes, size_t size) {
    uint8_t samples[SAMPLES * SAMPLE_BYTES + sizeof(uint64_t)];
    uint64_t number = size;
    if (size <= SAMPLES * SAMPLE_BYTES)
        return cn_entry_hash(bytes, size);
    size_t step = (size - SAMPLE_BYTES) / (SAMPLES - 1);
    for (size_t i = 0; i < SAMPLES; i++)
        memcpy(samples + i * SAMPLE_BYTES, bytes + i * step, SAMPLE_BYTES);
    memcpy(samples + SAMPLES * SAMPLE_BYTES, &number, sizeof number);
    return cn_entry_hash(samples, sizeof samples);
}

struct cache_key cn_cache_key_of_bytes(const uint8_t *bytes, size_t size, uint64_t features) {
    return (struct cache_key){.hash = cn_entry_mark(bytes, size), .features = features};
}

bool cn_cache_key_widen(struct cache_key *key, const uint8_t *bytes, size_t size) {
    struct cache_hash hash = cn_entry_hash(bytes, size);
    if (key->key || is_same(hash, key->hash))
        return false;
    key->hash = hash;
    return true;
}

struct cache_key cn_cache_key_of_key(const uint8_t *key, size_t size, uint64_t features) {
    return (struct cache_key){
        .hash = cn_entry_hash(key, size), .key = key, .key_size = size, .features = features};
}

/* ---- Names ---- */

void cn_entry_name(const struct cache_key *key, char name[ENTRY_NAME]) {
    snprintf(name, ENTRY_NAME, "%c%016" PRIx64 "%016" PRIx64 "-%" PRIx64, key->key ? 'k' : 'm',
             key->hash.high, key->hash.low, key->features);
}

bool cn_entry_is_name(const char *name) {
    static const char digits[] = "0123456789abcdef";
    if ((name[0] != 'm' && name[0] != 'k') || strspn(name + 1, digits) != 32 || name[33] != '-')
        return false;
    size_t rest = strspn(name + 34, digits);
    return rest > 0 && rest <= 16 && name[34 + rest] == '\0';
}

bool cn_entry_is_unfinished(const char *name) {
    return strncmp(name, "new-", 4) == 0;
}

/* ---- The seal ---- */

static_assert(CACHE_SECRET_BYTES >= XXH3_SECRET_SIZE_MIN, "XXH3 takes such secrets");

static struct cache_hash hash_under(const struct cache_seal *seal, const uint8_t *bytes,
                                    size_t size) {
    XXH128_hash_t hash = XXH3_128bits_withSecret(bytes, size, seal->secret, sizeof seal->secret);
    return (struct cache_hash){hash.low64, hash.high64};
}

void cn_entry_seal(struct cache_seal *seal, const uint8_t *head,
                   const struct cache_content *content) {
    seal->head = hash_under(seal, head, ENTRY_BYTES_AT);
    seal->bytes = hash_under(seal, content->bytes, content->size);
}

bool cn_entry_seals_head(const struct cache_seal *seal, const uint8_t *head) {
    return is_same(seal->head, hash_under(seal, head, ENTRY_BYTES_AT));
}

bool cn_entry_seals_bytes(const struct cache_seal *seal, const uint8_t *bytes, size_t size) {
    return is_same(seal->bytes, hash_under(seal, bytes, size));
}

/* ---- The head ---- */

void cn_entry_fill(uint8_t *head, const struct cache_key *key,
                   const struct cache_content *content) {
    struct entry_header header = {
        .format = ENTRY_FORMAT,
        .key_size = (uint32_t)key->key_size,
        .version = CATNAP_VERSION,
        .features = key->features,
        .size = content->size,
        .hash = cn_entry_hash(content->bytes, content->size),
        .mark = cn_entry_mark(content->bytes, content->size),
    };
    memcpy(header.magic, ENTRY_MAGIC, sizeof header.magic);
    memset(head, 0, ENTRY_BYTES_AT);
    if (key->key_size > 0)
        memcpy(head + sizeof header, key->key, key->key_size);
    memcpy(head, &header, sizeof header);
}

bool cn_entry_check(const uint8_t *head, uint64_t file_size, struct entry_header *out) {
    static const char version[sizeof out->version] = CATNAP_VERSION;
    memcpy(out, head, sizeof *out);
    return memcmp(out->magic, ENTRY_MAGIC, sizeof out->magic) == 0 && out->format == ENTRY_FORMAT &&
           memcmp(out->version, version, sizeof version) == 0 && out->key_size <= CACHE_KEY_BYTES &&
           out->size == file_size - ENTRY_BYTES_AT;
}

bool cn_entry_is_for(const uint8_t *head, const struct entry_header *header,
                     const struct cache_key *key) {
    if (header->features != key->features || header->key_size != key->key_size)
        return false;
    if (key->key)
        return memcmp(cn_entry_key(head), key->key, key->key_size) == 0;
    return is_same(header->mark, key->hash) || is_same(header->hash, key->hash);
}
