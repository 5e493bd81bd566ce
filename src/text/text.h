/*
 * WebAssembly text (section 6 of the specification, with proposals) to the binary format.
 *
 * Time and memory are linear in the length of the text. Nesting is kept on a stack in memory, so
 * that no text uses up the C stack. A text that is read is not thereby valid: that is for the
 * validator.
 */
#ifndef CN_TEXT_TEXT_H
#define CN_TEXT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "catnap.h"

/* How many constructs and folded instructions may be open at a place of the text. */
#define CN_TEXT_NESTING 1000000u

struct text_error {
    catnap_status_t status; /* CATNAP_MALFORMED, CATNAP_NO_MEMORY or CATNAP_LIMIT */
    uint64_t line, column;  /* from 1; columns are counted in bytes. 0: of the text as a whole */
    char message[240];      /* one line */
    char excerpt
        [512]; /* the line of the text, or a part of it, and below it a caret; may be empty */
};

/* Bytes of the allocator that was given, to be freed with cn_text_bytes_free(). */
struct text_bytes {
    uint8_t *bytes;
    size_t length, capacity;
};

enum text_names { TEXT_WITHOUT_NAMES, TEXT_WITH_NAMES };

/* A module; with a name section of its identifiers when asked for. */
bool cn_text_module(struct alloc *, const uint8_t *text, size_t length, enum text_names,
                    struct text_bytes *, struct text_error *);

/*
 * A test script, as the JSON that json-from-wast writes and the files that it names. They become
 * one block: for each file, the JSON first, its name and its contents in turn, each a 64-bit length
 * and its bytes. A module of quoted text that cannot be read is no error of the script: its text is
 * one of the files.
 */
bool cn_text_script(struct alloc *, const char *name, const uint8_t *text, size_t length,
                    struct text_bytes *, struct text_error *);

void cn_text_bytes_free(struct alloc *, struct text_bytes *);

#endif
