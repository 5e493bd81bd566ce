/*
 * Suspended execution: frames in terms of WebAssembly, and back onto a value stack. Where a value
 * lies is what the translator says, here and now; the snapshot knows locals and operands only.
 */
#include "snapshot/snapshot.h"

#include <string.h>

#include "exec/internal.h"
#include "translate/translate.h"

/* ---- Capturing ---- */

/* A frame on the value stack and where it goes on. */
struct stand {
    const uint64_t *pc;
    uint64_t *fp;
};

static const struct code *code_of(const uint64_t *fp) {
    return (const struct code *)(uintptr_t)fp[FRAME_CODE];
}
static wasm_instance_t *instance_of(const uint64_t *fp) {
    return (wasm_instance_t *)(uintptr_t)fp[FRAME_INSTANCE];
}

/* The next frame outwards; false at the outermost. */
static bool step_out(const struct machine *vm, struct stand *at) {
    const uint64_t *back = (const uint64_t *)(uintptr_t)at->fp[FRAME_RETURN_PC];
    uint64_t *caller = (uint64_t *)(uintptr_t)at->fp[FRAME_CALLER];
    if (back == vm->exit_cell)
        return false;
    if (back == vm->switch_back_cell)
        back = (const uint64_t *)(uintptr_t)caller[FRAME_RESUME];
    *at = (struct stand){back, caller};
    return true;
}

static bool read_value(catnap_snapshot_t *snapshot, const uint64_t *fp,
                       const struct probe_value *from, struct snap_value *to, struct error *error) {
    const uint64_t *cell = from->where == VALUE_CONST ? &from->constant : fp + from->slot;
    if (from->dead)
        return true; /* zeros: what lies there is older than the frame */
    if (vt_is_ref(from->type))
        return cn_snap_ref_of(snapshot, *cell, &to->ref, error);
    to->bits[0] = cell[0];
    if (from->type == VT_V128)
        to->bits[1] = cell[1];
    return true;
}

/* Results that a call under way has not given yet are left out: there is nothing in their slots. */
static bool read_values(catnap_snapshot_t *snapshot, const struct stand *at,
                        const struct probe *probe, bool innermost, struct snap_frame *frame,
                        struct error *error) {
    uint32_t known = probe->count;
    if (!innermost)
        known -= probe->callee_type->result_count;
    frame->value_count = probe->count;
    frame->types = cn_arena_calloc(&snapshot->arena, probe->count, 1);
    frame->values = cn_arena_calloc(&snapshot->arena, probe->count, sizeof *frame->values);
    if (!frame->types || !frame->values)
        return cn_fail_memory(error);
    for (uint32_t i = 0; i < probe->count; i++) {
        frame->types[i] = probe->values[i].type;
        if (i < known && !read_value(snapshot, at->fp, &probe->values[i], &frame->values[i], error))
            return false;
    }
    return true;
}

static bool capture_frame(catnap_snapshot_t *snapshot, const struct stand *at, bool innermost,
                          struct snap_frame *frame, struct error *error) {
    const struct code *code = code_of(at->fp);
    wasm_instance_t *instance = instance_of(at->fp);
    struct translation_config config = cn_instance_translation(instance);
    struct probe probe = {.by_cell = true, .cell = cn_cell_of(code, at->pc)};
    wasm_func_t *func = cn_instance_func(instance, code->func_index);
    if (!func)
        return cn_fail_memory(error);
    if (!cn_code_probe(instance->module, code, &config, &probe))
        return probe.exhausted
                   ? cn_fail_memory(error)
                   : cn_fail(error, CATNAP_UNSUPPORTED,
                             "the run stands at a place of function %u that has no name",
                             code->func_index);
    frame->place = probe.place;
    frame->offset = probe.offset;
    bool ok = cn_snap_ref_of(snapshot, object_slot(&func->ref), &frame->func, error) &&
              read_values(snapshot, at, &probe, innermost, frame, error);
    cn_probe_free(&probe);
    return ok;
}

bool cn_frames_capture(catnap_snapshot_t *snapshot, struct catnap_run_t *run, struct error *error) {
    wasm_func_t *entry = cn_run_func(run);
    struct machine *vm = &entry->ref.store->machine;
    struct stand innermost;
    if (!cn_run_place(run, &innermost.pc, &innermost.fp))
        return cn_fail(error, CATNAP_MISUSE, "the run is not stopped half-way");
    uint32_t count = 1;
    for (struct stand at = innermost; step_out(vm, &at);)
        count++;
    snapshot->frames = cn_arena_calloc(&snapshot->arena, count, sizeof *snapshot->frames);
    if (!snapshot->frames)
        return cn_fail_memory(error);
    snapshot->frame_count = count;
    struct stand at = innermost;
    for (uint32_t i = count; i-- > 0; step_out(vm, &at))
        if (!capture_frame(snapshot, &at, i == count - 1, &snapshot->frames[i], error))
            return false;
    return cn_snap_ref_of(snapshot, object_slot(&entry->ref), &snapshot->entry, error);
}

/* ---- Restoring ---- */

struct rebuild {
    const catnap_snapshot_t *snapshot;
    const struct snap_made *made;
    struct machine *vm;
    struct value_stack *stack;
    struct error *error;
    uint64_t *fp;                  /* of the frame under way */
    const uint64_t *pc;            /* where it goes on */
    const struct functype *called; /* by the frame before; NULL: by the host */
};

static bool bad(struct rebuild *r, const char *what) {
    return cn_fail(r->error, CATNAP_MALFORMED, "the snapshot's call stack: %s", what);
}

static wasm_func_t *frame_func(struct rebuild *r, struct snap_ref ref) {
    uint64_t slot;
    if (!cn_snap_slot_of(r->snapshot, r->made, ref, &slot, r->error))
        return NULL;
    wasm_func_t *func = (wasm_func_t *)slot_object(slot);
    if (func && func->ref.kind == OBJECT_FUNC && func->instance)
        return func;
    bad(r, "a frame of no function of WebAssembly");
    return NULL;
}

static bool write_value(struct rebuild *r, const struct probe_value *to,
                        const struct snap_value *from) {
    uint64_t *cell = r->fp + to->slot;
    if (to->where != VALUE_SLOT)
        return true; /* a constant, or in its local's slot already */
    if (vt_is_ref(to->type)) {
        if (!cn_snap_slot_of(r->snapshot, r->made, from->ref, cell, r->error))
            return false;
        if (*cell && to->type == VT_FUNCREF && slot_object(*cell)->kind != OBJECT_FUNC)
            return bad(r, "something else where a function is due");
        return true;
    }
    bool narrow = to->type == VT_I32 || to->type == VT_F32;
    cell[0] = narrow ? (uint32_t)from->bits[0] : from->bits[0];
    if (to->type == VT_V128)
        cell[1] = from->bits[1];
    return true;
}

static bool write_values(struct rebuild *r, const struct probe *probe,
                         const struct snap_frame *frame, bool innermost) {
    uint32_t known = probe->count;
    if (!innermost)
        known -= probe->callee_type->result_count;
    if (frame->value_count != probe->count)
        return bad(r, "a frame with too many or too few values");
    for (uint32_t i = 0; i < probe->count; i++)
        if (frame->types[i] != probe->values[i].type)
            return bad(r, "a value of another type than the code has there");
    for (uint32_t i = 0; i < known; i++)
        if (!write_value(r, &probe->values[i], &frame->values[i]))
            return false;
    return true;
}

static void write_header(struct rebuild *r, wasm_instance_t *instance, const struct code *code,
                         uint64_t *caller, const uint64_t *back, bool outermost) {
    const uint64_t *return_pc = back;
    if (outermost) {
        return_pc = r->vm->exit_cell;
    } else if (instance_of(caller) != instance) {
        caller[FRAME_RESUME] = (uint64_t)(uintptr_t)back;
        return_pc = r->vm->switch_back_cell;
    }
    r->fp[FRAME_RETURN_PC] = (uint64_t)(uintptr_t)return_pc;
    r->fp[FRAME_CALLER] = (uint64_t)(uintptr_t)caller;
    r->fp[FRAME_CODE] = (uint64_t)(uintptr_t)code;
    r->fp[FRAME_INSTANCE] = (uint64_t)(uintptr_t)instance;
}

static bool stands(const struct probe *probe, const struct code *code, bool innermost) {
    return (innermost || probe->place == PLACE_CALL) &&
           probe->cell - code->first_cell < code->cell_count;
}

/* Builds frame `i` at r->fp, which becomes that of its callee. */
static bool build_frame(struct rebuild *r, uint32_t i, uint64_t *caller, const uint64_t *back) {
    const struct snap_frame *frame = &r->snapshot->frames[i];
    bool innermost = i + 1 == r->snapshot->frame_count;
    wasm_func_t *func = frame_func(r, frame->func);
    if (!func)
        return false;
    if (r->called && func->type != r->called)
        return bad(r, "a function of another type than the call has");
    wasm_instance_t *instance = func->instance;
    struct translation_config config = cn_instance_translation(instance);
    const struct code *code =
        cn_code_get(instance->module, instance->code, func->index, &config, NULL, r->error);
    if (!code)
        return false;
    if ((size_t)(r->stack->limit - r->fp) < code->frame_slots)
        return cn_fail(r->error, CATNAP_LIMIT, "the value stack is too small for the call stack");
    struct probe probe = {.place = (enum probe_place)frame->place, .offset = frame->offset};
    if (frame->place >= PROBE_PLACES || !cn_code_probe(instance->module, code, &config, &probe))
        return probe.exhausted ? cn_fail_memory(r->error)
                               : bad(r, "execution cannot stand where a frame does");
    bool ok =
        stands(&probe, code, innermost) || bad(r, "execution cannot stand where a frame does");
    if (ok) {
        write_header(r, instance, code, caller, back, i == 0);
        ok = write_values(r, &probe, frame, innermost);
        r->pc = cn_cell_at(code, probe.cell);
        r->called = probe.callee_type;
        if (ok && !innermost)
            r->fp += probe.callee;
    }
    cn_probe_free(&probe);
    return ok;
}

static bool build_frames(struct rebuild *r, struct catnap_run_t *run) {
    uint64_t *record = r->stack->base, *caller = record;
    const uint64_t *back = NULL;
    wasm_func_t *entry = cn_run_func(run);
    r->fp = record + ENTRY_RECORD_SLOTS + entry->type->param_slots;
    r->called = entry->type;
    for (uint32_t i = 0; i < r->snapshot->frame_count; i++) {
        uint64_t *fp = r->fp;
        if (!build_frame(r, i, caller, back))
            return false;
        caller = fp;
        back = r->pc;
    }
    return true;
}

/* What the code checks for decides where it can stand. */
static bool check_engine(const catnap_snapshot_t *snapshot, const struct machine *vm,
                         struct error *error) {
    if (snapshot->fuel_enabled == vm->fuel_enabled && snapshot->interruptible == vm->interruptible)
        return true;
    return cn_fail(error, CATNAP_MISUSE,
                   "the suspended run was of an engine with fuel %s and interruption %s",
                   snapshot->fuel_enabled ? "on" : "off", snapshot->interruptible ? "on" : "off");
}

struct catnap_run_t *cn_frames_restore(const catnap_snapshot_t *snapshot, wasm_store_t *store,
                                       const struct snap_made *made, struct error *error) {
    struct machine *vm = &store->machine;
    struct rebuild r = {.snapshot = snapshot, .made = made, .vm = vm, .error = error};
    if (!check_engine(snapshot, vm, error))
        return NULL;
    wasm_func_t *entry = frame_func(&r, snapshot->entry);
    if (!entry)
        return NULL;
    if (snapshot->frame_count > vm->depth_limit) {
        cn_fail(error, CATNAP_LIMIT, "the call stack is deeper than the store allows");
        return NULL;
    }
    uint64_t *zeros = cn_calloc(store->alloc, entry->type->param_slots, sizeof *zeros);
    struct catnap_run_t *run = NULL;
    if (zeros)
        run = cn_run_new(entry, zeros, error);
    else
        cn_fail_memory(error);
    cn_free(store->alloc, zeros, entry->type->param_slots * sizeof *zeros);
    if (!run)
        return NULL;
    r.stack = cn_run_stack(run);
    if (!build_frames(&r, run)) {
        cn_run_delete(run);
        return NULL;
    }
    cn_run_stand(run, r.pc, r.fp, snapshot->frame_count, snapshot->fuel_paid);
    return run;
}
