/* Throws and catches in the ways that C++ has; prints what came where. A native build prints the same. */
#include <stdio.h>
#include <stdlib.h>

#define NOINLINE __attribute__((noinline))

static int alive, depth_left;

struct guard {
    const char *name;
    explicit guard(const char *n) : name(n) {
        alive++;
    }
    ~guard() {
        alive--;
        if (name)
            printf("  leave %s\n", name);
    }
};

struct error {
    int code;
    explicit error(int c) : code(c) {
        alive++;
    }
    error(const error &other) : code(other.code) {
        alive++;
    }
    virtual ~error() {
        alive--;
    }
    virtual const char *what() const {
        return "error";
    }
};

struct io_error : error {
    explicit io_error(int c) : error(c) {}
    const char *what() const override {
        return "io_error";
    }
};

struct tagged {
    long long tag = 77;
    virtual ~tagged() {}
};

struct both : tagged, io_error {
    explicit both(int c) : io_error(c) {}
    const char *what() const override {
        return "both";
    }
};

struct base {
    int value = 11;
    virtual ~base() {}
};
struct left : virtual base {
    int l = 1;
};
struct right : virtual base {
    int r = 2;
};
struct diamond : left, right {
    int d = 3;
};

NOINLINE static void raise(int kind) {
    switch (kind) {
    case 0:
        return;
    case 1:
        throw kind;
    case 2:
        throw 2.5;
    case 3:
        throw "text";
    case 4:
        throw error(40);
    case 5:
        throw io_error(50);
    case 6:
        throw both(60);
    case 7:
        throw diamond();
    case 8: {
        static io_error lasting(80);
        throw &lasting;
    }
    default:
        throw static_cast<long long>(kind) << 40;
    }
}

NOINLINE static void describe(int kind) {
    try {
        guard g("try");
        raise(kind);
        puts("  nothing");
    } catch (int i) {
        printf("  int %d\n", i);
    } catch (double d) {
        printf("  double %g\n", d);
    } catch (const char *s) {
        printf("  text %s\n", s);
    } catch (const tagged &t) {
        printf("  tagged %lld\n", t.tag);
    } catch (const io_error &e) {
        printf("  io_error& %s %d\n", e.what(), e.code);
    } catch (error e) {
        printf("  error %s %d\n", e.what(), e.code);
    } catch (base &b) {
        printf("  base %d\n", b.value);
    } catch (error *e) {
        printf("  error* %s %d\n", e->what(), e->code);
    } catch (...) {
        puts("  something");
    }
}

NOINLINE static void again(int kind) {
    try {
        raise(kind);
    } catch (const error &e) {
        printf("  pass on %s\n", e.what());
        throw;
    }
}

NOINLINE static void replace(int kind) {
    guard g("replace");
    try {
        again(kind);
    } catch (io_error &e) {
        guard inner("handler");
        throw error(e.code + 1);
    }
}

/* An exception within the handler of another one, which is caught again afterwards. */
NOINLINE static void nested() {
    try {
        raise(5);
    } catch (const error &outer) {
        try {
            raise(4);
        } catch (const error &inner) {
            printf("  inner %d in outer %d\n", inner.code, outer.code);
        }
        try {
            throw;
        } catch (const io_error &same) {
            printf("  again %d\n", same.code);
        }
    }
}

struct part {
    guard first{"part"};
    explicit part(bool fails) {
        if (fails)
            throw 9;
    }
};

struct whole {
    guard own{"whole"};
    part inner;
    explicit whole(bool fails) try : inner(fails) {
    } catch (int i) {
        printf("  constructor %d\n", i);
        throw error(i);
    }
};

NOINLINE static int descend(int n) {
    guard g(nullptr);
    if (n == 0)
        throw io_error(depth_left);
    int below = descend(n - 1);
    return below + 1;
}

NOINLINE static int count(int turns) {
    int caught = 0, sum = 0;
    for (int i = 0; i < turns; i++) {
        guard g(nullptr);
        try {
            if (i % 3 == 0)
                throw i;
            if (i % 7 == 0)
                continue;
            sum += i;
        } catch (int value) {
            caught++;
            sum ^= value;
        }
    }
    printf("  caught %d, sum %d\n", caught, sum);
    return caught;
}

int main(int argc, char **argv) {
    int frames = argc > 1 ? atoi(argv[1]) : 1000;
    for (int kind = 0; kind < 10; kind++) {
        printf("kind %d\n", kind);
        describe(kind);
    }
    for (int kind = 4; kind < 7; kind++) {
        printf("replaced %d\n", kind);
        try {
            replace(kind);
        } catch (const error &e) {
            printf("  %s %d\n", e.what(), e.code);
        }
    }
    puts("nested");
    nested();
    puts("constructors");
    for (int fails = 0; fails < 2; fails++)
        try {
            whole w(fails);
        } catch (const error &e) {
            printf("  failed %d\n", e.code);
        }
    printf("%d frames\n", frames);
    try {
        printf("  %d\n", descend(frames));
    } catch (const error &e) {
        printf("  %s\n", e.what());
    }
    puts("loop");
    count(10000);
    printf("alive %d\n", alive);
    return 0;
}
