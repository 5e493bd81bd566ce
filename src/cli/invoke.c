#include "invoke.h"

#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "values.h"

/* A module may have any number: what is listed is for reading. */
#define LISTED_FUNCTIONS 20

WASM_OWN wasm_func_t *find_function(const struct loaded *loaded, const char *name) {
    wasm_extern_t *export = catnap_instance_export(loaded->instance, name, strlen(name));
    wasm_func_t *func = export != NULL ? wasm_extern_as_func(export) : NULL;
    wasm_func_t *own_func = func != NULL ? wasm_func_copy(func) : NULL;
    wasm_extern_delete(export);
    return own_func;
}

/* ---- Exports to call ------------------------------------------------------------------------- */

/* Appends "\n  name: type" for the first exported functions, and how many more there are. */
static void list_functions(FILE *out, const wasm_module_t *module) {
    wasm_exporttype_vec_t exports;
    size_t count = 0;
    wasm_module_exports(module, &exports);
    for (size_t i = 0; i < exports.size; i++) {
        const wasm_externtype_t *type = wasm_exporttype_type(exports.data[i]);
        const wasm_name_t *name = wasm_exporttype_name(exports.data[i]);
        if (wasm_externtype_kind(type) != WASM_EXTERN_FUNC)
            continue;
        if (count >= LISTED_FUNCTIONS) {
            count++;
            continue;
        }
        fputs(count++ == 0 ? "; exported functions:\n  " : "\n  ", out);
        print_safe(out, name->data, name->size);
        fputs(": ", out);
        print_functype(out, wasm_externtype_as_functype_const(type));
    }
    if (count == 0)
        fputs("; no functions are exported", out);
    if (count > LISTED_FUNCTIONS)
        fprintf(out, "\n  and %zu more", count - LISTED_FUNCTIONS);
    wasm_exporttype_vec_delete(&exports);
}

bool no_such_function(struct session *session, const struct loaded *loaded, const char *complaint) {
    char *message = NULL;
    size_t size;
    FILE *out = open_memstream(&message, &size);
    if (out != NULL) {
        print_safe(out, complaint, strlen(complaint));
        list_functions(out, loaded->module);
        fclose(out);
    }
    struct diag_detail detail = {.subject = display_name(loaded->path), .lines = message != NULL};
    diag_report(session->diag, CLI_EXIT_USAGE, &detail, message != NULL ? message : complaint);
    free(message);
    return session_end(session, CLI_EXIT_USAGE);
}

WASM_OWN wasm_func_t *need_function(struct session *session, const struct loaded *loaded,
                                    const char *name) {
    char *complaint = NULL;
    wasm_func_t *func = find_function(loaded, name);
    if (func != NULL)
        return func;
    if (asprintf(&complaint, "there is no exported function '%s'", name) >= 0)
        no_such_function(session, loaded, complaint);
    else
        session_end(session, diag_no_memory(session->diag));
    free(complaint);
    return NULL;
}

/* ---- Arguments ------------------------------------------------------------------------------- */

static bool wrong_count(struct session *session, const struct loaded *loaded, const char *name,
                        const wasm_functype_t *type, int argc) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out != NULL) {
        print_functype(out, type);
        fclose(out);
    }
    size_t expected = wasm_functype_params(type)->size;
    diag_fail(session->diag, CLI_EXIT_USAGE, display_name(loaded->path),
              "'%s' takes %zu argument%s, not %d: %s", name, expected, expected == 1 ? "" : "s",
              argc, text != NULL ? text : "");
    free(text);
    return session_end(session, CLI_EXIT_USAGE);
}

/* Reads argv by the function's parameter types. */
static bool parse_arguments(struct session *session, const struct loaded *loaded, const char *name,
                            const wasm_functype_t *type, int argc, char **argv,
                            catnap_val_t *arguments) {
    const wasm_valtype_vec_t *params = wasm_functype_params(type);
    if (params->size != (size_t)argc)
        return wrong_count(session, loaded, name, type, argc);
    for (int i = 0; i < argc; i++) {
        wasm_valkind_t kind = wasm_valtype_kind(params->data[i]);
        if (!parse_value(kind, argv[i], &arguments[i]))
            return session_end(session,
                               diag_fail(session->diag, CLI_EXIT_USAGE, display_name(loaded->path),
                                         "argument %d of '%s': expected %s%s, not '%s'", i + 1,
                                         name, kind_name(kind),
                                         wasm_valkind_is_ref(kind) ? " (only null)" : "", argv[i]));
    }
    return true;
}

/* ---- The call -------------------------------------------------------------------------------- */

void finish_results(const catnap_val_t *results, size_t count, FILE *out) {
    for (size_t i = 0; i < count; i++) {
        if (out != NULL) {
            print_value(out, &results[i]);
            fputc('\n', out);
        }
        if (wasm_valkind_is_ref(results[i].kind))
            wasm_ref_delete(results[i].of.ref);
    }
}

static bool call_with_text(struct session *session, const struct loaded *loaded,
                           const wasm_func_t *func, const wasm_functype_t *type, const char *name,
                           int argc, char **argv, FILE *out) {
    size_t result_count = wasm_functype_results(type)->size;
    catnap_val_t *values = calloc((size_t)argc + result_count + 1, sizeof(*values));
    if (values == NULL)
        return session_end(session, diag_no_memory(session->diag));
    catnap_val_t *results = values + argc;
    bool goes_on = parse_arguments(session, loaded, name, type, argc, argv, values) &&
                   session_call(session, loaded, func, values, (size_t)argc, results, result_count);
    if (goes_on)
        finish_results(results, result_count, out);
    free(values);
    return goes_on;
}

bool invoke(struct session *session, const struct loaded *loaded, const char *name, int argc,
            char **argv, FILE *out) {
    wasm_func_t *func = need_function(session, loaded, name);
    if (func == NULL)
        return false;
    wasm_functype_t *type = wasm_func_type(func);
    bool goes_on = type != NULL ? call_with_text(session, loaded, func, type, name, argc, argv, out)
                                : session_end(session, diag_no_memory(session->diag));
    wasm_functype_delete(type);
    wasm_func_delete(func);
    return goes_on;
}
