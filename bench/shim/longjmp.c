/* The functions that clang calls for setjmp and longjmp when it makes them of exceptions. A function that calls
 * setjmp catches the tag __c_longjmp, asks whether the jump is to one of its own calls, and throws it again
 * otherwise. */
#include <setjmp.h>

#ifdef WITH_LONGJMP

__asm__(".globl __c_longjmp\n"
        ".tagtype __c_longjmp i32\n"
        "__c_longjmp:\n");

enum { TAG_LONGJMP = 1 };

void __wasm_setjmp(jmp_buf buffer, unsigned label, void *invocation) {
    buffer->invocation = invocation;
    buffer->label = label;
}

/* The label of the call of setjmp in this call of the function; 0: it is another one's. */
unsigned __wasm_setjmp_test(jmp_buf buffer, void *invocation) {
    return buffer->invocation == invocation ? buffer->label : 0;
}

void __wasm_longjmp(jmp_buf buffer, int value) {
    buffer->thrown.buffer = buffer;
    buffer->thrown.value = value ? value : 1;
    __builtin_wasm_throw(TAG_LONGJMP, &buffer->thrown);
}

#endif
