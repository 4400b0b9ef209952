/* SPDX-License-Identifier: MIT */
/* dialect_openai.h - what the files of the Chat Completions dialect share. */
#ifndef TRANSLATE_DIALECT_OPENAI_H
#define TRANSLATE_DIALECT_OPENAI_H

#include "shared/translate/dialect.h"

extern const struct dialect dialect_openai;

/* --- reading a request ---------------------------------------------------- */

/*
 * The request that is being read and the place in it, for the path in a
 * refusal: "messages[at].content[sub_at].leaf". list and sub are NULL where
 * the place is not inside one.
 */
struct openai_in {
	const struct jdoc *doc;
	struct llm_req *req;
	struct gp_error *err;
	const char *list;
	size_t at;
	const char *sub;
	size_t sub_at;
};

/* Reasons as the dialect's maker spells them. */
#define OPENAI_BAD_TYPE    "invalid_type"
#define OPENAI_BAD_VALUE   "invalid_value"
#define OPENAI_MISSING     "missing_required_parameter"
#define OPENAI_UNSUPPORTED "unsupported_value"
#define OPENAI_TOO_MANY    "array_above_max_length"

/* Fail with GP_E_SCHEMA. leaf: last part of the path, "" for the place itself;
 * the text is the path followed by the clause of fmt: "must be ...". */
enum gp_code openai_refuse(const struct openai_in *in, const char *leaf,
	const char *reason, const char *fmt, ...) GP_PRINTF(4, 5);
/* GP_OK if v is of that type. JREF_NONE is refused as missing. */
enum gp_code openai_want(const struct openai_in *in, jref v, enum jtype type,
	const char *leaf) GP_WUR;
/* openai_want, but absent and null are fine. */
enum gp_code openai_want_if_set(const struct openai_in *in, jref v,
	enum jtype type, const char *leaf) GP_WUR;

/* One top-level field each; v is of the right type. Functions and choices
 * expect that the tools have been read. */
enum gp_code openai_take_messages(struct openai_in *in, jref v) GP_WUR;
enum gp_code openai_take_tools(struct openai_in *in, jref v) GP_WUR;
enum gp_code openai_take_functions(struct openai_in *in, jref v) GP_WUR;
enum gp_code openai_take_choice(struct openai_in *in, jref v) GP_WUR;
enum gp_code openai_take_function_call(struct openai_in *in, jref v) GP_WUR;

/* The content of message in->at (a string, parts or nothing) as parts. Images
 * become a placeholder where has_images is false. */
enum gp_code openai_take_content(struct openai_in *in, jref content,
	struct llm_parts *to, bool has_images) GP_WUR;

enum gp_code openai_req_decode(
	const struct jdoc *doc, struct llm_req *out, struct gp_error *err);
void openai_req_encode(struct llm_req *r, struct span model,
	const struct llm_wire *wire, struct jout *out);

/* Names of reasoning efforts, by enum llm_effort; the first is empty. */
extern const struct span openai_efforts[LLM_EFFORT_MAX + 1];

/* --- answers -------------------------------------------------------------- */

/* Text that grows inside an arena. */
struct openai_text {
	char *p;
	size_t n, cap;
};

void openai_text_add(struct arena *a, struct openai_text *t, struct span s);

static inline struct jesc
openai_text_jesc(const struct openai_text *t)
{
	return (struct jesc){ span_of(t->p, t->n) };
}

/* An event with nothing in it. */
static inline struct llm_event
openai_event(enum llm_kind kind)
{
	return (struct llm_event){ .kind = kind,
		.id = JESC_EMPTY,
		.name = JESC_EMPTY,
		.text = JESC_EMPTY,
		.signature = JESC_EMPTY,
		.stop_text = JESC_EMPTY,
		.usage = LLM_USAGE_NONE,
		.error = JRAW_NONE,
		.extra = JRAW_NONE };
}

/* Finds the end of a JSON value that comes in pieces of JSON string. */
struct openai_scan {
	uint32_t depth;
	bool in_string, is_escaped, is_complete;
};

/* Feed a piece; returns how much of it belongs to the value. */
size_t openai_scan_feed(struct openai_scan *s, struct jesc piece);

/* A tool call of an answer, while and after it is received. */
struct openai_call {
	int64_t index; /* upstream's number, OPENAI_NO_INDEX if it gave none */
	struct jesc id, name; /* empty as long as unknown */
	bool keeps_no_id; /* the id was taken already: the encoder makes one */
	bool is_open, is_closed;
	struct openai_scan scan;
	struct openai_text held; /* arguments that could not be sent yet */
};

/* A block of the answer that is open or waits for the one before it. */
struct openai_segment {
	enum llm_block block;
	size_t call;             /* LLM_TOOL: position in calls */
	struct openai_text held; /* others: text that waits */
};

#define OPENAI_NO_INDEX  INT64_C(-1)
#define OPENAI_CALLS_MAX 1024 /* tool calls of one answer */

/*
 * The blocks of an answer, brought into an order in which one follows the
 * other: queue[head] is the open one, what comes for later ones is held. An
 * unfinished call is waited for, text ends when something else begins.
 */
struct openai_blocks {
	struct arena *arena;
	struct notices *notices;
	struct llm_sink *to;
	VEC_OF(struct openai_call) calls;
	VEC_OF(struct openai_segment) queue;
	size_t head;
	bool is_open; /* OPEN was sent for queue[head] */
	size_t held_bytes;
};

/* A piece of text or reasoning, not empty. */
enum gp_code openai_blocks_text(struct openai_blocks *b, enum llm_block block,
	struct jesc text, struct gp_error *err) GP_WUR;

/* A piece of a tool call; every field may be missing. */
struct openai_piece {
	int64_t index;
	struct jesc id, name, arguments;
	bool is_whole; /* nothing else belongs to this call */
};

enum gp_code openai_blocks_call(struct openai_blocks *b,
	const struct openai_piece *piece, struct gp_error *err) GP_WUR;
/* Send everything that is held and close the last block. */
enum gp_code openai_blocks_end(
	struct openai_blocks *b, struct gp_error *err) GP_WUR;

struct openai_dec {
	struct openai_blocks blocks;
	struct llm_usage usage; /* input: with the cached parts, as it came */
	bool is_started, is_ended;
	bool has_finish;
	enum llm_stop stop;
};

void openai_dec_init(
	void *dec, struct arena *a, struct notices *n, struct llm_sink *to);
enum gp_code openai_dec_sse(void *dec, struct jdoc *scratch,
	const struct sse_event *ev, struct gp_error *err);
enum gp_code openai_dec_body(
	void *dec, const struct jdoc *doc, struct gp_error *err);
enum gp_code openai_dec_end(void *dec, struct gp_error *err);

struct llm_sink *openai_enc_new(
	struct arena *a, const struct llm_enc_env *env, struct buf *out);

#endif
