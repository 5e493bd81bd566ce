/*
 * The file format, which docs/explanation/snapshots.md describes: a header, parts that hold the structure, and
 * the area that holds pages and modules. All numbers are little-endian.
 */
#ifndef CN_PERSIST_FORMAT_H
#define CN_PERSIST_FORMAT_H

#define FORMAT_MAGIC "\0catnap\n"
/* Of snapshots with values of the any hierarchy, and of all others, which have no part "heap". */
#define FORMAT_VERSION 2u
#define FORMAT_PLAIN_VERSION 1u
#define FORMAT_ALIGN 65536u /* of the area: a multiple of any system's page size */

enum { FLAG_DELTA = 1, FLAG_COMPRESSED = 2 };

/* Of a memory, beside the flags of limits. */
enum { MEMORY_SHARED = 2 };

/* Offsets in the header. */
enum {
    HEAD_MAGIC = 0,
    HEAD_VERSION = 8,
    HEAD_FLAGS = 12,
    HEAD_LENGTH = 16,       /* of the file */
    HEAD_PARTS_LENGTH = 24, /* the parts follow the header */
    HEAD_AREA = 32,         /* where the area starts */
    HEAD_IDENTITY = 40,     /* of the state: 16 bytes */
    HEAD_BASE = 56,         /* of a delta: the identity that it needs */
    HEAD_CHECKSUM = 72,     /* XXH3-64 of the header up to here */
    HEAD_SIZE = 80
};

/* A part: name, length, XXH3-64 of its contents, contents. */
enum { PART_NAME = 0, PART_LENGTH = 8, PART_CHECKSUM = 16, PART_HEAD = 24 };
#define PART_NAMES {"state", "modules", "objects", "frames", "data", "pages", "heap"}
enum part_index {
    PART_STATE,
    PART_MODULES,
    PART_OBJECTS,
    PART_FRAMES,
    PART_DATA,
    PART_PAGES,
    PART_HEAP,
    PARTS
};

#define NO_BYTES UINT64_MAX /* an offset in the area where there is nothing */

#endif
