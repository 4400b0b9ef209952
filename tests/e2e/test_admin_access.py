# SPDX-License-Identifier: MIT
"""Who may see the admin port: token, sessions, back-off, other sites."""

import json
import os
import re
import signal
import time
import unittest

from tests.e2e import harness, wire
from tests.e2e.harness import wait_until
from tests.e2e.test_admin import AdminCase
from tests.e2e.test_process import NOWHERE, ProcessCase

TOKEN = "token-of-the-admin"
JSON = ("Content-Type", "application/json")
PAGE = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
COOKIE = re.compile(
    r"^glmproxy-session=([0-9a-f]{64}); Path=/; HttpOnly; SameSite=Strict; "
    r"Max-Age=86400(; Secure)?$")
WAITS = r"wrong admin tokens come from 127\.0\.0\.1:\d+: it waits"


def wait_another_admin(case, old):
    """The new one is not waited for by the line that tells of readiness, and
    has no title at first."""
    def look():
        now = case.admin()
        return len(now) == 1 and now != old
    wait_until(look, "one new admin process")


class Port(AdminCase):
    """With what the tests of access need."""

    def bearer(self, token=TOKEN, scheme="Bearer"):
        return ("Authorization", "%s %s" % (scheme, token))

    def post(self, path, *fields, body=b"{}"):
        return wire.fetch(self.proxy.admin, "POST", path, list(fields), body)

    def login(self, token=TOKEN, *fields, body=None):
        if body is None:
            body = json.dumps({"token": token}).encode()
        return self.post("/api/login", JSON, *fields, body=body)

    def session(self, *fields):
        """A cookie."""
        r = self.login(TOKEN, *fields)
        self.assertEqual(r.status, 200, r)
        match = COOKIE.match(r.get("set-cookie"))
        self.assertIsNotNone(match, r.get("set-cookie"))
        return ("Cookie", "glmproxy-session=" + match.group(1))


class Token(Port):
    token = TOKEN

    def test_the_token_opens(self):
        for field in (self.bearer(), self.bearer(scheme="bearer"),
                      self.bearer(scheme="BEARER"),
                      ("Authorization", "Bearer   " + TOKEN)):
            for path, status in (("/health", 200), ("/metrics", 200),
                                 ("/", 200), ("/openapi.json", 200),
                                 ("/api/usage", 200), ("/nothing", 404)):
                self.assertEqual(self.get(path, field).status, status, path)

    def test_strangers_see_nothing(self):
        for fields in ((), (("Authorization", "Basic " + TOKEN),),
                       (("Authorization", TOKEN),),
                       (("Cookie", "glmproxy-session=" + "0" * 64),),
                       (("Cookie", "glmproxy-session=" + TOKEN),),
                       (("Cookie", "token=" + TOKEN),)):
            for path in ("/", "/metrics", "/openapi.json", "/api/usage",
                         "/api/session", "/nothing"):
                r = self.get(path, *fields)
                self.assertEqual(r.status, 401, (path, fields))
                self.assertIn("Bearer", r.get("www-authenticate"))
                self.assertEqual(list(r.json()), ["error"])

    def test_strangers_get_a_short_verdict(self):
        r = self.get("/health")
        self.assertEqual((r.status, r.json()), (200, {"status": "ok"}))
        r = self.get("/health", method="HEAD")
        self.assertEqual((r.status, r.body), (200, b""))

    def test_browsers_get_a_form(self):
        r = self.get("/", PAGE)
        self.assertEqual(r.status, 401)
        self.assertTrue(r.get("content-type").startswith("text/html"))
        self.assertIn(b'type="password"', r.body)
        self.assertEqual(r.get("cache-control"), "no-store")
        policy = r.get("content-security-policy")
        self.assertNotIn("unsafe", policy)
        self.assertIn("default-src 'none'", policy)
        # Nothing inline, and what it is made of needs no token.
        self.assertNotRegex(r.body, rb"<style|<script>| on\w+=|style=")
        found = re.findall(rb'(?:src|href)="(/page/[^"]+)"', r.body)
        self.assertGreaterEqual(len(found), 4)
        for path in found:
            self.assertEqual(self.get(path.decode()).status, 200, path)
        same = self.get("/login")
        self.assertEqual((same.status, same.body), (200, r.body))

    def test_a_session(self):
        cookie = self.session()
        for path in ("/", "/health", "/metrics", "/api/usage"):
            self.assertEqual(self.get(path, cookie).status, 200, path)
        self.assertEqual(self.get("/health", cookie).json()["workers"]
                         ["expected"], 1)
        self.assertEqual(self.get("/nothing", cookie).status, 404)
        self.assertEqual(self.get("/api/session", cookie).json(),
                         {"needs_token": True, "is_session": True})
        self.assertEqual(self.get("/api/session", self.bearer()).json(),
                         {"needs_token": True, "is_session": False})
        # Among other cookies, too.
        among = ("Cookie", "a=b; %s;c=d" % cookie[1])
        self.assertEqual(self.get("/metrics", among).status, 200)
        wrong = ("Cookie", cookie[1][:-1] + ("0" if cookie[1][-1] != "0"
                                             else "1"))
        self.assertEqual(self.get("/metrics", wrong).status, 401)
        self.assertNotEqual(self.session(), cookie)

    def test_several_cookies_of_the_name(self):
        """A neighbour on another port has one, too, and it comes first."""
        cookie = self.session()
        junk = ("glmproxy-session=junk; ",
                "glmproxy-session=%s; " % ("0" * 64))
        among = ("Cookie", "".join(junk) + cookie[1])
        self.assertEqual(self.get("/metrics", among).status, 200)
        r = self.get("/metrics", ("Cookie", junk[1]), cookie)
        self.assertEqual(r.status, 200)
        # Which is looked for among some of them only.
        many = ("Cookie", junk[1] * 60 + cookie[1])
        self.assertEqual(self.get("/metrics", many).status, 401)
        self.post("/logout", among, body=b"")
        self.assertEqual(self.get("/metrics", cookie).status, 401)

    def test_logout(self):
        cookie, other = self.session(), self.session()
        r = self.post("/logout", cookie, body=b"")
        self.assertEqual((r.status, r.get("location")), (303, "/login"))
        self.assertIn("Max-Age=0", r.get("set-cookie"))
        self.assertEqual(self.get("/metrics", cookie).status, 401)
        self.assertEqual(self.get("/metrics", other).status, 200)
        # There is nothing to be had from it without one.
        self.assertEqual(self.post("/logout", body=b"").status, 303)

    def test_events_end_with_a_session(self):
        cookie = self.session()
        with wire.Conn(self.proxy.admin) as c:
            c.send(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n"
                   b"Cookie: %s\r\n\r\n" % cookie[1].encode())
            got = b""
            while b"event: live" not in got:
                more = c.sock.recv(65536)
                self.assertTrue(more)
                got += more
            self.assertTrue(got.startswith(b"HTTP/1.1 200 "))
            # They last while it does.
            self.assertEqual(self.get("/api/session", cookie).status, 200)
            self.assertTrue(c.sock.recv(65536))
            self.post("/logout", cookie, body=b"")
            while c.sock.recv(65536):
                pass
        self.assertEqual(self.get("/api/events", cookie).status, 401)

    def test_sessions_are_bounded(self):
        first = self.session()
        second = self.session()
        for _ in range(30):
            self.session()
            self.assertEqual(self.get("/api/session", first).status, 200)
        self.session()
        # The one that was seen longest ago has ended.
        self.assertEqual(self.get("/api/session", second).status, 401)
        self.assertEqual(self.get("/api/session", first).status, 200)

    def test_the_cookie_behind_tls(self):
        r = self.login(TOKEN, ("X-Forwarded-Proto", "https"))
        self.assertTrue(r.get("set-cookie").endswith("; Secure"))
        r = self.login(TOKEN, ("X-Forwarded-Proto", "http"))
        self.assertNotIn("Secure", r.get("set-cookie"))

    def test_logins_that_are_none(self):
        for body in (b"", b"{}", b"[]", b'"x"', b"{", b'{"token":1}',
                     b'{"token":null}', b'{"token":"a","token":"b"}',
                     b'{"Token":"x"}', b"\xff", b"token=" + TOKEN.encode()):
            r = self.login(body=body)
            self.assertEqual(r.status, 400, body)
            self.assertIsNone(r.get("set-cookie"))
        for fields, status in ((("Content-Type", "text/plain"), 415),
                               (("Content-Type",
                                 "application/x-www-form-urlencoded"), 415),
                               (("Content-Type", "application/jsonp"), 415),
                               (("X", "y"), 400)):
            r = self.post("/api/login", fields, body=json.dumps(
                {"token": TOKEN}).encode())
            self.assertEqual(r.status, status, fields)
        self.assertEqual(self.get("/api/login").status, 405)
        r = self.post("/api/login",
                      ("Content-Type", "application/json; charset=utf-8"),
                      body=json.dumps({"token": TOKEN}).encode())
        self.assertEqual(r.status, 200)

    def test_escapes_in_a_token(self):
        body = b'{"token":"' + b"".join(
            b"\\u%04x" % c for c in TOKEN.encode()) + b'"}'
        self.assertEqual(self.login(body=body).status, 200)

    def test_other_sites(self):
        cookie = self.session()
        for fields in ((("Origin", "http://evil.example"),),
                       (("Origin", "null"),),
                       (("Sec-Fetch-Site", "cross-site"),)):
            for r in (self.get("/metrics", cookie, *fields),
                      self.get("/", PAGE, *fields),
                      self.get("/health", *fields),
                      self.login(TOKEN, *fields),
                      self.post("/api/drain", JSON, cookie, *fields),
                      self.post("/logout", cookie, *fields)):
                self.assertEqual(r.status, 403, fields)
                self.assertIsNone(r.get("set-cookie"))
        self.assertEqual(self.get("/metrics", cookie).status, 200)
        self.assertEqual(self.proxy.get("/health").status, 200)
        same = ("Origin", "http://" + self.proxy.admin)
        self.assertEqual(self.login(TOKEN, same).status, 200)

    def test_no_word_for_other_sites(self):
        for path in ("/", "/health", "/metrics", "/login"):
            for method in ("GET", "OPTIONS"):
                r = self.get(path, ("Origin", "http://evil.example"),
                             ("Access-Control-Request-Method", "POST"),
                             method=method)
                self.assertFalse([n for n, _ in r.head.fields
                                  if n.startswith("access-control")])


class Wrong(ProcessCase):
    """A proxy for each test: those who were wrong are remembered."""

    def setUp(self):
        super().setUp()
        self.expected = [WAITS]
        self.start(more={"start": False})
        self.proxy.config["admin_token_file"] = self.proxy.file(
            "token", TOKEN + "\n")
        self.proxy.write_config()
        self.proxy.start()

    def try_bearer(self, token):
        return wire.fetch(self.proxy.admin, "GET", "/metrics",
                          [("Authorization", "Bearer " + token)])

    def try_login(self, token):
        return wire.fetch(self.proxy.admin, "POST", "/api/login", [JSON],
                          json.dumps({"token": token}).encode())

    def wait_first(self, attempt):
        """Wrong until it waits; all answers before."""
        for _ in range(4):
            r = attempt("x" + TOKEN)
            self.assertEqual(r.status, 401)
            self.assertIsNone(r.get("retry-after"))
        r = attempt(TOKEN[:-1])
        self.assertEqual((r.status, r.get("retry-after")), (401, "1"))

    def looked_at(self, attempt, token):
        """When it was tried, and the answer of the first try that counts."""
        def look():
            begun = time.monotonic()
            r = attempt(token)
            return r.status != 429 and (begun, r)
        return wait_until(look, "a look")

    def check_backoff(self, attempt):
        self.wait_first(attempt)
        # Each further one costs twice as much.
        for seconds in ("2", "4"):
            begun, r = self.looked_at(attempt, "wrong")
            self.assertEqual((r.status, r.get("retry-after")), (401, seconds))
        # The right one is not looked at either, by neither way: now, as a busy
        # machine does not outlast the longest wait.
        for again in (self.try_bearer, self.try_login):
            r = again(TOKEN)
            self.assertEqual(r.status, 429)
            left = int(r.get("retry-after"))
            self.assertLessEqual(left, 4)
            self.assertGreaterEqual(left, begun + 4 - time.monotonic())
        _, r = self.looked_at(attempt, TOKEN)
        self.assertEqual(r.status, 200)
        # Forgiven.
        self.assertEqual(attempt("wrong").status, 401)
        self.assertEqual(attempt(TOKEN).status, 200)

    def test_backoff_of_bearers(self):
        self.check_backoff(self.try_bearer)

    def test_backoff_of_logins(self):
        self.check_backoff(self.try_login)

    def test_others_go_on(self):
        r = self.try_login(TOKEN)
        cookie = ("Cookie", r.get("set-cookie").partition(";")[0])
        self.wait_first(self.try_login)
        # A session is no attempt, nor is a stranger.
        r = wire.fetch(self.proxy.admin, "GET", "/metrics", [cookie])
        self.assertEqual(r.status, 200)
        r = wire.fetch(self.proxy.admin, "GET", "/health")
        self.assertEqual(r.status, 200)
        self.assertEqual(self.proxy.get("/health").status, 200)

    def test_nobody_waits_for_those_who_wait(self):
        # Thousands of attempts are answered at once, and counted as one.
        self.wait_first(self.try_bearer)
        with wire.Conn(self.proxy.admin) as c:
            one = (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
                   b"Authorization: Bearer wrong\r\n\r\n")
            last = one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
            c.send(one * 999 + last)
            got = b""
            while True:
                more = c.sock.recv(1 << 20)
                if not more:
                    break
                got += more
        refused = got.count(b"HTTP/1.1 429 ")
        wrong = got.count(b"HTTP/1.1 401 ")
        self.assertEqual(refused + wrong, 1000)
        self.assertLessEqual(wrong, 2)

    def test_reload_with_another_token_ends_sessions(self):
        r = self.try_login(TOKEN)
        cookie = ("Cookie", r.get("set-cookie").partition(";")[0])

        def ask(*fields):
            return wire.fetch(self.proxy.admin, "GET", "/metrics",
                              list(fields)).status
        self.assertEqual(ask(cookie), 200)
        self.proxy.file("token", "another-token\n")
        old = self.admin()
        self.signal(signal.SIGHUP)
        self.wait_log("ready: 1 worker, generation 2")
        wait_another_admin(self, old)
        self.assertEqual(ask(cookie), 401)
        self.assertEqual(ask(("Authorization", "Bearer " + TOKEN)), 401)
        self.assertEqual(ask(("Authorization", "Bearer another-token")), 200)

    def test_nothing_of_a_token_in_the_log(self):
        self.try_login(TOKEN)
        self.try_login("a-wrong-token")
        self.try_bearer("another-wrong-token")
        self.wait_log("a session of the admin page begins")
        for word in (TOKEN, "wrong-token", "glmproxy-session"):
            self.assertNotIn(word, self.log())


class Ambient(Port):
    """Without a token, whoever reaches the port may see it."""

    def test_there_is_nothing_to_log_in_to(self):
        self.assertEqual(self.login("x").status, 404)
        r = self.get("/login")
        self.assertEqual((r.status, r.get("location")), (303, "/"))
        self.assertEqual(self.get("/api/session").json(),
                         {"needs_token": False, "is_session": False})

    def test_fields_of_all_answers(self):
        for r in (self.get("/"), self.get("/health"), self.get("/nothing"),
                  self.get("/health", host="evil.example"),
                  self.get("/metrics", ("Origin", "http://evil.example")),
                  self.get("/api/usage"), self.post("/health"),
                  self.post("/api/drain"), self.login("x")):
            self.assertEqual(r.get("x-content-type-options"), "nosniff")
            self.assertEqual(r.get("referrer-policy"), "no-referrer")
            self.assertEqual(r.get("x-frame-options"), "DENY")
            self.assertEqual(r.get("cross-origin-resource-policy"),
                             "same-origin")
            self.assertIn(r.get("cache-control"), ("no-store", "no-cache"))
        got = self.raw(b"GET / HTTP/1.1\r\n\r\n")
        self.assertTrue(got.startswith(b"HTTP/1.1 400 "))
        self.assertIn(b"x-frame-options: DENY\r\n", got)


class DrainOver(ProcessCase):
    """POST /api/drain and /api/undrain."""

    def ask(self, path, *fields):
        return wire.fetch(self.proxy.admin, "POST", path, list(fields), b"{}")

    def status(self):
        return self.proxy.get("/health").status

    def wait_status(self, status):
        wait_until(lambda: self.status() == status, "status %d" % status)

    def test_drain_and_undrain(self):
        self.start()
        r = self.ask("/api/drain", JSON)
        self.assertEqual((r.status, r.json()), (202, {"draining": True}))
        self.wait_status(503)
        self.wait_log(r"asked to drain by 127\.0\.0\.1:")
        self.assertTrue(self.health()[1]["draining"])
        r = harness.run_program("status", "-c", self.proxy.conf_path)
        self.assertIn(b"it is drained", r.stdout)
        r = self.ask("/api/undrain", JSON)
        self.assertEqual((r.status, r.json()), (202, {"draining": False}))
        self.wait_status(200)
        # The next admin processes are heard as well.
        for sig in (signal.SIGHUP, signal.SIGUSR2):
            old = self.admin()
            at = self.signal(sig)
            self.wait_log("ready: 1 worker", at)
            wait_another_admin(self, old)
            self.assertEqual(self.ask("/api/drain", JSON).status, 202)
            self.wait_status(503)
            self.assertEqual(self.ask("/api/undrain", JSON).status, 202)
            self.wait_status(200)

    def test_what_is_refused(self):
        self.start()
        for fields, status in (
                ((), 400), ((("Content-Type", "text/plain"),), 415),
                ((("Content-Type", "application/x-www-form-urlencoded"),),
                 415),
                ((JSON, ("Origin", "http://evil.example")), 403),
                ((JSON, ("Sec-Fetch-Site", "cross-site")), 403),
                ((JSON, ("Host", "evil.example")), 403)):
            self.assertEqual(self.ask("/api/drain", *fields).status, status,
                             fields)
        for method in ("GET", "PUT", "OPTIONS"):
            r = wire.fetch(self.proxy.admin, method, "/api/drain")
            self.assertEqual((r.status, r.get("allow")), (405, "POST"))
        self.assertEqual(self.status(), 200)

    def test_token(self):
        self.start(more={"start": False})
        self.proxy.config["admin_token_file"] = self.proxy.file(
            "token", TOKEN)
        self.proxy.write_config()
        self.proxy.start()
        self.assertEqual(self.ask("/api/drain", JSON).status, 401)
        self.assertEqual(self.status(), 200)
        bearer = ("Authorization", "Bearer " + TOKEN)
        self.assertEqual(self.ask("/api/drain", JSON, bearer).status, 202)
        self.wait_status(503)


class Refused(unittest.TestCase):
    def test_an_open_admin_port_is_refused(self):
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0"):
            r = harness.run_program(
                "check", "-o", "admin_listen=" + address,
                *[w for k, v in NOWHERE.items()
                  for w in ("-o", "%s=%s" % (k, v))])
            self.assertEqual(r.returncode, 78, address)
            self.assertIn(b"admin_token_file", r.stderr)
            r = harness.run_program("run", "-o", "admin_listen=" + address)
            self.assertEqual(r.returncode, 78, address)

    def test_an_admin_port_with_a_token_is_not(self):
        proxy = harness.Proxy(dict(NOWHERE, admin_listen="0.0.0.0:0"),
                              start=False)
        self.addCleanup(proxy.remove)
        proxy.config["admin_token_file"] = proxy.file("token", TOKEN)
        proxy.write_config()
        r = harness.run_program("check", "-c", proxy.conf_path)
        self.assertEqual(r.returncode, 0, r.stderr)
        # An empty file is no token.
        os.truncate(proxy.config["admin_token_file"], 0)
        r = harness.run_program("check", "-c", proxy.conf_path)
        self.assertEqual(r.returncode, 78)


if __name__ == "__main__":
    unittest.main()
