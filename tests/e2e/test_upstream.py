# SPDX-License-Identifier: MIT
"""The way to the upstream: TLS, pools, retries, tunnels, back-pressure."""

import os
import re
import socket
import time
import unittest

from tests.e2e import tunnel, wire
from tests.e2e.chat import DIALECTS, Tool, ask, image, user
from tests.e2e.harness import (as_bytes, Case, certs, is_sanitized,
                               post_fields, wait_until)


def cert(name):
    return os.path.join(certs(), name)


class UpstreamCase(Case):
    """Helpers; no tests."""

    def play(self, scenario, client="O", stream=False, proxy=None, **more):
        body = DIALECTS[client].body(user("[[%s]]" % scenario), stream=stream,
                                     **more)
        return ask((proxy or self.proxy).address, client, body)

    def connections(self):
        return {r["connection"] for r in self.standin.requests(self.since)}


class Verified(UpstreamCase):
    """Chain and host name; there is no way round."""

    def against(self, cert_file, key_file="key.pem", ca="ca.pem", **config):
        standin = self.own_standin(cert=cert(cert_file), key=cert(key_file))
        config["upstream_ca_file"] = cert(ca)
        return standin, self.own_proxy(config, standin=standin, tls=True)

    def refused(self, pattern, *args, **more):
        self.expect_log(r"upstream: .*")
        standin, proxy = self.against(*args, **more)
        for client in "OA":
            for stream in (False, True):
                a = self.play("text", client, stream, proxy)
                self.assertEqual(a.status, 502)
                self.assertIsNotNone(a.error)
        self.assertRegex(proxy.process.log(), pattern)
        self.assertEqual(standin.stats()["requests"], 0)

    def test_good(self):
        for files in (("cert.pem", "key.pem"),
                      ("rsa-cert.pem", "rsa-key.pem")):
            standin, proxy = self.against(*files)
            with self.subTest(files=files):
                for client in "OA":
                    self.assertEqual(self.play(
                        "say text=ok", client, True, proxy).text, "ok")
                r = standin.last()
                self.assertEqual(r["tls"]["sni"], "localhost")
                self.assertIn(r["tls"]["version"], ("TLSv1.2", "TLSv1.3"))

    def test_wrong_host(self):
        self.refused("(?i)name|CN|host", "wrong-host.pem")

    def test_expired(self):
        self.refused("(?i)expired", "expired.pem")

    def test_other_ca(self):
        self.refused("(?i)trusted|CA", "cert.pem", ca="other-ca.pem")

    def test_no_tls_there(self):
        self.expect_log(r"upstream: .*")
        proxy = self.own_proxy({
            "upstream_base": "https://localhost:%s/api/anthropic"
            % self.standin.plain.rpartition(":")[2],
            "upstream_ca_file": cert("ca.pem")})
        self.assertEqual(self.play("text", proxy=proxy).status, 502)


class OverTls(UpstreamCase):
    tls = True
    config = {"upstream_keepalive_idle_s": "0.3"}

    def test_all_pairs(self):
        for client in "OA":
            for suffix in ("-openai", "-anthropic"):
                for stream in (False, True):
                    a = self.play("tools2 think=1", client, stream,
                                  model="glm-4.6" + suffix,
                                  tools=[Tool("a"), Tool("b")])
                    self.assertEqual(len(a.calls), 2)
                    self.assertIsNotNone(self.sent()["tls"])

    def test_large_both_ways(self):
        text = "long " * 100000
        a = self.play("big bytes=1000000", stream=True)
        self.assertEqual(len(a.text), 1000000)
        body = DIALECTS["O"].body([("user", text), ("assistant", "x"),
                                   ("user", "[[say text=ok]]")])
        a = ask(self.proxy.address, "O", body)
        self.assertEqual(a.text, "ok")
        self.assertIn(text, self.sent()["body"])

    def test_faults(self):
        self.expect_log(r"upstream: .*")
        for fault in ("cut", "reset", "torn", "ends_early", "close_early"):
            a = self.play(fault + " words=50 per=1", stream=True)
            self.assertIsNotNone(a.error, fault)
            self.assertFalse(a.status == 200 and a.ended)

    def test_resumption(self):
        """Sessions are resumed when the pool is empty."""
        before, counted = self.standin.stats(), self.proxy.metrics()
        for _ in range(4):
            self.assertEqual(self.play("say text=x close=1").text, "x")
        after, count = self.standin.stats(), self.proxy.metrics()
        self.assertGreaterEqual(after["handshakes_resumed"]
                                - before["handshakes_resumed"], 3)
        self.assertLessEqual(after["handshakes_full"]
                             - before["handshakes_full"], 1)
        name = 'glmproxy_tls_handshakes_total{resumed="%s"}'
        self.assertEqual(count[name % "yes"] - counted[name % "yes"],
                         after["handshakes_resumed"]
                         - before["handshakes_resumed"])
        self.assertEqual(count[name % "no"] - counted[name % "no"],
                         after["handshakes_full"]
                         - before["handshakes_full"])

    def test_idle_connections_are_closed(self):
        self.play("text")
        wait_until(lambda: self.proxy.metrics()[
            "glmproxy_upstream_connections"] == 0, "idle ones to be closed")


class Pool(UpstreamCase):
    config = {"upstream_keepalive": "3"}

    def test_reuse(self):
        for stream in (False, True, False, True):
            for client in "OA":
                self.play("text", client, stream)
        self.assertEqual(len(self.connections()), 1)

    def test_one_pool_an_upstream(self):
        for _ in range(3):
            for suffix in ("-openai", "-anthropic"):
                self.play("text", model="glm-4.6" + suffix)
        self.assertEqual(len(self.connections()), 2)
        for r in self.standin.requests(self.since):
            self.assertEqual(r.header("host"), "localhost:"
                             + self.standin.plain.rpartition(":")[2])

    def test_limit(self):
        """More at once than are kept."""
        # A slow machine needs longer until all of them are on their way.
        for first_ms in (300, 1000, 5000):
            self.since = self.standin.count()
            conns = []
            for _ in range(8):
                c = self.proxy.connect()
                self.addCleanup(c.close)
                c.request("POST", "/v1/messages", post_fields(), as_bytes(
                    DIALECTS["A"].body(user("[[slow first=%d]]" % first_ms))))
                conns.append(c)
            for c in conns:
                self.assertEqual(c.response().status, 200)
            if len(self.connections()) == 8:
                break
        self.assertEqual(len(self.connections()), 8)
        wait_until(lambda: self.proxy.metrics()[
            "glmproxy_upstream_connections"] <= 3, "the rest to be closed")

    def test_errors_keep_connections(self):
        for _ in range(3):
            self.play("error code=1302")
            self.play("error_200")
        self.assertEqual(len(self.connections()), 1)

    def test_close_is_honoured(self):
        for _ in range(3):
            self.play("text close=1")
        self.assertEqual(len(self.connections()), 3)

    def test_early_done_lets_the_connection_live(self):
        """[DONE] ends an answer for us before HTTP does."""
        for _ in range(5):
            self.assertTrue(self.play("text words=3", stream=True).ended)
        self.assertEqual(len(self.connections()), 1)


class DeadPooled(UpstreamCase):

    # row_114
    def test_silent_retry(self):
        """A pooled connection that died: once more, unseen by the client."""
        retries = 0
        for how in ("", " how=reset"):
            for client in "OA":
                for stream in (False, True):
                    self.play("text", client, stream)
                    a = self.play("close_once" + how, client, stream)
                    self.assertEqual(a.status, 200)
                    self.assertTrue(a.text.startswith("You said"))
                    retries += 1
        self.assertGreaterEqual(
            self.proxy.metrics()["glmproxy_upstream_retries_total"], retries)

    def test_no_retry_on_a_fresh_one(self):
        self.expect_log(r"upstream: .*")
        proxy = self.own_proxy()
        a = self.play("close_early", proxy=proxy)
        self.assertEqual(a.status, 502)
        self.assertEqual(len(self.standin.requests(self.since)), 1)


class IdleClosed(UpstreamCase):
    standin_args = ("--idle-ms", "60")

    def test_idle_closed_by_the_upstream(self):
        for _ in range(3):
            self.assertEqual(self.play("text").status, 200)
            # Its idle_closed may count a connection of ours that asks.
            wait_until(lambda: self.proxy.metrics()[
                "glmproxy_upstream_connections"] == 0,
                "the stand-in to close the idle connection")
        self.assertEqual(len(self.connections()), 3)
        self.assertGreaterEqual(self.standin.stats()["idle_closed"], 3)


class RetryLarge(UpstreamCase):

    def test_the_whole_request_again(self):
        text = "much " * 100000
        self.play("text")
        body = DIALECTS["O"].body(user(text + "[[close_once]]"))
        a = ask(self.proxy.address, "O", body)
        self.assertEqual(a.status, 200)
        got = self.standin.requests(self.since)
        self.assertEqual(got[-1]["body"], got[-2]["body"])
        self.assertNotEqual(got[-1]["connection"], got[-2]["connection"])

    # row_114
    def test_never_after_the_first_byte(self):
        self.expect_log(r"upstream: .*")
        self.play("text")
        a = self.play("cut at=1 words=20 per=1", stream=True)
        self.assertIsNotNone(a.error)
        self.assertEqual(len(self.standin.requests(self.since)), 2)


class Tunnel(UpstreamCase):
    """upstream_proxy, by CONNECT."""

    def through(self, proxy_server, tls):
        config = {"upstream_proxy": "http://" + proxy_server.address}
        self.addCleanup(proxy_server.close)
        standin = self.standin
        if tls:
            standin = self.own_standin(cert=cert("cert.pem"),
                                       key=cert("key.pem"))
            config["upstream_ca_file"] = cert("ca.pem")
        return standin, self.own_proxy(config, standin=standin, tls=tls)

    def test_tunnelled(self):
        for tls in (False, True):
            server = tunnel.ConnectProxy()
            standin, proxy = self.through(server, tls)
            with self.subTest(tls=tls):
                for client in "OA":
                    for stream in (False, True):
                        a = self.play("say text=ok", client, stream, proxy)
                        self.assertEqual(a.text, "ok")
                where = standin.tls if tls else standin.plain
                self.assertEqual(len(server.heads), 1)
                first = server.heads[0].split("\r\n")[0]
                self.assertEqual(first, "CONNECT localhost:%s HTTP/1.1"
                                 % where.rpartition(":")[2])
                self.assertNotIn("uthorization", server.heads[0])

    def test_refused(self):
        self.expect_log(r"upstream: .*")
        for answer in (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
                       b"HTTP/1.1 407 No\r\ncontent-length: 2\r\n\r\nno",
                       b"HTTP/1.1 502 Bad\r\n\r\n", b"garbage\r\n\r\n", b""):
            server = tunnel.ConnectProxy(answer)
            _, proxy = self.through(server, False)
            with self.subTest(answer=answer):
                self.assertEqual(self.play("text", proxy=proxy).status, 502)

    def test_wrong_host_behind_a_tunnel(self):
        self.expect_log(r"upstream: .*")
        server = tunnel.ConnectProxy()
        self.addCleanup(server.close)
        standin = self.own_standin(cert=cert("wrong-host.pem"),
                                   key=cert("key.pem"))
        proxy = self.own_proxy({
            "upstream_proxy": "http://" + server.address,
            "upstream_ca_file": cert("ca.pem")}, standin=standin, tls=True)
        self.assertEqual(self.play("text", proxy=proxy).status, 502)


class Timeouts(UpstreamCase):
    config = {"connect_timeout_s": "0.3"}

    def full_listener(self):
        """A port that takes no more connections: its queue is full."""
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            s = socket.socket()
            self.addCleanup(s.close)
            s.setblocking(False)
            s.connect_ex(listener.getsockname())
        return "127.0.0.1:%d" % listener.getsockname()[1]

    def check_time_out(self, url, statuses, **config):
        self.expect_log(r"upstream: .*")
        config.update({"upstream_base": url, "connect_timeout_s": "0.3"})
        proxy = self.own_proxy(config)
        begin = time.monotonic()
        a = self.play("text", proxy=proxy)
        self.assertIn(a.status, statuses)
        self.assertLess(time.monotonic() - begin, 3)
        self.assertGreater(time.monotonic() - begin, 0.25)

    def test_connect(self):
        self.check_time_out("http://" + self.full_listener() + "/a",
                            (502, 504))

    def test_handshake(self):
        server = tunnel.Says(None)
        self.addCleanup(server.close)
        self.check_time_out(
            "https://localhost:%s/a" % server.address.rpartition(":")[2],
            (502, 504), upstream_ca_file=cert("ca.pem"))

    def test_tunnel(self):
        server = tunnel.Says(None)
        self.addCleanup(server.close)
        self.check_time_out("http://localhost:1/a", (502, 504),
                            upstream_proxy="http://" + server.address)


class Answers(UpstreamCase):
    """Heads and bodies of upstreams, as bytes."""

    JSON = (b'{"id":"1","created":1,"model":"m","choices":[{"index":0,'
            b'"finish_reason":"stop","message":{"role":"assistant",'
            b'"content":"fine"}}]}')

    def answered(self, raw, stream=False, client="O"):
        server = tunnel.Says(raw)
        self.addCleanup(server.close)
        url = "http://" + server.address
        proxy = self.own_proxy({"upstream_base": url + "/a",
                                "openai_upstream_base": url + "/o",
                                "request_timeout_s": "2"})
        return self.play("text", client, stream, proxy,
                         model="glm-4.6-openai")

    def test_good(self):
        n = len(self.JSON)
        for raw in (
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % n
                + self.JSON,
                b"HTTP/1.1 200 \r\ncontent-length:%d\r\n\r\n" % n + self.JSON,
                b"HTTP/1.0 200 OK\r\n\r\n" + self.JSON,
                b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
                + self.JSON,
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"%x;ext=1\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n" % (
                    n, self.JSON)):
            with self.subTest(raw=raw[:40]):
                a = self.answered(raw)
                self.assertEqual((a.status, a.text), (200, "fine"))

    def test_bad(self):
        self.expect_log(r"upstream: .*")
        n = len(self.JSON)
        for head in (
                b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (n + 9),
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                b"Content-Length: 5\r\n\r\n",
                b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n",
                b"HTTP/1.1 200 OK\nContent-Length: 5\n\n",
                b"HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n",
                b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40000 + b"\r\n",
                b"SSH-2.0-x\r\n"):
            with self.subTest(head=head[:40]):
                a = self.answered(head + self.JSON)
                self.assertEqual(a.status, 502)

    def test_fields_of_upstream_stay_there(self):
        a = self.answered(
            b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nServer: z\r\nX-Evil: 1\r\n"
            b"Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n"
            + self.JSON)
        names = {n for n, _ in a.response.head.fields}
        self.assertLessEqual(names, {
            "content-type", "content-length", "x-request-id",
            "x-glmproxy-model", "x-glmproxy-notice", "x-glmproxy-context",
            "x-glmproxy-upstream-id", "connection"})

    def test_the_name_of_the_request(self):
        """Upstream's header tells it, else its answer; never what could not
        stand in a header."""
        for field, body_id, name in (
                (b"X-Request-Id: abc-1.2\r\n", b"1", "abc-1.2"),
                (b"", b"20260921x1", "20260921x1"),
                (b"X-Request-Id: a b\r\n", b"2", "2"),
                (b"", b"a, b", None)):
            a = self.answered(
                b"HTTP/1.1 200 OK\r\n" + field + b"\r\n"
                + self.JSON.replace(b'"id":"1"', b'"id":"%s"' % body_id))
            self.assertEqual(a.response.head.get("x-glmproxy-upstream-id"), name)

    def test_rate_limits_within_the_dialect(self):
        fields = (b"X-RateLimit-Remaining-Requests: 7\r\n"
                  b"X-RateLimit-Reset-Requests: 6m0s\r\n"
                  b"Anthropic-RateLimit-Requests-Remaining: 8\r\n")
        error = b'{"error":{"code":"1302","message":"slow down"}}'
        for status, body in ((b"200 OK", self.JSON), (b"429 No", error)):
            for client, mine, other in (
                    ("O", "x-ratelimit-remaining-requests",
                     "anthropic-ratelimit-requests-remaining"),
                    ("A", None, "x-ratelimit-remaining-requests")):
                a = self.answered(b"HTTP/1.1 " + status + b"\r\n" + fields
                                  + b"\r\n" + body, client=client)
                self.assertEqual(a.status, int(status[:3]))
                self.assertIsNone(a.response.head.get(other))
                if mine:
                    self.assertEqual(a.response.head.get(mine), "7")
                    self.assertEqual(a.response.head.get(
                        "x-ratelimit-reset-requests"), "6m0s")
        # More than anybody sends: left out.
        a = self.answered(b"HTTP/1.1 200 OK\r\n" + b"".join(
            b"x-ratelimit-%d: %s\r\n" % (i, b"9" * 60) for i in range(40))
            + b"\r\n" + self.JSON)
        self.assertEqual(a.status, 200)
        self.assertIsNone(a.response.head.get("x-ratelimit-0"))

    def test_large_event(self):
        """One event up to 16 MiB; beyond it the stream is broken off."""
        a = self.play("big bytes=10000000", stream=True)
        self.assertEqual(len(a.text), 10000000)
        self.assertTrue(a.ended)
        a = self.play("big bytes=18000000", stream=True)
        self.assertFalse(a.status == 200 and a.ended)
        self.assertIsNotNone(a.error)

    def test_large_body(self):
        a = self.play("big bytes=10000000")
        self.assertEqual(len(a.text), 10000000)


class BackPressure(UpstreamCase):

    def worker_rss_kib(self):
        pid = self.proxy.children("worker")[0]
        with open("/proc/%d/status" % pid, encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def test_slow_reader(self):
        """Upstream waits for a client that does not read; memory does not
        grow; in the end all is there."""
        n = 150000
        body = DIALECTS["O"].body(user("[[many n=%d]]" % n), stream=True)
        before = self.worker_rss_kib()
        with self.proxy.connect(rcvbuf=4096, timeout=60) as c:
            c.request("POST", "/v1/chat/completions", post_fields(),
                      as_bytes(body))
            head = c.read_head()
            self.still()
            grown = self.worker_rss_kib() - before
            if not is_sanitized():  # else memory is the sanitizer's
                self.assertLess(grown, 4096)
            r = self.sent()
            self.assertEqual(r["end"], "open", "upstream was not held back")
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            last, count = None, 0
            for e in wire.sse(c.pieces(head)):
                count += e.data.count('"content"')
                last = e.data
            self.assertEqual(last, "[DONE]")
            self.assertEqual(count, n + 1)
        if not is_sanitized():
            self.assertLess(self.worker_rss_kib() - before, 8192)

    def still(self):
        """Until the count of bytes from upstream stands still."""
        seen = []

        def look():
            seen.append(self.proxy.metrics()[
                'glmproxy_bytes_total{leg="upstream",direction="in"}'])
            return len(seen) > 20 and seen[-20] == seen[-1]

        wait_until(look, "the stream to be held back")

    def test_others_go_on(self):
        body = DIALECTS["O"].body(user("[[many n=100000]]"), stream=True)
        with self.proxy.connect(rcvbuf=4096) as c:
            c.request("POST", "/v1/chat/completions", post_fields(),
                      as_bytes(body))
            c.read_head()
            for _ in range(20):
                self.assertEqual(self.play("say text=x").text, "x")


class PlainIp(UpstreamCase):

    def test_address_as_host(self):
        base = "http://%s/api" % self.standin.plain
        proxy = self.own_proxy({
            "upstream_base": base + "/anthropic/",
            "openai_upstream_base": base + "/coding/paas/v4/"})
        a = ask(proxy.address, "A", DIALECTS["A"].body(
            [("user", [("text", "x"), image()])]))
        self.assertEqual(a.status, 200)
        self.assertEqual(self.sent().header("host"), self.standin.plain)

    def test_first_event_is_not_held_back(self):
        """Each event goes on when it comes."""
        body = DIALECTS["O"].body(
            user("[[slow head=1 first=1 delay=60 words=6 per=1]]"),
            stream=True)
        smallest = []
        # One that waits for a busy machine comes together with the next.
        while len(smallest) < 5 and max(smallest, default=0) <= 0.02:
            with self.proxy.connect() as c:
                c.request("POST", "/v1/chat/completions", post_fields(),
                          as_bytes(body))
                head = c.read_head()
                times = [e.at for e in wire.sse(c.pieces(head))
                         if '"content":"w' in e.data]
            self.assertGreaterEqual(len(times), 5)
            smallest.append(min(b - a for a, b in zip(times, times[1:])))
        self.assertGreater(max(smallest), 0.02)


if __name__ == "__main__":
    unittest.main()
