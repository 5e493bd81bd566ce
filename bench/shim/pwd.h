/* There is no user database under WASI: no user is found. */
#ifndef BENCH_SHIM_PWD_H
#define BENCH_SHIM_PWD_H

#include <stddef.h>
#include <sys/types.h>

struct passwd {
    char *pw_name, *pw_dir;
};

static inline struct passwd *getpwuid(uid_t user) {
    (void)user;
    return NULL;
}

#endif
