/* From a snapshot to bytes, see format.h. */
#include "persist/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#ifdef CATNAP_HAVE_ZSTD
#include <zstd.h>
#endif

#include "base/bytes.h"
#include "base/platform.h"
#include "binary/encode.h"
#include "persist/format.h"

static const char *const part_names[] = PART_NAMES;

/* ---- Forms ---- */

static void put32(struct encoder *w, uint64_t value) {
    cn_encode_fixed(w, value, 4);
}
static void put64(struct encoder *w, uint64_t value) {
    cn_encode_fixed(w, value, 8);
}

static void put_text(struct encoder *w, struct snap_text text) {
    put32(w, text.length);
    cn_encode_bytes(w, text.bytes, text.length);
}

static void put_ref(struct encoder *w, struct snap_ref ref) {
    put32(w, ref.tag);
    put32(w, ref.object);
    put32(w, ref.index);
}

static void put_value(struct encoder *w, const struct snap_value *value) {
    put64(w, value->bits[0]);
    put64(w, value->bits[1]);
    put_ref(w, value->ref);
}

/* `more`: flags that only memories may have. */
static void put_limits(struct encoder *w, const struct limits *limits, unsigned more) {
    cn_encode_byte(w, (uint8_t)(limits_flags(limits) | more));
    put64(w, limits->min);
    put64(w, limits->max);
}

/* ---- Parts: contents of each ---- */

/* Where in the area everything goes. Of an identity: nowhere. */
struct layout {
    const struct snap_run *runs; /* all, or those of a delta */
    size_t run_count;
    uint64_t *module_offsets;
    uint64_t *run_offsets, *run_stored;
    uint64_t length;
};

static void put_state(struct encoder *w, const catnap_snapshot_t *s) {
    cn_encode_byte(w, s->fuel_enabled);
    cn_encode_byte(w, s->interruptible);
    put64(w, s->fuel);
}

static void put_modules(struct encoder *w, const catnap_snapshot_t *s, const struct layout *layout,
                        bool placed) {
    put32(w, s->module_count);
    for (uint32_t i = 0; i < s->module_count; i++) {
        put64(w, s->modules[i].hash[0]);
        put64(w, s->modules[i].hash[1]);
        put64(w, s->modules[i].length);
        put_text(w, s->modules[i].name);
        put64(w, placed ? layout->module_offsets[i] : NO_BYTES);
    }
}

/* The binary code of the type. Ids of defined types mean nothing outside the engine, but a part of an
 * instance has the type that the module declares: its most general one stands for it. */
static void put_type(struct encoder *w, const struct snap_object *object) {
    valtype type = object->owner ? (valtype)vt_kind(object->type) : object->type;
    CN_ASSERT(!(type & VT_DEFINED));
    put32(w, type);
}

static void put_values(struct encoder *w, const struct snap_object *object) {
    put32(w, object->value_count);
    for (uint32_t i = 0; i < object->value_count; i++)
        put_value(w, &object->values[i]);
}

static void put_segments(struct encoder *w, const struct snap_object *object) {
    put32(w, object->segment_count);
    for (uint32_t i = 0; i < object->segment_count; i++) {
        const struct snap_segment *segment = &object->segments[i];
        put32(w, segment->index);
        put32(w, segment->count);
        for (uint32_t k = 0; k < segment->count; k++)
            put_ref(w, segment->items[k]);
    }
}

static void put_object(struct encoder *w, const catnap_snapshot_t *s,
                       const struct snap_object *object) {
    put32(w, object->kind);
    put32(w, object->owner);
    put32(w, object->owner_index);
    switch (object->kind) {
    case OBJECT_INSTANCE:
        put32(w, object->module);
        put32(w, object->import_count);
        for (uint32_t i = 0; i < object->import_count; i++)
            put_ref(w, object->imports[i]);
        put_values(w, object);
        put32(w, object->flag_count);
        cn_encode_bytes(w, object->flags, object->flag_count);
        if (s->with_values)
            put_segments(w, object);
        break;
    case OBJECT_MEMORY:
        put_limits(w, &object->limits,
                   (object->byte_pages ? LIMITS_PAGE_SIZE : 0u) |
                       (object->is_shared ? MEMORY_SHARED : 0u));
        put64(w, object->extent);
        break;
    case OBJECT_TABLE:
        put_limits(w, &object->limits, 0);
        put_type(w, object);
        put64(w, object->size);
        for (uint64_t i = 0; i < object->size; i++)
            put_ref(w, object->elements[i]);
        break;
    case OBJECT_GLOBAL:
        put_type(w, object);
        cn_encode_byte(w, object->is_mutable);
        put_value(w, object->values);
        break;
    case OBJECT_EXCEPTION:
        put_ref(w, object->imports[0]);
        put_values(w, object);
        break;
    default: /* a tag that an instance defines has no names */
        put_text(w, object->import_module);
        put_text(w, object->import_name);
        put_text(w, object->host_name);
        break;
    }
}

static void put_objects(struct encoder *w, const catnap_snapshot_t *s) {
    put32(w, s->object_count);
    for (uint32_t i = 0; i < s->object_count; i++)
        put_object(w, s, &s->objects[i]);
}

static void put_frames(struct encoder *w, const catnap_snapshot_t *s) {
    put_ref(w, s->entry);
    put64(w, s->fuel_paid);
    put32(w, s->frame_count);
    for (uint32_t i = 0; i < s->frame_count; i++) {
        const struct snap_frame *frame = &s->frames[i];
        put_ref(w, frame->func);
        put32(w, frame->safepoint);
        put32(w, frame->offset);
        put32(w, frame->value_count);
        cn_encode_bytes(w, frame->kinds, frame->value_count);
        for (uint32_t j = 0; j < frame->value_count; j++)
            put_value(w, &frame->values[j]);
    }
}

static void put_pages(struct encoder *w, const struct layout *layout, bool placed) {
    put64(w, layout->run_count);
    for (size_t i = 0; i < layout->run_count; i++) {
        put32(w, layout->runs[i].object);
        put64(w, layout->runs[i].first);
        put64(w, layout->runs[i].count);
        put64(w, layout->runs[i].checksum);
        put64(w, placed ? layout->run_offsets[i] : NO_BYTES);
        put64(w, placed ? layout->run_stored[i] : 0);
    }
}

static void put_heap(struct encoder *w, const struct snap_heap *heap) {
    put32(w, HEAP_BLOCK);
    put64(w, heap->bytes);
    put32(w, heap->type_count);
    for (uint32_t i = 0; i < heap->type_count; i++) {
        put32(w, heap->types[i].module);
        put32(w, heap->types[i].index);
    }
    put32(w, heap->side_count);
    for (uint32_t i = 0; i < heap->side_count; i++)
        put_ref(w, heap->side[i]);
}

static void put_contents(struct encoder *w, enum part_index part, const catnap_snapshot_t *s,
                         const struct layout *layout, bool placed) {
    switch (part) {
    case PART_STATE:
        put_state(w, s);
        break;
    case PART_MODULES:
        put_modules(w, s, layout, placed);
        break;
    case PART_OBJECTS:
        put_objects(w, s);
        break;
    case PART_FRAMES:
        put_frames(w, s);
        break;
    case PART_DATA:
        cn_encode_bytes(w, s->data, (size_t)s->data_length);
        break;
    case PART_PAGES:
        put_pages(w, layout, placed);
        break;
    default:
        put_heap(w, &s->heap);
        break;
    }
}

static int parts_of(const catnap_snapshot_t *s) {
    return s->with_values ? PARTS : PART_HEAP;
}

static void put_part(struct encoder *w, enum part_index part, const catnap_snapshot_t *s,
                     const struct layout *layout) {
    size_t head = w->length;
    uint8_t *at = cn_encode_room(w, PART_HEAD);
    if (!at)
        return;
    memset(at, 0, PART_HEAD);
    memcpy(at, part_names[part], strlen(part_names[part]));
    put_contents(w, part, s, layout, true);
    if (w->failure != CATNAP_OK)
        return;
    size_t length = w->length - head - PART_HEAD;
    cn_put_le(w->bytes + head + PART_LENGTH, length, 8);
    cn_put_le(w->bytes + head + PART_CHECKSUM, XXH3_64bits(w->bytes + head + PART_HEAD, length), 8);
}

/* ---- Identity ---- */

void cn_snapshot_checksum(catnap_snapshot_t *s) {
    for (size_t i = 0; i < s->run_count; i++)
        if (s->runs[i].bytes)
            s->runs[i].checksum =
                XXH3_64bits(s->runs[i].bytes, (size_t)s->runs[i].count * SNAP_PAGE);
}

bool cn_snapshot_identify(catnap_snapshot_t *s, struct error *error) {
    if (s->identity[0] | s->identity[1])
        return true;
    for (uint32_t i = 0; i < s->module_count; i++) {
        struct snap_module *module = &s->modules[i];
        const struct module *m = module->shared->module;
        XXH128_hash_t hash = XXH3_128bits(m->bytes, m->size);
        module->hash[0] = hash.high64;
        module->hash[1] = hash.low64;
    }
    cn_snapshot_checksum(s);
    struct encoder w = {.alloc = s->alloc, .limit = SIZE_MAX};
    struct layout layout = {.runs = s->runs, .run_count = s->run_count};
    for (int part = 0; part < parts_of(s); part++)
        put_contents(&w, (enum part_index)part, s, &layout, false);
    bool ok = cn_encoder_check(&w, error);
    if (ok) {
        XXH128_hash_t hash = XXH3_128bits(w.bytes, w.length);
        s->identity[0] = hash.high64;
        s->identity[1] = hash.low64 | 1; /* never zero */
    }
    cn_encoder_free(&w);
    return ok;
}

/* ---- The area ---- */

/* Another thread may be restoring, and find the module. */
static const uint8_t *module_bytes(const struct snap_module *module) {
    const struct shared_module *shared = __atomic_load_n(&module->shared, __ATOMIC_ACQUIRE);
    return module->bytes ? module->bytes : shared ? shared->module->bytes : NULL;
}

#ifdef CATNAP_HAVE_ZSTD

/* All runs' bytes, compressed, one behind the other. */
static bool compress(int level, struct encoder *out, struct layout *layout, struct error *error) {
    for (size_t i = 0; i < layout->run_count; i++) {
        size_t size = (size_t)layout->runs[i].count * SNAP_PAGE;
        if (!layout->runs[i].bytes)
            continue;
        size_t before = out->length, most = ZSTD_compressBound(size);
        uint8_t *at = cn_encode_room(out, most);
        if (!at)
            return cn_fail_memory(error);
        size_t stored = ZSTD_compress(at, most, layout->runs[i].bytes, size, level);
        if (ZSTD_isError(stored))
            return cn_fail(error, CATNAP_NO_MEMORY, "compression failed: %s",
                           ZSTD_getErrorName(stored));
        out->length = before + stored;
        layout->run_stored[i] = stored;
    }
    return true;
}

#else

static bool compress(int level, struct encoder *out, struct layout *layout, struct error *error) {
    (void)level;
    (void)out;
    (void)layout;
    return cn_fail(error, CATNAP_UNSUPPORTED, "this build of the library has no compression");
}

#endif

static bool make_layout(const catnap_snapshot_t *s, const struct snap_write_options *options,
                        struct encoder *compressed, struct layout *layout, struct error *error) {
    layout->module_offsets = cn_calloc(s->alloc, s->module_count, sizeof(uint64_t));
    layout->run_offsets = cn_calloc(s->alloc, layout->run_count, sizeof(uint64_t));
    layout->run_stored = cn_calloc(s->alloc, layout->run_count, sizeof(uint64_t));
    if (!layout->module_offsets || !layout->run_offsets || !layout->run_stored)
        return cn_fail_memory(error);
    if (options->compression && !compress(options->compression, compressed, layout, error))
        return false;
    uint64_t at = 0;
    for (size_t i = 0; i < layout->run_count; i++) {
        if (!options->compression && layout->runs[i].bytes)
            layout->run_stored[i] = layout->runs[i].count * SNAP_PAGE;
        layout->run_offsets[i] = layout->runs[i].bytes ? at : NO_BYTES;
        at += layout->run_stored[i];
    }
    for (uint32_t i = 0; i < s->module_count; i++) {
        bool with = options->with_modules && module_bytes(&s->modules[i]);
        layout->module_offsets[i] = with ? at : NO_BYTES;
        at += with ? s->modules[i].length : 0;
    }
    layout->length = at;
    return true;
}

static void free_layout(const catnap_snapshot_t *s, struct layout *layout) {
    cn_free(s->alloc, layout->module_offsets, s->module_count * sizeof(uint64_t));
    cn_free(s->alloc, layout->run_offsets, layout->run_count * sizeof(uint64_t));
    cn_free(s->alloc, layout->run_stored, layout->run_count * sizeof(uint64_t));
}

/* ---- All of it ---- */

static void put_head(struct encoder *w, const catnap_snapshot_t *s,
                     const struct snap_write_options *options, uint64_t area_length) {
    bool compressed = options->compression != 0;
    static const uint64_t none[2];
    const uint64_t *base = options->base ? options->base->identity : none;
    uint64_t area = (w->length + FORMAT_ALIGN - 1) / FORMAT_ALIGN * FORMAT_ALIGN;
    if (compressed || area_length == 0)
        area = w->length;
    uint8_t *head = w->bytes;
    memcpy(head, FORMAT_MAGIC, 8);
    cn_put_le(head + HEAD_VERSION, s->with_values ? FORMAT_VERSION : FORMAT_PLAIN_VERSION, 4);
    cn_put_le(head + HEAD_FLAGS,
              (options->base ? FLAG_DELTA : 0) | (compressed ? FLAG_COMPRESSED : 0), 4);
    cn_put_le(head + HEAD_LENGTH, area + area_length, 8);
    cn_put_le(head + HEAD_PARTS_LENGTH, w->length - HEAD_SIZE, 8);
    cn_put_le(head + HEAD_AREA, area, 8);
    cn_put_le(head + HEAD_IDENTITY, s->identity[0], 8);
    cn_put_le(head + HEAD_IDENTITY + 8, s->identity[1], 8);
    cn_put_le(head + HEAD_BASE, base[0], 8);
    cn_put_le(head + HEAD_BASE + 8, base[1], 8);
    cn_put_le(head + HEAD_CHECKSUM, XXH3_64bits(head, HEAD_CHECKSUM), 8);
    uint8_t *gap = cn_encode_room(w, (size_t)(area - w->length));
    if (gap)
        memset(gap, 0, (size_t)(w->bytes + w->length - gap));
}

static bool give_area(const catnap_snapshot_t *s, const struct layout *layout,
                      const struct encoder *compressed, snap_sink sink, void *env,
                      struct error *error) {
    if (compressed->length > 0 && !sink(env, compressed->bytes, compressed->length, error))
        return false;
    for (size_t i = 0; i < layout->run_count; i++)
        if (compressed->length == 0 && layout->runs[i].bytes &&
            !sink(env, layout->runs[i].bytes, (size_t)layout->runs[i].count * SNAP_PAGE, error))
            return false;
    for (uint32_t i = 0; i < s->module_count; i++)
        if (layout->module_offsets[i] != NO_BYTES &&
            !sink(env, module_bytes(&s->modules[i]), (size_t)s->modules[i].length, error))
            return false;
    return true;
}

static bool write_all(catnap_snapshot_t *s, const struct snap_write_options *options,
                      struct layout *layout, snap_sink sink, void *env, struct error *error) {
    struct encoder w = {.alloc = s->alloc, .limit = SIZE_MAX},
                   compressed = {.alloc = s->alloc, .limit = SIZE_MAX};
    bool ok = make_layout(s, options, &compressed, layout, error);
    if (ok) {
        uint8_t *head = cn_encode_room(&w, HEAD_SIZE);
        if (head)
            memset(head, 0, HEAD_SIZE);
        for (int part = 0; part < parts_of(s); part++)
            put_part(&w, (enum part_index)part, s, layout);
        if (w.failure == CATNAP_OK)
            put_head(&w, s, options, layout->length);
        ok = cn_encoder_check(&w, error) && sink(env, w.bytes, w.length, error) &&
             give_area(s, layout, &compressed, sink, env, error);
    }
    cn_encoder_free(&w);
    cn_encoder_free(&compressed);
    return ok;
}

bool cn_snapshot_write(catnap_snapshot_t *s, const struct snap_write_options *options,
                       snap_sink sink, void *env, struct error *error) {
    if (!cn_snapshot_identify(s, error))
        return false;
    catnap_snapshot_t *changes = NULL;
    struct layout layout = {.runs = s->runs, .run_count = s->run_count};
    if (options->base) {
        changes = cn_snapshot_changes(s, options->base, error);
        if (!changes)
            return false;
        layout.runs = changes->runs;
        layout.run_count = changes->run_count;
    }
    bool ok = write_all(s, options, &layout, sink, env, error);
    free_layout(s, &layout);
    cn_snapshot_release(changes);
    return ok;
}

/* ---- Files ---- */

struct target {
    struct os_file file;
    const char *path;
};

static bool fail_file(const char *path, const char *what, struct error *error) {
    char reason[100] = "";
    int number = errno;
    if (number == ENOMEM)
        return cn_fail_memory(error);
    return cn_fail(error, CATNAP_IO, "%s cannot be %s: %s", path, what,
                   strerror_r(number, reason, sizeof reason));
}

static bool to_file(void *env, const void *bytes, size_t size, struct error *error) {
    struct target *target = env;
    return cn_os_file_write(&target->file, bytes, size) ||
           fail_file(target->path, "written", error);
}

bool cn_snapshot_write_file(catnap_snapshot_t *s, const struct snap_write_options *options,
                            const char *path, struct error *error) {
    struct target target = {.path = path};
    if (!cn_os_file_new(&target.file, path))
        return fail_file(path, "created", error);
    if (!cn_snapshot_write(s, options, to_file, &target, error)) {
        cn_os_file_abandon(&target.file);
        return false;
    }
    return cn_os_file_finish(&target.file, path) || fail_file(path, "written", error);
}
