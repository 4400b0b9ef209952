/* SPDX-License-Identifier: MIT */
/* cmd_status.c - `status`: what runs, whether it answers, what to do next; and
 * `health`: whether it serves, for health checks. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "master/advice.h"
#include "master/config.h"
#include "master/probe.h"
#include "master/service.h"
#include "shared/sys/conf_parse.h"

#define STATUS_TIMEOUT_MS 3000
#define HEALTH_TIMEOUT_MS 3000
/* Files of a log directory that are added up. */
#define LOG_FILES_MAX 10000

/* --- the process ---------------------------------------------------------- */

struct process {
	long parent;
	time_t since_wall; /* 0: not known */
};

static size_t
read_proc(const char *path, char *out, size_t size)
{
	FILE *const f = fopen(path, "re");
	size_t n = 0;

	if (f != NULL) {
		n = fread(out, 1, size - 1, f);
		(void)fclose(f);
	}
	out[n] = '\0';
	return n;
}

/* Fields of proc(5)'s stat count from behind the name, which may hold anything.
 */
static void
look_at_process(pid_t pid, struct process *p)
{
	char path[64];
	char text[1024];
	const char *after;
	double uptime_s;
	unsigned long long ticks = 0;

	*p = (struct process){ .parent = 0 };
	(void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	(void)read_proc(path, text, sizeof(text));
	after = strrchr(text, ')');
	for (int i = 0; i < 20 && after != NULL; i++) {
		after = strchr(after + 1, ' ');
		if (i == 1 && after != NULL)
			p->parent = strtol(after, NULL, 10);
	}
	if (after == NULL)
		return;
	ticks = strtoull(after, NULL, 10);
	(void)read_proc("/proc/uptime", text, sizeof(text));
	uptime_s = strtod(text, NULL);
	if (ticks > 0 && uptime_s > 0)
		p->since_wall = time(NULL) -
			(time_t)(uptime_s -
				(double)ticks / (double)sysconf(_SC_CLK_TCK));
}

static void
print_process(const struct service *s)
{
	struct process p;
	struct tm tm;
	char since[64] = "";

	look_at_process(s->pid, &p);
	if (p.since_wall != 0 && gmtime_r(&p.since_wall, &tm) != NULL)
		(void)strftime(since, sizeof(since),
			" since %Y-%m-%d %H:%M:%S UTC", &tm);
	(void)printf("glmproxy runs with pid %ld (parent %ld)%s\n",
		(long)s->pid, p.parent, since);
}

/* The file may have been replaced since. */
static void
print_program(const struct service *s)
{
	const struct span gone = SPAN(" (deleted)");
	char link[64];
	char target[PATH_MAX];
	struct span path;
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/%ld/exe", (long)s->pid);
	n = readlink(link, target, sizeof(target) - 1);
	if (n <= 0)
		return;
	path = span_of(target, (size_t)n);
	if (span_ends(path, gone))
		(void)printf("program: %.*s, replaced since: `glmproxy"
			     " upgrade` goes on as the new one\n",
			SPAN_ARG(span_head(path, path.n - gone.n)));
	else
		(void)printf("program: %.*s\n", SPAN_ARG(path));
}

/* --- its log -------------------------------------------------------------- */

static void
print_file_size(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0)
		(void)printf(
			"log: %s, %lld bytes\n", path, (long long)st.st_size);
	else
		(void)printf("log: %s\n", path);
}

static void
print_directory(const char *dir)
{
	DIR *const d = opendir(dir);
	const struct dirent *e;
	long long bytes = 0;
	unsigned n = 0;
	struct stat st;

	if (d == NULL)
		return;
	while (n < LOG_FILES_MAX && (e = readdir(d)) != NULL)
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
				0 &&
			S_ISREG(st.st_mode)) {
			n++;
			bytes += st.st_size;
		}
	(void)closedir(d);
	if (n > 0)
		(void)printf(
			"log files: %u in %s, %lld bytes\n", n, dir, bytes);
}

static void
print_log(const struct service *s)
{
	char link[64];
	char target[PATH_MAX];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/%ld/fd/2", (long)s->pid);
	n = readlink(link, target, sizeof(target) - 1);
	target[MAX(n, 0)] = '\0';
	/* Another user's may not be looked at. */
	if (n < 0)
		(void)puts("log: only its own user and root can tell where");
	else if (target[0] == '/' && strncmp(target, "/dev/", 5) != 0)
		print_file_size(target);
	else
		(void)puts(
			"log: the standard error output of the service; under"
			" systemd: journalctl -u glmproxy");
	print_directory(s->log_dir);
}

/* --- whether it answers --------------------------------------------------- */

static int
print_answer(const struct service *s)
{
	const struct span address = service_first(s->listen);
	struct gp_error err;
	struct probe p;

	if (!probe_can(address)) {
		(void)printf("listens on: %s, not asked\n", s->listen);
		return EXIT_DONE;
	}
	if (probe_health(address, STATUS_TIMEOUT_MS, &p, &err) != GP_OK) {
		(void)fflush(stdout);
		(void)fprintf(stderr,
			"glmproxy: it runs but does not answer: %s\n",
			err.text);
		return EXIT_LATE;
	}
	(void)printf("answers on: %.*s, %s, after %lld ms\n", SPAN_ARG(address),
		p.status == 200 ? "and serves" : "but asks for no more",
		(long long)p.took_ms);
	return EXIT_DONE;
}

static void
print_advice(struct cli *cli, const struct service *s)
{
	struct gp_error err;
	struct advice a;
	struct conf *c = service_conf(cli, &err);

	if (c == NULL) {
		(void)printf("next: %s\n", err.text);
		return;
	}
	advice_make(&a, c, service_first(s->listen),
		service_first(s->admin_listen));
	conf_free(&c);
	for (size_t i = 0; i < a.n; i++)
		(void)printf("next: %s\n", a.lines[i]);
}

int
cmd_status(struct cli *cli)
{
	struct service s;
	int code = cli_no_args(cli);

	if (code != EXIT_DONE)
		return code;
	if (!service_need(cli, &s))
		return EXIT_FAILED;
	print_process(&s);
	print_program(&s);
	if (pidfile_is_drained(s.pid_file))
		(void)puts("it is drained: load balancers are told to send "
			   "nothing until `glmproxy undrain`");
	code = print_answer(&s);
	print_log(&s);
	print_advice(cli, &s);
	return fflush(stdout) == 0 ? code : EXIT_FAILED;
}

/* --- health --------------------------------------------------------------- */

struct health_options {
	int64_t timeout_ms;
	bool is_alive_enough; /* an answer that is no 200 will do */
};

/* An exit code. */
static int
read_health_options(const struct cli *cli, struct health_options *o)
{
	const struct conf_row *const row = conf_find(SPAN("connect_timeout_s"));
	struct conf_value v;

	*o = (struct health_options){ .timeout_ms = HEALTH_TIMEOUT_MS };
	for (size_t i = 0; i < cli->nargs; i++) {
		const char *const arg = cli->args[i];

		if (strcmp(arg, "--alive") == 0) {
			o->is_alive_enough = true;
			continue;
		}
		if (strcmp(arg, "--timeout") != 0)
			return cli_usage(cli, "unknown argument %s", arg);
		/* The array ends with a NULL. */
		if (cli->args[++i] == NULL ||
			conf_value(row, span_cstr(cli->args[i]), &v, NULL) !=
				GP_OK)
			return cli_usage(cli, "--timeout takes seconds");
		o->timeout_ms = v.number;
	}
	return EXIT_DONE;
}

int
cmd_health(struct cli *cli)
{
	struct health_options o;
	struct service s;
	struct gp_error err;
	struct probe p;
	const int code = read_health_options(cli, &o);

	if (code != EXIT_DONE)
		return code;
	(void)service_find(cli, &s, NULL);
	if (probe_health(service_first(s.listen), o.timeout_ms, &p, &err) !=
		GP_OK) {
		(void)fprintf(stderr, "glmproxy: %s\n", err.text);
		return EXIT_FAILED;
	}
	(void)printf("%u %s\n", p.status, p.text);
	if (p.status != 200 && !o.is_alive_enough)
		return EXIT_FAILED;
	return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}
