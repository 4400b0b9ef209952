/* SPDX-License-Identifier: MIT */
/* errors.c - z.ai's errors: business codes and the shapes they come in. */
#include "tests/upstream/errors.h"

#include "tests/upstream/check.h"
#include "tests/upstream/text.h"

struct code {
	unsigned code, status;
	const char *type;
	struct span text;
};

static const struct code codes[] = {
#define CODE(code, status, type, text) { code, status, type, SPAN_INIT(text) },
#include "tests/upstream/errors.def"
#undef CODE
};

static const struct code unknown = { 0, 400, "invalid_request_error",
	SPAN_INIT("error") };

static const struct {
	const char *name;
	enum shape shape;
	unsigned status; /* 0: the code's */
} shapes[] = {
	{ "F1", SHAPE_F1, 0 },
	{ "F2", SHAPE_F2, 0 },
	{ "F2b", SHAPE_F2B, 0 },
	{ "F3", SHAPE_F3, 401 },
	{ "F4", SHAPE_F4, 200 },
	{ "F5", SHAPE_F5, 422 },
	{ "F5b", SHAPE_F5B, 422 },
	{ "F6", SHAPE_F6, 404 },
	{ "F7", SHAPE_F7, 502 },
	{ "F7b", SHAPE_F7B, 502 },
	{ "F7c", SHAPE_F7C, 502 },
	{ "F8", SHAPE_F8, 0 },
};

static const struct code *
code_find(unsigned code)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].code == code)
			return &codes[i];
	return &unknown;
}

struct failure
failure_of(enum side side, unsigned code)
{
	const struct code *c = code_find(code);
	struct failure f = { .code = code,
		.status = c->status,
		.shape = side == SIDE_A ? SHAPE_F2 : SHAPE_F1,
		.message = c->text,
		.path = SPAN_EMPTY };

	if (side == SIDE_A && (code == 1000 || code == 1001))
		f.shape = SHAPE_F3;
	if (side == SIDE_A && code == 1305)
		f.status = 529;
	return f;
}

bool
failure_set_shape(struct failure *f, struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		if (!span_eq(name, span_cstr(shapes[i].name)))
			continue;
		f->shape = shapes[i].shape;
		if (shapes[i].status != 0)
			f->status = shapes[i].status;
		return true;
	}
	return false;
}

static void
put_error(struct buf *out, const struct failure *f, struct span trace)
{
	const char *type = code_find(f->code)->type;

	buf_puts(out,
		f->shape == SHAPE_F1 ? "{\"error\":{" :
				       "{\"type\":\"error\",\"error\":{");
	if (f->shape == SHAPE_F2)
		buf_printf(out, "\"type\":\"%s\",", type);
	buf_printf(out, "\"code\":\"%u\",\"message\":\"", f->code);
	if (f->shape == SHAPE_F2)
		buf_printf(out, "[%u][", f->code);
	text_put_escaped(out, f->message);
	if (f->shape == SHAPE_F2)
		buf_printf(out, "][%.*s]", SPAN_ARG(trace));
	buf_printf(out, "\"},\"request_id\":\"%.*s\"}", SPAN_ARG(trace));
}

static bool
is_separator(char c)
{
	return c == '.' || c == '[' || c == ']';
}

static void
put_detail(struct buf *out, const struct failure *f)
{
	size_t colon = span_find(f->message, SPAN(": "));
	struct span where = span_head(f->message, colon);
	struct span msg = span_from(f->message, colon + 2);

	buf_puts(out,
		"{\"detail\":[{\"type\":\"literal_error\",\"loc\":["
		"\"body\"");
	while (where.n > 0) {
		size_t i = 0;

		while (i < where.n && !is_separator(where.p[i]))
			i++;
		if (i > 0) {
			uint64_t n;
			struct span name = span_head(where, i);

			buf_putc(out, ',');
			if (span_u64(name, &n))
				buf_put_u64(out, n);
			else
				text_put_string(out, name);
		}
		where = span_from(where, i + 1);
	}
	buf_puts(out, "],\"msg\":");
	text_put_string(out, msg.n > 0 ? msg : f->message);
	buf_puts(out, "}]}");
}

static void
put_html(struct buf *out, const struct failure *f)
{
	const char *reason =
		f->status == 429 ? "Too Many Requests" : "Bad Gateway";

	buf_printf(out,
		"<html>\r\n<head><title>%u %s</title></head>\r\n<body>\r\n"
		"<center><h1>%u %s</h1></center>\r\n<hr><center>nginx</center>"
		"\r\n",
		f->status, reason, f->status, reason);
	for (int i = 0; i < 6; i++)
		buf_puts(out,
			"<!-- a page that is longer than a message -->"
			"\r\n");
	buf_puts(out, "</body>\r\n</html>\r\n");
}

void
failure_put(struct buf *out, const struct failure *f, struct span trace)
{
	switch (f->shape) {
	case SHAPE_F1:
	case SHAPE_F2:
	case SHAPE_F2B:
		put_error(out, f, trace);
		return;
	case SHAPE_F3:
		buf_puts(out, "{\"error\":{\"message\":");
		text_put_string(out, f->message);
		buf_printf(out, ",\"type\":\"%u\"}}",
			f->code == 1001 ? 401u : f->code);
		return;
	case SHAPE_F4:
		buf_printf(out, "{\"code\":%u,\"msg\":", f->code);
		text_put_string(out, f->message);
		buf_puts(out, ",\"success\":false}");
		return;
	case SHAPE_F5:
		put_detail(out, f);
		return;
	case SHAPE_F5B:
		buf_puts(out, "{\"detail\":");
		text_put_string(out, f->message);
		buf_putc(out, '}');
		return;
	case SHAPE_F6:
		buf_printf(out,
			"{\"timestamp\":\"2026-01-01T00:00:00.000+00:00\","
			"\"status\":%u,\"error\":\"Not Found\",\"path\":",
			f->status);
		text_put_string(out, f->path);
		buf_putc(out, '}');
		return;
	case SHAPE_F7:
		put_html(out, f);
		return;
	case SHAPE_F7B:
		buf_put(out, f->message);
		return;
	case SHAPE_F7C:
		return;
	case SHAPE_F8:
		buf_printf(out, "{\"code\":%u,\"message\":", f->code);
		text_put_string(out, f->message);
		buf_putc(out, '}');
		return;
	}
}

const char *
failure_content_type(const struct failure *f)
{
	if (f->shape == SHAPE_F7)
		return "text/html";
	if (f->shape == SHAPE_F7B || f->shape == SHAPE_F7C)
		return "text/plain";
	return "application/json; charset=UTF-8";
}

struct failure
failure_of_refusal(const struct request *r)
{
	struct failure f = failure_of(r->side, r->refused);

	if (r->refused == REFUSE_STANDIN || r->refused == REFUSE_DETAIL) {
		f = failure_of(r->side, 1210);
		if (r->refused == REFUSE_DETAIL) {
			f.shape = SHAPE_F5;
			f.status = 422;
		}
	}
	f.message = span_cstr(r->why);
	return f;
}
