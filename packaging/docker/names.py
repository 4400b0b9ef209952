#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""names.py - the compose files pass on every environment name of the program
that glmproxy replaces (those of conf.def that work without a prefix). Run from
the top of the tree; with --write, write them there."""

import re
import sys

FILES = ("packaging/docker/compose.yaml", "packaging/docker/compose.dev.yaml")
LINE = re.compile(r"(?m)^      [A-Z_]+: \$\{[A-Z_]+:-\}\n|^@NAMES@\n")


def names():
    with open("shared/sys/conf.def", encoding="ascii") as f:
        text = re.sub(r"\s+", " ", f.read())
    found = re.findall(r'CONF\(\w+, \w+, "\w+", "([A-Z_]+)"', text)
    return found + ["DEBUG"]


def main():
    want = "".join("      %s: ${%s:-}\n" % (n, n) for n in names())
    status = 0
    for path in FILES:
        with open(path, encoding="ascii") as f:
            text = f.read()
        lines = LINE.findall(text)
        if "".join(lines) == want:
            continue
        if "--write" not in sys.argv or not lines:
            print("names: %s does not pass on the names of conf.def: run"
                  " packaging/docker/names.py --write" % path)
            status = 1
            continue
        at = LINE.search(text).start()
        with open(path, "w", encoding="ascii") as f:
            f.write(text[:at] + want + LINE.sub("", text[at:]))
    if status == 0:
        print("names: %d passed on to containers" % len(names()))
    return status


if __name__ == "__main__":
    sys.exit(main())
