/* SPDX-License-Identifier: MIT */
/*
 * bodypart.h - a piece of a body for the log files, on its way from a worker to
 * admin.
 *
 * All pieces of a request's bodies go into the ring one after the other, and
 * its record behind them. The bytes are for the same machine; the reader trusts
 * nothing.
 */
#ifndef SYS_BODYPART_H
#define SYS_BODYPART_H

#include "shared/base/span.h"

#define BODYPART_ID_MAX 40
/* Bytes of the body in one piece, and of the whole entry. */
#define BODYPART_TEXT_MAX 4000
#define BODYPART_MAX      (BODYPART_TEXT_MAX + 80)
/* No body is longer than that. */
#define BODYPART_BODY_MAX (1u << 20)

enum bodypart_of {
	BODYPART_REQUEST,
	BODYPART_ANSWER,
	BODYPART_KINDS
};

struct bodypart {
	enum bodypart_of of;
	uint32_t offset;        /* of the piece in the body */
	uint32_t total;         /* bytes of the body */
	uint64_t missing_bytes; /* that it once had more */
	struct span id;         /* of the request */
	struct span text;
};

/* Returns the number of bytes; id and text are cut to what they may have. */
size_t bodypart_write(const struct bodypart *p, char to[BODYPART_MAX]);
/* The spans point into bytes. False if they are no such piece. */
bool bodypart_read(struct bodypart *p, struct span bytes) GP_WUR;
/* It begins like one. */
bool bodypart_is(struct span bytes);

#endif
