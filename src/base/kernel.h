/*
 * MemorySanitizer knows the system calls that the C library wraps, but not all of them. This tells it
 * that the kernel has written `size` bytes at `memory`. Nothing in other builds.
 */
#ifndef CN_BASE_KERNEL_H
#define CN_BASE_KERNEL_H

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define CN_WRITTEN_BY_KERNEL(memory, size) __msan_unpoison(memory, size)
#endif
#endif
#ifndef CN_WRITTEN_BY_KERNEL
#define CN_WRITTEN_BY_KERNEL(memory, size) ((void)0)
#endif

#endif
