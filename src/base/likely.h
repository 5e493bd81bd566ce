/*
 * Which way a branch nearly always goes, for the compiler. Only where it was measured to pay: handlers, calls, the
 * start of entry points, and what translation does for each instruction.
 */
#ifndef CN_BASE_LIKELY_H
#define CN_BASE_LIKELY_H

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

#endif
