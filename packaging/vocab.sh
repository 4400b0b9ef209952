#!/bin/sh
# SPDX-License-Identifier: MIT
# vocab.sh - fetch the ranks of the tokenizer's vocabulary into build/vendor.
#
# They are a file of the npm package tiktoken, of a fixed version; what comes is
# checked. Says and does nothing when the right file is there. The package stays
# beside it: tests compare with what it does.
set -eu
cd "$(dirname "$0")/.."

package=tiktoken
version=1.0.22
package_sha512=3cabf2d6b545d5189b7c5dc99570523f426b730daeab7c977607045ed293627dd027f7014411c39eb2798c7932f8c10d67a0c83f0354196a64571fbb8e80a934
ranks=cl100k_base.json
ranks_sha256=49a4e05dea02c8fafbd50cc4725c4aab8f39386c0afedef118e0dfebc2fe523a
vendor=build/vendor

has_ranks() {
	[ -f "$1" ] && echo "$ranks_sha256  $1" | sha256sum -c --status
}

if has_ranks $vendor/$ranks && [ -f $vendor/$package/package.json ]; then
	exit 0
fi
echo "fetching the tokenizer's vocabulary into $vendor" >&2
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
if ! has_ranks "$work/package/encoders/$ranks"; then
	echo "$0: $ranks is not what it was" >&2
	exit 1
fi
rm -rf "${vendor:?}/$package"
mv "$work/package" $vendor/$package
# Last, and in one step: what the Makefile looks for.
cp $vendor/$package/encoders/$ranks "$work/$ranks"
mv "$work/$ranks" $vendor/$ranks
