/* Errors of catnap.h, and how failures reach the caller. */
#include "api/api.h"

#include <stdarg.h>
#include <string.h>

#include "base/escape.h"

size_t catnap_escape(catnap_escape_t form, const char *text, size_t length, char *out,
                     size_t size) {
    return cn_escape(form, text, length, out, size);
}

/* The error that is given when there is no memory for one. */
static const catnap_error_t exhausted = {
    {CATNAP_NO_MEMORY, CN_NO_FUNC, CN_NO_OFFSET, "memory is exhausted"}};

/* The error for a second thread, which must not touch the store's own. */
static const catnap_error_t in_use = {
    {CATNAP_MISUSE, CN_NO_FUNC, CN_NO_OFFSET,
     "the store is in use by another thread, which is not allowed"}};

void catnap_error_delete(catnap_error_t *error) {
    if (error != &exhausted)
        cn_host_free(error);
}

catnap_status_t catnap_error_status(const catnap_error_t *error) {
    return error ? error->error.status : CATNAP_OK;
}

const char *catnap_error_message(const catnap_error_t *error) {
    return error ? error->error.message : "";
}

uint64_t catnap_error_offset(const catnap_error_t *error) {
    return error ? error->error.offset : CN_NO_OFFSET;
}

uint32_t catnap_error_function(const catnap_error_t *error) {
    return error ? error->error.func : CN_NO_FUNC;
}

catnap_error_t *catnap_error_new(catnap_status_t status, const char *message) {
    return cn_error_make(status, "%s", message ? message : "");
}

catnap_error_t *cn_error_own(const struct error *from) {
    catnap_error_t *error = cn_host_alloc(sizeof *error);
    if (!error)
        return (catnap_error_t *)(uintptr_t)&exhausted;
    error->error = *from;
    return error;
}

static void fill(struct error *error, catnap_status_t status, const char *format,
                 va_list arguments) {
    *error = (struct error){.status = status, .func = CN_NO_FUNC, .offset = CN_NO_OFFSET};
    cn_format_line(error->message, sizeof error->message, format, arguments);
}

catnap_error_t *cn_error_make(catnap_status_t status, const char *format, ...) {
    struct error error;
    va_list arguments;
    va_start(arguments, format);
    fill(&error, status, format, arguments);
    va_end(arguments);
    return cn_error_own(&error);
}

void *cn_report(wasm_store_t *store, catnap_error_t **out, const struct error *error) {
    if (store)
        cn_store_fail(store, error);
    if (out)
        *out = cn_error_own(error);
    return NULL;
}

void *cn_report_new(wasm_store_t *store, catnap_error_t **out, catnap_status_t status,
                    const char *format, ...) {
    struct error error;
    va_list arguments;
    va_start(arguments, format);
    fill(&error, status, format, arguments);
    va_end(arguments);
    return cn_report(store, out, &error);
}

void *cn_report_memory(wasm_store_t *store, catnap_error_t **out) {
    return cn_report(store, out, &exhausted.error);
}

void *cn_report_null(wasm_store_t *store, catnap_error_t **out) {
    return cn_report_new(store, out, CATNAP_MISUSE, "an argument is NULL");
}

void *cn_report_misuse(catnap_error_t **out) {
    return cn_report(NULL, out, &in_use.error);
}

wasm_trap_t *cn_trap_of_error(wasm_store_t *store, const struct error *error) {
    static const struct {
        catnap_status_t status;
        catnap_trap_code_t code;
    } codes[] = {
        {CATNAP_NO_MEMORY, CATNAP_TRAP_NO_MEMORY},
        {CATNAP_LIMIT, CATNAP_TRAP_LIMIT},
        {CATNAP_OUT_OF_FUEL, CATNAP_TRAP_OUT_OF_FUEL},
        {CATNAP_INTERRUPTED, CATNAP_TRAP_INTERRUPTED},
    };
    catnap_trap_code_t code = CATNAP_TRAP_HOST;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].status == error->status)
            code = codes[i].code;
    return cn_trap_new_text(store, code, error->message, strlen(error->message));
}

const catnap_error_t *catnap_store_last_error(const wasm_store_t *const_store) {
    wasm_store_t *store = (wasm_store_t *)(uintptr_t)const_store;
    if (!store)
        return NULL;
    if (atomic_exchange(&store->misused, false))
        return &in_use;
    return store->failed ? &store->last_error : NULL;
}
