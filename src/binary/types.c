#include "binary/types.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define FIRST_BUCKETS 64u

bool cn_types_init(struct type_registry *registry, struct alloc *alloc) {
    *registry = (struct type_registry){.alloc = alloc, .bucket_count = FIRST_BUCKETS};
    registry->buckets = cn_calloc(alloc, FIRST_BUCKETS, sizeof *registry->buckets);
    if (!registry->buckets)
        return false;
    if (pthread_mutex_init(&registry->mutex, NULL) != 0) {
        cn_free(alloc, registry->buckets, FIRST_BUCKETS * sizeof *registry->buckets);
        return false;
    }
    return true;
}

static size_t functype_size(uint32_t count) {
    return sizeof(struct functype) + ((size_t)count + 1) * sizeof(valtype);
}

void cn_types_destroy(struct type_registry *registry) {
    for (size_t i = 0; i < registry->bucket_count; i++) {
        struct functype *type = registry->buckets[i];
        while (type) {
            struct functype *next = type->next;
            cn_free(registry->alloc, type, functype_size(type->param_count + type->result_count));
            type = next;
        }
    }
    cn_free(registry->alloc, registry->buckets, registry->bucket_count * sizeof *registry->buckets);
    pthread_mutex_destroy(&registry->mutex);
}

/* The registry's address is the seed, so that a module cannot know which types collide. */
static uint32_t hash_of(const struct type_registry *registry, const valtype *types,
                        uint32_t param_count, uint32_t result_count) {
    uint64_t seed = (uint64_t)(uintptr_t)registry ^ ((uint64_t)param_count << 32);
    size_t count = (size_t)param_count + result_count;
    return (uint32_t)XXH3_64bits_withSeed(types, count * sizeof *types, seed);
}

static struct functype **bucket_of(const struct type_registry *registry, uint32_t hash) {
    return &registry->buckets[hash & (registry->bucket_count - 1)];
}

static struct functype *find(const struct type_registry *registry, uint32_t hash,
                             const valtype *types, uint32_t param_count, uint32_t result_count) {
    size_t bytes = ((size_t)param_count + result_count) * sizeof *types;
    for (struct functype *type = *bucket_of(registry, hash); type; type = type->next)
        if (type->hash == hash && type->param_count == param_count &&
            type->result_count == result_count &&
            (bytes == 0 || memcmp(type->types, types, bytes) == 0))
            return type;
    return NULL;
}

/* Moves all types to `buckets`, twice as many; gives those that they were in, to be freed. */
static struct functype **spread(struct type_registry *registry, struct functype **buckets) {
    size_t old_count = registry->bucket_count;
    struct functype **old = registry->buckets;
    registry->buckets = buckets;
    registry->bucket_count = old_count * 2;
    for (size_t i = 0; i < old_count; i++) {
        struct functype *type = old[i];
        while (type) {
            struct functype *next = type->next;
            struct functype **bucket = bucket_of(registry, type->hash);
            type->next = *bucket;
            *bucket = type;
            type = next;
        }
    }
    return old;
}

static uint32_t slots(const valtype *types, uint32_t count) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += vt_slots(types[i]);
    return sum;
}

static uint32_t narrow(const valtype *types, uint32_t count) {
    uint32_t bits = 0;
    for (uint32_t i = 0, slot = 0; i < count && slot < 32; slot += vt_slots(types[i++]))
        if (types[i] == VT_I32 || types[i] == VT_F32)
            bits |= UINT32_C(1) << slot;
    return bits;
}

static bool are_numbers(const valtype *types, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (!vt_is_num(types[i]))
            return false;
    return true;
}

/* Not in the registry yet. NULL when memory is exhausted. */
static struct functype *make(const struct type_registry *registry, uint32_t hash,
                             const valtype *types, uint32_t param_count, uint32_t result_count) {
    uint32_t count = param_count + result_count;
    struct functype *type = cn_alloc(registry->alloc, functype_size(count));
    if (!type)
        return NULL;
    uint32_t param_slots = slots(types, param_count);
    uint32_t result_slots = slots(types + param_count, result_count);
    *type = (struct functype){
        .hash = hash,
        .param_count = param_count,
        .result_count = result_count,
        .param_slots = param_slots,
        .result_slots = result_slots,
        .value_slots = param_slots > result_slots ? param_slots : result_slots,
        .narrow_params = narrow(types, param_count),
        .narrow_results = narrow(types + param_count, result_count),
        .numbers = are_numbers(types, count),
    };
    if (count)
        memcpy(type->types, types, count * sizeof *types);
    type->types[count] = VT_BOTTOM;
    return type;
}

/* What a new type takes, allocated and freed without the mutex: both call the embedder. */
struct addition {
    struct functype *type;
    struct functype **buckets; /* NULL: there are enough */
    size_t bucket_count;
};

/* False when memory is exhausted. */
static bool prepare(const struct type_registry *registry, struct addition *addition, bool crowded,
                    uint32_t hash, const valtype *types, uint32_t param_count,
                    uint32_t result_count) {
    addition->type = make(registry, hash, types, param_count, result_count);
    if (crowded)
        addition->buckets =
            cn_calloc(registry->alloc, addition->bucket_count, sizeof *addition->buckets);
    return addition->type && (!crowded || addition->buckets);
}

static void drop(const struct type_registry *registry, const struct addition *addition) {
    if (addition->type)
        cn_free(registry->alloc, addition->type,
                functype_size(addition->type->param_count + addition->type->result_count));
    cn_free(registry->alloc, addition->buckets, addition->bucket_count * sizeof *addition->buckets);
}

/* The mutex is held. What was not needed, or is replaced, stays in `addition`. */
static struct functype *add(struct type_registry *registry, struct addition *addition) {
    struct functype *type = addition->type;
    if (addition->buckets && registry->bucket_count * 2 == addition->bucket_count) {
        addition->buckets = spread(registry, addition->buckets);
        addition->bucket_count /= 2;
    }
    struct functype **bucket = bucket_of(registry, type->hash);
    type->next = *bucket;
    *bucket = type;
    registry->type_count++;
    addition->type = NULL;
    return type;
}

const struct functype *cn_types_intern(struct type_registry *registry, const valtype *types,
                                       uint32_t param_count, uint32_t result_count) {
    struct addition addition = {0};
    uint32_t hash = hash_of(registry, types, param_count, result_count);
    pthread_mutex_lock(&registry->mutex);
    struct functype *type = find(registry, hash, types, param_count, result_count);
    if (type)
        type->references++;
    bool crowded = registry->type_count >= registry->bucket_count;
    addition.bucket_count = registry->bucket_count * 2;
    pthread_mutex_unlock(&registry->mutex);
    if (type)
        return type;
    if (prepare(registry, &addition, crowded, hash, types, param_count, result_count)) {
        pthread_mutex_lock(&registry->mutex);
        type = find(registry, hash, types, param_count, result_count);
        if (!type)
            type = add(registry, &addition);
        type->references++;
        pthread_mutex_unlock(&registry->mutex);
    }
    drop(registry, &addition);
    return type;
}

void cn_types_retain(struct type_registry *registry, const struct functype *type) {
    pthread_mutex_lock(&registry->mutex);
    ((struct functype *)type)->references++;
    pthread_mutex_unlock(&registry->mutex);
}

void cn_types_release(struct type_registry *registry, const struct functype *released) {
    struct functype *type = (struct functype *)released;
    pthread_mutex_lock(&registry->mutex);
    bool last = --type->references == 0;
    if (last) {
        struct functype **link = bucket_of(registry, type->hash);
        while (*link != type)
            link = &(*link)->next;
        *link = type->next;
        registry->type_count--;
    }
    pthread_mutex_unlock(&registry->mutex);
    if (last)
        cn_free(registry->alloc, type, functype_size(type->param_count + type->result_count));
}

/* ---- Types as text ---- */

const char *cn_valtype_name(valtype type) {
    switch (type) {
    case VT_I32:
        return "i32";
    case VT_I64:
        return "i64";
    case VT_F32:
        return "f32";
    case VT_F64:
        return "f64";
    case VT_V128:
        return "v128";
    case VT_FUNCREF:
        return "funcref";
    case VT_EXTERNREF:
        return "externref";
    case VT_BOTTOM:
        return "any";
    default:
        return "unknown";
    }
}

/* Appends what fits, always NUL-terminated. */
static void append(char **text, size_t *room, const char *word) {
    while (*word && *room > 1) {
        *(*text)++ = *word++;
        (*room)--;
    }
    if (*room > 0)
        **text = '\0';
}

static void append_types(char **text, size_t *room, const valtype *types, uint32_t count) {
    append(text, room, "(");
    for (uint32_t i = 0; i < count && *room > 1; i++) {
        if (i > 0)
            append(text, room, ", ");
        append(text, room, cn_valtype_name(types[i]));
    }
    append(text, room, ")");
}

char *cn_functype_format(const struct functype *type, char *text, size_t size) {
    char *at = text;
    append_types(&at, &size, ft_params(type), type->param_count);
    append(&at, &size, " -> ");
    append_types(&at, &size, ft_results(type), type->result_count);
    return text;
}
