# SPDX-License-Identifier: MIT
"""run_folds.py - what SDKs make of our streams, by tests/clients/folds.mjs.

    python3 -m tests.e2e.run_folds [--seed S] [--count N] [--case N]
                                   [--set KEY=VALUE]...

--case shows one answer alone, with all that was sent; --set changes the
program's configuration. The last line printed is `N passed, N failed`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

from tests.e2e.harness import Process, Proxy, clean_env
from tests.e2e.run_clients import FOLDER, fetch, node

SEED, COUNT = 1, 1500
RUN_S = 280


class Upstream:
    """folds_upstream.mjs; plain is "127.0.0.1:PORT"."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="glmproxy-folds-")
        self.process = Process(
            [node(), os.path.join(FOLDER, "folds_upstream.mjs")], self.dir,
            "upstream")
        self.plain = self.process.wait_log(
            r"^listening on (\S+)").group(1)

    def stop(self):
        self.process.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


def read_arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--seed", type=int, default=SEED)
    p.add_argument("--count", type=int, default=COUNT)
    p.add_argument("--case", type=int)
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    return p.parse_args()


def main():
    a = read_arguments()
    fetch()
    more = {} if a.case is None else {"CASE": str(a.case)}
    upstream = Upstream()
    try:
        proxy = Proxy(dict(s.split("=", 1) for s in a.set), upstream)
        try:
            status = subprocess.run(
                [node(), "folds.mjs"], cwd=FOLDER, stdin=subprocess.DEVNULL,
                timeout=RUN_S * max(a.count / COUNT, 1), check=False,
                env=clean_env(SEED=str(a.seed), COUNT=str(a.count),
                              PROXY_URL="http://" + proxy.address, **more)
            ).returncode
            proxy.check_log()
        finally:
            proxy.stop()
    finally:
        upstream.stop()
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, subprocess.SubprocessError, AssertionError) as err:
        print("# %s" % err)
        print("0 passed, 1 failed")
        sys.exit(1)
