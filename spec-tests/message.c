#include "message.h"

#include <stdarg.h>
#include <stdio.h>

void spec_message_clear(spec_message_t *message) {
    message->size = 0;
    message->text[0] = 0;
}

void spec_message_add(spec_message_t *message, const char *format, ...) {
    size_t room = sizeof message->text - message->size;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(message->text + message->size, room, format, arguments);
    va_end(arguments);
    if (length > 0) {
        message->size += (size_t)length < room ? (size_t)length : room - 1;
    }
}

void spec_message_add_name(spec_message_t *message, spec_text_t name) {
    spec_message_add(message, "\"");
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.data[i];
        spec_message_add(message, c < ' ' || c == '"' || c == '\\' ? "\\%02x" : "%c", c);
    }
    spec_message_add(message, "\"");
}
