/* SPDX-License-Identifier: MIT */
/* t.c - assertions for the project's own types. */
#include "tests/lib/t.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of each side that a failure shows. */
#define SHOWN_MAX 2000

static pid_t child;

static void
show(const char *label, struct span s)
{
	char line[4 * SHOWN_MAX + 1];
	size_t at = 0;

	for (size_t i = 0; i < MIN(s.n, SHOWN_MAX); i++) {
		const unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c < 0x7f && c != '\\')
			line[at++] = (char)c;
		else
			at += (size_t)sprintf(line + at, "\\x%02x", c);
	}
	line[at] = '\0';
	print_error("%s (%zu bytes): %s\n", label, s.n, line);
}

void
t_span_eq(struct span got, struct span want, const char *file, int line)
{
	size_t at = 0;

	if (span_eq(got, want))
		return;
	while (at < MIN(got.n, want.n) && got.p[at] == want.p[at])
		at++;
	show(" got", got);
	show("want", want);
	print_error("first difference at byte %zu\n", at);
	_fail(file, line);
}

void
t_ok(enum gp_code rc, const struct gp_error *err, const char *file, int line)
{
	if (rc == GP_OK)
		return;
	print_error("%s: %s\n", gp_code_name(rc), err == NULL ? "" : err->text);
	_fail(file, line);
}

void
t_fails(enum gp_code rc, enum gp_code want, const struct gp_error *err,
	struct span part, const char *file, int line)
{
	const struct span text = span_cstr(err->text);

	if (rc == want && err->code == want &&
		(part.n == 0 || span_find(text, part) < text.n))
		return;
	print_error("got %s, want %s\n", gp_code_name(rc), gp_code_name(want));
	show("text", text);
	show("with", part);
	_fail(file, line);
}

/* True in the child. */
bool
t_fork_begins(void)
{
	const struct rlimit no_core = { 0, 0 };

	child = fork();
	assert_int_not_equal(child, -1);
	if (child != 0)
		return false;
	/* cmocka and the sanitizers would catch the signal. */
	(void)signal(SIGABRT, SIG_DFL);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)close(STDERR_FILENO);
	return true;
}

void
t_fork_survived(void)
{
	_exit(0);
}

void
t_fork_must_have_died(const char *what, const char *file, int line)
{
	int status = 0;

	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
		return;
	print_error("survived: %s\n", what);
	_fail(file, line);
}

char *
t_exact(struct span s)
{
	char *const p = malloc(MAX(s.n, 1));

	assert_non_null(p);
	memcpy(p, s.p, s.n);
	return p;
}

char *
t_repeat(const char *s, size_t n)
{
	const size_t len = strlen(s);
	char *const p = malloc(len * n + 1);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		memcpy(p + i * len, s, len);
	p[len * n] = '\0';
	return p;
}
