/* SPDX-License-Identifier: MIT */
/* log.c - one line per event, to stderr. */
#include "shared/sys/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/span.h"
#include "shared/base/utf8.h"
#include "shared/sys/clock.h"

#define TIME_MAX 32

static const char *const level_names[] = { "err", "warn", "info", "debug" };

static const char *process_name = "glmproxy";
/* Changed by a reload while other threads of the process may log. */
static atomic_int least_level = LOG_LEVEL_INFO;
static atomic_bool is_json;
static _Thread_local const char *line_context;

/* A line under construction; what does not fit is cut. */
struct line {
	char text[LOG_LINE_MAX];
	size_t n, max;
};

void
log_open(const char *process, enum log_level level, bool as_json)
{
	process_name = process;
	log_set_level(level, as_json);
}

void
log_set_level(enum log_level level, bool as_json)
{
	atomic_store_explicit(&least_level, (int)level, memory_order_relaxed);
	atomic_store_explicit(&is_json, as_json, memory_order_relaxed);
}

static bool
is_wanted(enum log_level level)
{
	return (int)level <=
		atomic_load_explicit(&least_level, memory_order_relaxed);
}

bool
log_is_debug(void)
{
	return is_wanted(LOG_LEVEL_DEBUG);
}

void
log_context(const char *context)
{
	line_context = context;
}

static void
put(struct line *l, struct span s)
{
	const size_t n = MIN(s.n, l->max - l->n);

	memcpy(l->text + l->n, s.p, n);
	l->n += n;
}

/* The length of the next character of s (not empty); 0 if it must not be
 * shown: controls, of which some drive terminals, and broken UTF-8. */
static size_t
char_len(struct span s)
{
	const unsigned char c = (unsigned char)s.p[0];
	size_t n = 1;

	if (c < 0x20 || c == 0x7f)
		return 0;
	if (c < 0x80)
		return 1;
	/* U+0080 to U+009F are controls as well. */
	if (c == 0xc2 && s.n > 1 && (unsigned char)s.p[1] < 0xa0)
		return 0;
	while (n < s.n && n < 4 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n++;
	return utf8_valid_len(span_head(s, n)) == n ? n : 0;
}

static void
put_text(struct line *l, const char *text, bool as_json)
{
	struct span rest = span_cstr(text);

	while (rest.n > 0) {
		const size_t n = char_len(rest);
		const bool must_escape =
			as_json && (rest.p[0] == '"' || rest.p[0] == '\\');

		/* Nothing is cut in the middle. */
		if (l->max - l->n < MAX(n, 2))
			return;
		if (must_escape)
			put(l, SPAN("\\"));
		put(l, n > 0 ? span_head(rest, n) : SPAN("?"));
		rest = span_from(rest, MAX(n, 1));
	}
}

static void
put_time(char out[TIME_MAX])
{
	const int64_t us = clock_wall_us();
	const time_t seconds = (time_t)(us / 1000000);
	struct tm tm;
	size_t n;

	(void)gmtime_r(&seconds, &tm);
	n = strftime(out, TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(
		out + n, TIME_MAX - n, ".%03dZ", (int)(us / 1000 % 1000));
}

static void
put_line(struct line *l, enum log_level level, const char *message)
{
	char time_text[TIME_MAX];
	char head[128];
	const char *const context = line_context;

	put_time(time_text);
	(void)snprintf(head, sizeof(head), "%s %s %.64s[%ld]", time_text,
		level_names[level], process_name, (long)getpid());
	l->max = sizeof(l->text) - 1;
	put(l, span_cstr(head));
	if (context != NULL) {
		put(l, SPAN(" "));
		put_text(l, context, false);
	}
	put(l, SPAN(": "));
	put_text(l, message, false);
	l->text[l->n++] = '\n';
}

static void
put_json(struct line *l, enum log_level level, const char *message)
{
	char time_text[TIME_MAX];
	char head[192];
	const char *const context = line_context;

	put_time(time_text);
	(void)snprintf(head, sizeof(head),
		"{\"time\":\"%s\",\"level\":\"%s\",\"process\":\"%.64s\","
		"\"pid\":%ld",
		time_text, level_names[level], process_name, (long)getpid());
	/* Room for the end, so that a cut line is still an object. */
	l->max = sizeof(l->text) - sizeof("\"}");
	put(l, span_cstr(head));
	if (context != NULL) {
		put(l, SPAN(",\"context\":\""));
		put_text(l, context, true);
		put(l, SPAN("\""));
	}
	put(l, SPAN(",\"message\":\""));
	put_text(l, message, true);
	memcpy(l->text + l->n, "\"}\n", 3);
	l->n += 3;
}

static void
write_line(enum log_level level, const char *message)
{
	struct line l = { .n = 0 };
	ssize_t n;

	if (atomic_load_explicit(&is_json, memory_order_relaxed))
		put_json(&l, level, message);
	else
		put_line(&l, level, message);
	do
		n = write(STDERR_FILENO, l.text, l.n);
	while (n < 0 && errno == EINTR);
}

static void vlog(enum log_level level, int error, const char *fmt, va_list ap)
	GP_PRINTF(3, 0);

/* error: an errno value whose text is appended, 0 for none. */
static void
vlog(enum log_level level, int error, const char *fmt, va_list ap)
{
	const int kept = errno;
	char message[LOG_LINE_MAX];
	char reason[128];
	int n;

	n = vsnprintf(message, sizeof(message), fmt, ap);
	if (n < 0)
		n = snprintf(message, sizeof(message), "(unformattable)");
	if (error != 0 && (size_t)n < sizeof(message))
		(void)snprintf(message + n, sizeof(message) - (size_t)n, ": %s",
			strerror_r(error, reason, sizeof(reason)));
	write_line(level, message);
	errno = kept;
}

#define LOG_BODY(level, error)                                                 \
	va_list ap;                                                            \
                                                                               \
	if (!is_wanted(level))                                                 \
		return;                                                        \
	va_start(ap, fmt);                                                     \
	vlog(level, error, fmt, ap);                                           \
	va_end(ap)

void
log_debug(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_DEBUG, 0);
}

void
log_info(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_INFO, 0);
}

void
log_warn(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_WARN, errno);
}

void
log_warnx(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_WARN, 0);
}

void
log_err(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_ERR, errno);
}

void
log_errx(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_ERR, 0);
}

_Noreturn void
fatal(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(LOG_LEVEL_ERR, errno, fmt, ap);
	va_end(ap);
	/* The other threads, if any, end here with it. */
	exit(code); /* NOLINT(concurrency-mt-unsafe) */
}

_Noreturn void
fatalx(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(LOG_LEVEL_ERR, 0, fmt, ap);
	va_end(ap);
	/* The other threads, if any, end here with it. */
	exit(code); /* NOLINT(concurrency-mt-unsafe) */
}
