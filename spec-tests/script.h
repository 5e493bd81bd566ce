/*
 * A script of the official test suite, as plain data. It is read from the JSON that wasm-tools'
 * json-from-wast or wabt's wast2json makes of a .wast file; past reading, the two are the same.
 */
#ifndef SPEC_SCRIPT_H
#define SPEC_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Names may hold any character, NUL included. `data` is NULL where the script has nothing. */
typedef struct spec_text {
    const char *data;
    size_t size;
} spec_text_t;

bool spec_text_equal(spec_text_t a, spec_text_t b);

typedef enum spec_lane_rule {
    SPEC_LANE_BITS,
    SPEC_LANE_NAN_CANONICAL,  /* the payload is just the top bit, either sign */
    SPEC_LANE_NAN_ARITHMETIC, /* the payload has the top bit, either sign */
} spec_lane_rule_t;

typedef enum spec_ref_rule {
    SPEC_REF_NULL,
    SPEC_REF_HOST, /* the host reference of a number */
    SPEC_REF_SOME, /* anything but null */
} spec_ref_rule_t;

/* Stands for a reference type that the C API has no kind for. */
#define SPEC_KIND_OTHER 255

#define SPEC_MAX_LANES 16

/* An argument, or what a result must be like. A number is a vector of one lane. */
typedef struct spec_value {
    spec_text_t type_name; /* as the script spells it */
    uint8_t kind;          /* a wasm_valkind_t or SPEC_KIND_OTHER */
    bool is_ref;
    uint8_t ref_rule; /* a spec_ref_rule_t */
    uint32_t host_ref;
    uint8_t lane_count;
    uint8_t lane_bits;
    bool lane_is_float;
    uint8_t lane_rule[SPEC_MAX_LANES]; /* a spec_lane_rule_t each */
    uint64_t lane[SPEC_MAX_LANES];
} spec_value_t;

/* A result is right when it matches any one of these. */
typedef struct spec_expected {
    const spec_value_t *any_of;
    size_t count;
} spec_expected_t;

typedef struct spec_action {
    bool is_get; /* reads an exported global instead of calling a function */
    spec_text_t module;
    spec_text_t field;
    const spec_value_t *args;
    size_t arg_count;
} spec_action_t;

typedef enum spec_command_type {
    SPEC_MODULE,
    SPEC_MODULE_DEFINITION,
    SPEC_MODULE_INSTANCE,
    SPEC_REGISTER,
    SPEC_ACTION,
    SPEC_ASSERT_RETURN,
    SPEC_ASSERT_TRAP,
    SPEC_ASSERT_EXHAUSTION,
    SPEC_ASSERT_EXCEPTION,
    SPEC_ASSERT_INVALID,
    SPEC_ASSERT_MALFORMED,
    SPEC_ASSERT_UNLINKABLE,
    SPEC_ASSERT_UNINSTANTIABLE,
    SPEC_ASSERT_MALFORMED_CUSTOM, /* about a custom section or an annotation */
    SPEC_ASSERT_INVALID_CUSTOM,
    SPEC_THREAD, /* begins a thread that executes commands of its own */
    SPEC_WAIT,   /* until it has */
    SPEC_UNKNOWN,
    SPEC_COMMAND_TYPES
} spec_command_type_t;

typedef struct spec_command {
    spec_command_type_t type;
    spec_text_t type_name;
    uint32_t line;
    spec_text_t name;      /* module, module_definition, register: an instance or a definition */
    spec_text_t as;        /* register */
    spec_text_t instance;  /* module_instance */
    spec_text_t module;    /* module_instance: the definition */
    spec_text_t file;      /* the binary module; without data when there is only text */
    spec_text_t text_file; /* the module in the text format */
    spec_text_t text;      /* the reference interpreter's message */
    spec_action_t action;
    const spec_expected_t *expected;
    size_t expected_count;
    spec_text_t thread; /* wait */
    spec_text_t
        shared_module; /* thread: the instance whose shared memories it knows, by this name */
    struct spec_command *commands;
    size_t command_count;
} spec_command_t;

typedef struct spec_script {
    spec_text_t source; /* the name of the .wast file */
    bool by_wast2json;  /* which encodes a few invalid modules as malformed ones */
    spec_command_t *commands;
    size_t count;
    struct json_object *root; /* the texts point into it */
    struct spec_block *blocks;
} spec_script_t;

/* Reads a script. False, with a line of text in `error`, when it is not one or memory runs out;
 * `script` is to be freed either way. */
bool spec_script_read(spec_script_t *script, const char *json, size_t size, char *error,
                      size_t error_size);
void spec_script_free(spec_script_t *script);

#endif
