/* SPDX-License-Identifier: MIT */
/* request.c - routes, keys and scenarios of requests. */
#include "tests/upstream/request.h"

#include <stdio.h>

#include "tests/upstream/facts.h"
#include "tests/upstream/tree.h"

static const struct {
	struct span prefix;
	enum side side;
} prefixes[] = {
	{ SPAN_INIT("/api/anthropic"), SIDE_A },
	{ SPAN_INIT("/api/coding/paas/v4"), SIDE_O },
	{ SPAN_INIT("/api/paas/v4"), SIDE_O },
};

static const struct {
	enum side side;
	enum http_method method;
	struct span path;
	enum route route;
} routes[] = {
	{ SIDE_A, HTTP_METHOD_POST, SPAN_INIT("/v1/messages"), ROUTE_MESSAGES },
	{ SIDE_A, HTTP_METHOD_POST, SPAN_INIT("/v1/messages/count_tokens"),
		ROUTE_COUNT },
	{ SIDE_O, HTTP_METHOD_POST, SPAN_INIT("/chat/completions"),
		ROUTE_CHAT },
	{ SIDE_O, HTTP_METHOD_POST, SPAN_INIT("/tokenizer"), ROUTE_TOKENIZER },
	{ SIDE_O, HTTP_METHOD_GET, SPAN_INIT("/models"), ROUTE_MODELS },
};

bool
refuse(struct request *r, unsigned code, const char *fmt, ...)
{
	va_list args;

	if (r->refused != 0)
		return false;
	r->refused = code;
	va_start(args, fmt);
	(void)vsnprintf(r->why, sizeof(r->why), fmt, args);
	va_end(args);
	return false;
}

/* The key of either header; two that differ are for check_head. */
static struct span
key_of(const struct http_head *h, enum side side)
{
	struct span bearer = http_head_get(h, SPAN("authorization"));

	if (span_istarts(bearer, SPAN("bearer ")))
		return span_trim(span_from(bearer, 7));
	return side == SIDE_A ? http_head_get(h, SPAN("x-api-key")) :
				SPAN_EMPTY;
}

void
request_route(struct request *r)
{
	struct span path = r->head->path, rest = SPAN_EMPTY;

	r->side = SIDE_O;
	r->route = ROUTE_ELSEWHERE;
	if (span_starts(path, SPAN("/__standin/"))) {
		r->route = ROUTE_CONTROL;
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (!span_starts(path, prefixes[i].prefix))
			continue;
		r->side = prefixes[i].side;
		r->route = ROUTE_NONE;
		rest = span_from(path, prefixes[i].prefix.n);
		break;
	}
	r->key = key_of(r->head, r->side);
	for (size_t i = 0; r->route == ROUTE_NONE && i < ARRAY_LEN(routes); i++)
		if (routes[i].side == r->side &&
			routes[i].method == r->head->method &&
			span_eq(rest, routes[i].path))
			r->route = routes[i].route;
}

/* The first source that says something decides. */
static struct span
scenario_text(struct request *r)
{
	struct span text = http_head_get(r->head, SPAN("x-standin")), next;

	if (scenario_take_next(r->arena, &next))
		return next;
	if (text.n > 0)
		return text;
	if (facts_marker(r, &text))
		return text;
	return scenario_default();
}

static bool
scenario_read(struct request *r, struct span text)
{
	struct gp_error err;

	if (scenario_parse(&r->scenario, r->arena, text, &err) == GP_OK)
		return true;
	/* A marker that cannot be read must not pass for plain text. */
	return refuse(r, REFUSE_STANDIN, "standin: %s", err.text);
}

bool
request_ignore(struct request *r)
{
	return scenario_read(r, SPAN("text")) && r->refused == 0;
}

bool
request_read(struct request *r)
{
	struct gp_error err;

	if (r->head->method == HTTP_METHOD_POST) {
		r->root = tree_parse(r->arena, r->body, &err);
		if (r->root == NULL) {
			(void)refuse(r, 1210, "%s", err.text);
			return request_ignore(r);
		}
		facts_read(r);
	}
	return scenario_read(r, scenario_text(r));
}

bool
request_skim(struct request *r)
{
	struct span text = http_head_get(r->head, SPAN("x-standin")), model;
	size_t at;

	if (text.n == 0 && !scenario_marker(r->body, &text))
		text = scenario_default();
	at = span_find(r->body, SPAN("\"model\":\""));
	model = span_from(r->body, at + 9);
	r->model_name = span_head(model, span_find_char(model, '"'));
	r->model = model_find(r->model_name, true);
	r->is_stream =
		memmem(r->body.p, r->body.n, "\"stream\":true", 13) != NULL;
	r->user_text = SPAN("something");
	r->max_tokens = -1;
	r->input_tokens = ((int64_t)r->body.n + 3) / 4;
	return scenario_read(r, text);
}

void
request_fini(struct request *r)
{
	json_decref(r->root);
	r->root = NULL;
}
