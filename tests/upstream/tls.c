/* SPDX-License-Identifier: MIT */
/* tls.c - the server's side of TLS by mbedTLS 2.28 or 3.6. */
#include "tests/upstream/tls.h"

#include <errno.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_cache.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <stdlib.h>
#include <sys/socket.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif

#include "shared/base/check.h"

#define TICKET_LIFETIME_S 86400

struct tls_server {
	mbedtls_ssl_config conf;
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context drbg;
	mbedtls_x509_crt cert;
	mbedtls_pk_context key;
	mbedtls_ssl_ticket_context tickets;
	mbedtls_ssl_cache_context cache;
};

struct tls_conn {
	mbedtls_ssl_context ssl;
	int fd;
	struct tls_facts facts;
};

/* The connection whose handshake is running: callbacks of the configuration
 * are not told. */
static struct tls_conn *current;

/* --- callbacks ------------------------------------------------------------ */

static int
on_ticket(void *p, mbedtls_ssl_session *session, unsigned char *buf, size_t len)
{
	int rc = mbedtls_ssl_ticket_parse(p, session, buf, len);

	if (rc == 0 && current != NULL)
		current->facts.is_resumed = true;
	return rc;
}

#if MBEDTLS_VERSION_NUMBER >= 0x03000000
static int
on_cache_get(void *p, const unsigned char *id, size_t id_len,
	mbedtls_ssl_session *session)
{
	int rc = mbedtls_ssl_cache_get(p, id, id_len, session);
#else
static int
on_cache_get(void *p, mbedtls_ssl_session *session)
{
	int rc = mbedtls_ssl_cache_get(p, session);
#endif
	if (rc == 0 && current != NULL)
		current->facts.is_resumed = true;
	return rc;
}

static int
on_sni(void *p, mbedtls_ssl_context *ssl, const unsigned char *name, size_t len)
{
	(void)p;
	(void)ssl;
	if (current != NULL && len < sizeof(current->facts.sni)) {
		memcpy(current->facts.sni, name, len);
		current->facts.sni[len] = '\0';
	}
	return 0;
}

static int
on_send(void *p, const unsigned char *bytes, size_t n)
{
	const struct tls_conn *c = p;
	ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL);

	if (sent >= 0)
		return (int)sent;
	return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE :
						   MBEDTLS_ERR_NET_SEND_FAILED;
}

static int
on_receive(void *p, unsigned char *bytes, size_t n)
{
	const struct tls_conn *c = p;
	ssize_t got = recv(c->fd, bytes, n, 0);

	if (got >= 0)
		return (int)got;
	return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ :
						   MBEDTLS_ERR_NET_RECV_FAILED;
}

/* --- server --------------------------------------------------------------- */

static int
load_key(struct tls_server *s, const char *path)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
	return mbedtls_pk_parse_keyfile(
		&s->key, path, NULL, mbedtls_ctr_drbg_random, &s->drbg);
#else
	return mbedtls_pk_parse_keyfile(&s->key, path, NULL);
#endif
}

static void
init_all(struct tls_server *s)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
	psa_status_t status = psa_crypto_init();

	GP_ASSERT(status == PSA_SUCCESS);
#endif
	mbedtls_ssl_config_init(&s->conf);
	mbedtls_entropy_init(&s->entropy);
	mbedtls_ctr_drbg_init(&s->drbg);
	mbedtls_x509_crt_init(&s->cert);
	mbedtls_pk_init(&s->key);
	mbedtls_ssl_ticket_init(&s->tickets);
	mbedtls_ssl_cache_init(&s->cache);
}

static int
configure(struct tls_server *s)
{
	static const char *alpn[] = { "http/1.1", NULL };
	int rc = mbedtls_ssl_config_defaults(&s->conf, MBEDTLS_SSL_IS_SERVER,
		MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);

	if (rc == 0)
		rc = mbedtls_ssl_ticket_setup(&s->tickets,
			mbedtls_ctr_drbg_random, &s->drbg,
			MBEDTLS_CIPHER_AES_256_GCM, TICKET_LIFETIME_S);
	if (rc == 0)
		rc = mbedtls_ssl_conf_own_cert(&s->conf, &s->cert, &s->key);
	if (rc == 0)
		rc = mbedtls_ssl_conf_alpn_protocols(&s->conf, alpn);
	mbedtls_ssl_conf_rng(&s->conf, mbedtls_ctr_drbg_random, &s->drbg);
	mbedtls_ssl_conf_session_tickets_cb(
		&s->conf, mbedtls_ssl_ticket_write, on_ticket, &s->tickets);
	mbedtls_ssl_conf_session_cache(
		&s->conf, &s->cache, on_cache_get, mbedtls_ssl_cache_set);
	mbedtls_ssl_conf_sni(&s->conf, on_sni, NULL);
	return rc;
}

struct tls_server *
tls_server_new(const char *cert, const char *key, struct gp_error *err)
{
	struct tls_server *s = calloc(1, sizeof(*s));
	const char *doing = "random numbers";
	char text[100];
	int rc;

	GP_ASSERT(s != NULL);
	init_all(s);
	rc = mbedtls_ctr_drbg_seed(
		&s->drbg, mbedtls_entropy_func, &s->entropy, NULL, 0);
	if (rc == 0) {
		doing = cert;
		rc = mbedtls_x509_crt_parse_file(&s->cert, cert);
	}
	if (rc == 0) {
		doing = key;
		rc = load_key(s, key);
	}
	if (rc == 0) {
		doing = "TLS";
		rc = configure(s);
	}
	if (rc == 0)
		return s;
	mbedtls_strerror(rc, text, sizeof(text));
	(void)gp_fail(err, GP_E_SYSTEM, "%s: %s", doing, text);
	free(s); /* the process is about to leave */
	return NULL;
}

void
tls_server_forked(struct tls_server *s)
{
	int rc = mbedtls_ctr_drbg_reseed(&s->drbg, NULL, 0);

	GP_ASSERT(rc == 0);
}

/* --- connections ---------------------------------------------------------- */

struct tls_conn *
tls_conn_new(struct tls_server *s, int fd)
{
	struct tls_conn *c = calloc(1, sizeof(*c));
	int rc;

	GP_ASSERT(c != NULL);
	c->fd = fd;
	mbedtls_ssl_init(&c->ssl);
	rc = mbedtls_ssl_setup(&c->ssl, &s->conf);
	GP_ASSERT(rc == 0);
	mbedtls_ssl_set_bio(&c->ssl, c, on_send, on_receive, NULL);
	return c;
}

void
tls_conn_free(struct tls_conn **c)
{
	if (*c == NULL)
		return;
	mbedtls_ssl_free(&(*c)->ssl);
	free(*c);
	*c = NULL;
}

static enum tls_step
step_of(int rc)
{
	if (rc > 0)
		return TLS_OK;
	switch (rc) {
	case MBEDTLS_ERR_SSL_WANT_READ:
		return TLS_WANT_READ;
	case MBEDTLS_ERR_SSL_WANT_WRITE:
		return TLS_WANT_WRITE;
	case 0:
	case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
	case MBEDTLS_ERR_SSL_CONN_EOF:
		return TLS_EOF;
	default:
		return TLS_FAIL;
	}
}

enum tls_step
tls_handshake(struct tls_conn *c)
{
	int rc;

	current = c;
	rc = mbedtls_ssl_handshake(&c->ssl);
	current = NULL;
	if (rc != 0)
		return step_of(rc);
	c->facts.version = mbedtls_ssl_get_version(&c->ssl);
	c->facts.cipher = mbedtls_ssl_get_ciphersuite(&c->ssl);
	return TLS_OK;
}

enum tls_step
tls_read(struct tls_conn *c, char *to, size_t n, size_t *got)
{
	int rc = mbedtls_ssl_read(&c->ssl, (unsigned char *)to, n);

	*got = rc > 0 ? (size_t)rc : 0;
	return step_of(rc);
}

enum tls_step
tls_write(struct tls_conn *c, struct span s, size_t *put)
{
	int rc = mbedtls_ssl_write(&c->ssl, (const unsigned char *)s.p, s.n);

	*put = rc > 0 ? (size_t)rc : 0;
	return step_of(rc);
}

void
tls_close_notify(struct tls_conn *c)
{
	(void)mbedtls_ssl_close_notify(&c->ssl);
}

const struct tls_facts *
tls_conn_facts(const struct tls_conn *c)
{
	return &c->facts;
}
