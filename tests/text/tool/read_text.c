/* Reads a module in the text format and writes it without names: read_text FILE.wat -o FILE.wasm. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/text.h"

static uint8_t *read_all(FILE *file, size_t *length) {
    size_t room = 1 << 20;
    uint8_t *text = malloc(room);
    *length = text ? fread(text, 1, room, file) : 0;
    return *length < room ? text : NULL;
}

int main(int argc, char **argv) {
    struct alloc alloc;
    struct text_bytes made;
    struct text_error error;
    size_t length;
    FILE *file = argc == 4 && strcmp(argv[2], "-o") == 0 ? fopen(argv[1], "rb") : NULL;
    uint8_t *text = file ? read_all(file, &length) : NULL;
    if (!text)
        return 2;
    fclose(file);
    cn_alloc_init_default(&alloc);
    bool done = cn_text_module(&alloc, text, length, TEXT_WITHOUT_NAMES, &made, &error);
    free(text);
    if (!done) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    file = fopen(argv[3], "wb");
    done = file && fwrite(made.bytes, 1, made.length, file) == made.length && fclose(file) == 0;
    cn_text_bytes_free(&alloc, &made);
    return done ? 0 : 2;
}
