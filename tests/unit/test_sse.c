/* SPDX-License-Identifier: MIT */
/* test_sse.c - event streams at every cut and every pair of cuts. */
#include "tests/lib/t.h"

#include <stdlib.h>
#include <time.h>

#include "shared/http/sse.h"
#include "tests/lib/cut.h"

static void
log_event(struct buf *log, const char *word, const struct sse_event *ev)
{
	buf_puts(log, word);
	buf_put(log, ev->name);
	buf_putc(log, '|');
	buf_put(log, ev->data);
	buf_putc(log, '>');
}

/* Feed one piece. False after a failure. */
static bool
feed_piece(struct sse *s, struct span in, struct buf *log)
{
	struct sse_event ev = { SPAN_EMPTY, SPAN_EMPTY };
	struct gp_error err;
	enum sse_step step;
	size_t used;

	while ((step = sse_feed(s, in, &used, &ev, &err)) == SSE_EVENT) {
		assert_true(used > 0 && used <= in.n);
		log_event(log, "<", &ev);
		in = span_from(in, used);
	}
	if (step == SSE_FAIL) {
		assert_int_equal(err.code, GP_E_LIMIT);
		buf_puts(log, "FAIL");
		/* It stays failed. */
		assert_int_equal(
			sse_feed(s, SPAN("data: x\n\n"), &used, &ev, NULL),
			SSE_FAIL);
		assert_int_equal(used, 0);
		return false;
	}
	assert_int_equal(used, in.n);
	return true;
}

static void
run_pieces(struct buf *log, const struct span *pieces, size_t n)
{
	struct sse_event ev;
	struct sse s;
	bool is_sound = true;

	sse_init(&s);
	for (size_t i = 0; i < n && is_sound; i++) {
		/* Views of an earlier piece would be of freed memory. */
		char *copy = t_exact(pieces[i]);

		is_sound =
			feed_piece(&s, (struct span){ copy, pieces[i].n }, log);
		free(copy);
	}
	if (is_sound && sse_end(&s, &ev) == SSE_EVENT)
		log_event(log, "END<", &ev);
	if (is_sound)
		assert_int_equal(sse_end(&s, &ev), SSE_MORE);
	if (s.comments > 0)
		buf_printf(log, " %u comments", (unsigned)s.comments);
	if (s.is_torn)
		buf_puts(log, " torn");
	sse_fini(&s);
}

static void
same_outcome(void *ctx, const struct span *pieces, size_t n)
{
	const struct span *want = ctx;
	struct buf log;

	buf_init(&log, 1u << 20);
	run_pieces(&log, pieces, n);
	assert_spans_eq(buf_span(&log), *want);
	buf_fini(&log);
}

#define BOM "\xef\xbb\xbf"

static void
test_streams(void **state)
{
	static const struct {
		struct span in, want;
	} cases[] = {
		{ SPAN_INIT(""), SPAN_INIT("") },
		{ SPAN_INIT("\n\n\r\r\n\r\n"), SPAN_INIT("") },
		/* The three line ends, mixed. */
		{ SPAN_INIT("data: a\n\ndata: b\r\rdata: c\r\n\r\n"),
			SPAN_INIT("<|a><|b><|c>") },
		{ SPAN_INIT("data: a\r\n\rdata: b\r\n\ndata: c\n\r\n"),
			SPAN_INIT("<|a><|b><|c>") },
		{ SPAN_INIT("data: a\n\r\n\rdata: b\n\n"),
			SPAN_INIT("<|a><|b>") },
		/* Names. */
		{ SPAN_INIT("event: x\ndata: a\n\ndata: b\n\n"),
			SPAN_INIT("<x|a><|b>") },
		{ SPAN_INIT("data: a\nevent: x\n\n"), SPAN_INIT("<x|a>") },
		{ SPAN_INIT("event: x\nevent: y\ndata:\n\n"),
			SPAN_INIT("<y|>") },
		{ SPAN_INIT("event: x\nevent\ndata: a\n\n"),
			SPAN_INIT("<|a>") },
		{ SPAN_INIT("event: x\n\ndata: a\n\n"), SPAN_INIT("<|a>") },
		/* Data. */
		{ SPAN_INIT("data: a\ndata: b\ndata:c\n\n"),
			SPAN_INIT("<|a\nb\nc>") },
		{ SPAN_INIT("data\n\n"), SPAN_INIT("<|>") },
		{ SPAN_INIT("data\ndata\n\n"), SPAN_INIT("<|\n>") },
		{ SPAN_INIT("data:\ndata: a\ndata\n\n"),
			SPAN_INIT("<|\na\n>") },
		{ SPAN_INIT("data:  a \n\n"), SPAN_INIT("<| a >") },
		{ SPAN_INIT("data:a: b\n\n"), SPAN_INIT("<|a: b>") },
		{ SPAN_INIT("data: \xe2\x98\x83\0z\n\n"),
			SPAN_INIT("<|\xe2\x98\x83\0z>") },
		/* What is skipped. */
		{ SPAN_INIT(": hi\n\n:\n:data: x\n"),
			SPAN_INIT(" 3 comments") },
		{ SPAN_INIT("id: 1\nretry: 5\nx\ndata: a\nid\n\n"),
			SPAN_INIT("<|a>") },
		{ SPAN_INIT("data: a\n: c\ndata: b\n\n"),
			SPAN_INIT("<|a\nb> 1 comments") },
		{ SPAN_INIT("Data: a\n\nDATA: b\n\n data: c\n\n"),
			SPAN_INIT("") },
		{ SPAN_INIT("dat: a\n\ndataa: b\n\ndata : c\n\n"),
			SPAN_INIT("") },
		/* The mark of the byte order: one, at the start. */
		{ SPAN_INIT(BOM "data: a\n\n"), SPAN_INIT("<|a>") },
		{ SPAN_INIT(BOM BOM "data: a\n\n"), SPAN_INIT("") },
		{ SPAN_INIT(BOM ": x\n"), SPAN_INIT(" 1 comments") },
		{ SPAN_INIT(BOM "\n" BOM "data: a\n\n"), SPAN_INIT("") },
		{ SPAN_INIT("\xef\xbb\ndata: a\n\n"), SPAN_INIT("<|a>") },
		{ SPAN_INIT(BOM), SPAN_INIT(" torn") },
		/* A stream that ends early. */
		{ SPAN_INIT("data: a"), SPAN_INIT("END<|a> torn") },
		{ SPAN_INIT("data: a\n"), SPAN_INIT("END<|a> torn") },
		{ SPAN_INIT("data: a\r"), SPAN_INIT("END<|a> torn") },
		{ SPAN_INIT("event: x\ndata: a\ndata: b"),
			SPAN_INIT("END<x|a\nb> torn") },
		{ SPAN_INIT("event: x\n"), SPAN_INIT(" torn") },
		{ SPAN_INIT("dat"), SPAN_INIT(" torn") },
		{ SPAN_INIT("data: a\n\n: c"),
			SPAN_INIT("<|a> 1 comments torn") },
		{ SPAN_INIT("data: a\n\r"), SPAN_INIT("<|a>") },
		/* As both kinds of upstream send it. */
		{ SPAN_INIT("data: {\"a\":1}\n\ndata: [DONE]\n\n"),
			SPAN_INIT("<|{\"a\":1}><|[DONE]>") },
		{ SPAN_INIT("event: ping\r\ndata: {}\r\n\r\n"),
			SPAN_INIT("<ping|{}>") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct span want = cases[i].want;

		cut_every(cases[i].in, same_outcome, &want);
		cut_pairs(cases[i].in, same_outcome, &want);
	}
}

/* Where a line is whole in the input nothing is copied. */
static void
test_views(void **state)
{
	struct span in = SPAN("event: n\ndata: text\n\ndata: x\n\n");
	struct sse_event ev;
	struct sse s;
	size_t used;

	(void)state;
	sse_init(&s);
	assert_int_equal(sse_feed(&s, in, &used, &ev, NULL), SSE_EVENT);
	assert_int_equal(used, 21);
	assert_ptr_equal(ev.data.p, in.p + 15);
	in = span_from(in, used);
	assert_int_equal(sse_feed(&s, in, &used, &ev, NULL), SSE_EVENT);
	assert_ptr_equal(ev.data.p, in.p + 6);
	assert_null(s.data.data);
	assert_null(s.line.data);
	sse_fini(&s);
}

static void
test_long_name(void **state)
{
	char *name = t_repeat("n", (size_t)3 * SSE_NAME_MAX);
	struct buf in, want;
	struct span log;

	(void)state;
	buf_init(&in, 4096);
	buf_init(&want, 4096);
	sse_put(&in, span_cstr(name), SPAN("a"));
	buf_putc(&want, '<');
	buf_put(&want, span_head(span_cstr(name), SSE_NAME_MAX));
	buf_puts(&want, "|a>");
	log = buf_span(&want);
	cut_every(buf_span(&in), same_outcome, &log);
	buf_fini(&in);
	buf_fini(&want);
	free(name);
}

/* Feed text in pieces of `step`; the number of events, -1 for a failure. */
static int
feed_by(struct span text, size_t step, size_t *data_len)
{
	struct sse_event ev;
	struct sse s;
	int events = 0;
	bool is_sound = true;

	sse_init(&s);
	while (is_sound && text.n > 0) {
		struct span piece = span_head(text, step);
		enum sse_step got;
		size_t used;

		while ((got = sse_feed(&s, piece, &used, &ev, NULL)) ==
			SSE_EVENT) {
			events++;
			*data_len = ev.data.n;
			piece = span_from(piece, used);
		}
		is_sound = got == SSE_MORE;
		text = span_from(text, step);
	}
	sse_fini(&s);
	return is_sound ? events : -1;
}

static void
put_filler(struct buf *b, size_t n)
{
	char *to = buf_reserve(b, n);

	assert_non_null(to);
	memset(to, 'x', n);
	buf_commit(b, n);
}

static void
test_limit(void **state)
{
	static const size_t steps[] = { 4096, 1000003, SIZE_MAX };
	struct buf one, two;
	size_t len = 0;

	(void)state;
	buf_init(&one, (size_t)3 * SSE_EVENT_MAX);
	buf_init(&two, (size_t)3 * SSE_EVENT_MAX);
	for (size_t over = 0; over < 2; over++) {
		int want = over == 0 ? 1 : -1;

		buf_reset(&one, SIZE_MAX);
		buf_puts(&one, "data: ");
		put_filler(&one, SSE_EVENT_MAX + over);
		buf_puts(&one, "\n\n");
		/* The LF between two lines counts. */
		buf_reset(&two, SIZE_MAX);
		buf_puts(&two, "data:");
		put_filler(&two, 10);
		buf_puts(&two, "\ndata:");
		put_filler(&two, SSE_EVENT_MAX - 11 + over);
		buf_puts(&two, "\n\n");
		for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
			len = 0;
			assert_int_equal(
				feed_by(buf_span(&one), steps[i], &len), want);
			assert_int_equal(len, over == 0 ? SSE_EVENT_MAX : 0);
			assert_int_equal(
				feed_by(buf_span(&two), steps[i], &len), want);
		}
	}
	/* A line that would be skipped is bounded too, a comment is not. */
	buf_reset(&one, SIZE_MAX);
	buf_puts(&one, "id: ");
	put_filler(&one, SSE_EVENT_MAX + 100);
	buf_puts(&one, "\ndata: a\n\n");
	buf_reset(&two, SIZE_MAX);
	buf_puts(&two, ": ");
	put_filler(&two, SSE_EVENT_MAX + 100);
	buf_puts(&two, "\ndata: a\n\n");
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		assert_int_equal(feed_by(buf_span(&one), steps[i], &len), -1);
		assert_int_equal(feed_by(buf_span(&two), steps[i], &len), 1);
	}
	buf_fini(&one);
	buf_fini(&two);
}

/* An event over the limit that only the end of the stream completes. */
static void
test_limit_at_end(void **state)
{
	struct sse_event ev;
	struct sse s;
	struct buf b;
	size_t used;

	(void)state;
	buf_init(&b, (size_t)2 * SSE_EVENT_MAX);
	buf_puts(&b, "data:");
	put_filler(&b, SSE_EVENT_MAX + 1);
	sse_init(&s);
	assert_int_equal(
		sse_feed(&s, buf_span(&b), &used, &ev, NULL), SSE_MORE);
	assert_int_equal(sse_end(&s, &ev), SSE_FAIL);
	sse_fini(&s);
	buf_fini(&b);
}

static double
cpu_s(void)
{
	return (double)clock() / (double)CLOCKS_PER_SEC;
}

/* What takes milliseconds would take hours if the cost were quadratic. */
static void
test_cost(void **state)
{
	double start = cpu_s();
	struct buf b;
	size_t len = 0;

	(void)state;
	buf_init(&b, (size_t)3 * SSE_EVENT_MAX);
	buf_puts(&b, "data: ");
	put_filler(&b, 10000000);
	buf_puts(&b, "\n\n");
	assert_int_equal(feed_by(buf_span(&b), 4096, &len), 1);
	assert_int_equal(len, 10000000);
	assert_int_equal(feed_by(span_from(buf_span(&b), 8000000), 1, &len), 0);
	/* Short lines of one kind of end in one large input. */
	buf_reset(&b, SIZE_MAX);
	for (int i = 0; i < 2000000; i++)
		buf_puts(&b, ":\r");
	assert_int_equal(feed_by(buf_span(&b), SIZE_MAX, &len), 0);
	buf_reset(&b, SIZE_MAX);
	for (int i = 0; i < 1000000; i++)
		buf_puts(&b, "data\n\n");
	assert_int_equal(feed_by(buf_span(&b), SIZE_MAX, &len), 1000000);
	assert_true(cpu_s() - start < 30);
	buf_fini(&b);
}

/* What sse_put writes is read back. */
static void
test_put(void **state)
{
	struct span want = SPAN("<delta|{}><| x><|>");
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	sse_put(&b, SPAN("delta"), SPAN("{}"));
	assert_buf_eq(&b, "event: delta\ndata: {}\n\n");
	sse_put(&b, SPAN_EMPTY, SPAN(" x"));
	sse_put(&b, SPAN_EMPTY, SPAN_EMPTY);
	cut_every(buf_span(&b), same_outcome, &want);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_limit_at_end),
		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
