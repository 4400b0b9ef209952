#!/bin/sh
# SPDX-License-Identifier: MIT
# optscan.sh - every configuration key is documented where people look: in
# glmproxy.conf, with its default and the notes that its flags ask for, and in
# the tables of README.md, and with its default in the manual page. Run from the
# top of the tree.
set -eu

def=shared/sys/conf.def
sample=glmproxy.conf
readme=README.md
manual=packaging/man/glmproxy.conf.5
failed=0

complain()
{
    echo "optscan: $*" >&2
    failed=1
}

# key, default and the flags, a row each, separated by |
rows()
{
    tr '\n\t' '  ' <"$def" | sed 's/CONF(/\n&/g' | sed -n \
        's/^CONF([A-Z]*, *[a-z_]*, *"\([^"]*\)", *"[^"]*", *"\([^"]*\)",\(.*\)/\1|\2|\3/p'
}

# The comment above a key's line in the sample, as one line.
comment_of()
{
    awk -v key="#$1 =" '
        index($0, key) == 1 { print text; exit }
        /^# / { text = text " " substr($0, 3); next }
        /^$/ { text = "" }' "$sample"
}

check_row()
{
    key=$1 default=$2 flags=$3
    line=$(grep -E "^#$key =" "$sample" || true)
    if [ -z "$line" ]; then
        complain "$sample: no line \"#$key = ...\""
        return
    fi
    value=${line#"#$key ="}
    [ "${value# }" = "$default" ] ||
        complain "$sample: $key: the default is \"$default\""
    comment=$(comment_of "$key")
    [ -n "$comment" ] || complain "$sample: $key has no comment"
    case $flags in
    *RESTART,*) note "$comment" "Restart needed" ;;
    *) no_note "$comment" ;;
    esac
}

note()
{
    case $1 in
    *"$2"*) ;;
    *) complain "$sample: $key: should say \"$2\"" ;;
    esac
}

no_note()
{
    case $1 in
    *"Restart needed"*)
        complain "$sample: $key: a reload takes it, too" ;;
    esac
}

check_readme()
{
    [ ! -e "$readme" ] || grep -q "^|.*\`$1\`" "$readme" ||
        complain "$readme: no table row for \`$1\`"
}

check_manual()
{
    item=".It Cm $1 =${2:+ Ar $2}"
    grep -q -x -F "$item" "$manual" ||
        complain "$manual: no line \"$item\""
}

list=$(rows)
count=$(printf '%s\n' "$list" | grep -c '|')
want=$(grep -c '^CONF(' "$def")
[ "$count" -eq "$want" ] ||
    complain "$def: read $count of $want rows: is one written differently?"

while IFS='|' read -r key default flags; do
    check_row "$key" "$default" "$flags"
    check_readme "$key"
    check_manual "$key" "$default"
done <<ROWS
$list
ROWS

for key in context max_output vision stall_s; do
    grep -q "^#model.NAME.$key =" "$sample" ||
        complain "$sample: no line \"#model.NAME.$key = ...\""
    check_readme "model.NAME.$key"
    grep -q -F ".It Cm model.NAME.$key =" "$manual" ||
        complain "$manual: no line for model.NAME.$key"
done

# The other way round: no key that the program does not know.
known=$(sed -n 's/^#\([a-z_]*\) =.*/\1/p' "$sample")
for key in $known; do
    printf '%s\n' "$list" | grep -q "^$key|" ||
        complain "$sample: $key is not a key"
done

[ -e "$readme" ] || echo "optscan: $readme is not there yet: not checked" >&2
[ "$failed" -ne 0 ] || echo "optscan: $count keys documented"
exit "$failed"
