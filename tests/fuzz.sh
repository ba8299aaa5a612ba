#!/bin/sh
# Runs every fuzzer of tests/fuzz, starting from its corpus there. Needs clang, and installs it if it is missing.
#
# usage: sh tests/fuzz.sh [SECONDS [FUZZER...]]     60 s each by default; http stands for http_fuzz
# Discovered inputs are kept in build/fuzz/corpus, failing ones in build/fuzz/findings: copy those to
# tests/fuzz/corpus/FUZZER, where every test run replays them.
set -eu
name=fuzz
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/cmake/machine.sh"

seconds=${1:-60}
[ $# -eq 0 ] || shift
if [ $# -eq 0 ]; then
  for source in "$root"/tests/fuzz/*_fuzz.cpp; do
    set -- "$@" "$(basename "$source" _fuzz.cpp)"
  done
fi

mkdir -p "$root/build"
need_to_build clang libclang-rt-dev
configure fuzz
for fuzzer in "$@"; do
  set -- "$@" "${fuzzer}_fuzz"
  shift
done
build fuzz "$@"

mkdir -p "$root/build/fuzz/findings"
failed=
for program in "$@"; do
  fuzzer=${program%_fuzz}
  mkdir -p "$root/build/fuzz/corpus/$fuzzer"
  set -- "$root/build/fuzz/corpus/$fuzzer"
  [ ! -d "$root/tests/fuzz/corpus/$fuzzer" ] || set -- "$@" "$root/tests/fuzz/corpus/$fuzzer"
  say "$fuzzer for $seconds s"
  "$root/build/fuzz/bin/$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="$root/build/fuzz/findings/$fuzzer-" "$@" </dev/null || failed="$failed $fuzzer"
done
[ -z "$failed" ] || die "failed:$failed; see build/fuzz/findings"
say "nothing found"
