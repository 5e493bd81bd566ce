/* Standard streams that are no descriptors of the host: nothing, bytes, callbacks, buffers. */
#include <errno.h>
#include <stdlib.h>

#include "wasi/state.h"

void cn_stream_free(struct wasi_stream *stream) {
    if (!stream->kept)
        free(stream->bytes);
    *stream = (struct wasi_stream){.kind = WASI_STREAM_NULL};
}

/*
 * A callback that claims more than it was offered is wrong, and must not become the guest's length.
 */
static int64_t checked(int64_t moved, size_t size) {
    if (moved < INT32_MIN || moved > (int64_t)size)
        return -EIO;
    return moved;
}

int64_t cn_stream_read(struct wasi_stream *stream, void *bytes, size_t size) {
    size_t left = stream->length - stream->position;

    if (stream->kind == WASI_STREAM_CALLBACK)
        return checked(stream->read(stream->env, bytes, size), size);
    if (stream->kind != WASI_STREAM_BYTES)
        return 0;
    if (size > left)
        size = left;
    if (size)
        memcpy(bytes, stream->bytes + stream->position, size);
    stream->position += size;
    return (int64_t)size;
}

/* Makes room for `need` bytes in all. */
static bool reserve(struct wasi_stream *stream, size_t need) {
    size_t capacity = stream->capacity < 512 ? 512 : stream->capacity;

    if (need <= stream->capacity)
        return true;
    while (capacity < need)
        capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
    if (capacity > stream->limit)
        capacity = stream->limit;
    uint8_t *bytes = realloc(stream->bytes, capacity);
    if (!bytes)
        return false;
    stream->bytes = bytes;
    stream->capacity = capacity;
    return true;
}

int64_t cn_stream_write(struct wasi_stream *stream, const void *bytes, size_t size) {
    if (stream->kind == WASI_STREAM_CALLBACK)
        return checked(stream->write(stream->env, bytes, size), size);
    if (stream->kind != WASI_STREAM_BUFFER)
        return (int64_t)size;
    if (size > stream->limit - stream->length)
        size = stream->limit - stream->length;
    if (!size)
        return -ENOSPC;
    if (!reserve(stream, stream->length + size))
        return -ENOMEM;
    memcpy(stream->bytes + stream->length, bytes, size);
    stream->length += size;
    return (int64_t)size;
}
