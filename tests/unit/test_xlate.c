/* SPDX-License-Identifier: MIT */
/* test_xlate.c - what is too large for a recorded transcript, and when a client
 * may be told what. */
#include <stdlib.h>

#include "tests/lib/golden.h"
#include "tests/lib/t.h"

#define DEPTH_MAX 512
#define MANY      1000000
#define MEGA      (1u << 20)

static struct golden
way_of(const char *client, const char *upstream)
{
	struct golden g = { .status = 200,
		.content_type = SPAN("text/event-stream"),
		.retry_after = SPAN_EMPTY,
		.replays_reasoning = true,
		.model = profile_model(&profile_zai, SPAN("glm-4.6")) };

	for (size_t i = 0; i < ndialects; i++) {
		if (strcmp(dialects[i]->name, client) == 0)
			g.client = dialects[i];
		if (strcmp(dialects[i]->name, upstream) == 0)
			g.upstream = dialects[i];
	}
	assert_non_null(g.client);
	assert_non_null(g.upstream);
	return g;
}

static const struct {
	const char *client, *upstream;
} pairs[] = {
	{ "openai", "openai" },
	{ "openai", "anthropic" },
	{ "anthropic", "openai" },
	{ "anthropic", "anthropic" },
};

/* --- depth ---------------------------------------------------------------- */

static void
put_many(struct buf *b, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_puts(b, s);
}

/* A request with an unknown field that nests so deep, closed or not. */
static enum gp_code
ask_deep(const struct golden *g, size_t depth, bool is_closed,
	struct gp_error *err)
{
	struct golden_way w;
	struct buf in;
	enum gp_code rc;

	buf_init(&in, 4 * MEGA);
	buf_puts(&in,
		"{\"model\":\"glm-4.6\",\"max_tokens\":9,\"messages\":["
		"{\"role\":\"user\",\"content\":\"a\"}],\"foo\":");
	put_many(&in, "[", depth);
	if (is_closed) {
		put_many(&in, "]", depth);
		buf_putc(&in, '}');
	}
	rc = golden_ask(&w, g, buf_span(&in), err);
	golden_way_fini(&w);
	buf_fini(&in);
	return rc;
}

static void
test_row_004_depth(void **state)
{
	struct gp_error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		const struct golden g =
			way_of(pairs[i].client, pairs[i].upstream);

		assert_ok(ask_deep(&g, DEPTH_MAX - 1, true, &err), &err);
		assert_fails(ask_deep(&g, DEPTH_MAX, true, &err), GP_E_SYNTAX,
			&err, "too deep");
		assert_fails(ask_deep(&g, MANY, false, &err), GP_E_SYNTAX, &err,
			"too deep");
	}
}

/* --- large events --------------------------------------------------------- */

/* How each upstream says one long text, around it. */
static const struct {
	const char *upstream, *before, *behind;
} events[] = {
	{ "openai",
		"data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{"
		"\"content\":\"",
		"\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},"
		"\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n" },
	{ "anthropic",
		"event: message_start\ndata: {\"type\":\"message_start\","
		"\"message\":{\"id\":\"msg_x\",\"role\":\"assistant\","
		"\"content\":[],\"usage\":{\"input_tokens\":1,"
		"\"output_tokens\":0}}}\n\n"
		"event: content_block_start\ndata: {\"type\":"
		"\"content_block_start\",\"index\":0,\"content_block\":"
		"{\"type\":\"text\",\"text\":\"\"}}\n\n"
		"event: content_block_delta\ndata: {\"type\":"
		"\"content_block_delta\",\"index\":0,\"delta\":"
		"{\"type\":\"text_delta\",\"text\":\"",
		"\"}}\n\nevent: content_block_stop\ndata: {\"type\":"
		"\"content_block_stop\",\"index\":0}\n\n"
		"event: message_delta\ndata: {\"type\":\"message_delta\","
		"\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":"
		"{\"output_tokens\":1}}\n\n"
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n" },
};

static void
put_events(struct buf *b, const struct dialect *upstream, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		char *room;

		if (strcmp(events[i].upstream, upstream->name) != 0)
			continue;
		buf_puts(b, events[i].before);
		room = buf_reserve(b, len);
		assert_non_null(room);
		memset(room, 'x', len);
		buf_commit(b, len);
		buf_puts(b, events[i].behind);
	}
	assert_true(buf_len(b) > len);
}

static const char stream_ask[] =
	"{\"model\":\"glm-4.6\",\"max_tokens\":9,\"stream\":true,"
	"\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}";

/* Plays one long event, in pieces as large as a socket's buffer. */
static enum xlate_state
play_long(const struct golden *g, size_t len, size_t *out_len)
{
	enum {
		PIECE = 16384,
		PIECES_MAX = 32 * MEGA / PIECE
	};
	struct span *const pieces = calloc(PIECES_MAX, sizeof(*pieces));
	struct golden_way w;
	struct gp_error err;
	enum xlate_state state;
	struct span rest;
	struct buf up;
	size_t n = 0;

	assert_non_null(pieces);
	buf_init(&up, 32 * MEGA);
	put_events(&up, g->upstream, len);
	for (rest = buf_span(&up); rest.n > 0; rest = span_from(rest, PIECE))
		pieces[n++] = span_head(rest, PIECE);
	assert_ok(golden_ask(&w, g, span_cstr(stream_ask), &err), &err);
	w.out.max = 32 * MEGA;
	(void)golden_answer(&w, g, pieces, n);
	state = xlate_state(w.xlate);
	*out_len = buf_len(&w.out);
	golden_way_fini(&w);
	buf_fini(&up);
	free(pieces);
	return state;
}

static void
test_row_119_long_event(void **state)
{
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		const struct golden g =
			way_of(pairs[i].client, pairs[i].upstream);
		enum xlate_state end;

		assert_int_equal(play_long(&g, 10 * MEGA, &n), XLATE_DONE);
		assert_true(n > 10 * MEGA);
		end = play_long(&g, 17 * MEGA, &n);
		assert_true(end == XLATE_BROKEN || end == XLATE_FAILED);
		assert_true(n < MEGA);
	}
}

/* --- signs of life -------------------------------------------------------- */

static struct span
out_of(const struct golden_way *w)
{
	return buf_span(&w->out);
}

static void
test_heartbeat(void **state)
{
	const struct llm_failure cut =
		llm_failure_of(LLM_FAIL_UPSTREAM_TIMEOUT, SPAN("too slow"));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		const struct golden g =
			way_of(pairs[i].client, pairs[i].upstream);
		struct golden_way w;
		struct gp_error err;

		assert_ok(
			golden_ask(&w, &g, span_cstr(stream_ask), &err), &err);
		assert_int_equal(xlate_state(w.xlate), XLATE_PENDING);
		/* From here on the client has a 200. */
		assert_int_equal(xlate_heartbeat(w.xlate), XLATE_OPEN);
		assert_span_eq(out_of(&w), ": keep-alive\n\n");
		assert_int_equal(xlate_fail(w.xlate, &cut), XLATE_BROKEN);
		assert_true(
			span_find(out_of(&w), SPAN("too slow")) < out_of(&w).n);
		assert_int_equal(xlate_heartbeat(w.xlate), XLATE_BROKEN);
		golden_way_fini(&w);
	}
}

/* With signs of life alone a stream may still be asked for again; with the
 * first event of the answer behind them it may not. */
static void
test_heartbeat_then_again(void **state)
{
	const struct llm_failure cut =
		llm_failure_of(LLM_FAIL_UPSTREAM_TIMEOUT, SPAN("too slow"));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct golden g = way_of(pairs[i].client, pairs[i].upstream);
		struct golden_way w;
		struct gp_error err;
		struct span start;

		g.tries_again = true;
		assert_ok(
			golden_ask(&w, &g, span_cstr(stream_ask), &err), &err);
		assert_int_equal(xlate_heartbeat(w.xlate), XLATE_OPEN);
		assert_false(xlate_has_begun(w.xlate));
		assert_int_equal(xlate_fail(w.xlate, &cut), XLATE_FAILED);
		assert_span_eq(out_of(&w), ": keep-alive\n\n");
		assert_int_equal(xlate_break(w.xlate), XLATE_BROKEN);
		assert_true(
			span_find(out_of(&w), SPAN("too slow")) < out_of(&w).n);
		golden_way_fini(&w);

		assert_ok(
			golden_ask(&w, &g, span_cstr(stream_ask), &err), &err);
		assert_int_equal(xlate_heartbeat(w.xlate), XLATE_OPEN);
		/* The first events of the two upstreams. */
		start = i % 2 == 0 ?
			SPAN("data: {\"id\":\"x\",\"choices\":[{\"index\":0,"
			     "\"delta\":{\"content\":\"a\"}}]}\n\n") :
			SPAN("event: message_start\ndata: {\"type\":"
			     "\"message_start\",\"message\":{\"id\":\"m\","
			     "\"role\":\"assistant\",\"content\":[],"
			     "\"usage\":{\"input_tokens\":1,"
			     "\"output_tokens\":0}}}\n\n");
		(void)golden_answer(&w, &g, &start, 1);
		assert_true(xlate_has_begun(w.xlate));
		assert_int_equal(xlate_state(w.xlate), XLATE_BROKEN);
		golden_way_fini(&w);
	}
}

/* A body cannot be begun early: only a whole one has a status. */
static void
test_no_heartbeat_in_bodies(void **state)
{
	static const char ask[] =
		"{\"model\":\"glm-4.6\",\"max_tokens\":9,"
		"\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		const struct golden g =
			way_of(pairs[i].client, pairs[i].upstream);
		struct golden_way w;
		struct gp_error err;

		assert_ok(golden_ask(&w, &g, span_cstr(ask), &err), &err);
		assert_int_equal(xlate_heartbeat(w.xlate), XLATE_PENDING);
		assert_int_equal(buf_len(&w.out), 0);
		golden_way_fini(&w);
	}
}

/* --- what went upstream ----------------------------------------------------
 */

static void
check_sent(const char *client, const char *upstream, struct span in,
	struct span want)
{
	const struct golden g = way_of(client, upstream);
	struct golden_way w;
	struct gp_error err;

	assert_ok(golden_ask(&w, &g, in, &err), &err);
	assert_spans_eq(xlate_sent_fields(w.xlate), want);
	golden_way_fini(&w);
}

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static void
test_t19_fields_sent(void **state)
{
	struct buf in, want;

	(void)state;
	check_sent("openai", "openai",
		SPAN("{\"model\":\"glm-4.6\",\"seed\":7,\"temperature\":1," HI
		     ",\"stream\":true,\"a \\\"b\":{\"c\":1}}"),
		SPAN("model,messages,stream,stream_options,temperature,"
		     "a???b"));
	check_sent("openai", "anthropic",
		SPAN("{\"model\":\"glm-4.6\",\"seed\":7," HI "}"),
		SPAN("model,max_tokens,messages"));
	check_sent("anthropic", "anthropic",
		SPAN("{\"model\":\"glm-4.6\",\"max_tokens\":9," HI
		     ",\"x\":[{\"y\":0}]}"),
		SPAN("model,max_tokens,messages,x"));
	/* More than are kept. */
	buf_init(&in, MEGA);
	buf_init(&want, MEGA);
	buf_puts(&in, "{\"model\":\"glm-4.6\",\"max_tokens\":9," HI);
	buf_puts(&want, "model,max_tokens,messages");
	for (unsigned i = 100; i < 300; i++) {
		buf_printf(&in, ",\"field_%u\":0", i);
		if (buf_len(&want) + 10 <= XLATE_SENT_MAX)
			buf_printf(&want, ",field_%u", i);
	}
	buf_puts(&in, "}");
	check_sent("anthropic", "anthropic", buf_span(&in), buf_span(&want));
	buf_fini(&in);
	buf_fini(&want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_row_004_depth),
		cmocka_unit_test(test_row_119_long_event),
		cmocka_unit_test(test_heartbeat),
		cmocka_unit_test(test_heartbeat_then_again),
		cmocka_unit_test(test_no_heartbeat_in_bodies),
		cmocka_unit_test(test_t19_fields_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
