/* The cache's directory: opening, finding, adding, letting go. */
#include "cache/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/kernel.h"
#include "cache/entry.h"

/* Read and compared at a time: it stays in the processor's cache. The smaller fits on small stacks. */
#define SMALL_CHUNK 16384u
#define LARGE_CHUNK 131072u
/* An unfinished file that is older than this, in seconds, was left behind. */
#define LEFT_BEHIND 600
/* The time of an entry's latest use is noted when it is older than this, in seconds. */
#define NOTED_USE 60

/* ---- Opening ---- */

/* Makes the directories that lead to it; what goes wrong shows when it is opened. */
static void make_path(const char *path) {
    char part[4096];
    size_t length = strlen(path);
    if (length >= sizeof part)
        return;
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        mkdir(part, 0700);
    }
}

/* The user owns the directory, and no one else may write to it. */
static bool is_trusted_directory(const struct stat *status) {
    return S_ISDIR(status->st_mode) && status->st_uid == geteuid() &&
           (status->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Of an entry: its owner cannot rewrite it by mistake, and only root can without changing the mode. */
#define ENTRY_MODE (S_IRUSR | S_IXUSR)

static bool is_entry(const struct stat *status) {
    return S_ISREG(status->st_mode) && status->st_uid == geteuid() &&
           (status->st_mode & ALLPERMS) == ENTRY_MODE;
}

/* Whether files there can have a seal. */
static bool has_attributes(int fd) {
    return fgetxattr(fd, ENTRY_SEAL, NULL, 0) >= 0 || errno == ENODATA;
}

bool cn_cache_directory_open(struct cache_directory *directory, const char *path, bool create,
                             struct error *error) {
    struct stat status;
    if (create)
        make_path(path);
    directory->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory->fd < 0)
        return cn_fail(error, errno == ENOENT ? CATNAP_NOT_FOUND : CATNAP_IO,
                       "the cache directory: %s", strerror(errno));
    bool trusted = fstat(directory->fd, &status) == 0 && is_trusted_directory(&status);
    if (trusted && has_attributes(directory->fd))
        return true;
    cn_cache_directory_close(directory);
    return cn_fail(error, CATNAP_IO,
                   trusted
                       ? "the file system of the cache directory has no extended attributes"
                       : "the cache directory belongs to another user, or others may write to it");
}

void cn_cache_directory_close(struct cache_directory *directory) {
    if (directory->fd >= 0)
        close(directory->fd);
    directory->fd = -1;
}

/* ---- Finding ---- */

static bool read_fully(int fd, uint8_t *bytes, size_t size, uint64_t offset) {
    while (size > 0) {
        ssize_t got = pread(fd, bytes, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        bytes += got;
        size -= (size_t)got;
        offset += (uint64_t)got;
    }
    return true;
}

/* Its header, and its key if it has one. */
struct head {
    struct entry_header header;
    uint8_t bytes[ENTRY_BYTES_AT];
};

static bool read_seal(int fd, struct cache_seal *seal) {
    if (fgetxattr(fd, ENTRY_SEAL, seal, sizeof *seal) != (ssize_t)sizeof *seal)
        return false;
    CN_WRITTEN_BY_KERNEL(seal, sizeof *seal);
    return true;
}

static enum cache_result open_entry(const struct cache_directory *directory, const char *name,
                                    struct cache_entry *entry, struct head *head) {
    struct stat status;
    entry->fd = openat(directory->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (entry->fd < 0)
        return CACHE_MISS;
    if (fstat(entry->fd, &status) == 0 && is_entry(&status) &&
        (uint64_t)status.st_size >= ENTRY_SMALLEST && read_seal(entry->fd, &entry->seal) &&
        read_fully(entry->fd, head->bytes, ENTRY_BYTES_AT, 0) &&
        cn_entry_seals_head(&entry->seal, head->bytes) &&
        cn_entry_check(head->bytes, (uint64_t)status.st_size, &head->header)) {
        entry->size = head->header.size;
        entry->hash = head->header.hash;
        entry->used = status.st_mtim.tv_sec;
        return CACHE_HIT;
    }
    close(entry->fd);
    return CACHE_DAMAGED;
}

enum cache_result cn_cache_find(const struct cache_directory *directory,
                                const struct cache_key *key, struct cache_entry *entry) {
    char name[ENTRY_NAME];
    struct head head;
    cn_entry_name(key, name);
    enum cache_result result = open_entry(directory, name, entry, &head);
    if (result != CACHE_HIT || cn_entry_is_for(head.bytes, &head.header, key))
        return result;
    close(entry->fd);
    return CACHE_MISS;
}

void cn_cache_close(struct cache_entry *entry) {
    close(entry->fd);
}

static bool same_bytes(int fd, const uint8_t *bytes, size_t size, uint8_t *chunk, size_t most) {
    bool same = true;
    for (size_t at = 0; same && at < size;) {
        size_t length = size - at < most ? size - at : most;
        same = read_fully(fd, chunk, length, ENTRY_BYTES_AT + at) &&
               memcmp(chunk, bytes + at, length) == 0;
        at += length;
    }
    return same;
}

static bool is_same_module(const struct cache_directory *directory, int fd, const uint8_t *bytes,
                           size_t size) {
    uint8_t small[SMALL_CHUNK];
    uint8_t *large = size > SMALL_CHUNK ? cn_alloc(directory->alloc, LARGE_CHUNK) : NULL;
    bool same =
        same_bytes(fd, bytes, size, large ? large : small, large ? LARGE_CHUNK : SMALL_CHUNK);
    cn_free(directory->alloc, large, LARGE_CHUNK);
    return same;
}

enum cache_result cn_cache_compare(const struct cache_directory *directory,
                                   const struct cache_entry *entry, const uint8_t *bytes,
                                   size_t size) {
    if (entry->size == size && is_same_module(directory, entry->fd, bytes, size))
        return cn_entry_seals_bytes(&entry->seal, bytes, size) ? CACHE_HIT : CACHE_DAMAGED;
    struct cache_hash hash = cn_entry_hash(bytes, size);
    return hash.low == entry->hash.low && hash.high == entry->hash.high ? CACHE_DAMAGED
                                                                        : CACHE_MISS;
}

uint8_t *cn_cache_read(const struct cache_directory *directory, const struct cache_entry *entry) {
    size_t size = (size_t)entry->size;
    uint8_t *bytes = cn_alloc(directory->alloc, size);
    if (bytes && read_fully(entry->fd, bytes, size, ENTRY_BYTES_AT) &&
        cn_entry_seals_bytes(&entry->seal, bytes, size))
        return bytes;
    cn_cache_free(directory, bytes, size);
    return NULL;
}

void cn_cache_free(const struct cache_directory *directory, uint8_t *bytes, uint64_t size) {
    cn_free(directory->alloc, bytes, (size_t)size);
}

void cn_cache_note_use(const struct cache_entry *entry) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec - entry->used > NOTED_USE)
        futimens(entry->fd, NULL);
}

/* ---- Looking at all ---- */

struct listed {
    char name[ENTRY_NAME];
    uint64_t size;
    struct timespec used;
};

struct listing {
    struct listed *items;
    size_t count, capacity;
};

static void free_listing(struct alloc *alloc, struct listing *listing) {
    cn_free(alloc, listing->items, listing->capacity * sizeof *listing->items);
}

static bool list_file(const struct cache_directory *directory, const char *name,
                      struct listing *listing) {
    struct stat status;
    if (strlen(name) >= ENTRY_NAME || (!cn_entry_is_name(name) && !cn_entry_is_unfinished(name)) ||
        fstatat(directory->fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return true;
    void *items = listing->items;
    if (!cn_grow(directory->alloc, &items, &listing->capacity, listing->count + 1,
                 sizeof *listing->items))
        return false;
    listing->items = items;
    struct listed *item = &listing->items[listing->count++];
    *item = (struct listed){.size = (uint64_t)status.st_size, .used = status.st_mtim};
    memcpy(item->name, name, strlen(name) + 1);
    return true;
}

static bool list(const struct cache_directory *directory, struct listing *listing) {
    *listing = (struct listing){0};
    int fd = openat(directory->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (!stream) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool listed = true;
    for (struct dirent *file; listed && (file = readdir(stream));)
        listed = list_file(directory, file->d_name, listing);
    closedir(stream);
    if (!listed)
        free_listing(directory->alloc, listing);
    return listed;
}

bool cn_cache_remove(const struct cache_directory *directory, const char *name) {
    return unlinkat(directory->fd, name, 0) == 0;
}

static void describe(const struct cache_directory *directory, const struct listed *item,
                     struct cache_found *found, struct head *head) {
    struct cache_entry entry;
    *found = (struct cache_found){
        .name = item->name, .file_size = item->size, .used = item->used.tv_sec, .damaged = true};
    if (open_entry(directory, item->name, &entry, head) != CACHE_HIT)
        return;
    found->bytes = cn_cache_read(directory, &entry);
    if (found->bytes) {
        found->damaged = false;
        found->size = (size_t)entry.size;
        found->features = head->header.features;
        memcpy(found->version, head->header.version, sizeof found->version);
        found->key_size = head->header.key_size;
        found->key = found->key_size > 0 ? cn_entry_key(head->bytes) : NULL;
    }
    cn_cache_close(&entry);
}

bool cn_cache_walk(const struct cache_directory *directory,
                   void (*callback)(void *env, struct cache_found *), void *env,
                   struct error *error) {
    struct listing listing;
    if (!list(directory, &listing))
        return cn_fail(error, CATNAP_IO, "the cache directory cannot be listed");
    for (size_t i = 0; i < listing.count; i++) {
        struct cache_found found;
        struct head head;
        if (!cn_entry_is_name(listing.items[i].name))
            continue;
        describe(directory, &listing.items[i], &found, &head);
        callback(env, &found);
        cn_cache_free(directory, found.bytes, found.size);
    }
    free_listing(directory->alloc, &listing);
    return true;
}

bool cn_cache_clear(const struct cache_directory *directory, uint64_t *removed,
                    struct error *error) {
    struct listing listing;
    *removed = 0;
    if (!list(directory, &listing))
        return cn_fail(error, CATNAP_IO, "the cache directory cannot be listed");
    for (size_t i = 0; i < listing.count; i++)
        if (cn_cache_remove(directory, listing.items[i].name))
            *removed += cn_entry_is_name(listing.items[i].name);
    free_listing(directory->alloc, &listing);
    return true;
}

/* ---- Adding and letting go ---- */

static int compare_use(const void *a, const void *b) {
    const struct timespec *left = &((const struct listed *)a)->used;
    const struct timespec *right = &((const struct listed *)b)->used;
    if (left->tv_sec != right->tv_sec)
        return left->tv_sec < right->tv_sec ? -1 : 1;
    return left->tv_nsec < right->tv_nsec ? -1 : left->tv_nsec > right->tv_nsec;
}

/* Oldest first, until the rest is within the limit. */
static void let_go(const struct cache_directory *directory) {
    struct listing listing;
    struct timespec now;
    uint64_t total = 0;
    if (!list(directory, &listing))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    for (size_t i = 0; i < listing.count; i++)
        total += listing.items[i].size;
    if (listing.count > 1)
        qsort(listing.items, listing.count, sizeof *listing.items, compare_use);
    for (size_t i = 0; i < listing.count; i++) {
        const struct listed *item = &listing.items[i];
        bool goes = cn_entry_is_unfinished(item->name)
                        ? now.tv_sec - item->used.tv_sec > LEFT_BEHIND
                        : total > directory->limit;
        if (goes && cn_cache_remove(directory, item->name))
            total -= item->size;
    }
    free_listing(directory->alloc, &listing);
}

static bool write_fully(int fd, const uint8_t *bytes, size_t size) {
    while (size > 0) {
        ssize_t done = write(fd, bytes, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        bytes += done;
        size -= (size_t)done;
    }
    return true;
}

static int create_unfinished(const struct cache_directory *directory, char name[ENTRY_NAME]) {
    uint64_t random[2];
    if (getrandom(random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        return -1;
    snprintf(name, ENTRY_NAME, "new-%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    return openat(directory->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  S_IRWXU);
}

/* Attributes are set while the mode lets the owner write. False where the file system does not keep
 * them or modes: an entry that is never found need not be written. */
static bool seal_entry(int fd, const uint8_t *head, const struct cache_content *content) {
    struct cache_seal seal;
    struct stat status;
    if (getrandom(seal.secret, sizeof seal.secret, GRND_NONBLOCK) != (ssize_t)sizeof seal.secret)
        return false;
    cn_entry_seal(&seal, head, content);
    return fsetxattr(fd, ENTRY_SEAL, &seal, sizeof seal, XATTR_CREATE) == 0 &&
           fchmod(fd, ENTRY_MODE) == 0 && fstat(fd, &status) == 0 && is_entry(&status);
}

bool cn_cache_write(const struct cache_directory *directory, const struct cache_key *key,
                    const struct cache_content *content) {
    char name[ENTRY_NAME], unfinished[ENTRY_NAME];
    uint8_t head[ENTRY_BYTES_AT];
    if (ENTRY_BYTES_AT + (uint64_t)content->size > directory->limit)
        return false;
    int fd = create_unfinished(directory, unfinished);
    if (fd < 0)
        return false;
    cn_entry_name(key, name);
    cn_entry_fill(head, key, content);
    bool written = seal_entry(fd, head, content) && write_fully(fd, head, sizeof head) &&
                   write_fully(fd, content->bytes, content->size);
    written = close(fd) == 0 && written;
    if (!written || renameat(directory->fd, unfinished, directory->fd, name) != 0) {
        cn_cache_remove(directory, unfinished);
        return false;
    }
    let_go(directory);
    return true;
}
