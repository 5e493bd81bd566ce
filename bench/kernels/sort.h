/* Quicksort (median of three, insertion sort for short runs) of an array of struct item.
 * The including file says how two items compare, by defining
 *     LESS(a, b)     whether item *a comes before item *b
 *     SORT_CONTEXT   the sort's further parameter, or void, for use by LESS, named order */
#include "kernel.h"

struct item {
    uint32_t key, value;
};

static void swap_items(struct item *a, struct item *b) {
    struct item t = *a;
    *a = *b;
    *b = t;
}

static void insertion_sort(struct item *items, size_t count, SORT_CONTEXT order) {
    (void)order;
    for (size_t i = 1; i < count; i++) {
        struct item moving = items[i];
        size_t j = i;
        for (; j > 0 && LESS(&moving, &items[j - 1]); j--) {
            items[j] = items[j - 1];
        }
        items[j] = moving;
    }
}

static void sort(struct item *items, size_t count, SORT_CONTEXT order) {
    while (count > 16) {
        struct item *low = items, *middle = items + count / 2, *high = items + count - 1;
        if (LESS(middle, low)) {
            swap_items(middle, low);
        }
        if (LESS(high, low)) {
            swap_items(high, low);
        }
        if (LESS(high, middle)) {
            swap_items(high, middle);
        }
        struct item pivot = *middle;
        struct item *i = low, *j = high;
        while (i <= j) {
            while (LESS(i, &pivot)) {
                i++;
            }
            while (LESS(&pivot, j)) {
                j--;
            }
            if (i <= j) {
                swap_items(i++, j--);
            }
        }
        /* Recursion on the shorter part keeps the depth logarithmic. */
        size_t left = (size_t)(j - items + 1), right = (size_t)(items + count - i);
        if (left < right) {
            sort(items, left, order);
            items = i;
            count = right;
        } else {
            sort(i, right, order);
            count = left;
        }
    }
    insertion_sort(items, count, order);
}

static void fill_items(struct item *items, size_t count, uint32_t seed) {
    for (size_t i = 0; i < count; i++) {
        items[i].key = kernel_random(&seed) % 1000003;
        items[i].value = (uint32_t)i;
    }
}
