/* Deltas: snapshots without the pages that another one has. */
#include "persist/snapshot.h"

#include <string.h>

/* A position in the runs of a snapshot, which are in order. Pages must be asked for in order too. */
struct cursor {
    const catnap_snapshot_t *s;
    size_t at;     /* the run that was looked at last */
    size_t filled; /* the same of those with bytes */
};

/* Whether a run ends before the page. */
static bool is_before(const struct snap_run *run, uint32_t object, uint64_t page) {
    return run->object < object || (run->object == object && run->first + run->count <= page);
}

/* The run that has the page, or NULL. */
static const struct snap_run *run_of(struct cursor *c, uint32_t object, uint64_t page) {
    const struct snap_run *runs = c->s->runs;
    while (c->at < c->s->run_count && is_before(&runs[c->at], object, page))
        c->at++;
    bool found =
        c->at < c->s->run_count && runs[c->at].object == object && runs[c->at].first <= page;
    return found ? &runs[c->at] : NULL;
}

static const uint8_t *bytes_in(const struct snap_run *run, uint64_t page) {
    return run && run->bytes ? run->bytes + (page - run->first) * SNAP_PAGE : NULL;
}

/* The page itself, NULL when it is zero. */
static const uint8_t *page_of(struct cursor *c, uint32_t object, uint64_t page) {
    return bytes_in(run_of(c, object, page), page);
}

/* The first page from this one on that has bytes, or `end`. Runs without bytes take no time, whatever
 * their length. */
static uint64_t next_page(struct cursor *c, uint32_t object, uint64_t page, uint64_t end) {
    const struct snap_run *runs = c->s->runs;
    while (c->filled < c->s->run_count &&
           (!runs[c->filled].bytes || is_before(&runs[c->filled], object, page)))
        c->filled++;
    if (c->filled == c->s->run_count || runs[c->filled].object > object ||
        runs[c->filled].first >= end)
        return end;
    return runs[c->filled].first > page ? runs[c->filled].first : page;
}

static uint64_t next_of_both(struct cursor *a, struct cursor *b, uint32_t object, uint64_t page,
                             uint64_t end) {
    uint64_t of_a = next_page(a, object, page, end), of_b = next_page(b, object, page, end);
    return of_a < of_b ? of_a : of_b;
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

/* Gets the run that has the page, or NULL, and the base's page. */
typedef bool (*page_rule)(catnap_snapshot_t *out, uint32_t object, uint64_t page,
                          const struct snap_run *mine, const uint8_t *theirs);

/* Walks all pages that have bytes in either: as much work as there are such pages and runs. Memories are the same when they
 * have the same number: a base is an earlier state of the store. */
static bool walk(const catnap_snapshot_t *s, const catnap_snapshot_t *base, catnap_snapshot_t *out,
                 page_rule rule) {
    struct cursor mine = {.s = s}, theirs = {.s = base};
    for (uint32_t i = 0; i < cn_snap_paged_count(s); i++) {
        uint32_t object = cn_snap_paged(s, i);
        uint64_t end = cn_snap_pages(s, object), page = 0;
        while ((page = next_of_both(&mine, &theirs, object, page, end)) < end) {
            const struct snap_run *run = run_of(&mine, object, page);
            if (!rule(out, object, page, run, page_of(&theirs, object, page)))
                return false;
            page++;
        }
    }
    return true;
}

static bool keep_changes(catnap_snapshot_t *out, uint32_t object, uint64_t page,
                         const struct snap_run *mine, const uint8_t *theirs) {
    const uint8_t *bytes = bytes_in(mine, page);
    return same_page(bytes, theirs) || append(out, object, page, bytes, UINT64_MAX);
}

/* Of a delta: what has no run is as in the base. */
static bool merge(catnap_snapshot_t *out, uint32_t object, uint64_t page,
                  const struct snap_run *mine, const uint8_t *theirs) {
    const uint8_t *bytes = mine ? bytes_in(mine, page) : theirs;
    return !bytes || append(out, object, page, bytes, UINT64_MAX);
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

/* Ranges that differ, joined where they touch. */
struct difference {
    void (*found)(void *env, size_t memory, uint64_t offset, uint64_t length);
    void *env;
    size_t memory;
    uint64_t first, end; /* pages; none yet when both are the same */
};

static void tell(struct difference *d) {
    if (d->first < d->end)
        d->found(d->env, d->memory, d->first * SNAP_PAGE, (d->end - d->first) * SNAP_PAGE);
    d->first = d->end = 0;
}

static void differ(struct difference *d, uint64_t first, uint64_t end) {
    if (d->first == d->end || d->end != first) {
        tell(d);
        d->first = first;
    }
    d->end = end;
}

void cn_snapshot_diff(const catnap_snapshot_t *a, const catnap_snapshot_t *b,
                      void (*found)(void *env, size_t memory, uint64_t offset, uint64_t length),
                      void *env) {
    struct cursor of_a = {.s = a}, of_b = {.s = b};
    struct difference d = {.found = found, .env = env};
    const catnap_snapshot_t *larger = a->object_count > b->object_count ? a : b;
    for (uint32_t i = 0; i < cn_snap_paged_count(larger); i++) {
        uint32_t object = cn_snap_paged(larger, i);
        uint64_t mine = cn_snap_pages(a, object), theirs = cn_snap_pages(b, object), page = 0;
        uint64_t common = mine < theirs ? mine : theirs, end = mine > theirs ? mine : theirs;
        while ((page = next_of_both(&of_a, &of_b, object, page, common)) < common) {
            if (!same_page(page_of(&of_a, object, page), page_of(&of_b, object, page)))
                differ(&d, page, page + 1);
            page++;
        }
        if (common < end)
            differ(&d, common, end);
        tell(&d);
        d.memory += end > 0;
    }
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
    bool ok = walk(s, base, whole, merge);
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
