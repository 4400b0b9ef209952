/* SPDX-License-Identifier: MIT */
/* profile_zai_failure.c - z.ai's errors, in whatever shape they come. */
#include "shared/base/utf8.h"
#include "shared/http/out.h"
#include "shared/translate/profile_zai.h"

#define BODY_MAX    65536 /* bytes of a body that are looked at */
#define TEXT_MAX    2048  /* bytes of a message */
#define PLAIN_MAX   200   /* bytes of what is no JSON */
#define TRACE_MAX   128
#define DETAILS_MAX 8 /* entries of a list of mistakes, and of a path */
#define CODE_DIGITS 9
#define NO_CODE     INT64_C(-1)

/* What was said, before it is judged. */
struct said {
	struct arena *arena;
	int64_t code;     /* the vendor's, or NO_CODE */
	struct span text; /* "" if nothing fit for people */
	struct span type;
	struct span param, trace;
	int64_t retry_after_s; /* -1: not said */
	bool is_json;
};

/* --- the vendor's codes --------------------------------------------------- */

static const struct {
	uint16_t first, last;
	enum llm_fail kind;
} codes[] = {
	{ 434, 434, LLM_FAIL_PERMISSION },
	{ 435, 435, LLM_FAIL_TOO_LARGE },
	{ 1000, 1005, LLM_FAIL_AUTH },
	{ 1110, 1112, LLM_FAIL_DEACTIVATED },
	{ 1113, 1113, LLM_FAIL_BILLING },
	{ 1120, 1121, LLM_FAIL_DEACTIVATED },
	{ 1200, 1200, LLM_FAIL_SERVER },
	{ 1210, 1210, LLM_FAIL_BAD_REQUEST },
	{ 1211, 1211, LLM_FAIL_MODEL_NOT_FOUND },
	{ 1212, 1215, LLM_FAIL_BAD_REQUEST },
	{ 1220, 1220, LLM_FAIL_PERMISSION },
	{ 1221, 1222, LLM_FAIL_NOT_FOUND },
	{ 1230, 1230, LLM_FAIL_SERVER },
	{ 1231, 1231, LLM_FAIL_CONFLICT },
	{ 1234, 1234, LLM_FAIL_SERVER },
	{ 1261, 1261, LLM_FAIL_CONTEXT },
	{ 1300, 1301, LLM_FAIL_CONTENT_POLICY },
	{ 1302, 1303, LLM_FAIL_RATE },
	{ 1304, 1304, LLM_FAIL_QUOTA },
	{ 1305, 1305, LLM_FAIL_OVERLOADED },
	{ 1308, 1308, LLM_FAIL_QUOTA },
	{ 1309, 1309, LLM_FAIL_BILLING },
	{ 1310, 1310, LLM_FAIL_QUOTA },
	{ 1311, 1311, LLM_FAIL_MODEL_NOT_ALLOWED },
	{ 1313, 1313, LLM_FAIL_FAIR_USE },
	{ 1314, 1314, LLM_FAIL_BILLING },
	{ 1315, 1315, LLM_FAIL_PERMISSION },
	{ 1316, 1321, LLM_FAIL_QUOTA },
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

/* --- reading -------------------------------------------------------------- */

/* Up to max bytes of valid UTF-8 without controls, cut between characters. */
static struct span
tidy(struct arena *a, struct span s, size_t max)
{
	char *p;
	size_t n;

	s = span_trim(s);
	n = utf8_valid_len(span_head(s, max));
	p = arena_alloc(a, n + 1);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)s.p[i] < 0x20 || s.p[i] == 0x7f ? ' ' : s.p[i];
	return span_trim(span_of(p, n));
}

static int64_t
code_in(struct span digits)
{
	uint64_t code;

	if (digits.n == 0 || digits.n > CODE_DIGITS || !span_u64(digits, &code))
		return NO_CODE;
	return (int64_t)code;
}

/* A code as a number or as a string of digits. */
static int64_t
code_at(const struct jdoc *d, jref v)
{
	int64_t code;

	if (jdoc_int(d, v, &code))
		return code >= 0 && code <= INT32_MAX ? code : NO_CODE;
	return code_in(jdoc_str(d, v).s);
}

static struct span
text_at(struct said *said, const struct jdoc *d, jref obj, struct span key)
{
	return tidy(said->arena,
		jtext_unescape_dup(
			said->arena, jdoc_str(d, jdoc_get(d, obj, key))),
		TEXT_MAX);
}

/* Only what can be a name of a request: it may end in a header. */
static void
take_trace(struct said *said, struct span s)
{
	if (said->trace.n > 0 || s.n == 0 || s.n > TRACE_MAX)
		return;
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '-' || c == '_' ||
			    c == '.'))
			return;
	}
	said->trace = arena_dup(said->arena, s);
}

static bool
is_index_or_name(const struct jdoc *d, jref v)
{
	return jdoc_type(d, v) == J_STR || jdoc_type(d, v) == J_NUM;
}

/* The path of a mistake: ["body","messages",1,"role"]. */
static void
put_path(const struct jdoc *d, jref path, struct buf *out)
{
	bool is_first = true;
	size_t n = 0;

	JDOC_EACH (d, path, it) {
		if (n++ == DETAILS_MAX || !is_index_or_name(d, it))
			return;
		if (!is_first)
			buf_putc(out, '.');
		is_first = false;
		if (jdoc_type(d, it) == J_STR)
			jtext_unescape(jdoc_str(d, it), out);
		else
			buf_put(out, jdoc_raw(d, it).s);
	}
}

/* [{"loc":[...],"msg":"..."}, ...] as one text. */
static void
take_details(struct said *said, const struct jdoc *d, jref list)
{
	const struct span body = SPAN("body.");
	struct buf b;
	size_t n = 0;

	buf_init(&b, 2 * BODY_MAX);
	JDOC_EACH (d, list, it) {
		const size_t at = buf_len(&b);
		struct span path;

		if (n++ == DETAILS_MAX)
			break;
		if (n > 1)
			buf_puts(&b, "; ");
		put_path(d, jdoc_get(d, it, SPAN("loc")), &b);
		path = span_from(buf_span(&b), at);
		if (n == 1 && span_starts(path, body))
			said->param = tidy(said->arena, span_from(path, body.n),
				TRACE_MAX);
		if (path.n > 0)
			buf_puts(&b, ": ");
		jtext_unescape(jdoc_str(d, jdoc_get(d, it, SPAN("msg"))), &b);
	}
	said->text = tidy(said->arena, buf_span(&b), TEXT_MAX);
	buf_fini(&b);
}

static void
take_detail(struct said *said, const struct jdoc *d, jref root)
{
	const jref detail = jdoc_get(d, root, SPAN("detail"));

	if (jdoc_type(d, detail) == J_ARR)
		take_details(said, d, detail);
	else
		said->text = text_at(said, d, root, SPAN("detail"));
}

/* "[code][text][trace]", in which the vendor's Messages endpoint wraps what it
 * has to say. */
static void
unwrap(struct said *said)
{
	struct span s = said->text;
	size_t end = span_find_char(s, ']'), last;
	int64_t code;

	if (s.n == 0 || s.p[0] != '[' || end == s.n)
		return;
	code = code_in(span_of(s.p + 1, end - 1));
	if (code == NO_CODE)
		return;
	if (said->code == NO_CODE)
		said->code = code;
	s = span_trim(span_from(s, end + 1));
	if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']') {
		s = span_of(s.p + 1, s.n - 2);
		for (last = s.n; last >= 2; last--) {
			if (s.p[last - 1] == '[' && s.p[last - 2] == ']') {
				take_trace(said, span_from(s, last));
				s = span_head(s, last - 2);
				break;
			}
		}
	}
	said->text = span_trim(s);
}

static void
take_code(struct said *said, int64_t code)
{
	if (said->code == NO_CODE)
		said->code = code;
}

static int64_t
seconds_in(struct span s)
{
	uint64_t n;

	/* A fraction is rounded up; a date is beyond us, without a clock. */
	s = span_trim(s);
	if (!span_u64(span_head(s, span_find_char(s, '.')), &n) ||
		n > INT32_MAX)
		return -1;
	return (int64_t)n + (span_find_char(s, '.') < s.n ? 1 : 0);
}

static void
read_object(struct said *said, const struct jdoc *d, jref root)
{
	const jref error = jdoc_get(d, root, SPAN("error"));
	const jref retry = jdoc_get(d, root, SPAN("retry-after"));

	take_code(said, code_at(d, jdoc_get(d, error, SPAN("code"))));
	said->type = text_at(said, d, error, SPAN("type"));
	take_code(said, code_in(said->type));
	said->text = text_at(said, d, error, SPAN("message"));
	if (said->text.n == 0)
		said->text = text_at(said, d, root, SPAN("message"));
	if (said->text.n == 0)
		said->text = text_at(said, d, root, SPAN("msg"));
	if (said->text.n == 0)
		take_detail(said, d, root);
	if (said->text.n == 0)
		said->text = text_at(said, d, root, SPAN("error"));
	unwrap(said);
	take_code(said, code_at(d, jdoc_get(d, root, SPAN("code"))));
	take_trace(said, text_at(said, d, root, SPAN("request_id")));
	take_trace(said, text_at(said, d, error, SPAN("request_id")));
	said->retry_after_s = jdoc_type(d, retry) == J_NUM ?
		seconds_in(jdoc_raw(d, retry).s) :
		seconds_in(jdoc_str(d, retry).s);
}

static void
read_body(struct said *said, struct span body)
{
	struct jdoc d;

	body = span_trim(span_head(body, BODY_MAX));
	jdoc_init(&d);
	if (body.n > 0 && jdoc_parse(&d, body, NULL) == GP_OK) {
		said->is_json = true;
		if (jdoc_type(&d, jdoc_root(&d)) == J_OBJ)
			read_object(said, &d, jdoc_root(&d));
	}
	jdoc_fini(&d);
}

/* --- judging -------------------------------------------------------------- */

static bool
is_good_status(unsigned status)
{
	return status / 100 == 2 || status == 0;
}

/* The gateway's own failures come as a 200, with another status inside. */
static enum llm_fail
kind_of_disguised(const struct said *said)
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
judge(const struct said *said, unsigned status, unsigned *keep_status)
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
is_overflow(const struct said *said, enum llm_fail kind, unsigned status)
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
count_overflow(const struct said *said, const struct profile_asked *asked,
	struct llm_failure *f)
{
	int64_t n, m;

	zai_overflow_numbers(said->text, &n, &m);
	if (m == 0)
		m = asked->limit_tokens;
	if (n == 0)
		n = asked->estimated_input;
	f->completion_tokens = MAX(asked->max_tokens, 0);
	/* It was refused, so it was too much, whatever the estimate says. */
	if (m > 0 && n <= m && f->completion_tokens <= m - n)
		n = m + 1;
	f->input_tokens = n;
	f->limit_tokens = m;
}

/* --- the text for the client ---------------------------------------------- */

static struct span
text_of_nothing(struct arena *a, unsigned status, struct span body)
{
	const struct span plain = tidy(a, body, PLAIN_MAX);

	if (is_good_status(status))
		return SPAN("the upstream failed and did not say why");
	/* Pages for browsers tell people nothing here. */
	if (plain.n > 0 && plain.p[0] != '<' && plain.p[0] != '{')
		return arena_printf(a,
			"the upstream answered with status %u: %.*s", status,
			SPAN_ARG(plain));
	return arena_printf(a, "the upstream answered with status %u (%s)",
		status, http_reason(status));
}

static struct span
message_of(const struct said *said, enum llm_fail kind, unsigned status,
	struct span body, struct span model)
{
	struct arena *const a = said->arena;
	const struct span name = tidy(a, model, TRACE_MAX);
	struct span text = said->text;

	if (text.n == 0)
		text = text_of_nothing(
			a, status, said->is_json ? SPAN_EMPTY : body);
	/* Clients show what is behind "model: ". */
	if (kind == LLM_FAIL_MODEL_NOT_FOUND && name.n > 0)
		text = arena_printf(a, "model: %.*s (%.*s)", SPAN_ARG(name),
			SPAN_ARG(text));
	if (said->code != NO_CODE)
		text = arena_printf(a, "%.*s (z.ai code %d)", SPAN_ARG(text),
			(int)said->code);
	return text;
}

static struct span
param_of(const struct said *said, enum llm_fail kind)
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
	struct said said = {
		.arena = a,
		.code = NO_CODE,
		.text = SPAN_EMPTY,
		.type = SPAN_EMPTY,
		.param = SPAN_EMPTY,
		.trace = SPAN_EMPTY,
		.retry_after_s = -1,
	};
	unsigned keep_status;
	enum llm_fail kind;

	read_body(&said, body);
	take_trace(&said, reply->trace);
	kind = judge(&said, status, &keep_status);
	if (is_overflow(&said, kind, status))
		kind = LLM_FAIL_CONTEXT;
	*out = llm_failure_of(
		kind, message_of(&said, kind, status, body, asked->model));
	out->keep_status = keep_status;
	out->param = param_of(&said, kind);
	out->trace = said.trace;
	out->reset = zai_reset_time(said.text, a);
	/* Clients would sleep until a quota renews. */
	if (llm_fail_is_retryable(kind))
		out->retry_after_s = reply->retry_after.n > 0 ?
			seconds_in(reply->retry_after) :
			said.retry_after_s;
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
	return code_at(doc, jdoc_get(doc, root, SPAN("code"))) != NO_CODE &&
		(jdoc_type(doc, jdoc_get(doc, root, SPAN("message"))) ==
				J_STR ||
			jdoc_type(doc, jdoc_get(doc, root, SPAN("msg"))) ==
				J_STR);
}
