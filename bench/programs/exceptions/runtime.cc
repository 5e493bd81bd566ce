/*
 * The library that C++ needs to throw and catch, for WebAssembly: the part of the Itanium C++ ABI that catch.cc uses, and
 * LLVM's convention for landing pads. A landing pad writes its number and its function's table (LSDA) into
 * __wasm_lpad_context, calls _Unwind_CallPersonality, and finds there which of its clauses catches.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "typeinfo.h"

__asm__(".globl __cpp_exception\n"
        ".tagtype __cpp_exception i32\n"
        "__cpp_exception:\n");

enum { TAG_CPP_EXCEPTION = 0 };

/* ---- types ---- */

namespace std {
type_info::~type_info() {}

bool type_info::is(const type_info *other) const {
    return this == other || strcmp(name, other->name) == 0;
}

bool type_info::find_base(const type_info *base, void **) const {
    return is(base);
}

const type_info *type_info::pointee() const {
    return nullptr;
}
} // namespace std

namespace __cxxabiv1 {
/* Where a destructor that is no inline function is defined, the compiler puts the types that it belongs to. */
__fundamental_type_info::~__fundamental_type_info() {}
__pointer_type_info::~__pointer_type_info() {}
__class_type_info::~__class_type_info() {}
__si_class_type_info::~__si_class_type_info() {}
__vmi_class_type_info::~__vmi_class_type_info() {}

const std::type_info *__pointer_type_info::pointee() const {
    return to;
}

bool __si_class_type_info::find_base(const std::type_info *other, void **object) const {
    return is(other) || base->find_base(other, object);
}

bool __vmi_class_type_info::find_base(const std::type_info *other, void **object) const {
    enum { VIRTUAL = 1, PUBLIC = 2 };
    if (is(other))
        return true;
    for (unsigned i = 0; i < count; i++) {
        ptrdiff_t offset = bases[i].offset_flags >> 8;
        char *start = static_cast<char *>(*object);
        if (bases[i].offset_flags & VIRTUAL) /* that is where the vtable holds it */
            offset = *reinterpret_cast<ptrdiff_t *>(*reinterpret_cast<char **>(start) + offset);
        void *part = start + offset;
        if ((bases[i].offset_flags & PUBLIC) && bases[i].base->find_base(other, &part)) {
            *object = part;
            return true;
        }
    }
    return false;
}
} // namespace __cxxabiv1

/* Whether a clause of type `wanted` catches an object of type `thrown`, which is then at *object; a pointer is its value. */
static bool catches(const std::type_info *wanted, const std::type_info *thrown, void **object) {
    if (!wanted->pointee() || !thrown->pointee())
        return thrown->find_base(wanted, object);
    void *value = *static_cast<void **>(*object);
    bool found = wanted->is(thrown) || strcmp(wanted->pointee()->name, "v") == 0 ||
                 (value && thrown->pointee()->find_base(wanted->pointee(), &value));
    if (found)
        *object = value;
    return found;
}

/* ---- exceptions: a header, and the object behind it ---- */

struct alignas(16) exception {
    std::type_info *type;
    void *(*destructor)(void *); /* which returns the object, for WebAssembly */
    void *caught;                /* what the clause gets */
    int handlers;     /* that are under way; below 0 when it was thrown again from the innermost */
    exception *outer; /* caught before it */
};

static exception *innermost; /* of those caught */

static void destroy(exception *e) {
    if (e->destructor)
        e->destructor(e + 1);
    free(e);
}

namespace std {
[[noreturn]] void terminate() {
    puts("terminate");
    exit(3);
}
} // namespace std

extern "C" {
struct {
    uintptr_t pad;
    const uint8_t *table;
    uintptr_t selector;
} __wasm_lpad_context;

void *__cxa_allocate_exception(size_t size) {
    exception *e = static_cast<exception *>(calloc(1, sizeof(exception) + size));
    if (!e)
        std::terminate();
    return e + 1;
}

void __cxa_free_exception(void *object) {
    free(static_cast<exception *>(object) - 1);
}

[[noreturn]] void __cxa_throw(void *object, std::type_info *type, void *(*destructor)(void *)) {
    exception *e = static_cast<exception *>(object) - 1;
    e->type = type;
    e->destructor = destructor;
    __builtin_wasm_throw(TAG_CPP_EXCEPTION, e);
}

void *__cxa_get_exception_ptr(void *thrown) {
    return static_cast<exception *>(thrown)->caught;
}

void *__cxa_begin_catch(void *thrown) {
    exception *e = static_cast<exception *>(thrown);
    e->handlers = (e->handlers < 0 ? -e->handlers : e->handlers) + 1;
    if (e != innermost) {
        e->outer = innermost;
        innermost = e;
    }
    return e->caught;
}

void __cxa_end_catch(void) {
    exception *e = innermost;
    bool again = e->handlers < 0;
    e->handlers += again ? 1 : -1;
    if (e->handlers != 0)
        return;
    innermost = e->outer;
    if (!again)
        destroy(e);
}

[[noreturn]] void __cxa_rethrow(void) {
    exception *e = innermost;
    if (!e)
        std::terminate();
    e->handlers = -e->handlers;
    __builtin_wasm_throw(TAG_CPP_EXCEPTION, e);
}

/* ---- tables ---- */

static uintptr_t read_unsigned(const uint8_t **at) {
    uintptr_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uintptr_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return value;
    }
}

static intptr_t read_signed(const uint8_t **at) {
    const uint8_t *start = *at;
    uintptr_t value = read_unsigned(at);
    unsigned bits = (unsigned)(*at - start) * 7;
    if (bits < 32 && ((*at)[-1] & 0x40))
        value |= ~(uintptr_t)0 << bits;
    return (intptr_t)value;
}

/* header, then a pair of numbers for each landing pad: (unused, first action + 1); actions: (type's number, distance of the
 * next one); types, backwards from `types`. */
int _Unwind_CallPersonality(void *thrown) {
    enum { NOT_THERE = 0xFF, DONE = 0 };
    exception *e = static_cast<exception *>(thrown);
    const uint8_t *at = __wasm_lpad_context.table;
    __wasm_lpad_context.selector = 0;
    if (*at++ != NOT_THERE)
        read_unsigned(&at);
    const uint8_t *types = nullptr;
    if (*at++ != NOT_THERE) {
        uintptr_t distance = read_unsigned(&at);
        types = at + distance;
    }
    at++; /* how the pairs are encoded */
    uintptr_t size = read_unsigned(&at);
    const uint8_t *actions = at + size;
    uintptr_t action = 0;
    for (uintptr_t i = 0; i <= __wasm_lpad_context.pad; i++) {
        read_unsigned(&at);
        action = read_unsigned(&at);
    }
    for (at = actions + action - 1; action != 0;) { /* 0: it only cleans up */
        intptr_t number = read_signed(&at);
        const uint8_t *here = at;
        intptr_t next = read_signed(&at);
        const std::type_info *type = nullptr;
        if (number > 0)
            memcpy(&type, types - number * (intptr_t)sizeof type, sizeof type);
        e->caught = e + 1;
        if (number > 0 && (!type || catches(type, e->type, &e->caught))) {
            __wasm_lpad_context.selector = (uintptr_t)number;
            break;
        }
        if (next == 0)
            break;
        at = here + next;
    }
    return DONE;
}

int __gxx_wasm_personality_v0(void) {
    return 0;
}

void __cxa_pure_virtual(void) {
    std::terminate();
}
}

void operator delete(void *object) noexcept {
    free(object);
}

void operator delete(void *object, size_t) noexcept {
    free(object);
}
