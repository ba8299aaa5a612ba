#!/bin/sh
# Runs the tests. Installs missing Debian and npm packages first.
#
# usage: sh tests/run.sh [STAGE...]
#   release   builds everything as users get it, with warnings as errors; every test
#   lint      checks .clang-format; the reference of the headers, without a warning of Doxygen; the library with
#             clang-tidy
#   asan      with clang: the C++ tests and the fuzzers' findings with AddressSanitizer and UndefinedBehaviorSanitizer; the
#             public headers and a program in header-only mode
#   tsan      with clang: the C++ tests with ThreadSanitizer, except unit tests without threads
# Without a stage: all, in this order. The tests get their own PostgreSQL and MariaDB (tests/databases.sh).
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

need_to_build catch2 libsqlite3-dev libpq-dev libmariadb-dev
databases=
for stage in "$@"; do
  case $stage in
    asan | tsan) need clang libclang-rt-dev ;;
  esac
  if [ "$stage" = release ]; then
    need ca-certificates nodejs npm chromium
    node_is_recent || die "the node on PATH is older than 18: $(command -v node)"
    if ! node "$root/tests/packages.mjs" >/dev/null 2>&1; then
      say "installing the npm packages of tests/package.json"
      (cd "$root/tests" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null) || die "npm ci failed"
    fi
  fi
done

# Started by the first stage that needs them, stopped when this script exits. The path is short so that it fits a
# socket's name.
start_databases() {
  [ -z "$databases" ] || return 0
  need postgresql mariadb-server openssl
  databases=$(mktemp -d /tmp/flux-tests.XXXXXX)
  trap 'sh "$root/tests/databases.sh" stop "$databases/db"; rm -rf "$databases"' EXIT
  trap 'exit 1' INT TERM HUP
  chmod 755 "$databases"
  say "starting PostgreSQL and MariaDB"
  urls=$(sh "$root/tests/databases.sh" start "$databases/db") || die "the databases for the tests did not start"
  eval "$urls"
  # A test that finds no database now fails, instead of being skipped.
  export FLUX_TEST_DATABASES=required
}

# test PRESET CTEST_ARGUMENT...
run_tests() {
  preset=$1
  shift
  start_databases
  say "testing build/$preset"
  (cd "$root" && ctest --preset "$preset" "$@" </dev/null) || die "stage $stage failed"
}

# Other versions of clang-format break lines differently.
check_format() {
  case $(clang-format --version) in
    *"version 14."*) ;;
    *) say "clang-format is not version 14: the format is not checked" && return 0 ;;
  esac
  say "checking the format"
  (cd "$root" && git ls-files '*.hpp' '*.ipp' '*.cpp' | xargs clang-format --dry-run --Werror) || die "stage $stage failed"
}

# Word splitting is intended: this is a list. A store that can't be built is an error.
stores="-DFLUX_WITH_SQLITE=ON -DFLUX_WITH_POSTGRES=ON -DFLUX_WITH_MYSQL=ON"
# shellcheck disable=SC2086
for stage in "$@"; do
  case $stage in
    release)
      configure release -DFLUX_BUILD_TESTS=ON -DFLUX_WARNINGS_AS_ERRORS=ON $stores
      build release
      run_tests release
      ;;
    lint)
      need doxygen clang-format clang-tidy
      check_format
      configure dev -DFLUX_BUILD_TESTS=OFF $stores
      build dev docs tidy
      ;;
    asan)
      configure asan $stores
      build asan cpp_tests
      run_tests asan -L 'cpp|fuzz'
      ;;
    tsan)
      configure tsan $stores
      build tsan cpp_tests
      run_tests tsan -L cpp
      ;;
  esac
  say "stage $stage passed, $((($(date +%s) - start) / 60)) min after the start"
done
say "all passed: $*"
