/* SPDX-License-Identifier: MIT */
/*
 * cmd_stats.c - `glmproxy stats`: sums of the history, as a table, CSV or JSON.
 *
 * Reads the database of the admin process (admin/history_db.h), which may be
 * written at the same time, and never writes to it.
 */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "master/commands.h"
#include "shared/json/jout.h"

#define HOUR_S INT64_C(3600)
#define DAY_S  (24 * HOUR_S)
/* From here on, sums by the hour will do. */
#define MINUTES_MOST_S (2 * DAY_S)
#define DEFAULT_LAST_S (7 * DAY_S)
#define LAST_MOST_S    (36500 * DAY_S)
#define BUSY_MS        3000
#define SQL_MAX        4096
#define ROW_MAX        65536

/* What rows are told apart by. */
static const struct key {
	const char *name;
	const char *sql;
	bool is_time;
} keys[] = {
	{ "minute", "strftime('%Y-%m-%dT%H:%MZ', time_s, 'unixepoch')", true },
	{ "hour", "strftime('%Y-%m-%dT%H:00Z', time_s, 'unixepoch')", true },
	{ "day", "strftime('%Y-%m-%d', time_s, 'unixepoch')", true },
	{ "model", "model", false },
	{ "client", "client", false },
	{ "status", "status", false },
	{ "error", "error", false },
	{ "dialect", "dialect", false },
	{ "upstream", "upstream", false },
};

/* What is said of each. */
static const char figures_sql[] =
	"sum(requests) AS requests,"
	" sum(CASE WHEN status >= 400 OR broken > 0 THEN"
	" CASE WHEN status >= 400 THEN requests ELSE broken END"
	" ELSE 0 END) AS failed,"
	" sum(cancelled) AS cancelled, sum(streamed) AS streamed,"
	" sum(input) AS input_tokens, sum(cached) AS cached_tokens,"
	" sum(output) AS output_tokens,"
	" sum(first_us) / nullif(sum(firsts), 0) / 1000 AS first_byte_ms,"
	" sum(total_us) / sum(requests) / 1000 AS total_ms,"
	" max(longest_us) / 1000 AS longest_ms";

enum form {
	FORM_TABLE,
	FORM_CSV,
	FORM_JSON
};

struct job {
	const struct key *by[ARRAY_LEN(keys)];
	size_t nby;
	int64_t last_s;
	bool of_counts; /* counts of tokens instead of chats */
	enum form form;
	char path[PATH_MAX + 16];
	sqlite3 *db;
	sqlite3_stmt *rows;
};

/* --- options -------------------------------------------------------------- */

static const struct key *
find_key(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (span_eq(name, span_cstr(keys[i].name)))
			return &keys[i];
	return NULL;
}

static bool
has_key(const struct job *j, const struct key *k)
{
	for (size_t i = 0; i < j->nby; i++)
		if (j->by[i] == k)
			return true;
	return false;
}

static int
take_by(const struct cli *cli, struct job *j, const char *text)
{
	struct span rest = span_cstr(text);
	struct span name;

	j->nby = 0;
	while (span_split(&rest, ',', &name)) {
		const struct key *const k = find_key(span_trim(name));

		if (k == NULL)
			return cli_usage(cli,
				"--by takes minute, hour, day, model, client, "
				"status, error, dialect, upstream, parted by "
				"commas, not %.*s",
				(int)MIN(name.n, 64), name.p);
		if (!has_key(j, k))
			j->by[j->nby++] = k;
	}
	return EXIT_DONE;
}

static int
take_last(const struct cli *cli, struct job *j, const char *text)
{
	static const struct {
		char unit;
		int64_t s;
	} units[] = { { 'm', 60 }, { 'h', HOUR_S }, { 'd', DAY_S } };
	const struct span s = span_cstr(text);
	uint64_t n;

	for (size_t i = 0; s.n > 1 && i < ARRAY_LEN(units); i++) {
		if (s.p[s.n - 1] != units[i].unit ||
			!span_u64(span_head(s, s.n - 1), &n) || n == 0 ||
			n > (uint64_t)(LAST_MOST_S / units[i].s))
			continue;
		j->last_s = (int64_t)n * units[i].s;
		return EXIT_DONE;
	}
	return cli_usage(cli, "--last takes a time such as 90m, 24h or 7d");
}

static int
take_options(const struct cli *cli, struct job *j)
{
	int code = EXIT_DONE;

	*j = (struct job){
		.by = { &keys[2], &keys[3] }, .nby = 2, .last_s = DEFAULT_LAST_S
	};
	for (size_t i = 0; code == EXIT_DONE && i < cli->nargs; i++) {
		const char *const word = cli->args[i];
		const char *const next = cli->args[i + 1];
		const bool has_value = strcmp(word, "--by") == 0 ||
			strcmp(word, "--last") == 0;

		if (strcmp(word, "--csv") == 0)
			j->form = FORM_CSV;
		else if (strcmp(word, "--json") == 0)
			j->form = FORM_JSON;
		else if (strcmp(word, "--counts") == 0)
			j->of_counts = true;
		else if (!has_value)
			code = cli_usage(cli, "unknown option %s", word);
		else if (next == NULL)
			code = cli_usage(cli, "%s needs a value", word);
		else if (word[2] == 'b')
			code = take_by(cli, j, next);
		else
			code = take_last(cli, j, next);
		i += has_value;
	}
	return code;
}

/* --- the question --------------------------------------------------------- */

static void
put_sql(const struct job *j, struct buf *sql)
{
	bool by_minute = j->last_s <= MINUTES_MOST_S;

	buf_puts(sql, "SELECT ");
	for (size_t i = 0; i < j->nby; i++) {
		buf_printf(
			sql, "%s AS \"%s\", ", j->by[i]->sql, j->by[i]->name);
		by_minute = by_minute || j->by[i] == &keys[0];
	}
	buf_puts(sql, figures_sql);
	buf_printf(sql, " FROM %s WHERE is_count = %d AND time_s > ?",
		by_minute ? "minute" : "hour", j->of_counts);
	if (j->nby == 0) {
		/* Without any request there is no row. */
		buf_puts(sql, " HAVING count(*) > 0");
		return;
	}
	buf_puts(sql, " GROUP BY ");
	for (size_t i = 0; i < j->nby; i++)
		buf_printf(sql, "%s%zu", i > 0 ? ", " : "", i + 1);
	buf_puts(sql, " ORDER BY ");
	for (size_t i = 0; i < j->nby; i++)
		if (j->by[i]->is_time)
			buf_printf(sql, "%zu, ", i + 1);
	buf_puts(sql, "requests DESC");
	for (size_t i = 0; i < j->nby; i++)
		buf_printf(sql, ", %zu", i + 1);
}

/* The path as a URI. A database that its reader may not write beside, and that
 * nobody has open, can be read as a file that does not change. */
static int
open_at(struct job *j, const char *how)
{
	struct buf uri;
	int rc;

	buf_init(&uri, 4 * sizeof(j->path));
	buf_puts(&uri, "file:");
	for (const char *p = j->path; *p != '\0'; p++)
		if (*p == '%' || *p == '?' || *p == '#')
			buf_printf(&uri, "%%%02x", (unsigned char)*p);
		else
			buf_putc(&uri, *p);
	buf_puts(&uri, how);
	buf_putc(&uri, '\0');
	rc = sqlite3_open_v2(
		uri.data, &j->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
	buf_fini(&uri);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(j->db, BUSY_MS);
	return rc;
}

static void
close_db(struct job *j)
{
	(void)sqlite3_finalize(j->rows);
	j->rows = NULL;
	(void)sqlite3_close(j->db);
	j->db = NULL;
}

static int
open_and_ask(struct job *j, const char *how, const struct buf *sql)
{
	const int64_t since_s = (int64_t)time(NULL) - j->last_s;
	int rc = open_at(j, how);

	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(
			j->db, sql->data, (int)buf_len(sql), &j->rows, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(j->rows, 1, since_s);
	return rc;
}

static bool
ask(struct job *j)
{
	struct buf sql;
	int rc;

	buf_init(&sql, SQL_MAX);
	put_sql(j, &sql);
	rc = open_and_ask(j, "?mode=ro", &sql);
	if ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY) {
		close_db(j);
		rc = open_and_ask(j, "?immutable=1", &sql);
	}
	buf_fini(&sql);
	if (rc != SQLITE_OK)
		(void)fprintf(stderr, "glmproxy stats: %s: %s\n", j->path,
			j->db != NULL ? sqlite3_errmsg(j->db) :
					sqlite3_errstr(rc));
	return rc == SQLITE_OK;
}

/* --- telling -------------------------------------------------------------- */

static bool
is_number(const struct job *j, int column)
{
	return sqlite3_column_type(j->rows, column) == SQLITE_INTEGER;
}

static struct span
text_of(const struct job *j, int column)
{
	const void *const p = sqlite3_column_text(j->rows, column);

	return p == NULL ?
		SPAN_EMPTY :
		span_of(p, (size_t)sqlite3_column_bytes(j->rows, column));
}

/* Characters, not bytes. */
static int
width_of(struct span s)
{
	int n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((uint8_t)s.p[i] & 0xc0) != 0x80;
	return n;
}

static void
put_csv_text(struct buf *out, struct span s)
{
	buf_putc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			buf_putc(out, '"');
		buf_putc(out, s.p[i]);
	}
	buf_putc(out, '"');
}

static void
put_csv_row(const struct job *j, int ncolumns, struct buf *out)
{
	for (int i = 0; i < ncolumns; i++) {
		if (i > 0)
			buf_putc(out, ',');
		if (sqlite3_column_type(j->rows, i) == SQLITE_TEXT)
			put_csv_text(out, text_of(j, i));
		else
			buf_put(out, text_of(j, i));
	}
	buf_puts(out, "\r\n");
}

static void
put_json_row(const struct job *j, int ncolumns, struct buf *out)
{
	struct jout o;

	jout_init(&o, out);
	jout_obj(&o);
	for (int i = 0; i < ncolumns; i++) {
		const char *const name = sqlite3_column_name(j->rows, i);

		if (is_number(j, i))
			jout_kv_int(&o, name, sqlite3_column_int64(j->rows, i));
		else if (sqlite3_column_type(j->rows, i) == SQLITE_NULL)
			jout_kv_raw(&o, name, (struct jraw){ SPAN("null") });
		else
			jout_kv_span(&o, name, text_of(j, i));
	}
	jout_obj_end(&o);
}

static void
put_cell(struct buf *out, struct span s, int width, bool is_right)
{
	const int pad = MAX(width - width_of(s), 0);

	if (is_right)
		buf_printf(out, "%*s", pad, "");
	buf_put(out, s);
	if (!is_right)
		buf_printf(out, "%*s", pad, "");
}

/* NULL, in figures, is what is not known. */
static struct span
cell_of(const struct job *j, int column)
{
	return sqlite3_column_type(j->rows, column) == SQLITE_NULL ||
			text_of(j, column).n == 0 ?
		SPAN("-") :
		text_of(j, column);
}

static void
put_table_row(
	const struct job *j, int ncolumns, const int *widths, struct buf *out)
{
	for (int i = 0; i < ncolumns; i++) {
		if (i > 0)
			buf_puts(out, "  ");
		put_cell(out, cell_of(j, i), widths[i], i >= (int)j->nby);
	}
	buf_putc(out, '\n');
}

enum {
	COLUMNS_MAX = ARRAY_LEN(keys) + 16
};

static int
measure(struct job *j, int ncolumns, int widths[COLUMNS_MAX])
{
	int rc;

	for (int i = 0; i < ncolumns; i++)
		widths[i] = (int)strlen(sqlite3_column_name(j->rows, i));
	while ((rc = sqlite3_step(j->rows)) == SQLITE_ROW)
		for (int i = 0; i < ncolumns; i++)
			widths[i] = MAX(widths[i], width_of(cell_of(j, i)));
	(void)sqlite3_reset(j->rows);
	return rc;
}

static void
put_names(const struct job *j, int ncolumns, const int *widths, struct buf *out)
{
	for (int i = 0; i < ncolumns; i++) {
		const struct span name =
			span_cstr(sqlite3_column_name(j->rows, i));

		if (j->form == FORM_CSV) {
			buf_puts(out, i > 0 ? "," : "");
			buf_put(out, name);
		} else {
			buf_puts(out, i > 0 ? "  " : "");
			put_cell(out, name, widths[i], i >= (int)j->nby);
		}
	}
	buf_puts(out, j->form == FORM_CSV ? "\r\n" : "\n");
}

static void
flush(struct buf *out)
{
	const struct span s = buf_span(out);

	(void)fwrite(s.p, 1, s.n, stdout);
	buf_reset(out, ROW_MAX);
}

static int
print_rows(struct job *j, int ncolumns, const int *widths)
{
	struct buf out;
	size_t n = 0;
	int rc;

	buf_init(&out, ROW_MAX);
	if (j->form == FORM_JSON)
		buf_puts(&out, "[");
	else
		put_names(j, ncolumns, widths, &out);
	while ((rc = sqlite3_step(j->rows)) == SQLITE_ROW) {
		if (j->form == FORM_JSON) {
			buf_puts(&out, n > 0 ? ",\n " : "\n ");
			put_json_row(j, ncolumns, &out);
		} else if (j->form == FORM_CSV) {
			put_csv_row(j, ncolumns, &out);
		} else {
			put_table_row(j, ncolumns, widths, &out);
		}
		n++;
		flush(&out);
	}
	if (j->form == FORM_JSON)
		buf_puts(&out, n > 0 ? "\n]\n" : "]\n");
	flush(&out);
	buf_fini(&out);
	return rc;
}

static int
print(struct job *j)
{
	const int ncolumns = MIN(sqlite3_column_count(j->rows), COLUMNS_MAX);
	int widths[COLUMNS_MAX] = { 0 };
	int rc = SQLITE_DONE;

	if (j->form == FORM_TABLE)
		rc = measure(j, ncolumns, widths);
	if (rc == SQLITE_DONE)
		rc = print_rows(j, ncolumns, widths);
	if (rc != SQLITE_DONE) {
		(void)fprintf(stderr, "glmproxy stats: %s: %s\n", j->path,
			sqlite3_errmsg(j->db));
		return EXIT_FAILED;
	}
	return fflush(stdout) == 0 && ferror(stdout) == 0 ? EXIT_DONE :
							    EXIT_FAILED;
}

int
cmd_stats(struct cli *cli)
{
	char dir[PATH_MAX];
	struct job j;
	struct conf *c;
	int code = take_options(cli, &j);

	if (code != EXIT_DONE)
		return code;
	c = cli_load(cli);
	if (c == NULL)
		return EXIT_CONFIG;
	paths_absolute(dir, c->state_dir);
	conf_free(&c);
	(void)snprintf(j.path, sizeof(j.path), "%s/history.db", dir);
	code = ask(&j) ? print(&j) : EXIT_FAILED;
	close_db(&j);
	return code;
}
