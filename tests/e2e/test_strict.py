# SPDX-License-Identifier: MIT
"""Strict mode: 400 rather than a request that is not the client's."""

import signal

from tests.e2e.chat import DIALECTS, ask, read_answer, user
from tests.e2e.harness import Case, as_bytes, post_fields, wait_until

STRICT = [("x-glmproxy-strict", "1")]
# client, upstream, what is asked, what of it would be lost, its field
LOSSES = (
    ("O", "A", {"seed": 1}, "dropped:seed", "seed"),
    ("O", "A", {"temperature": 1.5}, "clamped:temperature", "temperature"),
    ("O", "A", {"response_format": {"type": "json_object"}},
     "emulated:response_format", "response_format"),
    ("O", "A", {"seed": 1, "logit_bias": {"1": 1}},
     "dropped:seed,dropped:logit_bias", None),
    ("O", "O", {"model": "gpt-9-openai"}, "substituted:model", "model"),
    ("A", "O", {"top_k": 4}, "dropped:top_k", "top_k"),
    ("A", "A", {"max_tokens": 99999999}, "clamped:max_tokens", "max_tokens"),
)
# The same ways, without loss.
HARMLESS = (
    ("O", "A", {"temperature": 0.5, "store": False}),
    ("O", "O", {"response_format": {"type": "json_object"}}),
    ("A", "O", {"temperature": 0.5}),
    ("A", "A", {"top_k": 4, "foo": 1}),
)


def body_of(client, upstream, more):
    """A small chat that goes that way."""
    model = "glm-4.6" + {"A": "-anthropic", "O": "-openai"}[upstream]
    return dict(DIALECTS[client].body(user("x"), model=model), **more)


class Checks(Case):
    def assert_refused(self, a, client, losses, param):
        self.assertEqual(a.status, 400, a.response)
        self.assertEqual(a.error["message"],
                         "strict: the upstream cannot do as asked: " + losses)
        self.assertEqual(a.error["type"], "invalid_request_error")
        self.assertEqual(a.get("x-should-retry"), "false")
        if client == "O":
            self.assertEqual(a.error["param"], param)
            self.assertEqual(a.error["code"], "unsupported_value")

    def check_losses(self, fields):
        for client, upstream, more, losses, param in LOSSES:
            for stream in (False, True):
                with self.subTest(client=client, more=more, stream=stream):
                    body = body_of(client, upstream, more)
                    if stream:
                        body["stream"] = True
                    a = ask(self.proxy.address, client, body, fields=fields)
                    self.assert_refused(a, client, losses, param)
        self.assertEqual(self.standin.count(), self.since)

    def check_harmless(self, fields):
        for client, upstream, more in HARMLESS:
            with self.subTest(client=client, more=more):
                a = ask(self.proxy.address, client,
                        body_of(client, upstream, more), fields=fields)
                self.assertEqual(a.status, 200, a.response)
                self.assertEqual(self.sent().side(), upstream)


class Asked(Checks):
    """By the client, with the header."""

    refusals = True  # the stand-in knows no "foo"

    def test_losses_are_refused(self):
        self.check_losses(STRICT)
        self.check_losses([("X-GLMProxy-Strict", "TRUE")])

    def test_the_rest_passes(self):
        self.check_harmless(STRICT)

    def test_default_is_lenient(self):
        for fields in ([], [("x-glmproxy-strict", "0")],
                       [("x-glmproxy-strict", "")]):
            for client, upstream, more, losses, _ in LOSSES:
                with self.subTest(fields=fields, client=client, more=more):
                    a = ask(self.proxy.address, client,
                            body_of(client, upstream, more), fields=fields)
                    self.assertEqual(a.status, 200, a.response)
                    self.assertEqual(a.get("x-glmproxy-notice"), losses)

    def test_header_is_not_passed_on(self):
        ask(self.proxy.address, "O", body_of("O", "A", {}), fields=STRICT)
        self.assertIsNone(self.sent().header("x-glmproxy-strict"))

    def test_one_request_of_a_connection(self):
        """It is no property of the connection."""
        with self.proxy.connect() as conn:
            for fields, status in (([], 200), (STRICT, 400), ([], 200)):
                conn.request("POST", DIALECTS["O"].path, post_fields(fields),
                             as_bytes(body_of("O", "A", {"seed": 1})))
                a = read_answer(conn, DIALECTS["O"])
                self.assertEqual(a.status, status, a.response)


class Configured(Checks):
    """By the operator, for everybody."""

    config = {"strict": "true"}
    refusals = True

    def test_losses_are_refused(self):
        self.check_losses([])
        self.check_losses(STRICT)

    def test_the_header_cannot_turn_it_off(self):
        self.check_losses([("x-glmproxy-strict", "0")])

    def test_the_rest_passes(self):
        self.check_harmless([])

    def test_counts_pass(self):
        body = DIALECTS["A"].body(user("x"), model="glm-4.6-openai")
        body["top_k"] = 4
        r = self.proxy.post("/v1/messages/count_tokens", body)
        self.assertEqual(r.status, 200, r)
        self.assertGreater(r.json()["input_tokens"], 0)

    def test_reload(self):
        proxy = self.own_proxy({"strict": "true"})
        body = body_of("O", "A", {"seed": 1})
        self.assertEqual(ask(proxy.address, "O", body).status, 400)
        proxy.config["strict"] = "false"
        proxy.write_config()
        proxy.process.popen.send_signal(signal.SIGHUP)
        wait_until(lambda: ask(proxy.address, "O", body).status == 200,
                   "the lenient worker")
