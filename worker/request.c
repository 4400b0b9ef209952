/* SPDX-License-Identifier: MIT */
/* request.c - refuse a request by its head, or see to its answer. */
#include "worker/request.h"

#include "shared/http/origin.h"
#include "shared/http/out.h"
#include "worker/inflate.h"
#include "worker/keys.h"
#include "worker/pages.h"
#include "worker/reply.h"
#include "worker/session.h"

#define BODY_AHEAD (1u << 20) /* bytes of a body to make room for */
#define PAGE_BODY  65536      /* of requests whose body is of no use */

static bool
refuse(struct client *c, enum llm_fail kind, const char *message)
{
	struct llm_failure f = llm_failure_of(kind, span_cstr(message));

	client_refuse(c, &f);
	return false;
}

/* --- where it goes -------------------------------------------------------- */

static bool
is_preflight(const struct client *c)
{
	return client_head(c)->method == HTTP_METHOD_OPTIONS &&
		c->worker->conf->cors_origins.n > 0;
}

static void
answer_preflight(struct client *c)
{
	struct buf *out = reply_begin(c, 204);

	http_out_field_cstr(
		out, "access-control-allow-methods", "GET, POST, OPTIONS");
	http_out_field(out, "access-control-allow-headers",
		http_head_get(client_head(c),
			SPAN("access-control-request-headers")));
	http_out_field_cstr(out, "access-control-max-age", "86400");
	http_out_end(out);
	if (!client_answered(c))
		return;
}

static bool
admit_method(struct client *c, bool is_allowed)
{
	return is_allowed ||
		refuse(c, LLM_FAIL_METHOD,
			c->dialect != NULL ?
				"this path takes POST requests only" :
				"this path takes GET and HEAD requests only");
}

static bool
admit_path(struct client *c)
{
	const struct http_head *h = client_head(c);
	enum http_method m = h->method;
	const struct page *page;

	c->dialect = dialect_by_path(h->path, &c->purpose);
	if (c->dialect != NULL)
		return admit_method(c, m == HTTP_METHOD_POST);
	page = page_find(h->path);
	if (page != NULL)
		return admit_method(c,
			m == HTTP_METHOD_GET || m == HTTP_METHOD_HEAD ||
				(page->takes_post && m == HTTP_METHOD_POST));
	if (span_starts(h->path, SPAN("/v1/responses")))
		return refuse(c, LLM_FAIL_NOT_FOUND,
			"the Responses API is not offered here: set the client "
			"to "
			"Chat Completions (POST /v1/chat/completions)");
	return refuse(c, LLM_FAIL_NOT_FOUND,
		"unknown path: this proxy serves /v1/chat/completions, "
		"/v1/messages, /v1/messages/count_tokens and /v1/models");
}

/* --- who asks ------------------------------------------------------------- */

static bool
admit_origin(struct client *c)
{
	const struct http_head *h = client_head(c);
	const struct conf *conf = c->worker->conf;

	if (!keys_are_ambient(conf))
		return true;
	if (!origin_host_is_ours(h, conf->allowed_hosts))
		return refuse(c, LLM_FAIL_PERMISSION,
			"this Host is not one of the proxy's; add it to "
			"allowed_hosts");
	if (origin_is_foreign(h, conf->cors_origins))
		return refuse(c, LLM_FAIL_PERMISSION,
			"requests from other web sites are refused");
	if (c->dialect != NULL && !http_head_has(h, SPAN("content-type")))
		return refuse(c, LLM_FAIL_BAD_REQUEST,
			"the content-type header is missing; send "
			"application/json");
	return true;
}

static bool
admit_key(struct client *c)
{
	const struct http_head *h = client_head(c);
	const struct conf *conf = c->worker->conf;
	const struct dialect *d = c->dialect;
	struct secret key;
	struct span name;
	struct gp_error err;
	enum gp_code rc;

	/* Lists of models are open unless client keys are asked for. */
	if (d == NULL &&
		(conf->client_keys_file.n == 0 ||
			!span_starts(h->path, SPAN("/v1/"))))
		return true;
	rc = keys_pick(
		conf, d != NULL ? d : dialect_by_head(h), h, &key, &name, &err);
	secret_wipe(&key);
	return rc == GP_OK || refuse(c, LLM_FAIL_AUTH, err.text);
}

/* --- what it brings ------------------------------------------------------- */

static bool
admit_type(struct client *c)
{
	const struct http_head *h = client_head(c);
	struct span type = http_head_get(h, SPAN("content-type"));
	struct span coding = http_head_get(h, SPAN("content-encoding"));

	type = span_trim(span_head(type, span_find_char(type, ';')));
	if (type.n > 0 && !span_ieq(type, SPAN("application/json")))
		return refuse(c, LLM_FAIL_BAD_REQUEST,
			"the content-type must be application/json");
	if (coding.n == 0 || span_ieq(coding, SPAN("identity")))
		return true;
	c->inflate = inflate_new(coding);
	return c->inflate != NULL ||
		refuse(c, LLM_FAIL_MEDIA_TYPE,
			"the content-encoding must be gzip, deflate or "
			"identity");
}

static bool
admit_length(struct client *c)
{
	const struct http_head *h = client_head(c);
	struct worker *w = c->worker;

	if (!h->has_length)
		return true;
	if (h->length > (uint64_t)w->conf->max_body_bytes)
		return refuse(c, LLM_FAIL_TOO_LARGE,
			"the body is larger than max_body_mb allows");
	if (!worker_reserve(w, (size_t)h->length)) {
		metrics_add(&w->metrics->shed, 1);
		return refuse(c, LLM_FAIL_UNAVAILABLE,
			"the proxy's buffers are full; try again shortly");
	}
	worker_release(w, (size_t)h->length);
	/* All at once rather than by doubling; a lie costs no more than this.
	 */
	if (c->inflate == NULL)
		buf_room(&c->body, MIN((size_t)h->length, BODY_AHEAD));
	return true;
}

static void
count_request(struct client *c)
{
	struct metrics *m = c->worker->metrics;
	struct span path = client_head(c)->path;

	metrics_add(c->dialect == NULL ?
			(span_starts(path, SPAN("/v1/models")) ?
					&m->requests_models :
					&m->requests_other) :
			c->purpose == LLM_COUNT ? &m->requests_count :
						  &m->requests_chat,
		1);
	if (c->dialect != NULL)
		metrics_add(&m->requests_from[dialect_index(c->dialect)], 1);
}

bool
request_admit(struct client *c)
{
	const struct http_head *h = client_head(c);
	bool ok;

	c->dialect = NULL;
	ok = is_preflight(c) || admit_path(c);
	count_request(c);
	if (c->dialect == NULL)
		c->body.max = PAGE_BODY;
	if (!is_preflight(c))
		ok = ok && admit_origin(c) && admit_key(c);
	if (ok && c->dialect != NULL)
		ok = admit_type(c) && admit_length(c);
	if (!ok)
		return false;
	if (h->expects_continue && h->has_body) {
		buf_puts(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
		if (!client_flush(c))
			return false;
	}
	return true;
}

void
request_run(struct client *c)
{
	if (is_preflight(c))
		answer_preflight(c);
	else if (c->dialect != NULL)
		session_start(c);
	else
		page_find(client_head(c)->path)->answer(c);
}
