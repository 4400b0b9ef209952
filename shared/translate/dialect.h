/* SPDX-License-Identifier: MIT */
/*
 * dialect.h - everything the rest of the program may ask of a dialect.
 *
 * A dialect is one object of this type, in its own files, with one line in
 * dialects.def. It holds the grammar as its maker defines it and nothing of a
 * vendor (profile.h) nor of another dialect. Nobody else knows its name.
 */
#ifndef TRANSLATE_DIALECT_H
#define TRANSLATE_DIALECT_H

#include "shared/http/msg.h"
#include "shared/http/sse.h"
#include "shared/json/jdoc.h"
#include "shared/json/jout.h"
#include "shared/translate/failure.h"
#include "shared/translate/llm_context.h"
#include "shared/translate/llm_req.h"

enum llm_mode {
	LLM_BODY,
	LLM_SSE
};

struct dialect_route {
	struct span path; /* exact, without query */
	enum llm_purpose purpose;
};

/* What an encoder must know of the request it answers. */
struct llm_enc_env {
	enum llm_mode mode;
	int64_t now_wall_s;   /* "created" */
	char fallback_id[25]; /* 24 random base62 characters */
	struct jesc model;    /* echoed to the client */
	bool wants_usage;
	bool has_functions;
	int64_t estimated_input; /* tokens, until upstream has said */
	struct llm_context context;
	const struct llm_usage *seen; /* of the answer so far, for copies */
	struct arena *arena; /* for call ids that upstream left out, ... */
	struct notices *notices;
};

/* Which stop sequences are sent, for dialects that limit their number. All are
 * looked for in the answer, whatever upstream does. */
enum llm_stops {
	LLM_STOPS_ALL,
	LLM_STOPS_FIRST,
	LLM_STOPS_NONE
};

/* Limits and habits of the upstream that an encoder writes for; from the
 * profile. */
struct llm_wire {
	bool fills_description; /* tools need a description: the name */
	bool is_text_only;      /* content of all-text messages as one string */
	bool streams_usage;     /* ask for usage in every stream */
	enum llm_stops stops;
};

/* The answer to a count of tokens. */
struct llm_counted {
	int64_t tokens; /* as the client sees them */
	int64_t real;   /* unscaled; -1: not to be shown */
	bool is_estimate;
	bool is_compat;      /* also under older names */
	bool shows_original; /* what it was before the context was edited */
};

struct dialect {
	const char *name;
	struct span suffix; /* of model names that ask for this dialect */
	const struct dialect_route *routes;
	size_t nroutes;
	/* Paths below an upstream base. */
	struct span chat_path, count_path; /* count_path "" if there is none */
	/* Headers of answers and requests. */
	const char *request_id_header;
	bool prefers_api_key_header; /* x-api-key wins over authorization */
	struct span marker_header;  /* a request that has it speaks this dialect
				       on paths that do not tell */
	struct span feature_header; /* client header passed on within the
				       dialect, "" if none */
	struct span limit_header;   /* how names of fields begin that tell about
				       rate limits; passed on within the
				       dialect */
	bool reports_stop;     /* answers say which stop sequence matched */
	bool shows_reasoning;  /* reasoning is additive: sent unasked */
	bool needs_max_tokens; /* requests must carry it */

	/*
	 * Requests. decode: the whole grammar, wrong types and ranges are
	 * refused with err->param set. encode: writes one object, keys in fixed
	 * order, deterministic. copy (may be NULL): for a request that came in
	 * this very dialect, write doc's text with only the edits that r
	 * (decoded from doc, adapted, model already set to the wire name)
	 * makes necessary. Both only add to r's notices and arena.
	 */
	enum gp_code (*req_decode)(const struct jdoc *doc, struct llm_req *out,
		struct gp_error *err);
	void (*req_encode)(struct llm_req *r, struct span model,
		const struct llm_wire *wire, struct jout *out);
	enum gp_code (*req_copy)(const struct jdoc *doc, struct llm_req *r,
		struct span model, struct buf *out, struct gp_error *err);
	/* Fixed fields of a request head, e.g. a version. */
	void (*req_head)(struct buf *head);

	/*
	 * Answers, upstream side. State of dec_size zeroed bytes comes from the
	 * caller. doc: scratch for the decoder's own use, reused between calls.
	 * A frame that is not JSON is GP_E_SYNTAX. An answer that holds an
	 * error becomes LLM_ERROR. dec_end: EOF; STOP if a finish was seen
	 * (notice early_eof), else LLM_ERROR.
	 */
	size_t dec_size;
	void (*dec_init)(void *dec, struct arena *a, struct notices *n,
		struct llm_sink *to);
	enum gp_code (*dec_sse)(void *dec, struct jdoc *scratch,
		const struct sse_event *ev, struct gp_error *err);
	enum gp_code (*dec_body)(
		void *dec, const struct jdoc *doc, struct gp_error *err);
	enum gp_code (*dec_end)(void *dec, struct gp_error *err);

	/* Answers, client side: a sink that appends to out. In mode LLM_BODY
	 * the whole body is written at STOP. ERROR never arrives here. */
	struct llm_sink *(*enc_new)(struct arena *a,
		const struct llm_enc_env *env, struct buf *out);

	/*
	 * Answers that stay in the dialect (may be NULL: then they are decoded
	 * and encoded). copy_sse: write the event as it is but for the edits of
	 * env (echoed model, usage estimate at the start, context at the end).
	 * copy_body likewise. Counts are copied as they are: a client of the
	 * upstream's dialect is used to them.
	 * copy_end: the closing frames that a cut but complete stream lacks.
	 */
	void (*ans_copy_sse)(const struct sse_event *ev, struct jdoc *scratch,
		const struct llm_enc_env *env, struct buf *out);
	void (*ans_copy_body)(const struct jdoc *doc,
		const struct llm_enc_env *env, struct buf *out);
	void (*ans_copy_end)(struct buf *out);

	/* Failures. The status for the client; the body, or in mode LLM_SSE
	 * the frame that ends a broken stream. */
	unsigned (*fail_status)(const struct llm_failure *f);
	void (*fail_encode)(const struct llm_failure *f, enum llm_mode mode,
		struct span request_id, struct buf *out);

	/* A sign of life inside a stream, between frames; started: the first
	 * frame of the answer is out. */
	void (*heartbeat)(bool started, struct buf *out);

	/* The answer to a count of tokens. */
	void (*count_encode)(const struct llm_counted *c, struct buf *out);
};

enum {
	DIALECT_COUNT = 0
#define DIALECT(name, base, expected, overflow) +1
#include "shared/translate/dialects.def"
#undef DIALECT
};

/* All dialects in the order of dialects.def. */
extern const struct dialect *const dialects[];
extern const size_t ndialects;

/* The position of one of them. */
size_t dialect_index(const struct dialect *d);

/* The dialect and purpose of a path; NULL if no dialect has it. */
const struct dialect *dialect_by_path(
	struct span path, enum llm_purpose *purpose);
/* For paths that do not tell: by the marker headers, else the first. */
const struct dialect *dialect_by_head(const struct http_head *h);

#endif
