/* Random valid modules, the same for the same seed on every machine. */
#ifndef TESTS_DIFFERENTIAL_GENERATE_H
#define TESTS_DIFFERENTIAL_GENERATE_H

#include <stdbool.h>
#include <stdint.h>

#include "../support/module.h"

struct generator_options {
    uint64_t seed;
    uint32_t
        padding;    /* unused locals in front of the others; changes nothing that can be observed */
    bool no_growth; /* no table.grow, whose outcome depends on memory */
    bool ordinary;  /* a call and a return in place of each tail call: results are the same */
    bool wasm2;     /* only instructions of WebAssembly 2.0, for tools that know no others */
    bool payloads;  /* of NaNs can be seen: for the deterministic profile */
    bool has_objects; /* structures, arrays and casts, too */
    bool
        try_table; /* nothing of the older form of exceptions, for tools that know only the newer */
};

/* Runs of one module: exports "run0" ..., each () -> i64, and "state", which sums up what is
 * mutable. */
#define GENERATED_RUNS 5

/* Every run ends, in a result or in a trap, after a bounded number of instructions. Unless these are asked for,
 * results do not depend on the payloads of NaNs. */
struct bytes generate(struct generator_options);

#endif
