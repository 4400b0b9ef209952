/* SPDX-License-Identifier: MIT */
/* profile_zai_request.c - what an endpoint and a model of z.ai accept. */
#include "shared/base/sha256.h"
#include "shared/translate/llm_normal.h"
#include "shared/translate/profile_zai.h"

#define BUDGET_MIN 1024 /* tokens; what the Messages dialect takes */

#define USER_MIN   6
#define USER_MAX   128
#define USER_HASH  32 /* hex digits */

#define JSON_ASKED                                                             \
	"Respond with a single JSON value and nothing else: no code fence, "   \
	"no explanation."
#define SCHEMA_ASKED JSON_ASKED " It must be valid under this JSON Schema:\\n"

/* --- limits --------------------------------------------------------------- */

static void
clamped(struct llm_req *r, const char *what)
{
	notice_add(&r->notices, "clamped", span_cstr(what));
}

static void
clamp_max_tokens(struct llm_req *r, const struct model_info *m)
{
	if (m->max_output_tokens <= 0 || r->max_tokens <= m->max_output_tokens)
		return;
	r->max_tokens = m->max_output_tokens;
	clamped(r, "max_tokens");
}

/* A budget is part of max_tokens. Some clients send the same figure for both;
 * below the least budget there is nothing that could be right. */
static void
clamp_budget(struct llm_req *r)
{
	if (r->max_tokens <= BUDGET_MIN ||
		r->think.budget_tokens < r->max_tokens)
		return;
	r->think.budget_tokens = r->max_tokens - 1;
	clamped(r, "budget_tokens");
}

static enum gp_code
adapt_max_tokens(const struct zai_adapt *z, const struct dialect *upstream,
	struct gp_error *err)
{
	struct llm_req *const r = z->req;

	/* 0 asks for no answer at all, which only its own dialect can say. */
	if (r->max_tokens == 0 && z->client->needs_max_tokens) {
		(void)gp_fail(
			err, GP_E_SCHEMA, "max_tokens must be at least 1");
		return gp_fail_at(err, GP_E_SCHEMA, "max_tokens");
	}
	if (r->max_tokens == 0 && upstream->needs_max_tokens) {
		r->max_tokens = z->options->default_max_tokens;
		if (z->model->max_output_tokens > 0)
			r->max_tokens =
				MIN(r->max_tokens, z->model->max_output_tokens);
	}
	clamp_max_tokens(r, z->model);
	return GP_OK;
}

/* value, 0 to 1, with two decimals. */
static struct jraw
hundredths(struct arena *a, double value)
{
	const int n = (int)(value * 100 + 0.5);

	if (n % 100 == 0)
		return n == 0 ? JRAW("0") : JRAW("1");
	if (n % 10 == 0)
		return (struct jraw){ arena_printf(a, "0.%d", n / 10) };
	return (struct jraw){ arena_printf(a, "0.%02d", n) };
}

static bool
has_more_decimals(double value)
{
	const double n = value * 100;
	const double rest = n - (double)(int)(n + 0.5);

	return rest > 1e-6 || rest < -1e-6;
}

static void
adapt_temperature(const struct zai_adapt *z)
{
	struct llm_number *const t = &z->req->temperature;

	if (jraw_is_none(t->raw))
		return;
	if (t->value > 1) {
		*t = (struct llm_number){ JRAW("1"), 1 };
		clamped(z->req, "temperature");
	} else if (z->is_chat && has_more_decimals(t->value)) {
		t->raw = hundredths(z->req->arena, t->value);
		clamped(z->req, "temperature");
	}
}

static void
adapt_top_p(const struct zai_adapt *z)
{
	struct llm_number *const p = &z->req->top_p;

	if (!z->is_chat || jraw_is_none(p->raw) || p->value >= 0.01)
		return;
	*p = (struct llm_number){ JRAW("0.01"), 0.01 };
	clamped(z->req, "top_p");
}

/* --- the user ------------------------------------------------------------- */

static struct jesc
hashed(struct arena *a, struct span s)
{
	char *const hex = arena_alloc(a, USER_HASH + 1);

	sha256_hex(s, hex, USER_HASH);
	return (struct jesc){ { hex, USER_HASH } };
}

static size_t
count_chars(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((uint8_t)s.p[i] & 0xc0) != 0x80 ? 1 : 0;
	return n;
}

/* The Messages endpoint has the field; the other one has its own. */
static void
adapt_user(const struct zai_adapt *z)
{
	struct llm_req *const r = z->req;
	const struct span plain = jtext_unescape_dup(r->arena, r->user_id);
	const size_t n = count_chars(plain);
	struct span quoted;

	if (plain.n == 0)
		return;
	if (z->is_chat ? n < USER_MIN || n > USER_MAX :
			 span_find_char(plain, '@') < plain.n)
		r->user_id = hashed(r->arena, plain);
	if (!z->is_chat)
		return;
	quoted = arena_printf(r->arena, "\"%.*s\"", SPAN_ARG(r->user_id.s));
	zai_add_field(r, JESC("user_id"), (struct jraw){ quoted });
}

/* --- the answer's format -------------------------------------------------- */

/* A text part behind all other system text in front of the conversation. */
static void
append_system(struct llm_req *r, struct jesc text)
{
	size_t at = 0;

	while (at < r->turns.n && r->turns.v[at].role == LLM_SYSTEM)
		at++;
	if (at == 0) {
		(void)llm_add_turn(r, LLM_SYSTEM, 0);
		memmove(r->turns.v + 1, r->turns.v,
			(r->turns.n - 1) * sizeof(*r->turns.v));
		r->turns.v[0] = (struct llm_turn){ .role = LLM_SYSTEM };
		at = 1;
	}
	llm_add_text(r, &r->turns.v[at - 1].parts, text);
}

static struct jesc
schema_text(struct arena *a, struct jraw schema)
{
	const struct jesc text = jtext_escape_dup(a, schema.s);
	const struct span ask = SPAN(SCHEMA_ASKED);
	char *const p = arena_alloc(a, ask.n + text.s.n);

	memcpy(p, ask.p, ask.n);
	memcpy(p + ask.n, text.s.p, text.s.n);
	return (struct jesc){ { p, ask.n + text.s.n } };
}

/* Only the Chat Completions endpoint, with text models, has a JSON mode; a
 * schema can be asked for in words only. */
static void
adapt_format(const struct zai_adapt *z)
{
	const bool has_json = z->is_chat && !z->model->is_vision;
	struct llm_req *const r = z->req;

	if (r->format == LLM_FORMAT_TEXT ||
		(r->format == LLM_FORMAT_JSON && has_json))
		return;
	append_system(r,
		r->format == LLM_FORMAT_SCHEMA &&
				!jraw_is_none(r->format_schema) ?
			schema_text(r->arena, r->format_schema) :
			JESC(JSON_ASKED));
	notice_add(&r->notices, "emulated", SPAN("response_format"));
	r->format = has_json ? LLM_FORMAT_JSON : LLM_FORMAT_TEXT;
	r->format_schema = JRAW_NONE;
}

/* --- images --------------------------------------------------------------- */

/* Formats that the vendor does not list are sent all the same. */
static void
note_images(struct llm_req *r, const struct llm_parts *parts)
{
	for (size_t i = 0; i < parts->n; i++) {
		const struct llm_part *const p = &parts->v[i];

		if (p->kind != LLM_PART_IMAGE || p->image.is_url)
			continue;
		if (jesc_eq(p->image.media_type, SPAN("image/gif")))
			notice_add(&r->notices, "unlisted", SPAN("gif"));
		else if (jesc_eq(p->image.media_type, SPAN("image/webp")))
			notice_add(&r->notices, "unlisted", SPAN("webp"));
	}
}

static void
note_all_images(struct llm_req *r)
{
	for (size_t i = 0; i < r->turns.n; i++) {
		const struct llm_parts *const parts = &r->turns.v[i].parts;

		note_images(r, parts);
		for (size_t k = 0; k < parts->n; k++)
			note_images(r, &parts->v[k].parts);
	}
}

/* --- everything ----------------------------------------------------------- */

static enum gp_code
adapt_knobs(const struct zai_adapt *z, const struct dialect *upstream,
	struct gp_error *err)
{
	const enum gp_code rc = adapt_max_tokens(z, upstream, err);

	if (rc != GP_OK)
		return rc;
	adapt_temperature(z);
	adapt_top_p(z);
	adapt_user(z);
	return GP_OK;
}

enum gp_code
zai_adapt(struct llm_req *r, const struct dialect *client,
	const struct dialect *upstream, const struct model_info *m,
	const struct profile_options *o, struct llm_wire *wire,
	struct gp_error *err)
{
	const struct zai_adapt z = {
		.req = r,
		.client = client,
		.model = m,
		.options = o,
		.is_chat = upstream == &dialect_openai,
	};
	enum gp_code rc = GP_OK;

	if (profile_copies(o, client, upstream)) {
		clamp_max_tokens(r, m);
		clamp_budget(r);
		return GP_OK;
	}
	if (r->purpose == LLM_CHAT)
		rc = adapt_knobs(&z, upstream, err);
	if (rc != GP_OK)
		return rc;
	adapt_format(&z);
	zai_adapt_thinking(&z);
	zai_adapt_tools(&z);
	if (!z.is_chat)
		return GP_OK;
	note_all_images(r);
	/* "messages parameter is illegal", whatever was thought. */
	llm_drop_lone_thinking(r);
	wire->fills_description = true;
	wire->is_text_only = !m->is_vision;
	wire->streams_usage = true;
	/* Upstream would cut the match away without saying which it was. */
	wire->stops = client->reports_stop ? LLM_STOPS_NONE : LLM_STOPS_FIRST;
	return GP_OK;
}
