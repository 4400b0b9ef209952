# SPDX-License-Identifier: MIT
"""Conversations that fill the model's window, and what clients are told."""

import json
import unittest

from tests.e2e.chat import DIALECTS, ask, image, user
from tests.e2e.harness import Case

WINDOW = 8000  # tokens; the stand-in counts a token per four bytes of body


def turns(n, words=60, last="and now?"):
    """n turns of a user and a model, and a question."""
    out = []
    for i in range(n):
        out.append(("user", "question %d: " % i + "lorem ipsum " * words))
        out.append(("assistant", "answer %d: " % i + "dolor sit " * words))
    return out + [("user", last)]


def messages_of(request):
    """What the upstream was sent: role and text of each message."""
    out = []
    for m in request.body_json()["messages"]:
        text = m["content"]
        if not isinstance(text, str):
            text = "".join(p.get("text", "") for p in text)
        out.append((m["role"], text))
    return out


class Overflow(Case):
    """What happens when the upstream says that it is too much."""
    config = {"model.glm-4.6.context": str(WINDOW),
              "model.glm-4.6v.context": str(WINDOW // 2),
              "context_overflow_openai": "truncate",
              "context_overflow_anthropic": "truncate",
              "context_info": "true"}
    refusals = True
    expected = ("left out", "takes [0-9]+ tokens")

    def setUp(self):
        super().setUp()
        self.standin.play_always("text context=%d" % WINDOW)

    def ask(self, client, conversation, **more):
        since = self.standin.count()
        body = DIALECTS[client].body(conversation, max_tokens=100, **more)
        a = ask(self.proxy.address, client, body)
        return a, self.standin.requests(since)

    def test_truncate(self):
        for client in "OA":
            for stream in (False, True):
                with self.subTest(client=client, stream=stream):
                    self.check_truncated(client, stream)

    def check_truncated(self, client, stream):
        conversation = [("system", "Be brief.")] + turns(60)
        a, sent = self.ask(client, conversation, stream=stream)
        self.assertEqual(a.status, 200, a.response)
        # At once, when it was learned how upstream counts, or at the second.
        self.assertIn(len(sent), (1, 2, 3))
        got = messages_of(sent[-1])
        got = [m for m in got if m[0] != "system"]
        full = [("user" if t[0] == "user" else "assistant", t[1])
                for t in conversation if t[0] != "system"]
        self.assertEqual(got, full[-len(got):], "a suffix")
        self.assertEqual(got[0][0], "user")
        self.assertLess(len(got), len(full))
        self.assertIn("Be brief.", json.dumps(sent[-1].body_json()))
        self.assertIn("truncated:messages", a.get("x-glmproxy-notice"))
        if not stream:
            self.check_report(a, len(full) - len(got))

    def check_report(self, a, removed):
        info = a.response.json()["context_info"]
        self.assertIs(info["truncated"], True)
        self.assertEqual(info["messages_removed"], removed)
        self.assertGreater(info["original_tokens"], WINDOW)
        self.assertEqual(info["truncation_reason"], "context_limit_exceeded")
        self.assertIn("compact", info["client_note"])
        self.assertLess(info["real_input_tokens"], WINDOW)

    def test_cut_stays_where_it_is(self):
        """The upstream's cache of prompts holds while it grows."""
        first = []
        for n in range(60, 64):
            a, sent = self.ask("A", turns(n))
            self.assertEqual(a.status, 200, a.response)
            first.append(messages_of(sent[-1])[0])
        self.assertLessEqual(len(set(first)), 2, first)

    def test_task_of_many_calls(self):
        """One question, then nothing but calls: no cut before a user's."""
        def rounds(n):
            out = [("user", "do it")]
            for i in range(n):
                out.append(("assistant", None,
                            [self.call("c%d" % i, i)]))
                out.append(("results", [("c%d" % i, "result " * 60)]))
            return out
        for client in "OA":
            with self.subTest(client=client):
                a, sent = self.ask(client, rounds(90), tools=[self.tool()])
                self.assertEqual(a.status, 200, a.response)
                role, text = messages_of(sent[-1])[0]
                self.assertEqual(role, "user")
                self.assertIn("Earlier messages were removed", text)

    @staticmethod
    def call(call_id, i):
        from tests.e2e.chat import Call
        return Call(call_id, "look", json.dumps({"path": "f%d" % i}))

    @staticmethod
    def tool():
        from tests.e2e.chat import Tool
        return Tool("look")

    def test_no_size_is_left_without_an_answer(self):
        """Whatever max_tokens is, and however full the window."""
        for client, max_tokens in (("O", 1293), ("A", 1293), ("A", 3300),
                                   ("O", 6000)):
            for n in range(8, 70, 3):
                with self.subTest(client=client, max_tokens=max_tokens, n=n):
                    body = DIALECTS[client].body(turns(n),
                                                 max_tokens=max_tokens)
                    a = ask(self.proxy.address, client, body)
                    self.assertEqual(a.status, 200, a.response)

    def test_too_long_alone(self):
        """One message that never fits: the true numbers, in the words by
        which clients compact."""
        for client, words in (("O", "maximum context length is %d tokens"),
                              ("A", "tokens > %d maximum")):
            with self.subTest(client=client):
                a, _ = self.ask(client, [("user", "word " * 12000)])
                self.assertEqual(a.status, 400)
                self.assertIn(words % WINDOW, a.error["message"])
                numbers = [int(w) for w in a.error["message"].split()
                           if w.isdigit()]
                self.assertGreater(max(numbers), 14000)

    def test_output_is_lowered(self):
        """Input fits, max_tokens does not."""
        conversation = user("word " * 4000)
        for client in "OA":
            with self.subTest(client=client):
                since = self.standin.count()
                body = DIALECTS[client].body(conversation, max_tokens=4000)
                a = ask(self.proxy.address, client, body)
                self.assertEqual(a.status, 200, a.response)
                sent = self.standin.requests(since)[-1].body_json()
                self.assertLess(sent["max_tokens"], 3000)
                self.assertGreaterEqual(sent["max_tokens"], 1024)
                self.assertIn("clamped:max_tokens",
                              a.get("x-glmproxy-notice"))


class Modes(Case):
    """auto and error, side by side with an image's smaller window."""
    config = {"model.glm-4.6v.context": str(WINDOW // 2),
              "model.glm-4.6.context": "9000",
              "context_overflow_anthropic": "error"}
    refusals = True
    expected = ("left out", "takes [0-9]+ tokens")

    def ask(self, client, conversation, window):
        self.standin.play_always("text context=%d" % window)
        since = self.standin.count()
        body = DIALECTS[client].body(conversation, max_tokens=100)
        a = ask(self.proxy.address, client, body)
        return a, self.standin.requests(since)

    def test_auto_text(self):
        a, sent = self.ask("O", turns(60), WINDOW)
        self.assertEqual(a.status, 400)
        self.assertEqual(a.error["code"], "context_length_exceeded")
        self.assertEqual(len(sent), 1)

    def test_auto_image(self):
        """The client could not foresee that an image shrinks the window."""
        a, sent = self.ask("O", turns(30, 60, [("text", "see"), image()]),
                           WINDOW // 2)
        self.assertEqual(a.status, 200, a.response)
        self.assertIn(len(sent), (2, 3))
        self.assertEqual(sent[-1].body_json()["model"], "glm-4.6v")
        self.assertIn("truncated:messages", a.get("x-glmproxy-notice"))

    def test_auto_image_and_much_output(self):
        """An image, and max_tokens that leave less than 1,024 to spare."""
        for client in "O":
            for n in range(4, 30):
                with self.subTest(client=client, n=n):
                    self.standin.play_always("text context=%d" % (WINDOW // 2))
                    body = DIALECTS[client].body(
                        turns(n, 60, [("text", "see"), image()]),
                        max_tokens=2500)
                    a = ask(self.proxy.address, client, body)
                    self.assertEqual(a.status, 200, a.response)

    def test_nothing_is_refused_that_upstream_takes(self):
        """A text of which our count is far too high."""
        words = " ".join("%08x" % (i * 2654435761 % 2**32)
                         for i in range(3000))
        self.standin.play_always("text context=9000")
        for max_tokens in (100, 1500):
            body = DIALECTS["O"].body([("user", words)],
                                      max_tokens=max_tokens)
            a = ask(self.proxy.address, "O", body)
            self.assertEqual(a.status, 200, a.response)

    def test_auto_image_asked_by_name(self):
        """Who asks for the vision model knows its window."""
        self.standin.play_always("text context=%d" % (WINDOW // 2))
        body = DIALECTS["O"].body(
            turns(30, 60, [("text", "see"), image()]), max_tokens=100,
            model="glm-4.6v")
        a = ask(self.proxy.address, "O", body)
        self.assertEqual(a.status, 400)
        self.assertEqual(a.error["code"], "context_length_exceeded")

    def test_error(self):
        a, sent = self.ask("A", turns(30, 60, [("text", "see"), image()]),
                           WINDOW // 2)
        self.assertEqual(a.status, 400)
        self.assertIn("prompt is too long", a.error["message"])
        self.assertEqual(len(sent), 1)


class Told(Case):
    """Scaling and figures as they are by default."""
    config = {"token_scaling": "true", "context_info": "true"}

    def test_body_and_stream_agree(self):
        for client, factor in (("O", 0.64), ("A", 1.0)):
            for stream in (False, True):
                with self.subTest(client=client, stream=stream):
                    self.standin.play_always("text in=10000 cached=4000 out=500")
                    body = DIALECTS[client].body(user("hi"), stream=stream)
                    a = ask(self.proxy.address, client, body)
                    self.assertEqual(a.status, 200, a.response)
                    self.assertEqual(a.usage["input"], 10000 * factor)
                    self.assertEqual(a.usage["cached"], 4000 * factor)
                    self.assertEqual(a.usage["output"], 500 * factor)
                    if not stream:
                        self.assertEqual(
                            a.get("x-glmproxy-context"),
                            "used=10000; limit=202752; pct=4.9; level=ok; "
                            "estimated=0")

    def test_switched_off(self):
        proxy = self.own_proxy({"token_scaling": "false",
                                "context_info": "false"})
        self.standin.play_always("text in=10000 out=500")
        a = ask(proxy.address, "O", DIALECTS["O"].body(user("hi")))
        self.assertEqual(a.usage["input"], 10000)
        self.assertNotIn("context_info", a.response.json())
        self.assertNotIn("real_input_tokens", a.response.json()["usage"])
        self.assertIn("used=10000", a.get("x-glmproxy-context"))


class Environment(Case):
    def test_repeated_blocks_are_counted(self):
        block = ("<environment_details>\nTime: %d\n" + "file.c\n" * 200
                 + "</environment_details>")
        before = self.proxy.metrics()
        body = DIALECTS["O"].body([
            ("user", "a\n\n" + block % 1), ("assistant", "b"),
            ("user", "c\n\n" + block % 2), ("assistant", "d"),
            ("user", "e\n\n" + block % 3)])
        a = ask(self.proxy.address, "O", body)
        self.assertEqual(a.status, 200, a.response)
        self.assertEqual(self.sent()["body"].count("<environment_details>"), 1)
        after = self.proxy.metrics()

        def gained(name):
            return after[name] - before.get(name, 0)
        self.assertEqual(gained("glmproxy_dedup_blocks_total"), 2)
        # 2 * 1.4 kB
        self.assertGreater(gained("glmproxy_dedup_tokens_total"), 500)
        self.assertLess(gained("glmproxy_dedup_tokens_total"), 1200)


class Images(Case):
    config = {"image_scope": "last_user_turn"}

    def test_old_images_are_left_out(self):
        for client in "OA":
            with self.subTest(client=client):
                since = self.standin.count()
                body = DIALECTS[client].body([
                    ("user", [("text", "see"), image()]),
                    ("assistant", "a dot"), ("user", "thanks")])
                a = ask(self.proxy.address, client, body)
                self.assertEqual(a.status, 200, a.response)
                sent = self.standin.requests(since)[-1]
                self.assertEqual(sent.side(), "A")
                self.assertIn("[image left out]",
                              json.dumps(sent.body_json()))
                self.assertEqual(a.get("x-glmproxy-images"),
                                 "scope=last_user_turn; images=1; left_out=1")

    def test_counts_agree(self):
        """An image that is left out is not counted either."""
        proxy = self.own_proxy({"image_scope": "last_user_turn",
                                "forward_count_to_upstream": "false"})
        counts = []
        for last in ("thanks", [("text", "and this"), image(560, 560)]):
            body = DIALECTS["A"].body([
                ("user", [("text", "see"), image(560, 560)]),
                ("assistant", "a dot"), ("user", last)])
            r = proxy.post("/v1/messages/count_tokens", body)
            counts.append(r.json()["input_tokens"])
        self.assertLess(counts[0], 100)
        self.assertGreater(counts[1], 800)

    def test_new_images_keep_the_old(self):
        since = self.standin.count()
        body = DIALECTS["O"].body([
            ("user", [("text", "see"), image()]), ("assistant", "a dot"),
            ("user", [("text", "and this"), image()])])
        a = ask(self.proxy.address, "O", body)
        self.assertEqual(a.status, 200, a.response)
        self.assertEqual(self.standin.requests(since)[-1].side(), "O")
        self.assertEqual(a.get("x-glmproxy-images"),
                         "scope=last_user_turn; images=2; left_out=0")


if __name__ == "__main__":
    unittest.main()
