/*
 * The one place that allocation goes through: it can fail, and it is counted.
 *
 * Every allocation names its size again when it is freed, so that an embedder's allocator needs no
 * headers and the count is exact. NULL means exhausted; nothing here aborts.
 */
#ifndef CN_BASE_ALLOC_H
#define CN_BASE_ALLOC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct alloc {
    void *(*realloc)(void *env, void *pointer, size_t old_size, size_t new_size);
    void *env;
    uint64_t limit;        /* upper bound of what is held */
    _Atomic uint64_t now;  /* bytes held */
    _Atomic uint64_t peak; /* at most so far */
};

/* malloc() and free(), for what lives outside an engine (types and vectors of wasm.h). */
void cn_alloc_init_default(struct alloc *);

/* Uninitialised bytes; size 0 gives a non-NULL pointer that must not be read. */
void *cn_alloc(struct alloc *, size_t size);
/* Zeroed array; NULL also when items * size overflows. */
void *cn_calloc(struct alloc *, size_t items, size_t size);
/* Resizes; on NULL the old block is still there. */
void *cn_realloc(struct alloc *, void *pointer, size_t old_size, size_t new_size);
/* pointer may be NULL. */
void cn_free(struct alloc *, void *pointer, size_t size);

/* Makes room for `need` items in an array of item_size; grows by half. False when exhausted or over
 * SIZE_MAX; the array is then as it was. */
bool cn_grow(struct alloc *, void **items, size_t *capacity, size_t need, size_t item_size);

/* A bump allocator for what lives and dies together (a module's tables). */
struct arena_chunk;
struct arena {
    struct alloc *alloc;
    struct arena_chunk *chunks;
    uint8_t *at, *end;
};

void cn_arena_init(struct arena *, struct alloc *);
void cn_arena_free(struct arena *);
/* 16-byte aligned; NULL when exhausted. */
void *cn_arena_alloc(struct arena *, size_t size);
/* Zeroed; NULL also when items * size overflows. */
void *cn_arena_calloc(struct arena *, size_t items, size_t size);

#endif
