/* Sorts (key, value) pairs thrice, each time by another comparison behind a function pointer. */
struct item;
typedef int comparison(const struct item *a, const struct item *b);
#define SORT_CONTEXT comparison *
#define LESS(a, b) (order((a), (b)) < 0)
#include "sort.h"

static int ascending(const struct item *a, const struct item *b) {
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return (a->value > b->value) - (a->value < b->value);
}

static int descending(const struct item *a, const struct item *b) {
    return ascending(b, a);
}

/* By the low digits first. */
static int scattered(const struct item *a, const struct item *b) {
    uint32_t x = a->key % 1000, y = b->key % 1000;
    return x != y ? (x < y ? -1 : 1) : ascending(a, b);
}

static comparison *const comparisons[] = {ascending, scattered, descending};

int main(int argc, char **argv) {
    uint32_t count = kernel_size(argc, argv, 150000);
    struct item *items = kernel_alloc(count * sizeof(*items));
    fill_items(items, count, 2463534242u);
    for (size_t c = 0; c < sizeof(comparisons) / sizeof(*comparisons); c++) {
        sort(items, count, comparisons[c]);
        for (uint32_t i = 1; i < count; i++) {
            kernel_check(comparisons[c](&items[i - 1], &items[i]) < 0, "order");
        }
        printf("%016llx\n", (unsigned long long)kernel_hash(items, count * sizeof(*items)));
    }
    return 0;
}
