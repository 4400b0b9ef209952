# SPDX-License-Identifier: MIT
"""service.py - the installed service, its upstream and its clients."""

import gzip
import json
import os
import re
import subprocess
import threading
import time

from tests.system.machine import wait_until
from tests.system.roots import ROOT, WORK

UNIT = "glmproxy.service"
PORT, ADMIN_PORT, UPSTREAM_PORT = 5000, 5001, 5443
CONF = "/etc/glmproxy/glmproxy.conf"
CA = "/etc/ssl/certs/test-upstream.pem"
STANDIN = os.path.join(ROOT, "build/release/standin")
ENV_VALUES = os.path.join(ROOT, "build/release/tests/system/env_values")
LOAD = os.path.join(ROOT, "build/release/tests/system/load")
# Threads of each kind, as the clients' names for them.
CLIENTS = {"new": 16, "kept": 16, "stream": 4}
LOGGED = re.compile(r"(upstream_responses(?:\.\d{8}_\d{6}(?:_\d\d)?)?\.json)"
                    r"(?:\.gz)?")
LOST = ("refused", "reset", "eof", "stale", "truncated", "bad")
SUM = re.compile(r"^(\w+)(?:\{([^}]*)\})? (\S+)$", re.M)


class Service:
    def __init__(self, machine):
        self.machine = machine

    # --- the upstream ---------------------------------------------------------

    def start_upstream(self):
        """The stand-in behind TLS, and the configuration that leads there."""
        certs = os.path.join(WORK, "certs")
        subprocess.run([os.path.join(ROOT, "tests/upstream/certs.sh"), certs],
                       check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        program = self.machine.spawn(
            STANDIN, "--listen", "127.0.0.1:%d" % UPSTREAM_PORT, "--tls-cert",
            certs + "/cert.pem", "--tls-key", certs + "/key.pem", "--keep",
            "0", "--quiet", stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        if b"(tls)" not in program.stdout.readline():
            raise AssertionError("the stand-in did not start")
        with open(certs + "/ca.pem", encoding="ascii") as f:
            self.machine.write(CA, f.read())

    def configure(self, **more):
        """Lines at the end of the packaged file, in the place of earlier
        ones."""
        base = "https://localhost:%d" % UPSTREAM_PORT
        keys = {"upstream_base": base + "/api/anthropic",
                "openai_upstream_base": base + "/api/coding/paas/v4",
                "upstream_ca_file": CA, "stop_timeout_s": "20",
                "workers": "2"}
        keys.update(more)
        mark = "# for the tests\n"
        text = self.machine.read(CONF).split(mark)[0] + mark
        self.machine.write(CONF, text + "".join(
            "%s = %s\n" % item for item in keys.items()))

    # --- files of variables ---------------------------------------------------

    @staticmethod
    def _own_variables(listing):
        """Those which are not systemd's: capital letters A and B."""
        pairs = (part.split("=", 1) for part in listing.split("\0") if part)
        return {name: value for name, value in pairs if set(name) <= {*"AB1"}}

    def env_of_systemd(self, text):
        self.machine.write("/root/env", text)
        r = self.machine.run("systemd-run", "--quiet", "--wait", "--pipe",
                             "-p", "EnvironmentFile=/root/env", "env", "-0")
        return self._own_variables(r.stdout)

    def env_values(self, text):
        r = subprocess.run([ENV_VALUES], input=text.encode(), check=True,
                           stdout=subprocess.PIPE)
        # As the machine's output is read.
        return self._own_variables(r.stdout.decode().replace("\r", "\n"))

    # --- commands and questions -----------------------------------------------

    def systemctl(self, *words, check=True):
        return self.machine.run("systemctl", *words, check=check)

    def show(self, name):
        return self.systemctl("show", "-P", name, UNIT).stdout.strip()

    def main_pid(self):
        return int(self.show("MainPID"))

    def journal(self, *words):
        return self.machine.run("journalctl", "-q", "-o", "cat", "-u", UNIT,
                                *words).stdout

    def curl(self, url, *words):
        """Status and body; status 0: no answer."""
        program = self.machine.spawn(
            "curl", "-sS", "--max-time", "60", "-w", "\n%{http_code}", *words,
            url, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        text = program.communicate()[0].decode("utf-8", "replace")
        self.machine.programs.remove(program)
        body, _, status = text.rpartition("\n")
        return int(status or 0), body

    def health(self):
        return self.curl("http://127.0.0.1:%d/health" % PORT)

    def chat(self, text, path="/v1/chat/completions", stream=True, key=True):
        """Status and body of an answer."""
        body = {"model": "glm-4.6", "stream": stream, "max_tokens": 1000,
                "messages": [{"role": "user", "content": text}]}
        words = ["-N", "-H", "content-type: application/json", "-d",
                 json.dumps(body)]
        if key:
            words += ["-H", "authorization: Bearer system-test.1"]
        return self.curl("http://127.0.0.1:%d%s" % (PORT, path), *words)

    def sums(self):
        """All figures: name to the sum over its labels, name{labels} to its
        own."""
        status, text = self.curl(
            "http://127.0.0.1:%d/metrics" % ADMIN_PORT)
        if status != 200:
            return {}
        out = {}
        for name, labels, value in SUM.findall(text):
            out[name] = out.get(name, 0) + float(value)
            if labels:
                out["%s{%s}" % (name, labels)] = float(value)
        return out

    def chats(self):
        return int(self.sums().get('glmproxy_requests_total{route="chat"}',
                                   0))

    def records_lost(self):
        return int(self.sums().get("glmproxy_records_lost_total", 0))

    def deaths(self):
        return int(self.sums().get("glmproxy_process_deaths_total", 0))

    def generation(self):
        return int(self.sums().get("glmproxy_generation", 0))

    def version(self):
        return self.curl("http://127.0.0.1:%d/metrics" % ADMIN_PORT)[1].split(
            'glmproxy_build_info{version="')[1].split('"')[0]

    def stored(self):
        """Requests in the history, by what became of them."""
        r = self.machine.run("glmproxy", "stats", "--by", "status", "--last",
                             "7d", "--json", check=False)
        if r.returncode != 0:
            return None
        return sum(row["requests"] for row in json.loads(r.stdout))

    def logged(self):
        """Requests in the log files: a line for each that went upstream. None
        while files get other names."""
        folder = self.machine.path + "/var/log/glmproxy/"
        names = {}
        for name in sorted(os.listdir(folder)):
            match = LOGGED.fullmatch(name)
            if match:
                # Compressed in the place of what it was made of.
                names[match.group(1)] = name
        n = 0
        for name in names.values():
            is_gzip = name.endswith(".gz")
            try:
                with (gzip.open if is_gzip else open)(folder + name,
                                                      "rb") as f:
                    n += sum(1 for _ in f)
            except FileNotFoundError:
                return None
        return n

    def processes(self):
        """This machine's pid to the title of each."""
        out = {}
        for pid in self.machine.pids(UNIT):
            try:
                with open("/proc/%d/cmdline" % pid, encoding="utf-8") as f:
                    out[pid] = f.read().strip("\0 ")
            except OSError:
                pass
        return out

    def pids_of(self, title):
        return [pid for pid, text in self.processes().items() if title in text]

    def wait_calm(self):
        """Earlier processes have left, all of the newest are there."""
        def look():
            titles = list(self.processes().values())
            return (len(titles) == 4 and
                    sum("admin" in t for t in titles) == 1)

        return wait_until(look, "one master, one admin, two workers", 90)


class Load:
    """Clients of all kinds at once, and a look at who holds the database."""

    def __init__(self, service, **clients):
        self.service = service
        self.clients = dict(CLIENTS, **clients)
        self.double = []
        self.result = None

    def __enter__(self):
        self.service.wait_calm()
        self.chats_before = self.service.chats()
        self.stored_before = self.service.stored() or 0
        self.logged_before = self.service.logged() or 0
        self.records_lost_before = self.service.records_lost()
        self.program = self.service.machine.spawn(
            LOAD, str(PORT), *(str(n) for n in self.clients.values()),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.is_over = threading.Event()
        self.watcher = threading.Thread(target=self._watch)
        self.watcher.start()
        self.flow(sum(self.clients.values()))
        return self

    def flow(self, n=40, streams=2):
        """Wait until that many more requests have come in, streams among
        them."""
        before = self.service.sums()

        def look():
            now = self.service.sums()
            grown = [now.get(name, 0) - before.get(name, 0) for name in (
                'glmproxy_requests_total{route="chat"}',
                "glmproxy_streams_total")]
            return grown[0] >= n and grown[1] >= streams

        wait_until(look, "%d further requests" % n)

    def _holders(self):
        held = set()
        for pid in self.service.pids_of("admin"):
            folder = "/proc/%d/fd" % pid
            try:
                for fd in os.listdir(folder):
                    if os.readlink(folder + "/" + fd).endswith("/history.db"):
                        held.add(pid)
            except OSError:
                pass
        return held

    def _watch(self):
        while not self.is_over.wait(0.05):
            first = self._holders()
            # One may have let go while the other was looked at.
            if len(first) > 1 and self._holders() >= first:
                self.double.append(sorted(first))

    def __exit__(self, kind, value, trace):
        out, _ = self.program.communicate(b"", timeout=120)
        self.is_over.set()
        self.watcher.join()
        self.service.machine.programs.remove(self.program)
        if kind is None:
            self.result = json.loads(out)

    # --- what came of it ------------------------------------------------------

    def total(self, name):
        return sum(r[name] for r in self.result.values())

    def lost(self):
        """What was lost, by kind; empty if nothing was."""
        return {"%s %s" % (kind, name): r[name]
                for kind, r in self.result.items()
                for name in LOST if r[name]}

    def text(self):
        return "; ".join("%s: %d sent, %d lost, longest %.0f ms" % (
            kind, r["sent"], sum(r[n] for n in LOST), r["max_ms"])
            for kind, r in self.result.items())

    def _wait_grown(self, count, before, at_least, patience_s):
        """How far count() has grown, once that is enough, or at the end of
        patience."""
        until = time.monotonic() + patience_s
        while True:
            n = (count() or 0) - before
            if n >= at_least or time.monotonic() > until:
                return n
            time.sleep(0.2)

    def wait_stored(self, at_least, patience_s=20):
        """The history's further requests."""
        return self._wait_grown(self.service.stored, self.stored_before,
                                at_least, patience_s)

    def wait_logged(self, at_least, patience_s=20):
        """The log files' further requests."""
        return self._wait_grown(self.service.logged, self.logged_before,
                                at_least, patience_s)
