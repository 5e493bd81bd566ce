/* wasi-libc has no setjmp. With WITH_LONGJMP, clang makes it of exceptions (-mllvm -wasm-enable-sjlj) and longjmp.c is its
 * runtime; without, a program that needs it says itself how errors travel (lua-errors.h). */
#ifndef BENCH_SHIM_SETJMP_H
#define BENCH_SHIM_SETJMP_H

#ifdef WITH_LONGJMP

/* Which call of which function called setjmp, at which of its calls; then what __wasm_longjmp throws. */
typedef struct {
    void *invocation;
    unsigned label;
    struct {
        void *buffer;
        int value;
    } thrown;
} jmp_buf[1];

int setjmp(jmp_buf) __attribute__((returns_twice));
_Noreturn void longjmp(jmp_buf, int);
#define setjmp setjmp

#else

typedef int jmp_buf[1];

#endif
#endif
