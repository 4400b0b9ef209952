#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every row of the table of edge cases, its tests, and whether they pass.

    rows.py BUILD_FOLDER

tests/lint/rows.sh says which tests name which row. Here each of their
programs and modules runs once: a folder of tests/golden passes by itself, a
name in a unit test with its program, a name in tests/e2e with its module.
Fails when a row has no test, is still pending, or has a test that fails.
"""

import re
import subprocess
import sys
import time

TIMEOUT_S = 300
ROWS = ("sh", "tests/lint/rows.sh", "--list")


def listed():
    """[(row, state, [test])] as rows.sh prints them, and its verdict."""
    r = subprocess.run(ROWS, capture_output=True, text=True, check=False)
    rows = []
    for line in r.stdout.splitlines():
        found = re.match(r"(\d{3}) (.*)", line)
        if found:
            rows.append((found[1], found[2], []))
        elif line.startswith("      ") and rows:
            rows[-1][2].append(line.strip())
    return rows, r.returncode == 0


def run(command):
    """Output and success of a test program."""
    try:
        r = subprocess.run(command, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=TIMEOUT_S,
                           check=False)
    except (OSError, subprocess.TimeoutExpired) as err:
        return str(err), False
    return r.stdout.decode(errors="replace"), r.returncode == 0


class Results:
    """What has run, each program once."""

    def __init__(self, build):
        self.build = build
        self.done = {}

    def program(self, name):
        if name not in self.done:
            self.done[name] = run(["%s/tests/unit/%s" % (self.build, name)])
        return self.done[name]

    def module(self, name):
        if name not in self.done:
            self.done[name] = run([sys.executable, "-m", "unittest", name])
        return self.done[name]

    def passed(self, test):
        where = test.split(":")[0]
        parts = where.split("/")
        if parts[1] == "golden":
            output, _ = self.program("test_golden")
            return "[       OK ] %s\n" % parts[2] in output
        if parts[1] == "e2e":
            return self.module(where[:-len(".py")].replace("/", "."))[1]
        return self.program(parts[-1][:-len(".c")])[1]


def main():
    rows, is_whole = listed()
    results = Results(sys.argv[1])
    begin = time.monotonic()
    good = 0
    for row, state, tests in rows:
        verdicts = [(test, results.passed(test)) for test in tests]
        is_good = state == "proven" and all(v for _, v in verdicts)
        good += is_good
        if not verdicts:
            print("%s  %s" % (row, state))
        for test, verdict in verdicts:
            print("%s  %-60s %s" % (row, test, "pass" if verdict else "FAIL"))
    print("%d programs in %.0f s" % (len(results.done),
                                     time.monotonic() - begin))
    print("%d passed, %d failed" % (good, len(rows) - good))
    return 0 if is_whole and rows and good == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
