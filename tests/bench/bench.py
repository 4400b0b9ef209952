#!/usr/bin/env python3
"""bench.py - glmproxy beside nginx and haproxy, before the same upstream.

nginx and haproxy pass the bytes of the translated request on untouched;
glmproxy translates them. All three are loaded by wrk in one run, and what
counts is the CPU time per request of all processes of each, as a ratio to
nginx: that is steady even where the clock is not. Further cases look at
glmproxy alone (limits.py).

usage: bench.py [--seconds N] [--growth-seconds N] [--only CASE,...]
"""

import argparse
import json
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import history
import limits
import tokens

TICK = os.sysconf("SC_CLK_TCK")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Not passed on: the program takes GLMPROXY_* names for configuration keys.
PROGRAM = os.environ.pop("GLMPROXY_BIN", os.path.join(ROOT, "build/glmproxy"))
STANDIN = os.environ.get("STANDIN_BIN", os.path.join(ROOT, "build/release/standin"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process, what):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"{what} ended with status {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"{what} does not answer")


def tree(pid):
    """pid and all its descendants."""
    pids = [pid]
    for p in pids:
        try:
            with open(f"/proc/{p}/task/{p}/children") as f:
                pids += [int(c) for c in f.read().split()]
        except OSError:
            pass
    return pids


def cpu_seconds(pid):
    """CPU time of a process, its children and those it has reaped."""
    ticks = 0
    for p in tree(pid):
        try:
            with open(f"/proc/{p}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
        if p == pid:
            ticks += int(fields[13]) + int(fields[14])
    return ticks / TICK


def pss_kib(pid):
    total = 0
    for p in tree(pid):
        with open(f"/proc/{p}/smaps_rollup") as f:
            total += int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))
    return total


# --- the requests ---------------------------------------------------------


def small_chat():
    chat = {"model": "glm-4.6", "max_tokens": 100, "messages": [
        {"role": "user", "content": "Say hello to the people of Oslo, please. " * 2}]}
    return chat, dict(chat, messages=[{"role": "user", "content": [
        {"type": "text", "text": chat["messages"][0]["content"]}]}])


def stream(events):
    chat, messages = small_chat()
    text = f"[[many n={events}]]"
    chat = dict(chat, stream=True)
    chat["messages"] = [{"role": "user", "content": text}]
    messages = dict(messages, stream=True)
    messages["messages"] = [{"role": "user", "content": [{"type": "text", "text": text}]}]
    return chat, messages


def agent():
    """60 turns, 24 tools, about 230 KB, as coding agents send them."""
    def tool(i):
        return f"tool_{i}", "Does thing number %d. " % i * 40, {
            "type": "object", "properties": {f"arg{k}": {
                "type": "string", "description": "An argument. " * 4} for k in range(6)},
            "required": ["arg0"]}
    tools = [tool(i) for i in range(24)]
    source = "static int\nadd(int a, int b)\n{\n\treturn a + b; /* \"sum\" */\n}\n"
    chat = {"model": "glm-4.6", "max_tokens": 4096, "messages": [
        {"role": "system", "content": "You are a careful engineer. " * 300}]}
    messages = {"model": "glm-4.6", "max_tokens": 4096, "system": [
        {"type": "text", "text": chat["messages"][0]["content"]}], "messages": []}
    for i in range(30):
        args = {"arg0": f"src/file{i}.c"}
        chat["messages"] += [
            {"role": "user", "content": f"Look at file {i}. " + "Why? " * 60},
            {"role": "assistant", "content": "Reading it.", "tool_calls": [
                {"id": f"call_{i}", "type": "function", "function": {
                    "name": f"tool_{i % 24}", "arguments": json.dumps(args)}}]},
            {"role": "tool", "tool_call_id": f"call_{i}", "content": source * 70}]
        messages["messages"] += [
            {"role": "user", "content": [{"type": "text", "text":
                f"Look at file {i}. " + "Why? " * 60}]},
            {"role": "assistant", "content": [
                {"type": "text", "text": "Reading it."},
                {"type": "tool_use", "id": f"call_{i}", "name": f"tool_{i % 24}",
                 "input": args}]},
            {"role": "user", "content": [{"type": "tool_result",
                "tool_use_id": f"call_{i}", "content": source * 70}]}]
    chat["messages"].append({"role": "user", "content": "Go on."})
    messages["messages"].append({"role": "user", "content": [{"type": "text", "text": "Go on."}]})
    # Two user turns in a row are one to the upstream.
    last = messages["messages"].pop()
    messages["messages"][-1]["content"] += last["content"]
    chat["tools"] = [{"type": "function", "function": {
        "name": n, "description": d, "parameters": s}} for n, d, s in tools]
    messages["tools"] = [{"name": n, "description": d, "input_schema": s} for n, d, s in tools]
    return chat, messages


CASES = {
    # name: (bodies, TLS upstream, connections, target ratio to nginx)
    "small": (small_chat, True, 16, 1.0),
    "stream": (lambda: stream(200), True, 16, 2.0),
    "agent": (agent, False, 8, 3.0),
    "agent-tls": (agent, True, 8, None),
}


# --- the servers ----------------------------------------------------------


class Servers:
    def __init__(self, folder):
        self.folder = folder
        self.running = []
        self.bases = None  # of the stand-in: TLS, plain
        self.started = {}
        self.admin_ports = {}

    def spawn(self, what, argv, port, **kw):
        log = open(os.path.join(self.folder, what + ".log"), "wb")
        p = subprocess.Popen(argv, stdout=kw.pop("stdout", log), stderr=log,
                             start_new_session=True, **kw)
        self.running.append(p)
        if port:
            wait_for(port, p, what)
        return p

    def end(self, process):
        """Stop one before the others."""
        self.running.remove(process)
        process.send_signal(signal.SIGTERM)
        process.wait(10)

    def stop(self):
        for p in reversed(self.running):
            p.send_signal(signal.SIGTERM)
        for p in reversed(self.running):
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()

    def path(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def certificates(self):
        subprocess.run([os.path.join(ROOT, "tests/upstream/certs.sh"), self.folder],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def standin(self):
        tls, plain = free_port(), free_port()
        self.spawn("standin", [
            STANDIN, "--quiet", "--no-validate", "--keep", "0", "--processes", "2",
            "--listen", f"127.0.0.1:{tls}", "--plain-listen", f"127.0.0.1:{plain}",
            "--tls-cert", self.folder + "/cert.pem", "--tls-key", self.folder + "/key.pem",
        ], plain)
        return tls, plain

    def glmproxy(self, base, openai_base=None):
        port, admin = free_port(), free_port()
        ca = self.folder + "/ca.pem"
        p = self.spawn(f"glmproxy-{port}", [
            PROGRAM, "run", "-o", f"listen=127.0.0.1:{port}",
            "-o", f"admin_listen=127.0.0.1:{admin}", "-o", "workers=2",
            "-o", f"upstream_base={base}/api/anthropic",
            "-o", f"openai_upstream_base={openai_base or base}/api/coding/paas/v4",
            "-o", f"upstream_ca_file={ca}", "-o", f"state_dir={self.folder}/{port}",
            "-o", f"log_dir={self.folder}/{port}", "-o", f"pid_file={self.folder}/{port}.pid",
        ], port, cwd=self.folder)
        self.admin_ports[p.pid] = admin
        return p, port, "/v1/chat/completions"

    def canned(self, connections):
        """An upstream over TLS that gives one answer to all; connections are
        "pooled", or all new: "resumed" or "full"."""
        port = free_port()
        keep, tickets = {"pooled": (60, "on"), "resumed": (0, "on"), "full": (0, "off")}[connections]
        answer = json.dumps({"id": "msg_1", "type": "message", "role": "assistant",
                             "model": "glm-4.6", "content": [{"type": "text", "text": "Hi."}],
                             "stop_reason": "end_turn", "stop_sequence": None,
                             "usage": {"input_tokens": 9, "output_tokens": 2}})
        conf = self.path(f"canned-{connections}.conf", f"""
daemon off; worker_processes 2; pid {self.folder}/canned-{connections}.pid;
error_log {self.folder}/canned-error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {self.folder}/c1; proxy_temp_path {self.folder}/c2;
  fastcgi_temp_path {self.folder}/c3; uwsgi_temp_path {self.folder}/c4;
  scgi_temp_path {self.folder}/c5;
  keepalive_timeout {keep}; keepalive_requests 1000000;
  ssl_session_tickets {tickets}; ssl_session_cache off;
  server {{ listen 127.0.0.1:{port} ssl;
    ssl_certificate {self.folder}/cert.pem; ssl_certificate_key {self.folder}/key.pem;
    location / {{ default_type application/json; return 200 '{answer}'; }} }}
}}
""")
        self.spawn("canned-" + connections, ["nginx", "-c", conf, "-e",
                                             self.folder + "/canned-error.log"], port)
        return f"https://localhost:{port}"

    def nginx(self, base):
        port = free_port()
        scheme, host = base.split("://")
        conf = self.path("nginx-%s.conf" % scheme, f"""
daemon off; worker_processes 2; pid {self.folder}/nginx-{scheme}.pid;
error_log {self.folder}/nginx-error.log;
events {{ worker_connections 4096; }}
http {{
  access_log {self.folder}/nginx-{scheme}-access.log;
  client_body_temp_path {self.folder}/n1; proxy_temp_path {self.folder}/n2;
  fastcgi_temp_path {self.folder}/n3; uwsgi_temp_path {self.folder}/n4;
  scgi_temp_path {self.folder}/n5;
  client_max_body_size 32m; client_body_buffer_size 1m;
  keepalive_requests 1000000;
  upstream up {{ server {host.replace("localhost", "127.0.0.1")}; keepalive 64; keepalive_requests 1000000; }}
  server {{ listen 127.0.0.1:{port};
    location / {{ proxy_pass {scheme}://up; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Host localhost;
      proxy_buffering off; proxy_ssl_name localhost; proxy_ssl_verify on;
      proxy_ssl_trusted_certificate {self.folder}/ca.pem; }} }}
}}
""")
        p = self.spawn("nginx-" + scheme, ["nginx", "-c", conf, "-e",
                                           self.folder + "/nginx-error.log"], port)
        return p, port, "/api/anthropic/v1/messages"

    def haproxy(self, base):
        port = free_port()
        scheme, host = base.split("://")
        tls = f"ssl verify required ca-file {self.folder}/ca.pem sni str(localhost) verifyhost localhost" \
            if scheme == "https" else ""
        conf = self.path("haproxy-%s.cfg" % scheme, f"""
global
  nbthread 2
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend f
  bind 127.0.0.1:{port}
  default_backend b
backend b
  server s {host.replace("localhost", "127.0.0.1")} {tls}
""")
        p = self.spawn("haproxy-" + scheme, ["haproxy", "-db", "-f", conf], port)
        return p, port, "/api/anthropic/v1/messages"


# --- measuring ------------------------------------------------------------


def wrk(servers, port, path, body, connections, seconds):
    """Requests, seconds, errors, quantiles of latency in microseconds. Without a
    body: GET."""
    script = [] if body is None else ["-s", post_script(servers, body)]
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
                          *script, f"http://127.0.0.1:{port}{path}"],
                         capture_output=True, text=True, check=True).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    got = {"requests": int(re.search(r"(\d+) requests in", out).group(1)),
           "seconds": seconds, "errors": int(bad.group(1)) if bad else 0}
    for quantile, value, unit in re.findall(r"(\d\d%)\s+([\d.]+)(us|ms|s)", out):
        got[quantile] = float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]
    socket_errors = re.search(r"Socket errors: (.*)", out)
    if socket_errors:
        print("   ", socket_errors.group(0))
    return got


def post_script(servers, body):
    headers = "\n".join(f'wrk.headers["{k}"] = "{v}"' for k, v in {
        "content-type": "application/json", "authorization": "Bearer bench.key",
        "anthropic-version": "2023-06-01"}.items())
    body_file = servers.path("body.json", json.dumps(body, separators=(",", ":")))
    return servers.path("post.lua", f"""
wrk.method = "POST"
{headers}
local f = io.open("{body_file}", "rb")
wrk.body = f:read("*a")
f:close()
""")


def load(servers, process, port, path, body, connections, seconds):
    """Requests a second, CPU microseconds a request, median latency, errors."""
    before = cpu_seconds(process.pid)
    got = wrk(servers, port, path, body, connections, seconds)
    used = cpu_seconds(process.pid) - before
    return (got["requests"] / seconds, used / max(got["requests"], 1) * 1e6,
            got["50%"], got["errors"])


def compare(servers, name, bases, seconds):
    make, is_tls, connections, target = CASES[name]
    chat, messages = make()
    base = bases[0] if is_tls else bases[1]
    print(f"{name}: {len(json.dumps(chat)):,} bytes, {connections} connections, "
          f"{'TLS' if is_tls else 'plain'} upstream")
    # In turns, so that what else the machine does meets all of them.
    rounds = {"nginx": [], "haproxy": [], "glmproxy": []}
    for _ in range(seconds + 1):
        for what, results in rounds.items():
            process, port, path = servers.started[what, is_tls]
            body = chat if what == "glmproxy" else messages
            results.append(load(servers, process, port, path, body, connections, 1))
    rows = {}
    for what, results in rounds.items():
        del results[0]  # to warm up
        rate, cpu, p50 = (statistics.median(r[k] for r in results) for k in range(3))
        errors = sum(r[3] for r in results)
        rows[what] = rate, cpu, p50, errors
        ratio = cpu / rows["nginx"][1]
        print(f"  {what:9} {rate:9.0f} req/s  {cpu:8.1f} us CPU/req  {ratio:5.2f} x nginx"
              f"  p50 {p50:8.0f} us" + (f"  {errors} ERRORS" if errors else ""))
    ratio = rows["glmproxy"][1] / rows["nginx"][1]
    if target:
        limits.verdict(f"<= {target:.1f} x nginx", ratio <= target)
    else:
        seal = limits.fields(subprocess.run(
            [limits.TOOLS + "/seal", str(len(json.dumps(messages, separators=(",", ":"))))],
            capture_output=True, text=True, check=True).stdout)["us"]
        limits.verdict(f"<= encryption ({seal} us) + 350 us",
                       rows["glmproxy"][1] <= seal + 350)
    return all(r[3] == 0 for r in rows.values())


def latency(servers, seconds):
    chat, messages = small_chat()
    print("added latency at one connection, small chat, TLS upstream")
    medians = {}
    for what in ("nginx", "haproxy", "glmproxy"):
        process, port, path = servers.started[what, True]
        body = chat if what == "glmproxy" else messages
        medians[what] = load(servers, process, port, path, body, 1, seconds)[2]
        print(f"  {what:9} p50 {medians[what]:7.0f} us")
    print(f"  glmproxy - nginx = {medians['glmproxy'] - medians['nginx']:+.0f} us (target <= +30)")


def compare_all(servers, names, seconds):
    for is_tls in sorted({CASES[n][1] if n in CASES else True for n in names}):
        base = servers.bases[0 if is_tls else 1]
        for what in ("nginx", "haproxy", "glmproxy"):
            servers.started[what, is_tls] = getattr(servers, what)(base)
    time.sleep(0.5)
    ok = True
    for name in names:
        if name == "latency":
            latency(servers, seconds)
        else:
            ok = compare(servers, name, servers.bases, seconds) and ok
    for process, _, _ in servers.started.values():
        servers.end(process)
    return ok


def raise_limits():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main():
    this = sys.modules[__name__]
    p = argparse.ArgumentParser()
    p.add_argument("--seconds", type=int, default=3, help="of load for each server and case")
    p.add_argument("--growth-seconds", type=int, default=25,
                   help="of load between the two looks at memory")
    alone = {
        "idle": lambda s: limits.idle(s, this),
        "start": lambda s: limits.start(s, this),
        "health": lambda s: limits.health(s, this, args.seconds),
        "events": lambda s: limits.events(s, this),
        "streams-plain": lambda s: limits.streams(s, this, False),
        "streams-tls": lambda s: limits.streams(s, this, True),
        "handshakes": lambda s: limits.handshakes(s, this),
        "context": lambda s: limits.context(),
        "tokens": lambda s: tokens.tokens(s.folder),
        "records": lambda s: history.cost(),
        "history": lambda s: history.sustained(s, this),
        "stopped": lambda s: history.stopped(s, this),
        "growth": lambda s: limits.growth(s, this, args.growth_seconds),
    }
    names = [*CASES, "latency", *alone]
    p.add_argument("--only", default=",".join(names), help="some of " + ",".join(names))
    args = p.parse_args()
    wanted = args.only.split(",")
    if set(wanted) - set(names):
        p.error(f"no such case: {', '.join(set(wanted) - set(names))}")
    raise_limits()
    folder = tempfile.mkdtemp(prefix="glmproxy-bench-")
    servers = Servers(folder)
    ok = True
    try:
        servers.certificates()
        tls, plain = servers.standin()
        servers.bases = (f"https://localhost:{tls}", f"http://localhost:{plain}")
        compared = [n for n in wanted if n not in alone]
        if compared:
            ok = compare_all(servers, compared, args.seconds)
        for name in wanted:
            if name in alone:
                ok = alone[name](servers) and ok
    except BaseException:
        ok = False
        raise
    finally:
        servers.stop()
        if ok:
            shutil.rmtree(folder)
        else:
            print(f"errors seen; logs are in {folder}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
