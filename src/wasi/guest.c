/* Arguments that guests pass by pointer: paths and vectors of buffers. */
#include "base/utf8.h"
#include "wasi/state.h"

uint16_t cn_guest_path(const struct wasi_guest *g, uint32_t pointer, uint32_t length, char *out) {
    if (!cn_guest_range(g, pointer, length))
        return WASI_FAULT;
    if (!length)
        return WASI_NOENT;
    if (length >= WASI_MAX_PATH)
        return WASI_NAMETOOLONG;
    memcpy(out, cn_guest_at(g, pointer), length);
    out[length] = '\0';
    if (memchr(out, '\0', length))
        return WASI_INVAL;
    if (!cn_utf8_valid((const uint8_t *)out, length))
        return WASI_ILSEQ;
    return WASI_SUCCESS;
}

uint16_t cn_guest_vector(const struct wasi_guest *g, uint32_t pointer, uint32_t count,
                         struct wasi_vector *out) {
    out->count = 0;
    out->total = 0;
    if (!cn_guest_range(g, pointer, (uint64_t)count * WASI_IOVEC_SIZE))
        return WASI_FAULT;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *at = cn_guest_at(g, pointer) + (uint64_t)i * WASI_IOVEC_SIZE;
        uint32_t buffer = cn_get_u32(at);
        size_t length = cn_get_u32(at + 4);
        if (!cn_guest_range(g, buffer, length))
            return WASI_FAULT;
        if (!length)
            continue;
        if (length > WASI_MAX_TRANSFER - out->total)
            length = WASI_MAX_TRANSFER - out->total;
        out->items[out->count].iov_base = cn_guest_at(g, buffer);
        out->items[out->count].iov_len = length;
        out->count++;
        out->total += length;
        if (out->count == WASI_MAX_IOVECS || out->total == WASI_MAX_TRANSFER)
            break; /* the rest is left to the guest's next call */
    }
    return WASI_SUCCESS;
}

void cn_vector_advance(struct iovec **items, int *count, size_t size) {
    while (*count && size >= (*items)->iov_len) {
        size -= (*items)->iov_len;
        (*items)++;
        (*count)--;
    }
    if (*count && size) {
        (*items)->iov_base = (uint8_t *)(*items)->iov_base + size;
        (*items)->iov_len -= size;
    }
}
