#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cluster.py - packaging/cluster for real: HAProxy and Prometheus before three
nodes, each in a network namespace of its own, under load. One node is added,
one drained, one killed; a client counts what is lost. Needs root. Prints each
check and `N passed, N failed`.

What is tested are the files of packaging/cluster as they are."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

from tests.e2e import wire  # noqa: E402
from tests.system import cluster_load  # noqa: E402

GLMPROXY = os.path.join(ROOT, "build/glmproxy")
STANDIN = os.path.join(ROOT, "build/release/standin")
FILES = os.path.join(ROOT, "packaging/cluster")
NODES = ("node1", "node2", "node3")
TOKEN = "token-of-the-test"
PHASE_S = 3.0
DEADLINE_S = 30.0
# HAProxy asks each second, twice, before it believes.
NOTICE_S = 4.0


def address(node):
    return "10.0.0.%d" % (10 + int(node[-1]))


def run(*argv, **more):
    return subprocess.run(argv, check=True, timeout=60, **more)


def is_gone(pid):
    """A zombie has let go of its sockets."""
    try:
        with open("/proc/%s/stat" % pid, encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


class Failed(Exception):
    """Nothing after this can be tested."""


class Cluster:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="glmproxy-cluster-")
        self.tag = "glmc%d" % os.getpid()
        self.processes = {}
        self.passed = 0
        self.failed = 0

    # --- the frame ---------------------------------------------------------

    def check(self, name, ok, detail=""):
        if ok:
            self.passed += 1
            print("ok: %s" % name, flush=True)
        else:
            self.failed += 1
            print("FAILED: %s: %s" % (name, detail), flush=True)
        return ok

    def until(self, what, look, timeout=DEADLINE_S):
        end = time.monotonic() + timeout
        while True:
            got = look()
            if got:
                return got
            if time.monotonic() > end:
                raise Failed("%.0f s passed without %s" % (timeout, what))
            time.sleep(0.05)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def spawn(self, name, *argv, netns=None):
        if netns is not None:
            argv = ("ip", "netns", "exec", self.netns(netns)) + argv
        with open(self.path(name + ".log"), "ab") as log:
            self.processes[name] = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.dir)
        return self.processes[name]

    def log(self, name):
        with open(self.path(name + ".log"), encoding="utf-8",
                  errors="replace") as f:
            return f.read()

    # --- the network -------------------------------------------------------

    def netns(self, node):
        return "%s-%s" % (self.tag, node)

    def make_network(self):
        """We are in the hub's namespace already (see main)."""
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "br0", "type", "bridge")
        run("ip", "addr", "add", "10.0.0.1/24", "dev", "br0")
        run("ip", "link", "set", "br0", "up")
        for node in NODES:
            inner = self.netns(node)
            run("ip", "netns", "add", inner)
            run("ip", "link", "add", "to-" + node, "type", "veth", "peer",
                "name", "eth0", "netns", inner)
            run("ip", "link", "set", "to-" + node, "master", "br0", "up")
            for words in (("link", "set", "lo", "up"),
                          ("addr", "add", address(node) + "/24", "dev",
                           "eth0"),
                          ("link", "set", "eth0", "up")):
                run("ip", "-n", inner, *words)

    # --- the programs ------------------------------------------------------

    def start_standin(self):
        self.spawn("standin", STANDIN, "--plain-listen", "10.0.0.1:0",
                   "--quiet", "--keep", "0")
        found = self.until("the stand-in", lambda: re.search(
            r"listening on (\S+) \(plain\)", self.log("standin")))
        self.upstream = "http://" + found.group(1)

    def start_node(self, node):
        shutil.copy(os.path.join(FILES, "node.conf"), self.path("node.conf"))
        self.spawn(
            node, GLMPROXY, "run", "-c", self.path("node.conf"),
            "-o", "admin_token_file=" + self.path("admin_token"),
            "-o", "upstream_base=%s/api/anthropic" % self.upstream,
            "-o", "openai_upstream_base=%s/api/coding/paas/v4" % self.upstream,
            "-o", "workers=1", "-o", "state_dir=" + self.path(node, "state"),
            "-o", "log_dir=" + self.path(node, "log"),
            "-o", "pid_file=" + self.path(node, "pid"), netns=node)
        self.until(node, lambda: "ready: 1 worker" in self.log(node))

    def write_haproxy(self, nodes):
        with open(os.path.join(FILES, "haproxy.cfg"), encoding="ascii") as f:
            lines = [line for line in f if not re.match(r"\s+server ", line)
                     or line.split()[1] in nodes]
        with open(self.path("haproxy.cfg"), "w", encoding="ascii") as f:
            f.writelines(lines)

    def start_haproxy(self):
        self.spawn("haproxy", "haproxy", "-W", "-f",
                   self.path("haproxy.cfg"))
        self.balancer = "10.0.0.1:8000"
        self.until("HAProxy", self.is_served)

    def is_served(self):
        try:
            return wire.fetch(self.balancer, "GET", "/health").status == 200
        except (OSError, wire.WireError):
            return False

    def start_prometheus(self):
        with open(os.path.join(FILES, "prometheus.yml"),
                  encoding="ascii") as f:
            text = f.read()
        with open(self.path("prometheus.yml"), "w", encoding="ascii") as f:
            f.write(text.replace("_interval: 15s", "_interval: 1s"))
        shutil.copy(os.path.join(
            ROOT, "packaging/prometheus/glmproxy.rules.yml"), self.dir)
        self.spawn("prometheus", "prometheus",
                   "--config.file=" + self.path("prometheus.yml"),
                   "--storage.tsdb.path=" + self.path("tsdb"),
                   "--web.listen-address=127.0.0.1:9090",
                   "--log.level=warn")

    def query(self, expression):
        """{instance: value}, None while Prometheus does not answer."""
        try:
            with urllib.request.urlopen(
                    "http://127.0.0.1:9090/api/v1/query?query="
                    + urllib.request.quote(expression), timeout=5) as r:
                got = json.load(r)["data"]["result"]
        except (OSError, ValueError):
            return None
        return {v["metric"].get("instance", ""): float(v["value"][1])
                for v in got}

    # --- the checks --------------------------------------------------------

    def quiet(self, name, requests):
        bad = [r for r in requests if r.why is not None]
        self.check("%s: none of %d requests is lost" % (name, len(requests)),
                   len(requests) > 20 and not bad, bad[:5])

    def homes(self, requests):
        """The nodes of each key."""
        found = {}
        for r in requests:
            if r.node is not None:
                found.setdefault(r.key, set()).add(r.node)
        return found

    def sticky(self, name, requests, nodes):
        homes = self.homes(requests)
        wandering = {k: v for k, v in homes.items() if len(v) > 1}
        self.check("%s: each of %d keys has one node" % (name, len(homes)),
                   len(homes) == cluster_load.KEYS and not wandering,
                   wandering)
        used = set().union(*homes.values())
        self.check("%s: served by %s" % (name, ", ".join(sorted(used))),
                   used == set(nodes), used)
        return {k: next(iter(v)) for k, v in homes.items()}

    def phase(self, load, begin):
        """What began in a phase that lasts until every key was used."""
        self.until("requests with every key", lambda: (
            time.monotonic() > begin + PHASE_S
            and len(self.homes(load.since(begin))) == cluster_load.KEYS))
        end = time.monotonic()
        self.until("the end of these requests",
                   lambda: load.has_ended(begin, end))
        return load.since(begin, end)

    def add(self, load, before):
        asked = time.monotonic()
        self.write_haproxy(NODES)
        self.processes["haproxy"].send_signal(signal.SIGUSR2)
        self.until("requests on node3", lambda: any(
            r.node == "node3" for r in load.since(asked)))
        begin = time.monotonic() + 0.5
        requests = self.phase(load, begin)
        self.quiet("adding a node", load.since(asked))
        after = self.sticky("with a third node", requests, NODES)
        moved = {k for k in after if before[k] != after[k]}
        self.check("only keys of the new node moved: %d of %d"
                   % (len(moved), len(after)),
                   moved and all(after[k] == "node3" for k in moved),
                   {k: after[k] for k in moved})
        return after

    def command(self, word, node):
        return run(GLMPROXY, word, "-c", self.path("node.conf"), "-o",
                   "pid_file=" + self.path(node, "pid"),
                   stdout=subprocess.DEVNULL)

    def drain_by_post(self, node):
        r = wire.fetch(address(node) + ":5001", "POST", "/api/drain",
                       [("Authorization", "Bearer " + TOKEN),
                        ("Content-Type", "application/json")], b"{}")
        self.check("%s is drained over HTTP" % node, r.status == 202, r)

    def drain_by_command(self, node):
        self.command("drain", node)

    def drain(self, load, before, node, ask):
        others = [n for n in NODES if n != node]
        asked = time.monotonic()
        ask(node)
        self.until("an end of new requests on " + node, lambda: (
            time.monotonic() > asked + NOTICE_S))
        begin = time.monotonic()
        requests = self.phase(load, begin)
        self.quiet("draining " + node, load.since(asked))
        after = self.sticky("with %s drained" % node, requests, others)
        moved = {k for k in after if before[k] != after[k]}
        self.check("only keys of the drained node moved: %d" % len(moved),
                   moved and all(before[k] == node for k in moved), moved)
        asked = time.monotonic()
        self.command("undrain", node)
        self.until("requests on " + node, lambda: any(
            r.node == node for r in load.since(asked)))
        begin = time.monotonic() + 0.5
        again = self.sticky(node + " is back", self.phase(load, begin), NODES)
        self.check("its keys came back", again == before, again)
        self.quiet("undraining it", load.since(asked))

    def nodes_of(self, fields, count=60):
        return {wire.fetch(self.balancer, "GET", "/health", fields)
                .get("x-glmproxy-node") for _ in range(count)}

    def without_a_key(self):
        """Any node will do; an empty key is none."""
        bearer = [("Authorization", "Bearer a-key")]
        for fields in ([], [("Authorization", "Bearer ")],
                       [("x-api-key", "")]):
            seen = self.nodes_of(fields)
            self.check("requests without a key are on all nodes: %s" % fields,
                       seen == set(NODES), seen)
        home = self.nodes_of(bearer)
        both = self.nodes_of([("x-api-key", "")] + bearer)
        self.check("an empty key does not hide the other one",
                   len(home) == 1 and both == home, (home, both))
        seen = self.nodes_of([("x-api-key", "a-key")])
        self.check("a key has one node in whichever header", seen == home,
                   (home, seen))

    def kill(self, load, before):
        """Everything that runs on node2 dies at once: its processes and, with
        them, the connections that its system had taken for them."""
        self.until("streams on node2", lambda: load.flying_on("node2") >= 2)
        out = run("ip", "netns", "pids", self.netns("node2"),
                  capture_output=True, text=True).stdout
        asked = time.monotonic()
        for pid in out.split():
            os.kill(int(pid), signal.SIGKILL)
        self.until("the end of its processes", lambda: all(
            is_gone(pid) for pid in out.split()))
        killed = time.monotonic()
        self.phase(load, killed)
        requests = load.since(asked - 10.0)
        flying = [r for r in requests if r.begin <= killed and r.end >= asked
                  and before.get(r.key) == "node2"]
        lost = [r for r in requests if r.why is not None]
        other = [r for r in lost if r not in flying]
        self.check("killing a node: lost %d of %d in flight on it, nothing"
                   " else" % (len(lost), len(flying)), not other, other[:5])
        self.check("there was something in flight", flying)
        # While HAProxy has not noticed, each request tries the dead one
        # first; its keys then live elsewhere.
        self.until("time", lambda: time.monotonic() > killed + NOTICE_S)
        later = self.phase(load, time.monotonic())
        self.quiet("with node2 dead", later)
        after = self.sticky("with node2 dead", later, ("node1", "node3"))
        moved = {k for k in after if before[k] != after[k]}
        self.check("only keys of the dead node moved: %d" % len(moved),
                   moved and all(before[k] == "node2" for k in moved), moved)

    def watched(self):
        names = {address(n) + ":5001" for n in NODES}
        try:
            self.until("three targets", lambda: (
                self.query('up{job="glmproxy"}')
                == {n: 1.0 for n in names}))
            self.check("Prometheus sees three targets", True)
        except Failed as err:
            self.check("Prometheus sees three targets", False, err)
        got = self.query("sum by (instance) (glmproxy_requests_total)") or {}
        self.check("and figures of each", set(got) == names, got)

    def seen_dead(self):
        try:
            self.until("a dead target", lambda: self.query(
                'up{job="glmproxy"} == 0')
                == {address("node2") + ":5001": 0.0})
            self.until("the alert", lambda: self.query(
                'ALERTS{alertname="GlmproxyDown"}'))
            self.check("Prometheus notices the dead node", True)
        except Failed as err:
            self.check("Prometheus notices the dead node", False, err)

    def test(self):
        with open(self.path("admin_token"), "w", encoding="ascii") as f:
            f.write(TOKEN + "\n")
        os.chmod(self.path("admin_token"), 0o640)
        self.make_network()
        self.start_standin()
        for node in NODES:
            self.start_node(node)
        self.check("HAProxy takes the configuration", subprocess.run(
            ["haproxy", "-c", "-f", os.path.join(FILES, "haproxy.cfg")],
            capture_output=True, check=False).returncode == 0)
        self.write_haproxy(NODES[:2])
        self.start_haproxy()
        self.start_prometheus()
        load = cluster_load.Load(self.balancer)
        load.start()
        try:
            requests = self.phase(load, time.monotonic())
            self.quiet("two nodes", requests)
            homes = self.sticky("two nodes", requests, NODES[:2])
            homes = self.add(load, homes)
            self.without_a_key()
            self.drain(load, homes, "node1", self.drain_by_post)
            self.drain(load, homes, "node3", self.drain_by_command)
            self.watched()
            self.kill(load, homes)
            self.seen_dead()
        finally:
            load.stop()
        print("%d requests in all" % len(load.done))

    def end(self):
        for name, process in self.processes.items():
            if process.poll() is None:
                process.terminate()
        for name, process in self.processes.items():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
        for node in NODES:
            subprocess.run(["ip", "netns", "del", self.netns(node)],
                           check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.dir, ignore_errors=True)


def main():
    if os.geteuid() != 0:
        print("cluster: needs root")
        print("0 passed, 1 failed")
        return 1
    if "--inside" not in sys.argv:
        # The hub: a network that ends with the last of its processes. Mounts
        # stay shared, or namespaces made inside could not be entered.
        hub = "glmc%d-hub" % os.getpid()
        run("ip", "netns", "add", hub)
        try:
            return subprocess.run(
                ["nsenter", "--net=/run/netns/" + hub, sys.executable,
                 os.path.abspath(__file__), "--inside"],
                check=False).returncode
        finally:
            subprocess.run(["ip", "netns", "del", hub], check=False)
    cluster = Cluster()
    try:
        cluster.test()
    except (Failed, OSError, subprocess.SubprocessError) as err:
        cluster.check("no step fails", False, err)
        for name in cluster.processes:
            print("--- %s\n%s" % (name, cluster.log(name)[-2000:]))
    finally:
        cluster.end()
    print("%d passed, %d failed" % (cluster.passed, cluster.failed))
    return 0 if cluster.failed == 0 and cluster.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
