/* How long instructions are, whose first bytes are known, found for all places at once. */
#ifndef CN_BINARY_LENGTHS_H
#define CN_BINARY_LENGTHS_H

#include <stddef.h>
#include <stdint.h>

/* Bytes behind the places that are read too, and written behind their lengths. */
#define LENGTHS_SLACK 64u
/* Marks the instructions that differ from others by more than types. */
#define LENGTH_SPECIAL 0x80u

/* For each of `size` places the length of the instruction that would begin there; 0 for one that takes
 * a closer look, such as any number of more than 5 bytes. */
typedef void (*find_lengths)(uint8_t *lengths, const uint8_t *at, size_t size);
/* The fastest form for this processor. */
find_lengths cn_find_lengths(void);

#endif
