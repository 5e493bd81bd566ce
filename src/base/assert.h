/*
 * Assertions: invariants that hold unless the library itself has a bug. They never check input, which
 * is refused with an error.
 *
 * CN_ASSERT(condition) is active when CATNAP_ASSERT is defined: make ASSERT=1, and every build with
 * SANITIZE. A condition that does not hold is printed with its place, and the process aborts. In a
 * release it generates no code; the condition is compiled but not evaluated, so that it cannot go
 * stale and a variable that only an assertion reads needs no #ifdef. A condition must not have side
 * effects.
 */
#ifndef CN_BASE_ASSERT_H
#define CN_BASE_ASSERT_H

#include <stdbool.h>

#ifdef CATNAP_ASSERT
#define CN_ASSERTING true
#define CN_ASSERT(condition)                                                                       \
    (__builtin_expect(!(condition), 0) ? cn_assertion_failed(__FILE__, __LINE__, #condition)       \
                                       : (void)0)
_Noreturn void cn_assertion_failed(const char *file, int line, const char *condition)
    __attribute__((cold));
#else
#define CN_ASSERTING false
#define CN_ASSERT(condition) ((void)(false && (condition)))
#endif

#endif
