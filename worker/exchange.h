/* SPDX-License-Identifier: MIT */
/*
 * exchange.h - one request to an upstream and its answer.
 *
 *	start -> (connect, TLS, send) -> head -> body ... -> done
 *	                 \________________\________\______-> fail
 *
 * Uses a pooled connection where there is one; when that dies before any byte
 * of an answer, the request is sent once more on a fresh one, silently. Tries
 * all addresses of the upstream in turn. Decodes chunks and gzip. Exactly one
 * of done and fail ends an exchange, after which it is gone; callbacks may
 * call exchange_cancel. Time limits: connect (with TLS), until the head, and
 * silence inside the body.
 */
#ifndef WORKER_EXCHANGE_H
#define WORKER_EXCHANGE_H

#include "shared/http/msg.h"
#include "shared/http/url.h"
#include "shared/sys/conf.h"
#include "shared/sys/ev.h"
#include "shared/sys/shm.h"
#include "worker/turn.h"

struct upstreams; /* all upstreams of a worker: addresses, TLS, pools */
struct exchange;

/* Where exchanges go: position in the configuration, as in shm->hosts. */
enum {
	UPSTREAMS_MAX = 4
};

struct upstream_conf {
	struct url url;        /* views of the configuration */
	struct shm_host *host; /* its addresses (the proxy's, if one is set) */
};

/* proxy: upstream_proxy, or NULL. metrics: the worker's. Ends the process when
 * the trust store cannot be read. */
struct upstreams *upstreams_new(struct ev *ev, const struct conf *conf,
	const struct upstream_conf *list, size_t n, const struct url *proxy,
	struct metrics *metrics);
/* Close all connections, free everything; asserts that no exchange lives but
 * those that were finished. */
void upstreams_free(struct upstreams **u);
/* Close idle connections (draining). */
void upstreams_close_idle(struct upstreams *u);

struct exchange_handler {
	/* head is valid during the call. */
	void (*head)(void *ctx, const struct http_head *head);
	/* Decoded bytes; called any number of times. */
	void (*body)(void *ctx, struct span bytes);
	void (*done)(void *ctx);
	/* err->code: GP_E_TIMEOUT, GP_E_CLOSED, GP_E_PEER (not HTTP, TLS or
	 * coding trouble), GP_E_SYSTEM (no address, no connection).
	 * is_lost: there was no connection, or upstream has ended it. */
	void (*fail)(void *ctx, const struct gp_error *err, bool is_lost);
};

struct exchange_request {
	size_t upstream;  /* index into the list */
	struct buf *head; /* complete, with Host and content-length, ended by
			     the empty line */
	struct buf *body;
	int64_t head_timeout_ms;
	int64_t silence_timeout_ms;
	const char *context; /* for log lines, e.g. "req=..."; must live */
	/* A permit that goes with the request and is given back when its
	 * connection is closed or free again; turns NULL: there is none. */
	struct turns *turns;
	struct turn *turn;
};

/* Begin. The bytes of head and body are taken over (the bufs are left empty),
 * kept until the answer's head has come for the silent retry, then freed. No
 * callback runs before the next turn of the loop. Never NULL. */
struct exchange *exchange_start(struct upstreams *u,
	const struct exchange_request *req,
	const struct exchange_handler *handler, void *ctx);

/* Stop and resume reading the answer (back-pressure). The silence limit does
 * not run while paused. */
void exchange_pause(struct exchange *x);
void exchange_resume(struct exchange *x);

/* The answer is no longer wanted: close the connection now. Clears *x. */
void exchange_cancel(struct exchange **x);
/* The answer is complete for us: read on in the background for a moment so
 * that the connection can be used again; no more callbacks. Clears *x. */
void exchange_finish(struct exchange **x);
/* Close what is still read in the background; asserts that nothing else is
 * under way. */
void exchange_end_unheard(struct upstreams *u);

/* Numbers for records. */
bool exchange_was_reused(const struct exchange *x);
bool exchange_was_retried(const struct exchange *x); /* silently */

#endif
