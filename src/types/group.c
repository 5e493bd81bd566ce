#include "types/group.h"

#include <assert.h>
#include <string.h>
#include <xxhash.h>

#include "types/registry.h"

static_assert(_Alignof(struct functype) <= 8 && _Alignof(struct fieldtypes) <= 8 &&
                  sizeof(struct type_group) % 8 == 0,
              "types follow one after another");

/* ---- Layout: head, parts, a spare part, offsets of fields, display ---- */

static size_t head_size(uint8_t kind) {
    return kind == TYPE_FUNC ? offsetof(struct functype, types)
                             : offsetof(struct fieldtypes, fields);
}

/* Words before the display. */
static size_t part_words(uint8_t kind, uint32_t count) {
    return (size_t)count + 1 + (kind == TYPE_FUNC ? 0 : count);
}

/* A type without supertypes has no display but its id. */
static size_t type_size(uint8_t kind, uint32_t count, uint32_t depth) {
    size_t words = part_words(kind, count) + (depth ? depth + 1 : 0);
    return (head_size(kind) + words * sizeof(uint32_t) + 7) & ~(size_t)7;
}

static size_t size_of(const struct deftype *type) {
    return type_size(type->kind, type->count, type->depth);
}

struct deftype *cn_group_next(const struct deftype *type) {
    return (struct deftype *)((uintptr_t)type + size_of(type));
}

static uint32_t *parts_of(struct deftype *type) {
    return (uint32_t *)((uintptr_t)type + head_size(type->kind));
}

static uint32_t *display_of(struct deftype *type) {
    return parts_of(type) + part_words(type->kind, type->count);
}

/* ---- Comparing with a declaration ---- */

/* A part or supertype as the type's declaration had it. */
static uint32_t opened(const struct type_registry *registry, const struct type_group *group,
                       uint32_t part) {
    if (!(part & VT_DEFINED))
        return part;
    const struct deftype *type = cn_types_get(registry, part & VT_ID);
    if (type->group != group)
        return part;
    return (part & ~(VT_OF_FUNC | VT_ID)) | VT_MEMBER | type->member;
}

static uint32_t supertype(const struct type_registry *registry, const struct deftype *type) {
    if (type->depth == 0)
        return NO_SUPERTYPE;
    return opened(registry, type->group, VT_DEFINED | type->display[type->depth - 1]) & ~VT_DEFINED;
}

static bool is_declared(const struct type_registry *registry, const struct deftype *type,
                        const struct type_decl *decl) {
    if (type->kind != decl->kind || type->final != decl->final || type->count != decl->count ||
        (type->kind == TYPE_FUNC && dt_func(type)->param_count != decl->param_count) ||
        supertype(registry, type) != decl->supertype)
        return false;
    const uint32_t *parts = dt_parts(type);
    for (uint32_t i = 0; i < type->count; i++)
        if (opened(registry, type->group, parts[i]) != decl->parts[i])
            return false;
    return true;
}

bool cn_group_equals(const struct type_registry *registry, const struct type_group *group,
                     const struct type_decl *decls, uint32_t count, const struct deftype **types) {
    if (group->type_count != count)
        return false;
    const struct deftype *type = group_first(group);
    for (uint32_t i = 0; i < count; i++, type = cn_group_next(type)) {
        if (!is_declared(registry, type, &decls[i]))
            return false;
        types[i] = type;
    }
    return true;
}

uint64_t cn_group_hash(const struct type_decl *decls, uint32_t count, uint64_t seed) {
    uint64_t hash = seed;
    for (uint32_t i = 0; i < count; i++) {
        const struct type_decl *decl = &decls[i];
        uint64_t head = (uint64_t)decl->supertype << 32 |
                        (uint32_t)(decl->param_count << 3 | decl->kind << 1 | decl->final);
        hash = XXH3_64bits_withSeed(decl->parts, decl->count * sizeof *decl->parts, hash ^ head);
    }
    return hash;
}

/* ---- Making ---- */

/* References to members of the group get their kind when it is closed. */
static bool is_any(valtype type) {
    return vt_is_ref(type) && !(type & VT_MEMBER) && vt_kind(type) == KIND_ANY;
}

/* Facts that follow from the parameters and results, in one pass over each. */
static uint32_t describe_values(const valtype *types, uint32_t count, uint32_t *narrow,
                                struct functype *type) {
    uint32_t slot = 0;
    *narrow = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (slot < 32 && (types[i] == VT_I32 || types[i] == VT_F32))
            *narrow |= UINT32_C(1) << slot;
        type->numbers &= vt_is_num(types[i]);
        type->any |= is_any(types[i]);
        slot += vt_slots(types[i]);
    }
    return slot;
}

static void describe(struct functype *type) {
    type->numbers = true;
    type->any = false;
    type->param_slots = describe_values(type->types, type->param_count, &type->narrow_params, type);
    type->result_slots =
        describe_values(ft_results(type), type->result_count, &type->narrow_results, type);
    type->value_slots =
        type->param_slots > type->result_slots ? type->param_slots : type->result_slots;
}

static uint32_t aligned(uint32_t offset, uint32_t size) {
    uint32_t mask = (size < 8 ? size : 8) - 1;
    return (offset + mask) & ~mask;
}

/* Facts that follow from the fields, as where they are; an array has one kind of field. */
static void lay_out(struct fieldtypes *type) {
    uint32_t *offsets = type->fields + type->def.count + 1, end = OBJECT_HEADER;
    type->has_default = true;
    for (uint32_t i = 0; i < type->def.count; i++) {
        uint32_t size = field_size(type->fields[i]);
        offsets[i] = aligned(end, size);
        end = offsets[i] + size;
        type->has_default &= !(type->fields[i] & VT_NON_NULL);
    }
    type->size = type->def.kind == TYPE_ARRAY ? field_size(type->fields[0]) : aligned(end, 8);
}

static void fill(struct deftype *type, struct type_group *group, uint32_t member,
                 const struct type_decl *decl) {
    *type = (struct deftype){.group = group,
                             .member = member,
                             .count = decl->count,
                             .kind = decl->kind,
                             .depth = decl->depth,
                             .final = decl->final};
    uint32_t *parts = parts_of(type);
    if (decl->count)
        memcpy(parts, decl->parts, decl->count * sizeof *parts);
    parts[decl->count] = VT_BOTTOM;
    type->display = &type->id;
    if (decl->depth) { /* the supertype waits in its place */
        uint32_t *display = display_of(type);
        type->display = display;
        display[decl->depth - 1] = decl->supertype;
    }
    if (decl->kind == TYPE_FUNC) {
        struct functype *func = (struct functype *)type;
        func->param_count = decl->param_count;
        func->result_count = decl->count - decl->param_count;
        describe(func);
    } else {
        lay_out((struct fieldtypes *)type);
    }
}

static bool has_mentions(const struct type_decl *decl) {
    uint32_t parts = 0;
    for (uint32_t i = 0; i < decl->count; i++)
        parts |= decl->parts[i];
    return decl->depth || (parts & VT_DEFINED);
}

struct type_group *cn_group_new(struct alloc *alloc, const struct type_decl *decls,
                                uint32_t count) {
    size_t size = sizeof(struct type_group);
    for (uint32_t i = 0; i < count; i++)
        if (__builtin_add_overflow(size, type_size(decls[i].kind, decls[i].count, decls[i].depth),
                                   &size))
            return NULL;
    struct type_group *group = cn_alloc(alloc, size);
    if (!group)
        return NULL;
    *group = (struct type_group){.size = size, .type_count = count};
    struct deftype *type = group_first(group);
    for (uint32_t i = 0; i < count; i++, type = cn_group_next(type)) {
        fill(type, group, i, &decls[i]);
        group->mentions |= has_mentions(&decls[i]);
    }
    return group;
}

/* The type that a part or supertype of a group that is not closed names. */
static const struct deftype *target(const struct type_registry *registry,
                                    const struct deftype *const *types, uint32_t part) {
    return part & VT_MEMBER ? types[part & VT_ID] : cn_types_get(registry, part & VT_ID);
}

static void close_type(const struct type_registry *registry, struct deftype *type,
                       const struct deftype *const *types) {
    uint32_t *parts = parts_of(type), *display = display_of(type);
    for (uint32_t i = 0; i < type->count; i++)
        if (parts[i] & VT_MEMBER) {
            const struct deftype *member = target(registry, types, parts[i]);
            parts[i] = (parts[i] & ~(VT_MEMBER | VT_ID)) | vt_of(member, true);
            if (type->kind == TYPE_FUNC)
                ((struct functype *)type)->any |= is_any(parts[i]);
        }
    if (type->depth == 0)
        return;
    const struct deftype *super = target(registry, types, display[type->depth - 1]);
    CN_ASSERT(super->depth + 1 == type->depth && type->depth <= LIMIT_SUPERTYPES);
    memcpy(display, super->display, type->depth * sizeof *display);
    display[type->depth] = type->id;
}

void cn_group_close(const struct type_registry *registry, struct type_group *group,
                    const struct deftype *const *types) {
    struct deftype *type = group_first(group);
    CN_ASSERT(group->mentions);
    for (uint32_t i = 0; i < group->type_count; i++, type = cn_group_next(type)) {
        CN_ASSERT(type == types[i] && type->id != 0);
        close_type(registry, type, types);
    }
}

/* ---- Mentions ---- */

static void mention(const struct type_registry *registry, const struct type_group *group,
                    uint32_t id, struct mention_visitor visitor) {
    struct type_group *mentioned = cn_types_get(registry, id)->group;
    if (mentioned != group)
        visitor.visit(visitor.env, mentioned);
}

void cn_group_mentions(const struct type_registry *registry, const struct type_group *group,
                       struct mention_visitor visitor) {
    const struct deftype *type = group_first(group);
    CN_ASSERT(group->mentions);
    for (uint32_t n = group->type_count; n > 0; n--, type = cn_group_next(type)) {
        const uint32_t *parts = dt_parts(type);
        for (uint32_t i = 0; i < type->count; i++)
            if (parts[i] & VT_DEFINED) {
                CN_ASSERT(!(parts[i] & VT_MEMBER));
                mention(registry, group, parts[i] & VT_ID, visitor);
            }
        if (type->depth)
            mention(registry, group, type->display[type->depth - 1], visitor);
    }
}
