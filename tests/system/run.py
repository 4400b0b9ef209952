#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py - build the packages, boot machines, live through a service's life.

    run.py [--machines NAME,...] [-k PATTERN] DIST

Machines are bookworm, trixie (with the deb built for each) and rpm (this
host's suite). RUNS in the environment says how often each operation is done
under load (2). DIST is the source archive of `make dist`. The last line is
`N passed, N failed`.
"""

import argparse
import concurrent.futures
import glob
import os
import sys
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

# pylint: disable=wrong-import-position
from tests.system import roots
from tests.system.lint import Lint
from tests.system.packages import DebLife, RpmLife

MACHINES = ("bookworm", "trixie", "rpm")


class Result(unittest.TextTestResult):
    """A line a test."""

    def startTest(self, test):
        super().startTest(test)
        self.begun = time.monotonic()

    def addSuccess(self, test):
        super().addSuccess(test)
        print("  ok %s (%.1f s)" % (test.id().split(".", 3)[-1],
                                    time.monotonic() - self.begun),
              flush=True)

    def _told(self, test, err):
        print("  FAILED %s\n%s" % (test.id(),
                                   self._exc_info_to_string(err, test)),
              flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._told(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self._told(test, err)


def life_of(machine, folders):
    """The tests of one machine."""
    base = RpmLife if machine == "rpm" else DebLife
    pattern = "glmproxy-%s-*.x86_64.rpm" if machine == "rpm" else \
        "glmproxy_%s_*.deb"
    packages = []
    for version in roots.VERSIONS:
        found = [f for f in sorted(glob.glob(os.path.join(
            folders[machine], pattern % version))) if "debug" not in f]
        if len(found) != 1:
            raise roots.Failed("no package of %s for %s" % (version, machine))
        packages.append(found[0])
    suite = roots.host_suite() if machine == "rpm" else machine
    return type("Life", (base,), {
        "suite": suite, "packages": packages, "label": machine,
        "__qualname__": machine, "__module__": "tests.system"})


def prepare(machines, dist):
    """Roots from the mirror while packages are compiled here."""
    host = roots.host_suite()
    suites = {host if m == "rpm" else m for m in machines}
    folders = {}
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        fetched = [pool.submit(roots.machine_root, s) for s in sorted(suites)]
        fetched += [pool.submit(roots.build_root, m) for m in machines
                    if m not in ("rpm", host)]
        if "rpm" in machines:
            folders["rpm"] = roots.build_rpms(dist)
        for machine in machines:
            if machine == host:
                folders[machine] = roots.build_debs(machine, dist)
        for future in fetched:
            future.result()
    for machine in machines:
        if machine not in folders:
            folders[machine] = roots.build_debs(machine, dist)
    return folders


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--machines", default=",".join(MACHINES))
    parser.add_argument("--built", action="store_true",
                        help="take the packages of the last time")
    parser.add_argument("-k", action="append", default=[])
    parser.add_argument("dist")
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("run.py: systemd-nspawn needs root")
    machines = args.machines.split(",")
    os.makedirs(roots.WORK, exist_ok=True)
    begun = time.monotonic()
    print("packages and roots (logs in build/system)", flush=True)
    if args.built:
        folders = {m: os.path.join(roots.WORK, "rpm" if m == "rpm" else
                                   "deb-" + m) for m in machines}
    else:
        folders = prepare(machines, os.path.abspath(args.dist))
    print("  done after %.0f s" % (time.monotonic() - begun), flush=True)
    loader = unittest.TestLoader()
    loader.testNamePatterns = ["*%s*" % k for k in args.k] or None
    Lint.folders = folders
    cases = [("packages", Lint)]
    cases += [(m, life_of(m, folders)) for m in machines]
    passed = failed = 0
    for name, case in cases:
        print("%s (after %.0f s)" % (name, time.monotonic() - begun),
              flush=True)
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            result = Result(unittest.runner._WritelnDecorator(nowhere), False,
                            0)
            loader.loadTestsFromTestCase(case).run(result)
        bad = len(result.failures) + len(result.errors)
        passed += max(result.testsRun - bad - len(result.skipped), 0)
        failed += bad
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
