/* SPDX-License-Identifier: MIT */
/* dump.c - a request tree as text. */
#include "tests/lib/dump.h"

/* A signature that stands for none: base64 of the program's name. */
#define NO_SIGNATURE "Z2xtcHJveHk="

struct dump {
	const struct llm_req *r;
	unsigned says;
	bool exact;
	struct buf *out;
};

static bool
says(const struct dump *d, unsigned bit)
{
	return (d->says & DUMP_BIT(bit)) != 0;
}

/* --- text ----------------------------------------------------------------- */

/* s without every occurrence of word. */
static struct span
without(const struct dump *d, struct span s, struct span word)
{
	char *const p = arena_alloc(d->r->arena, s.n + 1);
	size_t n = 0;

	while (s.n > 0) {
		const size_t at = span_find(s, word);

		memcpy(p + n, s.p, at);
		n += at;
		s = span_from(s, MIN(at + word.n, s.n));
	}
	return span_of(p, n);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void
put_plain(const struct dump *d, struct span s)
{
	if (!says(d, DUMP_IN_PLACE)) {
		s = without(d, s, SPAN("<system-reminder>\n"));
		s = without(d, s, SPAN("\n</system-reminder>"));
	}
	for (size_t i = 0; i < s.n; i++) {
		if (d->exact || !is_blank(s.p[i]))
			buf_putc(d->out, s.p[i]);
	}
}

static struct span
join(struct arena *a, struct span s, struct span between, struct span t)
{
	char *const p = arena_alloc(a, s.n + between.n + t.n + 1);

	memcpy(p, s.p, s.n);
	memcpy(p + s.n, between.p, between.n);
	memcpy(p + s.n + between.n, t.p, t.n);
	return span_of(p, s.n + between.n + t.n);
}

static struct span
plain(const struct dump *d, struct jesc e)
{
	return jtext_unescape_dup(d->r->arena, e);
}

static void
put_cache(const struct dump *d, struct jraw cache)
{
	if (says(d, DUMP_CACHE) && !jraw_is_none(cache))
		buf_printf(d->out, " cache=%.*s", SPAN_ARG(cache.s));
}

/* --- parts ---------------------------------------------------------------- */

static void
put_image(const struct dump *d, const struct llm_image *image)
{
	buf_printf(d->out, " image %d %.*s %.*s", image->is_url,
		SPAN_ARG(plain(d, image->media_type)),
		SPAN_ARG(plain(d, image->data)));
}

/* All texts of a result as one, without the words that were put around. */
static struct span
result_text(const struct dump *d, const struct llm_part *result)
{
	struct arena *const a = d->r->arena;
	struct span s = SPAN("");

	for (size_t i = 0; i < result->parts.n; i++) {
		const struct llm_part *const p = &result->parts.v[i];

		if (p->kind == LLM_PART_TEXT)
			s = join(a, s, s.n > 0 ? SPAN("\n") : SPAN(""),
				plain(d, p->text));
	}
	for (size_t n = 1; n < 10; n++)
		s = without(d, s, arena_printf(a, "[image %zu follows]", n));
	if (!says(d, DUMP_IS_ERROR) && span_starts(s, SPAN("Error: ")))
		s = span_from(s, sizeof("Error: ") - 1);
	return span_eq(span_trim(s), SPAN("(no output)")) ? SPAN_EMPTY : s;
}

static void
put_result(const struct dump *d, const struct llm_part *p)
{
	const bool is_flat = p->is_flat || p->parts.n == 0;

	buf_printf(d->out, "result %.*s", SPAN_ARG(plain(d, p->id)));
	if (says(d, DUMP_IS_ERROR) && p->is_error)
		buf_puts(d->out, " error");
	if (says(d, DUMP_FLAT) && is_flat)
		buf_puts(d->out, " flat");
	put_cache(d, p->cache_control);
	for (size_t i = 0; says(d, DUMP_PARTS) && i < p->parts.n; i++) {
		const struct llm_part *const q = &p->parts.v[i];

		if (q->kind == LLM_PART_TEXT) {
			buf_puts(d->out, " text ");
			put_plain(d, plain(d, q->text));
			put_cache(d, q->cache_control);
		}
	}
	if (!says(d, DUMP_PARTS)) {
		buf_puts(d->out, " text ");
		put_plain(d, result_text(d, p));
	}
	for (size_t i = 0; says(d, DUMP_RESULT_IMAGES) && i < p->parts.n; i++) {
		if (p->parts.v[i].kind == LLM_PART_IMAGE)
			put_image(d, &p->parts.v[i].image);
	}
	buf_putc(d->out, '\n');
}

static void
put_call(const struct dump *d, const struct llm_part *p)
{
	const struct jraw args = llm_args_value(d->r->arena, &p->args);

	buf_printf(d->out, "call %.*s %.*s ", SPAN_ARG(plain(d, p->id)),
		SPAN_ARG(plain(d, p->name)));
	buf_put(d->out, args.s);
	put_cache(d, p->cache_control);
	buf_putc(d->out, '\n');
}

static void
put_signature(const struct dump *d, const struct llm_part *p)
{
	if (says(d, DUMP_SIGNATURE) && !jesc_is_empty(p->signature) &&
		!jesc_eq(p->signature, SPAN(NO_SIGNATURE)))
		buf_printf(d->out, " signed %.*s", SPAN_ARG(p->signature.s));
}

/* A text that only says which result the image behind it is of. */
static bool
is_image_mark(const struct dump *d, const struct llm_part *p)
{
	const struct span s = plain(d, p->text);

	return !says(d, DUMP_RESULT_IMAGES) && p->kind == LLM_PART_TEXT &&
		span_starts(s, SPAN("[image ")) &&
		span_find(s, SPAN(" from tool result ")) < s.n;
}

/* One part on a line of its own. */
static void
put_part(const struct dump *d, const struct llm_part *p)
{
	switch (p->kind) {
	case LLM_PART_TEXT:
		if (is_image_mark(d, p))
			return;
		buf_puts(d->out, "text ");
		put_plain(d, plain(d, p->text));
		put_cache(d, p->cache_control);
		break;
	case LLM_PART_THINK:
		buf_puts(d->out, "think ");
		put_plain(d, plain(d, p->text));
		put_signature(d, p);
		break;
	case LLM_PART_IMAGE:
		put_image(d, &p->image);
		break;
	case LLM_PART_CALL:
		put_call(d, p);
		return;
	case LLM_PART_RESULT:
		put_result(d, p);
		return;
	}
	buf_putc(d->out, '\n');
}

/* --- groups: the turns between which no border is told -------------------- */

struct group {
	size_t from, end;
	enum llm_role role;
};

#define GROUP_EACH(d, g, p)                                                    \
	for (size_t t_ = (g)->from; t_ < (g)->end; t_++)                       \
		for (const struct llm_part *                                   \
				p = (d)->r->turns.v[t_].parts.v,               \
			       *end_ = p + (d)->r->turns.v[t_].parts.n;        \
			p != end_; p++)

static void
put_results(const struct dump *d, const struct group *g)
{
	GROUP_EACH(d, g, p)
	{
		if (p->kind == LLM_PART_RESULT)
			put_result(d, p);
	}
}

/* All texts of a kind as one. */
static void
put_joined(const struct dump *d, const struct group *g, enum llm_part_kind kind)
{
	bool is_first = true;

	GROUP_EACH(d, g, p)
	{
		if (p->kind != kind || is_image_mark(d, p))
			continue;
		if (is_first)
			buf_puts(d->out,
				kind == LLM_PART_TEXT ? "text " : "think ");
		else if (d->exact)
			buf_puts(d->out, "\n");
		is_first = false;
		put_plain(d, plain(d, p->text));
		put_signature(d, p);
	}
	if (!is_first)
		buf_putc(d->out, '\n');
}

static void
put_result_images(const struct dump *d, const struct group *g)
{
	GROUP_EACH(d, g, p)
	{
		for (size_t i = 0; i < p->parts.n; i++) {
			if (p->parts.v[i].kind == LLM_PART_IMAGE)
				put_part(d, &p->parts.v[i]);
		}
	}
}

static void
put_kind(const struct dump *d, const struct group *g, enum llm_part_kind kind)
{
	GROUP_EACH(d, g, p)
	{
		if (p->kind == kind)
			put_part(d, p);
	}
}

static void
put_group(const struct dump *d, const struct group *g)
{
	static const char *const roles[] = { "system", "user", "assistant" };

	buf_printf(d->out, "--- %s\n", roles[g->role]);
	put_results(d, g);
	if (says(d, DUMP_PARTS)) {
		if (!says(d, DUMP_RESULT_IMAGES))
			put_result_images(d, g);
		GROUP_EACH(d, g, p)
		{
			if (p->kind != LLM_PART_RESULT)
				put_part(d, p);
		}
		return;
	}
	put_joined(d, g, LLM_PART_THINK);
	put_joined(d, g, LLM_PART_TEXT);
	if (!says(d, DUMP_RESULT_IMAGES))
		put_result_images(d, g);
	put_kind(d, g, LLM_PART_IMAGE);
	put_kind(d, g, LLM_PART_CALL);
}

static void
put_turns(const struct dump *d)
{
	const struct llm_req *const r = d->r;
	bool is_begun = false; /* something but system text was there */
	struct group g = { 0, 0, LLM_SYSTEM };

	for (size_t i = 0; i < r->turns.n; i++) {
		enum llm_role role = r->turns.v[i].role;

		is_begun = is_begun || role != LLM_SYSTEM;
		if (role == LLM_SYSTEM && is_begun && !says(d, DUMP_IN_PLACE))
			role = LLM_USER;
		if (i > 0 && (role != g.role || says(d, DUMP_TURNS))) {
			put_group(d, &g);
			g.from = i;
		}
		g.role = role;
		g.end = i + 1;
	}
	if (g.end > 0)
		put_group(d, &g);
}

/* --- everything else ------------------------------------------------------ */

static void
put_tools(const struct dump *d)
{
	const struct llm_req *const r = d->r;

	for (size_t i = 0; i < r->tools.n; i++) {
		const struct llm_tool *const t = &r->tools.v[i];
		/* Where one is wanted the name has to do. */
		const struct jesc about =
			jesc_cmp(t->description, t->name) == 0 ? JESC_EMPTY :
								 t->description;

		buf_printf(d->out, "tool %.*s: ", SPAN_ARG(plain(d, t->name)));
		buf_put(d->out, plain(d, about));
		buf_putc(d->out, ' ');
		buf_put(d->out,
			jraw_is_none(t->schema) ? SPAN("{\"type\":\"object\","
						       "\"properties\":{}}") :
						  t->schema.s);
		put_cache(d, t->cache_control);
		buf_putc(d->out, '\n');
	}
	if (r->tools.n == 0)
		return;
	/* Saying nothing lets the model choose. */
	buf_printf(d->out, "choice %d %.*s\n",
		r->choice == LLM_CHOICE_UNSET ? (int)LLM_CHOICE_AUTO :
						(int)r->choice,
		SPAN_ARG(r->choice_name.s));
	if (says(d, DUMP_SINGLE) && r->single_call)
		buf_puts(d->out, "single\n");
}

static void
put_thinking(const struct dump *d)
{
	const struct llm_think *const t = &d->r->think;
	const bool has_effort = t->effort >= LLM_EFFORT_LOW;

	if (says(d, DUMP_THINKS) && (t->mode == LLM_THINK_ON || has_effort))
		buf_puts(d->out, "thinks\n");
	if (says(d, DUMP_NO_THINKING) && t->mode == LLM_THINK_OFF)
		buf_puts(d->out, "does not think\n");
	if (says(d, DUMP_BUDGET))
		buf_printf(
			d->out, "budget %lld\n", (long long)t->budget_tokens);
	if (says(d, has_effort ? DUMP_EFFORT : DUMP_NO_EFFORT))
		buf_printf(d->out, "effort %d\n", (int)t->effort);
}

static void
put_format(const struct dump *d)
{
	const struct llm_req *const r = d->r;

	if (says(d, DUMP_JSON) && r->format == LLM_FORMAT_JSON)
		buf_puts(d->out, "json\n");
	if (r->format != LLM_FORMAT_SCHEMA)
		return;
	if (says(d, DUMP_SCHEMA))
		buf_printf(
			d->out, "schema %.*s\n", SPAN_ARG(r->format_schema.s));
	if (says(d, DUMP_SCHEMA_NAME))
		buf_printf(d->out, "named %.*s\n", SPAN_ARG(r->format_name.s));
}

void
dump_request(const struct llm_req *r, unsigned says_bits, bool exact,
	struct buf *out)
{
	const struct dump d = { r, says_bits, exact, out };

	buf_printf(out, "model %.*s stream %d max %lld\n", SPAN_ARG(r->model.s),
		r->stream, (long long)r->max_tokens);
	buf_printf(out, "temperature %.*s top_p %.*s\n",
		SPAN_ARG(r->temperature.raw.s), SPAN_ARG(r->top_p.raw.s));
	if (says(&d, DUMP_TOP_K))
		buf_printf(out, "top_k %lld\n", (long long)r->top_k);
	for (size_t i = 0; i < r->stop.n; i++)
		buf_printf(out, "stop %.*s\n", SPAN_ARG(r->stop.v[i].s));
	if (says(&d, DUMP_USER))
		buf_printf(out, "user %.*s\n", SPAN_ARG(r->user_id.s));
	put_tools(&d);
	put_thinking(&d);
	put_format(&d);
	put_turns(&d);
}
