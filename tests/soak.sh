#!/bin/sh
# A soak test: clients of every protocol connect, act at random and disconnect, for half an hour. Exits with 1 if the
# server's memory grew, if a descriptor or a session leaked, or if a handler or a store failed.
#
# usage: sh tests/soak.sh [--minutes N] [--clients N] [--seed N] [--threads N]     30 minutes, 1,000 clients, 2 loops
set -eu
name=soak
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/cmake/machine.sh"

mkdir -p "$root/build"
need_to_build catch2
need ca-certificates nodejs npm
if ! node "$root/tests/packages.mjs" >/dev/null 2>&1; then
  say "installing the npm packages of tests/package.json"
  (cd "$root/tests" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null) || die "npm ci failed"
fi
configure release -DFLUX_BUILD_TESTS=ON
build release flux-sharing-server
ulimit -n "$(ulimit -H -n)" 2>/dev/null || true
FLUX_SHARING_SERVER=$root/build/release/bin/flux-sharing-server exec node "$root/tests/soak/soak.mjs" "$@"
