#!/bin/sh
# SPDX-License-Identifier: MIT
# rpm.sh [-n VERSION] DIST FOLDER - build RPM packages of a source archive.
#
# Leaves the packages in FOLDER, their source there, too. On Debian the build
# dependencies, which are Fedora's names, are not looked at. RPM_OPTIONS go to
# rpmbuild ("--without check"). With -n a package of that later version is made
# as well, of the same source: for tests of upgrades.
set -eu
# Modes of files are part of a package.
umask 022
next=
if [ "$1" = -n ]; then
	next=$2
	shift 2
fi
dist=$1
folder=$2
case $folder in
/*) ;;
*) folder=$PWD/$folder ;;
esac
name=$(basename "$dist" .tar.gz)
top=$folder/top
spec=$top/SPECS/glmproxy.spec
log=$folder/build.log

rm -rf "$top" "$log" "$folder"/glmproxy-*.rpm
mkdir -p "$top/SOURCES" "$top/SPECS"
cp "$dist" "$top/SOURCES/"
tar -xzf "$dist" -C "$top" "$name/rpm/glmproxy.spec" "$name/debian/changelog"
mv "$top/$name/rpm/glmproxy.spec" "$spec"
when=$(sed -n 's/^ -- .*>  //p' "$top/$name/debian/changelog" | head -n 1)
SOURCE_DATE_EPOCH=$(date -d "$when" +%s)
export SOURCE_DATE_EPOCH

nodeps=
[ ! -e /etc/debian_version ] || nodeps=--nodeps

# build ARGUMENT...: whoever does it, wherever and whenever: the same bytes.
build() {
	# shellcheck disable=SC2086 # several words, or none
	if ! rpmbuild $nodeps ${RPM_OPTIONS-} --define "_topdir $top" \
		--define "_buildhost localhost" \
		--define "use_source_date_epoch_as_buildtime 1" \
		--define "clamp_mtime_to_source_date_epoch 1" \
		"$@" "$spec" >>"$log" 2>&1; then
		tail -n 40 "$log"
		echo "$0: the build failed; its log is $log" >&2
		exit 1
	fi
}

build -ba --noclean
if [ -n "$next" ]; then
	sed -i "s/^Version:.*/Version:        $next/" "$spec"
	# What has been compiled stays.
	mv "$top/BUILD/$name" "$top/BUILD/glmproxy-$next"
	build -bb --noprep
fi
mv "$top"/RPMS/*/*.rpm "$top"/SRPMS/*.rpm "$folder/"
rm -rf "$top"
for f in "$folder"/*.rpm; do
	echo "$f"
done
