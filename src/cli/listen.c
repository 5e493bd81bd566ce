#include "listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "options.h"

#define LONGEST_HOST 255

/* Takes the address apart; false when it is none. */
static bool parse_address(const char *address, char *host, const char **port) {
    const char *colon = strrchr(address, ':');
    uint64_t number;
    if (colon == NULL || parse_number(colon + 1, &number) != NUMBER_OK || number > UINT16_MAX)
        return false;
    size_t length = (size_t)(colon - address);
    bool brackets = address[0] == '[';
    if (brackets) {
        if (address[length - 1] != ']')
            return false;
        address++;
        length -= 2;
    }
    if (length == 0 || length > LONGEST_HOST || (!brackets && memchr(address, ':', length)))
        return false;
    memcpy(host, address, length);
    host[length] = '\0';
    *port = colon + 1;
    return true;
}

/* A listening socket, or -1 with errno set. It does not block: runtimes with threads of their own, such
 * as Go's, accept until there is nothing to accept and then poll, as they do under other engines. */
static int try_listening(const struct addrinfo *at) {
    const int yes = 1;
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

enum cli_exit listen_on(const struct diag *diag, const char *option, const char *address, int *fd) {
    static const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM,
                                           .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    char host[LONGEST_HOST + 1];
    const char *port;
    struct addrinfo *found = NULL;
    *fd = -1;
    if (!parse_address(address, host, &port))
        return diag_fail(diag, CLI_EXIT_USAGE, NULL, "%s: expected HOST:PORT, not '%s'", option,
                         address);
    int error = getaddrinfo(host, port, &wanted, &found);
    if (error != 0)
        return diag_fail(diag, CLI_EXIT_IO, address, "cannot listen: %s", gai_strerror(error));
    for (const struct addrinfo *at = found; at != NULL && *fd < 0; at = at->ai_next)
        *fd = try_listening(at);
    error = errno;
    freeaddrinfo(found);
    if (*fd >= 0)
        return CLI_EXIT_OK;
    return diag_fail(diag, CLI_EXIT_IO, address, "cannot listen: %s", strerror(error));
}
