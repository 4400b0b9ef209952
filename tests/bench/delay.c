/* SPDX-License-Identifier: MIT */
/*
 * delay.c - how long one event takes from an upstream's write to a client's
 * read.
 *
 *	delay UPSTREAM_PORT PORT STREAMS EVENTS
 *
 * Plays the upstream on 127.0.0.1:UPSTREAM_PORT and is the client on PORT, so
 * that one clock sees both ends: asks for STREAMS streamed chats, writes in
 * turn to each of them an event a millisecond that carries the time, and
 * compares that with the time at which it comes back. With both ports the same
 * there is no proxy in between: what that costs is this program's own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/base/check.h"
#include "shared/http/msg.h"
#include "shared/http/out.h"
#include "shared/sys/clock.h"
#include "shared/sys/ev.h"
#include "shared/sys/sock.h"

#define STREAMS_MAX 64
#define EVENTS_MAX  1000000
/* A time in an event: this and TIME_DIGITS digits. */
#define TIME_MARK   "at:"
#define TIME_DIGITS 16

/* One end of a connection. */
struct end {
	struct ev_io io;
	struct http_msg *msg; /* the upstream's: the request */
	struct buf in;        /* the client's: what holds no whole time yet */
	bool is_sent;
};

static struct {
	struct ev *ev;
	struct sock_addr to;
	struct ev_io listener;
	struct ev_timer tick;
	struct end client[STREAMS_MAX], upstream[STREAMS_MAX];
	size_t streams, accepted, ready;
	size_t wanted, sent, received;
	int64_t us[EVENTS_MAX];
	struct buf out;
} run;

static void
fail(const char *what)
{
	fprintf(stderr, "delay: %s\n", what);
	exit(1);
}

static void
put_all(int fd, struct span s)
{
	if (write(fd, s.p, s.n) != (ssize_t)s.n)
		fail("a connection takes no bytes");
}

/* --- upstream ------------------------------------------------------------- */

static void
put_event(const char *name, const char *data)
{
	size_t at = http_out_chunk_open(&run.out);

	buf_printf(&run.out, "event: %s\ndata: {\"type\":\"%s\"%s}\n\n", name,
		name, data);
	http_out_chunk_close(&run.out, at);
}

static void
begin_answer(struct end *e)
{
	buf_reset(&run.out, 65536);
	http_out_status(&run.out, 200);
	http_out_field_cstr(&run.out, "content-type", "text/event-stream");
	http_out_field_cstr(&run.out, "transfer-encoding", "chunked");
	http_out_end(&run.out);
	put_event("message_start",
		",\"message\":{\"id\":\"msg_1\",\"type\":\"message\","
		"\"role\":\"assistant\",\"model\":\"glm-4.6\",\"content\":[],"
		"\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}");
	put_event("content_block_start",
		",\"index\":0,\"content_block\":{\"type\":\"text\","
		"\"text\":\"\"}");
	put_all(e->io.fd, buf_span(&run.out));
	run.ready++;
}

static void
on_upstream(struct ev_io *io, unsigned what)
{
	struct end *e = CONTAINER_OF(io, struct end, io);
	char bytes[4096];
	ssize_t n = read(io->fd, bytes, sizeof(bytes));
	struct span in = span_of(bytes, n > 0 ? (size_t)n : 0);
	enum http_step step = HTTP_HEAD;
	struct gp_error err;
	size_t used;

	(void)what;
	if (n <= 0)
		fail("the proxy has left");
	while (step == HTTP_HEAD || step == HTTP_BODY) {
		step = http_msg_feed(e->msg, in, &used, &err);
		in = span_from(in, used);
	}
	if (step == HTTP_DONE)
		begin_answer(e);
	else if (step == HTTP_FAIL)
		fail(err.text);
}

static void
on_listener(struct ev_io *io, unsigned what)
{
	struct end *e = &run.upstream[run.accepted];
	struct sock_addr peer;
	int fd = sock_accept(io->fd, &peer);

	(void)what;
	if (fd < 0)
		return;
	if (run.accepted++ == run.streams)
		fail("more connections than streams");
	e->msg = http_msg_new(HTTP_REQUEST);
	ev_io_init(&e->io, run.ev, on_upstream);
	ev_io_start(&e->io, fd, EV_READ);
}

static void
on_tick(struct ev_timer *t)
{
	struct end *e = &run.upstream[run.sent % run.streams];
	char data[128];

	ev_timer_start(t, 1);
	if (run.ready < run.streams || run.sent == run.wanted)
		return;
	buf_reset(&run.out, 65536);
	snprintf(data, sizeof(data),
		",\"index\":0,\"delta\":{\"type\":\"text_delta\","
		"\"text\":\"" TIME_MARK "%0*lld\"}",
		TIME_DIGITS, (long long)clock_mono_us());
	put_event("content_block_delta", data);
	put_all(e->io.fd, buf_span(&run.out));
	run.sent++;
}

/* --- client --------------------------------------------------------------- */

static void
take_times(struct buf *in, int64_t now_us)
{
	const struct span mark = SPAN(TIME_MARK);

	for (;;) {
		size_t at = span_find(buf_span(in), mark);
		uint64_t sent_us;

		if (buf_len(in) < at + mark.n + TIME_DIGITS)
			return;
		buf_consume(in, at + mark.n);
		if (!span_u64(span_head(buf_span(in), TIME_DIGITS), &sent_us))
			fail("an event was changed");
		buf_consume(in, TIME_DIGITS);
		run.us[run.received++] = now_us - (int64_t)sent_us;
		if (run.received == run.wanted)
			ev_stop(run.ev);
	}
}

static void
ask(struct end *e)
{
	const char *body = "{\"model\":\"glm-4.6\",\"stream\":true,"
			   "\"messages\":[{\"role\":\"user\","
			   "\"content\":\"Hello.\"}]}";

	buf_reset(&run.out, 65536);
	http_out_request(&run.out, "POST", SPAN("/v1/chat/completions"));
	http_out_field_cstr(&run.out, "host", "localhost");
	http_out_field_cstr(&run.out, "authorization", "Bearer bench.key");
	http_out_field_cstr(&run.out, "content-type", "application/json");
	http_out_field_u64(&run.out, "content-length", strlen(body));
	http_out_end(&run.out);
	buf_puts(&run.out, body);
	put_all(e->io.fd, buf_span(&run.out));
	e->is_sent = true;
	ev_io_want(&e->io, EV_READ);
}

static void
on_client(struct ev_io *io, unsigned what)
{
	struct end *e = CONTAINER_OF(io, struct end, io);
	char bytes[16384];
	ssize_t n;

	(void)what;
	if (!e->is_sent) {
		ask(e);
		return;
	}
	n = read(io->fd, bytes, sizeof(bytes));
	if (n <= 0)
		fail("a stream has ended");
	buf_put(&e->in, span_of(bytes, (size_t)n));
	take_times(&e->in, clock_mono_us());
}

static void
open_client(struct end *e)
{
	int fd = sock_connect(&run.to);

	if (fd < 0)
		fail("no connection");
	buf_init(&e->in, 1u << 20);
	ev_io_init(&e->io, run.ev, on_client);
	ev_io_start(&e->io, fd, EV_WRITE);
}

/* -------------------------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static size_t
number(const char *text, uint64_t max)
{
	uint64_t n;

	if (!span_u64(span_cstr(text), &n) || n == 0 || n > max)
		fail("usage: delay UPSTREAM_PORT PORT STREAMS EVENTS");
	return (size_t)n;
}

int
main(int argc, char **argv)
{
	struct gp_error err;
	uint16_t upstream;
	int fd;

	if (argc != 5)
		fail("usage: delay UPSTREAM_PORT PORT STREAMS EVENTS");
	upstream = (uint16_t)number(argv[1], UINT16_MAX);
	run.streams = number(argv[3], STREAMS_MAX);
	run.wanted = number(argv[4], EVENTS_MAX);
	if (!sock_addr_parse(&run.to, SPAN("127.0.0.1"),
		    (uint16_t)number(argv[2], UINT16_MAX)))
		GP_UNREACHED();
	run.ev = ev_new();
	buf_init(&run.out, 1u << 20);
	fd = sock_listen(SPAN("127.0.0.1"), upstream, false, 0, &err);
	if (fd < 0)
		fail(err.text);
	ev_io_init(&run.listener, run.ev, on_listener);
	ev_io_start(&run.listener, fd, EV_READ);
	for (size_t i = 0; i < run.streams; i++)
		open_client(&run.client[i]);
	ev_timer_init(&run.tick, run.ev, on_tick);
	ev_timer_start(&run.tick, 0);
	ev_run(run.ev);
	qsort(run.us, run.received, sizeof(run.us[0]), compare);
	printf("events=%zu p50_us=%lld p99_us=%lld max_us=%lld\n", run.received,
		(long long)run.us[run.received / 2],
		(long long)run.us[run.received * 99 / 100],
		(long long)run.us[run.received - 1]);
	return 0;
}
