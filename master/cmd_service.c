/* SPDX-License-Identifier: MIT */
/*
 * cmd_service.c - `stop`, `restart`, `reload`, `upgrade`, `drain`, `undrain`:
 * commands to a running service, found by its pid file.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "master/config.h"
#include "master/master.h"
#include "master/service.h"
#include "shared/sys/clock.h"

#define POLL_MS      20
#define PROGRESS_MS  1000
#define KILL_WAIT_MS 5000
/* The master follows at once, unless it is just being replaced. */
#define DRAIN_WAIT_MS 5000
/* On top of stop_timeout_s, whose default is used where it is not known. */
#define STOP_MARGIN_MS 5000

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
	const int code = cli_no_args(cli);

	if (code != EXIT_DONE)
		return code;
	return service_need(cli, &s) ? stop_service(&s) : EXIT_FAILED;
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
	if (service_need(cli, &s))
		code = stop_service(&s);
	return code == EXIT_DONE ? cmd_start(cli) : code;
}

/* --- new configuration, new program --------------------------------------- */

static bool
is_acceptable(struct cli *cli)
{
	struct gp_error err;
	struct conf *c = service_conf(cli, &err);

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
	int code = cli_no_args(cli);

	if (code != EXIT_DONE)
		return code;
	if (!service_need(cli, &s))
		return EXIT_FAILED;
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

/* --- draining ------------------------------------------------------------- */

static int
set_drained(struct cli *cli, bool is, const char *done)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	const int64_t until_ms = clock_mono_ms() + DRAIN_WAIT_MS;
	struct service s;
	int code = cli_no_args(cli);

	if (code != EXIT_DONE)
		return code;
	if (!service_need(cli, &s))
		return EXIT_FAILED;
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
