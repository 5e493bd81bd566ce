/*
 * The fast validator in lock step with the full one (lockstep.h), on bodies that are enumerated, made and
 * mutated, with tiny limits, so that each of them is met all the time. test_lockstep_real.c is the same
 * with the limits of the library.
 *
 * With arguments it compares them on the bodies of these modules instead.
 */
#ifdef REAL_LIMITS
#undef CATNAP_TINY_LIMITS
#elif !defined(CATNAP_TINY_LIMITS)
#define CATNAP_TINY_LIMITS
#endif

#include <sys/mman.h>
#include <unistd.h>

#include "bodies.h"
#include "opcode.h"

static void report_body(void);
#define DISAGREE(...)                                                                              \
    do {                                                                                           \
        report_body();                                                                             \
        fail_msg(__VA_ARGS__);                                                                     \
        abort();                                                                                   \
    } while (0)
#include "lockstep.h"

#define BEHIND REACH /* bytes behind the bodies: as few as the fast validator asks for */
#define FILE_BEHIND 256u

/* The body at hand, for messages. */
static struct {
    const uint8_t *bytes;
    size_t size;
    const char *world;
    uint64_t seed;
} at_hand;

static void report_body(void) {
    fprintf(stderr, "world \"%s\", seed %llu, body:", at_hand.world,
            (unsigned long long)at_hand.seed);
    for (size_t i = 0; i < at_hand.size && i < 4096; i++)
        fprintf(stderr, " %02x", at_hand.bytes[i]);
    fputc('\n', stderr);
}

/* ---- A module of a world ---- */

struct place {
    struct alloc alloc;
    struct type_registry registry;
    struct bytes bytes;
    struct bench bench;
    const struct world *world;
    uint32_t verdicts[4]; /* how often judge() gave each */
};

static void open_place(struct place *p, const struct world *w) {
    struct error error = {.status = CATNAP_OK};
    memset(p, 0, sizeof *p);
    p->world = w;
    cn_alloc_init_default(&p->alloc);
    assert_true(cn_types_init(&p->registry, &p->alloc));
    p->bytes = world_bytes(w);
    struct module *m =
        cn_module_decode(&p->alloc, &p->registry, CATNAP_FEATURES_DEFAULT & ~w->without,
                         p->bytes.data, p->bytes.size, NULL, &error);
    if (!m || !cn_validate_declarations(m, &error))
        fail_msg("%s: %s", w->name, error.message);
    assert_true(open_bench(&p->bench, m));
    assert_non_null(p->bench.fast);
    at_hand.world = w->name;
}

static void close_place(struct place *p) {
    struct module *m = p->bench.m;
    close_bench(&p->bench);
    m->bytes = p->bytes.data;
    m->size = p->bytes.size;
    cn_module_release(m);
    cn_types_destroy(&p->registry);
    assert_int_equal(atomic_load(&p->alloc.now), 0);
    drop_bytes(&p->bytes);
}

/* Room for so many bytes, at whose end reading is a fault. */
static uint8_t *fenced(size_t size) {
    static uint8_t *fence;
    const size_t room = 1 << 20, page = (size_t)sysconf(_SC_PAGESIZE);
    if (!fence) {
        uint8_t *map =
            mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(map != MAP_FAILED);
        assert_int_equal(mprotect(map + room, page, PROT_NONE), 0);
        fence = map + room;
    }
    assert_true(size <= room);
    return fence - size;
}

static uint32_t judge_span(struct place *p, uint32_t func, const uint8_t *bytes, struct span body,
                           size_t known) {
    at_hand.bytes = bytes + body.offset;
    at_hand.size = body.length;
    uint32_t verdict = judge(&p->bench, func, body, known);
    p->verdicts[verdict]++;
    return verdict;
}

/* One body alone, behind eight bytes and before many that end blocks. */
static uint32_t judge_one(struct place *p, uint32_t func, const struct bytes *body) {
    uint8_t *bytes = fenced(8 + body->size + BEHIND);
    memset(bytes, 0, 8);
    memcpy(bytes + 8, body->data, body->size);
    memset(bytes + 8 + body->size, 0x0B, BEHIND);
    set_bytes(&p->bench, bytes, 8 + body->size + BEHIND);
    return judge_span(p, func, bytes, (struct span){8, (uint32_t)body->size},
                      8 + body->size + BEHIND);
}

/* ---- Rows ---- */

/* The conditions on each row that the loop relies on; opcodes that need more than a row have none. */
static void rows_are_whole(void **state) {
    (void)state;
    uint32_t taken = 0, plain = 0;
    for (uint32_t opcode = 0; opcode < 256; opcode++) {
        const struct op_info *info = &cn_op_info[opcode];
        plain += cn_op_name(info) && info->result != OPT_SPECIAL &&
                 (info->feature & ~CATNAP_FEATURE_SIGN_EXTENSION) == 0;
        assert_true((rows[opcode].mask & EIGHTH) == EIGHTH);
        if (rows[opcode].blocks == NEVER)
            continue;
        assert_non_null(cn_op_name(info));
        assert_true((info->feature & ~CATNAP_FEATURE_SIGN_EXTENSION) == 0);
        taken++;
    }
    assert_int_equal(taken, plain + 11); /* control, locals, nop */
}

/* ---- Enumerated bodies ---- */

/* Function 0: two parameters, i32 and i64, and a result i32. */
static const struct {
    uint8_t size, bytes[10];
} alphabet[] = {
    {2, {0x20, 0}},          {2, {0x20, 1}},    {2, {0x21, 0}},    {2, {0x22, 1}},
    {2, {0x41, 0}},          {1, {0x6A}},       {1, {0xA7}},       {3, {0x28, 2, 0}},
    {3, {0x3B, 2, 0}},       {3, {0x3D, 1, 0}}, {1, {0x1A}},       {1, {0x1B}},
    {2, {0x02, 0x40}},       {2, {0x03, 0x40}}, {2, {0x04, 0x40}}, {2, {0x02, 0x7F}},
    {2, {0x03, 0x7F}},       {2, {0x04, 0x7F}}, {1, {0x05}},       {1, {0x0B}},
    {2, {0x0C, 0}},          {2, {0x0C, 1}},    {2, {0x0D, 0}},    {2, {0x0D, 1}},
    {4, {0x0E, 1, 0, 1}},    {1, {0x0F}},       {1, {0x00}},       {2, {0x10, 17}},
    {9, {0x44, 0x0B, 0x0B}}, {2, {0xD0, 0x70}},
};
#define LETTERS (sizeof alphabet / sizeof *alphabet)

static uint32_t opened_by(uint8_t opcode) {
    return opcode >= OP_block && opcode <= OP_if_;
}

/* All sequences of so many letters behind a beginning, with the ends that are missing, and before them a
 * result or none. */
static void enumerate(struct place *p, const struct bytes *beginning, uint32_t depth) {
    uint64_t count = 1;
    for (uint32_t i = 0; i < depth; i++)
        count *= LETTERS;
    for (uint64_t number = 0; number < 2 * count; number++) {
        struct bytes body = {0};
        uint64_t rest = number / 2;
        uint32_t open = 1;
        at_hand.seed = number;
        put_bytes(&body, beginning->data, beginning->size);
        for (uint32_t i = 0; i < depth; i++, rest /= LETTERS) {
            put_bytes(&body, alphabet[rest % LETTERS].bytes, alphabet[rest % LETTERS].size);
            open += opened_by(alphabet[rest % LETTERS].bytes[0]);
            open -= open > 0 && alphabet[rest % LETTERS].bytes[0] == OP_end;
        }
        if (number & 1)
            PUT(&body, 0x41, 0);
        for (; open > 0; open--)
            put(&body, OP_end);
        judge_one(p, 0, &body);
        drop_bytes(&body);
    }
}

static void short_bodies_agree(void **state) {
    (void)state;
    struct place p;
    open_place(&p, &worlds[0]);
    for (uint32_t operands = 0; operands < 14; operands++) {
        struct bytes beginning = {0};
        put(&beginning, 0);
        for (uint32_t i = 0; i < operands; i++)
            PUT(&beginning, 0x20, i & 1);
        enumerate(&p, &beginning, operands == 0 ? 3 : 2);
        for (uint32_t i = 0; i < 61 - 2 * operands; i++) /* across the end of a tiny window */
            put(&beginning, OP_nop);
        enumerate(&p, &beginning, 2);
        drop_bytes(&beginning);
    }
    assert_true(p.verdicts[0] > 10000 && p.verdicts[3] > 500);
    close_place(&p);
}

/* Every opcode byte with every byte behind it, above any number of operands of one type. */
static void all_pairs_of_bytes_agree(void **state) {
    (void)state;
    for (size_t w = 0; w < WORLDS; w++) {
        struct place p;
        open_place(&p, &worlds[w]);
        for (uint32_t pair = 0; pair < 0x10000; pair++) {
            uint32_t operands = pair * 7 % 14, type = pair * 5 / 3 % 4;
            for (uint32_t tries = 0; tries < 3; tries++, operands = (operands + 5) % 14, type++) {
                struct bytes body = {0};
                at_hand.seed = pair;
                put(&body, 0);
                for (uint32_t i = 0; i < operands; i++)
                    put_zero_of(&body, type_codes[(type + (i == 0)) % 4]);
                PUT(&body, (uint8_t)(pair >> 8), (uint8_t)pair, 0);
                for (uint32_t i = 1; i < operands; i++)
                    put(&body, OP_drop);
                PUT(&body, 0x41, 0, 0x0B, 0x0B);
                judge_one(&p, 0, &body);
                drop_bytes(&body);
            }
        }
        close_place(&p);
    }
}

static void put_immediate(struct bytes *b, uint8_t immediate, uint32_t byte) {
    uint32_t zeros = immediate == IMM_F32       ? 3
                     : immediate == IMM_F64     ? 7
                     : immediate >= IMM_ATOMIC0 ? 1 + (immediate >= IMM_MEM0_LANE)
                     : immediate == IMM_V128    ? 15
                     : immediate == IMM_SHUFFLE
                         ? 15
                         : immediate == IMM_MEMORY_COPY || immediate == IMM_MEMORY_INIT;
    if (immediate == IMM_NONE)
        return;
    put(b, (uint8_t)byte);
    for (; zeros > 0; zeros--)
        put(b, 0);
}

/* Each plain instruction with operands as it wants them or one that is wrong, above others of its kind,
 * with any byte behind it. */
static void put_plain(struct bytes *b, uint32_t opcode, uint32_t below, uint32_t wrong,
                      uint32_t byte) {
    const struct op_info *info = &cn_op_info[opcode];
    put(b, 0);
    for (uint32_t i = 0; i < below; i++)
        PUT(b, 0x41, 0);
    for (uint32_t i = 0; i < info->operand_count; i++)
        put_zero_of(b, i != wrong ? info->operands[i] : info->operands[i] == 0x7F ? 0x7E : 0x7F);
    put_opcode(b, opcode);
    put_immediate(b, info->immediate, byte);
    for (uint32_t i = 0; i < below + (info->result != OPT_NOTHING); i++)
        put(b, OP_drop);
    PUT(b, 0x41, 0, 0x0B);
}

static void plain_instructions_agree(void **state) {
    (void)state;
    static const uint8_t bytes[] = {0,  1,  2,    3,    4,    5,    7,    8,    15,  16,
                                    31, 32, 0x3F, 0x40, 0x41, 0x42, 0x7F, 0x80, 0xFF};
    for (size_t w = 0; w < WORLDS; w++) {
        struct place p;
        open_place(&p, &worlds[w]);
        for (uint32_t opcode = 0; opcode < OPCODE_LIMIT; opcode++) {
            const struct op_info *info = &cn_op_info[opcode];
            if (!cn_op_name(info) || info->result == OPT_SPECIAL)
                continue;
            uint32_t count = info->immediate == IMM_NONE ? 1 : sizeof bytes;
            for (uint32_t i = 0; i < count; i++) {
                for (uint32_t below = 0; below < 14; below++) {
                    struct bytes body = {0};
                    at_hand.seed = opcode;
                    put_plain(&body, opcode, below, below % 4 == 3 ? below / 4 : UINT32_MAX,
                              bytes[i]);
                    judge_one(&p, 0, &body);
                    drop_bytes(&body);
                }
            }
        }
        close_place(&p);
    }
}

/* Wide arithmetic with up to five operands, of which one may be wrong, above any number of others. */
static void wide_arithmetic_agrees(void **state) {
    (void)state;
    struct place p;
    open_place(&p, &worlds[0]);
    for (uint32_t opcode = 0; opcode < OPCODE_LIMIT; opcode++)
        for (uint32_t variant = 0; (cn_op_info[opcode].flags & OPF_TWO_I64) && variant < 14 * 6 * 6;
             variant++) {
            uint32_t below = variant % 14, count = variant / 14 % 6, wrong = variant / 84;
            struct bytes body = {0};
            at_hand.seed = variant;
            put(&body, 0);
            for (uint32_t i = 0; i < below; i++)
                PUT(&body, 0x41, 0);
            for (uint32_t i = 0; i < count; i++)
                put_zero_of(&body, i == wrong ? 0x7F : 0x7E);
            put_opcode(&body, opcode);
            put_opcode(&body, OP_i64_add); /* of both results */
            for (uint32_t i = cn_op_info[opcode].operand_count; i < below + count + 1; i++)
                put(&body, OP_drop);
            PUT(&body, 0x41, 0, 0x0B);
            judge_one(&p, 0, &body);
            drop_bytes(&body);
        }
    assert_true(p.verdicts[0] > 100 && p.verdicts[3] > 100);
    close_place(&p);
}

/* Tables, locals and numbers that claim to go on behind the body, where nothing is that contradicts them. */
static void nothing_behind_is_read(void **state) {
    (void)state;
    static const struct {
        uint8_t size, bytes[12];
    } bodies[] = {
        {8, {0, 0x41, 0, 0x0E, 0xFF, 0xFF, 0x7F, 0}},
        {9, {0, 0x41, 0, 0x0E, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F}},
        {6, {0, 0x41, 0, 0x0E, 0x80, 0x80}},
        {4, {0xFF, 0xFF, 0x7F, 0}},
        {5, {0xFF, 0xFF, 0xFF, 0xFF, 0x0F}},
        {2, {0xFF, 0x7F}},
        {3, {0, 0x41, 0x80}},
        {3, {0, 0x42, 0xFF}},
        {2, {0, 0x44}},
        {3, {0, 0xFD, 0x0C}},
        {5, {0, 0x41, 0, 0x28, 2}},
        {1, {0}},
        {1, {0x80}},
    };
    struct place p;
    open_place(&p, &worlds[0]);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        for (uint32_t nops = 0; nops < 200; nops++) {
            struct bytes all = {0};
            for (uint32_t k = 0; k < nops; k++)
                put(&all, OP_nop);
            put_bytes(&all, bodies[i].bytes, bodies[i].size);
            size_t size = all.size - nops;
            for (uint32_t k = 0; k < REACH; k++)
                put(&all, 0);
            uint8_t *bytes = fenced(all.size);
            memcpy(bytes, all.data, all.size);
            set_bytes(&p.bench, bytes, all.size);
            assert_int_equal(
                judge_span(&p, 1, bytes, (struct span){nops, (uint32_t)size}, all.size), 0);
            drop_bytes(&all);
        }
    }
    close_place(&p);
}

/* ---- Bodies at random ---- */

#define BATCH 4u /* bodies that lie one behind another */

/* Judges them in one window of bytes, with gaps; `known` ends far behind, or as a stream lets it. */
static void judge_batch(struct place *p, struct random *r, const uint32_t *funcs,
                        const struct bytes *bodies) {
    static const uint8_t tails[][2] = {{0x0B, 0x0B}, {0, 0}, {0x1A, 0x0B}, {0x80, 0x80}, {0x41, 0}};
    const uint8_t *tail = tails[random_below(r, 5)];
    struct bytes all = {0};
    struct span spans[BATCH];
    bool streamed = random_percent(r, 50);
    size_t known = 0;
    for (uint32_t i = 0; i < BATCH; i++) {
        for (uint32_t gap = random_below(r, 70); gap > 0; gap--)
            put(&all, tail[gap & 1]);
        spans[i] = (struct span){(uint32_t)all.size, (uint32_t)bodies[i].size};
        put_bytes(&all, bodies[i].data, bodies[i].size);
    }
    for (uint32_t i = 0; i < BEHIND; i++)
        put(&all, tail[i & 1]);
    uint8_t *bytes = fenced(all.size);
    memcpy(bytes, all.data, all.size);
    set_bytes(&p->bench, bytes, all.size);
    for (uint32_t i = 0; i < BATCH; i++) {
        size_t least = (size_t)spans[i].offset + spans[i].length + random_below(r, 200);
        if (least > known)
            known = least;
        if (!streamed || known > all.size)
            known = all.size;
        judge_span(p, funcs[i], bytes, spans[i], known);
    }
    drop_bytes(&all);
}

static void make_batch(struct place *p, struct random *r, uint32_t *funcs, struct bytes *bodies,
                       uint32_t long_table) {
    static struct maker maker;
    for (uint32_t i = 0; i < BATCH; i++) {
        maker = (struct maker){.r = r,
                               .w = p->world,
                               .m = p->bench.m,
                               .out = &bodies[i],
                               .want_deep = random_percent(r, 30) ? random_below(r, 40) : 0,
                               .long_table = long_table,
                               .percent_wide = random_percent(r, 30) ? 20 : 0};
        do
            funcs[i] = random_below(r, p->bench.m->func_count);
        while (module_func_type(p->bench.m, funcs[i])->result_count > 1);
        make_body(&maker, funcs[i], random_below(r, random_percent(r, 80) ? 30 : 200));
    }
}

/* Batches of one world: as they are made, then with mutations. */
static void judge_seeds(struct place *p, uint64_t first, uint64_t last, uint32_t long_table,
                        uint32_t made[4]) {
    for (uint64_t seed = first; seed < last; seed++) {
        struct random r = {seed * 1000003};
        struct bytes bodies[BATCH] = {{0}};
        uint32_t funcs[BATCH];
        at_hand.seed = seed;
        make_batch(p, &r, funcs, bodies, long_table);
        judge_batch(p, &r, funcs, bodies);
        for (uint32_t i = 0; i < 4; i++)
            made[i] += p->verdicts[i];
        for (uint32_t round = 0; round < 6; round++) {
            for (uint32_t i = 0; i < BATCH; i++)
                if (bodies[i].size < 5000 || round == 0)
                    mutate(&bodies[i], &r);
            judge_batch(p, &r, funcs, bodies);
        }
        memset(p->verdicts, 0, sizeof p->verdicts);
        for (uint32_t i = 0; i < BATCH; i++)
            drop_bytes(&bodies[i]);
    }
}

static void made_bodies_agree(void **state) {
    (void)state;
    uint32_t made[4] = {0};
    lockstep_count = lockstep_spilled = 0;
    for (size_t w = 0; w < WORLDS; w++) {
        struct place p;
        open_place(&p, &worlds[w]);
        judge_seeds(&p, w * 1000000, w * 1000000 + 500, 0, made);
        close_place(&p);
    }
    /* Most are valid, and the fast validator takes many of them; otherwise this would say nothing. */
    uint32_t all = made[0] + made[2] + made[3];
    assert_int_equal(made[1], 0);
    assert_true(made[2] + made[3] > all / 10 * 8);
    assert_true(made[3] > all / 10);
    assert_true(lockstep_count > 100000);
#ifdef CATNAP_TINY_LIMITS
    assert_true(lockstep_spilled > 1000);
#endif
}

static void long_tables_agree(void **state) {
    (void)state;
    uint32_t made[4] = {0};
    struct place p;
    open_place(&p, &worlds[0]);
    judge_seeds(&p, 77000000, 77000000 + 150, WINDOW, made);
    close_place(&p);
    assert_int_equal(made[1], 0);
    assert_true(made[3] > 30);
}

/* ---- Real modules ---- */

static uint8_t *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    if (!file || fseek(file, 0, SEEK_END) != 0)
        fail_msg("%s cannot be read", path);
    long end = ftell(file);
    rewind(file);
    bytes = calloc(1, (size_t)end + FILE_BEHIND);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)end, file), (size_t)end);
    fclose(file);
    *size = (size_t)end;
    return bytes;
}

static void judge_module(struct module *m, const uint8_t *bytes, size_t size,
                         uint64_t verdicts[4]) {
    struct bench bench;
    assert_true(open_bench(&bench, m));
    for (uint32_t func = m->imported_func_count; func < m->func_count; func++) {
        struct span body = cn_module_body(m, func);
        at_hand.bytes = bytes + body.offset;
        at_hand.size = body.length;
        verdicts[judge(&bench, func, body, size + FILE_BEHIND)]++;
    }
    close_bench(&bench);
}

static void judge_file(const char *path) {
    struct alloc alloc;
    struct type_registry registry;
    struct error error = {.status = CATNAP_OK};
    uint64_t verdicts[4] = {0};
    size_t size;
    uint8_t *bytes = read_file(path, &size);
    at_hand.world = path;
    cn_alloc_init_default(&alloc);
    assert_true(cn_types_init(&registry, &alloc));
    struct module *m =
        cn_module_decode(&alloc, &registry, CATNAP_FEATURES_DEFAULT, bytes, size, NULL, &error);
    if (m && cn_validate_declarations(m, &error))
        judge_module(m, bytes, size, verdicts);
    printf("%s: %llu bodies accepted, %llu left to the full validator, %llu invalid%s%s\n", path,
           (unsigned long long)verdicts[3], (unsigned long long)verdicts[2],
           (unsigned long long)verdicts[0], error.message[0] ? "; " : "", error.message);
    cn_module_release(m);
    cn_types_destroy(&registry);
    free(bytes);
}

static char **files;
static int file_count;

static void files_agree(void **state) {
    (void)state;
    for (int i = 0; i < file_count; i++)
        judge_file(files[i]);
}

int main(int argc, char **argv) {
    const struct CMUnitTest of_files[] = {cmocka_unit_test(files_agree)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_whole),           cmocka_unit_test(short_bodies_agree),
        cmocka_unit_test(all_pairs_of_bytes_agree), cmocka_unit_test(plain_instructions_agree),
        cmocka_unit_test(wide_arithmetic_agrees),   cmocka_unit_test(nothing_behind_is_read),
        cmocka_unit_test(made_bodies_agree),        cmocka_unit_test(long_tables_agree),
    };
    files = argv + 1;
    file_count = argc - 1;
    if (file_count > 0)
        return cmocka_run_group_tests_name("unit/lockstep", of_files, NULL, NULL);
    return cmocka_run_group_tests_name("unit/lockstep", tests, NULL, NULL);
}
