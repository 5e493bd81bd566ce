/*
 * The state that the files of this room share while they make a module of text.
 *
 * The text is read twice. The first reading (scan.c) numbers what is declared and remembers its
 * identifiers; then types are read, since all else may mention any of them; the second reading
 * (fields.c, code.c) writes the sections. Function types that are only implied by their use are
 * added to the types in the order of the text.
 */
#ifndef CN_TEXT_ASSEMBLY_H
#define CN_TEXT_ASSEMBLY_H

#include "binary/encode.h"
#include "text/instructions.h"
#include "text/lexer.h"
#include "text/names.h"

/* The spaces of indices. */
enum space {
    SPACE_FUNC,
    SPACE_TYPE,
    SPACE_TABLE,
    SPACE_MEMORY,
    SPACE_GLOBAL,
    SPACE_TAG,
    SPACE_ELEM,
    SPACE_DATA,
    MODULE_SPACES,
    SPACE_LOCAL =
        MODULE_SPACES, /* of the function that is being read, whose number is in the next column */
    SPACE_LOCAL_OF,
    SPACE_LABEL, /* the depth of the innermost label of that name */
    SPACES
};

/* The subsections of a name section, in their order. */
enum name_map {
    NAMED_MODULE,
    NAMED_FUNC,
    NAMED_LOCAL,
    NAMED_LABEL,
    NAMED_TYPE,
    NAMED_TABLE,
    NAMED_MEMORY,
    NAMED_GLOBAL,
    NAMED_ELEM,
    NAMED_DATA,
    NAMED_FIELD,
    NAMED_TAG,
    NAME_MAPS
};

/* A vector that is written before the number of its items is known. */
struct vector {
    struct encoder bytes;
    uint32_t count;
};

/* A defined type as far as its uses need to know it. */
struct text_type {
    uint32_t signature; /* of a function type: its number in `signatures`; else NO_NAME */
    uint32_t param_count;
};

/* An annotation @custom: a section, and before which of the others it comes. */
struct custom {
    uint32_t place;
    size_t start, end; /* in `custom_bytes` */
};

/* A hint of the annotation @metadata.code.branch_hint. */
struct hint {
    bool given;
    uint8_t value;
    const uint8_t *at;
};

/* A construct, or a folded instruction, that is not closed yet. */
struct frame {
    uint8_t kind; /* an enum frame_kind of code.c */
    bool folded;  /* a parenthesis closes it */
    bool named;
    struct hint hint;      /* of the pending instruction */
    uint32_t name;         /* of its label, when it is named */
    uint32_t label_before; /* what that name was bound to outside */
    size_t pending;        /* where the pending instruction begins */
    const uint8_t *note; /* of a pending instruction: the annotation @name of its label, or NULL */
};

struct assembly {
    struct lexer l;
    const struct instructions *instructions;
    struct alloc *alloc;
    struct arena arena; /* bytes of names */
    enum text_names with_names;

    struct names ids;
    uint32_t (
        *bound)[SPACES]; /* for each name of `ids`, the index that it has in each space, plus 1 */
    size_t bound_capacity;
    uint32_t count
        [MODULE_SPACES]; /* of all, known after the first reading; of types, with implied ones */
    uint32_t next[MODULE_SPACES]; /* the index of the next one, in the second reading */

    /* Types */
    const uint8_t **type_fields; /* where they are in the text */
    size_t type_field_count, type_field_capacity;
    struct text_type *types;
    size_t type_capacity;
    struct names signatures; /* function types as bytes */
    uint32_t *type_of; /* of a signature: the first type that is it and nothing more, plus 1 */
    size_t type_of_capacity;
    struct names field_names; /* of a type's index and a name's number */
    uint32_t *field_of;
    size_t field_of_capacity;
    bool looks_ahead; /* a type was used that is only implied behind that place: read it again */

    /* Scratch */
    struct encoder params, results, signature, bytes;

    /* Sections */
    struct vector sections[SECTION_IDS];
    struct vector names[NAME_MAPS];
    struct custom *customs;
    size_t custom_count, custom_capacity;
    struct encoder custom_bytes;
    struct vector hints; /* the section metadata.code.branch_hint */
    bool uses_data_count, has_start;

    /* The function or the expression that is being read */
    struct encoder *out;
    size_t body_start; /* in `out`; offsets of hints count from there */
    uint32_t func;     /* plus 1, for SPACE_LOCAL_OF; 0: an expression */
    uint32_t local_count;
    struct vector local_names, label_names, body_hints;
    uint32_t label_count; /* of all constructs before */
    uint32_t depth;       /* of labels */
    struct hint hint;
    struct frame *frames;
    size_t frame_count, frame_capacity;
    struct encoder pending; /* instructions whose operands are being read */
};

/* ---- assembly.c: tokens and identifiers ---- */

bool cn_at_open(const struct assembly *, const char *word); /* whether ( and the word are next */
bool cn_take_open(struct assembly *, const char *word);     /* the same, and takes them */
bool cn_take_word(struct assembly *, const char *word);
void cn_expect_close(struct assembly *);

/* An identifier that is here is bound to an index. Its name as a number, or NO_NAME when there is
 * none. */
uint32_t cn_take_id(struct assembly *, enum space, uint32_t index);
/* The name of an identifier, as a number; NO_NAME when there is none, or it is not known and not to
 * be added. */
uint32_t cn_take_name(struct assembly *, bool add);
/* Skips an identifier. */
void cn_skip_id(struct assembly *);
/* Whether an index comes: a number or an identifier. */
bool cn_at_index(const struct assembly *);
uint32_t cn_take_index(struct assembly *, enum space);
uint32_t cn_take_u32(struct assembly *);
uint64_t cn_take_u64(struct assembly *);
/* The string that is here, as a vector of bytes; as a name it is UTF-8. */
void cn_take_name_string(struct assembly *, struct encoder *);
/* The bytes of all strings that follow. */
void cn_take_strings(struct assembly *, struct encoder *);

/* The name of an identifier, or of an annotation @name that is here, goes to a map of the name
 * section. */
void cn_name_here(struct assembly *, enum name_map, uint32_t index, uint32_t name);
/* The same for a vector of names. */
void cn_name_in(struct assembly *, struct vector *, uint32_t index, uint32_t name);
/* Skips an annotation @name. Where it was, or NULL. */
const uint8_t *cn_skip_name_note(struct assembly *);

void cn_out_of_memory(struct assembly *);

/* ---- types.c ---- */

/* A type use, (type x) (param ...) (result ...), as section 6.6.4 has it. Parameters and results
 * are in the scratch. */
struct type_use {
    bool given, described; /* the index; the parameters or results */
    uint32_t type;
    uint32_t param_count, result_count;
    const uint8_t *at;
};
enum param_names { PARAMS_WITHOUT_NAMES, PARAMS_WITH_NAMES, PARAMS_OF_FUNCTION };

void cn_read_types(struct assembly *);
/* A type use; parameters of functions become locals. */
struct type_use cn_take_type_use(struct assembly *, enum param_names);
/* The type of a type use, which is added when it is implied. */
uint32_t cn_type_of_use(struct assembly *, const struct type_use *);
/* Writes the types of (local ...), as runs of the same type. */
void cn_take_locals(struct assembly *, struct encoder *);

/* A value type, written as it is in the binary format. */
void cn_take_valtype(struct assembly *, struct encoder *);
/* Whether a reference type comes. */
bool cn_at_reftype(const struct assembly *);
struct reftype {
    bool nullable;
    int64_t heap; /* an index, or below zero an abstract heap type */
};
struct reftype cn_take_reftype(struct assembly *);
void cn_put_reftype(struct encoder *, struct reftype);
int64_t cn_take_heaptype(struct assembly *);
/* The index of a field of a type. */
uint32_t cn_take_field(struct assembly *, uint32_t type);
void cn_take_globaltype(struct assembly *, struct encoder *);

/* ---- scan.c ---- */

void cn_scan_fields(struct assembly *);

/* ---- fields.c ---- */

void cn_read_fields(struct assembly *);

/* ---- code.c ---- */

/* Instructions up to the parenthesis that closes what they are in. */
void cn_take_instructions(struct assembly *, struct encoder *out);
/* One folded instruction. */
void cn_take_folded(struct assembly *, struct encoder *out);
/* The locals and instructions behind the type of a function, as an entry of the code section. */
void cn_take_body(struct assembly *, struct encoder *out);

/* ---- module.c ---- */

/* A module of which `( module` was taken, up to the parenthesis that closes it, which is taken too;
 * or the fields of one up to the end of the text. Its bytes are appended. */
void cn_assemble(struct lexer *, const struct instructions *, bool closed, enum text_names,
                 struct encoder *);

/* Adds the names of the parts of a function or type, by its index, to those of all; `own` is empty then. */
void cn_put_names(struct vector *all, struct vector *own, uint32_t index);

#endif
