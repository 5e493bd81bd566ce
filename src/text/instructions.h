/*
 * Instructions by their names. The opcode table (binary/opcodes.def) has those that this version
 * knows; those that it only reads as text, so that the decoder names the feature, are in
 * text/instructions.def.
 */
#ifndef CN_TEXT_INSTRUCTIONS_H
#define CN_TEXT_INSTRUCTIONS_H

#include "binary/opcodes.h"
#include "text/names.h"

/* The operands behind an instruction's name in the text: the immediates of the opcode table, and
 * further ones. */
enum operands_in_text {
    TEXT_FIRST = 128,
    TEXT_TYPE = TEXT_FIRST, /* a type; the next ones begin with one, too */
    TEXT_TYPE_TYPE,         /* and another type */
    TEXT_TYPE_TAG,          /* and a tag */
    TEXT_RESUME,            /* and clauses (on tag label), (on tag switch) */
    TEXT_RESUME_THROW,      /* and a tag, and such clauses */
    TEXT_TAG                /* a tag */
};

struct instruction {
    uint8_t prefix;   /* 0: none */
    uint8_t operands; /* IMM_* or TEXT_* */
    uint16_t opcode;  /* the byte, or the number behind the prefix */
    uint16_t id;      /* the enum opcode, or NOT_IN_TABLE for those of text/instructions.def */
};
#define NOT_IN_TABLE UINT16_MAX

/* All of them by name. Read-only once it is made. */
struct instructions {
    struct names names;
    struct instruction *items; /* by the number of the name */
    size_t capacity;
};

/* False when memory is exhausted. */
bool cn_instructions_init(struct instructions *, struct alloc *);
void cn_instructions_free(struct instructions *);
/* NULL when there is none of that name. */
const struct instruction *cn_instruction_find(const struct instructions *, const uint8_t *name,
                                              size_t length);

#endif
