/* Types and values of WebAssembly as people write and read them. */
#ifndef CATNAP_CLI_VALUES_H
#define CATNAP_CLI_VALUES_H

#include <stdbool.h>
#include <stdio.h>

#include "catnap.h"

/* "i32" and so on. */
const char *kind_name(wasm_valkind_t);

/* "(i32, i64) -> f32". */
void print_functype(FILE *, const wasm_functype_t *);

/* Function, global, table or memory with its type: "memory 1..2 pages". */
void print_externtype(FILE *, const wasm_externtype_t *);

/* "10..20", or "10.." without an upper bound. */
void print_limits(FILE *, const catnap_type_limits_t *);

/*
 * Reads a value of a kind:
 *   i32, i64   signed or unsigned, decimal or 0x hexadecimal
 *   f32, f64   decimal or hexadecimal floating point, inf, nan, nan:0xPAYLOAD
 *   v128       0x and up to 32 hexadecimal digits (lane 0 last), or SHAPE:LANE,LANE... with the
 *              shapes i8x16 i16x8 i32x4 i64x2 f32x4 f64x2
 *   references null
 * False when the text is none.
 */
bool parse_value(wasm_valkind_t, const char *text, catnap_val_t *out);

/* Writes a value so that parse_value() reads it again; references as null, funcref or externref. */
void print_value(FILE *, const catnap_val_t *);

#endif
