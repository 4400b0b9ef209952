/* SPDX-License-Identifier: MIT */
/* service.c - find the service that runs, by its pid file. */
#include "master/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/config.h"
#include "shared/base/check.h"
#include "shared/sys/conf_parse.h"

/* --- keys that are looked up alone ---------------------------------------- */

static void
take_path(char *out, struct span value)
{
	if (value.n > 0)
		paths_absolute(out, value);
}

static void
take_list(char out[SERVICE_LIST_MAX], struct span value)
{
	(void)snprintf(out, SERVICE_LIST_MAX, "%.*s",
		SPAN_ARG(span_head(value, SERVICE_LIST_MAX - 1)));
}

static void
take_value(struct service *s, struct span key, struct span value)
{
	const struct conf_row *const row = conf_find(SPAN("stop_timeout_s"));
	struct conf_value v;

	if (span_eq(key, SPAN("pid_file")))
		take_path(s->pid_file, value);
	else if (span_eq(key, SPAN("log_dir")))
		take_path(s->log_dir, value);
	else if (span_eq(key, SPAN("listen")))
		take_list(s->listen, value);
	else if (span_eq(key, SPAN("admin_listen")))
		take_list(s->admin_listen, value);
	else if (span_eq(key, SPAN("stop_timeout_s")) &&
		conf_value(row, value, &v, NULL) == GP_OK)
		s->stop_timeout_ms = v.number;
}

static enum gp_code
take_line(void *arg, unsigned line, struct span key, struct span value,
	struct gp_error *err)
{
	(void)line;
	(void)err;
	take_value(arg, key, value);
	return GP_OK;
}

static void
take_file(struct service *s, const char *path)
{
	char *const text = malloc(CONF_FILE_MAX);
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct gp_error err;
	ssize_t n = -1;

	if (text != NULL && fd >= 0)
		n = read(fd, text, CONF_FILE_MAX);
	if (n < 0)
		(void)fprintf(stderr, "glmproxy: warning: %s: %s\n", path,
			strerror(errno));
	else if (conf_lines(span_of(text, (size_t)n), path, take_line, s,
			 &err) != GP_OK)
		(void)fprintf(stderr, "glmproxy: warning: %s\n", err.text);
	if (fd >= 0)
		(void)close(fd);
	if (n > 0)
		explicit_bzero(text, (size_t)n);
	free(text);
}

static void
take_environment(struct service *s)
{
	static const char *const names[][2] = {
		{ "GLMPROXY_PID_FILE", "pid_file" },
		{ "GLMPROXY_LOG_DIR", "log_dir" },
		{ "GLMPROXY_LISTEN", "listen" },
		{ "GLMPROXY_ADMIN_LISTEN", "admin_listen" },
		{ "GLMPROXY_STOP_TIMEOUT_S", "stop_timeout_s" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *const value = getenv(names[i][0]);

		if (value != NULL)
			take_value(s, span_cstr(names[i][1]),
				span_trim(span_cstr(value)));
	}
}

static void
take_defaults(struct service *s)
{
	const struct conf_source nothing = { 0 };
	struct gp_error err;
	struct conf *defaults = conf_load(&nothing, &err);

	GP_ASSERT(defaults != NULL);
	*s = (struct service){ .pid = 0 };
	paths_absolute(s->pid_file, defaults->pid_file);
	paths_absolute(s->log_dir, defaults->log_dir);
	take_list(s->listen, defaults->listen);
	take_list(s->admin_listen, defaults->admin_listen);
	s->stop_timeout_ms = defaults->stop_timeout_ms;
	conf_free(&defaults);
}

/* --- the service ---------------------------------------------------------- */

enum pidfile_state
service_find(const struct cli *cli, struct service *s, struct gp_error *err)
{
	take_defaults(s);
	if (cli->sources.file != NULL)
		take_file(s, cli->sources.file);
	take_environment(s);
	for (size_t i = 0; i < cli->sources.noptions; i++) {
		struct span value = span_cstr(cli->sources.options[i]);
		struct span key = SPAN_EMPTY;

		(void)span_split(&value, '=', &key);
		take_value(s, span_trim(key), span_trim(value));
	}
	return pidfile_read(s->pid_file, &s->pid, err);
}

bool
service_need(const struct cli *cli, struct service *s)
{
	struct gp_error err;

	switch (service_find(cli, s, &err)) {
	case PIDFILE_ALIVE:
		return true;
	case PIDFILE_BAD:
		(void)fprintf(stderr, "glmproxy: %s\n", err.text);
		break;
	case PIDFILE_STALE:
		(void)fprintf(stderr,
			"glmproxy: not running; %s is left over from pid %ld\n",
			s->pid_file, (long)s->pid);
		break;
	case PIDFILE_NONE:
		(void)fprintf(
			stderr, "glmproxy: not running (no %s)\n", s->pid_file);
		break;
	}
	return false;
}

struct conf *
service_conf(struct cli *cli, struct gp_error *err)
{
	struct conf *c = config_load(&cli->sources, err);
	struct gp_error second;

	if (c == NULL && secret_is_none(&cli->sources.env_key) &&
		secret_set(&cli->sources.env_key, SPAN("unknown")))
		c = config_load(&cli->sources, &second);
	return c;
}

struct span
service_first(const char *list)
{
	struct span rest = span_cstr(list);
	struct span text;

	while (span_split(&rest, ',', &text)) {
		text = span_trim(text);
		if (text.n > 0)
			return text;
	}
	return SPAN_EMPTY;
}
