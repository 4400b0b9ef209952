/* SPDX-License-Identifier: MIT */
/* wire_sse.c - events in every form that the SSE standard allows. */
#include "tests/upstream/wire.h"

static void
put_line_end(const struct scenario *sc, struct buf *out)
{
	if (sc->crlf > 0)
		buf_puts(out, "\r\n");
	else
		buf_putc(out, sc->cr > 0 ? '\r' : '\n');
}

/* Index behind the first comma of s outside strings; 0 if there is none. */
static size_t
first_comma(struct span s)
{
	bool in_string = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			in_string = !in_string;
		else if (s.p[i] == ',' && !in_string)
			return i + 1;
	}
	return 0;
}

static void
put_line(const struct scenario *sc, struct span line, struct buf *out)
{
	struct span data = span_from(line, 6);
	const char *prefix = sc->nospace > 0 ? "data:" : "data: ";
	size_t cut;

	if (!span_starts(line, SPAN("data: "))) {
		buf_put(out, line);
		put_line_end(sc, out);
		return;
	}
	cut = sc->split > 0 ? first_comma(data) : 0;
	buf_puts(out, prefix);
	buf_put(out, span_head(data, cut));
	if (cut > 0) {
		put_line_end(sc, out);
		buf_puts(out, prefix);
	}
	buf_put(out, span_from(data, cut));
	put_line_end(sc, out);
}

static bool
is_as_it_is(const struct scenario *sc)
{
	return sc->crlf <= 0 && sc->cr <= 0 && sc->comments <= 0 &&
		sc->bom <= 0 && sc->nospace <= 0 && sc->split <= 0 &&
		sc->fields <= 0;
}

void
body_put_event(struct body *b, struct span event)
{
	const struct scenario *sc = b->p->sc;

	if (is_as_it_is(sc)) {
		buf_put(&b->bytes, event);
		return;
	}
	if (sc->bom > 0 && b->bytes.len == 0)
		buf_puts(&b->bytes, "\xef\xbb\xbf");
	if (sc->comments > 0) {
		put_line(sc, SPAN(": a comment"), &b->bytes);
		put_line(sc, SPAN_EMPTY, &b->bytes);
		put_line(sc, SPAN(":"), &b->bytes);
	}
	if (sc->fields > 0) {
		put_line(sc, SPAN("id: 7"), &b->bytes);
		put_line(sc, SPAN("retry: 3000"), &b->bytes);
	}
	while (event.n > 0) {
		size_t end = span_find_char(event, '\n');

		if (end == event.n) { /* torn */
			buf_put(&b->bytes, event);
			return;
		}
		put_line(sc, span_head(event, end), &b->bytes);
		event = span_from(event, end + 1);
	}
}
