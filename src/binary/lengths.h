/* The lengths of the instructions that could begin at each byte, found for many bytes at once. */
#ifndef CN_BINARY_LENGTHS_H
#define CN_BINARY_LENGTHS_H

#include <stddef.h>
#include <stdint.h>

/* Lengths are found for so many bytes at a time, at most: so many lengths are written, rounded up to a
 * multiple of that, and the bytes of an instruction behind them are read. */
#define LENGTHS_WIDEST 64u
#define LENGTHS_READ_BEHIND (LENGTHS_WIDEST - 1 + 6)
/* Room behind the bytes and behind their lengths that is enough for both. */
#define LENGTHS_SLACK 64u
/* Marks the instructions whose effect on the operands depends on more than the byte behind the opcode. */
#define LENGTH_SPECIAL 0x80u

/*
 * For each of `size` bytes the length of the instruction that begins there, if one does: a function of
 * that byte and the six behind it. 0 where these do not tell: for an opcode that is not known here, or a
 * number of more than 5 bytes, or one that is malformed. A length other than 0 is the one that the
 * binary format gives, whatever the value of an alignment or a reserved byte, and of a block type as if it took
 * one byte.
 */
typedef void (*find_lengths)(uint8_t *lengths, const uint8_t *at, size_t size);
/* The fastest form for this processor. */
find_lengths cn_find_lengths(void);

#endif
