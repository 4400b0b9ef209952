# SPDX-License-Identifier: MIT
"""The interface of the admin port: what it answers is what openapi.json says,
and bad questions are refused with a reason."""

import json
import unittest
import urllib.parse

from tests.e2e import wire
from tests.e2e.harness import Case, wait_until

HOSTILE = ['</script><script>alert(1)</script>', 'a"b\\c\'d', 'x\u2028y',
           '\u202egnp.exe', 'null', '🦊' * 20]
# Answers have no more and no fewer keys than the document requires of them.
TYPES = {"integer": int, "number": (int, float), "string": str,
         "boolean": bool, "array": list, "object": dict,
         "null": type(None)}


class Document:
    """openapi.json, and whether a value is as a schema of it says."""

    def __init__(self, address):
        r = wire.fetch(address, "GET", "/openapi.json")
        self.doc = r.json()

    def resolve(self, schema):
        while "$ref" in schema:
            at = self.doc
            for key in schema["$ref"].removeprefix("#/").split("/"):
                at = at[key]
            schema = at
        if "allOf" in schema:
            whole = {"type": "object", "required": [], "properties": {}}
            for part in schema["allOf"]:
                part = self.resolve(part)
                whole["required"] += part["required"]
                whole["properties"].update(part["properties"])
            return whole
        return schema

    def faults(self, value, schema, at="$"):
        """What is wrong, as lines."""
        schema = self.resolve(schema)
        types = schema["type"]
        types = types if isinstance(types, list) else [types]
        fits = any(isinstance(value, TYPES[t]) and
                   (t == "boolean") == isinstance(value, bool)
                   for t in types)
        if not fits:
            return ["%s: %r is no %s" % (at, value, "/".join(types))]
        if "enum" in schema and value not in schema["enum"]:
            return ["%s: %r is not in the list" % (at, value)]
        found = []
        if isinstance(value, dict) and "properties" in schema:
            wanted = list(schema["properties"])
            if sorted(wanted) != sorted(schema["required"]):
                found.append("%s: required is not all" % at)
            if list(value) != wanted:
                found.append("%s: keys %s, not %s" % (at, list(value),
                                                      wanted))
            for key in set(wanted) & set(value):
                found += self.faults(value[key], schema["properties"][key],
                                     at + "." + key)
        if isinstance(value, list):
            for i, v in enumerate(value):
                found += self.faults(v, schema["items"], "%s[%d]" % (at, i))
        return found

    def answer(self, path, status="200"):
        """The content of an answer: schema and example."""
        r = self.doc["paths"][path]["get"]["responses"][status]
        return self.resolve_answer(r)["content"]["application/json"]

    def resolve_answer(self, r):
        return self.doc["components"]["responses"][
            r["$ref"].rpartition("/")[2]] if "$ref" in r else r


class ApiCase(Case):
    def ask(self, path, proxy=None, **fields):
        query = urllib.parse.urlencode(fields)
        return wire.fetch((proxy or self.proxy).admin, "GET",
                          path + ("?" + query if query else ""))

    def in_time(self, path, proxy=None, **fields):
        """An answer: on a busy machine a question may outlast its limit, which
        is said, and is asked again."""
        def look():
            r = self.ask(path, proxy, **fields)
            return None if (r.status == 503 and
                            b"narrow the range" in r.body) else r
        return wait_until(look, "an answer of %s in time" % path)

    def good(self, path, proxy=None, **fields):
        r = self.in_time(path, proxy, **fields)
        self.assertEqual(r.status, 200, r.body)
        return r.json()

    def chat(self, model="glm-4.6", text="[[text text=x in=10 out=2]]",
             proxy=None):
        return (proxy or self.proxy).post("/v1/messages", {
            "model": model, "max_tokens": 9,
            "messages": [{"role": "user", "content": text}]})

    def wait_rows(self, n, proxy=None):
        def look():
            r = self.ask("/api/requests", proxy, limit=500)
            # In the first moment there is no database.
            self.assertIn(r.status, (200, 503), r.body)
            return r.status == 200 and len(r.json()["requests"]) >= n
        wait_until(look, "%d rows" % n)


class Interface(ApiCase):
    config = {"workers": "2", "model_map_json": '{"an-alias":"glm-4.6"}'}
    refusals = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.document = Document(cls.proxy.admin)

    def setUp(self):
        super().setUp()
        self.wait_rows(0)

    def check(self, path, value, status="200"):
        self.assertEqual(self.document.faults(
            value, self.document.answer(path, status)["schema"]), [], path)

    def test_examples_are_what_the_schemas_say(self):
        n = 0
        for path, methods in self.document.doc["paths"].items():
            for method in methods.values():
                for r in method["responses"].values():
                    r = self.document.resolve_answer(r)
                    for kind, c in r.get("content", {}).items():
                        if "example" in c and kind == "application/json":
                            n += 1
                            self.assertEqual(self.document.faults(
                                c["example"], c["schema"]), [], path)
        self.assertGreater(n, 20)

    def test_answers_are_what_the_document_says(self):
        self.assertEqual(self.chat("an-alias").status, 200)
        self.assertEqual(self.chat(text="[[error429]]").status, 429)
        self.wait_rows(2)
        for path in ("/api/overview", "/api/live", "/api/workers",
                     "/api/config", "/api/usage", "/api/calibration",
                     "/api/quota", "/api/requests"):
            r = self.in_time(path)
            self.assertEqual(r.status, 200, path)
            self.assertEqual(r.get("content-type"), "application/json")
            self.assertEqual(r.get("cache-control"), "no-store")
            self.assertEqual(r.get("x-content-type-options"), "nosniff")
            self.check(path, r.json())
        for path in ("/api/series", "/api/totals"):
            for by in ("none", "model", "client", "status", "error",
                       "dialect", "upstream"):
                self.check(path, self.good(path, group=by))
        row = self.good("/api/requests")["requests"][0]
        self.check("/api/requests/{id}",
                   self.good("/api/requests/%d" % row["id"]))

    def test_every_error_has_the_same_form(self):
        for path, status in (("/api/nothing", 404), ("/api/requests/", 404),
                             ("/api/requests/999999999", 404),
                             ("/api/requests/0", 400),
                             ("/api/live?x=1", 400)):
            r = self.ask(path)
            self.assertEqual(r.status, status, path)
            self.assertEqual(list(r.json()), ["error"])
            self.assertEqual(r.get("content-type"), "application/json")

    def test_only_get_and_head(self):
        for path in self.document.doc["paths"]:
            if "get" not in self.document.doc["paths"][path]:
                continue
            path = path.replace("{id}", "1")
            for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
                r = wire.fetch(self.proxy.admin, method, path, (
                    ("Content-Type", "application/json"),), b"{}")
                self.assertEqual(r.status, 405, (method, path))
                self.assertEqual(r.get("allow"), "GET, HEAD")

    def test_head(self):
        for path in ("/api/overview", "/api/requests", "/api/series",
                     "/api/events"):
            with wire.Conn(self.proxy.admin) as c:
                c.send(b"HEAD %s HTTP/1.1\r\nHost: localhost\r\n"
                       b"Connection: close\r\n\r\n" % path.encode())
                got = b""
                while True:
                    more = c.sock.recv(65536)
                    if not more:
                        break
                    got += more
                head, _, body = got.partition(b"\r\n\r\n")
                self.assertTrue(head.startswith(b"HTTP/1.1 200 "), got)
                self.assertEqual(body, b"", path)

    def test_bad_questions(self):
        """A path with a query, and what its refusal must say."""
        for path, why in (
                ("/api/requests?limit=0", "limit takes a number from 1 to"),
                ("/api/requests?limit=501", "limit takes"),
                ("/api/requests?limit=ten", "limit takes"),
                ("/api/requests?limit=1&limit=2", "limit is given twice"),
                ("/api/requests?", None),
                ("/api/requests?limit", "name=value"),
                ("/api/requests?a=%zz", "two hexadecimal digits"),
                ("/api/requests?client=%ff", "UTF-8"),
                ("/api/requests?client=a%00", "control characters"),
                ("/api/requests?colour=red", "there is no parameter colour"),
                ("/api/requests?group=model", "there is no parameter group"),
                ("/api/requests?from=20&to=10", "before to"),
                ("/api/requests?from=now", "from takes"),
                ("/api/requests?cursor=1", "cursor takes"),
                ("/api/requests?status=4", "status takes"),
                ("/api/requests?kind=tea", "kind is one of"),
                ("/api/requests?client=" + "x" * 65, "at most 64 bytes"),
                ("/api/requests?model=" + "x" * 5000, "longer than"),
                ("/api/series?step=week", "step is one of"),
                ("/api/series?step=minute&from=-172800", "larger step"),
                ("/api/series?group=hour", "group is one of"),
                ("/api/series?limit=21", "limit takes"),
                ("/api/totals?step=hour", "there is no parameter step"),
                ("/api/totals?limit=0", "limit takes"),
                ("/api/overview?verbose=1", "takes no parameters"),
                ("/api/events?x", "takes no parameters"),
                ("/api/requests/1?x=1", "takes no parameters"),
                ("/api/requests/x", "a number"),
                ("/api/requests/-1", "a number"),
                ("/api/requests/9223372036854775808", "a number"),
                ("/api/requests/1/2", "a number")):
            r = self.ask(path)
            if why is None:
                self.assertEqual(self.in_time(path).status, 200, path)
                continue
            self.assertEqual(r.status, 400, path)
            self.assertIn(why, r.json()["error"], path)

    def test_hostile_names_are_text(self):
        for name in HOSTILE:
            self.chat(name)

        def all_asked():
            # Other tests have left rows, too: their number tells nothing.
            rows = self.good("/api/requests", limit="500")["requests"]
            return set(HOSTILE) <= {r["asked"] for r in rows}
        wait_until(all_asked, "a row of each name")
        names = {g["name"] for g in self.good(
            "/api/totals", group="model")["groups"]}
        for name in HOSTILE:
            rows = self.good("/api/requests", model=name)["requests"]
            self.assertTrue(all(r["model"] == name for r in rows))
            if rows:
                self.assertIn(name, names)

    def test_overview_counts(self):
        before = self.good("/api/overview")
        for _ in range(3):
            self.assertEqual(self.chat(
                text="[[text text=x in=100 out=20 cached=50]]").status, 200)
        now = wait_until(
            lambda: [o for o in [self.good("/api/overview")]
                     if o["totals"]["output_tokens"] ==
                     before["totals"]["output_tokens"] + 60
                     and o["rates"]["last_60s"]["requests_per_s"] > 0
                     and o["first_byte_ms"]["count"] >= 3],
            "the tokens of three chats, seen by a sample")[0]
        self.assertEqual(now["totals"]["requests"],
                         before["totals"]["requests"] + 3)
        self.assertEqual(now["totals"]["input_tokens"],
                         before["totals"]["input_tokens"] + 300)
        self.assertGreater(now["rates"]["last_60s"]["requests_per_s"], 0)
        self.assertGreaterEqual(now["first_byte_ms"]["count"], 3)
        self.assertGreater(now["first_byte_ms"]["p99"], 0)
        self.assertEqual(now["status"], "ok")
        self.assertTrue(now["history"]["written"])

    def test_workers_are_the_processes(self):
        rows = self.good("/api/workers")["workers"]
        pids = {r["pid"] for r in rows if r["role"] == "worker"}
        self.assertEqual(pids, set(self.proxy.children("worker")))
        self.assertEqual(len([r for r in rows if r["role"] == "admin"]), 1)
        for r in rows:
            self.assertEqual(r["state"], "ready")
            self.assertGreater(r["memory_bytes"], 1 << 20)

    def test_live_shows_a_stream(self):
        body = json.dumps({
            "model": "an-alias", "max_tokens": 9, "stream": True,
            "messages": [{"role": "user", "content": "[[silent at=1]]"}]})
        with self.proxy.connect() as c:
            c.request("POST", "/v1/messages", [
                ("x-api-key", "k"), ("Content-Type", "application/json")],
                body.encode())
            row = wait_until(lambda: self.good("/api/live")["rows"],
                             "a request under way")[0]
            self.assertEqual(row["model"], "glm-4.6")
            self.assertTrue(row["streaming"])
        wait_until(lambda: not self.good("/api/live")["rows"], "its end")

    def test_secrets_are_masked(self):
        proxy = self.own_proxy({}, env={"GLMPROXY_SERVER_API_KEY":
                                        "secret-key-of-a-server"})
        r = self.ask("/api/config", proxy)
        self.assertNotIn(b"secret-key-of-a-server", r.body)
        rows = {s["key"]: s for s in r.json()["settings"]}
        self.assertEqual(rows["server_api_key"]["value"], "********")
        self.assertTrue(rows["server_api_key"]["secret"])
        self.assertEqual(rows["state_dir"]["origin"], "file")
        self.assertEqual(rows["workers"]["value"], "1")


if __name__ == "__main__":
    unittest.main()
