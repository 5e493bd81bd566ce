/* The counts of a store whose operations are profiled, by names (catnap run --profile-ops). */
#include "exec/internal.h"

#include "runtime/profile.h"

void cn_profile_rows(const struct machine *vm,
                     void (*row)(void *env, const char *previous, const char *name, uint64_t count),
                     void *env) {
    for (size_t i = 0; vm->profile && i < vm->profile->capacity; i++) {
        const struct profile_entry *entry = &vm->profile->entries[i];
        if (entry->bytecode == BC_NONE)
            continue;
        const char *previous =
            entry->previous == BC_NONE ? NULL : cn_bytecode_name((enum bytecode)entry->previous);
        row(env, previous, cn_bytecode_name((enum bytecode)entry->bytecode), entry->count);
    }
}
