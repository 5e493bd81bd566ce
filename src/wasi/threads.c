/*
 * The threads of one program, by the proposal wasi-threads. Each has a store with an instance of its own; the WASI state
 * and the shared memories are the same for all.
 *
 * They end together: the first one that traps or exits, or the end of the call that the host made, interrupts all
 * others. Under the mutex each thread says what call of its store an interrupt is to stop, before it makes the call, and
 * looks whether the end has come already: so none is missed, and no store is touched that is gone.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "wasi/state.h"

#define MODULE "wasi"
#define SPAWN "thread-spawn"
#define START "wasi_thread_start"
#define DEFAULT_THREADS 16u
#define MAX_TID 0x1fffffff /* larger ones are not for hosts to give */
#define STACK_BYTES ((size_t)1 << 20)

struct wasi_thread {
    struct wasi_thread *next;
    struct wasi_threads *all;
    pthread_t pthread;
    int32_t tid, argument;
    bool finished;    /* nothing is left to do but to join it */
    uint64_t call_id; /* of the call to interrupt, or 0 */
    wasm_store_t *store;
    wasm_module_t *module;
    catnap_linker_t *linker;
};

struct wasi_threads {
    _Atomic uint32_t references; /* of the WASI state, and of the functions that start threads */
    catnap_wasi_t *wasi;
    catnap_wasi_threads_t options;
    pthread_mutex_t mutex;     /* of all below */
    struct wasi_thread *first; /* all that are not joined */
    uint32_t count;            /* that run or are being made */
    int32_t last_tid;
    wasm_store_t *main; /* of the first thread, and its call that started others; NULL: none did */
    uint64_t main_call;
    bool ended;         /* all are to stop */
    wasm_trap_t *cause; /* why, when a thread brought it about */
};

/* The environment of `thread-spawn` in one store. */
struct spawner {
    struct wasi_threads *all;
    wasm_store_t *main; /* the store, of the first thread; NULL: another thread's */
};

/* ---- The end of all -------------------------------------------------------------------------- */

/* With the mutex held. */
static void interrupt_all(struct wasi_threads *all) {
    all->ended = true;
    if (all->main)
        catnap_store_interrupt(all->main, all->main_call);
    for (const struct wasi_thread *t = all->first; t; t = t->next)
        if (t->call_id)
            catnap_store_interrupt(t->store, t->call_id);
}

/* Takes threads out of the list that have finished, or any; NULL: there is none. With the mutex held. */
static struct wasi_thread *take_out(struct wasi_threads *all, bool any) {
    struct wasi_thread **link = &all->first;
    while (*link && !any && !(*link)->finished)
        link = &(*link)->next;
    struct wasi_thread *found = *link;
    if (found)
        *link = found->next;
    return found;
}

/* With the mutex held, which it lets go of while it waits. */
static void join(struct wasi_threads *all, bool any) {
    for (struct wasi_thread *t; (t = take_out(all, any)) != NULL;) {
        pthread_mutex_unlock(&all->mutex);
        pthread_join(t->pthread, NULL);
        free(t);
        pthread_mutex_lock(&all->mutex);
    }
}

/* Ends all threads; why they had ended before, if a thread was the cause, or NULL. */
static wasm_trap_t *end_all(struct wasi_threads *all) {
    pthread_mutex_lock(&all->mutex);
    if (!all->ended)
        interrupt_all(all);
    join(all, true);
    wasm_trap_t *cause = all->cause;
    all->cause = NULL;
    all->main = NULL;
    all->ended = false;
    pthread_mutex_unlock(&all->mutex);
    return cause;
}

static void let_go(struct wasi_threads *all) {
    if (atomic_fetch_sub(&all->references, 1) != 1)
        return;
    pthread_mutex_destroy(&all->mutex);
    free(all);
}

/* The first thread's store goes, or what runs in it: no thread may interrupt it any more. */
static void free_spawner(void *env) {
    struct spawner *spawner = env;
    struct wasi_threads *all = spawner->all;
    pthread_mutex_lock(&all->mutex);
    bool ends = all->main && all->main == spawner->main;
    pthread_mutex_unlock(&all->mutex);
    if (ends)
        wasm_trap_delete(end_all(all));
    let_go(all);
    free(spawner);
}

void cn_threads_delete(struct wasi_threads *all) {
    if (!all)
        return;
    wasm_trap_delete(end_all(all));
    pthread_mutex_destroy(&all->wasi->mutex);
    let_go(all);
}

wasm_trap_t *catnap_wasi_end_threads(catnap_wasi_t *wasi, wasm_trap_t *trap) {
    wasm_trap_t *cause = wasi && wasi->threads ? end_all(wasi->threads) : NULL;
    if (!cause)
        return trap;
    wasm_trap_delete(trap);
    return cause;
}

/* ---- A thread -------------------------------------------------------------------------------- */

/* Before each call in a thread's store: false when it is not to be made any more. */
static bool arm(struct wasi_thread *t) {
    pthread_mutex_lock(&t->all->mutex);
    t->call_id = t->all->ended ? 0 : catnap_store_call_id(t->store);
    pthread_mutex_unlock(&t->all->mutex);
    return t->call_id != 0;
}

static wasm_trap_t *call_start(const struct wasi_thread *t, const wasm_instance_t *instance) {
    catnap_val_t arguments[] = {{.kind = WASM_I32, .of.i32 = t->tid},
                                {.kind = WASM_I32, .of.i32 = t->argument}};
    wasm_extern_t *start = catnap_instance_export(instance, START, strlen(START));
    wasm_trap_t *trap = start ? catnap_func_call(wasm_extern_as_func(start), arguments, 2, NULL, 0)
                              : catnap_trap_new(t->store, CATNAP_TRAP_NO_MEMORY, "out of memory");
    wasm_extern_delete(start);
    return trap;
}

/* A thread that could not be made ends the program, as one that traps. */
static wasm_trap_t *trap_of(const struct wasi_thread *t, catnap_error_t *error) {
    char text[300];
    catnap_status_t status = catnap_error_status(error);
    snprintf(text, sizeof text, "cannot make a thread: %s", catnap_error_message(error));
    catnap_error_delete(error);
    return catnap_trap_new(t->store,
                           status == CATNAP_INTERRUPTED ? CATNAP_TRAP_INTERRUPTED
                           : status == CATNAP_LIMIT     ? CATNAP_TRAP_LIMIT
                           : status == CATNAP_NO_MEMORY ? CATNAP_TRAP_NO_MEMORY
                                                        : CATNAP_TRAP_HOST,
                           text);
}

static wasm_trap_t *run(struct wasi_thread *t) {
    catnap_error_t *error = NULL;
    wasm_trap_t *trap = NULL;
    if (!arm(t))
        return NULL;
    wasm_instance_t *instance = catnap_linker_instantiate(t->linker, t->module, &error, &trap);
    if (error)
        trap = trap_of(t, error);
    else if (instance && arm(t))
        trap = call_start(t, instance);
    wasm_instance_delete(instance);
    return trap;
}

static void free_store(struct wasi_thread *t) {
    catnap_linker_delete(t->linker);
    wasm_module_delete(t->module);
    if (t->store)
        wasm_store_delete(t->store);
}

static void *thread_main(void *env) {
    struct wasi_thread *t = env;
    struct wasi_threads *all = t->all;
    wasm_trap_t *trap = run(t);
    pthread_mutex_lock(&all->mutex);
    t->call_id = 0;
    if (trap && !all->ended) {
        all->cause = trap;
        trap = NULL;
        interrupt_all(all);
    }
    pthread_mutex_unlock(&all->mutex);
    wasm_trap_delete(trap);
    free_store(t);
    pthread_mutex_lock(&all->mutex);
    t->finished = true;
    all->count--;
    pthread_mutex_unlock(&all->mutex);
    return NULL;
}

/* ---- Starting one ---------------------------------------------------------------------------- */

static bool is_shared_memory(const wasm_importtype_t *import) {
    const wasm_externtype_t *type = wasm_importtype_type(import);
    return wasm_externtype_kind(type) == WASM_EXTERN_MEMORY &&
           catnap_memorytype_is_shared(wasm_externtype_as_memorytype_const(type));
}

static catnap_error_t *define(catnap_linker_t *linker, const wasm_importtype_t *import,
                              catnap_shared_memory_t *shared) {
    const wasm_name_t *module = wasm_importtype_module(import),
                      *name = wasm_importtype_name(import);
    catnap_error_t *error = NULL;
    wasm_memory_t *view = catnap_shared_memory_view(shared, catnap_linker_store(linker), &error);
    if (view)
        error = catnap_linker_define(linker, module->data, module->size, name->data, name->size,
                                     wasm_memory_as_extern(view));
    wasm_memory_delete(view);
    return error;
}

/* The caller's memories under the names that its module imports them by; how many there are, or -1 with *error. */
static int define_memories(catnap_linker_t *linker, const catnap_caller_t *caller,
                           const wasm_module_t *module, catnap_error_t **error) {
    wasm_importtype_vec_t imports;
    uint32_t index = 0;
    int count = 0;
    wasm_module_imports(module, &imports);
    for (size_t i = 0; i < imports.size && !*error; i++) {
        if (wasm_externtype_kind(wasm_importtype_type(imports.data[i])) != WASM_EXTERN_MEMORY)
            continue;
        catnap_shared_memory_t *shared = catnap_caller_shared_memory(caller, index++);
        if (shared) {
            *error = define(linker, imports.data[i], shared);
            count++;
        }
        catnap_shared_memory_delete(shared);
    }
    wasm_importtype_vec_delete(&imports);
    return *error ? -1 : count;
}

static catnap_error_t *define_spawn(catnap_linker_t *, struct wasi_threads *, wasm_store_t *main);

/* Store, module and linker of a new thread; a WASI errno. */
static uint16_t make_store(struct wasi_thread *t, catnap_caller_t *caller) {
    const catnap_wasi_threads_t *options = &t->all->options;
    catnap_error_t *error = NULL;
    wasm_module_t *module = catnap_instance_module(catnap_caller_instance(caller));
    wasm_shared_module_t *shared = module ? wasm_module_share(module) : NULL;
    int memories = -1;
    t->store = catnap_store_new_beside(catnap_caller_store(caller), &error);
    if (t->store && shared)
        t->module = wasm_module_obtain(t->store, shared);
    if (t->module)
        t->linker = catnap_linker_new(t->store);
    if (t->linker)
        memories = define_memories(t->linker, caller, module, &error);
    if (memories > 0)
        error = catnap_linker_define_wasi(t->linker, t->all->wasi);
    if (memories > 0 && !error)
        error = define_spawn(t->linker, t->all, NULL);
    if (memories > 0 && !error && options->define)
        error = options->define(options->env, t->linker);
    wasm_shared_module_delete(shared);
    wasm_module_delete(module);
    bool failed = error || memories < 0;
    catnap_error_delete(error);
    return failed ? WASI_NOMEM : memories == 0 ? WASI_NOTSUP : WASI_SUCCESS;
}

/* With all signals blocked that are not of its own making, so that they keep reaching the host's threads. */
static bool create(struct wasi_thread *t) {
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    pthread_attr_t attributes;
    sigset_t blocked, before;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(&blocked, own[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    bool made = pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0 &&
                pthread_create(&t->pthread, &attributes, thread_main, t) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return made;
}

static bool is_taken(const struct wasi_threads *all, int32_t tid) {
    const struct wasi_thread *t = all->first;
    while (t && t->tid != tid)
        t = t->next;
    return t != NULL;
}

/* Lets a thread begin to be made; false when there may be no more. With the mutex held. */
static bool begin(struct wasi_threads *all, wasm_store_t *main) {
    join(all, false);
    if (all->ended || all->count >= all->options.max_threads ||
        (main && all->main && all->main != main))
        return false;
    if (main) {
        all->main = main;
        all->main_call = catnap_store_call_id(main);
    }
    all->count++;
    return true;
}

/* Starts what was made; false when the program has ended, or the system has no thread. With the mutex held. */
static bool start(struct wasi_threads *all, struct wasi_thread *t) {
    do
        all->last_tid = all->last_tid < MAX_TID ? all->last_tid + 1 : 1;
    while (is_taken(all, all->last_tid));
    t->tid = all->last_tid;
    if (all->ended || !create(t))
        return false;
    t->next = all->first;
    all->first = t;
    return true;
}

/* Whether the caller's module has what a thread begins with. */
static bool can_start(const catnap_caller_t *caller) {
    wasm_extern_t *export = catnap_caller_export(caller, START, strlen(START));
    const wasm_func_t *func = export ? wasm_extern_as_func(export) : NULL;
    bool can = func && wasm_func_param_arity(func) == 2 && wasm_func_result_arity(func) == 0;
    if (can) {
        wasm_functype_t *type = wasm_func_type(func);
        const wasm_valtype_vec_t *params = type ? wasm_functype_params(type) : NULL;
        can = params && wasm_valtype_kind(params->data[0]) == WASM_I32 &&
              wasm_valtype_kind(params->data[1]) == WASM_I32;
        wasm_functype_delete(type);
    }
    wasm_extern_delete(export);
    return can;
}

static int32_t spawn(const struct spawner *spawner, catnap_caller_t *caller, int32_t argument) {
    struct wasi_threads *all = spawner->all;
    if (!can_start(caller))
        return -WASI_NOTSUP;
    pthread_mutex_lock(&all->mutex);
    bool may = begin(all, spawner->main);
    pthread_mutex_unlock(&all->mutex);
    if (!may)
        return -WASI_AGAIN;
    struct wasi_thread *t = calloc(1, sizeof *t);
    uint16_t error = t ? WASI_SUCCESS : WASI_NOMEM;
    int32_t tid = 0;
    if (t) {
        t->all = all;
        t->argument = argument;
        error = make_store(t, caller);
    }
    pthread_mutex_lock(&all->mutex);
    if (!error && start(all, t))
        tid = t->tid;
    else
        all->count--;
    pthread_mutex_unlock(&all->mutex);
    if (tid)
        return tid;
    if (t)
        free_store(t);
    free(t);
    return -(error ? error : WASI_AGAIN);
}

static wasm_trap_t *thread_spawn(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                                 catnap_val_t *results) {
    results[0].of.i32 = spawn(env, caller, arguments[0].of.i32);
    return NULL;
}

/* ---- Definitions ----------------------------------------------------------------------------- */

static catnap_error_t *no_memory(void) {
    return catnap_error_new(CATNAP_NO_MEMORY, "out of memory");
}

static catnap_error_t *define_spawn(catnap_linker_t *linker, struct wasi_threads *all,
                                    wasm_store_t *main) {
    struct spawner *spawner = malloc(sizeof *spawner);
    if (!spawner)
        return no_memory();
    *spawner = (struct spawner){all, main};
    atomic_fetch_add(&all->references, 1);
    return cn_linker_define_function(linker, MODULE, SPAWN, "i:i", thread_spawn, spawner,
                                     free_spawner);
}

/* Makes the memories that the linker does not have, for each shared memory that the module imports. */
static catnap_error_t *make_memories(catnap_linker_t *linker, const wasm_module_t *module) {
    wasm_engine_t *engine = catnap_store_engine(catnap_linker_store(linker));
    wasm_importtype_vec_t imports;
    catnap_error_t *error = NULL;
    wasm_module_imports(module, &imports);
    for (size_t i = 0; i < imports.size && !error; i++) {
        const wasm_importtype_t *import = imports.data[i];
        const wasm_name_t *of = wasm_importtype_module(import),
                          *name = wasm_importtype_name(import);
        if (!is_shared_memory(import))
            continue;
        wasm_extern_t *known =
            catnap_linker_get(linker, of->data, of->size, name->data, name->size);
        if (!known) {
            catnap_shared_memory_t *shared = catnap_shared_memory_new(
                engine, wasm_externtype_as_memorytype_const(wasm_importtype_type(import)), &error);
            if (shared)
                error = define(linker, import, shared);
            catnap_shared_memory_delete(shared);
        }
        wasm_extern_delete(known);
    }
    wasm_importtype_vec_delete(&imports);
    return error;
}

static struct wasi_threads *new_threads(catnap_wasi_t *wasi) {
    struct wasi_threads *all = calloc(1, sizeof *all);
    if (!all)
        return NULL;
    atomic_init(&all->references, 1);
    all->wasi = wasi;
    pthread_mutex_init(&all->mutex, NULL);
    pthread_mutex_init(&wasi->mutex, NULL);
    return wasi->threads = all;
}

catnap_error_t *catnap_linker_define_wasi_threads(catnap_linker_t *linker, catnap_wasi_t *wasi,
                                                  const wasm_module_t *module,
                                                  const catnap_wasi_threads_t *options) {
    catnap_error_t *error = NULL;
    if (!linker || !wasi || !module)
        return catnap_error_new(CATNAP_MISUSE, "a linker, a WASI state and a module are needed");
    wasm_store_t *probe = catnap_store_new_beside(catnap_linker_store(linker), &error);
    if (!probe)
        return error;
    wasm_store_delete(probe);
    struct wasi_threads *all = wasi->threads ? wasi->threads : new_threads(wasi);
    if (!all)
        return no_memory();
    all->options = options ? *options : (catnap_wasi_threads_t){.max_threads = DEFAULT_THREADS};
    error = define_spawn(linker, all, catnap_linker_store(linker));
    return error ? error : make_memories(linker, module);
}
