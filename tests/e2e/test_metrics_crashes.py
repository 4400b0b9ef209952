# SPDX-License-Identifier: MIT
"""Figures stay true when workers are killed, and when the service is reloaded
or replaced, all under load: they are compared with what the stand-in upstream
has answered and with what clients have got."""

import collections
import itertools
import os
import random
import re
import signal
import threading
import unittest

from tests.e2e import wire
from tests.e2e.chat import DIALECTS, read_answer, user
from tests.e2e.harness import Case, as_bytes, post_fields, wait_until

CLIENTS = 8
KILLS = 20
RANDOM_KILLS = 10
# Each has its own status, at the upstream as for the client.
SCRIPTS = ("say text=x", "error code=1302", "html502", "say text=x",
           "error code=1261", "many n=20", "slow head=5 first=5 delay=2")


class Sent:
    """A request of a client, and the status of its answer: None as long as the
    answer is not whole."""

    def __init__(self, mark, conn):
        self.mark = mark
        self.conn = conn
        self.status = None


def by_status(statuses):
    return {str(s): n for s, n in collections.Counter(statuses).items()}


class Crashes(Case):
    standin_args = ("--keep", "50000")
    refusals = True
    expected = (r"req=\S+ upstream: ", r"worker \d \(pid \d+\) died: signal 9")

    def setUp(self):
        super().setUp()
        # Workers that have died often wait longer and longer.
        self.service = self.own_proxy({"workers": "4"})
        self.marks = itertools.count()
        self.start = self.service.metrics()
        self.sent = []

    # --- clients ------------------------------------------------------------

    def send(self, script, conn=None):
        """Begin a request on a connection of its own."""
        n = next(self.marks)
        mark = "m%d." % n
        client, upstream = "OA"[n % 2], ("-openai", "-anthropic")[n // 2 % 2]
        d = DIALECTS[client]
        body = d.body(user("%s [[%s]]" % (mark, script)), stream=n % 3 == 0,
                      model="glm-4.6" + upstream)
        s = Sent(mark, conn or self.service.connect())
        s.dialect, s.body = d, body
        self.sent.append(s)
        s.conn.request("POST", d.path, post_fields(), as_bytes(body))
        return s

    def finish(self, s):
        """Its answer, unless the worker dies before."""
        with s.conn:
            try:
                s.status = read_answer(s.conn, s.dialect, s.body).status
            except (wire.WireError, OSError):
                s.status = None

    def load(self, until):
        """One client: requests until the event is set."""
        for script in itertools.cycle(SCRIPTS):
            if until.is_set():
                return
            try:
                self.finish(self.send(script))
            except OSError:
                continue

    def in_threads(self, job, *args):
        threads = [threading.Thread(target=job, args=args)
                   for _ in range(CLIENTS)]
        for t in threads:
            t.start()
        return threads

    # --- figures ------------------------------------------------------------

    def grown(self, name):
        """{code: by how much the figure has grown}"""
        stem = name + '{code="'
        got = {k[len(stem):-2]: v - self.start[k]
               for k, v in self.service.metrics().items()
               if k.startswith(stem)}
        return {k: v for k, v in got.items() if v}

    def marks_upstream(self):
        """{mark: request} of all that the stand-in has received."""
        return {re.search(r'"(m\d+\.) ', r["body"]).group(1): r
                for r in self.standin.requests(self.since)}

    def answered_upstream(self):
        """{mark: status} of what the stand-in has answered to the end; it
        knows of no other request."""
        return {mark: r["status"]
                for mark, r in self.marks_upstream().items()
                if r["end"] in ("done", "closed")}

    def check_exact(self, lost):
        """Everything but `lost`, which no worker has heard an answer to."""
        self.assertEqual(len(self.marks_upstream()), len(
            self.standin.requests(self.since)), "none came twice")
        kept = [s for s in self.sent if s not in lost]
        upstream = self.answered_upstream()
        self.assertEqual({s.mark for s in kept}, set(upstream))
        self.assertEqual(self.grown("glmproxy_upstream_responses_total"),
                         by_status(upstream.values()))
        self.assertEqual(self.grown("glmproxy_response_codes_total"),
                         by_status(s.status for s in kept))
        self.check_sums(len(kept), len(self.sent))

    def check_sums(self, least, most):
        """Figures that count every request agree."""
        got = self.service.metrics()
        for names, count in (
                (("glmproxy_request_seconds_count",), least),
                (("glmproxy_routed_requests_total",), most),
                (("glmproxy_dialect_requests_total",), most)):
            total = sum(v - self.start[k] for k, v in got.items()
                        if k.partition("{")[0] in names)
            self.assertEqual(total, count, names)

    def deaths(self):
        return (self.service.metrics()["glmproxy_process_deaths_total"]
                - self.start["glmproxy_process_deaths_total"])

    # --- tests --------------------------------------------------------------

    def owners(self, conns):
        """The workers of these connections, if all have one."""
        found = self.service.owners(conns)
        return found if None not in found else []

    def begin_some(self):
        """Requests under way: those of one worker, which wait for an answer;
        those of the others, which are being answered."""
        conns = [self.service.connect() for _ in range(CLIENTS)]
        owners = wait_until(lambda: self.owners(conns),
                            "workers of all connections")
        victim = random.choice(owners)
        waiting = [self.send("no_head", c)
                   for c, owner in zip(conns, owners) if owner == victim]
        others = [self.send("slow head=20 first=1 delay=4 words=40 per=1", c)
                  for c, owner in zip(conns, owners) if owner != victim]
        marks = {s.mark for s in waiting}
        wait_until(lambda: marks <= set(self.marks_upstream()), "all to wait")
        return victim, waiting, others

    def test_kills_are_exact(self):
        """Twenty times: some requests have ended, others are being answered,
        others wait for upstream while their worker is killed."""
        lost = []
        for run in range(KILLS):
            threads = self.in_threads(
                lambda: [self.finish(self.send(s)) for s in SCRIPTS])
            for t in threads:
                t.join()
            victim, waiting, others = self.begin_some()
            os.kill(victim, signal.SIGKILL)
            for s in waiting + others:
                self.finish(s)
            self.assertEqual({s.status for s in waiting}, {None})
            lost += waiting
            wait_until(lambda: self.deaths() == run + 1, "its burial")
            wait_until(lambda: self.standin.stats()["in_flight"] == 0,
                       "the end of what it had")
            self.check_exact(lost)
        self.assertGreaterEqual(len(lost), KILLS)

    def test_kills_at_any_moment(self):
        """What a worker had counted of the answer that it was killed in
        nobody can know; everything else is exact."""
        stop = threading.Event()
        threads = self.in_threads(self.load, stop)
        try:
            for run in range(RANDOM_KILLS):
                enough = len(self.sent) + random.randrange(10, 40)
                wait_until(lambda: len(self.sent) > enough, "requests")
                os.kill(random.choice(self.service.children("worker")),
                        signal.SIGKILL)
                wait_until(lambda: self.deaths() == run + 1
                           and self.service.children("worker"), "its burial")
        finally:
            stop.set()
            for t in threads:
                t.join()
        wait_until(lambda: self.standin.stats()["in_flight"] == 0, "the end")
        cut = {s.mark for s in self.sent if s.status is None}
        upstream = self.answered_upstream()
        sure = by_status(v for m, v in upstream.items() if m not in cut)
        most = by_status(upstream.values())
        self.check_between(sure, "glmproxy_upstream_responses_total", most,
                           len(cut))
        sure = by_status(s.status for s in self.sent if s.status)
        self.check_between(sure, "glmproxy_response_codes_total", sure,
                           len(cut))
        self.assertGreater(len(self.sent), 10 * RANDOM_KILLS)
        self.assertLess(len(cut), len(self.sent) / 2)

    def check_between(self, least, name, most, cut):
        got = self.grown(name)
        for code in set(least) | set(got):
            self.assertLessEqual(least.get(code, 0), got.get(code, 0), code)
        self.assertLessEqual(sum(got.values()), sum(most.values()) + cut)

    def test_reload_and_upgrade(self):
        """Nobody is cut, so that everything is exact."""
        stop = threading.Event()
        threads = self.in_threads(self.load, stop)
        try:
            for sig in (signal.SIGHUP, signal.SIGUSR2, signal.SIGHUP):
                old = self.service.children("worker")
                seen = len(self.sent)
                os.kill(self.service.pid, sig)
                wait_until(lambda: len(self.service.children("worker"))
                           >= len(old) and not set(old)
                           & set(self.service.children("worker")),
                           "another generation", 30)
                wait_until(lambda: len(self.sent) > seen + 50, "requests")
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual([s.mark for s in self.sent if s.status is None], [])
        self.check_exact([])
        self.assertEqual(self.deaths(), 0)


if __name__ == "__main__":
    unittest.main()
