/*
 * Throwing and unwinding. First the frames are searched for one that catches the exception, and nothing is changed;
 * then that frame gets the values and goes on, and those above it are gone. So a throw that nothing catches, that is
 * interrupted or has no memory leaves the frames as they were, for the backtrace or for another try.
 *
 * The search ends at the call from the host. An exception that it finds no clause for is given to the host as a trap that
 * carries it; a host function that returns such a trap throws it into its caller.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "exec/internal.h"

/* ---- searching ---- */

struct catcher {
    uint64_t *fp;
    const struct code *code;
    const struct unwind_clause *clause;
};

/* The first clause that catches the tag at this cell. */
static const struct unwind_clause *find_clause(const struct unwind *unwind, uint32_t cell,
                                               const wasm_instance_t *instance,
                                               const struct catnap_tag_t *tag) {
    for (uint32_t scope = cn_unwind_scope(unwind, cell); scope;) {
        const struct unwind_scope *s = &unwind->scopes[scope - 1];
        for (uint32_t next = s->first; next;) {
            const struct unwind_clause *clause = &unwind->clauses[next - 1];
            if ((clause->kind & UNWIND_ALL) || instance->tags[clause->tag] == tag)
                return clause;
            CN_ASSERT(clause->next == 0 || clause->next > next);
            next = clause->next;
        }
        CN_ASSERT(s->parent < scope);
        scope = s->parent;
    }
    return NULL;
}

/* Frames between two looks at whether the call is to stop. */
#define LOOK_FRAMES 4096u

enum search { SEARCH_FOUND, SEARCH_NOTHING, SEARCH_INTERRUPTED };

static enum search find_catcher(struct machine *vm, const struct catnap_tag_t *tag, bool may_stop,
                                struct catcher *out) {
    struct frame frame = frame_at(vm->pc, vm->fp);
    uint32_t frames = 0;
    do {
        const struct code *code = frame_code(frame.fp);
        if (code->unwind.scope_count > 0) {
            CN_ASSERT(frame.at >= code->cells && frame.at < code->cells + code->cell_count);
            const struct unwind_clause *clause = find_clause(
                &code->unwind, (uint32_t)(frame.at - code->cells), frame_instance(frame.fp), tag);
            if (clause) {
                *out = (struct catcher){frame.fp, code, clause};
                return SEARCH_FOUND;
            }
        }
        if (++frames % LOOK_FRAMES == 0 && may_stop && cn_interrupted(&vm->interrupt))
            return SEARCH_INTERRUPTED;
    } while (frame_step_out(vm, &frame));
    return SEARCH_NOTHING;
}

/* ---- catching ---- */

/* The values are in the frame that catches: it goes on. */
static void go_on(struct machine *vm, const struct catcher *catcher, uint32_t payload_slots,
                  struct catnap_exception_t *exception) {
    const struct unwind_clause *clause = catcher->clause;
    uint64_t *values = catcher->fp + clause->slot;
    if (clause->kind & UNWIND_HELD)
        values[-1] = clause->kind & UNWIND_REF ? object_slot(&exception->ref) : 0;
    else if (clause->kind & UNWIND_REF)
        values[payload_slots] = object_slot(&exception->ref);
    vm->fp = catcher->fp;
    vm->pc = catcher->code->cells + catcher->clause->target;
}

static void catch_exception(struct machine *vm, const struct catcher *catcher,
                            struct catnap_exception_t *exception) {
    uint32_t slots = 0;
    if (!(catcher->clause->kind & UNWIND_ALL)) {
        slots = exception->tag->type->param_slots;
        cn_exception_get(exception, catcher->fp + catcher->clause->slot);
    }
    go_on(vm, catcher, slots, exception);
}

/* ---- exceptions without a catcher ---- */

static bool stop(struct machine *vm, enum machine_event event) {
    vm->event = event;
    return false;
}

static bool stop_for_trap(struct machine *vm, catnap_trap_code_t code) {
    vm->trap_code = code;
    return stop(vm, EVENT_TRAP);
}

/* The search found no frame. */
static bool stop_for(struct machine *vm, enum search result, struct catnap_exception_t *exception) {
    if (result == SEARCH_INTERRUPTED)
        return stop(vm, EVENT_INTERRUPTED);
    vm->trap = cn_trap_new_exception(exception, frame_instance(vm->fp));
    return stop(vm, EVENT_TRAP);
}

/* ---- throwing ---- */

/* A collection may come first: what is thrown is in slots still. */
static struct catnap_exception_t *make_exception(struct machine *vm, struct catnap_tag_t *tag,
                                                 const uint64_t *slots) {
    wasm_store_t *store = vm->store;
    struct error error;
    if (cn_collection_is_due(store))
        cn_collect_inside(vm, vm->pc, vm->fp);
    struct catnap_exception_t *exception = cn_exception_new(tag, &error);
    if (!exception) {
        cn_collect_inside(vm, vm->pc, vm->fp);
        exception = cn_exception_new(tag, &error);
    }
    if (exception) {
        exception->ref.escaped = true;
        cn_exception_set(exception, slots);
        return exception;
    }
    stop_for_trap(vm, error.status == CATNAP_NO_MEMORY ? CATNAP_TRAP_NO_MEMORY : CATNAP_TRAP_LIMIT);
    return NULL;
}

bool cn_throw(struct machine *vm, struct wasm_instance_t *instance, uint32_t index,
              const uint64_t *slots) {
    struct catnap_tag_t *tag = instance->tags[index];
    struct catcher catcher;
    enum search result = find_catcher(vm, tag, true, &catcher);
    struct catnap_exception_t *exception = NULL;
    if (result == SEARCH_INTERRUPTED)
        return stop(vm, EVENT_INTERRUPTED);
    if (result == SEARCH_NOTHING || (catcher.clause->kind & UNWIND_REF)) {
        exception = make_exception(vm, tag, slots);
        if (!exception)
            return false;
    }
    if (result != SEARCH_FOUND)
        return stop_for(vm, result, exception);
    bool values = !(catcher.clause->kind & UNWIND_ALL);
    uint32_t count = values ? tag->type->param_slots : 0;
    memmove(catcher.fp + catcher.clause->slot, slots, count * sizeof *slots);
    go_on(vm, &catcher, count, exception);
    return true;
}

bool cn_throw_again(struct machine *vm, struct catnap_exception_t *exception) {
    struct catcher catcher;
    if (!exception)
        return stop_for_trap(vm, CATNAP_TRAP_NULL_REFERENCE);
    enum search result = find_catcher(vm, exception->tag, true, &catcher);
    if (result != SEARCH_FOUND)
        return stop_for(vm, result, exception);
    catch_exception(vm, &catcher, exception);
    return true;
}

bool cn_catch_trap(struct machine *vm) {
    struct wasm_trap_t *trap = vm->trap;
    struct catcher catcher;
    if (vm->event != EVENT_TRAP || !trap || !trap->exception)
        return false;
    if (find_catcher(vm, trap->exception->tag, false, &catcher) != SEARCH_FOUND)
        return false;
    catch_exception(vm, &catcher, trap->exception);
    vm->trap = NULL;
    cn_object_release(&trap->ref);
    return true;
}
