#!/bin/sh
# SPDX-License-Identifier: MIT
# reproducible.sh DIST FOLDER - build the packages twice, with another time
# zone, locale and umask, and compare them. The second deb is built under
# another path; an rpm's header holds the folder that rpmbuild worked in, so
# that both are built in one.
set -eu
dist=$1
folder=$2
bad=0

rm -rf "$folder"
mkdir -p "$folder/first" "$folder/second"
export DEB_BUILD_OPTIONS=nocheck RPM_OPTIONS="--without check"

# both KIND PLACE PLACE: build in these places, keep what comes of it.
both() {
	"packaging/$1.sh" "$dist" "$folder/$2" >/dev/null
	mv "$folder/$2" "$folder/first/$1"
	(
		umask 077
		export TZ=Pacific/Chatham LC_ALL=C
		"packaging/$1.sh" "$dist" "$folder/$3" >/dev/null
	)
	mv "$folder/$3" "$folder/second/$1"
}

both deb here another-place-of-another-length
both rpm here here
for f in "$folder"/first/*/*.deb "$folder"/first/*/*.dsc \
	"$folder"/first/*/*.rpm; do
	if cmp "$f" "$folder/second/${f#"$folder"/first/}"; then
		sha256sum "$f"
	else
		bad=1
	fi
done
exit $bad
