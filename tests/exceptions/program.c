#include "program.h"

/* ---- tags: what their exceptions carry, by letters ---- */

static const char *const payloads[TAGS_OF_MODEL] = {"", "i", "Ii", "v", "ifvI"};

enum statement_kind {
    SET,     /* to <- a + b * k */
    THROW,   /* of tag k, when a is odd */
    CALL_,   /* to <- function k of a; it comes later */
    HOST,    /* the host calls "leaf" of a */
    TAIL,    /* the result is that of function k of a, when a is odd */
    TRY,     /* inner, with clauses */
    OLD_TRY, /* inner, with clauses; results by k, from the body or the catch block; values are taken behind that for odd b */
    HAND_ON, /* inner; what it throws passes by k of the blocks around it */
    REPEAT,  /* inner, k times */
    UNLESS,  /* inner, unless a is odd */
    PENDING, /* a stays on the stack while inner runs; to <- a + k + b */
    RETHROW, /* the exception that was caught last with its reference, if any, when a is odd */
    OLD_RETHROW, /* that of a catch block around it, but for k of them, when a is odd */
    WIDE,        /* the vector and the i64 change */
    KINDS
};

/* Operands and results of an old try block, k modulo 4. */
enum { GIVES_NOTHING, GIVES_INT, GIVES_MORE, PASSES_INT };

static uint32_t next_random(struct program *p, uint32_t below) {
    p->random = p->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(p->random >> 33) % below;
}

static uint32_t make_block(struct program *p, uint32_t func, uint32_t depth);

static void make_clauses(struct program *p, uint32_t func, uint32_t depth, uint32_t index) {
    uint32_t count = next_random(p, MOST_CLAUSES + 1);
    bool old = p->statements[index].kind == OLD_TRY;
    p->statements[index].clause_count = count;
    p->holders += old;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t handler = make_block(p, func, depth + 1);
        uint32_t kind = next_random(p, 3) ? next_random(p, 2) : 2 + next_random(p, 2);
        if (old) /* of all is the last one, and there is no reference */
            kind = i + 1 == count ? kind & 2 : 0;
        p->statements[index].clauses[i].kind = (uint8_t)kind;
        p->statements[index].clauses[i].tag = (uint8_t)next_random(p, TAGS_OF_MODEL);
        p->statements[index].clauses[i].handler = handler;
    }
    p->holders -= old;
}

static bool has_inner(const struct statement *s) {
    return s->kind >= TRY && s->kind <= PENDING;
}

static bool is_level(const struct statement *s) {
    return s->kind >= TRY && s->kind <= HAND_ON;
}

static bool calls(const struct statement *s) {
    return s->kind >= CALL_ && s->kind <= TAIL;
}

static uint32_t make_statement(struct program *p, uint32_t func, uint32_t depth) {
    static const uint8_t kinds[] = {SET,     SET,     THROW,       THROW,  CALL_,   CALL_,
                                    HOST,    TAIL,    TRY,         TRY,    OLD_TRY, OLD_TRY,
                                    OLD_TRY, HAND_ON, HAND_ON,     REPEAT, UNLESS,  PENDING,
                                    PENDING, RETHROW, OLD_RETHROW, WIDE};
    if (p->statement_count == MOST_STATEMENTS)
        return 0;
    uint32_t index = p->statement_count++;
    struct statement *s = &p->statements[index];
    s->kind = kinds[next_random(p, sizeof kinds)];
    if ((depth > 3 && has_inner(s)) || (s->kind == OLD_RETHROW && p->holders == 0))
        s->kind = SET;
    s->a = (uint8_t)next_random(p, INTS);
    s->b = (uint8_t)next_random(p, INTS);
    s->to = (uint8_t)next_random(p, INTS);
    s->k = (int32_t)next_random(p, 100) - 20;
    if (s->kind == THROW)
        s->k = (int32_t)next_random(p, TAGS_OF_MODEL);
    if (s->kind == REPEAT)
        s->k = (int32_t)next_random(p, 3) + 1;
    if (calls(s) && func + 1 == p->func_count)
        s->kind = WIDE; /* the last function calls none */
    if (s->kind == CALL_ || s->kind == TAIL)
        s->k = (int32_t)(func + 1 + next_random(p, p->func_count - func - 1));
    if (s->kind == HAND_ON)
        s->k = (int32_t)next_random(p, p->levels + 1);
    if (s->kind == OLD_RETHROW)
        s->k = (int32_t)next_random(p, p->holders);
    p->levels += is_level(s);
    if (has_inner(s))
        s->inner = make_block(p, func, depth + 1);
    p->levels -= is_level(s);
    if (s->kind == TRY || s->kind == OLD_TRY)
        make_clauses(p, func, depth, index);
    return index + 1;
}

static uint32_t make_block(struct program *p, uint32_t func, uint32_t depth) {
    uint32_t first = 0, *link = &first;
    for (uint32_t n = 1 + next_random(p, 3); n > 0; n--) {
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

/* The kinds of constructs that have a label. */
enum { PLAIN_LABEL, LEVEL_LABEL, HOLDER_LABEL };

struct writer {
    const struct program *p;
    struct bytes *b;
    uint32_t depth;                         /* of loops: each has a counter */
    const uint32_t *with_ref, *without_ref; /* types of blocks by tag; TAGS_OF_MODEL: of any */
    uint32_t passes_int, gives_more;        /* types */
    uint8_t labels[100];                    /* the function's first */
    uint32_t label_count;
};

static void open_label(struct writer *w, uint8_t kind) {
    assert_true(w->label_count < sizeof w->labels);
    w->labels[w->label_count++] = kind;
}

static void end_block(struct writer *w) {
    put(w->b, END);
    w->label_count--;
}

/* The depth of a label of this kind, but for `skipped` of the same kind; of the function's, when there is none. */
static uint32_t find_label(const struct writer *w, uint8_t kind, uint32_t skipped) {
    uint32_t depth = 0;
    for (; depth + 1 < w->label_count; depth++)
        if (w->labels[w->label_count - 1 - depth] == kind && skipped-- == 0)
            break;
    return depth;
}

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

/* Labels between two blocks whose clauses the statement is within stand for the outer one, that of a catch block, too. */
static uint32_t choose_label(const struct writer *w, const struct statement *s) {
    uint32_t most = find_label(w, LEVEL_LABEL, (uint32_t)s->k);
    uint32_t least = s->k > 0 ? find_label(w, LEVEL_LABEL, (uint32_t)s->k - 1) + 1 : 0;
    for (uint32_t depth = least; depth < most && (s->to & 1); depth++)
        if (w->labels[w->label_count - 1 - depth] == HOLDER_LABEL)
            return depth;
    return least + (s->a * 7u + s->b) % (most - least + 1);
}

static void write_hand_on(struct writer *w, const struct statement *s) {
    PUT(w->b, 0x06, EMPTY);
    open_label(w, LEVEL_LABEL);
    write_block(w, s->inner);
    w->label_count--;
    op_u(w->b, 0x18, choose_label(w, s));
}

/* Pushes the results of a part of an old try block. */
static void write_gift(struct writer *w, const struct statement *s, bool caught) {
    switch (s->k & 3) {
    case PASSES_INT:
        if (!caught)
            return;
        op_u(w->b, LOCAL_GET, s->b);
        return;
    case GIVES_INT:
        op_u(w->b, LOCAL_GET, caught ? s->b : s->a);
        return;
    case GIVES_MORE:
        if (caught)
            i64_const(w->b, s->k);
        else
            op_u(w->b, LOCAL_GET, LONG);
        op_u(w->b, LOCAL_GET, VECTOR);
        return;
    default:
        return;
    }
}

static void write_old_try(struct writer *w, const struct statement *s) {
    if ((s->k & 3) == PASSES_INT)
        op_u(w->b, LOCAL_GET, s->a);
    put(w->b, 0x06);
    if ((s->k & 3) == GIVES_NOTHING)
        put(w->b, EMPTY);
    else if ((s->k & 3) == GIVES_INT)
        put(w->b, I32);
    else
        put_s(w->b, (s->k & 3) == GIVES_MORE ? w->gives_more : w->passes_int);
    open_label(w, LEVEL_LABEL);
    write_block(w, s->inner);
    write_gift(w, s, false);
    for (uint32_t i = 0; i < s->clause_count; i++) {
        w->labels[w->label_count - 1] = HOLDER_LABEL;
        if (s->clauses[i].kind & 2)
            put(w->b, 0x19);
        else
            op_u(w->b, 0x07, s->clauses[i].tag);
        if (!(s->b & 1))
            take_payload(w, s->clauses[i].kind, s->clauses[i].tag);
        write_block(w, s->clauses[i].handler);
        if (s->b & 1)
            take_payload(w, s->clauses[i].kind, s->clauses[i].tag);
        write_gift(w, s, true);
    }
    end_block(w);
    if ((s->k & 3) == GIVES_MORE) {
        op_u(w->b, LOCAL_SET, VECTOR);
        op_u(w->b, LOCAL_SET, LONG);
    } else if ((s->k & 3) != GIVES_NOTHING) {
        op_u(w->b, LOCAL_SET, s->to);
    }
}

/* block $done (block $last ... (block $first (try_table ... body) br $done) handler br $done) ... */
static void write_try(struct writer *w, const struct statement *s) {
    uint32_t count = s->clause_count;
    PUT(w->b, BLOCK, EMPTY);
    open_label(w, PLAIN_LABEL);
    for (uint32_t i = count; i-- > 0;) {
        open_label(w, PLAIN_LABEL);
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
    open_label(w, LEVEL_LABEL);
    write_block(w, s->inner);
    end_block(w);
    for (uint32_t i = 0; i < count; i++) {
        op_u(w->b, BR, count - i);
        end_block(w);
        take_payload(w, s->clauses[i].kind, s->clauses[i].tag);
        write_block(w, s->clauses[i].handler);
    }
    end_block(w);
}

static void write_repeat(struct writer *w, const struct statement *s) {
    uint32_t counter = COUNTERS + w->depth++;
    i32_const(w->b, 0);
    op_u(w->b, LOCAL_SET, counter);
    PUT(w->b, LOOP, EMPTY);
    open_label(w, PLAIN_LABEL);
    write_block(w, s->inner);
    op_u(w->b, LOCAL_GET, counter);
    i32_const(w->b, 1);
    put(w->b, I32_ADD);
    op_u(w->b, LOCAL_TEE, counter);
    i32_const(w->b, s->k);
    put(w->b, 0x48); /* i32.lt_s */
    PUT(w->b, BR_IF, 0);
    end_block(w);
    w->depth--;
}

static void write_if_odd(struct writer *w, uint32_t local) {
    op_u(w->b, LOCAL_GET, local);
    i32_const(w->b, 1);
    PUT(w->b, 0x71, IF, EMPTY); /* i32.and */
    open_label(w, PLAIN_LABEL);
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
        end_block(w);
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
    case TAIL:
        write_if_odd(w, s->a);
        op_u(w->b, LOCAL_GET, s->a);
        op_u(w->b, 0x12, (uint64_t)s->k + 1); /* return_call */
        end_block(w);
        break;
    case TRY:
        write_try(w, s);
        break;
    case OLD_TRY:
        write_old_try(w, s);
        break;
    case HAND_ON:
        write_hand_on(w, s);
        break;
    case REPEAT:
        write_repeat(w, s);
        break;
    case UNLESS:
        op_u(w->b, LOCAL_GET, s->a);
        i32_const(w->b, 1);
        PUT(w->b, 0x71, 0x45, IF, EMPTY); /* and, eqz */
        open_label(w, PLAIN_LABEL);
        write_block(w, s->inner);
        end_block(w);
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
    case OLD_RETHROW:
        write_if_odd(w, s->a);
        op_u(w->b, 0x09, find_label(w, HOLDER_LABEL, (uint32_t)s->k));
        end_block(w);
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
    w.passes_int = add_type(&m, "i", "i");
    w.gives_more = add_type(&m, "", "Iv");
    uint32_t type = add_type(&m, "i", "I");
    for (uint32_t i = 0; i < p->func_count; i++) {
        struct bytes body = {0};
        w.b = &body;
        w.label_count = 0;
        open_label(&w, PLAIN_LABEL);
        PUT(&body, 6, INTS - 1, I32, 1, I64, 1, V128, 1, F64, 1, EXNREF, 8, I32);
        op_u(&body, LOCAL_GET, 0); /* some are odd from the start */
        i32_const(&body, 1);
        PUT(&body, I32_ADD, LOCAL_SET, 1, I32_CONST, 7, LOCAL_SET, 3);
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
    uint32_t skipped; /* blocks that it passes by */
    bool returned;    /* nothing was thrown: the function returns this */
    int64_t value;
};

enum { ALL_BLOCKS = 1 << 30 };

struct frame {
    int32_t ints[INTS];
    int64_t wide;
    uint64_t vector[2];
    bool has_caught;
    struct exception caught;
    struct exception held[8]; /* of the catch blocks around */
    uint32_t held_count;
};

static bool run_block(struct model *m, struct frame *f, uint32_t func, uint32_t statement);

static bool run_func(struct model *m, uint32_t func, int32_t argument, int64_t *result) {
    struct frame f = {.ints = {argument, (int32_t)((uint32_t)argument + 1), 0, 7}};
    if (!run_block(m, &f, func, m->p->bodies[func])) {
        bool returned = m->returned;
        m->returned = false;
        m->skipped = 0;
        *result = m->value;
        return returned;
    }
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

static void take_values(struct frame *f, const struct exception *e, uint32_t kind) {
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

/* Whether what the body of a block threw comes to its clauses. */
static bool comes_to(struct model *m) {
    if (m->steps > MOST_STEPS)
        return false;
    if (m->skipped == 0)
        return true;
    m->skipped--;
    return false;
}

/* The clause that catches it; the number of them: none. */
static uint32_t find_clause(const struct model *m, const struct statement *s) {
    uint32_t i = 0;
    while (i < s->clause_count && !(s->clauses[i].kind & 2) && s->clauses[i].tag != m->thrown.tag)
        i++;
    return i;
}

static bool run_try(struct model *m, struct frame *f, uint32_t func, const struct statement *s) {
    if (run_block(m, f, func, s->inner))
        return true;
    if (!comes_to(m))
        return false;
    uint32_t i = find_clause(m, s);
    if (i == s->clause_count)
        return false;
    take_values(f, &m->thrown, s->clauses[i].kind);
    return run_block(m, f, func, s->clauses[i].handler);
}

static void take_gift(struct frame *f, const struct statement *s, int32_t passed, bool caught) {
    switch (s->k & 3) {
    case PASSES_INT:
        f->ints[s->to] = caught ? f->ints[s->b] : passed;
        return;
    case GIVES_INT:
        f->ints[s->to] = f->ints[caught ? s->b : s->a];
        return;
    case GIVES_MORE:
        f->wide = caught ? s->k : f->wide;
        return;
    default:
        return;
    }
}

static bool run_old_try(struct model *m, struct frame *f, uint32_t func,
                        const struct statement *s) {
    int32_t passed = f->ints[s->a];
    if (run_block(m, f, func, s->inner)) {
        take_gift(f, s, passed, false);
        return true;
    }
    if (!comes_to(m))
        return false;
    uint32_t i = find_clause(m, s);
    if (i == s->clause_count)
        return false;
    f->held[f->held_count++] = m->thrown;
    if (!(s->b & 1))
        take_values(f, &m->thrown, s->clauses[i].kind);
    bool done = run_block(m, f, func, s->clauses[i].handler);
    const struct exception *held = &f->held[--f->held_count];
    if (!done)
        return false;
    if (s->b & 1)
        take_values(f, held, s->clauses[i].kind);
    take_gift(f, s, passed, true);
    return true;
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
    case TAIL:
        if (!(a & 1))
            return true;
        m->returned = run_func(m, k, (int32_t)a, &m->value);
        m->skipped = ALL_BLOCKS;
        return false;
    case TRY:
        return run_try(m, f, func, s);
    case OLD_TRY:
        return run_old_try(m, f, func, s);
    case HAND_ON:
        if (run_block(m, f, func, s->inner))
            return true;
        if (comes_to(m))
            m->skipped = k;
        return false;
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
    case OLD_RETHROW:
        if (!(a & 1))
            return true;
        m->thrown = f->held[f->held_count - 1 - k];
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
