# SPDX-License-Identifier: MIT
"""What clients, browsers and upstreams must not be able to do."""

import json
import re
import time
import unittest

from tests.e2e.chat import DIALECTS, ask, user
from tests.e2e.harness import (KEY, Case, Proxy, as_bytes, is_sanitized,
                               post_fields, run_program,
                               tls_checks_addresses, wait_until)

TRIES = 5
LEFT_MS = 100  # from the client's leaving to the upstream's hearing of it
UPSTREAMS = {"A": "-anthropic", "O": "-openai"}


def raw_post(body=b"{}", extra=b"", path=b"/v1/chat/completions",
             version=b"1.1", host=b"Host: localhost\r\n",
             key=b"Authorization: Bearer k\r\n"):
    return (b"POST " + path + b" HTTP/" + version + b"\r\n" + host + key
            + b"Content-Type: application/json\r\n" + extra
            + b"Content-Length: %d\r\n\r\n" % len(body) + body)


class ClientLeaves(Case):
    """A FIN or a reset means the client has left: upstream is told at once."""

    def start(self, scenario, stream, upstream="A"):
        body = DIALECTS["O"].body(user("[[%s]]" % scenario), stream=stream,
                                  model="glm-4.6" + UPSTREAMS[upstream])
        conn = self.proxy.connect(rcvbuf=4096)
        self.addCleanup(conn.close)
        conn.request("POST", "/v1/chat/completions", post_fields(),
                     as_bytes(body))
        return conn

    def cancelled_after_ms(self, leave, n):
        left_ms = time.monotonic() * 1000
        leave()
        r = self.standin.wait_request(
            n, lambda r: r["closed_by_peer_ms"] is not None, "a cancellation")
        self.assertEqual(r["end"], "aborted", r)
        self.assertGreaterEqual(r["closed_by_peer_ms"], left_ms - 2)
        return r["closed_by_peer_ms"] - left_ms

    def each(self, scenario, stream, ready):
        for upstream in UPSTREAMS:
            for how in ("fin", "close", "reset"):
                with self.subTest(upstream=upstream, how=how):
                    took = []
                    # What else the machine does is not to be measured here.
                    while len(took) < TRIES and min(took, default=LEFT_MS) >= (
                            LEFT_MS):
                        n = self.standin.count()
                        conn = self.start(scenario, stream, upstream)
                        ready(conn, n)
                        took.append(self.cancelled_after_ms(
                            getattr(conn, how), n))
                    self.assertLess(min(took), LEFT_MS)

    def arrived(self, _, n):
        self.standin.wait_request(n)

    def test_before_the_head(self):
        self.each("no_head", True, self.arrived)

    def test_before_the_head_unstreamed(self):
        self.each("no_head", False, self.arrived)

    def test_before_the_first_event(self):
        self.each("slow head=1 first=60000", True, self.arrived)

    def test_before_an_unstreamed_body(self):
        self.each("silent", False, self.arrived)

    def test_in_the_middle_of_a_stream(self):
        def first_bytes(conn, _):
            head = conn.read_head()
            next(conn.events(head))

        self.each("silent at=4 words=99 per=1", True, first_bytes)

    def test_while_the_client_does_not_read(self):
        """Back-pressure holds upstream; the FIN must still be seen."""
        def full(_, n):
            self.standin.wait_request(n, lambda r: r["head_ms"] is not None)

        self.each("many n=100000", True, full)

    def test_metrics(self):
        before = self.proxy.metrics()["glmproxy_cancelled_total"]
        n = self.standin.count()
        conn = self.start("no_head", True)
        self.standin.wait_request(n)
        conn.close()
        wait_until(lambda: self.proxy.metrics()["glmproxy_cancelled_total"]
                   == before + 1, "the cancellation to be counted")

    def test_in_the_middle_of_a_request(self):
        for part in (b"POST", raw_post()[:60], raw_post(b" " * 10)[:-3]):
            conn = self.proxy.connect()
            conn.send(part)
            conn.fin()
            self.assertEqual(conn.ends(), b"")
            conn.close()
        self.assertEqual(self.standin.count(), self.since)

    def test_the_connection_is_not_used_again(self):
        """What upstream still had to say belongs to nobody."""
        n = self.standin.count()
        conn = self.start("silent at=4 words=99", True)
        self.standin.wait_request(n)
        conn.close()
        first = self.standin.wait_request(
            n, lambda r: r["closed_by_peer_ms"] is not None)
        a = ask(self.proxy.address, "O", DIALECTS["O"].body(user("x")))
        self.assertEqual(a.text, "You said: x")
        self.assertNotEqual(self.sent()["connection"], first["connection"])

    def test_slow_connect(self):
        """Leaving while the upstream is being connected to."""
        self.expect_log(r"upstream: ")
        proxy = self.own_proxy({"upstream_base": "http://192.0.2.1:9/a",
                                "openai_upstream_base": "http://192.0.2.1:9/"})
        for _ in range(5):
            with proxy.connect() as conn:
                conn.send(raw_post(as_bytes(DIALECTS["O"].body(user("x")))))
        wait_until(lambda: proxy.get("/health").json()["active_connections"]
                   == 1, "no connection to be left")


class BadMessages(Case):
    """Stricter than the parser below."""

    BODY = as_bytes(DIALECTS["O"].body(user("x")))

    def refused(self, raw, status=400):
        with self.proxy.connect() as conn:
            conn.send(raw)
            r = conn.response()
            self.assertEqual(r.status, status, (raw[:200], r))
            self.assertEqual(r.get("connection"), "close")
            self.assertIn("error", r.json())
            self.assertEqual(conn.ends(), b"")
        self.assertEqual(self.standin.count(), self.since)

    def served(self, raw):
        with self.proxy.connect() as conn:
            conn.send(raw)
            self.assertEqual(conn.response().status, 200, raw[:200])
        self.since = self.standin.count()

    def test_the_good_one(self):
        self.served(raw_post(self.BODY))

    def test_hosts(self):
        self.refused(raw_post(self.BODY, host=b""))
        self.refused(raw_post(self.BODY, b"Host: localhost\r\n"))
        self.refused(raw_post(self.BODY, b"Host: other\r\n"))
        self.served(raw_post(self.BODY, version=b"1.0", host=b""))

    def test_obs_fold(self):
        self.refused(raw_post(self.BODY, b"X-A: 1\r\n 2\r\n"))
        self.refused(raw_post(self.BODY, b"X-A: 1\r\n\t2\r\n"))

    def test_transfer_encoding(self):
        chunked = (b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
                   % (len(self.BODY), self.BODY))
        start = (b"POST /v1/chat/completions HTTP/1.%d\r\nHost: localhost\r\n"
                 b"Content-Type: application/json\r\nx-api-key: k\r\n")
        self.served(start % 1 + chunked)
        self.refused(start % 0 + chunked)
        self.refused(start % 1 + b"Content-Length: 3\r\n" + chunked)
        self.refused(start % 1 + chunked.replace(b"chunked", b"gzip, chunked"))
        self.refused(start % 1 + chunked.replace(b"chunked", b"xchunked"))
        self.refused(start % 1 + chunked.replace(b"chunked", b"chunked, x"))

    def test_lengths(self):
        for extra in (b"Content-Length: 5\r\n", b"Content-Length: -1\r\n"):
            self.refused(raw_post(self.BODY, extra))
        for value in (b"+5", b"0x5", b"5 5", b"99999999999999999999", b"",
                      b"5,5", b"1e1"):
            self.refused(b"POST /v1/messages HTTP/1.1\r\nHost: a\r\n"
                         b"x-api-key: k\r\nContent-Length: " + value
                         + b"\r\n\r\n{}   ")

    def test_keys_twice(self):
        self.refused(raw_post(self.BODY, b"Authorization: Bearer k\r\n"))
        self.refused(raw_post(self.BODY, b"x-api-key: a\r\nX-API-Key: a\r\n"))
        self.served(raw_post(self.BODY, b"x-api-key: k\r\n"))

    def test_line_ends_and_controls(self):
        self.refused(raw_post(self.BODY).replace(b"\r\n", b"\n"))
        self.refused(raw_post(self.BODY, b"X-A: 1\rX-B: 2\r\n"))
        self.refused(raw_post(self.BODY, b"X-A: \x00\r\n"))
        self.refused(raw_post(self.BODY, b"X-A : 1\r\n"))
        self.refused(raw_post(self.BODY, b"X A: 1\r\n"))
        self.refused(raw_post(self.BODY, b": 1\r\n"))

    def test_targets(self):
        for target in (b"http://localhost/v1/models", b"*", b"localhost:80"):
            self.refused(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % target)
        self.refused(b"CONNECT localhost:80 HTTP/1.1\r\nHost: a\r\n\r\n")

    def test_versions(self):
        for version in (b"HTTP/2.0", b"HTTP/1.2", b"HTTP/0.9", b"HTTPS/1.1",
                        b"http/1.1", b""):
            self.refused(b"GET /health " + version + b"\r\nHost: a\r\n\r\n")

    def test_no_http(self):
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 99
        for raw in (hello,
                    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"hello\r\n\r\n",
                    b"\r\n" * 5 + b"x" * 50 + b"\r\n\r\n"):
            with self.proxy.connect() as conn:
                conn.send(raw)
                self.assertTrue(conn.ends().startswith(b"HTTP/1.1 400 "), raw)

    def test_upgrade_is_ignored(self):
        for kind in (b"websocket", b"h2c", b"TLS/1.2"):
            self.served(raw_post(self.BODY, b"Connection: Upgrade\r\n"
                                 b"Upgrade: " + kind + b"\r\n"))

    def test_bad_chunks(self):
        start = (b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n"
                 b"x-api-key: k\r\nTransfer-Encoding: chunked\r\n\r\n")
        for bad in (b"zz\r\n{}\r\n", b"-2\r\n{}\r\n", b"2\r\n{}}\r\n",
                    b"ffffffffffffffffff\r\n{}", b"2 x\r\n{}\r\n0\r\n\r\n"):
            self.refused(start + bad)

    def test_smuggling_does_not_cross(self):
        """Two requests in one: the second is what it says or nothing."""
        hidden = raw_post(self.BODY, path=b"/v1/messages")
        with self.proxy.connect() as conn:
            conn.send(raw_post(b"{}", b"Transfer-Encoding: chunked\r\n")
                      + hidden)
            conn.ends()
        self.assertEqual(self.standin.count(), self.since)


class Upstreams(Case):
    """What an upstream must not be able to do."""

    def play(self, scenario, stream=False, client="O", proxy=None, **more):
        body = DIALECTS[client].body(user("[[%s]]" % scenario), stream=stream,
                                     **more)
        return ask((proxy or self.proxy).address, client, body)

    def test_redirects_are_not_followed(self):
        for stream in (False, True):
            for client in "OA":
                a = self.play("redirect", stream, client)
                self.assertEqual(a.status, 502)
                self.assertIsNone(a.get("location"))
        self.assertEqual(len(self.standin.requests(self.since)), 4)

    def test_extra_bytes_close_the_connection(self):
        for stream in (False, True):
            for text in ("one", "two", "three"):
                a = self.play("extra_bytes text=%s" % text, stream)
                self.assertTrue(a.ended)
        got = self.standin.requests(self.since)
        self.assertEqual(len({r["connection"] for r in got}), 6)

    def test_answer_behind_an_answer(self):
        """The next client must not get it."""
        self.play("extra_bytes")
        for _ in range(3):
            self.assertEqual(self.play("say text=mine").text, "mine")

    def test_notice_limits(self):
        more = {"field_%03d" % i: 1 for i in range(60)}
        a = self.play("text", **more)
        value = a.get("x-glmproxy-notice")
        items = value.split(",")
        self.assertLessEqual(len(value), 1024 + 8)
        self.assertEqual(len(items), 17)
        self.assertEqual(items[16], "+44")
        a = self.play("text", **{"x" * 400 + str(i): 1 for i in range(9)})
        self.assertLessEqual(len(a.get("x-glmproxy-notice")), 1024 + 8)

    def test_notices_hold_token_characters_only(self):
        a = self.play("text", **{"evil\r\nset-cookie: a=b": 1, "\u00e9 \"": 2,
                                 "a,b": 3})
        self.assertIsNone(a.get("set-cookie"))
        for item in a.get("x-glmproxy-notice").split(","):
            self.assertRegex(item, r"^[A-Za-z0-9!#$%&'*+.^_`|~:-]+$")

    def test_no_client_text_in_upstream_heads(self):
        """Neither path nor header follows what a client writes."""
        body = DIALECTS["O"].body(user("x"), model="../../x?y#z\r\nX-A: b")
        self.allow_refusals()
        self.expect_log("upstream")
        ask(self.proxy.address, "O", body)
        r = self.sent()
        self.assertEqual(r["path"], "/api/anthropic/v1/messages")
        self.assertEqual(r["query"], "")
        self.assertIsNone(r.header("x-a"))

    def test_headers_that_stay_here(self):
        a = ask(self.proxy.address, "O", DIALECTS["O"].body(user("x")), [
            ("Cookie", "a=b"), ("X-Forwarded-For", "10.0.0.1"),
            ("X-Stainless-Lang", "js"), ("OpenAI-Organization", "o"),
            ("Connection", "x-secret"), ("X-Secret", "1"), ("TE", "trailers"),
            ("Proxy-Authorization", "Basic eDp5"), ("Accept-Encoding", "br"),
            ("Referer", "http://x/"), ("User-Agent", "tool/1.0")])
        self.assertEqual(a.status, 200)
        names = {n.lower() for n, _ in self.sent()["headers"]}
        self.assertLessEqual(names, {
            "host", "authorization", "content-type", "accept",
            "accept-encoding", "accept-language", "user-agent",
            "anthropic-version", "content-length", "connection"})
        self.assertEqual(self.sent().header("user-agent"), "tool/1.0")

    def test_urls_of_clients_are_not_fetched(self):
        """An image by URL goes upstream as a URL."""
        url = "http://%s/picture.png" % self.standin.plain
        body = DIALECTS["O"].body([("user", "x")])
        body["messages"][0]["content"] = [
            {"type": "text", "text": "x"},
            {"type": "image_url", "image_url": {"url": url}}]
        a = ask(self.proxy.address, "O", body)
        self.assertEqual(a.status, 200)
        got = self.standin.requests(self.since)
        self.assertEqual([r["method"] for r in got], ["POST"])
        self.assertIn(url, got[0]["body"])


class Browsers(Case):
    """Where a request needs no key of its own, pages must not use it."""

    config = {"allowed_hosts": "proxy.lan, other.lan:8080",
              "cors_origins": "https://app.example"}

    @classmethod
    def start_proxy(cls, config, standin):
        proxy = Proxy(config, standin, start=False)
        proxy.config["server_api_key_file"] = proxy.file("key", "server-key")
        proxy.write_config()
        proxy.start()
        return proxy

    def status(self, fields, method="POST", path="/v1/chat/completions",
               proxy=None):
        proxy = proxy or self.proxy
        body = as_bytes(DIALECTS["O"].body(user("x")))
        if method == "POST":
            fields = post_fields(fields, None)
        with proxy.connect() as conn:
            conn.request(method, path, fields,
                         body if method == "POST" else None)
            return conn.response(method).status

    def test_hosts(self):
        port = self.proxy.address.rpartition(":")[2]
        for host, status in (
                ("localhost", 200), ("localhost:" + port, 200),
                ("127.0.0.1", 200), ("127.9.9.9:1", 200), ("[::1]:80", 200),
                ("proxy.lan", 200), ("PROXY.lan:99", 200),
                ("other.lan:8080", 200), ("evil.example", 403),
                ("other.lan:81", 403), ("localhost.evil.example", 403),
                ("127.0.0.1.evil.example", 403), ("10.0.0.1", 403),
                ("xproxy.lan", 403)):
            for method, path in (("POST", "/v1/chat/completions"),
                                 ("GET", "/v1/models"), ("GET", "/health")):
                with self.subTest(host=host, path=path):
                    self.assertEqual(self.status([("Host", host)], method,
                                                 path), status)

    def test_origins(self):
        host = self.proxy.connect()
        own = "http://" + host.host()
        host.close()
        for origin, status in (
                (own, 200), ("https://app.example", 200), ("null", 403),
                ("https://evil.example", 403), ("http://localhost:1", 403),
                ("https://app.example.evil", 403), ("", 200)):
            with self.subTest(origin=origin):
                self.assertEqual(self.status([("Origin", origin)]), status)

    def test_fetch_metadata(self):
        for site, status in (("cross-site", 403), ("same-origin", 200),
                             ("none", 200)):
            self.assertEqual(self.status([("Sec-Fetch-Site", site)]), status)
        self.assertEqual(self.status(
            [("Sec-Fetch-Site", "cross-site"),
             ("Origin", "https://app.example")]), 200)

    def test_content_type_is_needed(self):
        body = as_bytes(DIALECTS["O"].body(user("x")))
        with self.proxy.connect() as conn:
            conn.request("POST", "/v1/chat/completions", (), body)
            self.assertEqual(conn.response().status, 400)
        for kind in ("text/plain", "application/x-www-form-urlencoded",
                     "multipart/form-data; boundary=x"):
            self.assertEqual(self.status([("Content-Type", kind)]), 400)

    def test_no_rules_where_clients_bring_keys(self):
        proxy = self.own_proxy()
        body = as_bytes(DIALECTS["O"].body(user("x")))
        with proxy.connect() as conn:
            conn.request("POST", "/v1/chat/completions", [
                ("Host", "proxy.example"), ("Origin", "https://x.example"),
                ("Authorization", "Bearer k")], body)
            self.assertEqual(conn.response().status, 200)


class Memory(Case):
    config = {"max_buffered_mb": "16", "max_body_mb": "12"}

    def test_buffers_are_bounded(self):
        """Over the limit: 503, and service again when memory is back."""
        head = (b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\nx-api-key: k\r\n"
                b"Content-Length: 12000000\r\n\r\n{")
        first = self.proxy.connect()
        self.addCleanup(first.close)
        first.send(head + b" " * 11000000)
        # The sockets hold some of it before the worker does.
        wait_until(lambda: self.proxy.metrics()["glmproxy_buffered_bytes"]
                   > 8 << 20, "the bytes to be held")
        statuses = []
        for _ in range(3):
            with self.proxy.connect() as conn:
                conn.send(head)
                try:
                    conn.send(b" " * 8000000)
                except OSError:
                    pass  # it has answered already
                statuses.append(conn.response().status)
        self.assertEqual(set(statuses), {529})
        first.close()
        wait_until(lambda: self.proxy.post(
            "/v1/messages", DIALECTS["A"].body(user("x"))).status == 200,
            "memory to be free again")
        self.assertGreater(self.proxy.metrics()["glmproxy_shed_total"], 0)

    def test_shed_in_both_dialects(self):
        first = self.proxy.connect()
        self.addCleanup(first.close)
        first.send(b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n"
                   b"Content-Type: application/json\r\nx-api-key: k\r\n"
                   b"Content-Length: 12000000\r\n\r\n" + b" " * 11999999)
        wait_until(lambda: self.proxy.metrics()["glmproxy_buffered_bytes"]
                   > 8 << 20, "the bytes to be held")
        for path, status in (("/v1/messages", 529),
                             ("/v1/chat/completions", 503)):
            with self.proxy.connect() as conn:
                conn.send(raw_post(b" " * 100, path=path.encode()).replace(
                    b"Length: 100", b"Length: 11999999"))
                r = conn.response()
            self.assertEqual(r.status, status)
            self.assertEqual(r.get("retry-after"), "1")
            self.assertEqual(self.proxy.get("/health").status, 200)

    @unittest.skipIf(is_sanitized(), "memory is the sanitizer's")
    def test_memory_does_not_grow(self):
        pid = self.proxy.children("worker")[0]
        body = DIALECTS["O"].body(user("[[text words=200]]"), stream=True)

        def load(n):
            with self.proxy.connect() as conn:
                for _ in range(n):
                    conn.request("POST", "/v1/chat/completions",
                                 post_fields(), as_bytes(body))
                    conn.response()

        load(100)
        before = rss_kib(pid)
        load(400)
        self.assertLess(rss_kib(pid), before + 2048)


def rss_kib(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


class RefusedStarts(unittest.TestCase):

    def refused(self, config, pattern):
        proxy = Proxy(config, start=False)
        self.addCleanup(proxy.remove)
        for command in ("check", "run"):
            r = run_program(command, "-c", proxy.conf_path)
            self.assertNotEqual(r.returncode, 0, command)
            self.assertRegex(r.stderr.decode(), pattern)

    @unittest.skipIf(tls_checks_addresses(), "for mbedTLS 2")
    def test_https_with_an_address(self):
        for url in ("https://127.0.0.1/a", "https://127.0.0.1:8443/a",
                    "https://[::1]:8443/a"):
            for key in ("upstream_base", "openai_upstream_base"):
                self.refused({key: url}, "https needs a host name")

    def test_bad_upstreams(self):
        for url in ("ftp://x/", "x", "https://", "http://a b/",
                    "http://u:p@x/", "http://x/?q", "http://x/#f",
                    "http://x:99999/"):
            self.refused({"upstream_base": url}, "upstream_base")

    def test_bad_json(self):
        for text in ("{", "[]", '{"a":1}', '{"a":"b","a":"c"}'):
            self.refused({"model_map_json": text}, "model_map_json")
        for text in ("{", "{}", "[1]", "[{}]"):
            self.refused({"openai_models_list_json": text},
                         "openai_models_list_json")


class Secrets(Case):
    config = {"log_level": "debug"}

    def test_bodies_are_in_no_log(self):
        for client in "OA":
            ask(self.proxy.address, client, DIALECTS[client].body(
                user("a-secret-question [[say text=a-secret-answer]]")))
        self.proxy.post("/v1/messages", b'{"a-secret-key":')
        text = self.proxy.process.log()
        for secret in ("a-secret", KEY):
            self.assertNotIn(secret, text)

    def test_no_core_dumps(self):
        for pid in self.proxy.children("worker") + [self.proxy.pid]:
            with open("/proc/%d/limits" % pid, encoding="ascii") as f:
                self.assertRegex(f.read(), r"Max core file size\s+0\s+0")

    def test_log_lines_cannot_be_forged(self):
        self.expect_log("upstream")
        self.allow_refusals()
        evil = "x\n2026-01-01T00:00:00.000Z err master[1]: forged"
        ask(self.proxy.address, "O", DIALECTS["O"].body(
            user("x"), model=evil))
        self.assertNotIn("\n2026-01-01T00:00:00.000Z err",
                         self.proxy.process.log())

    def test_json_answers_are_json(self):
        """Text of a client comes back escaped."""
        r = self.proxy.get('/v1/models/%22%3c%5c"<\\')
        self.assertIn("error", json.loads(r.body))


if __name__ == "__main__":
    unittest.main()
