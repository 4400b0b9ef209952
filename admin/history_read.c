/* SPDX-License-Identifier: MIT */
/* history_read.c - answers questions about the history, beside the loop. */
#include "admin/history_read.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "admin/history_view.h"
#include "shared/base/check.h"
#include "shared/sys/log.h"

#define ANSWER_MAX (7u << 20)
#define IDLE_S     20 /* then the file is closed */
#define STOP_S     1

struct job {
	uint64_t ticket;
	struct history_question q;
	unsigned status;
	struct buf body;
};

/* first and n: a ring. */
struct jobs {
	struct job v[HISTORY_READ_MAX];
	size_t first, n;
};

struct history_read {
	history_read_fn *fn;
	void *ctx;
	struct ev_io io; /* an answer is there */
	int fd;          /* its eventfd */
	pthread_t thread;
	bool has_thread;
	size_t nunder_way; /* asked and not answered: the loop's count */

	pthread_mutex_t mutex; /* held for a copy, for what is below */
	pthread_cond_t wakes;
	struct jobs asked, answered;
	bool stops;

	struct history_view view; /* the thread's */
};

static void
push(struct jobs *jobs, const struct job *job)
{
	jobs->v[(jobs->first + jobs->n++) % HISTORY_READ_MAX] = *job;
}

static bool
pop(struct jobs *jobs, struct job *job)
{
	if (jobs->n == 0)
		return false;
	*job = jobs->v[jobs->first];
	jobs->first = (jobs->first + 1) % HISTORY_READ_MAX;
	jobs->n--;
	return true;
}

/* --- the thread ----------------------------------------------------------- */

static enum gp_code
ask(struct history_view *v, struct job *job, struct gp_error *err)
{
	bool found = true;
	enum gp_code rc = GP_OK;

	switch (job->q.kind) {
	case HISTORY_ASK_LIST:
		return history_list_put(v, &job->q, &job->body, err);
	case HISTORY_ASK_SERIES:
		return history_series_put(v, &job->q, &job->body, err);
	case HISTORY_ASK_TOTALS:
		return history_totals_put(v, &job->q, &job->body, err);
	case HISTORY_ASK_ONE:
		rc = history_one_put(v, &job->q, &job->body, &found, err);
		break;
	}
	if (rc == GP_OK && !found) {
		job->status = 404;
		buf_puts(&job->body,
			"{\"error\":\"there is no such row (any more)\"}\n");
	}
	return rc;
}

static void
put_error(struct buf *out, const char *text)
{
	struct jout j;

	buf_reset(out, 0);
	jout_init(&j, out);
	jout_obj(&j);
	jout_kv_cstr(&j, "error", text);
	jout_obj_end(&j);
	buf_putc(out, '\n');
}

static void
answer(struct history_view *v, struct job *job)
{
	struct gp_error err;
	enum gp_code rc;

	job->status = 200;
	buf_init(&job->body, ANSWER_MAX);
	rc = history_view_begin(v, &err);
	if (rc == GP_OK)
		rc = ask(v, job, &err);
	history_view_end(v);
	if (rc == GP_OK)
		rc = buf_check(&job->body, &err);
	if (rc == GP_OK)
		return;
	job->status = 503;
	put_error(&job->body, err.text);
}

/* False: it is the end. */
static bool
wait_job(struct history_read *r, struct job *job)
{
	struct timespec until;
	bool has_job;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_S;
	(void)pthread_mutex_lock(&r->mutex);
	while (!r->stops && r->asked.n == 0) {
		if (r->view.db == NULL) {
			(void)pthread_cond_wait(&r->wakes, &r->mutex);
		} else if (pthread_cond_timedwait(
				   &r->wakes, &r->mutex, &until) == ETIMEDOUT) {
			(void)pthread_mutex_unlock(&r->mutex);
			history_view_close(&r->view);
			(void)pthread_mutex_lock(&r->mutex);
		}
	}
	has_job = !r->stops && pop(&r->asked, job);
	(void)pthread_mutex_unlock(&r->mutex);
	return has_job;
}

static void *
run(void *arg)
{
	struct history_read *const r = arg;
	static const uint64_t one = 1;
	struct job job;

	while (wait_job(r, &job)) {
		answer(&r->view, &job);
		(void)pthread_mutex_lock(&r->mutex);
		push(&r->answered, &job);
		(void)pthread_mutex_unlock(&r->mutex);
		/* It cannot be full. */
		if (write(r->fd, &one, sizeof(one)) < 0)
			log_warn("eventfd");
	}
	history_view_close(&r->view);
	return NULL;
}

/* --- the loop ------------------------------------------------------------- */

static void
on_answer(struct ev_io *io, unsigned what)
{
	struct history_read *const r =
		CONTAINER_OF(io, struct history_read, io);
	struct job job;
	uint64_t n;
	bool has_job;

	(void)what;
	if (read(io->fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		log_warn("eventfd");
	do {
		(void)pthread_mutex_lock(&r->mutex);
		has_job = pop(&r->answered, &job);
		(void)pthread_mutex_unlock(&r->mutex);
		if (has_job) {
			r->nunder_way--;
			r->fn(r->ctx, job.ticket, job.status,
				buf_span(&job.body));
			buf_fini(&job.body);
		}
	} while (has_job);
}

static void
start_thread(struct history_read *r)
{
	sigset_t all;
	sigset_t before;
	int rc;

	/* Signals are the loop's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&r->thread, NULL, run, r);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		log_warnx("the thread that reads the history: error %d", rc);
	r->has_thread = rc == 0;
}

struct history_read *
history_read_new(struct ev *ev, struct span dir, history_read_fn *fn, void *ctx)
{
	struct history_read *const r = calloc(1, sizeof(*r));
	pthread_condattr_t attr;

	if (r == NULL)
		GP_NOMEM();
	r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->fd < 0)
		fatal(1, "eventfd");
	r->fn = fn;
	r->ctx = ctx;
	history_view_init(&r->view, dir);
	(void)pthread_mutex_init(&r->mutex, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&r->wakes, &attr);
	(void)pthread_condattr_destroy(&attr);
	ev_io_init(&r->io, ev, on_answer);
	ev_io_start(&r->io, r->fd, EV_READ);
	return r;
}

bool
history_read_ask(struct history_read *r, const struct history_question *q,
	uint64_t ticket)
{
	const struct job job = { .ticket = ticket, .q = *q };

	/* So many have room in either ring. */
	if (r->nunder_way == HISTORY_READ_MAX)
		return false;
	if (!r->has_thread)
		start_thread(r);
	if (!r->has_thread)
		return false;
	r->nunder_way++;
	(void)pthread_mutex_lock(&r->mutex);
	push(&r->asked, &job);
	(void)pthread_cond_signal(&r->wakes);
	(void)pthread_mutex_unlock(&r->mutex);
	return true;
}

static bool
join(struct history_read *r)
{
	struct timespec until;

	(void)pthread_mutex_lock(&r->mutex);
	r->stops = true;
	(void)pthread_cond_signal(&r->wakes);
	(void)pthread_mutex_unlock(&r->mutex);
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_S;
	return pthread_timedjoin_np(r->thread, NULL, &until) == 0;
}

bool
history_read_free(struct history_read **rp)
{
	struct history_read *const r = *rp;
	struct job job;

	*rp = NULL;
	if (r->has_thread && !join(r))
		return false;
	while (pop(&r->answered, &job))
		buf_fini(&job.body);
	ev_io_stop(&r->io);
	(void)close(r->fd);
	(void)pthread_cond_destroy(&r->wakes);
	(void)pthread_mutex_destroy(&r->mutex);
	free(r);
	return true;
}
