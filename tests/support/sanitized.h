/* Whether this build has a sanitizer: SANITIZED (of addresses, memory or threads) and SANITIZED_THREADS are 0
 * or 1. A sanitizer has its own malloc(), needs address space and makes stack frames large. */
#ifndef TESTS_SUPPORT_SANITIZED_H
#define TESTS_SUPPORT_SANITIZED_H

#if defined(__has_feature)
#define HAS_SANITIZER(name) __has_feature(name##_sanitizer)
#else
#define HAS_SANITIZER(name) 0
#endif

#if defined(__SANITIZE_THREAD__) || HAS_SANITIZER(thread)
#define SANITIZED_THREADS 1
#else
#define SANITIZED_THREADS 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SANITIZED_THREADS || HAS_SANITIZER(address) ||                \
    HAS_SANITIZER(memory)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#endif
