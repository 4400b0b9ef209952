/* SPDX-License-Identifier: MIT */
/* upstream_head.c - the head of a request to an upstream. */
#include "worker/upstream_head.h"

#include "shared/http/out.h"

#include "version.h"

static void
put_host(const struct url *base, struct buf *out)
{
	bool is_default = base->port == (base->is_tls ? 443 : 80);

	buf_puts(out, "host: ");
	buf_printf(
		out, base->is_ipv6 ? "[%.*s]" : "%.*s", SPAN_ARG(base->host));
	if (!is_default)
		buf_printf(out, ":%u", base->port);
	buf_puts(out, "\r\n");
}

/* The client's opt-ins to features of its dialect, or the operator's. */
static void
put_features(const struct upstream_head *u, struct buf *out)
{
	struct span name = u->upstream->feature_header;
	struct span value = SPAN_EMPTY;

	if (name.n == 0)
		return;
	if (u->client == u->upstream)
		value = http_head_get(u->from, name);
	if (value.n == 0 && u->conf->force_anthropic_beta)
		value = u->conf->default_anthropic_beta;
	if (value.n > 0)
		http_out_field(out, name.p, value);
}

void
upstream_head_put(const struct upstream_head *u, struct buf *out)
{
	struct span agent = http_head_get(u->from, SPAN("user-agent"));

	buf_puts(out, "POST ");
	buf_put(out, u->base->path);
	buf_put(out, u->path);
	buf_puts(out, " HTTP/1.1\r\n");
	put_host(u->base, out);
	buf_puts(out, "authorization: Bearer ");
	secret_put(u->key, out);
	buf_puts(out, "\r\n");
	http_out_field_cstr(out, "content-type", "application/json");
	http_out_field_cstr(out, "accept",
		u->wants_stream ? "text/event-stream" : "application/json");
	http_out_field_cstr(out, "accept-encoding", "identity");
	/* Makes the vendor's messages English. */
	http_out_field_cstr(out, "accept-language", "en-US,en");
	http_out_field(out, "user-agent",
		agent.n > 0 ? agent : SPAN("glmproxy/" GLMPROXY_VERSION));
	if (u->upstream->req_head != NULL)
		u->upstream->req_head(out);
	put_features(u, out);
	http_out_field_u64(out, "content-length", u->body_bytes);
	http_out_end(out);
}
