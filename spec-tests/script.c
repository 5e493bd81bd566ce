#include "script.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catnap.h"

/* Everything that a script consists of is allocated in blocks that are freed together. */
struct spec_block {
    struct spec_block *next;
    max_align_t data[];
};

typedef struct reader {
    spec_script_t *script;
    uint32_t line; /* of the command being read */
    char *error;
    size_t error_size;
} reader_t;

bool spec_text_equal(spec_text_t a, spec_text_t b) {
    return a.size == b.size &&
           (a.size == 0 || (a.data && b.data && memcmp(a.data, b.data, a.size) == 0));
}

static bool is(spec_text_t text, const char *word) {
    return spec_text_equal(text, (spec_text_t){word, strlen(word)});
}

static bool refuse(reader_t *r, const char *what) {
    snprintf(r->error, r->error_size, "line %u of the script: %s", (unsigned)r->line, what);
    return false;
}

static void *allocate(reader_t *r, size_t count, size_t size) {
    struct spec_block *block = NULL;
    if (count <= (SIZE_MAX - sizeof *block) / size) {
        block = calloc(1, sizeof *block + count * size);
    }
    if (!block) {
        refuse(r, "out of memory");
        return NULL;
    }
    block->next = r->script->blocks;
    r->script->blocks = block;
    return block->data;
}

static spec_text_t text_of(json_object *value) {
    if (!json_object_is_type(value, json_type_string)) {
        return (spec_text_t){NULL, 0};
    }
    return (spec_text_t){json_object_get_string(value), (size_t)json_object_get_string_len(value)};
}

static json_object *member(json_object *object, const char *key) {
    json_object *value = NULL;
    return json_object_object_get_ex(object, key, &value) ? value : NULL;
}

static spec_text_t text_member(json_object *object, const char *key) {
    return text_of(member(object, key));
}

static size_t length_of(json_object *array) {
    return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

/* ---- Values ---------------------------------------------------------------------------------- */

/* Shapes of vectors; of i32 and so on, a number is one lane. */
static const struct lane_type {
    const char *name;
    uint8_t bits;
    bool is_float;
    uint8_t kind; /* of the number of that type, where there is one */
} lane_types[] = {
    {"i8", 8, false, SPEC_KIND_OTHER}, {"i16", 16, false, SPEC_KIND_OTHER},
    {"i32", 32, false, WASM_I32},      {"i64", 64, false, WASM_I64},
    {"f32", 32, true, WASM_F32},       {"f64", 64, true, WASM_F64},
};

static const struct ref_type {
    const char *name;
    uint8_t kind;
    spec_ref_rule_t bare; /* what the type stands for when no value is given */
} ref_types[] = {
    {"externref", WASM_EXTERNREF, SPEC_REF_SOME},     {"funcref", WASM_FUNCREF, SPEC_REF_SOME},
    {"anyref", CATNAP_ANYREF, SPEC_REF_SOME},         {"eqref", CATNAP_ANYREF, SPEC_REF_SOME},
    {"i31ref", CATNAP_ANYREF, SPEC_REF_SOME},         {"structref", CATNAP_ANYREF, SPEC_REF_SOME},
    {"arrayref", CATNAP_ANYREF, SPEC_REF_SOME},       {"exnref", CATNAP_EXNREF, SPEC_REF_SOME},
    {"nullexternref", WASM_EXTERNREF, SPEC_REF_NULL}, {"nullfuncref", WASM_FUNCREF, SPEC_REF_NULL},
    {"nullref", CATNAP_ANYREF, SPEC_REF_NULL},        {"nullexnref", CATNAP_EXNREF, SPEC_REF_NULL},
    {"refnull", CATNAP_ANYREF, SPEC_REF_NULL},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct lane_type *find_lane_type(spec_text_t name) {
    for (size_t i = 0; i < COUNT(lane_types); i++) {
        if (is(name, lane_types[i].name)) {
            return &lane_types[i];
        }
    }
    return NULL;
}

/* Decimal, signed (json-from-wast) or unsigned (wast2json), of at most `bits` bits. */
static bool read_number(spec_text_t text, unsigned bits, uint64_t *out) {
    char digits[24];
    if (!text.data || text.size == 0 || text.size >= sizeof digits ||
        memchr(text.data, 0, text.size)) {
        return false;
    }
    memcpy(digits, text.data, text.size);
    digits[text.size] = 0;
    bool negative = digits[0] == '-';
    char *end;
    errno = 0;
    uint64_t magnitude = strtoull(digits + negative, &end, 10);
    if (errno || *end || digits[negative] < '0' || digits[negative] > '9') {
        return false;
    }
    uint64_t largest = UINT64_MAX >> (64 - bits);
    if (magnitude > (negative ? largest / 2 + 1 : largest)) {
        return false;
    }
    *out = (negative ? 0 - magnitude : magnitude) & largest;
    return true;
}

static bool read_lane(reader_t *r, spec_text_t text, spec_value_t *value, size_t lane) {
    value->lane_rule[lane] = SPEC_LANE_BITS;
    if (value->lane_is_float && is(text, "nan:canonical")) {
        value->lane_rule[lane] = SPEC_LANE_NAN_CANONICAL;
    } else if (value->lane_is_float && is(text, "nan:arithmetic")) {
        value->lane_rule[lane] = SPEC_LANE_NAN_ARITHMETIC;
    } else if (!read_number(text, value->lane_bits, &value->lane[lane])) {
        return refuse(r, "a number does not fit its type");
    }
    return true;
}

static void set_lanes(spec_value_t *value, const struct lane_type *type, uint8_t kind,
                      size_t count) {
    value->kind = kind;
    value->lane_count = (uint8_t)count;
    value->lane_bits = type->bits;
    value->lane_is_float = type->is_float;
}

static bool read_vector(reader_t *r, json_object *object, spec_value_t *value) {
    const struct lane_type *type = find_lane_type(text_member(object, "lane_type"));
    json_object *lanes = member(object, "value");
    if (!type || length_of(lanes) != 128u / type->bits) {
        return refuse(r, "a v128 has not the lanes that its lane type says");
    }
    set_lanes(value, type, WASM_V128, length_of(lanes));
    for (size_t i = 0; i < value->lane_count; i++) {
        if (!read_lane(r, text_of(json_object_array_get_idx(lanes, i)), value, i)) {
            return false;
        }
    }
    return true;
}

static bool read_reference(reader_t *r, spec_text_t text, spec_value_t *value) {
    for (size_t i = 0; i < COUNT(ref_types); i++) {
        if (!is(value->type_name, ref_types[i].name)) {
            continue;
        }
        uint64_t number = 0;
        value->is_ref = true;
        value->kind = ref_types[i].kind;
        if (!text.data) {
            value->ref_rule = ref_types[i].bare;
        } else if (is(text, "null")) {
            value->ref_rule = SPEC_REF_NULL;
        } else if (read_number(text, 32, &number)) {
            value->ref_rule = SPEC_REF_HOST;
            value->host_ref = (uint32_t)number;
        } else {
            return refuse(r, "a reference is neither null nor a number");
        }
        return true;
    }
    return refuse(r, "a value is of an unknown type");
}

/* `nan` is what a float without a value stands for, as in wabt's assert_return_canonical_nan. */
static bool read_value(reader_t *r, json_object *object, spec_lane_rule_t nan,
                       spec_value_t *value) {
    spec_text_t text = text_member(object, "value");
    value->type_name = text_member(object, "type");
    if (is(value->type_name, "v128")) {
        return read_vector(r, object, value);
    }
    const struct lane_type *type = find_lane_type(value->type_name);
    if (!type || type->kind == SPEC_KIND_OTHER) {
        return read_reference(r, text, value);
    }
    set_lanes(value, type, type->kind, 1);
    if (!text.data && type->is_float && nan != SPEC_LANE_BITS) {
        value->lane_rule[0] = (uint8_t)nan;
        return true;
    }
    return read_lane(r, text, value, 0);
}

static bool read_values(reader_t *r, json_object *array, spec_lane_rule_t nan,
                        const spec_value_t **out, size_t *count) {
    size_t n = length_of(array);
    spec_value_t *values = allocate(r, n, sizeof *values);
    if (!values) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!read_value(r, json_object_array_get_idx(array, i), nan, &values[i])) {
            return false;
        }
    }
    *out = values;
    *count = n;
    return true;
}

/* ---- Commands -------------------------------------------------------------------------------- */

enum { HAS_FILE = 1, HAS_ACTION = 2, HAS_RESULTS = 4, HAS_COMMANDS = 8 };

static const struct command_type {
    const char *name;
    spec_command_type_t type;
    unsigned parts;
    spec_lane_rule_t nan;
} command_types[] = {
    {"module", SPEC_MODULE, HAS_FILE, SPEC_LANE_BITS},
    {"module_definition", SPEC_MODULE_DEFINITION, HAS_FILE, SPEC_LANE_BITS},
    {"module_instance", SPEC_MODULE_INSTANCE, 0, SPEC_LANE_BITS},
    {"register", SPEC_REGISTER, 0, SPEC_LANE_BITS},
    {"thread", SPEC_THREAD, HAS_COMMANDS, SPEC_LANE_BITS},
    {"wait", SPEC_WAIT, 0, SPEC_LANE_BITS},
    {"action", SPEC_ACTION, HAS_ACTION, SPEC_LANE_BITS},
    {"assert_return", SPEC_ASSERT_RETURN, HAS_ACTION | HAS_RESULTS, SPEC_LANE_BITS},
    {"assert_return_canonical_nan", SPEC_ASSERT_RETURN, HAS_ACTION | HAS_RESULTS,
     SPEC_LANE_NAN_CANONICAL},
    {"assert_return_arithmetic_nan", SPEC_ASSERT_RETURN, HAS_ACTION | HAS_RESULTS,
     SPEC_LANE_NAN_ARITHMETIC},
    {"assert_trap", SPEC_ASSERT_TRAP, HAS_ACTION, SPEC_LANE_BITS},
    {"assert_exhaustion", SPEC_ASSERT_EXHAUSTION, HAS_ACTION, SPEC_LANE_BITS},
    {"assert_exception", SPEC_ASSERT_EXCEPTION, HAS_ACTION, SPEC_LANE_BITS},
    {"assert_invalid", SPEC_ASSERT_INVALID, HAS_FILE, SPEC_LANE_BITS},
    {"assert_malformed", SPEC_ASSERT_MALFORMED, HAS_FILE, SPEC_LANE_BITS},
    {"assert_unlinkable", SPEC_ASSERT_UNLINKABLE, HAS_FILE, SPEC_LANE_BITS},
    {"assert_uninstantiable", SPEC_ASSERT_UNINSTANTIABLE, HAS_FILE, SPEC_LANE_BITS},
    {"assert_invalid_custom", SPEC_ASSERT_INVALID_CUSTOM, HAS_FILE, SPEC_LANE_BITS},
    {"assert_malformed_custom", SPEC_ASSERT_MALFORMED_CUSTOM, HAS_FILE, SPEC_LANE_BITS},
};

/* json-from-wast gives each module file a type, wast2json does so in assertions only. */
static bool read_file(reader_t *r, json_object *object, spec_command_t *command) {
    r->script->by_wast2json |= !member(object, "module_type");
    bool is_text = is(text_member(object, "module_type"), "text");
    command->file = text_member(object, is_text ? "binary_filename" : "filename");
    command->text_file = text_member(object, is_text ? "filename" : "");
    return command->file.data || command->text_file.data ? true : refuse(r, "a module has no file");
}

static bool read_action(reader_t *r, json_object *object, spec_action_t *action) {
    spec_text_t type = text_member(object, "type");
    action->is_get = is(type, "get");
    action->module = text_member(object, "module");
    action->field = text_member(object, "field");
    if (!action->field.data || (!action->is_get && !is(type, "invoke"))) {
        return refuse(r, "an action is neither an invocation nor a get");
    }
    return read_values(r, member(object, "args"), SPEC_LANE_BITS, &action->args,
                       &action->arg_count);
}

/* json-from-wast has alternatives inside a result: {"type":"either","values":[...]}. */
static bool read_result(reader_t *r, json_object *object, spec_lane_rule_t nan,
                        spec_expected_t *expected) {
    if (is(text_member(object, "type"), "either")) {
        return read_values(r, member(object, "values"), nan, &expected->any_of, &expected->count);
    }
    spec_value_t *value = allocate(r, 1, sizeof *value);
    if (!value) {
        return false;
    }
    *expected = (spec_expected_t){value, 1};
    return read_value(r, object, nan, value);
}

static bool read_results(reader_t *r, json_object *object, spec_lane_rule_t nan,
                         spec_command_t *command) {
    json_object *results = member(object, "expected");
    json_object *either = member(object, "either"); /* wast2json: alternatives for the one result */
    size_t count = either ? 1 : length_of(results);
    spec_expected_t *expected = allocate(r, count, sizeof *expected);
    if (!expected) {
        return false;
    }
    command->expected = expected;
    command->expected_count = count;
    if (either) {
        return read_values(r, either, nan, &expected->any_of, &expected->count);
    }
    for (size_t i = 0; i < count; i++) {
        if (!read_result(r, json_object_array_get_idx(results, i), nan, &expected[i])) {
            return false;
        }
    }
    return true;
}

static bool read_commands(reader_t *r, json_object *list, spec_command_t **commands, size_t *count);

static bool read_command(reader_t *r, json_object *object, spec_command_t *command) {
    static const struct command_type unknown = {"", SPEC_UNKNOWN, 0, SPEC_LANE_BITS};
    const struct command_type *type = &unknown;
    command->type_name = text_member(object, "type");
    for (size_t i = 0; i < COUNT(command_types); i++) {
        if (is(command->type_name, command_types[i].name)) {
            type = &command_types[i];
        }
    }
    int64_t line = json_object_get_int64(member(object, "line"));
    r->line = command->line = line > 0 && line <= UINT32_MAX ? (uint32_t)line : 0;
    command->type = type->type;
    command->name = text_member(object, "name");
    command->as = text_member(object, "as");
    command->instance = text_member(object, "instance");
    command->module = text_member(object, "module");
    command->text = text_member(object, "text");
    command->thread = text_member(object, "thread");
    command->shared_module = text_member(object, "shared_module");
    return (!(type->parts & HAS_COMMANDS) ||
            read_commands(r, member(object, "commands"), &command->commands,
                          &command->command_count)) &&
           (!(type->parts & HAS_FILE) || read_file(r, object, command)) &&
           (!(type->parts & HAS_ACTION) ||
            read_action(r, member(object, "action"), &command->action)) &&
           (!(type->parts & HAS_RESULTS) || read_results(r, object, type->nan, command));
}

static bool read_commands(reader_t *r, json_object *list, spec_command_t **commands,
                          size_t *count) {
    *commands = allocate(r, length_of(list), sizeof **commands);
    if (!*commands) {
        return false;
    }
    for (size_t i = 0; i < length_of(list); i++) {
        if (!read_command(r, json_object_array_get_idx(list, i), &(*commands)[i])) {
            return false;
        }
        ++*count;
    }
    return true;
}

/* ---- Scripts --------------------------------------------------------------------------------- */

/* wast2json leaves out the commas between expected results: they are put where one object follows
 * another, which is no JSON otherwise. NULL when memory runs out. */
static char *with_commas(const char *json, size_t *size) {
    char *out = malloc(*size + *size / 2 + 1);
    bool in_string = false;
    char last = 0; /* outside of strings and blanks */
    size_t used = 0;
    for (size_t i = 0; out && i < *size; i++) {
        char c = json[i];
        if (!in_string && c == '{' && last == '}') {
            out[used++] = ',';
        }
        if (in_string && c == '\\' && i + 1 < *size) {
            out[used++] = c;
            c = json[++i];
        } else if (c == '"') {
            in_string = !in_string;
        }
        out[used++] = c;
        last = in_string || strchr(" \t\r\n", c) ? last : c;
    }
    *size = used;
    return out;
}

static json_object *parse(const char *text, size_t size, char *error, size_t error_size) {
    json_object *root = NULL;
    char *json = size <= INT_MAX / 2 ? with_commas(text, &size) : NULL;
    json_tokener *tokener = json ? json_tokener_new() : NULL;
    if (!tokener) {
        free(json);
        snprintf(error, error_size, "the script is too long");
        return NULL;
    }
    root = json_tokener_parse_ex(tokener, json, (int)size);
    free(json);
    if (!root) {
        snprintf(error, error_size, "not JSON at byte %zu: %s", json_tokener_get_parse_end(tokener),
                 json_tokener_error_desc(json_tokener_get_error(tokener)));
    }
    json_tokener_free(tokener);
    return root;
}

bool spec_script_read(spec_script_t *script, const char *json, size_t size, char *error,
                      size_t error_size) {
    reader_t r = {script, 0, error, error_size};
    *script = (spec_script_t){.count = 0};
    script->root = parse(json, size, error, error_size);
    if (!script->root) {
        return false;
    }
    json_object *commands = member(script->root, "commands");
    if (!json_object_is_type(commands, json_type_array)) {
        return refuse(&r, "there is no list of commands");
    }
    script->source = text_member(script->root, "source_filename");
    return read_commands(&r, commands, &script->commands, &script->count);
}

void spec_script_free(spec_script_t *script) {
    while (script->blocks) {
        struct spec_block *next = script->blocks->next;
        free(script->blocks);
        script->blocks = next;
    }
    json_object_put(script->root);
    *script = (spec_script_t){.count = 0};
}
