/* SPDX-License-Identifier: MIT */
/* test_history.c - the history's sums and its database. */
#include "admin/history_db.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/t.h"

static struct history_sums *sums;
static char dir[] = "/tmp/glmproxy-history-XXXXXX";
static char path[64];

static void
remove_all(void)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-corrupt-1",
		"-corrupt-2", "-corrupt-1-wal", "-corrupt-2-wal" };
	char name[96];

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		(void)unlink(name);
	}
}

static int
begin(void **state)
{
	(void)state;
	remove_all();
	history_sums_init(sums);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	history_sums_fini(sums);
	return 0;
}

static struct record
example(int64_t time_us, struct span model)
{
	struct record r;

	record_init(&r);
	r.time_us = time_us;
	r.status = 200;
	r.input = 100;
	r.cached = 40;
	r.output = 7;
	r.total_us = 5000;
	r.request = SPAN("req_1");
	r.client = SPAN("ann");
	r.model = model;
	return r;
}

#define HOUR_US INT64_C(3600000000)

static void
add(int64_t time_us, struct span model)
{
	const struct record r = example(time_us, model);

	assert_true(history_sums_add(sums, &r));
}

/* --- sums ----------------------------------------------------------------- */

static void
test_groups(void **state)
{
	struct record r;

	(void)state;
	add(HOUR_US, SPAN("a"));
	add(HOUR_US + 59999999, SPAN("a"));
	add(HOUR_US + 60000000, SPAN("a")); /* another minute */
	add(HOUR_US, SPAN("b"));
	r = example(HOUR_US, SPAN("a"));
	r.status = 429;
	r.input = r.cached = r.output = -1;
	r.total_us = 9000;
	assert_true(history_sums_add(sums, &r));
	assert_int_equal(sums->n, 4);
	assert_int_equal(sums->records, 5);
	assert_int_equal(sums->groups[0].requests, 2);
	assert_int_equal(sums->groups[0].input, 200);
	assert_int_equal(sums->groups[0].counted, 2);
	assert_int_equal(sums->groups[0].key.time_s, 3600);
	assert_int_equal(sums->groups[1].key.time_s, 3660);
	assert_string_equal(sums->groups[2].key.model, "b");
	assert_int_equal(sums->groups[3].counted, 0);
	assert_int_equal(sums->groups[3].input, 0);
	assert_int_equal(sums->groups[3].longest_us, 9000);
	history_sums_clear(sums);
	assert_int_equal(sums->n, 0);
	add(HOUR_US, SPAN("a"));
	assert_int_equal(sums->groups[0].requests, 1);
}

/* Clients cannot make it grow with names that they make up. */
static void
test_names_run_out(void **state)
{
	char name[16];
	int64_t all = 0;

	(void)state;
	for (int i = 0; i < 3 * HISTORY_NAMES; i++) {
		(void)snprintf(name, sizeof(name), "m%d", i);
		add(HOUR_US, span_cstr(name));
	}
	assert_int_equal(sums->n, HISTORY_NAMES + 1);
	assert_string_equal(sums->groups[HISTORY_NAMES].key.model, "other");
	assert_string_equal(sums->groups[HISTORY_NAMES].key.client, "other");
	/* Who was there first stays. */
	add(HOUR_US, SPAN("m0"));
	assert_int_equal(sums->groups[0].requests, 2);
	for (size_t i = 0; i < sums->n; i++)
		all += sums->groups[i].requests;
	assert_int_equal(all, 3 * HISTORY_NAMES + 1);
	/* The next hour has room again. */
	add(2 * HOUR_US, SPAN("m1535"));
	assert_string_equal(sums->groups[sums->n - 1].key.model, "m1535");
}

/* Nothing can be written for a long time. */
static void
test_groups_run_out(void **state)
{
	uint64_t lost = 0;
	struct record r;

	(void)state;
	for (int64_t i = 0; i < 2 * HISTORY_GROUPS_MAX; i++) {
		r = example(i * 60000000, SPAN("m"));
		lost += !history_sums_add(sums, &r);
	}
	assert_int_equal(sums->n, HISTORY_GROUPS_MAX);
	assert_int_equal(lost, HISTORY_GROUPS_MAX);
	assert_int_equal(sums->records, HISTORY_GROUPS_MAX);
	/* One that is there still takes more, */
	add(0, SPAN("m"));
	assert_int_equal(sums->groups[0].requests, 2);
	/* and beyond a number names are given up. */
	assert_string_equal(
		sums->groups[HISTORY_GROUPS].key.model, HISTORY_OTHER);
	assert_string_equal(sums->groups[HISTORY_GROUPS - 1].key.model, "m");
}

/* --- the database --------------------------------------------------------- */

static int64_t
ask(const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *s;
	int64_t v;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	v = sqlite3_column_int64(s, 0);
	(void)sqlite3_finalize(s);
	(void)sqlite3_close(db);
	return v;
}

static void
tell(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
}

static void
open_db(struct history_db *d)
{
	history_db_init(d, span_cstr(path));
	assert_int_equal(history_db_open(d), HISTORY_DB_DONE);
}

static void
put_row(struct buf *rows, int64_t time_us)
{
	const struct record r = example(time_us, SPAN("m"));
	char bytes[RECORD_MAX];

	history_rows_put(rows, span_of(bytes, record_write(&r, bytes)), 2.5);
}

static void
test_add(void **state)
{
	struct history_db d;
	struct buf rows;
	size_t n;

	(void)state;
	open_db(&d);
	assert_int_equal(ask("PRAGMA user_version"), HISTORY_DB_VERSION);
	assert_int_equal(ask("PRAGMA auto_vacuum"), 2);
	buf_init(&rows, 65536);
	put_row(&rows, HOUR_US + 5);
	put_row(&rows, HOUR_US + 6);
	for (int round = 1; round <= 3; round++) {
		add(HOUR_US, SPAN("m"));
		add(HOUR_US + 70000000, SPAN("m"));
		assert_int_equal(history_db_add(&d, sums, buf_span(&rows), &n),
			HISTORY_DB_DONE);
		assert_int_equal(n, 2);
		history_sums_clear(sums);
		assert_int_equal(
			ask("SELECT count(*) FROM request"), 2 * round);
		assert_int_equal(ask("SELECT count(*) FROM minute"), 2);
		assert_int_equal(ask("SELECT count(*) FROM hour"), 1);
		assert_int_equal(ask("SELECT requests FROM hour"), 2 * round);
		assert_int_equal(ask("SELECT count(*) FROM day"), 1);
		assert_int_equal(ask("SELECT requests FROM day"), 2 * round);
		assert_int_equal(ask("SELECT input FROM minute"), 100 * round);
	}
	assert_int_equal(ask("SELECT longest_us FROM hour"), 5000);
	assert_int_equal(ask("SELECT head_us IS NULL FROM request"), 1);
	assert_int_equal(ask("SELECT weight * 2 FROM request"), 5);
	history_db_close(&d);
	/* Once more: there is nothing to make. */
	open_db(&d);
	assert_true(history_db_is_there(&d));
	assert_int_equal(unlink(path), 0);
	assert_false(history_db_is_there(&d));
	history_db_close(&d);
	buf_fini(&rows);
}

/* A database of an earlier version, with a row in it. */
static void
test_migration(void **state)
{
	struct history_db d;
	struct buf rows;
	size_t n;

	(void)state;
	open_db(&d);
	buf_init(&rows, 65536);
	put_row(&rows, HOUR_US);
	add(HOUR_US, SPAN("m"));
	assert_int_equal(
		history_db_add(&d, sums, buf_span(&rows), &n), HISTORY_DB_DONE);
	history_db_close(&d);
	tell("DROP INDEX request_client; DROP INDEX request_model;"
	     "DROP INDEX request_failed; DROP TABLE day;"
	     "ALTER TABLE request DROP COLUMN messages;"
	     "ALTER TABLE request DROP COLUMN max_tokens;"
	     "ALTER TABLE request DROP COLUMN thinking;"
	     "ALTER TABLE request DROP COLUMN vision;"
	     "ALTER TABLE request DROP COLUMN window;"
	     "PRAGMA user_version = 1");
	open_db(&d);
	assert_int_equal(
		history_db_add(&d, sums, buf_span(&rows), &n), HISTORY_DB_DONE);
	assert_int_equal(n, 1);
	assert_int_equal(ask("SELECT count(*) FROM request"), 2);
	assert_int_equal(
		ask("SELECT count(*) FROM request WHERE vision = 0"), 1);
	/* What was in the hours is in the days. */
	assert_int_equal(ask("SELECT requests FROM day"), 2);
	assert_int_equal(ask("SELECT time_s % 86400 FROM day"), 0);
	history_db_close(&d);
	buf_fini(&rows);
}

static void
test_troubles(void **state)
{
	struct history_db d;
	sqlite3 *other;
	size_t n;

	(void)state;
	open_db(&d);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL),
		SQLITE_OK);
	add(HOUR_US, SPAN("m"));
	assert_int_equal(
		history_db_add(&d, sums, SPAN_EMPTY, &n), HISTORY_DB_BUSY);
	assert_non_null(strstr(d.why, "locked"));
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	assert_int_equal(
		history_db_add(&d, sums, SPAN_EMPTY, &n), HISTORY_DB_DONE);
	history_db_close(&d);
	/* A later version is left alone. */
	tell("PRAGMA user_version = 1000");
	assert_int_equal(history_db_open(&d), HISTORY_DB_FAILED);
	assert_non_null(strstr(d.why, "later version"));
	assert_null(d.db);
	assert_int_equal(ask("SELECT count(*) FROM minute"), 1);
	/* Tables that are not ours. */
	tell("PRAGMA user_version = 0");
	assert_int_equal(history_db_open(&d), HISTORY_DB_FAILED);
	assert_non_null(strstr(d.why, "already exists"));
}

static void
test_set_aside(void **state)
{
	char name[96];
	char text[32];

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct history_db d;
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		assert_true(fprintf(f, "%d%0999d", i, 0) > 0);
		assert_int_equal(fclose(f), 0);
		history_db_init(&d, span_cstr(path));
		assert_int_equal(history_db_open(&d), HISTORY_DB_SPOILT);
		assert_true(history_db_set_aside(&d));
		assert_int_equal(access(path, F_OK), -1);
		assert_int_equal(history_db_open(&d), HISTORY_DB_DONE);
		history_db_close(&d);
	}
	for (int i = 1; i <= 2; i++) {
		FILE *f;

		(void)snprintf(name, sizeof(name), "%s-corrupt-%d", path, i);
		f = fopen(name, "r");
		assert_non_null(f);
		assert_non_null(fgets(text, sizeof(text), f));
		assert_int_equal(text[0], '0' + 4 - i);
		assert_int_equal(fclose(f), 0);
	}
}

static void
test_prune(void **state)
{
	struct history_db d;
	struct buf rows;
	int64_t before;
	size_t n;

	(void)state;
	open_db(&d);
	buf_init(&rows, 4u << 20);
	for (int64_t i = 0; i < 4000; i++)
		put_row(&rows, i * 60000000);
	for (int64_t i = 0; i < 4000; i += 10)
		add(i * 60000000, SPAN("m"));
	assert_int_equal(
		history_db_add(&d, sums, buf_span(&rows), &n), HISTORY_DB_DONE);
	before = ask("PRAGMA page_count");
	assert_int_equal(history_db_prune(&d, 0, 1000), HISTORY_DB_DONE);
	assert_int_equal(ask("SELECT count(*) FROM request"), 4000);
	/* A bit at a time, the oldest first. */
	assert_int_equal(
		history_db_prune(&d, 3000 * 60, 1000), HISTORY_DB_DONE);
	assert_int_equal(ask("SELECT count(*) FROM request"), 3000);
	assert_int_equal(ask("SELECT min(time_us) FROM request"),
		INT64_C(1000) * 60000000);
	for (int i = 0; i < 400; i++)
		assert_int_equal(
			history_db_prune(&d, 3000 * 60, 1000), HISTORY_DB_DONE);
	assert_int_equal(ask("SELECT count(*) FROM request"), 1000);
	assert_int_equal(ask("SELECT min(time_s) FROM minute"), 3000 * 60);
	assert_int_equal(ask("SELECT min(time_s) FROM hour"), 3000 * 60 - 3600);
	assert_true(ask("PRAGMA page_count") < before);
	history_db_close(&d);
	buf_fini(&rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_groups, begin, end),
		cmocka_unit_test_setup_teardown(test_names_run_out, begin, end),
		cmocka_unit_test_setup_teardown(
			test_groups_run_out, begin, end),
		cmocka_unit_test_setup_teardown(test_add, begin, end),
		cmocka_unit_test_setup_teardown(test_migration, begin, end),
		cmocka_unit_test_setup_teardown(test_troubles, begin, end),
		cmocka_unit_test_setup_teardown(test_set_aside, begin, end),
		cmocka_unit_test_setup_teardown(test_prune, begin, end),
	};
	int failed;

	if (mkdtemp(dir) == NULL)
		return 1;
	(void)snprintf(path, sizeof(path), "%s/history.db", dir);
	sums = malloc(sizeof(*sums));
	failed = sums == NULL ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
	free(sums);
	remove_all();
	(void)rmdir(dir);
	return failed;
}
