/* SPDX-License-Identifier: MIT */
/*
 * dialect_anthropic_echo.c - a Messages answer for a Messages client.
 *
 * Events pass as they are. Edited are the model's name and, where upstream does
 * not know it yet, the usage at the start of a stream; added is what the client
 * is told of its context at the end.
 */
#include "shared/translate/dialect_anthropic.h"

#define INFO_MAX 4096 /* bytes of what is told of the context */

/* Text before `at` is in out. */
struct echo {
	const struct jdoc *d;
	struct buf *out;
	size_t at;
};

/* Copy up to v and put `instead` in its place. */
static void
replace(struct echo *e, jref v, struct span instead)
{
	const struct span old = jdoc_raw(e->d, v).s;
	const size_t start = (size_t)(old.p - e->d->text.p);

	buf_put(e->out, span_of(e->d->text.p + e->at, start - e->at));
	buf_put(e->out, instead);
	e->at = start + old.n;
}

static void
finish(struct echo *e)
{
	buf_put(e->out, span_from(e->d->text, e->at));
}

/* Put members behind the opening brace of obj. */
static void
insert(struct echo *e, jref obj, struct span members)
{
	const size_t at = (size_t)(jdoc_raw(e->d, obj).s.p - e->d->text.p) + 1;

	buf_put(e->out, span_of(e->d->text.p + e->at, at - e->at));
	buf_put(e->out, members);
	if (jdoc_count(e->d, obj) > 0)
		buf_putc(e->out, ',');
	e->at = at;
}

/* Put a member in front of the closing brace of the root; the last edit. */
static void
append_info(struct echo *e, const struct llm_enc_env *env)
{
	const struct span root = jdoc_raw(e->d, jdoc_root(e->d)).s;
	const size_t at = (size_t)(root.p - e->d->text.p) + root.n - 1;
	struct llm_fill fill;
	struct jout j;
	struct buf b;

	if (!env->context.is_shown || jdoc_type(e->d, jdoc_root(e->d)) != J_OBJ)
		return;
	fill = llm_fill_of(env->seen);
	buf_init(&b, INFO_MAX);
	jout_init(&j, &b);
	jout_obj(&j);
	llm_context_put_info(&j, &env->context, &fill, true);
	/* Without its opening brace. */
	if (buf_len(&b) > 1) {
		buf_put(e->out, span_of(e->d->text.p + e->at, at - e->at));
		if (jdoc_count(e->d, jdoc_root(e->d)) > 0)
			buf_putc(e->out, ',');
		buf_put(e->out, span_from(buf_span(&b), 1));
		e->at = at;
	}
	buf_fini(&b);
}

static struct span
quoted(struct arena *a, struct jesc s)
{
	char *const p = arena_alloc(a, s.s.n + 2);

	p[0] = '"';
	memcpy(p + 1, s.s.p, s.s.n);
	p[s.s.n + 1] = '"';
	return span_of(p, s.s.n + 2);
}

/* --- the start of a stream ------------------------------------------------ */

/* True if the count is above 0. */
static bool
is_said(const struct jdoc *d, jref usage, struct span key)
{
	int64_t n;

	return jdoc_int(d, jdoc_get(d, usage, key), &n) && n > 0;
}

/* Of a figure that is not upstream's. */
static const char *
mark(const struct llm_enc_env *env)
{
	return env->context.is_shown ? ",\"estimated\":true" : "";
}

static void
edit_usage(struct echo *e, jref usage, const struct llm_enc_env *env)
{
	const long long estimate = env->estimated_input;
	const jref input = jdoc_get(e->d, usage, SPAN("input_tokens"));

	if (is_said(e->d, usage, SPAN("input_tokens")) ||
		is_said(e->d, usage, SPAN("cache_read_input_tokens")) ||
		is_said(e->d, usage, SPAN("cache_creation_input_tokens")))
		return;
	if (input != JREF_NONE)
		replace(e, input,
			arena_printf(
				env->arena, "%lld%s", estimate, mark(env)));
	else
		insert(e, usage,
			arena_printf(env->arena, "\"input_tokens\":%lld%s",
				estimate, mark(env)));
}

/* What a message without usage gets. */
static struct span
made_usage(const struct llm_enc_env *env, const char *key)
{
	return arena_printf(env->arena,
		"%s{\"input_tokens\":%lld,\"output_tokens\":0%s}", key,
		(long long)env->estimated_input, mark(env));
}

/* Edits have to go forwards, and the order of the members is unknown. */
static void
edit_message(struct echo *e, jref message, const struct llm_enc_env *env)
{
	const jref usage = jdoc_get(e->d, message, SPAN("usage"));

	if (jdoc_type(e->d, message) != J_OBJ)
		return;
	if (usage == JREF_NONE)
		insert(e, message, made_usage(env, "\"usage\":"));
	JDOC_EACH_MEMBER (e->d, message, it) {
		const struct jesc key = jdoc_key(e->d, it);
		const jref v = jdoc_value(e->d, it);

		if (jesc_eq(key, SPAN("model")) && !jesc_is_empty(env->model))
			replace(e, v, quoted(env->arena, env->model));
		else if (v == usage && jdoc_type(e->d, v) == J_OBJ)
			edit_usage(e, v, env);
		else if (v == usage)
			replace(e, v, made_usage(env, ""));
	}
}

static void
put_event(struct buf *out, struct span name, struct span data)
{
	struct jout j;

	buf_puts(out, "event: ");
	buf_put(out, name);
	buf_puts(out, "\ndata: ");
	/* Keeps what ends a line for some client out of it. */
	jout_init(&j, out);
	jout_raw(&j, (struct jraw){ data });
	buf_puts(out, "\n\n");
}

static void
put_start(const struct jdoc *d, const struct llm_enc_env *env, struct buf *out)
{
	struct buf edited;
	struct echo e = { .d = d, .out = &edited };

	buf_init(&edited, 2 * (size_t)SSE_EVENT_MAX);
	edit_message(&e, jdoc_get(d, jdoc_root(d), SPAN("message")), env);
	finish(&e);
	put_event(out, SPAN("message_start"), buf_span(&edited));
	buf_fini(&edited);
}

static void
put_delta(const struct jdoc *d, const struct llm_enc_env *env, struct buf *out)
{
	struct buf edited;
	struct echo e = { .d = d, .out = &edited };

	buf_init(&edited, 2 * (size_t)SSE_EVENT_MAX);
	append_info(&e, env);
	finish(&e);
	put_event(out, SPAN("message_delta"), buf_span(&edited));
	buf_fini(&edited);
}

void
anthropic_ans_copy_sse(const struct sse_event *ev, struct jdoc *scratch,
	const struct llm_enc_env *env, struct buf *out)
{
	const struct span start = SPAN("message_start");
	const struct span delta = SPAN("message_delta");
	struct span name = ev->name;

	if (ev->data.n == 0)
		return;
	if (name.n > 0 && !span_eq(name, start) &&
		!(span_eq(name, delta) && env->context.is_shown)) {
		put_event(out, name, ev->data);
		return;
	}
	/* What is no JSON has been refused by the decoder, or comes after the
	 * end, where nobody waits for it. */
	if (jdoc_parse(scratch, ev->data, NULL) != GP_OK)
		return;
	if (name.n == 0)
		name = jtext_unescape_dup(env->arena,
			jdoc_str(scratch,
				jdoc_get(scratch, jdoc_root(scratch),
					SPAN("type"))));
	if (span_eq(name, start))
		put_start(scratch, env, out);
	else if (span_eq(name, delta))
		put_delta(scratch, env, out);
	else if (name.n > 0 && span_find_char(name, '\n') == name.n &&
		span_find_char(name, '\r') == name.n)
		put_event(out, name, ev->data);
}

void
anthropic_ans_copy_end(struct buf *out)
{
	buf_puts(out,
		"event: message_stop\ndata: "
		"{\"type\":\"message_stop\"}\n\n");
}

/* --- whole answers -------------------------------------------------------- */

void
anthropic_ans_copy_body(
	const struct jdoc *doc, const struct llm_enc_env *env, struct buf *out)
{
	struct echo e = { .d = doc, .out = out };
	const jref model = jdoc_get(doc, jdoc_root(doc), SPAN("model"));

	if (model != JREF_NONE && !jesc_is_empty(env->model))
		replace(&e, model, quoted(env->arena, env->model));
	append_info(&e, env);
	finish(&e);
}
