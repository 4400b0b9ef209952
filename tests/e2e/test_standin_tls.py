# SPDX-License-Identifier: MIT
"""The stand-in upstream over TLS, and the certificates that certs.sh makes."""

import json
import os
import shutil
import socket
import ssl
import tempfile
import unittest

from tests.e2e import standin_cases as cases
from tests.e2e.upstream import CHAT, Standin, head_for, make_certs, receive_all, wait_for


class Base(unittest.TestCase):
    kind = "cert.pem", "key.pem"

    @classmethod
    def setUpClass(cls):
        cls.dir = make_certs(tempfile.mkdtemp())
        cls.up = Standin(tls=cls.files(*cls.kind), listen=("--listen", "--plain-listen"))

    @classmethod
    def tearDownClass(cls):
        cls.up.stop()
        shutil.rmtree(cls.dir)

    @classmethod
    def files(cls, cert, key):
        return os.path.join(cls.dir, cert), os.path.join(cls.dir, key)

    def context(self, ca="ca.pem", **settings):
        context = ssl.create_default_context(cafile=os.path.join(self.dir, ca))
        # Older Pythons take any end for a clean one.
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        for k, v in settings.items():
            setattr(context, k, v)
        return context

    def connect(self, context=None, name="localhost", session=None, port=None):
        s = socket.create_connection(("127.0.0.1", port or self.up.port), 20)
        try:
            return (context or self.context()).wrap_socket(
                s, server_hostname=name, session=session, suppress_ragged_eofs=False
            )
        except BaseException:
            s.close()
            raise

    def ask(self, s, scenario="text", host="localhost", stream=True):
        body = json.dumps(cases.o(cases.user("[[%s]]" % scenario), stream=stream)).encode()
        head = {"host": host, "content-length": str(len(body)), **head_for(CHAT)}
        text = "POST %s HTTP/1.1\r\n" % CHAT + "".join("%s: %s\r\n" % f for f in head.items())
        s.sendall(text.encode() + b"\r\n" + body)


class Tls(Base):
    def test_kinds_of_listeners(self):
        self.assertEqual(self.up.kinds, ["tls", "plain"])

    def test_answer_and_record(self):
        with self.connect() as s:
            self.ask(s, "text close=1")
            self.assertTrue(receive_all(s).endswith(b"0\r\n\r\n"))
            tls = self.up.last()["tls"]
            self.assertEqual(tls["sni"], "localhost")
            self.assertEqual(tls["version"], s.version())
            self.assertRegex(tls["cipher"], r"^TLS(1-3)?-")

    def test_names(self):
        with self.connect(name="127.0.0.1") as s:
            self.ask(s, "text close=1", host="127.0.0.1")
            self.assertIn(b"200 OK", receive_all(s))
            self.assertIsNone(self.up.last()["tls"]["sni"])
        with self.connect() as s:
            self.ask(s, "text close=1", host="localhost:443")
            self.assertIn(b"200 OK", receive_all(s))
        with self.connect() as s:
            self.ask(s, "text close=1", host="elsewhere")
            self.assertIn(b"standin: host elsewhere, but TLS said localhost", receive_all(s))

    def test_resumption(self):
        settings = {"maximum_version": ssl.TLSVersion.TLSv1_2}
        for options in (0, ssl.OP_NO_TICKET):
            with self.subTest(options=options):
                context = self.context(**settings)
                context.options |= options
                before = self.up.stats()
                with self.connect(context) as s:
                    session = s.session
                    self.assertFalse(s.session_reused)
                with self.connect(context, session=session) as s:
                    self.assertTrue(s.session_reused)
                    self.ask(s, "text close=1")
                    receive_all(s)
                    self.assertTrue(self.up.last()["tls"]["resumed"])
                after = self.up.stats()
                self.assertEqual(after["handshakes_full"] - before["handshakes_full"], 1)
                self.assertEqual(after["handshakes_resumed"] - before["handshakes_resumed"], 1)

    def test_long_and_small(self):
        with self.connect() as s:
            self.ask(s, "big bytes=5000000 close=1")
            self.assertGreater(len(receive_all(s)), 5000000)
        with self.connect() as s:
            self.ask(s, "bytewise close=1")
            self.assertTrue(receive_all(s).endswith(b"0\r\n\r\n"))

    def test_close_notify(self):
        with self.connect() as s:
            self.ask(s, "text close=1")
            self.assertTrue(receive_all(s))
        with self.connect() as s:
            self.ask(s, "cut")
            with self.assertRaisesRegex(ssl.SSLError, "(?i)eof"):
                receive_all(s)
        with self.connect() as s:
            self.ask(s, "reset")
            # Which of the two depends on OpenSSL; both are no clean end.
            with self.assertRaises((ssl.SSLError, ConnectionResetError)):
                while s.recv(65536):
                    pass

    def test_abort(self):
        n = self.up.stats()["aborted"]
        s = self.connect()
        self.ask(s, "silent")
        s.recv(100)
        s.close()
        wait_for("the abort", lambda: self.up.stats()["aborted"] == n + 1)

    def test_failed_handshake(self):
        n = self.up.stats()["handshakes_failed"]
        with socket.create_connection(("127.0.0.1", self.up.port), 20) as s:
            s.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            receive_all(s)
        wait_for("the failure", lambda: self.up.stats()["handshakes_failed"] == n + 1)


class TlsRsa(Tls):
    kind = "rsa-cert.pem", "rsa-key.pem"


class BadCertificates(Base):
    def refused(self, cert, ca, name="localhost"):
        up = Standin(tls=self.files(cert, "key.pem"), listen=("--listen", "--plain-listen"))
        try:
            with self.assertRaises(ssl.SSLCertVerificationError) as caught:
                self.connect(self.context(ca), name, port=up.port)
            return caught.exception.verify_message
        finally:
            up.stop()

    def test_bad_certificates(self):
        self.assertIn("mismatch", self.refused("wrong-host.pem", "ca.pem"))
        self.assertIn("expired", self.refused("expired.pem", "ca.pem"))
        self.assertIn("unable to get local issuer", self.refused("cert.pem", "other-ca.pem"))


if __name__ == "__main__":
    unittest.main()
