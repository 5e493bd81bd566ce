/*
 * From bytes to a snapshot. The bytes may be anything: each number is checked before it is used, and
 * nothing is allocated that the bytes left could not fill.
 */
#include "persist/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#ifdef CATNAP_HAVE_ZSTD
#include <zstd.h>
#include <zstd_errors.h>
#endif

#include "base/bytes.h"
#include "base/platform.h"
#include "persist/format.h"
#include "runtime/state.h"

static const char *const part_names[] = PART_NAMES;

/* Compressed memory may become this many times the file, or at least so many bytes. */
#define MOST_EXPANSION 1024u
#define LEAST_EXPANDED (UINT64_C(64) << 20)

struct reader {
    catnap_snapshot_t *s;
    const uint8_t *file;     /* its first file_known bytes: head and parts, or all */
    const uint8_t *contents; /* from `area` on; set by read_head() when that is in `file` */
    uint64_t file_length, file_known, area;
    uint32_t flags;
    uint64_t pages_end;                  /* in the area: of the runs so far, which come first */
    uint64_t modules_start, modules_end; /* of the modules, which follow; NO_BYTES: there is none */
    const char *part;                    /* under way, for messages */
    const uint8_t *at, *end;
    struct error *error;
    bool failed;
};

static bool bad(struct reader *r, const char *what) {
    if (!r->failed)
        cn_fail(r->error, CATNAP_MALFORMED, "damaged snapshot: %s: %s", r->part, what);
    r->failed = true;
    return false;
}

static bool exhausted(struct reader *r) {
    if (!r->failed)
        cn_fail_memory(r->error);
    r->failed = true;
    return false;
}

/* ---- Numbers ---- */

static const uint8_t *take(struct reader *r, size_t size) {
    if (r->failed || (size_t)(r->end - r->at) < size) {
        bad(r, "unexpected end");
        return NULL;
    }
    const uint8_t *bytes = r->at;
    r->at += size;
    return bytes;
}

static uint64_t get(struct reader *r, unsigned size) {
    const uint8_t *at = take(r, size);
    return at ? cn_get_le(at, size) : 0;
}
static uint32_t get32(struct reader *r) {
    return (uint32_t)get(r, 4);
}
static uint64_t get64(struct reader *r) {
    return get(r, 8);
}

/* A count of things of at least `least` bytes each, of which there must be enough left. */
static size_t get_count(struct reader *r, unsigned size, size_t least) {
    uint64_t count = get(r, size);
    if (count <= (size_t)(r->end - r->at) / least)
        return (size_t)count;
    bad(r, "a count that exceeds the remaining bytes");
    return 0;
}

static void *room(struct reader *r, size_t count, size_t size) {
    void *items = r->failed ? NULL : cn_arena_calloc(&r->s->arena, count, size);
    if (!items)
        exhausted(r);
    return items;
}

static struct snap_text get_text(struct reader *r) {
    size_t length = get_count(r, 4, 1);
    const char *bytes = (const char *)take(r, length);
    return (struct snap_text){length && bytes ? bytes : NULL, (uint32_t)length};
}

static struct snap_ref get_ref(struct reader *r) {
    struct snap_ref ref;
    ref.tag = get32(r);
    ref.object = get32(r);
    ref.index = get32(r);
    bool value = snap_ref_is_value(ref) && r->s->with_values;
    if (ref.tag > SNAP_GLOBAL_OF && !value)
        bad(r, "a reference of an unknown kind");
    if (ref.tag != SNAP_NULL && !value && ref.object >= r->s->object_count)
        bad(r, "a reference to an object that does not exist");
    if (ref.tag == SNAP_NULL)
        ref = (struct snap_ref){0};
    return ref;
}

static void get_value(struct reader *r, struct snap_value *value) {
    value->bits[0] = get64(r);
    value->bits[1] = get64(r);
    value->ref = get_ref(r);
}

static void get_values(struct reader *r, struct snap_value *values, size_t count) {
    for (size_t i = 0; i < count && !r->failed; i++)
        get_value(r, &values[i]);
}

/* The flags that only a memory's may have go to *more. */
static struct limits get_limits(struct reader *r, uint64_t *more) {
    struct limits limits;
    uint64_t flags = get(r, 1);
    *more = flags & ~(uint64_t)(LIMITS_HAS_MAX | LIMITS_IS_64);
    limits.has_max = flags & LIMITS_HAS_MAX;
    limits.is_64 = flags & LIMITS_IS_64;
    limits.min = get64(r);
    limits.max = get64(r);
    return limits;
}

static valtype get_type(struct reader *r) {
    valtype type = get32(r);
    if (!vt_is_basic(type) && !(r->s->with_values && vt_is_abstract(type)))
        bad(r, "an unknown type");
    return type;
}

#define REF_BYTES 12u
#define VALUE_BYTES 28u

/* ---- Parts ---- */

static void read_state(struct reader *r) {
    r->s->fuel_enabled = get(r, 1) != 0;
    r->s->interruptible = get(r, 1) != 0;
    r->s->fuel = get64(r);
}

static void read_modules(struct reader *r) {
    size_t count = get_count(r, 4, 36);
    r->s->modules = room(r, count, sizeof *r->s->modules);
    for (size_t i = 0; i < count && !r->failed; i++) {
        struct snap_module *module = &r->s->modules[i];
        module->hash[0] = get64(r);
        module->hash[1] = get64(r);
        module->length = get64(r);
        module->name = get_text(r);
        uint64_t offset = get64(r), area = r->file_length - r->area;
        if (offset == NO_BYTES)
            continue;
        if (offset > area || module->length > area - offset)
            bad(r, "a module outside the file");
        if (r->modules_start == NO_BYTES)
            r->modules_start = r->modules_end = offset;
        if (offset != r->modules_end)
            bad(r, "modules that are not adjacent");
        r->modules_end = offset + module->length;
        if (!r->failed)
            module->bytes = r->contents + offset;
    }
    r->s->module_count = r->failed ? 0 : (uint32_t)count;
}

static void read_values(struct reader *r, struct snap_object *object) {
    object->value_count = (uint32_t)get_count(r, 4, VALUE_BYTES);
    object->values = room(r, object->value_count, sizeof *object->values);
    get_values(r, object->values, object->value_count);
}

static void read_exception(struct reader *r, struct snap_object *object) {
    object->import_count = 1;
    object->imports = room(r, 1, sizeof *object->imports);
    if (!r->failed)
        object->imports[0] = get_ref(r);
    read_values(r, object);
}

static void read_segment(struct reader *r, struct snap_segment *segment) {
    segment->index = get32(r);
    segment->count = (uint32_t)get_count(r, 4, REF_BYTES);
    segment->items = room(r, segment->count, sizeof *segment->items);
    for (uint32_t i = 0; i < segment->count && !r->failed; i++)
        segment->items[i] = get_ref(r);
}

static void read_segments(struct reader *r, struct snap_object *object) {
    object->segment_count = (uint32_t)get_count(r, 4, 8);
    object->segments = room(r, object->segment_count, sizeof *object->segments);
    for (uint32_t i = 0; i < object->segment_count && !r->failed; i++)
        read_segment(r, &object->segments[i]);
}

static void read_instance(struct reader *r, struct snap_object *object) {
    object->module = get32(r);
    if (object->module >= r->s->module_count)
        bad(r, "an instance without a module");
    object->import_count = (uint32_t)get_count(r, 4, REF_BYTES);
    object->imports = room(r, object->import_count, sizeof *object->imports);
    for (uint32_t i = 0; i < object->import_count && !r->failed; i++)
        object->imports[i] = get_ref(r);
    read_values(r, object);
    object->flag_count = (uint32_t)get_count(r, 4, 1);
    object->flags = (uint8_t *)(uintptr_t)take(r, object->flag_count);
    if (r->s->with_values)
        read_segments(r, object);
}

static void read_table(struct reader *r, struct snap_object *object) {
    uint64_t more;
    object->limits = get_limits(r, &more);
    if (more)
        bad(r, "limits of an unknown kind");
    object->type = get_type(r);
    object->size = get_count(r, 8, REF_BYTES);
    if (object->size > LIMIT_TABLE_ELEMENTS || object->limits.min > object->size ||
        !vt_is_ref(object->type))
        bad(r, "a table of an impossible size or type");
    object->elements = room(r, (size_t)object->size, sizeof *object->elements);
    for (uint64_t i = 0; i < object->size && !r->failed; i++)
        object->elements[i] = get_ref(r);
}

static void read_memory(struct reader *r, struct snap_object *object) {
    uint64_t more;
    object->limits = get_limits(r, &more);
    if (more & ~(uint64_t)(LIMITS_PAGE_SIZE | MEMORY_SHARED))
        bad(r, "limits of an unknown kind");
    object->byte_pages = more & LIMITS_PAGE_SIZE;
    object->is_shared = more & MEMORY_SHARED;
    object->extent = get64(r);
    uint64_t most = object->limits.is_64 ? LIMIT_MEMORY64_PAGES : LIMIT_MEMORY_PAGES;
    if (object->is_shared &&
        (!object->limits.has_max || object->limits.min > object->limits.max || object->byte_pages))
        bad(r, "a shared memory of an impossible size");
    if (object->extent > most * WASM_PAGE_BYTES ||
        (!object->byte_pages && object->extent % WASM_PAGE_BYTES != 0))
        bad(r, "a memory of an impossible size");
    else
        object->size = cn_whole_pages(object->extent);
}

static void read_object(struct reader *r, struct snap_object *object) {
    object->kind = get32(r);
    object->owner = get32(r);
    object->owner_index = get32(r);
    switch (object->kind) {
    case OBJECT_INSTANCE:
        read_instance(r, object);
        break;
    case OBJECT_MEMORY:
        read_memory(r, object);
        break;
    case OBJECT_TABLE:
        read_table(r, object);
        break;
    case OBJECT_GLOBAL:
        object->type = get_type(r);
        object->is_mutable = get(r, 1) != 0;
        object->values = room(r, 1, sizeof *object->values);
        object->value_count = 1;
        get_values(r, object->values, 1);
        break;
    case OBJECT_EXCEPTION:
        read_exception(r, object);
        break;
    case OBJECT_FUNC:
    case OBJECT_TAG:
    case OBJECT_FOREIGN:
    case OBJECT_TRAP:
    case OBJECT_MODULE:
        object->import_module = get_text(r);
        object->import_name = get_text(r);
        object->host_name = get_text(r);
        break;
    default:
        bad(r, "an object of unknown kind");
        return;
    }
    const struct state_kind *kind = cn_state_of((enum object_kind)object->kind);
    if (object->owner && (!kind || !cn_state_is_part(kind)))
        bad(r, "an owner of an object that cannot have one");
}

static void read_objects(struct reader *r) {
    size_t count = get_count(r, 4, 24);
    r->s->objects = cn_calloc(r->s->alloc, count, sizeof *r->s->objects);
    if (!r->s->objects) {
        exhausted(r);
        return;
    }
    r->s->object_capacity = count;
    r->s->object_count = (uint32_t)count; /* references look ahead */
    for (size_t i = 0; i < count && !r->failed; i++)
        read_object(r, &r->s->objects[i]);
}

static void read_frames(struct reader *r) {
    r->s->entry = get_ref(r);
    r->s->fuel_paid = get64(r);
    size_t count = get_count(r, 4, REF_BYTES + 12);
    r->s->frames = room(r, count, sizeof *r->s->frames);
    for (size_t i = 0; i < count && !r->failed; i++) {
        struct snap_frame *frame = &r->s->frames[i];
        frame->func = get_ref(r);
        frame->safepoint = get32(r);
        frame->offset = get32(r);
        frame->value_count = (uint32_t)get_count(r, 4, VALUE_BYTES + 1);
        frame->kinds = (uint8_t *)(uintptr_t)take(r, frame->value_count);
        frame->values = room(r, frame->value_count, sizeof *frame->values);
        get_values(r, frame->values, frame->value_count);
        if (frame->func.tag != SNAP_FUNC_OF)
            bad(r, "a frame without a function");
    }
    if (count > 0 && r->s->entry.tag != SNAP_FUNC_OF)
        bad(r, "a run without a function");
    r->s->frame_count = r->failed ? 0 : (uint32_t)count;
}

static void read_data(struct reader *r) {
    r->s->data_length = (uint64_t)(r->end - r->at);
    r->s->data = take(r, (size_t)r->s->data_length);
}

/* The size of the heap comes behind the pages: read_heap() */
static bool check_place(struct reader *r, const struct snap_run *run) {
    bool heap = run->object >= SNAP_REGION;
    uint64_t pages = heap ? LIMIT_HEAP_BYTES / SNAP_PAGE : cn_snap_pages(r->s, run->object);
    if (heap ? !r->s->with_values
             : run->object >= r->s->object_count ||
                   !cn_state_is_paged((enum object_kind)r->s->objects[run->object].kind))
        return bad(r, "pages without a memory");
    if (run->count == 0 || run->count > pages || run->first > pages - run->count)
        return bad(r, "pages outside their memory");
    return true;
}

/* Runs ascend by object and page, so that none overlaps another. */
static bool check_order(struct reader *r, const struct snap_run *run, const struct snap_run *last) {
    if (!check_place(r, run))
        return false;
    if (last && (last->object > run->object ||
                 (last->object == run->object && last->first + last->count > run->first)))
        return bad(r, "pages out of order");
    return true;
}

static void read_pages(struct reader *r) {
    size_t count = get_count(r, 8, 44);
    for (size_t i = 0; i < count && !r->failed; i++) {
        struct snap_run *run = cn_snapshot_add_run(r->s);
        if (!run) {
            exhausted(r);
            return;
        }
        *run = (struct snap_run){.object = get32(r)};
        run->first = get64(r);
        run->count = get64(r);
        run->checksum = get64(r);
        uint64_t offset = get64(r), stored = get64(r), area = r->file_length - r->area;
        if (r->failed || !check_order(r, run, i > 0 ? run - 1 : NULL))
            return;
        run->offset = UINT64_MAX;
        if (offset == NO_BYTES) {
            if (!(r->flags & FLAG_DELTA))
                bad(r, "pages without contents");
            continue;
        }
        bool plain = !(r->flags & FLAG_COMPRESSED);
        if (offset > area || stored > area - offset ||
            (plain && stored != run->count * SNAP_PAGE)) {
            bad(r, "pages outside the file");
            return;
        }
        if (offset != r->pages_end) {
            bad(r, "contents that are not adjacent");
            return;
        }
        r->pages_end += stored;
        run->bytes = r->contents + offset;
        run->offset = plain ? r->area + offset : stored;
    }
}

static void read_types(struct reader *r, struct snap_heap *heap) {
    heap->type_count = (uint32_t)get_count(r, 4, 8);
    struct snap_type *types = room(r, heap->type_count, sizeof *types);
    for (uint32_t i = 0; i < heap->type_count && !r->failed; i++) {
        types[i].module = get32(r);
        types[i].index = get32(r);
    }
    heap->types = types;
}

static void read_side(struct reader *r, struct snap_heap *heap) {
    heap->side_count = (uint32_t)get_count(r, 4, REF_BYTES);
    struct snap_ref *side = room(r, heap->side_count, sizeof *side);
    for (uint32_t i = 0; i < heap->side_count && !r->failed; i++) {
        side[i] = get_ref(r);
        if (side[i].tag == SNAP_VALUE)
            bad(r, "a value of the heap in the side table");
    }
    heap->side = side;
}

static void read_heap(struct reader *r) {
    struct snap_heap *heap = &r->s->heap;
    uint32_t block = get32(r);
    heap->bytes = get64(r);
    read_types(r, heap);
    read_side(r, heap);
    if (block != HEAP_BLOCK || heap->bytes % HEAP_BLOCK != 0 || heap->bytes > LIMIT_HEAP_BYTES)
        bad(r, "a heap of an impossible size");
    for (size_t i = 0; i < r->s->run_count && !r->failed; i++) {
        const struct snap_run *run = &r->s->runs[i];
        if (run->object >= SNAP_REGION &&
            run->first + run->count > cn_snap_pages(r->s, run->object))
            bad(r, "pages outside the heap");
    }
}

/* Pages, then modules, take the whole area and nothing twice: what is read, hashed and expanded is in
 * proportion to the file. */
static bool check_area(struct reader *r) {
    uint64_t area = r->file_length - r->area;
    bool modules = r->modules_start != NO_BYTES;
    if (r->pages_end == (modules ? r->modules_start : area) && (!modules || r->modules_end == area))
        return true;
    return bad(r, "contents of the wrong size");
}

/* ---- Page contents ---- */

#ifdef CATNAP_HAVE_ZSTD

static bool expand(struct reader *r) {
    uint64_t total = 0, most = r->file_length * MOST_EXPANSION;
    for (size_t i = 0; i < r->s->run_count; i++)
        total += r->s->runs[i].bytes ? r->s->runs[i].count * SNAP_PAGE : 0;
    if (total > (most > LEAST_EXPANDED ? most : LEAST_EXPANDED))
        return bad(r, "contents that would expand to too much");
    if (total == 0)
        return true;
    int image = cn_os_image_new((size_t)total);
    uint8_t *view = image < 0 ? NULL : cn_os_image_open(image, (size_t)total);
    r->s->image = image;
    r->s->view = view;
    r->s->view_length = view ? (size_t)total : 0;
    if (!view)
        return exhausted(r);
    uint64_t at = 0;
    for (size_t i = 0; i < r->s->run_count; i++) {
        struct snap_run *run = &r->s->runs[i];
        size_t size = (size_t)run->count * SNAP_PAGE;
        if (!run->bytes)
            continue;
        size_t got = ZSTD_decompress(view + at, size, run->bytes, (size_t)run->offset);
        if (ZSTD_isError(got) && ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation)
            return exhausted(r);
        if (got != size)
            return bad(r, "damaged compressed pages");
        run->bytes = view + at;
        run->offset = at;
        at += size;
    }
    return true;
}

#else

static bool expand(struct reader *r) {
    cn_fail(r->error, CATNAP_UNSUPPORTED,
            "the snapshot is compressed, and this build of the library has no compression");
    r->failed = true;
    return false;
}

#endif

static bool check_contents(struct reader *r) {
    char what[80];
    for (size_t i = 0; i < r->s->run_count; i++) {
        const struct snap_run *run = &r->s->runs[i];
        if (!run->bytes || XXH3_64bits(run->bytes, (size_t)run->count * SNAP_PAGE) == run->checksum)
            continue;
        snprintf(what, sizeof what, "contents of memory %u at 0x%" PRIx64 " are damaged",
                 run->object, run->first * SNAP_PAGE);
        return bad(r, what);
    }
    for (uint32_t i = 0; i < r->s->module_count; i++) {
        const struct snap_module *module = &r->s->modules[i];
        XXH128_hash_t hash = {0};
        if (!module->bytes)
            continue;
        hash = XXH3_128bits(module->bytes, (size_t)module->length);
        if (hash.high64 != module->hash[0] || hash.low64 != module->hash[1])
            return bad(r, "damaged contents of a module");
    }
    return true;
}

/* ---- The whole ---- */

static bool read_head(struct reader *r) {
    const uint8_t *head = r->file;
    r->part = "header";
    if (r->file_known < HEAD_SIZE || memcmp(head, FORMAT_MAGIC, 8) != 0)
        return cn_fail(r->error, CATNAP_MALFORMED, "this is not a snapshot");
    r->s->with_values = cn_get_le(head + HEAD_VERSION, 4) == FORMAT_VERSION;
    if (!r->s->with_values && cn_get_le(head + HEAD_VERSION, 4) != FORMAT_PLAIN_VERSION)
        return cn_fail(r->error, CATNAP_UNSUPPORTED,
                       "the snapshot has format version %" PRIu64 "; this library knows %u",
                       cn_get_le(head + HEAD_VERSION, 4), FORMAT_VERSION);
    if (XXH3_64bits(head, HEAD_CHECKSUM) != cn_get_le(head + HEAD_CHECKSUM, 8))
        return bad(r, "wrong checksum");
    uint64_t parts = cn_get_le(head + HEAD_PARTS_LENGTH, 8);
    r->area = cn_get_le(head + HEAD_AREA, 8);
    r->flags = (uint32_t)cn_get_le(head + HEAD_FLAGS, 4);
    if (cn_get_le(head + HEAD_LENGTH, 8) != r->file_length)
        return bad(r, "wrong length: the file was truncated or extended");
    if (r->area < HEAD_SIZE || r->area > r->file_known ||
        (r->contents && r->area != r->file_known) || parts > r->area - HEAD_SIZE ||
        (r->flags & ~(uint32_t)(FLAG_DELTA | FLAG_COMPRESSED)))
        return bad(r, "inconsistent fields");
    for (unsigned i = 0; i < 2; i++) {
        r->s->identity[i] = cn_get_le(head + HEAD_IDENTITY + 8 * i, 8);
        r->s->base_identity[i] = cn_get_le(head + HEAD_BASE + 8 * i, 8);
    }
    if (!(r->s->identity[0] | r->s->identity[1]))
        return bad(r, "the state has no identity");
    r->s->is_delta = (r->flags & FLAG_DELTA) != 0;
    if (!r->contents)
        r->contents = head + r->area;
    for (uint64_t i = HEAD_SIZE + parts; i < r->area; i++)
        if (head[i] != 0)
            return bad(r, "bytes in the gap before the contents");
    return true;
}

static bool read_part(struct reader *r, enum part_index part, const uint8_t **at,
                      const uint8_t *end) {
    static void (*const readers[PARTS])(struct reader *) = {
        read_state, read_modules, read_objects, read_frames, read_data, read_pages, read_heap};
    char name[8] = {0};
    r->part = part_names[part];
    memcpy(name, r->part, strlen(r->part));
    if ((size_t)(end - *at) < PART_HEAD || memcmp(*at, name, 8) != 0)
        return bad(r, "missing part");
    uint64_t length = cn_get_le(*at + PART_LENGTH, 8);
    if (length > (size_t)(end - *at) - PART_HEAD)
        return bad(r, "it extends past the parts");
    r->at = *at + PART_HEAD;
    r->end = r->at + length;
    if (XXH3_64bits(r->at, (size_t)length) != cn_get_le(*at + PART_CHECKSUM, 8))
        return bad(r, "wrong checksum");
    *at = r->end;
    readers[part](r);
    if (!r->failed && r->at != r->end)
        bad(r, "unexpected bytes after its end");
    return !r->failed;
}

static bool read_all(struct reader *r, bool check_pages) {
    if (!read_head(r))
        return false;
    const uint8_t *at = r->file + HEAD_SIZE;
    const uint8_t *end = at + cn_get_le(r->file + HEAD_PARTS_LENGTH, 8);
    for (int part = 0; part < (r->s->with_values ? PARTS : PART_HEAP); part++)
        if (!read_part(r, (enum part_index)part, &at, end))
            return false;
    if (at != end)
        return bad(r, "unexpected bytes after the last part");
    if (!check_area(r))
        return false;
    if ((r->flags & FLAG_COMPRESSED) && !expand(r))
        return false;
    return !check_pages || check_contents(r);
}

/* Texts and flags point into the bytes: they become the snapshot's. */
catnap_snapshot_t *cn_snapshot_read(wasm_engine_t *engine, const uint8_t *bytes, size_t length,
                                    bool check_pages, struct error *error) {
    catnap_snapshot_t *s = cn_snapshot_new(engine, error);
    struct reader r = {.s = s,
                       .file_length = length,
                       .file_known = length,
                       .modules_start = NO_BYTES,
                       .error = error};
    if (!s)
        return NULL;
    uint8_t *copy = cn_arena_alloc(&s->arena, length + 1);
    if (!copy) {
        cn_fail_memory(error);
        cn_snapshot_release(s);
        return NULL;
    }
    memcpy(copy, bytes, length);
    r.file = copy;
    if (read_all(&r, check_pages)) {
        for (size_t i = 0; s->image < 0 && i < s->run_count; i++)
            s->runs[i].offset = UINT64_MAX; /* nothing to map */
        return s;
    }
    cn_snapshot_release(s);
    return NULL;
}

/* A copy of the file, which is the image of the pages. */
static bool take_copy(struct reader *r, int file) {
    catnap_snapshot_t *s = r->s;
    s->image = cn_os_file_copy(file, (size_t)r->file_length);
    if (s->image >= 0)
        s->file_view = cn_os_file_map(s->image, (size_t)r->file_length);
    if (!s->file_view)
        return false;
    s->file_view_length = (size_t)r->file_length;
    r->file = s->file_view;
    r->file_known = r->file_length;
    return true;
}

/* A copy of head and parts. The file itself is the image of the pages, of which none is touched. Not so
 * when they are compressed: they are all read, and another image holds them. */
static bool take_file(struct reader *r, int file) {
    catnap_snapshot_t *s = r->s;
    uint8_t head[HEAD_SIZE];
    if (r->file_length < HEAD_SIZE)
        return take_copy(r, file);
    if (!cn_os_file_read(file, 0, head, HEAD_SIZE))
        return false;
    if (cn_get_le(head + HEAD_FLAGS, 4) & FLAG_COMPRESSED)
        return take_copy(r, file);
    s->image = file;
    uint64_t area = cn_get_le(head + HEAD_AREA, 8);
    if (area < HEAD_SIZE || area > r->file_length)
        area = HEAD_SIZE; /* read_head() refuses it */
    uint8_t *parts = cn_arena_alloc(&s->arena, (size_t)area);
    if (!parts) {
        errno = ENOMEM;
        return false;
    }
    s->file_view = cn_os_file_map(file, (size_t)r->file_length);
    if (!s->file_view || !cn_os_file_read(file, 0, parts, (size_t)area))
        return false;
    s->file_view_length = (size_t)r->file_length;
    r->file = parts;
    r->file_known = area;
    r->contents = s->file_view + area;
    return true;
}

/* Opens the file and takes what is read of it. False with errno. */
static bool take_from(struct reader *r, const char *path, bool check_pages) {
    int file = cn_os_file_open(path, &r->file_length);
    bool taken = file >= 0 && r->file_length > 0 && r->file_length <= SIZE_MAX &&
                 (check_pages ? take_copy(r, file) : take_file(r, file));
    int reason = file >= 0 && r->file_length == 0 ? 0 : errno;
    if (r->s->image != file)
        cn_os_image_delete(file);
    errno = reason; /* 0: it is empty */
    return taken;
}

static void fail_to_open(const struct reader *r, const char *path) {
    char text[100] = "";
    int reason = errno;
    if (reason == 0)
        cn_fail(r->error, CATNAP_MALFORMED, "%s is empty: this is not a snapshot", path);
    else if (reason == ENOMEM)
        cn_fail_memory(r->error);
    else
        cn_fail(r->error, CATNAP_IO, "%s cannot be read: %s", path,
                strerror_r(reason, text, sizeof text));
}

catnap_snapshot_t *cn_snapshot_open(wasm_engine_t *engine, const char *path, bool check_pages,
                                    struct error *error) {
    catnap_snapshot_t *s = cn_snapshot_new(engine, error);
    if (!s)
        return NULL;
    struct reader r = {.s = s, .modules_start = NO_BYTES, .error = error};
    bool ok = take_from(&r, path, check_pages);
    if (!ok)
        fail_to_open(&r, path);
    int image = s->image;
    ok = ok && read_all(&r, check_pages);
    if (s->image != image)
        cn_os_image_delete(image); /* expanded: another image holds the pages */
    if (ok)
        return s;
    cn_snapshot_release(s);
    return NULL;
}
