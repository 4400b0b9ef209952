# SPDX-License-Identifier: MIT
"""The admin port in a real browser: a hostile page reads nothing and changes
nothing (the same page with the rules out of its way does both); somebody logs
in and out."""

import http.client
import http.server
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest
import urllib.parse

from tests.e2e import harness, wire
from tests.e2e.harness import wait_until
from tests.e2e.test_process import NOWHERE

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
PAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "browser")
TYPES = {".html": "text/html", ".js": "text/javascript"}
TOKEN = "token-of-the-admin"
REBOUND = "rebound.example"
HOPS = ("connection", "proxy-connection", "keep-alive", "transfer-encoding",
        "content-length", "upgrade")
# The browser's own rules about networks would be in the way of ours.
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage",
         "--disable-popup-blocking",
         "--disable-features=LocalNetworkAccessChecks,"
         "LocalNetworkAccessChecksWebSockets,"
         "BlockInsecurePrivateNetworkRequests,"
         "PrivateNetworkAccessSendPreflights,MediaRouter,OptimizationHints")


class Server(http.server.ThreadingHTTPServer):
    """On a port of its own until close()."""

    daemon_threads = True

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.port = self.server_address[1]
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.shutdown()
        self.server_close()
        self.thread.join()

    def handle_error(self, request, client_address):
        pass  # browsers leave when they like


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def answer(self, status, fields, body=b""):
        self.send_response_only(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = True

    def forward(self, address, path, note=lambda status: None):
        """To the admin port; note() learns the status of its answer before
        the browser does."""
        conn = http.client.HTTPConnection(address, timeout=wire.TIMEOUT_S)
        conn.putrequest(self.command, path, skip_host=True,
                        skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOPS:
                conn.putheader(name, value)
        body = self.body()
        conn.putheader("content-length", str(len(body)))
        conn.endheaders(body)
        r = conn.getresponse()
        note(r.status)
        fields = [(n, v) for n, v in r.getheaders()
                  if n.lower() not in HOPS]
        if (r.getheader("content-type") or "").startswith(
                "text/event-stream") and r.status == 200:
            self.copy(r, fields)
        else:
            self.answer(r.status, fields, r.read())
        conn.close()

    def copy(self, r, fields):
        """What has no end."""
        self.send_response_only(r.status)
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        while True:
            piece = r.read1(65536)
            if not piece:
                return
            try:
                self.wfile.write(piece)
            except OSError:
                return


class Relay(Server):
    """The admin port, with a list of what came and how it was answered."""

    def __init__(self, admin):
        self.seen = []
        relay = self

        class Seen(Handler):
            def any(self):
                fields = {n.lower(): v for n, v in self.headers.items()}
                self.forward(admin, self.path, lambda status: relay.seen.append(
                    (self.command, self.path, status, fields)))

            do_GET = do_POST = do_HEAD = do_OPTIONS = any
            do_PUT = do_DELETE = do_PATCH = any

        super().__init__(Seen)


class Site(Server):
    """The hostile site; also the browser's proxy, which takes it to whatever
    address a name is said to have."""

    def __init__(self, relay, cookie):
        self.report = None
        site = self

        class Page(Handler):
            def any(self):
                path = urllib.parse.urlsplit(self.path)
                host = self.headers.get("host", "")
                if path.path == "/visit/report":
                    site.report = json.loads(self.body())
                    self.answer(204, [])
                elif path.path == "/visit/plant":
                    self.plant(urllib.parse.parse_qs(path.query)["to"][0])
                elif path.path.startswith("/visit/"):
                    self.file(os.path.basename(path.path))
                elif host.startswith(REBOUND):
                    # The name has another address by now.
                    self.forward("127.0.0.1:%d" % relay.port, path.path)
                else:
                    self.answer(404, [])

            def plant(self, to):
                """As if the visitor had logged in: ports share cookies."""
                fields = [("location", to)]
                if cookie:
                    fields.append(("set-cookie",
                                   cookie + "; Path=/; HttpOnly; "
                                   "SameSite=Strict"))
                self.answer(302, fields)

            def file(self, name):
                with open(os.path.join(PAGES, name), "rb") as f:
                    self.answer(200, [("content-type", TYPES[
                        os.path.splitext(name)[1]])], f.read())

            do_GET = do_POST = any

        super().__init__(Page)


@unittest.skipUnless(BROWSER, "there is no chromium")
class Browser(unittest.TestCase):
    """A proxy, a hostile site and a visitor for each test."""

    def start(self, token=None, **config):
        proxy = harness.Proxy(dict(NOWHERE, **config), start=False)
        if token is not None:
            proxy.config["admin_token_file"] = proxy.file("token", token)
            proxy.write_config()
        proxy.start()
        self.addCleanup(proxy.stop)
        self.proxy = proxy
        self.bearer = [("Authorization", "Bearer " + token)] if token else []
        self.cookie = None
        if token is not None:
            r = wire.fetch(proxy.admin, "POST", "/api/login",
                           [("Content-Type", "application/json")],
                           json.dumps({"token": token}).encode())
            self.cookie = r.get("set-cookie").partition(";")[0]
        self.relay = Relay(proxy.admin)
        self.addCleanup(self.relay.close)
        self.site = Site(self.relay, self.cookie)
        self.addCleanup(self.site.close)

    def asset(self):
        page = wire.fetch(self.proxy.admin, "GET", "/login" if self.cookie
                          else "/", self.bearer)
        found = page.body.decode().partition('src="/page/')[2]
        return "/page/" + found.partition('"')[0] if found else "/licenses"

    def visit(self, origin, name, **query):
        """Let somebody visit the page; its report."""
        page = "http://%s/visit/%s?%s" % (
            origin, name, urllib.parse.urlencode(query))
        url = "http://localhost:%d/visit/plant?%s" % (
            self.site.port, urllib.parse.urlencode({"to": page}))
        folder = tempfile.mkdtemp(prefix="glmproxy-chromium-")
        self.addCleanup(shutil.rmtree, folder, True)
        with open(os.path.join(folder, "log"), "wb") as log:
            browser = subprocess.Popen(
                [BROWSER, *FLAGS, "--user-data-dir=" + folder,
                 "--proxy-server=http://127.0.0.1:%d" % self.site.port,
                 "--remote-debugging-port=0", url],
                stdout=log, stderr=log, start_new_session=True)
        try:
            wait_until(lambda: self.site.report is not None,
                       "the report of the page", 120)
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
        return self.site.report

    def attack(self, origin, target):
        return self.visit(origin, "attack.html", target=target,
                          asset=self.asset())

    def rebind(self, name="attack.html", **query):
        """Let the name of the page have the admin port's address."""
        origin = "%s:%d" % (REBOUND, self.relay.port)
        return self.visit(origin, name, target="http://" + origin, **query)


class Hostile(Browser):
    def check_nothing_changed(self):
        self.assertEqual(self.proxy.get("/health").status, 200)
        if self.cookie:
            r = wire.fetch(self.proxy.admin, "GET", "/metrics",
                           [("Cookie", self.cookie)])
            self.assertEqual(r.status, 200)
            # No guess of the page's was looked at.
            for _ in range(4):
                r = wire.fetch(self.proxy.admin, "GET", "/metrics",
                               [("Authorization", "Bearer wrong")])
                self.assertEqual((r.status, r.get("retry-after")),
                                 (401, None))

    def served(self):
        """What was answered well, but for files that everybody may have."""
        return [(command, path, status)
                for command, path, status, _ in self.relay.seen
                if status < 400 and not path.startswith(("/page/",
                                                         "/licenses"))]

    def came(self, method, path):
        return [s for s in self.relay.seen if s[0] == method and s[1] == path]

    def check_refused(self, report):
        self.assertEqual(report["read"], [])
        self.assertGreater(report["tried"], 100)
        # The attack was one: it came, from there, in all ways.
        for method, path in (("GET", "/health"), ("POST", "/api/drain"),
                             ("POST", "/api/login"), ("POST", "/logout"),
                             ("GET", "/api/events"),
                             ("OPTIONS", "/api/drain")):
            self.assertTrue(self.came(method, path), (method, path))
        modes = {f.get("sec-fetch-mode") for _, _, _, f in self.relay.seen}
        self.assertLessEqual({"cors", "no-cors", "navigate"}, modes)
        self.assertLessEqual(
            {"image", "script", "style", "iframe", "object", "empty"},
            {f.get("sec-fetch-dest") for _, _, _, f in self.relay.seen})
        self.check_nothing_changed()

    def test_another_site(self):
        self.start()
        report = self.attack("evil.example",
                             "http://localhost:%d" % self.relay.port)
        self.check_refused(report)
        self.assertEqual(self.served(), [])
        self.assertEqual({s for _, p, s, _ in self.relay.seen
                          if p != self.asset()}, {403})

    def test_another_site_and_a_session(self):
        self.start(token=TOKEN)
        report = self.attack("evil.example",
                             "http://localhost:%d" % self.relay.port)
        self.check_refused(report)
        self.assertEqual(self.served(), [])

    def test_another_port_of_the_same_host(self):
        # Same site: the browser sends cookies, and no origin with images.
        # What it gets then it keeps from the page.
        self.start()
        report = self.attack("localhost:%d" % self.site.port,
                             "http://localhost:%d" % self.relay.port)
        self.check_refused(report)
        self.assertEqual({m for m, _, _ in self.served()}, {"GET"})

    def test_another_port_of_the_same_host_and_a_session(self):
        self.start(token=TOKEN)
        report = self.attack("localhost:%d" % self.site.port,
                             "http://localhost:%d" % self.relay.port)
        self.check_refused(report)
        self.assertEqual({m for m, _, _ in self.served()}, {"GET"})
        self.assertTrue(any("cookie" in f for _, _, _, f in self.relay.seen))

    def test_a_name_that_changes_its_address(self):
        self.start()
        report = self.rebind(asset=self.asset())
        self.assertEqual([r for r in report["read"]
                          if self.asset() not in r], [])
        self.assertEqual(self.served(), [])
        self.assertTrue(self.came("POST", "/api/drain"))
        self.check_nothing_changed()

    def test_the_page_would_find_an_open_door(self):
        # The same, but the name has been allowed.
        self.start(allowed_hosts=REBOUND)
        report = self.rebind(asset=self.asset())
        read = " ".join(report["read"])
        for what in ("fetch /health: 200", "fetch /metrics: 200"):
            self.assertIn(what, read)
        self.assertIn(202, [s for _, _, s, _ in self.came(
            "POST", "/api/drain")])
        wait_until(lambda: self.proxy.get("/health").status == 503,
                   "a drained instance")


class Login(Browser):
    def test_in_and_out(self):
        self.start(token=TOKEN)
        report = self.rebind("login.html", token=TOKEN)
        self.assertIsNone(report["trouble"])
        self.assertEqual(report["steps"], [
            ["title", "Log in – glmproxy"], ["focus", "token"],
            ["wrong", "That is not the token."],
            ["place", "/#/requests"], ["cookie", ""], ["left", "/login"],
            ["next", "/#/system"], *[["foreign", "/"]] * 4])
        self.assertEqual(report["violations"], 0)
        # Two sessions were ended by their owner.
        sessions = {f["cookie"] for _, path, status, f in self.relay.seen
                    if path == "/" and status == 200}
        self.assertEqual(len(sessions), 6)
        self.assertEqual(sorted(wire.fetch(
            self.proxy.admin, "GET", "/api/session",
            [("Cookie", c)]).status for c in sessions),
            [200] * 4 + [401] * 2)


if __name__ == "__main__":
    unittest.main()
