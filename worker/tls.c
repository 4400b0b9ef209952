/* SPDX-License-Identifier: MIT */
/* tls.c - TLS towards upstreams. The only file that knows mbedTLS. */
#include "worker/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mbedtls/version.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif

#include "shared/base/check.h"

/* Bytes a call: encrypting takes 2 to 5 us a KiB, and other streams wait. */
#define SEND_MAX 131072

struct tls {
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context random;
	mbedtls_x509_crt trusted;
	mbedtls_ssl_config conf;
};

struct tls_session {
	mbedtls_ssl_session saved;
	bool has_saved;
};

struct tls_conn {
	mbedtls_ssl_context ssl;
	struct tls_session *session;
	int fd;
	struct span input;
	struct buf kept; /* input that could not be used at once */
	bool is_eof;
	bool has_more;  /* than the record that is being sent */
	bool has_asked; /* for input that is not there */
	bool saw_certificate;
	bool is_up;
};

/* Where distributions keep their bundle. */
static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/cert.pem",
};

/* Without AES instructions in the library ChaCha20 is the fastest by far;
 * forward secrecy always. */
static const int suites[] = {
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
	MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
	MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
#endif
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	0,
};

/* The fastest first: left to itself, version 2 begins with the largest, and a
 * full handshake costs nearly twice as much. */
#if MBEDTLS_VERSION_NUMBER >= 0x03010000
static const uint16_t groups[] = {
	MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};
#else
static const mbedtls_ecp_group_id groups[] = {
	MBEDTLS_ECP_DP_CURVE25519,
	MBEDTLS_ECP_DP_SECP256R1,
	MBEDTLS_ECP_DP_SECP384R1,
	MBEDTLS_ECP_DP_SECP521R1,
	MBEDTLS_ECP_DP_NONE,
};
#endif

static enum gp_code
tls_error(struct gp_error *err, const char *what, int rc)
{
	char text[128];

	mbedtls_strerror(rc, text, sizeof(text));
	return gp_fail(err, GP_E_PEER, "%s: %s", what, text);
}

/* --- process-wide --------------------------------------------------------- */

static enum gp_code
load_trusted(struct tls *t, struct span ca_file, struct gp_error *err)
{
	char path[4096];
	int rc = -1;

	if (ca_file.n > 0) {
		(void)snprintf(path, sizeof(path), "%.*s", SPAN_ARG(ca_file));
		rc = mbedtls_x509_crt_parse_file(&t->trusted, path);
		if (rc != 0)
			return gp_fail(err, GP_E_SYSTEM,
				"upstream_ca_file %s holds no usable "
				"certificates",
				path);
		return GP_OK;
	}
	for (size_t i = 0; i < ARRAY_LEN(bundles) && rc < 0; i++)
		if (access(bundles[i], R_OK) == 0)
			/* A positive result counts what it could not read. */
			rc = mbedtls_x509_crt_parse_file(
				&t->trusted, bundles[i]);
	if (rc < 0)
		return gp_fail(err, GP_E_SYSTEM,
			"no trusted certificates: install ca-certificates or "
			"set upstream_ca_file");
	return GP_OK;
}

static void
set_preferences(struct tls *t)
{
	mbedtls_ssl_config *c = &t->conf;

	mbedtls_ssl_conf_authmode(c, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_ca_chain(c, &t->trusted, NULL);
	mbedtls_ssl_conf_rng(c, mbedtls_ctr_drbg_random, &t->random);
	mbedtls_ssl_conf_ciphersuites(c, suites);
#if MBEDTLS_VERSION_NUMBER >= 0x03010000
	mbedtls_ssl_conf_groups(c, groups);
#else
	mbedtls_ssl_conf_curves(c, groups);
#endif
	mbedtls_ssl_conf_session_tickets(
		c, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
#if defined(MBEDTLS_SSL_PROTO_TLS1_3) &&                                       \
	defined(MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED)
	/* From 3.6.1 on tickets are thrown away unless asked for. */
	mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
		c, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
	mbedtls_ssl_conf_min_tls_version(c, MBEDTLS_SSL_VERSION_TLS1_2);
#else
	mbedtls_ssl_conf_min_version(
		c, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#endif
}

struct tls *
tls_new(struct span ca_file, struct gp_error *err)
{
	struct tls *t = calloc(1, sizeof(*t));

	GP_ASSERT(t != NULL);
	mbedtls_entropy_init(&t->entropy);
	mbedtls_ctr_drbg_init(&t->random);
	mbedtls_x509_crt_init(&t->trusted);
	mbedtls_ssl_config_init(&t->conf);
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
	if (psa_crypto_init() != PSA_SUCCESS) {
		gp_fail(err, GP_E_SYSTEM, "the crypto library does not start");
		tls_free(&t);
		return NULL;
	}
#endif
	if (mbedtls_ctr_drbg_seed(&t->random, mbedtls_entropy_func, &t->entropy,
		    NULL, 0) != 0 ||
		mbedtls_ssl_config_defaults(&t->conf, MBEDTLS_SSL_IS_CLIENT,
			MBEDTLS_SSL_TRANSPORT_STREAM,
			MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
		gp_fail(err, GP_E_SYSTEM, "TLS does not start");
		tls_free(&t);
		return NULL;
	}
	if (load_trusted(t, ca_file, err) != GP_OK) {
		tls_free(&t);
		return NULL;
	}
	set_preferences(t);
	return t;
}

void
tls_free(struct tls **t)
{
	if (*t == NULL)
		return;
	mbedtls_ssl_config_free(&(*t)->conf);
	mbedtls_x509_crt_free(&(*t)->trusted);
	mbedtls_ctr_drbg_free(&(*t)->random);
	mbedtls_entropy_free(&(*t)->entropy);
	free(*t);
	*t = NULL;
}

struct tls_session *
tls_session_new(void)
{
	struct tls_session *s = calloc(1, sizeof(*s));

	GP_ASSERT(s != NULL);
	mbedtls_ssl_session_init(&s->saved);
	return s;
}

void
tls_session_free(struct tls_session **s)
{
	if (*s == NULL)
		return;
	mbedtls_ssl_session_free(&(*s)->saved);
	free(*s);
	*s = NULL;
}

bool
tls_session_is_known(const struct tls_session *s)
{
	return s->has_saved;
}

/* --- input and output ----------------------------------------------------- */

static int
bio_recv(void *ctx, unsigned char *to, size_t n)
{
	struct tls_conn *c = ctx;

	if (c->input.n == 0) {
		c->has_asked = true;
		return c->is_eof ? 0 : MBEDTLS_ERR_SSL_WANT_READ;
	}
	n = MIN(n, c->input.n);
	memcpy(to, c->input.p, n);
	c->input = span_from(c->input, n);
	return (int)n;
}

static int
bio_send(void *ctx, const unsigned char *from, size_t n)
{
	struct tls_conn *c = ctx;
	int more = c->has_more ? MSG_MORE : 0;
	ssize_t done = send(c->fd, from, n, MSG_NOSIGNAL | more);

	if (done >= 0)
		return (int)done;
	return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE :
						   MBEDTLS_ERR_NET_CONN_RESET;
}

/* Runs only in a full handshake: a resumed one shows no certificate. */
static int
/* NOLINTNEXTLINE(readability-non-const-parameter): the library's type */
on_certificate(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	struct tls_conn *c = ctx;

	(void)crt;
	(void)depth;
	(void)flags;
	c->saw_certificate = true;
	return 0;
}

void
tls_input(struct tls_conn *c, struct span bytes)
{
	if (buf_len(&c->kept) == 0) {
		c->input = bytes;
		return;
	}
	/* Older bytes come first. */
	buf_consume(&c->kept, buf_len(&c->kept) - c->input.n);
	buf_put(&c->kept, bytes);
	c->input = buf_span(&c->kept);
}

bool
tls_has_input(const struct tls_conn *c)
{
	return c->input.n > 0 || mbedtls_ssl_check_pending(&c->ssl) != 0;
}

void
tls_input_eof(struct tls_conn *c)
{
	c->is_eof = true;
}

/* The caller's bytes are about to go. */
void
tls_input_keep(struct tls_conn *c)
{
	struct buf kept;

	if (c->input.n == 0) {
		buf_reset(&c->kept, 0);
		return;
	}
	buf_init(&kept, c->kept.max);
	buf_put(&kept, c->input);
	buf_fini(&c->kept);
	c->kept = kept;
	c->input = buf_span(&c->kept);
}

/* --- one connection ------------------------------------------------------- */

struct tls_conn *
tls_conn_new(
	struct tls *t, struct tls_session *session, struct span host, int fd)
{
	struct tls_conn *c = calloc(1, sizeof(*c));
	char name[256];

	GP_ASSERT(c != NULL);
	c->session = session;
	c->fd = fd;
	c->input = SPAN_EMPTY;
	buf_init(&c->kept, 1u << 20);
	mbedtls_ssl_init(&c->ssl);
	(void)snprintf(name, sizeof(name), "%.*s", SPAN_ARG(host));
	if (mbedtls_ssl_setup(&c->ssl, &t->conf) != 0 ||
		mbedtls_ssl_set_hostname(&c->ssl, name) != 0)
		check_fail("no memory for TLS", __FILE__, __LINE__);
	mbedtls_ssl_set_verify(&c->ssl, on_certificate, c);
	mbedtls_ssl_set_bio(&c->ssl, c, bio_send, bio_recv, NULL);
	/* A session that cannot be used just means a full handshake. */
	if (session->has_saved &&
		mbedtls_ssl_set_session(&c->ssl, &session->saved) != 0)
		session->has_saved = false;
	return c;
}

void
tls_conn_free(struct tls_conn **c)
{
	if (*c == NULL)
		return;
	if ((*c)->is_up)
		(void)mbedtls_ssl_close_notify(&(*c)->ssl);
	mbedtls_ssl_free(&(*c)->ssl);
	buf_fini(&(*c)->kept);
	free(*c);
	*c = NULL;
}

static void
save_session(struct tls_conn *c)
{
	struct tls_session *s = c->session;

	mbedtls_ssl_session_free(&s->saved);
	mbedtls_ssl_session_init(&s->saved);
	s->has_saved = mbedtls_ssl_get_session(&c->ssl, &s->saved) == 0;
}

/* In TLS 1.3 there is nothing to resume before a ticket has come. */
static bool
has_session(const struct tls_conn *c)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
	return mbedtls_ssl_get_version_number(&c->ssl) !=
		MBEDTLS_SSL_VERSION_TLS1_3;
#else
	(void)c;
	return true;
#endif
}

/* What to wait for, if that is all rc says. */
static bool
is_wait(int rc, enum tls_step *step)
{
	if (rc == MBEDTLS_ERR_SSL_WANT_READ)
		*step = TLS_WANT_READ;
	else if (rc == MBEDTLS_ERR_SSL_WANT_WRITE)
		*step = TLS_WANT_WRITE;
	else
		return false;
	return true;
}

static enum gp_code
verify_error(struct tls_conn *c, struct gp_error *err)
{
	char text[256];
	size_t n;
	uint32_t flags = mbedtls_ssl_get_verify_result(&c->ssl);

	if (mbedtls_x509_crt_verify_info(text, sizeof(text), "", flags) <= 0)
		return gp_fail(err, GP_E_PEER,
			"the upstream's certificate is not trusted");
	n = strlen(text);
	while (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	for (char *p = text; *p != '\0'; p++)
		if (*p == '\n')
			*p = ';';
	return gp_fail(err, GP_E_PEER,
		"the upstream's certificate is not trusted: %s", text);
}

enum tls_step
tls_handshake(struct tls_conn *c, struct gp_error *err)
{
	enum tls_step step;
	int rc = mbedtls_ssl_handshake(&c->ssl);

	if (rc == 0) {
		c->is_up = true;
		/* A server may hand out a ticket in a resumed handshake, too;
		 * the old session stays good for others all the same. */
		if (c->saw_certificate && has_session(c))
			save_session(c);
		return TLS_DONE;
	}
	if (is_wait(rc, &step))
		return step;
	/* A session that the peer chokes on must not be tried again. */
	c->session->has_saved = false;
	if (rc == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED)
		verify_error(c, err);
	else if (rc == MBEDTLS_ERR_SSL_CONN_EOF)
		gp_fail(err, GP_E_CLOSED,
			"the upstream closed during the TLS handshake");
	else
		tls_error(err, "TLS handshake", rc);
	return TLS_FAIL;
}

bool
tls_was_resumed(const struct tls_conn *c)
{
	return !c->saw_certificate;
}

/* TLS 1.3 hands out sessions between the data. */
static bool
is_ticket(int rc)
{
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
	return rc == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
#else
	(void)rc;
	return false;
#endif
}

/* The library stops after such a message (3.6 says WANT_READ without having
 * asked for anything) although the answer may lie behind it: nothing would come
 * from the socket to wake us. Each call takes a record off the input. */
static int
read_data(struct tls_conn *c, char *out, size_t n)
{
	int rc;

	do {
		c->has_asked = false;
		rc = mbedtls_ssl_read(&c->ssl, (unsigned char *)out, n);
		if (is_ticket(rc))
			save_session(c);
	} while (is_ticket(rc) ||
		(rc == MBEDTLS_ERR_SSL_WANT_READ && !c->has_asked));
	return rc;
}

enum tls_step
tls_recv(struct tls_conn *c, char *out, size_t n, size_t *got,
	struct gp_error *err)
{
	enum tls_step step;
	int rc;

	*got = 0;
	rc = read_data(c, out, n);
	if (rc > 0) {
		*got = (size_t)rc;
		return TLS_DONE;
	}
	if (rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
		c->is_up = false;
		return TLS_CLOSED;
	}
	if (is_wait(rc, &step))
		return step;
	c->is_up = false;
	/* Anybody on the way can end TCP: that ends no body. */
	if (rc == 0 || rc == MBEDTLS_ERR_SSL_CONN_EOF)
		gp_fail(err, GP_E_CLOSED,
			"the upstream broke off the connection");
	else
		tls_error(err, "TLS", rc);
	return TLS_FAIL;
}

enum tls_step
tls_send(struct tls_conn *c, struct span bytes, bool more, size_t *used,
	struct gp_error *err)
{
	enum tls_step step;

	*used = 0;
	while (*used < MIN(bytes.n, (size_t)SEND_MAX)) {
		struct span rest = span_from(bytes, *used);
		int rc;

		c->has_more = more || rest.n > MBEDTLS_SSL_OUT_CONTENT_LEN;
		rc = mbedtls_ssl_write(
			&c->ssl, (const unsigned char *)rest.p, rest.n);
		if (rc > 0) {
			*used += (size_t)rc;
			continue;
		}
		if (is_wait(rc, &step))
			return step;
		c->is_up = false;
		tls_error(err, "TLS", rc);
		return TLS_FAIL;
	}
	return TLS_DONE;
}
