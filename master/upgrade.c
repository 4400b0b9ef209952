/* SPDX-License-Identifier: MIT */
/*
 * upgrade.c - another image of the program in the same process.
 *
 * The weak point of exec in place is a new program that dies at once and takes
 * the service with it. So the new program is first run beside this one to check
 * the configuration; only if it says yes does this process become it. The old
 * children serve on until the new ones are ready.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/commands.h"
#include "master/config.h"
#include "master/master.h"
#include "master/notify.h"
#include "shared/sys/log.h"
#include "shared/sys/proc.h"

#define CHECK_MS    20000
#define STATUS_MAX  (GP_ERROR_TEXT_MAX + 64)
#define FIXED_WORDS 5

/* "program command -c file -o key=value ..."; to be freed, not its strings. */
static char **
make_argv(const struct master *m, char *command)
{
	const struct sources *const s = m->options.sources;
	static char c_option[] = "-c";
	static char o_option[] = "-o";
	char **const argv =
		calloc(FIXED_WORDS + 2 * s->noptions, sizeof(*argv));
	size_t n = 0;

	if (argv == NULL)
		fatal(1, "memory");
	argv[n] = strdup(m->options.program);
	if (argv[n++] == NULL)
		fatal(1, "memory");
	argv[n++] = command;
	if (s->file != NULL) {
		argv[n++] = c_option;
		argv[n++] = s->file;
	}
	for (size_t i = 0; i < s->noptions; i++) {
		argv[n++] = o_option;
		argv[n++] = s->options[i];
	}
	return argv;
}

static void
free_argv(char **argv)
{
	free(argv[0]);
	free(argv);
}

static void
refuse(const char *reason)
{
	char status[STATUS_MAX];

	log_errx("upgrade refused, the running program stays: %s", reason);
	(void)snprintf(status, sizeof(status), "upgrade refused: %s", reason);
	notify_ready(status);
}

/* --- the check ------------------------------------------------------------ */

static _Noreturn void
run_check(const struct master *m)
{
	static char command[] = "check";
	char **const argv = make_argv(m, command);
	struct gp_error err;
	const int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const int fd = handover_save(NULL, m->options.sources, &err);

	proc_signals_reset();
	if (quiet < 0 || fd < 0 || dup2(quiet, STDOUT_FILENO) < 0 ||
		handover_announce(fd, getpid(), &err) != GP_OK)
		_exit(EXIT_FAILED);
	(void)execv(argv[0], argv);
	log_err("%s", argv[0]);
	_exit(EXIT_FAILED);
}

void
upgrade_begin(struct master *m, int64_t now_ms)
{
	pid_t pid;

	m->wants_upgrade = false;
	log_info("upgrading: %s checks the configuration", m->options.program);
	notify_reloading();
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0)
		run_check(m);
	if (pid < 0) {
		refuse(strerror(errno));
		return;
	}
	m->upgrade_pid = pid;
	m->upgrade_until_ms = now_ms + CHECK_MS;
}

void
upgrade_turn(struct master *m, int64_t now_ms)
{
	if (m->upgrade_pid != 0 && now_ms >= m->upgrade_until_ms) {
		/* Its death is then what refuses the upgrade. */
		(void)kill(m->upgrade_pid, SIGKILL);
		m->upgrade_until_ms = now_ms + CHECK_MS;
	}
}

/* --- becoming the new program --------------------------------------------- */

static void
keep_entry(void *ctx, const char *entry)
{
	struct handover *const h = ctx;

	if (h->nkept == ARRAY_LEN(h->kept))
		return;
	h->kept[h->nkept] = strdup(entry);
	if (h->kept[h->nkept++] == NULL)
		fatal(1, "memory");
}

static void
describe(const struct master *m, struct handover *h)
{
	handover_init(h);
	h->shm_fd = m->shm_fd;
	h->lock_fd = m->lock_fd;
	h->pid_fd = m->pid_fd;
	h->dead_pipe[0] = m->children.dead_pipe[0];
	h->dead_pipe[1] = m->children.dead_pipe[1];
	h->listeners = m->listeners;
	for (size_t i = 0; i < m->children.n; i++) {
		const struct child *const ch = &m->children.v[i];

		if (ch->pid == 0)
			continue;
		h->children[h->nchildren++] = (struct handover_child){
			.role = ch->row->role,
			.number = ch->number,
			.pid = ch->pid,
			.slot = ch->slot,
			.kill_at_ms = ch->state.phase == CHILD_LEAVING ?
				ch->state.due_ms :
				0,
		};
	}
	config_each_restart_key(m->live->conf, keep_entry, h);
	h->is_drained = atomic_load(&m->shm->drained) != 0;
}

static void
keep_open(const struct handover *h, bool over_exec)
{
	const int flags = over_exec ? 0 : FD_CLOEXEC;
	const int fds[] = { h->shm_fd, h->lock_fd, h->pid_fd, h->dead_pipe[0],
		h->dead_pipe[1] };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)fcntl(fds[i], F_SETFD, flags);
	for (size_t i = 0; i < h->listeners.n; i++)
		(void)fcntl(h->listeners.v[i].fd, F_SETFD, flags);
}

/* Returns only if it failed. */
static void
become(struct master *m)
{
	static char command[] = "run";
	struct gp_error err;
	struct handover h;
	char **const argv = make_argv(m, command);
	int fd;

	describe(m, &h);
	fd = handover_save(&h, m->options.sources, &err);
	if (fd >= 0 && handover_announce(fd, getpid(), &err) == GP_OK) {
		keep_open(&h, true);
		proc_signals_bequeath();
		(void)execv(argv[0], argv);
		(void)gp_fail(
			&err, GP_E_SYSTEM, "%s: %s", argv[0], strerror(errno));
		keep_open(&h, false);
	}
	(void)unsetenv(HANDOVER_VARIABLE);
	if (fd >= 0)
		(void)close(fd);
	handover_fini(&h);
	free_argv(argv);
	refuse(err.text);
}

void
upgrade_checked(struct master *m, int status, int64_t now_ms)
{
	(void)now_ms;
	m->upgrade_pid = 0;
	if (m->is_stopping)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DONE)
		become(m);
	else
		refuse("the program did not accept the configuration");
}

/* --- the new program begins ----------------------------------------------- */

/* One that is dead already still is, until it has been reaped. */
static bool
is_child(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) ==
		0;
}

void
upgrade_adopt(struct master *m, const struct handover *h)
{
	bool is_owned[SHM_SLOTS] = { false };

	for (size_t i = 0; i < h->nchildren; i++) {
		const struct handover_child *const c = &h->children[i];

		if (!is_child(c->pid))
			continue;
		children_adopt(&m->children, master_row(c->role), c->number,
			c->pid, c->slot, c->kill_at_ms);
	}
	for (size_t i = 0; i < m->children.n; i++)
		if (m->children.v[i].slot >= 0)
			is_owned[m->children.v[i].slot] = true;
	/* Figures of a child that nobody knows any more. */
	for (int i = 0; i < SHM_SLOTS; i++)
		if (!is_owned[i])
			shm_retire(m->shm, i);
}
