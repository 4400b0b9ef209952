/* SPDX-License-Identifier: MIT */
/*
 * dialect_anthropic_fold.c - the conversation of a copied Messages request.
 *
 * Messages of role system are not understood everywhere. Those in front join
 * the system field; any other becomes a reminder inside the user's message
 * before it, else inside the one behind it, else a message of its own. Empty
 * text blocks go. A message is folded the same way whatever follows it, so that
 * a growing conversation keeps its prefix.
 */
#include "shared/translate/dialect_anthropic_copy.h"

#define EMPTY_BLOCK    "{\"type\":\"text\",\"text\":\"(empty)\"}"
#define CONTINUE_BLOCK "{\"type\":\"text\",\"text\":\"Continue.\"}"
#define TEXT_BEGIN     "{\"type\":\"text\",\"text\":\""
#define TEXT_END       "\"}"

/* Neighbouring messages: n from first on. */
struct run {
	jref first;
	size_t n;
};

/* --- writing -------------------------------------------------------------- */

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
	copier_put(c, copier_start_of(c, v), copier_end_of(c, v));
}

/* text is a piece of the body. */
static void
put_text_block(struct copier *c, const char *begin, struct jesc text,
	const char *end, bool *is_first)
{
	size_t from;

	if (jesc_is_empty(text))
		return;
	separate(c, is_first);
	buf_puts(c->out, TEXT_BEGIN);
	buf_puts(c->out, begin);
	from = (size_t)(text.s.p - c->d->text.p);
	copier_put(c, from, from + text.s.n);
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

bool
anthropic_is_empty_text(const struct jdoc *d, jref block)
{
	return jdoc_is(d, jdoc_get(d, block, SPAN("type")), SPAN("text")) &&
		jesc_is_empty(jdoc_str(d, jdoc_get(d, block, SPAN("text"))));
}

static bool
is_empty_text(const struct copier *c, jref block)
{
	return anthropic_is_empty_text(c->d, block);
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

static jref
kept_from(const struct copier *c, jref message)
{
	while (message != JREF_NONE && copier_is_gone(c, message))
		message = jdoc_next(c->d, c->messages, message);
	return message;
}

static jref
first_message(const struct copier *c)
{
	return kept_from(c, jdoc_first(c->d, c->messages));
}

static jref
next_message(const struct copier *c, jref message)
{
	return kept_from(c, jdoc_next(c->d, c->messages, message));
}

/* The system messages from `from` on. */
static struct run
system_run(const struct copier *c, jref from)
{
	struct run run = { from, 0 };

	while (from != JREF_NONE && is_system(c, from)) {
		run.n++;
		from = next_message(c, from);
	}
	return run;
}

static jref
after_run(const struct copier *c, struct run run)
{
	jref it = run.first;

	for (size_t i = 0; i < run.n; i++)
		it = next_message(c, it);
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
		it = next_message(c, it);
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
	c->at = copier_start_of(c, block);
	copier_copy_to(c, copier_start_of(c, text) + 1);
	buf_puts(c->out, ANTHROPIC_REMINDER_BEGIN);
	copier_copy_to(c, copier_end_of(c, text) - 1);
	buf_puts(c->out, ANTHROPIC_REMINDER_END);
	copier_copy_to(c, copier_end_of(c, block));
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
		m = next_message(c, m);
	}
}

static struct run
leading_run(const struct copier *c)
{
	return (struct run){ first_message(c), c->leading };
}

static bool
is_kept_in_field(const struct copier *c, jref block)
{
	return is_kept_system(c, block) || !is_type(c, block, SPAN("text"));
}

/* system: the field's value, JREF_NONE if there is none. */
void
anthropic_fold_put_system(struct copier *c, jref system)
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

bool
anthropic_fold_system_is_fine(const struct copier *c, jref system)
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
bool
anthropic_fold_system_is_void(const struct copier *c, jref system)
{
	if (anthropic_fold_has_leading_text(c) ||
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

/* --- messages ------------------------------------------------------------- */

static void
put_clean_block(struct copier *c, jref block, bool *is_first)
{
	const jref content = content_of(c, block);
	bool is_first_inside = true;

	if (is_empty_text(c, block) || copier_is_gone(c, block))
		return;
	if (!is_spoiled_result(c, block)) {
		put_item(c, block, is_first);
		return;
	}
	separate(c, is_first);
	c->at = copier_start_of(c, block);
	copier_skip(c, content);
	buf_putc(c->out, '[');
	JDOC_EACH (c->d, content, it) {
		if (!is_empty_text(c, it))
			put_item(c, it, &is_first_inside);
	}
	buf_putc(c->out, ']');
	copier_copy_to(c, copier_end_of(c, block));
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
	c->at = copier_start_of(c, message);
	copier_skip(c, content);
	put_content(c, content, front, back);
	c->at = copier_end_of(c, content);
	copier_copy_to(c, copier_end_of(c, message));
}

/* What stands in place of the messages that are gone. */
static void
put_instead(struct copier *c, bool *is_first)
{
	if (jesc_is_empty(c->r->instead))
		return;
	separate(c, is_first);
	buf_puts(c->out, "{\"role\":\"user\",\"content\":[" TEXT_BEGIN);
	buf_put(c->out, c->r->instead.s);
	buf_puts(c->out, TEXT_END "]}");
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

void
anthropic_fold_put_messages(struct copier *c)
{
	const struct run none = { JREF_NONE, 0 };
	jref m = after_run(c, (struct run){ first_message(c), c->leading });
	bool is_first = true;

	buf_putc(c->out, '[');
	put_instead(c, &is_first);
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
			m = next_message(c, m);
			continue;
		}
		back = system_run(c, next_message(c, m));
		put_message(c, m, front, back, &is_first);
		m = back.n > 0 ? after_run(c, back) : next_message(c, m);
	}
	if (is_first)
		buf_puts(c->out,
			"{\"role\":\"user\",\"content\":[" CONTINUE_BLOCK "]}");
	buf_putc(c->out, ']');
}

bool
anthropic_fold_messages_are_fine(const struct copier *c)
{
	if (!jesc_is_empty(c->r->instead))
		return false;
	for (jref it = first_message(c); it != JREF_NONE;
		it = next_message(c, it)) {
		if (is_system(c, it) || needs_cleaning(c, it))
			return false;
	}
	return true;
}

void
anthropic_fold_init(struct copier *c)
{
	c->messages = jdoc_get(c->d, jdoc_root(c->d), SPAN("messages"));
	anthropic_cut(c);
	c->leading = system_run(c, first_message(c)).n;
}

bool
anthropic_fold_has_leading_text(const struct copier *c)
{
	return run_says(c, leading_run(c));
}
