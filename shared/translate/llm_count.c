/* SPDX-License-Identifier: MIT */
/* llm_count.c - the exact number of a request's tokens, in steps. */
#include "shared/translate/llm_count.h"

#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/translate/llm_estimate.h"
#include "shared/translate/llm_unit.h"

/* Bytes that are copied with the work of one that is tokenized. */
#define COPIED_PER_WORK 4
#define WORK_PLACE      1
#define HEX_DIGITS      "0123456789abcdefABCDEF"

/* Where in the tree. A turn's parts come before those of the next one, a part's
 * texts before the parts inside of it, and the tools last. */
struct place {
	size_t turn, part, inner, field, tool;
	bool is_in_turn; /* the turn itself is counted */
};

struct llm_count {
	const struct llm_req *req;
	struct bpe_job *job;
	struct place at;
	uint64_t tokens; /* of all that is not text */
	struct span rest;
	unsigned passes;     /* over rest, until its escapes are resolved */
	bool is_json;        /* the last pass is over JSON */
	bool is_in_string;   /* of it */
	struct buf texts[2]; /* what passes make, in turns */
	unsigned to;         /* of these, the one that is written to */
	bool is_counting;    /* the job has a text */
	bool is_done;
};

struct llm_count *
llm_count_new(const struct vocab *v, const struct llm_req *r)
{
	struct llm_count *const c = calloc(1, sizeof(*c));

	if (c == NULL)
		GP_NOMEM();
	c->req = r;
	c->job = bpe_job_new(v, NULL);
	for (size_t i = 0; i < ARRAY_LEN(c->texts); i++)
		buf_init(&c->texts[i], SIZE_MAX);
	c->rest = SPAN_EMPTY;
	return c;
}

void
llm_count_free(struct llm_count **c)
{
	if (*c == NULL)
		return;
	bpe_job_free(&(*c)->job);
	for (size_t i = 0; i < ARRAY_LEN((*c)->texts); i++)
		buf_fini(&(*c)->texts[i]);
	free(*c);
	*c = NULL;
}

int64_t
llm_count_tokens(const struct llm_count *c)
{
	const uint64_t n = c->tokens + bpe_job_tokens(c->job);

	return n == 0 ? 1 : (int64_t)n;
}

/* --- what escapes mean ---------------------------------------------------- */

static bool
is_code(struct span s)
{
	if (s.n < UNIT_ONE || s.p[0] != '\\' || s.p[1] != 'u')
		return false;
	for (size_t i = 2; i < UNIT_ONE; i++)
		if (memchr(HEX_DIGITS, s.p[i], sizeof(HEX_DIGITS) - 1) == NULL)
			return false;
	return true;
}

/* Length of the escape at the backslash that s begins with; 0 if it is none.
 * Arguments can be anything, unlike the strings that hold them. */
static size_t
escape_len(struct span s)
{
	static const char letters[] = "\"\\/bfnrt";

	if (is_code(s))
		return unit_escape_len(s) == UNIT_PAIR &&
				is_code(span_from(s, UNIT_ONE)) ?
			UNIT_PAIR :
			UNIT_ONE;
	return s.n >= UNIT_SHORT &&
			memchr(letters, s.p[1], sizeof(letters) - 1) != NULL ?
		UNIT_SHORT :
		0;
}

/* Move about max bytes, at least one, from *rest to out. */
static void
unescape_some(struct span *rest, size_t max, struct buf *out)
{
	const size_t before = rest->n;

	while (rest->n > 0 && before - rest->n < max) {
		const struct span head =
			span_head(*rest, max - (before - rest->n));
		const size_t plain = span_find_char(head, '\\');
		size_t len;

		buf_put(out, span_head(head, plain));
		*rest = span_from(*rest, plain);
		if (plain == head.n)
			continue;
		len = escape_len(*rest);
		if (len == 0)
			buf_put(out, span_head(*rest, 1));
		else
			jtext_unescape(
				(struct jesc){ span_head(*rest, len) }, out);
		*rest = span_from(*rest, MAX(len, 1));
	}
}

/* JSON between its strings, up to a backslash, which is none of it, or to and
 * with the quote at which a string begins (true). Blanks stand behind commas
 * and colons and nowhere else, whatever the client's habits are: so models are
 * shown it. */
static bool
lay_out_some(struct span *rest, size_t max, struct buf *out)
{
	bool is_at_quote = false;
	size_t i;

	for (i = 0; i < rest->n && i < max && !is_at_quote; i++) {
		const char c = rest->p[i];

		if (c == '\\')
			break;
		is_at_quote = c == '"';
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
			continue;
		buf_putc(out, c);
		if (c == ',' || c == ':')
			buf_putc(out, ' ');
	}
	*rest = span_from(*rest, i);
	return is_at_quote;
}

/* The inside of a string, the like. True behind the quote that ends it. */
static bool
copy_string_some(struct span *rest, size_t max, struct buf *out)
{
	const struct span head = span_head(*rest, max);
	const size_t end =
		MIN(span_find_char(head, '"'), span_find_char(head, '\\'));
	const bool is_at_quote = end < head.n && head.p[end] == '"';

	buf_put(out, span_head(head, end + is_at_quote));
	*rest = span_from(*rest, end + is_at_quote);
	return is_at_quote;
}

/* unescape_some for JSON. */
static void
unescape_json_some(
	struct span *rest, size_t max, bool *is_in_string, struct buf *out)
{
	const size_t before = rest->n;

	while (rest->n > 0 && before - rest->n < max) {
		const size_t left = max - (before - rest->n);

		if (rest->p[0] == '\\')
			unescape_some(rest, 1, out);
		else if (*is_in_string)
			*is_in_string = !copy_string_some(rest, left, out);
		else
			*is_in_string = lay_out_some(rest, left, out);
	}
}

/* --- one text after the other --------------------------------------------- */

static void
set_text(struct llm_count *c, struct span text, unsigned passes)
{
	c->rest = text;
	c->passes = passes;
	c->is_json = false;
}

static void
set_json(struct llm_count *c, struct span text, unsigned passes)
{
	set_text(c, text, passes);
	c->is_json = true;
	c->is_in_string = false;
}

static void
visit_args(struct llm_count *c, const struct llm_args *args)
{
	/* JSON in a JSON string; as a value it is one. */
	if (args->has_text)
		set_json(c, args->text.s, 2);
	else
		set_json(c, args->value.s, 1);
}

/* The part's text, or 2nd text; true while there may be more. */
static bool
visit_part(struct llm_count *c, const struct llm_part *p, size_t field)
{
	switch (p->kind) {
	case LLM_PART_TEXT:
	case LLM_PART_THINK:
		set_text(c, p->text.s, 1);
		return false;
	case LLM_PART_IMAGE:
		c->tokens += llm_image_tokens(&p->image);
		return false;
	case LLM_PART_CALL:
		if (field == 0)
			set_text(c, p->name.s, 1);
		else
			visit_args(c, &p->args);
		return field == 0;
	case LLM_PART_RESULT:
		return false;
	}
	GP_UNREACHED();
}

static void
visit_turn(struct llm_count *c)
{
	const struct llm_turn *const turn = &c->req->turns.v[c->at.turn];
	const struct llm_part *part;
	bool is_part;

	if (!c->at.is_in_turn) {
		c->tokens += LLM_MESSAGE_TOKENS;
		c->at.is_in_turn = true;
		return;
	}
	if (c->at.part == turn->parts.n) {
		c->at = (struct place){ .turn = c->at.turn + 1 };
		return;
	}
	part = &turn->parts.v[c->at.part];
	/* inner counts from 1; 0 is the part itself. Results do not nest. */
	is_part = c->at.inner == 0;
	if (visit_part(c, is_part ? part : &part->parts.v[c->at.inner - 1],
		    c->at.field)) {
		c->at.field++;
		return;
	}
	c->at.field = 0;
	if (c->at.inner++ == part->parts.n) {
		c->at.inner = 0;
		c->at.part++;
	}
}

static void
visit_tool(struct llm_count *c)
{
	const struct llm_tool *const tool = &c->req->tools.v[c->at.tool];

	switch (c->at.field++) {
	case 0:
		c->tokens += LLM_TOOL_TOKENS;
		set_text(c, tool->name.s, 1);
		return;
	case 1:
		set_text(c, tool->description.s, 1);
		return;
	default:
		set_json(c, tool->schema.s, 1);
		c->at.field = 0;
		c->at.tool++;
	}
}

/* One place further in the tree. False at its end. */
static bool
visit(struct llm_count *c)
{
	if (c->at.turn < c->req->turns.n)
		visit_turn(c);
	else if (c->at.tool < c->req->tools.n)
		visit_tool(c);
	else
		return false;
	return true;
}

/* Go on with the passes over the text; when they are done, count. */
static void
resolve(struct llm_count *c, size_t *work)
{
	struct buf *const out = &c->texts[c->to];
	const size_t max = MIN(*work, c->rest.n) * COPIED_PER_WORK;
	const size_t before = c->rest.n;

	/* Growing bit by bit would copy megabytes at once. */
	if (buf_len(out) == 0)
		buf_room(out, c->rest.n);
	if (c->is_json && c->passes == 1)
		unescape_json_some(&c->rest, max, &c->is_in_string, out);
	else
		unescape_some(&c->rest, max, out);
	*work -= MIN(*work, 1 + (before - c->rest.n) / COPIED_PER_WORK);
	if (c->rest.n > 0)
		return;
	c->rest = buf_span(out);
	c->to ^= 1;
	buf_reset(&c->texts[c->to], SIZE_MAX);
	if (--c->passes > 0)
		return;
	bpe_job_text(c->job, c->rest);
	c->is_counting = true;
}

/* Tokens of the text, then it is forgotten. */
static void
count(struct llm_count *c, size_t *work)
{
	if (!bpe_job_step(c->job, work))
		return;
	c->is_counting = false;
	c->rest = SPAN_EMPTY;
	/* Memory is kept: to give megabytes back takes milliseconds. */
	buf_reset(&c->texts[c->to ^ 1], SIZE_MAX);
}

bool
llm_count_step(struct llm_count *c, size_t work)
{
	while (!c->is_done && work > 0) {
		if (c->is_counting) {
			count(c, &work);
		} else if (c->rest.n > 0) {
			resolve(c, &work);
		} else {
			work -= WORK_PLACE;
			c->is_done = !visit(c);
		}
	}
	return c->is_done;
}
