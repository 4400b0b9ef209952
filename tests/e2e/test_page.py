# SPDX-License-Identifier: MIT
"""The admin page in a real browser (tests/page), and how its files are served.
"""

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import unittest

from tests.e2e import run_clients, wire
from tests.e2e.chat import DIALECTS, ask, user
from tests.e2e.harness import (Case, Proxy, Standin, clean_env, wait_until)

CHROMIUM = shutil.which("chromium")
FAILURES = ("[[error429]]", "[[error429 code=1308]]", "[[error code=1305]]",
            "[[html502]]")
CHATS = 60
# Names that the stand-in knows, so that they are seen under way, too.
HOSTILE = ("<img src=x onerror=alert(1)>",)
EXPECTED = (r"upstream: ",)


def rows(proxy):
    """How many requests the history has, as the page would ask."""
    r = wire.fetch(proxy.admin, "GET", "/api/requests?limit=500")
    return len(r.json()["requests"]) if r.status == 200 else -1


class Driver:
    """A browser that plays cases of tests/page/cases.mjs."""

    def __init__(self, proxy):
        run_clients.fetch()
        self.process = subprocess.Popen(
            [run_clients.node(), "page/driver.mjs"], cwd=run_clients.FOLDER,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=clean_env(CHROMIUM=CHROMIUM,
                          ADMIN_URL="http://" + proxy.admin,
                          PROXY_URL="http://" + proxy.address))

    def play(self, case, **args):
        print(json.dumps({"case": case, **args}), file=self.process.stdin,
              flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the driver of the browser has ended")
        answer = json.loads(line)
        if not answer["ok"]:
            raise AssertionError("%s: %s" % (case, answer["why"]))
        return answer["said"]

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Files(Case):
    """Without a browser: what is served, and how."""

    def get(self, path, *fields, method="GET"):
        return wire.fetch(self.proxy.admin, method, path, fields)

    def index(self):
        return self.get("/").body.decode()

    def addresses(self):
        return re.findall(r'(?:src|href)="(/page/[^"]+)"', self.index())

    def test_page_forbids_what_is_inline(self):
        r = self.get("/")
        self.assertEqual(r.get("content-type"), "text/html; charset=utf-8")
        self.assertEqual(
            r.get("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; "
            "img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
            "form-action 'self'; frame-ancestors 'none'")
        self.assertEqual(r.get("x-content-type-options"), "nosniff")
        self.assertNotRegex(r.body.decode(),
                            r"<style|<script(?! [^>]*src=)| style=| on\w+=")

    def test_page_is_asked_for_again(self):
        r = self.get("/")
        tag = r.get("etag")
        self.assertEqual(r.get("cache-control"), "no-cache")
        again = self.get("/", ("if-none-match", '"other", ' + tag))
        self.assertEqual((again.status, again.body), (304, b""))
        self.assertEqual(again.get("etag"), tag)
        self.assertEqual(self.get("/", ("if-none-match", '"x"')).status, 200)

    def test_files_are_kept_for_ever(self):
        found = self.addresses()
        self.assertGreater(len(found), 10)
        for path in found:
            r = self.get(path)
            self.assertEqual(r.status, 200, path)
            self.assertIn("immutable", r.get("cache-control"))
            self.assertRegex(
                r.get("content-type"),
                r"^(text/(css|javascript); charset=utf-8|image/svg\+xml)$")
            self.assertEqual(self.get(path, method="HEAD").body, b"")

    def test_all_modules_are_preloaded(self):
        # Else one is only found when another has come.
        found = set()
        for path in self.addresses():
            if path.endswith(".js"):
                body = self.get(path).body.decode()
                found.update(re.findall(r'from "\./([^"]+)"', body))
        named = {p.rpartition("/")[2] for p in self.addresses()}
        self.assertEqual(found - named, set())

    def test_gzip_is_the_same(self):
        for path in ["/"] + self.addresses():
            plain = self.get(path)
            packed = self.get(path, ("accept-encoding", "br, gzip"))
            self.assertEqual(packed.get("content-encoding"), "gzip")
            self.assertEqual(gzip.decompress(packed.body), plain.body)
            self.assertNotEqual(packed.get("etag"), plain.get("etag"))
            self.assertIsNone(plain.get("content-encoding"))
            self.assertEqual(plain.get("vary"), "accept-encoding")

    def test_other_hashes_are_not_there(self):
        for path in ("/page/0123456789abcdef/main.js", "/page/", "/page",
                     self.addresses()[0] + "x"):
            self.assertEqual(self.get(path).status, 404, path)

    def test_licences_are_shown(self):
        text = self.get("/licenses").body.decode()
        self.assertIn("--- glmproxy ---", text)
        if 'data-charts="yes"' in self.index():
            self.assertIn("--- uPlot ---", text)
            self.assertIn("Leon Sorokin", text)


@unittest.skipIf(CHROMIUM is None,
                 "chromium is not installed (packaging/deps.sh test)")
class Page(Case):
    standin_args = tuple(a for m in HOSTILE for a in ("--model", m))
    config = {"workers": "2",
              "server_api_key": "secret-of-the-server",
              "key_concurrency": "8"}
    refusals = True
    expected = EXPECTED

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fill()
        cls.driver = Driver(cls.proxy)
        cls.addClassCleanup(cls.driver.stop)

    @classmethod
    def fill(cls):
        """More requests than a page of the list has, of all kinds."""
        texts = ["hello %d" % i for i in range(CHATS)]
        texts[3::12] = FAILURES + ("[[think]]",)
        threads = [threading.Thread(target=cls.chats, args=(texts[n::4], n))
                   for n in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        wait_until(lambda: rows(cls.proxy) >= CHATS, "the history")

    @classmethod
    def chats(cls, texts, key):
        for i, text in enumerate(texts):
            d = DIALECTS["OA"[i % 2]]
            ask(cls.proxy.address, d, d.body(user(text), stream=i % 3 > 0),
                key="client-key.%d" % key)

    def test_colours(self):
        self.driver.play("colours")

    def test_filter_detail_paging(self):
        self.driver.play("filterDetailPaging")

    def test_first_paint(self):
        print("# admin page: %s" % self.driver.play("firstPaint"))

    def test_hostile_names(self):
        self.driver.play("hostileNames")

    def test_keyboard(self):
        self.driver.play("keyboard")

    def test_live_numbers(self):
        self.driver.play("liveNumbers")

    def test_phone(self):
        self.driver.play("phone")

    def test_ranges_and_charts(self):
        self.driver.play("ranges")

    def test_readers(self):
        self.driver.play("readers")

    def test_system_and_configuration(self):
        self.driver.play("system")

    def test_without_charts(self):
        self.driver.play("withoutCharts")

    def test_events_come_back(self):
        # The last worker of the admin port dies; the page says so and waits.
        self.expect_log(r"admin", r"killed by signal")
        self.driver.play("watchLine", keep=True)
        (pid,) = self.proxy.children("admin")
        os.kill(pid, signal.SIGKILL)
        self.driver.play("lineCameBack")

    def test_empty_and_degraded(self):
        standin = Standin()
        self.addCleanup(standin.stop)
        # spec: RFC 6761: a name that never has an address
        proxy = Proxy({"upstream_base": "http://glmproxy.invalid/a"}, standin)
        self.addCleanup(proxy.stop)
        self.driver.play("empty", url="http://" + proxy.admin)
        proxy.check_log([r"glmproxy\.invalid cannot be resolved"])


if __name__ == "__main__":
    unittest.main()
