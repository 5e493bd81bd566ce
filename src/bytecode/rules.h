/* Includes variants.def for the rows that the includer has defined a macro for; forgets the macros. Included
 * as often as there are kinds of rows to read. */
#ifndef FORMS
#define FORMS(name, destinations, sources)
#endif
#ifndef PINNED
#define PINNED(operation)
#endif
#ifndef PAIR
#define PAIR(first, second)
#endif
#ifndef PAIR_EXCHANGED
#define PAIR_EXCHANGED(first, second)
#endif
#ifndef LOAD_AT
#define LOAD_AT(load)
#endif
#ifndef LOAD_AT_64
#define LOAD_AT_64(load)
#endif
#ifndef LOAD_PAIR
#define LOAD_PAIR(load, second)
#endif
#ifndef LOAD_PAIR_EXCHANGED
#define LOAD_PAIR_EXCHANGED(load, second)
#endif
#ifndef PAIR_BRANCH
#define PAIR_BRANCH(first, branch)
#endif
#ifndef LOAD_BRANCH
#define LOAD_BRANCH(load, branch)
#endif
#ifndef STEP_BRANCH
#define STEP_BRANCH(step, branch)
#endif
#ifndef PAIR_JUMP
#define PAIR_JUMP(first)
#endif
#ifndef VPAIR
#define VPAIR(name, first, second)
#endif
#ifndef VPAIR_TEST
#define VPAIR_TEST(name, first, second)
#endif
#ifndef VPAIR_LOAD
#define VPAIR_LOAD(name, second)
#endif
#ifndef INSTRUCTION
#define INSTRUCTION(operation, form, name)
#endif
#ifndef FUSED_INSTRUCTION
#define FUSED_INSTRUCTION(first, second, form, name)
#endif
#ifndef JOINED
#define JOINED(first, second, both)
#endif
#include "bytecode/variants.def"
#undef FORMS
#undef PINNED
#undef PAIR
#undef PAIR_EXCHANGED
#undef LOAD_AT
#undef LOAD_AT_64
#undef LOAD_PAIR
#undef LOAD_PAIR_EXCHANGED
#undef PAIR_BRANCH
#undef LOAD_BRANCH
#undef STEP_BRANCH
#undef PAIR_JUMP
#undef VPAIR
#undef VPAIR_TEST
#undef VPAIR_LOAD
#undef INSTRUCTION
#undef FUSED_INSTRUCTION
#undef JOINED
