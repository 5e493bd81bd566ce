/* Writes the first inputs of the fuzz targets into a directory: modules made by the unit tests'
 * builder. Usage: make_seeds DIRECTORY */
#include <stdio.h>

#include "../differential/objects.h"
#include "../unit/sample.h"

static int write_seed(const char *directory, const char *name, struct bytes *b) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.wasm", directory, name);
    FILE *file = fopen(path, "wb");
    size_t written = file ? fwrite(b->data, 1, b->size, file) : 0;
    int failed = !file || written != b->size;
    if (file && fclose(file) != 0)
        failed = 1;
    if (failed)
        perror(path);
    drop_bytes(b);
    return failed;
}

/* A group with a subtype, a table with an initial value, and a body that calls and tests references. */
static int write_references(const char *directory) {
    struct bytes b = {0};
    put_preamble(&b);
    SECTION(&b, 1, 2, 0x4E, 2, 0x50, 0, 0x60, 1, 0x63, 1, 1, 0x7F, 0x50, 1, 0, 0x60, 1, 0x63, 1, 1,
            0x7F, 0x60, 0, 1, 0x7F);
    SECTION(&b, 3, 2, 1, 2);
    SECTION(&b, 4, 1, 0x40, 0, 0x64, 1, 1, 1, 2, 0xD2, 0, 0x0B);
    SECTION(&b, 9, 1, 5, 0x64, 1, 1, 0xD2, 0, 0x0B);
    SECTION(&b, 10, 2, 12, 0, 0x02, 0x40, 0x20, 0, 0xD5, 0, 0x1A, 0x0B, 0x41, 1, 0x0B, 26, 1, 1,
            0x64, 1, 0x02, 0x64, 1, 0xD0, 1, 0xD6, 0, 0xD2, 0, 0xD4, 0x0B, 0x21, 0, 0x20, 0, 0x41,
            0, 0x25, 0, 0x14, 0, 0x0B);
    return write_seed(directory, "references", &b);
}

/* Tail calls of each kind: to itself, through a table, by reference, to the host. */
static int write_tail_calls(const char *directory) {
    struct module_builder m = {0};
    struct bytes b, f = {0};
    uint32_t type = add_type(&m, "i", "i");
    uint32_t host = import_func(&m, "", "f", type);
    PUT(&f, 0, LOCAL_GET, 0, 0x45, IF, EMPTY, I32_CONST, 9, RETURN_CALL, host, END, LOCAL_GET, 0,
        I32_CONST, 1, I32_SUB, RETURN_CALL, 1, END);
    add_func(&m, "count", type, &f);
    PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 0, RETURN_CALL_INDIRECT, type, 0, END);
    add_func(&m, "table", type, &f);
    PUT(&f, 0, LOCAL_GET, 0, REF_FUNC, 1, RETURN_CALL_REF, type, END);
    add_func(&m, "reference", type, &f);
    add_table(&m, FUNCREF, 3, 3);
    add_elem(&m, 0, (const uint32_t[]){0, 1, 2}, 3);
    b = finish(&m);
    return write_seed(directory, "tail-calls", &b);
}

/* A memory with i32 addresses, one with i64 addresses, a shared one; accesses, atomics, copies between them. */
static int write_memories(const char *directory) {
    struct module_builder m = {0};
    struct bytes b, f = {0};
    add_memory(&m, 1, 2);
    add_memory_as(&m, LIMITS_64, 1, 2);
    add_memory_as(&m, LIMITS_SHARED, 1, 2);
    put(&f, 0);
    PUT(&f, I32_CONST, 8, I64_CONST, 16);
    op_access(&f, 0x29, 3, 1, 8);                                       /* i64.load */
    op_access(&f, 0x37, 3, 0, 0);                                       /* i64.store */
    PUT(&f, I64_CONST, 0, I32_CONST, 4, I32_CONST, 40, 0xFC, 10, 1, 2); /* memory.copy */
    PUT(&f, I64_CONST, 1, 0x40, 1, DROP, I32_CONST, 1, 0x40, 2, DROP);  /* memory.grow */
    PUT(&f, I32_CONST, 8, I32_CONST, 3, 0xFE, 0x1E, 0x42, 2, 0, DROP);  /* i32.atomic.rmw.add */
    PUT(&f, I32_CONST, 8, I32_CONST, 1, 0xFE, 0x00, 0x42, 2, 0, DROP);  /* memory.atomic.notify */
    put(&f, END);
    add_func(&m, "run", add_type(&m, "", ""), &f);
    b = finish(&m);
    return write_seed(directory, "memories", &b);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    struct bytes b = sample_module();
    int failed = write_seed(argv[1], "sample", &b);
    put_preamble(&b);
    failed |= write_seed(argv[1], "empty", &b);
    MODULE_OF_BODY(&b, 0x02, 0x40, 0x03, 0x40, 0x41, 0, 0x0D, 0, 0x41, 1, 0x0E, 1, 0, 1, 0x0B, 0x0B,
                   0x0B);
    failed |= write_seed(argv[1], "branches", &b);
    MODULE_OF_BODY(&b, 0x00, 0x1B, 0x1A, 0x41, 0, 0x04, 0x7F, 0x00, 0x05, 0x41, 0, 0x0B, 0x1A,
                   0x0B);
    failed |= write_seed(argv[1], "unreachable", &b);
    MODULE_OF_BODY(&b, 0x44, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0xB6, 0xFD, 0x13, 0xFD, 0x1F, 1, 0xFC, 0,
                   0x1A, 0x0B);
    failed |= write_seed(argv[1], "numbers", &b);
    MODULE_OF_BODY(&b, 0x41, 1, 0xFD, 0x11, 0x41, 2, 0xFD, 0x11, 0x41, 3, 0xFD, 0x11, 0xFD, 0x85, 2,
                   0x41, 4, 0xFD, 0x0F, 0xFD, 0x80, 2, 0x1A, 0x0B);
    failed |= write_seed(argv[1], "relaxed", &b);
    MODULE_OF_BODY(&b, 0x42, 1, 0x42, 2, 0x42, 3, 0x42, 4, 0xFC, 19, 0xFC, 21, 0x7C, 0x1A, 0x0B);
    failed |= write_seed(argv[1], "wide", &b);
    struct module_builder m = {0};
    add_tag(&m, add_type(&m, "i", ""));
    ADD_FUNC(&m, NULL, add_type(&m, "", ""), 1, 1, EXNREF, BLOCK, I32, BLOCK, EXNREF, 0x1F, EMPTY,
             2, 0, 0, 1, 3, 0, I32_CONST, 5, 0x08, 0, END, UNREACHABLE, END, LOCAL_TEE, 0, 0x0A,
             END, DROP, END);
    b = finish(&m);
    failed |= write_seed(argv[1], "exceptions", &b);
    add_tag(&m, add_type(&m, "i", ""));
    /* try, catch with a rethrow, catch_all, and a delegate to the try block around it */
    ADD_FUNC(&m, NULL, add_type(&m, "", ""), 0, 0x06, I32, 0x06, EMPTY, I32_CONST, 5, 0x08, 0, 0x18,
             0, I32_CONST, 1, 0x07, 0, I32_CONST, 1, IF, EMPTY, 0x09, 1, END, 0x19, I32_CONST, 2,
             END, DROP, END);
    b = finish(&m);
    failed |= write_seed(argv[1], "catch-blocks", &b);
    put_preamble(&b);
    SECTION(&b, 6, 2, 0x7F, 0, 0x41, 1, 0x0B, 0x7F, 0, 0x23, 0, 0x41, 2, 0x6C, 0x0B);
    failed |= write_seed(argv[1], "constants", &b);
    put_bytes(&b, objects, sizeof objects);
    failed |= write_seed(argv[1], "objects", &b);
    failed |= write_references(argv[1]);
    failed |= write_tail_calls(argv[1]);
    failed |= write_memories(argv[1]);
    return failed;
}
