/* Sorts (key, value) pairs with a comparison that the compiler can inline. */
typedef int no_context;
#define SORT_CONTEXT no_context
#define LESS(a, b) ((a)->key < (b)->key || ((a)->key == (b)->key && (a)->value < (b)->value))
#include "sort.h"

int main(int argc, char **argv) {
    uint32_t count = kernel_size(argc, argv, 1000000);
    struct item *items = kernel_alloc(count * sizeof(*items));
    fill_items(items, count, 2463534242u);
    sort(items, count, 0);
    for (uint32_t i = 1; i < count; i++) {
        kernel_check(LESS(&items[i - 1], &items[i]), "order");
    }
    printf("%016llx\n", (unsigned long long)kernel_hash(items, count * sizeof(*items)));
    return 0;
}
