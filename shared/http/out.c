/* SPDX-License-Identifier: MIT */
/* out.c - writes HTTP/1.1 heads and chunk framing into a buf. */
#include "shared/http/out.h"

#include "shared/base/check.h"

/* Digits of a reserved chunk size; with CRLF they fill HTTP_CHUNK_HEAD. */
#define CHUNK_DIGITS (HTTP_CHUNK_HEAD - 2)

const char *
http_reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *reason;
	} reasons[] = {
		{ 100, "Continue" },
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 206, "Partial Content" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 303, "See Other" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 402, "Payment Required" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 411, "Length Required" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" },
		{ 421, "Misdirected Request" },
		{ 422, "Unprocessable Content" },
		{ 424, "Failed Dependency" },
		{ 425, "Too Early" },
		{ 426, "Upgrade Required" },
		{ 428, "Precondition Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 451, "Unavailable For Legal Reasons" },
		{ 499, "Client Closed Request" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
		{ 507, "Insufficient Storage" },
		{ 529, "Overloaded" },
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

void
http_out_status(struct buf *out, unsigned status)
{
	GP_ASSERT(status >= 100 && status <= 999);
	buf_puts(out, "HTTP/1.1 ");
	buf_put_u64(out, status);
	buf_putc(out, ' ');
	buf_puts(out, http_reason(status));
	buf_puts(out, "\r\n");
}

void
http_out_request(struct buf *out, const char *method, struct span path)
{
	buf_puts(out, method);
	buf_putc(out, ' ');
	buf_put(out, path);
	buf_puts(out, " HTTP/1.1\r\n");
}

static bool
is_control(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

void
http_out_field(struct buf *out, const char *name, struct span value)
{
	size_t from = 0;

	buf_puts(out, name);
	buf_puts(out, ": ");
	for (size_t i = 0; i < value.n; i++) {
		if (!is_control(value.p[i]))
			continue;
		buf_put(out, span_head(span_from(value, from), i - from));
		buf_putc(out, '?');
		from = i + 1;
	}
	buf_put(out, span_from(value, from));
	buf_puts(out, "\r\n");
}

void
http_out_field_cstr(struct buf *out, const char *name, const char *value)
{
	http_out_field(out, name, span_cstr(value));
}

void
http_out_field_u64(struct buf *out, const char *name, uint64_t value)
{
	buf_puts(out, name);
	buf_puts(out, ": ");
	buf_put_u64(out, value);
	buf_puts(out, "\r\n");
}

void
http_out_end(struct buf *out)
{
	buf_puts(out, "\r\n");
}

/* n as exactly `digits` lower-case hex digits. */
static void
put_hex(char *to, size_t digits, size_t n)
{
	while (digits > 0) {
		to[--digits] = "0123456789abcdef"[n & 15];
		n >>= 4;
	}
}

void
http_out_chunk(struct buf *out, struct span s)
{
	char hex[2 * sizeof(size_t)];
	size_t digits = 1;

	if (s.n == 0)
		return;
	while (digits < sizeof(hex) && s.n >> (4 * digits) != 0)
		digits++;
	put_hex(hex, digits, s.n);
	buf_put(out, span_of(hex, digits));
	buf_puts(out, "\r\n");
	buf_put(out, s);
	buf_puts(out, "\r\n");
}

void
http_out_last_chunk(struct buf *out)
{
	buf_puts(out, "0\r\n\r\n");
}

/* Positions count from the first readable byte, because the bytes may move
 * inside the buffer while content is written. */
size_t
http_out_chunk_open(struct buf *out)
{
	size_t at = buf_len(out);

	buf_puts(out, "00000000\r\n");
	return at;
}

void
http_out_chunk_close(struct buf *out, size_t at)
{
	size_t n;

	if (out->bad)
		return;
	GP_ASSERT(buf_len(out) >= at + HTTP_CHUNK_HEAD);
	n = buf_len(out) - at - HTTP_CHUNK_HEAD;
	GP_ASSERT(n <= UINT32_MAX);
	if (n == 0) {
		buf_truncate(out, at);
		return;
	}
	put_hex(out->data + out->head + at, CHUNK_DIGITS, n);
	buf_puts(out, "\r\n");
}
