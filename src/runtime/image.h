/*
 * The initial contents of a memory, as a file that instances map copy-on-write: the data
 * segments and, around each, the rest of its pages. Everything else is zero.
 */
#ifndef CN_RUNTIME_IMAGE_H
#define CN_RUNTIME_IMAGE_H

#include "base/pages.h"
#include "runtime/instance.h"

struct image_part {
    uint64_t offset; /* in the memory; whole pages of the operating system */
    uint64_t size;
    uint64_t at; /* in the image */
};

struct image {
    int file;       /* or -1: there is no data */
    uint8_t *bytes; /* all of it */
    size_t size;
    struct image_part *parts; /* in order */
    uint32_t count;
};

enum image_result { IMAGE_OK, IMAGE_UNFIT, IMAGE_NO_MEMORY };

/* The image of a memory that the instance defines, by index. UNFIT: a segment is out of bounds, they
 * are scattered too widely, or the system has no such files. */
enum image_result cn_image_new(struct image *, wasm_instance_t *, uint32_t memory);
void cn_image_free(struct alloc *, struct image *);

/* Puts the image in place of a memory's pages, all of which are zero. */
bool cn_image_lay(const struct image *, wasm_memory_t *);
/* Makes the first `size` bytes, those there were at first, what they were then, whatever has become
 * of the memory; what it has grown by is the caller's to take away. */
bool cn_image_reset(const struct image *, wasm_memory_t *, uint64_t size,
                    const struct page_source *);

#endif
