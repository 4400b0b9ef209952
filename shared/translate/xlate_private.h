/* SPDX-License-Identifier: MIT */
/* xlate_private.h - what the xlate_*.c files share. */
#ifndef TRANSLATE_XLATE_PRIVATE_H
#define TRANSLATE_XLATE_PRIVATE_H

#include "shared/translate/llm_guard.h"
#include "shared/translate/xlate.h"

#define XLATE_ANSWER_MAX (64u << 20) /* bytes of an unstreamed answer */
#define XLATE_ERROR_MAX  65536 /* bytes of an error answer that are read */

/* What an upstream answer is made of. */
enum xlate_reply {
	REPLY_NONE, /* no head yet */
	REPLY_SSE,
	REPLY_BODY,
	REPLY_ERROR, /* not a 2xx */
	REPLY_COUNT, /* the answer to a count of tokens */
};

/*
 * The sink between guard and filters. It sees every event first: turns errors
 * into failures and decides when the client may be told 200.
 */
struct xlate_gate {
	struct llm_sink sink;
	struct llm_sink *next;
	struct xlate *x;
	bool started, had_block;
};

struct xlate {
	struct arena *arena;
	struct xlate_scratch *scratch;
	const struct profile *profile;
	const struct dialect *client;
	enum llm_purpose purpose;
	struct xlate_env env;
	struct buf *out;
	size_t out_start; /* length of out before anything was written */
	char request_id[4 + XLATE_ID_LEN + 1];

	/* The tree is freed when the request has been written; then req holds
	 * only what the answer needs, in `arena`. */
	struct arena tree;
	struct llm_req req;
	struct llm_dedup_report dedup;
	size_t images, images_left_out;
	int64_t estimate;
	struct xlate_input input;
	int64_t unmoved_tokens;
	struct llm_removed removed;
	bool is_stream;  /* towards the client */
	bool wants_json; /* before the profile emulates that */

	/* After xlate_write. */
	const struct dialect *upstream;
	struct span model;
	struct span sent; /* names of its fields */
	struct span upstream_id;
	const struct model_info *info;
	bool is_copy; /* same dialect: answers are copied, not encoded */

	/* The answer. */
	enum xlate_state state;
	enum xlate_reply reply;
	struct profile_reply about; /* for failures */
	struct buf collected;       /* bodies and errors */
	struct sse sse;
	bool has_sse;
	void *dec;
	struct llm_guard guard;
	struct xlate_gate gate;
	struct llm_tap tap;
	struct llm_enc_env enc_env;
	bool has_begun; /* out has, or had, more than signs of life that the
			   caller may have sent */
	bool stop_matched;
	struct notices unsaid; /* of the decoder beside a copy: nothing that it
				  cannot read is lost */
	const struct llm_failure
		*cut; /* why the stream ends, if not by itself */
	struct llm_failure failure;
};

/* True if something has to be done to the answer that a copy could not do.
 * Before the tree is gone. */
bool xlate_chain_is_needed(const struct xlate *x);

/* s, or a copy in which what is no UTF-8 has become U+FFFD; valid until the
 * next call. */
struct span xlate_mend_text(struct xlate *x, struct span s);
/* Of a frame that is no JSON, drop what may be half of an earlier one that was
 * cut off by it. False, with *ev as it was, if nothing whole is left. */
bool xlate_mend_frame(struct xlate *x, struct sse_event *ev);

/* Before adaptation, where the request is known not to fit: cut the
 * conversation; lower the most that the model may be asked for. GP_E_LIMIT, and
 * the xlate has failed, where that is of no use. */
enum gp_code xlate_fit_input(struct xlate *x, struct gp_error *err) GP_WUR;
enum gp_code xlate_fit_output(
	struct xlate *x, struct model_info *m, struct gp_error *err) GP_WUR;

/* Remember what xlate_sent_fields tells. keys: as written, in memory of the
 * caller; or the document's. */
void xlate_take_sent(struct xlate *x, const struct buf *keys);
void xlate_take_copied(struct xlate *x, const struct jdoc *doc);

/* The first that is fit for a header is kept. */
void xlate_take_upstream_id(struct xlate *x, struct span id);

/* Build decoder, filters and encoder for a 2xx answer. */
void xlate_chain_build(struct xlate *x);

/* The answer to a count is complete. */
enum xlate_state xlate_count_end(struct xlate *x);

/* The answer fails, whatever has come of it. */
enum xlate_state xlate_fail_now(struct xlate *x, const struct llm_failure *f);
/* A failure of our own making. */
enum xlate_state xlate_fail_with(
	struct xlate *x, enum llm_fail kind, const char *message);
/* A call has failed while reading the answer. */
enum xlate_state xlate_fail_from(struct xlate *x, const struct gp_error *err);
/* Upstream has said what is wrong. */
enum xlate_state xlate_fail_upstream(
	struct xlate *x, struct span body, bool is_in_stream);

#endif
