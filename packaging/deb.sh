#!/bin/sh
# SPDX-License-Identifier: MIT
# deb.sh [-n VERSION] DIST FOLDER - build Debian packages of a source archive.
#
# Unpacks DIST (of dist.sh) in FOLDER, builds, and leaves the packages there.
# DEB_BUILD_OPTIONS counts as always. With -n a package of that later version
# is made as well, of the same source: for tests of upgrades.
set -eu
next=
if [ "$1" = -n ]; then
	next=$2
	shift 2
fi
dist=$1
folder=$2
name=$(basename "$dist" .tar.gz)
log=build.log

mkdir -p "$folder"
rm -rf "${folder:?}/$name" "$folder"/glmproxy*.*
tar -xzf "$dist" -C "$folder"
cd "$folder/$name"
rm -f ../$log

# build ARGUMENT...: with the log in a file, shown when it fails. What the next
# version has not compiled again is in there from the first one.
build() {
	if ! dpkg-buildpackage -us -uc "$@" >>../$log 2>&1; then
		tail -n 40 ../$log
		echo "$0: the build failed; its log is $folder/$log" >&2
		exit 1
	fi
}

build
if [ -n "$next" ]; then
	{
		echo "glmproxy ($next) unstable; urgency=medium"
		printf '\n  * The next version, for tests.\n\n'
		sed -n '/^ -- /{p;q;}' debian/changelog
		echo
		cat debian/changelog
	} >debian/changelog.new
	mv debian/changelog.new debian/changelog
	# What has been compiled stays; debhelper begins anew.
	rm -rf debian/.debhelper debian/*.debhelper* debian/debhelper-build-stamp \
		debian/files debian/*.substvars
	build -b -nc
fi
cd ..
for f in *.deb; do
	echo "$folder/$f"
done
