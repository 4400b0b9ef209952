# SPDX-License-Identifier: MIT
"""Upstreams that do what no decent one does: answer early, too much, too late
or not at all."""

import gzip
import os
import re
import select
import socket
import ssl
import threading
import unittest

from tests.e2e import tunnel
from tests.e2e.attack import ANSWER, AttackCase, Script, answer, until_closed
from tests.e2e.harness import DEADLINE_S, certs, wait_until


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
        self.assertEqual(proxy.sum("glmproxy_upstream_errors_total"), 0)

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


class ColdStart(AttackCase):
    """Many at once over TLS, and no session to resume."""

    tls = True
    config = {"upstream_keepalive": "0"}
    expected = (r"upstream: no connection",)

    def full_handshakes(self):
        """How many of 80 chats after a start have paid for a session."""
        proxy = self.own_proxy(dict(
            self.config, upstream_ca_file=os.path.join(certs(), "ca.pem")))
        conns = [self.begin(proxy, stream=False) for _ in range(80)]
        for c in conns:
            self.assertEqual(c.response().status, 200)
        made = 'tls_handshakes_total{resumed="%s"}'
        self.assertEqual(self.metric(made % "no", proxy)
                         + self.metric(made % "yes", proxy), 80)
        return self.metric(made % "no", proxy)

    def test_few_full_handshakes(self):
        fewest = 80
        for _ in range(5):
            fewest = min(fewest, self.full_handshakes())
            if fewest <= 8:  # else a busy machine let them wait too long
                break
        self.assertLessEqual(fewest, 8)

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


if __name__ == "__main__":
    unittest.main()
