/* SPDX-License-Identifier: MIT */
/* test_health.c - verdicts and their reasons. */
#include "admin/health.h"
#include "admin/deaths.h"
#include "tests/lib/t.h"

static const struct health_facts good = {
	.workers_expected = 4,
	.workers_ready = 4,
	.nhosts = 2,
	.hosts = {
		{ SPAN_INIT("a.example"), 2, 1000, false },
		{ SPAN_INIT("127.0.0.1"), 1, 99999999, true },
	},
};

static struct health
judge(const struct health_facts *f)
{
	struct health h;

	health_judge(f, &h);
	return h;
}

static void
assert_reason(const struct health *h, const char *text)
{
	for (size_t i = 0; i < h->nreasons; i++)
		if (strcmp(h->reasons[i], text) == 0)
			return;
	for (size_t i = 0; i < h->nreasons; i++)
		print_error("reason: %s\n", h->reasons[i]);
	fail_msg("no reason \"%s\"", text);
}

static void
test_all_well(void **state)
{
	const struct health h = judge(&good);

	(void)state;
	assert_int_equal(h.status, HEALTH_OK);
	assert_int_equal(h.nreasons, 0);
	assert_string_equal(health_word(h.status), "ok");
	assert_int_equal(health_http_status(h.status), 200);
}

static void
test_some_workers(void **state)
{
	struct health_facts f = good;
	struct health h;

	(void)state;
	f.workers_ready = 3;
	h = judge(&f);
	assert_int_equal(h.status, HEALTH_DEGRADED);
	assert_reason(&h, "3 of 4 workers are running");
	assert_int_equal(health_http_status(h.status), 200);
	/* During a reload there are more than expected for a moment. */
	f.workers_ready = 8;
	assert_int_equal(judge(&f).status, HEALTH_OK);
}

static void
test_no_worker(void **state)
{
	struct health_facts f = good;
	struct health h;

	(void)state;
	f.workers_ready = 0;
	f.workers_starting = 4;
	h = judge(&f);
	assert_int_equal(h.status, HEALTH_FAILING);
	assert_reason(&h, "no worker is running");
	assert_string_equal(health_word(h.status), "failing");
	assert_int_equal(health_http_status(h.status), 503);
}

static void
test_silent_workers(void **state)
{
	struct health_facts f = good;
	struct health h;

	(void)state;
	f.workers_ready = 3;
	f.workers_silent = 1;
	h = judge(&f);
	assert_int_equal(h.status, HEALTH_DEGRADED);
	assert_int_equal(h.nreasons, 1);
	assert_reason(&h, "1 worker has given no sign of life for 5 seconds");
	f.workers_ready = 0;
	f.workers_silent = 4;
	h = judge(&f);
	assert_int_equal(h.status, HEALTH_FAILING);
	assert_reason(&h, "4 workers have given no sign of life for 5 seconds");
}

static void
test_deaths(void **state)
{
	struct health_facts f = good;
	struct health h;

	(void)state;
	f.recent_deaths = HEALTH_DEATHS - 1;
	assert_int_equal(judge(&f).status, HEALTH_OK);
	f.recent_deaths = HEALTH_DEATHS;
	h = judge(&f);
	assert_int_equal(h.status, HEALTH_DEGRADED);
	assert_reason(&h, "3 processes died within the last minute");
}

static void
test_addresses(void **state)
{
	struct health_facts f = good;
	struct health h;

	(void)state;
	f.hosts[0].addresses = 0;
	h = judge(&f);
	assert_int_equal(h.status, HEALTH_DEGRADED);
	assert_reason(&h, "the name a.example has no address yet");
	f.hosts[1].addresses = 0;
	h = judge(&f);
	assert_int_equal(h.status, HEALTH_FAILING);
	assert_reason(&h, "no upstream can be reached by name");
	f = good;
	f.hosts[0].age_ms = HEALTH_OLD_MS + 1;
	h = judge(&f);
	assert_int_equal(h.status, HEALTH_DEGRADED);
	assert_reason(&h, "the addresses of a.example are 10 minutes old");
}

static void
test_stopping(void **state)
{
	struct health_facts f = good;
	struct health h;

	(void)state;
	f.is_stopping = true;
	h = judge(&f);
	assert_int_equal(h.status, HEALTH_FAILING);
	assert_reason(&h, "the service is stopping");
}

static void
test_reasons_are_bounded(void **state)
{
	static char name[4096];
	struct health_facts f = { .nhosts = HEALTH_HOSTS_MAX };
	struct health h;

	(void)state;
	memset(name, 'x', sizeof(name));
	for (size_t i = 0; i < HEALTH_HOSTS_MAX; i++)
		f.hosts[i].name = span_of(name, sizeof(name));
	h = judge(&f);
	assert_int_equal(h.status, HEALTH_FAILING);
	assert_true(h.nreasons <= HEALTH_REASONS_MAX);
	for (size_t i = 0; i < h.nreasons; i++)
		assert_true(strlen(h.reasons[i]) < HEALTH_REASON_MAX);
}

static void
test_deaths_are_counted_by_the_minute(void **state)
{
	struct deaths d = { .has_begun = false };

	(void)state;
	/* What died before this process looked for the first time is old. */
	assert_int_equal(deaths_recent(&d, 7), 0);
	deaths_sample(&d, 7, 1000);
	assert_int_equal(deaths_recent(&d, 7), 0);
	assert_int_equal(deaths_recent(&d, 9), 2);
	deaths_sample(&d, 9, 60999);
	assert_int_equal(deaths_recent(&d, 9), 2);
	/* A window ends: its deaths stay known for one more. */
	deaths_sample(&d, 9, 61000);
	assert_int_equal(deaths_recent(&d, 10), 3);
	deaths_sample(&d, 10, 121000);
	assert_int_equal(deaths_recent(&d, 10), 1);
	deaths_sample(&d, 10, 181000);
	assert_int_equal(deaths_recent(&d, 10), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_well),
		cmocka_unit_test(test_some_workers),
		cmocka_unit_test(test_no_worker),
		cmocka_unit_test(test_silent_workers),
		cmocka_unit_test(test_deaths),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_stopping),
		cmocka_unit_test(test_reasons_are_bounded),
		cmocka_unit_test(test_deaths_are_counted_by_the_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
