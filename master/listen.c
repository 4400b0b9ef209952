/* SPDX-License-Identifier: MIT */
/* listen.c - the listening sockets: bound here, or inherited. */
#include "master/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/config.h"
#include "master/paths.h"
#include "shared/sys/log.h"

#define UNIX_PREFIX "unix:"

const char *
listen_port_name(enum listen_port port)
{
	return port == LISTEN_ADMIN ? "admin" : "proxy";
}

static char *
copy(struct span s)
{
	char *const d = strndup(s.p, s.n);

	if (d == NULL)
		fatal(1, "memory");
	return d;
}

static enum gp_code
add(struct listeners *l, int fd, enum listen_port port, struct span text)
{
	if (l->n == ARRAY_LEN(l->v))
		return GP_E_LIMIT;
	l->v[l->n++] = (struct listener){ fd, port, copy(text) };
	return GP_OK;
}

bool
listener_is_unix(const struct listener *l)
{
	return span_starts(span_cstr(l->text), SPAN(UNIX_PREFIX));
}

/* --- inheriting ----------------------------------------------------------- */

static bool
is_listener(int fd)
{
	int value = 0;
	socklen_t n = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &n) == 0 &&
		value != 0;
}

void
listeners_inherit(
	struct listeners *l, int fd, enum listen_port port, struct span text)
{
	const int flags = fcntl(fd, F_GETFL);

	if (!is_listener(fd) || flags < 0 ||
		fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
		fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
		add(l, fd, port, text) != GP_OK) {
		log_warnx("inherited descriptor %d cannot be used", fd);
		(void)close(fd);
	}
}

/* --- opening -------------------------------------------------------------- */

struct opening {
	const struct conf *conf;
	struct listeners *inherited; /* what is taken becomes fd -1 */
	struct listeners *opened;
	enum listen_port port;
	const char *user, *group;
};

/* How the system will call this address, to find a socket that was stored under
 * that name: localhost is bound as 127.0.0.1. */
static void
bound_text(struct span text, struct span host, uint16_t port, bool is_unix,
	char out[SOCK_TEXT_MAX])
{
	struct sock_addr a;

	if (span_ieq(host, SPAN("localhost")))
		host = SPAN("127.0.0.1");
	if (!is_unix && sock_addr_parse(&a, host, port))
		sock_addr_text(&a, out);
	else
		(void)snprintf(out, SOCK_TEXT_MAX, "%.*s",
			SPAN_ARG(span_head(text, SOCK_TEXT_MAX - 1)));
}

/* A descriptor that was opened for this address, or -1. */
static int
take(struct opening *o, struct span text)
{
	for (size_t i = 0; i < o->inherited->n; i++) {
		struct listener *const have = &o->inherited->v[i];
		const int fd = have->fd;

		if (fd < 0 || have->port != o->port ||
			!span_eq(span_cstr(have->text), text))
			continue;
		have->fd = -1;
		return fd;
	}
	return -1;
}

/* First pass: a place for every address, with the socket if it was inherited.
 */
static enum gp_code
place(void *ctx, struct span text, struct span host, uint16_t port,
	bool is_unix, struct gp_error *err)
{
	struct opening *const o = ctx;
	char bound[SOCK_TEXT_MAX];
	int fd = take(o, text);

	if (fd < 0) {
		bound_text(text, host, port, is_unix, bound);
		fd = take(o, span_cstr(bound));
	}
	if (add(o->opened, fd, o->port, text) == GP_OK)
		return GP_OK;
	if (fd >= 0)
		(void)close(fd);
	return gp_fail(err, GP_E_LIMIT, "too many addresses");
}

/* Second pass, when no socket that is not wanted any more is in the way. */
static enum gp_code
bind_one(void *ctx, struct span text, struct span host, uint16_t port,
	bool is_unix, struct gp_error *err)
{
	struct opening *const o = ctx;
	char path[SOCK_TEXT_MAX];
	struct listener *l = NULL;

	for (size_t i = 0; i < o->opened->n && l == NULL; i++)
		if (o->opened->v[i].fd < 0 && o->opened->v[i].port == o->port &&
			span_eq(span_cstr(o->opened->v[i].text), text))
			l = &o->opened->v[i];
	if (l == NULL)
		return GP_OK;
	l->fd = sock_listen(host, port, is_unix, conf_unix_mode(o->conf), err);
	if (l->fd < 0)
		return err->code;
	(void)snprintf(path, sizeof(path), "%.*s",
		SPAN_ARG(span_head(host, sizeof(path) - 1)));
	return is_unix ? paths_give(path, o->user, o->group, err) : GP_OK;
}

/* The configured addresses have passed the rules for what other hosts can
 * reach; an address that the manager chose has not. */
static enum gp_code
take_managed(struct opening *o, int fd, struct gp_error *err)
{
	char text[SOCK_TEXT_MAX] = "?";
	struct sock_addr a;
	bool is_local = false;

	if (sock_local_addr(fd, &a)) {
		sock_addr_text(&a, text);
		is_local = sock_addr_is_local(&a);
	}
	if (!is_local &&
		conf_allow_open(o->conf, o->port == LISTEN_ADMIN,
			span_cstr(text), err) != GP_OK) {
		(void)close(fd);
		return err->code;
	}
	if (add(o->opened, fd, o->port, SPAN(LISTEN_MANAGED)) == GP_OK)
		return GP_OK;
	(void)close(fd);
	return gp_fail(err, GP_E_LIMIT, "too many sockets");
}

static enum gp_code
place_port(struct opening *o, enum listen_port port, struct span configured,
	struct gp_error *err)
{
	const struct span managed = SPAN(LISTEN_MANAGED);
	bool is_managed = false;
	int fd;

	o->port = port;
	while ((fd = take(o, managed)) >= 0) {
		const enum gp_code rc = take_managed(o, fd, err);

		if (rc != GP_OK)
			return rc;
		is_managed = true;
	}
	if (is_managed)
		return GP_OK;
	return config_each_address(configured, place, o, err);
}

static enum gp_code
bind_port(struct opening *o, enum listen_port port, struct span configured,
	struct gp_error *err)
{
	o->port = port;
	return config_each_address(configured, bind_one, o, err);
}

static void
close_one(struct listener *l)
{
	if (l->fd >= 0)
		(void)close(l->fd);
	free(l->text);
}

enum gp_code
listeners_open(struct listeners *l, const struct conf *c, const char *user,
	const char *group, struct gp_error *err)
{
	struct listeners opened = { .n = 0 };
	struct opening o = { .conf = c,
		.inherited = l,
		.opened = &opened,
		.user = user,
		.group = group };
	enum gp_code rc = place_port(&o, LISTEN_PROXY, c->listen, err);

	if (rc == GP_OK)
		rc = place_port(&o, LISTEN_ADMIN, c->admin_listen, err);
	for (size_t i = 0; i < l->n; i++)
		close_one(&l->v[i]);
	*l = opened;
	o.opened = l;
	if (rc == GP_OK)
		rc = bind_port(&o, LISTEN_PROXY, c->listen, err);
	if (rc == GP_OK)
		rc = bind_port(&o, LISTEN_ADMIN, c->admin_listen, err);
	return rc;
}

/* --- the open ones -------------------------------------------------------- */

void
listeners_log(const struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++) {
		char text[SOCK_TEXT_MAX];
		struct sock_addr a;

		if (!sock_local_addr(l->v[i].fd, &a))
			continue;
		sock_addr_text(&a, text);
		log_info("listening on %s (%s)", text,
			listen_port_name(l->v[i].port));
	}
}

void
listeners_first(const struct listeners *l, enum listen_port port,
	char out[SOCK_TEXT_MAX])
{
	struct sock_addr a;

	out[0] = '\0';
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].port == port && sock_local_addr(l->v[i].fd, &a)) {
			sock_addr_text(&a, out);
			return;
		}
}

size_t
listeners_of(const struct listeners *l, enum listen_port port,
	int out[LINK_LISTENERS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < l->n && n < LINK_LISTENERS_MAX; i++)
		if (l->v[i].port == port)
			out[n++] = l->v[i].fd;
	return n;
}

void
listeners_close(struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].fd >= 0 && listener_is_unix(&l->v[i]))
			(void)unlink(l->v[i].text + strlen(UNIX_PREFIX));
		close_one(&l->v[i]);
	}
	l->n = 0;
}
