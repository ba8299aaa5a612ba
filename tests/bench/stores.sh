#!/bin/sh
# What storing chat costs and which failures it survives: flux-bench-stores writes, is killed, and the messages it
# acknowledged are checked.
#
# usage: sh tests/bench/stores.sh PROGRAM all                             SQLite: the rate, ten times; kill -9; and what a
#                                                                         slow store costs other rooms; 3 minutes
#        sh tests/bench/stores.sh PROGRAM kill STORE [TIMES]              kill -9, TIMES times (20)
#        sh tests/bench/stores.sh PROGRAM outage STORE FOLDER SERVER      stops the database for 10 s: tests/databases.sh
#                                                                         started it in FOLDER; SERVER is postgres or mysql
# PROGRAM is flux-bench-stores, STORE its argument: an empty database.
set -eu
[ $# -ge 3 ] || [ "$*" = "${1:-} all" ] || {
  sed -n '/^# usage/,/^# PROGRAM/s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
program=$1
mode=$2
store=${3:-}
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
writer=
trap '[ -z "$writer" ] || kill -9 "$writer" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

begin() {
  "$program" write "$store" >>"$work/ids" &
  writer=$!
}

kill_writer() {
  kill -9 "$writer"
  wait "$writer" 2>/dev/null || true
  writer=
}

# A line truncated by the kill was never acknowledged.
check() {
  grep -E '^room[0-4] [^ ]{22}$' "$work/ids" | "$program" check "$store"
}

count() {
  wc -l <"$work/ids"
}

kill_often() {
  i=0
  while [ "$i" -lt "$1" ]; do
    i=$((i + 1))
    begin
    sleep "0.$((3 + i % 5))"
    kill_writer
    # The next output must not be appended to a truncated line.
    printf '\n' >>"$work/ids"
  done
  printf 'killed %s times: ' "$i"
  check
}

case $mode in
  all)
    run=0
    while [ "$run" -lt 10 ]; do
      run=$((run + 1))
      "$program" rate "sqlite:$work/rate-$run.sqlite"
      rm -f "$work/rate-$run.sqlite"*
    done
    store=sqlite:$work/kill.sqlite
    kill_often 20
    "$program" slow
    ;;
  kill)
    kill_often "${4:-20}"
    ;;
  outage)
    begin
    sleep 1
    printf 'acknowledged before: %s\n' "$(count)"
    sh "$here/databases.sh" pause "$4" "$5"
    away=$(count)
    sleep 10
    printf 'acknowledged in 10 s without the database: %s\n' "$(($(count) - away))"
    sh "$here/databases.sh" resume "$4" "$5"
    back=$(count)
    sleep 3
    printf 'acknowledged in the 3 s after it came back: %s\n' "$(($(count) - back))"
    kill_writer
    check
    ;;
  *)
    printf 'no such mode: %s\n' "$mode" >&2
    exit 2
    ;;
esac
