/* SPDX-License-Identifier: MIT */
/*
 * dump.h - a request tree as text: the same text, the same meaning.
 *
 * Dialects cannot say everything. What is not among the bits of `says` is left
 * out, or brought into a form in which it makes no difference: texts joined,
 * images of results counted as the user's, system text in the middle as the
 * user's, made-up words ("(no output)", "Error: ") taken away.
 */
#ifndef TESTS_LIB_DUMP_H
#define TESTS_LIB_DUMP_H

#include "shared/translate/llm_req.h"

enum {
	DUMP_PARTS,         /* where one text ends and another begins */
	DUMP_TURNS,         /* likewise of turns */
	DUMP_IN_PLACE,      /* system turns behind the first question */
	DUMP_RESULT_IMAGES, /* images inside of results */
	DUMP_CACHE,         /* cache_control */
	DUMP_SIGNATURE,     /* of thinking */
	DUMP_IS_ERROR,      /* of results */
	DUMP_FLAT,          /* a result that was a plain string */
	DUMP_THINKS,        /* thinking is asked for */
	DUMP_NO_THINKING,   /* refused outright */
	DUMP_BUDGET,
	DUMP_EFFORT,    /* from low on */
	DUMP_NO_EFFORT, /* below */
	DUMP_TOP_K,
	DUMP_USER,
	DUMP_SINGLE, /* one call at most */
	DUMP_JSON,   /* the answer is to be JSON of any form */
	DUMP_SCHEMA,
	DUMP_SCHEMA_NAME,
	DUMP_COUNT
};

#define DUMP_BIT(b) (1u << (b))
#define DUMP_ALL    (DUMP_BIT(DUMP_COUNT) - 1)

/* exact: blanks count. Without, they are left out of every text, as dialects
 * put different ones where they join. The tree's arena grows. */
void dump_request(
	const struct llm_req *r, unsigned says, bool exact, struct buf *out);

#endif
