/* SPDX-License-Identifier: MIT */
/* api_quota.h - what upstreams have said about the limits of keys, beside the
 * page /api/quota. */
#ifndef ADMIN_API_QUOTA_H
#define ADMIN_API_QUOTA_H

#include "shared/base/buf.h"
#include "shared/sys/shm.h"

/* Prometheus text: when limits renew. */
void api_quota_put_metrics(const struct shm *m, struct buf *out);

#endif
