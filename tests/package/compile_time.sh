#!/bin/sh
# Checks that SOURCE compiles in at most LIMIT times the time of six_standard_headers.cpp, in CPU time of the compiler.
# Each is compiled at least RUNS times, in turn, and the fastest runs are compared, because other work on the machine only
# adds time. While the limit is exceeded there are more runs, at most six times RUNS: the
# machine may be slow for most of a minute.
#
# usage: compile_time.sh COMPILER INCLUDE_DIR WORK_DIR SOURCE LIMIT RUNS FLAG...
set -eu
compiler=$1 include=$2 work=$3 source=$4 limit=$5 runs=$6
shift 6
here=$(dirname "$0")
export CCACHE_DISABLE=1
mkdir -p "$work"
rm -f "$work"/*.times

# cpu_seconds FILE FLAG...: appends the user CPU time of one compilation to $work/FILE.times.
cpu_seconds() {
  file=$1
  shift
  times >"$work/before"
  "$compiler" -std=c++20 "$@" -I"$include" -DFLUX_WITH_TLS=1 -c "$here/$file" -o "$work/$file.o"
  times >"$work/after"
  # The second line is the children's time: 1m2.345s (user) 0m0.123s (system).
  awk 'FNR == 2 { split($1, t, /[ms]/); n++; at[n] = t[1] * 60 + t[2] } END { printf "%.3f\n", at[2] - at[1] }' \
    "$work/before" "$work/after" >>"$work/$file.times"
}

fastest() {
  sort -n "$work/$1.times" | head -n 1
}

i=0 within=no
while [ $within = no ] && [ $i -lt $((6 * runs)) ]; do
  cpu_seconds six_standard_headers.cpp "$@"
  cpu_seconds "$source" "$@"
  i=$((i + 1))
  [ $i -ge "$runs" ] || continue
  standard=$(fastest six_standard_headers.cpp)
  measured=$(fastest "$source")
  within=$(awk -v a="$measured" -v b="$standard" -v l="$limit" 'BEGIN { print a <= l * b ? "yes" : "no" }')
done
ratio=$(awk -v a="$measured" -v b="$standard" 'BEGIN { printf "%.3f", a / b }')
echo "with $*, the fastest of $i: $source $measured s, six standard headers $standard s: $ratio times"
[ $within = yes ] || { echo "$source takes more than $limit times as long" >&2; exit 1; }
