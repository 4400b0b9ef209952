/* SPDX-License-Identifier: MIT */
/* fuzz_http_msg.c - an HTTP message means the same wherever it is cut. The
 * first byte chooses the kind of message and the cuts. */
#include <stdlib.h>

#include "shared/base/buf.h"
#include "shared/base/check.h"
#include "shared/http/msg.h"

#define LOG_MAX (1u << 22)

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct http_msg *m;
	struct buf *log;
	bool is_over;
	bool is_in_body; /* the last thing logged was a part of a body */
};

static void
log_word(struct run *r, const char *word, struct span s)
{
	buf_puts(r->log, word);
	buf_put(r->log, s);
	buf_putc(r->log, '\n');
}

static void
log_head(struct run *r)
{
	const struct http_head *h = http_msg_head(r->m);

	buf_printf(r->log, "head %d %u.%u %d%d%d%d%d %llu\n", (int)h->method,
		h->status, h->minor, h->keep_alive, h->has_body, h->is_chunked,
		h->expects_continue, h->has_length,
		(unsigned long long)h->length);
	log_word(r, "target ", h->target);
	log_word(r, "path ", h->path);
	log_word(r, "query ", h->query);
	GP_ASSERT(h->nfields <= HTTP_FIELDS_MAX);
	for (size_t i = 0; i < h->nfields; i++) {
		struct span name = h->fields[i].name;
		struct span value = h->fields[i].value;

		GP_ASSERT(name.n > 0 && http_head_has(h, name));
		GP_ASSERT(span_eq(value, span_trim(value)));
		/* Nothing in it can end a line when it is written again. */
		for (size_t j = 0; j < value.n; j++)
			GP_ASSERT((unsigned char)value.p[j] >= 0x20 ||
				value.p[j] == '\t');
		log_word(r, "name ", name);
		log_word(r, "value ", value);
	}
}

static void
log_step(struct run *r, enum http_step step, struct span in, size_t used,
	const struct gp_error *err)
{
	struct span piece = http_msg_piece(r->m);

	if (r->is_in_body && step != HTTP_BODY)
		buf_puts(r->log, "\n");
	switch (step) {
	case HTTP_HEAD:
		log_head(r);
		break;
	case HTTP_BODY:
		GP_ASSERT(piece.n > 0 && piece.p >= in.p &&
			piece.p + piece.n <= in.p + used);
		buf_put(r->log, piece);
		break;
	case HTTP_DONE:
		buf_puts(r->log, "done\n");
		http_msg_next(r->m);
		break;
	case HTTP_FAIL:
		GP_ASSERT(err->code != GP_OK && err->text[0] != '\0');
		log_word(r, gp_code_name(err->code), span_cstr(err->text));
		r->is_over = true;
		break;
	case HTTP_MORE:
		break;
	}
	r->is_in_body = step == HTTP_BODY;
}

/* Feed a copy of exactly the size, so that reads outside of it show. */
static void
feed(struct run *r, struct span text)
{
	char *copy = malloc(MAX(text.n, 1));
	struct gp_error err = { .code = GP_OK };
	enum http_step step = HTTP_MORE;
	struct span in = { copy, text.n };

	GP_ASSERT(copy != NULL);
	memcpy(copy, text.p, text.n);
	do {
		size_t used;

		step = http_msg_feed(r->m, in, &used, &err);
		GP_ASSERT(used <= in.n);
		if (step == HTTP_MORE)
			GP_ASSERT(used == in.n);
		else
			log_step(r, step, in, used, &err);
		in = span_from(in, used);
	} while (step != HTTP_MORE && !r->is_over);
	free(copy);
}

/* Run text in pieces of `step` bytes, the first one of `first`. */
static void
run(enum http_kind kind, bool no_body, struct span text, size_t first,
	size_t step, struct buf *log)
{
	struct run r = { .m = http_msg_new(kind), .log = log };
	struct gp_error err = { .code = GP_OK };
	enum http_step end;
	size_t n = first;

	if (no_body)
		http_msg_expect_no_body(r.m);
	while (text.n > 0 && !r.is_over) {
		feed(&r, span_head(text, n));
		text = span_from(text, n);
		n = step;
	}
	if (!r.is_over) {
		end = http_msg_eof(r.m, &err);
		buf_printf(log, "%send %d %s\n", r.is_in_body ? "\n" : "",
			(int)end, gp_code_name(err.code));
	}
	http_msg_free(&r.m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum http_kind kind;
	struct buf want, got;
	struct span text;
	bool no_body;
	size_t cut;

	if (size == 0)
		return 0;
	kind = data[0] & 1 ? HTTP_RESPONSE : HTTP_REQUEST;
	no_body = kind == HTTP_RESPONSE && (data[0] & 2) != 0;
	text = span_of((const char *)data + 1, size - 1);
	cut = text.n == 0 ? 1 : 1 + (size_t)(data[0] >> 2) * text.n / 64;
	buf_init(&want, LOG_MAX);
	run(kind, no_body, text, SIZE_MAX, SIZE_MAX, &want);
	for (int i = 0; i < 3; i++) {
		static const size_t steps[] = { 1, SIZE_MAX, 3 };

		buf_init(&got, LOG_MAX);
		run(kind, no_body, text, i == 1 ? cut : 1, steps[i], &got);
		GP_ASSERT(span_eq(buf_span(&got), buf_span(&want)));
		buf_fini(&got);
	}
	buf_fini(&want);
	return 0;
}
