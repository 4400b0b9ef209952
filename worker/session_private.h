/* SPDX-License-Identifier: MIT */
/* session_private.h - what session.c and session_request.c share. */
#ifndef WORKER_SESSION_PRIVATE_H
#define WORKER_SESSION_PRIVATE_H

#include "worker/counting.h"
#include "worker/keys.h"
#include "worker/session.h"
#include "worker/session_bodies.h"

/* A translated request or an unsent answer. */
#define SESSION_BODY_MAX (128u << 20)

/* Upstream has refused the request as too long. */
struct session_refusal {
	unsigned times;
	/* What was said of the request as it came: for the client. */
	int64_t first_input, first_completion, first_limit;
	/* What was said last, and our raw estimate of what was refused. */
	int64_t input, limit, estimate;
	enum xlate_remedy remedy;
};

/* What the record of a session needs and nobody else. Times are microseconds
 * since its begin; -1: not yet. */
struct session_note {
	int64_t begun_wall_us, begun_mono_us;
	int64_t head_us, body_us, first_us;
	uint64_t bytes_in, bytes_sent, bytes_received, bytes_out;
	struct span asked; /* model */
	int64_t messages, max_tokens, thinking;
	unsigned sends; /* upstream was asked so often */
	bool is_reused;
};

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
	struct xlate_env env;    /* to read the request once more */
	struct secret secret;    /* what env.secret is of */
	struct calib_row *calib; /* NULL: nothing is known of this model */
	struct counting *counting;
	int64_t counted; /* exactly, by our vocabulary; -1: not */
	struct session_refusal refusal;
	struct xlate_input input; /* what xlate was told of the size */
	struct session_note note;
	struct session_bodies *bodies; /* NULL: they are not logged */
	char who[KEYS_CLIENT_MAX];     /* keys_client: it costs a hash */
	struct live_row *live;         /* NULL: it has no row */
	bool is_live;                  /* it has one, or is counted */
	size_t held; /* bytes of the translated request, until upstream answers,
		      * then of an unstreamed answer */
	/* A translated request that waits, and until when at most. */
	struct buf request;
	struct ev_timer wait;
	struct turn turn; /* the permit, until it is sent */
	uint64_t key;     /* turn_key_of, 0: not known yet */
	int64_t asked_us; /* since when it waits for its turn */
	int64_t pause_ms; /* before it is sent */
	unsigned retries; /* further tries so far */
	int64_t begun_us; /* clock_mono_us */
	bool is_routed;
	bool keeps_size;        /* xlate is told the same again */
	bool is_waiting;        /* request holds it; the timer runs */
	bool is_queued;         /* for its turn, not for a pause to end */
	bool has_lost_upstream; /* no connection, or it has ended */
	bool has_first;         /* of the answer's pieces */
	bool is_sample;         /* the exact count is to be learned from it */
	bool is_counting;       /* one of metrics.counts_live */
	bool is_paused;
	bool has_head;         /* of upstream's answer */
	bool count_has_failed; /* upstream does not count this */
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
/* The key that upstream is asked with. Wipe it. */
void session_key(const struct session *s, struct secret *key);
/* Read the client's body, anew if need be, and send it on its way. s may be
 * gone afterwards. */
void session_go(struct session *s);
/* Ask upstream: body is the translated request, taken over. */
void session_send(struct session *s, struct buf *body);
/* Make another xlate in place of the present one. */
void session_renew(struct session *s);

/* --- session_size.c --- */

/* The route is known: tell xlate what is known of the size. */
void session_know_size(struct session *s);
/* So near the limit that it is counted first: session_go comes again. */
bool session_count_first(struct session *s);
/* Answer a count without upstream. s may be gone afterwards. */
void session_count_locally(struct session *s);
/* The body may be needed again. */
bool session_keeps_body(struct session *s);
/* The request was refused as too long: send it differently. False if that is
 * of no use; else s may be gone. */
bool session_resend(struct session *s);
/* The answer begins: log and count what was left out of the request. */
void session_tell_removed(const struct session *s);
/* It has been answered. */
void session_learn(struct session *s);

/* --- session_usage.c --- */

/* Add what upstream has said of its tokens to the client's and the model's
 * sums. client: keys_client. */
void session_add_usage(const struct session *s, struct span client);
/* The session ends: add what it has been to the worker's figures, and that. */
void session_tally(const struct session *s, struct span client);
/* A piece of the answer is there; all of it is. */
void session_tell_first(struct session *s);
void session_tell_end(const struct session *s);

/* --- session_record.c --- */

void session_note_begin(struct session *s);
/* What the client asks for. */
void session_note_request(struct session *s, const struct llm_req *r);
/* Note the time, if *at has none yet. */
void session_note_time(const struct session *s, int64_t *at);
/* The head of upstream's answer is there. */
void session_note_head(struct session *s);
/* It is over: leave its record, for the history. */
void session_record(const struct session *s, struct span client);

/* --- session_live.c --- */

/* The route is known: lookers-on may see it, if it is a chat. */
void session_live_begin(struct session *s);
/* Some of upstream's answer has come. Cost: a few nanoseconds. */
void session_live_progress(struct session *s);
void session_live_end(struct session *s);

/* What xlate has written but the client was not sent is not to be sent, unless
 * it is part of a stream that has begun. */
void session_forget_output(struct session *s);

/* --- session_wait.c --- */

/* The request is translated: send it as soon as it may be. body is taken over.
 */
void session_dispatch(struct session *s, struct buf *body);
/* It is not to be sent any more. */
void session_wait_end(struct session *s);

/* --- session_again.c --- */

/* The request has failed: if that may go better, send it once more after a
 * pause. False if it is not; else s may be gone. */
bool session_try_again(struct session *s);

/* --- session_quota.c --- */

/* The request has failed: if upstream speaks of a limit, keep what it says. */
void session_note_limit(const struct session *s);

/* xlate has moved on: bring the client up to date. s may be gone afterwards. */
void session_step(struct session *s, enum xlate_state state);
/* For the exchange; its context is the session. */
extern const struct exchange_handler session_handler;

#endif
