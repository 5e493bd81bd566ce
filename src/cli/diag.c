#include "diag.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAMES_INNERMOST 24
#define FRAMES_OUTERMOST 8
/* So many functions that call each other in turn are seen as a repetition. */
#define LONGEST_PERIOD 8

static const struct exit_code exit_codes[] = {
#define X(name, code, kind, label, meaning) {CLI_EXIT_##name, kind, label, meaning},
    CLI_EXIT_CODES(X)
#undef X
};

const struct exit_code *exit_code_at(size_t index) {
    return index < sizeof(exit_codes) / sizeof(*exit_codes) ? &exit_codes[index] : NULL;
}

static const struct exit_code *find_exit_code(enum cli_exit code) {
    const struct exit_code *row;
    for (size_t i = 0; (row = exit_code_at(i)) != NULL; i++)
        if (row->code == code)
            return row;
    return &exit_codes[0];
}

/* ---- Text of unknown origin ------------------------------------------------------------------ */

/* Where memory for the whole is lacking, a piece of it is shown. */
static void print_escaped(FILE *out, catnap_escape_t form, const char *text, size_t length) {
    char some[1024], *all = NULL;
    size_t needed = catnap_escape(form, text, length, some, sizeof(some));
    if (needed >= sizeof(some) && (all = malloc(needed + 1)) != NULL)
        catnap_escape(form, text, length, all, needed + 1);
    fputs(all != NULL ? all : some, out);
    free(all);
}

void print_safe(FILE *out, const char *text, size_t length) {
    print_escaped(out, CATNAP_ESCAPE_TEXT, text, length);
}

void print_path(FILE *out, const char *path) {
    print_safe(out, path, strlen(path));
}

void print_json_string(FILE *out, const char *text, size_t length) {
    fputc('"', out);
    print_escaped(out, CATNAP_ESCAPE_JSON, text, length);
    fputc('"', out);
}

/* Lines that were made here, of safe text. */
static void print_safe_lines(FILE *out, const char *text) {
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        print_safe(out, text, (size_t)(end - text));
        fputc('\n', out);
    }
    print_safe(out, text, strlen(text));
}

/* ---- Backtraces ------------------------------------------------------------------------------ */

static void print_frame_text(size_t index, const catnap_frame_t *frame) {
    fprintf(stderr, "\n  %3zu: ", index);
    if (frame->instance == NULL) {
        fputs("host function", stderr);
        if (frame->func_name_length > 0) {
            fputc(' ', stderr);
            print_safe(stderr, frame->func_name, frame->func_name_length);
        }
        return;
    }
    fprintf(stderr, "0x%" PRIx64 " - ", frame->module_offset);
    if (frame->module_name_length > 0)
        print_safe(stderr, frame->module_name, frame->module_name_length);
    else
        fputs("<unnamed>", stderr);
    fputc('!', stderr);
    if (frame->func_name_length > 0)
        print_safe(stderr, frame->func_name, frame->func_name_length);
    else
        fprintf(stderr, "func[%" PRIu32 "]", frame->func_index);
}

static void print_frame_json(size_t index, const catnap_frame_t *frame) {
    fprintf(stderr, "%s{\"index\":%zu,\"host\":%s", index > 0 ? "," : "", index,
            frame->instance == NULL ? "true" : "false");
    if (frame->instance != NULL) {
        fprintf(stderr, ",\"offset\":%" PRIu64, frame->module_offset);
        fprintf(stderr, ",\"function_offset\":%" PRIu64, frame->func_offset);
        fprintf(stderr, ",\"function\":%" PRIu32, frame->func_index);
    }
    if (frame->module_name_length > 0) {
        fputs(",\"module\":", stderr);
        print_json_string(stderr, frame->module_name, frame->module_name_length);
    }
    if (frame->func_name_length > 0) {
        fputs(",\"name\":", stderr);
        print_json_string(stderr, frame->func_name, frame->func_name_length);
    }
    fputc('}', stderr);
}

/* Of a long backtrace, lines of the innermost and the outermost frames are shown. */
static void print_frames_json(const wasm_trap_t *trap) {
    size_t gap, left_out = catnap_trap_frames_left_out(trap, &gap);
    size_t count = catnap_trap_frame_count(trap);
    catnap_frame_t frame;
    for (size_t i = 0; i < count && catnap_trap_frame(trap, i, &frame); i++) {
        print_frame_json(i < gap ? i : i + left_out, &frame);
        if (i + 1 == FRAMES_INNERMOST && count > FRAMES_INNERMOST + FRAMES_OUTERMOST + 1)
            i = count - FRAMES_OUTERMOST - 1;
    }
}

/* A line of a backtrace: a frame, or `frames` of the stack that are not shown. */
struct trace_line {
    size_t frame;  /* index in the trap, where frames is 0 */
    size_t frames; /* in all */
    size_t period; /* so many lines before are repeated in them, or 0: they are others */
};

/* How often the frames at [first, first + period) come once more, one time after the other. */
static size_t repetitions(const wasm_trap_t *trap, size_t first, size_t end, size_t period) {
    size_t same = 0;
    while (first + same + period < end &&
           catnap_trap_frames_equal(trap, first + same, first + same + period))
        same++;
    return same / period;
}

/* Frames that come three times or more in a row, as recursion makes them, become one time and a line
 * that says how often. There is room for two lines for each frame and one more. */
static size_t make_trace(const wasm_trap_t *trap, struct trace_line *lines) {
    size_t gap, left_out = catnap_trap_frames_left_out(trap, &gap);
    size_t frames = catnap_trap_frame_count(trap), count = 0;
    for (size_t i = 0; i < frames;) {
        size_t end = i < gap ? gap : frames, period = 1, times = 0;
        if (i == gap)
            lines[count++] = (struct trace_line){.frames = left_out};
        while (period <= LONGEST_PERIOD && (times = repetitions(trap, i, end, period)) < 2)
            period++;
        size_t shown = period <= LONGEST_PERIOD ? period : 1;
        for (size_t k = 0; k < shown; k++)
            lines[count++] = (struct trace_line){.frame = i + k};
        i += shown;
        if (period <= LONGEST_PERIOD) {
            lines[count++] = (struct trace_line){.frames = period * times, .period = period};
            i += period * times;
        }
    }
    return count;
}

static void print_trace_line(const wasm_trap_t *trap, const struct trace_line *line) {
    size_t gap, left_out = catnap_trap_frames_left_out(trap, &gap);
    catnap_frame_t frame;
    if (line->frames > 0 && line->period == 1)
        fprintf(stderr, "\n  ... the same frame repeated %zu more times ...", line->frames);
    else if (line->frames > 0 && line->period > 0)
        fprintf(stderr, "\n  ... the same %zu frames repeated %zu more times ...", line->period,
                line->frames / line->period);
    else if (line->frames > 0)
        fprintf(stderr, "\n  ... %zu more frames ...", line->frames);
    else if (catnap_trap_frame(trap, line->frame, &frame))
        print_frame_text(line->frame < gap ? line->frame : line->frame + left_out, &frame);
}

static void print_frames_text(const wasm_trap_t *trap) {
    struct trace_line *lines = calloc(catnap_trap_frame_count(trap) * 2 + 1, sizeof(*lines));
    if (lines == NULL)
        return;
    size_t count = make_trace(trap, lines);
    bool shorten = count > FRAMES_INNERMOST + FRAMES_OUTERMOST + 1;
    for (size_t i = 0; i < count; i++) {
        struct trace_line skipped = {0};
        print_trace_line(trap, &lines[i]);
        if (!shorten || i + 1 != FRAMES_INNERMOST)
            continue;
        for (; i + 1 < count - FRAMES_OUTERMOST; i++)
            skipped.frames += lines[i + 1].frames > 0 ? lines[i + 1].frames : 1;
        print_trace_line(trap, &skipped);
    }
    free(lines);
}

/* ---- Diagnostics ----------------------------------------------------------------------------- */

static void report_text(const struct exit_code *row, const struct diag_detail *detail,
                        const char *message) {
    fputs("catnap: ", stderr);
    if (detail->subject != NULL) {
        print_safe(stderr, detail->subject, strlen(detail->subject));
        fputs(": ", stderr);
    }
    if (row->label[0] != '\0')
        fprintf(stderr, "%s: ", row->label);
    if (detail->lines)
        print_safe_lines(stderr, message);
    else
        print_safe(stderr, message, strlen(message));
    if (detail->has_offset || detail->has_function)
        fputs(" (", stderr);
    if (detail->has_function)
        fprintf(stderr, "function %" PRIu32 "%s", detail->function, detail->has_offset ? ", " : "");
    if (detail->has_offset)
        fprintf(stderr, "offset 0x%" PRIx64, detail->offset);
    if (detail->has_offset || detail->has_function)
        fputc(')', stderr);
}

/* In place of an exit code: the command goes on. */
static const struct exit_code warning = {.kind = "warning", .label = "warning", .meaning = ""};

static void report_json(const struct exit_code *row, const struct diag_detail *detail,
                        const char *message) {
    fprintf(stderr, "{\"level\":\"%s\",\"kind\":\"%s\",\"exit_code\":%d",
            row == &warning ? "warning" : "error", row->kind, row->code);
    if (detail->subject != NULL) {
        fputs(",\"subject\":", stderr);
        print_json_string(stderr, detail->subject, strlen(detail->subject));
    }
    fputs(",\"message\":", stderr);
    print_json_string(stderr, message, strlen(message));
    if (detail->has_offset)
        fprintf(stderr, ",\"offset\":%" PRIu64, detail->offset);
    if (detail->has_function)
        fprintf(stderr, ",\"function\":%" PRIu32, detail->function);
    if (detail->trap != NULL) {
        fprintf(stderr, ",\"frame_count\":%zu,\"frames\":[",
                catnap_trap_frame_count(detail->trap) +
                    catnap_trap_frames_left_out(detail->trap, NULL));
        print_frames_json(detail->trap);
    }
}

static void report(const struct diag *diag, const struct exit_code *row,
                   const struct diag_detail *detail, const char *message) {
    if (diag->json)
        report_json(row, detail, message);
    else
        report_text(row, detail, message);
    if (detail->trap != NULL && !diag->json)
        print_frames_text(detail->trap);
    if (diag->json)
        fputs(detail->trap != NULL ? "]}" : "}", stderr);
    fputc('\n', stderr);
    fflush(stderr);
}

enum cli_exit diag_report(const struct diag *diag, enum cli_exit code,
                          const struct diag_detail *detail, const char *message) {
    report(diag, find_exit_code(code), detail, message);
    return code;
}

/* The text, or NULL when there is no memory for it. */
static char *make_text(const char *format, va_list arguments) {
    char *text;
    return vasprintf(&text, format, arguments) >= 0 ? text : NULL;
}

enum cli_exit diag_fail(const struct diag *diag, enum cli_exit code, const char *subject,
                        const char *format, ...) {
    struct diag_detail detail = {.subject = subject};
    va_list arguments;
    va_start(arguments, format);
    char *message = make_text(format, arguments);
    va_end(arguments);
    diag_report(diag, code, &detail, message != NULL ? message : format);
    free(message);
    return code;
}

void diag_hint(const struct diag *diag, const char *format, ...) {
    if (diag->json)
        return;
    va_list arguments;
    va_start(arguments, format);
    char *message = make_text(format, arguments);
    va_end(arguments);
    if (message != NULL) {
        print_safe(stderr, message, strlen(message));
        fputc('\n', stderr);
        fflush(stderr);
    }
    free(message);
}

static enum cli_exit exit_of_status(catnap_status_t status) {
    switch (status) {
    case CATNAP_OK:
        return CLI_EXIT_OK;
    case CATNAP_MALFORMED:
        return CLI_EXIT_MALFORMED;
    case CATNAP_INVALID:
        return CLI_EXIT_INVALID;
    case CATNAP_UNSUPPORTED:
        return CLI_EXIT_UNSUPPORTED;
    case CATNAP_LIMIT:
        return CLI_EXIT_LIMIT;
    case CATNAP_LINK:
        return CLI_EXIT_LINK;
    case CATNAP_TRAP:
        return CLI_EXIT_TRAP;
    case CATNAP_OUT_OF_FUEL:
        return CLI_EXIT_FUEL;
    case CATNAP_INTERRUPTED:
        return CLI_EXIT_TIMEOUT;
    case CATNAP_NO_MEMORY:
        return CLI_EXIT_NO_MEMORY;
    case CATNAP_IO:
        return CLI_EXIT_UNREADABLE;
    case CATNAP_NOT_FOUND:
        return CLI_EXIT_USAGE;
    case CATNAP_MISUSE:
    case CATNAP_BUSY:
        break;
    }
    return CLI_EXIT_INTERNAL;
}

static struct diag_detail detail_of(const char *subject, const catnap_error_t *error) {
    return (struct diag_detail){
        .subject = subject,
        .has_offset = catnap_error_offset(error) != UINT64_MAX,
        .offset = catnap_error_offset(error),
        .has_function = catnap_error_function(error) != UINT32_MAX,
        .function = catnap_error_function(error),
    };
}

void diag_warning(const struct diag *diag, const char *subject, WASM_OWN catnap_error_t *error) {
    struct diag_detail detail = detail_of(subject, error);
    report(diag, &warning, &detail, catnap_error_message(error));
    catnap_error_delete(error);
}

enum cli_exit diag_error(const struct diag *diag, const char *subject,
                         WASM_OWN catnap_error_t *error) {
    if (error == NULL)
        return diag_fail(diag, CLI_EXIT_INTERNAL, subject, "no reason was given");
    struct diag_detail detail = detail_of(subject, error);
    enum cli_exit code = exit_of_status(catnap_error_status(error));
    diag_report(diag, code, &detail, catnap_error_message(error));
    catnap_error_delete(error);
    return code;
}

enum cli_exit diag_no_memory(const struct diag *diag) {
    return diag_fail(diag, CLI_EXIT_NO_MEMORY, NULL, "an allocation failed");
}

enum cli_exit diag_finish_output(const struct diag *diag, enum cli_exit code) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    int reason = errno;
    __fpurge(stdout);
    clearerr(stdout);
    return diag_fail(diag, CLI_EXIT_IO, "standard output", "%s",
                     reason != 0 ? strerror(reason) : "an earlier write failed");
}
