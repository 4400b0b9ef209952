# SPDX-License-Identifier: MIT
"""Which upstream and which model a request goes to."""

import re
import unittest

from tests.e2e.chat import DIALECTS, ask, image, user
from tests.e2e.harness import Case


class Routing(Case):
    config = {"model_map_json": '{"fast":"glm-4.5-air","my vision":"glm-4.5v",'
              '"claude-x":"glm-4.7-openai"}'}

    def route(self, model, client="O", proxy=None, images=False, stand=None):
        stand = stand or self.standin
        since = stand.count()
        content = [("text", "x")] + ([image()] if images else [])
        body = DIALECTS[client].body([("user", content)], model=model)
        if model is None:
            del body["model"]
        a = ask((proxy or self.proxy).address, client, body)
        self.assertEqual(a.status, 200, a.response)
        r = stand.requests(since)[0]
        return r.side() + ":" + r.body_json()["model"]

    def test_names(self):
        rows = (
            ("glm-4.6", "A:glm-4.6"), ("GLM-4.6", "A:glm-4.6"),
            ("glm-4.6[1m]", "A:glm-4.6"), (None, "A:glm-4.6"),
            ("glm-4.6-openai", "O:glm-4.6"),
            ("glm-4.6-anthropic", "A:glm-4.6"),
            ("GLM-4.7-OpenAI[1m]", "O:glm-4.7"),
            ("glm-4.7[1m]-openai", "O:glm-4.7"),
            ("glm-4.6v", "O:glm-4.6v"), ("glm-4.5v", "O:glm-4.5v"),
            ("glm-4.6v-anthropic", "O:glm-4.6v"),
            ("fast", "A:glm-4.5-air"), ("FAST-openai", "O:glm-4.5-air"),
            ("my vision", "O:glm-4.5v"), ("claude-x", "O:glm-4.7"),
        )
        for client in "OA":
            for model, expected in rows:
                with self.subTest(client=client, model=model):
                    self.assertEqual(self.route(model, client), expected)

    def test_images(self):
        for client in "OA":
            for model, expected in (
                    ("glm-4.6", "O:glm-4.6v"), ("glm-4.5v", "O:glm-4.5v"),
                    ("glm-4.6-anthropic", "O:glm-4.6v"),
                    (None, "O:glm-4.6v")):
                with self.subTest(client=client, model=model):
                    self.assertEqual(
                        self.route(model, client, images=True), expected)

    def test_unknown_names_are_substituted(self):
        """On the OpenAI upstream; the other maps some names itself."""
        self.allow_refusals()
        body = DIALECTS["O"].body(user("x"), model="gpt-9-openai")
        a = ask(self.proxy.address, "O", body)
        self.assertEqual(a.status, 200)
        self.assertEqual(a.model, "gpt-9-openai")
        self.assertEqual(self.sent().body_json()["model"], "glm-4.6")
        self.assertIn("substituted:model", a.get("x-glmproxy-notice"))
        body = DIALECTS["A"].body(user("x"), model="claude-sonnet-9")
        ask(self.proxy.address, "A", body)
        self.assertEqual(self.sent().side(), "A")
        self.assertEqual(self.sent().body_json()["model"], "claude-sonnet-9")

    def test_preferences(self):
        for preference, o, a in (("auto", "A", "A"), ("anthropic", "A", "A"),
                                 ("openai", "O", "O"), ("client", "O", "A")):
            proxy = self.own_proxy({"text_endpoint_preference": preference})
            with self.subTest(preference=preference):
                self.assertEqual(self.route("glm-4.6", "O", proxy),
                                 o + ":glm-4.6")
                self.assertEqual(self.route("glm-4.6", "A", proxy),
                                 a + ":glm-4.6")
                # A suffix is the user's word.
                self.assertEqual(
                    self.route("glm-4.6-anthropic", "O", proxy), "A:glm-4.6")
                self.assertEqual(
                    self.route("glm-4.6-openai", "A", proxy), "O:glm-4.6")

    def test_configured_models(self):
        proxy = self.own_proxy({"autotext_model": "glm-4.7",
                                "autovision_model": "glm-5v-turbo",
                                "model.glm-4.7.max_output": "1000"})
        self.assertEqual(self.route(None, "O", proxy), "A:glm-4.7")
        self.assertEqual(self.route("glm-4.6", "A", proxy, images=True),
                         "O:glm-5v-turbo")
        self.route("glm-4.7", "O", proxy)
        self.assertEqual(self.sent().body_json()["max_tokens"], 1000)

    def test_thinking_switch(self):
        for value, expected in (("true", True), ("false", False)):
            proxy = self.own_proxy({"enable_zai_thinking": value})
            with self.subTest(value=value):
                body = DIALECTS["O"].body(user("[[text]]"))
                a = ask(proxy.address, "O", body)
                self.assertEqual(bool(a.reasoning), expected)

    def test_paths_without_version(self):
        for client, path in (("O", "/chat/completions"), ("A", "/messages")):
            a = ask(self.proxy.address, client,
                    DIALECTS[client].body(user("x")), path=path)
            self.assertEqual(a.text, "You said: x")

    def test_request_ids_differ(self):
        seen = set()
        for _ in range(20):
            a = ask(self.proxy.address, "O", DIALECTS["O"].body(user("x")))
            self.assertTrue(re.match("req_", a.get("x-request-id")))
            seen.add(a.get("x-request-id"))
        self.assertEqual(len(seen), 20)


if __name__ == "__main__":
    unittest.main()
