/* SPDX-License-Identifier: MIT */
/*
 * session_bodies.h - what upstream was sent and has answered, for the log files
 * of an operator who wants it (upstream_log_bodies). Keys and images are cut
 * out here, and what is too long, so that nothing else leaves the worker.
 */
#ifndef WORKER_SESSION_BODIES_H
#define WORKER_SESSION_BODIES_H

#include "shared/http/msg.h"
#include "worker/worker.h"

struct session_bodies;

/* NULL, for which all below do nothing, unless they are wanted. */
struct session_bodies *session_bodies_new(
	struct worker *w, const struct http_head *from);
void session_bodies_free(struct session_bodies **b);

/* Upstream is sent this; what came before is forgotten. */
void session_bodies_sent(
	struct session_bodies *b, struct span body, const struct secret *key);
/* Some of its answer. */
void session_bodies_received(struct session_bodies *b, struct span bytes);
/* Into the ring, before the record; what has no room is left out and counted.
 */
void session_bodies_put(struct session_bodies *b, struct span id);

#endif
