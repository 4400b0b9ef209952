# SPDX-License-Identifier: MIT
"""run_clients.py - real SDKs through the program and the stand-in upstream.

They are fetched by `npm ci`, checked against tests/clients/package-lock.json,
into build/clients: never into the source tree. The last line printed is
`N passed, N failed`.
"""

import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys

from tests.e2e.harness import ROOT, Proxy, Standin, clean_env

SOURCE = os.path.join(ROOT, "tests/clients")
FOLDER = os.path.join(ROOT, "build/clients")
PAGE = os.path.join(ROOT, "tests/page")
FETCHED = ("package.json", "package-lock.json")
# What npm may need of our environment beside the usual.
NPM_ENV = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy",
           "https_proxy", "no_proxy", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
FETCH_S = 240
RUN_S = 240


def digest():
    h = hashlib.sha256()
    for name in FETCHED:
        with open(os.path.join(SOURCE, name), "rb") as f:
            h.update(f.read())
    return h.hexdigest()


def fetch():
    """Copy the tests; fetch the SDKs unless these very ones are there. Two
    runs at a time are no trouble."""
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fetch_locked()


def fetch_locked():
    for folder, to in ((SOURCE, FOLDER), (PAGE, FOLDER + "/page")):
        os.makedirs(to, exist_ok=True)
        for path in glob.glob(os.path.join(folder, "*.mjs")):
            # Whole at any time: a run may be reading the one before.
            shutil.copy(path, FOLDER + "/copied")
            os.replace(FOLDER + "/copied",
                       os.path.join(to, os.path.basename(path)))
    stamp = os.path.join(FOLDER, "fetched")
    if os.path.exists(stamp):
        with open(stamp, encoding="ascii") as f:
            if f.read() == digest():
                return
        os.remove(stamp)
    for name in FETCHED:
        shutil.copy(os.path.join(SOURCE, name), FOLDER)
    print("# fetching the SDKs into build/clients", flush=True)
    env = clean_env(**{n: os.environ[n] for n in os.environ
                       if n in NPM_ENV or n.lower().startswith("npm_config_")})
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit",
                    "--no-fund", "--loglevel=error"], cwd=FOLDER, check=True,
                   env=env, stdin=subprocess.DEVNULL, timeout=FETCH_S)
    with open(stamp, "w", encoding="ascii") as f:
        f.write(digest())


def node():
    """The one that was fetched; on other machines than it is made for, the
    system's."""
    found = glob.glob(os.path.join(
        FOLDER, "node_modules/node-linux-*/bin/node"))
    return found[0] if found else "node"


def scenarios():
    """All that the stand-in can play."""
    with open(os.path.join(ROOT, "tests/upstream/scenario.def"),
              encoding="ascii") as f:
        return re.findall(r"^SCENARIO\((\w+)", f.read(), re.M)


def main():
    fetch()
    standin = Standin("--keep", "20000")
    try:
        proxy = Proxy({}, standin)
        try:
            status = subprocess.run(
                [node(), "run.mjs"], cwd=FOLDER, stdin=subprocess.DEVNULL,
                timeout=RUN_S, check=False, env=clean_env(
                    SCENARIOS=" ".join(scenarios()),
                    PROXY_URL="http://" + proxy.address,
                    STANDIN_URL="http://" + standin.plain)).returncode
            proxy.check_log((r"upstream: .*",))
        finally:
            proxy.stop()
    finally:
        standin.stop()
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, subprocess.SubprocessError, AssertionError) as err:
        print("# %s" % err)
        print("0 passed, 1 failed")
        sys.exit(1)
