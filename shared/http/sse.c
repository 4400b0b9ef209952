/* SPDX-License-Identifier: MIT */
/* sse.c - incremental Server-Sent Events parser. */
#include "shared/http/sse.h"

/* A field name, colon and blank besides the data. */
#define SSE_LINE_MAX (SSE_EVENT_MAX + 16u)
/* Memory that is kept from one event to the next. */
#define SSE_KEEP 65536
/* Two searches run over this many bytes at a time: a stream with only one of
 * the two line ends must not be searched to its end for the other. */
#define SSE_WINDOW 512

/*
 * One call of sse_feed. The first data line of an event is at first only
 * viewed; it is copied when a second one comes or when the input ends.
 */
struct feed {
	struct sse *s;
	struct span view;
	bool has_view;
};

void
sse_init(struct sse *s)
{
	*s = (struct sse){ .has_data = false };
	buf_init(&s->line, SSE_LINE_MAX);
	buf_init(&s->data, SSE_EVENT_MAX);
}

void
sse_fini(struct sse *s)
{
	buf_fini(&s->line);
	buf_fini(&s->data);
}

/* Offset of the first CR or LF, or s.n. */
static size_t
find_eol(struct span s)
{
	for (size_t at = 0; at < s.n; at += SSE_WINDOW) {
		const char *from = s.p + at;
		size_t n = MIN(s.n - at, (size_t)SSE_WINDOW);
		const char *lf = memchr(from, '\n', n);
		const char *cr;

		if (lf != NULL)
			n = (size_t)(lf - from);
		cr = memchr(from, '\r', n);
		if (cr != NULL)
			return (size_t)(cr - s.p);
		if (lf != NULL)
			return (size_t)(lf - s.p);
	}
	return s.n;
}

static void
add_data(struct feed *f, struct span value)
{
	struct sse *s = f->s;

	if (!s->has_data) {
		buf_reset(&s->data, SSE_KEEP);
		s->has_data = true;
		f->has_view = true;
		f->view = value;
		return;
	}
	if (f->has_view)
		buf_put(&s->data, f->view);
	f->has_view = false;
	buf_putc(&s->data, '\n');
	buf_put(&s->data, value);
}

static void
set_name(struct sse *s, struct span value)
{
	/* A cut name equals no name that is known. */
	value = span_head(value, sizeof(s->name));
	memcpy(s->name, value.p, value.n);
	s->name_len = value.n;
}

static void
on_field(struct feed *f, struct span line)
{
	size_t colon = span_find_char(line, ':');
	struct span name = span_head(line, colon);
	struct span value = span_from(line, colon + 1);

	if (value.n > 0 && value.p[0] == ' ')
		value = span_from(value, 1);
	if (span_eq(name, SPAN("data")))
		add_data(f, value);
	else if (span_eq(name, SPAN("event")))
		set_name(f->s, value);
}

/* The empty line. True if there is an event. */
static bool
dispatch(struct feed *f, struct sse_event *ev)
{
	struct sse *s = f->s;
	bool has_event = s->has_data;

	if (has_event) {
		/* The bytes stay where they are until the next call. */
		ev->name = span_of(s->name, s->name_len);
		ev->data = f->has_view ? f->view : buf_span(&s->data);
	}
	f->has_view = false;
	s->has_data = false;
	s->name_len = 0;
	return has_event;
}

/* A whole line without its end. True if it completes an event. */
static bool
on_line(struct feed *f, struct span line, struct sse_event *ev)
{
	struct sse *s = f->s;

	if (!s->started && span_starts(line, SPAN("\xef\xbb\xbf")))
		line = span_from(line, 3);
	s->started = true;
	if (line.n == 0)
		return dispatch(f, ev);
	if (line.p[0] == ':')
		s->comments++;
	else
		on_field(f, line);
	return false;
}

/* Keep part of a line. Of a comment one byte will do. */
static void
keep_line(struct sse *s, struct span part)
{
	struct span kept = buf_span(&s->line);

	if (part.n == 0 || (kept.n > 0 && kept.p[0] == ':'))
		return;
	if (kept.n == 0)
		buf_reset(&s->line, SSE_KEEP);
	if (kept.n == 0 && part.p[0] == ':')
		part = span_head(part, 1);
	buf_put(&s->line, part);
}

/* The line that ends with `part`. */
static struct span
take_line(struct sse *s, struct span part)
{
	struct span line;

	if (buf_len(&s->line) == 0) {
		/* Refused here too, or the cuts would decide. */
		if (part.n > SSE_LINE_MAX && part.p[0] != ':')
			s->line.bad = true;
		return part;
	}
	keep_line(s, part);
	line = buf_span(&s->line);
	/* Only forgotten: the bytes are not written to before the next part of
	 * a line is kept, at the end of the input at the earliest. */
	buf_truncate(&s->line, 0);
	return line;
}

static bool
is_too_large(const struct feed *f)
{
	return f->s->line.bad || f->s->data.bad ||
		(f->has_view && f->view.n > SSE_EVENT_MAX);
}

static enum sse_step
fail(struct sse *s, struct gp_error *err)
{
	s->data.bad = true;
	(void)gp_fail(err, GP_E_LIMIT, "An event is larger than %u bytes.",
		SSE_EVENT_MAX);
	return SSE_FAIL;
}

/* The input is used up inside an event. */
static void
keep_rest(struct feed *f, struct span rest)
{
	/* First the view: it may be of s->line. */
	if (f->has_view)
		buf_put(&f->s->data, f->view);
	f->has_view = false;
	keep_line(f->s, rest);
}

enum sse_step
sse_feed(struct sse *s, struct span in, size_t *used, struct sse_event *ev,
	struct gp_error *err)
{
	struct feed f = { .s = s, .view = SPAN_EMPTY };
	size_t at = 0;

	*used = 0;
	if (is_too_large(&f))
		return fail(s, err);
	while (at < in.n) {
		struct span rest = span_from(in, at);
		size_t eol;
		bool has_event;

		if (s->after_cr && rest.p[0] == '\n') {
			s->after_cr = false;
			at++;
			continue;
		}
		s->after_cr = false;
		eol = find_eol(rest);
		if (eol == rest.n) {
			keep_rest(&f, rest);
			at = in.n;
			break;
		}
		s->after_cr = rest.p[eol] == '\r';
		at += eol + 1;
		has_event = on_line(&f, take_line(s, span_head(rest, eol)), ev);
		if (is_too_large(&f))
			break;
		if (has_event) {
			*used = at;
			return SSE_EVENT;
		}
	}
	*used = at;
	if (is_too_large(&f))
		return fail(s, err);
	keep_rest(&f, SPAN_EMPTY);
	return SSE_MORE;
}

enum sse_step
sse_end(struct sse *s, struct sse_event *ev)
{
	struct feed f = { .s = s, .view = SPAN_EMPTY };

	if (buf_len(&s->line) > 0 || s->has_data || s->name_len > 0) {
		s->is_torn = true;
		if (buf_len(&s->line) > 0)
			(void)on_line(&f, take_line(s, SPAN_EMPTY), ev);
	}
	if (is_too_large(&f))
		return SSE_FAIL;
	return dispatch(&f, ev) ? SSE_EVENT : SSE_MORE;
}

void
sse_put(struct buf *out, struct span name, struct span data)
{
	if (name.n > 0) {
		buf_puts(out, "event: ");
		buf_put(out, name);
		buf_putc(out, '\n');
	}
	buf_puts(out, "data: ");
	buf_put(out, data);
	buf_puts(out, "\n\n");
}
