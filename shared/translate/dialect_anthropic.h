/* SPDX-License-Identifier: MIT */
/*
 * dialect_anthropic.h - what the files of the Messages dialect share. Nobody
 * else includes it.
 *
 *	dialect_anthropic.c        the object, failures, small answers
 *	dialect_anthropic_req.c    a request's fields -> tree
 *	dialect_anthropic_turn.c   its messages
 *	dialect_anthropic_block.c  content that stands in messages and results
 *	dialect_anthropic_out.c    tree -> request
 *	dialect_anthropic_copy.c   request -> request
 *	dialect_anthropic_fold.c   the conversation in it
 *	dialect_anthropic_dec.c    answer -> events
 *	dialect_anthropic_enc.c    events -> answer
 *	dialect_anthropic_echo.c   answer -> answer
 */
#ifndef TRANSLATE_DIALECT_ANTHROPIC_H
#define TRANSLATE_DIALECT_ANTHROPIC_H

#include "shared/translate/dialect.h"
#include "shared/translate/dialect_anthropic_billing.h"

extern const struct dialect dialect_anthropic;

/* Signs thinking that upstream has not signed, since clients replay signed
 * thinking only: base64 of the program's name. */
#define ANTHROPIC_SIGNATURE "Z2xtcHJveHk="

/* Why a request with a thread is refused: gp_error.reason, and error_code in
 * the details of the error, by which the SDK goes on without. */
#define ANTHROPIC_NO_THREADS "thread_unsupported_request"

/* How system text is told apart inside a user turn; insides of JSON strings. */
#define ANTHROPIC_REMINDER_BEGIN "<system-reminder>\\n"
#define ANTHROPIC_REMINDER_END   "\\n</system-reminder>"

/* Where a block stands. */
enum anthropic_place {
	ANTHROPIC_SYSTEM = 1,
	ANTHROPIC_USER = 2,
	ANTHROPIC_ASSISTANT = 4,
	ANTHROPIC_RESULT = 8,
};

/* A request being read. The path of what is being read is `list`[at[0]]
 * .content[at[1]].content[at[2]], of which `depth` indexes are in use. */
struct anthropic_in {
	const struct jdoc *doc;
	struct llm_req *r;
	struct gp_error *err;
	const char *list;
	size_t at[3];
	unsigned depth;
	enum anthropic_place place;
	struct llm_parts *parts; /* where blocks go */
};

/* Refuse the request because of this field, "" for the thing at hand itself:
 * the text is the path and the clause, "tools[1].name must be ...". Returns
 * GP_E_SCHEMA. */
enum gp_code anthropic_refuse(struct anthropic_in *in, const char *field,
	const char *fmt, ...) GP_PRINTF(3, 4);
/* The same for a value of the wrong type: "must be a string, not null". */
enum gp_code anthropic_refuse_type(struct anthropic_in *in, const char *field,
	const char *wanted, jref got);

/* The system field; the messages. Turns are added to in->r. */
enum gp_code anthropic_read_system(struct anthropic_in *in, jref v) GP_WUR;
enum gp_code anthropic_read_messages(struct anthropic_in *in, jref v) GP_WUR;

/* A block whose type has been checked to be a string: text, image, document
 * and the like become parts; what is unknown or out of place is dropped with a
 * notice. Never adds turns. */
enum gp_code anthropic_read_plain(struct anthropic_in *in, jref block) GP_WUR;
/* in->parts gains a part with the block's cache_control. */
struct llm_part *anthropic_add_part(
	struct anthropic_in *in, jref block, enum llm_part_kind kind);

/* Stop reasons by their name; UNKNOWN for others. And back. */
enum llm_stop anthropic_stop_of(struct jesc reason);
const char *anthropic_stop_name(enum llm_stop stop);

/* The functions of the dialect object that have a file of their own. */
enum gp_code anthropic_req_decode(
	const struct jdoc *doc, struct llm_req *out, struct gp_error *err);
void anthropic_req_encode(struct llm_req *r, struct span model,
	const struct llm_wire *wire, struct jout *out);
enum gp_code anthropic_req_copy(const struct jdoc *doc, struct llm_req *r,
	struct span model, struct buf *out, struct gp_error *err);

struct anthropic_dec {
	struct arena *arena;
	struct notices *notices;
	struct llm_sink *to;
	bool is_started, is_ended;
	bool is_open;    /* a block that is passed on */
	bool is_ignored; /* inside of a block that is not */
	bool has_piece;  /* the open block has had a DELTA */
	bool has_stop;
	enum llm_block block;
	struct jesc input; /* OPEN of a tool: arguments given there */
	struct jesc signature;
	enum llm_stop stop;
	struct jesc stop_text;
};

void anthropic_dec_init(
	void *dec, struct arena *a, struct notices *n, struct llm_sink *to);
enum gp_code anthropic_dec_sse(void *dec, struct jdoc *scratch,
	const struct sse_event *ev, struct gp_error *err);
enum gp_code anthropic_dec_body(
	void *dec, const struct jdoc *doc, struct gp_error *err);
enum gp_code anthropic_dec_end(void *dec, struct gp_error *err);

struct llm_sink *anthropic_enc_new(
	struct arena *a, const struct llm_enc_env *env, struct buf *out);

void anthropic_ans_copy_sse(const struct sse_event *ev, struct jdoc *scratch,
	const struct llm_enc_env *env, struct buf *out);
void anthropic_ans_copy_body(
	const struct jdoc *doc, const struct llm_enc_env *env, struct buf *out);
void anthropic_ans_copy_end(struct buf *out);

#endif
