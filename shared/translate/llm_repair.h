/* SPDX-License-Identifier: MIT */
/* llm_repair.h - the parts of llm_normal.h: names of its notices, and the step
 * that has a file of its own. For llm_normal.c and llm_results.c only. */
#ifndef TRANSLATE_LLM_REPAIR_H
#define TRANSLATE_LLM_REPAIR_H

#include "shared/translate/llm_req.h"

/* Names behind "repaired:". */
#define REPAIR_TOOL_ID   "tool_id"          /* cleaned, or made unique */
#define REPAIR_MISSING   "tool_result"      /* made up */
#define REPAIR_ORPHAN    "orphan_result"    /* became text */
#define REPAIR_DUPLICATE "duplicate_result" /* joined with another */
#define REPAIR_MOVED     "result_order"     /* moved to another turn */
#define REPAIR_EMPTY     "empty_message"    /* removed or filled */
#define REPAIR_FIRST     "first_turn"       /* a user's put in front */
#define REPAIR_NO_USER   "no_user_turn"     /* one appended */
#define REPAIR_TRAILING  "trailing_blanks"  /* of the answer's beginning */
#define REPAIR_ARGUMENTS "tool_arguments"   /* wrapped: no JSON object */

void llm_repaired(struct llm_req *r, const char *name);

/* Ids and results: steps 1 and 3 of llm_normal.h. Neighbouring turns of user
 * and assistant alternate already, but for system turns between them. */
void llm_repair_results(struct llm_req *r);

#endif
