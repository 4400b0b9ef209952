/* SPDX-License-Identifier: MIT */
/* profile_zai_failure.c - z.ai's errors: their class and their words. */
#include "shared/http/out.h"
#include "shared/translate/profile_zai.h"

#define PLAIN_MAX    200 /* bytes of what is no JSON */
#define NAME_MAX_LEN 128

/* "API parameter error", whatever is wrong. */
#define CODE_PARAMETER 1210

/* --- the vendor's codes --------------------------------------------------- */

static const struct {
	uint16_t first, last;
	enum llm_fail kind;
	const char *meaning; /* of those that tell of limits */
} codes[] = {
	{ 434, 434, LLM_FAIL_PERMISSION, NULL },
	{ 435, 435, LLM_FAIL_TOO_LARGE, NULL },
	{ 1000, 1005, LLM_FAIL_AUTH, NULL },
	{ 1110, 1112, LLM_FAIL_DEACTIVATED, NULL },
	{ 1113, 1113, LLM_FAIL_BILLING,
		"no balance is left, or the key is not for this endpoint" },
	{ 1120, 1121, LLM_FAIL_DEACTIVATED, NULL },
	{ 1200, 1200, LLM_FAIL_SERVER, NULL },
	{ 1210, 1210, LLM_FAIL_BAD_REQUEST, NULL },
	{ 1211, 1211, LLM_FAIL_MODEL_NOT_FOUND, NULL },
	{ 1212, 1215, LLM_FAIL_BAD_REQUEST, NULL },
	{ 1220, 1220, LLM_FAIL_PERMISSION, NULL },
	{ 1221, 1222, LLM_FAIL_NOT_FOUND, NULL },
	{ 1230, 1230, LLM_FAIL_SERVER, NULL },
	{ 1231, 1231, LLM_FAIL_CONFLICT, NULL },
	{ 1234, 1234, LLM_FAIL_SERVER, NULL },
	{ 1261, 1261, LLM_FAIL_CONTEXT, NULL },
	{ 1300, 1301, LLM_FAIL_CONTENT_POLICY, NULL },
	{ 1302, 1302, LLM_FAIL_RATE, "too many requests at once" },
	{ 1303, 1303, LLM_FAIL_RATE, "requests come too often" },
	{ 1304, 1304, LLM_FAIL_QUOTA, "the calls of the day are used up" },
	{ 1305, 1305, LLM_FAIL_OVERLOADED, "the model is overloaded" },
	{ 1308, 1308, LLM_FAIL_QUOTA,
		"the limit of the plan's window is used up" },
	{ 1309, 1309, LLM_FAIL_BILLING, "the plan has ended" },
	{ 1310, 1310, LLM_FAIL_QUOTA,
		"the weekly or monthly limit of the plan is used up" },
	{ 1311, 1311, LLM_FAIL_MODEL_NOT_ALLOWED, NULL },
	{ 1313, 1313, LLM_FAIL_FAIR_USE,
		"requests are slowed down by the fair-use policy" },
	{ 1314, 1314, LLM_FAIL_BILLING, "the plan has ended" },
	{ 1315, 1315, LLM_FAIL_PERMISSION, NULL },
	{ 1316, 1321, LLM_FAIL_QUOTA,
		"a limit of the plan or of spending is used up" },
};

static bool
kind_of_code(int64_t code, enum llm_fail *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (code >= codes[i].first && code <= codes[i].last) {
			*kind = codes[i].kind;
			return true;
		}
	}
	return false;
}

const char *
zai_meaning(int64_t code)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (code >= codes[i].first && code <= codes[i].last)
			return codes[i].meaning;
	return NULL;
}

static const struct {
	unsigned status;
	enum llm_fail kind;
} statuses[] = {
	{ 400, LLM_FAIL_BAD_REQUEST },
	{ 401, LLM_FAIL_AUTH },
	{ 402, LLM_FAIL_BILLING },
	{ 403, LLM_FAIL_PERMISSION },
	{ 404, LLM_FAIL_NOT_FOUND },
	{ 408, LLM_FAIL_REQUEST_TIMEOUT },
	{ 409, LLM_FAIL_CONFLICT },
	{ 413, LLM_FAIL_TOO_LARGE },
	{ 415, LLM_FAIL_MEDIA_TYPE },
	{ 422, LLM_FAIL_BAD_REQUEST },
	{ 429, LLM_FAIL_RATE },
	{ 431, LLM_FAIL_HEAD_TOO_LARGE },
	{ 500, LLM_FAIL_SERVER },
	{ 502, LLM_FAIL_UPSTREAM },
	{ 503, LLM_FAIL_UNAVAILABLE },
	{ 504, LLM_FAIL_UPSTREAM_TIMEOUT },
	{ 529, LLM_FAIL_OVERLOADED },
};

static bool
kind_of_status(int64_t status, enum llm_fail *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		if (statuses[i].status == status) {
			*kind = statuses[i].kind;
			return true;
		}
	}
	return false;
}

/* What errors without a number call themselves, where no status tells. */
static bool
kind_of_type(struct span type, enum llm_fail *kind)
{
	static const struct {
		struct span type;
		enum llm_fail kind;
	} types[] = {
		{ SPAN_INIT("invalid_request_error"), LLM_FAIL_BAD_REQUEST },
		{ SPAN_INIT("authentication_error"), LLM_FAIL_AUTH },
		{ SPAN_INIT("billing_error"), LLM_FAIL_BILLING },
		{ SPAN_INIT("permission_error"), LLM_FAIL_PERMISSION },
		{ SPAN_INIT("not_found_error"), LLM_FAIL_NOT_FOUND },
		{ SPAN_INIT("request_too_large"), LLM_FAIL_TOO_LARGE },
		{ SPAN_INIT("rate_limit_error"), LLM_FAIL_RATE },
		{ SPAN_INIT("timeout_error"), LLM_FAIL_UPSTREAM_TIMEOUT },
		{ SPAN_INIT("api_error"), LLM_FAIL_SERVER },
		{ SPAN_INIT("overloaded_error"), LLM_FAIL_OVERLOADED },
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (span_eq(types[i].type, type)) {
			*kind = types[i].kind;
			return true;
		}
	}
	return false;
}

/* --- judging -------------------------------------------------------------- */

static bool
is_good_status(unsigned status)
{
	return status / 100 == 2 || status == 0;
}

/* The gateway's own failures come as a 200, with another status inside. */
static enum llm_fail
kind_of_disguised(const struct zai_said *said)
{
	enum llm_fail kind;

	/* "404 NOT_FOUND", whatever the code beside it says. */
	if (span_starts(said->text, SPAN("404")))
		return LLM_FAIL_NOT_FOUND;
	if (said->code != 500 && kind_of_status(said->code, &kind))
		return kind;
	return kind_of_type(said->type, &kind) ? kind : LLM_FAIL_UPSTREAM;
}

static enum llm_fail
judge(const struct zai_said *said, unsigned status, unsigned *keep_status)
{
	enum llm_fail kind;

	*keep_status = 0;
	if (kind_of_code(said->code, &kind))
		return kind;
	if (is_good_status(status))
		return kind_of_disguised(said);
	if (kind_of_status(status, &kind))
		return kind;
	if (status >= 400 && status <= 599)
		*keep_status = status;
	if (status / 100 == 4)
		return LLM_FAIL_BAD_REQUEST;
	return status / 100 == 5 ? LLM_FAIL_SERVER : LLM_FAIL_UPSTREAM;
}

/* Texts tell more than codes: a "bad parameter" may be a full context. */
static bool
is_overflow(const struct zai_said *said, enum llm_fail kind, unsigned status)
{
	if (kind == LLM_FAIL_CONTEXT)
		return true;
	if (!is_good_status(status) && status != 400 && status != 413 &&
		status != 422)
		return false;
	return (kind == LLM_FAIL_BAD_REQUEST || kind == LLM_FAIL_TOO_LARGE ||
		       kind == LLM_FAIL_UPSTREAM) &&
		zai_is_overflow(said->text);
}

static void
count_overflow(const struct zai_said *said, const struct profile_asked *asked,
	struct llm_failure *f)
{
	int64_t n, m;

	zai_overflow_numbers(said->text, &n, &m);
	if (m == 0)
		m = asked->limit_tokens;
	if (n == 0)
		n = asked->estimated_input;
	else
		f->is_counted = true;
	f->completion_tokens = MAX(asked->max_tokens, 0);
	/* It was refused, so it was too much, whatever the estimate says. */
	if (m > 0 && n <= m && f->completion_tokens <= m - n)
		n = m + 1;
	f->input_tokens = MIN(n, LLM_TOKENS_MAX);
	f->limit_tokens = MIN(m, LLM_TOKENS_MAX - 1);
}

/* --- the text for the client ---------------------------------------------- */

static struct span
text_of_nothing(struct arena *a, unsigned status, struct span body)
{
	const struct span plain = zai_tidy(a, body, PLAIN_MAX);

	if (is_good_status(status))
		return plain.n == 0 ?
			SPAN("the upstream failed and did not say why") :
			SPAN("the upstream's answer cannot be read");
	/* Pages for browsers tell people nothing here. */
	if (plain.n > 0 && plain.p[0] != '<' && plain.p[0] != '{')
		return arena_printf(a,
			"the upstream answered with status %u: %.*s", status,
			SPAN_ARG(plain));
	return arena_printf(a, "the upstream answered with status %u (%s)",
		status, http_reason(status));
}

static struct span
message_of(const struct zai_said *said, enum llm_fail kind, unsigned status,
	struct span body, struct span model)
{
	struct arena *const a = said->arena;
	const struct span name = zai_tidy(a, model, NAME_MAX_LEN);
	struct span text = said->text;

	if (text.n == 0)
		text = text_of_nothing(
			a, status, said->is_json ? SPAN_EMPTY : body);
	/* Clients show what is behind "model: ". */
	if (kind == LLM_FAIL_MODEL_NOT_FOUND && name.n > 0)
		text = arena_printf(a, "model: %.*s (%.*s)", SPAN_ARG(name),
			SPAN_ARG(text));
	if (said->code != ZAI_NO_CODE)
		text = arena_printf(a, "%.*s (z.ai code %d)", SPAN_ARG(text),
			(int)said->code);
	return text;
}

static struct span
param_of(const struct zai_said *said, enum llm_fail kind)
{
	if (kind == LLM_FAIL_MODEL_NOT_FOUND)
		return SPAN("model");
	if (kind != LLM_FAIL_BAD_REQUEST)
		return SPAN_EMPTY;
	return said->param.n > 0 ? said->param : zai_named_field(said->text);
}

void
zai_failure(const struct profile_reply *reply, struct span body,
	const struct profile_asked *asked, struct arena *a,
	struct llm_failure *out)
{
	const unsigned status = reply->is_in_stream ? 200 : reply->status;
	struct zai_said said;
	unsigned keep_status;
	enum llm_fail kind;

	zai_read(&said, body, reply->now_wall_s, a);
	zai_take_trace(&said, reply->trace);
	kind = judge(&said, status, &keep_status);
	if (is_overflow(&said, kind, status))
		kind = LLM_FAIL_CONTEXT;
	*out = llm_failure_of(
		kind, message_of(&said, kind, status, body, asked->model));
	out->is_vague =
		said.code == CODE_PARAMETER && kind == LLM_FAIL_BAD_REQUEST;
	out->keep_status = keep_status;
	out->vendor_code = MAX(said.code, 0);
	out->param = param_of(&said, kind);
	out->trace = said.trace;
	out->is_upstreams = true;
	out->window = zai_window(said.text);
	out->reset_wall_s = zai_reset_wall_s(said.text);
	out->reset = zai_reset_time(said.text, a);
	/* Clients would sleep until a quota renews. */
	if (llm_fail_is_retryable(kind)) {
		out->retry_after_s =
			zai_seconds(reply->retry_after, reply->now_wall_s);
		if (out->retry_after_s < 0)
			out->retry_after_s = said.retry_after_s;
	}
	if (kind == LLM_FAIL_CONTEXT)
		count_overflow(&said, asked, out);
}

/* --- errors in disguise --------------------------------------------------- */

bool
zai_is_failure(const struct jdoc *doc)
{
	const jref root = jdoc_root(doc);
	const jref error = jdoc_get_set(doc, root, SPAN("error"));

	if (!jdoc_bool(doc, jdoc_get(doc, root, SPAN("success")), true))
		return true;
	if (jdoc_get_set(doc, root, SPAN("choices")) != JREF_NONE ||
		jdoc_get_set(doc, root, SPAN("content")) != JREF_NONE)
		return false;
	if (error != JREF_NONE)
		return true;
	/* The flat forms. */
	return zai_code(doc, jdoc_get(doc, root, SPAN("code"))) !=
		ZAI_NO_CODE &&
		(jdoc_type(doc, jdoc_get(doc, root, SPAN("message"))) ==
				J_STR ||
			jdoc_type(doc, jdoc_get(doc, root, SPAN("msg"))) ==
				J_STR);
}
