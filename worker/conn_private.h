/* SPDX-License-Identifier: MIT */
/* conn_private.h - what conn.c and conn_connect.c share of a connection. */
#ifndef WORKER_CONN_PRIVATE_H
#define WORKER_CONN_PRIVATE_H

#include "shared/sys/sock.h"
#include "worker/conn.h"

enum conn_state {
	CONN_RESOLVING,
	CONN_CONNECTING,
	CONN_TUNNEL,
	CONN_HANDSHAKE,
	CONN_UP,
	CONN_IDLE,
};

struct conn_full {
	struct conn pub;
	struct list turn; /* upstreams->handshakes or upstream->followers */
	enum conn_state state;
	const struct conn_handler *handler;
	void *ctx;
	int fd;
	struct ev_io io;
	struct ev_timer timer;
	int64_t deadline_ms;
	int64_t begun_us; /* the present step, connect or handshake */
	struct sock_addr addrs[SHM_ADDRS];
	size_t naddrs, next_addr;
	int last_errno;
	struct tls_conn *tls; /* NULL before its handshake has begun */
	bool is_pioneer;      /* in a handshake without a session to resume */
	bool is_impatient;    /* has waited for one for long enough */
	bool is_paused;
	bool wants_write;
};

static inline struct upstreams *
conn_all(const struct conn_full *c)
{
	return c->pub.upstream->all;
}

static inline const struct url *
conn_base(const struct conn_full *c)
{
	return &c->pub.upstream->conf->url;
}

/* --- conn.c --- */

void conn_drop_socket(struct conn_full *c);
/* Tell the owner, who closes: c is gone afterwards. */
void conn_fail(struct conn_full *c, const struct gp_error *err);
void conn_fail_with(struct conn_full *c, enum gp_code code, const char *what);
/* Watch the socket for what the state asks for. */
void conn_watch(struct conn_full *c);

/* --- conn_connect.c; c may be gone after each --- */

/* Look for addresses and begin with the first. */
void conn_resolve(struct conn_full *c);
/* The socket tells how connect(2) ended. */
void conn_connect_ends(struct conn_full *c);
/* Bytes of the proxy's answer to CONNECT. */
void conn_read_tunnel(struct conn_full *c, struct span bytes);
/* One step of the handshake, now or when it is c's turn. */
void conn_handshake(struct conn_full *c);
void conn_pioneer_ends(struct conn_full *c);
/* The timer went off before the connection was up. */
void conn_connect_timeout(struct conn_full *c);

#endif
