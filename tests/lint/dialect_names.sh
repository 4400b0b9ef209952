#!/bin/sh
# dialect_names.sh - only a dialect's own files, the profiles and the tests know
# its name. Names of configuration keys (conf.def) are no dialect names.
set -eu
cd "$(dirname "$0")/../.."
names=$(sed -n 's/^DIALECT(dialect_\([a-z]*\),.*/\1/p' \
	shared/translate/dialects.def | paste -sd '|')
keys=$(grep -oE '"[a-z_]+"' shared/sys/conf.def | tr -d '"' | grep -E "$names" |
	sort -u | paste -sd '|')
bad=$(grep -rniE "$names" master worker admin shared --include='*.[ch]' |
	grep -vE '^shared/translate/(dialect_|profile_)' |
	grep -vE '^shared/sys/conf' |
	sed -E "s/PREFER_[A-Z]+//g; s/\"auto\|[a-z|]*\"//; s/($keys)//g" |
	grep -iE "$names" || true)
if [ -n "$bad" ]; then
	echo "dialect_names: a dialect is named outside its own files:"
	echo "$bad"
	exit 1
fi
