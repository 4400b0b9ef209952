/* SPDX-License-Identifier: MIT */
/* resolver.c - keeps the addresses of the upstreams' names in shared memory. */
#include "admin/resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/sys/clock.h"
#include "shared/sys/log.h"

#define REFRESH_MS   30000
#define RETRY_MIN_MS 500
#define TURN_MS      50 /* while an earlier process is still there */

struct name {
	struct shm_host *host;
	char text[sizeof(((struct shm_host *)NULL)->name)];
	unsigned failures; /* in a row */
	int64_t due_ms;
};

static struct {
	const struct link *link;
	struct name names[LINK_HOSTS_MAX];
	size_t n;
} resolver;

size_t
resolver_first(const struct link *link)
{
	return link->conf->upstream_proxy.n > 0 && link->nhosts > 0 ?
		link->nhosts - 1 :
		0;
}

bool
resolver_is_constant(struct span name)
{
	struct sock_addr a;

	return sock_addr_parse(&a, name, 0) ||
		span_ieq(name, SPAN("localhost"));
}

int64_t
resolver_pause_ms(unsigned failures)
{
	int64_t pause_ms = RETRY_MIN_MS;

	if (failures == 0)
		return REFRESH_MS;
	while (--failures > 0 && pause_ms < REFRESH_MS)
		pause_ms *= 2;
	return MIN(pause_ms, REFRESH_MS);
}

bool
resolver_is_our_turn(const struct link *link)
{
	const uint32_t ours = atomic_load(&link_slot(link)->generation);

	for (int i = 0; i < SHM_SLOTS; i++) {
		const struct shm_slot *const s = &link->shm->slots[i];

		if (i != link->slot && atomic_load(&s->role) == SHM_ADMIN &&
			atomic_load(&s->pid) != 0 &&
			atomic_load(&s->generation) < ours)
			return false;
	}
	return true;
}

static size_t
copy_addresses(const struct addrinfo *list, struct sock_addr out[SHM_ADDRS])
{
	size_t n = 0;

	for (const struct addrinfo *a = list; a != NULL && n < SHM_ADDRS;
		a = a->ai_next) {
		if (a->ai_addrlen > sizeof(out[n].ss))
			continue;
		out[n] = (struct sock_addr){ .len = a->ai_addrlen };
		memcpy(&out[n].ss, a->ai_addr, a->ai_addrlen);
		sock_addr_set_port(&out[n], 0);
		n++;
	}
	return n;
}

static void
look_up(struct name *name)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_ADDRCONFIG,
	};
	struct sock_addr addrs[SHM_ADDRS];
	struct addrinfo *list = NULL;
	const int rc = getaddrinfo(name->text, NULL, &hints, &list);
	size_t n = 0;

	if (rc == 0) {
		n = copy_addresses(list, addrs);
		freeaddrinfo(list);
	}
	if (n > 0) {
		shm_host_set(name->host, addrs, n, clock_mono_ms());
		if (name->failures > 0)
			log_info("%s is resolved again", name->text);
		name->failures = 0;
	} else if (name->failures++ == 0) {
		log_warnx("%s cannot be resolved: %s", name->text,
			rc != 0 ? gai_strerror(rc) : "no address");
	}
	name->due_ms = clock_mono_ms() + resolver_pause_ms(name->failures);
}

static void
pause_until(int64_t at_ms)
{
	const int64_t ms = MAX(at_ms - clock_mono_ms(), 0);
	const struct timespec ts = { .tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&ts, NULL);
}

static void *
run(void *arg)
{
	(void)arg;
	while (!resolver_is_our_turn(resolver.link))
		pause_until(clock_mono_ms() + TURN_MS);
	for (;;) {
		int64_t next_ms = INT64_MAX;

		for (size_t i = 0; i < resolver.n; i++) {
			struct name *const name = &resolver.names[i];

			if (clock_mono_ms() >= name->due_ms)
				look_up(name);
			next_ms = MIN(next_ms, name->due_ms);
		}
		pause_until(next_ms);
	}
	return NULL;
}

static void
add_name(struct shm_host *host)
{
	struct name *const name = &resolver.names[resolver.n];
	const size_t n = strnlen(host->name, sizeof(host->name) - 1);

	if (n == 0 || resolver_is_constant(span_of(host->name, n)))
		return;
	*name = (struct name){ .host = host };
	memcpy(name->text, host->name, n);
	resolver.n++;
}

void
resolver_start(const struct link *link)
{
	sigset_t all;
	sigset_t before;
	pthread_t thread;
	pthread_attr_t attr;
	int rc;

	resolver.link = link;
	for (size_t i = resolver_first(link); i < link->nhosts; i++)
		add_name(&link->shm->hosts[link->hosts[i]]);
	if (resolver.n == 0)
		return;
	/* Signals are the loop's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_attr_init(&attr);
	if (rc == 0)
		rc = pthread_attr_setdetachstate(
			&attr, PTHREAD_CREATE_DETACHED);
	if (rc == 0)
		rc = pthread_create(&thread, &attr, run, NULL);
	if (rc != 0)
		fatalx(1, "resolver thread: error %d", rc);
	(void)pthread_attr_destroy(&attr);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}
