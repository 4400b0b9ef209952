# SPDX-License-Identifier: MIT
"""packages.py - how the packages come and go."""

import os
import shutil

from tests.system.cases import Life, has_conf_edits
from tests.system.roots import ROOT, VERSIONS
from tests.system.service import CONF, UNIT


class DebLife(Life):
    def install(self, version):
        name = os.path.basename(self.packages[version])
        shutil.copy(self.packages[version], self.machine.path + "/root")
        if version == 0 and not os.path.exists(self.machine.path + CONF):
            # As a person does it; it looks at what is needed, too.
            self.machine.run("apt-get", "install", "-y", "-q", "/root/" + name)
        else:
            self.machine.run("dpkg", "-i", "/root/" + name)

    def test_80_debian_tests(self):
        """What autopkgtest runs in machines."""
        shutil.copy(os.path.join(ROOT, "debian/tests/service"),
                    self.machine.path + "/root")
        self.machine.run("sh", "/root/service")

    def test_91_remove(self):
        self.machine.run("apt-get", "remove", "-y", "-q", "glmproxy")
        self.assertEqual(self.service.processes(), {})
        self.assertTrue(has_conf_edits(self.machine))
        self.assertEqual(self.service.health()[0], 0)
        self.assertIn("history.db", os.listdir(
            self.machine.path + "/var/lib/glmproxy"))

    def test_92_install_again(self):
        """What the operator has written is still there."""
        self.install(1)
        self.assertTrue(has_conf_edits(self.machine))
        self.assertEqual(self.service.chat("hello")[0], 200)

    def test_93_purge(self):
        self.machine.run("apt-get", "purge", "-y", "-q", "glmproxy")
        self.assertEqual(self.service.processes(), {})
        self.assertEqual(self.left_over(), [])
        self.assertEqual(self.service.systemctl(
            "is-system-running", check=False).stdout.strip(), "running")


class RpmLife(Life):
    """In a Debian with rpm, so that names of dependencies are not its. What
    does not depend on the package has been tried by the other's life."""

    test_22_hangup = None
    test_25_worker_killed = None
    test_26_master_killed = None
    test_31_environment_file = None
    test_32_environment_files_are_read_as_systemd_does = None
    test_33_stop_waits_as_long_as_configured = None
    test_34_watchdog = None
    test_35_wrong_configuration_is_not_tried_again = None
    test_36_taken_address_is_tried_again = None

    def install(self, version):
        name = os.path.basename(self.packages[version])
        shutil.copy(self.packages[version], self.machine.path + "/root")
        self.machine.run("rpm", "-U", "--nodeps", "--oldpackage",
                         "/root/" + name)

    def systemctl_first(self):
        """What distributions with rpm leave to the operator or to presets,
        and what their file triggers do."""
        self.verify()
        self.service.systemctl("daemon-reload")
        self.service.systemctl("enable", "--now", UNIT)

    def verify(self, *expected):
        out = self.machine.run("rpm", "-V", "--nodeps", "glmproxy",
                               check=False).stdout
        self.assertEqual([line.split()[-1] for line in out.splitlines()],
                         list(expected), out)

    def test_91_upgrade_keeps_the_configuration(self):
        other = 1 - VERSIONS.index(self.service.version())
        self.verify(CONF)
        self.install(other)
        self.assertTrue(has_conf_edits(self.machine))
        self.verify(CONF)
        self.assertIn(VERSIONS[other], self.machine.run(
            "rpm", "-q", "glmproxy").stdout)

    def test_92_erase(self):
        self.machine.run("rpm", "-e", "glmproxy")
        self.assertEqual(self.service.processes(), {})
        self.assertEqual(self.service.health()[0], 0)
        left = [path for path in self.left_over()
                if not path.startswith(("/var/lib/glmproxy",
                                        "/var/log/glmproxy"))]
        # As rpm does it: what the operator has written stays, under a name.
        self.assertEqual(left, ["/etc/glmproxy", CONF + ".rpmsave"])
