# SPDX-License-Identifier: MIT
"""Tokens by client and model, and what is learned of token counts."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from tests.e2e import wire
from tests.e2e.chat import DIALECTS, ask, user
from tests.e2e.harness import Case, Proxy, Standin, wait_until
from tests.e2e.test_process import NOWHERE

LISTED = {"ann": "gp-0123456789abcdef0123456789abcdef",
          "bob": "gp-fedcba9876543210fedcba9876543210"}
HEAD = "glmproxy-calibration 1\n"


def usage(proxy):
    """What /api/usage says: {(client, model): row}."""
    rows = wire.fetch(proxy.admin, "GET", "/api/usage").json()["usage"]
    out = {(r.pop("client"), r.pop("model")): r for r in rows}
    assert len(out) == len(rows), rows
    return out


def model_figures(proxy):
    return {n: v for n, v in proxy.metrics().items()
            if n.startswith("glmproxy_model_")}


def tag(key):
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def promtool(text):
    """What promtool has against these metrics; None where there is none."""
    if shutil.which("promtool") is None:
        return None
    r = subprocess.run(["promtool", "check", "metrics"], input=text,
                       capture_output=True, timeout=30, check=False)
    return (r.stdout + r.stderr).decode()


class Helpers:
    def chat(self, proxy, key, script, model="glm-4.6", client="O",
             stream=False, status=200):
        a = ask(proxy.address, client, DIALECTS[client].body(
            user("[[say text=x %s]]" % script), model=model, stream=stream),
            key=key)
        self.assertEqual(a.status, status, a.response)


class Usage(Helpers, Case):
    def test_by_client_and_model(self):
        proxy = self.own_proxy({"workers": "2"})
        self.assertEqual(usage(proxy), {})
        for stream in (False, True):
            for client in ("O", "A"):
                self.chat(proxy, "key-one", "in=100 cached=40 out=7",
                          client=client, stream=stream)
        self.chat(proxy, "key-two", "in=1000 cached=875 out=2")
        self.chat(proxy, "key-two", "in=9 out=1", model="glm-4.5-air")
        one, two = tag("key-one"), tag("key-two")
        want = {
            (one, "glm-4.6"): {
                "requests": 4, "input_tokens": 400, "cached_tokens": 160,
                "output_tokens": 28, "cache_hit_percent": 40},
            (two, "glm-4.6"): {
                "requests": 1, "input_tokens": 1000, "cached_tokens": 875,
                "output_tokens": 2, "cache_hit_percent": 87.5},
            (two, "glm-4.5-air"): {
                "requests": 1, "input_tokens": 9, "cached_tokens": 0,
                "output_tokens": 1, "cache_hit_percent": 0}}
        self.assertEqual(usage(proxy), want)
        self.assertEqual(model_figures(proxy), {
            'glmproxy_model_%s{model="%s"}' % (name, model): value
            for model, values in (("glm-4.6", (5, 1400, 1035, 30)),
                                  ("glm-4.5-air", (1, 9, 0, 1)))
            for name, value in zip(
                ("requests_total", "input_tokens_total",
                 "cached_tokens_total", "output_tokens_total"), values)})
        text = wire.fetch(proxy.admin, "GET", "/api/usage").body.decode()
        for secret in ("key-one", "key-two"):
            self.assertNotIn(secret, text)

    def test_outlives_processes(self):
        proxy = self.own_proxy()
        self.expect_log(r"killed by signal|died|ended")
        self.chat(proxy, "k", "in=100 cached=40 out=7")
        before = usage(proxy)
        worker, = proxy.children("worker")
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: proxy.children("worker") not in ([], [worker]),
                   "another worker")
        proxy.check_serving()
        self.assertEqual(usage(proxy), before)
        for sig in (signal.SIGHUP, signal.SIGUSR2):
            old = proxy.children("worker") + proxy.children("admin")
            os.kill(proxy.pid, sig)
            wait_until(lambda: not set(old) & set(
                proxy.children("worker") + proxy.children("admin")),
                "another generation")
            proxy.check_serving()
            self.assertEqual(usage(proxy), before)
        self.chat(proxy, "k", "in=100 cached=40 out=7")
        (row,) = usage(proxy).values()
        self.assertEqual(row["requests"], 2)
        self.assertEqual(row["input_tokens"], 200)

    def test_only_what_was_answered(self):
        proxy = self.own_proxy()
        self.allow_refusals()
        self.expect_log(r"upstream")
        ask(proxy.address, "A", DIALECTS["A"].body(
            user("[[error status=500 code=500]]")), key="k")
        wire.fetch(proxy.address, "POST", "/v1/messages/count_tokens",
                   [("x-api-key", "k"), ("Content-Type", "application/json")],
                   b'{"model":"glm-4.6","messages":'
                   b'[{"role":"user","content":"x"}]}')
        self.assertEqual(usage(proxy), {})
        self.assertEqual(
            proxy.metrics()['glmproxy_tokens_total{direction="in"}'], 0)

    def test_listed_clients(self):
        proxy = Proxy({"server_api_key": None}, self.standin, start=False,
                      env={"GLMPROXY_SERVER_API_KEY": "srv-1"})
        self.addCleanup(self._end_own, proxy)
        path = proxy.file("clients", "".join(
            "%s:%s\n" % (n, hashlib.sha256(k.encode()).hexdigest())
            for n, k in LISTED.items()))
        proxy.config["client_keys_file"] = path
        proxy.write_config()
        self.expect_log(r"client_keys_file")
        proxy.start()
        for name, key in LISTED.items():
            self.chat(proxy, key, "in=10 out=1")
        self.assertEqual(set(usage(proxy)),
                         {(n, "glm-4.6") for n in LISTED})

    def test_server_key(self):
        proxy = self.own_proxy(env={"GLMPROXY_SERVER_API_KEY": "srv-1"})
        self.chat(proxy, None, "in=10 out=1")
        self.assertEqual(set(usage(proxy)), {("-", "glm-4.6")})


class Names(Helpers, Case):
    """Models that nobody knows, and their names."""

    standin_args = ("--no-validate",)
    refusals = True

    def test_hostile(self):
        proxy = self.own_proxy()
        evil = '"} 1\n<script>alert(1)</script>\\ \u202e\x00\U0001f600'
        for model in (evil, "x" * 500, "m\\n", 'a"b'):
            self.chat(proxy, "k", "in=10 out=1", model=model, client="A")
        shown = {m for _, m in usage(proxy)}
        self.assertEqual(shown, {
            '"} 1?<script>alert(1)</script>\\ \u202e?\U0001f600', "other",
            "m\\n", 'a"b'})
        text = wire.fetch(proxy.admin, "GET", "/metrics").body
        lines = [n for n in text.decode().split("\n")
                 if n.startswith("glmproxy_model_requests_total{")]
        self.assertEqual(set(lines), {
            'glmproxy_model_requests_total{model="%s"} 1' % name for name in (
                '\\"} 1?<script>alert(1)</script>\\\\ \u202e?\U0001f600',
                "other", "m\\\\n", 'a\\"b')})
        said = promtool(text)
        if said is not None:
            self.assertEqual(said, "")

    def test_run_out(self):
        """More names than rows: the sums stay right."""
        proxy = self.own_proxy()
        with proxy.connect() as c:
            for i in range(300):
                c.request("POST", "/v1/messages", [
                    ("x-api-key", "k"), ("Content-Type", "application/json")],
                    (b'{"model":"junk-%d","max_tokens":9,"messages":[{"role":'
                     b'"user","content":"[[say text=x in=10 out=1]]"}]}' % i))
                self.assertEqual(c.response().status, 200)
        figures = model_figures(proxy)
        name = 'glmproxy_model_requests_total{model="%s"}'
        self.assertEqual(figures[name % "junk-0"], 1)
        self.assertEqual(figures[name % "other"], 300 - 256)
        self.assertEqual(sum(v for n, v in figures.items()
                             if n.startswith("glmproxy_model_input")), 3000)


class Calibration(Helpers, unittest.TestCase):
    """state_dir/calibration."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="glmproxy-e2e-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.path = os.path.join(self.dir, "calibration")

    def write(self, data):
        with open(self.path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())

    def read(self):
        try:
            with open(self.path, encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def proxy(self, expected=(), standin=None):
        proxy = Proxy(dict({} if standin else NOWHERE, state_dir=self.dir),
                      standin)
        self.addCleanup(self.end, proxy, expected)
        return proxy

    def end(self, proxy, expected):
        if proxy.process.popen.poll() is None:
            try:
                proxy.check_log(expected)
            finally:
                proxy.stop()
        proxy.remove()

    def kill(self, proxy):
        """All processes at once: nobody has time to save anything."""
        os.kill(proxy.pid, signal.SIGSTOP)
        pids = proxy.children("admin") + proxy.children("worker")
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        proxy.process.kill()

    def ratios(self, proxy):
        """{(model, way): (ratio, samples)}, of which there may be none."""
        out = {}
        figures = proxy.metrics()
        for name, value in figures.items():
            found = re.match(r'glmproxy_calibration_ratio\{(model="(.*)",'
                             r'way="(.*)")\}$', name)
            if found:
                out[found.group(2), found.group(3)] = value, figures[
                    "glmproxy_calibration_samples{%s}" % found.group(1)]
        return out

    def test_is_restored(self):
        lines = ("up/glm-4.6\tquick\t0.700012\t20\n"
                 "up/glm-4.6\texact\t1.250000\t3\n")
        want = {("up/glm-4.6", "quick"): (0.700012, 20),
                ("up/glm-4.6", "exact"): (1.25, 3)}
        self.write(HEAD + lines)
        for _ in range(2):
            proxy = self.proxy()
            self.assertEqual(self.ratios(proxy), want)
            said = promtool(wire.fetch(proxy.admin, "GET", "/metrics").body)
            if said is not None:
                self.assertEqual(said, "")
            self.kill(proxy)
        self.assertEqual(self.read(), HEAD + lines)

    def test_is_learned_and_saved(self):
        standin = Standin()
        self.addCleanup(standin.stop)
        proxy = self.proxy(standin=standin)
        text = " ".join(["word"] * 2000)
        self.chat(proxy, "k", "in=3000 out=1]] %s [[" % text)
        (way,) = wait_until(lambda: [
            (n, w) for n, w in self.ratios(proxy) if w == "quick"],
            "a learned ratio")
        wait_until(lambda: "\tquick\t" in self.read(), "a saved ratio")
        self.assertEqual(oct(os.stat(self.path).st_mode & 0o777), "0o640")
        learned = self.ratios(proxy)[way]
        self.kill(proxy)
        proxy = self.proxy(standin=standin)
        self.assertEqual(self.ratios(proxy)[way], learned)
        # What comes next is saved when the service ends, if not before.
        self.chat(proxy, "k", "in=3000 out=1]] %s [[" % text)
        wait_until(lambda: self.ratios(proxy)[way][1] == learned[1] + 1,
                   "one more sample")
        proxy.stop()
        self.assertRegex(self.read(), r"\tquick\t\S+\t%d\n" % (learned[1] + 1))
        self.assertEqual(os.listdir(self.dir).count("calibration"), 1)
        self.assertFalse([n for n in os.listdir(self.dir) if ".new" in n])

    def test_hostile_files(self):
        good = "up/m\tquick\t0.500000\t9\n"
        for data, has_good, expected in (
                (b"", False, ()),
                (HEAD, False, ()),
                (HEAD + "nonsense\n" * 3 + good, True,
                 (r"calibration: 3 lines are wrong and ignored, line 2 ",)),
                (HEAD + good + "up/n\tquick\t0.5", True,
                 (r"calibration: 1 lines are wrong and ignored, line 3 ",)),
                ("glmproxy-calibration 2\n" + good, False,
                 (r"calibration: 2 lines are wrong and ignored, line 1 ",)),
                (bytes(range(256)) * 200, False,
                 (r"calibration: \d+ lines are wrong and ignored, line 1 ",)),
                (HEAD.encode() + b"x" * 70000, False,
                 (r"calibration: larger than 65536 bytes",))):
            with self.subTest(data=data[:60]):
                self.write(data)
                proxy = self.proxy(expected)
                self.assertEqual(self.ratios(proxy), {
                    ("up/m", "quick"): (0.5, 9)} if has_good else {})
                for regex in expected:
                    self.assertEqual(len(re.findall(
                        regex, proxy.process.log())), 1)
                proxy.check_log(expected)
                proxy.stop()

    def test_something_else_in_its_place(self):
        for make in (os.mkdir, os.mkfifo,
                     lambda p: os.symlink("/nowhere/at/all/" + p, p),
                     lambda p: os.symlink(p, p)):
            with self.subTest(make=make):
                make(self.path)
                proxy = self.proxy([r"calibration: "])
                self.assertEqual(self.ratios(proxy), {})
                proxy.check_log([r"calibration: "])
                proxy.stop()
                if os.path.isdir(self.path):
                    os.rmdir(self.path)
                else:
                    os.unlink(self.path)

    def test_unwritable_place(self):
        """One warning, and the service goes on."""
        # More than the file says is in memory: it is to be written anew.
        self.write(HEAD + "up/m\tquick\t0.500000\t9\nnonsense\n")
        expected = [r"calibration: 1 lines are wrong",
                    r"calibration cannot be written"]
        os.mkdir(self.path + ".new0")
        os.mkdir(self.path + ".new1")
        proxy = self.proxy(expected)
        proxy.process.wait_log(r"calibration cannot be written.*: Is a dir")
        self.assertEqual(self.ratios(proxy), {("up/m", "quick"): (0.5, 9)})
        proxy.check_serving()
        log = proxy.process.log_path
        proxy.process.end()
        with open(log, encoding="utf-8") as f:
            self.assertEqual(f.read().count("cannot be written"), 1)
        self.assertEqual(self.read().count("nonsense"), 1)


if __name__ == "__main__":
    unittest.main()
