/* Functions that POSIX programs expect and wasi-libc lacks; included before every file of the programs that
 * tools/build-programs builds. compat.c defines it. */
#ifndef BENCH_SHIM_COMPAT_H
#define BENCH_SHIM_COMPAT_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* No owners and no permission bits: setting them succeeds and changes nothing. */
int chmod(const char *path, mode_t mode);
int fchmod(int fd, mode_t mode);
int chown(const char *path, uid_t owner, gid_t group);
int fchown(int fd, uid_t owner, gid_t group);
uid_t getuid(void);
uid_t geteuid(void);

/* There is no other process to lock a file against: every lock is granted. */
#ifndef F_SETLK
#define F_GETLK 5
#define F_SETLK 6
#define F_SETLKW 7
#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2

int compat_fcntl(int fd, int command, ...);
#define fcntl compat_fcntl
#endif

/* tmpnam() names nothing, but callers size their buffers. */
#ifndef L_tmpnam
#define L_tmpnam 20
#endif

#endif
