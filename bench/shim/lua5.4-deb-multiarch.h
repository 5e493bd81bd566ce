/* Debian's Lua takes the directory of C modules from a header made at build time. */
#define DEB_HOST_MULTIARCH "wasm32-wasi"
