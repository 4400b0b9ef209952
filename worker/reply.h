/* SPDX-License-Identifier: MIT */
/* reply.h - answers that are made here: heads, pages and errors. */
#ifndef WORKER_REPLY_H
#define WORKER_REPLY_H

#include "worker/client.h"

/* Status line and the fields that every answer carries (connection, CORS).
 * The caller adds fields to the returned buffer and then the end. */
struct buf *reply_begin(struct client *c, unsigned status);

/* The rest of an answer with a body that is complete. No body is sent to HEAD
 * requests. c may be gone afterwards. */
void reply_end(struct client *c, const char *content_type, struct span body);

/* A failure in the dialect of the request's path (or, where that does not
 * tell, of its headers): its body, appended to `to`; and the answer with that
 * body and all header fields. more: other fields, each with its line end. c may
 * be gone afterwards. */
void reply_failure_body(const struct client *c, const struct llm_failure *f,
	struct span request_id, struct buf *to);
void reply_failure_as(struct client *c, const struct llm_failure *f,
	struct span request_id, struct span more, struct span body);
/* Both, with a fresh id, and a record. */
void reply_failure(struct client *c, const struct llm_failure *f);

/* Bytes of such a body, at most. */
#define REPLY_FAILURE_MAX 65536

#endif
