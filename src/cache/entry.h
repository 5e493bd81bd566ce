/*
 * The file of an entry: a header of fixed size, the key if there is one, zeros, and from ENTRY_BYTES_AT
 * on the module's bytes. All that an entry says is that the bodies of this module are valid. Numbers are
 * in the machine's order: a cache does not move between machines, and one that did would not be of this
 * version.
 */
#ifndef CN_CACHE_ENTRY_H
#define CN_CACHE_ENTRY_H

#include <assert.h>

#include "cache/directory.h"

#define ENTRY_MAGIC "\0catnapV"
#define ENTRY_FORMAT 6u
#define ENTRY_BYTES_AT 4096u
#define ENTRY_SMALLEST ENTRY_BYTES_AT
#define ENTRY_SEAL "user.catnap" /* the extended attribute that holds a struct cache_seal */

struct entry_header {
    char magic[8];
    uint32_t format;
    uint32_t key_size; /* 0: by the bytes */
    char version[16];  /* of the library: what another validator accepted is validated again */
    uint64_t features;
    uint64_t size;          /* of the module */
    struct cache_hash hash; /* of its bytes */
    struct cache_hash mark; /* likewise, see cn_entry_mark() */
};

static_assert(sizeof(struct entry_header) + CACHE_KEY_BYTES <= ENTRY_BYTES_AT, "the head has room");

/* Room for "m" or "k", the hash, "-", and the features. */
#define ENTRY_NAME 64

void cn_entry_name(const struct cache_key *, char name[ENTRY_NAME]);
/* Whether a file of that name is an entry's, or one that was being written. */
bool cn_entry_is_name(const char *name);
bool cn_entry_is_unfinished(const char *name);

struct cache_hash cn_entry_hash(const uint8_t *bytes, size_t size);
/* Of the size and some of the bytes, all of them where there are few: modules that it cannot tell apart
 * are rare, and those it can are found without reading all. */
struct cache_hash cn_entry_mark(const uint8_t *bytes, size_t size);
/* The head of an entry, ENTRY_BYTES_AT bytes. */
void cn_entry_fill(uint8_t *head, const struct cache_key *, const struct cache_content *);
/* Fills in the hashes of an entry under the seal's secret. */
void cn_entry_seal(struct cache_seal *, const uint8_t *head, const struct cache_content *);
/* Whether a head, ENTRY_BYTES_AT bytes, or a module's bytes are those that were sealed. */
bool cn_entry_seals_head(const struct cache_seal *, const uint8_t *head);
bool cn_entry_seals_bytes(const struct cache_seal *, const uint8_t *bytes, size_t size);
/* Whether a head that fits its seal is of this version, in a file of that size. */
bool cn_entry_check(const uint8_t *head, uint64_t file_size, struct entry_header *out);
/* Whether it is the key's. */
bool cn_entry_is_for(const uint8_t *head, const struct entry_header *, const struct cache_key *);
static inline const uint8_t *cn_entry_key(const uint8_t *head) {
    return head + sizeof(struct entry_header);
}

#endif
