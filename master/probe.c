/* SPDX-License-Identifier: MIT */
/* probe.c - one request to a port of this host, with a limit on its time. */
#include "master/probe.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/http/url.h"
#include "shared/sys/clock.h"
#include "shared/sys/sock.h"

#define ANSWER_MAX 4096

struct request {
	int fd;
	int64_t until_ms;
	struct span address;
	struct gp_error *err;
};

/* --- where ---------------------------------------------------------------- */

static bool
parse(struct span address, struct span *host, uint16_t *port, bool *is_unix,
	struct gp_error *err)
{
	return url_parse_listen(address, host, port, is_unix, err) == GP_OK;
}

bool
probe_can(struct span address)
{
	struct span host;
	uint16_t port = 0;
	bool is_unix = false;

	return address.n > 0 && parse(address, &host, &port, &is_unix, NULL) &&
		(is_unix || port != 0);
}

/* Who listens on any address can be reached on the loopback one. */
static struct span
reachable(struct span host)
{
	if (span_eq(host, SPAN("0.0.0.0")) || span_ieq(host, SPAN("localhost")))
		return SPAN("127.0.0.1");
	return span_eq(host, SPAN("::")) ? SPAN("::1") : host;
}

static enum gp_code
find(struct span address, struct sock_addr *to, struct gp_error *err)
{
	struct span host;
	uint16_t port = 0;
	bool is_unix = false;

	if (!parse(address, &host, &port, &is_unix, err))
		return GP_E_SYNTAX;
	if (is_unix ? sock_addr_unix(to, host) :
		      sock_addr_parse(to, reachable(host), port))
		return GP_OK;
	return gp_fail(err, GP_E_SYNTAX, "%.*s: not an address",
		SPAN_ARG(span_head(address, 128)));
}

/* --- asking --------------------------------------------------------------- */

static enum gp_code
failed(const struct request *r, enum gp_code code, const char *why)
{
	return gp_fail(r->err, code, "%.*s: %s",
		SPAN_ARG(span_head(r->address, 128)), why);
}

static enum gp_code
failed_errno(const struct request *r, int error)
{
	char room[128];

	return failed(r, GP_E_SYSTEM, strerror_r(error, room, sizeof(room)));
}

static enum gp_code
wait_for(const struct request *r, short events)
{
	struct pollfd p = { .fd = r->fd, .events = events };
	int n;

	do {
		const int64_t left_ms = r->until_ms - clock_mono_ms();

		n = left_ms > 0 ? poll(&p, 1, (int)MIN(left_ms, 60000)) : 0;
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return failed_errno(r, errno);
	return n == 0 ? failed(r, GP_E_TIMEOUT, "no answer in time") : GP_OK;
}

static enum gp_code
send_all(const struct request *r, struct span text)
{
	while (text.n > 0) {
		const ssize_t n = send(r->fd, text.p, text.n, MSG_NOSIGNAL);
		enum gp_code rc;

		if (n >= 0) {
			text = span_from(text, (size_t)n);
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return failed_errno(r, errno);
		rc = wait_for(r, POLLOUT);
		if (rc != GP_OK)
			return rc;
	}
	return GP_OK;
}

/* To the end, or as much as there is room for. */
static enum gp_code
receive(const struct request *r, char *out, size_t *n)
{
	for (*n = 0; *n < ANSWER_MAX;) {
		const ssize_t got = recv(r->fd, out + *n, ANSWER_MAX - *n, 0);
		enum gp_code rc;

		if (got == 0)
			return GP_OK;
		if (got > 0) {
			*n += (size_t)got;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return failed_errno(r, errno);
		rc = wait_for(r, POLLIN);
		if (rc != GP_OK)
			return rc;
	}
	return GP_OK;
}

/* "HTTP/1.1 200 ...", and the body for people. */
static enum gp_code
read_answer(const struct request *r, struct span answer, struct probe *out)
{
	const struct span begin = SPAN("HTTP/1.1 ");
	const char *const body = memmem(answer.p, answer.n, "\r\n\r\n", 4);
	uint64_t status = 0;
	struct span rest;
	size_t n = 0;

	if (!span_starts(answer, begin) ||
		!span_u64(span_head(span_from(answer, begin.n), 3), &status))
		return failed(r, GP_E_PEER, "what answers is not HTTP/1.1");
	out->status = (unsigned)status;
	rest = body == NULL ? SPAN_EMPTY :
			      span_from(answer, (size_t)(body + 4 - answer.p));
	for (size_t i = 0; i < rest.n && n < PROBE_TEXT_MAX - 1; i++)
		if (rest.p[i] >= ' ' && rest.p[i] <= '~')
			out->text[n++] = rest.p[i];
	out->text[n] = '\0';
	return GP_OK;
}

static enum gp_code
ask(const struct request *r, const struct sock_addr *to, struct probe *out)
{
	char text[SOCK_TEXT_MAX];
	char host[SOCK_TEXT_MAX + 96];
	char answer[ANSWER_MAX];
	size_t n = 0;
	enum gp_code rc = wait_for(r, POLLOUT);
	const int error = rc == GP_OK ? sock_error(r->fd) : 0;

	if (error != 0)
		return failed_errno(r, error);
	sock_addr_text(to, text);
	(void)snprintf(host, sizeof(host),
		"GET /health HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
		to->ss.ss_family == AF_UNIX ? "localhost" : text);
	if (rc == GP_OK)
		rc = send_all(r, span_cstr(host));
	if (rc == GP_OK)
		rc = receive(r, answer, &n);
	return rc == GP_OK ? read_answer(r, span_of(answer, n), out) : rc;
}

enum gp_code
probe_health(struct span address, int64_t timeout_ms, struct probe *out,
	struct gp_error *err)
{
	const int64_t begin_ms = clock_mono_ms();
	struct request r = { .until_ms = begin_ms + timeout_ms,
		.address = address,
		.err = err };
	struct sock_addr to;
	enum gp_code rc = find(address, &to, err);

	*out = (struct probe){ .status = 0 };
	if (rc != GP_OK)
		return rc;
	r.fd = sock_connect(&to);
	if (r.fd < 0)
		return failed_errno(&r, errno);
	rc = ask(&r, &to, out);
	(void)close(r.fd);
	out->took_ms = clock_mono_ms() - begin_ms;
	return rc;
}
