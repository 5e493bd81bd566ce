#include "keep.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define CALL_PREFIX "call:"
#define DATA_MAGIC "catnap1\n"
#define SIGNAL_EXIT 128
#define COMPRESSION 3 /* a level of zstd at which it is about as fast as a disk */

/* ---- Settings -------------------------------------------------------------------------------- */

static enum keep_event event_of(const struct run_settings *settings) {
    static const struct {
        const char *word;
        enum keep_event event;
    } words[] = {
        {"exit", KEEP_EXIT}, {"trap", KEEP_TRAP}, {"fuel", KEEP_FUEL}, {"signal", KEEP_SIGNAL}};
    const char *text = settings->snapshot_on;
    if (text == NULL)
        return KEEP_NEVER;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcmp(text, words[i].word) == 0)
            return words[i].event;
    size_t prefix = strlen(CALL_PREFIX);
    return strncmp(text, CALL_PREFIX, prefix) == 0 && text[prefix] != '\0' ? KEEP_CALL : KEEP_NEVER;
}

bool keep_wanted(const struct run_settings *settings) {
    return settings->snapshot_on != NULL || settings->snapshot_every.given;
}

static bool usage(struct session *session, const char *message) {
    return session_end(session, diag_fail(session->diag, CLI_EXIT_USAGE, NULL, "%s", message));
}

bool keep_check(struct session *session) {
    const struct run_settings *settings = session->settings;
    if (settings->snapshot_on != NULL && event_of(settings) == KEEP_NEVER)
        return usage(session, "--snapshot-on: expected exit, trap, fuel, signal or call:NAME");
    if (settings->snapshot_every.given && settings->snapshot_every.value == 0)
        return usage(session, "--snapshot-every: expected a time above zero");
    if (keep_wanted(settings) && settings->output == NULL)
        return usage(session, "name the file for snapshots: -o FILE");
    if (!keep_wanted(settings) && settings->output != NULL)
        return usage(session, "-o needs --snapshot-on or --snapshot-every");
    if (!keep_wanted(settings) && settings->compress)
        return usage(session, "--compress needs --snapshot-on or --snapshot-every");
    return true;
}

/* ---- Signals and the clock ------------------------------------------------------------------- */

static volatile sig_atomic_t pending_signal, pending_tick;
static wasm_store_t *_Atomic interrupted_store;

static void on_signal(int number) {
    wasm_store_t *store = atomic_load(&interrupted_store);
    if (number == SIGALRM)
        pending_tick = 1;
    else
        pending_signal = number;
    if (store != NULL)
        catnap_store_interrupt(store, catnap_store_call_id(store));
}

static void listen_for(int number) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static void start_clock(uint64_t nanoseconds) {
    uint64_t micros = nanoseconds / 1000 > 0 ? nanoseconds / 1000 : 1;
    struct timeval time = {(time_t)(micros / 1000000), (suseconds_t)(micros % 1000000)};
    struct itimerval timer = {time, time};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void start_listening(const struct session *session) {
    const struct run_settings *settings = session->settings;
    atomic_store(&interrupted_store, session->store);
    if (event_of(settings) == KEEP_SIGNAL) {
        listen_for(SIGUSR1);
        listen_for(SIGINT);
        listen_for(SIGTERM);
    }
    if (settings->snapshot_every.given) {
        listen_for(SIGALRM);
        start_clock(settings->snapshot_every.value);
    }
}

static void stop_listening(void) {
    struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    atomic_store(&interrupted_store, NULL);
}

/* ---- Saving ---------------------------------------------------------------------------------- */

/* The command's own part: the name of a call, then the state of WASI. */
static bool make_data(const struct session *session, wasm_byte_vec_t *out, catnap_error_t **error) {
    wasm_byte_vec_t wasi;
    const char *name = session->keep_call;
    size_t magic = strlen(DATA_MAGIC), length = strlen(name) + 1;
    *error = catnap_wasi_save(session->wasi, &wasi);
    if (*error != NULL)
        return false;
    wasm_byte_vec_new_uninitialized(out, magic + length + wasi.size);
    if (out->data != NULL) {
        memcpy(out->data, DATA_MAGIC, magic);
        memcpy(out->data + magic, name, length);
        memcpy(out->data + magic + length, wasi.data, wasi.size);
    } else {
        *error = catnap_error_new(CATNAP_NO_MEMORY, "out of memory");
    }
    wasm_byte_vec_delete(&wasi);
    return *error == NULL;
}

enum cli_exit keep_open(const struct diag *diag, wasm_engine_t *engine, const char *path,
                        const catnap_snapshot_t *base, bool trust,
                        WASM_OWN catnap_snapshot_t **out) {
    catnap_error_t *error = NULL;
    catnap_open_options_t options = {.base = base, .trust_pages = trust};
    *out = catnap_snapshot_open(engine, path, &options, &error);
    return *out != NULL ? CLI_EXIT_OK : diag_error(diag, path, error);
}

bool keep_read_data(const catnap_snapshot_t *snapshot, struct kept_data *out) {
    size_t length, magic = strlen(DATA_MAGIC);
    const char *data = catnap_snapshot_data(snapshot, &length);
    if (data == NULL || length < magic || memcmp(data, DATA_MAGIC, magic) != 0)
        return false;
    const char *end = memchr(data + magic, '\0', length - magic);
    if (end == NULL || (size_t)(end - data) - magic >= sizeof(out->call))
        return false;
    memcpy(out->call, data + magic, (size_t)(end - data) - magic + 1);
    out->wasi = end + 1;
    out->wasi_length = length - (size_t)(end + 1 - data);
    return true;
}

static void tell_progress(const char *path, const struct timespec *start) {
    struct timespec now;
    if (!isatty(STDERR_FILENO))
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double ms =
        (double)(now.tv_sec - start->tv_sec) * 1e3 + (double)(now.tv_nsec - start->tv_nsec) / 1e6;
    fputs("catnap: snapshot in ", stderr);
    print_path(stderr, path);
    fprintf(stderr, ", %.1f ms\n", ms);
    fflush(stderr);
}

static enum cli_exit not_saved(const struct session *session, WASM_OWN catnap_error_t *error) {
    const char *path = session->settings->output;
    if (catnap_error_status(error) != CATNAP_IO)
        return diag_error(session->diag, path, error);
    const char *message = catnap_error_message(error);
    size_t length = strlen(session->output);
    if (strncmp(message, session->output, length) == 0)
        message += length + strspn(message + length, " ");
    diag_fail(session->diag, CLI_EXIT_IO, path, "%s", message);
    catnap_error_delete(error);
    return CLI_EXIT_IO;
}

/* Writes the snapshot. run is NULL when nothing is suspended. */
static bool save(struct session *session, catnap_run_t *run) {
    wasm_byte_vec_t data;
    catnap_error_t *error;
    struct timespec start;
    const char *path = session->settings->output;
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (make_data(session, &data, &error)) {
        catnap_snapshot_options_t options = {
            .run = run, .data = data.data, .data_length = data.size};
        catnap_save_options_t save_options = {
            .with_modules = true, .compression = session->settings->compress ? COMPRESSION : 0};
        deadline_hold(&session->deadline);
        error = catnap_store_save(session->store, session->output, &options, &save_options);
        deadline_release(&session->deadline);
        wasm_byte_vec_delete(&data);
    }
    if (error != NULL)
        return session_end(session, not_saved(session, error));
    tell_progress(path, &start);
    return true;
}

/* ---- Functions that only ask for a snapshot -------------------------------------------------- */

static wasm_trap_t *call_marker(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                                catnap_val_t *results) {
    (void)arguments;
    (void)results;
    const struct session *session = env;
    if (event_of(session->settings) == KEEP_CALL)
        catnap_caller_suspend(caller);
    return NULL;
}

static bool same_name(const wasm_name_t *module, const wasm_name_t *name, const char *wanted) {
    size_t length = strlen(wanted);
    if (name->size == length && memcmp(name->data, wanted, length) == 0)
        return true;
    return module->size + 1 + name->size == length &&
           memcmp(module->data, wanted, module->size) == 0 && wanted[module->size] == '.' &&
           memcmp(wanted + module->size + 1, name->data, name->size) == 0;
}

static catnap_error_t *define_marker(struct session *session, const wasm_importtype_t *import) {
    catnap_error_t *error = NULL;
    const wasm_name_t *module = wasm_importtype_module(import),
                      *name = wasm_importtype_name(import);
    const wasm_functype_t *type = wasm_externtype_as_functype_const(wasm_importtype_type(import));
    wasm_extern_t *known =
        catnap_linker_get(session->linker, module->data, module->size, name->data, name->size);
    if (known != NULL) {
        wasm_extern_delete(known);
        return NULL;
    }
    wasm_func_t *func = catnap_func_new(session->store, type, call_marker, session, NULL, &error);
    if (func != NULL)
        error = catnap_linker_define(session->linker, module->data, module->size, name->data,
                                     name->size, wasm_func_as_extern(func));
    wasm_func_delete(func);
    return error;
}

bool keep_define(struct session *session, const wasm_module_t *module, const char *name) {
    wasm_importtype_vec_t imports;
    catnap_error_t *error = NULL;
    if (name == NULL && event_of(session->settings) == KEEP_CALL)
        name = session->settings->snapshot_on + strlen(CALL_PREFIX);
    if (name == NULL || name[0] == '\0')
        return true;
    session->keep_call = name;
    wasm_module_imports(module, &imports);
    for (size_t i = 0; i < imports.size && error == NULL; i++)
        if (wasm_externtype_kind(wasm_importtype_type(imports.data[i])) == WASM_EXTERN_FUNC &&
            same_name(wasm_importtype_module(imports.data[i]),
                      wasm_importtype_name(imports.data[i]), name))
            error = define_marker(session, imports.data[i]);
    wasm_importtype_vec_delete(&imports);
    return error == NULL || session_end(session, diag_error(session->diag, NULL, error));
}

/* ---- Calls ----------------------------------------------------------------------------------- */

/* After an interruption: whether the run goes on. */
static bool handle_interruption(struct session *session, const char *path, catnap_run_t *run) {
    int number = pending_signal;
    bool expired = deadline_expired(&session->deadline);
    /* Nothing has run yet when its function was still being translated: the next stop is soon. */
    if (!expired && catnap_run_backtrace(run, NULL, 0) == 0)
        return true;
    pending_signal = 0;
    pending_tick = 0;
    if (expired)
        return session_trap(
            session, path, catnap_trap_new(session->store, CATNAP_TRAP_INTERRUPTED, "interrupted"));
    if (!save(session, run))
        return false;
    if (number == SIGINT || number == SIGTERM)
        return session_end(session, SIGNAL_EXIT + number);
    return true;
}

static bool handle_trap(struct session *session, const char *path, WASM_OWN wasm_trap_t *trap) {
    int32_t status;
    enum keep_event wanted = catnap_trap_exit_status(trap, &status) ? KEEP_EXIT : KEEP_TRAP;
    bool saved = event_of(session->settings) != wanted || save(session, NULL);
    if (saved)
        return session_trap(session, path, trap);
    wasm_trap_delete(trap);
    return false;
}

/* Runs until the next stop; *ended: there is nothing to resume. */
static bool step(struct session *session, const char *path, catnap_run_t *run,
                 catnap_val_t *results, size_t count, bool *ended) {
    wasm_trap_t *trap = NULL;
    enum keep_event event = event_of(session->settings);
    *ended = true;
    switch (catnap_run_resume(run, results, count, &trap)) {
    case CATNAP_OK:
        return event != KEEP_EXIT || save(session, NULL);
    case CATNAP_TRAP:
        return handle_trap(session, path, trap);
    case CATNAP_OUT_OF_FUEL:
        if (event == KEEP_FUEL && !save(session, run))
            return false;
        return session_trap(
            session, path, catnap_trap_new(session->store, CATNAP_TRAP_OUT_OF_FUEL, "out of fuel"));
    case CATNAP_INTERRUPTED:
        *ended = false;
        return handle_interruption(session, path, run);
    default:
        return session_end(session, diag_no_memory(session->diag));
    }
}

bool keep_call(struct session *session, const char *path, WASM_OWN catnap_run_t *run,
               catnap_val_t *results, size_t result_count) {
    bool ended = false, ok = true;
    start_listening(session);
    while (ok && !ended) {
        ok = session_arm(session);
        if (ok && (pending_signal != 0 || pending_tick != 0))
            catnap_store_interrupt(session->store, catnap_store_call_id(session->store));
        if (ok)
            ok = step(session, path, run, results, result_count, &ended);
    }
    stop_listening();
    deadline_disarm(&session->deadline);
    catnap_run_delete(run);
    return ok;
}
