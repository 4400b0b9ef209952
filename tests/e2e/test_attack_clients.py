# SPDX-License-Identifier: MIT
"""Clients that do what no decent one does: pipeline, dawdle, stand still."""

import os
import resource
import select
import socket
import threading
import time
import unittest

from tests.e2e import tunnel, wire
from tests.e2e.attack import AttackCase, answer, until_closed
from tests.e2e.chat import DIALECTS, user
from tests.e2e.harness import DEADLINE_S, as_bytes, post_fields, wait_until


class Pipelining(AttackCase):

    def test_many(self):
        """Requests cut by the size of a read keep their order."""
        n = 3000
        with self.proxy.connect() as conn:
            def send():
                conn.send(b"".join(
                    b"GET /v1/models/m%d HTTP/1.1\r\nHost: localhost\r\n\r\n"
                    % i for i in range(n)))

            thread = threading.Thread(target=send)
            thread.start()
            for i in range(n):
                r = conn.response("GET")
                self.assertEqual(r.status, 404, i)
                self.assertIn('"m%d\\"' % i, r.body.decode(), i)
            thread.join()

    def test_behind_a_chat(self):
        """Bytes that wait come before bytes that arrive."""
        head = (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                b"Authorization: Bearer k\r\nContent-Length: %d\r\n\r\n")
        body = as_bytes(DIALECTS["O"].body(user("[[slow first=50]]")))
        get = b"GET /v1/models/m%d HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with self.proxy.connect() as conn:
            whole = head % len(body) + body + get % 1 + get % 2
            conn.send(whole[:-20])
            r = conn.response()
            self.assertEqual(r.status, 200)
            conn.send(whole[-20:] + get % 3)
            for i in range(1, 4):
                self.assertIn("m%d" % i, conn.response("GET").body.decode())

    def test_request_behind_a_last_one(self):
        """What comes behind connection: close is not answered."""
        get = b"GET /health HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
        with self.proxy.connect() as conn:
            conn.send(get % b"Connection: close\r\n" + get % b"" * 3)
            self.assertEqual(conn.response("GET").status, 200)
            self.assertEqual(conn.ends(), b"")


class Leftovers(AttackCase):
    """Nothing of an earlier request is seen in a later one."""

    config = {"cors_origins": "https://app.example",
              "client_header_timeout_s": "3"}

    FIRST = (b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
             b"x-api-key: k\r\nOrigin: https://app.example\r\n"
             b"anthropic-version: 1\r\n\r\n")

    def second(self, raw):
        with self.proxy.connect() as conn:
            conn.send(self.FIRST)
            self.assertEqual(conn.response("GET").get(
                "access-control-allow-origin"), "https://app.example")
            conn.send(raw)
            r = conn.response()
            self.assertIsNone(r.get("access-control-allow-origin"))
            self.assertNotIn("request-id", [n for n, _ in r.head.fields])
            self.assertEqual(conn.ends(), b"")
            return r

    def test_broken_head(self):
        for filler in (b"a: b\r\n", b"filler: " + b"x" * 30000 + b"\r\n"):
            r = self.second(b"GET / HTTP/1.1\r\n" + filler * 2 + b"a: b\r\n" * 3
                            + b"no colon\r\n\r\n")
            self.assertEqual(r.status, 400)

    def test_head_that_does_not_end(self):
        r = self.second(b"GET / HTTP/1.1\r\n" + b"a: " + b"b" * 30000 + b"\r\n"
                        + b"a: b\r\n" * 6)
        self.assertEqual(r.status, 408)

    def test_dialect(self):
        """A 400 is in the dialect of its own request only."""
        body = as_bytes(DIALECTS["A"].body(user("x")))
        with self.proxy.connect() as conn:
            conn.request("POST", "/v1/messages", post_fields(), body)
            self.assertEqual(conn.response().status, 200)
            conn.send(b"nonsense\r\n\r\n")
            r = conn.response()
            self.assertEqual(r.status, 400)
            self.assertIn("param", r.json()["error"])


class HalfStates(AttackCase):
    """Connections that stand still: no processor time, and an end."""

    config = {"client_header_timeout_s": "1", "client_body_timeout_s": "1",
              "client_write_timeout_s": "1", "keepalive_timeout_s": "1"}

    def test_says_nothing(self):
        with self.proxy.connect() as conn:
            self.check_idle()
            self.assertEqual(conn.ends(), b"")

    def test_says_nothing_more(self):
        with self.proxy.connect() as conn:
            conn.request("GET", "/health")
            conn.response("GET")
            self.check_idle()
            self.assertEqual(conn.ends(), b"")

    def test_dawdles(self):
        """Bytes do not extend the time for a head, but that for a body."""
        start = time.monotonic()
        with self.proxy.connect() as conn:
            try:
                while time.monotonic() - start < DEADLINE_S:
                    conn.send(b"GET / HTTP/1.1\r\na: b\r\n"
                              if conn.buf == b"" else b"")
                    conn.sock.settimeout(0.1)
                    if not conn.more():
                        break
            except (OSError, TimeoutError, wire.Cut):
                pass
            self.assertLess(time.monotonic() - start, 5)

    def test_head_stops(self):
        before = self.metric('client_drops_total{reason="head"}')
        with self.proxy.connect() as conn:
            conn.send(b"POST /v1/messages HTTP/1.1\r\n")
            self.assertEqual(conn.response().status, 408)
            self.assertEqual(conn.ends(), b"")
        self.wait_metric('client_drops_total{reason="head"}', before + 1)

    def test_body_stops(self):
        before = self.metric('client_drops_total{reason="body"}')
        with self.proxy.connect() as conn:
            conn.send(b"POST /v1/messages HTTP/1.1\r\nHost: a\r\n"
                      b"x-api-key: k\r\nContent-Length: 9\r\n\r\n{")
            self.check_idle()
            r = conn.response()
            self.assertEqual(r.status, 408)
            self.assertEqual(conn.ends(), b"")
        self.wait_metric('client_drops_total{reason="body"}', before + 1)

    def test_refused_and_stays(self):
        """The answer is there; the client neither reads on nor leaves."""
        with self.proxy.connect() as conn:
            conn.send(b"nonsense\r\n\r\n")
            conn.response()
            conn.send(b"x" * 100000)
            self.check_idle()
            self.wait_metric("client_connections", 0)

    def test_pipelines_while_it_waits(self):
        conn = self.begin(text="[[slow first=800]]")
        conn.send(b"GET /v1/models/m1 HTTP/1.1\r\nHost: a\r\n\r\n")
        self.check_idle()
        self.assertEqual(conn.response().status, 200)
        self.assertEqual(conn.response("GET").status, 404)

    def test_upstream_is_silent(self):
        conn = self.begin(text="[[no_head]]")
        self.standin.wait_request(self.since)
        self.check_idle()
        conn.close()
        self.check_clean()


class BodiesOfPages(AttackCase):
    """What no page reads is not held, whoever sends it."""

    def status(self, size, method="GET", path="/health", chunked=False):
        with self.proxy.connect() as conn:
            head = "%s %s HTTP/1.1\r\nHost: localhost\r\n" % (method, path)
            if chunked:
                conn.send(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n"
                          b"%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n")
            else:
                conn.send(head.encode() + b"Content-Length: %d\r\n\r\n" % size
                          + b"x" * size)
            return conn.response(method).status

    def test_small(self):
        for method in ("GET", "HEAD"):
            for path in ("/health", "/v1/models", "/"):
                for chunked in (False, True):
                    self.assertEqual(
                        self.status(60000, method, path, chunked), 200)

    def test_large(self):
        for path in ("/health", "/v1/models"):
            for chunked in (False, True):
                self.assertEqual(
                    self.status(200000, "GET", path, chunked), 413)


class NoRoom(AttackCase):
    """Over max_buffered_mb, what a client does not take is left upstream."""

    def upload(self, proxy, size, sent):
        """Part of a body, which is held."""
        conn = proxy.connect()
        self.addCleanup(conn.close)
        conn.send(b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n"
                  b"x-api-key: k\r\nContent-Length: %d\r\n\r\n" % size
                  + b" " * sent)

    def test_slow_reader(self):
        go_on, held = threading.Event(), threading.Event()
        self.addCleanup(go_on.set)
        event = b"data: " + as_bytes({
            "id": "1", "created": 1, "model": "m", "choices": [{
                "index": 0, "delta": {"content": "x" * 8000}}]}) + b"\n\n"

        def play(sock):
            tunnel.read_request(sock)
            sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: "
                         b"text/event-stream\r\n\r\n" + event)
            go_on.wait(DEADLINE_S)
            sock.settimeout(0.5)
            try:
                while True:
                    sock.sendall(event)
                    select.select([], [], [], 0.001)
            except socket.timeout:
                held.set()
            until_closed(sock)

        proxy = self.upstream(play, max_buffered_mb="16", max_body_mb="12")
        conn = self.begin(proxy, rcvbuf=4096)
        conn.read_head()
        # Memory doubles: to 12 MiB, and with the last byte of all to 4 MiB.
        self.upload(proxy, 12 << 20, 9 << 20)
        wait_until(lambda: self.metric("buffered_bytes", proxy) >= 12 << 20,
                   "the first body to be held")
        self.upload(proxy, 4000000, (2 << 20) + 1)
        wait_until(lambda: self.metric("buffered_bytes", proxy) >= 16 << 20,
                   "the limit to be reached")
        before = self.metric("buffered_bytes", proxy)
        go_on.set()
        self.assertTrue(held.wait(DEADLINE_S), "upstream was not held back")
        self.check_idle(proxy)
        self.assertLess(self.metric("buffered_bytes", proxy) - before, 150000)


class FewDescriptors(AttackCase):

    def test_told_once_and_served_again(self):
        self.expect_log("accepting pauses")
        proxy = self.own_proxy()
        pid = self.worker(proxy)
        n = len(os.listdir("/proc/%d/fd" % pid)) + 8
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (n, n))
        conns = [proxy.connect() for _ in range(12)]
        for c in conns:
            self.addCleanup(c.close)
        proxy.process.wait_log("accepting pauses")
        self.check_idle(proxy)
        self.assertEqual(proxy.process.log().count("accepting pauses"), 1)
        for c in conns[:8]:
            c.close()
        for c in conns[8:]:
            c.request("GET", "/health")
            self.assertEqual(c.response("GET").status, 200)

    def test_none_for_upstream(self):
        """A request that cannot be passed on is answered."""
        self.expect_log("upstream: .*(?i:too many open files)")
        proxy = self.own_proxy()
        pid = self.worker(proxy)
        with proxy.connect() as conn:
            conn.request("GET", "/health")
            conn.response("GET")
            self.wait_metric("client_connections", 1, proxy)
            taken = {int(f) for f in os.listdir("/proc/%d/fd" % pid)}
            n = min(set(range(len(taken) + 1)) - taken)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (n, n))
            conn.request("POST", "/v1/messages", post_fields(), as_bytes(
                DIALECTS["A"].body(user("x"))))
            self.assertEqual(conn.response().status, 502)


if __name__ == "__main__":
    unittest.main()
