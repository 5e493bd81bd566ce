#include "validate/check.h"

#include "base/platform.h"

static void begin(void *env, struct module *m, size_t code_bytes) {
    struct check *check = env;
    check->begun = true;
    check->begun_ns = cn_os_monotonic_ns();
    check->failed = !cn_validate_before_code(m, &check->error);
    if (check->failed || check->deferred)
        return;
    check->workers = cn_workers_new(m, code_bytes, check->threads, check->streamed, &check->error);
    check->failed = !check->workers;
}

static void ready(void *env, uint32_t end) {
    struct check *check = env;
    if (check->workers)
        cn_workers_ready(check->workers, end);
}

static void abandon(void *env) {
    cn_check_drop(env);
}

struct body_watcher cn_check_watcher(struct check *check) {
    return (struct body_watcher){.begin = begin, .ready = ready, .abandon = abandon, .env = check};
}

bool cn_check_failed(struct check *check) {
    return check->failed || (check->workers && cn_workers_failed(check->workers));
}

void cn_check_drop(struct check *check) {
    cn_workers_drop(check->workers);
    check->workers = NULL;
}

void cn_check_stop(struct check *check, struct error *error) {
    struct workers *workers = check->workers;
    check->workers = NULL;
    if (workers)
        cn_workers_finish(workers, error);
    else
        *error = check->error;
}

/* A module without a code section has not begun. */
static bool check_declarations(struct check *check, struct module *m) {
    if (!check->begun)
        check->failed = !cn_validate_before_code(m, &check->error);
    return !check->failed && cn_validate_after_code(m, &check->error);
}

bool cn_check_finish(struct check *check, struct module *m, struct error *error) {
    struct workers *workers = check->workers;
    bool valid = check_declarations(check, m);
    if (!valid) {
        *error = check->error;
        cn_check_drop(check);
    } else if (workers) {
        check->workers = NULL;
        valid = cn_workers_finish(workers, error);
    }
    m->deferred = check->deferred;
    m->validated_functions = m->deferred ? 0 : m->func_count - m->imported_func_count;
    if (!valid)
        cn_prefer_malformed(m, error);
    return valid;
}
