#!/bin/sh
# SPDX-License-Identifier: MIT
# deps.sh - install the Debian packages that a make target needs.
#
#	packaging/deps.sh build|vocab|deb|rpm|system|demo|test|prometheus|container|cluster|lint|bench|all [--list]
#
# Says and does nothing when all are there. --list prints the names only, for
# other distributions to translate. Tried on Debian 12 and 13.
set -eu

usage() {
	echo "usage: $0 build|vocab|deb|rpm|system|demo|test|prometheus|container|cluster|lint|bench|all [--list]" >&2
	exit 64
}

# One word a package; "package:command" is content with the command from
# anywhere; "a|b" takes the first that is installed, else that apt knows.
build="gcc libc6-dev make pkg-config:pkg-config libmbedtls-dev libjsmn-dev zlib1g-dev
	libsqlite3-dev libllhttp-dev|node-llhttp"
vocab="ca-certificates npm:npm python3:python3"
deb="$build dpkg-dev:dpkg-buildpackage debhelper bash-completion libcmocka-dev python3:python3"
rpm="$build rpm:rpmbuild python3:python3 systemd:systemctl"
system="$deb $rpm $vocab libjansson-dev curl:curl openssl:openssl python3:python3 mmdebstrap:mmdebstrap
	systemd-container:systemd-nspawn lintian:lintian blhc:blhc rpmlint:rpmlint
	devscripts:hardening-check"
demo="$build libjansson-dev curl:curl python3:python3 openssl:openssl"
test="$demo libcmocka-dev nodejs:node npm:npm ca-certificates
	manpages-zh fortunes-zh chromium:chromium"
prometheus="prometheus:prometheus prometheus:promtool"
lint="$test unicode-data clang clang-format clang-tidy libclang-rt-dev cppcheck:cppcheck
	shellcheck:shellcheck"
container="$demo mmdebstrap:mmdebstrap buildah:buildah podman:podman crun:crun
	podman-compose:podman-compose fuse-overlayfs uidmap iproute2:ip"
cluster="$demo haproxy:haproxy prometheus:prometheus iproute2:ip"
bench="$demo $vocab nodejs:node manpages-zh fortunes-zh
	nginx:nginx haproxy:haproxy wrk:wrk"

[ $# -ge 1 ] || usage
case $1 in
build) wanted=$build ;;
vocab) wanted=$vocab ;;
deb) wanted=$deb ;;
rpm) wanted=$rpm ;;
system) wanted=$system ;;
demo) wanted=$demo ;;
test) wanted=$test ;;
prometheus) wanted=$prometheus ;;
container) wanted=$container ;;
cluster) wanted=$cluster ;;
lint) wanted=$lint ;;
bench) wanted=$bench ;;
all) wanted="$lint $bench $prometheus $system" ;;
*) usage ;;
esac

# Daemons lie where only root looks.
PATH=$PATH:/usr/sbin:/sbin

is_installed() {
	# dpkg-query fails for unknown names, which is an answer.
	case $(dpkg-query -W -f '${Status}' "$1" 2>/dev/null || :) in
	*" installed") return 0 ;;
	*) return 1 ;;
	esac
}

# True if the word is satisfied.
is_there() {
	case $1 in
	*:*) command -v "${1#*:}" >/dev/null 2>&1 ;;
	*\|*) is_installed "${1%|*}" || is_installed "${1#*|}" ;;
	*) is_installed "$1" ;;
	esac
}

# The package to install for a word.
package_of() {
	case $1 in
	*:*) echo "${1%:*}" ;;
	*\|*)
		if apt-cache show "${1%|*}" >/dev/null 2>&1; then
			echo "${1%|*}"
		else
			echo "${1#*|}"
		fi
		;;
	*) echo "$1" ;;
	esac
}

if [ "${2-}" = --list ]; then
	for word in $wanted; do
		echo "${word%:*}"
	done | sort -u
	exit 0
fi
[ $# -eq 1 ] || usage

if ! command -v dpkg-query >/dev/null 2>&1; then
	# Elsewhere the compiler says what is missing.
	exit 0
fi

missing=
for word in $wanted; do
	is_there "$word" || missing="$missing $word"
done
[ -n "$missing" ] || exit 0

# What is missing, as package names, each once.
names() {
	for word in $missing; do
		package_of "$word"
	done | sort -u | tr '\n' ' '
}

as_root=
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		echo "$0: these packages are missing: $(names)" >&2
		echo "$0: install them as root; there is no sudo here" >&2
		exit 1
	fi
	as_root=sudo
fi

fail() {
	echo "$0: could not install: $(names)" >&2
	exit 1
}

# Installing a daemon starts it. Those of the benchmark are only wanted as
# programs, so nothing is started meanwhile.
policy=/usr/sbin/policy-rc.d
has_policy=
leave() {
	[ -z "$has_policy" ] || $as_root rm -f $policy
}
trap leave EXIT
trap 'exit 1' INT TERM
if [ ! -e $policy ]; then
	has_policy=1
	printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
	$as_root chmod 755 $policy
fi

echo "installing the packages that are missing" >&2
$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq || fail
# Not quoted: a list of words, each a package name.
# shellcheck disable=SC2046
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	--no-install-recommends $(names) >&2 || fail
for word in $missing; do
	is_there "$word" || fail
done
