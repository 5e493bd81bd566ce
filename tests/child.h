/* Tests that fork: what a child finds is told by its exit status. */
#ifndef TESTS_CHILD_H
#define TESTS_CHILD_H

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "catnap.h"

/* In a child: ends it, and the test, when the condition does not hold. */
#define WANT(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "child: %s:%d: %s\n", __FILE__, __LINE__, #condition);                 \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static inline bool succeeds(catnap_error_t *error) {
    bool ok = !error;
    if (error)
        fprintf(stderr, "child: %s\n", catnap_error_message(error));
    catnap_error_delete(error);
    return ok;
}

/* Starts `body` in a child; the alarm only ends one that hangs. */
static inline pid_t start_child(void (*body)(void *env), void *env) {
    pid_t child = fork();
    if (child == 0) {
        alarm(300);
        body(env);
        _exit(0);
    }
    return child;
}

/* Whether the child has ended and found all well. */
static inline bool child_is_well(pid_t child) {
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

#endif
