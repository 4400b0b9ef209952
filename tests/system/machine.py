# SPDX-License-Identifier: MIT
"""machine.py - a Debian under a systemd of its own, with no network but lo.

Programs of this machine can be run on its loopback interface (spawn), others
in it as if by root there (run). Controllers of cgroups may be missing: limits
of memory and tasks are not tested here.
"""

import os
import signal
import subprocess
import time

from tests.system.roots import WORK, Overlay, machine_root

BOOT_S = 120
COMMAND_S = 120
ENV = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
       "LC_ALL=C.UTF-8", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=",
       "DEBIAN_FRONTEND=noninteractive"]


def wait_until(check, what, timeout=60.0):
    """The first true answer of check(), or a failure."""
    until = time.monotonic() + timeout
    while True:
        got = check()
        if got:
            return got
        if time.monotonic() > until:
            raise AssertionError("%.0f s passed without: %s" % (timeout, what))
        time.sleep(0.02)


def _hierarchies():
    """Where a group of our own can be made: the whole tree, or beside the
    controllers of the first version the two that systemd needs."""
    both = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"]
    there = [h for h in both if os.path.isdir(h)]
    return there or ["/sys/fs/cgroup"]


class Machine:
    def __init__(self, suite):
        self.suite = suite
        self.name = "glmproxy-test-%d-%s" % (os.getpid(), suite)
        self.root = Overlay(machine_root(suite), self.name)
        self.path = self.root.path
        self.groups = [os.path.join(h, self.name) for h in _hierarchies()]
        self.console = os.path.join(WORK, suite + "-console.log")
        self.programs = []
        self.leader = None
        self.nspawn = None
        with open(self.path + "/etc/hosts", "w", encoding="ascii") as f:
            f.write("127.0.0.1 localhost\n::1 localhost\n")

    # --- booting --------------------------------------------------------------

    def boot(self):
        for group in self.groups:
            os.makedirs(group, exist_ok=True)
        join = "".join("echo $$ >%s/cgroup.procs; " % g for g in self.groups)
        with open(self.console, "wb") as log:
            self.nspawn = subprocess.Popen(
                ["sh", "-c", join + 'exec "$@"', "sh", "systemd-nspawn",
                 "--quiet", "--register=no", "--keep-unit",
                 "--private-network", "--machine=glmproxy-test",
                 "--resolv-conf=off", "--link-journal=no", "--console=pipe",
                 "-D", self.path, "--boot"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(os.environ, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1"))
        self.leader = wait_until(self._find_leader, "a booting system", BOOT_S)
        wait_until(lambda: self.run("systemctl", "is-system-running",
                                    check=False).stdout.strip() == "running",
                   "system that runs, without a failed unit", BOOT_S)
        return self

    def _find_leader(self):
        if self.nspawn.poll() is not None:
            raise AssertionError("systemd-nspawn ended; see " + self.console)
        path = "/proc/%d/task/%d/children" % (self.nspawn.pid,
                                              self.nspawn.pid)
        with open(path, encoding="ascii") as f:
            pids = f.read().split()
        for pid in pids:
            with open("/proc/%s/comm" % pid, encoding="utf-8") as f:
                if f.read().strip() == "systemd":
                    return int(pid)
        return None

    def end(self):
        for program in self.programs:
            program.kill()
            program.wait()
        if self.nspawn is not None:
            if self.leader is not None:
                self.run("systemctl", "poweroff", check=False)
            try:
                self.nspawn.wait(30)
            except subprocess.TimeoutExpired:
                self.nspawn.send_signal(signal.SIGKILL)
                if self.leader is not None:
                    os.kill(self.leader, signal.SIGKILL)
                self.nspawn.wait()
        for group in self.groups:
            for folder, _, _ in os.walk(group, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass
        self.root.remove()

    # --- inside ---------------------------------------------------------------

    def run(self, *argv, check=True, timeout=COMMAND_S):
        """A command in the machine; both outputs are in stdout."""
        r = subprocess.run(
            ["nsenter", "-t", str(self.leader), "-a"] + ENV + list(argv),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
            timeout=timeout, check=False)
        if check and r.returncode != 0:
            raise AssertionError("%s: status %d\n%s" % (
                " ".join(argv), r.returncode, r.stdout))
        return r

    def spawn(self, *argv, **more):
        """A program of this machine on the other's loopback interface."""
        program = subprocess.Popen(
            ["nsenter", "-t", str(self.leader), "-n"] + list(argv), **more)
        self.programs.append(program)
        return program

    def write(self, path, text):
        path = self.path + path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def read(self, path):
        with open(self.path + path, encoding="utf-8") as f:
            return f.read()

    def pids(self, unit):
        """The processes of a unit, by this machine's numbers."""
        try:
            with open("%s/payload/system.slice/%s/cgroup.procs" % (
                    self.groups[0], unit), encoding="ascii") as f:
                return [int(pid) for pid in f.read().split()]
        except OSError:
            return []
