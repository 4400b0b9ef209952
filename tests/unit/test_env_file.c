/* SPDX-License-Identifier: MIT */
/* test_env_file.c - the syntax of systemd's EnvironmentFile=. */
#include "tests/lib/t.h"

#include <stdlib.h>
#include <string.h>

#include "shared/sys/env_file.h"

/* Entries as text: "LINE NAME=VALUE", with marks for the kinds. */
static enum gp_code
write_down(void *arg, const struct env_entry *e, struct gp_error *err)
{
	static const char *const marks[] = { "", "no=", "badname ", "badvalue ",
		"swallowed" };
	struct buf *const out = arg;

	(void)err;
	buf_printf(out, "%u %s", e->line, marks[e->kind]);
	if (e->kind == ENV_SET)
		buf_printf(out, "%.*s=<%.*s>", SPAN_ARG(e->name),
			SPAN_ARG(e->value));
	if (e->kind == ENV_BAD_NAME)
		buf_put(out, e->name);
	if (e->is_quoted)
		buf_puts(out, " quoted");
	if (e->is_open)
		buf_puts(out, " open");
	buf_putc(out, '|');
	return GP_OK;
}

static void
assert_reads(const char *text, size_t n, const char *want)
{
	/* On the heap without a byte more. */
	char *const exact = t_exact(span_of(text, n));
	struct gp_error err;
	struct buf out;

	buf_init(&out, 65536);
	assert_ok(
		env_file_each(span_of(exact, n), write_down, &out, &err), &err);
	t_span_eq(buf_span(&out), span_cstr(want), __FILE__, __LINE__);
	buf_fini(&out);
	free(exact);
}

#define READS(text, want) assert_reads(text, sizeof(text) - 1, want)

/* What systemd 252 makes of such files. */
static void
test_rules(void **state)
{
	(void)state;
	READS("", "");
	READS("\n\n  \t\r\n", "");
	READS("A=1", "1 A=<1>|");
	READS("A=1\nB=2\n", "1 A=<1>|2 B=<2>|");
	READS("A=1\r\nB=2\r\n", "1 A=<1>|2 B=<2>|");
	READS("  A = x y  \n", "1 A=<x y>|");
	READS("A=\nB=", "1 A=<>|2 B=<>|");
	READS("# c\n;c\n #c\nA=1\n", "4 A=<1>|");
	READS("A=1 # no comment\n", "1 A=<1 # no comment>|");
	READS("A=#1\n", "1 A=<#1>|");
	READS("A==b=c\n", "1 A=<=b=c>|");
	/* quotes */
	READS("A='x \"y\" \\n'\n", "1 A=<x \"y\" \\n> quoted|");
	READS("A=\" x \"\n", "1 A=< x > quoted|");
	READS("A=\"a\\\"b\\\\c\\$d\\`e\\nf\"\n",
		"1 A=<a\"b\\c$d`e\\nf> quoted|");
	READS("A=\"a\" 'b'c\n", "1 A=<abc> quoted|");
	READS("A=a\"b\"\n", "1 A=<a\"b\">|");
	READS("A='1\n2'\nB=3\n", "1 A=<1\n2> quoted|3 B=<3>|");
	READS("A={\"a\":\"b\"}\n", "1 A=<{\"a\":\"b\"}>|");
	READS("A='{\"a\":\"b\"}'\n", "1 A=<{\"a\":\"b\"}> quoted|");
	READS("A=[\"a\",\"b\"]\n", "1 A=<[\"a\",\"b\"]>|");
	/* backslashes */
	READS("A=a\\ b\\c\\\\\n", "1 A=<a bc\\>|");
	READS("A=1\\\n2\nB=3\n", "1 A=<12>|3 B=<3>|");
	READS("A=\"1\\\n2\"\n", "1 A=<12> quoted|");
	READS("A=x\\ \n", "1 A=<x >|");
	READS("A=\\", "1 A=<>|");
	/* what is skipped */
	READS("nonsense\nA=1\n", "1 no=|2 A=<1>|");
	READS("nonsense", "1 no=|");
	READS("export A=1\n", "1 badname export A|");
	READS("1A=1\nA-B=2\n=3\n", "1 badname 1A|2 badname A-B|3 no=|");
	READS("\xef\xbb\xbf"
	      "A=1\n",
		"1 badname \xef\xbb\xbf"
		"A|");
	READS("A=\xff\nB=\xc3\xa4\n", "1 badvalue |2 B=<\xc3\xa4>|");
	READS("A=a\0b\n", "1 badvalue |");
	/* a comment that goes on */
	READS("# c \\\nA=1\nB=2\n", "2 swallowed|3 B=<2>|");
	/* Blanks before a backslash are no longer at the end. */
	READS("A=x \t\\\n\nB=2", "1 A=<x \t>|3 B=<2>|");
	READS("A=x \\\n \n", "1 A=<x >|");
	READS("# c \\x\nA=1\n", "2 A=<1>|");
	READS("# c \\", "");
	/* what is never closed */
	READS("A='x\nB=1\n", "1 A=<x\nB=1\n> quoted open|");
	READS("A=\"x\\", "1 A=<x> quoted open|");
}

static enum gp_code
stop_at_b(void *arg, const struct env_entry *e, struct gp_error *err)
{
	++*(int *)arg;
	return span_eq(e->name, SPAN("B")) ?
		gp_fail(err, GP_E_LIMIT, "enough") :
		GP_OK;
}

static void
test_the_caller_may_stop(void **state)
{
	struct gp_error err;
	int n = 0;

	(void)state;
	assert_fails(
		env_file_each(SPAN("A=1\nB=2\nC=3\n"), stop_at_b, &n, &err),
		GP_E_LIMIT, &err, "enough");
	assert_int_equal(n, 2);
}

static void
test_long(void **state)
{
	char *const text = t_repeat("A=xxxxxxxxxxxxxxxx\n", 50000);
	struct gp_error err;
	int n = 0;

	(void)state;
	assert_ok(env_file_each(span_cstr(text), stop_at_b, &n, &err), &err);
	assert_int_equal(n, 50000);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_the_caller_may_stop),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
