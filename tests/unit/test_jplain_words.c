/* SPDX-License-Identifier: MIT */
/* test_jplain_words.c - test_jplain.c for machines without SSE2. */
#define JPLAIN_WORDS
/* NOLINTNEXTLINE(bugprone-suspicious-include): in place of the library's. */
#include "shared/json/jplain.c"
/* NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "tests/unit/test_jplain.c"
