/*
 * The variants of bytecode_pins.def, as lists: X(name, destination, sources...) and so on. Sources
 * with a pin: one letter for each operand, of which at most one is a slot; where operands commute the
 * pin is first.
 */
#ifndef CN_BYTECODE_PINS_H
#define CN_BYTECODE_PINS_H

/* X(extra..., x, y) for the sources of each order. */
#define PIN_SOURCES_COMM(X, ...)                                                                   \
    X(__VA_ARGS__, p, s) X(__VA_ARGS__, p, k) X(__VA_ARGS__, p, a) X(__VA_ARGS__, p, q)            \
    X(__VA_ARGS__, q, s) X(__VA_ARGS__, q, k) X(__VA_ARGS__, q, a)
#define PIN_SOURCES_ORDERED(X, ...)                                                                \
    PIN_SOURCES_COMM(X, __VA_ARGS__) X(__VA_ARGS__, q, p) X(__VA_ARGS__, s, p)                     \
    X(__VA_ARGS__, s, q) X(__VA_ARGS__, a, p) X(__VA_ARGS__, a, q) X(__VA_ARGS__, k, p)            \
    X(__VA_ARGS__, k, q)
/* Without pins, for destinations that are. */
#define BASE_SOURCES_COMM(X, ...)                                                                  \
    X(__VA_ARGS__, s, s) X(__VA_ARGS__, s, k) X(__VA_ARGS__, a, s) X(__VA_ARGS__, a, k)
#define BASE_SOURCES_ORDERED(X, ...)                                                               \
    BASE_SOURCES_COMM(X, __VA_ARGS__) X(__VA_ARGS__, k, s) X(__VA_ARGS__, s, a)                    \
    X(__VA_ARGS__, k, a)

/* Addresses and destinations of loads, values and addresses of stores. */
#define PIN_LOAD_FORMS(X, ...)                                                                     \
    PIN_LOAD_ADDRESS_FORMS(X, __VA_ARGS__)                                                         \
    X(__VA_ARGS__, p, s) X(__VA_ARGS__, p, a) X(__VA_ARGS__, p, p) X(__VA_ARGS__, p, q)            \
    X(__VA_ARGS__, q, s) X(__VA_ARGS__, q, a) X(__VA_ARGS__, q, p) X(__VA_ARGS__, q, q)
#define PIN_LOAD_ADDRESS_FORMS(X, ...)                                                             \
    X(__VA_ARGS__, s, p) X(__VA_ARGS__, s, q) X(__VA_ARGS__, a, p) X(__VA_ARGS__, a, q)
#define PIN_STORE_FORMS(X, ...)                                                                    \
    PIN_STORE_ADDRESS_FORMS(X, __VA_ARGS__)                                                        \
    X(__VA_ARGS__, p, s) X(__VA_ARGS__, p, a) X(__VA_ARGS__, p, q) X(__VA_ARGS__, q, s)            \
    X(__VA_ARGS__, q, a) X(__VA_ARGS__, q, p)
#define PIN_STORE_ADDRESS_FORMS(X, ...)                                                            \
    PIN_STORE_VECTOR_FORMS(X, __VA_ARGS__) X(__VA_ARGS__, k, p) X(__VA_ARGS__, k, q)
#define PIN_STORE_VECTOR_FORMS(X, ...)                                                             \
    X(__VA_ARGS__, s, p) X(__VA_ARGS__, a, p) X(__VA_ARGS__, s, q) X(__VA_ARGS__, a, q)

/* All combinations have an enumerator, so that a variant is found by arithmetic: letters s, k, a, p,
 * q in this order, destination (or nothing), then first, then second source. */
#define PIN_LETTERS 5
#define PIN_ALL_Y(X, ...)                                                                          \
    X(__VA_ARGS__, s) X(__VA_ARGS__, k) X(__VA_ARGS__, a) X(__VA_ARGS__, p) X(__VA_ARGS__, q)
#define PIN_ALL_XY(X, ...)                                                                         \
    PIN_ALL_Y(X, __VA_ARGS__, s) PIN_ALL_Y(X, __VA_ARGS__, k) PIN_ALL_Y(X, __VA_ARGS__, a)         \
    PIN_ALL_Y(X, __VA_ARGS__, p) PIN_ALL_Y(X, __VA_ARGS__, q)
#define PIN_ALL_DXY(X, ...)                                                                        \
    PIN_ALL_XY(X, __VA_ARGS__, s) PIN_ALL_XY(X, __VA_ARGS__, k) PIN_ALL_XY(X, __VA_ARGS__, a)      \
    PIN_ALL_XY(X, __VA_ARGS__, p) PIN_ALL_XY(X, __VA_ARGS__, q)

/* Steps: X(extra..., pin, step, order and c); c may be the other pin. */
#define PIN_STEP_FORMS(X, ...)                                                                     \
    PIN_STEP_OF(X, __VA_ARGS__, p, s) PIN_STEP_OF(X, __VA_ARGS__, p, k)                            \
    PIN_STEP_OF(X, __VA_ARGS__, q, s) PIN_STEP_OF(X, __VA_ARGS__, q, k)
#define PIN_STEP_OF(X, ...)                                                                        \
    X(__VA_ARGS__, f, s) X(__VA_ARGS__, f, k) X(__VA_ARGS__, f, o)                                 \
    X(__VA_ARGS__, r, s) X(__VA_ARGS__, r, k) X(__VA_ARGS__, r, o)

#endif
