#include "program.h"

/* ---- tags: what their exceptions carry, by letters ---- */

static const char *const payloads[TAGS_OF_MODEL] = {"", "i", "Ii", "v", "ifvI"};

enum statement_kind {
    SET,     /* to <- a + b * k */
    THROW,   /* of tag k, when a is odd */
    CALL_,   /* to <- function k of a; it comes later */
    HOST,    /* the host calls "leaf" of a */
    TRY,     /* inner, with clauses */
    REPEAT,  /* inner, k times */
    UNLESS,  /* inner, unless a is odd */
    PENDING, /* a stays on the stack while inner runs; to <- a + k + b */
    RETHROW, /* the exception that was caught last with its reference, if any, when a is odd */
    WIDE,    /* the vector and the i64 change */
    KINDS
};

static uint32_t next_random(struct program *p, uint32_t below) {
    p->random = p->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(p->random >> 33) % below;
}

static uint32_t make_block(struct program *p, uint32_t func, uint32_t depth);

static void make_clauses(struct program *p, uint32_t func, uint32_t depth, uint32_t index) {
    uint32_t count = next_random(p, MOST_CLAUSES + 1);
    p->statements[index].clause_count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t handler = make_block(p, func, depth + 1);
        p->statements[index].clauses[i].kind =
            (uint8_t)(next_random(p, 3) ? next_random(p, 2) : 2 + next_random(p, 2));
        p->statements[index].clauses[i].tag = (uint8_t)next_random(p, TAGS_OF_MODEL);
        p->statements[index].clauses[i].handler = handler;
    }
}

static uint32_t make_statement(struct program *p, uint32_t func, uint32_t depth) {
    static const uint8_t kinds[] = {SET, SET,    THROW,  CALL_,   CALL_,   HOST,    TRY, TRY,
                                    TRY, REPEAT, UNLESS, PENDING, PENDING, RETHROW, WIDE};
    if (p->statement_count == MOST_STATEMENTS)
        return 0;
    uint32_t index = p->statement_count++;
    struct statement *s = &p->statements[index];
    s->kind = kinds[next_random(p, sizeof kinds)];
    if (depth > 4 && s->kind >= TRY && s->kind <= PENDING)
        s->kind = SET;
    s->a = (uint8_t)next_random(p, INTS);
    s->b = (uint8_t)next_random(p, INTS);
    s->to = (uint8_t)next_random(p, INTS);
    s->k = (int32_t)next_random(p, 100) - 20;
    if (s->kind == THROW)
        s->k = (int32_t)next_random(p, TAGS_OF_MODEL);
    if (s->kind == REPEAT)
        s->k = (int32_t)next_random(p, 3) + 1;
    if ((s->kind == CALL_ || s->kind == HOST) && func + 1 == p->func_count)
        s->kind = WIDE; /* the last function calls none */
    if (s->kind == CALL_)
        s->k = (int32_t)(func + 1 + next_random(p, p->func_count - func - 1));
    if (s->kind >= TRY && s->kind <= PENDING)
        s->inner = make_block(p, func, depth + 1);
    if (s->kind == TRY)
        make_clauses(p, func, depth, index);
    return index + 1;
}

static uint32_t make_block(struct program *p, uint32_t func, uint32_t depth) {
    uint32_t first = 0, *link = &first;
    for (uint32_t n = 1 + next_random(p, 4); n > 0; n--) {
        uint32_t made = make_statement(p, func, depth);
        if (!made)
            break;
        *link = made;
        link = &p->statements[made - 1].next;
    }
    return first;
}

void make_program(struct program *p, uint64_t seed) {
    *p = (struct program){.random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1};
    p->func_count = 2 + next_random(p, MOST_FUNCS - 1);
    for (uint32_t i = 0; i < p->func_count; i++)
        p->bodies[i] = make_block(p, i, 0);
}

/* ---- as WebAssembly ---- */

enum { LONG = INTS, VECTOR, DOUBLE, CAUGHT, COUNTERS }; /* locals behind the ints */

struct writer {
    const struct program *p;
    struct bytes *b;
    uint32_t depth;                         /* of loops: each has a counter */
    const uint32_t *with_ref, *without_ref; /* types of blocks by tag; TAGS_OF_MODEL: of any */
};

static void write_block(struct writer *w, uint32_t statement);

static void write_payload(struct writer *w, const struct statement *s) {
    for (const char *type = payloads[s->k]; *type; type++)
        switch (*type) {
        case 'i':
            op_u(w->b, LOCAL_GET, s->b);
            break;
        case 'I':
            op_u(w->b, LOCAL_GET, LONG);
            break;
        case 'f':
            op_u(w->b, LOCAL_GET, s->b);
            put(w->b, 0xB2); /* f32.convert_i32_s */
            break;
        default:
            op_u(w->b, LOCAL_GET, VECTOR);
            break;
        }
}

/* The values caught go from the stack to locals, the topmost first. */
static void take_payload(struct writer *w, uint32_t kind, uint32_t tag) {
    const char *types = kind & 2 ? "" : payloads[tag];
    if (kind & 1)
        op_u(w->b, LOCAL_SET, CAUGHT);
    for (size_t i = strlen(types); i-- > 0;)
        switch (types[i]) {
        case 'i':
            op_u(w->b, LOCAL_SET, 1);
            break;
        case 'I':
            op_u(w->b, LOCAL_SET, LONG);
            break;
        case 'f':
            put(w->b, 0xBC); /* i32.reinterpret_f32 */
            op_u(w->b, LOCAL_SET, 2);
            break;
        default:
            op_u(w->b, LOCAL_SET, VECTOR);
            break;
        }
}

/* block $done (block $last ... (block $first (try_table ... body) br $done) handler br $done) ... */
static void write_try(struct writer *w, const struct statement *s) {
    uint32_t count = s->clause_count;
    PUT(w->b, BLOCK, EMPTY);
    for (uint32_t i = count; i-- > 0;) {
        uint32_t tag = s->clauses[i].kind & 2 ? TAGS_OF_MODEL : s->clauses[i].tag;
        put(w->b, BLOCK);
        put_s(w->b, (s->clauses[i].kind & 1 ? w->with_ref : w->without_ref)[tag]);
    }
    PUT(w->b, 0x1F, EMPTY);
    put_u(w->b, count);
    for (uint32_t i = 0; i < count; i++) {
        put(w->b, s->clauses[i].kind);
        if (!(s->clauses[i].kind & 2))
            put_u(w->b, s->clauses[i].tag);
        put_u(w->b, i);
    }
    write_block(w, s->inner);
    put(w->b, END);
    for (uint32_t i = 0; i < count; i++) {
        op_u(w->b, BR, count - i);
        put(w->b, END);
        take_payload(w, s->clauses[i].kind, s->clauses[i].tag);
        write_block(w, s->clauses[i].handler);
    }
    put(w->b, END);
}

static void write_repeat(struct writer *w, const struct statement *s) {
    uint32_t counter = COUNTERS + w->depth++;
    i32_const(w->b, 0);
    op_u(w->b, LOCAL_SET, counter);
    PUT(w->b, LOOP, EMPTY);
    write_block(w, s->inner);
    op_u(w->b, LOCAL_GET, counter);
    i32_const(w->b, 1);
    put(w->b, I32_ADD);
    op_u(w->b, LOCAL_TEE, counter);
    i32_const(w->b, s->k);
    put(w->b, 0x48); /* i32.lt_s */
    PUT(w->b, BR_IF, 0, END);
    w->depth--;
}

static void write_if_odd(struct writer *w, uint32_t local) {
    op_u(w->b, LOCAL_GET, local);
    i32_const(w->b, 1);
    PUT(w->b, 0x71, IF, EMPTY); /* i32.and */
}

static void write_statement(struct writer *w, const struct statement *s) {
    switch (s->kind) {
    case SET:
        op_u(w->b, LOCAL_GET, s->a);
        op_u(w->b, LOCAL_GET, s->b);
        i32_const(w->b, s->k);
        PUT(w->b, I32_MUL, I32_ADD);
        op_u(w->b, LOCAL_SET, s->to);
        break;
    case THROW:
        write_if_odd(w, s->a);
        write_payload(w, s);
        op_u(w->b, 0x08, (uint64_t)s->k);
        put(w->b, END);
        break;
    case CALL_:
        op_u(w->b, LOCAL_GET, s->a);
        op_u(w->b, CALL, (uint64_t)s->k + 1);
        PUT(w->b, 0xA7); /* i32.wrap_i64 */
        op_u(w->b, LOCAL_SET, s->to);
        break;
    case HOST:
        op_u(w->b, LOCAL_GET, s->a);
        op_u(w->b, CALL, 0);
        break;
    case TRY:
        write_try(w, s);
        break;
    case REPEAT:
        write_repeat(w, s);
        break;
    case UNLESS:
        op_u(w->b, LOCAL_GET, s->a);
        i32_const(w->b, 1);
        PUT(w->b, 0x71, 0x45, IF, EMPTY); /* and, eqz */
        write_block(w, s->inner);
        put(w->b, END);
        break;
    case PENDING:
        op_u(w->b, LOCAL_GET, s->a);
        i32_const(w->b, s->k);
        write_block(w, s->inner);
        put(w->b, I32_ADD);
        op_u(w->b, LOCAL_GET, s->b);
        put(w->b, I32_ADD);
        op_u(w->b, LOCAL_SET, s->to);
        break;
    case RETHROW:
        op_u(w->b, LOCAL_GET, s->a);
        i32_const(w->b, 1);
        put(w->b, 0x71);
        op_u(w->b, LOCAL_GET, CAUGHT);
        PUT(w->b, REF_IS_NULL, 0x45, 0x71, IF, EMPTY);
        op_u(w->b, LOCAL_GET, CAUGHT);
        PUT(w->b, 0x0A, END);
        break;
    default:
        op_u(w->b, LOCAL_GET, VECTOR);
        op_u(w->b, LOCAL_GET, s->a);
        simd(w->b, 17);  /* i32x4.splat */
        simd(w->b, 174); /* i32x4.add */
        op_u(w->b, LOCAL_SET, VECTOR);
        op_u(w->b, LOCAL_GET, LONG);
        i64_const(w->b, s->k);
        put(w->b, I64_ADD);
        op_u(w->b, LOCAL_SET, LONG);
        break;
    }
}

static void write_block(struct writer *w, uint32_t statement) {
    for (; statement; statement = w->p->statements[statement - 1].next)
        write_statement(w, &w->p->statements[statement - 1]);
}

/* All that a function has changed, as an i64. */
static void write_result(struct bytes *b) {
    op_u(b, LOCAL_GET, LONG);
    for (uint8_t i = 1; i < INTS; i++) {
        op_u(b, LOCAL_GET, i);
        PUT(b, 0xAC); /* i64.extend_i32_s */
        i64_const(b, 31 * i);
        PUT(b, 0x7E, I64_ADD); /* i64.mul */
    }
    op_u(b, LOCAL_GET, VECTOR);
    simd(b, 29); /* i64x2.extract_lane */
    PUT(b, 1, I64_ADD, END);
}

struct bytes program_module(const struct program *p) {
    struct module_builder m = {0};
    uint32_t with_ref[TAGS_OF_MODEL + 1], without_ref[TAGS_OF_MODEL + 1];
    struct writer w = {.p = p, .with_ref = with_ref, .without_ref = without_ref};
    for (uint32_t i = 0; i <= TAGS_OF_MODEL; i++) {
        char types[16];
        const char *payload = i < TAGS_OF_MODEL ? payloads[i] : "";
        without_ref[i] = add_type(&m, "", payload);
        strcat(strcpy(types, payload), "e");
        with_ref[i] = add_type(&m, "", types);
        if (i < TAGS_OF_MODEL)
            add_tag(&m, add_type(&m, payload, ""));
    }
    import_func(&m, "host", "call", add_type(&m, "i", ""));
    uint32_t type = add_type(&m, "i", "I");
    for (uint32_t i = 0; i < p->func_count; i++) {
        struct bytes body = {0};
        w.b = &body;
        PUT(&body, 6, INTS - 1, I32, 1, I64, 1, V128, 1, F64, 1, EXNREF, 8, I32);
        write_block(&w, p->bodies[i]);
        write_result(&body);
        add_func(&m, i == 0 ? "run" : NULL, type, &body);
    }
    export_item(&m, "leaf", AS_FUNC, p->func_count); /* the last one */
    return finish(&m);
}

/* ---- the model ---- */

struct exception {
    uint32_t tag;
    uint64_t values[4][2];
};

struct model {
    const struct program *p;
    uint32_t steps;
    struct exception thrown;
};

struct frame {
    int32_t ints[INTS];
    int64_t wide;
    uint64_t vector[2];
    bool has_caught;
    struct exception caught;
};

static bool run_block(struct model *m, struct frame *f, uint32_t func, uint32_t statement);

static bool run_func(struct model *m, uint32_t func, int32_t argument, int64_t *result) {
    struct frame f = {.ints = {argument}};
    if (!run_block(m, &f, func, m->p->bodies[func]))
        return false;
    uint64_t sum = (uint64_t)f.wide + f.vector[1];
    for (int i = 1; i < INTS; i++)
        sum += (uint64_t)((int64_t)f.ints[i] * 31 * i);
    *result = (int64_t)sum;
    return true;
}

static void throw_values(struct model *m, const struct frame *f, const struct statement *s) {
    m->thrown = (struct exception){.tag = (uint32_t)s->k};
    float single = (float)f->ints[s->b];
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    for (size_t i = 0; payloads[s->k][i]; i++) {
        uint64_t *value = m->thrown.values[i];
        switch (payloads[s->k][i]) {
        case 'i':
            value[0] = (uint32_t)f->ints[s->b];
            break;
        case 'I':
            value[0] = (uint64_t)f->wide;
            break;
        case 'f':
            value[0] = bits;
            break;
        default:
            memcpy(value, f->vector, sizeof f->vector);
            break;
        }
    }
}

static void take_values(struct model *m, struct frame *f, uint32_t kind) {
    const struct exception *e = &m->thrown;
    if (kind & 1) {
        f->has_caught = true;
        f->caught = *e;
    }
    if (kind & 2)
        return;
    for (size_t i = strlen(payloads[e->tag]); i-- > 0;)
        switch (payloads[e->tag][i]) {
        case 'i':
            f->ints[1] = (int32_t)(uint32_t)e->values[i][0];
            break;
        case 'I':
            f->wide = (int64_t)e->values[i][0];
            break;
        case 'f':
            f->ints[2] = (int32_t)(uint32_t)e->values[i][0];
            break;
        default:
            memcpy(f->vector, e->values[i], sizeof f->vector);
            break;
        }
}

static bool run_try(struct model *m, struct frame *f, uint32_t func, const struct statement *s) {
    if (run_block(m, f, func, s->inner))
        return true;
    if (m->steps > MOST_STEPS)
        return false;
    for (uint32_t i = 0; i < s->clause_count; i++) {
        if (!(s->clauses[i].kind & 2) && s->clauses[i].tag != m->thrown.tag)
            continue;
        take_values(m, f, s->clauses[i].kind);
        return run_block(m, f, func, s->clauses[i].handler);
    }
    return false;
}

static bool run_statement(struct model *m, struct frame *f, uint32_t func,
                          const struct statement *s) {
    int64_t result = 0;
    uint32_t a = (uint32_t)f->ints[s->a], k = (uint32_t)s->k;
    switch (s->kind) {
    case SET:
        f->ints[s->to] = (int32_t)(a + (uint32_t)f->ints[s->b] * k);
        return true;
    case THROW:
        if (a & 1)
            throw_values(m, f, s);
        return !(a & 1);
    case CALL_:
        if (!run_func(m, k, (int32_t)a, &result))
            return false;
        f->ints[s->to] = (int32_t)(uint32_t)(uint64_t)result;
        return true;
    case HOST:
        return run_func(m, m->p->func_count - 1, (int32_t)a, &result);
    case TRY:
        return run_try(m, f, func, s);
    case REPEAT:
        for (int32_t i = 0; i < s->k; i++)
            if (!run_block(m, f, func, s->inner))
                return false;
        return true;
    case UNLESS:
        return (a & 1) || run_block(m, f, func, s->inner);
    case PENDING:
        if (!run_block(m, f, func, s->inner))
            return false;
        f->ints[s->to] = (int32_t)(a + k + (uint32_t)f->ints[s->b]);
        return true;
    case RETHROW:
        if (!(a & 1) || !f->has_caught)
            return true;
        m->thrown = f->caught;
        return false;
    default: {
        uint32_t lanes[4];
        memcpy(lanes, f->vector, sizeof lanes);
        for (int i = 0; i < 4; i++)
            lanes[i] += a;
        memcpy(f->vector, lanes, sizeof lanes);
        f->wide += s->k;
        return true;
    }
    }
}

static bool run_block(struct model *m, struct frame *f, uint32_t func, uint32_t statement) {
    for (; statement; statement = m->p->statements[statement - 1].next)
        if (++m->steps > MOST_STEPS || !run_statement(m, f, func, &m->p->statements[statement - 1]))
            return false;
    return true;
}

struct outcome model(const struct program *p, int32_t argument) {
    struct model m = {.p = p};
    struct outcome o = {0};
    o.thrown = !run_func(&m, 0, argument, &o.result);
    o.too_long = m.steps > MOST_STEPS;
    o.tag = m.thrown.tag;
    o.steps = m.steps;
    memcpy(o.values, m.thrown.values, sizeof o.values);
    return o;
}
