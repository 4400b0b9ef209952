/* SPDX-License-Identifier: MIT */
/* test_health.c - verdicts and their reasons. */
#include "admin/health.h"

#include <errno.h>

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
	.nupstreams = 2,
	.upstreams = {
		{ "red", SPAN_INIT("https://a.example/v1"), { 90, 1, 1 }, 5, 9 },
		{ "blue", SPAN_INIT("http://127.0.0.1:9/b"), { 0, 0, 0 }, -1, -1 },
	},
	.history = { .is_on = true, .is_written = true },
	.logs = { .is_on = true, .is_written = true },
	.ndisks = 2,
	.disks = {
		{ .key = "state_dir", .path = SPAN_INIT("/s"), .is_known = true,
			.has_files = true, .free_bytes = 1u << 30,
			.total_bytes = (uint64_t)1 << 40 },
		{ .key = "log_dir", .path = SPAN_INIT("/l"), .is_known = true,
			.has_files = true, .free_bytes = 1u << 30,
			.total_bytes = (uint64_t)1 << 40 },
	},
	.wall_s = 1795334400,
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
	assert_reason(&h,
		"3 of 4 workers are running: if it stays so, the log says "
		"why");
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
	assert_reason(&h, "no worker is running: the log says why");
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
	assert_reason(&h,
		"1 worker has given no sign of life for 5 seconds: what does "
		"not recover is killed and replaced");
	f.workers_ready = 0;
	f.workers_silent = 4;
	h = judge(&f);
	assert_int_equal(h.status, HEALTH_FAILING);
	assert_reason(&h,
		"4 workers have given no sign of life for 5 seconds: what does "
		"not recover is killed and replaced");
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
	assert_reason(&h,
		"3 processes died within the last minute: the log has their "
		"last "
		"words, which belong into a bug report");
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
	assert_reason(&h,
		"the name a.example has no address yet: check the spelling, "
		"and "
		"that this machine can resolve names");
	f.hosts[1].addresses = 0;
	h = judge(&f);
	assert_int_equal(h.status, HEALTH_FAILING);
	assert_reason(&h, "no upstream can be reached by name");
	f = good;
	f.hosts[0].age_ms = HEALTH_OLD_MS + 1;
	h = judge(&f);
	assert_int_equal(h.status, HEALTH_DEGRADED);
	assert_reason(&h,
		"the addresses of a.example are 10 minutes old: check that "
		"this "
		"machine can resolve names");
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

/* Of all that is well, some facts are otherwise; then this is the verdict, and
 * the only reason. */
#define EXPECT(want, text, ...)                                                \
	do {                                                                   \
		struct health_facts f = good;                                  \
		struct health h;                                               \
                                                                               \
		__VA_ARGS__;                                                   \
		h = judge(&f);                                                 \
		assert_reason(&h, text);                                       \
		assert_int_equal(h.nreasons, 1);                               \
		assert_int_equal(h.status, want);                              \
	} while (0)
#define EXPECT_WELL(...)                                                       \
	do {                                                                   \
		struct health_facts f = good;                                  \
                                                                               \
		__VA_ARGS__;                                                   \
		assert_int_equal(judge(&f).nreasons, 0);                       \
		assert_int_equal(judge(&f).status, HEALTH_OK);                 \
	} while (0)

static void
test_drained(void **state)
{
	(void)state;
	EXPECT(HEALTH_DEGRADED,
		"the instance is drained: load balancers are told to send "
		"nothing until somebody says `glmproxy undrain`",
		f.is_drained = true);
}

static void
test_upstreams(void **state)
{
	(void)state;
	/* One that does not answer, beside one that does. */
	EXPECT(HEALTH_DEGRADED,
		"none of the last 3 requests to http://127.0.0.1:9/b was "
		"answered: check the network, firewalls, upstream_proxy and "
		"upstream_ca_file; the log has the errors",
		f.upstreams[1].recent = ((struct watch_outcomes){ 0, 1, 2 }));
	EXPECT(HEALTH_DEGRADED,
		"http://127.0.0.1:9/b answered the last 3 requests with "
		"errors of its own: the vendor has trouble, or the address is "
		"wrong",
		f.upstreams[1].recent = ((struct watch_outcomes){ 0, 3, 0 }));
	EXPECT_WELL(
		f.upstreams[1].recent = ((struct watch_outcomes){ 0, 1, 1 }));
	EXPECT(HEALTH_DEGRADED,
		"2 of 10 requests to https://a.example/v1 failed within the "
		"last 5 minutes, 1 of them without an answer: see the log",
		f.upstreams[0].recent = ((struct watch_outcomes){ 8, 1, 1 }));
	EXPECT_WELL(
		f.upstreams[0].recent = ((struct watch_outcomes){ 9, 1, 0 }));
	/* Too few to say anything. */
	EXPECT_WELL(
		f.upstreams[0].recent = ((struct watch_outcomes){ 1, 8, 0 }));
}

static void
test_no_upstream_answers(void **state)
{
	struct health_facts f = good;
	struct health h;

	(void)state;
	f.upstreams[0].recent = (struct watch_outcomes){ 0, 0, 3 };
	h = judge(&f);
	assert_int_equal(h.status, HEALTH_FAILING);
	assert_reason(&h, "no request is answered by any upstream at present");
	assert_int_equal(health_http_status(h.status), 503);
}

static void
test_history(void **state)
{
	(void)state;
	EXPECT(HEALTH_DEGRADED,
		"the history cannot be written: disk I/O error; requests are "
		"served, but what does not fit into memory will be missing "
		"there",
		f.history.is_written = false;
		strcpy(f.history.why, "disk I/O error"));
	EXPECT(HEALTH_DEGRADED,
		"the history has lost 12 records within the last minute: the "
		"admin process or the disk is too slow, or it was killed",
		f.history.recent_lost = 12);
	EXPECT_WELL(f.history.lost = 12);
	EXPECT_WELL(f.history.is_on = f.history.is_written = false);
}

static void
test_logs(void **state)
{
	(void)state;
	EXPECT(HEALTH_DEGRADED,
		"the log files cannot be written: No space left on device; "
		"requests are served, but lines that do not fit into memory "
		"will be missing there",
		f.logs.is_written = false;
		strcpy(f.logs.why, "No space left on device"));
	EXPECT(HEALTH_DEGRADED,
		"the log files have lost 3 lines within the last minute: the "
		"admin process or the disk is too slow, or it was killed",
		f.logs.recent_lost = 3);
	EXPECT_WELL(f.logs.lost = 12);
	EXPECT_WELL(f.logs.is_on = f.logs.is_written = false);
}

static void
test_disks(void **state)
{
	(void)state;
	EXPECT(HEALTH_DEGRADED,
		"only 255 MiB are free on the disk of state_dir (/s): make "
		"room, or shorten history_retention_days and "
		"upstream_log_retention_days",
		f.disks[0].free_bytes = (256u << 20) - 1);
	EXPECT_WELL(f.disks[0].free_bytes = 256u << 20);
	/* A small one is not always in need. */
	EXPECT_WELL(f.disks[0].free_bytes = 10u << 20;
		    f.disks[0].total_bytes = 100u << 20);
	EXPECT(HEALTH_DEGRADED,
		"the disk of log_dir (/l) is full: make room, else what should "
		"be written there is lost",
		f.disks[1].free_bytes = (1u << 20) - 1);
	EXPECT(HEALTH_DEGRADED,
		"the disk of state_dir (/s) is full: make room, else what "
		"should be written there is lost",
		f.disks[0].has_files = false);
	/* Told once of each disk. */
	EXPECT_WELL(f.disks[1].free_bytes = 0; f.disks[1].is_repeated = true);
	EXPECT_WELL(f.disks[1].free_bytes = 0; f.disks[1].is_known = false);
	EXPECT_WELL(f.disks[1].free_bytes = 0; f.disks[1].error = ENOENT);
	EXPECT(HEALTH_DEGRADED,
		"log_dir (/l) cannot be looked at: Permission denied",
		f.disks[1].error = EACCES;
		strcpy(f.disks[1].error_text, "Permission denied"));
	EXPECT(HEALTH_DEGRADED,
		"the disk of state_dir (/s) has not answered for 16 seconds: "
		"nothing can be written there",
		f.disks[0].waits_ms = 16000);
	EXPECT(HEALTH_DEGRADED,
		"the disk of state_dir (/s) has not answered for 2 minutes: "
		"nothing can be written there",
		f.disks[0].waits_ms = 120000;
		f.disks[0].is_known = false);
	EXPECT_WELL(f.disks[0].waits_ms = HEALTH_DISK_MS);
}

static void
test_clock(void **state)
{
	static const char wrong[] =
		"this machine's clock is wrong: certificates of upstreams will "
		"not be accepted; set it, by NTP for instance";

	(void)state;
	EXPECT(HEALTH_DEGRADED, wrong, f.wall_s = 0);
	EXPECT(HEALTH_DEGRADED, wrong, f.wall_s = HEALTH_CLOCK_FIRST_S - 1);
	EXPECT(HEALTH_DEGRADED, wrong, f.wall_s = HEALTH_CLOCK_LAST_S + 1);
	EXPECT_WELL(f.wall_s = HEALTH_CLOCK_FIRST_S);
	EXPECT(HEALTH_DEGRADED,
		"this machine's clock was set forward by 2 hours, 1 second "
		"ago: times in the history and in logs jump there",
		f.jump_us = 7200 * (int64_t)1000000;
		f.jumped_ago_ms = 1500);
	EXPECT(HEALTH_DEGRADED,
		"this machine's clock was set back by 60 seconds, 10 minutes "
		"ago: times in the history and in logs jump there",
		f.jump_us = -60000000;
		f.jumped_ago_ms = HEALTH_JUMP_TOLD_MS);
	EXPECT_WELL(f.jump_us = -60000000;
		    f.jumped_ago_ms = HEALTH_JUMP_TOLD_MS + 1);
	EXPECT_WELL(f.jump_us = 59999999; f.jumped_ago_ms = 0);
}

static void
test_calibration(void **state)
{
	(void)state;
	EXPECT(HEALTH_DEGRADED,
		"the file calibration in state_dir cannot be written, so what "
		"is learned of token counts will not outlive the service: the "
		"log says why",
		f.is_calibration_unsaved = true);
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
	f.nupstreams = HEALTH_UPSTREAMS_MAX;
	for (size_t i = 0; i < HEALTH_UPSTREAMS_MAX; i++)
		f.upstreams[i] = (struct health_upstream){
			.base = span_of(name, sizeof(name)),
			.recent = { 0, UINT64_MAX / 2, UINT64_MAX / 2 },
		};
	f.ndisks = HEALTH_DISKS_MAX;
	for (size_t i = 0; i < HEALTH_DISKS_MAX; i++)
		f.disks[i] = (struct health_disk){ .key = "log_dir",
			.path = span_of(name, sizeof(name)),
			.is_known = true,
			.waits_ms = INT64_MAX };
	f.history = (struct health_history){ .is_on = true, .recent_lost = 1 };
	memset(f.history.why, 'y', sizeof(f.history.why) - 1);
	f.jump_us = INT64_MAX;
	f.is_stopping = f.is_drained = f.is_calibration_unsaved = true;
	f.workers_silent = 1;
	f.recent_deaths = UINT32_MAX;
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

/* --- what has been going on ------------------------------------------------
 */

#define S ((int64_t)1000)

static struct watch_sample
sample(int64_t now_ms)
{
	return (struct watch_sample){
		.now_ms = now_ms,
		.boot_us = now_ms * 1000,
		.wall_us = (1795334400 * S + now_ms) * 1000,
	};
}

static void
test_shares_are_of_the_last_minutes(void **state)
{
	struct watch w = { .has_begun = false };
	struct watch_sample s = sample(1000 * S);
	struct watch_outcomes o;

	(void)state;
	/* What was before is not known. */
	s.upstreams[1] = (struct watch_outcomes){ 500, 600, 700 };
	watch_take(&w, &s);
	o = watch_recent(&w.upstreams[1]);
	assert_int_equal(o.answers + o.refusals + o.silences, 0);
	assert_int_equal(w.upstreams[1].answered_ms, 0);
	assert_int_equal(w.upstreams[1].failed_ms, 0);
	s.upstreams[1].answers += 7;
	s.upstreams[1].silences += 2;
	s.now_ms = 1001 * S;
	watch_take(&w, &s);
	o = watch_recent(&w.upstreams[1]);
	assert_int_equal(o.answers, 7);
	assert_int_equal(o.refusals, 0);
	assert_int_equal(o.silences, 2);
	assert_int_equal(w.upstreams[1].answered_ms, 1001 * S);
	assert_int_equal(w.upstreams[1].failed_ms, 1001 * S);
	s.upstreams[1].refusals += 1;
	for (int64_t t = 1002; t <= 1270; t++) {
		s.now_ms = t * S;
		watch_take(&w, &s);
		o = watch_recent(&w.upstreams[1]);
		assert_int_equal(o.answers, 7);
		assert_int_equal(o.refusals, 1);
	}
	assert_int_equal(w.upstreams[1].answered_ms, 1001 * S);
	assert_int_equal(w.upstreams[1].failed_ms, 1002 * S);
	/* After the window they are gone. */
	for (int64_t t = 1271; t <= 1340; t++) {
		s.now_ms = t * S;
		watch_take(&w, &s);
	}
	o = watch_recent(&w.upstreams[1]);
	assert_int_equal(o.answers + o.refusals + o.silences, 0);
	/* A counter that goes back is no huge number. */
	s.upstreams[1].answers = 3;
	watch_take(&w, &s);
	assert_int_equal(watch_recent(&w.upstreams[1]).answers, 0);
}

static void
test_clock_jumps(void **state)
{
	struct watch w = { .has_begun = false };
	struct watch_sample s = sample(5 * S);

	(void)state;
	watch_take(&w, &s);
	/* A late sample, a sleep of the machine and slewing are none. */
	s = sample(500 * S);
	watch_take(&w, &s);
	s.now_ms += 500;
	s.boot_us += 36000 * S * S;
	s.wall_us += 36000 * S * S + WATCH_STEP_US;
	watch_take(&w, &s);
	assert_int_equal(w.jump_us, 0);
	s.now_ms += 500;
	s.wall_us -= 90 * S * S;
	watch_take(&w, &s);
	assert_int_equal(w.jump_us, -90 * S * S);
	assert_int_equal(w.jumped_ms, s.now_ms);
	/* It is told, not repeated. */
	s.now_ms += 500;
	watch_take(&w, &s);
	assert_int_equal(w.jumped_ms, s.now_ms - 500);
}

static void
test_losses_and_deaths_are_sampled(void **state)
{
	struct watch w = { .has_begun = false };
	struct watch_sample s = sample(5 * S);

	(void)state;
	s.losses = 40;
	s.deaths = 3;
	watch_take(&w, &s);
	assert_int_equal(deaths_recent(&w.losses, 41), 1);
	assert_int_equal(deaths_recent(&w.deaths, 5), 2);
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
		cmocka_unit_test(test_drained),
		cmocka_unit_test(test_upstreams),
		cmocka_unit_test(test_no_upstream_answers),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_logs),
		cmocka_unit_test(test_disks),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_calibration),
		cmocka_unit_test(test_reasons_are_bounded),
		cmocka_unit_test(test_shares_are_of_the_last_minutes),
		cmocka_unit_test(test_clock_jumps),
		cmocka_unit_test(test_losses_and_deaths_are_sampled),
		cmocka_unit_test(test_deaths_are_counted_by_the_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
