/* SPDX-License-Identifier: MIT */
/* check.c - the end of a process that has found a bug in itself. */
#include "shared/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define WORDS_MAX 512

static void format(char *out, const char *fmt, ...) GP_PRINTF(2, 3);

/* The only variable of shared/base: set once at start-up, read at the end. */
static check_fn *words_hook;

static void
format(char *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(out, WORDS_MAX, fmt, ap) < 0)
		out[0] = '\0';
	va_end(ap);
}

void
check_set_hook(check_fn *hook)
{
	words_hook = hook;
}

_Noreturn void
check_fail(const char *what, const char *file, int line)
{
	char words[WORDS_MAX];
	check_fn *const hook = words_hook;

	format(words, "%s:%d: check failed: %s", file, line, what);
	/* A hook that fails itself must not be called for ever. */
	words_hook = NULL;
	if (hook != NULL)
		hook(words);
	abort();
}
