#!/bin/sh
# SPDX-License-Identifier: MIT
# uplot.sh - fetch the library for charts of the admin page into build/vendor.
#
# The npm package uplot, of a fixed version; what comes is checked. Says and does
# nothing when it is there.
set -eu
cd "$(dirname "$0")/.."

package=uplot
version=1.6.32
package_sha512=2883159c6ebccefbb95d751b0b82d010f9e1c0ec41b8bc96d401eda66e882935c89a46cb824332fa369b8cb8122cc6ac36e186cd09bf7a9ded3a4c93c6989023
vendor=build/vendor

if [ "$(cat $vendor/$package/fetched 2>/dev/null)" = $version ] &&
	[ -f $vendor/$package/uPlot.iife.js ]; then
	exit 0
fi
echo "fetching the library for charts into $vendor" >&2
mkdir -p $vendor
work=$(mktemp -d "$vendor/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

if ! npm pack --silent --pack-destination "$work" $package@$version \
	>/dev/null </dev/null; then
	echo "$0: npm could not fetch $package $version" >&2
	exit 1
fi
archive=$work/$package-$version.tgz
if ! echo "$package_sha512  $archive" | sha512sum -c --status; then
	echo "$0: $package $version is not what it was" >&2
	exit 1
fi
tar -xzf "$archive" -C "$work"
mkdir "$work/$package"
# The readable form is for source packages.
for file in dist/uPlot.iife.min.js dist/uPlot.iife.js dist/uPlot.min.css LICENSE; do
	cp "$work/package/$file" "$work/$package/"
done
# Last: what the Makefile looks for.
echo $version >"$work/$package/fetched"
rm -rf "${vendor:?}/$package"
mv "$work/$package" $vendor/$package
