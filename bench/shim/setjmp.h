/* wasi-libc has no setjmp: a program that needs it says itself how errors travel (see lua.h). */
#ifndef BENCH_SHIM_SETJMP_H
#define BENCH_SHIM_SETJMP_H

typedef int jmp_buf[1];

#endif
