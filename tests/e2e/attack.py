# SPDX-License-Identifier: MIT
"""attack.py - peers by script, and what must be left after them."""

import os
import select
import ssl

from tests.e2e import tunnel
from tests.e2e.chat import DIALECTS, ask, user
from tests.e2e.harness import Case, as_bytes, certs, post_fields, wait_until

TICKS_S = os.sysconf("SC_CLK_TCK")
WATCH_S = 0.3  # how long a worker is watched for spinning
WATCHES = 8
ANSWER = as_bytes({
    "id": "1", "created": 1, "model": "m", "choices": [{
        "index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "fine"}}]})


def answer(body=ANSWER, status=b"200 OK", extra=b""):
    return (b"HTTP/1.1 %s\r\nContent-Type: application/json\r\n%s"
            b"Content-Length: %d\r\n\r\n" % (status, extra, len(body)) + body)


class Script(tunnel.Server):
    """An upstream that does what a function says with each connection."""

    def __init__(self, play, context=None):
        self.play = play
        self.context = context
        self.failures = []
        super().__init__()

    def serve(self, sock):
        if self.context is not None:
            sock = self.context.wrap_socket(sock, server_side=True)
            self.connections.append(sock)
        self.play(sock)


def until_closed(sock):
    """Read until the peer has left."""
    try:
        while sock.recv(65536):
            pass
    except OSError:
        pass


class AttackCase(Case):
    """Helpers; no tests."""

    def upstream(self, play, tls=False, **config):
        """A proxy with a scripted upstream."""
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.path.join(certs(), "cert.pem"),
                                    os.path.join(certs(), "key.pem"))
            config["upstream_ca_file"] = os.path.join(certs(), "ca.pem")
        server = Script(play, context)
        self.addCleanup(server.close)
        url = "%s://localhost:%s" % ("https" if tls else "http",
                                     server.address.rpartition(":")[2])
        config.setdefault("openai_upstream_base", url + "/o")
        config.setdefault("upstream_base", url + "/a")
        # Whatever its size, a request is to go there.
        config.setdefault("model.glm-4.6.context", "100000000")
        proxy = self.own_proxy(config)
        proxy.server = server
        return proxy

    def chat(self, proxy=None, text="x", stream=False, size=0, client="O",
             upstream="-openai", **more):
        turns = user(text)
        if size:
            turns = [("user", "y" * size), ("assistant", "x")] + turns
        body = DIALECTS[client].body(turns, stream=stream,
                                     model="glm-4.6" + upstream, **more)
        return ask((proxy or self.proxy).address, client, body)

    def begin(self, proxy=None, text="x", stream=True, client="O",
              upstream="-openai", rcvbuf=None, **more):
        """Send a chat; its connection."""
        conn = (proxy or self.proxy).connect(rcvbuf=rcvbuf)
        self.addCleanup(conn.close)
        conn.request("POST", DIALECTS[client].path, post_fields(), as_bytes(
            DIALECTS[client].body(user(text), stream=stream,
                                  model="glm-4.6" + upstream, **more)))
        return conn

    def metric(self, name, proxy=None):
        return (proxy or self.proxy).metrics()["glmproxy_" + name]

    def wait_metric(self, name, value, proxy=None):
        wait_until(lambda: self.metric(name, proxy) == value,
                   "%s to be %s" % (name, value))

    def worker(self, proxy=None):
        return (proxy or self.proxy).children("worker")[0]

    def check_idle(self, proxy=None):
        """The worker sleeps: it does not turn over an event for ever."""
        pid = self.worker(proxy)
        used = []
        # What is still to be done on a slow machine ends; spinning does not.
        while len(used) < WATCHES and min(used, default=1) >= WATCH_S / 4:
            before = cpu_s(pid)
            select.select([], [], [], WATCH_S)
            used.append(cpu_s(pid) - before)
        self.assertLess(min(used), WATCH_S / 4, "the worker spins")

    def check_clean(self, proxy=None):
        """Nothing is left of what has been."""
        self.wait_metric("streams", 0, proxy)
        self.wait_metric("buffered_bytes", 0, proxy)
        self.wait_metric("client_connections", 0, proxy)


def cpu_s(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_S
