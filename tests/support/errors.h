/* Errors of the API in tests. */
#ifndef TESTS_SUPPORT_ERRORS_H
#define TESTS_SUPPORT_ERRORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "catnap.h"

/* Fails with the error's message. */
static inline void assert_no_error(catnap_error_t *error) {
    if (error)
        fail_msg("%s", catnap_error_message(error));
}

#endif
