/* SPDX-License-Identifier: MIT */
/*
 * check.h - assertions that stay on in release builds.
 *
 * An assertion states what only a bug in this program can break. Nothing that
 * a peer sends may reach one: peers' mistakes are gp_error values.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include "shared/base/defs.h"

#define GP_ASSERT(cond)                                                        \
	((cond) ? (void)0 : check_fail(#cond, __FILE__, __LINE__))
#define GP_UNREACHED() check_fail("unreachable", __FILE__, __LINE__)
/* After an allocation has failed. */
#define GP_NOMEM() check_fail("out of memory", __FILE__, __LINE__)

/* Receives the last words, e.g. to copy them to shared memory. */
typedef void check_fn(const char *words);

/* Install the hook that check_fail calls before it aborts; NULL for none. */
void check_set_hook(check_fn *hook);

/* Format the last words, hand them to the hook, abort. */
_Noreturn void check_fail(const char *what, const char *file, int line);

#endif
