/* SPDX-License-Identifier: MIT */
/* recorder.c - records of chats and counts, on their way to the history. */
#include "worker/recorder.h"

#include "shared/sys/clock.h"
#include "worker/keys.h"

void
recorder_put(struct worker *w, const struct record *r)
{
	char bytes[RECORD_MAX];
	size_t n;

	if (!w->conf->history && !w->conf->upstream_log)
		return;
	n = record_write(r, bytes);
	if (ring_put(shm_ring(w->link->shm, w->link->slot),
		    span_of(bytes, n)) == RING_FULL)
		metrics_add(&w->metrics->records_lost, 1);
	else
		metrics_add(&w->metrics->records, 1);
}

void
recorder_class(enum llm_fail kind, char out[RECORDER_CLASS_MAX])
{
	const char *const name = llm_fail_name(kind);
	size_t n = 0;

	for (; n < RECORDER_CLASS_MAX - 1 && name[n] != '\0'; n++)
		out[n] = name[n] == '_' ? '_' : (char)(name[n] | 0x20);
	out[n] = '\0';
}

void
recorder_refused(struct client *c, const struct llm_failure *f,
	struct span request_id, size_t bytes_out)
{
	char class[RECORDER_CLASS_MAX];
	char name[KEYS_CLIENT_MAX];
	struct record r;

	if (c->dialect == NULL)
		return;
	record_init(&r);
	recorder_class(f->kind, class);
	keys_client(c->worker->conf, c->dialect, client_head(c), name);
	r.time_us = clock_wall_us();
	r.is_count = c->purpose == LLM_COUNT;
	r.status = c->dialect->fail_status(f);
	r.bytes_in = (int64_t)buf_len(&c->body);
	r.bytes_out = (int64_t)bytes_out;
	r.request = request_id;
	r.client = span_cstr(name);
	r.dialect = span_cstr(c->dialect->name);
	r.error = span_cstr(class);
	recorder_put(c->worker, &r);
}
