# SPDX-License-Identifier: MIT
"""What the figures of /metrics count, each beside what really happened."""

import re
import unittest

from tests.e2e import wire
from tests.e2e.chat import DIALECTS, Tool, ask, user
from tests.e2e.harness import Case, as_bytes, post_fields, wait_until
from tests.e2e.test_usage import promtool

NAMES = {"O": "openai", "A": "anthropic"}
SUFFIXES = {"O": "-openai", "A": "-anthropic"}
LOOK = Tool("look")


def series(name, **labels):
    """The key of a figure as Proxy.metrics() gives it."""
    inside = ",".join('%s="%s"' % item for item in labels.items())
    return "%s{%s}" % (name, inside) if inside else name


class Figures(Case):
    """Each test looks at what has grown since it began."""

    expected = (r"req=\S+ upstream: ",)

    def setUp(self):
        super().setUp()
        self.before = self.proxy.metrics()

    def grown(self, name, **labels):
        key = series(name, **labels)
        return self.proxy.metrics()[key] - self.before[key]

    def grown_all(self, name):
        """What has grown of this name: {labels: by how much}."""
        return {key[len(name):]: value - self.before.get(key, 0)
                for key, value in self.proxy.metrics().items()
                if key.partition("{")[0] == name
                and value != self.before.get(key, 0)}

    def chat(self, script="say text=x", client="O", upstream="A",
             stream=False, tools=(), **more):
        body = dict(DIALECTS[client].body(
            user("[[%s]]" % script), stream=stream, tools=list(tools),
            model="glm-4.6" + SUFFIXES[upstream]), **more)
        return ask(self.proxy.address, client, body)


class Requests(Figures):
    def test_dialects_and_pairs(self):
        for client, upstream, times in (("O", "O", 1), ("O", "A", 2),
                                        ("A", "O", 3), ("A", "A", 4)):
            for i in range(times):
                a = self.chat(client=client, upstream=upstream,
                              stream=i % 2 == 1)
                self.assertEqual(a.text, "x")
        self.assertEqual(self.grown_all("glmproxy_dialect_requests_total"),
                         {'{client="openai"}': 3, '{client="anthropic"}': 7})
        self.assertEqual(self.grown_all("glmproxy_routed_requests_total"), {
            '{client="openai",upstream="openai"}': 1,
            '{client="openai",upstream="anthropic"}': 2,
            '{client="anthropic",upstream="openai"}': 3,
            '{client="anthropic",upstream="anthropic"}': 4})
        self.assertEqual(self.grown_all("glmproxy_response_codes_total"),
                         {'{code="200"}': 10})
        self.assertEqual(self.grown_all("glmproxy_upstream_responses_total"),
                         {'{code="200"}': 10})

    def test_refused_ones_have_no_route(self):
        r = self.proxy.post("/v1/chat/completions", {}, key=None)
        self.assertEqual(r.status, 401)
        r = self.proxy.post("/v1/messages", b"{")
        self.assertEqual(r.status, 400)
        self.assertEqual(self.proxy.get("/nothing").status, 404)
        self.assertEqual(self.grown_all("glmproxy_dialect_requests_total"),
                         {'{client="openai"}': 1, '{client="anthropic"}': 1})
        self.assertEqual(self.grown_all("glmproxy_routed_requests_total"), {})
        self.assertEqual(self.grown_all("glmproxy_response_codes_total"), {
            '{code="%d"}' % code: 1 for code in (400, 401, 404)})
        self.assertEqual(self.grown_all("glmproxy_failures_total"), {
            '{class="%s"}' % c: 1
            for c in ("auth", "bad_request", "not_found")})

    def test_statuses_and_classes(self):
        self.allow_refusals()
        for script, status, upstream, kind in (
                ("error code=1302", 429, 429, "rate"),
                ("error code=1308", 429, 429, "quota"),
                ("error code=1113", None, 429, "billing"),
                ("html502", 502, 502, "upstream"),
                ("error status=418 shape=F1 code=9999", 418, None, None)):
            with self.subTest(script=script):
                self.before = self.proxy.metrics()
                a = self.chat(script, upstream="O")
                if status is not None:
                    self.assertEqual(a.status, status)
                code = a.status if a.status != 418 else "other"
                self.assertEqual(
                    self.grown_all("glmproxy_response_codes_total"),
                    {'{code="%s"}' % code: 1})
                self.assertEqual(
                    self.grown("glmproxy_upstream_responses_total",
                               code=upstream or "other"), 1)
                got = self.grown_all("glmproxy_failures_total")
                self.assertEqual(sum(got.values()), 1, got)
                if kind is not None:
                    self.assertEqual(got, {'{class="%s"}' % kind: 1})

    def test_broken_stream(self):
        a = self.chat("error_mid code=1305", stream=True)
        self.assertEqual((a.status, a.ended), (200, False))
        self.assertEqual(self.grown_all("glmproxy_failures_total"),
                         {'{class="overloaded"}': 1})
        self.assertEqual(self.grown("glmproxy_streams_broken_total"), 1)

    def test_notices(self):
        self.chat(client="A", upstream="O", top_k=3, stop_sequences=["q"])
        self.chat("tool_bad_json", upstream="O", tools=[LOOK])
        got = self.grown_all("glmproxy_notices_total")
        self.assertEqual(got.get('{verb="invalid"}'), 1, got)
        self.assertGreaterEqual(got.get('{verb="dropped"}', 0), 1, got)
        self.assertNotIn('{verb="other"}', got)

    def test_cancelled(self):
        body = DIALECTS["O"].body(user("[[no_head]]"))
        with self.proxy.connect() as c:
            c.request("POST", "/v1/chat/completions", post_fields(),
                      as_bytes(body))
            self.standin.wait_request(self.since)
        wait_until(lambda: self.grown("glmproxy_cancelled_total") == 1,
                   "a client that left")
        # It was neither answered nor is it anybody's failure.
        self.assertEqual(self.grown_all("glmproxy_failures_total"), {})
        self.assertEqual(self.grown_all("glmproxy_request_seconds_count"), {})
        self.assertEqual(self.grown("glmproxy_routed_requests_total",
                                    client="openai", upstream="anthropic"), 1)

    def test_phases_of_failures(self):
        self.chat("close_early close=1")
        self.chat("cut words=50 per=1", stream=True)
        got = self.grown_all("glmproxy_upstream_errors_total")
        self.assertEqual(got.get('{phase="body"}'), 1, got)
        # A kept connection that is closed is tried again, which fails too.
        self.assertEqual(got.get('{phase="head"}'), 1, got)


class Times(Figures):
    def histogram(self, name, **labels):
        """(observations, seconds, observations up to each bound)."""
        inside = series(name, **labels)[len(name):][1:-1]
        got = self.proxy.metrics()

        def value(suffix, more=""):
            both = ",".join(p for p in (inside, more) if p)
            key = name + suffix + ("{%s}" % both if both else "")
            return got[key] - self.before[key]

        # le is the last label.
        bounds = [re.search(r'le="([^"]+)"', k).group(1) for k in got
                  if re.match(name + r'_bucket\{' + re.escape(inside)
                              + (",le=" if inside else "le="), k)]
        steps = [value("_bucket", 'le="%s"' % b) for b in bounds]
        self.assertEqual(steps, sorted(steps))
        self.assertEqual(bounds[-1], "+Inf")
        self.assertEqual(steps[-1], value("_count"))
        return value("_count"), value("_sum"), dict(zip(bounds, steps))

    def test_a_stream(self):
        # Longer gaps than a busy machine is late.
        self.chat("slow head=150 first=1000 delay=40 words=50 per=1",
                  stream=True)
        labels = {"route": "chat", "stream": "yes"}
        n, first_s, steps = self.histogram(
            "glmproxy_request_first_byte_seconds", **labels)
        self.assertEqual(n, 1)
        # Its timers may run a few milliseconds early.
        self.assertGreater(first_s, 0.25)
        self.assertEqual((steps["0.25"], steps["+Inf"]), (0, 1))
        n, total_s, _ = self.histogram("glmproxy_request_seconds", **labels)
        self.assertEqual(n, 1)
        self.assertGreater(total_s, first_s + 0.1)
        n, up_s, steps = self.histogram(
            "glmproxy_upstream_first_byte_seconds")
        self.assertEqual((n, steps["0.1"]), (1, 0))
        self.assertGreater(up_s, 0.1)
        self.assertLess(up_s, first_s)

    def test_bodies_counts_and_failures(self):
        self.chat()
        self.chat("error code=1302", upstream="O")
        self.assertEqual(self.proxy.post(
            "/v1/messages/count_tokens",
            DIALECTS["A"].body(user("x"))).status, 200)
        for labels, first, total in (
                ({"route": "chat", "stream": "no"}, 1, 2),
                ({"route": "chat", "stream": "yes"}, 0, 0),
                ({"route": "count_tokens", "stream": "no"}, 1, 1)):
            n, _, _ = self.histogram("glmproxy_request_first_byte_seconds",
                                     **labels)
            self.assertEqual(n, first, labels)
            n, _, _ = self.histogram("glmproxy_request_seconds", **labels)
            self.assertEqual(n, total, labels)

    def test_connections(self):
        connects = self.grown("glmproxy_upstream_connects_total")
        for _ in range(3):
            self.chat("say text=x close=1")
        connects = self.grown("glmproxy_upstream_connects_total") - connects
        n, seconds, _ = self.histogram("glmproxy_upstream_connect_seconds")
        self.assertEqual(n, connects)
        self.assertGreaterEqual(n, 2)
        self.assertGreater(seconds, 0)


class TlsTimes(Times):
    tls = True

    def test_connections(self):
        for _ in range(4):
            self.chat("say text=x close=1")
        both = 0
        for resumed in ("yes", "no"):
            n, seconds, _ = self.histogram(
                "glmproxy_upstream_tls_seconds", resumed=resumed)
            self.assertEqual(
                n, self.grown("glmproxy_tls_handshakes_total",
                              resumed=resumed))
            self.assertEqual(n > 0, seconds > 0)
            both += n
        self.assertGreaterEqual(both, 3)


class Page(Figures):
    config = {"workers": "2"}

    def test_form(self):
        self.chat()
        r = wire.fetch(self.proxy.admin, "GET", "/metrics")
        self.assertEqual(r.get("content-type"),
                         "text/plain; version=0.0.4; charset=utf-8")
        self.assertIn(promtool(r.body), ("", None))

    def test_workers(self):
        """Series of workers are few, and their sum is everybody's."""
        for _ in range(4):
            self.chat()
        got = self.proxy.metrics()
        workers = {}
        for key, value in got.items():
            found = re.fullmatch(r'(\w+)\{worker="(\d+)"\}', key)
            if found:
                workers.setdefault(found.group(1), {})[
                    int(found.group(2))] = value
        self.assertEqual(set(workers), {
            "glmproxy_worker_" + n for n in (
                "connections", "streams", "buffered_bytes", "chats_total",
                "cpu_seconds_total", "heartbeat_age_seconds")})
        slots = {frozenset(w) for w in workers.values()}
        self.assertEqual(len(slots), 1)
        self.assertEqual(len(next(iter(slots))), 2)
        self.assertEqual(sum(workers["glmproxy_worker_chats_total"].values()),
                         got['glmproxy_requests_total{route="chat"}'])
        self.assertLess(max(
            workers["glmproxy_worker_heartbeat_age_seconds"].values()), 10)
        wait_until(lambda: self.proxy.sum(
            "glmproxy_worker_cpu_seconds_total") > 0, "CPU time")

    def test_no_series_by_client(self):
        self.chat()
        text = wire.fetch(self.proxy.admin, "GET", "/metrics").body.decode()
        clients = set(re.findall(r'client="([^"]*)"', text))
        self.assertEqual(clients, set(NAMES.values()))


if __name__ == "__main__":
    unittest.main()
