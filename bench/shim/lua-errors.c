/* See lua-errors.h. */
#include "lua-errors.h"
#include "lua.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef LUA_UNWIND

#define ASYNCIFY(name) __attribute__((import_module("asyncify"), import_name(name)))

ASYNCIFY("start_unwind") void asyncify_start_unwind(void *saved);
ASYNCIFY("stop_unwind") void asyncify_stop_unwind(void);

static int unwinding;

/* Where asyncify saves the frames' locals: two addresses, then room for them. */
static struct {
    char *next, *end;
    char room[256 * 1024];
} saved;

/* The shadow stack's pointer, which unwound frames do not restore. */
static uintptr_t get_shadow_stack(void) {
    uintptr_t pointer;
    __asm__ volatile(".globaltype __stack_pointer, i32\n"
                     "global.get __stack_pointer\n"
                     "local.set %0"
                     : "=r"(pointer));
    return pointer;
}

static void set_shadow_stack(uintptr_t pointer) {
    __asm__ volatile("local.get %0\n"
                     "global.set __stack_pointer"
                     :
                     : "r"(pointer));
}

/* Not _Noreturn in fact: it returns into the unwinding. */
void lua_throw(struct lua_State *L) {
    (void)L;
    saved.next = saved.room;
    saved.end = saved.room + sizeof(saved.room);
    unwinding = 1;
    asyncify_start_unwind(&saved);
}

__attribute__((noinline)) void lua_catch(void (*function)(struct lua_State *L, void *data),
                                         struct lua_State *L, void *data) {
    uintptr_t shadow_stack = get_shadow_stack();
    function(L, data);
    if (unwinding) {
        unwinding = 0;
        asyncify_stop_unwind();
        set_shadow_stack(shadow_stack);
    }
}

#else

void lua_throw(struct lua_State *L) {
    const char *message = lua_tostring(L, -1);
    fprintf(stderr, "lua: %s\n", message ? message : "(error object or yield)");
    exit(1);
}

void lua_catch(void (*function)(struct lua_State *L, void *data), struct lua_State *L, void *data) {
    function(L, data);
}

#endif
