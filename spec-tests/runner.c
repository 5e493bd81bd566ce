#include "runner.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "to_module.h"
#include "catnap.h"
#include "changed.h"
#include "message.h"
#include "script.h"
#include "spectest.h"
#include "text_module.h"
#include "trap_text.h"
#include "value.h"

/* Modules, instances and foreign objects that the script refers to later: by name, or by number. */
typedef struct entry {
    struct entry *next;
    spec_text_t name;
    uint32_t number;
    void *object;
} entry_t;

struct thread;

typedef struct runner {
    const spec_input_t *input;
    const spec_options_t *options;
    spec_message_t message; /* why the command under way failed */
    wasm_engine_t *engine;
    wasm_store_t *store;
    catnap_linker_t *linker;
    entry_t *definitions; /* wasm_module_t, the latest first */
    entry_t *instances;   /* wasm_instance_t, the latest first; numbers as in the store */
    entry_t *registered;  /* with names; numbers and objects are those of instances */
    entry_t *foreigns;    /* wasm_foreign_t */
    bool by_wast2json;
    wasm_instance_t *current;
    struct thread *threads;      /* that were started and not waited for, the latest first */
    const struct thread *thread; /* the runner is of this thread; NULL: of the script */
} runner_t;

/* A shared memory that an instance exports. */
typedef struct shared {
    catnap_shared_memory_t *memory;
    wasm_name_t name;
} shared_t;

/* A thread with commands, which have a store of their own. */
typedef struct thread {
    struct thread *next;
    const spec_command_t *command;
    pthread_t id;
    runner_t runner;
    shared_t *shared; /* what its modules can import of the instance that it knows */
    size_t shared_count;
    bool passed;
} thread_t;

/* The outcome of an action, a module or an instantiation: one of the pointers, or none. */
typedef struct outcome {
    catnap_error_t *error;
    wasm_trap_t *trap;
    catnap_val_t *results;
    size_t count;
} outcome_t;

static void outcome_free(outcome_t *outcome) {
    for (size_t i = 0; outcome->results && i < outcome->count; i++) {
        if (wasm_valkind_is_ref(outcome->results[i].kind)) {
            wasm_ref_delete(outcome->results[i].of.ref);
        }
    }
    free(outcome->results);
    catnap_error_delete(outcome->error);
    wasm_trap_delete(outcome->trap);
    *outcome = (outcome_t){NULL, NULL, NULL, 0};
}

/* ---- Failures -------------------------------------------------------------------------------- */

static bool fail(runner_t *r, const char *why) {
    spec_message_add(&r->message, "%s", why);
    return false;
}

static void add_trap(spec_message_t *message, const wasm_trap_t *trap) {
    wasm_message_t text;
    wasm_trap_message(trap, &text);
    size_t size = text.size > 0 && text.data[text.size - 1] == 0 ? text.size - 1 : text.size;
    spec_message_add(message, "a trap of code %d: %.*s", (int)catnap_trap_code(trap), (int)size,
                     text.data ? text.data : "");
    wasm_byte_vec_delete(&text);
}

static void add_error(spec_message_t *message, const catnap_error_t *error) {
    static const char *const names[] = {
        [CATNAP_MALFORMED] = "malformed",       [CATNAP_INVALID] = "invalid",
        [CATNAP_UNSUPPORTED] = "not supported", [CATNAP_LIMIT] = "over a limit",
        [CATNAP_LINK] = "a link error",         [CATNAP_NO_MEMORY] = "out of memory",
    };
    unsigned status = catnap_error_status(error);
    const char *name = status < sizeof names / sizeof *names ? names[status] : NULL;
    if (name) {
        spec_message_add(message, "%s: %s", name, catnap_error_message(error));
    } else {
        spec_message_add(message, "status %u: %s", status, catnap_error_message(error));
    }
}

/* Gives the error up. True when there is none. */
static bool succeeded(runner_t *r, catnap_error_t *error) {
    if (error) {
        add_error(&r->message, error);
        catnap_error_delete(error);
    }
    return !error;
}

/* "expected EXPECTED, got ..." */
static bool fail_expected(runner_t *r, const char *expected, const outcome_t *got) {
    spec_message_add(&r->message, "expected %s, got ", expected);
    if (got->error) {
        add_error(&r->message, got->error);
    } else if (got->trap) {
        add_trap(&r->message, got->trap);
    } else if (got->results) {
        spec_message_add_results(&r->message, got->results, got->count);
    } else {
        spec_message_add(&r->message, "no error");
    }
    return false;
}

static bool fail_expected_trap(runner_t *r, spec_text_t text, const outcome_t *got) {
    spec_message_t expected;
    spec_message_clear(&expected);
    spec_message_add(&expected, "the trap ");
    spec_message_add_name(&expected, text);
    return fail_expected(r, expected.text, got);
}

/* ---- Names and numbers ----------------------------------------------------------------------- */

static bool remember(runner_t *r, entry_t **list, spec_text_t name, uint32_t number, void *object) {
    entry_t *entry = object ? malloc(sizeof *entry) : NULL;
    if (!entry) {
        return fail(r, "out of memory");
    }
    *entry = (entry_t){*list, name, number, object};
    *list = entry;
    return true;
}

/* The latest object of that name; the latest of all when there is no name. */
static void *recall(const entry_t *list, spec_text_t name) {
    while (list && name.data && !(list->name.data && spec_text_equal(list->name, name))) {
        list = list->next;
    }
    return list ? list->object : NULL;
}

static entry_t *entry_of(entry_t *list, const void *object) {
    while (list && list->object != object) {
        list = list->next;
    }
    return list;
}

static wasm_instance_t *find_instance(runner_t *r, spec_text_t name) {
    wasm_instance_t *instance = name.data ? recall(r->instances, name) : r->current;
    if (!instance && !name.data) {
        fail(r, "there is no current instance");
    } else if (!instance) {
        spec_message_add(&r->message, "there is no instance ");
        spec_message_add_name(&r->message, name);
    }
    return instance;
}

/* The foreign object that stands for host reference `number`: one and the same each time. */
static wasm_foreign_t *find_foreign(runner_t *r, uint32_t number) {
    for (const entry_t *entry = r->foreigns; entry; entry = entry->next) {
        if (entry->number == number) {
            return entry->object;
        }
    }
    wasm_foreign_t *foreign = wasm_foreign_new(r->store);
    if (foreign) {
        wasm_foreign_set_host_info(foreign, (void *)(uintptr_t)number);
    }
    if (!remember(r, &r->foreigns, (spec_text_t){NULL, 0}, number, foreign)) {
        wasm_foreign_delete(foreign);
        return NULL;
    }
    return foreign;
}

static void forget(entry_t *list, void (*release)(void *object)) {
    while (list) {
        entry_t *next = list->next;
        release(list->object);
        free(list);
        list = next;
    }
}

static void release_module(void *object) {
    wasm_module_delete(object);
}

static void release_instance(void *object) {
    wasm_instance_delete(object);
}

static void release_foreign(void *object) {
    wasm_foreign_delete(object);
}

/* The number that snapshots give an instance that was made just now. */
static uint32_t latest_instance(const runner_t *r) {
    catnap_store_stats_t stats;
    catnap_store_stats(r->store, &stats);
    return (uint32_t)stats.instances - 1;
}

/* Replaces an instance without other references by one that begins where it is. */
static bool replace_instance(runner_t *r, wasm_instance_t **instance) {
    entry_t *entry = entry_of(r->instances, *instance);
    if (!r->options->to_module || entry_of(r->registered, *instance)) {
        return true;
    }
    wasm_instance_t *made = *instance;
    bool done = spec_replace_instance(r->linker, &made, &r->message);
    if (made != *instance) {
        r->current = r->current == *instance ? made : r->current;
        entry->object = *instance = made;
        entry->number = latest_instance(r);
    }
    return done;
}

/* ---- Modules --------------------------------------------------------------------------------- */

/* A file of the command. */
static bool load_file(runner_t *r, spec_text_t name, uint8_t **bytes, size_t *size) {
    if (r->input->load(r->input->env, name.data, name.size, bytes, size)) {
        return true;
    }
    spec_message_add(&r->message, "cannot read the module ");
    spec_message_add_name(&r->message, name);
    return false;
}

/* The binary that comes beside a text has the same bytes. */
static bool compare_binary(runner_t *r, const spec_command_t *command, const uint8_t *bytes,
                           size_t size) {
    uint8_t *other = NULL;
    size_t other_size = 0;
    if (!command->file.data) {
        return true;
    }
    if (!load_file(r, command->file, &other, &other_size)) {
        return false;
    }
    bool same = size == other_size && memcmp(bytes, other, size) == 0;
    free(other);
    return same || fail(r, "the text becomes other bytes than those of its binary");
}

/* The bytes of a module in the text format; or none, and the outcome says why. */
static bool load_text(runner_t *r, const spec_command_t *command, uint8_t **bytes, size_t *size,
                      outcome_t *outcome) {
    char why[300];
    uint8_t *text;
    size_t text_size;
    if (!load_file(r, command->text_file, &text, &text_size)) {
        return false;
    }
    bool read = spec_read_text(text, text_size, bytes, size, why, sizeof why);
    free(text);
    if (!read) {
        outcome->error = catnap_error_new(CATNAP_MALFORMED, why);
        return outcome->error != NULL;
    }
    return compare_binary(r, command, *bytes, *size);
}

/* Loads the command's module. False only when its file cannot be read, is not what its text is, or memory runs out. */
static bool load_module(runner_t *r, const spec_command_t *command, wasm_module_t **module,
                        outcome_t *outcome) {
    uint8_t *bytes = NULL;
    size_t size = 0;
    *module = NULL;
    bool done = command->text_file.data ? load_text(r, command, &bytes, &size, outcome)
                                        : load_file(r, command->file, &bytes, &size);
    if (done && !outcome->error) {
        *module = catnap_module_new(r->store, bytes, size, NULL, &outcome->error);
    }
    free(bytes);
    return done;
}

static bool add_fuel(runner_t *r, uint64_t fuel) {
    uint64_t left = catnap_store_fuel(r->store);
    return succeeded(
        r, catnap_store_set_fuel(r->store, fuel > UINT64_MAX - left ? UINT64_MAX : left + fuel));
}

/* Instantiates a module, whose start function gets all the fuel that there is. */
static bool instantiate(runner_t *r, const wasm_module_t *module, wasm_instance_t **instance,
                        outcome_t *outcome) {
    *instance = NULL;
    if (r->options->fuel_slice && !add_fuel(r, UINT64_MAX)) {
        return false;
    }
    *instance = catnap_linker_instantiate(r->linker, module, &outcome->error, &outcome->trap);
    if (*instance && (outcome->error || outcome->trap)) {
        wasm_instance_delete(*instance);
        *instance = NULL;
        return fail(r, "an instance came with an error");
    }
    if (!*instance && !outcome->error && !outcome->trap) {
        return fail(r, "instantiation failed without a reason");
    }
    return true;
}

static bool define(runner_t *r, const spec_command_t *command, wasm_module_t **module) {
    outcome_t outcome = {NULL, NULL, NULL, 0};
    bool done = load_module(r, command, module, &outcome);
    if (done && !*module) {
        done = fail_expected(r, "a valid module", &outcome);
    } else if (done && !remember(r, &r->definitions, command->name, 0, *module)) {
        wasm_module_delete(*module);
        done = false;
    }
    outcome_free(&outcome);
    return done;
}

static bool make_current(runner_t *r, const wasm_module_t *module, spec_text_t name) {
    outcome_t outcome = {NULL, NULL, NULL, 0};
    wasm_instance_t *instance;
    bool done = instantiate(r, module, &instance, &outcome);
    if (done && !instance) {
        done = fail_expected(r, "an instance", &outcome);
    } else if (done && !remember(r, &r->instances, name, latest_instance(r), instance)) {
        wasm_instance_delete(instance);
        done = false;
    }
    r->current = done ? instance : NULL;
    outcome_free(&outcome);
    return done;
}

static bool run_module(runner_t *r, const spec_command_t *command) {
    wasm_module_t *module;
    r->current = NULL; /* later commands are not to use the instance before when this one fails */
    return define(r, command, &module) && make_current(r, module, command->name);
}

static bool run_module_definition(runner_t *r, const spec_command_t *command) {
    wasm_module_t *module;
    return define(r, command, &module);
}

static bool run_module_instance(runner_t *r, const spec_command_t *command) {
    const wasm_module_t *module = recall(r->definitions, command->module);
    r->current = NULL;
    if (!module) {
        spec_message_add(&r->message, "there is no module definition ");
        spec_message_add_name(&r->message, command->module);
        return false;
    }
    return make_current(r, module, command->instance);
}

static bool define_shared(runner_t *r, const spec_command_t *command);

static bool run_register(runner_t *r, const spec_command_t *command) {
    if (r->thread && command->name.data &&
        spec_text_equal(command->name, r->thread->command->shared_module)) {
        return define_shared(r, command);
    }
    wasm_instance_t *instance = find_instance(r, command->name);
    if (!instance) {
        return false;
    }
    return succeeded(r, catnap_linker_define_instance(r->linker, command->as.data, command->as.size,
                                                      instance)) &&
           remember(r, &r->registered, command->as, entry_of(r->instances, instance)->number,
                    instance);
}

/* wast2json leaves out the data count section of a module without data segments, so that
 * memory.init and data.drop in it are malformed before they are invalid. */
static bool is_misencoded(const runner_t *r, const spec_command_t *command, catnap_status_t wanted,
                          catnap_status_t got) {
    static const char *const texts[] = {"unknown data segment", "unknown memory 0"};
    for (size_t i = 0; r->by_wast2json && i < sizeof texts / sizeof *texts; i++) {
        if (spec_text_equal(command->text, (spec_text_t){texts[i], strlen(texts[i])})) {
            return wanted == CATNAP_INVALID && got == CATNAP_MALFORMED;
        }
    }
    return false;
}

/* Loads a module that is to be refused with that status. */
static bool expect_refusal(runner_t *r, const spec_command_t *command, catnap_status_t status,
                           const char *expected) {
    outcome_t outcome = {NULL, NULL, NULL, 0};
    wasm_module_t *module;
    bool done = load_module(r, command, &module, &outcome);
    if (done && module && r->options->deferred) {
        outcome.error = catnap_module_translate(module);
    }
    catnap_status_t got = outcome.error ? catnap_error_status(outcome.error) : CATNAP_OK;
    if (done && got != status && !is_misencoded(r, command, status, got)) {
        spec_message_add_name(&r->message, command->text);
        spec_message_add(&r->message, ": ");
        done = fail_expected(r, expected, &outcome);
    }
    wasm_module_delete(module);
    outcome_free(&outcome);
    return done;
}

static bool run_assert_invalid(runner_t *r, const spec_command_t *command) {
    return expect_refusal(r, command, CATNAP_INVALID, "an invalid module");
}

static bool run_assert_malformed(runner_t *r, const spec_command_t *command) {
    return expect_refusal(r, command, CATNAP_MALFORMED, "a malformed module");
}

/* A module that is valid, and has a custom section that is not as the specification says. */
static bool run_assert_invalid_custom(runner_t *r, const spec_command_t *command) {
    outcome_t outcome = {NULL, NULL, NULL, 0};
    wasm_module_t *module;
    bool done = load_module(r, command, &module, &outcome);
    if (done && !module) {
        done = fail_expected(r, "a valid module", &outcome);
    } else if (done) {
        outcome.error = catnap_module_check_custom(module);
        done = outcome.error != NULL || fail_expected(r, "a wrong custom section", &outcome);
    }
    wasm_module_delete(module);
    outcome_free(&outcome);
    return done;
}

/* The same, or text with a malformed annotation. */
static bool run_assert_malformed_custom(runner_t *r, const spec_command_t *command) {
    return command->text_file.data ? run_assert_malformed(r, command)
                                   : run_assert_invalid_custom(r, command);
}

/* Instantiates a module that is valid and is to end in a link error, or in a trap if `by_trap`. */
static bool expect_no_instance(runner_t *r, const spec_command_t *command, bool by_trap) {
    outcome_t outcome = {NULL, NULL, NULL, 0};
    wasm_instance_t *instance = NULL;
    wasm_module_t *module;
    bool done = load_module(r, command, &module, &outcome);
    if (done && !module) {
        done = fail_expected(r, "a valid module", &outcome);
    } else if (done && instantiate(r, module, &instance, &outcome)) {
        bool linked = !outcome.error || catnap_error_status(outcome.error) != CATNAP_LINK;
        bool trapped = outcome.trap && spec_trap_is(command->text, catnap_trap_code(outcome.trap));
        if (by_trap && !trapped) {
            done = fail_expected_trap(r, command->text, &outcome);
        } else if (!by_trap && linked) {
            done = fail_expected(r, "a link error", &outcome);
        }
    } else {
        done = false;
    }
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    outcome_free(&outcome);
    return done;
}

static bool run_assert_unlinkable(runner_t *r, const spec_command_t *command) {
    return expect_no_instance(r, command, false);
}

static bool run_assert_uninstantiable(runner_t *r, const spec_command_t *command) {
    return expect_no_instance(r, command, true);
}

/* ---- Actions --------------------------------------------------------------------------------- */

/* The argument for a parameter of a kind. A null is of whatever type of reference is asked for. */
static bool make_argument(runner_t *r, const spec_value_t *value, wasm_valkind_t kind,
                          catnap_val_t *out) {
    if (!value->is_ref) {
        spec_value_to_engine(value, out);
        return true;
    }
    memset(out, 0, sizeof *out);
    out->kind = kind;
    if (value->ref_rule == SPEC_REF_NULL && wasm_valkind_is_ref(kind)) {
        return true;
    }
    if (value->ref_rule != SPEC_REF_HOST) {
        spec_message_add(&r->message, "the C API cannot make the argument ");
        spec_message_add_value(&r->message, value);
        return false;
    }
    wasm_foreign_t *foreign = find_foreign(r, value->host_ref);
    out->of.ref = foreign ? wasm_foreign_as_ref(foreign) : NULL;
    return foreign != NULL;
}

/* Runs a call in slices of fuel. Fuel that is left is kept, so that an instruction that costs more
 * than a slice is reached in the end. */
static bool call_in_slices(runner_t *r, const wasm_func_t *func, const catnap_val_t *args,
                           size_t arg_count, outcome_t *outcome) {
    catnap_run_t *run = catnap_run_new(func, args, arg_count, &outcome->error);
    if (!run) {
        return true;
    }
    catnap_status_t status = CATNAP_OUT_OF_FUEL;
    catnap_error_t *error = catnap_store_set_fuel(r->store, 0);
    catnap_error_delete(error);
    while (status == CATNAP_OUT_OF_FUEL && add_fuel(r, r->options->fuel_slice)) {
        status = catnap_run_resume(run, outcome->results, outcome->count, &outcome->trap);
    }
    catnap_run_delete(run);
    if (status != CATNAP_OK && !outcome->trap) {
        return fail(r, "the run stopped without a trap");
    }
    return true;
}

static bool call(runner_t *r, const wasm_func_t *func, const wasm_functype_t *type,
                 const spec_action_t *action, outcome_t *outcome) {
    const wasm_valtype_vec_t *params = wasm_functype_params(type);
    bool done = true;
    if (params->size != action->arg_count) {
        return fail(r, "the function has another number of parameters");
    }
    catnap_val_t *args = calloc(params->size + 1, sizeof *args);
    outcome->count = wasm_functype_results(type)->size;
    outcome->results = calloc(outcome->count + 1, sizeof *outcome->results);
    if (!args || !outcome->results) {
        done = fail(r, "out of memory");
    }
    for (size_t i = 0; done && i < params->size; i++) {
        done = make_argument(r, &action->args[i], wasm_valtype_kind(params->data[i]), &args[i]);
    }
    if (done && r->options->fuel_slice) {
        done = call_in_slices(r, func, args, params->size, outcome);
    } else if (done) {
        outcome->trap =
            catnap_func_call(func, args, params->size, outcome->results, outcome->count);
    }
    free(args);
    return done;
}

static bool invoke(runner_t *r, wasm_extern_t *export, const spec_action_t *action,
                   outcome_t *outcome) {
    const wasm_func_t *func = wasm_extern_as_func(export);
    wasm_functype_t *type = func ? wasm_func_type(func) : NULL;
    bool done =
        type ? call(r, func, type, action, outcome) : fail(r, "the export is not a function");
    wasm_functype_delete(type);
    return done;
}

static bool get(runner_t *r, wasm_extern_t *export, outcome_t *outcome) {
    const wasm_global_t *global = wasm_extern_as_global(export);
    if (!global) {
        return fail(r, "the export is not a global");
    }
    outcome->results = calloc(1, sizeof *outcome->results);
    if (!outcome->results) {
        return fail(r, "out of memory");
    }
    outcome->count = 1;
    catnap_global_get(global, outcome->results);
    return true;
}

/* Performs an action. False only when it could not be performed. */
static bool perform(runner_t *r, const spec_action_t *action, outcome_t *outcome) {
    wasm_instance_t *instance = find_instance(r, action->module);
    if (!instance || !replace_instance(r, &instance)) {
        return false;
    }
    wasm_extern_t *export =
        catnap_instance_export(instance, action->field.data, action->field.size);
    bool done;
    if (!export) {
        done = fail(r, "there is no such export");
    } else if (action->is_get) {
        done = get(r, export, outcome);
    } else {
        done = invoke(r, export, action, outcome);
    }
    wasm_extern_delete(export);
    return done;
}

static bool run_action(runner_t *r, const spec_command_t *command) {
    outcome_t outcome = {NULL, NULL, NULL, 0};
    bool done = perform(r, &command->action, &outcome);
    if (done && (outcome.trap || outcome.error)) {
        done = fail_expected(r, "a return", &outcome);
    }
    outcome_free(&outcome);
    return done;
}

static bool result_matches(const spec_expected_t *expected, const catnap_val_t *result) {
    for (size_t i = 0; i < expected->count; i++) {
        if (spec_value_matches(&expected->any_of[i], result)) {
            return true;
        }
    }
    return false;
}

static bool results_match(const outcome_t *outcome, const spec_expected_t *expected, size_t count) {
    if (outcome->trap || outcome->error || outcome->count != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!result_matches(&expected[i], &outcome->results[i])) {
            return false;
        }
    }
    return true;
}

static bool expect_results(runner_t *r, const spec_action_t *action,
                           const spec_expected_t *expected, size_t count) {
    outcome_t outcome = {NULL, NULL, NULL, 0};
    bool done = perform(r, action, &outcome);
    if (done && !results_match(&outcome, expected, count)) {
        spec_message_t text;
        spec_message_clear(&text);
        spec_message_add_expected(&text, expected, count);
        done = fail_expected(r, text.text, &outcome);
    }
    outcome_free(&outcome);
    return done;
}

static bool run_assert_return(runner_t *r, const spec_command_t *command) {
    return expect_results(r, &command->action, command->expected, command->expected_count);
}

static bool run_assert_trap(runner_t *r, const spec_command_t *command) {
    outcome_t outcome = {NULL, NULL, NULL, 0};
    bool done = perform(r, &command->action, &outcome);
    if (done && !(outcome.trap && spec_trap_is(command->text, catnap_trap_code(outcome.trap)))) {
        done = fail_expected_trap(r, command->text, &outcome);
    }
    outcome_free(&outcome);
    return done;
}

static bool run_assert_exception(runner_t *r, const spec_command_t *command) {
    outcome_t outcome = {NULL, NULL, NULL, 0};
    bool done = perform(r, &command->action, &outcome);
    if (done && catnap_trap_code(outcome.trap) != CATNAP_TRAP_EXCEPTION) {
        done = fail_expected(r, "an exception", &outcome);
    }
    outcome_free(&outcome);
    return done;
}

static bool run_unknown(runner_t *r, const spec_command_t *command) {
    (void)command;
    return fail(r, "a command that this runner does not know");
}

/* ---- Threads --------------------------------------------------------------------------------- */

/* Views of the shared memories that the thread knows, under the name of a module. */
static bool define_shared(runner_t *r, const spec_command_t *command) {
    bool done = true;
    for (size_t i = 0; done && i < r->thread->shared_count; i++) {
        const shared_t *shared = &r->thread->shared[i];
        catnap_error_t *error;
        wasm_memory_t *view = catnap_shared_memory_view(shared->memory, r->store, &error);
        done = succeeded(r, error) &&
               succeeded(r, catnap_linker_define(r->linker, command->as.data, command->as.size,
                                                 shared->name.data, shared->name.size,
                                                 wasm_memory_as_extern(view)));
        wasm_memory_delete(view);
    }
    return done;
}

/* Notes the shared memories that an instance exports. */
static bool list_shared(thread_t *t, const wasm_module_t *module, const wasm_instance_t *instance) {
    wasm_exporttype_vec_t types;
    wasm_extern_vec_t externs;
    wasm_module_exports(module, &types);
    wasm_instance_exports(instance, &externs);
    t->shared = calloc(types.size + 1, sizeof *t->shared);
    for (size_t i = 0; t->shared && i < types.size && i < externs.size; i++) {
        const wasm_memory_t *memory = wasm_extern_as_memory_const(externs.data[i]);
        catnap_shared_memory_t *shared = catnap_memory_shared(memory);
        if (shared) {
            shared_t *added = &t->shared[t->shared_count++];
            added->memory = shared;
            wasm_name_copy(&added->name, wasm_exporttype_name(types.data[i]));
        }
    }
    wasm_exporttype_vec_delete(&types);
    wasm_extern_vec_delete(&externs);
    return t->shared != NULL;
}

static bool run_once(runner_t *r, const spec_command_t *command, const spec_change_t *change);
static void start_message(runner_t *r, const spec_command_t *command);
static bool start_store(runner_t *r);
static void stop_store(runner_t *r);

static void *run_commands_of(void *argument) {
    thread_t *t = argument;
    runner_t *r = &t->runner;
    spec_message_clear(&r->message);
    t->passed = start_store(r);
    for (size_t i = 0; t->passed && i < t->command->command_count; i++) {
        start_message(r, &t->command->commands[i]);
        t->passed = run_once(r, &t->command->commands[i], NULL);
    }
    stop_store(r);
    return NULL;
}

static void free_thread(thread_t *t) {
    for (size_t i = 0; i < t->shared_count; i++) {
        catnap_shared_memory_delete(t->shared[i].memory);
        wasm_name_delete(&t->shared[i].name);
    }
    free(t->shared);
    free(t);
}

static bool run_thread(runner_t *r, const spec_command_t *command) {
    wasm_instance_t *instance = recall(r->instances, command->shared_module);
    const wasm_module_t *module = recall(r->definitions, command->shared_module);
    thread_t *t = calloc(1, sizeof *t);
    if (!t || !instance || !module || !command->shared_module.data) {
        free(t);
        return fail(r, "there is no instance that the thread can know");
    }
    t->command = command;
    t->runner = (runner_t){.input = r->input,
                           .options = r->options,
                           .engine = r->engine,
                           .by_wast2json = r->by_wast2json,
                           .thread = t};
    if (!list_shared(t, module, instance) ||
        pthread_create(&t->id, NULL, run_commands_of, t) != 0) {
        free_thread(t);
        return fail(r, "no thread can be made");
    }
    t->next = r->threads;
    r->threads = t;
    return true;
}

/* A name that a thread gives the instance it knows is the script's, too: the reference interpreter has one
 * table of names. */
static bool adopt_names(runner_t *r, const spec_command_t *thread) {
    bool done = true;
    for (size_t i = 0; done && i < thread->command_count; i++) {
        const spec_command_t *command = &thread->commands[i];
        if (command->type == SPEC_REGISTER && command->name.data &&
            spec_text_equal(command->name, thread->shared_module) &&
            !recall(r->registered, command->as)) {
            done = run_register(r, command);
        }
    }
    return done;
}

/* Passes when all commands of the thread have passed. */
static bool run_wait(runner_t *r, const spec_command_t *command) {
    thread_t **link = &r->threads;
    while (*link && !spec_text_equal((*link)->command->name, command->thread)) {
        link = &(*link)->next;
    }
    thread_t *t = *link;
    if (!t) {
        return fail(r, "there is no such thread");
    }
    *link = t->next;
    pthread_join(t->id, NULL);
    bool passed = t->passed ? adopt_names(r, t->command) : fail(r, t->runner.message.text);
    free_thread(t);
    return passed;
}

/* ---- Commands -------------------------------------------------------------------------------- */

static bool (*const run_by_type[SPEC_COMMAND_TYPES])(runner_t *, const spec_command_t *) = {
    [SPEC_MODULE] = run_module,
    [SPEC_MODULE_DEFINITION] = run_module_definition,
    [SPEC_MODULE_INSTANCE] = run_module_instance,
    [SPEC_REGISTER] = run_register,
    [SPEC_ACTION] = run_action,
    [SPEC_ASSERT_RETURN] = run_assert_return,
    [SPEC_ASSERT_TRAP] = run_assert_trap,
    [SPEC_ASSERT_EXHAUSTION] = run_assert_trap,
    [SPEC_ASSERT_EXCEPTION] = run_assert_exception,
    [SPEC_ASSERT_INVALID] = run_assert_invalid,
    [SPEC_ASSERT_MALFORMED] = run_assert_malformed,
    [SPEC_ASSERT_MALFORMED_CUSTOM] = run_assert_malformed_custom,
    [SPEC_ASSERT_INVALID_CUSTOM] = run_assert_invalid_custom,
    [SPEC_ASSERT_UNLINKABLE] = run_assert_unlinkable,
    [SPEC_ASSERT_UNINSTANTIABLE] = run_assert_uninstantiable,
    [SPEC_THREAD] = run_thread,
    [SPEC_WAIT] = run_wait,
    [SPEC_UNKNOWN] = run_unknown,
};

static bool run_changed(runner_t *r, const spec_command_t *command, const spec_change_t *change) {
    spec_value_t value = spec_value_of_i32(change->result);
    const spec_value_t bits[] = {spec_value_of_i32(0), spec_value_of_i32(1)};
    spec_expected_t expected = {&value, 1};
    wasm_module_t *module;
    bool done = false;
    switch (change->kind) {
    case SPEC_NOW_VALID:
        done = define(r, command, &module);
        break;
    case SPEC_NOW_INVALID:
        done = run_assert_invalid(r, command);
        break;
    case SPEC_NOW_LATER:
        done = expect_refusal(r, command, CATNAP_UNSUPPORTED, "a module that is not supported");
        break;
    case SPEC_NOW_TRAPS:
        done = expect_no_instance(r, command, true);
        break;
    case SPEC_NOW_EITHER:
        expected = (spec_expected_t){bits, 2};
        done = expect_results(r, &command->action, &expected, 1);
        break;
    case SPEC_NOW_RETURNS:
        done = expect_results(r, &command->action, &expected, 1);
        break;
    }
    if (!done) {
        spec_message_add(&r->message, " (changed: %s)", change->reason);
    }
    return done;
}

static bool run_once(runner_t *r, const spec_command_t *command, const spec_change_t *change) {
    return change ? run_changed(r, command, change) : run_by_type[command->type](r, command);
}

/* ---- Round trips ----------------------------------------------------------------------------- */

static size_t name_foreign(void *env, const wasm_ref_t *ref, char *text, size_t size) {
    (void)env;
    const wasm_foreign_t *foreign = wasm_ref_as_foreign_const(ref);
    int length = foreign ? snprintf(text, size, "%u",
                                    (unsigned)(uintptr_t)wasm_foreign_get_host_info(foreign))
                         : 0;
    return (size_t)length;
}

static wasm_ref_t *foreign_named(void *env, const char *name, size_t length) {
    uint32_t number = 0;
    for (size_t i = 0; i < length; i++) {
        number = number * 10 + (uint32_t)(name[i] - '0');
    }
    wasm_foreign_t *foreign = find_foreign(env, number);
    return foreign ? wasm_foreign_as_ref(foreign) : NULL;
}

static catnap_snapshot_t *take(runner_t *r) {
    catnap_snapshot_options_t options = {.name = name_foreign};
    catnap_error_t *error;
    catnap_snapshot_t *snapshot = catnap_snapshot_take(r->store, &options, &error);
    succeeded(r, error);
    return snapshot;
}

/* A snapshot of the store, by way of bytes. */
static catnap_snapshot_t *take_as_bytes(runner_t *r) {
    catnap_save_options_t options = {.with_modules = true};
    wasm_byte_vec_t bytes;
    catnap_error_t *error;
    catnap_snapshot_t *taken = take(r), *read = NULL;
    if (taken && succeeded(r, catnap_snapshot_write(taken, &options, &bytes))) {
        read =
            catnap_snapshot_read(r->engine, (const uint8_t *)bytes.data, bytes.size, NULL, &error);
        succeeded(r, error);
        wasm_byte_vec_delete(&bytes);
    }
    catnap_snapshot_delete(taken);
    return read;
}

/* Whether the store is what the snapshot says. */
static bool is_store(runner_t *r, const catnap_snapshot_t *snapshot) {
    catnap_snapshot_info_t wanted, got;
    catnap_snapshot_t *taken = take(r);
    if (!taken) {
        return false;
    }
    catnap_snapshot_info(snapshot, &wanted);
    catnap_snapshot_info(taken, &got);
    catnap_snapshot_delete(taken);
    return memcmp(wanted.identity, got.identity, sizeof got.identity) == 0 ||
           fail(r, "a snapshot of what was made from a snapshot is another one");
}

static bool start_store(runner_t *r) {
    r->store = wasm_store_new(r->engine);
    r->linker = r->store ? catnap_linker_new(r->store) : NULL;
    return r->linker &&
           (r->options->round_trip ? spec_define_spectest_functions(r->store, r->linker)
                                   : spec_define_spectest(r->store, r->linker));
}

/* The modules as another store's. */
static bool move_modules(runner_t *r, wasm_store_t *to) {
    for (entry_t *entry = r->definitions; entry; entry = entry->next) {
        wasm_shared_module_t *shared = wasm_module_share(entry->object);
        wasm_module_t *module = shared ? wasm_module_obtain(to, shared) : NULL;
        wasm_shared_module_delete(shared);
        if (!module) {
            return fail(r, "out of memory");
        }
        wasm_module_delete(entry->object);
        entry->object = module;
    }
    return true;
}

/* Puts the restored instances in place of the former ones, by number. */
static void take_instances(runner_t *r, wasm_instance_t **made) {
    wasm_instance_t *current = NULL;
    for (entry_t *entry = r->instances; entry; entry = entry->next) {
        wasm_instance_t *former = entry->object;
        entry->object = made[entry->number];
        made[entry->number] = NULL;
        current = former == r->current ? entry->object : current;
        for (entry_t *alias = r->registered; alias; alias = alias->next) {
            alias->object = alias->number == entry->number ? entry->object : alias->object;
        }
        wasm_instance_delete(former);
    }
    r->current = current;
}

/* The earliest first: a later name may be the same. */
static bool register_again(runner_t *r, const entry_t *entry) {
    return !entry || (register_again(r, entry->next) &&
                      succeeded(r, catnap_linker_define_instance(r->linker, entry->name.data,
                                                                 entry->name.size, entry->object)));
}

static bool restore(runner_t *r, const catnap_snapshot_t *snapshot) {
    size_t modules = 0, count = catnap_snapshot_instance_count(snapshot);
    for (const entry_t *entry = r->definitions; entry; entry = entry->next) {
        modules++;
    }
    const wasm_module_t **known = calloc(modules + 1, sizeof(wasm_module_t *));
    wasm_instance_t **made = calloc(count + 1, sizeof(wasm_instance_t *));
    bool done = known && made;
    modules = 0;
    for (const entry_t *entry = r->definitions; done && entry; entry = entry->next) {
        known[modules++] = entry->object;
    }
    catnap_restore_options_t options = {foreign_named, r, known, modules};
    done = done && succeeded(r, catnap_snapshot_restore(snapshot, r->linker, &options, made, NULL));
    if (done) {
        take_instances(r, made);
    }
    for (size_t i = 0; made && i < count; i++) {
        wasm_instance_delete(made[i]);
    }
    free(known);
    free(made);
    return done && register_again(r, r->registered);
}

/* The store becomes bytes, and another one takes its place. */
static bool change_stores(runner_t *r) {
    wasm_store_t *former = r->store;
    catnap_linker_t *former_linker = r->linker;
    catnap_snapshot_t *snapshot = take_as_bytes(r);
    if (!snapshot) {
        return false;
    }
    bool done = start_store(r) && move_modules(r, r->store);
    forget(r->foreigns, release_foreign);
    r->foreigns = NULL;
    done = done && restore(r, snapshot) && is_store(r, snapshot);
    catnap_snapshot_delete(snapshot);
    catnap_linker_delete(former_linker);
    wasm_store_delete(former);
    return done;
}

static void let_latest_go(runner_t *r) {
    entry_t *latest = r->instances;
    r->instances = latest->next;
    r->current = NULL;
    wasm_instance_delete(latest->object);
    free(latest);
}

/* A new instance that refers to garbage-collected objects is in the way of a rollback until it is let go. */
static bool roll_back(runner_t *r, uint32_t level, const entry_t *instances) {
    catnap_error_t *error = catnap_store_rollback(r->store, level);
    if (error && catnap_error_status(error) == CATNAP_MISUSE && r->instances != instances) {
        catnap_error_delete(error);
        let_latest_go(r);
        error = catnap_store_rollback(r->store, level);
        catnap_store_collect(r->store);
    }
    return succeeded(r, error);
}

static bool run_undone(runner_t *r, const spec_command_t *command, const spec_change_t *change) {
    const entry_t *instances = r->instances;
    uint32_t level;
    return succeeded(r, catnap_store_checkpoint(r->store, &level)) &&
           run_once(r, command, change) && roll_back(r, level, instances) &&
           succeeded(r, catnap_store_release(r->store, level));
}

static bool touches_instances(const spec_command_t *command) {
    return command->type != SPEC_MODULE_DEFINITION && command->type != SPEC_ASSERT_INVALID &&
           command->type != SPEC_ASSERT_MALFORMED &&
           command->type != SPEC_ASSERT_MALFORMED_CUSTOM &&
           command->type != SPEC_ASSERT_INVALID_CUSTOM && command->type != SPEC_ASSERT_UNLINKABLE;
}

static bool run_command(runner_t *r, const spec_command_t *command, const spec_change_t *change) {
    if (r->options->round_trip && touches_instances(command)) {
        if (!change_stores(r) ||
            (command->type != SPEC_REGISTER && !run_undone(r, command, change))) {
            return false;
        }
    }
    return run_once(r, command, change);
}

static void start_message(runner_t *r, const spec_command_t *command) {
    spec_message_clear(&r->message);
    spec_message_add(&r->message, "%.*s: ", (int)command->type_name.size,
                     command->type_name.data ? command->type_name.data : "");
    if (command->action.field.data) {
        spec_message_add_name(&r->message, command->action.field);
        spec_message_add(&r->message, ": ");
    }
}

static void run_script(runner_t *r, const spec_script_t *script, spec_counts_t *counts,
                       const char *source, spec_failure_t failure, void *failure_env) {
    r->by_wast2json = script->by_wast2json;
    for (size_t i = 0; i < script->count; i++) {
        const spec_command_t *command = &script->commands[i];
        const spec_change_t *change =
            spec_change_find(r->input->set, script->source, command->line);
        counts->line = command->line;
        start_message(r, command);
        counts->changed += change != NULL;
        if (run_command(r, command, change)) {
            counts->passed++;
        } else {
            counts->failed++;
            failure(failure_env, source, command->line, r->message.text);
        }
    }
    counts->line = 0;
}

/* ---- Runner ---------------------------------------------------------------------------------- */

static wasm_config_t *make_config(const spec_options_t *options) {
    wasm_config_t *config = wasm_config_new();
    if (!config) {
        return NULL;
    }
    if (options->eager) {
        catnap_config_set_translation(config, CATNAP_TRANSLATION_EAGER);
    }
    if (options->deferred) {
        catnap_config_set_translation(config, CATNAP_TRANSLATION_DEFERRED);
    }
    if (options->explicit_bounds) {
        catnap_config_set_bounds_checks(config, CATNAP_BOUNDS_EXPLICIT);
    }
    if (options->set_features) {
        catnap_config_set_features(config, options->features);
    }
    catnap_config_set_deterministic(config, options->deterministic);
    catnap_config_set_interruptible(config, options->interruptible);
    catnap_config_set_fuel(config, options->fuel_slice != 0);
    return config;
}

/* The state of spectest as an instance, which a snapshot holds like all others. */
static bool define_spectest_state(runner_t *r) {
    static const char name[] = "spectest";
    wasm_module_t *module = spec_spectest_state(r->store);
    if (!remember(r, &r->definitions, (spec_text_t){NULL, 0}, 0, module)) {
        wasm_module_delete(module);
        return false;
    }
    bool done = make_current(r, module, (spec_text_t){NULL, 0}) &&
                remember(r, &r->registered, (spec_text_t){name, sizeof name - 1},
                         r->instances->number, r->instances->object) &&
                register_again(r, r->registered);
    r->current = NULL;
    return done;
}

static bool start(runner_t *r) {
    wasm_config_t *config = make_config(r->options);
    r->engine = config ? wasm_engine_new_with_config(config) : NULL;
    return r->engine && start_store(r) && (!r->options->round_trip || define_spectest_state(r));
}

static void release_nothing(void *object) {
    (void)object;
}

static void stop_store(runner_t *r) {
    forget(r->registered, release_nothing);
    forget(r->instances, release_instance);
    forget(r->definitions, release_module);
    forget(r->foreigns, release_foreign);
    catnap_linker_delete(r->linker);
    wasm_store_delete(r->store);
}

static void stop(runner_t *r) {
    while (r->threads) {
        thread_t *t = r->threads;
        r->threads = t->next;
        pthread_join(t->id, NULL);
        free_thread(t);
    }
    stop_store(r);
    wasm_engine_delete(r->engine);
}

void spec_run(const spec_input_t *input, const spec_options_t *options, spec_counts_t *counts,
              spec_failure_t failure, void *failure_env) {
    runner_t r = {.input = input, .options = options};
    spec_script_t script;
    char error[200];
    *counts = (spec_counts_t){0};
    if (!spec_script_read(&script, input->json, input->json_size, error, sizeof error)) {
        counts->total = counts->failed = 1;
        failure(failure_env, input->label ? input->label : "script", 0, error);
    } else {
        spec_message_t source;
        spec_message_clear(&source);
        spec_message_add(&source, "%.*s", (int)script.source.size,
                         script.source.data ? script.source.data : "");
        counts->total = (uint32_t)script.count;
        if (start(&r)) {
            run_script(&r, &script, counts, source.text, failure, failure_env);
        } else {
            counts->failed = counts->total;
            failure(failure_env, source.text, 0, "the engine cannot be set up");
        }
        stop(&r);
    }
    spec_script_free(&script);
}
