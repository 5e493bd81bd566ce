/* Linux: how many mappings the process has, and may have. */
#include <stdio.h>

#include "base/platform.h"

static size_t count_lines(FILE *file) {
    char bytes[4096];
    size_t count = 0;
    while (!feof(file) && !ferror(file)) {
        size_t got = fread(bytes, 1, sizeof bytes, file);
        for (size_t i = 0; i < got; i++)
            count += bytes[i] == '\n';
    }
    return count;
}

bool cn_os_mappings_left(size_t part) {
    unsigned long most = 0;
    FILE *limit = fopen("/proc/sys/vm/max_map_count", "re");
    FILE *maps = fopen("/proc/self/maps", "re");
    bool told = limit && fscanf(limit, "%lu", &most) == 1 && maps;
    size_t count = maps ? count_lines(maps) : 0;
    if (limit)
        fclose(limit);
    if (maps)
        fclose(maps);
    return !told || count + most / part < most;
}
