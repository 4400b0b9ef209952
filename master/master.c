/* SPDX-License-Identifier: MIT */
/* master.c - opening everything, the loop, signals, stopping. */
#include "master/master.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/advice.h"
#include "master/commands.h"
#include "master/config.h"
#include "master/fdstore.h"
#include "master/notify.h"
#include "master/pidfile.h"
#include "shared/sys/clock.h"
#include "shared/sys/log.h"
#include "shared/sys/proc.h"
#include "shared/sys/serverlog.h"

#include "version.h"

/* How often heartbeats are looked at. */
#define TURN_MS 1000
/* Time to leave for those that are told to leave now. */
#define QUIT_MS 1000
/* The admin process has nothing to finish. */
#define ADMIN_LEAVE_MS 3000

static const struct child_row rows[] = {
	{ "worker", SHM_WORKER, LISTEN_PROXY, true, worker_main, false },
	{ "admin", SHM_ADMIN, LISTEN_ADMIN, false, admin_main, true },
};

const struct child_row *
master_row(enum shm_role role)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].role == role)
			return &rows[i];
	return NULL;
}

/* --- drained -------------------------------------------------------------- */

static bool
is_drained(const struct master *m)
{
	return atomic_load(&m->shm->drained) != 0;
}

/* Nothing else changes: workers tell load balancers to send nothing more, and
 * serve what comes all the same. */
static void
set_drained(struct master *m, bool is)
{
	const bool was = is_drained(m);

	/* Whoever waits for the mark may ask /health next. */
	atomic_store(&m->shm->drained, is ? 1 : 0);
	if (!pidfile_set_drained(m->pid_fd, is))
		log_warn("the mark on %s", m->pid_file);
	if (was == is)
		return;
	log_info(is ? "drained: load balancers are told to send nothing more" :
		      "not drained any more");
	notify_status(is ? "drained" : "not drained any more");
}

/* --- opening -------------------------------------------------------------- */

/* The memory of an earlier image of this program (h), or that of a dead process
 * which the service manager has kept (m->shm_fd), or a fresh one. */
static enum gp_code
open_memory(struct master *m, const struct handover *h, struct gp_error *err)
{
	const bool is_handed_over = h != NULL && h->shm_fd >= 0;

	if (is_handed_over)
		m->shm_fd = h->shm_fd;
	if (m->shm_fd >= 0) {
		m->shm = is_handed_over ? shm_attach(m->shm_fd, err) :
					  shm_succeed(m->shm_fd, err);
		if (m->shm != NULL)
			return GP_OK;
		log_warnx("%s; figures start anew", err->text);
		(void)close(m->shm_fd);
	}
	m->shm = shm_create(&m->shm_fd, err);
	return m->shm == NULL ? err->code : GP_OK;
}

static enum gp_code
open_state_dir(struct master *m, const struct conf *c, struct gp_error *err)
{
	char dir[PATH_MAX];
	enum gp_code rc;

	if (m->lock_fd >= 0)
		return GP_OK;
	paths_absolute(dir, c->state_dir);
	rc = paths_make_dir(dir, 0750, m->user, err);
	if (rc == GP_OK)
		rc = paths_may_write(dir, m->user, m->group, err);
	if (rc != GP_OK)
		return rc;
	m->lock_fd = pidfile_lock_dir(dir, err);
	return m->lock_fd < 0 ? err->code : GP_OK;
}

static enum gp_code
open_pid_file(struct master *m, const struct conf *c, struct gp_error *err)
{
	enum gp_code rc;

	paths_absolute(m->pid_file, c->pid_file);
	if (m->pid_fd >= 0 && pidfile_is_at(m->pid_fd, m->pid_file))
		return GP_OK;
	rc = paths_make_parent(m->pid_file, err);
	if (rc != GP_OK)
		return rc;
	m->pid_fd = pidfile_write(m->pid_file, err);
	return m->pid_fd < 0 ? err->code : GP_OK;
}

/* The service does without, and the admin process says so. */
static void
open_log_dir(struct master *m, const struct conf *c)
{
	char dir[PATH_MAX];
	struct gp_error err;

	m->log_rotations = atomic_load(&m->shm->log_rotations);
	serverlog_init(c->log_dir, atomic_load(&m->shm->log_epoch));
	paths_absolute(dir, c->log_dir);
	if (c->upstream_log &&
		paths_make_dir(dir, 0750, m->user, &err) != GP_OK)
		log_warnx("log_dir: %s", err.text);
}

static void
choose_user(struct master *m, const struct conf *c)
{
	(void)snprintf(m->user, sizeof(m->user), "%.*s", SPAN_ARG(c->user));
	(void)snprintf(m->group, sizeof(m->group), "%.*s", SPAN_ARG(c->group));
	if (m->user[0] == '\0' && geteuid() == 0)
		log_warnx("no user is configured: all processes run as root");
}

/* The program does without, but should say so. */
static void
open_vocabulary(struct master *m)
{
	struct gp_error err;

	if (vocab_file_open(&m->vocab, &err) != GP_OK)
		log_info("token counts are estimates: %s", err.text);
	m->children.vocab = vocab_file_get(&m->vocab);
}

static int
places_code(enum gp_code rc)
{
	return rc == GP_E_STATE ? EXIT_RUNNING : EXIT_PLACES;
}

/* An exit code; *err when it is not EXIT_DONE. */
static int
open_all(struct master *m, struct conf *c, struct gp_error *err)
{
	struct handover *const h = m->options.handover;
	enum gp_code rc;

	if (h != NULL) {
		m->lock_fd = h->lock_fd;
		m->pid_fd = h->pid_fd;
		m->listeners = h->listeners;
	}
	fdstore_take(&m->listeners, &m->shm_fd);
	rc = open_memory(m, h, err);
	if (rc == GP_OK)
		rc = children_init(&m->children, m->shm, err);
	if (rc != GP_OK)
		return EXIT_FAILED;
	if (h != NULL) {
		if (h->dead_pipe[0] >= 0 && h->dead_pipe[1] >= 0) {
			(void)close(m->children.dead_pipe[0]);
			(void)close(m->children.dead_pipe[1]);
			memcpy(m->children.dead_pipe, h->dead_pipe,
				sizeof(h->dead_pipe));
		}
		upgrade_adopt(m, h);
	}
	open_vocabulary(m);
	choose_user(m, c);
	if (h != NULL && h->is_drained)
		atomic_store(&m->shm->drained, 1);
	rc = open_state_dir(m, c, err);
	if (rc == GP_OK)
		rc = open_pid_file(m, c, err);
	if (rc != GP_OK)
		return places_code(rc);
	open_log_dir(m, c);
	rc = listeners_open(&m->listeners, c, m->user, m->group, err);
	return rc == GP_OK ? EXIT_DONE : EXIT_ADDRESS;
}

/* In the log of a start, for who has just installed this. */
static void
log_advice(const struct master *m, const struct conf *c)
{
	char proxy[SOCK_TEXT_MAX];
	char admin[SOCK_TEXT_MAX];
	struct advice a;

	listeners_first(&m->listeners, LISTEN_PROXY, proxy);
	listeners_first(&m->listeners, LISTEN_ADMIN, admin);
	advice_make(&a, c, span_cstr(proxy), span_cstr(admin));
	for (size_t i = 0; i < a.n; i++)
		log_info("%s", a.lines[i]);
}

/* Everything up to the first fork; an exit code. conf is taken. */
static int
open_master(struct master *m, struct conf *c)
{
	const int signals[] = { SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP,
		SIGUSR1, SIGUSR2, MASTER_SIGNAL_DRAIN, MASTER_SIGNAL_UNDRAIN };
	struct gp_error err;
	const int code = open_all(m, c, &err);

	if (code != EXIT_DONE) {
		conf_free(&c);
		log_errx("%s", err.text);
		return code;
	}
	set_drained(m, is_drained(m));
	listeners_log(&m->listeners);
	if (m->options.handover == NULL)
		log_advice(m, c);
	fdstore_keep(&m->listeners, m->shm_fd);
	m->children.listeners = &m->listeners;
	m->children.sources = m->options.sources;
	m->children.user = m->user;
	m->children.group = m->group;
	(void)proc_max_files();
	proc_no_core();
	proc_signals_watch(signals, ARRAY_LEN(signals));
	m->live = generation_start(m, c, clock_mono_ms(), &err);
	if (m->live == NULL) {
		log_errx("%s", err.text);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

/* --- stopping ------------------------------------------------------------- */

static void
tell_role(struct master *m, enum shm_role role, int signal, int64_t kill_at_ms)
{
	for (size_t i = 0; i < m->children.n; i++)
		if (m->children.v[i].row->role == role)
			children_tell(&m->children.v[i], signal, kill_at_ms);
}

static unsigned
alive(const struct master *m, enum shm_role role)
{
	unsigned n = 0;

	for (size_t i = 0; i < m->children.n; i++)
		if (m->children.v[i].row->role == role &&
			child_state_is_alive(&m->children.v[i].state))
			n++;
	return n;
}

/* Workers finish what they have; the admin process stays until they are gone,
 * to tell how it goes. */
static void
begin_stop(struct master *m, int exit_code, int64_t now_ms)
{
	const int64_t most_ms = m->live->conf->stop_timeout_ms +
		CHILDREN_GRACE_MS + ADMIN_LEAVE_MS + QUIT_MS;

	log_info("stopping");
	notify_stopping(most_ms);
	m->is_stopping = true;
	m->exit_code = exit_code;
	m->stop_until_ms = now_ms + m->live->conf->stop_timeout_ms;
	atomic_store(&m->shm->draining, 1);
	if (m->upgrade_pid != 0)
		(void)kill(m->upgrade_pid, SIGKILL);
	/* New connections are refused instead of waiting for nobody. */
	listeners_close(&m->listeners);
	tell_role(m, SHM_WORKER, SIGTERM, m->stop_until_ms + CHILDREN_GRACE_MS);
}

static void
stop_now(struct master *m, int64_t now_ms)
{
	if (!m->is_stopping)
		begin_stop(m, EXIT_DONE, now_ms);
	tell_role(m, SHM_WORKER, SIGQUIT, now_ms + QUIT_MS);
	tell_role(m, SHM_ADMIN, SIGQUIT, now_ms + QUIT_MS);
}

static bool
is_told_to_leave(const struct master *m, enum shm_role role)
{
	for (size_t i = 0; i < m->children.n; i++)
		if (m->children.v[i].row->role == role &&
			m->children.v[i].state.phase != CHILD_LEAVING)
			return false;
	return true;
}

static void
stop_turn(struct master *m, int64_t now_ms)
{
	if (alive(m, SHM_WORKER) > 0)
		return;
	if (!is_told_to_leave(m, SHM_ADMIN))
		tell_role(m, SHM_ADMIN, SIGTERM, now_ms + ADMIN_LEAVE_MS);
	m->is_over = alive(m, SHM_ADMIN) == 0;
}

/* No worker of the live generation will ever run. Older ones, after an upgrade,
 * may still serve: they are better than nothing. */
static void
check_barred(struct master *m, int64_t now_ms)
{
	const struct children_count mine =
		children_count(&m->children, m->live, SHM_WORKER);
	const struct children_count older =
		children_count(&m->children, NULL, SHM_WORKER);

	if (mine.places == 0 || mine.barred < mine.places || m->next != NULL)
		return;
	if (older.ready > 0) {
		if (m->has_told_barred)
			return;
		m->has_told_barred = true;
		log_errx("no worker of this program can run; the ones from "
			 "before serve on");
		notify_ready("workers of an earlier program serve on");
		return;
	}
	log_errx("no worker can run");
	begin_stop(m, EXIT_BARRED, now_ms);
}

/* --- the loop ------------------------------------------------------------- */

/* The log has been moved: all processes open it again by its name. */
static void
next_log_epoch(const struct master *m)
{
	const uint32_t epoch = atomic_load(&m->shm->log_epoch) + 1;

	atomic_store(&m->shm->log_epoch, epoch);
	serverlog_follow(epoch);
	log_debug("log files are opened again");
}

static void
watch_log(struct master *m)
{
	const uint32_t n = atomic_load(&m->shm->log_rotations);

	if (n != m->log_rotations)
		next_log_epoch(m);
	m->log_rotations = n;
}

static void
take_signals(struct master *m, int64_t now_ms)
{
	bool is_term = proc_signal_take(SIGTERM);

	is_term |= proc_signal_take(SIGINT);
	if (proc_signal_take(SIGQUIT) || (is_term && m->is_stopping))
		stop_now(m, now_ms);
	else if (is_term)
		begin_stop(m, EXIT_DONE, now_ms);
	if (proc_signal_take(SIGHUP))
		m->wants_reload = true;
	if (proc_signal_take(SIGUSR2))
		m->wants_upgrade = true;
	if (proc_signal_take(SIGUSR1))
		next_log_epoch(m);
	if (proc_signal_take(MASTER_SIGNAL_DRAIN))
		set_drained(m, true);
	if (proc_signal_take(MASTER_SIGNAL_UNDRAIN))
		set_drained(m, false);
}

/* What operators ask the admin port for. */
static void
take_orders(struct master *m)
{
	if (m->children.order != LINK_READY)
		set_drained(m, m->children.order == LINK_DRAIN);
	m->children.order = LINK_READY;
}

static void
reap(struct master *m, int64_t now_ms)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (children_died(&m->children, pid, status, now_ms))
			continue;
		if (pid == m->upgrade_pid)
			upgrade_checked(m, status, now_ms);
	}
}

static void
serve_turn(struct master *m, int64_t now_ms)
{
	if (m->next == NULL && m->upgrade_pid == 0) {
		if (m->wants_reload)
			reload_begin(m, now_ms);
		else if (m->wants_upgrade)
			upgrade_begin(m, now_ms);
	}
	upgrade_turn(m, now_ms);
	reload_turn(m, now_ms);
	check_barred(m, now_ms);
}

/* Until a signal, a ready byte or until_ms. */
static void
wait_for_events(const struct master *m, int64_t now_ms, int64_t until_ms)
{
	struct pollfd fds[SHM_SLOTS];
	const size_t n = children_poll(&m->children, fds);
	const int64_t watchdog_ms = notify_watchdog(now_ms);
	int64_t wait_ms = MIN(MAX(until_ms - now_ms, 0), TURN_MS);
	struct timespec ts;
	sigset_t none;

	if (watchdog_ms >= 0)
		wait_ms = MIN(wait_ms, watchdog_ms);
	ts.tv_sec = wait_ms / 1000;
	ts.tv_nsec = wait_ms % 1000 * 1000000;
	(void)sigemptyset(&none);
	/* Flags are raised in here only, so none is lost. */
	if (ppoll(fds, n, &ts, &none) < 0 && errno != EINTR)
		log_err("ppoll");
}

static void
run_loop(struct master *m)
{
	while (!m->is_over) {
		const int64_t now_ms = clock_mono_ms();
		int64_t next_ms;

		children_read_ready(&m->children, now_ms);
		if (proc_signal_take(SIGCHLD))
			reap(m, now_ms);
		take_signals(m, now_ms);
		take_orders(m);
		watch_log(m);
		if (m->is_stopping)
			stop_turn(m, now_ms);
		else
			serve_turn(m, now_ms);
		next_ms = children_turn(&m->children, now_ms);
		if (!m->is_over)
			wait_for_events(m, now_ms, next_ms);
	}
}

static void
close_master(struct master *m)
{
	listeners_close(&m->listeners);
	/* Last the pid file: who waits for its end may start the next one. */
	if (m->lock_fd >= 0)
		(void)close(m->lock_fd);
	pidfile_remove(m->pid_file, m->pid_fd);
	/* Not the memory's fault: it was up, or nobody has used it. */
	if (m->shm != NULL && (m->is_up || m->live == NULL))
		atomic_store(&m->shm->heirs, 0);
	generation_free(&m->next);
	generation_free(&m->live);
}

int
master_run(const struct master_options *options)
{
	static struct master m;
	struct gp_error err;
	struct conf *conf;
	int code;

	m = (struct master){
		.options = *options, .shm_fd = -1, .lock_fd = -1, .pid_fd = -1
	};
	notify_init();
	conf = config_load(m.options.sources, &err);
	if (conf == NULL) {
		log_errx("%s", err.text);
		return EXIT_CONFIG;
	}
	log_open("master", (enum log_level)conf->log_level,
		conf->log_format == 1);
	proc_title("glmproxy: master");
	config_warn(conf, true);
	if (options->handover != NULL)
		for (size_t i = 0; i < options->handover->nkept; i++)
			config_keep_restart_entry(
				conf, span_cstr(options->handover->kept[i]));
	log_info("glmproxy " GLMPROXY_VERSION " %s",
		options->handover != NULL ? "goes on" : "starts");
	code = open_master(&m, conf);
	if (code == EXIT_DONE) {
		run_loop(&m);
		code = m.exit_code;
		log_info("stopped");
	}
	close_master(&m);
	return code;
}
