/* SPDX-License-Identifier: MIT */
/*
 * dialect_anthropic_block.c - content blocks of a Messages request that may
 * stand in messages and in tool results.
 *
 * What the tree cannot hold becomes text, so that a conversation with it in its
 * history goes on: refusing it would refuse every later turn too.
 */
#include "shared/translate/dialect_anthropic.h"

/* Text put together here is at most a few times what the client sent. */
#define TEXT_MAX ((size_t)256 << 20)

/* Levels of a server tool's result that are looked into. */
#define WALK_DEPTH 8

/* --- making text ---------------------------------------------------------- */

/* b's bytes, the inside of a JSON string, move to the arena. */
static struct jesc
take_text(struct anthropic_in *in, struct buf *b)
{
	const struct span s = arena_dup(in->r->arena, buf_span(b));

	buf_fini(b);
	return (struct jesc){ s };
}

static struct jesc
member(const struct anthropic_in *in, jref obj, struct span key)
{
	return jdoc_str(in->doc, jdoc_get(in->doc, obj, key));
}

struct llm_part *
anthropic_add_part(struct anthropic_in *in, jref block, enum llm_part_kind kind)
{
	const jref cache = jdoc_get(in->doc, block, SPAN("cache_control"));
	struct llm_part *const p = llm_add_part(in->r, in->parts, kind);

	if (jdoc_type(in->doc, cache) == J_OBJ)
		p->cache_control = jdoc_raw(in->doc, cache);
	return p;
}

static void
add_text(struct anthropic_in *in, jref block, struct jesc text)
{
	if (!jesc_is_empty(text))
		anthropic_add_part(in, block, LLM_PART_TEXT)->text = text;
}

/* --- text and images ------------------------------------------------------ */

static enum gp_code
read_text(struct anthropic_in *in, jref block)
{
	const jref text = jdoc_get(in->doc, block, SPAN("text"));

	if (jdoc_type(in->doc, text) != J_STR)
		return anthropic_refuse(in, "text", "must be a string, not %s",
			jdoc_type_name(jdoc_type(in->doc, text)));
	if (in->place == ANTHROPIC_SYSTEM &&
		anthropic_is_billing(jdoc_str(in->doc, text)))
		return GP_OK;
	add_text(in, block, jdoc_str(in->doc, text));
	return GP_OK;
}

static enum gp_code
read_own_text(struct anthropic_in *in, jref block)
{
	const size_t before = in->parts->n;
	const enum gp_code rc = read_text(in, block);

	if (in->parts->n > before)
		in->parts->v[before].is_verbatim = true;
	return rc;
}

static enum gp_code
read_image(struct anthropic_in *in, jref block)
{
	const struct jdoc *const d = in->doc;
	const jref source = jdoc_get(d, block, SPAN("source"));
	const jref type = jdoc_get(d, source, SPAN("type"));
	struct gp_error why;
	struct llm_image image;
	enum gp_code rc;

	if (jdoc_is(d, type, SPAN("base64"))) {
		rc = llm_image_from_base64(in->r->arena,
			member(in, source, SPAN("media_type")),
			member(in, source, SPAN("data")), &image, &why);
	} else if (jdoc_is(d, type, SPAN("url"))) {
		rc = llm_image_from_url(in->r->arena,
			member(in, source, SPAN("url")), &image, &why);
	} else if (jdoc_type(d, type) == J_STR) {
		notice_add(&in->r->notices, "degraded", SPAN("image"));
		add_text(in, block,
			jdoc_is(d, type, SPAN("file")) ?
				JESC("[image omitted: file reference]") :
				JESC("[image omitted: unknown source]"));
		return GP_OK;
	} else {
		return anthropic_refuse(
			in, "source", "must say where the image is");
	}
	if (rc != GP_OK)
		return anthropic_refuse(
			in, "source", "is unusable: %s", why.text);
	anthropic_add_part(in, block, LLM_PART_IMAGE)->image = image;
	return GP_OK;
}

/* --- documents ------------------------------------------------------------ */

/* "[document "title": context]", nothing if it has neither. */
static void
put_heading(struct anthropic_in *in, jref block, struct buf *b)
{
	const struct jesc title = member(in, block, SPAN("title"));
	const struct jesc context = member(in, block, SPAN("context"));

	if (jesc_is_empty(title) && jesc_is_empty(context))
		return;
	buf_puts(b, "[document");
	if (!jesc_is_empty(title)) {
		buf_puts(b, " \\\"");
		buf_put(b, title.s);
		buf_puts(b, "\\\"");
	}
	if (!jesc_is_empty(context)) {
		buf_puts(b, ": ");
		buf_put(b, context.s);
	}
	buf_puts(b, "]");
}

/* Blocks of a document made of blocks: text and images. */
static enum gp_code
read_document_blocks(struct anthropic_in *in, jref content)
{
	JDOC_EACH (in->doc, content, it) {
		const jref type = jdoc_get(in->doc, it, SPAN("type"));
		enum gp_code rc = GP_OK;

		if (jdoc_is(in->doc, type, SPAN("text")))
			rc = read_text(in, it);
		else if (jdoc_is(in->doc, type, SPAN("image")))
			rc = read_image(in, it);
		else
			notice_add(&in->r->notices, "dropped",
				jdoc_str(in->doc, type).s);
		if (rc != GP_OK)
			return rc;
	}
	return GP_OK;
}

static void
add_document_placeholder(struct anthropic_in *in, jref block)
{
	const struct jesc title = member(in, block, SPAN("title"));
	struct buf b;

	notice_add(&in->r->notices, "degraded", SPAN("document"));
	buf_init(&b, TEXT_MAX);
	buf_puts(&b, "[document ");
	if (!jesc_is_empty(title)) {
		buf_puts(&b, "\\\"");
		buf_put(&b, title.s);
		buf_puts(&b, "\\\" ");
	}
	buf_puts(&b, "omitted: PDF input is not supported]");
	add_text(in, block, take_text(in, &b));
}

static enum gp_code
read_document(struct anthropic_in *in, jref block)
{
	const struct jdoc *const d = in->doc;
	const jref source = jdoc_get(d, block, SPAN("source"));
	const jref type = jdoc_get(d, source, SPAN("type"));
	const jref content = jdoc_get(d, source, SPAN("content"));
	const bool is_text = jdoc_is(d, type, SPAN("text"));
	struct jesc text;
	struct buf b;

	if (jdoc_type(d, source) != J_OBJ)
		return anthropic_refuse(
			in, "source", "must say where the document is");
	if (!is_text && !jdoc_is(d, type, SPAN("content"))) {
		add_document_placeholder(in, block);
		return GP_OK;
	}
	text = is_text ? member(in, source, SPAN("data")) :
			 jdoc_str(d, content);
	buf_init(&b, TEXT_MAX);
	put_heading(in, block, &b);
	if (buf_len(&b) > 0 && !jesc_is_empty(text))
		buf_puts(&b, "\\n");
	buf_put(&b, text.s);
	add_text(in, block, take_text(in, &b));
	return is_text ? GP_OK : read_document_blocks(in, content);
}

/* --- results of searches -------------------------------------------------- */

static void
put_line(struct buf *b, struct jesc text)
{
	if (jesc_is_empty(text))
		return;
	if (buf_len(b) > 0)
		buf_puts(b, "\\n");
	buf_put(b, text.s);
}

static enum gp_code
read_search_result(struct anthropic_in *in, jref block)
{
	const jref content = jdoc_get(in->doc, block, SPAN("content"));
	struct buf b;

	buf_init(&b, TEXT_MAX);
	put_line(&b, member(in, block, SPAN("title")));
	put_line(&b, member(in, block, SPAN("source")));
	JDOC_EACH (in->doc, content, it)
		put_line(&b, member(in, it, SPAN("text")));
	add_text(in, block, take_text(in, &b));
	return GP_OK;
}

static enum gp_code
read_tool_reference(struct anthropic_in *in, jref block)
{
	const struct jesc name = member(in, block, SPAN("tool_name"));
	struct buf b;

	if (jesc_is_empty(name))
		return GP_OK;
	buf_init(&b, TEXT_MAX);
	buf_puts(&b, "Tool ");
	buf_put(&b, name.s);
	buf_puts(&b, " is now available.");
	add_text(in, block, take_text(in, &b));
	return GP_OK;
}

/* --- tools that the maker's servers run ----------------------------------- */

/* The texts of an answer stand behind each other without a break, but these
 * were no text of it: they get lines of their own. */
static void
begin_line(const struct anthropic_in *in, struct buf *b)
{
	const struct llm_parts *const parts = in->parts;
	const struct llm_part *last;

	if (in->place != ANTHROPIC_ASSISTANT || parts->n == 0)
		return;
	last = &parts->v[parts->n - 1];
	if (last->kind == LLM_PART_TEXT &&
		!span_ends(last->text.s, SPAN("\\n")))
		buf_puts(b, "\\n");
}

static void
end_line(const struct anthropic_in *in, struct buf *b)
{
	if (in->place == ANTHROPIC_ASSISTANT)
		buf_puts(b, "\\n");
}

static enum gp_code
read_server_use(struct anthropic_in *in, jref block)
{
	const jref input = jdoc_get_set(in->doc, block, SPAN("input"));
	const struct jesc name = member(in, block, SPAN("name"));
	struct buf b;

	notice_add(
		&in->r->notices, "degraded", member(in, block, SPAN("type")).s);
	buf_init(&b, TEXT_MAX);
	begin_line(in, &b);
	buf_puts(&b, "[");
	buf_put(&b, jesc_is_empty(name) ? SPAN("tool") : name.s);
	if (input != JREF_NONE) {
		buf_puts(&b, " ");
		jtext_escape(jdoc_raw(in->doc, input).s, &b);
	}
	buf_puts(&b, "]");
	end_line(in, &b);
	add_text(in, block, take_text(in, &b));
	return GP_OK;
}

/* Strings of a result that tell a reader something. */
static bool
is_telling(const struct anthropic_in *in, jref obj, struct jesc key)
{
	static const struct span telling[] = {
		SPAN_INIT("title"),
		SPAN_INIT("url"),
		SPAN_INIT("text"),
		SPAN_INIT("content"),
		SPAN_INIT("stdout"),
		SPAN_INIT("stderr"),
		SPAN_INIT("tool_name"),
		SPAN_INIT("error_code"),
	};

	for (size_t i = 0; i < ARRAY_LEN(telling); i++) {
		if (jesc_eq(key, telling[i]))
			return true;
	}
	/* Of a text source, not of a file in base64. */
	return jesc_eq(key, SPAN("data")) &&
		jesc_eq(member(in, obj, SPAN("type")), SPAN("text"));
}

/* The telling strings below root, in their order, a line each. */
static void
put_telling(const struct anthropic_in *in, jref root, struct buf *b)
{
	const struct jdoc *const d = in->doc;

	struct {
		jref box, it;
	} stack[WALK_DEPTH] = { { root, jdoc_first(d, root) } };

	size_t n = 1;

	while (n > 0) {
		const jref box = stack[n - 1].box, it = stack[n - 1].it;
		const bool is_obj = jdoc_type(d, box) == J_OBJ;
		const jref v = is_obj ? jdoc_value(d, it) : it;

		if (it == JREF_NONE) {
			n--;
			continue;
		}
		stack[n - 1].it = jdoc_next(d, box, it);
		if (is_obj && jdoc_type(d, v) == J_STR) {
			if (is_telling(in, box, jdoc_key(d, it)))
				put_line(b, jdoc_str(d, v));
		} else if (n < WALK_DEPTH && jdoc_count(d, v) > 0) {
			stack[n].box = v;
			stack[n].it = jdoc_first(d, v);
			n++;
		}
	}
}

static enum gp_code
read_server_result(struct anthropic_in *in, jref block)
{
	const struct jesc type = member(in, block, SPAN("type"));
	const jref content = jdoc_get(in->doc, block, SPAN("content"));
	struct buf b;

	notice_add(&in->r->notices, "degraded", type.s);
	buf_init(&b, TEXT_MAX);
	begin_line(in, &b);
	buf_puts(&b, "[");
	buf_put(&b, type.s);
	buf_puts(&b, "]");
	put_line(&b, jdoc_str(in->doc, content));
	put_telling(in, content, &b);
	end_line(in, &b);
	add_text(in, block, take_text(in, &b));
	return GP_OK;
}

/* --- all kinds ------------------------------------------------------------ */

#define IN_USER (ANTHROPIC_USER | ANTHROPIC_RESULT)
#define IN_ANY  (IN_USER | ANTHROPIC_ASSISTANT)

static const struct kind {
	struct span type; /* or its end, if it begins with '_' */
	enum gp_code (*read)(struct anthropic_in *in, jref block);
	unsigned places;
} kinds[] = {
	{ SPAN_INIT("text"), read_own_text, IN_ANY | ANTHROPIC_SYSTEM },
	{ SPAN_INIT("image"), read_image, IN_USER },
	{ SPAN_INIT("document"), read_document, IN_USER },
	{ SPAN_INIT("search_result"), read_search_result, IN_USER },
	{ SPAN_INIT("tool_reference"), read_tool_reference, IN_USER },
	{ SPAN_INIT("server_tool_use"), read_server_use, IN_ANY },
	{ SPAN_INIT("mcp_tool_use"), read_server_use, IN_ANY },
	{ SPAN_INIT("_tool_result"), read_server_result, IN_ANY },
};

static bool
is_kind(const struct kind *k, struct jesc type)
{
	return k->type.p[0] == '_' ? span_ends(type.s, k->type) :
				     jesc_eq(type, k->type);
}

enum gp_code
anthropic_read_plain(struct anthropic_in *in, jref block)
{
	const struct jesc type = member(in, block, SPAN("type"));

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (is_kind(&kinds[i], type) &&
			(kinds[i].places & in->place) != 0)
			return kinds[i].read(in, block);
	}
	notice_add(&in->r->notices, "dropped", type.s);
	return GP_OK;
}
