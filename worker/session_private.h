/* SPDX-License-Identifier: MIT */
/* session_private.h - what session.c and session_request.c share. */
#ifndef WORKER_SESSION_PRIVATE_H
#define WORKER_SESSION_PRIVATE_H

#include "worker/session.h"

/* A translated request or an unsent answer. */
#define SESSION_BODY_MAX (128u << 20)

struct session {
	struct client *client;
	struct worker *worker;
	struct arena arena;
	struct xlate *xlate;
	struct buf body;           /* what xlate has for the client */
	struct span limits;        /* upstream's fields about rate limits */
	struct exchange *exchange; /* NULL: not begun, or over */
	struct ev_timer heartbeat;
	struct ev_defer flush; /* one write a turn, whatever came in it */
	struct router_choice choice;
	size_t held; /* bytes of the translated request, until upstream answers,
		      * then of an unstreamed answer */
	bool is_paused;
	bool has_head; /* of upstream's answer */
	bool head_sent;
	bool is_chunked;
};

static inline struct span
session_id(const struct session *s)
{
	return xlate_request_id(s->xlate);
}

/* Becomes the client's session. */
struct session *session_new(struct client *c, const struct xlate_env *env);
/* --- session_usage.c --- */

/* Add what upstream has said of its tokens to the client's and the model's
 * sums. */
void session_add_usage(const struct session *s);

/* xlate has moved on: bring the client up to date. s may be gone afterwards. */
void session_step(struct session *s, enum xlate_state state);
/* For the exchange; its context is the session. */
extern const struct exchange_handler session_handler;

#endif
