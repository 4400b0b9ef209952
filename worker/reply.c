/* SPDX-License-Identifier: MIT */
/* reply.c - answers that are made here. */
#include "worker/reply.h"

#include "shared/http/origin.h"
#include "shared/http/out.h"
#include "worker/recorder.h"
#include "worker/tally.h"

#define RETRY_AFTER_MAX 60 /* seconds; clients sleep for whatever we say */

struct buf *
reply_begin(struct client *c, unsigned status)
{
	const struct http_head *h = client_head(c);
	struct span origin = http_head_get(h, SPAN("origin"));
	struct span cors = c->worker->conf->cors_origins;

	tally_answer(c->worker->metrics, status);
	http_out_status(&c->out, status);
	if (!c->keep_alive)
		http_out_field_cstr(&c->out, "connection", "close");
	else if (h->minor == 0)
		http_out_field_cstr(&c->out, "connection", "keep-alive");
	if (cors.n > 0 && origin.n > 0 && origin_is_listed(origin, cors)) {
		http_out_field(&c->out, "access-control-allow-origin", origin);
		http_out_field_cstr(&c->out, "vary", "origin");
		http_out_field_cstr(
			&c->out, "access-control-expose-headers", "*");
	}
	return &c->out;
}

void
reply_end(struct client *c, const char *content_type, struct span body)
{
	if (body.n > 0)
		http_out_field_cstr(&c->out, "content-type", content_type);
	http_out_field_u64(&c->out, "content-length", body.n);
	http_out_end(&c->out);
	if (client_head(c)->method != HTTP_METHOD_HEAD)
		buf_put(&c->out, body);
	if (!client_answered(c))
		return;
}

/* Seconds after which a retry is worth it; -1: say nothing. */
static int64_t
retry_after(const struct llm_failure *f)
{
	int64_t dflt =
		f->kind == LLM_FAIL_RATE || f->kind == LLM_FAIL_OVERLOADED ? 5 :
		f->kind == LLM_FAIL_UNAVAILABLE                            ? 1 :
									     -1;

	if (!llm_fail_is_retryable(f->kind))
		return -1;
	return f->retry_after_s >= 0 ? MIN(f->retry_after_s, RETRY_AFTER_MAX) :
				       dflt;
}

static const struct dialect *
dialect_of(const struct client *c)
{
	return c->dialect != NULL ? c->dialect :
				    dialect_by_head(client_head(c));
}

void
reply_failure_body(const struct client *c, const struct llm_failure *f,
	struct span request_id, struct buf *to)
{
	dialect_of(c)->fail_encode(f, LLM_BODY, request_id, to);
}

void
reply_failure_as(struct client *c, const struct llm_failure *f,
	struct span request_id, struct span more, struct span body)
{
	const struct dialect *d = dialect_of(c);
	struct buf *out = reply_begin(c, d->fail_status(f));

	tally_failure(c->worker->metrics, f->kind);
	http_out_field(out, d->request_id_header, request_id);
	if (f->kind == LLM_FAIL_METHOD)
		http_out_field_cstr(out, "allow",
			c->dialect != NULL ? "POST" : "GET, HEAD");
	if (!llm_fail_is_retryable(f->kind))
		http_out_field_cstr(out, "x-should-retry", "false");
	if (retry_after(f) >= 0)
		http_out_field_u64(
			out, "retry-after", (uint64_t)retry_after(f));
	if (f->reset.n > 0)
		http_out_field(out, "x-glmproxy-reset", f->reset);
	if (f->trace.n > 0)
		http_out_field(out, "x-glmproxy-upstream-id", f->trace);
	buf_put(out, more);
	reply_end(c, "application/json", body);
}

void
reply_failure(struct client *c, const struct llm_failure *f)
{
	uint64_t random[XLATE_ID_WORDS] = { worker_random(c->worker),
		worker_random(c->worker), worker_random(c->worker) };
	char id[4 + XLATE_ID_LEN + 1] = "req_";
	struct buf body;

	xlate_make_id(random, id + 4);
	buf_init(&body, REPLY_FAILURE_MAX);
	reply_failure_body(c, f, span_cstr(id), &body);
	recorder_refused(c, f, span_cstr(id), buf_len(&body));
	reply_failure_as(c, f, span_cstr(id), SPAN_EMPTY, buf_span(&body));
	buf_fini(&body);
}
