/* SPDX-License-Identifier: MIT */
/* dialect_openai_part.c - the content of a message: text, images, files. */
#include "shared/base/utf8.h"
#include "shared/translate/dialect_openai.h"
#include "shared/translate/llm_base64.h"

#define FILE_HEAD_MAX 256 /* a data: URL up to its comma */

struct place {
	struct openai_in *in;
	struct llm_parts *to;
	bool has_images;
};

typedef enum gp_code part_fn(struct place *p, jref part);

/* --- placeholders --------------------------------------------------------- */

/* What cannot be carried becomes text: the part stays in the client's history,
 * and a refusal would end the conversation for good. */
static void
put_placeholder(struct place *p, const char *kind, struct jesc name)
{
	struct arena *const a = p->in->req->arena;
	const size_t kind_len = strlen(kind);
	struct openai_text t = { 0 };

	openai_text_add(a, &t, SPAN("["));
	openai_text_add(a, &t, span_of(kind, kind_len));
	if (!jesc_is_empty(name)) {
		openai_text_add(a, &t, SPAN(" "));
		openai_text_add(a, &t, name.s);
	}
	openai_text_add(a, &t, SPAN(" omitted: unsupported]"));
	llm_add_text(p->in->req, p->to, openai_text_jesc(&t));
	notice_add(&p->in->req->notices, "dropped", span_of(kind, kind_len));
}

/* --- text ----------------------------------------------------------------- */

static void
keep_cache_control(struct place *p, jref part, struct llm_part *to)
{
	const struct jdoc *const doc = p->in->doc;
	const jref v = jdoc_get_set(doc, part, SPAN("cache_control"));

	if (jdoc_type(doc, v) == J_OBJ)
		to->cache_control = jdoc_raw(doc, v);
}

static enum gp_code
put_text(struct place *p, jref part, jref text, const char *leaf)
{
	const enum gp_code rc = openai_want(p->in, text, J_STR, leaf);
	const size_t before = p->to->n;

	if (rc != GP_OK)
		return rc;
	llm_add_verbatim(p->in->req, p->to, jdoc_str(p->in->doc, text));
	if (p->to->n > before)
		keep_cache_control(p, part, &p->to->v[before]);
	return GP_OK;
}

static enum gp_code
take_text(struct place *p, jref part)
{
	return put_text(
		p, part, jdoc_get_set(p->in->doc, part, SPAN("text")), "text");
}

static enum gp_code
take_refusal(struct place *p, jref part)
{
	return put_text(p, part,
		jdoc_get_set(p->in->doc, part, SPAN("refusal")), "refusal");
}

/* --- images --------------------------------------------------------------- */

static enum gp_code
take_image(struct place *p, jref part)
{
	const struct jdoc *const doc = p->in->doc;
	const jref v = jdoc_get_set(doc, part, SPAN("image_url"));
	const jref url = jdoc_get_set(doc, v, SPAN("url"));
	struct llm_image image;
	struct llm_part *to;
	struct gp_error why;
	enum gp_code rc = openai_want(p->in, v, J_OBJ, "image_url");

	if (rc == GP_OK)
		rc = openai_want(p->in, url, J_STR, "image_url.url");
	if (rc != GP_OK)
		return rc;
	if (!p->has_images) {
		put_placeholder(p, "image", JESC_EMPTY);
		return GP_OK;
	}
	rc = llm_image_from_url(
		p->in->req->arena, jdoc_str(doc, url), &image, &why);
	if (rc != GP_OK)
		return openai_refuse(p->in, "image_url.url", OPENAI_BAD_VALUE,
			"cannot be used: %s", why.text);
	to = llm_add_part(p->in->req, p->to, LLM_PART_IMAGE);
	to->image = image;
	keep_cache_control(p, part, to);
	return GP_OK;
}

static enum gp_code
take_audio(struct place *p, jref part)
{
	(void)part;
	return openai_refuse(p->in, "", OPENAI_UNSUPPORTED,
		"cannot be used: audio input is not supported");
}

/* --- files ---------------------------------------------------------------- */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* %XX become bytes; anything else behind a percent sign stays. */
static struct span
percent_decoded(struct arena *a, struct span s)
{
	char *const p = arena_alloc(a, s.n);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		const bool is_code = s.p[i] == '%' && s.n - i > 2 &&
			hex_digit(s.p[i + 1]) >= 0 &&
			hex_digit(s.p[i + 2]) >= 0;

		p[n++] = s.p[i];
		if (!is_code)
			continue;
		p[n - 1] = (char)(hex_digit(s.p[i + 1]) * 16 +
			hex_digit(s.p[i + 2]));
		i += 2;
	}
	return span_of(p, n);
}

static struct span
base64_decoded(struct arena *a, struct span s)
{
	struct span base64;
	char *p;

	if (base64_normalise(a, s, &base64, NULL) != GP_OK)
		return SPAN_EMPTY;
	p = arena_alloc(a, base64_len(base64));
	return span_of(
		p, base64_read(base64, 0, (uint8_t *)p, base64_len(base64)));
}

/* The bytes of a data: URL of text, or nothing. spec: RFC 2397 */
static struct span
text_data(struct arena *a, struct span url)
{
	const size_t comma = span_find_char(span_head(url, FILE_HEAD_MAX), ',');
	const struct span head = span_head(url, comma);
	const struct span data = span_from(url, comma + 1);

	if (comma == FILE_HEAD_MAX || comma == url.n || data.n == 0 ||
		!span_istarts(url, SPAN("data:text/")))
		return SPAN_EMPTY;
	return span_ifind(head, SPAN(";base64")) < head.n ?
		base64_decoded(a, data) :
		percent_decoded(a, data);
}

/* The bytes of a text file as the inside of a JSON string; false if the file
 * is something else. */
static bool
decode_file(struct arena *a, struct jesc file_data, struct jesc *out)
{
	const struct span bytes =
		text_data(a, jtext_unescape_dup(a, file_data));

	if (bytes.n == 0 || utf8_valid_len(bytes) != bytes.n)
		return false;
	*out = jtext_escape_dup(a, bytes);
	return true;
}

static enum gp_code
take_file(struct place *p, jref part)
{
	const struct jdoc *const doc = p->in->doc;
	struct arena *const a = p->in->req->arena;
	const jref file = jdoc_get_set(doc, part, SPAN("file"));
	const struct jesc name =
		jdoc_str(doc, jdoc_get_set(doc, file, SPAN("filename")));
	const struct jesc data =
		jdoc_str(doc, jdoc_get_set(doc, file, SPAN("file_data")));
	const enum gp_code rc = openai_want(p->in, file, J_OBJ, "file");
	struct openai_text t = { 0 };
	struct jesc text;

	if (rc != GP_OK)
		return rc;
	if (!decode_file(a, data, &text)) {
		put_placeholder(p, "file", name);
		return GP_OK;
	}
	if (!jesc_is_empty(name)) {
		openai_text_add(a, &t, name.s);
		openai_text_add(a, &t, SPAN(":\\n"));
	}
	openai_text_add(a, &t, text.s);
	llm_add_text(p->in->req, p->to, openai_text_jesc(&t));
	return GP_OK;
}

/* --- the list ------------------------------------------------------------- */

static const struct {
	struct span type;
	part_fn *take;
} kinds[] = {
	{ SPAN_INIT("text"), take_text },
	{ SPAN_INIT("image_url"), take_image },
	{ SPAN_INIT("input_audio"), take_audio },
	{ SPAN_INIT("file"), take_file },
	{ SPAN_INIT("refusal"), take_refusal },
};

static enum gp_code
take_part(struct place *p, jref part)
{
	const struct jdoc *const doc = p->in->doc;
	const jref type = jdoc_get_set(doc, part, SPAN("type"));
	enum gp_code rc = openai_want(p->in, part, J_OBJ, "");

	if (rc == GP_OK)
		rc = openai_want(p->in, type, J_STR, "type");
	if (rc != GP_OK)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (jdoc_is(doc, type, kinds[i].type))
			return kinds[i].take(p, part);
	}
	put_placeholder(p, "part", jdoc_str(doc, type));
	return GP_OK;
}

enum gp_code
openai_take_content(struct openai_in *in, jref content, struct llm_parts *to,
	bool has_images)
{
	struct place p = { in, to, has_images };
	enum gp_code rc;

	if (jdoc_type(in->doc, content) == J_STR) {
		llm_add_verbatim(in->req, to, jdoc_str(in->doc, content));
		return GP_OK;
	}
	if (content != JREF_NONE && jdoc_type(in->doc, content) != J_ARR)
		return openai_refuse(in, "content", OPENAI_BAD_TYPE,
			"must be a string or an array of parts, not %s",
			jdoc_type_name(jdoc_type(in->doc, content)));
	in->sub = "content";
	in->sub_at = 0;
	JDOC_EACH (in->doc, content, it) {
		rc = take_part(&p, it);
		if (rc != GP_OK)
			return rc;
		in->sub_at++;
	}
	in->sub = NULL;
	return GP_OK;
}
