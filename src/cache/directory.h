/*
 * The cache of validated modules on disk: a directory with a file for each module.
 *
 * The directory must belong to the user and not be writable by others, and so must entries; symbolic
 * links are not followed. Guests may have been given the directory in another run, so each entry has
 * a seal: an extended attribute with a random secret and the hashes of the contents under that secret.
 * WASI has no call that reads or sets attributes. A guest can copy, rename and rewrite entries, but it
 * cannot make a seal fit. An entry is written under another name first and then renamed, so that
 * readers and other writers see all of it or nothing. A faulty entry is a miss.
 */
#ifndef CN_CACHE_DIRECTORY_H
#define CN_CACHE_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/error.h"

#define CACHE_KEY_BYTES 1024u /* longest key of an embedder's */

struct cache_directory {
    int fd;
    uint64_t limit; /* bytes of all entries */
    struct alloc *alloc;
};

struct cache_hash {
    uint64_t low, high; /* XXH3-128 */
};

/* The key of an entry: a mark or hash of the module's bytes, or an embedder's key. */
struct cache_key {
    struct cache_hash hash; /* of the bytes or some of them, or of the key */
    const uint8_t *key;     /* NULL: the bytes count */
    size_t key_size;
    uint64_t features; /* that were switched on when the module was validated */
};

/* By some of the bytes. */
struct cache_key cn_cache_key_of_bytes(const uint8_t *bytes, size_t size, uint64_t features);
/* By all of them, for when another module has that key. False when the key was for all already. */
bool cn_cache_key_widen(struct cache_key *, const uint8_t *bytes, size_t size);
struct cache_key cn_cache_key_of_key(const uint8_t *key, size_t size, uint64_t features);

/* Creates what is missing of the path, for the user alone. False and *error when the directory
 * cannot be had or cannot be trusted. */
bool cn_cache_directory_open(struct cache_directory *, const char *path, bool create,
                             struct error *);
void cn_cache_directory_close(struct cache_directory *);

enum cache_result { CACHE_HIT, CACHE_MISS, CACHE_DAMAGED };

#define CACHE_SECRET_BYTES 192u

/* The value of an entry's extended attribute. */
struct cache_seal {
    uint8_t secret[CACHE_SECRET_BYTES]; /* random, for this entry alone */
    struct cache_hash head, bytes; /* under the secret: of the head, and of the module's bytes */
};

/* An open entry with a head that fits its seal. */
struct cache_entry {
    int fd;
    uint64_t size;          /* of the module */
    struct cache_hash hash; /* of the bytes */
    int64_t used;           /* seconds of the Unix epoch */
    struct cache_seal seal;
};

/* The key's entry; the caller closes it after a hit. */
enum cache_result cn_cache_find(const struct cache_directory *, const struct cache_key *,
                                struct cache_entry *);
void cn_cache_close(struct cache_entry *);
/* Whether its module is these very bytes: a miss when it is another one's, and damaged when it should
 * be. */
enum cache_result cn_cache_compare(const struct cache_directory *, const struct cache_entry *,
                                   const uint8_t *bytes, size_t size);
/* A copy of the module's bytes, checked against the seal, for cn_cache_free(). NULL when they are
 * damaged or memory is exhausted. */
uint8_t *cn_cache_read(const struct cache_directory *, const struct cache_entry *);
void cn_cache_free(const struct cache_directory *, uint8_t *bytes, uint64_t size);
/* It was of use: it goes after those that were not. */
void cn_cache_note_use(const struct cache_entry *);

struct cache_content {
    const uint8_t *bytes;
    size_t size;
};
/* Adds or replaces an entry, and lets the ones longest unused go when there are too many. False when
 * that did not work, which is harmless. */
bool cn_cache_write(const struct cache_directory *, const struct cache_key *,
                    const struct cache_content *);

/* An entry as it is found when looking at all. */
struct cache_found {
    const char *name; /* of the file */
    uint64_t file_size;
    int64_t used; /* seconds of the Unix epoch */
    bool damaged; /* then what follows is not known */
    uint64_t features;
    char version[16];
    const uint8_t *key; /* NULL: the bytes count */
    size_t key_size;
    uint8_t *bytes; /* NULL: damaged */
    size_t size;
};
/* Calls back for each entry; its contents are checked, and in memory during the call. */
bool cn_cache_walk(const struct cache_directory *, void (*entry)(void *env, struct cache_found *),
                   void *env, struct error *);
bool cn_cache_remove(const struct cache_directory *, const char *name);
/* Removes all entries and what unfinished writers left; tells how many of the former. */
bool cn_cache_clear(const struct cache_directory *, uint64_t *removed, struct error *);

#endif
