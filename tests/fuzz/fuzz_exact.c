/* SPDX-License-Identifier: MIT */
/*
 * fuzz_exact.c - filters for arguments, boxes and markup do not care where
 * their text is cut.
 *
 * The input is a list of units (words of the marks, escapes, characters) and
 * says where the text is cut. Each filter must give the same blocks for the
 * text in pieces and in one, and they must be in order. What arguments are
 * taken for must be what a scan of the whole says.
 */
#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/json/jscan.h"
#include "shared/translate/llm_filter.h"
#include "shared/translate/llm_guard.h"

#define TEXT_MAX ((size_t)1 << 18)

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Half of the values of a byte pick one of the first eight. */
static const char *const units[64] = {
	"<tool_call>",
	"look",
	"</tool_call>",
	"<arg_key>",
	"</arg_key>",
	"<arg_value>",
	"</arg_value>",
	"\\n",
	"<think>",
	"</think>",
	"<|begin_of_box|>",
	"<|end_of_box|>",
	"<",
	"\\u003c",
	">",
	"\\u003E",
	"<\\/think>",
	"<\\u007cend_of_box|>",
	"tool_call>",
	"</arg_",
	"value>",
	"<|",
	"box|>",
	"<tool_",
	"call>",
	"\\u006cook",
	"find",
	"/",
	"\\/",
	" ",
	"\\t",
	"\\r",
	"{",
	"}",
	"[",
	"]",
	":",
	",",
	"\\\"",
	"\\u0022",
	"\\\\",
	"\\\\\\\"",
	"\\\\n",
	"a",
	"n",
	"u",
	"1",
	"0",
	"e",
	"-",
	".",
	"true",
	"null",
	"{\\\"a\\\":",
	"\\\"x\\\"",
	"\xc3\xa9",
	"\\u00e9",
	"\xf0\x9f\x98\x80",
	"\\ud83d\\ude00",
	"\\ud83d",
	"\\uDE00",
	"\\u0000",
	"\\u0001",
	"x",
};

/* --- what comes out ------------------------------------------------------- */

struct log {
	struct llm_sink sink;
	struct llm_guard guard;
	struct llm_sink nowhere;
	struct buf out;
	bool in_delta;
};

static enum gp_code
ignore(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	(void)s;
	(void)e;
	(void)err;
	return GP_OK;
}

/* Neighbouring DELTAs are one; no unit holds a byte 1 or 2. */
static enum gp_code
log_put(struct llm_sink *s, const struct llm_event *e, struct gp_error *err)
{
	struct log *const l = CONTAINER_OF(s, struct log, sink);

	GP_ASSERT(llm_put(&l->guard.sink, e, err) == GP_OK);
	if (e->kind == LLM_DELTA) {
		GP_ASSERT(e->text.s.n > 0);
		buf_put(&l->out, e->text.s);
		return GP_OK;
	}
	buf_putc(&l->out, '\1');
	buf_putc(&l->out, (char)('0' + (int)e->kind));
	buf_putc(&l->out, (char)('0' + (int)e->block));
	buf_putc(&l->out, (char)('0' + (int)e->stop));
	buf_put(&l->out, e->name.s);
	buf_putc(&l->out, '\2');
	return GP_OK;
}

static void
log_init(struct log *l)
{
	*l = (struct log){ .sink = { log_put }, .nowhere = { ignore } };
	(void)llm_guard_init(&l->guard, &l->nowhere);
	buf_init(&l->out, 16 * TEXT_MAX);
}

/* --- what goes in --------------------------------------------------------- */

static void
put(struct llm_sink *to, enum llm_kind kind, enum llm_block block)
{
	const struct llm_event e = llm_event_of(kind, block);

	GP_ASSERT(llm_put(to, &e, NULL) == GP_OK);
}

/* One piece, in memory of its own. */
static void
put_piece(struct llm_sink *to, enum llm_block block, struct span text)
{
	struct llm_event e = llm_event_of(LLM_DELTA, block);
	char *const copy = malloc(MAX(text.n, 1));

	GP_ASSERT(copy != NULL);
	memcpy(copy, text.p, text.n);
	e.text.s = span_of(copy, text.n);
	if (text.n > 0)
		GP_ASSERT(llm_put(to, &e, NULL) == GP_OK);
	free(copy);
}

struct input {
	struct span text;
	const size_t *ends; /* where it is cut */
	size_t n;
};

static void
run(struct llm_sink *to, enum llm_block block, const struct input *in,
	bool is_cut)
{
	size_t from = 0;

	put(to, LLM_START, LLM_TEXT);
	put(to, LLM_OPEN, block);
	for (size_t i = 0; is_cut && i < in->n; i++) {
		put_piece(to, block,
			span_of(in->text.p + from, in->ends[i] - from));
		from = in->ends[i];
	}
	put_piece(to, block, span_from(in->text, from));
	put(to, LLM_CLOSE, block);
	put(to, LLM_STOP, LLM_TEXT);
}

/* --- the filters ---------------------------------------------------------- */

struct setting {
	struct llm_req req;
	struct notices notices;
	struct arena arena;
};

static struct llm_sink *
make_filter(struct setting *s, unsigned which, struct llm_sink *to)
{
	switch (which) {
	case 0:
		return llm_filter_box(&s->arena, to);
	case 1:
	case 2:
		return llm_filter_markup(
			&s->arena, &s->req, &s->notices, which == 1, to);
	default:
		return llm_filter_args(&s->arena, &s->notices, which == 4, to);
	}
}

#define FILTERS 5

static void
setting_init(struct setting *s)
{
	arena_init(&s->arena);
	notices_init(&s->notices, &s->arena);
	llm_req_init(&s->req, &s->arena, LLM_CHAT);
	VEC_PUSH(&s->arena, &s->req.tools)->name = JESC("look");
	VEC_PUSH(&s->arena, &s->req.tools)->name = JESC("find");
}

static bool
is_object(struct arena *a, struct span text)
{
	const struct span s =
		span_trim(jtext_unescape_dup(a, (struct jesc){ text }));

	return s.n == 0 || (*s.p == '{' && jscan_text(s, NULL, NULL) == GP_OK);
}

static void
check(unsigned which, const struct input *in)
{
	const enum llm_block block = which < 3 ? LLM_TEXT : LLM_TOOL;
	struct log logs[2];
	uint32_t notices[2];

	for (unsigned is_cut = 0; is_cut < 2; is_cut++) {
		struct setting s;

		setting_init(&s);
		log_init(&logs[is_cut]);
		run(make_filter(&s, which, &logs[is_cut].sink), block, in,
			is_cut == 1);
		notices[is_cut] = s.notices.total;
		if (which >= 3)
			GP_ASSERT(notices[is_cut] ==
				(is_object(&s.arena, in->text) ? 0 : 1));
		arena_fini(&s.arena);
	}
	GP_ASSERT(notices[0] == notices[1]);
	GP_ASSERT(span_eq(buf_span(&logs[0].out), buf_span(&logs[1].out)));
	buf_fini(&logs[0].out);
	buf_fini(&logs[1].out);
}

/* Pieces end between units, or between two bytes of one that is no escape. */
static size_t
cut_before(const char *unit, uint8_t where, size_t at)
{
	const size_t n = strlen(unit);

	return strchr(unit, '\\') != NULL ? at : at + where % n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t n = MIN(size / 2, TEXT_MAX / 32);
	size_t *const ends = calloc(n + 1, sizeof(*ends));
	struct input in = { .ends = ends };
	struct buf text;

	GP_ASSERT(ends != NULL);
	buf_init(&text, TEXT_MAX);
	for (size_t i = 0; i < n; i++) {
		const uint8_t c = data[2 * i], cut = data[2 * i + 1];
		const char *const unit = units[c & (c & 0x80 ? 7 : 63)];

		if (cut & 0x80)
			ends[in.n++] = cut_before(unit, cut, buf_len(&text));
		buf_puts(&text, unit);
	}
	GP_ASSERT(!text.bad);
	in.text = buf_span(&text);
	for (unsigned which = 0; which < FILTERS; which++)
		check(which, &in);
	buf_fini(&text);
	free(ends);
	return 0;
}
