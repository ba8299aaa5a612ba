#!/bin/sh
# Breaks the rules of layers.sh in a copy of the headers: it must name each fault once, and nothing else.
#
# usage: sh tests/layers_broken.sh
set -eu
tests=$(cd "$(dirname "$0")" && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r "$tests/../include" "$copy/include"
headers=$copy/include/flux
# broken FILE LINE [NAMED]: adds the line to a header, or to a new one. NAMED: what must be named instead of FILE.
broken() {
  mkdir -p "$headers/$(dirname "$1")"
  printf '%s\n' "$2" >>"$headers/$1"
  printf '%s\n' "${3:-$1}" >>"$copy/names"
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
broken detail/gate/origin.hpp '#include <websocketpp/utf8_validator.hpp>'
broken detail/storage/store_queue.hpp '#include <flux/auth.hpp>'
broken detail/features/nested/part.hpp '// in a folder inside a folder' detail/features/nested
broken detail/endpoints/live/nested/part.hpp '// likewise' detail/endpoints/live/nested
broken detail/new_layer/part.hpp '// in a folder that has no line' detail/new_layer
broken detail/loose.hpp '// outside the folders'
broken types.hpp '#include <flux/detail/core/loop.hpp>'
broken http.hpp 'struct Undeclared { virtual void act(); };'

if sh "$tests/layers.sh" "$copy/include" >"$copy/said" 2>&1; then
  echo "layers_broken: layers.sh accepts headers in which every rule is broken" >&2
  exit 1
fi
expected=$(wc -l <"$copy/names")
wrong=$(while read -r name; do
  [ "$(sed 's|^\./||' "$copy/said" | grep -c "^$name:")" -eq 1 ] || echo "$name"
done <"$copy/names")
# The first line is a heading.
if [ -n "$wrong" ] || [ "$(wc -l <"$copy/said")" -ne $((expected + 1)) ]; then
  echo "layers_broken: of $expected faults, not named once:" $wrong >&2
  cat "$copy/said" >&2
  exit 1
fi
echo "layers_broken: layers.sh names all $expected faults"
