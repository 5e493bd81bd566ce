/*
 * A shadow of a heap: the same objects as C structures, made and changed by the same random steps. It knows nothing of
 * how the heap works; all that it shares with it are handles, by which it finds an object in the heap.
 */
#ifndef TESTS_HEAP_MODEL_H
#define TESTS_HEAP_MODEL_H

#include "world.h"

enum cell_tag { CELL_NULL, CELL_I31, CELL_NODE, CELL_HOST, CELL_CONVERTED, CELL_NUMBER };

struct node;
struct cell {
    enum cell_tag tag;
    uint64_t bits[2]; /* of a number; an i31; a host slot */
    struct node *node;
};

struct node {
    struct node *next;
    enum world_type type; /* T_COUNT: a box */
    uint32_t handle, count;
    bool reached;
    struct node *copy;   /* while the nodes are copied */
    struct cell cells[]; /* fields or elements; of a box, one */
};

#define MODEL_ROOTS 16u
struct model {
    struct world *world;
    uint64_t seed;
    struct node *nodes;
    struct cell roots[MODEL_ROOTS]; /* null or a node: in the world's slots */
    uint64_t steps, failures, collections;
    uint32_t hosts;         /* different host objects */
    uint32_t longest_array; /* elements */
    bool collects;          /* some steps collect */
};

void model_open(struct model *, struct world *, uint64_t seed);
/* A random allocation, store, load, copy or collection. */
void model_step(struct model *);
/* Every reachable node is in the heap, with its contents. */
void model_compare(struct model *);
/* Collects; the heap then has the reachable nodes and nothing else, and its side table what these hold. */
void model_compare_exactly(struct model *);
/* The reachable nodes and the roots as they are now, which the model can become again; any number of times. */
struct model_copy {
    struct node *nodes;
    struct cell roots[MODEL_ROOTS];
};
void model_save(struct model *, struct model_copy *);
void model_return(struct model *, const struct model_copy *);
void model_drop(struct model_copy *);
/* Forgets the nodes that are not reachable. */
void model_sweep(struct model *);
void model_close(struct model *);

#endif
