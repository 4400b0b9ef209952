/* SPDX-License-Identifier: MIT */
/*
 * client.h - one client connection: bytes in, requests out, answers back.
 *
 *	IDLE -> HEAD -> BODY -> BUSY -> IDLE ...
 *	                          \-> CLOSING (what still comes is discarded,
 *	                              so that the last answer is not lost)
 *
 * While BUSY nothing is read; the peer's FIN or reset means it has left, and
 * whatever is done for it stops at once.
 */
#ifndef WORKER_CLIENT_H
#define WORKER_CLIENT_H

#include "worker/worker.h"

/* More output than the first: upstream is not read; less than the second: it
 * is read again. */
#define CLIENT_OUT_HIGH (256u << 10)
#define CLIENT_OUT_LOW  (64u << 10)

struct session;
struct inflate;

enum client_state {
	CLIENT_IDLE, /* between requests */
	CLIENT_HEAD, /* part of a head has come */
	CLIENT_BODY,
	CLIENT_BUSY, /* being answered */
	CLIENT_CLOSING,
};

struct client {
	struct list link; /* worker->clients */
	struct worker *worker;
	struct ev_io io;
	struct ev_timer timer;
	struct ev_defer again; /* pipelined bytes wait in `in` */
	enum client_state state;
	int fd;
	struct http_msg *msg;
	struct buf in; /* bytes behind the present request */
	struct buf body;
	struct inflate *inflate; /* the body is compressed */
	struct buf out;
	size_t accounted; /* bytes of the above in worker->buffered */
	bool keep_alive;  /* after the present answer */
	bool is_answered; /* the answer is in out, whole */
	bool had_request;
	bool is_early; /* bytes of the next request wait in the socket */
	struct session *session; /* while a chat is under way */
	/* Of the present request. */
	const struct dialect *dialect;
	enum llm_purpose purpose;
};

/* Take over an accepted descriptor. */
void client_open(struct worker *w, int fd);
/* Close now; cancels what is under way. Frees c. */
void client_close(struct client *c);
/* Close if idle: the worker is draining. */
void client_retire(struct client *c);

/* The head of the request being read or answered. */
const struct http_head *client_head(const struct client *c);

/* The request's body has been read: free it. */
void client_drop_body(struct client *c);

/* Bytes were put into out: send what the socket takes. The client may be gone
 * when this returns false. */
bool client_flush(struct client *c) GP_WUR;
/* The answer is whole. The next request begins, or the connection ends, when
 * it has been sent. As client_flush. */
bool client_answered(struct client *c);

/* Answer GP_E_* of the present request in its dialect and stop reading. */
void client_refuse(struct client *c, const struct llm_failure *f);

#endif
