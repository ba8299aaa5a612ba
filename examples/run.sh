#!/bin/sh
# Builds a demo and runs it: open the address it prints in two windows. Installs the Debian and npm packages that are
# missing first.
#
# usage: sh examples/run.sh [collab | share | channels] [OPTION...]
#        sh examples/run.sh private [PORT]
#        sh examples/run.sh quiz [PORT [SECONDS_TO_ANSWER [PLAYERS]]]
#        sh examples/run.sh tokens [PORT [SECONDS_OF_A_TOKEN]]
#   collab   a drawing board and a conversation; the default
#   share    text and files, in public and in rooms. Files are kept in build/share-files
#   channels a notice board: messages with their history, the members present, and a poll
#   private  private messages over Socket.IO
#   quiz     a quiz with a host: open the host's link, and the players' in another window
#   tokens   a chat whose access tokens last a minute: open the moderator's link, and the members' in a private window
# Options are those of flux-server: `sh examples/run.sh --port 9000`, `sh examples/run.sh share --help`.
set -eu
name=examples
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/cmake/machine.sh"

demo=collab
case ${1-} in
  collab | share | channels | private | quiz | tokens)
    demo=$1
    shift
    ;;
  -* | '') ;;
  *)
    sed -n '/^# usage/,/^# Options/s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

# The Socket.IO client for browsers, from npm.
bundle=$root/examples/share/node_modules/socket.io-client/dist/socket.io.min.js
need_socketio_client() {
  need ca-certificates nodejs npm
  [ ! -e "$bundle" ] || return 0
  say "installing the npm packages of examples/share/package.json"
  (cd "$root/examples/share" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null) ||
    die "npm ci failed"
}

program=flux-server
mkdir -p "$root/build"
need_to_build
case $demo in
  collab) set -- --static "$root/examples/collab" "$@" ;;
  channels)
    set -- --static "$root/examples/channels" --channels "$root/examples/channels/channels.json" "$@"
    ;;
  share)
    need_socketio_client
    set -- --static "$root/examples/share" --files "$root/build/share-files" --socketio-client "$bundle" --room-list "$@"
    ;;
  private)
    need_socketio_client
    program=flux-example-socketio_private
    set -- "$root/examples/socketio_private/page" "$bundle" "$@"
    ;;
  quiz)
    program=flux-example-quiz
    set -- "$root/examples" "$@"
    ;;
  tokens)
    program=flux-example-chat_with_tokens
    set -- "$root/examples" "$@"
    ;;
esac
[ "$program" != flux-server ] || set -- --host 127.0.0.1 --port 8080 "$@"
if [ -e "$root/build/release/CMakeCache.txt" ]; then
  configure release
else
  configure release -DFLUX_BUILD_TESTS=OFF
fi
build release "$program"
say "starting $program; Ctrl-C ends it"
exec "$root/build/release/bin/$program" "$@"
