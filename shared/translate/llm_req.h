/* SPDX-License-Identifier: MIT */
/*
 * llm_req.h - a request in no dialect: the tree between decoder and encoder.
 *
 * The tree is the superset of what the dialects can say: block structure,
 * explicit tool results inside user turns, system text anywhere. Decoders fill
 * it with views into the request body (which must outlive it), the vendor's
 * profile adapts it, llm_normal brings the conversation into an order that
 * every upstream accepts, encoders write it out and need no judgement.
 *
 *	req --- turns[] --- parts[]   text | think | image | call | result
 *	    |                            result --- parts[]  text | image
 *	    +-- tools[], choice, knobs, stop[], extra[]
 *
 * What a decoder cannot express here goes to `extra` (top-level fields) or
 * becomes a text part plus a notice (blocks). Nothing is lost silently.
 */
#ifndef TRANSLATE_LLM_REQ_H
#define TRANSLATE_LLM_REQ_H

#include "shared/base/vec.h"
#include "shared/json/jdoc.h"
#include "shared/translate/notice.h"

struct dialect;

enum llm_role {
	LLM_SYSTEM,
	LLM_USER,
	LLM_ASSISTANT
};

enum llm_part_kind {
	LLM_PART_TEXT,
	LLM_PART_THINK,
	LLM_PART_IMAGE,
	LLM_PART_CALL,   /* assistant turns only */
	LLM_PART_RESULT, /* user turns only */
};

/* A tool call's arguments, in the form in which they came. At least one is
 * there; llm_args_* below make the other. */
struct llm_args {
	struct jesc text; /* JSON text as a JSON string holds it */
	bool has_text;
	struct jraw value; /* a JSON object */
};

struct llm_image {
	bool is_url;
	struct jesc media_type; /* "image/png"; data only */
	struct jesc data;       /* base64, normalised; or the URL */
};

struct llm_part;

struct llm_parts {
	struct llm_part *v;
	size_t n, cap;
};

struct llm_part {
	enum llm_part_kind kind;
	struct jesc text;          /* TEXT, THINK */
	struct jesc signature;     /* THINK, may be empty */
	struct jesc id;            /* CALL, RESULT: the call's id */
	struct jesc name;          /* CALL */
	struct llm_args args;      /* CALL */
	struct llm_image image;    /* IMAGE */
	struct llm_parts parts;    /* RESULT: TEXT and IMAGE only */
	bool is_error;             /* RESULT */
	bool is_flat;              /* RESULT: the content was a plain string */
	bool is_verbatim;          /* TEXT: the client's own words, a view of a
				      string of its body; not made of a file, a
				      document, a search result */
	struct jraw cache_control; /* none if not given */
};

struct llm_turn {
	enum llm_role role;
	struct llm_parts parts;
	size_t source; /* position in the client's message list, for errors */
};

struct llm_tool {
	struct jesc name;
	struct jesc description; /* empty if none */
	struct jraw schema;      /* JSON object; none if not given */
	struct jraw cache_control;
};

enum llm_choice {
	LLM_CHOICE_UNSET,
	LLM_CHOICE_AUTO,
	LLM_CHOICE_ANY, /* some tool must be called */
	LLM_CHOICE_NONE,
	LLM_CHOICE_NAMED,
};

/* A number that is copied as text; value only for comparing with ranges. */
struct llm_number {
	struct jraw raw; /* none: not given */
	double value;
};

enum llm_effort {
	LLM_EFFORT_UNSET,
	LLM_EFFORT_NONE,
	LLM_EFFORT_MINIMAL,
	LLM_EFFORT_LOW,
	LLM_EFFORT_MEDIUM,
	LLM_EFFORT_HIGH,
	LLM_EFFORT_XHIGH,
	LLM_EFFORT_MAX,
};

enum llm_think_mode {
	LLM_THINK_UNSET,
	LLM_THINK_OFF,
	LLM_THINK_ON
};

struct llm_think {
	enum llm_think_mode mode;
	enum llm_effort effort;
	int64_t budget_tokens; /* 0: not given */
	bool keep_all;         /* earlier thinking is to stay in the context */
	bool drop_all;         /* said outright: it is not to stay */
	bool is_hidden;        /* the answer is not to show it */
};

enum llm_format {
	LLM_FORMAT_TEXT,
	LLM_FORMAT_JSON,
	LLM_FORMAT_SCHEMA
};

/* A top-level field that the tree does not model. */
struct llm_extra {
	const struct dialect *owner;
	struct jesc key;
	struct jraw value;
	bool is_minor; /* another dialect may drop it without a notice */
	bool is_used;  /* a profile has taken its meaning into the tree: no
			  notice when dropped */
};

/* A tool name that the upstream does not accept and its replacement. */
struct llm_rename {
	struct jesc original, wire;
};

/* What the request is for: a count needs no max_tokens and no answer. */
enum llm_purpose {
	LLM_CHAT,
	LLM_COUNT
};

struct llm_req {
	struct arena *arena;
	struct notices notices;
	enum llm_purpose purpose;

	struct jesc model; /* as the client wrote it; empty if absent */
	bool stream;
	bool wants_usage; /* the client asked for usage in the stream */
	VEC_OF(struct llm_turn) turns;
	VEC_OF(struct llm_tool) tools;
	enum llm_choice choice;
	struct jesc choice_name; /* LLM_CHOICE_NAMED */
	bool single_call;        /* at most one tool call in the answer */
	bool edits_context;      /* asks for the conversation to be edited: a
				    count says what it was before */
	bool has_functions;      /* answer in the deprecated function shape */
	int64_t max_tokens;      /* 0: not given */
	struct llm_number temperature, top_p;
	int64_t top_k;            /* 0: not given */
	bool is_greedy;           /* sampling was switched off */
	VEC_OF(struct jesc) stop; /* without empty ones */
	struct llm_think think;
	enum llm_format format;
	struct jraw format_schema;
	struct jesc format_name;
	struct jesc user_id; /* empty: not given */
	VEC_OF(struct llm_extra) extra;
	VEC_OF(struct llm_rename) renames;

	/* What has been taken out of the conversation since it was decoded, for
	 * copies of the client's bytes: pieces of verbatim texts, in the order
	 * of the body; the messages in front of this position, those of role
	 * system excepted; and what a user's turn behind these says instead,
	 * empty if there is none. */
	VEC_OF(struct span) cuts;
	size_t kept_from;
	struct jesc instead;
};

void llm_req_init(struct llm_req *r, struct arena *a, enum llm_purpose purpose);

struct llm_turn *llm_add_turn(
	struct llm_req *r, enum llm_role role, size_t source);
struct llm_part *llm_add_part(
	struct llm_req *r, struct llm_parts *parts, enum llm_part_kind kind);
/* A text part; nothing when text is empty. The second: a verbatim one. */
void llm_add_text(struct llm_req *r, struct llm_parts *parts, struct jesc text);
void llm_add_verbatim(
	struct llm_req *r, struct llm_parts *parts, struct jesc text);
void llm_add_extra(struct llm_req *r, const struct dialect *owner,
	struct jesc key, struct jraw value, bool is_minor);

/*
 * Arguments as a JSON object. Text that is blank or null is {}; a JSON object
 * is taken as it is written; anything else becomes the sentinel
 * {"__raw_arguments":"<the text>"}. Result in the arena or a view.
 */
struct jraw llm_args_value(struct arena *a, const struct llm_args *args);
/* Arguments as text inside a JSON string; the sentinel is turned back. */
struct jesc llm_args_text(struct arena *a, const struct llm_args *args);
/*
 * For upstreams, which refuse whatever is no JSON object: both forms are there
 * afterwards if there was text, and say what llm_args_value says. True if that
 * is a sentinel made here.
 */
bool llm_args_settle(struct arena *a, struct llm_args *args);

/* Parse an image URL of a client: data: URLs (any case, parameters, URL-safe
 * alphabet, blanks, missing padding are normalised) or http(s). GP_E_SCHEMA
 * with a sentence otherwise. Views of url or arena memory. */
enum gp_code llm_image_from_url(struct arena *a, struct jesc url,
	struct llm_image *out, struct gp_error *err) GP_WUR;
/* Base64 as above; media_type may be empty or unknown: then it is told from
 * the first bytes (PNG, JPEG, GIF, WEBP). */
enum gp_code llm_image_from_base64(struct arena *a, struct jesc media_type,
	struct jesc data, struct llm_image *out, struct gp_error *err) GP_WUR;

/* Call ids: every byte outside [A-Za-z0-9_-] becomes '_'. A view if clean. */
struct jesc llm_clean_id(struct arena *a, struct jesc id);

#endif
