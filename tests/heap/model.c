#include "model.h"

/* ---- Where things lie, computed from the declarations again ---- */

static uint32_t part_of(const struct model *m, const struct node *node, uint32_t i) {
    if (node->type == T_COUNT)
        return VT_EXTERNREF;
    const struct deftype *def = m->world->defs[node->type];
    return dt_parts(def)[def->kind == TYPE_ARRAY ? 0 : i] & ~FIELD_MUTABLE;
}

static uint32_t bytes_of(uint32_t part) {
    switch (part) {
    case VT_I8:
        return 1;
    case VT_I16:
        return 2;
    case VT_I64:
    case VT_F64:
        return 8;
    case VT_V128:
        return 16;
    default:
        return 4;
    }
}

/* Offsets in the object, of all cells. The caller frees them. */
static uint32_t *offsets_of(const struct model *m, const struct node *node) {
    uint32_t *offsets = malloc((node->count + 1) * sizeof *offsets);
    assert_non_null(offsets);
    bool is_array = node->type >= FIRST_ARRAY && node->type < T_COUNT;
    uint32_t at = is_array ? 8 : 4;
    for (uint32_t i = 0; i < node->count; i++) {
        uint32_t bytes = bytes_of(part_of(m, node, i));
        while (at % (bytes > 8 ? 8 : bytes))
            at++;
        offsets[i] = at;
        at += bytes;
    }
    return offsets;
}

static uint64_t address_of(const struct node *node, uint32_t offset) {
    return (uint64_t)node->handle * 4 + offset;
}

static bool is_side(uint32_t part) {
    return part == VT_EXTERNREF || part == VT_FUNCREF || part == VT_EXNREF;
}

static bool is_number(uint32_t part) {
    return part != VT_ANYREF && !is_side(part);
}

/* ---- Comparing ---- */

static uint32_t handle_of(const struct cell *cell) {
    if (cell->tag == CELL_I31)
        return (uint32_t)cell->bits[0] << 1 | 1;
    return cell->tag == CELL_NODE ? cell->node->handle : 0;
}

static uint64_t slot_of(const struct cell *cell) {
    if (cell->tag == CELL_HOST)
        return cell->bits[0];
    return cell->tag == CELL_CONVERTED ? heap_extern_slot(cell->node->handle) : 0;
}

static void compare_cell(const struct model *m, const struct cell *cell, uint32_t part,
                         uint64_t at) {
    const struct heap *h = m->world->heap;
    if (part == VT_ANYREF)
        assert_int_equal(heap_load(h, at), handle_of(cell));
    else if (is_side(part))
        assert_int_equal(heap_side_slot(h, heap_load(h, at)), slot_of(cell));
    else
        assert_memory_equal(h->base + at, cell->bits, bytes_of(part));
}

static void compare_node(const struct model *m, const struct node *node) {
    const struct heap *h = m->world->heap;
    uint32_t *offsets = offsets_of(m, node);
    assert_true(heap_bit(h->starts, (uint64_t)node->handle / 2));
    uint32_t number = node->type == T_COUNT ? HEAP_BOX_TYPE : m->world->type[node->type];
    assert_int_equal(heap_type_number(h, node->handle), number);
    if (node->type >= FIRST_ARRAY && node->type < T_COUNT)
        assert_int_equal(heap_length(h, node->handle), node->count);
    for (uint32_t i = 0; i < node->count; i++)
        compare_cell(m, &node->cells[i], part_of(m, node, i), address_of(node, offsets[i]));
    free(offsets);
}

/* ---- Reachability ---- */

struct gray {
    struct node **nodes;
    size_t count, room;
};

static void reach(struct gray *gray, const struct cell *cell) {
    bool refers = cell->tag == CELL_NODE || cell->tag == CELL_CONVERTED;
    if (!refers || cell->node->reached)
        return;
    cell->node->reached = true;
    if (gray->count == gray->room) {
        gray->room = gray->room * 2 + 64;
        gray->nodes = realloc(gray->nodes, gray->room * sizeof(struct node *));
        assert_non_null(gray->nodes);
    }
    gray->nodes[gray->count++] = cell->node;
}

/* Returns how many nodes are reachable; `reached` is set in them. */
static uint64_t reach_all(struct model *m) {
    struct gray gray = {0};
    uint64_t count = 0;
    for (struct node *node = m->nodes; node; node = node->next)
        node->reached = false;
    for (uint32_t i = 0; i < MODEL_ROOTS; i++)
        reach(&gray, &m->roots[i]);
    for (; gray.count > 0; count++) {
        struct node *node = gray.nodes[--gray.count];
        for (uint32_t i = 0; i < node->count; i++)
            reach(&gray, &node->cells[i]);
    }
    free(gray.nodes);
    return count;
}

void model_sweep(struct model *m) {
    reach_all(m);
    for (struct node **at = &m->nodes; *at;) {
        struct node *node = *at;
        if (node->reached) {
            at = &node->next;
            continue;
        }
        *at = node->next;
        free(node);
    }
}

void model_compare(struct model *m) {
    reach_all(m);
    for (const struct node *node = m->nodes; node; node = node->next)
        if (node->reached)
            compare_node(m, node);
    world_verify(m->world);
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* How many different slots the reachable nodes hold. */
static uint64_t different_slots(const struct model *m) {
    uint64_t *slots = NULL, count = 0, room = 0, different = 0;
    for (const struct node *node = m->nodes; node; node = node->next) {
        for (uint32_t i = 0; node->reached && i < node->count; i++) {
            if (!slot_of(&node->cells[i]))
                continue;
            if (count == room)
                slots = realloc(slots, (room = room * 2 + 64) * sizeof *slots);
            assert_non_null(slots);
            slots[count++] = slot_of(&node->cells[i]);
        }
    }
    if (count > 0)
        qsort(slots, count, sizeof *slots, by_value);
    for (uint64_t i = 0; i < count; i++)
        different += i == 0 || slots[i] != slots[i - 1];
    free(slots);
    return different;
}

void model_compare_exactly(struct model *m) {
    cn_heap_collect(m->world->heap);
    model_compare(m);
    assert_int_equal(world_objects(m->world), reach_all(m));
    assert_int_equal(m->world->heap->side.count, different_slots(m));
}

/* ---- Choosing ---- */

static uint32_t below(struct model *m, uint32_t count) {
    return world_random(&m->seed) % count;
}

static struct node *any_root(struct model *m) {
    struct cell *root = &m->roots[below(m, MODEL_ROOTS)];
    return root->tag == CELL_NODE ? root->node : NULL;
}

static void set_root(struct model *m, uint32_t i, struct node *node) {
    m->roots[i] = (struct cell){.tag = node ? CELL_NODE : CELL_NULL, .node = node};
    m->world->slots[i] = node ? node->handle : 0;
}

static struct cell random_number(struct model *m) {
    struct cell cell = {.tag = CELL_NUMBER};
    for (uint32_t i = 0; i < 2; i++)
        cell.bits[i] = (uint64_t)world_random(&m->seed) << 33 ^ world_random(&m->seed);
    return cell;
}

static struct cell random_any(struct model *m) {
    struct node *node = below(m, 8) ? any_root(m) : NULL;
    if (node)
        return (struct cell){.tag = CELL_NODE, .node = node};
    if (below(m, 2))
        return (struct cell){.tag = CELL_NULL};
    return (struct cell){.tag = CELL_I31, .bits = {world_random(&m->seed) & 0x7FFFFFFF}};
}

static struct cell random_side(struct model *m, uint32_t part) {
    uint32_t choice = below(m, 4);
    struct node *node = part == VT_EXTERNREF && choice == 0 ? any_root(m) : NULL;
    if (node)
        return (struct cell){.tag = CELL_CONVERTED, .node = node};
    if (choice == 1)
        return (struct cell){.tag = CELL_NULL};
    return (struct cell){.tag = CELL_HOST, .bits = {host_slot(below(m, m->hosts), vt_kind(part))}};
}

static struct cell random_cell(struct model *m, uint32_t part) {
    if (is_number(part))
        return random_number(m);
    return is_side(part) ? random_side(m, part) : random_any(m);
}

/* ---- Storing ---- */

/* False: no memory for the side table. */
static bool store_cell(struct model *m, struct node *node, uint32_t i, uint32_t offset,
                       const struct cell *cell) {
    struct heap *h = m->world->heap;
    uint32_t part = part_of(m, node, i), word = handle_of(cell);
    uint64_t at = address_of(node, offset);
    if (is_number(part)) {
        memcpy(h->base + at, cell->bits, bytes_of(part));
    } else {
        if (is_side(part) && !cn_heap_side_number(h, slot_of(cell), &word))
            return false;
        cn_heap_overwrite(h, heap_load(h, at), is_side(part));
        heap_store(h, at, word);
    }
    node->cells[i] = *cell;
    return true;
}

static void change_cell(struct model *m, struct node *node, uint32_t i) {
    uint32_t *offsets = offsets_of(m, node);
    struct cell cell = random_cell(m, part_of(m, node, i));
    if (!store_cell(m, node, i, offsets[i], &cell))
        m->failures++;
    free(offsets);
}

static void change(struct model *m) {
    struct node *node = any_root(m);
    if (node && node->count > 0 && node->type != T_COUNT)
        change_cell(m, node, below(m, node->count));
}

/* ---- Allocation ---- */

static struct node *new_node(struct model *m, enum world_type type, uint32_t handle,
                             uint32_t count) {
    struct node *node = calloc(1, sizeof *node + count * sizeof *node->cells);
    assert_non_null(node);
    node->type = type;
    node->handle = handle;
    node->count = count;
    node->next = m->nodes;
    m->nodes = node;
    for (uint32_t i = 0; i < count; i++)
        if (is_number(part_of(m, node, i)))
            node->cells[i].tag = CELL_NUMBER;
    return node;
}

/* Mostly short ones; the longest take many blocks. */
static uint32_t random_length(struct model *m) {
    uint32_t choice = below(m, 20), most = choice < 15 ? 12 : choice < 19 ? 300 : m->longest_array;
    return below(m, most < m->longest_array ? most : m->longest_array);
}

static struct node *allocate_box(struct model *m) {
    uint64_t slot = host_slot(below(m, m->hosts), KIND_EXTERN);
    uint32_t handle = cn_heap_new_box(m->world->heap, slot);
    if (!handle)
        return NULL;
    struct node *node = new_node(m, T_COUNT, handle, 1);
    node->cells[0] = (struct cell){.tag = CELL_HOST, .bits = {slot}};
    return node;
}

static struct node *allocate_node(struct model *m) {
    struct heap *h = m->world->heap;
    enum world_type type = below(m, 3) ? below(m, T_WIDE) : below(m, T_COUNT + 1);
    if (type == T_COUNT)
        return allocate_box(m);
    bool is_array = type >= FIRST_ARRAY;
    uint32_t count = is_array ? random_length(m) : m->world->defs[type]->count;
    uint32_t handle = is_array ? cn_heap_new_array(h, m->world->type[type], count, true)
                               : cn_heap_new_struct(h, m->world->type[type]);
    if (!handle)
        return NULL;
    struct node *node = new_node(m, type, handle, count);
    compare_node(m, node); /* all is zero */
    return node;
}

static void allocate(struct model *m) {
    struct node *node = allocate_node(m);
    if (!node) {
        m->failures++;
        set_root(m, below(m, MODEL_ROOTS), NULL);
        return;
    }
    for (uint32_t i = 0; node->type != T_COUNT && i < node->count && i < 12; i++)
        change_cell(m, node, i);
    set_root(m, below(m, MODEL_ROOTS), node);
}

/* ---- Other steps ---- */

static void load(struct model *m) {
    struct node *node = any_root(m);
    if (!node || node->count == 0)
        return;
    const struct cell *cell = &node->cells[below(m, node->count)];
    if (cell->tag == CELL_NODE || cell->tag == CELL_CONVERTED)
        set_root(m, below(m, MODEL_ROOTS), cell->node);
}

static void copy_root(struct model *m) {
    set_root(m, below(m, MODEL_ROOTS), any_root(m));
}

static void clear_root(struct model *m) {
    set_root(m, below(m, MODEL_ROOTS), NULL);
}

static bool is_copyable(const struct node *node) {
    return node && node->count > 0 && node->type >= FIRST_ARRAY && node->type < T_COUNT;
}

/* array.copy, perhaps within one array. */
static void copy_array(struct model *m) {
    struct heap *h = m->world->heap;
    struct node *to = any_root(m), *from = any_root(m);
    if (!is_copyable(to) || !is_copyable(from) || to->type != from->type)
        return;
    uint32_t bytes = bytes_of(part_of(m, to, 0)), part = part_of(m, to, 0);
    uint32_t most = to->count < from->count ? to->count : from->count;
    uint32_t count = 1 + below(m, most);
    uint32_t d = below(m, to->count - count + 1), s = below(m, from->count - count + 1);
    uint64_t target = address_of(to, 8 + d * bytes), source = address_of(from, 8 + s * bytes);
    if (!is_number(part))
        cn_heap_overwrite_range(h, target, count, is_side(part));
    memmove(h->base + target, h->base + source, (size_t)count * bytes);
    memmove(to->cells + d, from->cells + s, count * sizeof *to->cells);
}

static void collect(struct model *m) {
    if (!m->collects)
        return;
    m->collections++;
    cn_heap_collect(m->world->heap);
}

void model_step(struct model *m) {
    uint32_t choice = below(m, 1000);
    m->steps++;
    if (choice < 420)
        allocate(m);
    else if (choice < 650)
        change(m);
    else if (choice < 800)
        load(m);
    else if (choice < 880)
        copy_array(m);
    else if (choice < 940)
        copy_root(m);
    else if (choice < 998)
        clear_root(m);
    else
        collect(m);
}

/* ---- Copies ---- */

static struct cell *cells_of(struct cell *roots, struct node *node, uint32_t *count) {
    *count = node ? node->count : MODEL_ROOTS;
    return node ? node->cells : roots;
}

/* Of cells that were copied as they are. */
static void point_to_copies(struct cell *cells, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (cells[i].tag == CELL_NODE || cells[i].tag == CELL_CONVERTED)
            cells[i].node = cells[i].node->copy;
}

static struct node *copy_graph(struct node *nodes, const struct cell *roots,
                               struct cell *root_copies) {
    struct node *copies = NULL, **end = &copies;
    for (struct node *node = nodes; node; node = node->next) {
        size_t bytes = sizeof *node + node->count * sizeof *node->cells;
        node->copy = malloc(bytes);
        assert_non_null(node->copy);
        memcpy(node->copy, node, bytes);
        *end = node->copy;
        end = &node->copy->next;
        *end = NULL;
    }
    memcpy(root_copies, roots, MODEL_ROOTS * sizeof *roots);
    struct node *node = NULL; /* the roots, then all nodes */
    do {
        uint32_t count;
        struct cell *cells = cells_of(root_copies, node, &count);
        point_to_copies(cells, count);
        node = node ? node->next : copies;
    } while (node);
    return copies;
}

static void free_nodes(struct node *nodes) {
    while (nodes) {
        struct node *next = nodes->next;
        free(nodes);
        nodes = next;
    }
}

void model_save(struct model *m, struct model_copy *copy) {
    model_sweep(m);
    copy->nodes = copy_graph(m->nodes, m->roots, copy->roots);
}

void model_return(struct model *m, const struct model_copy *copy) {
    free_nodes(m->nodes);
    m->nodes = copy_graph(copy->nodes, copy->roots, m->roots);
    for (uint32_t i = 0; i < MODEL_ROOTS; i++)
        m->world->slots[i] = m->roots[i].tag == CELL_NODE ? m->roots[i].node->handle : 0;
}

void model_drop(struct model_copy *copy) {
    free_nodes(copy->nodes);
    copy->nodes = NULL;
}

/* ---- Life ---- */

void model_open(struct model *m, struct world *w, uint64_t seed) {
    *m = (struct model){.world = w, .seed = seed, .hosts = 200, .longest_array = 20000};
    for (uint32_t i = 0; i < 4; i++)
        world_random(&m->seed);
}

void model_close(struct model *m) {
    memset(m->roots, 0, sizeof m->roots);
    model_sweep(m);
}
