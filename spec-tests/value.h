/* Values between the script and the engine. */
#ifndef SPEC_VALUE_H
#define SPEC_VALUE_H

#include "catnap.h"
#include "message.h"
#include "script.h"

/* The bits of a number or vector of the script as the engine's value. Not for references. */
void spec_value_to_engine(const spec_value_t *value, catnap_val_t *out);
/* Whether the engine's value is as the script expects it. Host references are told apart by the
 * host info of the foreign object, which holds the number. */
bool spec_value_matches(const spec_value_t *expected, const catnap_val_t *actual);
/* An i32 as the script's value. */
spec_value_t spec_value_of_i32(int32_t number);

void spec_message_add_value(spec_message_t *message, const spec_value_t *value);
void spec_message_add_expected(spec_message_t *message, const spec_expected_t *expected,
                               size_t count);
void spec_message_add_results(spec_message_t *message, const catnap_val_t *results, size_t count);

#endif
