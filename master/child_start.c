/* SPDX-License-Identifier: MIT */
/* child_start.c - fork, and what every child does before its own main. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/children.h"
#include "shared/sys/log.h"
#include "shared/sys/proc.h"

#define KEPT_MAX (LINK_LISTENERS_MAX + 5)

static int
by_value(const void *a, const void *b)
{
	const int x = *(const int *)a;
	const int y = *(const int *)b;

	return (x > y) - (x < y);
}

/* Close every descriptor but the standard ones and those that the child was
 * given: what the master holds (locks, other ports, pipes) is not theirs. */
static void
close_others(const struct link *link)
{
	int kept[KEPT_MAX] = { 0, 1, 2, link->ready_fd, link->dead_fd };
	size_t n = 5;

	for (size_t i = 0; i < link->nlisteners; i++)
		kept[n++] = link->listeners[i];
	qsort(kept, n, sizeof(kept[0]), by_value);
	for (size_t i = 0; i < n; i++) {
		const unsigned from = (unsigned)kept[i] + 1;
		const unsigned to = i + 1 < n ? (unsigned)kept[i + 1] - 1 : ~0u;

		if (from <= to && close_range(from, to, 0) != 0)
			fatal(1, "close_range");
	}
}

/* A terminal sends these to every process of the group; only the master takes
 * them. The child's own watch may still ask for some. */
static void
ignore_terminal(void)
{
	static const int signals[] = { SIGINT, SIGHUP, SIGUSR1, SIGUSR2,
		SIGPIPE };

	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		(void)signal(signals[i], SIG_IGN);
}

/* What this kind of process has no use for, it should not hold. */
static void
forget_secrets(const struct children *c, const struct child *ch)
{
	struct conf *const conf = ch->gen->conf;

	if (c->sources != NULL)
		secret_wipe(&c->sources->env_key);
	secret_wipe(&conf->env_key);
	if (ch->row->role == SHM_ADMIN)
		secret_wipe(&conf->server_key);
	else
		secret_wipe(&conf->admin_token);
}

/* The fixed order for every child. */
static _Noreturn void
become_child(const struct children *c, const struct child *ch, int ready_fd)
{
	static struct link link;
	static char name[CHILD_NAME_MAX];
	const struct conf *const conf = ch->gen->conf;
	struct gp_error err;

	child_name(ch, name);
	log_open(ch->row->name, (enum log_level)conf->log_level,
		conf->log_format == 1);
	link = (struct link){
		.conf = conf,
		.shm = c->shm,
		.slot = ch->slot,
		.ready_fd = ready_fd,
		.dead_fd = c->dead_pipe[0],
		.nhosts = ch->gen->nhosts,
		.vocab = c->vocab,
	};
	memcpy(link.hosts, ch->gen->hosts, sizeof(link.hosts));
	if (c->listeners != NULL)
		link.nlisteners = listeners_of(
			c->listeners, ch->row->port, link.listeners);
	close_others(&link);
	ignore_terminal();
	proc_signals_reset();
	if (proc_drop(c->user, c->group, &err) != GP_OK)
		fatalx(LOG_EXIT_BARRED, "%s", err.text);
	/* Not before: what is called a worker has a worker's rights. */
	proc_title("glmproxy: %s", name);
	proc_no_core();
	shm_catch_panic(link_slot(&link));
	forget_secrets(c, ch);
	ch->row->main(&link);
	abort(); /* a link_main_fn never returns */
}

static bool
try_start(struct children *c, struct child *ch)
{
	int fds[2];

	ch->slot = shm_claim(c->shm, ch->row->role, ch->gen->number);
	if (ch->slot < 0) {
		errno = ENOSPC;
		return false;
	}
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
		return false;
	(void)fflush(NULL);
	ch->pid = fork();
	if (ch->pid == 0)
		become_child(c, ch, fds[1]);
	(void)close(fds[1]);
	if (ch->pid < 0) {
		ch->pid = 0;
		(void)close(fds[0]);
		return false;
	}
	ch->ready_fd = fds[0];
	atomic_store(&c->shm->slots[ch->slot].pid, ch->pid);
	return true;
}

void
child_start(struct children *c, struct child *ch, int64_t now_ms)
{
	char name[CHILD_NAME_MAX];

	child_state_started(&ch->state, now_ms);
	if (try_start(c, ch))
		return;
	child_name(ch, name);
	log_err("%s could not be started", name);
	if (ch->slot >= 0)
		shm_retire(c->shm, ch->slot);
	ch->slot = -1;
	child_state_died(&ch->state, &c->limits, false, now_ms);
}
