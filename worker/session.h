/* SPDX-License-Identifier: MIT */
/*
 * session.h - one chat or count: from a whole request to a whole answer.
 *
 *	client body -> xlate -> exchange -> xlate -> client out
 *
 * The session lives from session_start until its answer is in client->out or
 * the client has left; then it frees itself. A status is sent only when the
 * first event of the answer is known to be good.
 */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

#include "worker/client.h"

/* Silence after which a client gets a sign of life. */
#define SESSION_HEARTBEAT_MS 15000
/* Upstream has so long for a count; then it is counted here. */
#define SESSION_COUNT_MS 3000

/* c's request is whole. c may be gone afterwards. */
void session_start(struct client *c);

/* The client has left: cancel upstream now. Clears the client's session. */
void session_cancel(struct session *s);

/* The worker ends: the client is told, in an error or in the end of its stream.
 * Clears the client's session; c may be gone afterwards. */
void session_stop(struct session *s);

/* The client has taken most of its output: go on reading upstream. */
void session_drained(struct session *s);

#endif
