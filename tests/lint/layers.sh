#!/bin/sh
# layers.sh - fails on an #include arrow that goes up or sideways.
#
#   base <- {json, http, count} <- translate;  base <- sys
#   {base, json, http, count, translate, sys} <- {master, worker, admin}; headers in
#   shared/ itself join two of them
#   the stand-in upstream sees {base, http, sys} only
set -eu
cd "$(dirname "$0")/../.."
bad=0

# allow FOLDER REGEX: own-root includes of FOLDER's files must match REGEX.
allow()
{
	found=$(grep -nE '^#[[:space:]]*include "(shared|master|worker|admin|tests)/' \
		"$1"/*.[ch] "$1"/*.def 2>/dev/null |
		grep -vE "include \"($2)" || true)
	if [ -n "$found" ]; then
		echo "layers: $1 may not include:"
		echo "$found"
		bad=1
	fi
}

allow shared/base 'shared/base/'
allow shared/json 'shared/(base|json)/'
allow shared/http 'shared/(base|http)/'
allow shared/count 'shared/(base|count)/'
allow shared/translate 'shared/(base|json|http|count|translate)/'
allow shared/sys 'shared/(base|sys)/'
allow shared 'shared/'
allow worker 'shared/|worker/'
allow admin 'shared/|admin/'
allow master 'shared/|master/'
allow tests/upstream 'shared/(base|http|sys)/|tests/upstream/'
exit $bad
