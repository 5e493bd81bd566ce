/*
 * Suspended execution: frames in terms of WebAssembly, and back onto a value stack. Where a value
 * lies is what the translator says, here and now; the snapshot knows locals and operands only.
 */
#include "persist/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "bytecode/bytecode.h"
#include "code/code.h"
#include "code/first_call.h"
#include "exec/run.h"
#include "runtime/frames.h"
#include "code/steps.h"
#include "translate/translate.h"
#include "types/subtype.h"
#include "validate/validate.h"

/* ---- Asking the translator ---- */

/* A frame's question, and where the answer is. Questions of one function are answered together, and
 * frames at the same safepoint have one answer, so that the work is a pass over each function and a step for each
 * value of a frame. */
struct asked {
    const struct code *code;
    wasm_instance_t *instance;
    struct probe probe; /* the question */
    const struct probe *answer;
    const valtype *types; /* of the values; NULL: they are not asked for, or there is no answer */
};

struct asking {
    struct alloc *alloc;
    bool by_cell;
    uint32_t count;
    struct asked *frames;
    struct asked **order;
    struct probe *probes; /* the answers, function by function */
    size_t probe_count;
};

static bool asking_init(struct asking *a, struct alloc *alloc, uint32_t count, bool by_cell,
                        struct error *error) {
    *a = (struct asking){.alloc = alloc, .by_cell = by_cell, .count = count};
    a->frames = cn_calloc(alloc, count, sizeof *a->frames);
    a->order = cn_calloc(alloc, count, sizeof(struct asked *));
    a->probes = cn_calloc(alloc, count, sizeof *a->probes);
    return (a->frames && a->order && a->probes) || cn_fail_memory(error);
}

static void asking_free(struct asking *a) {
    for (uint32_t i = 0; i < a->probe_count; i++)
        cn_probe_free(a->alloc, &a->probes[i]);
    cn_free(a->alloc, a->frames, a->count * sizeof *a->frames);
    cn_free(a->alloc, a->order, a->count * sizeof(struct asked *));
    cn_free(a->alloc, a->probes, a->count * sizeof *a->probes);
}

static int compare(uintptr_t a, uintptr_t b) {
    return (a > b) - (a < b);
}

/* Fields that a question does not use are 0. */
static int compare_asked(const void *left, const void *right) {
    const struct asked *a = *(struct asked *const *)left, *b = *(struct asked *const *)right;
    int by_code = compare((uintptr_t)a->code, (uintptr_t)b->code);
    int by_cell = compare(a->probe.cell, b->probe.cell);
    int by_offset = compare(a->probe.offset, b->probe.offset);
    int by_safepoint = compare(a->probe.safepoint, b->probe.safepoint);
    return by_code ? by_code : by_cell ? by_cell : by_offset ? by_offset : by_safepoint;
}

/* Questions of one function, from order[first] to before order[end]; the answers go behind those that
 * there are. */
static bool ask_function(struct asking *a, uint32_t first, uint32_t end, struct error *error) {
    const struct asked *any = a->order[first];
    struct translation_config config = cn_code_translation(any->instance, any->code);
    struct probes probes = {
        .alloc = a->alloc, .by_cell = a->by_cell, .items = a->probes + a->probe_count};
    for (uint32_t i = first; i < end; i++)
        if (i == first || compare_asked(&a->order[i - 1], &a->order[i]) != 0) {
            probes.items[probes.count] = a->order[i]->probe;
            probes.items[probes.count++].question = i;
        }
    bool ok = cn_code_probe(any->instance->module, any->code, &config, &probes);
    a->probe_count += probes.count;
    for (size_t i = 0; i < probes.count; i++)
        a->order[probes.items[i].question]->answer = &probes.items[i];
    for (uint32_t i = first + 1; i < end; i++)
        if (!a->order[i]->answer)
            a->order[i]->answer = a->order[i - 1]->answer;
    return ok || cn_fail_memory(error);
}

static bool ask_all(struct asking *a, struct error *error) {
    for (uint32_t i = 0; i < a->count; i++)
        a->order[i] = &a->frames[i];
    qsort(a->order, a->count, sizeof(struct asked *), compare_asked);
    for (uint32_t first = 0, end; first < a->count; first = end) {
        for (end = first; end < a->count && a->order[end]->code == a->order[first]->code;)
            end++;
        if (!ask_function(a, first, end, error))
            return false;
    }
    return true;
}

/* ---- Capturing ---- */

static bool read_value(catnap_snapshot_t *snapshot, const uint64_t *fp,
                       const struct probe_value *from, struct snap_value *to, struct error *error) {
    const uint64_t *cell = from->where == VALUE_CONST ? &from->constant : fp + from->slot;
    if (from->dead)
        return true; /* zeros: what lies there is older than the frame */
    if (kind_is_ref(from->kind))
        return cn_snap_ref_of(snapshot, from->kind, *cell, &to->ref, error);
    to->bits[0] = cell[0];
    if (from->kind == KIND_V128)
        to->bits[1] = cell[1];
    return true;
}

/* Results that a call under way has not given yet are left out: there is nothing in their slots. */
static bool read_values(catnap_snapshot_t *snapshot, const struct frame *at,
                        const struct probe *probe, bool innermost, struct snap_frame *frame,
                        struct error *error) {
    uint32_t known = probe->count;
    if (!innermost)
        known -= probe->callee_type->result_count;
    frame->value_count = probe->count;
    frame->kinds = cn_arena_calloc(&snapshot->arena, probe->count, 1);
    frame->values = cn_arena_calloc(&snapshot->arena, probe->count, sizeof *frame->values);
    if (!frame->kinds || !frame->values)
        return cn_fail_memory(error);
    for (uint32_t i = 0; i < probe->count; i++) {
        frame->kinds[i] = (uint8_t)probe->values[i].kind;
        if (i < known && !read_value(snapshot, at->fp, &probe->values[i], &frame->values[i], error))
            return false;
    }
    return true;
}

static bool capture_frame(catnap_snapshot_t *snapshot, const struct frame *at,
                          const struct asked *asked, bool innermost, struct snap_frame *frame,
                          struct error *error) {
    const struct probe *probe = asked->answer;
    wasm_func_t *func = cn_instance_func(asked->instance, asked->code->func_index);
    if (!func)
        return cn_fail_memory(error);
    if (!probe->found)
        return cn_fail(
            error, CATNAP_UNSUPPORTED,
            "the run is stopped in function %u at an instruction that is not a safepoint",
            asked->code->func_index);
    frame->safepoint = probe->safepoint;
    frame->offset = probe->offset;
    return cn_snap_ref_of(snapshot, KIND_FUNC, object_slot(&func->ref), &frame->func, error) &&
           read_values(snapshot, at, probe, innermost, frame, error);
}

static bool capture_all(catnap_snapshot_t *snapshot, const struct machine *vm,
                        const struct frame *innermost, struct asking *asking, struct error *error) {
    struct frame at = *innermost;
    for (uint32_t i = asking->count; i-- > 0; frame_step_out(vm, &at)) {
        struct asked *asked = &asking->frames[i];
        asked->code = frame_code(at.fp);
        asked->instance = frame_instance(at.fp);
        asked->probe =
            (struct probe){.cell = cn_cell_of(asked->code, at.pc), .expected = ANY_COUNT};
    }
    if (!ask_all(asking, error))
        return false;
    at = *innermost;
    for (uint32_t i = asking->count; i-- > 0; frame_step_out(vm, &at))
        if (!capture_frame(snapshot, &at, &asking->frames[i], i == asking->count - 1,
                           &snapshot->frames[i], error))
            return false;
    return true;
}

bool cn_frames_capture(catnap_snapshot_t *snapshot, struct catnap_run_t *run, struct error *error) {
    wasm_func_t *entry = cn_run_func(run);
    struct machine *vm = &entry->ref.store->machine;
    struct frame innermost;
    struct asking asking;
    if (!cn_run_place(run, &innermost))
        return cn_fail(error, CATNAP_MISUSE, "the run is not suspended");
    uint32_t count = 1;
    for (struct frame at = innermost; frame_step_out(vm, &at);)
        count++;
    snapshot->frames = cn_arena_calloc(&snapshot->arena, count, sizeof *snapshot->frames);
    if (!snapshot->frames)
        return cn_fail_memory(error);
    snapshot->frame_count = count;
    bool ok = asking_init(&asking, snapshot->alloc, count, true, error) &&
              capture_all(snapshot, vm, &innermost, &asking, error);
    asking_free(&asking);
    return ok &&
           cn_snap_ref_of(snapshot, KIND_FUNC, object_slot(&entry->ref), &snapshot->entry, error);
}

/* ---- Exact types, when a run is restored ---- */

/* Code relies on the types of references to structures and arrays. Others are looked at where they are used. */
static bool needs_types(const struct snap_frame *frame) {
    bool any = false;
    for (uint32_t i = 0; i < frame->value_count; i++)
        any |= frame->kinds[i] == KIND_ANY;
    return any;
}

/* Room for the answers is taken at once. */
struct typing {
    const catnap_snapshot_t *snapshot;
    struct asking *asking;
    struct operand_types *questions;
    valtype *types;
    size_t question_count, type_count;
    struct error *error;
};

static bool typing_init(struct typing *t) {
    const catnap_snapshot_t *s = t->snapshot;
    for (uint32_t i = 0; i < s->frame_count; i++)
        t->type_count += needs_types(&s->frames[i]) ? s->frames[i].value_count : 0;
    t->questions = cn_calloc(t->asking->alloc, s->frame_count, sizeof *t->questions);
    t->types = cn_calloc(t->asking->alloc, t->type_count, sizeof *t->types);
    return (t->questions && t->types) || cn_fail_memory(t->error);
}

static void typing_free(struct typing *t) {
    cn_free(t->asking->alloc, t->questions, t->snapshot->frame_count * sizeof *t->questions);
    cn_free(t->asking->alloc, t->types, t->type_count * sizeof *t->types);
}

/* Questions of order[first] to before order[end], which are frames of one function. */
static bool type_function(struct typing *t, uint32_t first, uint32_t end, valtype **room) {
    const struct asked *any = t->asking->order[first];
    size_t count = 0;
    for (uint32_t i = first; i < end; i++) {
        struct asked *asked = t->asking->order[i];
        const struct snap_frame *frame = &t->snapshot->frames[asked - t->asking->frames];
        if (!needs_types(frame))
            continue;
        t->questions[count] = (struct operand_types){
            .offset = frame->offset, .count = frame->value_count, .question = i, .types = *room};
        count++;
        *room += frame->value_count;
    }
    if (count > 0 && !cn_find_operand_types(any->instance->module, any->code->func_index,
                                            t->questions, count, t->error))
        return false;
    for (size_t i = 0; i < count; i++)
        if (t->questions[i].found)
            t->asking->order[t->questions[i].question]->types = t->questions[i].types;
    return true;
}

static bool type_all(struct typing *t) {
    valtype *room = t->types;
    for (uint32_t first = 0, end; first < t->asking->count; first = end) {
        for (end = first; end < t->asking->count &&
                          t->asking->order[end]->code == t->asking->order[first]->code;)
            end++;
        if (!type_function(t, first, end, &room))
            return false;
    }
    return true;
}

/* ---- Restoring ---- */

struct rebuild {
    const catnap_snapshot_t *snapshot;
    const struct snap_made *made;
    struct machine *vm;
    struct value_stack *stack;
    struct error *error;
    uint64_t *values;              /* where the parameters of the next frame begin */
    uint64_t *fp;                  /* of the frame under way */
    const uint64_t *pc;            /* where it goes on */
    const struct functype *called; /* the type of what the frame before, or the host, has called */
    uint64_t fuel_paid;
    struct asking asking;
};

static bool bad(struct rebuild *r, const char *what) {
    return cn_fail(r->error, CATNAP_MALFORMED, "the snapshot's call stack: %s", what);
}

static wasm_func_t *frame_func(struct rebuild *r, struct snap_ref ref) {
    uint64_t slot;
    if (!cn_snap_slot_of(r->snapshot, r->made, KIND_FUNC, ref, &slot, r->error))
        return NULL;
    wasm_func_t *func = (wasm_func_t *)slot_object(slot);
    if (func && func->ref.kind == OBJECT_FUNC && func->instance)
        return func;
    bad(r, "a frame without a WebAssembly function");
    return NULL;
}

static bool write_value(struct rebuild *r, const struct probe_value *to,
                        const struct snap_value *from) {
    uint64_t *cell = r->fp + to->slot;
    if (to->where != VALUE_SLOT)
        return true; /* a constant, or in its local's slot already */
    if (kind_is_ref(to->kind)) {
        if (!cn_snap_slot_of(r->snapshot, r->made, to->kind, from->ref, cell, r->error))
            return false;
        if (*cell && to->kind == KIND_FUNC && slot_object(*cell)->kind != OBJECT_FUNC)
            return bad(r, "an object that is not a function");
        if (*cell && to->kind == KIND_EXN && slot_object(*cell)->kind != OBJECT_EXCEPTION)
            return bad(r, "an object that is not an exception");
        return true;
    }
    bool narrow = to->kind == KIND_I32 || to->kind == KIND_F32;
    cell[0] = narrow ? (uint32_t)from->bits[0] : from->bits[0];
    if (to->kind == KIND_V128)
        cell[1] = from->bits[1];
    return true;
}

/* Where the translator has an operand in a slot of a local, its own type counts, too. */
static bool check_types(struct rebuild *r, const struct asked *asked,
                        const struct snap_frame *frame, uint32_t known) {
    if (r->snapshot->is_own || !needs_types(frame))
        return true;
    if (!asked->types)
        return bad(r, "a frame whose values have no types");
    for (uint32_t i = 0; i < known; i++) {
        const struct probe_value *value = &asked->answer->values[i];
        valtype type = asked->types[i];
        if (value->where == VALUE_CONST || !kind_is_ref(value->kind))
            continue;
        if (!vt_is_ref(type) || vt_kind(type) != value->kind ||
            cn_snap_slot_fault(r->made, &r->vm->store->engine->types, r->fp[value->slot], type))
            return bad(r, "a reference of the wrong type");
    }
    return true;
}

static bool write_values(struct rebuild *r, const struct asked *asked,
                         const struct snap_frame *frame, bool innermost) {
    const struct probe *probe = asked->answer;
    uint32_t known = probe->count;
    if (!innermost)
        known -= probe->callee_type->result_count;
    if (frame->value_count != probe->count)
        return bad(r, "a frame with the wrong number of values");
    for (uint32_t i = 0; i < probe->count; i++)
        if (frame->kinds[i] != probe->values[i].kind)
            return bad(r, "a value of the wrong type");
    for (uint32_t i = 0; i < known; i++)
        if (!write_value(r, &probe->values[i], &frame->values[i]))
            return false;
    return check_types(r, asked, frame, known);
}

static void write_header(struct rebuild *r, wasm_instance_t *instance, const struct code *code,
                         uint64_t *caller, const uint64_t *back, bool outermost) {
    const uint64_t *return_pc = back;
    if (outermost) {
        return_pc = r->vm->exit_cell;
    } else if (frame_instance(caller) != instance) {
        caller[FRAME_RESUME] = (uint64_t)(uintptr_t)back;
        return_pc = r->vm->switch_back_cell;
    }
    r->fp[FRAME_RETURN_PC] = (uint64_t)(uintptr_t)return_pc;
    r->fp[FRAME_CALLER] = (uint64_t)(uintptr_t)caller;
    r->fp[FRAME_CODE] = (uint64_t)(uintptr_t)code;
    r->fp[FRAME_INSTANCE] = (uint64_t)(uintptr_t)instance;
}

static bool stands(const struct probe *probe, const struct code *code, bool innermost) {
    return (innermost || probe->safepoint == SAFEPOINT_CALL) &&
           probe->cell - code->first_cell < code->cell_count;
}

static bool check_answer(struct rebuild *r, uint32_t i) {
    const struct snap_frame *frame = &r->snapshot->frames[i];
    const struct asked *asked = &r->asking.frames[i];
    const struct probe *probe = asked->answer;
    bool innermost = i + 1 == r->snapshot->frame_count;
    if (!probe->found && probe->count != 0 && probe->count != frame->value_count)
        return bad(r, "a frame with the wrong number of values");
    if (!probe->found || !stands(probe, asked->code, innermost))
        return bad(r, "a frame at an instruction that is not a safepoint");
    return true;
}

/* The length of the array that is an operand; its type is right by now. */
static uint64_t array_length(const struct rebuild *r, const struct probe *probe) {
    const struct probe_value *value = &probe->values[probe->count - 1 - probe->fuel_depth];
    uint32_t array = value->where == VALUE_CONST ? 0 : (uint32_t)r->fp[value->slot];
    return array ? heap_length(r->vm->heap, array) : 0;
}

/* Whether an instruction pays for so much: it traps or fails, and takes nothing, beyond what there is. */
static bool is_paid(const struct rebuild *r, const wasm_instance_t *instance,
                    const struct probe *probe, uint64_t length) {
    switch (probe->fuel_bound) {
    case BOUND_MEMORY: {
        const wasm_memory_t *memory = instance->memories[probe->fuel_index];
        return length <= (probe->fuel_grows ? cn_memory_room(memory) : memory->extent);
    }
    case BOUND_TABLE: {
        const wasm_table_t *table = instance->tables[probe->fuel_index];
        return length <= (probe->fuel_grows ? cn_table_room(table) : table->size);
    }
    case BOUND_ARRAY:
        return length <= array_length(r, probe);
    case BOUND_SEGMENT:
        return cn_gc_segment_has(instance, probe->fuel_index, probe->fuel_segment, 0,
                                 (uint32_t)length);
    case BOUND_NONE:
        break;
    }
    return true;
}

/* Less than what the run waits for, where the innermost frame stands, is all that can be paid. A length
 * counts as the instruction will read it. There may be less room here than where the snapshot was made:
 * then nothing is waited for, and what was paid is lost. */
static bool take_paid_fuel(struct rebuild *r, const wasm_instance_t *instance,
                           const struct probe *probe) {
    uint64_t paid = r->snapshot->fuel_paid, price = probe->fuel, length = 0;
    bool by_length = probe->fuel_divisor && probe->count > probe->local_count + probe->fuel_depth;
    if (by_length) {
        length = r->fp[probe->values[probe->count - 1].slot];
        price = length * probe->fuel_scale / probe->fuel_divisor;
    }
    if (paid > 0 && paid >= price)
        return bad(r, "more fuel paid ahead than the pending instruction costs");
    r->fuel_paid = by_length && !is_paid(r, instance, probe, length) ? 0 : paid;
    return true;
}

/* A call that waits has called a function of its type; or that one, or one after it, has put another in its place by a
 * tail call, which has results of the same types and its own parameters. */
static bool is_called(const struct rebuild *r, const struct functype *called) {
    const struct type_registry *registry = &r->vm->store->engine->types;
    const valtype *results = ft_results(called), *expected = ft_results(r->called);
    if (called->result_count != r->called->result_count)
        return false;
    for (uint32_t i = 0; i < called->result_count; i++)
        if (!cn_valtype_matches(registry, results[i], expected[i]))
            return false;
    return true;
}

/* Builds frame `i`, whose parameters begin at r->values. */
static bool build_frame(struct rebuild *r, uint32_t i, uint64_t *caller, const uint64_t *back) {
    const struct snap_frame *frame = &r->snapshot->frames[i];
    const struct asked *asked = &r->asking.frames[i];
    const struct probe *probe = asked->answer;
    bool innermost = i + 1 == r->snapshot->frame_count;
    if (!is_called(r, module_func_type(asked->instance->module, asked->code->func_index)))
        return bad(r, "a called function of the wrong type");
    if (!check_answer(r, i))
        return false;
    if ((size_t)(r->stack->limit - r->values) <
        (size_t)asked->code->param_slots + asked->code->frame_slots)
        return cn_fail(r->error, CATNAP_LIMIT, "the value stack is too small for the call stack");
    r->fp = r->values + asked->code->param_slots;
    write_header(r, asked->instance, asked->code, caller, back, i == 0);
    if (!write_values(r, asked, frame, innermost))
        return false;
    if (innermost && !take_paid_fuel(r, asked->instance, probe))
        return false;
    r->pc = cn_cell_at(asked->code, probe->cell);
    r->called = probe->callee_type;
    if (!innermost)
        r->values = r->fp + probe->callee - r->called->param_slots;
    return true;
}

/* A run that stopped for fuel may stand within a block, where usual code cannot. */
static bool choose_code(struct rebuild *r, struct asked *asked,
                        const struct translation_config *config) {
    struct module *module = asked->instance->module;
    struct probe probe = asked->probe;
    struct probes probes = {.alloc = r->asking.alloc, .items = &probe, .count = 1};
    bool known = cn_code_probe(module, asked->code, config, &probes), found = probe.found;
    cn_probe_free(probes.alloc, &probe);
    if (!known)
        return cn_fail_memory(r->error);
    if (!found)
        asked->code = cn_steps_of(module, asked->code, config, NULL, r->error);
    return asked->code != NULL;
}

/* Functions, code and safepoints of all frames. */
static bool find_safepoints(struct rebuild *r) {
    for (uint32_t i = 0; i < r->snapshot->frame_count; i++) {
        const struct snap_frame *frame = &r->snapshot->frames[i];
        struct asked *asked = &r->asking.frames[i];
        wasm_func_t *func = frame_func(r, frame->func);
        if (!func)
            return false;
        if (frame->safepoint >= SAFEPOINT_KINDS)
            return bad(r, "a frame at an instruction that is not a safepoint");
        struct translation_config config = cn_instance_translation(func->instance);
        asked->instance = func->instance;
        asked->code = cn_code_get(func->instance->shared, func->instance->variant, func->index,
                                  NULL, r->error);
        if (!asked->code)
            return false;
        asked->probe = (struct probe){.safepoint = (enum safepoint)frame->safepoint,
                                      .offset = frame->offset,
                                      .expected = frame->value_count};
        bool may_step = i + 1 == r->snapshot->frame_count && frame->safepoint == SAFEPOINT_CHECK;
        if (may_step && config.fuel && !choose_code(r, asked, &config))
            return false;
    }
    return ask_all(&r->asking, r->error);
}

/* `typing`: NULL when the snapshot is trusted. */
static bool build_frames(struct rebuild *r, struct catnap_run_t *run, struct typing *typing) {
    uint64_t *record = r->stack->base, *caller = record;
    const uint64_t *back = NULL;
    wasm_func_t *entry = cn_run_func(run);
    r->values = record + ENTRY_RECORD_SLOTS;
    r->called = entry->type;
    if (!find_safepoints(r) || (typing && !type_all(typing)))
        return false;
    for (uint32_t i = 0; i < r->snapshot->frame_count; i++) {
        if (!build_frame(r, i, caller, back))
            return false;
        caller = r->fp;
        back = r->pc;
    }
    return true;
}

/* A frame can stand only where code of this configuration can: at checks for fuel and interruption. */
static bool check_engine(const catnap_snapshot_t *snapshot, const struct machine *vm,
                         struct error *error) {
    if (snapshot->fuel_enabled == vm->fuel_enabled &&
        snapshot->interruptible == vm->interrupt.enabled)
        return true;
    return cn_fail(error, CATNAP_MISUSE,
                   "the run was suspended in an engine with fuel %s and interruption %s",
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
    struct typing typing = {.snapshot = snapshot, .asking = &r.asking, .error = error};
    bool ok = asking_init(&r.asking, store->alloc, snapshot->frame_count, false, error) &&
              (snapshot->is_own || typing_init(&typing)) &&
              build_frames(&r, run, snapshot->is_own ? NULL : &typing);
    typing_free(&typing);
    asking_free(&r.asking);
    if (!ok) {
        cn_run_delete(run);
        return NULL;
    }
    cn_run_stand(run, r.pc, r.fp, snapshot->frame_count, r.fuel_paid);
    return run;
}
