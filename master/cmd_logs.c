/* SPDX-License-Identifier: MIT */
/* cmd_logs.c - `glmproxy logs`: what log files there are, and tidying up. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "master/commands.h"
#include "shared/json/jout.h"
#include "shared/sys/clock.h"
#include "shared/sys/logdir.h"
#include "shared/sys/loggzip.h"

#define DAY_S    86400
#define SETTLE_S 60
/* The service compresses a file in that time. */
#define LOCK_MS 20000
#define TURN_MS 100
#define STEP    INT64_C(0x800000)
#define LARGEST 10
#define OUT_MAX (64u << 20)

struct job {
	bool cleans, compresses, only_shows, as_json;
	char dir[PATH_MAX];
	int dir_fd;
	struct logdir_rules rules;
	struct logdir_list files;
	int64_t freed_bytes;
	size_t nremoved, ncompressed;
	bool has_failed;
};

/* --- options -------------------------------------------------------------- */

static int
take_options(const struct cli *cli, struct job *j)
{
	const struct {
		const char *name;
		bool *flag;
	} options[] = {
		{ "--cleanup", &j->cleans },
		{ "--compress", &j->compresses },
		{ "--dry-run", &j->only_shows },
		{ "--json", &j->as_json },
	};

	*j = (struct job){ .dir_fd = -1 };
	for (size_t i = 0; i < cli->nargs; i++) {
		bool *flag = NULL;

		for (size_t k = 0; k < ARRAY_LEN(options); k++)
			if (strcmp(cli->args[i], options[k].name) == 0)
				flag = options[k].flag;
		if (flag == NULL)
			return cli_usage(cli, "unknown %s %s",
				cli->args[i][0] == '-' ? "option" : "argument",
				cli->args[i]);
		*flag = true;
	}
	return j->only_shows && !j->cleans && !j->compresses ?
		cli_usage(cli, "--dry-run goes with --cleanup or --compress") :
		EXIT_DONE;
}

/* --- tidying up ----------------------------------------------------------- */

static void
complain(struct job *j, const struct gp_error *err)
{
	(void)fprintf(stderr, "glmproxy logs: %s\n", err->text);
	j->has_failed = true;
}

/* Progress, where a person looks on. */
static void
show_progress(const struct job *j, const struct loggzip *z, int64_t bytes)
{
	if (!j->as_json && isatty(STDERR_FILENO) != 0)
		(void)fprintf(stderr, "\r%s %3d %%\033[K", z->from,
			(int)(z->read_bytes * 100 / MAX(bytes, 1)));
}

static void
compress_file(struct job *j, struct logdir_file *f)
{
	enum loggzip_result r = LOGGZIP_MORE;
	struct loggzip z;
	struct gp_error err;

	if (loggzip_begin(&z, j->dir_fd, &f->is, &err) != GP_OK) {
		complain(j, &err);
		return;
	}
	while (r == LOGGZIP_MORE) {
		r = loggzip_step(&z, STEP, &err);
		if (r == LOGGZIP_MORE)
			show_progress(j, &z, f->bytes);
	}
	if (r == LOGGZIP_FAILED) {
		complain(j, &err);
		return;
	}
	j->ncompressed++;
	j->freed_bytes += z.read_bytes - z.written_bytes;
	f->is.state = LOG_COMPRESSED;
	f->bytes = z.written_bytes;
	memcpy(f->name, z.to, sizeof(z.to));
}

static void
remove_file(struct job *j, const struct logdir_file *f)
{
	struct gp_error err;

	if (logdir_remove(j->dir_fd, f, &err) != GP_OK) {
		complain(j, &err);
		return;
	}
	j->nremoved++;
	j->freed_bytes += f->bytes;
}

static bool
is_to_go(const struct job *j, const struct logdir_file *f)
{
	return j->cleans && logdir_is_doomed(f);
}

static bool
is_to_shrink(const struct job *j, const struct logdir_file *f)
{
	return j->compresses && f->fate == LOGDIR_COMPRESS;
}

static void
act(struct job *j)
{
	for (size_t i = 0; i < j->files.n; i++)
		if (is_to_go(j, &j->files.v[i]))
			remove_file(j, &j->files.v[i]);
	for (size_t i = 0; i < j->files.n; i++)
		if (is_to_shrink(j, &j->files.v[i]))
			compress_file(j, &j->files.v[i]);
	if (!j->as_json && j->ncompressed > 0 && isatty(STDERR_FILENO) != 0)
		(void)fputs("\r\033[K", stderr);
}

/* The service may be at it. */
static bool
wait_lock(const struct job *j)
{
	const int64_t until_ms = clock_mono_ms() + LOCK_MS;

	while (!logdir_try_lock(j->dir_fd)) {
		if (clock_mono_ms() > until_ms)
			return false;
		(void)poll(NULL, 0, TURN_MS);
	}
	return true;
}

/* --- telling -------------------------------------------------------------- */

/* "12.3 MiB" */
static void
put_size(char out[16], int64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		(void)snprintf(out, 16, "%d B", (int)bytes);
		return;
	}
	for (; v >= 1023.95 && i + 1 < ARRAY_LEN(units); i++)
		v /= 1024;
	(void)snprintf(out, 16, "%.1f %s", v, units[i]);
}

static void
put_time(char out[32], int64_t at_s)
{
	const time_t at = (time_t)at_s;
	struct tm tm;

	/* A file's time may be any number. */
	if (gmtime_r(&at, &tm) == NULL ||
		strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(out, 32, "?");
}

/* What was or would be done with it. */
static const char *
deed(const struct job *j, const struct logdir_file *f)
{
	return is_to_go(j, f)      ? logdir_fate_text(f->fate) :
		is_to_shrink(j, f) ? j->only_shows ? "to be compressed" :
						     "compressed now" :
				     "";
}

struct sums {
	size_t files, by_state[LOG_PARTIAL + 1];
	int64_t bytes;
};

/* Of one log, or of all for LOG_COUNT; without what was removed. */
static struct sums
sum(const struct job *j, enum logname_log log)
{
	struct sums s = { 0 };

	for (size_t i = 0; i < j->files.n; i++) {
		const struct logdir_file *const f = &j->files.v[i];

		if ((log != LOG_COUNT && f->is.log != log) ||
			(is_to_go(j, f) && !j->only_shows))
			continue;
		s.files++;
		s.by_state[f->is.state]++;
		s.bytes += f->bytes;
	}
	return s;
}

static void
print_table(const struct job *j)
{
	struct sums all = sum(j, LOG_COUNT);
	char size[16], at[32];

	(void)printf(
		"%-46s %10s  %-20s  %s\n", "file", "size", "changed", "state");
	for (size_t i = 0; i < j->files.n; i++) {
		const struct logdir_file *const f = &j->files.v[i];
		const char *const what = deed(j, f);
		const bool is_gone = is_to_go(j, f);

		put_size(size, f->bytes);
		put_time(at, f->modified_wall_s);
		(void)printf("%-46s %10s  %-20s  %s%s%s%s\n", f->name, size, at,
			logname_state_name(f->is.state),
			what[0] != '\0' ? ", " : "",
			!is_gone              ? "" :
				j->only_shows ? "to be removed: " :
						"removed: ",
			what);
	}
	(void)puts("");
	for (int i = 0; i < LOG_COUNT; i++) {
		const struct sums s = sum(j, (enum logname_log)i);

		if (s.files == 0)
			continue;
		put_size(size, s.bytes);
		(void)printf("%-20s %6zu file%s %10s\n",
			logname_stem((enum logname_log)i), s.files,
			s.files == 1 ? " " : "s", size);
	}
	put_size(size, all.bytes);
	(void)printf("%-20s %6zu file%s %10s, %zu current, %zu rotated, "
		     "%zu compressed\n",
		"total", all.files, all.files == 1 ? " " : "s", size,
		all.by_state[LOG_CURRENT], all.by_state[LOG_ROTATED],
		all.by_state[LOG_COMPRESSED]);
	if ((j->cleans || j->compresses) && !j->only_shows) {
		put_size(size, j->freed_bytes);
		(void)printf("removed %zu, compressed %zu: %s less\n",
			j->nremoved, j->ncompressed, size);
	}
}

/* --- the largest ---------------------------------------------------------- */

static int
by_size(const void *pa, const void *pb)
{
	const struct logdir_file *const a = *(struct logdir_file *const *)pa;
	const struct logdir_file *const b = *(struct logdir_file *const *)pb;

	return a->bytes != b->bytes ?
		(a->bytes < b->bytes) - (a->bytes > b->bytes) :
		strcmp(a->name, b->name);
}

/* At most LARGEST; returns how many. */
static size_t
find_largest(const struct job *j, const struct logdir_file *out[LARGEST])
{
	/* NOLINTBEGIN(bugprone-sizeof-expression): of pointers, it is meant */
	const struct logdir_file **const all =
		calloc(j->files.n + 1, sizeof(*all));
	size_t n = 0;

	if (all == NULL)
		return 0;
	for (size_t i = 0; i < j->files.n; i++)
		if (!is_to_go(j, &j->files.v[i]) || j->only_shows)
			all[n++] = &j->files.v[i];
	qsort(all, n, sizeof(all[0]), by_size);
	n = MIN(n, LARGEST);
	memcpy(out, all, n * sizeof(all[0]));
	/* NOLINTEND(bugprone-sizeof-expression) */
	free(all);
	return n;
}

static void
print_largest(const struct job *j)
{
	const struct logdir_file *files[LARGEST];
	const size_t n = find_largest(j, files);
	char size[16];

	if (n == 0)
		return;
	(void)puts("\nlargest:");
	for (size_t i = 0; i < n; i++) {
		put_size(size, files[i]->bytes);
		(void)printf("%10s  %s\n", size, files[i]->name);
	}
}

/* --- as JSON -------------------------------------------------------------- */

static void
json_file(struct jout *o, const struct job *j, const struct logdir_file *f)
{
	char at[32];

	jout_obj(o);
	jout_kv_cstr(o, "name", f->name);
	jout_kv_cstr(o, "log", logname_stem(f->is.log));
	jout_kv_cstr(o, "state", logname_state_name(f->is.state));
	jout_kv_int(o, "bytes", f->bytes);
	put_time(at, f->modified_wall_s);
	jout_kv_cstr(o, "changed", at);
	if (f->is.state != LOG_CURRENT) {
		put_time(at, f->is.rotated_wall_s);
		jout_kv_cstr(o, "rotated", at);
	}
	if (is_to_go(j, f)) {
		jout_kv_cstr(o, "action", "remove");
		jout_kv_cstr(o, "why", logdir_fate_text(f->fate));
	} else if (is_to_shrink(j, f)) {
		jout_kv_cstr(o, "action", "compress");
	}
	jout_obj_end(o);
}

static void
json_sums(struct jout *o, const struct sums *s)
{
	jout_kv_int(o, "files", (int64_t)s->files);
	jout_kv_int(o, "bytes", s->bytes);
	jout_kv_int(o, "current", (int64_t)s->by_state[LOG_CURRENT]);
	jout_kv_int(o, "rotated", (int64_t)s->by_state[LOG_ROTATED]);
	jout_kv_int(o, "compressed", (int64_t)s->by_state[LOG_COMPRESSED]);
}

static void
json_body(struct jout *o, const struct job *j)
{
	const struct logdir_file *files[LARGEST];
	const size_t n = find_largest(j, files);
	const struct sums all = sum(j, LOG_COUNT);

	jout_kv_cstr(o, "log_dir", j->dir);
	jout_kv_bool(o, "dry_run", j->only_shows);
	jout_key(o, "files");
	jout_arr(o);
	for (size_t i = 0; i < j->files.n; i++)
		json_file(o, j, &j->files.v[i]);
	jout_arr_end(o);
	jout_key(o, "logs");
	jout_obj(o);
	for (int i = 0; i < LOG_COUNT; i++) {
		const struct sums s = sum(j, (enum logname_log)i);

		jout_key(o, logname_stem((enum logname_log)i));
		jout_obj(o);
		json_sums(o, &s);
		jout_obj_end(o);
	}
	jout_obj_end(o);
	jout_key(o, "total");
	jout_obj(o);
	json_sums(o, &all);
	jout_obj_end(o);
	jout_key(o, "largest");
	jout_arr(o);
	for (size_t i = 0; i < n; i++)
		jout_cstr(o, files[i]->name);
	jout_arr_end(o);
	jout_kv_int(o, "removed", (int64_t)j->nremoved);
	jout_kv_int(o, "compressed", (int64_t)j->ncompressed);
	jout_kv_int(o, "freed_bytes", j->freed_bytes);
}

static void
print_json(const struct job *j)
{
	struct buf out;
	struct jout o;

	buf_init(&out, OUT_MAX);
	jout_init(&o, &out);
	jout_obj(&o);
	json_body(&o, j);
	jout_obj_end(&o);
	buf_putc(&out, '\n');
	(void)fwrite(buf_span(&out).p, 1, buf_len(&out), stdout);
	buf_fini(&out);
}

/* --- the command ---------------------------------------------------------- */

static int
look(struct job *j)
{
	struct gp_error err;

	if (logdir_scan(j->dir_fd, &j->files, &err) != GP_OK) {
		complain(j, &err);
		return EXIT_FAILED;
	}
	logdir_judge(&j->files, &j->rules, clock_wall_us() / 1000000);
	if ((j->cleans || j->compresses) && !j->only_shows)
		act(j);
	if (j->as_json) {
		print_json(j);
	} else {
		print_table(j);
		print_largest(j);
	}
	return j->has_failed || fflush(stdout) != 0 || ferror(stdout) != 0 ?
		EXIT_FAILED :
		EXIT_DONE;
}

static int
run(struct job *j)
{
	const bool changes = (j->cleans || j->compresses) && !j->only_shows;
	struct gp_error err;
	int code;

	j->dir_fd = logdir_open(j->dir, &err);
	if (j->dir_fd < 0) {
		complain(j, &err);
		return EXIT_FAILED;
	}
	if (changes && !wait_lock(j)) {
		(void)fprintf(stderr,
			"glmproxy logs: another process is tidying up %s; try "
			"again later\n",
			j->dir);
		code = EXIT_LATE;
	} else {
		code = look(j);
	}
	logdir_list_free(&j->files);
	(void)close(j->dir_fd);
	return code;
}

int
cmd_logs(struct cli *cli)
{
	struct job j;
	struct conf *c;
	int code = take_options(cli, &j);

	if (code != EXIT_DONE)
		return code;
	c = cli_load(cli);
	if (c == NULL)
		return EXIT_CONFIG;
	paths_absolute(j.dir, c->log_dir);
	j.rules = (struct logdir_rules){
		.compresses = true,
		.settle_s = SETTLE_S,
		.retention_s = (int64_t)c->upstream_log_retention_days * DAY_S,
		.backup_count = c->upstream_log_backup_count,
	};
	conf_free(&c);
	return run(&j);
}
