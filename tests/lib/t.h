/* SPDX-License-Identifier: MIT */
/*
 * t.h - cmocka with assertions for the project's own types.
 *
 * Include this instead of <cmocka.h>. A failing assertion prints both sides
 * with unprintable bytes escaped and ends the test.
 */
#ifndef TESTS_LIB_T_H
#define TESTS_LIB_T_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/buf.h"
#include "shared/base/err.h"
#include "shared/base/span.h"

/* The span / the readable bytes of the buf are exactly the literal. */
#define assert_span_eq(got, lit) t_span_eq((got), SPAN(lit), __FILE__, __LINE__)
#define assert_buf_eq(b, lit)                                                  \
	t_span_eq(buf_span(b), SPAN(lit), __FILE__, __LINE__)
/* Two spans with the same bytes. */
#define assert_spans_eq(got, want) t_span_eq((got), (want), __FILE__, __LINE__)
/* rc is GP_OK; on failure the text of err (a struct gp_error *) is shown. */
#define assert_ok(rc, err) t_ok((rc), (err), __FILE__, __LINE__)
/* The call failed with this code and the text contains the literal. */
#define assert_fails(rc, code, err, lit)                                       \
	t_fails((rc), (code), (err), SPAN(lit), __FILE__, __LINE__)
/* expr ends the process by a failed check. Runs it in a child process. */
#define assert_dies(expr)                                                      \
	do {                                                                   \
		if (t_fork_begins()) {                                         \
			(void)(expr);                                          \
			t_fork_survived();                                     \
		}                                                              \
		t_fork_must_have_died(#expr, __FILE__, __LINE__);              \
	} while (0)

void t_span_eq(struct span got, struct span want, const char *file, int line);
void t_ok(enum gp_code rc, const struct gp_error *err, const char *file,
	int line);
void t_fails(enum gp_code rc, enum gp_code want, const struct gp_error *err,
	struct span part, const char *file, int line);

bool t_fork_begins(void);
_Noreturn void t_fork_survived(void);
void t_fork_must_have_died(const char *what, const char *file, int line);

/* A copy on the heap of exactly s.n bytes (to be freed), so that the address
 * sanitizer sees any read behind the end. */
char *t_exact(struct span s);

/* A text of n copies of s, NUL-terminated; to be freed. */
char *t_repeat(const char *s, size_t n);

#endif
