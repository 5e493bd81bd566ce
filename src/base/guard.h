/* Recovery from faults in guarded linear memory: the C side of base/access.h. */
#ifndef CN_BASE_GUARD_H
#define CN_BASE_GUARD_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

/* One stretch of execution on this thread; they nest as calls do. */
struct guard_scope {
    struct guard_scope *outer;
    /* Whether the fault at `address`, with the bytecode's pc and frame pointer as base/access.h
     * pinned them, is to continue at the catch. Runs in the signal handler. */
    bool (*accept)(struct guard_scope *, const void *pc, void *fp, uintptr_t address);
    void *owner;
    jmp_buf catch_;
};

void cn_guard_enter(struct guard_scope *);
void cn_guard_leave(struct guard_scope *);
/* Zero at first, and again, non-zero, when a fault was accepted. The signal mask is not part of
 * it: the handler runs with its signal unblocked. */
#define cn_guard_catch(scope) _setjmp((scope)->catch_)

#endif
