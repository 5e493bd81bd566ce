/* Parses a generated JSON text (RFC 8259) into a tree, walks the tree, and compares what it finds
 * with what the generator wrote. The size is the number of records. */
#include "kernel.h"

/* ---- the text ---------------------------------------------------------------------------- */

struct tally {
    uint64_t objects, arrays, strings, literals;
    double sum;
    uint64_t characters;
};

struct writer {
    char *text;
    size_t length;
    uint32_t seed;
    struct tally tally;
};

static void put(struct writer *w, const char *s) {
    size_t n = strlen(s);
    memcpy(w->text + w->length, s, n);
    w->length += n;
}

static void put_string(struct writer *w, int letters) {
    put(w, "\"");
    for (int i = 0; i < letters; i++) {
        uint32_t r = kernel_random(&w->seed) >> 8;
        char letter[2] = {(char)('a' + r % 26), 0};
        put(w, r % 61 == 0 ? "\\n" : r % 53 == 0 ? "\\u00e9" : letter);
        w->tally.characters += r % 61 == 0 || r % 53 != 0 ? 1 : 2;
    }
    put(w, "\"");
    w->tally.strings++;
}

/* A multiple of 1/4, so that sums are exact. */
static void put_number(struct writer *w) {
    char text[32];
    int32_t quarters = (int32_t)(kernel_random(&w->seed) % 2000000) - 1000000;
    int32_t whole = quarters / 4, rest = abs(quarters % 4) * 25;
    snprintf(text, sizeof(text), "%s%d.%02d", quarters < 0 && whole == 0 ? "-" : "", (int)whole,
             (int)rest);
    put(w, text);
    w->tally.sum += quarters / 4.0;
}

static void put_record(struct writer *w, int first) {
    static const char *const literals[] = {"true", "false", "null"};
    put(w, first ? "\n  {\"name\": " : ",\n  {\"name\": ");
    put_string(w, 12);
    put(w, ", \"price\": ");
    put_number(w);
    put(w, ", \"flag\": ");
    put(w, literals[kernel_random(&w->seed) % 3]);
    put(w, ", \"tags\": [");
    put_string(w, 5);
    put(w, ", ");
    put_string(w, 30);
    put(w, "], \"point\": {\"x\": ");
    put_number(w);
    put(w, ", \"y\": ");
    put_number(w);
    put(w, "}}");
    w->tally.objects += 2;
    w->tally.arrays++;
    w->tally.literals++;
    /* The seven keys. */
    w->tally.strings += 7;
    w->tally.characters += strlen("namepriceflagtagspointxy");
}

/* ---- the parser -------------------------------------------------------------------------- */

enum kind { NUMBER, STRING, LITERAL, ARRAY, OBJECT };

struct value {
    enum kind kind;
    struct value *next;  /* in the same array or object */
    struct value *child; /* of an array or an object (there: key, value, key, ...) */
    const char *string;
    size_t length;
    double number;
};

struct parser {
    const char *p, *end;
    struct value *values; /* handed out one after the other */
    size_t used, room;
    char *characters;
    int failed;
};

static struct value *parse_value(struct parser *s, int depth);

static void skip_space(struct parser *s) {
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r')) {
        s->p++;
    }
}

static int accept(struct parser *s, char c) {
    skip_space(s);
    if (s->p < s->end && *s->p == c) {
        s->p++;
        return 1;
    }
    return 0;
}

static struct value *fail(struct parser *s) {
    s->failed = 1;
    return NULL;
}

static struct value *new_value(struct parser *s, enum kind kind) {
    if (s->used == s->room) {
        return fail(s);
    }
    struct value *v = &s->values[s->used++];
    memset(v, 0, sizeof(*v));
    v->kind = kind;
    return v;
}

/* \u and four digits, outside the surrogates, as UTF-8. */
static int parse_unicode(struct parser *s) {
    uint32_t code = 0;
    for (int i = 0; i < 4; i++, s->p++) {
        char c = s->p < s->end ? *s->p : 0;
        if (c >= '0' && c <= '9') {
            code = code * 16 + (uint32_t)(c - '0');
        } else if ((c | 32) >= 'a' && (c | 32) <= 'f') {
            code = code * 16 + (uint32_t)((c | 32) - 'a' + 10);
        } else {
            return 0;
        }
    }
    if (code < 0x80) {
        *s->characters++ = (char)code;
    } else if (code < 0x800) {
        *s->characters++ = (char)(0xc0 | code >> 6);
        *s->characters++ = (char)(0x80 | (code & 63));
    } else {
        *s->characters++ = (char)(0xe0 | code >> 12);
        *s->characters++ = (char)(0x80 | (code >> 6 & 63));
        *s->characters++ = (char)(0x80 | (code & 63));
    }
    return code < 0xd800 || code > 0xdfff;
}

static struct value *parse_string(struct parser *s) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    struct value *v = new_value(s, STRING);
    if (!v || !accept(s, '"')) {
        return fail(s);
    }
    v->string = s->characters;
    while (s->p < s->end && *s->p != '"') {
        char c = *s->p++;
        if (c != '\\') {
            *s->characters++ = c;
        } else if (s->p < s->end && *s->p == 'u') {
            s->p++;
            if (!parse_unicode(s)) {
                return fail(s);
            }
        } else {
            const char *escape = s->p < s->end ? memchr(from, *s->p++, 8) : NULL;
            if (!escape) {
                return fail(s);
            }
            *s->characters++ = to[escape - from];
        }
    }
    v->length = (size_t)(s->characters - v->string);
    return accept(s, '"') ? v : fail(s);
}

static struct value *parse_number(struct parser *s) {
    struct value *v = new_value(s, NUMBER);
    int negative = accept(s, '-');
    double number = 0, scale = 1;
    const char *start = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9') {
        number = number * 10 + (*s->p++ - '0');
    }
    if (!v || s->p == start) {
        return fail(s);
    }
    if (s->p < s->end && *s->p == '.') {
        for (s->p++; s->p < s->end && *s->p >= '0' && *s->p <= '9'; scale *= 10) {
            number = number * 10 + (*s->p++ - '0');
        }
    }
    v->number = (negative ? -number : number) / scale;
    return v;
}

static struct value *parse_literal(struct parser *s) {
    static const char *const literals[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(literals[i]);
        if ((size_t)(s->end - s->p) >= n && memcmp(s->p, literals[i], n) == 0) {
            s->p += n;
            return new_value(s, LITERAL);
        }
    }
    return fail(s);
}

/* An array, or an object, whose keys become values like any other. */
static struct value *parse_group(struct parser *s, int depth, enum kind kind, char close) {
    struct value *group = new_value(s, kind);
    if (!group || depth > 100) {
        return fail(s);
    }
    struct value **link = &group->child;
    s->p++;
    if (accept(s, close)) {
        return group;
    }
    do {
        if (kind == OBJECT) {
            *link = parse_string(s);
            if (!*link || !accept(s, ':')) {
                return fail(s);
            }
            link = &(*link)->next;
        }
        *link = parse_value(s, depth + 1);
        if (!*link) {
            return fail(s);
        }
        link = &(*link)->next;
    } while (accept(s, ','));
    return accept(s, close) ? group : fail(s);
}

static struct value *parse_value(struct parser *s, int depth) {
    skip_space(s);
    switch (s->p < s->end ? *s->p : 0) {
    case '{':
        return parse_group(s, depth, OBJECT, '}');
    case '[':
        return parse_group(s, depth, ARRAY, ']');
    case '"':
        return parse_string(s);
    case 't':
    case 'f':
    case 'n':
        return parse_literal(s);
    default:
        return parse_number(s);
    }
}

static void walk(const struct value *v, struct tally *t) {
    for (; v; v = v->next) {
        switch (v->kind) {
        case NUMBER:
            t->sum += v->number;
            break;
        case STRING:
            t->strings++;
            t->characters += v->length;
            break;
        case LITERAL:
            t->literals++;
            break;
        case ARRAY:
            t->arrays++;
            walk(v->child, t);
            break;
        case OBJECT:
            t->objects++;
            walk(v->child, t);
            break;
        }
    }
}

int main(int argc, char **argv) {
    uint32_t records = kernel_size(argc, argv, 30000);
    struct writer w = {kernel_alloc((size_t)records * 700 + 16), 0, 362436069, {0}};
    put(&w, "[");
    for (uint32_t i = 0; i < records; i++) {
        put_record(&w, i == 0);
    }
    put(&w, "\n]\n");
    w.tally.arrays++;

    struct parser s = {.p = w.text, .end = w.text + w.length, .room = (size_t)records * 20 + 1};
    s.values = kernel_alloc(s.room * sizeof(struct value));
    s.characters = kernel_alloc(w.length);
    struct value *root = parse_value(&s, 0);
    skip_space(&s);
    kernel_check(root && !s.failed && s.p == s.end, "the text parses to its end");

    struct tally found = {0};
    walk(root, &found);
    kernel_check(memcmp(&found, &w.tally, sizeof(found)) == 0, "what was written is what was read");
    printf("%u bytes, %llu objects, %llu strings, sum %.2f, hash %016llx\n", (unsigned)w.length,
           (unsigned long long)found.objects, (unsigned long long)found.strings, found.sum,
           (unsigned long long)kernel_hash(w.text, w.length));
    return 0;
}
