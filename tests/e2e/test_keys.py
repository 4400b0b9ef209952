# SPDX-License-Identifier: MIT
"""Whose key goes where."""

import contextlib
import hashlib
import os
import unittest

from tests.e2e import wire
from tests.e2e.chat import DIALECTS, ask, user
from tests.e2e.harness import Case, Proxy, proc_file, run_program

SERVER_KEY = "server.secret-51f2"
CLIENT_KEY = "client.secret-77aa"
LISTED = "gp-0123456789abcdef0123456789abcdef"


class KeyCase(Case):
    """Helpers; no tests."""

    # The harness's own first answer shows a served /health.
    def upstream_key(self, fields, client="O", proxy=None, status=200):
        """The key that reached the stand-in for these client fields."""
        since = self.standin.count()
        a = ask((proxy or self.proxy).address, client,
                DIALECTS[client].body(user("x")), fields, key=None)
        self.assertEqual(a.status, status, a.response)
        if status != 200:
            self.assertEqual(self.standin.count(), since)
            return None
        r = self.standin.requests(since)[0]
        self.assertIsNone(r.header("x-api-key"))
        self.assertNotIn("cookie", [n.lower() for n, _ in r["headers"]])
        value = r.header("authorization")
        self.assertTrue(value.startswith("Bearer "), value)
        return value[7:]

    def check_secret(self, proxy, *secrets):
        """No secret in any file of the proxy, nor in what ps shows."""
        texts = {"log": proxy.process.log()}
        for folder, _, names in os.walk(proxy.dir):
            for name in names:
                path = os.path.join(folder, name)
                if name.startswith(("key", "glmproxy.conf", "clients")):
                    continue
                # Some files last for a moment only.
                with contextlib.suppress(FileNotFoundError), (
                        open(path, "rb")) as f:
                    texts[path] = f.read().decode("latin-1")
        for pid in [proxy.pid] + proxy.children("worker") + (
                proxy.children("admin")):
            for name in ("cmdline", "environ"):
                texts["%s of %d" % (name, pid)] = proc_file(
                    pid, name).decode("latin-1")
        for where, text in texts.items():
            for secret in secrets:
                self.assertNotIn(secret, text, where)


def bearer(key):
    return [("Authorization", "Bearer " + key)]


def api_key(key):
    return [("x-api-key", key)]


class Forwarded(KeyCase):
    """The default: clients bring their own keys."""

    config = {"log_level": "debug"}

    # row_017
    def test_both_headers_on_both_routes(self):
        for client in "OA":
            for fields in (bearer("k.1"), api_key("k.1"),
                           [("authorization", "bearer k.1")],
                           [("AUTHORIZATION", "BEARER   k.1  ")],
                           [("Authorization", "k.1")],
                           [("Authorization", "Bearer k.1:x")]):
                with self.subTest(client=client, fields=fields):
                    self.assertIn(self.upstream_key(fields, client),
                                  ("k.1", "k.1:x"))

    def test_precedence(self):
        both = bearer("from-bearer") + api_key("from-field")
        self.assertEqual(self.upstream_key(both, "O"), "from-bearer")
        self.assertEqual(self.upstream_key(both, "A"), "from-field")

    def test_empty_one_yields_to_the_other(self):
        self.assertEqual(self.upstream_key(
            [("Authorization", "Bearer ")] + api_key("k"), "O"), "k")
        self.assertEqual(self.upstream_key(
            bearer("k") + [("x-api-key", "")], "A"), "k")

    def test_no_key(self):
        for client in "OA":
            for fields in ((), [("Authorization", "Bearer")],
                           [("x-api-key", "  ")],
                           [("Authorization", "Basic dTpw")]):
                if fields and fields[0][1].startswith("Basic"):
                    continue  # taken as a key: upstream refuses it
                self.upstream_key(fields, client, status=401)

    def test_keys_are_in_no_log(self):
        self.upstream_key(bearer(CLIENT_KEY))
        self.upstream_key(api_key(CLIENT_KEY), "A")
        self.proxy.post("/v1/messages", b"{", bearer(CLIENT_KEY))
        self.proxy.post("/nothing", b"{", bearer(CLIENT_KEY))
        self.proxy.get("/v1/models", bearer(CLIENT_KEY) * 2)
        self.check_secret(self.proxy, CLIENT_KEY)

    def test_models_are_open(self):
        self.assertEqual(self.proxy.get("/v1/models").status, 200)


class ServerKey(KeyCase):
    """The server's key serves those who sent none."""

    @classmethod
    def start_proxy(cls, config, standin):
        config["log_level"] = "debug"
        return _with_key_file(config, standin)

    def test_is_not_told_in_errors(self):
        """Upstream repeats it in its refusals."""
        self.expect_log("upstream: .*")
        for client in "OA":
            for scenario in ("error code=1000", "error_first code=1000",
                             "error code=1302"):
                for stream in (False, True):
                    self.standin.play_next(
                        "%s message=no%%20%s,%%20not%%20%s" % (
                            scenario, SERVER_KEY, SERVER_KEY))
                    a = ask(self.proxy.address, client, DIALECTS[client].body(
                        user("x"), stream=stream), key=None)
                    self.assertIn("no [cut], not [cut]", a.error["message"])
                    self.assertNotIn(SERVER_KEY, str(a.error))
            self.standin.play_next(
                "error_mid code=1305 at=4 words=9 message=no%20" + SERVER_KEY)
            a = ask(self.proxy.address, client, DIALECTS[client].body(
                user("x"), stream=True), key=None)
            self.assertIn("no [cut]", str(a.error))

    def test_for_clients_without(self):
        for client in "OA":
            self.assertEqual(self.upstream_key((), client), SERVER_KEY)

    def test_never_both(self):
        for client in "OA":
            self.assertEqual(self.upstream_key(bearer(CLIENT_KEY), client),
                             CLIENT_KEY)

    def test_nowhere_to_be_seen(self):
        self.upstream_key(())
        self.check_secret(self.proxy, SERVER_KEY)
        r = run_program("check", "--print", "-c", self.proxy.conf_path)
        self.assertEqual(r.returncode, 0)
        self.assertNotIn(SERVER_KEY.encode(), r.stdout + r.stderr)


def _with_key_file(config, standin):
    """A proxy whose configuration names a file with the server's key."""
    proxy = Proxy(config, standin, start=False)
    proxy.config["server_api_key_file"] = proxy.file("key", SERVER_KEY + "\n")
    proxy.write_config()
    proxy.start()
    return proxy


class ServerKeyForAll(KeyCase):
    config = {"forward_client_key": "false"}

    @classmethod
    def start_proxy(cls, config, standin):
        return _with_key_file(config, standin)

    def test_always_the_servers(self):
        for client in "OA":
            for fields in ((), bearer(CLIENT_KEY), api_key("x")):
                self.assertEqual(self.upstream_key(fields, client),
                                 SERVER_KEY)


class ClientKeys(KeyCase):
    """Clients must present a listed key, which stays here."""

    @classmethod
    def start_proxy(cls, config, standin):
        proxy = Proxy(config, standin, start=False)
        digest = hashlib.sha256(LISTED.encode()).hexdigest()
        proxy.config.update({
            "log_level": "debug",
            "server_api_key_file": proxy.file("key", SERVER_KEY),
            "client_keys_file": proxy.file(
                "clients", "# people\nalice:%s\nbob:%s\n" % (
                    digest, hashlib.sha256(b"bobs-key").hexdigest()))})
        proxy.write_config()
        proxy.start()
        return proxy

    def test_listed(self):
        for client in "OA":
            for fields in (bearer(LISTED), api_key(LISTED),
                           bearer("bobs-key")):
                self.assertEqual(self.upstream_key(fields, client),
                                 SERVER_KEY)

    def test_not_listed(self):
        for client in "OA":
            for fields in ((), bearer("other"), bearer(LISTED[:-1]),
                           api_key(LISTED + "0"), bearer(LISTED.upper()),
                           bearer(SERVER_KEY), bearer("alice")):
                with self.subTest(client=client, fields=fields):
                    self.upstream_key(fields, client, status=401)

    def test_models_need_one_too(self):
        self.assertEqual(self.proxy.get("/v1/models").status, 401)
        self.assertEqual(self.proxy.get("/v1/models/glm-4.6").status, 401)
        self.assertEqual(self.proxy.get(
            "/v1/models", bearer(LISTED)).status, 200)
        self.assertEqual(self.proxy.get(
            "/v1/models", api_key(LISTED)).status, 200)

    def test_unknown_routes_below_v1(self):
        r = self.proxy.post("/v1/messages/count_tokens", b"{}", key="no")
        self.assertEqual(r.status, 401)

    def test_health_and_probes_are_open(self):
        for path in ("/health", "/", "/docs"):
            self.assertEqual(self.proxy.get(path).status, 200)

    def test_nowhere_to_be_seen(self):
        self.upstream_key(bearer(LISTED))
        self.upstream_key(bearer("wrong-key-4711"), status=401)
        self.check_secret(self.proxy, LISTED, SERVER_KEY, "wrong-key-4711")


class Environment(KeyCase):
    """Keys by the environment, with and without the prefix."""

    def test_names(self):
        for name in ("SERVER_API_KEY", "GLMPROXY_SERVER_API_KEY"):
            proxy = self.own_proxy(env={name: SERVER_KEY})
            with self.subTest(name=name):
                self.assertEqual(self.upstream_key((), proxy=proxy),
                                 SERVER_KEY)
                self.check_secret(proxy, SERVER_KEY)

    def test_the_prefix_wins(self):
        proxy = self.own_proxy(env={"SERVER_API_KEY": "bare",
                                    "GLMPROXY_SERVER_API_KEY": "prefixed"})
        self.assertEqual(self.upstream_key((), proxy=proxy), "prefixed")


class RefusedStarts(unittest.TestCase):
    """Configurations that would hand out the server's key."""

    def refused(self, config, pattern, args=(), files=()):
        proxy = Proxy(config, start=False)
        self.addCleanup(proxy.remove)
        for key, name, text in files:
            proxy.config[key] = proxy.file(name, text)
        proxy.write_config()
        for command in ("check", "run"):
            r = run_program(command, "-c", proxy.conf_path, *args)
            text = r.stderr.decode()
            self.assertNotEqual(r.returncode, 0, command)
            self.assertRegex(text, pattern)
            self.assertNotIn(SERVER_KEY, text)

    def test_open_listener_with_server_key(self):
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0",
                        "127.0.0.1:0,0.0.0.0:0"):
            with self.subTest(address=address):
                self.refused({"listen": address,
                              "server_api_key": SERVER_KEY},
                             "client_keys_file")

    def test_server_key_for_all_without_one(self):
        self.refused({"forward_client_key": "false"}, "server_api_key")

    def test_client_keys_without_server_key(self):
        self.refused({}, "server_api_key_file", files=[
            ("client_keys_file", "clients", "a:%s\n" % ("0" * 64))])

    def test_key_on_the_command_line(self):
        self.refused({}, "command line",
                     ("-o", "server_api_key=" + SERVER_KEY))

    def test_open_admin_without_token(self):
        self.refused({"admin_listen": "0.0.0.0:0"}, "admin_token_file")

    def test_bad_key_files(self):
        for text in ("", "two words", "x" * 5000, "a\nb\n"):
            self.refused({}, "server_api_key_file", files=[
                ("server_api_key_file", "key", text)])
        for text in ("alice\n", "alice:xyz\n", ":%s\n" % ("0" * 64)):
            self.refused({"server_api_key": SERVER_KEY}, "clients", files=[
                ("client_keys_file", "clients", text)])


class OpenListener(KeyCase):

    def test_allowed_on_purpose(self):
        proxy = self.own_proxy({"listen": "0.0.0.0:0",
                                "server_api_key": SERVER_KEY,
                                "allow_open_server_key": "true"})
        self.assertEqual(self.upstream_key((), proxy=proxy), SERVER_KEY)

    def test_own_keys_need_nothing(self):
        proxy = self.own_proxy({"listen": "0.0.0.0:0"})
        self.assertEqual(self.upstream_key(bearer("k"), proxy=proxy), "k")

    def test_unix_socket(self):
        proxy = Proxy({"server_api_key": SERVER_KEY}, self.standin,
                      start=False)
        self.addCleanup(self._end_own, proxy)
        path = os.path.join(proxy.dir, "s")
        proxy.config["listen"] = "unix:" + path
        proxy.write_config()
        proxy.start()
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o660)
        r = wire.fetch(path, "GET", "/v1/models")
        self.assertEqual(r.status, 200)
        self.assertEqual(self.upstream_key((), proxy=proxy), SERVER_KEY)


if __name__ == "__main__":
    unittest.main()
