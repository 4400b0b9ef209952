/* SPDX-License-Identifier: MIT */
/* record.c - what was received, kept for tests to ask for. */
#include "tests/upstream/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/base/check.h"
#include "shared/base/utf8.h"
#include "shared/sys/clock.h"
#include "tests/upstream/standin.h"
#include "tests/upstream/text.h"

#define BODIES_MAX (64u << 20) /* bytes of all bodies together */

static struct {
	struct slot {
		struct entry *e;
	} * v; /* a ring of options.keep */

	uint64_t first, n;    /* counts of entries ever: first...n-1 are held */
	uint64_t bodies_from; /* those before have no body any more */
	size_t body_bytes;
	uint64_t last_n;
} ring;

static void
entry_unref(struct entry *e)
{
	if (--e->refs > 0)
		return;
	buf_fini(&e->facts);
	buf_fini(&e->body);
	free(e);
}

static struct entry *
at(uint64_t i)
{
	return ring.v[i % standin.options.keep].e;
}

static void
body_drop(struct entry *e)
{
	if (!e->has_body)
		return;
	ring.body_bytes -= e->body.len;
	e->has_body = false;
	buf_fini(&e->body);
	buf_init(&e->body, 0);
}

static void
ring_drop_first(void)
{
	struct entry *e = at(ring.first++);

	body_drop(e);
	entry_unref(e);
	ring.bodies_from = MAX(ring.bodies_from, ring.first);
}

static void
ring_put(struct entry *e)
{
	uint64_t keep = standin.options.keep;

	if (keep == 0)
		return;
	if (ring.v == NULL) {
		ring.v = calloc(keep, sizeof(*ring.v));
		GP_ASSERT(ring.v != NULL);
	}
	if (ring.n - ring.first == keep)
		ring_drop_first();
	ring.v[ring.n++ % keep].e = e;
	e->refs++;
	ring.body_bytes += e->body.len;
	while (ring.body_bytes > BODIES_MAX && ring.bodies_from < ring.n)
		body_drop(at(ring.bodies_from++));
}

/* --- one entry ------------------------------------------------------------ */

static void
put_member(struct buf *out, const char *name, struct span value)
{
	buf_printf(out, "\"%s\":", name);
	/* A path or header may hold any byte. */
	if (utf8_valid_len(value) == value.n) {
		text_put_string(out, value);
	} else {
		struct buf fixed;

		buf_init(&fixed, SIZE_MAX / 2);
		utf8_repair(value, &fixed);
		text_put_string(out, buf_span(&fixed));
		buf_fini(&fixed);
	}
	buf_putc(out, ',');
}

static void
put_headers(struct buf *out, const struct http_head *h)
{
	buf_puts(out, "\"headers\":[");
	for (size_t i = 0; i < h->nfields; i++) {
		buf_puts(out, i == 0 ? "[" : ",[");
		text_put_string(out, h->fields[i].name);
		buf_putc(out, ',');
		if (utf8_valid_len(h->fields[i].value) == h->fields[i].value.n)
			text_put_string(out, h->fields[i].value);
		else
			buf_puts(out, "\"?\"");
		buf_putc(out, ']');
	}
	buf_puts(out, "],");
}

static void
put_tls(struct buf *out, const struct tls_facts *tls)
{
	if (tls == NULL) {
		buf_puts(out, "\"tls\":null,");
		return;
	}
	buf_printf(out,
		"\"tls\":{\"version\":\"%s\",\"cipher\":\"%s\",\"resumed\":%s,"
		"\"sni\":",
		tls->version, tls->cipher, tls->is_resumed ? "true" : "false");
	text_put_string_or_null(out, span_cstr(tls->sni));
	buf_puts(out, "},");
}

static void
put_verdict(struct buf *out, const struct request *r)
{
	if (r->refused == 0)
		buf_puts(out, "\"verdict\":\"ok\"");
	else if (r->refused == REFUSE_STANDIN) {
		buf_puts(out, "\"verdict\":");
		text_put_string(out, span_cstr(r->why));
	} else {
		buf_printf(out, "\"verdict\":\"%u: ",
			r->refused == REFUSE_DETAIL ? 422 : r->refused);
		text_put_escaped(out, span_cstr(r->why));
		buf_putc(out, '"');
	}
}

static const char *
method_name(enum http_method method)
{
	switch (method) {
	case HTTP_METHOD_GET:
		return "GET";
	case HTTP_METHOD_HEAD:
		return "HEAD";
	case HTTP_METHOD_POST:
		return "POST";
	case HTTP_METHOD_OPTIONS:
		return "OPTIONS";
	case HTTP_METHOD_OTHER:
		break;
	}
	return "OTHER";
}

struct entry *
record_new(const struct request *r, uint64_t connection,
	const struct tls_facts *tls)
{
	struct entry *e;

	if (standin.options.keep == 0 && standin.options.record_dir == NULL)
		return NULL;
	e = calloc(1, sizeof(*e));
	GP_ASSERT(e != NULL);
	e->refs = 1;
	e->n = ++ring.last_n;
	e->arrived_ms = clock_mono_ms();
	buf_init(&e->facts, SIZE_MAX / 2);
	buf_printf(&e->facts,
		"\"n\":%llu,\"connection\":%llu,\"requests_on_connection\":%u,"
		"\"method\":\"%s\",",
		(unsigned long long)e->n, (unsigned long long)connection,
		r->on_connection, method_name(r->head->method));
	put_member(&e->facts, "path", r->head->path);
	put_member(&e->facts, "query", r->head->query);
	put_headers(&e->facts, r->head);
	put_tls(&e->facts, tls);
	put_member(&e->facts, "scenario", r->scenario.source);
	put_verdict(&e->facts, r);
	buf_init(&e->body, SIZE_MAX / 2);
	buf_put(&e->body, r->body);
	e->has_body = true;
	ring_put(e);
	return e;
}

static void
put_body(struct buf *out, const struct entry *e)
{
	struct span body = buf_span(&e->body);

	if (!e->has_body) {
		buf_puts(out, ",\"body\":null");
	} else if (utf8_valid_len(body) == body.n) {
		buf_puts(out, ",\"body\":");
		text_put_string(out, body);
	} else {
		buf_puts(out, ",\"body_hex\":\"");
		for (size_t i = 0; i < body.n; i++)
			buf_printf(out, "%02x", (unsigned char)body.p[i]);
		buf_putc(out, '"');
	}
}

static void
put_time(struct buf *out, const char *name, int64_t ms)
{
	if (ms == 0)
		buf_printf(out, ",\"%s\":null", name);
	else
		buf_printf(out, ",\"%s\":%lld", name, (long long)ms);
}

static void
put_entry(struct buf *out, const struct entry *e)
{
	static const char *const ends[] = { [END_OPEN] = "open",
		[END_DONE] = "done",
		[END_ABORTED] = "aborted",
		[END_CLOSED] = "closed" };

	buf_putc(out, '{');
	buf_put(out, buf_span(&e->facts));
	put_body(out, e);
	buf_printf(out, ",\"status\":%u", e->status);
	put_time(out, "arrived_ms", e->arrived_ms);
	put_time(out, "head_ms", e->head_ms);
	put_time(out, "done_ms", e->done_ms);
	put_time(out, "closed_by_peer_ms", e->closed_by_peer_ms);
	buf_printf(out, ",\"end\":\"%s\"}", ends[e->end]);
}

/* Under a name of its own first, so that nobody reads half a file. */
static void
write_file(const struct entry *e)
{
	char path[512], temporary[528];
	struct buf b;
	FILE *f;

	if (standin.options.processes > 1)
		(void)snprintf(path, sizeof(path), "%s/%d-%05llu.json",
			standin.options.record_dir, (int)getpid(),
			(unsigned long long)e->n);
	else
		(void)snprintf(path, sizeof(path), "%s/%05llu.json",
			standin.options.record_dir, (unsigned long long)e->n);
	(void)snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	buf_init(&b, SIZE_MAX / 2);
	put_entry(&b, e);
	buf_putc(&b, '\n');
	f = fopen(temporary, "we");
	if (f == NULL || fwrite(b.data, 1, b.len, f) != b.len)
		perror(temporary);
	if (f != NULL && (fclose(f) != 0 || rename(temporary, path) != 0))
		perror(path);
	buf_fini(&b);
}

void
record_end(struct entry *e, enum entry_end end)
{
	if (e == NULL || e->end != END_OPEN)
		return;
	e->end = end;
	e->done_ms = clock_mono_ms();
	if (standin.options.record_dir != NULL)
		write_file(e);
}

void
record_release(struct entry **e)
{
	if (*e != NULL)
		entry_unref(*e);
	*e = NULL;
}

/* --- the list ---------------------------------------------------------------
 */

void
record_list(struct buf *out, uint64_t since, uint64_t last)
{
	uint64_t from = ring.first;
	bool is_first = true;

	if (ring.n - from > last)
		from = ring.n - last;
	buf_putc(out, '[');
	for (; from < ring.n; from++) {
		if (at(from)->n <= since)
			continue;
		if (!is_first)
			buf_putc(out, ',');
		put_entry(out, at(from));
		is_first = false;
	}
	buf_putc(out, ']');
}

void
record_forget(void)
{
	while (ring.first < ring.n)
		ring_drop_first();
	ring.last_n = 0;
}
