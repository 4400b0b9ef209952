#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""exit_codes.py - the exit codes of `glmproxy help` stand in the manual page
and in README.md, with the same words. Run from the top of the tree; with
--write, write them there."""

import re
import subprocess
import sys

MANUAL = "packaging/man/glmproxy.8"
README = "README.md"
MANUAL_BLOCK = re.compile(
    r"(?<=\n\.Sh EXIT STATUS\n).*?(?=\n\.Sh )", re.S)
README_BLOCK = re.compile(
    r"(?<=\n\| exit code \| meaning \|\n\| --- \| --- \|\n).*?(?=\n\n)", re.S)


def codes():
    text = subprocess.run(["build/glmproxy", "help"], capture_output=True,
                          text=True, check=True).stdout
    rows = re.findall(r"^ +(\d+)  (\S.*)$",
                      text.partition("\nexit codes:\n")[2], re.M)
    return [(int(n), words[0].upper() + words[1:]) for n, words in rows]


def as_manual(rows):
    lines = [".Bl -tag -width Ds -compact"]
    for n, words in rows:
        lines += [".It %d" % n, words + "."]
    return "\n".join(lines + [".El"])


def as_readme(rows):
    return "\n".join("| %d | %s |" % row for row in rows)


def main():
    rows = codes()
    if len(rows) < 5:
        sys.exit("exit_codes: `glmproxy help` shows no table")
    status = 0
    for path, block, want in ((MANUAL, MANUAL_BLOCK, as_manual(rows)),
                              (README, README_BLOCK, as_readme(rows))):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        found = block.search(text)
        if found is None:
            print("exit_codes: %s has no table of exit codes" % path)
            status = 1
        elif found.group(0) != want and "--write" in sys.argv:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text[:found.start()] + want + text[found.end():])
        elif found.group(0) != want:
            print("exit_codes: the table of %s is not that of `glmproxy help`:"
                  " run tests/lint/exit_codes.py --write" % path)
            status = 1
    if status == 0:
        print("exit_codes: %d codes documented" % len(rows))
    return status


if __name__ == "__main__":
    sys.exit(main())
