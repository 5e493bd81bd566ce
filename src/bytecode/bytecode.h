/* The bytecode table as C: enumerators, variant arithmetic, and a row of facts for each. */
#ifndef CN_BYTECODE_BYTECODE_H
#define CN_BYTECODE_BYTECODE_H

#include <stdint.h>

#include "bytecode/pins.h"

/* Slots at the frame pointer that a call fills: see docs/architecture.md, frames. */
enum frame_header {
    FRAME_RETURN_PC, /* where the caller goes on; the exit or switch_back cell for calls across */
    FRAME_CALLER,    /* the caller's frame pointer, or the entry record of a call from the host */
    FRAME_CODE,      /* struct code of this frame */
    FRAME_INSTANCE,
    FRAME_DEPTH,     /* frames that may still be made above this one */
    FRAME_RESUME,    /* while it calls another instance: where this frame goes on */
    FRAME_PIN_P,     /* the two locals that registers hold copies of: bytecode_pins.def */
    FRAME_PIN_Q,
    FRAME_HEADER_SLOTS
};
/* An entry record lies below the first frame's parameters. */
enum entry_record { ENTRY_PREVIOUS_PC, ENTRY_PREVIOUS_FP, ENTRY_RECORD_SLOTS };

/* Where operands come from, in the order of the variants. */
enum { SRC_SS, SRC_SK, SRC_KS, SRC_AS, SRC_SA, SRC_AK, SRC_KA, SRC_COUNT };
enum { STORE_SS, STORE_AS, STORE_KS, STORE_SA, STORE_KA, STORE_COUNT }; /* value, address */
enum { DST_S, DST_A };
/* Sources of the first of a pair, and orders of a branch's operands. */
enum { PAIR_SS, PAIR_SK, PAIR_AS, PAIR_AK };
enum { ORDER_FS, ORDER_FK, ORDER_RS, ORDER_RK };

/* All variants of a family: X(family, destination, sources). */
#define BIN_VARIANTS_OF(X, name, d)                                                                \
    X(name, d, ss) X(name, d, sk) X(name, d, ks) X(name, d, as) X(name, d, sa) X(name, d, ak)       \
    X(name, d, ka)
#define BC_ENUM_(name, d, src) BC_##name##_##d##_##src,
/* Pairs: X(name_variant, format). A family's own enumerator comes first and names no instruction. */
#define BC_PAIR_ENUM_(name, format) BC_##name,
#define PAIR_FORMS_(X, n, d)                                                                       \
    X(n##_ss_s, d "bce") X(n##_ss_k, d "bcx") X(n##_sk_s, d "bxe") X(n##_sk_k, d "bx+")            \
    X(n##_as_s, d "Ace") X(n##_as_k, d "Acx") X(n##_ak_s, d "Axe") X(n##_ak_k, d "Ax+")
#define PAIR_VARIANTS_OF(X, n) PAIR_FORMS_(X, n##_s, "d") PAIR_FORMS_(X, n##_a, "A")
#define PAIR_LOAD_FORMS_(X, n, d)                                                                  \
    X(n##_ss, d "bhw") X(n##_sk, d "blw") X(n##_as, d "Ahw") X(n##_ak, d "Alw")
#define PAIR_LOAD_VARIANTS_OF(X, n)                                                                \
    PAIR_LOAD_FORMS_(X, n##_g_s, "d") PAIR_LOAD_FORMS_(X, n##_g_a, "A")                            \
    PAIR_LOAD_FORMS_(X, n##_e_s, "d") PAIR_LOAD_FORMS_(X, n##_e_a, "A")
#define LOAD_PAIR_FORMS_(X, n, d)                                                                  \
    X(n##_s_s, d "bwh") X(n##_s_k, d "bwx") X(n##_a_s, d "Awh") X(n##_a_k, d "Awx")
#define LOAD_PAIR_VARIANTS_OF(X, n)                                                                \
    LOAD_PAIR_FORMS_(X, n##_g_s, "d") LOAD_PAIR_FORMS_(X, n##_g_a, "A")                            \
    LOAD_PAIR_FORMS_(X, n##_e_s, "d") LOAD_PAIR_FORMS_(X, n##_e_a, "A")
#define BRANCH_FORMS_(X, n, first)                                                                 \
    X(n##_fs, first "hW") X(n##_fk, first "lW") X(n##_rs, "h" first "W") X(n##_rk, "l" first "W")
#define PAIR_BRANCH_VARIANTS_OF(X, n)                                                              \
    BRANCH_FORMS_(X, n##_ss, "aH") BRANCH_FORMS_(X, n##_sk, "aL")                                  \
    BRANCH_FORMS_(X, n##_as, "AH") BRANCH_FORMS_(X, n##_ak, "AL")
#define LOAD_BRANCH_VARIANTS_OF(X, n)                                                              \
    BRANCH_FORMS_(X, n##_g_s, "aL") BRANCH_FORMS_(X, n##_g_a, "AL")                                \
    BRANCH_FORMS_(X, n##_e_s, "aL") BRANCH_FORMS_(X, n##_e_a, "AL")
#define STEP_BRANCH_VARIANTS_OF(X, n) BRANCH_FORMS_(X, n##_s, "aH") BRANCH_FORMS_(X, n##_k, "aL")

enum bytecode {
    BC_NONE,
#define BIN(name, R, T, order, ...)                                                                \
    BC_##name, BC_##name##_s_ss = BC_##name, BC_##name##_s_sk, BC_##name##_s_ks,                    \
               BC_##name##_s_as, BC_##name##_s_sa, BC_##name##_s_ak, BC_##name##_s_ka,              \
               BIN_VARIANTS_OF(BC_ENUM_, name, a)
#define BINT(name, R, T, check, ...) BIN(name, R, T, ORDERED, 0)
#define UN(name, R, T, ...)                                                                        \
    BC_##name, BC_##name##_s_s = BC_##name, BC_##name##_s_a, BC_##name##_a_s, BC_##name##_a_a,
#define UNT(name, R, T, check, ...) UN(name, R, T, 0)
#define CMP(name, T, order, ...)                                                                   \
    BC_##name, BC_##name##_ss = BC_##name, BC_##name##_sk, BC_##name##_ks, BC_##name##_as,          \
               BC_##name##_sa, BC_##name##_ak, BC_##name##_ka,
#define LOAD(name, R, access)                                                                      \
    BC_##name, BC_##name##_g_s_s = BC_##name, BC_##name##_g_s_a, BC_##name##_g_a_s,                 \
               BC_##name##_g_a_a, BC_##name##_e_s_s, BC_##name##_e_s_a, BC_##name##_e_a_s,          \
               BC_##name##_e_a_a,
#define STORE(name, T, access)                                                                     \
    BC_##name, BC_##name##_g_ss = BC_##name, BC_##name##_g_as, BC_##name##_g_ks,                    \
               BC_##name##_g_sa, BC_##name##_g_ka, BC_##name##_e_ss, BC_##name##_e_as,              \
               BC_##name##_e_ks, BC_##name##_e_sa, BC_##name##_e_ka,
#define OP(name, format) BC_##name,
#define PAIR(t, T, first, e1, second, e2)                                                          \
    BC_##t##_##first##_##second,                                                                   \
        PAIR_VARIANTS_OF(BC_PAIR_ENUM_, t##_##first##_##second)
#define PAIR_LOAD(name, R, access)                                                                 \
    BC_##name##_at, PAIR_LOAD_VARIANTS_OF(BC_PAIR_ENUM_, name##_at)
#define LOAD_PAIR(load, T, access, second, e2)                                                     \
    BC_##load##_##second, LOAD_PAIR_VARIANTS_OF(BC_PAIR_ENUM_, load##_##second)
#define PAIR_BRANCH(first, e1, compare, e2)                                                        \
    BC_##first##_##compare, PAIR_BRANCH_VARIANTS_OF(BC_PAIR_ENUM_, first##_##compare)
#define LOAD_BRANCH(load, access, compare, e2)                                                     \
    BC_##load##_##compare, LOAD_BRANCH_VARIANTS_OF(BC_PAIR_ENUM_, load##_##compare)
#define STEP_BRANCH(t, T, compare, e2)                                                             \
    BC_##t##_step_##compare, STEP_BRANCH_VARIANTS_OF(BC_PAIR_ENUM_, t##_step_##compare)
#define PAIR_OP(name, format) BC_##name,
/* A family's own enumerator comes first and names no instruction; all letters follow. */
#define BC_PIN_DXY_(n, d, x, y) BC_pin_##n##_##d##_##x##y,
#define BC_PIN_LOAD_(n, check, d, x) BC_pin_##n##_##check##_##d##_##x,
#define BC_PIN_STORE_(n, check, v, x) BC_pin_##n##_##check##_##v##x,
#define BC_PIN_XY_(n, x, y) BC_pin_##n##_##x##y,
#define BC_PIN_STEP_(n, pin, step, order, c) BC_pin_##n##_##pin##_##step##_##order##c,
#define PIN_BIN(name, R, T, order, ...) BC_pin_##name, PIN_ALL_DXY(BC_PIN_DXY_, name)
#define PIN_LOAD(name, R, access)                                                                  \
    BC_pin_##name, PIN_ALL_XY(BC_PIN_LOAD_, name, g) PIN_ALL_XY(BC_PIN_LOAD_, name, e)
#define PIN_LOAD_ADDRESS(name, R, access) PIN_LOAD(name, R, access)
#define PIN_STORE(name, T, access)                                                                 \
    BC_pin_##name, PIN_ALL_XY(BC_PIN_STORE_, name, g) PIN_ALL_XY(BC_PIN_STORE_, name, e)
#define PIN_STORE_ADDRESS(name, T, access) PIN_STORE(name, T, access)
#define PIN_STORE_VECTOR(name, T, access) PIN_STORE(name, T, access)
#define PIN_CMP(name, T, order, ...) BC_pin_##name, PIN_ALL_XY(BC_PIN_XY_, name)
#define PIN_STEP(t, T, compare, e2)                                                                \
    BC_pin_##t##_step_##compare, PIN_STEP_FORMS(BC_PIN_STEP_, t##_step_##compare)
#include "bytecode/bytecode.def"
#undef BIN
#undef BINT
#undef UN
#undef UNT
#undef CMP
#undef LOAD
#undef STORE
#undef OP
    BC_COUNT,
};

struct bytecode_info {
    const char *name;
    const char *format; /* see bytecode.def */
};
extern const struct bytecode_info cn_bytecode_info[BC_COUNT];

/* Cells of an instruction; `code` points at its first. */
uint32_t cn_bytecode_length(enum bytecode, const uint64_t *code);

/* The handler addresses, indexed by enum bytecode; 0 where a variant is not built. */
const uint64_t *cn_handlers(void);

/* Fields. */
static inline int16_t bc_o(const uint64_t *pc, unsigned field) {
    return (int16_t)(uint16_t)(pc[1] >> (16 * field));
}
static inline int32_t bc_w(const uint64_t *pc) { return (int32_t)(uint32_t)(pc[1] >> 32); }

#endif
