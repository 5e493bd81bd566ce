/* Whether two instances are in the same state, private parts included. */
#ifndef TESTS_SNAPSHOT_COMPARE_H
#define TESTS_SNAPSHOT_COMPARE_H

#include "catnap.h"

/* NULL, or what is not the same. The second instance may be of a module with other segments, of
 * which those that code can name are compared. */
const char *compare_instances(const wasm_instance_t *, const wasm_instance_t *);

#endif
