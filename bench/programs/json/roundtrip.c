/* JSON through cJSON: reads a document, and as many times as asked parses it, prints it compactly,
 * and parses that again; both trees must agree. Usage: roundtrip FILE [TIMES] */
#include "cJSON.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_file(const char *name) {
    FILE *file = fopen(name, "rb");
    char *text = NULL;
    size_t used = 0, room = 0;
    if (!file) {
        return NULL;
    }
    do {
        if (room - used < 65536) {
            room = room * 2 + 131072;
            text = realloc(text, room);
            if (!text) {
                return NULL;
            }
        }
        used += fread(text + used, 1, room - used - 1, file);
    } while (!feof(file) && !ferror(file));
    fclose(file);
    text[used] = 0;
    return text;
}

static unsigned count_nodes(const cJSON *item) {
    unsigned count = 0;
    for (; item; item = item->next) {
        count += 1 + count_nodes(item->child);
    }
    return count;
}

static uint64_t hash_text(const char *text) {
    uint64_t hash = 14695981039346656037u;
    for (; *text; text++) {
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    }
    return hash;
}

int main(int argc, char **argv) {
    char *text = argc > 1 ? read_file(argv[1]) : NULL;
    unsigned times = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
    if (!text) {
        fprintf(stderr, "usage: roundtrip FILE [TIMES]\n");
        return 2;
    }
    for (unsigned i = 0; i < times; i++) {
        cJSON *tree = cJSON_Parse(text);
        char *printed = tree ? cJSON_PrintUnformatted(tree) : NULL;
        cJSON *again = printed ? cJSON_Parse(printed) : NULL;
        if (!again || !cJSON_Compare(tree, again, 1)) {
            printf("wrong: the trees differ\n");
            return 1;
        }
        if (i + 1 == times) {
            printf("%u nodes, %u bytes, hash %016llx\n", count_nodes(tree),
                   (unsigned)strlen(printed), (unsigned long long)hash_text(printed));
        }
        cJSON_Delete(again);
        cJSON_free(printed);
        cJSON_Delete(tree);
    }
    free(text);
    return 0;
}
