/* Counts a pattern in 1 MiB of text by three algorithms that must agree: first byte and compare,
 * Horspool, and Knuth-Morris-Pratt. The size is the number of patterns. */
#include "kernel.h"

#define TEXT (1024 * 1024)
#define LONGEST 24

static uint32_t count_plain(const char *text, size_t n, const char *pattern, size_t m) {
    uint32_t count = 0;
    for (size_t i = 0; i + m <= n; i++) {
        if (text[i] == pattern[0] && memcmp(text + i, pattern, m) == 0) {
            count++;
        }
    }
    return count;
}

static uint32_t count_horspool(const char *text, size_t n, const char *pattern, size_t m) {
    size_t shift[256];
    uint32_t count = 0;
    for (int c = 0; c < 256; c++) {
        shift[c] = m;
    }
    for (size_t i = 0; i + 1 < m; i++) {
        shift[(unsigned char)pattern[i]] = m - 1 - i;
    }
    for (size_t i = 0; i + m <= n; i += shift[(unsigned char)text[i + m - 1]]) {
        size_t j = m;
        while (j > 0 && text[i + j - 1] == pattern[j - 1]) {
            j--;
        }
        count += j == 0;
    }
    return count;
}

static uint32_t count_kmp(const char *text, size_t n, const char *pattern, size_t m) {
    size_t border[LONGEST + 1] = {0};
    uint32_t count = 0;
    size_t k = 0;
    for (size_t i = 1; i < m; i++) {
        while (k > 0 && pattern[i] != pattern[k]) {
            k = border[k];
        }
        k += pattern[i] == pattern[k];
        border[i + 1] = k;
    }
    k = 0;
    for (size_t i = 0; i < n; i++) {
        while (k > 0 && text[i] != pattern[k]) {
            k = border[k];
        }
        k += text[i] == pattern[k];
        if (k == m) {
            count++;
            k = border[k];
        }
    }
    return count;
}

int main(int argc, char **argv) {
    uint32_t patterns = kernel_size(argc, argv, 16);
    char *text = kernel_alloc(TEXT);
    uint32_t seed = 521288629;
    uint64_t total = 0;
    for (size_t i = 0; i < TEXT; i++) {
        /* A small and uneven alphabet, so that near misses are frequent. */
        text[i] = "aaaabbbccdeeeefg"[kernel_random(&seed) >> 7 & 15];
    }
    for (uint32_t p = 0; p < patterns; p++) {
        size_t m = 3 + p % (LONGEST - 2);
        const char *pattern = text + kernel_random(&seed) % (TEXT - LONGEST);
        uint32_t count = count_plain(text, TEXT, pattern, m);
        kernel_check(count > 0, "a pattern that is there");
        kernel_check(count_horspool(text, TEXT, pattern, m) == count, "Horspool");
        kernel_check(count_kmp(text, TEXT, pattern, m) == count, "Knuth-Morris-Pratt");
        total += count;
    }
    kernel_check(count_horspool(text, TEXT, "abcXabc", 7) == 0, "a pattern that is not there");
    printf("%llu\n", (unsigned long long)total);
    return 0;
}
