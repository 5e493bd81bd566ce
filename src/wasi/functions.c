/* The table of functions, and the two layouts of what they store. */
#include <stdio.h>

#include "wasi/state.h"

const struct wasi_function cn_wasi_functions[] = {
#define F(name, signature, unstable) {#name, signature, unstable, cn_wasi_##name},
#include "wasi/functions.def"
#undef F
};

const size_t cn_wasi_function_count = sizeof cn_wasi_functions / sizeof cn_wasi_functions[0];

const struct wasi_layout cn_wasi_layout_preview1 = {
    .filestat_size = 64,
    .filestat_nlink = 24,
    .filestat_nlink_bytes = 8,
    .filestat_times = 32,
    .subscription_size = 48,
    .subscription_clock = 16,
    .whence = {SEEK_SET, SEEK_CUR, SEEK_END},
};

const struct wasi_layout cn_wasi_layout_unstable = {
    .filestat_size = 56,
    .filestat_nlink = 20,
    .filestat_nlink_bytes = 4,
    .filestat_times = 24,
    .subscription_size = 56,
    .subscription_clock = 24,
    .whence = {SEEK_CUR, SEEK_END, SEEK_SET},
};
