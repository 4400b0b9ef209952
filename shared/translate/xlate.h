/* SPDX-License-Identifier: MIT */
/*
 * xlate.h - one request's translation: the only thing that worker/ calls.
 *
 *	xlate_new    client's dialect is known by the path
 *	xlate_read   body -> tree; model, images, stream can be asked for
 *	  (the caller routes: upstream dialect, wire model)
 *	xlate_write  tree -> upstream body
 *	xlate_head   upstream's status and content type
 *	xlate_feed   upstream's bytes -> client's bytes, as they come
 *	xlate_end    upstream's end
 *
 * The state tells the caller what the client may see. While it is
 * XLATE_PENDING nothing may be sent, since an error can still become a proper
 * status; from XLATE_OPEN on `out` is the body of a 200.
 */
#ifndef TRANSLATE_XLATE_H
#define TRANSLATE_XLATE_H

#include "shared/translate/llm_tap.h"
#include "shared/translate/profile.h"

enum xlate_state {
	XLATE_PENDING, /* nothing is certain yet */
	XLATE_OPEN, /* a streamed answer is under way */
	XLATE_DONE, /* out holds the end of the answer; upstream, if not at its
	               end, may be cancelled */
	XLATE_FAILED, /* nothing was sent: answer with xlate_failure() */
	XLATE_BROKEN, /* a stream was cut: out ends with the error frame */
};

/* Chance and time, so that tests can repeat them. */
struct xlate_env {
	int64_t now_wall_s;
	uint64_t random[3];
	struct profile_options options;
	bool count_compat;
};

/* Where the request goes. */
struct xlate_route {
	const struct dialect *upstream;
	struct span model; /* wire name; lives as long as the request */
	const struct model_info *info; /* never NULL */
};

struct xlate;

/* Lives in the arena, freed with it. Costs nothing until it reads. */
struct xlate *xlate_new(struct arena *a, const struct profile *p,
	const struct dialect *client, enum llm_purpose purpose,
	const struct xlate_env *env);
/* Free the parts that do not live in the arena. */
void xlate_fini(struct xlate *x);

/* body must stay until xlate_write has returned. On failure *err holds what to
 * tell the client. */
enum gp_code xlate_read(struct xlate *x, struct span body,
	struct gp_error *err) GP_WUR;
/* After xlate_read. */
const struct llm_req *xlate_request(const struct xlate *x);
int64_t xlate_estimate(const struct xlate *x);

enum gp_code xlate_write(struct xlate *x, const struct xlate_route *route,
	struct buf *out, struct gp_error *err) GP_WUR;

/* Upstream's answer begins. */
void xlate_head(struct xlate *x, const struct http_head *head);
/* Some of its body; out: bytes for the client are appended. */
enum xlate_state xlate_feed(struct xlate *x, struct span bytes,
	struct buf *out);
/* Its body is over as the protocol wants it. */
enum xlate_state xlate_end(struct xlate *x, struct buf *out);
/* It is over otherwise (reset, silence, no connection). */
enum xlate_state xlate_fail(struct xlate *x, const struct llm_failure *f,
	struct buf *out);
/* Silence: commits a streamed answer and writes a sign of life. Does nothing
 * for unstreamed ones. */
enum xlate_state xlate_heartbeat(struct xlate *x, struct buf *out);

enum xlate_state xlate_state(const struct xlate *x);
/* After XLATE_FAILED or XLATE_BROKEN. */
const struct llm_failure *xlate_failure(const struct xlate *x);
const struct llm_tally *xlate_tally(const struct xlate *x);
/* Value of x-glmproxy-notice; complete once the state is not pending. */
void xlate_notices(const struct xlate *x, struct buf *out);
uint32_t xlate_notice_count(const struct xlate *x);
/* The client is to be answered as a stream. */
bool xlate_is_stream(const struct xlate *x);
/* The upstream is asked for a stream. */
bool xlate_upstream_streams(const struct xlate *x);
/* Name for the head of the answer and of error bodies: "req_..." */
struct span xlate_request_id(const struct xlate *x);

#endif
