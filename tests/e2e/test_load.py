# SPDX-License-Identifier: MIT
"""Many at once: nothing crosses, a crash costs only its own, shares are even,
the same bytes make the same bytes."""

import contextlib
import json
import os
import signal
import threading
import unittest

from tests.e2e import wire
from tests.e2e.chat import DIALECTS, Call, Tool, ask, image, user
from tests.e2e.harness import (Case, as_bytes, post_fields, wait_until)

STREAMS = 200


class Load(Case):
    config = {"workers": "2"}
    standin_args = ("--keep", "5000")

    def run_all(self, jobs):
        """Run each in a thread; the first failure is raised."""
        failures = []

        def guarded(job):
            try:
                job()
            except BaseException as err:  # noqa: B902
                failures.append(err)

        threads = [threading.Thread(target=guarded, args=(j,)) for j in jobs]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        if failures:
            raise failures[0]


class NothingCrosses(Load):

    def one_stream(self, i, keys):
        client = "OA"[i % 2]
        suffix = ("-openai", "-anthropic")[i // 2 % 2]
        mine = "%04d" % i
        text = "%20".join("w%s.%d" % (mine, k) for k in range(30))
        key = "key-%s.x" % mine
        body = DIALECTS[client].body(
            user("I am %s [[slow head=20 first=5000 delay=5 per=1 text=%s]]"
                 % (mine, text)), stream=True, model="glm-4.6" + suffix)
        a = ask(self.proxy.address, client, body, key=key, timeout=60)
        self.assertEqual(a.text, text.replace("%20", " "))
        self.assertTrue(a.ended)
        keys.append(key)

    def test_streams(self):
        """200 at once, all dialects and upstreams, each its own words."""
        keys, most = [], [0]
        jobs = [lambda i=i: self.one_stream(i, keys) for i in range(STREAMS)]

        def watch():
            wait_until(lambda: self.standin.stats()["in_flight"] > STREAMS / 2,
                       "many in flight")
            most[0] = 1

        self.run_all(jobs + [watch])
        self.assertEqual(most[0], 1)
        got = self.standin.requests(self.since)
        self.assertEqual(len(got), STREAMS)
        for r in got:
            mine = r["body"].split("I am ")[1][:4]
            self.assertEqual(r.header("authorization"),
                             "Bearer key-%s.x" % mine)
        self.assertEqual(len(set(keys)), STREAMS)
        wait_until(lambda: self.proxy.metrics()["glmproxy_streams"] == 0,
                   "all streams to be over")

    def test_short_requests(self):
        """Connections that are used again and again, in both directions."""
        def client(i):
            with self.proxy.connect(timeout=60) as c:
                for k in range(20):
                    mine = "c%d.%d" % (i, k)
                    d = DIALECTS["OA"[(i + k) % 2]]
                    stream = k % 3 == 0
                    body = d.body(user(mine), stream=stream)
                    c.request("POST", d.path, post_fields(), as_bytes(body))
                    head = c.read_head()
                    if stream:
                        a = d.read_stream(head, wire.sse(c.pieces(head)))
                    else:
                        a = d.read_body(wire.Response(
                            head, b"".join(c.pieces(head))))
                    self.assertEqual(a.text, "You said: " + mine)

        self.run_all([lambda i=i: client(i) for i in range(30)])

    # row_113
    def test_clients_that_leave(self):
        """Half of them leave; the others get their own answers."""
        def leaver(i):
            body = DIALECTS["O"].body(
                user("[[slow head=1 first=%d delay=3 words=50 per=1]]" % i),
                stream=True)
            with self.proxy.connect() as c:
                c.request("POST", "/v1/chat/completions", post_fields(),
                          as_bytes(body))
                if i % 2:
                    c.read_head()

        def stayer(i):
            a = ask(self.proxy.address, "A", DIALECTS["A"].body(
                user("[[slow delay=2 first=20 text=s%d]]" % i), stream=True),
                timeout=60)
            self.assertEqual(a.text, "s%d" % i)

        self.run_all([lambda i=i: (leaver if i % 2 else stayer)(i)
                      for i in range(80)])
        wait_until(lambda: self.standin.stats()["in_flight"] == 0,
                   "the stand-in to be idle")


class Shares(Load):

    def check_shares(self, n, each):
        """The best of a few tries: a worker may not be let run for long."""
        most = []
        for _ in range(5):
            most.append(self.share(n, each))
            if most[-1] <= 1.25:
                return
            wait_until(lambda: self.proxy.metrics()[
                "glmproxy_client_connections"] == 0, "an end")
        self.fail("shares: %s" % most)

    def share(self, n, each):
        """The larger share of so many connections by the smaller."""
        with contextlib.ExitStack() as stack:
            conns = []
            for _ in range(n):
                conns.append(stack.enter_context(self.proxy.connect()))
                each(conns[-1])
            owners = wait_until(
                lambda: (lambda o: o if None not in o else None)(
                    self.proxy.owners(conns)), "all to be accepted")
        counts = [owners.count(p) for p in self.proxy.children("worker")]
        self.assertEqual(len(counts), 2)
        return max(counts) / max(min(counts), 1)

    def test_slow_arrivals(self):
        """One after the other: all could go to one worker."""
        def ask_health(c):
            c.request("GET", "/health")
            self.assertEqual(c.response().status, 200)

        self.check_shares(200, ask_health)

    def test_burst(self):
        self.check_shares(200, lambda c: None)


class Crash(Load):

    def test_a_killed_worker_loses_only_its_own(self):
        self.expect_log(r"worker", r"\[\d+\]: .*(signal 9|killed|died|ended)")
        d = DIALECTS["O"]
        conns = []
        for i in range(40):
            c = self.proxy.connect(timeout=30)
            self.addCleanup(c.close)
            c.request("POST", d.path, post_fields(), as_bytes(d.body(
                user("[[slow head=1 first=1 delay=100 per=1 text=%s]]"
                     % "%20".join("t%d.%d" % (i, k) for k in range(60))),
                stream=True)))
            conns.append(c)
        streams = [(c, c.read_head()) for c in conns]
        owners = self.proxy.owners(conns)
        before = self.proxy.children("worker")
        victim = before[0]
        self.assertIn(victim, owners)
        self.assertIn(before[1], owners)
        os.kill(victim, signal.SIGKILL)
        for i, ((c, head), owner) in enumerate(zip(streams, owners)):
            if owner == victim:
                with self.assertRaises(wire.WireError, msg=i):
                    list(wire.sse(c.pieces(head)))
            else:
                a = d.read_stream(head, wire.sse(c.pieces(head)))
                self.assertTrue(a.ended)
                self.assertEqual(a.text, " ".join(
                    "t%d.%d" % (i, k) for k in range(60)))
        wait_until(lambda: len(self.proxy.children("worker")) == 2
                   and victim not in self.proxy.children("worker"),
                   "a new worker")
        for _ in range(10):
            self.assertEqual(ask(self.proxy.address, "O", d.body(
                user("x"))).text, "You said: x")
        wait_until(lambda: self.proxy.metrics()[
            "glmproxy_client_connections"] <= 41, "figures to be settled")

    def test_admin_is_in_nobodys_way(self):
        self.expect_log(r"admin")
        (admin,) = wait_until(lambda: self.proxy.children("admin"), "admin")
        os.kill(admin, signal.SIGSTOP)
        try:
            for client in "OA":
                for stream in (False, True):
                    a = ask(self.proxy.address, client, DIALECTS[client].body(
                        user("x"), stream=stream))
                    self.assertEqual(a.text, "You said: x")
            self.assertEqual(self.proxy.get("/health").status, 200)
        finally:
            os.kill(admin, signal.SIGCONT)
        os.kill(admin, signal.SIGKILL)
        a = ask(self.proxy.address, "O", DIALECTS["O"].body(user("x")))
        self.assertEqual(a.text, "You said: x")
        wait_until(lambda: self.proxy.children("admin") not in ([], [admin]),
                   "a new admin process")
        wait_until(self.answers, "the admin port to answer")

    def answers(self):
        try:
            return self.proxy.metrics()
        except (OSError, AssertionError, wire.WireError):
            return None


class Repeatable(Load):
    """Prompt caches live on identical prefixes."""

    def bodies(self):
        pic = image()
        long = [("system", "Be brief."), ("user", "one"),
                ("assistant", "two", [Call("c1", "look", '{"a":1.0}')], "hm"),
                ("results", [("c1", [("text", "shot")])]),
                ("user", "three")]
        with_image = long + [("assistant", "four"),
                             ("user", [("text", "see"), pic])]
        tools = [Tool("look"), Tool("mcp__" + "y" * 80)]
        for client, turns in (("O", long), ("A", long), ("O", with_image),
                              ("A", with_image)):
            for suffix in ("-openai", "-anthropic"):
                for stream in (False, True):
                    yield client, DIALECTS[client].body(
                        turns, stream=stream, model="glm-4.6" + suffix,
                        tools=tools if client == "A" else tools[:1],
                        think=True, temperature=0.25)

    def test_same_bytes(self):
        for client, body in self.bodies():
            raw = json.dumps(body).encode()
            seen = []
            for _ in range(3):
                r = self.proxy.post(DIALECTS[client].path, raw)
                self.assertEqual(r.status, 200, r)
                sent = self.sent()
                seen.append((sent["path"], sent["headers"], sent["body"]))
            self.assertEqual(seen[0], seen[1])
            self.assertEqual(seen[0], seen[2])

    def test_prefixes_stay(self):
        """What a turn adds does not change what came before."""
        for client in "OA":
            for suffix in ("-openai", "-anthropic"):
                turns, before = [("system", "Be brief.")], None
                for i in range(6):
                    turns = turns + [("user", "q%d" % i)]
                    body = DIALECTS[client].body(turns,
                                                 model="glm-4.6" + suffix)
                    ask(self.proxy.address, client, body)
                    now = self.sent().body_json()["messages"]
                    if before is not None:
                        self.assertEqual(now[:len(before)], before)
                    before = now
                    turns = turns + [("assistant", "a%d" % i)]


if __name__ == "__main__":
    unittest.main()
