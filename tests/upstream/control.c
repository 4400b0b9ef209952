/* SPDX-License-Identifier: MIT */
/* control.c - /__standin/: what tests ask and tell the stand-in. */
#include "tests/upstream/control.h"

#include <unistd.h>

#include "shared/sys/clock.h"
#include "tests/upstream/record.h"
#include "tests/upstream/standin.h"
#include "tests/upstream/text.h"

static uint64_t
query_number(struct span query, struct span key, uint64_t otherwise)
{
	struct span field;
	uint64_t n;

	while (span_split(&query, '&', &field))
		if (span_starts(field, key) && field.n > key.n &&
			field.p[key.n] == '=' &&
			span_u64(span_from(field, key.n + 1), &n))
			return n;
	return otherwise;
}

static void
put_stats(struct buf *out)
{
	buf_printf(out, "{\"pid\":%d,\"now_ms\":%lld", (int)getpid(),
		(long long)clock_mono_ms());
#define STAT(name)                                                             \
	buf_printf(out, ",\"%s\":%lld", #name, (long long)standin.stats.name);
#include "tests/upstream/stats.def"
#undef STAT
	buf_putc(out, '}');
}

static void
reset(void)
{
	struct stats old = standin.stats;

	memset(&standin.stats, 0, sizeof(standin.stats));
	standin.stats.connections_open = old.connections_open;
	standin.stats.in_flight = old.in_flight;
	scenario_forget();
	scenario_set_default(span_cstr(standin.options.default_scenario));
	record_forget();
}

/* Every line must be a scenario. */
static bool
are_scenarios(struct arena *a, struct span lines, struct buf *out)
{
	struct span line;

	while (span_split(&lines, '\n', &line)) {
		struct scenario s;
		struct gp_error err;

		if (span_is_blank(line) ||
			scenario_parse(&s, a, line, &err) == GP_OK)
			continue;
		buf_puts(out, "{\"error\":");
		text_put_string(out, span_cstr(err.text));
		buf_putc(out, '}');
		return false;
	}
	return true;
}

static unsigned
answer_get(const struct request *r, struct span name, struct buf *out)
{
	struct span query = r->head->query;

	if (span_eq(name, SPAN("stats")))
		put_stats(out);
	else if (span_eq(name, SPAN("requests")))
		record_list(out, query_number(query, SPAN("since"), 0),
			query_number(query, SPAN("last"), UINT64_MAX));
	else
		return 404;
	return 200;
}

static unsigned
answer_post(const struct request *r, struct span name, struct buf *out)
{
	bool is_default = span_eq(name, SPAN("default"));

	if (span_eq(name, SPAN("reset"))) {
		reset();
	} else if (is_default || span_eq(name, SPAN("next"))) {
		if (!are_scenarios(r->arena, r->body, out))
			return 400;
		if (is_default)
			scenario_set_default(r->body);
		else
			scenario_push_next(r->body);
	} else {
		return 404;
	}
	buf_puts(out, "{\"ok\":true}");
	return 200;
}

void
control_answer(struct play *play, const struct request *r)
{
	struct span name = span_from(r->head->path, strlen("/__standin/"));
	struct buf out;
	unsigned status = 404;

	buf_init(&out, SIZE_MAX / 2);
	if (r->head->method == HTTP_METHOD_GET)
		status = answer_get(r, name, &out);
	else if (r->head->method == HTTP_METHOD_POST)
		status = answer_post(r, name, &out);
	if (status == 404)
		buf_puts(&out, "{\"error\":\"no such page\"}");
	play_make_plain(play, status, buf_span(&out), false);
	buf_fini(&out);
}
