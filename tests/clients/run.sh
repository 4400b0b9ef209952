#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh - the SDKs through the proxy and the stand-in upstream; fetches them
# first, by the lock file, into build/clients.
set -eu
cd "$(dirname "$0")/../.."
exec python3 -m tests.e2e.run_clients
