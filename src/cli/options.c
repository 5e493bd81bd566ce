#include "options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "catnap.h"
#include "help.h"

#define NANOSECONDS_PER_SECOND UINT64_C(1000000000)
/* A misspelling is at most this many edits away from what was meant. */
#define CLOSE_ENOUGH 2
#define LONGEST_NAME 40

const struct option common_options[] = {
    {.name = "json",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct common_settings, json),
     .help = "write diagnostics to standard error as JSON, one object a line"},
    {.name = "help",
     .letter = 'h',
     .kind = OPTION_FLAG,
     .offset = offsetof(struct common_settings, help),
     .help = "show this help"},
    {.name = "version",
     .letter = 'V',
     .kind = OPTION_FLAG,
     .offset = offsetof(struct common_settings, version)}, /* of the command as a whole */
};
const size_t common_option_count = sizeof(common_options) / sizeof(*common_options);

void option_list_free(struct option_list *list) {
    free(list->items);
    *list = (struct option_list){0};
}

/* ---- Misspellings ---------------------------------------------------------------------------- */

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* The number of single-character edits between two names. */
static size_t edit_distance(const char *a, const char *b) {
    size_t length_a = strlen(a), length_b = strlen(b);
    size_t row[LONGEST_NAME + 1];
    if (length_a > LONGEST_NAME || length_b > LONGEST_NAME)
        return SIZE_MAX;
    for (size_t j = 0; j <= length_b; j++)
        row[j] = j;
    for (size_t i = 1; i <= length_a; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length_b; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = smaller(change, smaller(row[j], row[j - 1]) + 1);
        }
    }
    return row[length_b];
}

const char *closest_name(const char *misspelt, const char *const *names) {
    const char *closest = NULL;
    size_t best = CLOSE_ENOUGH + 1;
    for (; *names != NULL; names++) {
        size_t distance = edit_distance(misspelt, *names);
        if (distance < best && distance < strlen(*names)) {
            best = distance;
            closest = *names;
        }
    }
    return closest;
}

static void hint_help(const struct diag *diag, const struct command *command) {
    diag_hint(diag, "Try 'catnap help %s'.", command->name);
}

/* ---- Arguments of options -------------------------------------------------------------------- */

/* Reads digits only, unlike strtoull(), which takes blanks and signs. Stops behind the digits even
 * when their number is too large, so that what follows can be looked at. */
static enum number_result parse_digits(const char **text, uint64_t *out) {
    const char *s = *text;
    bool overflow = false;
    uint64_t value = 0;
    if (*s < '0' || *s > '9')
        return NUMBER_MALFORMED;
    for (; *s >= '0' && *s <= '9'; s++)
        overflow = overflow || __builtin_mul_overflow(value, UINT64_C(10), &value) ||
                   __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value);
    *text = s;
    *out = value;
    return overflow ? NUMBER_TOO_LARGE : NUMBER_OK;
}

enum number_result parse_number(const char *text, uint64_t *out) {
    enum number_result result = parse_digits(&text, out);
    return *text == '\0' ? result : NUMBER_MALFORMED;
}

static enum number_result parse_size(const char *text, uint64_t *out) {
    static const char units[] = "KMGT";
    uint64_t factor = 1;
    enum number_result result = parse_digits(&text, out);
    if (result != NUMBER_MALFORMED && *text != '\0') {
        const char *unit = strchr(units, *text & ~0x20);
        if (unit == NULL || *unit == '\0')
            return NUMBER_MALFORMED;
        factor = UINT64_C(1) << (10 * (unit - units + 1));
        text++;
        if (text[0] != '\0' && strcmp(text, "iB") != 0 && strcmp(text, "B") != 0)
            return NUMBER_MALFORMED;
    }
    if (result == NUMBER_OK && __builtin_mul_overflow(*out, factor, out))
        result = NUMBER_TOO_LARGE;
    return result;
}

static enum number_result parse_duration(const char *text, uint64_t *nanoseconds) {
    static const struct {
        const char *unit;
        uint64_t nanoseconds;
    } units[] = {{"", NANOSECONDS_PER_SECOND},
                 {"s", NANOSECONDS_PER_SECOND},
                 {"ms", 1000000},
                 {"us", 1000},
                 {"ns", 1},
                 {"m", 60 * NANOSECONDS_PER_SECOND},
                 {"h", 3600 * NANOSECONDS_PER_SECOND}};
    uint64_t whole, factor = 0, fraction = 0;
    enum number_result result = parse_digits(&text, &whole);
    if (result == NUMBER_MALFORMED)
        return result;
    const char *digits = *text == '.' ? ++text : NULL;
    while (*text >= '0' && *text <= '9')
        text++;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
        if (strcmp(text, units[i].unit) == 0)
            factor = units[i].nanoseconds;
    if (factor == 0 || digits == text)
        return NUMBER_MALFORMED;
    for (uint64_t scale = factor / 10; digits != NULL && digits < text; scale /= 10)
        fraction += scale * (uint64_t)(*digits++ - '0');
    if (result == NUMBER_OK && (__builtin_mul_overflow(whole, factor, &whole) ||
                                __builtin_add_overflow(whole, fraction, nanoseconds)))
        result = NUMBER_TOO_LARGE;
    return result;
}

static const struct feature_preset {
    const char *name;
    catnap_features_t features;
} feature_presets[] = {
    {"1.0", CATNAP_FEATURES_WASM1},
    {"2.0", CATNAP_FEATURES_WASM2},
    {"3.0", CATNAP_FEATURES_WASM3},
    {"all", CATNAP_FEATURES_ALL},
};

static bool is_word(const char *name, const char *word, size_t length) {
    return name != NULL && strlen(name) == length && memcmp(name, word, length) == 0;
}

/* The feature of this name, or 0. */
static catnap_features_t find_feature(const char *word, size_t length) {
    for (catnap_features_t feature = 1; feature != 0; feature <<= 1)
        if ((CATNAP_FEATURES_ALL & feature) && is_word(catnap_feature_name(feature), word, length))
            return feature;
    return 0;
}

/* Changes the features as one item says: a version has just its own, a name adds, a name behind a dash takes away. */
static bool apply_feature(const char *word, size_t length, catnap_features_t *features) {
    for (size_t i = 0; i < sizeof(feature_presets) / sizeof(*feature_presets); i++)
        if (is_word(feature_presets[i].name, word, length)) {
            *features = feature_presets[i].features;
            return true;
        }
    bool remove = length > 0 && *word == '-';
    catnap_features_t feature = find_feature(word + remove, length - remove);
    *features = remove ? *features & ~feature : *features | feature;
    return feature != 0;
}

/* The first item that is no feature's, or NULL. */
static const char *parse_features(const char *list, struct option_number *out) {
    catnap_features_t features = out->given ? out->value : CATNAP_FEATURES_DEFAULT;
    for (const char *word = list;; word++) {
        size_t length = strcspn(word, ",");
        if (!apply_feature(word, length, &features))
            return word;
        word += length;
        if (*word == '\0')
            break;
    }
    *out = (struct option_number){.given = true, .value = features};
    return NULL;
}

/* The index of a word in a list separated by spaces, counted from 1, or 0. */
static int find_word(const char *words, const char *word) {
    size_t length = strlen(word);
    for (int index = 1; *words != '\0'; index++) {
        size_t n = strcspn(words, " ");
        if (n == length && memcmp(words, word, n) == 0)
            return index;
        words += n + (words[n] != '\0');
    }
    return 0;
}

static bool option_list_add(struct option_list *list, const struct option *option,
                            const char *value) {
    struct option_list_item *items =
        reallocarray(list->items, list->count + 1, sizeof(*list->items));
    if (items == NULL)
        return false;
    items[list->count++] = (struct option_list_item){option, value};
    list->items = items;
    return true;
}

/* The complaint about a number, or NULL. */
static const char too_large[] = "is too large";

static const char *number_complaint(enum number_result result, const char *expected) {
    return result == NUMBER_OK ? NULL : result == NUMBER_TOO_LARGE ? too_large : expected;
}

/* Stores an argument; a complaint that bad_argument() tells, or NULL. */
static const char *set_option(const struct option *option, const char *value, void *settings) {
    void *field = (char *)settings + option->offset;
    struct option_number *number = field;
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return NULL;
    case OPTION_NUMBER:
        number->given = true;
        return number_complaint(parse_number(value, &number->value), "expected a whole number");
    case OPTION_SIZE:
        number->given = true;
        return number_complaint(parse_size(value, &number->value),
                                "expected a number of bytes, such as 65536, 64K, 16M or 2G");
    case OPTION_DURATION:
        number->given = true;
        return number_complaint(parse_duration(value, &number->value),
                                "expected a time, such as 2s, 1.5s, 500ms or 1m");
    case OPTION_FEATURES:
        return parse_features(value, number);
    case OPTION_STRING:
        *(const char **)field = value;
        return NULL;
    case OPTION_CHOICE:
        *(int *)field = value == NULL ? 1 : find_word(option->words, value);
        return *(int *)field != 0 ? NULL : option->words;
    case OPTION_LIST:
        return option_list_add(field, option, value) ? NULL : "out of memory";
    }
    return "internal error";
}

/* ---- The parser ------------------------------------------------------------------------------ */

struct parser {
    const struct command *command;
    const struct diag *diag;
    void *settings;
    struct common_settings common;
    char **argv;
    int argc, next;
};

/* Finds an option by name (of `length` bytes) or, when name is NULL, by letter. */
static const struct option *find_option(const struct option *table, size_t count, const char *name,
                                        size_t length, char letter) {
    for (size_t i = 0; i < count; i++)
        if (name != NULL
                ? strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0
                : table[i].letter == letter)
            return &table[i];
    return NULL;
}

static enum parse_result unknown_option(const struct parser *p, const char *argument) {
    const char *names[64];
    size_t count = 0;
    char name[LONGEST_NAME + 1] = "";
    for (size_t i = 0; i < p->command->option_count && count < 60; i++)
        names[count++] = p->command->options[i].name;
    for (size_t i = 0; i < common_option_count && count < 63; i++)
        names[count++] = common_options[i].name;
    names[count] = NULL;
    size_t length = strcspn(argument, "=");
    diag_fail(p->diag, CLI_EXIT_USAGE, NULL, "unknown option '%.*s'", (int)length, argument);
    if (strncmp(argument, "--", 2) == 0 && length - 2 <= LONGEST_NAME) {
        memcpy(name, argument + 2, length - 2);
        const char *meant = closest_name(name, names);
        if (meant != NULL) {
            diag_hint(p->diag, "Did you mean '--%s'?", meant);
            return PARSE_ERROR;
        }
    }
    hint_help(p->diag, p->command);
    return PARSE_ERROR;
}

static void hint_feature(const struct diag *diag, const char *word, size_t length) {
    const char *names[64] = {NULL};
    char name[LONGEST_NAME + 1] = "";
    size_t count = 0;
    for (catnap_features_t feature = 1; feature != 0; feature <<= 1)
        if (CATNAP_FEATURES_ALL & feature)
            names[count++] = catnap_feature_name(feature);
    if (length > 0 && *word == '-') {
        word++;
        length--;
    }
    memcpy(name, word, smaller(length, LONGEST_NAME));
    const char *meant = closest_name(name, names);
    if (meant != NULL)
        diag_hint(diag, "Did you mean '%s'?", meant);
    else
        diag_hint(diag,
                  "Features are 1.0, 2.0, 3.0, all and the names that 'catnap --version' lists.");
}

static enum parse_result bad_feature(const struct parser *p, const struct option *option,
                                     const char *word) {
    size_t length = strcspn(word, ",");
    diag_fail(p->diag, CLI_EXIT_USAGE, NULL, "--%s: there is no feature '%.*s'", option->name,
              (int)length, word);
    hint_feature(p->diag, word, length);
    return PARSE_ERROR;
}

static enum parse_result bad_argument(const struct parser *p, const struct option *option,
                                      const char *value, const char *complaint) {
    if (option->kind == OPTION_FEATURES)
        return bad_feature(p, option, complaint);
    if (option->kind == OPTION_CHOICE)
        diag_fail(p->diag, CLI_EXIT_USAGE, NULL, "--%s: '%s' is none of: %s", option->name, value,
                  complaint);
    else if (complaint == too_large)
        diag_fail(p->diag, CLI_EXIT_USAGE, NULL, "--%s: '%s' %s", option->name, value, complaint);
    else
        diag_fail(p->diag, CLI_EXIT_USAGE, NULL, "--%s: %s, not '%s'", option->name, complaint,
                  value);
    return PARSE_ERROR;
}

/* Takes an option's argument from behind `=` or from the next word, and stores it. */
static enum parse_result take_option(struct parser *p, const struct option *option, bool common,
                                     const char *value) {
    if (option->kind == OPTION_FLAG && value != NULL) {
        diag_fail(p->diag, CLI_EXIT_USAGE, NULL, "--%s takes no argument", option->name);
        return PARSE_ERROR;
    }
    if (option->kind != OPTION_FLAG && value == NULL && !option->argument_optional) {
        if (p->next == p->argc) {
            diag_fail(p->diag, CLI_EXIT_USAGE, NULL, "--%s needs an argument: --%s %s",
                      option->name, option->name, option->metavar);
            return PARSE_ERROR;
        }
        value = p->argv[p->next++];
    }
    const char *complaint = set_option(option, value, common ? &p->common : p->settings);
    return complaint == NULL ? PARSE_OK : bad_argument(p, option, value, complaint);
}

/* Parses one word that starts with a dash. */
static enum parse_result parse_option(struct parser *p, const char *argument) {
    bool is_long = argument[1] == '-';
    const char *name = is_long ? argument + 2 : NULL;
    size_t length = is_long ? strcspn(name, "=") : 0;
    const char *value = is_long && name[length] == '=' ? name + length + 1 : NULL;
    bool common = false;
    if (!is_long && argument[2] != '\0')
        return unknown_option(p, argument);
    const struct option *option =
        find_option(p->command->options, p->command->option_count, name, length, argument[1]);
    if (option == NULL) {
        option = find_option(common_options, common_option_count, name, length, argument[1]);
        common = true;
    }
    return option == NULL ? unknown_option(p, argument) : take_option(p, option, common, value);
}

enum parse_result options_parse(const struct command *command, struct diag *diag, int argc,
                                char **argv, void *settings, int *operand_count) {
    struct parser p = {
        .command = command, .diag = diag, .settings = settings, .argv = argv, .argc = argc};
    bool options_ended = false;
    *operand_count = 0;
    while (p.next < argc) {
        char *argument = argv[p.next++];
        if (!options_ended && strcmp(argument, "--") == 0) {
            options_ended = true;
            continue;
        }
        if (options_ended || argument[0] != '-' || argument[1] == '\0') {
            argv[(*operand_count)++] = argument;
            options_ended = options_ended || command->options_first;
            continue;
        }
        enum parse_result result = parse_option(&p, argument);
        diag->json = diag->json || p.common.json;
        if (result != PARSE_OK)
            return result;
        if (p.common.help) {
            print_command_help(stdout, command);
            return PARSE_DONE;
        }
        if (p.common.version) {
            print_version(stdout);
            return PARSE_DONE;
        }
    }
    return PARSE_OK;
}
