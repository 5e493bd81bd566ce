/* The output of --profile-ops: the bytecode instructions and adjacent pairs that were executed most. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "session.h"

#define ROWS_SHOWN 60

struct count {
    const char *previous, *name;
    uint64_t executions;
};
struct counts {
    struct count *rows;
    size_t count, capacity;
    uint64_t total;
};

static void add_row(void *env, const char *previous, const char *name, uint64_t executions) {
    struct counts *counts = env;
    if (counts->count == counts->capacity) {
        size_t capacity = counts->capacity ? counts->capacity * 2 : 1024;
        struct count *rows = realloc(counts->rows, capacity * sizeof *rows);
        if (!rows)
            return;
        counts->rows = rows;
        counts->capacity = capacity;
    }
    counts->rows[counts->count++] = (struct count){previous, name, executions};
    if (!previous)
        counts->total += executions;
}

static int by_executions(const void *a, const void *b) {
    uint64_t x = ((const struct count *)a)->executions, y = ((const struct count *)b)->executions;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void print_rows(const struct counts *counts, bool pairs) {
    size_t shown = 0;
    for (size_t i = 0; i < counts->count && shown < ROWS_SHOWN; i++) {
        const struct count *row = &counts->rows[i];
        if ((row->previous != NULL) != pairs)
            continue;
        fprintf(stderr, "%6.2f%% %15" PRIu64 "  %s%s%s\n",
                100.0 * (double)row->executions / (double)counts->total, row->executions,
                pairs ? row->previous : "", pairs ? " + " : "", row->name);
        shown++;
    }
}

void print_profile(const struct session *session) {
    struct counts counts = {0};
    if (!session->store)
        return;
    catnap_store_profile_ops(session->store, add_row, &counts);
    qsort(counts.rows, counts.count, sizeof *counts.rows, by_executions);
    fprintf(stderr, "catnap: %" PRIu64 " bytecode instructions executed\n", counts.total);
    print_rows(&counts, false);
    fprintf(stderr, "catnap: adjacent pairs\n");
    print_rows(&counts, true);
    free(counts.rows);
}
