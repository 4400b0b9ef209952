/* SPDX-License-Identifier: MIT */
/* check_head.c - what a request's head must, may and must not hold. */
#include "tests/upstream/check.h"
#include "tests/upstream/text.h"

/* Everything that may be sent upstream; `x-standin` and `expect` are for
 * those who talk to the stand-in directly. */
static const char *const known[] = { "host", "authorization", "x-api-key",
	"content-type", "content-length", "transfer-encoding", "accept",
	"accept-encoding", "accept-language", "anthropic-version",
	"anthropic-beta", "user-agent", "connection", "expect", "x-standin",
	NULL };

static bool
is_known(struct span name)
{
	for (size_t i = 0; known[i] != NULL; i++)
		if (span_ieq(name, span_cstr(known[i])))
			return true;
	return false;
}

static bool
check_fields(struct request *r)
{
	const struct http_head *h = r->head;

	for (size_t i = 0; i < h->nfields; i++) {
		struct span name = h->fields[i].name;

		if (!is_known(name))
			return refuse(r, REFUSE_STANDIN,
				"standin: header %.*s must not be sent "
				"upstream",
				CHECK_ARG(name));
		for (size_t k = 0; k < i; k++)
			if (span_ieq(name, h->fields[k].name))
				return refuse(r, REFUSE_STANDIN,
					"standin: header %.*s twice",
					CHECK_ARG(name));
	}
	return true;
}

/* The name of TLS and the name of HTTP are one. */
static bool
check_host(struct request *r)
{
	struct span host = http_head_get(r->head, SPAN("host"));
	size_t colon = span_find_char(host, ':');

	if (host.n == 0)
		return refuse(r, REFUSE_STANDIN, "standin: no host");
	if (r->sni.n > 0 && !span_ieq(span_head(host, colon), r->sni))
		return refuse(r, REFUSE_STANDIN,
			"standin: host %.*s, but TLS said %.*s",
			CHECK_ARG(host), CHECK_ARG(r->sni));
	return true;
}

static bool
check_keys(struct request *r)
{
	struct span bearer = http_head_get(r->head, SPAN("authorization"));
	struct span key = http_head_get(r->head, SPAN("x-api-key"));

	if (bearer.n > 0 && key.n > 0 && !span_eq(key, r->key))
		return refuse(r, REFUSE_STANDIN,
			"standin: authorization and x-api-key hold different "
			"keys");
	if (key.n > 0 && r->side == SIDE_O)
		return refuse(r, REFUSE_STANDIN,
			"standin: x-api-key on the other dialect's endpoint");
	if (bearer.n > 0 && !span_starts(bearer, SPAN("Bearer ")))
		return refuse(r, REFUSE_STANDIN,
			"standin: authorization is not 'Bearer KEY'");
	if (span_find_char(r->key, ' ') != r->key.n)
		return refuse(r, REFUSE_STANDIN, "standin: blank in the key");
	return true;
}

static bool
check_versions(struct request *r)
{
	struct span version = http_head_get(r->head, SPAN("anthropic-version"));

	if (r->side == SIDE_A && version.n == 0)
		return refuse(r, 1213, "anthropic-version: not received");
	if (r->side == SIDE_A && !span_eq(version, SPAN("2023-06-01")))
		return refuse(r, 1214, "anthropic-version: unknown version");
	if (r->side == SIDE_O &&
		(version.n > 0 ||
			http_head_has(r->head, SPAN("anthropic-beta"))))
		return refuse(r, REFUSE_STANDIN,
			"standin: anthropic-version or anthropic-beta on the "
			"other dialect's endpoint");
	return true;
}

static bool
check_connection(struct request *r)
{
	struct span v = http_head_get(r->head, SPAN("connection"));

	if (v.n == 0 || span_ieq(v, SPAN("keep-alive")) ||
		span_ieq(v, SPAN("close")))
		return true;
	return refuse(
		r, REFUSE_STANDIN, "standin: connection: %.*s", CHECK_ARG(v));
}

/* What the client says it reads must be what it gets. */
static bool
check_accepts(struct request *r)
{
	struct span coding = http_head_get(r->head, SPAN("accept-encoding"));
	struct span accept = http_head_get(r->head, SPAN("accept"));
	bool is_stream = r->is_stream && r->route != ROUTE_TOKENIZER;
	struct span type = is_stream ? SPAN("text/event-stream") :
				       SPAN("application/json");

	if (coding.n > 0 && !span_ieq(coding, SPAN("identity")))
		return refuse(r, REFUSE_STANDIN,
			"standin: accept-encoding: %.*s", CHECK_ARG(coding));
	if (accept.n > 0 && span_find(accept, SPAN("*/*")) == accept.n &&
		span_ifind(accept, type) == accept.n)
		return refuse(r, REFUSE_STANDIN, "standin: accept: %.*s",
			CHECK_ARG(accept));
	return true;
}

static bool
check_body_fields(struct request *r)
{
	struct span type = http_head_get(r->head, SPAN("content-type"));
	struct span word =
		span_trim(span_head(type, span_find_char(type, ';')));

	if (r->head->method != HTTP_METHOD_POST)
		return true;
	if (!span_ieq(word, SPAN("application/json")))
		return refuse(
			r, 1210, "content-type: must be application/json");
	return true;
}

bool
check_length(struct request *r)
{
	if (r->head->method != HTTP_METHOD_POST || r->head->has_length ||
		r->head->is_chunked)
		return true;
	return refuse(r, 1210, "content-length: not received");
}

bool
check_head(struct request *r)
{
	return check_fields(r) && check_host(r) && check_keys(r) &&
		check_versions(r) && check_connection(r) && check_accepts(r) &&
		check_body_fields(r);
}
