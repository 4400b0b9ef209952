/* SPDX-License-Identifier: MIT */
/* plan_content.c - scenarios that differ in what is said. */
#include "shared/base/buf.h"
#include "tests/upstream/plan.h"
#include "tests/upstream/text.h"

#define ECHO_MAX    200
#define STOCK_WORDS 3
#define WORDS_MAX   1000000

static const struct span stock_thinking =
	SPAN_INIT("The question is short. So is the answer.");

void
plan_put_text(struct plan *p, enum act_kind kind, struct span raw)
{
	size_t per = (size_t)scenario_number(p->sc->per, STOCK_WORDS);
	size_t piece = (size_t)scenario_number(p->sc->piece, 0);

	if (p->r->root == NULL && p->sc->per < 0 && p->sc->piece < 0)
		per = SIZE_MAX; /* benchmarks: one delta */
	while (raw.n > 0) {
		struct span s = piece > 0 ? text_points(raw, piece) :
					    text_words(raw, MAX(per, 1));

		plan_delta(p, kind, text_escaped(p->arena, s));
		raw = span_from(raw, s.n);
	}
}

void
plan_put_thinking(struct plan *p)
{
	struct span think = p->sc->think;

	if (think.n == 0 || span_eq(think, SPAN("1")))
		think = stock_thinking;
	plan_put_text(p, ACT_THINK, think);
}

static struct span
words(struct plan *p, size_t count)
{
	struct buf b;
	struct span s;

	buf_init(&b, SIZE_MAX / 2);
	for (size_t i = 1; i <= MIN(count, WORDS_MAX); i++)
		buf_printf(&b, "word%zu%s", i, i < count ? " " : "");
	s = arena_dup(p->arena, buf_span(&b));
	buf_fini(&b);
	return s;
}

static struct span
results_text(struct plan *p)
{
	struct buf b;
	struct span s;

	buf_init(&b, SIZE_MAX / 2);
	buf_puts(&b, "Results:");
	for (size_t i = 0; i < p->r->results.n; i++) {
		const struct tool_result *result = &p->r->results.v[i];

		buf_puts(&b, i == 0 ? " " : "; ");
		buf_put(&b, result->id);
		buf_putc(&b, '=');
		buf_put(&b, text_cut(result->text, ECHO_MAX));
	}
	s = arena_dup(p->arena, buf_span(&b));
	buf_fini(&b);
	return s;
}

static struct span
text_to_say(struct plan *p)
{
	if (p->sc->text.n > 0)
		return p->sc->text;
	if (p->sc->words >= 0)
		return words(p, (size_t)p->sc->words);
	if (p->r->results.n > 0)
		return results_text(p);
	return arena_printf(p->arena, "You said: %.*s",
		SPAN_ARG(text_cut(p->r->user_text, ECHO_MAX)));
}

void
plan_text(struct plan *p, int arg)
{
	(void)arg;
	if (p->r->wants_thinking || p->sc->think.n > 0)
		plan_put_thinking(p);
	plan_put_text(p, ACT_TEXT, text_to_say(p));
}

void
plan_unicode(struct plan *p, int arg)
{
	/* Each is the inside of a JSON string; the halves of the first emoji
	 * are in two deltas. */
	static const char *const deltas[] = { "half \\ud83d", "\\ude00 pair ",
		"raw \xf0\x9f\x8e\x89 \xc3\xa9 \xe4\xbd\xa0\xe5\xa5\xbd ",
		"ls\xe2\x80\xa8 ps\xe2\x80\xa9 nel\xc2\x85 ",
		"nul\\u0000 esc\\u001b \\\"q\\\" \\\\ \\/ ", "crlf\\r\\n\\r\\n",
		"data: [DONE]\\n\\nevent: x\\ndata: {}\\n\\n", "\\ud83d",
		"\\ude80", " end" };

	(void)arg;
	if (p->r->wants_thinking || p->sc->think.n > 0)
		plan_put_thinking(p);
	for (size_t i = 0; i < ARRAY_LEN(deltas); i++)
		plan_delta(p, ACT_TEXT, span_cstr(deltas[i]));
}

void
plan_think(struct plan *p, int arg)
{
	plan_put_thinking(p);
	if (arg == THINK_ONLY)
		return;
	plan_put_text(p, ACT_TEXT, text_to_say(p));
	if (arg != THINK_TWICE)
		return;
	plan_put_text(p, ACT_THINK, SPAN("One more thought."));
	plan_put_text(p, ACT_TEXT, SPAN(" And one more sentence."));
}

void
plan_fixed(struct plan *p, int arg)
{
	static const char *const texts[] = {
		[FIXED_JSON] = "{\"ok\":true,\"n\":1}",
		[FIXED_FENCED] = "```json\n{\"ok\":true,\"n\":1}\n```",
		[FIXED_BOX] = "<think>hm</think>\n"
			      "<|begin_of_box|>42<|end_of_box|>",
		[FIXED_MARKUP] = "<tool_call>look\n<arg_key>path</arg_key>\n"
				 "<arg_value>a.txt</arg_value>\n</tool_call>",
	};
	struct span text = span_cstr(texts[arg]);

	/* Cut where a filter that looks at one delta only goes wrong. */
	if (p->sc->per >= 0 || p->sc->piece >= 0) {
		plan_put_text(p, ACT_TEXT, text);
		return;
	}
	while (text.n > 0) {
		struct span s = text_points(text, 5);

		plan_delta(p, ACT_TEXT, text_escaped(p->arena, s));
		text = span_from(text, s.n);
	}
}

void
plan_empty(struct plan *p, int arg)
{
	(void)p;
	(void)arg;
}

void
plan_finish(struct plan *p, int arg)
{
	if (p->sc->words != 0)
		plan_text(p, 0);
	p->finish = (enum finish)arg;
	/* That side has no such word: its body is an error. */
	if (p->finish == FINISH_NETWORK && p->r->side == SIDE_A) {
		p->failure = plan_failure(p, 1234);
		p->is_failure = !p->is_stream;
	}
}

void
plan_stop_sequence(struct plan *p, int arg)
{
	struct span word = text_of(json_array_get(p->r->stop, 0));

	plan_text(p, arg);
	p->finish = word.n > 0 ? FINISH_WORD : FINISH_STOP;
	p->stop_word = text_escaped(p->arena, word);
}

/* plan_make's copy of the scenario is the request's own. */
void
plan_slow(struct plan *p, int arg)
{
	struct scenario *sc = &p->r->scenario;

	if (arg == 0) {
		sc->head = scenario_number(sc->head, 500);
		sc->first = scenario_number(sc->first, 500);
		sc->delay = scenario_number(sc->delay, 100);
	} else {
		sc->chunk = 1;
	}
	plan_text(p, 0);
}

void
plan_many(struct plan *p, int arg)
{
	int64_t n = scenario_number(p->sc->n, 200);

	(void)arg;
	for (int64_t i = 0; i < n; i++)
		plan_delta(p, ACT_TEXT,
			arena_printf(p->arena, "token%lld ", (long long)i));
}

void
plan_big(struct plan *p, int arg)
{
	size_t n = (size_t)scenario_number(p->sc->bytes, 1 << 20);
	char *bytes = arena_alloc(p->arena, n + 1);

	(void)arg;
	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)('a' + i % 26);
	plan_delta(p, ACT_TEXT, span_of(bytes, n));
}
