/* SPDX-License-Identifier: MIT */
/* errors.h - z.ai's errors: business codes and the shapes they come in. */
#ifndef UPSTREAM_ERRORS_H
#define UPSTREAM_ERRORS_H

#include "shared/base/buf.h"
#include "tests/upstream/request.h"

enum shape {
	SHAPE_F1,  /* {"error":{"code","message"},"request_id"} */
	SHAPE_F2,  /* the same with "type":"error" and error.type */
	SHAPE_F2B, /* without error.type */
	SHAPE_F3,  /* the code in error.type */
	SHAPE_F4,  /* {"code","msg","success":false}, status 200 */
	SHAPE_F5,  /* {"detail":[...]}, status 422 */
	SHAPE_F5B, /* {"detail":"..."} */
	SHAPE_F6,  /* {"timestamp","status","error","path"} */
	SHAPE_F7,  /* HTML */
	SHAPE_F7B, /* text */
	SHAPE_F7C, /* empty */
	SHAPE_F8,  /* {"code","message"} */
};

struct failure {
	unsigned code;   /* business code */
	unsigned status; /* HTTP */
	enum shape shape;
	struct span message; /* not escaped */
	struct span path;    /* for F6 */
};

/* What `side` answers with this code: status, shape, text. For an unknown code
 * 400 and "error". */
struct failure failure_of(enum side side, unsigned code);
/* By its name in scenarios ("F2b"); false if there is none. */
bool failure_set_shape(struct failure *f, struct span name) GP_WUR;

/* The body; trace: the request's id in z.ai's own form. */
void failure_put(struct buf *out, const struct failure *f, struct span trace);
const char *failure_content_type(const struct failure *f);

/* The answer to a request that was refused. */
struct failure failure_of_refusal(const struct request *r);

#endif
