/* SPDX-License-Identifier: MIT */
/* pages.c - what a worker answers by itself. */
#include "worker/pages.h"

#include <stdio.h>

#include "shared/http/out.h"
#include "shared/json/jout.h"
#include "shared/sys/clock.h"
#include "worker/models.h"
#include "worker/reply.h"

#include "page/docs.html.h"
#include "page/openapi.json.h"
#include "version.h"

#define PAGE_MAX (1u << 20)

static int64_t
started_s(const struct client *c)
{
	return atomic_load_explicit(&c->worker->link->shm->started_wall_us,
		       memory_order_relaxed) /
		1000000;
}

/* Probes that only ask whether somebody is there. */
static void
answer_probe(struct client *c)
{
	reply_begin(c, 200);
	reply_end(c, "text/plain", SPAN_EMPTY);
}

/* What agents report to their maker goes nowhere. */
static void
answer_nothing(struct client *c)
{
	http_out_end(reply_begin(c, 204));
	(void)client_answered(c);
}

static void
answer_text(struct client *c, const char *type, struct span body)
{
	struct buf *out = reply_begin(c, 200);

	http_out_field_cstr(out, "cache-control", "no-cache");
	http_out_field_cstr(out, "x-content-type-options", "nosniff");
	http_out_field_cstr(out, "content-security-policy",
		"default-src 'none'; style-src 'unsafe-inline'; "
		"frame-ancestors 'none'; base-uri 'none'");
	reply_end(c, type, body);
}

static void
answer_docs(struct client *c)
{
	answer_text(c, "text/html; charset=utf-8",
		span_of((const char *)page_docs_html, sizeof(page_docs_html)));
}

static void
answer_openapi(struct client *c)
{
	answer_text(c, "application/json",
		span_of((const char *)page_openapi_json,
			sizeof(page_openapi_json)));
}

/* Why load balancers should send requests elsewhere, NULL if they should not.
 * Not that this process drains: after a reload others serve on. */
static const char *
leave_reason(const struct shm *m)
{
	if (atomic_load_explicit(&m->draining, memory_order_relaxed) != 0)
		return "the service is stopping";
	if (atomic_load_explicit(&m->drained, memory_order_relaxed) != 0)
		return "an operator has drained this instance; what comes is "
		       "still served";
	return NULL;
}

static void
put_workers(const struct shm *m, struct jout *out)
{
	const uint32_t used = atomic_load(&m->slots_used);
	int64_t ready = 0, connections = 0, streams = 0;

	for (size_t i = 0; i < MIN(used, SHM_SLOTS); i++) {
		const struct shm_slot *s = &m->slots[i];

		if (atomic_load(&s->role) != SHM_WORKER)
			continue;
		ready += atomic_load(&s->state) == SHM_READY;
		connections +=
			(int64_t)metrics_get(&s->metrics.connections_live);
		streams += (int64_t)metrics_get(&s->metrics.streams_live);
	}
	jout_kv_int(out, "workers", ready);
	jout_kv_int(out, "active_connections", connections);
	jout_kv_int(out, "active_streams", streams);
}

static void
answer_health(struct client *c)
{
	const struct shm *m = c->worker->link->shm;
	const char *reason = leave_reason(m);
	struct buf body;
	struct jout out;

	buf_init(&body, PAGE_MAX);
	jout_init(&out, &body);
	jout_obj(&out);
	jout_kv_bool(&out, "ok", reason == NULL);
	jout_kv_cstr(&out, "status", reason == NULL ? "ok" : "draining");
	if (reason != NULL)
		jout_kv_cstr(&out, "reason", reason);
	jout_kv_cstr(&out, "version", GLMPROXY_VERSION);
	jout_kv_int(&out, "uptime_s", clock_wall_us() / 1000000 - started_s(c));
	put_workers(m, &out);
	jout_obj_end(&out);
	http_out_field_cstr(reply_begin(c, reason == NULL ? 200 : 503),
		"cache-control", "no-store");
	reply_end(c, "application/json", buf_span(&body));
	buf_fini(&body);
}

static void
refuse_model(struct client *c, struct span id)
{
	char text[160];
	struct llm_failure f;

	(void)snprintf(text, sizeof(text),
		"there is no model \"%.*s\" in the list",
		SPAN_ARG(span_head(id, 80)));
	f = llm_failure_of(LLM_FAIL_MODEL_NOT_FOUND, span_cstr(text));
	reply_failure(c, &f);
}

static void
answer_models(struct client *c)
{
	const struct http_head *h = client_head(c);
	const struct router *r = c->worker->router;
	struct span id = span_from(h->path, sizeof("/v1/models/") - 1);
	const struct router_listed *one = NULL;
	struct models_page page;
	struct buf body;
	struct jout out;

	if (id.n > 0) {
		one = router_listed(r, id);
		if (one == NULL) {
			refuse_model(c, id);
			return;
		}
	}
	buf_init(&body, PAGE_MAX);
	jout_init(&out, &body);
	models_parse_query(h->query, &page);
	if (one != NULL)
		models_one(one, started_s(c), &out);
	else
		models_list(r, &page, started_s(c), &out);
	reply_begin(c, 200);
	reply_end(c, "application/json", buf_span(&body));
	buf_fini(&body);
}

static const struct page pages[] = {
	{ SPAN_INIT("/"), false, answer_probe, false },
	{ SPAN_INIT("/api/hello"), false, answer_probe, false },
	{ SPAN_INIT("/api/event_logging/"), true, answer_nothing, true },
	{ SPAN_INIT("/health"), false, answer_health, false },
	{ SPAN_INIT("/v1/models"), false, answer_models, false },
	{ SPAN_INIT("/v1/models/"), true, answer_models, false },
	{ SPAN_INIT("/openapi.json"), false, answer_openapi, false },
	{ SPAN_INIT("/docs"), false, answer_docs, false },
};

const struct page *
page_find(struct span path)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (pages[i].is_prefix ? span_starts(path, pages[i].path) :
					 span_eq(path, pages[i].path))
			return &pages[i];
	return NULL;
}
