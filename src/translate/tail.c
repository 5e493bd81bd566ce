/* Tail calls whose arguments go where the function's own parameters are, in a frame that stays. */
#include "translate/fuse.h"
#include "translate/pass.h"

#if CN_PAIRS /* else the build has no instructions for them */

/* Arguments are moved one by one, if there are no more; else the call copies them. */
#define MOST_MOVED 16

bool cn_may_move_arguments(const struct translator *t, const struct functype *type) {
    const struct functype *own = t->type;
    if (type->param_count != own->param_count || type->param_count > MOST_MOVED)
        return false;
    for (uint32_t i = 0; i < type->param_count; i++)
        if (vt_kind(ft_params(type)[i]) != vt_kind(ft_params(own)[i]))
            return false;
    return true;
}

/* The value at `index`, which from now on reads no local any more. */
static struct value take_argument(struct translator *t, uint32_t index) {
    struct value value = t->stack[index];
    if (value.where != LOCAL)
        return value;
    uint32_t *link = &t->locals[value.local].readers;
    while (*link != index) {
        CN_ASSERT(*link != NO_LINK && *link > index);
        link = &t->stack[*link].link;
    }
    *link = value.link;
    t->stack[index].where = TEMP;
    return value;
}

/* Puts the value at `index` into a parameter's slot; what else waits to be read from there goes home before that. */
static void move_argument(struct translator *t, uint32_t index, uint32_t param, int32_t slot) {
    struct value value = take_argument(t, index);
    if (value.where == LOCAL && slot_of(t, &value) == slot)
        return;
    if (t->locals[param].slot == slot) /* it is not pinned */
        cn_spill_readers(t, param);
    if (value.where != TEMP || !cn_retarget(&t->emit, value.home, slot))
        cn_move_to(t, &value, slot);
}

/* From the last, which may have been computed just before. */
void cn_move_arguments(struct translator *t, uint32_t above) {
    const struct functype *type = t->type;
    uint32_t count = type->param_count;
    int32_t slot = 0;
    cn_cover(t, count + above);
    CN_ASSERT(t->height >= count + above || t->emit.exhausted);
    for (uint32_t i = count; i-- > 0 && !t->emit.exhausted;) {
        slot -= (int32_t)vt_slots(ft_params(type)[i]);
        move_argument(t, t->height - above - count + i, i, slot);
    }
}

void cn_correct_probe(const struct translator *t, struct probe *probe, uint32_t above) {
    const struct functype *type = t->type;
    struct probe_value *value = probe->values + probe->count - above;
    int32_t slot = 0;
    for (uint32_t i = type->param_count; i-- > 0;) {
        slot -= (int32_t)vt_slots(ft_params(type)[i]);
        *--value = (struct probe_value){
            .where = VALUE_SLOT, .kind = vt_kind(ft_params(type)[i]), .slot = slot};
    }
}

void cn_translate_self_call(struct translator *t) {
    cn_move_arguments(t, 0);
    cn_chain_site(t, &t->self_calls, cn_branch_site(cn_emit_jump(&t->emit)));
    cn_pop_to_height(t, t->height - t->type->param_count);
}
#endif
