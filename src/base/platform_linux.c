/* Linux: virtual memory, clocks, events, and faults as traps. */
#include "base/platform.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/access.h"
#include "base/guard.h"

size_t cn_os_page_bytes(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t round_up(size_t size) {
    size_t page = cn_os_page_bytes();
    return size > SIZE_MAX - page ? 0 : (size + page - 1) / page * page;
}

void *cn_os_reserve(size_t size) {
    size = round_up(size);
    if (!size)
        return NULL;
    void *start = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

bool cn_os_commit(void *start, size_t size) {
    return size == 0 || mprotect(start, round_up(size), PROT_READ | PROT_WRITE) == 0;
}

void cn_os_release(void *start, size_t size) {
    if (start)
        munmap(start, round_up(size));
}

uint64_t cn_os_monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

int cn_os_event_new(void) {
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}
void cn_os_event_signal(int event) {
    uint64_t one = 1;
    int saved = errno;
    if (write(event, &one, sizeof one) < 0)
        errno = saved; /* full: it is signalled already */
}
void cn_os_event_clear(int event) {
    uint64_t count;
    if (read(event, &count, sizeof count) < 0)
        return; /* was not signalled */
}
void cn_os_event_delete(int event) {
    if (event >= 0)
        close(event);
}

/* ---- guard pages ---- */

_Thread_local struct guard_scope *cn_guard_innermost;

#if CN_HAS_GUARD

/* Bounds of the section that all handlers are in, made by the linker. */
extern const char __start_cn_handler_code[], __stop_cn_handler_code[];

static struct sigaction previous_segv, previous_bus;
static _Thread_local bool passing; /* a handler that replaced ours may pass faults back to us */

/* The fault is not ours: what would have happened without us. */
static void pass_on(int number, siginfo_t *info, void *context) {
    const struct sigaction *previous = number == SIGSEGV ? &previous_segv : &previous_bus;
    if (passing || (!(previous->sa_flags & SA_SIGINFO) &&
                    (previous->sa_handler == SIG_DFL || previous->sa_handler == SIG_IGN))) {
        signal(number, SIG_DFL); /* the instruction runs, and faults, again */
        return;
    }
    passing = true;
    if (previous->sa_flags & SA_SIGINFO)
        previous->sa_sigaction(number, info, context);
    else
        previous->sa_handler(number);
    passing = false;
}

static void on_fault(int number, siginfo_t *info, void *context) {
    const ucontext_t *at = context;
    const greg_t *registers = at->uc_mcontext.gregs;
    uintptr_t instruction = (uintptr_t)registers[REG_RIP];
    struct guard_scope *scope = cn_guard_innermost;
    if (scope && instruction >= (uintptr_t)__start_cn_handler_code &&
        instruction < (uintptr_t)__stop_cn_handler_code &&
        scope->accept(scope, (const void *)registers[REG_R12], (void *)registers[REG_R13],
                      (uintptr_t)info->si_addr))
        CN_GUARD_JUMP(scope->catch_);
    pass_on(number, info, context);
}

/* Puts our handler in front of the one that is there, unless that is ours. */
static bool put_in_front(int number, struct sigaction *previous) {
    struct sigaction action, present;
    if (sigaction(number, NULL, &present) != 0)
        return false;
    if ((present.sa_flags & SA_SIGINFO) && present.sa_sigaction == on_fault)
        return true;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    *previous = present;
    return sigaction(number, &action, NULL) == 0;
}

bool cn_os_guard_install(void) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&mutex);
    bool done = put_in_front(SIGSEGV, &previous_segv) && put_in_front(SIGBUS, &previous_bus);
    pthread_mutex_unlock(&mutex);
    return done;
}

#else
bool cn_os_guard_install(void) {
    return false;
}
#endif
