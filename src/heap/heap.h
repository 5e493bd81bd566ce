/*
 * The garbage-collected heap of one store: structures, arrays, and host references as values of the any hierarchy.
 *
 * One mapping is reserved, and it never moves. Objects lie in the *region*; all that the collector knows lies behind it:
 *
 *     base
 *     | region: blocks of 32 KiB ...            | starts | marks | lines | kinds |
 *     0                          committed      reserved
 *       starts   a bit for each 8 bytes of the region: an object begins here
 *       marks    a bit for each 8 bytes, used by collections only
 *       lines    a bit for each line of 128 bytes: in use when the block was swept
 *       kinds    a byte for each block: free, objects, or part of a large object
 *
 * A *handle* is a reference to an object in 32 bits: its offset in the region / 8, shifted by one. So the address is
 * base + handle * 4, which reaches 16 GiB. 0 is null; a handle with the lowest bit set is an i31. No machine address
 * and no number of the process lies in the region: objects begin with a type number of this heap, and references to
 * functions, host objects and exceptions are numbers of the *side table*, which has the 64-bit slots that stand for
 * them on the value stack. A collection writes no byte of the region. heap/layout.h says how objects lie.
 *
 * Allocation takes the next bytes of a *hole*, a run of free lines, which is cleared when it is opened:
 *
 *     block  |####..##|........|.......#|   # line in use     cn_heap_allocate(): `cursor` moves on, and the object's
 *                      ^cursor  ^limit ^end                   start bit is set. Beyond `limit`: cn_heap_allocate_slow()
 *
 * The slow path does the work of the collector that is due, then takes the next hole, in the order of addresses; blocks
 * are swept when it comes to them. An object larger than a line that does not fit into the hole goes to a second
 * area (`overflow`), so that the hole is not wasted. An object of a block or more lies in blocks of its own, except for its
 * end, whose block has room for others. When no room is left, more is committed; when that is refused, a full collection
 * is tried. Only then allocation fails.
 *
 * A collection cycle:
 *
 *     HEAP_IDLE      until enough was allocated. Then the owner names the roots, in one step
 *     HEAP_MARKING   in increments, in proportion to what is allocated. It marks all that was reachable when it began:
 *                    before a reference in an object is overwritten, cn_heap_overwrite() is told. New objects are
 *                    never looked at: the marks of a hole are all set when it is opened
 *     HEAP_SWEEPING  blocks are swept as they are needed: start bits of unmarked objects are cleared, and lines without
 *                    marks are free. Entries of the side table that no object has are given back. Then HEAP_IDLE
 *
 * The mark bit of an object is that of its first granule (8 bytes). For each further line that it reaches into, the bit of
 * the line's first granule is set too, so a line is in use when one of its 16 bits is. An object that is marked waits on
 * the mark stack to be looked at. Where that cannot grow, the object's block is noted, and all of its marked objects are
 * looked at later.
 *
 * Roots on value stacks are conservative: a slot that could be a handle keeps the object. So nothing moves.
 *
 * To save and restore a heap takes the committed bytes of the region, the start bits, the types by number and the side
 * table; all else follows from these (cn_heap_rebuild()). To save it after cn_heap_collect() keeps garbage out.
 *
 * A heap belongs to one thread at a time. All allocation may fail and is then reported.
 */
#ifndef CN_HEAP_HEAP_H
#define CN_HEAP_HEAP_H

#include "base/error.h"
#include "base/likely.h"
#include "heap/layout.h"
#include "heap/numbering.h"
#include "types/registry.h"

/* ---- References ---- */

#define HEAP_LINE_LOG2 7u
#define HEAP_LINE (1u << HEAP_LINE_LOG2)
#ifdef CATNAP_TINY_LIMITS
#define HEAP_BLOCK_LOG2 12u
#else
#define HEAP_BLOCK_LOG2 15u
#endif
#define HEAP_BLOCK (1u << HEAP_BLOCK_LOG2)
#define LIMIT_HEAP_BYTES (UINT64_C(1) << 34)

static inline uint64_t heap_offset(uint32_t handle) {
    return (uint64_t)handle * 4;
}
static inline uint32_t heap_handle(uint64_t offset) {
    return (uint32_t)(offset / 4);
}
static inline bool heap_is_i31(uint32_t handle) {
    return handle & 1;
}
static inline bool heap_is_object(uint32_t handle) {
    return handle != 0 && !(handle & 1);
}
static inline uint32_t heap_i31(uint32_t value) {
    return value << 1 | 1;
}

/* The slot of an extern reference that stands for a value of the heap (extern.convert_any). No object of the host has
 * such an address. */
static inline uint64_t heap_extern_slot(uint32_t handle) {
    return handle ? (uint64_t)handle << 32 | 1 : 0;
}
static inline bool heap_slot_is_converted(uint64_t slot) {
    return (uint32_t)slot == 1;
}
static inline uint32_t heap_converted(uint64_t slot) {
    return (uint32_t)(slot >> 32);
}

/* ---- Types ---- */

enum heap_kind {
    HEAP_STRUCT,
    HEAP_ARRAY,
    HEAP_BOX /* a host reference as a value of the any hierarchy: its only field is a number of the side table */
};
/* Where an object has references. */
enum heap_refs { REFS_NONE, REFS_HANDLES, REFS_SIDE, REFS_RUNS };

#define HEAP_BOX_TYPE 1u /* the type number of boxes */
#define HEAP_BOX_BYTES 8u
#define HEAP_BOX_OFFSET 4u
#define LIMIT_HEAP_TYPES (UINT32_C(1) << 24)

/* References that lie side by side in a structure. */
struct heap_run {
    uint32_t offset, count; /* count 0: the end of the list */
    bool side;
};

/* A type by its number. Half a cache line: all that casts and marking need. */
struct heap_type {
    uint32_t bytes;                  /* of a structure or box; before the elements of an array */
    uint8_t kind;                    /* enum heap_kind */
    uint8_t log2;                    /* of the bytes of an array's element */
    uint8_t refs;                    /* enum heap_refs; of an array NONE, HANDLES or SIDE */
    uint8_t depth;                   /* of the defined type, for casts */
    const uint32_t *display;         /* its display; NULL: a box */
    const struct heap_run *runs;     /* with REFS_RUNS */
    const struct heap_field *fields; /* of a structure; of an array that of its element */
};

/* ---- Configuration and statistics ---- */

/* When to collect. All but the first are for tests. */
enum heap_policy {
    HEAP_NORMAL,
    HEAP_EVERY, /* fully, at each allocation; then builds with assertions verify the heap */
    HEAP_STEPS, /* always, in the smallest increments */
    HEAP_FULL   /* only when no room is left */
};

struct heap;

struct heap_owner {
    void *env;
    /* Names all roots by cn_heap_mark(), cn_heap_mark_slots() and cn_heap_mark_side(). Changes nothing. */
    void (*roots)(void *env, struct heap *);
    /* Counts bytes of the region against the limits of the owner; false: they are refused. May be NULL, with `give`. */
    bool (*take)(void *env, uint64_t bytes);
    void (*give)(void *env, uint64_t bytes);
    /* An entry of the side table has no references any more and is removed. Must not use the heap. May be NULL. */
    void (*drop)(void *env, uint64_t slot);
};

struct heap_config {
    uint64_t most_bytes; /* of the region; 0: as many as there can be */
    enum heap_policy policy;
    const struct type_registry *registry; /* for the verification with HEAP_EVERY; may be NULL */
    /* 0 stands for the default. */
    uint32_t nursery_bytes;  /* are at least allocated between two collections */
    uint32_t growth_percent; /* of the live bytes may be allocated between two collections */
    uint32_t step_bytes;     /* of objects that one increment looks at, at most */
};

#define HEAP_PAUSES 24u
struct heap_stats {
    uint64_t collections;     /* cycles that came to their end */
    uint64_t full;            /* of these, those in one pause */
    uint64_t increments;      /* of marking */
    uint64_t allocated;       /* bytes, since the heap was made */
    uint64_t live;            /* bytes that the last cycle marked */
    uint64_t committed, peak; /* bytes of the region, and at most so far */
    uint64_t increment_ns, longest_increment_ns, full_ns, longest_full_ns;
    uint64_t rescans; /* blocks that were looked at again since the mark stack could not grow */
    uint64_t pauses
        [HEAP_PAUSES]; /* increments that took at least 2^i, and less than 2^(i+1), 256ths of a µs */
};

enum heap_phase { HEAP_IDLE, HEAP_MARKING, HEAP_SWEEPING };

/* A search through the blocks for holes: one for objects of a line at most, one for those of up to
 * HEAP_MEDIUM bytes, one for all others below a block. */
struct heap_walk {
    uint32_t block, line;
};
#define HEAP_WALKS 3u
#define HEAP_MEDIUM 1024u

struct mark_chunk;
#define MARK_AHEAD                                                                                 \
    8u /* objects that are fetched into the cache before they are looked at; a power of two */

/* All that a heap is beside its pages, marks and tables, while no sweep is under way. Checkpoints copy it. */
struct heap_now {
    /* ---- Areas ---- */
    uint64_t cursor, limit; /* for handlers: offsets of the hole, and where they must stop */
    uint64_t end;           /* of the hole */
    struct {
        uint64_t cursor, end;
    } overflow;

    /* ---- The mapping ---- */
    uint64_t clean;      /* bytes from here on were never used and are zero */
    uint32_t blocks;     /* committed */
    uint32_t first_free; /* no block below this one is free */
    uint32_t run_from;   /* where several free blocks are looked for next */
    uint32_t no_run;     /* so many free blocks or more do not lie side by side */

    /* ---- Collection ---- */
    struct heap_walk walks[HEAP_WALKS]; /* where holes are looked for next */
    uint32_t walk_end;                  /* up to this block */
    uint32_t rescan_from, rescan_end;   /* blocks, some of which are noted for another look */
    uint32_t meagre;                    /* full collections in a row that gave little */
    uint64_t since;                     /* bytes allocated since the last cycle ended */
    uint64_t start_at;                  /* of these, a cycle begins */
    uint64_t pace;                      /* bytes to look at for each allocated one */
    uint64_t last_work;                 /* bytes that were looked at in the last cycle */
};

struct heap {
    /* ---- For handlers ---- */
    uint8_t *base;
    uint64_t *starts;
    const struct heap_type *types; /* by number. Moves when a type is added */
    bool marking;                  /* the phase is HEAP_MARKING */
    struct heap_now now;

    /* ---- The mapping ---- */
    size_t mapped;     /* bytes */
    uint64_t reserved; /* bytes of the region */
    bool imaged;       /* a mapped image is behind its pages: untouched ones need not be zero */
    uint32_t unit;     /* of growth, in blocks */
    uint64_t *marks, *lines;
    uint8_t *kinds;

    /* ---- Collection ---- */
    enum heap_phase phase;
    uint32_t sweep, sweep_end; /* these blocks are to be swept */
    uint32_t side_sweep;       /* entries of the side table from here on are to be swept */
    uint32_t ahead_at;
    uint32_t ahead[MARK_AHEAD]; /* handles that were popped */
    struct mark_chunk *stack, *spare;
    uint64_t stack_bytes;
    uint64_t live; /* bytes that were marked in this cycle */
    uint64_t
        begun_at; /* of now.since: when the cycle under way began. It frees none that were made later */
    uint64_t paid; /* of now.since, bytes for which the marking is done */
    uint64_t work; /* bytes that were looked at in this cycle */

    /* ---- Tables ---- */
    struct numbering side;          /* slots */
    struct numbering type_index;    /* addresses of defined types */
    struct heap_type *type_table;   /* `types` */
    const struct fieldtypes **defs; /* by type number; NULL: boxes */
    uint32_t type_room;
    struct arena arena;

    struct alloc *alloc;
    struct heap_owner owner;
    struct heap_config config;
    struct heap_stats stats;
};

/* NULL and *error when memory or address space is exhausted. Nothing is committed before the first allocation. */
struct heap *cn_heap_new(struct alloc *, const struct heap_owner *, const struct heap_config *,
                         struct error *);
/* NULL allowed. Gives committed bytes back to the owner, but drops no entries of the side table. */
void cn_heap_delete(struct heap *);

/* The number of a structure or array type, which the owner holds as long as the heap lives. 0 and *error when memory is
 * exhausted or the structure is too large. */
uint32_t cn_heap_add_type(struct heap *, const struct fieldtypes *, struct error *);

/* ---- Allocation ---- */

uint32_t cn_heap_allocate_slow(struct heap *, uint32_t type, uint64_t bytes, bool clear);

static inline uint8_t *heap_at(const struct heap *h, uint32_t handle) {
    return h->base + heap_offset(handle);
}
static inline uint32_t heap_load(const struct heap *h, uint64_t offset) {
    uint32_t word;
    memcpy(&word, h->base + offset, sizeof word);
    return word;
}
static inline void heap_store(const struct heap *h, uint64_t offset, uint32_t word) {
    memcpy(h->base + offset, &word, sizeof word);
}
static inline uint32_t heap_length(const struct heap *h, uint32_t array) {
    return heap_load(h, heap_offset(array) + HEAP_LENGTH_OFFSET);
}
/* Of an object. */
static inline uint32_t heap_type_number(const struct heap *h, uint32_t object) {
    return heap_load(h, heap_offset(object));
}
static inline const struct heap_type *heap_type_of(const struct heap *h, uint32_t object) {
    return &h->types[heap_type_number(h, object)];
}
/* Whether an object is of the type with this id and depth, or of a subtype. */
static inline bool heap_is_of(const struct heap *h, uint32_t object, uint32_t id, uint32_t depth) {
    const struct heap_type *type = heap_type_of(h, object);
    return type->display && depth <= type->depth && type->display[depth] == id;
}

static inline void heap_set_bit(uint64_t *bits, uint64_t i) {
    bits[i >> 6] |= UINT64_C(1) << (i & 63);
}
static inline bool heap_bit(const uint64_t *bits, uint64_t i) {
    return bits[i >> 6] >> (i & 63) & 1;
}

/* Takes bytes of the hole, which has them. */
static inline uint32_t heap_bump(struct heap *h, uint32_t type, uint32_t bytes) {
    uint64_t at = h->now.cursor;
    h->now.cursor = at + bytes;
    heap_set_bit(h->starts, at / HEAP_GRANULE);
    heap_store(h, at, type);
    return heap_handle(at);
}
/* An object of so many bytes, all zero behind the type number. Collections may happen. 0: no room is left, though a full
 * collection was tried. */
static inline uint32_t cn_heap_allocate(struct heap *h, uint32_t type, uint32_t bytes) {
    return unlikely(bytes > h->now.limit - h->now.cursor)
               ? cn_heap_allocate_slow(h, type, bytes, true)
               : heap_bump(h, type, bytes);
}
static inline uint32_t cn_heap_new_struct(struct heap *h, uint32_t type) {
    CN_ASSERT(h->types[type].kind == HEAP_STRUCT);
    return cn_heap_allocate(h, type, h->types[type].bytes);
}
uint32_t cn_heap_new_array_slow(struct heap *, uint32_t type, uint32_t length, bool clear);
/* `clear`: all elements are zero. Without it, those of a large array of numbers are not, and the caller sets them. */
static inline uint32_t cn_heap_new_array(struct heap *h, uint32_t type, uint32_t length,
                                         bool clear) {
    CN_ASSERT(h->types[type].kind == HEAP_ARRAY);
    uint64_t bytes = cn_array_bytes(h->types[type].log2, length);
    if (unlikely(bytes > h->now.limit - h->now.cursor))
        return cn_heap_new_array_slow(h, type, length, clear);
    uint32_t array = heap_bump(h, type, (uint32_t)bytes);
    heap_store(h, heap_offset(array) + HEAP_LENGTH_OFFSET, length);
    return array;
}
/* A box around an extern reference that does not stand for a value of the heap. 0: no room or no memory. */
uint32_t cn_heap_new_box(struct heap *, uint64_t slot);

/* ---- The side table ---- */

/* The number of a slot that is going to be stored into an object; 0 for 0. False: memory is exhausted. */
bool cn_heap_side_number(struct heap *, uint64_t slot, uint32_t *number);
/* The slot of a number that comes from an object. */
static inline uint64_t heap_side_slot(const struct heap *h, uint32_t number) {
    return number ? h->side.keys[number] : 0;
}

/* ---- Barriers ---- */

/* Before a reference in an object, which is a handle or a number of the side table, is overwritten. */
void cn_heap_note_old(struct heap *, uint32_t old, bool side);
static inline void cn_heap_overwrite(struct heap *h, uint32_t old, bool side) {
    if (unlikely(h->marking))
        cn_heap_note_old(h, old, side);
}
/* The same for references that lie side by side, at this offset in the region. */
void cn_heap_overwrite_range(struct heap *, uint64_t offset, uint32_t count, bool side);

/* ---- Collection ---- */

/* To be called by owner.roots. Any handle is allowed, i31 and null too. */
void cn_heap_mark(struct heap *, uint32_t handle);
/* Slots of unknown types: those that could be handles, or extern slots made of handles. */
void cn_heap_mark_slots(struct heap *, const uint64_t *from, const uint64_t *to);
void cn_heap_mark_side(struct heap *, uint32_t number);

/* Finds all garbage, and gives it back, in one pause. */
void cn_heap_collect(struct heap *);
/* Gives free blocks at the end of the region back to the system, except so many bytes; after cn_heap_collect(). Not while
 * earlier states of the heap are kept. */
void cn_heap_trim(struct heap *, uint64_t keep);

/* ---- Earlier states ---- */

/* The areas whose pages are a heap, with `now` and the side table. Marks belong to a collection. */
enum heap_area { HEAP_REGION, HEAP_STARTS, HEAP_LINES, HEAP_KINDS, HEAP_AREAS };
struct heap_span {
    uint8_t *base;
    uint64_t size, most; /* bytes, whole pages of the operating system */
};
struct heap_span cn_heap_area(const struct heap *, enum heap_area);
/* Ends a sweep under way: only bits are looked at. Then areas, `now` and side table are the heap, and a marking under way
 * may go on. */
void cn_heap_settle(struct heap *);
/* `now` of a heap without blocks. */
struct heap_now cn_heap_empty(const struct heap *);
/* The areas have become what they were when the heap was settled and `now` was so, with the sizes that belong to it:
 * they must have shrunk to these. `shrunk`: the system took back what was beyond; else they never grow again. Marks are
 * forgotten. The owner gets bytes back, and sees to the side table. */
void cn_heap_return(struct heap *, const struct heap_now *, bool shrunk);

/* ---- Verification; saved heaps ---- */

/* Whether the heap holds together: objects, types, references, marks, areas. Of a slot in the side table, `fits` (or
 * NULL) says whether it is of the type. */
struct heap_check {
    const struct type_registry
        *registry; /* NULL: references are not held against the types of their fields */
    void *env;
    bool (*fits)(void *env, uint64_t slot, valtype);
};
bool cn_heap_verify(const struct heap *, const struct heap_check *, struct error *);
/* Whether a handle is null, an i31, or that of an object of the heap (which may be NULL: there are no objects). */
bool cn_heap_has(const struct heap *, uint32_t handle);
/* Whether such a handle, which may have any value then, is of a type of the any hierarchy. */
bool cn_heap_fits(const struct heap *, const struct type_registry *, uint32_t handle, valtype);

static inline uint64_t heap_start_words(uint64_t bytes) {
    return bytes / (64 * HEAP_GRANULE);
}
/* A multiple of this is committed. */
static inline uint64_t heap_unit_bytes(const struct heap *h) {
    return (uint64_t)h->unit * HEAP_BLOCK;
}
/* Makes all bytes zero where no object lies; after cn_heap_collect(). Bytes that are zero are not written. Sets used[i] for
 * each type number i that an object has. Returns the bytes of the blocks up to the last one with an object, or 0. */
uint64_t cn_heap_tidy(struct heap *, uint8_t *used);
/* The next type number is one that no object has. */
bool cn_heap_skip_type(struct heap *, struct error *);
/* The number of a type, or 0. */
uint32_t cn_heap_find_type(const struct heap *, const struct fieldtypes *);
/* Commits so many bytes, a multiple of the unit, of an empty heap. The owner then fills region and `starts`, and calls
 * cn_heap_rebuild(). */
bool cn_heap_prepare(struct heap *, uint64_t bytes, struct error *);
/* Gives an empty side table its entries: the slot of each number below `end`, or 0. False and *error: memory is
 * exhausted. */
bool cn_heap_restore_side(struct heap *, const uint64_t *slots, uint32_t end, struct error *);
/* Computes everything from region, start bits, types and side table, which may be hostile. False and *error: they are no
 * heap, and the heap can only be deleted. References are left to cn_heap_verify(). */
bool cn_heap_rebuild(struct heap *, struct error *);
/* All that cn_heap_rebuild() would find in so many bytes of the region, after cn_heap_collect(): to resume, in a new heap
 * that was prepared, from a copy that nothing has changed, without a walk over the objects. */
size_t cn_heap_kept_bytes(uint64_t bytes);
void cn_heap_keep(const struct heap *, uint64_t bytes, void *kept);
void cn_heap_resume(struct heap *, uint64_t bytes, uint64_t live, const void *kept);

#endif
