#!/bin/sh
# Checks that SOURCE compiles in at most LIMIT times the time of six_standard_headers.cpp, in CPU time of the compiler.
# A round compiles the headers EACH times, then SOURCE once. With an EACH of 1 the fastest compilations of at least RUNS
# rounds are compared, because other work on the machine only adds time. Otherwise SOURCE takes so long that no compilation
# of it may have been undisturbed: each is compared with the mean of its round, and the least ratio counts. While the limit
# is exceeded there are more rounds, at most six times RUNS: the machine may be slow for most of a minute.
#
# usage: compile_time.sh COMPILER INCLUDE_DIR WORK_DIR SOURCE LIMIT RUNS EACH FLAG...
set -eu
compiler=$1 include=$2 work=$3 source=$4 limit=$5 runs=$6 each=$7
shift 7
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

# The fastest compilation of FILE; or with an EACH above 1 the mean of the last EACH.
time_of() {
  if [ "$each" = 1 ]; then
    sort -n "$work/$1.times" | head -n 1
  else
    tail -n "$2" "$work/$1.times" | awk '{ sum += $1 } END { printf "%.3f\n", sum / NR }'
  fi
}

i=0 within=no ratio=
while [ $within = no ] && [ $i -lt $((6 * runs)) ]; do
  j=0
  while [ $j -lt "$each" ]; do
    cpu_seconds six_standard_headers.cpp "$@"
    j=$((j + 1))
  done
  cpu_seconds "$source" "$@"
  i=$((i + 1))
  [ $i -ge "$runs" ] || continue
  standard=$(time_of six_standard_headers.cpp "$each")
  measured=$(time_of "$source" 1)
  ratio=$(awk -v a="$measured" -v b="$standard" 'BEGIN { printf "%.3f", a / b }')
  within=$(awk -v r="$ratio" -v l="$limit" 'BEGIN { print r <= l ? "yes" : "no" }')
done
echo "with $*, after $i rounds: $source $measured s, six standard headers $standard s: $ratio times"
[ $within = yes ] || { echo "$source takes more than $limit times as long" >&2; exit 1; }
