/* SPDX-License-Identifier: MIT */
/* pages.c - what the admin port serves, and to whom. */
#include "admin/pages.h"

#include "admin/exposition.h"
#include "admin/figures.h"
#include "admin/history.h"
#include "admin/snapshot.h"
#include "shared/http/origin.h"
#include "shared/http/out.h"
#include "shared/json/jout.h"
#include "shared/sys/clock.h"

#define WINDOW_MS 60000
#define JSON      "application/json"

struct page {
	struct span path;
	void (*make)(const struct pages *p, struct http_answer *a);
	const char *content_type;
	const char *what; /* for the list on the first page */
};

/* --- deaths --------------------------------------------------------------- */

void
deaths_sample(struct deaths *d, uint32_t count, int64_t now_ms)
{
	if (!d->has_begun) {
		*d = (struct deaths){ count, count, now_ms, true };
		return;
	}
	if (now_ms - d->start_ms < WINDOW_MS)
		return;
	d->before = d->at_start;
	d->at_start = count;
	d->start_ms = now_ms;
}

/* Of one to two windows: a burst at the border of two is not missed. */
uint32_t
deaths_recent(const struct deaths *d, uint32_t count)
{
	return d->has_begun ? count - d->before : 0;
}

/* --- /health -------------------------------------------------------------- */

static int64_t
uptime_s(const struct shm *m)
{
	return (clock_wall_us() - atomic_load(&m->started_wall_us)) / 1000000;
}

static void
get_facts(const struct pages *p, struct health_facts *f)
{
	const uint32_t restarts = atomic_load(&p->link->shm->restarts);

	snapshot_facts(p->link, clock_mono_ms(),
		deaths_recent(&p->deaths, restarts), f);
}

static void
put_workers(struct jout *j, const struct health_facts *f)
{
	jout_key(j, "workers");
	jout_obj(j);
	jout_kv_int(j, "expected", f->workers_expected);
	jout_kv_int(j, "ready", f->workers_ready);
	jout_kv_int(j, "silent", f->workers_silent);
	jout_kv_int(j, "starting", f->workers_starting);
	jout_kv_int(j, "draining", f->workers_draining);
	jout_obj_end(j);
}

static void
put_hosts(struct jout *j, const struct health_facts *f)
{
	jout_key(j, "hosts");
	jout_arr(j);
	for (size_t i = 0; i < f->nhosts; i++) {
		const struct health_host *const h = &f->hosts[i];

		jout_obj(j);
		jout_kv_span(j, "name", h->name);
		jout_kv_int(j, "addresses", (int64_t)h->addresses);
		if (h->addresses > 0 && !h->is_constant)
			jout_kv_int(j, "resolved_s_ago", h->age_ms / 1000);
		jout_obj_end(j);
	}
	jout_arr_end(j);
}

static void
make_health(const struct pages *p, struct http_answer *a)
{
	const struct shm *const m = p->link->shm;
	struct health_facts f;
	struct health h;
	struct jout j;

	get_facts(p, &f);
	health_judge(&f, &h);
	a->status = health_http_status(h.status);
	jout_init(&j, &a->body);
	jout_obj(&j);
	jout_kv_cstr(&j, "status", health_word(h.status));
	jout_key(&j, "reasons");
	jout_arr(&j);
	for (size_t i = 0; i < h.nreasons; i++)
		jout_cstr(&j, h.reasons[i]);
	jout_arr_end(&j);
	jout_kv_cstr(&j, "version", GLMPROXY_VERSION);
	jout_kv_int(&j, "uptime_s", uptime_s(m));
	jout_kv_int(
		&j, "generation", atomic_load(&link_slot(p->link)->generation));
	jout_kv_bool(&j, "draining", f.is_stopping);
	put_workers(&j, &f);
	jout_kv_int(&j, "restarts", atomic_load(&m->restarts));
	put_hosts(&j, &f);
	jout_obj_end(&j);
	buf_putc(&a->body, '\n');
}

/* --- /metrics ------------------------------------------------------------- */

static void
make_metrics(const struct pages *p, struct http_answer *a)
{
	struct health_facts f;
	struct health h;

	get_facts(p, &f);
	health_judge(&f, &h);
	exposition_put(p->link, &f, h.status == HEALTH_OK,
		uptime_s(p->link->shm), &a->body);
}

/* --- /api/usage ----------------------------------------------------------- */

static void
make_usage(const struct pages *p, struct http_answer *a)
{
	struct figures f;
	struct jout j;

	figures_take(&p->link->shm->usage, &f);
	jout_init(&j, &a->body);
	jout_obj(&j);
	jout_key(&j, "usage");
	figures_put_json(&f, &j);
	jout_obj_end(&j);
	buf_putc(&a->body, '\n');
}

/* --- / -------------------------------------------------------------------- */

static void
put_history(const struct pages *p, struct buf *b)
{
	struct history_state s;

	history_get_state(p->history, &s);
	buf_puts(b, "<h2>History</h2>\n<p>");
	if (!s.is_on) {
		buf_puts(b, "It is turned off.</p>\n");
		return;
	}
	buf_printf(b, "Rows written: %llu. Records lost: %llu.",
		(unsigned long long)s.rows, (unsigned long long)s.lost);
	if (!s.is_written) {
		buf_puts(b, " <b>It cannot be written: ");
		figures_put_text(b, s.why);
		buf_puts(b, ".</b>");
	}
	buf_puts(b, "</p>\n");
}

static void make_index(const struct pages *p, struct http_answer *a);

static const struct page pages[] = {
	{ SPAN_INIT("/"), make_index, "text/html; charset=utf-8", "this page" },
	{ SPAN_INIT("/health"), make_health, JSON,
		"state of the processes, as JSON; 503 when failing" },
	{ SPAN_INIT("/metrics"), make_metrics,
		"text/plain; version=0.0.4; charset=utf-8",
		"figures in the Prometheus text format" },
	{ SPAN_INIT("/api/usage"), make_usage, JSON,
		"requests, tokens and cache hits by client and model, as "
		"JSON" },
};

static void
make_index(const struct pages *p, struct http_answer *a)
{
	struct health_facts f;
	struct figures figures;
	struct health h;

	get_facts(p, &f);
	health_judge(&f, &h);
	figures_take(&p->link->shm->usage, &figures);
	http_out_field_cstr(&a->fields, "content-security-policy",
		"default-src 'none'; style-src 'unsafe-inline'; "
		"frame-ancestors 'none'");
	buf_printf(&a->body,
		"<!doctype html>\n<html lang=\"en\"><head>"
		"<meta charset=\"utf-8\"><title>glmproxy</title><style>"
		"body{font:16px/1.5 sans-serif;margin:3em;max-width:50em}"
		"td,th{text-align:right;padding:0 .6em}"
		"td:nth-child(-n+2),th:nth-child(-n+2){text-align:left}"
		"</style></head><body>\n<h1>glmproxy %s</h1>\n"
		"<p>The service is <b>%s</b>.</p>\n<ul>\n",
		GLMPROXY_VERSION, health_word(h.status));
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		buf_printf(&a->body, "<li><a href=\"%.*s\">%.*s</a>: %s</li>\n",
			SPAN_ARG(pages[i].path), SPAN_ARG(pages[i].path),
			pages[i].what);
	buf_puts(&a->body, "</ul>\n");
	put_history(p, &a->body);
	buf_puts(&a->body, "<h2>Tokens</h2>\n");
	figures_put_html(&figures, &a->body);
	buf_puts(&a->body, "</body></html>\n");
}

/* --- who may see what ----------------------------------------------------- */

static void
refuse(struct http_answer *a, unsigned status, const char *text)
{
	struct jout j;

	a->status = status;
	a->content_type = JSON;
	jout_init(&j, &a->body);
	jout_obj(&j);
	jout_kv_cstr(&j, "error", text);
	jout_obj_end(&j);
	buf_putc(&a->body, '\n');
}

/* Compared as hashes, so that the time taken says nothing about the token. */
static bool
has_token(const struct http_head *head, const struct secret *token)
{
	const struct span scheme = SPAN("bearer ");
	const struct span field = http_head_get(head, SPAN("authorization"));
	struct secret given;
	unsigned char given_hash[32];
	unsigned char hash[32];

	if (!span_istarts(field, scheme) ||
		!secret_set(&given, span_trim(span_from(field, scheme.n))))
		return false;
	secret_hash(&given, given_hash);
	secret_hash(token, hash);
	secret_wipe(&given);
	return secret_hash_eq(given_hash, hash);
}

/* False with a refusal in the answer. Where a token is needed, a browser cannot
 * be used by a foreign page, since it does not know it. */
static bool
is_allowed(const struct conf *conf, const struct http_head *head,
	struct http_answer *a)
{
	if (!secret_is_none(&conf->admin_token)) {
		if (has_token(head, &conf->admin_token))
			return true;
		refuse(a, 401, "the admin token is needed as a bearer token");
		http_out_field_cstr(&a->fields, "www-authenticate",
			"Bearer realm=\"glmproxy admin\"");
		return false;
	}
	if (!origin_host_is_ours(head, conf->allowed_hosts)) {
		refuse(a, 403,
			"this Host is not one of the service's; add it to "
			"allowed_hosts");
		return false;
	}
	if (origin_is_foreign(head, SPAN_EMPTY)) {
		refuse(a, 403, "requests from other sites are not served");
		return false;
	}
	return true;
}

void
pages_answer(void *ctx, const struct http_head *head, struct http_answer *a)
{
	const struct pages *const p = ctx;

	if (!is_allowed(p->link->conf, head, a))
		return;
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (!span_eq(head->path, pages[i].path))
			continue;
		if (head->method != HTTP_METHOD_GET &&
			head->method != HTTP_METHOD_HEAD) {
			refuse(a, 405, "only GET and HEAD are served here");
			http_out_field_cstr(&a->fields, "allow", "GET, HEAD");
			return;
		}
		a->content_type = pages[i].content_type;
		pages[i].make(p, a);
		return;
	}
	refuse(a, 404, "there is no such page");
}
