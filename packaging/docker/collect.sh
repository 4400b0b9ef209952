#!/bin/sh
# SPDX-License-Identifier: MIT
# collect.sh DIR - what the image holds: the program that `make` built, the
# libraries that it is linked with and their licences, the certificates, the
# vocabulary if there is one, a user and a configuration. In DIR.own what
# belongs to that user.
set -eu
cd "$(dirname "$0")/../.."
image=$1
program=build/glmproxy

# The files that the loader would open, the loader itself among them.
libraries()
{
	ldd "$program" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p; s/^[[:blank:]]*\(\/[^ ]*\) .*/\1/p'
}

# The licence of the package that a library came with. /lib may be a link, and
# diversions are told of as well.
licence()
{
	package=$(dpkg-query -S "$1" "/usr$1" "$(readlink -f "$1")" 2>/dev/null |
		grep -v '^diversion ' | head -n 1)
	package=${package%%:*}
	install -D -m 0644 "/usr/share/doc/$package/copyright" \
		"$image/usr/share/doc/$package/copyright"
}

install -D -m 0755 "$program" "$image/usr/sbin/glmproxy"
strip "$image/usr/sbin/glmproxy"
for library in $(libraries); do
	# The name that is asked for, the file that it leads to.
	install -D -m 0755 "$(readlink -f "$library")" "$image$library"
	licence "$library"
done
install -D -m 0644 LICENSE "$image/usr/share/doc/glmproxy/copyright"
install -D -m 0644 packaging/docker/glmproxy.conf \
	"$image/etc/glmproxy/glmproxy.conf"
[ ! -f build/glmproxy.vocab ] || install -D -m 0644 build/glmproxy.vocab \
	"$image/usr/share/glmproxy/glmproxy.vocab"
install -D -m 0644 /etc/ssl/certs/ca-certificates.crt \
	"$image/etc/ssl/certs/ca-certificates.crt"
printf 'root:x:0:0::/:\nglmproxy:x:10001:10001::/var/lib/glmproxy:\n' \
	>"$image/etc/passwd"
printf 'root:x:0:\nglmproxy:x:10001:\n' >"$image/etc/group"
printf 'hosts: files dns\n' >"$image/etc/nsswitch.conf"
for dir in var/lib/glmproxy var/log/glmproxy; do
	install -d -m 0750 "$image.own/$dir"
done
