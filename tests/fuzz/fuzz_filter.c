/* SPDX-License-Identifier: MIT */
/*
 * fuzz_filter.c - stop sequences and surrogate pairs against a plain model.
 *
 * The input is a list of units (letters, characters of several bytes, escapes,
 * halves of pairs) that makes up the sequences and the text, and says where the
 * text is cut. However it is cut, the filter must pass on what a search in the
 * whole decoded text says, as it was written, and joining must give the same.
 */
#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/translate/llm_filter.h"

#define STOPS_MAX 4
#define TEXT_MAX  ((size_t)1 << 16)

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const units[16] = {
	"a",
	"b",
	"c",
	"ab",
	"\\n",
	"\\u0061",
	"\\\\",
	"u",
	"\xc3\xa9",
	"\\u00e9",
	"\xf0\x9f\x98\x80",
	"\\ud83d\\ude00",
	"\\ud83d",
	"\\uDE00",
	"\xef\xbf\xbd",
	"n",
};

struct input {
	const uint8_t *p;
	size_t n;
};

static uint8_t
take(struct input *in)
{
	if (in->n == 0)
		return 0;
	in->n--;
	return *in->p++;
}

/* Writes down the text that arrives, checks the order of events. */
struct log {
	struct llm_sink sink;
	struct buf text;
	unsigned opens, closes, stops;
	struct jesc stop_text;
};

static enum gp_code
log_put(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	struct log *const l = CONTAINER_OF(s, struct log, sink);

	(void)err;
	GP_ASSERT(l->stops == 0);
	switch (e->kind) {
	case LLM_OPEN:
		l->opens++;
		break;
	case LLM_DELTA:
		GP_ASSERT(l->opens == 1 && l->closes == 0);
		GP_ASSERT(e->text.s.n > 0);
		buf_put(&l->text, e->text.s);
		break;
	case LLM_CLOSE:
		GP_ASSERT(l->closes == 0);
		l->closes++;
		break;
	case LLM_STOP:
		GP_ASSERT(l->closes == 1);
		l->stops++;
		if (e->stop == LLM_STOP_SEQUENCE)
			l->stop_text = e->stop_text;
		break;
	case LLM_START:
	case LLM_USAGE:
	case LLM_PING:
	case LLM_ERROR:
		break;
	}
	return GP_OK;
}

static void
log_init(struct log *l)
{
	*l = (struct log){ .sink = { log_put }, .stop_text = JESC_EMPTY };
	buf_init(&l->text, 4 * TEXT_MAX);
}

/* Put one piece, in memory of its own. */
static void
put_piece(struct llm_sink *to, struct span text)
{
	struct llm_event e = llm_event_of(LLM_DELTA, LLM_TEXT);
	char *const copy = malloc(MAX(text.n, 1));

	GP_ASSERT(copy != NULL);
	memcpy(copy, text.p, text.n);
	e.text.s = span_of(copy, text.n);
	if (text.n > 0)
		GP_ASSERT(llm_put(to, &e, NULL) == GP_OK);
	free(copy);
}

/* The text cut at `ends`, or in one piece. */
static void
run(struct llm_sink *to, struct span text, const size_t *ends, size_t n)
{
	struct llm_event e = llm_event_of(LLM_OPEN, LLM_TEXT);
	size_t from = 0;

	GP_ASSERT(llm_put(to, &e, NULL) == GP_OK);
	for (size_t i = 0; i < n; i++) {
		put_piece(to, span_of(text.p + from, ends[i] - from));
		from = ends[i];
	}
	put_piece(to, span_from(text, from));
	e = llm_event_of(LLM_CLOSE, LLM_TEXT);
	GP_ASSERT(llm_put(to, &e, NULL) == GP_OK);
	e = llm_event_of(LLM_STOP, LLM_TEXT);
	GP_ASSERT(llm_put(to, &e, NULL) == GP_OK);
}

/* What a plain search says: the length of decoded text that is left, and the
 * position of the sequence in the list. */
static size_t
model(struct arena *a, const struct llm_req *r, struct span decoded,
	size_t *which)
{
	size_t best = decoded.n;

	*which = r->stop.n;
	for (size_t i = 0; i < r->stop.n; i++) {
		const struct span stop = jtext_unescape_dup(a, r->stop.v[i]);
		const size_t at = span_find(decoded, stop);

		if (at < best) {
			best = at;
			*which = i;
		}
	}
	return best;
}

static void
check_stop(struct arena *a, const struct llm_req *r, struct span text,
	const struct log *l, bool matched)
{
	const struct span decoded =
		jtext_unescape_dup(a, (struct jesc){ text });
	const struct span out = buf_span(&l->text);
	size_t which;
	const size_t left = model(a, r, decoded, &which);

	GP_ASSERT(l->closes == 1 && l->stops == 1);
	GP_ASSERT(span_starts(text, out));
	GP_ASSERT(span_eq(jtext_unescape_dup(a, (struct jesc){ out }),
		span_head(decoded, left)));
	GP_ASSERT(matched == (which < r->stop.n));
	if (matched)
		GP_ASSERT(span_eq(l->stop_text.s, r->stop.v[which].s));
}

/* No halves are left, and the meaning is the same. */
static void
check_join(struct arena *a, struct span text, const struct log *l)
{
	const struct jesc out = { buf_span(&l->text) };
	const struct span means = jtext_unescape_dup(a, out);
	struct span rest = out.s;

	GP_ASSERT(span_eq(means, jtext_unescape_dup(a, (struct jesc){ text })));
	for (size_t at; (at = span_find_char(rest, '\\')) < rest.n;) {
		rest = span_from(rest, at);
		if (rest.p[1] != 'u') {
			rest = span_from(rest, 2);
			continue;
		}
		if ((rest.p[2] | 0x20) == 'd' && rest.p[3] >= '8') {
			GP_ASSERT(span_istarts(rest, SPAN("\\ud83d\\ude00")));
			rest = span_from(rest, 6);
		}
		rest = span_from(rest, 6);
	}
}

static void
read_stops(struct input *in, struct llm_req *r, struct arena *a)
{
	const unsigned n = 1 + take(in) % STOPS_MAX;

	for (unsigned i = 0; i < n; i++) {
		const unsigned len = 1 + take(in) % 4;
		struct span s = SPAN_EMPTY;

		for (unsigned k = 0; k < len; k++)
			s = arena_printf(
				a, "%.*s%s", SPAN_ARG(s), units[take(in) & 15]);
		VEC_PUSH(a, &r->stop)->s = s;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, MIN(size, TEXT_MAX / 16) };
	size_t *const ends = calloc(in.n + 1, sizeof(*ends));
	size_t n = 0;
	struct arena a;
	struct llm_req r;
	struct buf text;

	GP_ASSERT(ends != NULL);
	arena_init(&a);
	llm_req_init(&r, &a, LLM_CHAT);
	buf_init(&text, TEXT_MAX);
	read_stops(&in, &r, &a);
	while (in.n > 0) {
		const uint8_t c = take(&in);

		buf_puts(&text, units[c & 15]);
		if (c & 0x10)
			ends[n++] = buf_len(&text);
	}
	GP_ASSERT(!text.bad);
	for (unsigned is_cut = 0; is_cut < 2; is_cut++) {
		const size_t cuts = is_cut ? n : 0;
		bool matched = false;
		struct log l;

		log_init(&l);
		run(llm_filter_stop(&a, &r, &matched, &l.sink), buf_span(&text),
			ends, cuts);
		check_stop(&a, &r, buf_span(&text), &l, matched);
		buf_fini(&l.text);
		log_init(&l);
		run(llm_filter_join(&a, &l.sink), buf_span(&text), ends, cuts);
		check_join(&a, buf_span(&text), &l);
		buf_fini(&l.text);
	}
	buf_fini(&text);
	arena_fini(&a);
	free(ends);
	return 0;
}
