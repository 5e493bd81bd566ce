/* Reverse complement of a nucleotide sequence with IUPAC codes in lines of 60, in place, as in a
 * FASTA record. The size is the number of nucleotides; done twice it must give back the input. */
#include "kernel.h"

#define LINE 60

static unsigned char complement_of[256];

static void prepare(void) {
    static const char from[] = "ACGTUMRWSYKVHDBN", to[] = "TGCAAKYWSRMBDHVN";
    for (size_t i = 0; from[i]; i++) {
        complement_of[(unsigned char)from[i]] = (unsigned char)to[i];
        complement_of[(unsigned char)from[i] | 32] = (unsigned char)to[i];
    }
}

/* Swaps from both ends inwards, stepping over the line ends, which stay where they are. */
static void reverse_complement(unsigned char *text, size_t length) {
    unsigned char *low = text, *high = text + length;
    while (low < high) {
        if (*low == '\n') {
            low++;
        } else if (high[-1] == '\n') {
            high--;
        } else {
            unsigned char c = complement_of[*low];
            *low++ = complement_of[*--high];
            *high = c;
        }
    }
}

int main(int argc, char **argv) {
    uint32_t count = kernel_size(argc, argv, 8000000);
    size_t length = 0;
    unsigned char *text = kernel_alloc((size_t)count + count / LINE + 2);
    uint32_t seed = 123459876;
    for (uint32_t i = 0; i < count; i++) {
        text[length++] = (unsigned char)"ACGTACGTACGTNRYK"[kernel_random(&seed) >> 9 & 15];
        if (i % LINE == LINE - 1 || i + 1 == count) {
            text[length++] = '\n';
        }
    }
    prepare();
    uint64_t before = kernel_hash(text, length);
    reverse_complement(text, length);
    uint64_t after = kernel_hash(text, length);
    reverse_complement(text, length);
    kernel_check(kernel_hash(text, length) == before, "twice is as it was");
    printf("%016llx %016llx\n", (unsigned long long)before, (unsigned long long)after);
    return 0;
}
