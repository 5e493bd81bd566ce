/* What was counted when operations are profiled (catnap run --profile-ops). */
#include "exec/internal.h"

void cn_profile_rows(const struct machine *vm,
                     void (*row)(void *env, const char *previous, const char *name, uint64_t count),
                     void *env) {
    if (!vm->profile)
        return;
    for (size_t name = 1; name < BC_COUNT; name++) {
        uint64_t sum = 0;
        for (size_t previous = 0; previous < BC_COUNT; previous++) {
            uint64_t count = vm->profile[previous * BC_COUNT + name];
            sum += count;
            if (count && previous)
                row(env, cn_bytecode_info[previous].name, cn_bytecode_info[name].name, count);
        }
        if (sum)
            row(env, NULL, cn_bytecode_info[name].name, sum);
    }
}
