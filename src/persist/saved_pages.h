/*
 * A level of checkpoints and a paged area: the level has no pages itself, but the records that lead from one shadow to an
 * earlier one (shadow.h).
 *
 *         area            shadow           undo of level 3      undo of level 2
 *         (running)  <->  (at level 3) --> (at level 2)    -->  (at level 1)
 *
 * A rollback to level 2 applies the undo of level 3 to the shadow, then copies the pages that differ from the shadow to the
 * area. A release of level 3 keeps the shadow as it is, and level 2 gets the undo as `later`: the records that turn the
 * shadow of a level that is gone into its own.
 */
#ifndef CN_PERSIST_SAVED_PAGES_H
#define CN_PERSIST_SAVED_PAGES_H

#include "persist/shadow.h"

struct saved_pages {
    bool has_undo; /* the level below has the area too */
    struct undo *
        undo; /* turns the shadow at this level into that at the level below; NULL without has_undo */
    struct undo
        *later; /* turns the present shadow into that at this level, when that of a level above,
                           which was released, is still in place */
};

/* Does all for a checkpoint of an area of the size that can fail, after which cn_shadow_take() takes `undo`. `below`: the
 * level below has the area. */
bool cn_saved_pages_prepare(struct saved_pages *, struct shadow *, uint64_t size, bool below,
                            struct error *);
/* The shadow may be NULL: then there are no records. */
void cn_saved_pages_free(const struct saved_pages *, struct shadow *);
/* Makes the shadow that of this level, or that of the level below. */
void cn_saved_pages_return(struct saved_pages *, struct shadow *);
void cn_saved_pages_pop(struct saved_pages *, struct shadow *);
/* The size that the shadow has then, of one that has a size now. */
uint64_t cn_saved_pages_size(const struct saved_pages *, uint64_t size);
uint64_t cn_saved_pages_size_below(const struct saved_pages *, uint64_t size);
/* The level is released: the shadow stays what it is, and the level below gets the records that lead from it to its own. So
 * pages that were written before the released checkpoint need not be copied again. */
void cn_saved_pages_forget(struct saved_pages *, struct shadow *, struct saved_pages *below);

#endif
