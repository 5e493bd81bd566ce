#include "binary/stream.h"

#include <string.h>

#define LONGEST_U32 5u

void cn_stream_init(struct stream *stream, struct module *m, const struct body_watcher *watcher,
                    struct error *error) {
    *stream = (struct stream){
        .s = {.d = {.r = {m->bytes, m->bytes + m->size},
                    .base = m->bytes,
                    .features = m->features,
                    .error = error,
                    .module = m},
              .m = m,
              .watcher = watcher},
    };
}

/* Whether a number at `at` can be read or found wrong: it ends, or is as long as any. */
static bool has_number(const uint8_t *at, const uint8_t *end) {
    for (uint32_t i = 0; i < LONGEST_U32; i++) {
        if ((size_t)(end - at) <= i)
            return false;
        if (at[i] < 0x80)
            return true;
    }
    return true;
}

/*
 * One function for each state. *waits is set when bytes are missing; false with the error set when
 * something is wrong.
 */

static bool take_preamble(struct stream *stream, const uint8_t *end, bool *waits) {
    static const uint8_t preamble[8] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    struct decoder *d = &stream->s.d;
    size_t left = (size_t)(end - d->r.at);
    stream->state = STREAM_HEADER;
    if (left >= sizeof preamble)
        return cn_decode_preamble(d);
    stream->state = STREAM_PREAMBLE;
    *waits = memcmp(d->r.at, preamble, left) == 0;
    if (*waits)
        return true;
    d->r.end = end;
    return cn_decode_preamble(d);
}

/* Sections are noted as they come; what is outgrown stays in the arena. */
static bool note_section(struct stream *stream) {
    struct module *m = stream->s.m;
    if (m->section_count == stream->section_room) {
        size_t room = stream->section_room ? stream->section_room * 2 : 16;
        struct section *sections = cn_section_array(&stream->s, (uint32_t)room, sizeof *sections);
        if (!sections)
            return false;
        if (m->section_count)
            memcpy(sections, m->sections, m->section_count * sizeof *sections);
        m->sections = sections;
        stream->section_room = room;
    }
    m->sections[m->section_count++] = stream->section;
    return true;
}

static bool take_header(struct stream *stream, const uint8_t *end, bool *waits) {
    struct decoder *d = &stream->s.d;
    *waits = d->r.at == end || (*d->r.at < SECTION_IDS && !has_number(d->r.at + 1, end));
    if (*waits)
        return true;
    stream->section = (struct section){0};
    d->r.end = d->base + stream->s.m->size;
    if (!cn_decode_section_header(&stream->s, &stream->section, &stream->place))
        return false;
    stream->state = stream->section.id == SECTION_CODE ? STREAM_CODE_START : STREAM_CONTENT;
    return true;
}

static bool end_section(struct stream *stream) {
    stream->state = STREAM_HEADER;
    return cn_decode_section_end(&stream->s, &stream->section) && note_section(stream);
}

static bool take_content(struct stream *stream, const uint8_t *end, bool *waits) {
    *waits = end < stream->s.d.r.end;
    return *waits ||
           (cn_decode_section_content(&stream->s, &stream->section) && end_section(stream));
}

static bool take_code_start(struct stream *stream, const uint8_t *end, bool *waits) {
    struct decoder *d = &stream->s.d;
    *waits = end < d->r.end && !has_number(d->r.at, end);
    if (*waits)
        return true;
    stream->state = STREAM_BODIES;
    if (!cn_decode_code_start(&stream->s))
        return false;
    stream->told = stream->s.next_body;
    return true;
}

/* Whether the next body is whole, or wrong by what is there of it. */
static bool has_body(const struct decoder *d, const uint8_t *end) {
    struct reader r = d->r;
    uint32_t size;
    bool too_long;
    if (end >= d->r.end)
        return true;
    if (!has_number(r.at, end))
        return false;
    return !cn_read_u32(&r, &size, &too_long) || size > (size_t)(d->r.end - r.at) ||
           size > LIMIT_BODY_BYTES || (r.at <= end && size <= (size_t)(end - r.at));
}

static bool take_bodies(struct stream *stream, const uint8_t *end, bool *waits) {
    struct sections *s = &stream->s;
    while (s->next_body < s->m->func_count) {
        *waits = !has_body(&s->d, end);
        if (*waits)
            return true;
        if (!cn_decode_next_body(s))
            return false;
    }
    stream->state = STREAM_CODE_END;
    return true;
}

static bool take_code_end(struct stream *stream, const uint8_t *end, bool *waits) {
    (void)end;
    *waits = false;
    return end_section(stream);
}

/* Tells the watcher of the bodies that have the slack behind them. */
static void tell(struct stream *stream, const uint8_t *end, bool all) {
    const struct sections *s = &stream->s;
    const struct module *m = s->m;
    if (!s->has_code || !m->bodies || !s->watcher)
        return;
    while (stream->told < s->next_body) {
        struct span body = cn_module_body(m, stream->told);
        size_t there = (size_t)(end - m->bytes);
        if (!all && (size_t)body.offset + body.length + STREAM_SLACK > there)
            break;
        stream->told++;
    }
    s->watcher->ready(s->watcher->env, stream->told);
}

static bool advance(struct stream *stream, size_t available, bool all) {
    static bool (*const take[])(struct stream *, const uint8_t *, bool *) = {
        take_preamble, take_header, take_content, take_code_start, take_bodies, take_code_end};
    const uint8_t *end = stream->s.d.base + available;
    bool waits = false, good = true;
    while (good && !waits)
        good = take[stream->state](stream, end, &waits);
    tell(stream, end, all);
    return good;
}

bool cn_stream_advance(struct stream *stream, size_t available) {
    return advance(stream, available, false);
}

bool cn_stream_finish(struct stream *stream, size_t available, bool *whole) {
    *whole = false;
    if (!advance(stream, available, true))
        return false;
    *whole = stream->state == STREAM_HEADER && stream->s.d.r.at == stream->s.d.base + available;
    return !*whole || cn_decode_agreement(&stream->s);
}
