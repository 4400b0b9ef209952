/* SPDX-License-Identifier: MIT */
/* test_jscrub.c - keys and images are cut out, and nothing else. */
#include "shared/json/jscrub.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/t.h"

#define OUT_MAX (1u << 20)
#define HEX32   "0123456789abcdef0123456789ABCDEF"

static const struct span secrets[] = { SPAN_INIT("client-key.1"),
	SPAN_INIT("odd$key:here!"), SPAN_INIT("short"),
	SPAN_INIT("sla/sh+key=") };

static void
scrub(struct span in, size_t first, struct buf *out)
{
	struct jscrub s;
	char *const a = t_exact(span_head(in, first));
	char *const b = t_exact(span_from(in, first));

	buf_init(out, OUT_MAX);
	jscrub_init(&s, secrets, ARRAY_LEN(secrets));
	jscrub_feed(&s, span_of(a, MIN(first, in.n)), out);
	jscrub_feed(&s, span_of(b, in.n - MIN(first, in.n)), out);
	jscrub_end(&s, out);
	free(a);
	free(b);
}

/* Wherever the text is cut, the same comes out. */
static void
check(const char *in, const char *want)
{
	const struct span text = span_cstr(in);

	for (size_t i = 0; i <= text.n; i++) {
		struct buf out;

		scrub(text, i, &out);
		assert_spans_eq(buf_span(&out), span_cstr(want));
		buf_fini(&out);
	}
}

static void
check_same(const char *text)
{
	check(text, text);
}

static void
test_left_alone(void **state)
{
	(void)state;
	check_same("");
	check_same(
		"{\"model\":\"glm-4.6\",\"max_tokens\":1024,\"messages\":[{"
		"\"role\":\"user\",\"content\":\"it's a key moment, \\\"so\\\""
		" to say: keys, tokens.\\n\\nC:\\\\dir\\\\ \\u00e9 \xc3\xa9\""
		"}],\"stream\":true}");
	check_same("event: message_start\ndata: {\"type\":\"message_start\","
		   "\"message\":{\"usage\":{\"input_tokens\":12345678}}}\n\n");
	check_same("/usr/share/a/long/path/that/has/no/end/at/all.txt "
		   "https://example.org/x?y=12345678&z=abcdefghijk");
	check_same("short \"short\" token abcdefgh");
	check_same("\"key\":{\"a\":\"value\"},\"token\":null,\"key\":true");
	check_same("sk-short 0123456789abcdef.0123456789abcdef");
	check_same("{\"url\":\"https://example.org/data:image/base64,x.png\"}");
}

static void
test_members(void **state)
{
	(void)state;
	check("{\"api_key\":\"a\"}", "{\"api_key\":\"[cut]\"}");
	check("{\"X-Api-Key\" : \"a b c\", \"x\":1}",
		"{\"X-Api-Key\" : \"[cut]\", \"x\":1}");
	check("{\"authorization\":\"Basic \\\"x\\\" y\\\\\",\"n\":\"v\"}",
		"{\"authorization\":\"[cut]\",\"n\":\"v\"}");
	check("{\"refresh_token\":\"\",\"clientSecret\":\"s\"}",
		"{\"refresh_token\":\"\",\"clientSecret\":\"[cut]\"}");
	check("{\"api_keys\": [\n \"a\",\n \"b\"], \"n\":[\"c\"]}",
		"{\"api_keys\": [\n \"[cut]\",\n \"[cut]\"], \"n\":[\"c\"]}");
	check("{\"password\":[{\"n\":\"v\"}]}",
		"{\"password\":[{\"n\":\"v\"}]}");
	/* The string was broken off. */
	check("{\"api_key\":\"a", "{\"api_key\":\"[cut]");
	check("data: {\"api_key\":\"a\ndata: {\"n\":\"v\"}",
		"data: {\"api_key\":\"[cut]\ndata: {\"n\":\"v\"}");
}

/* What a name is stands at its end. */
static void
test_long_names(void **state)
{
	(void)state;
	check("{\"the-longest-name-that-anybody-has-ever-seen-api-key\":\"a\"}",
		"{\"the-longest-name-that-anybody-has-ever-seen-api-key\":"
		"\"[cut]\"}");
	check("THE_LONGEST_NAME_THAT_ANYBODY_HAS_EVER_SEEN_API_KEY=abcdefgh",
		"THE_LONGEST_NAME_THAT_ANYBODY_HAS_EVER_SEEN_API_KEY=[cut]");
	check_same("{\"key-the-longest-name-that-anybody-has-ever-seen\":"
		   "\"a\"}");
}

/* JSON as text in JSON, as arguments of tools are. */
static void
test_nested(void **state)
{
	(void)state;
	check("{\"arguments\":\"{\\\"api_key\\\": \\\"a b\\\",\\\"n\\\":1}\"}",
		"{\"arguments\":\"{\\\"api_key\\\": "
		"\\\"[cut]\\\",\\\"n\\\":1}\""
		"}");
	check("\"{\\\"token\\\":\\n\\\"a\\\\\\\"b\\\"}\"",
		"\"{\\\"token\\\":\\n\\\"[cut]\\\"}\"");
	check("\"\\\"{\\\\\\\"token\\\\\\\":\\\\\\\"a\\\\\\\"}\\\"\"",
		"\"\\\"{\\\\\\\"token\\\\\\\":\\\\\\\"[cut]\\\\\\\"}\\\"\"");
	/* The outer string ends first. */
	check("{\"a\":\"{\\\"token\\\":\\\"x\",\"n\":\"v\"}",
		"{\"a\":\"{\\\"token\\\":\\\"[cut]\",\"n\":\"v\"}");
}

static void
test_images(void **state)
{
	(void)state;
	check("{\"source\":{\"media_type\":\"image/png\",\"data\":\"iVBO\\n"
	      "Rw0K\"}}",
		"{\"source\":{\"media_type\":\"image/png\",\"data\":\""
		"[10 bytes cut]\"}}");
	check("{\"url\":\"data:image/png;base64,iVBORw0K\\/A==\",\"n\":1}",
		"{\"url\":\"data:image/png;base64,[13 bytes cut]\",\"n\":1}");
	check("{\"url\":\"DATA:image\\/png;bBASE64,iVBO\"}",
		"{\"url\":\"DATA:image\\/png;bBASE64,[4 bytes cut]\"}");
	check("\"{\\\"url\\\":\\\"data:;base64,iVBO\\\"}\"",
		"\"{\\\"url\\\":\\\"data:;base64,[4 bytes cut]\\\"}\"");
}

static void
test_long_words(void **state)
{
	char *const kept = t_repeat("abcdefgh", JSCRUB_WORD_MAX / 8);
	char in[2 * JSCRUB_WORD_MAX];

	(void)state;
	(void)snprintf(in, sizeof(in), "![x](%s) y", kept);
	check_same(in);
	(void)snprintf(in, sizeof(in), "![x](%s+) y", kept);
	check(in, "![x]([257 bytes cut]) y");
	(void)snprintf(in, sizeof(in), "%s/", kept);
	check(in, "[257 bytes cut]");
	free(kept);
}

static void
test_keys_in_text(void **state)
{
	(void)state;
	check("my key: client-key.1,", "my key: [cut],");
	check("x=client-key.1;", "[cut];");
	check("\"odd$key:here!\"", "\"[cut]\"");
	check("curl -H 'Authorization: Bearer abcdefgh' -H 'x-api-key: "
	      "01234567' u",
		"curl -H 'Authorization: Bearer [cut]' -H 'x-api-key: [cut]' "
		"u");
	check("export OPENAI_API_KEY=abcdefgh; b",
		"export OPENAI_API_KEY=[cut]"
		"; b");
	check("OPENAI_API_KEY=\\\"abcdefgh\\\"",
		"OPENAI_API_KEY=\\\"[cut]\\\"");
	check("Authorization: Basic dXNlcjpwYXNz\\r\\n",
		"Authorization: Basic [cut]\\r\\n");
	check("authorization: token  abcdefgh x",
		"authorization: token  [cut] x");
	check("(sk-abcdefghijklmnopqrst)", "([cut])");
	check("(" HEX32 ".AbCdEfGhIjKlMnOp)", "([cut])");
	check("x-" HEX32 ".AbCdEfGhIjKlMnOp", "[cut]");
}

/* Whoever writes the JSON may escape slashes. */
static void
test_escaped_slashes(void **state)
{
	char *const image = t_repeat("abcdefg\\/", JSCRUB_WORD_MAX / 8);
	char in[4 * JSCRUB_WORD_MAX], want[64];

	(void)state;
	check("\"sent sla\\/sh+key= to us\"", "\"sent [cut] to us\"");
	check("\"\\\"sla\\\\/sh+key=\\\"\"", "\"\\\"[cut]\\\"\"");
	check_same("\"https:\\/\\/example.org\\/a\\n/b\\\\\" a\\");
	(void)snprintf(in, sizeof(in), "{\"url\":\"%s\"}", image);
	(void)snprintf(want, sizeof(want), "{\"url\":\"[%zu bytes cut]\"}",
		strlen(image));
	check(in, want);
	free(image);
}

/* The text ends inside of one: what is there of it is not told either. */
static void
test_broken_off(void **state)
{
	(void)state;
	check("my key is client-k", "my key is [cut]");
	check("my key is xclie", "my key is [cut]");
	check("sent: sk-abcdefgh", "sent: [cut]");
	check("(" HEX32, "([cut]");
	check("(" HEX32 ".AbCdEf", "([cut]");
	check_same("the end of it");
	check_same("sk-abc 0123456789abcdef");
}

static void
test_no_secrets(void **state)
{
	struct jscrub s;
	struct buf out;

	(void)state;
	buf_init(&out, OUT_MAX);
	jscrub_init(&s, NULL, 0);
	jscrub_feed(&s, SPAN("my key: client-key.1"), &out);
	jscrub_end(&s, &out);
	assert_buf_eq(&out, "my key: [cut]");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_left_alone),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_long_words),
		cmocka_unit_test(test_keys_in_text),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_escaped_slashes),
		cmocka_unit_test(test_broken_off),
		cmocka_unit_test(test_no_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
