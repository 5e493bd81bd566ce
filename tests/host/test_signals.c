/* Signals: faults of guests beside the host's own handlers, masks and stacks, on every thread. */
#include "host.h"

#include <pthread.h>

#define OUTSIDE 0xFFFFFFFCu
#define OUT_OF_BOUNDS TRAPPED(CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS)
#define ROUNDS 5

static _Thread_local sigjmp_buf back;
static _Thread_local volatile sig_atomic_t served;

static void leave(int number) {
    (void)number;
    served++;
    siglongjmp(back, 1);
}

static void handle_by(int number, void (*handler)(int), int flags) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    MUST(sigaction(number, &action, NULL) == 0);
}

static void touch(volatile uint8_t *page) {
    if (!sigsetjmp(back, 1))
        *page = 1;
}

/* Faults of the host and of the guest in turn. */
static void *take_turns(void *argument) {
    struct guest *guest = argument;
    volatile uint8_t *page = forbidden_page();
    for (volatile int i = 1; i <= ROUNDS; i++) {
        touch(page);
        MUST(served == i);
        MUST(guest_call(guest->instance, "load", OUTSIDE) == OUT_OF_BOUNDS);
    }
    return NULL;
}

/* ---- The host's handlers ---- */

static void serve_every_fault(void) {
    struct guest guest;
    handle_by(SIGSEGV, leave, 0);
    MUST(guest_open(&guest));
    take_turns(&guest);
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, take_turns, &guest) == 0);
    MUST(pthread_join(thread, NULL) == 0);
    guest_close(&guest);
}

static void handlers_that_leave_serve_every_fault(void **state) {
    (void)state;
    child_succeeds(serve_every_fault);
}

static void serve_bus_errors(void) {
    struct guest guest;
    FILE *file = tmpfile();
    handle_by(SIGBUS, leave, 0);
    MUST(guest_open(&guest) && file);
    volatile uint8_t *page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    MUST(page != MAP_FAILED);
    for (volatile int i = 1; i <= ROUNDS; i++) {
        touch(page); /* beyond the file's end */
        MUST(served == i);
    }
}

static void bus_errors_reach_the_host(void **state) {
    (void)state;
    child_succeeds(serve_bus_errors);
}

static volatile uint8_t *repaired;

static void repair(int number, siginfo_t *info, void *context) {
    sigset_t blocked;
    MUST(number == SIGSEGV && info->si_addr == (void *)repaired && context);
    MUST(pthread_sigmask(SIG_BLOCK, NULL, &blocked) == 0);
    MUST(sigismember(&blocked, SIGSEGV) && sigismember(&blocked, SIGUSR1));
    MUST(!sigismember(&blocked, SIGUSR2));
    MUST(mprotect((void *)repaired, 1, PROT_READ | PROT_WRITE) == 0);
    served++;
}

static void repair_pages(void) {
    struct guest guest;
    struct sigaction action;
    sigset_t blocked;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = repair;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGUSR1);
    MUST(sigaction(SIGSEGV, &action, NULL) == 0);
    MUST(guest_open(&guest));
    for (int i = 1; i <= ROUNDS; i++) {
        repaired = forbidden_page();
        *repaired = 7;
        MUST(*repaired == 7 && served == i);
        MUST(guest_is_well(guest.instance));
    }
    MUST(pthread_sigmask(SIG_BLOCK, NULL, &blocked) == 0);
    MUST(!sigismember(&blocked, SIGSEGV) && !sigismember(&blocked, SIGUSR1));
}

static void handlers_see_what_the_kernel_says(void **state) {
    (void)state;
    child_succeeds(repair_pages);
}

static void serve_once(void) {
    struct guest guest;
    handle_by(SIGSEGV, leave, (int)SA_RESETHAND);
    MUST(guest_open(&guest));
    volatile uint8_t *page = forbidden_page();
    touch(page);
    MUST(served == 1 && guest_is_well(guest.instance));
    touch(page);
    MUST(false);
}

static void one_shot_handlers_serve_once(void **state) {
    (void)state;
    child_dies_of(serve_once, SIGSEGV);
}

/* ---- Default actions ---- */

static struct guest open_guest(void) {
    struct guest guest;
    MUST(guest_open(&guest));
    return guest;
}

static void raise_one(void) {
    open_guest();
    raise(SIGSEGV);
}

static void kill_by_number(void) {
    open_guest();
    kill(getpid(), SIGBUS);
    pause();
}

static void fault_ignored(void) {
    signal(SIGSEGV, SIG_IGN);
    open_guest();
    *forbidden_page() = 1; /* cannot be ignored */
}

static void fault_by_default(void) {
    struct guest guest = open_guest();
    MUST(guest_is_well(guest.instance));
    *forbidden_page() = 1;
}

static void default_actions_end_the_process(void **state) {
    (void)state;
    child_dies_of(raise_one, SIGSEGV);
    child_dies_of(kill_by_number, SIGBUS);
    child_dies_of(fault_ignored, SIGSEGV);
    child_dies_of(fault_by_default, SIGSEGV);
}

static void ignore_signals(void) {
    signal(SIGSEGV, SIG_IGN);
    signal(SIGBUS, SIG_IGN);
    struct guest guest = open_guest();
    for (int i = 0; i < ROUNDS; i++) {
        raise(SIGSEGV);
        raise(SIGBUS);
        MUST(guest_is_well(guest.instance));
    }
}

static void ignored_signals_stay_ignored(void **state) {
    (void)state;
    child_succeeds(ignore_signals);
}

/* ---- Handlers that come later ---- */

static struct sigaction before_chain;
static volatile sig_atomic_t chained;

static void chain(int number, siginfo_t *info, void *context) {
    chained++;
    if (before_chain.sa_flags & SA_SIGINFO)
        before_chain.sa_sigaction(number, info, context);
    else
        before_chain.sa_handler(number);
}

static void put_chain_in_front(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = chain;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    MUST(sigaction(SIGSEGV, &action, &before_chain) == 0);
}

static bool ours_is_in_front(void) {
    struct sigaction present;
    MUST(sigaction(SIGSEGV, NULL, &present) == 0);
    return present.sa_handler != leave;
}

/* It is in front of ours, then ours in front of it, which passes on to ours: no circle. */
static void pass_back(void) {
    volatile uint8_t *page = forbidden_page();
    handle_by(SIGSEGV, leave, 0);
    struct guest first = open_guest();
    if (!ours_is_in_front())
        _exit(CHILD_SKIPS); /* memories are checked on this platform */
    put_chain_in_front();
    MUST(guest_is_well(first.instance) && chained == 1);
    struct guest second = open_guest();
    for (volatile int i = 1; i <= ROUNDS; i++) {
        MUST(guest_is_well(first.instance) && guest_is_well(second.instance) && chained == i);
        touch(page);
        MUST(served == i && chained == i + 1);
    }
    put_chain_in_front(); /* whose predecessor is ours, whose latest predecessor it is */
    chained = served = 0;
    struct guest third = open_guest();
    touch(page);
    MUST(served == 1 && guest_is_well(third.instance));
}

static void handlers_may_pass_back(void **state) {
    (void)state;
    child_succeeds(pass_back);
}

/* Without SA_SIGINFO, as older programs put handlers back. */
static void put_back_by_signal(void) {
    signal(SIGSEGV, signal(SIGSEGV, leave));
}

static void restore_by_signal(void) {
    volatile uint8_t *page = forbidden_page();
    handle_by(SIGSEGV, leave, 0);
    struct guest guest = open_guest();
    for (volatile int i = 1; i <= ROUNDS; i++) {
        put_back_by_signal();
        MUST(guest_is_well(guest.instance) && guest_is_well(guest.instance));
        put_back_by_signal();
        touch(page);
        MUST(served == i);
        put_back_by_signal();
        struct guest next = open_guest();
        MUST(guest_is_well(next.instance) && guest_is_well(guest.instance));
        guest_close(&next);
    }
}

static void restore_and_fault(void) {
    open_guest();
    put_back_by_signal();
    *forbidden_page() = 1;
}

static void our_handler_may_be_put_back_by_signal(void **state) {
    (void)state;
    child_succeeds(restore_by_signal);
    child_dies_of(restore_and_fault, SIGSEGV);
}

/* Handlers that are all different. */
#define HANDLER(n)                                                                                 \
    static void handler_##n(int number) {                                                          \
        leave(number + 0 * (n));                                                                   \
    }
HANDLER(0)
HANDLER(1)
HANDLER(2)
HANDLER(3)
static void (*const handlers[])(int) = {handler_0, handler_1, handler_2, handler_3};

/* Each with several sets of flags: too many to remember, and then memories are checked. */
static void replace_often(void) {
    static const int flags[] = {
        0, SA_NODEFER, SA_RESTART, SA_NODEFER | SA_RESTART, SA_ONSTACK, SA_ONSTACK | SA_NODEFER};
    volatile uint8_t *page = forbidden_page();
    for (volatile unsigned round = 0; round < 2; round++)
        for (volatile size_t i = 0; i < COUNT(handlers) * COUNT(flags); i++) {
            handle_by(SIGSEGV, handlers[i % COUNT(handlers)], flags[i / COUNT(handlers)]);
            struct guest guest = open_guest();
            MUST(guest_is_well(guest.instance));
            served = 0;
            touch(page);
            MUST(served == 1);
            guest_close(&guest);
        }
}

static void handlers_may_change_often(void **state) {
    (void)state;
    child_succeeds(replace_often);
}

/* ---- Masks, stacks, processes ---- */

static void *open_where_signals_are_blocked(void *argument) {
    sigset_t all;
    sigfillset(&all);
    MUST(pthread_sigmask(SIG_BLOCK, &all, NULL) == 0);
    struct guest guest = open_guest();
    MUST(guest_is_well(guest.instance));
    guest_close(&guest);
    return argument;
}

static void block_signals(void) {
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, open_where_signals_are_blocked, NULL) == 0);
    MUST(pthread_join(thread, NULL) == 0);
    struct guest guest = open_guest();
    MUST(guest_is_well(guest.instance));
    /* Memories that are made here from now on are checked; earlier ones need the signals. */
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGSEGV);
    sigaddset(&both, SIGBUS);
    MUST(pthread_sigmask(SIG_BLOCK, &both, NULL) == 0);
    wasm_instance_t *checked = guest_instantiate(guest.store);
    MUST(checked && guest_is_well(checked));
    struct guest second = open_guest();
    MUST(guest_is_well(second.instance));
    MUST(pthread_sigmask(SIG_UNBLOCK, &both, NULL) == 0);
    MUST(guest_is_well(guest.instance) && guest_is_well(checked) && guest_is_well(second.instance));
    wasm_instance_t *third = guest_instantiate(second.store);
    MUST(third && guest_is_well(third));
}

static void threads_may_block_signals(void **state) {
    (void)state;
    child_succeeds(block_signals);
}

static void *run_beside_a_signal_stack(void *argument) {
    size_t size = 256 << 10;
    stack_t stack = {.ss_sp = malloc(size), .ss_size = size}, after;
    MUST(stack.ss_sp && sigaltstack(&stack, NULL) == 0);
    take_turns(argument);
    MUST(sigaltstack(NULL, &after) == 0 && !(after.ss_flags & SS_ONSTACK));
    stack.ss_flags = SS_DISABLE;
    MUST(sigaltstack(&stack, NULL) == 0);
    free(stack.ss_sp);
    return NULL;
}

static void use_signal_stacks(void) {
    handle_by(SIGSEGV, leave, SA_ONSTACK);
    struct guest guest = open_guest();
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, run_beside_a_signal_stack, &guest) == 0);
    MUST(pthread_join(thread, NULL) == 0);
}

static void signal_stacks_serve_both(void **state) {
    (void)state;
    child_succeeds(use_signal_stacks);
}

static void fork_and_fault(void) {
    handle_by(SIGSEGV, leave, 0);
    struct guest guest = open_guest();
    for (int depth = 0; depth < 3; depth++) {
        MUST(guest_is_well(guest.instance));
        pid_t child = fork();
        MUST(child >= 0);
        if (child > 0) {
            int status;
            MUST(waitpid(child, &status, 0) == child && WIFEXITED(status));
            MUST(WEXITSTATUS(status) == CHILD_OK && guest_is_well(guest.instance));
            break;
        }
        served = 0;
        take_turns(&guest);
        struct guest own = open_guest();
        MUST(guest_is_well(own.instance));
    }
}

static void children_go_on(void **state) {
    (void)state;
    child_succeeds(fork_and_fault);
}

static void *run_for_itself(void *argument) {
    volatile uint8_t *page = forbidden_page();
    for (volatile int i = 1; i <= ROUNDS; i++) {
        struct guest guest = open_guest();
        MUST(guest_is_well(guest.instance));
        touch(page);
        MUST(served == i);
        guest_close(&guest);
    }
    return argument;
}

/* All of them install and pass on at the same time. */
static void run_in_many_threads(void) {
    pthread_t threads[8];
    handle_by(SIGSEGV, leave, 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        MUST(pthread_create(&threads[i], NULL, run_for_itself, NULL) == 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        MUST(pthread_join(threads[i], NULL) == 0);
}

static void threads_fault_together(void **state) {
    (void)state;
    child_succeeds(run_in_many_threads);
}

int main(void) {
    if (SANITIZED_THREADS) {
        puts("1..0 # SKIP the thread sanitizer has handlers and masks of its own");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handlers_that_leave_serve_every_fault),
        cmocka_unit_test(bus_errors_reach_the_host),
        cmocka_unit_test(handlers_see_what_the_kernel_says),
        cmocka_unit_test(one_shot_handlers_serve_once),
        cmocka_unit_test(default_actions_end_the_process),
        cmocka_unit_test(ignored_signals_stay_ignored),
        cmocka_unit_test(handlers_may_pass_back),
        cmocka_unit_test(our_handler_may_be_put_back_by_signal),
        cmocka_unit_test(handlers_may_change_often),
        cmocka_unit_test(threads_may_block_signals),
        cmocka_unit_test(signal_stacks_serve_both),
        cmocka_unit_test(children_go_on),
        cmocka_unit_test(threads_fault_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
