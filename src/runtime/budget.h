/*
 * A budget: how many bytes of memories and tables several stores may have together, and the fuel of the stores of one
 * program's threads.
 */
#ifndef CN_RUNTIME_BUDGET_H
#define CN_RUNTIME_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct alloc;

/* A limit that several stores share: bytes of linear memories and tables, and what else their
 * owner counts. Any thread. */
struct budget {
    _Atomic uint64_t references;
    _Atomic uint64_t used, peak;
    uint64_t limit;
    bool of_threads;       /* of the stores of one program's threads; else of a pool's slots */
    _Atomic uint64_t fuel; /* of threads: what no store has taken yet */
    struct alloc *alloc;   /* that it is from */
};

/* With one reference. NULL when memory is exhausted. */
struct budget *cn_budget_new(struct alloc *, uint64_t limit);
void cn_budget_retain(struct budget *);
void cn_budget_release(struct budget *); /* NULL allowed */
bool cn_budget_take(struct budget *, uint64_t bytes);
void cn_budget_give(struct budget *, uint64_t bytes);
/* At most `most` units of fuel out of it; how many. */
uint64_t cn_budget_take_fuel(struct budget *, uint64_t most);

#endif
