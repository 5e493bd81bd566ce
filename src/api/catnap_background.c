/* Background translation of catnap.h, and profiles. */
#include "api/api.h"
#include "code/background.h"

struct catnap_background_t {
    struct background *job;
};

void catnap_background_options_default(catnap_background_options_t *options) {
    if (options)
        *options = (catnap_background_options_t){.everything = true, .threads = 1};
}

/* ---- Tasks ---- */

static bool add_functions(struct background *job, const struct module *module,
                          const catnap_background_options_t *options, struct error *error) {
    for (size_t i = 0; i < options->function_count; i++) {
        if (options->functions[i] >= module->func_count)
            return cn_fail(error, CATNAP_NOT_FOUND, "there is no function %u",
                           options->functions[i]);
        cn_background_add(job, options->functions[i], false);
    }
    return true;
}

static bool is_named(const struct module *module, const struct export_ *export_, const char *name) {
    return strlen(name) == export_->name.length &&
           memcmp(module->bytes + export_->name.offset, name, export_->name.length) == 0;
}

static bool add_export(struct background *job, const struct module *module, const char *name,
                       struct error *error) {
    for (uint32_t i = 0; i < module->export_count; i++)
        if (module->exports[i].kind == EXTERN_FUNC && is_named(module, &module->exports[i], name)) {
            cn_background_add(job, module->exports[i].index, true);
            return true;
        }
    return cn_fail(error, CATNAP_NOT_FOUND, "there is no exported function \"%.100s\"", name);
}

static bool add(struct background *job, const struct module *module,
                const catnap_background_options_t *options, struct error *error) {
    if (!add_functions(job, module, options, error))
        return false;
    for (size_t i = 0; i < options->export_count; i++)
        if (!add_export(job, module, options->exports[i], error))
            return false;
    for (uint32_t i = 0; i < module->export_count && options->all_exports; i++)
        if (module->exports[i].kind == EXTERN_FUNC)
            cn_background_add(job, module->exports[i].index, true);
    if (options->everything)
        cn_background_add_all(job);
    return true;
}

/* ---- Jobs ---- */

static struct background *new_job(struct shared_module *shared,
                                  const catnap_background_options_t *options, struct error *error) {
    struct code_variant *variant = cn_usual_variant(shared);
    struct background *job = variant ? cn_background_new(shared, variant) : NULL;
    if (!job) {
        cn_fail_memory(error);
        return NULL;
    }
    bool added = add(job, shared->module, options, error);
    if (added && cn_background_start(job, options->threads))
        return job;
    if (added)
        cn_fail(error, CATNAP_IO, "the system cannot start a thread");
    cn_background_delete(job);
    return NULL;
}

catnap_background_t *catnap_module_translate_in_background(
    const wasm_module_t *module, const catnap_background_options_t *options, catnap_error_t **out) {
    struct error error;
    catnap_background_options_t chosen;
    if (out)
        *out = NULL;
    catnap_background_options_default(&chosen);
    if (options)
        chosen = *options;
    if (!module || (!chosen.functions && chosen.function_count > 0) ||
        (!chosen.exports && chosen.export_count > 0))
        return cn_report_null(NULL, out);
    catnap_background_t *background = cn_host_alloc(sizeof *background);
    if (!background)
        return cn_report_memory(NULL, out);
    background->job = new_job(module->shared, &chosen, &error);
    if (background->job)
        return background;
    cn_host_free(background);
    return cn_report(NULL, out, &error);
}

bool catnap_background_ended(const catnap_background_t *background) {
    return !background || cn_background_ended(background->job);
}

catnap_error_t *catnap_background_wait(catnap_background_t *background) {
    struct error error;
    if (!background)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    return cn_background_wait(background->job, &error) ? NULL : cn_error_own(&error);
}

void catnap_background_cancel(catnap_background_t *background) {
    if (background)
        cn_background_cancel(background->job);
}

void catnap_background_delete(catnap_background_t *background) {
    if (!background)
        return;
    cn_background_delete(background->job);
    cn_host_free(background);
}

/* ---- Profiles ---- */

size_t catnap_module_profile(const wasm_module_t *module, uint32_t *functions, size_t capacity) {
    size_t count = 0, at = 0;
    if (!module)
        return 0;
    const struct code *newest = atomic_load(&module->shared->code.list);
    for (const struct code *code = newest; code; code = code->next)
        count++;
    for (const struct code *code = newest; code; code = code->next)
        if (++at && count - at < capacity && functions)
            functions[count - at] = code->func_index;
    return count;
}
