/*
 * The parts of a build that are optional, chosen here and nowhere else:
 *
 *   CN_DISPATCH_TAIL  handlers are functions that end in a guaranteed tail call (exec/dispatch.h)
 *   CN_HAS_GUARD      accesses to memory may rely on guard pages (base/access.h)
 *   CN_ACCUMULATOR    instructions have variants with accumulators; the small form has none
 *   CN_WIDE_ACCESSES  a 64-bit memory 0 has instructions of its own, which rely on guard pages
 *   CN_PAIRS          there are fused instructions and pins: many handlers, which cost little where each
 *                     is a function of its own, and where all are one function take a compiler minutes
 *
 * form.in tells the generator.
 */
#ifndef CN_BYTECODE_FORM_H
#define CN_BYTECODE_FORM_H

#include "base/access.h"

#if defined(__clang__) && __clang_major__ >= 19 && !defined(CATNAP_DISPATCH_GOTO) &&               \
    (defined(__x86_64__) || defined(__aarch64__))
#define CN_DISPATCH_TAIL 1
#else
#define CN_DISPATCH_TAIL 0
#endif

#ifdef CATNAP_SMALL
#define CN_ACCUMULATOR 0
#else
#define CN_ACCUMULATOR 1
#endif

#define CN_WIDE_ACCESSES (CN_HAS_GUARD && CN_ACCUMULATOR)

#if CN_ACCUMULATOR && CN_DISPATCH_TAIL
#define CN_PAIRS 1
#else
#define CN_PAIRS 0
#endif

#endif
