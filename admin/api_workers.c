/* SPDX-License-Identifier: MIT */
/* api_workers.c - /api/workers: the processes. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "admin/api_json.h"
#include "shared/sys/clock.h"

/* Resident bytes of a process, -1 if they are not known. /proc is memory: it
 * does not keep the loop waiting. */
static int64_t
memory_bytes(int32_t pid)
{
	char path[64];
	unsigned long long size = 0, resident = 0;
	int n = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%" PRId32 "/statm", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return -1;
	/* NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers */
	n = fscanf(f, "%llu %llu", &size, &resident);
	(void)fclose(f);
	return n == 2 ? (int64_t)resident * sysconf(_SC_PAGESIZE) : -1;
}

static void
put_known(struct jout *j, const char *key, int64_t value, bool is_known)
{
	if (is_known)
		jout_kv_int(j, key, value);
	else
		jout_kv_null(j, key);
}

static void
put_slot(const struct shm_slot *s, int slot, int64_t now_ms, struct jout *j)
{
	const struct metrics *const m = &s->metrics;
	const bool is_worker = atomic_load(&s->role) == SHM_WORKER;
	const int32_t pid = atomic_load(&s->pid);
	const int64_t memory = memory_bytes(pid);
	const int64_t age_ms = now_ms - atomic_load(&s->heartbeat_ms);

	jout_obj(j);
	jout_kv_int(j, "slot", slot);
	jout_kv_int(j, "pid", pid);
	jout_kv_cstr(j, "role", is_worker ? "worker" : "admin");
	jout_kv_int(j, "generation", atomic_load(&s->generation));
	jout_kv_cstr(j, "state", api_state_word(s, now_ms));
	jout_kv_int(j, "heartbeat_age_ms", MAX(age_ms, 0));
	jout_kv_int(
		j, "connections", (int64_t)metrics_get(&m->connections_live));
	jout_kv_int(j, "streams", (int64_t)metrics_get(&m->streams_live));
	jout_kv_int(j, "requests",
		(int64_t)(metrics_get(&m->requests_chat) +
			metrics_get(&m->requests_count)));
	jout_kv_int(
		j, "buffered_bytes", (int64_t)metrics_get(&m->buffered_bytes));
	put_known(j, "cpu_ms", (int64_t)metrics_get(&m->cpu_us) / 1000,
		is_worker);
	put_known(j, "memory_bytes", memory, memory >= 0);
	jout_obj_end(j);
}

void
api_workers(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	const struct shm *const m = p->link->shm;
	const int64_t now_ms = clock_mono_ms();
	struct jout j;

	(void)request;
	jout_init(&j, &a->body);
	jout_obj(&j);
	jout_key(&j, "workers");
	jout_arr(&j);
	for (int i = 0; i < SHM_SLOTS; i++)
		if (atomic_load(&m->slots[i].role) != SHM_FREE)
			put_slot(&m->slots[i], i, now_ms, &j);
	jout_arr_end(&j);
	jout_obj_end(&j);
	buf_putc(&a->body, '\n');
}
