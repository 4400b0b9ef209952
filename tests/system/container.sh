#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# container.sh - build the image and use it: read-only, without root, without
# capabilities, beside the stand-in upstream, in a network of its own. Needs
# root, and the packages of `packaging/deps.sh container`. Prints each check and
# `N passed, N failed`.
#
# Environment: CACHE, a folder for the base image and the storage of images
# (/var/tmp/glmproxy-container); SUITE of Debian (bookworm); KEEP=1 leaves the
# images there, so that the next run finds the compiler installed.
# Functions are called through check and until_true.
# shellcheck disable=SC2317
set -u
cd "$(dirname "$0")/../.." || exit 1
suite=${SUITE:-bookworm}
cache=${CACHE:-/var/tmp/glmproxy-container}
net=glmproxy-c$$
image=localhost/glmproxy:test-$$
base=localhost/glmproxy-base:$suite
key=client-key.1
passed=0
failed=0
names=
pid_standin=
work=$(mktemp -d)

# --- the frame ----------------------------------------------------------------

say() { printf '== %s (+%d s)\n' "$*" "$SECONDS"; }


# check NAME COMMAND...: does it succeed?
check()
{
	local name=$1
	shift
	if "$@" >"$work/said" 2>&1; then
		passed=$((passed + 1))
		echo "ok: $name"
	else
		failed=$((failed + 1))
		echo "FAILED: $name: $*"
		tail -n 20 "$work/said" | sed 's/^/    /'
	fi
}

# has FILE REGEX
has() { grep -aEq -- "$2" "$1" || { tail -n 20 "$1"; return 1; }; }

clean_up()
{
	local name
	for name in $names; do
		pod rm -f -t 0 "$name" >/dev/null 2>&1
	done
	for name in state log build; do
		pod volume rm "glmproxy-$name-$$" >/dev/null 2>&1
	done
	[ -z "$pid_standin" ] || kill "$pid_standin" 2>/dev/null
	ip netns del "$net" 2>/dev/null
	[ "${KEEP-}" = 1 ] || pod rmi -f "$image" "$image-dev" >/dev/null 2>&1
	rm -rf "$work"
}

finish()
{
	clean_up
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
	exit
}

give_up()
{
	failed=$((failed + 1))
	echo "FAILED: $*"
	finish
}

trap 'failed=$((failed + 1)); finish' INT TERM

# --- podman without a systemd and with a mixed hierarchy of control groups -------

storage=(--root "$cache/storage" --runroot "$cache/run" --storage-driver overlay)

pod()
{
	unshare --mount --propagation private bash -c '
		if [ -d /sys/fs/cgroup/unified ]; then
			mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup
		fi
		exec podman "$@"' _ "${storage[@]}" "$@"
}

bud() { buildah "${storage[@]}" "$@"; }

# start NAME ARGUMENTS...: a container as an operator should run it.
start()
{
	local name=$1-$$
	shift
	names="$names $name"
	pod run -d --name "$name" --cgroups=disabled \
		--ulimit nofile=4096:4096 --ulimit nproc=4096:4096 \
		--log-driver k8s-file --network "ns:/run/netns/$net" \
		--read-only --read-only-tmpfs=false --cap-drop=all \
		--security-opt no-new-privileges \
		-v "glmproxy-state-$$:/var/lib/glmproxy" \
		-v "glmproxy-log-$$:/var/log/glmproxy" \
		-e "UPSTREAM_BASE=http://localhost:$upstream/api/anthropic" \
		-e "OPENAI_UPSTREAM_BASE=http://localhost:$upstream/api/coding/paas/v4" \
		"$@"
}

# compose_env: "-e NAME=VALUE" of all that compose.yaml passes to a container when
# nothing is set, one word a line; only the upstreams are those of `start`.
compose_env()
{
	sed -n '/^    environment:$/,/^[^ ]/{
		/^      \(OPENAI_\)\{0,1\}UPSTREAM_BASE: /d
		s/^      \([A-Z_]*\): "\{0,1\}\([^"]*\)"\{0,1\}$/\1=\2/
		s/=\${[A-Z_]*:-\([^}]*\)}$/=\1/
		s/^[A-Z].*/-e\n&/p
	}' packaging/docker/compose.yaml
}

ended_with() { [ "$(pod wait "$2-$$")" = "$1" ]; }

logs() { pod logs "$1-$$" >"$work/stdout" 2>"$work/stderr"; }

inside() { ip netns exec "$net" "$@"; }

# until_true SECONDS COMMAND...
until_true()
{
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
	return 0
}

serves() { inside curl -sf -o /dev/null http://127.0.0.1:5000/health; }

# chat TEXT [ARGUMENTS...]: a streamed chat; the answer on stdout.
chat()
{
	local text=$1
	shift
	inside curl -sN --max-time 30 http://127.0.0.1:5000/v1/chat/completions \
		-H 'Content-Type: application/json' "$@" \
		-d "{\"model\":\"glm-4.6\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"$text\"}]}"
}

# --- building -------------------------------------------------------------------

[ "$(id -u)" -eq 0 ] || give_up "needs root"
packaging/deps.sh container || give_up "packages are missing"
mkdir -p "$cache"
if ! pod image exists "$base"; then
	say "a base from Debian $suite"
	tar=$cache/base-$suite.tar
	if [ ! -s "$tar" ]; then
		mmdebstrap --quiet --variant=minbase --include=ca-certificates \
			--format=tar "$suite" "$tar.part" >"$work/base" 2>&1 ||
			{ cat "$work/base"; give_up "no base"; }
		mv "$tar.part" "$tar"
	fi
	pod import "$tar" "$base" >"$work/base" 2>&1 ||
		{ cat "$work/base"; give_up "the base cannot be imported"; }
fi
say "building"
check "image builds" bud bud --quiet --layers --format docker \
	--isolation chroot --network host --build-arg "BASE=$base" \
	-f packaging/docker/Dockerfile -t "$image" .
pod image exists "$image" || give_up "there is no image"
size=$(pod image inspect --format '{{.Size}}' "$image")
printf 'size of the image: %d.%d MB\n' $((size / 1000000)) $((size / 100000 % 10))
check "image is smaller than 30 MB" test "$size" -lt 30000000
pod image inspect "$image" >"$work/image"
check "image does not run as root" has "$work/image" '"User": "10001:10001"'
check "image has a health check of the program's own" \
	has "$work/image" '"/usr/sbin/glmproxy"'

# --- running --------------------------------------------------------------------

make --no-print-directory standin >"$work/make" 2>&1 ||
	{ tail -n 20 "$work/make"; give_up "the stand-in is not built"; }
ip netns add "$net" || give_up "no network of our own"
inside ip link set lo up
inside build/release/standin --plain-listen 127.0.0.1:0 --quiet >"$work/standin" 2>&1 &
pid_standin=$!
until_true 15 grep -q listening "$work/standin" || { cat "$work/standin"; give_up "no stand-in"; }
upstream=$(sed -n 's/.*127.0.0.1:\([0-9]*\) (plain).*/\1/p' "$work/standin")

say "running, unconfigured, with what compose.yaml passes"
mapfile -t passed_on < <(compose_env)
check "every name is passed on, most of them empty" test \
	"$(compose_env | grep -c '^[A-Z_]*=$')" -gt 20
check "starts" start one "${passed_on[@]}" "$image"
check "serves" until_true 20 serves
pid=$(pod inspect --format '{{.State.Pid}}' "one-$$")
check "runs without root" has "/proc/$pid/status" '^Uid:.10001.10001.10001.10001'
check "has no capability" has "/proc/$pid/status" '^CapEff:.0*$'
check "can gain none" has "/proc/$pid/status" '^NoNewPrivs:.1$'
check "its root is read-only" has "/proc/$pid/mountinfo" ' / / ro'
check "health check passes" pod healthcheck run "one-$$"
check "status answers inside" pod exec "one-$$" /usr/sbin/glmproxy status
chat "[[text words=20]]" -H "Authorization: Bearer $key" >"$work/answer"
check "a streamed chat is complete" has "$work/answer" '^data: \[DONE\]'
check "it has every word" has "$work/answer" 'word20'
logs one
check "logs are on stderr" has "$work/stderr" 'info master\[1\]: ready: '
check "nothing is on stdout" test ! -s "$work/stdout"
check "an empty setting is none" bash -c "! grep -E ' (warn|err) ' '$work/stderr'"
check "it says what to do next" has "$work/stderr" 'no key configured: clients'
check "drained is still alive" pod exec "one-$$" /usr/sbin/glmproxy drain
check "health check passes while drained" pod healthcheck run "one-$$"

say "stopping under a stream"
chat "[[many n=30 delay=100]]" -H "Authorization: Bearer $key" >"$work/answer" &
stream=$!
until_true 10 grep -q 'data: ' "$work/answer"
begun=$SECONDS
check "stops" pod stop -t 10 "one-$$"
took=$((SECONDS - begun))
check "within the limit ($took s)" test "$took" -lt 10
wait "$stream"
check "the live stream was finished" has "$work/answer" '^data: \[DONE\]'
check "exit code 0" test "$(pod inspect --format '{{.State.ExitCode}}' "one-$$")" = 0
pod rm "one-$$" >/dev/null 2>&1

say "a second container on the same volumes, with the settings of an old .env"
printf 'SERVER_API_KEY=the.server-key\nDEBUG=true\nAUTOTEXT_MODEL=glm-4.5\nREQUEST_TIMEOUT=soon\n' \
	>"$work/old.env"
start two --env-file "$work/old.env" "$image" >/dev/null 2>&1
check "a server key on an open port is refused" ended_with 78 two
logs two
check "and says why" has "$work/stderr" 'err .*listen: 0.0.0.0:5000 can be reached'
pod rm -f -t 0 "two-$$" >/dev/null 2>&1
check "starts with leave" start three --env-file "$work/old.env" \
	-e GLMPROXY_ALLOW_OPEN_SERVER_KEY=true "$image"
check "serves" until_true 20 serves
chat "hello" >"$work/answer"
check "a client without a key is served" has "$work/answer" '^data: \[DONE\]'
inside curl -s "http://127.0.0.1:$upstream/__standin/requests?last=1" >"$work/sent"
check "with the server's key" has "$work/sent" 'the.server-key'
inside curl -s http://127.0.0.1:5000/v1/chat/completions -H 'Content-Type: application/json' \
	-d '{"messages":[{"role":"user","content":"hello"}]}' >/dev/null
inside curl -s "http://127.0.0.1:$upstream/__standin/requests?last=1" >"$work/sent"
check "with the model that was set" has "$work/sent" 'glm-4\.5'
logs three
check "a bad value is a warning" has "$work/stderr" 'warn .*REQUEST_TIMEOUT'
check "the key is in no log" bash -c "! grep -q the.server-key '$work/stderr'"
pod exec "three-$$" /usr/sbin/glmproxy stats --by status --json >"$work/stats" 2>&1
check "the history of the first is there" has "$work/stats" '"requests": ?([2-9]|[1-9][0-9])'
check "stops" pod stop -t 10 "three-$$"

pod rm -f -t 0 "three-$$" >/dev/null 2>&1

# --- for those who change it ------------------------------------------------------

say "as compose.dev.yaml has it: the tree mounted, the program built inside"
check "the image of the first stage builds" bud bud --quiet --layers --format docker \
	--isolation chroot --network host --build-arg "BASE=$base" --target build \
	-f packaging/docker/Dockerfile -t "$image-dev" .
names="$names dev-$$"
check "starts" pod run -d --name "dev-$$" --cgroups=disabled \
	--ulimit nofile=4096:4096 --ulimit nproc=4096:4096 \
	--log-driver k8s-file --network "ns:/run/netns/$net" \
	-v "$PWD:/src" -v "glmproxy-build-$$:/src/build" \
	"$image-dev" sh -c "$(sed -n 's/^      - \(make .*\)$/\1/p' packaging/docker/compose.dev.yaml)"
check "serves once it is built" until_true 300 serves
inside curl -s -o "$work/page" -w '%{http_code}\n' \
	-H "Authorization: Bearer $(cat packaging/docker/dev.token)" \
	http://127.0.0.1:5001/metrics >"$work/status"
check "the admin port takes the token of development" has "$work/status" '^200'
check "the program is replaced in place" pod exec "dev-$$" \
	sh -c 'make -s && build/glmproxy upgrade -c packaging/docker/dev.conf'
check "and serves on" until_true 20 serves
pod rm -f -t 0 "dev-$$" >/dev/null 2>&1

# --- compose --------------------------------------------------------------------

say "compose files"
check "names of an old .env are passed on" python3 packaging/docker/names.py
for file in compose.yaml compose.dev.yaml; do
	tried=
	for tool in "docker compose" docker-compose podman-compose; do
		command -v "${tool%% *}" >/dev/null 2>&1 || continue
		$tool version >/dev/null 2>&1 || continue
		case $tool in
		podman-compose) args="--dry-run up --no-build -d" ;;
		*) args="config -q" ;;
		esac
		# shellcheck disable=SC2086 # words are wanted
		check "$tool takes $file" $tool -f "packaging/docker/$file" $args
		tried=1
	done
	[ -n "$tried" ] || echo "skipped: no compose tool to try $file with"
done
finish
