/* SPDX-License-Identifier: MIT */
/* page_index.c - /: the first page. */
#include "admin/figures.h"
#include "admin/history.h"
#include "admin/pages.h"
#include "shared/http/out.h"

#include "version.h"

static void
put_history(const struct pages *p, struct buf *b)
{
	struct history_state s;

	history_get_state(p->history, &s);
	buf_puts(b, "<h2>History</h2>\n<p>");
	if (!s.is_on) {
		buf_puts(b, "It is turned off.</p>\n");
		return;
	}
	buf_printf(b, "Rows written: %llu. Records lost: %llu.",
		(unsigned long long)s.rows, (unsigned long long)s.lost);
	if (!s.is_written) {
		buf_puts(b, " <b>It cannot be written: ");
		figures_put_text(b, s.why);
		buf_puts(b, ".</b>");
	}
	buf_puts(b, "</p>\n");
}

void
page_index(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	struct health_facts f;
	struct figures figures;
	struct health h;

	(void)request;
	page_get_facts(p, &f);
	health_judge(&f, &h);
	figures_take(&p->link->shm->usage, &figures);
	http_out_field_cstr(&a->fields, "content-security-policy",
		"default-src 'none'; style-src 'unsafe-inline'; "
		"frame-ancestors 'none'");
	buf_printf(&a->body,
		"<!doctype html>\n<html lang=\"en\"><head>"
		"<meta charset=\"utf-8\"><title>glmproxy</title><style>"
		"body{font:16px/1.5 sans-serif;margin:3em;max-width:50em}"
		"td,th{text-align:right;padding:0 .6em}"
		"td:nth-child(-n+2),th:nth-child(-n+2){text-align:left}"
		"</style></head><body>\n<h1>glmproxy %s</h1>\n"
		"<p>The service is <b>%s</b>.</p>\n<ul>\n",
		GLMPROXY_VERSION, health_word(h.status));
	for (const struct page *page = pages_table; page->path.n > 0; page++)
		if (page->what != NULL)
			buf_printf(&a->body,
				"<li><a href=\"%.*s\">%.*s</a>: %s</li>\n",
				SPAN_ARG(page->path), SPAN_ARG(page->path),
				page->what);
	buf_puts(&a->body, "</ul>\n");
	put_history(p, &a->body);
	buf_puts(&a->body, "<h2>Tokens</h2>\n");
	figures_put_html(&figures, &a->body);
	buf_puts(&a->body, "</body></html>\n");
}
