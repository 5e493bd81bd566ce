/* Whether a heap holds together. It changes nothing. */
#include "heap/internal.h"

#include <inttypes.h>

#include "types/subtype.h"

struct verifier {
    const struct heap *h;
    const struct heap_check *check;
    struct error *error;
};

static bool fails(const struct verifier *v, uint64_t offset, const char *problem) {
    return cn_fail(v->error, CATNAP_MALFORMED, "heap: at %" PRIu64 ": %s", offset, problem);
}

/* Whether an object begins there that the cycle under way does not remove. */
static bool is_live(const struct heap *h, uint64_t offset) {
    if (offset >= committed(h) || !is_start(h, offset))
        return false;
    bool pending = h->phase == HEAP_SWEEPING && is_pending(h, block_of(offset));
    return !pending || heap_bit(h->marks, offset / HEAP_GRANULE);
}

/* ---- References ---- */

static bool is_defined(uint32_t number) {
    return number != HEAP_BOX_TYPE;
}

/* The type of a handle that is not null. */
static valtype type_of(const struct heap *h, uint32_t handle) {
    if (heap_is_i31(handle))
        return VT_I31REF | VT_NON_NULL;
    uint32_t number = heap_type_number(h, handle);
    return is_defined(number) ? vt_of(&h->defs[number]->def, false) : VT_ANYREF | VT_NON_NULL;
}

static bool fits(const struct verifier *v, valtype type, valtype expected) {
    return !v->check || !v->check->registry ||
           cn_valtype_matches(v->check->registry, type, expected);
}

static bool allows_null(const struct verifier *v, valtype expected) {
    return !v->check || !v->check->registry || !(expected & VT_NON_NULL);
}

bool cn_heap_has(const struct heap *h, uint32_t handle) {
    return !heap_is_object(handle) || (h && is_live(h, heap_offset(handle)));
}

bool cn_heap_fits(const struct heap *h, const struct type_registry *registry, uint32_t handle,
                  valtype type) {
    return handle ? cn_valtype_matches(registry, type_of(h, handle), type) : !(type & VT_NON_NULL);
}

static bool check_handle(const struct verifier *v, uint64_t at, uint32_t handle, valtype expected) {
    if (handle == 0)
        return allows_null(v, expected) || fails(v, at, "null");
    if (!cn_heap_has(v->h, handle))
        return fails(v, at, "a reference to no object");
    return fits(v, type_of(v->h, handle), expected) || fails(v, at, "a reference of a wrong type");
}

static bool check_converted(const struct verifier *v, uint64_t at, uint32_t handle,
                            valtype expected) {
    return (fits(v, VT_EXTERNREF | VT_NON_NULL, expected) ||
            fails(v, at, "a converted reference of a wrong type")) &&
           check_handle(v, at, handle, VT_ANYREF | VT_NON_NULL);
}

static bool check_side(const struct verifier *v, uint64_t at, uint32_t number, valtype expected) {
    const struct numbering *side = &v->h->side;
    if (number == 0)
        return allows_null(v, expected) || fails(v, at, "null");
    if (!cn_numbering_has(side, number))
        return fails(v, at, "a number that the side table does not have");
    uint64_t slot = side->keys[number];
    if (heap_slot_is_converted(slot))
        return check_converted(v, at, heap_converted(slot), expected);
    return !v->check || !v->check->fits || v->check->fits(v->check->env, slot, expected) ||
           fails(v, at, "an entry of the side table of a wrong type");
}

static bool check_field(const struct verifier *v, uint64_t at, uint32_t field) {
    valtype type = field & ~FIELD_MUTABLE;
    switch (cn_storage_of(field)) {
    case STORE_HANDLE:
        return check_handle(v, at, heap_load(v->h, at), type);
    case STORE_SIDE:
        return check_side(v, at, heap_load(v->h, at), type);
    default:
        return true;
    }
}

static bool check_box(const struct verifier *v, uint64_t offset) {
    uint64_t at = offset + HEAP_BOX_OFFSET;
    uint32_t number = heap_load(v->h, at);
    if (cn_numbering_has(&v->h->side, number) && heap_slot_is_converted(v->h->side.keys[number]))
        return fails(v, at, "a box with a converted reference");
    /* One that got no entry since memory was exhausted has 0. */
    return check_side(v, at, number, VT_EXTERNREF);
}

static bool check_references(const struct verifier *v, uint64_t offset) {
    uint32_t number = heap_type_number(v->h, heap_handle(offset));
    const struct heap_type *type = &v->h->types[number];
    if (type->kind == HEAP_BOX)
        return check_box(v, offset);
    if (type->refs == REFS_NONE)
        return true;
    bool is_array = type->kind == HEAP_ARRAY;
    uint64_t count =
        is_array ? heap_length(v->h, heap_handle(offset)) : v->h->defs[number]->def.count;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = offset + (is_array ? HEAP_ELEMENTS_OFFSET + i * 4 : type->fields[i].offset);
        if (!check_field(v, at, type->fields[is_array ? 0 : i].type))
            return false;
    }
    return true;
}

/* ---- Objects ---- */

static bool is_within(uint64_t offset, uint64_t bytes, uint64_t from, uint64_t to) {
    return offset < to && offset + bytes > from;
}

/* Lines are in use where an object lies. */
static bool check_lines(const struct verifier *v, uint64_t offset, uint64_t bytes) {
    const struct heap *h = v->h;
    uint64_t end = offset + bytes, at = bytes < HEAP_BLOCK ? offset : end / HEAP_BLOCK * HEAP_BLOCK;
    uint32_t block = block_of(at);
    if (at >= end || (h->phase == HEAP_SWEEPING && is_pending(h, block)))
        return true;
    for (; at < end; at += HEAP_LINE)
        if (!heap_bit(block_lines(h, block), at % HEAP_BLOCK / HEAP_LINE))
            return fails(v, offset, "an object in a free line");
    return true;
}

static bool check_blocks_of(const struct verifier *v, uint64_t offset, uint64_t bytes) {
    uint32_t block = block_of(offset), full = (uint32_t)(bytes / HEAP_BLOCK);
    if (block_kind(v->h, block) != (full ? BLOCK_LARGE : BLOCK_SMALL))
        return fails(v, offset, "an object in a block of another kind");
    for (uint32_t i = 1; i < full; i++)
        if (block_kind(v->h, block + i) != BLOCK_MORE)
            return fails(v, offset, "a large object without its blocks");
    if (full && bytes % HEAP_BLOCK && block_kind(v->h, block + full) != BLOCK_SMALL)
        return fails(v, offset, "a large object without its last block");
    return true;
}

static bool check_objects(const struct verifier *v) {
    const struct heap *h = v->h;
    uint64_t end = 0;
    for (uint64_t at = cn_next_start(h, 0); at < committed(h);
         at = cn_next_start(h, at + HEAP_GRANULE)) {
        if (!is_live(h, at))
            continue;
        uint64_t bytes = cn_check_object(h, at, v->error);
        if (!bytes)
            return false;
        if (at < end)
            return fails(v, at, "an object within another");
        end = at + bytes;
        if (is_within(at, bytes, h->now.cursor, h->now.end) ||
            is_within(at, bytes, h->now.overflow.cursor, h->now.overflow.end))
            return fails(v, at, "an object in an area that is free");
        if (!check_blocks_of(v, at, bytes) || !check_lines(v, at, bytes) ||
            !check_references(v, at))
            return false;
    }
    return true;
}

/* ---- Blocks ---- */

static bool has_bits(const uint64_t *words) {
    uint64_t any = 0;
    for (uint32_t i = 0; i < BLOCK_WORDS; i++)
        any |= words[i];
    return any != 0;
}

static bool check_block(const struct verifier *v, uint32_t block) {
    const struct heap *h = v->h;
    enum block_kind kind = block_kind(h, block);
    bool starts = has_bits(block_starts(h, block)), marks = has_bits(block_marks(h, block));
    if (marks && !is_pending(h, block))
        return fails(v, block_start(block), "marks without a collection");
    if (kind == BLOCK_FREE && (starts || marks || block < h->now.first_free))
        return fails(v, block_start(block), "a free block that is not free");
    if (kind == BLOCK_LARGE && block_starts(h, block)[0] != 1)
        return fails(v, block_start(block), "a block of a large object without the object");
    if (kind == BLOCK_MORE && (starts || block_kind(h, block - 1) < BLOCK_LARGE))
        return fails(v, block_start(block), "a further block of no object");
    if (h->kinds[block] & KIND_RESCAN && h->phase != HEAP_MARKING)
        return fails(v, block_start(block), "a block that was not looked at again");
    return true;
}

bool cn_heap_verify(const struct heap *h, const struct heap_check *check, struct error *error) {
    struct verifier v = {h, check, error};
    for (uint32_t i = 0; i < h->now.blocks; i++)
        if (!check_block(&v, i))
            return false;
    return check_objects(&v);
}
