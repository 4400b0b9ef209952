# SPDX-License-Identifier: MIT
"""The stand-in upstream as an object: start it, talk to it, ask what it saw."""

import atexit
import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", "release")
PROGRAM = os.path.join(ROOT, os.environ.get(
    "STANDIN_BIN", os.path.join("build", BUILD, "standin")))
CERTS = os.path.join(ROOT, "tests", "upstream", "certs.sh")
DEADLINE_S = 30

MESSAGES = "/api/anthropic/v1/messages"
COUNT = MESSAGES + "/count_tokens"
CHAT = "/api/coding/paas/v4/chat/completions"
MODELS = "/api/coding/paas/v4/models"
TOKENIZER = "/api/paas/v4/tokenizer"


def is_a(path):
    return path.startswith("/api/anthropic")


def head_for(path, key="k.s"):
    """The header fields that a correct request carries."""
    head = {"authorization": "Bearer " + key, "content-type": "application/json"}
    if is_a(path):
        head["anthropic-version"] = "2023-06-01"
    return head


def wait_for(what, condition, deadline_s=DEADLINE_S):
    """Poll until condition() is true; its value."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.005)


class Answer:
    """Status, header fields (lower case) and body of one answer."""

    def __init__(self, status, fields, body):
        self.status = status
        self.fields = {}
        self.all_fields = [(k.lower(), v) for k, v in fields]
        for k, v in self.all_fields:
            self.fields[k] = v
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def events(self):
        """[(name, data text)] of an event stream with LF line ends."""
        out = []
        for block in self.body.decode("utf-8").split("\n\n"):
            name, data = "", []
            for line in block.split("\n"):
                if line.startswith("event:"):
                    name = line[6:].strip()
                elif line.startswith("data:"):
                    data.append(line[5:].removeprefix(" "))
            if data:
                out.append((name, "\n".join(data)))
        return out

    def chunks(self):
        """The parsed events but for [DONE]."""
        return [json.loads(d) for _, d in self.events() if d != "[DONE]"]


class Standin:
    def __init__(self, *arguments, tls=None, listen=("--listen",), quiet=True):
        """tls: (certificate, key); listen: one of --listen, --plain-listen each."""
        command = [PROGRAM]
        for option in listen:
            command += [option, "127.0.0.1:0"]
        if tls:
            command += ["--tls-cert", tls[0], "--tls-key", tls[1]]
        if quiet:
            command.append("--quiet")
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command + list(arguments), stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        atexit.register(self.kill)
        self.ports, self.kinds = [], []
        for _ in listen:
            line = self.process.stdout.readline()
            if not line.startswith("standin listening on "):
                raise AssertionError("standin did not start: " + line + self.stderr())
            self.ports.append(int(line.split()[3].rsplit(":", 1)[1]))
            self.kinds.append(line.split()[4].strip("()"))
        self.port = self.ports[0]

    def stderr(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        """TERM; it must have lived until then, and leave in good order."""
        alive = self.process.poll() is None
        if alive:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(DEADLINE_S)
        text = self.stderr()
        self.process.stdout.close()
        self.log.close()
        atexit.unregister(self.kill)
        if status != 0 or not alive:
            raise AssertionError("standin ended with %d: %s" % (status, text[-4000:]))

    def base(self, path):
        return "http://127.0.0.1:%d%s" % (self.port, path)

    # --- requests

    def connect(self, port=None):
        return http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=DEADLINE_S)

    def post(self, path, body, head=None, connection=None, method="POST"):
        """head: replaces the usual fields; a str or bytes body is sent as it is."""
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode("utf-8")
        c = connection or self.connect()
        try:
            c.request(method, path, body, head_for(path) if head is None else head)
            r = c.getresponse()
            return Answer(r.status, r.getheaders(), r.read())
        finally:
            if connection is None:
                c.close()

    def get(self, path, head=None):
        return self.post(path, b"", head_for(path) if head is None else head, method="GET")

    def raw(self, data, read=True):
        """Bytes in, all bytes out until the end; the socket when not read."""
        s = socket.create_connection(("127.0.0.1", self.port), DEADLINE_S)
        s.sendall(data)
        if not read:
            return s
        with s:
            return receive_all(s)

    def raw_post(self, path, body, head=None, read=True):
        body = json.dumps(body).encode("utf-8")
        fields = {"host": "127.0.0.1", "content-length": str(len(body))}
        fields.update(head_for(path) if head is None else head)
        text = "POST %s HTTP/1.1\r\n" % path
        text += "".join("%s: %s\r\n" % f for f in fields.items()) + "\r\n"
        return self.raw(text.encode("latin-1") + body, read)

    # --- control

    def _control(self, method, name, body=b""):
        c = self.connect(self.ports[self.kinds.index("plain")])
        try:
            c.request(method, "/__standin/" + name, body)
            r = c.getresponse()
            text = r.read()
        finally:
            c.close()
        if r.status != 200:
            raise AssertionError("%s: %d %r" % (name, r.status, text))
        return json.loads(text)

    def requests(self, since=0, last=None):
        query = "requests?since=%d" % since
        return self._control("GET", query if last is None else query + "&last=%d" % last)

    def last(self):
        return self.requests(last=1)[0]

    def stats(self):
        return self._control("GET", "stats")

    def reset(self):
        self._control("POST", "reset")

    def set_default(self, scenario):
        self._control("POST", "default", scenario.encode("utf-8"))

    def push_next(self, *scenarios):
        self._control("POST", "next", "\n".join(scenarios).encode("utf-8"))


def receive_all(s):
    """Until EOF; a reset ends it too and is appended as b'<RESET>'."""
    out = b""
    while True:
        try:
            part = s.recv(65536)
        except ConnectionResetError:
            return out + b"<RESET>"
        if not part:
            return out
        out += part


def make_certs(directory):
    subprocess.run([CERTS, directory], check=True)
    return directory
