# SPDX-License-Identifier: MIT
"""What the proxy answers by itself, and counts of tokens."""

import json
import unittest

from tests.e2e.chat import DIALECTS, Tool, ask, image, user
from tests.e2e.harness import Case, wait_until


class Models(Case):
    config = {"model_map_json": '{"claude-fast":"glm-4.5-air"}'}

    def listed(self, query="", fields=()):
        r = self.proxy.get("/v1/models" + query, fields)
        self.assertEqual(r.status, 200)
        self.assertEqual(r.get("content-type"), "application/json")
        return r.json()

    def test_list(self):
        b = self.listed()
        self.assertEqual(b["object"], "list")
        self.assertIs(b["has_more"], False)
        ids = [m["id"] for m in b["data"]]
        self.assertEqual(ids, ["glm-4.6", "glm-4.6-openai",
                               "glm-4.6-anthropic", "glm-4.6v",
                               "claude-fast"])
        self.assertEqual((b["first_id"], b["last_id"]), (ids[0], ids[-1]))
        for m in b["data"]:
            self.assertEqual((m["object"], m["type"]), ("model", "model"))
            self.assertIsInstance(m["created"], int)
            self.assertRegex(m["created_at"], r"^\d{4}-\d\d-\d\dT\S+Z$")
            self.assertTrue(m["display_name"] and m["owned_by"])
            self.assertGreater(m["max_input_tokens"], 1000)
            self.assertGreater(m["max_tokens"], 1000)

    def test_every_listed_model_answers(self):
        for m in self.listed()["data"]:
            for client in "OA":
                with self.subTest(model=m["id"], client=client):
                    a = ask(self.proxy.address, client,
                            DIALECTS[client].body(user("x"), model=m["id"]))
                    self.assertEqual((a.status, a.model), (200, m["id"]))

    def test_pages(self):
        self.assertEqual([m["id"] for m in self.listed(
            "?limit=2")["data"]], ["glm-4.6", "glm-4.6-openai"])
        self.assertIs(self.listed("?limit=2")["has_more"], True)
        b = self.listed("?limit=2&after_id=glm-4.6-openai")
        self.assertEqual([m["id"] for m in b["data"]],
                         ["glm-4.6-anthropic", "glm-4.6v"])
        b = self.listed("?before_id=glm-4.6-anthropic")
        self.assertEqual(b["last_id"], "glm-4.6-openai")
        self.listed("?limit=0&after_id=none&x=%zz&&=")

    def test_one(self):
        one = self.proxy.get("/v1/models/glm-4.6v").json()
        self.assertIn(one, self.listed()["data"])

    def test_none(self):
        r = self.proxy.get("/v1/models/no-such")
        self.assertEqual(r.status, 404)
        e = DIALECTS["O"].read_body(r).error
        self.assertEqual(e["code"], "model_not_found")
        r = self.proxy.get("/v1/models/no-such", [("x-api-key", "k")])
        self.assertEqual(DIALECTS["A"].read_body(r).error["type"],
                         "not_found_error")
        r = self.proxy.get("/v1/models/" + "x" * 3000)
        self.assertEqual(r.status, 404)

    def test_configured_list(self):
        proxy = self.own_proxy({"openai_models_list_json":
                                '["glm-4.7",{"id":"glm-4.5v"}]'})
        ids = [m["id"] for m in proxy.get("/v1/models").json()["data"]]
        self.assertEqual(ids, ["glm-4.7", "glm-4.5v"])
        self.assertEqual(proxy.get("/v1/models/glm-4.6").status, 404)

    def test_head(self):
        get = self.proxy.get("/v1/models")
        r = self.proxy.get("/v1/models", method="HEAD")
        self.assertEqual((r.status, r.body), (200, b""))
        self.assertEqual(int(r.get("content-length")), len(get.body))


class Pages(Case):

    def test_probes(self):
        for method, path in (("HEAD", "/"), ("GET", "/"),
                             ("HEAD", "/api/hello"), ("GET", "/api/hello")):
            with self.subTest(method=method, path=path):
                r = self.proxy.get(path, method=method)
                self.assertEqual((r.status, r.body), (200, b""))

    def test_health(self):
        r = self.proxy.get("/health")
        self.assertEqual(r.status, 200)
        b = r.json()
        self.assertIs(b["ok"], True)
        self.assertEqual(b["status"], "ok")
        self.assertGreaterEqual(b["uptime_s"], 0)
        self.assertTrue(b["version"])
        self.assertGreaterEqual(b["active_connections"], 1)
        self.assertEqual(self.proxy.get("/health?x=1").status, 200)

    def test_openapi(self):
        r = self.proxy.get("/openapi.json")
        self.assertEqual(r.get("content-type"), "application/json")
        b = r.json()
        self.assertTrue(b["openapi"].startswith("3."))
        for path in ("/v1/chat/completions", "/v1/messages",
                     "/v1/messages/count_tokens", "/v1/models", "/health"):
            self.assertIn(path, b["paths"])

    def test_docs(self):
        r = self.proxy.get("/docs")
        self.assertTrue(r.get("content-type").startswith("text/html"))
        self.assertIn("default-src 'none'",
                      r.get("content-security-policy"))
        self.assertEqual(r.get("x-content-type-options"), "nosniff")
        self.assertIn(b"/v1/messages", r.body)

    def test_responses_api(self):
        r = self.proxy.post("/v1/responses", {"input": "x"})
        self.assertEqual(r.status, 404)
        self.assertIn("Chat Completions", r.json()["error"]["message"])

    def test_keep_alive(self):
        """All of them on one connection, pipelined."""
        with self.proxy.connect() as c:
            for _ in range(3):
                for path in ("/", "/health", "/v1/models",
                             "/v1/models/none"):
                    c.request("GET", path)
            for _ in range(3):
                statuses = [c.response().status for _ in range(4)]
                self.assertEqual(statuses, [200, 200, 200, 404])
            c.request("GET", "/nothing")
            self.assertEqual(c.response().get("connection"), "close")
            self.assertEqual(c.ends(), b"")

    def test_pipelined_chats(self):
        body = json.dumps(DIALECTS["O"].body(user("x"))).encode()
        with self.proxy.connect() as c:
            one = (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                   b"Authorization: Bearer k\r\nContent-Length: %d\r\n"
                   b"Content-Type: application/json\r\n\r\n%s"
                   % (len(body), body))
            c.send(one * 5)
            for _ in range(5):
                self.assertEqual(c.response().status, 200)

    def test_http10(self):
        with self.proxy.connect() as c:
            c.send(b"GET /health HTTP/1.0\r\n\r\n")
            r = c.response()
            self.assertEqual(r.status, 200)
            self.assertEqual(c.ends(), b"")
        with self.proxy.connect() as c:
            c.send(b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            self.assertEqual(c.response().get("connection"), "keep-alive")
            c.request("GET", "/health", [("Connection", "close")])
            self.assertEqual(c.response().get("connection"), "close")
            self.assertEqual(c.ends(), b"")

    def test_stream_to_http10(self):
        body = json.dumps(DIALECTS["O"].body(user("x"), stream=True)).encode()
        with self.proxy.connect() as c:
            c.send(b"POST /v1/chat/completions HTTP/1.0\r\n"
                   b"Authorization: Bearer k\r\nContent-Length: %d\r\n\r\n%s"
                   % (len(body), body))
            head = c.read_head()
            self.assertIsNone(head.get("transfer-encoding"))
            self.assertTrue(b"".join(c.pieces(head)).endswith(
                b"data: [DONE]\n\n"))

    # row_016
    def test_expect_continue(self):
        body = json.dumps(DIALECTS["O"].body(user("x"))).encode()
        with self.proxy.connect() as c:
            c.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                   b"Authorization: Bearer k\r\nContent-Length: %d\r\n"
                   b"Expect: 100-continue\r\n\r\n" % len(body))
            self.assertEqual(c.read_head().status, 100)
            c.send(body)
            self.assertEqual(c.response().status, 200)

    def test_expectation_of_a_refused_request(self):
        with self.proxy.connect() as c:
            c.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                   b"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n")
            r = c.response()
            self.assertEqual((r.status, r.interim), (401, []))


class Cors(Case):
    config = {"cors_origins": "https://app.example, http://localhost:3000"}

    def test_preflight(self):
        r = self.proxy.get("/v1/chat/completions", [
            ("Origin", "https://app.example"),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization,x-y")],
            "OPTIONS")
        self.assertEqual((r.status, r.body), (204, b""))
        self.assertEqual(r.get("access-control-allow-origin"),
                         "https://app.example")
        self.assertIn("POST", r.get("access-control-allow-methods"))
        self.assertIn("authorization", r.get("access-control-allow-headers"))

    def test_answers(self):
        for origin, allowed in (("https://app.example", True),
                                ("http://localhost:3000", True),
                                ("https://evil.example", False)):
            r = self.proxy.post(
                "/v1/chat/completions", DIALECTS["O"].body(user("x")),
                [("Origin", origin)])
            self.assertEqual(r.get("access-control-allow-origin"),
                             origin if allowed else None)
            if allowed:
                self.assertEqual(r.get("vary"), "origin")

    def test_errors_carry_it_too(self):
        r = self.proxy.post("/v1/messages", b"{", [
            ("Origin", "https://app.example")])
        self.assertEqual(r.status, 400)
        self.assertEqual(r.get("access-control-allow-origin"),
                         "https://app.example")

    def test_off(self):
        proxy = self.own_proxy()
        r = proxy.get("/v1/chat/completions",
                      [("Origin", "https://app.example")], "OPTIONS")
        self.assertIn(r.status, (404, 405))
        self.assertIsNone(r.get("access-control-allow-origin"))


class CountTokens(Case):

    def count(self, body, proxy=None, fields=()):
        r = (proxy or self.proxy).post("/v1/messages/count_tokens", body,
                                       fields)
        self.assertEqual(r.status, 200, r)
        return r.json()

    def body(self, text="hello", **more):
        b = {"model": "glm-4.6",
             "messages": [{"role": "user", "content": text}]}
        b.update(more)
        return b

    def test_forwarded(self):
        # The stand-in takes four bytes for a token, "user" for one.
        b = self.count(self.body("x" * 3996))
        self.assertEqual(b["input_tokens"], 1000)
        r = self.sent()
        self.assertEqual(r["path"], "/api/anthropic/v1/messages/count_tokens")
        self.assertNotIn("max_tokens", r.body_json())
        # The older names beside it.
        self.assertEqual(b["token_count"], 1000)
        self.assertEqual(b["input_token_count"], 1000)

    def test_query(self):
        r = self.proxy.post("/v1/messages/count_tokens?beta=true",
                            self.body())
        self.assertEqual(r.status, 200)

    def test_shape_without_compatibility(self):
        proxy = self.own_proxy({"count_shape_compat": "false"})
        self.assertEqual(set(self.count(self.body(), proxy)),
                         {"input_tokens"})

    def test_with_tools_and_system(self):
        tool = {"name": "look", "input_schema": {"type": "object"}}
        few = self.count(self.body())["input_tokens"]
        more = self.count(self.body(
            tools=[tool], system="Be brief. " * 50))["input_tokens"]
        self.assertGreater(more, few + 100)

    def test_role_system(self):
        b = self.body()
        b["messages"].append({"role": "system", "content": "mind"})
        self.assertGreater(self.count(b)["input_tokens"], 0)

    def test_images(self):
        pic = image()
        b = self.body([{"type": "text", "text": "x"},
                       {"type": "image", "source": {
                           "type": "base64", "media_type": pic[1],
                           "data": pic[2]}}])
        self.assertGreater(self.count(b)["input_tokens"], 0)

    def test_fallback(self):
        """Upstream's failure is answered by our own estimate."""
        self.expect_log(r"upstream: ")
        for scenario in ("error status=500 code=1230", "error shape=F6",
                         "html502", "close_early", "garbage"):
            with self.subTest(scenario=scenario):
                self.standin.play_next(scenario)
                n = self.count(self.body("word " * 400))["input_tokens"]
                self.assertTrue(300 < n < 900, n)
        self.standin.reset()

    def test_failed_key_is_told(self):
        self.allow_refusals()
        r = self.proxy.post("/v1/messages/count_tokens", self.body(),
                            key="bad.key")
        self.assertEqual(r.status, 401)
        self.assertEqual(DIALECTS["A"].read_body(r).error["type"],
                         "authentication_error")

    def test_counted_here(self):
        proxy = self.own_proxy({"forward_count_to_upstream": "false"})
        n = self.count(self.body("word " * 400), proxy)["input_tokens"]
        self.assertTrue(300 < n < 900, n)
        tiny = self.count(self.body("x"), proxy)["input_tokens"]
        self.assertGreaterEqual(tiny, 1)
        self.assertEqual(self.standin.count(), self.since)

    def test_refused(self):
        for body in (b"{", {}, {"model": "glm-4.6"},
                     {"model": "glm-4.6", "messages": []}):
            r = self.proxy.post("/v1/messages/count_tokens", body)
            self.assertEqual(r.status, 400, body)
            DIALECTS["A"].read_body(r)

    def test_many_at_once(self):
        """As one client's overview does: 20 on one connection."""
        body = json.dumps(self.body("x" * 396)).encode()
        with self.proxy.connect() as c:
            for _ in range(20):
                c.request("POST", "/v1/messages/count_tokens?beta=true",
                          [("x-api-key", "k"),
                           ("Content-Type", "application/json")], body)
            for _ in range(20):
                self.assertEqual(c.response().json()["input_tokens"], 100)


class Admin(Case):

    def counted(self):
        """The figures when all that was asked is counted."""
        wait_until(lambda: self.proxy.metrics()[
            "glmproxy_client_connections"] == 0, "all clients to have left")
        return self.proxy.metrics()

    def test_metrics(self):
        before = self.counted()
        a = ask(self.proxy.address, "O", DIALECTS["O"].body(
            user("[[say text=x in=100 cached=40 out=7]]"), stream=True))
        self.assertTrue(a.ended)
        after = self.counted()
        self.assertLessEqual(set(before), set(after))

        def grown(name):
            return after[name] - before[name]

        self.assertEqual(grown('glmproxy_requests_total{route="chat"}'), 1)
        self.assertEqual(grown('glmproxy_responses_total{class="2xx"}'), 1)
        self.assertEqual(grown("glmproxy_streams_total"), 1)
        self.assertEqual(grown('glmproxy_tokens_total{direction="in"}'), 100)
        self.assertEqual(grown('glmproxy_tokens_total{direction="out"}'), 7)
        self.assertEqual(grown('glmproxy_tokens_total{direction="cached"}'),
                         40)
        self.assertEqual(after["glmproxy_streams"], 0)

    def test_tool_with_schema_keywords(self):
        """Unknown schema words reach upstream as they are."""
        schema = {"type": "object", "$schema": "x", "properties": {},
                  "additionalProperties": False, "x-own": [1.0]}
        a = ask(self.proxy.address, "O", DIALECTS["O"].body(
            user("x"), tools=[Tool("t", schema)]))
        self.assertEqual(a.status, 200)
        sent = self.sent().body_json()["tools"][0]["input_schema"]
        self.assertEqual(sent, schema)


if __name__ == "__main__":
    unittest.main()
