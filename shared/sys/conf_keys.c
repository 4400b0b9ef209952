/* SPDX-License-Identifier: MIT */
/* conf_keys.c - the files that hold keys. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/sys/conf_own.h"
#include "shared/sys/log.h"

enum gp_code
conf_file_read(const char *path, struct conf_file *f, struct gp_error *err)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	char reason[128];
	ssize_t got = -1;

	*f = (struct conf_file){ .text = malloc(CONF_FILE_MAX + 1) };
	if (f->text == NULL)
		fatal(1, "%s", path);
	if (fd >= 0 && fstat(fd, &st) == 0) {
		f->mode = st.st_mode;
		do {
			got = read(
				fd, f->text + f->n, CONF_FILE_MAX + 1 - f->n);
			f->n += got > 0 ? (size_t)got : 0;
		} while (got > 0 || (got < 0 && errno == EINTR));
	}
	if (got == 0 && f->n <= CONF_FILE_MAX) {
		(void)close(fd);
		return GP_OK;
	}
	(void)gp_fail(err, GP_E_SYSTEM, "%.256s: %s", path,
		got == 0 ? "larger than 1 MiB" :
			   strerror_r(errno, reason, sizeof(reason)));
	if (fd >= 0)
		(void)close(fd);
	conf_file_free(f);
	return GP_E_SYSTEM;
}

void
conf_file_free(struct conf_file *f)
{
	if (f->text == NULL)
		return;
	explicit_bzero(f->text, f->n);
	free(f->text);
	f->text = NULL;
}

/* A file with one key in it. */
static enum gp_code
read_secret(struct conf *c, const char *key, struct span path,
	struct secret *out, struct gp_error *err)
{
	struct conf_file f;
	enum gp_code rc;

	rc = conf_file_read(path.p, &f, err);
	if (rc != GP_OK)
		return rc;
	if (!secret_set(out, span_rtrim(span_of(f.text, f.n))))
		rc = gp_fail(err, GP_E_SCHEMA,
			"%s: %.256s: must hold one line of 1 to %d bytes,"
			" without blanks and control characters",
			key, path.p, SECRET_MAX);
	else if ((f.mode & 007) != 0)
		conf_warn(
			c, "%.256s is open to every user: chmod o= it", path.p);
	conf_file_free(&f);
	return rc;
}

/* --- client_keys_file ----------------------------------------------------- */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool
parse_hash(struct span hex, unsigned char out[32])
{
	if (hex.n != 64)
		return false;
	for (size_t i = 0; i < 32; i++) {
		const int high = hex_digit(hex.p[2 * i]);
		const int low = hex_digit(hex.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/* Names are shown in logs and on the admin page. */
static bool
is_key_name(struct span name)
{
	if (name.n == 0 || name.n > 64)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~')
			return false;
	return true;
}

static const struct conf_client_key *
key_named(const struct conf *c, struct span name)
{
	for (size_t i = 0; i < c->client_keys.n; i++)
		if (span_eq(c->client_keys.v[i].name, name))
			return &c->client_keys.v[i];
	return NULL;
}

static enum gp_code
client_key_line(
	struct conf *c, struct span line, unsigned number, struct gp_error *err)
{
	const char *const path = c->client_keys_file.p;
	const size_t colon = span_find_char(line, ':');
	const struct span name = span_trim(span_head(line, colon));
	struct conf_client_key key;

	/* Nothing is quoted: somebody may have put the key itself here. */
	if (colon == line.n || !is_key_name(name) ||
		!parse_hash(span_trim(span_from(line, colon + 1)), key.hash))
		return gp_fail(err, GP_E_SYNTAX,
			"%.256s:%u: not a line name:SHA-256 in 64 hex digits",
			path, number);
	if (key_named(c, name) != NULL)
		return gp_fail(err, GP_E_SCHEMA,
			"%.256s:%u: a second key of the same name", path,
			number);
	if (c->client_keys.n == CONF_CLIENT_KEYS_MAX)
		return gp_fail(err, GP_E_LIMIT, "%.256s: more than %d keys",
			path, CONF_CLIENT_KEYS_MAX);
	key.name = arena_dup(&c->arena, name);
	*VEC_PUSH(&c->arena, &c->client_keys) = key;
	return GP_OK;
}

static enum gp_code
read_client_keys(struct conf *c, struct gp_error *err)
{
	struct conf_file f;
	struct span rest;
	struct span line;
	enum gp_code rc;

	rc = conf_file_read(c->client_keys_file.p, &f, err);
	if (rc != GP_OK)
		return rc;
	rest = span_of(f.text, f.n);
	for (unsigned n = 1; rc == GP_OK && span_split(&rest, '\n', &line);
		n++) {
		line = span_trim(line);
		if (line.n > 0 && line.p[0] != '#')
			rc = client_key_line(c, line, n, err);
	}
	conf_file_free(&f);
	if (rc == GP_OK && c->client_keys.n == 0)
		conf_warn(c, "%.256s holds no key: nobody is let in",
			c->client_keys_file.p);
	return rc;
}

/* --- all ------------------------------------------------------------------ */

static enum gp_code
read_server_key(struct conf *c, struct gp_error *err)
{
	const enum conf_origin file = conf_origin(c, "server_api_key_file");
	const enum conf_origin direct = conf_origin(c, "server_api_key");

	if (c->server_api_key_file.n == 0 ||
		(!secret_is_none(&c->server_key) && direct > file))
		return GP_OK;
	if (!secret_is_none(&c->server_key) && direct == file)
		return gp_fail(err, GP_E_SCHEMA,
			"server_api_key and server_api_key_file are both"
			" given: which one is meant?");
	return read_secret(c, "server_api_key_file", c->server_api_key_file,
		&c->server_key, err);
}

enum gp_code
conf_keys_read(struct conf *c, struct gp_error *err)
{
	enum gp_code rc = read_server_key(c, err);

	if (rc == GP_OK && c->admin_token_file.n > 0)
		rc = read_secret(c, "admin_token_file", c->admin_token_file,
			&c->admin_token, err);
	if (rc == GP_OK && c->client_keys_file.n > 0)
		rc = read_client_keys(c, err);
	return rc;
}
