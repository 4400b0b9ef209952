/* SPDX-License-Identifier: MIT */
/*
 * streams.c - many streamed chats at a time through a proxy.
 *
 *	streams PORT STREAMS WORDS DELAY_MS
 *
 * Opens STREAMS connections to 127.0.0.1:PORT, asks on each for a streamed
 * chat of WORDS events, DELAY_MS apart (the stand-in plays them), and reads
 * all to their ends. Says "open N" when all have had an event, N of them being
 * live at that moment; at the end one line of results:
 *
 *	ok      had every word, the end mark, and a proper end of the body
 *	lost    refused, cut or incomplete
 *	stalled had to wait STALL_MS longer than DELAY_MS for an event
 *	late_*  how much longer than DELAY_MS events came behind the one before
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/http/msg.h"
#include "shared/http/sse.h"
#include "shared/sys/clock.h"
#include "shared/sys/ev.h"
#include "shared/sys/sock.h"

#define STALL_MS   1000
#define OPENS_A_MS 2
/* Lateness in steps of 100 us; the last step takes all that is later. */
#define LATE_STEP_US 100
#define LATE_STEPS   100000

struct run {
	struct ev *ev;
	struct sock_addr to;
	unsigned wanted, words, delay_ms;
	char last_word[32];
	char request[1024];
	size_t request_len;

	struct ev_timer more;
	unsigned begun, opened, live, live_max;
	unsigned ok, lost, stalled;
	uint64_t events;
	int64_t late_max_us;
	uint64_t late[LATE_STEPS];
	char why[256]; /* the first loss */
};

struct stream {
	struct run *run;
	struct ev_io io;
	struct http_msg *msg;
	struct sse sse;
	unsigned events;
	int64_t event_us; /* when the last one came */
	bool is_sent, has_words, has_mark, is_late;
};

static void
stream_over(struct stream *s, const char *lost)
{
	struct run *r = s->run;
	int fd = s->io.fd;

	ev_io_stop(&s->io);
	close(fd);
	http_msg_free(&s->msg);
	sse_fini(&s->sse);
	if (s->events > 0)
		r->live--;
	r->stalled += s->is_late;
	if (lost == NULL) {
		r->ok++;
	} else if (r->lost++ == 0) {
		snprintf(r->why, sizeof(r->why), "%s after %u events", lost,
			s->events);
	}
	free(s);
	if (r->ok + r->lost == r->wanted)
		ev_stop(r->ev);
}

static void
note_time(struct stream *s)
{
	struct run *r = s->run;
	int64_t now = clock_mono_us();
	int64_t late = now - s->event_us - (int64_t)r->delay_ms * 1000;

	s->event_us = now;
	if (s->events < 2)
		return;
	late = MAX(late, 0);
	r->late[MIN(late / LATE_STEP_US, LATE_STEPS - 1)]++;
	r->late_max_us = MAX(r->late_max_us, late);
	if (late > STALL_MS * 1000)
		s->is_late = true;
}

static void
take_event(struct stream *s, const struct sse_event *e)
{
	struct run *r = s->run;

	if (span_eq(e->data, SPAN("[DONE]"))) {
		s->has_mark = true;
		return;
	}
	if (span_find(e->data, span_cstr(r->last_word)) < e->data.n)
		s->has_words = true;
	if (span_find(e->data, SPAN("word")) == e->data.n)
		return;
	r->events++;
	if (s->events++ == 0) {
		r->opened++;
		r->live++;
		r->live_max = MAX(r->live_max, r->live);
		if (r->opened == r->wanted) {
			printf("open %u\n", r->live);
			fflush(stdout);
		}
	}
	note_time(s);
}

static const char *
take_body(struct stream *s, struct span bytes)
{
	struct sse_event e;
	struct gp_error err;
	size_t used;

	if (http_msg_head(s->msg)->status != 200)
		return "a status that is not 200";
	for (;;) {
		switch (sse_feed(&s->sse, bytes, &used, &e, &err)) {
		case SSE_MORE:
			return NULL;
		case SSE_EVENT:
			take_event(s, &e);
			bytes = span_from(bytes, used);
			break;
		case SSE_FAIL:
			return "a broken event";
		}
	}
}

static void
take_bytes(struct stream *s, struct span bytes)
{
	struct gp_error err;
	const char *lost;
	size_t used;

	for (;;) {
		enum http_step step = http_msg_feed(s->msg, bytes, &used, &err);

		bytes = span_from(bytes, used);
		switch (step) {
		case HTTP_MORE:
			return;
		case HTTP_HEAD:
			break;
		case HTTP_BODY:
			lost = take_body(s, http_msg_piece(s->msg));
			if (lost != NULL) {
				stream_over(s, lost);
				return;
			}
			break;
		case HTTP_DONE:
			stream_over(s,
				s->has_words && s->has_mark ?
					NULL :
					"an incomplete answer");
			return;
		case HTTP_FAIL:
			stream_over(s, "broken HTTP");
			return;
		}
	}
}

static void
on_io(struct ev_io *io, unsigned what)
{
	static char bytes[65536];
	struct stream *s = CONTAINER_OF(io, struct stream, io);
	const struct run *r = s->run;
	ssize_t n;

	(void)what;
	if (!s->is_sent) {
		/* The first bytes on a connection fit, or it has failed. */
		n = write(io->fd, r->request, r->request_len);
		if (n != (ssize_t)r->request_len) {
			stream_over(s, "no connection");
			return;
		}
		s->is_sent = true;
		ev_io_want(io, EV_READ);
		return;
	}
	n = read(io->fd, bytes, sizeof(bytes));
	if (n > 0)
		take_bytes(s, span_of(bytes, (size_t)n));
	else if (n == 0)
		stream_over(s, "the end of the connection");
	else
		stream_over(s, "a reset");
}

static void
stream_open(struct run *r)
{
	int fd = sock_connect(&r->to);
	struct stream *s = calloc(1, sizeof(*s));

	if (fd < 0 || s == NULL) {
		perror("streams: connect");
		exit(1);
	}
	s->run = r;
	s->msg = http_msg_new(HTTP_RESPONSE);
	sse_init(&s->sse);
	ev_io_init(&s->io, r->ev, on_io);
	ev_io_start(&s->io, fd, EV_WRITE);
	r->begun++;
}

static void
on_more(struct ev_timer *t)
{
	struct run *r = CONTAINER_OF(t, struct run, more);

	for (int i = 0; i < OPENS_A_MS && r->begun < r->wanted; i++)
		stream_open(r);
	if (r->begun < r->wanted)
		ev_timer_start(t, 1);
}

static void
make_request(struct run *r)
{
	char body[256];
	int n = snprintf(body, sizeof(body),
		"{\"model\":\"glm-4.6\",\"stream\":true,\"messages\":[{"
		"\"role\":\"user\",\"content\":"
		"\"[[text words=%u per=1 delay=%u]]\"}]}",
		r->words, r->delay_ms);
	int len = snprintf(r->request, sizeof(r->request),
		"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
		"authorization: Bearer bench.key\r\n"
		"content-type: application/json\r\n"
		"content-length: %d\r\n\r\n%s",
		n, body);

	r->request_len = (size_t)len;
	snprintf(r->last_word, sizeof(r->last_word), "word%u", r->words);
}

/* Below which lateness `percent` of the events are, in microseconds. */
static int64_t
late_us(const struct run *r, unsigned percent)
{
	uint64_t all = 0, below = 0;
	int64_t i = 0;

	for (size_t k = 0; k < LATE_STEPS; k++)
		all += r->late[k];
	for (; i < LATE_STEPS - 1; i++) {
		below += r->late[i];
		if (below * 100 >= all * percent)
			break;
	}
	return (i + 1) * LATE_STEP_US;
}

static unsigned
number(const char *text)
{
	uint64_t n;

	if (!span_u64(span_cstr(text), &n) || n == 0 || n > 1000000) {
		fprintf(stderr, "streams: %s is no good number\n", text);
		exit(64);
	}
	return (unsigned)n;
}

int
main(int argc, char **argv)
{
	static struct run r;

	if (argc != 5) {
		fprintf(stderr, "usage: streams PORT STREAMS WORDS DELAY_MS\n");
		return 64;
	}
	if (!sock_addr_parse(
		    &r.to, SPAN("127.0.0.1"), (uint16_t)number(argv[1])))
		return 64;
	r.wanted = number(argv[2]);
	r.words = number(argv[3]);
	r.delay_ms = number(argv[4]);
	make_request(&r);
	r.ev = ev_new();
	ev_timer_init(&r.more, r.ev, on_more);
	ev_timer_start(&r.more, 0);
	ev_run(r.ev);
	printf("streams=%u live=%u ok=%u lost=%u stalled=%u events=%llu "
	       "late_p50_us=%lld late_p99_us=%lld late_max_us=%lld\n",
		r.wanted, r.live_max, r.ok, r.lost, r.stalled,
		(unsigned long long)r.events, (long long)late_us(&r, 50),
		(long long)late_us(&r, 99), (long long)r.late_max_us);
	if (r.lost > 0)
		printf("the first loss: %s\n", r.why);
	ev_free(&r.ev);
	return r.lost + r.stalled > 0;
}
