#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"

/* The largest module that the JavaScript API's implementation limits allow. */
#define LARGEST_MODULE (UINT64_C(1) << 30)
#define LARGEST_TEXT (UINT64_C(256) << 20)
#define FIRST_READ 65536
/* Memory for a large file is made of pages of this size where the kernel has them: the copy of a
 * 30 MB module then takes 13 ms instead of 38. */
#define HUGE_PAGE ((size_t)2 << 20)

const char *display_name(const char *path) {
    return strcmp(path, "-") == 0 ? "<stdin>" : path;
}

void bytes_free(struct bytes *bytes) {
    free((void *)bytes->data);
    *bytes = (struct bytes){0};
}

static enum cli_exit unreadable(const struct diag *diag, const char *path, const char *why) {
    return diag_fail(diag, CLI_EXIT_UNREADABLE, display_name(path), "%s", why);
}

/* ---- Kinds of files -------------------------------------------------------------------------- */

static bool is_binary(const uint8_t *data, size_t length) {
    return length >= 4 && memcmp(data, "\0asm", 4) == 0;
}

/* Text starts, after blanks, with a parenthesis or a comment. */
static bool is_text(const uint8_t *data, size_t length) {
    size_t i = 0;
    while (i < length && data[i] != '\0' && strchr(" \t\r\n", data[i]) != NULL)
        i++;
    return i < length && (data[i] == '(' || data[i] == ';');
}

/* How much of a stream to read after its first bytes: no device or pipe is read for longer than
 * what it holds can be of use, so that /dev/zero does not fill the memory. */
static uint64_t largest_useful(const uint8_t *data, size_t length, enum load_form form) {
    if (form == LOAD_MODULE && is_binary(data, length))
        return LARGEST_MODULE;
    return form == LOAD_AS_IS || is_text(data, length) ? LARGEST_TEXT : 0;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Fills `data` until `size` bytes are there or the file ends; false with errno. */
static bool read_fully(int fd, uint8_t *data, size_t size, size_t *length) {
    while (*length < size) {
        ssize_t n = read(fd, data + *length, size - *length);
        if (n == 0)
            break;
        if (n > 0)
            *length += (size_t)n;
        else if (errno != EINTR)
            return false;
    }
    return true;
}

/* Uninitialised memory, for free(). The last huge page stays small, so that it is not filled up. */
static uint8_t *new_room(size_t size) {
    if (size < HUGE_PAGE)
        return malloc(size);
    size_t whole = size / HUGE_PAGE * HUGE_PAGE;
    uint8_t *room = aligned_alloc(HUGE_PAGE, whole + HUGE_PAGE);
    if (room != NULL)
        madvise(room, whole, MADV_HUGEPAGE); /* a kernel without them is only slower */
    return room;
}

/* Makes room for more: twice as much. */
static bool grow(uint8_t **data, size_t *capacity) {
    uint8_t *larger =
        __builtin_mul_overflow(*capacity, 2, capacity) ? NULL : realloc(*data, *capacity);
    if (larger == NULL)
        return false;
    *data = larger;
    return true;
}

/* Reads to the end of the file. `capacity` is one more than the size that is expected. */
static enum cli_exit read_stream(const struct diag *diag, const char *path, int fd,
                                 enum load_form form, size_t capacity, struct bytes *out) {
    enum cli_exit code = CLI_EXIT_OK;
    size_t length = 0, end = capacity < FIRST_READ ? capacity : FIRST_READ;
    uint64_t largest = 0;
    uint8_t *data = new_room(capacity);
    while (data != NULL) {
        if (!read_fully(fd, data, end, &length)) {
            code = unreadable(diag, path, strerror(errno));
            goto fail;
        }
        if (largest == 0)
            largest = largest_useful(data, length, form);
        if (largest > 0 && length > largest) {
            code = diag_fail(diag, CLI_EXIT_LIMIT, display_name(path), "larger than %llu MiB",
                             (unsigned long long)(largest >> 20));
            goto fail;
        }
        if (length < end || largest == 0) {
            *out = (struct bytes){.data = data, .length = length};
            return CLI_EXIT_OK;
        }
        if (end == capacity && !grow(&data, &capacity))
            break;
        end = capacity;
    }
    code = diag_no_memory(diag);
fail:
    free(data);
    return code;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b) {
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Whether the file is what it was when its copy was begun. */
static bool is_unchanged(int fd, const struct stat *before) {
    struct stat after;
    return fstat(fd, &after) == 0 && after.st_size == before->st_size &&
           is_same_time(&after.st_mtim, &before->st_mtim);
}

/* The copy is the module's: what becomes of the file later does not matter. A file of size 0 may
 * have contents, as those of /proc do. */
static enum cli_exit read_open_file(const struct diag *diag, const char *path, int fd,
                                    enum load_form form, struct bytes *out) {
    struct stat status;
    if (fstat(fd, &status) != 0)
        return unreadable(diag, path, strerror(errno));
    if (S_ISDIR(status.st_mode))
        return unreadable(diag, path, strerror(EISDIR));
    /* read_stream() says what is too large. */
    bool known =
        S_ISREG(status.st_mode) && status.st_size > 0 && (uint64_t)status.st_size <= LARGEST_MODULE;
    enum cli_exit code =
        read_stream(diag, path, fd, form, known ? (size_t)status.st_size + 1 : FIRST_READ, out);
    if (code != CLI_EXIT_OK || !known || is_unchanged(fd, &status))
        return code;
    bytes_free(out);
    return unreadable(diag, path, "the file changed while it was read");
}

static enum cli_exit read_file(const struct diag *diag, const char *path, enum load_form form,
                               struct bytes *out) {
    if (strcmp(path, "-") == 0)
        return read_stream(diag, path, STDIN_FILENO, form, FIRST_READ, out);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return unreadable(diag, path, strerror(errno));
    enum cli_exit code = read_open_file(diag, path, fd, form, out);
    close(fd);
    return code;
}

enum cli_exit load_file(const struct diag *diag, const char *path, enum load_form form,
                        struct bytes *out) {
    *out = (struct bytes){0};
    enum cli_exit code = read_file(diag, path, form, out);
    if (code != CLI_EXIT_OK || form == LOAD_AS_IS || is_binary(out->data, out->length))
        return code;
    if (out->length == 0) {
        bytes_free(out);
        return diag_fail(diag, CLI_EXIT_MALFORMED, display_name(path), "the file is empty");
    }
    if (!is_text(out->data, out->length))
        return CLI_EXIT_OK; /* the decoder says what is wrong with it */
    struct bytes text = *out;
    code = text_to_binary(diag, path, &text, out);
    bytes_free(&text);
    return code;
}

/* ---- Modules --------------------------------------------------------------------------------- */

static void release_memory(void *env, const uint8_t *data, size_t length) {
    (void)env;
    (void)length;
    free((void *)data);
}

/* The name in backtraces of a module without one: its file, without directory and suffix. */
static char *module_name(const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    if (strcmp(path, "-") == 0)
        name = "stdin";
    const char *dot = strrchr(name, '.');
    bool suffix =
        dot != NULL && dot > name && (strcmp(dot, ".wasm") == 0 || strcmp(dot, ".wat") == 0);
    return strndup(name, suffix ? (size_t)(dot - name) : strlen(name));
}

enum cli_exit load_module(const struct diag *diag, wasm_store_t *store, catnap_cache_t *cache,
                          const char *path, WASM_OWN wasm_module_t **out, struct bytes *borrowed) {
    catnap_error_t *error = NULL;
    *out = NULL;
    enum cli_exit code = load_file(diag, path, LOAD_MODULE, borrowed);
    if (code != CLI_EXIT_OK)
        return code;
    char *name = module_name(path);
    catnap_module_options_t options = {.name = name, .release = release_memory};
    *out =
        cache != NULL
            ? catnap_cache_module(cache, store, borrowed->data, borrowed->length, &options, &error)
            : catnap_module_new(store, borrowed->data, borrowed->length, &options, &error);
    free(name);
    return *out != NULL ? CLI_EXIT_OK : diag_error(diag, display_name(path), error);
}
