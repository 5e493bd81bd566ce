/* catnap inspect: what a module holds, without running it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "load.h"
#include "values.h"

struct inspect_settings {
    bool functions, features;
    const char *function;
};

#define FIELD(member) .offset = offsetof(struct inspect_settings, member)

static const struct option inspect_options[] = {
    {.name = "functions",
     .kind = OPTION_FLAG,
     FIELD(functions),
     .help = "list all functions with their sizes"},
    {.name = "features",
     .kind = OPTION_FLAG,
     FIELD(features),
     .help = "list the language features beyond the first version that the module needs"},
    {.name = "function",
     .kind = OPTION_STRING,
     .metavar = "INDEX|NAME",
     FIELD(function),
     .help = "show one function's WebAssembly and its register bytecode side by side"},
};

/* A module under inspection. */
struct subject {
    const struct diag *diag;
    const char *path;
    const wasm_module_t *module;
    struct bytes bytes; /* borrowed from the module */
};

static void print_name(const char *name, size_t length) {
    print_safe(stdout, name, length);
}

/* ---- Sections -------------------------------------------------------------------------------- */

static void print_sections(const struct subject *subject) {
    catnap_section_t section;
    printf("Sections:\n      offset       size  id  name\n");
    for (size_t i = 0; catnap_module_section(subject->module, i, &section); i++) {
        printf("  %#10" PRIx64 " %10" PRIu64 "  %2u  ", section.offset, section.size, section.id);
        print_name(section.name, section.name_length);
        putchar('\n');
    }
}

static void print_imports(const struct subject *subject) {
    wasm_importtype_vec_t imports;
    wasm_module_imports(subject->module, &imports);
    printf("\nImports: %zu\n", imports.size);
    for (size_t i = 0; i < imports.size; i++) {
        const wasm_name_t *module = wasm_importtype_module(imports.data[i]);
        const wasm_name_t *name = wasm_importtype_name(imports.data[i]);
        fputs("  ", stdout);
        print_name(module->data, module->size);
        putchar('.');
        print_name(name->data, name->size);
        fputs(": ", stdout);
        print_externtype(stdout, wasm_importtype_type(imports.data[i]));
        putchar('\n');
    }
    wasm_importtype_vec_delete(&imports);
}

static void print_exports(const struct subject *subject) {
    wasm_exporttype_vec_t exports;
    wasm_module_exports(subject->module, &exports);
    printf("\nExports: %zu\n", exports.size);
    for (size_t i = 0; i < exports.size; i++) {
        const wasm_name_t *name = wasm_exporttype_name(exports.data[i]);
        fputs("  ", stdout);
        print_name(name->data, name->size);
        fputs(": ", stdout);
        print_externtype(stdout, wasm_exporttype_type(exports.data[i]));
        putchar('\n');
    }
    wasm_exporttype_vec_delete(&exports);
}

/* ---- Limits ---------------------------------------------------------------------------------- */

/*
 * The library tells the types of what is imported and exported. Memories and tables that are
 * neither are read here from the bytes of their sections, which are valid by now.
 */
struct reader {
    const uint8_t *next, *end;
};

static uint64_t read_leb(struct reader *reader) {
    uint64_t value = 0;
    for (unsigned shift = 0; reader->next < reader->end && shift < 64; shift += 7) {
        uint8_t byte = *reader->next++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            break;
    }
    return value;
}

static void print_section_limits(struct reader *reader, const char *unit) {
    uint64_t flags = read_leb(reader);
    catnap_type_limits_t limits = {.has_max = flags & 1, .is_64 = flags & 4};
    limits.min = read_leb(reader);
    limits.max = limits.has_max ? read_leb(reader) : 0;
    print_limits(stdout, &limits);
    bool byte_pages = (flags & 8) && read_leb(reader) == 0;
    printf(" %s%s%s\n", unit, flags & 2 ? " shared" : "", byte_pages ? " of one byte" : "");
}

static bool find_section(const struct subject *subject, uint8_t id, struct reader *out) {
    catnap_section_t section;
    for (size_t i = 0; catnap_module_section(subject->module, i, &section); i++) {
        if (section.id != id || section.offset > subject->bytes.length ||
            section.size > subject->bytes.length - section.offset)
            continue;
        out->next = subject->bytes.data + section.offset;
        out->end = out->next + section.size;
        return true;
    }
    return false;
}

static void print_memories_and_tables(const struct subject *subject) {
    enum { TABLE_SECTION = 4, MEMORY_SECTION = 5, FUNCREF = 0x70, EXTERNREF = 0x6f };
    struct reader reader;
    if (find_section(subject, MEMORY_SECTION, &reader)) {
        uint64_t count = read_leb(&reader);
        printf("\nMemories: %" PRIu64 "\n", count);
        for (uint64_t i = 0; i < count && reader.next < reader.end; i++) {
            fputs("  ", stdout);
            print_section_limits(&reader, "pages");
        }
    }
    if (find_section(subject, TABLE_SECTION, &reader)) {
        uint64_t count = read_leb(&reader);
        printf("\nTables: %" PRIu64 "\n", count);
        for (uint64_t i = 0; i < count && reader.next < reader.end; i++) {
            uint64_t type = read_leb(&reader);
            if (type != FUNCREF && type != EXTERNREF)
                break;
            fputs("  ", stdout);
            print_section_limits(&reader, type == FUNCREF ? "funcref" : "externref");
        }
    }
}

/* ---- Functions ------------------------------------------------------------------------------- */

static void print_function_summary(const struct subject *subject) {
    catnap_module_stats_t stats;
    catnap_module_stats(subject->module, &stats);
    printf("\nFunctions: %" PRIu64 " with %" PRIu64 " bytes of code, and %" PRIu64 " imported\n",
           stats.functions, stats.code_bytes,
           catnap_module_function_count(subject->module) - stats.functions);
}

static void print_function(const struct subject *subject, uint32_t index,
                           const catnap_function_info_t *info) {
    wasm_functype_t *type = catnap_module_function_type(subject->module, index);
    printf("  %7" PRIu32 " ", index);
    if (info->imported)
        printf("%10s %8s  ", "imported", "");
    else
        printf("%#10" PRIx64 " %8" PRIu64 "  ", info->body_offset, info->body_size);
    if (info->name_length > 0)
        print_name(info->name, info->name_length);
    else
        printf("func[%" PRIu32 "]", index);
    if (type != NULL) {
        fputs(": ", stdout);
        print_functype(stdout, type);
    }
    putchar('\n');
    wasm_functype_delete(type);
}

static void print_functions(const struct subject *subject) {
    catnap_function_info_t info;
    printf("\n    index     offset     size  name: type\n");
    for (uint32_t i = 0; catnap_module_function(subject->module, i, &info); i++)
        print_function(subject, i, &info);
}

static void write_stdout(void *env, const char *text, size_t length) {
    (void)env;
    fwrite(text, 1, length, stdout);
}

/* The first function of that name, as the name section or else an export names it. */
static bool find_by_name(const struct subject *subject, const char *name, uint32_t *index) {
    catnap_function_info_t info;
    size_t length = strlen(name);
    for (uint32_t i = 0; catnap_module_function(subject->module, i, &info); i++)
        if (info.name_length == length && memcmp(info.name, name, length) == 0) {
            *index = i;
            return true;
        }
    return false;
}

static enum cli_exit disassemble(const struct subject *subject, const char *which) {
    uint64_t number;
    uint32_t index;
    catnap_function_info_t info;
    if (parse_number(which, &number) == NUMBER_OK &&
        number < catnap_module_function_count(subject->module))
        index = (uint32_t)number;
    else if (!find_by_name(subject, which, &index))
        return diag_fail(subject->diag, CLI_EXIT_USAGE, display_name(subject->path),
                         "there is no function '%s' among %zu", which,
                         catnap_module_function_count(subject->module));
    if (catnap_module_function(subject->module, index, &info) && info.imported)
        return diag_fail(subject->diag, CLI_EXIT_USAGE, display_name(subject->path),
                         "function %" PRIu32 " is imported", index);
    catnap_error_t *error = catnap_module_disassemble(subject->module, index, write_stdout, NULL);
    return error == NULL ? CLI_EXIT_OK
                         : diag_error(subject->diag, display_name(subject->path), error);
}

/* ---- Features -------------------------------------------------------------------------------- */

static enum cli_exit print_features(const struct subject *subject) {
    catnap_features_t needed;
    catnap_error_t *error = catnap_module_features(subject->module, &needed);
    if (error != NULL)
        return diag_error(subject->diag, display_name(subject->path), error);
    for (catnap_features_t feature = 1; feature != 0; feature <<= 1)
        if (needed & feature)
            puts(catnap_feature_name(feature));
    return CLI_EXIT_OK;
}

/* With all features, so that a module can be looked at, whatever it needs. */
static wasm_engine_t *make_engine(void) {
    wasm_config_t *config = wasm_config_new();
    if (config != NULL)
        catnap_config_set_features(config, CATNAP_FEATURES_ALL);
    return wasm_engine_new_with_config(config);
}

/* ---- The command ----------------------------------------------------------------------------- */

static enum cli_exit inspect_module(const struct subject *subject,
                                    const struct inspect_settings *settings) {
    if (settings->function != NULL)
        return disassemble(subject, settings->function);
    if (settings->features)
        return print_features(subject);
    print_path(stdout, display_name(subject->path));
    printf(": WebAssembly module, %zu bytes\n\n", subject->bytes.length);
    print_sections(subject);
    print_imports(subject);
    print_exports(subject);
    print_memories_and_tables(subject);
    print_function_summary(subject);
    if (settings->functions)
        print_functions(subject);
    return CLI_EXIT_OK;
}

static enum cli_exit inspect_file(const struct diag *diag, const char *path,
                                  const struct inspect_settings *settings) {
    struct subject subject = {.diag = diag, .path = path};
    enum cli_exit code = CLI_EXIT_NO_MEMORY;
    wasm_module_t *module = NULL;
    wasm_engine_t *engine = make_engine();
    wasm_store_t *store = engine != NULL ? wasm_store_new(engine) : NULL;
    if (store != NULL)
        code = load_module(diag, store, NULL, path, &module, &subject.bytes);
    else
        diag_no_memory(diag);
    subject.module = module;
    if (code == CLI_EXIT_OK)
        code = inspect_module(&subject, settings);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return code;
}

static enum cli_exit inspect_main(const struct command *self, struct diag *diag, int argc,
                                  char **argv) {
    struct inspect_settings settings = {0};
    int operands;
    enum parse_result parsed = options_parse(self, diag, argc, argv, &settings, &operands);
    if (parsed != PARSE_OK)
        return parsed == PARSE_DONE ? CLI_EXIT_OK : CLI_EXIT_USAGE;
    if (operands != 1)
        return diag_fail(diag, CLI_EXIT_USAGE, NULL, "inspect: expected one file, not %d",
                         operands);
    return inspect_file(diag, argv[0], &settings);
}

const struct command command_inspect = {
    .name = "inspect",
    .operands = "FILE",
    .summary = "show the contents of a module",
    .help = "Shows sections, imports, exports, memories, tables and functions.\n",
    .options = inspect_options,
    .option_count = sizeof(inspect_options) / sizeof(*inspect_options),
    .complete = COMPLETE_FILES,
    .main = inspect_main,
};
