#!/bin/sh
# rows.sh [--list] - every row of the table of edge cases in the description of
# the wire protocols is proven: named row_NNN by a test (its name, its sample's
# name, or a comment above it) or by a folder tests/golden/rowNNN-*, or else
# listed in tests/rows.pending with the reason. A row in both is a line to be
# deleted. --list prints each row, its state and its tests.
set -eu
cd "$(dirname "$0")/../.."
rows=125
pending=tests/rows.pending
bad=0

# "NNN where", as often as a row is named
proofs=$({
	grep -rHoE '\w*row_[0-9]{3}(_[0-9]{3})*\w*' \
		--include='*.[ch]' --include='*.py' \
		tests/unit tests/matrix tests/proc tests/e2e
	for folder in tests/golden/row[0-9][0-9][0-9]-*; do
		[ ! -e "$folder/in.json" ] || echo "$folder"
	done
} | awk '{
	rest = $0
	while (match(rest, /row_?[0-9][0-9][0-9](_[0-9][0-9][0-9])*/)) {
		n = split(substr(rest, RSTART + 3, RLENGTH - 3), part, "_")
		for (i = 1; i <= n; i++)
			if (part[i] != "")
				print part[i], $0
		rest = substr(rest, RSTART + RLENGTH)
	}
}' | sort -u)
proven=$(printf '%s\n' "$proofs" | cut -c 1-3 | uniq)

if grep -vnE '^#|^[0-9]{3} [^ ]' "$pending"; then
	echo "rows: the lines above in $pending are not \"NNN reason\""
	bad=1
fi
waiting=$(sed -n 's/^\([0-9][0-9][0-9]\) .*/\1/p' "$pending")
if [ "$(printf '%s\n' "$waiting" | sort -u)" != "$waiting" ]; then
	echo "rows: $pending is not in order, or names a row twice"
	bad=1
fi

has()
{
	printf '%s\n' "$1" | grep -qx "$2"
}

for row in $(seq -f '%03.0f' 1 "$rows"); do
	if has "$proven" "$row"; then
		if has "$waiting" "$row"; then
			echo "rows: $row is proven: delete it from $pending"
			bad=1
		fi
	elif ! has "$waiting" "$row"; then
		echo "rows: no test names row_$row"
		bad=1
	fi
done
for row in $proven $waiting; do
	if [ "$row" -lt 1 ] || [ "$row" -gt "$rows" ]; then
		echo "rows: there is no row $row"
		bad=1
	fi
done
if [ "${1-}" = --list ]; then
	{
		seq -f '%03.0f row' 1 "$rows"
		printf '%s\n' "$proofs" | sed 's/ / test /'
		sed -n 's/^\([0-9][0-9][0-9]\) /\1 wait /p' "$pending"
	} | awk '
		$2 == "row" { order[++n] = $1 }
		$2 == "test" { tests[$1] = tests[$1] "\n      " $3 }
		$2 == "wait" { why[$1] = substr($0, 10) }
		END {
			for (i = 1; i <= n; i++) {
				r = order[i]
				print r " " ((r in tests) ? "proven" : \
					(r in why) ? "pending: " why[r] : \
					"MISSING") tests[r]
			}
		}'
fi
[ "$bad" -ne 0 ] || echo "rows: $(printf '%s\n' "$proven" | wc -l) of $rows proven"
exit $bad
