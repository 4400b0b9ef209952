/* SPDX-License-Identifier: MIT */
/* api_history.c - the pages that ask the history. */
#include "admin/api_history.h"

#include "admin/pages.h"
#include "shared/sys/clock.h"

struct later {
	unsigned status;
	struct span body;
};

static void
put_later(void *ctx, struct http_answer *a)
{
	const struct later *const l = ctx;

	a->status = l->status;
	a->content_type = "application/json";
	buf_put(&a->body, l->body);
}

void
api_history_answer(
	void *ctx, uint64_t ticket, unsigned status, struct span body)
{
	const struct pages *const p = ctx;
	struct later l = { status, body };

	http_server_answer(p->server, ticket, put_later, &l);
}

static void
ask(const struct pages *p, const struct http_request *request,
	const struct history_question *q, struct http_answer *a)
{
	if (!p->link->conf->history)
		http_answer_refuse(
			a, 503, "the history is turned off (history = false)");
	else if (!history_read_ask(p->reader, q, request->ticket))
		http_answer_refuse(a, 503,
			"too many questions wait for the history: try again");
	else
		a->how = HTTP_ANSWER_LATER;
}

static void
ask_query(const struct pages *p, const struct http_request *request,
	enum history_kind kind, struct http_answer *a)
{
	struct history_question q;
	struct query query;
	struct gp_error err;
	enum gp_code rc = query_parse(&query, request->head->query, &err);

	if (rc == GP_OK)
		rc = history_question_read(
			&q, kind, &query, clock_wall_us(), &err);
	if (rc == GP_OK)
		ask(p, request, &q, a);
	else
		http_answer_refuse(a, 400, err.text);
}

void
api_requests(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	ask_query(p, request, HISTORY_ASK_LIST, a);
}

void
api_series(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	ask_query(p, request, HISTORY_ASK_SERIES, a);
}

void
api_totals(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	ask_query(p, request, HISTORY_ASK_TOTALS, a);
}

void
api_request(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	const struct span id =
		span_from(request->head->path, sizeof("/api/requests/") - 1);
	struct history_question q = { .kind = HISTORY_ASK_ONE };
	uint64_t n;

	if (!span_u64(id, &n) || n == 0 || n > INT64_MAX) {
		http_answer_refuse(a, 400,
			"behind /api/requests/ stands the id of a row, a "
			"number");
		return;
	}
	q.id = (int64_t)n;
	ask(p, request, &q, a);
}
