/* SPDX-License-Identifier: MIT */
/*
 * cmd_service.c - `stop`, `restart`, `status`, `reload`, `upgrade`, `drain`,
 * `undrain`: commands to a running service, found by its pid file.
 *
 * They need the place of that file only, and must work when the configuration
 * has been broken or may not be read by this user; so it is looked up alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "master/commands.h"
#include "master/config.h"
#include "master/master.h"
#include "master/pidfile.h"
#include "shared/base/check.h"
#include "shared/sys/clock.h"
#include "shared/sys/conf_parse.h"

#define KEY          "pid_file"
#define VARIABLE     "GLMPROXY_PID_FILE"
#define POLL_MS      20
#define PROGRESS_MS  1000
#define KILL_WAIT_MS 5000
/* The master follows at once, unless it is just being replaced. */
#define DRAIN_WAIT_MS 5000
/* On top of stop_timeout_s, whose default is used where it is not known. */
#define STOP_MARGIN_MS 5000

/* What can be known of the service without its whole configuration. */
struct service {
	char pid_file[PATH_MAX];
	int64_t stop_timeout_ms;
	pid_t pid; /* 0: not running */
};

/* --- finding it ----------------------------------------------------------- */

static void
take_value(struct service *s, struct span key, struct span value)
{
	const struct conf_row *const row = conf_find(SPAN("stop_timeout_s"));
	struct conf_value v;

	if (span_eq(key, SPAN(KEY)) && value.n > 0)
		paths_absolute(s->pid_file, value);
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
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
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

static enum pidfile_state
find_service(const struct cli *cli, struct service *s, struct gp_error *err)
{
	const struct conf_source nothing = { 0 };
	struct conf *defaults = conf_load(&nothing, err);
	const char *const variable = getenv(VARIABLE);
	enum pidfile_state state;

	*s = (struct service){ .pid = 0 };
	GP_ASSERT(defaults != NULL);
	paths_absolute(s->pid_file, defaults->pid_file);
	s->stop_timeout_ms = defaults->stop_timeout_ms;
	conf_free(&defaults);
	if (cli->sources.file != NULL)
		take_file(s, cli->sources.file);
	if (variable != NULL)
		take_value(s, SPAN(KEY), span_trim(span_cstr(variable)));
	for (size_t i = 0; i < cli->sources.noptions; i++) {
		struct span value = span_cstr(cli->sources.options[i]);
		struct span key = SPAN_EMPTY;

		(void)span_split(&value, '=', &key);
		take_value(s, span_trim(key), span_trim(value));
	}
	state = pidfile_read(s->pid_file, &s->pid, err);
	return state;
}

/* An exit code: EXIT_DONE if it runs, else a message has been printed. */
static int
need_service(struct cli *cli, struct service *s)
{
	struct gp_error err;
	const int code = cli_no_args(cli);

	if (code != EXIT_DONE)
		return code;
	switch (find_service(cli, s, &err)) {
	case PIDFILE_ALIVE:
		return EXIT_DONE;
	case PIDFILE_BAD:
		(void)fprintf(stderr, "glmproxy: %s\n", err.text);
		return EXIT_FAILED;
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
	s->pid = 0;
	return EXIT_NOT_RUNNING;
}

static int
signal_service(const struct service *s, int signal)
{
	if (kill(s->pid, signal) == 0)
		return EXIT_DONE;
	(void)fprintf(stderr, "glmproxy: pid %ld: %s\n", (long)s->pid,
		strerror(errno));
	return EXIT_FAILED;
}

/* --- stopping ------------------------------------------------------------- */

static bool
has_ended(const struct service *s)
{
	pid_t pid = 0;

	/* A new one may have been started meanwhile. */
	return pidfile_read(s->pid_file, &pid, NULL) != PIDFILE_ALIVE ||
		pid != s->pid;
}

static bool
wait_ended(const struct service *s, int64_t limit_ms)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	const int64_t until_ms = clock_mono_ms() + limit_ms;
	const bool shows = isatty(STDERR_FILENO) != 0;
	int64_t show_ms = clock_mono_ms() + PROGRESS_MS;
	bool is_over = has_ended(s);

	while (!is_over && clock_mono_ms() < until_ms) {
		(void)nanosleep(&pause, NULL);
		if (shows && clock_mono_ms() >= show_ms) {
			(void)fputs(".", stderr);
			show_ms += PROGRESS_MS;
		}
		is_over = has_ended(s);
	}
	return is_over;
}

static int
stop_service(const struct service *s)
{
	const int code = signal_service(s, SIGTERM);

	if (code != EXIT_DONE)
		return has_ended(s) ? EXIT_DONE : code;
	if (wait_ended(s, s->stop_timeout_ms + STOP_MARGIN_MS)) {
		(void)printf("glmproxy has stopped\n");
		return EXIT_DONE;
	}
	(void)fprintf(stderr,
		"glmproxy: pid %ld has not ended in time: killing it\n",
		(long)s->pid);
	(void)kill(s->pid, SIGKILL);
	return wait_ended(s, KILL_WAIT_MS) ? EXIT_DONE : EXIT_LATE;
}

int
cmd_stop(struct cli *cli)
{
	struct service s;
	const int code = need_service(cli, &s);

	/* That it does not run is what was asked for. */
	if (code == EXIT_NOT_RUNNING)
		return EXIT_DONE;
	return code == EXIT_DONE ? stop_service(&s) : code;
}

int
cmd_restart(struct cli *cli)
{
	struct conf *c;
	struct service s;
	int code = cli_no_args(cli);

	if (code != EXIT_DONE)
		return code;
	/* A service is not stopped for one that could not start. */
	c = cli_load(cli);
	if (c == NULL)
		return EXIT_CONFIG;
	conf_free(&c);
	code = need_service(cli, &s);
	if (code == EXIT_DONE)
		code = stop_service(&s);
	if (code != EXIT_DONE && code != EXIT_NOT_RUNNING)
		return code;
	return cmd_start(cli);
}

/* --- the others ----------------------------------------------------------- */

int
cmd_status(struct cli *cli)
{
	struct service s;
	const int code = need_service(cli, &s);

	if (code != EXIT_DONE)
		return code;
	(void)printf("glmproxy runs with pid %ld\n", (long)s.pid);
	if (pidfile_is_drained(s.pid_file))
		(void)printf("it is drained: load balancers are told to send "
			     "nothing until `glmproxy undrain`\n");
	return EXIT_DONE;
}

static int
set_drained(struct cli *cli, bool is, const char *done)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	const int64_t until_ms = clock_mono_ms() + DRAIN_WAIT_MS;
	struct service s;
	int code = need_service(cli, &s);

	if (code == EXIT_DONE)
		code = signal_service(
			&s, is ? MASTER_SIGNAL_DRAIN : MASTER_SIGNAL_UNDRAIN);
	if (code != EXIT_DONE)
		return code;
	while (pidfile_is_drained(s.pid_file) != is) {
		if (clock_mono_ms() > until_ms) {
			(void)fprintf(stderr,
				"glmproxy: pid %ld has not followed\n",
				(long)s.pid);
			return EXIT_LATE;
		}
		(void)nanosleep(&pause, NULL);
	}
	(void)printf("%s\n", done);
	return EXIT_DONE;
}

int
cmd_drain(struct cli *cli)
{
	return set_drained(cli, true,
		"glmproxy is drained: /health of its port says 503, requests "
		"are still served");
}

int
cmd_undrain(struct cli *cli)
{
	return set_drained(cli, false, "glmproxy is not drained");
}

/* True if the service can take the configuration, as far as can be told here:
 * it may hold a server key from its own environment. */
static bool
is_acceptable(struct cli *cli)
{
	struct gp_error err;
	struct gp_error second;
	struct conf *c = config_load(&cli->sources, &err);

	if (c == NULL && secret_is_none(&cli->sources.env_key) &&
		secret_set(&cli->sources.env_key, SPAN("unknown")))
		c = config_load(&cli->sources, &second);
	if (c == NULL) {
		(void)fprintf(stderr, "glmproxy: %s\n", err.text);
		return false;
	}
	config_warn(c, false);
	conf_free(&c);
	return true;
}

/* Both take the new configuration, so it is looked at first: the one who asks
 * sees at once what is wrong. */
static int
check_and_signal(struct cli *cli, int signal, const char *done)
{
	struct service s;
	int code = need_service(cli, &s);

	if (code != EXIT_DONE)
		return code;
	if (!is_acceptable(cli))
		return EXIT_CONFIG;
	code = signal_service(&s, signal);
	if (code == EXIT_DONE)
		(void)printf("%s\n", done);
	return code;
}

int
cmd_reload(struct cli *cli)
{
	return check_and_signal(
		cli, SIGHUP, "glmproxy reads its configuration again");
}

int
cmd_upgrade(struct cli *cli)
{
	return check_and_signal(
		cli, SIGUSR2, "glmproxy goes on as the program that is there");
}
