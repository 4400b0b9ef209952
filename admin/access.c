/* SPDX-License-Identifier: MIT */
/* access.c - who may see the admin port's pages. */
#include "admin/access.h"

#include <inttypes.h>
#include <stdio.h>

#include "shared/http/origin.h"
#include "shared/http/out.h"
#include "shared/sys/clock.h"
#include "shared/sys/log.h"
#include "shared/sys/proc.h"

#define COOKIE      "glmproxy-session"
#define NAME_BYTES  ((size_t)32)
#define NAME_DIGITS (2 * NAME_BYTES)
#define COOKIE_MAX  256
/* So many of one name are looked at. */
#define NAMES_MAX ((size_t)8)

void
access_init(struct access *a, const struct conf *conf)
{
	*a = (struct access){
		.conf = conf,
		.needs_token = !secret_is_none(&conf->admin_token),
	};
	if (a->needs_token)
		secret_hash(&conf->admin_token, a->token_hash);
}

/* --- refusals ------------------------------------------------------------- */

void
access_refuse_stranger(struct http_answer *answer)
{
	http_answer_refuse(answer, 401,
		"the admin token is needed: as a bearer token, or by logging "
		"in");
	http_out_field_cstr(&answer->fields, "www-authenticate",
		"Bearer realm=\"glmproxy admin\"");
}

static void
put_wait(struct http_answer *answer, int64_t wait_ms)
{
	http_out_field_u64(&answer->fields, "retry-after",
		(uint64_t)((wait_ms + 999) / 1000));
}

static void
refuse_early(struct http_answer *answer, int64_t wait_ms)
{
	http_answer_refuse(answer, 429,
		"too many wrong tokens: this one was not looked at, try again "
		"later");
	put_wait(answer, wait_ms);
}

static bool
is_of_the_same_site(const struct http_head *head, struct http_answer *answer)
{
	if (!origin_is_foreign(head, SPAN_EMPTY))
		return true;
	http_answer_refuse(
		answer, 403, "requests from other sites are not served");
	return false;
}

bool
access_is_json(const struct http_request *request, struct http_answer *answer)
{
	const struct span type =
		http_head_get(request->head, SPAN("content-type"));

	if (type.n == 0)
		http_answer_refuse(answer, 400,
			"there is no content-type; it has to be "
			"application/json");
	else if (!span_ieq(
			 span_trim(span_head(type, span_find_char(type, ';'))),
			 SPAN("application/json")))
		http_answer_refuse(answer, 415,
			"the content-type has to be application/json");
	else
		return true;
	return false;
}

/* --- tokens --------------------------------------------------------------- */

/* Compared as hashes, so that the time taken says nothing about the token. */
static bool
is_right(const struct access *a, struct span token)
{
	struct secret given;
	unsigned char hash[32];

	if (!secret_set(&given, token))
		return false;
	secret_hash(&given, hash);
	secret_wipe(&given);
	return secret_hash_eq(hash, a->token_hash);
}

/* False with a refusal. */
static bool
try_token(struct access *a, const struct http_request *request,
	struct span token, struct http_answer *answer)
{
	const struct attempts_source from = attempts_source(request->peer);
	const int64_t now_ms = clock_mono_ms();
	char peer[SOCK_TEXT_MAX];
	int64_t wait_ms = attempts_wait_ms(&a->attempts, &from, now_ms);

	if (wait_ms > 0) {
		refuse_early(answer, wait_ms);
		return false;
	}
	if (is_right(a, token)) {
		attempts_right(&a->attempts, &from, now_ms);
		return true;
	}
	wait_ms = attempts_wrong(&a->attempts, &from, now_ms);
	access_refuse_stranger(answer);
	if (wait_ms > 0) {
		put_wait(answer, wait_ms);
		sock_addr_text(request->peer, peer);
		log_warnx("wrong admin tokens come from %s: it waits for "
			  "%" PRId64 " s",
			peer, wait_ms / 1000);
	}
	return false;
}

/* --- sessions ------------------------------------------------------------- */

/* The values of cookies that may be ours. A neighbour (another port, a longer
 * path, a domain above) may have set one of the same name, and browsers send
 * them all, in no order of use to us. Returns how many. */
static size_t
read_cookies(const struct http_head *head, struct span out[NAMES_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < head->nfields; i++) {
		struct span rest = head->fields[i].value;
		struct span item;

		if (!span_ieq(head->fields[i].name, SPAN("cookie")))
			continue;
		while (span_split(&rest, ';', &item)) {
			item = span_trim(item);
			if (n < NAMES_MAX &&
				span_starts(item, SPAN(COOKIE "=")))
				out[n++] = span_from(item, sizeof(COOKIE));
		}
	}
	return n;
}

static bool
hash_of(struct span name, unsigned char hash[32])
{
	struct secret s;

	if (name.n != NAME_DIGITS || !secret_set(&s, name))
		return false;
	secret_hash(&s, hash);
	secret_wipe(&s);
	return true;
}

static bool
has_session(struct access *a, const struct http_head *head)
{
	struct span names[NAMES_MAX];
	const size_t n = read_cookies(head, names);
	unsigned char hash[32];

	for (size_t i = 0; i < n; i++)
		if (hash_of(names[i], hash) &&
			sessions_see(&a->sessions, hash, clock_mono_ms()))
			return true;
	return false;
}

/* Whoever is in front of us and speaks TLS says so. That it may be a lie does
 * no harm: the browser then keeps the cookie for TLS. */
static void
put_cookie(const struct http_request *request, const char *value, int64_t age_s,
	struct http_answer *answer)
{
	const bool is_tls = span_ieq(
		http_head_get(request->head, SPAN("x-forwarded-proto")),
		SPAN("https"));
	char text[COOKIE_MAX];

	(void)snprintf(text, sizeof(text),
		COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; "
		       "Max-Age=%" PRId64 "%s",
		value, age_s, is_tls ? "; Secure" : "");
	http_out_field_cstr(&answer->fields, "set-cookie", text);
}

static void
make_name(char out[NAME_DIGITS + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[NAME_BYTES];

	proc_random(bytes, sizeof(bytes));
	for (size_t i = 0; i < NAME_BYTES; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[NAME_DIGITS] = '\0';
}

void
access_login(struct access *a, const struct http_request *request,
	struct span token, struct http_answer *answer)
{
	char name[NAME_DIGITS + 1];
	char peer[SOCK_TEXT_MAX];
	unsigned char hash[32];

	if (!try_token(a, request, token, answer))
		return;
	make_name(name);
	if (!hash_of(span_cstr(name), hash)) {
		http_answer_refuse(answer, 500, "there is no session");
		return;
	}
	sessions_begin(&a->sessions, hash, clock_mono_ms());
	put_cookie(request, name, SESSIONS_TOTAL_MS / 1000, answer);
	sock_addr_text(request->peer, peer);
	log_info("a session of the admin page begins, from %s", peer);
}

void
access_logout(struct access *a, const struct http_request *request,
	struct http_answer *answer)
{
	struct span names[NAMES_MAX];
	const size_t n = read_cookies(request->head, names);
	unsigned char hash[32];

	for (size_t i = 0; i < n; i++)
		if (hash_of(names[i], hash))
			sessions_end(&a->sessions, hash);
	put_cookie(request, "", 0, answer);
}

unsigned
access_ended(struct access *a)
{
	sessions_sweep(&a->sessions, clock_mono_ms());
	return a->sessions.ended;
}

/* --- the question --------------------------------------------------------- */

/* Where nothing is needed, everybody's browser could be used. */
static enum access_level
ask_anybody(const struct access *a, const struct http_head *head,
	struct http_answer *answer)
{
	if (!origin_host_is_ours(head, a->conf->allowed_hosts)) {
		http_answer_refuse(answer, 403,
			"this Host is not one of the service's; add it to "
			"allowed_hosts");
		return ACCESS_REFUSED;
	}
	return is_of_the_same_site(head, answer) ? ACCESS_FULL : ACCESS_REFUSED;
}

enum access_level
access_ask(struct access *a, const struct http_request *request,
	struct http_answer *answer)
{
	const struct http_head *const head = request->head;
	const struct span scheme = SPAN("bearer ");
	const struct span field = http_head_get(head, SPAN("authorization"));

	if (!a->needs_token)
		return ask_anybody(a, head, answer);
	/* A foreign page does not know the token: no other rule is needed. */
	if (span_istarts(field, scheme))
		return try_token(a, request,
			       span_trim(span_from(field, scheme.n)), answer) ?
			ACCESS_FULL :
			ACCESS_REFUSED;
	if (!is_of_the_same_site(head, answer))
		return ACCESS_REFUSED;
	return has_session(a, head) ? ACCESS_FULL : ACCESS_STRANGER;
}
