#include "types/deftype.h"

/* Appends what fits, always NUL-terminated. */
static void append(char **text, size_t *room, const char *word) {
    while (*word && *room > 1) {
        *(*text)++ = *word++;
        (*room)--;
    }
    if (*room > 0)
        **text = '\0';
}

static void append_types(char **text, size_t *room, const valtype *types, uint32_t count) {
    append(text, room, "(");
    for (uint32_t i = 0; i < count && *room > 1; i++) {
        if (i > 0)
            append(text, room, ", ");
        append(text, room, cn_valtype_name(types[i]));
    }
    append(text, room, ")");
}

char *cn_functype_format(const struct functype *type, char *text, size_t size) {
    char *at = text;
    append_types(&at, &size, ft_params(type), type->param_count);
    append(&at, &size, " -> ");
    append_types(&at, &size, ft_results(type), type->result_count);
    return text;
}
