/* SPDX-License-Identifier: MIT */
/* test_conf.c - reading the configuration: syntax, types, order, errors. What
 * takes files with keys is in test_conf_keys.c. */
#include "tests/lib/t.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/sys/conf_parse.h"
#include "tests/lib/conf_files.h"

/* A load: a file, environment and options, each NULL for none; several
 * environment entries or options are separated by '|'. */
struct input {
	const char *file, *env, *options;
};

/* Cuts text at '|' in place; the pointers are NULL-terminated. */
static char **
cut(char *text, char *out[8])
{
	size_t n = 0;

	for (; text != NULL; n++) {
		assert_true(n < 7);
		out[n] = text;
		text = strchr(text, '|');
		if (text != NULL)
			*text++ = '\0';
	}
	out[n] = NULL;
	return out;
}

static struct conf *
load(const struct input *in, struct gp_error *err)
{
	char *const env = in->env != NULL ? strdup(in->env) : NULL;
	char *const options = in->options != NULL ? strdup(in->options) : NULL;
	char *envs[8];
	char *opts[8];
	struct conf *c;
	struct conf_source src = { .environ = cut(env, envs),
		.options = (const char *const *)cut(options, opts) };

	if (in->file != NULL)
		src.file = conf_file_make("t.conf", span_cstr(in->file), 0600);
	c = conf_load(&src, err);
	if (in->file != NULL)
		conf_file_remove("t.conf");
	free(env);
	free(options);
	return c;
}

static bool
prints(const struct conf *c, const char *line)
{
	struct buf all;
	struct buf want;
	bool found;

	buf_init(&all, 1 << 20);
	buf_init(&want, 4096);
	buf_putc(&all, '\n');
	conf_print(c, &all);
	buf_printf(&want, "\n%s\n", line);
	assert_false(all.bad || want.bad);
	found = span_find(buf_span(&all), buf_span(&want)) < buf_len(&all);
	if (!found)
		print_error("no line \"%s\"\n", line);
	buf_fini(&all);
	buf_fini(&want);
	return found;
}

/* --- what is read --------------------------------------------------------- */

static const struct {
	struct input in;
	const char *line; /* of conf_print */
} readable[] = {
	/* Nothing at all. */
	{ { NULL, NULL, NULL }, "listen = 127.0.0.1:5000  # built-in" },
	{ { "", NULL, NULL }, "max_body_mb = 32  # built-in" },

	/* The file's syntax. */
	{ { "max_body_mb = 9", NULL, NULL }, "max_body_mb = 9  # file" },
	{ { "max_body_mb=9\n", NULL, NULL }, "max_body_mb = 9  # file" },
	{ { " \t max_body_mb \t=\t 9 \t\r\n", NULL, NULL },
		"max_body_mb = 9  # file" },
	{ { "\xef\xbb\xbfmax_body_mb = 9\n", NULL, NULL },
		"max_body_mb = 9  # file" },
	{ { "# max_body_mb = 8\n\n \t\nmax_body_mb = 9 # 7\n", NULL, NULL },
		"max_body_mb = 9  # file" },
	{ { "  # max_body_mb = 8", NULL, NULL },
		"max_body_mb = 32  # built-in" },
	{ { "log_dir = /a#b", NULL, NULL }, "log_dir = /a#b  # file" },
	{ { "log_dir = /a\t# b", NULL, NULL }, "log_dir = /a  # file" },
	{ { "log_dir = /a b=c", NULL, NULL }, "log_dir = /a b=c  # file" },
	{ { "allowed_hosts = # none", NULL, NULL },
		"allowed_hosts =   # file" },
	{ { "default_anthropic_beta = \"x\"", NULL, NULL },
		"default_anthropic_beta = \"x\"  # file" },

	/* Types. */
	{ { "connect_timeout_s = 0.05", NULL, NULL },
		"connect_timeout_s = 0.050  # file" },
	{ { "connect_timeout_s = 1.5", NULL, NULL },
		"connect_timeout_s = 1.5  # file" },
	{ { "connect_timeout_s = 2.0009", NULL, NULL },
		"connect_timeout_s = 2  # file" },
	{ { "workers = 64", NULL, NULL }, "workers = 64  # file" },
	{ { "forward_client_key = True", NULL, NULL },
		"forward_client_key = true  # file" },
	{ { "force_anthropic_beta = 1", NULL, NULL },
		"force_anthropic_beta = true  # file" },
	{ { "force_anthropic_beta = YES", NULL, NULL },
		"force_anthropic_beta = true  # file" },
	{ { "force_anthropic_beta = on", NULL, NULL },
		"force_anthropic_beta = true  # file" },
	{ { "count_shape_compat = 0", NULL, NULL },
		"count_shape_compat = false  # file" },
	{ { "count_shape_compat = no", NULL, NULL },
		"count_shape_compat = false  # file" },
	{ { "count_shape_compat = Off", NULL, NULL },
		"count_shape_compat = false  # file" },
	{ { "text_endpoint_preference = OpenAI", NULL, NULL },
		"text_endpoint_preference = openai  # file" },
	{ { "enable_zai_thinking = on", NULL, NULL },
		"enable_zai_thinking = true  # file" },
	{ { "enable_zai_thinking = 0", NULL, NULL },
		"enable_zai_thinking = false  # file" },

	/* Order. */
	{ { "retries = 0", NULL, NULL }, "retries = 0  # file" },
	{ { "max_body_mb = 9", "GLMPROXY_MAX_BODY_MB=8", NULL },
		"max_body_mb = 8  # environment GLMPROXY_MAX_BODY_MB" },
	{ { "max_body_mb = 9", "GLMPROXY_MAX_BODY_MB=8", "max_body_mb=7" },
		"max_body_mb = 7  # command line" },
	{ { NULL, NULL, "max_body_mb=7|max_body_mb = 6 " },
		"max_body_mb = 6  # command line" },
	{ { "request_timeout_s = 9", "REQUEST_TIMEOUT=8", NULL },
		"request_timeout_s = 8  # environment "
		"REQUEST_TIMEOUT" },
	{ { NULL, "GLMPROXY_REQUEST_TIMEOUT_S=7|REQUEST_TIMEOUT=8", NULL },
		"request_timeout_s = 7  # environment "
		"GLMPROXY_REQUEST_TIMEOUT_S" },
	{ { NULL, "GLMPROXY_ALLOWED_HOSTS=a # b", NULL },
		"allowed_hosts = a # b  # environment "
		"GLMPROXY_ALLOWED_HOSTS" },

	/* The names of the original. */
	{ { NULL, "UPSTREAM_BASE=http://h/x", NULL },
		"upstream_base = http://h/x  # environment "
		"UPSTREAM_BASE" },
	{ { NULL, "UPSTREAM_BASE=", NULL },
		"upstream_base = https://api.z.ai/api/anthropic  "
		"# built-in" },
	{ { NULL, "DEBUG=true", NULL },
		"log_level = debug  # environment DEBUG" },
	{ { NULL, "DEBUG=false", NULL }, "log_level = info  # built-in" },
	{ { NULL, "DEBUG=1|GLMPROXY_LOG_LEVEL=warn", NULL },
		"log_level = warn  # environment GLMPROXY_LOG_LEVEL" },
	{ { NULL, "UPSTREAM_LOG_BACKUP_COUNT=10", NULL },
		"upstream_log_backup_count = 10  # environment "
		"UPSTREAM_LOG_BACKUP_COUNT" },

	/* No other bare name. */
	{ { NULL, "USER=x|LISTEN=y|WORKERS=3|LOG_LEVEL=debug", NULL },
		"listen = 127.0.0.1:5000  # built-in" },
	{ { NULL, "LOG_LEVEL=debug", NULL }, "log_level = info  # built-in" },
	{ { NULL, "UPSTREAM_LOG=nonsense", NULL },
		"upstream_log = true  # built-in" },
	{ { NULL, "GLMPROXY__FDS=1|GLMPROXY", NULL },
		"listen = 127.0.0.1:5000  # built-in" },

	/* Models. */
	{ { "model.glm-4.6.context = 5000", NULL, NULL },
		"model.glm-4.6.context = 5000  # file" },
	{ { "model.GLM-X.vision = yes", NULL, NULL },
		"model.glm-x.vision = true  # file" },
	{ { NULL, NULL, "model.a.stall_s=0.5|model.a.max_output=9" },
		"model.a.max_output = 9  # command line\n"
		"model.a.stall_s = 0.5  # command line" },
};

static void
test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(readable); i++) {
		struct gp_error err;
		struct conf *c = load(&readable[i].in, &err);

		if (c == NULL)
			fail_msg("%s: %s", readable[i].line, err.text);
		assert_true(prints(c, readable[i].line));
		conf_free(&c);
		assert_null(c);
	}
}

/* --- what is refused ------------------------------------------------------ */

static const struct {
	struct input in;
	const char *part; /* of the error's text */
} refused[] = {
	/* File, line, key and the nearest known key. */
	{ { "\n\nlisten_to = 1", NULL, NULL },
		"t.conf:3: listen_to: no such key; the nearest is "
		"listen" },
	{ { "max_body = 1", NULL, NULL }, "max_body_mb" },
	{ { "Listen = 1", NULL, NULL }, "the nearest is listen" },
	{ { "conect_timeout_s = 1", NULL, NULL }, "connect_timeout_s" },
	{ { NULL, NULL, "lisen=1" },
		"command line: lisen: no such key; the nearest is "
		"listen" },
	{ { NULL, "GLMPROXY_LISEN=1", NULL },
		"environment GLMPROXY_LISEN: no such key; the nearest "
		"is GLMPROXY_LISTEN" },
	{ { NULL, "GLMPROXY_listen=1", NULL }, "environment GLMPROXY_listen" },
	{ { NULL, "GLMPROXY_DEBUG=1", NULL }, "GLMPROXY_DEBUG" },

	/* Syntax. */
	{ { "# x\nlisten", NULL, NULL },
		"t.conf:2: not a line of the form key = value" },
	{ { "= 5", NULL, NULL }, "t.conf:1: not a line" },
	{ { "[section]", NULL, NULL }, "t.conf:1: not a line" },
	{ { "listen = \x1b", NULL, NULL }, "t.conf:1: control characters" },
	{ { "log_dir = /a\nlog_dir = /b", NULL, NULL },
		"t.conf:2: log_dir: given before, in line 1" },
	{ { NULL, NULL, "listen" }, "command line: -o takes key=value" },
	{ { NULL, NULL, "=1" }, "-o takes key=value" },

	/* Values. */
	{ { "workers = 0", NULL, NULL },
		"t.conf:1: workers: must be auto or a whole number "
		"from 1 to 64" },
	{ { "workers = 65", NULL, NULL }, "from 1 to 64" },
	{ { "workers = 1.5", NULL, NULL }, "whole number" },
	{ { "workers = -1", NULL, NULL }, "whole number" },
	{ { "workers =", NULL, NULL }, "whole number" },
	{ { "workers = 99999999999999999999", NULL, NULL }, "to 64" },
	{ { "max_body_mb = 513", NULL, NULL },
		"must be a whole number of MiB from 1 to 512" },
	{ { "max_body_mb = 17592186044417", NULL, NULL }, "to 512" },
	{ { "max_body_mb = auto", NULL, NULL }, "whole number" },
	{ { "max_body_mb = 1 MB", NULL, NULL }, "whole number" },
	{ { "connect_timeout_s = 0.049", NULL, NULL },
		"must be a number of seconds from 0.05 to 600" },
	{ { "connect_timeout_s = 600.001", NULL, NULL }, "to 600" },
	{ { "connect_timeout_s = 18446744073709551615", NULL, NULL },
		"to 600" },
	{ { "connect_timeout_s = 1.", NULL, NULL }, "seconds" },
	{ { "connect_timeout_s = .5", NULL, NULL }, "seconds" },
	{ { "connect_timeout_s = 1e1", NULL, NULL }, "seconds" },
	{ { "connect_timeout_s = 1.2.3", NULL, NULL }, "seconds" },
	{ { "connect_timeout_s = 10s", NULL, NULL }, "seconds" },
	{ { "force_anthropic_beta = 2", NULL, NULL }, "true or false" },
	{ { "force_anthropic_beta = \"true\"", NULL, NULL }, "true or false" },
	{ { "log_level = verbose", NULL, NULL },
		"must be one of: err warn info debug" },
	{ { "log_level = on", NULL, NULL }, "must be one of" },
	{ { "enable_zai_thinking = 2", NULL, NULL },
		"must be one of: client true false" },
	{ { NULL, "GLMPROXY_CONNECT_TIMEOUT_S=x", NULL },
		"environment GLMPROXY_CONNECT_TIMEOUT_S: "
		"connect_timeout_s: must" },
	{ { NULL, "GLMPROXY_LOG_DIR=a\nb", NULL }, "control characters" },
	{ { "unix_mode = 888", NULL, NULL }, "unix_mode: must be octal" },
	{ { "unix_mode = 01000", NULL, NULL }, "unix_mode" },
	{ { "unix_mode = 1777", NULL, NULL }, "unix_mode" },
	{ { "unix_mode =", NULL, NULL }, "unix_mode" },
	{ { "listen =", NULL, NULL }, "listen: must name" },

	/* Keys do not belong on the command line. */
	{ { NULL, NULL, "server_api_key=sk-1" },
		"command line: server_api_key: not taken" },

	/* Models. */
	{ { "model.x.contxt = 1", NULL, NULL },
		"t.conf:1: model.x.contxt: no such key; the nearest is "
		"model.x.context" },
	{ { "model.context = 5000", NULL, NULL }, "no such key" },
	{ { "model..context = 5000", NULL, NULL }, "no such key" },
	{ { "model.a b.context = 5000", NULL, NULL }, "not a model's name" },
	{ { "model.x.context = 5", NULL, NULL }, "from 1024 to 100000000" },
	{ { "model.x.vision = 1\nmodel.X.vision = 1", NULL, NULL },
		"t.conf:2: model.X.vision: given before, in line 1" },
	{ { NULL, "GLMPROXY_MODEL.X.CONTEXT=5000", NULL }, "no such key" },
};

static void
test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct gp_error err;

		if (load(&refused[i].in, &err) != NULL)
			fail_msg("taken, but should say: %s", refused[i].part);
		if (strstr(err.text, refused[i].part) == NULL)
			fail_msg("says: %s\nshould say: %s", err.text,
				refused[i].part);
	}
}

/* Errors go to logs; a line without a known key may hold a key in the wrong
 * place. */
static void
test_errors_do_not_quote_values(void **state)
{
	static const struct input cases[] = {
		{ "server_api_kye = sk-1234", NULL, NULL },
		{ "sk-1234", NULL, NULL },
		{ "workers = sk-1234", NULL, NULL },
		{ "log_level = sk-1234", NULL, NULL },
		{ "server_api_key = sk-1234 sk", NULL, NULL },
		{ NULL, "GLMPROXY_SERVER_API_KYE=sk-1234", NULL },
		{ NULL, NULL, "server_api_key=sk-1234" },
		{ NULL, NULL, "sk-1234" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gp_error err;

		assert_null(load(&cases[i], &err));
		assert_null(strstr(err.text, "sk-1234"));
	}
}

static void
test_a_missing_file(void **state)
{
	const struct conf_source src = { .file = "/nowhere/x.conf" };
	struct gp_error err;

	(void)state;
	assert_null(conf_load(&src, &err));
	assert_int_equal(err.code, GP_E_SYSTEM);
	assert_non_null(strstr(err.text, "/nowhere/x.conf: No such file"));
}

static void
test_too_large_a_file(void **state)
{
	char *const text = t_repeat("#", CONF_FILE_MAX + 1);
	struct conf_source src = { .environ = NULL };
	struct gp_error err;
	struct conf *c;

	(void)state;
	src.file = conf_file_make("t.conf", span_of(text, CONF_FILE_MAX), 0600);
	c = conf_load(&src, &err);
	assert_non_null(c);
	conf_free(&c);
	src.file = conf_file_make(
		"t.conf", span_of(text, CONF_FILE_MAX + 1), 0600);
	assert_null(conf_load(&src, &err));
	assert_non_null(strstr(err.text, "1 MiB"));
	conf_file_remove("t.conf");
	free(text);
}

/* --- warnings ------------------------------------------------------------- */

static void
test_warnings(void **state)
{
	static const struct {
		struct input in;
		const char *part; /* of the only warning */
		const char *line; /* of conf_print */
	} cases[] = {
		{ { NULL, "CONNECT_TIMEOUT=x", NULL },
			"environment CONNECT_TIMEOUT: connect_timeout_s: must",
			"connect_timeout_s = 10  # built-in" },
		{ { NULL, "CONNECT_TIMEOUT=9999", NULL }, "0.05 to 600",
			"connect_timeout_s = 10  # built-in" },
		{ { NULL, "ENABLE_ZAI_THINKING=maybe", NULL },
			"ENABLE_ZAI_THINKING",
			"enable_zai_thinking = client  # built-in" },
		{ { NULL, "UPSTREAM_LOG_BODIES=some", NULL },
			"environment UPSTREAM_LOG_BODIES",
			"log_level = info"
			"  # built-in" },
		{ { NULL, "DEBUG=*", NULL }, "environment DEBUG",
			"log_level = info  # built-in" },
		{ { NULL, "SERVER_API_KEY=a b", NULL },
			"environment SERVER_API_KEY",
			"server_api_key =   # built-in" },
		{ { "log_dir = \"/a\"", NULL, NULL },
			"t.conf:1: log_dir: values are unquoted",
			"log_dir = \"/a\"  # file" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gp_error err;
		struct conf *c = load(&cases[i].in, &err);

		assert_non_null(c);
		assert_int_equal(c->warnings.n, 1);
		if (strstr(c->warnings.v[0], cases[i].part) == NULL)
			fail_msg("warns: %s\nshould: %s", c->warnings.v[0],
				cases[i].part);
		assert_true(prints(c, cases[i].line));
		conf_free(&c);
	}
}

static void
test_reject(void **state)
{
	const struct input bare = { NULL, "UPSTREAM_BASE=ftp://x", NULL };
	const struct input file = { "\nupstream_base = ftp://x", NULL, NULL };
	struct gp_error err;
	struct conf *c;

	(void)state;
	c = load(&bare, &err);
	assert_non_null(c);
	assert_ok(conf_reject(c, "upstream_base", "must be http", &err), &err);
	assert_span_eq(c->upstream_base, "https://api.z.ai/api/anthropic");
	assert_int_equal(c->warnings.n, 1);
	assert_non_null(strstr(c->warnings.v[0],
		"environment UPSTREAM_BASE: upstream_base: must be http"));
	conf_free(&c);
	c = load(&file, &err);
	assert_non_null(c);
	assert_fails(conf_reject(c, "upstream_base", "must be http", &err),
		GP_E_SCHEMA, &err, "t.conf:2: upstream_base: must be http");
	conf_free(&c);
}

/* --- fields, restart ------------------------------------------------------ */

static void
test_fields(void **state)
{
	const struct input good = { "max_body_mb = 2\n"
				    "connect_timeout_s = 0.25\n"
				    "text_endpoint_preference = client\n"
				    "unix_mode = 600\nuser = me # x\n"
				    "model.a.max_output = 7\n",
		NULL, NULL };
	struct gp_error err;
	struct conf *c;

	(void)state;
	c = load(&good, &err);
	assert_non_null(c);
	assert_int_equal(c->max_body_bytes, 2 << 20);
	assert_int_equal(c->connect_timeout_ms, 250);
	assert_int_equal(c->text_endpoint_preference, PREFER_CLIENT);
	assert_int_equal(c->enable_zai_thinking, THINKING_CLIENT);
	assert_int_equal(conf_unix_mode(c), 0600);
	assert_string_equal(c->user.p, "me"); /* terminated */
	assert_true(c->workers >= 1 && c->workers <= 64);
	assert_true(c->forward_client_key);
	assert_int_equal(c->models.n, 1);
	assert_span_eq(c->models.v[0].name, "a");
	assert_int_equal(c->models.v[0].max_output_tokens, 7);
	assert_int_equal(c->models.v[0].context_tokens, -1);
	assert_int_equal(c->models.v[0].vision, -1);
	assert_int_equal(c->models.v[0].stall_ms, -1);
	assert_true(span_ends(c->file, SPAN("/t.conf")));
	conf_free(&c);
	conf_free(&c);
}

static void
test_places(void **state)
{
	const struct input in = { "log_dir = /var/tmp/l", NULL, NULL };
	const bool is_root = geteuid() == 0;
	struct gp_error err;
	struct conf *c = load(&in, &err);

	(void)state;
	assert_non_null(c);
	assert_span_eq(c->log_dir, "/var/tmp/l");
	assert_string_equal(c->pid_file.p,
		is_root ? "/run/glmproxy/glmproxy.pid" : "./run/glmproxy.pid");
	assert_string_equal(
		c->state_dir.p, is_root ? "/var/lib/glmproxy" : "./run/state");
	assert_span_eq(c->user, ""); /* from a build tree: nobody else */
	conf_free(&c);
}

static void
test_diff_restart(void **state)
{
	const struct input a = { "log_level = warn", NULL, NULL };
	const struct input b = { "log_level = err\nlisten = 127.0.0.1:1\n"
				 "unix_mode = 0600\nworkers = 3",
		NULL, NULL };
	struct gp_error err;
	struct conf *now = load(&a, &err);
	struct conf *next = load(&b, &err);
	struct buf out;

	(void)state;
	assert_true(now != NULL && next != NULL);
	buf_init(&out, 4096);
	conf_diff_restart(now, now, &out);
	assert_buf_eq(&out, "");
	conf_diff_restart(now, next, &out);
	assert_buf_eq(&out, "listen, unix_mode");
	buf_fini(&out);
	conf_free(&now);
	conf_free(&next);
}

/* The names and defaults that people were promised. */
static void
test_the_table(void **state)
{
	static const char *const promised[][2] = {
		{ "max_connections", "8192" },
		{ "client_header_timeout_s", "10" },
		{ "client_body_timeout_s", "60" },
		{ "client_write_timeout_s", "60" },
		{ "keepalive_timeout_s", "75" },
		{ "drain_timeout_s", "600" },
		{ "stop_timeout_s", "30" },
		{ "max_buffered_mb", "512" },
		{ "stream_timeout_s", "600" },
		{ "upstream_keepalive", "64" },
		{ "upstream_keepalive_idle_s", "25" },
		{ "retry_backoff_ms", "200" },
		{ "key_queue", "64" },
		{ "key_queue_timeout_s", "120" },
		{ "autotext_model", "glm-4.6" },
		{ "autovision_model", "glm-4.6v" },
		{ "model_map_json", "{}" },
		{ "anthropic_expected_tokens", "200000" },
		{ "openai_expected_tokens", "128000" },
		{ "default_max_tokens", "32768" },
		{ "image_scope", "any" },
		{ "context_overflow_openai", "auto" },
		{ "context_overflow_anthropic", "auto" },
		{ "tool_markup", "off" },
		{ "validate_tool_json", "off" },
		{ "history_rows_per_s", "200" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(promised); i++) {
		const struct conf_row *const row =
			conf_find(span_cstr(promised[i][0]));

		assert_non_null(row);
		assert_string_equal(row->dflt, promised[i][1]);
	}
	for (size_t i = 0; i < conf_nrows; i++) {
		/* A name is found as itself, and has a sentence. */
		assert_ptr_equal(
			conf_find(span_cstr(conf_rows[i].key)), &conf_rows[i]);
		assert_ptr_equal(conf_nearest(conf_rows, conf_nrows,
					 span_cstr(conf_rows[i].key)),
			&conf_rows[i]);
		assert_true(strlen(conf_rows[i].help) > 3);
	}
	assert_dies(conf_index("no_such_key"));
}

static void
test_enum_text(void **state)
{
	(void)state;
	assert_span_eq(conf_enum_text("a|bc|d", 0), "a");
	assert_span_eq(conf_enum_text("a|bc|d", 1), "bc");
	assert_span_eq(conf_enum_text("a|bc|d", 2), "d");
	assert_span_eq(conf_enum_text("a|bc|d", 3), "");
}

static void
test_too_many_models(void **state)
{
	struct conf_source src = { .environ = NULL };
	struct gp_error err;
	struct buf text;

	(void)state;
	buf_init(&text, 1 << 20);
	for (int i = 0; i <= CONF_MODELS_MAX; i++)
		buf_printf(&text, "model.m%d.vision = 1\n", i);
	src.file = conf_file_make("t.conf", buf_span(&text), 0600);
	assert_null(conf_load(&src, &err));
	assert_non_null(strstr(err.text, "t.conf:257: "));
	conf_file_remove("t.conf");
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_errors_do_not_quote_values),
		cmocka_unit_test(test_a_missing_file),
		cmocka_unit_test(test_too_large_a_file),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_reject),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_diff_restart),
		cmocka_unit_test(test_the_table),
		cmocka_unit_test(test_enum_text),
		cmocka_unit_test(test_too_many_models),
	};

	return cmocka_run_group_tests(tests, conf_files_begin, conf_files_end);
}
