#!/bin/sh
# Checks that hello.cpp compiles in at most LIMIT times the time of six_standard_headers.cpp: the medians of RUNS
# interleaved runs, in CPU time of the compiler, which other work on the machine hardly affects. A noisy round is
# repeated, at most twice.
#
# usage: compile_time.sh COMPILER INCLUDE_DIR WORK_DIR LIMIT RUNS FLAG...
set -eu
compiler=$1 include=$2 work=$3 limit=$4 runs=$5
shift 5
here=$(dirname "$0")
export CCACHE_DISABLE=1
mkdir -p "$work"

# cpu_seconds SOURCE FLAG...: appends the user CPU time of one compilation to $work/SOURCE.times.
cpu_seconds() {
  source=$1
  shift
  times >"$work/before"
  "$compiler" -std=c++20 "$@" -I"$include" -DFLUX_WITH_TLS=1 -c "$here/$source" -o "$work/$source.o"
  times >"$work/after"
  # The second line is the children's time: 1m2.345s (user) 0m0.123s (system).
  awk 'FNR == 2 { split($1, t, /[ms]/); n++; at[n] = t[1] * 60 + t[2] } END { printf "%.3f\n", at[2] - at[1] }' \
    "$work/before" "$work/after" >>"$work/$source.times"
}

median() {
  sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

round=1
while :; do
  rm -f "$work"/*.times
  i=0
  while [ $i -lt $runs ]; do
    cpu_seconds six_standard_headers.cpp "$@"
    cpu_seconds hello.cpp "$@"
    i=$((i + 1))
  done
  standard=$(median "$work/six_standard_headers.cpp.times")
  hello=$(median "$work/hello.cpp.times")
  ratio=$(awk -v a="$hello" -v b="$standard" 'BEGIN { printf "%.2f", a / b }')
  echo "with $*: hello.cpp ${hello} s, six standard headers ${standard} s: ${ratio} times"
  if awk -v r="$ratio" -v l="$limit" 'BEGIN { exit !(r <= l) }'; then
    exit 0
  fi
  [ $round -lt 3 ] || break
  round=$((round + 1))
done
echo "hello.cpp takes more than $limit times as long" >&2
exit 1
