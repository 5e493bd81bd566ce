/* Recovery from faults in guarded linear memory: the C side of base/access.h. */
#ifndef CN_BASE_GUARD_H
#define CN_BASE_GUARD_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

/* Each call from the host makes a scope, so the compiler's own form of setjmp is used where it has
 * one: three stores. The thread sanitizer wants to see the library's. */
#if defined(__has_feature)
#define CN_GUARD_WATCHED __has_feature(thread_sanitizer)
#elif defined(__SANITIZE_THREAD__)
#define CN_GUARD_WATCHED 1
#else
#define CN_GUARD_WATCHED 0
#endif
#if defined(__x86_64__) && !CN_GUARD_WATCHED
typedef void *guard_catch[5];
#define CN_GUARD_SET(buffer) __builtin_setjmp(buffer)
#define CN_GUARD_JUMP(buffer) __builtin_longjmp((buffer), 1)
#else
typedef jmp_buf guard_catch;
#define CN_GUARD_SET(buffer) _setjmp(buffer)
#define CN_GUARD_JUMP(buffer) _longjmp((buffer), 1)
#endif

/* One run of handlers on this thread; they nest as calls do. */
struct guard_scope {
    struct guard_scope *outer;
    /* Whether the fault at `address`, with the bytecode's pc and frame pointer as base/access.h
     * pinned them, is to continue at the catch. Runs in the signal handler. */
    bool (*accept)(struct guard_scope *, const void *pc, void *fp, uintptr_t address);
    void *owner;
    guard_catch catch_;
};

/* Of this thread. The signal handler reads it, so it is where that needs no call. */
extern _Thread_local struct guard_scope *cn_guard_innermost
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

static inline void cn_guard_enter(struct guard_scope *scope) {
    scope->outer = cn_guard_innermost;
    cn_guard_innermost = scope;
}
static inline void cn_guard_leave(struct guard_scope *scope) {
    cn_guard_innermost = scope->outer;
}
/* Zero at first, and again, non-zero, when a fault was accepted. The signal mask is not part of
 * it: the handler runs with its signal unblocked. */
#define cn_guard_catch(scope) CN_GUARD_SET((scope)->catch_)

#endif
