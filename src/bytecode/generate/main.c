/*
 * usage: generate FORM DIRECTORY     writes the bytecode of a build into the directory; FORM is a file with
 *                                    a line such as "form 1 1 1": whether there are accumulators, pairs and
 *                                    guard pages (bytecode/form.h)
 *        generate --reference FILE   writes the reference of all instructions, as Markdown
 */
#include "bytecode/generate/generate.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("generate: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static struct build read_form(const char *path) {
    char line[256];
    int accumulator, pairs, guard;
    FILE *in = fopen(path, "r");
    while (in && fgets(line, sizeof line, in)) {
        if (sscanf(line, "form %d %d %d", &accumulator, &pairs, &guard) == 3) {
            fclose(in);
            return (struct build){accumulator != 0, pairs != 0, guard != 0};
        }
    }
    fail("%s does not say what is built", path);
}

static bool is_same(const char *path, const char *text, size_t size) {
    bool same = false;
    char *old = malloc(size + 1);
    FILE *in = fopen(path, "r");
    if (in && old)
        same = fread(old, 1, size + 1, in) == size && !memcmp(old, text, size);
    if (in)
        fclose(in);
    free(old);
    return same;
}

/* A file that would not change is left as it is. */
static void write_file(const char *path, void (*write)(FILE *, const struct bytecode *),
                       const struct bytecode *b) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        fail("memory is exhausted");
    write(out, b);
    if (fclose(out))
        fail("memory is exhausted");
    if (!is_same(path, text, size)) {
        out = fopen(path, "w");
        if (!out || fwrite(text, 1, size, out) != size || fclose(out))
            fail("%s cannot be written", path);
    }
    free(text);
}

int main(int argc, char **argv) {
    struct bytecode b;
    if (argc != 3)
        fail("usage: generate FORM DIRECTORY | generate --reference FILE");
    if (!strcmp(argv[1], "--reference")) {
        make_bytecode(&b, (struct build){true, true, true});
        write_file(argv[2], write_reference, &b);
        return 0;
    }
    make_bytecode(&b, read_form(argv[1]));
    write_file(formatted("%s/opcodes.h", argv[2]), write_opcodes, &b);
    write_file(formatted("%s/lookup.inc", argv[2]), write_lookup, &b);
    write_file(formatted("%s/info.inc", argv[2]), write_info, &b);
    write_file(formatted("%s/handlers.inc", argv[2]), write_handlers, &b);
    write_file(formatted("%s/handler_rows.inc", argv[2]), write_handler_rows, &b);
    return 0;
}
