#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""exit_codes.py - the exit codes of `glmproxy help` stand in the manual page
and in README.md, with the same words, and each is expected by a test. Run from
the top of the tree; with --write, write them there."""

import ast
import re
import subprocess
import sys

MANUAL = "packaging/man/glmproxy.8"
README = "README.md"
TESTS = ("tests/e2e/test_exit_codes.py", "tests/e2e/test_top.py")
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


def constants(tree):
    """{name: number} of the module, also of "A, B = 1, 2"."""
    found = {}
    for node in tree.body:
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple):
                pairs = zip(target.elts, getattr(node.value, "elts", []))
            found.update((t.id, v.value) for t, v in pairs
                         if isinstance(t, ast.Name)
                         and isinstance(v, ast.Constant))
    return found


def expected(path):
    """The numbers whose names a test asserts."""
    with open(path, encoding="utf-8") as f:
        tree = ast.parse(f.read())
    known = constants(tree)
    return {known[name.id] for call in ast.walk(tree)
            if isinstance(call, ast.Call)
            and re.match("assert|refused", getattr(call.func, "attr", ""))
            for arg in call.args for name in ast.walk(arg)
            if isinstance(name, ast.Name) and name.id in known}


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
    tested = set().union(*map(expected, TESTS))
    for n, _ in rows:
        if n not in tested:
            print("exit_codes: no test expects %d: write one in %s"
                  % (n, TESTS[0]))
            status = 1
    if status == 0:
        print("exit_codes: %d codes documented and tested" % len(rows))
    return status


if __name__ == "__main__":
    sys.exit(main())
