/* SPDX-License-Identifier: MIT */
/* fuzz_sse.c - an event stream means the same wherever it is cut, and what
 * sse_put writes of it means it again. The first byte chooses the cuts. */
#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/http/sse.h"

#define LOG_MAX (1u << 22)

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct sse s;
	struct buf log;
	struct buf again; /* the events that sse_put can write */
	size_t events_again;
};

static void
log_event(struct run *r, const struct sse_event *ev)
{
	buf_printf(&r->log, "event %zu %zu\n", ev->name.n, ev->data.n);
	buf_put(&r->log, ev->name);
	buf_put(&r->log, ev->data);
	GP_ASSERT(ev->name.n <= SSE_NAME_MAX);
	GP_ASSERT(span_find_char(ev->name, '\n') == ev->name.n);
	GP_ASSERT(span_find_char(ev->data, '\r') == ev->data.n);
	if (span_find_char(ev->data, '\n') < ev->data.n)
		return;
	sse_put(&r->again, ev->name, ev->data);
	r->events_again++;
}

/* Feed a copy of exactly the size, so that reads outside of it show. */
static void
feed(struct run *r, struct span text)
{
	char *copy = malloc(MAX(text.n, 1));
	struct span in = { copy, text.n };
	struct sse_event ev;
	enum sse_step step;
	size_t used;

	GP_ASSERT(copy != NULL);
	memcpy(copy, text.p, text.n);
	while ((step = sse_feed(&r->s, in, &used, &ev, NULL)) == SSE_EVENT) {
		GP_ASSERT(used > 0 && used <= in.n);
		log_event(r, &ev);
		in = span_from(in, used);
	}
	GP_ASSERT(step == SSE_MORE && used == in.n);
	free(copy);
}

static void
run(struct run *r, struct span text, size_t first, size_t step)
{
	struct sse_event ev;
	size_t n = first;

	*r = (struct run){ .events_again = 0 };
	sse_init(&r->s);
	buf_init(&r->log, LOG_MAX);
	buf_init(&r->again, LOG_MAX);
	while (text.n > 0) {
		feed(r, span_head(text, n));
		text = span_from(text, n);
		n = step;
	}
	if (sse_end(&r->s, &ev) == SSE_EVENT)
		log_event(r, &ev);
	GP_ASSERT(sse_end(&r->s, &ev) == SSE_MORE);
	buf_printf(&r->log, "comments %u torn %d\n", (unsigned)r->s.comments,
		r->s.is_torn);
	sse_fini(&r->s);
}

static void
run_fini(struct run *r)
{
	buf_fini(&r->log);
	buf_fini(&r->again);
}

/* What was written again is as many events, and not torn. */
static void
check_again(const struct run *first)
{
	struct run second;

	run(&second, buf_span(&first->again), SIZE_MAX, SIZE_MAX);
	GP_ASSERT(second.events_again == first->events_again);
	GP_ASSERT(!second.s.is_torn);
	GP_ASSERT(span_eq(buf_span(&second.again), buf_span(&first->again)));
	run_fini(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { 1, SIZE_MAX, 3 };
	struct run want, got;
	struct span text;
	size_t cut;

	if (size == 0)
		return 0;
	text = span_of((const char *)data + 1, size - 1);
	cut = text.n == 0 ? 1 : 1 + (size_t)data[0] * text.n / 256;
	run(&want, text, SIZE_MAX, SIZE_MAX);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		run(&got, text, i == 1 ? cut : 1, steps[i]);
		GP_ASSERT(span_eq(buf_span(&got.log), buf_span(&want.log)));
		run_fini(&got);
	}
	check_again(&want);
	run_fini(&want);
	return 0;
}
