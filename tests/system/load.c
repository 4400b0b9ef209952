/* SPDX-License-Identifier: MIT */
/*
 * load.c - clients that count every request that is lost.
 *
 *	load PORT NEW KEPT STREAMS
 *
 * NEW threads make a connection for each request, KEPT keep theirs and pause
 * between requests, STREAMS ask for streamed answers of about two seconds, all
 * as Chat Completions on 127.0.0.1:PORT, until standard input ends. Requests
 * under way are then finished. Prints an object with a member for each kind:
 *
 *	sent		requests, each of which ends as exactly one of
 *	ok		a whole answer of status 200
 *	refused		no connection
 *	reset, eof	closed (by RST or FIN) before the answer began, but
 *	stale		if the connection had carried a request before: what
 *			HTTP allows a server, and clients repeat
 *	truncated	closed inside the answer, or the answer has no end
 *	bad		another status
 *	max_ms		the longest request, from its connect(2) to its end
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX  65536
#define THREADS_MAX 256
/* Longer than any pause that is not a failure. */
#define SILENCE_S   60
#define PAUSE_US    20000
#define KEPT_US     400000
#define REFUSED_US  20000

#define SAID_ONCE   "six times seven"
#define LAST_STREAM "word40"
#define MARK_STREAM "[[text words=40 per=2 delay=100]]"

enum kind {
	KIND_NEW,
	KIND_KEPT,
	KIND_STREAM,
	KINDS
};

enum outcome {
	OK,
	REFUSED,
	RESET,
	END,
	STALE,
	TRUNCATED,
	BAD,
	OUTCOMES
};

static const char *const kind_names[KINDS] = { "new", "kept", "stream" };
static const char *const outcome_names[OUTCOMES] = { "ok", "refused", "reset",
	"eof", "stale", "truncated", "bad" };

struct client {
	enum kind kind;
	unsigned seed;
	int fd; /* -1: no connection */
	bool is_used;
	size_t n;
	char answer[ANSWER_MAX + 1];
	uint64_t outcomes[OUTCOMES];
	int64_t max_us;
};

static atomic_bool is_over;
static in_port_t port;

static int64_t
now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
pause_us(int64_t us)
{
	const struct timespec t = { .tv_sec = us / 1000000,
		.tv_nsec = us % 1000000 * 1000 };

	(void)nanosleep(&t, NULL);
}

/* --- one request ---------------------------------------------------------- */

static bool
open_connection(struct client *c)
{
	const struct timeval limit = { .tv_sec = SILENCE_S };
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = port,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	c->is_used = false;
	(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return connect(c->fd, (const struct sockaddr *)&to, sizeof(to)) == 0;
}

static void
close_connection(struct client *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
}

static bool
send_request(const struct client *c)
{
	char body[256];
	char text[768];
	const bool is_stream = c->kind == KIND_STREAM;
	const int length = snprintf(body, sizeof(body),
		"{\"model\":\"glm-4.6\",\"stream\":%s,\"messages\":"
		"[{\"role\":\"user\",\"content\":\"%s\"}]}",
		is_stream ? "true" : "false",
		is_stream ? MARK_STREAM : SAID_ONCE);
	const int n = snprintf(text, sizeof(text),
		"POST /v1/chat/completions HTTP/1.1\r\n"
		"Host: localhost\r\n"
		"Authorization: Bearer load-client.1\r\n"
		"Content-Type: application/json\r\n"
		"Content-Length: %d\r\n%s\r\n%s",
		length, c->kind == KIND_NEW ? "Connection: close\r\n" : "",
		body);

	return send(c->fd, text, (size_t)n, MSG_NOSIGNAL) == n;
}

/* Whether what has come is a whole answer, as HTTP and as a chat. */
static bool
is_whole(const struct client *c)
{
	const char *const body = strstr(c->answer, "\r\n\r\n");
	const char *const length = strcasestr(c->answer, "\r\ncontent-length:");

	if (body == NULL)
		return false;
	if (length != NULL && length < body)
		return strtoul(length + 17, NULL, 10) ==
			c->n - (size_t)(body + 4 - c->answer);
	return c->n >= 7 &&
		memcmp(c->answer + c->n - 7, "\r\n0\r\n\r\n", 7) == 0;
}

static bool
is_right(const struct client *c)
{
	if (c->kind == KIND_STREAM)
		return strstr(c->answer, LAST_STREAM) != NULL &&
			strstr(c->answer, "data: [DONE]") != NULL;
	return strstr(c->answer, SAID_ONCE) != NULL;
}

static enum outcome
read_answer(struct client *c)
{
	c->n = 0;
	do {
		const ssize_t n =
			recv(c->fd, c->answer + c->n, ANSWER_MAX - c->n, 0);

		if (n <= 0 && c->n > 0)
			return TRUNCATED;
		if (n <= 0 && c->is_used)
			return STALE;
		if (n <= 0)
			return n < 0 ? RESET : END;
		c->n += (size_t)n;
		c->answer[c->n] = '\0';
	} while (!is_whole(c) && c->n < ANSWER_MAX);
	if (strncmp(c->answer, "HTTP/1.1 200 ", 13) != 0)
		return BAD;
	return is_right(c) ? OK : TRUNCATED;
}

static enum outcome
ask(struct client *c)
{
	enum outcome outcome;

	if (c->fd < 0 && !open_connection(c))
		return REFUSED;
	if (send_request(c))
		outcome = read_answer(c);
	else
		outcome = c->is_used ? STALE : RESET;
	c->is_used = true;
	if (outcome != OK || strcasestr(c->answer, "\r\nconnection: close"))
		close_connection(c);
	return outcome;
}

/* --- the clients ---------------------------------------------------------- */

static void
rest(struct client *c, enum outcome outcome)
{
	if (outcome == REFUSED)
		pause_us(REFUSED_US);
	else if (c->kind == KIND_NEW)
		pause_us(PAUSE_US + rand_r(&c->seed) % PAUSE_US);
	else if (c->kind == KIND_KEPT)
		pause_us(rand_r(&c->seed) % KEPT_US);
}

static void *
run_client(void *arg)
{
	struct client *const c = arg;

	while (!atomic_load(&is_over)) {
		const int64_t begun_us = now_us();
		const enum outcome outcome = ask(c);
		const int64_t us = now_us() - begun_us;

		if (us > c->max_us)
			c->max_us = us;
		c->outcomes[outcome]++;
		if (outcome != OK && outcome != REFUSED)
			close_connection(c);
		rest(c, outcome);
	}
	close_connection(c);
	return NULL;
}

static void
print_kind(struct client *const *v, size_t n, enum kind kind)
{
	uint64_t outcomes[OUTCOMES] = { 0 };
	uint64_t sent = 0;
	int64_t max_us = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i]->kind != kind)
			continue;
		for (size_t o = 0; o < OUTCOMES; o++) {
			outcomes[o] += v[i]->outcomes[o];
			sent += v[i]->outcomes[o];
		}
		if (v[i]->max_us > max_us)
			max_us = v[i]->max_us;
	}
	(void)printf("%s\"%s\":{\"sent\":%ju", kind == 0 ? "{" : ",",
		kind_names[kind], (uintmax_t)sent);
	for (size_t o = 0; o < OUTCOMES; o++)
		(void)printf(",\"%s\":%ju", outcome_names[o],
			(uintmax_t)outcomes[o]);
	(void)printf(",\"max_ms\":%.1f}%s", (double)max_us / 1000,
		kind + 1 == KINDS ? "}\n" : "");
}

int
main(int argc, char **argv)
{
	struct client *v[THREADS_MAX];
	pthread_t threads[THREADS_MAX];
	size_t n = 0;
	char byte;

	if (argc != 2 + KINDS) {
		(void)fprintf(stderr, "usage: load PORT NEW KEPT STREAMS\n");
		return 64;
	}
	port = htons((in_port_t)strtoul(argv[1], NULL, 10));
	for (enum kind kind = 0; kind < KINDS; kind++) {
		const size_t wanted = strtoul(argv[2 + kind], NULL, 10);

		for (size_t i = 0; i < wanted && n < THREADS_MAX; i++, n++) {
			v[n] = calloc(1, sizeof(*v[n]));
			if (v[n] == NULL)
				return 1;
			v[n]->kind = kind;
			v[n]->seed = (unsigned)n;
			v[n]->fd = -1;
			if (pthread_create(
				    &threads[n], NULL, run_client, v[n]) != 0)
				return 1;
		}
	}
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	atomic_store(&is_over, true);
	for (size_t i = 0; i < n; i++)
		(void)pthread_join(threads[i], NULL);
	for (enum kind kind = 0; kind < KINDS; kind++)
		print_kind(v, n, kind);
	return 0;
}
