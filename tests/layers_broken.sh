#!/bin/sh
# Breaks every rule of layers.sh in a copy of the headers: it must name each, and nothing else.
#
# usage: sh tests/layers_broken.sh
set -eu
tests=$(cd "$(dirname "$0")" && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r "$tests/../include" "$copy/include"
headers=$copy/include/flux
expected=0

# broken FILE LINE: adds the line to a header, or to a new one.
broken() {
  mkdir -p "$headers/$(dirname "$1")"
  printf '%s\n' "$2" >>"$headers/$1"
  expected=$((expected + 1))
}

broken detail/core/loop.hpp '#include <flux/detail/features/room.hpp>'
broken detail/transport/router.hpp '#include <flux/detail/gate/gate.hpp>'
broken detail/gate/permits.hpp '#include <flux/detail/features/room.hpp>'
broken detail/storage/journal.hpp '#include <flux/detail/features/files.hpp>'
broken detail/features/room.hpp '#include <flux/detail/transport/router.hpp>'
broken detail/features/rooms.hpp '#include <flux/detail/endpoints/endpoint.hpp>'
broken detail/features/files.hpp '#  include <asio/io_context.hpp>'
broken detail/features/page.hpp '#include <flux/socketio.hpp>'
broken detail/features/call.hpp '#include "room.hpp"'
broken detail/endpoints/live/live_codec.hpp '#include <flux/detail/endpoints/sharing/sharing_codec.hpp>'
broken detail/endpoints/files/tus.hpp '#include <flux/detail/server/server_state.hpp>'
broken detail/endpoints/new_protocol/codec.hpp '#include <flux/detail/endpoints/live/live_codec.hpp>'
broken detail/features/nested/part.hpp '// in a folder inside a folder'
broken detail/endpoints/live/nested/part.hpp '// likewise'
broken detail/new_layer/part.hpp '// in a folder that has no line'
broken detail/loose.hpp '// outside the folders'
broken types.hpp '#include <flux/detail/core/loop.hpp>'
broken http.hpp 'struct Undeclared { virtual void act(); };'

if sh "$tests/layers.sh" "$copy/include" >"$copy/said" 2>&1; then
  echo "layers_broken: layers.sh accepts headers in which every rule is broken" >&2
  exit 1
fi
named=$(($(wc -l <"$copy/said") - 1)) # its first line is a heading
if [ "$named" -ne "$expected" ]; then
  echo "layers_broken: of $expected faults layers.sh names $named:" >&2
  cat "$copy/said" >&2
  exit 1
fi
echo "layers_broken: layers.sh names all $expected faults"
