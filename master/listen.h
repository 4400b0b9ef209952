/* SPDX-License-Identifier: MIT */
/*
 * listen.h - the listening sockets: bound here, or inherited.
 *
 * They are opened before the first fork and kept until the service stops;
 * reloads and upgrades never close one that is still configured, so that no
 * connection is refused. Inherited ones come from an earlier image of this
 * program (handover.h) or from the service manager (fdstore.h).
 */
#ifndef MASTER_LISTEN_H
#define MASTER_LISTEN_H

#include "shared/sys/conf.h"
#include "shared/sys/link.h"
#include "shared/sys/sock.h"

enum listen_port {
	LISTEN_PROXY,
	LISTEN_ADMIN
};

/* Stands for the address of a socket whose address the service manager's own
 * configuration chose. */
#define LISTEN_MANAGED "@managed"

struct listener {
	int fd; /* close-on-exec, non-blocking */
	enum listen_port port;
	char *text; /* as configured: what a later image looks it up by */
};

struct listeners {
	struct listener v[2 * LINK_LISTENERS_MAX];
	size_t n;
};

/* "proxy", "admin". */
const char *listen_port_name(enum listen_port port);
/* It has a file, which goes when the service stops. */
bool listener_is_unix(const struct listener *l);

/* Add one that an earlier image opened for this configured address; fd is
 * taken. Dropped (closed) when it is no listening socket. */
void listeners_inherit(
	struct listeners *l, int fd, enum listen_port port, struct span text);

/*
 * Make l exactly what c asks for: take inherited ones with the same address,
 * bind the others, close what is left over. Managed ones replace the addresses
 * of their port. user, group: owners of Unix sockets, as proc_drop. After a
 * failure some may be open: listeners_close.
 */
enum gp_code listeners_open(struct listeners *l, const struct conf *c,
	const char *user, const char *group, struct gp_error *err) GP_WUR;

/* "listening on 127.0.0.1:5000 (proxy)", one line each. */
void listeners_log(const struct listeners *l);
/* The first address of a port as text, "" if there is none. */
void listeners_first(const struct listeners *l, enum listen_port port,
	char out[SOCK_TEXT_MAX]);

/* The descriptors of one port; returns how many. */
size_t listeners_of(const struct listeners *l, enum listen_port port,
	int out[LINK_LISTENERS_MAX]);

/* Close all; remove the files of Unix sockets that were bound here. */
void listeners_close(struct listeners *l);

#endif
