#!/bin/sh
# SPDX-License-Identifier: MIT
# reproducible.sh DIST FOLDER - build the packages twice, under other paths,
# another time zone, locale and umask, and compare them.
set -eu
dist=$1
folder=$2
bad=0

rm -rf "$folder"
mkdir -p "$folder/first" "$folder/second-of-another-length"
export DEB_BUILD_OPTIONS=nocheck RPM_OPTIONS="--without check"
for kind in deb rpm; do
	"packaging/$kind.sh" "$dist" "$folder/first/$kind" >/dev/null
	(
		umask 077
		export TZ=Pacific/Chatham LC_ALL=C
		"packaging/$kind.sh" "$dist" \
			"$folder/second-of-another-length/$kind" >/dev/null
	)
done
for f in "$folder"/first/*/*.deb "$folder"/first/*/*.dsc \
	"$folder"/first/*/*.rpm; do
	other=$folder/second-of-another-length/${f#"$folder"/first/}
	if cmp "$f" "$other"; then
		sha256sum "$f"
	else
		bad=1
	fi
done
exit $bad
