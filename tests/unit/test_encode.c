/* The writer of the binary format, held against its reader. */
#include "../support/module.h"

#include "binary/reader.h"
#include "binary/encode.h"

static struct alloc host;

static struct encoder new_encoder(void) {
    cn_alloc_init_default(&host);
    return (struct encoder){.alloc = &host, .limit = LIMIT_MODULE_BYTES};
}

/* Frees it; nothing may be left. */
static void end(struct encoder *e) {
    cn_encoder_free(e);
    assert_int_equal(host.now, 0);
}

static void numbers_come_back(void **state) {
    (void)state;
    struct encoder e = new_encoder();
    uint64_t seen = 0;
    for (unsigned bits = 0; bits < 64; bits++)
        for (int64_t near = -2; near <= 2; near++) {
            uint64_t value = (UINT64_C(1) << bits) + (uint64_t)near;
            e.length = 0;
            cn_encode_u32(&e, (uint32_t)value);
            size_t middle = e.length;
            cn_encode_s64(&e, (int64_t)value);
            cn_encode_s64(&e, (int32_t)value);
            cn_encode_fixed(&e, value, 8);
            struct reader r = {e.bytes, e.bytes + e.length};
            bool too_long;
            uint32_t u;
            int64_t s;
            int32_t narrow;
            assert_true(cn_read_u32_slow(&r, &u, &too_long) && u == (uint32_t)value);
            assert_ptr_equal(r.at, e.bytes + middle);
            /* As short as it gets: a last byte of zero would say nothing. */
            assert_true(middle == 1 || r.at[-1] != 0);
            assert_true(cn_read_s64_slow(&r, &s, &too_long) && s == (int64_t)value);
            assert_true(cn_read_s32_slow(&r, &narrow, &too_long) && narrow == (int32_t)value);
            assert_int_equal(r.end - r.at, 8);
            for (unsigned i = 0; i < 8; i++)
                seen |= (uint64_t)(r.at[i] ^ (uint8_t)(value >> (8 * i)));
        }
    assert_int_equal(seen, 0);
    end(&e);
}

static void places_are_filled(void **state) {
    (void)state;
    static const uint8_t text[300] = {1, 2, 3};
    for (size_t length = 0; length <= sizeof text; length += 50) {
        struct encoder e = new_encoder();
        struct reader r;
        uint32_t found;
        bool too_long;
        cn_encode_byte(&e, 7);
        size_t outer = cn_encode_keep(&e), inner = cn_encode_keep(&e);
        cn_encode_bytes(&e, text, length);
        cn_encode_put(&e, inner, 12345678);
        cn_encode_put_length(&e, outer);
        r = (struct reader){e.bytes + 1, e.bytes + e.length};
        assert_true(cn_read_u32_slow(&r, &found, &too_long));
        assert_int_equal(found, r.end - r.at);
        assert_true(cn_read_u32_slow(&r, &found, &too_long));
        assert_int_equal(found, 12345678);
        assert_int_equal(r.end - r.at, length);
        assert_true(length == 0 || memcmp(r.at, text, length) == 0);
        end(&e);
    }
}

static void too_much_is_told(void **state) {
    (void)state;
    static const uint8_t text[4];
    struct error error;
    struct encoder e = new_encoder();
    cn_encode_bytes(&e, text, sizeof text);
    assert_true(cn_encoder_check(&e, &error));
    cn_encode_bytes(&e, text, (size_t)LIMIT_MODULE_BYTES - 3); /* is not looked at */
    assert_false(cn_encoder_check(&e, &error));
    assert_int_equal(error.status, CATNAP_LIMIT);
    size_t place = cn_encode_keep(&e);
    cn_encode_byte(&e, 1);
    cn_encode_put_length(&e, place);
    assert_int_equal(e.length, 4);
    end(&e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back),
        cmocka_unit_test(places_are_filled),
        cmocka_unit_test(too_much_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
