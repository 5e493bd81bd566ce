/* A function's locals: declared as runs of one type, up to 50,000 of them. */
#include <string.h>

#include "validate/validator.h"

static bool add_run(struct validator *v, uint32_t count, valtype type) {
    void *runs = v->runs;
    if (!cn_grow(v->alloc, &runs, &v->run_room, v->run_count + 1, sizeof *v->runs))
        return cn_fail_memory(v->d.error);
    v->runs = runs;
    for (uint32_t i = v->local_count; i < v->local_count + count && i < FLAT_LOCALS; i++)
        v->flat[i] = type;
    v->local_count += count;
    v->runs[v->run_count++] = (struct local_run){v->local_count, type};
    return true;
}

bool cn_decode_locals(struct validator *v, const struct functype *type) {
    uint32_t runs, count, start = cn_decode_offset(&v->d);
    uint64_t total = type->param_count;
    valtype local;
    v->run_count = 0;
    v->local_count = type->param_count;
    if (type->param_count)
        memcpy(v->flat, ft_params(type), type->param_count * sizeof *v->flat);
    if (!cn_decode_count(&v->d, &runs, 2, UINT32_MAX, "locals"))
        return false;
    for (uint32_t i = 0; i < runs; i++) {
        uint32_t offset = cn_decode_offset(&v->d);
        if (!cn_decode_u32(&v->d, &count, "locals") || !cn_decode_valtype(&v->d, &local))
            return false;
        total += count;
        if (total - type->param_count > UINT32_MAX)
            return cn_fail_at(v->d.error, CATNAP_MALFORMED, offset, "too many locals");
        if (total <= LIMIT_LOCALS && count > 0 && !add_run(v, count, local))
            return false;
    }
    if (total > LIMIT_LOCALS)
        return cn_fail_at(v->d.error, CATNAP_LIMIT, start,
                          "%llu parameters and locals are more than the limit of %u",
                          (unsigned long long)total, LIMIT_LOCALS);
    v->flat_count = v->local_count < FLAT_LOCALS ? v->local_count : FLAT_LOCALS;
    return true;
}

/* The first run that ends behind the index. */
static valtype find_run(const struct validator *v, uint32_t index) {
    size_t low = 0, high = v->run_count - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->runs[middle].end <= index)
            low = middle + 1;
        else
            high = middle;
    }
    return v->runs[low].type;
}

bool cn_local_type(struct validator *v, uint32_t index, valtype *type) {
    if (index >= v->local_count)
        return cn_invalid(v, "unknown local %u: the function has %u", index, v->local_count);
    *type = index < v->flat_count ? v->flat[index] : find_run(v, index);
    return true;
}
