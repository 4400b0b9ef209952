"""limits.py - what bench.py measures of glmproxy alone: delay of events, many
streams, memory, start, handshakes. Each case returns whether nothing failed;
a target that is missed is said, not failed: the machine may be busy."""

import http.client
import json
import os
import re
import resource
import statistics
import subprocess
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOLS = os.environ.get("BENCH_TOOLS", os.path.join(ROOT, "build/release/tests/bench"))

STREAMS = 10000
STREAM_WORDS, STREAM_DELAY_MS = 16, 1000
EVENTS = 4000
CONTEXT_US = 2
STARTS = 5
HEALTH_US = 50


def verdict(what, reached):
    print(f"  target {what}: {'reached' if reached else 'missed'}")


def mib(kib):
    return f"{kib / 1024:.1f} MiB"


def fields(line):
    """The numbers of "name=1 other=2"."""
    return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)}


def chat(port, body, timeout=60):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    c.request("POST", "/v1/chat/completions", json.dumps(body), {
        "authorization": "Bearer bench.key", "content-type": "application/json"})
    answer = c.getresponse()
    text = answer.read()
    c.close()
    return answer.status, text


SMALL = {"model": "glm-4.6", "messages": [{"role": "user", "content": "Hello."}]}


# --- what is done about the context -------------------------------------------


def context():
    got = fields(subprocess.run([TOOLS + "/bench_context"], check=True,
                                capture_output=True, text=True).stdout)
    estimate = got["estimate_ns"] / 1000
    added = (got["on_ns"] - got["off_ns"]) / 1000 + estimate
    print("context handling of a small chat and its answer")
    print(f"  estimate {estimate:.2f} us, what was learned, scaled counts, figures and header "
          f"{added - estimate:.2f} us: {added:.2f} us of CPU")
    verdict(f"<= {CONTEXT_US} us", added <= CONTEXT_US)
    return True


# --- delay of events ------------------------------------------------------


def lift(pid):
    """Real-time priority, if we may: what else runs on the machine is not to
    be measured here."""
    try:
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))
        return True
    except OSError:
        return False


class Posting:
    """Chats of 1 MiB, some a second, to an upstream of their own."""

    def __init__(self, port):
        self.port = port
        self.body = {"model": "glm-4.6-openai", "messages": [
            {"role": "user", "content": "Look at this line.\n" * 100}
            for _ in range((1 << 20) // 2000)]}
        self.sent = self.bad = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.wait(0.05):
            self.sent += 1
            self.bad += chat(self.port, self.body)[0] != 200

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def events(servers, bench):
    """Straight from the tool to itself, and through proxies: on a busy machine
    one more process to be woken costs more than what it does."""
    upstream = bench.free_port()
    nginx, beside, _ = servers.nginx(f"http://127.0.0.1:{upstream}")
    process, port, _ = servers.glmproxy(f"http://127.0.0.1:{upstream}",
                                        servers.bases[0])

    def measure(to):
        tool = subprocess.Popen([TOOLS + "/delay", str(upstream), str(to), "8", str(EVENTS)],
                                stdout=subprocess.PIPE, text=True)
        lift(tool.pid)
        return fields(tool.communicate()[0])

    is_lifted = all([lift(p) for p in bench.tree(process.pid) + bench.tree(nginx.pid)])
    print(f"delay of an event, {EVENTS} of them in 8 streams, one a millisecond"
          f"{', real-time priority' if is_lifted else ''}")
    rows = {"direct": measure(upstream), "nginx": measure(beside),
            "glmproxy": measure(port)}
    with Posting(port) as posting:
        rows["and 1 MiB bodies"] = measure(port)
    base = rows["direct"]
    for what, row in rows.items():
        print(f"  {what:16}" + "".join(
            f"  {p} {row[p + '_us']:6} us ({row[p + '_us'] - base[p + '_us']:+d})"
            for p in ("p50", "p99", "max")))
    print(f"  ({posting.sent} bodies meanwhile)")
    for what in ("glmproxy", "and 1 MiB bodies"):
        verdict(f"{what}: p99 within 1 ms of direct",
                rows[what]["p99_us"] - base["p99_us"] <= 1000)
    servers.end(nginx)
    servers.end(process)
    return posting.bad == 0


# --- many streams ---------------------------------------------------------


def streams(servers, bench, is_tls):
    process, port, _ = servers.glmproxy(servers.bases[0 if is_tls else 1])
    chat(port, SMALL)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    # A worker holds two descriptors for each of its half, and an eighth more.
    n = min(STREAMS, limit * 8 // 9 - 500)
    before = bench.pss_kib(process.pid)
    print(f"{n} streams at a time, two workers, {'TLS' if is_tls else 'plain'} upstream")
    tool = subprocess.Popen([TOOLS + "/streams", str(port), str(n), str(STREAM_WORDS),
                             str(STREAM_DELAY_MS)], stdout=subprocess.PIPE, text=True)
    first = tool.stdout.readline()
    if first.startswith("open"):
        time.sleep(1)
        each = (bench.pss_kib(process.pid) - before) / n
        used = bench.cpu_seconds(process.pid)
        time.sleep(4)
        used = (bench.cpu_seconds(process.pid) - used) / 4
        print(f"  live {first.split()[1]}, {each:.1f} KiB each, "
              f"{used / n * STREAM_DELAY_MS * 1e3:.1f} us CPU an event")
    out, _ = tool.communicate()
    print("  " + (out or first).strip().replace("\n", "\n  "))
    row = fields(out or first)
    if first.startswith("open"):
        verdict(f"<= {64 if is_tls else 16} KiB each", each <= (64 if is_tls else 16))
    verdict("none lost, none stalled",
            row["lost"] + row["stalled"] == 0 and row["live"] == n)
    time.sleep(2)
    print(f"  memory: {mib(before)} before them, {mib(bench.pss_kib(process.pid))} after")
    servers.end(process)
    return row["lost"] == 0


# --- memory and start -----------------------------------------------------


def idle(servers, bench):
    process, _, _ = servers.glmproxy(servers.bases[0])
    time.sleep(1)
    kib = bench.pss_kib(process.pid)
    print(f"idle memory of {len(bench.tree(process.pid))} processes: {mib(kib)} PSS")
    verdict("<= 12 MiB", kib <= 12 * 1024)
    servers.end(process)
    return True


# What was under way has been stored by then.
CALM_S = 3


def growth(servers, bench, seconds):
    process, port, path = servers.glmproxy(servers.bases[0])
    body = bench.small_chat()[0]
    rate, _, _, bad = bench.load(servers, process, port, path, body, 16, 1)
    time.sleep(CALM_S)
    first, many = bench.pss_kib(process.pid), rate
    rate, _, _, errors = bench.load(servers, process, port, path, body, 16, seconds)
    many += rate * seconds
    busy = bench.pss_kib(process.pid)
    time.sleep(CALM_S)
    last = bench.pss_kib(process.pid)
    print(f"memory: {mib(first)} after {rate:,.0f} requests, {mib(last)} after {many:,.0f} "
          f"({mib(busy)} while they came)")
    verdict("+2 MiB at most", last <= first + 2048)
    servers.end(process)
    return bad + errors == 0


def start(servers, bench):
    took = []
    for _ in range(STARTS):
        begun = time.monotonic()
        process, port, _ = servers.glmproxy(servers.bases[0])
        status, text = chat(port, SMALL)
        took.append((time.monotonic() - begun) * 1000)
        servers.end(process)
        if status != 200:
            print(f"the first answer is {status}: {text[:200]}")
            return False
    print(f"start to first answer, TLS upstream: {statistics.median(took):.0f} ms, "
          f"worst of {STARTS}: {max(took):.0f} ms")
    verdict("<= 100 ms", max(took) <= 100)
    return True


# --- handshakes -----------------------------------------------------------


def health(servers, bench, seconds):
    """What load balancers ask of the proxy's own port."""
    process, port, _ = servers.glmproxy(servers.bases[1], servers.bases[1])
    cpu, p50 = [], []
    bad = 0
    for _ in range(seconds):
        _, used, median, errors = bench.load(servers, process, port, "/health", None, 1, 1)
        cpu.append(used)
        p50.append(median)
        bad += errors
    servers.end(process)
    print("GET /health on the proxy's port, on a connection that is kept")
    print(f"  {statistics.median(cpu):.0f} us of CPU, answered after {statistics.median(p50):.0f} us"
          + (f", {bad} ERRORS" if bad else ""))
    verdict(f"<= {HEALTH_US} us of CPU", statistics.median(cpu) <= HEALTH_US)
    return bad == 0


def handshakes(servers, bench):
    """What a connection to upstream costs: nothing, resumed, in full."""
    print("CPU of a small chat by the connection it takes, and its latency")
    rows = {}
    for what in ("pooled", "resumed", "full"):
        base = servers.canned(what)
        process, port, path = servers.glmproxy(base)
        body = bench.small_chat()[0]
        bench.load(servers, process, port, path, body, 1, 1)
        _, cpu, median, bad = bench.load(servers, process, port, path, body, 1, 2)
        rows[what] = cpu, bad
        print(f"  {what:8} {cpu:8.1f} us CPU/req ({cpu - rows['pooled'][0]:+.0f})"
              f"  p50 {median:6.0f} us")
        servers.end(process)
    return all(bad == 0 for _, bad in rows.values())
