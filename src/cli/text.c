#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "text/text.h"

/* Says where the text is wrong, and shows the line. */
static enum cli_exit report(const struct diag *diag, const char *path,
                            const struct text_error *error) {
    struct diag_detail detail = {.subject = display_name(path), .lines = true};
    enum cli_exit code = error->status == CATNAP_LIMIT ? CLI_EXIT_LIMIT : CLI_EXIT_MALFORMED;
    char *message = NULL;
    if (error->status == CATNAP_NO_MEMORY)
        return diag_no_memory(diag);
    if (asprintf(&message, "%" PRIu64 ":%" PRIu64 ": %s%s%s", error->line, error->column,
                 error->message, error->excerpt[0] != '\0' ? "\n" : "", error->excerpt) < 0)
        return diag_no_memory(diag);
    diag_report(diag, code, &detail, message);
    free(message);
    return code;
}

/* The allocator is malloc(), so that the bytes are bytes_free()'s. */
static enum cli_exit finish(const struct diag *diag, const char *path, bool done,
                            const struct text_bytes *made, const struct text_error *error,
                            struct bytes *out) {
    *out = (struct bytes){.data = made->bytes, .length = made->length};
    return done ? CLI_EXIT_OK : report(diag, path, error);
}

enum cli_exit text_to_binary(const struct diag *diag, const char *path, const struct bytes *text,
                             struct bytes *out) {
    struct alloc alloc;
    struct text_bytes made;
    struct text_error error;
    cn_alloc_init_default(&alloc);
    bool done = cn_text_module(&alloc, text->data, text->length, TEXT_WITH_NAMES, &made, &error);
    return finish(diag, path, done, &made, &error, out);
}

enum cli_exit text_script_to_files(const struct diag *diag, const char *path,
                                   const struct bytes *text, struct bytes *out) {
    struct alloc alloc;
    struct text_bytes made;
    struct text_error error;
    cn_alloc_init_default(&alloc);
    bool done = cn_text_script(&alloc, display_name(path), text->data, text->length, &made, &error);
    return finish(diag, path, done, &made, &error, out);
}
