/* SPDX-License-Identifier: MIT */
/* sock.h - sockets: TCP over IPv4 and IPv6, and Unix ones. All descriptors are
 * non-blocking and close-on-exec unless said otherwise. */
#ifndef SYS_SOCK_H
#define SYS_SOCK_H

#include <sys/socket.h>

#include "shared/base/err.h"
#include "shared/base/span.h"

#define SOCK_TEXT_MAX 128 /* an address as text, NUL included */

struct sock_addr {
	struct sockaddr_storage ss;
	socklen_t len;
};

/* A listener: host is an address (not a name, except "localhost"), or a path
 * when is_unix (an old socket file there is removed if nobody answers on it).
 * SO_REUSEADDR, backlog 4096, IPV6_V6ONLY off only for "::". mode: of the
 * socket file. Returns the descriptor, or -1 with *err naming address and
 * reason. */
int sock_listen(struct span host, uint16_t port, bool is_unix, unsigned mode,
	struct gp_error *err) GP_WUR;

/* One waiting connection with TCP_NODELAY set, or -1 with errno (EAGAIN: none;
 * EMFILE, ENFILE, ENOMEM, ENOBUFS: the caller pauses). */
int sock_accept(int fd, struct sock_addr *peer) GP_WUR;

/* Begin to connect, TCP_NODELAY set. The descriptor (connected, or in
 * progress: wait for EV_WRITE, then sock_error), or -1 with errno. */
int sock_connect(const struct sock_addr *to) GP_WUR;
/* SO_ERROR: 0 or an errno value. */
int sock_error(int fd);

/* From text "127.0.0.1", "::1" and a port. False if it is not an address. */
bool sock_addr_parse(
	struct sock_addr *a, struct span host, uint16_t port) GP_WUR;
/* From the path of a Unix socket. False if it is empty or too long. */
bool sock_addr_unix(struct sock_addr *a, struct span path) GP_WUR;
/* True for Unix sockets and loopback addresses: no other host can reach it. */
bool sock_addr_is_local(const struct sock_addr *a);
void sock_addr_set_port(struct sock_addr *a, uint16_t port);
uint16_t sock_addr_port(const struct sock_addr *a);
/* "1.2.3.4:5", "[::1]:5", "unix:/path"; always terminated. */
void sock_addr_text(const struct sock_addr *a, char out[SOCK_TEXT_MAX]);
/* Local address of a bound descriptor. */
bool sock_local_addr(int fd, struct sock_addr *a) GP_WUR;

/* Linger so that the last answer is not lost: shutdown(SHUT_WR). */
void sock_shutdown_write(int fd);

#endif
