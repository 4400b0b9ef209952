/* SPDX-License-Identifier: MIT */
/* logs_lines.c - what the log files say of a record. */
#include "admin/logs_lines.h"

#include <stdio.h>
#include <time.h>

#include "shared/base/check.h"
#include "shared/json/jout.h"

#define TIME_MAX  40
#define EVERY     100 /* requests */
#define LEAST_MS  1000
#define MOST_MS   60000
#define MINUTE_MS 60000.0
#define REASON    "context_limit_exceeded"

/* --- fields --------------------------------------------------------------- */

/* 2026-11-01T12:00:00.123456Z */
static void
put_time(struct jout *j, int64_t wall_us)
{
	const time_t s = (time_t)(wall_us / 1000000);
	char text[TIME_MAX];
	struct tm tm;
	size_t n;

	(void)gmtime_r(&s, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(
		text + n, sizeof(text) - n, ".%06dZ", (int)(wall_us % 1000000));
	jout_kv_cstr(j, "timestamp", text);
}

/* Milliseconds with three places; null if it is not known. */
static void
put_ms(struct jout *j, const char *key, int64_t us)
{
	char text[32];
	int n;

	if (us < 0) {
		jout_kv_null(j, key);
		return;
	}
	n = snprintf(text, sizeof(text), "%lld.%03d", (long long)(us / 1000),
		(int)(us % 1000));
	jout_kv_raw(j, key, (struct jraw){ span_of(text, (size_t)n) });
}

static void
put_known(struct jout *j, const char *key, int64_t n)
{
	if (n < 0)
		jout_kv_null(j, key);
	else
		jout_kv_int(j, key, n);
}

static void
put_known_text(struct jout *j, const char *key, struct span s)
{
	if (s.n == 0)
		jout_kv_null(j, key);
	else
		jout_kv_span(j, key, s);
}

static void
put_body(struct jout *j, const struct logs_body *body)
{
	if (body == NULL || !body->is_there)
		return;
	jout_kv_span(j, "body", body->text);
	jout_kv_int(j, "body_missing_bytes", body->missing_bytes);
}

/* With what every line begins. */
static void
put_head(struct jout *j, const char *type, const struct record *r,
	int64_t wall_us)
{
	put_time(j, wall_us);
	jout_kv_cstr(j, "type", type);
	jout_kv_span(j, "req_id", r->request);
	jout_kv_span(j, "client", r->client);
	jout_kv_span(j, "dialect", r->dialect);
	put_known_text(j, "upstream", r->upstream);
	jout_kv_cstr(j, "endpoint_type", r->vision != 0 ? "vision" : "text");
	jout_kv_cstr(j, "route", r->is_count != 0 ? "count_tokens" : "chat");
	put_known_text(j, "model_asked", r->asked);
	put_known_text(j, "model", r->model);
}

static bool
is_success(const struct record *r)
{
	return r->status < 400 && r->broken == 0 && r->cancelled == 0;
}

/* --- lines ---------------------------------------------------------------- */

static void
put_request(
	struct jout *j, const struct record *r, const struct logs_body *body)
{
	put_head(j, "upstream_request", r, r->time_us);
	jout_kv_bool(j, "stream", r->streamed != 0);
	jout_kv_int(j, "message_count", r->messages);
	put_known(j, "max_tokens", r->max_tokens > 0 ? r->max_tokens : -1);
	if (r->thinking < 0)
		jout_kv_null(j, "thinking");
	else
		jout_kv_bool(j, "thinking", r->thinking != 0);
	jout_kv_int(j, "request_bytes", r->bytes_in);
	jout_kv_int(j, "payload_bytes", r->bytes_sent);
	jout_kv_int(j, "context_limit", r->window);
	jout_kv_int(j, "retries", r->retries);
	jout_kv_span(j, "notices", r->notices);
	put_body(j, body);
}

static void
put_response(
	struct jout *j, const struct record *r, const struct logs_body *body)
{
	put_head(j, "upstream_response", r, r->time_us + r->total_us);
	jout_kv_bool(j, "success", is_success(r));
	jout_kv_int(j, "status_code", r->status);
	put_known_text(j, "error", r->error);
	put_known(j, "zai_code", r->code > 0 ? r->code : -1);
	jout_kv_bool(j, "cancelled", r->cancelled != 0);
	jout_kv_bool(j, "broken", r->broken != 0);
	jout_kv_bool(j, "reused", r->reused != 0);
	put_ms(j, "response_time_ms", r->total_us);
	put_ms(j, "first_byte_ms", r->first_us);
	put_ms(j, "upstream_head_ms", r->head_us);
	put_ms(j, "upstream_body_ms", r->body_us);
	jout_kv_int(j, "upstream_bytes", r->bytes_received);
	jout_kv_int(j, "content_length", r->bytes_out);
	put_known(j, "input_tokens", r->input);
	put_known(j, "cached_tokens", r->cached);
	put_known(j, "output_tokens", r->output);
	put_known(j, "shown_input_tokens", r->shown_input);
	put_known(j, "shown_cached_tokens", r->shown_cached);
	put_known(j, "shown_output_tokens", r->shown_output);
	put_body(j, body);
}

static void
put_failure(struct jout *j, const struct record *r)
{
	put_head(j, "error", r, r->time_us + r->total_us);
	jout_kv_cstr(j, "event", "request_failed");
	jout_kv_span(j, "error", r->error);
	jout_kv_int(j, "status_code", r->status);
	put_known(j, "zai_code", r->code > 0 ? r->code : -1);
	jout_kv_bool(j, "broken", r->broken != 0);
	jout_kv_int(j, "retries", r->retries);
	put_ms(j, "response_time_ms", r->total_us);
}

static void
put_truncation(struct jout *j, const struct record *r)
{
	put_head(j, "warning", r, r->time_us);
	jout_kv_cstr(j, "event", "context_truncation");
	jout_kv_cstr(j, "reason", REASON);
	jout_kv_int(j, "context_limit", r->window);
	jout_kv_int(j, "message_count", r->messages);
	jout_kv_int(j, "messages_removed", r->removed);
	jout_kv_int(j, "original_tokens", r->original_tokens);
	put_known(j, "input_tokens", r->input);
}

unsigned
logs_lines_of(const struct record *r)
{
	unsigned lines = 0;

	/* What never went upstream is no request to it. */
	if (r->upstream.n > 0)
		lines |= 1u << LOG_REQUESTS | 1u << LOG_RESPONSES;
	if (r->error.n > 0)
		lines |= 1u << LOG_ERRORS;
	if (r->removed > 0)
		lines |= LOGS_LINE_TRUNCATED;
	return lines;
}

unsigned
logs_count_lines(unsigned lines)
{
	return (unsigned)__builtin_popcount(lines);
}

void
logs_put_line(struct buf *out, unsigned line, const struct record *r,
	const struct logs_body *body)
{
	struct jout j;

	jout_init(&j, out);
	jout_obj(&j);
	switch (line) {
	case 1u << LOG_REQUESTS:
		put_request(&j, r, body);
		break;
	case 1u << LOG_RESPONSES:
		put_response(&j, r, body);
		break;
	case 1u << LOG_ERRORS:
		put_failure(&j, r);
		break;
	case LOGS_LINE_TRUNCATED:
		put_truncation(&j, r);
		break;
	default:
		GP_UNREACHED();
	}
	jout_obj_end(&j);
	buf_putc(out, '\n');
}

/* --- sums ----------------------------------------------------------------- */

void
logs_sums_begin(struct logs_sums *s, int64_t now_ms)
{
	*s = (struct logs_sums){ .begun_ms = now_ms };
}

void
logs_sums_add(struct logs_sums *s, const struct record *r)
{
	s->requests++;
	s->failed += r->status >= 400 && r->cancelled == 0;
	s->failed += r->broken != 0;
	s->cancelled += r->cancelled != 0;
	s->streamed += r->streamed != 0;
	s->counts += r->is_count != 0;
	s->firsts += r->first_us >= 0;
	s->first_us += MAX(r->first_us, 0);
	s->total_us += r->total_us;
	s->longest_us = MAX(s->longest_us, r->total_us);
	s->input += MAX(r->input, 0);
	s->cached += MAX(r->cached, 0);
	s->output += MAX(r->output, 0);
	s->bytes_in += r->bytes_in;
	s->bytes_out += r->bytes_out;
}

bool
logs_sums_are_due(const struct logs_sums *s, int64_t now_ms)
{
	const int64_t age_ms = now_ms - s->begun_ms;

	return s->requests > 0 &&
		(age_ms >= MOST_MS ||
			(s->requests >= EVERY && age_ms >= LEAST_MS));
}

void
logs_put_sums(struct buf *out, const struct logs_sums *s, uint64_t total,
	int64_t now_ms, int64_t now_wall_us)
{
	const int64_t age_ms = MAX(now_ms - s->begun_ms, 1);
	const int64_t n = (int64_t)MAX(s->requests, 1);
	char rate[32];
	struct jout j;
	int length;

	length = snprintf(rate, sizeof(rate), "%.1f",
		(double)s->requests * MINUTE_MS / (double)age_ms);
	jout_init(&j, out);
	jout_obj(&j);
	put_time(&j, now_wall_us);
	jout_kv_cstr(&j, "type", "performance_metrics");
	jout_kv_int(&j, "total_requests", (int64_t)total);
	put_ms(&j, "avg_response_time_ms", s->total_us / n);
	jout_kv_raw(&j, "requests_per_minute",
		(struct jraw){ span_of(rate, (size_t)length) });
	jout_kv_int(&j, "period_ms", age_ms);
	jout_kv_int(&j, "requests", (int64_t)s->requests);
	jout_kv_int(&j, "count_tokens", (int64_t)s->counts);
	jout_kv_int(&j, "failed", (int64_t)s->failed);
	jout_kv_int(&j, "cancelled", (int64_t)s->cancelled);
	jout_kv_int(&j, "streamed", (int64_t)s->streamed);
	put_ms(&j, "max_response_time_ms", s->longest_us);
	put_ms(&j, "avg_first_byte_ms",
		s->firsts > 0 ? s->first_us / (int64_t)s->firsts : -1);
	jout_kv_int(&j, "input_tokens", s->input);
	jout_kv_int(&j, "cached_tokens", s->cached);
	jout_kv_int(&j, "output_tokens", s->output);
	jout_kv_int(&j, "request_bytes", s->bytes_in);
	jout_kv_int(&j, "response_bytes", s->bytes_out);
	jout_obj_end(&j);
	buf_putc(out, '\n');
}
