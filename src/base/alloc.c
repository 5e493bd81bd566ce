#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static void *default_realloc(void *env, void *pointer, size_t old_size, size_t new_size) {
    (void)env;
    (void)old_size;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    return realloc(pointer, new_size);
}

void cn_alloc_init_default(struct alloc *alloc) {
    *alloc = (struct alloc){.realloc = default_realloc, .limit = UINT64_MAX};
}

/* The address of all allocations of no bytes: they cannot fail and need no freeing. */
static char nothing[16] __attribute__((aligned(16)));

static void give(struct alloc *alloc, size_t bytes) {
    atomic_fetch_sub_explicit(&alloc->now, bytes, memory_order_relaxed);
}

/* Counts bytes that are about to be allocated, and returns how many are held then; 0: they would be
 * beyond the limit. */
static uint64_t take(struct alloc *alloc, size_t bytes) {
    uint64_t now = atomic_fetch_add_explicit(&alloc->now, bytes, memory_order_relaxed) + bytes;
    if (now >= bytes && now <= alloc->limit)
        return now;
    give(alloc, bytes);
    return 0;
}

static void note_peak(struct alloc *alloc, uint64_t now) {
    uint64_t peak = atomic_load_explicit(&alloc->peak, memory_order_relaxed);
    while (now > peak &&
           !atomic_compare_exchange_weak_explicit(&alloc->peak, &peak, now, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

void *cn_alloc(struct alloc *alloc, size_t size) {
    if (size == 0)
        return nothing;
    uint64_t now = take(alloc, size);
    void *pointer = now ? alloc->realloc(alloc->env, NULL, 0, size) : NULL;
    if (pointer)
        note_peak(alloc, now);
    else if (now)
        give(alloc, size);
    return pointer;
}

void *cn_calloc(struct alloc *alloc, size_t items, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(items, size, &bytes))
        return NULL;
    void *pointer = cn_alloc(alloc, bytes);
    if (pointer && bytes)
        memset(pointer, 0, bytes);
    return pointer;
}

void *cn_realloc(struct alloc *alloc, void *pointer, size_t old_size, size_t new_size) {
    if (!pointer || old_size == 0)
        return cn_alloc(alloc, new_size);
    if (new_size == 0) {
        cn_free(alloc, pointer, old_size);
        return nothing;
    }
    if (new_size <= old_size) {
        void *smaller = alloc->realloc(alloc->env, pointer, old_size, new_size);
        if (smaller)
            give(alloc, old_size - new_size);
        return smaller;
    }
    uint64_t now = take(alloc, new_size - old_size);
    void *moved = now ? alloc->realloc(alloc->env, pointer, old_size, new_size) : NULL;
    if (moved)
        note_peak(alloc, now);
    else if (now)
        give(alloc, new_size - old_size);
    return moved;
}

void cn_free(struct alloc *alloc, void *pointer, size_t size) {
    if (!pointer || size == 0)
        return;
    alloc->realloc(alloc->env, pointer, size, 0);
    give(alloc, size);
}

bool cn_grow(struct alloc *alloc, void **items, size_t *capacity, size_t need, size_t item_size) {
    if (need <= *capacity)
        return true;
    size_t wanted, bytes;
    if (__builtin_add_overflow(*capacity, *capacity / 2, &wanted) || wanted < need)
        wanted = need;
    if (wanted < 8)
        wanted = 8;
    if (__builtin_mul_overflow(wanted, item_size, &bytes))
        return false;
    void *moved = cn_realloc(alloc, *items, *capacity * item_size, bytes);
    if (!moved)
        return false;
    *items = moved;
    *capacity = wanted;
    return true;
}

/* ---- Arena ---- */

#define ARENA_ALIGN 16u
#define ARENA_FIRST_CHUNK 1024u
#define ARENA_LARGEST_CHUNK 65536u

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; /* with this header */
} __attribute__((aligned(ARENA_ALIGN)));

void cn_arena_init(struct arena *arena, struct alloc *alloc) {
    *arena = (struct arena){.alloc = alloc};
}

void cn_arena_free(struct arena *arena) {
    struct arena_chunk *chunk = arena->chunks;
    while (chunk) {
        struct arena_chunk *next = chunk->next;
        cn_free(arena->alloc, chunk, chunk->size);
        chunk = next;
    }
    cn_arena_init(arena, arena->alloc);
}

/* Chunks double up to a size; what is larger than the next one gets a chunk of its own. */
static struct arena_chunk *add_chunk(struct arena *arena, size_t room) {
    size_t size;
    if (__builtin_add_overflow(room, sizeof(struct arena_chunk), &size))
        return NULL;
    struct arena_chunk *chunk = cn_alloc(arena->alloc, size);
    if (!chunk)
        return NULL;
    *chunk = (struct arena_chunk){.next = arena->chunks, .size = size};
    arena->chunks = chunk;
    return chunk;
}

static size_t next_room(const struct arena *arena) {
    size_t size = ARENA_FIRST_CHUNK;
    for (const struct arena_chunk *chunk = arena->chunks; chunk && size < ARENA_LARGEST_CHUNK;
         chunk = chunk->next)
        size *= 2;
    return size - sizeof(struct arena_chunk);
}

void *cn_arena_alloc(struct arena *arena, size_t size) {
    if (size == 0)
        return nothing;
    if (size > SIZE_MAX - ARENA_ALIGN)
        return NULL;
    size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (size > (size_t)(arena->end - arena->at)) {
        size_t room = next_room(arena);
        struct arena_chunk *chunk = add_chunk(arena, size > room ? size : room);
        if (!chunk)
            return NULL;
        uint8_t *start = (uint8_t *)(chunk + 1);
        if (size >= room)
            return start;
        arena->at = start;
        arena->end = start + room;
    }
    void *pointer = arena->at;
    arena->at += size;
    return pointer;
}

void *cn_arena_calloc(struct arena *arena, size_t items, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(items, size, &bytes))
        return NULL;
    void *pointer = cn_arena_alloc(arena, bytes);
    if (pointer && bytes)
        memset(pointer, 0, bytes);
    return pointer;
}
