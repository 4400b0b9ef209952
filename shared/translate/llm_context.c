/* SPDX-License-Identifier: MIT */
/* llm_context.c - what a client is told of tokens and of the context window. */
#include "shared/translate/llm_context.h"

/* Tenths of a percent above which a window is said to fill up. */
#define WARNING_TENTHS  600
#define CRITICAL_TENTHS 800

/* --- scaling -------------------------------------------------------------- */

static int64_t
bounded(int64_t n)
{
	return MIN(MAX(n, 0), LLM_TOKENS_MAX);
}

int64_t
llm_scale_tokens(int64_t n, struct llm_scale f)
{
	int64_t whole, rest;

	if (n <= 0 || f.to == f.from)
		return n;
	n = bounded(n);
	/* The product itself might not fit. */
	whole = n / f.from;
	rest = (n % f.from * f.to + f.from - 1) / f.from;
	return whole > LLM_TOKENS_MAX / f.to ? LLM_TOKENS_MAX :
					       bounded(whole * f.to + rest);
}

struct llm_usage
llm_scale_usage(const struct llm_usage *real, struct llm_scale f)
{
	struct llm_usage u = *real;
	int64_t input;

	if (f.to == f.from)
		return u;
	u.cache_read = llm_scale_tokens(u.cache_read, f);
	u.cache_write = llm_scale_tokens(u.cache_write, f);
	u.output = llm_scale_tokens(u.output, f);
	u.reasoning = llm_scale_tokens(u.reasoning, f);
	if (u.input < 0)
		return u;
	input = llm_scale_tokens(llm_fill_of(real).input, f);
	u.input = MAX(input - MAX(u.cache_read, 0) - MAX(u.cache_write, 0), 0);
	return u;
}

struct llm_fill
llm_fill_of(const struct llm_usage *real)
{
	struct llm_fill fill = {
		.input = -1,
		.output = real->output < 0 ? -1 : bounded(real->output),
		.is_estimate = real->is_estimate,
	};

	if (real->input >= 0)
		fill.input = bounded(real->input) + bounded(real->cache_read) +
			bounded(real->cache_write);
	return fill;
}

/* --- the window ----------------------------------------------------------- */

/* Tenths of a percent, rounded. */
static int64_t
tenths(const struct llm_context *c, int64_t used)
{
	return (used * 1000 + c->limit / 2) / c->limit;
}

static const char *
level_of(int64_t tenths_used)
{
	return tenths_used > CRITICAL_TENTHS ? "critical" :
		tenths_used > WARNING_TENTHS ? "warning" :
					       "ok";
}

static const char *
note_of(int64_t tenths_used)
{
	if (tenths_used > CRITICAL_TENTHS)
		return "critical: over 80 % of the context is used; compact "
		       "the conversation now";
	if (tenths_used > WARNING_TENTHS)
		return "warning: over 60 % of the context is used; use these "
		       "values to manage context and avoid truncation";
	return "Use these values to manage context and avoid truncation";
}

static const char *
endpoint_of(const struct llm_context *c)
{
	return c->is_vision ? "vision" : "text";
}

static bool
is_known(const struct llm_context *c, const struct llm_fill *fill)
{
	return c->limit > 0 && fill->input >= 0;
}

/* "61.3" */
static struct span
print_percent(char text[32], int64_t tenths_used)
{
	size_t at = 32;

	text[--at] = (char)('0' + tenths_used % 10);
	text[--at] = '.';
	tenths_used /= 10;
	do {
		text[--at] = (char)('0' + tenths_used % 10);
		tenths_used /= 10;
	} while (tenths_used > 0);
	return span_of(text + at, 32 - at);
}

static void
put_removed(struct jout *j, const struct llm_context *c)
{
	const struct llm_removed *const r = &c->removed;

	if (r->messages == 0)
		return;
	jout_kv_int(j, "original_tokens", r->original_tokens);
	jout_kv_int(j, "messages_removed", r->messages);
	jout_kv_cstr(j, "truncation_reason", r->reason);
	jout_kv_cstr(j, "client_note",
		"the oldest messages were left out of this request; compact "
		"the conversation so that nothing is lost");
}

void
llm_context_put_info(struct jout *j, const struct llm_context *c,
	const struct llm_fill *fill, bool with_output)
{
	char text[32];
	int64_t used;

	if (!c->is_shown || !is_known(c, fill))
		return;
	used = tenths(c, fill->input);
	jout_key(j, "context_info");
	jout_obj(j);
	jout_kv_int(j, "real_input_tokens", fill->input);
	if (with_output && fill->output >= 0)
		jout_kv_int(j, "real_output_tokens", fill->output);
	jout_kv_int(j, "context_hard_limit", c->limit);
	jout_kv_cstr(j, "endpoint_type", endpoint_of(c));
	jout_key(j, "utilization_percent");
	jout_raw(j, (struct jraw){ print_percent(text, used) });
	jout_kv_int(j, "available_tokens", MAX(c->limit - fill->input, 0));
	if (fill->is_estimate)
		jout_kv_bool(j, "estimated", true);
	jout_kv_bool(j, "truncated", c->removed.messages > 0);
	put_removed(j, c);
	jout_kv_cstr(j, "note", note_of(used));
	jout_obj_end(j);
}

void
llm_context_put_usage(struct jout *j, const struct llm_context *c,
	const struct llm_fill *fill)
{
	char text[32];

	if (!c->is_shown || !is_known(c, fill))
		return;
	jout_kv_int(j, "real_input_tokens", fill->input);
	if (fill->output >= 0)
		jout_kv_int(j, "real_output_tokens", fill->output);
	jout_kv_int(j, "context_limit", c->limit);
	jout_key(j, "context_utilization");
	jout_str_begin(j);
	jout_str_span(j, print_percent(text, tenths(c, fill->input)));
	jout_str_span(j, SPAN("%"));
	jout_str_end(j);
	jout_kv_cstr(j, "endpoint_type", endpoint_of(c));
}

void
llm_context_put_field(struct buf *to, const struct llm_context *c,
	const struct llm_fill *fill)
{
	char text[32];
	int64_t used;

	if (!is_known(c, fill))
		return;
	used = tenths(c, fill->input);
	buf_puts(to, "used=");
	buf_put_u64(to, (uint64_t)fill->input);
	buf_puts(to, "; limit=");
	buf_put_u64(to, (uint64_t)c->limit);
	buf_puts(to, "; pct=");
	buf_put(to, print_percent(text, used));
	buf_puts(to, "; level=");
	buf_puts(to, level_of(used));
	buf_puts(to, fill->is_estimate ? "; estimated=1" : "; estimated=0");
}
