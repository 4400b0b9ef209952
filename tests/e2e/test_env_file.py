# SPDX-License-Identifier: MIT
"""`check --env FILE`: what becomes of each line of an old .env file."""

import os
import re
import shutil
import tempfile
import unittest

from tests.e2e import harness
from tests.e2e.harness import ROOT, run_program

DONE, USAGE, CONFIG = 0, 64, 78
LOST = "not a name of glmproxy"

# What the program that glmproxy replaces read, and what its example files
# listed beside that.
READ = """
UPSTREAM_BASE OPENAI_UPSTREAM_BASE SERVER_API_KEY FORWARD_CLIENT_KEY
FORWARD_COUNT_TO_UPSTREAM COUNT_SHAPE_COMPAT FORCE_ANTHROPIC_BETA
DEFAULT_ANTHROPIC_BETA DEBUG AUTOTEXT_MODEL AUTOVISION_MODEL
TEXT_ENDPOINT_PREFERENCE MODEL_MAP_JSON OPENAI_MODELS_LIST_JSON
ENABLE_ZAI_THINKING ANTHROPIC_EXPECTED_TOKENS OPENAI_EXPECTED_TOKENS
REAL_TEXT_MODEL_TOKENS REAL_VISION_MODEL_TOKENS OPENAI_TEXT_REAL_TOKENS
OPENAI_VISION_REAL_TOKENS SCALE_COUNT_TOKENS_FOR_VISION
TOKEN_VALIDATION_PERCENTAGE_THRESHOLD TOKEN_VALIDATION_MIN_DIFFERENCE
CONNECT_TIMEOUT REQUEST_TIMEOUT STREAM_TIMEOUT RETRY_BACKOFF HTTP_POOL_MAXSIZE
HTTP_KEEPALIVE_CONNECTIONS HTTP_POOL_CONNECTIONS IMAGE_AGE_THRESHOLD
GENERATE_IMAGE_DESCRIPTIONS IMAGE_DESCRIPTION_MAX_TOKENS
IMAGE_DESCRIPTION_CACHE_SIZE CACHE_CONTEXT_MESSAGES
IMAGE_AGE_TRUNCATION_MESSAGE IMAGE_DESCRIPTION_PROMPT BASE_IMAGE_TOKENS
IMAGE_TOKENS_PER_CHAR ENABLE_DYNAMIC_IMAGE_TOKENS CACHE_DIR
CACHE_ENABLE_LOGGING ENABLE_ACCURATE_TOKEN_COUNTING TIKTOKEN_CACHE_SIZE
ENABLE_TOKEN_COUNTING_LOGGING ENABLE_AI_CONDENSATION
CONDENSATION_DEFAULT_STRATEGY CONDENSATION_CAUTION_THRESHOLD
CONDENSATION_WARNING_THRESHOLD CONDENSATION_CRITICAL_THRESHOLD
CONDENSATION_MIN_MESSAGES CONDENSATION_MAX_MESSAGES CONDENSATION_TIMEOUT
CONDENSATION_CACHE_TTL ENABLE_CONTEXT_PERFORMANCE_LOGGING CONTEXT_CACHE_SIZE
CONTEXT_ANALYSIS_CACHE_TTL ENABLE_CHUNK_BASED_CONDENSATION CHUNK_SIZE_MESSAGES
CHUNK_MAX_TOKENS CHUNK_OVERLAP_MESSAGES CHUNK_CACHE_SIZE CHUNK_CACHE_TTL
ENABLE_CHUNK_PERSISTENCE CHUNK_CONDENSATION_STRATEGY SKIP_CONDENSED_CHUNKS
CHUNK_AGE_THRESHOLD ENABLE_ENV_DEDUPLICATION ENV_DEDUPLICATION_STRATEGY
ENV_DETAILS_MAX_AGE_MINUTES ENV_DETAILS_PATTERNS ENV_DEDUPLICATION_LOGGING
ENV_DEDUPLICATION_STATS UPSTREAM_LOG_ROTATION UPSTREAM_LOG_MAX_SIZE_MB
UPSTREAM_LOG_BACKUP_COUNT UPSTREAM_LOG_COMPRESSION
UPSTREAM_LOG_COMPRESS_IMMEDIATELY UPSTREAM_LOG_RETENTION_DAYS
LOG_CLEANUP_INTERVAL_HOURS UPSTREAM_LOG_DIR LOG_ROTATION_LOGGING
LOGGING_PERFORMANCE_LEVEL LOG_PAYLOAD_THRESHOLD ENABLE_REQUEST_BODY_LOGGING
ENABLE_RESPONSE_BODY_LOGGING PROXY_HOST PROXY_PORT LOG_LEVEL ENABLE_STATS
""".split()
LISTED = """
HOST PORT ENABLE_TOKEN_VALIDATION TOKEN_ACCURACY_WARNING_THRESHOLD
TOKEN_ACCURACY_ERROR_THRESHOLD ENABLE_MESSAGE_CONDENSATION
CONDENSATION_EMERGENCY_THRESHOLD CONDENSATION_MODEL
ENABLE_ENVIRONMENT_DEDUPLICATION ENVIRONMENT_DEDUPLICATION_STRATEGY
ENVIRONMENT_DEDUPLICATION_SIMILARITY_THRESHOLD TOKEN_COUNTING_MODEL
CACHE_ASYNC_WRITE CACHE_COMPRESSION CACHE_DEFAULT_TTL_SECONDS
CACHE_1H_TTL_SECONDS MIN_CACHEABLE_TOKENS CONTEXT_LOGGING_WARNING_THRESHOLD_MS
CONTEXT_LOGGING_ERROR_THRESHOLD_MS ENABLE_STRUCTURED_LOGGING ENABLE_CORS
CORS_ORIGINS ENABLE_HEALTH_CHECK HEALTH_CHECK_PATH ENABLE_METRICS METRICS_PATH
RATE_LIMIT_PER_MINUTE MAX_REQUEST_SIZE_MB ENABLE_REQUEST_ID_TRACKING
CONTAINER_NAME
""".split()
# Those that work as they are.
BARE = {n for n in READ if n == "DEBUG"} | set("""
SERVER_API_KEY FORWARD_CLIENT_KEY FORWARD_COUNT_TO_UPSTREAM UPSTREAM_BASE
OPENAI_UPSTREAM_BASE MODEL_MAP_JSON OPENAI_MODELS_LIST_JSON AUTOTEXT_MODEL
AUTOVISION_MODEL FORCE_ANTHROPIC_BETA DEFAULT_ANTHROPIC_BETA
COUNT_SHAPE_COMPAT ANTHROPIC_EXPECTED_TOKENS OPENAI_EXPECTED_TOKENS
REAL_TEXT_MODEL_TOKENS REAL_VISION_MODEL_TOKENS TEXT_ENDPOINT_PREFERENCE
ENABLE_ZAI_THINKING ENABLE_ENV_DEDUPLICATION CONNECT_TIMEOUT REQUEST_TIMEOUT
STREAM_TIMEOUT UPSTREAM_LOG_ROTATION UPSTREAM_LOG_MAX_SIZE_MB
UPSTREAM_LOG_BACKUP_COUNT UPSTREAM_LOG_COMPRESSION
UPSTREAM_LOG_COMPRESS_IMMEDIATELY UPSTREAM_LOG_RETENTION_DAYS
LOG_CLEANUP_INTERVAL_HOURS
""".split())


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="glmproxy-env-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.path = os.path.join(self.dir, "old.env")

    def explain(self, text, *args, code=DONE):
        """The lines of output by their number in the file, and the run."""
        with open(self.path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        r = run_program("check", "--env", self.path, *args)
        self.assertEqual(r.returncode, code, r)
        out = r.stdout.decode()
        found = {}
        for line in out.splitlines():
            m = re.match(re.escape(self.path) + r":(\d+): (.*)$", line)
            if m:
                found[int(m.group(1))] = m.group(2)
        return found, r

    def one(self, line, *args, code=DONE):
        found, r = self.explain(line + "\n", *args, code=code)
        self.assertEqual(list(found), [1], r)
        return found[1]


class Names(Case):
    def test_every_old_name_is_known(self):
        for name in READ + LISTED:
            with self.subTest(name):
                said = self.one(name + "=1")
                self.assertNotIn(LOST, said)
                if name in BARE:
                    self.assertRegex(said, "taken over as|bad value: ")
                else:
                    self.assertRegex(said, "^%s: ignored: " % name)

    def test_bare_names_are_those_that_the_program_reads(self):
        with open(os.path.join(ROOT, "shared/sys/conf.def"),
                  encoding="ascii") as f:
            text = re.sub(r"\s+", " ", f.read())
        bare = set(re.findall(r'CONF\(\w+, \w+, "\w+", "([A-Z_]+)"', text))
        self.assertEqual(bare - {"UPSTREAM_LOG_BODIES"}, BARE - {"DEBUG"})

    def test_the_table_names_keys_that_exist(self):
        with open(os.path.join(ROOT, "master/env_names.def"),
                  encoding="ascii") as f:
            text = f.read()
        with open(os.path.join(ROOT, "shared/sys/conf.def"),
                  encoding="ascii") as f:
            keys = set(re.findall(r'"([a-z_]+)"', f.read()))
        renamed = re.findall(r'RENAMED\("(\w+)", "(\w+)"', text)
        self.assertGreater(len(renamed), 15)
        for name, key in renamed:
            self.assertIn(key, keys, name)
        for name in re.findall(r'CHANGED\("(\w+)"', text):
            self.assertIn(name, BARE)

    def test_verdicts(self):
        for line, want in (
                ("AUTOTEXT_MODEL=glm-4.5",
                 "AUTOTEXT_MODEL = glm-4.5: taken over as autotext_model$"),
                ("GLMPROXY_WORKERS=3", "taken over as workers$"),
                ("DEBUG=yes", "taken over as log_level; changed: sets"),
                ("TEXT_ENDPOINT_PREFERENCE=auto", "; changed: auto sends"),
                ("PORT=8000", "ignored: set listen instead: was never read"),
                ("RATE_LIMIT_PER_MINUTE=60", "ignored: was never read$"),
                ("CHUNK_ANYTHING=1", "ignored: nothing is summarized"),
                ("PATH=/bin", "^PATH: ignored: " + LOST),
                ("AUTOTEXT_MODEL=", "empty: ignored"),
                ("REQUEST_TIMEOUT=soon", "bad value: request_timeout_s: must "
                 "be a number of seconds .*the default counts, with a warn"),
                ("MODEL_MAP_JSON=[]", "bad value: model_map_json: It must be "
                 "a JSON object"),
                ("UPSTREAM_BASE=api.z.ai", "bad value: .*https://"),
                ("export AUTOTEXT_MODEL=x", "without export"),
                ("FORCE_ANTHROPIC_BETA=true # yes", "bad value: .*note: "
                 "systemd takes the # and what follows for a part"),
                ("AUTOTEXT_MODEL=${MODEL}", "note: nothing is expanded"),
                ("UPSTREAM_BASE='http://h/", "note: its quote is never closed"),
                ("a line of prose", "not NAME=value: systemd skips it")):
            with self.subTest(line):
                self.assertRegex(self.one(line), want)

    def test_what_would_refuse_the_start_does_so_here(self):
        for line, why in (("GLMPROXY_WROKERS=2", "nearest is workers"),
                          ("GLMPROXY_WORKERS=0", "bad value: workers: must")):
            said = self.one(line, code=CONFIG)
            self.assertRegex(said, why + ".*; the start is refused")
        _, r = self.explain("FORWARD_CLIENT_KEY=false\n", code=CONFIG)
        self.assertIn(b"set server_api_key_file", r.stderr)

    def test_the_last_one_counts(self):
        found, r = self.explain("AUTOTEXT_MODEL=a\nAUTOTEXT_MODEL=b\n",
                                "--print")
        self.assertEqual(found[1], "AUTOTEXT_MODEL: ignored: line 2 says it "
                         "again")
        self.assertIn(b"autotext_model = b  # environment", r.stdout)


class Effect(Case):
    """What is explained is what the program does with that environment."""

    def test_print_shows_the_same_as_a_real_environment(self):
        values = {"AUTOTEXT_MODEL": "glm-4.5", "DEBUG": "1",
                  "MODEL_MAP_JSON": '{"gpt-4o":"glm-4.6"}',
                  "REQUEST_TIMEOUT": "300", "STREAM_TIMEOUT": "later",
                  "REAL_VISION_MODEL_TOKENS": "65536",
                  "GLMPROXY_LISTEN": "127.0.0.1:6000"}
        _, r = self.explain("".join(
            "%s='%s'\n" % v for v in values.items()), "--print")
        here = [l for l in r.stdout.decode().splitlines() if " = " in l
                and not l.startswith(self.path)]
        real = run_program("check", "--print",
                           env=harness.clean_env(**values))
        self.assertEqual(here, real.stdout.decode().splitlines())
        self.assertGreater(len(here), 50)

    def test_the_seed_of_the_development_guide(self):
        found, r = self.explain("""# Required: Your API key
SERVER_API_KEY=your-api-key-here

# Optional: Custom upstream URL
UPSTREAM_BASE=https://api.z.ai/api/anthropic
FORWARD_CLIENT_KEY=true
FORWARD_COUNT_TO_UPSTREAM=true
COUNT_SHAPE_COMPAT=true
AUTOTEXT_MODEL=glm-4.5
AUTOVISION_MODEL=glm-4.5
OPENAI_MODELS_LIST_JSON=["glm-4.5","glm-4.5v"]
MODEL_MAP_JSON={}
FORCE_ANTHROPIC_BETA=false
DEFAULT_ANTHROPIC_BETA=prompt-caching-2024-07-31
""")
        self.assertEqual(len(found), 11)
        for said in found.values():
            self.assertIn("taken over as", said)
        self.assertIn(b": 11 taken over, 6 of them changed, 0 ignored, 0 bad",
                      r.stdout)
        self.assertIn(b"configuration ok", r.stdout)


class Hostile(Case):
    def test_secrets_are_masked(self):
        secret = "sk-shown-nowhere-1"
        for line in ("SERVER_API_KEY=%s", "SERVER_API_KEY='%s'",
                     "GLMPROXY_SERVER_API_KEY=%s", "SERVER_API_KEY=a %s",
                     "UPSTREAM_BASE=https://u:%s@h/", "AWS_SECRET=%s", "%s",
                     "export SERVER_API_KEY=%s", "X %s=1",
                     "SERVER_API_KEY=1\nSERVER_API_KEY=%s",
                     "SERVER_API_KEY=%s\nSERVER_API_KEY=1"):
            with self.subTest(line):
                with open(self.path, "w", encoding="ascii") as f:
                    f.write(line % secret)
                r = run_program("check", "--print", "--env", self.path)
                self.assertNotIn(secret.encode(), r.stdout + r.stderr)
                self.assertIn(self.path.encode() + b":1: ", r.stdout)

    def test_nothing_reaches_the_terminal(self):
        found, r = self.explain(b"AUTOTEXT_MODEL=\x1b[2Jx\nA\x1b=1\n"
                                b"DEFAULT_ANTHROPIC_BETA='a\nb'\nB=\xff\n")
        self.assertNotIn(b"\x1b", r.stdout + r.stderr)
        self.assertNotIn(b"\xff", r.stdout + r.stderr)
        self.assertEqual(len(found), 4)

    def test_bounds(self):
        _, r = self.explain("A=1\n" * 1000)
        self.assertEqual(r.stdout.count(b"\n"), 1002)
        _, r = self.explain("A=1\n" * 1001, code=CONFIG)
        self.assertIn(b"more than 1000 settings", r.stderr)
        _, r = self.explain(b"A=" + b"x" * (1 << 20), code=CONFIG)
        self.assertIn(b"larger than 1 MiB", r.stderr)
        found, r = self.explain("AUTOTEXT_MODEL=" + "x" * 100000)
        self.assertLess(len(found[1]), 300)

    def test_files_that_cannot_be_read(self):
        fifo = os.path.join(self.dir, "fifo")
        os.mkfifo(fifo)
        for path in ("/nonexistent", self.dir, "/dev/zero"):
            r = run_program("check", "--env", path)
            self.assertEqual(r.returncode, CONFIG, r)
            self.assertEqual(r.stderr.count(b"\n"), 1)
        self.assertEqual(run_program("check", "--env", fifo).returncode, DONE)
        self.assertEqual(run_program("check", "--env").returncode, USAGE)


if __name__ == "__main__":
    unittest.main()
