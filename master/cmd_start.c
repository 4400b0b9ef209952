/* SPDX-License-Identifier: MIT */
/* cmd_start.c - `glmproxy start`: the service in the background. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/commands.h"
#include "master/config.h"
#include "master/master.h"
#include "master/pidfile.h"
#include "shared/sys/clock.h"
#include "shared/sys/serverlog.h"

#define START_MS    (LINK_READY_MS + 5000)
#define PROGRESS_MS 1000
/* Of the log, to find why a start failed. */
#define LOG_TAIL_MAX 16384
#define REASON_MAX   600

/* The log of a service that has no journal, in log_dir. */
static int
open_log(const struct conf *c, char path[PATH_MAX], struct gp_error *err)
{
	char dir[PATH_MAX];
	char user[256];
	char group[256];
	int fd;

	(void)snprintf(group, sizeof(group), "%.*s", SPAN_ARG(c->group));
	(void)snprintf(user, sizeof(user), "%.*s", SPAN_ARG(c->user));
	paths_absolute(dir, c->log_dir);
	if (paths_make_dir(dir, 0750, user, err) != GP_OK)
		return -1;
	fd = serverlog_open(dir, path, PATH_MAX, err);
	/* The admin process rotates it, the workers open it again then. */
	if (fd < 0 || paths_give(path, user, group, err) == GP_OK)
		return fd;
	(void)close(fd);
	return -1;
}

static _Noreturn void
become_service(struct cli *cli, int log_fd, int started_fd)
{
	const struct master_options options = {
		.sources = &cli->sources,
		.program = cli->program,
		.started_fd = started_fd,
	};
	const int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (setsid() < 0 || null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
		dup2(log_fd, STDOUT_FILENO) < 0 ||
		dup2(log_fd, STDERR_FILENO) < 0)
		exit(EXIT_FAILED);
	(void)close(null_fd);
	(void)close(log_fd);
	exit(master_run(&options));
}

enum outcome {
	STARTED,
	ENDED,
	LATE
};

/* Until the service says that it is up. */
static enum outcome
wait_started(int fd)
{
	const int64_t until_ms = clock_mono_ms() + START_MS;
	const bool shows = isatty(STDERR_FILENO) != 0;
	bool has_shown = false;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		const int64_t left_ms = until_ms - clock_mono_ms();
		char byte;
		int n;

		if (left_ms <= 0)
			return LATE;
		n = poll(&p, 1, (int)MIN(left_ms, PROGRESS_MS));
		if (n > 0)
			return read(fd, &byte, 1) == 1 ? STARTED : ENDED;
		if (shows && n == 0) {
			(void)fputs(has_shown ? "." : "starting ", stderr);
			has_shown = true;
		}
	}
}

/* The text of the first line of level err in what the log has since `from`, ""
 * if there is none. */
static void
find_reason(const char *log_path, off_t from, char out[REASON_MAX])
{
	static const char level[] = " err ";
	char text[LOG_TAIL_MAX + 1];
	const int fd = open(log_path, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? 0 : pread(fd, text, LOG_TAIL_MAX, from);
	const char *at;

	if (fd >= 0)
		(void)close(fd);
	out[0] = '\0';
	text[MAX(n, 0)] = '\0';
	at = strstr(text, level);
	at = at == NULL ? NULL : strstr(at, "]: ");
	if (at != NULL)
		(void)snprintf(out, REASON_MAX, ": %.*s",
			(int)strcspn(at + 3, "\n"), at + 3);
}

/* Why it did not start, as an exit code. */
static int
report_failure(
	pid_t pid, enum outcome outcome, const char *log_path, off_t from)
{
	char reason[REASON_MAX];
	int status = 0;

	find_reason(log_path, from, reason);
	(void)fprintf(stderr, "glmproxy: the service %s%s; its log is %s\n",
		outcome == LATE ? "is not ready yet" : "did not start", reason,
		log_path);
	if (outcome == LATE || waitpid(pid, &status, 0) != pid)
		return EXIT_LATE;
	return WIFEXITED(status) && WEXITSTATUS(status) != 0 ?
		WEXITSTATUS(status) :
		EXIT_FAILED;
}

static int
start_service(struct cli *cli, const struct conf *c)
{
	char log_path[PATH_MAX];
	struct gp_error err;
	int fds[2] = { -1, -1 };
	enum outcome outcome;
	pid_t pid;
	off_t log_from;
	const int log_fd = open_log(c, log_path, &err);

	if (log_fd < 0) {
		(void)fprintf(stderr, "glmproxy: %s\n", err.text);
		return EXIT_PLACES;
	}
	log_from = lseek(log_fd, 0, SEEK_END);
	if (pipe2(fds, O_CLOEXEC) != 0) {
		perror("glmproxy: pipe");
		return EXIT_FAILED;
	}
	(void)fflush(NULL);
	pid = fork();
	if (pid < 0) {
		perror("glmproxy: fork");
		return EXIT_FAILED;
	}
	if (pid == 0) {
		(void)close(fds[0]);
		become_service(cli, log_fd, fds[1]);
	}
	(void)close(log_fd);
	(void)close(fds[1]);
	outcome = wait_started(fds[0]);
	if (outcome != STARTED)
		return report_failure(pid, outcome, log_path, log_from);
	(void)printf("glmproxy runs with pid %ld; its log is %s\n", (long)pid,
		log_path);
	return EXIT_DONE;
}

int
cmd_start(struct cli *cli)
{
	char pid_file[PATH_MAX];
	struct conf *c;
	pid_t pid = 0;
	int code = cli_no_args(cli);

	if (code != EXIT_DONE)
		return code;
	c = cli_load(cli);
	if (c == NULL)
		return EXIT_CONFIG;
	paths_absolute(pid_file, c->pid_file);
	if (pidfile_read(pid_file, &pid, NULL) == PIDFILE_ALIVE) {
		(void)fprintf(stderr,
			"glmproxy: already running with pid %ld\n", (long)pid);
		code = EXIT_FAILED;
	} else {
		code = start_service(cli, c);
	}
	conf_free(&c);
	return code;
}
