/* Sockets that listen, for guests that accept connections. */
#ifndef CATNAP_CLI_LISTEN_H
#define CATNAP_CLI_LISTEN_H

#include "diag.h"

/* Listens on "HOST:PORT", where HOST is a name, an IPv4 address, or an IPv6 address in brackets. *fd
 * is the socket, or -1 when the user has been told what is wrong. `option` is how the user wrote the
 * option. */
enum cli_exit listen_on(const struct diag *, const char *option, const char *address, int *fd);

#endif
