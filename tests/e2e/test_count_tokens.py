# SPDX-License-Identifier: MIT
"""count_tokens: who counts, what is answered, and what stays untouched by it."""

import json
import os
import shutil
import struct
import tempfile
import threading
import time
import unittest
from base64 import b64encode
from math import ceil

from tests.e2e import harness, wire
from tests.e2e.chat import DIALECTS, Call, Tool, ask, png, user
from tests.e2e.harness import Case, as_bytes, post_fields, run_program

PATHS = {"A": "/v1/messages/count_tokens", "O": "/v1/responses/input_tokens"}
NAMES = {"A": "anthropic", "O": "openai"}
AT_ONCE = 14      # counts that are forwarded at the same time
LIMIT_S = 3       # that upstream has for one
TALK = [("system", "Be brief, but thorough."),
        ("user", "Count the lines of main.c, "
                 "\u043f\u043e\u0436\u0430\u043b\u0443\u0439\u0441\u0442\u0430."),
        ("assistant", "I look.", [Call("c1", "look", '{"path": "main.c"}')]),
        ("results", [("c1", "int main(void) { return 0; }\n" * 40)]),
        ("user", "\u597d\u7684\uff0c\u8c22\u8c22\u3002 And the others?")]
TOOLS = [Tool("look", about="Look at a file, wherever it is.")]


def body_of(client, turns=None, tools=TOOLS, **more):
    body = DIALECTS[client].body(turns or TALK, tools=tools, **more)
    if "max_tokens" not in more:
        body.pop("max_tokens", None)
    return body


def by_vocabulary(client, body):
    """What `glmproxy count` says, the same code behind another door."""
    r = run_program("count", "--request", "--from", NAMES[client],
                    stdin=as_bytes(body))
    if r.returncode != 0 or r.stderr:
        raise AssertionError("count: %r" % r)
    return int(r.stdout)


def has_vocabulary():
    return os.path.exists(os.path.join(os.path.dirname(harness.GLMPROXY),
                                       "glmproxy.vocab"))


class CountCase(Case):
    def count(self, client, body, proxy=None, fields=(), **more):
        r = (proxy or self.proxy).post(PATHS[client], body, fields, **more)
        self.assertEqual(r.status, 200, r)
        return r

    def tokens(self, client, body, proxy=None):
        return self.count(client, body, proxy).json()["input_tokens"]

    def check_local(self, client, body, r, message=None):
        """The answer is our own number, and says so."""
        b = r.json()
        self.assertEqual(b["input_tokens"], by_vocabulary(client, body),
                         message)
        self.assertIn("estimated:input_tokens",
                      r.get("x-glmproxy-notice") or "", message)
        self.assertIs(b["proxy_estimate"], True, message)

    def check_forwarded(self, r):
        self.assertNotIn("estimated", r.get("x-glmproxy-notice") or "")
        self.assertNotIn("proxy_estimate", r.json())


class Shapes(CountCase):
    """Told as a chat of the same request would be, whichever way."""
    config = {"token_scaling": "true", "context_info": "true",
              "model_map_json": '{"mine": "glm-4.6"}'}
    # Text on the Anthropic upstream, as each client sees it.
    FACTOR = {"A": 1.0, "O": 0.64}

    def test_members(self):
        self.standin.play_next("text in=1000", "text in=1000")
        self.assertEqual(self.count("A", body_of("A")).json(), {
            "input_tokens": 1000, "real_input_tokens": 1000,
            "token_count": 1000, "input_token_count": 1000})
        self.assertEqual(self.count("O", body_of("O")).json(), {
            "object": "response.input_tokens", "input_tokens": 640,
            "real_input_tokens": 1000,
            "usage": {"prompt_tokens": 640, "completion_tokens": 0,
                      "total_tokens": 640}})

    def test_without_compatibility(self):
        proxy = self.own_proxy({"count_shape_compat": "false"})
        for client, members in (("A", {"input_tokens"}),
                                ("O", {"object", "input_tokens"})):
            self.assertEqual(
                set(self.count(client, body_of(client), proxy).json()),
                members)

    def test_as_the_chat_says(self):
        """Upstream counts the same request the same way, and so do we."""
        for client in "AO":
            told = set()
            for model in ("glm-4.6", "glm-4.6-anthropic", "mine",
                          "GLM-4.6", "claude-sonnet-4-5"):
                body = body_of(client, model=model)
                r = self.count(client, body)
                self.check_forwarded(r)
                counted = self.sent()
                self.assertEqual(counted["path"],
                                 "/api/anthropic/v1/messages/count_tokens")
                self.assertNotIn("-anthropic", counted.body_json()["model"])
                self.assertNotEqual(counted.body_json()["model"], "mine")
                b = r.json()
                self.assertEqual(b["input_tokens"], ceil(
                    b["real_input_tokens"] * self.FACTOR[client]))
                told.add(b["real_input_tokens"])
                for stream in (False, True):
                    a = ask(self.proxy.address, client, body_of(
                        client, model=model, stream=stream, max_tokens=100))
                    self.assertEqual(a.status, 200, a.response)
                    self.assertEqual(a.usage["input"], b["input_tokens"])
                    self.assertEqual(
                        self.sent().body_json()["messages"],
                        counted.body_json()["messages"])
            self.assertEqual(len(told), 1, told)

    def test_the_other_upstream(self):
        """There is no counting there: ours, on the same scale."""
        for client, factor in (("A", 1.5625), ("O", 1.0)):
            body = body_of(client, model="glm-4.6-openai")
            r = self.count(client, body)
            real = by_vocabulary(client, body)
            self.assertEqual(r.json()["real_input_tokens"], real)
            self.assertEqual(r.json()["input_tokens"], ceil(real * factor))
            self.standin.play_next("text in=%d" % real)
            a = ask(self.proxy.address, client, body_of(
                client, model="glm-4.6-openai", max_tokens=100))
            self.assertEqual(self.sent().side(), "O")
            self.assertEqual(a.usage["input"], r.json()["input_tokens"])


class Forwarded(CountCase):
    def test_chat_shape(self):
        """In the shape of the other dialect, with all that counts."""
        self.check_forwarded(self.count("O", body_of("O")))
        sent = self.sent()
        self.assertEqual(sent["path"],
                         "/api/anthropic/v1/messages/count_tokens")
        body = sent.body_json()
        self.assertEqual(set(body), {"model", "system", "messages", "tools"})
        self.assertEqual(body["tools"][0]["name"], "look")
        self.assertIn("Be brief", json.dumps(body["system"]))
        self.assertEqual([m["role"] for m in body["messages"]],
                         ["user", "assistant", "user"])

    def test_everything_counts(self):
        """Each part makes the number larger, also where we count."""
        local = self.own_proxy({"forward_count_to_upstream": "false"})
        for proxy in (self.proxy, local):
            for client in "AO":
                before = 0
                for turns, tools in (
                        (TALK[1:2], ()), (TALK[:2], ()), (TALK[:4], ()),
                        (TALK, ()), (TALK, TOOLS)):
                    n = self.tokens(client, body_of(client, turns, tools),
                                    proxy)
                    self.assertGreater(n, before)
                    before = n

    def test_key(self):
        self.allow_refusals()
        for client in "AO":
            r = self.proxy.post(PATHS[client], body_of(client), key="bad.key")
            self.assertEqual(r.status, 401)
            self.assertTrue(DIALECTS[client].read_body(r).error["message"])

    def test_figures(self):
        """An answer is counted once, by who gave it."""
        def by(who):
            return self.proxy.metrics()[
                'glmproxy_count_answers_total{by="%s"}' % who]

        upstream, local = by("upstream"), by("local")
        self.count("A", body_of("A"))
        harness.wait_until(lambda: by("upstream") == upstream + 1, "a count")
        self.standin.play_next("html502")
        self.count("A", body_of("A"))
        harness.wait_until(lambda: by("local") == local + 1, "a local count")
        self.assertEqual(by("upstream"), upstream + 1)


@unittest.skipUnless(has_vocabulary(), "no vocabulary: see `make deps`")
class Local(CountCase):
    """Whatever becomes of the upstream, there is an exact number."""

    def test_not_asked(self):
        proxy = self.own_proxy({"forward_count_to_upstream": "false"})
        for client in "AO":
            body = body_of(client)
            self.check_local(client, body, self.count(client, body, proxy))
        self.assertEqual(self.standin.count(), self.since)

    def test_upstream_fails(self):
        self.expect_log(r"upstream: ")
        for scenario in (
                "error shape=F6 status=404", "error status=500 code=1230",
                "html502", "empty502", "html429", "error429", "error_200",
                "overflow", "redirect", "bad_json", "garbage", "big_head",
                "two_lengths", "close_early", "reset_early", "cut", "reset",
                "bad_gzip"):
            for client in "AO":
                with self.subTest(scenario=scenario, client=client):
                    self.standin.reset()
                    self.standin.play_next(scenario, scenario)
                    body = body_of(client)
                    self.check_local(client, body, self.count(client, body),
                                     scenario)
                    self.assertGreaterEqual(self.standin.count(), 1)
        self.standin.reset()
        self.since = 0

    def test_upstream_is_not_there(self):
        self.expect_log(r"upstream: ", "localhost:1")
        proxy = self.own_proxy({"upstream_base": "http://localhost:1/api"})
        body = body_of("A")
        self.check_local("A", body, self.count("A", body, proxy))

    def test_upstream_takes_its_time(self):
        """Three seconds, be it for the head or for what follows."""
        self.expect_log(r"no count within 3000 ms")
        scenarios = ("no_head", "text head=20000", "text fault=silent",
                     "text write=1 chunk=1 delay=1000 first=9000")
        answers = {}

        def one(i, scenario):
            body = body_of("A", user("[[%s]] %d" % (scenario, i)), ())
            begin = time.monotonic()
            r = self.count("A", body)
            answers[i] = body, r, time.monotonic() - begin

        threads = [threading.Thread(target=one, args=item)
                   for item in enumerate(scenarios)]
        for t in threads:
            t.start()
        self.chat_quickly()
        for t in threads:
            t.join()
        for i, scenario in enumerate(scenarios):
            body, r, took = answers[i]
            self.check_local("A", body, r, scenario)
            self.assertGreater(took, LIMIT_S - 0.1, scenario)
            self.assertLess(took, LIMIT_S + 4, scenario)

    def chat_quickly(self):
        """Chats on the same worker do not notice."""
        for _ in range(5):
            for client in "AO":
                begin = time.monotonic()
                a = ask(self.proxy.address, client,
                        DIALECTS[client].body(user("[[text words=3]]")))
                self.assertEqual(a.status, 200)
                self.assertLess(time.monotonic() - begin, 2.0)

    def test_many_at_once(self):
        """Not more than so many reach upstream; the others need not wait."""
        took = []
        # A busy machine may be slow with those that need not wait.
        while len(took) < 5 and min(took, default=2) >= 1.9:
            took.append(self.many_at_once())
        self.assertLess(min(took), 1.9)

    def many_at_once(self):
        """How long the others took, while upstream needs two seconds."""
        n = 40
        since = self.standin.count()
        bodies = [body_of("AO"[i % 2], user("[[text head=2000 in=777]] %d-%d "
                                            % (since, i) + "word " * i), ())
                  for i in range(n)]
        conns = [self.proxy.connect() for _ in range(n)]
        for c in conns:
            self.addCleanup(c.close)
        begin = time.monotonic()
        for i, c in enumerate(conns):
            c.request("POST", PATHS["AO"[i % 2]], post_fields(),
                      as_bytes(bodies[i]))
        forwarded = 0
        late = []
        # Those that were not sent on are answered first.
        for i, c in enumerate(conns):
            if i < AT_ONCE:
                late.append((i, c))
                continue
            r = c.response()
            self.check_local("AO"[i % 2], bodies[i], r, i)
        took = time.monotonic() - begin
        self.chat_quickly()
        for i, c in late:
            r = c.response()
            self.check_forwarded(r)
            self.assertEqual(r.json()["input_tokens"], 777)
            forwarded += 1
        counts = [r for r in self.standin.requests(since)
                  if r["path"].endswith("count_tokens")]
        self.assertEqual(len(counts), forwarded)
        # Then there is room again.
        self.check_forwarded(self.count("A", body_of("A")))
        return took

    def test_clients_that_leave(self):
        """Counted or forwarded, nothing is left behind."""
        long = body_of("A", user("[[no_head]] " + "word " * 200000), ())
        local = self.own_proxy({"forward_count_to_upstream": "false"})
        for proxy in (self.proxy, local):
            for _ in range(20):
                with proxy.connect() as c:
                    c.request("POST", PATHS["A"], post_fields(),
                              as_bytes(long))
            body = body_of("A", user("short"), ())
            harness.wait_until(
                lambda p=proxy: p.metrics()["glmproxy_client_connections"]
                <= 1, "no connection but the one that asks")
            self.assertGreater(self.tokens("A", body, proxy), 1)
        harness.wait_until(
            lambda: self.standin.stats()["in_flight"] == 0, "no request")

    def test_learned(self):
        """The exact number by what upstream's count has taught."""
        proxy = self.own_proxy({"forward_count_to_upstream": "false"})
        body = body_of("A", TALK[:1] + user("A line of text.\n" * 200))
        exact = by_vocabulary("A", body)
        self.assertEqual(self.tokens("A", body, proxy), exact)
        self.standin.play_next("text in=%d" % (exact * 13 // 10))
        before = proxy.metrics()["glmproxy_exact_counts_total"]
        a = ask(proxy.address, "A", dict(body, max_tokens=10))
        self.assertEqual(a.status, 200)
        harness.wait_until(
            lambda: proxy.metrics()["glmproxy_exact_counts_total"] > before,
            "the lesson")
        for client in "AO":
            body = body_of(client)
            self.assertAlmostEqual(self.tokens(client, body, proxy),
                                   by_vocabulary(client, body) * 1.3, delta=2)

    def test_model_without_answers_teaches_nothing(self):
        """Names that upstream refuses take no room from those it knows."""
        self.allow_refusals()
        self.expect_log("refused")
        proxy = self.own_proxy({"forward_count_to_upstream": "false"})
        text = "A line of text.\n" * 200
        for i in range(70):
            ask(proxy.address, "A", DIALECTS["A"].body(
                user("[[error code=1211]] " + text), model="no-%d" % i))
        body = body_of("A", user(text), ())
        exact = by_vocabulary("A", body)
        self.standin.play_next("text in=%d" % (exact * 2))
        before = proxy.metrics()["glmproxy_exact_counts_total"]
        ask(proxy.address, "A", dict(body, max_tokens=10))
        harness.wait_until(
            lambda: proxy.metrics()["glmproxy_exact_counts_total"] > before,
            "the lesson")
        self.assertAlmostEqual(self.tokens("A", body, proxy), exact * 2,
                               delta=1)


@unittest.skipUnless(has_vocabulary(), "no vocabulary: see `make deps`")
class Beside(CountCase):
    """Long texts are counted in slices: a stream on the same worker does not
    wait for them."""
    config = {"forward_count_to_upstream": "false"}
    EVENTS, EVERY_MS = 300, 4
    LATE_S = 0.05

    def longest_gap(self, bodies):
        """Of a stream whose events come evenly, while all these are counted;
        beside it, what was counted."""
        chat = DIALECTS["A"].body(user("[[text words=%d per=1 delay=%d]]" % (
            self.EVENTS, self.EVERY_MS)), stream=True)
        found, gaps = [], []
        with self.proxy.connect() as stream:
            stream.request("POST", "/v1/messages", post_fields(),
                           as_bytes(chat))
            pieces = stream.pieces(stream.read_head())
            next(pieces)
            threads = [threading.Thread(target=lambda b=b: found.append(
                self.tokens("O", b))) for b in bodies]
            for t in threads:
                t.start()
            last = time.monotonic()
            for _ in pieces:
                now = time.monotonic()
                gaps.append(now - last)
                last = now
            for t in threads:
                t.join()
        self.assertGreater(len(gaps), self.EVENTS // 2)
        return max(gaps), found

    def test_stream(self):
        # Their timers must not lengthen the turns of the loop.
        conns = [self.proxy.connect() for _ in range(700)]
        for c in conns:
            self.addCleanup(c.close)
            c.request("GET", "/health")
            c.response()
        megabyte = 1 << 20
        words = ("The quick brown fox jumps over the lazy dog, %d times. "
                 % 5 * (megabyte // 40))[:megabyte]
        mixed = [words, "a" * megabyte, "\u4f60\u597d" * (megabyte // 6)]
        for texts in mixed, [words[:megabyte // 10]] * 30:
            bodies = [as_bytes(body_of("O", user(t), ())) for t in texts]
            gaps = []
            # What else the machine does is not to be measured here.
            for _ in range(6):
                gap, found = self.longest_gap(bodies)
                self.assertEqual(len(found), len(texts))
                self.assertGreater(min(found), 10000)
                gaps.append(gap)
                if gap < self.LATE_S:
                    break
            print("# %d texts of %d bytes: an event came %.0f ms after the "
                  "one before at most" % (len(texts), len(texts[0]),
                                          min(gaps) * 1000), flush=True)
            self.assertLess(min(gaps), self.LATE_S * (
                10 if harness.is_sanitized() else 1))


# --- images -------------------------------------------------------------------

def gif(w, h):
    return b"GIF89a" + struct.pack("<HH", w, h) + b"\x80\0\0" + bytes(20)


def jpeg(w, h):
    return (b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
            + b"\xff\xdb\0\x43\0" + bytes(64)
            + b"\xff\xc0\0\x11\x08" + struct.pack(">HH", h, w)
            + b"\3\1\x22\0\2\x11\1\3\x11\1" + bytes(40))


def webp(kind, w, h):
    if kind == b"VP8X":
        data = bytes(4) + struct.pack("<I", w - 1)[:3] + struct.pack(
            "<I", h - 1)[:3]
    elif kind == b"VP8L":
        data = b"\x2f" + struct.pack("<I", (w - 1) | (h - 1) << 14)
    else:
        data = b"\x30\1\0\x9d\1\x2a" + struct.pack("<HH", w, h)
    data += bytes(20 + len(data) % 2)
    chunk = kind + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def tiles(w, h):
    return ceil(w / 28) * ceil(h / 28)


@unittest.skipUnless(has_vocabulary(), "no vocabulary: see `make deps`")
class Images(CountCase):
    """Counted by the size that their heads tell; never sent upstream."""

    def with_image(self, client, kind, data):
        text = [("user", [("text", "What is it?")])]
        picture = [("user", [("text", "What is it?"),
                             ("image", kind, b64encode(data).decode())])]
        r = self.count(client, body_of(client, picture, ()))
        self.assertIs(r.json()["proxy_estimate"], True)
        return r.json()["input_tokens"] - by_vocabulary(
            client, body_of(client, text, ()))

    def test_sizes(self):
        sizes = ((1, 1), (28, 28), (29, 28), (1000, 700), (4096, 3), (16383, 9))
        for w, h in sizes:
            for kind, data in (
                    ("image/gif", gif(w, h)), ("image/jpeg", jpeg(w, h)),
                    ("image/webp", webp(b"VP8X", w, h)),
                    ("image/webp", webp(b"VP8L", w, h)),
                    ("image/webp", webp(b"VP8 ", w, h))):
                for client in "AO":
                    self.assertEqual(self.with_image(client, kind, data),
                                     tiles(w, h), (kind, data[:20], w, h))
        for w, h in ((2, 2), (57, 84)):
            raw = ("user", [("text", "x"), ("image", "image/png", png(w, h))])
            for client in "AO":
                n = self.tokens(client, body_of(client, [raw], ()))
                few = by_vocabulary(client, body_of(
                    client, [("user", [("text", "x")])], ()))
                self.assertEqual(n - few, tiles(w, h))
        self.assertEqual(self.standin.count(), self.since)

    def test_unreadable(self):
        for kind, data in (("image/png", b"\x89PNG\r\n\x1a\n short"),
                           ("image/jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF"),
                           ("image/gif", b"GIF89a\1"),
                           ("image/webp", b"RIFF\0\0\0\0WEBPVP8 "),
                           ("image/gif", gif(0, 7))):
            for client in "AO":
                self.assertEqual(self.with_image(client, kind, data), 1200,
                                 (kind, data))


# --- without a vocabulary -----------------------------------------------------

class NoVocabulary(CountCase):
    """A program that finds none beside itself estimates from bytes."""

    def setUp(self):
        super().setUp()
        folder = tempfile.mkdtemp(prefix="glmproxy-bare-")
        self.addCleanup(shutil.rmtree, folder)
        program = shutil.copy2(harness.GLMPROXY, folder)
        proxy = self.own_proxy({"forward_count_to_upstream": "false"},
                               start=False)
        proxy.argv[0] = program
        proxy.start()
        self.bare = proxy

    def test_by_bytes(self):
        for client in "AO":
            for text, per in (("hello, world! " * 50, 3.6),
                              ("\u4f60\u597d" * 100, 2.5)):
                r = self.count(client, body_of(client, user(text), ()),
                               self.bare)
                self.assertAlmostEqual(
                    r.json()["input_tokens"],
                    len(text.encode()) / per + 4, delta=1)
                self.assertIs(r.json()["proxy_estimate"], True)
                self.assertIn("estimated", r.get("x-glmproxy-notice"))
        self.assertEqual(
            self.bare.metrics()["glmproxy_exact_counts_total"], 0)

    def test_learns_all_the_same(self):
        text = "hello, world! " * 300
        body = body_of("A", user(text), ())
        before = self.tokens("A", body, self.bare)
        self.standin.play_next("text in=%d" % (before * 2))
        ask(self.bare.address, "A", dict(body, max_tokens=10))
        self.assertAlmostEqual(self.tokens("A", body, self.bare), before * 2,
                               delta=2)


# --- bad input ----------------------------------------------------------------

class Refused(CountCase):
    def test_bodies(self):
        good = as_bytes(body_of("A", user("hi"), ()))
        for client in "AO":
            for body, words in (
                    (b"", "JSON"), (b"{", "JSON"), (b"[]", "object"),
                    ({"model": "glm-4.6"}, "messages"),
                    ({"model": "glm-4.6", "messages": []}, "messages"),
                    ({"model": "glm-4.6", "messages": {}}, "messages"),
                    ({"messages": user("x")}, "messages"),
                    (good.replace(b"hi", b"\xc3\x28"), "UTF-8"),
                    (good.replace(b"hi", b"\xff"), "UTF-8")):
                r = self.proxy.post(PATHS[client], body)
                self.assertEqual(r.status, 400, (client, body))
                error = DIALECTS[client].read_body(r).error
                self.assertIn(words.lower(), error["message"].lower(), body)
                self.assertGreater(len(error["message"]), 15)
        self.assertEqual(self.standin.count(), self.since)

    def test_configuration(self):
        for key, value in (
                ("model.glm-4.6.context", "0"),
                ("model.glm-4.6.context", "-1"),
                ("model.glm-4.6.context", "1000000000000000000"),
                ("model.glm-4.6.context", "9" * 40),
                ("real_text_model_tokens", "1000000000000000000"),
                ("openai_expected_tokens", "0"),
                ("anthropic_expected_tokens", "0"),
                ("anthropic_expected_tokens", "1000000000000000000")):
            r = run_program("check", "-o", "%s=%s" % (key, value))
            self.assertNotEqual(r.returncode, 0, key)
            said = (r.stdout + r.stderr).decode()
            self.assertIn(key, said)
            self.assertRegex(said, "100000000|between|at least|at most")

    def test_strange_limits(self):
        """Numbers are scaled up to the largest that is told, not beyond."""
        proxy = self.own_proxy({
            "model.glm-4.6.context": "100000000", "token_scaling": "true",
            "openai_expected_tokens": "100000000",
            "anthropic_expected_tokens": "1024"})
        self.standin.play_next("text in=999999999")
        n = self.tokens("O", body_of("O"), proxy)
        self.assertEqual(n, 10 ** 12)


if __name__ == "__main__":
    unittest.main()
