/* SPDX-License-Identifier: MIT */
/*
 * zai_util.h - a request from a client's bytes to the vendor's, by tables.
 *
 * `sent` holds the fields of a request beside model, messages and, where the
 * client's dialect must have it, max_tokens; `want` those of the upstream
 * request beside model and messages. A whole request in `sent` ('{') wants a
 * whole one. "!param" wants a refusal.
 */
#ifndef TESTS_UNIT_ZAI_UTIL_H
#define TESTS_UNIT_ZAI_UTIL_H

#include <stdlib.h>

#include "shared/translate/llm_normal.h"
#include "shared/translate/profile.h"
#include "tests/lib/t.h"

#define DIALECT(name, base, expected, overflow)                                \
	extern const struct dialect name;
#include "shared/translate/dialects.def"
#undef DIALECT

#define OUT_MAX  (1u << 20)
#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":"
#define HI_PLAIN MESSAGES "\"hi\"}]"
#define HI_BLOCK MESSAGES "[{\"type\":\"text\",\"text\":\"hi\"}]}]"

/* Client and upstream: O is Chat Completions, A is Messages. */
enum pair {
	OA,
	OO,
	AO,
	AA
};

#define FORCE_ON     1u
#define FORCE_OFF    2u
#define NO_REPLAY    4u
#define COUNT_TOKENS 8u

struct zai_case {
	const char *name;
	enum pair pair;
	const char *model, *sent, *want, *notices;
	size_t flags;
};

struct zai_run {
	struct arena arena;
	struct jdoc doc;
	struct llm_req req;
	struct llm_wire wire;
	struct buf body, out, notices;
	struct gp_error err;
};

static const struct dialect *
client_of(enum pair p)
{
	return p == OA || p == OO ? &dialect_openai : &dialect_anthropic;
}

static const struct dialect *
upstream_of(enum pair p)
{
	return p == OO || p == AO ? &dialect_openai : &dialect_anthropic;
}

static void
put_sent(struct buf *b, const struct zai_case *c)
{
	const bool is_a = client_of(c->pair) == &dialect_anthropic;

	if (c->sent[0] == '{') {
		buf_puts(b, c->sent);
		return;
	}
	buf_printf(b, "{\"model\":\"m\",%s", HI_PLAIN);
	if (is_a && strstr(c->sent, "\"max_tokens\"") == NULL)
		buf_puts(b, ",\"max_tokens\":100");
	buf_printf(b, "%s%s}", c->sent[0] == '\0' ? "" : ",", c->sent);
}

static void
replace(struct buf *b, struct span part, struct span with)
{
	const struct span s = buf_span(b);
	const size_t at = span_find(s, part);
	char *const p = b->data + b->head + at;

	if (at == s.n)
		return;
	memmove(p + with.n, p + part.n, s.n - at - part.n);
	memcpy(p, with.p, with.n);
	buf_truncate(b, s.n - part.n + with.n);
}

/* Leave the fields that a case is about. */
static void
strip(struct zai_run *z, const struct zai_case *c)
{
	struct buf *const b = &z->out;

	replace(b,
		upstream_of(c->pair) == &dialect_anthropic ? SPAN(HI_BLOCK) :
							     SPAN(HI_PLAIN),
		SPAN_EMPTY);
	replace(b, SPAN("{\"model\":\""), SPAN_EMPTY);
	replace(b, span_cstr(c->model), SPAN_EMPTY);
	/* Commas that have lost a neighbour. */
	replace(b, SPAN(",,"), SPAN(","));
	replace(b, SPAN("\","), SPAN_EMPTY);
	replace(b, SPAN(",}"), SPAN("}"));
	buf_truncate(b, buf_len(b) - 1);
}

static const struct model_info *
info_of(const char *name)
{
	const struct model_info *const m =
		profile_model(&profile_zai, span_cstr(name));

	assert_non_null(m);
	return m;
}

/* Everything up to the bytes for upstream. */
static enum gp_code
run_case(struct zai_run *z, const struct zai_case *c)
{
	const struct dialect *const client = client_of(c->pair);
	const struct dialect *const up = upstream_of(c->pair);
	const struct profile_options options = {
		.default_max_tokens = 32768,
		.force_thinking = (c->flags & FORCE_ON) != 0 ? 1 :
			(c->flags & FORCE_OFF) != 0          ? 0 :
							       -1,
		.replay_reasoning = (c->flags & NO_REPLAY) == 0,
	};
	struct jout j;
	enum gp_code rc;

	put_sent(&z->body, c);
	llm_req_init(&z->req, &z->arena,
		(c->flags & COUNT_TOKENS) != 0 ? LLM_COUNT : LLM_CHAT);
	assert_ok(jdoc_parse(&z->doc, buf_span(&z->body), &z->err), &z->err);
	rc = client->req_decode(&z->doc, &z->req, &z->err);
	if (rc == GP_OK)
		rc = profile_zai.adopt(&z->doc, &z->req, &z->err);
	if (rc == GP_OK)
		rc = profile_zai.adapt(&z->req, client, up, info_of(c->model),
			&options, &z->wire, &z->err);
	if (rc != GP_OK)
		return rc;
	if (client == up && client->req_copy != NULL)
		return client->req_copy(&z->doc, &z->req, span_cstr(c->model),
			&z->out, &z->err);
	llm_normalise(&z->req);
	jout_init(&j, &z->out);
	up->req_encode(&z->req, span_cstr(c->model), &z->wire, &j);
	return GP_OK;
}

static void
zai_run_init(struct zai_run *z)
{
	memset(z, 0, sizeof(*z));
	arena_init(&z->arena);
	jdoc_init(&z->doc);
	buf_init(&z->body, OUT_MAX);
	buf_init(&z->out, OUT_MAX);
	buf_init(&z->notices, OUT_MAX);
}

static void
zai_run_fini(struct zai_run *z)
{
	buf_fini(&z->body);
	buf_fini(&z->out);
	buf_fini(&z->notices);
	jdoc_fini(&z->doc);
	arena_fini(&z->arena);
}

static bool
is_as_wanted(struct zai_run *z, const struct zai_case *c)
{
	const enum gp_code rc = run_case(z, c);

	if (c->want[0] == '!')
		return rc == GP_E_SCHEMA &&
			strcmp(z->err.param, c->want + 1) == 0 &&
			z->err.text[0] != '\0';
	if (rc != GP_OK)
		return false;
	notices_print(&z->req.notices, &z->notices);
	if (c->sent[0] != '{')
		strip(z, c);
	return span_eq(buf_span(&z->out), span_cstr(c->want)) &&
		span_eq(buf_span(&z->notices), span_cstr(c->notices));
}

static void
check_cases(const struct zai_case *cases, size_t n)
{
	size_t failed = 0;

	for (size_t i = 0; i < n; i++) {
		struct zai_run z;

		zai_run_init(&z);
		if (!is_as_wanted(&z, &cases[i])) {
			print_error("%s:\n got  %.*s [%.*s] %s %s\n want %s "
				    "[%s]\n",
				cases[i].name, SPAN_ARG(buf_span(&z.out)),
				SPAN_ARG(buf_span(&z.notices)), z.err.param,
				z.err.text, cases[i].want, cases[i].notices);
			failed++;
		}
		zai_run_fini(&z);
	}
	assert_int_equal(failed, 0);
}

#define CHECK_CASES(cases) check_cases((cases), ARRAY_LEN(cases))

#endif
