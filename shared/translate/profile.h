/* SPDX-License-Identifier: MIT */
/*
 * profile.h - what is peculiar to a vendor: models, limits, habits, errors.
 *
 * Dialects hold grammar, a profile holds tables. It adapts the request tree
 * between decoding and encoding and reads the vendor's errors.
 */
#ifndef TRANSLATE_PROFILE_H
#define TRANSLATE_PROFILE_H

#include "shared/translate/dialect.h"

/* How a model can think. */
enum model_thinking {
	MODEL_THINKING_NONE,
	MODEL_THINKING_SWITCH, /* on or off */
	MODEL_THINKING_EFFORT, /* on or off, with an effort */
	MODEL_THINKING_ALWAYS, /* cannot be switched off; effort low, high, max
				*/
};

struct model_info {
	struct span name; /* lower case */
	int64_t context_tokens, max_output_tokens;
	enum model_thinking thinking;
	bool is_vision;
	bool has_tools;
	bool streams_tools;  /* can stream tool arguments */
	bool keeps_thinking; /* profits from its earlier thinking */
	bool has_text_marks; /* thinking and boxes are marked in its text */
};

/* What the operator decides about adaptation. */
struct profile_options {
	int64_t default_max_tokens;
	int force_thinking; /* -1: the client's choice, 0 never, 1 always */
	bool replay_reasoning;
};

/* True if a request that stays in dialect d is copied rather than written anew:
 * the operator has asked for no change that a copy could not make. */
static inline bool
profile_copies(const struct profile_options *o, const struct dialect *client,
	const struct dialect *upstream)
{
	return client == upstream && client->req_copy != NULL &&
		o->force_thinking < 0 && o->replay_reasoning;
}

/* What an upstream said with its failure, beside the body. */
struct profile_reply {
	unsigned status;
	struct span retry_after; /* header, "" if none */
	struct span trace;       /* request id header, "" if none */
	int64_t now_wall_s;      /* upstream's clock, or ours */
	bool is_in_stream;       /* from a frame, not from a whole answer */
};

/* For the texts of context overflow. */
struct profile_asked {
	int64_t estimated_input, max_tokens;
	int64_t limit_tokens; /* of the model, 0 unknown */
	struct span model;
};

struct profile {
	const char *name;
	const struct model_info *models;
	size_t nmodels;
	/* Which of the vendor's endpoints takes what. */
	const struct dialect *text, *vision;

	/* After decoding: take the vendor's own request fields (in r->extra,
	 * whose values are in doc) into the tree. */
	enum gp_code (*adopt)(const struct jdoc *doc, struct llm_req *r,
		struct gp_error *err);

	/*
	 * Before encoding: clamp, degrade and complete r for this model on an
	 * upstream of dialect `upstream`; notices say what changed. client ==
	 * upstream with req_copy: only the edits that copy makes are needed.
	 */
	enum gp_code (*adapt)(struct llm_req *r, const struct dialect *client,
		const struct dialect *upstream, const struct model_info *m,
		const struct profile_options *o, struct llm_wire *wire,
		struct gp_error *err);

	/* True if a 2xx body is an error in disguise. */
	bool (*is_failure)(const struct jdoc *doc);

	/* Read a failure. body: any bytes (JSON of any shape, HTML, nothing).
	 * Texts go to the arena. Never fails. */
	void (*failure)(const struct profile_reply *reply, struct span body,
		const struct profile_asked *asked, struct arena *a,
		struct llm_failure *out);

	/* What a number of the vendor's means, for people: why a key is
	 * refused for a time. NULL for all others. */
	const char *(*meaning)(int64_t code);
};

extern const struct profile profile_zai;

/* The row of a model, or NULL. */
const struct model_info *profile_model(
	const struct profile *p, struct span name);
/* What is assumed of a model that no table knows; name is not copied. */
struct model_info profile_unknown_model(struct span name);

#endif
