/* Facts about bytecode instructions, from the table. */
#include "bytecode/bytecode.h"

#include <string.h>

#define K_I32 "w"
#define K_I64 "x"
#define K_F32 "w"
#define K_F64 "x"
#define D_s "d"
#define D_a "A"
#define FORMAT_ss(T) "bc"
#define FORMAT_sk(T) "b" K_##T
#define FORMAT_ks(T) K_##T "b"
#define FORMAT_as(T) "Ac"
#define FORMAT_sa(T) "bA"
#define FORMAT_ak(T) "A" K_##T
#define FORMAT_ka(T) K_##T "A"

#define ROW(name, format) [BC_##name] = {#name, format},
#define BIN_ROW(name, T, d, src) ROW(name##_##d##_##src, D_##d FORMAT_##src(T))
#define BIN_ROWS(name, T, d)                                                                       \
    BIN_ROW(name, T, d, ss) BIN_ROW(name, T, d, sk) BIN_ROW(name, T, d, ks)                        \
    BIN_ROW(name, T, d, as) BIN_ROW(name, T, d, sa) BIN_ROW(name, T, d, ak) BIN_ROW(name, T, d, ka)

const struct bytecode_info cn_bytecode_info[BC_COUNT] = {
#define BIN(name, R, T, order, ...) BIN_ROWS(name, T, s) BIN_ROWS(name, T, a)
#define BINT(name, R, T, check, ...) BIN_ROWS(name, T, s) BIN_ROWS(name, T, a)
#define UN(name, R, T, ...)                                                                        \
    ROW(name##_s_s, "db") ROW(name##_s_a, "dA") ROW(name##_a_s, "Ab") ROW(name##_a_a, "AA")
#define UNT(name, R, T, check, ...) UN(name, R, T, 0)
#define CMP(name, T, order, ...)                                                                   \
    ROW(name##_ss, "abW") ROW(name##_sk, "axW") ROW(name##_ks, "xaW") ROW(name##_as, "AbW")        \
    ROW(name##_sa, "aAW") ROW(name##_ak, "AxW") ROW(name##_ka, "xAW")
#define LOAD_ROWS(name)                                                                            \
    ROW(name##_s_s, "dbw") ROW(name##_s_a, "dAw") ROW(name##_a_s, "Abw") ROW(name##_a_a, "AAw")
#define LOAD(name, R, access) LOAD_ROWS(name##_g) LOAD_ROWS(name##_e)
#define VECTOR_PAIR_LOAD_ROWS(name)                                                                \
    ROW(name##_s_s, "dbcn") ROW(name##_s_a, "dAcn") ROW(name##_a_s, "Abcn") ROW(name##_a_a, "AAcn")
#define VECTOR_PAIR_LOAD(name) VECTOR_PAIR_LOAD_ROWS(name##_g) VECTOR_PAIR_LOAD_ROWS(name##_e)
#define STORE_ROWS(name)                                                                           \
    ROW(name##_ss, "abw") ROW(name##_as, "Abw") ROW(name##_ks, "xbw") ROW(name##_sa, "aAw")        \
    ROW(name##_ka, "xAw")
#define STORE(name, T, access) STORE_ROWS(name##_g) STORE_ROWS(name##_e)
#define OP(name, format) ROW(name, format)
#define PAIR(t, T, first, e1, second, e2) PAIR_VARIANTS_OF(ROW, t##_##first##_##second)
#define PAIR_LOAD(name, R, access) PAIR_LOAD_VARIANTS_OF(ROW, name##_at)
#define LOAD_PAIR(load, T, access, second, e2) LOAD_PAIR_VARIANTS_OF(ROW, load##_##second)
#define PAIR_BRANCH(first, e1, compare, e2) PAIR_BRANCH_VARIANTS_OF(ROW, first##_##compare)
#define LOAD_BRANCH(load, access, compare, e2) LOAD_BRANCH_VARIANTS_OF(ROW, load##_##compare)
#define STEP_BRANCH(t, T, compare, e2) STEP_BRANCH_VARIANTS_OF(ROW, t##_step_##compare)
#define PAIR_OP(name, format) ROW(name, format)
#define L_s(slot) slot
#define L_k(slot) "x"
#define L_a(slot) "A"
#define L_p(slot) "p"
#define L_q(slot) "q"
#define D_k "x"
#define D_p "p"
#define D_q "q"
#define K_OF(T) K_##T
/* A 32-bit constant of a BIN lies in w. */
#define LB_s(T) "b"
#define LB_k(T) K_##T
#define LB_a(T) "A"
#define LB_p(T) "p"
#define LB_q(T) "q"
#define PIN_DXY_ROW(n, T, d, x, y) ROW(pin_##n##_##d##_##x##y, D_##d LB_##x(T) LB_##y(T))
#define PIN_BASE_ROW(n, T, d, x, y) ROW(pin_##n##_##d##_##x##y, D_##d FORMAT_##x##y(T))
#define PIN_LOAD_ROW(n, check, d, x) ROW(pin_##n##_##check##_##d##_##x, D_##d L_##x("b") "w")
#define PIN_STORE_ROW(n, check, v, x) ROW(pin_##n##_##check##_##v##x, L_##v("a") L_##x("b") "w")
#define PIN_XY_ROW(n, x, y) ROW(pin_##n##_##x##y, L_##x("a") L_##y("a") "W")
#define STEP_s "H"
#define STEP_k "L"
#define STEP_C_s "h"
#define STEP_C_k "l"
#define STEP_C_o "o"
#define PIN_STEP_ROW(n, pin, step, order, c)                                                       \
    ROW(pin_##n##_##pin##_##step##_##order##c, #pin STEP_##step STEP_C_##c "W")
#define PIN_BIN(name, R, T, order, ...)                                                            \
    PIN_SOURCES_##order(PIN_DXY_ROW, name, T, s) PIN_SOURCES_##order(PIN_DXY_ROW, name, T, a)      \
    PIN_SOURCES_##order(PIN_DXY_ROW, name, T, p) PIN_SOURCES_##order(PIN_DXY_ROW, name, T, q)      \
    BASE_SOURCES_##order(PIN_BASE_ROW, name, T, p) BASE_SOURCES_##order(PIN_BASE_ROW, name, T, q)
#define PIN_LOAD(name, R, access)                                                                  \
    PIN_LOAD_FORMS(PIN_LOAD_ROW, name, g) PIN_LOAD_FORMS(PIN_LOAD_ROW, name, e)
#define PIN_LOAD_ADDRESS(name, R, access)                                                          \
    PIN_LOAD_ADDRESS_FORMS(PIN_LOAD_ROW, name, g) PIN_LOAD_ADDRESS_FORMS(PIN_LOAD_ROW, name, e)
#define PIN_STORE(name, T, access)                                                                 \
    PIN_STORE_FORMS(PIN_STORE_ROW, name, g) PIN_STORE_FORMS(PIN_STORE_ROW, name, e)
#define PIN_STORE_ADDRESS(name, T, access)                                                         \
    PIN_STORE_ADDRESS_FORMS(PIN_STORE_ROW, name, g) PIN_STORE_ADDRESS_FORMS(PIN_STORE_ROW, name, e)
#define PIN_STORE_VECTOR(name, T, access)                                                          \
    PIN_STORE_VECTOR_FORMS(PIN_STORE_ROW, name, g) PIN_STORE_VECTOR_FORMS(PIN_STORE_ROW, name, e)
#define PIN_CMP(name, T, order, ...) PIN_SOURCES_##order(PIN_XY_ROW, name)
#define PIN_STEP(t, T, compare, e2) PIN_STEP_FORMS(PIN_STEP_ROW, t##_step_##compare)
#include "bytecode/bytecode.def"
};

uint32_t cn_bytecode_length(enum bytecode bytecode, const uint64_t *code) {
    const char *format = cn_bytecode_info[bytecode].format;
    const char *table = strpbrk(format, "tT");
    if (table)
        return (*table == 't' ? 2 : 3) + ((uint32_t)(code[1] >> 32) + 2) / 2;
    return strpbrk(format, "yg+") ? 4 : strpbrk(format, "xfhlHL") ? 3 : *format ? 2 : 1;
}
