/* SPDX-License-Identifier: MIT */
/* hosts.c - which entries of shm->hosts belong to whose upstreams. */
#include "master/hosts.h"

#include <string.h>

#include "master/config.h"
#include "shared/base/check.h"

_Static_assert(SHM_HOSTS <= 32, "a bit of uint32_t for every entry");

static bool
has_name(const struct shm_host *h, struct span name)
{
	return span_eq(
		span_of(h->name, strnlen(h->name, sizeof(h->name))), name);
}

/* `at` first, then every other entry. */
static size_t
candidate(size_t at, size_t i)
{
	return (at + i) % SHM_HOSTS;
}

/* An entry for the name at this position: one that has it already, else one
 * that nobody uses; -1 if there is none. */
static int
choose(const struct shm *shm, size_t at, struct span name, uint32_t used,
	uint32_t mine)
{
	for (size_t i = 0; i < SHM_HOSTS; i++) {
		const size_t h = candidate(at, i);

		if ((mine & 1u << h) == 0 && has_name(&shm->hosts[h], name))
			return (int)h;
	}
	for (size_t i = 0; i < SHM_HOSTS; i++) {
		const size_t h = candidate(at, i);

		if (((mine | used) & 1u << h) == 0)
			return (int)h;
	}
	return -1;
}

static void
set_name(struct shm_host *h, struct span name, int64_t now_ms)
{
	struct sock_addr addrs[2];

	GP_ASSERT(name.n < sizeof(h->name));
	if (!has_name(h, name)) {
		shm_host_set(h, addrs, 0, 0);
		memset(h->name, 0, sizeof(h->name));
		memcpy(h->name, name.p, name.n);
	}
	if (sock_addr_parse(&addrs[0], name, 0))
		shm_host_set(h, addrs, 1, now_ms);
	/* spec: RFC 6761, 6.3: never asked of a name server */
	if (span_ieq(name, SPAN("localhost")) &&
		sock_addr_parse(&addrs[0], SPAN("127.0.0.1"), 0) &&
		sock_addr_parse(&addrs[1], SPAN("::1"), 0))
		shm_host_set(h, addrs, 2, now_ms);
}

enum gp_code
hosts_assign(struct shm *shm, const struct children *c, struct generation *gen,
	int64_t now_ms, struct gp_error *err)
{
	struct span names[LINK_HOSTS_MAX];
	const size_t n = config_hosts(gen->conf, names);
	uint32_t used = 0;
	uint32_t mine = 0;

	for (size_t i = 0; i < c->n; i++)
		used |= c->v[i].hosts_used;
	gen->nhosts = 0;
	for (size_t i = 0; i < n; i++) {
		const int h = choose(shm, i, names[i], used, mine);

		if (h < 0)
			return gp_fail(err, GP_E_LIMIT,
				"too many upstream names while earlier "
				"processes still finish: try again later");
		set_name(&shm->hosts[h], names[i], now_ms);
		gen->hosts[gen->nhosts++] = (uint8_t)h;
		mine |= 1u << h;
	}
	return GP_OK;
}
