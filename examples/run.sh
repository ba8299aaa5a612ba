#!/bin/sh
# Builds flux-server and runs it with the demo page: open the address it prints in two windows. Installs the Debian packages
# that are missing first. Options are passed on: `sh examples/run.sh --port 9000`, `sh examples/run.sh --help`.
set -eu
name=examples
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/cmake/machine.sh"

mkdir -p "$root/build"
need_to_build
if [ -e "$root/build/release/CMakeCache.txt" ]; then
  configure release
else
  configure release -DFLUX_BUILD_TESTS=OFF
fi
build release flux-server
say "starting flux-server; Ctrl-C ends it"
exec "$root/build/release/bin/flux-server" --host 127.0.0.1 --port 8080 --static "$root/examples/collab" "$@"
