#!/bin/sh
# Runs the tests. Installs the Debian and npm packages that are missing first.
#
# usage: sh tests/run.sh [STAGE...]
#   release   builds everything as users get it; every test
#   lint      the dev preset: library and examples with warnings as errors, the library through clang-tidy where there is one
#   asan      the C++ tests and the fuzzers' findings with AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan      the C++ tests with ThreadSanitizer
# Without a stage: all, in this order.
set -eu
name=tests
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/cmake/machine.sh"

[ $# -gt 0 ] || set -- release lint asan tsan
for stage in "$@"; do
  case $stage in
    release | lint | asan | tsan) ;;
    *)
      sed -n '/^# usage/,/^# Without/s/^# \{0,1\}//p' "$0" >&2
      exit 2
      ;;
  esac
done

start=$(date +%s)
mkdir -p "$root/build"

need_to_build catch2
for stage in "$@"; do
  if [ "$stage" = release ]; then
    need ca-certificates nodejs npm chromium
    node_is_recent || die "the node on PATH is older than 18: $(command -v node)"
    if ! node "$root/tests/packages.mjs" >/dev/null 2>&1; then
      say "installing the npm packages of tests/package.json"
      (cd "$root/tests" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null) || die "npm ci failed"
    fi
  fi
done

# test PRESET CTEST_ARGUMENT...
run_tests() {
  preset=$1
  shift
  say "testing build/$preset"
  (cd "$root" && ctest --preset "$preset" "$@" </dev/null) || die "stage $stage failed"
}

for stage in "$@"; do
  case $stage in
    release)
      configure release -DFLUX_BUILD_TESTS=ON
      build release
      run_tests release
      ;;
    lint)
      configure dev -DFLUX_BUILD_TESTS=OFF
      build dev
      ;;
    asan)
      configure asan
      build asan cpp_tests
      run_tests asan -L 'cpp|fuzz'
      ;;
    tsan)
      configure tsan
      build tsan cpp_tests
      run_tests tsan -L cpp
      ;;
  esac
  say "stage $stage passed, $((($(date +%s) - start) / 60)) min after the start"
done
say "all passed: $*"
