/* Building WebAssembly binaries byte by byte, for unit tests. */
#ifndef TESTS_BUILD_H
#define TESTS_BUILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct bytes {
    uint8_t *data;
    size_t size, room;
};

static inline void put_bytes(struct bytes *b, const void *data, size_t size) {
    if (b->size + size > b->room) {
        b->room = (b->size + size) * 2;
        b->data = realloc(b->data, b->room);
        assert_non_null(b->data);
    }
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

static inline void put(struct bytes *b, uint8_t byte) {
    put_bytes(b, &byte, 1);
}

/* Literal bytes: PUT(&b, 0x41, 0, 0x0B). */
#define PUT(b, ...)                                                                                \
    put_bytes(b, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static inline void put_u(struct bytes *b, uint64_t value) {
    do {
        put(b, (uint8_t)((value & 0x7F) | (value > 0x7F ? 0x80 : 0)));
        value >>= 7;
    } while (value);
}

static inline void put_name(struct bytes *b, const char *name) {
    put_u(b, strlen(name));
    put_bytes(b, name, strlen(name));
}

/* Appends `part` with its length before it, and empties it. */
static inline void put_sized(struct bytes *b, struct bytes *part) {
    put_u(b, part->size);
    put_bytes(b, part->data, part->size);
    free(part->data);
    *part = (struct bytes){0};
}

static inline void put_section(struct bytes *b, uint8_t id, struct bytes *content) {
    put(b, id);
    put_sized(b, content);
}

static inline void put_preamble(struct bytes *b) {
    PUT(b, 0, 'a', 's', 'm', 1, 0, 0, 0);
}

/* A section of literal bytes: SECTION(&b, id, content...). */
#define SECTION(b, id, ...)                                                                        \
    do {                                                                                           \
        struct bytes section_content = {0};                                                        \
        PUT(&section_content, __VA_ARGS__);                                                        \
        put_section(b, id, &section_content);                                                      \
    } while (0)

static inline void drop_bytes(struct bytes *b) {
    free(b->data);
    *b = (struct bytes){0};
}

/* One function of the type () -> () with these instructions (the final end included). */
#define MODULE_OF_BODY(b, ...)                                                                     \
    do {                                                                                           \
        struct bytes module_code = {0}, module_body = {0};                                         \
        put_preamble(b);                                                                           \
        SECTION(b, 1, 1, 0x60, 0, 0);                                                              \
        SECTION(b, 3, 1, 0);                                                                       \
        PUT(&module_body, 0, __VA_ARGS__);                                                         \
        put(&module_code, 1);                                                                      \
        put_sized(&module_code, &module_body);                                                     \
        put_section(b, 10, &module_code);                                                          \
    } while (0)

#endif
