/* SPDX-License-Identifier: MIT */
/* history_question.c - what is asked of the history, from a URL. */
#include "admin/history_question.h"

#include <inttypes.h>
#include <stdio.h>

#define MINUTE_S     INT64_C(60)
#define HOUR_S       INT64_C(3600)
#define DAY_S        (24 * HOUR_S)
#define TIME_MOST_S  INT64_C(999999999999)
#define AUTO_MINUTES (6 * HOUR_S) /* up to here auto takes minutes, */
#define AUTO_HOURS   (14 * DAY_S) /* up to here hours */
#define LIST_LIMIT   50
#define LINES_LIMIT  10
#define TOTALS_LIMIT 50

static const char filters[] = "from to client model dialect upstream status "
			      "error kind ";
static const char by_words[] =
	"none model client status error dialect upstream";
static const char bools[] = "false true";

/* --- cursors -------------------------------------------------------------- */

void
history_cursor_write(
	const struct history_cursor *c, char out[HISTORY_CURSOR_MAX])
{
	(void)snprintf(out, HISTORY_CURSOR_MAX, "1.%" PRIx64 ".%" PRIx64,
		(uint64_t)c->time_us, (uint64_t)c->id);
}

/* Lower-case digits without leading zeros, so that each number is written in
 * one way only. */
static bool
read_hex(struct span s, int64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > 16 || (s.p[0] == '0' && s.n > 1))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] >= '0' && s.p[i] <= '9')
			v = v << 4 | (uint64_t)(s.p[i] - '0');
		else if (s.p[i] >= 'a' && s.p[i] <= 'f')
			v = v << 4 | (uint64_t)(s.p[i] - 'a' + 10);
		else
			return false;
	}
	if (v > INT64_MAX)
		return false;
	*out = (int64_t)v;
	return true;
}

bool
history_cursor_read(struct history_cursor *out, struct span text)
{
	size_t dot;

	if (!span_starts(text, SPAN("1.")))
		return false;
	text = span_from(text, 2);
	dot = span_find_char(text, '.');
	out->is_set = read_hex(span_head(text, dot), &out->time_us) &&
		read_hex(span_from(text, dot + 1), &out->id);
	return out->is_set;
}

/* --- parts ---------------------------------------------------------------- */

/* Negative: seconds before now. */
static enum gp_code
read_time(const struct query *q, const char *name, int64_t now_us,
	int64_t *time_us, struct gp_error *err)
{
	int64_t s = INT64_MIN;
	const enum gp_code rc =
		query_number(q, name, -TIME_MOST_S, TIME_MOST_S, &s, err);

	if (rc != GP_OK || s == INT64_MIN)
		return rc;
	*time_us = s < 0 ? MAX(now_us + s * HISTORY_US, 0) : s * HISTORY_US;
	return GP_OK;
}

static enum gp_code
read_times(struct history_question *out, const struct query *q, int64_t now_us,
	struct gp_error *err)
{
	enum gp_code rc;

	/* A request that is over by now began before. */
	out->to_us = now_us + HISTORY_US;
	out->from_us =
		out->kind == HISTORY_ASK_LIST ? 0 : now_us - DAY_S * HISTORY_US;
	rc = read_time(q, "from", now_us, &out->from_us, err);
	if (rc == GP_OK)
		rc = read_time(q, "to", now_us, &out->to_us, err);
	if (rc == GP_OK && out->from_us >= out->to_us)
		return gp_fail(err, GP_E_SCHEMA, "from must be before to");
	return rc;
}

static enum gp_code
read_match(const struct query *q, const char *name, size_t most,
	struct history_match *out, struct gp_error *err)
{
	struct span text = { NULL, 0 };
	const enum gp_code rc = query_text(q, name, most, &text, err);

	if (rc != GP_OK || text.p == NULL)
		return rc;
	out->is_set = true;
	out->n = (uint8_t)text.n;
	memcpy(out->text, text.p, text.n);
	return GP_OK;
}

/* "404" or "4xx" */
static enum gp_code
read_status(const struct query *q, struct history_question *out,
	struct gp_error *err)
{
	struct span text;
	uint64_t n;

	out->status_to = 1000;
	if (!query_get(q, "status", &text))
		return GP_OK;
	if (text.n == 3 && text.p[0] >= '1' && text.p[0] <= '9') {
		if (span_u64(text, &n)) {
			out->status_from = (int)n;
			out->status_to = (int)n + 1;
			return GP_OK;
		}
		if (span_eq(span_from(text, 1), SPAN("xx"))) {
			out->status_from = (text.p[0] - '0') * 100;
			out->status_to = out->status_from + 100;
			return GP_OK;
		}
	}
	return gp_fail(err, GP_E_SCHEMA,
		"status takes a status such as 429 or a class such as 4xx");
}

static enum gp_code
read_filters(struct history_question *out, const struct query *q,
	struct gp_error *err)
{
	enum gp_code rc = read_status(q, out, err);

	if (rc == GP_OK)
		rc = read_match(q, "client", 64, &out->client, err);
	if (rc == GP_OK)
		rc = read_match(q, "model", 128, &out->model, err);
	if (rc == GP_OK)
		rc = read_match(q, "dialect", 16, &out->dialect, err);
	if (rc == GP_OK)
		rc = read_match(q, "upstream", 16, &out->upstream, err);
	if (rc == GP_OK)
		rc = read_match(q, "error", 32, &out->error, err);
	if (rc == GP_OK)
		rc = query_word(q, "kind", "chat count", &out->is_count, err);
	return rc;
}

/* --- the three ------------------------------------------------------------ */

static enum gp_code
read_list(struct history_question *out, const struct query *q,
	struct gp_error *err)
{
	struct span cursor;
	enum gp_code rc = query_number(
		q, "limit", 1, HISTORY_LIST_MOST, &out->limit, err);

	if (rc == GP_OK)
		rc = query_word(q, "stream", bools, &out->streamed, err);
	if (rc == GP_OK)
		rc = query_word(q, "failed", bools, &out->failed, err);
	if (rc == GP_OK)
		rc = read_match(q, "request", 40, &out->request, err);
	if (rc == GP_OK && query_get(q, "cursor", &cursor) &&
		!history_cursor_read(&out->cursor, cursor))
		return gp_fail(err, GP_E_SCHEMA,
			"cursor takes `next` of an earlier page, as it was");
	return rc;
}

static enum gp_code
read_step(struct history_question *out, const struct query *q,
	struct gp_error *err)
{
	static const int64_t steps_s[] = { 0, MINUTE_S, HOUR_S, DAY_S };
	const int64_t range_s = (out->to_us - out->from_us) / HISTORY_US;
	int step = 0;
	const enum gp_code rc =
		query_word(q, "step", "auto minute hour day", &step, err);

	if (rc != GP_OK)
		return rc;
	out->step_s = steps_s[step];
	if (step == 0 && range_s <= AUTO_MINUTES)
		out->step_s = MINUTE_S;
	else if (step == 0 && range_s <= AUTO_HOURS)
		out->step_s = HOUR_S;
	else if (step == 0)
		out->step_s = DAY_S;
	if (range_s / out->step_s >= HISTORY_BUCKETS - 1)
		return gp_fail(err, GP_E_SCHEMA,
			"that would be more than %d steps: take a larger step, "
			"or a shorter time between from and to",
			HISTORY_BUCKETS);
	return GP_OK;
}

static const char *
names_of(enum history_kind kind)
{
	switch (kind) {
	case HISTORY_ASK_LIST:
		return "stream failed request limit cursor";
	case HISTORY_ASK_SERIES:
		return "step group limit";
	case HISTORY_ASK_TOTALS:
	case HISTORY_ASK_ONE:
		break;
	}
	return "group limit";
}

static enum gp_code
read_groups(struct history_question *out, const struct query *q,
	struct gp_error *err)
{
	const bool is_series = out->kind == HISTORY_ASK_SERIES;
	int by = HISTORY_BY_NONE;
	enum gp_code rc = query_word(q, "group", by_words, &by, err);

	out->by = (enum history_by)by;
	out->is_count = MAX(out->is_count, 0);
	out->limit = is_series ? LINES_LIMIT : TOTALS_LIMIT;
	if (rc == GP_OK)
		rc = query_number(q, "limit", 1,
			is_series ? HISTORY_LINES : HISTORY_TOTALS, &out->limit,
			err);
	if (rc == GP_OK && is_series)
		rc = read_step(out, q, err);
	return rc;
}

enum gp_code
history_question_read(struct history_question *out, enum history_kind kind,
	const struct query *q, int64_t now_us, struct gp_error *err)
{
	char names[256];
	enum gp_code rc;

	*out = (struct history_question){
		.kind = kind,
		.is_count = -1,
		.streamed = -1,
		.failed = -1,
		.limit = LIST_LIMIT,
	};
	(void)snprintf(names, sizeof(names), "%s%s", filters, names_of(kind));
	rc = query_check(q, names, err);
	if (rc == GP_OK)
		rc = read_times(out, q, now_us, err);
	if (rc == GP_OK)
		rc = read_filters(out, q, err);
	if (rc == GP_OK)
		rc = kind == HISTORY_ASK_LIST ? read_list(out, q, err) :
						read_groups(out, q, err);
	return rc;
}

const char *
history_question_by(const struct history_question *q)
{
	static const char *const words[] = { "none", "model", "client",
		"status", "error", "dialect", "upstream" };

	return words[q->by];
}

const char *
history_question_kind(const struct history_question *q)
{
	return q->is_count == 1 ? "count" : "chat";
}
