#!/bin/sh
# Checks which room of include/flux includes which. Fails and lists every include that points the wrong way.
#
# usage: sh tests/layers.sh [INCLUDE_DIR]
set -eu
cd "${1:-$(dirname "$0")/../include}/flux"

# A room, then the rooms whose headers it may include. Public headers are open to all. Modules
# (socketio, sharing) register with the server, which names none of them.
rooms='
core:                core
transport:           core transport
gate:                core gate transport
storage:             core storage
features:            core gate storage features
endpoints:           core transport gate storage features endpoints endpoints/live
endpoints/live:      core transport gate storage features endpoints endpoints/live
endpoints/socketio:  core transport gate storage features endpoints endpoints/socketio server
endpoints/sharing:   core transport gate storage features endpoints endpoints/socketio endpoints/sharing server
endpoints/files:     core transport gate storage features endpoints endpoints/files
endpoints/raw:       core transport gate storage features endpoints endpoints/raw
'

wrong=$(mktemp)
trap 'rm -f "$wrong"' EXIT

# Lines of the form "FILE:#include <flux/HEADER>".
includes() {
  grep -rE '^ *#include <flux/' "$@" | sed -E 's/: *#include/:#include/' || :
}

printf '%s' "$rooms" | while IFS=: read -r room allowed; do
  [ -n "$room" ] || continue
  [ -d "detail/$room" ] || {
    echo "detail/$room: listed in tests/layers.sh, but not there" >>"$wrong"
    continue
  }
  pattern=
  for other in $allowed; do pattern="$pattern|$other/[a-z0-9_]*"; done
  includes -H $(find "detail/$room" -maxdepth 1 -type f) | grep '<flux/detail/' | grep -vE "<flux/detail/(mode${pattern})\\.[hi]pp>" >>"$wrong" || :
done

# Every room but server/ has a line above.
for folder in detail/* detail/endpoints/*; do
  [ -d "$folder" ] || continue
  [ "$folder" != detail/server ] || continue
  printf '%s' "$rooms" | grep -q "^${folder#detail/}:" || echo "$folder: not listed in tests/layers.sh" >>"$wrong"
done

# A public header brings in nothing private but the mode and, in header-only mode, the definitions.
for header in *.hpp storage/*.hpp testing/*.hpp; do
  includes -H "$header" | grep '<flux/detail/' | grep -vE '<flux/detail/(mode\.hpp|.*\.ipp)>' >>"$wrong" || :
done

# In detail/ there are rooms, and the mode.
find detail -maxdepth 1 -type f ! -name mode.hpp | sed 's/$/: a file outside the rooms/' >>"$wrong"

if [ -s "$wrong" ]; then
  echo "layers: these point the wrong way" >&2
  cat "$wrong" >&2
  exit 1
fi
echo "layers: every include points the right way"
