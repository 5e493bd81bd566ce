/* Images of memories, see image.h. */
#include "runtime/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/platform.h"
#include "base/track.h"
#include "runtime/store.h"

/* Segments closer than that share a part; between them the image has holes, which a guest that reads
 * them fills. */
#define NARROW_GAP 16384u
#define MOST_PARTS 32u
/* Pages of an instance that are kept and written again: that costs less than the faults would. */
#define KEPT_PAGES 64u

/* ---- Making ---- */

static int compare_parts(const void *a, const void *b) {
    const struct image_part *left = a, *right = b;
    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

static bool is_for(const struct data_segment *data, uint32_t memory) {
    return data->mode == SEGMENT_ACTIVE && data->memory == memory && data->bytes.length > 0;
}

/* The pages of each segment, in no order. False when one is out of bounds. */
static bool list_segments(wasm_instance_t *instance, uint32_t memory, struct image *image) {
    const struct module *module = instance->module;
    uint64_t limit = instance->memories[memory]->extent, page = cn_os_page_bytes();
    for (uint32_t i = 0; i < module->data_count; i++) {
        const struct data_segment *data = &module->datas[i];
        if (data->mode != SEGMENT_ACTIVE || data->memory != memory)
            continue;
        uint64_t from = cn_instance_data_offset(instance, data), length = data->bytes.length;
        if (from > limit || length > limit - from)
            return false;
        if (length == 0)
            continue;
        uint64_t first = from / page * page;
        uint64_t end = (from + length + page - 1) / page * page;
        image->parts[image->count++] = (struct image_part){.offset = first, .size = end - first};
    }
    return true;
}

/* Joins what is close to each other, and gives each part its place. */
static void join_parts(struct image *image) {
    uint32_t count = 0;
    qsort(image->parts, image->count, sizeof *image->parts, compare_parts);
    for (uint32_t i = 0; i < image->count; i++) {
        struct image_part *last = count > 0 ? &image->parts[count - 1] : NULL;
        const struct image_part part = image->parts[i];
        if (!last || part.offset > last->offset + last->size + NARROW_GAP)
            image->parts[count++] = part;
        else if (part.offset + part.size > last->offset + last->size)
            last->size = part.offset + part.size - last->offset;
    }
    image->count = count;
    for (uint32_t i = 0; i < count; i++) {
        image->parts[i].at = image->size;
        image->size += (size_t)image->parts[i].size;
    }
}

/* The part that the offset is in, else the next one; else the end. */
static const struct image_part *part_from(const struct image *image, uint64_t offset) {
    const struct image_part *part = image->parts, *end = part + image->count;
    while (part < end && part->offset + part->size <= offset)
        part++;
    return part;
}

static bool fill(struct image *image, wasm_instance_t *instance, uint32_t memory) {
    const struct module *module = instance->module;
    image->file = cn_os_image_new(image->size);
    if (image->file < 0)
        return false;
    image->bytes = cn_os_image_open(image->file, image->size);
    if (!image->bytes)
        return false;
    for (uint32_t i = 0; i < module->data_count; i++) {
        const struct data_segment *data = &module->datas[i];
        if (!is_for(data, memory))
            continue;
        uint64_t to = cn_instance_data_offset(instance, data);
        const struct image_part *part = part_from(image, to);
        memcpy(image->bytes + part->at + (to - part->offset), module->bytes + data->bytes.offset,
               data->bytes.length);
    }
    return true;
}

static uint32_t count_segments(const struct module *module, uint32_t memory) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < module->data_count; i++)
        count += is_for(&module->datas[i], memory);
    return count;
}

static enum image_result make(struct image *image, wasm_instance_t *instance, uint32_t memory) {
    if (!list_segments(instance, memory, image))
        return IMAGE_UNFIT;
    join_parts(image);
    if (image->count > MOST_PARTS || image->count == 0)
        return image->count ? IMAGE_UNFIT : IMAGE_OK;
    return fill(image, instance, memory) ? IMAGE_OK : IMAGE_UNFIT;
}

enum image_result cn_image_new(struct image *image, wasm_instance_t *instance, uint32_t memory) {
    struct alloc *alloc = instance->ref.store->alloc;
    *image = (struct image){.file = -1};
    uint32_t most = count_segments(instance->module, memory);
    struct image_part *parts = cn_alloc(alloc, most * sizeof *parts);
    image->parts = parts;
    if (!parts)
        return IMAGE_NO_MEMORY;
    enum image_result result = make(image, instance, memory);
    uint32_t count = result == IMAGE_OK ? image->count : 0;
    image->parts = cn_alloc(alloc, count * sizeof *parts);
    if (image->parts && count > 0)
        memcpy(image->parts, parts, count * sizeof *parts);
    cn_free(alloc, parts, most * sizeof *parts);
    image->count = count;
    if (!image->parts)
        result = IMAGE_NO_MEMORY;
    if (result != IMAGE_OK)
        cn_image_free(alloc, image);
    return result;
}

void cn_image_free(struct alloc *alloc, struct image *image) {
    cn_os_release(image->bytes, image->size);
    cn_os_image_delete(image->file);
    cn_free(alloc, image->parts, image->count * sizeof *image->parts);
    *image = (struct image){.file = -1};
}

/* ---- Using ---- */

bool cn_image_lay(const struct image *image, wasm_memory_t *memory) {
    memory->imaged = image->count > 0;
    for (uint32_t i = 0; i < image->count; i++) {
        const struct image_part *part = &image->parts[i];
        if (!cn_os_image_map(image->file, part->at, memory->base + part->offset,
                             (size_t)part->size))
            return false;
    }
    return true;
}

struct reset {
    const struct image *image;
    uint8_t *base;
    size_t kept; /* bytes */
};

/* Copies and zeroes by turns. */
static void rewrite(const struct reset *reset, uint64_t from, uint64_t to) {
    const struct image *image = reset->image;
    const struct image_part *part = part_from(image, from), *end = image->parts + image->count;
    while (from < to) {
        bool inside = part < end && part->offset <= from;
        uint64_t until = part < end ? part->offset + (inside ? part->size : 0) : to;
        if (until > to)
            until = to;
        if (inside)
            memcpy(reset->base + from, image->bytes + part->at + (from - part->offset),
                   (size_t)(until - from));
        else
            memset(reset->base + from, 0, (size_t)(until - from));
        part += inside;
        from = until;
    }
}

static void reset_pages(void *env, size_t from, size_t to) {
    struct reset *reset = env;
    size_t room = KEPT_PAGES * cn_os_page_bytes() - reset->kept;
    size_t until = to - from > room ? from + room : to;
    rewrite(reset, from, until);
    reset->kept += until - from;
    cn_os_discard(reset->base + until, to - until);
}

static bool lay_again(const struct image *image, wasm_memory_t *memory, uint64_t size) {
    if (memory->backing)
        memory->ref.store->persist->forget(memory);
    if (!cn_os_decommit(memory->base, (size_t)size) || !cn_os_commit(memory->base, (size_t)size) ||
        !cn_image_lay(image, memory))
        return false;
    memory->remapped = false;
    return true;
}

bool cn_image_reset(const struct image *image, wasm_memory_t *memory, uint64_t size,
                    const struct page_source *pages) {
    struct reset reset = {.image = image, .base = memory->base};
    if (!memory->remapped &&
        cn_os_pages_own(pages, memory->base, (size_t)size, reset_pages, &reset))
        return true;
    return lay_again(image, memory, size);
}
