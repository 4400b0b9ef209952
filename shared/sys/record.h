/* SPDX-License-Identifier: MIT */
/*
 * record.h - what is known of one request when it is over, as bytes that go
 * from a worker to the admin process (ring.h).
 *
 * No words of the conversation and no key. The bytes are for the same machine:
 * numbers in its order, as in record.def, then texts, each with its length. The
 * reader trusts nothing: numbers are brought into their range, texts are plain
 * text when it has read them.
 */
#ifndef SYS_RECORD_H
#define SYS_RECORD_H

#include "shared/base/span.h"

#define RECORD_VERSION    2
#define RECORD_US_MAX     INT64_C(10000000000000000)
#define RECORD_TOKENS_MAX INT64_C(1000000000000)
#define RECORD_BYTES_MAX  INT64_C(1000000000000)

struct record {
#define NUMBER(name, least, most, meaning) int64_t name;
#define TEXT(name, bytes, meaning)
#include "shared/sys/record.def"
#undef NUMBER
#undef TEXT
#define NUMBER(name, least, most, meaning)
#define TEXT(name, bytes, meaning) struct span name;
#include "shared/sys/record.def"
#undef NUMBER
#undef TEXT
};

enum {
	RECORD_NUMBERS = 0
#define NUMBER(name, least, most, meaning) +1
#define TEXT(name, bytes, meaning)
#include "shared/sys/record.def"
#undef NUMBER
#undef TEXT
		,
	/* Bytes of the longest. */
	RECORD_MAX = 8 + 8 * RECORD_NUMBERS
#define NUMBER(name, least, most, meaning)
#define TEXT(name, bytes, meaning) +2 + (bytes)
#include "shared/sys/record.def"
#undef NUMBER
#undef TEXT
};

/* Nothing known: numbers 0, or -1 where that means so, texts empty. */
void record_init(struct record *r);

/* Texts are cut to what they may have; numbers are not looked at. Returns the
 * number of bytes. Cost: a copy of them. */
size_t record_write(const struct record *r, char to[RECORD_MAX]);

/*
 * The texts point into bytes, which are changed where they are no UTF-8 or hold
 * control characters. False if they are no record of this version; r is then
 * undefined.
 */
bool record_read(struct record *r, char *bytes, size_t n) GP_WUR;

#endif
