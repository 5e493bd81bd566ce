/*
 * The tests of the process around the library share this: a small guest, and a way to try something
 * in a process of its own, since handlers of signals and limits are the whole process's.
 */
#ifndef TESTS_HOST_HOST_H
#define TESTS_HOST_HOST_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "catnap.h"
#include "../support/sanitized.h"
#include "guest.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Processes ---- */

/* Exit codes of a child; others are those of sanitizers. */
#define CHILD_OK 40
#define CHILD_SKIPS 41

/* In a child: says which line is wrong, and ends. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* The status of a child that has run `body`. Sanitizers and cmocka have handlers of their own: the
 * child begins with the default actions. */
static inline int child_status(void (*body)(void)) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        body();
        _exit(CHILD_OK);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static inline void child_succeeds(void (*body)(void)) {
    int status = child_status(body);
    if (WIFSIGNALED(status))
        print_message("the child ended by signal %d\n", WTERMSIG(status));
    if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_SKIPS)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CHILD_OK);
}

static inline void child_dies_of(void (*body)(void), int number) {
    int status = child_status(body);
    if (WIFEXITED(status))
        print_message("the child ended with %d\n", WEXITSTATUS(status));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), number);
}

/* ---- Faults of the host's own ---- */

static inline volatile uint8_t *forbidden_page(void) {
    void *page =
        mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(page != MAP_FAILED);
    return page;
}

#endif
