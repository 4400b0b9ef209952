# SPDX-License-Identifier: MIT
"""lint.py - what can be said of packages without installing them."""

import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from tests.system.roots import ROOT, VERSIONS, host_suite

GLIBC_MOST = (2, 34)  # EL 9
EXPOSURE_MOST = "11"  # 1.1, of the unit by itself
COMPILED_LEAST = 200  # files of the program
RPM_FLAGS = (" -fPIE ", " -fstack-protector-strong ",
             " -fstack-clash-protection ", " -D_FORTIFY_SOURCE=2 ")
PROGRAM = "usr/sbin/glmproxy"


def output(*argv, check=True, **more):
    r = subprocess.run(argv, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       encoding="utf-8", errors="replace", check=False,
                       **more)
    if check and r.returncode != 0:
        raise AssertionError("%s: status %d\n%s" % (
            " ".join(argv), r.returncode, r.stdout))
    return r.stdout


class Lint(unittest.TestCase):
    folders = None  # by machine; what is not there is skipped

    def folder(self, machine):
        if machine not in self.folders:
            self.skipTest("no packages for " + machine)
        return self.folders[machine]

    def find(self, machine, pattern):
        found = glob.glob(os.path.join(self.folder(machine), pattern))
        self.assertEqual(len(found), 1, found)
        return found[0]

    def unpack_deb(self):
        path = tempfile.mkdtemp(prefix="glmproxy-deb-")
        self.addCleanup(shutil.rmtree, path)
        output("dpkg-deb", "-x", self.find(
            host_suite(), "glmproxy_%s_*.deb" % VERSIONS[0]), path)
        return path

    def test_lintian(self):
        out = output("lintian", "-I", "--pedantic", "--fail-on",
                     "error,warning,info,pedantic", "--allow-root",
                     self.find(host_suite(), "glmproxy_%s_*.changes" %
                               VERSIONS[0]))
        self.assertEqual(out.strip(), "")

    def compiled(self, machine):
        """The log of a build, once it tells of every file of the program."""
        path = os.path.join(self.folder(machine), "build.log")
        with open(path, encoding="utf-8") as f:
            text = f.read().replace("\\\n", " ")
        lines = [line for line in text.split("\n") if " -c -o " in line]
        self.assertGreater(len(lines), COMPILED_LEAST)
        return path, lines

    def test_build_flags(self):
        output("blhc", "--all", self.compiled(host_suite())[0])

    def test_build_flags_of_rpm(self):
        """The spec's own; blhc knows Debian's only."""
        for line in self.compiled("rpm")[1]:
            for flag in RPM_FLAGS:
                self.assertIn(flag, line)

    def test_hardening(self):
        # A note on control-flow protection is the linker's only if all that
        # is linked has it: crt1.o and libc's static parts do not.
        output("hardening-check", "--nocfprotection",
               os.path.join(self.unpack_deb(), PROGRAM))

    def test_files(self):
        """What belongs to it is in it, and nothing else."""
        path = self.unpack_deb()
        found = set()
        for folder, _, files in os.walk(path):
            found |= {os.path.relpath(os.path.join(folder, f), path)
                      for f in files}
        found = {re.sub(r"^(usr/)?lib/systemd", "lib/systemd", f)
                 for f in found}
        share = "usr/share/"
        self.assertEqual(found, {
            "etc/glmproxy/glmproxy.conf", PROGRAM,
            "lib/systemd/system/glmproxy.service",
            "usr/lib/sysusers.d/glmproxy.conf",
            share + "bash-completion/completions/glmproxy",
            share + "doc/glmproxy/README.md.gz",
            share + "doc/glmproxy/changelog.gz",
            share + "doc/glmproxy/copyright",
            share + "glmproxy/glmproxy.rules.yml",
            share + "glmproxy/glmproxy.vocab",
            share + "glmproxy/grafana.json",
            share + "lintian/overrides/glmproxy",
            share + "man/man5/glmproxy.conf.5.gz",
            share + "man/man8/glmproxy.8.gz"})

    def test_exposure(self):
        output("systemd-analyze", "security", "--offline=yes", "--no-pager",
               "--threshold=" + EXPOSURE_MOST,
               os.path.join(ROOT, "packaging/systemd/glmproxy.service"))

    def test_rpmlint(self):
        out = output("rpmlint", "-r",
                     os.path.join(ROOT, "rpm/glmproxy.rpmlintrc"),
                     os.path.join(ROOT, "rpm/glmproxy.spec"),
                     self.find("rpm", "glmproxy-%s-*.x86_64.rpm" %
                               VERSIONS[0]), check=False)
        self.assertRegex(out, r"\b0 errors, 0 warnings", out)

    def test_glibc_of_el(self):
        out = output("rpm", "-qp", "--requires", self.find(
            "rpm", "glmproxy-%s-*.x86_64.rpm" % VERSIONS[0]))
        needed = [tuple(map(int, v.split(".")))
                  for v in re.findall(r"GLIBC_([\d.]+)", out)]
        self.assertTrue(needed)
        self.assertLessEqual(max(needed), GLIBC_MOST)

    def test_rpm_marks_its_configuration(self):
        rpm = self.find("rpm", "glmproxy-%s-*.x86_64.rpm" % VERSIONS[0])
        self.assertEqual(output("rpm", "-qcp", rpm).split(),
                         ["/etc/glmproxy/glmproxy.conf"])
        flags = output("rpm", "-qp", "--qf", "[%{FILENAMES} %{FILEFLAGS:fflags}"
                       "\\n]", rpm)
        self.assertIn("/etc/glmproxy/glmproxy.conf cn", flags)

    def test_versions_agree(self):
        def first(path, pattern):
            with open(os.path.join(ROOT, path), encoding="utf-8") as f:
                return re.search(pattern, f.read(), re.M).group(1)

        self.assertEqual(
            {first("Makefile", r"^VERSION\s*=\s*(\S+)"),
             first("debian/changelog", r"^glmproxy \(([^)]+)\)"),
             first("rpm/glmproxy.spec", r"^Version:\s*(\S+)")},
            {VERSIONS[0]})
