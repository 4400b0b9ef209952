/* SPDX-License-Identifier: MIT */
/* profile_zai_read.c - what z.ai's errors say, in whatever shape they come. */
#include "shared/base/utf8.h"
#include "shared/http/date.h"
#include "shared/translate/profile_zai.h"

#define BODY_MAX      65536 /* bytes of a body that are looked at */
#define TEXT_MAX      2048  /* bytes of a message */
#define TRACE_MAX     128
#define DETAILS_MAX   8 /* entries of a list of mistakes, and of a path */
#define DETAILS_BYTES 131072
#define CODE_DIGITS   9

/* --- pieces -------------------------------------------------------------- */

struct span
zai_tidy(struct arena *a, struct span s, size_t max)
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
		return ZAI_NO_CODE;
	return (int64_t)code;
}

int64_t
zai_code(const struct jdoc *d, jref v)
{
	int64_t code;

	if (jdoc_int(d, v, &code))
		return code >= 0 && code <= INT32_MAX ? code : ZAI_NO_CODE;
	return code_in(jdoc_str(d, v).s);
}

static struct span
text_at(struct zai_said *said, const struct jdoc *d, jref obj, struct span key)
{
	return zai_tidy(said->arena,
		jtext_unescape_dup(
			said->arena, jdoc_str(d, jdoc_get(d, obj, key))),
		TEXT_MAX);
}

void
zai_take_trace(struct zai_said *said, struct span s)
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
take_details(struct zai_said *said, const struct jdoc *d, jref list)
{
	const struct span body = SPAN("body.");
	struct buf b;
	size_t n = 0;

	buf_init(&b, DETAILS_BYTES);
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
			said->param = zai_tidy(said->arena,
				span_from(path, body.n), TRACE_MAX);
		if (path.n > 0)
			buf_puts(&b, ": ");
		jtext_unescape(jdoc_str(d, jdoc_get(d, it, SPAN("msg"))), &b);
	}
	said->text = zai_tidy(said->arena, buf_span(&b), TEXT_MAX);
	buf_fini(&b);
}

static void
take_detail(struct zai_said *said, const struct jdoc *d, jref root)
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
unwrap(struct zai_said *said)
{
	struct span s = said->text;
	size_t end = span_find_char(s, ']'), last;
	int64_t code;

	if (s.n == 0 || s.p[0] != '[' || end == s.n)
		return;
	code = code_in(span_of(s.p + 1, end - 1));
	if (code == ZAI_NO_CODE)
		return;
	if (said->code == ZAI_NO_CODE)
		said->code = code;
	s = span_trim(span_from(s, end + 1));
	if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']') {
		s = span_of(s.p + 1, s.n - 2);
		for (last = s.n; last >= 2; last--) {
			if (s.p[last - 1] == '[' && s.p[last - 2] == ']') {
				zai_take_trace(said, span_from(s, last));
				s = span_head(s, last - 2);
				break;
			}
		}
	}
	said->text = span_trim(s);
}

static void
take_code(struct zai_said *said, int64_t code)
{
	if (said->code == ZAI_NO_CODE)
		said->code = code;
}

int64_t
zai_seconds(struct span s, int64_t now_wall_s)
{
	int64_t at;
	uint64_t n;

	s = span_trim(s);
	if (http_date(s, &at))
		return MIN(MAX(at - now_wall_s, 0), INT32_MAX);
	if (!span_u64(span_head(s, span_find_char(s, '.')), &n) ||
		n > INT32_MAX)
		return -1;
	return (int64_t)n + (span_find_char(s, '.') < s.n ? 1 : 0);
}

static void
read_object(struct zai_said *said, const struct jdoc *d, jref root)
{
	const jref error = jdoc_get(d, root, SPAN("error"));
	const jref retry = jdoc_get(d, root, SPAN("retry-after"));

	take_code(said, zai_code(d, jdoc_get(d, error, SPAN("code"))));
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
	take_code(said, zai_code(d, jdoc_get(d, root, SPAN("code"))));
	zai_take_trace(said, text_at(said, d, root, SPAN("request_id")));
	zai_take_trace(said, text_at(said, d, error, SPAN("request_id")));
	said->retry_after_s = jdoc_type(d, retry) == J_NUM ?
		zai_seconds(jdoc_raw(d, retry).s, said->now_wall_s) :
		zai_seconds(jdoc_str(d, retry).s, said->now_wall_s);
}

void
zai_read(struct zai_said *said, struct span body, int64_t now_wall_s,
	struct arena *a)
{
	struct jdoc d;

	*said = (struct zai_said){
		.arena = a,
		.code = ZAI_NO_CODE,
		.text = SPAN_EMPTY,
		.type = SPAN_EMPTY,
		.param = SPAN_EMPTY,
		.trace = SPAN_EMPTY,
		.retry_after_s = -1,
		.now_wall_s = now_wall_s,
	};
	body = span_trim(span_head(body, BODY_MAX));
	jdoc_init(&d);
	if (body.n > 0 && jdoc_parse(&d, body, NULL) == GP_OK) {
		said->is_json = true;
		if (jdoc_type(&d, jdoc_root(&d)) == J_OBJ)
			read_object(said, &d, jdoc_root(&d));
	}
	jdoc_fini(&d);
}
