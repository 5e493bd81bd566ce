/* Debian's Lua takes the directory of C modules from a header made at build time; WASI loads none. */
#define DEB_HOST_MULTIARCH "wasm32-wasi"
