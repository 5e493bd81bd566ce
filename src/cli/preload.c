#include "preload.h"

#include <string.h>

#include "invoke.h"
#include "load.h"

bool preload_initialize(struct session *session, const struct loaded *loaded) {
    wasm_func_t *func = find_function(loaded, "_initialize");
    if (func == NULL)
        return true;
    bool plain = wasm_func_param_arity(func) == 0 && wasm_func_result_arity(func) == 0;
    bool goes_on = !plain || session_call(session, loaded, func, NULL, 0, NULL, 0);
    wasm_func_delete(func);
    return goes_on;
}

bool preload_check(struct session *session) {
    const struct option_list *list = &session->settings->preloads;
    for (size_t i = 0; i < list->count; i++) {
        const char *equals = strchr(list->items[i].value, '=');
        if (equals == NULL || equals[1] == '\0')
            return session_end(session, diag_fail(session->diag, CLI_EXIT_USAGE, NULL,
                                                  "--preload: expected NAME=FILE, not '%s'",
                                                  list->items[i].value));
    }
    return true;
}

/* "NAME=FILE", as preload_check() made sure. */
static bool preload_one(struct session *session, const char *value) {
    struct loaded *loaded;
    const char *equals = strchr(value, '=');
    if (!session_load(session, equals + 1, &loaded) || !session_instantiate(session, loaded) ||
        !preload_initialize(session, loaded))
        return false;
    catnap_error_t *error = catnap_linker_define_instance(
        session->linker, value, (size_t)(equals - value), loaded->instance);
    return error == NULL ||
           session_end(session, diag_error(session->diag, display_name(equals + 1), error));
}

bool preload_all(struct session *session) {
    const struct option_list *list = &session->settings->preloads;
    for (size_t i = 0; i < list->count; i++)
        if (!preload_one(session, list->items[i].value))
            return false;
    return true;
}
