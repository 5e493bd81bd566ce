#include "heap/numbering.h"

#include <string.h>
#include <xxhash.h>

#include "base/assert.h"

#define LEAST_ROOM 8u /* numbers, a power of two */

void cn_numbering_init(struct numbering *n, struct alloc *alloc) {
    *n = (struct numbering){.alloc = alloc, .end = 1};
}

/* ---- Arrays ---- */

static void free_arrays(struct numbering *n) {
    cn_free(n->alloc, n->keys, n->room * sizeof *n->keys);
    cn_free(n->alloc, n->flags, n->room);
    cn_free(n->alloc, n->table, 2 * (size_t)n->room * sizeof *n->table);
}

void cn_numbering_destroy(struct numbering *n) {
    free_arrays(n);
    cn_numbering_init(n, n->alloc);
}

static uint32_t mask_of(const struct numbering *n) {
    return 2 * n->room - 1;
}

/* The numbering's address is the seed, so that a guest cannot know which keys collide. */
static uint32_t first_place(const struct numbering *n, uint64_t key) {
    return (uint32_t)XXH3_64bits_withSeed(&key, sizeof key, (uintptr_t)n) & mask_of(n);
}

static void insert(struct numbering *n, uint32_t number) {
    uint32_t i = first_place(n, n->keys[number]);
    while (n->table[i])
        i = (i + 1) & mask_of(n);
    n->table[i] = number;
}

/* Doubles the room. On failure nothing has changed. */
static bool enlarge(struct numbering *n) {
    struct numbering larger = *n;
    larger.room = n->room ? n->room * 2 : LEAST_ROOM;
    if (larger.room > LIMIT_NUMBERS)
        return false;
    larger.keys = cn_calloc(n->alloc, larger.room, sizeof *n->keys);
    larger.flags = cn_calloc(n->alloc, larger.room, 1);
    larger.table = cn_calloc(n->alloc, 2 * (size_t)larger.room, sizeof *n->table);
    if (!larger.keys || !larger.flags || !larger.table) {
        free_arrays(&larger);
        return false;
    }
    if (n->room) {
        memcpy(larger.keys, n->keys, n->room * sizeof *n->keys);
        memcpy(larger.flags, n->flags, n->room);
    }
    free_arrays(n);
    *n = larger;
    for (uint32_t number = 1; number < n->end; number++)
        if (n->flags[number] & NUMBER_USED)
            insert(n, number);
    return true;
}

/* ---- Keys ---- */

uint32_t cn_numbering_find(const struct numbering *n, uint64_t key) {
    if (!n->room)
        return 0;
    uint32_t i = first_place(n, key);
    while (n->table[i] && n->keys[n->table[i]] != key)
        i = (i + 1) & mask_of(n);
    return n->table[i];
}

static uint32_t take_number(struct numbering *n) {
    uint32_t number = n->free;
    if (number)
        n->free = (uint32_t)n->keys[number];
    else
        number = n->end++;
    n->count++;
    return number;
}

uint32_t cn_numbering_add(struct numbering *n, uint64_t key) {
    uint32_t number = cn_numbering_find(n, key);
    if (number)
        return number;
    if (!n->free && n->end >= n->room && !enlarge(n))
        return 0;
    number = take_number(n);
    n->changes++;
    n->keys[number] = key;
    n->flags[number] = NUMBER_USED;
    insert(n, number);
    return number;
}

/* Empties a place of the table. Each entry behind it that could stand there, by its first place, moves up. */
static void vacate(struct numbering *n, uint32_t hole) {
    uint32_t mask = mask_of(n), i = hole;
    for (;;) {
        i = (i + 1) & mask;
        if (!n->table[i])
            break;
        uint32_t first = first_place(n, n->keys[n->table[i]]);
        if (((i - first) & mask) >= ((i - hole) & mask)) {
            n->table[hole] = n->table[i];
            hole = i;
        }
    }
    n->table[hole] = 0;
}

void cn_numbering_remove(struct numbering *n, uint32_t number) {
    CN_ASSERT(cn_numbering_has(n, number));
    uint32_t i = first_place(n, n->keys[number]);
    while (n->table[i] != number)
        i = (i + 1) & mask_of(n);
    vacate(n, i);
    n->flags[number] = 0;
    n->keys[number] = n->free;
    n->free = number;
    n->count--;
    n->changes++;
}

bool cn_numbering_restore(struct numbering *n, const uint64_t *keys, uint32_t end) {
    CN_ASSERT(n->count == 0 && n->end == 1);
    while (n->room < end)
        if (!enlarge(n))
            return false;
    for (; n->end < end; n->end++) {
        uint32_t number = n->end;
        bool used = keys[number] != 0;
        n->keys[number] = used ? keys[number] : n->free;
        n->flags[number] = used ? NUMBER_USED : 0;
        n->count += used;
        if (used)
            insert(n, number);
        else
            n->free = number;
    }
    return true;
}

void cn_numbering_copy(const struct numbering *n, uint64_t *keys) {
    keys[0] = 0;
    for (uint32_t number = 1; number < n->end; number++)
        keys[number] = n->flags[number] & NUMBER_USED ? n->keys[number] : 0;
}

void cn_numbering_return(struct numbering *n, const uint64_t *keys, uint32_t end,
                         uint64_t changes) {
    CN_ASSERT(end <= n->room || end == 1);
    if (n->changes == changes)
        return;
    if (n->room) {
        memset(n->table, 0, 2 * (size_t)n->room * sizeof *n->table);
        memset(n->flags, 0, n->room);
    }
    n->end = 1;
    n->free = n->count = 0;
    bool restored = cn_numbering_restore(n, keys, end);
    CN_ASSERT(restored);
    (void)restored;
    n->changes = changes;
}
