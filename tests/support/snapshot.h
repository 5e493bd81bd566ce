/* Snapshots as bytes that tests change: their parts, and their checksums as a hostile writer would make them. */
#ifndef TESTS_SUPPORT_SNAPSHOT_H
#define TESTS_SUPPORT_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <xxhash.h>

#include "persist/format.h"

static inline uint64_t get64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline void put64(uint8_t *at, uint64_t value) {
    memcpy(at, &value, sizeof value);
}

/* Where a part's contents are; false when there is no such part. */
static inline bool find_part(const uint8_t *bytes, size_t size, unsigned part, size_t *at,
                             size_t *length) {
    if (size < HEAD_SIZE)
        return false;
    uint64_t parts = get64(bytes + HEAD_PARTS_LENGTH);
    size_t next = HEAD_SIZE, end = parts < size - HEAD_SIZE ? HEAD_SIZE + (size_t)parts : size;
    for (unsigned i = 0; i <= part; i++) {
        if (next > end || end - next < PART_HEAD)
            return false;
        *at = next + PART_HEAD;
        uint64_t stated = get64(bytes + next + PART_LENGTH);
        if (stated > end - *at)
            return false;
        *length = (size_t)stated;
        next = *at + *length;
    }
    return true;
}

/* Corrects the length and all checksums of the structure. */
static inline void mend_structure(uint8_t *bytes, size_t size) {
    size_t at = 0, length = 0;
    for (unsigned part = 0; part < PARTS && find_part(bytes, size, part, &at, &length); part++)
        put64(bytes + at - PART_HEAD + PART_CHECKSUM, XXH3_64bits(bytes + at, length));
    put64(bytes + HEAD_LENGTH, size);
    put64(bytes + HEAD_CHECKSUM, XXH3_64bits(bytes, HEAD_CHECKSUM));
}

#endif
