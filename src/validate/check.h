/* A module checked while it is decoded: all that lies before the bodies when the first body comes,
 * bodies as they come, the rest at the end. */
#ifndef CN_VALIDATE_CHECK_H
#define CN_VALIDATE_CHECK_H

#include "validate/validate.h"

struct check {
    bool deferred;    /* no bodies */
    uint32_t threads; /* for bodies, the caller's included */
    bool streamed;    /* bytes are still to come; then another thread helps if there may be any */

    bool begun, failed;
    uint64_t begun_ns; /* when, by the monotonic clock */
    struct workers *workers;
    struct error error; /* of what lies before the bodies, when it failed */
};

/* The watcher to give to the decoder; it refers to the check, which must outlive it. */
struct body_watcher cn_check_watcher(struct check *);
/* Whether something invalid was found so far. */
bool cn_check_failed(struct check *);
/* Ends a check that has failed, and copies its error. */
void cn_check_stop(struct check *, struct error *);
/* The verdict on a module that is decoded; the check is over. */
bool cn_check_finish(struct check *, struct module *, struct error *);
/* Gives up, before the module is freed. */
void cn_check_drop(struct check *);

#endif
