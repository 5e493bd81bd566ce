/* The fast validator in lock step with the full one, with the limits that the library has. */
#define REAL_LIMITS
#include "test_lockstep.c"
