# SPDX-License-Identifier: MIT
"""roots.py - Debian roots to boot and to build in, and the packages.

Roots are made by mmdebstrap and kept below ~/.cache/glmproxy-system (or
GLMPROXY_SYSTEM_CACHE), under a name that holds what they were made of. They
are never written to: what runs in one sees it through an overlay.
"""

import hashlib
import os
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
CACHE = os.environ.get("GLMPROXY_SYSTEM_CACHE") or os.path.join(
    os.path.expanduser("~"), ".cache", "glmproxy-system")
WORK = os.path.join(ROOT, "build", "system")

# What a machine needs beside systemd: the libraries that the package wants,
# so that nothing is fetched inside, and rpm for the other package.
COMMON = ("systemd,systemd-sysv,dbus,procps,ca-certificates,rpm,zlib1g,"
          "libsqlite3-0")
SUITES = {
    "bookworm": COMMON + ",libmbedtls14",
    "trixie": COMMON + ",libmbedtls21,libllhttp9.2",
}
# The second version is for upgrades.
VERSIONS = ("0.1.0", "0.1.1")


class Failed(Exception):
    """Something that tests need could not be made."""


def run(argv, log, **more):
    """Run with the output in a file, which is shown if it fails."""
    with open(log, "ab") as f:
        status = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=f,
                                stderr=f, check=False, **more).returncode
    if status != 0:
        with open(log, encoding="utf-8", errors="replace") as f:
            tail = f.read()[-3000:]
        raise Failed("%s: status %d\n%s" % (" ".join(argv), status, tail))


def host_suite():
    with open("/etc/os-release", encoding="utf-8") as f:
        for line in f:
            if line.startswith("VERSION_CODENAME="):
                return line.strip().split("=")[1]
    return None


class Overlay:
    """A root that can be written to and is forgotten at the end."""

    def __init__(self, lower, name):
        self.dir = os.path.join(WORK, name)
        self.path = os.path.join(self.dir, "root")
        self.unmount()
        shutil.rmtree(self.dir, ignore_errors=True)
        for part in ("upper", "work", "root"):
            os.makedirs(os.path.join(self.dir, part))
        subprocess.run(
            ["mount", "-t", "overlay", "overlay", "-o",
             "lowerdir=%s,upperdir=%s/upper,workdir=%s/work" % (
                 lower, self.dir, self.dir), self.path], check=True)

    def unmount(self):
        if os.path.ismount(self.path):
            subprocess.run(["umount", self.path], check=True)

    def remove(self):
        self.unmount()
        shutil.rmtree(self.dir, ignore_errors=True)

    def chroot(self, script, log):
        """Run a shell script in it, on the host's network."""
        shutil.copy("/etc/resolv.conf", self.path + "/etc/resolv.conf")
        run(["unshare", "--mount", "--pid", "--fork", "sh", "-c",
             'mount -t proc proc "$1/proc" && '
             'exec chroot "$1" env -i HOME=/root LC_ALL=C.UTF-8 '
             'PATH=/usr/sbin:/usr/bin:/sbin:/bin '
             'DEBIAN_FRONTEND=noninteractive sh -ec "$2"',
             "sh", self.path, script], log)


def _cached(name, recipe, make):
    """A folder of the cache; make(path) fills it if it is not there."""
    mark = hashlib.sha256(recipe.encode()).hexdigest()[:10]
    path = os.path.join(CACHE, "%s-%s" % (name, mark))
    if not os.path.isdir(path):
        os.makedirs(CACHE, exist_ok=True)
        part = path + ".part"
        shutil.rmtree(part, ignore_errors=True)
        make(part)
        os.rename(part, path)
    return path


def machine_root(suite):
    def make(path):
        run(["mmdebstrap", "--quiet", "--variant=minbase",
             "--format=directory", "--include=" + SUITES[suite], suite, path],
            os.path.join(WORK, suite + "-root.log"))

    return _cached(suite, SUITES[suite], make)


def build_root(suite):
    """With what debian/control says is needed to build."""
    def make(path):
        run(["mmdebstrap", "--quiet", "--variant=apt", "--format=directory",
             "--include=build-essential",
             "--customize-hook=mkdir -p \"$1/src\"",
             "--customize-hook=cp -rL debian \"$1/src/\"",
             "--customize-hook=chroot \"$1\" apt-get build-dep -y -q "
             "--no-install-recommends /src", suite, path],
            os.path.join(WORK, suite + "-build-root.log"), cwd=ROOT)

    with open(os.path.join(ROOT, "debian/control"), encoding="utf-8") as f:
        return _cached(suite + "-build", f.read(), make)


def build_debs(suite, dist):
    """Both versions; the folder that they are in. On this machine if it is of
    that suite."""
    folder = os.path.join(WORK, "deb-" + suite)
    shutil.rmtree(folder, ignore_errors=True)
    log = os.path.join(WORK, suite + "-build.log")
    env = dict(os.environ, DEB_BUILD_OPTIONS="nocheck")
    if suite == host_suite():
        run(["packaging/deb.sh", "-n", VERSIONS[1], dist, folder], log,
            cwd=ROOT, env=env)
        return folder
    root = Overlay(build_root(suite), suite + "-build")
    try:
        shutil.copy(dist, root.path + "/root")
        shutil.copy(os.path.join(ROOT, "packaging/deb.sh"),
                    root.path + "/root")
        root.chroot("cd /root && DEB_BUILD_OPTIONS=nocheck ./deb.sh -n %s %s "
                    "out" % (VERSIONS[1], os.path.basename(dist)), log)
        shutil.copytree(root.path + "/root/out", folder,
                        ignore=shutil.ignore_patterns("glmproxy-?.?.?"))
    finally:
        root.remove()
    return folder


def build_rpms(dist):
    folder = os.path.join(WORK, "rpm")
    shutil.rmtree(folder, ignore_errors=True)
    log = os.path.join(WORK, "rpm-build.log")
    run(["packaging/rpm.sh", "-n", VERSIONS[1], dist, folder], log, cwd=ROOT,
        env=dict(os.environ, RPM_OPTIONS="--without check"))
    return folder
