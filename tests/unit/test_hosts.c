/* SPDX-License-Identifier: MIT */
/* test_hosts.c - which entries of shm->hosts belong to whose upstreams. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "master/hosts.h"
#include "tests/lib/t.h"

struct fixture {
	struct shm *shm;
	int fd;
	struct children c; /* its shm is never forked under */
	struct generation gens[4];
	size_t ngens;
};

static int
setup(void **state)
{
	static struct fixture f;
	struct gp_error err;

	memset(&f, 0, sizeof(f));
	f.shm = shm_create(&f.fd, &err);
	assert_non_null(f.shm);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *const f = *state;

	for (size_t i = 0; i < f->ngens; i++)
		conf_free(&f->gens[i].conf);
	shm_detach(f->shm);
	(void)close(f->fd);
	return 0;
}

/* Assign entries for these upstreams; `proxy` may be NULL. */
static enum gp_code
try_assign(struct fixture *f, const char *a, const char *b, const char *proxy)
{
	char options[3][256];
	const char *list[4] = { options[0], options[1], NULL, NULL };
	const struct conf_source src = { .options = list };
	struct generation *const g = &f->gens[f->ngens];
	struct gp_error err;

	(void)snprintf(options[0], 256, "upstream_base=http://%s/x", a);
	(void)snprintf(options[1], 256, "openai_upstream_base=http://%s/y", b);
	if (proxy != NULL) {
		(void)snprintf(
			options[2], 256, "upstream_proxy=http://%s", proxy);
		list[2] = options[2];
	}
	g->conf = conf_load(&src, &err);
	if (g->conf == NULL)
		fail_msg("%s", err.text);
	f->ngens++;
	return hosts_assign(f->shm, &f->c, g, 1000, &err);
}

static const struct generation *
assign(struct fixture *f, const char *a, const char *b, const char *proxy)
{
	assert_int_equal(try_assign(f, a, b, proxy), GP_OK);
	return &f->gens[f->ngens - 1];
}

/* A process of g lives. */
static void
live(struct fixture *f, const struct generation *g)
{
	struct child *const ch = &f->c.v[f->c.n++];

	ch->gen = g;
	for (size_t i = 0; i < g->nhosts; i++)
		ch->hosts_used |= 1u << g->hosts[i];
}

static const char *
name(const struct fixture *f, const struct generation *g, size_t i)
{
	return f->shm->hosts[g->hosts[i]].name;
}

static size_t
addresses(const struct fixture *f, const struct generation *g, size_t i)
{
	struct sock_addr addrs[SHM_ADDRS];

	return shm_host_get(&f->shm->hosts[g->hosts[i]], addrs);
}

static void
test_first_generation_goes_by_position(void **state)
{
	struct fixture *const f = *state;
	const struct generation *const g =
		assign(f, "a.example", "a.example:81", "p.example:3128");

	assert_int_equal(g->nhosts, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(g->hosts[i], i);
	assert_string_equal(name(f, g, 0), "a.example");
	assert_string_equal(name(f, g, 1), "a.example");
	assert_string_equal(name(f, g, 2), "p.example");
	assert_int_equal(addresses(f, g, 0), 0);
}

static void
test_constants_are_published_at_once(void **state)
{
	struct fixture *const f = *state;
	const struct generation *const g =
		assign(f, "127.0.0.2", "[::1]:8080", "LocalHost:1");
	struct sock_addr addrs[SHM_ADDRS];
	char text[SOCK_TEXT_MAX];

	assert_int_equal(addresses(f, g, 0), 1);
	assert_int_equal(addresses(f, g, 1), 1);
	assert_int_equal(addresses(f, g, 2), 2);
	assert_int_equal(shm_host_get(&f->shm->hosts[0], addrs), 1);
	sock_addr_text(&addrs[0], text);
	assert_string_equal(text, "127.0.0.2:0");
	assert_int_equal(shm_host_get(&f->shm->hosts[2], addrs), 2);
	sock_addr_text(&addrs[1], text);
	assert_string_equal(text, "[::1]:0");
}

static void
test_same_names_keep_their_entries(void **state)
{
	struct fixture *const f = *state;
	struct sock_addr a;
	const struct generation *g = assign(f, "a.example", "b.example", NULL);

	live(f, g);
	assert_true(sock_addr_parse(&a, SPAN("10.0.0.1"), 0));
	shm_host_set(&f->shm->hosts[0], &a, 1, 500);
	/* Swapped: each name brings its entry, and the address with it. */
	g = assign(f, "b.example", "a.example", NULL);
	assert_int_equal(g->hosts[0], 1);
	assert_int_equal(g->hosts[1], 0);
	assert_int_equal(addresses(f, g, 1), 1);
}

static void
test_used_entry_is_never_renamed(void **state)
{
	struct fixture *const f = *state;
	const struct generation *const old =
		assign(f, "a.example", "b.example", NULL);
	const struct generation *g;

	live(f, old);
	g = assign(f, "c.example", "b.example", NULL);
	assert_string_equal(name(f, old, 0), "a.example");
	assert_string_equal(name(f, g, 0), "c.example");
	assert_int_not_equal(g->hosts[0], old->hosts[0]);
	assert_int_equal(g->hosts[1], old->hosts[1]);
}

static void
test_free_entry_is_used_again(void **state)
{
	struct fixture *const f = *state;
	struct sock_addr a;
	const struct generation *g = assign(f, "a.example", "b.example", NULL);

	assert_true(sock_addr_parse(&a, SPAN("10.0.0.1"), 0));
	shm_host_set(&f->shm->hosts[0], &a, 1, 500);
	/* Nobody of the old generation lives. */
	g = assign(f, "c.example", "b.example", NULL);
	assert_int_equal(g->hosts[0], 0);
	assert_string_equal(name(f, g, 0), "c.example");
	assert_int_equal(addresses(f, g, 0), 0);
	assert_int_equal(atomic_load(&f->shm->hosts[0].resolved_ms), 0);
}

static void
test_too_many_names_in_use(void **state)
{
	struct fixture *const f = *state;

	live(f, assign(f, "a.example", "b.example", "c.example:1"));
	live(f, assign(f, "d.example", "e.example", "f.example:1"));
	assert_int_equal(try_assign(f, "g.example", "h.example", "i.example:1"),
		GP_E_LIMIT);
	/* What fits still goes. */
	live(f, assign(f, "g.example", "h.example", NULL));
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_first_generation_goes_by_position),
		CASE(test_constants_are_published_at_once),
		CASE(test_same_names_keep_their_entries),
		CASE(test_used_entry_is_never_renamed),
		CASE(test_free_entry_is_used_again),
		CASE(test_too_many_names_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
