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

struct cache_key cn_cache_key_of_bytes(const uint8_t *bytes, size_t size, uint64_t features) {
    return (struct cache_key){.hash = cn_entry_hash(bytes, size), .features = features};
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

/* ---- The head ---- */

static uint64_t checksum(const uint8_t *head, uint32_t key_size) {
    XXH64_hash_t before = XXH3_64bits(head, offsetof(struct entry_header, checksum));
    return XXH3_64bits_withSeed(cn_entry_key(head), key_size, before);
}

void cn_entry_fill(uint8_t *head, const struct cache_key *key, const uint8_t *bytes, size_t size) {
    struct entry_header header = {
        .format = ENTRY_FORMAT,
        .key_size = (uint32_t)key->key_size,
        .version = CATNAP_VERSION,
        .features = key->features,
        .size = size,
        .hash = key->key ? cn_entry_hash(bytes, size) : key->hash,
    };
    memcpy(header.magic, ENTRY_MAGIC, sizeof header.magic);
    memset(head, 0, ENTRY_BYTES_AT);
    if (key->key_size > 0)
        memcpy(head + sizeof header, key->key, key->key_size);
    memcpy(head, &header, sizeof header);
    header.checksum = checksum(head, header.key_size);
    memcpy(head, &header, sizeof header);
}

bool cn_entry_check(const uint8_t *head, uint64_t file_size, struct entry_header *out) {
    static const char version[sizeof out->version] = CATNAP_VERSION;
    memcpy(out, head, sizeof *out);
    return memcmp(out->magic, ENTRY_MAGIC, sizeof out->magic) == 0 && out->format == ENTRY_FORMAT &&
           memcmp(out->version, version, sizeof version) == 0 && out->key_size <= CACHE_KEY_BYTES &&
           out->size == file_size - ENTRY_BYTES_AT &&
           out->checksum == checksum(head, out->key_size);
}

bool cn_entry_is_for(const uint8_t *head, const struct entry_header *header,
                     const struct cache_key *key) {
    if (header->features != key->features || header->key_size != key->key_size)
        return false;
    if (key->key)
        return memcmp(cn_entry_key(head), key->key, key->key_size) == 0;
    return header->hash.low == key->hash.low && header->hash.high == key->hash.high;
}
