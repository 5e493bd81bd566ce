/* The output of --stats, from tables of fields that feed both the text and the JSON. */
#include <inttypes.h>
#include <string.h>

#include "load.h"
#include "session.h"

enum unit { COUNT, BYTES, NANOSECONDS };

struct field {
    const char *key;
    const char *label;
    enum unit unit;
    size_t offset;
};

#define FIELD(type, key, label, unit) {#key, label, unit, offsetof(type, key)}

static const struct field module_fields[] = {
    FIELD(catnap_module_stats_t, module_bytes, "module", BYTES),
    FIELD(catnap_module_stats_t, functions, "functions", COUNT),
    FIELD(catnap_module_stats_t, functions_validated, "functions validated", COUNT),
    FIELD(catnap_module_stats_t, functions_translated, "functions translated", COUNT),
    FIELD(catnap_module_stats_t, code_bytes, "WebAssembly code", BYTES),
    FIELD(catnap_module_stats_t, code_bytes_translated, "WebAssembly code translated", BYTES),
    FIELD(catnap_module_stats_t, bytecode_bytes, "register bytecode", BYTES),
    FIELD(catnap_module_stats_t, decode_ns, "time to decode", NANOSECONDS),
    FIELD(catnap_module_stats_t, validate_ns, "time to validate", NANOSECONDS),
    FIELD(catnap_module_stats_t, translate_ns, "time to translate", NANOSECONDS),
};

/* Statistics of the run as a whole. */
struct run_stats {
    uint64_t fuel_consumed;
    uint64_t instantiate_ns, run_ns;
    uint64_t linear_memory_bytes, table_elements, value_stack_bytes;
    uint64_t engine_bytes, engine_peak_bytes;
};

static const struct field run_fields[] = {
    FIELD(struct run_stats, fuel_consumed, "fuel consumed", COUNT),
    FIELD(struct run_stats, instantiate_ns, "time to instantiate", NANOSECONDS),
    FIELD(struct run_stats, run_ns, "time to run", NANOSECONDS),
    FIELD(struct run_stats, linear_memory_bytes, "linear memory", BYTES),
    FIELD(struct run_stats, table_elements, "table elements", COUNT),
    FIELD(struct run_stats, value_stack_bytes, "value stack reserved", BYTES),
    FIELD(struct run_stats, engine_bytes, "engine's own memory", BYTES),
    FIELD(struct run_stats, engine_peak_bytes, "engine's own memory, peak", BYTES),
};

static const struct field heap_fields[] = {
    FIELD(catnap_heap_stats_t, heap_bytes, "heap of objects", BYTES),
    FIELD(catnap_heap_stats_t, heap_peak_bytes, "heap of objects, peak", BYTES),
    FIELD(catnap_heap_stats_t, live_bytes, "live at last collection", BYTES),
    FIELD(catnap_heap_stats_t, allocated_bytes, "objects allocated", BYTES),
    FIELD(catnap_heap_stats_t, collections, "collections", COUNT),
    FIELD(catnap_heap_stats_t, full_collections, "full collections", COUNT),
    FIELD(catnap_heap_stats_t, full_ns, "time of full collections", NANOSECONDS),
    FIELD(catnap_heap_stats_t, longest_full_ns, "longest full collection", NANOSECONDS),
    FIELD(catnap_heap_stats_t, increments, "increments of marking", COUNT),
    FIELD(catnap_heap_stats_t, increments_ns, "time of increments", NANOSECONDS),
    FIELD(catnap_heap_stats_t, longest_increment_ns, "longest increment", NANOSECONDS),
};

#define ROWS(table) (table), sizeof(table) / sizeof(*(table))

static void collect(const struct session *session, struct run_stats *out) {
    catnap_store_stats_t store = {0};
    *out = (struct run_stats){.instantiate_ns = session->instantiate_ns, .run_ns = session->run_ns};
    if (session->store != NULL) {
        catnap_store_stats(session->store, &store);
        catnap_engine_memory(session->engine, &out->engine_bytes, &out->engine_peak_bytes);
        if (session->settings->fuel.given)
            out->fuel_consumed = session->settings->fuel.value - catnap_store_fuel(session->store);
    }
    out->linear_memory_bytes = store.memory_bytes;
    out->table_elements = store.table_elements;
    out->value_stack_bytes = store.value_stack_bytes;
}

static uint64_t field_value(const struct field *field, const void *stats) {
    uint64_t value;
    memcpy(&value, (const char *)stats + field->offset, sizeof(value));
    return value;
}

static void print_text_fields(const void *stats, const struct field *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t value = field_value(&fields[i], stats);
        fprintf(stderr, "  %-28s ", fields[i].label);
        if (fields[i].unit == NANOSECONDS)
            fprintf(stderr, "%15.6f s\n", (double)value / 1e9);
        else
            fprintf(stderr, "%15" PRIu64 "%s\n", value, fields[i].unit == BYTES ? " bytes" : "");
    }
}

static void print_json_fields(const void *stats, const struct field *fields, size_t count) {
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", fields[i].key,
                field_value(&fields[i], stats));
}

/* Increments by their time: a line for each power of two that there are some of. */
static void print_text_pauses(const catnap_heap_stats_t *heap) {
    for (unsigned i = 0; i < CATNAP_HEAP_PAUSES; i++)
        if (heap->pauses[i] > 0)
            fprintf(stderr, "  increments below %8.2f us %14" PRIu64 "\n",
                    (double)(UINT64_C(2) << i) / 256, heap->pauses[i]);
}

static void print_json_pauses(const catnap_heap_stats_t *heap) {
    fputs(",\"pauses\":[", stderr);
    for (unsigned i = 0; i < CATNAP_HEAP_PAUSES; i++)
        fprintf(stderr, "%s%" PRIu64, i > 0 ? "," : "", heap->pauses[i]);
    fputc(']', stderr);
}

/* False when the run made no objects. */
static bool heap_stats(const struct session *session, catnap_heap_stats_t *out) {
    catnap_store_heap_stats(session->store, out);
    return out->heap_peak_bytes > 0;
}

static void print_text(const struct session *session, const struct run_stats *run) {
    catnap_heap_stats_t heap;
    for (size_t i = 0; i < session->loaded_count; i++) {
        const char *name = display_name(session->loaded[i].path);
        catnap_module_stats_t module;
        catnap_module_stats(session->loaded[i].module, &module);
        fputs("catnap: statistics of ", stderr);
        print_safe(stderr, name, strlen(name));
        fputc('\n', stderr);
        if (session->loaded[i].cached)
            fputs("  found in the cache; not validated again\n", stderr);
        print_text_fields(&module, ROWS(module_fields));
    }
    fputs("catnap: statistics of the run\n", stderr);
    print_text_fields(run, ROWS(run_fields));
    if (!heap_stats(session, &heap))
        return;
    print_text_fields(&heap, ROWS(heap_fields));
    print_text_pauses(&heap);
}

static void print_json(const struct session *session, const struct run_stats *run) {
    catnap_heap_stats_t heap;
    fprintf(stderr, "{\"level\":\"stats\",\"exit_code\":%d,\"modules\":[", session->exit_code);
    for (size_t i = 0; i < session->loaded_count; i++) {
        const char *name = display_name(session->loaded[i].path);
        catnap_module_stats_t module;
        catnap_module_stats(session->loaded[i].module, &module);
        fprintf(stderr, "%s{\"file\":", i > 0 ? "," : "");
        print_json_string(stderr, name, strlen(name));
        fprintf(stderr, ",\"cached\":%s,", session->loaded[i].cached ? "true" : "false");
        print_json_fields(&module, ROWS(module_fields));
        fputc('}', stderr);
    }
    fputs("],\"run\":{", stderr);
    print_json_fields(run, ROWS(run_fields));
    fputc('}', stderr);
    if (heap_stats(session, &heap)) {
        fputs(",\"heap\":{", stderr);
        print_json_fields(&heap, ROWS(heap_fields));
        print_json_pauses(&heap);
        fputc('}', stderr);
    }
    fputs("}\n", stderr);
}

void print_stats(const struct session *session) {
    struct run_stats run;
    collect(session, &run);
    if (session->settings->stats == 2 || session->diag->json)
        print_json(session, &run);
    else
        print_text(session, &run);
    fflush(stderr);
}
