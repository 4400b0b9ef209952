# SPDX-License-Identifier: MIT
"""tokens.py - how fast the tokenizer is, alone: megabytes a second of one core
for English, code and Chinese, and the longest of its steps."""

import os
import re
import subprocess
import sys

import limits

sys.path.insert(0, limits.ROOT)
from tests.e2e import run_reference  # noqa: E402

KINDS = ("english", "c", "chinese")
VOCABULARY = os.path.join(limits.ROOT, "build/glmproxy.vocab")
ENGLISH_MB_S, STEP_US, TENFOLD = 20, 500, 15


def tokens(folder):
    if not os.path.exists(VOCABULARY):
        print("tokenizer: no vocabulary; `make deps` fetches it")
        return True
    words = []
    for name, data in run_reference.corpora():
        if name in KINDS and data:
            path = os.path.join(folder, name)
            with open(path, "wb") as f:
                f.write(data)
            words.append("%s=%s" % (name, path))
    run = subprocess.run([limits.TOOLS + "/bench_tokens", VOCABULARY, *words,
                          "hard"], check=True, stdout=subprocess.PIPE)
    # name: rate in MB/s, bytes, longest step in us
    found = {m[0]: (float(m[2]), int(m[1]), int(m[3])) for m in re.findall(
        r"^(\S+): (\d+) bytes, \d+ tokens, ([\d.]+) MB/s, longest step (\d+) us$",
        run.stdout.decode(), re.M)}
    print("tokenizer, one core")
    for name in KINDS:
        if name in found:
            print("  %-8s %6.1f MB/s of %d bytes" % (name, *found[name][:2]))
    limits.verdict(">= %d MB/s of English" % ENGLISH_MB_S,
                   found["english"][0] >= ENGLISH_MB_S)
    ratios = [found[n][1] / found[n][0] / (found[s][1] / found[s][0])
              for n, s in ((n, n[:-2] + "100k") for n in found
                           if n.endswith("-1m"))]
    print("  words without end: 1 MB takes at most %.1f times 100 kB"
          % max(ratios))
    limits.verdict("<= %d times" % TENFOLD, max(ratios) <= TENFOLD)
    longest = max(step for _, _, step in found.values())
    print("  longest step: %d us" % longest)
    limits.verdict("<= %d us" % STEP_US, longest <= STEP_US)
    return True
