/* SPDX-License-Identifier: MIT */
/* record.h - what was received, kept for tests to ask for. */
#ifndef UPSTREAM_RECORD_H
#define UPSTREAM_RECORD_H

#include "tests/upstream/request.h"
#include "tests/upstream/tls.h"

enum entry_end {
	END_OPEN,
	END_DONE,
	END_ABORTED,
	END_CLOSED
};

/* One request and its fate. Times: clock_mono_ms, 0: not yet. */
struct entry {
	unsigned refs;
	uint64_t n;
	struct buf facts; /* members of its JSON object */
	struct buf body;
	bool has_body; /* false: dropped to save memory */
	unsigned status;
	enum entry_end end;
	int64_t arrived_ms, head_ms, done_ms, closed_by_peer_ms;
};

/* A new entry, also held by the list of the last ones; NULL when nobody wants
 * entries. Every function takes NULL. */
struct entry *record_new(const struct request *r, uint64_t connection,
	const struct tls_facts *tls);
/* The answer is over: fate and file. Only the first call counts. */
void record_end(struct entry *e, enum entry_end end);
/* The caller's reference. */
void record_release(struct entry **e);

/* The list as a JSON array: entries with n > since, at most the last `last`. */
void record_list(struct buf *out, uint64_t since, uint64_t last);
void record_forget(void);

#endif
