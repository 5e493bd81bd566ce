/* Memory outside of engines. */
#include "api/api.h"

#include <stdlib.h>

void *cn_host_alloc(size_t size) {
    return calloc(1, size);
}

void *cn_host_array(size_t count, size_t size) {
    return calloc(count, size);
}

void cn_host_free(void *pointer) {
    free(pointer);
}
