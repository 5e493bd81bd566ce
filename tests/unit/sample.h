/* A valid module that has something of everything: each section, each form of segment, each kind of
 * instruction. For sweeps that cut it, change it, and starve it of memory. */
#ifndef TESTS_SAMPLE_H
#define TESTS_SAMPLE_H

#include "../support/module.h"

static inline void sample_declarations(struct bytes *b) {
    struct bytes s = {0};
    put_preamble(b);
    SECTION(b, 0, 4, 'n', 'o', 't', 'e', 1, 2, 3);
    PUT(&s, 5,                         /* types */
        0x60, 0, 0,                    /* 0: () -> () */
        0x60, 2, 0x7F, 0x7F, 1, 0x7F,  /* 1: (i32, i32) -> (i32) */
        0x60, 1, 0x7E, 2, 0x7E, 0x7D,  /* 2: (i64) -> (i64, f32) */
        0x60, 1, 0x7B, 1, 0x7B,        /* 3: (v128) -> (v128) */
        0x60, 2, 0x6F, 0x70, 1, 0x6F); /* 4: (externref, funcref) -> (externref) */
    put_section(b, 1, &s);
    PUT(&s, 4, 1, 'm', 1, 'f', 0, 1,        /* imports: function 0, */
        1, 'm', 1, 't', 1, 0x70, 1, 5, 9,   /* table 0, */
        1, 'm', 1, 'm', 2, 1, 1, 2,         /* memory 0, */
        2, 0xC3, 0xA9, 1, 'g', 3, 0x7F, 0); /* global 0 */
    put_section(b, 2, &s);
    SECTION(b, 3, 5, 0, 1, 2, 3, 4); /* functions 1 to 5 */
    SECTION(b, 4, 1, 0x6F, 0, 3);    /* table 1 */
    put(&s, 7);                      /* globals 1 to 7 */
    PUT(&s, 0x7F, 1, 0x23, 0, 0x0B);
    PUT(&s, 0x7E, 0, 0x42, 0x80, 0x7F, 0x0B);
    PUT(&s, 0x7D, 1, 0x43, 0, 0, 0x80, 0x3F, 0x0B);
    PUT(&s, 0x7C, 0, 0x44, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0x0B);
    PUT(&s, 0x70, 0, 0xD2, 1, 0x0B);
    PUT(&s, 0x6F, 1, 0xD0, 0x6F, 0x0B);
    PUT(&s, 0x7B, 0, 0xFD, 0x0C, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0x0B);
    put_section(b, 6, &s);
    PUT(&s, 5, 1, 'a', 0, 2, 1, 't', 1, 1, 1, 'm', 2, 0, 1, 'g', 3, 2, 0, 0, 5); /* exports */
    put_section(b, 7, &s);
    SECTION(b, 8, 1); /* start */
    put(&s, 8);       /* element segments: the eight forms */
    PUT(&s, 0, 0x41, 0, 0x0B, 1, 0);
    PUT(&s, 1, 0, 2, 0, 1);
    PUT(&s, 2, 0, 0x41, 1, 0x0B, 0, 2, 1, 2);
    PUT(&s, 3, 0, 1, 3);
    PUT(&s, 4, 0x41, 0, 0x0B, 1, 0xD2, 0, 0x0B);
    PUT(&s, 5, 0x6F, 2, 0xD0, 0x6F, 0x0B, 0xD0, 0x6F, 0x0B);
    PUT(&s, 6, 1, 0x23, 0, 0x0B, 0x6F, 1, 0xD0, 0x6F, 0x0B);
    PUT(&s, 7, 0x70, 1, 0xD0, 0x70, 0x0B);
    put_section(b, 9, &s);
    SECTION(b, 12, 3); /* data count */
}

static inline void sample_code(struct bytes *b) {
    struct bytes s = {0}, f = {0};
    put(&s, 5);
    /* 1: () -> (): control, memory, bulk operations, tables */
    PUT(&f, 2, 2, 0x7F, 1, 0x7E);
    PUT(&f, 0x02, 0x40, 0x03, 0x40, 0x20, 0, 0x41, 1, 0x6A, 0x22, 0, 0x41, 10, 0x48, 0x0D, 0, 0x20,
        0, 0x0E, 2, 0, 1, 1, 0x0B, 0x0B);
    PUT(&f, 0x41, 0, 0x20, 0, 0x36, 2, 0x80, 1, 0x41, 0, 0x28, 2, 0, 0x21, 1);
    PUT(&f, 0x20, 1, 0x04, 0x7F, 0x41, 0x80, 0x80, 4, 0x05, 0x00, 0x0B, 0x1A);
    PUT(&f, 0x3F, 0, 0x40, 0, 0x1A, 0x42, 0x7F, 0x21, 2, 0x20, 2, 0xC4, 0xA7, 0x1A);
    PUT(&f, 0x41, 0, 0x41, 0, 0x41, 0, 0xFC, 8, 0, 0, 0xFC, 9, 1);
    PUT(&f, 0x41, 0, 0x41, 0, 0x41, 0, 0xFC, 10, 0, 0, 0x41, 0, 0x41, 0, 0x41, 0, 0xFC, 11, 0);
    PUT(&f, 0x41, 0, 0x41, 0, 0x41, 0, 0xFC, 12, 1, 0, 0xFC, 13, 1);
    PUT(&f, 0x41, 0, 0x41, 0, 0x41, 0, 0xFC, 14, 0, 0);
    PUT(&f, 0xD0, 0x6F, 0x41, 1, 0xFC, 15, 1, 0x1A, 0xFC, 16, 1, 0x1A);
    PUT(&f, 0x41, 0, 0xD0, 0x6F, 0x41, 1, 0xFC, 17, 1, 0x41, 0, 0x25, 0, 0xD1, 0x1A);
    PUT(&f, 0x41, 0, 0xD2, 0, 0x26, 0, 0x23, 1, 0x24, 1, 0x0F, 0x0B);
    put_sized(&s, &f);
    /* 2: (i32, i32) -> (i32): calls, select */
    PUT(&f, 0, 0x20, 0, 0x20, 1, 0x10, 0, 0x20, 0, 0x20, 1, 0x41, 0, 0x11, 1, 0, 0x20, 0, 0x1B,
        0x41, 3, 0x41, 4, 0x20, 1, 0x1C, 1, 0x7F, 0x6A, 0x0B);
    put_sized(&s, &f);
    /* 3: (i64) -> (i64, f32): several values through blocks */
    PUT(&f, 0, 0x20, 0, 0x02, 2, 0x43, 0, 0, 0, 0, 0x0C, 0, 0x0B, 0x41, 1, 0x0D, 0, 0x0B);
    put_sized(&s, &f);
    /* 4: (v128) -> (v128) */
    PUT(&f, 0, 0x20, 0, 0x20, 0, 0xFD, 0x0D, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 31);
    PUT(&f, 0x20, 0, 0xFD, 0xAE, 1, 0xFD, 0x1B, 3, 0xFD, 0x11, 0x41, 0, 0x20, 0, 0xFD, 0x56, 2, 0,
        3);
    PUT(&f, 0x1A, 0x0B);
    put_sized(&s, &f);
    /* 5: (externref, funcref) -> (externref) */
    PUT(&f, 0, 0x20, 1, 0xD1, 0x45, 0x04, 0x6F, 0x20, 0, 0x05, 0xD0, 0x6F, 0x0B, 0x0B);
    put_sized(&s, &f);
    put_section(b, 10, &s);
}

static inline void sample_tail(struct bytes *b) {
    struct bytes s = {0}, names = {0};
    PUT(&s, 3, 0, 0x41, 0, 0x0B, 2, 'h', 'i', 1, 1, 0xFF, 2, 0, 0x23, 0, 0x0B, 0); /* data */
    put_section(b, 11, &s);
    put_name(&s, "name");
    put_name(&names, "sample");
    put(&s, 0);
    put_sized(&s, &names);
    PUT(&names, 2, 0, 3, 'i', 'm', 'p', 3, 2, 0xC3, 0xA9);
    put(&s, 1);
    put_sized(&s, &names);
    put_section(b, 0, &s);
}

static inline struct bytes sample_module(void) {
    struct bytes b = {0};
    sample_declarations(&b);
    sample_code(&b);
    sample_tail(&b);
    return b;
}

#endif
