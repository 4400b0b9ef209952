/* SPDX-License-Identifier: MIT */
/* upstream_head.h - the head of a request to an upstream. */
#ifndef WORKER_UPSTREAM_HEAD_H
#define WORKER_UPSTREAM_HEAD_H

#include "worker/keys.h"
#include "worker/router.h"

struct upstream_head {
	const struct conf *conf;
	const struct dialect *client, *upstream;
	const struct url *base;
	struct span path; /* below the base */
	const struct secret *key;
	const struct http_head *from; /* the client's */
	bool wants_stream;
	size_t body_bytes;
};

/* Append the whole head. Only what is named here is taken from the client's:
 * its user-agent and, within one dialect, its feature header. */
void upstream_head_put(const struct upstream_head *u, struct buf *out);

#endif
