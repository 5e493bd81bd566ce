/* A line of text of bounded length, built piece by piece; what does not fit is cut off. */
#ifndef SPEC_MESSAGE_H
#define SPEC_MESSAGE_H

#include <stddef.h>

#include "script.h"

typedef struct spec_message {
    size_t size;
    char text[1000];
} spec_message_t;

void spec_message_clear(spec_message_t *message);
__attribute__((format(printf, 2, 3))) void spec_message_add(spec_message_t *message,
                                                            const char *format, ...);
/* Adds a name in quotes, control characters escaped. */
void spec_message_add_name(spec_message_t *message, spec_text_t name);

#endif
