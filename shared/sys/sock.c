/* SPDX-License-Identifier: MIT */
/* sock.c - sockets. */
#include "shared/sys/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096
/* Connections that died in the queue are skipped, but not for ever. */
#define ACCEPT_TRIES 16

/* --- addresses ------------------------------------------------------------ */

/* Copies, because a cast of sockaddr_storage breaks the aliasing rules. */
static struct sockaddr_in
as_v4(const struct sock_addr *a)
{
	struct sockaddr_in v4;

	memcpy(&v4, &a->ss, sizeof(v4));
	return v4;
}

static struct sockaddr_in6
as_v6(const struct sock_addr *a)
{
	struct sockaddr_in6 v6;

	memcpy(&v6, &a->ss, sizeof(v6));
	return v6;
}

static void
set_addr(struct sock_addr *a, const void *from, socklen_t n)
{
	*a = (struct sock_addr){ .len = n };
	memcpy(&a->ss, from, n);
}

bool
sock_addr_parse(struct sock_addr *a, struct span host, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(port) };
	char text[INET6_ADDRSTRLEN];

	if (host.n >= sizeof(text) || memchr(host.p, '\0', host.n) != NULL)
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		set_addr(a, &v4, sizeof(v4));
	else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
		set_addr(a, &v6, sizeof(v6));
	else
		return false;
	return true;
}

bool
sock_addr_unix(struct sock_addr *a, struct span path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (path.n == 0 || path.n >= sizeof(un.sun_path) ||
		memchr(path.p, '\0', path.n) != NULL)
		return false;
	memcpy(un.sun_path, path.p, path.n);
	set_addr(a, &un,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n +
			1));
	return true;
}

void
sock_addr_set_port(struct sock_addr *a, uint16_t port)
{
	struct sockaddr_in v4 = as_v4(a);
	struct sockaddr_in6 v6 = as_v6(a);

	v4.sin_port = htons(port);
	v6.sin6_port = htons(port);
	if (a->ss.ss_family == AF_INET)
		memcpy(&a->ss, &v4, sizeof(v4));
	else if (a->ss.ss_family == AF_INET6)
		memcpy(&a->ss, &v6, sizeof(v6));
}

uint16_t
sock_addr_port(const struct sock_addr *a)
{
	if (a->ss.ss_family == AF_INET)
		return ntohs(as_v4(a).sin_port);
	if (a->ss.ss_family == AF_INET6)
		return ntohs(as_v6(a).sin6_port);
	return 0;
}

bool
sock_addr_is_local(const struct sock_addr *a)
{
	static const unsigned char mapped[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0xff, 0xff, 127 };
	const struct sockaddr_in v4 = as_v4(a);
	const struct sockaddr_in6 v6 = as_v6(a);

	if (a->ss.ss_family == AF_INET)
		return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
	if (a->ss.ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
			memcmp(&v6.sin6_addr, mapped, sizeof(mapped)) == 0;
	return a->ss.ss_family == AF_UNIX;
}

static void
unix_text(const struct sock_addr *a, char out[SOCK_TEXT_MAX])
{
	struct sockaddr_un un;
	const size_t at = offsetof(struct sockaddr_un, sun_path);
	const size_t n = a->len > at ? MIN(a->len, sizeof(un)) - at : 0;

	memcpy(&un, &a->ss, sizeof(un));
	(void)snprintf(out, SOCK_TEXT_MAX, "unix:%.*s", (int)n, un.sun_path);
}

void
sock_addr_text(const struct sock_addr *a, char out[SOCK_TEXT_MAX])
{
	const struct sockaddr_in v4 = as_v4(a);
	const struct sockaddr_in6 v6 = as_v6(a);
	char host[INET6_ADDRSTRLEN] = "?";

	if (a->ss.ss_family == AF_INET) {
		(void)inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host));
		(void)snprintf(
			out, SOCK_TEXT_MAX, "%s:%u", host, sock_addr_port(a));
	} else if (a->ss.ss_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host));
		(void)snprintf(
			out, SOCK_TEXT_MAX, "[%s]:%u", host, sock_addr_port(a));
	} else if (a->ss.ss_family == AF_UNIX) {
		unix_text(a, out);
	} else {
		(void)snprintf(out, SOCK_TEXT_MAX, "?");
	}
}

bool
sock_local_addr(int fd, struct sock_addr *a)
{
	*a = (struct sock_addr){ .len = sizeof(a->ss) };
	return getsockname(fd, (struct sockaddr *)&a->ss, &a->len) == 0;
}

/* --- listeners ------------------------------------------------------------ */

static void
set_flag(int fd, int level, int name, int value)
{
	/* None of the options used here can fail on a fresh socket; if one
	 * did, the socket would still work. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

static int
new_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int
fail_closed(int fd, const struct sock_addr *a, const char *action,
	struct gp_error *err)
{
	const int error = errno;
	char text[SOCK_TEXT_MAX];
	char reason[128];

	sock_addr_text(a, text);
	if (fd >= 0)
		(void)close(fd);
	(void)gp_fail(err, GP_E_SYSTEM, "%s: %s: %s", text, action,
		strerror_r(error, reason, sizeof(reason)));
	errno = error;
	return -1;
}

static int
listen_tcp(const struct sock_addr *a, struct gp_error *err)
{
	const int fd = new_socket(a->ss.ss_family);
	const struct sockaddr_in6 v6 = as_v6(a);

	if (fd < 0)
		return fail_closed(fd, a, "socket", err);
	set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (a->ss.ss_family == AF_INET6)
		set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY,
			!IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr));
	if (bind(fd, (const struct sockaddr *)&a->ss, a->len) != 0)
		return fail_closed(fd, a, "bind", err);
	if (listen(fd, BACKLOG) != 0)
		return fail_closed(fd, a, "listen", err);
	return fd;
}

/* Remove a socket file that nobody listens on. False when the path is taken;
 * errno says by what. */
static bool
clear_path(const struct sock_addr *a, const char *path)
{
	struct stat st;
	int fd;
	int rc;

	if (lstat(path, &st) != 0)
		return errno == ENOENT;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return false;
	}
	fd = new_socket(AF_UNIX);
	if (fd < 0)
		return false;
	rc = connect(fd, (const struct sockaddr *)&a->ss, a->len);
	rc = rc == 0 || errno != ECONNREFUSED ? EADDRINUSE : 0;
	(void)close(fd);
	errno = rc;
	return rc == 0 && unlink(path) == 0;
}

static int
listen_unix(struct span host, unsigned mode, struct gp_error *err)
{
	struct sock_addr a;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int fd;

	if (!sock_addr_unix(&a, host)) {
		(void)gp_fail(err, GP_E_SYSTEM,
			"unix:%.*s: the path of a socket has 1 to %zu bytes",
			(int)MIN(host.n, 128), host.p, sizeof(path) - 1);
		return -1;
	}
	memcpy(path, host.p, host.n);
	path[host.n] = '\0';
	fd = new_socket(AF_UNIX);
	if (fd < 0)
		return fail_closed(fd, &a, "socket", err);
	if (!clear_path(&a, path))
		return fail_closed(fd, &a, "bind", err);
	/* The mode of the unbound socket is what bind gives the file (less the
	 * umask, hence the second call): at no time is it wider than asked. */
	if (fchmod(fd, mode) != 0 ||
		bind(fd, (const struct sockaddr *)&a.ss, a.len) != 0)
		return fail_closed(fd, &a, "bind", err);
	if (chmod(path, mode) != 0)
		return fail_closed(fd, &a, "chmod", err);
	if (listen(fd, BACKLOG) != 0)
		return fail_closed(fd, &a, "listen", err);
	return fd;
}

int
sock_listen(struct span host, uint16_t port, bool is_unix, unsigned mode,
	struct gp_error *err)
{
	struct sock_addr a;

	if (is_unix)
		return listen_unix(host, mode, err);
	if (span_ieq(host, SPAN("localhost")))
		host = SPAN("127.0.0.1");
	if (!sock_addr_parse(&a, host, port)) {
		(void)gp_fail(err, GP_E_SYSTEM,
			"%.*s:%u: not an address of this host",
			(int)MIN(host.n, 128), host.p, port);
		return -1;
	}
	return listen_tcp(&a, err);
}

static void
set_nodelay(int fd, const struct sock_addr *a)
{
	if (a->ss.ss_family != AF_UNIX)
		set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

int
sock_accept(int fd, struct sock_addr *peer)
{
	for (int i = 0; i < ACCEPT_TRIES; i++) {
		int got;

		*peer = (struct sock_addr){ .len = sizeof(peer->ss) };
		got = accept4(fd, (struct sockaddr *)&peer->ss, &peer->len,
			SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (got >= 0) {
			set_nodelay(got, peer);
			return got;
		}
		/* Linux reports the new connection's own trouble here. */
		if (errno != EINTR && errno != ECONNABORTED &&
			errno != EPROTO && errno != ENETDOWN &&
			errno != EHOSTDOWN && errno != EHOSTUNREACH &&
			errno != ENETUNREACH && errno != ENONET)
			return -1;
	}
	errno = EAGAIN;
	return -1;
}

/* --- connections ---------------------------------------------------------- */

int
sock_connect(const struct sock_addr *to)
{
	const int fd = new_socket(to->ss.ss_family);
	int error;

	if (fd < 0)
		return -1;
	set_nodelay(fd, to);
	if (connect(fd, (const struct sockaddr *)&to->ss, to->len) == 0 ||
		errno == EINPROGRESS || errno == EINTR)
		return fd;
	error = errno;
	(void)close(fd);
	errno = error;
	return -1;
}

int
sock_error(int fd)
{
	int error = 0;
	socklen_t n = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
		return errno;
	return error;
}

void
sock_shutdown_write(int fd)
{
	(void)shutdown(fd, SHUT_WR);
}
