# SPDX-License-Identifier: MIT
"""The admin port: pages, who may see them, and its small HTTP server."""

import os
import re
import signal
import unittest

from tests.e2e import wire
from tests.e2e.harness import Proxy, wait_until
from tests.e2e.test_process import NOWHERE


class AdminCase(unittest.TestCase):
    """One proxy a class."""

    config = {}
    token = None

    @classmethod
    def setUpClass(cls):
        config = dict(NOWHERE, **cls.config)
        cls.proxy = Proxy(config, start=False)
        if cls.token is not None:
            path = cls.proxy.file("token", cls.token + "\n")
            cls.proxy.config["admin_token_file"] = path
            cls.proxy.write_config()
        cls.proxy.start()
        cls.addClassCleanup(cls.proxy.stop)

    def setUp(self):
        self.addCleanup(self.proxy.check_log)

    def get(self, path, *fields, method="GET", host=None):
        return wire.fetch(self.proxy.admin, method, path,
                          list(fields) + ([("Host", host)] if host else []))

    def raw(self, data, fin=False):
        """What comes back for these bytes until the end."""
        with wire.Conn(self.proxy.admin) as c:
            c.send(data)
            if fin:
                c.fin()
            got = b""
            while True:
                more = c.sock.recv(65536)
                if not more:
                    return got
                got += more


class Pages(AdminCase):
    def test_health(self):
        r = self.get("/health")
        self.assertEqual(r.status, 200)
        self.assertEqual(r.get("content-type"), "application/json")
        self.assertEqual(r.get("cache-control"), "no-store")
        body = r.json()
        self.assertEqual(body["status"], "ok")
        self.assertEqual(body["reasons"], [])
        self.assertEqual(body["workers"]["expected"], 1)
        self.assertEqual(body["workers"]["ready"], 1)
        self.assertEqual(body["restarts"], 0)
        self.assertFalse(body["draining"])
        self.assertEqual([h["name"] for h in body["hosts"]],
                         ["127.0.0.1", "127.0.0.1"])
        self.assertTrue(all(h["addresses"] == 1 for h in body["hosts"]))

    def test_metrics(self):
        r = self.get("/metrics")
        self.assertEqual(r.status, 200)
        self.assertTrue(r.get("content-type").startswith("text/plain"))
        names = set()
        sample = re.compile(
            r'^([a-z_]+)(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? '
            r'\d+(\.\d+)?$')
        for line in r.body.decode().splitlines():
            if line.startswith("# TYPE "):
                name = line.split()[2]
                self.assertNotIn(name, names, "two TYPE lines")
                names.add(name)
            elif not line.startswith("#"):
                match = sample.match(line)
                self.assertIsNotNone(match, line)
                name = match.group(1)
                if name not in names:
                    name = re.sub("_(bucket|sum|count)$", "", name)
                self.assertIn(name, names, "a sample before TYPE")
        figures = self.proxy.metrics()
        self.assertEqual(figures['glmproxy_workers{state="ready"}'], 1)
        self.assertEqual(figures["glmproxy_healthy"], 1)
        self.assertEqual(figures["glmproxy_process_deaths_total"], 0)

    def test_first_page_names_the_others(self):
        r = self.get("/")
        self.assertEqual(r.status, 200)
        self.assertIn(b'href="/health"', r.body)
        self.assertIn(b'href="/metrics"', r.body)
        self.assertIn("default-src 'none'", r.get("content-security-policy"))

    def test_head_has_no_body(self):
        whole = self.get("/", method="GET")
        r = self.get("/", method="HEAD")
        self.assertEqual(r.status, 200)
        self.assertEqual(r.body, b"")
        self.assertEqual(r.get("content-length"), str(len(whole.body)))

    def test_query_is_ignored(self):
        self.assertEqual(self.get("/health?verbose=1").status, 200)

    def test_unknown_path(self):
        for path in ("/nothing", "/health/", "//health", "/v1/models"):
            r = self.get(path)
            self.assertEqual(r.status, 404, path)
            self.assertIn("error", r.json())

    def test_other_methods(self):
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            r = wire.fetch(self.proxy.admin, method, "/health", (), b"x")
            self.assertEqual(r.status, 405, method)
            self.assertEqual(r.get("allow"), "GET, HEAD")


class Browsers(AdminCase):
    config = {"allowed_hosts": "proxy.example, other.example:8443"}

    def test_hosts(self):
        for host, status in (
                ("localhost", 200), ("localhost:5001", 200),
                ("127.0.0.1:1", 200), ("127.9.9.9", 200), ("[::1]:5001", 200),
                ("proxy.example", 200), ("proxy.example:77", 200),
                ("evil.example", 403), ("localhost.evil.example", 403),
                ("10.0.0.1", 403)):
            r = self.get("/health", host=host)
            self.assertEqual(r.status, status, host)

    def test_origins(self):
        for fields, status in (
                ([("Origin", "http://localhost")], 200),
                ([("Origin", "http://evil.example")], 403),
                ([("Origin", "null")], 403),
                ([("Sec-Fetch-Site", "cross-site")], 403),
                ([("Sec-Fetch-Site", "same-origin")], 200),
                ([("Sec-Fetch-Site", "none")], 200)):
            r = self.get("/health", *fields, host="localhost")
            self.assertEqual(r.status, status, fields)


class Token(AdminCase):
    token = "token-of-the-admin"

    def test_any_host_with_the_token(self):
        r = self.get("/health", ("Authorization", "Bearer " + self.token),
                     host="proxy.somewhere.example")
        self.assertEqual(r.status, 200)


class Server(AdminCase):
    config = {"client_header_timeout_s": "1", "keepalive_timeout_s": "1",
              "client_body_timeout_s": "1", "client_write_timeout_s": "1"}

    def test_keep_alive(self):
        with wire.Conn(self.proxy.admin) as c:
            for _ in range(3):
                c.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                got = b""
                while b'"hosts"' not in got:
                    more = c.sock.recv(65536)
                    self.assertTrue(more)
                    got += more

    def test_pipelining(self):
        one = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        last = (b"GET / HTTP/1.1\r\nHost: localhost\r\n"
                b"Connection: close\r\n\r\n")
        got = self.raw(one * 20 + last)
        self.assertEqual(got.count(b"HTTP/1.1 200 OK"), 21)

    def test_close_and_old_version(self):
        got = self.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
                       b"Connection: close\r\n\r\n")
        self.assertIn(b"connection: close\r\n", got)
        got = self.raw(b"GET /health HTTP/1.0\r\n\r\n")
        self.assertTrue(got.startswith(b"HTTP/1.1 200"))

    def test_body_is_thrown_away(self):
        got = self.raw(
            b"POST /health HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 60000\r\n\r\n" + b"x" * 60000 +
            b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
            b"Connection: close\r\n\r\n")
        self.assertTrue(got.startswith(b"HTTP/1.1 405 "))
        self.assertIn(b"HTTP/1.1 200 OK", got)

    def test_large_body_is_refused(self):
        got = self.raw(
            b"POST /health HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 900000\r\n\r\n" + b"x" * 70000)
        self.assertTrue(got.startswith(b"HTTP/1.1 413 "))

    def test_garbage(self):
        for data, status in (
                (b"hello\r\n\r\n", b"400"),
                (b"GET / HTTP/1.1\r\n\r\n", b"400"),
                (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
                (b"GET / HTTP/1.1\r\nHost: localhost\r\n" +
                 b"X: " + b"y" * 70000 + b"\r\n\r\n", b"431")):
            got = self.raw(data)
            self.assertTrue(got.startswith(b"HTTP/1.1 " + status), got[:80])

    def test_slow_head_is_ended(self):
        with wire.Conn(self.proxy.admin) as c:
            c.send(b"GET / HT")
            got = c.sock.recv(65536)
            self.assertTrue(got.startswith(b"HTTP/1.1 408 "), got)

    def test_slow_body_is_ended(self):
        with wire.Conn(self.proxy.admin) as c:
            c.send(b"POST /api/drain HTTP/1.1\r\nHost: localhost\r\n"
                   b"Content-Type: application/json\r\n"
                   b"Content-Length: 2\r\n\r\n{")
            got = c.sock.recv(65536)
            self.assertTrue(got.startswith(b"HTTP/1.1 408 "), got)
        self.assertEqual(self.proxy.get("/health").status, 200)

    def test_client_that_does_not_read_is_dropped(self):
        with wire.Conn(self.proxy.admin, rcvbuf=2048) as c:
            c.sock.setblocking(False)
            one = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"

            def is_dropped():
                try:
                    c.sock.send(one * 50)
                except BlockingIOError:
                    pass
                except (BrokenPipeError, ConnectionResetError):
                    return True
                return False
            wait_until(is_dropped, "the end of the connection")

    def test_idle_connection_is_closed(self):
        with wire.Conn(self.proxy.admin) as c:
            self.assertEqual(c.sock.recv(1), b"")

    def test_many_connections(self):
        # Above the limit they wait in the backlog for others to close.
        idle = [wire.Conn(self.proxy.admin) for _ in range(200)]
        try:
            self.assertEqual(self.get("/health").status, 200)
        finally:
            for c in idle:
                c.close()

    def test_reset_connections(self):
        for _ in range(20):
            with wire.Conn(self.proxy.admin) as c:
                c.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
                c.reset()
        self.assertEqual(self.get("/health").status, 200)


class SlowReader(AdminCase):
    """With limits of time that do not end what this test is at."""

    def test_client_that_does_not_read_holds_nobody_up(self):
        with wire.Conn(self.proxy.admin, rcvbuf=2048) as c:
            c.sock.setblocking(False)
            try:
                while True:
                    c.sock.send(b"GET /metrics HTTP/1.1\r\n"
                                b"Host: localhost\r\n\r\n" * 50)
            except BlockingIOError:
                pass
            self.assertEqual(self.get("/health").status, 200)


class Reload(AdminCase):
    def test_request_on_its_way_is_answered(self):
        """Of a client that was connected when the old process was told."""
        with wire.Conn(self.proxy.admin) as conn:
            # Connections are accepted in the order they came: it has this one
            # once it has answered a later one.
            self.assertEqual(self.get("/health").status, 200)
            old = self.proxy.children("admin")
            os.kill(self.proxy.pid, signal.SIGHUP)
            wait_until(lambda: "draining" in self.states(old), "draining")
            conn.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = conn.response("GET")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.get("connection"), "close")

    def states(self, pids):
        got = wire.fetch(self.proxy.admin, "GET", "/api/workers").json()
        return [row["state"] for row in got["workers"] if row["pid"] in pids]


class Names(unittest.TestCase):
    def test_name_without_address_is_told(self):
        config = dict(NOWHERE)
        # spec: RFC 6761: a name that never has an address
        config["upstream_base"] = "http://glmproxy.invalid/a"
        proxy = Proxy(config)
        self.addCleanup(proxy.stop)

        def told():
            r = wire.fetch(proxy.admin, "GET", "/health")
            return r.json()["reasons"] and r
        r = wait_until(told, "a reason in /health")
        self.assertEqual(r.status, 200)
        self.assertEqual(r.json()["status"], "degraded")
        self.assertTrue(r.json()["reasons"][0].startswith(
            "the name glmproxy.invalid has no address yet: check"))
        proxy.process.wait_log(r"glmproxy\.invalid cannot be resolved")
        proxy.check_log([r"glmproxy\.invalid cannot be resolved"])

    def test_only_the_proxy_is_resolved_where_there_is_one(self):
        config = dict(NOWHERE)
        config["upstream_base"] = "http://glmproxy.invalid/a"
        config["upstream_proxy"] = "http://127.0.0.1:1"
        proxy = Proxy(config)
        self.addCleanup(proxy.stop)
        body = wire.fetch(proxy.admin, "GET", "/health").json()
        self.assertEqual(body["status"], "ok")
        self.assertEqual([h["name"] for h in body["hosts"]], ["127.0.0.1"])
        proxy.check_log()


if __name__ == "__main__":
    unittest.main()
