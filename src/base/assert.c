#include "base/assert.h"

#ifdef CATNAP_ASSERT
#include <stdio.h>
#include <stdlib.h>

void cn_assertion_failed(const char *file, int line, const char *condition) {
    fprintf(stderr, "catnap: %s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}
#endif
