#!/bin/sh
# Checks which folder of include/flux includes headers of which others, and the declarations of virtual functions. Lists
# what is wrong, and then fails.
#
# usage: sh tests/layers.sh [INCLUDE_DIR]
set -eu
cd "${1:-$(dirname "$0")/../include}/flux"

# A folder, then the folders whose headers it may include. Every folder may include public headers. A protocol that is not
# listed may include what all protocols may, and its own folder; a module registers with the server, which names none.
protocol='core transport gate storage features endpoints'
folders="
core:                core
transport:           core transport
gate:                core gate transport
storage:             core storage
features:            core gate storage features
endpoints:           $protocol endpoints/live
endpoints/socketio:  $protocol endpoints/socketio server
endpoints/sharing:   $protocol endpoints/socketio endpoints/sharing server
"
for folder in detail/endpoints/*; do
  folder=${folder#detail/}
  case $folders in
    *"
$folder:"*) ;;
    *) [ ! -d "detail/$folder" ] || folders="$folders$folder: $protocol $folder
" ;;
  esac
done

wrong=$(mktemp)
trap 'rm -f "$wrong"' EXIT

# Lines of the form "FILE:#include <flux/HEADER>".
includes() {
  grep -rE '^ *# *include *<flux/' "$@" | sed -E 's/: *# *include */:#include /' || :
}

printf '%s' "$folders" | while IFS=: read -r folder allowed; do
  [ -n "$folder" ] || continue
  [ -d "detail/$folder" ] || {
    echo "detail/$folder: listed in tests/layers.sh, but does not exist" >>"$wrong"
    continue
  }
  pattern=
  for other in $allowed; do pattern="$pattern|$other/[a-z0-9_]*"; done
  includes -H $(find "detail/$folder" -maxdepth 1 -type f) | grep '<flux/detail/' | grep -vE "<flux/detail/(mode${pattern})\\.[hi]pp>" >>"$wrong" || :
done

# Every other folder except server/ has a line above.
for folder in detail/*; do
  [ -d "$folder" ] || continue
  [ "$folder" != detail/server ] || continue
  printf '%s' "$folders" | grep -q "^${folder#detail/}:" || echo "$folder: not listed in tests/layers.sh" >>"$wrong"
done

# What the rules above do not see: includes in quotes, and folders inside the folders.
grep -rnE '^ *# *include *"' . >>"$wrong" || :
find detail -mindepth 2 -type d ! -path 'detail/endpoints/*' | sed 's/$/: a folder inside a folder/' >>"$wrong"
find detail/endpoints -mindepth 2 -type d | sed 's/$/: a folder inside a folder/' >>"$wrong"

# No layer below the endpoints includes a module, and what knows no socket includes nothing that has one.
modules='asio|auth|channels|engineio|rapidjson|sharing|signals|socketio|socketio_types'
for folder in core transport gate storage features; do
  includes -H "detail/$folder" | grep -E "<flux/($modules)\.hpp>" >>"$wrong" || :
done
grep -rE '^ *# *include *<(asio|websocketpp)' detail/gate detail/storage detail/features >>"$wrong" || :

# Of detail/, a public header includes only mode.hpp and, in header-only mode, the definitions.
for header in *.hpp storage/*.hpp testing/*.hpp; do
  includes -H "$header" | grep '<flux/detail/' | grep -vE '<flux/detail/(mode\.hpp|.*\.ipp)>' >>"$wrong" || :
done

# detail/ itself contains folders and mode.hpp only.
find detail -maxdepth 1 -type f ! -name mode.hpp | sed 's/$/: a file outside the folders/' >>"$wrong"

# Declarations of virtual functions have FLUX_DECL, or every header-only unit compiles what their class can do (src/README.md,
# "Two modes"). Stores in databases have one mode, and `FileStore::add_to` has a definition for each.
find . -name '*.hpp' ! -path ./storage/sql.hpp | xargs awk '
  FNR == 1 { declaration = "" }
  /^#/ { next }
  {
    sub(/\/\/.*/, "")
    while (match($0, /[;{}]/)) {
      ended = substr($0, RSTART, 1) == ";"
      declaration = declaration " " substr($0, 1, RSTART - 1)
      $0 = substr($0, RSTART + 1)
      is_virtual = declaration ~ /\(.*[) ](override|final) *$/ || declaration ~ /virtual .*\) *(const)? *(noexcept)? *$/
      if (ended && is_virtual && declaration !~ /FLUX_DECL|void add_to\(/) print FILENAME ": no FLUX_DECL:" declaration
      declaration = ""
    }
    declaration = declaration " " $0
  }' >>"$wrong"

if [ -s "$wrong" ]; then
  echo "layers: these are wrong" >&2
  cat "$wrong" >&2
  exit 1
fi
echo "layers: every include points the right way, every virtual function has its mode"
