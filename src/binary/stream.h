/* Decoding a module while its bytes arrive: each section once it is whole, bodies one by one. */
#ifndef CN_BINARY_STREAM_H
#define CN_BINARY_STREAM_H

#include "binary/sections.h"

/* So many bytes behind a body must have arrived before the watcher hears of it: its validator may read
 * them, while later bytes are being written. */
#define STREAM_SLACK 192u

struct stream {
    struct sections s;
    enum {
        STREAM_PREAMBLE,
        STREAM_HEADER,
        STREAM_CONTENT,
        STREAM_CODE_START,
        STREAM_BODIES,
        STREAM_CODE_END
    } state;
    uint8_t place; /* in the order of sections */
    size_t section_room;
    struct section section; /* the one that is being decoded */
    uint32_t told;          /* the watcher knows of bodies of functions before this one */
};

/* The module's bytes are where they will arrive; its size is that of the place. */
void cn_stream_init(struct stream *, struct module *, const struct body_watcher *, struct error *);
/* Decodes as far as the first `available` bytes of the module go. */
bool cn_stream_advance(struct stream *, size_t available);
/* With all bytes there: *whole tells whether they end where a module may. */
bool cn_stream_finish(struct stream *, size_t available, bool *whole);

#endif
