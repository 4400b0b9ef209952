/* SPDX-License-Identifier: MIT */
/* io.c - the same two calls for plain and for TLS connections. */
#include "tests/upstream/io.h"

#include <errno.h>
#include <sys/socket.h>

static enum tls_step
step_of(ssize_t n, enum tls_step again)
{
	if (n > 0)
		return TLS_OK;
	if (n == 0)
		return TLS_EOF;
	return errno == EAGAIN || errno == EINTR ? again : TLS_FAIL;
}

enum tls_step
io_read(int fd, struct tls_conn *tls, char *to, size_t n, size_t *got)
{
	ssize_t rc;

	if (tls != NULL)
		return tls_read(tls, to, n, got);
	rc = recv(fd, to, n, 0);
	*got = rc > 0 ? (size_t)rc : 0;
	return step_of(rc, TLS_WANT_READ);
}

enum tls_step
io_write(int fd, struct tls_conn *tls, struct span s, size_t *put)
{
	ssize_t rc;

	if (tls != NULL)
		return tls_write(tls, s, put);
	rc = send(fd, s.p, s.n, MSG_NOSIGNAL);
	*put = rc > 0 ? (size_t)rc : 0;
	return step_of(rc, TLS_WANT_WRITE);
}
