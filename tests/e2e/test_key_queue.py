# SPDX-License-Identifier: MIT
"""Requests in flight per key, over all workers, and the queue for them
(key_concurrency, key_queue, key_queue_timeout_s)."""

import os
import random
import signal
import threading
import time

from tests.e2e import wire
from tests.e2e.chat import DIALECTS, ask, read_answer, user
from tests.e2e.harness import Case, as_bytes, post_fields, wait_until
from tests.e2e.test_quota import get_quota, tag

QUEUED = "glmproxy_queued_requests"
REFUSED = 'glmproxy_queue_refusals_total{reason="%s"}'
KILLS = 20
HEARTBEAT_S = 15.0  # SESSION_HEARTBEAT_MS


def at_once(requests):
    """The most of these recorded requests at a time. One that ends in the
    millisecond in which another comes is over by then."""
    points = []
    for r in requests:
        ends = [t for t in (r["done_ms"], r["closed_by_peer_ms"]) if t]
        points.append((r["arrived_ms"], 1))
        if ends:
            points.append((min(ends), -1))
    most = now = 0
    for _, step in sorted(points):
        now += step
        most = max(most, now)
    return most


def key_of(request):
    for name, value in request["headers"]:
        if name.lower() in ("authorization", "x-api-key"):
            return value.rpartition(" ")[2]
    return None


class Queue(Case):
    def setUp(self):
        super().setUp()
        self.up = self.own_standin()
        self.conns = []
        self.addCleanup(lambda: [c.close() for c in self.conns])

    def service(self, workers=4, **config):
        config = {k: str(v) for k, v in config.items()}
        config.setdefault("key_concurrency", "1")
        return self.own_proxy(dict(config, workers=str(workers)),
                              standin=self.up, tls=False)

    def send(self, proxy, script, client="O", stream=True, key="key.one",
             conn=None):
        """Begin a chat: its connection."""
        d = DIALECTS[client]
        c = conn or proxy.connect(timeout=60)
        self.conns.append(c)
        c.asked = d.body(user("[[%s]]" % script), stream=stream)
        c.request("POST", d.path, post_fields((), key), as_bytes(c.asked))
        return c

    def answer(self, conn, client="O"):
        return read_answer(conn, DIALECTS[client], conn.asked)

    def queued(self, proxy, n):
        wait_until(lambda: proxy.metrics()[QUEUED] == n,
                   "%d in the queue" % n)

    def in_flight(self, n):
        wait_until(lambda: self.up.stats()["in_flight"] == n,
                   "%d in flight" % n)

    def in_threads(self, n, job, *args):
        failures = []

        def run(i):
            try:
                job(i, *args)
            except BaseException as err:  # noqa: B902
                failures.append(err)

        threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
        for t in threads:
            t.start()
        return threads, failures

    # --- the limit ----------------------------------------------------------

    def test_t65_never_more(self):
        """Forty at once, two may be in flight, over four workers: all are
        answered, never more than two are at the upstream, which counts."""
        proxy = self.service(key_concurrency=2)

        def chat(i):
            client, stream = "OA"[i % 2], i % 4 < 2
            for _ in range(3):
                a = ask(proxy.address, client, DIALECTS[client].body(
                    user("[[say text=hello head=30 first=2]]"),
                    stream=stream), key="key.one", timeout=60)
                self.assertEqual((a.status, a.text), (200, "hello"))

        threads, failures = self.in_threads(40, chat)
        for t in threads:
            t.join()
        self.assertEqual(failures, [])
        self.in_flight(0)
        got = self.up.stats()
        self.assertEqual(got["requests"], 120)
        self.assertEqual(got["most_in_flight"], 2)
        m = proxy.metrics()
        self.assertEqual(m[QUEUED], 0)
        self.assertGreater(m["glmproxy_queue_wait_seconds_count"], 80)

    def test_each_key_for_itself(self):
        proxy = self.service(key_concurrency=2)

        def chat(i):
            for _ in range(4):
                a = ask(proxy.address, "A", DIALECTS["A"].body(
                    user("[[text head=100]]")), key="key.%d" % (i % 4),
                    timeout=60)
                self.assertEqual(a.status, 200)

        threads, failures = self.in_threads(24, chat)
        for t in threads:
            t.join()
        self.assertEqual(failures, [])
        by_key = {}
        for r in self.up.requests():
            by_key.setdefault(key_of(r), []).append(r)
        self.assertEqual({k: (len(v), at_once(v))
                          for k, v in by_key.items()},
                         {"key.%d" % i: (24, 2) for i in range(4)})
        self.assertGreater(self.up.stats()["most_in_flight"], 4)

    def test_off_by_default(self):
        proxy = self.own_proxy({"workers": "2"}, standin=self.up, tls=False)
        for _ in range(8):
            self.send(proxy, "no_head")
        self.in_flight(8)

    # --- the queue ----------------------------------------------------------

    def test_first_come_first_served(self):
        """In the order of arrival, whichever worker they are at."""
        proxy = self.service()
        # It lasts until all others wait.
        first = self.send(proxy, "say text=first head=5000")
        self.in_flight(1)
        rest = []
        for i in range(12):
            rest.append(self.send(proxy, "say text=n%d" % i))
            self.queued(proxy, i + 1)
        self.assertGreater(len(set(proxy.owners(rest))), 1)
        for i, c in enumerate(rest):
            self.assertEqual(self.answer(c).text, "n%d" % i)
        self.assertEqual(self.answer(first).text, "first")
        said = [r["scenario"].partition(" ")[2].partition(" ")[0]
                for r in self.up.requests()]
        self.assertEqual(said[1:], ["text=n%d" % i for i in range(12)])

    def test_full(self):
        """Refused in the client's words, with what to do."""
        for places in (0, 2):
            proxy = self.service(key_queue=places)
            self.up.reset()
            held = [self.send(proxy, "say text=x head=4000")]
            self.in_flight(1)
            for i in range(places):
                held.append(self.send(proxy, "say text=x"))
                self.queued(proxy, i + 1)
            for client in "OA":
                for stream in (False, True):
                    a = self.answer(self.send(
                        proxy, "text", client, stream), client)
                    self.assertEqual(a.status, 429)
                    self.assertEqual(a.get("retry-after"), "5")
                    self.assertEqual(a.error["type"], "rate_limit_error")
                    self.assertIn("too many requests of this key",
                                  a.error["message"])
            # Another key has a queue of its own.
            self.assertEqual(self.answer(self.send(
                proxy, "text", key="key.two")).status, 200)
            self.assertEqual(proxy.metrics()[REFUSED % "full"], 4)
            for c in held:
                self.assertEqual(self.answer(c).status, 200)

    def test_too_long(self):
        proxy = self.service(key_queue_timeout_s=1)
        held = self.send(proxy, "no_head")
        self.in_flight(1)
        begin = time.monotonic()
        waiting = [(c, self.send(proxy, "text", c, s))
                   for c in "OA" for s in (False, True)]
        for client, conn in waiting:
            a = self.answer(conn, client)
            self.assertEqual(a.status, 429)
            self.assertEqual(a.get("retry-after"), "5")
            self.assertIn("waited for its turn", a.error["message"])
        self.assertGreaterEqual(time.monotonic() - begin, 0.99)
        m = proxy.metrics()
        self.assertEqual((m[QUEUED], m[REFUSED % "timeout"]), (0, 4))
        self.assertEqual(self.up.stats()["requests"], 1)
        # It is as if they had not been there.
        held.close()
        self.in_flight(0)
        self.assertEqual(self.answer(self.send(proxy, "text")).status, 200)

    def test_t52_client_leaves(self):
        """Who leaves makes room, and nothing of it is sent."""
        proxy = self.service(key_queue=2)
        held = self.send(proxy, "no_head")
        self.in_flight(1)
        waiting = [self.send(proxy, "text") for _ in range(2)]
        self.queued(proxy, 2)
        for c in waiting:
            c.close()
        self.queued(proxy, 0)
        again = [self.send(proxy, "text") for _ in range(2)]
        self.queued(proxy, 2)
        held.close()
        for c in again:
            self.assertEqual(self.answer(c).status, 200)
        self.assertEqual(self.up.stats()["requests"], 3)

    def test_counts_do_not_wait(self):
        proxy = self.service()
        self.send(proxy, "no_head")
        self.in_flight(1)
        a = wire.fetch(proxy.address, "POST", "/v1/messages/count_tokens",
                       post_fields((), "key.one"), as_bytes(
                           DIALECTS["A"].body(user("hello"))))
        self.assertEqual(a.status, 200)
        self.assertGreater(a.json()["input_tokens"], 0)
        self.assertEqual(self.up.stats()["requests"], 1)

    def test_with_retries(self):
        """A try that waits for its pause holds no permit; each one is
        counted."""
        proxy = self.service(retries=3, retry_backoff_ms=300)
        self.up.play_next("error code=1302")
        first = self.send(proxy, "say text=one")
        wait_until(lambda: self.up.stats()["requests"] >= 1, "a try")
        self.assertEqual(self.answer(self.send(
            proxy, "say text=two")).text, "two")
        self.assertEqual(self.answer(first).text, "one")
        self.assertEqual(self.up.stats()["most_in_flight"], 1)

    def test_signs_of_life(self):
        """Streams that wait get signs of life, then a good answer or the
        refusal as an error of the stream."""
        proxy = self.service(key_queue_timeout_s=24)
        for key in ("key.good", "key.bad"):
            self.send(proxy, "text head=%d" % (
                20000 if key == "key.good" else 40000), key=key)
        self.in_flight(2)
        begin = time.monotonic()
        waiting = {(c, k): self.send(proxy, "say text=hello", c, key=k)
                   for c in "OA" for k in ("key.good", "key.bad")}
        self.queued(proxy, 4)
        heads = {}
        for who, conn in waiting.items():
            heads[who] = conn.read_head()
            self.assertEqual(heads[who].status, 200)
            self.assertLess(time.monotonic() - begin, HEARTBEAT_S + 4)
        for (client, key), conn in waiting.items():
            text = b"".join(conn.pieces(heads[client, key])).decode()
            self.assertTrue(text.startswith(": keep-alive\n\n"), text)
            if key == "key.good":
                self.assertIn("hello", text)
                self.assertNotIn("rate_limit_error", text)
            else:
                self.assertIn("rate_limit_error", text)
                self.assertIn("waited for its turn", text)
        self.assertEqual(proxy.metrics()[REFUSED % "timeout"], 2)

    def test_too_long_for_the_window(self):
        """A stream that has waited is cut and sent again like any other."""
        window = 8000
        self.expect_log("left out", "takes [0-9]+ tokens")
        proxy = self.service(**{
            "model.glm-4.6.context": window,
            "context_overflow_openai": "truncate",
            "context_overflow_anthropic": "truncate"})
        for key in ("key.O", "key.A"):
            self.send(proxy, "text head=%d" % (1000 * HEARTBEAT_S + 4000),
                      key=key)
        self.in_flight(2)
        conns = {}
        for client in "OA":
            d = DIALECTS[client]
            conns[client] = c = proxy.connect(timeout=60)
            self.conns.append(c)
            talk = [(who, "lorem ipsum " * 30) for _ in range(60)
                    for who in ("user", "assistant")]
            c.asked = d.body(talk + user(
                "[[say text=hello context=%d]]" % window), stream=True)
            c.request("POST", d.path, post_fields((), "key." + client),
                      as_bytes(c.asked))
        self.queued(proxy, 2)
        for client, c in conns.items():
            a = self.answer(c, client)
            self.assertEqual((a.status, a.text), (200, "hello"))
        m = proxy.metrics()
        self.assertGreaterEqual(m["glmproxy_heartbeats_total"], 2)
        self.assertEqual(m["glmproxy_truncations_total"], 2)

    def test_is_shown(self):
        """By the key's tag, over all workers."""
        proxy = self.service(key_concurrency=2, key_queue=5)
        empty = {"limit": 2, "places": 5, "in_flight": 0, "waiting": 0,
                 "keys": []}
        self.assertEqual(get_quota(proxy)["concurrency"], empty)
        for _ in range(2):
            self.send(proxy, "no_head")
        self.send(proxy, "no_head", key="key.two")
        self.in_flight(3)
        self.send(proxy, "text")
        self.queued(proxy, 1)
        self.assertEqual(get_quota(proxy)["concurrency"], {
            "limit": 2, "places": 5, "in_flight": 3, "waiting": 1,
            "keys": [{"key": tag("key.one"), "in_flight": 2, "waiting": 1},
                     {"key": tag("key.two"), "in_flight": 1, "waiting": 0}]})
        for c in self.conns:
            c.close()
        wait_until(lambda: get_quota(proxy)["concurrency"] == empty, "an end")

    # --- processes ----------------------------------------------------------

    def test_kills_leak_nothing(self):
        """Twenty workers are killed under load: afterwards as many may be in
        flight as before, and never were there more."""
        limit = 3
        proxy = self.service(key_concurrency=limit)
        self.expect_log(r"worker \d+ .*(died|killed|signal)")
        stop = threading.Event()
        done = [0]

        def load(i):
            while not stop.is_set():
                try:
                    with proxy.connect(timeout=30) as c:
                        client = "OA"[i % 2]
                        self.send(proxy, "say text=x head=10", client,
                                  i % 4 < 2, conn=c)
                        self.assertIn(self.answer(c, client).status,
                                      (200, 429))
                        done[0] += 1
                except (OSError, wire.WireError):
                    continue

        threads, failures = self.in_threads(12, load)
        try:
            for n in range(1, KILLS + 1):
                enough = done[0] + random.randrange(5, 20)
                wait_until(lambda: done[0] > enough or failures, "answers",
                           30)
                self.assertEqual(failures, [])
                os.kill(random.choice(proxy.children("worker")),
                        signal.SIGKILL)
                wait_until(lambda: proxy.metrics()[
                    "glmproxy_process_deaths_total"] == n
                    and proxy.children("worker"), "its burial", 30)
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(failures, [])
        self.in_flight(0)
        self.assertEqual(self.up.stats()["most_in_flight"], limit)
        self.queued(proxy, 0)
        held = [self.send(proxy, "no_head") for _ in range(limit)]
        self.in_flight(limit)
        one_more = self.send(proxy, "text")
        self.queued(proxy, 1)
        held[0].close()
        self.assertEqual(self.answer(one_more).status, 200)

    def test_reload(self):
        """Who waits at the old generation is served in its turn; both count
        together."""
        proxy = self.service(2)
        first = self.send(proxy, "say text=first head=4000")
        self.in_flight(1)
        old = [self.send(proxy, "say text=old%d" % i) for i in range(3)]
        self.queued(proxy, 3)
        os.kill(proxy.pid, signal.SIGHUP)
        wait_until(lambda: proxy.metrics()["glmproxy_generation"] == 2,
                   "another generation")
        new = [self.send(proxy, "say text=new%d" % i) for i in range(3)]
        for c in [first] + old + new:
            self.assertEqual(self.answer(c).status, 200)
        self.assertEqual(self.up.stats()["most_in_flight"], 1)
        said = [r["scenario"].partition(" ")[2].partition(" ")[0]
                for r in self.up.requests()]
        self.assertEqual({s[5:8] for s in said[1:4]}, {"old"})

    def test_stop(self):
        """A stop waits for the queue as for what is under way."""
        proxy = self.service(2, stop_timeout_s=15)
        first = self.send(proxy, "say text=x head=3000", stream=False)
        self.in_flight(1)
        rest = [self.send(proxy, "say text=x") for _ in range(3)]
        self.queued(proxy, 3)
        os.kill(proxy.pid, signal.SIGTERM)
        for c in [first] + rest:
            self.assertEqual(self.answer(c).text, "x")

    def test_stopped_worker_is_passed_over(self):
        """The first of the queue is at a worker that hangs: others go on."""
        proxy = self.service(2)
        conns = self.conns

        def look():
            owners = proxy.owners(conns)
            if None in owners:
                return None
            if len(set(owners)) == 2 and owners.count(owners[0]) > 1:
                return owners
            # One worker may be quick enough to take all.
            conns.append(proxy.connect(timeout=60))
            return None

        owners = wait_until(look, "owners")
        here = [c for c, o in zip(conns, owners) if o == owners[0]]
        there = [c for c, o in zip(conns, owners) if o != owners[0]]
        other = [o for o in owners if o != owners[0]][0]
        first = self.send(proxy, "say text=x head=3000", conn=here[0])
        self.in_flight(1)
        hung = self.send(proxy, "say text=x", conn=there[0])
        self.queued(proxy, 1)
        next_one = self.send(proxy, "say text=x", conn=here[1])
        self.queued(proxy, 2)
        os.kill(other, signal.SIGSTOP)
        try:
            for c in (first, next_one):
                self.assertEqual(self.answer(c).text, "x")
        finally:
            os.kill(other, signal.SIGCONT)
        self.assertEqual(self.answer(hung).text, "x")
        self.assertEqual(self.up.stats()["most_in_flight"], 1)
