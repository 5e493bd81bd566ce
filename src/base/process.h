/*
 * Which process this is. An object that the system ties to a process (threads, descriptors of its
 * address space) notes the number when it is made, and is used only while the number is the same:
 * after fork() the child has another one.
 */
#ifndef CN_BASE_PROCESS_H
#define CN_BASE_PROCESS_H

#include <stdint.h>

/* Never 0, and different from that of each process that this one descends from. Costs two loads
 * (Linux 4.14), else a system call. Async-signal-safe. */
uint64_t cn_os_process(void);

#endif
