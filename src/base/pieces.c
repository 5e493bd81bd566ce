/* Pieces of address space, see pieces.h. */
#include "base/pieces.h"
#include "base/assert.h"

#include "base/platform.h"
#include "base/track.h"

/* A chunk has twice the pieces of the one before, up to so many: little is reserved in vain. */
#define MOST_PIECES 64u
#define HUGE_PAGE ((size_t)2 << 20)

struct space_chunk {
    struct space_chunk *next;
    uint8_t *start;
    size_t size; /* of a piece */
    uint32_t count, live;
    uint64_t free; /* bit for each piece that can be taken */
};

_Static_assert(MOST_PIECES <= 64, "a chunk has a bit for each piece");

void cn_spaces_init(struct spaces *spaces, struct alloc *alloc) {
    spaces->alloc = alloc;
    spaces->chunks = NULL;
    pthread_mutex_init(&spaces->mutex, NULL);
}

void cn_spaces_destroy(struct spaces *spaces) {
    pthread_mutex_destroy(&spaces->mutex);
}

static uint64_t all_of(uint32_t count) {
    return count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

static struct space_chunk *map_chunk(struct spaces *spaces, size_t size, uint32_t count) {
    struct space_chunk *chunk = cn_calloc(spaces->alloc, 1, sizeof *chunk);
    if (!chunk)
        return NULL;
    *chunk = (struct space_chunk){.size = size, .count = count, .free = all_of(count)};
    chunk->start = size <= SIZE_MAX / count ? cn_os_reserve(size * count) : NULL;
    if (chunk->start && cn_os_renew(chunk->start, size * count, size < HUGE_PAGE))
        return chunk;
    cn_os_release(chunk->start, size * count);
    cn_free(spaces->alloc, chunk, sizeof *chunk);
    return NULL;
}

/* As many pieces as may be, or one. */
static struct space_chunk *add_chunk(struct spaces *spaces, size_t size, uint32_t count) {
    struct space_chunk *chunk = map_chunk(spaces, size, count);
    if (!chunk && count > 1)
        chunk = map_chunk(spaces, size, 1);
    if (!chunk)
        return NULL;
    chunk->next = spaces->chunks;
    spaces->chunks = chunk;
    return chunk;
}

/* The latest chunks come first, and have most. */
static struct space_chunk *find_chunk(struct spaces *spaces, size_t size) {
    uint32_t most = 0;
    for (struct space_chunk *chunk = spaces->chunks; chunk; chunk = chunk->next) {
        if (chunk->size != size)
            continue;
        if (chunk->free)
            return chunk;
        most = chunk->count > most ? chunk->count : most;
    }
    return add_chunk(spaces, size, most == 0 ? 1 : most < MOST_PIECES ? most * 2 : MOST_PIECES);
}

bool cn_space_take(struct spaces *spaces, size_t size, struct space *out) {
    pthread_mutex_lock(&spaces->mutex);
    struct space_chunk *chunk = find_chunk(spaces, size);
    *out = (struct space){NULL, chunk};
    if (chunk) {
        CN_ASSERT(chunk->size == size && chunk->free != 0);
        unsigned piece = (unsigned)__builtin_ctzll(chunk->free);
        CN_ASSERT(piece < chunk->count && chunk->live < chunk->count);
        chunk->free &= ~(UINT64_C(1) << piece);
        chunk->live++;
        out->start = chunk->start + piece * size;
    }
    pthread_mutex_unlock(&spaces->mutex);
    return chunk != NULL;
}

static void drop_chunk(struct spaces *spaces, struct space_chunk *chunk) {
    struct space_chunk **link = &spaces->chunks;
    while (*link != chunk)
        link = &(*link)->next;
    *link = chunk->next;
    cn_os_release(chunk->start, chunk->size * chunk->count);
    cn_free(spaces->alloc, chunk, sizeof *chunk);
}

/* A piece that the system does not make new again is never used again, but goes with its chunk. */
void cn_space_give(struct spaces *spaces, struct space *space) {
    struct space_chunk *chunk = space->chunk;
    if (!space->start)
        return;
    bool renewed = cn_os_renew(space->start, chunk->size, chunk->size < HUGE_PAGE);
    pthread_mutex_lock(&spaces->mutex);
    size_t piece = (size_t)(space->start - chunk->start) / chunk->size;
    CN_ASSERT(piece < chunk->count && space->start == chunk->start + piece * chunk->size);
    CN_ASSERT(chunk->live > 0 && !(chunk->free >> piece & 1)); /* given back once */
    if (renewed)
        chunk->free |= UINT64_C(1) << piece;
    if (--chunk->live == 0)
        drop_chunk(spaces, chunk);
    pthread_mutex_unlock(&spaces->mutex);
    *space = (struct space){NULL, NULL};
}
