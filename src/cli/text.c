#include "text.h"

#ifdef CATNAP_HAVE_WABT

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wat.h"

/* Nesting is read by recursion: the more of this the deeper. Only what is used becomes memory. */
#define LARGEST_STACK ((size_t)1 << 30)
#define SMALLEST_STACK ((size_t)1 << 20)

struct job {
    wat_convert_t *convert;
    const char *name;
    const struct bytes *text;
    int fd;
    enum wat_result result;
};

/* ---- In the child ---------------------------------------------------------------------------- */

static void *job_thread(void *argument) {
    struct job *job = argument;
    job->result = job->convert(job->name, job->text->data, job->text->length, job->fd);
    return NULL;
}

/* Runs the job on the largest stack that there is; the result becomes the exit status. */
static enum wat_result run_job(struct job *job) {
    for (size_t stack = LARGEST_STACK; stack >= SMALLEST_STACK; stack /= 4) {
        pthread_attr_t attributes;
        pthread_t thread;
        if (pthread_attr_init(&attributes) != 0)
            return WAT_FAILED;
        bool started = pthread_attr_setstacksize(&attributes, stack) == 0 &&
                       pthread_create(&thread, &attributes, job_thread, job) == 0;
        pthread_attr_destroy(&attributes);
        if (started) {
            pthread_join(thread, NULL);
            return job->result;
        }
    }
    return WAT_FAILED;
}

/* A crash here is an answer, not an event: no core file, no words on standard error. The child does not
 * outlive the command, whatever ends that. */
static _Noreturn void child_main(struct job *job, pid_t parent) {
    const struct rlimit no_core = {0, 0};
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(WAT_FAILED);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGABRT, SIG_DFL);
    if (null >= 0) {
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
    _exit(run_job(job));
}

/* ---- In the parent --------------------------------------------------------------------------- */

/* The messages that the child left say where the text is wrong. */
static enum cli_exit report_refused(const struct diag *diag, const char *path, int fd) {
    struct bytes messages;
    enum cli_exit code = load_descriptor(diag, path, fd, &messages);
    if (code != CLI_EXIT_OK)
        return code;
    struct diag_detail detail = {.subject = display_name(path), .lines = true};
    char *text = strndup(messages.data != NULL ? (const char *)messages.data : "", messages.length);
    code =
        text != NULL ? diag_report(diag, CLI_EXIT_MALFORMED, &detail, text) : diag_no_memory(diag);
    free(text);
    bytes_free(&messages);
    return code;
}

static enum cli_exit finish(const struct diag *diag, const char *path, int status, int fd,
                            struct bytes *out) {
    if (WIFSIGNALED(status))
        return diag_fail(diag, CLI_EXIT_MALFORMED, display_name(path),
                         "libwabt crashed while it parsed the text (%s): it may be nested too "
                         "deeply or have a bad reference",
                         strsignal(WTERMSIG(status)));
    switch (WEXITSTATUS(status)) {
    case WAT_DONE:
        return load_descriptor(diag, path, fd, out);
    case WAT_REFUSED:
        return report_refused(diag, path, fd);
    default:
        return diag_no_memory(diag);
    }
}

static enum cli_exit convert(const struct diag *diag, const char *path, const struct bytes *text,
                             wat_convert_t *converter, struct bytes *out) {
    struct job job = {.convert = converter, .name = display_name(path), .text = text};
    int status;
    *out = (struct bytes){0};
    job.fd = memfd_create("catnap-text", MFD_CLOEXEC);
    if (job.fd < 0)
        return diag_no_memory(diag);
    fflush(stdout);
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        child_main(&job, parent);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    enum cli_exit code = child > 0 ? finish(diag, path, status, job.fd, out) : diag_no_memory(diag);
    close(job.fd);
    return code;
}

enum cli_exit text_to_binary(const struct diag *diag, const char *path, const struct bytes *text,
                             struct bytes *out) {
    return convert(diag, path, text, wat_to_binary, out);
}

enum cli_exit text_script_to_files(const struct diag *diag, const char *path,
                                   const struct bytes *text, struct bytes *out) {
    return convert(diag, path, text, wat_script_to_files, out);
}

#else

static enum cli_exit no_text_format(const struct diag *diag, const char *path, struct bytes *out) {
    *out = (struct bytes){0};
    return diag_fail(diag, CLI_EXIT_UNSUPPORTED, display_name(path),
                     "this is WebAssembly text, and this catnap was built without libwabt");
}

enum cli_exit text_to_binary(const struct diag *diag, const char *path, const struct bytes *text,
                             struct bytes *out) {
    (void)text;
    return no_text_format(diag, path, out);
}

enum cli_exit text_script_to_files(const struct diag *diag, const char *path,
                                   const struct bytes *text, struct bytes *out) {
    (void)text;
    return no_text_format(diag, path, out);
}

#endif
