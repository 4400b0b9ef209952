/* SPDX-License-Identifier: MIT */
/* reload.c - generations: bringing up, taking over, giving up. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "master/config.h"
#include "master/hosts.h"
#include "master/master.h"
#include "master/notify.h"
#include "shared/sys/log.h"

#define STATUS_MAX  (GP_ERROR_TEXT_MAX + 64)
#define GIVE_UP_MS  2000
#define DRAIN_GRACE CHILDREN_GRACE_MS

void
generation_free(struct generation **gp)
{
	struct generation *const g = *gp;

	if (g == NULL)
		return;
	*gp = NULL;
	conf_free(&g->conf);
	free(g);
}

struct generation *
generation_start(struct master *m, struct conf *conf, int64_t now_ms,
	struct gp_error *err)
{
	struct generation *g = calloc(1, sizeof(*g));
	const unsigned workers = (unsigned)conf->workers;

	if (g == NULL)
		fatal(1, "memory");
	g->conf = conf;
	if (hosts_assign(m->shm, &m->children, g, now_ms, err) != GP_OK) {
		generation_free(&g);
		return NULL;
	}
	g->number = atomic_load(&m->shm->generation) + 1;
	if (!children_add(
		    &m->children, g, master_row(SHM_WORKER), workers, now_ms) ||
		!children_add(
			&m->children, g, master_row(SHM_ADMIN), 1, now_ms)) {
		(void)gp_fail(err, GP_E_LIMIT,
			"too many earlier processes still finish: try again "
			"later");
		for (size_t i = 0; i < m->children.n; i++)
			if (m->children.v[i].gen == g)
				children_tell(&m->children.v[i], SIGQUIT, 0);
		generation_free(&g);
		return NULL;
	}
	atomic_store(&m->shm->generation, g->number);
	return g;
}

/* --- reading again -------------------------------------------------------- */

static void
refuse(struct master *m, const struct gp_error *err)
{
	char status[STATUS_MAX];

	(void)m;
	log_errx("reload refused, the old configuration stays: %s", err->text);
	(void)snprintf(status, sizeof(status), "reload refused: %s", err->text);
	notify_ready(status);
}

void
reload_begin(struct master *m, int64_t now_ms)
{
	struct gp_error err;
	struct conf *conf;

	m->wants_reload = false;
	log_info("reloading the configuration");
	notify_reloading();
	conf = config_load(m->options.sources, &err);
	if (conf == NULL) {
		refuse(m, &err);
		return;
	}
	config_warn(conf, true);
	config_keep_restart_keys(conf, m->live->conf);
	m->next = generation_start(m, conf, now_ms, &err);
	if (m->next == NULL)
		refuse(m, &err);
}

/* --- taking over ---------------------------------------------------------- */

static void
drain_others(struct master *m, const struct generation *g, int64_t now_ms)
{
	const int64_t kill_at_ms =
		now_ms + g->conf->drain_timeout_ms + DRAIN_GRACE;

	for (size_t i = 0; i < m->children.n; i++) {
		struct child *const ch = &m->children.v[i];

		if (ch->gen != g && ch->state.phase != CHILD_LEAVING)
			children_tell(ch, SIGWINCH, kill_at_ms);
	}
}

static void
announce(struct master *m)
{
	char status[STATUS_MAX];
	const struct children_count n =
		children_count(&m->children, m->live, SHM_WORKER);

	log_info("ready: %u worker%s, generation %u", n.ready,
		n.ready == 1 ? "" : "s", m->live->number);
	(void)snprintf(status, sizeof(status), "%u worker%s", n.ready,
		n.ready == 1 ? "" : "s");
	notify_ready(status);
	if (m->options.started_fd >= 0) {
		if (write(m->options.started_fd, "R", 1) != 1)
			log_debug("nobody waits for the start");
		(void)close(m->options.started_fd);
		m->options.started_fd = -1;
	}
}

static void
take_over(struct master *m, int64_t now_ms)
{
	log_set_level((enum log_level)m->live->conf->log_level,
		m->live->conf->log_format == 1);
	m->is_up = true;
	atomic_store(&m->shm->heirs, 0);
	m->has_told_barred = false;
	drain_others(m, m->live, now_ms);
	announce(m);
}

static void
turn_next(struct master *m, int64_t now_ms)
{
	struct gp_error err;
	const struct children_count n =
		children_count(&m->children, m->next, SHM_FREE);

	if (n.ready == n.places) {
		struct generation *old = m->live;

		m->live = m->next;
		m->next = NULL;
		take_over(m, now_ms);
		generation_free(&old);
		return;
	}
	if (n.failed == 0)
		return;
	for (size_t i = 0; i < m->children.n; i++)
		if (m->children.v[i].gen == m->next)
			children_tell(&m->children.v[i], SIGQUIT,
				now_ms + GIVE_UP_MS);
	generation_free(&m->next);
	(void)gp_fail(&err, GP_E_STATE,
		"a process of the new generation did not come up");
	refuse(m, &err);
}

void
reload_turn(struct master *m, int64_t now_ms)
{
	if (m->next != NULL)
		turn_next(m, now_ms);
	/* While a newer one comes up (a reload during the start) it decides. */
	if (!m->is_up && m->next == NULL) {
		/* The admin process is not waited for: it serves nobody. */
		const struct children_count n =
			children_count(&m->children, m->live, SHM_WORKER);

		if (n.ready > 0 && n.ready + n.barred == n.places)
			take_over(m, now_ms);
	}
}
