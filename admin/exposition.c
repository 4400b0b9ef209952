/* SPDX-License-Identifier: MIT */
/* exposition.c - all figures as Prometheus reads them. */
#include "admin/exposition.h"

#include <inttypes.h>
#include <stddef.h>

#include "admin/api_quota.h"
#include "admin/figures.h"
#include "shared/sys/clock.h"
#include "shared/translate/dialect.h"

#include "version.h"

static void
put_intro(struct buf *b, const char *name, const char *kind, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static void
put_metric(struct buf *b, const char *name, const char *kind, const char *help,
	int64_t value)
{
	put_intro(b, name, kind, help);
	buf_printf(b, "%s %" PRId64 "\n", name, value);
}

/* --- sums ----------------------------------------------------------------- */

static void
put_totals(const struct shm *m, struct buf *b)
{
	struct metrics_dialects d = { .n = ndialects };
	struct metrics totals;

	for (size_t i = 0; i < ndialects; i++)
		d.names[i] = dialects[i]->name;
	shm_totals(m, &totals);
	metrics_print(&totals, &d, b);
	figures_put_metrics(m, b);
	api_quota_put_metrics(m, b);
}

/* --- the service ---------------------------------------------------------- */

static void
put_worker_states(struct buf *b, const struct health_facts *f)
{
	static const char name[] = "glmproxy_workers";

	put_intro(b, name, "gauge", "Worker processes by state");
	buf_printf(b,
		"%s{state=\"ready\"} %u\n%s{state=\"silent\"} %u\n"
		"%s{state=\"starting\"} %u\n%s{state=\"draining\"} %u\n",
		name, f->workers_ready, name, f->workers_silent, name,
		f->workers_starting, name, f->workers_draining);
}

static void
put_service(const struct link *link, const struct health_facts *f,
	bool is_healthy, int64_t uptime_s, struct buf *b)
{
	put_worker_states(b, f);
	put_metric(b, "glmproxy_workers_expected", "gauge",
		"Worker processes configured", f->workers_expected);
	put_metric(b, "glmproxy_process_deaths_total", "counter",
		"Processes that died without being told to",
		atomic_load(&link->shm->restarts));
	put_metric(b, "glmproxy_generation", "gauge",
		"Number of the running generation of processes",
		atomic_load(&link_slot(link)->generation));
	put_metric(b, "glmproxy_healthy", "gauge",
		"1 if /health says ok, else 0", is_healthy);
	put_metric(b, "glmproxy_uptime_seconds", "gauge",
		"Time since the service was started", uptime_s);
	put_intro(b, "glmproxy_build_info", "gauge", "The running version");
	buf_printf(
		b, "glmproxy_build_info{version=\"%s\"} 1\n", GLMPROXY_VERSION);
}

/* --- each worker ---------------------------------------------------------- */

enum unit {
	UNIT_ONE,
	UNIT_US
};

/* What of a process's figures tells one worker from another. */
static const struct {
	const char *name, *kind, *help;
	size_t offset;
	enum unit unit;
} worker_rows[] = {
	{ "glmproxy_worker_connections", "gauge",
		"Client connections open, by worker",
		offsetof(struct metrics, connections_live), UNIT_ONE },
	{ "glmproxy_worker_streams", "gauge",
		"Streamed answers under way, by worker",
		offsetof(struct metrics, streams_live), UNIT_ONE },
	{ "glmproxy_worker_buffered_bytes", "gauge",
		"Bytes held in bodies and buffers, by worker",
		offsetof(struct metrics, buffered_bytes), UNIT_ONE },
	{ "glmproxy_worker_chats_total", "counter", "Chats received, by worker",
		offsetof(struct metrics, requests_chat), UNIT_ONE },
	{ "glmproxy_worker_cpu_seconds_total", "counter",
		"CPU time, by worker, read twice a second",
		offsetof(struct metrics, cpu_us), UNIT_US },
};

static uint64_t
figure(const struct shm_slot *s, size_t offset)
{
	const char *const at = (const char *)&s->metrics + offset;

	return metrics_get((const _Atomic uint64_t *)(const void *)at);
}

static void
put_value(struct buf *b, uint64_t v, enum unit unit)
{
	if (unit == UNIT_US)
		buf_printf(b, "%" PRIu64 ".%06" PRIu64 "\n", v / 1000000,
			v % 1000000);
	else
		buf_printf(b, "%" PRIu64 "\n", v);
}

static bool
is_worker(const struct shm_slot *s)
{
	return atomic_load(&s->role) == SHM_WORKER;
}

static void
put_beats(const struct shm *m, int64_t now_ms, struct buf *b)
{
	static const char name[] = "glmproxy_worker_heartbeat_age_seconds";

	put_intro(b, name, "gauge",
		"Time since a worker has shown that its loop turns");
	for (size_t i = 0; i < SHM_SLOTS; i++) {
		const struct shm_slot *const s = &m->slots[i];
		const int64_t ms = now_ms - atomic_load(&s->heartbeat_ms);

		if (is_worker(s))
			buf_printf(b,
				"%s{worker=\"%zu\"} %" PRId64 ".%03" PRId64
				"\n",
				name, i, MAX(ms, 0) / 1000, MAX(ms, 0) % 1000);
	}
}

static void
put_workers(const struct shm *m, struct buf *b)
{
	for (size_t k = 0; k < ARRAY_LEN(worker_rows); k++) {
		put_intro(b, worker_rows[k].name, worker_rows[k].kind,
			worker_rows[k].help);
		for (size_t i = 0; i < SHM_SLOTS; i++) {
			if (!is_worker(&m->slots[i]))
				continue;
			buf_printf(b, "%s{worker=\"%zu\"} ",
				worker_rows[k].name, i);
			put_value(b,
				figure(&m->slots[i], worker_rows[k].offset),
				worker_rows[k].unit);
		}
	}
	put_beats(m, clock_mono_ms(), b);
}

void
exposition_put(const struct link *link, const struct health_facts *f,
	bool is_healthy, int64_t uptime_s, struct buf *out)
{
	put_totals(link->shm, out);
	put_service(link, f, is_healthy, uptime_s, out);
	put_workers(link->shm, out);
}
