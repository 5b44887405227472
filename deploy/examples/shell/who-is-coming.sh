#!/bin/sh
# Prints each change of an answer as one line: with redis-cli alone, to look at a stream or to begin a script.
#
#   REDIS_CLI="redis-cli -h localhost -p 6379" ./who-is-coming.sh [STREAM [GROUP]]
#
# Reads what is there, acknowledges each page once it was printed, and ends when nothing is left; run it from cron, or in a
# loop. A password goes into REDISCLI_AUTH. Needs redis-cli 7.0 or later. It leaves out nothing that comes twice and
# notices no gap: what holds a list of who is coming needs more (../node).
set -eu

STREAM=${1:-responses}
GROUP=${2:-example-shell}
CONSUMER=$(uname -n)

run() {
    # REDIS_CLI is a command with its options, hence not quoted.
    # shellcheck disable=SC2086
    ${REDIS_CLI:-redis-cli} "$@"
}

# Redis' reply comes as lines: the stream, then for each entry its id, and name and value by turns (data is one line). Only
# where a name could stand an id is an entry's: the field `id` has a value of the same form. A trimmed entry has no fields.
show() {
    awk '
        NR == 1 { next }
        at % 2 == 0 && /^[0-9]+-[0-9]+$/ { say(); entry = $0; at = 0; split("", field); next }
        at % 2 == 0 && $0 == "" { next }
        { at++; if (at % 2) name = $0; else field[name] = $0 }
        END { say() }
        function say(  value) {
            if (entry == "") return
            value = ""
            if (match(field["data"], /"response":[{]"value":"[A-Za-z]+"/)) {
                value = substr(field["data"], RSTART, RLENGTH); sub(/.*:"/, "", value); sub(/"$/, "", value)
            }
            printf "%s\t%s\t%s\t%s\n", entry, field["type"], field["subject"], value
        }'
}

made=$(run XGROUP CREATE "$STREAM" "$GROUP" 0 MKSTREAM 2>&1) || true
case $made in
OK | *BUSYGROUP*) ;; # made, or there already
*)
    echo "$made" >&2
    exit 1
    ;;
esac
from=0 # first what an earlier run took and did not acknowledge
while :; do
    page=$(run -e --raw XREADGROUP GROUP "$GROUP" "$CONSUMER" COUNT 100 STREAMS "$STREAM" "$from")
    lines=$(printf '%s\n' "$page" | show)
    if [ -z "$lines" ]; then
        [ "$from" = 0 ] || exit 0
        from='>'
        continue
    fi
    printf '%s\n' "$lines"
    # shellcheck disable=SC2046 # one argument for each id
    run -e XACK "$STREAM" "$GROUP" $(printf '%s\n' "$lines" | cut -f1) >/dev/null
done
