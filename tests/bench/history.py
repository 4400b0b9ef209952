"""history.py - what bench.py measures of records and the history: what they
cost a worker, how many the admin process takes, and that a stopped one is in
nobody's way."""

import http.client
import os
import signal
import subprocess
import threading
import time

import limits

RATE, FEED_S = 10000, 20
STOP_S = 60


def admin_of(bench, pid):
    """The admin process, or None while there is none."""
    for p in bench.tree(pid):
        try:
            with open(f"/proc/{p}/cmdline", "rb") as f:
                if b"glmproxy: admin" in f.read():
                    return p
        except OSError:
            continue
    return None


class Held:
    """While it lasts every admin process is stopped: the master replaces one
    that shows no sign of life for half a minute."""

    def __init__(self, bench, pid):
        self.bench, self.pid = bench, pid
        self.seen = set()
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def signal(self, number):
        admin = admin_of(self.bench, self.pid)
        if admin is not None:
            self.seen.add(admin)
            try:
                os.kill(admin, number)
            except ProcessLookupError:
                pass

    def run(self):
        while not self.ends.wait(0.05):
            self.signal(signal.SIGSTOP)

    def __enter__(self):
        self.signal(signal.SIGSTOP)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()
        self.signal(signal.SIGCONT)


def own_cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        words = f.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid):
    for n in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{n}"
        try:
            if os.readlink(path).startswith("/memfd:glmproxy"):
                return path
        except OSError:
            continue
    raise SystemExit("the service's memory cannot be found: only root may look")


def figures(port):
    """None as long as there is no answer."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        c.request("GET", "/metrics")
        text = c.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        c.close()
    return {n: float(v) for n, _, v in (
        line.rpartition(" ") for line in text.splitlines() if line[:1] != "#")}


def lost(f, where=""):
    return sum(v for n, v in f.items()
               if n.startswith("glmproxy_records_lost_total") and where in n)


def settled(port, check=lambda f: True):
    """The figures once everything that was read is stored or lost."""
    until = time.monotonic() + 90
    while True:
        f = figures(port)
        if f is not None and check(f) and (
                f["glmproxy_records_total"] + lost(f, "ring")
                <= f["glmproxy_history_records_stored_total"] + lost(f)):
            return f
        if time.monotonic() > until:
            raise SystemExit("the history is not up to date after 90 s")
        time.sleep(0.1)


def with_admin(servers, base):
    process, port, path = servers.glmproxy(base)
    admin_port = servers.admin_ports[process.pid]
    settled(admin_port)  # it answers
    return process, port, path, admin_port


# --- what a worker pays -------------------------------------------------------


def cost():
    got = limits.fields(subprocess.run(
        [limits.TOOLS + "/records", "cost"], check=True, capture_output=True,
        text=True).stdout)
    whole = got["record_ns"] + got["live_ns"]
    print("recording, for a worker\n"
          f"  a record {got['record_ns']} ns, a live chat {got['live_ns']} ns, "
          f"a piece of its answer {got['chunk_ps'] / 1000:.1f} ns")
    limits.verdict("<= 1 us a request", whole <= 1000)
    return True


# --- what admin takes ---------------------------------------------------------


def sustained(servers, bench):
    process, _, _, admin_port = with_admin(servers, servers.bases[1])
    admin = admin_of(bench, process.pid)
    before, begun = own_cpu_s(admin), time.monotonic()
    got = limits.fields(subprocess.run(
        [limits.TOOLS + "/records", "feed", memory_of(process.pid), str(RATE),
         str(FEED_S)], check=True, capture_output=True, text=True).stdout)
    f = settled(admin_port, lambda f: f[
        "glmproxy_history_records_stored_total"] >= got["put"])
    cpu, took = own_cpu_s(admin) - before, time.monotonic() - begun
    share = cpu / (got["ms"] / 1000)
    stored = f["glmproxy_history_records_stored_total"]
    print(f"{RATE:,} records a second for {FEED_S} s: admin takes {share * 100:.0f} % of a core, "
          f"{cpu / max(stored, 1) * 1e6:.1f} us a record; {stored:,.0f} of {got['put']:,} stored "
          f"{took - got['ms'] / 1000:.1f} s after the last, {got['lost'] + lost(f):.0f} lost")
    limits.verdict("<= 50 % of a core, none lost",
                   share <= 0.5 and got["lost"] + lost(f) == 0)
    servers.end(process)
    return stored == got["put"]


# --- without admin ------------------------------------------------------------


def stopped(servers, bench):
    """Load before, while admin stands still, and afterwards."""
    process, port, path, admin_port = with_admin(servers, servers.bases[1])
    body = bench.small_chat()[0]
    bench.wrk(servers, port, path, body, 16, 2)
    rows = {}

    def measure(what, seconds):
        cpu = bench.cpu_seconds(process.pid)
        r = rows[what] = bench.wrk(servers, port, path, body, 16, seconds)
        r["cpu_us"] = (bench.cpu_seconds(process.pid) - cpu) / max(r["requests"], 1) * 1e6

    measure("before", STOP_S // 3)
    with Held(bench, process.pid) as held:
        measure("stopped", STOP_S)
    settled(admin_port)
    measure("after", STOP_S // 3)
    print(f"admin stopped for {STOP_S} s under load ({len(held.seen)} of them, "
          "as the master replaces them)")
    for what, r in rows.items():
        print(f"  {what:8} {r['requests'] / r['seconds']:7.0f} req/s  p50 {r['50%']:6.0f} us"
              f"  p99 {r['99%']:6.0f} us  {r['cpu_us']:5.1f} us CPU/req")
    f = settled(admin_port)
    asked = f['glmproxy_requests_total{route="chat"}']
    stored = f["glmproxy_history_records_stored_total"]
    print(f"  {asked:,.0f} requests = {stored:,.0f} stored + {lost(f):,.0f} lost "
          f"({lost(f, 'ring'):,.0f} for want of room in the rings)")
    limits.verdict("every record stored or counted as lost", asked == stored + lost(f))
    servers.end(process)
    return asked == stored + lost(f) and all(r["errors"] == 0 for r in rows.values())
