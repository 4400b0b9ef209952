#!/bin/sh
# bench.sh - glmproxy beside nginx and haproxy, see bench.py.
set -eu
cd "$(dirname "$0")/../.."
exec python3 tests/bench/bench.py "$@"
