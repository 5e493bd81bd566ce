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

static bool grow_buckets(struct type_registry *registry) {
    size_t old_count = registry->bucket_count;
    struct functype **old = registry->buckets;
    struct functype **buckets = cn_calloc(registry->alloc, old_count * 2, sizeof *buckets);
    if (!buckets)
        return false;
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
    cn_free(registry->alloc, old, old_count * sizeof *old);
    return true;
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

static struct functype *add(struct type_registry *registry, uint32_t hash, const valtype *types,
                            uint32_t param_count, uint32_t result_count) {
    if (registry->type_count >= registry->bucket_count && !grow_buckets(registry))
        return NULL;
    uint32_t count = param_count + result_count;
    struct functype *type = cn_alloc(registry->alloc, functype_size(count));
    if (!type)
        return NULL;
    struct functype **bucket = bucket_of(registry, hash);
    uint32_t param_slots = slots(types, param_count);
    uint32_t result_slots = slots(types + param_count, result_count);
    *type = (struct functype){
        .next = *bucket,
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
    *bucket = type;
    registry->type_count++;
    return type;
}

const struct functype *cn_types_intern(struct type_registry *registry, const valtype *types,
                                       uint32_t param_count, uint32_t result_count) {
    uint32_t hash = hash_of(registry, types, param_count, result_count);
    pthread_mutex_lock(&registry->mutex);
    struct functype *type = find(registry, hash, types, param_count, result_count);
    if (!type)
        type = add(registry, hash, types, param_count, result_count);
    if (type)
        type->references++;
    pthread_mutex_unlock(&registry->mutex);
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
