# SPDX-License-Identifier: MIT
"""Peers that do what no decent peer does: clients that pipeline, dawdle and
leave, upstreams that answer early, too much, too late or not at all."""

import gzip
import hashlib
import os
import random
import re
import resource
import select
import signal
import socket
import ssl
import threading
import time
import unittest

from tests.e2e import tunnel, wire
from tests.e2e.chat import DIALECTS, ask, user
from tests.e2e.harness import (DEADLINE_S, KEY, Case, Proxy, as_bytes, certs,
                               post_fields, wait_until)

TICKS_S = os.sysconf("SC_CLK_TCK")
WATCH_S = 0.3  # how long a worker is watched for spinning
ANSWER = as_bytes({
    "id": "1", "created": 1, "model": "m", "choices": [{
        "index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "fine"}}]})


def answer(body=ANSWER, status=b"200 OK", extra=b""):
    return (b"HTTP/1.1 %s\r\nContent-Type: application/json\r\n%s"
            b"Content-Length: %d\r\n\r\n" % (status, extra, len(body)) + body)


class Script(tunnel.Server):
    """An upstream that does what a function says with each connection."""

    def __init__(self, play, context=None):
        self.play = play
        self.context = context
        self.failures = []
        super().__init__()

    def serve(self, sock):
        if self.context is not None:
            sock = self.context.wrap_socket(sock, server_side=True)
            self.connections.append(sock)
        self.play(sock)


def until_closed(sock):
    """Read until the peer has left."""
    try:
        while sock.recv(65536):
            pass
    except OSError:
        pass


class AttackCase(Case):
    """Helpers; no tests."""

    def upstream(self, play, tls=False, **config):
        """A proxy with a scripted upstream."""
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.path.join(certs(), "cert.pem"),
                                    os.path.join(certs(), "key.pem"))
            config["upstream_ca_file"] = os.path.join(certs(), "ca.pem")
        server = Script(play, context)
        self.addCleanup(server.close)
        url = "%s://localhost:%s" % ("https" if tls else "http",
                                     server.address.rpartition(":")[2])
        config.setdefault("openai_upstream_base", url + "/o")
        config.setdefault("upstream_base", url + "/a")
        proxy = self.own_proxy(config)
        proxy.server = server
        return proxy

    def chat(self, proxy=None, text="x", stream=False, size=0, client="O",
             upstream="-openai", **more):
        turns = user(text)
        if size:
            turns = [("user", "y" * size), ("assistant", "x")] + turns
        body = DIALECTS[client].body(turns, stream=stream,
                                     model="glm-4.6" + upstream, **more)
        return ask((proxy or self.proxy).address, client, body)

    def begin(self, proxy=None, text="x", stream=True, client="O",
              upstream="-openai", rcvbuf=None, **more):
        """Send a chat; its connection."""
        conn = (proxy or self.proxy).connect(rcvbuf=rcvbuf)
        self.addCleanup(conn.close)
        conn.request("POST", DIALECTS[client].path, post_fields(), as_bytes(
            DIALECTS[client].body(user(text), stream=stream,
                                  model="glm-4.6" + upstream, **more)))
        return conn

    def metric(self, name, proxy=None):
        return (proxy or self.proxy).metrics()["glmproxy_" + name]

    def wait_metric(self, name, value, proxy=None):
        wait_until(lambda: self.metric(name, proxy) == value,
                   "%s to be %s" % (name, value))

    def worker(self, proxy=None):
        return (proxy or self.proxy).children("worker")[0]

    def check_idle(self, proxy=None):
        """The worker sleeps: it does not turn over an event for ever."""
        pid = self.worker(proxy)
        before = cpu_s(pid)
        select.select([], [], [], WATCH_S)
        self.assertLess(cpu_s(pid) - before, WATCH_S / 4, "the worker spins")

    def check_clean(self, proxy=None):
        """Nothing is left of what has been."""
        self.wait_metric("streams", 0, proxy)
        self.wait_metric("buffered_bytes", 0, proxy)
        self.wait_metric("client_connections", 0, proxy)


def cpu_s(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_S


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
              "client_header_timeout_s": "1"}

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


class EarlyAnswers(AttackCase):
    """Upstreams that answer before they have read the request."""

    SIZE = 6000000

    def early(self, reply, goes_on=None):
        done = threading.Event()
        self.addCleanup(done.set)

        def play(sock):
            tunnel.read_head(sock)
            sock.sendall(reply)
            if goes_on is not None:
                goes_on(sock)
            else:
                done.wait(DEADLINE_S)

        proxy = self.upstream(play)
        return proxy, done

    def test_refusal(self):
        """The answer is passed on although the rest is never read."""
        proxy, _ = self.early(answer(b'{"error":{"code":"1113",'
                                     b'"message":"no"}}', b"429 No"))
        a = self.chat(proxy, size=self.SIZE)
        self.assertEqual(a.status, 429)
        self.check_idle(proxy)
        self.check_clean(proxy)

    def test_refusal_and_close(self):
        def leave(sock):
            sock.shutdown(socket.SHUT_WR)
            until_closed(sock)

        proxy, _ = self.early(answer(b'{"error":{"code":"1113",'
                                     b'"message":"no"}}', b"429 No",
                                     b"Connection: close\r\n"), leave)
        self.assertEqual(self.chat(proxy, size=self.SIZE).status, 429)

    def test_no_spin_while_nothing_is_read(self):
        """Part of a head, and a request that nobody reads."""
        proxy, _ = self.early(b"HTTP/1.1 200 OK\r\n")
        conn = self.begin(proxy, "y" * self.SIZE)
        wait_until(lambda: self.metric("upstream_requests_total", proxy) == 1,
                   "the request to be sent")
        self.check_idle(proxy)
        conn.close()
        self.check_clean(proxy)

    def test_head_first(self):
        """200 at once, then the rest of the request is read."""
        got = []

        def go_on(sock):
            left = self.SIZE
            while left > 0:
                n = len(sock.recv(65536))
                if n == 0:
                    return
                left -= n
            got.append(left)
            sock.sendall(ANSWER)
            until_closed(sock)

        head = answer()[:-len(ANSWER)]
        proxy, _ = self.early(head, go_on)
        a = self.chat(proxy, size=self.SIZE)
        self.assertEqual((a.status, a.text), (200, "fine"))
        self.assertEqual(len(got), 1)


class Finished(AttackCase):
    """What upstream says when nobody listens any more."""

    def test_endless_rest_is_cut(self):
        """A stop word has ended the answer; upstream goes on for ever."""
        closed = threading.Event()

        def play(sock):
            tunnel.read_request(sock)
            chunk = (b'data: {"id":"1","created":1,"model":"m","choices":[{'
                     b'"index":0,"delta":{"content":"STOP word "}}]}\n\n')
            sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream"
                         b"\r\ntransfer-encoding: chunked\r\n\r\n")
            try:
                while True:
                    sock.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                    select.select([], [], [], 0.02)
            except OSError:
                closed.set()

        proxy = self.upstream(play)
        a = self.chat(proxy, client="A", stop=["STOP"])
        self.assertEqual(a.status, 200)
        self.assertTrue(closed.wait(4), "upstream goes on")
        self.assertEqual(self.metric("upstream_errors_total", proxy), 0)

    def test_rest_at_the_end(self):
        """The proxy leaves while the rest of an answer is awaited."""
        def play(sock):
            tunnel.read_request(sock)
            sock.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                b"transfer-encoding: chunked\r\n\r\n")
            data = (b'data: {"id":"1","created":1,"model":"m","choices":[{'
                    b'"index":0,"delta":{"content":"x"},"finish_reason":'
                    b'"stop"}]}\n\ndata: [DONE]\n\n')
            sock.sendall(b"%x\r\n%s\r\n" % (len(data), data))
            until_closed(sock)

        proxy = self.upstream(play)
        a = self.chat(proxy, stream=True)
        self.assertTrue(a.ended)
        # _end_own: exit status 0, also with a leak checker.


class BadUpstreams(AttackCase):

    def test_reason_is_told_once(self):
        self.expect_log(r"upstream: ")

        def play(sock):
            tunnel.read_request(sock)
            sock.sendall(b"HTTP/3.9 200 OK\r\n\r\n")
            until_closed(sock)

        proxy = self.upstream(play)
        a = self.chat(proxy)
        self.assertEqual(a.status, 502)
        self.assertEqual(a.error["message"].count("not HTTP"), 1)
        self.assertRegex(a.error["message"], r"not HTTP: \S+ \S+")
        log = proxy.process.log()
        self.assertEqual(len(re.findall("upstream: ", log)), 1)
        self.assertRegex(log, r"warn worker\S* req=req_[A-Za-z0-9]{24}: "
                         r"upstream: the upstream's answer is not HTTP")

    def test_empty_body_with_a_coding(self):
        """Nothing, compressed, is not a cut answer."""
        def play(sock):
            tunnel.read_request(sock)
            sock.sendall(answer(b"", b"529 Busy",
                                b"Content-Encoding: gzip\r\n"))
            until_closed(sock)

        a = self.chat(self.upstream(play))
        self.assertEqual(a.status, 429)

    def test_bomb(self):
        """It is upstream's fault, not too large a request."""
        self.expect_log(r"upstream: ")
        bomb = gzip.compress(b" " * (50 << 20))

        def play(sock):
            tunnel.read_request(sock)
            sock.sendall(answer(bomb, extra=b"Content-Encoding: gzip\r\n"))
            until_closed(sock)

        proxy = self.upstream(play)
        self.assertEqual(self.chat(proxy).status, 502)
        self.check_clean(proxy)

    def test_interim_answers_without_end(self):
        self.expect_log(r"upstream: ")

        def play(sock):
            tunnel.read_request(sock)
            try:
                for _ in range(100):
                    sock.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            finally:
                until_closed(sock)

        self.assertEqual(self.chat(self.upstream(play)).status, 502)

    def test_no_body_statuses(self):
        for status in (b"204 None", b"304 Same"):
            def play(sock, status=status):
                tunnel.read_request(sock)
                sock.sendall(b"HTTP/1.1 " + status + b"\r\n\r\n")
                until_closed(sock)

            with self.subTest(status=status):
                a = self.chat(self.upstream(play))
                self.assertEqual(a.status, 502)


class ForeignBytes(AttackCase):
    """A connection on which upstream speaks out of turn is not used again."""

    def play_extra(self, tls, when):
        numbers = []

        def play(sock):
            numbers.append(1)
            mine = len(numbers)
            evil = answer(ANSWER.replace(b"fine", b"evil"))
            while tunnel.read_request(sock):
                good = answer(ANSWER.replace(b"fine", b"n%d" % mine))
                if when == "one record":
                    sock.sendall(good + evil)
                elif when == "two records":
                    # One segment, two TLS records.
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
                    sock.sendall(good)
                    sock.sendall(evil)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
                elif when == "later":
                    sock.sendall(good)
                    sock.sendall(evil)

        proxy = self.upstream(play, tls)
        for i in range(1, 6):
            a = self.chat(proxy)
            self.assertEqual(a.status, 200)
            self.assertEqual(a.text, "n%d" % i)
        self.assertEqual(self.metric("upstream_retries_total", proxy), 0)

    def test_plain(self):
        self.play_extra(False, "one record")

    def test_tls(self):
        self.play_extra(True, "one record")

    def test_tls_records(self):
        self.play_extra(True, "two records")


class Truncated(AttackCase):
    """An end that anybody on the way could have made."""

    def test_tls_without_goodbye(self):
        """A body that lasts until the end, and no close_notify."""
        self.expect_log(r"upstream: ")

        def play(sock):
            tunnel.read_request(sock)
            sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json"
                         b"\r\n\r\n" + ANSWER)
            # Only TCP's end.
            with socket.socket(fileno=os.dup(sock.fileno())) as tcp:
                tcp.shutdown(socket.SHUT_WR)
            until_closed(sock)

        proxy = self.upstream(play, tls=True)
        self.assertEqual(self.chat(proxy).status, 502)

    def test_tls_with_goodbye(self):
        def play(sock):
            tunnel.read_request(sock)
            sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json"
                         b"\r\n\r\n" + ANSWER)
            sock.unwrap()

        proxy = self.upstream(play, tls=True)
        a = self.chat(proxy)
        self.assertEqual((a.status, a.text), (200, "fine"))


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

    def test_body_stops(self):
        with self.proxy.connect() as conn:
            conn.send(b"POST /v1/messages HTTP/1.1\r\nHost: a\r\n"
                      b"x-api-key: k\r\nContent-Length: 9\r\n\r\n{")
            self.check_idle()
            r = conn.response()
            self.assertEqual(r.status, 408)
            self.assertEqual(conn.ends(), b"")

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


class SlowReaders(AttackCase):
    """Clients that take no bytes for a while: over TLS below."""

    config = {"client_write_timeout_s": "2"}

    def held_back(self, scenario):
        """A stream that upstream was stopped in."""
        conn = self.begin(text="[[%s]]" % scenario, rcvbuf=4096)
        head = conn.read_head()
        seen = []

        def still():
            seen.append(self.metric(
                'bytes_total{leg="upstream",direction="in"}'))
            return len(seen) > 20 and seen[-20] == seen[-1]

        wait_until(still, "upstream to be held back")
        return conn, head

    def rest(self, conn, head):
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        return [e.data for e in wire.sse(conn.pieces(head))]

    def test_reads_on(self):
        conn, head = self.held_back("many n=60000")
        self.check_idle()
        got = self.rest(conn, head)
        self.assertEqual(sum(d.count('"content"') for d in got), 60001)
        self.assertEqual(got[-1], "[DONE]")
        conn.close()
        self.check_clean()

    def test_stops_for_good(self):
        conn, _ = self.held_back("many n=60000")
        before = self.metric("cancelled_total")
        self.wait_metric("streams", 0)
        self.assertEqual(self.metric("cancelled_total"), before + 1)
        conn.close()
        self.check_clean()

    def test_upstream_ends_meanwhile(self):
        """Its end is seen when the client reads on, not before."""
        self.expect_log(r"upstream: ")
        for fault in ("cut", "reset", "no_done"):
            with self.subTest(fault=fault):
                conn, head = self.held_back(
                    "many n=60000 fault=%s at=59990" % fault
                    if fault != "no_done" else "many n=20000 fault=no_done")
                self.check_idle()
                got = self.rest(conn, head)
                self.assertEqual(fault == "no_done", got[-1] == "[DONE]")
                conn.close()
        self.check_clean()


class SlowReadersTls(SlowReaders):
    tls = True


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
                   "the worker to leave", 6)
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


class LargeAnswers(AttackCase):
    """Answers in one piece are held until their end: within the limit."""

    SIZE = 6000000

    def test_bounded(self):
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        body = ANSWER.replace(b"fine", b"x" * self.SIZE)

        def play(sock):
            tunnel.read_request(sock)
            sock.sendall(answer(body)[:-1000])
            go_on.wait(DEADLINE_S)
            sock.sendall(answer(body)[-1000:])
            until_closed(sock)

        proxy = self.upstream(play, max_buffered_mb="16", max_body_mb="1")
        conns = [self.begin(proxy, stream=False) for _ in range(4)]
        wait_until(lambda: self.metric("shed_total", proxy) == 2,
                   "answers to be refused")
        self.assertLessEqual(self.metric("buffered_bytes", proxy), 16 << 20)
        wait_until(lambda: self.metric("buffered_bytes", proxy) > 10 << 20,
                   "the bytes to be counted")
        go_on.set()
        statuses = sorted(c.response().status for c in conns)
        self.assertEqual(statuses, [200, 200, 503, 503])
        for c in conns:
            c.close()
        self.check_clean(proxy)


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
                    with open("/proc/%d/%s" % (pid, name), "rb") as f:
                        self.assertNotIn(b"Very", f.read())


class NoRoom(AttackCase):
    """Over max_buffered_mb, what a client does not take is left upstream."""

    def upload(self, proxy, size):
        """Part of a body, which is held."""
        conn = proxy.connect()
        self.addCleanup(conn.close)
        conn.send(b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n"
                  b"x-api-key: k\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"a00000\r\n" + b" " * size)

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
        # Memory doubles: the last byte is the one too many.
        for size in (9000000, (4 << 20) + 1):
            self.upload(proxy, size)
        wait_until(lambda: self.metric("buffered_bytes", proxy) > 16 << 20,
                   "the limit to be passed")
        before = self.metric("buffered_bytes", proxy)
        go_on.set()
        self.assertTrue(held.wait(DEADLINE_S), "upstream was not held back")
        self.check_idle(proxy)
        self.assertLess(self.metric("buffered_bytes", proxy) - before, 150000)


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


class ColdStart(AttackCase):
    """Many at once over TLS, and no session to resume."""

    tls = True
    config = {"upstream_keepalive": "0"}
    expected = (r"upstream: no connection",)

    def test_few_full_handshakes(self):
        conns = [self.begin(stream=False) for _ in range(80)]
        for c in conns:
            self.assertEqual(c.response().status, 200)
        full = 'tls_handshakes_total{resumed="%s"}'
        self.assertEqual(self.metric(full % "no")
                         + self.metric(full % "yes"), 80)
        self.assertLessEqual(self.metric(full % "no"), 8)

    def test_a_stuck_one_holds_nobody_up(self):
        """The first two handshakes get no answer."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(certs(), "cert.pem"),
                                os.path.join(certs(), "key.pem"))
        numbers = []

        def play(sock):
            numbers.append(1)
            if len(numbers) <= 2:
                until_closed(sock)
                return
            with context.wrap_socket(sock, server_side=True) as inner:
                tunnel.read_request(inner)
                inner.sendall(answer())
                until_closed(inner)

        server = Script(play)
        self.addCleanup(server.close)
        proxy = self.own_proxy({
            "openai_upstream_base": "https://localhost:%s/o"
            % server.address.rpartition(":")[2],
            "connect_timeout_s": "4",
            "upstream_ca_file": os.path.join(certs(), "ca.pem")})
        conns = [self.begin(proxy, stream=False) for _ in range(2)]
        wait_until(lambda: len(numbers) == 2, "both to have connected")
        conns += [self.begin(proxy, stream=False) for _ in range(10)]
        for c in conns[2:]:
            self.assertEqual(c.response().status, 200)
        for c in conns[:2]:
            self.assertEqual(c.response().status, 504)


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
        labels are short: responses_2xx, requests_chat."""
        before = self.counts()
        names = {"requests_" + r: 'requests_total{route="%s"}' % r
                 for r in ("chat", "count_tokens", "models", "other")}
        names.update({"responses_" + c: 'responses_total{class="%s"}' % c
                      for c in ("2xx", "4xx", "5xx")})
        want = {names.get(n, n + "_total"): v for n, v in want.items()}
        want.setdefault("client_connections_total", 1)
        act()

        def added():
            after = self.counts()
            return {n: v - before[n] for n, v in after.items()
                    if v != before[n]}

        try:
            wait_until(lambda: added() == want, "the figures", 3)
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
                   responses_5xx=1, upstream_requests=1, upstream_errors=1)
        self.check(lambda: self.chat(text="[[cut words=20 per=1]]",
                                     stream=True), requests_chat=1,
                   responses_2xx=1, streams=1, streams_broken=1,
                   upstream_requests=1, upstream_errors=1)
        self.chat()
        self.check(lambda: self.chat(text="[[close_once]]"), requests_chat=1,
                   responses_2xx=1, upstream_requests=2, upstream_retries=1)

    def test_clients_that_leave(self):
        self.check(lambda: self.leave("no_head", False), requests_chat=1,
                   upstream_requests=1, cancelled=1)
        self.check(lambda: self.leave("silent at=4 words=50", True),
                   requests_chat=1, upstream_requests=1, responses_2xx=1,
                   streams=1, cancelled=1)


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
            taken = {int(f) for f in os.listdir("/proc/%d/fd" % pid)}
            n = min(set(range(len(taken) + 1)) - taken)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (n, n))
            conn.request("POST", "/v1/messages", post_fields(), as_bytes(
                DIALECTS["A"].body(user("x"))))
            self.assertEqual(conn.response().status, 502)


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
                rcvbuf=rng.choice((None, 4096)), timeout=6) as conn:
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


if __name__ == "__main__":
    unittest.main()
