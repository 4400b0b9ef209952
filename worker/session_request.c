/* SPDX-License-Identifier: MIT */
/* session_request.c - a chat or count on its way to an upstream. */
#include "shared/base/check.h"
#include "shared/sys/clock.h"
#include "shared/sys/log.h"
#include "shared/xlate_conf.h"
#include "worker/session_private.h"
#include "worker/tally.h"
#include "worker/upstream_head.h"

#define HEAD_MAX 131072
/* Counts that are forwarded at the same time; what is over is counted here. */
#define COUNTS_AT_ONCE 14

static int64_t
stall_limit(const struct session *s)
{
	const struct conf *conf = s->worker->conf;
	struct span model = s->choice.route.model;

	for (size_t i = 0; i < conf->models.n; i++)
		if (conf->models.v[i].stall_ms >= 0 &&
			span_eq(conf->models.v[i].name, model))
			return conf->models.v[i].stall_ms;
	return xlate_upstream_streams(s->xlate) ? conf->stream_timeout_ms :
						  conf->request_timeout_ms;
}

/* Upstream is asked. body is taken over, and accounted for already. */
static void
send_upstream(struct session *s, const struct secret *key, struct buf *body)
{
	struct worker *w = s->worker;
	struct client *c = s->client;
	const struct dialect *d = s->choice.route.upstream;
	struct buf head;
	struct upstream_head u = {
		.conf = w->conf,
		.client = c->dialect,
		.upstream = d,
		.base = &w->router->upstreams[s->choice.upstream].url,
		.path = c->purpose == LLM_COUNT ? d->count_path : d->chat_path,
		.key = key,
		.from = client_head(c),
		.wants_stream = xlate_upstream_streams(s->xlate),
		.body_bytes = buf_len(body),
	};
	struct exchange_request req = {
		.upstream = s->choice.upstream,
		.head = &head,
		.body = body,
		.head_timeout_ms = w->conf->request_timeout_ms,
		.silence_timeout_ms = stall_limit(s),
		.context = session_id(s).p,
		.turns = w->turns,
		.turn = &s->turn,
	};

	session_bodies_sent(s->bodies, buf_span(body), key);
	s->note.bytes_sent = u.body_bytes;
	s->note.sends++;
	buf_init(&head, HEAD_MAX);
	upstream_head_put(&u, &head);
	s->exchange = exchange_start(w->upstreams, &req, &session_handler, s);
	/* It runs on where the request has waited. */
	if (!ev_timer_is_armed(&s->heartbeat))
		ev_timer_start(&s->heartbeat,
			c->purpose == LLM_COUNT ? SESSION_COUNT_MS :
						  SESSION_HEARTBEAT_MS);
}

static void
pick_route(struct session *s)
{
	struct client *c = s->client;
	const struct llm_req *r = xlate_request(s->xlate);
	struct span model = jtext_unescape_dup(&s->arena, r->model);

	/* It may point into the body, which goes first. */
	s->note.asked = arena_dup(&s->arena, model);
	session_note_request(s, r);
	router_pick(s->worker->router, model, xlate_needs_vision(s->xlate),
		c->dialect, &s->arena, &s->choice);
	/* Once, also if it has to be read again. */
	if (!s->is_routed)
		tally_route(s->worker->metrics, c->dialect,
			s->choice.route.upstream);
	s->is_routed = true;
	session_live_begin(s);
	if (s->choice.notice != NULL)
		xlate_notice(s->xlate, s->choice.notice, SPAN("model"));
	log_debug("req=%.*s: %s -> %s, model %.*s", SPAN_ARG(session_id(s)),
		c->dialect->name, s->choice.route.upstream->name,
		SPAN_ARG(s->choice.route.model));
}

/* Of all workers; one that died takes its own along. */
static uint64_t
counts_live(const struct shm *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < SHM_SLOTS; i++)
		if (atomic_load(&m->slots[i].role) == SHM_WORKER)
			n += metrics_get(&m->slots[i].metrics.counts_live);
	return n;
}

/* Counts go to an upstream that can count, if not too many go there at once.
 * First the place is taken, then it is looked whether there was one: two
 * workers may both give way, but never both go. */
static bool
counts_locally(struct session *s)
{
	struct metrics *m = s->worker->metrics;

	if (s->client->purpose != LLM_COUNT)
		return false;
	if (!s->worker->conf->forward_count_to_upstream ||
		s->choice.route.upstream->count_path.n == 0)
		return true;
	metrics_add(&m->counts_live, 1);
	s->is_counting = counts_live(s->worker->link->shm) <= COUNTS_AT_ONCE;
	if (!s->is_counting)
		metrics_sub(&m->counts_live, 1);
	return !s->is_counting;
}

/* *waits: it is counted first, and session_go will be called again. */
static enum gp_code
translate_request(
	struct session *s, struct buf *body, bool *waits, struct gp_error *err)
{
	enum gp_code rc = xlate_read(s->xlate, buf_span(&s->client->body), err);

	if (rc != GP_OK)
		return rc;
	pick_route(s);
	session_know_size(s);
	*waits = session_count_first(s);
	return *waits ? GP_OK :
			xlate_write(s->xlate, &s->choice.route, body, err);
}

/* A client may ask for more care than the operator does, not for less. */
static bool
asks_strictly(const struct http_head *head)
{
	const struct span value =
		http_head_get(head, SPAN("x-glmproxy-strict"));

	return span_eq(value, SPAN("1")) || span_ieq(value, SPAN("true"));
}

static struct xlate_env
make_env(struct client *c)
{
	struct worker *w = c->worker;
	struct xlate_env env = xlate_conf_env(w->conf);

	env.now_wall_s = clock_wall_us() / 1000000;
	/* Signs of life may come while it waits for its turn. */
	env.tries_again = w->conf->retries > 0 || w->turns != NULL;
	env.is_strict = env.is_strict || asks_strictly(client_head(c));
	for (size_t i = 0; i < ARRAY_LEN(env.random); i++)
		env.random[i] = worker_random(w);
	return env;
}

void
session_key(const struct session *s, struct secret *key)
{
	const struct client *c = s->client;
	struct span name;
	struct gp_error err;

	/* Admitted by the same rule when its head came. */
	if (keys_pick(c->worker->conf, c->dialect, client_head(c), key, &name,
		    &err) != GP_OK)
		GP_UNREACHED();
}

void
session_send(struct session *s, struct buf *body)
{
	struct secret key;

	session_key(s, &key);
	send_upstream(s, &key, body);
	secret_wipe(&key);
}

void
session_go(struct session *s)
{
	struct client *c = s->client;
	struct buf body;
	struct gp_error err;
	struct llm_failure f;
	bool waits = false;

	session_renew(s);
	buf_init(&body, SESSION_BODY_MAX);
	buf_room(&body, buf_len(&c->body));
	if (translate_request(s, &body, &waits, &err) != GP_OK) {
		buf_fini(&body);
		f = llm_failure_from(&err, &s->arena);
		session_step(s, xlate_fail(s->xlate, &f));
		return;
	}
	if (waits) {
		buf_fini(&body);
		return;
	}
	if (counts_locally(s)) {
		buf_fini(&body);
		session_count_locally(s);
		return;
	}
	if (!session_keeps_body(s))
		client_drop_body(c);
	if (s->refusal.times > 0 && !s->keeps_size)
		metrics_add(&s->worker->metrics->overflow_resends, 1);
	session_dispatch(s, &body);
}

void
session_start(struct client *c)
{
	struct xlate_env env = make_env(c);

	session_go(session_new(c, &env));
}
