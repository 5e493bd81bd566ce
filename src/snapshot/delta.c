/* Deltas: snapshots without the pages that another one has. */
#include "snapshot/snapshot.h"

#include <string.h>

/* The run of a snapshot that has the page, or NULL. *at goes on from the one that was looked at last:
 * pages are asked for in order. */
static const struct snap_run *run_of(const catnap_snapshot_t *s, size_t *at, uint32_t object,
                                     uint64_t page) {
    while (*at < s->run_count) {
        const struct snap_run *run = &s->runs[*at];
        if (run->object > object || (run->object == object && run->first > page))
            return NULL;
        if (run->object == object && page < run->first + run->count)
            return run;
        ++*at;
    }
    return NULL;
}

/* The page itself, NULL when it is zero. */
static const uint8_t *page_of(const catnap_snapshot_t *s, size_t *at, uint32_t object,
                              uint64_t page) {
    const struct snap_run *run = run_of(s, at, object, page);
    return run && run->bytes ? run->bytes + (page - run->first) * SNAP_PAGE : NULL;
}

/* Appends a page to runs that are being made; consecutive ones share one where their bytes do. */
static bool append(catnap_snapshot_t *to, uint32_t object, uint64_t page, const uint8_t *bytes,
                   uint64_t offset) {
    struct snap_run *last = to->run_count ? &to->runs[to->run_count - 1] : NULL;
    if (last && last->object == object && last->first + last->count == page &&
        !last->bytes == !bytes && (!bytes || last->bytes + last->count * SNAP_PAGE == bytes)) {
        last->count++;
        return true;
    }
    struct snap_run *run = cn_snapshot_add_run(to);
    if (!run)
        return false;
    *run = (struct snap_run){object, page, 1, bytes, offset, 0};
    return true;
}

static bool same_page(const uint8_t *a, const uint8_t *b) {
    return a == b || (a && b && memcmp(a, b, SNAP_PAGE) == 0);
}

/* Memories are the same when they have the same number: a base is an earlier state of the store. */
static uint64_t memory_pages(const catnap_snapshot_t *s, uint32_t object) {
    return object < s->object_count && s->objects[object].kind == OBJECT_MEMORY
               ? s->objects[object].size / SNAP_PAGE
               : 0;
}

typedef bool (*page_rule)(catnap_snapshot_t *out, uint32_t object, uint64_t page,
                          const uint8_t *mine, const uint8_t *theirs);

/* Walks all pages that either has. */
static bool walk(const catnap_snapshot_t *s, const catnap_snapshot_t *base, catnap_snapshot_t *out,
                 page_rule rule) {
    for (uint32_t object = 0; object < s->object_count; object++) {
        size_t at = 0, base_at = 0;
        for (uint64_t page = 0, end = memory_pages(s, object); page < end; page++) {
            const uint8_t *mine = page_of(s, &at, object, page);
            const uint8_t *theirs = page_of(base, &base_at, object, page);
            if ((mine || theirs) && !rule(out, object, page, mine, theirs))
                return false;
        }
    }
    return true;
}

static bool keep_changes(catnap_snapshot_t *out, uint32_t object, uint64_t page,
                         const uint8_t *mine, const uint8_t *theirs) {
    return same_page(mine, theirs) || append(out, object, page, mine, UINT64_MAX);
}

/* Puts other runs in place of a snapshot's. */
static void take_runs(catnap_snapshot_t *s, catnap_snapshot_t *from) {
    cn_free(s->alloc, s->runs, s->run_capacity * sizeof *s->runs);
    s->runs = from->runs;
    s->run_count = from->run_count;
    s->run_capacity = from->run_capacity;
    from->runs = NULL;
    from->run_count = from->run_capacity = 0;
}

catnap_snapshot_t *cn_snapshot_changes(const catnap_snapshot_t *s, const catnap_snapshot_t *base,
                                       struct error *error) {
    catnap_snapshot_t *changes = cn_snapshot_new(s->engine, error);
    if (!changes)
        return NULL;
    if (walk(s, base, changes, keep_changes)) {
        cn_snapshot_checksum(changes);
        return changes;
    }
    cn_fail_memory(error);
    cn_snapshot_release(changes);
    return NULL;
}

void cn_snapshot_diff(const catnap_snapshot_t *a, const catnap_snapshot_t *b,
                      void (*found)(void *env, size_t memory, uint64_t offset, uint64_t length),
                      void *env) {
    size_t memory = 0;
    for (uint32_t object = 0; object < a->object_count || object < b->object_count; object++) {
        size_t at = 0, b_at = 0;
        uint64_t mine = memory_pages(a, object), theirs = memory_pages(b, object), from = 0;
        uint64_t end = mine > theirs ? mine : theirs;
        bool differs = false;
        for (uint64_t page = 0; page <= end; page++) {
            bool differs_here = page < end && (page >= mine || page >= theirs ||
                                               !same_page(page_of(a, &at, object, page),
                                                          page_of(b, &b_at, object, page)));
            if (differs_here && !differs)
                from = page;
            if (differs && !differs_here)
                found(env, memory, from * SNAP_PAGE, (page - from) * SNAP_PAGE);
            differs = differs_here;
        }
        memory += end > 0;
    }
}

static bool merge(const catnap_snapshot_t *s, const catnap_snapshot_t *base,
                  catnap_snapshot_t *out) {
    size_t at = 0;
    for (uint32_t object = 0; object < s->object_count; object++) {
        size_t base_at = 0;
        for (uint64_t page = 0, end = memory_pages(s, object); page < end; page++) {
            const struct snap_run *run = run_of(s, &at, object, page);
            const uint8_t *bytes = page_of(base, &base_at, object, page);
            if (run)
                bytes = run->bytes ? run->bytes + (page - run->first) * SNAP_PAGE : NULL;
            if (bytes && !append(out, object, page, bytes, UINT64_MAX))
                return false;
        }
    }
    return true;
}

bool cn_snapshot_add(catnap_snapshot_t *s, catnap_snapshot_t *base, struct error *error) {
    if (!base)
        return cn_fail(error, CATNAP_LINK, "the snapshot is a delta and needs its base");
    if (!cn_snapshot_identify(base, error))
        return false;
    if (memcmp(s->base_identity, base->identity, sizeof s->base_identity) != 0)
        return cn_fail(error, CATNAP_LINK, "the snapshot is a delta against another base");
    catnap_snapshot_t *whole = cn_snapshot_new(s->engine, error);
    if (!whole)
        return false;
    bool ok = merge(s, base, whole);
    if (ok) {
        take_runs(s, whole);
        cn_snapshot_checksum(s);
        s->base = base;
        cn_snapshot_retain(base);
    } else {
        cn_fail_memory(error);
    }
    cn_snapshot_release(whole);
    return ok;
}
