/* SPDX-License-Identifier: MIT */
/*
 * notice.h - what a translation dropped or changed, for the answer's header
 * x-glmproxy-notice: "dropped:seed,clamped:temperature".
 *
 * Names may come from peers: characters that are not token characters (RFC
 * 9110) become '_', a name is cut at 64 bytes. At most NOTICE_MAX items and
 * NOTICE_BYTES_MAX bytes are kept, the rest is counted and printed as "+N".
 */
#ifndef TRANSLATE_NOTICE_H
#define TRANSLATE_NOTICE_H

#include "shared/base/arena.h"
#include "shared/base/buf.h"

#define NOTICE_MAX       16
#define NOTICE_BYTES_MAX 1024

enum notice_verb {
#define NOTICE_VERB(verb) NOTICE_VERB_##verb,
#include "shared/translate/notice.def"
	NOTICE_VERB_other,
	NOTICE_VERBS
};

struct notices {
	struct arena *arena;
	struct span items[NOTICE_MAX]; /* "verb:name" */
	size_t n;
	size_t bytes;
	uint32_t total; /* all that happened, repeats included */
	uint32_t by_verb[NOTICE_VERBS]; /* the same, parted */
	uint32_t hidden;        /* those of `total` that are in no item */
	uint32_t hidden_losses; /* those of `hidden` that notice.def calls a
				   loss */
};

void notices_init(struct notices *n, struct arena *a);

/* verb: static text such as "dropped", "clamped", "emulated", "degraded";
 * name: bytes from anywhere, may be empty (then only the verb is printed). The
 * same item is listed once. */
void notice_add(struct notices *n, const char *verb, struct span name);

/* "a:b,c:d,+2"; nothing when there is nothing. */
void notices_print(const struct notices *n, struct buf *out);

/* The same for the losses of notice.def alone. Returns how many there are, and
 * sets *name (not if there are none) to the name of the last that is printed;
 * a view into n. */
size_t notices_print_losses(
	const struct notices *n, struct buf *out, struct span *name);

#endif
