/* SPDX-License-Identifier: MIT */
/* test_http_server.c - clients of the admin port that ask and do not read. */
#include "admin/http_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/sys/clock.h"
#include "tests/lib/t.h"

#define CLIENTS 40
#define LARGE   (4u << 20)
#define LONG_MS 20000

static struct ev *ev;
static struct http_server *server;
static struct sockaddr_in address;
static int listener;

static void
answer(void *ctx, const struct http_request *request, struct http_answer *a)
{
	const bool is_large = span_eq(request->head->path, SPAN("/large"));

	(void)ctx;
	if (span_eq(request->head->path, SPAN("/never"))) {
		a->how = HTTP_ANSWER_LATER;
		return;
	}
	for (unsigned i = 0; i < (is_large ? LARGE / 16 : 1); i++)
		buf_puts(&a->body, "sixteen letters\n");
}

static int
begin(void **state)
{
	const struct http_server_options options = {
		.fn = answer,
		.header_ms = LONG_MS,
		.body_ms = LONG_MS,
		.write_ms = LONG_MS,
		.idle_ms = LONG_MS,
	};
	socklen_t n = sizeof(address);

	(void)state;
	address = (struct sockaddr_in){ .sin_family = AF_INET };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener =
		socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(listener >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, n), 0);
	assert_int_equal(listen(listener, CLIENTS), 0);
	assert_int_equal(
		getsockname(listener, (struct sockaddr *)&address, &n), 0);
	ev = ev_new();
	server = http_server_new(ev, &listener, 1, &options);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	http_server_free(&server);
	ev_free(&ev);
	(void)close(listener);
	return 0;
}

static int
ask(struct span head)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int bytes = 4096;

	assert_true(fd >= 0);
	/* So that the kernel does not take the answer. */
	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)),
		0);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(send(fd, head.p, head.n, 0), head.n);
	return fd;
}

/* Of what it is told, no more than that is read. */
static int
status(int fd)
{
	const int64_t until_ms = clock_mono_ms() + LONG_MS;
	char line[12];
	uint64_t n;

	while (recv(fd, line, sizeof(line), MSG_PEEK | MSG_DONTWAIT) <
		(ssize_t)sizeof(line)) {
		assert_true(clock_mono_ms() < until_ms);
		ev_turn(ev, 1);
	}
	assert_true(span_u64(span_of(line + 9, 3), &n));
	return (int)n;
}

#define GET(path) SPAN("GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n")

static void
test_answers_that_nobody_reads(void **state)
{
	const int64_t until_ms = clock_mono_ms() + 2 * LONG_MS;
	int fds[CLIENTS];
	unsigned served = 0;
	int fd;

	(void)state;
	for (size_t i = 0; i < CLIENTS; i++) {
		fds[i] = ask(GET("/large"));
		served += status(fds[i]) == 200;
	}
	/* A buffer may be larger than what is in it. */
	assert_in_range(served, HTTP_SERVER_UNSENT_MAX / LARGE / 4,
		HTTP_SERVER_UNSENT_MAX / LARGE);
	/* Small ones are served on. */
	fd = ask(GET("/"));
	assert_int_equal(status(fd), 200);
	(void)close(fd);
	for (size_t i = 0; i < CLIENTS; i++)
		(void)close(fds[i]);
	while (http_server_connections(server) > 0) {
		assert_true(clock_mono_ms() < until_ms);
		ev_turn(ev, 1);
	}
	fd = ask(GET("/large"));
	assert_int_equal(status(fd), 200);
	(void)close(fd);
}

/* An answer that does not come in time is one to this question. */
static void
test_later_is_never(void **state)
{
	char text[1024];
	size_t n = 0;
	ssize_t got;
	const int fd = ask(SPAN("HEAD /never HTTP/1.1\r\nHost: a\r\n\r\n"));

	(void)state;
	assert_int_equal(status(fd), 503);
	while ((got = recv(fd, text + n, sizeof(text) - n, MSG_DONTWAIT)) !=
		0) {
		n += got > 0 ? (size_t)got : 0;
		ev_turn(ev, 1);
	}
	assert_true(n > 4);
	assert_memory_equal(text + n - 4, "\r\n\r\n", 4);
	assert_true(span_find(span_of(text, n), SPAN("\r\n\r\n")) == n - 4);
	(void)close(fd);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_answers_that_nobody_reads, begin, end),
		cmocka_unit_test_setup_teardown(
			test_later_is_never, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
