/* Linux: faults of guarded memory as traps, beside the handlers of signals that others install. */
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>

#include "base/access.h"
#include "base/guard.h"
#include "base/platform.h"

_Thread_local struct guard_scope *cn_guard_innermost;

#if CN_HAS_GUARD

/* Bounds of the section that all handlers of bytecode are in, made by the linker. */
extern const char __start_cn_handler_code[] __attribute__((visibility("hidden")));
extern const char __stop_cn_handler_code[] __attribute__((visibility("hidden")));

/* ---- Actions of others ---- */

#define ORDER_BITS 4u
#define MOST_OTHERS ((1u << ORDER_BITS) - 1)

/*
 * The actions of a signal that our handler was put in front of. Actions are added and never
 * changed. `order` has them from the latest to the first, four bits for each: its number from 1, and 0
 * behind the last. So the signal handler reads a list that is whole, without a lock.
 */
struct others {
    struct sigaction actions[MOST_OTHERS];
    atomic_bool spent[MOST_OTHERS]; /* its flag SA_RESETHAND has taken effect */
    uint32_t count;
    _Atomic uint64_t order;
};
_Static_assert(MOST_OTHERS *ORDER_BITS < 64, "all of them fit into the order");

static struct others others_of_segv, others_of_bus;

/* Number of the action in the list, which has it from now on; 0 when the list is full. */
static uint64_t number_of(struct others *others, const struct sigaction *action) {
    for (uint32_t i = 0; i < others->count; i++)
        if (others->actions[i].sa_sigaction == action->sa_sigaction &&
            others->actions[i].sa_flags == action->sa_flags)
            return i + 1;
    if (others->count == MOST_OTHERS)
        return 0;
    others->actions[others->count++] = *action;
    return others->count;
}

/* Makes the action the latest. False when there are too many. */
static bool remember(struct others *others, const struct sigaction *action) {
    uint64_t number = number_of(others, action), order = atomic_load(&others->order);
    if (number == 0)
        return false;
    atomic_store(&others->spent[number - 1], false);
    uint64_t result = number;
    for (unsigned at = ORDER_BITS; order; order >>= ORDER_BITS) {
        if ((order & MOST_OTHERS) == number)
            continue;
        result |= (order & MOST_OTHERS) << at;
        at += ORDER_BITS;
    }
    atomic_store(&others->order, result);
    return true;
}

/* ---- Passing on ---- */

/*
 * A handler that a fault is passed to may pass it back: it was in front of ours once, or is a second
 * copy of this library. So a delivery has notes, in the part of its siginfo_t that the kernel leaves
 * empty; they end with the delivery, also when a handler leaves by siglongjmp(). Each copy of the
 * library counts there which of its actions it has tried, the first of them being outermost, and says
 * when it has tried them all: then the copy that passed the fault on tries its next one.
 */
#define NOTES 9
struct notes {
    uint64_t unserved;
    uint64_t tried[NOTES]; /* owner << COUNT_BITS | count, or 0 */
};
#define COUNT_BITS 8u
#define NOTES_START 48u /* sizeof(struct kernel_siginfo); the kernel clears what follows */
_Static_assert(sizeof(siginfo_t) == 128, "the size that the kernel knows");
_Static_assert(NOTES_START + sizeof(struct notes) <= sizeof(siginfo_t), "notes fit");
_Static_assert(MOST_OTHERS < 1u << COUNT_BITS, "the count of actions fits");

static struct notes read_notes(const siginfo_t *info) {
    struct notes notes;
    memcpy(&notes, (const unsigned char *)info + NOTES_START, sizeof notes);
    return notes;
}

static void write_notes(siginfo_t *info, const struct notes *notes) {
    memcpy((unsigned char *)info + NOTES_START, notes, sizeof *notes);
}

/* The note of this copy, which it has from now on; NOTES when there are too many copies. */
static unsigned own_note(struct notes *notes) {
    const uint64_t mine = (uint64_t)(uintptr_t)&others_of_segv << COUNT_BITS;
    unsigned i = 0;
    while (i < NOTES && notes->tried[i] && (notes->tried[i] ^ mine) >> COUNT_BITS)
        i++;
    if (i < NOTES && !notes->tried[i])
        notes->tried[i] = mine;
    return i;
}

/* The next action to try, or NULL when that was the last. */
static const struct sigaction *next_action(struct others *others, siginfo_t *info) {
    struct notes notes = read_notes(info);
    unsigned own = own_note(&notes);
    if (own == NOTES)
        return NULL;
    uint64_t order = atomic_load(&others->order), tried = notes.tried[own] % (1u << COUNT_BITS);
    uint64_t number = tried < MOST_OTHERS ? order >> tried * ORDER_BITS & MOST_OTHERS : 0;
    notes.tried[own] += number != 0;
    notes.unserved = 0;
    write_notes(info, &notes);
    if (number == 0)
        return NULL;
    const struct sigaction *action = &others->actions[number - 1];
    bool once = action->sa_flags & (int)SA_RESETHAND;
    return once && atomic_exchange(&others->spent[number - 1], true) ? NULL : action;
}

static bool has_function(const struct sigaction *action) {
    return (action->sa_flags & SA_SIGINFO) ||
           (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

static bool was_sent(const siginfo_t *info) {
    return info->si_code <= 0; /* by kill() and the like, not by an instruction */
}

/* With the signals blocked that the kernel would block. */
static void call(const struct sigaction *action, int number, siginfo_t *info, void *context) {
    sigset_t mask = action->sa_mask, before;
    if (!(action->sa_flags & SA_NODEFER))
        sigaddset(&mask, number);
    pthread_sigmask(SIG_BLOCK, &mask, &before);
    if (action->sa_flags & SA_SIGINFO)
        action->sa_sigaction(number, info, context);
    else
        action->sa_handler(number);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* False when nothing of what this copy knows has served the signal. */
static bool serve(struct others *others, int number, siginfo_t *info, void *context) {
    const struct sigaction *action;
    while ((action = next_action(others, info))) {
        if (!has_function(action))
            return action->sa_handler == SIG_IGN && was_sent(info);
        call(action, number, info, context);
        if (!read_notes(info).unserved)
            return true;
    }
    return false;
}

/* Has the effect that the signal would have had without us. */
static void pass_on(int number, siginfo_t *info, void *context) {
    struct others *others = number == SIGSEGV ? &others_of_segv : &others_of_bus;
    struct notes before = read_notes(info);
    bool outermost = !before.tried[0];
    if (serve(others, number, info, context))
        return;
    if (!outermost) {
        struct notes notes = read_notes(info);
        notes.unserved = 1;
        write_notes(info, &notes);
        return;
    }
    signal(number, SIG_DFL); /* the instruction runs, and faults, again: that cannot be ignored */
    if (was_sent(info))
        raise(number);
}

/* ---- The handler ---- */

static void on_fault(int number, siginfo_t *info, void *context);

static bool install(int number) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    return sigaction(number, &action, NULL) == 0;
}

/* Whether signal() has put our handler back, which loses the flags. Then the kernel has written no
 * siginfo_t and has blocked the signal; the flags are set again. */
static bool mend(int number) {
    struct sigaction present;
    sigset_t blocked;
    if (sigaction(number, NULL, &present) != 0 || present.sa_sigaction != on_fault ||
        (present.sa_flags & SA_SIGINFO))
        return false;
    sigemptyset(&blocked);
    sigaddset(&blocked, number);
    return install(number) && pthread_sigmask(SIG_UNBLOCK, &blocked, NULL) == 0;
}

/* Continues at the catch of this thread's guest, if it is the guest that faulted. */
static void recover(const siginfo_t *info, const ucontext_t *at) {
    const greg_t *registers = at->uc_mcontext.gregs;
    uintptr_t instruction = (uintptr_t)registers[REG_RIP];
    struct guard_scope *scope = cn_guard_innermost;
    if (scope && !was_sent(info) && instruction >= (uintptr_t)__start_cn_handler_code &&
        instruction < (uintptr_t)__stop_cn_handler_code &&
        scope->accept(scope, (const void *)registers[REG_R12], (void *)registers[REG_R13],
                      (uintptr_t)info->si_addr))
        CN_GUARD_JUMP(scope->catch_);
}

static void on_fault(int number, siginfo_t *info, void *context) {
    const ucontext_t *at = context;
    if (mend(number)) {
        memset(info, 0, sizeof *info);
        info->si_signo = number;
        info->si_code = SI_KERNEL;
        info->si_addr = (void *)(uintptr_t)at->uc_mcontext.gregs[REG_CR2];
    }
    recover(info, at);
    pass_on(number, info, context);
}

/* ---- Installing ---- */

/* The C library may have neither, and a program that is linked statically no use for them. */
#pragma weak dladdr1
#pragma weak dlopen

/* The handler has to stay where it is when the shared object that holds it is closed by dlclose(). */
static void stay_loaded(void) {
    static atomic_bool stays;
    Dl_info found;
    struct link_map *object = NULL;
    if (atomic_load(&stays) || !dladdr1 || !dlopen)
        return;
    if (dladdr1(&others_of_segv, &found, (void **)&object, RTLD_DL_LINKMAP) && object &&
        object->l_name[0]) /* the program itself has no name */
        dlopen(object->l_name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    atomic_store(&stays, true);
}

/* A fault whose signal is blocked ends the process, whatever handlers there are. */
static bool thread_takes_faults(void) {
    sigset_t blocked;
    return pthread_sigmask(SIG_BLOCK, NULL, &blocked) == 0 && !sigismember(&blocked, SIGSEGV) &&
           !sigismember(&blocked, SIGBUS);
}

/* Puts our handler in front of the one that is there, unless that is ours. */
static bool put_in_front(int number, struct others *others) {
    struct sigaction present;
    if (sigaction(number, NULL, &present) != 0)
        return false;
    if (present.sa_sigaction == on_fault)
        return (present.sa_flags & SA_SIGINFO) || install(number);
    return remember(others, &present) && install(number);
}

bool cn_os_guard_install(void) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    if (!thread_takes_faults())
        return false;
    stay_loaded();
    pthread_mutex_lock(&mutex);
    bool done = put_in_front(SIGSEGV, &others_of_segv) && put_in_front(SIGBUS, &others_of_bus);
    pthread_mutex_unlock(&mutex);
    return done;
}

#else
bool cn_os_guard_install(void) {
    return false;
}
#endif
