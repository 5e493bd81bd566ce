#include "binary/later.h"

#include <stdarg.h>
#include <stdio.h>

#define SHARED_ALL "shared-everything threads"
#define SWITCHING "stack switching"

static const struct later {
    uint8_t place;
    uint16_t first, last;
    const char *feature;
} table[] = {
    {PLACE_TYPE_FORM, 0x5D, 0x5D, SWITCHING},
    {PLACE_TYPE_FORM, 0x65, 0x65, SHARED_ALL},
    {PLACE_VALUE_TYPE, 0x65, 0x65, SHARED_ALL},
    {PLACE_VALUE_TYPE, 0x68, 0x68, SWITCHING}, /* cont */
    {PLACE_VALUE_TYPE, 0x75, 0x75, SWITCHING}, /* nocont */
    {PLACE_TABLE_LIMITS, 0x02, 0x03, SHARED_ALL},
    {PLACE_TABLE_LIMITS, 0x06, 0x07, SHARED_ALL},
    {PLACE_OPCODE, 0xE0, 0xE6, SWITCHING},
    {PLACE_OPCODE_FC, 18, 18, "memory control"}, /* memory.discard */
};

const char *cn_later_feature(enum code_place place, uint32_t code) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].place == place && code >= table[i].first && code <= table[i].last)
            return table[i].feature;
    return NULL;
}

bool cn_fail_later(struct error *error, uint64_t offset, const char *what, const char *feature) {
    return cn_fail_at(error, CATNAP_UNSUPPORTED, offset,
                      "%s belongs to %s, which this version does not support", what, feature);
}

bool cn_decode_unknown(struct decoder *d, uint32_t offset, enum code_place place, uint32_t code,
                       const char *wrong, const char *format, ...) {
    const char *feature = cn_later_feature(place, code);
    char what[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return feature ? cn_fail_later(d->error, offset, what, feature)
                   : cn_fail_at(d->error, CATNAP_MALFORMED, offset, "%s %s", wrong, what);
}
