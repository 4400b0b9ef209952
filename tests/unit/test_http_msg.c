/* SPDX-License-Identifier: MIT */
/* test_http_msg.c - HTTP messages at every cut, and what must be refused. */
#include "tests/lib/t.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/http/msg.h"
#include "tests/lib/cut.h"

/* One run of the parser, written down as text. */
struct run {
	enum http_kind kind;
	bool answers_head; /* http_msg_expect_no_body */
	bool goes_on;      /* http_msg_next after each message */
	struct buf log;
	struct buf body; /* of the message at hand */
	size_t left;     /* input behind what was consumed */
	bool is_over;
	bool has_failed; /* what is left does not matter then */
};

static void
log_head(struct run *r, const struct http_head *h)
{
	static const char *const methods[] = { "OTHER", "GET", "HEAD", "POST",
		"OPTIONS" };

	if (r->kind == HTTP_REQUEST)
		buf_printf(&r->log, "%s %.*s ? %.*s", methods[h->method],
			SPAN_ARG(h->path), SPAN_ARG(h->query));
	else
		buf_printf(&r->log, "%u", h->status);
	buf_printf(&r->log, " 1.%u%s%s%s%s", h->minor,
		h->keep_alive ? " keep" : "", h->has_body ? " body" : "",
		h->is_chunked ? " chunked" : "",
		h->expects_continue ? " continue" : "");
	if (h->has_length)
		buf_printf(&r->log, " %llu", (unsigned long long)h->length);
	for (size_t i = 0; i < h->nfields; i++)
		buf_printf(&r->log, "; %.*s=%.*s", SPAN_ARG(h->fields[i].name),
			SPAN_ARG(h->fields[i].value));
}

static void
log_body(struct run *r)
{
	if (buf_len(&r->body) > 0) {
		buf_puts(&r->log, " [");
		buf_put(&r->log, buf_span(&r->body));
		buf_puts(&r->log, "]");
	}
	buf_reset(&r->body, 0);
}

static void
log_fail(struct run *r, const char *word, const struct gp_error *err)
{
	log_body(r);
	buf_printf(&r->log, " %s %s: %s", word, gp_code_name(err->code),
		err->text);
	r->is_over = true;
	r->has_failed = true;
}

/* Feed one piece until it asks for more. */
static void
feed_piece(struct run *r, struct http_msg *m, struct span in)
{
	struct gp_error err;
	enum http_step step;
	size_t used;

	while ((step = http_msg_feed(m, in, &used, &err)) != HTTP_MORE) {
		struct span piece = http_msg_piece(m);

		assert_true(used <= in.n);
		if (step == HTTP_BODY) {
			/* A view of the input, never a copy. */
			assert_true(piece.p >= in.p && piece.n > 0 &&
				piece.p + piece.n <= in.p + used);
			buf_put(&r->body, piece);
		}
		in = span_from(in, used);
		if (step == HTTP_HEAD)
			log_head(r, http_msg_head(m));
		if (step == HTTP_FAIL) {
			log_fail(r, "FAIL", &err);
			/* It stays failed. */
			assert_int_equal(
				http_msg_feed(m, SPAN("GET"), &used, NULL),
				HTTP_FAIL);
			assert_int_equal(http_msg_eof(m, NULL), HTTP_FAIL);
			return;
		}
		if (step != HTTP_DONE)
			continue;
		log_body(r);
		buf_puts(&r->log, " DONE ");
		if (!r->goes_on) {
			r->is_over = true;
			r->left = in.n;
			return;
		}
		http_msg_next(m);
	}
	assert_int_equal(used, in.n);
}

static void
feed_end(struct run *r, struct http_msg *m)
{
	struct gp_error err;

	switch (http_msg_eof(m, &err)) {
	case HTTP_DONE:
		log_body(r);
		buf_puts(&r->log, " DONE at end");
		break;
	case HTTP_FAIL:
		log_fail(r, "FAIL at end", &err);
		break;
	case HTTP_MORE:
		buf_puts(&r->log, " idle");
		break;
	case HTTP_HEAD:
	case HTTP_BODY:
		fail();
	}
}

static void
run_pieces(struct run *r, const struct span *pieces, size_t n)
{
	struct http_msg *m = http_msg_new(r->kind);

	buf_init(&r->log, 1u << 20);
	buf_init(&r->body, 1u << 20);
	r->left = 0;
	r->is_over = false;
	r->has_failed = false;
	if (r->answers_head)
		http_msg_expect_no_body(m);
	for (size_t i = 0; i < n; i++) {
		/* Views of an earlier piece would be of freed memory. */
		char *copy = t_exact(pieces[i]);

		if (r->is_over)
			r->left += pieces[i].n;
		else
			feed_piece(r, m, (struct span){ copy, pieces[i].n });
		free(copy);
	}
	if (!r->is_over)
		feed_end(r, m);
	else if (!r->has_failed && r->left > 0)
		buf_printf(&r->log, "+%zu", r->left);
	http_msg_free(&m);
	assert_null(m);
}

static void
run_fini(struct run *r)
{
	buf_fini(&r->log);
	buf_fini(&r->body);
}

/* The first run of a text, with which the others are compared. */
static void
same_outcome(void *ctx, const struct span *pieces, size_t n)
{
	const struct run *want = ctx;
	struct run r = { .kind = want->kind,
		.answers_head = want->answers_head,
		.goes_on = want->goes_on };

	run_pieces(&r, pieces, n);
	assert_spans_eq(buf_span(&r.log), buf_span(&want->log));
	run_fini(&r);
}

/* Run at every cut; fills r->log. */
static void
run_all(struct run *r, struct span text)
{
	run_pieces(r, &text, 1);
	cut_every(text, same_outcome, r);
	if (text.n <= 80)
		cut_pairs(text, same_outcome, r);
}

struct msg_case {
	const char *in;
	const char *want; /* the whole log, or a part of it if refused */
};

static void
check_accepted(enum http_kind kind, const struct msg_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct run r = { .kind = kind };

		run_all(&r, span_cstr(cases[i].in));
		assert_spans_eq(buf_span(&r.log), span_cstr(cases[i].want));
		run_fini(&r);
	}
}

static void
check_refused(enum http_kind kind, const struct msg_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct run r = { .kind = kind };
		struct span log;

		run_all(&r, span_cstr(cases[i].in));
		log = buf_span(&r.log);
		if (span_find(log, SPAN("FAIL GP_E_SYNTAX: ")) == log.n ||
			span_find(log, span_cstr(cases[i].want)) == log.n) {
			print_error("input: %s\nlog: %.*s\nlacks: %s\n",
				cases[i].in, SPAN_ARG(log), cases[i].want);
			fail();
		}
		run_fini(&r);
	}
}

#define CRLF      "\r\n"
#define GET       "GET / HTTP/1.1" CRLF "host: h" CRLF
#define POST      "POST / HTTP/1.1" CRLF "host: h" CRLF
#define CHUNKED   POST "transfer-encoding: chunked" CRLF CRLF
#define POST_LOG  "POST / ?  1.1 keep body"
#define CHUNK_LOG POST_LOG " chunked; host=h; transfer-encoding=chunked"

static void
test_requests(void **state)
{
	static const struct msg_case cases[] = {
		{ GET CRLF, "GET / ?  1.1 keep; host=h DONE " },
		{ "GET /a/b?c=d?e HTTP/1.1" CRLF "Host:h" CRLF CRLF,
			"GET /a/b ? c=d?e 1.1 keep; Host=h DONE " },
		{ "GET / HTTP/1.0" CRLF CRLF, "GET / ?  1.0 DONE " },
		{ "GET / HTTP/1.0" CRLF "connection: keep-alive" CRLF CRLF,
			"GET / ?  1.0 keep; connection=keep-alive DONE " },
		{ "GET / HTTP/1.0" CRLF
		  "connection: keep-alive, close" CRLF CRLF,
			"GET / ?  1.0; connection=keep-alive, close DONE " },
		{ GET "connection: x, CLOSE" CRLF CRLF,
			"GET / ?  1.1; host=h; connection=x, CLOSE DONE " },
		{ "HEAD / HTTP/1.1" CRLF "host: h" CRLF CRLF,
			"HEAD / ?  1.1 keep; host=h DONE " },
		{ "OPTIONS /x HTTP/1.1" CRLF "host: h" CRLF CRLF,
			"OPTIONS /x ?  1.1 keep; host=h DONE " },
		{ "DELETE /x HTTP/1.1" CRLF "host: h" CRLF CRLF,
			"OTHER /x ?  1.1 keep; host=h DONE " },
		{ GET "a:" CRLF "b: \t " CRLF "c: \tx\t y \t" CRLF CRLF,
			"GET / ?  1.1 keep; host=h; a=; b=; c=x\t y DONE " },
		{ CRLF CRLF GET CRLF, "GET / ?  1.1 keep; host=h DONE " },
		{ POST "content-length: 5" CRLF CRLF "hello",
			POST_LOG " 5; host=h; content-length=5 [hello] DONE " },
		{ POST "content-length: 0" CRLF CRLF,
			"POST / ?  1.1 keep 0; host=h; content-length=0"
			" DONE " },
		{ POST "expect: 100-Continue" CRLF "content-length: 1" CRLF CRLF
		       "x",
			POST_LOG " continue 1; host=h; expect=100-Continue;"
				 " content-length=1 [x] DONE " },
		{ CHUNKED "5" CRLF "hello" CRLF "A" CRLF "0123456789" CRLF
			  "0" CRLF CRLF,
			CHUNK_LOG " [hello0123456789] DONE " },
		{ CHUNKED "00005;a;c=\"d\"" CRLF "he" CRLF "x" CRLF
			  "0" CRLF CRLF,
			CHUNK_LOG " [he" CRLF "x] DONE " },
		{ CHUNKED "0" CRLF "a: b" CRLF "c: d" CRLF CRLF,
			CHUNK_LOG " DONE " },
		{ POST "Transfer-Encoding: CHUNKED" CRLF CRLF "0" CRLF CRLF,
			POST_LOG " chunked; host=h; Transfer-Encoding=CHUNKED"
				 " DONE " },
		/* Never another protocol. */
		{ POST "connection: upgrade" CRLF "upgrade: h2c" CRLF
		       "content-length: 2" CRLF CRLF "hi",
			POST_LOG " 2; host=h; connection=upgrade; upgrade=h2c;"
				 " content-length=2 [hi] DONE " },
		{ GET "connection: upgrade" CRLF "upgrade: x" CRLF CRLF,
			"GET / ?  1.1 keep; host=h; connection=upgrade;"
			" upgrade=x DONE " },
		/* What follows a message is not touched. */
		{ GET CRLF "\x01\n", "GET / ?  1.1 keep; host=h DONE +2" },
		{ POST "content-length: 1" CRLF CRLF "xyz",
			POST_LOG " 1; host=h; content-length=1 [x] DONE +2" },
		{ CHUNKED "0" CRLF CRLF CRLF, CHUNK_LOG " DONE +2" },
		{ GET "connection: close" CRLF CRLF "more",
			"GET / ?  1.1; host=h; connection=close DONE +4" },
	};

	(void)state;
	check_accepted(HTTP_REQUEST, cases, ARRAY_LEN(cases));
}

static void
test_answers(void **state)
{
	static const struct msg_case cases[] = {
		{ "HTTP/1.1 200 OK" CRLF "content-length: 2" CRLF CRLF "hi!",
			"200 1.1 keep body 2; content-length=2 [hi] DONE +1" },
		{ "HTTP/1.1 200 OK" CRLF CRLF "to the end",
			"200 1.1 body [to the end] DONE at end" },
		{ "HTTP/1.1 200 OK" CRLF CRLF, "200 1.1 body DONE at end" },
		{ "HTTP/1.1 404" CRLF "content-length: 0" CRLF CRLF,
			"404 1.1 keep 0; content-length=0 DONE " },
		{ "HTTP/1.1 204 No Content" CRLF "content-length: 3" CRLF CRLF
		  "abc",
			"204 1.1 keep 3; content-length=3 DONE +3" },
		{ "HTTP/1.1 304 -" CRLF "transfer-encoding: chunked" CRLF CRLF,
			"304 1.1 keep chunked; transfer-encoding=chunked"
			" DONE " },
		{ "HTTP/1.1 100 Continue" CRLF CRLF "HTTP/1.1 103 Hints" CRLF
		  "link: x" CRLF CRLF "HTTP/1.1 204 -" CRLF "a: b" CRLF CRLF,
			"204 1.1 keep; a=b DONE " },
		{ "HTTP/1.1 100 -" CRLF "content-length: 9" CRLF CRLF
		  "HTTP/1.1 204 -" CRLF CRLF,
			"204 1.1 keep DONE " },
		{ "HTTP/1.1 200 OK" CRLF "transfer-encoding: chunked" CRLF CRLF
		  "1" CRLF "a" CRLF "0" CRLF "x: y" CRLF CRLF,
			"200 1.1 keep body chunked; transfer-encoding=chunked"
			" [a] DONE " },
		/* Such framing is followed once, then the connection ends. */
		{ "HTTP/1.0 200 OK" CRLF "connection: keep-alive" CRLF
		  "transfer-encoding: chunked" CRLF CRLF "0" CRLF CRLF,
			"200 1.0 body chunked; connection=keep-alive;"
			" transfer-encoding=chunked DONE " },
		{ "HTTP/1.1 200 OK" CRLF "upgrade: h2" CRLF
		  "connection: upgrade" CRLF "content-length: 1" CRLF CRLF "x",
			"200 1.1 keep body 1; upgrade=h2; connection=upgrade;"
			" content-length=1 [x] DONE " },
		{ "HTTP/1.1 200 \xe2\x98\x83" CRLF "x: \xe2\x98\x83" CRLF
		  "content-length: 0" CRLF CRLF,
			"200 1.1 keep 0; x=\xe2\x98\x83; content-length=0"
			" DONE " },
		/* Two of these are harmless in answers. */
		{ "HTTP/1.1 204 -" CRLF "content-type: a" CRLF
		  "content-type: b" CRLF CRLF,
			"204 1.1 keep; content-type=a; content-type=b DONE " },
	};

	(void)state;
	check_accepted(HTTP_RESPONSE, cases, ARRAY_LEN(cases));
}

static void
test_refused_framing(void **state)
{
	static const struct msg_case cases[] = {
		{ POST "transfer-encoding: chunked" CRLF
		       "content-length: 5" CRLF CRLF "0" CRLF CRLF,
			"" },
		{ POST "content-length: 5" CRLF
		       "transfer-encoding: chunked" CRLF CRLF "0" CRLF CRLF,
			"" },
		{ POST "content-length: 5" CRLF "content-length: 5" CRLF CRLF,
			"" },
		{ POST "content-length: 5" CRLF "content-length: 6" CRLF CRLF,
			"" },
		{ POST "content-length: 5, 5" CRLF CRLF, "" },
		{ POST "content-length: +5" CRLF CRLF, "" },
		{ POST "content-length: -5" CRLF CRLF, "" },
		{ POST "content-length: 0x5" CRLF CRLF, "" },
		{ POST "content-length:" CRLF CRLF, "" },
		{ POST "content-length: 5 5" CRLF CRLF, "" },
		{ POST "content-length: 18446744073709551616" CRLF CRLF, "" },
		{ POST "transfer-encoding: x" CRLF CRLF, "" },
		{ POST "transfer-encoding:" CRLF CRLF, "" },
		{ POST "transfer-encoding: identity" CRLF CRLF, "" },
		{ POST "transfer-encoding: xchunked" CRLF CRLF, "" },
		{ POST "transfer-encoding: chunked, identity" CRLF CRLF, "" },
		{ POST "transfer-encoding: chunked, chunked" CRLF CRLF, "" },
		{ POST "transfer-encoding: gzip, chunked" CRLF CRLF,
			"only known transfer-encoding" },
		{ POST "transfer-encoding: \"chunked\"" CRLF CRLF, "" },
		{ POST "transfer-encoding: chunked" CRLF
		       "transfer-encoding: identity" CRLF CRLF,
			"" },
		{ POST "transfer-encoding: identity" CRLF
		       "transfer-encoding: chunked" CRLF CRLF,
			"more than one transfer-encoding" },
		{ "POST / HTTP/1.0" CRLF "transfer-encoding: chunked" CRLF CRLF,
			"HTTP/1.0 has no transfer-encoding" },
		{ CHUNKED "5\nhello" CRLF "0" CRLF CRLF, "" },
		{ CHUNKED "5;a\nhello" CRLF "0" CRLF CRLF, "" },
		{ CHUNKED "5;a=\"\n\"" CRLF "hello" CRLF "0" CRLF CRLF, "" },
		{ CHUNKED "5;a\rhello" CRLF "0" CRLF CRLF, "" },
		{ CHUNKED "5\rhello" CRLF "0" CRLF CRLF, "" },
		{ CHUNKED "5" CRLF "hello\n0" CRLF CRLF, "[hello] FAIL" },
		{ CHUNKED "5" CRLF "hello0" CRLF CRLF, "[hello] FAIL" },
		{ CHUNKED "5" CRLF "hellooo" CRLF "0" CRLF CRLF,
			"[hello] FAIL" },
		{ CHUNKED CRLF "0" CRLF CRLF, "" },
		{ CHUNKED "-1" CRLF, "" },
		{ CHUNKED "0x1" CRLF "a" CRLF, "" },
		{ CHUNKED " 1" CRLF "a" CRLF, "" },
		{ CHUNKED "g" CRLF, "" },
		{ CHUNKED "10000000000000000" CRLF, "" },
		{ CHUNKED "ffffffffffffffffffff" CRLF, "" },
		{ CHUNKED "0" CRLF "a: b\n" CRLF, "LF without CR" },
		{ CHUNKED "0" CRLF "a: b\rc: d" CRLF CRLF, "CR without LF" },
		{ CHUNKED "0" CRLF " a: b" CRLF CRLF, "a blank at its start" },
		{ CHUNKED "0" CRLF "a: b" CRLF " c" CRLF CRLF, "folded" },
		{ CHUNKED "0" CRLF "a b" CRLF CRLF, "" },
		{ CHUNKED "0" CRLF "\n", "LF without CR" },
	};

	(void)state;
	check_refused(HTTP_REQUEST, cases, ARRAY_LEN(cases));
}

static void
test_refused_heads(void **state)
{
	static const struct msg_case cases[] = {
		{ "GET / HTTP/1.1" CRLF CRLF, "needs a host" },
		{ GET "host: h" CRLF CRLF, "more than one host" },
		{ GET "HOST: i" CRLF CRLF, "more than one host" },
		{ "GET / HTTP/1.0" CRLF "host: a" CRLF "host: b" CRLF CRLF,
			"more than one host" },
		{ GET "authorization: a" CRLF "Authorization: b" CRLF CRLF,
			"more than one authorization" },
		{ GET "x-api-key: a" CRLF "X-Api-Key: a" CRLF CRLF,
			"more than one x-api-key" },
		{ GET "content-type: a" CRLF "content-type: a" CRLF CRLF,
			"more than one content-type" },
		{ GET "a: b" CRLF " c" CRLF CRLF, "folded" },
		{ GET "a: b" CRLF "\tc: d" CRLF CRLF, "folded" },
		{ GET "a:" CRLF " c" CRLF CRLF, "folded" },
		{ GET "a: b\nc: d" CRLF CRLF, "LF without CR" },
		{ GET "a: b\rc: d" CRLF CRLF, "CR without LF" },
		{ GET "a: b\r\rc: d" CRLF CRLF, "CR without LF" },
		{ GET "a: b" CRLF "\n", "LF without CR" },
		{ GET "a: b" CRLF "\rx", "CR without LF" },
		{ "GET / HTTP/1.1\nhost: h\n\n", "LF without CR" },
		{ "\nGET / HTTP/1.1" CRLF "host: h" CRLF CRLF,
			"LF without CR" },
		{ GET "\rtransfer-encoding: chunked" CRLF CRLF, "" },
		{ GET "a\r: b" CRLF CRLF, "" },
		{ GET "a : b" CRLF CRLF, "" },
		{ GET "a\t: b" CRLF CRLF, "" },
		{ GET "a b: c" CRLF CRLF, "" },
		{ GET "a" CRLF CRLF, "" },
		{ GET ": b" CRLF CRLF, "" },
		{ GET "a(: b" CRLF CRLF, "" },
		{ GET "\xc3\xa4: b" CRLF CRLF, "" },
		{ GET "a: \x01" CRLF CRLF, "control character" },
		{ GET "a: b\x1b[0m" CRLF CRLF, "control character" },
		{ GET "a: b\x7f" CRLF CRLF, "control character" },
		{ "GET http://h/ HTTP/1.1" CRLF "host: h" CRLF CRLF,
			"not a path" },
		{ "OPTIONS * HTTP/1.1" CRLF "host: h" CRLF CRLF, "not a path" },
		{ "CONNECT h:443 HTTP/1.1" CRLF "host: h" CRLF CRLF,
			"CONNECT" },
		{ "GET a HTTP/1.1" CRLF "host: h" CRLF CRLF, "" },
		{ "GET /a#b HTTP/1.1" CRLF "host: h" CRLF CRLF, "fragment" },
		{ "GET /\xc3\xa4 HTTP/1.1" CRLF "host: h" CRLF CRLF, "" },
		{ "GET /\x01 HTTP/1.1" CRLF "host: h" CRLF CRLF, "" },
		{ "GET  / HTTP/1.1" CRLF "host: h" CRLF CRLF, "blank" },
		{ "GET /  HTTP/1.1" CRLF "host: h" CRLF CRLF, "" },
		{ "GET\t/ HTTP/1.1" CRLF "host: h" CRLF CRLF, "" },
		{ "GET / HTTP/1.1 " CRLF "host: h" CRLF CRLF, "" },
		{ " GET / HTTP/1.1" CRLF "host: h" CRLF CRLF,
			"a blank at its start" },
		{ "GET / HTTP/2.0" CRLF "host: h" CRLF CRLF, "" },
		{ "GET / HTTP/1.2" CRLF "host: h" CRLF CRLF, "" },
		{ "GET / HTTP/0.9" CRLF CRLF, "HTTP/1.0 or HTTP/1.1" },
		{ "GET / RTSP/1.0" CRLF CRLF, "" },
		{ "GET / http/1.1" CRLF "host: h" CRLF CRLF, "" },
		{ "GET /" CRLF CRLF, "" },
		{ "GET" CRLF CRLF, "" },
		{ "FOO / HTTP/1.1" CRLF "host: h" CRLF CRLF, "" },
		{ "get / HTTP/1.1" CRLF "host: h" CRLF CRLF, "" },
		{ "PRI * HTTP/2.0" CRLF CRLF "SM" CRLF CRLF, "" },
		{ "\x16\x03\x01", "" },
		{ "HTTP/1.1 200 OK" CRLF CRLF, "" },
	};

	(void)state;
	check_refused(HTTP_REQUEST, cases, ARRAY_LEN(cases));
}

static void
test_refused_answers(void **state)
{
	static const struct msg_case cases[] = {
		{ "HTTP/1.1 101 -" CRLF "upgrade: x" CRLF
		  "connection: upgrade" CRLF CRLF,
			"switches protocols" },
		{ "HTTP/1.1 099 -" CRLF CRLF, "status 99" },
		{ "HTTP/1.1 600 -" CRLF CRLF, "status 600" },
		{ "HTTP/1.1 20 OK" CRLF CRLF, "" },
		{ "HTTP/1.1 2000 OK" CRLF CRLF, "" },
		{ "HTTP/2.0 200 OK" CRLF CRLF, "" },
		{ "HTTP/0.9 200 OK" CRLF CRLF, "" },
		{ "ICY 200 OK" CRLF CRLF, "" },
		{ "HTTP/1.1 200 OK\ncontent-length: 0\n\n", "LF without CR" },
		{ "HTTP/1.1 200 OK" CRLF "content-length: 1" CRLF
		  "transfer-encoding: chunked" CRLF CRLF,
			"" },
		{ "HTTP/1.1 200 OK" CRLF "content-length: 1" CRLF
		  "content-length: 1" CRLF CRLF,
			"" },
		{ "HTTP/1.1 200 OK" CRLF "transfer-encoding: gzip" CRLF CRLF,
			"only known transfer-encoding" },
		{ "HTTP/1.1 200 OK" CRLF "a: b" CRLF " c" CRLF CRLF, "folded" },
		{ "HTTP/1.1 200 OK" CRLF ": b" CRLF CRLF, "" },
		{ "GET / HTTP/1.1" CRLF CRLF, "" },
	};

	(void)state;
	check_refused(HTTP_RESPONSE, cases, ARRAY_LEN(cases));
}

/* A NUL cannot stand in the tables above. */
static void
test_refused_nul(void **state)
{
	static const struct span texts[] = {
		SPAN_INIT(GET "a: b\0c" CRLF CRLF),
		SPAN_INIT(GET "a\0: b" CRLF CRLF),
		SPAN_INIT("GET /\0 HTTP/1.1" CRLF "host: h" CRLF CRLF),
		SPAN_INIT(CHUNKED "1\0" CRLF "a" CRLF),
		SPAN_INIT(CHUNKED "1;\0" CRLF "a" CRLF),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct run r = { .kind = HTTP_REQUEST };
		struct span log;

		run_all(&r, texts[i]);
		log = buf_span(&r.log);
		assert_true(span_find(log, SPAN("FAIL GP_E_SYNTAX")) < log.n);
		run_fini(&r);
	}
}

static void
test_ends(void **state)
{
	static const struct msg_case requests[] = {
		{ "", " idle" },
		{ CRLF CRLF, " idle" },
	};
	static const char *const torn[] = {
		"G",
		"GET / HTTP/1.1\r",
		GET "\r",
		POST "content-length: 5" CRLF CRLF,
		POST "content-length: 5" CRLF CRLF "hell",
		CHUNKED,
		CHUNKED "1" CRLF,
		CHUNKED "1" CRLF "a" CRLF,
		CHUNKED "0" CRLF,
		CHUNKED "0" CRLF "a: b" CRLF "\r",
	};

	(void)state;
	check_accepted(HTTP_REQUEST, requests, ARRAY_LEN(requests));
	for (size_t i = 0; i < ARRAY_LEN(torn); i++) {
		struct run r = { .kind = HTTP_REQUEST };
		struct span log;

		run_all(&r, span_cstr(torn[i]));
		log = buf_span(&r.log);
		assert_true(span_find(log, SPAN("FAIL at end GP_E_CLOSED")) <
			log.n);
		run_fini(&r);
	}
	{
		struct run r = { .kind = HTTP_RESPONSE };

		run_all(&r, SPAN("HTTP/1.1 100 Continue" CRLF CRLF));
		assert_buf_eq(&r.log,
			" FAIL at end GP_E_CLOSED: The connection was closed"
			" before the answer was complete.");
		run_fini(&r);
	}
}

static void
test_pipeline(void **state)
{
	struct run r = { .kind = HTTP_REQUEST, .goes_on = true };

	(void)state;
	run_all(&r,
		SPAN(GET CRLF CRLF POST "content-length: 2" CRLF CRLF
					"ab" CHUNKED "1" CRLF "c" CRLF "0" CRLF
					"t: u" CRLF CRLF
					"GET /z HTTP/1.0" CRLF CRLF));
	assert_buf_eq(&r.log,
		"GET / ?  1.1 keep; host=h DONE " POST_LOG
		" 2; host=h; content-length=2 [ab] DONE " CHUNK_LOG
		" [c] DONE GET /z ?  1.0 DONE  idle");
	run_fini(&r);
}

/* The answers to HEAD and CONNECT, whatever their fields say. */
static void
test_no_body(void **state)
{
	static const struct msg_case cases[] = {
		{ "HTTP/1.1 200 OK" CRLF "content-length: 5" CRLF CRLF "left",
			"200 1.1 keep 5; content-length=5 DONE +4" },
		{ "HTTP/1.1 200 OK" CRLF "transfer-encoding: chunked" CRLF CRLF,
			"200 1.1 keep chunked; transfer-encoding=chunked"
			" DONE " },
		{ "HTTP/1.1 200 Connected" CRLF CRLF "\x16\x03",
			"200 1.1 keep DONE +2" },
		{ "HTTP/1.1 100 -" CRLF CRLF "HTTP/1.1 200 OK" CRLF CRLF "x",
			"200 1.1 keep DONE +1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct run r = { .kind = HTTP_RESPONSE, .answers_head = true };

		run_all(&r, span_cstr(cases[i].in));
		assert_spans_eq(buf_span(&r.log), span_cstr(cases[i].want));
		run_fini(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_refused_framing),
		cmocka_unit_test(test_refused_heads),
		cmocka_unit_test(test_refused_answers),
		cmocka_unit_test(test_refused_nul),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_pipeline),
		cmocka_unit_test(test_no_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
