/* SPDX-License-Identifier: MIT */
/*
 * dialect_anthropic_copy.c - a Messages request for a Messages upstream.
 *
 * The client's bytes are copied; only what the upstream would refuse, or what
 * spoils its prompt cache, is changed:
 *
 *	model, max_tokens          values that the tree has changed
 *	system                     the billing line goes; empty blocks go;
 *system messages in front of all others are appended messages of role system
 *become reminders inside the user's message in front of them, else in the one
 *behind them, else a message of their own empty text blocks          go
 *
 * A message is folded the same way whatever follows it, so that a growing
 * conversation keeps its prefix.
 */
#include "shared/translate/dialect_anthropic.h"

#define EMPTY_BLOCK    "{\"type\":\"text\",\"text\":\"(empty)\"}"
#define CONTINUE_BLOCK "{\"type\":\"text\",\"text\":\"Continue.\"}"
#define TEXT_BEGIN     "{\"type\":\"text\",\"text\":\""
#define TEXT_END       "\"}"

/* Text before `at` is in out or skipped. */
struct copier {
	const struct jdoc *d;
	struct llm_req *r;
	struct buf *out;
	size_t at;
	jref messages;
	size_t leading;  /* system messages in front of all others */
	size_t last_end; /* of the member of the root before this one */
};

/* Neighbouring messages: n from first on. */
struct run {
	jref first;
	size_t n;
};

/* --- copying -------------------------------------------------------------- */

static size_t
start_of(const struct copier *c, jref v)
{
	return (size_t)(jdoc_raw(c->d, v).s.p - c->d->text.p);
}

static size_t
end_of(const struct copier *c, jref v)
{
	return start_of(c, v) + jdoc_raw(c->d, v).s.n;
}

static void
copy_to(struct copier *c, size_t to)
{
	buf_put(c->out, span_of(c->d->text.p + c->at, to - c->at));
	c->at = to;
}

/* Copy what is before v; v itself is left to the caller. */
static void
skip(struct copier *c, jref v)
{
	copy_to(c, start_of(c, v));
	c->at = end_of(c, v);
}

static void
separate(struct copier *c, bool *is_first)
{
	if (!*is_first)
		buf_putc(c->out, ',');
	*is_first = false;
}

static void
put_item(struct copier *c, jref v, bool *is_first)
{
	separate(c, is_first);
	buf_put(c->out, jdoc_raw(c->d, v).s);
}

static void
put_text_block(struct copier *c, const char *begin, struct jesc text,
	const char *end, bool *is_first)
{
	if (jesc_is_empty(text))
		return;
	separate(c, is_first);
	buf_puts(c->out, TEXT_BEGIN);
	buf_puts(c->out, begin);
	buf_put(c->out, text.s);
	buf_puts(c->out, end);
	buf_puts(c->out, TEXT_END);
}

/* --- looking -------------------------------------------------------------- */

static struct jesc
member(const struct copier *c, jref obj, struct span key)
{
	return jdoc_str(c->d, jdoc_get(c->d, obj, key));
}

static bool
is_type(const struct copier *c, jref block, struct span type)
{
	return jesc_eq(member(c, block, SPAN("type")), type);
}

static bool
is_role(const struct copier *c, jref message, struct span role)
{
	return jesc_eq(member(c, message, SPAN("role")), role);
}

static bool
is_system(const struct copier *c, jref message)
{
	return is_role(c, message, SPAN("system"));
}

static bool
is_empty_text(const struct copier *c, jref block)
{
	return is_type(c, block, SPAN("text")) &&
		jesc_is_empty(member(c, block, SPAN("text")));
}

/* A block of system text that says something to the model. */
static bool
is_kept_system(const struct copier *c, jref block)
{
	return is_type(c, block, SPAN("text")) && !is_empty_text(c, block) &&
		!anthropic_is_billing(member(c, block, SPAN("text")));
}

static bool
has_empty_text(const struct copier *c, jref blocks)
{
	if (jdoc_type(c->d, blocks) != J_ARR)
		return false;
	JDOC_EACH (c->d, blocks, it) {
		if (is_empty_text(c, it))
			return true;
	}
	return false;
}

static jref
content_of(const struct copier *c, jref message)
{
	return jdoc_get(c->d, message, SPAN("content"));
}

/* A result with an empty text inside. */
static bool
is_spoiled_result(const struct copier *c, jref block)
{
	return is_type(c, block, SPAN("tool_result")) &&
		has_empty_text(c, content_of(c, block));
}

static bool
needs_cleaning(const struct copier *c, jref message)
{
	const jref content = content_of(c, message);

	if (jdoc_type(c->d, content) != J_ARR)
		return false;
	JDOC_EACH (c->d, content, it) {
		if (is_empty_text(c, it) || is_spoiled_result(c, it))
			return true;
	}
	return false;
}

/* A message of the assistant that is nothing but empty text. */
static bool
is_void(const struct copier *c, jref message)
{
	const jref content = content_of(c, message);

	if (!is_role(c, message, SPAN("assistant")) ||
		!has_empty_text(c, content))
		return false;
	JDOC_EACH (c->d, content, it) {
		if (!is_empty_text(c, it))
			return false;
	}
	return true;
}

/* The system messages from `from` on. */
static struct run
system_run(const struct copier *c, jref from)
{
	struct run run = { from, 0 };

	while (from != JREF_NONE && is_system(c, from)) {
		run.n++;
		from = jdoc_next(c->d, c->messages, from);
	}
	return run;
}

static jref
after_run(const struct copier *c, struct run run)
{
	jref it = run.first;

	for (size_t i = 0; i < run.n; i++)
		it = jdoc_next(c->d, c->messages, it);
	return it;
}

static bool
message_says(const struct copier *c, jref message)
{
	const jref content = content_of(c, message);

	if (jdoc_type(c->d, content) == J_STR)
		return !jesc_is_empty(
			anthropic_strip_billing(jdoc_str(c->d, content)));
	JDOC_EACH (c->d, content, it) {
		if (is_kept_system(c, it))
			return true;
	}
	return false;
}

static bool
run_says(const struct copier *c, struct run run)
{
	jref it = run.first;

	for (size_t i = 0; i < run.n; i++) {
		if (message_says(c, it))
			return true;
		it = jdoc_next(c->d, c->messages, it);
	}
	return false;
}

/* --- system text ---------------------------------------------------------- */

/* What is no text cannot be folded. */
static void
note_dropped(struct copier *c, jref block)
{
	if (!is_type(c, block, SPAN("text")))
		notice_add(&c->r->notices, "dropped",
			member(c, block, SPAN("type")).s);
}

/* A text block, its text told apart as a reminder. */
static void
put_reminder_block(struct copier *c, jref block, bool *is_first)
{
	const jref text = jdoc_get(c->d, block, SPAN("text"));

	separate(c, is_first);
	c->at = start_of(c, block);
	copy_to(c, start_of(c, text) + 1);
	buf_puts(c->out, ANTHROPIC_REMINDER_BEGIN);
	copy_to(c, end_of(c, text) - 1);
	buf_puts(c->out, ANTHROPIC_REMINDER_END);
	copy_to(c, end_of(c, block));
}

/* The text of a run as blocks, as they are or as reminders. */
static void
put_run(struct copier *c, struct run run, bool as_reminders, bool *is_first)
{
	jref m = run.first;

	for (size_t i = 0; i < run.n; i++) {
		const jref content = content_of(c, m);

		put_text_block(c, as_reminders ? ANTHROPIC_REMINDER_BEGIN : "",
			anthropic_strip_billing(jdoc_str(c->d, content)),
			as_reminders ? ANTHROPIC_REMINDER_END : "", is_first);
		JDOC_EACH (c->d, content, it) {
			if (!is_kept_system(c, it))
				note_dropped(c, it);
			else if (as_reminders)
				put_reminder_block(c, it, is_first);
			else
				put_item(c, it, is_first);
		}
		m = jdoc_next(c->d, c->messages, m);
	}
}

static struct run
leading_run(const struct copier *c)
{
	return (struct run){ jdoc_first(c->d, c->messages), c->leading };
}

static bool
is_kept_in_field(const struct copier *c, jref block)
{
	return is_kept_system(c, block) || !is_type(c, block, SPAN("text"));
}

/* system: the field's value, JREF_NONE if there is none. */
static void
put_system(struct copier *c, jref system)
{
	bool is_first = true;

	buf_putc(c->out, '[');
	put_text_block(c, "", anthropic_strip_billing(jdoc_str(c->d, system)),
		"", &is_first);
	if (jdoc_type(c->d, system) == J_ARR) {
		JDOC_EACH (c->d, system, it) {
			if (is_kept_in_field(c, it))
				put_item(c, it, &is_first);
		}
	}
	put_run(c, leading_run(c), false, &is_first);
	buf_putc(c->out, ']');
}

static bool
system_is_fine(const struct copier *c, jref system)
{
	if (c->leading > 0)
		return false;
	if (jdoc_type(c->d, system) == J_STR)
		return !anthropic_is_billing(jdoc_str(c->d, system));
	if (jdoc_type(c->d, system) != J_ARR)
		return true;
	JDOC_EACH (c->d, system, it) {
		if (is_type(c, it, SPAN("text")) && !is_kept_system(c, it))
			return false;
	}
	return true;
}

/* Nothing will be left of the field. */
static bool
is_void_system(const struct copier *c, jref system)
{
	if (run_says(c, leading_run(c)) ||
		!jesc_is_empty(anthropic_strip_billing(jdoc_str(c->d, system))))
		return false;
	if (jdoc_type(c->d, system) == J_ARR) {
		JDOC_EACH (c->d, system, it) {
			if (is_kept_in_field(c, it))
				return false;
		}
	}
	return true;
}

/* The whole member goes, and one of the commas around it. */
static void
drop_member(struct copier *c, jref key, jref v)
{
	const jref next = jdoc_next(c->d, jdoc_root(c->d), key);

	if (next != JREF_NONE) {
		copy_to(c, start_of(c, key));
		c->at = start_of(c, next);
	} else {
		copy_to(c, c->last_end);
		c->at = end_of(c, v);
	}
}

static void
on_system(struct copier *c, jref key, jref v)
{
	if (system_is_fine(c, v))
		return;
	if (is_void_system(c, v)) {
		drop_member(c, key, v);
		return;
	}
	skip(c, v);
	put_system(c, v);
}

/* --- messages ------------------------------------------------------------- */

static void
put_clean_block(struct copier *c, jref block, bool *is_first)
{
	const jref content = content_of(c, block);
	bool is_first_inside = true;

	if (is_empty_text(c, block))
		return;
	if (!is_spoiled_result(c, block)) {
		put_item(c, block, is_first);
		return;
	}
	separate(c, is_first);
	c->at = start_of(c, block);
	skip(c, content);
	buf_putc(c->out, '[');
	JDOC_EACH (c->d, content, it) {
		if (!is_empty_text(c, it))
			put_item(c, it, &is_first_inside);
	}
	buf_putc(c->out, ']');
	copy_to(c, end_of(c, block));
}

/* A message's blocks without the empty ones; front goes behind the results
 * with which a user's message begins, back to the end. */
static void
put_content(struct copier *c, jref content, struct run front, struct run back)
{
	bool is_first = true, has_front = false;

	buf_putc(c->out, '[');
	if (jdoc_type(c->d, content) == J_ARR) {
		JDOC_EACH (c->d, content, it) {
			if (!has_front &&
				!is_type(c, it, SPAN("tool_result"))) {
				put_run(c, front, true, &is_first);
				has_front = true;
			}
			put_clean_block(c, it, &is_first);
		}
	}
	if (!has_front)
		put_run(c, front, true, &is_first);
	put_text_block(c, "", jdoc_str(c->d, content), "", &is_first);
	put_run(c, back, true, &is_first);
	if (is_first)
		buf_puts(c->out, EMPTY_BLOCK);
	buf_putc(c->out, ']');
}

static void
put_message(struct copier *c, jref message, struct run front, struct run back,
	bool *is_first)
{
	const jref content = content_of(c, message);

	if (!run_says(c, front) && !run_says(c, back) &&
		!needs_cleaning(c, message)) {
		put_item(c, message, is_first);
		return;
	}
	separate(c, is_first);
	c->at = start_of(c, message);
	skip(c, content);
	put_content(c, content, front, back);
	c->at = end_of(c, content);
	copy_to(c, end_of(c, message));
}

static void
put_own_message(struct copier *c, struct run run, bool *is_first)
{
	if (!run_says(c, run))
		return;
	separate(c, is_first);
	buf_puts(c->out, "{\"role\":\"user\",\"content\":");
	put_content(c, JREF_NONE, run, (struct run){ JREF_NONE, 0 });
	buf_putc(c->out, '}');
}

static void
put_messages(struct copier *c)
{
	const struct run none = { JREF_NONE, 0 };
	jref m = after_run(
		c, (struct run){ jdoc_first(c->d, c->messages), c->leading });
	bool is_first = true;

	buf_putc(c->out, '[');
	while (m != JREF_NONE) {
		/* Not behind a message of the user: those are taken with it. */
		const struct run front = system_run(c, m);
		struct run back;

		m = after_run(c, front);
		if (m == JREF_NONE || !is_role(c, m, SPAN("user"))) {
			put_own_message(c, front, &is_first);
			if (m == JREF_NONE)
				break;
			if (!is_void(c, m))
				put_message(c, m, none, none, &is_first);
			m = jdoc_next(c->d, c->messages, m);
			continue;
		}
		back = system_run(c, jdoc_next(c->d, c->messages, m));
		put_message(c, m, front, back, &is_first);
		m = back.n > 0 ? after_run(c, back) :
				 jdoc_next(c->d, c->messages, m);
	}
	if (is_first)
		buf_puts(c->out,
			"{\"role\":\"user\",\"content\":[" CONTINUE_BLOCK "]}");
	buf_putc(c->out, ']');
}

static bool
messages_are_fine(const struct copier *c)
{
	JDOC_EACH (c->d, c->messages, it) {
		if (is_system(c, it) || needs_cleaning(c, it))
			return false;
	}
	return true;
}

static void
on_messages(struct copier *c, jref key, jref v)
{
	const jref root = jdoc_root(c->d);

	if (run_says(c, leading_run(c)) &&
		jdoc_get(c->d, root, SPAN("system")) == JREF_NONE) {
		const size_t at = start_of(c, key);

		copy_to(c, at);
		buf_puts(c->out, "\"system\":");
		put_system(c, JREF_NONE);
		buf_putc(c->out, ',');
		c->at = at;
	}
	if (messages_are_fine(c))
		return;
	skip(c, v);
	put_messages(c);
	c->at = end_of(c, v);
}

/* --- everything ----------------------------------------------------------- */

/* 0 (a warm-up of the cache) is not in the tree and stays. */
static void
on_max_tokens(struct copier *c, jref key, jref v)
{
	int64_t asked;

	(void)key;
	if (!jdoc_int(c->d, v, &asked) || asked == 0 || c->r->max_tokens == 0 ||
		asked == c->r->max_tokens)
		return;
	skip(c, v);
	buf_put_u64(c->out, (uint64_t)c->r->max_tokens);
}

static void
put_model(struct copier *c, struct span model)
{
	buf_putc(c->out, '"');
	jtext_escape(model, c->out);
	buf_putc(c->out, '"');
}

static const struct {
	struct span key;
	void (*edit)(struct copier *c, jref key, jref v);
} edits[] = {
	{ SPAN_INIT("max_tokens"), on_max_tokens },
	{ SPAN_INIT("system"), on_system },
	{ SPAN_INIT("messages"), on_messages },
};

static void
copy_root(struct copier *c, struct span model)
{
	const jref root = jdoc_root(c->d);

	if (jdoc_get(c->d, root, SPAN("model")) == JREF_NONE) {
		copy_to(c, start_of(c, root) + 1);
		buf_puts(c->out, "\"model\":");
		put_model(c, model);
		buf_putc(c->out, ',');
	}
	JDOC_EACH_MEMBER (c->d, root, it) {
		const struct jesc key = jdoc_key(c->d, it);
		const jref v = jdoc_value(c->d, it);

		if (jesc_eq(key, SPAN("model"))) {
			skip(c, v);
			put_model(c, model);
		}
		for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
			if (jesc_eq(key, edits[i].key))
				edits[i].edit(c, it, v);
		}
		c->last_end = end_of(c, v);
	}
	copy_to(c, c->d->text.n);
}

enum gp_code
anthropic_req_copy(const struct jdoc *doc, struct llm_req *r, struct span model,
	struct buf *out, struct gp_error *err)
{
	struct copier c = { .d = doc, .r = r, .out = out };

	c.messages = jdoc_get(doc, jdoc_root(doc), SPAN("messages"));
	c.leading = system_run(&c, jdoc_first(doc, c.messages)).n;
	copy_root(&c, model);
	return buf_check(out, err);
}
