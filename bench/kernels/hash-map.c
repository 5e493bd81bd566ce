/* A hash map from 64-bit keys to 32-bit values (open addressing, linear probing, deletion by
 * shifting back): inserts, finds, misses, deletes. The size is the number of keys. */
#include "kernel.h"

struct entry {
    uint64_t key; /* 0 = free */
    uint32_t value;
};

struct map {
    struct entry *entries;
    size_t mask, count;
};

static size_t home(const struct map *m, uint64_t key) {
    key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9u;
    key = (key ^ key >> 27) * 0x94d049bb133111ebu;
    return (size_t)(key ^ key >> 31) & m->mask;
}

static struct map new_map(size_t room) {
    struct map m = {kernel_alloc(room * sizeof(struct entry)), room - 1, 0};
    memset(m.entries, 0, room * sizeof(struct entry));
    return m;
}

/* The entry of this key, or the free one where it belongs. */
static struct entry *find(const struct map *m, uint64_t key) {
    size_t i = home(m, key);
    while (m->entries[i].key != 0 && m->entries[i].key != key) {
        i = (i + 1) & m->mask;
    }
    return &m->entries[i];
}

static void grow(struct map *m) {
    struct map bigger = new_map((m->mask + 1) * 2);
    for (size_t i = 0; i <= m->mask; i++) {
        if (m->entries[i].key != 0) {
            *find(&bigger, m->entries[i].key) = m->entries[i];
        }
    }
    bigger.count = m->count;
    free(m->entries);
    *m = bigger;
}

static void insert(struct map *m, uint64_t key, uint32_t value) {
    if (m->count * 4 >= m->mask * 3) {
        grow(m);
    }
    struct entry *e = find(m, key);
    m->count += e->key == 0;
    e->key = key;
    e->value = value;
}

static int erase(struct map *m, uint64_t key) {
    struct entry *e = find(m, key);
    if (e->key == 0) {
        return 0;
    }
    size_t hole = (size_t)(e - m->entries);
    for (size_t i = (hole + 1) & m->mask; m->entries[i].key != 0; i = (i + 1) & m->mask) {
        size_t from_home = (i - home(m, m->entries[i].key)) & m->mask;
        if (from_home >= ((i - hole) & m->mask)) {
            m->entries[hole] = m->entries[i];
            hole = i;
        }
    }
    m->entries[hole].key = 0;
    m->count--;
    return 1;
}

/* Distinct and not 0, because an odd multiplier is invertible modulo 2^64. */
static uint64_t key_of(uint32_t i) {
    return ((uint64_t)i + 1) * 0x9e3779b97f4a7c15u;
}

int main(int argc, char **argv) {
    uint32_t n = kernel_size(argc, argv, 1200000);
    struct map m = new_map(16);
    uint64_t sum = 0;
    uint32_t found = 0, missed = 0, erased = 0;
    for (uint32_t i = 0; i < n; i++) {
        insert(&m, key_of(i), i);
    }
    for (uint32_t i = 0; i < n; i += 3) {
        erased += (uint32_t)erase(&m, key_of(i));
        erased += (uint32_t)erase(&m, key_of(i));
    }
    for (uint32_t i = 0; i < 2 * n; i++) {
        const struct entry *e = find(&m, key_of(i));
        if (e->key != 0) {
            found++;
            sum += e->value;
            kernel_check(e->value == i && i % 3 != 0, "the value of a key");
        } else {
            missed++;
        }
    }
    kernel_check(found == m.count && found + erased == n && found + missed == 2 * n, "counts");
    printf("%u found, %u missed, %u erased, sum %llu\n", (unsigned)found, (unsigned)missed,
           (unsigned)erased, (unsigned long long)sum);
    return 0;
}
