/* Base64 (RFC 4648) of 192 KiB there and back; the size is the number of rounds. */
#include "kernel.h"

#define INPUT (192 * 1024)

static const char alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static signed char value_of[256];

static void prepare(void) {
    memset(value_of, -1, sizeof(value_of));
    for (int i = 0; i < 64; i++) {
        value_of[(unsigned char)alphabet[i]] = (signed char)i;
    }
}

static size_t encode(const unsigned char *in, size_t count, char *out) {
    char *p = out;
    size_t i = 0;
    for (; i + 2 < count; i += 3) {
        uint32_t bits = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];
        *p++ = alphabet[bits >> 18];
        *p++ = alphabet[bits >> 12 & 63];
        *p++ = alphabet[bits >> 6 & 63];
        *p++ = alphabet[bits & 63];
    }
    if (i < count) {
        uint32_t bits = (uint32_t)in[i] << 16 | (i + 1 < count ? (uint32_t)in[i + 1] << 8 : 0);
        *p++ = alphabet[bits >> 18];
        *p++ = alphabet[bits >> 12 & 63];
        *p++ = i + 1 < count ? alphabet[bits >> 6 & 63] : '=';
        *p++ = '=';
    }
    *p = 0;
    return (size_t)(p - out);
}

/* Returns the number of bytes, or -1 at a character that does not belong. */
static long decode(const char *in, size_t count, unsigned char *out) {
    unsigned char *p = out;
    uint32_t bits = 0;
    int have = 0;
    for (size_t i = 0; i < count && in[i] != '='; i++) {
        int value = value_of[(unsigned char)in[i]];
        if (value < 0) {
            return -1;
        }
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            *p++ = (unsigned char)(bits >> have);
        }
    }
    return (long)(p - out);
}

int main(int argc, char **argv) {
    uint32_t rounds = kernel_size(argc, argv, 60);
    unsigned char *input = kernel_alloc(INPUT);
    unsigned char *back = kernel_alloc(INPUT + 3);
    char *text = kernel_alloc(INPUT / 3 * 4 + 5);
    uint32_t seed = 88172645;
    uint64_t hash = 0;
    prepare();
    encode((const unsigned char *)"fooba", 5, text);
    kernel_check(strcmp(text, "Zm9vYmE=") == 0, "base64 of fooba");
    for (size_t i = 0; i < INPUT; i++) {
        input[i] = (unsigned char)(kernel_random(&seed) >> 11);
    }
    for (uint32_t round = 0; round < rounds; round++) {
        size_t count = INPUT - round % 3;
        size_t length = encode(input, count, text);
        kernel_check(decode(text, length, back) == (long)count, "length there and back");
        kernel_check(memcmp(input, back, count) == 0, "bytes there and back");
        hash = hash * 31 + (unsigned char)text[round % length] + length;
        input[round % INPUT] ^= (unsigned char)round;
    }
    printf("%016llx %016llx\n", (unsigned long long)hash,
           (unsigned long long)kernel_hash(text, strlen(text)));
    return 0;
}
