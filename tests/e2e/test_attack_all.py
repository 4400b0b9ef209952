# SPDX-License-Identifier: MIT
"""Everybody leaves at any moment; what is left, counted and told afterwards."""

import hashlib
import os
import random
import signal
import threading
import time
import unittest

from tests.e2e import wire
from tests.e2e.attack import AttackCase
from tests.e2e.chat import DIALECTS, ask, user
from tests.e2e.harness import (Proxy, as_bytes, post_fields, proc_file,
                               wait_until)


class Chaos(AttackCase):
    """Clients and upstreams that leave at any moment, many at a time."""

    config = {"connect_timeout_s": "1", "request_timeout_s": "1",
              "stream_timeout_s": "1", "upstream_keepalive": "4"}
    expected = (r"upstream: ",)
    refusals = True
    THREADS = 8
    ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "20"))
    SCENARIOS = (
        "text", "text words=400 per=1", "many n=3000", "big bytes=300000",
        "cut", "torn", "reset", "close_early", "reset_early", "close_once",
        "error_mid", "error_first", "error code=1302", "html502", "ends_early",
        "no_done", "gzip", "bad_gzip", "extra_bytes", "garbage", "http10",
        "slow head=5 first=5 delay=3 words=30 per=1", "interim", "redirect",
        "no_head", "silent", "bytewise", "bad_json", "two_lengths",
        "text close=1", "tools2", "trailers", "sse_for_body",
        "json_for_stream", "stop_sequence", "box", "empty502")

    def one(self, rng):
        client = rng.choice("OA")
        d = DIALECTS[client]
        text = "z" * rng.choice((0, 0, 100, 400000)) + " [[%s]]" % rng.choice(
            self.SCENARIOS)
        body = as_bytes(d.body(
            user(text), stream=rng.random() < 0.6,
            model="glm-4.6" + rng.choice(("-openai", "-anthropic", ""))))
        with self.proxy.connect(
                rcvbuf=rng.choice((None, 4096)), timeout=20) as conn:
            for _ in range(rng.choice((1, 1, 2, 5))):
                conn.request("POST", d.path, post_fields(), body)
                if rng.random() < 0.3:
                    conn.request("GET", "/v1/models")
                how = rng.random()
                if how < 0.15:
                    return conn.reset()
                if how < 0.3:
                    conn.fin()
                    return conn.ends()
                if how < 0.55:
                    conn.more(rng.choice((1, 100, 5000)))
                    return conn.reset() if how < 0.4 else None
                conn.response()

    def play(self, seed, failures):
        rng = random.Random(seed)
        for i in range(self.ROUNDS):
            try:
                self.one(rng)
            except (wire.Cut, ConnectionError, BrokenPipeError):
                pass
            except (TimeoutError, wire.WireError, OSError) as err:
                failures.append((seed, i, repr(err)))

    def test_nothing_is_left(self):
        pid, failures = self.worker(), []
        threads = [threading.Thread(target=self.play, args=(i, failures))
                   for i in range(self.THREADS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(failures, [])
        self.check_clean()
        self.assertEqual(self.worker(), pid, "the worker has died")
        wait_until(lambda: self.standin.stats()["in_flight"] == 0,
                   "upstream to be left")
        self.assertEqual(self.chat(text="[[say text=ok]]").text, "ok")
        self.check_idle()


class ChaosTls(Chaos):
    tls = True


class Figures(AttackCase):
    """Each thing is counted once."""

    expected = (r"upstream: ",)

    COUNTED = ("requests_total", "responses_total", "streams_total",
               "streams_broken_total", "cancelled_total", "shed_total",
               "upstream_requests_total", "upstream_errors_total",
               "upstream_retries_total", "client_connections_total")

    def counts(self):
        return {n[len("glmproxy_"):]: v
                for n, v in self.proxy.metrics().items()
                if n.startswith(tuple("glmproxy_" + c for c in self.COUNTED))}

    def check(self, act, **want):
        """What act() adds: nothing but what is wanted. Names of figures with
        labels are short: responses_2xx, upstream_errors_body."""
        self.check_clean()  # what was before is counted by now
        before = self.counts()
        names = {"requests_" + r: 'requests_total{route="%s"}' % r
                 for r in ("chat", "count_tokens", "models", "other")}
        names.update({"responses_" + c: 'responses_total{class="%s"}' % c
                      for c in ("2xx", "4xx", "5xx")})
        names.update({"upstream_errors_" + p:
                      'upstream_errors_total{phase="%s"}' % p
                      for p in ("connect", "head", "body")})
        want = {names.get(n, n + "_total"): v for n, v in want.items()}
        want.setdefault("client_connections_total", 1)
        act()

        def added():
            after = self.counts()
            return {n: v - before[n] for n, v in after.items()
                    if v != before[n]}

        try:
            wait_until(lambda: added() == want, "the figures", 10)
        except AssertionError:
            self.assertEqual(added(), want)
        self.check_clean()

    def leave(self, scenario, after_head):
        n = self.standin.count()
        conn = self.begin(text="[[%s]]" % scenario)
        if after_head:
            next(conn.events(conn.read_head()))
        else:
            self.standin.wait_request(n)
        conn.close()

    def test_answers(self):
        self.check(lambda: self.chat(), requests_chat=1, responses_2xx=1,
                   upstream_requests=1)
        self.check(lambda: self.chat(stream=True), requests_chat=1,
                   responses_2xx=1, upstream_requests=1, streams=1)
        self.check(lambda: self.proxy.get("/v1/models", method="HEAD"),
                   requests_models=1, responses_2xx=1)
        self.check(lambda: self.proxy.get("/nothing"), requests_other=1,
                   responses_4xx=1)
        self.check(lambda: self.proxy.post("/v1/messages", b"{"),
                   requests_chat=1, responses_4xx=1)

    def test_no_http(self):
        def act():
            with self.proxy.connect() as conn:
                conn.send(b"nonsense\r\n\r\n")
                conn.ends()

        self.check(act, responses_4xx=1)

    def test_continue(self):
        body = as_bytes(DIALECTS["O"].body(user("x")))

        def act():
            with self.proxy.connect() as conn:
                conn.request("POST", "/v1/chat/completions", post_fields([
                    ("Expect", "100-continue"),
                    ("Content-Length", str(len(body)))]))
                self.assertEqual(conn.read_head().status, 100)
                conn.send(body)
                self.assertEqual(conn.response().status, 200)

        self.check(act, requests_chat=1, responses_2xx=1, upstream_requests=1)

    def test_failures(self):
        self.chat()
        self.check(lambda: self.chat(text="[[error code=1302]]"),
                   requests_chat=1, responses_4xx=1, upstream_requests=1)
        self.check(lambda: self.chat(text="[[cut]]"), requests_chat=1,
                   responses_5xx=1, upstream_requests=1,
                   upstream_errors_body=1)
        self.check(lambda: self.chat(text="[[cut words=20 per=1]]",
                                     stream=True), requests_chat=1,
                   responses_2xx=1, streams=1, streams_broken=1,
                   upstream_requests=1, upstream_errors_body=1)
        self.chat()
        self.check(lambda: self.chat(text="[[close_once]]"), requests_chat=1,
                   responses_2xx=1, upstream_requests=2, upstream_retries=1)

    def test_clients_that_leave(self):
        self.check(lambda: self.leave("no_head", False), requests_chat=1,
                   upstream_requests=1, cancelled=1)
        self.check(lambda: self.leave("silent at=4 words=50", True),
                   requests_chat=1, upstream_requests=1, responses_2xx=1,
                   streams=1, cancelled=1)


class Drains(AttackCase):
    """A worker that is told to leave."""

    expected = (r"time is up: 1 connections are cut", r"worker 0")

    def leaving(self, *signals):
        proxy = self.own_proxy({"stop_timeout_s": "1",
                                "drain_timeout_s": "300"})
        conn = self.begin(proxy, "[[silent at=2 words=9 per=1]]")
        next(conn.events(conn.read_head()))
        pid = self.worker(proxy)
        for number in signals:
            os.kill(pid, number)
        wait_until(lambda: pid not in proxy.children("worker"),
                   "the worker to leave")
        conn.close()
        wait_until(lambda: proxy.children("worker"), "a new worker")
        return proxy

    def test_cut_streams_are_no_cancellations(self):
        proxy = self.leaving(signal.SIGTERM)
        self.wait_metric("streams_total", 1, proxy)
        self.assertEqual(self.metric("cancelled_total", proxy), 0)
        self.check_clean(proxy)

    def test_a_reload_does_not_extend_the_time(self):
        self.leaving(signal.SIGTERM, signal.SIGWINCH)

    def test_a_stop_shortens_it(self):
        self.leaving(signal.SIGWINCH, signal.SIGTERM)


class KeysInLogs(AttackCase):
    """At log level debug, on every way that ends badly."""

    SECRET = "sk-Very.Secret-0123456789"
    config = {"log_level": "debug", "connect_timeout_s": "0.3",
              "request_timeout_s": "1"}
    expected = (r"upstream: ",)
    refusals = True

    def raw(self, data, address):
        with wire.Conn(address) as conn:
            conn.send(data)
            conn.fin()
            conn.ends()

    def each_bad_request(self, address):
        key = b"Authorization: Bearer %s\r\n" % self.SECRET.encode()
        post = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n" + key
        for data in (
                b"GET /%s HTTP/9.9\r\n\r\n" % self.SECRET.encode(),
                b"GET / HTTP/1.1\r\n" + key + b"no colon\r\n\r\n",
                post + key + b"\r\n",
                post + b"x-api-key: a b " + self.SECRET.encode() + b"\r\n\r\n",
                post + b"Content-Length: x\r\n\r\n",
                post + b"Content-Type: " + self.SECRET.encode()
                + b"\r\nContent-Length: 2\r\n\r\n{}",
                post + b"Content-Encoding: gzip\r\nContent-Length: 2"
                b"\r\n\r\n{}",
                post + b"Content-Length: 2\r\n\r\n{]",
                post + b"Content-Length: 99\r\n\r\n{",
                post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
                post.replace(b"/messages", b"/nowhere") + b"\r\n",
                post.replace(b"POST", b"PUT") + b"\r\n"):
            self.raw(data, address)

    def each_bad_upstream(self, proxy):
        for stream in (False, True):
            for scenario in ("close_once", "close_once how=reset", "cut",
                             "reset", "garbage", "no_head", "error code=1001",
                             "html502", "bad_gzip", "close_early"):
                body = DIALECTS["O"].body(user("[[%s]]" % scenario),
                                          stream=stream)
                ask(proxy.address, "O", body, key=self.SECRET)
        with proxy.connect() as conn:
            conn.request("POST", "/v1/messages", post_fields(
                [("x-api-key", self.SECRET)]), as_bytes(DIALECTS["A"].body(
                    user("y" * 3000000 + "[[no_head]]"))))
            conn.reset()

    def check(self, proxy):
        self.each_bad_request(proxy.address)
        self.each_bad_upstream(proxy)
        log = proxy.process.log()
        self.assertIn(" debug ", log)
        self.assertNotIn("Very", log)

    def test_own_keys(self):
        self.check(self.proxy)

    def test_no_upstream(self):
        self.check(self.own_proxy(dict(
            self.config, upstream_base="http://127.0.0.1:1/a",
            openai_upstream_base="https://localhost:1/o")))

    def test_listed_keys(self):
        proxy = Proxy(self.config, self.standin, start=False)
        self.addCleanup(self._end_own, proxy)
        proxy.config["server_api_key_file"] = proxy.file(
            "key", "sk-Very.Other-9876")
        proxy.config["client_keys_file"] = proxy.file(
            "keys", "me:%s\n" % hashlib.sha256(
                self.SECRET.encode()).hexdigest())
        proxy.write_config()
        proxy.start()
        self.check(proxy)
        for title in ("worker", "admin"):
            for pid in proxy.children(title) + [proxy.pid]:
                for name in ("cmdline", "environ"):
                    self.assertNotIn(b"Very", proc_file(pid, name))


if __name__ == "__main__":
    unittest.main()
