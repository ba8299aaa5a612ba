#!/bin/sh
# Builds flux-server and runs it with a demo page: open the address it prints in two windows. Installs the Debian and npm
# packages that are missing first.
#
# usage: sh examples/run.sh [collab | share] [OPTION...]
#   collab   a drawing board and a conversation; the default
#   share    text and files, in public and in rooms. Files are kept in build/share-files
# Options are passed on: `sh examples/run.sh --port 9000`, `sh examples/run.sh share --help`.
set -eu
name=examples
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/cmake/machine.sh"

demo=collab
case ${1-} in
  collab | share)
    demo=$1
    shift
    ;;
  -* | '') ;;
  *)
    sed -n '/^# usage/,/^# Options/s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

mkdir -p "$root/build"
need_to_build
if [ "$demo" = share ]; then
  need ca-certificates nodejs npm
  bundle=$root/examples/share/node_modules/socket.io-client/dist/socket.io.min.js
  if [ ! -e "$bundle" ]; then
    say "installing the npm packages of examples/share/package.json"
    (cd "$root/examples/share" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null) ||
      die "npm ci failed"
  fi
  set -- --files "$root/build/share-files" --socketio-client "$bundle" --room-list "$@"
fi
if [ -e "$root/build/release/CMakeCache.txt" ]; then
  configure release
else
  configure release -DFLUX_BUILD_TESTS=OFF
fi
build release flux-server
say "starting flux-server; Ctrl-C ends it"
exec "$root/build/release/bin/flux-server" --host 127.0.0.1 --port 8080 --static "$root/examples/$demo" "$@"
