#include "runtime/profile.h"

#include <string.h>

#include "base/assert.h"

#define FIRST_CAPACITY 1024

struct profile *cn_profile_new(struct alloc *alloc) {
    struct profile *profile = cn_calloc(alloc, 1, sizeof *profile);
    if (!profile)
        return NULL;
    profile->entries = cn_calloc(alloc, FIRST_CAPACITY, sizeof *profile->entries);
    profile->capacity = FIRST_CAPACITY;
    if (!profile->entries) {
        cn_free(alloc, profile, sizeof *profile);
        return NULL;
    }
    return profile;
}

void cn_profile_delete(struct profile *profile, struct alloc *alloc) {
    if (!profile)
        return;
    cn_free(alloc, profile->entries, profile->capacity * sizeof *profile->entries);
    cn_free(alloc, profile, sizeof *profile);
}

/* The entry of a pair, or the unused one that is to become it. */
static struct profile_entry *find(struct profile_entry *entries, size_t capacity, uint16_t previous,
                                  uint16_t bytecode) {
    uint32_t hash = ((uint32_t)previous << 16 | bytecode) * UINT32_C(0x9E3779B1);
    size_t at = (hash ^ hash >> 15) & (capacity - 1);
    while (entries[at].bytecode != 0 &&
           (entries[at].previous != previous || entries[at].bytecode != bytecode))
        at = (at + 1) & (capacity - 1);
    return &entries[at];
}

static bool double_capacity(struct profile *profile, struct alloc *alloc) {
    size_t capacity = 2 * profile->capacity;
    struct profile_entry *entries = cn_calloc(alloc, capacity, sizeof *entries);
    if (!entries)
        return false;
    for (size_t i = 0; i < profile->capacity; i++) {
        const struct profile_entry *entry = &profile->entries[i];
        if (entry->bytecode != 0)
            *find(entries, capacity, entry->previous, entry->bytecode) = *entry;
    }
    cn_free(alloc, profile->entries, profile->capacity * sizeof *entries);
    profile->entries = entries;
    profile->capacity = capacity;
    return true;
}

static void count(struct profile *profile, uint16_t previous, uint16_t bytecode) {
    struct profile_entry *entry = find(profile->entries, profile->capacity, previous, bytecode);
    if (entry->bytecode == 0) {
        entry->previous = previous;
        entry->bytecode = bytecode;
        profile->used++;
    }
    entry->count++;
}

bool cn_profile_count(struct profile *profile, struct alloc *alloc, uint16_t bytecode) {
    CN_ASSERT(bytecode != 0);
    /* Room for two entries, with half of the table unused so that searches are short. */
    if (2 * (profile->used + 2) > profile->capacity && !double_capacity(profile, alloc))
        return false;
    count(profile, 0, bytecode);
    if (profile->latest)
        count(profile, profile->latest, bytecode);
    profile->latest = bytecode;
    return true;
}
