# SPDX-License-Identifier: MIT
"""Further tries of a chat that has failed (retries, retry_backoff_ms)."""

import os
import threading
import time

from tests.e2e.chat import DIALECTS, ask, user
from tests.e2e.harness import Case, as_bytes, post_fields, wait_until
from tests.e2e.test_history import read
from tests.e2e.test_quota import by_key

BACKOFF_MS = 20
RETRIES = "glmproxy_retries_total"
PAIRS = [(c, u) for c in "OA" for u in ("-openai", "-anthropic")]


def retries_of(proxy):
    return {n.split('"')[1]: v for n, v in proxy.metrics().items()
            if n.startswith(RETRIES) and v > 0}


class Retries(Case):
    config = {"retries": "2", "retry_backoff_ms": str(BACKOFF_MS),
              "workers": "2"}
    expected = (r"upstream: .*", r"refused, fields sent:")

    def tearDown(self):
        self.standin.reset()

    def play(self, *scenarios, client="O", upstream="", stream=False,
             proxy=None):
        """One chat; what comes of it and what was sent for it."""
        self.standin.play_next(*scenarios)
        since = self.standin.count()
        a = ask((proxy or self.proxy).address, client,
                DIALECTS[client].body(user("hello there"), stream=stream,
                                      model="glm-4.6" + upstream))
        return a, self.standin.requests(since)

    def test_succeeds_at_last(self):
        """In all pairs, streamed and not; the same bytes each time."""
        for client, upstream in PAIRS:
            for stream in (False, True):
                with self.subTest(client=client, upstream=upstream,
                                  stream=stream):
                    a, sent = self.play(
                        "error code=1302", "error code=1305",
                        "say text=hello", client=client, upstream=upstream,
                        stream=stream)
                    self.assertEqual((a.status, a.text), (200, "hello"))
                    self.assertEqual(len(sent), 3)
                    self.assertEqual(len({r["body"] for r in sent}), 1)
                    self.assertEqual(
                        len({str(sorted(map(str, r["headers"])))
                             for r in sent}), 1)

    def test_what_is_tried_again(self):
        rows = (
            ("error code=1302", "rate"), ("error code=1303", "rate"),
            ("html429", "rate"), ("error code=1305", "overloaded"),
            ("error code=1200", "server"), ("error code=1234", "server"),
            ("error code=999 status=503", "server"),
            ("html502", "server"), ("empty502", "server"),
            ("close_early", "connection"), ("reset_early", "connection"),
            ("error code=1200 fault=cut", "server"),
            ("text fault=cut at=0", "connection"),
            ("error_first code=1302", "rate"))
        for scenario, reason in rows:
            for stream in (False, True):
                with self.subTest(scenario=scenario, stream=stream):
                    proxy = self.own_proxy(self.config)
                    a, sent = self.play(scenario, "say text=hello",
                                        stream=stream, proxy=proxy)
                    self.assertEqual((a.status, a.text), (200, "hello"))
                    self.assertEqual(len(sent), 2)
                    self.assertEqual(retries_of(proxy), {reason: 1})

    def test_what_is_not(self):
        rows = (("error429 code=1308", 429), ("error code=1310", 429),
                ("error code=1304", 429), ("error code=1316", 429),
                ("error code=1113", 429), ("error code=1313", 429),
                ("error code=1210", 400), ("error code=1000", 401),
                ("error code=1261", 400), ("error code=1211", 404),
                ("error code=1231", 409), ("redirect", 502),
                # What was said before the connection broke counts.
                ("error code=1308 fault=cut", 429),
                ("error code=1000 fault=cut", 401),
                ("error code=1211 fault=cut", 400),
                ("garbage", 502))
        for scenario, status in rows:
            for stream in (False, True):
                with self.subTest(scenario=scenario, stream=stream):
                    a, sent = self.play(scenario, stream=stream)
                    self.assertEqual(a.status, status)
                    self.assertEqual(len(sent), 1)

    def test_no_time_out(self):
        proxy = self.own_proxy(dict(self.config, request_timeout_s="1"))
        self.expect_log(r"upstream: the upstream gave no answer in time")
        a, sent = self.play("no_head", proxy=proxy)
        self.assertEqual(a.status, 504)
        self.assertEqual(len(sent), 1)

    def test_not_after_the_first_piece(self):
        for client, upstream in PAIRS:
            for scenario in ("error_mid code=1305 at=6", "cut at=6",
                             "reset at=6"):
                with self.subTest(client=client, upstream=upstream,
                                  scenario=scenario):
                    a, sent = self.play(scenario + " words=30",
                                        client=client, upstream=upstream,
                                        stream=True)
                    self.assertEqual(a.status, 200)
                    self.assertFalse(a.ended)
                    self.assertEqual(len(sent), 1)

    def test_gives_up(self):
        """The last failure is told as if it were the only one."""
        for client, status in (("O", 429), ("A", 429)):
            a, sent = self.play(*["error code=1302 retry_after=%d" % n
                                  for n in (0, 0, 7)], client=client)
            self.assertEqual(a.status, status)
            self.assertEqual(a.get("retry-after"), "7")
            self.assertIn("1302", a.error["message"])
            self.assertEqual(len(sent), 3)

    def test_pauses(self):
        """Each between half of what it may be and all of it."""
        proxy = self.own_proxy({"retries": "3", "retry_backoff_ms": "100"})
        bounds = (100, 200, 1600)
        late = []
        for _ in range(5):  # on a busy machine some come late
            a, sent = self.play("error code=1302", "error code=1302",
                                "error code=1305", "text", proxy=proxy)
            self.assertEqual(a.status, 200)
            at = [r["arrived_ms"] for r in sent]
            pauses = [b - a for a, b in zip(at, at[1:])]
            for pause, most in zip(pauses, bounds):
                self.assertGreaterEqual(pause, most // 2 - 2)
            late.append(max(p - m for p, m in zip(pauses, bounds)))
            if late[-1] < 300:
                break
        self.assertLess(min(late), 300)

    def test_retry_after(self):
        """What upstream asks for is waited for, up to a bound."""
        a, sent = self.play("error code=1302 retry_after=1", "text")
        self.assertEqual(a.status, 200)
        self.assertGreaterEqual(
            sent[1]["arrived_ms"] - sent[0]["arrived_ms"], 998)
        a, sent = self.play("error code=1302 retry_after=61", "text")
        self.assertEqual(a.status, 429)
        self.assertEqual(len(sent), 1)
        self.standin.reset()

    def test_client_leaves(self):
        """While its request waits: nothing is sent for it any more."""
        # It leaves in good time before the pause is over.
        proxy = self.own_proxy({"retries": "2", "retry_backoff_ms": "4000"})
        d = DIALECTS["A"]
        self.standin.play_next("error code=1302")
        with proxy.connect() as c:
            c.request("POST", d.path, post_fields(),
                      as_bytes(d.body(user("hello there"), stream=True)))
            wait_until(lambda: retries_of(proxy) == {"rate": 1}, "a failure")
        wait_until(lambda: proxy.metrics()["glmproxy_cancelled_total"] == 1,
                   "the client's leaving")
        at = time.monotonic()
        wait_until(lambda: time.monotonic() - at > 4.2, "the pause")
        self.assertEqual(len(self.standin.requests(self.since)), 1)

    def test_figures_and_history(self):
        """Limits are noted each time, failures that clients do not see are
        none of theirs, and the record knows of the tries."""
        proxy = self.own_proxy(self.config)
        a, _ = self.play("error code=1302", "error code=1302", "text",
                         proxy=proxy)
        self.assertEqual(a.status, 200)
        m = proxy.metrics()
        self.assertEqual(m['glmproxy_upstream_limits_total{class="rate"}'], 2)
        self.assertEqual(m['glmproxy_failures_total{class="rate"}'], 0)
        self.assertEqual(m["glmproxy_upstream_requests_total"], 3)
        self.assertEqual(
            m['glmproxy_responses_total{class="4xx"}'], 0)
        limits = list(by_key(proxy).values())
        self.assertEqual(limits[0]["rate"]["count"], 2)
        wait_until(lambda: proxy.metrics()[
            "glmproxy_history_records_stored_total"] >= 1, "the record")
        row = read(os.path.join(proxy.config["state_dir"], "history.db"),
                   "SELECT retries, status FROM request")[0]
        self.assertEqual((row["retries"], row["status"]), (2, 200))

    def test_after_an_overflow(self):
        """A chat that was too long is made shorter once, however often the
        rest is tried."""
        proxy = self.own_proxy(dict(
            self.config, context_overflow_openai="truncate",
            **{"model.glm-4.6.context": "8000"}))
        self.expect_log("takes [0-9]+ tokens")
        talk = [(who, "lorem ipsum " * 30) for _ in range(30)
                for who in ("user", "assistant")]
        for stream in (False, True):
            self.standin.play_next("error code=1261", "error code=1302",
                                   "error code=1305", "say text=hello")
            since = self.standin.count()
            a = ask(proxy.address, "O", DIALECTS["O"].body(
                talk + user("hello"), stream=stream))
            self.assertEqual((a.status, a.text), (200, "hello"))
            sent = self.standin.requests(since)
            self.assertEqual(len(sent), 4)
            self.assertEqual(len({r["body"] for r in sent[1:]}), 1)
            self.assertNotEqual(sent[0]["body"], sent[1]["body"])
        self.assertEqual(
            proxy.metrics()["glmproxy_overflow_resends_total"], 2)

    def test_off_by_default(self):
        proxy = self.own_proxy()
        for scenario, status in (("error code=1302", 429),
                                 ("error code=1305", 429),
                                 ("error code=1200", 500)):
            a, sent = self.play(scenario, proxy=proxy)
            self.assertEqual(a.status, status)
            self.assertEqual(len(sent), 1)

    def test_signs_of_life(self):
        """A stream that has nothing but signs of life goes on with a good
        answer, or ends with the error."""
        jobs = {}
        failures = []
        standins = {}
        for client in "OA":
            for good in (True, False):
                standin = self.own_standin()
                proxy = self.own_proxy(self.config, standin=standin,
                                       tls=False)
                standin.play_next(
                    "error code=1302 retry_after=16",
                    "say text=hello" if good else "error code=1210")
                jobs[client, good] = proxy
                standins[client, good] = standin

        def chat(client, good):
            try:
                a = ask(jobs[client, good].address, client,
                        DIALECTS[client].body(user("hello there"),
                                              stream=True))
                self.assertEqual(a.status, 200)
                self.assertEqual(
                    len(standins[client, good].requests()), 2)
                if good:
                    self.assertEqual(a.text, "hello")
                    self.assertTrue(a.ended)
                else:
                    self.assertFalse(a.ended)
                    self.assertIn("1210", str(a.error))
            except BaseException as err:  # noqa: B902
                failures.append((client, good, err))

        threads = [threading.Thread(target=chat, args=j) for j in jobs]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(failures, [])
        for proxy in jobs.values():
            self.assertGreaterEqual(
                proxy.metrics()["glmproxy_heartbeats_total"], 1)
