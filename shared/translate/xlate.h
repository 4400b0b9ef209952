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

#include "shared/translate/llm_dedup.h"
#include "shared/translate/llm_filter.h"
#include "shared/translate/llm_tap.h"
#include "shared/translate/profile.h"

enum xlate_state {
	XLATE_PENDING, /* nothing is certain yet */
	XLATE_OPEN,    /* a streamed answer is under way */
	XLATE_DONE, /* out holds the end of the answer; upstream, if not at its
		       end, may be cancelled */
	XLATE_FAILED, /* nothing was sent: answer with xlate_failure() */
	XLATE_BROKEN, /* a stream was cut: out ends with the error frame */
};

/* 24 base62 characters from three random words, NUL-terminated. */
#define XLATE_ID_LEN   24
#define XLATE_ID_WORDS 3
void xlate_make_id(
	const uint64_t random[XLATE_ID_WORDS], char out[XLATE_ID_LEN + 1]);

#define XLATE_RANDOM (2 * XLATE_ID_WORDS)

/* What clients are told of tokens. */
struct xlate_counting {
	bool scales; /* to the window that the client assumes */
	bool shows_context;
	/* Windows that clients assume, tokens; in the order of dialects.def. */
	int64_t expected[DIALECT_COUNT];
};

/* What is done with a conversation that outgrows the model. */
enum xlate_overflow {
	XLATE_OVERFLOW_AUTO,     /* cut where an image moved it into a smaller
				    window, else as ERROR */
	XLATE_OVERFLOW_TRUNCATE, /* the oldest turns are left out */
	XLATE_OVERFLOW_ERROR,    /* the error on which clients compact */
};

/* How often one request may be refused as too long. */
#define XLATE_REFUSALS_MAX 2

/* What may help a request that upstream has refused as too long. */
enum xlate_remedy {
	XLATE_NO_REMEDY,
	XLATE_LESS_OUTPUT,
	XLATE_CUT, /* and less output, if need be */
};

/* What is known of a request's size beside the estimate; 0: not known. */
struct xlate_input {
	int64_t tokens;    /* of input, the best guess */
	int64_t least;     /* certainly not less */
	int64_t limit;     /* the window, as upstream has said */
	unsigned refusals; /* by upstream, of this request as too long */
	enum xlate_remedy remedy;
	/* Upstream's tokens a unit of the raw estimate, for cutting: where the
	 * cut lies depends on it. 0: as tokens say. */
	double ratio;
};

/* Chance and time, so that tests can repeat them; options of the operator. */
struct xlate_env {
	int64_t now_wall_s;
	uint64_t random[XLATE_RANDOM]; /* two ids' worth */
	struct profile_options options;
	struct xlate_counting counting;
	enum xlate_overflow overflow[DIALECT_COUNT]; /* of clients */
	bool images_of_last_turn; /* only they decide about the route */
	bool dedups_env; /* of repeated environment blocks the newest stays */
	bool count_compat;
	enum llm_markup markup; /* tool calls that answers hold as text */
	bool holds_args; /* arguments are passed on when they are complete and
			    valid, or as an object that says them */
	/* A chat of which something would be lost (notice.def) is refused by
	 * xlate_write. Counts are not: they never stop a client. */
	bool is_strict;
	/* A stream of which the client has nothing but signs of life fails as
	 * if it had not begun: it may be asked for again, or xlate_break. */
	bool tries_again;
	/* The key that upstream is asked with, which must live: it is cut out
	 * of what upstream says of failures. */
	struct span secret;
};

/*
 * Parsed documents and buffers that all requests of one thread share: between
 * xlate_read and xlate_write no other request may read or write; the answer's
 * calls may interleave freely.
 */
struct xlate_scratch {
	struct jdoc request, answer;
	struct buf repaired;
};

void xlate_scratch_init(struct xlate_scratch *s);
void xlate_scratch_fini(struct xlate_scratch *s);

/* Where the request goes. */
struct xlate_route {
	const struct dialect *upstream;
	struct span model;             /* wire name; copied */
	const struct model_info *info; /* never NULL; outlives the xlate */
	/* Window of the model that it would be if the request had no images, in
	 * tokens; 0 if it is this one. */
	int64_t unmoved_tokens;
};

struct xlate;

/*
 * Lives in the arena; xlate_fini frees what does not. The answer is appended
 * to out, which the caller consumes as it likes once the state is not
 * XLATE_PENDING (a FAILED one leaves out as it was).
 */
struct xlate *xlate_new(struct arena *a, struct xlate_scratch *scratch,
	const struct profile *p, const struct dialect *client,
	enum llm_purpose purpose, const struct xlate_env *env, struct buf *out);
void xlate_fini(struct xlate *x);

/* body must stay until xlate_write has returned. On failure *err holds what to
 * tell the client. */
enum gp_code xlate_read(
	struct xlate *x, struct span body, struct gp_error *err) GP_WUR;
/* Between xlate_read and xlate_write. */
const struct llm_req *xlate_request(const struct xlate *x);
/* Leave out the images that do not count, if the model sees none. xlate_write
 * does so by itself. */
void xlate_leave_out_images(struct xlate *x, const struct model_info *m);
/* Images that the upstream is sent. */
size_t xlate_images(const struct xlate *x);
/* The operator wants conversations cut rather than errors. */
bool xlate_always_cuts(const struct xlate *x);
/* The route has to lead to a model that sees images. */
bool xlate_needs_vision(const struct xlate *x);
/* Input tokens by the local estimate; known after xlate_read. */
int64_t xlate_estimate(const struct xlate *x);
/* The same by what is known better; xlate_write may cut the request. */
int64_t xlate_input_tokens(const struct xlate *x);
/* Before xlate_write, and again before a count is answered. */
void xlate_know_input(struct xlate *x, const struct xlate_input *in);
/* Environment blocks that were removed; known after xlate_read. */
const struct llm_dedup_report *xlate_dedup(const struct xlate *x);

/* The request for upstream, appended to `to`. Afterwards the body given to
 * xlate_read may go. GP_E_UNSUPPORTED is what strictness refuses; after
 * GP_E_LIMIT the xlate has failed and xlate_failure() tells the client that the
 * context window is exceeded. */
enum gp_code xlate_write(struct xlate *x, const struct xlate_route *route,
	struct buf *to, struct gp_error *err) GP_WUR;

/* Upstream's answer begins; again after a retry. */
enum xlate_state xlate_head(struct xlate *x, const struct http_head *head);
/* Some of its body, decoded from chunks and compression. */
enum xlate_state xlate_feed(struct xlate *x, struct span bytes);
/* Its body is over as HTTP wants it. */
enum xlate_state xlate_end(struct xlate *x);
/* It is over otherwise: reset, silence, no connection, our own refusal. A
 * stream whose finish has been seen is completed all the same. */
enum xlate_state xlate_fail(struct xlate *x, const struct llm_failure *f);
/* What came of it is not what was sent, as a checksum tells: even an answer
 * that seems to be complete is none. */
enum xlate_state xlate_distrust(struct xlate *x, const struct llm_failure *f);
/* Silence: commits a streamed answer and writes a sign of life. Does nothing
 * for unstreamed ones. */
enum xlate_state xlate_heartbeat(struct xlate *x);
/* A count of tokens, answered from the estimate without upstream. */
enum xlate_state xlate_count_locally(struct xlate *x);

/* After XLATE_FAILED, where the client has been told 200 already: the error
 * becomes the end of the stream, and the state XLATE_BROKEN. */
enum xlate_state xlate_break(struct xlate *x);
/* A piece of a streamed answer has been written, not only signs of life. */
bool xlate_has_begun(const struct xlate *x);

enum xlate_state xlate_state(const struct xlate *x);
/* After XLATE_FAILED or XLATE_BROKEN. */
const struct llm_failure *xlate_failure(const struct xlate *x);
const struct llm_tally *xlate_tally(const struct xlate *x);
/* The tokens of the tally as the client is told of them. */
struct llm_usage xlate_shown_usage(const struct xlate *x);
/* After XLATE_FAILED: if upstream has refused the request as too long, how it
 * may be accepted. For that it is read again, by another xlate that is told of
 * it. */
enum xlate_remedy xlate_remedy(const struct xlate *x);
/* What was left out because the window is too small. */
const struct llm_removed *xlate_removed(const struct xlate *x);
/* The model is asked as one that sees images; after xlate_write. */
bool xlate_is_vision(const struct xlate *x);
/* Value of x-glmproxy-notice; complete once the state is not pending. */
void xlate_notices(const struct xlate *x, struct buf *to);
/* Add one of the caller's own, before xlate_write. */
void xlate_notice(struct xlate *x, const char *verb, struct span name);
uint32_t xlate_notice_count(const struct xlate *x);
/* How many there were of each verb: NOTICE_VERBS figures, which live in x. */
const uint32_t *xlate_notice_verbs(const struct xlate *x);
/* The client is to be answered as a stream. */
bool xlate_is_stream(const struct xlate *x);
/* The names, parted by commas, of the fields that the request for upstream has
 * at its top level, at most XLATE_SENT_MAX bytes of them; after xlate_write. Of
 * a copied request the client's. Safe to be logged. */
#define XLATE_SENT_MAX 512
struct span xlate_sent_fields(const struct xlate *x);
/* Upstream's own name for a request that it answers, fit for a header; "" if it
 * has not told it yet. */
struct span xlate_upstream_id(const struct xlate *x);
/* The upstream is asked for a stream. */
bool xlate_upstream_streams(const struct xlate *x);
/* Upstream's answer has a status that refuses the request. */
bool xlate_is_refused(const struct xlate *x);
/* What of the context is known to be used, as the value of a header; nothing
 * before xlate_write. */
void xlate_context_field(const struct xlate *x, struct buf *to);
/* Which images decide about the route, and what became of them, as the value of
 * a header; nothing for requests without. */
void xlate_images_field(const struct xlate *x, struct buf *to);
/* Name for the head of the answer and of error bodies: "req_..." */
struct span xlate_request_id(const struct xlate *x);

#endif
