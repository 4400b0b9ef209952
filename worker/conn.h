/* SPDX-License-Identifier: MIT */
/*
 * conn.h - one connection to an upstream, plain or TLS.
 *
 *	resolving -> connecting -> (tunnel) -> (handshake) -> up -> closed
 *
 * All addresses are tried in turn, each with its share of the time limit. The
 * owner is told when the connection is up or has failed, and then when it can
 * be read or written. Reading hands out decrypted bytes.
 */
#ifndef WORKER_CONN_H
#define WORKER_CONN_H

#include "shared/base/list.h"
#include "shared/http/msg.h"
#include "shared/sys/ev.h"
#include "worker/exchange.h"
#include "worker/tls.h"

struct conn;

struct conn_handler {
	void (*up)(void *ctx);
	/* Before or after `up`; the connection is of no more use. */
	void (*failed)(void *ctx, const struct gp_error *err);
	/* Decrypted bytes, a view that lives during the call. The callee may
	 * close the connection: then it returns false. */
	bool (*bytes)(void *ctx, struct span bytes);
	/* The peer ended its side in order. */
	void (*eof)(void *ctx);
	/* What conn_write could not take may be tried again. */
	void (*writable)(void *ctx);
};

/* One upstream of the list, with what its connections share. */
struct upstream {
	struct upstreams *all;
	const struct upstream_conf *conf;
	struct tls_session *session;
	struct list idle; /* of struct conn, the latest first */
	size_t nidle;
	size_t npioneers;      /* in a handshake without a session to resume */
	struct list followers; /* connections that wait for their session */
};

struct upstreams {
	struct ev *ev;
	const struct conf *conf;
	struct metrics *metrics;
	const struct url *proxy;
	struct tls *tls; /* NULL when no upstream needs it */
	struct upstream list[UPSTREAMS_MAX];
	size_t n;
	size_t nidle;
	size_t nexchanges;
	struct list unheard; /* exchanges that exchange_finish has let go */
	/* A handshake costs milliseconds: at most one step a loop turn. */
	bool handshake_in_turn;
	struct list handshakes; /* of connections that wait for their turn */
	struct ev_defer turn_end;
};

struct conn {
	struct list link; /* upstream->idle */
	struct upstream *upstream;
	struct http_msg *msg; /* for the answers on this connection */
	uint32_t requests;    /* begun on it */
};

/* Begin to connect; limit_ms for everything until `up`. No callback runs
 * before this returns. */
struct conn *conn_open(struct upstream *u, int64_t limit_ms,
	const struct conn_handler *h, void *ctx);
/* Close now; no more callbacks. Clears *c. */
void conn_close(struct conn **c);

/* Put an idle connection into the pool (over the limit the upstream with the
 * most loses its oldest), or take the latest out that has stayed silent. NULL
 * when there is none. */
void conn_park(struct conn **c);
struct conn *conn_unpark(
	struct upstream *u, const struct conn_handler *h, void *ctx);

/* The end of a turn: the longest waiting handshake goes on. */
void conn_next_handshake(struct upstreams *u);

/* Write what the socket takes and a turn has time for; *used of the bytes are
 * gone. When not all are, `writable` is called later. more: other bytes follow
 * at once, and one packet may hold both. GP_E_* when the connection broke. */
enum gp_code conn_write(struct conn *conn, struct span bytes, bool more,
	size_t *used, struct gp_error *err) GP_WUR;
/* Stop and resume handing out bytes. Reading begins when the connection is up.
 */
void conn_pause(struct conn *conn);
void conn_resume(struct conn *conn);

#endif
