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

/* Only parameters are written when a body begins. */
static bool start_tracking(struct validator *v, uint32_t param_count) {
    size_t bytes = (size_t)v->local_count / 8 + 1;
    if (bytes > v->written_bytes) {
        uint8_t *written = cn_alloc(v->alloc, bytes);
        if (!written)
            return cn_fail_memory(v->d.error);
        cn_free(v->alloc, v->written, v->written_bytes);
        v->written = written;
        v->written_bytes = bytes;
    }
    memset(v->written, 0, bytes);
    for (uint32_t i = 0; i < param_count; i++)
        v->written[i / 8] |= (uint8_t)(1u << i % 8);
    return true;
}

bool cn_track_local(struct validator *v, uint32_t index) {
    bool written = v->written[index / 8] >> (index % 8) & 1;
    void *writes = v->writes;
    if (v->in.opcode == OP_local_get)
        return written || cn_invalid(v, "uninitialized local %u", index);
    if (written)
        return true;
    if (!cn_grow(v->alloc, &writes, &v->write_room, v->write_count + 1, sizeof *v->writes))
        return cn_fail_memory(v->d.error);
    v->writes = writes;
    v->writes[v->write_count++] = (struct written_local){(uint32_t)v->block_count, index};
    v->written[index / 8] |= (uint8_t)(1u << index % 8);
    return true;
}

void cn_forget_writes(struct validator *v) {
    while (v->write_count > 0 && v->writes[v->write_count - 1].depth >= v->block_count) {
        uint32_t local = v->writes[--v->write_count].local;
        v->written[local / 8] &= (uint8_t)~(1u << local % 8);
    }
}

bool cn_decode_locals(struct validator *v, const struct functype *type) {
    uint32_t runs, count, start = cn_decode_offset(&v->d);
    uint64_t total = type->param_count;
    bool tracked = false;
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
        tracked |= (local & VT_NON_NULL) != 0;
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
    for (uint32_t i = 0; i < type->param_count; i++)
        tracked |= (ft_params(type)[i] & VT_NON_NULL) != 0;
    return !tracked || start_tracking(v, type->param_count);
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
