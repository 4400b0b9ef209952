/* SPDX-License-Identifier: MIT */
/* counting.c - exact numbers of tokens, counted beside the requests. */
#include "worker/counting.h"

#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/sys/clock.h"
#include "shared/translate/llm_count.h"
#include "shared/xlate_conf.h"

struct counting {
	struct list link; /* worker->countings */
	struct worker *worker;
	struct arena arena;
	struct xlate *xlate; /* its tree is what is counted */
	struct buf answer;   /* nothing comes of it */
	struct llm_count *job;
	struct ev_defer next; /* of the first in the list */
	/* One of the two. */
	counting_done_fn *done;
	struct calib_row *row;
	void *ctx;
	int64_t theirs;
	struct buf body; /* if taken over */
};

/* One slice a turn in all, whatever is to be counted: each in its turn. */
static void
go_on(struct worker *w)
{
	if (!list_is_empty(&w->countings))
		ev_defer_start(w->ev,
			&CONTAINER_OF(w->countings.next, struct counting, link)
				 ->next);
}

static void
counting_free(struct counting *c)
{
	struct worker *w = c->worker;

	list_remove(&c->link);
	ev_defer_stop(&c->next);
	llm_count_free(&c->job);
	xlate_fini(c->xlate);
	buf_fini(&c->answer);
	worker_release(w, buf_len(&c->body));
	buf_fini(&c->body);
	arena_fini(&c->arena);
	if (c->done == NULL)
		w->nlearning--;
	free(c);
	go_on(w);
}

static void
counting_end(struct counting *c)
{
	const int64_t tokens = c->job == NULL ? -1 : llm_count_tokens(c->job);
	counting_done_fn *const done = c->done;
	void *const ctx = c->ctx;

	if (done == NULL && tokens > 0)
		calib_learn(c->row, CALIB_EXACT, tokens, c->theirs);
	if (tokens >= 0)
		metrics_add(&c->worker->metrics->exact_counts, 1);
	counting_free(c);
	if (done != NULL)
		done(ctx, tokens);
}

static void
on_next(struct ev_defer *d)
{
	struct counting *c = CONTAINER_OF(d, struct counting, next);
	struct metrics *m = c->worker->metrics;
	const int64_t begin_us = clock_mono_us();
	const bool is_done =
		c->job == NULL || llm_count_step(c->job, BPE_STEP_WORK);

	metrics_add(&m->exact_count_us, (uint64_t)(clock_mono_us() - begin_us));
	if (is_done) {
		counting_end(c);
		return;
	}
	list_remove(&c->link);
	list_push_back(&c->worker->countings, &c->link);
	go_on(c->worker);
}

/* As a chat would be read; NULL job where that fails. */
static void
read_body(struct counting *c, const struct model_info *m, struct span body)
{
	struct worker *w = c->worker;

	if (xlate_read(c->xlate, body, NULL) != GP_OK)
		return;
	xlate_leave_out_images(c->xlate, m);
	c->job = llm_count_new(w->vocab, xlate_request(c->xlate));
}

static struct counting *
counting_new(
	struct worker *w, const struct dialect *d, enum llm_purpose purpose)
{
	struct xlate_env env = xlate_conf_env(w->conf);
	struct counting *c = calloc(1, sizeof(*c));

	GP_ASSERT(c != NULL);
	c->worker = w;
	list_push_back(&w->countings, &c->link);
	arena_init(&c->arena);
	buf_init(&c->answer, 0);
	buf_init(&c->body, 0);
	c->xlate = xlate_new(&c->arena, &w->scratch, w->router->profile, d,
		purpose, &env, &c->answer);
	ev_defer_init(&c->next, on_next);
	go_on(w);
	return c;
}

struct counting *
counting_start(struct worker *w, const struct dialect *d,
	enum llm_purpose purpose, const struct model_info *m, struct span body,
	counting_done_fn *done, void *ctx)
{
	struct counting *c;

	if (w->vocab == NULL)
		return NULL;
	c = counting_new(w, d, purpose);
	c->done = done;
	c->ctx = ctx;
	read_body(c, m, body);
	return c;
}

void
counting_cancel(struct counting **c)
{
	if (*c != NULL)
		counting_free(*c);
	*c = NULL;
}

void
counting_learn(struct worker *w, const struct dialect *d,
	const struct model_info *m, struct buf *body, struct calib_row *row,
	int64_t theirs)
{
	struct counting *c;

	if (w->vocab == NULL || !worker_reserve(w, buf_len(body)))
		return;
	c = counting_new(w, d, LLM_CHAT);
	c->row = row;
	c->theirs = theirs;
	c->body = *body;
	buf_init(body, body->max);
	w->nlearning++;
	read_body(c, m, buf_span(&c->body));
}

void
counting_end_all(struct worker *w)
{
	LIST_EACH (&w->countings, it, safe)
		counting_free(CONTAINER_OF(it, struct counting, link));
}
