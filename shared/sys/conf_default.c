/* SPDX-License-Identifier: MIT */
/* conf_default.c - defaults that depend on the machine and on the user. */
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <unistd.h>

#include "shared/sys/conf_own.h"

#define WORKERS_MAX 64
#define OWN_USER    "glmproxy"

int64_t
conf_cpus(void)
{
	cpu_set_t set;
	int64_t n;

	CPU_ZERO(&set);
	/* Fails where there are more than fit a cpu_set_t. */
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return WORKERS_MAX;
	n = CPU_COUNT(&set);
	return MIN(MAX(n, 1), WORKERS_MAX);
}

/* A program that was run from its build tree touches nothing outside. */
static bool
is_installed(void)
{
	char path[4096];
	const ssize_t n = readlink("/proc/self/exe", path, sizeof(path));

	return n > 0 && span_starts(span_of(path, (size_t)n), SPAN("/usr/"));
}

static bool
has_user(const char *name)
{
	char room[4096];
	struct passwd pw;
	struct passwd *found = NULL;

	return getpwnam_r(name, &pw, room, sizeof(room), &found) == 0 &&
		found != NULL;
}

static bool
has_group(const char *name)
{
	char room[4096];
	struct group gr;
	struct group *found = NULL;

	return getgrnam_r(name, &gr, room, sizeof(room), &found) == 0 &&
		found != NULL;
}

static void
fill(struct span *field, struct span text)
{
	if (field->n == 0)
		*field = text;
}

void
conf_default_places(struct conf *c)
{
	const bool is_root = geteuid() == 0;
	const bool installed = is_installed();

	if (is_root && installed && c->user.n == 0 && has_user(OWN_USER)) {
		c->user = SPAN(OWN_USER);
		if (has_group(OWN_USER))
			fill(&c->group, SPAN(OWN_USER));
	}
	if (is_root || installed) {
		fill(&c->pid_file, SPAN("/run/glmproxy/glmproxy.pid"));
		fill(&c->state_dir, SPAN("/var/lib/glmproxy"));
		fill(&c->log_dir, SPAN("/var/log/glmproxy"));
	}
	fill(&c->pid_file, SPAN("./run/glmproxy.pid"));
	fill(&c->state_dir, SPAN("./run/state"));
	fill(&c->log_dir, SPAN("./run/log"));
}
