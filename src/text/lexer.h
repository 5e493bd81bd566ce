/*
 * Text as tokens (section 6.3). A lexer shows the current token and the one behind it. At the first
 * error it records that, and has nothing but TOKEN_END from then on: its reader comes to an end,
 * and looks for errors once.
 */
#ifndef CN_TEXT_LEXER_H
#define CN_TEXT_LEXER_H

#include "text/text.h"

enum token_kind {
    TOKEN_END,
    TOKEN_OPEN,   /* ( */
    TOKEN_CLOSE,  /* ) */
    TOKEN_NOTE,   /* (@name of an annotation that means something here; others are skipped */
    TOKEN_ID,     /* $name, or $"name" */
    TOKEN_STRING, /* with its quotes */
    TOKEN_WORD,   /* a keyword, a number, or neither */
    TOKEN_OTHER   /* a sequence of characters that has no meaning */
};

struct token {
    enum token_kind kind;
    const uint8_t *at;
    size_t length;
};

struct lexer {
    struct alloc *alloc;
    const uint8_t *text, *end;
    const uint8_t *at; /* behind `ahead` */
    struct token token, ahead;
    struct text_error *error;
    bool failed;
    const uint8_t *failed_at;
};

/* Begins with the first token. The text is UTF-8 or refused. */
void cn_lexer_init(struct lexer *, struct alloc *, const uint8_t *text, size_t length,
                   struct text_error *);
/* Begins again at a place in the same text, which is where a token begins. */
void cn_lexer_seek(struct lexer *, const uint8_t *at);
void cn_lexer_next(struct lexer *);
/* Skips what is in the parenthesis that was opened, up to the one that closes it. */
void cn_lexer_skip(struct lexer *);

bool cn_token_is(const struct token *, const char *word);
/* Of the name of an annotation, without (@. */
bool cn_note_is(const struct token *, const char *name);

/* Records an error at a place in the text, unless there was one before. */
void cn_text_fail(struct lexer *, const uint8_t *at, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));
/* That the current token, which is told, may not be here. */
void cn_text_unexpected(struct lexer *, const char *expected) __attribute__((cold));
void cn_text_no_memory(struct lexer *) __attribute__((cold));

/* Counts the lines up to where the error is, and shows the line. */
void cn_text_locate(const struct lexer *);

#endif
