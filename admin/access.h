/* SPDX-License-Identifier: MIT */
/* access.h - who may see the admin port's pages. */
#ifndef ADMIN_ACCESS_H
#define ADMIN_ACCESS_H

#include "admin/http_server.h"
#include "shared/sys/conf.h"

/* False with a refusal in the answer. */
bool access_is_allowed(const struct conf *conf,
	const struct http_request *request, struct http_answer *answer) GP_WUR;

#endif
