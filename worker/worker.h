/* SPDX-License-Identifier: MIT */
/*
 * worker.h - what all parts of one worker process share.
 *
 *	accept -> client -> (request is whole) -> local pages | session
 *	                                                         |
 *	client <- reply, stream <- xlate <- exchange <- upstream -+
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "shared/count/vocab.h"
#include "shared/sys/ev.h"
#include "shared/sys/link.h"
#include "shared/translate/xlate.h"
#include "worker/exchange.h"
#include "worker/router.h"

/* How long an idle connection of a draining worker may still bring one more
 * request, which a client may already have sent. */
#define WORKER_LAME_DUCK_MS 2000

struct worker {
	const struct link *link;
	const struct conf *conf;
	struct shm_slot *slot;
	struct metrics *metrics;
	struct ev *ev;
	struct router *router;
	struct upstreams *upstreams;
	struct turns *turns; /* NULL: key_concurrency is off */
	struct xlate_scratch scratch;
	const struct vocab *vocab; /* NULL: none was found */
	struct list countings;     /* counting.h */
	size_t nlearning;          /* bodies that are kept to learn from */
	struct live_writer live;   /* chats, for lookers-on */
	struct list clients;
	size_t nclients;
	size_t buffered; /* bytes of bodies and output, against the limit */
	bool is_draining;
	bool is_over; /* live requests are failed, none is sent again */
	int64_t drain_deadline_ms;
	unsigned char random[512]; /* unused random bytes at its end */
	size_t random_left;
};

/* 64 fresh random bits. */
uint64_t worker_random(struct worker *w);

/* Account for memory that a peer makes us hold; false, with nothing added,
 * when max_buffered is reached. */
bool worker_reserve(struct worker *w, size_t bytes) GP_WUR;
void worker_release(struct worker *w, size_t bytes);

/* A client has gone: a draining worker may be done. */
void worker_client_gone(struct worker *w);

#endif
