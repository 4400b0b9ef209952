/* SPDX-License-Identifier: MIT */
/*
 * logs_lines.h - what the log files say of a record. Pure.
 *
 * README.md has the table of all fields. No words of the conversation, but for
 * bodies where the operator wants them.
 */
#ifndef ADMIN_LOGS_LINES_H
#define ADMIN_LOGS_LINES_H

#include "shared/base/buf.h"
#include "shared/sys/logname.h"
#include "shared/sys/record.h"

/* A body as it is logged. */
struct logs_body {
	bool is_there;
	struct span text;
	int64_t missing_bytes; /* that it once had more */
};

/* Which lines a record makes: a bit (1 << LOG_...) each, and one more line of
 * errors if it tells of messages that were left out. */
unsigned logs_lines_of(const struct record *r);
#define LOGS_LINE_TRUNCATED (1u << LOG_COUNT)
unsigned logs_count_lines(unsigned lines);

/* Append one line with its end; `line` is one of the bits. Bodies may be NULL.
 */
void logs_put_line(struct buf *out, unsigned line, const struct record *r,
	const struct logs_body *body);

/* Sums of the requests since the last line of them. */
struct logs_sums {
	int64_t begun_ms; /* monotonic */
	uint64_t requests, failed, cancelled, streamed, counts;
	uint64_t firsts;
	int64_t total_us, longest_us, first_us;
	int64_t input, cached, output, bytes_in, bytes_out;
};

void logs_sums_begin(struct logs_sums *s, int64_t now_ms);
void logs_sums_add(struct logs_sums *s, const struct record *r);
/* A line of them is due: after a hundred requests, at most one a second, or
 * after a minute with any. */
bool logs_sums_are_due(const struct logs_sums *s, int64_t now_ms);
/* total: requests since the service was started. */
void logs_put_sums(struct buf *out, const struct logs_sums *s, uint64_t total,
	int64_t now_ms, int64_t now_wall_us);

#endif
