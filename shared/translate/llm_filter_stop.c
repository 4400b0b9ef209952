/* SPDX-License-Identifier: MIT */
/*
 * llm_filter_stop.c - ends an answer where a stop sequence begins.
 *
 * Every sequence has its own Knuth-Morris-Pratt automaton over the decoded
 * bytes, so that a byte costs the same however sequences and text repeat
 * themselves. `pos` and all starts are numbers of decoded bytes since the block
 * began; what is held back is kept as it was written:
 *
 *	... passed on ... | held ................. | not seen
 *	                  base                 pos
 */
#include "shared/base/check.h"
#include "shared/translate/llm_hold.h"
#include "shared/translate/llm_unit.h"

struct pattern {
	struct jesc text;
	struct span bytes;
	uint32_t *border; /* of the first 1..n bytes: the longest proper
			     prefix that is also their end */
	uint32_t matched; /* bytes that the text ends in */
	bool is_over;     /* has been found */
};

struct stop {
	struct llm_sink sink;
	struct llm_sink *next;
	bool *matched;
	struct pattern *patterns;
	size_t n;
	bool is_first[256]; /* bytes at which a pattern, or an escape, begins */
	bool is_idle;       /* the text ends in the beginning of no pattern */
	bool has_high;      /* held ends in a high surrogate, not in pos yet */
	bool is_done;
	size_t pos, base;
	struct hold held;
	struct pattern *best; /* found; an earlier one may still be under way */
	size_t best_start;
	struct llm_usage usage;
};

static void
begin_block(struct stop *f)
{
	for (size_t i = 0; i < f->n; i++) {
		f->patterns[i].matched = 0;
		f->patterns[i].is_over = false;
	}
	f->is_idle = true;
	f->pos = 0;
	f->base = 0;
	f->best = NULL;
	GP_ASSERT(hold_span(&f->held).n == 0);
}

/* Earlier beats later, then the order of the list decides. */
static bool
is_better(const struct stop *f, const struct pattern *p, size_t start)
{
	return f->best == NULL || start < f->best_start ||
		(start == f->best_start && p < f->best);
}

static void
feed_pattern(struct stop *f, struct pattern *p, char c)
{
	while (p->matched > 0 && p->bytes.p[p->matched] != c)
		p->matched = p->border[p->matched - 1];
	if (p->bytes.p[p->matched] == c)
		p->matched++;
	if (p->matched < p->bytes.n)
		return;
	/* Any later one of the same pattern is no better. */
	p->is_over = true;
	if (is_better(f, p, f->pos - p->bytes.n)) {
		f->best = p;
		f->best_start = f->pos - p->bytes.n;
	}
}

static void
feed(struct stop *f, struct span bytes)
{
	for (size_t k = 0; k < bytes.n; k++) {
		bool is_idle = true;

		f->pos++;
		for (size_t i = 0; i < f->n; i++) {
			struct pattern *const p = &f->patterns[i];

			if (p->is_over)
				continue;
			feed_pattern(f, p, bytes.p[k]);
			is_idle = is_idle && p->matched == 0;
		}
		f->is_idle = is_idle;
	}
}

static void
feed_escape(struct stop *f, struct span escape)
{
	char bytes[4];
	struct buf out;

	buf_init(&out, sizeof(bytes));
	out.data = bytes;
	out.cap = sizeof(bytes);
	jtext_unescape((struct jesc){ escape }, &out);
	feed(f, buf_span(&out));
}

/* Where the text begins that may still be part of a match. */
static size_t
safe_end(const struct stop *f)
{
	size_t end = f->pos;

	for (size_t i = 0; i < f->n; i++) {
		const struct pattern *const p = &f->patterns[i];

		if (!p->is_over)
			end = MIN(end, f->pos - p->matched);
	}
	return f->best == NULL ? end : MIN(end, f->best_start);
}

/* True if nothing that is under way can beat what was found. */
static bool
is_decided(const struct stop *f)
{
	if (f->best == NULL)
		return false;
	for (size_t i = 0; i < f->n; i++) {
		const struct pattern *const p = &f->patterns[i];

		if (!p->is_over && is_better(f, p, f->pos - p->matched))
			return false;
	}
	return true;
}

/* Offset of the first byte that is_first, or the length. */
static size_t
find_first(const struct stop *f, struct span text)
{
	size_t i = 0;

	while (i < text.n && !f->is_first[(uint8_t)text.p[i]])
		i++;
	return i;
}

/* Look at the text up to a decision, or to its end but for a high surrogate
 * there. */
static void
scan(struct stop *f, struct span text)
{
	size_t i = 0;

	while (i < text.n && !is_decided(f)) {
		const size_t skip =
			f->is_idle ? find_first(f, span_from(text, i)) : 0;
		const struct span rest = span_from(text, i + skip);

		i += skip;
		f->pos += skip;
		if (rest.n == 0)
			return;
		if (*rest.p != '\\') {
			i++;
			feed(f, span_head(rest, 1));
		} else if (rest.n == UNIT_ONE && unit_half(rest) == UNIT_HIGH) {
			f->has_high = true;
			return;
		} else {
			const size_t len = unit_escape_len(rest);

			i += len;
			feed_escape(f, span_head(rest, len));
		}
	}
}

/* Length of the beginning of text that means n bytes. */
static size_t
written_len(struct span text, size_t n)
{
	size_t at = 0;

	for (;;) {
		const struct span rest = span_from(text, at);
		const size_t plain = span_find_char(span_head(rest, n), '\\');
		size_t len;

		at += plain;
		n -= plain;
		if (n == 0)
			return at;
		len = unit_escape_len(span_from(rest, plain));
		n -= jesc_decoded_len((struct jesc){
			span_head(span_from(rest, plain), len) });
		at += len;
	}
}

static enum gp_code
put_text(struct stop *f, struct span text, struct gp_error *err)
{
	struct llm_event e = llm_event_of(LLM_DELTA, LLM_TEXT);

	if (text.n == 0)
		return GP_OK;
	e.text = (struct jesc){ text };
	return llm_put(f->next, &e, err);
}

/* Pass on what is held up to position `end`. */
static enum gp_code
release_held(struct stop *f, size_t end, struct gp_error *err)
{
	const struct span held = hold_span(&f->held);
	const size_t n = written_len(held, end - f->base);
	const enum gp_code rc = put_text(f, span_head(held, n), err);

	hold_consume(&f->held, n);
	f->base = end;
	return rc;
}

/* Everything after this is swallowed. */
static enum gp_code
finish(struct stop *f, struct gp_error *err)
{
	struct llm_event e = llm_event_of(LLM_CLOSE, LLM_TEXT);
	enum gp_code rc;

	f->is_done = true;
	*f->matched = true;
	rc = llm_put(f->next, &e, err);
	if (rc == GP_OK && llm_usage_is_said(&f->usage)) {
		e.kind = LLM_USAGE;
		e.usage = f->usage;
		rc = llm_put(f->next, &e, err);
	}
	if (rc != GP_OK)
		return rc;
	e = llm_event_of(LLM_STOP, LLM_TEXT);
	e.stop = LLM_STOP_SEQUENCE;
	e.stop_text = f->best->text;
	return llm_put(f->next, &e, err);
}

/* A high surrogate was waiting; *text is what follows it, or nothing. */
static enum gp_code
complete_pair(struct stop *f, struct span *text, struct gp_error *err)
{
	const struct span held = hold_span(&f->held);
	size_t len = UNIT_ONE;
	enum gp_code rc;

	f->has_high = false;
	if (unit_half(*text) == UNIT_LOW) {
		rc = hold_put(&f->held, span_head(*text, UNIT_ONE), err);
		if (rc != GP_OK)
			return rc;
		*text = span_from(*text, UNIT_ONE);
		len = UNIT_PAIR;
	}
	feed_escape(f, span_from(hold_span(&f->held), held.n - UNIT_ONE));
	GP_ASSERT(hold_span(&f->held).n >= len);
	return GP_OK;
}

static enum gp_code
put_delta(struct stop *f, struct span text, struct gp_error *err)
{
	enum gp_code rc = GP_OK;
	size_t begin, end, n = 0;

	if (f->has_high && text.n > 0)
		rc = complete_pair(f, &text, err);
	if (rc != GP_OK)
		return rc;
	begin = f->pos;
	scan(f, text);
	end = safe_end(f);
	rc = release_held(f, MIN(begin, end), err);
	if (rc == GP_OK && end > begin) {
		n = end == f->pos && !f->has_high ?
			text.n :
			written_len(text, end - begin);
		rc = put_text(f, span_head(text, n), err);
		f->base = end;
	}
	if (rc == GP_OK && is_decided(f))
		return finish(f, err);
	return rc == GP_OK ? hold_put(&f->held, span_from(text, n), err) : rc;
}

/* The text is over, and with it all that is under way. */
static enum gp_code
end_text(struct stop *f, struct gp_error *err)
{
	struct span nothing = SPAN_EMPTY;
	enum gp_code rc = GP_OK;

	if (f->has_high)
		rc = complete_pair(f, &nothing, err);
	if (rc != GP_OK)
		return rc;
	rc = release_held(f, f->best == NULL ? f->pos : f->best_start, err);
	return rc == GP_OK && f->best != NULL ? finish(f, err) : rc;
}

static enum gp_code
stop_put(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	struct stop *const f = CONTAINER_OF(s, struct stop, sink);
	enum gp_code rc;

	if (f->is_done)
		return GP_OK;
	switch (e->kind) {
	case LLM_OPEN:
		if (e->block == LLM_TEXT)
			begin_block(f);
		break;
	case LLM_DELTA:
		if (e->block == LLM_TEXT)
			return put_delta(f, e->text.s, err);
		break;
	case LLM_CLOSE:
		if (e->block != LLM_TEXT)
			break;
		rc = end_text(f, err);
		if (rc != GP_OK || f->is_done)
			return rc;
		break;
	case LLM_USAGE:
		llm_usage_merge(&f->usage, &e->usage);
		break;
	case LLM_ERROR:
		/* What was asked for is there already. */
		if (f->best != NULL)
			return end_text(f, err);
		break;
	case LLM_START:
	case LLM_PING:
	case LLM_STOP:
		break;
	}
	return llm_put(f->next, e, err);
}

static void
init_pattern(struct arena *a, struct pattern *p, struct jesc text)
{
	uint32_t n = 0;

	p->text = text;
	p->bytes = jtext_unescape_dup(a, text);
	GP_ASSERT(p->bytes.n > 0 && p->bytes.n < UINT32_MAX);
	p->border = arena_array(a, p->bytes.n, sizeof(*p->border));
	for (size_t i = 1; i < p->bytes.n; i++) {
		while (n > 0 && p->bytes.p[n] != p->bytes.p[i])
			n = p->border[n - 1];
		if (p->bytes.p[n] == p->bytes.p[i])
			n++;
		p->border[i] = n;
	}
}

struct llm_sink *
llm_filter_stop(struct arena *a, const struct llm_req *r, bool *matched,
	struct llm_sink *next)
{
	struct stop *const f = arena_alloc(a, sizeof(*f));

	*f = (struct stop){
		.sink = { stop_put },
		.next = next,
		.patterns = arena_array(a, r->stop.n, sizeof(*f->patterns)),
		.n = r->stop.n,
		.held = { .arena = a },
		.usage = LLM_USAGE_NONE,
	};
	f->matched = matched;
	f->is_first['\\'] = true;
	for (size_t i = 0; i < f->n; i++) {
		init_pattern(a, &f->patterns[i], r->stop.v[i]);
		f->is_first[(uint8_t)*f->patterns[i].bytes.p] = true;
	}
	begin_block(f);
	return &f->sink;
}
