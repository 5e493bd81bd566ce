/* How Lua's errors (and the yields of its coroutines) travel without setjmp.
 *
 * Plain: an error prints its message and ends the program; pcall works as long as nothing fails.
 *
 * With LUA_UNWIND: as they should. Binaryen's asyncify pass instruments the module so that its
 * frames can be unwound; throwing starts to unwind, and lua_catch(), which the pass leaves alone,
 * stops it. Nothing is ever rewound, so what asyncify saves on the way is thrown away. */
#ifndef BENCH_SHIM_LUA_ERRORS_H
#define BENCH_SHIM_LUA_ERRORS_H

struct lua_State;

_Noreturn void lua_throw(struct lua_State *L);
void lua_catch(void (*function)(struct lua_State *L, void *data), struct lua_State *L, void *data);

#define LUAI_THROW(L, c) lua_throw(L)
#define LUAI_TRY(L, c, a) lua_catch(f, L, ud); /* the body `a` is (*f)(L, ud) */
#define luai_jmpbuf int

#endif
