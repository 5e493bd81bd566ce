#include "types/registry.h"

#include <assert.h>
#include <string.h>

#define FIRST_BUCKETS 64u
#define FIRST_IDS (UINT32_C(1) << FIRST_IDS_LOG2)

static_assert(FIRST_IDS << (ID_SEGMENTS - 1) == VT_ID + 1, "segments have all ids");

/* ---- Ids ---- */

static uint32_t ids_in_segment(uint32_t segment) {
    return segment ? FIRST_IDS << (segment - 1) : FIRST_IDS;
}

/* How many ids there are room for. */
static uint32_t id_room(const struct type_registry *registry) {
    return FIRST_IDS << (registry->segment_count - 1);
}

static union id_entry *entry_of(struct type_registry *registry, uint32_t id) {
    uint32_t segment, index = cn_id_index(id, &segment);
    return &registry->ids[segment][index];
}

static uint32_t take_id(struct type_registry *registry, struct deftype *type) {
    uint32_t id = registry->free_id;
    union id_entry *entry = entry_of(registry, id ? id : registry->next_id);
    if (id) {
        registry->free_id = (uint32_t)(entry->next_free / 2);
        registry->free_count--;
    } else {
        id = registry->next_id++;
    }
    entry->type = type;
    return id;
}

static void give_ids_back(struct type_registry *registry, const struct type_group *group) {
    const struct deftype *type = group_first(group);
    for (uint32_t n = group->type_count; n > 0; n--, type = cn_group_next(type)) {
        entry_of(registry, type->id)->next_free = (uintptr_t)registry->free_id * 2 + 1;
        registry->free_id = type->id;
        registry->free_count++;
    }
}

/* ---- Making and ending ---- */

static void free_tables(struct type_registry *registry) {
    for (uint32_t i = 0; i < registry->segment_count; i++)
        cn_free(registry->alloc, registry->ids[i], ids_in_segment(i) * sizeof(union id_entry));
    cn_free(registry->alloc, registry->buckets,
            registry->bucket_count * sizeof(struct type_group *));
}

bool cn_types_init(struct type_registry *registry, struct alloc *alloc) {
    *registry = (struct type_registry){
        .alloc = alloc, .bucket_count = FIRST_BUCKETS, .segment_count = 1, .next_id = 1};
    registry->buckets = cn_calloc(alloc, FIRST_BUCKETS, sizeof(struct type_group *));
    registry->ids[0] = cn_alloc(alloc, FIRST_IDS * sizeof(union id_entry));
    if (registry->buckets && registry->ids[0] && pthread_mutex_init(&registry->mutex, NULL) == 0)
        return true;
    free_tables(registry);
    return false;
}

void cn_types_destroy(struct type_registry *registry) {
    CN_ASSERT(registry->group_count == 0);
    free_tables(registry);
    pthread_mutex_destroy(&registry->mutex);
}

/* ---- The hash table ---- */

static struct type_group **bucket_of(const struct type_registry *registry, uint64_t hash) {
    return &registry->buckets[hash & (registry->bucket_count - 1)];
}

static struct type_group *find(const struct type_registry *registry, uint64_t hash,
                               const struct type_decl *decls, uint32_t count,
                               const struct deftype **types) {
    for (struct type_group *group = *bucket_of(registry, hash); group; group = group->next)
        if (group->hash == hash && cn_group_equals(registry, group, decls, count, types))
            return group;
    return NULL;
}

static void link_group(struct type_registry *registry, struct type_group *group) {
    struct type_group **bucket = bucket_of(registry, group->hash);
    group->next = *bucket;
    *bucket = group;
}

static void unlink_group(struct type_registry *registry, struct type_group *group) {
    struct type_group **link = bucket_of(registry, group->hash);
    while (*link != group)
        link = &(*link)->next;
    *link = group->next;
    registry->group_count--;
}

/* Moves all groups to `buckets`, twice as many; returns the buckets that they were in. */
static struct type_group **spread(struct type_registry *registry, struct type_group **buckets) {
    size_t old_count = registry->bucket_count;
    struct type_group **old = registry->buckets;
    registry->buckets = buckets;
    registry->bucket_count = old_count * 2;
    for (size_t i = 0; i < old_count; i++)
        for (struct type_group *group = old[i], *next; group; group = next) {
            next = group->next;
            link_group(registry, group);
        }
    return old;
}

/* ---- Interning ---- */

#define ENOUGH_IDS UINT32_MAX

/* The memory of a new group. It is allocated and freed without the mutex, since both call the embedder; so
 * the registry may have changed when it is there. */
struct addition {
    struct type_group *group;
    size_t wanted_buckets;   /* 0: there are enough */
    uint32_t wanted_segment; /* ENOUGH_IDS: none; ID_SEGMENTS: there is no further one */
    /* The block that was allocated, or the one that it replaces, and its size. */
    struct type_group **buckets;
    size_t bucket_count;
    union id_entry *ids;
    uint32_t segment;
};

static bool lacks_ids(const struct type_registry *registry, uint32_t count) {
    return registry->free_count + (id_room(registry) - registry->next_id) < count;
}

static bool lacks_buckets(const struct type_registry *registry) {
    return registry->group_count >= registry->bucket_count;
}

/* Puts in what was allocated, where it still fits. */
static void put_in(struct type_registry *registry, struct addition *a) {
    if (a->buckets && registry->bucket_count * 2 == a->bucket_count) {
        a->buckets = spread(registry, a->buckets);
        a->bucket_count /= 2;
    }
    if (a->ids && registry->segment_count == a->segment) {
        registry->ids[registry->segment_count++] = a->ids;
        a->ids = NULL;
    }
}

/* Frees what did not fit or was replaced. */
static void drop_rest(struct type_registry *registry, struct addition *a) {
    if (a->buckets)
        cn_free(registry->alloc, a->buckets, a->bucket_count * sizeof(struct type_group *));
    if (a->ids)
        cn_free(registry->alloc, a->ids, ids_in_segment(a->segment) * sizeof(union id_entry));
    a->buckets = NULL;
    a->ids = NULL;
}

static void retain_group(void *env, struct type_group *group) {
    (void)env;
    group->references++;
}

/* The group becomes canonical if nothing is missing for that; else says what is. The mutex is held. */
static struct type_group *add(struct type_registry *registry, struct addition *a, uint32_t count,
                              uint64_t hash, const struct deftype **types) {
    struct type_group *group = a->group;
    bool buckets = lacks_buckets(registry), ids = lacks_ids(registry, count);
    a->wanted_buckets = buckets ? registry->bucket_count * 2 : 0;
    a->wanted_segment = ids ? registry->segment_count : ENOUGH_IDS;
    if (!group || buckets || ids)
        return NULL;
    struct deftype *type = group_first(group);
    for (uint32_t i = 0; i < count; i++, type = cn_group_next(type)) {
        type->id = take_id(registry, type);
        types[i] = type;
    }
    if (group->mentions) {
        cn_group_close(registry, group, types);
        cn_group_mentions(registry, group, (struct mention_visitor){retain_group, NULL});
    }
    group->hash = hash;
    link_group(registry, group);
    registry->group_count++;
    a->group = NULL;
    return group;
}

/* Allocates what is missing; false when memory or ids are exhausted. */
static bool prepare(struct type_registry *registry, struct addition *a,
                    const struct type_decl *decls, uint32_t count) {
    struct alloc *alloc = registry->alloc;
    if (a->wanted_segment == ID_SEGMENTS)
        return false;
    if (!a->group)
        a->group = cn_group_new(alloc, decls, count);
    a->bucket_count = a->wanted_buckets;
    a->segment = a->wanted_segment;
    if (a->bucket_count)
        a->buckets = cn_calloc(alloc, a->bucket_count, sizeof(struct type_group *));
    if (a->segment != ENOUGH_IDS)
        a->ids = cn_alloc(alloc, ids_in_segment(a->segment) * sizeof(union id_entry));
    return a->group && (a->buckets || !a->bucket_count) && (a->ids || a->segment == ENOUGH_IDS);
}

bool cn_types_intern(struct type_registry *registry, const struct type_decl *decls, uint32_t count,
                     const struct deftype **types) {
    struct addition addition = {0};
    struct type_group *group;
    /* The registry's address is the seed, so that a module cannot know which types collide. */
    uint64_t hash = cn_group_hash(decls, count, (uintptr_t)registry);
    do {
        pthread_mutex_lock(&registry->mutex);
        put_in(registry, &addition);
        group = find(registry, hash, decls, count, types);
        if (!group)
            group = add(registry, &addition, count, hash, types);
        if (group)
            group->references += count;
        pthread_mutex_unlock(&registry->mutex);
        drop_rest(registry, &addition);
    } while (!group && prepare(registry, &addition, decls, count));
    drop_rest(registry, &addition);
    if (addition.group)
        cn_free(registry->alloc, addition.group, addition.group->size);
    return group != NULL;
}

const struct functype *cn_types_intern_func(struct type_registry *registry, const valtype *types,
                                            uint32_t param_count, uint32_t result_count) {
    const struct deftype *type;
    struct type_decl decl = {.kind = TYPE_FUNC,
                             .final = true,
                             .supertype = NO_SUPERTYPE,
                             .param_count = param_count,
                             .count = param_count + result_count,
                             .parts = types};
    return cn_types_intern(registry, &decl, 1, &type) ? dt_func(type) : NULL;
}

/* ---- References ---- */

void cn_types_retain(struct type_registry *registry, const struct deftype *type) {
    pthread_mutex_lock(&registry->mutex);
    CN_ASSERT(type->group->references > 0);
    type->group->references++;
    pthread_mutex_unlock(&registry->mutex);
}

/* Groups that are taken out of the registry, linked by `next`. */
struct ending {
    struct type_registry *registry;
    struct type_group *pending; /* still mention others */
    struct type_group *dead;
};

static void release_group(void *env, struct type_group *group) {
    struct ending *ending = env;
    CN_ASSERT(group->references > 0);
    if (--group->references > 0)
        return;
    unlink_group(ending->registry, group);
    group->next = ending->pending;
    ending->pending = group;
}

void cn_types_release_all(struct type_registry *registry, const struct deftype *const *types,
                          uint32_t count) {
    struct ending ending = {.registry = registry};
    pthread_mutex_lock(&registry->mutex);
    for (uint32_t i = 0; i < count; i++)
        release_group(&ending, types[i]->group);
    while (ending.pending) { /* a loop, as chains of groups may be long */
        struct type_group *group = ending.pending;
        ending.pending = group->next;
        if (group->mentions)
            cn_group_mentions(registry, group, (struct mention_visitor){release_group, &ending});
        give_ids_back(registry, group);
        group->next = ending.dead;
        ending.dead = group;
    }
    pthread_mutex_unlock(&registry->mutex);
    while (ending.dead) {
        struct type_group *group = ending.dead;
        ending.dead = group->next;
        cn_free(registry->alloc, group, group->size);
    }
}

void cn_types_release(struct type_registry *registry, const struct deftype *type) {
    cn_types_release_all(registry, &type, 1);
}

void cn_valtype_retain(struct type_registry *registry, valtype type) {
    if (type & VT_DEFINED)
        cn_types_retain(registry, cn_types_get(registry, type & VT_ID));
}

void cn_valtype_release(struct type_registry *registry, valtype type) {
    if (type & VT_DEFINED)
        cn_types_release(registry, cn_types_get(registry, type & VT_ID));
}
