#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py - run the tests, show what failed, sum up.

    run.py --units PROGRAM...   cmocka programs
           --fuzz PROGRAM...    fuzzers built without libFuzzer: each replays
                                the seeds and mutations of them
           --e2e [MODULE...]    tests/e2e/test_*.py, or those named ("pairs")
           --clients            the SDKs of tests/clients
           --reference          the tokenizer beside the npm package tiktoken
           --patience FACTOR    longer time limits, for slow builds
           --jobs N             how many at a time (the number of CPUs)

Each layer that is named runs; none named is a mistake. The last line is
`N passed, N failed`; the exit status is 0 when nothing failed and something
passed. Failures are shown with their output.
"""

import argparse
import concurrent.futures
import glob
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
UNIT_S, FUZZ_S, MODULE_S, SCRIPT_S = 120, 120, 170, 300
SHOWN_LINES = 200
MUTATIONS = 300
INPUT_MAX = 1 << 20


class Outcome:
    """What one program or module came to."""

    def __init__(self, name, passed, failed, skipped, text, seconds):
        self.name = name
        self.passed = passed
        self.failed = failed
        self.skipped = skipped
        self.text = text
        self.seconds = seconds


# --- running a program ------------------------------------------------------

def group_lives(pid):
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


def end_group(pid, timeout=3.0):
    """Wait for what the program started; kill what stays. True if it left by
    itself."""
    until = time.monotonic() + timeout
    while group_lives(pid):
        if time.monotonic() > until:
            os.killpg(pid, signal.SIGKILL)
            return False
        time.sleep(0.01)
    return True


def clean_env(**more):
    """Ours without what would be read as configuration."""
    env = {n: v for n, v in os.environ.items()
           if not n.startswith("GLMPROXY_")}
    env.update(more)
    return env


def run(argv, limit_s, env=None):
    """Output, exit status (None: out of time), what is wrong beside that."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.STDOUT, start_new_session=True, env=env)
        wrong = ""
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            status = None
            wrong = "not done in %d s" % limit_s
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if not end_group(process.pid) and not wrong:
            wrong = "left processes behind"
        out.seek(0)
        text = out.read().decode("utf-8", "replace")
    return text, status, wrong


# --- the layers -------------------------------------------------------------

def run_unit(path, patience):
    text, status, wrong = run([path], UNIT_S * patience,
                              clean_env(CMOCKA_MESSAGE_OUTPUT="TAP"))
    results = re.findall(r"^(ok|not ok) \d+ - .*?(# SKIP.*)?$", text, re.M)
    planned = sum(int(n) for n in re.findall(r"^1\.\.(\d+)", text, re.M))
    skipped = sum(1 for _, skip in results if skip)
    passed = sum(1 for ok, _ in results if ok == "ok") - skipped
    failed = len(results) - passed - skipped
    # What did not come to a result has failed too.
    failed += max(planned - len(results), 0)
    if failed == 0 and (wrong or status != 0 or not results):
        failed = 1
    return passed, failed, skipped, note(text, status, wrong)


def note(text, status, wrong):
    if wrong:
        text += "\n%s" % wrong
    elif status is not None and status < 0:
        text += "\nended by signal %d" % -status
    elif status:
        text += "\nexit status %d" % status
    return text


def run_fuzzer(path, patience, seeds):
    text, status, wrong = run([path, seeds], FUZZ_S * patience, clean_env())
    inputs = re.search(r"^(\d+) inputs", text, re.M)
    ok = not wrong and status == 0 and inputs and int(inputs.group(1)) > 0
    return (1, 0, 0, "") if ok else (0, 1, 0, note(text, status, wrong))


def run_module(name, patience):
    text, status, wrong = run(
        [sys.executable, "-m", "unittest", "-v", "tests.e2e." + name],
        MODULE_S * patience)
    counts = {k: int(v) for k, v in re.findall(
        r"(failures|errors|skipped|unexpected successes)=(\d+)",
        text.rpartition("\nRan ")[2])}
    ran = re.search(r"^Ran (\d+) tests?", text, re.M)
    ran = int(ran.group(1)) if ran else 0
    skipped = counts.pop("skipped", 0)
    failed = sum(counts.values())
    if failed == 0 and (wrong or status != 0):
        failed = 1
    # Only what failed, and what was under way, is of interest.
    text = re.sub(r"^test_\w+ \(.*\)(\n.*)? \.\.\. (ok|skipped.*)\n", "", text,
                  flags=re.M)
    return (max(ran - failed - skipped, 0), failed, skipped,
            note(text, status, wrong))


def run_script(name, patience):
    text, status, wrong = run(
        [sys.executable, "-m", "tests.e2e." + name], SCRIPT_S * patience)
    found = re.findall(r"^(\d+) passed, (\d+) failed$", text, re.M)
    passed, failed = (int(n) for n in found[-1]) if found else (0, 0)
    if failed == 0 and (wrong or status != 0 or passed == 0):
        failed = 1
    return passed, failed, 0, note(text, status, wrong)


# --- seeds of the fuzzers ---------------------------------------------------

def seed_bytes():
    """Recorded cases, the fuzzers' own seeds, words of their dictionaries."""
    paths = (glob.glob(os.path.join(ROOT, "tests/golden/*/*"))
             + glob.glob(os.path.join(ROOT, "tests/fuzz/seeds/*/*"))
             + [os.path.join(ROOT, "glmproxy.conf")])
    for path in sorted(paths):
        if os.path.isfile(path) and os.path.getsize(path) <= INPUT_MAX:
            with open(path, "rb") as f:
                yield f.read()
    for path in sorted(glob.glob(os.path.join(ROOT, "tests/fuzz/*.dict"))):
        with open(path, encoding="utf-8", errors="replace") as f:
            for word in re.findall(r'"((?:[^"\\]|\\.)*)"', f.read()):
                yield word.encode("latin-1", "replace").decode(
                    "unicode_escape").encode("latin-1", "replace")


def mutated(chance, seeds):
    """A seed with a few bytes changed, cut out, doubled or crossed with
    another's: the same ones in every run."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(data))
        kind = chance.randint(0, 4)
        if kind == 0 and at < len(data):
            data[at] = chance.randint(0, 255)
        elif kind == 1:
            del data[at:at + chance.randint(1, 40)]
        elif kind == 2:
            data[at:at] = data[at:at + chance.randint(1, 40)]
        elif kind == 3:
            other = chance.choice(seeds)
            start = chance.randint(0, len(other))
            data[at:at] = other[start:start + 60]
        else:
            del data[at:]
    return bytes(data)


def write_seeds(folder):
    seeds = list(seed_bytes()) + [b""]
    chance = random.Random(1)
    inputs = seeds + [mutated(chance, seeds) for _ in range(MUTATIONS)]
    for i, data in enumerate(inputs):
        with open(os.path.join(folder, "%05d" % i), "wb") as f:
            f.write(data)


# --- all together -----------------------------------------------------------

class Report:
    """Says what is done, keeps what failed."""

    def __init__(self):
        self.lock = threading.Lock()
        self.outcomes = []

    def add(self, outcome):
        with self.lock:
            self.outcomes.append(outcome)
            line = "%-34s %4d passed" % (outcome.name, outcome.passed)
            if outcome.failed:
                line += ", %d FAILED" % outcome.failed
            if outcome.skipped:
                line += ", %d skipped" % outcome.skipped
            print("%s  (%.1f s)" % (line, outcome.seconds), flush=True)

    def end(self):
        """Show the failures and the sum; the exit status."""
        for o in self.outcomes:
            if o.failed:
                lines = o.text.rstrip().split("\n")
                print("\n=== %s" % o.name)
                if len(lines) > SHOWN_LINES:
                    print("... (%d lines before)"
                          % (len(lines) - SHOWN_LINES))
                print("\n".join(lines[-SHOWN_LINES:]))
        passed = sum(o.passed for o in self.outcomes)
        failed = sum(o.failed for o in self.outcomes)
        skipped = sum(o.skipped for o in self.outcomes)
        if skipped:
            print("%d skipped" % skipped)
        print("%d passed, %d failed" % (passed, failed))
        return 0 if failed == 0 and passed > 0 else 1


def timed(name, job, *args):
    begin = time.monotonic()
    try:
        passed, failed, skipped, text = job(*args)
    except OSError as err:
        passed, failed, skipped, text = 0, 1, 0, str(err)
    return Outcome(name, passed, failed, skipped, text,
                   time.monotonic() - begin)


def modules(named):
    if named:
        words = [os.path.basename(m).replace(".py", "") for m in named]
        return [w if w.startswith("test_") else "test_" + w for w in words]
    found = glob.glob(os.path.join(ROOT, "tests/e2e/test_*.py"))
    names = sorted(os.path.basename(p)[:-3] for p in found)
    # The longest first, so that none runs alone at the end.
    first = ["test_heartbeat", "test_process"]
    return [n for n in first if n in names] + [
        n for n in names if n not in first]


def read_arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--units", nargs="*", default=[], metavar="PROGRAM")
    p.add_argument("--fuzz", nargs="*", default=[], metavar="PROGRAM")
    p.add_argument("--e2e", nargs="*", metavar="MODULE")
    p.add_argument("--clients", action="store_true")
    p.add_argument("--reference", action="store_true")
    p.add_argument("--patience", type=float, default=1.0, metavar="FACTOR")
    p.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    a = p.parse_args()
    if not (a.units or a.fuzz or a.e2e is not None or a.clients
            or a.reference):
        p.error("nothing to run: name a layer")
    return a


def main():
    a = read_arguments()
    report = Report()
    seeds = tempfile.mkdtemp(prefix="glmproxy-seeds-")
    jobs = []
    try:
        if a.fuzz:
            write_seeds(seeds)
        if a.e2e is not None:
            jobs += [("e2e " + m, run_module, m, a.patience)
                     for m in modules(a.e2e)]
        jobs += [("unit " + os.path.basename(p), run_unit, p, a.patience)
                 for p in a.units]
        jobs += [("fuzz " + os.path.basename(p), run_fuzzer, p, a.patience,
                  seeds) for p in a.fuzz]
        if a.clients:
            jobs += [("clients", run_script, "run_clients", a.patience),
                     ("folds", run_script, "run_folds", a.patience)]
        if a.reference:
            jobs.append(("reference", run_script, "run_reference",
                         a.patience))
        with concurrent.futures.ThreadPoolExecutor(max(a.jobs, 1)) as pool:
            for done in concurrent.futures.as_completed(
                    [pool.submit(timed, *job) for job in jobs]):
                report.add(done.result())
    finally:
        shutil.rmtree(seeds, ignore_errors=True)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
