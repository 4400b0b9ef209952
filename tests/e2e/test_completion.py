# SPDX-License-Identifier: MIT
"""The completion for bash offers what the program takes, and nothing else."""

import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from tests.e2e import harness
from tests.e2e.harness import run_program

FILE = os.path.join(harness.ROOT, "packaging/completion/glmproxy")
# Where a command's options are read, if not in master/cmd_<command>.c.
SOURCES = {"health": "status"}
# Outside of a completion, compopt is an error: what it is told is shown.
ASK = r"""
compopt() { echo "compopt $*"; }
. "$FILE"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_glmproxy "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
[ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}"
"""


def commands():
    text = run_program("help").stdout.decode()
    return re.findall(r"(?m)^  ([a-z]+) ", text.partition("\ncommands:\n")[2]
                      .partition("\n\n")[0])


def options():
    """{command: the long options that its source compares with}"""
    found = {}
    for path in glob.glob(os.path.join(harness.ROOT, "master/cmd_*.c")):
        with open(path, encoding="utf-8") as f:
            words = set(re.findall(r'"(--[a-z-]+)=?"', f.read()))
        found[os.path.basename(path)[4:-2]] = words
    return {c: found.get(SOURCES.get(c, c), set()) for c in commands()
            if c not in SOURCES.values()}


@unittest.skipUnless(shutil.which("bash"), "needs bash")
class Completion(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="glmproxy-completion-")
        self.addCleanup(shutil.rmtree, self.dir)

    def offered(self, *words):
        """What is offered for the last word; bash parts them at "=", too."""
        r = subprocess.run(
            ["bash", "--norc", "-c", ASK, "_", harness.GLMPROXY] + list(words),
            capture_output=True, cwd=self.dir, check=False,
            timeout=harness.DEADLINE_S, env=harness.clean_env(FILE=FILE))
        self.assertEqual((r.returncode, r.stderr), (0, b""), words)
        return r.stdout.decode().splitlines()

    def test_it_completes_the_program(self):
        r = subprocess.run(
            ["bash", "--norc", "-c", '. "$0" && complete -p', FILE],
            capture_output=True, check=True, timeout=harness.DEADLINE_S)
        self.assertEqual(r.stdout, b"complete -F _glmproxy glmproxy\n")

    def test_commands(self):
        self.assertGreater(len(commands()), 15)
        self.assertEqual(set(self.offered("")),
                         set(commands()) | {"-c", "-o"})
        self.assertEqual(self.offered("re"), ["restart", "reload"])
        self.assertEqual(self.offered("-o", "workers", "=", "2", "kE"), [])
        self.assertEqual(self.offered("-o", "workers", "=", "2", "ke"),
                         ["keygen"])
        self.assertEqual(self.offered("-c", "check", "ke"), ["keygen"])

    def test_each_option_of_each_command(self):
        taken = options()
        self.assertEqual(taken["health"], {"--timeout", "--alive"})
        self.assertGreater(sum(len(v) for v in taken.values()), 25)
        for command, want in taken.items():
            with self.subTest(command):
                self.assertEqual(set(self.offered(command, "--")), want)
                got = set(self.offered(command, ""))
                self.assertEqual(got - {"-b"}, want | {"-c", "-o"})
                self.assertEqual("-b" in got, command == "run")

    def test_options_without_a_command_are_those_of_run(self):
        self.assertEqual(set(self.offered("-")), {
            "-b", "--background", "-c", "-o", "--help", "--version"})

    def test_files(self):
        for name in ("old.env", "with blank.env"):
            with open(os.path.join(self.dir, name), "wb"):
                pass
        for words in (["check", "--env"], ["check", "--print", "-c"], ["-c"],
                      ["translate", "--request"], ["translate", "--answer"],
                      ["translate", "--answer", "="]):
            with self.subTest(words):
                got = self.offered(*words, "")
                self.assertEqual(got[0], "compopt -o filenames")
                self.assertEqual(sorted(got[1:]),
                                 ["old.env", "with blank.env"])
                self.assertEqual(self.offered(*words, "ol")[1:], ["old.env"])

    def test_a_flag_has_no_file(self):
        self.assertIn("--from", self.offered("count", "--request", ""))

    def test_values(self):
        said = run_program("stats", "--by", "x").stderr.decode()
        by = re.search("--by takes (.*), parted by", said).group(1).split(", ")
        self.assertEqual(self.offered("stats", "--by", ""), by)
        self.assertEqual(self.offered("stats", "--by", "cl"), ["client"])
        self.assertEqual(self.offered("stats", "--by", "day,model,d"),
                         ["day,model,day", "day,model,dialect"])
        for words in (["translate", "--from"], ["translate", "--to"],
                      ["count", "--from"]):
            for more in ([""], ["="]):
                self.assertEqual(self.offered(*words, *more),
                                 ["anthropic", "openai"])
            self.assertEqual(self.offered(*words, "=", "o"), ["openai"])
        # It takes no "=".
        self.assertEqual(self.offered("stats", "--by", "=", "cl"), [])
        for value in self.offered("stats", "--last", ""):
            r = run_program("stats", "--last", value, "-o",
                            "state_dir=" + self.dir)
            self.assertNotIn("takes a time", r.stderr.decode())
        for words in (["health", "--timeout"], ["top", "--interval"],
                      ["translate", "--seed"]):
            self.assertEqual(self.offered(*words, ""), [])

    def test_keys(self):
        self.assertEqual(self.offered("check", "-o", "workers"),
                         ["compopt -o nospace", "workers="])
        self.assertGreater(len(self.offered("-o", "")), 50)
        # The values of a key are not known.
        self.assertEqual(self.offered("-o", "workers", "="), [])
        self.assertEqual(self.offered("-o", "workers", "=", "r"), [])


if __name__ == "__main__":
    unittest.main()
