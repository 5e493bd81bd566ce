/* The sections that fill: element segments, code, data segments. */
#include "binary/sections.h"

/* ---- Element segments: eight forms, by three bits (section 5.5.12) ---- */

#define ELEM_NOT_ACTIVE 1u /* passive, or declarative with ELEM_EXPLICIT */
#define ELEM_EXPLICIT 2u   /* a table index if active, and the kind or type of the elements */
#define ELEM_EXPRS 4u      /* constant expressions instead of function indices */

static bool decode_elem_flags(struct sections *s, struct elem_segment *elem, uint32_t *flags) {
    uint32_t offset = cn_decode_offset(&s->d);
    if (!cn_decode_u32(&s->d, flags, "element segment flags"))
        return false;
    if (*flags > (ELEM_NOT_ACTIVE | ELEM_EXPLICIT | ELEM_EXPRS))
        return cn_fail_at(s->d.error, CATNAP_MALFORMED, offset,
                          "malformed element segment flags %u", *flags);
    elem->mode = !(*flags & ELEM_NOT_ACTIVE) ? SEGMENT_ACTIVE
                 : *flags & ELEM_EXPLICIT    ? SEGMENT_DECLARATIVE
                                             : SEGMENT_PASSIVE;
    elem->exprs = *flags & ELEM_EXPRS;
    elem->type = elem->exprs ? VT_FUNCREF : VT_FUNCREF | VT_NON_NULL;
    /* An explicit table alone is harmless without the feature, and encoders write it. */
    return *flags == 0 || *flags == ELEM_EXPLICIT ||
           cn_decode_need(&s->d, CATNAP_FEATURE_BULK_MEMORY, offset,
                          "this form of element segment");
}

/* The byte before function indices: 0 says that they are just that. */
static bool decode_elem_kind(struct sections *s) {
    uint32_t offset = cn_decode_offset(&s->d);
    uint8_t kind;
    if (!cn_decode_byte(&s->d, &kind, "element kind"))
        return false;
    return kind == 0 ||
           cn_fail_at(s->d.error, CATNAP_MALFORMED, offset, "malformed element kind 0x%02x", kind);
}

static bool decode_elem_items(struct sections *s, struct elem_segment *elem) {
    struct const_expr expr;
    uint32_t index;
    if (!cn_decode_count(&s->d, &elem->count, 1, LIMIT_TABLE_ELEMENTS, "elements"))
        return false;
    elem->items.offset = cn_decode_offset(&s->d);
    for (uint32_t i = 0; i < elem->count; i++)
        if (!(elem->exprs ? cn_decode_expr(&s->d, &expr)
                          : cn_decode_u32(&s->d, &index, "function index")))
            return false;
    elem->items.length = cn_decode_offset(&s->d) - elem->items.offset;
    return true;
}

static bool decode_elem(struct sections *s, struct elem_segment *elem) {
    uint32_t flags;
    if (!decode_elem_flags(s, elem, &flags))
        return false;
    if (elem->mode == SEGMENT_ACTIVE) {
        if ((flags & ELEM_EXPLICIT) && !cn_decode_u32(&s->d, &elem->table, "table index"))
            return false;
        if (!cn_decode_expr(&s->d, &elem->offset))
            return false;
    }
    if (flags & (ELEM_NOT_ACTIVE | ELEM_EXPLICIT))
        if (!(elem->exprs ? cn_decode_reftype(&s->d, &elem->type) : decode_elem_kind(s)))
            return false;
    return decode_elem_items(s, elem);
}

bool cn_decode_element_section(struct sections *s) {
    struct module *m = s->m;
    uint32_t count;
    if (!cn_decode_count(&s->d, &count, 3, LIMIT_ELEM_SEGMENTS, "element segments"))
        return false;
    m->elems = cn_section_array(s, count, sizeof *m->elems);
    if (!m->elems)
        return false;
    for (; m->elem_count < count; m->elem_count++)
        if (!decode_elem(s, &m->elems[m->elem_count]))
            return false;
    return true;
}

/* ---- Code: only where each body lies ---- */

static bool decode_body(struct sections *s, uint32_t func) {
    struct module *m = s->m;
    uint32_t offset = cn_decode_offset(&s->d), size;
    if (!cn_decode_u32(&s->d, &size, "function body size") ||
        !cn_decode_bytes(&s->d, size, "function body"))
        return false;
    if (size > LIMIT_BODY_BYTES)
        return cn_fail_at(s->d.error, CATNAP_LIMIT, offset,
                          "the function body's %u bytes are more than the limit of %u", size,
                          LIMIT_BODY_BYTES);
    m->bodies[func - m->imported_func_count] = offset;
    m->code_bytes += size;
    return true;
}

bool cn_decode_next_body(struct sections *s) {
    if (!decode_body(s, s->next_body)) {
        s->d.error->func = s->next_body;
        return false;
    }
    s->next_body++;
    return true;
}

bool cn_decode_code_start(struct sections *s) {
    struct module *m = s->m;
    uint32_t offset = cn_decode_offset(&s->d), count;
    s->has_code = true;
    if (!cn_decode_count(&s->d, &count, 1, LIMIT_FUNCTIONS, "function bodies"))
        return false;
    if (count != m->func_count - m->imported_func_count)
        return cn_fail_at(s->d.error, CATNAP_MALFORMED, offset,
                          "function and code section have inconsistent lengths: %u and %u",
                          m->func_count - m->imported_func_count, count);
    m->bodies = cn_section_array(s, count, sizeof *m->bodies);
    if (!m->bodies)
        return false;
    s->next_body = m->imported_func_count;
    if (s->watcher)
        s->watcher->begin(s->watcher->env, m, cn_decode_left(&s->d));
    return true;
}

bool cn_decode_code_section(struct sections *s) {
    if (!cn_decode_code_start(s))
        return false;
    while (s->next_body < s->m->func_count) {
        if (!cn_decode_next_body(s))
            return false;
        if (s->watcher)
            s->watcher->ready(s->watcher->env, s->next_body);
    }
    return true;
}

/* ---- Data segments: three forms (section 5.5.14) ---- */

#define DATA_PASSIVE 1u
#define DATA_EXPLICIT 2u /* a memory index */

bool cn_decode_data_count_section(struct sections *s) {
    uint32_t offset = cn_decode_offset(&s->d);
    s->m->has_data_count = true;
    if (!cn_decode_need(&s->d, CATNAP_FEATURE_BULK_MEMORY, offset, "the data count section") ||
        !cn_decode_u32(&s->d, &s->m->data_count, "data count"))
        return false;
    return s->m->data_count <= LIMIT_DATA_SEGMENTS ||
           cn_fail_at(s->d.error, CATNAP_LIMIT, offset,
                      "data count: %u items are more than the limit of %u", s->m->data_count,
                      LIMIT_DATA_SEGMENTS);
}

static bool decode_data(struct sections *s, struct data_segment *data) {
    uint32_t offset = cn_decode_offset(&s->d), flags, length;
    if (!cn_decode_u32(&s->d, &flags, "data segment flags"))
        return false;
    if (flags > DATA_EXPLICIT)
        return cn_fail_at(s->d.error, CATNAP_MALFORMED, offset, "malformed data segment flags %u",
                          flags);
    data->mode = flags == DATA_PASSIVE ? SEGMENT_PASSIVE : SEGMENT_ACTIVE;
    if (flags == DATA_PASSIVE &&
        !cn_decode_need(&s->d, CATNAP_FEATURE_BULK_MEMORY, offset, "a passive data segment"))
        return false;
    if (flags == DATA_EXPLICIT && !cn_decode_u32(&s->d, &data->memory, "memory index"))
        return false;
    if (data->mode == SEGMENT_ACTIVE && !cn_decode_expr(&s->d, &data->offset))
        return false;
    if (!cn_decode_u32(&s->d, &length, "data segment"))
        return false;
    data->bytes = (struct span){cn_decode_offset(&s->d), length};
    return cn_decode_bytes(&s->d, length, "data segment");
}

bool cn_decode_data_section(struct sections *s) {
    struct module *m = s->m;
    uint32_t offset = cn_decode_offset(&s->d), count;
    if (!cn_decode_count(&s->d, &count, 2, LIMIT_DATA_SEGMENTS, "data segments"))
        return false;
    if (m->has_data_count && count != m->data_count)
        return cn_fail_at(s->d.error, CATNAP_MALFORMED, offset,
                          "data count and data section have inconsistent lengths: %u and %u",
                          m->data_count, count);
    m->datas = cn_section_array(s, count, sizeof *m->datas);
    if (!m->datas)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!decode_data(s, &m->datas[i]))
            return false;
    m->data_count = s->segment_count = count;
    return true;
}
